/* SPDX-License-Identifier: MIT */
/*
 * Redis client (RESP2 and RESP3, https://redis.io/docs/reference/protocol-spec). Any number of tasks
 * share one connection: each awaits the reply to its own command, and the commands of all of them go
 * out together.
 *
 *     await(sos_redis_command(task, redis, &self->reply, "GET", "key"));
 *     if (sos_status(task) == SOS_OK && self->reply.value->type == SOS_REDIS_STRING)
 *         use(self->reply.value->text, self->reply.value->length);
 *     sos_redis_reply_free(&self->reply);
 *
 * A deadline on a command (sos_within) leaves the connection in step: its late reply is thrown away.
 *
 * A lost connection is made again, with its user, database and subscriptions. What had been sent ends
 * in SOS_ELOST; what is sent meanwhile waits, and goes out with the new connection.
 *
 * What belongs to a connection, and what holds it up, does not go with sharing one: WATCH, SELECT,
 * CLIENT REPLY, MONITOR, and commands that block (BLPOP, XREADGROUP BLOCK). For these make another
 * with sos_redis_another. MULTI and EXEC: use sos_redis_transaction, which no other task can get
 * between.
 *
 * All functions are for the runtime's thread; those that return sos_op for tasks. The calls for
 * streams are in smallos/redis_streams.h, those for clusters in smallos/redis_cluster.h.
 */
#ifndef SMALLOS_REDIS_H
#define SMALLOS_REDIS_H

#include "smallos/runtime.h"
#include "smallos/supervisor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_redis sos_redis;
struct sos_tls_options;

/* Where a server listens. */
struct sos_redis_endpoint {
    const char *host; /* a name, an address, or "unix:/path"; default 127.0.0.1 */
    uint16_t port;    /* default 6379; of a sentinel 26379 */
};

/* Zero means default in every field. Everything is copied, but for `tls`, which must live as long as
 * the client. */
struct sos_redis_options {
    const char *host;     /* a name, an address, or "unix:/path"; default 127.0.0.1 */
    uint16_t port;        /* default 6379 */
    const char *user;     /* NULL: the default user */
    const char *password; /* NULL: none; told as SOS_REPORT_CLEARTEXT when it goes without TLS */
    uint32_t database;
    uint8_t
        protocol; /* 2: RESP2; 3: RESP3 or no connection; default: 3, or 2 if it knows no other */
    int priority; /* of the connection's own two tasks; default: that of the connecting task */
    uint32_t max_response_size; /* bytes of a reply; default client_defaults.redis */
    uint32_t max_nesting_depth; /* default client_defaults.redis; at most 64 */
    uint32_t max_messages;      /* published ones and pushes that wait to be read; default 1024 */
    uint32_t max_message_bytes; /* and what they may take; the latest one is kept in any case;
                                   default max_response_size */
    const struct sos_tls_options *tls; /* NULL: no TLS */

    /* How a lost connection is made again. attempts_max 1: not at all. silence_us: after half of it
     * without a byte the server is sent a PING, after the other half the connection is given up;
     * not for commands that block for longer. */
    struct sos_supervisor_options reconnect;
    int64_t attempt_us; /* what one attempt may take, with all its steps; default 10 s */

    /* With a master's name: it is asked for at the sentinels, at each attempt anew, and host and port
     * are not looked at. Each sentinel may take its share of the attempt's time. */
    const char *master;
    const struct sos_redis_endpoint *sentinels;
    uint32_t sentinel_count;
    const char *sentinel_user, *sentinel_password;

    /* Where to write why sos_redis_connect has failed, in words; not looked at afterwards. */
    char *error_text;
    size_t error_text_size;
};

/*
 * Connects and, as asked for, authenticates and selects a database: one attempt. Ends in 0 and *redis
 * is set; SOS_ESERVER: the server refused (wrong password, no such database); SOS_EPROTO: what
 * answers is no Redis; SOS_ETIMEDOUT: `attempt_us`; SOS_EINVAL; or as sos_connect.
 * Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_redis_connect(sos_task *task, const struct sos_redis_options *options,
                                      sos_redis **redis);

/* Another connection with the options of this one, which must live until the operation has ended. */
SOS_MUST_USE sos_op sos_redis_another(sos_task *task, sos_redis *redis, sos_redis **another);

/* Closes it at once; tasks that wait for a reply get SOS_ECANCELED. NULL is fine. */
void sos_redis_close(sos_redis *redis);

/* What has gone wrong with the connection last, in words; "": nothing yet. Valid until the next call
 * or await. */
const char *sos_redis_error(const sos_redis *redis);

/* 2 or 3: what is spoken on the connection. How many have been made, this one included; whether it
 * stands. */
