/* SPDX-License-Identifier: MIT */
/*
 * Timers: a skew heap of links, ordered by moment and then by the order of arming. Arming, taking the
 * next and cancelling are O(log n) amortised. Where there may be hundreds of thousands of them, the
 * kernel puts bins in front (timer_bins.c), so that only those of the next millisecond are in the
 * heap.
 *
 * In the heap: child and next are the two children, prev is the parent.
 */
#include "internal.h"

static bool has_bins(const sos *os)
{
    return SOS_BIG_ && os->bins != NULL;
}

static bool before(const struct sos_link *a, const struct sos_link *b)
{
    return a->due != b->due ? a->due < b->due : (int32_t)(a->order - b->order) < 0;
}

/* Down along the way of the second children, which become the first ones: that keeps it short. */
static void meld(struct sos_link *a, struct sos_link *b, struct sos_link **at,
                 struct sos_link *above)
{
    while (a != NULL && b != NULL) {
        if (before(b, a)) {
            struct sos_link *swap = a;
            a = b;
            b = swap;
        }
        struct sos_link *rest = a->next;
        a->next = a->child;
        a->prev = above;
        above = *at = a;
        at = &a->child;
        a = rest;
    }
    *at = a != NULL ? a : b;
    if (*at != NULL)
        (*at)->prev = above;
}

static void heap_insert(sos *os, struct sos_link *link)
{
    link->child = link->next = NULL;
    meld(os->heap, link, &os->heap, NULL);
}

static void heap_remove(sos *os, struct sos_link *link)
{
    struct sos_link *above = link->prev, **at = &os->heap;
    if (above != NULL)
        at = above->child == link ? &above->child : &above->next;
    meld(link->child, link->next, at, above);
}

void sos_timer_arm_(sos *os, struct sos_link *link, uint64_t due)
{
    link->due = due;
    if (due == SOS_NEVER)
        return; /* stands nowhere: only something else can end its wait */
    link->order = os->arm_order++;
    os->timer_count++;
    if (due < os->looked_due &&
        os->pace > 1) { /* the kernel was told of a later one: it must look again */
        os->looked_due = due;
        __atomic_store_n(&os->attention.byte.posted, 1, __ATOMIC_RELAXED);
    }
    if (!has_bins(os) || !os->kernel->timer_bins->arm(os->bins, link))
        heap_insert(os, link);
}

void sos_timer_arm_after_(sos *os, struct sos_link *link, int64_t us)
{
    sos_timer_arm_(os, link, sos_due_after_(os, us));
}

void sos_timer_cancel_(sos *os, struct sos_link *link)
{
    if (link->due == SOS_NEVER)
        return;
    os->timer_count--;
    if (!has_bins(os) || !os->kernel->timer_bins->cancel(os->bins, link))
        heap_remove(os, link);
}

/* The next timer; of those in bins only one that is due by `until`. */
static struct sos_link *first_timer(sos *os, uint64_t until)
{
    struct sos_link *near = os->heap;
    if (!has_bins(os))
        return near;
    struct sos_link *far = os->kernel->timer_bins->first(os->bins, until);
    return near == NULL || (far != NULL && before(far, near)) ? far : near;
}

uint64_t sos_timer_next_(sos *os)
{
    uint64_t near = os->heap == NULL ? SOS_NEVER : os->heap->due;
    if (!has_bins(os) || os->timer_count == 0)
        return near;
    uint64_t far = os->kernel->timer_bins->soonest(os->bins);
    return far < near ? far : near;
}

/* Until when to sleep: a bin lets timers far ahead share a wake-up. */
uint64_t sos_timer_latest_(sos *os)
{
    uint64_t due = sos_timer_next_(os);
    if (!has_bins(os) || os->kernel->exact_timers || (os->heap != NULL && os->heap->due == due))
        return due;
    uint64_t latest = os->kernel->timer_bins->latest(os->bins);
    return os->heap != NULL && os->heap->due < latest ? os->heap->due : latest;
}

struct sos_link *sos_timer_pop_(sos *os, uint64_t now)
{
    struct sos_link *link = first_timer(os, now);
    if (link == NULL || link->due > now)
        return NULL;
    sos_timer_cancel_(os, link);
    return link;
}

/* SOS_FOREVER, and all else beyond a hundred thousand years, is never. */
uint64_t sos_due_after_(sos *os, int64_t us)
{
    uint64_t now = os->kernel->now(os->kernel);
    return us >> 62 != 0 ? SOS_NEVER : now + (uint64_t)us;
}
