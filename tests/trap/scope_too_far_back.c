/* SPDX-License-Identifier: MIT */
/* Where a scope stands in its frame is kept in one byte. */
/* expect: sos_scope_open: not a member of the calling frame, or open already */
#include "trap.h"

struct opener {
    sos_frame frame;
    char much[2000];
    struct sos_scope scope;
};

async_fn(opener)
{
    async_begin(opener);
    sos_scope_open(task, &self->scope);
    async_end;
}

int main(void)
{
    return TRAP_RUN(opener, sos_opt(.priority = 1));
}
