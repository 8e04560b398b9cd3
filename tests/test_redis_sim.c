/* SPDX-License-Identifier: MIT */
/*
 * The Redis client over the simulated network: delays, resets, half-open links and slow readers by
 * seed, kills and deadlines at any moment.
 */
#include "redis_sim.h"
#include "smallos/redis.h"

enum { TASKS = 4, ROUNDS = 6, SEEDS = 1000 };

static struct redis_sim sim;

/* What all tasks of a run have done. */
static struct {
    sos_redis *redis;
    int running;
    int counted, uncertain; /* INCR that were answered, and those that may have been carried out */
    int published, heard;
    bool over;
} run;

static bool is_clear(int status)
{
    return status >= SOS_OK || status == SOS_ELOST || status == SOS_ETIMEDOUT;
}

static bool is_failed_attempt(int status)
{
    return status == SOS_OK || status == SOS_ECONNREFUSED || status == SOS_ECONNRESET ||
           status == SOS_ETIMEDOUT || status == SOS_EEOF;
}

static int64_t patience(void)
{
    return SOS_MS(1) + sos_sim_random(world.kernel, SOS_MS(200));
}

/* ---- Tasks that share the client */

struct user {
    sos_frame frame;
    struct sos_redis_reply reply;
    struct sos_redis_pipeline pipeline;
    int number, round;
    char text[32];
};

static void note_count(int status)
{
    CHECK(is_clear(status));
    if (status >= SOS_OK)
        run.counted++;
    else
        run.uncertain++;
}

static void expect_echo(const struct sos_redis_value *value, const char *text)
{
    CHECK(value != NULL && value->type == SOS_REDIS_STRING);
    CHECK_TEXT(value->text, text);
}

static void fill(struct user *self)
{
    snprintf(self->text, sizeof self->text, "%d of %d", self->round, self->number);
    sos_redis_pipeline_clear(&self->pipeline);
    for (int index = 0; index < 3; index++)
        sos_redis_add(&self->pipeline, "ECHO", self->text);
}

static async_fn(user)
{
    async_begin(user);
    self->pipeline.redis = run.redis;
    for (; self->round < ROUNDS; self->round++) {
        fill(self);
        await(sos_within(task, patience(),
                         sos_redis_command(task, run.redis, &self->reply, "ECHO", self->text)));
        CHECK(is_clear(sos_status(task)));
        if (sos_status(task) == SOS_OK)
            expect_echo(self->reply.value, self->text);
        await(sos_within(
            task, patience(),
            sos_redis_count(task, run.redis, 2, (const char *const[]){ "INCR", "counter" }, NULL)));
        note_count(sos_status(task));
        await(sos_within(task, patience(),
                         sos_redis_pipeline_run(task, &self->pipeline, &self->reply)));
        CHECK(is_clear(sos_status(task)));
        if (sos_status(task) == SOS_OK)
            expect_echo(sos_redis_item(self->reply.value, 2), self->text);
        await(sos_sleep(task, sos_sim_random(world.kernel, SOS_MS(30))));
    }
    async_finally;
    run.running--;
    sos_redis_reply_free(&self->reply);
    sos_redis_pipeline_free(&self->pipeline);
    async_end;
}

/* Messages are numbered: none comes twice or out of order, and none is missing without a word. */
struct hearer {
    sos_frame frame;
    struct sos_redis_message message;
    int last;
};

static int number_of(const struct sos_redis_message *message)
{
    CHECK(message->channel != NULL && message->payload != NULL);
    CHECK_TEXT(message->channel->text, "news");
    return atoi(message->payload->text);
}

static async_fn(hearer)
{
    async_begin(hearer);
    for (;;) {
        try_await(sos_redis_next_message(task, run.redis, &self->message));
        CHECK(number_of(&self->message) > self->last);
        if (self->last != 0 && !self->message.gap)
            CHECK_INT(number_of(&self->message), self->last + 1);
        self->last = number_of(&self->message);
        run.heard++;
    }
    async_finally;
    sos_redis_message_free(&self->message);
    async_end;
}

/* ---- A run: the network is bad, then good again, and then everything must work */

