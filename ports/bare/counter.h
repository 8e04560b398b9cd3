/* SPDX-License-Identifier: MIT */

/* A machine whose clock is a 32-bit counter supplies the first three; counter.c
 * makes machine_now_us() and machine__alarm() of them. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

/* Ticks in a microsecond. */
extern const uint32_t counter_rate;

/* The counter: counts up from about 0 at machine_start(), and wraps. */
uint32_t counter_read(void);

/* Raises the timer interrupt this many ticks from now, and only then: a new
 * alarm replaces the old one. With interrupts off. */
void counter_alarm(uint32_t ticks);

/* To be called at machine_start() and from every timer interrupt; it keeps an
 * alarm set, so that no wrap of the counter goes by unseen. */
void counter_watch(void);

#endif
