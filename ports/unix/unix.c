/* SPDX-License-Identifier: MIT */
/* The face of the unix kernel: creation, clocks, memory, console, entropy, errors. */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* ---- Creation */

static const struct sos_kernel face;

static int backend_named(const char *name, enum sos_unix_backend *number)
{
    static const char *const names[] = { "auto", "uring", "epoll", "poll" };
    for (unsigned index = 0; index < sizeof names / sizeof names[0]; index++)
        if (strcmp(name, names[index]) == 0) {
            *number = (enum sos_unix_backend)index;
            return SOS_OK;
        }
    return SOS_EINVAL;
}

/* Running out of something is told; that a back end is missing here only if it was asked for. */
static int open_backend(struct unix_kernel *kernel, enum sos_unix_backend wanted)
{
    for (const struct unix_backend *const *backend = sos_unix_backends_; *backend != NULL;
         backend++) {
        if (wanted != SOS_UNIX_AUTO && wanted != (*backend)->number)
            continue;
        kernel->face = face;
        int status = (*backend)->open(kernel);
        if (status == SOS_OK)
            kernel->backend = *backend;
        if (status == SOS_OK || status == SOS_ENOMEM || status == SOS_EMFILE)
            return status;
    }
    return SOS_ENOTSUP;
}

static int take_options(struct unix_kernel *kernel, const struct sos_unix_options *options)
{
    if (options == NULL)
        return SOS_OK;
    kernel->slack_us = options->timer_slack_us;
    kernel->dns_timeout_ms = options->dns_timeout_ms;
    kernel->dns_tries = options->dns_tries;
    if (options->dns_servers != NULL)
        kernel->dns_servers = strdup(options->dns_servers);
    return options->dns_servers != NULL && kernel->dns_servers == NULL ? SOS_ENOMEM : SOS_OK;
}

int sos_unix_kernel_create(struct sos_kernel **created, const struct sos_unix_options *options)
{
    const char *environment = getenv("SMALLOS_KERNEL");
    enum sos_unix_backend wanted = options != NULL ? options->backend : SOS_UNIX_AUTO;
    if (created == NULL)
        return SOS_EINVAL;
    *created = NULL;
    if (environment != NULL && environment[0] != '\0' &&
        backend_named(environment, &wanted) != SOS_OK)
        return SOS_EINVAL;
    if ((unsigned)wanted > SOS_UNIX_POLL)
        return SOS_EINVAL;
    struct unix_kernel *kernel = calloc(1, sizeof *kernel);
    if (kernel == NULL)
        return SOS_ENOMEM;
    int status = take_options(kernel, options);
    if (status == SOS_OK)
        status = sos_unix_bell_open_(kernel->bell);
    if (status == SOS_OK) {
        status = open_backend(kernel, wanted);
        if (status != SOS_OK)
            sos_unix_bell_close_(kernel->bell);
    }
    if (status != SOS_OK) {
        free(kernel->dns_servers);
        free(kernel);
        return status;
    }
    kernel->face.exact_timers = options != NULL && options->timer_slack_us != 0;
    *created = &kernel->face;
    return SOS_OK;
}

void sos_unix_kernel_destroy(struct sos_kernel *destroyed)
{
    struct unix_kernel *kernel = unix_of(destroyed);
    if (kernel == NULL)
        return;
    sos_unix_resolver_end_(kernel);
    sos_unix_signals_end_(kernel);
    kernel->backend->close(kernel);
    sos_unix_bell_close_(kernel->bell);
    sos_unix_fds_free_(kernel);
    free(kernel->dns_servers);
    sos_openssl.kernel_end(&kernel->face);
    free(kernel);
}

const char *sos_unix_backend(const struct sos_kernel *kernel)
{
    return ((const struct unix_kernel *)(const void *)kernel)->backend->name;
}

/* ---- Time */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec moment;
    clock_gettime(clock, &moment);
    return (uint64_t)moment.tv_sec * 1000000000u + (uint64_t)moment.tv_nsec;
}

uint64_t sos_unix_now_(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (uint64_t)moment.tv_sec * 1000000u + (uint32_t)moment.tv_nsec / 1000u;
}

static uint64_t now(struct sos_kernel *kernel)
{
    (void)kernel;
    return sos_unix_now_();
}

