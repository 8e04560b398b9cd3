/* SPDX-License-Identifier: MIT */
/* Kill in every state, families, deadlines, scopes. */
#ifndef CONFORMANCE_KILL_H
#define CONFORMANCE_KILL_H

#include "conformance_world.h"

/* ---- Kill in every state */

enum state {
    FIRST_WAIT,
    IN_SLEEP = FIRST_WAIT,
    IN_SIGNAL,
    IN_JOIN,
    IN_JOIN_ALL,
    IN_JOIN_ANY,
    IN_SCOPE,
    IN_PUT,
    IN_GET,
    IN_LOCK,
    IN_TAKE,
    IN_EVENT,
    IN_CALL, /* waits in a function three calls deep */
    READY,
    LAST_WAIT = READY
};

static const char *const state_names[] = { "sleep",    "signal",    "join",      "join_all",
                                           "join_any", "scope",     "queue put", "queue get",
                                           "mutex",    "semaphore", "event",     "call",
                                           "ready" };

static struct sos_queue full_queue, empty_queue;
static struct sos_mutex taken_mutex;
static struct sos_semaphore no_permits;
static struct sos_event unset_event;
static uint8_t full_items[1], empty_items[2];

static void init_objects(void)
{
    static const uint8_t item = 7;
    sos_queue_init(&full_queue, "full", full_items, 1, 1);
    sos_queue_init(&empty_queue, "empty", empty_items, 1, 2);
    sos_mutex_init(&taken_mutex, "taken");
    sos_semaphore_init(&no_permits, "none", 0);
    sos_event_init(&unset_event, "unset");
    sos_queue_try_put(&full_queue, &item);
}

struct deep {
    sos_frame frame;
    int depth;
};

static async_fn(deep)
{
    async_begin(deep);
    if (self->depth > 0)
        await(async_call(deep, .depth = self->depth - 1));
    else
        await(sos_sleep(task, SOS_FOREVER));
    async_finally;
    note("  deep %d: %e", self->depth, sos_status(task));
    async_end;
}

struct waiter {
    sos_frame frame;
    enum state state;
    struct sos_join join;
    struct sos_scope scope;
    uint8_t item;
};

static async_fn(waiter)
{
    async_begin(waiter);
    if (self->state == IN_SLEEP)
        await(sos_sleep(task, SOS_SEC(3600)));
    else if (self->state == IN_SIGNAL)
        await(sos_wait_signal(task, 1));
    else if (self->state == IN_JOIN)
        await(sos_join(task, self->join.task));
    else if (self->state == IN_JOIN_ALL)
        await(sos_join_all(task, &self->join, 1));
    else if (self->state == IN_JOIN_ANY)
        await(sos_join_any(task, &self->join, 1));
    else if (self->state == IN_PUT)
        await(sos_queue_put(task, &full_queue, &self->item));
    else if (self->state == IN_GET)
        await(sos_queue_get(task, &empty_queue, &self->item));
    else if (self->state == IN_LOCK)
        await(sos_mutex_lock(task, &taken_mutex));
    else if (self->state == IN_TAKE)
        await(sos_semaphore_take(task, &no_permits));
    else if (self->state == IN_EVENT)
        await(sos_event_wait(task, &unset_event));
    else if (self->state == IN_CALL)
        await(async_call(deep, .depth = 2));
    while (self->state == READY)
        await(sos_yield(task));
    if (self->state == IN_SCOPE) {
        sos_scope_open(task, &self->scope);
        async_spawn(sleeper, CHILD(0, "  child in scope"), .us = SOS_SEC(3600));
        await(sos_scope_join(task, &self->scope));
    }
    note("  got %e", sos_status(task));
    async_finally;
    sos_mutex_unlock(task, &taken_mutex);
    note("  cleanup: %e", sos_status(task));
    async_end;
}

struct killer {
    sos_frame frame;
    sos_handle victim, other;
    int state;
};

