/* SPDX-License-Identifier: MIT */
/* Policies: strict, aging, earliest deadline first, and one of a user's own. */
#include "settle.h"

/* Notes each of its steps, which take some time, and yields. */
struct grinder {
    sos_frame frame;
    int steps;
    uint32_t us;
};

async_fn(grinder)
{
    async_begin(grinder);
    for (; self->steps > 0; self->steps--) {
        note("%s", sos_name(task));
        sos_sim_spend(world.kernel, self->us);
        await(sos_yield(task));
    }
    async_end;
}

static sos_handle grind(const char *name, int level, int steps, uint32_t us)
{
    return sos_fork(world.os, grinder, sos_opt(.priority = level, .name = name), .steps = steps,
                    .us = us);
}

static void open_with(const struct sos_policy *policy, uint32_t aging_us)
{
    world_open(&(struct sos_config){ .policy = policy, .aging_us = aging_us });
}

/* ---- strict */

static void strict_lets_the_less_urgent_wait_for_ever(void)
{
    open_with(NULL, 0);
    grind("low", 3, 2, 10);
    grind("high", 2, 4, 100);
    world_run(SOS_OK, "0 high\n100 high\n200 high\n300 high\n400 low\n410 low\n");
    world_close();
}

/* ---- aging */

/* low rises from 5 to the level of high in three waits of 100 us, comes to the back there, has its
 * turn, and falls back to its own level. */
static void aging_lets_everybody_run_in_the_end(void)
{
    open_with(&sos_policy_aging, 100);
    grind("low", 5, 2, 10);
    grind("high", 2, 9, 100);
    world_run(SOS_OK, "0 high\n100 high\n200 high\n300 high\n400 low\n410 high\n510 high\n"
                      "610 high\n710 high\n810 low\n820 high\n");
    world_close();
}

static void aging_raises_one_level_at_a_time(void)
{
    struct sos_task_info info;
    open_with(&sos_policy_aging, 100);
    sos_handle low = grind("low", 5, 1, 0);
    grind("high", 1, 4, 50);
    int levels[5];
    for (int round = 0; round < 5; round++) {
        CHECK_INT(sos_inspect(world.os, low, &info), SOS_OK);
        CHECK_INT(info.priority, 5);
        levels[round] = info.effective_priority;
        sos_run_once(world.os, 0);
    }
    CHECK_INT(levels[0], 5);
    CHECK_INT(levels[2], 5);
    CHECK_INT(levels[3], 4);
    CHECK_INT(levels[4], 4);
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_sim_trace_clear(world.kernel);
    world_close();
}

/* Two that age together keep their order. */
static void aging_keeps_the_order_of_equals(void)
{
    open_with(&sos_policy_aging, 100);
    grind("x", 3, 1, 0);
    grind("y", 3, 1, 0);
    grind("high", 2, 4, 60);
    world_run(SOS_OK, "0 high\n60 high\n120 high\n180 x\n180 y\n180 high\n");
    world_close();
}

/* ---- edf */

struct job {
    sos_frame frame;
    int64_t wakes;
    uint32_t us;
    int steps;
};

async_fn(job)
{
    async_begin(job);
    await(sos_sleep(task, self->wakes));
    for (; self->steps > 0; self->steps--) {
        note("%s", sos_name(task));
        sos_sim_spend(world.kernel, self->us);
        await(sos_yield(task));
    }
    async_end;
}

static sos_handle add_job(const char *name, int level, uint32_t due_us, int64_t wakes, int steps)
{
    return sos_fork(world.os, job, sos_opt(.priority = level, .name = name, .due_us = due_us),
                    .wakes = wakes, .us = 10, .steps = steps);
}

static void edf_runs_what_is_due_first(void)
{
    open_with(&sos_policy_edf, 0);
    add_job("none", 1, 0, 100, 2);
    add_job("late", 2, 500, 100, 2);
    add_job("soon", 9, 50, 100, 2);
    add_job("middle", 5, 200, 100, 2);
    world_run(SOS_OK, "100 soon\n110 soon\n120 middle\n130 middle\n140 late\n150 late\n"
                      "160 none\n170 none\n");
    world_close();
}

/* It counts from the wake-up: one that woke earlier may be due before one in more of a hurry. */
static void edf_counts_from_the_wakeup(void)
{
    open_with(&sos_policy_edf, 0);
    add_job("busy", 1, 1, 100, 10);
    add_job("early", 1, 100, 110, 1); /* due at 210 */
    add_job("hurry", 1, 60, 160, 1);  /* due at 220 */
    world_run(SOS_OK, "100 busy\n110 busy\n120 busy\n130 busy\n140 busy\n150 busy\n160 busy\n"
                      "170 busy\n180 busy\n190 busy\n200 early\n210 hurry\n");
    world_close();
}

static void edf_ties_go_by_arrival(void)
{
    open_with(&sos_policy_edf, 0);
    add_job("first", 9, 100, 50, 2);
    add_job("second", 1, 100, 50, 2);
    world_run(SOS_OK, "50 first\n60 second\n70 first\n80 second\n");
    world_close();
}

