/* SPDX-License-Identifier: MIT */

/* The smallest useful program: tasks that spawn, yield, sleep, signal and join. What the linker
 * leaves of the core for it is the figure. */
#include "kernel.h"
#include "smallos/async.h"
#include "smallos/runtime.h"

static _Alignas(8) unsigned char memory[4096];

struct worker {
    sos_frame frame;
    int left;
};

async_fn(worker)
{
    async_begin(worker);
    await(sos_wait_signal(task, 1));
    for (; self->left > 0; self->left--)
        await(sos_yield(task));
    await(sos_sleep(task, SOS_MS(1)));
    async_end;
}

struct first {
    sos_frame frame;
    sos_handle child;
};

async_fn(first)
{
    async_begin(first);
    self->child = async_spawn(worker, sos_opt(.priority = 3), .left = 10);
    sos_signal(sos_of(task), self->child, 1);
    await(sos_join(task, self->child));
    async_end;
}

int main(void)
{
    static const struct sos_config config = {
        .task_capacity = 8, .post_capacity = 2, .memory = memory, .memory_size = sizeof memory
    };
    sos *os;
    if (sos_create(&os, &config, &bare_kernel) != SOS_OK)
        return 1;
    sos_fork(os, first, sos_opt(.priority = 2));
    return sos_run(os);
}
