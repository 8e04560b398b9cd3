/* SPDX-License-Identifier: MIT */
/* Limits, the ends of a run, policies, and a little of the real clock. */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "conformance_sync.h"
#include "conformance_tasks.h"

/* ---- Limits */

struct pid_tester {
    sos_frame frame;
    sos_handle child, first;
    int count;
};

static async_fn(pid_tester)
{
    async_begin(pid_tester);
    for (;;) {
        self->child = async_spawn(sleeper, CHILD(0, "one of many"), .us = SOS_FOREVER);
        if (self->child.pid < 0)
            break;
        if (self->count++ == 0)
            self->first = self->child;
    }
    note("children: %d, then %e", self->count, self->child.pid);
    note("kill one: %e", sos_kill(os, self->first));
    await(sos_join(task, self->first));
    self->child = async_spawn(ender, CHILD(0, "in its place"), .status = 0);
    note("the same pid: %d", self->child.pid == self->first.pid);
    note("the old handle: %e", sos_kill(os, self->first));
    await(sos_join(task, self->child));
    sos_kill_tree(os, sos_self(task));
    async_end;
}

static uint32_t tasks_now(void)
{
    return sos_count(os).tasks;
}

static void fork_too_many(void)
{
    struct sos_start starts[] = { sos_start(ender, ROOT(3, "x"), .status = 1),
                                  sos_start(ender, ROOT(3, "y"), .status = 2),
                                  sos_start(ender, ROOT(3, "z"), .status = 3) };
    note("three where two have room: %e", sos_fork_list(os, starts, 3, NULL));
    note("tasks: %d", (int)tasks_now());
    note("two: %e", sos_fork_list(os, starts, 2, NULL));
    starts[0].size = 1u << 20;
    note("a frame of a megabyte: %e", sos_fork_list(os, starts, 1, NULL));
}

/* Calls itself until memory is used up. */
struct digger {
    sos_frame frame;
    char ballast[200];
    int depth;
};

static int deepest;

static async_fn(digger)
{
    async_begin(digger);
    deepest = self->depth;
    try_await(async_call(digger, .depth = self->depth + 1));
    async_finally;
    if (self->depth == 0)
        note("dug %s: %e", deepest > 1 ? "deep" : "nothing", sos_status(task));
    async_end;
}

struct hoarder {
    sos_frame frame;
};

static async_fn(hoarder)
{
    async_begin(hoarder);
    await(sos_sleep(task, SOS_FOREVER));
    async_end;
}

/* Uses up all memory: with tasks, and what is too little for one with kept output. */
struct starving {
    sos_frame frame;
    sos_handle child, first;
    uint16_t room, left;
};

static async_fn(starving)
{
    async_begin(starving);
    sos_terminal_show(os, true);
    self->first = async_spawn(hoarder, CHILD(0, "first"));
    for (self->room = 4096; self->room > 8; self->room = (uint16_t)(self->room / 2))
        do
            self->child = async_spawn(hoarder, sos_opt(.frame_room = self->room));
        while (self->child.pid >= 0);
    for (self->left = 1000; self->left > 0 && sos_print(os, "x") == SOS_OK;)
        self->left--;
    note("spawn: %e", self->child.pid);
    note("print: %e", sos_print(os, "x"));
    note("accounting: %e", sos_accounting(os, true));
    await(sos_within(task, SOS_MS(1), sos_sleep(task, SOS_SEC(1))));
    note("deadline: %e", sos_status(task));
    await(async_call(digger, .depth = 0));
    note("call: %e", sos_status(task));
    sos_kill(os, self->first);
    await(sos_join(task, self->first));
    note("after the end of one: %e", sos_status(task));
    self->child = async_spawn(hoarder, CHILD(0, "in its place"));
    note("spawn: %s", self->child.pid >= 0 ? "OK" : sos_error_name(self->child.pid));
    sos_kill_tree(os, sos_self(task));
    async_end;
}

static void limits(void)
{
    if (!begin("capacity"))
        return;
    sos_fork(os, pid_tester, ROOT(3, "tester"));
    finish();
    kernel = bare_kernel;
    kernel.now = virtual_now;
    kernel.wait = virtual_wait;
    kernel.look = NULL;
    if (!begin_with("all or none", (struct sos_config){ .task_capacity = 2 }))
        return;
    fork_too_many();
    finish();
    if (!begin("memory"))
        return;
    sos_fork(os, digger, ROOT(3, "digger"));
    finish();
    if (!begin_with("no memory left",
                    (struct sos_config){ .task_capacity = 100, .io_buffer_length = 1000 }))
        return;
    sos_fork(os, starving, ROOT(3, "starving"));
    note("run: %e", sos_run(os)); /* the state of the output stays in use */
    sos_destroy(os);
}

/* ---- Ends of a run */

struct stopper {
    sos_frame frame;
};

static async_fn(stopper)
{
    async_begin(stopper);
    await(sos_sleep(task, SOS_MS(2)));
    note("stop");
    sos_stop(os);
    await(sos_yield(task));
    note("never seen");
    async_finally;
    note("stopper: %e", sos_status(task));
    async_end;
}

