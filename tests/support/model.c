/* SPDX-License-Identifier: MIT */
/*
 * The scheduler once more, written from the rules alone and to be obviously right: plain arrays,
 * linear scans, no lists, no heap. Tasks are known by the order in which they were made; a task
 * that runs stands in no queue.
 */
#include <string.h>

#include "check.h"
#include "program.h"
#include "smallos/error.h"

enum { NOBODY = -1, RUNNABLE = -1, NOTHING = -1, DEPTH = 40, AWAITS_PER_STEP = 64 };

enum outcome { DONE, SUSPENDED, CALLED };

struct frame {
    bool deadline; /* else a function */
    int function, pc;
    bool begun, waiting; /* for the operation at pc */
    bool scope;
    int scope_first; /* tasks made from then on, by this one, are in it */
    uint64_t due, armed; /* deadline: when, and in which order it was armed; 0: not */
    bool expired;
};

struct task {
    bool exists, ended, killed, tree, dying, detached, reported, queued;
    enum handler handler;
    int pid, parent, priority, level, status;
    unsigned signals, mask;
    int wait;     /* enum op_kind, or RUNNABLE */
    bool granted; /* has what it waited for, but has not run yet */
    bool kept;    /* has a result that came together with its deadline */
    int object, item;
    int targets[JOINS], results[JOINS];
    uint64_t began; /* order of waits */
    uint64_t due, armed;
    uint64_t woken; /* pass */
    int depth;
    struct frame frames[DEPTH];
};

static struct {
    const struct program *program;
    struct log *log;
    uint64_t now, pass, waits, arms;
    int count, live, records, next_pid, budget, items, streak, current;
    bool unwinding;
    int dying[TASKS], dying_count;
    int ready[LEVELS][TASKS], ready_count[LEVELS];
    struct task tasks[TASKS];
    struct {
        int items[OBJECTS], count, claimed;
    } queues[OBJECTS];
    int owner[OBJECTS], permits[OBJECTS];
    uint64_t owned[OBJECTS];
    bool set[OBJECTS];
} m;

static void kill_task(struct task *task, bool tree);
static int act(struct task *task, const struct op *op);

/* ---- Small questions */

static int id(const struct task *task)
{
    return (int)(task - m.tasks);
}

static struct frame *top(struct task *task)
{
    return &task->frames[task->depth - 1];
}

/* The innermost function. */
static struct frame *innermost(struct task *task)
{
    int at = task->depth - 1;
    while (task->frames[at].deadline)
        at--;
    return &task->frames[at];
}

static const struct function *function_of(const struct frame *frame)
{
    return &m.program->functions[frame->function];
}

static void say(const struct task *task, int kind, int status, int value)
{
    log_add(m.log, m.now, id(task), kind, status, value);
}

static bool alive(const struct task *task)
{
    return task->exists && !task->ended;
}

static bool waits(const struct task *task)
{
    return alive(task) && task->wait != RUNNABLE && !task->granted;
}

static struct task *target(const struct op *op, int index)
{
    return &m.tasks[op->target[index] % m.count];
}

/* ---- Ready queues and levels */

static void enqueue(struct task *task, bool front)
{
    int *queue = m.ready[task->level], *count = &m.ready_count[task->level];
    if (front)
        memmove(queue + 1, queue, (size_t)*count * sizeof *queue);
    queue[front ? 0 : *count] = id(task);
    ++*count;
    task->queued = true;
}

static void dequeue(struct task *task)
{
    int *queue = m.ready[task->level], *count = &m.ready_count[task->level], at = 0;
    while (queue[at] != id(task))
        at++;
    --*count;
    memmove(queue + at, queue + at + 1, (size_t)(*count - at) * sizeof *queue);
    task->queued = false;
}

static struct task *most_urgent(void)
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
static void settle_levels(void)
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
                dequeue(task);
            task->level = level;
            if (queued)
                enqueue(task, false);
        }
    }
}

