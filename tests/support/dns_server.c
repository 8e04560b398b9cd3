/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "dns_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "smallos/stream.h"
#include "smallos/udp.h"

enum { HEADER = 12, MESSAGE_MAX = 1024, TYPE_A = 1, TYPE_AAAA = 28 };

struct message {
    size_t size;
    unsigned char bytes[MESSAGE_MAX];
};

/* ---- Questions and answers as bytes */

static size_t question_end(const struct message *message)
{
    size_t at = HEADER;
    while (at < message->size && message->bytes[at] != 0)
        at += message->bytes[at] + 1u;
    return at + 5;
}

static int type_asked(const struct message *message)
{
    const unsigned char *type = message->bytes + question_end(message) - 4;
    return type[0] << 8 | type[1];
}

static bool asks_for(const struct message *message, const char *label)
{
    size_t size = strlen(label);
    return message->bytes[HEADER] == size && memcmp(message->bytes + HEADER + 1, label, size) == 0;
}

static void add_answer(struct message *message, int type, const void *data, size_t size)
{
    unsigned char *at = message->bytes + message->size;
    const unsigned char start[12] = { 0xC0, HEADER, 0, (unsigned char)type, 0, 1, 0, 0,
                                      0,    60,     0, (unsigned char)size };
    memcpy(at, start, sizeof start);
    memcpy(at + sizeof start, data, size);
    message->size += sizeof start + size;
    message->bytes[7]++;
}

static void add_ipv4(struct message *message, int last)
{
    const unsigned char ip[4] = { 127, 0, 0, (unsigned char)last };
    add_answer(message, TYPE_A, ip, sizeof ip);
}

static void add_addresses(struct message *message, bool tcp)
{
    static const unsigned char loopback[16] = { [15] = 1 };
    int type = type_asked(message);
    bool both = asks_for(message, "both");
    if (type == TYPE_A && (both || asks_for(message, "four") || asks_for(message, "late")))
        add_ipv4(message, 1);
    if (type == TYPE_AAAA && (both || asks_for(message, "six")))
        add_answer(message, TYPE_AAAA, loopback, sizeof loopback);
    if (type == TYPE_A && asks_for(message, "cut") && tcp)
        add_ipv4(message, 9);
    for (int last = 1; type == TYPE_A && asks_for(message, "many") && last <= 20; last++)
        add_ipv4(message, last);
}

/* Makes the answer of the question. */
static void answer(struct message *message, bool tcp)
{
    unsigned char code = asks_for(message, "missing") ? 3 : asks_for(message, "fail") ? 2 : 0;
    message->size = question_end(message);
    message->bytes[2] = 0x81;
    message->bytes[3] = (unsigned char)(0x80 | code);
    memset(message->bytes + 6, 0, 6);
    add_addresses(message, tcp);
    if (asks_for(message, "cut") && !tcp)
        message->bytes[2] |= 2;
    if (asks_for(message, "garbage")) {
        message->bytes[7] = 200; /* so many answers are said to follow */
        memset(message->bytes + message->size, 0xFF, 40);
        message->size += 40;
    }
    if (asks_for(message, "loop")) {
        const unsigned char itself[] = { 0xC0, (unsigned char)message->size };
        message->bytes[7] = 1;
        memcpy(message->bytes + message->size, itself, sizeof itself);
        memset(message->bytes + message->size + 2, 0, 14);
        message->size += 16;
    }
}

static bool is_whole(const struct message *message)
{
    return message->size > HEADER + 5 && question_end(message) <= message->size;
}

/* ---- UDP */

struct dns_late {
    sos_frame frame;
    sos_udp *udp;
    struct sos_address to;
    struct message message;
};

struct dns_udp {
    sos_frame frame;
    struct sos_scope scope;
    struct dns_server *server;
    sos_udp *udp;
    struct sos_address from;
    struct message message;
};

