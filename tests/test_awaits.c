/* SPDX-License-Identifier: MIT */
/* Awaiting: what suspends and what does not, nested calls, frames, statuses. */
#include "world.h"

/* ---- Operations that are complete already */

struct greedy {
    sos_frame frame;
    struct sos_semaphore *semaphore;
    int awaits, taken;
};

async_fn(greedy)
{
    async_begin(greedy);
    for (; self->taken < self->awaits; self->taken++)
        await(sos_semaphore_take(task, self->semaphore));
    note("%s took %d", sos_name(task), self->taken);
    async_end;
}

struct observer {
    sos_frame frame;
    struct sos_semaphore *semaphore;
    int rounds;
};

async_fn(observer)
{
    async_begin(observer);
    for (; self->rounds > 0; self->rounds--) {
        note("%s sees %u left", sos_name(task), (unsigned)self->semaphore->permits);
        await(sos_yield(task));
    }
    async_end;
}

/* After 64 awaits that did not suspend the next one does, complete as it is, to the back. */
static void a_step_makes_64_immediate_awaits(void)
{
    struct sos_semaphore semaphore;
    sos_semaphore_init(&semaphore, "plenty", 1000);
    world_open(NULL);
    sos_fork(world.os, greedy, sos_opt(.priority = 2, .name = "g"), .semaphore = &semaphore,
             .awaits = 200);
    sos_fork(world.os, observer, sos_opt(.priority = 2, .name = "o"), .semaphore = &semaphore,
             .rounds = 4);
    world_run(SOS_OK, "0 o sees 935 left\n0 o sees 870 left\n0 o sees 805 left\n0 g took 200\n"
                      "0 o sees 800 left\n");
    world_close();
}

struct empty {
    sos_frame frame;
    int *count;
};

async_fn(empty)
{
    async_begin(empty);
    ++*self->count;
    async_end;
}

struct caller {
    sos_frame frame;
    int calls;
    int count;
};

async_fn(caller)
{
    async_begin(caller);
    while (self->count < self->calls)
        await(async_call(empty, .count = &self->count));
    async_end;
}

/* Calls of functions that return at once may not hog the processor either. */
static void calls_that_never_wait_give_way_too(void)
{
    world_open(NULL);
    sos_fork(world.os, caller, sos_opt(.priority = 2), .calls = 100000);
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "y"), .rounds = 3);
    while (sos_count(world.os).tasks == 2)
        sos_run_once(world.os, 0);
    world_trace("0 y 0\n0 y 1\n0 y 2\n");
    CHECK_INT(sos_run(world.os), SOS_OK);
    world_close();
}

struct limited {
    sos_frame frame;
    int *count;
};

async_fn(limited)
{
    async_begin(limited);
    while (*self->count < 150)
        await(sos_within(task, 1000, async_call(empty, .count = self->count)));
    async_end;
}

struct count_watcher {
    sos_frame frame;
    const int *count;
    int rounds;
};

async_fn(count_watcher)
{
    async_begin(count_watcher);
    for (; self->rounds > 0; self->rounds--) {
        note("%d calls", *self->count);
        await(sos_yield(task));
    }
    async_end;
}

static void an_await_under_a_deadline_is_one_await(void)
{
    int count = 0;
    world_open(NULL);
    sos_fork(world.os, limited, sos_opt(.priority = 2), .count = &count);
    sos_fork(world.os, count_watcher, sos_opt(.priority = 2), .count = &count, .rounds = 3);
    world_run(SOS_OK, "0 65 calls\n0 130 calls\n0 150 calls\n");
    world_close();
}

struct polite {
    sos_frame frame;
    sos_handle urgent;
    struct sos_semaphore *semaphore;
};

async_fn(polite)
{
    async_begin(polite);
    await(sos_sleep(task, 1));
    sos_signal(sos_of(task), self->urgent, 2);
    note("signalled");
    await(sos_semaphore_take(task, self->semaphore));
    note("goes on: %s", status_text(sos_status(task)));
    await(sos_semaphore_take(task, self->semaphore));
    note("and on");
    async_end;
}

/* The more urgent one runs at once; then the task that was overtaken, before its equals. */
static void a_more_urgent_task_overtakes(void)
{
    struct sos_semaphore semaphore;
    sos_semaphore_init(&semaphore, "plenty", 1000);
    world_open(NULL);
    sos_handle urgent = sos_fork(world.os, listener, sos_opt(.priority = 1, .name = "urgent"),
                                 .mask = 1u << 2, .rounds = 1);
    sos_fork(world.os, polite, sos_opt(.priority = 2), .urgent = urgent, .semaphore = &semaphore);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "equal"), .us = 1);
    world_run(SOS_OK, "0 equal begins\n1 signalled\n1 urgent got 2\n1 goes on: OK\n1 and on\n"
                      "1 equal ends\n");
    world_close();
}

