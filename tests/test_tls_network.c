/* SPDX-License-Identifier: MIT */
/* TLS over bad simulated networks, under kills, deadlines and without memory: nothing hangs or leaks. */
#include "both_ways.h"
#include "tls_world.h"

static unsigned good, bad, resumed;
static sos_tls_context *shared; /* by the clients of a world */
static sos_handle serving_now;  /* since its first step: before that it has nothing to clean up */

static sos_listener *listen_here(void)
{
    struct sos_tls_options tls = tls_server("good");
    sos_listener *listener = NULL;
    int status = sos_listener_open(
        world.os, &(struct sos_listen){ .host = "127.0.0.1", .port = 443, .tls = &tls }, &listener);
    CHECK(status == SOS_OK || status == SOS_ENOMEM);
    return listener;
}

static void route_is(const struct sos_sim_route *route)
{
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, route), SOS_OK);
}

static bool slow(void)
{
    return getenv("SOS_VALGRIND") != NULL;
}

/* All of them in one build: OpenSSL computes for a millisecond for each connection, and under valgrind
 * and the sanitizers its many allocations take long. */
static int seeds(int many)
{
    const char *wanted = getenv("SOS_PROPERTY_SEEDS");
#if defined SOS_MEMORY_DIRECT || defined SOS_HARD || defined __clang__
    many /= 5;
#endif
    if (slow())
        return many / 100 + 1;
    return wanted != NULL ? atoi(wanted) : many;
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
    serving_now = sos_self(task);
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
    sos_listener *listener;
    sos_stream *stream;
};

