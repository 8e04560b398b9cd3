/* SPDX-License-Identifier: MIT */
/*
 * What the files of the core share. Names that are shared but not public end in `_`.
 *
 * Invariants, true whenever no function of the core is on the stack:
 *  - A runnable task (kind SOS_RUNNABLE, or any kind with SOS_GRANTED_) stands in exactly one
 *    ready queue, that of its level. The running task stays at its place there until it
 *    suspends; a yield of the front task is therefore one store.
 *  - A task that sleeps stands in the timers; one that waits for an object stands in the list of
 *    that object; one that waits for a signal, or for several tasks, stands nowhere.
 *  - An ended task (SOS_ENDED) stands nowhere but in the pid table and in its parent's children.
 *
 *      spawn -> RUNNABLE -> (runs) -> waits -> RUNNABLE ...
 *                               \-> ENDED -> record gone (joined, released, parent's end)
 */
#ifndef SMALLOS_CORE_INTERNAL_H
#define SMALLOS_CORE_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smallos/async.h"
#include "smallos/inspect.h"
#include "smallos/io.h"
#include "smallos/kernel.h"
#include "smallos/output.h"
#include "smallos/policy.h"
#include "smallos/runtime.h"
#include "smallos/sync.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#define LIKELY_(x) __builtin_expect(!!(x), 1)
#define UNLIKELY_(x) __builtin_expect(!!(x), 0)

/* The core compiled as one file (its release and firmware builds are): nothing but the public
 * functions has a name outside, so the compiler may inline and drop what it likes. */
#ifdef SOS_ONE_FILE
#define INTERNAL_ static __attribute__((unused)) /* some serve the diagnostics alone */
#else
#define INTERNAL_
#endif

/* Worth a copy of its own where speed counts; one copy serves all where size counts. */
#ifdef __OPTIMIZE_SIZE__
#define HOT_INLINE_ static inline
#define WARM_INLINE_ static __attribute__((noinline, unused))
#define APART_ static inline
#define SOS_FAST_ 0
#else
#define HOT_INLINE_ static inline __attribute__((always_inline))
#define WARM_INLINE_ static inline
#define APART_ static __attribute__((noinline)) /* off the common path */
#define SOS_FAST_ 1
/* Freestanding, a compiler calls it even for a single word; by this name it need not. */
#define memcpy __builtin_memcpy
#endif

/* Before a loop so short that its jump back counts. */
#if SOS_FAST_ && UINTPTR_MAX > 0xFFFFFFFFu && defined(__GNUC__) && !defined(__clang__)
#define TWO_A_TURN_ _Pragma("GCC unroll 2")
#else
#define TWO_A_TURN_
#endif

#define CONTAINER_(pointer, type, member)                                                          \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Pids and sizes within one chunk: two bytes where memory is scarce. There no bins for timers come
 * in front of the heap, and there are no more levels than a word has bits. */
#if UINTPTR_MAX > 0xFFFFFFFFu
typedef uint32_t sos_index_;
#define SOS_BIG_ 1
#else
typedef uint16_t sos_index_;
#define SOS_BIG_ 0
#endif
#define NO_INDEX_ ((sos_index_)-1)

enum {
    /* in link.kind, beside enum sos_wait */
    SOS_GRANTED_ = 0x80,      /* runnable, and owns what it waited for until its step begins */
    SOS_DEADLINE_ = 0x40,     /* the link of a deadline, armed */
    SOS_EXPIRED_LINK_ = 0x42, /* the same, passed and not seen to: in os->expired */
    SOS_RECORD_ = 0x41,       /* the link of a struct sos_join */

    SOS_KEPT_ = 0x20, /* with SOS_GRANTED_: no deadline may take it away any more */

    /* With SOS_GRANTED_: a result of which nothing can be given back. */
    SOS_RESULT_ = SOS_WAIT_SLEEP,

    /* in link.flags of a task */
    SOS_WATCHER_ = 1,
    SOS_DETACHED_ = 2,
    SOS_KILLED_ = 4, /* unwinds to the bottom as soon as it is back in the scheduler */
    SOS_EXTRAS_ = 8, /* a struct sos_extras_ stands between task and first frame */
    SOS_EXTERNAL_ = 16,
    SOS_DYING_ = 32,     /* on the stack of tasks that are being unwound */
    SOS_TREE_ = 64,      /* its descendants are to be killed before it */
    SOS_REPORTED_ = 128, /* its failure has been reported, or somebody joined it */

