/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_SETTLE_H
#define TESTS_SUPPORT_SETTLE_H

#include "world.h"

/*
 * Runs everything in the world that is runnable now, and leaves those who wait as they are: no
 * time passes, and they are not reported as stuck.
 */
static inline void settle(void)
{
    sos_handle outsider = sos_fork(world.os, listener,
                                   sos_opt(.priority = 9, .detached = true, .external = true),
                                   .mask = 1u << 31);
    while (sos_run_once(world.os, 0) == 1)
        continue;
    sos_kill(world.os, outsider);
}

#endif
