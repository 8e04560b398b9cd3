/* SPDX-License-Identifier: MIT */
/* A local variable that is given its value before an await has lost it after. */
/* expect(gcc): switch jumps over variable initialization.*jump-misses-init|maybe-uninitialized */
/* expect(clang): variable 'count' (is|may be) (used )?uninitialized */
#include "smallos/async.h"

int use(int value);

struct counter {
    sos_frame frame;
};

async_fn(counter)
{
    async_begin(counter);
    int count = 3;
    await(sos_sleep(task, 1));
    use(count);
    async_end;
}
