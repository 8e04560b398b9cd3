/* SPDX-License-Identifier: MIT */

#include "machine_internal.h"

#include <stdbool.h>

int main(void);

extern const char machine__data_load[];
extern char machine__data_start[], machine__data_end[];
extern char machine__bss_start[], machine__bss_end[];

static void (*on_interrupt)(void);
static volatile bool interrupted;

_Noreturn void machine__boot(void)
{
    const char *from = machine__data_load;

    for (char *to = machine__data_start; to != machine__data_end;)
        *to++ = *from++;
    for (char *to = machine__bss_start; to != machine__bss_end;)
        *to++ = 0;

    machine_start();
    machine_exit(main());
}

void machine_wait(uint64_t until_us)
{
    uintptr_t state = machine_critical_enter();

    if (!interrupted) {
        machine__alarm(until_us);
        /* A deadline that passed while the alarm was being set may have been
         * missed by a comparator; from here on it can not be. */
        if (machine_now_us() < until_us)
            machine__sleep();
    }
    machine_critical_leave(state);

    /* What was handled up to here, the caller sees after its return. */
    interrupted = false;
}

void machine_on_interrupt(void (*handler)(void))
{
    on_interrupt = handler;
}

void machine__interrupted(void)
{
    interrupted = true;
    if (on_interrupt)
        on_interrupt();
}

static void write_hex(uint32_t value)
{
    char text[8];

    for (int i = 8; i-- > 0; value >>= 4)
        text[i] = "0123456789abcdef"[value & 15];
    machine_write(text, sizeof text);
}

_Noreturn void machine__fault(uint32_t cause, uint32_t address)
{
    machine_write("\nfault: cause 0x", 16);
    write_hex(cause);
    machine_write(" at 0x", 6);
    write_hex(address);
    machine_write("\n", 1);
    machine_exit(MACHINE_FAULT);
}
