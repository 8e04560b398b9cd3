/* SPDX-License-Identifier: MIT */
/*
 * Random programs on the runtime and on the model: both must log the same. On a failure the seed
 * is printed; SOS_PROPERTY_SEED replays one, SOS_PROPERTY_SEEDS says how many to try.
 */
#include <stdlib.h>

#include "check.h"
#include "program.h"
#include "smallos/sim.h"
#include "smallos/smallos.h"

enum { DEFAULT_SEEDS = 20000, ITEMS = 2 };

static struct {
    struct sos_kernel *kernel;
    sos *os;
    const struct program *program;
    struct log *log;
    int budget, items;
    int tasks;
    sos_handle handles[TASKS];
    struct sos_queue queues[OBJECTS];
    int queue_items[OBJECTS][ITEMS];
    struct sos_mutex mutexes[OBJECTS];
    struct sos_semaphore semaphores[OBJECTS];
    struct sos_event events[OBJECTS];
} run;

/* A task's number stands in its name. */
static char names[TASKS][12];

static int number_of(const char *name)
{
    return (int)((name - names[0]) / (long)sizeof names[0]);
}

static void say(const char *name, int kind, int status, int value)
{
    log_add(run.log, sos_now(run.os), number_of(name), kind, status, value);
}

static sos_handle target(const struct op *op, int index)
{
    return run.handles[op->target[index] % run.tasks];
}

/* ---- One function of a program */

struct actor {
    sos_frame frame;
    int function, pc;
    int item;
    struct sos_join joins[JOINS];
    struct sos_scope scope;
};

async_fn(actor);

static const struct function *function_of(const struct actor *self)
{
    return &run.program->functions[self->function];
}

static const struct op *op_of(const struct actor *self)
{
    return &function_of(self)->ops[self->pc];
}

static void on_signal(sos_task *task, int signal, void *context)
{
    say(sos_name(task), LOG_HANDLER, signal, 0);
    if (*(const enum handler *)context == HANDLER_KILLS)
        sos_kill(run.os, sos_self(task));
}

static struct sos_options options_of(int index, int priority)
{
    const struct function *function = &run.program->functions[index];
    return sos_opt(.priority = priority, .detached = function->detached, .name = names[run.tasks],
                   .on_signal = function->handler == HANDLER_NONE ? NULL : on_signal,
                   .context = (void *)(uintptr_t)&function->handler);
}

static int added(sos_handle handle)
{
    if (handle.pid < 0)
        return handle.pid;
    run.handles[run.tasks++] = handle;
    return handle.pid;
}

static int add_task(sos_task *task, const struct op *op)
{
    if (run.tasks == TASKS)
        return SOS_EAGAIN;
    struct sos_options options = options_of(op->number, op->priority);
    if (op->kind == OP_FORK)
        return added(sos_fork(run.os, actor, options, .function = op->number));
    return added(async_spawn(actor, options, .function = op->number));
}

static int act_on_task(sos_task *task, const struct op *op)
{
    int result = 0;
    switch (op->kind) {
    case OP_SIGNAL:
        return sos_signal(run.os, target(op, 0), op->number);
    case OP_CHECK:
        return sos_check_signal(task, op->number);
    case OP_KILL:
        return sos_kill(run.os, target(op, 0));
    case OP_KILL_TREE:
        return sos_kill_tree(run.os, target(op, 0));
    case OP_WAKE:
        return sos_wake(run.os, target(op, 0));
    case OP_PRIORITY:
        return sos_set_priority(run.os, target(op, 0), op->number);
    case OP_RELEASE:
        return sos_release(run.os, target(op, 0));
    default:
        result = sos_result(run.os, target(op, 0), &result) == SOS_OK ? result : 77;
        return result;
    }
}