/* ---- Waiting and waking */

static enum outcome suspend(struct task *task, int kind, int object)
{
    task->wait = kind;
    task->object = object;
    task->began = ++m.waits;
    if (kind == OP_LOCK)
        settle_levels();
    return SUSPENDED;
}

static void resume(struct task *task, int status, bool front)
{
    task->status = status;
    task->wait = RUNNABLE;
    task->woken = m.pass;
    enqueue(task, front);
}

static void grant(struct task *task, int status)
{
    int kind = task->wait;
    resume(task, status, true);
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
        resume(last, results == NULL ? status : results[id(last)], true);
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
static enum outcome complete(struct task *task, int status, int kind, int object)
{
    const struct task *other = most_urgent();
    bool overtaken = other != NULL && other->level < task->level;
    bool tired = m.streak++ >= AWAITS_PER_STEP;
    task->status = status;
    if (!overtaken && !tired && !task->killed)
        return DONE;
    enqueue(task, !tired);
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

static bool has_room(int queue)
{
    return m.queues[queue].count + m.queues[queue].claimed < queue_capacity(queue);
}

static void put_in(int queue, int item, bool front)
{
    struct task *reader = first_waiter(OP_GET, queue);
    int *items = m.queues[queue].items;
    if (reader != NULL) {
        reader->item = item;
        m.queues[queue].claimed++;
        grant(reader, SOS_OK);
        return;
    }
    if (front)
        memmove(items + 1, items, (OBJECTS - 1) * sizeof *items);
    items[front ? 0 : m.queues[queue].count] = item;
    m.queues[queue].count++;
}

static int take_out(int queue)
{
    int *items = m.queues[queue].items, item = items[0];
    memmove(items, items + 1, (OBJECTS - 1) * sizeof *items);
    m.queues[queue].count--;
    return item;
}

static void admit_writer(int queue)
{
    struct task *writer = first_waiter(OP_PUT, queue);
    if (writer == NULL || !has_room(queue))
        return;
    put_in(queue, writer->item, false);
    resume(writer, SOS_OK, true);
}

static void give_permit(int semaphore)
{
    struct task *task = first_waiter(OP_TAKE, semaphore);
    if (task != NULL)
        grant(task, SOS_OK);
    else
        m.permits[semaphore]++;
}

static void own(int mutex, int task)
{
    m.owner[mutex] = task;
    m.owned[mutex] = ++m.waits;
}

static void hand_on(int mutex)
{
    struct task *next = first_waiter(OP_LOCK, mutex);
    m.owner[mutex] = NOBODY;
    if (next != NULL) {
        own(mutex, id(next));
        grant(next, SOS_OK);
    }
    settle_levels();
}

static void set_event(int event)
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
        put_in(object, task->item, true);
    } else if (kind == OP_LOCK) {
        hand_on(object);
    } else {
        give_permit(object);
    }
}

/* Takes a task out of whatever it waits for. */
static void unregister(struct task *task)
{
    if (task->queued)
        dequeue(task);
    if (task->granted)
        give_back(task);
    task->wait = RUNNABLE;
    task->kept = false;
    settle_levels();
}

/* ---- Records and the end of a task */

static int add_task(int function, int parent, int priority)
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
    enqueue(task, false);
    return task->pid;
}

static void free_record(struct task *task)
{
    if (task->status < 0 && task->status != SOS_ECANCELED && !task->reported)
        say(task, LOG_FAILED, task->status, 0);
    task->exists = false;
    task->parent = NOBODY;
    m.records--;
}

static bool in_scope(const struct task *child, const struct task *parent,
                     const struct frame *frame)
{
    return child->exists && child->parent == id(parent) && id(child) >= frame->scope_first;
}

