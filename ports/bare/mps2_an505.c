/* SPDX-License-Identifier: MIT */

/* Arm MPS2 with image AN505: Cortex-M33 at 20 MHz. The program stays in the
 * secure state it starts in and so uses the secure alias of the timers. */
#include "cmsdk.h"
#include "cortex_m.h"
#include "counter.h"

const struct cortex_m_board cortex_m_board = { .timer_line = 4, .trigger_line = 31 };
const uint32_t counter_rate = 20;
const uintptr_t cmsdk_timers = 0x50000000U;

void cortex_m_start_board(void)
{
    cmsdk_start();
}
