/* SPDX-License-Identifier: MIT */
/* Sockets for the unix kernel: made non-blocking, used without waiting. */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* ---- Sockets */

static int give_up(int fd)
{
    int error = sos_unix_error_(errno);
    close(fd);
    return error;
}

int sos_unix_socket_prepare_(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return give_up(fd);
    return fd;
}

static int new_socket(const union unix_name *name, int type)
{
    int fd = socket(name->any.sa_family, type, 0);
    return fd < 0 ? sos_unix_error_(errno) : sos_unix_socket_prepare_(fd);
}

/* What is written is meant to go: streams gather small pieces themselves. */
static void send_at_once(int fd, const union unix_name *name)
{
    int on = 1;
    if (name->any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int network_connect(struct sos_kernel *kernel, const struct sos_address *to)
{
    union unix_name name;
    socklen_t size = sos_unix_to_name_(to, &name);
    (void)kernel;
    if (size == 0)
        return SOS_EINVAL;
    int fd = new_socket(&name, SOCK_STREAM);
    if (fd < 0)
        return fd;
    send_at_once(fd, &name);
    if (connect(fd, &name.any, size) != 0 && errno != EINPROGRESS && errno != EINTR)
        return give_up(fd);
    return fd;
}

/* SO_ERROR tells why it failed, but not that it is not over yet. */
static int network_connected(struct sos_kernel *kernel, int fd)
{
    union unix_name name;
    int number = 0;
    socklen_t size = sizeof number;
    (void)kernel;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        return sos_unix_error_(errno);
    if (number != 0)
        return sos_unix_error_(number);
    size = sizeof name;
    if (getpeername(fd, &name.any, &size) == 0)
        return SOS_OK;
    return errno == ENOTCONN ? SOS_EAGAIN : sos_unix_error_(errno);
}

static int bound(const struct sos_address *at, int type)
{
    union unix_name name;
    socklen_t size = sos_unix_to_name_(at, &name);
    int on = 1;
    if (size == 0)
        return SOS_EINVAL;
    int fd = new_socket(&name, type);
    if (fd < 0)
        return fd;
    if (name.any.sa_family != AF_UNIX && type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, &name.any, size) == 0 ? fd : give_up(fd);
}

static int network_listen(struct sos_kernel *kernel, const struct sos_address *at, int backlog)
{
    int fd = bound(at, SOCK_STREAM);
    (void)kernel;
    return fd < 0 || listen(fd, backlog) == 0 ? fd : give_up(fd);
}

static int network_accept(struct sos_kernel *kernel, int fd, struct sos_address *from)
{
    union unix_name name;
    socklen_t size = sizeof name;
    int accepted;
    (void)kernel;
    memset(&name, 0, sizeof name);
    do {
        accepted = accept(fd, &name.any, &size);
    } while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (accepted < 0)
        return sos_unix_error_(errno);
    if (from != NULL)
        sos_unix_from_name_(&name, from);
    accepted = sos_unix_socket_prepare_(accepted);
    if (accepted >= 0)
        send_at_once(accepted, &name);
    return accepted;
}

static int network_write_many(struct sos_kernel *kernel, int fd, const struct sos_slice *slices,
                              size_t count)
{
    enum { AT_ONCE = 16 };
    struct iovec pieces[AT_ONCE];
    struct msghdr message = { .msg_iov = pieces };
    (void)kernel;
    if (count > AT_ONCE)
        count = AT_ONCE;
    for (size_t index = 0; index < count; index++)
        pieces[index] = (struct iovec){ (void *)(uintptr_t)slices[index].bytes,
                                        slices[index].size };
    message.msg_iovlen = count;
    ssize_t put;
    do {
        put = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put < 0)
        return sos_unix_error_(errno);
    return put < INT_MAX ? (int)put : INT_MAX;
}

static int network_shutdown(struct sos_kernel *kernel, int fd)
{
    (void)kernel;
    return shutdown(fd, SHUT_WR) == 0 ? SOS_OK : sos_unix_error_(errno);
}

static int network_name(struct sos_kernel *kernel, int fd, bool other, struct sos_address *address)
{
    union unix_name name;
    socklen_t size = sizeof name;
    (void)kernel;
    memset(&name, 0, sizeof name);
    int status = other ? getpeername(fd, &name.any, &size) : getsockname(fd, &name.any, &size);
    if (status != 0)
        return sos_unix_error_(errno);
    sos_unix_from_name_(&name, address);
    return SOS_OK;
}

/* ---- Datagrams */

static int network_bind_udp(struct sos_kernel *kernel, const struct sos_address *at)
{
    (void)kernel;
    return bound(at, SOCK_DGRAM);
}

static int network_send_to(struct sos_kernel *kernel, int fd, const struct sos_address *to,
                           const void *bytes, size_t size)
{
    union unix_name name;
    socklen_t name_size = sos_unix_to_name_(to, &name);
    ssize_t put;
    (void)kernel;
    do {
        put = sendto(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, &name.any, name_size);
    } while (put < 0 && errno == EINTR);
    return put >= 0 ? (int)put : sos_unix_error_(errno);
}

static int network_receive_from(struct sos_kernel *kernel, int fd, struct sos_address *from,
                                void *bytes, size_t size)
{
    union unix_name name;
    socklen_t name_size = sizeof name;
    ssize_t got;
    (void)kernel;
    memset(&name, 0, sizeof name);
    do {
        got = recvfrom(fd, bytes, size, MSG_DONTWAIT, &name.any, &name_size);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return sos_unix_error_(errno);
    if (from != NULL)
        sos_unix_from_name_(&name, from);
    return (int)got;
}

const struct sos_network sos_unix_network_ = {
    .connect = network_connect,
    .connected = network_connected,
    .listen = network_listen,
    .accept = network_accept,
    .write_many = network_write_many,
    .shutdown = network_shutdown,
    .name = network_name,
    .bind_udp = network_bind_udp,
    .send_to = network_send_to,
    .receive_from = network_receive_from,
    .resolve = sos_unix_resolve_,
};
