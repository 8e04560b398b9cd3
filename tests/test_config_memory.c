/* SPDX-License-Identifier: MIT */
/* Reading a configuration while memory fails: SOS_ENOMEM, nothing changed, nothing left behind. */
#include "check.h"
#include "smallos/config.h"

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#define ROOT_FILE SOS_SOURCE_DIR "/smallos.config.json"

static struct {
    long until_failure; /* allocations that still succeed; below 0: all do */
    bool once;          /* only one fails */
    size_t largest;     /* what is larger fails */
    long live, failed;
} heap = { .until_failure = -1, .largest = SIZE_MAX };

static void *counted_take(size_t size)
{
    bool fails = size > heap.largest || heap.until_failure == 0;
    if (heap.until_failure > 0 || (heap.until_failure == 0 && heap.once))
        heap.until_failure--;
    if (fails) {
        heap.failed++;
        return NULL;
    }
    heap.live++;
    return malloc(size);
}

static void counted_give(void *memory)
{
    heap.live -= memory != NULL;
    free(memory);
}

/* What comes when memory is there. */
static struct sos_config_error usual;

/* `text` NULL: the file at the root. */
static int try_it(const char *text, struct sos_config_error *error)
{
    struct sos_config config, before;
    memset(&config, 0xA5, sizeof config);
    before = config;
    heap.failed = 0;
    int status = text == NULL ? sos_config_load(&config, ROOT_FILE, error)
                              : sos_config_parse(&config, text, strlen(text), error);
    CHECK_INT(heap.live, 0);
    CHECK_INT(error->status, status);
    if (status != SOS_OK)
        CHECK(memcmp(&config, &before, sizeof config) == 0);
    return status;
}

/* Keys as long as the steps in which jansson's buffers grow are the ones that it gets wrong. */
static const char *const attempts[] = {
    NULL,
    "{}",
    "{\"num_categories\": 9, \"task_capacity\": 3}",
    "{\"priority_levels\": 9, \"clients\": {\"redis\": null}}",
    "{\"clients\": {\"mqtt\": {\"max_queued_messages\": 0}}}",
    "{\"a text of thirty characters ok\": 1}",
    "{\"task_capacity\": \"a value of the wrong type that is long\"}",
    "{\"task_capacity\": [1, 2, {\"three\": [4.5]}, \"six\", null, true]}",
    "{\"task_capacity\": 11111111111111111111111111111111111111111}",
    "{\"task_capacity\": 1.1111111111111111111111111111111111111}",
    "{\"task_capacity\": truefalsetruefalsetruefalsetruefalse}",
    "{\"task_capacity\": 1, \"task_capacity\": 1}",
    "{\"task_capacity\": 1, \"io_buffer_length\": 1",
    "{\"task_capacity\": \"\\ud800\"}",
    "{} {}",
    "{}, {\"clients\": {}}",
};

enum { ATTEMPTS = sizeof attempts / sizeof attempts[0] };

/* A text that is refused anyway may still be refused for what it is. */
static void try_with_failures(const char *text)
{
    struct sos_config_error error;
    int status = try_it(text, &error);
    if (heap.failed == 0 || status == SOS_ECONFIG)
        CHECK_TEXT(error.text, usual.text);
    else
        CHECK_INT(status, SOS_ENOMEM);
    if (status == SOS_ENOMEM)
        CHECK(strstr(error.text, "out of memory") != NULL);
}

static void every_allocation_may_fail(const char *text, bool once)
{
    long n = 0;
    do {
        heap.until_failure = n++;
        heap.once = once;
        try_with_failures(text);
    } while (heap.failed > 0);
    CHECK(n > 2);
    heap.until_failure = -1;
}

static void every_size_of_allocation_may_fail(const char *text)
{
    for (heap.largest = 0; heap.largest < 4200; heap.largest++)
        try_with_failures(text);
    heap.largest = SIZE_MAX;
}

int main(void)
{
    json_set_alloc_funcs(counted_take, counted_give);
    for (size_t i = 0; i < ATTEMPTS; i++) {
        try_it(attempts[i], &usual);
        CHECK(usual.status == SOS_OK || usual.status == SOS_ECONFIG);
        every_allocation_may_fail(attempts[i], false);
        every_allocation_may_fail(attempts[i], true);
        every_size_of_allocation_may_fail(attempts[i]);
    }
    return 0;
}
