/* SPDX-License-Identifier: MIT */
/* Which bytes may stand where, in one table: HTTP (RFC 9110, 5.5 and 5.6.2) and URLs (RFC 3986, 2). */
#ifndef SMALLOS_PROTO_CHARS_H
#define SMALLOS_PROTO_CHARS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/slice.h"

enum {
    SOS_CHAR_DIGIT_ = 1,
    SOS_CHAR_ALPHA_ = 2,
    SOS_CHAR_HEX_ = 4,
    SOS_CHAR_TOKEN_ = 8,       /* of a token: method, field name, connection option */
    SOS_CHAR_TEXT_ = 16,       /* of a field value: HT, SP, visible, 0x80 to 0xFF */
    SOS_CHAR_UNRESERVED_ = 32, /* of a URL, never in need of an escape */
    SOS_CHAR_SUBDELIM_ = 64,   /* ! $ & ' ( ) * + , ; = */
    SOS_CHAR_LOOSE_ = 128      /* [ ] ^ ` { | }: no URL has them, but browsers send them */
};

extern const unsigned char sos_chars_[256];

static inline bool sos_char_is_(char byte, unsigned kinds)
{
    return (sos_chars_[(unsigned char)byte] & kinds) != 0;
}

/* How many bytes at the start are all of these kinds. */
size_t sos_chars_span_(struct sos_slice_ slice, unsigned kinds);

/* The same as sos_chars_span_ with SOS_CHAR_TEXT_, for long texts. */
size_t sos_chars_text_span_(struct sos_slice_ slice);

/* The value of a hexadecimal digit, -1 for any other byte. */
int sos_char_hex_value_(char byte);

/* The bytes become `kinds` or well-formed escapes (% and two hexadecimal digits); the offset of the
 * first that is neither, or the length. */
size_t sos_chars_escaped_span_(struct sos_slice_ slice, unsigned kinds, const char *others);

#endif
