/* SPDX-License-Identifier: MIT */
/*
 * Publish and subscribe: what the server sends by itself goes into a queue. The list of subscriptions
 * says what the server has confirmed; on a new connection it is subscribed to again. A confirmation
 * comes where the reply to its command would, as a push with RESP3, and as an array with RESP2: so the
 * first in line is the command that it is for.
 */
#include <string.h>

#include "client/redis_internal.h"
#include "proto/slice.h"
#include "smallos/async.h"

struct sos_redis_queued_ {
    struct sos_redis_queued_ *next;
    struct sos_redis_message message;
};

/* ---- What has come */

/* The first word of an array or push. */
static struct sos_slice_ kind_of(const struct sos_redis_builder_ *builder)
{
    const struct sos_redis_value *whole = sos_redis_built_value_(builder, 0),
                                 *kind = sos_redis_built_value_(builder, 1);
    if (whole == NULL || whole->type != SOS_REDIS_ARRAY || kind == NULL ||
        kind->type != SOS_REDIS_STRING)
        return sos_slice_text_("");
    return sos_slice_(sos_redis_built_text_(builder), kind->length);
}

static bool is_one_of(struct sos_slice_ kind, const char *word)
{
    if (kind.length > 0 && (*kind.at == 'p' || *kind.at == 's') && !sos_slice_is_(kind, word))
        kind = sos_slice_(kind.at + 1, kind.length - 1); /* of a pattern, of a shard */
    return sos_slice_is_(kind, word);
}

static bool is_message(struct sos_slice_ kind)
{
    return is_one_of(kind, "message");
}

/* Confirms the command that is first in line. */
static bool confirms(const sos_redis *redis, struct sos_slice_ kind)
{
    if (redis->line.first == NULL)
        return false;
    switch ((enum sos_redis_place_kind_)redis->line.first->kind) {
    case SOS_REDIS_SUBSCRIBE_:
    case SOS_REDIS_RESUBSCRIBE_:
        return is_one_of(kind, "subscribe");
    case SOS_REDIS_UNSUBSCRIBE_:
        return is_one_of(kind, "unsubscribe");
    case SOS_REDIS_ONE_:
    case SOS_REDIS_COUNTED_:
    case SOS_REDIS_BATCH_:
    case SOS_REDIS_LAST_:
    case SOS_REDIS_TRANSACTION_:
        break;
    }
    return false;
}

bool sos_redis_is_push_(const sos_redis *redis)
{
    const struct sos_redis_pending_ *first = redis->line.first;
    if (redis->subscribed == 0 && (first == NULL || first->kind < SOS_REDIS_SUBSCRIBE_))
        return false;
    struct sos_slice_ kind = kind_of(&redis->builder);
    return confirms(redis, kind) || (redis->subscribed != 0 && is_message(kind));
}

/* ---- The queue */

static void give_queued(sos *os, struct sos_redis_queued_ *queued)
{
    sos_redis_message_free(&queued->message);
    sos_memory_give(os, queued, sizeof *queued);
}

static struct sos_redis_queued_ *take_queued(sos_redis *redis)
{
    struct sos_redis_queued_ *queued = redis->messages;
    redis->messages = queued->next;
    if (redis->messages == NULL)
        redis->messages_last = &redis->messages;
    redis->message_count--;
    redis->message_bytes -= queued->message.reply.size;
    return queued;
}

/* What it knew of losses goes to the one behind it. */
static void drop_oldest(sos_redis *redis)
{
    struct sos_redis_queued_ *oldest = take_queued(redis);
    uint64_t *lost = redis->messages != NULL ? &redis->messages->message.lost
                                             : &redis->messages_lost;
    bool *gap = redis->messages != NULL ? &redis->messages->message.gap : &redis->gap;
    *lost += oldest->message.lost + 1;
    *gap = *gap || oldest->message.gap;
    give_queued(redis->os, oldest);
}

