/* SPDX-License-Identifier: MIT */
/*
 * What reaches a runtime on the unix kernel from outside: wake-ups, posts from threads, POSIX
 * signals, other event loops.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_world.h"

#define PROMPT sos_opt(.priority = 1, .external = true)

static void pair(int ends[2])
{
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

/* ---- Wake-ups: a task and a thread in turn, the runtime asleep in between */

static sem_t turn;
static sos_handle player;
static int rounds;

struct plays {
    sos_frame frame;
    int left;
};
static async_fn(plays)
{
    async_begin(plays);
    for (; self->left > 0; self->left--) {
        CHECK_INT(sem_post(&turn), 0);
        await(sos_wait_signal(task, 7));
        CHECK_INT(sos_status(task), 7);
    }
    async_end;
}

static void *play(void *argument)
{
    for (int round = 0; round < rounds; round++) {
        while (sem_wait(&turn) != 0)
            CHECK_INT(errno, EINTR);
        CHECK_INT(sos_post(here.os, player, 7), SOS_OK);
    }
    return argument;
}

static void no_wake_up_is_lost(void)
{
    rounds = unix_times(100000, 2000);
    CHECK_INT(sem_init(&turn, 0, 0), 0);
    unix_open(&here, NULL);
    player = sos_fork(here.os, plays, PROMPT, .left = rounds);
    pthread_t thread = start(play, NULL);
    CHECK_INT(sos_run(here.os), SOS_OK);
    pthread_join(thread, NULL);
    unix_close(&here);
    sem_destroy(&turn);
}

/* A wake-up for a kernel that nobody has run yet, and of one that does not sleep, is kept. */
static void wake_ups_are_kept(void)
{
    unix_open(&here, NULL);
    here.kernel->wake(here.kernel);
    here.kernel->wait(here.kernel, here.os, SOS_NEVER);
    here.kernel->wake(here.kernel);
    here.kernel->wait(here.kernel, here.os, SOS_NEVER);
    uint64_t due = sos_now(here.os) + 2000;
    while (sos_now(here.os) < due)
        here.kernel->wait(here.kernel, here.os, due);
    unix_close(&here);
}

/* ---- Posts from several threads at a time */

enum { POSTERS = 4 };

static atomic_int arrived;
static int posts;

static void count_arrival(sos_task *task, int signal, void *context)
{
    (void)context;
    if (atomic_fetch_add(&arrived, 1) + 1 == POSTERS * posts)
        CHECK_INT(sos_signal(sos_of(task), sos_self(task), 31), SOS_OK);
    CHECK(signal < POSTERS || signal == 31);
}

struct collects {
    sos_frame frame;
};
static async_fn(collects)
{
    async_begin(collects);
    player = sos_self(task);
    await(sos_wait_signal(task, 31));
    async_end;
}

static void *post_many(void *number)
{
    for (int count = 0; count < posts;) {
        int status = sos_post(here.os, player, *(int *)number);
        CHECK(status == SOS_OK || status == SOS_EAGAIN);
        count += status == SOS_OK;
    }
    return NULL;
}

static void posts_from_many_threads(void)
{
    pthread_t threads[POSTERS];
    int numbers[POSTERS];
    const struct sos_config config = { .post_capacity = 16 };
    posts = unix_times(20000, 500);
    atomic_store(&arrived, 0);
    unix_open(&here, &config);
    player = sos_fork(here.os, collects,
                      sos_opt(.priority = 1, .external = true, .on_signal = count_arrival));
    for (int index = 0; index < POSTERS; index++) {
        numbers[index] = index;
        threads[index] = start(post_many, &numbers[index]);
    }
    CHECK_INT(sos_run(here.os), SOS_OK);
    for (int index = 0; index < POSTERS; index++)
        pthread_join(threads[index], NULL);
    CHECK_INT(atomic_load(&arrived), POSTERS * posts + 1);
    unix_close(&here);
}

/* ---- POSIX signals */

struct receives {
    sos_frame frame;
    uint32_t mask;
    int *got;
    int left;
};
static async_fn(receives)
{
    async_begin(receives);
    for (; self->left > 0; self->left--) {
        await(sos_wait_signals(task, self->mask));
        *self->got |= 1 << sos_status(task);
    }
    async_end;
}

static int foreign;

static void count_foreign(int number)
{
    foreign += number == SIGUSR1;
}

