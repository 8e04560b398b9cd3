/* SPDX-License-Identifier: MIT */
/* What tasks hand to each other (items, locks, permits, signals): nothing is lost on the way, and
 * it goes to the right one. */
#include "world.h"

static struct {
    struct sos_queue queue;
    int items[2];
    struct sos_mutex mutexes[2];
    struct sos_semaphore semaphore;
    sos_handle urgent, victim;
} things;

static void open_things(uint32_t capacity)
{
    world_open(NULL);
    memset(&things, 0, sizeof things);
    sos_queue_init(&things.queue, "queue", things.items, sizeof(int), capacity);
    sos_mutex_init(&things.mutexes[0], "first");
    sos_mutex_init(&things.mutexes[1], "second");
    sos_semaphore_init(&things.semaphore, "semaphore", 1);
}

/* ---- A writer waits because an item is on its way, and a reader because it is not his */

struct reader {
    sos_frame frame;
    int64_t after;
    int item;
};

async_fn(reader)
{
    async_begin(reader);
    await(sos_sleep(task, self->after));
    await(sos_queue_get(task, &things.queue, &self->item));
    note("%s got %d", sos_name(task), self->item);
    async_end;
}

struct writer {
    sos_frame frame;
    int item;
};

async_fn(writer)
{
    async_begin(writer);
    await(sos_sleep(task, 1));
    self->item = 1;
    CHECK_INT(sos_queue_try_put(&things.queue, &self->item), SOS_OK);
    self->item = 2;
    await(sos_queue_put(task, &things.queue, &self->item));
    note("put");
    async_end;
}

static void a_waiting_writer_serves_a_waiting_reader(void)
{
    open_things(1);
    sos_fork(world.os, reader, sos_opt(.priority = 3, .name = "slow"));
    sos_fork(world.os, writer, sos_opt(.priority = 1));
    sos_fork(world.os, reader, sos_opt(.priority = 2, .name = "quick"), .after = 1);
    world_run(SOS_OK, "1 slow got 1\n1 put\n1 quick got 2\n");
    world_close();
}

/* ---- Complete at once, overtaken by a more urgent task, and killed by it */

enum kind { ITEM, LOCK, PERMIT, SIGNAL, KINDS };

struct victim {
    sos_frame frame;
    enum kind kind;
    int item;
};

static sos_op take_one(sos_task *task, struct victim *self)
{
    if (self->kind == ITEM)
        return sos_queue_get(task, &things.queue, &self->item);
    if (self->kind == LOCK)
        return sos_mutex_lock(task, &things.mutexes[0]);
    if (self->kind == PERMIT)
        return sos_semaphore_take(task, &things.semaphore);
    return sos_wait_signal(task, 5);
}

async_fn(victim)
{
    async_begin(victim);
    await(sos_sleep(task, 1));
    sos_signal(sos_of(task), things.urgent, 1);
    await(take_one(task, self));
    note("not reached");
    async_finally;
    note("latched: %d", sos_check_signal(task, 5));
    async_end;
}

struct killer {
    sos_frame frame;
};

async_fn(killer)
{
    async_begin(killer);
    await(sos_wait_signal(task, 1));
    sos_kill(sos_of(task), things.victim);
    async_end;
}

static void what_was_got_at_once_is_given_back_by_a_kill(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        int item = 7;
        open_things(2);
        things.urgent = sos_fork(world.os, killer, sos_opt(.priority = 1));
        things.victim = sos_fork(world.os, victim, sos_opt(.priority = 2), .kind = (enum kind)kind);
        CHECK_INT(sos_queue_try_put(&things.queue, &item), SOS_OK);
        if (kind == SIGNAL)
            sos_signal(world.os, things.victim, 5);
        world_run(SOS_OK, kind == SIGNAL ? "1 latched: 1\n" : "1 latched: 0\n");
        CHECK_INT(sos_queue_count(&things.queue), 1);
        CHECK(things.mutexes[0].owner == NULL);
        CHECK_INT(things.semaphore.permits, 1);
        world_close();
    }
}

/* ---- The most urgent waiter first, then the one that waited longest */

struct holder {
    sos_frame frame;
    sos_handle promoted;
};

async_fn(holder)
{
    async_begin(holder);
    await(sos_mutex_lock(task, &things.mutexes[0]));
    await(sos_sleep(task, 10));
    CHECK_INT(sos_set_priority(sos_of(task), self->promoted, 3), SOS_OK);
    sos_mutex_unlock(task, &things.mutexes[0]);
    async_end;
}

