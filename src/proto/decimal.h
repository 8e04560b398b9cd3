/* SPDX-License-Identifier: MIT */
/*
 * Numbers in decimal text. No locale, no heap, no NUL: what strtod and strtoll cannot do. What is
 * read is the double nearest to the text, ties to even.
 */
#ifndef SMALLOS_PROTO_DECIMAL_H
#define SMALLOS_PROTO_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits of which a 64-bit integer has at most so many, with its sign. */
enum { SOS_DECIMAL_ROOM_ = 20 };

/* The whole text is an optional sign and digits, and the number fits. */
bool sos_int64_parse_(const char *text, size_t length, int64_t *value);

/*
 * The whole text is `[+-]digits[.digits][(e|E)[+-]digits]`, `inf`, `+inf`, `-inf`, `nan` or `-nan`.
 * What is too large becomes infinity, what is too small zero. Answers how many bytes fit that
 * grammar: `length`, and then *value is set, or the offset of the byte that is wrong or missing.
 */
size_t sos_double_scan_(const char *text, size_t length, double *value);

static inline bool sos_double_parse_(const char *text, size_t length, double *value)
{
    return length > 0 && sos_double_scan_(text, length, value) == length;
}

/* Writes the number, no NUL, into at least SOS_DECIMAL_ROOM_ bytes, and answers its length. */
size_t sos_uint64_write_(char *text, uint64_t value);
size_t sos_int64_write_(char *text, int64_t value);

/* How many digits it has. */
size_t sos_uint64_digits_(uint64_t value);

#endif