    /* in frame.flags */
    SOS_CHUNK_ = 1,   /* the first frame in a chunk */
    SOS_GUARD_ = 4,   /* a deadline: is returned through at once */
    SOS_EXPIRED_ = 2, /* a deadline that has passed: unwinding stops here */

    SOS_AWAITS_PER_STEP_ = 64,
    SOS_LEVELS_MAX_ = SOS_BIG_ ? 256 : 32
};

/*
 * What every step touches stands together. Where memory has caches that is from the end of the link
 * to the first frame, right behind the record; where it has none the link comes first, so that link
 * and task are one address and all fields are within reach of short instructions.
 */
#define SOS_LINK_LAST_ SOS_BIG_

struct sos_task {
#if !SOS_LINK_LAST_
    struct sos_link link;
    struct sos_frame *frame; /* the innermost */
#endif
    sos *os;
    struct sos_link *joiners; /* circular: tasks and records that wait for the end */
    sos_index_ pid;
    sos_index_ room; /* bytes free in the chunk of the innermost frame */
    sos_index_ parent, first_child;
    sos_index_ next_sibling, prev_sibling; /* the first child's prev is the last */
    uint32_t lap;
    uint32_t signals;
    const char *name; /* NULL: of a struct sos_start made by hand */
#if SOS_LINK_LAST_
    struct sos_link link;
    struct sos_frame *frame;
#endif
};

/* What will be used soon, where memory has caches. */
static inline void prefetch_(const void *memory)
{
    if (SOS_LINK_LAST_)
        __builtin_prefetch(memory);
}

static inline sos_task *task_of_(struct sos_link *link)
{
    return CONTAINER_(link, sos_task, link);
}

static inline sos_task *task_or_null_(struct sos_link *link)
{
    return link == NULL ? NULL : task_of_(link);
}

/* What few tasks have. */
struct sos_extras_ {
    sos_signal_handler on_signal;
    void *context;
    uint64_t policy_data;
    uint32_t due_us;
};

struct sos_waitable_type {
    void (*claim)(struct sos_waitable *waitable, sos_task *task);     /* its step begins */
    void (*give_back)(struct sos_waitable *waitable, sos_task *task); /* it will not get there */
};

/* How mutexes take part in scheduling; set by the first lock, so that programs without mutexes
 * do not carry them. */
struct sos_inheritance_ {
    int (*level)(const sos_task *task);
    void (*ended)(sos_task *task);
    void (*waiter_changed)(struct sos_waitable *waitable);
};

/* How joins of several take part, in the same way. */
struct sos_joins_ {
    void (*answer)(sos_task *target, struct sos_link *record);
    void (*unregister)(sos_task *task);
    bool (*wait_for)(sos_task *task, const sos_task *target);
};

/* Timers that are far off, in front of the heap. */
struct sos_timer_bins_type {
    size_t size;
    void (*init)(void *bins, uint64_t now);
    bool (*arm)(void *bins, struct sos_link *link);        /* false: near, belongs into the heap */
    bool (*cancel)(void *bins, struct sos_link *link);     /* false: it is in the heap */
    struct sos_link *(*first)(void *bins, uint64_t until); /* NULL: none is due by `until` */
    uint64_t (*soonest)(void *bins); /* none is due before; SOS_NEVER: there are none */
    uint64_t (*latest)(void *bins);  /* how long one may sleep for them; not before soonest */
};

/* A signal posted from elsewhere; slots of a bounded queue of many writers and one reader. */
struct sos_post_ {
    uint32_t full; /* 0: not yet, or no longer; else the signal + 1 */
    int32_t pid;
    uint32_t lap;
};

/* ---- Memory: of pool.c, or of pool_list.c on small machines and where every block is to be a heap
 * block of its own, so that tools see each one. The build compiles one of the two. */
#if SOS_BIG_ && !defined(SOS_MEMORY_DIRECT)
#define SOS_POOL_LIST_ 0
#else
#define SOS_POOL_LIST_ 1
#endif

