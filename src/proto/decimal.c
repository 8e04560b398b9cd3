/* SPDX-License-Identifier: MIT */
/*
 * Text to double in two ways. When digits and power of ten are both exact doubles, one
 * multiplication or division rounds as it should. Otherwise the number is worked out in large
 * integers: digits * 10^e, shifted left far enough that dividing by ten leaves more bits than a
 * double has; what is divided or shifted away only matters by being zero or not.
 */
#include "decimal.h"

#include <float.h>
#include <math.h>
#include <string.h>

_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024 && sizeof(double) == 8,
               "a double is a binary64 of IEEE 754");

enum {
    DIGITS_MOST = 772,    /* more never matter, save by not being zero */
    MAGNITUDE_MOST = 340, /* from 10^340 on, it is infinity, up to 10^-340 zero */
    LIMBS = 208,          /* of 32 bits: the digits, and 10^(MAGNITUDE_MOST + DIGITS_MOST) */
};

/* ---- Integers */

bool sos_int64_parse_(const char *text, size_t length, int64_t *value)
{
    bool negative = length > 0 && text[0] == '-';
    size_t at = negative || (length > 0 && text[0] == '+');
    uint64_t magnitude = 0, most = (uint64_t)INT64_MAX + negative;
    if (at == length)
        return false;
    for (; at < length; at++) {
        unsigned digit = (unsigned)text[at] - '0';
        if (digit > 9 || magnitude > (most - digit) / 10)
            return false;
        magnitude = magnitude * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

size_t sos_uint64_digits_(uint64_t value)
{
    size_t count = 1;
    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t sos_uint64_write_(char *text, uint64_t value)
{
    size_t length = sos_uint64_digits_(value);
    for (char *to = text + length; to > text; value /= 10)
        *--to = (char)('0' + value % 10);
    return length;
}

size_t sos_int64_write_(char *text, int64_t value)
{
    if (value >= 0)
        return sos_uint64_write_(text, (uint64_t)value);
    text[0] = '-';
    return 1 + sos_uint64_write_(text + 1, 0 - (uint64_t)value);
}

/* ---- The grammar of a double */

struct decimal {
    bool negative, inexact;      /* inexact: digits that are not zero were left out */
    int exponent;                /* the number is digits * 10^exponent */
    size_t count;                /* digits, none of them a leading zero */
    uint8_t digits[DIGITS_MOST]; /* their values */
};

static void add_digit(struct decimal *number, char c, bool fraction)
{
    uint8_t digit = (uint8_t)(c - '0');
    bool kept = number->count < DIGITS_MOST && (digit != 0 || number->count > 0);
    bool left_out = !kept && number->count > 0; /* else it is a leading zero */
    if (kept)
        number->digits[number->count++] = digit;
    else if (digit != 0)
        number->inexact = true;
    if (fraction && !left_out && number->exponent > -INT32_MAX)
        number->exponent--;
    else if (!fraction && left_out && number->exponent < INT32_MAX)
        number->exponent++;
}

static size_t scan_digits(struct decimal *number, const char *text, size_t length, size_t at,
                          bool fraction)
{
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
        add_digit(number, text[at], fraction);
    return at;
}

static size_t scan_exponent(struct decimal *number, const char *text, size_t length, size_t at)
{
    int64_t exponent = 0;
    bool negative = at < length && text[at] == '-';
    at += negative || (at < length && text[at] == '+');
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
        if (exponent < INT32_MAX)
            exponent = exponent * 10 + (text[at] - '0');
    exponent = (negative ? -exponent : exponent) + number->exponent;
    number->exponent = (int)(exponent > INT32_MAX    ? INT32_MAX
                             : exponent < -INT32_MAX ? -INT32_MAX
                                                     : exponent);
    return at;
}

static bool ends_with_digit(const char *text, size_t at)
{
    return at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9';
}

/* Answers where the text stops being a number; all of it if that is its end. */
static size_t scan(struct decimal *number, const char *text, size_t length)
{
    size_t at = number->negative || (length > 0 && text[0] == '+');
    at = scan_digits(number, text, length, at, false);
    if (!ends_with_digit(text, at))
        return at;
    if (at < length && text[at] == '.') {
        at = scan_digits(number, text, length, at + 1, true);
        if (!ends_with_digit(text, at))
            return at;
    }
    if (at < length && (text[at] | 0x20) == 'e')
        at = scan_exponent(number, text, length, at + 1);
    return at;
}

/* ---- Large integers, the lowest limb first */

struct large {
    size_t count;
    uint32_t limbs[LIMBS];
};

static void multiply_add(struct large *large, uint32_t factor, uint32_t carry)
{
    for (size_t i = 0; i < large->count; i++) {
        uint64_t product = (uint64_t)large->limbs[i] * factor + carry;
        large->limbs[i] = (uint32_t)product;
        carry = (uint32_t)(product >> 32);
    }
    if (carry > 0)
        large->limbs[large->count++] = carry;
}

/* Answers whether there was no remainder. */
static bool divide(struct large *large, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = large->count; i-- > 0;) {
        rest = rest << 32 | large->limbs[i];
        large->limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (large->count > 0 && large->limbs[large->count - 1] == 0)
        large->count--;
    return rest == 0;
}

static void shift_limbs(struct large *large, size_t limbs)
{
    memmove(large->limbs + limbs, large->limbs, large->count * sizeof *large->limbs);
    memset(large->limbs, 0, limbs * sizeof *large->limbs);
    large->count += limbs;
}

/* Up to nine powers of ten at once. */
static uint32_t power_of_ten(int *left)
{
    uint32_t power = 1;
    for (int i = 0; i < 9 && *left > 0; i++, (*left)--)
        power *= 10;
    return power;
}

/* digits * 10^exponent is about large * 2^answer; *exact says if that is all of it. */
static int to_binary(const struct decimal *number, struct large *large, bool *exact)
{
    int left = number->exponent, shifted = 0;
    *exact = !number->inexact;
    large->count = 0;
    for (size_t i = 0; i < number->count; i++)
        multiply_add(large, 10, number->digits[i]);
    while (left > 0)
        multiply_add(large, power_of_ten(&left), 0);
    if (left < 0) {
        left = -left;
        shifted = left * 10 / 96 + 4; /* limbs: 10^left has fewer than 10/3 * left bits */
        shift_limbs(large, (size_t)shifted);
        while (left > 0)
            *exact &= divide(large, power_of_ten(&left));
    }
    return -32 * shifted;
}

/* The `count` highest bits; *exact turns false if lower ones are lost. */
static uint64_t top_bits(const struct large *large, int bits, int count, bool *exact)
{
    uint64_t top = 0;
    for (int bit = bits - 1; bit >= 0; bit--) {
        uint32_t set = large->limbs[bit / 32] >> bit % 32 & 1;
        if (bit >= bits - count)
            top = top << 1 | set;
        else if (set)
            *exact = false;
    }
    return bits < count ? top << (count - bits) : top;
}

static int bit_count(const struct large *large)
{
    int bits = 32 * (int)large->count;
    for (uint32_t top = large->limbs[large->count - 1]; !(top >> 31); top <<= 1)
        bits--;
    return bits;
}

static double slow_value(const struct decimal *number)
{
    struct large large;
    bool exact;
    int shifted = to_binary(number, &large, &exact);
    int bits = bit_count(&large), highest = bits + shifted; /* the number is below 2^highest */
    int kept = highest < DBL_MIN_EXP ? 53 - (DBL_MIN_EXP - highest) : 53; /* fewer: subnormal */
    if (highest > DBL_MAX_EXP)
        return HUGE_VAL;
    if (kept < 0)
        return 0;
    uint64_t top = top_bits(&large, bits, kept + 1, &exact); /* one more, to round by */
    top = (top >> 1) + ((top & 1) && (!exact || (top & 2)));
    /* The exponent field is added, so that a carry out of the mantissa goes into it. */
    if (kept == 53)
        top += (uint64_t)(highest - DBL_MIN_EXP) << 52;
    double value;
    memcpy(&value, &top, sizeof value);
    return value;
}

static double value_of(const struct decimal *number)
{
    static const double exact_powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    int64_t magnitude = number->exponent + (int64_t)number->count;
    uint64_t digits = 0;
    if (number->count == 0 || magnitude < -MAGNITUDE_MOST)
        return 0;
    if (magnitude > MAGNITUDE_MOST)
        return HUGE_VAL;
    if (number->count > 15 || number->exponent < -22 || number->exponent > 22 || FLT_EVAL_METHOD)
        return slow_value(number);
    for (size_t i = 0; i < number->count; i++)
        digits = digits * 10 + number->digits[i];
    return number->exponent < 0 ? (double)digits / exact_powers[-number->exponent]
                                : (double)digits * exact_powers[number->exponent];
}

size_t sos_double_scan_(const char *text, size_t length, double *value)
{
    struct decimal number; /* the digits need no value before they have one */
    bool signed_ = length == 4 && (text[0] == '-' || text[0] == '+');
    number.negative = length > 0 && text[0] == '-';
    number.inexact = false;
    number.exponent = 0;
    number.count = 0;
    if (length == 3u + signed_ && memcmp(text + signed_, "inf", 3) == 0) {
        *value = number.negative ? -HUGE_VAL : HUGE_VAL;
        return length;
    }
    if (length == 3u + number.negative && memcmp(text + number.negative, "nan", 3) == 0) {
        *value = (double)NAN;
        return length;
    }
    size_t end = scan(&number, text, length);
    if (end == length && ends_with_digit(text, end)) {
        double magnitude = value_of(&number);
        *value = number.negative ? -magnitude : magnitude;
    } else if (end == length && length > 0) {
        end = length - 1; /* it ends too early: the last byte is no end */
    }
    return end;
}
