/* SPDX-License-Identifier: MIT */

/*
 * What a bare machine offers to the program it boots: a clock, an idle, a
 * console, an exit, and an interrupt to post from. There is no libc here;
 * memory.c supplies the four mem* functions that a compiler expects.
 *
 * The start-up code fills .data, clears .bss, calls machine_start(), then
 * main(), and leaves with what main() returned.
 *
 * "Anywhere" below means: from main, from the interrupt handler, inside or
 * outside a critical section.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* The exit status of a program that ran into a processor fault, such as a
 * stack that grew past its end. The fault is also printed. */
#define MACHINE_FAULT 99

/* Starts the clock and opens the interrupts. The start-up code calls it once,
 * before main(); programs do not. */
void machine_start(void);

/* Microseconds since machine_start(). Never goes backwards and never wraps,
 * whatever the width of the hardware counter. Anywhere. */
uint64_t machine_now_us(void);

/*
 * Sleeps until the clock reaches until_us, or until an interrupt. One that was
 * handled since the previous machine_wait() returned makes this one return at
 * once, so that "look for work, find none, wait" has no window in which a post
 * gets lost. It may return early for no reason: look at the clock again.
 *
 * From main only. Inside a critical section it still wakes up; the handler then
 * runs at the latest when the section is left.
 */
void machine_wait(uint64_t until_us);

/* Writes the bytes to the console and returns when they are out. Anywhere. */
void machine_write(const char *text, size_t length);

/* Ends the run; the emulator exits with this status, 0 to 255. Anywhere. */
_Noreturn void machine_exit(int status);

/* Holds interrupts off until machine_critical_leave() is given the returned
 * value. Sections nest; each is left in reverse order. Anywhere. */
uintptr_t machine_critical_enter(void);
void machine_critical_leave(uintptr_t state);

/* Sets what the interrupt runs; NULL, the start value, runs nothing. From main. */
void machine_on_interrupt(void (*handler)(void));

/* Raises the interrupt: a real one, which the processor takes at once, or when
 * the critical section it was raised in is left. Raising it again before the
 * handler has begun makes no second one. Anywhere. */
void machine_trigger_interrupt(void);

#endif
