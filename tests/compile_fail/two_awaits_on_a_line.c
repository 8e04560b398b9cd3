/* SPDX-License-Identifier: MIT */
/* The line is where an await goes on: two of them cannot share one. */
/* expect: duplicate case value */
#include "smallos/async.h"

struct terse {
    sos_frame frame;
};

/* clang-format off */
async_fn(terse)
{
    async_begin(terse);
    await(sos_yield(task)); await(sos_yield(task));
    async_end;
}
