/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: a frame of the core's own, below the operation it limits. When the operation ends in
 * time the frame is simply returned through; when the moment comes first, the task is unwound
 * down to it.
 */
#include "internal.h"

struct deadline {
    sos_frame frame;
    sos_task *task;
    uint32_t passed; /* the pass in which a result beat it; 0: none has */
    struct sos_link link;
};

static int deadline(sos_task *task, void *memory)
{
    struct deadline *self = memory;
    if (self->link.kind == SOS_DEADLINE_)
        sos_timer_cancel_(task->os, &self->link);
    else if (self->link.kind == SOS_EXPIRED_LINK_)
        sos_list_remove_(&task->os->expired, &self->link);
    self->link.kind = 0;
    self->frame.resume = SOS_RESUME_UNWIND_; /* the status of the operation goes through */
    return SOS_DONE_;
}

/*
 * A result that came in the same pass goes first, however long the task has to wait for its turn
 * then: until its step begins, which a grant tells, the deadline is looked at again and again.
 */
static bool beaten(struct deadline *self)
{
    sos_task *task = self->task;
    if (!sos_is_runnable_(task))
        return false;
    if (task->link.order == task->os->pass) {
        self->passed = task->os->pass;
        if (task->link.kind == SOS_RUNNABLE)
            sos_grant_(task, SOS_RESULT_);
        task->link.kind |= SOS_KEPT_;
        return true;
    }
    if ((task->link.kind & SOS_KEPT_) != 0)
        return true;
    return task->link.kind != SOS_RUNNABLE && task->link.order == self->passed;
}

static void pass(struct sos_link *link)
{
    struct deadline *self = CONTAINER_(link, struct deadline, link);
    sos_task *task = self->task;
    if (beaten(self)) {
        link->kind = SOS_DEADLINE_;
        sos_timer_arm_(task->os, link, link->due);
        return;
    }
    link->kind = 0;
    self->frame.flags |= SOS_EXPIRED_;
    sos_unregister_(task);
    sos_unwind_(task);
}

/* One of them may unwind a frame that holds another: take them one by one. */
static void pass_expired(sos *os)
{
    while (os->expired != NULL) {
        struct sos_link *link = os->expired;
        sos_list_remove_(&os->expired, link);
        pass(link);
    }
}

bool sos_deadline_open_(sos_task *task, int64_t us)
{
    sos_check_running_(task);
    if (us < 0) {
        task->link.status = SOS_EINVAL;
        return false;
    }
    struct deadline *self = (struct deadline *)(void *)sos_frame_push_(task, sizeof *self);
    if (self == NULL) {
        task->link.status = SOS_ENOMEM;
        return false;
    }
    self->frame.function = deadline;
    self->frame.resume = 1; /* it has something to undo from the start */
    self->frame.size = sizeof *self / 4;
    self->frame.scope = 0;
    self->frame.flags |= SOS_GUARD_;
    self->task = task;
    self->passed = 0;
    self->link.kind = 0;
    if (us == SOS_FOREVER)
        return true;
    self->link.kind = SOS_DEADLINE_;
    task->os->expire = pass_expired;
    sos_timer_arm_after_(task->os, &self->link, us);
    return true;
}

sos_op sos_deadline_pass_(sos_task *task, sos_op op)
{
    if (op.outcome_ == SOS_REFUSED_)
        return sos_complete_(task, task->link.status);
    if (op.outcome_ == SOS_DONE_) {
        deadline(task, task->frame);
        sos_frame_pop_(task);
    }
    return op;
}
