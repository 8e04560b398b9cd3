/* SPDX-License-Identifier: MIT */
/* The rules of "Tasks" in the reference: adding, order, sleeping, the end of a run. */
#include "world.h"

static struct sos_task_info look_at(sos_handle task)
{
    struct sos_task_info info;
    CHECK_INT(sos_inspect(world.os, task, &info), SOS_OK);
    return info;
}

/* ---- Order */

static void lower_priorities_run_first_fifo_within_one(void)
{
    world_open(NULL);
    sos_fork(world.os, yielder, sos_opt(.priority = 3, .name = "c"), .rounds = 1);
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "a"), .rounds = 2);
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "b"), .rounds = 2);
    sos_fork(world.os, yielder, sos_opt(.priority = 9, .name = "d"), .rounds = 1);
    sos_fork(world.os, yielder, sos_opt(.priority = 1, .name = "first"), .rounds = 1);
    world_run(SOS_OK, "0 first 0\n0 a 0\n0 b 0\n0 a 1\n0 b 1\n0 c 0\n0 d 0\n");
    world_close();
}

static void every_level_has_a_queue(void)
{
    world_open(&(struct sos_config){ .priority_levels = 256 });
    static const int levels[] = { 255, 64, 31, 33, 32, 63, 1, 254 };
    static const char *const names[] = { "255", "64", "31", "33", "32", "63", "1", "254" };
    for (int i = 0; i < 8; i++)
        sos_fork(world.os, yielder, sos_opt(.priority = levels[i], .name = names[i]), .rounds = 1);
    world_run(SOS_OK, "0 1 0\n0 31 0\n0 32 0\n0 33 0\n0 63 0\n0 64 0\n0 254 0\n0 255 0\n");
    world_close();
}

struct spawner {
    sos_frame frame;
    sos_handle child;
};

async_fn(spawner)
{
    async_begin(spawner);
    note("before");
    self->child = async_spawn(yielder, sos_opt(.priority = 1, .name = "urgent"), .rounds = 1);
    async_spawn(yielder, sos_opt(.name = "equal"), .rounds = 1);
    note("after, equal runs at %d", 3);
    await(sos_yield(task));
    note("parent again");
    async_end;
}

static void a_spawn_runs_nothing_until_it_is_picked(void)
{
    world_open(NULL);
    sos_fork(world.os, spawner, sos_opt(.priority = 3));
    sos_fork(world.os, yielder, sos_opt(.priority = 3, .name = "old"), .rounds = 1);
    world_run(SOS_OK, "0 before\n0 after, equal runs at 3\n0 urgent 0\n0 old 0\n0 equal 0\n"
                      "0 parent again\n");
    world_close();
}

/* new, yield, sleep: to the back; a signal: to the front */
struct back_and_front {
    sos_frame frame;
    sos_handle listener;
};

async_fn(back_and_front)
{
    async_begin(back_and_front);
    await(sos_sleep(task, 10));
    note("slept");
    sos_signal(sos_of(task), self->listener, 4);
    async_spawn(ender, sos_opt(.name = "new"));
    note("signalled");
    await(sos_yield(task));
    note("yielded");
    async_end;
}

static void signals_go_to_the_front_the_rest_to_the_back(void)
{
    world_open(NULL);
    sos_handle l = sos_fork(world.os, listener, sos_opt(.priority = 2, .name = "l"),
                            .mask = 1u << 4, .rounds = 1);
    sos_fork(world.os, back_and_front, sos_opt(.priority = 2), .listener = l);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 10);
    world_run(SOS_OK, "0 s begins\n10 slept\n10 signalled\n10 l got 4\n10 s ends\n10 new\n"
                      "10 yielded\n");
    world_close();
}

/* ---- Sleeping */

