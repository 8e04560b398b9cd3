/* SPDX-License-Identifier: MIT */
/* Application output, shell output and the two views. */
#include "world.h"

/* Everything that reaches the console, with the channel in front. */
static char console[4096];
static int refusal; /* what the console answers instead of writing; 0: nothing */

static int record(void *context, enum sos_channel channel, const char *text, size_t size)
{
    static const char *const names[] = { "out ", "shell ", "report " };
    (void)context;
    if (refusal != 0)
        return refusal;
    size_t used = strlen(console);
    CHECK(used + size + 8 < sizeof console);
    strcat(console, names[channel]);
    strncat(console, text, size);
    return (int)size;
}

static void open_console(uint32_t limit)
{
    console[0] = '\0';
    refusal = 0;
    world_open_with(&(struct sos_config){ .io_buffer_length = limit },
                    &(struct sos_sim_options){ .write = record });
}

static void seen(const char *text)
{
    CHECK_TEXT(console, text);
    console[0] = '\0';
}

static void state(bool visible, uint32_t kept, uint32_t limit, uint64_t dropped)
{
    struct sos_terminal_state now = sos_terminal_status(world.os);
    CHECK_INT(now.visible, visible);
    CHECK_INT(now.kept, kept);
    CHECK_INT(now.limit, limit);
    CHECK_INT(now.dropped, dropped);
}

static void kept(uint32_t index, const char *expected)
{
    size_t size = 0;
    char text[64] = "nothing";
    const char *message = sos_kept_output(world.os, index, &size);
    if (message != NULL)
        snprintf(text, sizeof text, "%.*s", (int)size, message);
    CHECK_TEXT(text, expected);
}

static void print(const char *text)
{
    CHECK_INT(sos_print(world.os, text), SOS_OK);
}

/* ---- The views */

static void application_output_is_written_at_once(void)
{
    open_console(0);
    print("one\n");
    seen("out one\n");
    CHECK_INT(sos_print_bytes(world.os, "two\nthree", 4), SOS_OK);
    seen("out two\n");
    print("");
    seen("out ");
    state(false, 0, 1024, 0);
    kept(0, "nothing");
    world_close();
}

static void it_is_kept_while_the_terminal_is_shown_and_written_once(void)
{
    open_console(0);
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    seen("shell ****************\n");
    print("one\n");
    print("two\n");
    seen("");
    state(true, 2, 1024, 0);
    kept(0, "one\n");
    kept(1, "two\n");
    kept(2, "nothing");
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("shell ****************\nout one\nout two\n");
    state(false, 0, 1024, 0);
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("shell ****************\nshell ****************\n");
    world_close();
}

static void showing_what_is_shown_does_nothing(void)
{
    open_console(0);
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("");
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    print("one\n");
    console[0] = '\0';
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    seen("");
    state(true, 1, 1024, 0);
    world_close();
}

static void shell_output_is_seen_in_the_terminal_only_unless_forced(void)
{
    open_console(0);
    CHECK_INT(sos_shell_print(world.os, "hidden\n", false), SOS_OK);
    seen("");
    CHECK_INT(sos_shell_print(world.os, "forced\n", true), SOS_OK);
    seen("shell forced\n");
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    console[0] = '\0';
    CHECK_INT(sos_shell_print(world.os, "seen\n", false), SOS_OK);
    seen("shell seen\n");
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("shell ****************\n"); /* shell output is never kept */
    world_close();
}

/* ---- What is kept */

static void the_oldest_is_dropped_first(void)
{
    open_console(3);
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    for (int number = 1; number <= 5; number++) {
        char text[16];
        snprintf(text, sizeof text, "%d\n", number);
        print(text);
    }
    state(true, 3, 3, 2);
    kept(0, "3\n");
    kept(2, "5\n");
    console[0] = '\0';
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("shell ****************\nout 3\nout 4\nout 5\n");
    state(false, 0, 3, 2);
    world_close();
}

