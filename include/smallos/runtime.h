/* SPDX-License-Identifier: MIT */
/*
 * A runtime: made from a configuration and a kernel, given tasks, run. There are no globals:
 * several runtimes may live in one process, each on a thread of its own.
 */
#ifndef SMALLOS_RUNTIME_H
#define SMALLOS_RUNTIME_H

#include "smallos/inspect.h"
#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sos_kernel;
struct sos_policy;

/* In a field of struct sos_config whose zero means "default": really zero. */
#define SOS_NONE UINT32_MAX

/* Limits of the protocol clients; 0 means default, SOS_NONE unlimited (keep-alive: off). */
struct sos_client_defaults {
    struct {
        uint32_t max_buffer_size;
    } stream;
    struct {
        uint32_t max_response_size;
    } http;
    struct {
        uint32_t max_response_size, max_nesting_depth;
    } redis;
    struct {
        uint32_t keepalive, max_packet_size, max_queued_messages;
    } mqtt;
    struct {
        uint32_t max_event_size, max_line_size;
    } sse;
    struct {
        uint32_t max_frame_size, max_message_size, max_line_size;
    } websocket;
};

/* What a runtime is made from. Zero means default in every field. */
struct sos_config {
    uint32_t task_capacity;   /* tasks at a time, >= 1; default 1024 */
    uint32_t priority_levels; /* 2 to 256 (to 32 where pointers have 4 bytes); default 10: 1 to 9 */
    uint32_t io_buffer_length; /* messages of output kept; default 1024, SOS_NONE: none */

    /* What only a program can say, not a configuration file: */
    uint32_t aging_us; /* policy `aging`: wait after which a task rises; default 100,000 */
    uint32_t
        post_capacity;    /* signals posted and not yet taken; a power of two from 2; default 64 */
    uint32_t frame_chunk; /* bytes by which a task's frames grow; default 256 */
    const struct sos_policy *policy; /* NULL: strict priorities */
    void *memory; /* take all memory from here and never from the kernel; 8-aligned */
    size_t memory_size;
    sos_reporter report; /* where reports go; NULL: as text to the kernel's console */
    void *report_context;

    /* Again of a configuration file. The second part is for clients that are not told otherwise. */
    bool eternal_watchers; /* run on when only watchers are left */
    struct sos_client_defaults client_defaults;
};

/*
 * Makes a runtime. `config` may be NULL and is copied; `kernel` must outlive the runtime and
 * serves one runtime only. SOS_EINVAL: a field out of range or a kernel without a clock;
 * SOS_ENOMEM. On an error *os is NULL.
 */
int sos_create(sos **os, const struct sos_config *config, struct sos_kernel *kernel);

/* Kills what is left, with cleanup, and gives back all memory. NULL is fine. Not while running. */
void sos_destroy(sos *os);

/*
 * Runs until no task is left, or none but watchers (unless eternal_watchers), or sos_stop. Tasks
 * that were watchers are killed with their cleanup then. May be called again.
 * 0; SOS_ESTUCK: tasks are left that nothing can ever wake: each has been reported, and they are
 * still there; SOS_ECANCELED: stopped; SOS_EBUSY: it runs already.
 */
int sos_run(sos *os);

/*
 * One pass: wakes the sleepers whose time has come, collects ready I/O, runs the most urgent task
 * up to its next suspension. With nothing runnable it first waits up to `timeout_us` (0: not at
 * all). 1: something is runnable right now; 0: nothing is before sos_next_due() or an event;
 * SOS_ESTALE: no task (but watchers) is left; SOS_ESTUCK; SOS_EBUSY; SOS_ECANCELED: stopped.
 */
int sos_run_once(sos *os, int64_t timeout_us);

/* When the runtime next wants to run by itself: a moment of sos_now, SOS_NEVER, or 0: at once. */
uint64_t sos_next_due(sos *os);

/*
 * A descriptor that polls readable when an event (not a deadline) waits for sos_run_once.
 * SOS_ENOTSUP: the kernel has none.
 */
int sos_poll_descriptor(sos *os);

/*
 * Ends the run: every task is killed with its cleanup, then sos_run returns SOS_ECANCELED. From
 * anywhere: tasks, other threads, interrupt handlers.
 */
void sos_stop(sos *os);

/* The kernel's clock, read now; and the configuration in force, every default filled in. */
uint64_t sos_now(sos *os);
const struct sos_config *sos_configuration(sos *os);

/* Memory in tasks, frames and queues now, and what has been taken from the kernel for it. */
struct sos_memory_use {
    size_t used, reserved;
};
struct sos_memory_use sos_memory(const sos *os);

/*
 * Memory from the same place, aligned for anything, for objects that end before the runtime does.
 * NULL: there is none. Given back with the size it was taken with; NULL is fine.
 */
void *sos_memory_take(sos *os, size_t size);
void sos_memory_give(sos *os, void *memory, size_t size);

#ifdef __cplusplus
}
#endif
#endif
