/* SPDX-License-Identifier: MIT */

/* TIMER0 runs freely and is read; TIMER1 is the alarm. Both count down. */
#include "cmsdk.h"
#include "cortex_m.h"
#include "counter.h"

struct cmsdk_timer {
    volatile uint32_t control, value, reload, interrupt;
};

enum { ENABLE = 1, INTERRUPT_ENABLE = 8 };

static struct cmsdk_timer *timer(unsigned number)
{
    return (struct cmsdk_timer *)(cmsdk_timers + number * 0x1000U);
}

void cmsdk_start(void)
{
    timer(0)->reload = UINT32_MAX;
    timer(0)->value = UINT32_MAX;
    timer(0)->control = ENABLE;
}

uint32_t counter_read(void)
{
    return UINT32_MAX - timer(0)->value;
}

void counter_alarm(uint32_t ticks)
{
    struct cmsdk_timer *alarm = timer(1);

    /* Without a reload value it stops at zero. */
    alarm->control = 0;
    alarm->reload = 0;
    alarm->value = ticks > 0 ? ticks : 1;
    alarm->control = ENABLE | INTERRUPT_ENABLE;
}

void cortex_m_acknowledge_timer(void)
{
    timer(1)->interrupt = 1;
}
