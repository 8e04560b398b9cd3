/* SPDX-License-Identifier: MIT */
/* An operation belongs to the task that awaits it: here the other one's pointer is given. */
/* expect: await from outside of the task */
#include "trap.h"

struct victim {
    sos_frame frame;
    sos_task **me;
};

static async_fn(victim)
{
    async_begin(victim);
    *self->me = task;
    await(sos_sleep(task, SOS_FOREVER));
    async_end;
}

struct thief {
    sos_frame frame;
    sos_task *other;
};

async_fn(thief)
{
    async_begin(thief);
    async_spawn(victim, sos_opt(), .me = &self->other);
    await(sos_sleep(task, SOS_MS(1)));
    await(sos_sleep(self->other, SOS_MS(1)));
    async_end;
}

int main(void)
{
    return TRAP_RUN(thief, sos_opt(.priority = 1));
}