static void sleepers_wake_by_due_time_then_by_arming(void)
{
    static const struct {
        const char *name;
        int us;
    } list[] = { { "a", 30 }, { "b", 10 }, { "c", 30 }, { "d", 10 }, { "e", 20 } };
    world_open(NULL);
    for (int i = 0; i < 5; i++)
        sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = list[i].name), .us = list[i].us);
    world_run(SOS_OK, "0 a begins\n0 b begins\n0 c begins\n0 d begins\n0 e begins\n"
                      "10 b ends\n10 d ends\n20 e ends\n30 a ends\n30 c ends\n");
    world_close();
}

struct busy {
    sos_frame frame;
    uint64_t us;
};

async_fn(busy)
{
    async_begin(busy);
    sos_sim_spend(world.kernel, self->us);
    note("%s was busy", sos_name(task));
    async_end;
}

/* All are due when the clock is looked at again: the order is still that of their moments. */
static void sleepers_due_in_one_pass_wake_by_due_time(void)
{
    world_open(NULL);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "late"), .us = 30);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "early"), .us = 10);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "late too"), .us = 30);
    sos_fork(world.os, busy, sos_opt(.priority = 2, .name = "hog"), .us = 100);
    world_run(SOS_OK, "0 late begins\n0 early begins\n0 late too begins\n100 hog was busy\n"
                      "100 early ends\n100 late ends\n100 late too ends\n");
    world_close();
}

struct odd_sleeps {
    sos_frame frame;
};

async_fn(odd_sleeps)
{
    async_begin(odd_sleeps);
    await(sos_sleep(task, -1));
    note("negative: %s", status_text(sos_status(task)));
    await(sos_sleep(task, INT64_MIN));
    note("very negative: %s", status_text(sos_status(task)));
    await(sos_sleep(task, 0));
    note("zero: %s", status_text(sos_status(task)));
    async_end;
}

static void negative_sleeps_fail_and_zero_gives_way(void)
{
    world_open(NULL);
    sos_fork(world.os, odd_sleeps, sos_opt(.priority = 2));
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "other"), .rounds = 1);
    world_run(SOS_OK, "0 negative: EINVAL\n0 very negative: EINVAL\n0 other 0\n0 zero: OK\n");
    world_close();
}

/* ---- wake */

struct woken {
    sos_frame frame;
    struct sos_event *event;
};

async_fn(woken)
{
    async_begin(woken);
    await(sos_sleep(task, SOS_FOREVER));
    note("sleep: %s", status_text(sos_status(task)));
    await(sos_wait_signal(task, 1));
    note("signal: %s", status_text(sos_status(task)));
    await(sos_event_wait(task, self->event));
    note("event: %s", status_text(sos_status(task)));
    await(sos_join(task, async_spawn(sleeper, sos_opt(.name = "child"), .us = 5)));
    note("join: %s", status_text(sos_status(task)));
    async_end;
}

struct waker {
    sos_frame frame;
    sos_handle target;
};

async_fn(waker)
{
    async_begin(waker);
    for (;;) {
        await(sos_sleep(task, 1));
        if (sos_wake(sos_of(task), self->target) == SOS_ESTALE)
            break;
    }
    note("nobody to wake");
    note("itself: %s", status_text(sos_wake(sos_of(task), sos_self(task))));
    async_end;
}

static void wake_ends_any_wait(void)
{
    struct sos_event event;
    sos_event_init(&event, "never");
    world_open(NULL);
    sos_handle target = sos_fork(world.os, woken, sos_opt(.priority = 2), .event = &event);
    CHECK_INT(sos_wake(world.os, target), SOS_EAGAIN);
    sos_release(world.os, target);
    sos_fork(world.os, waker, sos_opt(.priority = 3), .target = target);
    world_run(SOS_OK, "1 sleep: EINTR\n2 signal: EINTR\n3 event: EINTR\n3 child begins\n"
                      "4 join: EINTR\n5 nobody to wake\n5 itself: EAGAIN\n8 child ends\n");
    world_close();
}

/* ---- Several woken by one event */

struct event_setter {
    sos_frame frame;
    struct sos_event *event;
};

