/* SPDX-License-Identifier: MIT */
/* Nor can the program around the runtime start an operation. */
/* expect: await from outside of the task */
#include "trap.h"

struct sleeper {
    sos_frame frame;
    sos_task **me;
};

static async_fn(sleeper)
{
    async_begin(sleeper);
    *self->me = task;
    await(sos_sleep(task, SOS_FOREVER));
    async_end;
}

int main(void)
{
    struct sos_kernel *kernel;
    sos *os;
    sos_task *task = NULL;
    if (sos_sim_create(&kernel, NULL) != SOS_OK || sos_create(&os, NULL, kernel) != SOS_OK)
        return 1;
    sos_fork(os, sleeper, sos_opt(.priority = 1), .me = &task);
    sos_run_once(os, 0);
    sos_op op = sos_sleep(task, SOS_MS(1));
    (void)op;
    return 0;
}
