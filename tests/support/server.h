/* SPDX-License-Identifier: MIT */
/*
 * Real servers for tests: each is started on a free loopback port and stopped with the test, also
 * when the test dies. What a server needs beside its arguments (a configuration file) goes into a
 * folder of its own, which is removed at the end.
 */
#ifndef TESTS_SUPPORT_SERVER_H
#define TESTS_SUPPORT_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    uint16_t port;
    char folder[64];
    pid_t pid;
};

/* Picks a port nobody listens on and makes the folder. Files may be written before the start. */
void server_prepare(struct server *server);

/* Writes a file into its folder, "{port}" and "{folder}" filled in. */
void server_file(const struct server *server, const char *name, const char *content);

/*
 * Starts `argv` (ended by NULL; "{port}" and "{folder}" are filled in) and returns when it accepts
 * connections on its port. False: the program is not installed. A test fails when it does not come
 * up within 20 s; what it wrote stands in the file "output" of its folder then.
 */
bool server_start(struct server *server, const char *const argv[]);

/* SIGTERM, and SIGKILL when that does not help; the folder goes. */
void server_stop(struct server *server);

/* Without warning, for tests of a lost server; the folder stays, and server_start starts it again. */
void server_kill(struct server *server);

#endif
