/* SPDX-License-Identifier: MIT */
/* The Redis client step by step in the simulation: killed, closed or without memory at any of them. */
#include "client/redis_internal.h"
#include "net/internal.h"
#include "redis_sim.h"
#include "smallos/redis.h"

static struct redis_sim sim;

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))

static struct sos_redis_options options(void)
{
    return (struct sos_redis_options){ .host = "10.0.0.1",
                                       .database = 3,
                                       .reconnect = { .first_delay_us = SOS_MS(100),
                                                      .max_delay_us = SOS_SEC(10) } };
}

static void open_world(const struct sos_config *config)
{
    world_open(config);
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0,
                                &(struct sos_sim_route){
                                    .connect_min_us = 1000,
                                    .stream = { .delay_min_us = 500, .delay_max_us = 500 } }),
              SOS_OK);
    sim = (struct redis_sim){ .lag_us = 0 };
    redis_sim_start(&sim, 3);
}

/* The servers see the end of their connections. */
static void close_world(void)
{
    sos_fork(world.os, sleeper, sos_opt(.priority = 5), .us = SOS_SEC(1));
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

/* ---- A stream that refuses */

struct one {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_reply reply;
    const char *text;
};

static async_fn(one)
{
    async_begin(one);
    await(sos_redis_command(task, self->redis, &self->reply, "ECHO", self->text));
    note("%s: %s", self->text, status_text(sos_status(task)));
    if (sos_status(task) == SOS_OK)
        CHECK_TEXT(self->reply.value->text, self->text);
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

struct shut {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis *redis;
    struct sos_scope scope;
};

static async_fn(shut)
{
    async_begin(shut);
    self->options = options();
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_OK);
    sos_scope_open(task, &self->scope);
    async_spawn(one, sos_opt(), .redis = self->redis, .text = "answered");
    await(sos_sleep(task, 1));
    CHECK_INT(sos_sim_shutdown(world.kernel, self->redis->stream->fd), SOS_OK);
    async_spawn(one, sos_opt(), .redis = self->redis, .text = "in the buffer");
    await(sos_sleep(task, 1));
    CHECK_INT(sos_stream_error(self->redis->stream), SOS_EPIPE);
    async_spawn(one, sos_opt(), .redis = self->redis, .text = "refused");
    async_spawn(one, sos_opt(), .redis = self->redis, .text = "and after it");
    CHECKED(sos_scope_join(task, &self->scope), SOS_OK);
    CHECK_INT(sos_redis_connections(self->redis), 2);
    async_finally;
    sos_redis_close(self->redis);
    async_end;
}

static bool has(const char *text)
{
    return strstr(sos_sim_trace(world.kernel), text) != NULL;
}

static void a_command_refused_by_its_stream_is_not_put_in_line(void)
{
    open_world(NULL);
    sos_fork(world.os, shut, sos_opt(.priority = 5));
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(has(" answered: OK\n"));
    CHECK(has(" in the buffer: ELOST\n"));
    CHECK(has(" refused: OK\n")); /* with the next connection, */
    CHECK(has(" and after it: OK\n"));
    sos_sim_trace_clear(world.kernel);
    close_world();
}

/* ---- Accepted and dropped */

struct dropper {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
};

static int dropped;

static async_fn(dropper)
{
    async_begin(dropper);
    CHECK_INT(sos_listener_open(sos_of(task),
                                &(struct sos_listen){ .host = "10.0.0.2", .port = 6379 },
                                &self->listener),
              SOS_OK);
    for (;;) {
        try_await(sos_accept(task, self->listener, &self->stream));
        if (dropped++ == 0) { /* the first one is answered, so that there is a client */
            await(sos_stream_more(task, self->stream));
            await(sos_stream_write(task, self->stream, "+OK\r\n", 5));
        }
        sos_stream_close(self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_listener_close(self->listener);
    async_end;
}

struct waiter {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis *redis;
};

static async_fn(waiter)
{
    async_begin(waiter);
    self->options = options();
    self->options.host = "10.0.0.2";
    self->options.protocol = 2;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_OK);
    await(sos_sleep(task, SOS_SEC(100)));
    CHECKED(sos_within(task, 0, sos_redis_ping(task, self->redis)), SOS_ETIMEDOUT);
    async_finally;
    sos_redis_close(self->redis);
    async_end;
}

/* 100 ms, 200, 400 ... 10 s: about 16 attempts in 100 s; without it there would be thousands. */
static void a_server_that_accepts_and_drops_is_not_overrun(void)
{
    open_world(NULL);
    dropped = 0;
    sos_fork(world.os, dropper, sos_opt(.priority = 3, .watcher = true));
    sos_fork(world.os, waiter, sos_opt(.priority = 5));
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(dropped > 10 && dropped < 40);
    close_world();
}

/* ---- Something of everything */

struct all {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis *redis;
    struct sos_redis_reply reply;
    struct sos_redis_pipeline pipeline;
    struct sos_redis_message message;
    int status;
};

static async_fn(all)
{
    async_begin(all);
    self->options = options();
    try_await(sos_redis_connect(task, &self->options, &self->redis));
    try_await(sos_redis_subscribe(task, self->redis, "news"));
    try_await(sos_redis_command(task, self->redis, &self->reply, "ECHO", "hello"));
    self->pipeline.redis = self->redis;
    sos_redis_add(&self->pipeline, "PING");
    sos_redis_add(&self->pipeline, "ECHO", "hello");
    try_await(sos_redis_pipeline_run(task, &self->pipeline, &self->reply));
    try_await(sos_redis_publish(task, self->redis, "news", "x", 1));
    try_await(
        sos_within(task, SOS_SEC(1), sos_redis_next_message(task, self->redis, &self->message)));
    sos_sim_reset(world.kernel, self->redis->stream != NULL ? self->redis->stream->fd : -1);
    await(sos_redis_ping(task, self->redis));
    try_await(sos_within(task, SOS_SEC(5), sos_redis_ping(task, self->redis)));
    try_await(sos_redis_unsubscribe(task, self->redis, "news"));
    async_finally;
    self->status = sos_status(task);
    sos_redis_reply_free(&self->reply);
    sos_redis_pipeline_free(&self->pipeline);
    sos_redis_message_free(&self->message);
    sos_redis_close(self->redis);
    async_end;
}

static void it_can_all_be_done(void)
{
    open_world(NULL);
    sos_handle task = sos_fork(world.os, all, sos_opt(.priority = 5));
    int result = -1;
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(sos_result(world.os, task, &result), SOS_OK);
    CHECK_INT(result, SOS_OK);
    CHECK_INT(sim.connections, 2);
    close_world();
}

static void a_kill_at_any_step_leaves_nothing(void)
{
    for (int steps = 0;; steps++) {
        open_world(NULL);
        sos_handle target = sos_fork(world.os, all, sos_opt(.priority = 5));
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        bool over = sos_kill(world.os, target) == SOS_ESTALE;
        close_world();
        if (over && steps > 50)
            break;
    }
}

static void a_deadline_at_any_time_leaves_nothing(void)
{
    for (int64_t us = 1; us < 30000; us += 97) {
        open_world(NULL);
        sos_fork(world.os, shut, sos_opt(.priority = 5));
        sos_handle target = sos_fork(world.os, all, sos_opt(.priority = 5));
        while (sos_now(world.os) < (uint64_t)us)
            sos_run_once(world.os, us - (int64_t)sos_now(world.os));
        sos_kill(world.os, target);
        close_world();
    }
}

/* The client goes on or says so; and what it cannot do at once it does when there is memory again. */
static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    for (uint64_t n = 1;; n++) {
        open_world(NULL);
        sos_fork(world.os, all, sos_opt(.priority = 5));
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        sos_sim_trace_clear(world.kernel);
        close_world();
        if (!failed)
            break;
    }
}

/* ---- Bad calls */

/* No host has a name like that. */
static char too_long[300];

static async_fn(misused)
{
    async_begin(all);
    self->options = options();
    self->options.protocol = 1;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_EINVAL);
    self->options.protocol = 4;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_EINVAL);
    self->options.protocol = 0;
    self->options.attempt_us = -1;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_EINVAL);
    self->options.attempt_us = 0;
    self->options.reconnect.max_delay_us = 1;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_EINVAL);
    self->options.reconnect.max_delay_us = 0;
    self->options.reconnect.first_delay_us = 0;
    CHECKED(sos_redis_connect(task, &self->options, NULL), SOS_EINVAL);
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_OK);
    CHECKED(sos_redis_send(task, self->redis, &self->reply, 0, NULL, NULL), SOS_EINVAL);
    CHECKED(sos_redis_next_message(task, self->redis, NULL), SOS_EINVAL);
    sos_redis_close(self->redis);
    self->redis = NULL;
    self->options.host = too_long;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_EINVAL);
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_close(self->redis);
    async_end;
}

static void wrong_calls_are_refused(void)
{
    open_world(NULL);
    memset(too_long, 'x', sizeof too_long - 1);
    const struct all none = { .status = 0 };
    const struct sos_start start = { .function = misused,
                                     .frame = &none,
                                     .name = "misused",
                                     .size = sizeof none,
                                     .options = { .priority = 5 } };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    close_world();
}

static void without_free_tasks_there_is_no_client(void)
{
    open_world(&(struct sos_config){ .task_capacity = 3 }); /* it needs two */
    sos_handle task = sos_fork(world.os, all, sos_opt(.priority = 5));
    int result = 0;
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(sos_result(world.os, task, &result), SOS_OK);
    CHECK_INT(result, SOS_ECAPACITY);
    sos_sim_trace_clear(world.kernel);
    close_world();
}

int main(void)
{
    a_command_refused_by_its_stream_is_not_put_in_line();
    a_server_that_accepts_and_drops_is_not_overrun();
    it_can_all_be_done();
    a_kill_at_any_step_leaves_nothing();
    a_deadline_at_any_time_leaves_nothing();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    wrong_calls_are_refused();
    without_free_tasks_there_is_no_client();
    return 0;
}
