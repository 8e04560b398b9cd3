/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: passes, steps and the end of a run. A pass looks at clock and events, then runs
 * one step; how many steps may go by between two looks says the kernel, and its doorbell or a
 * post brings the next look forward.
 */
#include "internal.h"

#ifdef SOS_HARD
/* Whatever a function left on the stack is gone when it goes on. */
static __attribute__((noinline)) void before_step(void)
{
    volatile unsigned char stack[4096];
    for (size_t index = 0; index < sizeof stack; index++)
        stack[index] = 0xA5;
}
#else
#define before_step() ((void)0)
#endif

/* ---- Steps */

/* A task lets its equals run: to the back of its queue, which for the front task is one store. */
static void yield(sos *os, sos_task *task)
{
    struct sos_link **queue = &os->ready[task->link.level];
    task->link.status = SOS_OK;
    if (SOS_FAST_ && LIKELY_(*queue == &task->link && os->policy == NULL)) {
        *queue = task->link.next;
    } else {
        sos_ready_remove_(os, task);
        sos_ready_place_(os, task, SOS_PLACE_YIELD);
    }
}

/* The innermost function has ended. False: so has the task, or its step. */
static inline bool function_ended(sos *os, sos_task *task)
{
    sos_frame *frame = task->frame;
    if (frame->resume != SOS_RESUME_UNWIND_) { /* it ran to async_end without async_return */
        if (UNLIKELY_(frame->scope != 0))
            sos_return_(task, SOS_OK);
        task->link.status = SOS_OK;
    }
    os->running = task;
    sos_frame_pop_(task);
    if (task->frame == NULL) {
        sos_ready_remove_(os, task);
        if (UNLIKELY_((task->link.flags & SOS_KILLED_) != 0)) {
            task->link.status = SOS_ECANCELED;
            os->killed = NULL;
        }
        sos_task_end_(task);
        return false;
    }
    while ((task->frame->flags & SOS_GUARD_) != 0) { /* never the first frame */
        task->frame->function(task, task->frame);
        sos_frame_pop_(task);
    }
    return (task->link.flags & SOS_KILLED_) != 0 ||
           sos_complete_(task, task->link.status).outcome_ == SOS_DONE_;
}

/*
 * What a step does beyond suspending its task: functions that end and are called, yields. Goes on
 * with the frame that is on top until the task has suspended.
 */
static void finish_step(sos *os, sos_task *task, int outcome)
{
    while (outcome != SOS_SUSPENDED_) {
        if (outcome == SOS_YIELDED_) {
            if (UNLIKELY_(os->running != task))
                sos_refuse_in_(task, task->frame); /* it awaited in async_finally */
            yield(os, task);
            return;
        }
        if (outcome == SOS_DONE_ && !function_ended(os, task))
            return;
        if (UNLIKELY_((task->link.flags & SOS_KILLED_) != 0))
            return; /* run_steps reaps it */
        before_step();
        outcome = task->frame->function(task, task->frame);
    }
}

static inline int begin_step(sos *os, sos_task *task)
{
    os->running = task;
    os->streak = 0;
    before_step();
    return task->frame->function(task, task->frame);
}

void sos_step_(sos *os, sos_task *task)
{
    finish_step(os, task, begin_step(os, task));
}

/* The way around for what few steps need: grants, levels above 31, accounting, a policy. */
static bool step_with_care(sos *os)
{
    sos_task *task = NULL;
    if (os->policy != NULL && os->policy->pick != NULL)
        task = os->policy->pick(os);
    if (task == NULL) {
        unsigned level = sos_ready_level_(os);
        if (level >= SOS_LEVELS_MAX_)
            return false;
        task = task_of_(os->ready[level]);
    }
    if (task->link.kind != SOS_RUNNABLE)
        sos_claim_(task);
    if (os->step != NULL)
        os->step(os, task);
    else
        sos_step_(os, task);
    return true;
}

static inline bool undisturbed(const sos *os)
{
    return (__atomic_load_n(&os->attention.word, __ATOMIC_RELAXED) | *os->doorbell) == 0;
}

