/* SPDX-License-Identifier: MIT */
/*
 * Joins: a task that waits for one other stands in that one's list of joiners itself; one that
 * waits for several stands there with a record for each, owned by the caller.
 */
#include "internal.h"

/* ---- One */

/* Of a handle that a task wants to wait for: may it? A task that waits for one other leads to that
 * one; where somebody waits for several, the search goes the other way round. */
static int check_target(sos_task *task, const sos_task *target)
{
    if (target == NULL)
        return SOS_ESTALE;
    const sos_task *at = target;
    while (at->link.kind == SOS_WAIT_JOIN)
        at = CONTAINER_(at->link.object, sos_task, joiners);
    if (at == task ||
        (at->link.kind == SOS_WAIT_JOIN_ALL && task->os->joins->wait_for(task, target)))
        return SOS_EDEADLK;
    return SOS_OK;
}

HOT_INLINE_ sos_op wait_for_end(sos_task *task, sos_task *target)
{
    task->link.out = NULL;
    return sos_suspend_in_(task, SOS_WAIT_JOIN, &target->joiners);
}

APART_ sos_op join_with_care(sos_task *task, sos_task *target)
{
    int status = check_target(task, target);
    if (status != 0)
        return sos_complete_(task, status);
    if (target->link.kind != SOS_ENDED)
        return wait_for_end(task, target);
    status = target->link.status;
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
        return wait_for_end(task, target);
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
            task->os->joins->answer(task, link);
        else if (SOS_FAST_)
            sos_resume_here_(task->os, task_of_(link), task->link.status, SOS_PLACE_FRONT);
        else
            sos_resume_(task_of_(link), task->link.status, SOS_PLACE_FRONT);
    }
}

/* ---- Several: the waiter's `object` is the first record, the counts of which say how many there
 * are, and how many of their targets still run. A record's `object` is the list it stands in. */

static sos_task *waiter_of(struct sos_link *link)
{
    return link->kind == SOS_RECORD_ ? CONTAINER_(link, struct sos_join, link)->waiter
                                     : task_of_(link);
}

/*
 * Do those who wait for `task`, directly or over others, include `target`? They are gathered in a
 * circle through a field that their waits leave free. A wait for any of several does not count:
 * another of them can end it.
 */
static bool wait_for(sos_task *task, const sos_task *target)
{
    sos_task *at = task, *last = task;
    bool found = false;
    task->link.out = task;
    do {
        struct sos_link *first = at->joiners, *link = first;
        while (link != NULL) {
            sos_task *waiter = waiter_of(link);
            if (waiter->link.kind != SOS_WAIT_JOIN_ANY && waiter->link.out == NULL) {
                found |= waiter == target;
                waiter->link.out = task;
                last->link.out = waiter;
                last = waiter;
            }
            link = link->next == first ? NULL : link->next;
        }
        at = at->link.out;
    } while (at != task);
    do {
        sos_task *next = at->link.out;
        at->link.out = NULL;
        at = next;
    } while (at != task);
    return found;
}

static void unregister_several(sos_task *task)
{
    struct sos_join *join = task->link.object;
    for (uint32_t left = join->link.count[0]; left != 0; left--, join++)
        if (join->link.kind == SOS_RECORD_) {
            sos_list_remove_(join->link.object, &join->link);
            join->link.kind = 0;
        }
}

/* What the wait ends in, given the results that are there; SOS_EAGAIN: it does not end yet. */
static int outcome(const sos_task *task, unsigned kind)
{
    const struct sos_join *joins = task->link.object;
    for (uint32_t index = 0; index < joins->link.count[0]; index++) {
        if (joins[index].link.kind == SOS_RECORD_)
            continue;
        if (kind == SOS_WAIT_JOIN_ANY)
            return (int)index;
        if (joins[index].status < 0)
            return joins[index].status;
    }
    return joins->link.count[1] == 0 ? SOS_OK : SOS_EAGAIN;
}

