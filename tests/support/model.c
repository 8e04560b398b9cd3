/* SPDX-License-Identifier: MIT */
/*
 * The model: the scheduler once more, written from the rules alone and to be obviously right.
 * Plain arrays, linear scans, no lists, no heap. Here: operations, steps and passes.
 */
#include <string.h>

#include "model.h"

/* ---- Operations that are not awaited */

static int send_signal(struct task *task, int signal)
{
    if (!alive(task))
        return SOS_ESTALE;
    if (task->handler != HANDLER_NONE) {
        say(task, LOG_HANDLER, signal, 0);
        if (task->handler == HANDLER_KILLS)
            model_kill_task(task, false);
        if (!alive(task))
            return SOS_OK;
    }
    if (waits(task) && task->wait == OP_WAIT_SIGNAL && (task->mask >> signal & 1u) != 0)
        model_grant(task, signal);
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
    model_unregister(task);
    model_resume(task, SOS_EINTR, true);
    return SOS_OK;
}

static int set_priority(struct task *task, int priority)
{
    if (priority < 1 || priority >= LEVELS)
        return SOS_EINVAL;
    if (!alive(task))
        return SOS_ESTALE;
    task->priority = priority;
    model_settle_levels();
    return SOS_OK;
}

static int release(struct task *task)
{
    if (!task->exists)
        return SOS_ESTALE;
    task->detached = true;
    if (task->ended)
        model_free_record(task);
    return SOS_OK;
}

static int try_put(struct task *task, int queue)
{
    task->item = ++m.items;
    if (!model_has_room(queue))
        return SOS_EAGAIN;
    model_put_in(queue, task->item, false);
    return SOS_OK;
}

static int try_get(struct task *task, int queue)
{
    task->item = 0;
    if (m.queues[queue].count == 0)
        return SOS_EAGAIN;
    task->item = model_take_out(queue);
    model_admit_writer(queue);
    return SOS_OK;
}

