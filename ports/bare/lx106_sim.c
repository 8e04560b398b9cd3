/* SPDX-License-Identifier: MIT */

/* The processor of the ESP8266 on QEMU's Xtensa sim machine, with the simulator
 * for console and exit. No window registers: the ABI is call0. */
#include "counter.h"
#include "machine_internal.h"

enum { SIM_EXIT = 1, SIM_WRITE = 4 };
enum { CAUSE_INTERRUPT = 4 };
enum { TIMER_INTERRUPT = 1 << 6, SOFTWARE_INTERRUPT = 1 << 7 };

#define READ_SPECIAL(name, value) __asm__ volatile("rsr." name " %0" : "=a"(value) : : "memory")
#define WRITE_SPECIAL(name, value)                                                                 \
    __asm__ volatile("wsr." name " %0\n\trsync" : : "a"(value) : "memory")

/* CCOUNT runs at 40 MHz here; at 80 on the chip. */
const uint32_t counter_rate = 40;

/*
 * The memory below the stack is memory too, so a watchpoint stands guard: DBREAKC
 * 0x80000000 traps stores, and its empty mask makes it 64 bytes long, the lowest
 * of the stack. PS 0x20 opens all interrupt levels and has exceptions come to the
 * user vector; which interrupts there are, machine_start() says.
 *
 * Constants stand as words where the code finds them, since the assembler would
 * put its own before the first instruction.
 */
__asm__(".section .reset, \"ax\"\n"
        "    j machine__reset\n"
        "    .balign 4\n"
        "1:  .word machine__stack_top, machine__stack_bottom, vectors\n"
        "2:  .word machine__boot, 0x80000000\n"
        ".global machine__reset\n"
        "machine__reset:\n"
        "    l32r a1, 1b\n"
        "    l32r a2, 1b + 4\n"
        "    wsr.dbreaka0 a2\n"
        "    l32r a2, 2b + 4\n"
        "    wsr.dbreakc0 a2\n"
        "    l32r a2, 1b + 8\n"
        "    wsr.vecbase a2\n"
        "    movi a2, 0\n"
        "    wsr.intenable a2\n"
        "    movi a2, 0x20\n"
        "    wsr.ps a2\n"
        "    rsync\n"
        "    l32r a2, 2b\n"
        "    jx a2\n"
        ".text\n");

/* In the order and at the distances the processor has them. All but the user one,
 * where interrupts come, end the run on a fresh stack: a2 is the cause reported,
 * 0x100 and up for a level, and a3 the address. */
__asm__(".section .vectors, \"ax\"\n"
        "    .balign 256\n"
        "vectors:\n"
        "    .word machine__stack_top\n" /* a place no exception uses */
        "    .org vectors + 0x10\n"      /* level 2: the watchpoint */
        "    movi a2, 0x102\n"
        "    rsr.epc2 a3\n"
        "    j fault_entry\n"
        "    .org vectors + 0x20\n" /* level 3: the NMI */
        "    movi a2, 0x103\n"
        "    rsr.epc3 a3\n"
        "    j fault_entry\n"
        "    .org vectors + 0x30\n" /* kernel: not entered, we run as user */
        "    rsr.exccause a2\n"
        "    rsr.epc1 a3\n"
        "    j fault_entry\n"
        "    .org vectors + 0x50\n" /* user */
        "    wsr.excsave1 a0\n"
        "    j user_entry\n"
        "    .org vectors + 0x70\n" /* double exception */
        "    rsr.exccause a2\n"
        "    rsr.depc a3\n"
        "    j fault_entry\n"
        "    .org vectors + 0x80\n"
        "fault_entry:\n"
        "    l32r a1, vectors\n"
        "    call0 machine__fault\n"
        "    .balign 4\n"
        "user_entry:\n"
        "    addi a1, a1, -64\n"
        "    s32i a2, a1, 0\n"
        "    s32i a3, a1, 4\n"
        "    s32i a4, a1, 8\n"
        "    s32i a5, a1, 12\n"
        "    s32i a6, a1, 16\n"
        "    s32i a7, a1, 20\n"
        "    s32i a8, a1, 24\n"
        "    s32i a9, a1, 28\n"
        "    s32i a10, a1, 32\n"
        "    s32i a11, a1, 36\n"
        "    rsr.excsave1 a0\n"
        "    s32i a0, a1, 40\n"
        "    rsr.sar a2\n"
        "    s32i a2, a1, 44\n"
        "    rsr.exccause a2\n"
        "    rsr.epc1 a3\n"
        "    s32i a3, a1, 48\n"
        "    call0 lx106__exception\n"
        "    l32i a2, a1, 48\n"
        "    wsr.epc1 a2\n"
        "    l32i a2, a1, 44\n"
        "    wsr.sar a2\n"
        "    l32i a0, a1, 40\n"
        "    l32i a11, a1, 36\n"
        "    l32i a10, a1, 32\n"
        "    l32i a9, a1, 28\n"
        "    l32i a8, a1, 24\n"
        "    l32i a7, a1, 20\n"
        "    l32i a6, a1, 16\n"
        "    l32i a5, a1, 12\n"
        "    l32i a4, a1, 8\n"
        "    l32i a3, a1, 4\n"
        "    l32i a2, a1, 0\n"
        "    addi a1, a1, 64\n"
        "    rfe\n"
        ".text\n");

void lx106__exception(uint32_t cause, uint32_t address);

static void sim_call(int operation, uint32_t first, uint32_t second, uint32_t third)
{
    register int a2 __asm__("a2") = operation;
    register uint32_t a3 __asm__("a3") = first;
    register uint32_t a4 __asm__("a4") = second;
    register uint32_t a5 __asm__("a5") = third;

    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
}

void machine_start(void)
{
    counter_watch();
    WRITE_SPECIAL("intenable", TIMER_INTERRUPT | SOFTWARE_INTERRUPT);
}

void machine_write(const char *text, size_t length)
{
    sim_call(SIM_WRITE, 1, (uintptr_t)text, length);
}

_Noreturn void machine_exit(int status)
{
    for (;;)
        sim_call(SIM_EXIT, (uint32_t)status, 0, 0);
}

uintptr_t machine_critical_enter(void)
{
    uintptr_t state;

    __asm__ volatile("rsil %0, 1" : "=a"(state) : : "memory");
    return state;
}

void machine_critical_leave(uintptr_t state)
{
    WRITE_SPECIAL("ps", state);
}

void machine__sleep(void)
{
    /* Opens interrupts and halts in one step. */
    __asm__ volatile("waiti 0" : : : "memory");
}

uint32_t counter_read(void)
{
    uint32_t count;

    READ_SPECIAL("ccount", count);
    return count;
}

void counter_alarm(uint32_t ticks)
{
    /* Too few ticks, and the counter would be past the mark before it is set.
     * Setting it also ends the timer's request. */
    WRITE_SPECIAL("ccompare0", counter_read() + (ticks < 64 ? 64 : ticks));
}

void machine_trigger_interrupt(void)
{
    WRITE_SPECIAL("intset", SOFTWARE_INTERRUPT);
}

void lx106__exception(uint32_t cause, uint32_t address)
{
    uint32_t pending;

    if (cause != CAUSE_INTERRUPT)
        machine__fault(cause, address);

    READ_SPECIAL("interrupt", pending);
    if (pending & TIMER_INTERRUPT)
        counter_watch();
    if (pending & SOFTWARE_INTERRUPT) {
        WRITE_SPECIAL("intclear", SOFTWARE_INTERRUPT);
        machine__interrupted();
    }
}