int sos_redis_protocol(const sos_redis *redis);
uint32_t sos_redis_connections(const sos_redis *redis);
bool sos_redis_is_up(const sos_redis *redis);

/* ---- Replies */

enum sos_redis_type {
    SOS_REDIS_NULL,
    SOS_REDIS_STRING,
    SOS_REDIS_ERROR,
    SOS_REDIS_INTEGER,
    SOS_REDIS_DOUBLE,
    SOS_REDIS_BOOLEAN,
    SOS_REDIS_ARRAY,
    SOS_REDIS_SET,
    SOS_REDIS_MAP /* its items are key, value, key, value ... */
};

/* A value, and right behind it its items with theirs: an aggregate is a piece of one array. */
struct sos_redis_value {
    enum sos_redis_type type;
    uint32_t count; /* items of an aggregate */
    uint32_t span;  /* values in all, with this one */
    char wire;     /* how the protocol marks it: '+' a status, '$' a string, '(' a big number ... */
    size_t length; /* bytes of `text` */
    const char *text; /* of all but aggregates; ended by a NUL that does not count */
    int64_t integer;  /* INTEGER, BOOLEAN */
    double number;    /* DOUBLE */
};

/* Zero before its first use. The memory belongs to the runtime until it is freed. */
struct sos_redis_reply {
    const struct sos_redis_value *value; /* NULL: none */
    sos *os;                             /* private */
    size_t size;                         /* private */
};

/* Item `index` of an aggregate; NULL: there is none. */
const struct sos_redis_value *sos_redis_item(const struct sos_redis_value *value, size_t index);

/* What stands behind an item in its aggregate; there must be something. */
static inline const struct sos_redis_value *sos_redis_next(const struct sos_redis_value *item)
{
    return item + item->span;
}

/* The value of a key in a map, or in an array of keys and values (as RESP2 has them); NULL: none. */
const struct sos_redis_value *sos_redis_field(const struct sos_redis_value *value, const char *key);

/* Gives the memory of a reply back and makes it empty; an empty one is fine. */
void sos_redis_reply_free(struct sos_redis_reply *reply);

/* ---- Commands */

/*
 * Sends a command and waits for its reply. Ends in 0; SOS_ESERVER: the reply is an error, whose text
 * stands in reply->value; SOS_ELOST: the connection was lost before the reply came, and the command
 * may have been carried out; so it may with SOS_EPROTO, SOS_ENOMEM, and SOS_ELIMIT when
 * sos_redis_error tells of a byte. With any other error nothing was sent: SOS_ELIMIT: it is beyond the
 * output buffer (max_response_size and 64 KiB); SOS_EINVAL: no arguments, or a SUBSCRIBE or UNSUBSCRIBE
 * of any kind, for which there are functions; why the last attempt to connect failed, if it is not to
 * be tried again.
 * While there is no connection it waits for the next one: use sos_within.
 * The arguments are copied. `lengths` NULL: they end with NUL. `reply` is freed first if it is not
 * empty, and may be NULL. Canceled: the command may be carried out, its reply is thrown away; one
 * that waited for a connection is not.
 */
SOS_MUST_USE sos_op sos_redis_send(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply,
                                   size_t argc, const char *const *argv, const size_t *lengths);

/* The same with the arguments as texts: sos_redis_command(task, redis, &reply, "SET", key, value). */
#define sos_redis_command(task, redis, reply, ...)                                                 \
    sos_redis_send((task), (redis), (reply),                                                       \
                   sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *),            \
                   (const char *const[]){ __VA_ARGS__ }, NULL)

/* The same where the reply is a number, in which the operation ends (INT_MAX: as much or more). */
SOS_MUST_USE sos_op sos_redis_count(sos_task *task, sos_redis *redis, size_t argc,
                                    const char *const *argv, const size_t *lengths);

/* The most common ones; they end as above. GET of no such key: a reply of type NULL. */
SOS_MUST_USE sos_op sos_redis_ping(sos_task *task, sos_redis *redis);
SOS_MUST_USE sos_op sos_redis_get(sos_task *task, sos_redis *redis, const char *key,
                                  struct sos_redis_reply *reply);
SOS_MUST_USE sos_op sos_redis_set(sos_task *task, sos_redis *redis, const char *key,
                                  const void *value, size_t size);
/* Ends in how many were there. */
SOS_MUST_USE sos_op sos_redis_delete(sos_task *task, sos_redis *redis, const char *key);
/* Ends in how many have received it. */
SOS_MUST_USE sos_op sos_redis_publish(sos_task *task, sos_redis *redis, const char *channel,
                                      const void *message, size_t size);

/* ---- Pipelines: commands that are sent as one piece, and their replies as one */

