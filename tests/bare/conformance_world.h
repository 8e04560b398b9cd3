/* SPDX-License-Identifier: MIT */
/* What the parts of the conformance program share: a runtime for each, the trace, small tasks. */
#ifndef CONFORMANCE_WORLD_H
#define CONFORMANCE_WORLD_H

#include <stdarg.h>

#include "kernel.h"
#include "machine.h"
#include "smallos/smallos.h"

/* ---- What a test that includes this program can set */

#define MEMORY_SIZE (1536 * sizeof(void *)) /* 6 KB where pointers have four bytes */
static _Alignas(8) unsigned char memory[MEMORY_SIZE];
static size_t memory_size = sizeof memory;
static void *(*reallocate)(struct sos_kernel *, void *, size_t, size_t); /* instead of memory */
static void (*write_trace)(const char *text, size_t length) = machine_write;
static unsigned unbalanced; /* runs after which memory was still in use */

/* ---- The trace */

static char *add_text(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end)
        *at++ = *text++;
    return at;
}

static char *add_number(char *at, const char *end, int number)
{
    char digits[12];
    char *digit = &digits[11];
    unsigned left = number < 0 ? 0u - (unsigned)number : (unsigned)number;
    *digit = '\0';
    do {
        *--digit = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    return add_text(add_text(at, end, number < 0 ? "-" : ""), end, digit);
}

/* The line made of `format`: %s text, %d number, %e status by its name or, if positive, number. */
static void note(const char *format, ...)
{
    char line[100];
    char *at = line;
    const char *const end = &line[sizeof line - 1];
    va_list values;
    va_start(values, format);
    for (; *format != '\0' && at < end; format++) {
        if (*format != '%') {
            *at++ = *format;
            continue;
        }
        char kind = *++format;
        if (kind == 's') {
            at = add_text(at, end, va_arg(values, const char *));
            continue;
        }
        int number = va_arg(values, int);
        if (kind == 'e' && number <= 0)
            at = add_text(at, end, sos_error_name(number) + 4);
        else
            at = add_number(at, end, number);
    }
    va_end(values);
    *at++ = '\n';
    write_trace(line, (size_t)(at - line));
}

/* ---- The runtime of a part */

static sos *os;
static struct sos_kernel kernel;
static uint64_t virtual_us;
static size_t used_before;
static bool interrupt_in_wait;

static uint64_t virtual_now(struct sos_kernel *unused)
{
    (void)unused;
    return virtual_us;
}

/* Jumps to the moment that is waited for. Nothing else ends a wait without one than the interrupt
 * that a part has asked for; when it has not, the part has gone wrong and is ended. */
static void virtual_wait(struct sos_kernel *unused, sos *runtime, uint64_t until)
{
    uintptr_t state = machine_critical_enter();
    if (interrupt_in_wait) {
        interrupt_in_wait = false;
        machine_trigger_interrupt(); /* pending now: after the look for posts, before the sleep */
        bare_kernel.wait(unused, runtime, SOS_NEVER);
    } else if (!sos_attention(runtime)) {
        if (until >= SOS_NEVER - 1)
            sos_stop(runtime);
        else
            virtual_us = until;
    }
    machine_critical_leave(state);
}

static void report(void *context, const struct sos_report *report)
{
    static const char *const kinds[] = { "stuck", "failed", "long step", "starved", "held mutex" };
    const struct sos_task_info *task = &report->task;
    (void)context;
    if (report->kind == SOS_REPORT_STUCK)
        note("! stuck: %s waits for %s %s", task->name, sos_wait_name(task->wait), task->object);
    else
        note("! %s: %s %e", kinds[report->kind], task->name, task->status);
}

static int write_output(struct sos_kernel *unused, enum sos_channel channel, const char *text,
                        size_t size)
{
    (void)unused;
    (void)channel;
    write_trace(text, size);
    return (int)size;
}

static bool begin_with(const char *part, struct sos_config config)
{
    note("---- %s", part);
    config.task_capacity = config.task_capacity != 0 ? config.task_capacity : 12;
    config.post_capacity = 4;
    config.io_buffer_length = config.io_buffer_length != 0 ? config.io_buffer_length : 2;
    config.frame_chunk = 96;
    config.report = report;
    if (reallocate == NULL) {
        config.memory = memory;
        config.memory_size = memory_size;
    }
    kernel.reallocate = reallocate;
    kernel.write = write_output;
    kernel.diagnostics = &sos_diagnostics;
    virtual_us = 1000;
    interrupt_in_wait = false;
    int status = sos_create(&os, &config, &kernel);
    if (status != SOS_OK) {
        note("create: %e", status);
        return false;
    }
    used_before = sos_memory(os).used;
    return true;
}

static bool begin(const char *part)
{
    kernel = bare_kernel;
    kernel.now = virtual_now;
    kernel.wait = virtual_wait;
    kernel.look = NULL;
    kernel.write = write_output;
    kernel.diagnostics = &sos_diagnostics;
    return begin_with(part, (struct sos_config){ .priority_levels = 10 });
}

static void finish(void)
{
    int status = sos_run(os);
    note("run: %e", status);
    if (status == SOS_OK && sos_memory(os).used != used_before) {
        note("memory is still in use");
        unbalanced++;
    }
    sos_destroy(os);
}

/* ---- Tasks that many parts need */

/* Options: of a forked task, whose record goes when it ends; of a child. */
#define ROOT(level, title) sos_opt(.priority = (level), .name = (title), .detached = true)
#define CHILD(level, title) sos_opt(.priority = (level), .name = (title))

/* Sleeps and ends with `status`. */
struct sleeper {
    sos_frame frame;
    int64_t us;
    int status;
};

static async_fn(sleeper)
{
    async_begin(sleeper);
    try_await(sos_sleep(task, self->us));
    note("%s has slept", sos_name(task));
    async_return(self->status);
    async_finally;
    note("%s ends: %e", sos_name(task), sos_status(task));
    async_end;
}

/* Notes its turns, yielding in between. */
struct yielder {
    sos_frame frame;
    int turns, turn;
};

static async_fn(yielder)
{
    async_begin(yielder);
    for (; self->turn < self->turns; self->turn++) {
        note("%s %d", sos_name(task), self->turn);
        await(sos_yield(task));
    }
    async_end;
}

/* Ends with `status`, saying so. */
struct ender {
    sos_frame frame;
    int status;
};

static async_fn(ender)
{
    async_begin(ender);
    note("%s ends: %e", sos_name(task), self->status);
    async_return(self->status);
    async_end;
}

/* Waits for signals, `rounds` times. */
struct listener {
    sos_frame frame;
    uint32_t mask;
    int rounds;
};

static async_fn(listener)
{
    async_begin(listener);
    while (self->rounds-- > 0) {
        await(sos_wait_signals(task, self->mask));
        note("%s got %e", sos_name(task), sos_status(task));
    }
    async_end;
}

#endif
