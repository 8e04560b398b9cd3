/* SPDX-License-Identifier: MIT */
/* Records of tasks: pids and handles, adding, families, the end. */
#include "internal.h"

struct sos_extras_ *sos_extras_(const sos_task *task)
{
    if ((task->link.flags & SOS_EXTRAS_) == 0)
        return NULL;
    return (struct sos_extras_ *)(void *)((char *)(uintptr_t)task + SOS_EXTRAS_AT_);
}

/* ---- Handles */

sos_handle sos_handle_of_(const sos_task *task)
{
    return (sos_handle){ (int32_t)task->pid, task->lap };
}

sos_task *sos_lookup_(const sos *os, sos_handle handle)
{
    if ((uint32_t)handle.pid >= os->config.task_capacity)
        return NULL;
    sos_task *task = os->tasks[handle.pid];
    return task != NULL && task->lap == handle.lap ? task : NULL;
}

int sos_target_(const sos *os, sos_handle handle, sos_task **target)
{
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    sos_task *task = sos_lookup_(os, handle);
    *target = task;
    return task == NULL || task->link.kind == SOS_ENDED ? SOS_ESTALE : SOS_OK;
}

int sos_check_thread_(const sos *os)
{
    if (!os->active || os->kernel->thread == NULL)
        return SOS_OK;
    return os->kernel->thread(os->kernel) == os->thread ? SOS_OK : SOS_ETHREAD;
}

/* ---- Families */

static sos_task *by_index(const sos *os, sos_index_ pid)
{
    return pid == NO_INDEX_ ? NULL : os->tasks[pid];
}

sos_task *sos_child_after_(const sos_task *parent, const sos_task *child)
{
    return by_index(parent->os, child == NULL ? parent->first_child : child->next_sibling);
}

static void add_child(sos *os, sos_task *parent, sos_task *child)
{
    child->parent = parent->pid;
    if (parent->first_child == NO_INDEX_) {
        parent->first_child = child->pid;
        child->prev_sibling = child->pid;
        return;
    }
    sos_task *first = os->tasks[parent->first_child];
    child->prev_sibling = first->prev_sibling;
    os->tasks[first->prev_sibling]->next_sibling = child->pid;
    first->prev_sibling = child->pid;
}

static inline void remove_child(sos *os, sos_task *child)
{
    sos_task *parent = os->tasks[child->parent];
    sos_index_ next = child->next_sibling, prev = child->prev_sibling;
    if (parent->first_child == child->pid)
        parent->first_child = next;
    else
        os->tasks[prev]->next_sibling = next;
    if (next != NO_INDEX_)
        os->tasks[next]->prev_sibling = prev;
    else if (parent->first_child != NO_INDEX_)
        os->tasks[parent->first_child]->prev_sibling = prev;
    child->parent = NO_INDEX_;
}

/* The children of a task that ends live on and have no parent then. */
static void orphan_children(sos_task *parent)
{
    sos *os = parent->os;
    sos_task *child = by_index(os, parent->first_child);
    while (child != NULL) {
        sos_task *next = by_index(os, child->next_sibling);
        child->parent = child->next_sibling = NO_INDEX_;
        child->link.flags |= SOS_DETACHED_;
        if (child->link.kind == SOS_ENDED)
            sos_record_free_(child);
        child = next;
    }
    parent->first_child = NO_INDEX_;
}

/* ---- Adding */

/* Pids rise and wrap round: the next one that is free. */
static inline void next_pid(sos *os, sos_task *task)
{
    uint32_t pid = os->next_pid, capacity = os->config.task_capacity;
    while (UNLIKELY_(os->tasks[pid] != NULL))
        if (++pid == capacity) {
            pid = 0;
            os->lap++;
        }
    task->pid = (sos_index_)pid;
    task->lap = os->lap;
    os->tasks[pid] = task;
    if (UNLIKELY_(++pid == capacity)) {
        pid = 0;
        os->lap++;
    }
    os->next_pid = pid;
}

static unsigned flags_of(const struct sos_options *options, bool extras)
{
    return (unsigned)options->watcher * SOS_WATCHER_ | (unsigned)options->detached * SOS_DETACHED_ |
           (unsigned)options->external * SOS_EXTERNAL_ | (unsigned)extras * SOS_EXTRAS_;
}

