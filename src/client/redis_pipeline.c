/* SPDX-License-Identifier: MIT */
/*
 * Pipelines and transactions. The commands stand encoded in one block, which begins with MULTI, so
 * that a transaction is the same block, read from its beginning, with EXEC behind it.
 */
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"
#include "smallos/async.h"

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n", exec[] = "*1\r\n$4\r\nEXEC\r\n";
enum { MULTI = sizeof multi - 1, EXEC = sizeof exec - 1, FIRST = 1024, MOST = 16777216 };

static size_t limit_of(const struct sos_redis_pipeline *pipeline)
{
    return pipeline->max_size != 0 ? pipeline->max_size : (size_t)MOST;
}

/* Room for `size` more bytes, and for EXEC behind them. */
static int make_room(struct sos_redis_pipeline *pipeline, size_t size)
{
    size_t used = pipeline->size != 0 ? pipeline->size : MULTI;
    size_t room = pipeline->room != 0 ? pipeline->room : FIRST;
    if (size > limit_of(pipeline) || used - MULTI + size > limit_of(pipeline))
        return SOS_ELIMIT;
    if (used + size + EXEC <= pipeline->room)
        return SOS_OK;
    while (room < used + size + EXEC)
        room *= 2;
    char *bytes = sos_memory_take(pipeline->redis->os, room);
    if (bytes == NULL)
        return SOS_ENOMEM;
    if (pipeline->bytes != NULL)
        memcpy(bytes, pipeline->bytes, used);
    else
        memcpy(bytes, multi, MULTI);
    sos_memory_give(pipeline->redis->os, pipeline->bytes, pipeline->room);
    pipeline->bytes = bytes;
    pipeline->room = room;
    pipeline->size = used;
    return SOS_OK;
}

int sos_redis_pipeline_add(struct sos_redis_pipeline *pipeline, size_t argc,
                           const char *const *argv, const size_t *lengths)
{
    int status = SOS_EINVAL;
    size_t size = 0;
    if (argc != 0 && argv != NULL && !sos_redis_is_subscribe_(argc, argv, lengths)) {
        size = sos_resp_command_size_(argc, argv, lengths);
        status = make_room(pipeline, size);
    }
    if (status == SOS_OK) {
        sos_resp_command_(pipeline->bytes + pipeline->size, argc, argv, lengths);
        pipeline->size += size;
        pipeline->count++;
    } else if (pipeline->status == SOS_OK) {
        pipeline->status = status;
    }
    return status;
}

static sos_op run(sos_task *task, const struct sos_redis_pipeline *pipeline,
                  struct sos_redis_reply *reply, const struct sos_redis_batch_ *batch)
{
    int status = pipeline->status != SOS_OK ? pipeline->status : SOS_EINVAL;
    if (reply != NULL)
        sos_redis_reply_free(reply);
    if (pipeline->status != SOS_OK || pipeline->count == 0)
        return sos_complete(task, status);
    return sos_redis_submit_(task, pipeline->redis, batch, reply);
}

sos_op sos_redis_pipeline_run(sos_task *task, const struct sos_redis_pipeline *pipeline,
                              struct sos_redis_reply *reply)
{
    const struct sos_redis_batch_ batch = { .bytes = pipeline->bytes + MULTI,
                                            .size = pipeline->size - MULTI,
                                            .count = pipeline->count,
                                            .kind = SOS_REDIS_BATCH_ };
    return run(task, pipeline, reply, &batch);
}

/* What was watched on an earlier connection is watched no more, whatever has happened since. */
static bool watch_is_lost(sos_redis *redis)
{
    bool lost = redis->watched != 0 && (redis->watched != redis->connections || !redis->up);
    redis->watched = 0;
    return lost;
}

sos_op sos_redis_transaction(sos_task *task, const struct sos_redis_pipeline *pipeline,
                             struct sos_redis_reply *reply)
{
    if (reply != NULL)
        sos_redis_reply_free(reply);
    if (watch_is_lost(pipeline->redis))
        return sos_complete(task, SOS_EAGAIN);
    const struct sos_redis_batch_ batch = { .bytes = pipeline->bytes,
                                            .size = pipeline->size + EXEC,
                                            .count = pipeline->count + 2,
                                            .kind = SOS_REDIS_TRANSACTION_ };
    if (pipeline->count != 0)
        memcpy(pipeline->bytes + pipeline->size, exec, EXEC); /* there is room for it */
    return run(task, pipeline, reply, &batch);
}

/* ---- Watching: keys are watched by a connection */

struct redis_watch {
    sos_frame frame;
    sos_redis *redis;
    const char *key;
    uint32_t before;
};

static async_fn(redis_watch)
{
    async_begin(redis_watch);
    redis_enter(self->redis);
    self->before = self->redis->watched;
    try_await(sos_redis_command(task, self->redis, NULL, "WATCH", self->key));
    if (self->before == 0 || self->before == self->redis->connections)
        self->redis->watched = self->redis->connections;
    async_finally;
    sos_redis_leave_(self->redis);
    async_end;
}

sos_op sos_redis_watch(sos_task *task, sos_redis *redis, const char *key)
{
    return async_call(redis_watch, .redis = redis, .key = key);
}

sos_op sos_redis_unwatch(sos_task *task, sos_redis *redis)
{
    redis->watched = 0;
    return sos_redis_command(task, redis, NULL, "UNWATCH");
}

/* ---- Its memory */

void sos_redis_pipeline_clear(struct sos_redis_pipeline *pipeline)
{
    pipeline->size = pipeline->bytes != NULL ? MULTI : 0;
    pipeline->count = 0;
    pipeline->status = SOS_OK;
}

void sos_redis_pipeline_free(struct sos_redis_pipeline *pipeline)
{
    if (pipeline->bytes != NULL)
        sos_memory_give(pipeline->redis->os, pipeline->bytes, pipeline->room);
    pipeline->bytes = NULL;
    pipeline->room = 0;
    sos_redis_pipeline_clear(pipeline);
}
