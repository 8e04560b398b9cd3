/* SPDX-License-Identifier: MIT */
/* Records of tasks: pids and handles, adding, families, the end. */
#include "internal.h"

enum { EXTRAS_AT = (int)((sizeof(sos_task) + 7) & ~(size_t)7) };

struct sos_extras_ *sos_extras_(const sos_task *task)
{
    if ((task->link.flags & SOS_EXTRAS_) == 0)
        return NULL;
    return (struct sos_extras_ *)(void *)((char *)(uintptr_t)task + EXTRAS_AT);
}

static size_t frames_at(bool extras, bool wide)
{
    if (extras)
        return EXTRAS_AT + ((sizeof(struct sos_extras_) + 7) & ~(size_t)7);
    return wide ? EXTRAS_AT : sizeof(sos_task);
}

char *sos_frames_start_(sos_task *task)
{
    return (char *)task + frames_at((task->link.flags & SOS_EXTRAS_) != 0, false);
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

sos_handle sos_find(const sos *os, int32_t pid)
{
    if ((uint32_t)pid >= os->config.task_capacity || os->tasks[pid] == NULL)
        return (sos_handle){ SOS_ESTALE, 0 };
    return sos_handle_of_(os->tasks[pid]);
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

static void remove_child(sos *os, sos_task *child)
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

static void next_pid(sos *os, sos_task *task)
{
    while (os->tasks[os->next_pid] != NULL)
        if (++os->next_pid == os->config.task_capacity) {
            os->next_pid = 0;
            os->lap++;
        }
    task->pid = (sos_index_)os->next_pid;
    task->lap = os->lap;
    os->tasks[os->next_pid] = task;
    if (++os->next_pid == os->config.task_capacity) {
        os->next_pid = 0;
        os->lap++;
    }
}

static int priority_of(const sos *os, const sos_task *parent, const struct sos_options *options)
{
    int priority = options->priority;
    if (priority == 0 && parent != NULL)
        priority = parent->link.priority;
    return priority < 1 || (uint32_t)priority >= os->config.priority_levels ? SOS_EINVAL
                                                                            : priority;
}

static unsigned flags_of(const sos *os, const struct sos_options *options)
{
    bool extras = options->on_signal != NULL || options->due_us != 0 || os->policy != NULL;
    return (options->watcher ? SOS_WATCHER_ : 0u) | (options->detached ? SOS_DETACHED_ : 0u) |
           (options->external ? SOS_EXTERNAL_ : 0u) | (extras ? SOS_EXTRAS_ : 0u);
}

static void first_frame(sos_task *task, size_t at, const struct sos_start *what, uint32_t room)
{
    uint32_t size = what->size & ~1u;
    sos_frame *frame = (sos_frame *)(void *)((char *)task + at);
    memcpy(frame, what->frame, size);
    frame->function = what->function;
    frame->resume = 0;
    frame->size = (uint16_t)(size / 4);
    frame->back = 0;
    frame->flags = 0;
    frame->scope = 0;
    task->frame = frame;
    task->room = (sos_index_)room;
}

/* Makes the record and puts it into the ready queue. Returns NULL with *error set. */
static sos_task *add(sos *os, sos_task *parent, const struct sos_start *what, int *error)
{
    const struct sos_options *options = &what->options;
    int priority = priority_of(os, parent, options);
    uint32_t size = what->size & ~1u;
    unsigned flags = flags_of(os, options);
    size_t at = frames_at((flags & SOS_EXTRAS_) != 0, (what->size & 1u) != 0);
    uint32_t room = (options->frame_room + 7u) & ~7u;
    *error = SOS_EINVAL;
    if (priority < 0 || size / 4 > UINT16_MAX || size + room >= NO_INDEX_)
        return NULL;
    *error = SOS_ECAPACITY;
    if (os->task_count >= os->config.task_capacity)
        return NULL;
    *error = SOS_ENOMEM;
    sos_task *task = sos_take_(os, at + size + room);
    if (task == NULL)
        return NULL;
    *error = SOS_OK;
    task->os = os;
    task->link.kind = SOS_RUNNABLE;
    task->link.level = task->link.priority = (uint8_t)priority;
    task->link.flags = (uint8_t)flags;
    task->link.order = 0;
    task->link.object = NULL;
    task->status = SOS_OK;
    task->signals = 0;
    task->name = options->name != NULL ? options->name : what->name;
    task->joiners = NULL;
    task->parent = task->first_child = task->next_sibling = task->prev_sibling = NO_INDEX_;
    next_pid(os, task);
    if ((flags & SOS_EXTRAS_) != 0)
        *sos_extras_(task) = (struct sos_extras_){ options->on_signal, options->context, 0,
                                                   options->due_us };
    first_frame(task, at, what, room);
    if (parent != NULL)
        add_child(os, parent, task);
    os->task_count++;
    os->live++;
    os->live_watchers += options->watcher;
    return task;
}

static void start(sos_task *task)
{
    sos *os = task->os;
    if (UNLIKELY_(os->task_started != NULL))
        os->task_started(task);
    sos_ready_place_(os, task, SOS_PLACE_BACK);
}

sos_handle sos_spawn_(sos_task *parent, const struct sos_start *what)
{
    int error;
    sos_task *task = add(parent->os, parent, what, &error);
    if (UNLIKELY_(task == NULL))
        return (sos_handle){ error, 0 };
    start(task);
    return sos_handle_of_(task);
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
        sos_task *task = add(os, NULL, &starts[index], &error);
        if (task == NULL)
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
        start(task);
    }
    return error;
}

sos_handle sos_fork_(sos *os, const struct sos_start *what)
{
    sos_handle handle;
    int error = sos_fork_list(os, what, 1, &handle);
    return error == 0 ? handle : (sos_handle){ error, 0 };
}

/* ---- The end */

void sos_record_free_(sos_task *task)
{
    sos *os = task->os;
    bool failed = task->status < 0 && task->status != SOS_ECANCELED;
    if (failed && (task->link.flags & SOS_REPORTED_) == 0)
        sos_report_(os, SOS_REPORT_FAILED, task, 0);
    if (task->parent != NO_INDEX_)
        remove_child(os, task);
    os->tasks[task->pid] = NULL;
    os->task_count--;
    /* the frames are gone: room is all the memory behind the record */
    sos_give_(os, task, (size_t)(sos_frames_start_(task) - (char *)task) + task->room);
}

void sos_task_end_(sos_task *task)
{
    sos *os = task->os;
    sos_task *parent = by_index(os, task->parent);
    bool joined = task->joiners != NULL;
    task->link.kind = SOS_ENDED;
    os->live--;
    os->live_watchers -= (task->link.flags & SOS_WATCHER_) != 0;
    if (os->killed == task)
        os->killed = NULL;
    if (os->running == task)
        os->running = NULL;
    if (os->inheritance != NULL)
        os->inheritance->ended(task);
    if (joined)
        sos_joiners_answer_(task);
    if (parent != NULL && parent->link.kind == SOS_WAIT_SCOPE) {
        if (task->status < 0)
            task->link.flags |= SOS_REPORTED_;
        sos_scope_answer_(parent, task);
    }
    orphan_children(task);
    if (joined || (task->link.flags & SOS_DETACHED_) != 0)
        sos_record_free_(task);
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
