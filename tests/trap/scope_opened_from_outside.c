/* SPDX-License-Identifier: MIT */
/* A scope is opened by the task itself. */
/* expect: sos_scope_open: not a member of the calling frame, or open already */
#include "trap.h"

struct victim {
    sos_frame frame;
    struct victim **me;
    sos_task **task;
    struct sos_scope scope;
};

static async_fn(victim)
{
    async_begin(victim);
    *self->me = self;
    *self->task = task;
    await(sos_sleep(task, SOS_FOREVER));
    async_end;
}

struct thief {
    sos_frame frame;
    struct victim *victim;
    sos_task *other;
};

async_fn(thief)
{
    async_begin(thief);
    async_spawn(victim, sos_opt(), .me = &self->victim, .task = &self->other);
    await(sos_sleep(task, SOS_MS(1)));
    sos_scope_open(self->other, &self->victim->scope);
    async_end;
}

int main(void)
{
    return TRAP_RUN(thief, sos_opt(.priority = 1));
}