static bool scope_is_busy(const struct task *parent, const struct frame *frame)
{
    for (int i = 0; i < m.count; i++)
        if (in_scope(&m.tasks[i], parent, frame) && !m.tasks[i].ended)
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
        !in_scope(task, owner, &owner->frames[owner->object]))
        return;
    task->reported = task->reported || task->status < 0;
    if (task->status < 0 || !scope_is_busy(owner, &owner->frames[owner->object]))
        resume(owner, task->status < 0 ? task->status : SOS_OK, true);
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
        hand_on(last);
    }
}

static void end_task(struct task *task)
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
            free_record(child);
    }
    if (joined || task->detached)
        free_record(task);
}

/* ---- Unwinding */

/* A child that is to be killed with `parent`, or only with its scope in `frame`. */
static struct task *child_to_kill(const struct task *parent, const struct frame *frame)
{
    for (int i = 0; i < m.count; i++) {
        struct task *child = &m.tasks[i];
        if (alive(child) && !child->killed && child->parent == id(parent) &&
            (frame == NULL || in_scope(child, parent, frame)))
            return child;
    }
    return NULL;
}

static void free_scope(struct task *task, const struct frame *frame)
{
    for (int i = 0; i < m.count; i++)
        if (in_scope(&m.tasks[i], task, frame) && m.tasks[i].ended)
            free_record(&m.tasks[i]);
}

static void end_scope(struct task *task, struct frame *frame)
{
    struct task *child;
    while ((child = child_to_kill(task, frame)) != NULL)
        kill_task(child, true);
    free_scope(task, frame);
}

/* The finally part. */
static void last_words(struct task *task, const struct frame *frame)
{
    const struct function *function = function_of(frame);
    say(task, LOG_FINALLY, task->status, frame->function);
    if (function->has_last)
        act(task, &function->last);
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
        kill_task(child, true);
        return;
    }
    if (frame == NULL) {
        pop_dying(task);
        task->status = SOS_ECANCELED;
        end_task(task);
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
        enqueue(task, false);
        return;
    }
    if (!frame->deadline && frame->begun)
        last_words(task, frame);
    task->depth--;
}

static void unwind(struct task *task)
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

static void kill_task(struct task *task, bool tree)
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
        unregister(task);
        unwind(task);
    }
}

static int kill_tree(struct task *task)
{
    struct task *child;
    if (!alive(task))
        return SOS_ESTALE;
    while (m.current == id(task) && (child = child_to_kill(task, NULL)) != NULL)
        kill_task(child, true);
    kill_task(task, true);
    return SOS_OK;
}

/* ---- Operations that are not awaited */

static int send_signal(struct task *task, int signal)
{
    if (!alive(task))
        return SOS_ESTALE;
    if (task->handler != HANDLER_NONE) {
        say(task, LOG_HANDLER, signal, 0);
        if (task->handler == HANDLER_KILLS)
            kill_task(task, false);
        if (!alive(task))
            return SOS_OK;
    }
    if (waits(task) && task->wait == OP_WAIT_SIGNAL && (task->mask >> signal & 1u) != 0)
        grant(task, signal);
    else
        task->signals |= 1u << signal;
    return SOS_OK;
}

static int check_signal(struct task *task, int signal)
{
    int latched = (int)(task->signals >> signal & 1u);
    task->signals &= ~(1u << signal);
    return latched;
}

static int wake(struct task *task)
{
    if (!alive(task))
        return SOS_ESTALE;
    if (!waits(task))
        return SOS_EAGAIN;
    unregister(task);
    resume(task, SOS_EINTR, true);
    return SOS_OK;
}

static int set_priority(struct task *task, int priority)
{
    if (priority < 1 || priority >= LEVELS)
        return SOS_EINVAL;
    if (!alive(task))
        return SOS_ESTALE;
    task->priority = priority;
    settle_levels();
    return SOS_OK;
}

static int release(struct task *task)
{
    if (!task->exists)
        return SOS_ESTALE;
    task->detached = true;
    if (task->ended)
        free_record(task);
    return SOS_OK;
}

