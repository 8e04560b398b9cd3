/* SPDX-License-Identifier: MIT */
/*
 * TLS by OpenSSL 3. A BIO of our own stands between it and the transport, so that encrypted bytes
 * are copied once each way. No call waits.
 */
#include "internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* ---- What OpenSSL reads from and writes to */

/* Answers -1 with the mark that it may be tried again, or without. */
static int failed(BIO *bio, struct tls_connection *connection, int status, int again)
{
    connection->failure = status;
    if (status == SOS_EAGAIN || status == SOS_ENOMEM)
        BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
    return -1;
}

static int bio_read(BIO *bio, char *bytes, int size)
{
    struct tls_connection *connection = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    int got = connection->transport.receive(connection->transport.context, bytes, (size_t)size);
    if (got < 0)
        return failed(bio, connection, got, BIO_FLAGS_READ);
    if (got == 0)
        connection->failure = SOS_EEOF;
    return got;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    struct tls_connection *connection = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    int put = connection->transport.send(connection->transport.context, bytes, (size_t)size);
    return put >= 0 ? put : failed(bio, connection, put, BIO_FLAGS_WRITE);
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    struct tls_connection *connection = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return connection->failure == SOS_EEOF;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *new_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "smallOS");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

static void kernel_end(struct sos_kernel *kernel)
{
    struct shared *shared = shared_of(kernel);
    if (shared == NULL)
        return;
    X509_STORE_free(shared->system);
    BIO_meth_free(shared->method);
    free(shared);
    kernel->tls_shared = NULL;
}

static int kernel_begin(struct sos_kernel *kernel)
{
    if (kernel->tls_shared != NULL)
        return SOS_OK;
    struct shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return SOS_ENOMEM;
    kernel->tls_shared = shared;
    shared->method = new_method();
    if (shared->method != NULL)
        return SOS_OK;
    kernel_end(kernel);
    return SOS_ENOMEM;
}

static int context_open(struct sos_kernel *kernel, const struct sos_tls_options *options,
                        enum sos_tls_side side, void **context, char *why, size_t why_size)
{
    int status = kernel_begin(kernel);
    if (status != SOS_OK)
        return status;
    return sos_openssl_context_open_(kernel, options, side, context, why, why_size);
}

/* ---- Making a connection */

static void set_time(struct tls_connection *connection)
{
    struct sos_kernel *kernel = connection->context->kernel;
    uint64_t now = kernel->wall_clock != NULL ? kernel->wall_clock(kernel) : 0;
    X509_VERIFY_PARAM_set_time(SSL_get0_param(connection->ssl), (time_t)(now / 1000000));
}

/* The name is asked for unless it is an address, and checked in either case. */
static bool set_name(struct tls_connection *connection)
{
    SSL *ssl = connection->ssl;
    char *name = connection->name;
    size_t length = strlen(name);
    if (length > 1 && name[length - 1] == '.')
        name[length - 1] = '\0';
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return name[0] != '\0' && SSL_set1_host(ssl, name) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

static int prepare(struct tls_connection *connection, const struct sos_tls_start *start)
{
    SSL *ssl = connection->ssl;
    BIO *bio = BIO_new(shared_of(connection->context->kernel)->method);
    if (bio == NULL)
        return SOS_ENOMEM;
    BIO_set_data(bio, connection);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, connection);
    set_time(connection);
    if (start->side == SOS_TLS_SERVER) {
        SSL_set_accept_state(ssl);
        return SOS_OK;
    }
    SSL_set_connect_state(ssl);
    if (start->server_name == NULL)
        return SOS_OK;
    connection->name = OPENSSL_strdup(start->server_name);
    if (connection->name == NULL)
        return SOS_ENOMEM;
    return set_name(connection) ? SOS_OK : SOS_EINVAL;
}

static void connection_close(void *closed)
{
    struct tls_connection *connection = closed;
    SSL_free(connection->ssl);
    OPENSSL_free(connection->name);
    OPENSSL_free(connection->text);
    free(connection);
}

static int connection_open(void *made, const struct sos_tls_start *start, void **opened)
{
    const struct tls_context *context = made;
    struct tls_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return SOS_ENOMEM;
    connection->context = context;
    connection->transport = start->transport;
    connection->server = start->side == SOS_TLS_SERVER;
    connection->session = start->session;
    connection->ssl = SSL_new(context->ctx);
    int status = connection->ssl != NULL ? prepare(connection, start) : SOS_ENOMEM;
    if (status != SOS_OK) {
        ERR_clear_error();
        connection_close(connection);
        return status;
    }
    if (connection->session != NULL && !connection->server)
        sos_openssl_session_use_(connection);
    *opened = connection;
    return SOS_OK;
}

