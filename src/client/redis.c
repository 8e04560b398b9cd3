/* SPDX-License-Identifier: MIT */
/*
 * The Redis client's commands, and the line in which they wait for their replies. A command is encoded
 * into the stream's output buffer at once and its place in line noted; a task of the client's own
 * flushes that buffer after all who are runnable have had their turn, so that the commands of many
 * tasks leave in one call; another one reads replies and gives each to the first in line. A place in
 * line outlives a task that was killed or timed out: its reply is read and thrown away, and the next
 * one stays right.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"
#include "proto/slice.h"
#include "smallos/async.h"

/* ---- Places */

static void append(struct sos_redis_list_ *list, struct sos_redis_pending_ *pending)
{
    pending->next = NULL;
    pending->from = list->last;
    *list->last = pending;
    list->last = &pending->next;
}

static void take_out(struct sos_redis_list_ *list, struct sos_redis_pending_ *pending)
{
    *pending->from = pending->next;
    if (pending->next != NULL)
        pending->next->from = pending->from;
    else
        list->last = pending->from;
}

/* What it needed to be sent. */
static void give_bytes(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    if (pending->room != 0)
        sos_memory_give(redis->os, (void *)(uintptr_t)pending->bytes, pending->room);
    pending->bytes = NULL;
    pending->room = 0;
}

static void give(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    give_bytes(redis, pending);
    sos_redis_free_subscription_(redis->os, pending->subscription);
    sos_memory_give(redis->os, pending, sizeof *pending);
}

static void finish(sos_redis *redis, struct sos_redis_pending_ *pending, int status)
{
    pending->status = status;
    if (pending->waits)
        sos_event_set(&pending->done);
    else
        give(redis, pending);
}

void sos_redis_answered_(sos_redis *redis, int status)
{
    struct sos_redis_pending_ *pending = redis->line.first;
    take_out(&redis->line, pending);
    finish(redis, pending, status);
}

void sos_redis_fail_(sos_redis *redis, struct sos_redis_list_ *list, int status)
{
    while (list->first != NULL) {
        struct sos_redis_pending_ *pending = list->first;
        take_out(list, pending);
        finish(redis, pending, status);
    }
}

void sos_redis_let_go_(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    pending->waits = false;
    if (pending->done.set) {
        give(redis, pending);
    } else if (pending->waiting) {
        take_out(&redis->waiting, pending);
        give(redis, pending);
    }
}

static struct sos_redis_pending_ *new_place(sos_redis *redis, const struct sos_redis_batch_ *batch,
                                            struct sos_redis_reply *reply)
{
    struct sos_redis_pending_ *pending = sos_memory_take(redis->os, sizeof *pending);
    if (pending == NULL) {
        sos_redis_free_subscription_(redis->os, batch->subscription);
        return NULL;
    }
    *pending = (struct sos_redis_pending_){ .reply = reply,
                                            .left = batch->count != 0 ? batch->count : 1,
                                            .kind = (uint8_t)batch->kind,
                                            .subscription = batch->subscription };
    sos_event_init(&pending->done, "reply");
    return pending;
}

/* ---- Sending */

static size_t size_of(const struct sos_redis_batch_ *batch)
{
    return batch->bytes != NULL ? batch->size
                                : sos_resp_command_size_(batch->argc, batch->argv, batch->lengths);
}

static void write_to(char *room, const struct sos_redis_batch_ *batch)
{
    if (batch->bytes != NULL)
        memcpy(room, batch->bytes, batch->size);
    else
        sos_resp_command_(room, batch->argc, batch->argv, batch->lengths);
}

/* Into the output buffer. SOS_ELIMIT and SOS_ENOMEM: it has no room; else the stream is gone. */
static int put(sos_redis *redis, const struct sos_redis_batch_ *batch)
{
    size_t size = size_of(batch);
    char *room = sos_stream_room(redis->stream, size);
    if (room == NULL)
        return sos_stream_unsent(redis->stream) + size > redis->buffer_limit ? SOS_ELIMIT
                                                                             : SOS_ENOMEM;
    write_to(room, batch);
    return sos_stream_put(redis->stream, NULL, size);
}

static bool stream_is_gone(int status)
{
    return status != SOS_OK && status != SOS_ELIMIT && status != SOS_ENOMEM;
}

static void stand_in_line(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    append(&redis->line, pending);
    sos_event_set(&redis->dirty);
}

