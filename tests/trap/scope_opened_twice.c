/* SPDX-License-Identifier: MIT */
/* A frame has one scope. */
/* expect: sos_scope_open: not a member of the calling frame, or open already */
#include "trap.h"

struct opener {
    sos_frame frame;
    struct sos_scope first, second;
};

async_fn(opener)
{
    async_begin(opener);
    sos_scope_open(task, &self->first);
    await(sos_yield(task));
    sos_scope_open(task, &self->second);
    async_end;
}

int main(void)
{
    return TRAP_RUN(opener, sos_opt(.priority = 1));
}
