/* SPDX-License-Identifier: MIT */
/* The rules of "Joins" in the reference, released and detached tasks, unjoined failures. */
#include "world.h"

enum { MANY = 4 };

/* ---- One */

struct joiner {
    sos_frame frame;
    sos_handle target;
    int64_t after;
};

async_fn(joiner)
{
    async_begin(joiner);
    if (self->after != 0)
        await(sos_sleep(task, self->after));
    await(sos_join(task, self->target));
    note("%s: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

static void join(const char *name, sos_handle target, int64_t after)
{
    sos_fork(world.os, joiner, sos_opt(.priority = 2, .name = name, .detached = true),
             .target = target, .after = after);
}

static sos_handle fork_sleeper(const char *name, int64_t us, int status)
{
    return sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = name), .us = us,
                    .status = status);
}

static void the_waiter_gets_the_result_or_the_failure(void)
{
    world_open(NULL);
    join("good", fork_sleeper("a", 10, 7), 0);
    join("bad", fork_sleeper("b", 20, SOS_EIO), 0);
    world_run(SOS_OK, "0 a begins\n0 b begins\n10 a ends\n10 good: 7\n20 b ends\n20 bad: EIO\n");
    world_close();
}

static void joining_an_ended_task_answers_at_once(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 10, SOS_EIO);
    join("late", a, 20);
    join("too late", a, 30);
    world_run(SOS_OK, "0 a begins\n10 a ends\n20 late: EIO\n30 too late: ESTALE\n");
    CHECK_INT(sos_find(world.os, a.pid).pid, SOS_ESTALE); /* the join gave up its record */
    world_close();
}

static void several_joiners_of_one_wake_in_waiting_order_at_the_front(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 10, 3);
    join("x", a, 0);
    join("y", a, 0);
    join("z", a, 0);
    fork_sleeper("later", 10, 0);
    world_run(SOS_OK, "0 a begins\n0 later begins\n10 a ends\n10 x: 3\n10 y: 3\n10 z: 3\n"
                      "10 later ends\n");
    world_close();
}

struct killer {
    sos_frame frame;
    sos_handle target;
    int64_t after;
};

async_fn(killer)
{
    async_begin(killer);
    await(sos_sleep(task, self->after));
    note("kill: %s", status_text(sos_kill(sos_of(task), self->target)));
    async_end;
}

static void a_killed_target_answers_canceled(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 100, 0);
    join("x", a, 0);
    sos_fork(world.os, killer, sos_opt(.priority = 1), .target = a, .after = 10);
    world_run(SOS_OK, "0 a begins\n10 kill: OK\n10 x: ECANCELED\n");
    world_close();
}

static void a_killed_joiner_leaves_the_target_alone(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 100, 5);
    sos_handle x = sos_fork(world.os, joiner, sos_opt(.priority = 2, .name = "x"), .target = a);
    sos_fork(world.os, killer, sos_opt(.priority = 1), .target = x, .after = 10);
    join("y", a, 50);
    world_run(SOS_OK, "0 a begins\n10 kill: OK\n100 a ends\n100 y: 5\n");
    world_close();
}

/* ---- Circles */

struct self_joiner {
    sos_frame frame;
    struct sos_join joins[1];
};

async_fn(self_joiner)
{
    async_begin(self_joiner);
    await(sos_join(task, sos_self(task)));
    note("join: %s", status_text(sos_status(task)));
    self->joins[0].task = sos_self(task);
    await(sos_join_all(task, self->joins, 1));
    note("join_all: %s", status_text(sos_status(task)));
    await(sos_join_any(task, self->joins, 1));
    note("join_any: %s", status_text(sos_status(task)));
    await(sos_join(task, (sos_handle){ 900, 0 }));
    note("unknown: %s", status_text(sos_status(task)));
    await(sos_join(task, (sos_handle){ SOS_ECAPACITY, 0 }));
    note("failed spawn: %s", status_text(sos_status(task)));
    async_end;
}

static void a_join_of_oneself_or_of_nobody_is_an_error(void)
{
    world_open(NULL);
    sos_fork(world.os, self_joiner, sos_opt(.priority = 2));
    world_run(SOS_OK, "0 join: EDEADLK\n0 join_all: EDEADLK\n0 join_any: EDEADLK\n"
                      "0 unknown: ESTALE\n0 failed spawn: ESTALE\n");
    world_close();
}

static void a_circle_of_joins_is_an_error_of_the_last(void)
{
    world_open(NULL);
    sos_handle predicted[3] = { { 1, 0 }, { 2, 0 }, { 0, 0 } };
    join("a", predicted[0], 0);
    join("b", predicted[1], 0);
    join("c", predicted[2], 0);
    world_run(SOS_OK, "0 c: EDEADLK\n0 b: OK\n0 a: OK\n");
    world_close();
}

struct all_joiner {
    sos_frame frame;
    sos_handle targets[MANY];
    int count;
    bool any;
    struct sos_join joins[MANY];
    int64_t after;
};

