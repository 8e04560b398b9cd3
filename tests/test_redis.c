/* SPDX-License-Identifier: MIT */
/* The Redis client against redis-server, directly and through every fault, on every back end. */
#include "redis_scene.h"

static async_fn(commands)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "SET", "key", "value");
    expect_text(self->reply.value, SOS_REDIS_STRING, "OK");
    CHECKED_COMMAND(SOS_OK, "GET", "key");
    expect_text(self->reply.value, SOS_REDIS_STRING, "value");
    CHECKED_COMMAND(SOS_OK, "GET", "no such key");
    CHECK_INT(self->reply.value->type, SOS_REDIS_NULL);
    CHECKED_COMMAND(SOS_OK, "INCRBY", "number", "-42");
    CHECK_INT(self->reply.value->integer, -42);
    CHECKED_COMMAND(SOS_ESERVER, "INCR", "key");
    expect_text(self->reply.value, SOS_REDIS_ERROR, "ERR value is not an integer or out of range");
    CHECKED_COMMAND(SOS_OK, "RPUSH", "list", "a", "b", "");
    CHECKED_COMMAND(SOS_OK, "LRANGE", "list", "0", "-1");
    CHECK_INT(self->reply.value->count, 3);
    expect_text(sos_redis_item(self->reply.value, 1), SOS_REDIS_STRING, "b");
    expect_text(sos_redis_item(self->reply.value, 2), SOS_REDIS_STRING, "");
    CHECK(sos_redis_item(self->reply.value, 3) == NULL);
    CHECKED_COMMAND(SOS_OK, "FLUSHALL");
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(nested_error)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "SET", "text", "abc");
    CHECKED_COMMAND(SOS_OK, "MULTI");
    CHECKED_COMMAND(SOS_OK, "INCR", "text");
    CHECKED_COMMAND(SOS_OK, "GET", "text");
    CHECKED_COMMAND(SOS_OK, "EXEC");
    CHECK_INT(self->reply.value->count, 2);
    CHECK_INT(sos_redis_item(self->reply.value, 0)->type, SOS_REDIS_ERROR);
    expect_text(sos_redis_item(self->reply.value, 1), SOS_REDIS_STRING, "abc");
    CHECKED_COMMAND(SOS_OK, "PING");
    expect_text(self->reply.value, SOS_REDIS_STRING, "PONG");
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(resp3)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "HELLO", "3");
    CHECK_INT(self->reply.value->type, SOS_REDIS_MAP);
    expect_text(sos_redis_item(self->reply.value, 0), SOS_REDIS_STRING, "server");
    CHECKED_COMMAND(SOS_OK, "ZADD", "scores", "1.5", "ann");
    CHECKED_COMMAND(SOS_OK, "ZSCORE", "scores", "ann");
    CHECK_INT(self->reply.value->type, SOS_REDIS_DOUBLE);
    CHECK(self->reply.value->number > 1.4 && self->reply.value->number < 1.6);
    async_finally;
    scene_end(self);
    async_end;
}

/* ---- Many tasks on one connection */

enum { MANY = 100, ROUNDS = 50 };

struct sharer {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_reply reply;
    int number, round;
    char text[32];
};

static const char *numbered(char *text, int number, int round)
{
    snprintf(text, 32, "%d.%d", number, round);
    return text;
}

