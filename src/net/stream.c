/* SPDX-License-Identifier: MIT */
/* Streams: buffers, and waiting for what a stream of any kind could not do at once. */
#include "net/internal.h"

#include <limits.h>
#include <string.h>

enum { BUFFER_FIRST = 2048, READ_AT_LEAST = 1024, READ_MOST = 32768, UNLIMITED = INT32_MAX };

/* ---- Buffers */

void sos_buffer_free_(sos *os, struct sos_buffer_ *buffer)
{
    sos_memory_give(os, buffer->bytes, buffer->room);
    *buffer = (struct sos_buffer_){ NULL, 0, 0, 0 };
}

void sos_buffer_take_(sos *os, struct sos_buffer_ *buffer, size_t size)
{
    buffer->first += (uint32_t)size;
    if (buffer->first == buffer->end)
        sos_buffer_free_(os, buffer);
}

static uint32_t room_for(const struct sos_buffer_ *buffer, uint32_t needed, uint32_t limit)
{
    uint32_t room = buffer->room != 0 ? buffer->room : BUFFER_FIRST;
    while (room < needed)
        room *= 2;
    return room < limit ? room : limit;
}

/* Moved to the front, if that is enough, else into a block twice as large. */
static int make_room(sos *os, struct sos_buffer_ *buffer, uint32_t needed, uint32_t limit)
{
    uint32_t count = buffer_count(buffer), room = room_for(buffer, needed, limit);
    unsigned char *bytes = buffer->bytes;
    if (room > buffer->room) {
        bytes = sos_memory_take(os, room);
        if (bytes == NULL)
            return SOS_ENOMEM;
    }
    if (count != 0)
        memmove(bytes, buffer->bytes + buffer->first, count);
    if (bytes != buffer->bytes)
        sos_memory_give(os, buffer->bytes, buffer->room);
    *buffer = (struct sos_buffer_){ bytes, 0, count, room > buffer->room ? room : buffer->room };
    return SOS_OK;
}

int sos_buffer_reserve_(sos *os, struct sos_buffer_ *buffer, size_t size, uint32_t limit)
{
    uint32_t count = buffer_count(buffer);
    if (buffer->room - buffer->end >= size)
        return SOS_OK;
    bool too_much = size > limit || count + size > limit;
    uint32_t needed = too_much ? limit : count + (uint32_t)size;
    int status = SOS_OK;
    if (buffer->room - buffer->end < needed - count)
        status = make_room(os, buffer, needed, limit);
    return status == SOS_OK && too_much ? SOS_ELIMIT : status;
}

/* ---- Making and closing */

static uint32_t limit_of(sos *os, uint32_t limit)
{
    if (limit == 0)
        limit = sos_configuration(os)->client_defaults.stream.max_buffer_size;
    return limit == 0 || limit > UNLIMITED ? UNLIMITED : limit;
}

sos_stream *sos_stream_new_(sos *os, size_t size, const struct sos_stream_type_ *type, int fd,
                            uint32_t limit)
{
    sos_stream *stream = sos_memory_take(os, size);
    if (stream == NULL)
        return NULL;
    memset(stream, 0, size);
    stream->type = type;
    stream->os = os;
    stream->fd = fd;
    stream->limit = limit_of(os, limit);
    stream->portion = READ_AT_LEAST;
    return stream;
}

/* Who waits in an operation on it hears of it now. */
void sos_stream_abort(sos_stream *stream)
{
    if (stream->type->leave != NULL)
        stream->type->leave(stream);
    int fd = stream->fd;
    stream->error = SOS_ECANCELED;
    stream->fd = -1;
    sos_buffer_free_(stream->os, &stream->in);
    sos_buffer_free_(stream->os, &stream->out);
    if (fd >= 0)
        sos_fd_close(stream->os, fd);
}

/* The last operation that is still to hear of it gives the memory back. */
void sos_stream_close(sos_stream *stream)
{
    if (stream == NULL || stream->closed)
        return;
    stream->closed = true;
    stream_enter(stream);
    sos_stream_abort(stream);
    sos_stream_leave_(stream);
}

