/* SPDX-License-Identifier: MIT */
/*
 * Streams over a bad simulated network, by seed: every way of reading and writing mixed, with
 * deadlines in the middle. Whatever happens, what comes back is what was sent, from its first byte
 * on and without a gap; all comes back unless the network broke; and nothing is left.
 */
#include <stdlib.h>

#include "smallos/stream.h"
#include "world.h"

enum { SIZE = 20000, PORT = 7, PATIENCE_S = 60 };

static unsigned char pattern[SIZE];

static uint32_t below(uint32_t limit)
{
    return sos_sim_random(world.kernel, limit);
}

/* Sometimes a deadline that cuts an operation short; it is then begun again. */
static int64_t sometime(void)
{
    return below(4) == 0 ? (int64_t)below(3000) : SOS_SEC(PATIENCE_S);
}

/* ---- The server sends all back, and ends when the client does */

struct echo {
    sos_frame frame;
    sos_stream *stream;
    size_t there;
    const unsigned char *data;
};

static async_fn(echo)
{
    async_begin(echo);
    for (;;) {
        await(sos_within(task, SOS_SEC(2 * PATIENCE_S), sos_stream_more(task, self->stream)));
        if (sos_status(task) == SOS_EEOF)
            break;
        try_await(sos_complete(task, sos_status(task)));
        self->data = sos_stream_data(self->stream, &self->there);
        CHECK_INT(sos_stream_put(self->stream, self->data, self->there), SOS_OK);
        sos_stream_take(self->stream, self->there);
        try_await(sos_within(task, SOS_SEC(2 * PATIENCE_S), sos_stream_flush(task, self->stream)));
    }
    try_await(sos_stream_shutdown(task, self->stream));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct server {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
};

static async_fn(server)
{
    async_begin(server);
    CHECK_INT(
        sos_listener_open(sos_of(task), &(struct sos_listen){ .port = PORT }, &self->listener),
        SOS_OK);
    for (;;) {
        try_await(sos_accept(task, self->listener, &self->stream));
        CHECK(async_spawn(echo, sos_opt(.detached = true), .stream = self->stream).pid >= 0);
        self->stream = NULL;
    }
    async_finally;
    sos_listener_close(self->listener);
    async_end;
}

/* ---- The client: one task writes while the other reads */

struct writer {
    sos_frame frame;
    sos_stream *stream;
    size_t sent, piece;
};

/* Puts bytes in a way chosen by the seed; how many. */
static size_t put_some(struct writer *self)
{
    size_t piece = below(700);
    if (piece > SIZE - self->sent)
        piece = SIZE - self->sent;
    void *room = below(2) == 0 ? sos_stream_room(self->stream, piece) : NULL;
    if (room != NULL)
        memcpy(room, pattern + self->sent, piece);
    CHECK_INT(sos_stream_put(self->stream, room != NULL ? NULL : pattern + self->sent, piece),
              SOS_OK);
    return piece;
}

static size_t next_piece(const struct writer *self)
{
    size_t piece = 1 + below(3000);
    return piece < SIZE - self->sent ? piece : SIZE - self->sent;
}

static async_fn(writer)
{
    async_begin(writer);
    while (self->sent < SIZE) {
        self->sent += put_some(self);
        await(sos_within(task, sometime(), sos_stream_flush(task, self->stream)));
        if (sos_status(task) != SOS_ETIMEDOUT)
            try_await(sos_complete(task, sos_status(task)));
        self->piece = next_piece(self);
        try_await(sos_stream_write(task, self->stream, pattern + self->sent, self->piece));
        self->sent += self->piece;
    }
    try_await(sos_stream_shutdown(task, self->stream));
    async_end;
}

struct reader {
    sos_frame frame;
    sos_stream *stream;
    unsigned char bytes[512];
    uint32_t way;
    size_t wanted, got;
    int status;
};

static void check_portion(struct reader *self, const unsigned char *bytes, size_t size)
{
    CHECK(self->got + size <= SIZE && memcmp(bytes, pattern + self->got, size) == 0);
    self->got += size;
}

static sos_op read_some(sos_task *task, struct reader *self)
{
    self->way = below(4);
    self->wanted = 1 + below(sizeof self->bytes);
    if (self->way == 0)
        return sos_stream_more(task, self->stream);
    if (self->way == 1)
        return sos_stream_read(task, self->stream, self->bytes, self->wanted);
    if (self->way == 2)
        return sos_stream_read_exactly(task, self->stream, self->bytes, self->wanted);
    return sos_stream_until(task, self->stream, "\n", 1, 0);
}

/* What an operation ended in is there, of that length, and in no other place. */
static void take_some(struct reader *self, size_t count)
{
    size_t there;
    const unsigned char *data = sos_stream_data(self->stream, &there);
    if (self->way == 1 || self->way == 2) {
        CHECK(self->way == 1 ? count >= 1 && count <= self->wanted : count == self->wanted);
        check_portion(self, self->bytes, count);
        return;
    }
    CHECK(self->way == 0 ? there == count : data[count - 1] == '\n');
    check_portion(self, data, count);
    sos_stream_take(self->stream, count);
}

static void take_rest(struct reader *self)
{
    size_t there;
    const unsigned char *data = sos_stream_data(self->stream, &there);
    if (there > 0)
        check_portion(self, data, there);
    sos_stream_take(self->stream, there);
}

static async_fn(reader)
{
    async_begin(reader);
    do {
        await(sos_within(task, sometime(), read_some(task, self)));
        self->status = sos_status(task);
        if (self->status > 0)
            take_some(self, (size_t)self->status);
    } while (self->status > 0 || self->status == SOS_ETIMEDOUT);
    take_rest(self);
    CHECK(self->status != SOS_EEOF || self->got == SIZE);
    note("got %zu: %s", self->got, status_text(self->status));
    async_return(self->status == SOS_EEOF ? SOS_OK : self->status);
    async_end;
}

struct client {
    sos_frame frame;
    struct sos_scope scope;
    struct sos_connect_options options;
    sos_stream *stream;
};

static async_fn(client)
{
    async_begin(client);
    self->options = (struct sos_connect_options){ .host = "127.0.0.1", .port = PORT };
    await(sos_within(task, SOS_SEC(PATIENCE_S), sos_connect(task, &self->options, &self->stream)));
    note("connect: %s", status_text(sos_status(task)));
    if (sos_status(task) != SOS_OK)
        async_return(SOS_OK);
    sos_scope_open(task, &self->scope);
    async_spawn(writer, sos_opt(), .stream = self->stream);
    async_spawn(reader, sos_opt(), .stream = self->stream);
    await(sos_within(task, SOS_SEC(PATIENCE_S), sos_scope_join(task, &self->scope)));
    note("both: %s", status_text(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

/* ---- One run */

static void one_run(uint64_t seed, const struct sos_sim_route *route, char *trace, size_t size)
{
    world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, route), SOS_OK);
    sos_fork(world.os, server, sos_opt(.priority = 3, .watcher = true));
    for (int clients = 0; clients < 2; clients++)
        sos_fork(world.os, client, sos_opt(.priority = 5));
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    CHECK(strlen(sos_sim_trace(world.kernel)) < size);
    strcpy(trace, sos_sim_trace(world.kernel));
    sos_sim_trace_clear(world.kernel);
    world_close();
}

static uint64_t seeds_wanted(void)
{
    const char *text = getenv("SOS_PROPERTY_SEEDS");
    return text != NULL ? strtoull(text, NULL, 10) / 4 : 300;
}

static void on_a_slow_network_all_comes_back(void)
{
    const struct sos_sim_route slow = {
        .connect_max_us = 500,
        .stream = { .capacity = 3000, .delay_min_us = 1, .delay_max_us = 900, .transfer_max = 700 }
    };
    char first[1024], again[1024];
    for (uint64_t seed = 1; seed <= seeds_wanted() / 4; seed++) {
        one_run(seed, &slow, first, sizeof first);
        one_run(seed, &slow, again, sizeof again);
        CHECK_TEXT(again, first);
        const char *all = strstr(first, "got 20000: EEOF");
        CHECK(all != NULL && strstr(all + 1, "got 20000: EEOF") != NULL);
        CHECK(strstr(first, "both: E") == NULL);
    }
}

static void on_a_bad_network_nothing_wrong_comes_back(void)
{
    const struct sos_sim_route bad = { .connect_max_us = 500,
                                       .refused_percent = 5,
                                       .black_hole_percent = 5,
                                       .reset_percent = 40,
                                       .half_open_percent = 40,
                                       .reset_us = 20000,
                                       .stream = { .capacity = 3000, .delay_max_us = 900 } };
    unsigned whole = 0, broken = 0, silent = 0;
    char trace[1024];
    for (uint64_t seed = 1; seed <= seeds_wanted(); seed++) {
        one_run(seed, &bad, trace, sizeof trace);
        whole += strstr(trace, "got 20000: EEOF") != NULL;
        broken += strstr(trace, "both: ECONNRESET") != NULL;
        silent += strstr(trace, "both: ETIMEDOUT") != NULL;
    }
    CHECK(seeds_wanted() < 100 || (whole > 0 && broken > 0 && silent > 0));
}

int main(void)
{
    for (size_t index = 0; index < SIZE; index++)
        pattern[index] = (unsigned char)(index * 7 % 251);
    on_a_slow_network_all_comes_back();
    on_a_bad_network_nothing_wrong_comes_back();
    return 0;
}
