/* SPDX-License-Identifier: MIT */
/*
 * Requests: a loop over hops, which are redirects, and repetitions on a fresh connection. Each hop is
 * one exchange on one connection.
 */
#include <string.h>

#include "client/http_internal.h"
#include "core/internal.h"
#include "net/internal.h"

enum { WITH_HEAD_MOST = 16384 }; /* a larger body is sent by a task of its own */

struct http_request {
    sos_frame frame;
    struct sos_http_user_ user;
    sos_http *http;
    struct sos_http_response *response;
    struct sos_http_connection_ *connection;
    struct sos_http_origin_ *asked; /* the server that the request named */
    struct sos_http_hop_ hop;
    struct sos_http_outgoing_ outgoing;
    char *encoded;
    size_t encoded_size;
    uint64_t limit; /* of the body; 0: none */
    unsigned hops;  /* redirects so far */
    bool fresh;     /* only on a connection that nobody has used before */
    bool has_permit;
    int status;
    struct sos_http_request request;
};

/* ---- One exchange */

struct http_exchange {
    sos_frame frame;
    struct http_request *of;
    struct sos_http_connection_ *connection;
    struct sos_scope scope;
    struct sos_http_sending_ sending;
    bool has_sender;
    int status;
};

static sos_stream *stream_of(const struct http_exchange *self)
{
    return self->connection->stream;
}

/* Whether the body goes with the head, in one call. */
static bool goes_with_head(const struct http_request *of)
{
    return !of->outgoing.is_streamed && !of->request.expect_continue &&
           of->outgoing.body.length <= WITH_HEAD_MOST;
}

static sos_op send_first(sos_task *task, struct http_exchange *self)
{
    const struct sos_slice_ body = self->of->outgoing.body;
    if (!self->of->outgoing.has_body || !goes_with_head(self->of) || body.length == 0)
        return sos_stream_flush(task, stream_of(self));
    return sos_stream_write(task, stream_of(self), body.at, body.length);
}

static int begin_exchange(sos_task *task, struct http_exchange *self)
{
    struct http_request *of = self->of;
    struct sos_http_connection_ *connection = self->connection;
    connection->streams = of->request.stream;
    connection->compressible = of->http->asks_compressed;
    connection->unsent = true;
    connection->begun = false;
    connection->interim = 0;
    return sos_http_put_head_(task, connection, &of->outgoing, &of->response->why);
}

/* The rest of the request is sent by a child, so that an early answer is heard. */
static void begin_sender(sos_task *task, struct http_exchange *self)
{
    struct http_request *of = self->of;
    self->sending = (struct sos_http_sending_){
        .stream = stream_of(self),
        .body = of->outgoing.body,
        .source = of->outgoing.is_streamed ? &of->request.body : NULL,
        .waiter = sos_self(task),
        .waits = of->request.expect_continue,
    };
    sos_event_init(&self->sending.go, "100 Continue");
    sos_scope_open(task, &self->scope);
    sos_handle sender = async_spawn(sos_http_send_body_, sos_opt(.name = "http body"),
                                    .sending = &self->sending);
    self->has_sender = true;
    if (sender.pid < 0)
        self->sending.status = sender.pid;
}

/* What to make of the end of reading. */
static int lost(const struct http_exchange *self, int status)
{
    if (self->of->http->closed)
        return SOS_ECANCELED;
    return self->sending.status != SOS_OK ? self->sending.status : status;
}

static int head_step(struct http_exchange *self)
{
    struct http_request *of = self->of;
    int status = lost(self, SOS_OK);
    if (status != SOS_OK)
        return status;
    status = sos_http_take_head_(self->connection, of->outgoing.method, of->limit, of->response);
    while (status == 2) {
        if (self->has_sender)
            sos_event_set(&self->sending.go);
        status = sos_http_take_head_(self->connection, of->outgoing.method, of->limit,
                                     of->response);
    }
    return status;
}

/* Who wakes this task finds it runnable perhaps, so every step looks whether it is to go on. */
static int body_step(struct http_exchange *self)
{
    int status = lost(self, SOS_OK);
    return status != SOS_OK ? status : sos_http_gather_(self->connection, self->of->response);
}

static sos_op more_of_body(sos_task *task, struct http_exchange *self)
{
    sos_stream *stream = stream_of(self);
    if (self->connection->waits_direct)
        return sos_stream_wait_(task, stream);
    return sos_stream_more(task, stream);
}

/* Who reads the answer in portions gets to it when the body is sent, unless that is of no use. */
static bool sends_on(const struct http_exchange *self)
{
    enum { REDIRECTION = 300 };
    return self->of->request.stream && self->has_sender && self->connection->keeps &&
           self->of->response->status < REDIRECTION;
}

