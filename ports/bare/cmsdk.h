/* SPDX-License-Identifier: MIT */

/* The two CMSDK timers that Arm's MPS2 images have, at one place or another. */
#ifndef CMSDK_H
#define CMSDK_H

#include <stdint.h>

/* TIMER0, with TIMER1 one page on. Both count at counter_rate. */
extern const uintptr_t cmsdk_timers;

/* Starts TIMER0 from 0. */
void cmsdk_start(void);

#endif