static void note_joins(const sos_task *task, const struct sos_join *joins, int count)
{
    char line[200];
    int at = snprintf(line, sizeof line, "%s: %s,", sos_name(task), status_text(sos_status(task)));
    for (int i = 0; i < count; i++)
        at += snprintf(line + at, sizeof line - (size_t)at, " %s", status_text(joins[i].status));
    note("%s", line);
}

async_fn(all_joiner)
{
    async_begin(all_joiner);
    for (int i = 0; i < self->count; i++)
        self->joins[i].task = self->targets[i];
    if (self->after != 0)
        await(sos_sleep(task, self->after));
    if (self->any)
        await(sos_join_any(task, self->joins, (size_t)self->count));
    else
        await(sos_join_all(task, self->joins, (size_t)self->count));
    note_joins(task, self->joins, self->count);
    async_end;
}

static void a_circle_through_join_all_is_found_too(void)
{
    world_open(NULL);
    sos_handle s = fork_sleeper("s", 10, 0);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"), .count = 2,
             .targets = { s, { 2, 0 } });
    sos_fork(world.os, joiner, sos_opt(.priority = 2, .name = "b"), .target = { 1, 0 });
    world_run(SOS_OK, "0 s begins\n0 b: EDEADLK\n10 s ends\n10 all: OK, OK OK\n");
    world_close();
}

/* Another of the targets can end a join_any: no circle. */
static void a_circle_through_join_any_is_none(void)
{
    world_open(NULL);
    sos_handle s = fork_sleeper("s", 10, 0);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "any"), .any = true, .count = 2,
             .targets = { { 2, 0 }, s });
    sos_fork(world.os, joiner, sos_opt(.priority = 2, .name = "b"), .target = { 1, 0 });
    world_run(SOS_OK, "0 s begins\n10 s ends\n10 any: 1, EAGAIN OK\n10 b: OK\n");
    world_close();
}

/* ---- All */

static void join_all_answers_in_the_order_asked_for(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 30, 1), b = fork_sleeper("b", 10, 2),
               c = fork_sleeper("c", 20, 3);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"), .count = 4,
             .targets = { c, a, b, a });
    world_run(SOS_OK, "0 a begins\n0 b begins\n0 c begins\n10 b ends\n20 c ends\n30 a ends\n"
                      "30 all: OK, 3 1 2 1\n");
    for (int pid = 0; pid < 3; pid++)
        CHECK_INT(sos_find(world.os, pid).pid, SOS_ESTALE);
    world_close();
}

static void join_all_of_ended_tasks_answers_at_once(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 1, 1), b = fork_sleeper("b", 2, 2);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"), .count = 3, .after = 5,
             .targets = { b, a, b });
    world_run(SOS_OK, "0 a begins\n0 b begins\n1 a ends\n2 b ends\n5 all: OK, 2 1 2\n");
    world_close();
}

static void join_all_of_nothing_answers_at_once(void)
{
    world_open(NULL);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"));
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "any"), .any = true);
    world_run(SOS_OK, "0 all: OK,\n0 any: EINVAL,\n");
    world_close();
}

static void join_all_wakes_on_the_first_failure(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 30, 1), b = fork_sleeper("b", 20, SOS_EIO),
               c = fork_sleeper("c", 10, 3);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"), .count = 3,
             .targets = { a, b, c });
    join("later", a, 25);
    world_run(SOS_OK, "0 a begins\n0 b begins\n0 c begins\n10 c ends\n20 b ends\n"
                      "20 all: EIO, EAGAIN EIO 3\n30 a ends\n30 later: 1\n");
    world_close();
}

static void join_all_with_a_stale_target_waits_for_none(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 30, 1);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"), .count = 2,
             .targets = { a, { 77, 0 } });
    world_run(SOS_OK, "0 a begins\n0 all: ESTALE, OK OK\n30 a ends\n");
    CHECK_INT(sos_release(world.os, a), SOS_OK);
    world_close();
}

/* Named twice: waited for once, answered twice, also when the others still run. */
static void a_task_named_twice_is_answered_twice(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 10, SOS_EIO), b = fork_sleeper("b", 30, 2);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "all"), .count = 3,
             .targets = { a, b, a });
    world_run(SOS_OK, "0 a begins\n0 b begins\n10 a ends\n10 all: EIO, EIO EAGAIN EIO\n"
                      "30 b ends\n");
    a = fork_sleeper("a", 10, 3);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "any"), .any = true, .count = 3,
             .targets = { b, a, a });
    world_run(SOS_OK, "30 a begins\n30 any: OK, 2 EAGAIN EAGAIN\n40 a ends\n");
    b = fork_sleeper("b", 30, 2);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "any"), .any = true, .count = 3,
             .targets = { b, a, a });
    a = fork_sleeper("a", 10, 3);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "both"), .any = true, .count = 3,
             .targets = { b, a, a });
    world_run(SOS_OK, "40 b begins\n40 any: 1, EAGAIN 3 3\n40 a begins\n50 a ends\n"
                      "50 both: 1, EAGAIN 3 3\n70 b ends\n");
    world_close();
}

/* ---- Any */