static void a_limit_of_none_keeps_nothing(void)
{
    open_console(SOS_NONE);
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    print("lost\n");
    state(true, 0, 0, 1);
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("shell ****************\nshell ****************\n");
    world_close();
}

static void kept_output_can_be_flushed_and_cleared(void)
{
    open_console(0);
    sos_output_flush(world.os); /* nothing is kept: nothing happens */
    sos_output_clear(world.os);
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    print("one\n");
    console[0] = '\0';
    sos_output_flush(world.os);
    seen("out one\n");
    state(true, 0, 1024, 0);
    print("two\n");
    sos_output_clear(world.os);
    print("three\n");
    CHECK_INT(sos_terminal_show(world.os, false), SOS_OK);
    seen("shell ****************\nout three\n");
    world_close();
}

static void without_a_console_output_is_kept(void)
{
    struct sos_kernel *kernel;
    sos *os;
    CHECK_INT(sos_sim_create(&kernel, NULL), SOS_OK);
    kernel->write = NULL;
    CHECK_INT(sos_create(&os, &(struct sos_config){ .io_buffer_length = 2 }, kernel), SOS_OK);
    world.os = os;
    world.kernel = kernel;
    print("one\n");
    print("two\n");
    print("three\n");
    kept(0, "two\n");
    kept(1, "three\n");
    sos_output_flush(os); /* nowhere to go */
    CHECK_INT(sos_terminal_status(os).kept, 2);
    CHECK_INT(sos_shell_print(os, "x", true), SOS_OK);
    CHECK_INT(sos_terminal_show(os, true), SOS_OK);
    CHECK_INT(sos_terminal_show(os, false), SOS_OK);
    CHECK_INT(sos_terminal_status(os).kept, 2);
    world_close();
}

/* ---- When something fails */

static void a_console_that_fails_says_so(void)
{
    open_console(0);
    refusal = SOS_EIO;
    CHECK_INT(sos_print(world.os, "one\n"), SOS_EIO);
    refusal = 0;
    seen("");
    world_close();
}

static void without_memory_nothing_is_lost_that_was_kept(void)
{
    static char long_text[70000];
    memset(long_text, 'x', sizeof long_text - 1);
    open_console(0);
    CHECK_INT(sos_terminal_show(world.os, true), SOS_OK);
    print("one\n");
    sos_sim_fail_allocation(world.kernel, 1, true);
    CHECK_INT(sos_print(world.os, long_text), SOS_ENOMEM);
    sos_sim_fail_allocation(world.kernel, 0, false);
    state(true, 1, 1024, 0);
    kept(0, "one\n");
    world_close();
}

/* ---- From tasks */

struct printer {
    sos_frame frame;
    int line;
};

async_fn(printer)
{
    async_begin(printer);
    for (; self->line < 3; self->line++) {
        CHECK_INT(sos_print(sos_of(task), self->line == 0 ? "a\n" : "b\n"), SOS_OK);
        CHECK_INT(sos_terminal_show(sos_of(task), self->line == 0), SOS_OK);
        await(sos_yield(task));
    }
    async_end;
}

static void tasks_print_and_switch(void)
{
    open_console(0);
    sos_fork(world.os, printer, sos_opt(.priority = 1));
    world_run(SOS_OK, "");
    seen("out a\nshell ****************\nshell ****************\nout b\nout b\n");
    world_close();
}

int main(void)
{
    application_output_is_written_at_once();
    it_is_kept_while_the_terminal_is_shown_and_written_once();
    showing_what_is_shown_does_nothing();
    shell_output_is_seen_in_the_terminal_only_unless_forced();
    the_oldest_is_dropped_first();
    a_limit_of_none_keeps_nothing();
    kept_output_can_be_flushed_and_cleared();
    without_a_console_output_is_kept();
    a_console_that_fails_says_so();
    without_memory_nothing_is_lost_that_was_kept();
    tasks_print_and_switch();
    return 0;
}
