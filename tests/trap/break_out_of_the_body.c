/* SPDX-License-Identifier: MIT */
/* A break outside of any loop leaves the body past its end. */
/* expect: task 0 'leaver': leaver: .*break out of the body */
#include "trap.h"

struct leaver {
    sos_frame frame;
};

async_fn(leaver)
{
    async_begin(leaver);
    await(sos_yield(task));
    if (sos_status(task) == SOS_OK)
        break;
    async_end;
}

int main(void)
{
    return TRAP_RUN(leaver, sos_opt(.priority = 1));
}
