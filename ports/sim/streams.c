/* SPDX-License-Identifier: MIT */
/*
 * Simulated streams: a pair of ends with a wire in each direction. What is written travels as
 * parcels that arrive one after the other, each by an event of its own; the wire holds the bytes
 * of those under way and of those not read yet in one ring.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { FIRST_FD = 3, FDS_MAX = 1 << 20, DEFAULT_CAPACITY = 65536 };

enum parcel_kind {
    DATA,
    LOST,  /* data of a stream that was reset meanwhile */
    END,   /* no more data will come */
    GONE,  /* and nobody reads on that side either */
    BROKEN /* reset */
};

struct parcel {
    struct parcel *next;
    enum parcel_kind kind;
    uint32_t size;
};

struct wire {
    struct sos_sim_end_ *from, *to;
    unsigned char *ring;
    uint32_t first, arrived, under_way; /* bytes: arrived ones first */
    struct parcel *parcels, **last;
    uint64_t last_due; /* parcels do not overtake each other */
};

struct sos_sim_end_ {
    struct sos_source source;
    struct sos_sim_pair_ *pair;
    struct wire *out, *in;
    unsigned watched;
    int error;      /* of every call from now on; 0: none */
    bool shut;      /* for writing, by its owner */
    bool in_ended;  /* the other side will write no more */
    bool peer_gone; /* nor read */
    bool closed;
};

struct sos_sim_pair_ {
    struct sos_sim_ *sim;
    struct sos_sim_pair_ *next;
    struct sos_sim_stream options;
    struct sos_sim_end_ ends[2];
    struct wire wires[2];
    uint32_t events; /* that will come yet and refer to it */
};

/* ---- Descriptors */

static struct sos_sim_end_ *end_of(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    return fd < 0 || (size_t)fd >= sim->ends_room ? NULL : sim->ends[fd];
}

/* The lowest free one, as POSIX does: programs that hold on to a closed one are found out. */
static int new_fd(struct sos_sim_ *sim, struct sos_sim_end_ *end)
{
    size_t fd = FIRST_FD;
    while (fd < sim->ends_room && sim->ends[fd] != NULL)
        fd++;
    if (fd >= FDS_MAX)
        return SOS_EMFILE;
    if (fd >= sim->ends_room) {
        size_t room = fd * 2;
        sim->ends = sos_sim_grow_(sim->ends, room * sizeof(struct sos_sim_end_ *));
        memset(sim->ends + sim->ends_room, 0,
               (room - sim->ends_room) * sizeof(struct sos_sim_end_ *));
        sim->ends_room = room;
    }
    sim->ends[fd] = end;
    return (int)fd;
}

static void free_pair(struct sos_sim_pair_ *pair)
{
    struct sos_sim_pair_ **at = &pair->sim->pairs;
    while (*at != pair)
        at = &(*at)->next;
    *at = pair->next;
    for (int side = 0; side < 2; side++) {
        while (pair->wires[side].parcels != NULL) {
            struct parcel *parcel = pair->wires[side].parcels;
            pair->wires[side].parcels = parcel->next;
            free(parcel);
        }
        free(pair->wires[side].ring);
    }
    free(pair);
}

static void event_over(struct sos_sim_pair_ *pair)
{
    pair->events--;
    if (pair->events == 0 && pair->ends[0].closed && pair->ends[1].closed)
        free_pair(pair);
}

/* ---- Readiness */

static uint32_t space(const struct sos_sim_end_ *end)
{
    return end->pair->options.capacity - end->out->arrived - end->out->under_way;
}

static unsigned readiness(const struct sos_sim_end_ *end)
{
    bool readable = end->error != 0 || end->in->arrived != 0 || end->in_ended;
    bool writable = end->error != 0 || end->shut || end->peer_gone || space(end) != 0;
    return (readable ? SOS_READABLE : 0u) | (writable ? SOS_WRITABLE : 0u);
}

static void tell_waiters(struct sos_sim_end_ *end, sos *os)
{
    unsigned events = end->closed ? 0 : readiness(end) & end->watched;
    if (events == 0)
        return;
    unsigned left = sos_source_ready(os, &end->source, events, 0);
    end->watched = (end->watched & ~events) | left;
}

