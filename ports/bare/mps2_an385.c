/* SPDX-License-Identifier: MIT */

/* Arm MPS2 with image AN385: Cortex-M3 at 25 MHz. */
#include "cmsdk.h"
#include "cortex_m.h"
#include "counter.h"

#define MPU_CONTROL (*(volatile uint32_t *)0xe000ed94U)
#define MPU_NUMBER (*(volatile uint32_t *)0xe000ed98U)
#define MPU_BASE (*(volatile uint32_t *)0xe000ed9cU)
#define MPU_ATTRIBUTES (*(volatile uint32_t *)0xe000eda0U)

const struct cortex_m_board cortex_m_board = { .timer_line = 9, .trigger_line = 31 };
const uint32_t counter_rate = 25;
const uintptr_t cmsdk_timers = 0x40000000U;

/* The board ignores stores to the reserved space below the RAM, so the MPU has
 * to refuse the 64 KB there: no access, no execution. */
static void guard_stack(void)
{
    MPU_NUMBER = 0;
    MPU_BASE = 0x1fff0000U;
    MPU_ATTRIBUTES = UINT32_C(1) << 28 | 15U << 1 | 1U;
    MPU_CONTROL = 5; /* on, and the default map elsewhere */
}

void cortex_m_start_board(void)
{
    guard_stack();
    cmsdk_start();
}
