/* SPDX-License-Identifier: MIT */
/* Descriptors: waiting for readiness, and reading and writing built on it. */
#include "internal.h"

/* ---- Readiness */

static sos_op wait_ready(sos_task *task, int fd, enum sos_wait kind, unsigned hint)
{
    struct sos_kernel *kernel = task->os->kernel;
    bool reads = kind == SOS_WAIT_READABLE;
    sos_check_running_(task);
    if (kernel->source == NULL || kernel->watch == NULL)
        return sos_complete_(task, SOS_ENOTSUP);
    struct sos_source *source = kernel->source(kernel, fd);
    if (source == NULL)
        return sos_complete_(task, SOS_EBADF);
    int ready = kernel->watch(kernel, fd, (reads ? SOS_READABLE : SOS_WRITABLE) | hint);
    if (ready != 0)
        return sos_complete_(task, ready < 0 ? ready : SOS_OK);
    struct sos_link **list = reads ? &source->readers : &source->writers;
    sos_suspend_(task, kind, list);
    task->link.count[0] = (uint32_t)fd;
    task->os->outside++;
    sos_list_append_(list, &task->link);
    return (sos_op){ SOS_SUSPENDED_ };
}

sos_op sos_wait_readable(sos_task *task, int fd)
{
    return wait_ready(task, fd, SOS_WAIT_READABLE, 0);
}

sos_op sos_wait_writable(sos_task *task, int fd)
{
    return wait_ready(task, fd, SOS_WAIT_WRITABLE, 0);
}

unsigned sos_source_ready(sos *os, struct sos_source *source, unsigned events, int status)
{
    if ((events & SOS_READABLE) != 0)
        os->outside -= sos_resume_all_(os, &source->readers, status);
    if ((events & SOS_WRITABLE) != 0)
        os->outside -= sos_resume_all_(os, &source->writers, status);
    return (source->readers != NULL ? SOS_READABLE : 0u) |
           (source->writers != NULL ? SOS_WRITABLE : 0u);
}

int sos_fd_close(sos *os, int fd)
{
    struct sos_kernel *kernel = os->kernel;
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    if (kernel->source == NULL || kernel->fd_close == NULL)
        return SOS_ENOTSUP;
    struct sos_source *source = kernel->source(kernel, fd);
    if (source == NULL)
        return SOS_EBADF;
    sos_source_ready(os, source, SOS_READABLE | SOS_WRITABLE, SOS_ECANCELED);
    return kernel->fd_close(kernel, fd);
}

/* ---- Reading and writing */

int sos_try_read(sos *os, int fd, void *bytes, size_t size)
{
    struct sos_kernel *kernel = os->kernel;
    return kernel->fd_read == NULL ? SOS_ENOTSUP : kernel->fd_read(kernel, fd, bytes, size);
}

int sos_try_write(sos *os, int fd, const void *bytes, size_t size)
{
    struct sos_kernel *kernel = os->kernel;
    return kernel->fd_write == NULL ? SOS_ENOTSUP : kernel->fd_write(kernel, fd, bytes, size);
}

struct transfer {
    sos_frame frame;
    int fd;
    unsigned char *bytes;
    size_t size, done;
    int result;
};

static int read_on(sos_task *task, void *frame_);
static int write_on(sos_task *task, void *frame_);

static async_fn(read_on)
{
    async_begin(transfer);
    for (;;) {
        try_await(wait_ready(task, self->fd, SOS_WAIT_READABLE, SOS_AFTER_EAGAIN));
        self->result = sos_try_read(sos_of(task), self->fd, self->bytes, self->size);
        if (self->result != SOS_EAGAIN)
            async_return(self->result);
    }
    async_end;
}

static async_fn(write_on)
{
    async_begin(transfer);
    while (self->done < self->size) {
        self->result = sos_try_write(sos_of(task), self->fd, self->bytes + self->done,
                                     self->size - self->done);
        if (self->result >= 0)
            self->done += (size_t)self->result;
        else if (self->result != SOS_EAGAIN)
            async_return(self->result);
        else
            try_await(wait_ready(task, self->fd, SOS_WAIT_WRITABLE, SOS_AFTER_EAGAIN));
    }
    async_return((int)self->done);
    async_end;
}

static sos_op go_on(sos_task *task, sos_async_function function, struct transfer transfer)
{
    return sos_call_(task, function, &transfer, SOS_FRAME_SIZE_(transfer));
}

sos_op sos_read(sos_task *task, int fd, void *bytes, size_t size)
{
    sos_check_running_(task);
    if (size > INT_MAX || (bytes == NULL && size != 0))
        return sos_complete_(task, SOS_EINVAL);
    int got = sos_try_read(task->os, fd, bytes, size);
    if (got != SOS_EAGAIN)
        return sos_complete_(task, got);
    return go_on(task, read_on, (struct transfer){ .fd = fd, .bytes = bytes, .size = size });
}

sos_op sos_write(sos_task *task, int fd, const void *bytes, size_t size)
{
    sos_check_running_(task);
    if (size > INT_MAX || (bytes == NULL && size != 0))
        return sos_complete_(task, SOS_EINVAL);
    int put = sos_try_write(task->os, fd, bytes, size);
    if (put == (int)size || (put < 0 && put != SOS_EAGAIN))
        return sos_complete_(task, put);
    struct transfer rest = { .fd = fd, .size = size, .done = put > 0 ? (size_t)put : 0 };
    rest.bytes = (unsigned char *)(uintptr_t)bytes; /* only read from */
    return go_on(task, write_on, rest);
}
