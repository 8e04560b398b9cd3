/* SPDX-License-Identifier: MIT */
/*
 * smallOS's side of the benchmarks that bench/run.py runs.
 *
 *   switch N       one yield and switch between N tasks
 *   spawn          spawn, run, end and join of an empty task
 *   memory         a sleeping task with name, parent and a 16-byte state, everything counted
 *   sleepers       1,000,000 tasks that sleep a random 0..1000 ms: CPU time
 *   sleepers-ms    the same, with wake-ups up to 1 ms late, as timing wheels have them
 *   pairs P        bounces a second of one byte over P socket pairs, both ends in this process
 *   wake-timer     background steps of 10 us between the moment an urgent task is to be woken and
 *   wake-socket    its step, 99.9th percentile: by a timer, by a socket written from another
 *   wake-signal    thread, by a signal posted from another thread
 *
 * --kernel uring|epoll|poll chooses how readiness is learnt.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "smallos/smallos.h"
#include "smallos/unix.h"

static enum sos_unix_backend backend;
static struct sos_kernel *kernel;
static sos *os;

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static long resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL && fscanf(file, "%ld %ld", &total, &resident) == 2, "statm");
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static uint64_t random_state = 0x9E3779B97F4A7C15;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint32_t slack_us; /* 0: as late as the system lets any sleep be */

static void begin(uint32_t capacity)
{
    const struct sos_unix_options options = { .backend = backend, .timer_slack_us = slack_us };
    const struct sos_config config = { .task_capacity = capacity, .priority_levels = 10 };
    check(sos_unix_kernel_create(&kernel, &options) == SOS_OK, "sos_unix_kernel_create");
    check(sos_create(&os, &config, kernel) == SOS_OK, "sos_create");
}

static void run(void)
{
    check(sos_run(os) == SOS_OK, "sos_run");
}

static void end(void)
{
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
}

/* ---- switch */

/* What every real program has: somebody who sleeps and somebody who waits for a descriptor. */
struct sleeping {
    sos_frame frame;
};
struct listening {
    sos_frame frame;
    int fd;
};

static async_fn(sleeping)
{
    async_begin(sleeping);
    await(sos_sleep(task, SOS_SEC(3600)));
    async_end;
}

static async_fn(listening)
{
    async_begin(listening);
    await(sos_wait_readable(task, self->fd));
    async_end;
}

static int bystander_ends[2];

static void add_bystanders(void)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    check(socketpair(AF_UNIX, type, 0, bystander_ends) == 0, "socketpair");
    const struct sos_start starts[] = {
        sos_start(sleeping, sos_opt(.priority = 1, .watcher = true)),
        sos_start(listening, sos_opt(.priority = 1, .watcher = true), .fd = bystander_ends[0]),
    };
    check(sos_fork_list(os, starts, 2, NULL) == SOS_OK, "sos_fork_list");
}

struct yielder {
    sos_frame frame;
    int64_t left;
};

static int64_t yields;

static async_fn(yielder)
{
    async_begin(yielder);
    for (; self->left > 0; self->left--) {
        await(sos_yield(task));
        yields++;
    }
    async_end;
}

static double switch_ns(int tasks, int64_t times)
{
    begin((uint32_t)tasks + 2);
    add_bystanders();
    yields = 0;
    for (int index = 0; index < tasks; index++) {
        sos_handle handle = sos_fork(os, yielder, sos_opt(.priority = 5), .left = times / tasks);
        check(handle.pid >= 0, "sos_fork");
    }
    int64_t start = now_ns();
    run();
    double taken = (double)(now_ns() - start) / (double)yields;
    end();
    return taken;
}

static void bench_switch(int tasks)
{
    switch_ns(tasks, 2000000);
    printf("switch-%d %.3f ns\n", tasks, switch_ns(tasks, 40000000));
}

/* ---- spawn */

struct empty {
    sos_frame frame;
};

static async_fn(empty)
{
    async_begin(empty);
    async_return(1);
    async_end;
}

