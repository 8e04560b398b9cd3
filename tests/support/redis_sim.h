/* SPDX-License-Identifier: MIT */
/*
 * A small Redis for the simulated network, as tasks of the world: HELLO (refused as unknown if it is
 * an old one), AUTH, SELECT, ECHO, PING, INCR, SUBSCRIBE, UNSUBSCRIBE and PUBLISH, in RESP2 or RESP3.
 */
#ifndef TESTS_SUPPORT_REDIS_SIM_H
#define TESTS_SUPPORT_REDIS_SIM_H

#include "smallos/stream.h"
#include "world.h"

struct redis_sim_link;

struct redis_sim {
    bool old;       /* knows no HELLO */
    int64_t lag_us; /* answers so much later, by chance */
    int connections, counter;
    sos_listener *listener;
    struct redis_sim_link *links;
};

/* Listens at 10.0.0.1, port 6379, as a watcher. It must outlive the runtime. */
void redis_sim_start(struct redis_sim *sim, int priority);

/* How many are subscribed to anything. */
int redis_sim_subscribers(const struct redis_sim *sim);

#endif
