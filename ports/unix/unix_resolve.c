/* SPDX-License-Identifier: MIT */
/*
 * Names through c-ares: one channel a kernel. Each of its sockets has a task that waits for it; time
 * passes in the tasks that look names up. A look-up belongs to the resolver, so one that is given up
 * ends when c-ares is done with it, at the latest with the last one that somebody still waits for.
 */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "smallos/async.h"
#include "smallos/inspect.h"
#include "smallos/sync.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

struct dns_socket {
    struct dns_socket *next;
    int fd;
    bool writes; /* waits to be writable rather than readable */
    sos_handle task;
};

struct unix_resolver {
    struct unix_kernel *kernel;
    sos *os;
    ares_channel channel;
    struct dns_socket *sockets;
    uint32_t awaited;       /* look-ups that somebody waits for */
    int priority;           /* of the task that last began one */
    int failed;             /* a socket could not be given its task */
    struct timespec config; /* when resolv.conf was written */
};

struct look_up {
    struct unix_resolver *resolver;
    struct sos_event over;
    struct ares_addrinfo *found;
    int status; /* SOS_EAGAIN until it is over */
    bool abandoned;
};

static int error_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return SOS_OK;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
    case ARES_EBADSTR:
        return SOS_ENONAME;
    case ARES_ETIMEOUT:
        return SOS_ETIMEDOUT;
    case ARES_ECONNREFUSED:
        return SOS_EUNREACH;
    case ARES_ENOMEM:
        return SOS_ENOMEM;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return SOS_ECANCELED;
    default:
        return SOS_EIO;
    }
}

/* ---- Sockets: non-blocking, without signals, and known to the kernel until they are closed */

static ares_socket_t open_socket(int family, int type, int protocol, void *context)
{
    int fd = socket(family, type, protocol);
    (void)context;
    if (fd < 0)
        return ARES_SOCKET_BAD;
    return sos_unix_socket_prepare_(fd) < 0 ? ARES_SOCKET_BAD : fd;
}

static int close_socket(ares_socket_t fd, void *context)
{
    struct unix_resolver *resolver = context;
    return sos_unix_fd_close_(&resolver->kernel->face, fd) == SOS_OK ? 0 : -1;
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t size,
                          void *context)
{
    (void)context;
    return connect(fd, to, size);
}

static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t size, int flags,
                            struct sockaddr *from, ares_socklen_t *from_size, void *context)
{
    (void)context;
    return recvfrom(fd, bytes, size, flags, from, from_size);
}

static ares_ssize_t send_pieces(ares_socket_t fd, const struct iovec *pieces, int count,
                                void *context)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces };
    (void)context;
    message.msg_iovlen = (size_t)count;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = { open_socket, close_socket,
                                                               connect_socket, receive,
                                                               send_pieces };

