/* SPDX-License-Identifier: MIT */
/*
 * SHA-1 (RFC 3174), because the opening handshake of WebSocket asks for it. It protects nothing:
 * do not use it for anything else.
 */
#ifndef SMALLOS_PROTO_SHA1_H
#define SMALLOS_PROTO_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SOS_SHA1_SIZE_ = 20 };

void sos_sha1_(const void *bytes, size_t length, uint8_t digest[SOS_SHA1_SIZE_]);

#endif
