/* SPDX-License-Identifier: MIT */
/* An HTTP request while its maker goes on working, and the small server that answers it. */
#include "runtime.h"

#include <string.h>

#include "smallos/http.h"
#include "smallos/stream.h"

static sos_listener *door;

/* ---- The server: takes its time, then says the same to everybody */

static const char page[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                           "Content-Length: 18\r\n\r\nfresh from the net";

struct web_server {
    sos_frame frame;
    sos_stream *stream;
};

static async_fn(web_server)
{
    async_begin(web_server);
    for (;;) {
        try_await(sos_accept(task, door, &self->stream));
        await(sos_stream_until(task, self->stream, "\r\n\r\n", 4, 0));
        if (sos_status(task) > 0) {
            try_await(sos_sleep(task, SOS_MS(60)));
            await(sos_stream_write(task, self->stream, page, sizeof page - 1));
        }
        sos_stream_close(self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(door);
    async_end;
}

/* ---- The request, in a task of its own */

struct fetcher {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
};

static int open_client(sos_http **http)
{
    struct sos_address address;
    int status = sos_listener_address(door, &address);
    const struct sos_http_options options = { .host = "127.0.0.1", .port = address.port };
    return status == SOS_OK ? sos_http_open(demo.os, &options, http) : status;
}

static async_fn(fetcher)
{
    async_begin(fetcher);
    if (open_client(&self->http) != SOS_OK)
        async_return(SOS_ENOMEM);
    try_await(
        sos_within(task, SOS_SEC(10), sos_http_get(task, self->http, "/page", &self->response)));
    say(task, "%d %s: %s", self->response.status, self->response.reason, self->response.body);
    expect(task, strcmp(self->response.body, "fresh from the net") == 0, "the page came whole");
    async_finally;
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    summary_note(task);
    async_end;
}

/* ---- Its maker */

struct web_parent {
    sos_frame frame;
    sos_handle child;
    int slices, status;
};

static bool still_fetching(struct web_parent *self)
{
    return sos_result(demo.os, self->child, &self->status) == SOS_EAGAIN;
}

static async_fn(web_parent)
{
    async_begin(web_parent);
    self->child = async_spawn(fetcher, sos_opt(.name = "http request"));
    if (self->child.pid < 0)
        async_return(self->child.pid);
    for (; still_fetching(self); self->slices++) {
        work(1000);
        try_await(sos_sleep(task, SOS_MS(4)));
    }
    try_await(sos_join(task, self->child));
    say(task, "has done %d slices of work meanwhile", self->slices);
    expect(task, self->slices >= 1, "nobody waits for the network but who asked");
    async_end;
}

int start_web(void)
{
    int status = sos_listener_open(demo.os, &(struct sos_listen){ 0 }, &door);
    if (status != SOS_OK)
        return status;
    sos_handle server = sos_fork(
        demo.os, web_server,
        sos_opt(.name = "web server", .priority = priority(3), .watcher = true));
    if (server.pid < 0) {
        sos_listener_close(door);
        return server.pid;
    }
    sos_handle parent = sos_fork(demo.os, web_parent,
                                 sos_opt(.name = "web parent", .priority = priority(4)));
    return parent.pid < 0 ? parent.pid : SOS_OK;
}