enum { SOS_POOL_UNIT_ = 2 * (int)sizeof(void *), SOS_POOL_CLASSES_ = 32 };

struct sos_free_block_ {
    struct sos_free_block_ *next;
    size_t size; /* pool.c: large blocks only */
};

#if SOS_POOL_LIST_
struct sos_pool_ {
    size_t used;
    struct sos_free_block_ free; /* before the first one */
};
#else
struct sos_pool_ {
    struct sos_memory_use use;
    struct sos_free_block_ *large; /* of a fixed buffer only */
    char *bump;
    size_t bump_left;
    struct sos_chunk_ *chunks;
    size_t next_chunk;
    struct sos_free_block_ *blocks[SOS_POOL_CLASSES_]; /* given back, by size */
};
#endif

/* How the core tells what went wrong: src/diagnostics, where the kernel names them. */
struct sos_diagnostics_type {
    /* FAILED: only if it did and nobody knows. */
    void (*report)(sos_task *task, enum sos_report_kind kind);
    void (*run_ended)(sos *os, int status);
    void (*trap)(sos_task *task, const char *function, int line); /* through kernel->panic */
};

struct sos_output_;
struct sos_accounting_;

/* What is used most comes first, within reach of short instructions where pointers are small. */
struct sos {
    /* One word, read before every step; each byte is written by one side with a plain store. */
    union {
        uint32_t word;
        struct {
            uint8_t posted;  /* anywhere: posts wait, or stop was asked for */
            uint8_t killed;  /* the running task was killed */
            uint8_t granted; /* grants wait to be claimed */
            uint8_t mode;    /* accounting, step limit or a policy's pick */
        } byte;
    } attention;
    bool collecting;
    bool unwinding;
    bool active; /* sos_run or sos_run_once is on the stack */
    uint8_t asleep;
    bool embedded; /* its descriptor is polled by another loop */
    uint8_t stop;
    bool fixed;          /* all memory is config.memory */
    bool clients_filled; /* the defaults of config.client_defaults */
    uint32_t pace;       /* steps that may go by between two looks */
    uint32_t ready_bits; /* sos_level_bit_(n): level n; levels from 32 on: ready_more */
    const volatile uint32_t *doorbell;
    uint64_t looked_due;             /* the next timer, as told to the kernel in the last look */
    sos_task *running;               /* may await; NULL between steps and in async_finally */
    const struct sos_policy *policy; /* sets attention.mode */
    uint32_t streak;                 /* awaits of this step that did not suspend */
    uint32_t pass;

    struct sos_kernel *kernel;
    sos_task **tasks; /* by pid */
    uint32_t ended;   /* tasks whose record is still there; with `live`: all records */
    uint32_t next_pid, lap;
    uint32_t live, live_watchers;
    uint32_t outside; /* tasks that something outside can wake */
    uint32_t grants;

    struct sos_link *heap; /* timers */
    uint32_t timer_count;
    uint32_t arm_order;
    struct sos_link *batch; /* woken in this collection, oldest first; circular */
    struct sos_link *dying; /* stack of tasks being unwound, by link.next */
    sos_task *killed;       /* the running task that was killed */

    /* Set by the first call that needs it, so that a program links only what it uses. */
    const struct sos_inheritance_ *inheritance;
    const struct sos_joins_ *joins;
    struct sos_mutex *held;

    struct sos_config config;

    void (*reap_killed)(sos *os);          /* the running task was killed and its step is over */
    void (*step)(sos *os, sos_task *task); /* when attention.mode is set */
    void (*kill_all)(sos *os);             /* at the end of a run: watchers, and all after a stop */
    void (*child_ended)(sos_task *child);  /* its parent may wait for a scope */
    void (*scope_end)(sos_task *parent, const struct sos_scope *scope);
    void (*expire)(sos *os);
    void (*take_posts)(sos *os);
    void (*task_started)(sos_task *task);
    void (*task_ready)(sos_task *task);
    void (*output_end)(sos *os);
    void (*accounting_end)(sos *os);

