/* SPDX-License-Identifier: MIT */
/*
 * TLS 1.2 and 1.3: a stream around a stream, read and written like any other (smallos/stream.h).
 *
 *     struct sos_tls_options tls = { .ca = { .file = "ca.pem" } };
 *     await(sos_connect(task, &(struct sos_connect_options){ .host = "example.org", .port = 443,
 *                                                            .tls = &tls }, &self->stream));
 *
 * A client checks the certificate of the server, and that it is for the name connected to, unless
 * it is told not to by `insecure`. What cannot be trusted ends in SOS_ETLS, and a text says what is
 * wrong with which certificate. An end of the connection that the other end did not announce
 * (close_notify) is SOS_ETLS as well, never SOS_EEOF: somebody may have cut it off.
 *
 * The kernel brings TLS (`tls` of struct sos_kernel); without it everything here ends in
 * SOS_ENOTSUP.
 */
#ifndef SMALLOS_TLS_H
#define SMALLOS_TLS_H

#include "smallos/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_tls_context sos_tls_context;

enum sos_tls_version { SOS_TLS_ANY, SOS_TLS_1_2, SOS_TLS_1_3 };
enum sos_tls_side { SOS_TLS_CLIENT, SOS_TLS_SERVER };
enum { SOS_TLS_TEXT = 512, SOS_TLS_SESSION_ROOM = 8192 };

/* Certificates, a key or revocation lists in PEM: a file, or else `size` bytes. Both zero: none. */
struct sos_tls_pem {
    const char *file;
    const void *bytes;
    size_t size;
};

/*
 * A session with one server, from which later connections to it are resumed: less to send, to wait
 * for and to compute. Give the same one to each connection; whenever the server issues a new ticket,
 * which with TLS 1.3 is while the stream is read, it is written here. The bytes may be stored and
 * brought back, also by another process. They are as secret as a key. A session of another server
 * name, or of a connection that was not verified, is not used. A resumed connection shows no
 * certificate again: what was checked at first counts as long as the server's tickets do.
 */
struct sos_tls_session {
    void *bytes;   /* the caller's memory, which must live as long as the stream */
    size_t room;   /* of it; SOS_TLS_SESSION_ROOM is enough for most */
    size_t size;   /* 0: none */
    size_t needed; /* what the last ticket would have needed; more than `room`: it was left out */
};

/*
 * Zero means default in every field. What is pointed to must live until the operation has ended;
 * `session` as long as the stream.
 */
struct sos_tls_options {
    const char *server_name; /* default: the host connected to */
    struct sos_tls_session *session;
    char *error_text; /* why it failed, in words; SOS_TLS_TEXT bytes are enough for all of it */
    size_t error_text_size;

    /* What certificates and keys are made of takes time and memory: connections that share it read
     * it once. What follows is read when the context is made, and is not looked at with one. */
    sos_tls_context *context;

    bool insecure; /* client: do not check the server's certificate; reported once */
    bool ask;      /* server: ask clients for a certificate, refuse those that have none */
    uint8_t min_version, max_version; /* enum sos_tls_version; default: 1.2, and the latest */
    struct sos_tls_pem ca;            /* whom to trust; default: the system's store */
    struct sos_tls_pem crl;           /* what has been revoked; then each issuer must have a list */
    struct sos_tls_pem certificate;   /* its own, and then those that lead to the CA */
    struct sos_tls_pem key;
    const char *alpn; /* protocols to agree on, the most wanted first: "h2,http/1.1" */
};

/*
 * Makes what connections may share. Reads files, and the system's store the first time: this may
 * take some 20 ms. Kept until the last stream that was made with it has gone.
 * 0; SOS_ETLS, SOS_ENOENT, SOS_EACCES, SOS_EINVAL: `error_text` says why; SOS_ENOMEM; SOS_ENOTSUP.
 */
int sos_tls_context_open(sos *os, const struct sos_tls_options *options, enum sos_tls_side side,
                         sos_tls_context **context);
void sos_tls_context_close(sos_tls_context *context);

/*
 * Shakes hands over a stream, as a client with the server `host` (NULL: options->server_name) or as
 * a server. Ends in 0: *stream is set and owns `lower`, which nobody else may use any more. Else
 * *stream is NULL, `lower` still the caller's and good for nothing but to be closed:
 *
 *     async_finally;
 *     sos_stream_close(self->stream != NULL ? self->stream : self->lower);
 *
 * SOS_ETLS: `error_text` says why; SOS_EINVAL: there is no name to check, or a file is wrong;
 * SOS_ENOENT, SOS_EACCES; SOS_ENOMEM; SOS_ENOTSUP; errors of `lower`. Has no time limit of its own:
 * use sos_within. Canceled: as after an error.
 */
SOS_MUST_USE sos_op sos_tls_client(sos_task *task, sos_stream *lower,
                                   const struct sos_tls_options *options, const char *host,
                                   sos_stream **stream);
SOS_MUST_USE sos_op sos_tls_server(sos_task *task, sos_stream *lower,
                                   const struct sos_tls_options *options, sos_stream **stream);

/*
 * Shakes hands now. A stream of sos_accept would do so by itself with the first reading or writing;
 * this is for those who want to know first what was agreed on. Ends in 0, also if it has been done
 * already; else as an operation on the stream does. SOS_EINVAL: it has no TLS.
 */
SOS_MUST_USE sos_op sos_tls_handshake(sos_task *task, sos_stream *stream);

/* What was agreed on. */
struct sos_tls_info {
    enum sos_tls_version version;
    bool resumed;      /* from a session */
    char alpn[32];     /* "": nothing */
    char cipher[64];   /* as the library calls it */
    char subject[256]; /* of the other end's certificate, "CN=example.org"; "": it showed none */
};

/* 0; SOS_EAGAIN: the handshake is not over; SOS_EINVAL: a stream without TLS. */
int sos_tls_describe(const sos_stream *stream, struct sos_tls_info *info);

#ifdef __cplusplus
}
#endif
#endif
