/* SPDX-License-Identifier: MIT */
/*
 * The porting contract: all that smallOS needs from a platform, in one struct of callbacks.
 * docs/porting.md walks through a port; ports/template is one that compiles and does nothing.
 *
 * "Runtime" below is the thread (or the main loop) that runs the runtime; "anywhere" is any
 * thread and any interrupt handler. Callbacks marked optional may be NULL.
 */
#ifndef SMALLOS_KERNEL_H
#define SMALLOS_KERNEL_H

#include "smallos/io.h"
#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Readiness of one descriptor, kept by the kernel, one for each; zeroed means nobody waits. */
struct sos_source {
    struct sos_link *readers, *writers; /* circular, the oldest first */
};

/* Beside SOS_READABLE and SOS_WRITABLE: for watch(), fd_read or fd_write has just said SOS_EAGAIN. */
enum { SOS_AFTER_EAGAIN = 4 };

/* Where console text goes. */
enum sos_channel { SOS_CHANNEL_OUTPUT, SOS_CHANNEL_SHELL, SOS_CHANNEL_REPORT };

struct sos_network;
struct sos_tls_engine;
struct sos_timer_bins_type;
struct sos_diagnostics_type;

struct sos_kernel {
    /* ---- Time */

    /* Microseconds since any start; never runs backwards, hides a counter's wrap. Runtime. */
    uint64_t (*now)(struct sos_kernel *kernel);

    /* Optional: nanoseconds on any scale, for accounting; NULL: now() is used. Runtime. */
    uint64_t (*fine_clock)(struct sos_kernel *kernel);

    /* ---- Waiting */

    /*
     * Nothing is runnable: sleep until the moment `until` (SOS_NEVER: no limit), an event, or
     * wake(), whichever comes first; return early is fine. Must not sleep when
     * sos_attention(os) is true: check that with interrupts masked or after arming the wake-up,
     * so that no post falls into a gap. Reports readiness through sos_source_ready. Runtime.
     */
    void (*wait)(struct sos_kernel *kernel, sos *os, uint64_t until);

    /*
     * Tasks are runnable: collect what has happened, without sleeping. `due` is when the next
     * timer is due. Returns after how many steps at the latest it wants to look again (1: after
     * every step); the doorbell brings the look forward. Optional: NULL when there is nothing to
     * collect; the clock is then looked at after every step. Runtime.
     */
    uint32_t (*look)(struct sos_kernel *kernel, sos *os, uint64_t now, uint64_t due);

    /* Optional: a word that becomes non-zero when look() has something to collect. */
    const volatile uint32_t *doorbell;

    /* Ends a wait() that is under way, or the next one. Anywhere. */
    void (*wake)(struct sos_kernel *kernel);

    /*
     * Optional, but needed where the CPU has no compare-and-swap: keep interrupts (and other
     * cores) out, and let them in again. May nest. Anywhere.
     */
    uintptr_t (*critical_enter)(struct sos_kernel *kernel);
    void (*critical_leave)(struct sos_kernel *kernel, uintptr_t state);

    /* Optional: an id of the calling thread, so that calls from a wrong one are refused. */
    uintptr_t (*thread)(struct sos_kernel *kernel);

    /* Optional: a descriptor that polls readable when wait() would return for an event. */
    int (*poll_descriptor)(struct sos_kernel *kernel);

    /* ---- Memory */

    /*
     * Takes (old NULL), gives back (size 0) memory aligned for any type; NULL: there is none.
     * Optional when the configuration brings all memory. `old_size` as it was taken. Runtime.
     */
    void *(*reallocate)(struct sos_kernel *kernel, void *old, size_t old_size, size_t size);

    /* ---- Console and platform */

    /* Optional: writes text, all of it or none. Returns bytes or an error. Runtime. */
    int (*write)(struct sos_kernel *kernel, enum sos_channel channel, const char *text,
                 size_t size);

    /* Optional: console input without waiting: bytes, 0 at its end, SOS_EAGAIN. Runtime. */
    int (*read)(struct sos_kernel *kernel, char *text, size_t size);

    /* Optional: seconds since 1970 in microseconds; 0: not known (yet). Runtime. */
    uint64_t (*wall_clock)(struct sos_kernel *kernel);

    /* Optional: fills `bytes` with randomness fit for keys. 0 or an error. Runtime. */
    int (*entropy)(struct sos_kernel *kernel, void *bytes, size_t size);

    /* A mistake in the program, told in `text`: must not return. Optional: NULL loops forever. */
    void (*panic)(struct sos_kernel *kernel, const char *text);

    /* Optional: called in every pass while the scheduler is healthy: feed the watchdog. */
    void (*feed_watchdog)(struct sos_kernel *kernel);

    /* ---- Descriptors: optional as a whole. All runtime. */

    /* The readiness record of a descriptor, at a fixed place until close(); NULL: bad one. */
    struct sos_source *(*source)(struct sos_kernel *kernel, int fd);

    /*
     * From now on tasks wait for `events` on fd. 1: ready already, 0: armed, or an error. Must be
     * right whatever was read before (level-triggered), but with SOS_AFTER_EAGAIN among the
     * events waiting for the next change is enough, which is often cheaper.
     */
    int (*watch)(struct sos_kernel *kernel, int fd, unsigned events);

    /* Without waiting: bytes, 0 at end of stream, SOS_EAGAIN or another error. */
    int (*fd_read)(struct sos_kernel *kernel, int fd, void *bytes, size_t size);
    int (*fd_write)(struct sos_kernel *kernel, int fd, const void *bytes, size_t size);

    /* Forgets and closes it. */
    int (*fd_close)(struct sos_kernel *kernel, int fd);

    /* Optional: sockets and names, see smallos/network.h. */
    const struct sos_network *network;

    /* Optional: TLS, see smallos/tls_engine.h; and what the engine keeps for all connections, which
     * its kernel_end gives back. `tls_told` is private to those who call it. */
    const struct sos_tls_engine *tls;
    void *tls_shared;
    bool tls_told;

    /*
     * Optional: &sos_diagnostics; NULL saves their flash: nothing is reported then, and a trap tells
     * no more than the function's name.
     */
    const struct sos_diagnostics_type *diagnostics;

    /* Optional: &sos_timer_bins where a hundred thousand timers are to be cheap (200 KB); not looked
     * at where pointers have 4 bytes. */
    const struct sos_timer_bins_type *timer_bins;

    /* With timer_bins: wait() is called until the next timer exactly. Else a sleep of a task, or a
     * deadline, may be met up to 1/1024 of its length late, at most 1/4 ms, so that timers near
     * each other share a wake-up; Linux treats a time-out of poll() so. Only when idle: timers that
     * are due at a look run in it. */
    bool exact_timers;
};

/* ---- What a kernel may call */

/* The kernel that a runtime was made with. */
struct sos_kernel *sos_kernel_of(const sos *os);

/* True: posts wait to be taken, so the kernel must not sleep. Anywhere. */
bool sos_attention(const sos *os);

/*
 * Wakes the tasks that wait for `events` on a source; with a negative `status` they get that
 * error. Returns the events that somebody still waits for. From look() and wait() only, or on the
 * runtime's thread.
 */
unsigned sos_source_ready(sos *os, struct sos_source *source, unsigned events, int status);

/* Hierarchical bins in front of the timer heap; for struct sos_kernel only. */
extern const struct sos_timer_bins_type sos_timer_bins;

/* Reports to sos_config.report or as text to the console, and traps in words; for struct sos_kernel
 * only. */
extern const struct sos_diagnostics_type sos_diagnostics;

#ifdef __cplusplus
}
#endif
#endif
