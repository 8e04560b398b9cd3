/* SPDX-License-Identifier: MIT */
/* A kernel to copy: rename it, fill in what the board can do, leave out what it cannot. */
#ifndef SMALLOS_PORTS_TEMPLATE_H
#define SMALLOS_PORTS_TEMPLATE_H

#include "smallos/kernel.h"

extern struct sos_kernel sos_template_kernel;

#endif
