/* SPDX-License-Identifier: MIT */
#include "proto/sha1.h"

#include <string.h>

enum { BLOCK = 64 };

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

/* The function and the constant of round t (RFC 3174, 5). */
static uint32_t mix(int t, const uint32_t v[5])
{
    if (t < 20)
        return ((v[1] & v[2]) | (~v[1] & v[3])) + 0x5A827999;
    if (t < 40)
        return (v[1] ^ v[2] ^ v[3]) + 0x6ED9EBA1;
    if (t < 60)
        return ((v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])) + 0x8F1BBCDC;
    return (v[1] ^ v[2] ^ v[3]) + 0xCA62C1D6;
}

static void add_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[80], v[5];
    for (int t = 0; t < 16; t++, block += 4)
        w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 |
               block[3];
    for (int t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    memcpy(v, h, sizeof v);
    for (int t = 0; t < 80; t++) {
        uint32_t next = rotate(v[0], 5) + mix(t, v) + v[4] + w[t];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotate(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (int i = 0; i < 5; i++)
        h[i] += v[i];
}

void sos_sha1_(const void *bytes, size_t length, uint8_t digest[SOS_SHA1_SIZE_])
{
    uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
    const uint8_t *from = bytes;
    size_t left = length;
    for (; left >= BLOCK; left -= BLOCK, from += BLOCK)
        add_block(h, from);
    /* What is left, a one bit, and the length in bits at the end of the last block. */
    uint8_t tail[2 * BLOCK] = { 0 };
    if (left > 0)
        memcpy(tail, from, left);
    tail[left] = 0x80;
    size_t size = left + 9 > BLOCK ? 2 * BLOCK : BLOCK;
    for (size_t i = 0; i < 8; i++)
        tail[size - 1 - i] = (uint8_t)((uint64_t)length * 8 >> 8 * i);
    for (size_t i = 0; i < size; i += BLOCK)
        add_block(h, tail + i);
    for (size_t i = 0; i < SOS_SHA1_SIZE_; i++)
        digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