    struct sos_link *expired; /* deadlines that passed in this pass */
    struct sos_post_ *posts;
    uint32_t post_head, post_tail;
    void *bins;
    struct sos_accounting_ *accounting;
    struct sos_output_ *output;
    uint32_t step_limit_us;
    uintptr_t thread;
    uint64_t aging_next;
    struct sos_pool_ pool;
    uint32_t never_rings;                      /* where the kernel has no doorbell */
    uint32_t ready_more[SOS_LEVELS_MAX_ / 32]; /* [0] is not used */
    struct sos_link *ready[];                  /* by level: the front task; circular */
};

static inline void sos_report_(sos_task *task, enum sos_report_kind kind)
{
    const struct sos_diagnostics_type *diagnostics = task->os->kernel->diagnostics;
    if (diagnostics != NULL)
        diagnostics->report(task, kind);
}

/* ---- pool.c */
/* Memory for a runtime's own use, aligned for anything; NULL: there is none. It is given back with
 * `size` as it was taken; NULL with size 0 is fine. */
#if SOS_POOL_LIST_
INTERNAL_ void *sos_take_(sos *os, size_t size);
INTERNAL_ void sos_give_(sos *os, void *memory, size_t size);

/* Nothing waits to be taken by its size. */
static inline void *sos_take_again_(sos *os, size_t size)
{
    (void)os;
    (void)size;
    return NULL;
}
#else
INTERNAL_ void *sos_take_new_(sos *os, size_t size);
INTERNAL_ void sos_give_large_(sos *os, void *memory, size_t size);

/* A block of that size that has been given back; NULL: there is none. */
static inline void *sos_take_again_(sos *os, size_t size)
{
    size_t index = (size - 1) / SOS_POOL_UNIT_;
    if (UNLIKELY_(index >= SOS_POOL_CLASSES_ || os->pool.blocks[index] == NULL))
        return NULL;
    struct sos_free_block_ *block = os->pool.blocks[index];
    os->pool.blocks[index] = block->next;
    os->pool.use.used += (index + 1) * SOS_POOL_UNIT_;
    return block;
}

static inline void *sos_take_(sos *os, size_t size)
{
    void *block = sos_take_again_(os, size);
    return LIKELY_(block != NULL) ? block : sos_take_new_(os, size);
}

static inline void sos_give_(sos *os, void *memory, size_t size)
{
    size_t index = (size - 1) / SOS_POOL_UNIT_;
    struct sos_free_block_ *block = memory;
    if (UNLIKELY_(index >= SOS_POOL_CLASSES_ || memory == NULL)) {
        sos_give_large_(os, memory, size);
        return;
    }
    block->next = os->pool.blocks[index];
    os->pool.blocks[index] = block;
    os->pool.use.used -= (index + 1) * SOS_POOL_UNIT_;
}
#endif

INTERNAL_ void sos_pool_start_(sos *os, size_t first); /* os is the first block, of that size */
INTERNAL_ void sos_pool_end_(sos *os, size_t first);

/* ---- Circular lists with a pointer to their first link */

static inline void sos_list_append_(struct sos_link **list, struct sos_link *link)
{
    struct sos_link *first = *list;
    if (first == NULL) {
        link->next = link->prev = link;
        *list = link;
        return;
    }
    struct sos_link *last = first->prev;
    link->next = first;
    link->prev = last;
    last->next = link;
    first->prev = link;
}

static inline void sos_list_remove_(struct sos_link **list, struct sos_link *link)
{
    struct sos_link *next = link->next, *prev = link->prev;
    if (next == link) {
        *list = NULL;
        return;
    }
    next->prev = prev;
    prev->next = next;
    if (*list == link)
        *list = next;
}

/* ---- ready.c: one circular list a level, and a bitmap of those that are not empty. The bitmap's
 * first word holds the levels below 32, of which every usual configuration has few. */
INTERNAL_ void sos_ready_mark_above_31_(sos *os, unsigned level, bool ready);
INTERNAL_ void sos_ready_place_with_care_(sos *os, sos_task *task, enum sos_place why);

/* Counted from the end at which the CPU finds the first one sooner: x86 takes eight micro-operations
 * from the high end, Arm one more instruction from the low one. */
static inline uint32_t sos_level_bit_(unsigned level)
{
    return SOS_BIG_ ? 1u << (level & 31) : 0x80000000u >> level;
}

