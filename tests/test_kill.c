/* SPDX-License-Identifier: MIT */
/* Kill, in every state that a task can be in and by everybody who can do it. */
#include "world.h"

/* ---- In every kind of wait, and in every kind of wait that is satisfied already */

enum kind {
    SLEEP,
    SIGNAL,
    JOIN,
    JOIN_ALL,
    JOIN_ANY,
    SCOPE,
    READABLE,
    WRITABLE,
    QUEUE_PUT,
    QUEUE_GET,
    MUTEX,
    SEMAPHORE,
    EVENT,
    NESTED,
    DEADLINE,
    KINDS
};

static struct {
    struct sos_queue full, empty;
    int full_item[1], empty_item[1];
    struct sos_mutex mutex;
    struct sos_semaphore semaphore;
    struct sos_event event;
    int fds[2];
    sos_handle helper, victim;
} things;

static void init_things(void)
{
    int one = 1;
    char bytes[8] = "1234567";
    sos_queue_init(&things.full, "full", things.full_item, sizeof(int), 1);
    sos_queue_init(&things.empty, "empty", things.empty_item, sizeof(int), 1);
    CHECK_INT(sos_queue_try_put(&things.full, &one), SOS_OK);
    sos_mutex_init(&things.mutex, "mutex");
    sos_semaphore_init(&things.semaphore, "semaphore", 0);
    sos_event_init(&things.event, "event");
    CHECK_INT(sos_sim_pair(world.kernel, things.fds, &(struct sos_sim_stream){ .capacity = 8 }),
              SOS_OK);
    CHECK_INT(sos_try_write(world.os, things.fds[0], bytes, 8), 8);
    CHECK_INT(sos_try_write(world.os, things.fds[0], bytes, 8), SOS_EAGAIN);
}

struct waiter {
    sos_frame frame;
    enum kind kind;
    int64_t us;
};

struct victim {
    sos_frame frame;
    enum kind kind;
    int64_t us;
    struct sos_join joins[2];
    struct sos_scope scope;
    int item;
};

async_fn(waiter)
{
    async_begin(waiter);
    await(sos_sleep(task, self->us));
    async_finally;
    note("inner finally: %s", status_text(sos_status(task)));
    async_end;
}

/* The first half of the kinds, to keep functions short; both wait as self->kind says. */
static sos_op wait_for_tasks(sos_task *task, struct victim *self)
{
    if (self->kind == SLEEP)
        return sos_sleep(task, self->us);
    if (self->kind == SIGNAL)
        return sos_wait_signal(task, 6);
    if (self->kind == JOIN)
        return sos_join(task, things.helper);
    if (self->kind == JOIN_ALL)
        return sos_join_all(task, self->joins, 2);
    if (self->kind == JOIN_ANY)
        return sos_join_any(task, self->joins, 2);
    if (self->kind == SCOPE)
        return sos_scope_join(task, &self->scope);
    if (self->kind == NESTED)
        return async_call(waiter, .us = self->us);
    return sos_within(task, 10000, async_call(waiter, .us = self->us));
}

static sos_op wait_for_things(sos_task *task, struct victim *self)
{
    if (self->kind == READABLE)
        return sos_wait_readable(task, things.fds[0]);
    if (self->kind == WRITABLE)
        return sos_wait_writable(task, things.fds[0]);
    if (self->kind == QUEUE_PUT)
        return sos_queue_put(task, &things.full, &self->item);
    if (self->kind == QUEUE_GET)
        return sos_queue_get(task, &things.empty, &self->item);
    if (self->kind == MUTEX)
        return sos_mutex_lock(task, &things.mutex);
    if (self->kind == SEMAPHORE)
        return sos_semaphore_take(task, &things.semaphore);
    return sos_event_wait(task, &things.event);
}

