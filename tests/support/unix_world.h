/* SPDX-License-Identifier: MIT */
/* A runtime on the unix kernel, for tests that run on each of its back ends in turn. */
#ifndef TESTS_SUPPORT_UNIX_WORLD_H
#define TESTS_SUPPORT_UNIX_WORLD_H

#include <stdint.h>

#include "check.h"
#include "smallos/kernel.h"
#include "smallos/smallos.h"
#include "smallos/unix.h"

struct unix_world {
    struct sos_kernel *kernel;
    sos *os;
    enum sos_unix_backend backend;
};

/* The one most tests use; its `backend` is set before each of them. */
extern struct unix_world here;

/* `config` may be NULL. */
void unix_open(struct unix_world *world, const struct sos_config *config);
void unix_close(struct unix_world *world);

/* Runs `here` until nothing is left and closes it. */
void unix_run(void);

/* Runs each test on each back end that works on this machine, and says which do. Tests that make
 * `threads` leave io_uring out under valgrind, which lets no other thread run while it sleeps. */
void unix_tests(void (*const tests[])(void), size_t count, bool threads);

/* `many`, or `few` under valgrind. */
int unix_times(int many, int few);

#endif
