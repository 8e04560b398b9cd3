/* SPDX-License-Identifier: MIT */
/* What the files of this folder share: OpenSSL 3 behind struct sos_tls_engine. */
#ifndef SMALLOS_OPENSSL_INTERNAL_H
#define SMALLOS_OPENSSL_INTERNAL_H

#include <openssl/ssl.h>

#include "smallos/tls_engine.h"

/* What a kernel's connections share: its tls_shared. */
struct shared {
    BIO_METHOD *method;
    X509_STORE *system; /* whom the system trusts; NULL: not read yet */
};

struct tls_context {
    SSL_CTX *ctx;
    struct sos_kernel *kernel;
    bool insecure;
    unsigned alpn_size;
    unsigned char *alpn; /* each with its length before it */
};

struct tls_connection {
    SSL *ssl;
    const struct tls_context *context;
    struct sos_tls_session *session;
    struct sos_tls_transport transport;
    char *name;  /* of the server, as a client; may be NULL */
    char *text;  /* why it failed; NULL: it has not */
    int failure; /* what the transport answered last, if it was no success */
    bool server, shaken;
};

/* A text that is cut where the room ends. */
struct tls_text {
    char *at;
    size_t room;
};

static inline struct shared *shared_of(struct sos_kernel *kernel)
{
    return kernel->tls_shared;
}

/* ---- context.c */
int sos_openssl_context_open_(struct sos_kernel *kernel, const struct sos_tls_options *options,
                              enum sos_tls_side side, void **context, char *why, size_t why_size);
void sos_openssl_context_close_(void *context);

/* ---- text.c */
void sos_openssl_say_(struct tls_connection *connection, const char *text);

/* OpenSSL calls it for what is wrong with a certificate. */
int sos_openssl_verify_(int good, X509_STORE_CTX *store);

/* Of the error that OpenSSL has just told of. */
void sos_openssl_say_error_(struct tls_connection *connection);

/* "CN=example.org,O=..." */
void sos_openssl_name_(const X509_NAME *name, char *text, size_t size);

/* ---- session.c */
int sos_openssl_session_keep_(SSL *ssl, SSL_SESSION *session);
void sos_openssl_session_use_(struct tls_connection *connection);

#endif