/* ---- Nested calls */

struct level {
    sos_frame frame;
    int depth;
    void *me;
    int *above; /* into the caller's frame */
    int result;
};

async_fn(level)
{
    async_begin(level);
    self->me = self;
    note("down %d", self->depth);
    if (self->depth == 0) {
        await(sos_sleep(task, 10));
        note("slept");
    } else {
        await(async_call(level, .depth = self->depth - 1, .above = &self->result));
        note("back in %d: %s, %d", self->depth, status_text(sos_status(task)), self->result);
    }
    CHECK(self->me == self);
    if (self->above != NULL)
        *self->above = self->depth * 10;
    async_return(self->depth + 1);
    async_finally;
    note("finally %d: %s", self->depth, status_text(sos_status(task)));
    async_end;
}

static void nested_calls_start_at_once_and_resume_innermost(void)
{
    world_open(NULL);
    sos_fork(world.os, level, sos_opt(.priority = 2), .depth = 2);
    world_run(SOS_OK, "0 down 2\n0 down 1\n0 down 0\n10 slept\n10 finally 0: 1\n"
                      "10 back in 1: 1, 0\n10 finally 1: 2\n10 back in 2: 2, 10\n"
                      "10 finally 2: 3\n");
    world_close();
}

/* ---- Deep recursion */

enum { DEEP = 10000 };

struct stack_extent {
    uintptr_t low, high;
    size_t max_frames;
};

struct deep {
    sos_frame frame;
    int left;
    struct stack_extent *stack;
    void *me;
};

static void measure_stack(struct stack_extent *stack)
{
    uintptr_t at = (uintptr_t)__builtin_frame_address(0);
    if (stack->low == 0 || at < stack->low)
        stack->low = at;
    if (at > stack->high)
        stack->high = at;
}

async_fn(deep)
{
    async_begin(deep);
    self->me = self;
    measure_stack(self->stack);
    if (self->left % 1000 == 0)
        await(sos_yield(task));
    if (self->left > 0) {
        await(async_call(deep, .left = self->left - 1, .stack = self->stack));
        CHECK_INT(sos_status(task), self->left);
    } else {
        await(sos_sleep(task, 10));
    }
    measure_stack(self->stack);
    CHECK(self->me == self);
    async_return(self->left + 1);
    async_finally;
    measure_stack(self->stack);
    async_end;
}

static void recursion_10000_deep_needs_no_machine_stack(void)
{
    struct stack_extent stack = { 0 };
    int result = 0;
    world_open(NULL);
    sos_handle d = sos_fork(world.os, deep, sos_opt(.priority = 2), .left = DEEP, .stack = &stack);
    world_run(SOS_OK, "");
    CHECK_INT(sos_result(world.os, d, &result), SOS_OK);
    CHECK_INT(result, DEEP + 1);
    CHECK(stack.high - stack.low < 2048);
    world_close();
}

