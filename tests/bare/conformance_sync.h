/* SPDX-License-Identifier: MIT */
/* Queue, mutex, semaphore, event, priorities. */
#ifndef CONFORMANCE_SYNC_H
#define CONFORMANCE_SYNC_H

#include "conformance_world.h"

/* ---- Queue */

static struct sos_queue queue;
static uint16_t queue_items[2];

struct producer {
    sos_frame frame;
    uint16_t item, last;
};

static async_fn(producer)
{
    async_begin(producer);
    for (; self->item <= self->last; self->item++) {
        await(sos_queue_put(task, &queue, &self->item));
        note("%s put %d: %e", sos_name(task), self->item, sos_status(task));
    }
    async_end;
}

struct consumer {
    sos_frame frame;
    int left;
    uint16_t item;
};

static async_fn(consumer)
{
    async_begin(consumer);
    for (; self->left > 0; self->left--) {
        await(sos_queue_get(task, &queue, &self->item));
        if (sos_status(task) < 0)
            note("%s: %e", sos_name(task), sos_status(task));
        else
            note("%s got %d", sos_name(task), self->item);
    }
    async_end;
}

struct queue_tester {
    sos_frame frame;
    uint16_t item;
};

static async_fn(queue_tester)
{
    async_begin(queue_tester);
    await(sos_sleep(task, SOS_MS(10)));
    note("most urgent reader first, then the oldest");
    async_spawn(consumer, CHILD(6, "reader 6a"), .left = 1);
    async_spawn(consumer, CHILD(6, "reader 6b"), .left = 1);
    async_spawn(consumer, CHILD(5, "reader 5"), .left = 1);
    await(sos_sleep(task, SOS_MS(1)));
    for (self->item = 31; self->item <= 33; self->item++)
        note("put %d: %e", self->item, sos_queue_try_put(&queue, &self->item));
    await(sos_sleep(task, SOS_MS(1)));
    self->item = 40;
    note("try: %e", sos_queue_try_put(&queue, &self->item));
    note("try: %e", sos_queue_try_put(&queue, &self->item));
    note("try: %e", sos_queue_try_put(&queue, &self->item));
    async_spawn(producer, CHILD(6, "writer"), .item = 50, .last = 50);
    await(sos_sleep(task, SOS_MS(1)));
    sos_queue_close(&queue);
    note("closed: %e", sos_queue_try_put(&queue, &self->item));
    await(sos_sleep(task, SOS_MS(1)));
    await(async_call(consumer, .left = 3));
    async_end;
}

static void queues(void)
{
    if (!begin("queue"))
        return;
    sos_queue_init(&queue, "queue", queue_items, sizeof queue_items[0], 2);
    note("without room: %e", sos_queue_init(&queue, "queue", queue_items, 2, 0));
    sos_fork(os, producer, ROOT(5, "producer"), .item = 1, .last = 5);
    sos_fork(os, producer, ROOT(4, "urgent producer"), .item = 11, .last = 13);
    sos_fork(os, consumer, ROOT(5, "consumer"), .left = 8);
    sos_fork(os, queue_tester, ROOT(3, "tester"));
    finish();
}

/* ---- Mutex */

static struct sos_mutex outer_mutex, inner_mutex;

static int effective(sos_handle handle)
{
    struct sos_task_info info;
    return sos_inspect(os, handle, &info) < 0 ? -1 : info.effective_priority;
}

/* Locks one mutex or both, and works in steps while it has them. */
struct locker {
    sos_frame frame;
    bool outer, inner;
    int steps;
};

static async_fn(locker)
{
    async_begin(locker);
    if (self->outer)
        try_await(sos_mutex_lock(task, &outer_mutex));
    if (self->inner)
        try_await(sos_mutex_lock(task, &inner_mutex));
    for (; self->steps > 0; self->steps--) {
        note("%s works at priority %d", sos_name(task), effective(sos_self(task)));
        await(sos_sleep(task, SOS_MS(10)));
    }
    async_finally;
    sos_mutex_unlock(task, &inner_mutex);
    note("%s has unlocked, at %d", sos_name(task), effective(sos_self(task)));
    sos_mutex_unlock(task, &outer_mutex);
    note("%s ends at %d: %e", sos_name(task), effective(sos_self(task)), sos_status(task));
    async_end;
}

struct mutex_tester {
    sos_frame frame;
    sos_handle low, middle;
};

static async_fn(mutex_tester)
{
    async_begin(mutex_tester);
    self->low = async_spawn(locker, CHILD(8, "low"), .inner = true, .steps = 3);
    await(sos_sleep(task, SOS_MS(1)));
    self->middle = async_spawn(locker, CHILD(6, "middle"), .outer = true, .inner = true);
    await(sos_sleep(task, SOS_MS(1)));
    note("low inherits %d", effective(self->low));
    async_spawn(locker, CHILD(3, "high"), .outer = true);
    await(sos_sleep(task, SOS_MS(1)));
    note("middle inherits %d, low through it %d", effective(self->middle), effective(self->low));
    note("not the owner: %e", sos_mutex_unlock(task, &inner_mutex));
    await(sos_within(task, SOS_MS(1), sos_mutex_lock(task, &inner_mutex)));
    note("in time: %e, low inherits %d again", sos_status(task), effective(self->low));
    sos_kill(os, self->middle);
    note("middle killed: low has %d", effective(self->low));
    await(sos_sleep(task, SOS_MS(60)));
    try_await(sos_mutex_lock(task, &outer_mutex));
    await(sos_mutex_lock(task, &outer_mutex));
    note("twice: %e", sos_status(task));
    async_end; /* without an unlock: reported, and handed on */
}