async_fn(event_setter)
{
    async_begin(event_setter);
    await(sos_sleep(task, 1));
    sos_event_set(self->event);
    note("set");
    async_end;
}

struct event_waiter {
    sos_frame frame;
    struct sos_event *event;
};

async_fn(event_waiter)
{
    async_begin(event_waiter);
    await(sos_event_wait(task, self->event));
    note("%s", sos_name(task));
    async_end;
}

static void woken_by_one_event_they_run_in_waiting_order(void)
{
    struct sos_event event;
    sos_event_init(&event, "go");
    world_open(NULL);
    static const char *const names[] = { "a", "b", "c" };
    for (int i = 0; i < 3; i++)
        sos_fork(world.os, event_waiter, sos_opt(.priority = 2, .name = names[i]), .event = &event);
    sos_fork(world.os, event_waiter, sos_opt(.priority = 1, .name = "urgent"), .event = &event);
    sos_fork(world.os, event_setter, sos_opt(.priority = 2), .event = &event);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 1);
    world_run(SOS_OK, "0 s begins\n1 set\n1 urgent\n1 a\n1 b\n1 c\n1 s ends\n");
    world_close();
}

/* ---- Pids */

static sos_handle fork_ender(const char *name)
{
    return sos_fork(world.os, ender, sos_opt(.priority = 2, .name = name, .detached = true));
}

static void pids_rise_wrap_and_wait_for_their_turn(void)
{
    world_open(&(struct sos_config){ .task_capacity = 4 });
    CHECK_INT(fork_ender("0").pid, 0);
    CHECK_INT(fork_ender("1").pid, 1);
    world_run(SOS_OK, "0 0\n0 1\n");
    sos_handle kept = fork_ender("2");
    CHECK_INT(kept.pid, 2); /* not 0, though that is free */
    CHECK_INT(fork_ender("3").pid, 3);
    CHECK_INT(fork_ender("0").pid, 0);
    CHECK_INT(fork_ender("1").pid, 1);
    sos_handle none = fork_ender("none");
    CHECK_INT(none.pid, SOS_ECAPACITY);
    CHECK_INT(sos_count(world.os).tasks, 4);
    world_run(SOS_OK, "0 2\n0 3\n0 0\n0 1\n");
    CHECK_INT(fork_ender("2").pid, 2); /* the failure has not used up a turn */
    CHECK(sos_find(world.os, 2).lap != kept.lap);
    CHECK_INT(sos_kill(world.os, kept), SOS_ESTALE);
    world_run(SOS_OK, "0 2\n");
    world_close();
}

static void an_ended_task_keeps_its_pid_until_it_is_released(void)
{
    world_open(&(struct sos_config){ .task_capacity = 2 });
    sos_handle a = sos_fork(world.os, ender, sos_opt(.priority = 2, .name = "a"), .status = 7);
    world_run(SOS_OK, "0 a\n");
    int result = 0;
    CHECK_INT(sos_result(world.os, a, &result), SOS_OK);
    CHECK_INT(result, 7);
    CHECK_INT(sos_kill(world.os, a), SOS_ESTALE);
    CHECK_INT(fork_ender("b").pid, 1);
    CHECK_INT(fork_ender("c").pid, SOS_ECAPACITY);
    CHECK_INT(sos_release(world.os, a), SOS_OK);
    CHECK_INT(sos_release(world.os, a), SOS_ESTALE);
    CHECK_INT(fork_ender("c").pid, 0);
    world_run(SOS_OK, "0 b\n0 c\n");
    world_close();
}