async_fn(victim)
{
    async_begin(victim);
    self->item = 2;
    if (self->kind == SCOPE) {
        sos_scope_open(task, &self->scope);
        things.helper = async_spawn(sleeper, sos_opt(.name = "helper"), .us = 5000);
    }
    self->joins[0].task = self->joins[1].task = things.helper;
    if (self->kind >= READABLE && self->kind <= EVENT)
        await(wait_for_things(task, self));
    else
        await(wait_for_tasks(task, self));
    note("victim went on: %s", status_text(sos_status(task)));
    async_finally;
    note("victim finally: %s", status_text(sos_status(task)));
    async_end;
}

static void satisfy(sos *os, enum kind kind, sos_handle target)
{
    int item = 7;
    char bytes[8];
    if (kind == SIGNAL)
        sos_signal(os, target, 6);
    else if (kind == JOIN || kind == JOIN_ALL || kind == JOIN_ANY || kind == SCOPE)
        sos_kill(os, things.helper);
    else if (kind == READABLE)
        CHECK_INT(sos_try_write(os, things.fds[1], "!", 1), 1);
    else if (kind == WRITABLE)
        CHECK_INT(sos_try_read(os, things.fds[1], bytes, 8), 8);
    else if (kind == QUEUE_PUT)
        CHECK_INT(sos_queue_try_get(&things.full, &item), SOS_OK);
    else if (kind == QUEUE_GET)
        CHECK_INT(sos_queue_try_put(&things.empty, &item), SOS_OK);
    else if (kind == SEMAPHORE)
        sos_semaphore_give(&things.semaphore);
    else if (kind == EVENT)
        sos_event_set(&things.event);
}

struct killer {
    sos_frame frame;
    enum kind kind;
    bool satisfied;
};

async_fn(killer)
{
    async_begin(killer);
    if (self->kind == MUTEX)
        await(sos_mutex_lock(task, &things.mutex));
    await(sos_sleep(task, 10));
    if (self->satisfied && self->kind == MUTEX)
        CHECK_INT(sos_mutex_unlock(task, &things.mutex), SOS_OK);
    else if (self->satisfied)
        satisfy(sos_of(task), self->kind, things.victim);
    if (self->satisfied)
        await(sos_yield(task)); /* it is more urgent and goes on, in the next pass */
    note("kill: %s", status_text(sos_kill(sos_of(task), things.victim)));
    note("again: %s", status_text(sos_kill(sos_of(task), things.victim)));
    if (self->kind == MUTEX && !self->satisfied)
        CHECK_INT(sos_mutex_unlock(task, &things.mutex), SOS_OK);
    async_end;
}

struct joiner {
    sos_frame frame;
    sos_handle target;
};

