/* SPDX-License-Identifier: MIT */
/* Plain streams: what is read and written is what the descriptor carries. And listeners. */
#include "net/internal.h"

#include <string.h>

/* ---- Reading and writing a descriptor */

static int read_now(sos_stream *stream, void *bytes, size_t size)
{
    int got = sos_try_read(stream->os, stream->fd, bytes, size);
    if (got == SOS_EAGAIN)
        stream->wants = SOS_READABLE;
    return got == 0 ? SOS_EEOF : got;
}

static int write_some(sos_stream *stream, const struct sos_slice *slices, size_t count)
{
    struct sos_kernel *kernel = sos_kernel_of(stream->os);
    if (count == 1)
        return sos_try_write(stream->os, stream->fd, slices[0].bytes, slices[0].size);
    if (kernel->network != NULL && kernel->network->write_many != NULL)
        return kernel->network->write_many(kernel, stream->fd, slices, count);
    return sos_try_write(stream->os, stream->fd, slices[0].bytes, slices[0].size);
}

/* Takes off the slices what has been written: 0, SOS_EAGAIN or an error. */
static int write_slices(sos_stream *stream, struct sos_slice *slices, size_t count)
{
    for (;;) {
        while (count != 0 && slices[0].size == 0) {
            slices++;
            count--;
        }
        while (count != 0 && slices[count - 1].size == 0)
            count--;
        if (count == 0)
            return SOS_OK;
        int put = write_some(stream, slices, count);
        if (put == SOS_EAGAIN)
            stream->wants = SOS_WRITABLE;
        if (put < 0)
            return put;
        size_t left = (size_t)put;
        for (size_t index = 0; index < count && left != 0; index++) {
            size_t taken = left < slices[index].size ? left : slices[index].size;
            slices[index].bytes = (const unsigned char *)slices[index].bytes + taken;
            slices[index].size -= taken;
            left -= taken;
        }
    }
}

/* The stream's output buffer and `more`, in one call. */
static int write_now(sos_stream *stream, struct sos_slice *more)
{
    struct sos_buffer_ *out = &stream->out;
    uint32_t waiting = buffer_count(out);
    struct sos_slice slices[2] = { { NULL, waiting }, *more };
    if (waiting != 0)
        slices[0].bytes = out->bytes + out->first;
    int status = write_slices(stream, slices, 2);
    if (waiting != 0)
        sos_buffer_take_(stream->os, out, waiting - slices[0].size);
    *more = slices[1];
    return status;
}

static int shutdown_now(sos_stream *stream)
{
    struct sos_kernel *kernel = sos_kernel_of(stream->os);
    if (kernel->network == NULL || kernel->network->shutdown == NULL)
        return SOS_ENOTSUP;
    return kernel->network->shutdown(kernel, stream->fd);
}

static void end(sos_stream *stream)
{
    sos_memory_give(stream->os, stream, sizeof *stream);
}

static const struct sos_stream_type_ plain = { read_now, write_now, shutdown_now, end, NULL, NULL };

int sos_stream_adopt(sos *os, int fd, uint32_t max_buffer_size, sos_stream **stream)
{
    struct sos_kernel *kernel = sos_kernel_of(os);
    *stream = NULL;
    if (kernel->source == NULL || kernel->source(kernel, fd) == NULL)
        return SOS_EBADF;
    *stream = sos_stream_new_(os, sizeof **stream, &plain, fd, max_buffer_size);
    return *stream != NULL ? SOS_OK : SOS_ENOMEM;
}

/* ---- Connecting to one address */

struct connecting {
    sos_frame frame;
    sos_stream **stream;
    uint32_t limit;
    struct sos_address address;
    int fd, status;
    int64_t pause;
};

static int begin_to_connect(sos *os, const struct sos_address *address)
{
    struct sos_kernel *kernel = sos_kernel_of(os);
    return kernel->network->connect(kernel, address);
}

static int connected(sos *os, int fd)
{
    struct sos_kernel *kernel = sos_kernel_of(os);
    return kernel->network->connected(kernel, fd);
}

/* A local listener whose queue is full says so, and not when it has room again. */
static async_fn(connecting)
{
    async_begin(connecting);
    self->pause = SOS_MS(1);
    while ((self->fd = begin_to_connect(sos_of(task), &self->address)) == SOS_EAGAIN) {
        try_await(sos_sleep(task, self->pause));
        if (self->pause < SOS_MS(50))
            self->pause *= 2;
    }
    if (self->fd < 0)
        async_return(self->fd);
    while ((self->status = connected(sos_of(task), self->fd)) == SOS_EAGAIN)
        try_await(sos_wait_writable(task, self->fd));
    if (self->status == SOS_OK)
        self->status = sos_stream_adopt(sos_of(task), self->fd, self->limit, self->stream);
    if (self->status == SOS_OK)
        self->fd = -1;
    async_return(self->status);
    async_finally;
    if (self->fd >= 0)
        sos_fd_close(sos_of(task), self->fd);
    async_end;
}

