/* SPDX-License-Identifier: MIT */
/*
 * Any bytes are answered the same however they are cut: read whole, a byte at a time, and in two
 * portions, the events agree, and so does the refusal. The first bytes choose limits and the cut.
 */
#include "proto/resp.h"

#include <stdlib.h>
#include <string.h>

enum { SETTINGS = 3 };

struct outcome {
    uint64_t events, at;
    uint64_t replies, pushes;
    int status;
    unsigned depth;
    const char *rule;
};

static void must(int condition)
{
    if (!condition)
        abort();
}

static void add(uint64_t *hash, const void *bytes, size_t length)
{
    const unsigned char *c = bytes;
    for (size_t i = 0; i < length; i++)
        *hash = (*hash ^ c[i]) * UINT64_C(1099511628211);
}

/* Chunks are hashed byte by byte, without their bounds: these may differ. */
static void add_event(struct outcome *outcome, int kind, const struct sos_resp_event_ *event)
{
    uint64_t *hash = &outcome->events;
    if (kind != SOS_RESP_CHUNK_) {
        add(hash, &kind, sizeof kind);
        add(hash, &event->type, 1);
        add(hash, &event->whole, 1);
        add(hash, &event->depth, sizeof event->depth);
    }
    if (kind == SOS_RESP_CHUNK_)
        must(event->length > 0);
    if (kind == SOS_RESP_BEGIN_)
        add(hash, &event->integer, sizeof event->integer);
    if (kind == SOS_RESP_VALUE_)
        add(hash, &event->length, sizeof event->length);
    if (kind == SOS_RESP_VALUE_ || kind == SOS_RESP_CHUNK_)
        add(hash, event->text, event->length);
    if (kind == SOS_RESP_VALUE_ && event->type == SOS_RESP_INTEGER_)
        add(hash, &event->integer, sizeof event->integer);
    if (kind == SOS_RESP_VALUE_ && event->type == SOS_RESP_DOUBLE_)
        add(hash, &event->number, sizeof event->number);
}

/* Portions of `cut` bytes and the rest; cut 0: single bytes. Each is its own block of the heap. */
static struct outcome run(const struct sos_resp_limits_ *limits, const char *bytes, size_t length,
                          size_t cut)
{
    struct sos_resp_level_ levels[SOS_RESP_NESTING_MOST_];
    struct sos_resp_parser_ parser;
    struct sos_resp_event_ event;
    struct outcome outcome = { 0 };
    size_t taken = 0, end = 0;
    int kind = SOS_PARTIAL_;
    sos_resp_init_(&parser, limits, levels);
    while (end < length && kind == SOS_PARTIAL_) {
        end = cut == 0 ? end + 1 : end < cut ? cut : length;
        char *window = malloc(end - taken + 1);
        must(window != NULL);
        memcpy(window, bytes + taken, end - taken);
        size_t at = 0, size = end - taken;
        do {
            kind = sos_resp_next_(&parser, window + at, size - at, &event);
            must(event.taken <= size - at);
            at += event.taken;
            must(kind != SOS_PARTIAL_ || event.wanted > size - at);
            if (kind > 0)
                add_event(&outcome, kind, &event);
        } while (kind > 0);
        taken += at;
        must(parser.at == taken);
        free(window);
    }
    must(kind == SOS_PARTIAL_ || (parser.error.rule != NULL && parser.error.at < length));
    outcome.status = kind;
    outcome.at = kind < 0 ? parser.error.at : parser.at;
    outcome.rule = parser.error.rule;
    outcome.replies = parser.replies;
    outcome.pushes = parser.pushes;
    outcome.depth = parser.depth;
    return outcome;
}

static void must_agree(const struct outcome *a, const struct outcome *b)
{
    must(a->status == b->status && a->rule == b->rule && a->at == b->at);
    must(a->events == b->events && a->depth == b->depth);
    must(a->replies == b->replies && a->pushes == b->pushes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= SETTINGS)
        return 0;
    struct sos_resp_limits_ limits = { 0 };
    if (data[0] & 1)
        limits = (struct sos_resp_limits_){ .max_reply_size = 200,
                                            .max_bulk_size = 50,
                                            .max_line_size = 30,
                                            .max_elements = 9,
                                            .max_nesting_depth = 4 };
    limits.whole_size = data[0] & 2 ? 1u + data[1] : 0;
    size -= SETTINGS;
    char *bytes = malloc(size);
    must(bytes != NULL);
    memcpy(bytes, data + SETTINGS, size);
    struct outcome whole = run(&limits, bytes, size, size);
    struct outcome single = run(&limits, bytes, size, 0);
    struct outcome two = run(&limits, bytes, size, 1 + data[2] % size);
    must_agree(&whole, &single);
    must_agree(&whole, &two);
    free(bytes);
    return 0;
}
