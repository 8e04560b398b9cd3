/* SPDX-License-Identifier: MIT */
/*
 * The libmosquitto peer: publishing 64 bytes.
 *
 *   qos0 PORT    until the server has it all
 *   qos1 PORT    20 messages in flight: each acknowledgement sends the next
 *   one PORT     QoS 1, one message in flight
 */
#include <mosquitto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MANY = 20, TIMES_0 = 1000000, TIMES_MANY = 200000, TIMES_ONE = 40000, SIZE = 64 };

static long acknowledged, sent, times;
static int connected, subscribed;
static char payload[SIZE] = "sixty-four bytes";

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

static void on_connect(struct mosquitto *client, void *context, int reason)
{
    (void)client;
    (void)context;
    connected = reason == 0;
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
                         const int *granted)
{
    (void)client;
    (void)context;
    (void)id;
    (void)count;
    (void)granted;
    subscribed = 1;
}

static void publish(struct mosquitto *client, int qos)
{
    check(mosquitto_publish(client, NULL, "bench", SIZE, payload, qos, false) == MOSQ_ERR_SUCCESS,
          "publishing");
    sent++;
}

static void on_publish(struct mosquitto *client, void *context, int id)
{
    (void)context;
    (void)id;
    acknowledged++;
    if (sent < times)
        publish(client, 1);
}

static void loop_until(struct mosquitto *client, const int *flag)
{
    while (!*flag)
        check(mosquitto_loop(client, 1000, 1) == MOSQ_ERR_SUCCESS, "loop");
}

/* The answer to a subscription comes when the server has read all before it. */
static void bench_0(struct mosquitto *client)
{
    times = TIMES_0;
    mosquitto_publish_callback_set(client, NULL);
    while (sent < times) {
        publish(client, 0);
        if (sent % 64 == 0)
            check(mosquitto_loop(client, 0, 1) == MOSQ_ERR_SUCCESS, "loop");
    }
    while (mosquitto_want_write(client))
        check(mosquitto_loop(client, 1000, 1) == MOSQ_ERR_SUCCESS, "loop");
    mosquitto_subscribe(client, NULL, "nothing", 0);
    loop_until(client, &subscribed);
}

static void bench_1(struct mosquitto *client, int in_flight, long count)
{
    times = count;
    for (int index = 0; index < in_flight; index++)
        publish(client, 1);
    while (acknowledged < times)
        check(mosquitto_loop(client, 1000, 1) == MOSQ_ERR_SUCCESS, "loop");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s qos0|qos1|one PORT\n", argv[0]);
        return 2;
    }
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new(NULL, true, NULL);
    check(client != NULL, "mosquitto_new");
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    check(mosquitto_connect(client, "127.0.0.1", atoi(argv[2]), 60) == 0, "connecting");
    loop_until(client, &connected);
    int64_t start = now_ns();
    if (strcmp(argv[1], "qos0") == 0)
        bench_0(client);
    else if (strcmp(argv[1], "qos1") == 0)
        bench_1(client, MANY, TIMES_MANY);
    else
        bench_1(client, 1, TIMES_ONE);
    printf("mqtt %.1f /s\n", (double)times * 1e9 / (double)(now_ns() - start));
    mosquitto_destroy(client);
    mosquitto_lib_cleanup();
    return 0;
}
