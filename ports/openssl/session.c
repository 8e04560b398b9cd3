/* SPDX-License-Identifier: MIT */
/*
 * Sessions as bytes: "sos1", whether the server was verified, the length of its name, its name, and
 * what OpenSSL writes of it.
 */
#include "internal.h"

#include <string.h>

#include <openssl/err.h>

enum { MARK = 4, VERIFIED = MARK, NAME_LENGTH, NAME, NAME_MOST = 255 };

static size_t name_length(const struct tls_connection *connection)
{
    return connection->name != NULL ? strlen(connection->name) : 0;
}

/* Called for each ticket. 0: it is not kept by OpenSSL. */
int sos_openssl_session_keep_(SSL *ssl, SSL_SESSION *ticket)
{
    struct tls_connection *connection = SSL_get_app_data(ssl);
    struct sos_tls_session *session = connection->session;
    size_t length = name_length(connection);
    int size = session != NULL ? i2d_SSL_SESSION(ticket, NULL) : 0;
    if (connection->server || size <= 0 || length > NAME_MOST)
        return 0;
    session->needed = NAME + length + (size_t)size;
    if (session->needed > session->room)
        return 0;
    unsigned char *bytes = session->bytes, *at = bytes + NAME + length;
    memcpy(bytes, "sos1", MARK);
    bytes[VERIFIED] = !connection->context->insecure;
    bytes[NAME_LENGTH] = (unsigned char)length;
    if (length != 0)
        memcpy(bytes + NAME, connection->name, length);
    session->size = i2d_SSL_SESSION(ticket, &at) == size ? session->needed : 0;
    return 0;
}

/* One that does not fit is as none: the handshake is a full one. */
void sos_openssl_session_use_(struct tls_connection *connection)
{
    const struct sos_tls_session *session = connection->session;
    const unsigned char *bytes = session->bytes;
    size_t length = name_length(connection);
    if (session->size <= NAME + length || memcmp(bytes, "sos1", MARK) != 0 ||
        bytes[NAME_LENGTH] != length ||
        (length != 0 && memcmp(bytes + NAME, connection->name, length) != 0) ||
        (bytes[VERIFIED] == 0 && !connection->context->insecure))
        return;
    const unsigned char *at = bytes + NAME + length;
    SSL_SESSION *ticket = d2i_SSL_SESSION(NULL, &at, (long)(session->size - NAME - length));
    if (ticket != NULL)
        SSL_set_session(connection->ssl, ticket);
    SSL_SESSION_free(ticket);
    ERR_clear_error();
}
