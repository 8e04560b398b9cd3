/* SPDX-License-Identifier: MIT */
/* An operation that nobody awaits does nothing, or worse: suspends a task that goes on. */
/* expect: ignoring return value of .*warn_unused_result */
#include "smallos/smallos.h"

struct forgetful {
    sos_frame frame;
    struct sos_queue *queue;
    int item;
};

async_fn(forgetful)
{
    async_begin(forgetful);
    sos_sleep(task, SOS_MS(1));
    async_end;
}