/* Zero but for `redis` and `max_size` before its first use. */
struct sos_redis_pipeline {
    sos_redis *redis; /* where it will go; its runtime has the memory */
    size_t max_size;  /* of all commands; default 16 MiB */
    uint32_t count;   /* commands in it */
    int status;       /* why one could not be added */
    char *bytes;      /* private */
    size_t size, room;
};

/*
 * Adds a command, whose arguments are copied. 0; SOS_ENOMEM, SOS_ELIMIT, SOS_EINVAL (as for
 * sos_redis_send): the pipeline then ends in the same, so that it need not be looked at each time.
 */
int sos_redis_pipeline_add(struct sos_redis_pipeline *pipeline, size_t argc,
                           const char *const *argv, const size_t *lengths);

/* sos_redis_add(&pipeline, "SET", key, value) */
#define sos_redis_add(pipeline, ...)                                                               \
    sos_redis_pipeline_add((pipeline),                                                             \
                           sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *),    \
                           (const char *const[]){ __VA_ARGS__ }, NULL)

/*
 * Sends it and waits for all replies: an array of them in their order. Ends in how many of them are
 * errors, 0: none; and else as sos_redis_send; SOS_EINVAL: it is empty. Stays as it is, may be sent
 * again, and must not be changed before the operation has ended.
 */
SOS_MUST_USE sos_op sos_redis_pipeline_run(sos_task *task,
                                           const struct sos_redis_pipeline *pipeline,
                                           struct sos_redis_reply *reply);

/*
 * The same between MULTI and EXEC: all of it is carried out, with nothing in between, or nothing.
 * The reply is that of EXEC, an array, and the operation ends in how many of its items are errors.
 * SOS_ESERVER: nothing was carried out, since a command was refused: the reply is that error;
 * SOS_EAGAIN: nothing was, since a watched key has changed (or the connection that watched it was
 * lost): begin again with reading.
 */
SOS_MUST_USE sos_op sos_redis_transaction(sos_task *task, const struct sos_redis_pipeline *pipeline,
                                          struct sos_redis_reply *reply);

/* Watches a key until the next transaction. On a connection of one's own. */
SOS_MUST_USE sos_op sos_redis_watch(sos_task *task, sos_redis *redis, const char *key);
/* Forgets what is watched. */
SOS_MUST_USE sos_op sos_redis_unwatch(sos_task *task, sos_redis *redis);

/* Empties it for the next commands; and gives its memory back. */
void sos_redis_pipeline_clear(struct sos_redis_pipeline *pipeline);
void sos_redis_pipeline_free(struct sos_redis_pipeline *pipeline);

/* ---- Publish and subscribe, and what else a server sends by itself (RESP3 pushes) */

/*
 * Subscribes to a channel, or to all whose names match a pattern, and ends it. Ends in 0 when the
 * server has confirmed, and else as sos_redis_send (SOS_ESERVER: sos_redis_error has the text).
 * From then on it is subscribed to on each new connection as well. With RESP2 the server accepts
 * nothing else on this connection while anything is subscribed to: other commands end in SOS_ESERVER.
 */
SOS_MUST_USE sos_op sos_redis_subscribe(sos_task *task, sos_redis *redis, const char *channel);
SOS_MUST_USE sos_op sos_redis_psubscribe(sos_task *task, sos_redis *redis, const char *pattern);
SOS_MUST_USE sos_op sos_redis_unsubscribe(sos_task *task, sos_redis *redis, const char *channel);
SOS_MUST_USE sos_op sos_redis_punsubscribe(sos_task *task, sos_redis *redis, const char *pattern);

/* Zero before its first use. The values are parts of `reply`. */
struct sos_redis_message {
    struct sos_redis_reply reply;          /* all of it, as it came */
    const struct sos_redis_value *channel; /* NULL, as the next two: it is another kind of push */
    const struct sos_redis_value *pattern; /* NULL: it came by the channel's own subscription */
    const struct sos_redis_value *payload;
    uint64_t lost; /* messages right before it that were dropped: the queue was full */
    bool gap;      /* the connection was lost since the message before: some may be missing */
};

/*
 * Waits for the next message of any channel. Ends in 0; why the connection is of no more use, if it
 * is not to be made again. `message` is freed first if it is not empty. There is one queue; of
 * several tasks that wait each message goes to one. When it is full (max_messages,
 * max_message_bytes) the oldest are dropped and counted: a slow reader of messages does not hold
 * up the replies to others. Canceled: the message is left to the next call.
 */
SOS_MUST_USE sos_op sos_redis_next_message(sos_task *task, sos_redis *redis,
                                           struct sos_redis_message *message);

void sos_redis_message_free(struct sos_redis_message *message);

#ifdef __cplusplus
}
#endif
#endif
