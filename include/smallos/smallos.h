/* SPDX-License-Identifier: MIT */
/* All of smallOS for a program that runs tasks. Ports include smallos/kernel.h as well. */
#ifndef SMALLOS_SMALLOS_H
#define SMALLOS_SMALLOS_H

#include "smallos/async.h"
#include "smallos/error.h"
#include "smallos/inspect.h"
#include "smallos/io.h"
#include "smallos/output.h"
#include "smallos/policy.h"
#include "smallos/runtime.h"
#include "smallos/sync.h"
#include "smallos/task.h"
#include "smallos/time.h"

#define SOS_VERSION "0.1.0"

#endif