static int try_put(struct task *task, int queue)
{
    task->item = ++m.items;
    if (!has_room(queue))
        return SOS_EAGAIN;
    put_in(queue, task->item, false);
    return SOS_OK;
}

static int try_get(struct task *task, int queue)
{
    task->item = 0;
    if (m.queues[queue].count == 0)
        return SOS_EAGAIN;
    task->item = take_out(queue);
    admit_writer(queue);
    return SOS_OK;
}

static int unlock(struct task *task, int mutex)
{
    if (m.owner[mutex] != id(task))
        return SOS_EPERM;
    hand_on(mutex);
    return SOS_OK;
}

static int act_on_task(struct task *task, const struct op *op)
{
    struct task *other = target(op, 0);
    switch (op->kind) {
    case OP_SIGNAL:
        return send_signal(other, op->number);
    case OP_CHECK:
        return check_signal(task, op->number);
    case OP_KILL:
        if (!alive(other))
            return SOS_ESTALE;
        kill_task(other, false);
        return SOS_OK;
    case OP_KILL_TREE:
        return kill_tree(other);
    case OP_WAKE:
        return wake(other);
    case OP_PRIORITY:
        return set_priority(other, op->number);
    case OP_RELEASE:
        return release(other);
    default:
        return other->exists && other->ended ? other->status : 77;
    }
}

static int act(struct task *task, const struct op *op)
{
    switch (op->kind) {
    case OP_SPAWN:
    case OP_FORK:
        if (m.count == TASKS)
            return SOS_EAGAIN;
        return add_task(op->number, op->kind == OP_FORK ? NOBODY : id(task), op->priority);
    case OP_TRY_PUT:
        return try_put(task, op->number);
    case OP_TRY_GET:
        return try_get(task, op->number);
    case OP_UNLOCK:
        return unlock(task, op->number);
    case OP_GIVE:
        give_permit(op->number);
        return SOS_OK;
    case OP_EVENT_SET:
        set_event(op->number);
        return SOS_OK;
    case OP_EVENT_CLEAR:
        m.set[op->number] = false;
        return SOS_OK;
    case OP_SPEND:
        m.now += op->number;
        return SOS_OK;
    case OP_SCOPE_CLEAR:
        end_scope(task, innermost(task));
        return SOS_OK;
    default:
        return act_on_task(task, op);
    }
}

/* ---- Operations that are awaited */

/* Does `task` wait for `other`, directly or over more, with no other way out? */
static bool waits_for(const struct task *task, const struct task *other)
{
    if (task == other)
        return true;
    if (!waits(task))
        return false;
    if (task->wait == OP_JOIN)
        return waits_for(&m.tasks[task->object], other);
    for (int i = 0; i < JOINS && task->wait == OP_JOIN_ALL; i++)
        if (task->results[i] == SOS_EAGAIN && waits_for(&m.tasks[task->targets[i]], other))
            return true;
    return false;
}

static int check_target(const struct task *task, const struct task *other)
{
    if (!other->exists)
        return SOS_ESTALE;
    return other == task || (!other->ended && waits_for(other, task)) ? SOS_EDEADLK : SOS_OK;
}

static enum outcome join(struct task *task, struct task *other)
{
    int error = check_target(task, other);
    if (error != 0)
        return complete(task, error, NOTHING, 0);
    if (!other->ended)
        return suspend(task, OP_JOIN, id(other));
    other->reported = true;
    free_record(other);
    return complete(task, other->status, NOTHING, 0);
}

