/* SPDX-License-Identifier: MIT */
/* Order, sleeps, signals, interrupts, joins. */
#ifndef CONFORMANCE_TASKS_H
#define CONFORMANCE_TASKS_H

#include "conformance_world.h"

/* ---- Order */

struct spawner {
    sos_frame frame;
};

static async_fn(spawner)
{
    async_begin(spawner);
    async_spawn(yielder, CHILD(1, "urgent"), .turns = 1);
    async_spawn(yielder, CHILD(0, "equal"), .turns = 2);
    note("spawner has spawned");
    await(sos_yield(task));
    note("spawner goes on");
    async_end;
}

/* The three ways to the back of a queue, and one to the front. */
struct mover {
    sos_frame frame;
    sos_handle listener;
};

static async_fn(mover)
{
    async_begin(mover);
    self->listener = async_spawn(listener, CHILD(0, "listener"), .mask = 2, .rounds = 1);
    await(sos_yield(task));
    async_spawn(yielder, CHILD(0, "new"), .turns = 1);
    sos_signal(os, self->listener, 1);
    note("mover yields");
    await(sos_yield(task));
    note("mover is last");
    async_end;
}

/* Called functions run at once, nested three deep, and answer. */
struct nested {
    sos_frame frame;
    int depth, sum;
};

static async_fn(nested)
{
    async_begin(nested);
    if (self->depth > 0) {
        await(async_call(nested, .depth = self->depth - 1));
        self->sum = sos_status(task);
    }
    await(sos_yield(task));
    async_return(self->sum + self->depth);
    async_finally;
    note("nested %d returns %e", self->depth, sos_status(task));
    async_end;
}

static void order_of_tasks(void)
{
    if (!begin("order"))
        return;
    sos_fork(os, yielder, ROOT(5, "c"), .turns = 2);
    sos_fork(os, yielder, ROOT(3, "a"), .turns = 2);
    sos_fork(os, yielder, ROOT(3, "b"), .turns = 2);
    sos_fork(os, yielder, ROOT(9, "d"), .turns = 1);
    sos_fork(os, spawner, ROOT(4, "spawner"));
    sos_fork(os, mover, ROOT(6, "mover"));
    sos_fork(os, nested, ROOT(7, "nested"), .depth = 3);
    note("fork with priority 0: %e", sos_fork(os, yielder, ROOT(0, "none"), .turns = 1).pid);
    note("fork with priority 10: %e", sos_fork(os, yielder, ROOT(10, "none"), .turns = 1).pid);
    finish();
}

/* ---- Sleeps */

struct waker {
    sos_frame frame;
    sos_handle sleeper;
};

static async_fn(waker)
{
    async_begin(waker);
    self->sleeper = async_spawn(sleeper, CHILD(0, "forever"), .us = SOS_FOREVER);
    note("wake of a runnable task: %e", sos_wake(os, self->sleeper));
    await(sos_sleep(task, SOS_MS(50)));
    note("at %d ms", (int)((sos_now(os) - 1000) / 1000));
    note("wake of a sleeper: %e", sos_wake(os, self->sleeper));
    await(sos_join(task, self->sleeper));
    note("wake of an old handle: %e", sos_wake(os, self->sleeper));
    await(sos_sleep(task, -1));
    note("negative sleep: %e", sos_status(task));
    async_end;
}

static void order_of_sleeps(void)
{
    if (!begin("sleeps"))
        return;
    sos_fork(os, sleeper, ROOT(5, "30 ms"), .us = SOS_MS(30));
    sos_fork(os, sleeper, ROOT(5, "10 ms"), .us = SOS_MS(10));
    sos_fork(os, sleeper, ROOT(5, "10 ms, later"), .us = SOS_MS(10));
    sos_fork(os, sleeper, ROOT(2, "10 ms, urgent"), .us = SOS_MS(10));
    sos_fork(os, sleeper, ROOT(5, "20 ms"), .us = SOS_MS(20));
    sos_fork(os, sleeper, ROOT(5, "1 day"), .us = SOS_SEC(86400));
    sos_fork(os, sleeper, ROOT(5, "0 ms"), .us = 0);
    sos_fork(os, yielder, ROOT(5, "yielder"), .turns = 2);
    sos_fork(os, waker, ROOT(5, "waker"));
    finish();
}

/* ---- Signals */

static void told(sos_task *task, int signal, void *context)
{
    note("handler of %s: %d %s", sos_name(task), signal, (const char *)context);
}

struct sender {
    sos_frame frame;
    sos_handle first, second, old;
};

