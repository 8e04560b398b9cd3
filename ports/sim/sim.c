/* SPDX-License-Identifier: MIT */
/* The simulation kernel: virtual time, events, chance, memory, console and trace. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* 2026-01-01 00:00:00 UTC: what the calendar shows when the clock shows 0. */
#define WALL_START_US (UINT64_C(1767225600) * 1000000)

void *sos_sim_grow_(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (memory == NULL) {
        fputs("smallos sim: the machine is out of memory\n", stderr);
        abort();
    }
    return memory;
}

void sos_sim_panic_(struct sos_sim_ *sim, const char *text)
{
    if (sim->options.panic != NULL)
        sim->options.panic(sim->options.context, text);
    fprintf(stderr, "smallos: %s\n", text);
    abort();
}

static void panic(struct sos_kernel *kernel, const char *text)
{
    sos_sim_panic_(sos_sim_of_(kernel), text);
}

/* ---- Chance */

/* SplitMix64: every state gives a good number, so any seed will do. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t sos_sim_random(struct sos_kernel *kernel, uint32_t limit)
{
    uint64_t number = next_random(&sos_sim_of_(kernel)->chance) >> 32;
    return (uint32_t)(number * limit >> 32);
}

static int entropy(struct sos_kernel *kernel, void *bytes, size_t size)
{
    unsigned char *to = bytes;
    for (size_t index = 0; index < size; index++)
        to[index] = (unsigned char)(next_random(&sos_sim_of_(kernel)->secrets) >> 56);
    return SOS_OK;
}

/* ---- Events */

static bool before(const struct sos_sim_pending_ *a, const struct sos_sim_pending_ *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(struct sos_sim_pending_ *a, struct sos_sim_pending_ *b)
{
    struct sos_sim_pending_ keep = *a;
    *a = *b;
    *b = keep;
}

static void add_event(struct sos_sim_ *sim, struct sos_sim_pending_ event)
{
    /* By number alone, or shuffled by the seed; the number keeps two from being equal. */
    uint64_t shuffle = sim->options.seed != 0 ? next_random(&sim->chance) : 0;
    event.order = (shuffle & ~UINT64_C(0xFFFFFFFF)) | sim->event_count++;
    if (sim->pending_count == sim->pending_room) {
        sim->pending_room = sim->pending_room * 2 + 16;
        sim->pending = sos_sim_grow_(sim->pending, sim->pending_room * sizeof event);
    }
    size_t at = sim->pending_count++;
    sim->pending[at] = event;
    for (; at != 0 && before(&sim->pending[at], &sim->pending[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&sim->pending[at], &sim->pending[(at - 1) / 2]);
}

static struct sos_sim_pending_ take_event(struct sos_sim_ *sim)
{
    struct sos_sim_pending_ *heap = sim->pending, first = heap[0];
    size_t count = --sim->pending_count, at = 0;
    heap[0] = heap[count];
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (before(&heap[child], &heap[least]))
                least = child;
        if (least == at)
            return first;
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

void sos_sim_schedule_(struct sos_sim_ *sim, uint64_t due, sos_sim_event_ fire, void *context)
{
    add_event(sim, (struct sos_sim_pending_){ .due = due, .fire = fire, .context = context });
}

void sos_sim_call(struct sos_kernel *kernel, uint64_t delay_us, void (*function)(void *context),
                  void *context)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    add_event(sim, (struct sos_sim_pending_){
                       .due = sim->now + delay_us, .call = function, .context = context });
}

/* What comes in while they happen is left for the next look, or two events could go on for ever. */
static void fire_events(struct sos_sim_ *sim, sos *os)
{
    for (size_t left = sim->pending_count; left != 0; left--) {
        if (sim->pending[0].due > sim->now)
            return;
        struct sos_sim_pending_ event = take_event(sim);
        if (event.call != NULL)
            event.call(event.context);
        else
            event.fire(sim, os, event.context);
    }
}

/* ---- Time */

static uint64_t now(struct sos_kernel *kernel)
{
    return sos_sim_of_(kernel)->now;
}

static uint64_t wall_clock(struct sos_kernel *kernel)
{
    return WALL_START_US + sos_sim_of_(kernel)->now;
}

void sos_sim_spend(struct sos_kernel *kernel, uint64_t us)
{
    sos_sim_of_(kernel)->now += us;
}

static uint32_t look(struct sos_kernel *kernel, sos *os, uint64_t looked_at, uint64_t due)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    (void)looked_at;
    (void)due;
    sim->looks++;
    fire_events(sim, os);
    return 1;
}

/* The last thing of a look. A step follows, unless wait() is called instead. */
static void charge_step(struct sos_kernel *kernel)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    sim->now += sim->options.step_us;
    sim->charged = true;
}

/*
 * Nothing will happen any more unless this very wait was the first to say so and the runtime now
 * ends by itself. Tasks that wait for events from outside would wait for ever: a real kernel
 * sleeps then, a simulation has a mistake in it.
 */
static void nothing_to_come(struct sos_sim_ *sim)
{
    if (sim->idle && sim->looks <= 1)
        sos_sim_panic_(sim, "simulation: tasks wait for events, but no event will ever come");
    sim->idle = true;
}

static void wait(struct sos_kernel *kernel, sos *os, uint64_t until)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    uint64_t target = until;
    if (sim->charged)
        sim->now -= sim->options.step_us;
    sim->charged = false;
    if (sim->pending_count != 0 && sim->pending[0].due < target)
        target = sim->pending[0].due;
    if (target >= SOS_NEVER - 1) {
        nothing_to_come(sim);
    } else {
        sim->idle = false;
        if (target > sim->now)
            sim->now = target;
        fire_events(sim, os);
    }
    sim->looks = 0;
}

