/* SPDX-License-Identifier: MIT */
/* Every mistake has a defined answer: an error here, a trap in tests/trap. */
#include <pthread.h>

#include "smallos/unix.h"
#include "world.h"

/* ---- Stale handles */

struct user_of_handles {
    sos_frame frame;
    sos_handle gone;
    struct sos_join joins[2];
};

async_fn(user_of_handles)
{
    async_begin(user_of_handles);
    await(sos_join(task, self->gone));
    CHECK_INT(sos_status(task), SOS_ESTALE);
    self->joins[0].task = self->joins[1].task = self->gone;
    await(sos_join_all(task, self->joins, 2));
    CHECK_INT(sos_status(task), SOS_ESTALE);
    await(sos_join_any(task, self->joins, 2));
    CHECK_INT(sos_status(task), SOS_ESTALE);
    note("all refused");
    async_end;
}

static void check_stale(sos_handle gone)
{
    struct sos_task_info info;
    struct sos_account account;
    int result = 77;
    CHECK_INT(sos_signal(world.os, gone, 1), SOS_ESTALE);
    CHECK_INT(sos_kill(world.os, gone), SOS_ESTALE);
    CHECK_INT(sos_kill_tree(world.os, gone), SOS_ESTALE);
    CHECK_INT(sos_wake(world.os, gone), SOS_ESTALE);
    CHECK_INT(sos_release(world.os, gone), SOS_ESTALE);
    CHECK_INT(sos_set_priority(world.os, gone, 1), SOS_ESTALE);
    CHECK_INT(sos_result(world.os, gone, &result), SOS_ESTALE);
    CHECK_INT(result, 77);
    CHECK_INT(sos_inspect(world.os, gone, &info), SOS_ESTALE);
    CHECK_INT(sos_account_of(world.os, gone, &account), SOS_ESTALE);
    CHECK(sos_next_child(world.os, gone, (sos_handle){ -1, 0 }).pid < 0);
}

/* Its pid has gone to another task, which must not be hit instead. */
static void a_stale_handle_hits_nobody(void)
{
    world_open(&(struct sos_config){ .task_capacity = 2 });
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    sos_handle gone = sos_fork(world.os, ender, sos_opt(.priority = 1, .detached = true));
    sos_handle fork = sos_fork(world.os, ender, sos_opt(.priority = 1, .detached = true));
    world_run(SOS_OK, "0 ender\n0 ender\n");
    check_stale(gone);
    sos_handle heir = sos_fork(world.os, sleeper, sos_opt(.priority = 1, .name = "heir"), .us = 5);
    CHECK_INT(heir.pid, gone.pid);
    check_stale(gone);
    check_stale(fork);
    sos_fork(world.os, user_of_handles, sos_opt(.priority = 2), .gone = gone);
    world_run(SOS_OK, "0 heir begins\n0 all refused\n5 heir ends\n");
    world_close();
}

/* What a failed spawn returns, and numbers that no handle ever had. */
static void handles_that_never_were(void)
{
    static const sos_handle handles[] = { { SOS_ECAPACITY, 0 }, { -1, 0 },   { INT32_MIN, 0 },
                                          { INT32_MAX, 0 },     { 1024, 0 }, { 0, 9 } };
    world_open(NULL);
    CHECK_INT(sos_accounting(world.os, true), SOS_OK);
    sos_fork(world.os, ender, sos_opt(.priority = 1));
    for (size_t index = 0; index < sizeof handles / sizeof handles[0]; index++)
        check_stale(handles[index]);
    CHECK_INT(sos_find(world.os, -1).pid, SOS_ESTALE);
    CHECK_INT(sos_find(world.os, 1024).pid, SOS_ESTALE);
    CHECK_INT(sos_find(world.os, 1).pid, SOS_ESTALE);
    CHECK_INT(sos_post(world.os, handles[0], 1), SOS_OK); /* told later: by nobody */
    world_run(SOS_OK, "0 ender\n");
    world_close();
}

