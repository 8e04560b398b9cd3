/* SPDX-License-Identifier: MIT */
/*
 * What the files of the Redis client share.
 *
 *   redis.c             commands, and the line in which they wait for their replies
 *   redis_connection.c  the two tasks of a client: one keeps the connection and reads, one writes
 *   redis_greeting.c    what is said first on a new connection
 *   redis_receive.c     what comes goes to those who wait for it
 *   redis_reply.c       replies as values
 *   redis_pubsub.c      subscriptions, and the queue of messages
 *   redis_pipeline.c, redis_streams.c, redis_sentinel.c, redis_options.c
 *   redis_cluster.c, redis_cluster_map.c, redis_slots.c
 */
#ifndef SMALLOS_CLIENT_REDIS_INTERNAL_H
#define SMALLOS_CLIENT_REDIS_INTERNAL_H

#include "proto/resp.h"
#include "smallos/redis.h"
#include "smallos/stream.h"

enum {
    SOS_REDIS_PORT_ = 6379,
    SOS_REDIS_SENTINEL_PORT_ = 26379,
    SOS_REDIS_TEXT_ = 200,
    SOS_REDIS_HOST_ = 256 /* as long as a name may be */
};

/* ---- redis_reply.c */

/*
 * Grows while replies arrive; where texts begin is known by their lengths until all is complete. From
 * `base` on stand the values of the reply that is arriving, before them those of the same pipeline.
 */
struct sos_redis_builder_ {
    sos *os;
    struct sos_redis_value *values;
    char *text;
    size_t value_room, text_used, text_room;
    uint32_t count;
    uint32_t base;                         /* values, */
    size_t text_base;                      /* and bytes of text, of earlier replies */
    uint32_t open[SOS_RESP_NESTING_MOST_]; /* the aggregates that are not complete */
    unsigned depth;
    unsigned skipped;      /* depth of an attribute, whose content is left out; 0: in none */
    int status;            /* SOS_ENOMEM: the reply is read to its end all the same */
    uint32_t kept, errors; /* earlier replies, and how many of them are errors */
    int kept_status;       /* SOS_ENOMEM: one of them is incomplete */
};

/* One event of the codec. */
void sos_redis_build_(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event,
                      enum sos_resp_kind_ kind);

/* Of the reply that is whole: its value `index`, without a pointer to its text; NULL: there is none, or
 * was no memory. And the first text in it. */
static inline const struct sos_redis_value *
sos_redis_built_value_(const struct sos_redis_builder_ *builder, uint32_t index)
{
    bool there = builder->status == SOS_OK && builder->base + index < builder->count;
    return there ? &builder->values[builder->base + index] : NULL;
}
const char *sos_redis_built_text_(const struct sos_redis_builder_ *builder);

/* It is kept, and the next one goes behind it; or it is forgotten, as if it had not come. */
void sos_redis_built_keep_(struct sos_redis_builder_ *builder);
void sos_redis_built_forget_(struct sos_redis_builder_ *builder);

/* How many of the items of an array are errors. */
uint32_t sos_redis_built_errors_(const struct sos_redis_builder_ *builder);

/* The one that was kept counts instead of the one that is whole. */
void sos_redis_built_only_first_(struct sos_redis_builder_ *builder);

/* It alone is moved into `reply` (NULL: thrown away): 0 or SOS_ENOMEM. */
int sos_redis_built_take_(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply);

/* So are all that were kept, as an array: how many of them are errors, or SOS_ENOMEM. */
int sos_redis_built_take_all_(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply);

/* Forgets everything, in the middle of a reply. */
void sos_redis_builder_reset_(struct sos_redis_builder_ *builder);
void sos_redis_builder_free_(struct sos_redis_builder_ *builder);

/* ---- The line */

