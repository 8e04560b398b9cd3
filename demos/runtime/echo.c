/* SPDX-License-Identifier: MIT */
/*
 * A server that sends every line back, and clients that check it, each with a task of its own on
 * either side: over TCP, or in the simulation over its network.
 */
#include <stdio.h>
#include <string.h>

#include "runtime.h"
#include "smallos/stream.h"

enum { CLIENTS = 5, LINES = 12, LONGEST_LINE = 120 };

/* ---- The server: a task that accepts, and one for each connection. */

struct connection {
    sos_frame frame;
    sos_stream *stream;
    int echoed;
};

/* The line is sent from where it was read. */
static int put_back(struct connection *connection, size_t length)
{
    size_t size;
    int status = sos_stream_put(connection->stream, sos_stream_data(connection->stream, &size),
                                length);
    sos_stream_take(connection->stream, length);
    connection->echoed++;
    return status;
}

static async_fn(connection)
{
    async_begin(connection);
    for (;;) {
        await(sos_stream_until(task, self->stream, "\n", 1, LONGEST_LINE));
        if (sos_status(task) == SOS_EEOF)
            async_return(self->echoed);
        if (sos_status(task) < 0 || put_back(self, (size_t)sos_status(task)) != SOS_OK)
            async_return(SOS_EIO);
        try_await(sos_stream_flush(task, self->stream));
    }
    async_finally;
    sos_stream_close(self->stream);
    summary_note(task);
    async_end;
}

/* Others than our clients may come: they all have the last name. */
static const char *connection_name(int number)
{
    static const char *const names[CLIENTS + 1] = { "connection 1", "connection 2", "connection 3",
                                                    "connection 4", "connection 5", "connection" };
    return names[number < CLIENTS ? number : CLIENTS];
}

struct server {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
    int served;
};

/* The connection's task owns the stream from then on. */
static void serve(sos_task *task, struct server *server)
{
    const char *name = connection_name(server->served++);
    if (async_spawn(connection, sos_opt(.name = name, .detached = true), .stream = server->stream)
            .pid < 0)
        sos_stream_close(server->stream);
    server->stream = NULL;
}

static async_fn(server)
{
    async_begin(server);
    for (;;) {
        try_await(sos_accept(task, self->listener, &self->stream));
        serve(task, self);
    }
    async_finally;
    say(task, "closes its port after %d connections", self->served);
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

/* ---- A client */

struct client {
    sos_frame frame;
    struct sos_address address;
    sos_stream *stream;
    int line, length;
    uint64_t sent, slowest;
    char text[48];
};

static void compose(struct client *client, const char *name)
{
    client->length = snprintf(client->text, sizeof client->text, "%s says %u\n", name,
                              (unsigned)chance(1000000));
    client->sent = sos_now(demo.os);
}

/* What has come back must be what was sent. */
static bool take_answer(struct client *client, int length)
{
    uint64_t us = sos_now(demo.os) - client->sent;
    size_t size;
    const unsigned char *answer = sos_stream_data(client->stream, &size);
    bool same = length == client->length && memcmp(client->text, answer, (size_t)length) == 0;
    if (us > client->slowest)
        client->slowest = us;
    sos_stream_take(client->stream, (size_t)length);
    return same;
}

static async_fn(client)
{
    async_begin(client);
    try_await(
        sos_within(task, SOS_SEC(5), sos_connect_address(task, &self->address, 0, &self->stream)));
    say(task, "is connected");
    for (; self->line < LINES; self->line++) {
        compose(self, sos_name(task));
        try_await(sos_stream_write(task, self->stream, self->text, (size_t)self->length));
        try_await(sos_within(task, SOS_SEC(5),
                             sos_stream_until(task, self->stream, "\n", 1, LONGEST_LINE)));
        if (!take_answer(self, sos_status(task)))
            async_return(SOS_EIO);
        try_await(sos_sleep(task, SOS_MS(20) + chance(100000)));
    }
    say(task, "got all %d lines back, the slowest after %.2f ms", self->line, ms(self->slowest));
    async_return(self->line);
    async_finally;
    sos_stream_close(self->stream);
    expect(task, sos_status(task) == LINES || sos_status(task) == SOS_ECANCELED,
           "every line comes back");
    async_end;
}

/* ---- Starting them */

static int start_clients(const struct sos_address *address)
{
    static const char *const names[CLIENTS] = { "Ada", "Grace", "Hedy", "Joan", "Mary" };
    for (int number = 0; number < CLIENTS; number++) {
        sos_handle added = sos_fork(demo.os, client,
                                    sos_opt(.priority = priority(2), .name = names[number]),
                                    .address = *address);
        if (added.pid < 0)
            return added.pid;
    }
    return SOS_OK;
}

int start_echo(void)
{
    struct sos_address address;
    char text[SOS_ADDRESS_TEXT];
    sos_listener *listener;
    int error = sos_listener_open(demo.os, &(struct sos_listen){ .host = NULL }, &listener);
    if (error != SOS_OK)
        return error;
    sos_listener_address(listener, &address);
    sos_handle added = sos_fork(demo.os, server, sos_opt(.priority = priority(2), .watcher = true),
                                .listener = listener);
    if (added.pid < 0) {
        sos_listener_close(listener);
        return added.pid;
    }
    sos_address_format(&address, text);
    printf("an echo server listens on %s\n", text);
    return start_clients(&address);
}
