/* SPDX-License-Identifier: MIT */
/* Scopes: whichever way their frame is left, the children in them have ended before. */
#include "world.h"

struct noisy {
    sos_frame frame;
    int64_t us;
    int status;
    bool spawns;
};

/* Says when it ends and how; may have a child of its own. */
async_fn(noisy)
{
    async_begin(noisy);
    if (self->spawns)
        async_spawn(noisy, sos_opt(.name = "grandchild"), .us = self->us + 1);
    await(sos_sleep(task, self->us));
    async_return(self->status);
    async_finally;
    note("-%s: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

enum leave { BY_END, BY_RETURN, BY_TRY, BY_CLEAR, BY_JOIN, BY_SLEEP };

struct scoped {
    sos_frame frame;
    enum leave how;
    int64_t us[3];
    int statuses[3];
    bool spawns;
    struct sos_scope scope;
};

async_fn(scoped)
{
    async_begin(scoped);
    static const char *const names[] = { "x", "y", "z" };
    async_spawn(noisy, sos_opt(.name = "before"), .us = 500);
    sos_scope_open(task, &self->scope);
    for (int i = 0; i < 3; i++)
        if (self->us[i] != 0)
            async_spawn(noisy, sos_opt(.name = names[i]), .us = self->us[i],
                        .status = self->statuses[i], .spawns = self->spawns);
    await(sos_sleep(task, 10));
    if (self->how == BY_RETURN)
        async_return(3);
    if (self->how == BY_TRY)
        try_await(sos_wait_signal(task, 99));
    if (self->how == BY_SLEEP)
        await(sos_sleep(task, 1000));
    if (self->how == BY_CLEAR) {
        sos_scope_clear(task, &self->scope);
        note("cleared");
        async_spawn(noisy, sos_opt(.name = "after"), .us = 100);
        await(sos_sleep(task, 10));
    }
    if (self->how == BY_JOIN) {
        await(sos_scope_join(task, &self->scope));
        note("scope: %s", status_text(sos_status(task)));
    }
    async_finally;
    note("owner finally: %s", status_text(sos_status(task)));
    async_end;
}

struct user {
    sos_frame frame;
    enum leave how;
    int64_t limit;
};

async_fn(user)
{
    async_begin(user);
    await(
        sos_within(task, self->limit, async_call(scoped, .how = self->how, .us = { 100, 5, 100 })));
    note("user: %s", status_text(sos_status(task)));
    await(sos_sleep(task, 10));
    note("user lives");
    async_end;
}

static void leave(enum leave how, const char *trace)
{
    world_open(NULL);
    sos_fork(world.os, user, sos_opt(.priority = 2), .how = how, .limit = SOS_FOREVER);
    world_run(SOS_OK, trace);
    world_close();
}

static void children_end_before_the_finally_part_of_their_scope(void)
{
    leave(BY_END, "5 -y: OK\n10 -x: ECANCELED\n10 -z: ECANCELED\n10 owner finally: OK\n"
                  "10 user: OK\n20 user lives\n500 -before: OK\n");
    leave(BY_RETURN, "5 -y: OK\n10 -x: ECANCELED\n10 -z: ECANCELED\n10 owner finally: 3\n"
                     "10 user: 3\n20 user lives\n500 -before: OK\n");
    leave(BY_TRY, "5 -y: OK\n10 -x: ECANCELED\n10 -z: ECANCELED\n10 owner finally: EINVAL\n"
                  "10 user: EINVAL\n20 user lives\n500 -before: OK\n");
    leave(BY_CLEAR, "5 -y: OK\n10 -x: ECANCELED\n10 -z: ECANCELED\n10 cleared\n"
                    "20 -after: ECANCELED\n20 owner finally: OK\n20 user: OK\n30 user lives\n"
                    "500 -before: OK\n");
    leave(BY_JOIN, "5 -y: OK\n100 -x: OK\n100 -z: OK\n100 scope: OK\n100 owner finally: OK\n"
                   "100 user: OK\n110 user lives\n500 -before: OK\n");
}

static void a_deadline_leaves_a_scope(void)
{
    world_open(NULL);
    sos_fork(world.os, user, sos_opt(.priority = 2), .how = BY_SLEEP, .limit = 50);
    world_run(SOS_OK, "5 -y: OK\n50 -x: ECANCELED\n50 -z: ECANCELED\n"
                      "50 owner finally: ETIMEDOUT\n50 user: ETIMEDOUT\n60 user lives\n"
                      "500 -before: OK\n");
    world_close();
}

struct killer {
    sos_frame frame;
    sos_handle target;
};

async_fn(killer)
{
    async_begin(killer);
    await(sos_sleep(task, 50));
    note("kill: %s", status_text(sos_kill(sos_of(task), self->target)));
    async_end;
}

static void a_kill_leaves_a_scope(void)
{
    world_open(NULL);
    sos_handle u = sos_fork(world.os, user, sos_opt(.priority = 2), .how = BY_SLEEP,
                            .limit = SOS_FOREVER);
    sos_fork(world.os, killer, sos_opt(.priority = 1), .target = u);
    world_run(SOS_OK, "5 -y: OK\n50 -x: ECANCELED\n50 -z: ECANCELED\n"
                      "50 owner finally: ECANCELED\n50 kill: OK\n500 -before: OK\n");
    world_close();
}

/* Descendants of the scope's children end with them, before them. */
static void grandchildren_go_too(void)
{
    world_open(NULL);
    sos_fork(world.os, scoped, sos_opt(.priority = 2), .how = BY_END, .us = { 100 },
             .spawns = true);
    world_run(SOS_OK, "10 -grandchild: ECANCELED\n10 -x: ECANCELED\n10 owner finally: OK\n"
                      "500 -before: OK\n");
    world_close();
}

static void the_first_failure_wakes_the_owner(void)
{
    world_open(NULL);
    sos_fork(world.os, scoped, sos_opt(.priority = 2), .how = BY_JOIN, .us = { 100, 50, 20 },
             .statuses = { 0, SOS_EIO, 4 });
    world_run(SOS_OK, "20 -z: 4\n50 -y: EIO\n50 scope: EIO\n50 -x: ECANCELED\n"
                      "50 owner finally: OK\n500 -before: OK\n");
    /* One that failed before anybody waited counts as well, at once. */
    sos_fork(world.os, scoped, sos_opt(.priority = 2), .how = BY_JOIN, .us = { 100, 5 },
             .statuses = { 0, SOS_EIO });
    world_run(SOS_OK, "505 -y: EIO\n510 scope: EIO\n510 -x: ECANCELED\n510 owner finally: OK\n"
                      "1000 -before: OK\n");
    world_close();
}

struct outside_scope {
    sos_frame frame;
    struct sos_scope scope;
};

async_fn(outside_scope)
{
    async_begin(outside_scope);
    async_spawn(noisy, sos_opt(.name = "outside"), .us = 10, .status = SOS_EIO);
    sos_scope_open(task, &self->scope);
    async_spawn(noisy, sos_opt(.name = "inside"), .us = 20);
    await(sos_scope_join(task, &self->scope));
    note("scope: %s", status_text(sos_status(task)));
    async_end;
}

/* A child of before the scope is none of its business: its failure is reported as ever. */
static void a_failure_outside_of_the_scope_is_reported(void)
{
    world_open(NULL);
    sos_fork(world.os, outside_scope, sos_opt(.priority = 2));
    world_run(SOS_OK, "10 -outside: EIO\n20 -inside: OK\n20 scope: OK\n"
                      "20 ! failed: outside EIO\n");
    world_close();
}

static void an_empty_scope_is_joined_at_once(void)
{
    world_open(NULL);
    sos_fork(world.os, scoped, sos_opt(.priority = 2), .how = BY_JOIN);
    world_run(SOS_OK, "10 scope: OK\n10 owner finally: OK\n500 -before: OK\n");
    world_close();
}

/* ---- Nested scopes of one task: each owns what was spawned since it was opened */

struct inner_scope {
    sos_frame frame;
    struct sos_scope scope;
};

async_fn(inner_scope)
{
    async_begin(inner_scope);
    sos_scope_open(task, &self->scope);
    async_spawn(noisy, sos_opt(.name = "inner"), .us = 100);
    await(sos_sleep(task, 10));
    async_finally;
    note("inner owner finally");
    async_end;
}

struct outer_scope {
    sos_frame frame;
    struct sos_scope scope;
};

async_fn(outer_scope)
{
    async_begin(outer_scope);
    sos_scope_open(task, &self->scope);
    async_spawn(noisy, sos_opt(.name = "outer"), .us = 100);
    await(async_call(inner_scope));
    note("between");
    await(sos_sleep(task, 10));
    async_finally;
    note("outer owner finally");
    async_end;
}

static void scopes_nest(void)
{
    world_open(NULL);
    sos_fork(world.os, outer_scope, sos_opt(.priority = 2));
    world_run(SOS_OK, "10 -inner: ECANCELED\n10 inner owner finally\n10 between\n"
                      "20 -outer: ECANCELED\n20 outer owner finally\n");
    sos_handle o = sos_fork(world.os, outer_scope, sos_opt(.priority = 2));
    while (sos_run_once(world.os, 0) == 1)
        ;
    CHECK_INT(sos_kill(world.os, o), SOS_OK);
    world_run(SOS_OK, "20 -inner: ECANCELED\n20 inner owner finally\n20 -outer: ECANCELED\n"
                      "20 outer owner finally\n");
    world_close();
}

/* Pids that wrap round do not confuse a scope about who is in it. */
struct wrapper {
    sos_frame frame;
    int rounds;
    struct sos_scope scope;
};

async_fn(wrapper)
{
    async_begin(wrapper);
    async_spawn(noisy, sos_opt(.name = "before"), .us = 100);
    for (; self->rounds > 0; self->rounds--)
        await(sos_join(task, async_spawn(ender, sos_opt(.name = "n"))));
    sos_scope_open(task, &self->scope);
    async_spawn(noisy, sos_opt(.name = "in"), .us = 100);
    async_spawn(noisy, sos_opt(.name = "in too"), .us = 100);
    await(sos_sleep(task, 1));
    async_end;
}

static void pids_that_wrap_round_do_not_matter(void)
{
    for (int rounds = 0; rounds < 9; rounds++) {
        char expected[200] = "";
        for (int i = 0; i < rounds; i++)
            strcat(expected, "0 n\n");
        strcat(expected, "1 -in: ECANCELED\n1 -in too: ECANCELED\n100 -before: OK\n");
        world_open(&(struct sos_config){ .task_capacity = 4 });
        sos_fork(world.os, wrapper, sos_opt(.priority = 2), .rounds = rounds);
        world_run(SOS_OK, expected);
        world_close();
    }
}

/* A child that leaves with the scope may be the one that is running: it ends after its step. */
struct scope_child {
    sos_frame frame;
    sos_handle owner;
};

async_fn(scope_child)
{
    async_begin(scope_child);
    await(sos_sleep(task, 1));
    note("child kills owner: %s", status_text(sos_kill(sos_of(task), sos_parent(task))));
    await(sos_sleep(task, 1));
    note("not reached");
    async_finally;
    note("child finally: %s", status_text(sos_status(task)));
    async_end;
}

struct killed_owner {
    sos_frame frame;
    struct sos_scope scope;
};

async_fn(killed_owner)
{
    async_begin(killed_owner);
    sos_scope_open(task, &self->scope);
    async_spawn(scope_child, sos_opt());
    async_spawn(noisy, sos_opt(.name = "other"), .us = 100);
    await(sos_scope_join(task, &self->scope));
    note("not reached");
    async_finally;
    note("owner finally: %s", status_text(sos_status(task)));
    async_end;
}

static void a_running_child_may_kill_the_owner(void)
{
    world_open(NULL);
    sos_fork(world.os, killed_owner, sos_opt(.priority = 2));
    world_run(SOS_OK, "1 -other: ECANCELED\n1 owner finally: ECANCELED\n"
                      "1 child kills owner: OK\n1 child finally: ECANCELED\n");
    world_close();
}

int main(void)
{
    children_end_before_the_finally_part_of_their_scope();
    a_deadline_leaves_a_scope();
    a_kill_leaves_a_scope();
    grandchildren_go_too();
    the_first_failure_wakes_the_owner();
    a_failure_outside_of_the_scope_is_reported();
    an_empty_scope_is_joined_at_once();
    scopes_nest();
    pids_that_wrap_round_do_not_matter();
    a_running_child_may_kill_the_owner();
    return 0;
}
