/* SPDX-License-Identifier: MIT */
/* Corners: what handlers and async_finally parts may do in the middle of something else. */
#include "world.h"

/* ---- Handlers that run while posted signals are collected */

enum deed { KILL, KILL_TREE, DEMOTE, PROMOTE, WAKE, SIGNAL };

static struct {
    enum deed deed;
    sos_handle tasks[3], target;
} plan;

/* Waits for a signal and notes what came. */
struct woken {
    sos_frame frame;
};

async_fn(woken)
{
    async_begin(woken);
    await(sos_wait_signal(task, 1));
    note("%s woke: %s", sos_name(task), status_text(sos_status(task)));
    async_finally;
    note("-%s: %s", sos_name(task), status_text(sos_status(task)));
    async_end;
}

static void do_deed(sos_task *task, int signal, void *context)
{
    int status = SOS_OK;
    (void)signal;
    (void)context;
    if (plan.deed == KILL)
        status = sos_kill(world.os, plan.target);
    if (plan.deed == KILL_TREE)
        status = sos_kill_tree(world.os, plan.target);
    if (plan.deed == DEMOTE || plan.deed == PROMOTE)
        status = sos_set_priority(world.os, plan.target, plan.deed == DEMOTE ? 5 : 1);
    if (plan.deed == WAKE)
        status = sos_wake(world.os, plan.target);
    if (plan.deed == SIGNAL)
        status = sos_signal(world.os, plan.target, 2);
    note("%s handles: %s", sos_name(task), status_text(status));
}

struct poster {
    sos_frame frame;
    int rounds;
};

async_fn(poster)
{
    async_begin(poster);
    await(sos_yield(task)); /* all wait by now */
    for (int i = 0; i < 3; i++)
        CHECK_INT(sos_post(world.os, plan.tasks[i], 1), SOS_OK);
    for (; self->rounds < 5; self->rounds++)
        await(sos_yield(task));
    note("poster ends");
    async_end;
}

/* Three tasks are posted to, in this order; the handler of task `actor` does it to `target`. */
static void collect(enum deed deed, int actor, int target, const char *trace)
{
    static const char *const names[] = { "a", "b", "c" };
    world_open(NULL);
    plan.deed = deed;
    for (int i = 0; i < 3; i++)
        plan.tasks[i] = sos_fork(world.os, woken,
                                 sos_opt(.priority = 3, .name = names[i], .external = true,
                                         .on_signal = i == actor ? do_deed : NULL));
    plan.target = plan.tasks[target];
    sos_fork(world.os, poster, sos_opt(.priority = 3));
    world_run(SOS_OK, trace);
    world_close();
}

