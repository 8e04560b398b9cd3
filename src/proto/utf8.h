/* SPDX-License-Identifier: MIT */
/* Well-formed UTF-8 (RFC 3629, 4). */
#ifndef SMALLOS_PROTO_UTF8_H
#define SMALLOS_PROTO_UTF8_H

#include <stddef.h>

/* How many bytes the character at `text` has, of which `left` >= 1 are there; 0: it is not
 * well-formed, or not all there. */
size_t sos_utf8_size_(const unsigned char *text, size_t left);

#endif
