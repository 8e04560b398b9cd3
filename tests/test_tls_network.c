/* SPDX-License-Identifier: MIT */
/* TLS over bad simulated networks, under kills, deadlines and without memory: nothing hangs or leaks. */
#include "both_ways.h"
#include "tls_world.h"

static unsigned good, bad;

static sos_listener *listen_here(void)
{
    struct sos_tls_options tls = tls_server("good");
    sos_listener *listener = NULL;
    int status = sos_listener_open(
        world.os, &(struct sos_listen){ .host = "127.0.0.1", .port = 443, .tls = &tls },
        &listener);
    CHECK(status == SOS_OK || status == SOS_ENOMEM);
    return listener;
}

static void route_is(const struct sos_sim_route *route)
{
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, route), SOS_OK);
}

static int seeds(int many)
{
    const char *fewer = getenv("SOS_PROPERTY_SEEDS");
    return getenv("SOS_VALGRIND") != NULL ? many / 100 + 1 : fewer != NULL ? atoi(fewer) : many;
}

/* ---- A server that answers requests, and clients that make some */

enum { REQUESTS = 3, ANSWER_MOST = 40000 };

struct serving {
    sos_frame frame;
    sos_stream *stream;
    size_t size;
};

/* The answer to "123\n" is 123 times its last digit. */
static void answer(struct serving *self, size_t size)
{
    size_t all;
    const char *text = (const char *)sos_stream_data(self->stream, &all);
    self->size = (size_t)strtoul(text, NULL, 10);
    int digit = text[size - 2];
    sos_stream_take(self->stream, size);
    char *room = sos_stream_room(self->stream, self->size);
    if (room != NULL)
        memset(room, digit, self->size);
    if (room == NULL || sos_stream_put(self->stream, NULL, self->size) != SOS_OK)
        sos_stream_abort(self->stream);
}

