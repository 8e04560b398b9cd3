/* SPDX-License-Identifier: MIT */

/*
 * Instructions of a yield and switch. QEMU's -icount shift=0 makes every instruction take one
 * nanosecond of the machine's time. The same program with N and with 2N yields a task differs by
 * N yields a task and by nothing else.
 */
#include "counter.h"
#include "figure.h"
#include "kernel.h"
#include "smallos/async.h"
#include "smallos/runtime.h"

enum { YIELDS = 20000, TASKS_MAX = 10 };

static _Alignas(8) unsigned char memory[8192];

struct yielder {
    sos_frame frame;
    int left;
};

async_fn(yielder)
{
    async_begin(yielder);
    for (; self->left > 0; self->left--)
        await(sos_yield(task));
    async_end;
}

static uint32_t ticks_of(int tasks, int yields)
{
    static const struct sos_config config = {
        .task_capacity = 16, .priority_levels = 10, .memory = memory, .memory_size = sizeof memory
    };
    sos *os;
    if (sos_create(&os, &config, &bare_kernel) != SOS_OK)
        machine_exit(1);
    for (int i = 0; i < tasks; i++)
        sos_fork(os, yielder, sos_opt(.priority = 5), .left = yields);
    uint32_t start = counter_read();
    int ended = sos_run(os);
    uint32_t ticks = counter_read() - start;
    if (ended != SOS_OK)
        machine_exit(2);
    sos_destroy(os);
    return ticks;
}

static uint64_t instructions_a_yield(int tasks)
{
    uint32_t more = ticks_of(tasks, 2 * YIELDS) - ticks_of(tasks, YIELDS);
    uint64_t nanoseconds = (uint64_t)more * (1000 / counter_rate);
    return nanoseconds * 100 / (uint64_t)(tasks * YIELDS);
}

int main(void)
{
    print_figure("m3-yield-2-tasks", instructions_a_yield(2), "instructions");
    print_figure("m3-yield-10-tasks", instructions_a_yield(TASKS_MAX), "instructions");
    return 0;
}
