/* SPDX-License-Identifier: MIT */
/*
 * Tasks: what an async function may await (yield, sleep, signals, joins, deadlines), and what
 * anyone on the runtime's thread may do to a task (kill, signal, wake, change its priority).
 *
 * Who may call what. A function that returns `sos_op` is an operation: only the task itself may
 * start it, inside `await`. Every other function may be called by tasks, by `async_finally`
 * parts, by signal handlers of tasks and by the program around the runtime, all on the thread
 * that runs the runtime; from another thread they answer SOS_ETHREAD. Only `sos_post` and
 * `sos_stop` may be called from other threads and from interrupt handlers.
 */
#ifndef SMALLOS_TASK_H
#define SMALLOS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smallos/error.h"
#include "smallos/time.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A runtime, and a task of it. Both are opaque. */
typedef struct sos sos;
typedef struct sos_task sos_task;

/* What an awaitable operation returns. It can only be awaited, not mistaken for a result. */
typedef struct sos_op {
    int outcome_;
} sos_op;

/* Outcomes of a step, and places to resume at that no line has. For the macros. */
enum {
    SOS_DONE_ = 0,
    SOS_SUSPENDED_ = 1,
    SOS_CALLED_ = 2,
    SOS_AGAIN_ = 3,
    SOS_YIELDED_ = 4,
    SOS_REFUSED_ = 5, /* a deadline that could not be opened */
    SOS_RESUME_UNWIND_ = 0xFFFF,
    SOS_RESUME_REFUSED_ = 0xFFFE
};

#if defined(__GNUC__)
#define SOS_MUST_USE __attribute__((warn_unused_result))
#define SOS_NORETURN __attribute__((noreturn))
#else
#define SOS_MUST_USE
#define SOS_NORETURN
#endif

/*
 * Names a task for good: a handle of a task that is gone is answered with SOS_ESTALE, even when
 * its pid has been given to another. `pid` is 0 or more; a spawn that failed returns a handle
 * whose `pid` is the error (negative).
 */
typedef struct sos_handle {
    int32_t pid;
    uint32_t lap; /* how often pids had wrapped round when the task was added */
} sos_handle;

/*
 * The body of an async function, as `async_fn` declares it; frame header, first member of every
 * struct of arguments and variables. All its fields belong to the runtime.
 */
typedef int (*sos_async_function)(sos_task *task, void *frame);

typedef struct sos_frame {
    sos_async_function function;
    uint16_t resume; /* where to go on: 0 at the start, else the line of the await */
    uint16_t size;   /* of the whole frame, in units of 4 bytes */
    uint16_t back;   /* distance to the caller's frame in units of 4 bytes; 0: another chunk */
    uint8_t flags;
    uint8_t scope; /* offset of the frame's sos_scope in units of 4 bytes; 0: none */
} sos_frame;

/*
 * The node by which a task stands in a ready queue, a wait queue or the timers, and by which a
 * deadline stands in the timers. Public only so that queues and joins can be declared by value. The
 * bytes come first: short instructions of small CPUs reach only so far.
 */
struct sos_link {
    uint8_t kind;     /* enum sos_wait, possibly with SOS_GRANTED_ */
    uint8_t level;    /* effective priority: which ready queue */
    uint8_t priority; /* as asked for */
    uint8_t flags;
    uint32_t order; /* timers: arming order; after an event: the pass it came in */
    union {
        struct sos_link *child; /* timers */
        void *object;           /* waits: what is waited for */
    };
    union {
        uint64_t due;      /* timers: us */
        void *out;         /* waits: where the result goes */
        uint32_t count[2]; /* joins of many: how many, how many still run */
        uint32_t mask;     /* signals waited for */
        int status;        /* no wait any more: what it ended in */
    }
#if defined(__GNUC__) && UINTPTR_MAX <= 0xFFFFFFFFu
    __attribute__((packed, aligned(4)))
#endif
    ;
    struct sos_link *prev, *next; /* last: see struct sos_task */
};

/* What a task is doing, or what it waits for. */
enum sos_wait {
    SOS_RUNNABLE = 0,
    SOS_WAIT_SLEEP,
    SOS_WAIT_JOIN,
    SOS_WAIT_JOIN_ALL,
    SOS_WAIT_JOIN_ANY,
    SOS_WAIT_SCOPE,
    SOS_WAIT_SIGNAL,
    SOS_WAIT_READABLE,
    SOS_WAIT_WRITABLE,
    SOS_WAIT_QUEUE_PUT,
    SOS_WAIT_QUEUE_GET,
    SOS_WAIT_MUTEX,
    SOS_WAIT_SEMAPHORE,
    SOS_WAIT_EVENT,
    SOS_ENDED
};

