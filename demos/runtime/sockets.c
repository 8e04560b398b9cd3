/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int nonblocking(int fd)
{
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int give_up(int fd)
{
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

int socket_listen(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = nonblocking(socket(AF_INET, SOCK_STREAM, 0));
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return give_up(fd);
    *port = ntohs(address.sin_port);
    return fd;
}

int socket_accept(int listener)
{
    return nonblocking(accept(listener, NULL, NULL));
}

int socket_connect(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = nonblocking(socket(AF_INET, SOCK_STREAM, 0));
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
        return give_up(fd);
    return fd;
}

int socket_error(int fd)
{
    int number = 0;
    socklen_t size = sizeof number;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno;
}
