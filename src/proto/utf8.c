/* SPDX-License-Identifier: MIT */
#include "proto/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* The first byte that is not ASCII, or `end`. */
static const unsigned char *skip_ascii(const unsigned char *c, const unsigned char *end)
{
    uint64_t word[2];
    while ((size_t)(end - c) >= sizeof word) {
        memcpy(word, c, sizeof word);
        if ((word[0] | word[1]) & HIGH_BITS)
            break;
        c += sizeof word;
    }
    while (c < end && *c < 0x80)
        c++;
    return c;
}

/* What may follow the first byte of a character; false if no character begins so. */
static bool begin(struct sos_utf8_ *state, unsigned char first)
{
    if (first < 0xC2 || first > 0xF4)
        return false;
    *state = (struct sos_utf8_){ (uint8_t)(1 + (first >= 0xE0) + (first >= 0xF0)), 0x80, 0xBF };
    if (first == 0xE0)
        state->low = 0xA0; /* below, two bytes would do */
    else if (first == 0xED)
        state->high = 0x9F; /* above, surrogates */
    else if (first == 0xF0)
        state->low = 0x90; /* below, three bytes would do */
    else if (first == 0xF4)
        state->high = 0x8F; /* above U+10FFFF */
    return true;
}

size_t sos_utf8_check_(struct sos_utf8_ *state, const void *bytes, size_t length)
{
    if (length == 0)
        return 0;
    const unsigned char *c = bytes, *end = c + length;
    struct sos_utf8_ now = *state;
    while (c < end) {
        if (now.left == 0) {
            c = skip_ascii(c, end);
            if (c == end || !begin(&now, *c))
                break;
        } else {
            if (*c < now.low || *c > now.high)
                break;
            now = (struct sos_utf8_){ (uint8_t)(now.left - 1), 0x80, 0xBF };
        }
        c++;
    }
    *state = now.left > 0 ? now : (struct sos_utf8_){ 0 };
    return length - (size_t)(end - c);
}

bool sos_utf8_valid_(const void *bytes, size_t length)
{
    struct sos_utf8_ state = { 0 };
    return sos_utf8_check_(&state, bytes, length) == length && sos_utf8_whole_(&state);
}

size_t sos_utf8_size_(const unsigned char *text, size_t left)
{
    struct sos_utf8_ state;
    if (text[0] < 0x80)
        return 1;
    if (!begin(&state, text[0]) || left <= state.left)
        return 0;
    size_t rest = state.left;
    return sos_utf8_check_(&state, text + 1, rest) == rest ? 1 + rest : 0;
}

size_t sos_utf8_cut_(const void *bytes, size_t length, size_t most)
{
    const unsigned char *text = bytes;
    if (length <= most)
        return length;
    while (most > 0 && (text[most] & 0xC0) == 0x80)
        most--;
    return most;
}
