/* SPDX-License-Identifier: MIT */
/* The few calls of POSIX sockets that the demo needs: non-blocking, IPv4, loopback. */
#ifndef DEMOS_RUNTIME_SOCKETS_H
#define DEMOS_RUNTIME_SOCKETS_H

#include <stdint.h>

/* A listening socket on a free port, which is written to *port. -1: errno tells why. */
int socket_listen(uint16_t *port);

/* A connection that has come in, -1 when there is none now. */
int socket_accept(int listener);

/* Begins to connect: the socket is writable when that is over. -1: errno tells why. */
int socket_connect(uint16_t port);

/* After that: did it succeed? 0, or an errno. */
int socket_error(int fd);

#endif