static void join_any_ends_with_the_first(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 30, 1), b = fork_sleeper("b", 20, SOS_EIO);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "any"), .any = true, .count = 2,
             .targets = { a, b });
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "first"), .any = true, .count = 1,
             .targets = { a }, .after = 40);
    world_run(SOS_OK, "0 a begins\n0 b begins\n20 b ends\n20 any: 1, EAGAIN EIO\n30 a ends\n"
                      "40 first: OK, 1\n");
    world_close();
}

/* Killed in it, every target can be joined again. */
static void a_killed_join_of_several_leaves_nothing(void)
{
    world_open(NULL);
    sos_handle a = fork_sleeper("a", 30, 1), b = fork_sleeper("b", 20, 2);
    sos_handle x = sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "x"), .count = 3,
                            .targets = { a, b, a });
    sos_handle y = sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "y"), .count = 2,
                            .targets = { a, b }, .any = true);
    sos_fork(world.os, killer, sos_opt(.priority = 1), .target = x, .after = 10);
    sos_fork(world.os, killer, sos_opt(.priority = 1), .target = y, .after = 11);
    sos_fork(world.os, all_joiner, sos_opt(.priority = 2, .name = "z"), .count = 2,
             .targets = { a, b });
    world_run(SOS_OK, "0 a begins\n0 b begins\n10 kill: OK\n11 kill: OK\n20 b ends\n30 a ends\n"
                      "30 z: OK, 1 2\n");
    world_close();
}

/* ---- Records */

static void failures_that_nobody_joined_are_reported(void)
{
    world_open(NULL);
    fork_sleeper("kept", 1, SOS_EIO);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "detached", .detached = true),
             .us = 2, .status = SOS_EPIPE);
    sos_handle released = fork_sleeper("released", 3, SOS_EBADF);
    CHECK_INT(sos_release(world.os, released), SOS_OK);
    sos_handle killed = fork_sleeper("killed", 50, 0);
    sos_fork(world.os, killer, sos_opt(.priority = 1), .target = killed, .after = 4);
    join("j", fork_sleeper("joined", 5, SOS_EIO), 0);
    world_run(SOS_OK, "0 kept begins\n0 detached begins\n0 released begins\n0 killed begins\n"
                      "0 joined begins\n1 kept ends\n2 detached ends\n2 ! failed: detached EPIPE\n"
                      "3 released ends\n3 ! failed: released EBADF\n4 kill: OK\n5 joined ends\n"
                      "5 j: EIO\n5 ! failed: kept EIO\n");
    world_run(SOS_OK, ""); /* once */
    world_close();
}

struct failing_parent {
    sos_frame frame;
};

async_fn(failing_parent)
{
    async_begin(failing_parent);
    async_spawn(ender, sos_opt(.name = "child"), .status = SOS_EIO);
    await(sos_yield(task));
    note("parent ends");
    async_end;
}

static void a_failure_is_reported_when_the_parent_ends(void)
{
    world_open(NULL);
    sos_fork(world.os, failing_parent, sos_opt(.priority = 2));
    sos_fork(world.os, sleeper, sos_opt(.priority = 3, .name = "s"), .us = 5);
    world_run(SOS_OK, "0 child\n0 parent ends\n0 ! failed: child EIO\n0 s begins\n5 s ends\n");
    world_close();
}

static void records_left_are_reported_when_the_runtime_goes(void)
{
    world_open(NULL);
    sos_fork(world.os, ender, sos_opt(.priority = 2, .name = "e"), .status = SOS_EIO);
    CHECK_INT(sos_run_once(world.os, 0), SOS_ESTALE);
    world_trace("0 e\n0 ! failed: e EIO\n");
    world_close();
}

static void a_detached_task_can_be_joined_while_it_runs(void)
{
    world_open(NULL);
    sos_handle d = sos_fork(world.os, sleeper,
                            sos_opt(.priority = 2, .name = "d", .detached = true), .us = 10,
                            .status = 4);
    join("in time", d, 0);
    join("too late", d, 20);
    world_run(SOS_OK, "0 d begins\n10 d ends\n10 in time: 4\n20 too late: ESTALE\n");
    world_close();
}

int main(void)
{
    the_waiter_gets_the_result_or_the_failure();
    joining_an_ended_task_answers_at_once();
    several_joiners_of_one_wake_in_waiting_order_at_the_front();
    a_killed_target_answers_canceled();
    a_killed_joiner_leaves_the_target_alone();
    a_join_of_oneself_or_of_nobody_is_an_error();
    a_circle_of_joins_is_an_error_of_the_last();
    a_circle_through_join_all_is_found_too();
    a_circle_through_join_any_is_none();
    join_all_answers_in_the_order_asked_for();
    join_all_of_ended_tasks_answers_at_once();
    join_all_of_nothing_answers_at_once();
    join_all_wakes_on_the_first_failure();
    join_all_with_a_stale_target_waits_for_none();
    a_task_named_twice_is_answered_twice();
    join_any_ends_with_the_first();
    a_killed_join_of_several_leaves_nothing();
    failures_that_nobody_joined_are_reported();
    a_failure_is_reported_when_the_parent_ends();
    records_left_are_reported_when_the_runtime_goes();
    a_detached_task_can_be_joined_while_it_runs();
    return 0;
}