/* An ended task whose record is still there can be asked, but no more be moved. */
static void an_ended_task_is_no_target(void)
{
    world_open(NULL);
    sos_handle ended = sos_fork(world.os, ender, sos_opt(.priority = 1), .status = 4);
    world_run(SOS_OK, "0 ender\n");
    CHECK_INT(sos_signal(world.os, ended, 1), SOS_ESTALE);
    CHECK_INT(sos_kill(world.os, ended), SOS_ESTALE);
    CHECK_INT(sos_kill_tree(world.os, ended), SOS_ESTALE);
    CHECK_INT(sos_wake(world.os, ended), SOS_ESTALE);
    CHECK_INT(sos_set_priority(world.os, ended, 1), SOS_ESTALE);
    int result = 0;
    CHECK_INT(sos_result(world.os, ended, &result), SOS_OK);
    CHECK_INT(result, 4);
    CHECK_INT(sos_release(world.os, ended), SOS_OK);
    CHECK_INT(sos_release(world.os, ended), SOS_ESTALE);
    world_close();
}

/* ---- The wrong thread */

static void *from_another_thread(void *argument)
{
    const sos_handle *target = argument;
    const struct sos_start start = sos_start(ender, sos_opt(.priority = 1));
    CHECK_INT(sos_signal(world.os, *target, 1), SOS_ETHREAD);
    CHECK_INT(sos_kill(world.os, *target), SOS_ETHREAD);
    CHECK_INT(sos_kill_tree(world.os, *target), SOS_ETHREAD);
    CHECK_INT(sos_wake(world.os, *target), SOS_ETHREAD);
    CHECK_INT(sos_release(world.os, *target), SOS_ETHREAD);
    CHECK_INT(sos_set_priority(world.os, *target, 1), SOS_ETHREAD);
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_ETHREAD);
    CHECK_INT(sos_fork(world.os, ender, sos_opt(.priority = 1)).pid, SOS_ETHREAD);
    CHECK_INT(sos_print(world.os, "no"), SOS_ETHREAD);
    CHECK_INT(sos_shell_print(world.os, "no", true), SOS_ETHREAD);
    CHECK_INT(sos_accounting(world.os, true), SOS_ETHREAD);
    CHECK_INT(sos_step_limit(world.os, 1), SOS_ETHREAD);
    CHECK_INT(sos_fd_close(world.os, 3), SOS_ETHREAD);
    CHECK_INT(sos_run(world.os), SOS_EBUSY);
    CHECK_INT(sos_run_once(world.os, 0), SOS_EBUSY);
    CHECK_INT(sos_post(world.os, *target, 7), SOS_OK);
    return NULL;
}

struct host {
    sos_frame frame;
    sos_handle me;
    pthread_t thread;
};

async_fn(host)
{
    async_begin(host);
    self->me = sos_self(task);
    CHECK_INT(pthread_create(&self->thread, NULL, from_another_thread, &self->me), 0);
    CHECK_INT(pthread_join(self->thread, NULL), 0);
    await(sos_wait_signal(task, 7));
    note("got %s", status_text(sos_status(task)));
    async_end;
}

static void another_thread_may_only_post_and_stop(void)
{
    world_open(NULL);
    sos_fork(world.os, host, sos_opt(.priority = 1));
    world_run(SOS_OK, "0 got 7\n");
    world_close();
}

static void *stop_from_another_thread(void *argument)
{
    (void)argument;
    sos_stop(world.os);
    return NULL;
}

struct stopped {
    sos_frame frame;
    pthread_t thread;
};

async_fn(stopped)
{
    async_begin(stopped);
    CHECK_INT(pthread_create(&self->thread, NULL, stop_from_another_thread, NULL), 0);
    CHECK_INT(pthread_join(self->thread, NULL), 0);
    await(sos_sleep(task, SOS_FOREVER));
    async_finally;
    note("ends: %s", status_text(sos_status(task)));
    async_end;
}

static void another_thread_stops_the_run(void)
{
    world_open(NULL);
    sos_fork(world.os, stopped, sos_opt(.priority = 1));
    world_run(SOS_ECANCELED, "0 ends: ECANCELED\n");
    world_close();
}

/* ---- Too large, too many */

struct huge {
    sos_frame frame;
    char bytes[300000];
};

async_fn(huge)
{
    async_begin(huge);
    note("never runs");
    async_end;
}

/* The largest there can be: its size is counted in 16 bits of 4 bytes. */
struct largest {
    sos_frame frame;
    char bytes[65534 * 4 - sizeof(sos_frame)];
};

async_fn(largest)
{
    async_begin(largest);
    self->bytes[sizeof self->bytes - 1] = 1;
    await(sos_yield(task));
    note("the largest runs: %d", self->bytes[sizeof self->bytes - 1]);
    async_end;
}