/* Of the most urgent level among `bits`, which are not 0. */
static inline unsigned sos_first_level_(uint32_t bits)
{
    return (unsigned)(SOS_BIG_ ? __builtin_ctz(bits) : __builtin_clz(bits));
}

static inline void sos_ready_mark_(sos *os, unsigned level, bool ready)
{
    uint32_t bit = sos_level_bit_(level);
    if (SOS_BIG_ && UNLIKELY_(level >= 32))
        sos_ready_mark_above_31_(os, level, ready);
    else if (ready)
        os->ready_bits |= bit;
    else
        os->ready_bits &= ~bit;
}

static inline void sos_ready_insert_(sos *os, sos_task *task, bool front)
{
    struct sos_link **queue = &os->ready[task->link.level];
    if (*queue == NULL)
        sos_ready_mark_(os, task->link.level, true);
    sos_list_append_(queue, &task->link);
    if (front)
        *queue = &task->link;
}

static inline void sos_ready_remove_(sos *os, sos_task *task)
{
    struct sos_link **queue = &os->ready[task->link.level];
    if (task->link.next == &task->link)
        sos_ready_mark_(os, task->link.level, false);
    sos_list_remove_(queue, &task->link);
}

/* The running task leaves its queue and `other` goes to the front of its own. */
static inline void sos_ready_replace_(sos *os, sos_task *task, sos_task *other)
{
    struct sos_link **queue = &os->ready[task->link.level];
    struct sos_link *link = &other->link, *next = task->link.next, *prev = task->link.prev;
    if (UNLIKELY_(link->level != task->link.level || *queue != &task->link)) {
        sos_ready_remove_(os, task);
        sos_ready_insert_(os, other, true);
        return;
    }
    link->next = next;
    link->prev = prev;
    prev->next = next->prev = link; /* alone in its queue, these are its own */
    if (next == &task->link)
        link->next = link->prev = link;
    *queue = link;
}

/* Woken in this collection, and not yet in its ready queue. */
WARM_INLINE_ bool sos_in_batch_(const sos *os, const sos_task *task)
{
    const struct sos_link *link = os->batch;
    while (link != NULL && link != &task->link)
        link = link->next == os->batch ? NULL : link->next;
    return link != NULL;
}

/* Through the policy, if there is one. */
static inline void sos_ready_place_(sos *os, sos_task *task, enum sos_place why)
{
    if (LIKELY_(os->attention.byte.mode == 0))
        sos_ready_insert_(os, task, sos_to_front(why));
    else
        sos_ready_place_with_care_(os, task, why);
}

INTERNAL_ unsigned sos_ready_level_above_31_(const sos *os);

/* The most urgent level that has a runnable task; SOS_LEVELS_MAX_: none has. */
static inline unsigned sos_ready_level_(const sos *os)
{
    if (LIKELY_(os->ready_bits != 0))
        return sos_first_level_(os->ready_bits);
    return SOS_BIG_ ? sos_ready_level_above_31_(os) : SOS_LEVELS_MAX_;
}

/* ---- wait.c */
/* The signal waits of external tasks and waits for I/O can be ended by something outside. */
static inline bool sos_outside_can_end_(const struct sos_link *link)
{
    unsigned kind = link->kind;
    return kind - SOS_WAIT_SIGNAL <= SOS_WAIT_WRITABLE - SOS_WAIT_SIGNAL &&
           (kind != SOS_WAIT_SIGNAL || (link->flags & SOS_EXTERNAL_) != 0);
}

/* Waits that stand in a list, which `object` points to. */
static inline bool sos_waits_in_list_(const struct sos_link *link)
{
    return link->kind == SOS_WAIT_JOIN ||
           (link->kind >= SOS_WAIT_READABLE && link->kind <= SOS_WAIT_EVENT);
}

/* The object whose waiters a task is one of. */
static inline struct sos_waitable *sos_waitable_of_(const struct sos_link *link)
{
    return CONTAINER_(link->object, struct sos_waitable, waiters);
}

static inline bool sos_is_runnable_(const sos_task *task)
{
    return task->link.kind == SOS_RUNNABLE || (task->link.kind & SOS_GRANTED_) != 0;
}
/* Traps in the resume switch of the frame's function, which knows its own name. */
static inline void sos_refuse_in_(sos_task *task, sos_frame *frame)
{
    frame->resume = SOS_RESUME_REFUSED_;
    (void)frame->function(task, frame);
}

