/* SPDX-License-Identifier: MIT */
/*
 * Redis client. Any number of tasks share one connection: each awaits the reply to its own command,
 * and the commands of all of them go out together.
 *
 *     await(sos_redis_command(task, redis, &self->reply, "GET", "key"));
 *     if (sos_status(task) == SOS_OK && self->reply.value->type == SOS_REDIS_STRING)
 *         use(self->reply.value->text, self->reply.value->length);
 *     sos_redis_reply_free(&self->reply);
 *
 * A deadline on a command (sos_within) leaves the connection in step: its late reply is thrown away.
 * All functions are for the runtime's thread; those that return sos_op for tasks.
 */
#ifndef SMALLOS_REDIS_H
#define SMALLOS_REDIS_H

#include "smallos/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_redis sos_redis;

/* Zero means default in every field. */
struct sos_redis_options {
    const char *host;     /* an address, or "unix:/path"; default 127.0.0.1 */
    uint16_t port;        /* default 6379 */
    const char *user;     /* NULL: the default user */
    const char *password; /* NULL: no AUTH */
    uint32_t database;
    int priority; /* of the connection's own two tasks; default: that of the connecting task */
    uint32_t max_response_size; /* bytes of a reply; default client_defaults.redis */
    uint32_t max_nesting_depth; /* default client_defaults.redis; at most 64 */
};

/*
 * Connects and, as asked for, authenticates and selects a database. Ends in 0 and *redis is set;
 * SOS_ESERVER: the server refused (wrong password, no such database); or as sos_connect.
 * Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_redis_connect(sos_task *task, const struct sos_redis_options *options,
                                      sos_redis **redis);

/* Closes it at once; tasks that wait for a reply get SOS_ECANCELED. NULL is fine. */
void sos_redis_close(sos_redis *redis);

/* Why the connection is of no more use, in words; "" while it is. Valid until it is closed. */
const char *sos_redis_error(const sos_redis *redis);

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
    uint32_t count;   /* items of an aggregate */
    uint32_t span;    /* values in all, with this one */
    size_t length;    /* bytes of `text` */
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

/* Gives the memory of a reply back and makes it empty; an empty one is fine. */
void sos_redis_reply_free(struct sos_redis_reply *reply);

/* ---- Commands */

/*
 * Sends a command and waits for its reply. Ends in 0; SOS_ESERVER: the reply is an error, whose text
 * stands in reply->value; SOS_ENOMEM, SOS_ELIMIT: nothing was sent; the error of the connection.
 * The arguments are copied. `lengths` NULL: they end with NUL. `reply` is freed first if it is not
 * empty, and may be NULL. Canceled: the command may be carried out, its reply is thrown away.
 */
SOS_MUST_USE sos_op sos_redis_send(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply,
                                   size_t argc, const char *const *argv, const size_t *lengths);

/* The same with the arguments as texts: sos_redis_command(task, redis, &reply, "SET", key, value). */
#define sos_redis_command(task, redis, reply, ...)                                                 \
    sos_redis_send((task), (redis), (reply),                                                       \
                   sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *),            \
                   (const char *const[]){ __VA_ARGS__ }, NULL)

#ifdef __cplusplus
}
#endif
#endif