static void a_kill_10000_deep_needs_no_machine_stack(void)
{
    struct stack_extent stack = { 0 };
    world_open(NULL);
    sos_handle d = sos_fork(world.os, deep, sos_opt(.priority = 2), .left = DEEP, .stack = &stack);
    while (sos_run_once(world.os, 0) == 1)
        ;
    uintptr_t low = stack.low;
    CHECK_INT(sos_kill(world.os, d), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(stack.high - low < 8192 && low - stack.low < 8192);
    world_close();
}

/* ---- Statuses */

struct failing {
    sos_frame frame;
    int status;
};

async_fn(failing)
{
    async_begin(failing);
    try_await(async_call(ender, .status = self->status));
    note("passed with %s", status_text(sos_status(task)));
    async_finally;
    note("finally: %s", status_text(sos_status(task)));
    async_end;
}

struct statuses {
    sos_frame frame;
};

async_fn(statuses)
{
    async_begin(statuses);
    note("first: %s", status_text(sos_status(task)));
    await(async_call(failing, .status = SOS_EIO));
    note("failed: %s", status_text(sos_status(task)));
    await(async_call(failing, .status = 6));
    note("succeeded: %s", status_text(sos_status(task)));
    await(async_call(ender, .status = 9));
    note("returned: %s", status_text(sos_status(task)));
    await(sos_yield(task));
    note("yielded: %s", status_text(sos_status(task)));
    async_return(12);
    async_end;
}

static void try_await_returns_errors_through_finally(void)
{
    int result = 0;
    world_open(NULL);
    sos_handle s = sos_fork(world.os, statuses, sos_opt(.priority = 2, .name = "s"));
    world_run(SOS_OK, "0 first: OK\n0 s\n0 finally: EIO\n0 failed: EIO\n0 s\n0 passed with 6\n"
                      "0 finally: OK\n0 succeeded: OK\n0 s\n0 returned: 9\n0 yielded: OK\n");
    CHECK_INT(sos_result(world.os, s, &result), SOS_OK);
    CHECK_INT(result, 12);
    world_close();
}

/* ---- Limits of frames */

struct huge {
    sos_frame frame;
    char bytes[65536 * 4];
};

async_fn(huge)
{
    async_begin(huge);
    CHECK(false);
    async_end;
}

struct large {
    sos_frame frame;
    char bytes[30000];
    int depth;
};

async_fn(large)
{
    async_begin(large);
    memset(self->bytes, self->depth, sizeof self->bytes);
    if (self->depth < 5) {
        await(async_call(large, .depth = self->depth + 1));
        if (sos_status(task) < 0)
            async_return(sos_status(task));
    }
    await(sos_yield(task));
    for (size_t i = 0; i < sizeof self->bytes; i += 1000)
        CHECK_INT(self->bytes[i], self->depth);
    async_end;
}

struct frame_limits {
    sos_frame frame;
    sos_handle child;
};

async_fn(frame_limits)
{
    async_begin(frame_limits);
    await(async_call(huge, .bytes = { 0 }));
    note("call: %s", status_text(sos_status(task)));
    self->child = async_spawn(huge, sos_opt(), .bytes = { 0 });
    note("spawn: %s", status_text(self->child.pid));
    await(async_call(large, .depth = 1));
    note("large: %s", status_text(sos_status(task)));
    sos_sim_fail_allocation(world.kernel, 1, true);
    await(async_call(large, .depth = 1));
    note("no memory: %s", status_text(sos_status(task)));
    sos_sim_fail_allocation(world.kernel, 2, true);
    await(async_call(large, .depth = 1));
    note("not much: %s", status_text(sos_status(task)));
    sos_sim_fail_allocation(world.kernel, 0, false);
    await(async_call(large, .depth = 1));
    note("again: %s", status_text(sos_status(task)));
    async_end;
}

static void frames_have_limits_and_errors(void)
{
    world_open(NULL);
    sos_fork(world.os, frame_limits, sos_opt(.priority = 2));
    world_run(SOS_OK, "0 call: EINVAL\n0 spawn: EINVAL\n0 large: OK\n0 no memory: ENOMEM\n"
                      "0 not much: ENOMEM\n0 again: OK\n");
    world_close();
}

/* The arguments of a frame with 8-byte members are aligned for them, whatever stands below. */
struct odd_frame {
    sos_frame frame;
    char bytes[5];
    int depth;
};

struct wide_frame {
    sos_frame frame;
    int depth;
    uint64_t wide;
    double real;
};

async_fn(odd_frame);

async_fn(wide_frame)
{
    async_begin(wide_frame);
    CHECK_INT((uintptr_t)&self->wide % _Alignof(uint64_t), 0);
    self->wide++;
    if (self->depth > 0)
        await(async_call(odd_frame, .depth = self->depth - 1));
    await(sos_yield(task));
    CHECK(self->real > 0.4 && self->wide == 8);
    async_end;
}

async_fn(odd_frame)
{
    async_begin(odd_frame);
    await(async_call(wide_frame, .depth = self->depth, .wide = 7, .real = 0.5));
    async_end;
}

static void frames_are_aligned(void)
{
    world_open(NULL);
    sos_fork(world.os, odd_frame, sos_opt(.priority = 2), .depth = 20);
    sos_fork(world.os, wide_frame, sos_opt(.priority = 2), .depth = 20, .wide = 7, .real = 0.5);
    world_run(SOS_OK, "");
    world_close();
}

int main(void)
{
    a_step_makes_64_immediate_awaits();
    calls_that_never_wait_give_way_too();
    an_await_under_a_deadline_is_one_await();
    a_more_urgent_task_overtakes();
    nested_calls_start_at_once_and_resume_innermost();
    recursion_10000_deep_needs_no_machine_stack();
    a_kill_10000_deep_needs_no_machine_stack();
    try_await_returns_errors_through_finally();
    frames_have_limits_and_errors();
    frames_are_aligned();
    return 0;
}
