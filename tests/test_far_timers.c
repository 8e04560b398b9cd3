/* SPDX-License-Identifier: MIT */
/* Timers in bins that are due hours, days and years from now: each comes in its microsecond. */
#include "world.h"

#define HOURS(n) (SOS_SEC(3600) * (n))

static uint32_t (*kernels_look)(struct sos_kernel *kernel, sos *os, uint64_t now, uint64_t due);
static long looks, looks_allowed;

/* The runtime must not go round and round for a timer that is not due yet. */
static uint32_t counting_look(struct sos_kernel *kernel, sos *os, uint64_t now, uint64_t due)
{
    CHECK(++looks <= looks_allowed);
    return kernels_look != NULL ? kernels_look(kernel, os, now, due) : 1;
}

static void far_open(uint64_t start_us, long allowed)
{
    struct sos_sim_options options = { .start_us = start_us };
    CHECK_INT(sos_sim_create(&world.kernel, &options), SOS_OK);
    kernels_look = world.kernel->look;
    looks = 0;
    looks_allowed = allowed;
    world.kernel->look = counting_look;
    world.kernel->timer_bins = &sos_timer_bins;
    world.kernel->exact_timers = true;
    CHECK_INT(sos_create(&world.os, NULL, world.kernel), SOS_OK);
}

/* Sleeps `rounds` times and notes its end. */
struct napper {
    sos_frame frame;
    int64_t us;
    int rounds;
};