static int act_on_thing(sos_task *task, struct actor *self, const struct op *op)
{
    int thing = op->number;
    switch (op->kind) {
    case OP_TRY_PUT:
        self->item = ++run.items;
        return sos_queue_try_put(&run.queues[thing], &self->item);
    case OP_TRY_GET:
        self->item = 0;
        return sos_queue_try_get(&run.queues[thing], &self->item);
    case OP_UNLOCK:
        return sos_mutex_unlock(task, &run.mutexes[thing]);
    case OP_GIVE:
        sos_semaphore_give(&run.semaphores[thing]);
        return 0;
    case OP_EVENT_SET:
        sos_event_set(&run.events[thing]);
        return 0;
    case OP_EVENT_CLEAR:
        sos_event_clear(&run.events[thing]);
        return 0;
    case OP_SPEND:
        sos_sim_spend(run.kernel, op->number);
        return 0;
    default:
        sos_scope_clear(task, &self->scope);
        return 0;
    }
}

static int act(sos_task *task, struct actor *self, const struct op *op)
{
    if (op->kind == OP_SPAWN || op->kind == OP_FORK)
        return add_task(task, op);
    if (op->kind <= OP_RELEASE || op->kind == OP_RESULT)
        return act_on_task(task, op);
    return act_on_thing(task, self, op);
}

static sos_op begin_join(sos_task *task, struct actor *self, const struct op *op)
{
    for (int i = 0; i < JOINS; i++)
        self->joins[i] = (struct sos_join){ .task = target(op, i), .status = 99 };
    return op->kind == OP_JOIN_ALL ? sos_join_all(task, self->joins, JOINS)
                                   : sos_join_any(task, self->joins, JOINS);
}

static sos_op begin(sos_task *task, struct actor *self)
{
    const struct op *op = op_of(self);
    int thing = op->number;
    switch (op->kind) {
    case OP_YIELD:
        return sos_yield(task);
    case OP_SLEEP:
        return sos_sleep(task, op->number);
    case OP_WAIT_SIGNAL:
        return sos_wait_signals(task, 1u << op->number | 1u << 2);
    case OP_JOIN:
        return sos_join(task, target(op, 0));
    case OP_JOIN_ALL:
    case OP_JOIN_ANY:
        return begin_join(task, self, op);
    case OP_PUT:
        self->item = ++run.items;
        return sos_queue_put(task, &run.queues[thing], &self->item);
    case OP_GET:
        self->item = 0;
        return sos_queue_get(task, &run.queues[thing], &self->item);
    case OP_LOCK:
        return sos_mutex_lock(task, &run.mutexes[thing]);
    case OP_TAKE:
        return sos_semaphore_take(task, &run.semaphores[thing]);
    case OP_EVENT_WAIT:
        return sos_event_wait(task, &run.events[thing]);
    case OP_SCOPE_JOIN:
        return sos_scope_join(task, &self->scope);
    default:
        return async_call(actor, .function = op->number);
    }
}

/* What an operation left beside its status. */
static int value_of(const struct actor *self, const struct op *op, int status)
{
    if ((op->kind == OP_GET || op->kind == OP_TRY_GET) && status == SOS_OK)
        return self->item;
    if (op->kind != OP_JOIN_ALL && op->kind != OP_JOIN_ANY)
        return 0;
    const struct sos_join *joins = self->joins;
    return joins_value((int[]){ joins[0].status, joins[1].status, joins[2].status });
}

static void say_op(const sos_task *task, const struct actor *self, int status)
{
    const struct op *op = op_of(self);
    say(sos_name(task), op->kind, status, value_of(self, op, status));
}

async_fn(actor)
{
    async_begin(actor);
    if (function_of(self)->scope)
        sos_scope_open(task, &self->scope);
    for (; self->pc < function_of(self)->count && run.budget > 0; self->pc++) {
        run.budget--;
        if (op_of(self)->kind >= OP_AWAITED) {
            say_op(task, self, act(task, self, op_of(self)));
            continue;
        }
        if (op_of(self)->within >= 0)
            await(sos_within(task, op_of(self)->within, begin(task, self)));
        else
            await(begin(task, self));
        say_op(task, self, sos_status(task));
        if (op_of(self)->attempt && sos_status(task) < 0)
            async_return(sos_status(task));
    }
    async_return(function_of(self)->result);
    async_finally;
    say(sos_name(task), LOG_FINALLY, sos_status(task), self->function);
    if (function_of(self)->has_last)
        act(task, self, &function_of(self)->last);
    async_end;
}

