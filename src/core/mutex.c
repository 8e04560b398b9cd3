/* SPDX-License-Identifier: MIT */
/*
 * Mutex with priority inheritance. All held mutexes of a runtime stand in one list, which is
 * short: the level of a task is the most urgent of its own priority and of the first waiter of
 * each mutex it holds.
 */
#include "internal.h"

static int level_of(const sos_task *task)
{
    int level = task->link.priority;
    for (const struct sos_mutex *mutex = task->os->held; mutex != NULL; mutex = mutex->next_held) {
        const struct sos_link *first = mutex->waitable.waiters;
        if (mutex->owner == task && first != NULL && first->level < level)
            level = first->level;
    }
    return level;
}

/* The owner inherits from the new set of waiters; if it waits itself, so does the next owner. */
static void waiter_changed(struct sos_waitable *waitable)
{
    sos_task *owner = CONTAINER_(waitable, struct sos_mutex, waitable)->owner;
    if (owner != NULL)
        sos_set_level_(owner, level_of(owner));
}

static void own(struct sos_mutex *mutex, sos_task *task)
{
    mutex->owner = task;
    mutex->next_held = task->os->held;
    task->os->held = mutex;
}

static void disown(struct sos_mutex *mutex)
{
    struct sos_mutex **at = &mutex->owner->os->held;
    while (*at != mutex)
        at = &(*at)->next_held;
    *at = mutex->next_held;
    mutex->owner = NULL;
}

/* To the first waiter, or to nobody. */
static void hand_on(struct sos_mutex *mutex)
{
    disown(mutex);
    sos_task *next = sos_waitable_take_first_(&mutex->waitable);
    if (next == NULL)
        return;
    own(mutex, next);
    sos_resume_granted_(next, SOS_OK);
    sos_set_level_(next, level_of(next));
}

static void give_lock_back(struct sos_waitable *waitable, sos_task *task)
{
    struct sos_mutex *mutex = CONTAINER_(waitable, struct sos_mutex, waitable);
    if (mutex->owner == task) /* its signal handler may have unlocked it already */
        hand_on(mutex);
    task->link.level = (uint8_t)level_of(task);
}

/* It ended: nobody will unlock what it still holds. */
static void ended(sos_task *task)
{
    struct sos_mutex *mutex = task->os->held;
    while (mutex != NULL) {
        struct sos_mutex *next = mutex->next_held;
        if (mutex->owner == task) {
            sos_report_(task, SOS_REPORT_HELD_MUTEX);
            hand_on(mutex);
            next = task->os->held; /* the list has changed: from the start */
        }
        mutex = next;
    }
}

static const struct sos_waitable_type mutex_type = { NULL, give_lock_back };
static const struct sos_inheritance_ mutex_inheritance = { level_of, ended, waiter_changed };

void sos_mutex_init(struct sos_mutex *mutex, const char *name)
{
    *mutex = (struct sos_mutex){ .waitable = { &mutex_type, NULL, name } };
}

sos_op sos_mutex_lock(sos_task *task, struct sos_mutex *mutex)
{
    sos_check_running_(task);
    task->os->inheritance = &mutex_inheritance;
    if (mutex->owner == task)
        return sos_complete_(task, SOS_EDEADLK);
    if (mutex->owner == NULL) {
        own(mutex, task);
        return sos_complete_got_(task, SOS_OK, SOS_WAIT_MUTEX, &mutex->waitable.waiters);
    }
    sos_op op = sos_waitable_wait_(task, &mutex->waitable, SOS_WAIT_MUTEX);
    waiter_changed(&mutex->waitable);
    return op;
}

int sos_mutex_unlock(sos_task *task, struct sos_mutex *mutex)
{
    if (mutex->owner != task)
        return SOS_EPERM;
    hand_on(mutex);
    sos_set_level_(task, level_of(task));
    return SOS_OK;
}
