/* SPDX-License-Identifier: MIT */
/*
 * smallOS's side of the Redis figures: GET of a small value. The server listens on PORT.
 *
 *   one PORT         one task, one command in flight
 *   many PORT        100 tasks that share one connection
 *   pipeline PORT    one task, pipelines of 100, made anew each time
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smallos/redis.h"
#include "smallos/smallos.h"
#include "smallos/unix.h"

enum { MANY = 100, ONE_TIMES = 60000, MANY_TIMES = 8000, PIPELINE_TIMES = 15000 };

static struct {
    uint16_t port;
    int tasks, times;
    bool pipeline;
    int64_t start;
    long replies;
} bench;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

struct getter {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_reply reply;
    int left;
};

static async_fn(getter)
{
    async_begin(getter);
    for (; self->left > 0; self->left--) {
        await(sos_redis_command(task, self->redis, &self->reply, "GET", "key"));
        check(sos_status(task) == SOS_OK && self->reply.value->length == 5, "GET");
        bench.replies++;
    }
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

struct piper {
    sos_frame frame;
    struct sos_redis_pipeline pipeline;
    struct sos_redis_reply reply;
    int left;
};

static void fill(struct sos_redis_pipeline *pipeline)
{
    sos_redis_pipeline_clear(pipeline);
    for (int index = 0; index < MANY; index++)
        sos_redis_add(pipeline, "GET", "key");
}

static void count_replies(const struct sos_redis_reply *reply)
{
    const struct sos_redis_value *item = sos_redis_item(reply->value, 0);
    for (uint32_t index = 0; index < reply->value->count; index++) {
        check(item->length == 5, "GET");
        item = sos_redis_next(item);
        bench.replies++;
    }
}

static async_fn(piper)
{
    async_begin(piper);
    for (; self->left > 0; self->left--) {
        fill(&self->pipeline);
        await(sos_redis_pipeline_run(task, &self->pipeline, &self->reply));
        check(sos_status(task) == SOS_OK, "the pipeline");
        count_replies(&self->reply);
    }
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_pipeline_free(&self->pipeline);
    async_end;
}

struct driver {
    sos_frame frame;
    sos_redis *redis;
    int index;
    struct sos_scope scope;
};

static async_fn(driver)
{
    async_begin(driver);
    await(sos_redis_connect(task, &(struct sos_redis_options){ .port = bench.port }, &self->redis));
    check(sos_status(task) == SOS_OK, "connecting");
    await(sos_redis_command(task, self->redis, NULL, "SET", "key", "value"));
    check(sos_status(task) == SOS_OK, "SET");
    sos_scope_open(task, &self->scope);
    bench.start = now_ns();
    if (bench.pipeline)
        async_spawn(piper, sos_opt(), .pipeline.redis = self->redis, .left = bench.times);
    for (; self->index < bench.tasks; self->index++)
        async_spawn(getter, sos_opt(), .redis = self->redis, .left = bench.times);
    await(sos_scope_join(task, &self->scope));
    check(sos_status(task) == SOS_OK, "the tasks");
    printf("redis %.1f /s\n", (double)bench.replies * 1e9 / (double)(now_ns() - bench.start));
    async_finally;
    sos_redis_close(self->redis);
    async_end;
}

int main(int argc, char **argv)
{
    struct sos_kernel *kernel;
    sos *os;
    if (argc != 3) {
        fprintf(stderr, "usage: %s one|many|pipeline PORT\n", argv[0]);
        return 2;
    }
    bool many = strcmp(argv[1], "many") == 0;
    bench.port = (uint16_t)atoi(argv[2]);
    bench.pipeline = strcmp(argv[1], "pipeline") == 0;
    bench.tasks = many ? MANY : !bench.pipeline;
    bench.times = many ? MANY_TIMES : bench.pipeline ? PIPELINE_TIMES : ONE_TIMES;
    check(sos_unix_kernel_create(&kernel, NULL) == SOS_OK, "sos_unix_kernel_create");
    check(sos_create(&os, NULL, kernel) == SOS_OK, "sos_create");
    sos_fork(os, driver, sos_opt(.priority = 5));
    check(sos_run(os) == SOS_OK, "sos_run");
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return 0;
}