sos_op sos_connect_address(sos_task *task, const struct sos_address *address,
                           uint32_t max_buffer_size, sos_stream **stream)
{
    struct sos_kernel *kernel = sos_kernel_of(sos_of(task));
    if (address == NULL || stream == NULL)
        return sos_complete(task, SOS_EINVAL);
    *stream = NULL;
    if (kernel->network == NULL || kernel->network->connect == NULL)
        return sos_complete(task, SOS_ENOTSUP);
    return async_call(connecting, .stream = stream, .limit = max_buffer_size, .address = *address);
}

/* ---- Listeners */

struct sos_listener {
    sos *os;
    int fd;
    uint32_t limit;
    sos_tls_context *tls; /* NULL: none */
    uint32_t users;       /* frames that refer to it */
    bool closed;          /* its memory goes with the last of them */
};

static void leave(sos_listener *listener)
{
    if (--listener->users != 0 || !listener->closed)
        return;
    sos_tls_context_close(listener->tls);
    sos_memory_give(listener->os, listener, sizeof *listener);
}

/* The caller's, if there is one, and kept with the listener. */
static int context_for(sos *os, const struct sos_tls_options *options, sos_tls_context **context)
{
    *context = NULL;
    if (options == NULL)
        return SOS_OK;
    if (options->context == NULL)
        return sos_tls_context_open(os, options, SOS_TLS_SERVER, context);
    int status = sos_tls_context_share_(options->context, SOS_TLS_SERVER);
    if (status == SOS_OK)
        *context = options->context;
    return status;
}

static int listen_at(sos *os, const struct sos_listen *options)
{
    enum { BACKLOG = 128 };
    struct sos_kernel *kernel = sos_kernel_of(os);
    struct sos_address address;
    const char *host = options->host != NULL ? options->host : "127.0.0.1";
    int status = sos_address_parse(&address, host, options->port);
    if (status != SOS_OK)
        return status;
    if (kernel->network == NULL || kernel->network->listen == NULL)
        return SOS_ENOTSUP;
    return kernel->network->listen(kernel, &address,
                                   options->backlog != 0 ? options->backlog : BACKLOG);
}

int sos_listener_open(sos *os, const struct sos_listen *options, sos_listener **listener)
{
    if (listener == NULL || options == NULL)
        return SOS_EINVAL;
    *listener = NULL;
    sos_tls_context *tls;
    int fd = context_for(os, options->tls, &tls);
    if (fd == SOS_OK)
        fd = listen_at(os, options);
    if (fd >= 0) {
        *listener = sos_memory_take(os, sizeof **listener);
        if (*listener != NULL) {
            **listener = (struct sos_listener){
                .os = os, .fd = fd, .limit = options->max_buffer_size, .tls = tls
            };
            return SOS_OK;
        }
        sos_fd_close(os, fd);
        fd = SOS_ENOMEM;
    }
    sos_tls_context_close(tls);
    return fd;
}

static int accept_now(sos_listener *listener, sos_stream **stream)
{
    struct sos_kernel *kernel = sos_kernel_of(listener->os);
    if (listener->closed)
        return SOS_ECANCELED;
    int fd = kernel->network->accept(kernel, listener->fd, NULL);
    if (fd < 0)
        return fd;
    sos_stream *plain_stream;
    int status = sos_stream_adopt(listener->os, fd, listener->limit, &plain_stream);
    if (status != SOS_OK) {
        sos_fd_close(listener->os, fd);
        return status;
    }
    if (listener->tls == NULL)
        *stream = plain_stream;
    else if ((status = sos_tls_accepted_(listener->tls, plain_stream, stream)) != SOS_OK)
        sos_stream_close(plain_stream);
    return status;
}

struct accepting {
    sos_frame frame;
    sos_listener *listener;
    sos_stream **stream;
    int status;
};

static async_fn(accepting)
{
    async_begin(accepting);
    self->listener->users++;
    while ((self->status = accept_now(self->listener, self->stream)) == SOS_EAGAIN)
        try_await(sos_wait_readable(task, self->listener->fd));
    async_return(self->status);
    async_finally;
    leave(self->listener);
    async_end;
}

sos_op sos_accept(sos_task *task, sos_listener *listener, sos_stream **stream)
{
    *stream = NULL;
    return async_call(accepting, .listener = listener, .stream = stream);
}

int sos_listener_address(const sos_listener *listener, struct sos_address *address)
{
    struct sos_kernel *kernel = sos_kernel_of(listener->os);
    if (kernel->network->name == NULL)
        return SOS_ENOTSUP;
    return kernel->network->name(kernel, listener->fd, false, address);
}

void sos_listener_close(sos_listener *listener)
{
    if (listener == NULL || listener->closed)
        return;
    listener->users++;
    listener->closed = true;
    sos_fd_close(listener->os, listener->fd);
    leave(listener);
}