struct late_locker {
    sos_frame frame;
};

static async_fn(late_locker)
{
    async_begin(late_locker);
    await(sos_sleep(task, SOS_MS(200)));
    try_await(sos_mutex_lock(task, &outer_mutex));
    note("late has the mutex");
    async_finally;
    sos_mutex_unlock(task, &outer_mutex);
    async_end;
}

static void mutexes(void)
{
    if (!begin("mutex"))
        return;
    sos_mutex_init(&outer_mutex, "outer");
    sos_mutex_init(&inner_mutex, "inner");
    sos_fork(os, mutex_tester, ROOT(1, "tester"));
    sos_fork(os, late_locker, ROOT(5, "late"));
    finish();
}

/* ---- Semaphore and event */

static struct sos_semaphore semaphore;
static struct sos_event event;

struct taker {
    sos_frame frame;
    bool event;
};

static async_fn(taker)
{
    async_begin(taker);
    if (self->event)
        await(sos_event_wait(task, &event));
    else
        await(sos_semaphore_take(task, &semaphore));
    note("%s: %e", sos_name(task), sos_status(task));
    async_end;
}

struct giver {
    sos_frame frame;
};

static async_fn(giver)
{
    async_begin(giver);
    sos_semaphore_init(&semaphore, "semaphore", 1);
    sos_event_init(&event, "event");
    async_spawn(taker, CHILD(6, "take 6a"));
    async_spawn(taker, CHILD(6, "take 6b"));
    async_spawn(taker, CHILD(6, "take 6c"));
    async_spawn(taker, CHILD(5, "take 5"));
    async_spawn(taker, CHILD(6, "event 6a"), .event = true);
    async_spawn(taker, CHILD(5, "event 5"), .event = true);
    async_spawn(taker, CHILD(6, "event 6b"), .event = true);
    await(sos_sleep(task, SOS_MS(1)));
    note("give three");
    sos_semaphore_give(&semaphore);
    sos_semaphore_give(&semaphore);
    sos_semaphore_give(&semaphore);
    await(sos_sleep(task, SOS_MS(1)));
    note("set");
    sos_event_set(&event);
    await(sos_sleep(task, SOS_MS(1)));
    await(async_call(taker, .event = true));
    sos_event_clear(&event);
    await(sos_within(task, SOS_MS(1), sos_event_wait(task, &event)));
    note("cleared: %e", sos_status(task));
    async_end;
}

static void semaphores_and_events(void)
{
    if (!begin("semaphore, event"))
        return;
    sos_fork(os, giver, ROOT(4, "giver"));
    finish();
}

/* ---- Priorities */

struct changer {
    sos_frame frame;
    sos_handle a, b;
};

static async_fn(changer)
{
    async_begin(changer);
    self->a = async_spawn(yielder, CHILD(5, "a"), .turns = 3);
    self->b = async_spawn(yielder, CHILD(6, "b"), .turns = 3);
    note("a queued task to 7: %e", sos_set_priority(os, self->a, 7));
    await(sos_sleep(task, SOS_MS(1)));
    self->a = async_spawn(sleeper, CHILD(5, "a"), .us = SOS_MS(5));
    self->b = async_spawn(sleeper, CHILD(6, "b"), .us = SOS_MS(5));
    await(sos_sleep(task, SOS_MS(1)));
    note("a sleeper to 2: %e", sos_set_priority(os, self->b, 2));
    note("itself to 9: %e", sos_set_priority(os, sos_self(task), 9));
    async_spawn(yielder, CHILD(8, "c"), .turns = 1);
    await(sos_yield(task));
    note("after all others");
    await(sos_sleep(task, SOS_MS(10)));
    note("priority 0: %e", sos_set_priority(os, sos_self(task), 0));
    note("priority 10: %e", sos_set_priority(os, sos_self(task), 10));
    note("of a task that has ended: %e", sos_set_priority(os, self->a, 5));
    async_end;
}

/* Operations that are complete at once: a more urgent task overtakes nevertheless. */
struct overtaken {
    sos_frame frame;
    int turn;
};

static async_fn(overtaken)
{
    async_begin(overtaken);
    sos_semaphore_init(&semaphore, "semaphore", 1000);
    note("64 at once, then the others' turn");
    for (; self->turn < 100; self->turn++) {
        if (self->turn == 63 || self->turn == 64)
            note("take %d", self->turn);
        await(sos_semaphore_take(task, &semaphore));
    }
    async_spawn(yielder, CHILD(1, "urgent"), .turns = 1);
    await(sos_semaphore_take(task, &semaphore));
    note("overtaken");
    async_end;
}

static void priorities(void)
{
    if (!begin("priorities"))
        return;
    sos_fork(os, changer, ROOT(3, "changer"));
    sos_fork(os, overtaken, ROOT(9, "overtaken"));
    sos_fork(os, yielder, ROOT(9, "beside"), .turns = 3);
    finish();
}

#endif
