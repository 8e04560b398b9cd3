/* SPDX-License-Identifier: MIT */
/* A deadline around an operation is an operation too. */
/* expect: (ignoring return value of .*warn_unused_result|expression result unused) */
#include "smallos/async.h"

struct forgetful {
    sos_frame frame;
};

async_fn(forgetful)
{
    async_begin(forgetful);
    sos_within(task, SOS_MS(1), sos_sleep(task, SOS_MS(2)));
    async_end;
}
