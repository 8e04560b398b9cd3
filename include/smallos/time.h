/* SPDX-License-Identifier: MIT */
/*
 * Durations are 64-bit signed microseconds; moments are 64-bit unsigned microseconds of the
 * kernel's clock, which starts anywhere and never runs backwards.
 */
#ifndef SMALLOS_TIME_H
#define SMALLOS_TIME_H

#include <stdint.h>

#define SOS_US(n) ((int64_t)(n))
#define SOS_MS(n) ((int64_t)(n)*1000)
#define SOS_SEC(n) ((int64_t)(n)*1000000)

/* As a duration: no limit. */
#define SOS_FOREVER INT64_MAX

/* As a moment: never. */
#define SOS_NEVER UINT64_MAX

#endif
