/* SPDX-License-Identifier: MIT */
/* Without async_end the body is not closed. */
/* expect(gcc): expected declaration or statement at end of input */
/* expect(clang): expected '}' */
/* expect(gcc): control reaches end of non-void function */
#include "smallos/async.h"

struct endless {
    sos_frame frame;
};

async_fn(endless)
{
    async_begin(endless);
    await(sos_yield(task));
}