INTERNAL_ SOS_NORETURN void sos_refuse_(sos_task *task);

static inline void sos_check_running_(sos_task *task)
{
    if (UNLIKELY_(task->os->running != task))
        sos_refuse_(task);
}

/* Takes the running task out of the ready queue; the caller puts it where its waker finds it. */
WARM_INLINE_ sos_op sos_suspend_(sos_task *task, enum sos_wait kind, void *object)
{
    sos *os = task->os;
    sos_ready_remove_(os, task);
    task->link.kind = (uint8_t)kind;
    task->link.object = object;
    return (sos_op){ SOS_SUSPENDED_ };
}

/* The same for a wait in a list. */
WARM_INLINE_ sos_op sos_suspend_in_(sos_task *task, enum sos_wait kind, struct sos_link **list)
{
    sos_op op = sos_suspend_(task, kind, list);
    sos_list_append_(list, &task->link);
    return op;
}

/* Ends a wait; the waker has taken the link out of its list. */
HOT_INLINE_ void sos_resume_here_(sos *os, sos_task *task, int status, enum sos_place why)
{
    task->link.status = status;
    task->link.kind = SOS_RUNNABLE;
    task->link.order = os->pass;
    if (UNLIKELY_(os->collecting) && why == SOS_PLACE_FRONT)
        sos_list_append_(&os->batch, &task->link);
    else
        sos_ready_place_(os, task, why);
}
INTERNAL_ sos_op sos_complete_got_(sos_task *task, int status, unsigned kind, void *object);
INTERNAL_ sos_op sos_complete_(sos_task *task, int status); /* an operation that need not wait */
INTERNAL_ void sos_unregister_(sos_task *task); /* takes a task out of whatever it waits for */
INTERNAL_ void sos_resume_(sos_task *task, int status, enum sos_place why);
INTERNAL_ void sos_resume_granted_(sos_task *task, int status);
INTERNAL_ void sos_grant_(sos_task *task, unsigned kind);
INTERNAL_ uint32_t sos_resume_all_(sos *os, struct sos_link **list, int status); /* how many */
INTERNAL_ void sos_claim_(sos_task *task);

/* ---- waitable lists: most urgent first (in waitable.c) */
INTERNAL_ sos_op sos_waitable_wait_(sos_task *task, struct sos_waitable *waitable,
                                    enum sos_wait kind);
INTERNAL_ sos_task *sos_waitable_take_first_(struct sos_waitable *waitable); /* NULL: nobody */
INTERNAL_ void sos_waitable_end_waits_(struct sos_waitable *waitable, int status);
INTERNAL_ sos_task *sos_waitable_first_(const struct sos_waitable *waitable);
INTERNAL_ void sos_waitable_sort_in_(struct sos_waitable *waitable, struct sos_link *link);
INTERNAL_ void sos_set_level_(sos_task *task, int level);

/* ---- frame.c */
INTERNAL_ sos_frame *sos_frame_push_(sos_task *task, uint32_t size); /* to be filled */
INTERNAL_ void sos_frame_pop_chunk_(sos_task *task);
INTERNAL_ const sos_frame *sos_frame_below_(const sos_frame *frame);

static inline char *sos_frame_end_(const sos_frame *frame)
{
    return (char *)(uintptr_t)frame + (size_t)frame->size * 4;
}

/* All but `back` and `flags`. Arguments are whole words; most frames have few. */
WARM_INLINE_ void sos_frame_fill_(sos_frame *frame, sos_async_function function,
                                  const void *arguments, uint32_t size)
{
    uint32_t at = sizeof *frame;
    frame->function = function;
    frame->resume = 0;
    frame->size = (uint16_t)(size / 4);
    frame->scope = 0;
    if (!SOS_FAST_ && size > at)
        memcpy(frame + 1, (const sos_frame *)arguments + 1, size - at);
    for (; SOS_FAST_ && at < size; at += sizeof(uintptr_t))
        memcpy((char *)frame + at, (const char *)arguments + at, sizeof(uintptr_t));
}

enum { SOS_EXTRAS_AT_ = (int)((sizeof(sos_task) + 7) & ~(size_t)7) };