static uint64_t fine_clock(struct sos_kernel *kernel)
{
    (void)kernel;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t wall_clock(struct sos_kernel *kernel)
{
    (void)kernel;
    return clock_ns(CLOCK_REALTIME) / 1000;
}

/* ---- Waking, threads */

static void wake(struct sos_kernel *kernel)
{
    sos_unix_bell_ring_(unix_of(kernel)->bell);
}

/* Never given to a second thread, as a pthread_t is. */
uintptr_t sos_unix_thread_(void)
{
    static atomic_uintptr_t last;
    static _Thread_local uintptr_t number;
    if (number == 0)
        number = atomic_fetch_add(&last, 1) + 1;
    return number;
}

static uintptr_t thread(struct sos_kernel *kernel)
{
    (void)kernel;
    return sos_unix_thread_();
}

/* ---- Console, entropy, panic */

/* All of it, although the terminal may be slow or non-blocking by somebody else's doing. */
static int write_all(int fd, const char *text, size_t size)
{
    size_t done = 0;
    while (done < size) {
        int put = sos_unix_write_quietly_(fd, text + done, size - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (put == SOS_EAGAIN) {
            struct pollfd writable = { .fd = fd, .events = POLLOUT };
            poll(&writable, 1, -1);
        } else {
            return put;
        }
    }
    return (int)size;
}

static int console_write(struct sos_kernel *kernel, enum sos_channel channel, const char *text,
                         size_t size)
{
    (void)kernel;
    if (size > INT32_MAX)
        return SOS_EINVAL;
    return write_all(channel == SOS_CHANNEL_REPORT ? STDERR_FILENO : STDOUT_FILENO, text, size);
}

/* The terminal may be shared with other programs, so it is asked rather than made non-blocking. */
static int console_read(struct sos_kernel *kernel, char *text, size_t size)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    (void)kernel;
    if (poll(&input, 1, 0) <= 0)
        return SOS_EAGAIN;
    if ((input.revents & POLLNVAL) != 0)
        return 0;
    ssize_t got = read(STDIN_FILENO, text, size < INT32_MAX ? size : INT32_MAX);
    return got >= 0 ? (int)got : sos_unix_error_(errno);
}

static int entropy(struct sos_kernel *kernel, void *bytes, size_t size)
{
    enum { AT_ONCE = 256 }; /* the most getentropy() gives */
    unsigned char *at = bytes;
    (void)kernel;
    while (size != 0) {
        size_t part = size < AT_ONCE ? size : AT_ONCE;
        if (getentropy(at, part) != 0)
            return sos_unix_error_(errno);
        at += part;
        size -= part;
    }
    return SOS_OK;
}

static void panic(struct sos_kernel *kernel, const char *text)
{
    (void)kernel;
    write_all(STDERR_FILENO, text, strlen(text));
    write_all(STDERR_FILENO, "\n", 1);
    abort();
}

static const struct sos_kernel face = {
    .now = now,
    .fine_clock = fine_clock,
    .wake = wake,
    .thread = thread,
    .reallocate = sos_unix_reallocate_,
    .write = console_write,
    .read = console_read,
    .wall_clock = wall_clock,
    .entropy = entropy,
    .panic = panic,
    .source = sos_unix_source_,
    .fd_read = sos_unix_fd_read_,
    .fd_write = sos_unix_fd_write_,
    .fd_close = sos_unix_fd_close_,
    .network = &sos_unix_network_,
    .tls = &sos_openssl,
    .diagnostics = &sos_diagnostics,
    .timer_bins = &sos_timer_bins,
};

/* ---- Errors */

int sos_unix_error_(int number)
{
    static const struct {
        int number, error;
    } table[] = {
        { EAGAIN, SOS_EAGAIN },
        { EWOULDBLOCK, SOS_EAGAIN },
        { EINPROGRESS, SOS_EAGAIN },
        { EALREADY, SOS_EAGAIN },
        { EINTR, SOS_EAGAIN },
        { EINVAL, SOS_EINVAL },
        { ENOTCONN, SOS_EINVAL },
        { ENOMEM, SOS_ENOMEM },
        { ENOBUFS, SOS_ENOMEM },
        { EBADF, SOS_EBADF },
        { EPIPE, SOS_EPIPE },
        { ESHUTDOWN, SOS_EPIPE },
        { ECONNRESET, SOS_ECONNRESET },
        { ECONNABORTED, SOS_ECONNRESET },
        { ECONNREFUSED, SOS_ECONNREFUSED },
        { ETIMEDOUT, SOS_ETIMEDOUT },
        { ECANCELED, SOS_ECANCELED },
        { EBUSY, SOS_EBUSY },
        { ENOENT, SOS_ENOENT },
        { EADDRINUSE, SOS_EADDRINUSE },
        { EADDRNOTAVAIL, SOS_EUNREACH },
        { ENETUNREACH, SOS_EUNREACH },
        { EHOSTUNREACH, SOS_EUNREACH },
        { ENETDOWN, SOS_EUNREACH },
        { EMFILE, SOS_EMFILE },
        { ENFILE, SOS_EMFILE },
        { EACCES, SOS_EACCES },
        { EPERM, SOS_EACCES },
        { ENOSYS, SOS_ENOTSUP },
        { EOPNOTSUPP, SOS_ENOTSUP },
        { EAFNOSUPPORT, SOS_ENOTSUP },
        { EMSGSIZE, SOS_ELIMIT },
        { EPROTONOSUPPORT, SOS_ENOTSUP },
    };
    for (size_t index = 0; index < sizeof table / sizeof table[0]; index++)
        if (table[index].number == number)
            return table[index].error;
    return SOS_EIO;
}
