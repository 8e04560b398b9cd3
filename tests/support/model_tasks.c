/* SPDX-License-Identifier: MIT */
/* The model: queues, waits, things, records, and how tasks end. */
#include <string.h>

#include "model.h"

struct model m;

/* ---- Ready queues and levels */

void model_enqueue(struct task *task, bool front)
{
    int *queue = m.ready[task->level], *count = &m.ready_count[task->level];
    if (front)
        memmove(queue + 1, queue, (size_t)*count * sizeof *queue);
    queue[front ? 0 : *count] = id(task);
    ++*count;
    task->queued = true;
}

void model_dequeue(struct task *task)
{
    int *queue = m.ready[task->level], *count = &m.ready_count[task->level], at = 0;
    while (queue[at] != id(task))
        at++;
    --*count;
    memmove(queue + at, queue + at + 1, (size_t)(*count - at) * sizeof *queue);
    task->queued = false;
}

struct task *model_most_urgent(void)
{
    for (int level = 0; level < LEVELS; level++)
        if (m.ready_count[level] != 0)
            return &m.tasks[m.ready[level][0]];
    return NULL;
}

/* Its own priority, or that of the most urgent task that waits for a mutex it owns. */
static int level_of(const struct task *task)
{
    int level = task->priority;
    for (int i = 0; i < m.count; i++) {
        const struct task *other = &m.tasks[i];
        if (waits(other) && other->wait == OP_LOCK && m.owner[other->object] == id(task) &&
            other->level < level)
            level = other->level;
    }
    return level;
}

/* Whoever is on the wrong level goes to the back of the right one. */
void model_settle_levels(void)
{
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < m.count; i++) {
            struct task *task = &m.tasks[i];
            int level = alive(task) ? level_of(task) : task->level;
            if (level == task->level)
                continue;
            bool queued = task->queued;
            again = true;
            if (queued)
                model_dequeue(task);
            task->level = level;
            if (queued)
                model_enqueue(task, false);
        }
    }
}

/* ---- Waiting and waking */

enum outcome model_suspend(struct task *task, int kind, int object)
{
    task->wait = kind;
    task->object = object;
    task->began = ++m.waits;
    if (kind == OP_LOCK)
        model_settle_levels();
    return SUSPENDED;
}

void model_resume(struct task *task, int status, bool front)
{
    task->status = status;
    task->wait = RUNNABLE;
    task->woken = m.pass;
    model_enqueue(task, front);
}

void model_grant(struct task *task, int status)
{
    int kind = task->wait;
    model_resume(task, status, true);
    task->wait = kind;
    task->granted = true;
}

/* To the front in the order in which they began to wait. `results` by task; NULL: all `status`. */
static void resume_all(const bool *chosen, const int *results, int status)
{
    bool left[TASKS];
    memcpy(left, chosen, sizeof left);
    for (;;) {
        struct task *last = NULL;
        for (int i = 0; i < m.count; i++)
            if (left[i] && (last == NULL || m.tasks[i].began > last->began))
                last = &m.tasks[i];
        if (last == NULL)
            return;
        left[id(last)] = false;
        model_resume(last, results == NULL ? status : results[id(last)], true);
    }
}

/* The most urgent, then the one that has waited longest. */
static struct task *first_waiter(int kind, int object)
{
    struct task *first = NULL;
    for (int i = 0; i < m.count; i++) {
        struct task *task = &m.tasks[i];
        if (waits(task) && task->wait == kind && task->object == object &&
            (first == NULL || task->level < first->level ||
             (task->level == first->level && task->began < first->began)))
            first = task;
    }
    return first;
}