static void a_list_is_forked_whole_or_not_at_all(void)
{
    world_open(&(struct sos_config){ .task_capacity = 3 });
    struct sos_start list[] = {
        sos_start(ender, sos_opt(.priority = 2, .name = "a"), .status = 1),
        sos_start(ender, sos_opt(.priority = 1, .name = "b")),
        sos_start(ender, sos_opt(.priority = 2, .name = "c")),
        sos_start(ender, sos_opt(.priority = 2, .name = "d")),
    };
    sos_handle handles[4];
    CHECK_INT(sos_fork_list(world.os, list, 4, handles), SOS_ECAPACITY);
    CHECK_INT(sos_count(world.os).tasks, 0);
    list[2].options.priority = 10;
    CHECK_INT(sos_fork_list(world.os, list, 3, handles), SOS_EINVAL);
    list[2].options.priority = 0;
    CHECK_INT(sos_fork_list(world.os, list, 3, handles), SOS_EINVAL);
    CHECK_INT(sos_count(world.os).tasks, 0);
    CHECK_INT(sos_next_task(world.os, -1).pid < 0, 1);
    world_run(SOS_OK, "");
    list[2].options.priority = 2;
    CHECK_INT(sos_fork_list(world.os, list, 3, handles), SOS_OK);
    for (int i = 0; i < 3; i++)
        CHECK_INT(handles[i].pid, i);
    CHECK_INT(sos_fork_list(world.os, NULL, 0, NULL), SOS_OK);
    world_run(SOS_OK, "0 b\n0 a\n0 c\n");
    world_close();
}

/* ---- Priorities */

struct priority_probe {
    sos_frame frame;
    sos_handle child;
};

async_fn(priority_probe)
{
    async_begin(priority_probe);
    self->child = async_spawn(ender, sos_opt(.name = "like me"));
    CHECK_INT(look_at(self->child).priority, 4);
    CHECK_INT(look_at(self->child).parent, sos_self(task).pid);
    self->child = async_spawn(ender, sos_opt(.priority = 9, .name = "nine"));
    CHECK_INT(look_at(self->child).priority, 9);
    CHECK_INT(async_spawn(ender, sos_opt(.priority = 10)).pid, SOS_EINVAL);
    async_end;
}

static void a_spawn_takes_the_parents_priority_a_fork_needs_its_own(void)
{
    world_open(NULL);
    CHECK_INT(sos_fork(world.os, ender, sos_opt()).pid, SOS_EINVAL);
    CHECK_INT(sos_fork(world.os, ender, sos_opt(.priority = 10)).pid, SOS_EINVAL);
    CHECK_INT(sos_fork(world.os, priority_probe, sos_opt(.priority = 4)).pid, 0);
    world_run(SOS_OK, "0 like me\n0 nine\n");
    world_close();
}

struct promoter {
    sos_frame frame;
    sos_handle targets[2];
};

async_fn(promoter)
{
    async_begin(promoter);
    note("promotes");
    sos_set_priority(sos_of(task), self->targets[1], 3);
    sos_set_priority(sos_of(task), self->targets[0], 1);
    sos_set_priority(sos_of(task), sos_self(task), 5);
    CHECK_INT(sos_set_priority(sos_of(task), sos_self(task), 0), SOS_EINVAL);
    CHECK_INT(sos_set_priority(sos_of(task), sos_self(task), 10), SOS_EINVAL);
    await(sos_yield(task));
    note("promoter is last");
    async_end;
}

static void priorities_change_also_of_queued_tasks(void)
{
    world_open(NULL);
    sos_handle a = sos_fork(world.os, ender, sos_opt(.priority = 4, .name = "a"));
    sos_handle b = sos_fork(world.os, ender, sos_opt(.priority = 4, .name = "b"));
    sos_fork(world.os, ender, sos_opt(.priority = 3, .name = "c"));
    sos_fork(world.os, promoter, sos_opt(.priority = 2), .targets = { a, b });
    world_run(SOS_OK, "0 promotes\n0 a\n0 c\n0 b\n0 promoter is last\n");
    CHECK_INT(sos_set_priority(world.os, a, 3), SOS_ESTALE);
    world_close();
}

/* ---- Families */

struct family {
    sos_frame frame;
    sos_handle orphan, quick;
};