static void run_in_single_passes(void)
{
    int passes = 0, status;
    sos_fork(os, yielder, ROOT(3, "single"), .turns = 3);
    while ((status = sos_run_once(os, 0)) > 0)
        passes++;
    note("passes: %d, then %e", passes, status);
}

static void ends_of_a_run(void)
{
    if (!begin("ends of a run"))
        return;
    note("nothing to do: %e", sos_run(os));
    sos_fork(os, sleeper,
             sos_opt(.priority = 3, .name = "watcher", .watcher = true, .detached = true),
             .us = SOS_FOREVER);
    sos_fork(os, sleeper, ROOT(3, "last task"), .us = SOS_MS(1));
    note("only watchers left: %e", sos_run(os));
    sos_fork(os, sleeper, ROOT(3, "sleeper"), .us = SOS_SEC(1));
    sos_fork(os, stopper, ROOT(3, "stopper"));
    note("stopped: %e", sos_run(os));
    run_in_single_passes();
    sos_fork(os, ender, sos_opt(.priority = 3, .name = "unjoined"), .status = SOS_EIO);
    note("a failure: %e", sos_run(os));
    sos_fork(os, listener, ROOT(3, "listener"), .mask = 1, .rounds = 1);
    sos_fork(os, taker, ROOT(3, "taker"));
    sos_semaphore_init(&semaphore, "semaphore", 0);
    note("nothing can wake them: %e", sos_run(os));
    sos_semaphore_give(&semaphore);
    note("one of them can go on: %e", sos_run(os));
    note("kept: %e", sos_terminal_show(os, true));
    note("print: %e", sos_print(os, "output 1\n"));
    note("print: %e", sos_print(os, "output 2\n"));
    note("print: %e", sos_print(os, "output 3\n"));
    note("kept: %d", (int)sos_terminal_status(os).kept);
    sos_output_clear(os);
    sos_terminal_show(os, false);
    sos_destroy(os);
}

/* ---- Policies and accounting */

struct hog {
    sos_frame frame;
    int steps;
};

static async_fn(hog)
{
    async_begin(hog);
    for (; self->steps > 0; self->steps--) {
        virtual_us += 100;
        await(sos_yield(task));
    }
    note("%s ends", sos_name(task));
    async_end;
}

static void run_with(const char *title, const struct sos_policy *policy)
{
    if (!begin_with(title, (struct sos_config){ .policy = policy, .aging_us = 1000 }))
        return;
    note("accounting: %e", sos_accounting(os, true));
    sos_handle handle = sos_fork(os, hog, sos_opt(.priority = 2, .name = "hog"), .steps = 100);
    sos_fork(os, yielder, ROOT(5, "modest"), .turns = 2);
    sos_fork(os, yielder, sos_opt(.priority = 9, .name = "due", .due_us = 5000, .detached = true),
             .turns = 2);
    sos_fork(os, yielder,
             sos_opt(.priority = 9, .name = "due soon", .due_us = 50, .detached = true),
             .turns = 2);
    note("run: %e", sos_run(os));
    struct sos_account account = { 0 };
    note("account: %e", sos_account_of(os, handle, &account));
    note("steps: %d, us: %d", (int)account.steps, (int)(account.cpu_ns / 1000));
    sos_destroy(os);
}

static void policies(void)
{
    run_with("strict", NULL);
    run_with("aging", &sos_policy_aging);
    run_with("edf", &sos_policy_edf);
}

/* ---- The real clock: nothing here depends on how much later than asked something comes */

struct real {
    sos_frame frame;
    uint64_t start;
    sos_handle child;
    int round;
};

static async_fn(real)
{
    async_begin(real);
    for (; self->round < 3; self->round++) {
        self->start = sos_now(os);
        await(sos_sleep(task, SOS_MS(2)));
        note("slept long enough: %d", sos_now(os) - self->start >= 2000);
    }
    await(
        sos_within(task, SOS_SEC(3600), sos_within(task, SOS_MS(1), sos_sleep(task, SOS_SEC(60)))));
    note("deadline: %e", sos_status(task));
    self->child = async_spawn(listener,
                              sos_opt(.priority = 2, .name = "interrupted", .external = true),
                              .mask = 1, .rounds = 1);
    await(sos_sleep(task, SOS_MS(1)));
    interrupt(self->child, 0, 1);
    await(sos_join(task, self->child));
    await(sos_wait_readable(task, 0));
    note("no descriptors here: %e", sos_status(task));
    self->child = async_spawn(yielder, CHILD(3, "background"), .turns = 2);
    await(sos_join(task, self->child));
    note("real time ends");
    async_end;
}

static void real_time(void)
{
    kernel = bare_kernel;
    if (!begin_with("real time", (struct sos_config){ 0 }))
        return;
    machine_on_interrupt(post_from_interrupt);
    sos_fork(os, real, ROOT(3, "real"));
    finish();
    machine_on_interrupt(NULL);
}

#endif
