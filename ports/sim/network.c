/* SPDX-License-Identifier: MIT */
/*
 * The simulated network: listeners by address, and connections to them. A connection is a stream
 * from the start: its near end is the descriptor of the one who connects, its far end waits in the
 * listener's queue, and gets a descriptor when it is accepted.
 */
#include <stdlib.h>

#include "internal.h"

enum { FIRST_PORT = 49152, GIVE_UP_S = 127, QUEUE_FULL_S = 1, RESET_S = 1 };

/* ---- Routes */

struct sos_sim_route_entry_ {
    struct sos_sim_route_entry_ *next;
    struct sos_address to; /* family SOS_FAMILY_NONE: everywhere */
    struct sos_sim_route route;
};

static bool well_formed(const struct sos_sim_route *route)
{
    return (unsigned)route->fate <= SOS_SIM_HALF_OPEN && route->refused_percent <= 100 &&
           route->black_hole_percent <= 100 && route->reset_percent <= 100 &&
           route->half_open_percent <= 100 && route->loss_percent <= 100 &&
           (route->connect_max_us == 0 || route->connect_max_us >= route->connect_min_us) &&
           (route->stream.delay_max_us == 0 ||
            route->stream.delay_max_us >= route->stream.delay_min_us);
}

static bool same_place(const struct sos_address *a, const struct sos_address *b)
{
    return a->port == b->port &&
           (a->family == SOS_FAMILY_NONE ? b->family == a->family : sim_same_host(a, b));
}

int sos_sim_set_route(struct sos_kernel *kernel, const char *address, uint16_t port,
                      const struct sos_sim_route *route)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_address to = { .port = port };
    if (!well_formed(route) || (address != NULL && sos_address_parse(&to, address, port) != SOS_OK))
        return SOS_EINVAL;
    struct sos_sim_route_entry_ *entry = sim->routes;
    while (entry != NULL && !same_place(&entry->to, &to))
        entry = entry->next;
    if (entry == NULL) {
        entry = sos_sim_grow_(NULL, sizeof *entry);
        entry->next = sim->routes;
        entry->to = to;
        sim->routes = entry;
    }
    entry->route = *route;
    return SOS_OK;
}

/* The one that says most: an address says more than a port. */
const struct sos_sim_route *sos_sim_route_to_(struct sos_sim_ *sim, const struct sos_address *to)
{
    static const struct sos_sim_route usual;
    const struct sos_sim_route *best = &usual;
    int most = -1;
    for (const struct sos_sim_route_entry_ *entry = sim->routes; entry != NULL;
         entry = entry->next) {
        int says = (entry->to.family != SOS_FAMILY_NONE ? 2 : 0) + (entry->to.port != 0);
        bool fits = (entry->to.family == SOS_FAMILY_NONE || sim_same_host(&entry->to, to)) &&
                    (entry->to.port == 0 || entry->to.port == to->port);
        if (fits && says > most) {
            most = says;
            best = &entry->route;
        }
    }
    return best;
}

uint16_t sos_sim_port_(struct sos_sim_ *sim)
{
    if (sim->last_port < FIRST_PORT || sim->last_port == UINT16_MAX)
        sim->last_port = FIRST_PORT - 1;
    return ++sim->last_port;
}

/* ---- Listeners */

struct queued {
    struct queued *next;
    struct sos_sim_end_ *end;
};

struct sos_sim_listener_ {
    struct sos_sim_fd_ fd; /* first */
    struct sos_sim_listener_ *next;
    struct sos_address at;
    struct queued *queue, **last;
    int count, backlog;
};

static struct sos_sim_listener_ *of(const struct sos_sim_fd_ *fd)
{
    return (struct sos_sim_listener_ *)(uintptr_t)fd;
}

static unsigned readiness(const struct sos_sim_fd_ *fd)
{
    return of(fd)->queue != NULL ? SOS_READABLE : 0u;
}

static struct sos_sim_end_ *take(struct sos_sim_listener_ *listener)
{
    struct queued *queued = listener->queue;
    struct sos_sim_end_ *end = queued->end;
    listener->queue = queued->next;
    if (listener->queue == NULL)
        listener->last = &listener->queue;
    listener->count--;
    free(queued);
    return end;
}

/* Who has not been accepted yet is reset. */
static void close_listener(struct sos_sim_fd_ *fd)
{
    struct sos_sim_listener_ *listener = of(fd), **at = &fd->sim->listeners;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    while (listener->queue != NULL) {
        struct sos_sim_end_ *end = take(listener);
        sos_sim_end_reset_(end);
        sos_sim_fd_close_(&end->fd);
    }
}

static void free_listener(struct sos_sim_fd_ *fd)
{
    free(fd);
}

static const struct sos_sim_kind_ kind = { readiness, NULL, NULL, close_listener, free_listener };

static struct sos_sim_listener_ *listener_at(const struct sos_sim_ *sim,
                                             const struct sos_address *address)
{
    struct sos_sim_listener_ *listener = sim->listeners, *any = NULL;
    for (; listener != NULL; listener = listener->next) {
        if (listener->at.port != address->port || listener->at.family != address->family)
            continue;
        if (sim_same_host(&listener->at, address))
            return listener;
        if (sim_is_any(&listener->at))
            any = listener;
    }
    return any;
}