async_fn(family)
{
    async_begin(family);
    self->quick = async_spawn(ender, sos_opt(.name = "quick", .detached = true));
    self->orphan = async_spawn(sleeper, sos_opt(.name = "orphan"), .us = 10);
    await(sos_yield(task));
    note("children left: %u", (unsigned)look_at(sos_self(task)).children);
    async_end;
}

struct orphan_watcher {
    sos_frame frame;
    sos_handle orphan;
};

async_fn(orphan_watcher)
{
    async_begin(orphan_watcher);
    await(sos_sleep(task, 5));
    self->orphan = (sos_handle){ 3, 0 };
    note("%s has parent %d", look_at(self->orphan).name, (int)look_at(self->orphan).parent);
    async_end;
}

static void children_of_an_ended_task_live_on_without_parent(void)
{
    world_open(NULL);
    sos_fork(world.os, family, sos_opt(.priority = 2, .name = "parent"));
    sos_fork(world.os, orphan_watcher, sos_opt(.priority = 3));
    world_run(SOS_OK, "0 quick\n0 orphan begins\n0 children left: 1\n5 orphan has parent -1\n"
                      "10 orphan ends\n");
    CHECK_INT(sos_find(world.os, 3).pid, SOS_ESTALE); /* its record went with it */
    world_close();
}

/* ---- Watchers and the end of a run */

struct careful {
    sos_frame frame;
};

async_fn(careful)
{
    async_begin(careful);
    await(sos_sleep(task, SOS_SEC(100)));
    async_finally;
    note("%s cleans up: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

static void watchers_do_not_keep_a_run_going(void)
{
    world_open(NULL);
    sos_fork(world.os, careful, sos_opt(.priority = 1, .name = "w", .watcher = true));
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 10);
    CHECK_INT(sos_count(world.os).watchers, 1);
    CHECK_INT(sos_count(world.os).tasks, 2);
    world_run(SOS_OK, "0 s begins\n10 s ends\n10 w cleans up: ECANCELED\n");
    CHECK_INT(sos_count(world.os).tasks, 0);
    world_close();
}

static void eternal_watchers_do(void)
{
    world_open(&(struct sos_config){ .eternal_watchers = true });
    sos_fork(world.os, sleeper, sos_opt(.priority = 1, .name = "w", .watcher = true), .us = 10);
    world_run(SOS_OK, "0 w begins\n10 w ends\n");
    world_close();
}

static void a_runtime_runs_again(void)
{
    world_open(NULL);
    world_run(SOS_OK, "");
    for (int i = 0; i < 3; i++) {
        sos_fork(world.os, sleeper, sos_opt(.priority = 1, .name = "s"), .us = 10);
        CHECK_INT(sos_run(world.os), SOS_OK);
    }
    world_trace("0 s begins\n10 s ends\n10 s begins\n20 s ends\n20 s begins\n30 s ends\n");
    world_close();
}

static void stuck_tasks_are_named(void)
{
    struct sos_event event;
    sos_event_init(&event, "never");
    world_open(NULL);
    sos_fork(world.os, listener, sos_opt(.priority = 2, .name = "l"), .mask = 2, .rounds = 1);
    sos_handle e = sos_fork(world.os, event_waiter, sos_opt(.priority = 2, .name = "e"),
                            .event = &event);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 10);
    world_run(SOS_ESTUCK, "0 s begins\n10 s ends\n10 ! stuck: l on signal\n"
                          "10 ! stuck: e on event never\n");
    /* They are still there, and can be helped. */
    CHECK_INT(sos_signal(world.os, sos_find(world.os, 0), 1), SOS_OK);
    world_run(SOS_ESTUCK, "10 l got 1\n10 ! stuck: e on event never\n");
    sos_event_set(&event);
    world_run(SOS_OK, "10 e\n");
    CHECK_INT(sos_release(world.os, e), SOS_OK);
    world_close();
}

static void a_sleep_for_ever_is_stuck_too(void)
{
    world_open(NULL);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = SOS_FOREVER);
    world_run(SOS_ESTUCK, "0 s begins\n0 ! stuck: s on sleep\n");
    world_close();
}

