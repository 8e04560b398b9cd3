/* SPDX-License-Identifier: MIT */
/* Connections: made, through a proxy if need be; idle, for a while; closed. */
#include <string.h>

#include "client/http_internal.h"
#include "core/internal.h"
#include "net/internal.h"

/* ---- Idle ones: each server has a list, the one that was used last in front */

static void take_out(struct sos_http_connection_ *connection)
{
    struct sos_http_origin_ *origin = connection->origin;
    if (connection->newer != NULL)
        connection->newer->older = connection->older;
    else
        origin->newest = connection->older;
    if (connection->older != NULL)
        connection->older->newer = connection->newer;
    else
        origin->oldest = connection->newer;
    connection->newer = connection->older = NULL;
    origin->http->idle--;
}

static void put_in(struct sos_http_connection_ *connection)
{
    struct sos_http_origin_ *origin = connection->origin;
    connection->newer = NULL;
    connection->older = origin->newest;
    if (origin->newest != NULL)
        origin->newest->newer = connection;
    else
        origin->oldest = connection;
    origin->newest = connection;
    origin->http->idle++;
}

void sos_http_pool_drop_(struct sos_http_connection_ *connection)
{
    if (connection == NULL)
        return;
    struct sos_http_origin_ *origin = connection->origin;
    sos *os = origin->http->os;
    sos_inflate_free_(connection->inflate);
    sos_memory_give(os, connection->parser,
                    connection->parser != NULL ? sizeof *connection->parser : 0);
    sos_stream_close(connection->stream);
    sos_memory_give(os, connection, sizeof *connection);
    sos_http_origin_leave_(origin);
}

static void close_idle(struct sos_http_connection_ *connection)
{
    take_out(connection);
    sos_http_pool_drop_(connection);
}

void sos_http_pool_name_(struct sos_http_origin_ *origin)
{
    while (origin->secure && !origin->named && origin->newest != NULL)
        close_idle(origin->newest);
    origin->named = true;
}

static struct sos_http_connection_ *longest_idle(const sos_http *http)
{
    struct sos_http_connection_ *found = NULL;
    for (const struct sos_http_origin_ *origin = http->origins; origin != NULL;
         origin = origin->next) {
        if (origin->oldest != NULL &&
            (found == NULL || origin->oldest->idle_since < found->idle_since))
            found = origin->oldest;
    }
    return found;
}

void sos_http_pool_close_idle_(sos_http *http)
{
    struct sos_http_connection_ *connection;
    while ((connection = longest_idle(http)) != NULL)
        close_idle(connection);
}

/* ---- The sweeper: a task while something is idle */

struct http_sweeper {
    sos_frame frame;
    sos_http *http;
    int64_t left;
};

/* Closes what has been idle for too long: how long until the next one is, or -1: nothing is idle. */
static int64_t sweep(sos_http *http)
{
    uint64_t now = sos_now(http->os);
    struct sos_http_connection_ *connection;
    while ((connection = longest_idle(http)) != NULL) {
        uint64_t due = connection->idle_since + (uint64_t)http->idle_us;
        if (due > now)
            return (int64_t)(due - now);
        close_idle(connection);
    }
    return -1;
}

static async_fn(http_sweeper)
{
    async_begin(http_sweeper);
    self->http->count++;
    while ((self->left = sweep(self->http)) >= 0)
        await(sos_sleep(task, self->left));
    async_finally;
    self->http->sweeps = false;
    sos_http_leave_(self->http);
    async_end;
}

static void begin_to_sweep(sos_task *task, sos_http *http)
{
    if (http->sweeps)
        return;
    http->sweeper = sos_fork(
        http->os, http_sweeper,
        sos_opt(.priority = sos_effective_priority(task), .watcher = true, .detached = true),
        .http = http);
    http->sweeps = http->sweeper.pid >= 0;
}

/* ---- Taking and giving */

/*
 * Nothing may come on an idle connection: neither an end nor an answer that nobody asked for, which
 * would become that to the next request. So one call looks before each of them.
 */