/* ---- The calls that go on */

static void begin(struct tls_connection *connection)
{
    ERR_clear_error();
    connection->failure = SOS_OK;
}

static int cut_off(struct tls_connection *connection)
{
    sos_openssl_say_(connection,
                     connection->shaken
                         ? "the other end closed without close_notify: what it sent may be cut off"
                         : "the other end closed during the handshake");
    return SOS_ETLS;
}

/* What a call that gave nothing means. */
static int outcome(struct tls_connection *connection, int returned)
{
    int kind = SSL_get_error(connection->ssl, returned), failure = connection->failure;
    if (kind == SSL_ERROR_ZERO_RETURN)
        return SOS_EEOF;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        return failure == SOS_ENOMEM ? SOS_ENOMEM : SOS_EAGAIN;
    if (failure == SOS_EEOF)
        return cut_off(connection);
    if (failure != SOS_OK && failure != SOS_EAGAIN && failure != SOS_ENOMEM)
        return failure;
    if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE)
        return SOS_ENOMEM;
    sos_openssl_say_error_(connection);
    return SOS_ETLS;
}

/* A session may not lend its trust to a connection that asks for more. */
static int check_resumed(struct tls_connection *connection)
{
    if (connection->server || connection->context->insecure ||
        SSL_get_verify_result(connection->ssl) == X509_V_OK)
        return SOS_OK;
    sos_openssl_say_(connection, "the session to resume was not verified");
    return SOS_ETLS;
}

static int handshake(void *going)
{
    struct tls_connection *connection = going;
    begin(connection);
    int returned = SSL_do_handshake(connection->ssl);
    if (returned == 1) {
        connection->shaken = true;
        return check_resumed(connection);
    }
    int status = outcome(connection, returned);
    return status == SOS_EEOF ? cut_off(connection) : status;
}

static int at_most(size_t size)
{
    return size < INT_MAX ? (int)size : INT_MAX;
}

static int connection_read(void *going, void *bytes, size_t size)
{
    struct tls_connection *connection = going;
    begin(connection);
    int got = SSL_read(connection->ssl, bytes, at_most(size));
    if (got > 0)
        return got;
    got = outcome(connection, got);
    if (got == SOS_EAGAIN)
        SSL_free_buffers(connection->ssl); /* a ticket makes one for writing, too */
    return got;
}

static int connection_write(void *going, const void *bytes, size_t size)
{
    struct tls_connection *connection = going;
    begin(connection);
    int put = SSL_write(connection->ssl, bytes, at_most(size));
    return put > 0 ? put : outcome(connection, put);
}

/* 0: said, and the other end has not said it yet. */
static int close_notify(void *going)
{
    struct tls_connection *connection = going;
    begin(connection);
    int returned = SSL_shutdown(connection->ssl);
    return returned >= 0 ? SOS_OK : outcome(connection, returned);
}

/* ---- About it */

static void copy(char *to, size_t room, const char *text, size_t length)
{
    if (length >= room)
        length = room - 1;
    memcpy(to, text, length);
    to[length] = '\0';
}

static void describe(const void *going, struct sos_tls_info *info)
{
    const struct tls_connection *connection = going;
    SSL *ssl = connection->ssl;
    const unsigned char *alpn;
    unsigned alpn_size;
    const char *cipher = SSL_get_cipher_name(ssl);
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    info->version = SSL_version(ssl) == TLS1_2_VERSION ? SOS_TLS_1_2 : SOS_TLS_1_3;
    info->resumed = SSL_session_reused(ssl) == 1;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
    if (alpn != NULL)
        copy(info->alpn, sizeof info->alpn, (const char *)alpn, alpn_size);
    copy(info->cipher, sizeof info->cipher, cipher, strlen(cipher));
    if (certificate != NULL)
        sos_openssl_name_(X509_get_subject_name(certificate), info->subject, sizeof info->subject);
}

static const char *error_text(const void *going)
{
    const struct tls_connection *connection = going;
    return connection->text;
}

const struct sos_tls_engine sos_openssl = {
    .kernel_end = kernel_end,
    .context_open = context_open,
    .context_close = sos_openssl_context_close_,
    .open = connection_open,
    .close = connection_close,
    .handshake = handshake,
    .read = connection_read,
    .write = connection_write,
    .close_notify = close_notify,
    .describe = describe,
    .error_text = error_text,
};
