/* SPDX-License-Identifier: MIT */
#include "both_ways.h"

#include "check.h"

enum { PIECE_MOST = 40000 };

static unsigned char byte_at(size_t at)
{
    return (unsigned char)(at * 7 + at / 251);
}

struct sends {
    sos_frame frame;
    sos_stream *stream;
    size_t size, done, piece;
    unsigned char *bytes;
};

/* Small ones and large ones; most not in step with the records of TLS. */
static size_t next_piece(struct sends *self)
{
    size_t most = self->done % 3 == 0 ? 100 : PIECE_MOST;
    self->piece = 1 + self->done * 31 % most;
    if (self->piece > self->size - self->done)
        self->piece = self->size - self->done;
    for (size_t index = 0; index < self->piece; index++)
        self->bytes[index] = byte_at(self->done + index);
    self->done += self->piece;
    return self->piece;
}

static async_fn(sends)
{
    async_begin(sends);
    self->bytes = malloc(PIECE_MOST);
    while (self->done < self->size) {
        CHECK_INT(sos_stream_put(self->stream, self->bytes, next_piece(self)), SOS_OK);
        try_await(sos_stream_write(task, self->stream, self->bytes, next_piece(self)));
        CHECK_INT(sos_status(task), self->piece);
    }
    try_await(sos_stream_shutdown(task, self->stream));
    async_finally;
    free(self->bytes);
    async_end;
}

struct gets {
    sos_frame frame;
    sos_stream *stream;
    size_t size, done;
};

static void take_all(struct gets *self)
{
    size_t there;
    const unsigned char *bytes = sos_stream_data(self->stream, &there);
    for (size_t index = 0; index < there; index++)
        if (bytes[index] != byte_at(self->done + index))
            check_failed(__FILE__, __LINE__, __func__, "the bytes are those that were sent");
    sos_stream_take(self->stream, there);
    self->done += there;
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
    if (sos_status(task) != SOS_EEOF)
        async_return(sos_status(task));
    CHECK_INT(self->done, self->size);
    async_end;
}

struct both {
    sos_frame frame;
    struct sos_scope scope;
    sos_stream *stream;
    size_t size;
};

static async_fn(both)
{
    async_begin(both);
    sos_scope_open(task, &self->scope);
    async_spawn(sends, sos_opt(), .stream = self->stream, .size = self->size);
    async_spawn(gets, sos_opt(), .stream = self->stream, .size = self->size);
    await(sos_scope_join(task, &self->scope));
    async_return(sos_status(task));
    async_end;
}

sos_op both_ways(sos_task *task, sos_stream *stream, size_t size)
{
    return async_call(both, .stream = stream, .size = size);
}
