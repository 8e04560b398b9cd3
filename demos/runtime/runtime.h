/* SPDX-License-Identifier: MIT */
/* What the parts of the runtime demo share. */
#ifndef DEMOS_RUNTIME_H
#define DEMOS_RUNTIME_H

#include <stdint.h>

#include "smallos/kernel.h"
#include "smallos/smallos.h"

struct demo {
    struct sos_kernel *kernel;
    sos *os;
    bool simulated;
    uint64_t start; /* moment at which the run began */
    int mistakes;   /* things that did not go as they must */
    int stopped_by; /* POSIX signal that ended the run early; 0: none */
};

extern struct demo demo;

/* ---- runtime.c */

/* Writes one line of the story: when, who, what. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void say(sos_task *task, const char *format, ...);

/* Counts and tells what did not go as it must. */
void expect(sos_task *task, bool condition, const char *what);

/* Keeps the CPU busy: a step that takes `us` microseconds. */
void work(uint32_t us);

/* 0 to limit - 1; with --seed the same again every time. */
uint32_t chance(uint32_t limit);

/* Priority `wanted`, or the least urgent one where the configuration has fewer levels. */
uint8_t priority(int wanted);

/* Milliseconds for people. */
double ms(uint64_t us);

/* ---- The parts: each adds its tasks and returns 0 or an error. */

int start_workers(void);  /* workers.c: priorities, ticks, a steady beat */
int start_families(void); /* families.c: joins, signals, time-outs, kills */
int start_web(void);      /* web.c: an HTTP request beside other work */
int start_echo(void);     /* echo.c: a server and its clients */

/* ---- summary.c */

/* Remembers a task that will be gone before the end. For the async_finally part of children. */
void summary_note(sos_task *task);

/* Takes in the tasks whose records are still there, and prints the table. */
void summary_print(void);

#endif
