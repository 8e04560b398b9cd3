/* SPDX-License-Identifier: MIT */
/*
 * Random programs for the property test: a handful of functions, each a few operations long, that
 * call and spawn only functions of higher numbers, so that every program ends. Run twice, by the
 * runtime and by the model, a program leaves two logs, which must be the same.
 */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FUNCTIONS = 8,
    OPS = 10,
    STARTS = 4,
    JOINS = 3,
    TASKS = 40,   /* made in the whole run */
    BUDGET = 800, /* operations begun in the whole run */
    OBJECTS = 2,  /* of each kind */
    LEVELS = 6,
    LOG_SIZE = 4096
};

enum op_kind {
    /* awaited */
    OP_YIELD,
    OP_SLEEP,
    OP_WAIT_SIGNAL,
    OP_JOIN,
    OP_JOIN_ALL,
    OP_JOIN_ANY,
    OP_PUT,
    OP_GET,
    OP_LOCK,
    OP_TAKE,
    OP_EVENT_WAIT,
    OP_SCOPE_JOIN,
    OP_CALL,
    OP_AWAITED, /* how many those are */

    /* not awaited; these may stand in a finally part */
    OP_SPAWN = OP_AWAITED,
    OP_FORK,
    OP_SIGNAL,
    OP_CHECK,
    OP_KILL,
    OP_KILL_TREE,
    OP_WAKE,
    OP_PRIORITY,
    OP_RELEASE,
    OP_TRY_PUT,
    OP_TRY_GET,
    OP_UNLOCK,
    OP_GIVE,
    OP_EVENT_SET,
    OP_EVENT_CLEAR,
    OP_SPEND,
    OP_RESULT,
    OP_SCOPE_CLEAR,
    OP_KINDS,

    /* in the log only */
    LOG_FINALLY = OP_KINDS,
    LOG_HANDLER,
    LOG_STUCK,
    LOG_FAILED,
    LOG_HELD,
    LOG_END
};

struct op {
    uint8_t kind;
    uint8_t target[JOINS]; /* tasks, by the order in which they were made, modulo their number */
    uint8_t number;        /* microseconds, signal, object, function or priority */
    uint8_t priority;      /* of a spawn */
    int16_t within;        /* deadline in microseconds; -1: none */
    bool attempt;          /* an error ends the function */
};

enum handler { HANDLER_NONE, HANDLER_LOGS, HANDLER_KILLS };

struct function {
    struct op ops[OPS];
    int count;
    int result;
    bool scope; /* opens one at its start */
    bool has_last;
    struct op last;       /* in its finally part */
    enum handler handler; /* when it is a task's first function */
    bool detached;
};

struct program {
    uint64_t seed;
    uint32_t capacity, step_us;
    struct function functions[FUNCTIONS];
    struct {
        uint8_t function, priority;
    } starts[STARTS];
    int starts_count;
};

struct log_entry {
    uint64_t time;
    int task, kind, status, value;
};

struct log {
    int count;
    struct log_entry entries[LOG_SIZE];
};

void program_make(struct program *program, uint64_t seed);
void program_print(const struct program *program);

void log_add(struct log *log, uint64_t time, int task, int kind, int status, int value);
void log_print(const struct log *log, int from, int to);

/* Capacities and first permits of the objects, by their number. */
static inline int queue_capacity(int object)
{
    return object + 1;
}

static inline int first_permits(int object)
{
    return object;
}

/* What a log says of a join of several beside its status. */
static inline int joins_value(const int statuses[JOINS])
{
    return statuses[0] * 10000 + statuses[1] * 100 + statuses[2];
}

/* The obviously right one: model.c. */
void model_run(const struct program *program, struct log *log);

#endif
