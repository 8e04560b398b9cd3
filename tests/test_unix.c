/* SPDX-License-Identifier: MIT */
/* Descriptors on the unix kernel: readiness, reading and writing, closing, on every back end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_world.h"

/* ---- A trace of what tasks notice */

static char trace[4096];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t at = strlen(trace);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trace + at, sizeof trace - at, format, arguments);
    va_end(arguments);
    CHECK(strlen(trace) + 2 < sizeof trace);
    strcat(trace, "\n");
}

static const char *name_of(int status)
{
    static char numbers[4][16];
    static unsigned turn;
    if (status <= 0)
        return sos_error_name(status) + 4;
    char *text = numbers[turn++ % 4];
    snprintf(text, sizeof numbers[0], "%d", status);
    return text;
}

static void begin(void)
{
    trace[0] = '\0';
    unix_open(&here, NULL);
}

static void run(const char *expected)
{
    unix_run();
    CHECK_TEXT(trace, expected);
}

/* ---- Descriptors */

static void pair(int ends[2])
{
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void tcp_pair(int ends[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, size), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(ends[0], (struct sockaddr *)&address, size), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(ends[1] >= 0);
    CHECK_INT(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    close(listener);
}

static void put(int fd, const char *text)
{
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
}

static void get(int fd, const char *text)
{
    char bytes[64] = { 0 };
    CHECK_INT(read(fd, bytes, sizeof bytes - 1), strlen(text));
    CHECK_TEXT(bytes, text);
}

/* ---- Tasks that many tests need; `fork` starts one of priority 5 */

#define fork_task(name, ...)                                                                       \
    CHECK(sos_fork(here.os, name, sos_opt(.priority = 5), __VA_ARGS__).pid >= 0)

/* Waits once and notes the status. */
struct waits {
    sos_frame frame;
    const char *name;
    int fd;
    bool writes;
    int64_t within;
};
static async_fn(waits)
{
    async_begin(waits);
    if (self->within == 0)
        self->within = SOS_FOREVER;
    if (self->writes)
        await(sos_within(task, self->within, sos_wait_writable(task, self->fd)));
    else
        await(sos_within(task, self->within, sos_wait_readable(task, self->fd)));
    note("%s %s", self->name, name_of(sos_status(task)));
    async_end;
}

/* Reads `size` bytes at most at a time until end or error, noting each. */
struct reads {
    sos_frame frame;
    const char *name;
    int fd;
    int size;
    char bytes[64];
};
static async_fn(reads)
{
    async_begin(reads);
    do {
        await(sos_read(task, self->fd, self->bytes, (size_t)self->size));
        if (sos_status(task) > 0)
            note("%s '%.*s'", self->name, sos_status(task), self->bytes);
        else
            note("%s %s", self->name, name_of(sos_status(task)));
    } while (sos_status(task) > 0);
    async_end;
}

/* Writes when everybody else waits. */
struct puts_later {
    sos_frame frame;
    const char *name;
    int fd;
    const char *text;
};
static async_fn(puts_later)
{
    async_begin(puts_later);
    await(sos_sleep(task, SOS_MS(1)));
    note("put '%s'", self->text);
    put(self->fd, self->text);
    async_end;
}

/* ---- Readiness */

static void readiness_of_what_is_ready(void)
{
    char path[] = "/tmp/smallos-test-XXXXXX";
    int ends[2], pipes[2], file = mkstemp(path), folder = open("/tmp", O_RDONLY | O_CLOEXEC);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(file >= 0 && folder >= 0 && null >= 0);
    unlink(path);
    pair(ends);
    CHECK_INT(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), 0);
    put(ends[1], "x");
    put(pipes[1], "x");
    begin();
    fork_task(waits, .name = "socket", .fd = ends[0]);
    fork_task(waits, .name = "socket out", .fd = ends[0], .writes = true);
    fork_task(waits, .name = "pipe", .fd = pipes[0]);
    fork_task(waits, .name = "pipe out", .fd = pipes[1], .writes = true);
    CHECK_INT(sos_run(here.os), SOS_OK);
    trace[0] = '\0';
    fork_task(waits, .name = "file", .fd = file);
    fork_task(waits, .name = "file out", .fd = file, .writes = true);
    fork_task(waits, .name = "folder", .fd = folder);
    fork_task(waits, .name = "bad", .fd = -1);
    fork_task(waits, .name = "not open", .fd = 999);
    fork_task(waits, .name = "huge", .fd = INT32_MAX);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "file OK\nfile out OK\nfolder OK\nbad EBADF\nnot open EBADF\nhuge EBADF\n");
    fork_task(waits, .name = "null", .fd = null);
    fork_task(reads, .name = "null", .fd = null, .size = 8);
    fork_task(reads, .name = "folder", .fd = folder, .size = 8);
    CHECK_INT(sos_run(here.os), SOS_OK);
    int all[] = { ends[0], ends[1], pipes[0], pipes[1], file, folder, null };
    for (size_t index = 0; index < sizeof all / sizeof all[0]; index++)
        CHECK_INT(sos_fd_close(here.os, all[index]), SOS_OK);
    CHECK_INT(sos_fd_close(here.os, ends[0]), SOS_EBADF);
    unix_close(&here);
}