static bool is_quiet(struct sos_http_connection_ *connection)
{
    char byte;
    return sos_stream_read_now_(connection->stream, &byte, 1) == SOS_EAGAIN;
}

struct sos_http_connection_ *sos_http_pool_take_(struct sos_http_origin_ *origin)
{
    struct sos_http_connection_ *connection;
    while ((connection = origin->newest) != NULL) {
        if (is_quiet(connection)) {
            take_out(connection);
            return connection;
        }
        close_idle(connection);
    }
    return NULL;
}

void sos_http_pool_give_(sos_task *task, struct sos_http_connection_ *connection)
{
    sos_http *http = connection->origin->http;
    size_t surplus;
    sos_stream_data(connection->stream, &surplus);
    if (!connection->keeps || connection->unsent || surplus != 0 || http->closed ||
        http->max_idle == 0) {
        sos_http_pool_drop_(connection);
        return;
    }
    if (http->idle == http->max_idle)
        close_idle(longest_idle(http));
    connection->reused = true;
    connection->begun = connection->answered = false;
    connection->idle_since = sos_now(http->os);
    sos_inflate_free_(connection->inflate);
    connection->inflate = NULL;
    put_in(connection);
    begin_to_sweep(task, http);
}

/* ---- Making */

struct http_connect {
    sos_frame frame;
    struct sos_http_origin_ *origin;
    struct sos_http_connection_ **connection;
    struct sos_http_response *response;
    sos_stream *stream;
    struct sos_tls_options tls;
    int status;
};

bool sos_http_proxied_(const struct sos_http_origin_ *origin)
{
    return origin->http->proxy_host.length != 0 && !origin->local;
}

static int adopt(struct http_connect *self)
{
    sos_http *http = self->origin->http;
    if (http->closed)
        return SOS_ECANCELED;
    struct sos_http_connection_ *connection = sos_memory_take(http->os, sizeof *connection);
    if (connection == NULL)
        return SOS_ENOMEM;
    *connection = (struct sos_http_connection_){ .origin = self->origin, .stream = self->stream };
    self->origin->count++;
    self->stream = NULL;
    *self->connection = connection;
    return SOS_OK;
}

/* Who we are, and that the server need not prove who it is, holds for servers that were named. */
static struct sos_tls_options options_for(const struct sos_http_origin_ *origin)
{
    struct sos_tls_options tls = origin->http->tls;
    if (origin->named)
        return tls;
    tls.context = origin->http->foreign;
    tls.server_name = NULL;
    tls.session = NULL;
    tls.insecure = false;
    tls.certificate = tls.key = (struct sos_tls_pem){ .file = NULL };
    return tls;
}

/* The certificates are read once, and a session with the server is gone on with. */
static int prepare_tls(struct http_connect *self)
{
    struct sos_http_origin_ *origin = self->origin;
    sos_http *http = origin->http;
    if (!origin->secure)
        return SOS_OK;
    self->tls = options_for(origin);
    if (self->tls.context == NULL) {
        sos_tls_context **made = origin->named ? &http->tls.context : &http->foreign;
        int status = sos_tls_context_open(http->os, &self->tls, SOS_TLS_CLIENT, made);
        if (status != SOS_OK)
            return status;
        self->tls.context = *made;
    }
    if (origin->session.bytes == NULL) { /* without memory there is none */
        origin->session.bytes = sos_memory_take(http->os, SOS_TLS_SESSION_ROOM);
        origin->session.room = origin->session.bytes != NULL ? SOS_TLS_SESSION_ROOM : 0;
    }
    if (self->tls.session == NULL && origin->session.room != 0)
        self->tls.session = &origin->session;
    return SOS_OK;
}

const char *sos_http_tls_why_(sos_http *http, const struct sos_http_connection_ *connection)
{
    if (connection != NULL && sos_stream_error(connection->stream) == SOS_ETLS)
        sos_tls_tell_(&http->tls, sos_stream_error_text(connection->stream));
    return http->tls.error_text; /* else it has not come to be, and the last words are these */
}

