/* SPDX-License-Identifier: MIT */
/*
 * Any bytes are answered the same however they are cut: read whole, a byte at a time, and in two
 * portions, the events agree, and so does the refusal. The first byte chooses the role, extensions
 * and limits, the second the cut. With bit 3 the bytes are a list of extensions instead: what is
 * agreed on can be written, and read again.
 */
#include "proto/websocket.h"
#include "proto/websocket_handshake.h"

#include <stdlib.h>
#include <string.h>

enum { SETTINGS = 2, SERVER = 1, DEFLATE = 2, SMALL = 4, EXTENSIONS = 8 };

struct outcome {
    uint64_t events, at;
    const char *rule;
    int status;
    uint16_t close_code;
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

/* Of a message what comes first, all bytes, and its end: its pieces may be others. */
static void add_event(struct outcome *outcome, int kind, const struct sos_ws_event_ *event)
{
    uint64_t *hash = &outcome->events;
    if (kind == SOS_WS_DATA_EVENT_) {
        must(event->length > 0 || event->last);
        must(!event->last || event->frame_left == 0);
        if (event->first)
            add(hash, (uint8_t[]){ 'M', event->opcode, event->compressed }, 3);
    } else {
        must(event->length <= SOS_WS_CONTROL_MOST_);
        add(hash, (uint8_t[]){ 'C', (uint8_t)kind, (uint8_t)event->length }, 3);
    }
    if (kind == SOS_WS_CLOSE_EVENT_) {
        must(event->code == SOS_WS_NO_CODE_ || sos_ws_code_valid_(event->code));
        add(hash, &event->code, sizeof event->code);
    }
    add(hash, event->bytes, event->length);
    if (kind == SOS_WS_DATA_EVENT_ && event->last)
        add(hash, "E", 1);
}

/* Portions of `cut` bytes and the rest; cut 0: single bytes. Each is its own block of the heap. */
static struct outcome run(const struct sos_ws_options_ *options, const uint8_t *bytes,
                          size_t length, size_t cut)
{
    struct sos_ws_parser_ parser;
    struct sos_ws_event_ event;
    struct outcome outcome = { 0 };
    int kind = SOS_PARTIAL_;
    sos_ws_init_(&parser, options);
    for (size_t start = 0, end; start < length && kind == SOS_PARTIAL_; start = end) {
        end = cut == 0 ? start + 1 : start < cut ? cut : length;
        size_t at = 0, size = end - start;
        unsigned char *portion = malloc(size);
        must(portion != NULL);
        memcpy(portion, bytes + start, size);
        do {
            kind = sos_ws_next_(&parser, portion + at, size - at, &event);
            must(event.taken <= size - at);
            at += event.taken;
            if (kind > 0)
                add_event(&outcome, kind, &event);
        } while (kind > 0);
        must(parser.at == start + at && (kind < 0 || at == size));
        free(portion);
    }
    if (kind < 0) {
        must(parser.error.rule != NULL && parser.error.at < length);
        must(parser.close_code == SOS_WS_PROTOCOL_ERROR_ || parser.close_code == SOS_WS_BAD_DATA_ ||
             parser.close_code == SOS_WS_TOO_LARGE_);
    }
    outcome.status = kind;
    outcome.at = kind < 0 ? parser.error.at : parser.at;
    outcome.rule = parser.error.rule;
    outcome.close_code = parser.close_code;
    return outcome;
}

static void must_agree(const struct outcome *a, const struct outcome *b)
{
    must(a->status == b->status && a->rule == b->rule && a->at == b->at);
    must(a->events == b->events && a->close_code == b->close_code);
}

static void read_frames(unsigned settings, unsigned cut, const uint8_t *bytes, size_t length)
{
    struct sos_ws_options_ options = { .server = settings & SERVER, .deflate = settings & DEFLATE };
    if (settings & SMALL) {
        options.max_frame_size = 130;
        options.max_message_size = 200;
    }
    struct outcome whole = run(&options, bytes, length, length);
    struct outcome single = run(&options, bytes, length, 0);
    struct outcome two = run(&options, bytes, length, 1 + cut % length);
    must_agree(&whole, &single);
    must_agree(&whole, &two);
}

/* The answer to an offer is one that its sender takes. */
static void read_extensions(unsigned settings, const uint8_t *bytes, size_t length)
{
    struct sos_ws_deflate_ allows = { .on = true }, offer = { .on = true }, agreed = { 0 };
    char text[SOS_WS_DEFLATE_ROOM_];
    char *value = malloc(length);
    must(value != NULL);
    memcpy(value, bytes, length);
    if (settings & SMALL)
        allows = (struct sos_ws_deflate_){ true, true, true, 10, 11 };
    if (sos_ws_deflate_choose_(&agreed, &allows, sos_slice_(value, length)) == NULL && agreed.on) {
        struct sos_ws_deflate_ again = { 0 };
        size_t size = sos_ws_deflate_answer_(text, &agreed);
        must(size < sizeof text && text[size] == '\0');
        must(sos_ws_deflate_agree_(&again, &offer, sos_slice_(text, size)) == NULL);
        must(memcmp(&again, &agreed, sizeof again) == 0);
    }
    agreed = (struct sos_ws_deflate_){ 0 };
    if (sos_ws_deflate_agree_(&agreed, &offer, sos_slice_(value, length)) == NULL)
        must(sos_ws_deflate_answer_(text, &agreed) < sizeof text);
    (void)sos_ws_list_valid_(sos_slice_(value, length));
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= SETTINGS)
        return 0;
    if (data[0] & EXTENSIONS)
        read_extensions(data[0], data + SETTINGS, size - SETTINGS);
    else
        read_frames(data[0], data[1], data + SETTINGS, size - SETTINGS);
    return 0;
}