struct spawner {
    sos_frame frame;
    int64_t left;
    sos_handle child;
};

static int64_t joined;

static async_fn(spawner)
{
    async_begin(spawner);
    for (; self->left > 0; self->left--) {
        self->child = async_spawn(empty, sos_opt());
        await(sos_join(task, self->child));
        joined += sos_status(task);
    }
    async_end;
}

static double spawn_ns(int64_t children)
{
    begin(16);
    joined = 0;
    sos_handle handle = sos_fork(os, spawner, sos_opt(.priority = 5), .left = children);
    check(handle.pid >= 0, "sos_fork");
    int64_t start = now_ns();
    run();
    double taken = (double)(now_ns() - start) / (double)joined;
    check(joined == children, "sos_join");
    end();
    return taken;
}

static void bench_spawn(void)
{
    spawn_ns(200000);
    printf("spawn %.3f ns\n", spawn_ns(8000000));
}

/* ---- memory and sleepers */

enum { MANY = 1000000 };

struct asleep {
    sos_frame frame;
    uint64_t words[2]; /* the state */
};

static uint64_t state_sum;

static async_fn(asleep)
{
    async_begin(asleep);
    await(sos_sleep(task, SOS_SEC(3600)));
    async_finally;
    state_sum += self->words[0] + self->words[1];
    async_end;
}

struct memory_parent {
    sos_frame frame;
    uint64_t index;
    long before;
};

/* In portions, so that not all are runnable at a time. */
static bool spawn_asleep(sos_task *task, uint64_t *index)
{
    do {
        sos_handle child = async_spawn(asleep, sos_opt(.priority = 1, .name = "sleeper"),
                                       .words = { *index, 1 });
        check(child.pid >= 0, "async_spawn");
    } while (++*index % 64 != 0);
    return *index < MANY;
}

static async_fn(memory_parent)
{
    async_begin(memory_parent);
    while (spawn_asleep(task, &self->index))
        await(sos_yield(task));
    await(sos_yield(task));
    printf("memory %.1f bytes\n", (double)(resident_bytes() - self->before) / MANY);
    sos_stop(os);
    async_end;
}

/* From before there is a kernel or a runtime. */
static void bench_memory(void)
{
    long before = resident_bytes();
    begin(MANY + 1);
    sos_fork(os, memory_parent, sos_opt(.priority = 5), .before = before);
    check(sos_run(os) == SOS_ECANCELED, "sos_run");
    end();
    check(state_sum == (uint64_t)MANY * (MANY - 1) / 2 + MANY, "the sum of the states");
}

struct sleeper {
    sos_frame frame;
    int64_t us;
};

static int64_t slept;

static async_fn(sleeper)
{
    async_begin(sleeper);
    await(sos_sleep(task, self->us));
    slept++;
    async_end;
}

static void bench_sleepers(void)
{
    double start = cpu_seconds();
    begin(MANY);
    for (int index = 0; index < MANY; index++) {
        sos_handle handle = sos_fork(os, sleeper, sos_opt(.priority = 5, .detached = true),
                                     .us = (int64_t)(random_next() % 1000001));
        check(handle.pid >= 0, "sos_fork");
    }
    run();
    check(slept == MANY, "sleeping");
    printf("sleepers%s %.4f s\n", slack_us == 0 ? "" : "-ms", cpu_seconds() - start);
    end();
}

/* ---- pairs */

enum { WARM_UP = 50000, BOUNCES = 400000 };

static struct {
    long done;
    int64_t start;
} bounces;

struct bouncer {
    sos_frame frame;
    int fd;
    char bytes[64];
};

static void count_bounce(void)
{
    if (++bounces.done == WARM_UP)
        bounces.start = now_ns();
    if (bounces.done == WARM_UP + BOUNCES)
        sos_stop(os);
}

static async_fn(bouncer)
{
    async_begin(bouncer);
    for (;;) {
        await(sos_read(task, self->fd, self->bytes, sizeof self->bytes));
        check(sos_status(task) == 1, "sos_read");
        await(sos_write(task, self->fd, self->bytes, 1));
        check(sos_status(task) == 1, "sos_write");
        count_bounce();
    }
    async_end;
}

