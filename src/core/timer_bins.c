/* SPDX-License-Identifier: MIT */
/*
 * Bins in front of the timer heap, for hundreds of thousands of timers: three rings of 1,024
 * unsorted lists, a slot being about 1 ms, 1 s and 18 min long, and one list for all beyond 12
 * days. Arming and cancelling are O(1); a slot is emptied into the next finer ring, or into the
 * heap, when its time comes, so the heap stays small enough for the cache.
 *
 * All times here are slots of 2^10 us. Everything before `horizon` is in the heap, everything
 * from there on in the bins: a link's moment alone tells where it stands.
 *
 * In a bin: next and prev are neighbours, prev of the first is NULL, child is the list's head.
 */
#include "internal.h"

enum { RINGS = 3, BITS = 10, SLOTS = 1 << BITS, WORDS = SLOTS / 64 };

struct bins {
    uint64_t horizon;
    uint64_t next; /* no slot begins before this one */
    struct sos_link *beyond;
    uint64_t used[RINGS][WORDS];
    struct sos_link *slots[RINGS][SLOTS];
};

static void push(struct sos_link **head, struct sos_link *link)
{
    link->prev = NULL;
    link->next = *head;
    link->child = (struct sos_link *)(void *)head;
    if (*head != NULL)
        (*head)->prev = link;
    *head = link;
}

static void init(void *memory, uint64_t now)
{
    struct bins *bins = memory;
    memset(bins, 0, sizeof *bins);
    bins->horizon = (now >> BITS) + 1;
    bins->next = UINT64_MAX;
}

static bool arm(void *memory, struct sos_link *link)
{
    struct bins *bins = memory;
    uint64_t slot = link->due >> BITS, horizon = bins->horizon;
    if (slot < horizon)
        return false;
    for (unsigned ring = 0; ring < RINGS; ring++, slot >>= BITS, horizon >>= BITS) {
        if (slot - horizon >= SLOTS)
            continue;
        unsigned index = (unsigned)(slot % SLOTS);
        uint64_t start = slot << (ring * BITS);
        bins->used[ring][index / 64] |= (uint64_t)1 << (index % 64);
        if (start < bins->next)
            bins->next = start;
        push(&bins->slots[ring][index], link);
        return true;
    }
    push(&bins->beyond, link);
    bins->next = bins->next < bins->horizon + SLOTS * SLOTS ? bins->next
                                                            : bins->horizon + SLOTS * SLOTS;
    return true;
}

static void cancel(void *memory, struct sos_link *link)
{
    struct bins *bins = memory;
    struct sos_link **head = (struct sos_link **)(void *)link->child;
    if (link->next != NULL)
        link->next->prev = link->prev;
    if (link->prev != NULL)
        link->prev->next = link->next;
    else
        *head = link->next;
    if (*head != NULL || head == &bins->beyond)
        return;
    size_t index = (size_t)(head - &bins->slots[0][0]);
    bins->used[index / SLOTS][index % SLOTS / 64] &= ~((uint64_t)1 << (index % 64));
}

static bool holds(const void *memory, const struct sos_link *link)
{
    return link->due >> BITS >= ((const struct bins *)memory)->horizon;
}

/* The first slot of a ring from `from` on that is not empty, in the ring's own unit. */
static uint64_t first_used(const uint64_t *used, uint64_t from)
{
    unsigned at = (unsigned)(from % SLOTS);
    for (unsigned step = 0; step <= WORDS; step++) {
        unsigned word = (at / 64 + step) % WORDS;
        uint64_t bits = used[word];
        if (step == 0)
            bits &= UINT64_MAX << (at % 64);
        if (step == WORDS)
            bits &= ~(UINT64_MAX << (at % 64));
        if (bits == 0)
            continue;
        unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
        return from + (index - at + SLOTS) % SLOTS;
    }
    return UINT64_MAX;
}

/* The earliest slot of all rings; of two that begin together the coarser one. */
static uint64_t find_start(const struct bins *bins, unsigned *ring)
{
    uint64_t earliest = UINT64_MAX;
    for (unsigned candidate = 0; candidate < RINGS; candidate++) {
        unsigned shift = candidate * BITS;
        uint64_t slot = first_used(bins->used[candidate], bins->horizon >> shift);
        if (slot == UINT64_MAX)
            continue;
        uint64_t start = slot << shift;
        if (start <= earliest) {
            earliest = start;
            *ring = candidate;
        }
    }
    return earliest;
}

static struct sos_link *take_slot(struct bins *bins, unsigned ring, uint64_t start)
{
    unsigned index = (unsigned)((start >> (ring * BITS)) % SLOTS);
    struct sos_link *list = bins->slots[ring][index];
    bins->slots[ring][index] = NULL;
    bins->used[ring][index / 64] &= ~((uint64_t)1 << (index % 64));
    return list;
}

static void arm_again(struct bins *bins, struct sos_link *list)
{
    while (list != NULL) {
        struct sos_link *next = list->next;
        arm(bins, list);
        list = next;
    }
}

/* What was beyond the last ring is looked at when the horizon comes near, every 18 minutes. */
static void refill_from_beyond(struct bins *bins, uint64_t until)
{
    struct sos_link *list = bins->beyond;
    uint64_t earliest = UINT64_MAX;
    for (struct sos_link *link = list; link != NULL; link = link->next)
        if (link->due >> BITS < earliest)
            earliest = link->due >> BITS;
    if (until < earliest)
        earliest = until;
    if (earliest > bins->horizon)
        bins->horizon = earliest;
    bins->beyond = NULL;
    arm_again(bins, list);
}

static struct sos_link *next_slot(void *memory, uint64_t until_us)
{
    struct bins *bins = memory;
    uint64_t until = until_us >> BITS;
    while (until >= bins->next) {
        unsigned ring = 0;
        uint64_t start = find_start(bins, &ring);
        uint64_t beyond = bins->beyond == NULL ? UINT64_MAX
                                               : bins->horizon + (uint64_t)SLOTS * SLOTS;
        bins->next = start < beyond ? start : beyond;
        if (until < bins->next || bins->next == UINT64_MAX)
            break;
        if (beyond <= start) {
            refill_from_beyond(bins, start);
            bins->next = bins->horizon;
            continue;
        }
        if (start > bins->horizon)
            bins->horizon = start;
        struct sos_link *list = take_slot(bins, ring, start);
        if (ring == 0) {
            bins->horizon = start + 1;
            return list;
        }
        arm_again(bins, list);
    }
    return NULL;
}

const struct sos_timer_bins_type sos_timer_bins = { sizeof(struct bins), init,  arm, cancel,
                                                    holds,               next_slot };