/* A wait ends when there is something, not before. */
static void readiness_that_comes(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    begin();
    fork_task(waits, .name = "early", .fd = ends[0], .within = SOS_MS(1));
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "early ETIMEDOUT\n");
    trace[0] = '\0';
    fork_task(waits, .name = "first", .fd = ends[0]);
    fork_task(waits, .name = "second", .fd = ends[0]);
    fork_task(waits, .name = "third", .fd = ends[0]);
    fork_task(puts_later, .fd = ends[1], .text = "x");
    run("put 'x'\nfirst OK\nsecond OK\nthird OK\n");
    close(ends[0]);
    close(ends[1]);
}

static void make_pipe(int ends[2])
{
    CHECK_INT(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void readiness_of_pipes_and_sockets(void)
{
    readiness_that_comes(pair);
    readiness_that_comes(tcp_pair);
    readiness_that_comes(make_pipe);
}

/* What was not read keeps a descriptor ready, however it was waited on before. */
struct level {
    sos_frame frame;
    int fd, peer;
    char bytes[64];
};
static async_fn(level)
{
    async_begin(level);
    put(self->peer, "abc");
    await(sos_within(task, SOS_MS(500), sos_wait_readable(task, self->fd)));
    await(sos_within(task, SOS_MS(500), sos_wait_readable(task, self->fd)));
    note("wait %s", name_of(sos_status(task)));
    await(sos_read(task, self->fd, self->bytes, 1));
    await(sos_within(task, SOS_MS(500), sos_wait_readable(task, self->fd)));
    note("after one byte %s", name_of(sos_status(task)));
    await(sos_read(task, self->fd, self->bytes, 64));
    note("read %s", name_of(sos_status(task)));
    await(sos_within(task, SOS_MS(1), sos_wait_readable(task, self->fd)));
    note("empty %s", name_of(sos_status(task)));
    await(sos_within(task, SOS_MS(1), sos_read(task, self->fd, self->bytes, 64)));
    note("read %s", name_of(sos_status(task)));
    put(self->peer, "def");
    await(sos_within(task, SOS_MS(500), sos_wait_readable(task, self->fd)));
    await(sos_within(task, SOS_MS(500), sos_read(task, self->fd, self->bytes, 2)));
    note("read %s", name_of(sos_status(task)));
    await(sos_within(task, SOS_MS(500), sos_wait_readable(task, self->fd)));
    note("wait %s", name_of(sos_status(task)));
    await(sos_within(task, SOS_MS(500), sos_read(task, self->fd, self->bytes, 2)));
    note("read %s", name_of(sos_status(task)));
    await(sos_within(task, SOS_MS(1), sos_read(task, self->fd, self->bytes, 2)));
    note("read %s", name_of(sos_status(task)));
    async_end;
}

static void level_semantics_of(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    begin();
    fork_task(level, .fd = ends[0], .peer = ends[1]);
    run("wait OK\nafter one byte OK\nread 2\nempty ETIMEDOUT\n"
        "read ETIMEDOUT\nread 2\nwait OK\nread 1\nread ETIMEDOUT\n");
    close(ends[0]);
    close(ends[1]);
}

static void level_semantics(void)
{
    level_semantics_of(pair);
    level_semantics_of(tcp_pair);
    level_semantics_of(make_pipe);
}

/* Waits for reading of both kinds, and for writing, on one descriptor. */
static void all_kinds_of_waits_on_one(void)
{
    int ends[2];
    pair(ends);
    begin();
    fork_task(reads, .name = "reader", .fd = ends[0], .size = 64);
    fork_task(waits, .name = "waiter", .fd = ends[0]);
    fork_task(waits, .name = "writer", .fd = ends[0], .writes = true);
    fork_task(puts_later, .fd = ends[1], .text = "abc");
    fork_task(waits, .name = "deadline", .fd = ends[0], .within = SOS_SEC(5));
    while (strstr(trace, "deadline") == NULL)
        CHECK(sos_run_once(here.os, SOS_SEC(5)) >= 0);
    CHECK_TEXT(trace, "writer OK\nput 'abc'\nreader 'abc'\nwaiter OK\ndeadline OK\n");
    trace[0] = '\0';
    CHECK_INT(shutdown(ends[1], SHUT_WR), 0);
    run("reader OK\n");
    close(ends[0]);
    close(ends[1]);
}

/* ---- Ends */

static void end_of_stream_of(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    put(ends[1], "abc");
    close(ends[1]);
    begin();
    fork_task(reads, .name = "late", .fd = ends[0], .size = 64);
    run("late 'abc'\nlate OK\n");
    close(ends[0]);
}

/* The last bytes and the end come together, after a wait that stays armed. */
struct ends_later {
    sos_frame frame;
    int fd;
};
static async_fn(ends_later)
{
    async_begin(ends_later);
    await(sos_sleep(task, SOS_MS(1)));
    put(self->fd, "one");
    await(sos_sleep(task, SOS_MS(1)));
    put(self->fd, "two");
    close(self->fd);
    async_end;
}

static void end_after_waiting(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    begin();
    fork_task(reads, .name = "reader", .fd = ends[0], .size = 64);
    fork_task(ends_later, .fd = ends[1]);
    run("reader 'one'\nreader 'two'\nreader OK\n");
    close(ends[0]);
}

static void end_of_stream(void)
{
    void (*const makes[])(int *) = { pair, tcp_pair, make_pipe };
    for (int index = 0; index < 3; index++) {
        end_of_stream_of(makes[index]);
        end_after_waiting(makes[index]);
    }
}

struct resets {
    sos_frame frame;
    int fd;
};
static async_fn(resets)
{
    async_begin(resets);
    await(sos_sleep(task, SOS_MS(1)));
    CHECK_INT(setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
                         sizeof(struct linger)),
              0);
    close(self->fd);
    async_end;
}

static void reset_and_broken_pipe(void)
{
    int ends[2];
    tcp_pair(ends);
    begin();
    fork_task(reads, .name = "reader", .fd = ends[0], .size = 64);
    fork_task(resets, .fd = ends[1]);
    run("reader ECONNRESET\n");
    close(ends[0]);

    void (*const makes[])(int *) = { pair, make_pipe };
    for (int index = 0; index < 2; index++) {
        makes[index](ends);
        begin();
        close(ends[0]);
        CHECK_INT(sos_try_write(here.os, ends[1], "x", 1), SOS_EPIPE);
        fork_task(waits, .name = "broken", .fd = ends[1], .writes = true);
        run("broken OK\n");
        close(ends[1]);
    }
}

/* ---- Closing */

static void close_wakes_those_who_wait(void)
{
    int ends[2], fresh[2];
    pair(ends);
    begin();
    fork_task(waits, .name = "waiter", .fd = ends[0]);
    fork_task(reads, .name = "reader", .fd = ends[0], .size = 64);
    sos_run_once(here.os, 0);
    sos_run_once(here.os, 0);
    put(ends[1], "late"); /* an event that is on the way when it is closed */
    put(ends[0], "rest");
    trace[0] = '\0';
    CHECK_INT(sos_fd_close(here.os, ends[0]), SOS_OK);
    get(ends[1], "rest");
    CHECK_INT(read(ends[1], &(char){ 0 }, 1), -1);
    CHECK_INT(errno, ECONNRESET); /* it was closed with bytes unread */
    CHECK_INT(read(ends[1], &(char){ 0 }, 1), 0);
    pair(fresh);
    if (fresh[0] != ends[0]) {
        CHECK_INT(dup3(fresh[0], ends[0], O_CLOEXEC), ends[0]);
        close(fresh[0]);
    }
    fork_task(waits, .name = "new waiter", .fd = ends[0], .within = SOS_MS(2));
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "waiter ECANCELED\nreader ECANCELED\nnew waiter ETIMEDOUT\n");
    trace[0] = '\0';
    fork_task(reads, .name = "new reader", .fd = ends[0], .size = 64);
    put(fresh[1], "abc");
    close(fresh[1]);
    run("new reader 'abc'\nnew reader OK\n");
    close(ends[0]);
    close(ends[1]);
}

