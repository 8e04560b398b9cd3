/* SPDX-License-Identifier: MIT */
/* Accounting, the limit on steps, and reports of starvation; on virtual time, to the microsecond. */
#include "settle.h"

/* Works and yields, then sleeps, `rounds` times. */
struct laborer {
    sos_frame frame;
    uint32_t us;
    int rounds;
    int64_t rest;
};

async_fn(laborer)
{
    async_begin(laborer);
    for (; self->rounds > 0; self->rounds--) {
        sos_sim_spend(world.kernel, self->us);
        await(sos_yield(task));
        if (self->rest != 0)
            await(sos_sleep(task, self->rest));
    }
    async_end;
}

static sos_handle labor(const char *name, int level, uint32_t us, int rounds, int64_t rest)
{
    return sos_fork(world.os, laborer, sos_opt(.priority = level, .name = name), .us = us,
                    .rounds = rounds, .rest = rest);
}

static void check_account(sos_handle task, struct sos_account expected)
{
    struct sos_account account;
    CHECK_INT(sos_account_of(world.os, task, &account), SOS_OK);
    CHECK_INT(account.steps, expected.steps);
    CHECK_INT(account.waits, expected.waits);
    CHECK_INT(account.cpu_ns, expected.cpu_ns);
    CHECK_INT(account.longest_step_ns, expected.longest_step_ns);
    CHECK_INT(account.longest_wakeup_ns, expected.longest_wakeup_ns);
}

static void off_it_says_so(void)
{
    struct sos_account account;
    world_open(NULL);
    sos_handle task = labor("x", 1, 1, 1, 0);
    CHECK_INT(sos_account_of(world.os, task, &account), SOS_EAGAIN);
    CHECK_INT(sos_accounting(world.os, false), SOS_OK);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    CHECK_INT(sos_account_of(world.os, task, &account), SOS_OK);
    CHECK_INT(account.steps, 0);
    CHECK_INT(sos_account_of(world.os, (sos_handle){ 5, 0 }, &account), SOS_ESTALE);
    CHECK_INT(sos_run(world.os), SOS_OK);
    world_close();
}

/* Steps: one for each round, one after each sleep, of which the last one only returns. */
static void steps_waits_and_time_are_counted(void)
{
    world_open(NULL);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    sos_handle busy = labor("busy", 1, 30, 3, 0);
    sos_handle lazy = labor("lazy", 2, 10, 2, 100);
    CHECK_INT(sos_run(world.os), SOS_OK);
    check_account(busy,
                  (struct sos_account){ .steps = 4, .cpu_ns = 90000, .longest_step_ns = 30000 });
    check_account(lazy, (struct sos_account){ .steps = 5,
                                              .waits = 2,
                                              .cpu_ns = 20000,
                                              .longest_step_ns = 10000,
                                              .longest_wakeup_ns = 90000 });
    world_close();
}

static void it_starts_from_zero_each_time(void)
{
    world_open(NULL);
    sos_handle task = labor("x", 1, 10, 4, 0);
    sos_run_once(world.os, 0);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    sos_run_once(world.os, 0);
    check_account(task,
                  (struct sos_account){ .steps = 1, .cpu_ns = 10000, .longest_step_ns = 10000 });
    CHECK_INT(sos_accounting(world.os, false), SOS_OK);
    sos_run_once(world.os, 0);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    check_account(task, (struct sos_account){ .steps = 0 });
    CHECK_INT(sos_run(world.os), SOS_OK);
    check_account(task,
                  (struct sos_account){ .steps = 2, .cpu_ns = 10000, .longest_step_ns = 10000 });
    world_close();
}

