/* SPDX-License-Identifier: MIT */
/* The WebSocket client on the simulated network, in virtual time: against a small server made of
 * tasks, by seed; killed at every step; without memory; and how it keeps time. */
#define _GNU_SOURCE
#include "proto/websocket.h"
#include "proto/websocket_handshake.h"
#include "smallos/stream.h"
#include "smallos/websocket.h"
#include "world.h"

enum { PORT = 80, SERVER_BUFFER = 1 << 20 };

/* ---- A server that answers every message with itself, and does not wait for the client */

static const char *server_host = "10.0.0.1";
static const char *host_field; /* that the client must send; NULL: any */

struct server {
    sos_frame frame;
    sos_stream *stream;
    struct sos_ws_parser_ parser;
    int status;
};

static int answer_handshake(sos_stream *stream, size_t size)
{
    static const char name[] = "\r\nSec-WebSocket-Key: ";
    char accept[SOS_WS_ACCEPT_LENGTH_ + 1], answer[256];
    size_t all;
    const char *bytes = (const char *)sos_stream_data(stream, &all);
    const char *key = memmem(bytes, all, name, sizeof name - 1);
    CHECK(key != NULL);
    CHECK(host_field == NULL || memmem(bytes, all, host_field, strlen(host_field)) != NULL);
    sos_ws_accept_(accept, key + sizeof name - 1);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    sos_stream_take(stream, size);
    return sos_stream_put(stream, answer, strlen(answer));
}

static int put_frame(sos_stream *stream, uint8_t opcode, bool more, const void *bytes, size_t size)
{
    unsigned char head[SOS_WS_HEAD_ROOM_];
    struct sos_ws_frame_ frame = { .opcode = opcode, .more = more, .length = size };
    int status = sos_stream_put(stream, head, sos_ws_head_(head, &frame, NULL));
    return status == SOS_OK ? sos_stream_put(stream, bytes, size) : status;
}

static int answer_event(sos_stream *stream, int kind, const struct sos_ws_event_ *event)
{
    if (kind == SOS_WS_DATA_EVENT_)
        return put_frame(stream, event->first ? event->opcode : SOS_WS_CONTINUATION_, !event->last,
                         event->bytes, event->length);
    if (kind == SOS_WS_PING_EVENT_)
        return put_frame(stream, SOS_WS_PONG_, false, event->bytes, event->length);
    return kind == SOS_WS_CLOSE_EVENT_ ? put_frame(stream, SOS_WS_CLOSE_, false, "\x03\xE8", 2)
                                       : SOS_OK;
}

/* What the client sent must be right, whatever happens to the connection. 1: it said close. */
static int answer_frames(struct server *self)
{
    struct sos_ws_event_ event;
    size_t size, taken = 0;
    unsigned char *bytes = (unsigned char *)(uintptr_t)sos_stream_data(self->stream, &size);
    int status = SOS_OK;
    while (status == SOS_OK && bytes != NULL) {
        int kind = sos_ws_next_(&self->parser, bytes + taken, size - taken, &event);
        CHECK(kind >= 0);
        taken += event.taken;
        if (kind == SOS_PARTIAL_)
            break;
        status = answer_event(self->stream, kind, &event);
        if (status == SOS_OK && kind == SOS_WS_CLOSE_EVENT_)
            status = 1;
    }
    sos_stream_take(self->stream, taken);
    return status;
}

static async_fn(server)
{
    async_begin(server);
    try_await(sos_stream_until(task, self->stream, "\r\n\r\n", 4, 0));
    self->status = answer_handshake(self->stream, (size_t)sos_status(task));
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(sos_stream_flush(task, self->stream));
    sos_ws_init_(&self->parser,
                 &(struct sos_ws_options_){ .server = true, .max_message_size = UINT64_MAX });
    while ((self->status = answer_frames(self)) == SOS_OK) {
        try_await(sos_stream_flush(task, self->stream));
        try_await(sos_stream_more(task, self->stream));
    }
    if (self->status > 0)
        try_await(sos_stream_flush(task, self->stream));
    async_end;
}

struct served {
    sos_frame frame;
    sos_stream *stream;
};

