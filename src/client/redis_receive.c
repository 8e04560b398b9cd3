/* SPDX-License-Identifier: MIT */
/* What has been received from Redis: replies go to the first in line, the rest to the messages. */
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"

/* ---- What a place in line is answered with */

static int status_of_last(const struct sos_redis_pending_ *pending,
                          const struct sos_redis_builder_ *builder)
{
    const struct sos_redis_value *value = sos_redis_built_value_(builder, 0);
    if (value == NULL)
        return SOS_OK; /* no memory: taking it will say so */
    if (value->type == SOS_REDIS_ERROR)
        return SOS_ESERVER;
    if (pending->kind != SOS_REDIS_TRANSACTION_)
        return SOS_OK;
    if (value->type == SOS_REDIS_NULL)
        return SOS_EAGAIN;
    return value->type == SOS_REDIS_ARRAY ? (int)sos_redis_built_errors_(builder) : SOS_OK;
}

/* Several commands are answered by the last of their replies, or by the first that is an error. */
static int one_of_several(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    struct sos_redis_builder_ *builder = &redis->builder;
    const struct sos_redis_value *value = sos_redis_built_value_(builder, 0);
    bool refused = builder->errors != 0;
    if (pending->left != 0) {
        if (!refused && value != NULL && value->type == SOS_REDIS_ERROR)
            sos_redis_built_keep_(builder);
        else
            sos_redis_built_forget_(builder);
        return SOS_OK;
    }
    if (refused)
        sos_redis_built_only_first_(builder);
    int status = status_of_last(pending, builder);
    int taken = sos_redis_built_take_(builder, pending->waits ? pending->reply : NULL);
    return taken != SOS_OK ? taken : status;
}

static int status_of(const struct sos_redis_pending_ *pending, const struct sos_redis_value *value)
{
    if (value == NULL)
        return SOS_OK; /* no memory: taking it will say so */
    if (value->type == SOS_REDIS_ERROR)
        return SOS_ESERVER;
    if (pending->kind != SOS_REDIS_COUNTED_ || value->type != SOS_REDIS_INTEGER)
        return SOS_OK;
    if (value->integer < 0)
        return 0;
    return value->integer < INT32_MAX ? (int)value->integer : INT32_MAX;
}

/* The server's words about what it has refused, for those who get no reply. */
static void say_refusal(sos_redis *redis)
{
    const struct sos_redis_value *value = sos_redis_built_value_(&redis->builder, 0);
    if (value != NULL && value->type == SOS_REDIS_ERROR)
        sos_redis_note_(redis, sos_redis_built_text_(&redis->builder));
}

static int whole_reply(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    struct sos_redis_builder_ *builder = &redis->builder;
    int status = status_of(pending, sos_redis_built_value_(builder, 0));
    if (pending->reply == NULL && status == SOS_ESERVER)
        say_refusal(redis);
    int taken = sos_redis_built_take_(builder, pending->waits ? pending->reply : NULL);
    return taken != SOS_OK ? taken : status;
}

/* One that was demoted says so with each write: the sentinels know the new master. */
static bool is_demotion(const sos_redis *redis)
{
    if (redis->options.master == NULL)
        return false;
    const struct sos_redis_value *value = sos_redis_built_value_(&redis->builder, 0);
    return value != NULL && value->type == SOS_REDIS_ERROR &&
           strncmp(sos_redis_built_text_(&redis->builder), "READONLY ", 9) == 0;
}

static int batch_part(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    if (pending->waits)
        sos_redis_built_keep_(&redis->builder);
    else
        sos_redis_built_forget_(&redis->builder);
    if (pending->left != 0)
        return SOS_OK;
    return sos_redis_built_take_all_(&redis->builder, pending->waits ? pending->reply : NULL);
}

/* What it ends in; before the last of several replies that does not count yet. */
static int answer(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    if (pending->kind == SOS_REDIS_BATCH_)
        return batch_part(redis, pending);
    if (pending->kind == SOS_REDIS_LAST_ || pending->kind == SOS_REDIS_TRANSACTION_)
        return one_of_several(redis, pending);
    return whole_reply(redis, pending);
}

/* A subscription is confirmed, not answered; and without one the connection is not what was asked for. */
static int check_subscription(sos_redis *redis, const struct sos_redis_pending_ *pending,
                              int *status)
{
    if (pending->kind < SOS_REDIS_SUBSCRIBE_)
        return SOS_OK;
    if (*status == SOS_OK) {
        sos_redis_blame_(redis, "a subscription was answered and not confirmed");
        *status = SOS_EPROTO;
        return SOS_EPROTO;
    }
    if (pending->kind != SOS_REDIS_RESUBSCRIBE_)
        return SOS_OK;
    redis->blamed = *status == SOS_ESERVER; /* with the server's words */
    return *status;
}

/* 0, or why the connection is to be left. */
static int reply_is_whole(sos_redis *redis)
{
    struct sos_redis_pending_ *pending = redis->line.first;
    if (pending == NULL) {
        sos_redis_blame_(redis, "a reply came that nobody had asked for");
        return SOS_EPROTO;
    }
    bool demoted = is_demotion(redis);
    pending->left--;
    int status = answer(redis, pending);
    int leave = check_subscription(redis, pending, &status);
    if (demoted) {
        sos_redis_blame_(redis, "the server is no master any more");
        leave = SOS_ESERVER;
    }
    if (pending->left == 0)
        sos_redis_answered_(redis, status);
    return leave;
}

static int refused(sos_redis *redis, int status)
{
    char text[SOS_REDIS_TEXT_];
    snprintf(text, sizeof text, "byte %llu of what the server sent: %s",
             (unsigned long long)redis->parser.error.at, redis->parser.error.rule);
    sos_redis_blame_(redis, text);
    return status;
}

int sos_redis_take_(sos_redis *redis)
{
    struct sos_resp_event_ event;
    size_t size, taken = 0;
    int status = SOS_OK;
    const char *bytes = (const char *)sos_stream_data(redis->stream, &size);
    while (status == SOS_OK) {
        uint64_t pushes = redis->parser.pushes;
        int kind = sos_resp_next_(&redis->parser, bytes + taken, size - taken, &event);
        if (kind < 0) {
            status = refused(redis, kind);
            break;
        }
        taken += event.taken;
        if (kind == SOS_PARTIAL_)
            break;
        sos_redis_build_(&redis->builder, &event, (enum sos_resp_kind_)kind);
        if (!event.whole)
            continue;
        status = redis->parser.pushes != pushes || (!redis->speaks_3 && sos_redis_is_push_(redis))
                     ? sos_redis_pushed_(redis)
                     : reply_is_whole(redis);
    }
    sos_stream_take(redis->stream, taken);
    return status;
}
