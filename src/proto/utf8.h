/* SPDX-License-Identifier: MIT */
/*
 * Is it UTF-8 (RFC 3629)? Asked of text that comes in portions: no overlong forms, no surrogates,
 * nothing above U+10FFFF. The answer comes at the first byte that cannot be right.
 */
#ifndef SMALLOS_PROTO_UTF8_H
#define SMALLOS_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between two portions: all zero outside of a character, and so at the start. */
struct sos_utf8_ {
    uint8_t left;      /* bytes the character still wants */
    uint8_t low, high; /* what the next of them must lie between */
};

/*
 * Reads a portion that follows on what `state` has seen. Answers how many of its bytes are right:
 * `length`, or the offset of the first wrong one, and then `state` stands before that byte.
 */
size_t sos_utf8_check_(struct sos_utf8_ *state, const void *bytes, size_t length);

/* Whether the text may end here: no character has begun that is not whole. */
static inline bool sos_utf8_whole_(const struct sos_utf8_ *state)
{
    return state->left == 0;
}

/* A text that lies whole in memory. */
bool sos_utf8_valid_(const void *bytes, size_t length);

/* How many bytes the character at `text` has, of which `left` >= 1 are there; 0: it is not
 * well-formed, or not all there. */
size_t sos_utf8_size_(const unsigned char *text, size_t left);

/* The largest size up to `most` at which the valid text can be cut without cutting a character. */
size_t sos_utf8_cut_(const void *bytes, size_t length, size_t most);

#endif
