/* SPDX-License-Identifier: MIT */
/* When a client tries again: the moments of its attempts, in virtual time. */
#include "smallos/supervisor.h"
#include "world.h"

/* ---- A client whose connections all last `lasts_us`; -1: none comes about */

struct client {
    sos_frame frame;
    struct sos_supervisor_options options;
    struct sos_supervisor supervisor;
    int64_t lasts_us;
    int attempts;
};

static struct sos_supervisor *supervised;

async_fn(client)
{
    async_begin(client);
    CHECK_INT(sos_supervisor_init(&self->supervisor, "client", &self->options), SOS_OK);
    supervised = &self->supervisor;
    for (; self->attempts > 0; self->attempts--) {
        try_await(sos_supervisor_wait(task, &self->supervisor));
        note("tries");
        if (self->lasts_us >= 0) {
            sos_supervisor_began(&self->supervisor, sos_of(task));
            await(sos_sleep(task, self->lasts_us));
        }
        sos_supervisor_ended(&self->supervisor, sos_of(task));
    }
    async_finally;
    note("ends: %s", status_text(sos_status(task)));
    async_end;
}

/* Without chance the jitter is none. */
static int no_chance(struct sos_kernel *kernel, void *bytes, size_t size)
{
    (void)kernel;
    memset(bytes, 0, size);
    return SOS_OK;
}

static void begin(bool chance, int attempts, int64_t lasts_us, uint32_t attempts_max)
{
    const struct sos_sim_options options = { .seed = 7 };
    world_open_with(NULL, chance ? &options : NULL);
    if (!chance)
        world.kernel->entropy = no_chance;
    sos_fork(world.os, client, sos_opt(.priority = 1), .attempts = attempts, .lasts_us = lasts_us,
             .options = { .first_delay_us = SOS_MS(100),
                          .max_delay_us = SOS_MS(500),
                          .stable_us = SOS_SEC(1),
                          .attempts_max = attempts_max });
}

static void the_delay_doubles_up_to_its_cap(void)
{
    begin(false, 6, -1, 0);
    world_run(SOS_OK, "0 tries\n100000 tries\n300000 tries\n700000 tries\n1200000 tries\n"
                      "1700000 tries\n1700000 ends: OK\n");
    world_close();
}

static void accepted_and_dropped_counts_as_a_failure(void)
{
    begin(false, 4, SOS_MS(10), 0);
    world_run(SOS_OK, "0 tries\n110000 tries\n320000 tries\n730000 tries\n740000 ends: OK\n");
    world_close();
}

static void what_lasted_begins_anew(void)
{
    begin(false, 4, SOS_SEC(1), 0);
    world_run(SOS_OK, "0 tries\n1100000 tries\n2200000 tries\n3300000 tries\n4300000 ends: OK\n");
    world_close();
}

static void it_gives_up_after_so_many_failures(void)
{
    begin(false, 10, -1, 3);
    world_run(SOS_OK, "0 tries\n100000 tries\n300000 tries\n300000 ends: ETIMEDOUT\n"
                      "300000 ! failed: client ETIMEDOUT\n");
    world_close();
}

static void jitter_takes_at_most_half_and_comes_from_the_seed(void)
{
    for (int round = 0; round < 2; round++) {
        begin(true, 2, -1, 0);
        CHECK_INT(sos_run(world.os), SOS_OK);
        uint64_t now = sos_now(world.os);
        CHECK(now >= (uint64_t)SOS_MS(50) && now <= (uint64_t)SOS_MS(100));
        static uint64_t first;
        first = round == 0 ? now : first;
        CHECK_INT(now, first);
        sos_sim_trace_clear(world.kernel);
        world_close();
    }
}

struct hurrier {
    sos_frame frame;
};

async_fn(hurrier)
{
    async_begin(hurrier);
    await(sos_sleep(task, SOS_MS(30)));
    sos_supervisor_hurry(supervised);
    async_end;
}

static void a_wait_can_be_ended_from_outside(void)
{
    begin(false, 3, -1, 0);
    sos_fork(world.os, hurrier, sos_opt(.priority = 2));
    world_run(SOS_OK, "0 tries\n30000 tries\n230000 tries\n230000 ends: OK\n");
    world_close();
}

/* ---- A client whose tasks have less time than the delay is long */

struct impatient {
    sos_frame frame;
    struct sos_supervisor supervisor;
    int left;
};

static async_fn(impatient)
{
    async_begin(impatient);
    CHECK_INT(sos_supervisor_init(&self->supervisor, "impatient",
                                  &(struct sos_supervisor_options){ .first_delay_us = SOS_MS(100),
                                                                    .max_delay_us = SOS_MS(200) }),
              SOS_OK);
    for (self->left = 2; self->left > 0;) {
        await(sos_within(task, SOS_MS(30), sos_supervisor_wait(task, &self->supervisor)));
        note("%s", status_text(sos_status(task)));
        if (sos_status(task) != SOS_OK)
            continue;
        self->left--;
        sos_supervisor_ended(&self->supervisor, sos_of(task));
    }
    async_end;
}

static void a_wait_that_is_canceled_goes_on_with_the_next(void)
{
    world_open(NULL);
    world.kernel->entropy = no_chance;
    sos_fork(world.os, impatient, sos_opt(.priority = 1));
    world_run(SOS_OK, "0 OK\n30000 ETIMEDOUT\n60000 ETIMEDOUT\n90000 ETIMEDOUT\n100000 OK\n");
    world_close();
}

struct listening {
    sos_frame frame;
    struct sos_supervisor supervisor;
    struct sos_supervisor_options options;
};

async_fn(listening)
{
    async_begin(listening);
    self->options.silence_us = SOS_MS(10);
    CHECK_INT(sos_supervisor_init(&self->supervisor, "listening", &self->options), SOS_OK);
    sos_supervisor_began(&self->supervisor, sos_of(task));
    await(sos_sleep(task, SOS_MS(4)));
    CHECK_INT(sos_supervisor_patience(&self->supervisor, sos_of(task)), SOS_MS(6));
    sos_supervisor_heard(&self->supervisor, sos_of(task));
    CHECK_INT(sos_supervisor_patience(&self->supervisor, sos_of(task)), SOS_MS(10));
    await(sos_sleep(task, SOS_MS(20)));
    CHECK_INT(sos_supervisor_patience(&self->supervisor, sos_of(task)), 0);
    async_end;
}

static void only_what_is_received_proves_life(void)
{
    world_open(NULL);
    sos_fork(world.os, listening, sos_opt(.priority = 1));
    world_run(SOS_OK, "");
    world_close();
}

static void bad_options_are_refused(void)
{
    struct sos_supervisor supervisor;
    CHECK_INT(sos_supervisor_init(&supervisor, "x",
                                  &(struct sos_supervisor_options){ .first_delay_us = -1 }),
              SOS_EINVAL);
    CHECK_INT(sos_supervisor_init(&supervisor, "x",
                                  &(struct sos_supervisor_options){ .first_delay_us = SOS_SEC(2),
                                                                    .max_delay_us = SOS_SEC(1) }),
              SOS_EINVAL);
}

int main(void)
{
    the_delay_doubles_up_to_its_cap();
    accepted_and_dropped_counts_as_a_failure();
    what_lasted_begins_anew();
    it_gives_up_after_so_many_failures();
    jitter_takes_at_most_half_and_comes_from_the_seed();
    a_wait_can_be_ended_from_outside();
    a_wait_that_is_canceled_goes_on_with_the_next();
    only_what_is_received_proves_life();
    bad_options_are_refused();
    return 0;
}
