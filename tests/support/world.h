/* SPDX-License-Identifier: MIT */
/*
 * A runtime on the simulation kernel for tests that compare whole traces: what tasks note and what
 * the runtime reports stand in one trace, each line with its virtual time.
 */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include "check.h"
#include "smallos/sim.h"
#include "smallos/smallos.h"

struct world {
    struct sos_kernel *kernel;
    sos *os;
};

/* One at a time; every test opens and closes its own. */
extern struct world world;

/* Both may be NULL; the reporter of the configuration is replaced. */
void world_open(const struct sos_config *config);
void world_open_with(const struct sos_config *config, const struct sos_sim_options *options);

/* Runs, checks how the run ends, and that the whole trace since the last call is `trace`. */
void world_run(int status, const char *trace);

/* Checks the trace alone, and forgets it. */
void world_trace(const char *trace);

/* Ends the runtime and checks that all memory has been given back. */
void world_close(void);

#define note(...) sos_sim_note(world.kernel, __VA_ARGS__)

/* The name of a status without its prefix for traces, "7" for a positive one. */
const char *status_text(int status);

/* ---- Tasks that many tests need */

/* Notes "<name> begins", sleeps, notes "<name> ends", returns `status`. */
struct sleeper {
    sos_frame frame;
    int64_t us;
    int status;
};
async_fn(sleeper);

/* Notes "<name> <round>" and yields, `rounds` times. */
struct yielder {
    sos_frame frame;
    int rounds, round;
};
async_fn(yielder);

/* Notes its name and ends with `status`. */
struct ender {
    sos_frame frame;
    int status;
};
async_fn(ender);

/* Waits for a signal and notes "<name> got <status>"; for ever if `rounds` is 0. */
struct listener {
    sos_frame frame;
    uint32_t mask;
    int rounds;
};
async_fn(listener);

#endif
