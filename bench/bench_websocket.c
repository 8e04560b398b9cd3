/* SPDX-License-Identifier: MIT */
/*
 * smallOS's side of the WebSocket figure: 50 connections, each sends a message of 64 bytes and waits
 * until it has come back. The echo server listens on PORT. Prints the CPU time of this process for a
 * message there and back.
 *
 *   bench_websocket PORT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smallos/smallos.h"
#include "smallos/unix.h"
#include "smallos/websocket.h"

enum { CONNECTIONS = 50, TIMES = 2000, SIZE = 64 };

static uint16_t port;
static long echoes;
static int ready;
static int64_t start;

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

struct echo {
    sos_frame frame;
    struct sos_event *begin;
    sos_websocket *socket;
    struct sos_websocket_message message;
    int left;
    char bytes[SIZE];
};

static async_fn(echo)
{
    async_begin(echo);
    await(sos_websocket_connect(task, &(struct sos_websocket_options){ .port = port },
                                &self->socket));
    check(sos_status(task) == SOS_OK, "connecting");
    memset(self->bytes, 'x', SIZE);
    if (++ready == CONNECTIONS) {
        start = cpu_ns();
        sos_event_set(self->begin);
    }
    await(sos_event_wait(task, self->begin));
    for (self->left = TIMES; self->left > 0; self->left--) {
        await(sos_websocket_send_binary(task, self->socket, self->bytes, SIZE));
        check(sos_status(task) == SOS_OK, "sending");
        await(sos_websocket_receive(task, self->socket, &self->message));
        check(sos_status(task) == SOS_OK && self->message.size == SIZE, "receiving");
        echoes++;
    }
    if (--ready == 0)
        printf("websocket %.1f ns\n", (double)(cpu_ns() - start) / (double)echoes);
    async_finally;
    sos_websocket_message_free(&self->message);
    sos_websocket_close(self->socket);
    async_end;
}

int main(int argc, char **argv)
{
    struct sos_kernel *kernel;
    struct sos_event begin;
    sos *os;
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    sos_event_init(&begin, "all connected");
    check(sos_unix_kernel_create(&kernel, NULL) == SOS_OK, "sos_unix_kernel_create");
    check(sos_create(&os, NULL, kernel) == SOS_OK, "sos_create");
    for (int index = 0; index < CONNECTIONS; index++)
        sos_fork(os, echo, sos_opt(.priority = 5), .begin = &begin);
    check(sos_run(os) == SOS_OK, "sos_run");
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return 0;
}
