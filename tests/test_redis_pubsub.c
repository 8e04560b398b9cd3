/* SPDX-License-Identifier: MIT */
/* Publish and subscribe of the Redis client, with RESP2 and RESP3, against redis-server. */
#include "redis_scene.h"

static uint8_t protocol;

static void run_both(sos_async_function function)
{
    for (protocol = 2; protocol <= 3; protocol++) {
        unix_open(&here, NULL);
        run_scene_with(function,
                       &(struct sos_redis_options){ .port = redis_server.port,
                                                    .protocol = protocol,
                                                    .reconnect.first_delay_us = SOS_MS(1) });
    }
}

#define PUBLISH(channel, text, receivers)                                                          \
    CHECKED(sos_redis_publish(task, self->second, channel, text, strlen(text)), receivers)
#define NEXT() CHECKED(sos_redis_next_message(task, self->redis, &self->message), SOS_OK)
#define BOTH() CHECKED(scene_connect_both(task, self), SOS_OK)

static void expect_message(const struct sos_redis_message *message, const char *pattern,
                           const char *channel, const char *payload)
{
    CHECK((message->pattern == NULL) == (pattern == NULL));
    if (pattern != NULL)
        expect_text(message->pattern, SOS_REDIS_STRING, pattern);
    expect_text(message->channel, SOS_REDIS_STRING, channel);
    expect_text(message->payload, SOS_REDIS_STRING, payload);
}

/* ---- Messages */

static async_fn(messages)
{
    async_begin(scene);
    BOTH();
    CHECK_INT(sos_redis_protocol(self->redis), protocol);
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    CHECKED(sos_redis_psubscribe(task, self->redis, "n?ws*"), SOS_OK);
    PUBLISH("news", "one", 2);
    PUBLISH("nows", "two", 1);
    PUBLISH("else", "nobody hears it", 0);
    NEXT();
    expect_message(&self->message, NULL, "news", "one");
    NEXT();
    expect_message(&self->message, "n?ws*", "news", "one");
    NEXT();
    expect_message(&self->message, "n?ws*", "nows", "two");
    CHECK_INT(self->message.lost, 0);
    CHECK(!self->message.gap);
    CHECKED(sos_redis_punsubscribe(task, self->redis, "n?ws*"), SOS_OK);
    PUBLISH("nows", "three", 0);
    CHECKED(sos_redis_unsubscribe(task, self->redis, "news"), SOS_OK);
    PUBLISH("news", "four", 0);
    CHECKED(sos_redis_unsubscribe(task, self->redis, "never subscribed to"), SOS_OK);
    CHECKED_COMMAND(SOS_OK, "ECHO", "in step");
    expect_text(self->reply.value, SOS_REDIS_STRING, "in step");
    CHECKED(sos_within(task, 0, sos_redis_next_message(task, self->redis, &self->message)),
            SOS_ETIMEDOUT);
    async_finally;
    scene_end(self);
    async_end;
}

static void messages_come_by_channel_and_by_pattern(void)
{
    run_both(messages);
}

/* With RESP2 the server refuses other commands meanwhile, which leaves the connection in step. */
static async_fn(commands_beside)
{
    async_begin(scene);
    BOTH();
    CHECKED_COMMAND(SOS_OK, "DEL", "list");
    CHECKED_COMMAND(SOS_OK, "RPUSH", "list", "message", "news", "fake");
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    CHECKED_COMMAND(protocol == 3 ? SOS_OK : SOS_ESERVER, "LRANGE", "list", "0", "-1");
    CHECK_INT(self->reply.value->type, protocol == 3 ? SOS_REDIS_ARRAY : SOS_REDIS_ERROR);
    CHECKED(sos_redis_ping(task, self->redis), SOS_OK);
    PUBLISH("news", "true", 1);
    NEXT();
    expect_message(&self->message, NULL, "news", "true");
    CHECKED(sos_redis_unsubscribe(task, self->redis, "news"), SOS_OK);
    CHECKED_COMMAND(SOS_OK, "LRANGE", "list", "0", "-1");
    CHECK_INT(self->reply.value->count, 3);
    async_finally;
    scene_end(self);
    async_end;
}

