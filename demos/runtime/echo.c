/* SPDX-License-Identifier: MIT */
/*
 * A server that sends every line back, and clients that check it: over TCP, each with a task of
 * its own on either side. In the simulation the same tasks talk over simulated wires.
 */
#include <stdio.h>
#include <string.h>

#include "runtime.h"
#include "smallos/sim.h"
#include "sockets.h"

enum { CLIENTS = 5, LINES = 12, LINE_MAX = 120 };

/* ---- Lines: an async function that both sides call. */

struct lines {
    int fd;
    size_t used; /* bytes read and not taken yet */
    char bytes[LINE_MAX];
};

static size_t first_line(const struct lines *lines)
{
    const char *end = memchr(lines->bytes, '\n', lines->used);
    return end == NULL ? 0 : (size_t)(end - lines->bytes) + 1;
}

static void drop_line(struct lines *lines, size_t length)
{
    lines->used -= length;
    memmove(lines->bytes, lines->bytes + length, lines->used);
}

/* Ends in the length of the first line in `lines`, 0 at the end; SOS_EINVAL: too long a line. */
struct read_line {
    sos_frame frame;
    struct lines *lines;
};

static async_fn(read_line)
{
    async_begin(read_line);
    while (first_line(self->lines) == 0) {
        if (self->lines->used == LINE_MAX)
            async_return(SOS_EINVAL);
        try_await(sos_read(task, self->lines->fd, self->lines->bytes + self->lines->used,
                           LINE_MAX - self->lines->used));
        if (sos_status(task) == 0)
            async_return(0);
        self->lines->used += (size_t)sos_status(task);
    }
    async_return((int)first_line(self->lines));
    async_end;
}

/* ---- The server: a task that accepts, and one for each connection. */

struct connection {
    sos_frame frame;
    int fd, echoed;
    struct lines lines;
};

static async_fn(connection)
{
    async_begin(connection);
    self->lines.fd = self->fd;
    for (;;) {
        try_await(async_call(read_line, .lines = &self->lines));
        if (sos_status(task) == 0)
            async_return(self->echoed);
        try_await(sos_write(task, self->fd, self->lines.bytes, (size_t)sos_status(task)));
        drop_line(&self->lines, (size_t)sos_status(task));
        self->echoed++;
    }
    async_finally;
    sos_fd_close(sos_of(task), self->fd);
    summary_note(task);
    async_end;
}

struct server {
    sos_frame frame;
    int listener, served;
};

/* Others than our clients may come: they all have the last name. */
static const char *connection_name(int number)
{
    static const char *const names[CLIENTS + 1] = { "connection 1", "connection 2", "connection 3",
                                                    "connection 4", "connection 5", "connection" };
    return names[number < CLIENTS ? number : CLIENTS];
}

/* Takes every connection that has come in. */
static void accept_all(sos_task *task, struct server *server)
{
    int fd;
    while ((fd = socket_accept(server->listener)) >= 0) {
        const char *name = connection_name(server->served++);
        if (async_spawn(connection, sos_opt(.name = name, .detached = true), .fd = fd).pid < 0)
            sos_fd_close(sos_of(task), fd);
    }
}

static async_fn(server)
{
    async_begin(server);
    for (;;) {
        try_await(sos_wait_readable(task, self->listener));
        accept_all(task, self);
    }
    async_finally;
    say(task, "closes its port after %d connections", self->served);
    sos_fd_close(sos_of(task), self->listener);
    async_end;
}

/* ---- A client */

struct dial {
    sos_frame frame;
    uint16_t port;
    int *fd;
};

static async_fn(dial)
{
    async_begin(dial);
    *self->fd = socket_connect(self->port);
    if (*self->fd < 0)
        async_return(SOS_EIO);
    try_await(sos_wait_writable(task, *self->fd));
    async_return(socket_error(*self->fd) == 0 ? SOS_OK : SOS_ECONNREFUSED);
    async_end;
}

struct client {
    sos_frame frame;
    uint16_t port; /* 0: connected already, on fd */
    int fd, line, length;
    uint64_t sent, slowest;
    char text[48];
    struct lines lines;
};

static void compose(struct client *client, const char *name)
{
    client->length = snprintf(client->text, sizeof client->text, "%s says %u\n", name,
                              (unsigned)chance(1000000));
}

/* What has come back must be what was sent. */
static bool take_answer(struct client *client, int length)
{
    uint64_t us = sos_now(demo.os) - client->sent;
    bool same = length == client->length &&
                memcmp(client->text, client->lines.bytes, (size_t)length) == 0;
    if (us > client->slowest)
        client->slowest = us;
    if (length > 0)
        drop_line(&client->lines, (size_t)length);
    return same;
}

static async_fn(client)
{
    async_begin(client);
    if (self->port != 0)
        try_await(
            sos_within(task, SOS_SEC(5), async_call(dial, .port = self->port, .fd = &self->fd)));
    self->lines.fd = self->fd;
    say(task, "is connected");
    for (; self->line < LINES; self->line++) {
        compose(self, sos_name(task));
        self->sent = sos_now(sos_of(task));
        try_await(sos_write(task, self->fd, self->text, (size_t)self->length));
        try_await(sos_within(task, SOS_SEC(5), async_call(read_line, .lines = &self->lines)));
        if (!take_answer(self, sos_status(task)))
            async_return(SOS_EIO);
        try_await(sos_sleep(task, SOS_MS(20) + chance(100000)));
    }
    say(task, "got all %d lines back, the slowest after %.2f ms", self->line, ms(self->slowest));
    async_return(self->line);
    async_finally;
    if (self->fd >= 0)
        sos_fd_close(sos_of(task), self->fd);
    expect(task, sos_status(task) == LINES || sos_status(task) == SOS_ECANCELED,
           "every line comes back");
    async_end;
}

/* ---- Starting them */

static const char *const client_names[CLIENTS] = { "Ada", "Grace", "Hedy", "Joan", "Mary" };

static int start_clients(uint16_t port)
{
    for (int number = 0; number < CLIENTS; number++) {
        sos_handle added = sos_fork(demo.os, client,
                                    sos_opt(.priority = priority(2), .name = client_names[number]),
                                    .port = port, .fd = -1);
        if (added.pid < 0)
            return added.pid;
    }
    return SOS_OK;
}

static int start_over_tcp(void)
{
    uint16_t port;
    int listener = socket_listen(&port);
    if (listener < 0)
        return SOS_EIO;
    sos_handle added = sos_fork(demo.os, server, sos_opt(.priority = priority(2), .watcher = true),
                                .listener = listener);
    if (added.pid < 0) {
        sos_fd_close(demo.os, listener);
        return added.pid;
    }
    printf("an echo server listens on 127.0.0.1:%u\n", (unsigned)port);
    return start_clients(port);
}

static int start_on_a_wire(int number)
{
    struct sos_sim_stream wire = { .delay_min_us = 200, .delay_max_us = 3000 };
    int fds[2];
    int error = sos_sim_pair(demo.kernel, fds, &wire);
    if (error != 0)
        return error;
    struct sos_start starts[] = {
        sos_start(connection, sos_opt(.priority = priority(2), .name = connection_name(number)),
                  .fd = fds[0]),
        sos_start(client, sos_opt(.priority = priority(2), .name = client_names[number]),
                  .fd = fds[1]),
    };
    return sos_fork_list(demo.os, starts, 2, NULL);
}

int start_echo(void)
{
    int error = SOS_OK;
    if (!demo.simulated)
        return start_over_tcp();
    for (int number = 0; number < CLIENTS && error == 0; number++)
        error = start_on_a_wire(number);
    return error;
}
