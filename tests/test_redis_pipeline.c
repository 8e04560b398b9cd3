/* SPDX-License-Identifier: MIT */
/* Pipelines and transactions of the Redis client against redis-server. */
#include "redis_scene.h"

#define PIPELINE() (self->pipeline = (struct sos_redis_pipeline){ .redis = self->redis })

/* ---- Pipelines */

enum { COMMANDS = 1000 };

static void add_echoes(struct sos_redis_pipeline *pipeline, int count)
{
    char text[32];
    for (int number = 0; number < count; number++) {
        snprintf(text, sizeof text, "number %d", number);
        CHECK_INT(sos_redis_add(pipeline, "ECHO", text), SOS_OK);
    }
}

static void expect_echoes(const struct sos_redis_reply *reply, int count)
{
    char text[32];
    CHECK_INT(reply->value->type, SOS_REDIS_ARRAY);
    CHECK_INT(reply->value->count, count);
    CHECK_INT(reply->value->span, count + 1);
    const struct sos_redis_value *value = sos_redis_item(reply->value, 0);
    for (int number = 0; number < count; number++, value = sos_redis_next(value)) {
        snprintf(text, sizeof text, "number %d", number);
        expect_text(value, SOS_REDIS_STRING, text);
    }
}

static async_fn(in_order)
{
    async_begin(scene);
    CONNECT();
    PIPELINE();
    add_echoes(&self->pipeline, COMMANDS);
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), 0);
    expect_echoes(&self->reply, COMMANDS);
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), 0); /* it is still there */
    expect_echoes(&self->reply, COMMANDS);
    sos_redis_pipeline_clear(&self->pipeline);
    add_echoes(&self->pipeline, 1);
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), 0);
    expect_echoes(&self->reply, 1);
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, NULL), 0);
    CHECKED_COMMAND(SOS_OK, "PING");
    async_finally;
    scene_end(self);
    async_end;
}

static void replies_of_a_pipeline_come_in_order_as_one(void)
{
    run_scene(in_order, false);
}

static async_fn(mixed)
{
    async_begin(scene);
    CONNECT();
    PIPELINE();
    sos_redis_add(&self->pipeline, "DEL", "text", "list");
    sos_redis_add(&self->pipeline, "SET", "text", "abc");
    sos_redis_add(&self->pipeline, "INCR", "text");
    sos_redis_add(&self->pipeline, "RPUSH", "list", "a", "", "c");
    sos_redis_add(&self->pipeline, "LRANGE", "list", "0", "-1");
    sos_redis_add(&self->pipeline, "GET", "no such key");
    sos_redis_add(&self->pipeline, "NOSUCHCOMMAND");
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), 2); /* errors */
    CHECK_INT(self->reply.value->count, 7);
    expect_text(sos_redis_item(self->reply.value, 2), SOS_REDIS_ERROR,
                "ERR value is not an integer or out of range");
    self->value = sos_redis_item(self->reply.value, 4);
    CHECK_INT(self->value->count, 3);
    expect_text(sos_redis_item(self->value, 1), SOS_REDIS_STRING, "");
    expect_text(sos_redis_item(self->value, 2), SOS_REDIS_STRING, "c");
    CHECK_INT(sos_redis_item(self->reply.value, 5)->type, SOS_REDIS_NULL);
    CHECK_INT(sos_redis_item(self->reply.value, 6)->type, SOS_REDIS_ERROR);
    async_finally;
    scene_end(self);
    async_end;
}

static void errors_in_a_pipeline_are_items_and_counted(void)
{
    run_scene(mixed, false);
}

static async_fn(refused)
{
    async_begin(scene);
    CONNECT();
    PIPELINE();
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), SOS_EINVAL);
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_EINVAL);
    CHECK_INT(sos_redis_add(&self->pipeline, "Subscribe", "x"), SOS_EINVAL);
    CHECK_INT(sos_redis_add(&self->pipeline, "PING"), SOS_OK);
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), SOS_EINVAL);
    sos_redis_pipeline_free(&self->pipeline);
    self->pipeline.max_size = 40;
    CHECK_INT(sos_redis_add(&self->pipeline, "PING"), SOS_OK); /* 14 bytes */
    CHECK_INT(sos_redis_add(&self->pipeline, "ECHO", "not this one"), SOS_ELIMIT);
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_ELIMIT);
    CHECK(self->reply.value == NULL);
    async_finally;
    scene_end(self);
    async_end;
}

static void what_cannot_be_added_ends_the_pipeline(void)
{
    run_scene(refused, false);
}

static async_fn(late)
{
    async_begin(scene);
    CONNECT();
    PIPELINE();
    sos_redis_add(&self->pipeline, "ECHO", "first");
    sos_redis_add(&self->pipeline, "BLPOP", "none", "0.1");
    sos_redis_add(&self->pipeline, "ECHO", "third");
    CHECKED(
        sos_within(task, SOS_MS(20), sos_redis_pipeline_run(task, &self->pipeline, &self->reply)),
        SOS_ETIMEDOUT);
    sos_redis_pipeline_free(&self->pipeline); /* nobody needs it any more */
    CHECKED_COMMAND(SOS_OK, "ECHO", "in step");
    expect_text(self->reply.value, SOS_REDIS_STRING, "in step");
    async_finally;
    scene_end(self);
    async_end;
}