static int network_listen(struct sos_kernel *kernel, const struct sos_address *at, int backlog)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_address address = *at;
    if (address.family == SOS_FAMILY_NONE)
        return SOS_EINVAL;
    if (address.family != SOS_FAMILY_LOCAL && address.port == 0)
        address.port = sos_sim_port_(sim);
    if (listener_at(sim, &address) != NULL)
        return SOS_EADDRINUSE;
    struct sos_sim_listener_ *listener = sos_sim_grow_(NULL, sizeof *listener);
    *listener = (struct sos_sim_listener_){ .fd = { .kind = &kind, .sim = sim },
                                            .at = address,
                                            .backlog = backlog > 0 ? backlog : 1 };
    listener->last = &listener->queue;
    int fd = sos_sim_fd_new_(sim, &listener->fd);
    if (fd < 0) {
        free(listener);
        return fd;
    }
    listener->next = sim->listeners;
    sim->listeners = listener;
    return fd;
}

static int network_accept(struct sos_kernel *kernel, int number, struct sos_address *from)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    if (fd == NULL || fd->kind != &kind)
        return SOS_EBADF;
    struct sos_sim_listener_ *listener = of(fd);
    if (listener->queue == NULL)
        return SOS_EAGAIN;
    struct sos_sim_end_ *end = listener->queue->end;
    int accepted = sos_sim_fd_new_(sim, &end->fd);
    if (accepted < 0)
        return accepted;
    take(listener);
    end->fd.closed = false;
    if (from != NULL)
        *from = sos_sim_other_end_(end)->address;
    return accepted;
}

/* ---- Connecting. Each event refers to the near end. */

static void connection_over(struct sos_sim_end_ *near, sos *os, int error)
{
    if (near->pending) {
        near->pending = false;
        near->error = error;
        sos_sim_fd_tell_(&near->fd, os);
    }
    sos_sim_fd_event_over_(&near->fd);
}

static void refuse(struct sos_sim_ *sim, sos *os, void *context)
{
    (void)sim;
    connection_over(context, os, SOS_ECONNREFUSED);
}

static void unreachable(struct sos_sim_ *sim, sos *os, void *context)
{
    (void)sim;
    connection_over(context, os, SOS_EUNREACH);
}

static void give_up(struct sos_sim_ *sim, sos *os, void *context)
{
    (void)sim;
    connection_over(context, os, SOS_ETIMEDOUT);
}

static void break_it(struct sos_sim_ *sim, sos *os, void *context)
{
    struct sos_sim_end_ *near = context;
    (void)sim;
    (void)os;
    if (!near->fd.closed)
        sos_sim_end_reset_(near);
    sos_sim_fd_event_over_(&near->fd);
}

static void cut_it(struct sos_sim_ *sim, sos *os, void *context)
{
    struct sos_sim_end_ *near = context;
    (void)sim;
    (void)os;
    sos_sim_pair_cut_(near);
    sos_sim_fd_event_over_(&near->fd);
}

/* Whether the seed wants it; without one nothing is wanted. */
static bool chance(struct sos_sim_ *sim, uint8_t percent)
{
    return sim->options.seed != 0 && percent != 0 && sos_sim_random(&sim->kernel, 100) < percent;
}

static uint64_t some_time(struct sos_sim_ *sim, uint64_t most)
{
    if (most == 0)
        most = (uint64_t)SOS_SEC(RESET_S);
    return sim_choose(sim, most < UINT32_MAX ? (uint32_t)most : UINT32_MAX);
}

static void trouble_ahead(struct sos_sim_end_ *near, const struct sos_sim_route *route)
{
    struct sos_sim_ *sim = near->fd.sim;
    if (chance(sim, route->reset_percent))
        sos_sim_fd_schedule_(&near->fd, sim->now + some_time(sim, route->reset_us), break_it, near);
    if (chance(sim, route->half_open_percent))
        sos_sim_fd_schedule_(&near->fd, sim->now + some_time(sim, route->reset_us), cut_it, near);
}

static void half_open(struct sos_sim_ *sim, sos *os, void *context)
{
    (void)sim;
    sos_sim_pair_cut_(context);
    connection_over(context, os, SOS_OK);
}

/* The first packet has come to where somebody listens, or nobody. */
static void arrive(struct sos_sim_ *sim, sos *os, void *context)
{
    struct sos_sim_end_ *near = context, *far = sos_sim_other_end_(near);
    struct sos_sim_listener_ *listener = listener_at(sim, &far->address);
    if (near->fd.closed || listener == NULL) {
        connection_over(near, os, SOS_ECONNREFUSED);
        return;
    }
    if (listener->count >= listener->backlog) { /* as if it were lost: it is sent again */
        sos_sim_schedule_(sim, sim->now + SOS_SEC(QUEUE_FULL_S), arrive, near);
        return;
    }
    struct queued *queued = sos_sim_grow_(NULL, sizeof *queued);
    *queued = (struct queued){ NULL, far };
    far->fd.closed = false;
    *listener->last = queued;
    listener->last = &queued->next;
    listener->count++;
    trouble_ahead(near, sos_sim_route_to_(sim, &far->address));
    sos_sim_fd_tell_(&listener->fd, os);
    connection_over(near, os, SOS_OK);
}

