/* SPDX-License-Identifier: MIT */
/* Mutex: who gets it next, priority inheritance, and owners that end. */
#include "settle.h"

static struct sos_mutex a, b, c;

static void open_mutexes(void)
{
    world_open(NULL);
    sos_mutex_init(&a, "a");
    sos_mutex_init(&b, "b");
    sos_mutex_init(&c, "c");
}

/* Locks `first`, then `second` if there is one, works for some steps of 10 us, or sleeps, and
 * unlocks both. */
struct user {
    sos_frame frame;
    struct sos_mutex *first, *second;
    int64_t before, within, asleep; /* within: for each lock */
    int steps, step;
    bool forgets; /* to unlock */
};

async_fn(user)
{
    async_begin(user);
    if (self->before != 0)
        await(sos_sleep(task, self->before));
    if (self->first != NULL && self->within != 0)
        try_await(sos_within(task, self->within, sos_mutex_lock(task, self->first)));
    else if (self->first != NULL)
        try_await(sos_mutex_lock(task, self->first));
    note("%s locks %s", sos_name(task), self->first == NULL ? "none" : self->first->waitable.name);
    if (self->second != NULL) {
        try_await(sos_mutex_lock(task, self->second));
        note("%s locks %s", sos_name(task), self->second->waitable.name);
    }
    if (self->asleep != 0)
        try_await(sos_sleep(task, self->asleep));
    for (; self->step < self->steps; self->step++) {
        note("%s works", sos_name(task));
        sos_sim_spend(world.kernel, 10);
        try_await(sos_yield(task));
    }
    async_finally;
    note("%s leaves: %s", sos_name(task), status_text(sos_status(task)));
    if (self->second != NULL && !self->forgets)
        sos_mutex_unlock(task, self->second);
    if (self->first != NULL && !self->forgets)
        sos_mutex_unlock(task, self->first);
    async_end;
}

static sos_handle use(const char *name, int level, const struct user *how)
{
    struct user frame = *how;
    struct sos_start start = sos_start(user, sos_opt(.priority = level, .name = name));
    sos_handle handle;
    start.frame = &frame;
    CHECK_INT(sos_fork_list(world.os, &start, 1, &handle), SOS_OK);
    return handle;
}

#define USE(name, level, ...) use(name, level, &(struct user){ __VA_ARGS__ })

static int effective(sos_handle task)
{
    struct sos_task_info info;
    CHECK_INT(sos_inspect(world.os, task, &info), SOS_OK);
    return info.effective_priority;
}

/* ---- Who gets it */

static void the_most_urgent_then_the_oldest(void)
{
    open_mutexes();
    USE("owner", 5, .first = &a, .asleep = 10);
    USE("late", 3, .first = &a, .before = 2);
    USE("later", 3, .first = &a, .before = 3);
    USE("lazy", 8, .first = &a, .before = 1);
    USE("urgent", 1, .first = &a, .before = 4);
    world_run(SOS_OK, "0 owner locks a\n10 owner leaves: OK\n"
                      "10 urgent locks a\n10 urgent leaves: OK\n"
                      "10 late locks a\n10 late leaves: OK\n"
                      "10 later locks a\n10 later leaves: OK\n"
                      "10 lazy locks a\n10 lazy leaves: OK\n");
    world_close();
}

struct clumsy {
    sos_frame frame;
};

async_fn(clumsy)
{
    async_begin(clumsy);
    CHECK_INT(sos_mutex_unlock(task, &a), SOS_EPERM);
    try_await(sos_mutex_lock(task, &a));
    await(sos_mutex_lock(task, &a));
    note("again: %s", status_text(sos_status(task)));
    CHECK_INT(sos_mutex_unlock(task, &a), SOS_OK);
    CHECK_INT(sos_mutex_unlock(task, &a), SOS_EPERM);
    async_end;
}

static void only_the_owner_unlocks_and_locks_once(void)
{
    open_mutexes();
    sos_fork(world.os, clumsy, sos_opt(.priority = 1));
    world_run(SOS_OK, "0 again: EDEADLK\n");
    world_close();
}

/* ---- Inheritance */

/* Without it the usual task would keep the lazy one, and with it the urgent one, waiting. */
static void the_owner_runs_as_urgently_as_its_waiter(void)
{
    open_mutexes();
    USE("lazy", 9, .first = &a, .steps = 4);
    USE("usual", 5, .before = 5, .steps = 3);
    USE("urgent", 1, .first = &a, .before = 15, .steps = 1);
    world_run(SOS_OK, "0 lazy locks a\n0 lazy works\n"
                      "10 usual locks none\n10 usual works\n"
                      "20 lazy works\n30 lazy works\n40 lazy works\n50 lazy leaves: OK\n"
                      "50 urgent locks a\n50 urgent works\n60 urgent leaves: OK\n"
                      "60 usual works\n70 usual works\n80 usual leaves: OK\n");
    world_close();
}

