/* SPDX-License-Identifier: MIT */
/* Records of tasks: pids and handles, adding, families, the end. */
#include "internal.h"

struct sos_extras_ *sos_extras_(const sos_task *task)
{
    if ((task->link.flags & SOS_EXTRAS_) == 0)
        return NULL;
    return sos_extras_at_(task);
}

/* ---- Handles */

sos_handle sos_handle_of_(const sos_task *task)
{
    return (sos_handle){ (int32_t)task->pid, task->lap };
}

sos_task *sos_lookup_at_(const sos *os, int32_t pid, uint32_t lap)
{
    if ((uint32_t)pid >= os->config.task_capacity)
        return NULL;
    sos_task *task = os->tasks[pid];
    return task != NULL && task->lap == lap ? task : NULL;
}

int sos_target_at_(const sos *os, int32_t pid, uint32_t lap, sos_task **target)
{
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    sos_task *task = sos_lookup_at_(os, pid, lap);
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

WARM_INLINE_ sos_task *by_index(const sos *os, sos_index_ pid)
{
    return pid == NO_INDEX_ ? NULL : os->tasks[pid];
}

sos_task *sos_parent_(const sos_task *task)
{
    return by_index(task->os, task->parent);
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

static inline void remove_child(sos *os, sos_task *parent, sos_task *child)
{
    sos_index_ next = child->next_sibling, prev = child->prev_sibling;
    if (parent->first_child == child->pid)
        parent->first_child = next;
    else
        os->tasks[prev]->next_sibling = next;
    if (next != NO_INDEX_)
        os->tasks[next]->prev_sibling = prev;
    else if (parent->first_child != NO_INDEX_)
        os->tasks[parent->first_child]->prev_sibling = prev;
}

HOT_INLINE_ void free_record(sos_task *task)
{
    sos *os = task->os;
    if (UNLIKELY_(task->link.status < 0))
        sos_report_(task, SOS_REPORT_FAILED);
    if (task->parent != NO_INDEX_)
        remove_child(os, os->tasks[task->parent], task);
    os->tasks[task->pid] = NULL;
    sos_give_(os, task, task->room); /* the frames are gone */
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
HOT_INLINE_ void take_next_pid(sos *os, sos_task *task)
{
    uint32_t pid, next = os->next_pid;
    do {
        pid = next++;
        task->lap = os->lap;
        if (next == os->config.task_capacity) {
            next = 0;
            os->lap++;
        }
    } while (os->tasks[pid] != NULL);
    os->next_pid = next;
    task->pid = (sos_index_)pid;
    os->tasks[pid] = task;
}

static unsigned flags_of(const struct sos_options *options, bool extras)
{
    return (unsigned)options->watcher * SOS_WATCHER_ | (unsigned)options->detached * SOS_DETACHED_ |
           (unsigned)options->external * SOS_EXTERNAL_ | (unsigned)extras * SOS_EXTRAS_;
}

/* `room` counts in all of a task's block when its last frame has gone. */
enum {
    MOST_BEFORE_FRAMES = (int)(SOS_EXTRAS_AT_ + ((sizeof(struct sos_extras_) + 7) & ~(size_t)7))
};

/* Fills in all of a record but pid, family, priority and flags. Behind it, at `frame`, come the
 * arguments and `room` more bytes. */
HOT_INLINE_ void fill(sos *os, sos_task *task, sos_frame *frame, const struct sos_start *what,
                      uint32_t room)
{
    task->os = os;
    task->joiners = NULL;
    task->room = (sos_index_)room;
    task->parent = task->first_child = task->next_sibling = task->prev_sibling = NO_INDEX_;
    task->name = what->options.name != NULL ? what->options.name : what->name;
    task->link.kind = SOS_RUNNABLE;
    task->link.order = 0;
    task->frame = frame;
    task->link.status = SOS_OK;
    task->signals = 0;
    frame->back = 0;
    frame->flags = 0;
    sos_frame_fill_(frame, what->function, what->frame, (uint32_t)what->size & ~1u);
}

/* Beyond what a frame may have, or what can be counted. */
static bool too_large(uint32_t size, uint32_t room)
{
    uint32_t most = SOS_BIG_ ? INT32_MAX : NO_INDEX_ - MOST_BEFORE_FRAMES - 8;
    return size >= (SOS_BIG_ ? 4u << 16 : most) || room > most - size;
}

/* Makes the record of a task and counts it in; it stands in no queue yet. */
static int add(sos *os, sos_task *parent, const struct sos_start *what, sos_task **added)
{
    const struct sos_options *options = &what->options;
    unsigned priority = (unsigned)options->priority;
    uint32_t size = (uint32_t)what->size & ~1u;
    uint32_t room = (options->frame_room + 7u) & ~7u;
    if (priority == 0 && parent != NULL)
        priority = parent->link.priority;
    if (priority - 1 >= os->config.priority_levels - 1 || too_large(size, options->frame_room))
        return SOS_EINVAL;
    if (os->live + os->ended >= os->config.task_capacity)
        return SOS_ECAPACITY;
    bool extras = ((uintptr_t)options->on_signal | options->due_us | (uintptr_t)os->policy) != 0;
    size_t at = sos_frames_at_(extras, (what->size & 1u) != 0);
    sos_task *task = sos_take_(os, at + size + room);
    if (task == NULL)
        return SOS_ENOMEM;
    fill(os, task, (sos_frame *)(void *)((char *)task + at), what, room);
    task->link.level = task->link.priority = (uint8_t)priority;
    task->link.flags = (uint8_t)flags_of(options, extras);
    take_next_pid(os, task);
    if (extras)
        *sos_extras_at_(task) = (struct sos_extras_){ options->on_signal, options->context, 0,
                                                      options->due_us };
    if (parent != NULL)
        add_child(os, parent, task);
    os->live++;
    os->live_watchers += options->watcher;
    *added = task;
    return SOS_OK;
}

static inline void start(sos *os, sos_task *task)
{
    if (UNLIKELY_(os->attention.byte.mode != 0) && os->task_started != NULL)
        os->task_started(task);
    sos_ready_place_(os, task, SOS_PLACE_BACK);
}

static sos_handle spawn(sos *os, sos_task *parent, const struct sos_start *what)
{
    sos_task *task = NULL;
    int error = add(os, parent, what, &task);
    if (error != 0)
        return (sos_handle){ error, 0 };
    start(os, task);
    return sos_handle_of_(task);
}

static bool has_flags(const struct sos_options *options)
{
    return options->watcher || options->detached || options->external;
}

/*
 * The same for the usual child, where nothing special is asked for, the next pid is free, and a task
 * of this size has ended before. Otherwise NULL, and nothing has changed.
 */
HOT_INLINE_ sos_task *spawn_usual(sos_task *parent, const struct sos_start *what)
{
    sos *os = parent->os;
    const struct sos_options *options = &what->options;
    unsigned priority = options->priority != 0 ? (unsigned)options->priority
                                               : parent->link.priority;
    if (options->on_signal != NULL || options->frame_room != 0 || options->due_us != 0 ||
        has_flags(options) || os->attention.byte.mode != 0 ||
        priority - 1 >= os->config.priority_levels - 1 || os->tasks[os->next_pid] != NULL)
        return NULL;
    sos_task *task = sos_take_again_(os, sizeof(sos_task) + what->size);
    if (UNLIKELY_(task == NULL))
        return NULL;
    fill(os, task, (sos_frame *)(void *)(task + 1), what, 0);
    task->link.level = task->link.priority = (uint8_t)priority;
    task->link.flags = 0;
    take_next_pid(os, task);
    add_child(os, parent, task);
    os->live++;
    sos_ready_insert_(os, task, false);
    return task;
}

sos_handle sos_spawn_(sos_task *parent, const struct sos_start *what)
{
    sos_task *task = SOS_FAST_ ? spawn_usual(parent, what) : NULL;
    return LIKELY_(task != NULL) ? sos_handle_of_(task) : spawn(parent->os, parent, what);
}

sos_handle sos_fork_(sos *os, const struct sos_start *what)
{
    int error = os == NULL ? SOS_EINVAL : sos_check_thread_(os);
    return error == 0 ? spawn(os, NULL, what) : (sos_handle){ error, 0 };
}

/* Takes out the tasks that were added since; none has run. */
static void take_back(sos *os, const struct sos_scope *added)
{
    for (uint32_t pid = 0; pid < os->config.task_capacity; pid++) {
        sos_task *task = os->tasks[pid];
        if (task == NULL || !sos_in_scope_(task, added))
            continue;
        sos_unregister_(task);
        sos_frame_pop_(task);
        task->link.flags |= SOS_DETACHED_;
        sos_task_end_(task);
    }
    os->lap = added->first_lap;
    os->next_pid = added->first_pid;
}

int sos_fork_list(sos *os, const struct sos_start *starts, size_t count, sos_handle *handles)
{
    if (os == NULL || (starts == NULL && count != 0))
        return SOS_EINVAL;
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    struct sos_scope added = { os->lap, os->next_pid };
    sos_expect_watchers_(os);
    for (size_t index = 0; error == 0 && index < count; index++) {
        sos_handle handle = spawn(os, NULL, &starts[index]);
        if (handle.pid < 0)
            error = handle.pid;
        else if (handles != NULL)
            handles[index] = handle;
    }
    if (error != 0)
        take_back(os, &added);
    return error;
}

/* ---- The end */

void sos_record_free_(sos_task *task)
{
    task->os->ended--;
    free_record(task);
}

/*
 * The same for the usual end in a step: of a child that has neither children nor anything special,
 * and that its parent waits for. Otherwise false, and nothing has changed.
 */
bool sos_end_usual_(sos_task *task)
{
    sos *os = task->os;
    const sos_frame *frame = task->frame;
    struct sos_link *joiner = task->joiners;
    if (frame != (const sos_frame *)(const void *)(task + 1) ||
        frame->resume != SOS_RESUME_UNWIND_ || task->link.flags != 0 ||
        task->first_child != NO_INDEX_ || joiner == NULL || joiner->kind != SOS_WAIT_JOIN ||
        joiner->next != joiner || task_of_(joiner)->pid != task->parent ||
        os->inheritance != NULL || os->attention.byte.mode != 0)
        return false;
    sos_task *parent = task_of_(joiner);
    parent->link.status = task->link.status;
    parent->link.kind = SOS_RUNNABLE;
    parent->link.order = os->pass;
    sos_ready_replace_(os, task, parent);
    remove_child(os, parent, task);
    os->tasks[task->pid] = NULL;
    os->live--;
    os->running = NULL;
    sos_give_(os, task, sizeof *task + (size_t)frame->size * 4 + task->room);
    return true;
}

void sos_task_end_(sos_task *task)
{
    sos *os = task->os;
    bool joined = task->joiners != NULL;
    task->link.kind = SOS_ENDED;
    os->live--;
    os->live_watchers -= task->link.flags & SOS_WATCHER_;
    if (os->running == task)
        os->running = NULL;
    if (os->inheritance != NULL)
        os->inheritance->ended(task);
    if (joined)
        sos_joiners_answer_(task);
    if (UNLIKELY_(os->child_ended != NULL))
        os->child_ended(task);
    if (!SOS_FAST_ || task->first_child != NO_INDEX_)
        orphan_children(task);
    if (joined || (task->link.flags & SOS_DETACHED_) != 0)
        free_record(task);
    else
        os->ended++;
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
    return task->link.status;
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
    return task->name != NULL ? task->name : "";
}

sos_handle sos_parent(const sos_task *task)
{
    const sos_task *parent = sos_parent_(task);
    return parent == NULL ? (sos_handle){ SOS_ESTALE, 0 } : sos_handle_of_(parent);
}

int sos_result(sos *os, sos_handle target, int *result)
{
    sos_task *task = sos_lookup_(os, target);
    if (task == NULL)
        return SOS_ESTALE;
    if (task->link.kind != SOS_ENDED)
        return SOS_EAGAIN;
    *result = task->link.status;
    return SOS_OK;
}