static void bad_network(void)
{
    const struct sos_sim_route route = {
        .connect_min_us = 10,
        .connect_max_us = 20000,
        .give_up_us = 500000,
        .refused_percent = 20,
        .black_hole_percent = 10,
        .reset_percent = 50,
        .half_open_percent = 30,
        .reset_us = 200000,
        .stream = { .delay_min_us = 10, .delay_max_us = 3000, .capacity = 256, .transfer_max = 100 }
    };
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, &route), SOS_OK);
}

static void good_network(void)
{
    const struct sos_sim_route route = { .connect_min_us = 10 };
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, &route), SOS_OK);
}

static struct sos_redis_options options(void)
{
    return (struct sos_redis_options){ .host = "10.0.0.1",
                                       .database = 3,
                                       .attempt_us = SOS_MS(300),
                                       .reconnect = { .first_delay_us = SOS_MS(5),
                                                      .max_delay_us = SOS_MS(50),
                                                      .silence_us = SOS_MS(100) } };
}

struct director {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis *redis;
    struct sos_redis_reply reply;
    struct sos_scope scope;
    int index;
    char text[16];
    sos_handle users[TASKS];
};

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))

static sos_op publish(sos_task *task, struct director *self)
{
    snprintf(self->text, sizeof self->text, "%d", ++run.published);
    return sos_redis_publish(task, self->redis, "news", self->text, strlen(self->text));
}

static async_fn(director)
{
    async_begin(director);
    self->options = options();
    bad_network();
    do {
        await(sos_redis_connect(task, &self->options, &self->redis));
        CHECK(is_failed_attempt(sos_status(task)));
    } while (sos_status(task) != SOS_OK);
    run.redis = self->redis;
    do {
        await(sos_redis_subscribe(task, self->redis, "news"));
        CHECK(sos_status(task) == SOS_OK || sos_status(task) == SOS_ELOST);
    } while (sos_status(task) != SOS_OK);
    sos_scope_open(task, &self->scope);
    async_spawn(hearer, sos_opt(.detached = true));
    run.running = TASKS;
    for (; self->index < TASKS; self->index++)
        self->users[self->index] = async_spawn(user, sos_opt(.detached = true),
                                               .number = self->index);
    for (self->index = 0; run.running != 0; self->index++) {
        await(sos_sleep(task, SOS_MS(20)));
        if (self->index == 3) /* whatever it is doing */
            sos_kill(sos_of(task), self->users[0]);
        if (!sim.old && self->index % 4 == 0)
            await(sos_within(task, SOS_MS(50), publish(task, self)));
    }
    good_network();
    do {
        await(sos_within(task, SOS_SEC(5), sos_redis_ping(task, self->redis)));
        CHECK(sos_status(task) == SOS_OK || sos_status(task) == SOS_ELOST);
    } while (sos_status(task) != SOS_OK);
    await(sos_sleep(task, SOS_MS(50))); /* the half-open ones have been found out */
    do {
        await(sos_within(task, SOS_SEC(5), publish(task, self)));
        CHECK(sos_status(task) >= SOS_OK || sos_status(task) == SOS_ELOST);
    } while (sos_status(task) < 1);
    async_finally;
    run.over = true;
    sos_redis_reply_free(&self->reply);
    sos_redis_close(self->redis);
    async_end;
}

static void run_seed(uint64_t seed)
{
    memset(&run, 0, sizeof run);
    world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
    sim = (struct redis_sim){ .old = seed % 4 == 0, .lag_us = seed % 3 == 0 ? 4000 : 0 };
    redis_sim_start(&sim, 3);
    sos_fork(world.os, director, sos_opt(.priority = 5));
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(run.over);
    CHECK(sim.counter >= run.counted); /* nothing that was acknowledged is lost, */
    CHECK(sim.counter <= run.counted + run.uncertain + 1); /* nothing done twice; one was killed */
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

static void a_bad_network_is_overcome(void)
{
    enum { FEW = 30 };
    uint64_t seeds = getenv("SOS_VALGRIND") != NULL ? FEW : SEEDS;
    int heard = 0, connections = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        run_seed(seed);
        heard += run.heard;
        connections += sim.connections;
    }
    printf("%llu seeds, %d connections, %d messages\n", (unsigned long long)seeds, connections,
           heard);
    CHECK(heard > 0 && connections > (int)seeds);
}

int main(void)
{
    a_bad_network_is_overcome();
    return 0;
}
