/* SPDX-License-Identifier: MIT */
/* How much a stream reads at a time: as much as comes, and no memory when nothing does. */
#include "smallos/stream.h"
#include "world.h"

enum { MUCH = 1 << 20 };

static int reads;
static char zeros[MUCH];
static int (*simulated_read)(struct sos_kernel *kernel, int fd, void *bytes, size_t size);

static int counted_read(struct sos_kernel *kernel, int fd, void *bytes, size_t size)
{
    reads++;
    return simulated_read(kernel, fd, bytes, size);
}

struct reader {
    sos_frame frame;
    sos_stream *stream;
    size_t done, there;
};

static void take_all(struct reader *self)
{
    sos_stream_data(self->stream, &self->there);
    sos_stream_take(self->stream, self->there);
    self->done += self->there;
}

static async_fn(reader)
{
    async_begin(reader);
    for (;;) {
        await(sos_stream_more(task, self->stream));
        if (sos_status(task) < 0)
            break;
        take_all(self);
    }
    note("%zu bytes, %s", self->done, status_text(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct writer {
    sos_frame frame;
    sos_stream *stream;
    size_t size, piece, done;
};

static async_fn(writer)
{
    async_begin(writer);
    for (; self->done < self->size; self->done += self->piece) {
        try_await(sos_stream_write(task, self->stream, zeros, self->piece));
        try_await(sos_sleep(task, SOS_MS(1)));
    }
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static int count_reads(size_t size, size_t piece, const char *trace)
{
    sos_stream *streams[2];
    int fds[2];
    world_open(NULL);
    simulated_read = world.kernel->fd_read;
    world.kernel->fd_read = counted_read;
    reads = 0;
    CHECK_INT(sos_sim_pair(world.kernel, fds, &(struct sos_sim_stream){ .capacity = 2 * MUCH }),
              SOS_OK);
    for (int index = 0; index < 2; index++)
        CHECK_INT(sos_stream_adopt(world.os, fds[index], 0, &streams[index]), SOS_OK);
    sos_fork(world.os, reader, sos_opt(.priority = 3), .stream = streams[0]);
    sos_fork(world.os, writer, sos_opt(.priority = 4), .stream = streams[1], .size = size,
             .piece = piece);
    world_run(SOS_OK, trace);
    world_close();
    return reads;
}

/* In portions of 32 KB, after some smaller ones. */
static void much_is_read_in_large_portions(void)
{
    CHECK(count_reads(MUCH, MUCH, "1000 1048576 bytes, EEOF\n") < 45);
}

/* One that gets a message, one that finds nothing more. */
static void a_small_message_is_one_read(void)
{
    int alone = count_reads(2000, 100, "20000 2000 bytes, EEOF\n");
    CHECK(alone <= 42);
}

/* While it waits, a stream has no buffer, however large the last one was. */
static void a_waiting_stream_has_no_memory(void)
{
    sos_stream *stream;
    int fds[2];
    static char bytes[100000];
    world_open(NULL);
    CHECK_INT(sos_sim_pair(world.kernel, fds, &(struct sos_sim_stream){ .capacity = sizeof bytes }),
              SOS_OK);
    CHECK_INT(sos_stream_adopt(world.os, fds[0], 0, &stream), SOS_OK);
    sos_handle waiting = sos_fork(world.os, reader, sos_opt(.priority = 3), .stream = stream);
    while (sos_run_once(world.os, 0) == 1)
        continue;
    size_t before = sos_memory(world.os).used;
    CHECK_INT(sos_try_write(world.os, fds[1], bytes, sizeof bytes), sizeof bytes);
    while (sos_run_once(world.os, SOS_MS(1)) == 1)
        continue;
    CHECK_INT(sos_memory(world.os).used, before);
    sos_kill(world.os, waiting);
    sos_fd_close(world.os, fds[1]);
    CHECK_INT(sos_run(world.os), SOS_OK);
    world_close();
}

int main(void)
{
    much_is_read_in_large_portions();
    a_small_message_is_one_read();
    a_waiting_stream_has_no_memory();
    return 0;
}
