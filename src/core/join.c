/* SPDX-License-Identifier: MIT */
/*
 * Joins: a task that waits for one other stands in that one's list of joiners itself; one that
 * waits for several stands there with a record for each, owned by the caller.
 */
#include "internal.h"

/* ---- Circles */

/* Tasks still to be looked at in a search are chained through a field that their wait leaves
 * free: a joiner of one stands in a list by next, a joiner of many counts in the other union. */
static sos_task *chained(const sos_task *waiter)
{
    return waiter->link.kind == SOS_WAIT_JOIN ? waiter->link.out : task_or_null_(waiter->link.next);
}

static void chain(sos_task *waiter, sos_task *next)
{
    if (waiter->link.kind == SOS_WAIT_JOIN)
        waiter->link.out = next;
    else
        waiter->link.next = next == NULL ? NULL : &next->link;
}

static sos_task *waiter_of(struct sos_link *link)
{
    return link->kind == SOS_RECORD_ ? CONTAINER_(link, struct sos_join, link)->waiter
                                     : task_of_(link);
}

/*
 * Does `target` wait, directly or over others, for `task`? Walks from `task` over those who wait
 * for it, which is nobody for most tasks. A wait for any of several does not count: another of
 * them can end it.
 */
static bool waits_for(const sos_task *target, const sos_task *task)
{
    sos *os = task->os;
    uint32_t mark = ++os->last_search == 0 ? ++os->last_search : os->last_search;
    sos_task *work = NULL;
    const sos_task *at = task;
    while (at != NULL) {
        struct sos_link *first = at->joiners, *link = first;
        while (link != NULL) {
            sos_task *waiter = waiter_of(link);
            if (waiter == target)
                return waiter->link.kind != SOS_WAIT_JOIN_ANY;
            if (waiter->link.order != mark && waiter->link.kind != SOS_WAIT_JOIN_ANY) {
                waiter->link.order = mark;
                chain(waiter, work);
                work = waiter;
            }
            link = link->next == first ? NULL : link->next;
        }
        at = work;
        if (work != NULL)
            work = chained(work);
    }
    return false;
}

static int check_target(const sos_task *task, const sos_task *target)
{
    if (target == NULL)
        return SOS_ESTALE;
    if (target == task)
        return SOS_EDEADLK;
    if (target->link.kind == SOS_ENDED || task->joiners == NULL)
        return SOS_OK;
    return waits_for(target, task) ? SOS_EDEADLK : SOS_OK;
}

/* ---- One */

HOT_INLINE_ sos_op wait_for(sos_task *task, sos_task *target)
{
    sos_suspend_(task, SOS_WAIT_JOIN, &target->joiners);
    task->link.order = 0;
    sos_list_append_(&target->joiners, &task->link);
    return (sos_op){ SOS_SUSPENDED_ };
}

static __attribute__((noinline)) sos_op join_with_care(sos_task *task, sos_task *target)
{
    int status = check_target(task, target);
    if (status != 0)
        return sos_complete_(task, status);
    if (target->link.kind != SOS_ENDED)
        return wait_for(task, target);
    status = target->status;
    target->link.flags |= SOS_REPORTED_;
    sos_record_free_(target);
    return sos_complete_(task, status);
}

/* Of one that runs, by one that nobody waits for: no circle can close. */
sos_op sos_join(sos_task *task, sos_handle handle)
{
    sos_check_running_(task);
    sos_task *target = sos_lookup_(task->os, handle);
    if (SOS_FAST_ && target != NULL && target != task && target->link.kind != SOS_ENDED &&
        task->joiners == NULL)
        return wait_for(task, target);
    return join_with_care(task, target);
}

/* They go to the front in the order in which they began to wait: the last one first. */
void sos_joiners_answer_(sos_task *task)
{
    struct sos_link *link;
    task->link.flags |= SOS_REPORTED_;
    while ((link = task->joiners) != NULL) {
        link = link->prev;
        sos_list_remove_(&task->joiners, link);
        if (UNLIKELY_(link->kind == SOS_RECORD_))
            task->os->joins->answer(link, task->status);
        else
            sos_resume_here_(task->os, task_of_(link), task->status, SOS_PLACE_FRONT);
    }
}

/* ---- Several */

static void take_record_out(sos *os, struct sos_join *join)
{
    if (join->link.kind != SOS_RECORD_)
        return;
    sos_list_remove_(&sos_lookup_(os, join->task)->joiners, &join->link);
    join->link.kind = 0;
}

static void unregister_several(sos_task *task)
{
    struct sos_join *joins = task->link.object;
    for (uint32_t index = 0; index < task->link.count[0]; index++)
        take_record_out(task->os, &joins[index]);
}

/* One of several has ended. Looks no further than at that one: joins of thousands stay cheap. */
static void answer_record(struct sos_link *record, int status)
{
    struct sos_join *join = CONTAINER_(record, struct sos_join, link);
    sos_task *waiter = join->waiter;
    bool any = waiter->link.kind == SOS_WAIT_JOIN_ANY;
    join->link.kind = 0;
    join->status = status;
    uint32_t pending = --waiter->link.count[1];
    if (!any && status >= 0 && pending != 0)
        return;
    struct sos_join *joins = waiter->link.object;
    int first = (int)(join - joins);
    for (int index = (int)waiter->link.count[0] - 1; index >= 0; index--) { /* named twice */
        if (joins[index].link.kind != SOS_RECORD_ || joins[index].task.pid != join->task.pid)
            continue;
        joins[index].status = status;
        first = index < first ? index : first;
    }
    int result = any ? first : (status < 0 ? status : SOS_OK);
    unregister_several(waiter);
    sos_resume_(waiter, result, SOS_PLACE_FRONT);
}

