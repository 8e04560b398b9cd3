/* SPDX-License-Identifier: MIT */
/* The rules of "Signals" in the reference: latching, consuming, handlers, posting. */
#include "world.h"

/* ---- Latching */

struct late_listener {
    sos_frame frame;
};

async_fn(late_listener)
{
    async_begin(late_listener);
    await(sos_sleep(task, 10));
    note("waits");
    await(sos_wait_signal(task, 5));
    note("got %s", status_text(sos_status(task)));
    await(sos_within(task, 10, sos_wait_signal(task, 5)));
    note("then %s", status_text(sos_status(task)));
    async_end;
}

static void a_signal_before_the_wait_is_not_lost_and_comes_once(void)
{
    world_open(NULL);
    sos_handle l = sos_fork(world.os, late_listener, sos_opt(.priority = 2));
    CHECK_INT(sos_signal(world.os, l, 5), SOS_OK);
    CHECK_INT(sos_signal(world.os, l, 5), SOS_OK);
    struct sos_task_info info;
    sos_inspect(world.os, l, &info);
    CHECK_INT(info.signals, 1u << 5);
    world_run(SOS_OK, "10 waits\n10 got 5\n20 then ETIMEDOUT\n");
    world_close();
}

struct chooser {
    sos_frame frame;
};

async_fn(chooser)
{
    async_begin(chooser);
    await(sos_sleep(task, 1));
    await(sos_wait_signals(task, 1u << 31 | 1u << 3 | 1u << 7));
    note("lowest %s", status_text(sos_status(task)));
    await(sos_wait_signals(task, 1u << 31 | 1u << 7));
    note("next %s", status_text(sos_status(task)));
    await(sos_wait_signals(task, 1u << 31));
    note("last %s", status_text(sos_status(task)));
    note("zero is latched: %d", sos_check_signal(task, 0));
    note("only once: %d", sos_check_signal(task, 0));
    note("never: %d", sos_check_signal(task, 1));
    note("none such: %s", status_text(sos_check_signal(task, 32)));
    await(sos_wait_signals(task, 0));
    note("empty mask: %s", status_text(sos_status(task)));
    await(sos_wait_signal(task, 32));
    note("32: %s", status_text(sos_status(task)));
    await(sos_wait_signal(task, -1));
    note("-1: %s", status_text(sos_status(task)));
    async_end;
}

static void a_wait_for_several_takes_the_lowest(void)
{
    world_open(NULL);
    sos_handle c = sos_fork(world.os, chooser, sos_opt(.priority = 2));
    static const int sent[] = { 31, 7, 3, 0 };
    for (int i = 0; i < 4; i++)
        sos_signal(world.os, c, sent[i]);
    world_run(SOS_OK, "1 lowest 3\n1 next 7\n1 last 31\n1 zero is latched: 1\n1 only once: 0\n"
                      "1 never: 0\n1 none such: EINVAL\n1 empty mask: EINVAL\n1 32: EINVAL\n"
                      "1 -1: EINVAL\n");
    world_close();
}

static void other_signals_stay_latched_during_a_wait(void)
{
    world_open(NULL);
    sos_handle l = sos_fork(world.os, listener, sos_opt(.priority = 2, .name = "l"),
                            .mask = 1u << 2, .rounds = 1);
    CHECK_INT(sos_run(world.os), SOS_ESTUCK);
    world_trace("0 ! stuck: l on signal\n");
    sos_signal(world.os, l, 1);
    struct sos_task_info info;
    sos_inspect(world.os, l, &info);
    CHECK_INT(info.signals, 1u << 1);
    CHECK_INT(info.wait, SOS_WAIT_SIGNAL);
    sos_signal(world.os, l, 2);
    sos_signal(world.os, l, 2); /* it has not run yet: this one is latched */
    sos_inspect(world.os, l, &info);
    CHECK_INT(info.signals, 1u << 1 | 1u << 2);
    CHECK_INT(info.wait, SOS_RUNNABLE);
    world_run(SOS_OK, "0 l got 2\n");
    world_close();
}

/* ---- Errors of the sender */

static void errors_have_no_other_effect(void)
{
    world_open(NULL);
    sos_handle e = sos_fork(world.os, ender, sos_opt(.priority = 2, .name = "e"));
    CHECK_INT(sos_signal(world.os, e, 32), SOS_EINVAL);
    CHECK_INT(sos_signal(world.os, e, -1), SOS_EINVAL);
    CHECK_INT(sos_post(world.os, e, 32), SOS_EINVAL);
    CHECK_INT(sos_signal(world.os, (sos_handle){ 7, 0 }, 3), SOS_ESTALE);
    CHECK_INT(sos_signal(world.os, (sos_handle){ -1, 0 }, 3), SOS_ESTALE);
    CHECK_INT(sos_signal(world.os, (sos_handle){ 5000, 0 }, 3), SOS_ESTALE);
    CHECK_INT(sos_signal(world.os, (sos_handle){ e.pid, e.lap + 1 }, 3), SOS_ESTALE);
    struct sos_task_info info;
    sos_inspect(world.os, e, &info);
    CHECK_INT(info.signals, 0);
    world_run(SOS_OK, "0 e\n");
    CHECK_INT(sos_signal(world.os, e, 3), SOS_ESTALE);
    world_close();
}