/* Called for every signal that reaches a task, before the task sees it. May not await. */
typedef void (*sos_signal_handler)(sos_task *task, int signal, void *context);

/* How to start a task. Zero means the default, in every field. */
struct sos_options {
    char reserved_;
    bool watcher;        /* does not keep the runtime running */
    bool detached;       /* nobody will join it: its record goes when it ends */
    bool external;       /* others post to it (sos_post): its signal waits count as I/O */
    int priority;        /* 1 to priority_levels - 1; 0: the parent's (a fork: refused) */
    uint32_t frame_room; /* bytes to set aside for nested calls beside the first frame */
    uint32_t due_us;     /* policy `edf`: wants the CPU within this after a wake-up */
    const char *name;    /* not copied, must live as long as the task; NULL: the function's name */
    sos_signal_handler on_signal; /* NULL: none */
    void *context;                /* for on_signal */
};

/* A task to be: what `sos_start` makes and `sos_fork_list` takes. */
struct sos_start {
    sos_async_function function;
    const void *frame; /* arguments; copied */
    const char *name;
    size_t size; /* of the frame; the lowest bit says that it needs 8-byte alignment */
    struct sos_options options;
};

/* ---- Adding tasks. The macros async_spawn, sos_fork and sos_start are in smallos/async.h. */

/*
 * Adds `count` tasks that have no parent. All or none: on an error nothing has changed.
 * Writes their handles if `handles` is not NULL. None of their code runs yet.
 * SOS_EINVAL: a priority outside 1 to priority_levels - 1, or a frame too large (256 KiB);
 * SOS_ECAPACITY: not enough free pids; SOS_ENOMEM; SOS_ETHREAD.
 */
int sos_fork_list(sos *os, const struct sos_start *starts, size_t count, sos_handle *handles);

/* ---- Awaitable operations */

/* Lets every other task of the same priority run first. Ends in 0. */
SOS_MUST_USE static inline sos_op sos_yield(sos_task *task)
{
    (void)task; /* the scheduler does it: the step that yields is the one that runs */
    sos_op op = { SOS_YIELDED_ };
    return op;
}

/*
 * Sleeps at least `us` microseconds; 0 gives way through the timers. Ends in 0, in SOS_EINVAL at
 * once when negative. SOS_FOREVER sleeps until something ends it. Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_sleep(sos_task *task, int64_t us);

/*
 * Waits for signal `signal` (0 to 31), or for the lowest that has arrived of those in `mask`
 * (bit n: signal n), and consumes it. Ends in its number; SOS_EINVAL: no such signal or an empty
 * mask. Canceled after the signal had arrived: it is latched again.
 */
SOS_MUST_USE sos_op sos_wait_signal(sos_task *task, int signal);
SOS_MUST_USE sos_op sos_wait_signals(sos_task *task, uint32_t mask);

/*
 * Waits until a task has ended. Ends in its result (what it returned; SOS_ECANCELED when it was
 * killed). SOS_ESTALE: there is no such task any more; SOS_EDEADLK: the task itself, or one that
 * waits, directly or not, for this one. The target's record is given up. Canceled: the target
 * goes on and can be joined again.
 */
SOS_MUST_USE sos_op sos_join(sos_task *task, sos_handle target);

/* One of several tasks to wait for. The caller owns it; it must live until the join is over. */
struct sos_join {
    sos_handle task;      /* whom to wait for: set by the caller */
    int status;           /* its result, once it has ended; SOS_EAGAIN until then */
    struct sos_link link; /* private */
    sos_task *waiter;     /* private */
};

/*
 * Waits for all of `count` tasks, the results standing in the order asked for; a task named twice
 * is waited for once and answered twice. Ends in 0 when all have ended well, and at once with
 * its error when one has failed: the others go on then, and their `status` is SOS_EAGAIN.
 * count 0 answers 0 at once. SOS_ESTALE, SOS_EDEADLK as for sos_join: nothing is waited for then.
 * In a frame: `struct sos_join joins[N]` of the caller's frame. Canceled: all targets go on.
 */
SOS_MUST_USE sos_op sos_join_all(sos_task *task, struct sos_join *joins, size_t count);

/* Waits for the first of them to end, well or not. Ends in its index in `joins`. */
SOS_MUST_USE sos_op sos_join_any(sos_task *task, struct sos_join *joins, size_t count);

/*
 * An operation that has nothing to wait for, and ends in `status`: for operations of your own, which
 * are plain functions that return sos_op. Whatever they did stays done when the task is killed
 * before it goes on.
 */
