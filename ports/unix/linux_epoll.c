/* SPDX-License-Identifier: MIT */
/*
 * The epoll back end. Descriptors stay registered, edge-triggered: a task that waits again after
 * SOS_EAGAIN costs no call. A level-triggered wait registers anew, at which epoll looks whether it
 * is ready already. Interest in writing ends with the first event that nobody waits for.
 */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { AT_ONCE = 512, LOOK_US = 10 };

struct set {
    int fd;
    uint64_t collected; /* when that was; timers may ask for looks far more often */
    struct epoll_event events[AT_ONCE];
};

static struct set *set_of(struct unix_kernel *kernel)
{
    return kernel->state;
}

/* ---- Watching; entry->armed holds the events registered, SOS_READABLE and SOS_WRITABLE */

/* The file may have been closed behind our back, and its number given to another. */
static int control(struct set *set, struct unix_fd *entry, int fd, struct epoll_event *event)
{
    int operation = entry->armed != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(set->fd, operation, fd, event) == 0)
        return 0;
    if (errno != ENOENT && errno != EEXIST)
        return errno;
    operation = errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    entry->drained = entry->ended = false;
    return epoll_ctl(set->fd, operation, fd, event) == 0 ? 0 : errno;
}

static int arm(struct unix_kernel *kernel, struct unix_fd *entry, int fd, unsigned events)
{
    struct epoll_event event = { .events = EPOLLET };
    event.data.u64 = (uint64_t)entry->generation << 32 | (uint32_t)fd;
    if ((events & SOS_READABLE) != 0)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if ((events & SOS_WRITABLE) != 0)
        event.events |= EPOLLOUT;
    int number = control(set_of(kernel), entry, fd, &event);
    if (number == 0)
        entry->armed = (uint8_t)events;
    entry->edge = number == 0 && (events & SOS_READABLE) != 0;
    entry->drained = entry->drained && entry->edge;
    return number;
}

static int watch(struct sos_kernel *face, int fd, unsigned events)
{
    struct unix_kernel *kernel = unix_of(face);
    struct unix_fd *entry = unix_fd_get(kernel, fd);
    if (entry == NULL)
        return SOS_EBADF;
    if (entry->kind == UNIX_FILE)
        return 1;
    if (entry->edge && (events & SOS_AFTER_EAGAIN) != 0 && (events & SOS_WRITABLE) == 0)
        return 0;
    unsigned both = SOS_READABLE | SOS_WRITABLE;
    int number = arm(kernel, entry, fd, (entry->armed | events) & both);
    if (number == EPERM) { /* like a plain file */
        entry->kind = UNIX_FILE;
        return 1;
    }
    return number == 0 ? 0 : sos_unix_error_(number);
}

static void forget(struct unix_kernel *kernel, struct unix_fd *entry, int fd)
{
    if (entry->armed != 0)
        epoll_ctl(set_of(kernel)->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- Looking */

static void report(struct unix_kernel *kernel, const struct epoll_event *event)
{
    int fd = (int)(uint32_t)event->data.u64;
    struct unix_fd *entry = unix_fd_find(kernel, fd);
    if (entry == NULL || entry->generation != event->data.u64 >> 32)
        return;
    unsigned ready = 0;
    if ((event->events & (UNIX_READ_EVENTS | EPOLLRDHUP)) != 0) {
        ready |= SOS_READABLE;
        entry->drained = false;
    }
    if ((event->events & UNIX_WRITE_EVENTS) != 0)
        ready |= SOS_WRITABLE;
    if ((event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        entry->ended = true;
    bool unasked = entry->source.writers == NULL && (entry->armed & SOS_WRITABLE) != 0;
    sos_source_ready(kernel->os, &entry->source, ready, SOS_OK);
    if (unasked && (entry->armed & SOS_READABLE) != 0)
        arm(kernel, entry, fd, SOS_READABLE);
}

static void report_all(struct unix_kernel *kernel, int count)
{
    struct set *set = set_of(kernel);
    for (int index = 0; index < count; index++)
        if (set->events[index].data.u64 != UINT64_MAX) /* the bell */
            report(kernel, &set->events[index]);
}

/* Returns like epoll_wait(). Before Linux 5.11 there are whole milliseconds only. */
static int sleep_until(struct set *set, uint64_t until)
{
    if (until == SOS_NEVER)
        return epoll_wait(set->fd, set->events, AT_ONCE, -1);
    static atomic_bool coarse;
    uint64_t now = sos_unix_now_();
    uint64_t left = until > now ? until - now : 0;
    if (!atomic_load_explicit(&coarse, memory_order_relaxed)) {
        struct timespec time;
        unix_timespec(&time, left);
        int count = epoll_pwait2(set->fd, set->events, AT_ONCE, &time, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        atomic_store(&coarse, true);
    }
    uint64_t left_ms = (left + 999) / 1000;
    return epoll_wait(set->fd, set->events, AT_ONCE, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
}

static void wait(struct sos_kernel *face, sos *os, uint64_t until)
{
    struct unix_kernel *kernel = unix_of(face);
    if (!unix_begin_wait(kernel, os, &until))
        return;
    report_all(kernel, sleep_until(set_of(kernel), until));
    sos_unix_pace_slept_(&kernel->pace);
}

static uint32_t look(struct sos_kernel *face, sos *os, uint64_t now, uint64_t due)
{
    struct unix_kernel *kernel = unix_of(face);
    struct set *set = set_of(kernel);
    unix_begin_look(kernel, os, now);
    if (now - set->collected >= LOOK_US) {
        set->collected = now;
        report_all(kernel, epoll_wait(set->fd, set->events, AT_ONCE, 0));
    }
    return sos_unix_pace_grant_(&kernel->pace, now, due, LOOK_US);
}

/* ---- The back end */

static int poll_descriptor(struct sos_kernel *face)
{
    return set_of(unix_of(face))->fd;
}

static void close_set(struct unix_kernel *kernel)
{
    close(set_of(kernel)->fd);
    free(kernel->state);
}

static int open_set(struct unix_kernel *kernel)
{
    struct epoll_event bell = { .events = EPOLLIN | EPOLLET, .data.u64 = UINT64_MAX };
    struct set *set = malloc(sizeof *set);
    if (set == NULL)
        return SOS_ENOMEM;
    kernel->state = set;
    set->collected = 0;
    set->fd = epoll_create1(EPOLL_CLOEXEC);
    if (set->fd < 0 || epoll_ctl(set->fd, EPOLL_CTL_ADD, kernel->bell[0], &bell) != 0) {
        int status = sos_unix_error_(errno);
        if (set->fd >= 0)
            close(set->fd);
        free(set);
        return status;
    }
    kernel->face.wait = wait;
    kernel->face.look = look;
    kernel->face.watch = watch;
    kernel->face.poll_descriptor = poll_descriptor;
    return SOS_OK;
}

const struct unix_backend sos_unix_epoll_ = {
    .name = "epoll",
    .number = SOS_UNIX_EPOLL,
    .open = open_set,
    .close = close_set,
    .forget = forget,
};
