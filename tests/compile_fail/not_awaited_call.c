/* SPDX-License-Identifier: MIT */
/* A call that nobody awaits would leave a frame on the task's arena. */
/* expect: ignoring return value of .*warn_unused_result */
#include "smallos/async.h"

struct callee {
    sos_frame frame;
    int argument;
};
async_fn(callee);

struct caller {
    sos_frame frame;
};

async_fn(caller)
{
    async_begin(caller);
    async_call(callee, .argument = 1);
    async_end;
}
