/* SPDX-License-Identifier: MIT */
/*
 * What is said first on a new connection to Redis: which protocol, who we are, which database, and
 * what is subscribed to. The keeper's task says it and reads the answers itself: until all is said
 * nobody else has a place in line.
 */
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"
#include "smallos/async.h"

struct redis_exchange {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_pending_ *pending;
    int status;
};

/* Flushes, and reads until the reply has come. */
static async_fn(redis_exchange)
{
    async_begin(redis_exchange);
    self->pending->waits = true;
    await(sos_stream_flush(task, self->redis->stream));
    if (sos_status(task) < 0 && sos_status(task) != SOS_EPIPE && sos_status(task) != SOS_ECONNRESET)
        async_return(sos_status(task)); /* with those two it may have said why before */
    while (!self->pending->done.set) {
        try_await(sos_stream_more(task, self->redis->stream));
        self->status = sos_redis_take_(self->redis);
        if (self->status < 0)
            async_return(self->status);
    }
    async_return(self->pending->status);
    async_finally;
    sos_redis_let_go_(self->redis, self->pending);
    async_end;
}

static sos_op ask(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply, size_t argc,
                  const char *const *argv)
{
    struct sos_redis_pending_ *pending;
    const struct sos_redis_batch_ batch = { .argc = argc, .argv = argv };
    if (reply != NULL)
        sos_redis_reply_free(reply);
    int status = sos_redis_put_(redis, &batch, reply, &pending);
    if (status != SOS_OK)
        return sos_complete(task, status);
    return async_call(redis_exchange, .redis = redis, .pending = pending);
}

struct redis_greeting {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_reply reply;
    char database[12];
};

static bool has_credentials(const sos_redis *redis)
{
    return redis->options.user != NULL || redis->options.password != NULL;
}

static sos_op say_hello(sos_task *task, struct redis_greeting *self)
{
    const struct sos_redis_options *options = &self->redis->options;
    const char *const argv[] = { "HELLO", "3", "AUTH",
                                 options->user != NULL ? options->user : "default",
                                 options->password != NULL ? options->password : "" };
    return ask(task, self->redis, &self->reply, has_credentials(self->redis) ? 5 : 2, argv);
}

static sos_op authenticate(sos_task *task, struct redis_greeting *self)
{
    const struct sos_redis_options *options = &self->redis->options;
    const char *password = options->password != NULL ? options->password : "";
    const char *const two[] = { "AUTH", options->user, password };
    const char *const one[] = { "AUTH", password };
    return ask(task, self->redis, &self->reply, options->user != NULL ? 3 : 2,
               options->user != NULL ? two : one);
}

/* An older server, or something in between, that speaks RESP2 alone. */
static bool knows_no_hello(const struct sos_redis_reply *reply)
{
    static const char *const answers[] = { "ERR unknown command", "NOPROTO" };
    if (reply->value == NULL || reply->value->type != SOS_REDIS_ERROR)
        return false;
    for (size_t index = 0; index < sizeof answers / sizeof answers[0]; index++)
        if (strncmp(reply->value->text, answers[index], strlen(answers[index])) == 0)
            return true;
    return false;
}

static void say_why(struct redis_greeting *self, int status)
{
    if (status == SOS_ESERVER && self->reply.value != NULL)
        sos_redis_blame_(self->redis, self->reply.value->text);
}

/* A reply that is refused is the reason why there is no connection. */
#define ask_and_tell(operation)                                                                    \
    do {                                                                                           \
        await(operation);                                                                          \
        say_why(self, sos_status(task));                                                           \
        if (sos_status(task) < 0)                                                                  \
            async_return(sos_status(task));                                                        \
    } while (0)

static sos_op subscribe_again(sos_task *task, sos_redis *redis)
{
    struct sos_redis_pending_ *last;
    int status = sos_redis_put_subscriptions_(redis, &last);
    if (status != SOS_OK || last == NULL)
        return sos_complete(task, status);
    return async_call(redis_exchange, .redis = redis, .pending = last);
}

static bool is_master(sos_redis *redis, const struct sos_redis_reply *reply)
{
    const struct sos_redis_value *role = sos_redis_item(reply->value, 0);
    if (role != NULL && role->type == SOS_REDIS_STRING && strcmp(role->text, "master") == 0)
        return true;
    sos_redis_blame_(redis, "the sentinels name a server that is no master");
    return false;
}

static async_fn(redis_greeting)
{
    async_begin(redis_greeting);
    if (self->redis->options.protocol != 2) {
        await(say_hello(task, self));
        self->redis->speaks_3 = sos_status(task) == SOS_OK;
        if (sos_status(task) < 0 &&
            (self->redis->options.protocol == 3 || !knows_no_hello(&self->reply))) {
            say_why(self, sos_status(task));
            async_return(sos_status(task));
        }
    }
    if (!self->redis->speaks_3 && has_credentials(self->redis))
        ask_and_tell(authenticate(task, self));
    snprintf(self->database, sizeof self->database, "%lu",
             (unsigned long)self->redis->options.database);
    if (self->redis->options.database != 0)
        ask_and_tell(ask(task, self->redis, &self->reply, 2,
                         (const char *const[]){ "SELECT", self->database }));
    if (self->redis->options.master != NULL) {
        ask_and_tell(ask(task, self->redis, &self->reply, 1, (const char *const[]){ "ROLE" }));
        if (!is_master(self->redis, &self->reply))
            async_return(SOS_ESERVER);
    }
    try_await(subscribe_again(task, self->redis));
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

sos_op sos_redis_greet_(sos_task *task, sos_redis *redis)
{
    return async_call(redis_greeting, .redis = redis);
}