struct stopper {
    sos_frame frame;
};

async_fn(stopper)
{
    async_begin(stopper);
    await(sos_sleep(task, 7));
    sos_stop(sos_of(task));
    note("stop asked for");
    await(sos_yield(task));
    note("not reached");
    async_finally;
    note("stopper cleans up: %s", status_text(sos_status(task)));
    async_end;
}

static void stop_kills_everything_with_its_cleanup(void)
{
    world_open(NULL);
    sos_fork(world.os, careful, sos_opt(.priority = 1, .name = "w", .watcher = true));
    sos_fork(world.os, stopper, sos_opt(.priority = 2));
    sos_fork(world.os, careful, sos_opt(.priority = 3, .name = "c"));
    world_run(SOS_ECANCELED, "7 stop asked for\n7 w cleans up: ECANCELED\n"
                             "7 stopper cleans up: ECANCELED\n7 c cleans up: ECANCELED\n");
    sos_fork(world.os, ender, sos_opt(.priority = 3, .name = "again"));
    world_run(SOS_OK, "7 again\n");
    world_close();
}

/* ---- run_once */

static void run_once_runs_one_step(void)
{
    world_open(NULL);
    CHECK_INT(sos_run_once(world.os, 0), SOS_ESTALE);
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "y"), .rounds = 1);
    sos_fork(world.os, sleeper, sos_opt(.priority = 3, .name = "s"), .us = 10);
    CHECK_INT(sos_next_due(world.os), 0);
    CHECK_INT(sos_run_once(world.os, 0), 1);
    world_trace("0 y 0\n");
    CHECK_INT(sos_run_once(world.os, 0), 1); /* y ends */
    CHECK_INT(sos_run_once(world.os, 0), 0);
    world_trace("0 s begins\n");
    CHECK_INT(sos_next_due(world.os), 10);
    CHECK_INT(sos_run_once(world.os, 0), 0);
    CHECK_INT(sos_run_once(world.os, 4), 0);
    CHECK_INT(sos_now(world.os), 4);
    CHECK_INT(sos_run_once(world.os, SOS_FOREVER), SOS_ESTALE);
    world_trace("10 s ends\n");
    world_close();
}

struct reenter {
    sos_frame frame;
};

async_fn(reenter)
{
    async_begin(reenter);
    CHECK_INT(sos_run(sos_of(task)), SOS_EBUSY);
    CHECK_INT(sos_run_once(sos_of(task), 0), SOS_EBUSY);
    async_end;
}

static void a_running_runtime_is_busy(void)
{
    world_open(NULL);
    sos_fork(world.os, reenter, sos_opt(.priority = 2));
    world_run(SOS_OK, "");
    world_close();
}

int main(void)
{
    lower_priorities_run_first_fifo_within_one();
    every_level_has_a_queue();
    a_spawn_runs_nothing_until_it_is_picked();
    signals_go_to_the_front_the_rest_to_the_back();
    sleepers_wake_by_due_time_then_by_arming();
    sleepers_due_in_one_pass_wake_by_due_time();
    negative_sleeps_fail_and_zero_gives_way();
    wake_ends_any_wait();
    woken_by_one_event_they_run_in_waiting_order();
    pids_rise_wrap_and_wait_for_their_turn();
    an_ended_task_keeps_its_pid_until_it_is_released();
    a_list_is_forked_whole_or_not_at_all();
    a_spawn_takes_the_parents_priority_a_fork_needs_its_own();
    priorities_change_also_of_queued_tasks();
    children_of_an_ended_task_live_on_without_parent();
    watchers_do_not_keep_a_run_going();
    eternal_watchers_do();
    a_runtime_runs_again();
    stuck_tasks_are_named();
    a_sleep_for_ever_is_stuck_too();
    stop_kills_everything_with_its_cleanup();
    run_once_runs_one_step();
    a_running_runtime_is_busy();
    return 0;
}
