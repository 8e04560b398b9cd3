/* SPDX-License-Identifier: MIT */
/* The table at the end: what every task did, what it cost, what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

enum { ROWS_MAX = 128 };

struct row {
    sos_handle task;
    char name[20];
    int priority, status;
    bool watcher;
    struct sos_account account;
};

static struct row rows[ROWS_MAX];
static size_t row_count;

static struct row *row_of(sos_handle task)
{
    for (size_t index = 0; index < row_count; index++)
        if (rows[index].task.pid == task.pid && rows[index].task.lap == task.lap)
            return &rows[index];
    return row_count < ROWS_MAX ? &rows[row_count++] : NULL;
}

static struct row *fill_row(sos *os, sos_handle task)
{
    struct sos_task_info info;
    struct row *row = row_of(task);
    if (row == NULL || sos_inspect(os, task, &info) != SOS_OK)
        return NULL;
    row->task = task;
    snprintf(row->name, sizeof row->name, "%s", info.name);
    row->priority = info.priority;
    row->status = info.status;
    row->watcher = info.watcher;
    sos_account_of(os, task, &row->account);
    return row;
}

void summary_note(sos_task *task)
{
    struct row *row = fill_row(sos_of(task), sos_self(task));
    if (row == NULL)
        return;
    row->status = sos_status(task);
    row->account.steps += row->status != SOS_ECANCELED; /* unless killed, one is under way */
}

static void take_in_the_rest(void)
{
    sos_handle task = { -1, 0 };
    while ((task = sos_next_task(demo.os, task.pid)).pid >= 0)
        fill_row(demo.os, task);
}

/* ---- For people */

/* "12 us", "3.4 ms", "1.25 s": always three digits or less; "-": none. */
static const char *duration(char *text, size_t size, uint64_t ns)
{
    double us = (double)ns / 1e3;
    if (ns == 0)
        snprintf(text, size, "-");
    else if (us < 999.5)
        snprintf(text, size, "%.*f us", us < 9.95 ? 1 : 0, us);
    else if (us < 999.5e3)
        snprintf(text, size, "%.*f ms", us < 99.95e3 ? 1 : 0, us / 1e3);
    else
        snprintf(text, size, "%.2f s", us / 1e6);
    return text;
}

static const char *result(char *text, size_t size, const struct row *row)
{
    if (row->status == SOS_ECANCELED && row->watcher)
        snprintf(text, size, "ended with the run");
    else if (row->status < 0)
        snprintf(text, size, "%s", sos_error_text(row->status));
    else if (row->status == 0)
        snprintf(text, size, "ok");
    else
        snprintf(text, size, "%d", row->status);
    return text;
}

static void print_row(const struct row *row)
{
    const struct sos_account *account = &row->account;
    char cpu[16], longest[16], ended[64];
    printf("%4d  %-18s %4d  %7llu  %9s  %12s  %6llu  %s\n", (int)row->task.pid, row->name,
           row->priority, (unsigned long long)account->steps,
           duration(cpu, sizeof cpu, account->cpu_ns),
           duration(longest, sizeof longest, account->longest_step_ns),
           (unsigned long long)account->waits, result(ended, sizeof ended, row));
}

static int by_age(const void *a, const void *b)
{
    const struct row *first = a, *second = b;
    if (first->task.lap != second->task.lap)
        return first->task.lap < second->task.lap ? -1 : 1;
    return first->task.pid - second->task.pid;
}

void summary_print(void)
{
    uint64_t steps = 0, cpu_ns = 0;
    char cpu[16], all[16];
    take_in_the_rest();
    qsort(rows, row_count, sizeof rows[0], by_age);
    printf("\n%4s  %-18s %4s  %7s  %9s  %12s  %6s  %s\n", "pid", "task", "prio", "steps",
           "CPU time", "longest step", "waits", "result");
    for (size_t index = 0; index < row_count; index++) {
        print_row(&rows[index]);
        steps += rows[index].account.steps;
        cpu_ns += rows[index].account.cpu_ns;
    }
    printf("\n%zu tasks, %llu steps, %s of CPU time in %s\n", row_count, (unsigned long long)steps,
           duration(cpu, sizeof cpu, cpu_ns),
           duration(all, sizeof all, (sos_now(demo.os) - demo.start) * 1000));
}
