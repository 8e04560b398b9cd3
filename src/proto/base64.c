/* SPDX-License-Identifier: MIT */
#include "proto/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t sos_base64_encode_(char *text, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    char *to = text;
    for (; size >= 3; size -= 3, from += 3) {
        uint32_t group = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = alphabet[group >> 6 & 63];
        *to++ = alphabet[group & 63];
    }
    if (size > 0) {
        uint32_t group = (uint32_t)from[0] << 16 | (size == 2 ? (uint32_t)from[1] << 8 : 0);
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = size == 2 ? alphabet[group >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (size_t)(to - text);
}

/* The six bits of a character; 64 and more for one outside of the alphabet. */
static uint32_t six_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int sos_base64_decode_(void *bytes, size_t *size, const char *text, size_t length)
{
    uint8_t *to = bytes;
    *size = 0;
    if (length % 4 != 0)
        return SOS_EPROTO;
    for (size_t at = 0; at < length; at += 4) {
        const char *c = text + at;
        uint32_t padding = 0;
        if (at + 4 == length)
            padding = c[3] != '=' ? 0 : c[2] != '=' ? 1 : 2;
        uint32_t a = six_bits(c[0]), b = six_bits(c[1]);
        uint32_t d = padding > 1 ? 0 : six_bits(c[2]), e = padding > 0 ? 0 : six_bits(c[3]);
        if ((a | b | d | e) > 63 || (padding == 2 && (b & 15) != 0) ||
            (padding == 1 && (d & 3) != 0))
            return SOS_EPROTO;
        uint32_t group = a << 18 | b << 12 | d << 6 | e;
        *to++ = (uint8_t)(group >> 16);
        if (padding < 2)
            *to++ = (uint8_t)(group >> 8);
        if (padding < 1)
            *to++ = (uint8_t)group;
    }
    *size = (size_t)(to - (uint8_t *)bytes);
    return SOS_OK;
}
