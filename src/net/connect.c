/* SPDX-License-Identifier: MIT */
/* Connecting to a host: an address, or a name whose addresses are tried in turn. */
#include "net/internal.h"

enum { ADDRESSES = 8 };

struct by_name {
    sos_frame frame;
    const char *host;
    sos_stream **stream;
    uint32_t limit;
    uint16_t port;
    int count, index, status;
    struct sos_address list[ADDRESSES];
};

static sos_op resolve(sos_task *task, struct by_name *self)
{
    struct sos_kernel *kernel = sos_kernel_of(sos_of(task));
    return kernel->network->resolve(task, self->host, self->list, ADDRESSES);
}

static async_fn(by_name)
{
    async_begin(by_name);
    try_await(resolve(task, self));
    self->count = sos_status(task);
    self->status = SOS_ENONAME;
    for (; self->index < self->count; self->index++) {
        self->list[self->index].port = self->port;
        await(sos_connect_address(task, &self->list[self->index], self->limit, self->stream));
        self->status = sos_status(task);
        if (self->status == SOS_OK)
            break;
    }
    async_return(self->status);
    async_end;
}

sos_op sos_connect(sos_task *task, const struct sos_connect_options *options, sos_stream **stream)
{
    struct sos_kernel *kernel = sos_kernel_of(sos_of(task));
    struct sos_address address;
    if (options == NULL || options->host == NULL || stream == NULL)
        return sos_complete(task, SOS_EINVAL);
    *stream = NULL;
    if (sos_address_parse(&address, options->host, options->port) == SOS_OK)
        return sos_connect_address(task, &address, options->max_buffer_size, stream);
    if (kernel->network == NULL || kernel->network->resolve == NULL)
        return sos_complete(task, SOS_ENOTSUP);
    return async_call(by_name, .host = options->host, .stream = stream,
                      .limit = options->max_buffer_size, .port = options->port);
}