static int open_udp(sos *os, struct dns_udp *self)
{
    return sos_udp_open(
        os, &(struct sos_udp_options){ .host = "127.0.0.1", .port = self->server->port },
        &self->udp);
}

static async_fn(dns_late)
{
    async_begin(dns_late);
    await(sos_sleep(task, SOS_MS(100)));
    await(sos_udp_send(task, self->udp, &self->to, self->message.bytes, self->message.size));
    async_end;
}

/* In the scope of the one who owns the socket. */
static void answer_late(sos_task *task, const struct dns_udp *self)
{
    CHECK(async_spawn(dns_late, sos_opt(.watcher = true, .detached = true), .udp = self->udp,
                      .to = self->from, .message = self->message)
              .pid >= 0);
}

static async_fn(dns_udp)
{
    async_begin(dns_udp);
    CHECK_INT(open_udp(sos_of(task), self), SOS_OK);
    sos_scope_open(task, &self->scope);
    for (;;) {
        try_await(sos_udp_receive(task, self->udp, &self->from, self->message.bytes, MESSAGE_MAX));
        self->message.size = (size_t)sos_status(task);
        self->server->questions++;
        if (!is_whole(&self->message) || asks_for(&self->message, "silent"))
            continue;
        answer(&self->message, false);
        if (asks_for(&self->message, "late"))
            answer_late(task, self);
        else
            await(sos_udp_send(task, self->udp, &self->from, self->message.bytes,
                               self->message.size));
    }
    async_finally;
    sos_udp_close(self->udp);
    async_end;
}

/* ---- TCP: one question a connection */

struct dns_tcp {
    sos_frame frame;
    struct dns_server *server;
    sos_listener *listener;
    sos_stream *stream;
    unsigned char size[2];
    struct message message;
};

static int open_tcp(sos *os, struct dns_tcp *self)
{
    return sos_listener_open(os, &(struct sos_listen){ .port = self->server->port },
                             &self->listener);
}

static async_fn(dns_tcp)
{
    async_begin(dns_tcp);
    CHECK_INT(open_tcp(sos_of(task), self), SOS_OK);
    for (;;) {
        sos_stream_close(self->stream);
        try_await(sos_accept(task, self->listener, &self->stream));
        await(sos_stream_read_exactly(task, self->stream, self->size, 2));
        if (sos_status(task) < 0)
            continue;
        self->message.size = (size_t)(self->size[0] << 8 | self->size[1]);
        CHECK(self->message.size <= MESSAGE_MAX);
        await(sos_stream_read_exactly(task, self->stream, self->message.bytes, self->message.size));
        if (sos_status(task) < 0 || !is_whole(&self->message))
            continue;
        self->server->tcp_questions++;
        answer(&self->message, true);
        self->size[0] = (unsigned char)(self->message.size >> 8);
        self->size[1] = (unsigned char)self->message.size;
        sos_stream_put(self->stream, self->size, 2);
        await(sos_stream_write(task, self->stream, self->message.bytes, self->message.size));
        await(sos_within(task, SOS_MS(200), sos_stream_more(task, self->stream)));
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

/* ---- Starting it */

uint16_t dns_server_port(void)
{
    for (;;) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t size = sizeof address;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_INT(bind(udp, (struct sockaddr *)&address, size), 0);
        CHECK_INT(getsockname(udp, (struct sockaddr *)&address, &size), 0);
        bool both = bind(tcp, (struct sockaddr *)&address, size) == 0;
        close(udp);
        close(tcp);
        if (both)
            return ntohs(address.sin_port);
    }
}

void dns_server_start(sos *os, struct dns_server *server)
{
    CHECK(sos_fork(os, dns_udp, sos_opt(.priority = 2, .watcher = true), .server = server).pid >=
          0);
    CHECK(sos_fork(os, dns_tcp, sos_opt(.priority = 2, .watcher = true), .server = server).pid >=
          0);
}
