/* SPDX-License-Identifier: MIT */
/*
 * Bins in front of the timer heap, for hundreds of thousands of timers: three rings of 1,024
 * unsorted bins, a slot being about 1/4 ms, 1/4 s and 4 min long, and one list for all beyond 3
 * days. Arming and cancelling are O(1); a slot is emptied into the next finer ring when its time
 * comes, and one of the finest ring is sorted then. What is armed for less than a slot ahead goes
 * into the heap.
 *
 * All times here are slots of 2^8 us. Everything from `horizon` on is in the bins, a link's
 * moment alone tells in which; before it, links are in `sorted` or in the heap.
 *
 * A bin is several lists that are walked side by side: with a million timers every link is a
 * cache miss, and the misses of different lists overlap.
 *
 * In a bin and in `sorted`: next and prev are neighbours, prev of the first is NULL, child is the
 * list's head.
 */
#include "internal.h"

/* A bin taken out: lists that are walked side by side. */
enum { LISTS = 8 };
struct bin {
    struct sos_link *lists[LISTS];
    unsigned turn;
};

enum {
    RINGS = 3,
    SLOT_BITS = 8,
    BITS = 10,
    SLOTS = 1 << BITS,
    WORDS = SLOTS / 64,
    SLOT_US = 1 << SLOT_BITS
};

struct bins {
    uint64_t horizon;
    uint64_t next;    /* no slot begins before this one */
    uint64_t soonest; /* no link in a bin is due before this moment, in us; 0: not known */
    struct sos_link *beyond;
    uint64_t refill; /* slot at which `beyond` is looked at again; none of it is due before */
    struct sos_link *sorted;
    uint64_t latest_sorted; /* `latest` of the slot that `sorted` came from */
    uint64_t looked;        /* the last look, in us */
    uint64_t used[RINGS][WORDS];
    uint64_t latest[SLOTS]; /* of the finest ring: no link may be met later, in us */
    struct sos_link *slots[RINGS][SLOTS][LISTS];
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
    bins->horizon = (now >> SLOT_BITS) + 1;
    bins->next = UINT64_MAX;
    bins->soonest = SOS_NEVER;
}

static bool is_used(const struct bins *bins, unsigned ring, unsigned index)
{
    return (bins->used[ring][index / 64] >> (index % 64) & 1) != 0;
}

/* How long the runtime may sleep for a link in the finest ring: never beyond its slot's end. */
static void limit_sleep(struct bins *bins, unsigned index, uint64_t due, uint64_t slack)
{
    if (!is_used(bins, 0, index))
        bins->latest[index] = (due | (SLOT_US - 1)) + 1;
    if (due + slack < bins->latest[index])
        bins->latest[index] = due + slack;
}

static bool put_into_bin(struct bins *bins, struct sos_link *link, uint64_t slack)
{
    uint64_t slot = link->due >> SLOT_BITS, horizon = bins->horizon;
    if (slot < horizon)
        return false;
    if (link->due < bins->soonest)
        bins->soonest = link->due;
    for (unsigned ring = 0; ring < RINGS; ring++, slot >>= BITS, horizon >>= BITS) {
        if (slot - horizon >= SLOTS)
            continue;
        unsigned index = (unsigned)(slot % SLOTS);
        uint64_t start = slot << (ring * BITS);
        if (ring == 0)
            limit_sleep(bins, index, link->due, slack);
        bins->used[ring][index / 64] |= (uint64_t)1 << (index % 64);
        if (start < bins->next)
            bins->next = start;
        push(&bins->slots[ring][index][link->order % LISTS], link);
        return true;
    }
    if (bins->beyond == NULL)
        bins->refill = bins->horizon + (uint64_t)SLOTS * SLOTS;
    push(&bins->beyond, link);
    if (bins->refill < bins->next)
        bins->next = bins->refill;
    return true;
}

/* A sleep may end up to 1/1024 of its length late. */
static bool arm(void *memory, struct sos_link *link)
{
    struct bins *bins = memory;
    uint64_t length = link->due > bins->looked ? link->due - bins->looked : 0;
    return put_into_bin(bins, link, length / 1024);
}

