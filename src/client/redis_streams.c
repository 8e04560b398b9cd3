/* SPDX-License-Identifier: MIT */
/* Streams of Redis: commands with many arguments, and where their answers have what. */
#include "smallos/redis_streams.h"

#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"
#include "smallos/async.h"

/* Arguments of a command that has as many as the caller says. */
static const char **arguments(sos_redis *redis, size_t count)
{
    return sos_memory_take(redis->os, count * sizeof(const char *));
}

/* They are copied with the command. */
static sos_op send_and_give(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply,
                            bool counted, size_t argc, const char **argv, size_t room)
{
    sos_op op = counted ? sos_redis_count(task, redis, argc, argv, NULL)
                        : sos_redis_send(task, redis, reply, argc, argv, NULL);
    sos_memory_give(redis->os, argv, room * sizeof(const char *));
    return op;
}

sos_op sos_redis_xadd(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply,
                      const char *stream, uint64_t max_length, size_t count,
                      const char *const *fields)
{
    enum { HEAD = 6, MOST = 1048576 };
    char limit[24];
    size_t argc = 0, room = HEAD + 2 * count;
    const char **argv = count != 0 && count <= MOST ? arguments(redis, room) : NULL;
    if (argv == NULL)
        return sos_complete(task, count != 0 && count <= MOST ? SOS_ENOMEM : SOS_EINVAL);
    argv[argc++] = "XADD";
    argv[argc++] = stream;
    if (max_length != 0) {
        snprintf(limit, sizeof limit, "%llu", (unsigned long long)max_length);
        argv[argc++] = "MAXLEN";
        argv[argc++] = "~";
        argv[argc++] = limit;
    }
    argv[argc++] = "*";
    memcpy(argv + argc, fields, 2 * count * sizeof *argv);
    return send_and_give(task, redis, reply, false, argc + 2 * count, argv, room);
}

sos_op sos_redis_xack(sos_task *task, sos_redis *redis, const char *stream, const char *group,
                      size_t count, const char *const *ids)
{
    enum { HEAD = 3, MOST = 1048576 };
    size_t room = HEAD + count;
    const char **argv = count != 0 && count <= MOST ? arguments(redis, room) : NULL;
    if (argv == NULL)
        return sos_complete(task, count != 0 && count <= MOST ? SOS_ENOMEM : SOS_EINVAL);
    argv[0] = "XACK";
    argv[1] = stream;
    argv[2] = group;
    memcpy(argv + HEAD, ids, count * sizeof *argv);
    return send_and_give(task, redis, NULL, true, room, argv, room);
}

/* ---- Groups */

struct redis_group {
    sos_frame frame;
    sos_redis *redis;
    const char *stream, *group, *from;
    struct sos_redis_reply reply;
};

static async_fn(redis_group)
{
    async_begin(redis_group);
    await(sos_redis_command(task, self->redis, &self->reply, "XGROUP", "CREATE", self->stream,
                            self->group, self->from, "MKSTREAM"));
    if (sos_status(task) == SOS_ESERVER && strncmp(self->reply.value->text, "BUSYGROUP", 9) == 0)
        async_return(SOS_OK);
    if (sos_status(task) == SOS_ESERVER)
        sos_redis_note_(self->redis, self->reply.value->text);
    async_return(sos_status(task));
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

sos_op sos_redis_xgroup_create(sos_task *task, sos_redis *redis, const char *stream,
                               const char *group, const char *from)
{
    return async_call(redis_group, .redis = redis, .stream = stream, .group = group,
                      .from = from != NULL ? from : "$");
}

sos_op sos_redis_xread_group(sos_task *task, sos_redis *redis,
                             const struct sos_redis_group_read *read, struct sos_redis_reply *reply)
{
    enum { MOST = 12 };
    const char *argv[MOST] = { "XREADGROUP", "GROUP", read->group, read->consumer };
    char count[12], block[24];
    size_t argc = 4;
    if (read->block_us < 0)
        return sos_complete(task, SOS_EINVAL);
    if (read->count != 0) {
        snprintf(count, sizeof count, "%lu", (unsigned long)read->count);
        argv[argc++] = "COUNT";
        argv[argc++] = count;
    }
    if (read->block_us != 0) {
        int64_t ms = read->block_us == SOS_FOREVER ? 0 : (read->block_us - 1) / 1000 + 1;
        snprintf(block, sizeof block, "%lld", (long long)ms);
        argv[argc++] = "BLOCK";
        argv[argc++] = block;
    }
    if (read->no_ack)
        argv[argc++] = "NOACK";
    argv[argc++] = "STREAMS";
    argv[argc++] = read->stream;
    argv[argc++] = read->id != NULL ? read->id : ">";
    return sos_redis_send(task, redis, reply, argc, argv, NULL);
}

/* A map of RESP3, or of RESP2 an array of pairs. */
const struct sos_redis_value *sos_redis_entries(const struct sos_redis_value *value,
                                                const char *stream)
{
    if (value == NULL || value->type == SOS_REDIS_MAP)
        return sos_redis_field(value, stream);
    if (value->type != SOS_REDIS_ARRAY)
        return NULL;
    const struct sos_redis_value *pair = sos_redis_item(value, 0);
    for (uint32_t index = 0; index < value->count; index++, pair = sos_redis_next(pair)) {
        const struct sos_redis_value *found = sos_redis_field(pair, stream);
        if (found != NULL)
            return found;
    }
    return NULL;
}
