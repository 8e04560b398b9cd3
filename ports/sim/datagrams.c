/* SPDX-License-Identifier: MIT */
/* Simulated datagrams: each arrives by an event of its own, or not at all. */
#include <stdlib.h>

#include "internal.h"

enum { QUEUE_MAX = 64, DATAGRAM_MAX = 65507 };

struct datagram {
    struct datagram *next;
    struct sos_sim_ *sim;
    struct sos_address from, to;
    size_t size;
    unsigned char bytes[];
};

struct sos_sim_udp_ {
    struct sos_sim_fd_ fd; /* first */
    struct sos_sim_udp_ *next;
    struct sos_address at;
    struct datagram *queue, **last;
    uint32_t count;
};

static struct sos_sim_udp_ *of(const struct sos_sim_fd_ *fd)
{
    return (struct sos_sim_udp_ *)(uintptr_t)fd;
}

static unsigned readiness(const struct sos_sim_fd_ *fd)
{
    return (of(fd)->queue != NULL ? SOS_READABLE : 0u) | SOS_WRITABLE;
}

static struct datagram *take(struct sos_sim_udp_ *socket)
{
    struct datagram *datagram = socket->queue;
    socket->queue = datagram->next;
    if (socket->queue == NULL)
        socket->last = &socket->queue;
    socket->count--;
    return datagram;
}

static void close_socket(struct sos_sim_fd_ *fd)
{
    struct sos_sim_udp_ *socket = of(fd), **at = &fd->sim->datagram_sockets;
    while (*at != socket)
        at = &(*at)->next;
    *at = socket->next;
    while (socket->queue != NULL)
        free(take(socket));
}

static void free_socket(struct sos_sim_fd_ *fd)
{
    free(fd);
}

static const struct sos_sim_kind_ kind = { readiness, NULL, NULL, close_socket, free_socket };

static struct sos_sim_udp_ *bound_at(const struct sos_sim_ *sim, const struct sos_address *address)
{
    struct sos_sim_udp_ *socket = sim->datagram_sockets, *any = NULL;
    for (; socket != NULL; socket = socket->next) {
        if (socket->at.port != address->port || socket->at.family != address->family)
            continue;
        if (sim_same_host(&socket->at, address))
            return socket;
        if (sim_is_any(&socket->at))
            any = socket;
    }
    return any;
}

int sos_sim_bind_udp_(struct sos_kernel *kernel, const struct sos_address *at)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    if (at->family != SOS_FAMILY_IPV4 && at->family != SOS_FAMILY_IPV6)
        return SOS_EINVAL;
    if (at->port != 0 && bound_at(sim, at) != NULL)
        return SOS_EADDRINUSE;
    struct sos_sim_udp_ *socket = sos_sim_grow_(NULL, sizeof *socket);
    *socket = (struct sos_sim_udp_){ .fd = { .kind = &kind, .sim = sim }, .at = *at };
    socket->last = &socket->queue;
    if (at->port == 0)
        socket->at.port = sos_sim_port_(sim);
    int fd = sos_sim_fd_new_(sim, &socket->fd);
    if (fd < 0) {
        free(socket);
        return fd;
    }
    socket->next = sim->datagram_sockets;
    sim->datagram_sockets = socket;
    return fd;
}

static void arrive(struct sos_sim_ *sim, sos *os, void *context)
{
    struct datagram *datagram = context;
    struct sos_sim_udp_ *socket = bound_at(sim, &datagram->to);
    if (socket == NULL || socket->count == QUEUE_MAX) {
        free(datagram);
        return;
    }
    *socket->last = datagram;
    socket->last = &datagram->next;
    socket->count++;
    sos_sim_fd_tell_(&socket->fd, os);
}

static struct sos_sim_udp_ *socket_of(const struct sos_kernel *kernel, int number)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    return fd != NULL && fd->kind == &kind ? of(fd) : NULL;
}

static bool goes_there(const struct sos_sim_route *route)
{
    return route->fate == SOS_SIM_ANSWERS || route->fate == SOS_SIM_REFUSES;
}

int sos_sim_send_to_(struct sos_kernel *kernel, int fd, const struct sos_address *to,
                     const void *bytes, size_t size)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_sim_udp_ *socket = socket_of(kernel, fd);
    if (socket == NULL)
        return SOS_EBADF;
    if (to->family != socket->at.family)
        return SOS_EINVAL;
    if (size > DATAGRAM_MAX)
        return SOS_ELIMIT;
    const struct sos_sim_route *route = sos_sim_route_to_(sim, to);
    if (route->fate == SOS_SIM_UNREACHABLE)
        return SOS_EUNREACH;
    bool lost = sim_choose(sim, 100) < route->loss_percent && sim->options.seed != 0;
    if (lost || !goes_there(route))
        return (int)size;
    struct datagram *datagram = sos_sim_grow_(NULL, sizeof *datagram + size);
    *datagram = (struct datagram){ .sim = sim, .from = socket->at, .to = *to, .size = size };
    if (sim_is_any(&datagram->from))
        datagram->from = *to; /* both ends are on this machine */
    datagram->from.port = socket->at.port;
    if (size != 0)
        memcpy(datagram->bytes, bytes, size);
    uint32_t least = route->stream.delay_min_us, most = route->stream.delay_max_us;
    uint64_t delay = least + (most > least ? sim_choose(sim, most - least + 1) : 0);
    sos_sim_schedule_(sim, sim->now + delay, arrive, datagram);
    return (int)size;
}

int sos_sim_receive_from_(struct sos_kernel *kernel, int fd, struct sos_address *from, void *bytes,
                          size_t size)
{
    struct sos_sim_udp_ *socket = socket_of(kernel, fd);
    if (socket == NULL)
        return SOS_EBADF;
    if (socket->queue == NULL)
        return SOS_EAGAIN;
    struct datagram *datagram = take(socket);
    size_t count = datagram->size < size ? datagram->size : size;
    if (count != 0)
        memcpy(bytes, datagram->bytes, count);
    if (from != NULL)
        *from = datagram->from;
    free(datagram);
    return (int)count;
}

int sos_sim_udp_name_(const struct sos_sim_fd_ *fd, struct sos_address *address)
{
    if (fd->kind != &kind)
        return SOS_EBADF;
    *address = of(fd)->at;
    return SOS_OK;
}

void sos_sim_datagrams_end_(struct sos_sim_ *sim)
{
    for (size_t index = 0; index < sim->pending_count; index++)
        if (sim->pending[index].fire == arrive)
            free(sim->pending[index].context);
    while (sim->datagram_sockets != NULL) {
        struct sos_sim_udp_ *socket = sim->datagram_sockets;
        close_socket(&socket->fd);
        free(socket);
    }
}