void sos_stream_leave_(sos_stream *stream)
{
    if (--stream->users == 0 && stream->closed)
        stream->type->end(stream);
}

/* ---- Waiting: an operation is tried at once, and only one that cannot go on gets a frame */

/*
 * Notes the first error that ends the stream. Its end is none, since writing may go on, and neither
 * is what has lost nothing and may be tried again.
 */
static int noted(sos_stream *stream, int status)
{
    if (status < 0 && status != SOS_EAGAIN && status != SOS_EEOF && status != SOS_ELIMIT &&
        status != SOS_ENOMEM && stream->error == 0)
        stream->error = status;
    return status;
}

/* What the other end said before it stopped reading can still be read. */
static int noted_writing(sos_stream *stream, int status)
{
    if (status != SOS_EPIPE && status != SOS_ECONNRESET)
        return noted(stream, status);
    stream->write_error = status;
    return status;
}

static int why_not_writable(const sos_stream *stream)
{
    if (stream->error != 0)
        return stream->error;
    if (stream->write_error != 0)
        return stream->write_error;
    return stream->shut ? SOS_EPIPE : SOS_OK;
}

static int why_not_readable(const sos_stream *stream)
{
    if (stream->error != 0)
        return stream->error;
    return stream->ended ? SOS_EEOF : SOS_OK;
}

int sos_stream_read_now_(sos_stream *stream, void *bytes, size_t size)
{
    int status = why_not_readable(stream);
    if (status != SOS_OK)
        return status;
    status = noted(stream, stream->type->read_now(stream, bytes, size));
    if (status == SOS_EEOF)
        stream->ended = true;
    return status;
}

/* What fills its room shows that more comes at a time. */
static void fit_portion(sos_stream *stream, uint32_t got, uint32_t room)
{
    if (got == room)
        stream->portion = (uint16_t)(room < READ_MOST / 2 ? 2 * room : READ_MOST);
    else if (got < stream->portion / 4 && stream->portion > READ_AT_LEAST)
        stream->portion /= 2;
}

/* Memory that nothing was read into is given back, so that an idle stream has none. */
int sos_stream_more_now_(sos_stream *stream)
{
    struct sos_buffer_ *in = &stream->in;
    int got = why_not_readable(stream);
    if (got != SOS_OK)
        return got;
    if (sos_buffer_reserve_(stream->os, in, stream->portion, stream->limit) == SOS_ENOMEM)
        return SOS_ENOMEM;
    uint32_t room = in->room - in->end;
    if (room == 0)
        return SOS_ELIMIT;
    got = sos_stream_read_now_(stream, in->bytes + in->end, room);
    if (got > 0) {
        in->end += (uint32_t)got;
        fit_portion(stream, (uint32_t)got, room);
        return (int)buffer_count(in);
    }
    if (buffer_count(in) == 0)
        sos_buffer_free_(stream->os, in);
    return got;
}

int sos_stream_write_now_(sos_stream *stream, struct sos_slice *more)
{
    int status = why_not_writable(stream);
    return status != SOS_OK ? status : noted_writing(stream, stream->type->write_now(stream, more));
}

sos_op sos_stream_wait_(sos_task *task, const sos_stream *stream)
{
    return stream->wants != 0 ? sos_wait_again(task, stream->fd, stream->wants) : sos_yield(task);
}

struct more {
    sos_frame frame;
    sos_stream *stream;
    int status;
};

static async_fn(more)
{
    async_begin(more);
    stream_enter(self->stream);
    do {
        try_await(sos_stream_wait_(task, self->stream));
        self->status = sos_stream_more_now_(self->stream);
    } while (self->status == SOS_EAGAIN);
    async_return(self->status);
    async_finally;
    sos_stream_leave_(self->stream);
    async_end;
}

sos_op sos_stream_more(sos_task *task, sos_stream *stream)
{
    int status = sos_stream_more_now_(stream);
    if (status != SOS_EAGAIN)
        return sos_complete(task, status);
    return async_call(more, .stream = stream);
}

/* ---- Reading */