/* Of a task that has them. */
static inline struct sos_extras_ *sos_extras_at_(const sos_task *task)
{
    return (struct sos_extras_ *)(void *)((char *)(uintptr_t)task + SOS_EXTRAS_AT_);
}

/* Where the memory for frames begins in the block of a task; `wide`: on a multiple of 8. */
static inline size_t sos_frames_at_(bool extras, bool wide)
{
    if (UNLIKELY_(extras))
        return SOS_EXTRAS_AT_ + ((sizeof(struct sos_extras_) + 7) & ~(size_t)7);
    return wide ? SOS_EXTRAS_AT_ : sizeof(sos_task);
}

/* After the last one, `room` is all of the task's block. */
static inline void sos_frame_pop_(sos_task *task)
{
    sos_frame *frame = task->frame;
    if (UNLIKELY_((frame->flags & SOS_CHUNK_) != 0)) {
        sos_frame_pop_chunk_(task);
        return;
    }
    sos_frame *below = NULL;
    char *start = (char *)task;
    if (frame->back != 0) {
        below = (sos_frame *)(void *)((char *)frame - (size_t)frame->back * 4);
        start = sos_frame_end_(below);
    }
    task->room = (sos_index_)(task->room + (sos_frame_end_(frame) - start));
    task->frame = below;
}

/* ---- task.c */
INTERNAL_ sos_task *sos_lookup_at_(const sos *os, int32_t pid, uint32_t lap);
INTERNAL_ int sos_target_at_(const sos *os, int32_t pid, uint32_t lap, sos_task **task);

/* In two words a handle stays in registers. */
static inline sos_task *sos_lookup_(const sos *os, sos_handle handle)
{
    return sos_lookup_at_(os, handle.pid, handle.lap);
}

/* One that lives; or an error. */
static inline int sos_target_(const sos *os, sos_handle handle, sos_task **task)
{
    return sos_target_at_(os, handle.pid, handle.lap, task);
}

INTERNAL_ sos_handle sos_handle_of_(const sos_task *task);
INTERNAL_ void sos_task_end_(sos_task *task); /* its frames are gone, its result is its status */
INTERNAL_ bool sos_end_usual_(sos_task *task);
INTERNAL_ void sos_record_free_(sos_task *task);
INTERNAL_ struct sos_extras_ *sos_extras_(const sos_task *task);
INTERNAL_ int sos_check_thread_(const sos *os);
INTERNAL_ sos_task *sos_parent_(const sos_task *task); /* NULL: it has none */
INTERNAL_ sos_task *sos_child_after_(const sos_task *parent, const sos_task *child);

/* ---- unwind.c */
/* To the bottom if SOS_KILLED_, else to an expired deadline. */
INTERNAL_ void sos_unwind_(sos_task *task);
INTERNAL_ struct sos_scope *sos_frame_scope_(sos_frame *frame);
INTERNAL_ bool sos_in_scope_(const sos_task *child, const struct sos_scope *scope);
INTERNAL_ void sos_kill_task_(sos_task *task, bool tree);
INTERNAL_ void sos_kill_all_(sos *os);
INTERNAL_ bool sos_in_own_step_(const sos_task *task);

/* ---- timer.c */
INTERNAL_ void sos_timer_arm_(sos *os, struct sos_link *link, uint64_t due);
INTERNAL_ void sos_timer_arm_after_(sos *os, struct sos_link *link, int64_t us);
INTERNAL_ void sos_timer_cancel_(sos *os, struct sos_link *link);
INTERNAL_ uint64_t sos_timer_next_(sos *os);
INTERNAL_ uint64_t sos_timer_latest_(sos *os);
INTERNAL_ struct sos_link *sos_timer_pop_(sos *os, uint64_t now);
INTERNAL_ uint64_t sos_due_after_(sos *os, int64_t us);

/* ---- join.c, run.c, signal.c */
INTERNAL_ void sos_ring_(sos *os);
INTERNAL_ void sos_joiners_answer_(sos_task *task);
INTERNAL_ void sos_mode_update_(sos *os);
INTERNAL_ void sos_batch_flush_(sos *os);
INTERNAL_ void sos_step_(sos *os, sos_task *task);

#endif