static void a_handler_may_kill_a_task_woken_just_before(void)
{
    collect(KILL, 1, 0,
            "0 -a: ECANCELED\n0 b handles: OK\n"
            "0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
    collect(KILL, 2, 0,
            "0 -a: ECANCELED\n0 c handles: OK\n"
            "0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
    collect(KILL, 2, 1,
            "0 -b: ECANCELED\n0 c handles: OK\n"
            "0 a woke: 1\n0 -a: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
    collect(KILL_TREE, 2, 0,
            "0 -a: ECANCELED\n0 c handles: OK\n"
            "0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
}

static void a_handler_may_kill_a_task_that_is_woken_next(void)
{
    collect(KILL, 0, 1,
            "0 -b: ECANCELED\n0 a handles: OK\n"
            "0 a woke: 1\n0 -a: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
    collect(KILL, 1, 1,
            "0 -b: ECANCELED\n0 b handles: OK\n"
            "0 a woke: 1\n0 -a: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
}

static void a_handler_may_change_the_priority_of_a_task_woken_just_before(void)
{
    collect(DEMOTE, 1, 0,
            "0 b handles: OK\n0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n"
            "0 a woke: 1\n0 -a: OK\n");
    collect(DEMOTE, 2, 1,
            "0 c handles: OK\n0 a woke: 1\n0 -a: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n"
            "0 b woke: 1\n0 -b: OK\n");
    collect(PROMOTE, 1, 0,
            "0 b handles: OK\n0 a woke: 1\n0 -a: OK\n"
            "0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
    collect(PROMOTE, 2, 1,
            "0 c handles: OK\n0 b woke: 1\n0 -b: OK\n"
            "0 a woke: 1\n0 -a: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
}

static void a_handler_may_wake_or_signal_a_task_woken_just_before(void)
{
    collect(WAKE, 2, 0,
            "0 c handles: EAGAIN\n0 a woke: 1\n0 -a: OK\n"
            "0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
    collect(SIGNAL, 2, 0,
            "0 c handles: OK\n0 a woke: 1\n0 -a: OK\n"
            "0 b woke: 1\n0 -b: OK\n"
            "0 c woke: 1\n0 -c: OK\n0 poster ends\n");
}

/* ---- A mutex that has been granted */

static struct sos_mutex mutex;

static void unlock_it(sos_task *task, int signal, void *context)
{
    (void)signal;
    (void)context;
    note("%s unlocks: %s", sos_name(task), status_text(sos_mutex_unlock(task, &mutex)));
}

struct locker {
    sos_frame frame;
};

async_fn(locker)
{
    async_begin(locker);
    await(sos_mutex_lock(task, &mutex));
    note("%s locked", sos_name(task));
    async_finally;
    note("-%s: %s, %s", sos_name(task), status_text(sos_status(task)),
         status_text(sos_mutex_unlock(task, &mutex)));
    async_end;
}

struct owner {
    sos_frame frame;
};

async_fn(owner)
{
    async_begin(owner);
    await(sos_mutex_lock(task, &mutex));
    await(sos_sleep(task, 1000));
    sos_mutex_unlock(task, &mutex);
    CHECK_INT(sos_signal(world.os, plan.target, 1), SOS_OK);
    CHECK_INT(sos_kill(world.os, plan.target), SOS_OK);
    async_end;
}

static void hand_over(bool third, const char *trace)
{
    world_open(NULL);
    sos_mutex_init(&mutex, "m");
    sos_fork(world.os, owner, sos_opt(.priority = 1));
    plan.target = sos_fork(world.os, locker,
                           sos_opt(.priority = 2, .name = "next", .on_signal = unlock_it));
    if (third)
        sos_fork(world.os, locker, sos_opt(.priority = 3, .name = "third"));
    world_run(SOS_OK, trace);
    CHECK(mutex.owner == NULL);
    world_close();
}

static void a_granted_mutex_may_be_unlocked_before_its_owner_dies(void)
{
    hand_over(false, "1000 next unlocks: OK\n1000 -next: ECANCELED, EPERM\n");
    hand_over(true, "1000 next unlocks: OK\n1000 -next: ECANCELED, EPERM\n"
                    "1000 third locked\n1000 -third: OK, OK\n");
}

/* ---- A scope that grows while it is joined */

struct child {
    sos_frame frame;
    int64_t us;
    int status;
};

async_fn(child)
{
    async_begin(child);
    await(sos_sleep(task, self->us));
    note("-%s", sos_name(task));
    async_return(self->status);
    async_end;
}

static struct child late;

static void add_child(sos_task *task, int signal, void *context)
{
    (void)signal;
    (void)context;
    async_spawn(child, sos_opt(.name = "late"), .us = late.us, .status = late.status);
}

struct parent {
    sos_frame frame;
    struct sos_scope scope;
};

async_fn(parent)
{
    async_begin(parent);
    sos_scope_open(task, &self->scope);
    async_spawn(child, sos_opt(.name = "early"), .us = 100);
    await(sos_scope_join(task, &self->scope));
    note("joined: %s", status_text(sos_status(task)));
    async_end;
}

struct signaler {
    sos_frame frame;
    sos_handle target;
    int rounds;
};

async_fn(signaler)
{
    async_begin(signaler);
    for (; self->rounds > 0; self->rounds--) {
        await(sos_sleep(task, 2));
        CHECK_INT(sos_signal(world.os, self->target, 3), SOS_OK);
    }
    async_end;
}

static void grow(int64_t us, int status, int times, const char *trace)
{
    late = (struct child){ .us = us, .status = status };
    world_open(NULL);
    sos_handle target = sos_fork(world.os, parent, sos_opt(.priority = 1, .on_signal = add_child));
    sos_fork(world.os, signaler, sos_opt(.priority = 2), .target = target, .rounds = times);
    world_run(SOS_OK, trace);
    world_close();
}

static void a_scope_join_waits_for_children_added_meanwhile(void)
{
    grow(1, 0, 1, "3 -late\n100 -early\n100 joined: OK\n");
    grow(200, 0, 1, "100 -early\n202 -late\n202 joined: OK\n");
    grow(10, 0, 3, "12 -late\n14 -late\n16 -late\n100 -early\n100 joined: OK\n");
    grow(200, 0, 2, "100 -early\n202 -late\n204 -late\n204 joined: OK\n");
    grow(10, SOS_EIO, 1, "12 -late\n12 joined: EIO\n");
}

/* ---- async_finally parts outside of a run */

enum last_wish { DESTROY, RUN, RUN_ONCE };

struct wishful {
    sos_frame frame;
    enum last_wish wish;
};

async_fn(wishful)
{
    async_begin(wishful);
    await(sos_sleep(task, 1000));
    async_finally;
    note("-%s: %s", sos_name(task), status_text(sos_status(task)));
    if (self->wish == DESTROY)
        sos_destroy(world.os);
    if (self->wish == RUN)
        note("run: %s", status_text(sos_run(world.os)));
    if (self->wish == RUN_ONCE)
        note("run once: %s", status_text(sos_run_once(world.os, 0)));
    async_end;
}

static void kill_outside_of_a_run(enum last_wish wish, const char *trace)
{
    world_open(NULL);
    sos_handle wisher = sos_fork(world.os, wishful, sos_opt(.priority = 1, .name = "w"),
                                 .wish = wish);
    sos_fork(world.os, sleeper, sos_opt(.priority = 1, .name = "s"), .us = 50);
    while (sos_run_once(world.os, 0) == 1)
        continue;
    CHECK_INT(sos_kill(world.os, wisher), SOS_OK);
    world_trace(trace);
    world_run(SOS_OK, "50 s ends\n"); /* it is all there still */
    world_close();
}

static void a_finally_part_neither_destroys_nor_runs_its_runtime(void)
{
    kill_outside_of_a_run(DESTROY, "0 s begins\n0 -w: ECANCELED\n");
    kill_outside_of_a_run(RUN, "0 s begins\n0 -w: ECANCELED\n0 run: EBUSY\n");
    kill_outside_of_a_run(RUN_ONCE, "0 s begins\n0 -w: ECANCELED\n0 run once: EBUSY\n");
}

static void destroy(enum last_wish wish, const char *trace)
{
    struct sos_config config = { .eternal_watchers = true };
    world_open(&config);
    sos_fork(world.os, wishful, sos_opt(.priority = 1, .watcher = true, .name = "w"), .wish = wish);
    sos_fork(world.os, wishful, sos_opt(.priority = 1, .watcher = true, .name = "v"));
    while (sos_run_once(world.os, 0) == 1)
        continue;
    sos_destroy(world.os);
    CHECK_TEXT(sos_sim_trace(world.kernel), trace);
    CHECK_INT(sos_sim_destroy(world.kernel), 0);
    world = (struct world){ NULL, NULL };
}

static void nor_does_it_while_the_runtime_is_destroyed(void)
{
    destroy(DESTROY, "0 -w: ECANCELED\n0 -v: ECANCELED\n");
    destroy(RUN, "0 -w: ECANCELED\n0 run: EBUSY\n0 -v: ECANCELED\n");
    destroy(RUN_ONCE, "0 -w: ECANCELED\n0 run once: EBUSY\n0 -v: ECANCELED\n");
}

/* ---- Names that are not there */

static struct {
    struct sos_event event;
    struct sos_semaphore semaphore;
    struct sos_mutex mutex;
    struct sos_queue queue;
    int item;
} nameless;

enum wait_for { ON_EVENT, ON_SEMAPHORE, ON_MUTEX, ON_QUEUE };

struct stuck {
    sos_frame frame;
    enum wait_for what;
    int item;
};

async_fn(stuck)
{
    async_begin(stuck);
    if (self->what == ON_EVENT)
        await(sos_event_wait(task, &nameless.event));
    if (self->what == ON_SEMAPHORE)
        await(sos_semaphore_take(task, &nameless.semaphore));
    if (self->what == ON_MUTEX)
        await(sos_mutex_lock(task, &nameless.mutex));
    if (self->what == ON_MUTEX)
        await(sos_wait_signal(task, 1));
    if (self->what == ON_QUEUE)
        await(sos_queue_get(task, &nameless.queue, &self->item));
    async_end;
}

static void objects_need_no_name(void)
{
    world_open(NULL);
    sos_event_init(&nameless.event, NULL);
    sos_semaphore_init(&nameless.semaphore, NULL, 0);
    sos_mutex_init(&nameless.mutex, NULL);
    CHECK_INT(sos_queue_init(&nameless.queue, NULL, &nameless.item, sizeof nameless.item, 1),
              SOS_OK);
    sos_fork(world.os, stuck, sos_opt(.priority = 1, .name = "e"), .what = ON_EVENT);
    sos_fork(world.os, stuck, sos_opt(.priority = 1, .name = "s"), .what = ON_SEMAPHORE);
    sos_handle holder = sos_fork(world.os, stuck, sos_opt(.priority = 1, .name = "holder"),
                                 .what = ON_MUTEX);
    sos_fork(world.os, stuck, sos_opt(.priority = 1, .name = "m"), .what = ON_MUTEX);
    sos_fork(world.os, stuck, sos_opt(.priority = 1, .name = "q"), .what = ON_QUEUE);
    world_run(SOS_ESTUCK, "0 ! stuck: e on event\n0 ! stuck: s on semaphore\n"
                          "0 ! stuck: holder on signal\n0 ! stuck: m on mutex\n"
                          "0 ! stuck: q on queue item\n");
    CHECK_INT(sos_kill(world.os, holder), SOS_OK);
    world_trace("0 ! held mutex: holder\n");
    world_close();
}

/* As console text, too: nothing prints a NULL. */
static void reports_have_words_for_no_name(void)
{
    struct sos_sim_options options = { .record = true };
    CHECK_INT(sos_sim_create(&world.kernel, &options), SOS_OK);
    CHECK_INT(sos_create(&world.os, NULL, world.kernel), SOS_OK);
    sos_event_init(&nameless.event, NULL);
    struct stuck frame = { .what = ON_EVENT };
    struct sos_start start = {
        .function = stuck, .frame = &frame, .size = sizeof frame, .options = { .priority = 1 }
    };
    sos_handle handle;
    struct sos_task_info info;
    CHECK_INT(sos_fork_list(world.os, &start, 1, &handle), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_ESTUCK);
    CHECK_INT(sos_inspect(world.os, handle, &info), SOS_OK);
    CHECK_TEXT(info.name, "");
    CHECK_TEXT(info.object, "");
    CHECK(strstr(sos_sim_output(world.kernel), "(null)") == NULL);
    CHECK(strlen(sos_sim_output(world.kernel)) > 0);
    world_close();
}

static void tasks_need_no_name(void)
{
    struct ender frame = { .status = SOS_EIO };
    struct sos_start start = { .function = ender,
                               .frame = &frame,
                               .size = sizeof frame,
                               .options = { .priority = 1, .detached = true } };
    world_open(NULL);
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    world_run(SOS_OK, "0 \n0 ! failed:  EIO\n");
    world_close();
}

/* ---- Lines */

static uint32_t line;

struct limited {
    sos_frame frame;
    int kind;
};

async_fn(limited)
{
    async_begin(limited);
    if (self->kind == 0) {
        line = __LINE__ + 1;
        await(sos_within(task, 50, sos_sleep(task, 100)));
    } else if (self->kind == 1) {
        line = __LINE__ + 1;
        await(sos_within(task, 50, sos_within(task, 60, sos_sleep(task, 100))));
    } else if (self->kind == 2) {
        await(sos_within(task, 50, async_call(limited, .kind = 0)));
    } else {
        line = __LINE__ + 1;
        await(sos_sleep(task, 100));
    }
    async_end;
}

static void the_line_under_a_deadline_is_that_of_the_await(void)
{
    for (int kind = 0; kind < 4; kind++) {
        struct sos_task_info info;
        world_open(NULL);
        sos_handle handle = sos_fork(world.os, limited, sos_opt(.priority = 1), .kind = kind);
        line = 0;
        CHECK_INT(sos_run_once(world.os, 0), 0);
        CHECK_INT(sos_inspect(world.os, handle, &info), SOS_OK);
        CHECK_INT(info.wait, SOS_WAIT_SLEEP);
        CHECK_INT(info.line, line);
        CHECK(line != 0);
        world_run(SOS_OK, "");
        world_close();
    }
}

/* ---- Accounting and limits that end within a step */

struct accountant {
    sos_frame frame;
};

async_fn(accountant)
{
    async_begin(accountant);
    await(sos_yield(task));
    async_finally;
    note("off: %s", status_text(sos_accounting(world.os, false)));
    async_end;
}

static void accounting_may_not_be_switched_off_within_a_step(void)
{
    for (int detached = 0; detached < 2; detached++) {
        world_open(NULL);
        CHECK_INT(sos_accounting(world.os, true), SOS_OK);
        sos_fork(world.os, accountant, sos_opt(.priority = 1, .detached = detached != 0));
        sos_fork(world.os, yielder, sos_opt(.priority = 1, .name = "y"), .rounds = 2);
        world_run(SOS_OK, "0 y 0\n0 off: EBUSY\n0 y 1\n");
        world_close();
    }
}

struct unlimited {
    sos_frame frame;
    uint32_t limit;
};

async_fn(unlimited)
{
    async_begin(unlimited);
    sos_sim_spend(world.kernel, 10);
    CHECK_INT(sos_step_limit(world.os, self->limit), SOS_OK);
    async_end;
}

static void limit(uint32_t before, uint32_t within, const char *trace)
{
    world_open(NULL);
    CHECK_INT(sos_step_limit(world.os, before), SOS_OK);
    sos_fork(world.os, unlimited, sos_opt(.priority = 1, .name = "u"), .limit = within);
    world_run(SOS_OK, trace);
    world_close();
}

static void a_limit_switched_off_within_a_step_does_not_count_for_it(void)
{
    limit(1000000, 0, "");
    limit(5, 0, "");
    limit(5, 5, "10 ! long step: u\n");
    limit(1000000, 1000000, "");
}

int main(void)
{
    a_handler_may_kill_a_task_woken_just_before();
    a_handler_may_kill_a_task_that_is_woken_next();
    a_handler_may_change_the_priority_of_a_task_woken_just_before();
    a_handler_may_wake_or_signal_a_task_woken_just_before();
    a_granted_mutex_may_be_unlocked_before_its_owner_dies();
    a_scope_join_waits_for_children_added_meanwhile();
    a_finally_part_neither_destroys_nor_runs_its_runtime();
    nor_does_it_while_the_runtime_is_destroyed();
    objects_need_no_name();
    reports_have_words_for_no_name();
    tasks_need_no_name();
    the_line_under_a_deadline_is_that_of_the_await();
    accounting_may_not_be_switched_off_within_a_step();
    a_limit_switched_off_within_a_step_does_not_count_for_it();
    return 0;
}
