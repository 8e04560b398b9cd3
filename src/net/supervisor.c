/* SPDX-License-Identifier: MIT */
/* When a client that has lost its connection tries again. */
#include "smallos/supervisor.h"

#include "smallos/async.h"
#include "smallos/kernel.h"
#include "smallos/runtime.h"

enum { FIRST_MS = 250, MAX_MS = 30000, STABLE_MS = 10000 };

static int64_t or_default(int64_t us, int64_t standard)
{
    return us != 0 ? us : standard;
}

int sos_supervisor_init(struct sos_supervisor *supervisor, const char *name,
                        const struct sos_supervisor_options *options)
{
    struct sos_supervisor_options given = { 0 };
    if (options != NULL)
        given = *options;
    given.first_delay_us = or_default(given.first_delay_us, SOS_MS(FIRST_MS));
    given.max_delay_us = or_default(given.max_delay_us, SOS_MS(MAX_MS));
    given.stable_us = or_default(given.stable_us, SOS_MS(STABLE_MS));
    given.silence_us = or_default(given.silence_us, SOS_FOREVER);
    if (given.first_delay_us < 0 || given.stable_us < 0 || given.silence_us < 0 ||
        given.max_delay_us < given.first_delay_us)
        return SOS_EINVAL;
    *supervisor = (struct sos_supervisor){ .options = given };
    sos_event_init(&supervisor->hurry, name);
    return SOS_OK;
}

/* Between a half and the whole of it. */
static int64_t with_jitter(sos *os, int64_t us)
{
    struct sos_kernel *kernel = sos_kernel_of(os);
    uint32_t chance = 0;
    if (kernel->entropy == NULL || kernel->entropy(kernel, &chance, sizeof chance) != SOS_OK)
        chance = (uint32_t)sos_now(os) * 2654435761u; /* better than nothing: when it failed */
    int64_t half = us / 2;
    return us - (int64_t)((uint64_t)half * (chance >> 16) >> 16);
}

/* The moment stays when a wait is canceled: those who have no time for all of it get there too. */
static int64_t left_to_wait(struct sos_supervisor *supervisor, sos *os)
{
    uint64_t now = sos_now(os);
    if (supervisor->next == 0)
        supervisor->next = now + (uint64_t)with_jitter(os, supervisor->delay_us);
    return supervisor->next > now ? (int64_t)(supervisor->next - now) : 0;
}

struct waiting {
    sos_frame frame;
    struct sos_supervisor *supervisor;
};

static async_fn(waiting)
{
    async_begin(waiting);
    await(sos_within(task, left_to_wait(self->supervisor, sos_of(task)),
                     sos_event_wait(task, &self->supervisor->hurry)));
    if (sos_status(task) != SOS_OK && sos_status(task) != SOS_ETIMEDOUT)
        async_return(sos_status(task));
    sos_event_clear(&self->supervisor->hurry);
    self->supervisor->next = 0;
    async_return(SOS_OK);
    async_end;
}

sos_op sos_supervisor_wait(sos_task *task, struct sos_supervisor *supervisor)
{
    uint32_t most = supervisor->options.attempts_max;
    if (most != 0 && supervisor->failures >= most)
        return sos_complete(task, SOS_ETIMEDOUT);
    if (supervisor->delay_us == 0)
        return sos_complete(task, SOS_OK);
    return async_call(waiting, .supervisor = supervisor);
}

void sos_supervisor_hurry(struct sos_supervisor *supervisor)
{
    sos_event_set(&supervisor->hurry);
}

void sos_supervisor_delay(struct sos_supervisor *supervisor, int64_t us)
{
    if (us < 0)
        return;
    struct sos_supervisor_options *options = &supervisor->options;
    options->first_delay_us = us;
    if (options->max_delay_us < us)
        options->max_delay_us = us;
}

void sos_supervisor_began(struct sos_supervisor *supervisor, sos *os)
{
    supervisor->began = supervisor->heard = sos_now(os);
    if (supervisor->began == 0)
        supervisor->began = 1; /* a clock that starts at 0 */
    sos_event_clear(&supervisor->hurry);
}

void sos_supervisor_heard(struct sos_supervisor *supervisor, sos *os)
{
    supervisor->heard = sos_now(os);
}

void sos_supervisor_ended(struct sos_supervisor *supervisor, sos *os)
{
    const struct sos_supervisor_options *options = &supervisor->options;
    uint64_t lasted = supervisor->began != 0 ? sos_now(os) - supervisor->began : 0;
    if (supervisor->began != 0 && lasted >= (uint64_t)options->stable_us) {
        supervisor->failures = 0;
        supervisor->delay_us = 0;
    }
    supervisor->began = 0;
    supervisor->next = 0;
    supervisor->failures++;
    if (supervisor->delay_us == 0)
        supervisor->delay_us = options->first_delay_us;
    else if (supervisor->delay_us < options->max_delay_us / 2)
        supervisor->delay_us *= 2;
    else
        supervisor->delay_us = options->max_delay_us;
}

int64_t sos_supervisor_patience(const struct sos_supervisor *supervisor, sos *os)
{
    int64_t most = supervisor->options.silence_us;
    if (most == SOS_FOREVER)
        return SOS_FOREVER;
    uint64_t silent = sos_now(os) - supervisor->heard;
    return silent >= (uint64_t)most ? 0 : most - (int64_t)silent;
}
