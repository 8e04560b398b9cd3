/* SPDX-License-Identifier: MIT */
#include "redis_scene.h"

#include <string.h>

struct server redis_server;
struct fault_proxy redis_proxy;

void redis_start(struct server *server, const char *const more[])
{
    enum { MOST = 48 };
    const char *argv[MOST] = { "redis-server", "--port", "{port}", "--bind",  "127.0.0.1",
                               "--save",       "",       "--dir",  "{folder}" };
    size_t count = 9;
    for (; more != NULL && *more != NULL; more++) {
        CHECK(count + 1 < MOST);
        argv[count++] = *more;
    }
    CHECK(server_start(server, argv));
}

void redis_server_start(const char *const more[])
{
    server_prepare(&redis_server);
    redis_start(&redis_server, more);
}

void run_scene_with(sos_async_function function, const struct sos_redis_options *options)
{
    struct scene first = { .options = *options };
    const struct sos_start start = {
        .function = function,
        .frame = &first,
        .name = "scene",
        .size = sizeof first,
        .options = { .priority = 4 },
    };
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    unix_run();
}

void run_scene(sos_async_function function, bool through_proxy)
{
    unix_open(&here, NULL);
    if (through_proxy)
        fault_proxy_start(here.os, &redis_proxy, redis_server.port, 3);
    run_scene_with(function, &(struct sos_redis_options){
                                 .port = through_proxy ? redis_proxy.port : redis_server.port });
}

struct connect_both {
    sos_frame frame;
    struct scene *scene;
};

static async_fn(connect_both)
{
    async_begin(connect_both);
    try_await(sos_redis_connect(task, &self->scene->options, &self->scene->redis));
    try_await(sos_redis_another(task, self->scene->redis, &self->scene->second));
    async_end;
}

sos_op scene_connect_both(sos_task *task, struct scene *scene)
{
    return async_call(connect_both, .scene = scene);
}

void scene_end(struct scene *scene)
{
    sos_redis_reply_free(&scene->reply);
    sos_redis_message_free(&scene->message);
    sos_redis_pipeline_free(&scene->pipeline);
    sos_redis_close(scene->second);
    sos_redis_close(scene->redis);
}

void expect_text(const struct sos_redis_value *value, enum sos_redis_type type, const char *text)
{
    CHECK(value != NULL);
    CHECK_INT(value->type, type);
    CHECK_TEXT(value->text, text);
    CHECK_INT(value->length, strlen(text));
}

void expect_integer(const struct sos_redis_value *value, int64_t integer)
{
    CHECK(value != NULL);
    CHECK_INT(value->type, SOS_REDIS_INTEGER);
    CHECK_INT(value->integer, integer);
}
