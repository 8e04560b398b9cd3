/* SPDX-License-Identifier: MIT */

#include "kernel.h"
#include "machine.h"

/*
 * Reading a clock costs more than many a step, so looks are paced by time: one in about PACE_US,
 * guessed from how long the last steps took. That is how late a timer may be noticed, and STEPS_MAX
 * steps when short ones are suddenly followed by long ones.
 */
enum { PACE_US = 50, STEPS_MAX = 256 };

static uint64_t last_look;
static uint32_t steps = 1; /* that were allowed at the last look */

/* Set from anywhere, taken by the next wait. Beyond that wake() has nothing to do: who calls it
 * during a sleep is an interrupt handler, and an interrupt ends the sleep. */
static volatile uint32_t woken;

static uint64_t now(struct sos_kernel *kernel)
{
    (void)kernel;
    return machine_now_us();
}

static uint32_t look(struct sos_kernel *kernel, sos *os, uint64_t now_us, uint64_t due)
{
    uint64_t passed = now_us - last_look;
    (void)kernel;
    (void)os;
    last_look = now_us;
    if (passed > PACE_US || due - now_us < PACE_US)
        steps = 1 + steps / 4;
    else if (passed < PACE_US / 2 && steps < STEPS_MAX)
        steps *= 2;
    return steps;
}

/* A post that comes in between the question and the sleep is an interrupt held off until then,
 * and ends the sleep. */
static void wait(struct sos_kernel *kernel, sos *os, uint64_t until)
{
    uintptr_t state = machine_critical_enter();
    (void)kernel;
    if (woken == 0 && !sos_attention(os))
        machine_wait(until);
    woken = 0;
    machine_critical_leave(state);
    steps = 1;
}

static void wake(struct sos_kernel *kernel)
{
    (void)kernel;
    woken = 1;
}

static uintptr_t critical_enter(struct sos_kernel *kernel)
{
    (void)kernel;
    return machine_critical_enter();
}

static void critical_leave(struct sos_kernel *kernel, uintptr_t state)
{
    (void)kernel;
    machine_critical_leave(state);
}

static int write(struct sos_kernel *kernel, enum sos_channel channel, const char *text, size_t size)
{
    (void)kernel;
    (void)channel;
    machine_write(text, size);
    return (int)size;
}

static void panic(struct sos_kernel *kernel, const char *text)
{
    size_t length = 0;
    (void)kernel;
    while (text[length] != '\0')
        length++;
    machine_write(text, length);
    machine_write("\n", 1);
    machine_exit(MACHINE_FAULT);
}

struct sos_kernel bare_kernel = {
    .now = now,
    .wait = wait,
    .look = look,
    .wake = wake,
    .critical_enter = critical_enter,
    .critical_leave = critical_leave,
    .write = write,
    .panic = panic,
};