async_fn(napper)
{
    async_begin(napper);
    for (; self->rounds > 0; self->rounds--)
        await(sos_sleep(task, self->us));
    note("%s: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

static void nap(const char *name, int64_t us, int rounds)
{
    sos_handle handle = sos_fork(world.os, napper, sos_opt(.priority = 1, .name = name), .us = us,
                                 .rounds = rounds);
    CHECK(handle.pid >= 0);
}

static void near_timers_come_in_time_beside_a_far_one(void)
{
    far_open(0, 1000);
    nap("far", HOURS(120), 1);
    nap("near", SOS_MS(5), 3);
    world_run(SOS_OK, "15000 near: OK\n432000000000 far: OK\n");
    world_close();
    far_open(0, 1000);
    nap("near", SOS_MS(5), 3);
    nap("far", HOURS(120), 1);
    world_run(SOS_OK, "15000 near: OK\n432000000000 far: OK\n");
    world_close();
}

static void far_timers_come_in_time_beside_near_ones(void)
{
    bool few = getenv("SOS_VALGRIND") != NULL;
    far_open(0, 1000000);
    nap("far", HOURS(100), 1);
    nap("near", SOS_SEC(few ? 600 : 60), few ? 1200 : 12000);
    world_run(SOS_OK, "360000000000 far: OK\n720000000000 near: OK\n");
    world_close();
}

static void far_timers_come_in_order(void)
{
    far_open(0, 1000);
    nap("a year", HOURS(8766), 1);
    nap("100 h and 1 us", HOURS(100) + 1, 1);
    nap("73 h", HOURS(73), 1);
    nap("100 h", HOURS(100), 1);
    nap("a month", HOURS(731), 1);
    nap("100 h again", HOURS(100), 1);
    world_run(SOS_OK, "262800000000 73 h: OK\n360000000000 100 h: OK\n"
                      "360000000000 100 h again: OK\n360000000001 100 h and 1 us: OK\n"
                      "2631600000000 a month: OK\n31557600000000 a year: OK\n");
    world_close();
}

/* The clock of a machine that has been up for a year. */
static void the_clock_may_start_anywhere(void)
{
    far_open((uint64_t)HOURS(8766), 1000);
    nap("far", HOURS(100), 1);
    nap("near", 7, 1);
    world_run(SOS_OK, "31557600000007 near: OK\n31917600000000 far: OK\n");
    world_close();
}

struct far_deadline {
    sos_frame frame;
};

async_fn(far_deadline)
{
    async_begin(far_deadline);
    await(sos_within(task, HOURS(100), sos_sleep(task, 10)));
    note("in time: %s", status_text(sos_status(task)));
    await(sos_within(task, HOURS(100), sos_sleep(task, HOURS(101))));
    note("too long: %s", status_text(sos_status(task)));
    await(sos_within(task, 10, sos_sleep(task, HOURS(100))));
    note("a short deadline: %s", status_text(sos_status(task)));
    async_end;
}

/* Canceled far timers leave nothing that would come later. */
static void far_timers_can_be_canceled(void)
{
    far_open(0, 1000);
    sos_fork(world.os, far_deadline, sos_opt(.priority = 1));
    world_run(SOS_OK, "10 in time: OK\n360000000010 too long: ETIMEDOUT\n"
                      "360000000020 a short deadline: ETIMEDOUT\n");
    CHECK_INT(sos_now(world.os), HOURS(100) + 20);
    world_close();
}

static void far_timers_are_what_the_runtime_waits_for(void)
{
    far_open(0, 1000);
    nap("far", HOURS(100), 1);
    CHECK_INT(sos_run_once(world.os, 0), 0);
    CHECK(sos_next_due(world.os) <= (uint64_t)HOURS(100)); /* never too late */
    CHECK(sos_next_due(world.os) > 0);
    world_run(SOS_OK, "360000000000 far: OK\n");
    world_close();
}

/* ---- Any lengths */

struct wanderer {
    sos_frame frame;
    int rounds;
    uint64_t due, latest;
};

/* Of 0 to 40 bits: up to twelve days, as often below a millisecond as beyond three hours. */
static int64_t any_length(void)
{
    unsigned bits = sos_sim_random(world.kernel, 41);
    uint64_t length = (uint64_t)sos_sim_random(world.kernel, 1u << 20) << 20;
    length |= sos_sim_random(world.kernel, 1u << 20);
    return (int64_t)(length & (((uint64_t)1 << bits) - 1));
}

static int64_t next_length(struct wanderer *self)
{
    int64_t length = any_length(), slack = length / 1024 < 256 ? length / 1024 : 256;
    self->due = sos_now(world.os) + (uint64_t)length;
    self->latest = self->due + (world.kernel->exact_timers ? 0 : (uint64_t)slack);
    return length;
}

async_fn(wanderer)
{
    async_begin(wanderer);
    for (; self->rounds > 0; self->rounds--) {
        await(sos_sleep(task, next_length(self)));
        CHECK(sos_now(world.os) >= self->due && sos_now(world.os) <= self->latest);
    }
    async_end;
}

static void timers_of_any_length_come_within(bool exact)
{
    uint64_t seeds = getenv("SOS_VALGRIND") != NULL ? 3 : 20;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct sos_sim_options options = { .seed = seed };
        CHECK_INT(sos_sim_create(&world.kernel, &options), SOS_OK);
        world.kernel->timer_bins = &sos_timer_bins;
        world.kernel->exact_timers = exact;
        CHECK_INT(sos_create(&world.os, NULL, world.kernel), SOS_OK);
        for (int i = 0; i < 30; i++)
            sos_fork(world.os, wanderer, sos_opt(.priority = 1), .rounds = 40);
        world_run(SOS_OK, "");
        world_close();
    }
}

/* In the order of their moments. A short sleep is late by its own measure, here 9 us each time. */
static void long_sleeps_that_end_near_each_other_share_a_wake_up(void)
{
    far_open(0, 12);
    world.kernel->exact_timers = false;
    nap("b", SOS_SEC(1) + 30, 1);
    nap("a", SOS_SEC(1), 1);
    nap("d", SOS_SEC(1) + 90, 1);
    nap("c", SOS_SEC(1) + 60, 1);
    world_run(SOS_OK, "1000192 a: OK\n1000192 b: OK\n1000192 c: OK\n1000192 d: OK\n");
    world_close();
    far_open(0, 300);
    world.kernel->exact_timers = false;
    nap("long", SOS_SEC(1), 1);
    nap("short", 10000, 100);
    world_run(SOS_OK, "1000192 long: OK\n1000879 short: OK\n");
    world_close();
}

int main(void)
{
    near_timers_come_in_time_beside_a_far_one();
    far_timers_come_in_time_beside_near_ones();
    far_timers_come_in_order();
    the_clock_may_start_anywhere();
    far_timers_can_be_canceled();
    far_timers_are_what_the_runtime_waits_for();
    timers_of_any_length_come_within(true);
    timers_of_any_length_come_within(false);
    long_sleeps_that_end_near_each_other_share_a_wake_up();
    return 0;
}
