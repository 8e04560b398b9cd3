/* SPDX-License-Identifier: MIT */
/*
 * Unwinding: the one way in which anything is cut short. Kill, deadline and the end of a scope
 * all put the task on the stack of dying tasks; one loop takes the top one a frame further, from
 * the innermost outwards, until it is at the bottom or at the deadline that has passed. What an
 * async_finally part kills on the way is put on top of that stack, so that nothing recurses.
 */
#include "internal.h"

struct sos_scope *sos_frame_scope_(sos_frame *frame)
{
    return (struct sos_scope *)(void *)((char *)frame + (size_t)frame->scope * 4);
}

bool sos_in_scope_(const sos_task *child, const struct sos_scope *scope)
{
    if (scope == NULL)
        return true;
    return child->lap != scope->first_lap ? child->lap > scope->first_lap
                                          : child->pid >= scope->first_pid;
}

/* In its own step: running, or in the async_finally part of a function that has returned. */
bool sos_in_own_step_(const sos_task *task)
{
    if (task->os->running == task)
        return true;
    return (task->link.flags & SOS_DYING_) == 0 && task->frame != NULL &&
           task->frame->resume == SOS_RESUME_UNWIND_;
}

static bool to_be_killed(const sos_task *child, const struct sos_scope *scope)
{
    return child->link.kind != SOS_ENDED && (child->link.flags & SOS_KILLED_) == 0 &&
           sos_in_scope_(child, scope);
}

/*
 * The next child that has not ended and has not been killed yet. The running task can only be
 * marked, so its own children come before it.
 */
static sos_task *child_to_kill(const sos_task *parent, const struct sos_scope *scope)
{
    sos_task *child = NULL, *grandchild = NULL;
    while ((child = sos_child_after_(parent, child)) != NULL) {
        if (!to_be_killed(child, scope))
            continue;
        if (!sos_in_own_step_(child))
            return child;
        while ((grandchild = sos_child_after_(child, grandchild)) != NULL)
            if (to_be_killed(grandchild, NULL))
                return grandchild;
        return child;
    }
    return NULL;
}

/* At the bottom, or at the deadline that has passed. */
static void end_unwinding(sos_task *task)
{
    sos *os = task->os;
    os->dying = task->link.next;
    task->link.flags &= (uint8_t)~SOS_DYING_;
    if (task->frame == NULL) {
        sos_task_end_(task);
        return;
    }
    sos_frame_pop_(task);
    task->link.order = os->pass - 1; /* a time-out is no result that beats a deadline */
    sos_ready_place_(os, task, SOS_PLACE_BACK);
}

/* Runs the async_finally part of the innermost frame. One that never began has none to run. */
static void finish_frame(sos_task *task, sos_frame *frame)
{
    if (frame->resume == 0 || frame->resume == SOS_RESUME_UNWIND_)
        return;
    frame->resume = SOS_RESUME_UNWIND_;
    if (frame->function(task, frame) != SOS_DONE_)
        sos_refuse_in_(task, frame); /* it awaited */
}

static void unwind_one_frame(sos_task *task)
{
    sos_frame *frame = task->frame;
    struct sos_scope *scope = NULL;
    sos_task *child = NULL;
    bool tree = (task->link.flags & SOS_TREE_) != 0;
    if (frame != NULL && frame->scope != 0)
        scope = sos_frame_scope_(frame);
    if (tree || scope != NULL)
        child = child_to_kill(task, tree ? NULL : scope);
    if (child != NULL) {
        sos_kill_task_(child, true);
        return;
    }
    if (scope != NULL) {
        task->os->scope_end(task, scope);
        frame->scope = 0;
    }
    if (frame == NULL ||
        ((frame->flags & SOS_EXPIRED_) != 0 && (task->link.flags & SOS_KILLED_) == 0)) {
        end_unwinding(task);
        return;
    }
    finish_frame(task, frame);
    sos_frame_pop_(task);
}

void sos_unwind_(sos_task *task)
{
    sos *os = task->os;
    task->link.status = (task->link.flags & SOS_KILLED_) != 0 ? SOS_ECANCELED : SOS_ETIMEDOUT;
    task->link.flags |= SOS_DYING_;
    task->link.next = os->dying;
    os->dying = &task->link;
    if (os->unwinding)
        return;
    os->unwinding = true;
    while (os->dying != NULL)
        unwind_one_frame(task_of_(os->dying));
    os->unwinding = false;
}