/*
 * Steps of the tasks of one level, in turn, as long as each of them yields and nothing asks for
 * attention: that costs no more than a look at what can interrupt it. The next task is known
 * without asking the queue for its front. Where size counts it is one step. Returns the steps that
 * are left.
 */
static uint32_t run_level(sos *os, uint32_t bits, uint32_t steps)
{
    struct sos_link **queue = &os->ready[sos_first_level_(bits)];
    sos_task *task = task_of_(*queue);
    TWO_A_TURN_
    do {
        int outcome = begin_step(os, task);
        if (UNLIKELY_(outcome != SOS_YIELDED_ || *queue != &task->link || os->running != task)) {
            if (!SOS_FAST_ ||
                (outcome != SOS_SUSPENDED_ && !(outcome == SOS_DONE_ && sos_end_usual_(task))))
                finish_step(os, task, outcome);
            return steps - 1;
        }
        task->link.status = SOS_OK;
        task = task_of_(task->link.next);
        *queue = &task->link;
    } while (--steps != 0 && SOS_FAST_ && undisturbed(os) && os->ready_bits == bits);
    return steps;
}

/* Runs steps as long as nothing asks for attention. Returns the steps that are left. */
static uint32_t run_undisturbed(sos *os, uint32_t steps)
{
    uint32_t bits;
    while (steps != 0 && undisturbed(os) && (bits = os->ready_bits) != 0)
        steps = run_level(os, bits, steps);
    return steps;
}

/* Runs up to `steps` steps; fewer when something wants to be looked at or nothing is runnable. */
static void run_steps(sos *os, uint32_t steps)
{
    uint32_t granted = steps; /* one is taken even if the bell rings all the time */
    for (;; steps--) {
        steps = run_undisturbed(os, steps);
        if (os->attention.byte.killed)
            os->reap_killed(os);
        if (steps == 0 ||
            (steps != granted &&
             (__atomic_load_n(&os->attention.byte.posted, __ATOMIC_RELAXED) != 0 ||
              *os->doorbell != 0)) ||
            !step_with_care(os))
            break;
    }
    os->running = NULL;
}

/* ---- Looks */

static void wake_sleepers(sos *os, uint64_t now)
{
    struct sos_link *link;
    while ((link = sos_timer_pop_(os, now)) != NULL) {
        if (link->kind == SOS_DEADLINE_) {
            link->kind = SOS_EXPIRED_LINK_;
            sos_list_append_(&os->expired, link);
        } else {
            sos_resume_(task_of_(link), SOS_OK, SOS_PLACE_BACK);
        }
    }
}

/* A collection is over: what came in it goes to the front in the order in which it came. */
void sos_batch_flush_(sos *os)
{
    os->collecting = false;
    while (os->batch != NULL) {
        struct sos_link *link = os->batch->prev;
        sos_list_remove_(&os->batch, link);
        sos_ready_place_(os, task_of_(link), SOS_PLACE_FRONT);
    }
}

