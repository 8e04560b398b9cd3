/* SPDX-License-Identifier: MIT */
/*
 * The same as bench_websocket.c on libwebsockets: 50 connections, each sends a message of 64 bytes
 * and waits until it has come back. Prints the CPU time of this process for a message there and back.
 *
 *   peer_libwebsockets PORT
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECTIONS = 50, TIMES = 2000, SIZE = 64 };

static int ready, over;
static long echoes;
static long long start;
static int left[CONNECTIONS];
static struct lws *sockets[CONNECTIONS];

static long long cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int connected(struct lws *socket, int *times)
{
    sockets[ready] = socket;
    *times = TIMES;
    if (++ready < CONNECTIONS)
        return 0;
    start = cpu_ns();
    for (int index = 0; index < CONNECTIONS; index++)
        lws_callback_on_writable(sockets[index]);
    return 0;
}

static int send_one(struct lws *socket)
{
    unsigned char bytes[LWS_PRE + SIZE];
    memset(bytes + LWS_PRE, 'x', SIZE);
    return lws_write(socket, bytes + LWS_PRE, SIZE, LWS_WRITE_BINARY) == SIZE ? 0 : -1;
}

static int came(struct lws *socket, int *times, size_t size)
{
    if (size != SIZE) {
        fprintf(stderr, "receiving failed\n");
        exit(1);
    }
    echoes++;
    if (--*times > 0)
        lws_callback_on_writable(socket);
    else
        over++;
    return 0;
}

static int callback(struct lws *socket, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    (void)in;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        return connected(socket, user);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return send_one(socket);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return came(socket, user, size);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        fprintf(stderr, "connecting failed\n");
        exit(1);
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        { .name = "echo", .callback = callback, .per_session_data_size = sizeof left[0] },
        { .name = NULL },
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    struct lws_context_creation_info info = { .port = CONTEXT_PORT_NO_LISTEN,
                                              .protocols = protocols };
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL)
        return 1;
    for (int index = 0; index < CONNECTIONS; index++) {
        struct lws_client_connect_info where = { .context = context,
                                                 .address = "127.0.0.1",
                                                 .port = atoi(argv[1]),
                                                 .path = "/",
                                                 .host = "127.0.0.1",
                                                 .local_protocol_name = "echo" };
        if (lws_client_connect_via_info(&where) == NULL)
            return 1;
    }
    while (over < CONNECTIONS && lws_service(context, 0) >= 0)
        continue;
    printf("libwebsockets %.1f ns\n", (double)(cpu_ns() - start) / (double)echoes);
    lws_context_destroy(context);
    return 0;
}
