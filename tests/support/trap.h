/* SPDX-License-Identifier: MIT */
/* For programs that must trap: one task on the simulation kernel. */
#ifndef TESTS_SUPPORT_TRAP_H
#define TESTS_SUPPORT_TRAP_H

#include "smallos/sim.h"
#include "smallos/smallos.h"

/* The trap comes before this returns. */
static inline int trap_run(const struct sos_start *start)
{
    struct sos_kernel *kernel;
    sos *os;
    if (sos_sim_create(&kernel, NULL) != SOS_OK || sos_create(&os, NULL, kernel) != SOS_OK)
        return 1;
    int status = sos_fork_list(os, start, 1, NULL);
    if (status == SOS_OK)
        status = sos_run(os);
    sos_destroy(os);
    sos_sim_destroy(kernel);
    return status == SOS_OK ? 0 : 1;
}

#define TRAP_RUN(...) trap_run(&sos_start(__VA_ARGS__))

#endif