static void bench_pairs(int pairs)
{
    begin((uint32_t)pairs * 2);
    for (int index = 0; index < pairs * 2; index += 2) {
        int ends[2], type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
        check(socketpair(AF_UNIX, type, 0, ends) == 0, "socketpair");
        for (int side = 0; side < 2; side++)
            sos_fork(os, bouncer, sos_opt(.priority = 5), .fd = ends[side]);
        check(write(ends[0], "x", 1) == 1, "write");
    }
    check(sos_run(os) == SOS_ECANCELED, "sos_run");
    printf("pairs-%d %.0f /s\n", pairs, BOUNCES * 1e9 / (double)(now_ns() - bounces.start));
    end();
}

/* ---- wake */

enum { WAKES = 2000, STEP_NS = 10000, BACKGROUND = 4 };

/* Steps are counted when they begin; one that is under way when the event comes is counted. */
static struct {
    atomic_uint steps;    /* of background tasks, begun or done */
    atomic_uint at_event; /* how many there were when the event came */
    atomic_int state;     /* of the handshake with the other thread */
    int64_t due_ns;       /* timer: when the event comes; its step is noted by the step itself */
    unsigned between[WAKES];
    int count;
    int ends[2];
    sos_handle urgent;
    bool by_timer;
} wake;

enum { QUIET, ASKED, STOPPED };

struct background {
    sos_frame frame;
};

static void spin_one_step(void)
{
    unsigned step = atomic_fetch_add(&wake.steps, 1);
    int64_t until = now_ns() + STEP_NS, at = 0;
    do {
        at = now_ns();
        if (wake.by_timer && wake.due_ns != 0 && at >= wake.due_ns) {
            atomic_store(&wake.at_event, step);
            wake.due_ns = 0;
        }
    } while (at < until);
}

static async_fn(background)
{
    async_begin(background);
    for (;;) {
        spin_one_step();
        await(sos_yield(task));
    }
    async_end;
}

/* The steps begun since the event, and the one it came in. */
static void note_wake(void)
{
    unsigned steps = atomic_load(&wake.steps), event = atomic_load(&wake.at_event);
    if (wake.by_timer && wake.due_ns != 0)
        event = steps; /* it came between two steps */
    wake.due_ns = 0;
    wake.between[wake.count++] = steps - event;
    if (wake.count == WAKES)
        sos_stop(os);
}

struct by_timer {
    sos_frame frame;
    int64_t us;
};

static async_fn(by_timer)
{
    async_begin(by_timer);
    for (;;) {
        self->us = 50 + (int64_t)(random_next() % 3000);
        wake.due_ns = (int64_t)(sos_now(os) + (uint64_t)self->us) * 1000;
        await(sos_sleep(task, self->us));
        note_wake();
    }
    async_end;
}

/* Another thread is asked for an event at some time soon. */
struct by_socket {
    sos_frame frame;
    char bytes[64];
};

static async_fn(by_socket)
{
    async_begin(by_socket);
    for (;;) {
        atomic_store(&wake.state, ASKED);
        await(sos_read(task, wake.ends[0], self->bytes, sizeof self->bytes));
        note_wake();
    }
    async_end;
}

struct by_signal {
    sos_frame frame;
};

static async_fn(by_signal)
{
    async_begin(by_signal);
    wake.urgent = sos_self(task);
    for (;;) {
        atomic_store(&wake.state, ASKED);
        await(sos_wait_signal(task, 3));
        note_wake();
    }
    async_end;
}

/* Spins for a random time, so that events fall anywhere into a step. */
static bool wait_for_request(uint64_t *state)
{
    int asked = ASKED;
    while (!atomic_compare_exchange_weak(&wake.state, &asked, QUIET)) {
        if (asked == STOPPED)
            return false;
        asked = ASKED;
        sched_yield();
    }
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    int64_t until = now_ns() + (int64_t)(*state >> 40) % 300000;
    while (now_ns() < until)
        ;
    atomic_store(&wake.at_event, atomic_load(&wake.steps) - 1);
    return true;
}

