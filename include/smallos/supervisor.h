/* SPDX-License-Identifier: MIT */
/*
 * When to try again: the one policy behind every client that keeps a connection for long. It holds
 * no connection itself; a client tells it what happened and waits as long as it says:
 *
 *     for (;;) {
 *         try_await(sos_supervisor_wait(task, &self->supervisor));
 *         await(connect...);
 *         sos_supervisor_began(&self->supervisor, sos_of(task));
 *         ... until the connection is lost; after every receive: sos_supervisor_heard(...)
 *         sos_supervisor_ended(&self->supervisor, sos_of(task));
 *     }
 *
 * The first attempt is made at once. After a failure the delay doubles up to its cap, each time
 * with jitter, so that a thousand clients do not come back in one moment. A connection only counts
 * as a success when it has lasted `stable_us`: one that is accepted and then dropped goes on
 * doubling. All functions are for the runtime's thread.
 */
#ifndef SMALLOS_SUPERVISOR_H
#define SMALLOS_SUPERVISOR_H

#include "smallos/sync.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero means default in every field. */
struct sos_supervisor_options {
    int64_t first_delay_us; /* after the first failure; default 250 ms */
    int64_t max_delay_us;   /* default 30 s */
    int64_t stable_us;      /* a connection that lasts this long was a success; default 10 s */
    int64_t silence_us;     /* nothing received for so long means it is dead; default: no limit */
    uint32_t attempts_max;  /* failures in a row until it gives up; default: never */
};

struct sos_supervisor {
    struct sos_supervisor_options options; /* the rest is private */
    uint32_t failures;                     /* in a row */
    int64_t delay_us;                      /* before the next attempt */
    uint64_t began, heard;                 /* moments; began 0: there is no connection */
    uint64_t next;                         /* moment of the next attempt; 0: not drawn yet */
    struct sos_event hurry;
};

/* `options` may be NULL. SOS_EINVAL: a negative time, or the first delay above the cap. */
int sos_supervisor_init(struct sos_supervisor *supervisor, const char *name,
                        const struct sos_supervisor_options *options);

/*
 * Waits until the next attempt is to be made. Ends in 0, or in SOS_ETIMEDOUT when `attempts_max`
 * have failed. Canceled: nothing is left, and the next wait ends when this one was to end.
 */
SOS_MUST_USE sos_op sos_supervisor_wait(sos_task *task, struct sos_supervisor *supervisor);

/* Ends that wait now, or the next one: the network has come back, or a user is waiting. */
void sos_supervisor_hurry(struct sos_supervisor *supervisor);

/* The server's own wish for the next delay (retry of Server-Sent Events, for example). */
void sos_supervisor_delay(struct sos_supervisor *supervisor, int64_t us);

/* The connection stands; something was received; the attempt has failed or the connection is
 * lost. */
void sos_supervisor_began(struct sos_supervisor *supervisor, sos *os);
void sos_supervisor_heard(struct sos_supervisor *supervisor, sos *os);
void sos_supervisor_ended(struct sos_supervisor *supervisor, sos *os);

/* How long it may still be silent: 0 when it is dead, SOS_FOREVER without a limit. For
 * sos_within around the next receive. What is sent does not count: only what is received does. */
int64_t sos_supervisor_patience(const struct sos_supervisor *supervisor, sos *os);

#ifdef __cplusplus
}
#endif
#endif