const unsigned char *sos_stream_data(const sos_stream *stream, size_t *size)
{
    *size = buffer_count(&stream->in);
    return *size != 0 ? stream->in.bytes + stream->in.first : NULL;
}

void sos_stream_take(sos_stream *stream, size_t size)
{
    size_t count = buffer_count(&stream->in);
    if (count != 0)
        sos_buffer_take_(stream->os, &stream->in, size < count ? size : count);
}

static int take_into(sos_stream *stream, void *bytes, size_t size)
{
    size_t count = buffer_count(&stream->in);
    if (size > count)
        size = count;
    memcpy(bytes, stream->in.bytes + stream->in.first, size);
    sos_stream_take(stream, size);
    return (int)size;
}

struct reading {
    sos_frame frame;
    sos_stream *stream;
    void *bytes;
    size_t size, least;
};

static async_fn(reading)
{
    async_begin(reading);
    stream_enter(self->stream);
    while (buffer_count(&self->stream->in) < self->least)
        try_await(sos_stream_more(task, self->stream));
    async_return(take_into(self->stream, self->bytes, self->size));
    async_finally;
    sos_stream_leave_(self->stream);
    async_end;
}

static sos_op read_at_least(sos_task *task, sos_stream *stream, void *bytes, size_t size,
                            size_t least)
{
    if (size > INT_MAX || (bytes == NULL && size != 0))
        return sos_complete(task, SOS_EINVAL);
    if (least > stream->limit)
        return sos_complete(task, SOS_ELIMIT);
    if (buffer_count(&stream->in) >= least)
        return sos_complete(task, size != 0 ? take_into(stream, bytes, size) : 0);
    return async_call(reading, .stream = stream, .bytes = bytes, .size = size, .least = least);
}

sos_op sos_stream_read(sos_task *task, sos_stream *stream, void *bytes, size_t size)
{
    return read_at_least(task, stream, bytes, size, size != 0);
}

sos_op sos_stream_read_exactly(sos_task *task, sos_stream *stream, void *bytes, size_t size)
{
    return read_at_least(task, stream, bytes, size, size);
}

struct until {
    sos_frame frame;
    sos_stream *stream;
    const void *delimiter;
    size_t delimiter_size, max, looked;
    int found;
};

/* Where the delimiter ends; 0: not there yet. `looked`: so many bytes hold no beginning of it. */
static int find(sos_stream *stream, const unsigned char *delimiter, size_t delimiter_size,
                size_t *looked, size_t max)
{
    size_t size;
    const unsigned char *bytes = sos_stream_data(stream, &size);
    if (size > max)
        size = max;
    while (*looked + delimiter_size <= size) {
        const unsigned char *at = memchr(bytes + *looked, delimiter[0],
                                         size - *looked - delimiter_size + 1);
        if (at == NULL) {
            *looked = size - delimiter_size + 1;
            return 0;
        }
        *looked = (size_t)(at - bytes);
        if (memcmp(at, delimiter, delimiter_size) == 0)
            return (int)(*looked + delimiter_size);
        ++*looked;
    }
    return size == max ? SOS_ELIMIT : 0;
}

static async_fn(until)
{
    async_begin(until);
    stream_enter(self->stream);
    for (;;) {
        self->found = find(self->stream, self->delimiter, self->delimiter_size, &self->looked,
                           self->max);
        if (self->found != 0)
            async_return(self->found);
        try_await(sos_stream_more(task, self->stream));
    }
    async_finally;
    sos_stream_leave_(self->stream);
    async_end;
}

sos_op sos_stream_until(sos_task *task, sos_stream *stream, const void *delimiter,
                        size_t delimiter_size, size_t max)
{
    if (delimiter == NULL || delimiter_size == 0)
        return sos_complete(task, SOS_EINVAL);
    if (max == 0 || max > stream->limit)
        max = stream->limit;
    return async_call(until, .stream = stream, .delimiter = delimiter,
                      .delimiter_size = delimiter_size, .max = max);
}

/* ---- Writing */