/* Each locks its own mutex first, then waits for that of the one before. */
static void chain(sos_handle tasks[3])
{
    open_mutexes();
    tasks[0] = USE("first", 9, .first = &a, .asleep = 100);
    settle();
    tasks[1] = USE("second", 7, .first = &b, .second = &a);
    settle();
    tasks[2] = USE("third", 5, .first = &c, .second = &b);
    settle();
    world_trace("0 first locks a\n0 second locks b\n0 third locks c\n");
}

static void check_levels(const sos_handle tasks[3], int first, int second, int third)
{
    CHECK_INT(effective(tasks[0]), first);
    CHECK_INT(effective(tasks[1]), second);
    CHECK_INT(effective(tasks[2]), third);
}

#define CHAIN_ENDS                                                                                 \
    "100 first leaves: OK\n100 second locks a\n100 second leaves: OK\n100 third locks b\n"         \
    "100 third leaves: OK\n"

static void a_chain_inherits(void)
{
    sos_handle tasks[3];
    chain(tasks);
    check_levels(tasks, 5, 5, 5);
    USE("urgent", 1, .first = &c);
    settle();
    check_levels(tasks, 1, 1, 1);
    world_run(SOS_OK, CHAIN_ENDS "100 urgent locks c\n100 urgent leaves: OK\n");
    check_levels(tasks, 9, 7, 5);
    world_close();
}

static void a_chain_calms_down_when_the_waiter_gives_up(void)
{
    sos_handle tasks[3];
    chain(tasks);
    sos_handle impatient = USE("impatient", 2, .first = &c, .within = 10);
    settle();
    check_levels(tasks, 2, 2, 2);
    while (sos_now(world.os) < 10)
        sos_run_once(world.os, 10);
    settle();
    check_levels(tasks, 5, 5, 5);
    CHECK_INT(sos_release(world.os, impatient), SOS_OK);
    world_run(SOS_OK,
              "10 impatient leaves: ETIMEDOUT\n10 ! failed: impatient ETIMEDOUT\n" CHAIN_ENDS);
    world_close();
}

static void a_chain_calms_down_when_the_waiter_is_killed(void)
{
    sos_handle tasks[3];
    chain(tasks);
    sos_handle victim = USE("victim", 1, .first = &c);
    settle();
    check_levels(tasks, 1, 1, 1);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    check_levels(tasks, 5, 5, 5);
    world_run(SOS_OK, "0 victim leaves: ECANCELED\n" CHAIN_ENDS);
    world_close();
}

static void a_chain_follows_changed_priorities(void)
{
    sos_handle tasks[3];
    chain(tasks);
    CHECK_INT(sos_set_priority(world.os, tasks[2], 3), SOS_OK);
    check_levels(tasks, 3, 3, 3);
    CHECK_INT(sos_set_priority(world.os, tasks[1], 2), SOS_OK);
    check_levels(tasks, 2, 2, 3);
    CHECK_INT(sos_set_priority(world.os, tasks[0], 1), SOS_OK);
    check_levels(tasks, 1, 2, 3);
    CHECK_INT(sos_set_priority(world.os, tasks[2], 9), SOS_OK);
    CHECK_INT(sos_set_priority(world.os, tasks[1], 8), SOS_OK);
    CHECK_INT(sos_set_priority(world.os, tasks[0], 9), SOS_OK);
    check_levels(tasks, 8, 8, 9);
    world_run(SOS_OK, CHAIN_ENDS);
    world_close();
}

/* The urgency of each mutex goes with that mutex. */
static void one_that_holds_two_keeps_the_urgency_of_the_other(void)
{
    open_mutexes();
    sos_handle owner = USE("owner", 9, .first = &a, .second = &b, .asleep = 50);
    settle();
    sos_handle for_a = USE("for a", 4, .first = &a);
    USE("for b", 2, .first = &b);
    settle();
    CHECK_INT(effective(owner), 2);
    CHECK_INT(sos_kill(world.os, for_a), SOS_OK);
    CHECK_INT(effective(owner), 2);
    USE("for a", 3, .first = &a);
    settle();
    CHECK_INT(effective(owner), 2);
    world_run(SOS_OK, "0 owner locks a\n0 owner locks b\n0 for a leaves: ECANCELED\n"
                      "50 owner leaves: OK\n50 for b locks b\n50 for b leaves: OK\n"
                      "50 for a locks a\n50 for a leaves: OK\n");
    CHECK_INT(effective(owner), 9);
    world_close();
}

