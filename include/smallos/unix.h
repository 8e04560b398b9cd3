/* SPDX-License-Identifier: MIT */
/*
 * The kernel for Linux and other Unix systems.
 *
 * Descriptors are file descriptors. One that a task has waited on, read or written through
 * smallOS must be closed with sos_fd_close (or handed back with sos_unix_forget): after a plain
 * close() the kernel may still hold the file, and its number may be given to another.
 *
 * A descriptor that has been waited on by sos_read is known to be empty until the next look says
 * otherwise: sos_try_read may answer SOS_EAGAIN for what arrived only since. Waiting never misses
 * it.
 */
#ifndef SMALLOS_UNIX_H
#define SMALLOS_UNIX_H

#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sos_kernel;
struct sos_mqtt_store;

/* How readiness is learnt. */
enum sos_unix_backend {
    SOS_UNIX_AUTO,  /* the first of the others that this system allows */
    SOS_UNIX_URING, /* Linux 6.1 and later: events are seen between two steps without a call */
    SOS_UNIX_EPOLL, /* Linux */
    SOS_UNIX_POLL   /* anywhere; a look costs time for every descriptor waited on */
};

/* Zero means default in every field. */
struct sos_unix_options {
    enum sos_unix_backend backend;
    uint32_t timer_slack_us; /* how late a sleeping runtime may wake up for a timer, so that timers
                                near each other share a wake-up; default: as late as the system
                                lets any sleep be, 50 on Linux, and 1/1024 of what the timer was
                                armed for, at most 1/4 ms */
    const char *dns_servers; /* "192.0.2.1,[2001:db8::1]:5353", copied; default: those of
                                   resolv.conf. The hosts file is asked before them */
    uint32_t dns_timeout_ms; /* of the first question to a server; later ones wait longer */
    uint32_t dns_tries;      /* how often each server is asked; both default as c-ares does */
};

/*
 * Makes a kernel; `options` may be NULL. The environment variable SMALLOS_KERNEL (uring, epoll or
 * poll) goes before the options. It may be made on one thread and used on another, but from the
 * first run on only that thread may run it, and that thread should destroy it.
 * 0; SOS_ENOTSUP: the back end asked for by name is forbidden or missing here; SOS_EINVAL: no such
 * back end; SOS_ENOMEM; SOS_EMFILE. On an error *kernel is NULL.
 */
int sos_unix_kernel_create(struct sos_kernel **kernel, const struct sos_unix_options *options);

/* Ends it, after the runtime that used it. Closes no descriptor but its own; POSIX signals that it
 * still received get their old disposition back. NULL is fine. */
void sos_unix_kernel_destroy(struct sos_kernel *kernel);

/* "uring", "epoll" or "poll": what it runs on. */
const char *sos_unix_backend(const struct sos_kernel *kernel);

/*
 * Stops watching a descriptor without closing it, so that it may be closed or used by others.
 * Nobody may be waiting on it. 0; SOS_EBUSY: somebody waits; SOS_EBADF: was never used. Runtime's
 * thread.
 */
int sos_unix_forget(struct sos_kernel *kernel, int fd);

/*
 * From now on the POSIX signal `posix_signal` (SIGINT, SIGTERM, ...) posts `signal` to `target`, a
 * task of `os` that was started with `.external`. Several runtimes may receive the same one, all
 * of them get it; in one runtime a second call replaces the target. Any thread.
 * Must be off before `os` is destroyed.
 * 0; SOS_EINVAL: a signal that cannot be caught or is raised by a fault, or `signal` is not 0 to
 * 31; SOS_ENOMEM: 64 registrations are in force.
 */
int sos_unix_signal(struct sos_kernel *kernel, sos *os, int posix_signal, sos_handle target,
                    int signal);

/*
 * Ends that; when it was the last registration of the POSIX signal, the disposition from before
 * the first one is restored. 0; SOS_EINVAL: was not on. Any thread, but not a signal handler.
 */
int sos_unix_signal_off(struct sos_kernel *kernel, int posix_signal);

/*
 * Opens a store for one MQTT client (smallos/mqtt.h) in the file `path`, which is made if need be, for
 * this user alone; `path`.new is used beside it at times. What was synced outlives kill -9 and a loss
 * of power; what was not is there or not, a torn end of the file is cut off. Reading and syncing take
 * as long as the disk takes and hold the whole thread up. Each call may come from any thread, one at a
 * time.
 * 0; SOS_EBUSY: another process has it open, or this one; SOS_ENOENT: no such folder; SOS_EACCES;
 * SOS_EMFILE; SOS_ENOMEM; SOS_EIO. On an error *store is zero.
 */
int sos_unix_mqtt_store_open(struct sos_mqtt_store *store, const char *path);

/* Syncs and closes it, after the client; *store is zero then. 0, or why the last records may not be
 * safe. A store that is zero is fine. */
int sos_unix_mqtt_store_close(struct sos_mqtt_store *store);

#ifdef __cplusplus
}
#endif
#endif