struct caller_of_huge {
    sos_frame frame;
};

async_fn(caller_of_huge)
{
    async_begin(caller_of_huge);
    await(async_call(huge));
    note("call: %s", status_text(sos_status(task)));
    await(sos_within(task, 5, async_call(huge)));
    note("call with a deadline: %s", status_text(sos_status(task)));
    note("spawn: %s", status_text(async_spawn(huge, sos_opt()).pid));
    await(async_call(largest));
    note("call of the largest: %s", status_text(sos_status(task)));
    async_end;
}

static void a_frame_can_be_too_large(void)
{
    world_open(NULL);
    CHECK_INT(sos_fork(world.os, huge, sos_opt(.priority = 1)).pid, SOS_EINVAL);
    CHECK_INT(sos_count(world.os).tasks, 0);
    sos_fork(world.os, caller_of_huge, sos_opt(.priority = 1));
    sos_fork(world.os, largest, sos_opt(.priority = 2));
    world_run(SOS_OK, "0 call: EINVAL\n0 call with a deadline: EINVAL\n0 spawn: EINVAL\n"
                      "0 the largest runs: 1\n0 call of the largest: OK\n"
                      "0 the largest runs: 1\n");
    world_close();
}

struct breeder {
    sos_frame frame;
    sos_handle child;
};

async_fn(breeder)
{
    async_begin(breeder);
    while ((self->child = async_spawn(sleeper, sos_opt(.name = "s"), .us = 1)).pid >= 0)
        note("has %d", (int)self->child.pid);
    note("no more: %s", status_text(self->child.pid));
    await(sos_sleep(task, 2));
    note("ended ones count: %s", status_text(async_spawn(ender, sos_opt()).pid));
    sos_release(sos_of(task), sos_find(sos_of(task), 1));
    note("room again: %s", status_text(async_spawn(ender, sos_opt(.name = "e")).pid));
    await(sos_yield(task));
    async_end;
}

static void capacity_is_reached_without_harm(void)
{
    world_open(&(struct sos_config){ .task_capacity = 3 });
    sos_fork(world.os, breeder, sos_opt(.priority = 1));
    world_run(SOS_OK, "0 has 1\n0 has 2\n0 no more: ECAPACITY\n0 s begins\n0 s begins\n"
                      "1 s ends\n1 s ends\n2 ended ones count: ECAPACITY\n2 room again: 1\n2 e\n");
    world_close();
}

/* ---- Arguments out of range */

struct chancer {
    sos_frame frame;
};

async_fn(chancer)
{
    async_begin(chancer);
    await(sos_wait_signal(task, 32));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    await(sos_wait_signal(task, -1));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    await(sos_wait_signals(task, 0));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    await(sos_join_any(task, NULL, 0));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    await(sos_join_all(task, NULL, 3));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    await(sos_within(task, -1, sos_sleep(task, 1)));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    await(sos_wait_readable(task, 12345));
    CHECK_INT(sos_status(task), SOS_EBADF);
    await(sos_read(task, -1, NULL, 5));
    CHECK_INT(sos_status(task), SOS_EINVAL);
    CHECK_INT(sos_check_signal(task, 32), SOS_EINVAL);
    CHECK_INT(sos_signal(sos_of(task), sos_self(task), -1), SOS_EINVAL);
    CHECK_INT(sos_post(sos_of(task), sos_self(task), 32), SOS_EINVAL);
    CHECK_INT(sos_set_priority(sos_of(task), sos_self(task), 0), SOS_EINVAL);
    CHECK_INT(sos_set_priority(sos_of(task), sos_self(task), 10), SOS_EINVAL);
    CHECK_INT(sos_fd_close(sos_of(task), 12345), SOS_EBADF);
    CHECK_INT(async_spawn(ender, sos_opt(.priority = 10)).pid, SOS_EINVAL);
    CHECK_INT(sos_run(sos_of(task)), SOS_EBUSY);
    sos_destroy(sos_of(task)); /* while it runs: nothing */
    note("unharmed");
    async_end;
}

