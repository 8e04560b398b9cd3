/* SPDX-License-Identifier: MIT */
/* Descriptors: their table, and reading and writing without waiting. */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- The table */

/* Doubles, so that opening descriptors one by one costs no copying. */
static bool make_room(struct unix_fds *fds, size_t chunk)
{
    if (chunk >= fds->count) {
        size_t count = fds->count != 0 ? fds->count : 4;
        while (count <= chunk)
            count *= 2;
        struct unix_fd **chunks = realloc(fds->chunks, count * sizeof *chunks);
        if (chunks == NULL)
            return false;
        memset(chunks + fds->count, 0, (count - fds->count) * sizeof *chunks);
        fds->chunks = chunks;
        fds->count = count;
    }
    if (fds->chunks[chunk] == NULL)
        fds->chunks[chunk] = calloc(UNIX_CHUNK, sizeof **fds->chunks);
    return fds->chunks[chunk] != NULL;
}

static enum unix_kind kind_of(int fd)
{
    struct stat about;
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    int type = 0;
    if (fstat(fd, &about) != 0)
        return UNIX_UNKNOWN;
    if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) || S_ISBLK(about.st_mode))
        return UNIX_FILE;
    if (!S_ISSOCK(about.st_mode))
        return UNIX_OTHER;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0 || name.ss_family != AF_UNIX)
        return UNIX_SOCKET;
    size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
        return UNIX_SOCKET;
    return UNIX_LOCAL_STREAM;
}

struct unix_fd *sos_unix_fd_add_(struct unix_kernel *kernel, int fd)
{
    enum unix_kind kind = fd >= 0 ? kind_of(fd) : UNIX_UNKNOWN;
    if (kind == UNIX_UNKNOWN || !make_room(&kernel->fds, (unsigned)fd / UNIX_CHUNK))
        return NULL;
    struct unix_fd *entry =
        &kernel->fds.chunks[(unsigned)fd / UNIX_CHUNK][(unsigned)fd % UNIX_CHUNK];
    entry->used = true;
    entry->number = fd;
    entry->kind = (uint8_t)kind;
    return entry;
}

void sos_unix_fds_free_(struct unix_kernel *kernel)
{
    for (size_t chunk = 0; chunk < kernel->fds.count; chunk++)
        free(kernel->fds.chunks[chunk]);
    free(kernel->fds.chunks);
}

struct sos_source *sos_unix_source_(struct sos_kernel *kernel, int fd)
{
    struct unix_fd *entry = unix_fd_get(unix_of(kernel), fd);
    return entry != NULL ? &entry->source : NULL;
}

/* ---- Closing */

static int forget(struct unix_kernel *kernel, int fd)
{
    struct unix_fd *entry = unix_fd_find(kernel, fd);
    if (entry == NULL)
        return SOS_EBADF;
    if (entry->source.readers != NULL || entry->source.writers != NULL)
        return SOS_EBUSY;
    kernel->backend->forget(kernel, entry, fd);
    *entry = (struct unix_fd){ .generation = entry->generation + 1,
                               .guessed = entry->guessed,
                               .next_guess = entry->next_guess };
    return SOS_OK;
}

int sos_unix_forget(struct sos_kernel *kernel, int fd)
{
    return forget(unix_of(kernel), fd);
}

/* Also what is unknown is closed: it may have been written to only once. After EINTR it is closed
 * on Linux and most others, and closing it again might hit another thread's new descriptor. */
int sos_unix_fd_close_(struct sos_kernel *kernel, int fd)
{
    if (forget(unix_of(kernel), fd) == SOS_EBUSY)
        return SOS_EBUSY;
    return close(fd) == 0 || errno == EINTR ? SOS_OK : sos_unix_error_(errno);
}

/* ---- Reading */

/*
 * A local stream that gave less than there was room for is most likely drained, and to read again
 * to be told so a call wasted. It is not where a read ends early: at descriptors passed along, or
 * at urgent data. So it is a guess, checked before the runtime sleeps and from time to time; most
 * have been overtaken by the next event then. Over TCP the call hardly counts.
 */
