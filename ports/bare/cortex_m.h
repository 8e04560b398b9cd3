/* SPDX-License-Identifier: MIT */

/* What differs between the Cortex-M machines, beside their counter. */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

struct cortex_m_board {
    uint32_t timer_line;   /* interrupt line, below 32, of counter_alarm() */
    uint32_t trigger_line; /* another, which no device in use raises */
};

extern const struct cortex_m_board cortex_m_board;

/* Starts the counter at 0 and makes the timer able to interrupt; also sees to it
 * that a store below the RAM, where the stack ends, is a fault. */
void cortex_m_start_board(void);

/* Called from the timer interrupt to end its request. */
void cortex_m_acknowledge_timer(void);

#endif
