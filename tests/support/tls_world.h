/* SPDX-License-Identifier: MIT */
/*
 * TLS over the simulated network, both ends ours: one listener at "server.test" and what a client and
 * a server that meet there say to each other and hear.
 */
#ifndef TESTS_SUPPORT_TLS_WORLD_H
#define TESTS_SUPPORT_TLS_WORLD_H

#include "certificates.h"
#include "smallos/tls.h"
#include "world.h"

/* How it went at one end. */
struct tls_end {
    int status; /* of connecting, or of the handshake */
    int last;   /* of the talk after it: 0, if the other end has announced its end */
    struct sos_tls_info info;
    char text[SOS_TLS_TEXT];      /* why the handshake failed */
    char last_text[SOS_TLS_TEXT]; /* why the talk did */
};

struct tls_meeting {
    const char *host; /* default "server.test" */
    struct sos_tls_options server, client;
    struct tls_end at_server, at_client;
};

/* A world whose clock shows the time of day, so that certificates made now are valid, and in which
 * "server.test", "localhost" and some names below them lead to 127.0.0.1. */
void tls_world_open(const struct sos_sim_options *options);

/* Checks that nothing is left. */
void tls_world_close(void);

/* A server's options: the certificate NAME.pem and its key. */
struct sos_tls_options tls_server(const char *name);

/* A client's options: trusts ca.pem. */
struct sos_tls_options tls_client(void);

/* One connection: the client sends a line, the server answers it, and the client closes. Runs until
 * both have ended, in a world that is open. */
void tls_meet_here(struct tls_meeting *meeting);

/* The same in a world of its own. */
void tls_meet(struct tls_meeting *meeting);

#endif
