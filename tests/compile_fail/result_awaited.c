/* SPDX-License-Identifier: MIT */
/* What is no operation cannot be awaited: here a function that answers at once. */
/* expect(gcc): request for member 'outcome_' in something not a structure or union */
/* expect(clang): member reference base type 'int' is not a structure or union */
#include "smallos/async.h"

struct confused {
    sos_frame frame;
    sos_handle other;
};

async_fn(confused)
{
    async_begin(confused);
    await(sos_signal(sos_of(task), self->other, 1));
    async_end;
}