int sos_redis_put_(sos_redis *redis, const struct sos_redis_batch_ *batch,
                   struct sos_redis_reply *reply, struct sos_redis_pending_ **added)
{
    struct sos_redis_pending_ *pending = new_place(redis, batch, reply);
    if (pending == NULL)
        return SOS_ENOMEM;
    int status = put(redis, batch);
    if (status != SOS_OK) {
        give(redis, pending);
        return status;
    }
    stand_in_line(redis, pending);
    if (added != NULL)
        *added = pending;
    return SOS_OK;
}

/* Until there is a connection. */
static bool keep_for_later(sos_redis *redis, struct sos_redis_pending_ *pending,
                           const struct sos_redis_batch_ *batch)
{
    pending->size = size_of(batch);
    pending->bytes = batch->bytes;
    if (batch->bytes == NULL) {
        char *bytes = sos_memory_take(redis->os, pending->size);
        if (bytes == NULL)
            return false;
        write_to(bytes, batch);
        pending->bytes = bytes;
        pending->room = pending->size;
    }
    pending->waiting = true;
    append(&redis->waiting, pending);
    return true;
}

static int queue(sos_redis *redis, const struct sos_redis_batch_ *batch,
                 struct sos_redis_pending_ *pending)
{
    int status = redis->error;
    if (redis->up && status == SOS_OK) {
        status = put(redis, batch);
        if (status == SOS_OK)
            stand_in_line(redis, pending);
        if (!stream_is_gone(status))
            return status;
        redis->up = false; /* the other end is gone, and the reader will hear of it */
        sos_event_clear(&redis->settled);
        status = SOS_OK;
    }
    if (status == SOS_OK && !keep_for_later(redis, pending, batch))
        status = SOS_ENOMEM;
    return status;
}

/* Of operations that were unwound before their first step: what they were to send may be gone. */
static void give_unwanted(sos_redis *redis)
{
    struct sos_redis_pending_ *next;
    for (struct sos_redis_pending_ *pending = redis->waiting.first; pending != NULL;
         pending = next) {
        next = pending->next;
        if (pending->waits)
            continue;
        take_out(&redis->waiting, pending);
        give(redis, pending);
    }
}

void sos_redis_put_waiting_(sos_redis *redis)
{
    give_unwanted(redis);
    while (redis->waiting.first != NULL) {
        struct sos_redis_pending_ *pending = redis->waiting.first;
        int status = put(
            redis, &(struct sos_redis_batch_){ .bytes = pending->bytes, .size = pending->size });
        if (stream_is_gone(status))
            return; /* lost again */
        take_out(&redis->waiting, pending);
        pending->waiting = false;
        give_bytes(redis, pending);
        if (status == SOS_OK)
            stand_in_line(redis, pending);
        else
            finish(redis, pending, status);
    }
}

/* ---- Waiting for replies */

struct redis_command {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_pending_ *pending;
};

static async_fn(redis_command)
{
    async_begin(redis_command);
    redis_enter(self->redis);
    self->pending->waits = true;
    await(sos_event_wait(task, &self->pending->done));
    async_return(sos_status(task) == SOS_OK ? self->pending->status : sos_status(task));
    async_finally;
    sos_redis_let_go_(self->redis, self->pending);
    sos_redis_leave_(self->redis);
    async_end;
}

sos_op sos_redis_submit_(sos_task *task, sos_redis *redis, const struct sos_redis_batch_ *batch,
                         struct sos_redis_reply *reply)
{
    if (reply != NULL)
        sos_redis_reply_free(reply);
    struct sos_redis_pending_ *pending = new_place(redis, batch, reply);
    if (pending == NULL)
        return sos_complete(task, SOS_ENOMEM);
    int status = queue(redis, batch, pending);
    if (status == SOS_OK)
        return async_call(redis_command, .redis = redis, .pending = pending);
    give(redis, pending);
    return sos_complete(task, status);
}

bool sos_redis_is_subscribe_(size_t argc, const char *const *argv, const size_t *lengths)
{
    static const char *const names[] = { "subscribe",    "unsubscribe", "psubscribe",
                                         "punsubscribe", "ssubscribe",  "sunsubscribe" };
    enum { SHORTEST = 9, LONGEST = 12 };
    if (argc == 0 || (lengths != NULL && lengths[0] < SHORTEST) ||
        strchr("sSuUpP", argv[0][0]) == NULL) /* most are none at a glance */
        return false;
    size_t length = lengths != NULL ? lengths[0] : strlen(argv[0]);
    if (length < SHORTEST || length > LONGEST)
        return false;
    for (size_t index = 0; index < sizeof names / sizeof names[0]; index++)
        if (sos_slice_is_caseless_(sos_slice_(argv[0], length), names[index]))
            return true;
    return false;
}

