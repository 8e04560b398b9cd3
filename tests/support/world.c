/* SPDX-License-Identifier: MIT */
#include "world.h"

struct world world;

static void report(void *context, const struct sos_report *report)
{
    static const char *const kinds[] = { "stuck",      "failed",   "long step", "starved",
                                         "held mutex", "insecure", "cleartext" };
    const struct sos_task_info *task = &report->task;
    (void)context;
    if (report->kind == SOS_REPORT_STUCK)
        note("! %s: %s on %s%s%s", kinds[report->kind], task->name, sos_wait_name(task->wait),
             task->object[0] != '\0' ? " " : "", task->object);
    else if (report->kind == SOS_REPORT_FAILED)
        note("! %s: %s %s", kinds[report->kind], task->name, status_text(task->status));
    else
        note("! %s: %s", kinds[report->kind], task->name);
}

void world_open_with(const struct sos_config *config, const struct sos_sim_options *options)
{
    struct sos_config chosen = { 0 };
    if (config != NULL)
        chosen = *config;
    chosen.report = report;
    CHECK_INT(sos_sim_create(&world.kernel, options), SOS_OK);
    CHECK_INT(sos_create(&world.os, &chosen, world.kernel), SOS_OK);
}

void world_open(const struct sos_config *config)
{
    world_open_with(config, NULL);
}

void world_run(int status, const char *trace)
{
    int ended = sos_run(world.os);
    CHECK_TEXT(sos_sim_trace(world.kernel), trace);
    CHECK_INT(ended, status);
    sos_sim_trace_clear(world.kernel);
}

void world_trace(const char *trace)
{
    CHECK_TEXT(sos_sim_trace(world.kernel), trace);
    sos_sim_trace_clear(world.kernel);
}

void world_close(void)
{
    sos_destroy(world.os);
    CHECK_TEXT(sos_sim_trace(world.kernel), "");
    CHECK_INT(sos_sim_destroy(world.kernel), 0);
    world = (struct world){ NULL, NULL };
}

const char *status_text(int status)
{
    static char numbers[4][16];
    static unsigned next;
    if (status <= 0)
        return sos_error_name(status) + 4;
    char *number = numbers[next++ % 4];
    snprintf(number, sizeof numbers[0], "%d", status);
    return number;
}

async_fn(sleeper)
{
    async_begin(sleeper);
    note("%s begins", sos_name(task));
    try_await(sos_sleep(task, self->us));
    note("%s ends", sos_name(task));
    async_return(self->status);
    async_end;
}

async_fn(yielder)
{
    async_begin(yielder);
    for (; self->round < self->rounds; self->round++) {
        note("%s %d", sos_name(task), self->round);
        await(sos_yield(task));
    }
    async_end;
}

async_fn(ender)
{
    async_begin(ender);
    note("%s", sos_name(task));
    async_return(self->status);
    async_end;
}

async_fn(listener)
{
    async_begin(listener);
    do {
        await(sos_wait_signals(task, self->mask));
        note("%s got %s", sos_name(task), status_text(sos_status(task)));
    } while (--self->rounds != 0);
    async_end;
}