static async_fn(killer)
{
    async_begin(killer);
    init_objects();
    try_await(sos_mutex_lock(task, &taken_mutex));
    self->other = async_spawn(sleeper, CHILD(0, "other"), .us = SOS_FOREVER);
    for (self->state = FIRST_WAIT; self->state <= LAST_WAIT; self->state++) {
        self->victim = async_spawn(waiter, CHILD(2, "victim"), .state = (enum state)self->state,
                                   .join.task = self->other);
        if (self->state == READY)
            await(sos_yield(task));
        else
            await(sos_sleep(task, SOS_MS(1)));
        note("killed in %s: %e", state_names[self->state], sos_kill(os, self->victim));
        note("  twice: %e", sos_kill(os, self->victim));
        await(sos_join(task, self->victim));
        note("  joined: %e", sos_status(task));
    }
    self->victim = async_spawn(waiter, CHILD(9, "victim"), .state = READY);
    sos_kill(os, self->victim);
    await(sos_join(task, self->victim));
    note("killed before it began: %e", sos_status(task));
    sos_kill(os, self->other);
    async_finally;
    sos_mutex_unlock(task, &taken_mutex);
    note("killer: %e", sos_status(task));
    async_end;
}

static const enum state grantable[] = { IN_SIGNAL, IN_PUT, IN_GET, IN_LOCK, IN_TAKE, IN_EVENT };

/* Gives the less urgent waiter what it waits for. */
static void satisfy(sos_task *task, enum state state, sos_handle waiter)
{
    static const uint8_t item = 9;
    uint8_t taken;
    if (state == IN_SIGNAL)
        sos_signal(os, waiter, 1);
    else if (state == IN_PUT)
        sos_queue_try_get(&full_queue, &taken);
    else if (state == IN_GET)
        sos_queue_try_put(&empty_queue, &item);
    else if (state == IN_LOCK)
        sos_mutex_unlock(task, &taken_mutex);
    else if (state == IN_TAKE)
        sos_semaphore_give(&no_permits);
    else
        sos_event_set(&unset_event);
}

struct granter {
    sos_frame frame;
    sos_handle victim;
    int index;
};

/* What a killed task had been given already, and had not seen, is given back. */
static async_fn(granter)
{
    async_begin(granter);
    init_objects();
    try_await(sos_mutex_lock(task, &taken_mutex));
    for (; self->index < 6; self->index++) {
        self->victim = async_spawn(waiter, CHILD(5, "victim"), .state = grantable[self->index],
                                   .item = 8);
        await(sos_sleep(task, SOS_MS(1)));
        satisfy(task, grantable[self->index], self->victim);
        note("satisfied in %s, then killed: %e", state_names[grantable[self->index]],
             sos_kill(os, self->victim));
    }
    note("full queue has %d, empty queue %d", (int)sos_queue_count(&full_queue),
         (int)sos_queue_count(&empty_queue));
    await(sos_within(task, SOS_MS(1), sos_mutex_lock(task, &taken_mutex)));
    note("mutex: %e", sos_status(task));
    await(sos_within(task, SOS_MS(1), sos_semaphore_take(task, &no_permits)));
    note("permit: %e", sos_status(task));
    await(sos_within(task, SOS_MS(1), sos_semaphore_take(task, &no_permits)));
    note("second permit: %e", sos_status(task));
    async_finally;
    sos_mutex_unlock(task, &taken_mutex);
    async_end;
}

static void kills(void)
{
    if (!begin("kill"))
        return;
    sos_fork(os, killer, ROOT(2, "killer"));
    finish();
    if (!begin("kill when satisfied"))
        return;
    sos_fork(os, granter, ROOT(2, "granter"));
    finish();
}

/* ---- Families */

/* Spawns a line of descendants, each with a brother beside it. */
struct ancestor {
    sos_frame frame;
    int generations;
};

static async_fn(ancestor)
{
    async_begin(ancestor);
    if (self->generations > 0) {
        async_spawn(ancestor, CHILD(0, "descendant"), .generations = self->generations - 1);
        async_spawn(sleeper, CHILD(0, "brother"), .us = SOS_MS(150));
    }
    await(sos_sleep(task, SOS_MS(100)));
    async_finally;
    note("generation %d: %e", self->generations, sos_status(task));
    async_end;
}

