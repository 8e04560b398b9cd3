/* SPDX-License-Identifier: MIT */
/*
 * Between tasks of one runtime: bounded queue, mutex, semaphore, event. Each serves the most
 * urgent waiter first, then the one that has waited longest. The caller owns the objects and
 * inits them before use; none needs an end, but none may go while a task waits for it.
 *
 * All operations: a wait that was already satisfied when its task is killed or timed out gives
 * back what it got: the item to the front of its queue, the permit, the lock.
 */
#ifndef SMALLOS_SYNC_H
#define SMALLOS_SYNC_H

#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sos_waitable_type;

/* Who waits for an object; first member of each. Private but for the name. */
struct sos_waitable {
    const struct sos_waitable_type *type;
    struct sos_link *waiters; /* circular; the most urgent first, then the oldest */
    const char *name;
};

/* ---- Bounded queue of items of one size, copied in and out. */

struct sos_queue {
    struct sos_waitable readers, writers;
    unsigned char *items;
    uint32_t item_size, capacity;
    uint32_t first, count;
    uint32_t claimed; /* items on their way to a reader: they keep their place until it runs */
    bool closed;
};

/*
 * `items` is memory for `capacity` items of `item_size` bytes, owned by the caller; `name` is not
 * copied. SOS_EINVAL: a size or the capacity is 0.
 */
int sos_queue_init(struct sos_queue *queue, const char *name, void *items, uint32_t item_size,
                   uint32_t capacity);

/* Puts a copy of *item; waits while the queue is full. `item` must outlive the wait: keep it in
 * the frame. Ends in 0; SOS_EPIPE: closed. Canceled: nothing was put, or it had been taken over. */
SOS_MUST_USE sos_op sos_queue_put(sos_task *task, struct sos_queue *queue, const void *item);

/* Takes the oldest item into *item; waits while there is none. Ends in 0; SOS_EPIPE: closed and
 * empty. Canceled: the item is back at the front; of several given back, the last one stands first. */
SOS_MUST_USE sos_op sos_queue_get(sos_task *task, struct sos_queue *queue, void *item);

/* The same without waiting, also from outside of tasks: SOS_EAGAIN instead. */
int sos_queue_try_put(struct sos_queue *queue, const void *item);
int sos_queue_try_get(struct sos_queue *queue, void *item);

/* No more items: writers get SOS_EPIPE, readers too once it is empty. */
void sos_queue_close(struct sos_queue *queue);

/* Items that a reader could take now. */
uint32_t sos_queue_count(const struct sos_queue *queue);

/* ---- Mutex with priority inheritance: the owner runs at least as urgently as any waiter. */

struct sos_mutex {
    struct sos_waitable waitable;
    sos_task *owner;
    struct sos_mutex *next_held; /* of all held mutexes of the runtime */
};

void sos_mutex_init(struct sos_mutex *mutex, const char *name);

/* Ends in 0 when the task owns it. SOS_EDEADLK: it owns it already. */
SOS_MUST_USE sos_op sos_mutex_lock(sos_task *task, struct sos_mutex *mutex);

/* Hands it to the next. 0; SOS_EPERM: `task` does not own it (harmless in async_finally).
 * A task that ends while it owns a mutex is reported and the mutex handed on. */
int sos_mutex_unlock(sos_task *task, struct sos_mutex *mutex);

/* ---- Counting semaphore */

struct sos_semaphore {
    struct sos_waitable waitable;
    uint32_t permits;
};

void sos_semaphore_init(struct sos_semaphore *semaphore, const char *name, uint32_t permits);

/* Takes a permit. Ends in 0. */
SOS_MUST_USE sos_op sos_semaphore_take(sos_task *task, struct sos_semaphore *semaphore);

/* Gives one: to the next waiter, or for later. From anywhere on the runtime's thread. */
void sos_semaphore_give(struct sos_semaphore *semaphore);

/* ---- Event: set until it is cleared; all who wait for it go on together. */

struct sos_event {
    struct sos_waitable waitable;
    bool set;
};

void sos_event_init(struct sos_event *event, const char *name);
SOS_MUST_USE sos_op sos_event_wait(sos_task *task, struct sos_event *event);
void sos_event_set(struct sos_event *event);
void sos_event_clear(struct sos_event *event);

#ifdef __cplusplus
}
#endif
#endif
