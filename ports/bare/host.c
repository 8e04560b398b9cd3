/* SPDX-License-Identifier: MIT */

/*
 * The machine of machine.h as a process of this computer, so that programs for bare chips can be
 * tried here, under a debugger, sanitizers and valgrind. The interrupt is a POSIX signal: raised in
 * the program's own thread it comes at once or when it is let in again, and several raised
 * meanwhile are one, as on a processor.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"

enum { INTERRUPT = SIGUSR1 };

static uint64_t started_us;
static void (*on_interrupt)(void);
static volatile sig_atomic_t interrupted;

static uint64_t clock_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void handle(int signal)
{
    (void)signal;
    interrupted = 1;
    if (on_interrupt != NULL)
        on_interrupt();
}

static sigset_t interrupt_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, INTERRUPT);
    return set;
}

/* There is no start-up code of ours before main(). */
__attribute__((constructor)) void machine_start(void)
{
    struct sigaction action = { .sa_handler = handle };
    started_us = clock_us();
    sigaction(INTERRUPT, &action, NULL);
}

uint64_t machine_now_us(void)
{
    return clock_us() - started_us;
}

void machine_wait(uint64_t until_us)
{
    uintptr_t state = machine_critical_enter();
    uint64_t now = machine_now_us();

    if (!interrupted && now < until_us) {
        uint64_t left = until_us - now;
        struct timespec limit = { (time_t)(left / 1000000), (long)(left % 1000000) * 1000 };
        sigset_t open;
        sigprocmask(SIG_SETMASK, NULL, &open);
        sigdelset(&open, INTERRUPT);
        /* Lets the interrupt in and sleeps in one step. A day is for ever, and may end early. */
        ppoll(NULL, 0, limit.tv_sec < 86400 ? &limit : NULL, &open);
    }
    machine_critical_leave(state);
    interrupted = 0;
}

void machine_write(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

_Noreturn void machine_exit(int status)
{
    exit(status);
}

uintptr_t machine_critical_enter(void)
{
    sigset_t set = interrupt_set(), before;
    sigprocmask(SIG_BLOCK, &set, &before);
    return (uintptr_t)sigismember(&before, INTERRUPT);
}

void machine_critical_leave(uintptr_t state)
{
    sigset_t set = interrupt_set();
    sigprocmask(state != 0 ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void machine_on_interrupt(void (*handler)(void))
{
    on_interrupt = handler;
}

void machine_trigger_interrupt(void)
{
    raise(INTERRUPT);
}
