/* SPDX-License-Identifier: MIT */
/* test-arguments: 1000 100 */
/*
 * A ring of tasks that pass a token on: each waits for a signal and sends it to the next. The
 * first one counts the laps, then everybody goes home.
 *
 *     ring [TASKS [LAPS]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "smallos/smallos.h"
#include "smallos/unix.h"

enum { TOKEN = 1, HOME = 2 };

struct link {
    sos_frame frame;
    sos_handle next;
    long passed;
};

async_fn(link)
{
    async_begin(link);
    for (;;) {
        await(sos_wait_signals(task, 1u << TOKEN | 1u << HOME));
        sos_signal(sos_of(task), self->next, sos_status(task));
        if (sos_status(task) == HOME)
            async_return(SOS_OK);
        self->passed++;
    }
    async_end;
}

struct ring {
    sos_frame frame;
    long tasks, laps, made, lap;
    sos_handle first;
};

async_fn(ring)
{
    async_begin(ring);
    self->first = sos_self(task); /* the last link closes the ring */
    while (++self->made < self->tasks) {
        self->first = async_spawn(link, sos_opt(.detached = true), .next = self->first);
        if (self->first.pid < 0)
            async_return(self->first.pid);
    }
    for (; self->lap < self->laps; self->lap++) {
        sos_signal(sos_of(task), self->first, TOKEN);
        try_await(sos_wait_signal(task, TOKEN));
    }
    sos_signal(sos_of(task), self->first, HOME);
    try_await(sos_wait_signal(task, HOME));
    async_end;
}

static int run(sos *os, long tasks, long laps)
{
    uint64_t start = sos_now(os);
    sos_handle ring_task = sos_fork(os, ring, sos_opt(.priority = 1), .tasks = tasks, .laps = laps);
    int status = ring_task.pid < 0 ? ring_task.pid : sos_run(os);
    if (status == SOS_OK)
        sos_result(os, ring_task, &status);
    if (status < 0) {
        fprintf(stderr, "ring: %s\n", sos_error_text(status));
        return 1;
    }
    double us = (double)(sos_now(os) - start);
    printf("%ld tasks, %ld laps: %.0f ms, %.0f ns for each pass\n", tasks, laps, us / 1e3,
           us * 1e3 / ((double)tasks * (double)laps));
    return 0;
}

int main(int count, char **words)
{
    long tasks = count > 1 ? atol(words[1]) : 1000;
    long laps = count > 2 ? atol(words[2]) : 1000;
    struct sos_kernel *kernel;
    sos *os = NULL;
    struct sos_config config = { .task_capacity = tasks > 0 ? (uint32_t)tasks : 0 };
    int status = 1;
    if (tasks < 2 || laps < 1)
        return fputs("usage: ring [TASKS [LAPS]], at least 2 and 1\n", stderr), 2;
    int error = sos_unix_kernel_create(&kernel, NULL);
    if (error == SOS_OK)
        error = sos_create(&os, &config, kernel);
    if (error == SOS_OK)
        status = run(os, tasks, laps);
    else
        fprintf(stderr, "ring: %s\n", sos_error_text(error));
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return status;
}