static void arguments_out_of_range(void)
{
    struct sos_queue queue;
    int item;
    world_open(NULL);
    CHECK_INT(sos_queue_init(&queue, "q", &item, 0, 1), SOS_EINVAL);
    CHECK_INT(sos_queue_init(&queue, "q", &item, 1, 0), SOS_EINVAL);
    CHECK_INT(sos_queue_init(&queue, "q", NULL, 1, 1), SOS_EINVAL);
    CHECK_INT(sos_fork_list(world.os, NULL, 1, NULL), SOS_EINVAL);
    CHECK_INT(sos_fork_list(NULL, NULL, 0, NULL), SOS_EINVAL);
    CHECK_INT(sos_fork(world.os, ender, sos_opt()).pid, SOS_EINVAL);
    CHECK_INT(sos_fork(world.os, ender, sos_opt(.priority = 10)).pid, SOS_EINVAL);
    sos_fork(world.os, chancer, sos_opt(.priority = 1));
    world_run(SOS_OK, "0 unharmed\n");
    world_close();
}

/* ---- Making a runtime */

static void refused(const struct sos_config *config)
{
    struct sos_kernel *kernel;
    sos *os = (sos *)&kernel;
    CHECK_INT(sos_sim_create(&kernel, NULL), SOS_OK);
    CHECK_INT(sos_create(&os, config, kernel), SOS_EINVAL);
    CHECK(os == NULL);
    CHECK_INT(sos_sim_destroy(kernel), 0);
}

static void configurations_out_of_range(void)
{
    static char odd[4097];
    refused(&(struct sos_config){ .task_capacity = SOS_NONE });
    refused(&(struct sos_config){ .task_capacity = UINT32_MAX - 1 });
    refused(&(struct sos_config){ .priority_levels = 1 });
    refused(&(struct sos_config){ .priority_levels = 257 });
    refused(&(struct sos_config){ .post_capacity = 3 });
    refused(&(struct sos_config){ .post_capacity = SOS_NONE });
    refused(&(struct sos_config){ .memory = odd + 1, .memory_size = 4096 });
}

static void kernels_that_lack_something(void)
{
    struct sos_kernel *kernel;
    sos *os;
    CHECK_INT(sos_create(&os, NULL, NULL), SOS_EINVAL);
    CHECK(os == NULL);
    CHECK_INT(sos_sim_create(&kernel, NULL), SOS_OK);
    CHECK_INT(sos_create(NULL, NULL, kernel), SOS_EINVAL);
    uint64_t (*now)(struct sos_kernel *) = kernel->now;
    kernel->now = NULL;
    CHECK_INT(sos_create(&os, NULL, kernel), SOS_EINVAL);
    kernel->now = now;
    kernel->wait = NULL;
    CHECK_INT(sos_create(&os, NULL, kernel), SOS_EINVAL);
    CHECK_INT(sos_sim_destroy(kernel), 0);
    sos_destroy(NULL);
    CHECK_INT(sos_sim_destroy(NULL), 0);
    sos_unix_kernel_destroy(NULL);
}

/* A buffer that is too small for the runtime itself, or for one more task. */
static void memory_of_ones_own_runs_out(void)
{
    static _Alignas(8) char memory[16384];
    struct sos_config config = { .task_capacity = 64, .memory = memory, .memory_size = 64 };
    struct sos_kernel *kernel;
    sos *os;
    CHECK_INT(sos_sim_create(&kernel, NULL), SOS_OK);
    CHECK_INT(sos_create(&os, &config, kernel), SOS_ENOMEM);
    CHECK(os == NULL);
    config.memory_size = sizeof memory;
    CHECK_INT(sos_create(&os, &config, kernel), SOS_OK);
    int added = 0;
    sos_handle last;
    while ((last = sos_fork(os, largest, sos_opt(.priority = 1))).pid >= 0)
        added++;
    CHECK_INT(last.pid, SOS_ENOMEM);
    CHECK_INT(sos_count(os).tasks, added);
    CHECK_INT(sos_memory(os).reserved <= sizeof memory, 1);
    sos_destroy(os);
    CHECK_INT(sos_sim_memory(kernel).allocations, 0);
    CHECK_INT(sos_sim_destroy(kernel), 0);
}

int main(void)
{
    a_stale_handle_hits_nobody();
    handles_that_never_were();
    an_ended_task_is_no_target();
    another_thread_may_only_post_and_stop();
    another_thread_stops_the_run();
    a_frame_can_be_too_large();
    capacity_is_reached_without_harm();
    arguments_out_of_range();
    configurations_out_of_range();
    kernels_that_lack_something();
    memory_of_ones_own_runs_out();
    return 0;
}