/* Fills a record for `what`, whose memory is `size` bytes from `at` on for frames. */
HOT_INLINE_ void fill(sos *os, sos_task *task, const struct sos_start *what, size_t at,
                      uint32_t room)
{
    const struct sos_options *options = &what->options;
    uint32_t size = (uint32_t)what->size & ~1u;
    sos_frame *frame = (sos_frame *)(void *)((char *)task + at);
    task->name = options->name != NULL ? options->name : what->name;
    if (UNLIKELY_(task->name == NULL)) /* a struct sos_start made by hand */
        task->name = "";
    task->joiners = NULL;
    task->parent = task->first_child = task->next_sibling = task->prev_sibling = NO_INDEX_;
    task->os = os;
    task->link.object = NULL;
    task->link.order = 0;
    task->frame = frame;
    task->status = SOS_OK;
    task->signals = 0;
    task->room = (sos_index_)room;
    sos_frame_fill_(frame, what->function, what->frame, size);
    frame->back = 0;
    frame->flags = 0;
}

/*
 * Makes the record of a task and counts it in; it stands in no queue yet. `plain`, known to the
 * compiler: it has no extras and no room for more frames, so there is little to work out.
 */
HOT_INLINE_ int add(sos *os, sos_task *parent, const struct sos_start *what, bool plain,
                    sos_task **added)
{
    const struct sos_options *options = &what->options;
    unsigned priority = (unsigned)options->priority;
    uint32_t size = (uint32_t)what->size & ~1u;
    uint32_t room = plain ? 0 : (options->frame_room + 7u) & ~7u;
    if (priority == 0 && parent != NULL)
        priority = parent->link.priority;
    if (priority - 1 >= os->config.priority_levels - 1 || size > 4u * UINT16_MAX ||
        (!plain && options->frame_room >= NO_INDEX_ / 2) || size + room >= NO_INDEX_)
        return SOS_EINVAL;
    if (os->task_count >= os->config.task_capacity)
        return SOS_ECAPACITY;
    bool extras = !plain &&
                  (options->on_signal != NULL || options->due_us != 0 || os->policy != NULL);
    size_t at = sos_frames_at_(extras, (what->size & 1u) != 0);
    sos_task *task = sos_take_(os, at + size + room);
    if (task == NULL)
        return SOS_ENOMEM;
    task->link.kind = SOS_RUNNABLE;
    task->link.level = task->link.priority = (uint8_t)priority;
    task->link.flags = (uint8_t)flags_of(options, extras);
    fill(os, task, what, at, room);
    next_pid(os, task);
    if (UNLIKELY_(extras))
        *sos_extras_(task) = (struct sos_extras_){ options->on_signal, options->context, 0,
                                                   options->due_us };
    if (parent != NULL)
        add_child(os, parent, task);
    os->task_count++;
    os->live++;
    os->live_watchers += options->watcher;
    *added = task;
    return SOS_OK;
}

static __attribute__((noinline)) int add_any(sos *os, sos_task *parent,
                                             const struct sos_start *what, sos_task **added)
{
    return add(os, parent, what, false, added);
}

static inline void start(sos *os, sos_task *task)
{
    if (UNLIKELY_(os->attention.byte.mode != 0) && os->task_started != NULL)
        os->task_started(task);
    sos_ready_place_(os, task, SOS_PLACE_BACK);
}

HOT_INLINE_ sos_handle spawn(sos *os, sos_task *parent, const struct sos_start *what)
{
    const struct sos_options *options = &what->options;
    bool plain = SOS_FAST_ && options->on_signal == NULL && options->frame_room == 0 &&
                 options->due_us == 0 && os->attention.byte.mode == 0;
    sos_task *task = NULL;
    int error = LIKELY_(plain) ? add(os, parent, what, true, &task)
                               : add_any(os, parent, what, &task);
    if (UNLIKELY_(error != 0))
        return (sos_handle){ error, 0 };
    start(os, task);
    return sos_handle_of_(task);
}

sos_handle sos_spawn_(sos_task *parent, const struct sos_start *what)
{
    return spawn(parent->os, parent, what);
}

sos_handle sos_fork_(sos *os, const struct sos_start *what)
{
    int error = os == NULL ? SOS_EINVAL : sos_check_thread_(os);
    return error == 0 ? spawn(os, NULL, what) : (sos_handle){ error, 0 };
}