static void commands_go_on_beside_subscriptions(void)
{
    run_both(commands_beside);
}

static async_fn(by_hand)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_EINVAL, "SUBSCRIBE", "news");
    CHECKED_COMMAND(SOS_EINVAL, "punsubscribe");
    CHECKED_COMMAND(SOS_EINVAL, "sSubscribe", "a");
    CHECKED_COMMAND(SOS_OK, "ECHO", "in step");
    async_finally;
    scene_end(self);
    async_end;
}

static void subscribing_by_hand_is_refused(void)
{
    run_both(by_hand);
}

/* ---- Several tasks */

enum { TASKS = 20, CHANNELS = 5, ROUNDS = 10 };

struct fickle {
    sos_frame frame;
    sos_redis *redis;
    int number, round;
    char channel[16];
};

/* Subscribes and unsubscribes, and echoes in between. */
static async_fn(fickle)
{
    async_begin(fickle);
    snprintf(self->channel, sizeof self->channel, "c%d", self->number % CHANNELS);
    for (; self->round < ROUNDS; self->round++) {
        CHECKED(sos_redis_subscribe(task, self->redis, self->channel), SOS_OK);
        CHECKED(sos_redis_ping(task, self->redis), SOS_OK);
        await(sos_within(task, self->number,
                         sos_redis_unsubscribe(task, self->redis, self->channel)));
        CHECK(sos_status(task) == SOS_OK || sos_status(task) == SOS_ETIMEDOUT);
        CHECKED(sos_redis_unsubscribe(task, self->redis, self->channel), SOS_OK);
    }
    async_end;
}

static async_fn(crowd)
{
    async_begin(scene);
    BOTH();
    sos_scope_open(task, &self->scope);
    for (; self->index < TASKS; self->index++)
        async_spawn(fickle, sos_opt(), .redis = self->redis, .number = self->index);
    CHECKED(sos_scope_join(task, &self->scope), SOS_OK);
    CHECKED(sos_redis_command(task, self->second, &self->reply, "PUBSUB", "CHANNELS"), SOS_OK);
    CHECK_INT(self->reply.value->count, 0);
    CHECKED_COMMAND(SOS_OK, "ECHO", "in step");
    expect_text(self->reply.value, SOS_REDIS_STRING, "in step");
    async_finally;
    scene_end(self);
    async_end;
}

static void tasks_that_subscribe_together_stay_in_step(void)
{
    run_both(crowd);
}

struct reader {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_message message;
    int *heard;
};

static async_fn(reader)
{
    async_begin(reader);
    for (;;) {
        try_await(sos_redis_next_message(task, self->redis, &self->message));
        ++*self->heard;
    }
    async_finally;
    sos_redis_message_free(&self->message);
    async_end;
}

static async_fn(readers)
{
    async_begin(scene);
    BOTH();
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    for (; self->index < 3; self->index++)
        async_spawn(reader, sos_opt(.detached = true), .redis = self->redis, .heard = &self->left);
    for (self->index = 0; self->index < 100; self->index++)
        PUBLISH("news", "x", 1);
    while (self->left != 100)
        await(sos_sleep(task, 100));
    async_finally;
    scene_end(self);
    async_end;
}

static void each_message_goes_to_one_of_those_who_wait(void)
{
    run_both(readers);
}

/* ---- A full queue */