SOS_MUST_USE sos_op sos_complete(sos_task *task, int status);

/* ---- The task itself */

/* The status in which the last await of `task` ended; it means nothing while the task waits. */
int sos_status(const sos_task *task);

/* The runtime of a task, its handle, its name, its parent (pid SOS_ESTALE when it has none). */
sos *sos_of(const sos_task *task);
sos_handle sos_self(const sos_task *task);
const char *sos_name(const sos_task *task);
sos_handle sos_parent(const sos_task *task);

/* Consumes signal `signal` if it is latched: 1, else 0. SOS_EINVAL: no such signal. */
int sos_check_signal(sos_task *task, int signal);

/*
 * Makes the calling frame a scope: it owns the children that are spawned from here on. However
 * the frame is left, those that still run then are killed before its async_finally part.
 * `scope` must be a member of that frame within its first 1,000 bytes.
 */
struct sos_scope {
    uint32_t first_lap, first_pid; /* children added from here on belong to it */
};
void sos_scope_open(sos_task *task, struct sos_scope *scope);

/* Kills and joins the children of the scope now; it stays open for more. */
void sos_scope_clear(sos_task *task, struct sos_scope *scope);

/*
 * Waits until no child of the innermost open scope is left. Ends in 0, or at once with the error
 * of the first that failed (the scope's frame decides what to do then).
 */
SOS_MUST_USE sos_op sos_scope_join(sos_task *task, struct sos_scope *scope);

/* ---- Other tasks */

/*
 * Latches a signal for a task, calls its handler and wakes it if it waits for it.
 * SOS_ESTALE: no such task; SOS_EINVAL: no such signal. Neither has any other effect.
 */
int sos_signal(sos *os, sos_handle target, int signal);

/*
 * The same from any thread and from interrupt handlers: takes effect in the runtime's next pass.
 * SOS_EAGAIN: `post_capacity` signals are under way already, nothing was posted; a target that is
 * gone by then is ignored. Lock-free where the CPU has compare-and-swap, else inside the kernel's
 * critical section.
 */
int sos_post(sos *os, sos_handle target, int signal);

/*
 * Ends a task now: its frames run their async_finally parts, every registration is removed, and
 * those who wait for it get SOS_ECANCELED. The running task is only marked and ends when its step
 * is back in the scheduler. With `sos_kill_tree` its descendants end first.
 * 0; SOS_ESTALE: no such task, or it has ended.
 */
int sos_kill(sos *os, sos_handle target);
int sos_kill_tree(sos *os, sos_handle target);

/* Ends any wait of a task: it gets SOS_EINTR. 0; SOS_EAGAIN: it does not wait; SOS_ESTALE. */
int sos_wake(sos *os, sos_handle target);

/*
 * Gives up a task: nobody will join it. Its record goes now if it has ended, else when it ends.
 * 0 or SOS_ESTALE.
 */
int sos_release(sos *os, sos_handle target);

/*
 * Changes a priority, also of a queued task, which goes to the back of its new queue.
 * SOS_EINVAL: outside 1 to priority_levels - 1; SOS_ESTALE: no such task, or it has ended.
 */
int sos_set_priority(sos *os, sos_handle target, int priority);

/* Result of an ended task whose record is still there: 0 and *result, SOS_EAGAIN, SOS_ESTALE. */
int sos_result(sos *os, sos_handle target, int *result);

/* ---- Internal, called by the macros of smallos/async.h */

SOS_MUST_USE sos_op sos_call_(sos_task *task, sos_async_function function, const void *frame,
                              uint32_t size);
sos_handle sos_spawn_(sos_task *parent, const struct sos_start *start);
sos_handle sos_fork_(sos *os, const struct sos_start *start);
void sos_expect_watchers_(sos *os);

/* Only programs that have watchers carry the code that ends them. */
static inline sos_handle sos_spawn_start_(sos_task *parent, const struct sos_start *start)
{
    if (start->options.watcher)
        sos_expect_watchers_(sos_of(parent));
    return sos_spawn_(parent, start);
}

static inline sos_handle sos_fork_start_(sos *os, const struct sos_start *start)
{
    if (start->options.watcher)
        sos_expect_watchers_(os);
    return sos_fork_(os, start);
}
bool sos_deadline_open_(sos_task *task, int64_t us);
SOS_MUST_USE sos_op sos_deadline_pass_(sos_task *task, sos_op op);
void sos_return_(sos_task *task, int status);
SOS_NORETURN void sos_trap_(sos_task *task, const char *function, int line);

#ifdef __cplusplus
}
#endif
#endif