static async_fn(sender)
{
    async_begin(sender);
    self->old = async_spawn(ender, CHILD(1, "gone"), .status = 0);
    await(sos_join(task, self->old));
    self->first = async_spawn(
        listener, sos_opt(.priority = 5, .name = "first", .on_signal = told, .context = "context"),
        .mask = 0x80000009u, .rounds = 4);
    self->second = async_spawn(listener, CHILD(5, "second"), .mask = 2, .rounds = 1);
    note("before the wait: %e", sos_signal(os, self->first, 3));
    note("before the wait: %e", sos_signal(os, self->first, 0));
    await(sos_sleep(task, SOS_MS(1)));
    note("to the second: %e", sos_signal(os, self->second, 1));
    note("to the first: %e", sos_signal(os, self->first, 31));
    note("latched: %e", sos_signal(os, self->first, 31));
    note("nobody waits for it: %e", sos_signal(os, self->first, 7));
    note("no such signal: %e", sos_signal(os, self->first, 32));
    note("no such task: %e", sos_signal(os, self->old, 1));
    await(sos_join(task, self->first));
    note("to oneself: %e", sos_signal(os, sos_self(task), 5));
    note("check: %d", sos_check_signal(task, 5));
    note("check again: %d", sos_check_signal(task, 5));
    note("check signal 99: %e", sos_check_signal(task, 99));
    await(sos_wait_signals(task, 0));
    note("empty mask: %e", sos_status(task));
    await(sos_wait_signal(task, 32));
    note("signal 32: %e", sos_status(task));
    async_end;
}

static void signals(void)
{
    if (!begin("signals"))
        return;
    sos_fork(os, sender, ROOT(2, "sender"));
    finish();
}

/* ---- Signals from a real interrupt */

static sos_handle posted_to;
static int posts_to_do, first_post, refused_posts;

static void post_from_interrupt(void)
{
    for (int number = 0; number < posts_to_do; number++)
        refused_posts += sos_post(os, posted_to, first_post + number) == SOS_EAGAIN;
}

static void interrupt(sos_handle target, int first, int count)
{
    posted_to = target;
    first_post = first;
    posts_to_do = count;
    refused_posts = 0;
    machine_trigger_interrupt();
}

struct poster {
    sos_frame frame;
    sos_handle listener, gone;
    uintptr_t state;
    int round;
};

static async_fn(poster)
{
    async_begin(poster);
    self->listener = async_spawn(listener,
                                 sos_opt(.priority = 3, .name = "listener", .external = true),
                                 .mask = 0xFFFFFFFFu, .rounds = 17);
    await(sos_sleep(task, SOS_MS(1)));
    interrupt(self->listener, 4, 1);
    note("one posted");
    await(sos_yield(task));
    interrupt(self->listener, 10, 6);
    note("six posted, %d refused", refused_posts);
    await(sos_yield(task));
    self->state = machine_critical_enter();
    interrupt(self->listener, 20, 1);
    note("held off");
    machine_critical_leave(self->state);
    note("let in");
    await(sos_sleep(task, SOS_MS(1)));
    self->gone = async_spawn(ender, CHILD(1, "gone"), .status = 0);
    await(sos_join(task, self->gone));
    interrupt(self->gone, 1, 1);
    await(sos_yield(task));
    note("a post to a task that is gone is ignored");
    for (; self->round < 10; self->round++) { /* round and round the queue of posts */
        interrupt(self->listener, self->round, 1);
        await(sos_yield(task));
    }
    posted_to = self->listener;
    first_post = 30;
    posts_to_do = 1;
    interrupt_in_wait = true; /* nothing but the interrupt can wake anybody now */
    await(sos_join(task, self->listener));
    async_end;
}

static void interrupts(void)
{
    if (!begin("interrupts"))
        return;
    machine_on_interrupt(post_from_interrupt);
    sos_fork(os, poster, ROOT(5, "poster"));
    finish();
    machine_on_interrupt(NULL);
}

/* ---- Joins */

struct joiner {
    sos_frame frame;
    sos_handle target;
};

static async_fn(joiner)
{
    async_begin(joiner);
    await(sos_join(task, self->target));
    note("%s: %e", sos_name(task), sos_status(task));
    async_end;
}

/* Joins whoever it is told to by name later: for circles. */
static sos_handle circle[3];

struct link_of_circle {
    sos_frame frame;
    int next;
};

static async_fn(link_of_circle)
{
    async_begin(link_of_circle);
    await(sos_join(task, circle[self->next]));
    note("%s: %e", sos_name(task), sos_status(task));
    async_end;
}

