/* SPDX-License-Identifier: MIT */
/*
 * Where in a JSON text one is. The parser tells of an error only its offset, and nothing of how
 * deep it went; these say which key that offset belongs to. The text before it may be anything:
 * what is no JSON gives a place that is of no use, but no harm.
 */
#include "internal.h"

/* `at` is on the opening quote; the offset of the closing one, or `length`. */
static size_t string_end(const char *text, size_t at, size_t length)
{
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < length ? at : length;
}

static void set_key(struct sos_config_place_ *place, struct sos_config_slice_ key)
{
    if (place->depth >= 1 && place->depth <= SOS_CONFIG_PATH_KEYS_)
        place->keys[place->depth - 1] = key;
}

static void step(struct sos_config_place_ *place, char c, size_t offset)
{
    const struct sos_config_slice_ none = { NULL, 0 };
    switch (c) {
    case '{':
    case '[':
        if (++place->depth == SOS_CONFIG_DEPTH_MAX + 1 && place->too_deep == 0)
            place->too_deep = offset;
        set_key(place, none);
        break;
    case '}':
    case ']':
        set_key(place, none);
        if (place->depth > 0)
            place->depth--;
        if (place->depth == 0 && place->end == 0)
            place->end = offset + 1;
        break;
    case ',':
        set_key(place, none);
        break;
    case ':':
        set_key(place, place->string);
        break;
    default:
        break;
    }
}

struct sos_config_place_ sos_config_place_at_(const char *text, size_t length)
{
    struct sos_config_place_ place = { 0 };
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '"') {
            size_t end = string_end(text, at, length);
            place.string = (struct sos_config_slice_){ text + at + 1, end - at - 1 };
            at = end;
        } else {
            step(&place, text[at], at);
        }
    }
    return place;
}

void sos_config_place_line_(const char *text, size_t offset, int *line, int *column)
{
    *line = 1;
    *column = 1;
    for (size_t at = 0; at < offset; at++) {
        if (text[at] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[at] & 0xC0) != 0x80) { /* not inside a UTF-8 sequence */
            ++*column;
        }
    }
}
