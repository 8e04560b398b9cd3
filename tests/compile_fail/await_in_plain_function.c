/* SPDX-License-Identifier: MIT */
/* Only an async function can await. */
/* expect(gcc): 'self' undeclared */
/* expect(gcc): 'sos_outcome_' undeclared */
/* expect(gcc): returning|'return' with a value */
/* expect(gcc): case label not within a switch statement */
/* expect(clang): use of undeclared identifier '(self|sos_outcome_)' */
/* expect(clang): 'case' statement not in switch statement */
#include "smallos/async.h"

void nap(sos_task *task);

void nap(sos_task *task)
{
    await(sos_sleep(task, SOS_MS(1)));
}
