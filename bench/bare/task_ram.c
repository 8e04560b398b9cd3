/* SPDX-License-Identifier: MIT */

/* RAM of a sleeping task with name, parent and 16 bytes of state: what it takes from the memory of
 * the runtime, and its entry in the table of pids, which is taken at the start. */
#include "figure.h"
#include "kernel.h"
#include "smallos/async.h"
#include "smallos/runtime.h"

enum { TASKS = 64, FEW = 100, MANY = 200 };

static _Alignas(8) unsigned char memory[32768];
static size_t before, after;

struct sleeper {
    sos_frame frame;
    unsigned char state[16];
};

async_fn(sleeper)
{
    async_begin(sleeper);
    await(sos_sleep(task, SOS_FOREVER));
    async_end;
}

struct parent {
    sos_frame frame;
    int count;
};

async_fn(parent)
{
    async_begin(parent);
    before = sos_memory(sos_of(task)).used;
    for (; self->count > 0; self->count--)
        async_spawn(sleeper, sos_opt(.name = "sleeper"));
    await(sos_yield(task)); /* they all go to sleep */
    after = sos_memory(sos_of(task)).used;
    sos_stop(sos_of(task));
    async_end;
}

static sos *make(uint32_t task_capacity)
{
    const struct sos_config config = { .task_capacity = task_capacity,
                                       .memory = memory,
                                       .memory_size = sizeof memory };
    sos *os;
    if (sos_create(&os, &config, &bare_kernel) != SOS_OK)
        machine_exit(1);
    return os;
}

int main(void)
{
    size_t with_few = sos_memory(make(FEW)).used;
    sos *os = make(MANY);
    size_t entry = (sos_memory(os).used - with_few) * 100 / (MANY - FEW);

    sos_fork(os, parent, sos_opt(.priority = 1), .count = TASKS);
    if (sos_run(os) != SOS_ECANCELED)
        return 1;
    size_t record = (after - before) * 100 / TASKS;
    print_figure("m3-task-ram", record + entry, "bytes");
    print_figure("m3-task-ram-record", record, "bytes");
    print_figure("m3-task-ram-pid-entry", entry, "bytes");
    return 0;
}
