/* SPDX-License-Identifier: MIT */

#include "counter.h"
#include "machine_internal.h"

/* A reading at least every half wrap is needed; a quarter leaves room for
 * interrupts that are held off. */
#define LONGEST_ALARM (UINT32_C(1) << 30)

static uint64_t now_us; /* the time at which the counter stood at `counted` */
static uint32_t counted;

uint64_t machine_now_us(void)
{
    uintptr_t state = machine_critical_enter();
    uint32_t elapsed_us = (counter_read() - counted) / counter_rate;

    counted += elapsed_us * counter_rate;
    now_us += elapsed_us;

    uint64_t result = now_us;
    machine_critical_leave(state);
    return result;
}

void machine__alarm(uint64_t until_us)
{
    uint64_t now = machine_now_us();
    uint64_t left = until_us > now ? until_us - now : 0;
    uint32_t longest_us = LONGEST_ALARM / counter_rate;

    counter_alarm((left < longest_us ? (uint32_t)left : longest_us) * counter_rate);
}

void counter_watch(void)
{
    (void)machine_now_us();
    counter_alarm(LONGEST_ALARM);
}
