/* SPDX-License-Identifier: MIT */
/* Writing while memory runs out: what arrives is what was sent, each byte once, however often the
 * writer tries again. */
#include "smallos/stream.h"
#include "tls_world.h"

enum { SIZE = 300000, TRIES = 3 };

static unsigned char pattern[SIZE];
static size_t sent, got; /* taken by the stream without an error; arrived */
static bool spoiled;     /* a part of a write had gone when memory ran out */
static uint64_t armed;   /* allocations before the first that may fail */

/* One that fails for good is mended after some tries, or nobody would ever go on. */
static void try_again(int *tries)
{
    CHECK(++*tries < 10 * TRIES);
    if (*tries % TRIES == 0)
        sos_sim_fail_allocation(world.kernel, 0, false);
}

struct end {
    sos_frame frame;
    sos_stream *stream, *lower;
    struct sos_tls_options tls;
    bool secure, all_after;
    uint64_t nth;
    size_t piece;
    int round, status, tries;
};

/* ---- The writer: puts some, writes some more */

static size_t next_piece(struct end *self)
{
    static const size_t pieces[] = { 100, 2000, 120000, 17000, 1, 40000, 700 };
    size_t piece = pieces[self->round++ % 7];
    return piece < SIZE - sent ? piece : SIZE - sent;
}

static void put_some(struct end *self)
{
    self->piece = next_piece(self);
    if (self->round % 2 != 0)
        return;
    while ((self->status = sos_stream_put(self->stream, pattern + sent, self->piece)) != SOS_OK) {
        CHECK_INT(self->status, SOS_ENOMEM);
        try_again(&self->tries);
    }
    sent += self->piece;
    self->piece = next_piece(self);
}

static void arm(const struct end *self)
{
    armed = sos_sim_memory(world.kernel).allocations;
    sos_sim_fail_allocation(world.kernel, self->nth, self->all_after);
}

/* Then it is for good, and nothing more goes. */
static bool gives_up(struct end *self)
{
    CHECK_INT(self->status, SOS_ENOMEM);
    spoiled = sos_stream_error(self->stream) == SOS_ENOMEM;
    try_again(&self->tries);
    return spoiled && self->tries % TRIES == 0;
}

static async_fn(writes)
{
    async_begin(end);
    if (self->secure)
        try_await(sos_tls_server(task, self->lower, &self->tls, &self->stream));
    arm(self);
    while (sent < SIZE) {
        self->tries = 0;
        put_some(self);
        for (;;) {
            await(sos_stream_write(task, self->stream, pattern + sent, self->piece));
            self->status = sos_status(task);
            if (self->status >= 0)
                break;
            if (gives_up(self))
                async_return(SOS_OK);
        }
        CHECK_INT(self->status, self->piece);
        CHECK(!spoiled);
        sent += self->piece;
    }
    self->tries = 0;
    for (;;) {
        await(sos_stream_shutdown(task, self->stream));
        if (sos_status(task) != SOS_ENOMEM)
            break;
        try_again(&self->tries);
    }
    CHECK_INT(sos_status(task), SOS_OK);
    async_finally;
    sos_stream_close(self->stream != NULL ? self->stream : self->lower);
    async_end;
}

/* ---- The reader */

static void check_arrived(struct end *self)
{
    size_t size;
    const unsigned char *bytes = sos_stream_data(self->stream, &size);
    CHECK(got + size <= SIZE && memcmp(bytes, pattern + got, size) == 0);
    got += size;
    sos_stream_take(self->stream, size);
}

static async_fn(reads)
{
    async_begin(end);
    if (self->secure)
        try_await(sos_tls_client(task, self->lower, &self->tls, "server.test", &self->stream));
    for (;;) {
        await(sos_stream_more(task, self->stream));
        self->status = sos_status(task);
        if (self->status == SOS_ENOMEM) {
            try_again(&self->tries);
            continue;
        }
        if (self->status < 0)
            break;
        self->tries = 0;
        check_arrived(self);
    }
    CHECK_INT(self->status, spoiled && self->secure ? SOS_ETLS : SOS_EEOF);
    async_finally;
    sos_stream_close(self->stream != NULL ? self->stream : self->lower);
    async_end;
}

/* ---- */

static void start(sos_async_function function, struct end first)
{
    if (!first.secure)
        first.stream = first.lower;
    const struct sos_start begun = { .function = function,
                                     .frame = &first,
                                     .name = "end",
                                     .size = sizeof first,
                                     .options = { .priority = 3 } };
    CHECK_INT(sos_fork_list(world.os, &begun, 1, NULL), SOS_OK);
}

/* How many allocations there were while it wrote. */
static uint64_t one_run(uint64_t nth, bool all_after, bool secure)
{
    sos_stream *streams[2];
    int fds[2];
    sent = got = 0;
    spoiled = false;
    if (secure)
        tls_world_open(NULL);
    else
        world_open(&(struct sos_config){ .frame_chunk = 5000 }); /* from the kernel each time */
    CHECK_INT(sos_sim_pair(world.kernel, fds, &(struct sos_sim_stream){ .capacity = 5000 }),
              SOS_OK);
    for (int index = 0; index < 2; index++)
        CHECK_INT(sos_stream_adopt(world.os, fds[index], 0, &streams[index]), SOS_OK);
    start(writes, (struct end){ .lower = streams[0],
                                .tls = tls_server("good"),
                                .secure = secure,
                                .nth = nth,
                                .all_after = all_after });
    start(reads, (struct end){ .lower = streams[1], .tls = tls_client(), .secure = secure });
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(spoiled ? got <= SIZE : got == SIZE && sent == SIZE);
    uint64_t count = sos_sim_memory(world.kernel).allocations - armed;
    tls_world_close();
    return count;
}

static void whatever_allocation_fails(bool secure)
{
    uint64_t count = one_run(0, false, secure), stride = 1, broken = 0, whole = 0;
    if (getenv("SOS_VALGRIND") != NULL)
        stride = secure ? 1 + count / 7 : 7;
    for (uint64_t nth = 1; nth <= count; nth += stride) {
        for (int all_after = 0; all_after < 2; all_after++) {
            one_run(nth, all_after != 0, secure);
            broken += spoiled;
            whole += !spoiled;
        }
    }
    CHECK(stride > 1 || (broken != 0 && whole != 0));
}

int main(void)
{
    for (size_t index = 0; index < SIZE; index++)
        pattern[index] = (unsigned char)(index * 7 % 251);
    whatever_allocation_fails(false);
    if (certificates_make())
        whatever_allocation_fails(true);
    return 0;
}
