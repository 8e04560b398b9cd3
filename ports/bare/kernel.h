/* SPDX-License-Identifier: MIT */

/*
 * smallOS on a bare machine: the kernel on top of machine.h. It gives no memory: hand the runtime a
 * buffer of your own in memory and memory_size of struct sos_config.
 */
#ifndef BARE_KERNEL_H
#define BARE_KERNEL_H

#include "smallos/kernel.h"

/* One, as there is one machine. Its fields may be changed before a runtime is made with it. */
extern struct sos_kernel bare_kernel;

#endif