async_fn(joiner)
{
    async_begin(joiner);
    await(sos_join(task, self->target));
    note("%s: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

/* Nothing was lost and nobody is left in a list. */
static void check_things(enum kind kind, bool satisfied)
{
    int item = 0;
    if (kind == QUEUE_GET) {
        CHECK_INT(sos_queue_try_get(&things.empty, &item), satisfied ? SOS_OK : SOS_EAGAIN);
        CHECK_INT(item, satisfied ? 7 : 0);
    }
    if (kind == QUEUE_PUT) { /* its item, if it had been taken over, else the one before */
        CHECK_INT(sos_queue_try_get(&things.full, &item), SOS_OK);
        CHECK_INT(item, satisfied ? 2 : 1);
        CHECK_INT(sos_queue_try_get(&things.full, &item), SOS_EAGAIN);
    }
    if (kind == SEMAPHORE) {
        CHECK_INT(things.semaphore.permits, satisfied);
        sos_semaphore_give(&things.semaphore);
        CHECK_INT(things.semaphore.permits, satisfied + 1);
    }
    CHECK(things.mutex.owner == NULL);
    sos_event_set(&things.event);
    CHECK(things.full.writers.waiters == NULL && things.empty.readers.waiters == NULL);
    CHECK(things.event.waitable.waiters == NULL && things.mutex.waitable.waiters == NULL);
    CHECK_INT(sos_fd_close(world.os, things.fds[0]), SOS_OK);
    CHECK_INT(sos_fd_close(world.os, things.fds[1]), SOS_OK);
}

static void kill_in_wait(enum kind kind, bool satisfied)
{
    bool nested = kind == NESTED || kind == DEADLINE;
    bool sleeps = nested || kind == SLEEP;
    world_open(NULL);
    init_things();
    sos_fork(world.os, killer, sos_opt(.priority = 1), .kind = kind, .satisfied = satisfied);
    things.helper = sos_fork(world.os, listener, sos_opt(.priority = 2, .name = "h"), .mask = 2,
                             .rounds = 1);
    things.victim = sos_fork(world.os, victim, sos_opt(.priority = 3), .kind = kind,
                             .us = satisfied && sleeps ? 10 : 1000);
    sos_fork(world.os, joiner, sos_opt(.priority = 4, .name = "joiner"), .target = things.victim);
    bool helper_left = !satisfied || kind < JOIN || kind > SCOPE;
    int status = sos_run(world.os);
    char expected[200];
    snprintf(expected, sizeof expected, "%s%s10 victim finally: ECANCELED\n10 kill: OK\n%s%s",
             kind == SCOPE ? "0 helper begins\n" : "",
             nested ? "10 inner finally: ECANCELED\n" : "",
             "10 again: ESTALE\n10 joiner: ECANCELED\n",
             kind == SCOPE || helper_left ? "10 ! stuck: h on signal\n" : "");
    world_trace(expected);
    CHECK_INT(status, kind == SCOPE || helper_left ? SOS_ESTUCK : SOS_OK);
    check_things(kind, satisfied);
    world_close();
}

static void in_each_kind_of_wait(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        kill_in_wait((enum kind)kind, false);
}

static void in_each_kind_of_wait_already_satisfied(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        kill_in_wait((enum kind)kind, true);
}

/* ---- In the other states */

struct plain {
    sos_frame frame;
    sos_handle kills;
    int64_t us;
    bool tree;
};

async_fn(plain)
{
    async_begin(plain);
    note("%s begins", sos_name(task));
    await(sos_sleep(task, self->us));
    if (self->kills.pid != 0 || self->kills.lap != 0) {
        if (self->tree)
            note("%s kills: %s", sos_name(task),
                 status_text(sos_kill_tree(sos_of(task), self->kills)));
        else
            note("%s kills: %s", sos_name(task), status_text(sos_kill(sos_of(task), self->kills)));
    }
    await(sos_yield(task));
    note("%s ends", sos_name(task));
    async_finally;
    note("%s finally: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

static void never_started_or_ready(void)
{
    world_open(NULL);
    sos_handle fresh = sos_fork(world.os, plain, sos_opt(.priority = 2, .name = "fresh"));
    sos_handle ready = sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "ready"),
                                .rounds = 5);
    CHECK_INT(sos_kill(world.os, fresh), SOS_OK);
    CHECK_INT(sos_run_once(world.os, 0), 1);
    CHECK_INT(sos_kill(world.os, ready), SOS_OK);
    int result = 0;
    CHECK_INT(sos_result(world.os, fresh, &result), SOS_OK);
    CHECK_INT(result, SOS_ECANCELED);
    world_run(SOS_OK, "0 ready 0\n"); /* the first has no finally part to run */
    world_close();
}

struct suicide {
    sos_frame frame;
    int how;
    struct sos_semaphore *plenty;
};

async_fn(suicide)
{
    async_begin(suicide);
    note("kill: %s", status_text(sos_kill(sos_of(task), sos_self(task))));
    note("twice: %s", status_text(sos_kill(sos_of(task), sos_self(task))));
    if (self->how == 0)
        await(sos_yield(task));
    else if (self->how == 1)
        await(sos_sleep(task, 10));
    else if (self->how == 2)
        await(sos_semaphore_take(task, self->plenty)); /* would not suspend otherwise */
    else if (self->how == 3)
        await(async_call(ender, .status = 0));
    else
        async_return(5);
    note("not reached");
    async_finally;
    note("finally: %s", status_text(sos_status(task)));
    async_end;
}

/* It ends at its next await, whatever that is; it may still return, but is canceled then too. */
static void itself_while_running(void)
{
    struct sos_semaphore plenty;
    for (int how = 0; how < 5; how++) {
        int result = 0;
        world_open(NULL);
        sos_semaphore_init(&plenty, "plenty", 10);
        sos_handle s = sos_fork(world.os, suicide, sos_opt(.priority = 2, .name = "s"), .how = how,
                                .plenty = &plenty);
        sos_fork(world.os, joiner, sos_opt(.priority = 1, .name = "joiner"), .target = s);
        sos_release(world.os, (sos_handle){ 9, 0 });
        world_run(SOS_OK, how < 4 ? "0 kill: OK\n0 twice: OK\n0 finally: ECANCELED\n"
                                    "0 joiner: ECANCELED\n"
                                  : "0 kill: OK\n0 twice: OK\n0 finally: 5\n"
                                    "0 joiner: ECANCELED\n");
        CHECK_INT(sos_result(world.os, s, &result), SOS_ESTALE);
        world_close();
    }
}

/* ---- By relatives */

struct parent {
    sos_frame frame;
    int what;
    sos_handle child;
};

struct child {
    sos_frame frame;
    int what;
};

async_fn(child)
{
    async_begin(child);
    await(sos_sleep(task, 5));
    if (self->what == 1) {
        note("child kills parent: %s", status_text(sos_kill(sos_of(task), sos_parent(task))));
        note("parent is %s", status_text(sos_parent(task).pid));
    }
    await(sos_sleep(task, 5));
    note("child ends");
    async_finally;
    note("child finally: %s", status_text(sos_status(task)));
    async_end;
}

async_fn(parent)
{
    async_begin(parent);
    self->child = async_spawn(child, sos_opt(), .what = self->what);
    if (self->what == 0) {
        await(sos_sleep(task, 1));
        note("parent kills child: %s", status_text(sos_kill(sos_of(task), self->child)));
    }
    await(sos_join(task, self->child)); /* 1: is killed by the one it waits for */
    note("joined: %s", status_text(sos_status(task)));
    async_finally;
    note("parent finally: %s", status_text(sos_status(task)));
    async_end;
}

static void by_its_parent_and_by_its_child(void)
{
    world_open(NULL);
    sos_fork(world.os, parent, sos_opt(.priority = 2), .what = 0);
    world_run(SOS_OK, "1 child finally: ECANCELED\n1 parent kills child: OK\n"
                      "1 joined: ECANCELED\n1 parent finally: OK\n");
    sos_fork(world.os, parent, sos_opt(.priority = 2), .what = 1);
    world_run(SOS_OK, "6 parent finally: ECANCELED\n6 child kills parent: OK\n"
                      "6 parent is ESTALE\n11 child ends\n11 child finally: OK\n");
    world_close();
}

static void kill_me(sos_task *task, int signal, void *context)
{
    (void)context;
    note("handler gets %d", signal);
    CHECK_INT(sos_kill(sos_of(task), sos_self(task)), SOS_OK);
}

struct self_signaller {
    sos_frame frame;
};

async_fn(self_signaller)
{
    async_begin(self_signaller);
    note("sends itself: %s", status_text(sos_signal(sos_of(task), sos_self(task), 3)));
    await(sos_yield(task));
    note("not reached");
    async_finally;
    note("finally: %s", status_text(sos_status(task)));
    async_end;
}

static void by_a_signal_handler(void)
{
    world_open(NULL);
    sos_handle v = sos_fork(world.os, victim,
                            sos_opt(.priority = 2, .name = "v", .on_signal = kill_me),
                            .kind = SIGNAL);
    sos_fork(world.os, joiner, sos_opt(.priority = 2, .name = "joiner"), .target = v);
    CHECK_INT(sos_run(world.os), SOS_ESTUCK);
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_signal(world.os, v, 6), SOS_OK);
    world_run(SOS_OK, "0 handler gets 6\n0 victim finally: ECANCELED\n0 joiner: ECANCELED\n");
    sos_fork(world.os, self_signaller, sos_opt(.priority = 2, .on_signal = kill_me));
    world_run(SOS_OK, "0 handler gets 3\n0 sends itself: OK\n0 finally: ECANCELED\n");
    world_close();
}

/* ---- Families: a ( b ( d e ) c ( f ) ) */

struct member {
    sos_frame frame;
    const char *children[2];
    const char *grandchildren[2][2];
    int64_t us;
    char kills; /* 0: nobody */
};

static sos_handle find(const char *name)
{
    struct sos_task_info info = { .name = "" };
    sos_handle at = sos_next_task(world.os, -1);
    for (; at.pid >= 0; at = sos_next_task(world.os, at.pid))
        if (sos_inspect(world.os, at, &info) == SOS_OK && strcmp(info.name, name) == 0)
            break;
    return at;
}

static char who_kills, whom[2];

async_fn(member)
{
    async_begin(member);
    for (int i = 0; i < 2; i++)
        if (self->children[i] != NULL)
            async_spawn(member, sos_opt(.name = self->children[i]),
                        .children = { self->grandchildren[i][0], self->grandchildren[i][1] });
    await(sos_sleep(task, 10));
    if (sos_name(task)[0] == who_kills) {
        note("%s kills %s", sos_name(task), whom);
        note("%s", status_text(sos_kill_tree(sos_of(task), find(whom))));
    }
    await(sos_sleep(task, 10));
    note("%s lives", sos_name(task));
    async_finally;
    note("-%s", sos_name(task));
    async_end;
}

static void family(char killer, char target, const char *trace)
{
    world_open(NULL);
    who_kills = killer;
    whom[0] = target;
    sos_fork(world.os, member, sos_opt(.priority = 2, .name = "a"), .children = { "b", "c" },
             .grandchildren = { { "d", "e" }, { "f", NULL } });
    world_run(SOS_OK, trace);
    CHECK_INT(sos_count(world.os).tasks, 0);
    world_close();
}

#define ALIVE(name) "20 " name " lives\n20 -" name "\n"

static void trees_end_descendants_first(void)
{
    family('a', 'b', "10 a kills b\n10 -d\n10 -e\n10 -b\n10 OK\n" ALIVE("a") ALIVE("c") ALIVE("f"));
    family('c', 'b', "10 c kills b\n10 -d\n10 -e\n10 -b\n10 OK\n" ALIVE("a") ALIVE("c") ALIVE("f"));
    family('a', 'd',
           "10 a kills d\n10 -d\n10 OK\n" ALIVE("a") ALIVE("b") ALIVE("c") ALIVE("e") ALIVE("f"));
}

static void the_root_of_a_tree_may_be_running(void)
{
    family('a', 'a', "10 a kills a\n10 -d\n10 -e\n10 -b\n10 -f\n10 -c\n10 OK\n10 -a\n");
}

/* The running one is marked and ends after its step; every other one ends at once. */
static void a_member_of_the_tree_may_be_running(void)
{
    family('d', 'b', "10 d kills b\n10 -e\n10 -b\n10 OK\n10 -d\n" ALIVE("a") ALIVE("c") ALIVE("f"));
    family('f', 'a', "10 f kills a\n10 -d\n10 -e\n10 -b\n10 -c\n10 -a\n10 OK\n10 -f\n");
    family('b', 'a', "10 b kills a\n10 -d\n10 -e\n10 -f\n10 -c\n10 -a\n10 OK\n10 -b\n");
}

/* ---- During async_finally, nested */

struct last_words {
    sos_frame frame;
    const char *name;
    sos_handle *target;
    bool tree;
    int64_t us;
};

async_fn(last_words)
{
    async_begin(last_words);
    await(sos_sleep(task, self->us));
    async_finally;
    note("%s finally: %s", sos_name(task), status_text(sos_status(task)));
    if (self->target != NULL)
        note("%s kills: %s", sos_name(task),
             status_text(self->tree ? sos_kill_tree(sos_of(task), *self->target)
                                    : sos_kill(sos_of(task), *self->target)));
    note("%s done", sos_name(task));
    async_end;
}

/* a's last words kill b, whose last words kill c, whose last words kill a, which is dying. */
static void last_words_may_kill(void)
{
    sos_handle t[3];
    world_open(NULL);
    for (int i = 0; i < 3; i++)
        t[i] = sos_fork(world.os, last_words,
                        sos_opt(.priority = 2, .name = i == 0   ? "a"
                                                       : i == 1 ? "b"
                                                                : "c"),
                        .target = &t[(i + 1) % 3], .us = 100);
    while (sos_run_once(world.os, 0) == 1)
        ;
    CHECK_INT(sos_kill(world.os, t[0]), SOS_OK);
    world_run(SOS_OK, "0 a finally: ECANCELED\n0 a kills: OK\n0 a done\n"
                      "0 b finally: ECANCELED\n0 b kills: OK\n0 b done\n"
                      "0 c finally: ECANCELED\n0 c kills: OK\n0 c done\n");
    world_close();
}

static void last_words_of_a_return_may_kill_itself(void)
{
    sos_handle t;
    world_open(NULL);
    t = sos_fork(world.os, last_words, sos_opt(.priority = 2, .name = "a"), .target = &t, .us = 5);
    sos_fork(world.os, joiner, sos_opt(.priority = 1, .name = "joiner"), .target = t);
    world_run(SOS_OK, "5 a finally: OK\n5 a kills: OK\n5 a done\n5 joiner: ECANCELED\n");
    world_close();
}

struct outer_words {
    sos_frame frame;
    sos_handle *target;
};

async_fn(outer_words)
{
    async_begin(outer_words);
    await(sos_within(task, 5, async_call(last_words, .target = self->target, .us = 100)));
    note("not reached");
    async_finally;
    note("outer finally: %s", status_text(sos_status(task)));
    async_end;
}

/* A time-out unwinds to its deadline; a kill on the way takes it further, to the bottom. */
static void a_kill_overtakes_a_timeout(void)
{
    sos_handle t;
    world_open(NULL);
    t = sos_fork(world.os, outer_words, sos_opt(.priority = 2, .name = "a"), .target = &t);
    sos_fork(world.os, joiner, sos_opt(.priority = 1, .name = "joiner"), .target = t);
    world_run(SOS_OK, "5 a finally: ETIMEDOUT\n5 a kills: OK\n5 a done\n"
                      "5 outer finally: ECANCELED\n5 joiner: ECANCELED\n");
    world_close();
}

struct late_parent {
    sos_frame frame;
};

async_fn(late_parent)
{
    async_begin(late_parent);
    await(sos_sleep(task, 100));
    async_finally;
    async_spawn(plain, sos_opt(.name = "late"));
    note("spawned");
    async_end;
}

/* A child of last words lives on after a kill, and goes with a kill of the tree. */
static void last_words_may_spawn(void)
{
    world_open(NULL);
    sos_handle p = sos_fork(world.os, late_parent, sos_opt(.priority = 2));
    while (sos_run_once(world.os, 0) == 1)
        ;
    CHECK_INT(sos_kill(world.os, p), SOS_OK);
    world_run(SOS_OK, "0 spawned\n0 late begins\n0 late ends\n0 late finally: OK\n");
    p = sos_fork(world.os, late_parent, sos_opt(.priority = 2));
    while (sos_run_once(world.os, 0) == 1)
        ;
    CHECK_INT(sos_kill_tree(world.os, p), SOS_OK);
    world_run(SOS_OK, "0 spawned\n");
    world_close();
}

int main(void)
{
    in_each_kind_of_wait();
    in_each_kind_of_wait_already_satisfied();
    never_started_or_ready();
    itself_while_running();
    by_its_parent_and_by_its_child();
    by_a_signal_handler();
    trees_end_descendants_first();
    the_root_of_a_tree_may_be_running();
    a_member_of_the_tree_may_be_running();
    last_words_may_kill();
    last_words_of_a_return_may_kill_itself();
    a_kill_overtakes_a_timeout();
    last_words_may_spawn();
    return 0;
}