static struct dns_socket **find_socket(struct unix_resolver *resolver, int fd)
{
    struct dns_socket **at = &resolver->sockets;
    while (*at != NULL && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

struct dns_waiter {
    sos_frame frame;
    struct unix_resolver *resolver;
    int fd;
    bool writes;
};

/* False: c-ares has closed it. */
static bool look_at(struct dns_waiter *waiter)
{
    const struct dns_socket *socket = *find_socket(waiter->resolver, waiter->fd);
    if (socket != NULL)
        waiter->writes = socket->writes;
    return socket != NULL;
}

static sos_op wait_ready(sos_task *task, const struct dns_waiter *waiter)
{
    return waiter->writes ? sos_wait_writable(task, waiter->fd)
                          : sos_wait_readable(task, waiter->fd);
}

static void process(const struct dns_waiter *waiter)
{
    ares_process_fd(waiter->resolver->channel, waiter->writes ? ARES_SOCKET_BAD : waiter->fd,
                    waiter->writes ? waiter->fd : ARES_SOCKET_BAD);
}

static async_fn(dns_waiter)
{
    async_begin(dns_waiter);
    while (look_at(self)) {
        await(wait_ready(task, self));
        if (sos_status(task) == SOS_OK)
            process(self);
        else if (sos_status(task) != SOS_EINTR)
            async_return(SOS_OK);
    }
    async_end;
}

static void add_socket(struct unix_resolver *resolver, int fd, bool writes)
{
    struct dns_socket *socket = malloc(sizeof *socket);
    if (socket == NULL) {
        resolver->failed = SOS_ENOMEM;
        return;
    }
    *socket = (struct dns_socket){ resolver->sockets, fd, writes, { 0, 0 } };
    socket->task = sos_fork(resolver->os, dns_waiter,
                            sos_opt(.priority = resolver->priority, .watcher = true,
                                    .detached = true, .name = "resolver"),
                            .resolver = resolver, .fd = fd);
    if (socket->task.pid < 0) {
        resolver->failed = socket->task.pid;
        free(socket);
        return;
    }
    resolver->sockets = socket;
}

/* What c-ares now wants of a socket; nothing: it is about to close it. */
static void socket_wanted(void *context, ares_socket_t fd, int readable, int writable)
{
    struct unix_resolver *resolver = context;
    struct dns_socket **at = find_socket(resolver, fd), *socket = *at;
    if (socket == NULL) {
        if (readable != 0 || writable != 0)
            add_socket(resolver, fd, writable != 0);
        return;
    }
    if (readable != 0 || writable != 0) {
        if (socket->writes != (writable != 0))
            sos_wake(resolver->os, socket->task);
        socket->writes = writable != 0;
        return;
    }
    *at = socket->next;
    sos_kill(resolver->os, socket->task);
    free(socket);
}

/* ---- The channel */

static struct timespec written(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? about.st_mtim : (struct timespec){ 0 };
}

static int open_channel(struct unix_resolver *resolver)
{
    const struct unix_kernel *kernel = resolver->kernel;
    struct ares_options options = { .sock_state_cb = socket_wanted,
                                    .sock_state_cb_data = resolver,
                                    .timeout = (int)kernel->dns_timeout_ms,
                                    .tries = (int)kernel->dns_tries };
    int mask = ARES_OPT_SOCK_STATE_CB | (options.timeout != 0 ? ARES_OPT_TIMEOUTMS : 0) |
               (options.tries != 0 ? ARES_OPT_TRIES : 0);
    resolver->config = written("/etc/resolv.conf");
    int status = ares_init_options(&resolver->channel, &options, mask);
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? SOS_ENOMEM : SOS_EIO;
    ares_set_socket_functions(resolver->channel, &socket_functions, resolver);
    if (kernel->dns_servers != NULL)
        status = ares_set_servers_ports_csv(resolver->channel, kernel->dns_servers);
    if (status == ARES_SUCCESS)
        return SOS_OK;
    ares_destroy(resolver->channel);
    resolver->channel = NULL;
    return status == ARES_ENOMEM ? SOS_ENOMEM : SOS_EINVAL;
}

static bool is_outdated(const struct unix_resolver *resolver)
{
    struct timespec now = written("/etc/resolv.conf");
    return now.tv_sec != resolver->config.tv_sec || now.tv_nsec != resolver->config.tv_nsec;
}

/* Made at the first use, and again when the system's configuration has changed. */
static int prepare(struct unix_kernel *kernel, sos *os)
{
    struct unix_resolver *resolver = kernel->resolver;
    if (resolver == NULL) {
        resolver = kernel->resolver = calloc(1, sizeof *resolver);
        if (resolver == NULL)
            return SOS_ENOMEM;
        resolver->kernel = kernel;
    }
    resolver->os = os;
    if (resolver->channel != NULL && resolver->awaited == 0 && is_outdated(resolver)) {
        ares_destroy(resolver->channel);
        resolver->channel = NULL;
    }
    return resolver->channel != NULL ? SOS_OK : open_channel(resolver);
}

void sos_unix_resolver_end_(struct unix_kernel *kernel)
{
    struct unix_resolver *resolver = kernel->resolver;
    if (resolver == NULL)
        return;
    if (resolver->channel != NULL)
        ares_destroy(resolver->channel);
    free(resolver);
}

/* ---- Look-ups */

static void free_look_up(struct look_up *look_up)
{
    if (look_up->found != NULL)
        ares_freeaddrinfo(look_up->found);
    free(look_up);
}

static void answered(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct look_up *look_up = context;
    (void)timeouts;
    look_up->found = found;
    look_up->status = error_of(status);
    if (look_up->abandoned)
        free_look_up(look_up);
    else
        sos_event_set(&look_up->over);
}

struct resolving {
    sos_frame frame;
    const char *name;
    struct sos_address *list;
    size_t room;
    struct look_up *look_up;
    int status;
};

static int begin(sos_task *task, struct resolving *self)
{
    struct unix_kernel *kernel = unix_of(sos_kernel_of(sos_of(task)));
    struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct sos_task_info about;
    int status = prepare(kernel, sos_of(task));
    if (status == SOS_OK)
        status = sos_inspect(sos_of(task), sos_self(task), &about);
    if (status != SOS_OK)
        return status;
    struct look_up *look_up = calloc(1, sizeof *look_up);
    if (look_up == NULL)
        return SOS_ENOMEM;
    struct unix_resolver *resolver = kernel->resolver;
    resolver->priority = about.priority;
    resolver->failed = SOS_OK;
    resolver->awaited++;
    look_up->resolver = resolver;
    look_up->status = SOS_EAGAIN;
    sos_event_init(&look_up->over, self->name);
    self->look_up = look_up;
    ares_getaddrinfo(resolver->channel, self->name, NULL, &hints, answered, look_up);
    return look_up->status == SOS_EAGAIN ? resolver->failed : SOS_OK;
}

/* How long c-ares may be left alone. */
static int64_t patience(const struct resolving *self)
{
    struct timeval left;
    if (ares_timeout(self->look_up->resolver->channel, NULL, &left) == NULL)
        return SOS_FOREVER;
    return SOS_SEC(left.tv_sec) + left.tv_usec;
}

static void pass_time(const struct resolving *self)
{
    ares_process_fd(self->look_up->resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static int take(const struct resolving *self)
{
    const struct look_up *look_up = self->look_up;
    size_t count = 0;
    if (look_up->status != SOS_OK)
        return look_up->status;
    for (const struct ares_addrinfo_node *node = look_up->found->nodes;
         node != NULL && count < self->room; node = node->ai_next) {
        union unix_name name;
        if (node->ai_addrlen > sizeof name)
            continue;
        memset(&name, 0, sizeof name);
        memcpy(&name, node->ai_addr, node->ai_addrlen);
        sos_unix_from_name_(&name, &self->list[count]);
        self->list[count].port = 0;
        count += self->list[count].family != SOS_FAMILY_NONE;
    }
    return count != 0 ? (int)count : SOS_ENONAME;
}

/* When nobody waits for anything any more, nothing is left to go on behind the scenes. */
static void finish(struct look_up *look_up)
{
    if (look_up == NULL)
        return;
    struct unix_resolver *resolver = look_up->resolver;
    if (look_up->status == SOS_EAGAIN)
        look_up->abandoned = true;
    else
        free_look_up(look_up);
    if (--resolver->awaited == 0)
        ares_cancel(resolver->channel);
}

static async_fn(resolving)
{
    async_begin(resolving);
    self->status = begin(task, self);
    if (self->status < 0)
        async_return(self->status);
    while (self->look_up->status == SOS_EAGAIN) {
        await(sos_within(task, patience(self), sos_event_wait(task, &self->look_up->over)));
        if (sos_status(task) == SOS_ETIMEDOUT)
            pass_time(self);
        else if (sos_status(task) != SOS_OK)
            async_return(sos_status(task));
    }
    async_return(take(self));
    async_finally;
    finish(self->look_up);
    async_end;
}

sos_op sos_unix_resolve_(sos_task *task, const char *name, struct sos_address *list, size_t room)
{
    if (name == NULL || name[0] == '\0' || room == 0)
        return sos_complete(task, name == NULL || room == 0 ? SOS_EINVAL : SOS_ENONAME);
    return async_call(resolving, .name = name, .list = list, .room = room);
}
