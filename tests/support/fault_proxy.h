/* SPDX-License-Identifier: MIT */
/*
 * A proxy that does what networks do to connections. It runs as tasks beside the client under test,
 * listens on a free loopback port and passes on to a real server what the fault lets through. The
 * fault may be changed at any time and holds for connections that are accepted from then on.
 */
#ifndef TESTS_SUPPORT_FAULT_PROXY_H
#define TESTS_SUPPORT_FAULT_PROXY_H

#include "smallos/smallos.h"
#include "smallos/stream.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_DELAY,      /* each portion comes `us` later */
    FAULT_DRIBBLE,    /* byte by byte, to the client */
    FAULT_CUT,        /* both ends closed after `after` bytes of the server */
    FAULT_RESET,      /* the same with a reset */
    FAULT_HALF_CLOSE, /* after `after` bytes of the server the client reads its end; what it writes
                         still arrives */
    FAULT_STALL,      /* after `after` bytes of the server nothing moves any more */
    FAULT_BLACK_HOLE, /* accepts, and never answers */
    FAULT_REFUSE,     /* accepts and closes at once */
    FAULT_INTRUDE     /* `bytes` are put in after `after` bytes of the server */
};

struct fault {
    enum fault_kind kind;
    size_t after;
    int64_t us;
    const char *bytes;
    size_t size;
};

struct fault_proxy {
    struct fault fault;
    uint16_t port;   /* where it listens */
    uint16_t target; /* on loopback */
    int connections; /* accepted so far */
    sos_handle
        task; /* kill it (with sos_kill_tree) to end the proxy and all that goes through it */
    sos_listener *listener;
};

/* Starts it as a watcher of `priority`. `proxy` must outlive the runtime. */
void fault_proxy_start(sos *os, struct fault_proxy *proxy, uint16_t target, int priority);

/* A loopback port where every new connection hangs, as when a firewall drops what comes: its queue
 * is full. Returns the port; *fds are closed by fault_full_close. */
uint16_t fault_full_listener(int fds[3]);
void fault_full_close(int fds[3]);

#endif