static void forget_gives_back(void)
{
    int ends[2];
    pair(ends);
    begin();
    fork_task(reads, .name = "reader", .fd = ends[0], .size = 64);
    sos_run_once(here.os, 0);
    CHECK_INT(sos_unix_forget(here.kernel, ends[0]), SOS_EBUSY);
    CHECK_INT(sos_unix_forget(here.kernel, ends[1]), SOS_EBADF);
    CHECK_INT(shutdown(ends[1], SHUT_WR), 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_INT(sos_unix_forget(here.kernel, ends[0]), SOS_OK);
    put(ends[0], "x");
    close(ends[0]); /* by nobody's leave */
    get(ends[1], "x");
    CHECK_INT(read(ends[1], &(char){ 0 }, 1), 0);
    close(ends[1]);
    unix_close(&here);
}

/* ---- Writing */

enum { MUCH = 1 << 22 };

static unsigned char much[MUCH], copy[MUCH];

struct writes_much {
    sos_frame frame;
    int fd;
};
static async_fn(writes_much)
{
    async_begin(writes_much);
    await(sos_write(task, self->fd, much, MUCH));
    CHECK_INT(sos_status(task), MUCH);
    CHECK_INT(shutdown(self->fd, SHUT_WR), 0);
    async_end;
}

static size_t portion(size_t left)
{
    return left < 5000 ? left : 5000;
}

struct reads_much {
    sos_frame frame;
    int fd;
    size_t done;
};
static async_fn(reads_much)
{
    async_begin(reads_much);
    do {
        await(sos_read(task, self->fd, copy + self->done, portion(MUCH - self->done)));
        CHECK(sos_status(task) > 0);
        self->done += (size_t)sos_status(task);
    } while (self->done < MUCH);
    await(sos_read(task, self->fd, copy, 1));
    CHECK_INT(sos_status(task), 0);
    async_end;
}

static void back_pressure_of(void (*make)(int ends[2]))
{
    int ends[2];
    make(ends);
    for (size_t index = 0; index < MUCH; index++)
        much[index] = (unsigned char)(index * 2654435761u >> 13);
    memset(copy, 0, sizeof copy);
    begin();
    fork_task(writes_much, .fd = ends[0]);
    fork_task(reads_much, .fd = ends[1]);
    unix_run();
    CHECK(memcmp(much, copy, MUCH) == 0);
    close(ends[0]);
    close(ends[1]);
}

static void back_pressure(void)
{
    int ends[2];
    back_pressure_of(pair);
    back_pressure_of(tcp_pair);
    pair(ends);
    begin();
    while (sos_try_write(here.os, ends[0], much, 5000) > 0)
        ;
    fork_task(waits, .name = "full", .fd = ends[0], .writes = true, .within = SOS_MS(2));
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "full ETIMEDOUT\n");
    trace[0] = '\0';
    fork_task(waits, .name = "space", .fd = ends[0], .writes = true);
    sos_run_once(here.os, 0);
    while (read(ends[1], copy, sizeof copy) > 0)
        ;
    run("space OK\n");
    close(ends[0]);
    close(ends[1]);
}

