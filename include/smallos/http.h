/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 client (RFC 9110, RFC 9112). One object serves any number of tasks and any number of
 * servers:
 *
 *     await(sos_http_get(task, http, "/api/items", &self->response));
 *     if (sos_status(task) == SOS_OK && self->response.ok)
 *         use(self->response.body, self->response.body_size);
 *     sos_http_response_free(&self->response);
 *
 * How it works. A request takes an idle connection to its server, or makes one; its head is written
 * into the output buffer of the connection's stream and leaves with the body in one call, and the
 * answer is read where it lies and copied once, into one block of memory, which is the response's.
 * Then the connection is idle again, until somebody wants it, the server has closed it, or it has
 * been idle for `idle_us`. No task belongs to a connection. A request that finds its connection
 * closed by the server before any of the answer came is sent once more on a fresh one, if its method
 * is idempotent and its body can be read again.
 *
 * Any status is an answer: 404 ends in 0 with `ok` false. Redirects are followed; credentials (user
 * and password, bearer, and fields Authorization, Cookie and Proxy-Authorization) go to the server
 * that the request named, and to no other that a redirect leads to. A redirect to another scheme or
 * port is to another server.
 *
 * All functions are for the runtime's thread; those that return sos_op for tasks. There is no time
 * limit but those of sos_within.
 */
#ifndef SMALLOS_HTTP_H
#define SMALLOS_HTTP_H

#include "smallos/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

struct json_t; /* jansson's */
struct sos_tls_options;

typedef struct sos_http sos_http;

/* A header field, a query parameter, or a field of a form. */
struct sos_http_field {
    const char *name, *value;
};

/* For the value of a parameter. */
static inline const char *sos_http_bool(bool value)
{
    return value ? "true" : "false";
}

/* ---- The client */

/* Zero means default in every field. All of it is copied, but what `tls` points to must outlive the
 * client. */
struct sos_http_options {
    /* What requests are relative to, with user and password if need be: "https://me:pw@host/api/".
     * Or else host and port: http, with `tls` https. Or nothing: requests name whole URLs. */
    const char *url;
    const char *host; /* a name, an address, or "unix:/path", which has no TLS */
    uint16_t port;    /* default 80, or 443 */

    /* Of https; NULL: defaults. Certificate, key, server_name, session, context and `insecure` are for
     * the base alone; without one, for what requests name, not for what redirects lead to. */
    const struct sos_tls_options *tls;
    const char *proxy;                 /* "http://user:password@host:port" */
    const char *user, *password;       /* basic authentication (RFC 7617) */
    const char *bearer;                /* a bearer token (RFC 6750) */

    const struct sos_http_field *headers; /* of every request that does not have them itself */
    size_t header_count;

    uint32_t max_response_size; /* bytes of a body, decompressed; default client_defaults.http */
    uint32_t max_redirects;     /* default 10; SOS_NONE: they are not followed */
    uint32_t max_idle;          /* idle connections kept in all; default 100; SOS_NONE: none */
    uint32_t max_connections;   /* requests under way at a time, others wait; default: no limit */
    int64_t idle_us;            /* for how long they are kept; default 30 s */
    bool no_compression;        /* do not ask for gzip and deflate */
};

/*
 * 0 and *http is set; SOS_EINVAL: a URL, or a header's name or value (CR, LF and NUL are in none);
 * SOS_ENOMEM.
 */
int sos_http_open(sos *os, const struct sos_http_options *options, sos_http **http);

/* Closes it with all its connections; requests under way end in SOS_ECANCELED. Responses stay, but
 * those being read end in SOS_ECANCELED too. NULL is fine. Also from async_finally. */
void sos_http_close(sos_http *http);

/* ---- Requests */

/*
 * Gives the next bytes of a body: writes up to `room` and ends in how many, 0: that was all, or an
 * error, in which the request then ends. Runs in a task that belongs to the request.
 */
typedef sos_op (*sos_http_source)(sos_task *task, void *context, void *bytes, size_t room);

/* At most one of these; none: no body. */
struct sos_http_body {
    const void *bytes;
    size_t size;      /* of bytes; of what the source gives, 0: it is sent in chunks */
    const char *text; /* "text/plain; charset=utf-8" */
    const struct sos_http_field *form; /* "application/x-www-form-urlencoded" */
    size_t form_count;
    const struct json_t *json; /* "application/json" */
    sos_http_source source;
    void *context;
    const char *content_type; /* instead of these; of bytes and a source: default none */
};

