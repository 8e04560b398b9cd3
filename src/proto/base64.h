/* SPDX-License-Identifier: MIT */
/* Base 64 with the standard alphabet and padding (RFC 4648, 4). */
#ifndef SMALLOS_PROTO_BASE64_H
#define SMALLOS_PROTO_BASE64_H

#include <stddef.h>

#include "smallos/error.h"

/* How many characters `size` bytes become, padding included, and at most how many bytes `length`
 * characters become. */
#define SOS_BASE64_LENGTH_(size) (((size) + 2) / 3 * 4)
#define SOS_BASE64_ROOM_(length) ((length) / 4 * 3)

/* Writes SOS_BASE64_LENGTH_(size) characters, no NUL, and answers how many. */
size_t sos_base64_encode_(char *text, const void *bytes, size_t size);

/*
 * Strict: whole groups of four, padding only at the end, unused bits zero, no white space
 * (RFC 4648, 3.2, 3.3, 3.5). Answers SOS_OK and *size, or SOS_EPROTO; `bytes` has room for
 * SOS_BASE64_ROOM_(length) bytes, which are undefined after SOS_EPROTO, and may be `text` itself.
 */
int sos_base64_decode_(void *bytes, size_t *size, const char *text, size_t length);

#endif
