/* SPDX-License-Identifier: MIT */
/* Streams over real sockets: TCP of both families and local ones, on every back end. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smallos/stream.h"
#include "unix_world.h"

static char trace[4096];
static unsigned char pattern[300000];

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
    return status > 0 ? "some" : sos_error_name(status) + 4;
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

static sos_listener *listen_at(const char *host, int backlog, struct sos_address *address)
{
    sos_listener *listener;
    int status = sos_listener_open(
        here.os, &(struct sos_listen){ .host = host, .backlog = backlog }, &listener);
    if (status == SOS_EUNREACH || status == SOS_ENOTSUP)
        return NULL; /* no IPv6 here */
    CHECK_INT(status, SOS_OK);
    CHECK_INT(sos_listener_address(listener, address), SOS_OK);
    return listener;
}

/* ---- Both ways at once, more than the system holds, with a half-close at the end */

struct sends {
    sos_frame frame;
    sos_stream *stream;
    size_t done;
};

static size_t piece_at(size_t done)
{
    size_t piece = 1 + done * 7 % 4000;
    return piece < sizeof pattern - done ? piece : sizeof pattern - done;
}

static int put_piece(struct sends *self)
{
    size_t piece = piece_at(self->done);
    int status = sos_stream_put(self->stream, pattern + self->done, piece);
    self->done += piece;
    return status;
}

static async_fn(sends)
{
    async_begin(sends);
    while (self->done < sizeof pattern) {
        CHECK_INT(put_piece(self), SOS_OK);
        if (self->done == sizeof pattern)
            break;
        try_await(sos_stream_write(task, self->stream, pattern + self->done, piece_at(self->done)));
        self->done += (size_t)sos_status(task);
    }
    try_await(sos_stream_shutdown(task, self->stream));
    async_end;
}

struct gets {
    sos_frame frame;
    sos_stream *stream;
    size_t done, there;
};

static void take_all(struct gets *self)
{
    const unsigned char *bytes = sos_stream_data(self->stream, &self->there);
    CHECK(memcmp(bytes, pattern + self->done, self->there) == 0);
    sos_stream_take(self->stream, self->there);
    self->done += self->there;
}

static async_fn(gets)
{
    async_begin(gets);
    for (;;) {
        await(sos_stream_more(task, self->stream));
        if (sos_status(task) < 0)
            break;
        take_all(self);
    }
    CHECK_INT(sos_status(task), SOS_EEOF);
    CHECK_INT(self->done, sizeof pattern);
    async_end;
}

struct side {
    sos_frame frame;
    struct sos_scope scope;
    const char *name;
    sos_listener *listener; /* NULL: it connects */
    struct sos_address address;
    sos_stream *stream;
};

static void spawn_both(sos_task *task, sos_stream *stream)
{
    async_spawn(sends, sos_opt(), .stream = stream);
    async_spawn(gets, sos_opt(), .stream = stream);
}

static void check_addresses(const struct side *self)
{
    struct sos_address own, other;
    CHECK_INT(sos_stream_address(self->stream, false, &own), SOS_OK);
    CHECK_INT(sos_stream_address(self->stream, true, &other), SOS_OK);
    CHECK_INT(own.family, self->address.family);
    CHECK_INT(other.family, self->address.family);
    CHECK_INT((self->listener != NULL ? own : other).port, self->address.port);
}

