/* SPDX-License-Identifier: MIT */

/* BBC micro:bit: nRF51822, Cortex-M0. It has no SysTick; TIMER0 is the clock. */
#include "cortex_m.h"
#include "counter.h"

#define TIMER0(offset) (*(volatile uint32_t *)(0x40008000U + (offset)))
#define TIMER_START TIMER0(0x000)
#define TIMER_CAPTURE(n) TIMER0(0x040 + 4 * (n))
#define TIMER_COMPARED(n) TIMER0(0x140 + 4 * (n))
#define TIMER_INTENSET TIMER0(0x304)
#define TIMER_BITMODE TIMER0(0x508)
#define TIMER_PRESCALER TIMER0(0x510)
#define TIMER_CC(n) TIMER0(0x540 + 4 * (n))

/* Compare registers: one is the alarm, one takes the readings. */
enum { ALARM, READING };

const struct cortex_m_board cortex_m_board = {
    .timer_line = 8, .trigger_line = 20 /* SWI0, meant for this */
};

const uint32_t counter_rate = 1;

void cortex_m_start_board(void)
{
    TIMER_BITMODE = 3;   /* 32 bits */
    TIMER_PRESCALER = 4; /* 16 MHz / 2^4 */
    TIMER_INTENSET = UINT32_C(1) << (16 + ALARM);
    TIMER_START = 1;
}

uint32_t counter_read(void)
{
    TIMER_CAPTURE(READING) = 1;
    return TIMER_CC(READING);
}

void counter_alarm(uint32_t ticks)
{
    /* The comparator may miss the next tick, but not the one after it. */
    TIMER_COMPARED(ALARM) = 0;
    TIMER_CC(ALARM) = counter_read() + (ticks < 2 ? 2 : ticks);
}

void cortex_m_acknowledge_timer(void)
{
    TIMER_COMPARED(ALARM) = 0;
}
