/* SPDX-License-Identifier: MIT */
/* Counting semaphore: permits, order, and none lost. */
#include "settle.h"

static struct sos_semaphore semaphore;

static void open_semaphore(uint32_t permits)
{
    world_open(NULL);
    sos_semaphore_init(&semaphore, "s", permits);
}

struct taker {
    sos_frame frame;
    int64_t within, keeps;
    bool gives;
};

async_fn(taker)
{
    async_begin(taker);
    if (self->within != 0)
        await(sos_within(task, self->within, sos_semaphore_take(task, &semaphore)));
    else
        await(sos_semaphore_take(task, &semaphore));
    note("%s: %s", sos_name(task), status_text(sos_status(task)));
    if (sos_status(task) < 0)
        async_return(SOS_OK);
    if (self->keeps != 0)
        await(sos_sleep(task, self->keeps));
    if (self->gives)
        sos_semaphore_give(&semaphore);
    async_end;
}

static sos_handle take(const char *name, int level, struct taker how)
{
    return sos_fork(world.os, taker, sos_opt(.priority = level, .name = name), .within = how.within,
                    .keeps = how.keeps, .gives = how.gives);
}

#define TAKE(name, level, ...)                                                                     \
    take(name, level, (struct taker){ .frame = { .resume = 0 }, __VA_ARGS__ })

static void as_many_go_on_as_there_are_permits(void)
{
    open_semaphore(2);
    TAKE("x", 2, .keeps = 10, .gives = true);
    TAKE("y", 2, .keeps = 20, .gives = true);
    TAKE("z", 2, .keeps = 10, .gives = true);
    TAKE("w", 2, .keeps = 10, .gives = true);
    world_run(SOS_OK, "0 x: OK\n0 y: OK\n10 z: OK\n20 w: OK\n");
    CHECK_INT(semaphore.permits, 2);
    world_close();
}

static void the_most_urgent_is_served_first_then_the_oldest(void)
{
    open_semaphore(0);
    TAKE("c1", 3, .keeps = 0);
    TAKE("c2", 3, .keeps = 0);
    settle();
    TAKE("b", 2, .keeps = 0);
    TAKE("a", 1, .keeps = 0);
    settle();
    for (int permit = 0; permit < 3; permit++)
        sos_semaphore_give(&semaphore);
    settle();
    note("one more");
    sos_semaphore_give(&semaphore);
    sos_semaphore_give(&semaphore);
    world_run(SOS_OK, "0 a: OK\n0 b: OK\n0 c1: OK\n0 one more\n0 c2: OK\n");
    CHECK_INT(semaphore.permits, 1);
    world_close();
}

/* One that waits goes first though another comes before it has run. */
static void a_permit_on_its_way_cannot_be_taken(void)
{
    open_semaphore(0);
    TAKE("first", 3, .keeps = 0);
    settle();
    sos_semaphore_give(&semaphore);
    TAKE("second", 2, .keeps = 0);
    settle();
    note("again");
    sos_semaphore_give(&semaphore);
    world_run(SOS_OK, "0 first: OK\n0 again\n0 second: OK\n");
    world_close();
}

static void a_taker_gives_up(void)
{
    open_semaphore(0);
    TAKE("t", 1, .within = 7);
    world_run(SOS_OK, "7 t: ETIMEDOUT\n");
    sos_semaphore_give(&semaphore);
    CHECK_INT(semaphore.permits, 1);
    world_close();
}

static void the_permit_of_a_killed_taker_is_not_lost(void)
{
    open_semaphore(0);
    sos_handle victim = TAKE("victim", 1, .keeps = 0);
    settle();
    sos_semaphore_give(&semaphore);
    CHECK_INT(semaphore.permits, 0);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    CHECK_INT(semaphore.permits, 1);
    CHECK_INT(sos_run(world.os), SOS_OK);
    world_close();

    open_semaphore(0);
    victim = TAKE("victim", 1, .keeps = 0);
    TAKE("heir", 2, .keeps = 0);
    settle();
    sos_semaphore_give(&semaphore);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    world_run(SOS_OK, "0 heir: OK\n");
    CHECK_INT(semaphore.permits, 0);
    world_close();
}

static void a_waiting_taker_can_be_killed_and_woken(void)
{
    open_semaphore(0);
    sos_handle victim = TAKE("victim", 1, .keeps = 0);
    sos_handle woken = TAKE("woken", 2, .keeps = 0);
    settle();
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    CHECK_INT(sos_wake(world.os, woken), SOS_OK);
    CHECK_INT(sos_wake(world.os, woken), SOS_EAGAIN);
    world_run(SOS_OK, "0 woken: EINTR\n");
    world_close();
}

static void who_waits_for_ever_is_named(void)
{
    open_semaphore(1);
    TAKE("x", 1, .keeps = 0);
    TAKE("y", 1, .keeps = 0);
    world_run(SOS_ESTUCK, "0 x: OK\n0 ! stuck: y on semaphore s\n");
    world_close();
}

int main(void)
{
    as_many_go_on_as_there_are_permits();
    the_most_urgent_is_served_first_then_the_oldest();
    a_permit_on_its_way_cannot_be_taken();
    a_taker_gives_up();
    the_permit_of_a_killed_taker_is_not_lost();
    a_waiting_taker_can_be_killed_and_woken();
    who_waits_for_ever_is_named();
    return 0;
}
