/* SPDX-License-Identifier: MIT */
/*
 * Suspending and resuming: the one mechanism under every wait. An operation that has to wait
 * takes its task out of the ready queue, notes what for, and puts its link where the waker will
 * find it; whoever ends the wait calls one of the resume functions, or sos_unregister_ when it is
 * cut short.
 */
#include "internal.h"

void sos_trap_(sos_task *task, const char *function, int line)
{
    struct sos_kernel *kernel = task->os->kernel;
    if (kernel->panic != NULL && kernel->diagnostics != NULL)
        kernel->diagnostics->trap(task, function, line);
    else if (kernel->panic != NULL)
        kernel->panic(kernel, function);
    for (;;)
        ;
}

/* An operation was started by somebody who may not wait: from outside, or in async_finally. */
void sos_refuse_(sos_task *task)
{
    sos_frame *frame = task->frame;
    if (frame != NULL && frame->resume == SOS_RESUME_UNWIND_)
        sos_refuse_in_(task, frame);
    sos_trap_(task, "await from outside of the task", 0);
}

sos_op sos_complete_(sos_task *task, int status)
{
    sos *os = task->os;
    task->link.status = status;
    bool overtaken = sos_ready_level_(os) < task->link.level;
    bool tired = ++os->streak > SOS_AWAITS_PER_STEP_;
    if (LIKELY_((overtaken | tired | os->attention.byte.killed) == 0))
        return (sos_op){ SOS_DONE_ };
    sos_ready_remove_(os, task);
    sos_ready_place_(os, task, tired ? SOS_PLACE_YIELD : SOS_PLACE_OVERTAKEN);
    sos_grant_(task, SOS_RESULT_ | SOS_KEPT_);
    return (sos_op){ SOS_SUSPENDED_ };
}

sos_op sos_complete(sos_task *task, int status)
{
    sos_check_running_(task);
    return sos_complete_(task, status);
}

sos_op sos_complete_got_(sos_task *task, int status, unsigned kind, void *object)
{
    sos_op op = sos_complete_(task, status);
    if (op.outcome_ == SOS_SUSPENDED_) {
        task->link.kind = (uint8_t)(kind | SOS_GRANTED_ | SOS_KEPT_);
        task->link.object = object;
    }
    return op;
}

static void end_grant(sos_task *task)
{
    sos *os = task->os;
    task->link.kind = SOS_RUNNABLE;
    if (--os->grants == 0)
        os->attention.byte.granted = 0;
}

/* A wait that was satisfied but not yet seen by its task is undone: nothing may be lost. */
static void give_back(sos_task *task)
{
    unsigned kind = task->link.kind & ~(unsigned)(SOS_GRANTED_ | SOS_KEPT_);
    end_grant(task);
    if (kind == SOS_WAIT_SIGNAL) {
        task->signals |= 1u << task->link.status;
    } else if (kind != SOS_RESULT_) {
        struct sos_waitable *waitable = sos_waitable_of_(&task->link);
        waitable->type->give_back(waitable, task);
    }
}

void sos_claim_(sos_task *task)
{
    unsigned kind = task->link.kind & ~(unsigned)(SOS_GRANTED_ | SOS_KEPT_);
    end_grant(task);
    if (kind == SOS_WAIT_QUEUE_GET) {
        struct sos_waitable *waitable = sos_waitable_of_(&task->link);
        waitable->type->claim(waitable, task);
    }
}

void sos_unregister_(sos_task *task)
{
    sos *os = task->os;
    struct sos_link *link = &task->link;
    unsigned kind = link->kind;
    if (sos_is_runnable_(task)) {
        if (sos_in_batch_(os, task))
            sos_list_remove_(&os->batch, link);
        else
            sos_ready_remove_(os, task);
        if (kind != SOS_RUNNABLE)
            give_back(task);
        return;
    }
    os->outside -= sos_outside_can_end_(link);
    if (sos_waits_in_list_(link))
        sos_list_remove_(link->object, link);
    else if (kind == SOS_WAIT_SLEEP)
        sos_timer_cancel_(os, link);
    else if (kind == SOS_WAIT_JOIN_ALL || kind == SOS_WAIT_JOIN_ANY)
        os->joins->unregister(task);
    link->kind = SOS_WAIT_SLEEP; /* runnable, but in no queue yet: levels may change below */
    if (kind == SOS_WAIT_MUTEX)
        os->inheritance->waiter_changed(sos_waitable_of_(link));
    link->kind = SOS_RUNNABLE;
}

void sos_resume_(sos_task *task, int status, enum sos_place why)
{
    sos_resume_here_(task->os, task, status, why);
}

/* From now until its next step a runnable task owns what it waited for. */
void sos_grant_(sos_task *task, unsigned kind)
{
    task->link.kind = (uint8_t)(kind | SOS_GRANTED_);
    task->os->grants++;
    task->os->attention.byte.granted = 1;
}

void sos_resume_granted_(sos_task *task, int status)
{
    unsigned kind = task->link.kind;
    sos_resume_(task, status, SOS_PLACE_FRONT);
    sos_grant_(task, kind);
}

/* They go to the front in the order in which they began to wait. */
uint32_t sos_resume_all_(sos *os, struct sos_link **list, int status)
{
    bool collecting = os->collecting;
    uint32_t count = 0;
    os->collecting = true;
    for (; *list != NULL; count++) {
        sos_task *task = task_of_(*list);
        sos_list_remove_(list, &task->link);
        sos_resume_(task, status, SOS_PLACE_FRONT);
    }
    if (!collecting)
        sos_batch_flush_(os);
    return count;
}

int sos_wake(sos *os, sos_handle target)
{
    sos_task *task;
    int error = sos_target_(os, target, &task);
    if (error != 0)
        return error;
    if (sos_is_runnable_(task))
        return SOS_EAGAIN;
    sos_unregister_(task);
    sos_resume_(task, SOS_EINTR, SOS_PLACE_FRONT);
    return SOS_OK;
}

/* ---- sleep */

sos_op sos_sleep(sos_task *task, int64_t us)
{
    sos_check_running_(task);
    if (us < 0)
        return sos_complete_(task, SOS_EINVAL);
    sos_op op = sos_suspend_(task, SOS_WAIT_SLEEP, NULL);
    sos_timer_arm_after_(task->os, &task->link, us);
    return op;
}
