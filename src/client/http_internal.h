/* SPDX-License-Identifier: MIT */
/*
 * What the files of the HTTP client share: the client, the servers it knows, its connections.
 *
 *     http.c           requests: redirects, repetition, one exchange
 *     http_methods.c   the common requests in short
 *     http_client.c    the client, made from its options
 *     http_origin.c    URLs: which server, and which target
 *     http_pool.c      connections: made, idle, closed
 *     http_send.c      the head of a request, and its body
 *     http_receive.c   the head and the body of an answer
 *     http_read.c      a body read in portions
 *     http_response.c  the memory of an answer, and views of it
 */
#ifndef SMALLOS_CLIENT_HTTP_INTERNAL_H
#define SMALLOS_CLIENT_HTTP_INTERNAL_H

#include "client/inflate.h"
#include "proto/http.h"
#include "proto/url.h"
#include "smallos/async.h"
#include "smallos/http.h"
#include "smallos/stream.h"
#include "smallos/sync.h"
#include "smallos/tls.h"

enum {
    SOS_HTTP_FIELDS_MOST_ = 128,    /* of an answer */
    SOS_HTTP_BUFFER_MOST_ = 131072, /* of a stream: a head, and what comes with it */
    SOS_HTTP_AT_ONCE_ = 262144      /* bytes of a body read, or room made, before more have come */
};

/* ---- The client */

/* A default field; `secret`: only for the server that was asked. */
struct sos_http_default_ {
    struct sos_slice_ name, value;
    bool secret;
};

/* A request under way, or a reading. */
struct sos_http_user_ {
    struct sos_http_user_ *prev, *next;
    sos_handle task;
};

struct sos_http_origin_;
struct sos_http_connection_;

struct sos_http {
    sos *os;
    struct sos_http_origin_ *base;    /* NULL: none */
    struct sos_slice_ base_url;       /* whole, to resolve against */
    struct sos_http_origin_ *origins; /* all of them */
    struct sos_tls_options tls; /* with a context, once there has been a connection with TLS */
    bool shares_tls;            /* the context is the caller's */
    sos_tls_context *foreign;   /* for servers that were not named */
    char tls_text[SOS_TLS_TEXT];
    struct sos_http_user_ users; /* circular */
    struct sos_semaphore permits;

    struct sos_http_default_ *defaults; /* in one block with all texts of the client */
    size_t default_count, block_size;
    struct sos_slice_ open_fields, secret_fields; /* the defaults as they are sent */
    struct sos_slice_ host_field;                 /* instead of the base's; or empty */
    struct sos_slice_ content_type;             /* a text: of bodies without their own; or empty */
    struct sos_slice_ proxy_host, proxy_fields; /* no host: no proxy */
    uint16_t proxy_port;

    uint32_t max_response_size; /* UINT32_MAX: no limit */
    uint32_t max_redirects, max_idle, max_connections;
    uint32_t idle; /* connections */
    int64_t idle_us;
    sos_handle sweeper; /* closes what has been idle for too long; runs while something is idle */
    bool sweeps;
    bool asks_compressed;
    bool closed;    /* its memory goes with the last reference */
    uint32_t count; /* of references: the owner, requests, origins */
};

void sos_http_leave_(sos_http *http);

/* Its task is woken when the client is closed. */
void sos_http_enter_(sos_http *http, struct sos_http_user_ *user, sos_task *task);
void sos_http_exit_(sos_http *http, struct sos_http_user_ *user);

/* ---- Servers */

/* Scheme, host and port. Exists while something refers to it. */
struct sos_http_origin_ {
    struct sos_http_origin_ *next;
    sos_http *http;
    uint32_t count; /* of references */
    bool secure, local;
    bool named; /* as the base, or without one by a request: not only redirects lead there */
    uint16_t port;
    struct sos_slice_ host;      /* ended by a NUL */
    struct sos_slice_ prefix;    /* "http://host:port" */
    struct sos_slice_ authority; /* host:port, always with the port */
    struct sos_slice_
        host_field; /* "Host: host:port\r\n", without the port if it is the scheme's */
    struct sos_http_connection_ *newest, *oldest; /* idle ones */
    struct sos_tls_session session; /* with TLS: of the last connection, to be resumed */
    size_t size;                    /* of this block */
};

