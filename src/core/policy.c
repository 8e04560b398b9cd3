/* SPDX-License-Identifier: MIT */
/* The policies that come with smallOS, beside strict priorities. */
#include "internal.h"

uint32_t sos_due_us(const sos_task *task)
{
    const struct sos_extras_ *extras = sos_extras_(task);
    return extras == NULL ? 0 : extras->due_us;
}

/* Tasks of a runtime with a policy always have extras. */
uint64_t *sos_policy_data(sos_task *task)
{
    return &sos_extras_at_(task)->policy_data;
}

/* ---- aging: the data of a task is the moment from which its wait for the next level counts */

static void place_fresh(sos *os, sos_task *task, enum sos_place why)
{
    uint64_t next = sos_now(os) + os->config.aging_us;
    *sos_policy_data(task) = next;
    if (next < os->aging_next)
        os->aging_next = next;
    sos_ready_put(os, task, sos_effective_priority(task), sos_to_front(why));
}

/* From the urgent levels down, so that a task rises one level at a time. */
static void raise_the_old(sos *os, uint64_t now)
{
    if (now < os->aging_next)
        return;
    uint64_t next = UINT64_MAX;
    for (int level = 2; (uint32_t)level < os->config.priority_levels; level++) {
        sos_task *task = sos_ready_first(os, level);
        while (task != NULL) {
            sos_task *after = sos_ready_next(os, task);
            uint64_t *rises = sos_policy_data(task);
            if (*rises <= now) {
                *rises += os->config.aging_us;
                sos_ready_take(os, task);
                sos_ready_put(os, task, level - 1, false);
            }
            if (*rises < next)
                next = *rises;
            task = after;
        }
    }
    os->aging_next = next;
}

const struct sos_policy sos_policy_aging = { .name = "aging",
                                             .place = place_fresh,
                                             .pass = raise_the_old };

/* ---- edf: the data of a task is the moment at which it is due; level 0 is above all priorities */

static void place_by_due(sos *os, sos_task *task, enum sos_place why)
{
    uint32_t due_us = sos_extras_at_(task)->due_us;
    if (due_us == 0) {
        sos_ready_put(os, task, sos_effective_priority(task), sos_to_front(why));
        return;
    }
    uint64_t *due = sos_policy_data(task);
    if (why == SOS_PLACE_FRONT || why == SOS_PLACE_BACK)
        *due = sos_now(os) + due_us;
    sos_task *other = sos_ready_first(os, 0);
    while (other != NULL && *sos_policy_data(other) <= *due)
        other = sos_ready_next(os, other);
    if (other != NULL)
        sos_ready_put_before(os, task, other);
    else
        sos_ready_put(os, task, 0, false);
}

const struct sos_policy sos_policy_edf = { .name = "edf", .place = place_by_due };