/* An account belongs to a task, not to its pid. */
static void an_heir_of_a_pid_starts_from_zero(void)
{
    world_open(&(struct sos_config){ .task_capacity = 1 });
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    sos_handle first = labor("first", 1, 10, 1, 0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(sos_release(world.os, first), SOS_OK);
    sos_handle second = labor("second", 1, 20, 1, 0);
    CHECK_INT(second.pid, first.pid);
    check_account(second, (struct sos_account){ .steps = 0 });
    CHECK_INT(sos_run(world.os), SOS_OK);
    check_account(second,
                  (struct sos_account){ .steps = 2, .cpu_ns = 20000, .longest_step_ns = 20000 });
    world_close();
}

/* How long it takes an urgent task to run once it could: the step that is under way. */
static void wakeups_are_measured(void)
{
    world_open(NULL);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    sos_handle urgent = labor("urgent", 1, 0, 3, 100);
    labor("background", 5, 70, 10, 0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    struct sos_account account;
    CHECK_INT(sos_account_of(world.os, urgent, &account), SOS_OK);
    CHECK_INT(account.longest_wakeup_ns, 0); /* counts from the look that finds the timer due */
    world_close();
}

/* ---- Switching within a task */

struct switcher {
    sos_frame frame;
};

async_fn(switcher)
{
    async_begin(switcher);
    CHECK_INT(sos_accounting(sos_of(task), true), SOS_OK);
    sos_sim_spend(world.kernel, 5);
    await(sos_yield(task));
    CHECK_INT(sos_accounting(sos_of(task), false), SOS_EBUSY);
    sos_sim_spend(world.kernel, 7);
    await(sos_yield(task));
    async_end;
}

static void it_can_be_switched_on_within_a_task(void)
{
    world_open(NULL);
    sos_handle task = sos_fork(world.os, switcher, sos_opt(.priority = 1));
    CHECK_INT(sos_run(world.os), SOS_OK);
    /* the step that switched it on does not count, and looks like a wait for the next */
    check_account(
        task, (struct sos_account){
                  .steps = 2, .cpu_ns = 7000, .longest_step_ns = 7000, .longest_wakeup_ns = 5000 });
    world_close();
}

static void without_memory_it_stays_off(void)
{
    struct sos_account account;
    world_open(&(struct sos_config){ .task_capacity = 100000 });
    sos_handle task = labor("x", 1, 1, 1, 0);
    sos_sim_fail_allocation(world.kernel, 1, true);
    CHECK_INT(sos_accounting(world.os, true), SOS_ENOMEM);
    sos_sim_fail_allocation(world.kernel, 0, false);
    CHECK_INT(sos_account_of(world.os, task, &account), SOS_EAGAIN);
    CHECK_INT(sos_run(world.os), SOS_OK);
    world_close();
}

/* ---- Reports */

static void steps_that_take_too_long_are_reported(void)
{
    world_open(NULL);
    CHECK_INT(sos_step_limit(world.os, 50), SOS_OK);
    labor("short", 1, 50, 2, 0);
    labor("long", 2, 51, 2, 0);
    world_run(SOS_OK, "151 ! long step: long\n202 ! long step: long\n");
    CHECK_INT(sos_step_limit(world.os, 0), SOS_OK);
    labor("long", 2, 1000, 1, 0);
    world_run(SOS_OK, "");
    world_close();
}

struct oneshot {
    sos_frame frame;
};

async_fn(oneshot)
{
    async_begin(oneshot);
    sos_sim_spend(world.kernel, 60);
    async_end;
}

/* The step in which a task ends counts as well, whether its record stays or not. */
static void the_last_step_can_be_too_long(void)
{
    world_open(NULL);
    CHECK_INT(sos_step_limit(world.os, 50), SOS_OK);
    sos_fork(world.os, oneshot, sos_opt(.priority = 1, .name = "stays"));
    sos_fork(world.os, oneshot, sos_opt(.priority = 1, .name = "goes", .detached = true));
    world_run(SOS_OK, "60 ! long step: stays\n120 ! long step: goes\n");
    world_close();
}

static void starved_tasks_are_reported(void)
{
    world_open(NULL);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    labor("greedy", 1, 100000, 23, 0);
    labor("starved", 2, 0, 1, 0);
    world_run(SOS_OK, "1000000 ! starved: starved\n2000000 ! starved: starved\n");
    world_close();
}

int main(void)
{
    off_it_says_so();
    steps_waits_and_time_are_counted();
    it_starts_from_zero_each_time();
    an_heir_of_a_pid_starts_from_zero();
    wakeups_are_measured();
    it_can_be_switched_on_within_a_task();
    without_memory_it_stays_off();
    steps_that_take_too_long_are_reported();
    the_last_step_can_be_too_long();
    starved_tasks_are_reported();
    return 0;
}
