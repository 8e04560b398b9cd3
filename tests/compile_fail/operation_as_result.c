/* SPDX-License-Identifier: MIT */
/* An operation is no status: that comes from sos_status, after the await. */
/* expect(gcc): incompatible types when initializing type 'int' using type 'sos_op' */
/* expect(clang): initializing 'int' with an expression of incompatible type 'sos_op' */
#include "smallos/async.h"

struct hasty {
    sos_frame frame;
    int status;
};

async_fn(hasty)
{
    async_begin(hasty);
    {
        int status = sos_sleep(task, SOS_MS(1));
        self->status = status;
    }
    async_end;
}