/* A client that is lost without a word must not keep it for ever. */
static async_fn(served)
{
    async_begin(served);
    await(sos_within(task, SOS_SEC(600), async_call(server, .stream = self->stream)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct listening {
    sos_frame frame;
    sos_async_function serve;
    sos_listener *listener;
    sos_stream *stream;
};

static void start_serving(sos *os, sos_async_function serve, sos_stream *stream)
{
    struct served frame = { .stream = stream };
    const struct sos_start start = { .function = serve,
                                     .frame = &frame,
                                     .name = "server",
                                     .size = sizeof frame,
                                     .options = { .priority = 3, .detached = true } };
    if (sos_fork_list(os, &start, 1, NULL) != SOS_OK)
        sos_stream_close(stream);
}

static async_fn(listening)
{
    async_begin(listening);
    if (sos_listener_open(sos_of(task), &(struct sos_listen){ .host = server_host, .port = PORT },
                          &self->listener) != SOS_OK)
        async_return(SOS_OK);
    for (;;) {
        await(sos_accept(task, self->listener, &self->stream));
        if (sos_status(task) == SOS_OK)
            start_serving(sos_of(task), self->serve, self->stream);
        else
            await(sos_sleep(task, SOS_MS(1)));
    }
    async_finally;
    sos_listener_close(self->listener);
    async_end;
}

static void serve_with(sos_async_function serve)
{
    CHECK(sos_fork(world.os, listening, sos_opt(.priority = 3, .watcher = true), .serve = serve)
              .pid >= 0);
}

/* ---- A client: one task sends, the other receives and compares */

enum { MESSAGES = 12, SIZE_MOST = 3000 };

/* What message `index` is: the same for both. */
static size_t make_message(unsigned char *bytes, int index)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 300, SIZE_MOST, 5 };
    size_t size = sizes[index % 7];
    for (size_t at = 0; at < size; at++)
        bytes[at] = (unsigned char)(at * 7 + (size_t)index);
    return size;
}

struct sending {
    sos_frame frame;
    sos_websocket *socket;
    int index;
    size_t size, done, part;
    unsigned char bytes[SIZE_MOST];
};

/* By turns whole, and in parts with pings between. */
static async_fn(sending)
{
    async_begin(sending);
    for (; self->index < MESSAGES; self->index++) {
        self->size = make_message(self->bytes, self->index);
        if (self->index % 3 != 0) {
            try_await(sos_websocket_send_binary(task, self->socket, self->bytes, self->size));
            continue;
        }
        for (self->done = 0; self->done < self->size; self->done += self->part) {
            self->part = self->size - self->done < 700 ? self->size - self->done : 700;
            try_await(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_BINARY,
                                              self->bytes + self->done, self->part, false));
            try_await(sos_websocket_ping(task, self->socket, "?", 1));
        }
        try_await(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_BINARY, "", 0, true));
    }
    async_end;
}

struct receiving {
    sos_frame frame;
    sos_websocket *socket;
    struct sos_websocket_message message;
    int index;
    size_t done;
};

static void compare(const struct receiving *self)
{
    unsigned char bytes[SIZE_MOST];
    size_t size = make_message(bytes, self->index);
    CHECK_INT(self->message.type, SOS_WEBSOCKET_BINARY);
    CHECK(self->done + self->message.size <= size);
    CHECK(memcmp(self->message.bytes, bytes + self->done, self->message.size) == 0);
    CHECK(!self->message.last || self->done + self->message.size == size);
    CHECK(self->message.first == (self->done == 0));
}

static sos_op receive_next(sos_task *task, struct receiving *self)
{
    if (self->index % 2 == 0)
        return sos_websocket_receive_part(task, self->socket, &self->message);
    return sos_websocket_receive(task, self->socket, &self->message);
}

static async_fn(receiving)
{
    async_begin(receiving);
    while (self->index < MESSAGES) {
        try_await(receive_next(task, self));
        if (self->message.type == SOS_WEBSOCKET_PONG)
            continue;
        compare(self);
        self->done += self->message.size;
        if (self->message.last) {
            self->done = 0;
            self->index++;
        }
    }
    async_finally;
    sos_websocket_message_free(&self->message);
    async_end;
}

struct talk {
    sos_frame frame;
    struct sos_scope scope;
    struct sos_websocket_options options;
    sos_websocket *socket;
    struct sos_join ends[2];
};

static async_fn(talk)
{
    async_begin(talk);
    try_await(sos_websocket_connect(task, &self->options, &self->socket));
    sos_scope_open(task, &self->scope);
    self->ends[0].task = async_spawn(sending, sos_opt(), .socket = self->socket);
    self->ends[1].task = async_spawn(receiving, sos_opt(), .socket = self->socket);
    if (self->ends[0].task.pid < 0 || self->ends[1].task.pid < 0)
        async_return(SOS_ENOMEM);
    try_await(sos_join_all(task, self->ends, 2));
    try_await(sos_websocket_disconnect(task, self->socket, 1000, "done"));
    async_finally;
    sos_websocket_close(self->socket);
    async_end;
}

static int ended; /* how the client did; 1: not at all */

struct client {
    sos_frame frame;
    int64_t within;
    struct sos_websocket_options options;
};

static async_fn(client)
{
    async_begin(client);
    await(sos_within(task, self->within, async_call(talk, .options = self->options)));
    ended = sos_status(task);
    async_end;
}

static sos_handle start_client(const struct sos_websocket_options *options, int64_t within)
{
    struct sos_websocket_options given = { .host = "10.0.0.1", .port = PORT };
    if (options != NULL)
        given = *options;
    given.host = server_host;
    ended = 1;
    return sos_fork(world.os, client, sos_opt(.priority = 5), .within = within, .options = given);
}

/* ---- By seed */

static void leave(void)
{
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

static uint64_t seeds(void)
{
    const char *text = getenv("SOS_PROPERTY_SEEDS");
    return text != NULL ? strtoull(text, NULL, 10) / 2 : 1000;
}

/* Every step, every allocation is tried; under valgrind only some. */
static int stride(void)
{
    return getenv("SOS_VALGRIND") != NULL ? 7 : 1;
}

static void on_route(const struct sos_sim_route *route)
{
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, route), SOS_OK);
}