/* Undoes add() for a task that has not been put into a queue. */
static void take_back(sos_task *task, uint32_t next_pid_before, uint32_t lap_before)
{
    sos *os = task->os;
    os->live--;
    os->live_watchers -= (task->link.flags & SOS_WATCHER_) != 0;
    task->link.kind = SOS_ENDED;
    sos_frame_pop_(task);
    sos_record_free_(task);
    os->next_pid = next_pid_before;
    os->lap = lap_before;
}

int sos_fork_list(sos *os, const struct sos_start *starts, size_t count, sos_handle *handles)
{
    if (os == NULL || (starts == NULL && count != 0))
        return SOS_EINVAL;
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    uint32_t next_pid_before = os->next_pid, lap_before = os->lap;
    struct sos_link *added = NULL;
    size_t index = 0;
    for (; index < count; index++) {
        sos_task *task;
        error = add_any(os, NULL, &starts[index], &task);
        if (error != 0)
            break;
        sos_list_append_(&added, &task->link);
    }
    bool failed = index < count;
    for (index = 0; added != NULL; index++) {
        sos_task *task = task_of_(added);
        sos_list_remove_(&added, &task->link);
        if (failed) {
            take_back(task, next_pid_before, lap_before);
            continue;
        }
        if (handles != NULL)
            handles[index] = sos_handle_of_(task);
        start(os, task);
    }
    return error;
}

/* ---- The end */

HOT_INLINE_ void free_record(sos_task *task)
{
    sos *os = task->os;
    if (UNLIKELY_(task->status < 0))
        sos_report_(task, SOS_REPORT_FAILED);
    if (task->parent != NO_INDEX_)
        remove_child(os, task);
    os->tasks[task->pid] = NULL;
    os->task_count--;
    /* the frames are gone: room is all the memory behind the record */
    sos_give_(os, task, sos_frames_at_((task->link.flags & SOS_EXTRAS_) != 0, false) + task->room);
}

void sos_record_free_(sos_task *task)
{
    free_record(task);
}

void sos_task_end_(sos_task *task)
{
    sos *os = task->os;
    sos_task *parent = by_index(os, task->parent);
    bool joined = task->joiners != NULL;
    task->link.kind = SOS_ENDED;
    os->live--;
    if ((task->link.flags & (SOS_WATCHER_ | SOS_KILLED_)) != 0) {
        os->live_watchers -= (task->link.flags & SOS_WATCHER_) != 0;
        if (os->killed == task)
            os->killed = NULL;
    }
    if (os->running == task)
        os->running = NULL;
    if (os->inheritance != NULL)
        os->inheritance->ended(task);
    if (joined)
        sos_joiners_answer_(task);
    if (parent != NULL && parent->link.kind == SOS_WAIT_SCOPE)
        os->child_ended(parent, task);
    if (task->first_child != NO_INDEX_)
        orphan_children(task);
    if (joined || (task->link.flags & SOS_DETACHED_) != 0)
        free_record(task);
}

int sos_release(sos *os, sos_handle target)
{
    int error = sos_check_thread_(os);
    sos_task *task = sos_lookup_(os, target);
    if (error != 0)
        return error;
    if (task == NULL)
        return SOS_ESTALE;
    task->link.flags |= SOS_DETACHED_;
    if (task->link.kind == SOS_ENDED)
        sos_record_free_(task);
    return SOS_OK;
}

/* ---- Questions about the task itself */

int sos_status(const sos_task *task)
{
    return task->status;
}

sos *sos_of(const sos_task *task)
{
    return task->os;
}

sos_handle sos_self(const sos_task *task)
{
    return sos_handle_of_(task);
}

const char *sos_name(const sos_task *task)
{
    return task->name;
}

sos_handle sos_parent(const sos_task *task)
{
    return task->parent == NO_INDEX_ ? (sos_handle){ SOS_ESTALE, 0 }
                                     : sos_handle_of_(task->os->tasks[task->parent]);
}

int sos_result(sos *os, sos_handle target, int *result)
{
    sos_task *task = sos_lookup_(os, target);
    if (task == NULL)
        return SOS_ESTALE;
    if (task->link.kind != SOS_ENDED)
        return SOS_EAGAIN;
    *result = task->status;
    return SOS_OK;
}
