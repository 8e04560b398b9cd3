/* SPDX-License-Identifier: MIT */
/* Descriptors: waiting for readiness, and reading and writing built on it. */
#include "internal.h"

/* ---- Readiness */

/* A kernel has all or none of the callbacks for descriptors. */
static int find_source(struct sos_kernel *kernel, int fd, struct sos_source **source)
{
    if (kernel->source == NULL)
        return SOS_ENOTSUP;
    *source = kernel->source(kernel, fd);
    return *source == NULL ? SOS_EBADF : SOS_OK;
}

static sos_op wait_ready(sos_task *task, int fd, enum sos_wait kind, unsigned hint)
{
    struct sos_kernel *kernel = task->os->kernel;
    bool reads = kind == SOS_WAIT_READABLE;
    sos_check_running_(task);
    struct sos_source *source;
    int error = find_source(kernel, fd, &source);
    if (error != 0)
        return sos_complete_(task, error);
    int ready = kernel->watch(kernel, fd, (reads ? SOS_READABLE : SOS_WRITABLE) | hint);
    if (ready != 0)
        return sos_complete_(task, ready < 0 ? ready : SOS_OK);
    struct sos_link **list = reads ? &source->readers : &source->writers;
    task->link.count[0] = (uint32_t)fd;
    task->os->outside++;
    return sos_suspend_in_(task, kind, list);
}

sos_op sos_wait_readable(sos_task *task, int fd)
{
    return wait_ready(task, fd, SOS_WAIT_READABLE, 0);
}

sos_op sos_wait_writable(sos_task *task, int fd)
{
    return wait_ready(task, fd, SOS_WAIT_WRITABLE, 0);
}

sos_op sos_wait_again(sos_task *task, int fd, unsigned events)
{
    enum sos_wait kind = events == SOS_READABLE ? SOS_WAIT_READABLE : SOS_WAIT_WRITABLE;
    return wait_ready(task, fd, kind, SOS_AFTER_EAGAIN);
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
    struct sos_source *source;
    int error = sos_check_thread_(os);
    if (error != 0)
        return error;
    error = find_source(kernel, fd, &source);
    if (error != 0)
        return error;
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
    enum sos_wait kind; /* for which readiness it waits */
    unsigned char *bytes;
    size_t size, done;
    int status;
};

/* As far as it goes without waiting: a read ends with the first bytes, a write with the last. */
static int go_on(sos *os, struct transfer *transfer)
{
    int count = 0;
    if (transfer->kind == SOS_WAIT_READABLE)
        return sos_try_read(os, transfer->fd, transfer->bytes, transfer->size);
    do {
        transfer->done += (size_t)count;
        count = sos_try_write(os, transfer->fd, transfer->bytes + transfer->done,
                              transfer->size - transfer->done);
        if (count < 0)
            return count;
    } while (transfer->done + (size_t)count < transfer->size);
    return (int)transfer->size;
}

static int transfer(sos_task *task, void *frame_);

static async_fn(transfer)
{
    async_begin(transfer);
    for (;;) {
        try_await(wait_ready(task, self->fd, self->kind, SOS_AFTER_EAGAIN));
        self->status = go_on(sos_of(task), self);
        if (self->status != SOS_EAGAIN)
            async_return(self->status);
    }
    async_end;
}

static sos_op begin_transfer(sos_task *task, int fd, const void *bytes, size_t size,
                             enum sos_wait kind)
{
    struct transfer first = { .fd = fd, .kind = kind, .size = size };
    first.bytes = (unsigned char *)(uintptr_t)bytes; /* of a write: only read from */
    sos_check_running_(task);
    if (size > INT_MAX || (bytes == NULL && size != 0))
        return sos_complete_(task, SOS_EINVAL);
    int status = go_on(task->os, &first);
    if (status != SOS_EAGAIN)
        return sos_complete_(task, status);
    return sos_call_(task, transfer, &first, SOS_FRAME_SIZE_(transfer));
}

sos_op sos_read(sos_task *task, int fd, void *bytes, size_t size)
{
    return begin_transfer(task, fd, bytes, size, SOS_WAIT_READABLE);
}

sos_op sos_write(sos_task *task, int fd, const void *bytes, size_t size)
{
    return begin_transfer(task, fd, bytes, size, SOS_WAIT_WRITABLE);
}
