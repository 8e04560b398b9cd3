/* SPDX-License-Identifier: MIT */
/* Ready queues: what of them is not in internal.h for speed, and what policies may do. */
#include "internal.h"

void sos_ready_mark_above_31_(sos *os, unsigned level, bool ready)
{
    uint32_t bit = sos_level_bit_(level);
    if (ready)
        os->ready_more[level / 32] |= bit;
    else
        os->ready_more[level / 32] &= ~bit;
}

void sos_ready_place_with_care_(sos *os, sos_task *task, enum sos_place why)
{
    if (os->task_ready != NULL)
        os->task_ready(task);
    if (os->policy != NULL && os->policy->place != NULL)
        os->policy->place(os, task, why);
    else
        sos_ready_insert_(os, task, sos_to_front(why));
}

unsigned sos_ready_level_above_31_(const sos *os)
{
    for (unsigned word = 1; word * 32 < os->config.priority_levels; word++)
        if (os->ready_more[word] != 0)
            return word * 32 + sos_first_level_(os->ready_more[word]);
    return SOS_LEVELS_MAX_;
}

/* ---- For policies */

void sos_ready_put(sos *os, sos_task *task, int level, bool front)
{
    int last = (int)os->config.priority_levels - 1;
    level = level < 0 ? 0 : level > last ? last : level;
    task->link.level = (uint8_t)level;
    sos_ready_insert_(os, task, front);
}

void sos_ready_put_before(sos *os, sos_task *task, sos_task *other)
{
    struct sos_link **queue = &os->ready[other->link.level];
    struct sos_link *place = &other->link;
    task->link.level = other->link.level;
    if (*queue == place) {
        sos_ready_insert_(os, task, true);
        return;
    }
    sos_list_append_(&place, &task->link); /* the end of the circle is right before its start */
}

void sos_ready_take(sos *os, sos_task *task)
{
    sos_ready_remove_(os, task);
}

sos_task *sos_ready_first(sos *os, int level)
{
    if (level < 0 || (uint32_t)level >= os->config.priority_levels)
        return NULL;
    return task_or_null_(os->ready[level]);
}

sos_task *sos_ready_next(sos *os, sos_task *task)
{
    struct sos_link *next = task->link.next;
    return next == os->ready[task->link.level] ? NULL : task_of_(next);
}
