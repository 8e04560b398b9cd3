/* SPDX-License-Identifier: MIT */
/* Bounded queues: order, waiting, time-outs, closing, and nothing lost when somebody is killed. */
#include "settle.h"
#include "world.h"

static struct sos_queue queue;
static int room[8];

static void open_queue(uint32_t capacity)
{
    world_open(NULL);
    CHECK_INT(sos_queue_init(&queue, "q", room, sizeof room[0], capacity), SOS_OK);
}

/* ---- Tasks: each puts or gets `count` items, every one after a sleep, within a time. */

struct putter {
    sos_frame frame;
    int item, count;
    int64_t pause, within;
};

async_fn(putter)
{
    async_begin(putter);
    for (; self->count > 0; self->count--, self->item++) {
        if (self->pause != 0)
            await(sos_sleep(task, self->pause));
        if (self->within != 0)
            await(sos_within(task, self->within, sos_queue_put(task, &queue, &self->item)));
        else
            await(sos_queue_put(task, &queue, &self->item));
        note("%s put %d: %s", sos_name(task), self->item, status_text(sos_status(task)));
    }
    async_end;
}

struct getter {
    sos_frame frame;
    int item, count;
    int64_t pause, within;
};

async_fn(getter)
{
    async_begin(getter);
    for (; self->count > 0; self->count--) {
        if (self->pause != 0)
            await(sos_sleep(task, self->pause));
        if (self->within != 0)
            await(sos_within(task, self->within, sos_queue_get(task, &queue, &self->item)));
        else
            await(sos_queue_get(task, &queue, &self->item));
        if (sos_status(task) == SOS_OK)
            note("%s got %d", sos_name(task), self->item);
        else
            note("%s: %s", sos_name(task), status_text(sos_status(task)));
    }
    async_end;
}

static sos_handle put(const char *name, int level, struct putter how)
{
    return sos_fork(world.os, putter, sos_opt(.priority = level, .name = name), .item = how.item,
                    .count = how.count, .pause = how.pause, .within = how.within);
}

static sos_handle get(const char *name, int level, struct getter how)
{
    return sos_fork(world.os, getter, sos_opt(.priority = level, .name = name), .count = how.count,
                    .pause = how.pause, .within = how.within);
}

#define PUT(name, level, ...) put(name, level, (struct putter){ __VA_ARGS__ })
#define GET(name, level, ...) get(name, level, (struct getter){ __VA_ARGS__ })

/* ---- Order */

static void items_come_out_in_the_order_in_which_they_went_in(void)
{
    open_queue(3);
    PUT("p", 1, .item = 1, .count = 5);
    GET("g", 2, .count = 5);
    /* A reader that takes without waiting makes room once it has what it took. */
    world_run(SOS_OK, "0 p put 1: OK\n0 p put 2: OK\n0 p put 3: OK\n0 g got 1\n0 p put 4: OK\n"
                      "0 g got 2\n0 p put 5: OK\n0 g got 3\n0 g got 4\n0 g got 5\n");
    world_close();
}

static void a_reader_waits_for_an_item(void)
{
    open_queue(3);
    GET("g", 1, .count = 2);
    PUT("p", 2, .item = 7, .count = 2, .pause = 10);
    world_run(SOS_OK, "10 g got 7\n10 p put 7: OK\n20 g got 8\n20 p put 8: OK\n");
    world_close();
}

/* One that waits goes first though another comes before it has run. */
static void nobody_overtakes_a_waiting_reader(void)
{
    open_queue(1);
    GET("first", 3, .count = 1);
    settle();
    PUT("p", 2, .item = 1, .count = 2);
    GET("second", 2, .count = 1);
    world_run(SOS_OK, "0 p put 1: OK\n0 first got 1\n0 p put 2: OK\n0 second got 2\n");
    world_close();
}