/* The step of a task that was killed while it ran is over. */
static void reap_killed(sos *os)
{
    sos_task *task = os->killed;
    os->running = NULL; /* what follows are async_finally parts: they may not await */
    os->attention.byte.killed = 0;
    os->killed = NULL;
    if (task == NULL)
        return;
    sos_unregister_(task);
    sos_unwind_(task);
}

void sos_kill_task_(sos_task *task, bool tree)
{
    sos *os = task->os;
    if (task->link.kind == SOS_ENDED)
        return;
    if (tree)
        task->link.flags |= SOS_TREE_;
    if ((task->link.flags & SOS_KILLED_) != 0)
        return;
    task->link.flags |= SOS_KILLED_;
    if (sos_in_own_step_(task)) {
        os->killed = task;
        os->reap_killed = reap_killed;
        os->attention.byte.killed = 1;
    } else if ((task->link.flags & SOS_DYING_) != 0) {
        task->link.status = SOS_ECANCELED; /* a deadline was at it: now it goes to the bottom */
    } else {
        sos_unregister_(task);
        sos_unwind_(task);
    }
}

/* Those that are older first; a task killed here may start new ones for ever: it may, but then they
 * are killed as well. */
void sos_kill_all_(sos *os)
{
    for (uint32_t pid = 0; os->live != 0; pid++) {
        if (pid == os->config.task_capacity)
            pid = 0;
        if (os->tasks[pid] != NULL)
            sos_kill_task_(os->tasks[pid], true);
    }
}

/* Before a watcher is added: what is left of them ends with the run. */
void sos_expect_watchers_(sos *os)
{
    if (os != NULL)
        __atomic_store_n(&os->kill_all, sos_kill_all_, __ATOMIC_RELAXED);
}

/* Takes effect in the next look. From anywhere. */
void sos_stop(sos *os)
{
    sos_expect_watchers_(os);
    __atomic_store_n(&os->stop, 1, __ATOMIC_RELEASE);
    sos_ring_(os);
}

int sos_kill(sos *os, sos_handle target)
{
    sos_task *task;
    int error = sos_target_(os, target, &task);
    if (error == 0)
        sos_kill_task_(task, false);
    return error;
}

int sos_kill_tree(sos *os, sos_handle target)
{
    sos_task *task, *child;
    int error = sos_target_(os, target, &task);
    if (error != 0)
        return error;
    /* Descendants of a running task end now; itself only when its step is over. */
    if (sos_in_own_step_(task))
        while ((child = child_to_kill(task, NULL)) != NULL)
            sos_kill_task_(child, true);
    sos_kill_task_(task, true);
    return SOS_OK;
}

/* ---- Scopes */

static void free_ended_children(sos_task *parent, const struct sos_scope *scope)
{
    sos_task *child = sos_child_after_(parent, NULL);
    while (child != NULL) {
        sos_task *next = sos_child_after_(parent, child);
        if (child->link.kind == SOS_ENDED && sos_in_scope_(child, scope))
            sos_record_free_(child);
        child = next;
    }
}

/* The scope's owner leaves it, in its own step or with its own call. */
static void end_scope(sos_task *parent, const struct sos_scope *scope)
{
    sos_task *child;
    while ((child = child_to_kill(parent, scope)) != NULL)
        sos_kill_task_(child, true);
    free_ended_children(parent, scope);
}

void sos_scope_open(sos_task *task, struct sos_scope *scope)
{
    sos_frame *frame = task->frame;
    size_t offset = (size_t)((char *)scope - (char *)frame);
    if (task->os->running != task || (char *)scope < (char *)frame ||
        offset + sizeof *scope > (size_t)frame->size * 4 || offset / 4 > UINT8_MAX ||
        frame->scope != 0)
        sos_trap_(task, "sos_scope_open: not a member of the calling frame, or open already", 0);
    frame->scope = (uint8_t)(offset / 4);
    task->os->scope_end = end_scope;
    scope->first_lap = task->os->lap;
    scope->first_pid = task->os->next_pid;
}

void sos_scope_clear(sos_task *task, struct sos_scope *scope)
{
    end_scope(task, scope);
}