static async_fn(slow)
{
    async_begin(scene);
    self->options.max_messages = 3;
    BOTH();
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    for (; self->index < 10; self->index++) {
        self->text[0] = (char)('0' + self->index);
        PUBLISH("news", self->text, 1);
    }
    CHECKED(sos_redis_ping(task, self->redis), SOS_OK); /* all have come */
    NEXT();
    expect_message(&self->message, NULL, "news", "7");
    CHECK_INT(self->message.lost, 7);
    NEXT();
    expect_message(&self->message, NULL, "news", "8");
    CHECK_INT(self->message.lost, 0);
    NEXT();
    PUBLISH("news", "last", 1);
    NEXT();
    expect_message(&self->message, NULL, "news", "last");
    CHECK_INT(self->message.lost, 0);
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(large)
{
    async_begin(scene);
    self->options.max_message_bytes = 1000;
    BOTH();
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    PUBLISH("news", "small", 1);
    CHECKED(sos_redis_command(task, self->second, NULL, "EVAL",
                              "return redis.call('publish', 'news', string.rep('x', 5000))", "0"),
            SOS_OK);
    CHECKED(sos_redis_ping(task, self->redis), SOS_OK);
    NEXT();
    CHECK_INT(self->message.lost, 1);
    CHECK_INT(self->message.payload->length, 5000); /* alone it is kept */
    async_finally;
    scene_end(self);
    async_end;
}

static void a_full_queue_drops_the_oldest_and_counts_them(void)
{
    run_both(slow);
    run_both(large);
}

/* ---- Ends */

static async_fn(lost_and_found)
{
    async_begin(scene);
    BOTH();
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    CHECKED(sos_redis_psubscribe(task, self->redis, "p*"), SOS_OK);
    CHECKED(sos_redis_subscribe(task, self->redis, "left again"), SOS_OK);
    CHECKED(sos_redis_unsubscribe(task, self->redis, "left again"), SOS_OK);
    PUBLISH("news", "before", 1);
    NEXT();
    CHECK(!self->message.gap);
    CHECKED(sos_redis_command(task, self->second, NULL, "CLIENT", "KILL", "TYPE", "pubsub"), 0);
    while (sos_redis_connections(self->redis) < 2)
        await(sos_sleep(task, 500));
    PUBLISH("news", "after", 1);
    PUBLISH("path", "by pattern", 1);
    PUBLISH("left again", "not heard", 0);
    NEXT();
    expect_message(&self->message, NULL, "news", "after");
    CHECK(self->message.gap);
    NEXT();
    expect_message(&self->message, "p*", "path", "by pattern");
    CHECK(!self->message.gap);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_new_connection_has_the_subscriptions_of_the_old(void)
{
    run_both(lost_and_found);
}

static async_fn(closed)
{
    async_begin(scene);
    CONNECT();
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    async_spawn(reader, sos_opt(.detached = true), .redis = self->redis, .heard = &self->left);
    await(sos_sleep(task, 100));
    async_finally;
    scene_end(self);
    async_end;
}

static void who_waits_for_messages_hears_of_the_end(void)
{
    run_both(closed);
}

/* Other pushes go the same way: the server says which keys are no longer valid in a cache. */
static async_fn(tracking)
{
    async_begin(scene);
    BOTH();
    CHECKED_COMMAND(SOS_OK, "CLIENT", "TRACKING", "ON");
    CHECKED_COMMAND(SOS_OK, "GET", "cached");
    CHECKED(sos_redis_set(task, self->second, "cached", "new", 3), SOS_OK);
    NEXT();
    CHECK(self->message.channel == NULL && self->message.payload == NULL);
    expect_text(sos_redis_item(self->message.reply.value, 0), SOS_REDIS_STRING, "invalidate");
    async_finally;
    scene_end(self);
    async_end;
}

static void other_pushes_go_into_the_queue(void)
{
    unix_open(&here, NULL);
    run_scene_with(tracking, &(struct sos_redis_options){ .port = redis_server.port });
}

int main(void)
{
    void (*const tests[])(void) = {
        messages_come_by_channel_and_by_pattern,
        commands_go_on_beside_subscriptions,
        subscribing_by_hand_is_refused,
        tasks_that_subscribe_together_stay_in_step,
        each_message_goes_to_one_of_those_who_wait,
        a_full_queue_drops_the_oldest_and_counts_them,
        a_new_connection_has_the_subscriptions_of_the_old,
        who_waits_for_messages_hears_of_the_end,
        other_pushes_go_into_the_queue,
    };
    redis_server_start(NULL);
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&redis_server);
    return 0;
}