/* Nothing to do: wait() never really sleeps. */
static void wake(struct sos_kernel *kernel)
{
    (void)kernel;
}

static uintptr_t thread(struct sos_kernel *kernel)
{
    static _Thread_local char mine;
    (void)kernel;
    return (uintptr_t)&mine;
}

/* ---- Memory */

/*
 * In front of every block, as aligned as the block: proves that sizes are given back as taken, and
 * finds those that never were.
 */
union sos_sim_block_ {
    struct {
        union sos_sim_block_ *next, *prev;
        size_t size;
    } is;
    max_align_t align;
};

static bool must_fail(struct sos_sim_ *sim)
{
    uint64_t number = ++sim->memory.allocations;
    if (sim->fail_at == 0 || number < sim->fail_at)
        return false;
    return number == sim->fail_at || sim->fail_all_after;
}

static void *take(struct sos_sim_ *sim, size_t size)
{
    union sos_sim_block_ *block = must_fail(sim) ? NULL : malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->is.size = size;
    block->is.prev = NULL;
    block->is.next = sim->blocks;
    if (sim->blocks != NULL)
        sim->blocks->is.prev = block;
    sim->blocks = block;
    sim->memory.blocks++;
    sim->memory.bytes += size;
    return block + 1;
}

static void give(struct sos_sim_ *sim, void *memory)
{
    union sos_sim_block_ *block = (union sos_sim_block_ *)memory - 1;
    if (block->is.prev != NULL)
        block->is.prev->is.next = block->is.next;
    else
        sim->blocks = block->is.next;
    if (block->is.next != NULL)
        block->is.next->is.prev = block->is.prev;
    sim->memory.blocks--;
    sim->memory.bytes -= block->is.size;
    free(block);
}

static void *reallocate(struct sos_kernel *kernel, void *old, size_t old_size, size_t size)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    void *fresh = NULL;
    if (old != NULL && ((union sos_sim_block_ *)old - 1)->is.size != old_size)
        sos_sim_panic_(sim, "simulation: memory given back with another size than it was taken");
    if (size != 0) {
        fresh = take(sim, size);
        if (fresh == NULL)
            return NULL;
        if (old != NULL)
            memcpy(fresh, old, old_size < size ? old_size : size);
    }
    if (old != NULL)
        give(sim, old);
    return fresh;
}

struct sos_sim_memory_use sos_sim_memory(const struct sos_kernel *kernel)
{
    return sos_sim_of_(kernel)->memory;
}

