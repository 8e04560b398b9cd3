/* SPDX-License-Identifier: MIT */
/* Descriptors of the simulation, whatever stands behind them: the table, readiness, dispatch. */
#include "internal.h"

enum { FIRST_FD = 3, FDS_MAX = 1 << 20 };

/* ---- The table */

struct sos_sim_fd_ *sos_sim_fd_(const struct sos_kernel *kernel, int fd)
{
    const struct sos_sim_ *sim = sos_sim_of_(kernel);
    return fd < 0 || (size_t)fd >= sim->fds_room ? NULL : sim->fds[fd];
}

/* The lowest free one, as POSIX does: programs that hold on to a closed one are found out. */
int sos_sim_fd_new_(struct sos_sim_ *sim, struct sos_sim_fd_ *entry)
{
    size_t fd = FIRST_FD, most = sim->options.max_descriptors;
    if (most == 0)
        most = FDS_MAX;
    while (fd < sim->fds_room && sim->fds[fd] != NULL)
        fd++;
    if (fd - FIRST_FD >= most)
        return SOS_EMFILE;
    if (fd >= sim->fds_room) {
        size_t room = fd * 2;
        sim->fds = sos_sim_grow_(sim->fds, room * sizeof(struct sos_sim_fd_ *));
        memset(sim->fds + sim->fds_room, 0, (room - sim->fds_room) * sizeof(struct sos_sim_fd_ *));
        sim->fds_room = room;
    }
    sim->fds[fd] = entry;
    return (int)fd;
}

/* ---- Events that refer to one, and its end */

void sos_sim_fd_schedule_(struct sos_sim_fd_ *fd, uint64_t due, sos_sim_event_ fire, void *context)
{
    fd->events++;
    sos_sim_schedule_(fd->sim, due, fire, context);
}

void sos_sim_fd_event_over_(struct sos_sim_fd_ *fd)
{
    if (--fd->events == 0 && fd->closed)
        fd->kind->free(fd);
}

void sos_sim_fd_close_(struct sos_sim_fd_ *fd)
{
    fd->events++;
    fd->closed = true;
    fd->watched = 0;
    fd->kind->close(fd);
    sos_sim_fd_event_over_(fd);
}

/* ---- Readiness */

void sos_sim_fd_tell_(struct sos_sim_fd_ *fd, sos *os)
{
    unsigned events = fd->closed ? 0 : fd->kind->readiness(fd) & fd->watched;
    if (events == 0)
        return;
    unsigned left = sos_source_ready(os, &fd->source, events, 0);
    fd->watched = (fd->watched & ~events) | left;
}

static void changed(struct sos_sim_ *sim, sos *os, void *context)
{
    struct sos_sim_fd_ *fd = context;
    (void)sim;
    sos_sim_fd_tell_(fd, os);
    sos_sim_fd_event_over_(fd);
}

/* Its waiters hear of it after the step. */
void sos_sim_fd_changed_(struct sos_sim_fd_ *fd)
{
    if (!fd->closed && fd->watched != 0)
        sos_sim_fd_schedule_(fd, fd->sim->now, changed, fd);
}

static struct sos_source *source(struct sos_kernel *kernel, int number)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    return fd == NULL ? NULL : &fd->source;
}

static int watch(struct sos_kernel *kernel, int number, unsigned events)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    if (fd == NULL)
        return SOS_EBADF;
    events &= SOS_READABLE | SOS_WRITABLE;
    if ((fd->kind->readiness(fd) & events) != 0)
        return 1;
    fd->watched |= events;
    return 0;
}

/* ---- Dispatch */

static int fd_read(struct sos_kernel *kernel, int number, void *bytes, size_t size)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    if (fd == NULL)
        return SOS_EBADF;
    return fd->kind->read != NULL ? fd->kind->read(fd, bytes, size) : SOS_EINVAL;
}

static int fd_write(struct sos_kernel *kernel, int number, const void *bytes, size_t size)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    if (fd == NULL)
        return SOS_EBADF;
    return fd->kind->write != NULL ? fd->kind->write(fd, bytes, size) : SOS_EINVAL;
}

static int fd_close(struct sos_kernel *kernel, int number)
{
    struct sos_sim_fd_ *fd = sos_sim_fd_(kernel, number);
    if (fd == NULL)
        return SOS_EBADF;
    sos_sim_of_(kernel)->fds[number] = NULL;
    sos_sim_fd_close_(fd);
    return SOS_OK;
}

uint32_t sos_sim_descriptors(const struct sos_kernel *kernel)
{
    const struct sos_sim_ *sim = sos_sim_of_(kernel);
    uint32_t count = 0;
    for (size_t fd = 0; fd < sim->fds_room; fd++)
        count += sim->fds[fd] != NULL;
    return count;
}

void sos_sim_descriptors_start_(struct sos_sim_ *sim)
{
    sim->kernel.source = source;
    sim->kernel.watch = watch;
    sim->kernel.fd_read = fd_read;
    sim->kernel.fd_write = fd_write;
    sim->kernel.fd_close = fd_close;
    sim->kernel.network = &sos_sim_network_;
}