/* Slow, narrow and in small pieces, but sound. */
static void whatever_the_timing_every_message_comes_back(void)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
        on_route(&(struct sos_sim_route){
            .connect_max_us = 1000,
            .stream = { .capacity = 100 + (uint32_t)(seed * 37 % 5000),
                        .delay_max_us = (uint32_t)(seed % 7) * 1000,
                        .transfer_max = seed % 3 == 0 ? 50 + (uint32_t)(seed % 500) : 0 } });
        serve_with(served);
        start_client(NULL, SOS_SEC(100));
        CHECK_INT(sos_run(world.os), SOS_OK);
        CHECK_INT(ended, SOS_OK);
        leave();
    }
}

/* Whatever the network does, the client ends in time, with an error or well, and leaves nothing. */
static void a_bad_network_leaves_nothing(void)
{
    unsigned good = 0, bad = 0;
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
        on_route(&(struct sos_sim_route){ .connect_max_us = 100000,
                                          .give_up_us = 2000000,
                                          .refused_percent = 10,
                                          .black_hole_percent = 10,
                                          .reset_percent = 30,
                                          .half_open_percent = 30,
                                          .reset_us = 20000,
                                          .stream = { .capacity = 2000, .delay_max_us = 2000 } });
        serve_with(served);
        start_client(&(struct sos_websocket_options){ .ping_us = SOS_MS(500) }, SOS_SEC(20));
        CHECK_INT(sos_run(world.os), SOS_OK);
        CHECK(ended <= 0);
        good += ended == SOS_OK;
        bad += ended != SOS_OK;
        leave();
    }
    CHECK(good > seeds() / 10 && bad > seeds() / 10);
}

static void a_host_may_be_an_address_of_any_kind(void)
{
    static const char *const hosts[][2] = {
        { "10.0.0.1", "\r\nHost: 10.0.0.1\r\n" },
        { "2001:db8::1", "\r\nHost: [2001:db8::1]\r\n" },
        { "fe80::1%2", "\r\nHost: [fe80::1]\r\n" },
        { "unix:/run/chat.sock", "\r\nHost: localhost\r\n" },
    };
    for (size_t index = sizeof hosts / sizeof hosts[0]; index-- > 0;) {
        server_host = hosts[index][0];
        host_field = hosts[index][1];
        world_open(NULL);
        serve_with(served);
        start_client(NULL, SOS_SEC(10));
        CHECK_INT(sos_run(world.os), SOS_OK);
        CHECK_INT(ended, SOS_OK);
        leave();
    }
    host_field = NULL;
}

/* ---- Cut short at every moment */

static void a_kill_at_any_step_leaves_nothing(void)
{
    for (int steps = 0;; steps += stride()) {
        world_open(NULL);
        on_route(&(struct sos_sim_route){ .connect_min_us = 100,
                                          .stream = { .capacity = 700, .delay_min_us = 10 } });
        serve_with(served);
        sos_handle target = start_client(NULL, SOS_FOREVER);
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        bool over = sos_kill(world.os, target) == SOS_ESTALE;
        CHECK_INT(sos_run(world.os), SOS_OK);
        leave();
        if (over && steps > 10)
            break;
    }
}

/* All tasks end at once, those of the connections too, which must not start new ones. */
static void a_stop_at_any_step_leaves_nothing(void)
{
    for (int steps = 1; steps < 400; steps += 3 * stride()) {
        world_open(NULL);
        on_route(&(struct sos_sim_route){ .stream = { .capacity = 700, .delay_min_us = 10 } });
        serve_with(served);
        start_client(NULL, SOS_FOREVER);
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        sos_stop(world.os);
        CHECK_INT(sos_run(world.os), SOS_ECANCELED);
        leave();
    }
}

static void a_deadline_at_any_time_leaves_nothing(void)
{
    for (int64_t us = 1; ended != SOS_OK || us < 1000; us += (us < 2000 ? 7 : 97) * stride()) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = (uint64_t)us });
        on_route(&(struct sos_sim_route){
            .connect_min_us = 100,
            .connect_max_us = 200,
            .stream = { .capacity = 900, .delay_min_us = 50, .delay_max_us = 100 } });
        serve_with(served);
        start_client(NULL, us);
        CHECK_INT(sos_run(world.os), SOS_OK);
        CHECK(ended == SOS_OK || ended == SOS_ETIMEDOUT);
        leave();
    }
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    for (uint64_t n = 1;; n += (uint64_t)stride()) {
        world_open(NULL);
        serve_with(served);
        start_client(NULL, SOS_SEC(50));
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        leave();
        if (!failed)
            break;
    }
}

int main(void)
{
    a_host_may_be_an_address_of_any_kind();
    whatever_the_timing_every_message_comes_back();
    a_bad_network_leaves_nothing();
    a_kill_at_any_step_leaves_nothing();
    a_stop_at_any_step_leaves_nothing();
    a_deadline_at_any_time_leaves_nothing();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    return 0;
}
