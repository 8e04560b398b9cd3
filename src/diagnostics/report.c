/* SPDX-License-Identifier: MIT */
/* What the core calls through its kernel: reports of what went wrong, as values for a program and as
 * lines for people, and the words of a trap. */
#include "internal.h"

/* ---- Text without a C library: appends are cut at the end of the buffer. */

struct text {
    char *at, *end;
};

static void append(struct text *text, const char *string)
{
    while (*string != '\0' && text->at < text->end)
        *text->at++ = *string++;
}

static void append_number(struct text *text, uint64_t number)
{
    char digits[21];
    char *digit = &digits[20];
    *digit = '\0';
    do {
        *--digit = (char)('0' + (unsigned)(number % 10));
        number /= 10;
    } while (number != 0);
    append(text, digit);
}

static void append_task(struct text *text, const char *name, uint32_t pid)
{
    append(text, "task ");
    append_number(text, pid);
    append(text, " '");
    append(text, name);
    append(text, "'");
}

static struct text text_in(char *memory, size_t size)
{
    return (struct text){ memory, memory + size - 1 };
}

/* ---- Reports */

static void append_wait(struct text *text, const struct sos_task_info *task)
{
    append(text, sos_wait_name(task->wait));
    if (task->object[0] != '\0') {
        append(text, " '");
        append(text, task->object);
        append(text, "'");
    }
    if (task->target >= 0) {
        append(text, " ");
        append_number(text, (uint32_t)task->target);
    }
    append(text, " (line ");
    append_number(text, task->line);
    append(text, ")");
}

size_t sos_report_text(const struct sos_report *report, char *memory, size_t size)
{
    static const char *const what[] = {
        " is stuck: nothing can ever end its wait for ", " failed and nobody joined it: ",
        " ran too long in one step: ", " is runnable but starved for ",
        " ended holding a mutex, which was released",
        " does not check who the other end is: insecure TLS", " sends credentials without TLS"
    };
    if (size == 0)
        return 0;
    struct text text = text_in(memory, size);
    append_task(&text, report->task.name, (uint32_t)report->task.handle.pid);
    append(&text, what[report->kind]);
    if (report->kind == SOS_REPORT_STUCK) {
        append_wait(&text, &report->task);
    } else if (report->kind == SOS_REPORT_FAILED) {
        append(&text, sos_error_name(report->task.status));
        append(&text, ", ");
        append(&text, sos_error_text(report->task.status));
    } else if (report->kind < SOS_REPORT_HELD_MUTEX) {
        append_number(&text, report->us);
        append(&text, " us");
    }
    *text.at = '\0';
    return (size_t)(text.at - memory);
}

void sos_tell_(const sos_task *task, enum sos_report_kind kind, uint64_t us)
{
    struct sos_report what = { .kind = kind, .us = us };
    sos_inspect(task->os, sos_handle_of_(task), &what.task);
    sos_tell_what_(task->os, &what);
}

void sos_tell_what_(sos *os, const struct sos_report *what)
{
    if (os->config.report != NULL) {
        os->config.report(os->config.report_context, what);
        return;
    }
    char line[160];
    size_t length = sos_report_text(what, line, sizeof line - 1);
    line[length++] = '\n';
    if (os->kernel->write != NULL)
        os->kernel->write(os->kernel, SOS_CHANNEL_REPORT, line, length);
}

/* The failure of a task is told once, and not at all when somebody joined it. */
static void report(sos_task *task, enum sos_report_kind kind)
{
    if (kind == SOS_REPORT_FAILED) {
        const struct sos_link *link = &task->link;
        if (link->kind != SOS_ENDED || link->status >= 0 || link->status == SOS_ECANCELED ||
            (link->flags & SOS_REPORTED_) != 0)
            return;
        task->link.flags |= SOS_REPORTED_;
    }
    sos_tell_(task, kind, 0);
}

static void run_ended(sos *os, int status)
{
    for (uint32_t pid = 0; status == SOS_ESTUCK && pid < os->config.task_capacity; pid++)
        if (os->tasks[pid] != NULL && os->tasks[pid]->link.kind != SOS_ENDED)
            report(os->tasks[pid], SOS_REPORT_STUCK);
    for (uint32_t pid = 0; pid < os->config.task_capacity; pid++)
        if (os->tasks[pid] != NULL)
            report(os->tasks[pid], SOS_REPORT_FAILED);
}

/* ---- Traps: mistakes in a program that cannot be answered by an error */

static void trap(sos_task *task, const char *function, int line)
{
    char memory[160];
    struct text text = text_in(memory, sizeof memory);
    struct sos_kernel *kernel = task->os->kernel;
    append(&text, "smallOS trap: ");
    append_task(&text, sos_name(task), task->pid);
    append(&text, ": ");
    append(&text, function);
    if (line == SOS_RESUME_REFUSED_) {
        append(&text, ": await or async_return in async_finally");
    } else if (line != 0) {
        append(&text, ": cannot resume at line ");
        append_number(&text, (uint32_t)line);
        append(&text, " (await inside a switch, or break out of the body)");
    }
    *text.at = '\0';
    kernel->panic(kernel, memory);
}

const struct sos_diagnostics_type sos_diagnostics = { report, run_ended, trap };