/* Kills whom it is told to, which may be itself, its parent or one that joins it. */
struct assassin {
    sos_frame frame;
    sos_handle target;
    bool itself, tree;
};

static async_fn(assassin)
{
    async_begin(assassin);
    await(sos_yield(task));
    if (self->itself)
        self->target = sos_self(task);
    if (self->tree)
        note("kill -r: %e", sos_kill_tree(os, self->target));
    else
        note("kill: %e", sos_kill(os, self->target));
    note("assassin goes on");
    await(sos_yield(task));
    note("assassin outlives it");
    async_finally;
    note("assassin: %e", sos_status(task));
    async_end;
}

/* A parent whose child kills it while it waits for that child. */
struct betrayed {
    sos_frame frame;
    sos_handle child;
    bool tree;
};

static async_fn(betrayed)
{
    async_begin(betrayed);
    self->child = async_spawn(assassin, CHILD(0, "assassin"), .target = sos_self(task),
                              .tree = self->tree);
    await(sos_join(task, self->child));
    async_finally;
    note("betrayed: %e", sos_status(task));
    async_end;
}

static void kill_from_handler(sos_task *task, int signal, void *context)
{
    (void)context;
    note("handler kills: %e", sos_kill(os, sos_self(task)));
    (void)signal;
}

struct family_tester {
    sos_frame frame;
    sos_handle child;
};

static async_fn(family_tester)
{
    async_begin(family_tester);
    self->child = async_spawn(ancestor, CHILD(0, "ancestor"), .generations = 2);
    await(sos_sleep(task, SOS_MS(1)));
    note("kill of a parent alone: %e", sos_kill(os, self->child));
    await(sos_sleep(task, SOS_MS(200)));
    self->child = async_spawn(ancestor, CHILD(0, "ancestor"), .generations = 2);
    await(sos_sleep(task, SOS_MS(1)));
    note("kill of a whole family: %e", sos_kill_tree(os, self->child));
    self->child = async_spawn(assassin, CHILD(0, "assassin"), .itself = true);
    await(sos_join(task, self->child));
    note("suicide: %e", sos_status(task));
    self->child = async_spawn(betrayed, CHILD(0, "betrayed"));
    await(sos_join(task, self->child));
    note("killed by its child: %e", sos_status(task));
    self->child = async_spawn(betrayed, CHILD(0, "betrayed"), .tree = true);
    await(sos_join(task, self->child));
    note("killed with its child, by its child: %e", sos_status(task));
    self->child = async_spawn(listener, sos_opt(.name = "handled", .on_signal = kill_from_handler),
                              .mask = 1, .rounds = 1);
    await(sos_yield(task));
    note("signal: %e", sos_signal(os, self->child, 0));
    await(sos_join(task, self->child));
    note("killed by its handler: %e", sos_status(task));
    async_end;
}

static void kills_of_families(void)
{
    if (!begin("families"))
        return;
    sos_fork(os, family_tester, ROOT(5, "tester"));
    finish();
}

/* ---- Deadlines */

/* A limit of its own around something that takes longer or shorter. */
struct limited {
    sos_frame frame;
    int64_t limit, us;
};

static async_fn(limited)
{
    async_begin(limited);
    await(sos_within(task, self->limit, async_call(sleeper, .us = self->us, .status = 5)));
    note("%d ms: %e", (int)(self->us / 1000), sos_status(task));
    async_return(sos_status(task));
    async_finally;
    note("limited: %e", sos_status(task));
    async_end;
}

struct deadline_tester {
    sos_frame frame;
    struct sos_semaphore semaphore;
};

