/* SPDX-License-Identifier: MIT */
#include "proto/chars.h"

#include <stdint.h>

#define BETWEEN(c, first, last) ((c) >= (first) && (c) <= (last))
#define DIGIT(c) BETWEEN(c, '0', '9')
#define ALPHA(c) (BETWEEN(c, 'a', 'z') || BETWEEN(c, 'A', 'Z'))
#define HEX(c) (DIGIT(c) || BETWEEN(c, 'a', 'f') || BETWEEN(c, 'A', 'F'))
#define TOKEN(c)                                                                                   \
    (DIGIT(c) || ALPHA(c) || (c) == '!' || BETWEEN(c, '#', '\'') || (c) == '*' || (c) == '+' ||    \
     (c) == '-' || (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' ||           \
     (c) == '~')
#define TEXT(c) ((c) == '\t' || ((c) >= ' ' && (c) != 0x7F))
#define UNRESERVED(c) (DIGIT(c) || ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define SUBDELIM(c) ((c) == '!' || (c) == '$' || BETWEEN(c, '&', ',') || (c) == ';' || (c) == '=')
#define LOOSE(c) ((c) == '[' || (c) == ']' || (c) == '^' || (c) == '`' || BETWEEN(c, '{', '}'))

#define KINDS(c)                                                                                   \
    (unsigned char)((DIGIT(c) ? SOS_CHAR_DIGIT_ : 0) | (ALPHA(c) ? SOS_CHAR_ALPHA_ : 0) |          \
                    (HEX(c) ? SOS_CHAR_HEX_ : 0) | (TOKEN(c) ? SOS_CHAR_TOKEN_ : 0) |              \
                    (TEXT(c) ? SOS_CHAR_TEXT_ : 0) | (UNRESERVED(c) ? SOS_CHAR_UNRESERVED_ : 0) |  \
                    (SUBDELIM(c) ? SOS_CHAR_SUBDELIM_ : 0) | (LOOSE(c) ? SOS_CHAR_LOOSE_ : 0))
#define KINDS_4(c) KINDS(c), KINDS((c) + 1), KINDS((c) + 2), KINDS((c) + 3)
#define KINDS_16(c) KINDS_4(c), KINDS_4((c) + 4), KINDS_4((c) + 8), KINDS_4((c) + 12)
#define KINDS_64(c) KINDS_16(c), KINDS_16((c) + 16), KINDS_16((c) + 32), KINDS_16((c) + 48)

const unsigned char sos_chars_[256] = { KINDS_64(0), KINDS_64(64), KINDS_64(128), KINDS_64(192) };

size_t sos_chars_span_(struct sos_slice_ slice, unsigned kinds)
{
    size_t i = 0;
    while (i < slice.length && sos_char_is_(slice.at[i], kinds))
        i++;
    return i;
}

/* Whether one of eight bytes is below 0x20 or is 0x7F. */
static bool has_control(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t below = (word - ones * 0x20) & ~word;
    uint64_t flipped = word ^ (ones * 0x7F);
    uint64_t deleted = (flipped - ones) & ~flipped;
    return ((below | deleted) & highs) != 0;
}

size_t sos_chars_text_span_(struct sos_slice_ slice)
{
    size_t i = 0;
    while (slice.length - i >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, slice.at + i, sizeof word);
        size_t ends = i + sizeof word;
        if (!has_control(word)) {
            i = ends;
            continue;
        }
        while (i < ends && sos_char_is_(slice.at[i], SOS_CHAR_TEXT_)) /* tabs are allowed */
            i++;
        if (i < ends)
            return i;
    }
    while (i < slice.length && sos_char_is_(slice.at[i], SOS_CHAR_TEXT_))
        i++;
    return i;
}

int sos_char_hex_value_(char byte)
{
    if (sos_char_is_(byte, SOS_CHAR_DIGIT_))
        return byte - '0';
    return sos_char_is_(byte, SOS_CHAR_HEX_) ? (byte | 0x20) - 'a' + 10 : -1;
}

size_t sos_chars_escaped_span_(struct sos_slice_ slice, unsigned kinds, const char *others)
{
    size_t i = 0;
    while (i < slice.length) {
        char byte = slice.at[i];
        if (byte == '%') {
            if (slice.length - i < 3 || !sos_char_is_(slice.at[i + 1], SOS_CHAR_HEX_) ||
                !sos_char_is_(slice.at[i + 2], SOS_CHAR_HEX_))
                return i;
            i += 3;
        } else if (sos_char_is_(byte, kinds) || (byte != '\0' && strchr(others, byte) != NULL)) {
            i++;
        } else {
            return i;
        }
    }
    return i;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

bool sos_slice_equal_caseless_(struct sos_slice_ a, struct sos_slice_ b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++) {
        if (a.at[i] != b.at[i] && lower(a.at[i]) != lower(b.at[i]))
            return false;
    }
    return true;
}

bool sos_slice_is_caseless_(struct sos_slice_ slice, const char *text)
{
    return sos_slice_equal_caseless_(slice, sos_slice_text_(text));
}

struct sos_slice_ sos_slice_trim_(struct sos_slice_ slice)
{
    while (slice.length > 0 && (*slice.at == ' ' || *slice.at == '\t')) {
        slice.at++;
        slice.length--;
    }
    while (slice.length > 0 &&
           (slice.at[slice.length - 1] == ' ' || slice.at[slice.length - 1] == '\t'))
        slice.length--;
    return slice;
}
