/* SPDX-License-Identifier: MIT */
/* Deadlines: what they cover, what they leave behind, what beats them. */
#include "world.h"

/* ---- One deadline */

struct basics {
    sos_frame frame;
};

async_fn(basics)
{
    async_begin(basics);
    await(sos_within(task, 100, sos_sleep(task, 200)));
    note("too long: %s", status_text(sos_status(task)));
    await(sos_within(task, 100, sos_sleep(task, 50)));
    note("in time: %s", status_text(sos_status(task)));
    await(sos_within(task, 100, sos_sleep(task, 100)));
    note("both at once: %s", status_text(sos_status(task)));
    await(sos_within(task, SOS_FOREVER, sos_sleep(task, 1000)));
    note("for ever: %s", status_text(sos_status(task)));
    await(sos_within(task, -1, sos_sleep(task, 1000)));
    note("negative: %s", status_text(sos_status(task)));
    await(sos_within(task, 0, sos_sleep(task, 1)));
    note("zero: %s", status_text(sos_status(task)));
    await(sos_within(task, 0, sos_join_all(task, NULL, 0)));
    note("complete already: %s", status_text(sos_status(task)));
    await(sos_within(task, 50, sos_wait_signal(task, 77)));
    note("an error: %s", status_text(sos_status(task)));
    await(sos_sleep(task, 500));
    note("no deadline is left");
    async_end;
}

static void a_deadline_covers_its_operation_only(void)
{
    world_open(NULL);
    sos_fork(world.os, basics, sos_opt(.priority = 2));
    world_run(SOS_OK, "100 too long: ETIMEDOUT\n150 in time: OK\n250 both at once: OK\n"
                      "1250 for ever: OK\n1250 negative: EINVAL\n1250 zero: ETIMEDOUT\n"
                      "1250 complete already: OK\n1250 an error: EINVAL\n"
                      "1750 no deadline is left\n");
    world_close();
}

/* The operation under a deadline that could not be armed is not begun, nor its arguments read. */
struct unarmed {
    sos_frame frame;
    int evaluated;
};

async_fn(unarmed)
{
    async_begin(unarmed);
    await(sos_within(task, -5, sos_sleep(task, ++self->evaluated)));
    note("%s, %d", status_text(sos_status(task)), self->evaluated);
    async_end;
}

/* Goes down until there is no memory. */
struct bottomless {
    sos_frame frame;
};

async_fn(bottomless)
{
    async_begin(bottomless);
    await(sos_within(task, 50, async_call(bottomless)));
    async_return(sos_status(task));
    async_end;
}

static void without_a_deadline_there_is_no_operation(void)
{
    world_open(NULL);
    sos_fork(world.os, unarmed, sos_opt(.priority = 2));
    world_run(SOS_OK, "0 EINVAL, 0\n");
    sos_fork(world.os, bottomless, sos_opt(.priority = 2, .name = "b"));
    sos_sim_fail_allocation(world.kernel, 3, true);
    world_run(SOS_OK, "0 ! failed: b ENOMEM\n");
    world_close();
}

/* ---- Deep */

struct layer {
    sos_frame frame;
    int depth;
    int64_t us;
};

async_fn(layer)
{
    async_begin(layer);
    if (self->depth > 0)
        await(async_call(layer, .depth = self->depth - 1, .us = self->us));
    else
        await(sos_sleep(task, self->us));
    note("layer %d goes on: %s", self->depth, status_text(sos_status(task)));
    async_return(self->depth);
    async_finally;
    note("finally %d: %s", self->depth, status_text(sos_status(task)));
    async_end;
}

struct deep_user {
    sos_frame frame;
    int64_t limit;
};

async_fn(deep_user)
{
    async_begin(deep_user);
    await(sos_within(task, self->limit, async_call(layer, .depth = 2, .us = 100)));
    note("outside: %s", status_text(sos_status(task)));
    async_finally;
    note("the owner's own: %s", status_text(sos_status(task)));
    async_end;
}

static void it_unwinds_innermost_first_and_stops_at_its_owner(void)
{
    world_open(NULL);
    sos_fork(world.os, deep_user, sos_opt(.priority = 2), .limit = 50);
    world_run(SOS_OK, "50 finally 0: ETIMEDOUT\n50 finally 1: ETIMEDOUT\n50 finally 2: ETIMEDOUT\n"
                      "50 outside: ETIMEDOUT\n50 the owner's own: OK\n");
    sos_fork(world.os, deep_user, sos_opt(.priority = 2), .limit = 500);
    world_run(SOS_OK, "150 layer 0 goes on: OK\n150 finally 0: OK\n150 layer 1 goes on: OK\n"
                      "150 finally 1: 1\n150 layer 2 goes on: 1\n150 finally 2: 2\n"
                      "150 outside: 2\n150 the owner's own: OK\n");
    world_close();
}

