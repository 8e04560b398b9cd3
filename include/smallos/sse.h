/* SPDX-License-Identifier: MIT */
/*
 * Client for Server-Sent Events (WHATWG HTML, 9.2), on the HTTP client.
 *
 *     struct sos_sse_options options = { .url = "https://example.org/news" };
 *     try_await(sos_sse_connect(task, &options, &self->news));
 *     for (;;) {
 *         try_await(sos_sse_read(task, self->news, &self->event));
 *         printf("%s: %s\n", self->event.type, self->event.data);
 *     }
 *     async_finally;
 *     sos_sse_close(self->news);
 *
 * A connection that is lost is made again while events are waited for, as the supervisor says
 * (smallos/supervisor.h), and no earlier than the server's `retry`; the server is told the id of the
 * last event. One that has brought an event counts as a success. No task belongs to it: who reads
 * also connects, and what nobody reads the server has to keep. All functions are for the runtime's
 * thread; those that return sos_op for tasks.
 */
#ifndef SMALLOS_SSE_H
#define SMALLOS_SSE_H

#include "smallos/http.h"
#include "smallos/supervisor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_sse sos_sse;

/* Zero means default in every field. What is pointed to must live until connecting has ended; `tls`
 * until it is closed. */
struct sos_sse_options {
    const char *url;  /* http or https, with user and password if need be; NULL: host, port, path */
    const char *host; /* a name, an address, or "unix:/path"; default 127.0.0.1 */
    uint16_t port;    /* default 80, with TLS 443 */
    const char *path; /* and query, percent-encoded; default "/" */
    const struct sos_tls_options
        *tls;          /* host and port: NULL for no TLS; https: NULL for defaults */
    const char *proxy; /* these four as in struct sos_http_options */
    const char *user, *password;
    const char *bearer;
    const struct sos_http_field *headers; /* of every request */
    size_t header_count;
    const char *last_id; /* of the last event that was seen in an earlier life */
    char *error_text;    /* why connecting failed, in words; NULL: not wanted */
    size_t error_text_size;

    struct sos_supervisor_options reconnect; /* silence_us: so long without a byte, comments count,
                                              * means that the connection is dead */
    int64_t attempt_us;      /* how long an attempt to connect may take; default 30 s */
    bool once;               /* do not connect again */
    uint32_t max_event_size; /* bytes of type, data and id; default of both: client_defaults.sse */
    uint32_t max_line_size;  /* SOS_NONE: unlimited, for both */
};

/*
 * Connects, once. Ends in 0 and *sse is set; SOS_EEOF: the server answered 204, there is nothing to
 * come; SOS_ESERVER: it answered with another status than 200; SOS_EPROTO: with another type than
 * text/event-stream; SOS_ETIMEDOUT: not within attempt_us; or as sos_http_send. Redirects are
 * followed. Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_sse_connect(sos_task *task, const struct sos_sse_options *options,
                                    sos_sse **sse);

/* Ends it at once; a task that reads gets SOS_ECANCELED. NULL is fine. */
void sos_sse_close(sos_sse *sse);

/* Why the connection was lost last, or is of no more use, in words; "" if it never was. Valid until
 * the next read. */
const char *sos_sse_error(const sos_sse *sse);

/* An event. The texts end with a NUL that does not count, and are valid until the next read. */
struct sos_sse_event {
    const char *type; /* "message" if it has none */
    const char *data; /* its lines joined by LF */
    const char *id;   /* the last event id, perhaps of an earlier event; "": none */
    size_t type_size, data_size, id_size;
    int64_t retry_us; /* the reconnection time the server has set; -1: none yet */
};

/*
 * Waits for the next event. Ends in 0 and *event is set. It connects again as often as it takes, and
 * so ends in an error only when that is of no use: SOS_EEOF: the server answered 204, or, with
 * `once`, ended the stream; SOS_ESERVER: it answered with a status that is neither 200 nor one that
 * passes (429, 500, 502, 503, 504); SOS_EPROTO: with another type, or broke HTTP; SOS_ELIMIT: an event
 * or a line is too long; SOS_ETIMEDOUT: as many attempts as there may be have failed; SOS_EBUSY:
 * another task reads; SOS_ENOMEM; SOS_EINTR: woken; with `once` what has ended the connection. All but
 * SOS_EBUSY, SOS_ENOMEM and SOS_EINTR stay. Canceled, or one of these: nothing is lost.
 */
SOS_MUST_USE sos_op sos_sse_read(sos_task *task, sos_sse *sse, struct sos_sse_event *event);

/* Connects again at once, if it is waiting to: the network has come back. */
void sos_sse_hurry(sos_sse *sse);

#ifdef __cplusplus
}
#endif
#endif