static void changed(struct sos_sim_ *sim, sos *os, void *context)
{
    struct sos_sim_end_ *end = context;
    (void)sim;
    tell_waiters(end, os);
    event_over(end->pair);
}

/* Something about an end changed in the middle of a step: its waiters hear of it after that. */
static void change(struct sos_sim_end_ *end)
{
    struct sos_sim_ *sim = end->pair->sim;
    if (end->closed || end->watched == 0)
        return;
    end->pair->events++;
    sos_sim_schedule_(sim, sim->now, changed, end);
}

/* ---- The wire */

/* A choice of the seed; without one the smallest. */
static uint32_t choose(struct sos_sim_ *sim, uint32_t limit)
{
    return sim->options.seed == 0 ? 0 : sos_sim_random(&sim->kernel, limit);
}

static void arrive(struct wire *wire, const struct parcel *parcel)
{
    struct sos_sim_end_ *to = wire->to;
    switch (parcel->kind) {
    case DATA:
        wire->under_way -= parcel->size;
        wire->arrived += parcel->size;
        break;
    case LOST:
        break;
    case GONE:
        to->peer_gone = true;
        to->in_ended = true;
        break;
    case END:
        to->in_ended = true;
        break;
    case BROKEN:
        to->error = SOS_ECONNRESET;
        wire->arrived = 0;
        break;
    }
    if (to->closed || to->error != 0)
        wire->arrived = 0; /* nobody will read it */
}

static void deliver(struct sos_sim_ *sim, sos *os, void *context)
{
    struct wire *wire = context;
    struct parcel *parcel = wire->parcels;
    (void)sim;
    wire->parcels = parcel->next;
    if (wire->parcels == NULL)
        wire->last = &wire->parcels;
    arrive(wire, parcel);
    free(parcel);
    tell_waiters(wire->to, os);
    event_over(wire->to->pair);
}

static void send(struct wire *wire, enum parcel_kind kind, uint32_t size)
{
    struct sos_sim_pair_ *pair = wire->from->pair;
    struct sos_sim_ *sim = pair->sim;
    const struct sos_sim_stream *options = &pair->options;
    struct parcel *parcel = sos_sim_grow_(NULL, sizeof *parcel);
    *parcel = (struct parcel){ NULL, kind, size };
    *wire->last = parcel;
    wire->last = &parcel->next;
    uint64_t due = sim->now + options->delay_min_us +
                   choose(sim, options->delay_max_us - options->delay_min_us + 1);
    if (due < wire->last_due)
        due = wire->last_due;
    wire->last_due = due;
    pair->events++;
    sos_sim_schedule_(sim, due, deliver, wire);
}

/* ---- Reading and writing */

/* How much one call moves of what it could. */
static uint32_t portion(const struct sos_sim_end_ *end, size_t size, uint32_t possible)
{
    uint32_t most = size < possible ? (uint32_t)size : possible;
    uint32_t limit = end->pair->options.transfer_max;
    if (limit == 0 || most == 0)
        return most;
    most = most < limit ? most : limit;
    return most - choose(end->pair->sim, most);
}

static int fd_read(struct sos_kernel *kernel, int fd, void *bytes, size_t size)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    if (end->error != 0)
        return end->error;
    struct wire *wire = end->in;
    uint32_t capacity = end->pair->options.capacity;
    uint32_t count = portion(end, size, wire->arrived);
    if (count == 0)
        return size == 0 || end->in_ended ? 0 : SOS_EAGAIN;
    uint32_t before_wrap = capacity - wire->first < count ? capacity - wire->first : count;
    memcpy(bytes, wire->ring + wire->first, before_wrap);
    memcpy((char *)bytes + before_wrap, wire->ring, count - before_wrap);
    wire->first = (wire->first + count) % capacity;
    wire->arrived -= count;
    change(wire->from);
    return (int)count;
}