static enum outcome join_several(struct task *task, const struct op *op)
{
    int first = NOTHING, failed = NOTHING, pending = 0;
    for (int i = 0; i < JOINS; i++)
        task->results[i] = 99;
    for (int i = 0; i < JOINS; i++) {
        int error = check_target(task, target(op, i));
        if (error != 0)
            return complete(task, error, NOTHING, 0);
    }
    for (int i = 0; i < JOINS; i++) {
        struct task *other = target(op, i);
        task->targets[i] = id(other);
        task->results[i] = other->ended ? other->status : SOS_EAGAIN;
        other->reported = other->reported || other->ended;
        pending += !other->ended;
        first = first == NOTHING && other->ended ? i : first;
        failed = failed == NOTHING && other->ended && other->status < 0 ? i : failed;
    }
    for (int i = 0; i < JOINS; i++)
        if (target(op, i)->exists && target(op, i)->ended)
            free_record(target(op, i));
    if (op->kind == OP_JOIN_ANY && first != NOTHING)
        return complete(task, first, NOTHING, 0);
    if (op->kind == OP_JOIN_ALL && failed != NOTHING)
        return complete(task, task->results[failed], NOTHING, 0);
    return pending == 0 ? complete(task, SOS_OK, NOTHING, 0) : suspend(task, op->kind, 0);
}

static enum outcome scope_join(struct task *task)
{
    struct frame *frame = innermost(task);
    for (int i = 0; i < m.count; i++) {
        struct task *child = &m.tasks[i];
        if (in_scope(child, task, frame) && child->ended && child->status < 0 &&
            !child->reported) {
            child->reported = true;
            return complete(task, child->status, NOTHING, 0);
        }
    }
    if (!scope_is_busy(task, frame))
        return complete(task, SOS_OK, NOTHING, 0);
    return suspend(task, OP_SCOPE_JOIN, (int)(frame - task->frames));
}

static enum outcome wait_signal(struct task *task, unsigned mask)
{
    for (int signal = 0; signal < 32; signal++)
        if ((mask & task->signals) >> signal & 1u) {
            task->signals &= ~(1u << signal);
            return complete(task, signal, OP_WAIT_SIGNAL, 0);
        }
    task->mask = mask;
    return suspend(task, OP_WAIT_SIGNAL, 0);
}

static enum outcome lock(struct task *task, int mutex)
{
    if (m.owner[mutex] == id(task))
        return complete(task, SOS_EDEADLK, NOTHING, 0);
    if (m.owner[mutex] != NOBODY)
        return suspend(task, OP_LOCK, mutex);
    own(mutex, id(task));
    return complete(task, SOS_OK, OP_LOCK, mutex);
}

/* One that is overtaken at once keeps the item's place in the queue until it runs. */
static enum outcome get(struct task *task, int queue)
{
    task->item = 0;
    if (m.queues[queue].count == 0)
        return suspend(task, OP_GET, queue);
    task->item = take_out(queue);
    enum outcome outcome = complete(task, SOS_OK, OP_GET, queue);
    if (outcome == DONE)
        admit_writer(queue);
    return outcome;
}

static enum outcome put(struct task *task, int queue)
{
    int status = try_put(task, queue);
    return status == SOS_OK ? complete(task, SOS_OK, NOTHING, 0) : suspend(task, OP_PUT, queue);
}

static enum outcome sleep_for(struct task *task, uint64_t us)
{
    task->due = m.now + us;
    task->armed = ++m.arms;
    return suspend(task, OP_SLEEP, 0);
}

static enum outcome take(struct task *task, int semaphore)
{
    if (m.permits[semaphore] == 0)
        return suspend(task, OP_TAKE, semaphore);
    m.permits[semaphore]--;
    return complete(task, SOS_OK, OP_TAKE, semaphore);
}

