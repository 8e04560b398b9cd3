/* SPDX-License-Identifier: MIT */

/* The epoll peer: a hand-written loop that bounces one byte over each of P socket
 * pairs, both ends in this process.
 *
 *   pairs P          bounces a second; a bounce is one byte read at one end and
 *                    written back from there
 *   pairs-level P    the same with level-triggered events
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64, MAX_PAIRS = 8000 };

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_pairs(int pairs, uint32_t trigger)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);
    check(loop >= 0, "epoll_create1");
    for (int i = 0; i < pairs; i++) {
        int ends[2];
        check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
              "socketpair");
        for (int end = 0; end < 2; end++) {
            struct epoll_event event = { .events = EPOLLIN | trigger, .data.fd = ends[end] };
            check(epoll_ctl(loop, EPOLL_CTL_ADD, ends[end], &event) == 0, "epoll_ctl");
        }
        check(write(ends[0], "x", 1) == 1, "write");
    }
    return loop;
}

/* The buffer is larger than what can be there, so a short read tells that the socket
 * is drained and an edge-triggered loop need not read again to see EAGAIN. */
static void bounce(int fd)
{
    char bytes[64];
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    check(count == 1, "recv");
    check(send(fd, bytes, (size_t)count, 0) == count, "send");
}

static long run(int loop, long bounces)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    long done = 0;
    while (done < bounces) {
        int count = epoll_wait(loop, events, EVENTS_AT_ONCE, -1);
        check(count > 0, "epoll_wait");
        for (int i = 0; i < count; i++)
            bounce(events[i].data.fd);
        done += count;
    }
    return done;
}

static void bench_pairs(const char *name, int pairs, uint32_t trigger)
{
    int loop = open_pairs(pairs, trigger);
    run(loop, 50000);
    double start = now_seconds();
    long done = run(loop, 400000);
    printf("%s-%d %.0f /s\n", name, pairs, (double)done / (now_seconds() - start));
}

int main(int argc, char **argv)
{
    int pairs = argc == 3 ? atoi(argv[2]) : 0;
    if (pairs >= 1 && pairs <= MAX_PAIRS && strcmp(argv[1], "pairs") == 0) {
        bench_pairs("pairs", pairs, EPOLLET);
    } else if (pairs >= 1 && pairs <= MAX_PAIRS && strcmp(argv[1], "pairs-level") == 0) {
        bench_pairs("pairs-level", pairs, 0);
    } else {
        fprintf(stderr, "usage: peer_epoll pairs P | pairs-level P\n");
        return 2;
    }
    return 0;
}