static void posix_signals(void)
{
    struct sigaction mine = { .sa_handler = count_foreign, .sa_flags = SA_NODEFER }, now;
    struct unix_world other = { .backend = here.backend };
    int got = 0, others = 0;
    CHECK_INT(sigaction(SIGUSR1, &mine, NULL), 0);
    foreign = 0;
    unix_open(&here, NULL);
    unix_open(&other, NULL);
    sos_handle first = sos_fork(here.os, receives, PROMPT, .mask = 1 << 5, .got = &got, .left = 1);
    sos_handle second = sos_fork(other.os, receives, PROMPT, .mask = 1 << 6, .got = &others,
                                 .left = 1);
    CHECK_INT(sos_unix_signal(here.kernel, here.os, SIGUSR1, first, 4), SOS_OK);
    CHECK_INT(sos_unix_signal(here.kernel, here.os, SIGUSR1, first, 5), SOS_OK);
    CHECK_INT(sos_unix_signal(other.kernel, other.os, SIGUSR1, second, 6), SOS_OK);
    raise(SIGUSR1);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_INT(sos_run(other.os), SOS_OK);
    CHECK_INT(got, 1 << 5);
    CHECK_INT(others, 1 << 6);
    CHECK_INT(foreign, 0);
    CHECK_INT(sos_unix_signal_off(here.kernel, SIGUSR1), SOS_OK);
    CHECK_INT(sos_unix_signal_off(here.kernel, SIGUSR1), SOS_EINVAL);
    raise(SIGUSR1);
    CHECK_INT(foreign, 0); /* the other one still receives it */
    unix_close(&other);
    unix_close(&here);
    raise(SIGUSR1);
    CHECK_INT(foreign, 1);
    CHECK_INT(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == count_foreign && (now.sa_flags & SA_NODEFER) != 0);
    signal(SIGUSR1, SIG_DFL);
}

static void posix_signals_that_find_the_queue_full(void)
{
    const struct sos_config config = { .post_capacity = 2 };
    int got = 0;
    unix_open(&here, &config);
    sos_handle task = sos_fork(here.os, receives, PROMPT, .mask = 31, .got = &got, .left = 5);
    const int signals[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGCONT, SIGURG };
    for (int index = 0; index < 5; index++)
        CHECK_INT(sos_unix_signal(here.kernel, here.os, signals[index], task, index), SOS_OK);
    for (int index = 0; index < 5; index++)
        raise(signals[index]);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_INT(got, 31);
    unix_close(&here);
}

/* One that comes while the runtime sleeps wakes it. */
static void *interrupt(void *process)
{
    while (sem_wait(&turn) != 0)
        CHECK_INT(errno, EINTR);
    CHECK_INT(kill(*(pid_t *)process, SIGTERM), 0);
    return NULL;
}

struct terminates {
    sos_frame frame;
};
static async_fn(terminates)
{
    async_begin(terminates);
    CHECK_INT(sem_post(&turn), 0);
    await(sos_wait_signal(task, 15));
    CHECK_INT(sos_status(task), 15);
    async_end;
}

static void posix_signals_wake(void)
{
    pid_t process = getpid();
    CHECK_INT(sem_init(&turn, 0, 0), 0);
    unix_open(&here, NULL);
    sos_handle task = sos_fork(here.os, terminates, PROMPT);
    CHECK_INT(sos_unix_signal(here.kernel, here.os, SIGTERM, task, 15), SOS_OK);
    pthread_t thread = start(interrupt, &process);
    CHECK_INT(sos_run(here.os), SOS_OK);
    pthread_join(thread, NULL);
    unix_close(&here);
    sem_destroy(&turn);
}

static void posix_signals_that_are_refused(void)
{
    sos_handle nobody = { 0, 0 };
    unix_open(&here, NULL);
    const int refused[] = { 0, -1, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGFPE };
    for (size_t index = 0; index < sizeof refused / sizeof refused[0]; index++)
        CHECK_INT(sos_unix_signal(here.kernel, here.os, refused[index], nobody, 1), SOS_EINVAL);
    CHECK_INT(sos_unix_signal(here.kernel, here.os, SIGUSR1, nobody, 32), SOS_EINVAL);
    CHECK_INT(sos_unix_signal(here.kernel, here.os, SIGUSR1, nobody, -1), SOS_EINVAL);
    CHECK_INT(sos_unix_signal_off(here.kernel, SIGUSR1), SOS_EINVAL);
    unix_close(&here);
}

/* ---- Inside another event loop */

struct echoes {
    sos_frame frame;
    int fd;
    char bytes[16];
};
static async_fn(echoes)
{
    async_begin(echoes);
    for (;;) {
        await(sos_read(task, self->fd, self->bytes, sizeof self->bytes));
        if (sos_status(task) <= 0)
            async_return(sos_status(task));
        await(sos_write(task, self->fd, self->bytes, (size_t)sos_status(task)));
    }
    async_end;
}

struct naps {
    sos_frame frame;
    int left;
};
static async_fn(naps)
{
    async_begin(naps);
    for (; self->left > 0; self->left--)
        await(sos_sleep(task, 300));
    async_end;
}

