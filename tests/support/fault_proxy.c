/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "net/internal.h"

/* ---- One connection: two pumps, one for each direction */

struct link {
    struct fault fault;
    sos_stream *client, *server;
    size_t passed; /* bytes of the server */
    bool struck, stalled;
    int ended[2]; /* how the pumps did: to the server, to the client */
};

struct carry {
    sos_frame frame;
    struct link *link;
    bool to_client;
    size_t size;
};

static sos_stream *from(const struct carry *self)
{
    return self->to_client ? self->link->server : self->link->client;
}

static sos_stream *to(const struct carry *self)
{
    return self->to_client ? self->link->client : self->link->server;
}

static void reset(sos_stream *stream)
{
    struct linger linger = { 1, 0 };
    setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* How much of `size` bytes may pass before the fault strikes; 0: it strikes now. */
static size_t lets_through(const struct link *link, size_t size)
{
    size_t left = link->fault.after - link->passed;
    switch (link->fault.kind) {
    case FAULT_DRIBBLE:
        return size < 1 ? size : 1;
    case FAULT_CUT:
    case FAULT_RESET:
    case FAULT_HALF_CLOSE:
    case FAULT_STALL:
        return size < left ? size : left;
    case FAULT_INTRUDE:
        return link->fault.bytes != NULL && size > left ? left : size;
    case FAULT_BLACK_HOLE:
        return 0;
    case FAULT_NONE:
    case FAULT_DELAY:
    case FAULT_REFUSE:
        break;
    }
    return size;
}

/* The fault strikes. True: the pump goes on afterwards. */
static bool strike(struct link *link)
{
    link->struck = true;
    if (link->fault.kind == FAULT_INTRUDE) {
        sos_stream_put(link->client, link->fault.bytes, link->fault.size);
        link->fault.bytes = NULL;
        return true;
    }
    if (link->fault.kind == FAULT_RESET)
        reset(link->client);
    link->stalled = link->fault.kind == FAULT_STALL || link->fault.kind == FAULT_BLACK_HOLE;
    return false;
}

static size_t portion(const struct carry *self)
{
    size_t size;
    sos_stream_data(from(self), &size);
    return self->to_client ? lets_through(self->link, size) : size;
}

static const unsigned char *data(const struct carry *self)
{
    size_t size;
    return sos_stream_data(from(self), &size);
}

static async_fn(carry)
{
    async_begin(carry);
    for (;;) {
        self->size = portion(self);
        if (self->size == 0 && self->to_client && self->link->passed >= self->link->fault.after &&
            self->link->fault.kind >= FAULT_CUT && !self->link->struck) {
            if (!strike(self->link))
                break;
            try_await(sos_stream_flush(task, to(self)));
            continue;
        }
        if (self->size == 0) {
            try_await(sos_stream_more(task, from(self)));
            continue;
        }
        if (self->link->fault.kind == FAULT_DELAY)
            await(sos_sleep(task, self->link->fault.us));
        try_await(sos_stream_write(task, to(self), data(self), self->size));
        sos_stream_take(from(self), self->size);
        self->link->passed += self->to_client ? self->size : 0;
    }
    async_finally;
    self->link->ended[self->to_client] = sos_status(task);
    async_end;
}

struct pump {
    sos_frame frame;
    struct link *link;
    bool to_client;
};

/* How it ends is told by link->ended: a pump that fails is no failure of the proxy. */
static async_fn(pump)
{
    async_begin(pump);
    await(async_call(carry, .link = self->link, .to_client = self->to_client));
    async_end;
}

struct relay {
    sos_frame frame;
    struct fault_proxy *proxy;
    struct link link;
    sos_stream *client;
    struct sos_join ends[2];
    int first; /* of them to end */
    struct sos_scope scope;
};

static async_fn(relay)
{
    async_begin(relay);
    sos_scope_open(task, &self->scope);
    self->link.client = self->client;
    self->link.fault = self->proxy->fault;
    if (self->link.fault.kind == FAULT_REFUSE)
        async_return(SOS_OK);
    try_await(sos_connect_address(task,
                                  &(struct sos_address){ .family = SOS_FAMILY_IPV4,
                                                         .port = self->proxy->target,
                                                         .ip = { 127, 0, 0, 1 } },
                                  0, &self->link.server));
    self->ends[0].task = async_spawn(pump, sos_opt(.name = "to server"), .link = &self->link);
    self->ends[1].task = async_spawn(pump, sos_opt(.name = "to client"), .link = &self->link,
                                     .to_client = true);
    await(sos_join_any(task, self->ends, 2));
    self->first = sos_status(task);
    if (self->link.stalled)
        await(sos_sleep(task, SOS_FOREVER));
    if (self->link.ended[self->first] == SOS_EEOF || self->link.fault.kind == FAULT_HALF_CLOSE) {
        await(sos_stream_shutdown(task, self->first == 0 ? self->link.server : self->link.client));
        await(sos_join(task, self->ends[1 - self->first].task));
    }
    async_return(SOS_OK);
    async_finally;
    sos_stream_close(self->link.client);
    sos_stream_close(self->link.server);
    async_end;
}

struct proxy {
    sos_frame frame;
    struct fault_proxy *proxy;
    sos_stream *client;
};

static async_fn(proxy)
{
    async_begin(proxy);
    for (;;) {
        try_await(sos_accept(task, self->proxy->listener, &self->client));
        self->proxy->connections++;
        async_spawn(relay, sos_opt(.detached = true, .watcher = true), .proxy = self->proxy,
                    .client = self->client);
    }
    async_finally;
    sos_listener_close(self->proxy->listener);
    async_end;
}

void fault_proxy_start(sos *os, struct fault_proxy *fault_proxy, uint16_t target, int priority)
{
    struct sos_address address;
    fault_proxy->target = target;
    CHECK_INT(sos_listener_open(os, &(struct sos_listen){ 0 }, &fault_proxy->listener), SOS_OK);
    CHECK_INT(sos_listener_address(fault_proxy->listener, &address), SOS_OK);
    fault_proxy->port = address.port;
    fault_proxy->task = sos_fork(os, proxy, sos_opt(.priority = priority, .watcher = true),
                                 .proxy = fault_proxy);
    CHECK(fault_proxy->task.pid >= 0);
}

/* ---- A queue that is full */

static int connect_to(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    (void)!connect(fd, (const struct sockaddr *)address, sizeof *address);
    return fd;
}

uint16_t fault_full_listener(int fds[3])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fds[0] >= 0 && bind(fds[0], (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(fds[0], 0) == 0);
    CHECK(getsockname(fds[0], (struct sockaddr *)&address, &size) == 0);
    fds[1] = connect_to(&address);
    struct pollfd connected = { .fd = fds[1], .events = POLLOUT };
    CHECK(poll(&connected, 1, 5000) == 1); /* it fills the queue; the next one waits */
    fds[2] = connect_to(&address);
    return ntohs(address.sin_port);
}

void fault_full_close(int fds[3])
{
    for (int index = 0; index < 3; index++)
        close(fds[index]);
}
