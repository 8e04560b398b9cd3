/* SPDX-License-Identifier: MIT */
/* An async function is called with async_call: by hand it would run without a frame of its own. */
/* expect(gcc): request for member 'outcome_' in something not a structure or union */
/* expect(clang): member reference base type 'int' is not a structure or union */
#include "smallos/async.h"

struct callee {
    sos_frame frame;
};
async_fn(callee);

struct caller {
    sos_frame frame;
    struct callee callee;
};

async_fn(caller)
{
    async_begin(caller);
    await(callee(task, &self->callee));
    async_end;
}
