/* SPDX-License-Identifier: MIT */

/* The four functions a freestanding compiler may call. */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *left, const void *right, size_t length);

/* Keeps the compiler from recognising a loop as the function it stands in. */
#define NOT_A_CALL() __asm__ volatile("")

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    while (length-- > 0) {
        *out++ = *in++;
        NOT_A_CALL();
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if (out <= in)
        return memcpy(to, from, length);
    while (length-- > 0) {
        out[length] = in[length];
        NOT_A_CALL();
    }
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    unsigned char *out = to;

    while (length-- > 0) {
        *out++ = (unsigned char)byte;
        NOT_A_CALL();
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t length)
{
    const unsigned char *a = left, *b = right;

    for (; length > 0; length--, a++, b++)
        if (*a != *b)
            return *a < *b ? -1 : 1;
    return 0;
}
