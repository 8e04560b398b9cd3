/* SPDX-License-Identifier: MIT */
/* What many TLS connections share: whom to trust, a certificate and key, versions, protocols. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* What a context is being made from, and where to say why it cannot be. */
struct making {
    struct tls_context *context;
    const struct sos_tls_options *options;
    enum sos_tls_side side;
    char *why;
    size_t why_size;
};

static bool given(const struct sos_tls_pem *pem)
{
    return pem->file != NULL || pem->size != 0;
}

/* "CA file \"x.pem\"": the same words for each kind of file in each complaint. */
static int complain(struct making *making, const char *what, const struct sos_tls_pem *pem,
                    const char *text)
{
    if (pem->file != NULL)
        snprintf(making->why, making->why_size, "%s \"%s\": %s", what, pem->file, text);
    else
        snprintf(making->why, making->why_size, "%s: %s", what, text);
    return SOS_ETLS;
}

static int open_pem(struct making *making, const char *what, const struct sos_tls_pem *pem,
                    BIO **bio)
{
    errno = 0;
    *bio = pem->file != NULL ? BIO_new_file(pem->file, "r")
                             : BIO_new_mem_buf(pem->bytes, (int)pem->size);
    if (*bio != NULL)
        return SOS_OK;
    int number = errno;
    if (pem->file == NULL || number == 0)
        return SOS_ENOMEM;
    complain(making, what, pem, strerror(number));
    return number == ENOENT ? SOS_ENOENT : number == ENOMEM ? SOS_ENOMEM : SOS_EACCES;
}

/* Nobody is asked for a password at the terminal, which would block everything. */
static int no_password(char *bytes, int size, int writing, void *unused)
{
    (void)bytes;
    (void)size;
    (void)writing;
    (void)unused;
    return -1;
}

static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, no_password, NULL);
}

/* ---- Whom to trust */

static int system_store(struct shared *shared)
{
    if (shared->system != NULL)
        return SOS_OK;
    shared->system = X509_STORE_new();
    if (shared->system == NULL)
        return SOS_ENOMEM;
    X509_STORE_set_default_paths(shared->system);
    return SOS_OK;
}

/* A server tells its clients whose certificates it takes. */
static int add_authorities(struct making *making, X509_STORE *store)
{
    const struct sos_tls_pem *pem = &making->options->ca;
    X509 *certificate;
    BIO *bio;
    int count = 0, status = open_pem(making, "CA", pem, &bio);
    if (status != SOS_OK)
        return status;
    while ((certificate = next_certificate(bio)) != NULL) {
        count += X509_STORE_add_cert(store, certificate);
        if (making->side == SOS_TLS_SERVER)
            SSL_CTX_add_client_CA(making->context->ctx, certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    return count != 0 ? SOS_OK : complain(making, "CA", pem, "holds no certificate");
}

static int add_revoked(struct making *making, X509_STORE *store)
{
    const struct sos_tls_pem *pem = &making->options->crl;
    X509_CRL *list;
    BIO *bio;
    int count = 0, status = open_pem(making, "revocation list", pem, &bio);
    if (status != SOS_OK)
        return status;
    while ((list = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL)) != NULL) {
        count += X509_STORE_add_crl(store, list);
        X509_CRL_free(list);
    }
    BIO_free(bio);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return count != 0 ? SOS_OK : complain(making, "revocation list", pem, "holds none");
}

static int trust(struct making *making)
{
    const struct sos_tls_options *options = making->options;
    SSL_CTX *ctx = making->context->ctx;
    struct shared *shared = shared_of(making->context->kernel);
    bool server = making->side == SOS_TLS_SERVER;
    int status = SOS_OK;
    if (server ? !options->ask : options->insecure)
        return SOS_OK;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       sos_openssl_verify_);
    if (given(&options->ca)) {
        status = add_authorities(making, SSL_CTX_get_cert_store(ctx));
    } else if (given(&options->crl)) {
        SSL_CTX_set_default_verify_paths(ctx); /* a store of its own: others have no list */
    } else {
        status = system_store(shared);
        if (status == SOS_OK)
            SSL_CTX_set1_cert_store(ctx, shared->system);
    }
    if (status == SOS_OK && given(&options->crl))
        status = add_revoked(making, SSL_CTX_get_cert_store(ctx));
    return status;
}

/* ---- Its own certificate */