static void name_parts(struct sos_redis_message *message)
{
    const struct sos_redis_value *kind = sos_redis_item(message->reply.value, 0);
    if (kind == NULL || kind->type != SOS_REDIS_STRING ||
        !is_message(sos_slice_(kind->text, kind->length)))
        return;
    uint32_t index = 1;
    if (strcmp(kind->text, "pmessage") == 0)
        message->pattern = sos_redis_item(message->reply.value, index++);
    message->channel = sos_redis_item(message->reply.value, index++);
    message->payload = sos_redis_item(message->reply.value, index);
}

static void queue_message(sos_redis *redis)
{
    const struct sos_redis_options *options = &redis->options;
    struct sos_redis_queued_ *queued = sos_memory_take(redis->os, sizeof *queued);
    struct sos_redis_reply reply = { NULL, NULL, 0 };
    int status = sos_redis_built_take_(&redis->builder, queued != NULL ? &reply : NULL);
    if (queued == NULL || status != SOS_OK) {
        sos_memory_give(redis->os, queued, queued != NULL ? sizeof *queued : 0);
        redis->messages_lost++;
        return;
    }
    while (redis->messages != NULL &&
           (redis->message_count >= options->max_messages ||
            redis->message_bytes + reply.size > options->max_message_bytes))
        drop_oldest(redis);
    *queued = (struct sos_redis_queued_){
        .message = { .reply = reply, .lost = redis->messages_lost, .gap = redis->gap }
    };
    name_parts(&queued->message);
    redis->messages_lost = 0;
    redis->gap = false;
    *redis->messages_last = queued;
    redis->messages_last = &queued->next;
    redis->message_count++;
    redis->message_bytes += reply.size;
    sos_event_set(&redis->arrived);
}

void sos_redis_free_messages_(sos_redis *redis)
{
    while (redis->messages != NULL)
        give_queued(redis->os, take_queued(redis));
}

/* ---- Confirmations */

void sos_redis_free_subscription_(sos *os, struct sos_redis_subscription_ *subscription)
{
    if (subscription != NULL)
        sos_memory_give(os, subscription, sizeof *subscription + subscription->length + 1);
}

static struct sos_redis_subscription_ **find(sos_redis *redis,
                                             const struct sos_redis_subscription_ *like)
{
    struct sos_redis_subscription_ **at = &redis->subscriptions;
    while (*at != NULL && ((*at)->pattern != like->pattern || strcmp((*at)->name, like->name) != 0))
        at = &(*at)->next;
    return at;
}

/* The list is as the server has it. */
static void note_confirmed(sos_redis *redis, struct sos_redis_pending_ *pending)
{
    if (pending->subscription == NULL)
        return; /* again */
    struct sos_redis_subscription_ **at = find(redis, pending->subscription), *found = *at;
    if (pending->kind == SOS_REDIS_SUBSCRIBE_ && found == NULL) {
        *at = pending->subscription;
        pending->subscription = NULL;
    } else if (pending->kind == SOS_REDIS_UNSUBSCRIBE_ && found != NULL) {
        *at = found->next;
        sos_redis_free_subscription_(redis->os, found);
    }
}

int sos_redis_pushed_(sos_redis *redis)
{
    struct sos_redis_builder_ *builder = &redis->builder;
    const struct sos_redis_pending_ *first = redis->line.first;
    bool may_confirm = first != NULL && first->kind >= SOS_REDIS_SUBSCRIBE_;
    if (builder->status != SOS_OK && may_confirm) {
        sos_redis_built_forget_(builder);
        return SOS_ENOMEM;
    }
    if (!confirms(redis, kind_of(builder))) {
        queue_message(redis);
        return SOS_OK;
    }
    const struct sos_redis_value *count = sos_redis_built_value_(builder, 3);
    redis->subscribed = count != NULL && count->integer > 0 ? (uint32_t)count->integer : 0;
    sos_redis_built_forget_(builder);
    note_confirmed(redis, redis->line.first);
    sos_redis_answered_(redis, SOS_OK);
    return SOS_OK;
}

