/* SPDX-License-Identifier: MIT */
/* What the unix kernel is made of beside descriptors, and how its back end is chosen. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unix_world.h"

/* ---- The kernel itself */

static void clocks_memory_entropy(void)
{
    unsigned char bytes[1000] = { 0 }, zeros[1000] = { 0 };
    unix_open(&here, NULL);
    struct sos_kernel *kernel = here.kernel;
    uint64_t before = kernel->now(kernel), fine = kernel->fine_clock(kernel);
    CHECK(kernel->now(kernel) >= before && kernel->fine_clock(kernel) >= fine);
    CHECK(kernel->wall_clock(kernel) > 1600000000u * (uint64_t)1000000);
    CHECK_INT(kernel->entropy(kernel, bytes, sizeof bytes), SOS_OK);
    CHECK(memcmp(bytes + sizeof bytes - 16, zeros, 16) != 0);
    unix_close(&here);
}

/* Small and large blocks come from different places; what they hold moves with them. */
static void memory_keeps_its_content(void)
{
    static const size_t sizes[] = { 100, 1000, 200000, 3000000, 70000, 60000, 8 };
    unix_open(&here, NULL);
    struct sos_kernel *kernel = here.kernel;
    unsigned char *memory = kernel->reallocate(kernel, NULL, 0, 8);
    size_t size = 8;
    CHECK(memory != NULL);
    memcpy(memory, "content", 8);
    for (size_t index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
        memory = kernel->reallocate(kernel, memory, size, sizes[index]);
        size = sizes[index];
        CHECK(memory != NULL && ((uintptr_t)memory & 15) == 0);
        memory[size - 1] = size == 8 ? 0 : 0xA5;
        CHECK_TEXT((char *)memory, "content");
    }
    CHECK(kernel->reallocate(kernel, memory, size, 0) == NULL);
    CHECK(kernel->reallocate(kernel, NULL, 0, SIZE_MAX / 2) == NULL);
    unix_close(&here);
}

static void console_of(struct sos_kernel *kernel)
{
    char bytes[16] = { 0 };
    int input[2], output[2];
    CHECK(pipe(input) == 0 && pipe(output) == 0);
    CHECK(dup2(input[0], 0) == 0 && dup2(output[1], 1) == 1);
    close(output[1]);
    CHECK_INT(kernel->read(kernel, bytes, sizeof bytes), SOS_EAGAIN);
    CHECK_INT(write(input[1], "abc", 3), 3);
    CHECK_INT(kernel->read(kernel, bytes, sizeof bytes), 3);
    CHECK_TEXT(bytes, "abc");
    close(input[1]);
    CHECK_INT(kernel->read(kernel, bytes, sizeof bytes), 0);
    CHECK_INT(kernel->write(kernel, SOS_CHANNEL_OUTPUT, "out", 3), 3);
    CHECK_INT(kernel->write(kernel, SOS_CHANNEL_SHELL, "put", 3), 3);
    CHECK_INT(read(output[0], bytes, sizeof bytes), 6);
    CHECK_TEXT(bytes, "output");
    close(output[0]);
    CHECK_INT(kernel->write(kernel, SOS_CHANNEL_OUTPUT, "x", 1), SOS_EPIPE);
}

static int status_of(pid_t child)
{
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    return status;
}

static void console_and_panic(void)
{
    int errors[2];
    char said[64] = { 0 };
    CHECK_INT(pipe(errors), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        unix_open(&here, NULL);
        console_of(here.kernel);
        CHECK_INT(dup2(errors[1], 2), 2);
        here.kernel->panic(here.kernel, "told why");
    }
    close(errors[1]);
    int status = status_of(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(read(errors[0], said, sizeof said - 1) > 0);
    CHECK_TEXT(said, "told why\n");
    close(errors[0]);
}

/* ---- Choosing the back end */

static void expect_backend(enum sos_unix_backend wanted, const char *expected, int status)
{
    const struct sos_unix_options options = { .backend = wanted };
    struct sos_kernel *kernel = NULL;
    CHECK_INT(sos_unix_kernel_create(&kernel, &options), status);
    CHECK((kernel != NULL) == (status == SOS_OK));
    if (kernel != NULL)
        CHECK_TEXT(sos_unix_backend(kernel), expected);
    sos_unix_kernel_destroy(kernel);
}

static void chosen_by_environment(void)
{
    CHECK_INT(setenv("SMALLOS_KERNEL", "poll", 1), 0);
    expect_backend(SOS_UNIX_AUTO, "poll", SOS_OK);
    expect_backend(SOS_UNIX_EPOLL, "poll", SOS_OK);
    CHECK_INT(setenv("SMALLOS_KERNEL", "epoll", 1), 0);
    expect_backend(SOS_UNIX_AUTO, "epoll", SOS_OK);
    CHECK_INT(setenv("SMALLOS_KERNEL", "", 1), 0);
    expect_backend(SOS_UNIX_POLL, "poll", SOS_OK);
    CHECK_INT(setenv("SMALLOS_KERNEL", "kqueue", 1), 0);
    expect_backend(SOS_UNIX_AUTO, "", SOS_EINVAL);
    CHECK_INT(unsetenv("SMALLOS_KERNEL"), 0);
    expect_backend((enum sos_unix_backend)77, "", SOS_EINVAL);
    CHECK_INT(sos_unix_kernel_create(NULL, NULL), SOS_EINVAL);
}

static void forbid(long call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void fall_back(void)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        forbid(SYS_io_uring_setup);
        expect_backend(SOS_UNIX_AUTO, "epoll", SOS_OK);
        expect_backend(SOS_UNIX_URING, "", SOS_ENOTSUP);
        forbid(SYS_epoll_create1);
        expect_backend(SOS_UNIX_AUTO, "poll", SOS_OK);
        _exit(0);
    }
    CHECK_INT(status_of(child), 0);
}

int main(void)
{
    void (*const tests[])(void) = { clocks_memory_entropy, memory_keeps_its_content,
                                    console_and_panic };
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    chosen_by_environment();
    fall_back();
    return 0;
}
