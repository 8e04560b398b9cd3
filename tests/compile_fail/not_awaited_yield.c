/* SPDX-License-Identifier: MIT */
/* The same for a yield, which is inline. */
/* expect: ignoring return value of .*warn_unused_result */
#include "smallos/async.h"

struct forgetful {
    sos_frame frame;
};

async_fn(forgetful)
{
    async_begin(forgetful);
    sos_yield(task);
    async_end;
}
