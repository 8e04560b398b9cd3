/* SPDX-License-Identifier: MIT */
/* Tasks that wait for each other: joins, signals, time-outs, kills. */
#include "runtime.h"

/* ---- Joins: children end in any order, the results stand in the order asked for. */

struct child {
    sos_frame frame;
    int64_t us;
    int result;
};

static async_fn(child)
{
    async_begin(child);
    try_await(sos_sleep(task, self->us));
    say(task, "ends with %d", self->result);
    async_return(self->result);
    async_finally;
    summary_note(task);
    async_end;
}

struct parent {
    sos_frame frame;
    struct sos_join joins[3];
};

static async_fn(parent)
{
    async_begin(parent);
    say(task, "has three children and waits for the first, then for all");
    self->joins[0].task = async_spawn(child, sos_opt(.name = "child A"), .us = SOS_MS(90),
                                      .result = 10);
    self->joins[1].task = async_spawn(child, sos_opt(.name = "child B"), .us = SOS_MS(30),
                                      .result = 20);
    self->joins[2].task = async_spawn(child, sos_opt(.name = "child C"), .us = SOS_MS(60),
                                      .result = 30);
    try_await(sos_join_any(task, self->joins, 3));
    say(task, "the first was number %d: %d", sos_status(task),
        self->joins[sos_status(task)].status);
    expect(task, sos_status(task) == 1, "B sleeps least and ends first");
    self->joins[1] = self->joins[2]; /* B has been joined and is gone */
    try_await(sos_join_all(task, self->joins, 2));
    say(task, "all have ended: A %d, C %d", self->joins[0].status, self->joins[1].status);
    expect(task, self->joins[0].status == 10 && self->joins[1].status == 30, "results in order");
    async_end;
}

/* ---- Signals: two tasks play ball. */

enum { BALL = 3, THROWS = 3 };

struct player {
    sos_frame frame;
    const sos_handle *other; /* of the players below: set before any of them runs */
    int throws;
    bool begins;
};

static sos_handle players[2];

static async_fn(player)
{
    async_begin(player);
    if (self->begins) {
        say(task, "throws a ball");
        sos_signal(sos_of(task), *self->other, BALL);
    }
    for (; self->throws < THROWS; self->throws++) {
        try_await(sos_wait_signal(task, BALL));
        say(task, "caught the ball, throw %d", self->throws + 1);
        try_await(sos_sleep(task, SOS_MS(20)));
        sos_signal(sos_of(task), *self->other, BALL);
    }
    async_return(self->throws);
    async_end;
}

/* ---- A time-out that fires: everything inside is unwound, however deep. */

enum { ORACLES = 3 };

struct oracle {
    sos_frame frame;
    int number;
};

static async_fn(oracle)
{
    async_begin(oracle);
    if (self->number < ORACLES)
        await(async_call(oracle, .number = self->number + 1)); /* who asks the next */
    else
        await(sos_sleep(task, SOS_FOREVER));
    async_finally;
    say(task, "oracle %d cleans up", self->number);
    async_end;
}

struct asker {
    sos_frame frame;
};

static async_fn(asker)
{
    async_begin(asker);
    say(task, "asks oracles that never answer, for 200 ms at most");
    await(sos_within(task, SOS_MS(200), async_call(oracle, .number = 1)));
    say(task, "gave up: %s", sos_error_text(sos_status(task)));
    expect(task, sos_status(task) == SOS_ETIMEDOUT, "the time-out fires");
    async_end;
}

/* ---- A kill, with cleanup. */

struct lamp {
    sos_frame frame;
};

static async_fn(lamp)
{
    async_begin(lamp);
    say(task, "is on, for ever");
    await(sos_sleep(task, SOS_FOREVER));
    async_finally;
    say(task, "is off: %s", sos_error_text(sos_status(task)));
    summary_note(task);
    async_end;
}

struct janitor {
    sos_frame frame;
    sos_handle lamp;
};

static async_fn(janitor)
{
    async_begin(janitor);
    self->lamp = async_spawn(lamp, sos_opt());
    try_await(sos_sleep(task, SOS_MS(400)));
    say(task, "kills the lamp");
    sos_kill(sos_of(task), self->lamp);
    await(sos_join(task, self->lamp));
    expect(task, sos_status(task) == SOS_ECANCELED, "a killed task was canceled");
    async_end;
}

int start_families(void)
{
    sos_handle handles[5];
    struct sos_start starts[] = {
        sos_start(parent, sos_opt(.priority = priority(3))),
        sos_start(player, sos_opt(.priority = priority(3), .name = "ping"), .other = &players[1],
                  .begins = true),
        sos_start(player, sos_opt(.priority = priority(3), .name = "pong"), .other = &players[0]),
        sos_start(asker, sos_opt(.priority = priority(3))),
        sos_start(janitor, sos_opt(.priority = priority(4))),
    };
    int error = sos_fork_list(demo.os, starts, sizeof starts / sizeof starts[0], handles);
    players[0] = handles[1];
    players[1] = handles[2];
    return error;
}
