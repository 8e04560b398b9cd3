/* SPDX-License-Identifier: MIT */
/* Datagrams: tried at once, and waited for in a frame. */
#include "smallos/udp.h"

#include <limits.h>
#include <string.h>

#include "smallos/async.h"
#include "smallos/runtime.h"

struct sos_udp {
    sos *os;
    int fd;
    struct sos_address peer; /* family SOS_FAMILY_NONE: there is none */
    uint32_t users;          /* frames that refer to it */
    bool closed;             /* its memory goes with the last of them */
};

static const struct sos_network *network_of(const sos *os)
{
    return sos_kernel_of(os)->network;
}

/* ---- Opening and closing */

static int bind_at(sos *os, const struct sos_udp_options *options)
{
    const struct sos_network *network = network_of(os);
    struct sos_address at;
    const char *host = options->host != NULL ? options->host : "0.0.0.0";
    int status = sos_address_parse(&at, host, options->port);
    if (status != SOS_OK || at.family == SOS_FAMILY_LOCAL)
        return SOS_EINVAL;
    if (options->peer != NULL && options->peer->family != at.family)
        return SOS_EINVAL;
    if (network == NULL || network->bind_udp == NULL || network->send_to == NULL ||
        network->receive_from == NULL)
        return SOS_ENOTSUP;
    return network->bind_udp(sos_kernel_of(os), &at);
}

int sos_udp_open(sos *os, const struct sos_udp_options *options, sos_udp **udp)
{
    static const struct sos_udp_options usual;
    if (udp == NULL)
        return SOS_EINVAL;
    *udp = NULL;
    if (options == NULL)
        options = &usual;
    int fd = bind_at(os, options);
    if (fd < 0)
        return fd;
    *udp = sos_memory_take(os, sizeof **udp);
    if (*udp == NULL) {
        sos_fd_close(os, fd);
        return SOS_ENOMEM;
    }
    **udp = (struct sos_udp){ .os = os, .fd = fd };
    if (options->peer != NULL)
        (*udp)->peer = *options->peer;
    return SOS_OK;
}

static void leave(sos_udp *udp)
{
    if (--udp->users == 0 && udp->closed)
        sos_memory_give(udp->os, udp, sizeof *udp);
}

void sos_udp_close(sos_udp *udp)
{
    if (udp == NULL || udp->closed)
        return;
    udp->users++;
    udp->closed = true;
    sos_fd_close(udp->os, udp->fd);
    leave(udp);
}

int sos_udp_address(const sos_udp *udp, struct sos_address *address)
{
    const struct sos_network *network = network_of(udp->os);
    if (network->name == NULL)
        return SOS_ENOTSUP;
    return network->name(sos_kernel_of(udp->os), udp->fd, false, address);
}

/* ---- Sending and receiving: one operation, which a frame repeats when it could not be done */

struct exchange {
    sos_frame frame;
    sos_udp *udp;
    struct sos_address *from; /* NULL: not wanted */
    struct sos_address to;    /* family SOS_FAMILY_NONE: this one receives */
    unsigned char *bytes;
    size_t size;
    int status;
};

static bool is_peer(const sos_udp *udp, const struct sos_address *from)
{
    const struct sos_address *peer = &udp->peer;
    size_t size = peer->family == SOS_FAMILY_IPV4 ? 4 : 16;
    return peer->family == SOS_FAMILY_NONE ||
           (peer->family == from->family && peer->port == from->port &&
            memcmp(peer->ip, from->ip, size) == 0);
}

static int receive_now(struct exchange *exchange)
{
    sos_udp *udp = exchange->udp;
    struct sos_address from;
    int got;
    do {
        got = network_of(udp->os)->receive_from(sos_kernel_of(udp->os), udp->fd, &from,
                                                exchange->bytes, exchange->size);
    } while (got == SOS_ECONNREFUSED || (got >= 0 && !is_peer(udp, &from)));
    if (got >= 0 && exchange->from != NULL)
        *exchange->from = from;
    return got;
}

static int go_on(struct exchange *exchange)
{
    sos_udp *udp = exchange->udp;
    if (udp->closed)
        return SOS_ECANCELED;
    if (exchange->to.family == SOS_FAMILY_NONE)
        return receive_now(exchange);
    return network_of(udp->os)->send_to(sos_kernel_of(udp->os), udp->fd, &exchange->to,
                                        exchange->bytes, exchange->size);
}

static sos_op wait_ready(sos_task *task, const struct exchange *exchange)
{
    int fd = exchange->udp->fd;
    return exchange->to.family == SOS_FAMILY_NONE ? sos_wait_readable(task, fd)
                                                  : sos_wait_writable(task, fd);
}

static async_fn(exchange)
{
    async_begin(exchange);
    self->udp->users++;
    do {
        try_await(wait_ready(task, self));
        self->status = go_on(self);
    } while (self->status == SOS_EAGAIN);
    async_return(self->status);
    async_finally;
    leave(self->udp);
    async_end;
}

static sos_op begin(sos_task *task, struct exchange *first)
{
    int status = go_on(first);
    if (status != SOS_EAGAIN)
        return sos_complete(task, status);
    return async_call(exchange, .udp = first->udp, .from = first->from, .to = first->to,
                      .bytes = first->bytes, .size = first->size);
}

sos_op sos_udp_send(sos_task *task, sos_udp *udp, const struct sos_address *to, const void *bytes,
                    size_t size)
{
    struct exchange first = { .udp = udp, .size = size };
    first.bytes = (unsigned char *)(uintptr_t)bytes; /* only read from */
    first.to = to != NULL ? *to : udp->peer;
    if (first.to.family != SOS_FAMILY_IPV4 && first.to.family != SOS_FAMILY_IPV6)
        return sos_complete(task, SOS_EINVAL);
    if (bytes == NULL && size != 0)
        return sos_complete(task, SOS_EINVAL);
    if (size > UINT16_MAX)
        return sos_complete(task, SOS_ELIMIT);
    return begin(task, &first);
}

sos_op sos_udp_receive(sos_task *task, sos_udp *udp, struct sos_address *from, void *bytes,
                       size_t size)
{
    struct exchange first = { .udp = udp, .from = from, .bytes = bytes, .size = size };
    if (size > INT_MAX || (bytes == NULL && size != 0))
        return sos_complete(task, SOS_EINVAL);
    return begin(task, &first);
}