/* Finds or makes it, with one reference more. NULL: no memory. */
struct sos_http_origin_ *sos_http_origin_of_(sos_http *http, const struct sos_url_ *url);

/* For "unix:/path", which no URL of HTTP can name. */
struct sos_http_origin_ *sos_http_origin_local_(sos_http *http, struct sos_slice_ path);
void sos_http_origin_leave_(struct sos_http_origin_ *origin); /* NULL is fine */

/* Where a request goes. Zero at first. */
struct sos_http_hop_ {
    sos_http *http;
    struct sos_http_origin_ *origin;
    struct sos_slice_ target; /* from its / on; in `memory`, or the caller's text */
    struct sos_slice_ login;  /* "Authorization: ...\r\n" from the URL; in `memory` */
    char *memory;
    size_t memory_size;
};

/* The first one, from a request. 0; SOS_EINVAL: *why; SOS_ENOMEM. */
int sos_http_hop_first_(sos_http *http, const struct sos_http_request *request,
                        struct sos_http_hop_ *hop, const char **why);

/* The next one, as Location says. 0; SOS_EPROTO: *why; SOS_ENOMEM. */
int sos_http_hop_next_(struct sos_http_hop_ *hop, const char *location, const char **why);
void sos_http_hop_end_(struct sos_http_hop_ *hop);

/* The same for those of a URL, decoded; SOS_EINVAL: they cannot be sent. */
int sos_http_write_url_login_(char *to, size_t size, const char *name, const struct sos_url_ *url);

/* "Basic ..." for user and password, behind `name`; bytes written, or SOS_ELIMIT. */
int sos_http_write_login_(char *to, size_t size, const char *name, struct sos_slice_ user,
                          struct sos_slice_ password);

/* ---- Connections */

struct sos_http_parser_ {
    struct sos_http_head_ head;
    struct sos_http_field_ fields[SOS_HTTP_FIELDS_MOST_];
};

/*
 *     idle (in the list of its origin) <-> in use (of a request, then perhaps of a response)
 */
struct sos_http_connection_ {
    struct sos_http_connection_ *newer, *older; /* while it is idle */
    struct sos_http_origin_ *origin;
    sos_stream *stream;
    uint64_t idle_since;
    bool reused;   /* has answered before: the server may have closed it */
    bool reported; /* that it carries credentials in the clear */

    /* The answer under way */
    bool compressible;               /* it was asked for compressed */
    bool streams;                    /* its body is read by sos_http_read */
    bool begun;                      /* something of it has come */
    bool answered;                   /* its final head is there */
    bool keeps;                      /* more requests may follow */
    bool unsent;                     /* not all of the request has gone out */
    bool inflating;                  /* there may be more output without more input */
    unsigned interim;                /* answers 1xx so far */
    struct sos_http_parser_ *parser; /* of a head that came in portions */
    struct sos_http_body_ body;
    struct sos_inflate_ *inflate;
    struct sos_slice_ pending; /* cut out of the stream's data, not handed out yet */
    bool waits_direct;         /* reading past the stream's buffer found nothing */
    size_t held;               /* bytes of the stream's data to be taken when it is */
};

/* An idle one that is still good, or NULL. */
struct sos_http_connection_ *sos_http_pool_take_(struct sos_http_origin_ *origin);

/* Its answer is over: it becomes idle, or is closed. */
void sos_http_pool_give_(sos_task *task, struct sos_http_connection_ *connection);
void sos_http_pool_drop_(struct sos_http_connection_ *connection); /* NULL is fine */
void sos_http_pool_close_idle_(sos_http *http);

/* The caller names the server: all of its options of TLS are for it. */
void sos_http_pool_name_(struct sos_http_origin_ *origin);

/* Why TLS failed, also if other connections have failed since. `connection` may be NULL. */
const char *sos_http_tls_why_(sos_http *http, const struct sos_http_connection_ *connection);

/* Whether a proxy stands between. */
bool sos_http_proxied_(const struct sos_http_origin_ *origin);

