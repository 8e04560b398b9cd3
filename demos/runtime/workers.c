/* SPDX-License-Identifier: MIT */
/* Tasks that share the CPU: by priority, in turn, and by the clock. */
#include "runtime.h"

/* ---- Workers: more urgent ones finish first, whatever the order in which they were started. */

enum { SHIFTS = 20, SHIFT_US = 2000 };

struct worker {
    sos_frame frame;
    int done;
};

static int workers_done;

static async_fn(worker)
{
    async_begin(worker);
    say(task, "starts on %d pieces of work", SHIFTS);
    for (; self->done < SHIFTS; self->done++) {
        work(SHIFT_US);
        await(sos_yield(task));
    }
    say(task, "is done, as number %d of 3", ++workers_done);
    async_return(self->done);
    async_end;
}

/* ---- Tick and tock: two of the same priority take turns. */

struct ticker {
    sos_frame frame;
    int rounds, round;
};

static async_fn(ticker)
{
    async_begin(ticker);
    while (self->round < self->rounds) {
        self->round++;
        say(task, "%d", self->round);
        await(sos_yield(task));
    }
    async_end;
}

/* ---- Beat: wakes at fixed moments, and sees how late it was at worst. */

enum { BEATS = 8, BEAT_MS = 250 };

struct beat {
    sos_frame frame;
    int beat;
    uint64_t next, worst;
};

static int64_t until(uint64_t moment)
{
    uint64_t now = sos_now(demo.os);
    return moment > now ? (int64_t)(moment - now) : 0;
}

static void look_how_late(struct beat *beat)
{
    uint64_t late = sos_now(demo.os) - beat->next;
    if (late > beat->worst)
        beat->worst = late;
}

static async_fn(beat)
{
    async_begin(beat);
    self->next = sos_now(sos_of(task));
    while (self->beat < BEATS) {
        self->next += SOS_MS(BEAT_MS);
        await(sos_sleep(task, until(self->next)));
        look_how_late(self);
        self->beat++;
        say(task, "%d of %d, at most %.2f ms late so far", self->beat, BEATS, ms(self->worst));
    }
    async_return(self->beat);
    async_end;
}

int start_workers(void)
{
    struct sos_start starts[] = {
        sos_start(worker, sos_opt(.priority = priority(8), .name = "worker, lazy")),
        sos_start(worker, sos_opt(.priority = priority(7), .name = "worker, usual")),
        sos_start(worker, sos_opt(.priority = priority(6), .name = "worker, urgent")),
        sos_start(ticker, sos_opt(.priority = priority(5), .name = "tick"), .rounds = 3),
        sos_start(ticker, sos_opt(.priority = priority(5), .name = "tock"), .rounds = 3),
        sos_start(beat, sos_opt(.priority = 1)),
    };
    return sos_fork_list(demo.os, starts, sizeof starts / sizeof starts[0], NULL);
}
