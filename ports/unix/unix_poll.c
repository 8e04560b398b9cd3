/* SPDX-License-Identifier: MIT */
/*
 * The poll back end: for any Unix. The list handed to poll() holds the bell and every descriptor
 * on which somebody waits; one leaves it when its event has come.
 */
#include "unix_internal.h"

#include <stdlib.h>

struct list {
    struct pollfd *entries; /* [0] is the bell */
    size_t count, room;
    uint64_t last; /* when it was looked at */
};

enum { LOOK_US = 10, PER_LOOK = 2 /* descriptors for each microsecond between two looks */ };

static struct list *list_of(struct unix_kernel *kernel)
{
    return kernel->state;
}

/* ---- The list; entry->slot is the place in it, 0: none */

static bool append(struct list *list, int fd)
{
    if (list->count == list->room) {
        size_t room = list->room != 0 ? list->room * 2 : 16;
        struct pollfd *entries = realloc(list->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        list->entries = entries;
        list->room = room;
    }
    list->entries[list->count++] = (struct pollfd){ .fd = fd };
    return true;
}

static void remove_slot(struct unix_kernel *kernel, struct unix_fd *entry)
{
    struct list *list = list_of(kernel);
    struct pollfd *last = &list->entries[--list->count];
    if (entry->slot != list->count) {
        list->entries[entry->slot] = *last;
        unix_fd_find(kernel, last->fd)->slot = entry->slot;
    }
    entry->slot = 0;
}

static int watch(struct sos_kernel *face, int fd, unsigned events)
{
    struct unix_kernel *kernel = unix_of(face);
    struct list *list = list_of(kernel);
    struct unix_fd *entry = unix_fd_get(kernel, fd);
    if (entry == NULL)
        return SOS_EBADF;
    if (entry->kind == UNIX_FILE)
        return 1;
    if (entry->slot == 0) {
        if (!append(list, fd))
            return SOS_ENOMEM;
        entry->slot = (uint32_t)list->count - 1;
    }
    short *wanted = &list->entries[entry->slot].events;
    if ((events & SOS_READABLE) != 0)
        *wanted |= POLLIN;
    if ((events & SOS_WRITABLE) != 0)
        *wanted |= POLLOUT;
    return 0;
}

static void forget(struct unix_kernel *kernel, struct unix_fd *entry, int fd)
{
    (void)fd;
    if (entry->slot != 0)
        remove_slot(kernel, entry);
}

/* ---- Looking */

static void report(struct unix_kernel *kernel, struct pollfd *polled)
{
    struct unix_fd *entry = unix_fd_find(kernel, polled->fd);
    int status = (polled->revents & POLLNVAL) != 0 ? SOS_EBADF : SOS_OK;
    unsigned ready = status != SOS_OK ? SOS_READABLE | SOS_WRITABLE : 0u;
    if ((polled->revents & UNIX_READ_EVENTS) != 0)
        ready |= SOS_READABLE;
    if ((polled->revents & UNIX_WRITE_EVENTS) != 0)
        ready |= SOS_WRITABLE;
    unsigned left = sos_source_ready(kernel->os, &entry->source, ready, status);
    polled->revents = 0;
    polled->events = (short)(((left & SOS_READABLE) != 0 ? POLLIN : 0) |
                             ((left & SOS_WRITABLE) != 0 ? POLLOUT : 0));
    if (left == 0)
        remove_slot(kernel, entry);
}

static void collect(struct unix_kernel *kernel, uint64_t until)
{
    struct list *list = list_of(kernel);
    int ready = sos_unix_poll_until_(list->entries, list->count, until);
    if (ready > 0 && list->entries[0].revents != 0) {
        sos_unix_bell_clear_(kernel->bell);
        ready--;
    }
    for (size_t slot = 1; ready > 0 && slot < list->count;) {
        struct pollfd *polled = &list->entries[slot];
        int fd = polled->fd;
        if (polled->revents != 0) {
            report(kernel, polled);
            ready--;
        }
        if (slot < list->count && polled->fd == fd) /* else another has taken its place */
            slot++;
    }
}

static void wait(struct sos_kernel *face, sos *os, uint64_t until)
{
    struct unix_kernel *kernel = unix_of(face);
    if (!unix_begin_wait(kernel, os, &until))
        return;
    collect(kernel, until);
    sos_unix_pace_slept_(&kernel->pace);
}

static uint32_t look(struct sos_kernel *face, sos *os, uint64_t now, uint64_t due)
{
    struct unix_kernel *kernel = unix_of(face);
    struct list *list = list_of(kernel);
    unix_begin_look(kernel, os, now);
    if (list->count > 1 && now - list->last >= list->count / PER_LOOK) {
        list->last = now;
        collect(kernel, 0);
    }
    return sos_unix_pace_grant_(&kernel->pace, now, due, LOOK_US);
}

/* ---- The back end */

static void close_list(struct unix_kernel *kernel)
{
    free(list_of(kernel)->entries);
    free(kernel->state);
}

static int open_list(struct unix_kernel *kernel)
{
    struct list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return SOS_ENOMEM;
    kernel->state = list;
    if (!append(list, kernel->bell[0])) {
        close_list(kernel);
        return SOS_ENOMEM;
    }
    list->entries[0].events = POLLIN;
    kernel->face.wait = wait;
    kernel->face.look = look;
    kernel->face.watch = watch;
    return SOS_OK;
}

const struct unix_backend sos_unix_poll_ = {
    .name = "poll",
    .number = SOS_UNIX_POLL,
    .open = open_list,
    .close = close_list,
    .forget = forget,
};