/*
 * Makes one: ends in 0 and *connection is set; or in an error, and *connection may be set all the
 * same: drop it. SOS_ESERVER: a proxy refused, its answer is the response.
 */
SOS_MUST_USE sos_op sos_http_connect_(sos_task *task, struct sos_http_origin_ *origin,
                                      struct sos_http_connection_ **connection,
                                      struct sos_http_response *response);

/* ---- Sending */

struct sos_http_outgoing_ {
    struct sos_slice_ method;
    const struct sos_http_request *request;
    const struct sos_http_hop_ *hop;
    struct sos_slice_ body; /* if there is one and no source gives it */
    const char *content_type;
    bool has_body;
    bool is_streamed;    /* by a source */
    bool body_dropped;   /* a redirect has made a GET of it */
    bool client_trusts;  /* the client's credentials may go there */
    bool request_trusts; /* those of the request */
};

/* Puts the head into the output buffer. 0; SOS_EINVAL: *why; SOS_ELIMIT, SOS_ENOMEM; the stream's. */
int sos_http_put_head_(sos_task *task, struct sos_http_connection_ *connection,
                       const struct sos_http_outgoing_ *outgoing, const char **why);

/* What goes with the head as it is: the body in memory, encoded first if need be, to be freed by
 * `encoded_size`. 0; SOS_EINVAL: *why; SOS_ENOMEM. */
int sos_http_encode_body_(sos_http *http, const struct sos_http_body *body,
                          struct sos_http_outgoing_ *outgoing, char **encoded, size_t *encoded_size,
                          const char **why);

bool sos_http_is_secret_(struct sos_slice_ name);

/* How a message is delimited is not the caller's to say. */
bool sos_http_is_ours_(struct sos_slice_ name);

/* That the connection carries credentials in the clear, once. */
void sos_http_report_clear_(sos_task *task, struct sos_http_connection_ *connection);

/* Body that is not sent with the head: by a task of its own, so that an early answer is heard. */
struct sos_http_sending_ {
    sos_stream *stream;
    struct sos_slice_ body;
    const struct sos_http_body *source; /* NULL: `body` */
    sos_handle waiter;                  /* the task of the request, woken if the sending fails */
    struct sos_event go;                /* `waits`: until then */
    bool waits, done;
    int status; /* why the request ends, without the server's doing */
};
async_fn(sos_http_send_body_);
struct sos_http_send_body_ {
    sos_frame frame;
    struct sos_http_sending_ *sending;
    char *bytes;
    uint64_t left; /* of what the source is to give */
    int got, status;
};

/* ---- Receiving */

/*
 * Looks at what has come. SOS_PARTIAL_; 1: the final head is there, in response; 2: it was 100
 * (Continue); or an error.
 */
int sos_http_take_head_(struct sos_http_connection_ *connection, struct sos_slice_ method,
                        uint64_t limit, struct sos_http_response *response);

/* Up to `room` bytes of the body: SOS_PARTIAL_: more must come; SOS_HTTP_DATA_: the room is full;
 * SOS_HTTP_END_: that was all, *made may be more than 0 all the same; or an error. */
int sos_http_take_body_(struct sos_http_connection_ *connection, char *to, size_t room,
                        size_t *made, struct sos_http_response *response);

/* All that has come, into the response: SOS_PARTIAL_, SOS_HTTP_END_ or an error. */
int sos_http_gather_(struct sos_http_connection_ *connection, struct sos_http_response *response);

/* The stream has ended in `status`, an error. SOS_HTTP_END_ if the body is over with it. */
int sos_http_body_ended_(struct sos_http_connection_ *connection, int status,
                         struct sos_http_response *response);

/* ---- The memory of an answer */

/* Head and room for `expected` bytes of a body. 0 or SOS_ENOMEM. */
int sos_http_response_begin_(struct sos_http_response *response, sos *os,
                             const struct sos_http_head_ *head, const char *bytes,
                             uint64_t expected);

/* Room for more of the body, at least one byte of `most`: where to write, how much; NULL: no memory. */
char *sos_http_response_room_(struct sos_http_response *response, uint64_t most, size_t *room);

/* So many bytes have been written there. */
void sos_http_response_add_(struct sos_http_response *response, size_t size);

#endif
