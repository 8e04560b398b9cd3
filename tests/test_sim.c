/* SPDX-License-Identifier: MIT */
/* The simulation kernel itself: time, events, streams, memory, and that a seed replays exactly. */
#include <setjmp.h>

#include "world.h"

/* ---- Streams */

struct sender {
    sos_frame frame;
    int fd;
    size_t size;
    bool shut;
};

static char big[3000];

async_fn(sender)
{
    async_begin(sender);
    await(sos_write(task, self->fd, big, self->size));
    note("%s wrote %s", sos_name(task), status_text(sos_status(task)));
    if (self->shut)
        CHECK_INT(sos_sim_shutdown(world.kernel, self->fd), SOS_OK);
    async_end;
}

struct receiver {
    sos_frame frame;
    int fd;
    char bytes[1000];
    size_t done;
};

async_fn(receiver)
{
    async_begin(receiver);
    for (;;) {
        await(sos_read(task, self->fd, self->bytes, sizeof self->bytes));
        note("%s read %s", sos_name(task), status_text(sos_status(task)));
        if (sos_status(task) <= 0)
            break;
        CHECK(memcmp(self->bytes, big + self->done, (size_t)sos_status(task)) == 0);
        self->done += (size_t)sos_status(task);
    }
    async_end;
}

static void fill_big(void)
{
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 % 251);
}

static void bytes_arrive_after_the_delay_in_order(void)
{
    int fds[2];
    world_open(NULL);
    CHECK_INT(sos_sim_pair(world.kernel, fds,
                           &(struct sos_sim_stream){ .capacity = 1000, .delay_min_us = 50 }),
              SOS_OK);
    sos_fork(world.os, sender, sos_opt(.priority = 2, .name = "s"), .fd = fds[0], .size = 2500,
             .shut = true);
    sos_fork(world.os, receiver, sos_opt(.priority = 2, .name = "r"), .fd = fds[1]);
    world_run(SOS_OK, "50 r read 1000\n100 r read 1000\n100 s wrote 2500\n150 r read 500\n"
                      "150 r read OK\n");
    CHECK_INT(sos_fd_close(world.os, fds[0]), SOS_OK);
    CHECK_INT(sos_fd_close(world.os, fds[0]), SOS_EBADF);
    CHECK_INT(sos_fd_close(world.os, fds[1]), SOS_OK);
    world_close();
}

static void a_seed_replays_exactly(void)
{
    static char first[20000];
    unsigned different = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        for (int round = 0; round < 2; round++) {
            int fds[2];
            world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
            sos_sim_pair(
                world.kernel, fds,
                &(struct sos_sim_stream){
                    .capacity = 700, .delay_min_us = 10, .delay_max_us = 90, .transfer_max = 200 });
            sos_fork(world.os, sender, sos_opt(.priority = 2, .name = "s"), .fd = fds[0],
                     .size = sizeof big, .shut = true);
            sos_fork(world.os, receiver, sos_opt(.priority = 2, .name = "r"), .fd = fds[1]);
            CHECK_INT(sos_run(world.os), SOS_OK);
            if (round == 1)
                CHECK_TEXT(sos_sim_trace(world.kernel), first);
            different += round == 0 && strcmp(sos_sim_trace(world.kernel), first) != 0;
            snprintf(first, sizeof first, "%s", sos_sim_trace(world.kernel));
            sos_sim_trace_clear(world.kernel);
            world_close();
        }
    }
    CHECK_INT(different, 20);
}

struct closer {
    sos_frame frame;
    int fd;
    bool reset;
};

async_fn(closer)
{
    async_begin(closer);
    await(sos_sleep(task, 5));
    if (self->reset)
        CHECK_INT(sos_sim_reset(world.kernel, self->fd), SOS_OK);
    else
        CHECK_INT(sos_fd_close(sos_of(task), self->fd), SOS_OK);
    async_end;
}

static void end_with(bool reset, int fd_index, const char *trace)
{
    int fds[2];
    world_open(NULL);
    sos_sim_pair(world.kernel, fds, &(struct sos_sim_stream){ .delay_min_us = 10 });
    sos_fork(world.os, receiver, sos_opt(.priority = 2, .name = "r"), .fd = fds[0]);
    sos_fork(world.os, closer, sos_opt(.priority = 2), .fd = fds[fd_index], .reset = reset);
    world_run(SOS_OK, trace);
    world_close();
}

static void close_and_reset_reach_those_who_wait(void)
{
    end_with(false, 1, "15 r read OK\n");
    end_with(false, 0, "5 r read ECANCELED\n");
    end_with(true, 1, "15 r read ECONNRESET\n");
    end_with(true, 0, "5 r read ECONNRESET\n");
}

