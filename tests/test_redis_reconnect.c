/* SPDX-License-Identifier: MIT */
/* A Redis client whose connection is lost: the server dies and comes back, the network misbehaves. */
#include "redis_scene.h"

static void run_impatient(sos_async_function function, bool through_proxy)
{
    unix_open(&here, NULL);
    if (through_proxy)
        fault_proxy_start(here.os, &redis_proxy, redis_server.port, 3);
    run_scene_with(function,
                   &(struct sos_redis_options){
                       .port = through_proxy ? redis_proxy.port : redis_server.port,
                       .user = "somebody",
                       .password = "secret",
                       .database = 5,
                       .attempt_us = SOS_MS(300),
                       .reconnect = { .first_delay_us = SOS_MS(1), .max_delay_us = SOS_MS(20) } });
}

static void start_again(void)
{
    redis_start(&redis_server, (const char *const[]){ "--user", "default", "on", "nopass", "~*",
                                                      "&*", "+@all", "--user", "somebody", "on",
                                                      ">secret", "~*", "&*", "+@all", NULL });
}

/* ---- The server dies and comes back on the same port */

struct asker {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_reply reply;
    const char *command[3];
    int expected;
    bool ended;
};

static async_fn(asker)
{
    async_begin(asker);
    CHECKED(sos_redis_command(task, self->redis, &self->reply, self->command[0], self->command[1],
                              self->command[2]),
            self->expected);
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

static sos_handle ask(sos_task *task, struct scene *scene, int expected, const char *a,
                      const char *b, const char *c)
{
    return async_spawn(asker, sos_opt(), .redis = scene->redis, .expected = expected,
                       .command = { a, b, c });
}

static async_fn(restart)
{
    async_begin(scene);
    CONNECT();
    sos_scope_open(task, &self->scope);
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    ask(task, self, SOS_ELOST, "BLPOP", "none", "0");
    ask(task, self, SOS_ELOST, "INCRBY", "behind", "1");
    await(sos_sleep(task, SOS_MS(5)));
    server_kill(&redis_server);
    while (sos_redis_is_up(self->redis))
        await(sos_sleep(task, 100));
    CHECK(sos_redis_error(self->redis)[0] != '\0');
    for (; self->index < 50; self->index++) /* while it is down */
        ask(task, self, SOS_OK, "INCRBY", "counter", "1");
    CHECKED(sos_within(task, SOS_MS(5), sos_redis_command(task, self->redis, NULL, "INCR", "late")),
            SOS_ETIMEDOUT);
    start_again();
    CHECKED(sos_scope_join(task, &self->scope), SOS_OK);
    CHECK_INT(sos_redis_connections(self->redis), 2);
    CHECK_TEXT(sos_redis_error(self->redis), "");
    CHECKED_COMMAND(SOS_OK, "MGET", "counter", "late", "behind");
    expect_text(sos_redis_item(self->reply.value, 0), SOS_REDIS_STRING, "50");
    CHECK_INT(sos_redis_item(self->reply.value, 1)->type, SOS_REDIS_NULL); /* never sent */
    CHECKED_COMMAND(SOS_OK, "CLIENT", "INFO");
    CHECK(strstr(self->reply.value->text, " db=5 ") != NULL);
    CHECK(strstr(self->reply.value->text, " user=somebody ") != NULL);
    CHECK(strstr(self->reply.value->text, " sub=1 ") != NULL);
    CHECKED(sos_redis_publish(task, self->redis, "news", "again", 5), 1);
    CHECKED(sos_redis_next_message(task, self->redis, &self->message), SOS_OK);
    expect_text(self->message.payload, SOS_REDIS_STRING, "again");
    CHECK(self->message.gap);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_server_that_comes_back_is_used_again(void)
{
    run_impatient(restart, false);
}

static async_fn(down)
{
    async_begin(scene);
    self->options.reconnect.attempts_max = 3;
    CONNECT();
    sos_scope_open(task, &self->scope);
    ask(task, self, SOS_ELOST, "BLPOP", "none", "0");
    await(sos_sleep(task, SOS_MS(5)));
    server_kill(&redis_server);
    CHECKED(sos_scope_join(task, &self->scope), SOS_OK);
    CHECKED_COMMAND(SOS_ECONNREFUSED, "PING", "not", "sent");
    CHECKED_COMMAND(SOS_ECONNREFUSED, "PING");
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_ECONNREFUSED);
    CHECKED(sos_redis_next_message(task, self->redis, &self->message), SOS_ECONNREFUSED);
    CHECK_INT(sos_redis_connections(self->redis), 1);
    CHECKED(sos_redis_connect(task, &self->options, &self->second), SOS_ECONNREFUSED);
    start_again();
    async_finally;
    scene_end(self);
    async_end;
}

static void after_so_many_attempts_it_gives_up(void)
{
    run_impatient(down, false);
}

/* The password has been changed meanwhile: it is tried again, and the reason told. */
static async_fn(locked_out)
{
    async_begin(scene);
    CONNECT();
    self->options.user = self->options.password = NULL;
    CHECKED(sos_redis_connect(task, &self->options, &self->second), SOS_OK);
    CHECKED(sos_redis_command(task, self->second, NULL, "ACL", "SETUSER", "somebody", "resetpass",
                              ">new"),
            SOS_OK);
    CHECKED(sos_redis_command(task, self->second, NULL, "CLIENT", "KILL", "USER", "somebody"),
            SOS_OK);
    while (strstr(sos_redis_error(self->redis), "WRONGPASS") == NULL)
        await(sos_sleep(task, 500));
    CHECKED(sos_within(task, SOS_MS(5), sos_redis_ping(task, self->redis)), SOS_ETIMEDOUT);
    CHECKED(sos_redis_command(task, self->second, NULL, "ACL", "SETUSER", "somebody", "resetpass",
                              ">secret"),
            SOS_OK);
    CHECKED(sos_redis_ping(task, self->redis), SOS_OK);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_refusal_on_the_way_back_is_told_and_tried_again(void)
{
    run_impatient(locked_out, false);
}

/* ---- Every fault on the way back */

static struct fault way_back;

static sos_op cut_off(sos_task *task, struct scene *self)
{
    return sos_redis_command(task, self->second, NULL, "CLIENT", "KILL", "USER", "somebody");
}

static bool is_clear(int status)
{
    return status == SOS_OK || status == SOS_ELOST || status == SOS_ETIMEDOUT ||
           status == SOS_EPROTO;
}

static async_fn(through_fault)
{
    async_begin(scene);
    self->options.reconnect.silence_us = SOS_MS(40);
    CONNECT();
    self->options.port = redis_server.port;
    self->options.user = self->options.password = NULL;
    CHECKED(sos_redis_connect(task, &self->options, &self->second), SOS_OK);
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    redis_proxy.fault = way_back;
    CHECKED(cut_off(task, self), SOS_OK);
    for (; self->index < 3; self->index++) {
        await(sos_within(task, SOS_MS(30),
                         sos_redis_command(task, self->redis, &self->reply, "ECHO", "hello")));
        CHECK(is_clear(sos_status(task)));
        if (sos_status(task) == SOS_OK)
            expect_text(self->reply.value, SOS_REDIS_STRING, "hello");
    }
    redis_proxy.fault = (struct fault){ .kind = FAULT_NONE };
    CHECKED(cut_off(task, self), SOS_OK);
    for (self->left = 100; self->left > 0; self->left--) {
        await(sos_within(task, SOS_SEC(5),
                         sos_redis_command(task, self->redis, &self->reply, "ECHO", "found")));
        CHECK(sos_status(task) == SOS_OK || sos_status(task) == SOS_ELOST ||
              sos_status(task) == SOS_EPROTO);
        if (sos_status(task) == SOS_OK)
            break;
    }
    expect_text(self->reply.value, SOS_REDIS_STRING, "found");
    CHECKED(sos_redis_command(task, self->redis, &self->reply, "PUBSUB", "NUMSUB", "news"), SOS_OK);
    expect_integer(sos_redis_item(self->reply.value, 1), 1);
    async_finally;
    scene_end(self);
    async_end;
}

static void every_fault_on_the_way_back_is_overcome(void)
{
    static const struct fault faults[] = {
        { .kind = FAULT_NONE },
        { .kind = FAULT_DELAY, .us = SOS_MS(2) },
        { .kind = FAULT_DRIBBLE },
        { .kind = FAULT_CUT },
        { .kind = FAULT_RESET },
        { .kind = FAULT_HALF_CLOSE },
        { .kind = FAULT_STALL },
        { .kind = FAULT_BLACK_HOLE },
        { .kind = FAULT_REFUSE },
        { .kind = FAULT_INTRUDE, .bytes = "what?\r\n", .size = 7 },
        { .kind = FAULT_INTRUDE, .bytes = "*2\r\n:1\r\n", .size = 8 },
    };
    static bool done; /* on one back end: each fault takes its time */
    for (size_t index = 0; index < sizeof faults / sizeof faults[0] && !done; index++) {
        static const size_t places[] = { 5, 280 }; /* while it greets; and later */
        for (size_t place = 0; place < 2; place++) {
            redis_proxy = (struct fault_proxy){ .fault.kind = FAULT_NONE };
            way_back = faults[index];
            way_back.after = places[place];
            run_impatient(through_fault, true);
        }
    }
    done = true;
}

static async_fn(dropped)
{
    async_begin(scene);
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_ETIMEDOUT);
    async_finally;
    scene_end(self);
    async_end;
}

/* A firewall that drops what comes: an attempt has a limit of its own. */
static void a_syn_that_is_dropped_ends_the_attempt_in_time(void)
{
    int fds[3];
    const struct sos_redis_options options = { .port = fault_full_listener(fds),
                                               .attempt_us = SOS_MS(50) };
    unix_open(&here, NULL);
    run_scene_with(dropped, &options);
    fault_full_close(fds);
}

int main(void)
{
    void (*const tests[])(void) = {
        a_server_that_comes_back_is_used_again,
        after_so_many_attempts_it_gives_up,
        a_refusal_on_the_way_back_is_told_and_tried_again,
        every_fault_on_the_way_back_is_overcome,
        a_syn_that_is_dropped_ends_the_attempt_in_time,
    };
    server_prepare(&redis_server);
    start_again();
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&redis_server);
    return 0;
}