/* The first half of a pass. Returns after how many steps to look again. */
static uint32_t look(sos *os)
{
    struct sos_kernel *kernel = os->kernel;
    uint32_t steps = 1;
    os->pass++;
    uint64_t now = kernel->now(kernel);
    wake_sleepers(os, now);
    os->collecting = true;
    if (__atomic_load_n(&os->attention.byte.posted, __ATOMIC_RELAXED) != 0) {
        __atomic_store_n(&os->attention.byte.posted, 0, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* what is posted from here on rings again */
        void (*take_posts)(sos *) = __atomic_load_n(&os->take_posts, __ATOMIC_RELAXED);
        if (take_posts != NULL)
            take_posts(os);
    }
    os->looked_due = sos_timer_next_(os);
    if (kernel->look != NULL)
        steps = kernel->look(kernel, os, now, os->looked_due);
    os->pace = steps;
    sos_batch_flush_(os);
    if (os->expired != NULL)
        os->expire(os);
    if (os->policy != NULL && os->policy->pass != NULL)
        os->policy->pass(os, now);
    if (kernel->feed_watchdog != NULL)
        kernel->feed_watchdog(kernel);
    return steps == 0 ? 1 : steps;
}

static bool anything_runnable(const sos *os)
{
    return sos_ready_level_(os) < SOS_LEVELS_MAX_;
}

/* Nothing is runnable: sleeps until the next timer, an event or a post. */
static void idle(sos *os, uint64_t until)
{
    uint64_t due = sos_timer_latest_(os);
    __atomic_store_n(&os->asleep, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* against the other order in sos_ring_() */
    if (!sos_attention(os)) {
        os->collecting = true;
        os->kernel->wait(os->kernel, os, due < until ? due : until);
        sos_batch_flush_(os);
    }
    __atomic_store_n(&os->asleep, 0, __ATOMIC_RELAXED);
}

/* ---- The run */

enum { GOING_ON = 1 };

/* After a look, with nothing runnable or a stop: is the run over, and how? */
static int end_of_run(sos *os)
{
    if (__atomic_load_n(&os->stop, __ATOMIC_ACQUIRE) != 0)
        return SOS_ECANCELED;
    if (os->live == 0 || (os->live == os->live_watchers && !os->config.eternal_watchers))
        return SOS_OK;
    if (anything_runnable(os) || os->timer_count != 0 || os->outside != 0)
        return GOING_ON;
    return sos_attention(os) ? GOING_ON : SOS_ESTUCK;
}

static int begin_run(sos *os)
{
    if (os->active || os->unwinding)
        return SOS_EBUSY;
    os->active = true;
    __atomic_store_n(&os->asleep, 0, __ATOMIC_RELAXED);
    if (os->kernel->thread != NULL)
        os->thread = os->kernel->thread(os->kernel);
    return SOS_OK;
}

static void finish_run(sos *os, int status)
{
    const struct sos_diagnostics_type *diagnostics = os->kernel->diagnostics;
    if (status != GOING_ON) {
        if (status != SOS_ESTUCK && os->live != 0)
            os->kill_all(os);
        if (diagnostics != NULL)
            diagnostics->run_ended(os, status);
        __atomic_store_n(&os->stop, 0, __ATOMIC_RELAXED);
    }
    os->active = false;
}

/* Until the run is over; `once`: no more than one step, after a sleep until `until` if there is
 * nothing to run. */
static int run(sos *os, bool once, uint64_t until)
{
    int status = begin_run(os);
    if (status != SOS_OK)
        return status;
    for (;;) {
        uint32_t steps = look(os);
        status = end_of_run(os);
        if (status != GOING_ON)
            break;
        if (anything_runnable(os)) {
            run_steps(os, once ? 1 : steps);
            if (!once)
                continue;
            status = end_of_run(os);
            break;
        }
        if (until == 0)
            break;
        idle(os, until);
        if (once)
            until = 0;
    }
    finish_run(os, status);
    return status;
}

int sos_run(sos *os)
{
    return run(os, false, SOS_NEVER);
}

int sos_run_once(sos *os, int64_t timeout_us)
{
    int status = run(os, true, timeout_us > 0 ? sos_due_after_(os, timeout_us) : 0);
    if (status != GOING_ON)
        return status == SOS_OK ? SOS_ESTALE : status;
    if (os->embedded) { /* as before a sleep: it is the other loop that sleeps */
        __atomic_store_n(&os->asleep, 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    return anything_runnable(os) || sos_attention(os);
}

uint64_t sos_next_due(sos *os)
{
    if (anything_runnable(os) || sos_attention(os))
        return 0;
    return sos_timer_next_(os);
}

int sos_poll_descriptor(sos *os)
{
    struct sos_kernel *kernel = os->kernel;
    os->embedded = true;
    return kernel->poll_descriptor == NULL ? SOS_ENOTSUP : kernel->poll_descriptor(kernel);
}

uint64_t sos_now(sos *os)
{
    return os->kernel->now(os->kernel);
}

void sos_mode_update_(sos *os)
{
    os->attention.byte.mode = os->step != NULL || os->policy != NULL;
}
