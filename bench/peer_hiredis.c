/* SPDX-License-Identifier: MIT */
/*
 * The hiredis peer: GET of a small value.
 *
 *   one PORT         blocking, one command in flight
 *   many PORT        asynchronous on libuv, 100 commands in flight: each reply sends the next command
 *   pipeline PORT    blocking, pipelines of 100
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include <hiredis/adapters/libuv.h>

enum { MANY = 100, ONE_TIMES = 60000, MANY_TIMES = 8000, PIPELINE_TIMES = 15000 };

static int64_t start;
static long replies, sent;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static void report(long count)
{
    printf("redis %.1f /s\n", (double)count * 1e9 / (double)(now_ns() - start));
}

static void bench_one(int port)
{
    redisContext *context = redisConnect("127.0.0.1", port);
    check(context != NULL && context->err == 0, "connecting");
    freeReplyObject(redisCommand(context, "SET key value"));
    start = now_ns();
    for (int i = 0; i < ONE_TIMES; i++) {
        redisReply *reply = redisCommand(context, "GET key");
        check(reply != NULL && reply->len == 5, "GET");
        freeReplyObject(reply);
    }
    report(ONE_TIMES);
    redisFree(context);
}

static void bench_pipeline(int port)
{
    redisContext *context = redisConnect("127.0.0.1", port);
    void *reply;
    check(context != NULL && context->err == 0, "connecting");
    freeReplyObject(redisCommand(context, "SET key value"));
    start = now_ns();
    for (int i = 0; i < PIPELINE_TIMES; i++) {
        for (int j = 0; j < MANY; j++)
            redisAppendCommand(context, "GET key");
        for (int j = 0; j < MANY; j++) {
            check(redisGetReply(context, &reply) == REDIS_OK, "the pipeline");
            check(((redisReply *)reply)->len == 5, "GET");
            freeReplyObject(reply);
        }
    }
    report((long)MANY * PIPELINE_TIMES);
    redisFree(context);
}

static const char get_command[] = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";

static void got(redisAsyncContext *context, void *given, void *data)
{
    redisReply *reply = given;
    (void)data;
    check(reply != NULL && reply->len == 5, "GET");
    if (++replies == (long)MANY * MANY_TIMES) {
        report(replies);
        redisAsyncDisconnect(context);
    } else if (sent < (long)MANY * MANY_TIMES) {
        sent++;
        redisAsyncFormattedCommand(context, got, NULL, get_command, sizeof get_command - 1);
    }
}

static void bench_many(int port)
{
    uv_loop_t *loop = uv_default_loop();
    redisAsyncContext *context = redisAsyncConnect("127.0.0.1", port);
    check(context != NULL && context->err == 0, "connecting");
    redisLibuvAttach(context, loop);
    start = now_ns();
    for (; sent < MANY; sent++)
        redisAsyncFormattedCommand(context, got, NULL, get_command, sizeof get_command - 1);
    uv_run(loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s one|many|pipeline PORT\n", argv[0]);
        return 2;
    }
    if (strcmp(argv[1], "many") == 0)
        bench_many(atoi(argv[2]));
    else if (strcmp(argv[1], "pipeline") == 0)
        bench_pipeline(atoi(argv[2]));
    else
        bench_one(atoi(argv[2]));
    return 0;
}