static void end_exchange(sos_task *task, struct http_exchange *self)
{
    struct sos_http_connection_ *connection = self->connection;
    if (self->has_sender) {
        connection->unsent = !self->sending.done;
        sos_scope_clear(task, &self->scope);
    } else {
        connection->unsent = sos_stream_unsent(connection->stream) != 0 ||
                             sos_stream_error(connection->stream) != 0;
    }
}

static async_fn(http_exchange)
{
    async_begin(http_exchange);
    self->status = begin_exchange(task, self);
    if (self->status != SOS_OK)
        async_return(self->status);
    await(send_first(task, self));
    if (sos_status(task) < 0 && sos_status(task) != SOS_EPIPE && sos_status(task) != SOS_ECONNRESET)
        async_return(lost(self, sos_status(task)));
    if (self->of->outgoing.has_body && !goes_with_head(self->of))
        begin_sender(task, self);
    while ((self->status = head_step(self)) == SOS_PARTIAL_) {
        await(sos_stream_more(task, stream_of(self)));
        if (sos_status(task) < 0)
            async_return(lost(self, sos_status(task)));
    }
    if (self->status >= 0 && sends_on(self)) {
        await(sos_scope_join(task, &self->scope));
        self->status = lost(self, sos_status(task));
    }
    if (self->status < 0 || self->of->request.stream)
        async_return(self->status);
    while ((self->status = body_step(self)) == SOS_PARTIAL_) {
        await(more_of_body(task, self));
        if (sos_status(task) >= 0)
            continue;
        self->status = sos_http_body_ended_(self->connection, sos_status(task), self->of->response);
        break;
    }
    if (self->status < 0 && self->of->http->closed)
        async_return(SOS_ECANCELED);
    async_return(self->status < 0 ? self->status : SOS_OK);
    async_finally;
    end_exchange(task, self);
    async_end;
}

/* ---- A request */

static bool is_idempotent(struct sos_slice_ method)
{
    static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (sos_slice_is_(method, methods[i]))
            return true;
    }
    return false;
}

static bool may_repeat(const struct http_request *self)
{
    return is_idempotent(self->outgoing.method) && !self->outgoing.is_streamed;
}

static int begin_request(sos_task *task, struct http_request *self)
{
    sos_http *http = self->http;
    const struct sos_http_request *request = &self->request;
    if (http->closed)
        return SOS_ECANCELED;
    sos_http_enter_(http, &self->user, task);
    self->limit = request->max_response_size;
    if (self->limit == 0 && !request->stream)
        self->limit = http->max_response_size;
    if (self->limit == SOS_NONE)
        self->limit = 0;
    self->outgoing.request = request;
    self->outgoing.hop = &self->hop;
    int status = sos_http_encode_body_(http, &request->body, &self->outgoing, &self->encoded,
                                       &self->encoded_size, &self->response->why);
    if (status != SOS_OK)
        return status;
    const char *standard = self->outgoing.has_body ? "POST" : "GET";
    self->outgoing.method = sos_slice_text_(request->method != NULL ? request->method : standard);
    if (sos_slice_is_(self->outgoing.method, "CONNECT")) {
        self->response->why = "CONNECT is for proxies, which are named in the options";
        return SOS_EINVAL;
    }
    status = sos_http_hop_first_(http, request, &self->hop, &self->response->why);
    if (status == SOS_OK) {
        self->asked = self->hop.origin;
        self->asked->count++;
        if (http->base == NULL)
            sos_http_pool_name_(self->asked);
    }
    return status;
}

static void end_request(struct http_request *self)
{
    sos_http *http = self->http;
    sos_http_pool_drop_(self->connection);
    if (self->user.next == NULL)
        return;
    sos_http_hop_end_(&self->hop);
    sos_http_origin_leave_(self->asked);
    if (self->encoded != NULL)
        sos_memory_give(http->os, self->encoded, self->encoded_size);
    if (self->has_permit)
        sos_semaphore_give(&http->permits);
    sos_http_exit_(http, &self->user);
}

static sos_op take_permit(sos_task *task, struct http_request *self)
{
    if (self->http->max_connections == 0)
        return sos_complete(task, SOS_OK);
    return sos_semaphore_take(task, &self->http->permits);
}