static void late_replies_of_a_pipeline_are_thrown_away(void)
{
    run_scene(late, false);
}

/* ---- Transactions */

static async_fn(carried_out)
{
    async_begin(scene);
    CONNECT();
    PIPELINE();
    sos_redis_add(&self->pipeline, "SET", "balance", "10");
    sos_redis_add(&self->pipeline, "INCRBY", "balance", "5");
    sos_redis_add(&self->pipeline, "LPUSH", "balance", "x");
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), 1);
    CHECK_INT(self->reply.value->count, 3);
    expect_text(sos_redis_item(self->reply.value, 0), SOS_REDIS_STRING, "OK");
    expect_integer(sos_redis_item(self->reply.value, 1), 15);
    CHECK_INT(sos_redis_item(self->reply.value, 2)->type, SOS_REDIS_ERROR);
    CHECKED(sos_redis_transaction(task, &self->pipeline, NULL), 1);
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(not_queued)
{
    async_begin(scene);
    CONNECT();
    PIPELINE();
    CHECKED_COMMAND(SOS_OK, "SET", "balance", "1");
    sos_redis_add(&self->pipeline, "SET", "balance", "2");
    sos_redis_add(&self->pipeline, "NOSUCHCOMMAND");
    sos_redis_add(&self->pipeline, "GET");
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_ESERVER);
    CHECK_INT(self->reply.value->type, SOS_REDIS_ERROR);
    CHECK(strncmp(self->reply.value->text, "ERR unknown command 'NOSUCHCOMMAND'", 34) == 0);
    CHECK_INT(self->reply.value->span, 1);
    CHECKED_COMMAND(SOS_OK, "GET", "balance");
    expect_text(self->reply.value, SOS_REDIS_STRING, "1");
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(watched)
{
    async_begin(scene);
    CONNECT();
    CHECKED(sos_redis_another(task, self->redis, &self->second), SOS_OK);
    PIPELINE();
    sos_redis_add(&self->pipeline, "SET", "balance", "from the transaction");
    CHECKED(sos_redis_watch(task, self->redis, "balance"), SOS_OK);
    CHECKED(sos_redis_set(task, self->second, "balance", "changed", 7), SOS_OK);
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_EAGAIN);
    CHECK_INT(self->reply.value->type, SOS_REDIS_NULL);
    CHECKED(sos_redis_watch(task, self->redis, "balance"), SOS_OK);
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_OK);
    CHECKED(sos_redis_watch(task, self->redis, "balance"), SOS_OK);
    CHECKED(sos_redis_set(task, self->second, "balance", "changed", 7), SOS_OK);
    CHECKED(sos_redis_unwatch(task, self->redis), SOS_OK);
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_OK);
    async_finally;
    scene_end(self);
    async_end;
}

/* With the connection the watch is gone: the server would carry the transaction out unguarded. */
static async_fn(watch_lost)
{
    async_begin(scene);
    self->options.reconnect.first_delay_us = SOS_MS(1);
    CONNECT();
    CHECKED(sos_redis_another(task, self->redis, &self->second), SOS_OK);
    PIPELINE();
    sos_redis_add(&self->pipeline, "SET", "balance", "unguarded");
    CHECKED_COMMAND(SOS_OK, "SET", "balance", "guarded");
    CHECKED(sos_redis_watch(task, self->redis, "balance"), SOS_OK);
    CHECKED(sos_redis_command(task, self->second, NULL, "CLIENT", "KILL", "TYPE", "normal"),
            SOS_OK);
    await(sos_redis_ping(task, self->redis));
    CHECK(sos_status(task) == SOS_OK || sos_status(task) == SOS_ELOST);
    CHECKED_COMMAND(SOS_OK, "PING");
    CHECK_INT(sos_redis_connections(self->redis), 2);
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_EAGAIN);
    CHECKED_COMMAND(SOS_OK, "GET", "balance");
    expect_text(self->reply.value, SOS_REDIS_STRING, "guarded");
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_OK);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_transaction_is_carried_out_as_a_whole(void)
{
    run_scene(carried_out, false);
}

static void a_command_that_is_not_queued_undoes_it(void)
{
    run_scene(not_queued, false);
}

static void a_watched_key_that_changes_undoes_it(void)
{
    run_scene(watched, false);
}

static void a_watch_does_not_outlive_its_connection_unnoticed(void)
{
    run_scene(watch_lost, false);
}

int main(void)
{
    void (*const tests[])(void) = {
        replies_of_a_pipeline_come_in_order_as_one,
        errors_in_a_pipeline_are_items_and_counted,
        what_cannot_be_added_ends_the_pipeline,
        late_replies_of_a_pipeline_are_thrown_away,
        a_transaction_is_carried_out_as_a_whole,
        a_command_that_is_not_queued_undoes_it,
        a_watched_key_that_changes_undoes_it,
        a_watch_does_not_outlive_its_connection_unnoticed,
    };
    redis_server_start(NULL);
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&redis_server);
    return 0;
}