/* ---- Handlers */

static void on_signal(sos_task *task, int signal, void *context)
{
    note("handler of %s: %d, %s", sos_name(task), signal, (const char *)context);
}

static void a_handler_hears_every_arrival(void)
{
    world_open(NULL);
    sos_handle l = sos_fork(world.os, listener,
                            sos_opt(.priority = 2, .name = "l", .on_signal = on_signal,
                                    .context = (void *)(uintptr_t) "its context"),
                            .mask = 1u << 6, .rounds = 1);
    sos_signal(world.os, l, 1);
    sos_signal(world.os, l, 1);
    sos_signal(world.os, l, 6);
    world_run(SOS_OK, "0 handler of l: 1, its context\n0 handler of l: 1, its context\n"
                      "0 handler of l: 6, its context\n0 l got 6\n");
    world_close();
}

static void consume(sos_task *task, int signal, void *context)
{
    (void)context;
    note("latched already: %d", sos_check_signal(task, signal));
    if (signal == 1)
        sos_signal(sos_of(task), sos_self(task), 2);
}

/* The handler comes before the latch; it may send on, to the same task too. */
static void a_handler_may_send(void)
{
    world_open(NULL);
    sos_handle l = sos_fork(world.os, listener,
                            sos_opt(.priority = 2, .name = "l", .on_signal = consume),
                            .mask = 1u << 1 | 1u << 2, .rounds = 2);
    sos_signal(world.os, l, 1);
    world_run(SOS_OK, "0 latched already: 0\n0 latched already: 0\n0 l got 1\n0 l got 2\n");
    world_close();
}

/* ---- Posts */

static sos_handle post_target;

static void post_two(void *context)
{
    (void)context;
    CHECK_INT(sos_post(world.os, post_target, 9), SOS_OK);
    CHECK_INT(sos_post(world.os, post_target, 8), SOS_OK);
}

static void posts_arrive_in_the_next_pass(void)
{
    world_open(NULL);
    post_target = sos_fork(world.os, listener,
                           sos_opt(.priority = 2, .name = "l", .external = true),
                           .mask = 1u << 8 | 1u << 9, .rounds = 2);
    sos_sim_call(world.kernel, 30, post_two, NULL);
    sos_sim_call(world.kernel, 50, post_two, NULL);
    world_run(SOS_OK, "30 l got 9\n30 l got 8\n");
    world_close();
}

static void posts_are_bounded_and_the_dead_ignored(void)
{
    world_open(&(struct sos_config){ .post_capacity = 4 });
    sos_handle e = sos_fork(world.os, ender, sos_opt(.priority = 2, .name = "e"));
    for (int i = 0; i < 4; i++)
        CHECK_INT(sos_post(world.os, (sos_handle){ 3, 0 }, i), SOS_OK);
    CHECK_INT(sos_post(world.os, e, 1), SOS_EAGAIN);
    world_run(SOS_OK, "0 e\n");
    CHECK_INT(sos_post(world.os, e, 1), SOS_OK);
    world_run(SOS_OK, "");
    world_close();
}

/* ---- A result that has not been seen yet is given back */

struct impatient {
    sos_frame frame;
};

async_fn(impatient)
{
    async_begin(impatient);
    await(sos_within(task, 10, sos_wait_signal(task, 3)));
    note("first: %s", status_text(sos_status(task)));
    note("latched: %d", sos_check_signal(task, 3));
    async_end;
}

struct signal_and_hog {
    sos_frame frame;
    sos_handle target;
    uint64_t us;
};

async_fn(signal_and_hog)
{
    async_begin(signal_and_hog);
    await(sos_sleep(task, 5));
    sos_signal(sos_of(task), self->target, 3);
    sos_sim_spend(world.kernel, self->us);
    await(sos_yield(task));
    note("hog is done");
    async_end;
}

static void a_signal_granted_too_late_is_latched_again(void)
{
    world_open(NULL);
    sos_handle i = sos_fork(world.os, impatient, sos_opt(.priority = 3));
    sos_fork(world.os, signal_and_hog, sos_opt(.priority = 2), .target = i, .us = 20);
    world_run(SOS_OK, "25 hog is done\n25 first: ETIMEDOUT\n25 latched: 1\n");
    world_close();
}

int main(void)
{
    a_signal_before_the_wait_is_not_lost_and_comes_once();
    a_wait_for_several_takes_the_lowest();
    other_signals_stay_latched_during_a_wait();
    errors_have_no_other_effect();
    a_handler_hears_every_arrival();
    a_handler_may_send();
    posts_arrive_in_the_next_pass();
    posts_are_bounded_and_the_dead_ignored();
    a_signal_granted_too_late_is_latched_again();
    return 0;
}
