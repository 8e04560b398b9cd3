/* SPDX-License-Identifier: MIT */
/* Nor can there be a deadline. */
/* expect: task 0 'untidy': untidy: await or async_return in async_finally */
#include "trap.h"

struct nap {
    sos_frame frame;
};

static async_fn(nap)
{
    async_begin(nap);
    await(sos_sleep(task, SOS_MS(1)));
    async_end;
}

struct untidy {
    sos_frame frame;
};

async_fn(untidy)
{
    async_begin(untidy);
    await(async_call(nap));
    async_finally;
    await(sos_within(task, SOS_MS(1), sos_sleep(task, 0)));
    async_end;
}

int main(void)
{
    return TRAP_RUN(untidy, sos_opt(.priority = 1));
}