static enum outcome begin(struct task *task, const struct op *op)
{
    switch (op->kind) {
    case OP_YIELD:
        task->status = SOS_OK;
        enqueue(task, false);
        return SUSPENDED;
    case OP_SLEEP:
        return sleep_for(task, op->number);
    case OP_WAIT_SIGNAL:
        return wait_signal(task, 1u << op->number | 1u << 2);
    case OP_JOIN:
        return join(task, target(op, 0));
    case OP_JOIN_ALL:
    case OP_JOIN_ANY:
        return join_several(task, op);
    case OP_PUT:
        return put(task, op->number);
    case OP_GET:
        return get(task, op->number);
    case OP_LOCK:
        return lock(task, op->number);
    case OP_TAKE:
        return take(task, op->number);
    case OP_EVENT_WAIT:
        return m.set[op->number] ? complete(task, SOS_OK, NOTHING, 0)
                                 : suspend(task, OP_EVENT_WAIT, op->number);
    case OP_SCOPE_JOIN:
        return scope_join(task);
    default:
        task->frames[task->depth++] = (struct frame){ .function = op->number };
        return CALLED;
    }
}

/* ---- Steps */

static int value_of(const struct task *task, const struct op *op, int status)
{
    if ((op->kind == OP_GET || op->kind == OP_TRY_GET) && status == SOS_OK)
        return task->item;
    return op->kind == OP_JOIN_ALL || op->kind == OP_JOIN_ANY ? joins_value(task->results) : 0;
}

/* The innermost function ends. False: so does the step. */
static bool leave(struct task *task, int status)
{
    struct frame *frame = top(task);
    if (frame->scope)
        end_scope(task, frame);
    frame->scope = false;
    task->status = status;
    last_words(task, frame);
    task->depth--;
    while (task->depth != 0 && top(task)->deadline)
        task->depth--;
    if (task->depth == 0) {
        if (task->killed)
            task->status = SOS_ECANCELED;
        end_task(task);
        return false;
    }
    return !task->killed && complete(task, task->status, NOTHING, 0) == DONE;
}

/* The next operation of the innermost function. */
static enum outcome next_op(struct task *task, struct frame *frame)
{
    const struct op *op = &function_of(frame)->ops[frame->pc];
    m.budget--;
    if (op->kind >= OP_AWAITED) {
        int status = act(task, op);
        say(task, op->kind, status, value_of(task, op, status));
        frame->pc++;
        return DONE;
    }
    frame->waiting = true;
    if (op->within >= 0)
        task->frames[task->depth++] = (struct frame){
            .deadline = true, .due = m.now + (uint64_t)op->within, .armed = ++m.arms
        };
    enum outcome outcome = begin(task, op);
    if (outcome == DONE && top(task)->deadline)
        task->depth--;
    return outcome;
}

static void run_until_suspended(struct task *task)
{
    for (enum outcome outcome = DONE; outcome != SUSPENDED && !(task->killed && outcome == CALLED);) {
        struct frame *frame = top(task);
        const struct function *function = function_of(frame);
        if (frame->deadline) {
            task->depth--;
            outcome = complete(task, task->status, NOTHING, 0);
            continue;
        }
        if (!frame->begun) {
            frame->begun = true;
            frame->scope = function->scope;
            frame->scope_first = m.count;
        } else if (frame->waiting) {
            const struct op *op = &function->ops[frame->pc];
            frame->waiting = false;
            say(task, op->kind, task->status, value_of(task, op, task->status));
            if (op->attempt && task->status < 0) {
                outcome = leave(task, task->status) ? DONE : SUSPENDED;
                continue;
            }
            frame->pc++;
        }
        if (frame->pc >= function->count || m.budget <= 0)
            outcome = leave(task, function->result) ? DONE : SUSPENDED;
        else
            outcome = next_op(task, frame);
    }
}

static void step(struct task *task)
{
    int kind = task->wait;
    dequeue(task);
    m.current = id(task);
    m.streak = 0;
    task->kept = false;
    task->wait = RUNNABLE;
    if (task->granted && kind == OP_GET) {
        m.queues[task->object].claimed--;
        admit_writer(task->object);
    }
    task->granted = false;
    run_until_suspended(task);
    m.current = NOBODY;
    if (task->killed && alive(task)) {
        unregister(task);
        unwind(task);
    }
}

/* ---- Passes */

