/* SPDX-License-Identifier: MIT */
/*
 * Sentinel: who is the master? Each one is asked in turn; the first that knows is asked first the next
 * time (https://redis.io/docs/reference/sentinel-clients). That it is one, it must say itself: ROLE is
 * a part of the greeting.
 */
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"
#include "proto/decimal.h"
#include "smallos/async.h"

struct redis_sentinel {
    sos_frame frame;
    sos_redis *redis;
    const struct sos_redis_endpoint *at;
    sos_redis *sentinel;
    struct sos_redis_reply reply;
};

/* Host and port, as the reply has them. */
static int note_master(sos_redis *redis, const struct sos_redis_value *value)
{
    const struct sos_redis_value *host = sos_redis_item(value, 0), *port = sos_redis_item(value, 1);
    int64_t number;
    if (value->type == SOS_REDIS_NULL)
        return SOS_ENOENT; /* it does not know this one */
    if (host == NULL || port == NULL || host->type != SOS_REDIS_STRING ||
        port->type != SOS_REDIS_STRING || host->length >= sizeof redis->host ||
        !sos_int64_parse_(port->text, port->length, &number) || number < 1 || number > UINT16_MAX)
        return SOS_EPROTO;
    snprintf(redis->host, sizeof redis->host, "%s", host->text);
    redis->port = (uint16_t)number;
    return SOS_OK;
}

static struct sos_redis_options options_for(const struct redis_sentinel *self)
{
    const struct sos_redis_options *options = &self->redis->options;
    return (struct sos_redis_options){
        .host = self->at->host,
        .port = self->at->port != 0 ? self->at->port : SOS_REDIS_SENTINEL_PORT_,
        .user = options->sentinel_user,
        .password = options->sentinel_password,
        .tls = options->tls,
        .protocol = 2,
        .priority = options->priority,
        .reconnect = { .attempts_max = 1 },
    };
}

static sos_op connect_to(sos_task *task, struct redis_sentinel *self)
{
    const struct sos_redis_options options = options_for(self);
    return sos_redis_connect(task, &options, &self->sentinel);
}

static async_fn(redis_sentinel)
{
    async_begin(redis_sentinel);
    try_await(connect_to(task, self));
    try_await(sos_redis_command(task, self->sentinel, &self->reply, "SENTINEL",
                                "get-master-addr-by-name", self->redis->options.master));
    async_return(note_master(self->redis, self->reply.value));
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_close(self->sentinel);
    async_end;
}

struct redis_sentinels {
    sos_frame frame;
    sos_redis *redis;
    uint32_t next;
    int status;
};

/* The redis has a copy of the list of its own. */
static void move_to_front(sos_redis *redis, uint32_t index)
{
    struct sos_redis_endpoint *list = (struct sos_redis_endpoint *)(uintptr_t)
                                          redis->options.sentinels;
    struct sos_redis_endpoint found = list[index];
    list[index] = list[0];
    list[0] = found;
}

static void say_nobody_knows(sos_redis *redis, int status)
{
    char text[SOS_REDIS_TEXT_];
    snprintf(text, sizeof text, "no sentinel knows the master %s (the last one: %s)",
             redis->options.master, sos_error_text(status));
    sos_redis_blame_(redis, text);
}

/* Of the attempt, for each of them and for the master. */
static int64_t share(const sos_redis *redis)
{
    return redis->options.attempt_us / (redis->options.sentinel_count + 1);
}

static async_fn(redis_sentinels)
{
    async_begin(redis_sentinels);
    for (; self->next < self->redis->options.sentinel_count; self->next++) {
        await(sos_within(task, share(self->redis),
                         async_call(redis_sentinel, .redis = self->redis,
                                    .at = &self->redis->options.sentinels[self->next])));
        if (sos_status(task) == SOS_OK) {
            move_to_front(self->redis, self->next);
            async_return(SOS_OK);
        }
        self->status = sos_status(task);
    }
    say_nobody_knows(self->redis, self->status);
    async_return(self->status);
    async_end;
}

sos_op sos_redis_find_master_(sos_task *task, sos_redis *redis)
{
    return async_call(redis_sentinels, .redis = redis);
}