static bool cancel(void *memory, struct sos_link *link)
{
    struct bins *bins = memory;
    struct sos_link **head = (struct sos_link **)(void *)link->child;
    if (head != &bins->sorted && link->due >> SLOT_BITS < bins->horizon)
        return false;
    if (link->next != NULL)
        link->next->prev = link->prev;
    if (link->prev != NULL)
        link->prev->next = link->next;
    else
        *head = link->next;
    if (*head != NULL || head == &bins->beyond || head == &bins->sorted)
        return true;
    size_t index = (size_t)(head - &bins->slots[0][0][0]) / LISTS;
    struct sos_link **lists = bins->slots[index / SLOTS][index % SLOTS];
    for (int list = 0; list < LISTS; list++)
        if (lists[list] != NULL)
            return true;
    bins->used[index / SLOTS][index % SLOTS / 64] &= ~((uint64_t)1 << (index % 64));
    return true;
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

/* Takes the next link out of a bin, from its lists in turn; each turn begins another load. */
static struct sos_link *next_of(struct bin *bin)
{
    for (int tries = 0; tries < LISTS; tries++) {
        struct sos_link **list = &bin->lists[bin->turn++ % LISTS];
        struct sos_link *link = *list;
        if (link == NULL)
            continue;
        *list = link->next;
        uintptr_t next = (uintptr_t)link->next; /* of a task, usually: all of it */
        __builtin_prefetch((const void *)next);
        __builtin_prefetch((const void *)(next + sizeof *link));
        return link;
    }
    return NULL;
}

static void take_slot(struct bins *bins, unsigned ring, uint64_t start, struct bin *bin)
{
    unsigned index = (unsigned)((start >> (ring * BITS)) % SLOTS);
    struct sos_link **slot = bins->slots[ring][index];
    memcpy(bin->lists, slot, sizeof bin->lists);
    memset(slot, 0, sizeof bin->lists);
    bin->turn = 0;
    bins->used[ring][index / 64] &= ~((uint64_t)1 << (index % 64));
}

static void arm_again(struct bins *bins, struct bin *bin)
{
    struct sos_link *link;
    while ((link = next_of(bin)) != NULL)
        put_into_bin(bins, link, SLOT_US); /* it was armed for more than 1,024 slots */
}

/* What was beyond the last ring is looked at when the horizon comes near, every 4 minutes. */
static void refill_from_beyond(struct bins *bins, uint64_t until)
{
    struct bin bin = { .lists = { bins->beyond } };
    uint64_t earliest = UINT64_MAX;
    for (struct sos_link *link = bins->beyond; link != NULL; link = link->next)
        if (link->due >> SLOT_BITS < earliest)
            earliest = link->due >> SLOT_BITS;
    if (until < earliest)
        earliest = until;
    if (earliest > bins->horizon)
        bins->horizon = earliest;
    bins->beyond = NULL;
    arm_again(bins, &bin);
}

/* Takes the bin of the next slot of the finest ring that begins by `until`. */
static bool take(struct bins *bins, uint64_t until, struct bin *bin)
{
    while (until >= bins->next) {
        unsigned ring = 0;
        uint64_t start = find_start(bins, &ring);
        uint64_t beyond = bins->beyond == NULL ? UINT64_MAX : bins->refill;
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
        take_slot(bins, ring, start, bin);
        if (ring == 0) {
            bins->horizon = start + 1;
            bins->soonest = 0;
            bins->latest_sorted = bins->latest[start % SLOTS];
            return true;
        }
        arm_again(bins, bin);
    }
    return false;
}

/* ---- Sorting a slot: by the microsecond into as many buckets as it has, then by arming order */

static struct sos_link *merge(struct sos_link *a, struct sos_link *b)
{
    struct sos_link *first = NULL, **end = &first;
    while (a != NULL && b != NULL) {
        struct sos_link **earlier = (int32_t)(a->order - b->order) < 0 ? &a : &b;
        *end = *earlier;
        end = &(*end)->next;
        *earlier = *end;
    }
    *end = a != NULL ? a : b;
    return first;
}

/* Thousands may be armed for one microsecond, so the time must not grow with their square. */
static struct sos_link *sort_by_order(struct sos_link *list)
{
    struct sos_link *runs[32]; /* runs[n], of those that are used: NULL, or 2^n links, sorted */
    unsigned used = 0;
    while (list != NULL) {
        struct sos_link *run = list;
        unsigned size = 0;
        list = list->next;
        run->next = NULL;
        for (; size < used && runs[size] != NULL; size++) {
            run = merge(runs[size], run);
            runs[size] = NULL;
        }
        if (size == used)
            used++;
        runs[size] = run;
    }
    for (unsigned size = 0; size < used; size++)
        list = merge(runs[size], list);
    return list;
}

static void sort_into(struct bins *bins, struct bin *bin)
{
    struct sos_link *buckets[1 << SLOT_BITS] = { NULL };
    struct sos_link *link;
    while ((link = next_of(bin)) != NULL) {
        struct sos_link **bucket = &buckets[link->due % (1 << SLOT_BITS)];
        link->next = *bucket;
        *bucket = link;
    }
    struct sos_link **end = &bins->sorted, *last = NULL;
    for (unsigned us = 0; us < 1 << SLOT_BITS; us++) {
        link = buckets[us];
        if (link != NULL && link->next != NULL)
            link = sort_by_order(link);
        for (; link != NULL; link = link->next) {
            *end = link;
            link->prev = last;
            link->child = (struct sos_link *)(void *)&bins->sorted;
            last = link;
            end = &link->next;
        }
    }
    *end = NULL;
}

static struct sos_link *first(void *memory, uint64_t until_us)
{
    struct bins *bins = memory;
    struct bin bin;
    bins->looked = until_us;
    if (until_us >= bins->soonest)
        bins->soonest = 0; /* it is taken now, or had been cancelled */
    if (bins->sorted == NULL && take(bins, until_us >> SLOT_BITS, &bin))
        sort_into(bins, &bin);
    return bins->sorted;
}

static uint64_t earliest_in(struct sos_link *const *lists)
{
    const struct sos_link *links[LISTS];
    uint64_t earliest = SOS_NEVER;
    bool more = true;
    memcpy(links, lists, sizeof links);
    while (more) {
        more = false;
        for (int list = 0; list < LISTS; list++) {
            if (links[list] == NULL)
                continue;
            more = true;
            if (links[list]->due < earliest)
                earliest = links[list]->due;
            links[list] = links[list]->next;
        }
    }
    return earliest;
}

/*
 * A bound on the next moment at which a link is due. Taking a slot before its time to know it to
 * the microsecond would move the horizon, and all that is armed before it would miss the bins.
 */
static uint64_t soonest(void *memory)
{
    struct bins *bins = memory;
    unsigned ring = 0;
    if (bins->sorted != NULL)
        return bins->sorted->due;
    if (bins->soonest != 0)
        return bins->soonest;
    uint64_t start = find_start(bins, &ring);
    if (bins->beyond != NULL && bins->refill <= start)
        bins->soonest = bins->refill << SLOT_BITS;
    else if (start == UINT64_MAX)
        bins->soonest = SOS_NEVER;
    else if (ring == 0)
        bins->soonest = earliest_in(bins->slots[0][start % SLOTS]);
    else
        bins->soonest = start << SLOT_BITS;
    return bins->soonest;
}

/* What still stands in a coarser ring may be as late as a slot is long. */
static uint64_t latest(void *memory)
{
    struct bins *bins = memory;
    uint64_t due = soonest(memory), slot = due >> SLOT_BITS;
    uint64_t limit = (due | (SLOT_US - 1)) + 1;
    if (bins->sorted != NULL)
        limit = bins->latest_sorted;
    else if (slot - bins->horizon < SLOTS && is_used(bins, 0, (unsigned)(slot % SLOTS)))
        limit = bins->latest[slot % SLOTS];
    return limit > due ? limit : due;
}

const struct sos_timer_bins_type sos_timer_bins = {
    sizeof(struct bins), init, arm, cancel, first, soonest, latest
};
