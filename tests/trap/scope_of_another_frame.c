/* SPDX-License-Identifier: MIT */
/* A scope must be a member of the frame that opens it, or it would outlive it. */
/* expect: sos_scope_open: not a member of the calling frame, or open already */
#include "trap.h"

static struct sos_scope scope;

struct opener {
    sos_frame frame;
};

async_fn(opener)
{
    async_begin(opener);
    sos_scope_open(task, &scope);
    async_end;
}

int main(void)
{
    return TRAP_RUN(opener, sos_opt(.priority = 1));
}