/* The next timer after (`due`, `armed`): its moment; SIZE of nothing: UINT64_MAX. */
struct timer {
    uint64_t due, armed;
    struct task *task;
    struct frame *frame; /* NULL: a sleep */
};

static void consider(struct timer *best, struct timer after, struct timer timer)
{
    bool later = timer.due > after.due || (timer.due == after.due && timer.armed > after.armed);
    bool sooner = timer.due < best->due || (timer.due == best->due && timer.armed < best->armed);
    if (later && sooner)
        *best = timer;
}

static struct timer next_timer(struct timer after)
{
    struct timer best = { UINT64_MAX, UINT64_MAX, NULL, NULL };
    for (int i = 0; i < m.count; i++) {
        struct task *task = &m.tasks[i];
        if (!alive(task))
            continue;
        if (waits(task) && task->wait == OP_SLEEP)
            consider(&best, after, (struct timer){ task->due, task->armed, task, NULL });
        for (int j = 0; j < task->depth; j++)
            if (task->frames[j].deadline && !task->frames[j].expired)
                consider(&best, after, (struct timer){ task->frames[j].due, task->frames[j].armed,
                                                       task, &task->frames[j] });
    }
    return best;
}

static void expire(struct task *task, struct frame *frame)
{
    if (!waits(task) && (task->woken == m.pass || task->kept)) {
        task->kept = true; /* a result that came in the same pass */
        return;
    }
    frame->expired = true;
    unregister(task);
    unwind(task);
}

/* Sleeps first, then deadlines, each by moment and by the order in which they were armed. */
static void look(void)
{
    struct timer timer = { 0, 0, NULL, NULL };
    m.pass++;
    uint64_t now = m.now, arms = m.arms;
    while ((timer = next_timer(timer)).due <= now)
        if (timer.frame == NULL)
            resume(timer.task, SOS_OK, false);
    timer = (struct timer){ 0, 0, NULL, NULL };
    while ((timer = next_timer(timer)).due <= now)
        if (timer.frame != NULL && timer.armed <= arms)
            expire(timer.task, timer.frame);
}

static void say_what_is_left(bool stuck)
{
    for (int pid = 0; pid < (int)m.program->capacity && stuck; pid++)
        for (int i = 0; i < m.count; i++)
            if (alive(&m.tasks[i]) && m.tasks[i].pid == pid)
                say(&m.tasks[i], LOG_STUCK, 0, 0);
    for (int pid = 0; pid < (int)m.program->capacity; pid++)
        for (int i = 0; i < m.count; i++) {
            struct task *task = &m.tasks[i];
            if (task->exists && task->ended && task->pid == pid && task->status < 0 &&
                task->status != SOS_ECANCELED && !task->reported)
                say(task, LOG_FAILED, task->status, 0);
        }
    log_add(m.log, m.now, 0, LOG_END, stuck ? SOS_ESTUCK : SOS_OK, 0);
}

static void start(const struct program *program, struct log *log)
{
    memset(&m, 0, sizeof m);
    m.program = program;
    m.log = log;
    m.budget = BUDGET;
    m.current = NOBODY;
    for (int i = 0; i < OBJECTS; i++) {
        m.owner[i] = NOBODY;
        m.permits[i] = first_permits(i);
    }
    for (int i = 0; i < program->starts_count; i++)
        add_task(program->starts[i].function, NOBODY, program->starts[i].priority);
}

void model_run(const struct program *program, struct log *log)
{
    start(program, log);
    for (;;) {
        look();
        struct task *task = most_urgent();
        m.now += program->step_us; /* a step follows, or the wait takes it back */
        if (task != NULL) {
            step(task);
            continue;
        }
        struct timer timer = next_timer((struct timer){ 0, 0, NULL, NULL });
        if (m.live == 0 || timer.due == UINT64_MAX) {
            say_what_is_left(m.live != 0);
            return;
        }
        m.now -= program->step_us;
        if (timer.due > m.now)
            m.now = timer.due;
    }
}
