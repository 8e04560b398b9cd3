/* SPDX-License-Identifier: MIT */
/*
 * Objects that tasks wait for: their waiters stand most urgent first, then in the order in which
 * they began to wait. The order is kept when a waiter's level changes.
 */
#include "internal.h"

static bool later(const struct sos_link *a, const struct sos_link *b)
{
    return a->level != b->level ? a->level > b->level : (int32_t)(a->order - b->order) > 0;
}

void sos_waitable_sort_in_(struct sos_waitable *waitable, struct sos_link *link)
{
    struct sos_link *place = waitable->waiters; /* before which it goes: from the end forward */
    bool first = place == NULL;
    while (!first && later(place->prev, link)) {
        place = place->prev;
        first = place == waitable->waiters;
    }
    sos_list_append_(&place, link);
    if (first)
        waitable->waiters = link;
}

sos_op sos_waitable_wait_(sos_task *task, struct sos_waitable *waitable, enum sos_wait kind)
{
    sos_op op = sos_suspend_(task, kind, &waitable->waiters);
    task->link.order = task->os->arm_order++;
    sos_waitable_sort_in_(waitable, &task->link);
    return op;
}

sos_task *sos_waitable_take_first_(struct sos_waitable *waitable)
{
    sos_task *first = sos_waitable_first_(waitable);
    if (first != NULL)
        sos_list_remove_(&waitable->waiters, &first->link);
    return first;
}

void sos_waitable_end_waits_(struct sos_waitable *waitable, int status)
{
    if (waitable->waiters != NULL)
        sos_resume_all_(sos_waitable_first_(waitable)->os, &waitable->waiters, status);
}

sos_task *sos_waitable_first_(const struct sos_waitable *waitable)
{
    return task_or_null_(waitable->waiters);
}

void sos_set_level_(sos_task *task, int level)
{
    sos *os = task->os;
    struct sos_link *link = &task->link;
    unsigned kind = link->kind;
    bool dying = (link->flags & SOS_DYING_) != 0; /* in no queue */
    if (link->level == level)
        return;
    if (!dying && sos_is_runnable_(task) && !sos_in_batch_(os, task)) {
        sos_ready_remove_(os, task);
        link->level = (uint8_t)level;
        sos_ready_place_(os, task, sos_in_own_step_(task) ? SOS_PLACE_OVERTAKEN : SOS_PLACE_LEVEL);
        return;
    }
    link->level = (uint8_t)level;
    if (dying || kind < SOS_WAIT_QUEUE_PUT || kind > SOS_WAIT_EVENT)
        return;
    struct sos_waitable *waitable = sos_waitable_of_(link);
    sos_list_remove_(&waitable->waiters, link);
    sos_waitable_sort_in_(waitable, link);
    if (kind == SOS_WAIT_MUTEX)
        os->inheritance->waiter_changed(waitable);
}

int sos_effective_priority(const sos_task *task)
{
    const struct sos_inheritance_ *inheritance = task->os->inheritance;
    return inheritance == NULL ? task->link.priority : inheritance->level(task);
}

int sos_set_priority(sos *os, sos_handle target, int priority)
{
    sos_task *task;
    if (priority < 1 || (uint32_t)priority >= os->config.priority_levels)
        return SOS_EINVAL;
    int error = sos_target_(os, target, &task);
    if (error != 0)
        return error;
    task->link.priority = (uint8_t)priority;
    sos_set_level_(task, sos_effective_priority(task));
    return SOS_OK;
}
