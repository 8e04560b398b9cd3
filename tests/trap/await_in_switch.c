/* SPDX-License-Identifier: MIT */
/* An await in a switch of one's own leaves its case there: the resume finds none. */
/* expect: task 0 'chooser': chooser: cannot resume at line 18 \(await inside a switch */
#include "trap.h"

struct chooser {
    sos_frame frame;
    int choice;
};

/* clang-format off */
async_fn(chooser)
{
    async_begin(chooser);
    switch (self->choice) {
    case 1:
        /* The line is part of what the trap says. */
        await(sos_sleep(task, SOS_MS(1)));
        break;
    default:
        break;
    }
    async_end;
}

int main(void)
{
    return TRAP_RUN(chooser, sos_opt(.priority = 1), .choice = 1);
}