/* ---- Subscribing */

static void words_for(bool subscribe, const struct sos_redis_subscription_ *subscription,
                      const char *argv[2])
{
    static const char *const words[2][2] = { { "UNSUBSCRIBE", "PUNSUBSCRIBE" },
                                             { "SUBSCRIBE", "PSUBSCRIBE" } };
    argv[0] = words[subscribe][subscription->pattern];
    argv[1] = subscription->name;
}

static sos_op change(sos_task *task, sos_redis *redis, const char *name, bool subscribe,
                     bool pattern)
{
    size_t length = strlen(name);
    struct sos_redis_subscription_ *subscription = sos_memory_take(redis->os, sizeof *subscription +
                                                                                  length + 1);
    if (subscription == NULL)
        return sos_complete(task, SOS_ENOMEM);
    *subscription = (struct sos_redis_subscription_){ .length = length, .pattern = pattern };
    memcpy(subscription->name, name, length + 1);
    const char *argv[2];
    words_for(subscribe, subscription, argv);
    const struct sos_redis_batch_ batch = { .argc = 2,
                                            .argv = argv,
                                            .subscription = subscription,
                                            .kind = subscribe ? SOS_REDIS_SUBSCRIBE_
                                                              : SOS_REDIS_UNSUBSCRIBE_ };
    return sos_redis_submit_(task, redis, &batch, NULL);
}

sos_op sos_redis_subscribe(sos_task *task, sos_redis *redis, const char *channel)
{
    return change(task, redis, channel, true, false);
}

sos_op sos_redis_psubscribe(sos_task *task, sos_redis *redis, const char *pattern)
{
    return change(task, redis, pattern, true, true);
}

sos_op sos_redis_unsubscribe(sos_task *task, sos_redis *redis, const char *channel)
{
    return change(task, redis, channel, false, false);
}

sos_op sos_redis_punsubscribe(sos_task *task, sos_redis *redis, const char *pattern)
{
    return change(task, redis, pattern, false, true);
}

int sos_redis_put_subscriptions_(sos_redis *redis, struct sos_redis_pending_ **last)
{
    int status = SOS_OK;
    *last = NULL;
    for (const struct sos_redis_subscription_ *each = redis->subscriptions;
         each != NULL && status == SOS_OK; each = each->next) {
        const char *argv[2];
        words_for(true, each, argv);
        const struct sos_redis_batch_ batch = { .argc = 2,
                                                .argv = argv,
                                                .kind = SOS_REDIS_RESUBSCRIBE_ };
        status = sos_redis_put_(redis, &batch, NULL, last);
    }
    return status;
}

/* ---- Reading messages */

struct redis_message {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_message *message;
};

static void hand_over(sos_redis *redis, struct sos_redis_message *message)
{
    struct sos_redis_queued_ *queued = take_queued(redis);
    *message = queued->message;
    sos_memory_give(redis->os, queued, sizeof *queued);
}

static async_fn(redis_message)
{
    async_begin(redis_message);
    redis_enter(self->redis);
    while (self->redis->messages == NULL) {
        if (self->redis->error != SOS_OK)
            async_return(self->redis->error);
        sos_event_clear(&self->redis->arrived);
        try_await(sos_event_wait(task, &self->redis->arrived));
    }
    hand_over(self->redis, self->message);
    async_finally;
    sos_redis_leave_(self->redis);
    async_end;
}

sos_op sos_redis_next_message(sos_task *task, sos_redis *redis, struct sos_redis_message *message)
{
    if (message == NULL)
        return sos_complete(task, SOS_EINVAL);
    sos_redis_message_free(message);
    if (redis->messages == NULL)
        return async_call(redis_message, .redis = redis, .message = message);
    hand_over(redis, message);
    return sos_complete(task, SOS_OK);
}

void sos_redis_message_free(struct sos_redis_message *message)
{
    sos_redis_reply_free(&message->reply);
    *message = (struct sos_redis_message){ .reply = { NULL, NULL, 0 } };
}