static void *talk(void *descriptor)
{
    int fd = *(int *)descriptor;
    struct pollfd answer = { .fd = fd, .events = POLLIN };
    for (int count = 0; count < rounds; count++) {
        char byte = (char)count;
        CHECK_INT(write(fd, &byte, 1), 1);
        CHECK_INT(poll(&answer, 1, 30000), 1);
        CHECK_INT(read(fd, &byte, 1), 1);
        CHECK_INT(byte, (char)count);
        CHECK_INT(sos_post(here.os, player, 7), SOS_OK);
        while (sem_wait(&turn) != 0)
            CHECK_INT(errno, EINTR);
    }
    CHECK_INT(sos_post(here.os, player, 7), SOS_OK);
    CHECK_INT(shutdown(fd, SHUT_WR), 0);
    return NULL;
}

/* Sleeps in poll() alone, as long as the runtime says. */
static void outer_loop(void)
{
    int status = 1;
    while (status >= 0) {
        uint64_t due = sos_next_due(here.os), now = sos_now(here.os);
        int wait_ms = due == SOS_NEVER ? -1 : due > now ? (int)((due - now) / 1000 + 1) : 0;
        struct pollfd inner = { .fd = sos_poll_descriptor(here.os), .events = POLLIN };
        if (status == 0)
            CHECK(poll(&inner, 1, wait_ms) >= 0);
        status = sos_run_once(here.os, 0);
    }
    CHECK_INT(status, SOS_ESTALE);
}

static void inside_another_loop(void)
{
    int ends[2];
    unix_open(&here, NULL);
    if (here.backend == SOS_UNIX_POLL) {
        CHECK_INT(sos_poll_descriptor(here.os), SOS_ENOTSUP);
        unix_close(&here);
        return;
    }
    rounds = unix_times(2000, 100);
    pair(ends);
    CHECK_INT(sem_init(&turn, 0, 0), 0);
    CHECK(sos_poll_descriptor(here.os) >= 0);
    sos_fork(here.os, echoes, sos_opt(.priority = 3), .fd = ends[0]);
    sos_fork(here.os, naps, sos_opt(.priority = 3), .left = 20);
    player = sos_fork(here.os, plays, PROMPT, .left = rounds + 1);
    while (sem_trywait(&turn) != 0) /* its first one, before anybody has posted */
        CHECK(sos_run_once(here.os, 0) >= 0);
    pthread_t thread = start(talk, &ends[1]);
    outer_loop();
    pthread_join(thread, NULL);
    unix_close(&here);
    sem_destroy(&turn);
    close(ends[0]);
    close(ends[1]);
}

/* ---- Several runtimes, several threads */

static void *run_other(void *argument)
{
    struct unix_world *world = argument;
    CHECK_INT(sos_run(world->os), SOS_OK);
    return NULL;
}

struct asks {
    sos_frame frame;
    int fd, left;
    char byte;
};
static async_fn(asks)
{
    async_begin(asks);
    for (; self->left > 0; self->left--) {
        await(sos_write(task, self->fd, &self->byte, 1));
        await(sos_wait_readable(task, self->fd));
        await(sos_read(task, self->fd, &self->byte, 1));
        CHECK_INT(sos_status(task), 1);
    }
    CHECK_INT(sos_fd_close(sos_of(task), self->fd), SOS_OK);
    async_end;
}

/* The second one is made here and runs there. */
static void two_runtimes(void)
{
    struct unix_world other = { .backend = here.backend };
    int ends[4][2];
    unix_open(&here, NULL);
    unix_open(&other, NULL);
    for (int index = 0; index < 4; index++) {
        pair(ends[index]);
        sos_fork(here.os, asks, sos_opt(.priority = 3), .fd = ends[index][0],
                 .left = unix_times(2000, 100));
        sos_fork(other.os, echoes, sos_opt(.priority = 3), .fd = ends[index][1]);
    }
    pthread_t thread = start(run_other, &other);
    CHECK_INT(sos_run(here.os), SOS_OK);
    pthread_join(thread, NULL);
    for (int index = 0; index < 4; index++)
        CHECK_INT(sos_fd_close(other.os, ends[index][1]), SOS_OK);
    unix_close(&here);
    unix_close(&other);
}

int main(void)
{
    void (*const tests[])(void) = {
        wake_ups_are_kept,
        no_wake_up_is_lost,
        posts_from_many_threads,
        posix_signals,
        posix_signals_that_find_the_queue_full,
        posix_signals_wake,
        posix_signals_that_are_refused,
        two_runtimes,
        inside_another_loop,
    };
    unix_tests(tests, sizeof tests / sizeof tests[0], true);
    return 0;
}
