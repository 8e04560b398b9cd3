/* SPDX-License-Identifier: MIT */
/*
 * The rules of the runtime as one trace, which must be the same on every machine: it is printed on
 * the host and by the firmware of five chips, and compared with conformance.expected. No libc; all
 * memory from one buffer; 16 KB of RAM are enough.
 *
 * Time is virtual in all parts but the last: it stands still while a task runs and jumps to the
 * next timer when nothing does, so no trace depends on how fast a machine is. The interrupts are
 * the machine's own.
 */
#include "conformance_kill.h"
#include "conformance_run.h"
#include "conformance_sync.h"
#include "conformance_tasks.h"

static void (*const parts[])(void) = {
    order_of_tasks,
    order_of_sleeps,
    signals,
    interrupts,
    joins_of_one,
    joins_of_several,
    kills,
    kills_of_families,
    deadlines,
    scopes,
    queues,
    mutexes,
    semaphores_and_events,
    priorities,
    limits,
    ends_of_a_run,
    policies,
    real_time,
};

enum { PARTS = sizeof parts / sizeof parts[0] };

int main(void)
{
    for (unsigned part = 0; part < PARTS; part++)
        parts[part]();
    return 0;
}
