/* SPDX-License-Identifier: MIT */
#include "unix_world.h"

struct unix_world here;

void unix_open(struct unix_world *world, const struct sos_config *config)
{
    static const char *const names[] = { "", "uring", "epoll", "poll" };
    const struct sos_unix_options options = { .backend = world->backend };
    CHECK_INT(sos_unix_kernel_create(&world->kernel, &options), SOS_OK);
    CHECK_TEXT(sos_unix_backend(world->kernel), names[world->backend]);
    CHECK_INT(sos_create(&world->os, config, world->kernel), SOS_OK);
}

void unix_close(struct unix_world *world)
{
    sos_destroy(world->os);
    sos_unix_kernel_destroy(world->kernel);
    world->os = NULL;
    world->kernel = NULL;
}

void unix_run(void)
{
    CHECK_INT(sos_run(here.os), SOS_OK);
    unix_close(&here);
}

void unix_tests(void (*const tests[])(void), size_t count, bool threads)
{
    unsetenv("SMALLOS_KERNEL");
    for (unsigned number = SOS_UNIX_URING; number <= SOS_UNIX_POLL; number++) {
        const struct sos_unix_options options = { .backend = (enum sos_unix_backend)number };
        struct sos_kernel *kernel;
        int status = sos_unix_kernel_create(&kernel, &options);
        printf("back end %u: %s\n", number,
               status == SOS_OK ? sos_unix_backend(kernel) : sos_error_name(status));
        sos_unix_kernel_destroy(kernel);
        if (status == SOS_ENOTSUP ||
            (number == SOS_UNIX_URING && threads && getenv("SOS_VALGRIND") != NULL))
            continue;
        CHECK_INT(status, SOS_OK);
        here.backend = (enum sos_unix_backend)number;
        for (size_t test = 0; test < count; test++)
            tests[test]();
    }
}

int unix_times(int many, int few)
{
    return getenv("SOS_VALGRIND") != NULL ? few : many;
}