static async_fn(side)
{
    async_begin(side);
    sos_scope_open(task, &self->scope);
    if (self->listener != NULL)
        try_await(sos_accept(task, self->listener, &self->stream));
    else
        try_await(sos_connect_address(task, &self->address, 0, &self->stream));
    check_addresses(self);
    spawn_both(task, self->stream);
    await(sos_scope_join(task, &self->scope));
    CHECK_INT(sos_stream_error(self->stream), SOS_OK);
    note("%s %s", self->name, name_of(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void exchange_at(const char *host)
{
    struct sos_address address;
    begin();
    sos_listener *listener = listen_at(host, 0, &address);
    if (listener == NULL) {
        unix_close(&here);
        return;
    }
    sos_fork(here.os, side, sos_opt(.priority = 5), .name = "accepts", .listener = listener,
             .address = address);
    sos_fork(here.os, side, sos_opt(.priority = 5), .name = "connects", .address = address);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK(strstr(trace, "accepts OK\n") != NULL && strstr(trace, "connects OK\n") != NULL);
    unix_close(&here);
}

static void bytes_go_both_ways_over_every_kind(void)
{
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/smallos-test-%ld", (long)getpid());
    exchange_at(NULL);
    exchange_at("::1");
    unlink(path + 5);
    exchange_at(path);
    CHECK_INT(unlink(path + 5), 0);
}

/* ---- Connections that do not come about */

struct dials {
    sos_frame frame;
    const char *name;
    struct sos_address address;
    int64_t within;
    sos_stream *stream;
    bool stays;
};

static async_fn(dials)
{
    async_begin(dials);
    await(sos_within(task, self->within,
                     sos_connect_address(task, &self->address, 0, &self->stream)));
    note("%s %s", self->name, name_of(sos_status(task)));
    if (self->stays)
        await(sos_sleep(task, SOS_SEC(60)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void dial(const char *name, const struct sos_address *address, int64_t within, bool stays)
{
    sos_fork(here.os, dials, sos_opt(.priority = 5), .name = name, .address = *address,
             .within = within, .stays = stays);
}

static void nobody_listens(void)
{
    struct sos_address address;
    begin();
    sos_listener_close(listen_at(NULL, 0, &address));
    dial("tcp", &address, SOS_FOREVER, false);
    CHECK_INT(sos_address_parse(&address, "unix:/tmp/smallos-is-not-there", 0), SOS_OK);
    dial("local", &address, SOS_FOREVER, false);
    unix_run();
    CHECK(strstr(trace, "tcp ECONNREFUSED\n") != NULL);
    CHECK(strstr(trace, "local ENOENT\n") != NULL);
}

/* A queue that is full answers no more: the packet is as good as dropped. */
static void a_black_hole_ends_with_the_deadline(void)
{
    struct sos_address address;
    begin();
    sos_listener *listener = listen_at(NULL, 1, &address);
    dial("first", &address, SOS_SEC(5), true);
    dial("second", &address, SOS_SEC(5), true);
    for (int pass = 0; pass < 50; pass++)
        sos_run_once(here.os, SOS_MS(2));
    CHECK_TEXT(trace, "first OK\nsecond OK\n");
    trace[0] = '\0';
    dial("third", &address, SOS_MS(100), false);
    for (int pass = 0; pass < 1000 && trace[0] == '\0'; pass++)
        sos_run_once(here.os, SOS_MS(2));
    CHECK_TEXT(trace, "third ETIMEDOUT\n");
    sos_listener_close(listener);
    unix_close(&here);
}

struct accepts_later {
    sos_frame frame;
    sos_listener *listener;
    int64_t after;
    int count;
    sos_stream *stream;
};

static async_fn(accepts_later)
{
    async_begin(accepts_later);
    await(sos_sleep(task, self->after));
    while (self->count-- != 0) {
        await(sos_accept(task, self->listener, &self->stream));
        note("accept %s", name_of(sos_status(task)));
        sos_stream_close(self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

/* A local socket says at once that the queue is full, and not when it has room again. */
static void a_full_local_queue_is_tried_again(void)
{
    struct sos_address address;
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/smallos-test-%ld", (long)getpid());
    unlink(path + 5);
    begin();
    sos_listener *listener = listen_at(path, 1, &address);
    for (int index = 0; index < 4; index++)
        dial("dial", &address, SOS_SEC(20), false);
    sos_fork(here.os, accepts_later, sos_opt(.priority = 6), .listener = listener,
             .after = SOS_MS(30), .count = 4);
    unix_run();
    CHECK(strstr(trace, "E") == strstr(trace, "EIN")); /* no error at all */
    CHECK_INT(unlink(path + 5), 0);
}

static void without_a_descriptor_nobody_is_accepted(void)
{
    struct sos_address address;
    struct rlimit before, tight;
    begin();
    sos_listener *listener = listen_at(NULL, 0, &address);
    dial("dial", &address, SOS_SEC(5), true);
    for (int pass = 0; pass < 20; pass++)
        sos_run_once(here.os, SOS_MS(2));
    CHECK_TEXT(trace, "dial OK\n");
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    int lowest = dup(0);
    close(lowest);
    tight.rlim_cur = (rlim_t)lowest;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &tight), 0);
    trace[0] = '\0';
    sos_fork(here.os, accepts_later, sos_opt(.priority = 6), .listener = listener, .count = 1);
    for (int pass = 0; pass < 20; pass++)
        sos_run_once(here.os, SOS_MS(1));
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_TEXT(trace, "accept EMFILE\n");
    unix_close(&here);
}

/* ---- Ends */

struct reads {
    sos_frame frame;
    sos_stream *stream;
    unsigned char bytes[16];
};

static async_fn(reads)
{
    async_begin(reads);
    await(sos_stream_read(task, self->stream, self->bytes, sizeof self->bytes));
    note("read %s", name_of(sos_status(task)));
    async_end;
}

struct closes {
    sos_frame frame;
    sos_stream *stream;
    int fd;
    bool reset;
};

static void reset(int fd)
{
    struct linger now = { .l_onoff = 1 };
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

static async_fn(closes)
{
    async_begin(closes);
    await(sos_sleep(task, SOS_MS(5)));
    sos_stream_close(self->stream);
    if (self->reset)
        reset(self->fd);
    async_end;
}

static sos_stream *stream_of_pair(int *other)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    sos_stream *stream;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, size), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(*other, (struct sockaddr *)&address, size), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
    CHECK_INT(sos_stream_adopt(here.os, fd, 0, &stream), SOS_OK);
    return stream;
}

static void a_close_or_reset_ends_the_wait(void)
{
    int other;
    begin();
    sos_stream *stream = stream_of_pair(&other);
    sos_fork(here.os, reads, sos_opt(.priority = 5), .stream = stream);
    sos_fork(here.os, closes, sos_opt(.priority = 5), .stream = stream);
    run("read ECANCELED\n");
    close(other);
    begin();
    stream = stream_of_pair(&other);
    sos_fork(here.os, reads, sos_opt(.priority = 5), .stream = stream);
    sos_fork(here.os, closes, sos_opt(.priority = 5), .fd = other, .reset = true);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "read ECONNRESET\n");
    CHECK_INT(sos_stream_error(stream), SOS_ECONNRESET);
    sos_stream_close(stream);
    unix_close(&here);
}

int main(void)
{
    static void (*const tests[])(void) = {
        bytes_go_both_ways_over_every_kind,      nobody_listens,
        a_black_hole_ends_with_the_deadline,     a_full_local_queue_is_tried_again,
        without_a_descriptor_nobody_is_accepted, a_close_or_reset_ends_the_wait,
    };
    for (size_t index = 0; index < sizeof pattern; index++)
        pattern[index] = (unsigned char)(index * 31 % 251);
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    return 0;
}