/* ---- Many */

struct counts {
    sos_frame frame;
    int fd;
    char bytes[64];
};
static int counted;
static async_fn(counts)
{
    async_begin(counts);
    for (;;) {
        await(sos_read(task, self->fd, self->bytes, sizeof self->bytes));
        if (sos_status(task) == 0)
            async_return(SOS_OK);
        counted += sos_status(task);
    }
    async_end;
}

static int raise_limit(int wanted)
{
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < (rlim_t)wanted + 100)
        wanted = (int)limit.rlim_max - 100;
    if (limit.rlim_cur < (rlim_t)wanted + 100)
        limit.rlim_cur = (rlim_t)wanted + 100;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return wanted;
}

static void many_descriptors(void)
{
    static int ends[1000][2];
    int pairs = raise_limit(unix_times(2000, 200)) / 2;
    begin();
    counted = 0;
    for (int index = 0; index < pairs; index++) {
        pair(ends[index]);
        fork_task(counts, .fd = ends[index][0]);
    }
    for (int round = 0; round < 3; round++) {
        sos_run_once(here.os, 0);
        for (int index = 0; index < pairs; index++)
            put(ends[index][1], "x");
        while (counted < pairs * (round + 1))
            CHECK(sos_run_once(here.os, SOS_SEC(10)) >= 0);
    }
    for (int index = 0; index < pairs; index++)
        close(ends[index][1]);
    CHECK_INT(sos_run(here.os), SOS_OK);
    for (int index = 0; index < pairs; index++)
        CHECK_INT(sos_fd_close(here.os, ends[index][0]), SOS_OK);
    unix_close(&here);
}

