/* SPDX-License-Identifier: MIT */
/*
 * The connection of a Redis client: a task that keeps it, which connects, reads, and begins again when
 * it is lost; and one that writes.
 *
 *     attempt -> (greeting) -> up -> reading -> lost -> wait as the supervisor says -> attempt ...
 *
 * Nothing of a connection outlives it but what was asked for: subscriptions, and commands that have
 * not been sent.
 */
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"
#include "core/internal.h"
#include "smallos/async.h"
#include "smallos/policy.h"
#include "smallos/tls.h"

enum { WITHOUT_MEMORY_MS = 250, ATTEMPT_S = 10, MESSAGES_DEFAULT = 1024 };

/* ---- Reading */

struct redis_reading {
    sos_frame frame;
    sos_redis *redis;
    int status;
};

static async_fn(redis_reading)
{
    async_begin(redis_reading);
    for (;;) {
        try_await(sos_stream_more(task, self->redis->stream));
        self->status = sos_redis_take_(self->redis);
        if (self->status < 0)
            async_return(self->status);
    }
    async_end;
}

/* Bytes in all, also those of a string that has not come whole. */
static uint64_t received(const sos_redis *redis)
{
    size_t waiting;
    sos_stream_data(redis->stream, &waiting);
    return redis->parser.at + waiting;
}

/* Half of the silence has passed. False: all of it. */
static bool still_alive(sos_redis *redis)
{
    uint64_t now = received(redis);
    bool heard = redis->heard != now;
    bool first = heard || !redis->pinged;
    redis->heard = now;
    redis->pinged = !heard;
    if (heard || !first)
        return heard;
    static const char *const ping[] = { "PING" };
    const struct sos_redis_batch_ batch = { .argc = 1, .argv = ping };
    return sos_redis_put_(redis, &batch, NULL, NULL) == SOS_OK;
}

struct redis_watching {
    sos_frame frame;
    sos_redis *redis;
};

static int64_t half_of_silence(const sos_redis *redis)
{
    int64_t all = redis->supervisor.options.silence_us;
    return all == SOS_FOREVER ? all : (all + 1) / 2;
}

/* Reads until the connection is lost, which silence proves too. */
static async_fn(redis_watching)
{
    async_begin(redis_watching);
    do {
        await(sos_within(task, half_of_silence(self->redis),
                         async_call(redis_reading, .redis = self->redis)));
        if (sos_status(task) != SOS_ETIMEDOUT || sos_stream_error(self->redis->stream) != 0)
            async_return(sos_status(task));
    } while (still_alive(self->redis));
    sos_redis_blame_(self->redis, "the server is silent");
    async_return(SOS_ETIMEDOUT);
    async_end;
}

/* ---- Writing */

struct redis_writer {
    sos_frame frame;
    sos_redis *redis;
    uint32_t connection;
};

/* What the server said last comes to the reader; it hears of everything else here. */
static void write_failed(sos_redis *redis, uint32_t connection, int status)
{
    if (redis->stream == NULL || redis->connections != connection || status == SOS_EPIPE ||
        status == SOS_ECONNRESET)
        return;
    redis->cause = status;
    sos_stream_abort(redis->stream);
}

/* The yield lets all who are runnable add to what is flushed then. */
static async_fn(redis_writer)
{
    async_begin(redis_writer);
    redis_enter(self->redis);
    while (self->redis->error == 0) {
        await(sos_event_wait(task, &self->redis->dirty));
        sos_event_clear(&self->redis->dirty);
        await(sos_yield(task));
        if (self->redis->error != 0)
            break;
        if (!self->redis->up)
            continue;
        self->connection = self->redis->connections;
        await(sos_stream_flush(task, self->redis->stream));
        if (sos_status(task) < 0)
            write_failed(self->redis, self->connection, sos_status(task));
    }
    async_finally;
    sos_redis_leave_(self->redis);
    async_end;
}

/* ---- One connection */

static void report_cleartext(sos_task *task, const sos_redis *redis)
{
    const char *host = redis->host;
    if (redis->options.password != NULL && redis->options.tls == NULL &&
        strncmp(host, "unix:", 5) != 0)
        sos_report_(task, SOS_REPORT_CLEARTEXT);
}

/* HELLO has an answer of a few hundred bytes, whatever the limit for the others. */
static struct sos_resp_limits_ greeting_limits(const sos_redis *redis)
{
    enum { SIZE = 16384, DEPTH = 8 };
    struct sos_resp_limits_ limits = redis->limits;
    if (limits.max_reply_size < SIZE)
        limits.max_reply_size = SIZE;
    if (limits.max_nesting_depth < DEPTH)
        limits.max_nesting_depth = DEPTH;
    return limits;
}