void sos_sim_fail_allocation(struct sos_kernel *kernel, uint64_t n, bool all_after)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    sim->fail_at = n == 0 ? 0 : sim->memory.allocations + n;
    sim->fail_all_after = all_after;
}

/* ---- Text: console and trace */

static char *text_end(struct sos_sim_text_ *text, size_t more)
{
    if (text->room - text->size <= more) {
        text->room = (text->size + more) * 2 + 256;
        text->bytes = sos_sim_grow_(text->bytes, text->room);
    }
    return text->bytes + text->size;
}

static void text_append(struct sos_sim_text_ *text, const char *bytes, size_t size)
{
    char *end = text_end(text, size);
    memcpy(end, bytes, size);
    end[size] = '\0';
    text->size += size;
}

static void text_clear(struct sos_sim_text_ *text)
{
    text->size = 0;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

static int write_console(struct sos_kernel *kernel, enum sos_channel channel, const char *text,
                         size_t size)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    if (sim->options.write != NULL)
        return sim->options.write(sim->options.context, channel, text, size);
    if (sim->options.record)
        text_append(&sim->output, text, size);
    else if (fwrite(text, 1, size, channel == SOS_CHANNEL_REPORT ? stderr : stdout) != size)
        return SOS_EIO;
    return (int)size;
}

void sos_sim_note(struct sos_kernel *kernel, const char *format, ...)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    char time[24];
    va_list arguments, again;
    int size = snprintf(time, sizeof time, "%llu ", (unsigned long long)sim->now);
    text_append(&sim->trace, time, (size_t)size);
    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *end = text_end(&sim->trace, (size_t)size + 1);
    vsnprintf(end, (size_t)size + 1, format, arguments);
    va_end(arguments);
    sim->trace.size += (size_t)size;
    text_append(&sim->trace, "\n", 1);
}

static const char *text_of(const struct sos_sim_text_ *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

const char *sos_sim_trace(const struct sos_kernel *kernel)
{
    return text_of(&sos_sim_of_(kernel)->trace);
}

void sos_sim_trace_clear(struct sos_kernel *kernel)
{
    text_clear(&sos_sim_of_(kernel)->trace);
}

const char *sos_sim_output(const struct sos_kernel *kernel)
{
    return text_of(&sos_sim_of_(kernel)->output);
}

void sos_sim_output_clear(struct sos_kernel *kernel)
{
    text_clear(&sos_sim_of_(kernel)->output);
}

/* ---- Making and ending */

static const struct sos_kernel callbacks = { .now = now,
                                             .wait = wait,
                                             .look = look,
                                             .wake = wake,
                                             .thread = thread,
                                             .reallocate = reallocate,
                                             .write = write_console,
                                             .wall_clock = wall_clock,
                                             .entropy = entropy,
                                             .panic = panic,
                                             .feed_watchdog = charge_step,
                                             .tls = &sos_openssl,
                                             .diagnostics = &sos_diagnostics };

int sos_sim_create(struct sos_kernel **kernel, const struct sos_sim_options *options)
{
    struct sos_sim_ *sim = calloc(1, sizeof *sim);
    *kernel = NULL;
    if (sim == NULL)
        return SOS_ENOMEM;
    if (options != NULL)
        sim->options = *options;
    sim->kernel = callbacks;
    sim->now = sim->options.start_us;
    sim->chance = sim->options.seed;
    sim->secrets = ~sim->options.seed;
    sim->fail_at = sim->options.fail_allocation;
    sim->fail_all_after = sim->options.fail_all_after;
    sos_sim_descriptors_start_(sim);
    *kernel = &sim->kernel;
    return SOS_OK;
}

size_t sos_sim_destroy(struct sos_kernel *kernel)
{
    if (kernel == NULL)
        return 0;
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    size_t leaked = sim->memory.blocks;
    while (sim->blocks != NULL)
        give(sim, sim->blocks + 1);
    sos_sim_network_end_(sim);
    sos_sim_streams_end_(sim);
    free(sim->fds);
    free(sim->pending);
    free(sim->trace.bytes);
    free(sim->output.bytes);
    sos_openssl.kernel_end(kernel);
    free(sim);
    return leaked;
}