/* An operation that need not wait. `kind`: what it got, to be given back; or NOTHING. */
enum outcome model_complete(struct task *task, int status, int kind, int object)
{
    const struct task *other = model_most_urgent();
    bool overtaken = other != NULL && other->level < task->level;
    bool tired = m.streak++ >= AWAITS_PER_STEP;
    task->status = status;
    if (!overtaken && !tired && !task->killed)
        return DONE;
    model_enqueue(task, !tired);
    task->kept = true; /* no deadline takes away what is there already */
    if (kind != NOTHING) {
        task->wait = kind;
        task->object = object;
        task->granted = true;
        m.queues[object].claimed += kind == OP_GET;
    }
    return SUSPENDED;
}

/* ---- Things */

bool model_has_room(int queue)
{
    return m.queues[queue].count + m.queues[queue].claimed < queue_capacity(queue);
}

void model_put_in(int queue, int item, bool front)
{
    struct task *reader = first_waiter(OP_GET, queue);
    int *items = m.queues[queue].items;
    if (reader != NULL) {
        reader->item = item;
        m.queues[queue].claimed++;
        model_grant(reader, SOS_OK);
        return;
    }
    if (front)
        memmove(items + 1, items, (OBJECTS - 1) * sizeof *items);
    items[front ? 0 : m.queues[queue].count] = item;
    m.queues[queue].count++;
}

int model_take_out(int queue)
{
    int *items = m.queues[queue].items, item = items[0];
    memmove(items, items + 1, (OBJECTS - 1) * sizeof *items);
    m.queues[queue].count--;
    return item;
}

void model_admit_writer(int queue)
{
    struct task *writer = first_waiter(OP_PUT, queue);
    if (writer == NULL || !model_has_room(queue))
        return;
    model_put_in(queue, writer->item, false);
    model_resume(writer, SOS_OK, true);
}

void model_give_permit(int semaphore)
{
    struct task *task = first_waiter(OP_TAKE, semaphore);
    if (task != NULL)
        model_grant(task, SOS_OK);
    else
        m.permits[semaphore]++;
}

void model_own(int mutex, int task)
{
    m.owner[mutex] = task;
    m.owned[mutex] = ++m.waits;
}

void model_hand_on(int mutex)
{
    struct task *next = first_waiter(OP_LOCK, mutex);
    m.owner[mutex] = NOBODY;
    if (next != NULL) {
        model_own(mutex, id(next));
        model_grant(next, SOS_OK);
    }
    model_settle_levels();
}

void model_set_event(int event)
{
    bool chosen[TASKS] = { false };
    m.set[event] = true;
    for (int i = 0; i < m.count; i++)
        chosen[i] = waits(&m.tasks[i]) && m.tasks[i].wait == OP_EVENT_WAIT &&
                    m.tasks[i].object == event;
    resume_all(chosen, NULL, SOS_OK);
}

static void give_back(struct task *task)
{
    int kind = task->wait, object = task->object;
    task->granted = false;
    task->wait = RUNNABLE;
    if (kind == OP_WAIT_SIGNAL) {
        task->signals |= 1u << task->status;
    } else if (kind == OP_GET) {
        m.queues[object].claimed--;
        model_put_in(object, task->item, true);
    } else if (kind == OP_LOCK) {
        model_hand_on(object);
    } else {
        model_give_permit(object);
    }
}

/* Takes a task out of whatever it waits for. */
void model_unregister(struct task *task)
{
    if (task->queued)
        model_dequeue(task);
    if (task->granted)
        give_back(task);
    task->wait = RUNNABLE;
    task->kept = false;
    model_settle_levels();
}

/* ---- Records and the end of a task */