static int unlock(struct task *task, int mutex)
{
    if (m.owner[mutex] != id(task))
        return SOS_EPERM;
    model_hand_on(mutex);
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
        model_kill_task(other, false);
        return SOS_OK;
    case OP_KILL_TREE:
        return model_kill_tree(other);
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

int model_act(struct task *task, const struct op *op)
{
    switch (op->kind) {
    case OP_SPAWN:
    case OP_FORK:
        if (m.count == TASKS)
            return SOS_EAGAIN;
        return model_add_task(op->number, op->kind == OP_FORK ? NOBODY : id(task), op->priority);
    case OP_TRY_PUT:
        return try_put(task, op->number);
    case OP_TRY_GET:
        return try_get(task, op->number);
    case OP_UNLOCK:
        return unlock(task, op->number);
    case OP_GIVE:
        model_give_permit(op->number);
        return SOS_OK;
    case OP_EVENT_SET:
        model_set_event(op->number);
        return SOS_OK;
    case OP_EVENT_CLEAR:
        m.set[op->number] = false;
        return SOS_OK;
    case OP_SPEND:
        m.now += op->number;
        return SOS_OK;
    case OP_SCOPE_CLEAR:
        model_end_scope(task, innermost(task));
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
        return model_complete(task, error, NOTHING, 0);
    if (!other->ended)
        return model_suspend(task, OP_JOIN, id(other));
    other->reported = true;
    model_free_record(other);
    return model_complete(task, other->status, NOTHING, 0);
}

static enum outcome join_several(struct task *task, const struct op *op)
{
    int first = NOTHING, failed = NOTHING, pending = 0;
    for (int i = 0; i < JOINS; i++)
        task->results[i] = 99;
    for (int i = 0; i < JOINS; i++) {
        int error = check_target(task, target(op, i));
        if (error != 0)
            return model_complete(task, error, NOTHING, 0);
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
            model_free_record(target(op, i));
    if (op->kind == OP_JOIN_ANY && first != NOTHING)
        return model_complete(task, first, NOTHING, 0);
    if (op->kind == OP_JOIN_ALL && failed != NOTHING)
        return model_complete(task, task->results[failed], NOTHING, 0);
    return pending == 0 ? model_complete(task, SOS_OK, NOTHING, 0)
                        : model_suspend(task, op->kind, 0);
}

static enum outcome scope_join(struct task *task)
{
    struct frame *frame = innermost(task);
    for (int i = 0; i < m.count; i++) {
        struct task *child = &m.tasks[i];
        if (model_in_scope(child, task, frame) && child->ended && child->status < 0 &&
            !child->reported) {
            child->reported = true;
            return model_complete(task, child->status, NOTHING, 0);
        }
    }
    if (!model_scope_is_busy(task, frame))
        return model_complete(task, SOS_OK, NOTHING, 0);
    return model_suspend(task, OP_SCOPE_JOIN, (int)(frame - task->frames));
}

static enum outcome wait_signal(struct task *task, unsigned mask)
{
    for (int signal = 0; signal < 32; signal++)
        if ((mask & task->signals) >> signal & 1u) {
            task->signals &= ~(1u << signal);
            return model_complete(task, signal, OP_WAIT_SIGNAL, 0);
        }
    task->mask = mask;
    return model_suspend(task, OP_WAIT_SIGNAL, 0);
}

static enum outcome lock(struct task *task, int mutex)
{
    if (m.owner[mutex] == id(task))
        return model_complete(task, SOS_EDEADLK, NOTHING, 0);
    if (m.owner[mutex] != NOBODY)
        return model_suspend(task, OP_LOCK, mutex);
    model_own(mutex, id(task));
    return model_complete(task, SOS_OK, OP_LOCK, mutex);
}

/* One that is overtaken at once keeps the item's place in the queue until it runs. */
static enum outcome get(struct task *task, int queue)
{
    task->item = 0;
    if (m.queues[queue].count == 0)
        return model_suspend(task, OP_GET, queue);
    task->item = model_take_out(queue);
    enum outcome outcome = model_complete(task, SOS_OK, OP_GET, queue);
    if (outcome == DONE)
        model_admit_writer(queue);
    return outcome;
}

static enum outcome put(struct task *task, int queue)
{
    int status = try_put(task, queue);
    return status == SOS_OK ? model_complete(task, SOS_OK, NOTHING, 0)
                            : model_suspend(task, OP_PUT, queue);
}

static enum outcome sleep_for(struct task *task, uint64_t us)
{
    task->due = m.now + us;
    task->armed = ++m.arms;
    return model_suspend(task, OP_SLEEP, 0);
}

static enum outcome take(struct task *task, int semaphore)
{
    if (m.permits[semaphore] == 0)
        return model_suspend(task, OP_TAKE, semaphore);
    m.permits[semaphore]--;
    return model_complete(task, SOS_OK, OP_TAKE, semaphore);
}

static enum outcome begin(struct task *task, const struct op *op)
{
    switch (op->kind) {
    case OP_YIELD:
        task->status = SOS_OK;
        model_enqueue(task, false);
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
        return m.set[op->number] ? model_complete(task, SOS_OK, NOTHING, 0)
                                 : model_suspend(task, OP_EVENT_WAIT, op->number);
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
        model_end_scope(task, frame);
    frame->scope = false;
    task->status = status;
    model_last_words(task, frame);
    task->depth--;
    while (task->depth != 0 && top(task)->deadline)
        task->depth--;
    if (task->depth == 0) {
        if (task->killed)
            task->status = SOS_ECANCELED;
        model_end_task(task);
        return false;
    }
    return !task->killed && model_complete(task, task->status, NOTHING, 0) == DONE;
}

/* The next operation of the innermost function. */
static enum outcome next_op(struct task *task, struct frame *frame)
{
    const struct op *op = &function_of(frame)->ops[frame->pc];
    m.budget--;
    if (op->kind >= OP_AWAITED) {
        int status = model_act(task, op);
        say(task, op->kind, status, value_of(task, op, status));
        frame->pc++;
        return DONE;
    }
    frame->waiting = true;
    if (op->within >= 0)
        task->frames[task->depth++] = (struct frame){ .deadline = true,
                                                      .due = m.now + (uint64_t)op->within,
                                                      .armed = ++m.arms };
    enum outcome outcome = begin(task, op);
    if (outcome == DONE && top(task)->deadline)
        task->depth--;
    return outcome;
}

static void run_until_suspended(struct task *task)
{
    for (enum outcome outcome = DONE;
         outcome != SUSPENDED && !(task->killed && outcome == CALLED);) {
        struct frame *frame = top(task);
        const struct function *function = function_of(frame);
        if (frame->deadline) {
            task->depth--;
            outcome = model_complete(task, task->status, NOTHING, 0);
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
    model_dequeue(task);
    m.current = id(task);
    m.streak = 0;
    task->kept = false;
    task->wait = RUNNABLE;
    if (task->granted && kind == OP_GET) {
        m.queues[task->object].claimed--;
        model_admit_writer(task->object);
    }
    task->granted = false;
    run_until_suspended(task);
    m.current = NOBODY;
    if (task->killed && alive(task)) {
        model_unregister(task);
        model_unwind(task);
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
                consider(&best, after,
                         (struct timer){ task->frames[j].due, task->frames[j].armed, task,
                                         &task->frames[j] });
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
    model_unregister(task);
    model_unwind(task);
}

/* Sleeps first, then deadlines, each by moment and by the order in which they were armed. */
static void look(void)
{
    struct timer timer = { 0, 0, NULL, NULL };
    m.pass++;
    uint64_t now = m.now, arms = m.arms;
    while ((timer = next_timer(timer)).due <= now)
        if (timer.frame == NULL)
            model_resume(timer.task, SOS_OK, false);
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
        model_add_task(program->starts[i].function, NOBODY, program->starts[i].priority);
}

void model_run(const struct program *program, struct log *log)
{
    start(program, log);
    for (;;) {
        look();
        struct task *task = model_most_urgent();
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
