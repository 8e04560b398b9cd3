/* SPDX-License-Identifier: MIT */
/* Assigned later or initialised: a local loses its value. gcc leaves this one to make lint. */
/* expect(clang): variable 'count' (is|may be) (used )?uninitialized */
#include "smallos/async.h"

int use(int value);

struct counter {
    sos_frame frame;
};

async_fn(counter)
{
    async_begin(counter);
    int count;
    count = 3;
    await(sos_sleep(task, 1));
    use(count);
    async_end;
}
