/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629): every code point, every wrong byte at its place, every way to cut a text. */
#include "check.h"
#include "portions.h"

#include <stdbool.h>
#include <stdint.h>

#include "proto/utf8.h"

/* The plain encoding of a number, whether it may be encoded or not. */
static size_t encode(unsigned char *to, uint32_t point, int size)
{
    static const unsigned char marks[] = { 0, 0x00, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC };
    for (int i = size - 1; i > 0; i--, point >>= 6)
        to[i] = (unsigned char)(0x80 | (point & 0x3F));
    to[0] = (unsigned char)(marks[size] | point);
    return (size_t)size;
}

static int size_of(uint32_t point)
{
    return 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000);
}

/* How many bytes are right in each way to cut them: the same. */
static size_t good(const void *bytes, size_t length)
{
    struct sos_utf8_ whole = { 0 };
    size_t answer = sos_utf8_check_(&whole, bytes, length);
    for (size_t cut = 0; cut <= length; cut++) {
        struct sos_utf8_ state = { 0 };
        char *first = exact_copy(bytes, cut),
             *rest = exact_copy((const char *)bytes + cut, length - cut);
        size_t at = sos_utf8_check_(&state, first, cut);
        if (at == cut)
            at += sos_utf8_check_(&state, rest, length - cut);
        CHECK_INT(at, answer);
        CHECK(memcmp(&state, &whole, sizeof state) == 0);
        free(first);
        free(rest);
    }
    CHECK_INT(sos_utf8_valid_(bytes, length), answer == length && sos_utf8_whole_(&whole));
    return answer;
}

#define GOOD(literal) good(literal, sizeof(literal) - 1)

static void every_code_point_but_surrogates_is_right(void)
{
    for (uint32_t point = 0; point < 0x110000; point++) {
        unsigned char bytes[4];
        bool surrogate = point >= 0xD800 && point < 0xE000;
        CHECK_INT(sos_utf8_valid_(bytes, encode(bytes, point, size_of(point))), !surrogate);
    }
}

static void overlong_forms_are_refused(void)
{
    static const uint32_t points[] = { 0, 0x2F, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        for (int size = size_of(points[i]) + 1; size <= 6; size++) {
            unsigned char bytes[6];
            /* Two bytes betray themselves by the first, longer ones by the second. */
            size_t at = good(bytes, encode(bytes, points[i], size));
            CHECK_INT(at, size == 2 || size > 4 ? 0 : 1);
        }
}

static void nothing_is_above_10ffff(void)
{
    CHECK_INT(GOOD("\xF4\x8F\xBF\xBF"), 4);
    CHECK_INT(GOOD("\xF4\x90\x80\x80"), 1);
    CHECK_INT(GOOD("\xF5\x80\x80\x80"), 0);
    CHECK_INT(GOOD("\xF8\x88\x80\x80\x80"), 0);
    CHECK_INT(GOOD("\xFE"), 0);
    CHECK_INT(GOOD("\xFF"), 0);
}

static void surrogates_are_refused_at_their_second_byte(void)
{
    CHECK_INT(GOOD("\xED\x9F\xBF"), 3);
    CHECK_INT(GOOD("\xED\xA0\x80"), 1);
    CHECK_INT(GOOD("\xED\xBF\xBF"), 1);
    CHECK_INT(GOOD("\xEE\x80\x80"), 3);
}

static void a_character_needs_all_its_bytes(void)
{
    CHECK_INT(GOOD("\x80"), 0);
    CHECK_INT(GOOD("a\xBF"), 1);
    CHECK_INT(GOOD("\xC3("), 1);
    CHECK_INT(GOOD("\xE2\x82("), 2);
    CHECK_INT(GOOD("\xF0\x9F\x98("), 3);
    CHECK(!sos_utf8_valid_("\xF0\x9F\x98", 3));
    CHECK(!sos_utf8_valid_("\xE2\x82", 2));
    CHECK(!sos_utf8_valid_("\xC3", 1));
    CHECK(sos_utf8_valid_("", 0) && sos_utf8_valid_(NULL, 0));
}

/* At every place: words are looked at sixteen bytes at a time. */
static void one_wrong_byte_is_found_wherever_it_stands(void)
{
    char text[70];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = (char)0xC0;
        CHECK_INT(good(text, sizeof text), at);
    }
    CHECK_INT(
        GOOD(
            "a long text in ASCII \xC3\xA9t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80, and more of it"),
        51);
}

static void a_text_is_cut_between_characters(void)
{
    CHECK_INT(sos_utf8_cut_("abc", 3, 5), 3);
    CHECK_INT(sos_utf8_cut_("abc", 3, 2), 2);
    CHECK_INT(sos_utf8_cut_("a\xE2\x82\xAC", 4, 3), 1);
    CHECK_INT(sos_utf8_cut_("a\xE2\x82\xAC", 4, 4), 4);
    CHECK_INT(sos_utf8_cut_("\xF0\x9F\x98\x80", 4, 3), 0);
}

int main(void)
{
    every_code_point_but_surrogates_is_right();
    overlong_forms_are_refused();
    nothing_is_above_10ffff();
    surrogates_are_refused_at_their_second_byte();
    a_character_needs_all_its_bytes();
    one_wrong_byte_is_found_wherever_it_stands();
    a_text_is_cut_between_characters();
    return 0;
}