/* One of several has ended. Looks no further than at that one: joins of thousands stay cheap. */
static void answer_record(sos_task *target, struct sos_link *record)
{
    struct sos_join *join = CONTAINER_(record, struct sos_join, link);
    sos_task *waiter = join->waiter;
    unsigned kind = waiter->link.kind;
    struct sos_join *joins = waiter->link.object;
    record->kind = 0;
    join->status = target->link.status;
    uint32_t pending = --joins->link.count[1];
    if (kind == SOS_RUNNABLE || /* it has only begun to wait */
        (kind == SOS_WAIT_JOIN_ALL && join->status >= 0 && pending != 0) ||
        (target->joiners != NULL && waiter_of(target->joiners->prev) == waiter)) /* named twice */
        return;
    int status = outcome(waiter, kind);
    unregister_several(waiter);
    sos_resume_(waiter, status, SOS_PLACE_FRONT);
}

static const struct sos_joins_ several = { answer_record, unregister_several, wait_for };

static sos_op join_several(sos_task *task, struct sos_join *joins, size_t size, enum sos_wait kind)
{
    sos *os = task->os;
    sos_check_running_(task);
    if (size == 0 && kind == SOS_WAIT_JOIN_ALL)
        return sos_complete_(task, SOS_OK);
    if (size == 0 || size > INT_MAX || joins == NULL)
        return sos_complete_(task, SOS_EINVAL);
    struct sos_join *end = joins + size;
    for (struct sos_join *join = joins; join != end; join++) {
        sos_task *target = sos_lookup_(os, join->task);
        int error = check_target(task, target);
        if (error != 0)
            return sos_complete_(task, error);
        join->link.object = &target->joiners;
    }
    os->joins = &several;
    task->link.object = joins;
    joins->link.count[0] = joins->link.count[1] = (uint32_t)size;
    for (struct sos_join *join = joins; join != end; join++) {
        join->waiter = task;
        join->status = SOS_EAGAIN;
        join->link.kind = SOS_RECORD_;
        sos_list_append_(join->link.object, &join->link);
    }
    for (struct sos_join *join = joins; join != end; join++) {
        sos_task *target = CONTAINER_(join->link.object, sos_task, joiners);
        if (target->link.kind != SOS_ENDED)
            continue;
        target->link.flags |= SOS_REPORTED_;
        sos_list_remove_(&target->joiners, &join->link);
        answer_record(target, &join->link);
        if (target->joiners == NULL) /* else it is named twice */
            sos_record_free_(target);
    }
    int status = outcome(task, kind);
    if (status != SOS_EAGAIN) {
        unregister_several(task);
        return sos_complete_(task, status);
    }
    task->link.out = NULL;
    return sos_suspend_(task, kind, joins);
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
        } else if (child->link.status < 0 && (child->link.flags & SOS_REPORTED_) == 0) {
            child->link.flags |= SOS_REPORTED_;
            return child->link.status;
        }
    }
    return *running != 0 ? SOS_EAGAIN : SOS_OK;
}

/* Called before the child's record goes; the child may be of no scope or of an outer one. */
static void answer_scope(sos_task *child)
{
    sos_task *parent = sos_parent_(child);
    if (parent == NULL || parent->link.kind != SOS_WAIT_SCOPE ||
        !sos_in_scope_(child, parent->link.object))
        return;
    if (child->link.status < 0)
        child->link.flags |= SOS_REPORTED_;
    if (child->link.status >= 0 &&
        (--parent->link.count[0] != 0 ||
         scope_outcome(parent, parent->link.object, &parent->link.count[0]) == SOS_EAGAIN))
        return;
    sos_resume_(parent, child->link.status < 0 ? child->link.status : SOS_OK, SOS_PLACE_FRONT);
}

sos_op sos_scope_join(sos_task *task, struct sos_scope *scope)
{
    uint32_t running;
    sos_check_running_(task);
    int status = scope_outcome(task, scope, &running);
    if (status != SOS_EAGAIN)
        return sos_complete_(task, status);
    task->os->child_ended = answer_scope;
    task->link.count[0] = running;
    return sos_suspend_(task, SOS_WAIT_SCOPE, scope);
}
