/* SPDX-License-Identifier: MIT */
/* The counter of a loop that awaits must stand in the frame. */
/* expect(gcc): switch jumps over variable initialization.*jump-misses-init|maybe-uninitialized */
/* expect(clang): variable 'round' (is|may be) (used )?uninitialized */
#include "smallos/async.h"

struct loop {
    sos_frame frame;
};

async_fn(loop)
{
    async_begin(loop);
    for (int round = 0; round < 3; round++)
        await(sos_yield(task));
    async_end;
}