static sos_op send_as(sos_task *task, sos_redis *redis, enum sos_redis_place_kind_ kind,
                      struct sos_redis_reply *reply, size_t argc, const char *const *argv,
                      const size_t *lengths)
{
    if (argc == 0 || argv == NULL || sos_redis_is_subscribe_(argc, argv, lengths)) {
        if (reply != NULL)
            sos_redis_reply_free(reply);
        return sos_complete(task, SOS_EINVAL);
    }
    const struct sos_redis_batch_ batch = {
        .argc = argc, .argv = argv, .lengths = lengths, .kind = kind
    };
    return sos_redis_submit_(task, redis, &batch, reply);
}

sos_op sos_redis_send(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply, size_t argc,
                      const char *const *argv, const size_t *lengths)
{
    return send_as(task, redis, SOS_REDIS_ONE_, reply, argc, argv, lengths);
}

sos_op sos_redis_count(sos_task *task, sos_redis *redis, size_t argc, const char *const *argv,
                       const size_t *lengths)
{
    return send_as(task, redis, SOS_REDIS_COUNTED_, NULL, argc, argv, lengths);
}

/* ---- The most common commands */

sos_op sos_redis_ping(sos_task *task, sos_redis *redis)
{
    return sos_redis_command(task, redis, NULL, "PING");
}

sos_op sos_redis_get(sos_task *task, sos_redis *redis, const char *key,
                     struct sos_redis_reply *reply)
{
    return sos_redis_command(task, redis, reply, "GET", key);
}

sos_op sos_redis_set(sos_task *task, sos_redis *redis, const char *key, const void *value,
                     size_t size)
{
    const char *const argv[] = { "SET", key, value };
    return sos_redis_send(task, redis, NULL, 3, argv, (const size_t[]){ 3, strlen(key), size });
}

sos_op sos_redis_delete(sos_task *task, sos_redis *redis, const char *key)
{
    return sos_redis_count(task, redis, 2, (const char *const[]){ "DEL", key }, NULL);
}

sos_op sos_redis_publish(sos_task *task, sos_redis *redis, const char *channel, const void *message,
                         size_t size)
{
    const char *const argv[] = { "PUBLISH", channel, message };
    return sos_redis_count(task, redis, 3, argv, (const size_t[]){ 7, strlen(channel), size });
}

/* ---- The end */

void sos_redis_leave_(sos_redis *redis)
{
    if (--redis->users != 0 || !redis->closed)
        return;
    sos_redis_builder_free_(&redis->builder);
    sos_redis_free_messages_(redis);
    sos_redis_free_options_(redis);
    while (redis->subscriptions != NULL) {
        struct sos_redis_subscription_ *next = redis->subscriptions->next;
        sos_redis_free_subscription_(redis->os, redis->subscriptions);
        redis->subscriptions = next;
    }
    sos_memory_give(redis->os, redis, sizeof *redis);
}

void sos_redis_end_(sos_redis *redis, int error)
{
    if (redis->error != 0)
        return;
    redis->error = error;
    redis->up = false;
    sos_redis_fail_(redis, &redis->line, error == SOS_ECANCELED ? error : SOS_ELOST);
    sos_redis_fail_(redis, &redis->waiting, error);
    sos_event_set(&redis->settled);
    sos_event_set(&redis->arrived);
}

void sos_redis_close(sos_redis *redis)
{
    if (redis == NULL || redis->closed)
        return;
    redis_enter(redis);
    redis->closed = true;
    sos_redis_end_(redis, SOS_ECANCELED);
    sos_kill(redis->os, redis->keeper);
    sos_kill(redis->os, redis->writer);
    sos_stream_close(redis->stream);
    redis->stream = NULL;
    sos_redis_leave_(redis);
}

/* ---- About it */

void sos_redis_note_(sos_redis *redis, const char *text)
{
    snprintf(redis->text, sizeof redis->text, "%s", text);
}

void sos_redis_blame_(sos_redis *redis, const char *text)
{
    sos_redis_note_(redis, text);
    redis->blamed = true;
}

const char *sos_redis_error(const sos_redis *redis)
{
    return redis->text;
}

int sos_redis_protocol(const sos_redis *redis)
{
    return redis->speaks_3 ? 3 : 2;
}

uint32_t sos_redis_connections(const sos_redis *redis)
{
    return redis->connections;
}

bool sos_redis_is_up(const sos_redis *redis)
{
    return redis->up && redis->error == 0;
}
