/* SPDX-License-Identifier: MIT */
/* Percent-encoding and queries. */
#include "proto/chars.h"
#include "proto/url.h"

static void put_encoded(struct sos_sink_ *sink, struct sos_slice_ text, enum sos_url_part_ part)
{
    unsigned kinds = SOS_CHAR_UNRESERVED_;
    if (part == SOS_URL_SEGMENT_)
        kinds |= SOS_CHAR_SUBDELIM_;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (sos_char_is_(byte, kinds) ||
            (part == SOS_URL_SEGMENT_ && (byte == ':' || byte == '@'))) {
            sos_sink_byte_(sink, byte);
        } else {
            const char *digits = "0123456789ABCDEF";
            unsigned value = (unsigned char)byte;
            char escape[3] = { '%', digits[value >> 4], digits[value & 15] };
            sos_sink_put_(sink, sos_slice_(escape, sizeof escape));
        }
    }
}

int sos_url_encode_(struct sos_slice_ text, enum sos_url_part_ part, char *to, size_t size)
{
    struct sos_sink_ sink = sos_sink_(to, size);
    put_encoded(&sink, text, part);
    return sos_sink_end_(&sink);
}

int sos_url_decode_(struct sos_slice_ text, bool plus_is_space, char *to, size_t size)
{
    struct sos_sink_ sink = sos_sink_(to, size);
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.at[i];
        if (byte == '%') {
            int high = text.length - i >= 3 ? sos_char_hex_value_(text.at[i + 1]) : -1;
            int low = high >= 0 ? sos_char_hex_value_(text.at[i + 2]) : -1;
            if (low < 0)
                return SOS_EPROTO;
            byte = (char)(unsigned char)(high << 4 | low);
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        sos_sink_byte_(&sink, byte);
    }
    return sos_sink_end_(&sink);
}

static void put_key(struct sos_sink_ *query, struct sos_slice_ key)
{
    if (query->length > 0)
        sos_sink_byte_(query, '&');
    put_encoded(query, key, SOS_URL_QUERY_);
    sos_sink_byte_(query, '=');
}

void sos_url_query_add_(struct sos_sink_ *query, struct sos_slice_ key, struct sos_slice_ value)
{
    put_key(query, key);
    put_encoded(query, value, SOS_URL_QUERY_);
}

void sos_url_query_add_number_(struct sos_sink_ *query, struct sos_slice_ key, int64_t value)
{
    put_key(query, key);
    if (value < 0)
        sos_sink_byte_(query, '-');
    sos_sink_number_(query, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

void sos_url_query_add_bool_(struct sos_sink_ *query, struct sos_slice_ key, bool value)
{
    put_key(query, key);
    sos_sink_text_(query, value ? "true" : "false");
}

/* Cuts `text` at the first `byte`; false: there is none, and `after` is empty. */
static bool cut(struct sos_slice_ text, char byte, struct sos_slice_ *before,
                struct sos_slice_ *after)
{
    const char *found = text.length > 0 ? memchr(text.at, byte, text.length) : NULL;
    *before = text;
    *after = sos_slice_(text.at + text.length, 0);
    if (found == NULL)
        return false;
    before->length = (size_t)(found - text.at);
    *after = sos_slice_(found + 1, text.length - before->length - 1);
    return true;
}

void sos_url_split_target_(struct sos_slice_ target, struct sos_slice_ *path,
                           struct sos_slice_ *query)
{
    if (!cut(target, '?', path, query))
        *query = sos_slice_(NULL, 0);
}

bool sos_url_query_next_(struct sos_slice_ *query, struct sos_slice_ *key, struct sos_slice_ *value)
{
    while (query->length > 0) {
        struct sos_slice_ pair;
        cut(*query, '&', &pair, query);
        if (pair.length == 0)
            continue;
        cut(pair, '=', key, value);
        return true;
    }
    return false;
}