int model_add_task(int function, int parent, int priority)
{
    if (priority == 0 && parent != NOBODY)
        priority = m.tasks[parent].priority;
    if (priority < 1 || priority >= LEVELS)
        return SOS_EINVAL;
    if (m.records == (int)m.program->capacity)
        return SOS_ECAPACITY;
    struct task *task = &m.tasks[m.count];
    for (bool taken = true; taken; m.next_pid = (m.next_pid + 1) % (int)m.program->capacity) {
        taken = false;
        for (int i = 0; i < m.count; i++)
            taken = taken || (m.tasks[i].exists && m.tasks[i].pid == m.next_pid);
        task->pid = m.next_pid;
    }
    task->exists = true;
    task->detached = m.program->functions[function].detached;
    task->handler = m.program->functions[function].handler;
    task->parent = parent;
    task->priority = task->level = priority;
    task->wait = RUNNABLE;
    task->depth = 1;
    task->frames[0] = (struct frame){ .function = function };
    m.count++;
    m.live++;
    m.records++;
    model_enqueue(task, false);
    return task->pid;
}

void model_free_record(struct task *task)
{
    if (task->status < 0 && task->status != SOS_ECANCELED && !task->reported)
        say(task, LOG_FAILED, task->status, 0);
    task->exists = false;
    task->parent = NOBODY;
    m.records--;
}

bool model_in_scope(const struct task *child, const struct task *parent, const struct frame *frame)
{
    return child->exists && child->parent == id(parent) && id(child) >= frame->scope_first;
}

bool model_scope_is_busy(const struct task *parent, const struct frame *frame)
{
    for (int i = 0; i < m.count; i++)
        if (model_in_scope(&m.tasks[i], parent, frame) && !m.tasks[i].ended)
            return true;
    return false;
}

/* Does `other`, which waits for several, go on now that `task` has ended? */
static bool ends_join(struct task *other, const struct task *task, int *result, bool *joined)
{
    bool named = false, pending = false;
    int any = NOTHING;
    for (int i = JOINS - 1; i >= 0; i--) {
        if (other->targets[i] == id(task)) {
            other->results[i] = task->status;
            named = true;
            any = i;
        }
        pending = pending || other->results[i] == SOS_EAGAIN;
    }
    *joined = *joined || named;
    *result = other->wait == OP_JOIN_ANY ? any : task->status < 0 ? task->status : SOS_OK;
    return named && (other->wait == OP_JOIN_ANY || task->status < 0 || !pending);
}

/* Wakes those who wait for the end of `task`. Returns whether somebody did. */
static bool answer_joiners(struct task *task)
{
    bool chosen[TASKS] = { false }, joined = false;
    int results[TASKS];
    for (int i = 0; i < m.count; i++) {
        struct task *other = &m.tasks[i];
        if (!waits(other))
            continue;
        if (other->wait == OP_JOIN && other->object == id(task)) {
            chosen[i] = joined = true;
            results[i] = task->status;
        } else if (other->wait == OP_JOIN_ALL || other->wait == OP_JOIN_ANY) {
            chosen[i] = ends_join(other, task, &results[i], &joined);
        }
    }
    resume_all(chosen, results, 0);
    task->reported = task->reported || joined;
    return joined;
}

/* The owner of its scope comes after the joiners, and so before them to the front. */
static void answer_scope(struct task *task)
{
    struct task *owner = task->parent == NOBODY ? NULL : &m.tasks[task->parent];
    if (owner == NULL || !waits(owner) || owner->wait != OP_SCOPE_JOIN ||
        !model_in_scope(task, owner, &owner->frames[owner->object]))
        return;
    task->reported = task->reported || task->status < 0;
    if (task->status < 0 || !model_scope_is_busy(owner, &owner->frames[owner->object]))
        model_resume(owner, task->status < 0 ? task->status : SOS_OK, true);
}

static void release_mutexes(struct task *task)
{
    for (;;) {
        int last = NOTHING;
        for (int i = 0; i < OBJECTS; i++)
            if (m.owner[i] == id(task) && (last == NOTHING || m.owned[i] > m.owned[last]))
                last = i;
        if (last == NOTHING)
            return;
        say(task, LOG_HELD, 0, 0);
        model_hand_on(last);
    }
}

