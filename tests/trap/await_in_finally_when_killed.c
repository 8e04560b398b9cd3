/* SPDX-License-Identifier: MIT */
/* The same when the task really is killed. */
/* expect: task 0 'untidy': untidy: await or async_return in async_finally */
#include "trap.h"

struct untidy {
    sos_frame frame;
};

async_fn(untidy)
{
    async_begin(untidy);
    sos_kill(sos_of(task), sos_self(task));
    await(sos_yield(task));
    async_finally;
    await(sos_sleep(task, SOS_MS(1)));
    async_end;
}

int main(void)
{
    return TRAP_RUN(untidy, sos_opt(.priority = 1));
}