static void writing_to_a_closed_end_fails_once_that_is_known(void)
{
    int fds[2];
    char byte = 0;
    world_open(NULL);
    sos_sim_pair(world.kernel, fds, &(struct sos_sim_stream){ .delay_min_us = 10 });
    CHECK_INT(sos_fd_close(world.os, fds[1]), SOS_OK);
    CHECK_INT(sos_try_write(world.os, fds[0], &byte, 1), 1);
    CHECK_INT(sos_run_once(world.os, 0), SOS_ESTALE);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 20);
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_try_write(world.os, fds[0], &byte, 1), SOS_EPIPE);
    CHECK_INT(sos_try_read(world.os, fds[0], &byte, 1), 0);
    CHECK_INT(sos_try_read(world.os, 77, &byte, 1), SOS_EBADF);
    world_close();
}

/* ---- Events and time */

static void noted(void *text)
{
    note("%s", (const char *)text);
}

static void calls_come_in_order_without_a_seed_and_shuffled_with_one(void)
{
    static char texts[8][2] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    bool shuffled = false;
    for (uint64_t seed = 0; seed < 4; seed++) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = seed, .start_us = 1000 });
        for (int i = 0; i < 8; i++)
            sos_sim_call(world.kernel, 20, noted, texts[i]);
        sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 20);
        CHECK_INT(sos_run(world.os), SOS_OK);
        const char *in_order = "1000 s begins\n1020 a\n1020 b\n1020 c\n1020 d\n1020 e\n1020 f\n"
                               "1020 g\n1020 h\n1020 s ends\n";
        if (seed == 0)
            CHECK_TEXT(sos_sim_trace(world.kernel), in_order);
        else
            shuffled = shuffled || strcmp(sos_sim_trace(world.kernel), in_order) != 0;
        sos_sim_trace_clear(world.kernel);
        world_close();
    }
    CHECK(shuffled);
}

static void a_step_may_cost_time(void)
{
    world_open_with(NULL, &(struct sos_sim_options){ .step_us = 3 });
    sos_fork(world.os, yielder, sos_opt(.priority = 2, .name = "y"), .rounds = 2);
    sos_fork(world.os, sleeper, sos_opt(.priority = 2, .name = "s"), .us = 100);
    world_run(SOS_OK, "3 y 0\n6 s begins\n9 y 1\n109 s ends\n");
    world_close();
}

/* ---- Memory */

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        struct sos_kernel *kernel;
        sos *os;
        CHECK_INT(sos_sim_create(&kernel, &(struct sos_sim_options){ .fail_allocation = n }),
                  SOS_OK);
        int status = sos_create(&os, NULL, kernel);
        failed = status != SOS_OK;
        CHECK(!failed || (status == SOS_ENOMEM && os == NULL));
        CHECK_INT(sos_sim_memory(kernel).allocations, failed ? n : n - 1);
        sos_destroy(os);
        CHECK_INT(sos_sim_destroy(kernel), 0);
    }
    CHECK(n > 2);
}

/* ---- Console and the end of all things */

static void the_console_is_recorded(void)
{
    world_open_with(NULL, &(struct sos_sim_options){ .record = true });
    CHECK_INT(sos_print(world.os, "one\n"), SOS_OK);
    CHECK_INT(sos_shell_print(world.os, "two\n", true), SOS_OK);
    CHECK_TEXT(sos_sim_output(world.kernel), "one\ntwo\n");
    sos_sim_output_clear(world.kernel);
    CHECK_TEXT(sos_sim_output(world.kernel), "");
    world_close();
}

static jmp_buf panicked;

static void on_panic(void *context, const char *text)
{
    (void)context;
    note("%s", text);
    longjmp(panicked, 1);
}

/* Such a runtime is lost: its kernel frees what it had. */
static void a_wait_for_events_that_never_come_is_told(void)
{
    int fds[2];
    world_open_with(NULL, &(struct sos_sim_options){ .panic = on_panic });
    sos_sim_pair(world.kernel, fds, NULL);
    sos_fork(world.os, receiver, sos_opt(.priority = 2, .name = "r"), .fd = fds[0]);
    if (setjmp(panicked) == 0)
        sos_run(world.os);
    world_trace("0 simulation: tasks wait for events, but no event will ever come\n");
    CHECK(sos_sim_destroy(world.kernel) > 0);
}

int main(void)
{
    fill_big();
    bytes_arrive_after_the_delay_in_order();
    a_seed_replays_exactly();
    close_and_reset_reach_those_who_wait();
    writing_to_a_closed_end_fails_once_that_is_known();
    calls_come_in_order_without_a_seed_and_shuffled_with_one();
    a_step_may_cost_time();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    the_console_is_recorded();
    a_wait_for_events_that_never_come_is_told();
    return 0;
}
