/* SPDX-License-Identifier: MIT */
/*
 * What the files of the unix kernel share. Which of them are compiled is chosen by the build:
 * unix*.c everywhere, linux*.c on Linux, posix*.c elsewhere.
 */
#ifndef SMALLOS_UNIX_INTERNAL_H
#define SMALLOS_UNIX_INTERNAL_H

#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "smallos/kernel.h"
#include "smallos/network.h"
#include "smallos/tls_engine.h"
#include "smallos/unix.h"

/* What a descriptor is, as far as reading and writing differ. */
enum unix_kind {
    UNIX_UNKNOWN,
    UNIX_FILE,  /* regular file, directory, block device: always ready, cannot be watched */
    UNIX_OTHER, /* pipe, terminal, device */
    UNIX_SOCKET,
    UNIX_LOCAL_STREAM /* AF_UNIX stream socket */
};

/*
 * One descriptor. `edge` is set by the back end while every change to readable is reported to it
 * by itself; only then may `drained` be set, which answers reads without a call until the next
 * such report. `ended` says that no further change may come: end of stream, hang-up, error.
 * `guessed` puts it on the list of those of which `drained` is not certain yet.
 */
struct unix_fd {
    struct sos_source source;
    struct unix_fd *next_guess;
    int number;
    uint32_t generation; /* counts closes, so that late events are told from those of a new user */
    uint8_t kind;        /* enum unix_kind */
    bool used, edge, drained, ended, guessed;
    uint8_t armed; /* the rest is the back end's own */
    uint16_t turn[2];
    uint32_t slot;
};

enum { UNIX_CHUNK = 64 };

/* Chunks never move: the core holds pointers to the sources in them. */
struct unix_fds {
    struct unix_fd **chunks;
    size_t count; /* of chunks */
};

/* How long steps are, learnt from looks, to say when the next look is due. */
struct unix_pace {
    uint64_t last;    /* when the last look was; 0: none since the kernel slept */
    uint32_t granted; /* steps */
    uint32_t step_ns; /* a cautious guess: rises at once, falls slowly */
};

struct unix_kernel {
    struct sos_kernel face; /* first: a kernel is its face */
    const struct unix_backend *backend;
    void *state; /* the back end's */
    sos *os;     /* as of the last look or wait */
    int bell[2]; /* ends a wait: written to and read from, the same descriptor or not */
    struct unix_fds fds;
    struct unix_fd *guesses;
    uint64_t guesses_checked; /* when that was */
    struct unix_pace pace;
    uint32_t slack_us;          /* added to the moment of a wait; the system's own comes on top */
    atomic_uint signals_missed; /* POSIX signals that found the runtime's queue full */
    struct unix_resolver *resolver; /* NULL: no name has been looked up yet */
    char *dns_servers;              /* NULL: those of the system */
    uint32_t dns_timeout_ms, dns_tries;
};

/* A back end's open() also fills in wait, look, watch and, if it can, doorbell and
 * poll_descriptor of the face. */
struct unix_backend {
    const char *name;
    enum sos_unix_backend number;
    int (*open)(struct unix_kernel *kernel); /* 0 or an error, then nothing is left */
    void (*close)(struct unix_kernel *kernel);
    void (*forget)(struct unix_kernel *kernel, struct unix_fd *entry,
                   int fd); /* before it closes */
};

extern const struct unix_backend sos_unix_poll_, sos_unix_epoll_, sos_unix_uring_;

/* ---- linux.c or posix.c */

/* The back ends there are, the best first, ended by NULL. */
extern const struct unix_backend *const sos_unix_backends_[];

int sos_unix_bell_open_(int bell[2]);
void sos_unix_bell_ring_(const int bell[2]);
void sos_unix_bell_clear_(const int bell[2]);
void sos_unix_bell_close_(const int bell[2]);

void *sos_unix_reallocate_(struct sos_kernel *kernel, void *old, size_t old_size, size_t size);

/* poll() until a moment of the kernel's clock. */
int sos_unix_poll_until_(struct pollfd *list, size_t count, uint64_t until);

/* ---- unix.c */
int sos_unix_error_(int number);
uint64_t sos_unix_now_(void);
uintptr_t sos_unix_thread_(void);