/* ---- Nested */

struct inner {
    sos_frame frame;
    int64_t limit, us;
};

async_fn(inner)
{
    async_begin(inner);
    await(sos_within(task, self->limit, sos_sleep(task, self->us)));
    note("inner: %s", status_text(sos_status(task)));
    async_finally;
    note("inner finally: %s", status_text(sos_status(task)));
    async_end;
}

struct outer {
    sos_frame frame;
    int64_t limit, inner_limit, us;
};

async_fn(outer)
{
    async_begin(outer);
    await(sos_within(task, self->limit,
                     async_call(inner, .limit = self->inner_limit, .us = self->us)));
    note("outer: %s", status_text(sos_status(task)));
    async_end;
}

static void nest(int64_t limit, int64_t inner_limit, int64_t us, const char *trace)
{
    world_open(NULL);
    sos_fork(world.os, outer, sos_opt(.priority = 2), .limit = limit, .inner_limit = inner_limit,
             .us = us);
    world_run(SOS_OK, trace);
    world_close();
}

static void the_earlier_of_two_deadlines_counts(void)
{
    nest(10, 20, 30, "10 inner finally: ETIMEDOUT\n10 outer: ETIMEDOUT\n");
    nest(20, 10, 30, "10 inner: ETIMEDOUT\n10 inner finally: OK\n10 outer: OK\n");
    nest(20, 30, 10, "10 inner: OK\n10 inner finally: OK\n10 outer: OK\n");
    nest(20, 20, 30, "20 inner finally: ETIMEDOUT\n20 outer: ETIMEDOUT\n"); /* armed first */
    nest(20, 20, 20, "20 inner: OK\n20 inner finally: OK\n20 outer: OK\n");
}

struct one_in_one {
    sos_frame frame;
};

async_fn(one_in_one)
{
    async_begin(one_in_one);
    await(sos_within(task, 30, sos_within(task, 20, sos_sleep(task, 40))));
    note("%s", status_text(sos_status(task)));
    await(sos_within(task, 10, sos_within(task, 20, sos_sleep(task, 40))));
    note("%s", status_text(sos_status(task)));
    await(sos_within(task, 10, sos_within(task, 20, sos_sleep(task, 5))));
    note("%s", status_text(sos_status(task)));
    await(sos_within(task, 10, sos_within(task, 20, sos_join_all(task, NULL, 0))));
    note("%s", status_text(sos_status(task)));
    await(sos_within(task, 10, sos_within(task, -1, sos_sleep(task, 5))));
    note("%s", status_text(sos_status(task)));
    await(sos_sleep(task, 100));
    async_end;
}

static void deadlines_stand_directly_in_each_other(void)
{
    world_open(NULL);
    sos_fork(world.os, one_in_one, sos_opt(.priority = 2));
    world_run(SOS_OK, "20 ETIMEDOUT\n30 ETIMEDOUT\n35 OK\n35 OK\n35 EINVAL\n");
    CHECK_INT(sos_now(world.os), 135);
    world_close();
}

struct tower {
    sos_frame frame;
    int height;
};

async_fn(tower)
{
    async_begin(tower);
    if (self->height == 0)
        await(sos_sleep(task, SOS_FOREVER));
    else
        await(sos_within(task, 1000 + self->height, async_call(tower, .height = self->height - 1)));
    if (self->height >= 998)
        note("%d: %s", self->height, status_text(sos_status(task)));
    async_return(sos_status(task));
    async_end;
}

static void a_thousand_deadlines_deep(void)
{
    world_open(NULL);
    sos_fork(world.os, tower, sos_opt(.priority = 2, .name = "t"), .height = 1000);
    world_run(SOS_OK, "1001 998: ETIMEDOUT\n1001 999: ETIMEDOUT\n1001 1000: ETIMEDOUT\n"
                      "1001 ! failed: t ETIMEDOUT\n");
    world_close();
}

/* ---- Order */

struct racer {
    sos_frame frame;
    int64_t limit;
};

