/* SPDX-License-Identifier: MIT */
/*
 * A slice: bytes that belong to somebody else. It ends with no zero byte and may hold some. `at` is
 * NULL only where a declaration says what that means; an empty slice is otherwise any pointer with
 * length 0.
 */
#ifndef SMALLOS_PROTO_SLICE_H
#define SMALLOS_PROTO_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct sos_slice_ {
    const char *at;
    size_t length;
};

static inline struct sos_slice_ sos_slice_(const char *at, size_t length)
{
    return (struct sos_slice_){ at, length };
}

/* Of a text that ends with a zero byte; NULL gives { NULL, 0 }. */
static inline struct sos_slice_ sos_slice_text_(const char *text)
{
    return (struct sos_slice_){ text, text != NULL ? strlen(text) : 0 };
}

static inline bool sos_slice_equal_(struct sos_slice_ a, struct sos_slice_ b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static inline bool sos_slice_is_(struct sos_slice_ slice, const char *text)
{
    return sos_slice_equal_(slice, sos_slice_text_(text));
}

/* Letters of ASCII count as equal in either case; all other bytes must be the same. */
bool sos_slice_equal_caseless_(struct sos_slice_ a, struct sos_slice_ b);
bool sos_slice_is_caseless_(struct sos_slice_ slice, const char *text);

/* Without the spaces and tabs at both ends. */
struct sos_slice_ sos_slice_trim_(struct sos_slice_ slice);

#endif
