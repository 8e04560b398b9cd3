/* SPDX-License-Identifier: MIT */
/*
 * The Redis client. A command is encoded into the stream's output buffer at once and its place in
 * line noted; a task of the connection's own flushes that buffer after all who are runnable have
 * had their turn, so that the commands of many tasks leave in one call; another one reads replies
 * and gives each to the first in line. A place in line outlives a task that was killed or timed
 * out: its reply is read and thrown away, and the next one stays right.
 */
#include <stdio.h>
#include <string.h>

#include "redis_internal.h"
#include "smallos/async.h"
#include "smallos/policy.h"
#include "smallos/stream.h"
#include "smallos/sync.h"

enum { REDIS_PORT = 6379, ERROR_TEXT = 160, NESTING_DEFAULT = 32 };

/* A place in line. `waits`: a task's frame refers to it and gives it back; else the reader does. */
struct pending {
    struct pending *next;
    struct sos_redis_reply *reply;
    struct sos_event done;
    int status;
    bool waits;
};

struct sos_redis {
    sos *os;
    sos_stream *stream;
    sos_handle reader, writer;
    struct sos_event dirty; /* something is to be flushed */
    struct pending *first, **last;
    struct sos_resp_parser_ parser;
    struct sos_redis_builder_ builder;
    int error;      /* the connection is of no more use */
    bool closed;    /* its memory goes with the last user */
    uint32_t users; /* frames that refer to it */
    char text[ERROR_TEXT];
    struct sos_resp_level_ levels[SOS_RESP_NESTING_MOST_];
};

/* ---- The end of a connection */

static void leave(sos_redis *redis)
{
    if (--redis->users != 0 || !redis->closed)
        return;
    sos_redis_builder_free_(&redis->builder);
    sos_memory_give(redis->os, redis, sizeof *redis);
}

static void finish(sos_redis *redis, struct pending *pending, int status)
{
    pending->status = status;
    if (pending->waits)
        sos_event_set(&pending->done);
    else
        sos_memory_give(redis->os, pending, sizeof *pending);
}

/* All who wait hear of it, the first in line first. */
static void fail(sos_redis *redis, int error, const char *text)
{
    if (redis->error != 0)
        return;
    redis->error = error;
    snprintf(redis->text, sizeof redis->text, "%s", text);
    struct pending *pending = redis->first;
    redis->first = NULL;
    redis->last = &redis->first;
    while (pending != NULL) {
        struct pending *next = pending->next;
        finish(redis, pending, error);
        pending = next;
    }
}

void sos_redis_close(sos_redis *redis)
{
    if (redis == NULL || redis->closed)
        return;
    redis->users++;
    redis->closed = true;
    fail(redis, SOS_ECANCELED, "closed");
    sos_kill(redis->os, redis->reader);
    sos_kill(redis->os, redis->writer);
    sos_stream_close(redis->stream);
    leave(redis);
}

const char *sos_redis_error(const sos_redis *redis)
{
    return redis->text;
}

/* ---- Reading */

static void reply_is_whole(sos_redis *redis)
{
    struct pending *pending = redis->first;
    if (pending == NULL) {
        sos_redis_built_(&redis->builder, NULL);
        fail(redis, SOS_EPROTO, "a reply came that nobody had asked for");
        return;
    }
    redis->first = pending->next;
    if (redis->first == NULL)
        redis->last = &redis->first;
    finish(redis, pending,
           sos_redis_built_(&redis->builder, pending->waits ? pending->reply : NULL));
}

static void refused(sos_redis *redis, int status)
{
    char text[ERROR_TEXT];
    snprintf(text, sizeof text, "byte %llu of what the server sent: %s",
             (unsigned long long)redis->parser.error.at, redis->parser.error.rule);
    fail(redis, status, text);
}