static void the_most_urgent_waiter_is_served_first_then_the_oldest(void)
{
    open_queue(2);
    GET("c1", 3, .count = 1);
    GET("c2", 3, .count = 1);
    GET("b", 2, .count = 1);
    settle();
    GET("a", 1, .count = 1);
    settle();
    PUT("p", 9, .item = 1, .count = 4, .pause = 1);
    world_run(SOS_OK, "1 a got 1\n1 p put 1: OK\n2 b got 2\n2 p put 2: OK\n3 c1 got 3\n"
                      "3 p put 3: OK\n4 c2 got 4\n4 p put 4: OK\n");
    world_close();
    int full = 0;
    open_queue(1);
    CHECK_INT(sos_queue_try_put(&queue, &full), SOS_OK);
    PUT("c1", 3, .item = 31, .count = 1);
    PUT("c2", 3, .item = 32, .count = 1);
    settle();
    PUT("a", 1, .item = 11, .count = 1);
    settle();
    GET("g", 9, .count = 4, .pause = 1);
    world_run(SOS_OK, "1 g got 0\n1 a put 11: OK\n2 g got 11\n2 c1 put 31: OK\n3 g got 31\n"
                      "3 c2 put 32: OK\n4 g got 32\n");
    world_close();
}

static void a_waiter_that_becomes_more_urgent_moves_up(void)
{
    open_queue(1);
    GET("a", 3, .count = 1);
    sos_handle b = GET("b", 4, .count = 1);
    settle();
    CHECK_INT(sos_set_priority(world.os, b, 2), SOS_OK);
    PUT("p", 9, .item = 1, .count = 2, .pause = 1);
    world_run(SOS_OK, "1 b got 1\n1 p put 1: OK\n2 a got 2\n2 p put 2: OK\n");
    world_close();
}

/* ---- Time-outs */

static void a_reader_gives_up(void)
{
    open_queue(1);
    GET("g", 1, .count = 2, .within = 5);
    PUT("p", 2, .item = 1, .count = 1, .pause = 8);
    world_run(SOS_OK, "5 g: ETIMEDOUT\n8 g got 1\n8 p put 1: OK\n");
    world_close();
}

static void a_writer_gives_up_and_has_put_nothing(void)
{
    open_queue(1);
    PUT("p", 1, .item = 1, .count = 3, .within = 5);
    GET("g", 2, .count = 2, .pause = 12);
    world_run(SOS_ESTUCK, "0 p put 1: OK\n5 p put 2: ETIMEDOUT\n10 p put 3: ETIMEDOUT\n"
                          "12 g got 1\n24 ! stuck: g on queue item q\n");
    world_close();
}

/* ---- The end */

static void a_closed_queue_gives_what_it_has_and_then_ends(void)
{
    open_queue(2);
    PUT("p", 1, .item = 1, .count = 3);
    settle();
    sos_queue_close(&queue);
    GET("g", 2, .count = 3);
    PUT("late", 3, .item = 9, .count = 1);
    world_run(SOS_OK, "0 p put 1: OK\n0 p put 2: OK\n0 p put 3: EPIPE\n0 g got 1\n0 g got 2\n"
                      "0 g: EPIPE\n0 late put 9: EPIPE\n");
    world_close();
}

static void readers_that_wait_end_when_it_is_closed(void)
{
    open_queue(2);
    GET("g1", 2, .count = 1);
    GET("g2", 2, .count = 1);
    GET("urgent", 1, .count = 1);
    settle();
    sos_queue_close(&queue);
    world_run(SOS_OK, "0 urgent: EPIPE\n0 g1: EPIPE\n0 g2: EPIPE\n");
    world_close();
}

/* ---- Kills */

/* The item had been handed over already: the next reader gets it, before newer ones. */
static void the_item_of_a_killed_reader_goes_back_to_the_front(void)
{
    int item = 1;
    open_queue(2);
    sos_handle victim = GET("victim", 1, .count = 1);
    settle();
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
    item = 2;
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
    CHECK_INT(sos_queue_count(&queue), 1);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    CHECK_INT(sos_queue_count(&queue), 2);
    GET("g", 1, .count = 2);
    world_run(SOS_OK, "0 g got 1\n0 g got 2\n");
    world_close();
}