/* ---- Owners that end */

static void a_killed_owner_is_reported_and_the_next_goes_on(void)
{
    open_mutexes();
    sos_handle owner = USE("owner", 2, .first = &a, .second = &b, .asleep = 50, .forgets = true);
    settle();
    USE("next a", 3, .first = &a);
    USE("next b", 3, .first = &b);
    settle();
    CHECK_INT(sos_kill(world.os, owner), SOS_OK);
    world_run(SOS_OK, "0 owner locks a\n0 owner locks b\n0 owner leaves: ECANCELED\n"
                      "0 ! held mutex: owner\n0 ! held mutex: owner\n"
                      "0 next a locks a\n0 next a leaves: OK\n"
                      "0 next b locks b\n0 next b leaves: OK\n");
    world_close();
}

static void an_owner_that_returns_is_reported_too(void)
{
    open_mutexes();
    USE("owner", 2, .first = &a, .forgets = true);
    USE("next", 3, .first = &a);
    world_run(SOS_OK, "0 owner locks a\n0 owner leaves: OK\n0 ! held mutex: owner\n"
                      "0 next locks a\n0 next leaves: OK\n");
    world_close();
}

/* Its finally part unlocks: nothing to report. */
static void cleanup_of_a_killed_owner_unlocks(void)
{
    open_mutexes();
    sos_handle owner = USE("owner", 2, .first = &a, .asleep = 50);
    USE("next", 3, .first = &a);
    settle();
    CHECK_INT(sos_kill(world.os, owner), SOS_OK);
    world_run(SOS_OK, "0 owner locks a\n0 owner leaves: ECANCELED\n0 next locks a\n"
                      "0 next leaves: OK\n");
    world_close();
}

/* The lock had been handed over, but the new owner had not run yet. */
static void a_lock_of_one_killed_before_it_ran_goes_on(void)
{
    open_mutexes();
    sos_handle owner = USE("owner", 2, .first = &a, .asleep = 50);
    sos_handle victim = USE("victim", 3, .first = &a);
    USE("heir", 4, .first = &a);
    settle();
    CHECK_INT(sos_kill(world.os, owner), SOS_OK);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    world_run(SOS_OK, "0 owner locks a\n0 owner leaves: ECANCELED\n0 victim leaves: ECANCELED\n"
                      "0 heir locks a\n0 heir leaves: OK\n");
    CHECK(a.owner == NULL);
    world_close();
}

/* ---- Circles: nobody can help, but the runtime says so and does not hang. */

struct crosser {
    sos_frame frame;
    struct sos_mutex *first, *second;
};

async_fn(crosser)
{
    async_begin(crosser);
    try_await(sos_mutex_lock(task, self->first));
    try_await(sos_sleep(task, 1));
    try_await(sos_mutex_lock(task, self->second));
    note("%s has both", sos_name(task));
    async_finally;
    sos_mutex_unlock(task, self->second);
    sos_mutex_unlock(task, self->first);
    async_end;
}

static void two_that_cross_are_stuck(void)
{
    open_mutexes();
    sos_fork(world.os, crosser, sos_opt(.priority = 2, .name = "x"), .first = &a, .second = &b);
    sos_handle y = sos_fork(world.os, crosser, sos_opt(.priority = 4, .name = "y"), .first = &b,
                            .second = &a);
    world_run(SOS_ESTUCK, "1 ! stuck: x on mutex b\n1 ! stuck: y on mutex a\n");
    CHECK_INT(effective(y), 2);
    CHECK_INT(sos_kill(world.os, y), SOS_OK);
    world_run(SOS_OK, "1 x has both\n");
    world_close();
}

int main(void)
{
    the_most_urgent_then_the_oldest();
    only_the_owner_unlocks_and_locks_once();
    the_owner_runs_as_urgently_as_its_waiter();
    a_chain_inherits();
    a_chain_calms_down_when_the_waiter_gives_up();
    a_chain_calms_down_when_the_waiter_is_killed();
    a_chain_follows_changed_priorities();
    one_that_holds_two_keeps_the_urgency_of_the_other();
    a_killed_owner_is_reported_and_the_next_goes_on();
    an_owner_that_returns_is_reported_too();
    cleanup_of_a_killed_owner_unlocks();
    a_lock_of_one_killed_before_it_ran_goes_on();
    two_that_cross_are_stuck();
    return 0;
}
