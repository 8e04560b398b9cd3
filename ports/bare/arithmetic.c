/* SPDX-License-Identifier: MIT */

/*
 * Multiplication and division for a processor with neither a divider nor a
 * complete libgcc: Debian's for lx106 leaves these functions out. Nothing here
 * may divide, or multiply 64 bits, or it would call itself.
 */
#include <stdint.h>

uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
int32_t __divsi3(int32_t a, int32_t b);
int32_t __modsi3(int32_t a, int32_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);
int64_t __moddi3(int64_t a, int64_t b);
uint64_t __umulsidi3(uint32_t a, uint32_t b);
uint64_t __muldi3(uint64_t a, uint64_t b);

struct division32 {
    uint32_t quotient, rest;
};

struct division64 {
    uint64_t quotient, rest;
};

static uint32_t magnitude32(int32_t value)
{
    return value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
}

static uint64_t magnitude64(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static int leading_zeros(uint64_t value)
{
    uint32_t high = (uint32_t)(value >> 32);

    return high ? __builtin_clz(high) : 32 + __builtin_clz((uint32_t)value);
}

/* One bit of the quotient a turn, the highest that can be set first. */
static struct division32 divide32(uint32_t a, uint32_t b)
{
    struct division32 result = { 0, a };

    if (b == 0)
        __builtin_trap();
    if (a < b)
        return result;
    for (int bit = __builtin_clz(b) - __builtin_clz(a); bit >= 0; bit--) {
        if (b << bit <= result.rest) {
            result.rest -= b << bit;
            result.quotient |= UINT32_C(1) << bit;
        }
    }
    return result;
}

static struct division64 divide64(uint64_t a, uint64_t b)
{
    struct division64 result = { 0, a };

    if ((a | b) >> 32 == 0) {
        struct division32 small = divide32((uint32_t)a, (uint32_t)b);

        return (struct division64){ small.quotient, small.rest };
    }
    if (b == 0)
        __builtin_trap();
    if (a < b)
        return result;

    int bit = leading_zeros(b) - leading_zeros(a);

    for (b <<= bit; bit >= 0; bit--, b >>= 1) {
        result.quotient <<= 1;
        if (b <= result.rest) {
            result.rest -= b;
            result.quotient |= 1;
        }
    }
    return result;
}

uint32_t __udivsi3(uint32_t a, uint32_t b)
{
    return divide32(a, b).quotient;
}

uint32_t __umodsi3(uint32_t a, uint32_t b)
{
    return divide32(a, b).rest;
}

int32_t __divsi3(int32_t a, int32_t b)
{
    uint32_t quotient = divide32(magnitude32(a), magnitude32(b)).quotient;

    return (int32_t)((a < 0) != (b < 0) ? 0 - quotient : quotient);
}

int32_t __modsi3(int32_t a, int32_t b)
{
    uint32_t rest = divide32(magnitude32(a), magnitude32(b)).rest;

    return (int32_t)(a < 0 ? 0 - rest : rest);
}

uint64_t __udivdi3(uint64_t a, uint64_t b)
{
    return divide64(a, b).quotient;
}

uint64_t __umoddi3(uint64_t a, uint64_t b)
{
    return divide64(a, b).rest;
}

int64_t __divdi3(int64_t a, int64_t b)
{
    uint64_t quotient = divide64(magnitude64(a), magnitude64(b)).quotient;

    return (int64_t)((a < 0) != (b < 0) ? 0 - quotient : quotient);
}

int64_t __moddi3(int64_t a, int64_t b)
{
    uint64_t rest = divide64(magnitude64(a), magnitude64(b)).rest;

    return (int64_t)(a < 0 ? 0 - rest : rest);
}

uint64_t __umulsidi3(uint32_t a, uint32_t b)
{
    uint32_t low = (a & 0xffff) * (b & 0xffff);
    uint32_t middle = (a >> 16) * (b & 0xffff) + (low >> 16);
    uint32_t other = (a & 0xffff) * (b >> 16) + (middle & 0xffff);
    uint32_t high = (a >> 16) * (b >> 16) + (middle >> 16) + (other >> 16);

    return (uint64_t)high << 32 | (uint32_t)(other << 16) | (low & 0xffff);
}

uint64_t __muldi3(uint64_t a, uint64_t b)
{
    uint32_t crossed = (uint32_t)(a >> 32) * (uint32_t)b + (uint32_t)a * (uint32_t)(b >> 32);

    return __umulsidi3((uint32_t)a, (uint32_t)b) + ((uint64_t)crossed << 32);
}
