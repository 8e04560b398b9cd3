/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <stdio.h>

#include "check.h"
#include "smallos/error.h"

/* ---- Making */

static uint64_t state;

static unsigned pick(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 16) % limit);
}

static bool one_in(unsigned n)
{
    return pick(n) == 0;
}

/* Few different times, so that many things fall on one moment. */
static uint8_t some_time(void)
{
    static const uint8_t times[] = { 0, 0, 5, 10, 10, 20, 30, 50 };
    return times[pick(sizeof times)];
}

static bool calls(unsigned kind)
{
    return kind == OP_CALL || kind == OP_SPAWN || kind == OP_FORK;
}

static uint8_t number_for(unsigned kind, int function)
{
    if (kind == OP_SLEEP || kind == OP_SPEND)
        return some_time();
    if (calls(kind))
        return (uint8_t)(function + 1 + (int)pick((unsigned)(FUNCTIONS - 1 - function)));
    if (kind == OP_WAIT_SIGNAL || kind == OP_SIGNAL || kind == OP_CHECK)
        return (uint8_t)pick(3);
    if (kind == OP_PRIORITY)
        return (uint8_t)pick(LEVELS + 1); /* some are refused */
    return (uint8_t)pick(OBJECTS);
}

/* The last function calls nobody; what is awaited does not go into a finally part. */
static struct op make_op(int function, unsigned first_kind, bool scope)
{
    unsigned kind;
    do {
        kind = first_kind + pick(OP_KINDS - first_kind);
        if (one_in(4) || ((kind == OP_KILL || kind == OP_KILL_TREE) && !one_in(5)))
            kind = one_in(2) ? OP_SPAWN : OP_CALL;
    } while ((calls(kind) && function == FUNCTIONS - 1) || kind < first_kind ||
             (!scope && (kind == OP_SCOPE_JOIN || kind == OP_SCOPE_CLEAR)));
    struct op op = { .kind = (uint8_t)kind, .within = -1, .attempt = one_in(4) };
    for (int i = 0; i < JOINS; i++)
        op.target[i] = (uint8_t)pick(200);
    op.number = number_for(kind, function);
    op.priority = one_in(2) ? 0 : (uint8_t)(1 + pick(LEVELS - 1));
    if (kind < OP_AWAITED && one_in(3))
        op.within = some_time();
    return op;
}

static void make_function(struct function *function, int index)
{
    *function = (struct function){ .count = 1 + (int)pick(OPS) };
    function->scope = one_in(4);
    for (int i = 0; i < function->count; i++)
        function->ops[i] = make_op(index, 0, function->scope);
    function->has_last = one_in(3);
    function->last = make_op(index, OP_AWAITED, false);
    function->result = one_in(4) ? SOS_EIO : (int)pick(10);
    function->handler = one_in(3) ? (one_in(4) ? HANDLER_KILLS : HANDLER_LOGS) : HANDLER_NONE;
    function->detached = one_in(5);
}

void program_make(struct program *program, uint64_t seed)
{
    state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    if (state == 0)
        state = 1;
    for (int i = 0; i < 8; i++)
        pick(2);
    program->seed = seed;
    program->capacity = one_in(3) ? 4 + pick(4) : TASKS * 2;
    program->step_us = one_in(2) ? 0 : 1 + pick(4);
    for (int i = 0; i < FUNCTIONS; i++)
        make_function(&program->functions[i], i);
    program->starts_count = 1 + (int)pick(STARTS);
    for (int i = 0; i < program->starts_count; i++) {
        program->starts[i].function = (uint8_t)pick(3);
        program->starts[i].priority = (uint8_t)(1 + pick(LEVELS - 1));
    }
}

/* ---- Printing */

static const char *const kind_names[] = {
    "yield",   "sleep",   "wait signal", "join",       "join all",   "join any",  "put",
    "get",     "lock",    "take",        "event wait", "scope join", "call",      "spawn",
    "fork",    "signal",  "check",       "kill",       "kill tree",  "wake",      "priority",
    "release", "try put", "try get",     "unlock",     "give",       "event set", "event clear",
    "spend",   "result",  "scope clear", "FINALLY",    "HANDLER",    "STUCK",     "FAILED",
    "HELD",    "END"
};

static void print_op(const struct op *op)
{
    printf("    %s %d", kind_names[op->kind], op->number);
    if ((op->kind >= OP_JOIN && op->kind <= OP_JOIN_ANY) || op->kind >= OP_SIGNAL)
        printf(" tasks %d %d %d", op->target[0], op->target[1], op->target[2]);
    if (op->kind == OP_SPAWN || op->kind == OP_FORK)
        printf(" priority %d", op->priority);
    if (op->within >= 0)
        printf(" within %d", op->within);
    printf("%s\n", op->attempt ? " or return" : "");
}

void program_print(const struct program *program)
{
    printf("seed %llu: capacity %u, step %u us\n", (unsigned long long)program->seed,
           (unsigned)program->capacity, (unsigned)program->step_us);
    for (int i = 0; i < program->starts_count; i++)
        printf("task %d: function %d, priority %d\n", i, program->starts[i].function,
               program->starts[i].priority);
    for (int i = 0; i < FUNCTIONS; i++) {
        const struct function *function = &program->functions[i];
        printf("function %d:%s%s handler %d\n", i, function->scope ? " scope" : "",
               function->detached ? " detached" : "", (int)function->handler);
        for (int j = 0; j < function->count; j++)
            print_op(&function->ops[j]);
        printf("    return %d\n", function->result);
        if (function->has_last) {
            printf("  finally\n");
            print_op(&function->last);
        }
    }
}

/* ---- Logs */

void log_add(struct log *log, uint64_t time, int task, int kind, int status, int value)
{
    CHECK(log->count < LOG_SIZE);
    log->entries[log->count++] = (struct log_entry){ time, task, kind, status, value };
}

void log_print(const struct log *log, int from, int to)
{
    for (int i = from < 0 ? 0 : from; i < to && i < log->count; i++) {
        const struct log_entry *entry = &log->entries[i];
        printf("%4d: %5llu task %d %s: %d (%s) %d\n", i, (unsigned long long)entry->time,
               entry->task, kind_names[entry->kind], entry->status,
               entry->status < 0 ? sos_error_name(entry->status) : "", entry->value);
    }
}
