/* SPDX-License-Identifier: MIT */
/* What a client sees of each fault: the proxy in front of an echo server, on every back end. */
#include "fault_proxy.h"
#include "unix_world.h"

static struct fault_proxy proxy;
static sos_listener *echo_listener;

/* ---- The server: echoes, and half-closes when its client has */

struct echo {
    sos_frame frame;
    sos_stream *stream;
    char bytes[64];
};

static async_fn(echo)
{
    async_begin(echo);
    for (;;) {
        await(sos_stream_read(task, self->stream, self->bytes, sizeof self->bytes));
        if (sos_status(task) < 0)
            break;
        try_await(sos_stream_write(task, self->stream, self->bytes, (size_t)sos_status(task)));
    }
    await(sos_stream_shutdown(task, self->stream));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct echo_server {
    sos_frame frame;
    sos_stream *stream;
};

static async_fn(echo_server)
{
    async_begin(echo_server);
    for (;;) {
        try_await(sos_accept(task, echo_listener, &self->stream));
        async_spawn(echo, sos_opt(.detached = true, .watcher = true), .stream = self->stream);
    }
    async_finally;
    sos_listener_close(echo_listener);
    async_end;
}

/* ---- The client: sends a line, reads what comes back, notes how that ended */

struct client {
    sos_frame frame;
    struct sos_address address;
    sos_stream *stream;
    bool half_close;
    size_t size; /* read */
    char *bytes;
    int *status;
};

static struct sos_address at(uint16_t port)
{
    return (struct sos_address){ .family = SOS_FAMILY_IPV4, .port = port, .ip = { 127, 0, 0, 1 } };
}

struct talk {
    sos_frame frame;
    struct client *client;
};

static async_fn(talk)
{
    async_begin(talk);
    try_await(sos_stream_write(task, self->client->stream, "hello, world", 12));
    if (self->client->half_close)
        try_await(sos_stream_shutdown(task, self->client->stream));
    for (;;) {
        try_await(sos_stream_read(task, self->client->stream,
                                  self->client->bytes + self->client->size,
                                  63 - self->client->size));
        self->client->size += (size_t)sos_status(task);
        if (!self->client->half_close && self->client->size >= 12)
            async_return(SOS_OK);
    }
    async_end;
}

static async_fn(client)
{
    async_begin(client);
    self->address = at(proxy.port);
    try_await(sos_connect_address(task, &self->address, 0, &self->stream));
    await(sos_within(task, SOS_MS(300), async_call(talk, .client = self)));
    *self->status = sos_status(task);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void expect_half(struct fault fault, bool half_close, int status, const char *text)
{
    char bytes[64] = { 0 };
    int ended = 1;
    struct sos_address address;
    unix_open(&here, NULL);
    CHECK_INT(sos_listener_open(here.os, &(struct sos_listen){ 0 }, &echo_listener), SOS_OK);
    CHECK_INT(sos_listener_address(echo_listener, &address), SOS_OK);
    proxy = (struct fault_proxy){ .fault = fault };
    fault_proxy_start(here.os, &proxy, address.port, 2);
    sos_fork(here.os, echo_server, sos_opt(.priority = 3, .watcher = true));
    sos_fork(here.os, client, sos_opt(.priority = 4), .bytes = bytes, .status = &ended,
             .half_close = half_close);
    unix_run();
    CHECK_TEXT(bytes, text);
    if (fault.kind == FAULT_REFUSE) /* a close and a reset of what came after it race */
        CHECK(ended == SOS_EEOF || ended == SOS_ECONNRESET || ended == SOS_EPIPE);
    else
        CHECK_INT(ended, status);
    CHECK_INT(proxy.connections, 1);
}

static void expect(struct fault fault, int status, const char *text)
{
    expect_half(fault, false, status, text);
}

static void without_a_fault_all_passes(void)
{
    expect((struct fault){ .kind = FAULT_NONE }, SOS_OK, "hello, world");
    expect_half((struct fault){ .kind = FAULT_NONE }, true, SOS_EEOF, "hello, world");
}

static void slow_lines_still_deliver(void)
{
    expect((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(20) }, SOS_OK, "hello, world");
    expect((struct fault){ .kind = FAULT_DRIBBLE }, SOS_OK, "hello, world");
}

static void broken_lines_are_told(void)
{
    expect((struct fault){ .kind = FAULT_CUT, .after = 5 }, SOS_EEOF, "hello");
    expect((struct fault){ .kind = FAULT_RESET, .after = 5 }, SOS_ECONNRESET, "hello");
    expect((struct fault){ .kind = FAULT_HALF_CLOSE, .after = 7 }, SOS_EEOF, "hello, ");
    expect((struct fault){ .kind = FAULT_REFUSE }, SOS_EEOF, "");
}

static void silent_lines_time_out(void)
{
    expect((struct fault){ .kind = FAULT_STALL, .after = 5 }, SOS_ETIMEDOUT, "hello");
    expect((struct fault){ .kind = FAULT_BLACK_HOLE }, SOS_ETIMEDOUT, "");
}

static void answers_come_out_of_nowhere(void)
{
    expect((struct fault){ .kind = FAULT_INTRUDE, .after = 5, .bytes = "<>", .size = 2 }, SOS_OK,
           "hello<>, world");
}

/* ---- A dropped SYN */

struct knocking {
    sos_frame frame;
    struct sos_address address;
    sos_stream *stream;
    int *status;
};

static async_fn(knocking)
{
    async_begin(knocking);
    await(
        sos_within(task, SOS_MS(200), sos_connect_address(task, &self->address, 0, &self->stream)));
    *self->status = sos_status(task);
    async_end;
}

static void a_dropped_syn_times_out(void)
{
    int fds[3], status = 1;
    uint16_t port = fault_full_listener(fds);
    unix_open(&here, NULL);
    sos_fork(here.os, knocking, sos_opt(.priority = 1), .address = at(port), .status = &status);
    unix_run();
    CHECK_INT(status, SOS_ETIMEDOUT);
    fault_full_close(fds);
}

int main(void)
{
    void (*const tests[])(void) = {
        without_a_fault_all_passes, slow_lines_still_deliver,    broken_lines_are_told,
        silent_lines_time_out,      answers_come_out_of_nowhere, a_dropped_syn_times_out,
    };
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    return 0;
}