static sos_op take_connection(sos_task *task, struct http_request *self)
{
    struct sos_http_outgoing_ *outgoing = &self->outgoing;
    const struct sos_http_origin_ *base = self->http->base;
    if (self->http->closed)
        return sos_complete(task, SOS_ECANCELED);
    outgoing->request_trusts = self->hop.origin == self->asked;
    outgoing->client_trusts = self->hop.origin == (base != NULL ? base : self->asked);
    if (!self->fresh)
        self->connection = sos_http_pool_take_(self->hop.origin);
    if (self->connection != NULL)
        return sos_complete(task, SOS_OK);
    return sos_http_connect_(task, self->hop.origin, &self->connection, self->response);
}

static sos_op exchange(sos_task *task, struct http_request *self)
{
    return async_call(http_exchange, .of = self, .connection = self->connection);
}

/* The Location to follow; NULL: the answer is the last one. */
static const char *location_of(const struct http_request *self)
{
    int status = self->response->status;
    bool moves = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!moves || self->http->max_redirects == SOS_NONE)
        return NULL;
    bool keeps_body = status == 307 || status == 308 ||
                      (status != 303 && !sos_slice_is_(self->outgoing.method, "POST"));
    if (keeps_body && self->outgoing.is_streamed)
        return NULL; /* it cannot be sent again */
    return sos_http_header(self->response, "Location");
}

/* RFC 9110, 15.4 */
static void change_method(struct http_request *self)
{
    int status = self->response->status;
    struct sos_http_outgoing_ *outgoing = &self->outgoing;
    bool was_post = sos_slice_is_(outgoing->method, "POST");
    bool to_get = status == 303 ? !sos_slice_is_(outgoing->method, "HEAD")
                                : was_post && (status == 301 || status == 302);
    if (!to_get)
        return;
    outgoing->method = sos_slice_text_("GET");
    outgoing->has_body = outgoing->is_streamed = false;
    outgoing->body = sos_slice_("", 0);
    outgoing->body_dropped = true;
}

static int follow(struct http_request *self, const char *location)
{
    struct sos_http_response *response = self->response;
    if (self->hops == self->http->max_redirects) {
        response->why = "more redirects than the limit";
        return SOS_ELIMIT;
    }
    int status = sos_http_hop_next_(&self->hop, location, &response->why);
    if (status != SOS_OK)
        return status;
    change_method(self);
    sos_http_response_free(response);
    response->redirects = ++self->hops;
    self->fresh = false;
    return SOS_EAGAIN;
}

/* After a hop: SOS_EAGAIN for another one, else in what the request ends. */
static int settle(sos_task *task, struct http_request *self, int status)
{
    struct sos_http_connection_ *connection = self->connection;
    struct sos_http_response *response = self->response;
    self->connection = NULL;
    if (status < 0) {
        if (self->http->closed)
            status = SOS_ECANCELED;
        bool gone = status == SOS_EEOF || status == SOS_ECONNRESET || status == SOS_EPIPE ||
                    status == SOS_ETLS;
        if (status == SOS_ETLS)
            response->why = sos_http_tls_why_(self->http, connection);
        bool again = gone && connection != NULL && connection->reused && !connection->begun &&
                     may_repeat(self) && !self->fresh;
        sos_http_pool_drop_(connection);
        self->fresh = again;
        return again ? SOS_EAGAIN : status;
    }
    const char *location = location_of(self);
    if (connection->streams && location == NULL) {
        response->connection = connection;
        return SOS_OK;
    }
    if (connection->streams) /* its body is of no interest */
        sos_http_pool_drop_(connection);
    else
        sos_http_pool_give_(task, connection);
    return location != NULL ? follow(self, location) : SOS_OK;
}

static int begin_hops(struct http_request *self, int status)
{
    self->has_permit = status >= 0 && self->http->max_connections != 0;
    if (self->http->closed)
        return SOS_ECANCELED;
    return status < 0 ? status : SOS_EAGAIN;
}

static async_fn(http_request)
{
    async_begin(http_request);
    self->status = begin_request(task, self);
    if (self->status == SOS_OK) {
        await(take_permit(task, self));
        self->status = begin_hops(self, sos_status(task));
    }
    while (self->status == SOS_EAGAIN) {
        await(take_connection(task, self));
        if (sos_status(task) >= 0)
            await(exchange(task, self));
        self->status = settle(task, self, sos_status(task));
    }
    async_return(self->status);
    async_finally;
    end_request(self);
    async_end;
}

sos_op sos_http_send(sos_task *task, sos_http *http, const struct sos_http_request *request,
                     struct sos_http_response *response)
{
    if (http == NULL || request == NULL || response == NULL)
        return sos_complete(task, SOS_EINVAL);
    sos_http_response_free(response);
    return async_call(http_request, .http = http, .response = response, .request = *request);
}
