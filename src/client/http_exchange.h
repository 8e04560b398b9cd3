/* SPDX-License-Identifier: MIT */
/* One GET and the head of its answer, for a client that only begins with HTTP: WebSocket. */
#ifndef SMALLOS_CLIENT_HTTP_EXCHANGE_H
#define SMALLOS_CLIENT_HTTP_EXCHANGE_H

#include "proto/http.h"
#include "proto/url.h"
#include "smallos/runtime.h"
#include "smallos/stream.h"

/* Room for the text of an error; heads longer than that are refused; so are more fields. */
enum { SOS_HTTP_ERROR_TEXT_ = 160, SOS_HTTP_ANSWER_MAX_ = 65536, SOS_HTTP_ANSWER_FIELDS_ = 100 };

/* How the user says where to: a URL, or else what one is made of. Texts end with NUL. */
struct sos_http_where_ {
    const char *url;             /* ws or wss */
    const char *host;            /* NULL: 127.0.0.1; or "unix:/path" */
    const char *path;            /* NULL: "/" */
    const char *user, *password; /* NULL: those of the URL, if there are any */
    uint16_t port;               /* 0: that of the scheme */
    bool secure;                 /* without a URL */
};

/* Where a request goes, as it is needed; everything lies in `memory`. */
struct sos_http_peer_ {
    sos *os;
    void *memory;
    size_t size;
    const char *host; /* for sos_connect */
    uint16_t port;
    bool secure;
    struct sos_slice_ url, host_field, target;
    struct sos_slice_ authorization; /* empty: none */
};

/* SOS_OK; SOS_EINVAL: *rule says why; SOS_ENOMEM. On an error there is nothing to close. */
int sos_http_peer_open_(struct sos_http_peer_ *peer, sos *os, const struct sos_http_where_ *where,
                        const char **rule);
void sos_http_peer_close_(struct sos_http_peer_ *peer); /* a zero one is fine */

/* Whether credentials would go out where everybody can read them. */
bool sos_http_peer_is_open_book_(const struct sos_http_peer_ *peer);

/*
 * Puts a GET into the stream's buffer, with Host, Authorization and `fields`; one without a value is
 * left out. SOS_OK; SOS_EINVAL: *rule; SOS_ENOMEM; the error of the stream.
 */
int sos_http_put_get_(sos_stream *stream, const struct sos_http_peer_ *peer,
                      const struct sos_http_field_ *fields, size_t count, const char **rule);

/*
 * Parses the head that sos_stream_until has found: `size` bytes, up to the empty line. SOS_OK: `head`
 * is complete, its slices lie in the stream's buffer, and in `fields`, which has room for
 * SOS_HTTP_ANSWER_FIELDS_. SOS_EAGAIN: it was an interim answer (1xx) and is gone, wait for the next.
 * SOS_EPROTO, SOS_ELIMIT: head->error.
 */
int sos_http_parse_answer_(sos_stream *stream, size_t size, size_t max_line,
                           struct sos_http_head_ *head, struct sos_http_field_ *fields);

#endif