/* Zero means default in every field. What is pointed to must live until the operation has ended. */
struct sos_http_request {
    const char *method; /* default GET, with a body POST */
    const char *url;    /* whole, or relative to the client's (RFC 3986, 5); default "/" */
    const struct sos_http_field *query; /* added to it, percent-encoded */
    size_t query_count;
    const struct sos_http_field *headers;
    size_t header_count;
    struct sos_http_body body;
    uint32_t max_response_size; /* default the client's; with `stream` no limit */
    bool expect_continue; /* send the body only when the server says so, or nothing for a second */
    bool stream; /* end with the head, the request being sent (or of no use: the answer is an error,
                  * or the last one); the body is read with sos_http_read */
};

/* Zero before its first use. Its memory belongs to the runtime until it is freed. */
struct sos_http_response {
    int status;                           /* 200 to 999; 0: none came */
    bool ok;                              /* 200 to 299 */
    const char *reason;                   /* perhaps "" */
    const struct sos_http_field *headers; /* as they came, in their order */
    size_t header_count;
    const char *body; /* behind it a NUL that does not count; "" when there is none */
    size_t body_size;
    unsigned redirects; /* that were followed */

    /* After an error, if there is more to say than its text: which rule was broken, and by which byte
     * of what the server sent. Static, or of TLS: good until the client is closed. Else NULL. */
    const char *why;
    uint64_t why_at;

    sos *os; /* private from here on */
    void *block;
    size_t room;
    struct json_t *json;
    struct sos_http_connection_ *connection;
    int ended; /* how the body did that was read in portions */
};

/*
 * Makes a request and reads the answer. Ends in 0, whatever its status; else, beside what sos_connect
 * ends in:
 * SOS_EINVAL     the request cannot be sent: `why`; nothing was
 * SOS_EPROTO     the server broke a rule of HTTP, or what is compressed is broken: `why`
 * SOS_ELIMIT     the answer, its head, or the number of redirects is beyond a limit: `why`
 * SOS_EEOF       the connection ended before the answer was complete; or SOS_ECONNRESET
 * SOS_ESERVER    the proxy refused: response->status is its answer
 * SOS_ENOTSUP    https, where the kernel has no TLS
 * SOS_ECANCELED  the client was closed
 * `response` is freed first if it is not empty. Canceled: the request may have been carried out; its
 * connection is closed.
 */
SOS_MUST_USE sos_op sos_http_send(sos_task *task, sos_http *http,
                                  const struct sos_http_request *request,
                                  struct sos_http_response *response);

/* The same for the common ones. `body` may be NULL. */
SOS_MUST_USE sos_op sos_http_get(sos_task *task, sos_http *http, const char *url,
                                 struct sos_http_response *response);
SOS_MUST_USE sos_op sos_http_delete(sos_task *task, sos_http *http, const char *url,
                                    struct sos_http_response *response);
SOS_MUST_USE sos_op sos_http_post(sos_task *task, sos_http *http, const char *url,
                                  const struct sos_http_body *body,
                                  struct sos_http_response *response);
SOS_MUST_USE sos_op sos_http_put(sos_task *task, sos_http *http, const char *url,
                                 const struct sos_http_body *body,
                                 struct sos_http_response *response);
SOS_MUST_USE sos_op sos_http_patch(sos_task *task, sos_http *http, const char *url,
                                   const struct sos_http_body *body,
                                   struct sos_http_response *response);

/* ---- Responses */

/*
 * Reads the body of a request made with `stream`: 1 to `size` bytes of it, decompressed. Ends in how
 * many, 0: that was all; else as a request. Canceled: nothing of it is lost.
 */
SOS_MUST_USE sos_op sos_http_read(sos_task *task, struct sos_http_response *response, void *bytes,
                                  size_t size);

/* The value of the first field of that name, whatever its case; NULL: there is none. */
const char *sos_http_header(const struct sos_http_response *response, const char *name);

/* The body as a text: UTF-8 (whatever its type says) and without a NUL; NULL: it is not. */
const char *sos_http_text(const struct sos_http_response *response);

/* The body as JSON, read when first asked for and owned by the response; NULL: it is not, or there is
 * no memory. */
struct json_t *sos_http_json(struct sos_http_response *response);

/* Gives all of it back and makes it empty; an empty one is fine. A body that was not read to its end
 * takes its connection with it. */
void sos_http_response_free(struct sos_http_response *response);

#ifdef __cplusplus
}
#endif
#endif