static async_fn(deadline_tester)
{
    async_begin(deadline_tester);
    await(async_call(limited, .limit = SOS_MS(10), .us = SOS_MS(5)));
    await(async_call(limited, .limit = SOS_MS(5), .us = SOS_MS(10)));
    await(async_call(limited, .limit = SOS_MS(5), .us = SOS_MS(5)));
    await(async_call(limited, .limit = -1, .us = SOS_MS(1)));
    await(async_call(limited, .limit = 0, .us = SOS_MS(1)));
    await(async_call(limited, .limit = SOS_FOREVER, .us = SOS_MS(1)));
    note("an outer limit, an inner one first");
    await(sos_within(task, SOS_MS(20), async_call(limited, .limit = SOS_MS(10), .us = SOS_SEC(1))));
    note("outer: %e", sos_status(task));
    note("an outer limit that comes first");
    await(sos_within(task, SOS_MS(10), async_call(limited, .limit = SOS_MS(20), .us = SOS_SEC(1))));
    note("outer: %e", sos_status(task));
    note("both at one moment");
    await(sos_within(task, SOS_MS(10), async_call(limited, .limit = SOS_MS(10), .us = SOS_SEC(1))));
    note("outer: %e", sos_status(task));
    await(sos_within(task, SOS_MS(3),
                     sos_within(task, SOS_MS(2), sos_within(task, SOS_MS(1), sos_yield(task)))));
    note("three in time: %e", sos_status(task));
    await(sos_within(
        task, SOS_MS(3),
        sos_within(task, SOS_MS(2), sos_within(task, SOS_MS(9), sos_sleep(task, SOS_SEC(1))))));
    note("the second of three: %e", sos_status(task));
    sos_semaphore_init(&self->semaphore, "one", 1);
    await(sos_within(task, SOS_MS(1), sos_semaphore_take(task, &self->semaphore)));
    note("ready at once: %e", sos_status(task));
    await(sos_within(task, SOS_MS(1), sos_semaphore_take(task, &self->semaphore)));
    note("never ready: %e", sos_status(task));
    await(sos_sleep(task, SOS_MS(50)));
    note("no deadline is left: %e", sos_status(task));
    async_end;
}

static void deadlines(void)
{
    if (!begin("deadlines"))
        return;
    sos_fork(os, deadline_tester, ROOT(5, "tester"));
    sos_fork(os, sleeper, ROOT(5, "beside"), .us = SOS_MS(12));
    finish();
}

/* ---- Scopes */

struct owner {
    sos_frame frame;
    struct sos_scope scope;
    int failing;
    bool wait;
};

static async_fn(owner)
{
    async_begin(owner);
    async_spawn(sleeper, CHILD(0, "outside"), .us = SOS_MS(15));
    sos_scope_open(task, &self->scope);
    async_spawn(sleeper, CHILD(0, "short"), .us = SOS_MS(5));
    async_spawn(sleeper, CHILD(0, "long"), .us = SOS_MS(50), .status = 1);
    if (self->failing != 0)
        async_spawn(sleeper, CHILD(0, "failing"), .us = SOS_MS(10), .status = self->failing);
    if (self->wait)
        try_await(sos_scope_join(task, &self->scope));
    else
        await(sos_sleep(task, SOS_MS(20)));
    async_finally;
    note("owner: %e", sos_status(task));
    async_end;
}

struct scope_tester {
    sos_frame frame;
    sos_handle child;
};

static async_fn(scope_tester)
{
    async_begin(scope_tester);
    note("left while children run");
    await(async_call(owner));
    note("left when all have ended");
    await(async_call(owner, .wait = true));
    note("scope: %e", sos_status(task));
    note("left when one fails");
    await(async_call(owner, .wait = true, .failing = SOS_EIO));
    note("scope: %e", sos_status(task));
    note("left by a deadline");
    await(sos_within(task, SOS_MS(2), async_call(owner, .wait = true)));
    note("scope: %e", sos_status(task));
    note("left by a kill");
    self->child = async_spawn(owner, CHILD(0, "owner"), .wait = true);
    await(sos_sleep(task, SOS_MS(2)));
    sos_kill(os, self->child);
    await(sos_sleep(task, SOS_MS(20)));
    async_end;
}

static void scopes(void)
{
    if (!begin("scopes"))
        return;
    sos_fork(os, scope_tester, ROOT(5, "tester"));
    finish();
}

#endif
