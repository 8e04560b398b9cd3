/* SPDX-License-Identifier: MIT */

/* QEMU's virt board without firmware: one RV32IMC hart in machine mode. */
#include "machine_internal.h"

#define CLINT_MSIP (*(volatile uint32_t *)0x02000000U)
#define CLINT_MTIMECMP ((volatile uint32_t *)0x02004000U)
#define CLINT_MTIME ((volatile uint32_t *)0x0200bff8U)
#define UART_DATA (*(volatile uint8_t *)0x10000000U)
#define UART_STATUS (*(volatile uint8_t *)0x10000005U)
#define UART_CAN_SEND 0x20U
#define TEST_FINISH (*(volatile uint32_t *)0x00100000U)
#define TEST_PASS 0x5555U
#define TEST_FAIL 0x3333U

#define TICKS_PER_US 10U

enum { MSTATUS_MIE = 1 << 3, MIE_SOFTWARE = 1 << 3, MIE_TIMER = 1 << 7 };

/*
 * The code region, right below the stack, is locked to read and execute: a stack
 * that overflows faults on its first store there. The range ends where
 * pmpaddr1 says and starts where pmpaddr0 does; 0x8d is locked, top of range,
 * execute and read.
 */
__asm__(".section .vectors, \"ax\"\n"
        ".global machine__reset\n"
        "machine__reset:\n"
        "    la sp, machine__stack_top\n"
        "    la t0, vectors\n"
        "    ori t0, t0, 1\n"
        "    csrw mtvec, t0\n"
        "    la t0, machine__code_start\n"
        "    srli t0, t0, 2\n"
        "    csrw pmpaddr0, t0\n"
        "    la t0, machine__code_end\n"
        "    srli t0, t0, 2\n"
        "    csrw pmpaddr1, t0\n"
        "    li t0, 0x8d00\n"
        "    csrw pmpcfg0, t0\n"
        "    j machine__boot\n"
        ".text\n");

/* One jump per cause of an interrupt; exceptions come to the first. Where they
 * come from, the stack may be unusable, so theirs starts from the top again. */
__asm__(".section .text.riscv_vectors, \"ax\"\n"
        ".balign 256\n"
        ".option push\n"
        ".option norvc\n"
        "vectors:\n"
        "    j fault_entry\n"
        "    j fault_entry\n"
        "    j fault_entry\n"
        "    j riscv__software_interrupt\n"
        "    j fault_entry\n"
        "    j fault_entry\n"
        "    j fault_entry\n"
        "    j riscv__timer_interrupt\n"
        ".option pop\n"
        "fault_entry:\n"
        "    la sp, machine__stack_top\n"
        "    csrr a0, mcause\n"
        "    csrr a1, mepc\n"
        "    j machine__fault\n"
        ".text\n");

void riscv__software_interrupt(void);
void riscv__timer_interrupt(void);

static void set_timer(uint64_t ticks)
{
    /* In this order no half-written value lies in the past. */
    CLINT_MTIMECMP[1] = UINT32_MAX;
    CLINT_MTIMECMP[0] = (uint32_t)ticks;
    CLINT_MTIMECMP[1] = (uint32_t)(ticks >> 32);
}

void machine_start(void)
{
    set_timer(UINT64_MAX);
    __asm__ volatile("csrw mie, %0" : : "r"(MIE_SOFTWARE | MIE_TIMER));
    __asm__ volatile("csrs mstatus, %0" : : "r"(MSTATUS_MIE) : "memory");
}

uint64_t machine_now_us(void)
{
    uint32_t high, low;

    do {
        high = CLINT_MTIME[1];
        low = CLINT_MTIME[0];
    } while (high != CLINT_MTIME[1]);
    return ((uint64_t)high << 32 | low) / TICKS_PER_US;
}

void machine__alarm(uint64_t until_us)
{
    set_timer(until_us < UINT64_MAX / TICKS_PER_US ? until_us * TICKS_PER_US : UINT64_MAX);
}

void machine__sleep(void)
{
    /* Wakes for a pending interrupt even while mstatus holds it off. */
    __asm__ volatile("wfi" : : : "memory");
}

void machine_write(const char *text, size_t length)
{
    while (length-- > 0) {
        while (!(UART_STATUS & UART_CAN_SEND)) {}
        UART_DATA = (uint8_t)*text++;
    }
}

_Noreturn void machine_exit(int status)
{
    for (;;)
        TEST_FINISH = status ? (uint32_t)status << 16 | TEST_FAIL : TEST_PASS;
}

uintptr_t machine_critical_enter(void)
{
    uintptr_t state;

    __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(state) : : "memory");
    return state & MSTATUS_MIE;
}

void machine_critical_leave(uintptr_t state)
{
    __asm__ volatile("csrs mstatus, %0" : : "r"(state) : "memory");
}

void machine_trigger_interrupt(void)
{
    CLINT_MSIP = 1;
}

__attribute__((interrupt("machine"))) void riscv__software_interrupt(void)
{
    CLINT_MSIP = 0;
    machine__interrupted();
}

__attribute__((interrupt("machine"))) void riscv__timer_interrupt(void)
{
    set_timer(UINT64_MAX);
}