static void edf_leaves_tasks_without_a_due_time_to_their_priority(void)
{
    open_with(&sos_policy_edf, 0);
    grind("low", 4, 2, 10);
    grind("high", 2, 2, 10);
    world_run(SOS_OK, "0 high\n10 high\n20 low\n30 low\n");
    world_close();
}

/* ---- A user's own: the last one that came runs first. */

static void place_last_first(sos *os, sos_task *task, enum sos_place why)
{
    (void)why;
    sos_ready_put(os, task, 1, true);
}

static const struct sos_policy last_first = { .name = "last first", .place = place_last_first };

static void a_policy_of_ones_own_places(void)
{
    open_with(&last_first, 0);
    grind("x", 1, 2, 1);
    grind("y", 5, 2, 1);
    grind("z", 9, 2, 1);
    world_run(SOS_OK, "0 z\n1 z\n2 y\n3 y\n4 x\n5 x\n");
    world_close();
}

/* One that picks: always the task with the name that comes first in the alphabet. */
static sos_task *pick_by_name(sos *os)
{
    sos_task *best = NULL;
    for (int level = 0; level < (int)sos_configuration(os)->priority_levels; level++)
        for (sos_task *task = sos_ready_first(os, level); task != NULL;
             task = sos_ready_next(os, task))
            if (best == NULL || strcmp(sos_name(task), sos_name(best)) < 0)
                best = task;
    return best;
}

static const struct sos_policy by_name = { .name = "by name", .pick = pick_by_name };

static void a_policy_of_ones_own_picks(void)
{
    open_with(&by_name, 0);
    grind("berta", 1, 2, 1);
    grind("anna", 9, 3, 1);
    grind("carla", 1, 1, 1);
    world_run(SOS_OK, "0 anna\n1 anna\n2 anna\n3 berta\n4 berta\n5 carla\n");
    world_close();
}

/* It may leave the choice to the runtime. */
static sos_task *pick_nobody(sos *os)
{
    (void)os;
    return NULL;
}

static const struct sos_policy indifferent = { .name = "indifferent", .pick = pick_nobody };

static void a_pick_may_abstain(void)
{
    open_with(&indifferent, 0);
    grind("low", 3, 1, 1);
    grind("high", 2, 2, 1);
    world_run(SOS_OK, "0 high\n1 high\n2 low\n");
    world_close();
}

/* One that uses its eight bytes: whoever has had the fewest turns is next. */
static void place_fair(sos *os, sos_task *task, enum sos_place why)
{
    if (why == SOS_PLACE_YIELD)
        ++*sos_policy_data(task);
    sos_ready_put(os, task, (int)*sos_policy_data(task), false);
}

static const struct sos_policy fair = { .name = "fair", .place = place_fair };

static void a_policy_has_data_for_each_task(void)
{
    open_with(&fair, 0);
    grind("x", 1, 3, 1);
    grind("y", 9, 2, 1);
    settle();
    world_trace("0 x\n1 y\n2 x\n3 y\n4 x\n");
    CHECK_INT(sos_run(world.os), SOS_OK);
    world_close();
}

/* Every way to become runnable, with the reason. */
static void place_and_tell(sos *os, sos_task *task, enum sos_place why)
{
    static const char *const reasons[] = { "back", "front", "yield", "overtaken", "level" };
    note("place %s: %s", sos_name(task), reasons[why]);
    sos_ready_put(os, task, sos_effective_priority(task), sos_to_front(why));
}

static const struct sos_policy telling = { .name = "telling", .place = place_and_tell };

struct mover {
    sos_frame frame;
    sos_handle other;
};

async_fn(mover)
{
    async_begin(mover);
    await(sos_sleep(task, 5));
    sos_signal(sos_of(task), self->other, 1);
    sos_set_priority(sos_of(task), self->other, 1);
    await(sos_wait_signal(task, -1)); /* complete at once, but the other is more urgent */
    await(sos_yield(task));
    async_end;
}

static void a_policy_learns_why(void)
{
    open_with(&telling, 0);
    sos_handle l = sos_fork(world.os, listener, sos_opt(.priority = 4, .name = "l"), .mask = 2,
                            .rounds = 1);
    sos_fork(world.os, mover, sos_opt(.priority = 3, .name = "m"), .other = l);
    world_run(SOS_OK, "0 place l: back\n0 place m: back\n5 place m: back\n5 place l: front\n"
                      "5 place l: level\n5 place m: overtaken\n5 l got 1\n5 place m: yield\n");
    world_close();
}

int main(void)
{
    strict_lets_the_less_urgent_wait_for_ever();
    aging_lets_everybody_run_in_the_end();
    aging_raises_one_level_at_a_time();
    aging_keeps_the_order_of_equals();
    edf_runs_what_is_due_first();
    edf_counts_from_the_wakeup();
    edf_ties_go_by_arrival();
    edf_leaves_tasks_without_a_due_time_to_their_priority();
    a_policy_of_ones_own_places();
    a_policy_of_ones_own_picks();
    a_pick_may_abstain();
    a_policy_has_data_for_each_task();
    a_policy_learns_why();
    return 0;
}
