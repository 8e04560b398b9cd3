/* SPDX-License-Identifier: MIT */
/*
 * POSIX signals as signals of tasks. A signal handler belongs to the whole process, so there is one
 * table for all runtimes. Handlers only read it, without a lock; who changes an entry waits until
 * the handlers that may still see the old one are through.
 */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { ENTRIES = 64, SIGNALS = 65 };

struct entry {
    _Atomic(struct unix_kernel *) kernel; /* NULL: free */
    sos *os;
    sos_handle target;
    int posix_signal, signal;
    atomic_bool missed;
};

static struct entry entries[ENTRIES];
static atomic_uint handlers; /* under way, in all threads */

/* Who registers holds the lock; handlers never take it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned uses;
    struct sigaction before;
} dispositions[SIGNALS];

/* ---- The handler */

/* A full queue is being emptied by a runtime that runs: it is told to ask again. */
static void post(struct unix_kernel *kernel, struct entry *entry)
{
    if (sos_post(entry->os, entry->target, entry->signal) != SOS_EAGAIN)
        return;
    if (!atomic_exchange(&entry->missed, true))
        atomic_fetch_add(&kernel->signals_missed, 1);
}

static void handle(int posix_signal)
{
    int number = errno;
    atomic_fetch_add(&handlers, 1);
    for (int index = 0; index < ENTRIES; index++) {
        struct unix_kernel *kernel = atomic_load(&entries[index].kernel);
        if (kernel != NULL && entries[index].posix_signal == posix_signal)
            post(kernel, &entries[index]);
    }
    atomic_fetch_sub(&handlers, 1);
    errno = number;
}

void sos_unix_signals_retry_(struct unix_kernel *kernel)
{
    for (int index = 0; index < ENTRIES; index++) {
        struct entry *entry = &entries[index];
        if (atomic_load(&entry->kernel) != kernel || !atomic_exchange(&entry->missed, false))
            continue;
        atomic_fetch_sub(&kernel->signals_missed, 1);
        post(kernel, entry);
    }
}

/* ---- Registering, with the lock held and this thread's signals kept off */

struct held {
    sigset_t before;
};

static void hold(struct held *held)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &held->before);
    pthread_mutex_lock(&lock);
}

static void let_go(const struct held *held)
{
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

static struct entry *find(const struct unix_kernel *kernel, int posix_signal)
{
    for (int index = 0; index < ENTRIES; index++)
        if (atomic_load(&entries[index].kernel) == kernel &&
            (kernel == NULL || entries[index].posix_signal == posix_signal))
            return &entries[index];
    return NULL;
}

/* Handlers on other threads that began before may still read the entry. */
static void clear(struct entry *entry)
{
    struct unix_kernel *kernel = atomic_load(&entry->kernel);
    atomic_store(&entry->kernel, NULL);
    while (atomic_load(&handlers) != 0)
        sched_yield();
    if (atomic_exchange(&entry->missed, false))
        atomic_fetch_sub(&kernel->signals_missed, 1);
}

static int install(int posix_signal)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
    sigfillset(&action.sa_mask);
    if (dispositions[posix_signal].uses == 0 &&
        sigaction(posix_signal, &action, &dispositions[posix_signal].before) != 0)
        return SOS_EINVAL;
    dispositions[posix_signal].uses++;
    return SOS_OK;
}

static void uninstall(int posix_signal)
{
    if (--dispositions[posix_signal].uses == 0)
        sigaction(posix_signal, &dispositions[posix_signal].before, NULL);
}

static void turn_off(struct entry *entry)
{
    uninstall(entry->posix_signal);
    clear(entry);
}

/* ---- The calls */

/* To return from the handler of a fault would raise it again. */
static bool is_fault(int posix_signal)
{
    return posix_signal == SIGSEGV || posix_signal == SIGBUS || posix_signal == SIGFPE ||
           posix_signal == SIGILL;
}

static int turn_on(struct unix_kernel *kernel, const struct entry *wanted)
{
    struct entry *entry = find(kernel, wanted->posix_signal);
    if (entry != NULL) {
        clear(entry);
    } else {
        entry = find(NULL, 0);
        if (entry == NULL)
            return SOS_ENOMEM;
        int status = install(wanted->posix_signal);
        if (status != SOS_OK)
            return status;
    }
    entry->os = wanted->os;
    entry->target = wanted->target;
    entry->posix_signal = wanted->posix_signal;
    entry->signal = wanted->signal;
    atomic_store(&entry->kernel, kernel);
    return SOS_OK;
}

int sos_unix_signal(struct sos_kernel *kernel, sos *os, int posix_signal, sos_handle target,
                    int signal)
{
    struct entry wanted = { .os = os, .target = target };
    struct held held;
    if (kernel == NULL || os == NULL || posix_signal < 1 || posix_signal >= SIGNALS ||
        is_fault(posix_signal) || signal < 0 || signal > 31)
        return SOS_EINVAL;
    wanted.posix_signal = posix_signal;
    wanted.signal = signal;
    hold(&held);
    int status = turn_on(unix_of(kernel), &wanted);
    let_go(&held);
    return status;
}

int sos_unix_signal_off(struct sos_kernel *kernel, int posix_signal)
{
    struct held held;
    if (kernel == NULL)
        return SOS_EINVAL;
    hold(&held);
    struct entry *entry = find(unix_of(kernel), posix_signal);
    if (entry != NULL)
        turn_off(entry);
    let_go(&held);
    return entry != NULL ? SOS_OK : SOS_EINVAL;
}

void sos_unix_signals_end_(struct unix_kernel *kernel)
{
    struct held held;
    hold(&held);
    for (int index = 0; index < ENTRIES; index++)
        if (atomic_load(&entries[index].kernel) == kernel)
            turn_off(&entries[index]);
    let_go(&held);
}
