/* SPDX-License-Identifier: MIT */
/*
 * Scheduling policies. The runtime keeps one FIFO queue for each level and runs the front task of
 * the lowest level that has one. A policy decides on which level and where in its queue a task
 * becomes runnable, may move tasks at every pass, and may overrule the pick. Without a policy
 * (`strict`) the level is the task's priority.
 */
#ifndef SMALLOS_POLICY_H
#define SMALLOS_POLICY_H

#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why a task is put into a queue, and with it where `strict` puts it. */
enum sos_place {
    SOS_PLACE_BACK = 0,      /* it is new, or its sleep has ended, or its deadline has passed */
    SOS_PLACE_FRONT = 1,     /* an event woke it */
    SOS_PLACE_YIELD = 2,     /* it was running and lets its equals run: back */
    SOS_PLACE_OVERTAKEN = 3, /* it was running and a more urgent task became runnable: front */
    SOS_PLACE_LEVEL = 4      /* its priority has changed: back */
};

static inline bool sos_to_front(enum sos_place why)
{
    return ((unsigned)why & 1u) != 0;
}

struct sos_policy {
    const char *name;

    /* `task` is runnable now: put it into a queue with sos_ready_put or sos_ready_put_before. */
    void (*place)(sos *os, sos_task *task, enum sos_place why);

    /* Optional: called in every pass in which the clock is read, `now` in microseconds. */
    void (*pass)(sos *os, uint64_t now);

    /* Optional: which runnable task to run next, NULL for the usual one. */
    sos_task *(*pick)(sos *os);
};

/* A runnable task rises one level each time it has waited `aging_us`; running brings it back. */
extern const struct sos_policy sos_policy_aging;

/* Earliest deadline first: `due_us` after its wake-up a task wants the CPU; ties by arrival. Tasks
 * without one come after all that have one, by priority. */
extern const struct sos_policy sos_policy_edf;

/* For place(): puts a task at the front or back of the queue of `level` (0, above all priorities,
 * to levels - 1), or right before another runnable task, in its queue. */
void sos_ready_put(sos *os, sos_task *task, int level, bool front);
void sos_ready_put_before(sos *os, sos_task *task, sos_task *other);

/* For pass(): takes a runnable task out of its queue, to be put back at once. */
void sos_ready_take(sos *os, sos_task *task);

/* The queue of a level: its first task, and the one after another; NULL at the end. */
sos_task *sos_ready_first(sos *os, int level);
sos_task *sos_ready_next(sos *os, sos_task *task);

/* Priority that counts: its own, or that of a more urgent task that waits for its mutex. */
int sos_effective_priority(const sos_task *task);

/* due_us of the task's options; 0: none. */
uint32_t sos_due_us(const sos_task *task);

/* Eight bytes for the policy's use that stay with a runnable task. */
uint64_t *sos_policy_data(sos_task *task);

#ifdef __cplusplus
}
#endif
#endif
