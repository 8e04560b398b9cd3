/* SPDX-License-Identifier: MIT */
/* Arguments have names, and a wrong name is no argument. */
/* expect(gcc): 'struct callee' has no member named 'colour' */
/* expect(clang): field designator 'colour' does not refer to any field in type 'struct callee' */
#include "smallos/async.h"

struct callee {
    sos_frame frame;
    int color;
};
async_fn(callee);

struct caller {
    sos_frame frame;
};

async_fn(caller)
{
    async_begin(caller);
    await(async_call(callee, .colour = 1));
    async_end;
}
