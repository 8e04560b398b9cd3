/* SPDX-License-Identifier: MIT */
/*
 * Tests of the Redis client against redis-server: a scene is one task that has a connection, or two,
 * and what it needs besides.
 */
#ifndef TESTS_SUPPORT_REDIS_SCENE_H
#define TESTS_SUPPORT_REDIS_SCENE_H

#include "fault_proxy.h"
#include "server.h"
#include "smallos/redis.h"
#include "unix_world.h"

struct scene {
    sos_frame frame;
    sos_redis *redis, *second;
    struct sos_redis_reply reply;
    struct sos_redis_message message;
    struct sos_redis_pipeline pipeline;
    struct sos_redis_options options;
    struct sos_scope scope;
    const struct sos_redis_value *value;
    int index, left;
    char text[64];
};

/* The server of most tests, and the proxy in front of it for scenes that want one. */
extern struct server redis_server;
extern struct fault_proxy redis_proxy;

/* Starts it, with `more` arguments (up to NULL; may be NULL). */
void redis_server_start(const char *const more[]);

/* A server on `server->port`, started with the usual arguments and `more`. */
void redis_start(struct server *server, const char *const more[]);

/* Runs a scene whose options name the server's port, or that of the proxy. */
void run_scene(sos_async_function function, bool through_proxy);
void run_scene_with(sos_async_function function, const struct sos_redis_options *options);

/* Connects `redis` and `second`. */
SOS_MUST_USE sos_op scene_connect_both(sos_task *task, struct scene *scene);

/* Closes and frees what a scene has: for async_finally. */
void scene_end(struct scene *scene);

void expect_text(const struct sos_redis_value *value, enum sos_redis_type type, const char *text);
void expect_integer(const struct sos_redis_value *value, int64_t integer);

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define CONNECT() CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_OK)
#define CHECKED_COMMAND(status, ...)                                                               \
    CHECKED(sos_redis_command(task, self->redis, &self->reply, __VA_ARGS__), status)

#endif