void model_end_task(struct task *task)
{
    task->ended = true;
    m.live--;
    release_mutexes(task);
    bool joined = answer_joiners(task);
    answer_scope(task);
    for (int i = 0; i < m.count; i++) {
        struct task *child = &m.tasks[i];
        if (!child->exists || child->parent != id(task))
            continue;
        child->parent = NOBODY;
        child->detached = true;
        if (child->ended)
            model_free_record(child);
    }
    if (joined || task->detached)
        model_free_record(task);
}

/* ---- Unwinding */

/* A child that is to be killed with `parent`, or only with its scope in `frame`. */
static struct task *child_to_kill(const struct task *parent, const struct frame *frame)
{
    for (int i = 0; i < m.count; i++) {
        struct task *child = &m.tasks[i];
        if (alive(child) && !child->killed && child->parent == id(parent) &&
            (frame == NULL || model_in_scope(child, parent, frame)))
            return child;
    }
    return NULL;
}

static void free_scope(struct task *task, const struct frame *frame)
{
    for (int i = 0; i < m.count; i++)
        if (model_in_scope(&m.tasks[i], task, frame) && m.tasks[i].ended)
            model_free_record(&m.tasks[i]);
}

void model_end_scope(struct task *task, struct frame *frame)
{
    struct task *child;
    while ((child = child_to_kill(task, frame)) != NULL)
        model_kill_task(child, true);
    free_scope(task, frame);
}

/* The finally part. */
void model_last_words(struct task *task, const struct frame *frame)
{
    const struct function *function = function_of(frame);
    say(task, LOG_FINALLY, task->status, frame->function);
    if (function->has_last)
        model_act(task, &function->last);
}

static void pop_dying(struct task *task)
{
    task->dying = false;
    m.dying_count--;
}

/* One frame of the task on top of the stack of dying ones. */
static void unwind_one_frame(void)
{
    struct task *task = &m.tasks[m.dying[m.dying_count - 1]], *child = NULL, *below;
    struct frame *frame = task->depth == 0 ? NULL : top(task);
    if (task->killed && task->tree)
        child = child_to_kill(task, NULL);
    else if (frame != NULL && frame->scope)
        child = child_to_kill(task, frame);
    if (child != NULL) { /* what runs is only marked, but what is below it ends at once */
        while (id(child) == m.current && (below = child_to_kill(child, NULL)) != NULL)
            child = below;
        model_kill_task(child, true);
        return;
    }
    if (frame == NULL) {
        pop_dying(task);
        task->status = SOS_ECANCELED;
        model_end_task(task);
        return;
    }
    if (frame->scope)
        free_scope(task, frame);
    frame->scope = false;
    if (!task->killed && frame->expired) {
        pop_dying(task);
        task->depth--;
        task->status = SOS_ETIMEDOUT;
        task->woken = 0;
        model_enqueue(task, false);
        return;
    }
    if (!frame->deadline && frame->begun)
        model_last_words(task, frame);
    task->depth--;
}

void model_unwind(struct task *task)
{
    task->status = task->killed ? SOS_ECANCELED : SOS_ETIMEDOUT;
    task->dying = true;
    m.dying[m.dying_count++] = id(task);
    if (m.unwinding)
        return;
    m.unwinding = true;
    while (m.dying_count != 0)
        unwind_one_frame();
    m.unwinding = false;
}

void model_kill_task(struct task *task, bool tree)
{
    if (!alive(task))
        return;
    task->tree = task->tree || tree;
    if (task->killed)
        return;
    task->killed = true;
    if (task->dying) {
        task->status = SOS_ECANCELED;
    } else if (m.current != id(task)) {
        model_unregister(task);
        model_unwind(task);
    }
}

int model_kill_tree(struct task *task)
{
    struct task *child;
    if (!alive(task))
        return SOS_ESTALE;
    while (m.current == id(task) && (child = child_to_kill(task, NULL)) != NULL)
        model_kill_task(child, true);
    model_kill_task(task, true);
    return SOS_OK;
}
