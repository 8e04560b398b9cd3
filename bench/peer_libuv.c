/* SPDX-License-Identifier: MIT */

/* The libuv peer.
 *
 *   sleepers         1,000,000 timers of 0..1000 ms: CPU time
 *   pairs P          bounces a second of one byte over P socket pairs, with uv_poll_t
 *   pairs-stream P   the same with uv_pipe_t streams
 *
 * There is no switch figure: libuv has callbacks, and none of its handles is a yield.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

enum { SLEEPERS = 1000000, MAX_PAIRS = 8000, WARM_UP = 50000, BOUNCES = 400000 };

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static double now_seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- sleepers ---- */

struct sleeper {
    uv_timer_t timer;
    long *done;
};

static void sleeper_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void sleeper_done(uv_timer_t *timer)
{
    struct sleeper *s = timer->data;
    ++*s->done;
    uv_close((uv_handle_t *)timer, sleeper_closed);
}

static void bench_sleepers(void)
{
    double start = cpu_seconds();
    uv_loop_t *loop = uv_default_loop();
    uint64_t random = 0x9E3779B97F4A7C15;
    long done = 0;
    for (int i = 0; i < SLEEPERS; i++) {
        struct sleeper *s = malloc(sizeof *s);
        check(s != NULL, "malloc");
        s->done = &done;
        s->timer.data = s;
        uv_timer_init(loop, &s->timer);
        /* The loop's time stands still while this runs; without a look at the clock
         * now and then the last sleeps would be too short. */
        if (i % 1024 == 0)
            uv_update_time(loop);
        /* libuv knows whole milliseconds: rounded up, as a sleep has to be */
        uv_timer_start(&s->timer, sleeper_done, (random_next(&random) % 1000001 + 999) / 1000, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    check(done == SLEEPERS, "sleepers");
    printf("sleepers %.4f s\n", cpu_seconds() - start);
}

/* ---- pairs ---- */

static struct {
    uv_loop_t *loop;
    long done, target;
} bounces;

static void count_bounce(void)
{
    if (++bounces.done == bounces.target)
        uv_stop(bounces.loop);
}

struct end {
    union {
        uv_poll_t poll;
        uv_pipe_t pipe;
    } handle;
    int fd;
    char bytes[64];
};

static void end_ready(uv_poll_t *poll, int status, int events)
{
    struct end *e = poll->data;
    check(status == 0 && events == UV_READABLE, "uv_poll");
    ssize_t count = recv(e->fd, e->bytes, sizeof e->bytes, 0);
    check(count == 1, "recv");
    check(send(e->fd, e->bytes, (size_t)count, 0) == count, "send");
    count_bounce();
}

static void open_poll(struct end *e)
{
    check(uv_poll_init_socket(bounces.loop, &e->handle.poll, e->fd) == 0, "uv_poll_init_socket");
    e->handle.poll.data = e;
    check(uv_poll_start(&e->handle.poll, UV_READABLE, end_ready) == 0, "uv_poll_start");
}

static void end_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct end *e = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(e->bytes, sizeof e->bytes);
}

static void end_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    check(count == 1, "uv_read");
    uv_buf_t answer = uv_buf_init(buffer->base, 1);
    check(uv_try_write(stream, &answer, 1) == 1, "uv_try_write");
    count_bounce();
}

static void open_stream(struct end *e)
{
    check(uv_pipe_init(bounces.loop, &e->handle.pipe, 0) == 0, "uv_pipe_init");
    check(uv_pipe_open(&e->handle.pipe, e->fd) == 0, "uv_pipe_open");
    e->handle.pipe.data = e;
    check(uv_read_start((uv_stream_t *)&e->handle.pipe, end_buffer, end_read) == 0,
          "uv_read_start");
}

static void run_bounces(long count)
{
    bounces.target = bounces.done + count;
    uv_run(bounces.loop, UV_RUN_DEFAULT);
}

static void bench_pairs(const char *name, int pairs, void (*open_end)(struct end *))
{
    bounces.loop = uv_default_loop();
    struct end *ends = calloc((size_t)pairs * 2, sizeof *ends);
    check(ends != NULL, "calloc");
    for (int i = 0; i < pairs * 2; i += 2) {
        int fds[2];
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0,
              "socketpair");
        for (int side = 0; side < 2; side++) {
            ends[i + side].fd = fds[side];
            open_end(&ends[i + side]);
        }
        check(send(fds[0], "x", 1, 0) == 1, "send");
    }
    run_bounces(WARM_UP);
    double start = now_seconds();
    run_bounces(BOUNCES);
    printf("%s-%d %.0f /s\n", name, pairs, BOUNCES / (now_seconds() - start));
    free(ends);
}

int main(int argc, char **argv)
{
    int pairs = argc == 3 ? atoi(argv[2]) : 0;
    if (argc == 2 && strcmp(argv[1], "sleepers") == 0) {
        bench_sleepers();
    } else if (pairs >= 1 && pairs <= MAX_PAIRS && strcmp(argv[1], "pairs") == 0) {
        bench_pairs("pairs", pairs, open_poll);
    } else if (pairs >= 1 && pairs <= MAX_PAIRS && strcmp(argv[1], "pairs-stream") == 0) {
        bench_pairs("pairs-stream", pairs, open_stream);
    } else {
        fprintf(stderr, "usage: peer_libuv sleepers | pairs P | pairs-stream P\n");
        return 2;
    }
    return 0;
}