/* What OpenSSL has against it. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    return text != NULL ? text : "cannot be used";
}

static int use_chain(struct making *making)
{
    const struct sos_tls_pem *pem = &making->options->certificate;
    SSL_CTX *ctx = making->context->ctx;
    X509 *certificate;
    BIO *bio;
    int count = 0, status = open_pem(making, "certificate", pem, &bio);
    if (status != SOS_OK)
        return status;
    for (; (certificate = next_certificate(bio)) != NULL; count++) {
        if (count == 0 ? SSL_CTX_use_certificate(ctx, certificate) != 1
                       : SSL_CTX_add1_chain_cert(ctx, certificate) != 1)
            status = complain(making, "certificate", pem, reason());
        X509_free(certificate);
    }
    BIO_free(bio);
    return count != 0 ? status : complain(making, "certificate", pem, "holds none");
}

static int use_key(struct making *making)
{
    const struct sos_tls_pem *pem = &making->options->key;
    SSL_CTX *ctx = making->context->ctx;
    BIO *bio;
    int status = open_pem(making, "key", pem, &bio);
    if (status != SOS_OK)
        return status;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (key == NULL)
        return complain(making, "key", pem, "holds none, or one with a password");
    if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        status = complain(making, "key", pem, "does not fit the certificate");
    EVP_PKEY_free(key);
    return status;
}

static int identify(struct making *making)
{
    const struct sos_tls_options *options = making->options;
    if (given(&options->certificate) != given(&options->key) ||
        (making->side == SOS_TLS_SERVER && !given(&options->key))) {
        snprintf(making->why, making->why_size, "a certificate and its key are needed");
        return SOS_EINVAL;
    }
    if (!given(&options->key))
        return SOS_OK;
    int status = use_chain(making);
    return status == SOS_OK ? use_key(making) : status;
}

/* ---- Versions and protocols */

static int library_version(uint8_t version)
{
    static const int versions[] = { 0, TLS1_2_VERSION, TLS1_3_VERSION };
    return version <= SOS_TLS_1_3 ? versions[version] : -1;
}

static int set_versions(struct making *making)
{
    SSL_CTX *ctx = making->context->ctx;
    int min = library_version(making->options->min_version),
        max = library_version(making->options->max_version);
    if (min == 0)
        min = TLS1_2_VERSION;
    if (min > 0 && max >= 0 && (max == 0 || min <= max) &&
        SSL_CTX_set_min_proto_version(ctx, min) == 1 &&
        SSL_CTX_set_max_proto_version(ctx, max) == 1)
        return SOS_OK;
    snprintf(making->why, making->why_size, "min_version and max_version leave no TLS version");
    return SOS_EINVAL;
}

/* The server's list is the one whose order counts. */
static int select_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *argument)
{
    const struct tls_context *context = argument;
    unsigned char *found;
    (void)ssl;
    if (SSL_select_next_proto(&found, size, context->alpn, context->alpn_size, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* "h2,http/1.1" with each comma, and one before the first, become a length. */
static bool write_protocols(unsigned char *bytes, const char *list)
{
    size_t length;
    for (const char *at = list;; at += length + 1) {
        length = strcspn(at, ",");
        if (length == 0 || length > UINT8_MAX)
            return false;
        *bytes++ = (unsigned char)length;
        memcpy(bytes, at, length);
        bytes += length;
        if (at[length] == '\0')
            return true;
    }
}

static int set_protocols(struct making *making)
{
    struct tls_context *context = making->context;
    const char *list = making->options->alpn;
    if (list == NULL)
        return SOS_OK;
    context->alpn_size = (unsigned)strlen(list) + 1;
    context->alpn = malloc(context->alpn_size);
    if (context->alpn == NULL)
        return SOS_ENOMEM;
    if (!write_protocols(context->alpn, list)) {
        snprintf(making->why, making->why_size, "alpn: empty, or a name that is too long");
        return SOS_EINVAL;
    }
    if (making->side == SOS_TLS_SERVER)
        SSL_CTX_set_alpn_select_cb(context->ctx, select_protocol, context);
    else if (SSL_CTX_set_alpn_protos(context->ctx, context->alpn, context->alpn_size) != 0)
        return SOS_ENOMEM;
    return SOS_OK;
}

/* ---- Making it */

static void set_modes(struct making *making)
{
    static const unsigned char name[] = "smallOS";
    SSL_CTX *ctx = making->context->ctx;
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_read_ahead(ctx, 1); /* one system call for the head of a record and its body */
    SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1);
    if (making->side == SOS_TLS_SERVER) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets hold the sessions */
        return;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, sos_openssl_session_keep_);
}

static int make(struct making *making)
{
    making->context->ctx = SSL_CTX_new(making->side == SOS_TLS_SERVER ? TLS_server_method()
                                                                      : TLS_client_method());
    if (making->context->ctx == NULL)
        return SOS_ENOMEM;
    set_modes(making);
    int status = set_versions(making);
    if (status == SOS_OK)
        status = set_protocols(making);
    if (status == SOS_OK)
        status = trust(making);
    return status == SOS_OK ? identify(making) : status;
}

int sos_openssl_context_open_(struct sos_kernel *kernel, const struct sos_tls_options *options,
                              enum sos_tls_side side, void **context, char *why, size_t why_size)
{
    struct tls_context *made = calloc(1, sizeof *made);
    struct making making = { made, options, side, why, why_size };
    if (made == NULL)
        return SOS_ENOMEM;
    made->kernel = kernel;
    made->insecure = options->insecure;
    ERR_clear_error();
    int status = make(&making);
    ERR_clear_error(); /* the end of a PEM file is one to OpenSSL */
    if (status == SOS_OK)
        *context = made;
    else
        sos_openssl_context_close_(made);
    return status;
}

void sos_openssl_context_close_(void *closed)
{
    struct tls_context *context = closed;
    SSL_CTX_free(context->ctx);
    free(context->alpn);
    free(context);
}