/* ---- A read that ends early, at a descriptor that was passed along */

static void put_with_descriptor(int fd, const char *text)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS } };
    struct iovec bytes = { (void *)(uintptr_t)text, strlen(text) };
    struct msghdr message = { .msg_iov = &bytes,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    CHECK_INT(sendmsg(fd, &message, 0), strlen(text));
}

static void read_that_ends_early(void)
{
    int ends[2];
    pair(ends);
    begin();
    fork_task(reads, .name = "reader", .fd = ends[0], .size = 64);
    sos_run_once(here.os, 0); /* it waits now */
    put_with_descriptor(ends[1], "one");
    put(ends[1], "two");
    trace[0] = '\0';
    while (strstr(trace, "two") == NULL)
        CHECK(sos_run_once(here.os, SOS_SEC(10)) >= 0);
    close(ends[1]);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "reader 'one'\nreader 'two'\nreader OK\n");
    unix_close(&here);
    close(ends[0]);
}

int main(void)
{
    void (*const tests[])(void) = {
        readiness_of_what_is_ready,
        readiness_of_pipes_and_sockets,
        level_semantics,
        all_kinds_of_waits_on_one,
        end_of_stream,
        reset_and_broken_pipe,
        close_wakes_those_who_wait,
        forget_gives_back,
        back_pressure,
        many_descriptors,
        read_that_ends_early,
    };
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    return 0;
}