void *sos_stream_room(sos_stream *stream, size_t size)
{
    if (sos_buffer_reserve_(stream->os, &stream->out, size, stream->limit) != SOS_OK)
        return NULL;
    return stream->out.bytes + stream->out.end;
}

int sos_stream_put(sos_stream *stream, const void *bytes, size_t size)
{
    int status = why_not_writable(stream);
    if (status == SOS_OK)
        status = sos_buffer_reserve_(stream->os, &stream->out, size, stream->limit);
    if (status != SOS_OK || size == 0)
        return status;
    if (bytes != NULL)
        memcpy(stream->out.bytes + stream->out.end, bytes, size);
    stream->out.end += (uint32_t)size;
    return SOS_OK;
}

struct writing {
    sos_frame frame;
    sos_stream *stream;
    struct sos_slice more;
    int result, status;
    bool shut;
};

static int go_on(sos_stream *stream, struct sos_slice *more, bool shut)
{
    int status = sos_stream_write_now_(stream, more);
    if (status != SOS_OK || !shut)
        return status;
    status = noted_writing(stream, stream->type->shutdown_now(stream));
    stream->shut = status == SOS_OK;
    return status;
}

/* What has lost nothing may be tried again; after a part has gone, that would send it twice. */
static void noted_part(sos_stream *stream, int status, bool part)
{
    if (part && status == SOS_ENOMEM && stream->write_error == 0)
        stream->write_error = SOS_ENOMEM;
}

static async_fn(writing)
{
    async_begin(writing);
    stream_enter(self->stream);
    do {
        try_await(sos_stream_wait_(task, self->stream));
        self->status = go_on(self->stream, &self->more, self->shut);
    } while (self->status == SOS_EAGAIN);
    async_return(self->status == SOS_OK ? self->result : self->status);
    async_finally;
    noted_part(self->stream, sos_status(task), self->more.size != (size_t)self->result);
    if (self->more.size != 0)
        self->stream->torn = true;
    sos_stream_leave_(self->stream);
    async_end;
}

static sos_op write_all(sos_task *task, sos_stream *stream, const void *bytes, size_t size,
                        bool shut)
{
    struct sos_slice more = { bytes, size };
    int status = size > INT_MAX || (bytes == NULL && size != 0) ? SOS_EINVAL
                                                                : go_on(stream, &more, shut);
    if (status == SOS_EAGAIN) {
        sos_op op = async_call(writing, .stream = stream, .more = more, .result = (int)size,
                               .shut = shut);
        if (op.outcome_ != SOS_DONE_)
            return op;
        status = SOS_ENOMEM; /* there is no frame */
    }
    noted_part(stream, status, more.size != size);
    return sos_complete(task, status == SOS_OK ? (int)size : status);
}

sos_op sos_stream_flush(sos_task *task, sos_stream *stream)
{
    return write_all(task, stream, NULL, 0, false);
}

sos_op sos_stream_write(sos_task *task, sos_stream *stream, const void *bytes, size_t size)
{
    return write_all(task, stream, bytes, size, false);
}

sos_op sos_stream_shutdown(sos_task *task, sos_stream *stream)
{
    if (stream->shut)
        return sos_complete(task, sos_stream_error(stream));
    return write_all(task, stream, NULL, 0, true);
}

/* ---- About it */

int sos_stream_error(const sos_stream *stream)
{
    return stream->error != 0 ? stream->error : stream->write_error;
}

const char *sos_stream_error_text(const sos_stream *stream)
{
    const char *text = NULL;
    if (stream->type->error_text != NULL)
        text = stream->type->error_text(stream);
    return text != NULL ? text : sos_error_text(sos_stream_error(stream));
}

size_t sos_stream_unsent(const sos_stream *stream)
{
    return buffer_count(&stream->out);
}

int sos_stream_address(const sos_stream *stream, bool other, struct sos_address *address)
{
    struct sos_kernel *kernel = sos_kernel_of(stream->os);
    if (kernel->network == NULL || kernel->network->name == NULL)
        return SOS_ENOTSUP;
    return kernel->network->name(kernel, stream->fd, other, address);
}