static async_fn(server)
{
    async_begin(server);
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
    int64_t pause;
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

static bool is_resumed(const sos_stream *stream)
{
    struct sos_tls_info info;
    CHECK_INT(sos_tls_describe(stream, &info), SOS_OK);
    return info.resumed;
}

static async_fn(client)
{
    async_begin(client);
    self->options = (struct sos_connect_options){ .host = "server.test",
                                                  .port = 443,
                                                  .tls = &self->tls };
    try_await(sos_sleep(task, self->pause));
    try_await(sos_within(task, SOS_SEC(10), sos_connect(task, &self->options, &self->stream)));
    resumed += is_resumed(self->stream);
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

static sos_handle start_server(void)
{
    return sos_fork(world.os, server, sos_opt(.priority = 4, .watcher = true, .detached = true),
                    .listener = listen_here());
}

static sos_handle start_client(void)
{
    return sos_fork(world.os, client, sos_opt(.priority = 5, .detached = true),
                    .tls = tls_client());
}

/* Two who share what they may share; the second may resume the session of the first. */
static void start_clients(bool second)
{
    static char ticket[SOS_TLS_SESSION_ROOM];
    static struct sos_tls_session session;
    struct sos_tls_options options = tls_client();
    session = (struct sos_tls_session){ .bytes = ticket, .room = sizeof ticket };
    CHECK_INT(sos_tls_context_open(world.os, &options, SOS_TLS_CLIENT, &shared), SOS_OK);
    options.context = shared;
    options.session = &session;
    sos_fork(world.os, client, sos_opt(.priority = 5, .detached = true), .tls = options);
    if (second)
        sos_fork(world.os, client, sos_opt(.priority = 5, .detached = true), .tls = options,
                 .pause = SOS_MS(400));
}

static void run_clients(bool second)
{
    start_server();
    start_clients(second);
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_tls_context_close(shared);
    tls_world_close();
}

static void everything_arrives_over_slow_wires(void)
{
    good = bad = resumed = 0;
    for (int seed = 1; seed <= seeds(100); seed++) {
        tls_world_open(&(struct sos_sim_options){ .seed = (uint64_t)seed });
        uint32_t most = 1 + (uint32_t)seed * 37 % 3000;
        route_is(&(struct sos_sim_route){ .connect_max_us = 100,
                                          .stream = { .capacity = 1 + most * 2,
                                                      .delay_max_us = most % 50,
                                                      .transfer_max = most } });
        run_clients(true);
    }
    CHECK_INT(bad, 0);
    CHECK_INT(good, 2 * seeds(100));
}

/* By seed: connections are slow, reset or cut; each ends in time, and what it got was right. */
static void a_bad_network_leaves_nothing(void)
{
    int count = seeds(1000);
    good = bad = resumed = 0;
    for (int seed = 1; seed <= count; seed++) {
        tls_world_open(&(struct sos_sim_options){ .seed = (uint64_t)seed });
        route_is(&(struct sos_sim_route){
            .connect_max_us = 300000,
            .give_up_us = 2000000,
            .stream = { .capacity = 20000, .delay_max_us = 200, .transfer_max = 5000 },
            .refused_percent = 5,
            .black_hole_percent = 5,
            .reset_percent = 40,
            .half_open_percent = 20,
            .reset_us = 4000 });
        run_clients(seed % 3 == 0);
    }
    CHECK(count < 100 || (good > (unsigned)count / 4 && bad > (unsigned)count / 4));
    CHECK(count < 100 || resumed > (unsigned)count / 8);
}

/* ---- Kills, deadlines, and no memory */

/* Whoever is killed, the other comes to an end. */
static void a_kill_at_any_step_leaves_nothing(void)
{
    int stride = slow() ? 20 : 1;
    for (int victim = 0; victim < 3; victim++) {
        bool over = false;
        for (int steps = 2; !over; steps += stride) {
            tls_world_open(NULL);
            route_is(&(struct sos_sim_route){ .stream = { .transfer_max = 700 } });
            sos_handle victims[3] = { start_server(), start_client() };
            int status = 1;
            good = bad = resumed = 0;
            serving_now = victims[1];
            for (int step = 0; step < steps && status >= 0; step++)
                status = sos_run_once(world.os, SOS_SEC(1));
            over = good + bad != 0;
            victims[2] = serving_now;
            sos_kill(world.os, victims[victim]);
            CHECK_INT(sos_run(world.os), SOS_OK);
            CHECK_INT(good + bad, 1);
            tls_world_close();
        }
        CHECK_INT(good, 1);
    }
}

/* A deadline that passes at any moment of connecting. */
struct hurried {
    sos_frame frame;
    int64_t us;
    struct sos_tls_options tls;
    struct sos_connect_options options;
    sos_stream *stream;
};

static async_fn(hurried)
{
    async_begin(hurried);
    self->tls = tls_client();
    self->options = (struct sos_connect_options){ .host = "server.test",
                                                  .port = 443,
                                                  .tls = &self->tls };
    await(sos_within(task, self->us, sos_connect(task, &self->options, &self->stream)));
    CHECK((sos_status(task) == SOS_OK) == (self->stream != NULL));
    CHECK(sos_status(task) == SOS_OK || sos_status(task) == SOS_ETIMEDOUT);
    good += sos_status(task) == SOS_OK;
    bad += sos_status(task) == SOS_ETIMEDOUT;
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void a_deadline_at_any_time_leaves_nothing(void)
{
    good = bad = resumed = 0;
    for (int64_t us = 1; good == 0; us += slow() ? 1009 : 97) {
        tls_world_open(NULL);
        route_is(&(struct sos_sim_route){
            .connect_min_us = 1000, .stream = { .delay_min_us = 1000, .transfer_max = 1000 } });
        start_server();
        sos_fork(world.os, hurried, sos_opt(.priority = 5), .us = us);
        CHECK_INT(sos_run(world.os), SOS_OK);
        tls_world_close();
    }
    CHECK(bad > 2);
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n += slow() ? 5 : 1) {
        tls_world_open(NULL);
        start_server();
        start_client();
        good = bad = resumed = 0;
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        failed = sos_sim_memory(world.kernel).allocations >= before + n;
        CHECK_INT(good + bad, 1);
        tls_world_close();
    }
    CHECK_INT(good, 1);
}

/* ---- Both directions at once */

struct talker {
    sos_frame frame;
    sos_listener *listener; /* NULL: it connects */
    size_t size;
    sos_stream *stream;
    struct sos_tls_options tls;
    struct sos_connect_options options;
};

static sos_op begin_talk(sos_task *task, struct talker *self)
{
    self->tls = tls_client();
    self->options = (struct sos_connect_options){ .host = "server.test",
                                                  .port = 443,
                                                  .tls = &self->tls };
    return self->listener != NULL ? sos_accept(task, self->listener, &self->stream)
                                  : sos_connect(task, &self->options, &self->stream);
}

static async_fn(talker)
{
    async_begin(talker);
    await(begin_talk(task, self));
    CHECK_INT(sos_status(task), SOS_OK);
    await(both_ways(task, self->stream, self->size));
    CHECK_INT(sos_status(task), SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void much_goes_both_ways_at_once(void)
{
    for (int seed = 0; seed < seeds(20); seed++) {
        tls_world_open(&(struct sos_sim_options){ .seed = (uint64_t)seed });
        route_is(&(struct sos_sim_route){ .stream = { .capacity = 3000 + 4000 * (uint32_t)seed,
                                                      .delay_max_us = (uint32_t)seed } });
        sos_fork(world.os, talker, sos_opt(.priority = 3), .size = 300000,
                 .listener = listen_here());
        sos_fork(world.os, talker, sos_opt(.priority = 3), .size = 300000);
        CHECK_INT(sos_run(world.os), SOS_OK);
        tls_world_close();
    }
}

/* ---- TLS around TLS */

struct nested {
    sos_frame frame;
    sos_listener *listener; /* NULL: it connects */
    sos_stream *outer, *inner;
    struct sos_tls_options tls, own;
    struct sos_connect_options options;
};

static async_fn(nested)
{
    async_begin(nested);
    self->tls = tls_client();
    self->own = tls_server("chain");
    self->options = (struct sos_connect_options){ .host = "server.test",
                                                  .port = 443,
                                                  .tls = &self->tls };
    if (self->listener != NULL) {
        try_await(sos_accept(task, self->listener, &self->outer));
        try_await(sos_tls_server(task, self->outer, &self->own, &self->inner));
    } else {
        try_await(sos_connect(task, &self->options, &self->outer));
        try_await(sos_tls_client(task, self->outer, &self->tls, "server.test", &self->inner));
    }
    await(both_ways(task, self->inner, 100000));
    CHECK_INT(sos_status(task), SOS_OK);
    good++;
    async_finally;
    sos_stream_close(self->inner != NULL ? self->inner : self->outer);
    sos_listener_close(self->listener);
    async_end;
}

static void tls_goes_around_tls(void)
{
    good = 0;
    tls_world_open(NULL);
    sos_fork(world.os, nested, sos_opt(.priority = 3), .listener = listen_here());
    sos_fork(world.os, nested, sos_opt(.priority = 3), .listener = NULL);
    CHECK_INT(sos_run(world.os), SOS_OK);
    tls_world_close();
    CHECK_INT(good, 2);
}

int main(void)
{
    if (!certificates_make())
        return 0;
    everything_arrives_over_slow_wires();
    a_bad_network_leaves_nothing();
    a_kill_at_any_step_leaves_nothing();
    a_deadline_at_any_time_leaves_nothing();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    much_goes_both_ways_at_once();
    tls_goes_around_tls();
    return 0;
}
