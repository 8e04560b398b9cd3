/* SPDX-License-Identifier: MIT */
/*
 * Simulated streams: a pair of ends with a wire in each direction. What is written travels as
 * parcels that arrive one after the other, each by an event of its own; the wire holds the bytes
 * of those under way and of those not read yet in one ring.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { DEFAULT_CAPACITY = 65536 };

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

struct sos_sim_wire_ {
    struct sos_sim_end_ *from, *to;
    unsigned char *ring;
    uint32_t first, arrived, under_way; /* bytes: arrived ones first */
    struct parcel *parcels, **last;
    uint64_t last_due; /* parcels do not overtake each other */
};

struct sos_sim_pair_ {
    struct sos_sim_ *sim;
    struct sos_sim_pair_ *next;
    struct sos_sim_stream options;
    struct sos_sim_end_ ends[2];
    struct sos_sim_wire_ wires[2];
    bool cut; /* nothing gets through any more, and nobody is told */
};

/* ---- Ends */

static struct sos_sim_end_ *of(const struct sos_sim_fd_ *fd)
{
    return (struct sos_sim_end_ *)(uintptr_t)fd;
}

struct sos_sim_end_ *sos_sim_end_(const struct sos_kernel *kernel, int number)
{
    const struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    return fd == NULL || fd->kind != &sos_sim_end_kind_ ? NULL : of(fd);
}

struct sos_sim_end_ *sos_sim_other_end_(const struct sos_sim_end_ *end)
{
    return end->out->to;
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

static void free_end(struct sos_sim_fd_ *fd)
{
    struct sos_sim_pair_ *pair = of(fd)->pair;
    const struct sos_sim_fd_ *a = &pair->ends[0].fd, *b = &pair->ends[1].fd;
    if (a->closed && b->closed && a->events == 0 && b->events == 0)
        free_pair(pair);
}

/* ---- Readiness */

static uint32_t space(const struct sos_sim_end_ *end)
{
    return end->pair->options.capacity - end->out->arrived - end->out->under_way;
}

static unsigned readiness(const struct sos_sim_fd_ *fd)
{
    const struct sos_sim_end_ *end = of(fd);
    if (end->pending)
        return 0;
    bool readable = end->error != 0 || end->in->arrived != 0 || end->in_ended;
    bool writable = end->error != 0 || end->shut || end->peer_gone || space(end) != 0;
    return (readable ? SOS_READABLE : 0u) | (writable ? SOS_WRITABLE : 0u);
}

/* ---- The wire */

static void arrive(struct sos_sim_wire_ *wire, const struct parcel *parcel)
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
    if (to->fd.closed || to->error != 0)
        wire->arrived = 0; /* nobody will read it */
}

static void deliver(struct sos_sim_ *sim, sos *os, void *context)
{
    struct sos_sim_wire_ *wire = context;
    struct parcel *parcel = wire->parcels;
    (void)sim;
    wire->parcels = parcel->next;
    if (wire->parcels == NULL)
        wire->last = &wire->parcels;
    arrive(wire, parcel);
    free(parcel);
    sos_sim_fd_tell_(&wire->to->fd, os);
    sos_sim_fd_event_over_(&wire->to->fd);
}

static void send(struct sos_sim_wire_ *wire, enum parcel_kind kind, uint32_t size)
{
    struct sos_sim_pair_ *pair = wire->from->pair;
    struct sos_sim_ *sim = pair->sim;
    const struct sos_sim_stream *options = &pair->options;
    if (pair->cut)
        return;
    struct parcel *parcel = sos_sim_grow_(NULL, sizeof *parcel);
    *parcel = (struct parcel){ NULL, kind, size };
    *wire->last = parcel;
    wire->last = &parcel->next;
    uint64_t due = sim->now + options->delay_min_us +
                   sim_choose(sim, options->delay_max_us - options->delay_min_us + 1);
    if (due < wire->last_due)
        due = wire->last_due;
    wire->last_due = due;
    sos_sim_fd_schedule_(&wire->to->fd, due, deliver, wire);
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
    return most - sim_choose(end->pair->sim, most);
}

static int read_end(struct sos_sim_fd_ *fd, void *bytes, size_t size)
{
    struct sos_sim_end_ *end = of(fd);
    if (end->pending)
        return SOS_EAGAIN;
    if (end->error != 0)
        return end->error;
    struct sos_sim_wire_ *wire = end->in;
    uint32_t capacity = end->pair->options.capacity;
    uint32_t count = portion(end, size, wire->arrived);
    if (count == 0)
        return size == 0 || end->in_ended ? 0 : SOS_EAGAIN;
    uint32_t before_wrap = capacity - wire->first < count ? capacity - wire->first : count;
    memcpy(bytes, wire->ring + wire->first, before_wrap);
    memcpy((char *)bytes + before_wrap, wire->ring, count - before_wrap);
    wire->first = (wire->first + count) % capacity;
    wire->arrived -= count;
    sos_sim_fd_changed_(&wire->from->fd);
    return (int)count;
}