static void *write_socket(void *argument)
{
    uint64_t state = 1;
    while (wait_for_request(&state))
        check(write(wake.ends[1], "x", 1) == 1, "write");
    return argument;
}

static void *post_signal(void *argument)
{
    uint64_t state = 1;
    while (wait_for_request(&state))
        check(sos_post(os, wake.urgent, 3) == SOS_OK, "sos_post");
    return argument;
}

static int compare(const void *a, const void *b)
{
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
    return (left > right) - (left < right);
}

static void bench_wake(const char *name, const struct sos_start *urgent, void *(*other)(void *))
{
    pthread_t thread = pthread_self(); /* or that of `other` */
    wake.by_timer = other == NULL;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, wake.ends) == 0, "socketpair");
    check(sos_fork_list(os, urgent, 1, NULL) == SOS_OK, "sos_fork_list");
    for (int index = 0; index < BACKGROUND; index++)
        sos_fork(os, background, sos_opt(.priority = 9));
    if (other != NULL)
        check(pthread_create(&thread, NULL, other, NULL) == 0, "pthread_create");
    check(sos_run(os) == SOS_ECANCELED, "sos_run");
    if (other != NULL) {
        atomic_store(&wake.state, STOPPED);
        pthread_join(thread, NULL);
    }
    qsort(wake.between, WAKES, sizeof wake.between[0], compare);
    printf("%s %u steps\n", name, wake.between[WAKES * 999 / 1000]);
    if (getenv("SMALLOS_BENCH_VERBOSE") != NULL)
        printf("# median %u, 99th %u, most %u\n", wake.between[WAKES / 2],
               wake.between[WAKES * 99 / 100], wake.between[WAKES - 1]);
}

/* ---- The program */

static bool dispatch(int count, char **words)
{
    int number = count == 2 ? atoi(words[1]) : 0;
    const char *what = words[0];
    bool wakes = count == 1 && strncmp(what, "wake-", 5) == 0;
    if (wakes)
        begin(16);
    if (strcmp(what, "switch") == 0 && number > 0)
        bench_switch(number);
    else if (strcmp(what, "spawn") == 0)
        bench_spawn();
    else if (strcmp(what, "memory") == 0)
        bench_memory();
    else if (strcmp(what, "sleepers") == 0)
        bench_sleepers();
    else if (strcmp(what, "sleepers-ms") == 0)
        slack_us = 1000, bench_sleepers();
    else if (strcmp(what, "pairs") == 0 && number > 0)
        bench_pairs(number);
    else if (strcmp(what, "wake-timer") == 0)
        bench_wake(what, &sos_start(by_timer, sos_opt(.priority = 1)), NULL);
    else if (strcmp(what, "wake-socket") == 0)
        bench_wake(what, &sos_start(by_socket, sos_opt(.priority = 1)), write_socket);
    else if (strcmp(what, "wake-signal") == 0)
        bench_wake(what, &sos_start(by_signal, sos_opt(.priority = 1)), post_signal);
    else
        return false;
    if (wakes)
        end();
    return true;
}

static bool take_kernel(int *count, char **words)
{
    static const char *const names[] = { "auto", "uring", "epoll", "poll" };
    if (*count < 2 || strcmp(words[*count - 2], "--kernel") != 0)
        return true;
    for (unsigned index = 0; index < 4; index++)
        if (strcmp(words[*count - 1], names[index]) == 0) {
            backend = (enum sos_unix_backend)index;
            *count -= 2;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    int count = argc - 1;
    if (!take_kernel(&count, argv + 1) || count < 1 || !dispatch(count, argv + 1)) {
        fprintf(stderr, "usage: bench_smallos switch N | spawn | memory | sleepers | pairs P | "
                        "wake-timer | wake-socket | wake-signal [--kernel uring|epoll|poll]\n");
        return 2;
    }
    return 0;
}