/* ---- unix_fd.c */
struct unix_fd *sos_unix_fd_add_(struct unix_kernel *kernel, int fd);
void sos_unix_fds_free_(struct unix_kernel *kernel);
struct sos_source *sos_unix_source_(struct sos_kernel *kernel, int fd);
int sos_unix_fd_read_(struct sos_kernel *kernel, int fd, void *bytes, size_t size);
int sos_unix_fd_write_(struct sos_kernel *kernel, int fd, const void *bytes, size_t size);
int sos_unix_fd_close_(struct sos_kernel *kernel, int fd);
bool sos_unix_guesses_check_(struct unix_kernel *kernel);            /* true: somebody was woken */
int sos_unix_write_quietly_(int fd, const void *bytes, size_t size); /* no SIGPIPE */

/* Readiness in terms of poll(), which epoll and io_uring share; counts what ends a stream. */
enum {
    UNIX_READ_EVENTS = POLLIN | POLLHUP | POLLERR,
    UNIX_WRITE_EVENTS = POLLOUT | POLLHUP | POLLERR
};

/* ---- unix_network.c */
extern const struct sos_network sos_unix_network_;

/* ---- unix_resolve.c */
sos_op sos_unix_resolve_(sos_task *task, const char *name, struct sos_address *list, size_t room);
void sos_unix_resolver_end_(struct unix_kernel *kernel);

/* ---- unix_address.c */
union unix_name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
};

socklen_t sos_unix_to_name_(const struct sos_address *address, union unix_name *name); /* 0: none */
void sos_unix_from_name_(const union unix_name *name, struct sos_address *address);
int sos_unix_socket_prepare_(int fd); /* non-blocking, not inherited; closed on an error */

/* ---- unix_pace.c */
uint32_t sos_unix_pace_grant_(struct unix_pace *pace, uint64_t now, uint64_t due, uint32_t room_us);
void sos_unix_pace_slept_(struct unix_pace *pace);

/* ---- unix_signal.c */
void sos_unix_signals_retry_(struct unix_kernel *kernel);
void sos_unix_signals_end_(struct unix_kernel *kernel);

static inline struct unix_kernel *unix_of(struct sos_kernel *kernel)
{
    return (struct unix_kernel *)(void *)kernel;
}

/* NULL: was never used. */
static inline struct unix_fd *unix_fd_find(const struct unix_kernel *kernel, int fd)
{
    size_t chunk = (unsigned)fd / UNIX_CHUNK;
    if (chunk >= kernel->fds.count || kernel->fds.chunks[chunk] == NULL)
        return NULL;
    struct unix_fd *entry = &kernel->fds.chunks[chunk][(unsigned)fd % UNIX_CHUNK];
    return entry->used ? entry : NULL;
}

/* NULL: no such descriptor, or no memory. */
static inline struct unix_fd *unix_fd_get(struct unix_kernel *kernel, int fd)
{
    struct unix_fd *entry = unix_fd_find(kernel, fd);
    return entry != NULL ? entry : sos_unix_fd_add_(kernel, fd);
}

/* What every wait begins with. False: there is no reason to wait. */
static inline bool unix_begin_wait(struct unix_kernel *kernel, sos *os, uint64_t *until)
{
    kernel->os = os;
    if (*until < SOS_NEVER - kernel->slack_us)
        *until += kernel->slack_us;
    if (atomic_load_explicit(&kernel->signals_missed, memory_order_relaxed) != 0)
        sos_unix_signals_retry_(kernel);
    return kernel->guesses == NULL || !sos_unix_guesses_check_(kernel);
}

/* What every look begins with. */
static inline void unix_begin_look(struct unix_kernel *kernel, sos *os, uint64_t now)
{
    enum { GUESSES_US = 500 };
    kernel->os = os;
    if (atomic_load_explicit(&kernel->signals_missed, memory_order_relaxed) != 0)
        sos_unix_signals_retry_(kernel);
    if (kernel->guesses != NULL && now - kernel->guesses_checked >= GUESSES_US) {
        kernel->guesses_checked = now;
        sos_unix_guesses_check_(kernel);
    }
}

/* The kernel's clock can wait until this moment, given in microseconds, also if it is "never". */
static inline void unix_timespec(struct timespec *moment, uint64_t us)
{
    uint64_t seconds = us / 1000000;
    uint64_t most = (uint64_t)INT32_MAX;
    moment->tv_sec = (time_t)(seconds < most ? seconds : most);
    moment->tv_nsec = (long)(us % 1000000) * 1000;
}

#endif
