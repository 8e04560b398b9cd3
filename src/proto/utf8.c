/* SPDX-License-Identifier: MIT */
#include "proto/utf8.h"

size_t sos_utf8_size_(const unsigned char *text, size_t left)
{
    unsigned char first = text[0], low = 0x80, high = 0xBF; /* the range of the second byte */
    size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || left < size)
        return 0;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F; /* the surrogates */
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t index = 2; index < size; index++)
        if ((text[index] & 0xC0) != 0x80)
            return 0;
    return size;
}