static sos_op reach(sos_task *task, struct http_connect *self)
{
    const struct sos_http_origin_ *origin = self->origin;
    const sos_http *http = origin->http;
    bool proxied = sos_http_proxied_(origin);
    const struct sos_connect_options options = {
        .host = proxied ? http->proxy_host.at : origin->host.at,
        .port = proxied ? http->proxy_port : origin->port,
        .max_buffer_size = SOS_HTTP_BUFFER_MOST_,
        .tls = origin->secure && !proxied ? &self->tls : NULL,
    };
    return sos_connect(task, &options, &self->stream);
}

/* ---- Through a proxy (RFC 9110, 9.3.6) */

static int put_connect(sos_task *task, const struct http_connect *self)
{
    enum { AROUND = 64 };
    const struct sos_http_origin_ *origin = self->origin;
    sos_stream *stream = (*self->connection)->stream;
    size_t room = AROUND + 2 * origin->authority.length + origin->http->proxy_fields.length;
    char *at = sos_stream_room(stream, room);
    if (at == NULL)
        return SOS_ENOMEM;
    struct sos_http_writer_ writer = sos_http_writer_(at, room);
    sos_http_write_request_(&writer, sos_slice_text_("CONNECT"), origin->authority);
    sos_http_write_field_(&writer, sos_slice_text_("Host"), origin->authority);
    sos_sink_put_(&writer.out, origin->http->proxy_fields);
    if (origin->http->proxy_fields.length != 0)
        sos_http_report_clear_(task, *self->connection);
    int length = sos_http_write_end_(&writer);
    return length < 0 ? length : sos_stream_put(stream, NULL, (size_t)length);
}

/* SOS_PARTIAL_, 1: the way is free, or an error. */
static int tunnel_step(struct http_connect *self)
{
    struct sos_http_connection_ *connection = *self->connection;
    struct sos_http_response *response = self->response;
    size_t surplus;
    int status;
    if (self->origin->http->closed)
        return SOS_ECANCELED;
    while ((status = sos_http_take_head_(connection, sos_slice_text_("CONNECT"), 0, response)) == 2)
        ; /* 100 */
    if (status != 1)
        return status;
    if (!response->ok)
        return SOS_ESERVER;
    unsigned redirects = response->redirects;
    sos_http_response_free(response);
    response->redirects = redirects;
    sos_stream_data(connection->stream, &surplus);
    if (surplus == 0)
        return 1;
    response->why = "the proxy speaks before the server can";
    return SOS_EPROTO;
}

static async_fn(http_connect)
{
    async_begin(http_connect);
    self->status = prepare_tls(self);
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(reach(task, self));
    self->status = adopt(self);
    if (self->status != SOS_OK || !self->origin->secure || !sos_http_proxied_(self->origin))
        async_return(self->status);
    self->status = put_connect(task, self);
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(sos_stream_flush(task, (*self->connection)->stream));
    while ((self->status = tunnel_step(self)) == SOS_PARTIAL_)
        try_await(sos_stream_more(task, (*self->connection)->stream));
    if (self->status < 0)
        async_return(self->status);
    try_await(sos_tls_client(task, (*self->connection)->stream, &self->tls, self->origin->host.at,
                             &self->stream));
    (*self->connection)->stream = self->stream;
    self->stream = NULL;
    async_return(SOS_OK);
    async_finally;
    if (self->stream != NULL && *self->connection != NULL)
        (*self->connection)->stream = NULL; /* which is the lower one, and owned by this one */
    sos_stream_close(self->stream);
    async_end;
}

sos_op sos_http_connect_(sos_task *task, struct sos_http_origin_ *origin,
                         struct sos_http_connection_ **connection,
                         struct sos_http_response *response)
{
    return async_call(http_connect, .origin = origin, .connection = connection,
                      .response = response);
}