enum sos_redis_place_kind_ {
    SOS_REDIS_ONE_,
    SOS_REDIS_COUNTED_, /* one, and its number is the status */
    SOS_REDIS_BATCH_,
    SOS_REDIS_LAST_, /* of several, or the first that is an error */
    SOS_REDIS_TRANSACTION_,
    SOS_REDIS_SUBSCRIBE_,
    SOS_REDIS_UNSUBSCRIBE_,
    SOS_REDIS_RESUBSCRIBE_ /* on a new connection, what stands in the list already */
};

/* What is subscribed to. */
struct sos_redis_subscription_ {
    struct sos_redis_subscription_ *next;
    size_t length;
    bool pattern;
    char name[]; /* ended by NUL */
};

/*
 * A place in line. `waits`: a task's frame refers to it and gives it back; else the reader does.
 *
 *     waiting (no connection; has `bytes`) -> in line (sent) -> done
 *
 * One that nobody waits for any more leaves `waiting` at once, but the line only with its reply.
 */
struct sos_redis_pending_ {
    struct sos_redis_pending_ *next, **from;
    struct sos_redis_reply *reply;
    struct sos_event done;
    const char *bytes;                            /* what is to be sent */
    size_t size, room;                            /* room: of `bytes` if they are its own */
    struct sos_redis_subscription_ *subscription; /* its own */
    uint32_t left;                                /* replies to come */
    int status;
    uint8_t kind; /* enum sos_redis_place_kind_ */
    bool waits, waiting;
};

struct sos_redis_list_ {
    struct sos_redis_pending_ *first, **last;
};

struct sos_redis_queued_;

struct sos_redis {
    sos *os;
    sos_stream *stream; /* NULL: there is none */
    bool up;            /* commands may go */
    bool closed;        /* its memory goes with the last user */
    bool speaks_3;
    bool lazy;   /* nobody waits for the first attempt: it goes on like the others */
    bool blamed; /* `text` says why the connection is to be left */
    bool gap;    /* messages may be missing before the next one */
    int error;   /* there will be no connection any more, and this is why */
    int cause;
    uint32_t users;           /* frames that refer to it */
    uint32_t connections;     /* made so far */
    uint32_t watched;         /* on which of them keys are watched; 0: none */
    uint32_t subscribed;      /* channels and patterns, as the server counts them */
    struct sos_event dirty;   /* something is to be flushed */
    struct sos_event settled; /* it is up, or there will be no connection any more */
    struct sos_event arrived; /* messages are there, or none will come any more */
    struct sos_redis_list_ line, waiting;
    struct sos_redis_subscription_ *subscriptions;
    struct sos_redis_queued_ *messages, **messages_last;
    uint32_t message_count;
    size_t message_bytes;
    uint64_t messages_lost; /* since the last one that was put into the queue */
    struct sos_resp_limits_ limits;
    uint32_t buffer_limit; /* of what is received, and of what is to be sent */
    struct sos_resp_parser_ parser;
    struct sos_redis_builder_ builder;
    struct sos_redis_options options; /* what it points to is its own */
    struct sos_supervisor supervisor;
    sos_handle keeper, writer;
    uint64_t heard; /* bytes received until the last look for silence */
    bool pinged;
    uint16_t port; /* of the master, as the sentinels say */
    char host[SOS_REDIS_HOST_];
    char text[SOS_REDIS_TEXT_];
    struct sos_resp_level_ levels[SOS_RESP_NESTING_MOST_];
};

/* ---- redis.c */

/* For frames that refer to it over an await: in their first step, and finally. */
static inline void redis_enter(sos_redis *redis)
{
    redis->users++;
}
void sos_redis_leave_(sos_redis *redis);

/* What is to be sent: bytes, or arguments to be encoded, and what comes for it. */
struct sos_redis_batch_ {
    size_t argc;
    const char *const *argv;
    const size_t *lengths;
    const char *bytes; /* instead: must stay as long as somebody waits */
    size_t size;
    uint32_t count; /* of replies; default 1 */
    enum sos_redis_place_kind_ kind;
    struct sos_redis_subscription_ *subscription; /* given away, also if it fails */
};
SOS_MUST_USE sos_op sos_redis_submit_(sos_task *task, sos_redis *redis,
                                      const struct sos_redis_batch_ *batch,
                                      struct sos_redis_reply *reply);

