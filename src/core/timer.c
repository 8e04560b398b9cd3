/* SPDX-License-Identifier: MIT */
/*
 * Timers: a pairing heap of links, ordered by moment and then by the order of arming. Arming is
 * O(1), taking the next O(log n) amortised, cancelling O(log n). Where there may be hundreds of
 * thousands of them, the kernel puts bins in front (timer_bins.c), so that only those of the next
 * millisecond are in the heap.
 *
 * In the heap: child is the first child, next the next sibling, prev the previous sibling or, of
 * a first child, its parent.
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

static struct sos_link *meld(struct sos_link *a, struct sos_link *b)
{
    if (before(b, a)) {
        struct sos_link *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != NULL)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Melds siblings in pairs, then the pairs from the last to the first. */
static struct sos_link *meld_siblings(struct sos_link *first)
{
    struct sos_link *pairs = NULL;
    while (first != NULL) {
        struct sos_link *second = first->next;
        struct sos_link *rest = second != NULL ? second->next : NULL;
        struct sos_link *pair = second != NULL ? meld(first, second) : first;
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    struct sos_link *root = pairs;
    if (root != NULL) {
        pairs = root->next;
        while (pairs != NULL) {
            struct sos_link *rest = pairs->next;
            root = meld(root, pairs);
            pairs = rest;
        }
        root->next = root->prev = NULL;
    }
    return root;
}

static void heap_insert(sos *os, struct sos_link *link)
{
    link->child = link->next = link->prev = NULL;
    os->heap = os->heap == NULL ? link : meld(os->heap, link);
    os->heap->next = os->heap->prev = NULL;
}

static void heap_remove(sos *os, struct sos_link *link)
{
    struct sos_link *below = meld_siblings(link->child);
    if (link == os->heap) {
        os->heap = below;
        return;
    }
    if (link->prev->child == link)
        link->prev->child = link->next;
    else
        link->prev->next = link->next;
    if (link->next != NULL)
        link->next->prev = link->prev;
    if (below != NULL)
        os->heap = meld(os->heap, below);
    os->heap->next = os->heap->prev = NULL;
}

void sos_timer_arm_(sos *os, struct sos_link *link, uint64_t due)
{
    link->due = due;
    if (due == SOS_NEVER)
        return; /* stands nowhere: only something else can end its wait */
    link->order = os->arm_order++;
    os->timer_count++;
    if (due < os->looked_due &&
        os->paced) { /* the kernel was told of a later one: it must look again */
        os->looked_due = due;
        __atomic_store_n(&os->attention.byte.posted, 1, __ATOMIC_RELAXED);
    }
    if (!has_bins(os) || !os->kernel->timer_bins->arm(os->bins, link))
        heap_insert(os, link);
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

uint64_t sos_due_after_(sos *os, int64_t us)
{
    uint64_t now = os->kernel->now(os->kernel);
    return us == SOS_FOREVER || (uint64_t)us >= SOS_NEVER - now ? SOS_NEVER : now + (uint64_t)us;
}