/* Everything that is in the buffer. */
static void take_replies(sos_redis *redis)
{
    struct sos_resp_event_ event;
    size_t size, taken = 0;
    const char *bytes = (const char *)sos_stream_data(redis->stream, &size);
    while (redis->error == 0) {
        uint64_t pushes = redis->parser.pushes;
        int kind = sos_resp_next_(&redis->parser, bytes + taken, size - taken, &event);
        if (kind < 0) {
            refused(redis, kind);
            return;
        }
        taken += event.taken;
        if (kind == SOS_PARTIAL_)
            break;
        sos_redis_build_(&redis->builder, &event, (enum sos_resp_kind_)kind);
        if (event.whole && redis->parser.pushes != pushes)
            sos_redis_built_(&redis->builder, NULL); /* nobody has subscribed to anything */
        else if (event.whole)
            reply_is_whole(redis);
    }
    sos_stream_take(redis->stream, taken);
}

struct redis_reader {
    sos_frame frame;
    sos_redis *redis;
};

static async_fn(redis_reader)
{
    async_begin(redis_reader);
    self->redis->users++;
    while (self->redis->error == 0) {
        await(sos_stream_more(task, self->redis->stream));
        if (sos_status(task) < 0) {
            fail(self->redis, sos_status(task), sos_error_text(sos_status(task)));
            break;
        }
        take_replies(self->redis);
    }
    async_finally;
    leave(self->redis);
    async_end;
}

/* ---- Writing */

struct redis_writer {
    sos_frame frame;
    sos_redis *redis;
};

/* The yield lets all who are runnable add to what is flushed then. */
static async_fn(redis_writer)
{
    async_begin(redis_writer);
    self->redis->users++;
    while (self->redis->error == 0) {
        await(sos_event_wait(task, &self->redis->dirty));
        sos_event_clear(&self->redis->dirty);
        await(sos_yield(task));
        if (self->redis->error != 0)
            break;
        await(sos_stream_flush(task, self->redis->stream));
        if (sos_status(task) < 0 && sos_status(task) != SOS_EPIPE &&
            sos_status(task) != SOS_ECONNRESET) /* what the server said last comes to the reader */
            fail(self->redis, sos_status(task), sos_error_text(sos_status(task)));
    }
    async_finally;
    leave(self->redis);
    async_end;
}

/* ---- Commands */

struct redis_command {
    sos_frame frame;
    sos_redis *redis;
    struct pending *pending;
    struct sos_redis_reply *reply;
};

static async_fn(redis_command)
{
    async_begin(redis_command);
    self->redis->users++;
    self->pending->reply = self->reply;
    self->pending->waits = true;
    await(sos_event_wait(task, &self->pending->done));
    async_return(sos_status(task) == SOS_OK ? self->pending->status : sos_status(task));
    async_finally;
    if (self->pending->done.set)
        sos_memory_give(self->redis->os, self->pending, sizeof *self->pending);
    else
        self->pending->waits = false;
    leave(self->redis);
    async_end;
}

/* Into the output buffer, and in line. */
static int enqueue(sos_redis *redis, size_t argc, const char *const *argv, const size_t *lengths,
                   struct pending **added)
{
    if (redis->error != 0)
        return redis->error;
    if (argc == 0)
        return SOS_EINVAL;
    size_t size = sos_resp_command_size_(argc, argv, lengths);
    struct pending *pending = sos_memory_take(redis->os, sizeof *pending);
    char *room = pending != NULL ? sos_stream_room(redis->stream, size) : NULL;
    if (room == NULL) {
        sos_memory_give(redis->os, pending, pending != NULL ? sizeof *pending : 0);
        return pending == NULL ? SOS_ENOMEM : SOS_ELIMIT;
    }
    sos_resp_command_(room, argc, argv, lengths);
    int status = sos_stream_put(redis->stream, NULL, size);
    if (status != SOS_OK) { /* the other end is gone: the reader will hear why */
        sos_memory_give(redis->os, pending, sizeof *pending);
        return status;
    }
    *pending = (struct pending){ 0 };
    sos_event_init(&pending->done, "reply");
    *redis->last = pending;
    redis->last = &pending->next;
    sos_event_set(&redis->dirty);
    *added = pending;
    return SOS_OK;
}