static const struct sos_joins_ several = { answer_record, unregister_several };

/* Results of those that have ended already. Returns how many still run. */
static uint32_t answer_ended(sos_task *task, struct sos_join *joins, uint32_t count)
{
    uint32_t pending = 0;
    for (uint32_t index = 0; index < count; index++) {
        sos_task *target = sos_lookup_(task->os, joins[index].task);
        joins[index].link.kind = 0;
        joins[index].waiter = task;
        if (target->link.kind == SOS_ENDED) {
            joins[index].status = target->status;
            target->link.flags |= SOS_REPORTED_;
        } else {
            joins[index].status = SOS_EAGAIN;
            pending++;
        }
    }
    for (uint32_t index = 0; index < count; index++) {
        sos_task *target = sos_lookup_(task->os, joins[index].task);
        if (target != NULL && target->link.kind == SOS_ENDED) /* named twice: gone already */
            sos_record_free_(target);
    }
    return pending;
}

/* What the wait ends in, given the results that are there; SOS_EAGAIN: it does not end yet. */
static int outcome(unsigned kind, const struct sos_join *joins, uint32_t count, uint32_t pending)
{
    for (uint32_t index = 0; index < count; index++) {
        int status = joins[index].status;
        if (status == SOS_EAGAIN)
            continue;
        if (kind == SOS_WAIT_JOIN_ANY)
            return (int)index;
        if (status < 0)
            return status;
    }
    return pending == 0 ? SOS_OK : SOS_EAGAIN;
}

static sos_op join_several(sos_task *task, struct sos_join *joins, size_t size, enum sos_wait kind)
{
    sos_check_running_(task);
    uint32_t count = (uint32_t)size;
    if (size > INT_MAX || (joins == NULL && count != 0) ||
        (kind == SOS_WAIT_JOIN_ANY && count == 0))
        return sos_complete_(task, SOS_EINVAL);
    for (uint32_t index = 0; index < count; index++) {
        int error = check_target(task, sos_lookup_(task->os, joins[index].task));
        if (error != 0)
            return sos_complete_(task, error);
    }
    uint32_t pending = answer_ended(task, joins, count);
    int status = outcome(kind, joins, count, pending);
    if (status != SOS_EAGAIN)
        return sos_complete_(task, status);
    sos_suspend_(task, kind, joins);
    task->os->joins = &several;
    task->link.order = 0;
    task->link.count[0] = count;
    task->link.count[1] = pending;
    for (uint32_t index = 0; index < count; index++)
        if (joins[index].status == SOS_EAGAIN) {
            joins[index].link.kind = SOS_RECORD_;
            sos_list_append_(&sos_lookup_(task->os, joins[index].task)->joiners,
                             &joins[index].link);
        }
    return (sos_op){ SOS_SUSPENDED_ };
}

sos_op sos_join_all(sos_task *task, struct sos_join *joins, size_t count)
{
    return join_several(task, joins, count, SOS_WAIT_JOIN_ALL);
}

sos_op sos_join_any(sos_task *task, struct sos_join *joins, size_t count)
{
    return join_several(task, joins, count, SOS_WAIT_JOIN_ANY);
}

/* ---- Scopes */

/* What the wait for a scope ends in; SOS_EAGAIN: *running children still run. */
static int scope_outcome(const sos_task *parent, const struct sos_scope *scope, uint32_t *running)
{
    sos_task *child = NULL;
    *running = 0;
    while ((child = sos_child_after_(parent, child)) != NULL) {
        if (!sos_in_scope_(child, scope))
            continue;
        if (child->link.kind != SOS_ENDED) {
            ++*running;
        } else if (child->status < 0 && (child->link.flags & SOS_REPORTED_) == 0) {
            child->link.flags |= SOS_REPORTED_;
            return child->status;
        }
    }
    return *running != 0 ? SOS_EAGAIN : SOS_OK;
}

/* Called before the child's record goes; the child may be of no scope or of an outer one. */
static void answer_scope(sos_task *parent, sos_task *child)
{
    if (!sos_in_scope_(child, parent->link.object))
        return;
    if (child->status < 0)
        child->link.flags |= SOS_REPORTED_;
    if (child->status >= 0 &&
        (--parent->link.count[0] != 0 ||
         scope_outcome(parent, parent->link.object, &parent->link.count[0]) == SOS_EAGAIN))
        return;
    sos_resume_(parent, child->status < 0 ? child->status : SOS_OK, SOS_PLACE_FRONT);
}

sos_op sos_scope_join(sos_task *task, struct sos_scope *scope)
{
    uint32_t running;
    sos_check_running_(task);
    int status = scope_outcome(task, scope, &running);
    if (status != SOS_EAGAIN)
        return sos_complete_(task, status);
    sos_suspend_(task, SOS_WAIT_SCOPE, scope);
    task->os->child_ended = answer_scope;
    task->link.count[0] = running;
    return (sos_op){ SOS_SUSPENDED_ };
}