static void begin_connection(sos_redis *redis)
{
    struct sos_resp_limits_ limits = greeting_limits(redis);
    sos_resp_init_(&redis->parser, &limits, redis->levels);
    sos_redis_builder_reset_(&redis->builder);
    redis->cause = SOS_OK;
    redis->blamed = false;
    redis->subscribed = 0;
    redis->speaks_3 = false;
    redis->pinged = false;
    redis->heard = 0;
}

struct redis_attempt {
    sos_frame frame;
    sos_redis *redis;
};

static async_fn(redis_attempt)
{
    async_begin(redis_attempt);
    begin_connection(self->redis);
    if (self->redis->options.master != NULL)
        try_await(sos_redis_find_master_(task, self->redis));
    report_cleartext(task, self->redis);
    try_await(
        sos_connect(task,
                    &(struct sos_connect_options){ .host = self->redis->host,
                                                   .port = self->redis->port,
                                                   .tls = self->redis->options.tls,
                                                   .max_buffer_size = self->redis->buffer_limit },
                    &self->redis->stream));
    try_await(sos_redis_greet_(task, self->redis));
    async_end;
}

static void is_up(sos_redis *redis)
{
    redis->up = true;
    redis->text[0] = '\0';
    redis->parser.limits.max_reply_size = redis->limits.max_reply_size;
    redis->parser.limits.max_nesting_depth = redis->limits.max_nesting_depth;
    redis->connections++;
    redis->gap = redis->gap || redis->connections > 1;
    sos_supervisor_began(&redis->supervisor, redis->os);
    sos_redis_put_waiting_(redis);
    sos_event_set(&redis->dirty);
    sos_event_set(&redis->settled);
}

/* The most that is known about it. */
static const char *words_for(const sos_redis *redis, int status)
{
    const struct sos_tls_options *tls = redis->options.tls;
    if (redis->stream != NULL && sos_stream_error(redis->stream) == status)
        return sos_stream_error_text(redis->stream);
    if (status == SOS_ETLS && tls != NULL && tls->error_text != NULL && tls->error_text[0] != '\0')
        return tls->error_text;
    return sos_error_text(status);
}

/* All that was under way has been lost with it. */
static void is_lost(sos_redis *redis, int status)
{
    if (redis->cause != SOS_OK)
        status = redis->cause;
    if (!redis->blamed)
        sos_redis_note_(redis, words_for(redis, status));
    redis->up = false;
    redis->cause = status;
    sos_event_clear(&redis->settled);
    sos_redis_fail_(redis, &redis->line,
                    status == SOS_EPROTO || status == SOS_ELIMIT ? status : SOS_ELOST);
    sos_redis_builder_reset_(&redis->builder);
    sos_supervisor_ended(&redis->supervisor, redis->os);
    if (redis->stream != NULL)
        sos_stream_abort(redis->stream);
    sos_stream_close(redis->stream);
    redis->stream = NULL;
}

struct redis_keeper {
    sos_frame frame;
    sos_redis *redis;
};

static async_fn(redis_keeper)
{
    async_begin(redis_keeper);
    redis_enter(self->redis);
    for (;;) {
        await(sos_supervisor_wait(task, &self->redis->supervisor));
        if (sos_status(task) == SOS_ETIMEDOUT)
            break;
        if (sos_status(task) < 0) /* no memory to wait with */
            await(sos_sleep(task, SOS_MS(WITHOUT_MEMORY_MS)));
        await(sos_within(task, self->redis->options.attempt_us,
                         async_call(redis_attempt, .redis = self->redis)));
        if (sos_status(task) == SOS_OK) {
            is_up(self->redis);
            await(async_call(redis_watching, .redis = self->redis));
        }
        is_lost(self->redis, sos_status(task));
        if (self->redis->connections == 0 && !self->redis->lazy)
            break; /* the first attempt: whoever made it is told, and decides */
    }
    sos_redis_end_(self->redis, self->redis->cause);
    async_finally;
    sos_redis_leave_(self->redis);
    async_end;
}

/* ---- A client */

static struct sos_resp_limits_ limits_of(sos *os, const struct sos_redis_options *options)
{
    const struct sos_client_defaults *defaults = &sos_configuration(os)->client_defaults;
    uint32_t size = options->max_response_size, depth = options->max_nesting_depth;
    if (size == 0)
        size = defaults->redis.max_response_size;
    if (depth == 0)
        depth = defaults->redis.max_nesting_depth;
    if (depth == 0 || depth > SOS_RESP_NESTING_MOST_)
        depth = SOS_RESP_NESTING_MOST_;
    return (struct sos_resp_limits_){ .max_reply_size = size == 0 ? SIZE_MAX : size,
                                      .max_nesting_depth = depth };
}

