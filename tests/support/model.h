/* SPDX-License-Identifier: MIT */
/* What the files of the model share: its whole state, in plain arrays. */
#ifndef TESTS_SUPPORT_MODEL_H
#define TESTS_SUPPORT_MODEL_H

#include <stddef.h>

#include "program.h"
#include "smallos/error.h"

enum { NOBODY = -1, RUNNABLE = -1, NOTHING = -1, DEPTH = 40, AWAITS_PER_STEP = 64 };

enum outcome { DONE, SUSPENDED, CALLED };

struct frame {
    bool deadline; /* else a function */
    int function, pc;
    bool begun, waiting; /* for the operation at pc */
    bool scope;
    int scope_first;     /* tasks made from then on, by this one, are in it */
    uint64_t due, armed; /* deadline: when, and in which order it was armed; 0: not */
    bool expired;
};

struct task {
    bool exists, ended, killed, tree, dying, detached, reported, queued;
    enum handler handler;
    int pid, parent, priority, level, status;
    unsigned signals, mask;
    int wait;     /* enum op_kind, or RUNNABLE */
    bool granted; /* has what it waited for, but has not run yet */
    bool kept;    /* has a result that came together with its deadline */
    int object, item;
    int targets[JOINS], results[JOINS];
    uint64_t began; /* order of waits */
    uint64_t due, armed;
    uint64_t woken; /* pass */
    int depth;
    struct frame frames[DEPTH];
};

struct model {
    const struct program *program;
    struct log *log;
    uint64_t now, pass, waits, arms;
    int count, live, records, next_pid, budget, items, streak, current;
    bool unwinding;
    int dying[TASKS], dying_count;
    int ready[LEVELS][TASKS], ready_count[LEVELS];
    struct task tasks[TASKS];
    struct {
        int items[OBJECTS], count, claimed;
    } queues[OBJECTS];
    int owner[OBJECTS], permits[OBJECTS];
    uint64_t owned[OBJECTS];
    bool set[OBJECTS];
};

/* Tasks are known by the order in which they were made; one that runs stands in no queue. */
extern struct model m;

/* ---- Small questions */

static inline int id(const struct task *task)
{
    return (int)(task - m.tasks);
}

static inline struct frame *top(struct task *task)
{
    return &task->frames[task->depth - 1];
}

/* The innermost function. */
static inline struct frame *innermost(struct task *task)
{
    int at = task->depth - 1;
    while (task->frames[at].deadline)
        at--;
    return &task->frames[at];
}

static inline const struct function *function_of(const struct frame *frame)
{
    return &m.program->functions[frame->function];
}

static inline void say(const struct task *task, int kind, int status, int value)
{
    log_add(m.log, m.now, id(task), kind, status, value);
}

static inline bool alive(const struct task *task)
{
    return task->exists && !task->ended;
}

static inline bool waits(const struct task *task)
{
    return alive(task) && task->wait != RUNNABLE && !task->granted;
}

static inline struct task *target(const struct op *op, int index)
{
    return &m.tasks[op->target[index] % m.count];
}

/* ---- model_tasks.c */

void model_enqueue(struct task *task, bool front);
void model_dequeue(struct task *task);
struct task *model_most_urgent(void);
void model_settle_levels(void);
enum outcome model_suspend(struct task *task, int kind, int object);
void model_resume(struct task *task, int status, bool front);
void model_grant(struct task *task, int status);
enum outcome model_complete(struct task *task, int status, int kind, int object);
bool model_has_room(int queue);
void model_put_in(int queue, int item, bool front);
int model_take_out(int queue);
void model_admit_writer(int queue);
void model_give_permit(int semaphore);
void model_own(int mutex, int task);
void model_hand_on(int mutex);
void model_set_event(int event);
void model_unregister(struct task *task);
int model_add_task(int function, int parent, int priority);
void model_free_record(struct task *task);
bool model_in_scope(const struct task *child, const struct task *parent, const struct frame *frame);
bool model_scope_is_busy(const struct task *parent, const struct frame *frame);
void model_end_task(struct task *task);
void model_end_scope(struct task *task, struct frame *frame);
void model_last_words(struct task *task, const struct frame *frame);
void model_unwind(struct task *task);
void model_kill_task(struct task *task, bool tree);
int model_kill_tree(struct task *task);

/* ---- model.c */

int model_act(struct task *task, const struct op *op);

#endif
