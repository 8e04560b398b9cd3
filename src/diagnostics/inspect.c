/* SPDX-License-Identifier: MIT */
/* Looking at tasks. */
#include "core/internal.h"

const char *sos_wait_name(enum sos_wait wait)
{
    static const char *const names[] = { "runnable",  "sleep",       "join",       "join all",
                                         "join any",  "scope",       "signal",     "readable",
                                         "writable",  "queue space", "queue item", "mutex",
                                         "semaphore", "event",       "ended" };
    return (unsigned)wait <= SOS_ENDED ? names[wait] : "?";
}

/* The line at which the innermost function of the program's own waits. */
static uint32_t line_of(const sos_task *task)
{
    const sos_frame *frame = task->frame;
    while (frame != NULL && (frame->flags & SOS_GUARD_) != 0)
        frame = sos_frame_below_(frame);
    return frame == NULL || frame->resume >= SOS_RESUME_REFUSED_ ? 0 : frame->resume;
}

static uint32_t count_children(const sos_task *parent)
{
    uint32_t count = 0;
    sos_task *child = NULL;
    while ((child = sos_child_after_(parent, child)) != NULL)
        count += child->link.kind != SOS_ENDED;
    return count;
}

static int32_t target_of(const struct sos_link *link)
{
    if (link->kind == SOS_WAIT_JOIN)
        return (int32_t)CONTAINER_(link->object, sos_task, joiners)->pid;
    if (link->kind == SOS_WAIT_READABLE || link->kind == SOS_WAIT_WRITABLE)
        return (int32_t)link->count[0];
    return -1;
}

static const char *object_of(const struct sos_link *link)
{
    if (link->kind == SOS_WAIT_JOIN)
        return sos_name(CONTAINER_(link->object, sos_task, joiners));
    if (link->kind >= SOS_WAIT_QUEUE_PUT && link->kind <= SOS_WAIT_EVENT &&
        sos_waitable_of_(link)->name != NULL)
        return sos_waitable_of_(link)->name;
    return "";
}

int sos_inspect(const sos *os, sos_handle handle, struct sos_task_info *info)
{
    const sos_task *task = sos_lookup_(os, handle);
    if (task == NULL)
        return SOS_ESTALE;
    const struct sos_link *link = &task->link;
    bool runnable = sos_is_runnable_(task);
    *info = (struct sos_task_info){
        .handle = handle,
        .name = sos_name(task),
        .priority = link->priority,
        .effective_priority = link->level,
        .wait = runnable ? SOS_RUNNABLE : (enum sos_wait)link->kind,
        .object = runnable ? "" : object_of(link),
        .target = runnable ? -1 : target_of(link),
        .line = line_of(task),
        .parent = task->parent == NO_INDEX_ ? -1 : (int32_t)task->parent,
        .children = count_children(task),
        .signals = task->signals,
        .status = link->kind == SOS_ENDED ? link->status : SOS_OK,
        .watcher = (link->flags & SOS_WATCHER_) != 0,
        .running = os->running == task,
    };
    return SOS_OK;
}

sos_handle sos_find(const sos *os, int32_t pid)
{
    if ((uint32_t)pid >= os->config.task_capacity || os->tasks[pid] == NULL)
        return (sos_handle){ SOS_ESTALE, 0 };
    return sos_handle_of_(os->tasks[pid]);
}

sos_handle sos_next_task(const sos *os, int32_t pid)
{
    while ((uint32_t)++pid < os->config.task_capacity)
        if (os->tasks[pid] != NULL)
            return sos_handle_of_(os->tasks[pid]);
    return (sos_handle){ SOS_ESTALE, 0 };
}

sos_handle sos_next_child(const sos *os, sos_handle parent, sos_handle child)
{
    const sos_task *task = sos_lookup_(os, parent);
    const sos_task *after = child.pid < 0 ? NULL : sos_lookup_(os, child);
    if (task == NULL || (child.pid >= 0 && (after == NULL || after->parent != task->pid)))
        return (sos_handle){ SOS_ESTALE, 0 };
    sos_task *next = sos_child_after_(task, after);
    return next == NULL ? (sos_handle){ SOS_ESTALE, 0 } : sos_handle_of_(next);
}

struct sos_task_count sos_count(const sos *os)
{
    return (struct sos_task_count){ os->live, os->live_watchers };
}