async_fn(racer)
{
    async_begin(racer);
    await(sos_within(task, self->limit, sos_wait_signal(task, 1)));
    note("%s: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

/* To the back of the queue, by due time, then by arming. */
static void expired_ones_queue_by_due_time(void)
{
    world_open(NULL);
    sos_fork(world.os, racer, sos_opt(.priority = 2, .name = "a"), .limit = 30);
    sos_fork(world.os, racer, sos_opt(.priority = 2, .name = "b"), .limit = 20);
    sos_fork(world.os, racer, sos_opt(.priority = 2, .name = "c"), .limit = 30);
    world_run(SOS_OK, "20 b: ETIMEDOUT\n30 a: ETIMEDOUT\n30 c: ETIMEDOUT\n");
    world_close();
}

/* ---- Satisfied, but not seen yet */

struct grantee {
    sos_frame frame;
    int kind;
    struct sos_queue *queue;
    struct sos_semaphore *semaphore;
    struct sos_mutex *mutex;
    int item;
};

async_fn(grantee)
{
    async_begin(grantee);
    if (self->kind == 0)
        await(sos_within(task, 10, sos_queue_get(task, self->queue, &self->item)));
    else if (self->kind == 1)
        await(sos_within(task, 10, sos_semaphore_take(task, self->semaphore)));
    else
        await(sos_within(task, 10, sos_mutex_lock(task, self->mutex)));
    note("grantee: %s", status_text(sos_status(task)));
    async_end;
}

struct granter {
    sos_frame frame;
    int kind;
    struct sos_queue *queue;
    struct sos_semaphore *semaphore;
    struct sos_mutex *mutex;
};

async_fn(granter)
{
    async_begin(granter);
    if (self->kind == 2)
        await(sos_mutex_lock(task, self->mutex));
    await(sos_sleep(task, 5));
    for (int item = 1; self->kind == 0 && item < 4; item++)
        CHECK_INT(sos_queue_try_put(self->queue, &item), SOS_OK);
    if (self->kind == 1)
        sos_semaphore_give(self->semaphore);
    if (self->kind == 2)
        CHECK_INT(sos_mutex_unlock(task, self->mutex), SOS_OK);
    sos_sim_spend(world.kernel, 10);
    await(sos_sleep(task, 0));
    note("granter");
    async_end;
}

static void a_satisfied_wait_that_timed_out_gives_back(int kind)
{
    int items[3], item = 0;
    struct sos_queue queue;
    struct sos_semaphore semaphore;
    struct sos_mutex mutex;
    sos_queue_init(&queue, "q", items, sizeof items[0], 3);
    sos_semaphore_init(&semaphore, "s", 0);
    sos_mutex_init(&mutex, "m");
    world_open(NULL);
    sos_fork(world.os, granter, sos_opt(.priority = 2), .kind = kind, .queue = &queue,
             .semaphore = &semaphore, .mutex = &mutex);
    sos_fork(world.os, grantee, sos_opt(.priority = 3), .kind = kind, .queue = &queue,
             .semaphore = &semaphore, .mutex = &mutex);
    world_run(SOS_OK, "15 granter\n15 grantee: ETIMEDOUT\n");
    for (int expected = 1; kind == 0 && expected < 4; expected++) {
        CHECK_INT(sos_queue_try_get(&queue, &item), SOS_OK);
        CHECK_INT(item, expected);
    }
    CHECK_INT(semaphore.permits, kind == 1);
    CHECK(mutex.owner == NULL);
    world_close();
}

static void items_permits_and_locks_are_given_back(void)
{
    for (int kind = 0; kind < 3; kind++)
        a_satisfied_wait_that_timed_out_gives_back(kind);
}

/* ---- A result in the same pass */

struct same_pass {
    sos_frame frame;
};

async_fn(same_pass)
{
    async_begin(same_pass);
    await(sos_within(task, 100, sos_sleep(task, 100)));
    note("result: %s", status_text(sos_status(task)));
    async_end;
}

/* The result was there in the pass of the deadline, so it stays, though others run first. */
static void a_result_of_the_same_pass_wins_though_others_run_first(void)
{
    world_open(NULL);
    sos_fork(world.os, same_pass, sos_opt(.priority = 3));
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "y"), .rounds = 2);
    world_run(SOS_OK, "0 y 0\n0 y 1\n100 result: OK\n");
    sos_fork(world.os, same_pass, sos_opt(.priority = 3));
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "a"), .us = 100);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "b"), .us = 100);
    world_run(SOS_OK, "100 a begins\n100 b begins\n200 a ends\n200 b ends\n200 result: OK\n");
    world_close();
}

struct last_gift {
    sos_frame frame;
    struct sos_semaphore *semaphore;
};

async_fn(last_gift)
{
    async_begin(last_gift);
    await(sos_sleep(task, 100));
    async_finally;
    sos_semaphore_give(self->semaphore);
    async_end;
}

struct giver {
    sos_frame frame;
    struct sos_semaphore *semaphore;
};

