/* SPDX-License-Identifier: MIT */
/*
 * Async functions: the words that turn a C function into one that can wait. docs/async.md tells
 * how they work and which mistakes are caught where.
 *
 *     struct blink { sos_frame frame; int pin; int left; };
 *
 *     async_fn(blink)
 *     {
 *         async_begin(blink);
 *         for (; self->left > 0; self->left--) {
 *             gpio_toggle(self->pin);
 *             await(sos_sleep(task, SOS_MS(250)));
 *         }
 *         async_finally;
 *         gpio_clear(self->pin);
 *         async_end;
 *     }
 *
 * Inside, `task` is the task that runs and `self` the frame: the arguments and whatever has to
 * outlive an await. A local variable does not outlive one.
 */
#ifndef SMALLOS_ASYNC_H
#define SMALLOS_ASYNC_H

#include "smallos/task.h"

/* Declares or opens the definition of the async function `name` with its frame `struct name`. */
#define async_fn(name) SOS_MUST_USE int name(sos_task *task, void *frame_)

/* The first statement of the body. */
#define async_begin(name)                                                                          \
    struct name *const self = (struct name *)frame_;                                               \
    int sos_outcome_;                                                                              \
    (void)task;                                                                                    \
    sos_again_:                                                                                    \
    __attribute__((unused));                                                                       \
    switch (self->frame.resume) {                                                                  \
    default:                                                                                       \
        if (self->frame.resume != SOS_RESUME_UNWIND_)                                              \
            sos_trap_(task, __func__, self->frame.resume);                                         \
        (void)sos_outcome_;                                                                        \
        return SOS_DONE_;                                                                          \
    case 0:

/*
 * Waits for an operation. Its status is then read with sos_status(task).
 * In a build with SOS_HARD every await suspends, so that nothing on the stack outlives it.
 */
#ifndef SOS_HARD
#define await(...)                                                                                 \
    do {                                                                                           \
        if ((sos_outcome_ = (__VA_ARGS__).outcome_) != SOS_DONE_) {                                \
            self->frame.resume = __LINE__;                                                         \
            return sos_outcome_;                                                                   \
        case __LINE__:;                                                                            \
        }                                                                                          \
    } while (0)
#else
#define await(...)                                                                                 \
    do {                                                                                           \
        sos_outcome_ = (__VA_ARGS__).outcome_;                                                     \
        self->frame.resume = __LINE__;                                                             \
        return sos_outcome_ != SOS_DONE_ ? sos_outcome_ : SOS_AGAIN_;                              \
    case __LINE__:;                                                                                \
    } while (0)
#endif

/* Waits for an operation; when it fails, returns its error from this function. */
#define try_await(...)                                                                             \
    do {                                                                                           \
        await(__VA_ARGS__);                                                                        \
        if (sos_status(task) < 0)                                                                  \
            async_return(sos_status(task));                                                        \
    } while (0)

/* Ends the function with a status, through its async_finally part. */
#define async_return(value)                                                                        \
    do {                                                                                           \
        sos_return_(task, (value));                                                                \
        self->frame.resume = SOS_RESUME_UNWIND_;                                                   \
        goto sos_again_;                                                                           \
    } while (0)

/*
 * Opens the part that runs however the function ends: return, failure, deadline, kill. It may not
 * await; sos_status(task) tells in it what the function ends with.
 */
#define async_finally                                                                              \
    async_return(SOS_OK);                                                                          \
    case SOS_RESUME_UNWIND_:

/* The last statement of the body. Reached without async_return, the function ends in SOS_OK. */
#define async_end                                                                                  \
    return SOS_DONE_;                                                                              \
    }                                                                                              \
    sos_trap_(task, __func__, __LINE__)

/*
 * async_call(name, .argument = value, ...) calls another async function: an operation to await.
 * Ends in what the function returns; SOS_ENOMEM: no room for its frame.
 */
#define async_call(...) SOS_CALL_(__VA_ARGS__, )

/*
 * async_spawn(name, sos_opt(...), .argument = value, ...) starts it as a child task of the calling
 * one and returns its sos_handle. The pid of that is negative when it failed: SOS_ECAPACITY,
 * SOS_ENOMEM, SOS_EINVAL (priority). Not an operation: nothing waits.
 */
#define async_spawn(...) SOS_SPAWN_(__VA_ARGS__, )

/* How to start a task: sos_opt(.priority = 3, .name = "blink"), sos_opt() for the defaults. */
#define sos_opt(...) ((struct sos_options){ .reserved_ = 0, __VA_ARGS__ })

/* sos_fork(os, name, sos_opt(...), .argument = value, ...): a task without a parent. */
#define sos_fork(...) SOS_FORK_(__VA_ARGS__, )

/* sos_start(name, sos_opt(...), .argument = value, ...): one entry for sos_fork_list. */
#define sos_start(...) SOS_START_(__VA_ARGS__, )

/*
 * sos_within(task, SOS_MS(500), operation) puts a deadline on an operation and on everything
 * inside it, however deep. Ends in what the operation ends in, or in SOS_ETIMEDOUT; everything
 * the operation had begun has been unwound then. SOS_EINVAL: negative; SOS_ENOMEM.
 */
#define sos_within(task, us, ...)                                                                  \
    sos_deadline_pass_((task), sos_deadline_open_((task), (us)) ? (__VA_ARGS__)                    \
                                                                : (sos_op){ SOS_REFUSED_ })

#define SOS_FRAME_SIZE_(name)                                                                      \
    ((uint32_t)((sizeof(struct name) + 3u) & ~(size_t)3u) |                                        \
     (uint32_t)(_Alignof(struct name) > 4 && sizeof(void *) == 4))
#define SOS_FRAME_(name, ...) (&(struct name){ .frame = { 0, 0, 0, 0, 0, 0 }, __VA_ARGS__ })
#define SOS_CALL_(name, ...)                                                                       \
    sos_call_(task, name, SOS_FRAME_(name, __VA_ARGS__), SOS_FRAME_SIZE_(name))
#define SOS_START_(fn, opts, ...)                                                                  \
    ((struct sos_start){ .function = fn,                                                           \
                         .frame = SOS_FRAME_(fn, __VA_ARGS__),                                     \
                         .size = SOS_FRAME_SIZE_(fn),                                              \
                         .name = #fn,                                                              \
                         .options = opts })
#define SOS_SPAWN_(...) sos_spawn_start_(task, &SOS_START_(__VA_ARGS__))
#define SOS_FORK_(os, ...) sos_fork_start_(os, &SOS_START_(__VA_ARGS__))

#endif
