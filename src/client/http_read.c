/* SPDX-License-Identifier: MIT */
/* Bodies read in portions. */
#include <limits.h>

#include "client/http_internal.h"

struct http_reading {
    sos_frame frame;
    struct sos_http_user_ user;
    sos_http *http;
    struct sos_http_response *response;
    void *bytes;
    size_t size;
    int status;
};

/* The body is over, well or not. */
static int end_stream(sos_task *task, struct sos_http_response *response, int status)
{
    struct sos_http_connection_ *connection = response->connection;
    response->connection = NULL;
    response->ended = status;
    if (status == SOS_OK)
        sos_http_pool_give_(task, connection);
    else
        sos_http_pool_drop_(connection);
    return status;
}

/* How many bytes, 0, SOS_EAGAIN or an error. */
static int read_now(sos_task *task, struct sos_http_response *response, void *bytes, size_t size)
{
    struct sos_http_connection_ *connection = response->connection;
    size_t made;
    if (connection == NULL)
        return response->ended;
    if (connection->origin->http->closed)
        return end_stream(task, response, SOS_ECANCELED);
    int kind = sos_http_take_body_(connection, bytes, size < INT_MAX ? size : INT_MAX, &made,
                                   response);
    if (made != 0)
        return (int)made;
    if (kind == SOS_PARTIAL_)
        return SOS_EAGAIN;
    return end_stream(task, response, kind < 0 ? kind : SOS_OK);
}

/* After waiting for more. */
static int read_again(sos_task *task, struct http_reading *self, int status)
{
    struct sos_http_response *response = self->response;
    if (self->http->closed)
        return end_stream(task, response, SOS_ECANCELED);
    if (status == SOS_EINTR || status == SOS_ENOMEM) /* the connection is as it was */
        return status;
    if (status >= 0)
        return read_now(task, response, self->bytes, self->size);
    if (status == SOS_ETLS)
        response->why = sos_http_tls_why_(self->http, response->connection);
    status = sos_http_body_ended_(response->connection, status, response);
    return end_stream(task, response, status < 0 ? status : SOS_OK);
}

static async_fn(http_reading)
{
    async_begin(http_reading);
    sos_http_enter_(self->http, &self->user, task);
    while (self->status == SOS_EAGAIN) {
        await(sos_stream_more(task, self->response->connection->stream));
        self->status = read_again(task, self, sos_status(task));
    }
    async_return(self->status);
    async_finally;
    sos_http_exit_(self->http, &self->user);
    async_end;
}

sos_op sos_http_read(sos_task *task, struct sos_http_response *response, void *bytes, size_t size)
{
    if (bytes == NULL || size == 0)
        return sos_complete(task, SOS_EINVAL);
    int status = read_now(task, response, bytes, size);
    if (status != SOS_EAGAIN)
        return sos_complete(task, status);
    return async_call(http_reading, .http = response->connection->origin->http,
                      .response = response, .bytes = bytes, .size = size, .status = status);
}