/* ---- One run */

static void report(void *context, const struct sos_report *report)
{
    (void)context;
    if (report->kind == SOS_REPORT_STUCK)
        say(report->task.name, LOG_STUCK, 0, 0);
    else if (report->kind == SOS_REPORT_FAILED)
        say(report->task.name, LOG_FAILED, report->task.status, 0);
    else
        say(report->task.name, LOG_HELD, 0, 0);
}

static void open_run(const struct program *program, struct log *log)
{
    struct sos_config config = { .task_capacity = program->capacity,
                                 .priority_levels = LEVELS,
                                 .frame_chunk = 512,
                                 .report = report };
    memset(&run, 0, sizeof run);
    run.program = program;
    run.log = log;
    run.budget = BUDGET;
    CHECK_INT(sos_sim_create(&run.kernel, &(struct sos_sim_options){ .step_us = program->step_us }),
              SOS_OK);
    CHECK_INT(sos_create(&run.os, &config, run.kernel), SOS_OK);
    for (int i = 0; i < OBJECTS; i++) {
        sos_queue_init(&run.queues[i], "queue", run.queue_items[i], sizeof(int),
                       (uint32_t)queue_capacity(i));
        sos_mutex_init(&run.mutexes[i], "mutex");
        sos_semaphore_init(&run.semaphores[i], "semaphore", (uint32_t)first_permits(i));
        sos_event_init(&run.events[i], "event");
    }
    for (int i = 0; i < program->starts_count; i++) {
        int function = program->starts[i].function;
        added(sos_fork(run.os, actor, options_of(function, program->starts[i].priority),
                       .function = function));
    }
}

static void run_program(const struct program *program, struct log *log)
{
    struct log rest = { 0 };
    open_run(program, log);
    int status = sos_run(run.os);
    log_add(log, sos_now(run.os), 0, LOG_END, status, 0);
    run.log = &rest; /* how the rest is torn down is not compared, but must work */
    run.budget = 0;
    sos_destroy(run.os);
    CHECK_INT(sos_sim_destroy(run.kernel), 0);
}

static int first_difference(const struct log *a, const struct log *b)
{
    for (int i = 0; i < a->count || i < b->count; i++) {
        const struct log_entry *x = &a->entries[i], *y = &b->entries[i];
        if (i >= a->count || i >= b->count || x->time != y->time || x->task != y->task ||
            x->kind != y->kind || x->status != y->status || x->value != y->value)
            return i;
    }
    return -1;
}

static bool seed_holds(uint64_t seed)
{
    static struct program program;
    static struct log real, expected;
    program_make(&program, seed);
    real.count = expected.count = 0;
    model_run(&program, &expected);
    run_program(&program, &real);
    int at = first_difference(&real, &expected);
    if (at < 0)
        return true;
    program_print(&program);
    printf("--- both\n");
    log_print(&real, at - 40, at);
    printf("--- expected\n");
    log_print(&expected, at, at + 3);
    printf("--- but came\n");
    log_print(&real, at, at + 3);
    printf("replay with SOS_PROPERTY_SEED=%llu\n", (unsigned long long)seed);
    return false;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

int main(void)
{
    uint64_t one = from_environment("SOS_PROPERTY_SEED", 0);
    uint64_t seeds = from_environment("SOS_PROPERTY_SEEDS", DEFAULT_SEEDS);
    for (int i = 0; i < TASKS; i++)
        snprintf(names[i], sizeof names[i], "%d", i);
    if (one != 0)
        return seed_holds(one) ? 0 : 1;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        if (!seed_holds(seed))
            return 1;
    return 0;
}
