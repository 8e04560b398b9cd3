/* SPDX-License-Identifier: MIT */
/* Events: all who wait go on together; set stays set. */
#include "settle.h"

static struct sos_event event;

static void open_event(void)
{
    world_open(NULL);
    sos_event_init(&event, "e");
}

struct waiter {
    sos_frame frame;
    int64_t within;
    int rounds;
};

async_fn(waiter)
{
    async_begin(waiter);
    for (; self->rounds >= 0; self->rounds--) {
        if (self->within != 0)
            await(sos_within(task, self->within, sos_event_wait(task, &event)));
        else
            await(sos_event_wait(task, &event));
        note("%s: %s", sos_name(task), status_text(sos_status(task)));
    }
    async_end;
}

static sos_handle wait_as(const char *name, int level)
{
    return sos_fork(world.os, waiter, sos_opt(.priority = level, .name = name));
}

static void all_go_on_together_by_urgency_then_age(void)
{
    open_event();
    wait_as("c1", 3);
    wait_as("c2", 3);
    wait_as("c3", 3);
    settle();
    wait_as("a", 1);
    settle();
    sos_event_set(&event);
    world_run(SOS_OK, "0 a: OK\n0 c1: OK\n0 c2: OK\n0 c3: OK\n");
    world_close();
}

/* Before those that were runnable already. */
static void they_go_to_the_front(void)
{
    open_event();
    wait_as("w1", 2);
    wait_as("w2", 2);
    settle();
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "y"), .rounds = 1);
    sos_event_set(&event);
    world_run(SOS_OK, "0 w1: OK\n0 w2: OK\n0 y 0\n");
    world_close();
}

static void set_stays_set_until_it_is_cleared(void)
{
    open_event();
    sos_event_set(&event);
    sos_event_set(&event);
    wait_as("x", 1);
    settle();
    world_trace("0 x: OK\n");
    sos_event_clear(&event);
    wait_as("y", 1);
    settle();
    world_trace("");
    sos_event_set(&event);
    sos_event_clear(&event); /* who waited goes on all the same */
    world_run(SOS_OK, "0 y: OK\n");
    world_close();
}

static void a_waiter_gives_up(void)
{
    open_event();
    sos_fork(world.os, waiter, sos_opt(.priority = 1, .name = "w"), .within = 3, .rounds = 1);
    world_run(SOS_OK, "3 w: ETIMEDOUT\n6 w: ETIMEDOUT\n");
    world_close();
}

static void waiters_can_be_killed_and_woken(void)
{
    open_event();
    sos_handle victim = wait_as("victim", 1);
    sos_handle woken = wait_as("woken", 1);
    wait_as("last", 1);
    settle();
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    CHECK_INT(sos_wake(world.os, woken), SOS_OK);
    settle();
    sos_event_set(&event);
    world_run(SOS_OK, "0 woken: EINTR\n0 last: OK\n");
    world_close();
}

/* Killed after the event had come: there is nothing to give back, the event is still set. */
static void a_waiter_killed_after_the_event(void)
{
    open_event();
    sos_handle victim = wait_as("victim", 1);
    wait_as("other", 1);
    settle();
    sos_event_set(&event);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    world_run(SOS_OK, "0 other: OK\n");
    world_close();
}

static void who_waits_for_ever_is_named(void)
{
    open_event();
    wait_as("w", 1);
    world_run(SOS_ESTUCK, "0 ! stuck: w on event e\n");
    world_close();
}

int main(void)
{
    all_go_on_together_by_urgency_then_age();
    they_go_to_the_front();
    set_stays_set_until_it_is_cleared();
    a_waiter_gives_up();
    waiters_can_be_killed_and_woken();
    a_waiter_killed_after_the_event();
    who_waits_for_ever_is_named();
    return 0;
}