static int fd_write(struct sos_kernel *kernel, int fd, const void *bytes, size_t size)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    if (end->error != 0)
        return end->error;
    if (end->shut || end->peer_gone)
        return SOS_EPIPE;
    struct wire *wire = end->out;
    uint32_t capacity = end->pair->options.capacity;
    uint32_t count = portion(end, size, space(end));
    if (count == 0)
        return size == 0 ? 0 : SOS_EAGAIN;
    uint32_t at = (uint32_t)(((uint64_t)wire->first + wire->arrived + wire->under_way) % capacity);
    uint32_t before_wrap = capacity - at < count ? capacity - at : count;
    memcpy(wire->ring + at, bytes, before_wrap);
    memcpy(wire->ring, (const char *)bytes + before_wrap, count - before_wrap);
    wire->under_way += count;
    send(wire, DATA, count);
    return (int)count;
}

static int fd_close(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    bool unread = end->in->arrived != 0;
    end->closed = true;
    end->watched = 0;
    end->in->arrived = 0;
    sos_sim_of_(kernel)->ends[fd] = NULL;
    if (end->error == 0 && !end->peer_gone)
        send(end->out, unread ? BROKEN : GONE, 0); /* as TCP does */
    end->pair->events++;
    event_over(end->pair);
    return SOS_OK;
}

static struct sos_source *source(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    return end == NULL ? NULL : &end->source;
}

static int watch(struct sos_kernel *kernel, int fd, unsigned events)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    events &= SOS_READABLE | SOS_WRITABLE;
    if ((readiness(end) & events) != 0)
        return 1;
    end->watched |= events;
    return 0;
}

int sos_sim_shutdown(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    if (end->shut || end->peer_gone || end->error != 0)
        return SOS_EPIPE;
    end->shut = true;
    send(end->out, END, 0);
    change(end);
    return SOS_OK;
}

int sos_sim_reset(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = end_of(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    if (end->error != 0)
        return SOS_OK;
    for (struct parcel *parcel = end->out->parcels; parcel != NULL; parcel = parcel->next)
        if (parcel->kind == DATA)
            parcel->kind = LOST;
    end->out->under_way = 0;
    end->in->arrived = 0;
    end->error = SOS_ECONNRESET;
    send(end->out, BROKEN, 0);
    change(end);
    return SOS_OK;
}

/* ---- Making and ending */

int sos_sim_pair(struct sos_kernel *kernel, int fds[2], const struct sos_sim_stream *options)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_sim_stream chosen = { 0 };
    if (options != NULL)
        chosen = *options;
    if (chosen.capacity == 0)
        chosen.capacity = DEFAULT_CAPACITY;
    if (chosen.delay_max_us == 0)
        chosen.delay_max_us = chosen.delay_min_us;
    if (chosen.delay_max_us < chosen.delay_min_us || chosen.capacity > INT32_MAX)
        return SOS_EINVAL;
    struct sos_sim_pair_ *pair = sos_sim_grow_(NULL, sizeof *pair);
    *pair = (struct sos_sim_pair_){ .sim = sim, .next = sim->pairs, .options = chosen };
    sim->pairs = pair;
    for (int side = 0; side < 2; side++) {
        struct wire *wire = &pair->wires[side];
        wire->from = &pair->ends[side];
        wire->to = &pair->ends[1 - side];
        wire->ring = sos_sim_grow_(NULL, chosen.capacity);
        wire->last = &wire->parcels;
        pair->ends[side].pair = pair;
        pair->ends[side].out = wire;
        pair->ends[1 - side].in = wire;
    }
    fds[0] = new_fd(sim, &pair->ends[0]);
    fds[1] = fds[0] < 0 ? SOS_EMFILE : new_fd(sim, &pair->ends[1]);
    if (fds[1] >= 0)
        return SOS_OK;
    if (fds[0] >= 0)
        sim->ends[fds[0]] = NULL;
    free_pair(pair);
    return SOS_EMFILE;
}

void sos_sim_streams_start_(struct sos_sim_ *sim)
{
    sim->kernel.source = source;
    sim->kernel.watch = watch;
    sim->kernel.fd_read = fd_read;
    sim->kernel.fd_write = fd_write;
    sim->kernel.fd_close = fd_close;
}

void sos_sim_streams_end_(struct sos_sim_ *sim)
{
    while (sim->pairs != NULL)
        free_pair(sim->pairs);
    free(sim->ends);
}
