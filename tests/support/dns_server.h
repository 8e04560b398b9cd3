/* SPDX-License-Identifier: MIT */
/*
 * A name server for tests, as tasks of the runtime under test, over UDP and TCP on one port of
 * loopback. The first label of a name says what becomes of a question:
 *
 *     four    127.0.0.1          both    127.0.0.1 and ::1       empty    no address of any kind
 *     six     ::1                many    twenty IPv4 addresses   missing  no such name
 *     late    127.0.0.1 in 100 ms        silent  no answer       fail     the server failed
 *     garbage bytes without a meaning    loop    a name that points to itself
 *     cut     the answer does not fit, TCP has 127.0.0.9
 */
#ifndef TESTS_SUPPORT_DNS_SERVER_H
#define TESTS_SUPPORT_DNS_SERVER_H

#include "smallos/smallos.h"

struct dns_server {
    uint16_t port;
    uint32_t questions, tcp_questions;
};

/* A port that is free for both. */
uint16_t dns_server_port(void);

/* Forks its tasks as watchers of priority 2; `server->port` must be set, and it must outlive them. */
void dns_server_start(sos *os, struct dns_server *server);

#endif