/* Into the output buffer and in line, whether the connection is up or not. 0; SOS_ENOMEM,
 * SOS_ELIMIT, the error of the stream: nothing was put. `pending` may be NULL. */
int sos_redis_put_(sos_redis *redis, const struct sos_redis_batch_ *batch,
                   struct sos_redis_reply *reply, struct sos_redis_pending_ **pending);

/* Waits until the reply to it has come. */
SOS_MUST_USE sos_op sos_redis_await_(sos_task *task, sos_redis *redis,
                                     struct sos_redis_pending_ *pending,
                                     struct sos_redis_reply *reply);

/* For a frame that has `pending`, finally. */
void sos_redis_let_go_(sos_redis *redis, struct sos_redis_pending_ *pending);

/* The first in line has been answered: gives it back. */
void sos_redis_answered_(sos_redis *redis, int status);

/* All in the line end in `status`; and all that were to be sent. */
void sos_redis_fail_(sos_redis *redis, struct sos_redis_list_ *list, int status);

/* What could not be sent before is put now: the connection is up. */
void sos_redis_put_waiting_(sos_redis *redis);

/* It is of no more use: all who wait end in `error`. */
void sos_redis_end_(sos_redis *redis, int error);

/* Notes what went wrong: with a command; and why the connection is to be left, or did not come about. */
void sos_redis_note_(sos_redis *redis, const char *text);
void sos_redis_blame_(sos_redis *redis, const char *text);

/* A command that must not be sent like others: it has no reply of its own. */
bool sos_redis_is_subscribe_(size_t argc, const char *const *argv, const size_t *lengths);

/* ---- redis_connection.c */

/* A client that begins to connect; `options` have a priority. 0; SOS_ENOMEM, SOS_ECAPACITY, SOS_EINVAL. */
int sos_redis_open_(sos *os, const struct sos_redis_options *options, sos_redis **redis);

/* ---- redis_receive.c */

/* Takes what has been received: 0; SOS_EPROTO, SOS_ELIMIT, `cause`: the connection is to be left. */
int sos_redis_take_(sos_redis *redis);

/* ---- redis_greeting.c */

/* Says who we are, until commands may go. */
SOS_MUST_USE sos_op sos_redis_greet_(sos_task *task, sos_redis *redis);

/* ---- redis_pubsub.c */

/* Where RESP2 is spoken: whether the reply that is whole is a message or confirms a subscription. */
bool sos_redis_is_push_(const sos_redis *redis);

/* Takes it: 0, or SOS_ENOMEM: nobody knows what it was. */
int sos_redis_pushed_(sos_redis *redis);

/* Puts a command for each subscription. `last`: that of the last one, NULL: there is none. */
int sos_redis_put_subscriptions_(sos_redis *redis, struct sos_redis_pending_ **last);
void sos_redis_free_subscription_(sos *os, struct sos_redis_subscription_ *subscription);
void sos_redis_free_messages_(sos_redis *redis);

/* ---- redis_options.c */

/* Copies what options point to; takes the copies back, as far as they were made. */
int sos_redis_keep_options_(sos_redis *redis, const struct sos_redis_options *options);
void sos_redis_free_options_(sos_redis *redis);

/* ---- redis_slots.c: which keys a command has, and where they are */

enum { SOS_REDIS_SLOTS_ = 16384 };

/* The first key of a command, and its length: false if it has none. */
bool sos_redis_key_(size_t argc, const char *const *argv, const size_t *lengths, const char **key,
                    size_t *length);

/* Reads "MOVED 3999 127.0.0.1:6381" or "ASK ...", after its first word. False: it is none. */
bool sos_redis_redirection_(const char *text, uint16_t *slot, char *host, size_t size,
                            uint16_t *port);

/* ---- redis_sentinel.c */

/* Asks the sentinels for the master, into redis->host and redis->port. */
SOS_MUST_USE sos_op sos_redis_find_master_(sos_task *task, sos_redis *redis);

#endif
