/* SPDX-License-Identifier: MIT */
/* What the files of the diagnostics share, beside the internals of the core. */
#ifndef SMALLOS_DIAGNOSTICS_INTERNAL_H
#define SMALLOS_DIAGNOSTICS_INTERNAL_H

#include "core/internal.h"

/* To the program's reporter or, as text, to the console. */
INTERNAL_ void sos_tell_(const sos_task *task, enum sos_report_kind kind, uint64_t us);
INTERNAL_ void sos_tell_what_(sos *os, const struct sos_report *what);

#endif
