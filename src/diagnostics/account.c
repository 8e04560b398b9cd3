/* SPDX-License-Identifier: MIT */
/* Accounting and the limit on steps: a way around the plain step, taken only when switched on. */
#include "internal.h"

enum { STARVED_NS = 1000000000 };

struct measured {
    struct sos_account account;
    uint64_t runnable_since;
};

struct sos_accounting_ {
    uint64_t next_starvation_check;
    bool in_step;            /* cannot be switched off now */
    struct measured tasks[]; /* by pid */
};

static uint64_t clock_ns(sos *os)
{
    struct sos_kernel *kernel = os->kernel;
    return kernel->fine_clock != NULL ? kernel->fine_clock(kernel) : kernel->now(kernel) * 1000;
}

static void task_started(sos_task *task)
{
    task->os->accounting->tasks[task->pid] = (struct measured){ .runnable_since = 0 };
}

static void task_ready(sos_task *task)
{
    task->os->accounting->tasks[task->pid].runnable_since = clock_ns(task->os);
}

static void max(uint64_t *highest, uint64_t value)
{
    if (value > *highest)
        *highest = value;
}

/* Once a second: who has been runnable all that time without running? */
static void report_starved(sos *os, uint64_t now)
{
    struct sos_accounting_ *accounting = os->accounting;
    if (now < accounting->next_starvation_check)
        return;
    accounting->next_starvation_check = now + STARVED_NS;
    for (uint32_t pid = 0; pid < os->config.task_capacity; pid++) {
        sos_task *task = os->tasks[pid];
        struct measured *measured = &accounting->tasks[pid];
        if (task == NULL || !sos_is_runnable_(task) || now - measured->runnable_since < STARVED_NS)
            continue;
        sos_tell_(task, SOS_REPORT_STARVED, (now - measured->runnable_since) / 1000);
    }
}

/* The task may be gone after its step, so it is looked at before. */
static void limited_step(sos *os, sos_task *task, uint64_t start)
{
    struct sos_report what = { .kind = SOS_REPORT_LONG_STEP };
    sos_inspect(os, sos_handle_of_(task), &what.task);
    sos_step_(os, task);
    what.us = (clock_ns(os) - start) / 1000;
    if (os->step_limit_us != 0 && what.us > os->step_limit_us)
        sos_tell_what_(os, &what);
}

static void measured_step(sos *os, sos_task *task)
{
    sos_handle handle = sos_handle_of_(task);
    struct measured *measured = os->accounting != NULL ? &os->accounting->tasks[task->pid] : NULL;
    uint64_t start = clock_ns(os);
    if (measured != NULL) {
        max(&measured->account.longest_wakeup_ns, start - measured->runnable_since);
        os->accounting->in_step = true;
    }
    if (os->step_limit_us != 0)
        limited_step(os, task, start);
    else
        sos_step_(os, task);
    uint64_t end = clock_ns(os);
    bool there = sos_lookup_(os, handle) == task;
    if (measured == NULL)
        return;
    os->accounting->in_step = false;
    measured->account.steps++;
    measured->account.cpu_ns += end - start;
    max(&measured->account.longest_step_ns, end - start);
    if (there && sos_is_runnable_(task))
        measured->runnable_since = end;
    else if (there && task->link.kind != SOS_ENDED)
        measured->account.waits++;
    report_starved(os, end);
}

static void update(sos *os)
{
    bool on = os->accounting != NULL;
    os->task_started = on ? task_started : NULL;
    os->task_ready = on ? task_ready : NULL;
    os->step = on || os->step_limit_us != 0 ? measured_step : NULL;
    sos_mode_update_(os);
}

static size_t accounting_size(const sos *os)
{
    return sizeof(struct sos_accounting_) + os->config.task_capacity * sizeof(struct measured);
}

static void forget_accounts(sos *os)
{
    sos_give_(os, os->accounting, os->accounting != NULL ? accounting_size(os) : 0);
    os->accounting = NULL;
}

int sos_accounting(sos *os, bool on)
{
    int error = sos_check_thread_(os);
    if (error != 0 || on == (os->accounting != NULL))
        return error;
    if (on) {
        os->accounting = sos_take_(os, accounting_size(os));
        if (os->accounting == NULL)
            return SOS_ENOMEM;
        memset(os->accounting, 0, accounting_size(os));
        uint64_t now = clock_ns(os);
        os->accounting->next_starvation_check = now + STARVED_NS;
        for (uint32_t pid = 0; pid < os->config.task_capacity; pid++)
            os->accounting->tasks[pid].runnable_since = now;
        os->accounting_end = forget_accounts;
    } else if (os->accounting->in_step || os->running != NULL) {
        return SOS_EBUSY;
    } else {
        forget_accounts(os);
    }
    update(os);
    return SOS_OK;
}

int sos_step_limit(sos *os, uint32_t us)
{
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    os->step_limit_us = us;
    update(os);
    return SOS_OK;
}

int sos_account_of(const sos *os, sos_handle handle, struct sos_account *account)
{
    if (os->accounting == NULL)
        return SOS_EAGAIN;
    if (sos_lookup_(os, handle) == NULL)
        return SOS_ESTALE;
    *account = os->accounting->tasks[handle.pid].account;
    return SOS_OK;
}
