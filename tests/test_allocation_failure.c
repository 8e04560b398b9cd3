/* SPDX-License-Identifier: MIT */
/*
 * The conformance program when memory runs out: every part of it with the n-th allocation failing,
 * for every n, with all failing from there on, and in buffers of every size that is too small. It
 * must end by itself, leak nothing, and tell of an error.
 */
#define main conformance_main
#include "bare/conformance.c"
#undef main

#include "check.h"

/* More than any part needs, and little enough for those that take all there is. */
enum { BUDGET = 1 << 16 };

static size_t held;
static unsigned allocations, failing;
static bool all_after;
static char trace[1 << 16];
static size_t trace_length;

static void *count_and_fail(struct sos_kernel *unused, void *old, size_t old_size, size_t size)
{
    (void)unused;
    if (size == 0) {
        held -= old_size;
        free(old);
        return NULL;
    }
    allocations++;
    bool fails = failing != 0 && (all_after ? allocations >= failing : allocations == failing);
    if (fails || held + size > BUDGET)
        return NULL;
    held += size;
    return malloc(size);
}

static void append_to_trace(const char *text, size_t length)
{
    CHECK(trace_length + length < sizeof trace);
    memcpy(trace + trace_length, text, length);
    trace_length += length;
    trace[trace_length] = '\0';
}

static void run_part(unsigned part)
{
    trace_length = 0;
    trace[0] = '\0';
    allocations = 0;
    parts[part]();
    CHECK_INT(held, 0);
    CHECK_INT(unbalanced, 0);
}

/* By its name, or by what did not happen for it. */
static void check_that_it_told(const char *good, unsigned part)
{
    if (strstr(trace, "ENOMEM") != NULL || strcmp(trace, good) != 0)
        return;
    fprintf(stderr, "allocation %u of part %u failed and nobody noticed\n%s", failing, part, trace);
    abort();
}

static unsigned fail_every_allocation_of(unsigned part)
{
    static char good[sizeof trace];
    failing = 0;
    run_part(part);
    memcpy(good, trace, trace_length + 1);
    unsigned count = allocations;
    CHECK(count > 0);
    for (failing = 1; failing <= count; failing++) {
        run_part(part);
        check_that_it_told(good, part);
    }
    failing = 0;
    return count;
}

static void the_nth_allocation_fails(void)
{
    reallocate = count_and_fail;
    all_after = false;
    unsigned count = 0;
    for (unsigned part = 0; part < PARTS; part++)
        count += fail_every_allocation_of(part);
    printf("%u allocations failed one by one\n", count);
}

static void all_allocations_fail_from_the_nth_on(void)
{
    reallocate = count_and_fail;
    all_after = true;
    for (unsigned part = 0; part < PARTS; part++)
        fail_every_allocation_of(part);
}

/* Less than a block more each time; fewer sizes where everything is slow. */
static void the_buffer_is_too_small(void)
{
    size_t step = getenv("SOS_VALGRIND") != NULL ? 1000 : 8;
    reallocate = NULL;
    for (memory_size = 0; memory_size < sizeof memory; memory_size += step)
        for (unsigned part = 0; part < PARTS - 1; part++) /* but the one that takes real time */
            run_part(part);
}

int main(void)
{
    write_trace = append_to_trace;
    the_nth_allocation_fails();
    all_allocations_fail_from_the_nth_on();
    the_buffer_is_too_small();
    return 0;
}