static ssize_t read_local(struct unix_kernel *kernel, struct unix_fd *entry, int fd, void *bytes,
                          size_t size)
{
    ssize_t got = recv(fd, bytes, size, MSG_DONTWAIT);
    if (got > 0 && (size_t)got < size && entry->edge && !entry->ended) {
        entry->drained = true;
        if (!entry->guessed) {
            entry->guessed = true;
            entry->next_guess = kernel->guesses;
            kernel->guesses = entry;
        }
    }
    return got;
}

static ssize_t read_some(struct unix_kernel *kernel, struct unix_fd *entry, int fd, void *bytes,
                         size_t size)
{
    switch ((enum unix_kind)entry->kind) {
    case UNIX_LOCAL_STREAM:
        return read_local(kernel, entry, fd, bytes, size);
    case UNIX_SOCKET:
        return recv(fd, bytes, size, MSG_DONTWAIT);
    case UNIX_UNKNOWN:
    case UNIX_FILE:
    case UNIX_OTHER:
        break;
    }
    return read(fd, bytes, size);
}

int sos_unix_fd_read_(struct sos_kernel *kernel, int fd, void *bytes, size_t size)
{
    struct unix_fd *entry = unix_fd_get(unix_of(kernel), fd);
    if (entry == NULL)
        return SOS_EBADF;
    if (entry->drained)
        return SOS_EAGAIN;
    ssize_t got;
    do {
        got = read_some(unix_of(kernel), entry, fd, bytes, size < INT_MAX ? size : INT_MAX);
    } while (got < 0 && errno == EINTR);
    if (got >= 0)
        return (int)got;
    int error = sos_unix_error_(errno);
    if (error == SOS_EAGAIN)
        entry->drained = entry->edge && !entry->ended;
    return error;
}

/* ---- Guesses */

enum { GUESSES_AT_ONCE = 64 };

/* Where nobody waits the next read simply asks. */
static size_t take_guesses(struct unix_kernel *kernel, struct pollfd *list)
{
    size_t count = 0;
    while (kernel->guesses != NULL && count < GUESSES_AT_ONCE) {
        struct unix_fd *entry = kernel->guesses;
        kernel->guesses = entry->next_guess;
        entry->guessed = false;
        if (entry->drained && entry->source.readers != NULL)
            list[count++] = (struct pollfd){ .fd = entry->number, .events = POLLIN };
        else
            entry->drained = false;
    }
    return count;
}

bool sos_unix_guesses_check_(struct unix_kernel *kernel)
{
    struct pollfd list[GUESSES_AT_ONCE];
    bool woken = false;
    while (kernel->guesses != NULL) {
        size_t count = take_guesses(kernel, list);
        int wrong = count != 0 ? poll(list, (nfds_t)count, 0) : 0;
        for (size_t index = 0; wrong > 0 && index < count; index++) {
            if (list[index].revents == 0)
                continue;
            struct unix_fd *entry = unix_fd_find(kernel, list[index].fd);
            entry->drained = false;
            sos_source_ready(kernel->os, &entry->source, SOS_READABLE, SOS_OK);
            woken = true;
        }
    }
    return woken;
}

/* ---- Writing */

/*
 * A pipe that nobody reads raises SIGPIPE, which would end the program. The signal is for this
 * thread alone, so it can be kept off it and taken back; unless it was pending before.
 */
int sos_unix_write_quietly_(int fd, const void *bytes, size_t size)
{
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t put;
    do {
        put = write(fd, bytes, size < INT_MAX ? size : INT_MAX);
    } while (put < 0 && errno == EINTR);
    int number = errno;
    if (put < 0 && number == EPIPE && !sigismember(&pending, SIGPIPE)) {
        int taken;
        sigpending(&pending);
        if (sigismember(&pending, SIGPIPE))
            sigwait(&pipe_signal, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return put >= 0 ? (int)put : sos_unix_error_(number);
}

int sos_unix_fd_write_(struct sos_kernel *kernel, int fd, const void *bytes, size_t size)
{
    struct unix_fd *entry = unix_fd_get(unix_of(kernel), fd);
    if (entry == NULL)
        return SOS_EBADF;
    if (entry->kind != UNIX_SOCKET && entry->kind != UNIX_LOCAL_STREAM)
        return sos_unix_write_quietly_(fd, bytes, size);
    ssize_t put;
    do {
        put = send(fd, bytes, size < INT_MAX ? size : INT_MAX, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put >= 0 ? (int)put : sos_unix_error_(errno);
}
