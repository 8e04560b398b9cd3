/* SPDX-License-Identifier: MIT */

/*
 * Any Cortex-M. Console and exit are semihosting calls to the emulator: run it
 * with -semihosting-config enable=on,target=native, without which the first call
 * is a fault in a fault and locks the processor up.
 */
#include "cortex_m.h"
#include "counter.h"
#include "machine_internal.h"

enum { HOST_OPEN = 0x01, HOST_WRITE = 0x05, HOST_EXIT = 0x20 };

#define HOST_APPLICATION_EXIT 0x20026U
#define HOST_OPEN_STDOUT 4U

#define NVIC_ENABLE (*(volatile uint32_t *)0xe000e100U)
#define NVIC_PEND (*(volatile uint32_t *)0xe000e200U)

/* The first 32 lines share one handler, which looks up which one it is. */
__asm__(".section .vectors, \"a\"\n"
        "    .word machine__stack_top, machine__reset\n"
        "    .rept 14\n"
        "    .word fault_entry\n"
        "    .endr\n"
        "    .rept 32\n"
        "    .word cortex_m__interrupt\n"
        "    .endr\n"
        ".text\n");

/* After an overflow the stack pointer is outside the RAM, so the report runs
 * from the top again. */
__asm__(".section .text.fault_entry, \"ax\"\n"
        ".syntax unified\n"
        ".thumb\n"
        ".thumb_func\n"
        ".type fault_entry, %function\n"
        "fault_entry:\n"
        "    mov r0, sp\n"
        "    ldr r1, =machine__stack_top\n"
        "    mov sp, r1\n"
        "    bl cortex_m__fault\n"
        "    .ltorg\n"
        ".text\n");

_Noreturn void machine__reset(void);
_Noreturn void cortex_m__fault(const uint32_t *frame);
void cortex_m__interrupt(void);

static uint32_t console;

static uint32_t exception_number(void)
{
    uint32_t number;

    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    return number & 0x1ff;
}

static uint32_t host_call(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

_Noreturn void machine__reset(void)
{
    machine__boot();
}

void machine_start(void)
{
    const uint32_t open[] = { (uintptr_t) ":tt", HOST_OPEN_STDOUT, 3 };

    console = host_call(HOST_OPEN, open);
    cortex_m_start_board();
    counter_watch();
    NVIC_ENABLE = UINT32_C(1) << cortex_m_board.timer_line;
    NVIC_ENABLE = UINT32_C(1) << cortex_m_board.trigger_line;
}

void machine_write(const char *text, size_t length)
{
    const uint32_t write[] = { console, (uintptr_t)text, length };

    (void)host_call(HOST_WRITE, write);
}

_Noreturn void machine_exit(int status)
{
    const uint32_t leave[] = { HOST_APPLICATION_EXIT, (uint32_t)status };

    for (;;)
        (void)host_call(HOST_EXIT, leave);
}

uintptr_t machine_critical_enter(void)
{
    uint32_t state;

    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(state) : : "memory");
    return state;
}

void machine_critical_leave(uintptr_t state)
{
    /* The barrier lets a pending interrupt in before the next instruction. */
    __asm__ volatile("msr primask, %0\n\tisb" : : "r"(state) : "memory");
}

void machine__sleep(void)
{
    /* Wakes for a pending interrupt even while PRIMASK holds it off. */
    __asm__ volatile("dsb\n\twfi" : : : "memory");
}

void machine_trigger_interrupt(void)
{
    NVIC_PEND = UINT32_C(1) << cortex_m_board.trigger_line;
    __asm__ volatile("dsb\n\tisb" : : : "memory");
}

void cortex_m__interrupt(void)
{
    if (exception_number() == 16 + cortex_m_board.trigger_line) {
        machine__interrupted();
    } else {
        cortex_m_acknowledge_timer();
        counter_watch();
    }
}

_Noreturn void cortex_m__fault(const uint32_t *frame)
{
    /* Past its end the stack has nothing to read: its address tells enough. */
    if (frame < machine__stack_bottom || frame + 8 > machine__stack_top)
        machine__fault(exception_number(), (uintptr_t)frame);
    machine__fault(exception_number(), frame[6]);
}
