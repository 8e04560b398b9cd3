/* SPDX-License-Identifier: MIT */
/* Not even an async function that returns at once can be called. */
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
    await(async_call(nap));
    async_end;
}

int main(void)
{
    return TRAP_RUN(untidy, sos_opt(.priority = 1));
}
