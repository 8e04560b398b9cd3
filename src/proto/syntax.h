/* SPDX-License-Identifier: MIT */
/*
 * What all parsers of src/proto have in common.
 *
 * A parser is a struct that its user owns. It is given bytes in portions of any size, has no
 * socket, clock or heap, and answers with the next event (a positive number of its own enum), with
 * SOS_PARTIAL_ when it has taken all it was given and wants more, or with a negative error:
 * SOS_EPROTO for bytes that break a rule of the protocol, SOS_ELIMIT for what a limit of its
 * configuration forbids. After an error it answers the same error for ever. How the bytes were cut
 * into portions never changes what it answers, save that long data may come in other pieces.
 */
#ifndef SMALLOS_PROTO_SYNTAX_H
#define SMALLOS_PROTO_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smallos/error.h"

enum { SOS_PARTIAL_ = 0 };

/* Why and where a parser refused its input. */
struct sos_syntax_error_ {
    const char *rule; /* "a chunk size is hexadecimal (RFC 9112, 7.1)"; static; NULL: no error */
    uint64_t at;      /* offset, in all the bytes the parser was given, of the first bad one */
};

#endif