static async_fn(serving)
{
    async_begin(serving);
    for (;;) {
        await(sos_within(task, SOS_SEC(30), sos_stream_until(task, self->stream, "\n", 1, 100)));
        if (sos_status(task) < 0)
            break;
        answer(self, (size_t)sos_status(task));
        await(sos_within(task, SOS_SEC(30), sos_stream_flush(task, self->stream)));
        if (sos_status(task) < 0)
            break;
    }
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct server {
    sos_frame frame;
    struct sos_scope scope;
    sos_listener *listener;
    sos_stream *stream;
};

static async_fn(server)
{
    async_begin(server);
    sos_scope_open(task, &self->scope);
    for (;;) {
        await(sos_accept(task, self->listener, &self->stream));
        if (sos_status(task) < 0)
            continue;
        if (async_spawn(serving, sos_opt(.detached = true), .stream = self->stream).pid < 0)
            sos_stream_close(self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

struct client {
    sos_frame frame;
    struct sos_tls_options tls;
    struct sos_connect_options options;
    sos_stream *stream;
    int requests;
    size_t wanted;
    char text[32];
};

static size_t ask(struct client *self)
{
    self->wanted = 1 + sos_sim_random(world.kernel, ANSWER_MOST);
    snprintf(self->text, sizeof self->text, "%zu\n", self->wanted);
    return strlen(self->text);
}

/* No more than was asked for, no less, and nothing else. */
static void check_answer(struct client *self)
{
    size_t size;
    const unsigned char *bytes = sos_stream_data(self->stream, &size);
    CHECK_INT(size, self->wanted);
    for (size_t index = 0; index < size; index++)
        CHECK(bytes[index] == (unsigned char)self->text[strlen(self->text) - 2]);
    sos_stream_take(self->stream, size);
}

struct request {
    sos_frame frame;
    struct client *client;
};

static async_fn(request)
{
    async_begin(request);
    try_await(sos_stream_write(task, self->client->stream, self->client->text, ask(self->client)));
    do {
        try_await(sos_stream_more(task, self->client->stream));
    } while ((size_t)sos_status(task) < self->client->wanted);
    check_answer(self->client);
    async_end;
}

static async_fn(client)
{
    async_begin(client);
    self->tls = tls_client();
    self->options = (struct sos_connect_options){ .host = "server.test",
                                                  .port = 443,
                                                  .tls = &self->tls };
    try_await(sos_within(task, SOS_SEC(10), sos_connect(task, &self->options, &self->stream)));
    for (; self->requests < REQUESTS; self->requests++) {
        try_await(sos_within(task, SOS_SEC(10), async_call(request, .client = self)));
        try_await(sos_sleep(task, sos_sim_random(world.kernel, 1000)));
    }
    async_finally;
    good += sos_status(task) == SOS_OK;
    bad += sos_status(task) != SOS_OK;
    sos_stream_close(self->stream);
    async_end;
}

static sos_handle start_client(void)
{
    return sos_fork(world.os, client, sos_opt(.priority = 5, .detached = true), .requests = 0);
}

static sos_handle start_server(void)
{
    return sos_fork(world.os, server, sos_opt(.priority = 4, .watcher = true, .detached = true),
                    .listener = listen_here());
}

static void everything_arrives_over_slow_wires(void)
{
    good = bad = 0;
    for (int seed = 1; seed <= seeds(100); seed++) {
        tls_world_open(&(struct sos_sim_options){ .seed = (uint64_t)seed });
        uint32_t most = 1 + (uint32_t)seed * 37 % 3000;
        route_is(&(struct sos_sim_route){ .connect_max_us = 100,
                                          .stream = { .capacity = 1 + most * 2,
                                                      .delay_max_us = most % 50,
                                                      .transfer_max = most } });
        start_server();
        start_client();
        start_client();
        CHECK_INT(sos_run(world.os), SOS_OK);
        tls_world_close();
    }
    CHECK_INT(bad, 0);
    CHECK_INT(good, 2 * seeds(100));
}

/* By seed: connections are slow, reset or cut; each ends in time, and what it got was right. */
static void a_bad_network_leaves_nothing(void)
{
    int count = seeds(1000);
    good = bad = 0;
    for (int seed = 1; seed <= count; seed++) {
        tls_world_open(&(struct sos_sim_options){ .seed = (uint64_t)seed });
        route_is(&(struct sos_sim_route){ .connect_max_us = 300000,
                                          .give_up_us = 2000000,
                                          .stream = { .capacity = 20000,
                                                      .delay_max_us = 200,
                                                      .transfer_max = 5000 },
                                          .refused_percent = 5,
                                          .black_hole_percent = 5,
                                          .reset_percent = 40,
                                          .half_open_percent = 20,
                                          .reset_us = 4000 });
        start_server();
        start_client();
        start_client();
        CHECK_INT(sos_run(world.os), SOS_OK);
        tls_world_close();
    }
    CHECK(good > (unsigned)count / 3 && bad > (unsigned)count / 3);
}

/* ---- Kills, deadlines, and no memory */

/* Both are steps of one run: whoever is killed, the other comes to an end. */
static void a_kill_at_any_step_leaves_nothing(void)
{
    for (int victim = 0; victim < 2; victim++) {
        int stride = getenv("SOS_VALGRIND") != NULL ? 7 : 1;
        for (int steps = 1;; steps += stride) {
            tls_world_open(NULL);
            route_is(&(struct sos_sim_route){ .stream = { .transfer_max = 700 } });
            const sos_handle tasks[2] = { start_server(), start_client() };
            int status = 1;
            for (int step = 0; step < steps && status >= 0; step++)
                status = sos_run_once(world.os, SOS_SEC(1));
            bool over = sos_kill(world.os, tasks[1]) == SOS_ESTALE || steps > 1000;
            sos_kill_tree(world.os, tasks[victim]);
            if (!over)
                CHECK_INT(sos_run(world.os), SOS_OK);
            tls_world_close();
            if (over)
                break;
        }
    }
}