sos_op sos_redis_send(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply, size_t argc,
                      const char *const *argv, const size_t *lengths)
{
    struct pending *pending;
    if (reply != NULL)
        sos_redis_reply_free(reply);
    int status = enqueue(redis, argc, argv, lengths, &pending);
    if (status != SOS_OK)
        return sos_complete(task, status);
    return async_call(redis_command, .redis = redis, .pending = pending, .reply = reply);
}

/* ---- Connecting */

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

/* Takes the stream over. */
static sos_redis *make(sos_task *task, const struct sos_redis_options *options, sos_stream *stream)
{
    sos *os = sos_of(task);
    struct sos_resp_limits_ limits = limits_of(os, options);
    int priority = options->priority != 0 ? options->priority : sos_effective_priority(task);
    sos_redis *redis = sos_memory_take(os, sizeof *redis);
    if (redis == NULL) {
        sos_stream_close(stream);
        return NULL;
    }
    memset(redis, 0, sizeof *redis);
    redis->os = os;
    redis->stream = stream;
    redis->last = &redis->first;
    redis->builder.os = os;
    sos_event_init(&redis->dirty, "commands");
    sos_resp_init_(&redis->parser, &limits, redis->levels);
    const struct sos_options how = sos_opt(.priority = priority, .watcher = true, .detached = true);
    redis->reader = sos_fork(os, redis_reader, how, .redis = redis);
    redis->writer = sos_fork(os, redis_writer, how, .redis = redis);
    if (redis->reader.pid >= 0 && redis->writer.pid >= 0)
        return redis;
    sos_redis_close(redis);
    return NULL;
}

struct redis_connect {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis **redis;
    sos_stream *stream;
    sos_redis *made;
    char database[12];
};

static uint32_t buffer_limit(sos *os, const struct sos_redis_options *options)
{
    enum { LINE = 65536 };
    size_t most = limits_of(os, options).max_reply_size;
    return most < UINT32_MAX - LINE ? (uint32_t)most + LINE : UINT32_MAX;
}

static async_fn(redis_connect)
{
    async_begin(redis_connect);
    try_await(sos_connect(task,
                          &(struct sos_connect_options){
                              .host = self->options.host != NULL ? self->options.host : "127.0.0.1",
                              .port = self->options.port != 0 ? self->options.port : REDIS_PORT,
                              .max_buffer_size = buffer_limit(sos_of(task), &self->options) },
                          &self->stream));
    self->made = make(task, &self->options, self->stream);
    self->stream = NULL;
    if (self->made == NULL)
        async_return(SOS_ENOMEM);
    if (self->options.password != NULL && self->options.user != NULL)
        try_await(sos_redis_command(task, self->made, NULL, "AUTH", self->options.user,
                                    self->options.password));
    else if (self->options.password != NULL)
        try_await(sos_redis_command(task, self->made, NULL, "AUTH", self->options.password));
    snprintf(self->database, sizeof self->database, "%lu", (unsigned long)self->options.database);
    if (self->options.database != 0)
        try_await(sos_redis_command(task, self->made, NULL, "SELECT", self->database));
    *self->redis = self->made;
    self->made = NULL;
    async_return(SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    sos_redis_close(self->made);
    async_end;
}

sos_op sos_redis_connect(sos_task *task, const struct sos_redis_options *options, sos_redis **redis)
{
    static const struct sos_redis_options standard;
    if (redis == NULL)
        return sos_complete(task, SOS_EINVAL);
    *redis = NULL;
    return async_call(redis_connect, .options = options != NULL ? *options : standard,
                      .redis = redis);
}