static void the_item_of_a_killed_reader_goes_to_the_next_that_waits(void)
{
    int item = 1;
    open_queue(2);
    sos_handle victim = GET("victim", 1, .count = 1);
    GET("heir", 2, .count = 1);
    settle();
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    world_run(SOS_OK, "0 heir got 1\n");
    world_close();
}

static void a_killed_writer_has_put_nothing(void)
{
    int item = 1;
    open_queue(1);
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
    sos_handle victim = PUT("victim", 1, .item = 2, .count = 1);
    PUT("p", 2, .item = 3, .count = 1);
    settle();
    CHECK_INT(sos_kill(world.os, victim), SOS_OK);
    GET("g", 3, .count = 2);
    world_run(SOS_OK, "0 g got 1\n0 p put 3: OK\n0 g got 3\n");
    world_close();
}

/* It keeps its place until the reader runs, so that it can always be given back. */
static void an_item_on_its_way_keeps_its_place(void)
{
    int item = 1, got = 0;
    open_queue(1);
    GET("g", 1, .count = 1);
    settle();
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
    CHECK_INT(sos_queue_count(&queue), 0);
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_EAGAIN);
    CHECK_INT(sos_queue_try_get(&queue, &got), SOS_EAGAIN);
    world_run(SOS_OK, "0 g got 1\n");
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
    CHECK_INT(sos_queue_try_get(&queue, &got), SOS_OK);
    CHECK_INT(got, 1);
    world_close();
}

static void wake_ends_a_wait_without_an_item(void)
{
    open_queue(1);
    sos_handle g = GET("g", 1, .count = 2);
    settle();
    CHECK_INT(sos_wake(world.os, g), SOS_OK);
    PUT("p", 2, .item = 1, .count = 1);
    world_run(SOS_OK, "0 g: EINTR\n0 g got 1\n0 p put 1: OK\n");
    world_close();
}

static void who_waits_for_ever_is_named(void)
{
    open_queue(1);
    GET("g", 1, .count = 1);
    PUT("p", 2, .item = 1, .count = 3);
    world_run(SOS_ESTUCK, "0 g got 1\n0 p put 1: OK\n0 p put 2: OK\n"
                          "0 ! stuck: p on queue space q\n");
    world_close();
}

/* ---- Items of any size */

struct large {
    char text[100];
};

static void items_of_any_size(void)
{
    struct large items[3], item = { "first" }, out;
    CHECK_INT(sos_queue_init(&queue, "large", items, sizeof items[0], 3), SOS_OK);
    for (int round = 0; round < 7; round++) { /* round and round: the places wrap */
        snprintf(item.text, sizeof item.text, "item %d", round);
        CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
        CHECK_INT(sos_queue_try_put(&queue, &item), SOS_OK);
        CHECK_INT(sos_queue_count(&queue), 2);
        CHECK_INT(sos_queue_try_get(&queue, &out), SOS_OK);
        CHECK_TEXT(out.text, item.text);
        CHECK_INT(sos_queue_try_get(&queue, &out), SOS_OK);
        CHECK_INT(sos_queue_try_get(&queue, &out), SOS_EAGAIN);
    }
    sos_queue_close(&queue);
    CHECK_INT(sos_queue_try_put(&queue, &item), SOS_EPIPE);
    CHECK_INT(sos_queue_try_get(&queue, &out), SOS_EPIPE);
}

int main(void)
{
    items_come_out_in_the_order_in_which_they_went_in();
    a_reader_waits_for_an_item();
    nobody_overtakes_a_waiting_reader();
    the_most_urgent_waiter_is_served_first_then_the_oldest();
    a_waiter_that_becomes_more_urgent_moves_up();
    a_reader_gives_up();
    a_writer_gives_up_and_has_put_nothing();
    a_closed_queue_gives_what_it_has_and_then_ends();
    readers_that_wait_end_when_it_is_closed();
    the_item_of_a_killed_reader_goes_back_to_the_front();
    the_item_of_a_killed_reader_goes_to_the_next_that_waits();
    a_killed_writer_has_put_nothing();
    an_item_on_its_way_keeps_its_place();
    wake_ends_a_wait_without_an_item();
    who_waits_for_ever_is_named();
    items_of_any_size();
    return 0;
}
