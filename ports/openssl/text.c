/* SPDX-License-Identifier: MIT */
/* Why TLS failed, for people: what is wrong, and with which certificate. */
#include "internal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { NAME_SIZE = 160, DATE_SIZE = 40, CLOCK_IS_SET = 1577836800 /* 2020 */ };

/* The first one stays: what comes after it is a consequence. Names in certificates may hold anything,
 * and the text may go into a log. */
void sos_openssl_say_(struct tls_connection *connection, const char *text)
{
    if (connection->text != NULL)
        return;
    connection->text = OPENSSL_strdup(text);
    for (char *at = connection->text; at != NULL && *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
}

__attribute__((format(printf, 2, 3))) static void add(struct tls_text *text, const char *format,
                                                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->at, text->room, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used >= text->room)
        used = text->room - 1;
    text->at += used;
    text->room -= used;
}

/* ---- Certificates */

void sos_openssl_name_(const X509_NAME *name, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    text[0] = '\0';
    if (bio == NULL)
        return;
    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    int got = BIO_read(bio, text, (int)size - 1);
    text[got > 0 ? got : 0] = '\0';
    BIO_free(bio);
}

static void add_date(struct tls_text *text, const char *before, const ASN1_TIME *moment)
{
    struct tm date;
    if (ASN1_TIME_to_tm(moment, &date) == 1)
        add(text, "%s%04d-%02d-%02d", before, date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
}

static void add_address(struct tls_text *text, const ASN1_OCTET_STRING *address)
{
    char readable[INET6_ADDRSTRLEN] = "?";
    int size = ASN1_STRING_length(address);
    if (size == 4 || size == 16)
        inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), readable,
                  sizeof readable);
    add(text, "address %s", readable);
}

static void add_names(struct tls_text *text, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0, shown = 0;
    for (int index = 0; index < count; index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        add(text, "%s", shown++ != 0 ? ", " : "");
        if (name->type == GEN_IPADD)
            add_address(text, name->d.iPAddress);
        else
            add(text, "%.*s", ASN1_STRING_length(name->d.dNSName),
                (const char *)ASN1_STRING_get0_data(name->d.dNSName));
    }
    if (shown == 0)
        add(text, "no name");
    GENERAL_NAMES_free(names);
}

/* What most often is the matter with a board that was just switched on. */
static void add_clock(struct tls_text *text, X509_STORE_CTX *store)
{
    time_t now = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(store));
    struct tm date;
    if (now >= CLOCK_IS_SET || gmtime_r(&now, &date) == NULL)
        return;
    add(text, "; but the clock is not set: it says %04d-%02d-%02d", date.tm_year + 1900,
        date.tm_mon + 1, date.tm_mday);
}

static void add_fault(struct tls_text *text, const struct tls_connection *connection,
                      X509_STORE_CTX *store, const X509 *certificate)
{
    int error = X509_STORE_CTX_get_error(store);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        add_date(text, "expired on ", X509_get0_notAfter(certificate));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        add_date(text, "not valid before ", X509_get0_notBefore(certificate));
        add_clock(text, store);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        add(text, "name does not match: \"%s\" was asked for, and it is for ", connection->name);
        add_names(text, certificate);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        add(text, "self-signed, and not itself trusted");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        add(text, "unknown CA: no trusted certificate leads to it");
        break;
    case X509_V_ERR_CERT_REVOKED:
        add(text, "revoked by its issuer");
        break;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        add(text, "its issuer has no revocation list in `crl`");
        break;
    default:
        add(text, "%s", X509_verify_cert_error_string(error));
    }
}

static void say_certificate(struct tls_connection *connection, X509_STORE_CTX *store)
{
    char memory[SOS_TLS_TEXT], subject[NAME_SIZE], issuer[NAME_SIZE];
    struct tls_text text = { memory, sizeof memory };
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (X509_STORE_CTX_get_error_depth(store) > 0)
        add(&text, "CA above the ");
    if (connection->server)
        add(&text, "certificate of the client");
    else
        add(&text, "certificate of \"%s\"", connection->name != NULL ? connection->name : "?");
    if (certificate != NULL) {
        sos_openssl_name_(X509_get_subject_name(certificate), subject, sizeof subject);
        sos_openssl_name_(X509_get_issuer_name(certificate), issuer, sizeof issuer);
        add(&text, " (%s, issuer %s)", subject, issuer);
    }
    add(&text, ": ");
    add_fault(&text, connection, store, certificate);
    sos_openssl_say_(connection, memory);
}

/* Called for the first thing that is wrong, which ends the handshake. */
int sos_openssl_verify_(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    if (!good)
        say_certificate(SSL_get_app_data(ssl), store);
    return good;
}

/* ---- Everything else */

/* The library's own words would not help who reads them. */
static const char *words_for(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return "the other end does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "the two ends have no TLS version in common";
    case SSL_R_NO_SHARED_CIPHER:
        return "the two ends have no cipher in common";
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "the two ends have no application protocol (ALPN) in common";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the client showed no certificate";
    default:
        return NULL;
    }
}

/* OpenSSL 3.0 has no words for the newest ones. */
static const char *alert_name(int alert)
{
    switch (alert) {
    case SSL_AD_CERTIFICATE_REQUIRED:
        return "certificate required";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return "no application protocol";
    case SSL_AD_MISSING_EXTENSION:
        return "missing extension";
    default:
        return SSL_alert_desc_string_long(alert);
    }
}

void sos_openssl_say_error_(struct tls_connection *connection)
{
    char memory[SOS_TLS_TEXT];
    struct tls_text text = { memory, sizeof memory };
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *words = ERR_GET_LIB(error) == ERR_LIB_SSL ? words_for(reason) : NULL;
    if (words == NULL)
        words = ERR_reason_error_string(error);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
        add(&text, "the other end ended the %s with the alert \"%s\"",
            connection->shaken ? "connection" : "handshake",
            alert_name(reason - SSL_AD_REASON_OFFSET));
    if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason <= SSL_AD_REASON_OFFSET)
        add(&text, "%s", words != NULL ? words : "TLS failed without saying why");
    else if (words_for(reason) != NULL)
        add(&text, ": %s", words);
    ERR_clear_error();
    sos_openssl_say_(connection, memory);
}