static void set_out(struct sos_sim_end_ *near, const struct sos_sim_route *route)
{
    static const sos_sim_event_ events[] = { arrive, refuse, unreachable, give_up, half_open };
    struct sos_sim_ *sim = near->fd.sim;
    enum sos_sim_fate fate = route->fate;
    uint64_t delay = route->connect_min_us;
    if (route->connect_max_us > route->connect_min_us)
        delay += sim_choose(sim, route->connect_max_us - route->connect_min_us + 1);
    if (chance(sim, route->refused_percent))
        fate = SOS_SIM_REFUSES;
    if (chance(sim, route->black_hole_percent))
        fate = SOS_SIM_BLACK_HOLE;
    if (fate == SOS_SIM_BLACK_HOLE)
        delay = route->give_up_us != 0 ? route->give_up_us : (uint64_t)SOS_SEC(GIVE_UP_S);
    sos_sim_fd_schedule_(&near->fd, sim->now + delay, events[fate], near);
}

/* Both ends are on this machine, so the near one comes from the address it connects to. */
static int network_connect(struct sos_kernel *kernel, const struct sos_address *to)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_sim_end_ *ends[2];
    if (to->family == SOS_FAMILY_NONE)
        return SOS_EINVAL;
    const struct sos_sim_route *route = sos_sim_route_to_(sim, to);
    int status = sos_sim_pair_new_(sim, &route->stream, ends);
    if (status != SOS_OK)
        return status;
    ends[0]->pending = true;
    ends[1]->fd.closed = true; /* until somebody accepts it */
    ends[1]->address = *to;
    if (to->family == SOS_FAMILY_LOCAL) {
        ends[0]->address.family = SOS_FAMILY_LOCAL;
    } else {
        ends[0]->address = *to;
        ends[0]->address.port = sos_sim_port_(sim);
    }
    int fd = sos_sim_fd_new_(sim, &ends[0]->fd);
    if (fd < 0)
        sos_sim_fd_close_(&ends[0]->fd);
    else
        set_out(ends[0], route);
    return fd;
}

static int network_connected(struct sos_kernel *kernel, int fd)
{
    const struct sos_sim_end_ *end = sos_sim_end_(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    return end->pending ? SOS_EAGAIN : end->error;
}

/* ---- Connected */

static int network_write_many(struct sos_kernel *kernel, int number, const struct sos_slice *slices,
                              size_t count)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    int done = 0;
    if (fd == NULL || fd->kind->write == NULL)
        return SOS_EBADF;
    for (size_t index = 0; index < count; index++) {
        int put = fd->kind->write(fd, slices[index].bytes, slices[index].size);
        if (put < 0)
            return done != 0 ? done : put;
        done += put;
        if ((size_t)put < slices[index].size)
            break;
    }
    return done;
}

/* Like TCP, it does not mind that the other end has closed. */
static int network_shutdown(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = sos_sim_end_(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    if (end->error != 0)
        return end->error;
    sos_sim_end_shutdown_(end);
    return SOS_OK;
}

static int network_name(struct sos_kernel *kernel, int number, bool other,
                        struct sos_address *address)
{
    const struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    const struct sos_sim_end_ *end = sos_sim_end_(kernel, number);
    if (fd == NULL)
        return SOS_EBADF;
    if (end != NULL) {
        *address = other ? sos_sim_other_end_(end)->address : end->address;
        return SOS_OK;
    }
    if (fd->kind != &kind)
        return other ? SOS_EINVAL : sos_sim_udp_name_(fd, address);
    *address = of(fd)->at;
    return other ? SOS_EINVAL : SOS_OK;
}

const struct sos_network sos_sim_network_ = {
    .connect = network_connect,
    .connected = network_connected,
    .listen = network_listen,
    .accept = network_accept,
    .write_many = network_write_many,
    .shutdown = network_shutdown,
    .name = network_name,
    .bind_udp = sos_sim_bind_udp_,
    .send_to = sos_sim_send_to_,
    .receive_from = sos_sim_receive_from_,
    .resolve = sos_sim_resolve_,
};

void sos_sim_network_end_(struct sos_sim_ *sim)
{
    while (sim->listeners != NULL) {
        struct sos_sim_listener_ *listener = sim->listeners;
        sim->listeners = listener->next;
        while (listener->queue != NULL)
            take(listener);
        free(listener);
    }
    while (sim->routes != NULL) {
        struct sos_sim_route_entry_ *entry = sim->routes;
        sim->routes = entry->next;
        free(entry);
    }
    sos_sim_datagrams_end_(sim);
    sos_sim_names_end_(sim);
}
