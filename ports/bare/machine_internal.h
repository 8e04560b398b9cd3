/* SPDX-License-Identifier: MIT */

/* Between machine.c, which all machines share, and the file of one machine. */
#ifndef MACHINE_INTERNAL_H
#define MACHINE_INTERNAL_H

#include "machine.h"

/* What the machine calls. */

/* On a valid stack, straight after reset. */
_Noreturn void machine__boot(void);

/* From the vector of the software-raised interrupt, once it is acknowledged. */
void machine__interrupted(void);

/* From any unexpected exception, on a stack that was reset to its top. */
_Noreturn void machine__fault(uint32_t cause, uint32_t address);

/* What the machine supplies. */

/* Makes an interrupt pending at until_us or earlier. With interrupts off. */
void machine__alarm(uint64_t until_us);

/* Halts until an interrupt is pending, returning even if it can not be taken
 * yet, and at once if it was pending before. With interrupts off. */
void machine__sleep(void);

/* Placed by sections.ld; only the addresses mean something. */
extern uint32_t machine__stack_bottom[], machine__stack_top[];

#endif
