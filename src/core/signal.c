/* SPDX-License-Identifier: MIT */
/*
 * Signals: 32 latches a task, and the bounded queue by which other threads and interrupts post
 * them. Writers agree by one compare-and-swap on the tail, and each then has its slot to itself
 * until it marks it as full; the only reader empties the slots in turn, and the head that it moves on
 * behind itself tells the writers how many are free.
 */
#include "internal.h"

enum { SIGNALS = 32 };

/* ---- Delivery */

/* Its signal waits count as waits for something outside. */
static unsigned is_external(const sos_task *task)
{
    return (task->link.flags & SOS_EXTERNAL_) != 0;
}

static void deliver(sos_task *task, int signal)
{
    uint32_t bit = 1u << signal;
    struct sos_extras_ *extras = sos_extras_(task);
    if (extras != NULL && extras->on_signal != NULL) {
        sos *os = task->os;
        int32_t pid = (int32_t)task->pid;
        uint32_t lap = task->lap;
        extras->on_signal(task, signal, extras->context);
        if (sos_lookup_at_(os, pid, lap) != task || task->link.kind == SOS_ENDED)
            return; /* the handler killed it */
    }
    if (task->link.kind == SOS_WAIT_SIGNAL && (task->link.mask & bit) != 0) {
        task->os->outside -= is_external(task);
        sos_resume_granted_(task, signal);
    } else {
        task->signals |= bit;
    }
}

/* ---- Posts */

/* The runtime lets nobody in between, where the CPU cannot promise it itself. */
static bool claim_turn(sos *os, uint32_t turn)
{
#if __GCC_ATOMIC_INT_LOCK_FREE == 2
    (void)os;
    return __atomic_compare_exchange_n(&os->post_tail, &turn, turn + 1, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
#else
    struct sos_kernel *kernel = os->kernel;
    uintptr_t state = kernel->critical_enter != NULL ? kernel->critical_enter(kernel) : 0;
    bool mine = os->post_tail == turn;
    if (mine)
        os->post_tail = turn + 1;
    if (kernel->critical_leave != NULL)
        kernel->critical_leave(kernel, state);
    return mine;
#endif
}

/* Makes the runtime look, whether it runs or sleeps. */
void sos_ring_(sos *os)
{
    __atomic_store_n(&os->attention.byte.posted, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* against the other order in idle() of run.c */
    if (__atomic_load_n(&os->asleep, __ATOMIC_RELAXED) != 0)
        os->kernel->wake(os->kernel);
}

static struct sos_post_ *post_at(const sos *os, uint32_t turn)
{
    return &os->posts[turn & (os->config.post_capacity - 1)];
}

static void take_posts(sos *os)
{
    for (;;) {
        struct sos_post_ *slot = post_at(os, os->post_head);
        uint32_t full = __atomic_load_n(&slot->full, __ATOMIC_ACQUIRE);
        if (full == 0)
            return;
        sos_task *task = sos_lookup_at_(os, slot->pid, slot->lap);
        __atomic_store_n(&slot->full, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&os->post_head, os->post_head + 1, __ATOMIC_RELEASE);
        if (task != NULL && task->link.kind != SOS_ENDED)
            deliver(task, (int)full - 1);
    }
}

int sos_post(sos *os, sos_handle target, int signal)
{
    uint32_t turn;
    if ((unsigned)signal >= SIGNALS)
        return SOS_EINVAL;
    do { /* a head beyond the turn says that the turn is taken */
        turn = __atomic_load_n(&os->post_tail, __ATOMIC_RELAXED);
        uint32_t under_way = turn - __atomic_load_n(&os->post_head, __ATOMIC_ACQUIRE);
        if ((int32_t)under_way >= (int32_t)os->config.post_capacity)
            return SOS_EAGAIN;
    } while (!claim_turn(os, turn));
    __atomic_store_n(&os->take_posts, take_posts, __ATOMIC_RELAXED);
    struct sos_post_ *slot = post_at(os, turn);
    slot->pid = target.pid;
    slot->lap = target.lap;
    __atomic_store_n(&slot->full, (uint32_t)signal + 1, __ATOMIC_RELEASE);
    sos_ring_(os);
    return SOS_OK;
}

bool sos_attention(const sos *os)
{
    return __atomic_load_n(&os->attention.byte.posted, __ATOMIC_SEQ_CST) != 0;
}

/* ---- Signals */

int sos_signal(sos *os, sos_handle target, int signal)
{
    sos_task *task;
    if ((unsigned)signal >= SIGNALS)
        return SOS_EINVAL;
    int error = sos_target_(os, target, &task);
    if (error == 0)
        deliver(task, signal);
    return error;
}

sos_op sos_wait_signals(sos_task *task, uint32_t mask)
{
    sos_check_running_(task);
    uint32_t latched = task->signals & mask;
    if (mask == 0)
        return sos_complete_(task, SOS_EINVAL);
    if (latched != 0) {
        task->signals &= ~(latched & -latched);
        return sos_complete_got_(task, __builtin_ctz(latched), SOS_WAIT_SIGNAL, NULL);
    }
    sos_op op = sos_suspend_(task, SOS_WAIT_SIGNAL, NULL);
    task->link.mask = mask;
    task->os->outside += is_external(task);
    return op;
}

sos_op sos_wait_signal(sos_task *task, int signal)
{
    return sos_wait_signals(task, (unsigned)signal < SIGNALS ? 1u << signal : 0);
}

int sos_check_signal(sos_task *task, int signal)
{
    if ((unsigned)signal >= SIGNALS)
        return SOS_EINVAL;
    int latched = (int)(task->signals >> signal & 1u);
    task->signals &= ~(1u << signal);
    return latched;
}