static int write_end(struct sos_sim_fd_ *fd, const void *bytes, size_t size)
{
    struct sos_sim_end_ *end = of(fd);
    if (end->pending)
        return SOS_EAGAIN;
    if (end->error != 0)
        return end->error;
    if (end->shut || end->peer_gone)
        return SOS_EPIPE;
    struct sos_sim_wire_ *wire = end->out;
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

static void close_end(struct sos_sim_fd_ *fd)
{
    struct sos_sim_end_ *end = of(fd);
    bool unread = end->in->arrived != 0;
    end->in->arrived = 0;
    if (end->error == 0 && !end->peer_gone && !end->pending)
        send(end->out, unread ? BROKEN : GONE, 0); /* as TCP does */
}

const struct sos_sim_kind_ sos_sim_end_kind_ = { readiness, read_end, write_end, close_end,
                                                 free_end };

int sos_sim_end_shutdown_(struct sos_sim_end_ *end)
{
    if (end->shut || end->peer_gone || end->error != 0 || end->pending)
        return SOS_EPIPE;
    end->shut = true;
    send(end->out, END, 0);
    sos_sim_fd_changed_(&end->fd);
    return SOS_OK;
}

int sos_sim_end_reset_(struct sos_sim_end_ *end)
{
    if (end->error != 0)
        return SOS_OK;
    for (struct parcel *parcel = end->out->parcels; parcel != NULL; parcel = parcel->next)
        if (parcel->kind == DATA)
            parcel->kind = LOST;
    end->out->under_way = 0;
    end->in->arrived = 0;
    end->error = SOS_ECONNRESET;
    send(end->out, BROKEN, 0);
    sos_sim_fd_changed_(&end->fd);
    return SOS_OK;
}

void sos_sim_pair_cut_(struct sos_sim_end_ *end)
{
    end->pair->cut = true;
}

int sos_sim_shutdown(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = sos_sim_end_(kernel, fd);
    return end == NULL ? SOS_EBADF : sos_sim_end_shutdown_(end);
}

int sos_sim_reset(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = sos_sim_end_(kernel, fd);
    return end == NULL ? SOS_EBADF : sos_sim_end_reset_(end);
}

int sos_sim_cut(struct sos_kernel *kernel, int fd)
{
    struct sos_sim_end_ *end = sos_sim_end_(kernel, fd);
    if (end == NULL)
        return SOS_EBADF;
    sos_sim_pair_cut_(end);
    return SOS_OK;
}

/* ---- Making and ending */

int sos_sim_pair_new_(struct sos_sim_ *sim, const struct sos_sim_stream *options,
                      struct sos_sim_end_ *ends[2])
{
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
        struct sos_sim_wire_ *wire = &pair->wires[side];
        wire->from = &pair->ends[side];
        wire->to = &pair->ends[1 - side];
        wire->ring = sos_sim_grow_(NULL, chosen.capacity);
        wire->last = &wire->parcels;
        pair->ends[side].fd = (struct sos_sim_fd_){ .kind = &sos_sim_end_kind_, .sim = sim };
        pair->ends[side].pair = pair;
        pair->ends[side].out = wire;
        pair->ends[1 - side].in = wire;
        ends[side] = &pair->ends[side];
    }
    return SOS_OK;
}

int sos_sim_pair(struct sos_kernel *kernel, int fds[2], const struct sos_sim_stream *options)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_sim_end_ *ends[2];
    int status = sos_sim_pair_new_(sim, options, ends);
    if (status != SOS_OK)
        return status;
    fds[0] = sos_sim_fd_new_(sim, &ends[0]->fd);
    fds[1] = fds[0] < 0 ? SOS_EMFILE : sos_sim_fd_new_(sim, &ends[1]->fd);
    if (fds[1] >= 0)
        return SOS_OK;
    if (fds[0] >= 0)
        sim->fds[fds[0]] = NULL;
    free_pair(ends[0]->pair);
    return SOS_EMFILE;
}

void sos_sim_streams_end_(struct sos_sim_ *sim)
{
    while (sim->pairs != NULL)
        free_pair(sim->pairs);
}