static void fill_in_defaults(sos_redis *redis)
{
    enum { LINE = 65536 };
    struct sos_redis_options *options = &redis->options;
    size_t most = redis->limits.max_reply_size;
    if (options->attempt_us == 0)
        options->attempt_us = SOS_SEC(ATTEMPT_S);
    if (options->max_messages == 0)
        options->max_messages = MESSAGES_DEFAULT;
    if (options->max_message_bytes == 0)
        options->max_message_bytes = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    redis->buffer_limit = most < INT32_MAX - LINE ? (uint32_t)most + LINE : INT32_MAX;
    redis->port = options->port != 0 ? options->port : SOS_REDIS_PORT_;
}

static int set_up(sos *os, sos_redis *redis, const struct sos_redis_options *options)
{
    *redis = (sos_redis){ .os = os, .builder.os = os, .limits = limits_of(os, options) };
    redis->line.last = &redis->line.first;
    redis->waiting.last = &redis->waiting.first;
    redis->messages_last = &redis->messages;
    sos_event_init(&redis->dirty, "commands");
    sos_event_init(&redis->settled, "connection");
    sos_event_init(&redis->arrived, "messages");
    redis->keeper.pid = redis->writer.pid = -1;
    int status = sos_supervisor_init(&redis->supervisor, "redis", &options->reconnect);
    if (status == SOS_OK)
        status = sos_redis_keep_options_(redis, options);
    if (status != SOS_OK)
        return status;
    fill_in_defaults(redis);
    const struct sos_options how = sos_opt(.priority = redis->options.priority, .watcher = true,
                                           .detached = true);
    redis->keeper = sos_fork(os, redis_keeper, how, .redis = redis);
    redis->writer = sos_fork(os, redis_writer, how, .redis = redis);
    return redis->keeper.pid < 0 ? redis->keeper.pid
                                 : (redis->writer.pid < 0 ? redis->writer.pid : SOS_OK);
}

int sos_redis_open_(sos *os, const struct sos_redis_options *options, sos_redis **redis)
{
    *redis = sos_memory_take(os, sizeof **redis);
    if (*redis == NULL)
        return SOS_ENOMEM;
    int status = set_up(os, *redis, options);
    if (status == SOS_OK)
        return status;
    sos_redis_close(*redis);
    *redis = NULL;
    return status;
}

struct redis_connect {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis *like; /* whose options they are, NULL: of the caller */
    sos_redis **redis;
    sos_redis *made;
    int status;
};

/* Its tasks are as urgent as the one that connects, if nothing else was said. */
static int open_for(sos_task *task, struct redis_connect *self)
{
    if (self->options.priority == 0)
        self->options.priority = sos_effective_priority(task);
    return sos_redis_open_(sos_of(task), &self->options, &self->made);
}

static void tell_why(const struct redis_connect *self)
{
    if (self->options.error_text != NULL && self->options.error_text_size != 0)
        snprintf(self->options.error_text, self->options.error_text_size, "%s", self->made->text);
}

static async_fn(redis_connect)
{
    async_begin(redis_connect);
    if (self->like != NULL)
        redis_enter(self->like);
    self->status = open_for(task, self);
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(sos_event_wait(task, &self->made->settled));
    if (self->made->error != SOS_OK) {
        tell_why(self);
        async_return(self->made->error);
    }
    *self->redis = self->made;
    self->made = NULL;
    async_return(SOS_OK);
    async_finally;
    sos_redis_close(self->made);
    if (self->like != NULL)
        sos_redis_leave_(self->like);
    async_end;
}

sos_op sos_redis_connect(sos_task *task, const struct sos_redis_options *options, sos_redis **redis)
{
    static const struct sos_redis_options standard;
    if (options == NULL)
        options = &standard;
    if (options->error_text != NULL && options->error_text_size != 0)
        options->error_text[0] = '\0';
    if (redis == NULL || options->protocol == 1 || options->protocol > 3 || options->attempt_us < 0)
        return sos_complete(task, SOS_EINVAL);
    *redis = NULL;
    return async_call(redis_connect, .options = *options, .redis = redis);
}

sos_op sos_redis_another(sos_task *task, sos_redis *redis, sos_redis **another)
{
    *another = NULL;
    return async_call(redis_connect, .options = redis->options, .like = redis, .redis = another);
}
