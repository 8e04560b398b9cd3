/* SPDX-License-Identifier: MIT */
/* Any bytes as an event stream: the same events however they are cut, and within the limits. */
#include "proto/sse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int condition)
{
    if (!condition)
        abort();
}

enum { MAX_LINE = 64, MAX_EVENT = 100 };

static uint64_t hash_bytes(uint64_t hash, struct sos_slice_ bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
    return (hash ^ bytes.length) * UINT64_C(0x100000001b3);
}

static void grow(struct sos_sse_parser_ *parser)
{
    struct sos_sse_memory_ *memory = parser->too_small;
    must(memory->size < parser->wanted && parser->wanted <= 2 * MAX_EVENT);
    char *larger = malloc(parser->wanted);
    must(larger != NULL);
    if (memory->size > 0)
        memcpy(larger, memory->at, memory->size);
    free(memory->at);
    *memory = (struct sos_sse_memory_){ larger, parser->wanted };
}

/* What was read can be written, and is then read as the same; data with CR never comes. */
static void check_again(const struct sos_sse_event_ *event)
{
    char text[8 * MAX_EVENT], memory[3][2 * MAX_EVENT];
    struct sos_sse_parser_ parser = { .data = { memory[0], sizeof memory[0] },
                                      .type = { memory[1], sizeof memory[1] },
                                      .id = { memory[2], sizeof memory[2] } };
    struct sos_sse_message_ message = { .type = event->type, .id = event->id, .data = event->data };
    size_t taken;
    int length = sos_sse_write_(&message, text, sizeof text);
    must(length > 0);
    must(sos_sse_next_(&parser, text, (size_t)length, &taken) == SOS_SSE_EVENT_);
    must(taken == (size_t)length && sos_slice_equal_(parser.event.data, event->data) &&
         sos_slice_equal_(parser.event.type, event->type) &&
         sos_slice_equal_(parser.event.id, event->id));
}

static uint64_t read_all(struct sos_slice_ input, size_t step)
{
    struct sos_sse_parser_ parser = { .max_line_size = MAX_LINE, .max_event_size = MAX_EVENT };
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t taken, at = 0, end = 0;
    int status = SOS_PARTIAL_;
    while (status >= 0 && (status > 0 || end < input.length)) {
        if (status == SOS_PARTIAL_)
            end = input.length - end < step ? input.length : end + step;
        char *copy = malloc(end - at + 1);
        must(copy != NULL);
        memcpy(copy, input.at + at, end - at);
        status = sos_sse_next_(&parser, copy, end - at, &taken);
        free(copy);
        must(taken <= end - at && (status != SOS_PARTIAL_ || taken == end - at));
        at += taken;
        if (status == SOS_SSE_MEMORY_)
            grow(&parser);
        if (status == SOS_SSE_EVENT_) {
            must(parser.event.data.length < MAX_EVENT);
            check_again(&parser.event);
            hash = hash_bytes(hash, parser.event.type);
            hash = hash_bytes(hash, parser.event.data);
            hash = hash_bytes(hash, parser.event.id);
        }
    }
    if (status < 0)
        hash = hash_bytes(hash ^ parser.error.at, sos_slice_text_(parser.error.rule));
    free(parser.data.at);
    free(parser.type.at);
    free(parser.id.at);
    return hash ^ (parser.has_retry ? parser.retry_ms + 1 : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sos_slice_ input = sos_slice_((const char *)data, size);
    if (size == 0)
        return 0;
    uint64_t whole = read_all(input, size);
    must(read_all(input, 1) == whole);
    must(read_all(input, 5) == whole);
    return 0;
}