struct join_tester {
    sos_frame frame;
    sos_handle child;
    int result;
};

static async_fn(join_tester)
{
    async_begin(join_tester);
    self->child = async_spawn(sleeper, CHILD(3, "child"), .us = SOS_MS(5), .status = 42);
    async_spawn(joiner, CHILD(5, "joiner a"), .target = self->child);
    async_spawn(joiner, CHILD(5, "joiner b"), .target = self->child);
    await(sos_join(task, self->child));
    note("result: %d", sos_status(task));
    await(sos_join(task, self->child));
    note("joined before: %e", sos_status(task));
    self->child = async_spawn(ender, CHILD(1, "failing"), .status = SOS_EIO);
    await(sos_sleep(task, 0));
    note("result without a join: %e", sos_result(os, self->child, &self->result));
    await(sos_join(task, self->child));
    note("ended before the join: %e", sos_status(task));
    self->child = async_spawn(sleeper, CHILD(5, "victim"), .us = SOS_MS(5));
    async_spawn(joiner, CHILD(5, "joiner c"), .target = self->child);
    await(sos_sleep(task, SOS_MS(1)));
    note("result of a running task: %e", sos_result(os, self->child, &self->result));
    sos_kill(os, self->child);
    await(sos_join(task, self->child));
    note("killed: %e", sos_status(task));
    await(sos_join(task, sos_self(task)));
    note("itself: %e", sos_status(task));
    await(sos_join(task, (sos_handle){ .pid = 99, .lap = 0 }));
    note("unknown: %e", sos_status(task));
    self->child = async_spawn(sleeper, CHILD(5, "released"), .us = SOS_MS(1), .status = SOS_EIO);
    note("release: %e", sos_release(os, self->child));
    circle[0] = async_spawn(link_of_circle, CHILD(5, "circle 0"), .next = 1);
    circle[1] = async_spawn(link_of_circle, CHILD(5, "circle 1"), .next = 2);
    circle[2] = async_spawn(link_of_circle, CHILD(5, "circle 2"), .next = 0);
    async_end;
}

static void joins_of_one(void)
{
    if (!begin("join"))
        return;
    sos_fork(os, join_tester, ROOT(5, "tester"));
    finish();
}

struct join_several {
    sos_frame frame;
    struct sos_join joins[4];
    int count;
};

static void start_three(sos_task *task, struct sos_join *joins, int second_status)
{
    joins[0].task = async_spawn(sleeper, CHILD(5, "slow"), .us = SOS_MS(30), .status = 1);
    joins[1].task = async_spawn(sleeper, CHILD(5, "fast"), .us = SOS_MS(10),
                                .status = second_status);
    joins[2].task = async_spawn(sleeper, CHILD(5, "middle"), .us = SOS_MS(20), .status = 3);
    joins[3].task = joins[0].task;
}

static void note_joins(const char *what, int status, const struct sos_join *joins)
{
    note("%s: %e; %e %e %e %e", what, status, joins[0].status, joins[1].status, joins[2].status,
         joins[3].status);
}

static async_fn(join_several)
{
    async_begin(join_several);
    await(sos_join_all(task, NULL, 0));
    note("all of none: %e", sos_status(task));
    start_three(task, self->joins, 2);
    await(sos_join_all(task, self->joins, 4));
    note_joins("all", sos_status(task), self->joins);
    start_three(task, self->joins, SOS_EPIPE);
    await(sos_join_all(task, self->joins, 4));
    note_joins("first failure", sos_status(task), self->joins);
    await(sos_join_any(task, self->joins, 4));
    note("any, one gone: %e", sos_status(task));
    self->joins[1] = self->joins[2];
    for (self->count = 2; self->count > 0; self->count--) {
        await(sos_join_any(task, self->joins, (size_t)self->count));
        note("any of %d: %e", self->count, sos_status(task));
    }
    await(sos_join_any(task, NULL, 0));
    note("any of none: %e", sos_status(task));
    self->joins[0].task = async_spawn(sleeper, CHILD(5, "left"), .us = SOS_MS(10));
    await(sos_within(task, SOS_MS(1), sos_join_all(task, self->joins, 1)));
    note("all in time: %e", sos_status(task));
    await(sos_join_all(task, self->joins, 1));
    note("once more: %e", sos_status(task));
    async_end;
}

static void joins_of_several(void)
{
    if (!begin("join_all, join_any"))
        return;
    sos_fork(os, join_several, ROOT(4, "several"));
    finish();
}

#endif
