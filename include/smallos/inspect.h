/* SPDX-License-Identifier: MIT */
/* Looking inside: what tasks do, what they cost, and reports of what went wrong. */
#ifndef SMALLOS_INSPECT_H
#define SMALLOS_INSPECT_H

#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One task as it stands. Strings live as long as the task and what it waits for. */
struct sos_task_info {
    sos_handle handle;
    const char *name;
    int priority;           /* as asked for */
    int effective_priority; /* raised by a mutex or by aging */
    enum sos_wait wait;     /* SOS_RUNNABLE, what it waits for, or SOS_ENDED */
    const char *object;     /* name of the queue, mutex, ... it waits for; "" if it has none */
    int32_t target;         /* pid joined, descriptor waited on, else -1 */
    uint32_t line;          /* source line at which its innermost function waits; 0: not begun */
    int32_t parent;         /* pid or -1 */
    uint32_t children;
    uint32_t signals; /* latched ones, bit n: signal n */
    int status;       /* ended: its result */
    bool watcher, running;
};

/* The task with handle `task`. 0 or SOS_ESTALE. */
int sos_inspect(const sos *os, sos_handle task, struct sos_task_info *info);

/* The task that has `pid` now, ended ones included; a negative pid in the answer: none has. */
sos_handle sos_find(const sos *os, int32_t pid);

/* Walks all tasks by pid: the first after `pid` (start with -1); a negative pid ends the walk. */
sos_handle sos_next_task(const sos *os, int32_t pid);

/* Walks the children of a task in the order in which they were added; start with pid -1. */
sos_handle sos_next_child(const sos *os, sos_handle parent, sos_handle child);

/* A word for people: "sleep", "signal", ... for what a task waits for. */
const char *sos_wait_name(enum sos_wait wait);

/* Tasks by kind: all that have not ended, and how many of them are watchers. */
struct sos_task_count {
    uint32_t tasks, watchers;
};
struct sos_task_count sos_count(const sos *os);

/* ---- Accounting, off by default and free when off. */

/* What a task has used since accounting was switched on; times in nanoseconds. */
struct sos_account {
    uint64_t steps;
    uint64_t waits; /* suspensions other than yields */
    uint64_t cpu_ns;
    uint64_t longest_step_ns;
    uint64_t longest_wakeup_ns; /* from runnable to running */
};

/* Switches accounting on (from zero) or off. 0; SOS_ENOMEM; SOS_EBUSY: off, from within a task. */
int sos_accounting(sos *os, bool on);

/* Of one task, or of an ended one whose record is there. SOS_ESTALE; SOS_EAGAIN: it is off. */
int sos_account_of(const sos *os, sos_handle task, struct sos_account *account);

/* Reports steps that take longer than `us` microseconds; 0: none. 0 or SOS_ETHREAD. */
int sos_step_limit(sos *os, uint32_t us);

/* ---- Reports */

enum sos_report_kind {
    SOS_REPORT_STUCK,     /* nothing can ever wake this task */
    SOS_REPORT_FAILED,    /* a task failed and nobody joined it */
    SOS_REPORT_LONG_STEP, /* a step took longer than sos_step_limit allows */
    SOS_REPORT_STARVED,   /* accounting is on: runnable for a second without running */
    SOS_REPORT_HELD_MUTEX, /* a task ended while it held a mutex, which was released */
    SOS_REPORT_INSECURE,   /* it uses TLS without checking who the other end is; told once */
    SOS_REPORT_CLEARTEXT   /* it sends a password or the like without TLS; told once a connection */
};

struct sos_report {
    enum sos_report_kind kind;
    struct sos_task_info task;
    uint64_t us; /* how long: steps and starvation */
};

/* May not call back into the runtime, except to inspect it. */
typedef void (*sos_reporter)(void *context, const struct sos_report *report);

/*
 * Writes a report as one line without line end, cut to `size` bytes including the final NUL.
 * Returns the length written.
 */
size_t sos_report_text(const struct sos_report *report, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
