/* SPDX-License-Identifier: MIT */
/* expect: invalid operands to binary */
#include "smallos/async.h"

struct hasty {
    sos_frame frame;
};

async_fn(hasty)
{
    async_begin(hasty);
    if (sos_sleep(task, SOS_MS(1)) < 0)
        async_return(SOS_EIO);
    async_end;
}