struct locker {
    sos_frame frame;
    int64_t after;
};

async_fn(locker)
{
    async_begin(locker);
    await(sos_sleep(task, self->after));
    await(sos_mutex_lock(task, &things.mutexes[0]));
    note("%s has it", sos_name(task));
    sos_mutex_unlock(task, &things.mutexes[0]);
    async_end;
}

static void a_promoted_waiter_keeps_its_seniority(void)
{
    open_things(1);
    sos_handle old = sos_fork(world.os, locker, sos_opt(.priority = 5, .name = "old"), .after = 1);
    sos_fork(world.os, locker, sos_opt(.priority = 3, .name = "young"), .after = 2);
    sos_fork(world.os, holder, sos_opt(.priority = 1), .promoted = old);
    world_run(SOS_OK, "10 old has it\n10 young has it\n");
    world_close();
}

/* ---- An inherited priority ends with the lock, also when last words give it back */

struct unlocks_last {
    sos_frame frame;
};

async_fn(unlocks_last)
{
    async_begin(unlocks_last);
    await(sos_sleep(task, 100));
    async_finally;
    sos_mutex_unlock(task, &things.mutexes[0]);
    async_end;
}

struct owner {
    sos_frame frame;
};

async_fn(owner)
{
    async_begin(owner);
    await(sos_mutex_lock(task, &things.mutexes[0]));
    await(sos_within(task, 10, async_call(unlocks_last)));
    note("owner");
    async_end;
}

static void a_lock_given_back_by_a_timeout_ends_inheritance(void)
{
    open_things(1);
    sos_fork(world.os, owner, sos_opt(.priority = 5));
    sos_fork(world.os, locker, sos_opt(.priority = 1, .name = "urgent"), .after = 1);
    sos_fork(world.os, sleeper, sos_opt(.priority = 3, .name = "middle"), .us = 10);
    world_run(SOS_OK, "0 middle begins\n10 urgent has it\n10 middle ends\n10 owner\n");
    world_close();
}

/* ---- Two that wait for each other's lock, until a deadline ends it */

struct crosser {
    sos_frame frame;
    int first, second;
    int64_t limit;
};

async_fn(crosser)
{
    async_begin(crosser);
    await(sos_mutex_lock(task, &things.mutexes[self->first]));
    await(sos_sleep(task, 1));
    await(sos_within(task, self->limit, sos_mutex_lock(task, &things.mutexes[self->second])));
    note("%s: %s", sos_name(task), status_text(sos_status(task)));
    async_finally;
    sos_mutex_unlock(task, &things.mutexes[self->second]);
    sos_mutex_unlock(task, &things.mutexes[self->first]);
    async_end;
}

struct third {
    sos_frame frame;
};

async_fn(third)
{
    async_begin(third);
    await(sos_sleep(task, 2));
    await(sos_within(task, 8, sos_mutex_lock(task, &things.mutexes[0])));
    note("third: %s", status_text(sos_status(task)));
    async_end;
}

struct hog {
    sos_frame frame;
};

async_fn(hog)
{
    async_begin(hog);
    await(sos_sleep(task, 9));
    sos_sim_spend(world.kernel, 5);
    async_end;
}

static void a_deadline_breaks_a_circle_of_locks(void)
{
    open_things(1);
    sos_fork(world.os, hog, sos_opt(.priority = 1));
    sos_fork(world.os, crosser, sos_opt(.priority = 3, .name = "a"), .first = 0, .second = 1,
             .limit = 10);
    sos_fork(world.os, crosser, sos_opt(.priority = 3, .name = "b"), .first = 1, .second = 0,
             .limit = SOS_FOREVER);
    sos_fork(world.os, third, sos_opt(.priority = 1));
    world_run(SOS_OK, "14 third: ETIMEDOUT\n14 a: ETIMEDOUT\n14 b: OK\n");
    world_close();
}

int main(void)
{
    a_waiting_writer_serves_a_waiting_reader();
    what_was_got_at_once_is_given_back_by_a_kill();
    a_promoted_waiter_keeps_its_seniority();
    a_lock_given_back_by_a_timeout_ends_inheritance();
    a_deadline_breaks_a_circle_of_locks();
    return 0;
}
