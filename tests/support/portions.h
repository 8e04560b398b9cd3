/* SPDX-License-Identifier: MIT */
/*
 * Parsers answer the same however their input is cut. A test writes what a parser answered into a
 * transcript; check_portions() makes one of the whole input, then of every way to cut it in two, and
 * one of single bytes.
 */
#ifndef TESTS_SUPPORT_PORTIONS_H
#define TESTS_SUPPORT_PORTIONS_H

#include <stdarg.h>
#include <stddef.h>

#include "check.h"

struct transcript {
    size_t length;
    char text[1 << 16];
};

static inline void transcribe(struct transcript *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void transcribe(struct transcript *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to->text + to->length, sizeof to->text - to->length, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof to->text - to->length);
    to->length += (size_t)length;
}

/* Bytes for people: what is not printable in hexadecimal. */
static inline void transcribe_bytes(struct transcript *to, const void *bytes, size_t length)
{
    const unsigned char *c = bytes;
    for (size_t i = 0; i < length; i++) {
        int printable = c[i] >= ' ' && c[i] < 0x7F && c[i] != '\\';
        transcribe(to, printable ? "%c" : "\\%02x", c[i]);
    }
}

/*
 * Parses `length` bytes in portions: the first up to `cut`, the second the rest; `cut` 0: every
 * byte a portion.
 */
typedef void portions_parse(struct transcript *to, const char *bytes, size_t length, size_t cut,
                            void *context);

/* The transcript of `bytes`, the same for every way to cut them; valid until the next call. */
static inline const char *check_portions(portions_parse *parse, const char *bytes, size_t length,
                                         void *context)
{
    static struct transcript whole, cut;
    whole.length = 0;
    whole.text[0] = '\0';
    parse(&whole, bytes, length, length, context);
    for (size_t at = 0; at < length; at++) {
        cut.length = 0;
        cut.text[0] = '\0';
        parse(&cut, bytes, length, at, context);
        if (strcmp(cut.text, whole.text) != 0)
            fprintf(stderr, "cut at %zu:\n", at);
        CHECK_TEXT(cut.text, whole.text);
    }
    return whole.text;
}

/* Where the portion ends that begins at `at`. */
static inline size_t portion_end(size_t at, size_t length, size_t cut)
{
    return cut == 0 ? at + (at < length) : at < cut ? cut : length;
}

/* A copy that the sanitizers see the ends of. */
static inline void *exact_copy(const void *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    CHECK(copy != NULL);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

#endif