static async_fn(sharer)
{
    async_begin(sharer);
    for (; self->round < ROUNDS; self->round++) {
        try_await(sos_redis_command(task, self->redis, &self->reply, "ECHO",
                                    numbered(self->text, self->number, self->round)));
        expect_text(self->reply.value, SOS_REDIS_STRING,
                    numbered(self->text, self->number, self->round));
    }
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

struct crowd {
    sos_frame frame;
    struct scene *scene;
    struct sos_scope scope;
    int index;
};

static async_fn(crowd)
{
    async_begin(crowd);
    sos_scope_open(task, &self->scope);
    for (; self->index < MANY; self->index++)
        async_spawn(sharer, sos_opt(), .redis = self->scene->redis, .number = self->index);
    await(sos_scope_join(task, &self->scope));
    CHECK_INT(sos_status(task), SOS_OK);
    async_end;
}

static async_fn(shared)
{
    async_begin(scene);
    CONNECT();
    CHECKED(async_call(crowd, .scene = self), SOS_OK);
    async_finally;
    scene_end(self);
    async_end;
}

/* ---- Deadlines */

static async_fn(late_reply)
{
    async_begin(scene);
    CONNECT();
    CHECKED(sos_within(task, SOS_MS(20),
                       sos_redis_command(task, self->redis, &self->reply, "BLPOP", "none", "0.1")),
            SOS_ETIMEDOUT);
    CHECKED_COMMAND(SOS_OK, "ECHO", "in step");
    expect_text(self->reply.value, SOS_REDIS_STRING, "in step");
    async_finally;
    scene_end(self);
    async_end;
}

/* ---- Limits and refusals */

static async_fn(too_large)
{
    async_begin(scene);
    self->options.max_response_size = 100;
    self->options.reconnect.first_delay_us = SOS_MS(1);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "SETRANGE", "long", "200", "x");
    CHECKED_COMMAND(SOS_ELIMIT, "GET", "long");
    CHECK(strstr(sos_redis_error(self->redis), "byte ") != NULL);
    CHECK_INT(sos_redis_is_up(self->redis), false);
    CHECKED_COMMAND(SOS_OK, "PING");
    CHECK_INT(sos_redis_connections(self->redis), 2);
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(wrong_password)
{
    async_begin(scene);
    self->options.user = "nobody";
    self->options.password = "wrong";
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_ESERVER);
    CHECK(self->redis == NULL);
    self->options.user = self->options.password = NULL;
    self->options.database = 99;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_ESERVER);
    self->options.database = 3;
    CONNECT();
    async_finally;
    scene_end(self);
    async_end;
}

/* ---- Faults: a clear error or a good reply within its deadline */

static int fault_status;
static int64_t fault_limit;

static async_fn(faulty)
{
    async_begin(scene);
    await(sos_within(task, fault_limit, sos_redis_connect(task, &self->options, &self->redis)));
    if (sos_status(task) == SOS_OK)
        await(sos_within(task, fault_limit,
                         sos_redis_command(task, self->redis, &self->reply, "ECHO", "hello")));
    fault_status = sos_status(task);
    if (fault_status == SOS_OK)
        expect_text(self->reply.value, SOS_REDIS_STRING, "hello");
    async_finally;
    scene_end(self);
    async_end;
}

static void expect_fault(struct fault fault, int status)
{
    redis_proxy = (struct fault_proxy){ .fault = fault };
    fault_status = 1;
    fault_limit = status == SOS_ETIMEDOUT ? SOS_MS(100) : SOS_SEC(20);
    run_scene(faulty, true);
    if (status == SOS_ECONNRESET) /* or the end of the stream, as the close and what is sent race */
        CHECK(fault_status == SOS_ECONNRESET || fault_status == SOS_EEOF);
    else
        CHECK_INT(fault_status, status);
}

static void every_fault_ends_in_time(void)
{
    expect_fault((struct fault){ .kind = FAULT_NONE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(20) }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DRIBBLE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_CUT, .after = 5 }, SOS_EEOF);
    expect_fault((struct fault){ .kind = FAULT_RESET, .after = 5 }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_HALF_CLOSE, .after = 5 }, SOS_EEOF);
    expect_fault((struct fault){ .kind = FAULT_STALL, .after = 5 }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_BLACK_HOLE }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_REFUSE }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .bytes = "what?\r\n", .size = 7 },
                 SOS_EPROTO);
}

static void commands_and_their_replies(void)
{
    run_scene(commands, false);
}

static void an_error_in_an_array_leaves_the_connection_in_step(void)
{
    run_scene(nested_error, false);
}

static void resp3_can_be_asked_for(void)
{
    run_scene(resp3, false);
}

static void many_tasks_share_one_connection(void)
{
    run_scene(shared, false);
}

static void a_late_reply_is_thrown_away(void)
{
    run_scene(late_reply, false);
}

static void a_reply_beyond_the_limit_ends_the_connection(void)
{
    run_scene(too_large, false);
}

static void refusals_of_the_server_are_told(void)
{
    run_scene(wrong_password, false);
}

int main(void)
{
    void (*const tests[])(void) = {
        commands_and_their_replies,      an_error_in_an_array_leaves_the_connection_in_step,
        resp3_can_be_asked_for,          many_tasks_share_one_connection,
        a_late_reply_is_thrown_away,     a_reply_beyond_the_limit_ends_the_connection,
        refusals_of_the_server_are_told, every_fault_ends_in_time,
    };
    redis_server_start(NULL);
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&redis_server);
    return 0;
}