async_fn(giver)
{
    async_begin(giver);
    await(sos_within(task, 10, async_call(last_gift, .semaphore = self->semaphore)));
    sos_sim_spend(world.kernel, 20);
    await(sos_yield(task));
    async_end;
}

struct taker {
    sos_frame frame;
    struct sos_semaphore *semaphore;
    int64_t limit;
};

async_fn(taker)
{
    async_begin(taker);
    await(sos_within(task, self->limit, sos_semaphore_take(task, self->semaphore)));
    note("inner: %s", status_text(sos_status(task)));
    async_end;
}

struct taker_user {
    sos_frame frame;
    struct sos_semaphore *semaphore;
};

async_fn(taker_user)
{
    async_begin(taker_user);
    await(sos_within(task, 10, async_call(taker, .semaphore = self->semaphore, .limit = 15)));
    note("outer: %s", status_text(sos_status(task)));
    async_end;
}

/* It came in the pass of the outer deadline; that the inner one passes as well before the task
 * has its turn does not take it away. */
static void a_result_that_beat_one_deadline_beats_the_next(void)
{
    struct sos_semaphore semaphore;
    sos_semaphore_init(&semaphore, "s", 0);
    world_open(NULL);
    sos_fork(world.os, giver, sos_opt(.priority = 1), .semaphore = &semaphore);
    sos_fork(world.os, taker_user, sos_opt(.priority = 2), .semaphore = &semaphore);
    world_run(SOS_OK, "30 inner: OK\n30 outer: OK\n");
    world_close();
}

struct returning {
    sos_frame frame;
    sos_handle urgent;
};

async_fn(returning)
{
    async_begin(returning);
    await(sos_sleep(task, 5));
    sos_signal(sos_of(task), self->urgent, 1);
    async_return(7);
    async_finally;
    note("has returned %s", status_text(sos_status(task)));
    async_end;
}

struct returning_user {
    sos_frame frame;
    sos_handle urgent;
};

async_fn(returning_user)
{
    async_begin(returning_user);
    await(sos_within(task, 10, async_call(returning, .urgent = self->urgent)));
    note("result: %s", status_text(sos_status(task)));
    async_end;
}

struct urgent_hog {
    sos_frame frame;
};

async_fn(urgent_hog)
{
    async_begin(urgent_hog);
    await(sos_wait_signal(task, 1));
    sos_sim_spend(world.kernel, 20);
    note("hog");
    await(sos_yield(task));
    async_end;
}

/* It ended long before the deadline: an operation that is over cannot time out any more. */
static void a_function_that_returned_in_time_keeps_its_result(void)
{
    world_open(NULL);
    sos_handle urgent = sos_fork(world.os, urgent_hog, sos_opt(.priority = 1));
    sos_fork(world.os, returning_user, sos_opt(.priority = 2), .urgent = urgent);
    world_run(SOS_OK, "5 has returned 7\n25 hog\n25 result: 7\n");
    world_close();
}

/* ---- Nothing is left */

struct killed_inside {
    sos_frame frame;
};

async_fn(killed_inside)
{
    async_begin(killed_inside);
    await(sos_within(task, SOS_SEC(1000), sos_within(task, SOS_SEC(1000), sos_sleep(task, 10))));
    await(sos_within(task, SOS_SEC(1000), sos_wait_signal(task, 1)));
    async_end;
}

struct killer {
    sos_frame frame;
    sos_handle target;
};

async_fn(killer)
{
    async_begin(killer);
    await(sos_sleep(task, 20));
    sos_kill(sos_of(task), self->target);
    async_end;
}

static void a_kill_removes_deadlines(void)
{
    world_open(NULL);
    sos_handle k = sos_fork(world.os, killed_inside, sos_opt(.priority = 2));
    sos_fork(world.os, killer, sos_opt(.priority = 2), .target = k);
    sos_fork(world.os, listener, sos_opt(.priority = 2, .name = "l"), .mask = 2, .rounds = 1);
    world_run(SOS_ESTUCK, "20 ! stuck: l on signal\n"); /* at once, not after 1,000 s */
    world_close();
}

int main(void)
{
    a_deadline_covers_its_operation_only();
    without_a_deadline_there_is_no_operation();
    it_unwinds_innermost_first_and_stops_at_its_owner();
    the_earlier_of_two_deadlines_counts();
    deadlines_stand_directly_in_each_other();
    a_thousand_deadlines_deep();
    expired_ones_queue_by_due_time();
    items_permits_and_locks_are_given_back();
    a_result_of_the_same_pass_wins_though_others_run_first();
    a_result_that_beat_one_deadline_beats_the_next();
    a_function_that_returned_in_time_keeps_its_result();
    a_kill_removes_deadlines();
    return 0;
}
