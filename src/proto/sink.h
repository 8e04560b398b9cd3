/* SPDX-License-Identifier: MIT */
/*
 * Text into a buffer of somebody else, cut off where the buffer ends: once something did not fit,
 * nothing more is written and sos_sink_end_ says so. No zero byte is put behind it.
 */
#ifndef SMALLOS_PROTO_SINK_H
#define SMALLOS_PROTO_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

struct sos_sink_ {
    char *buffer;
    size_t size, length; /* length <= size <= INT_MAX */
    bool is_full;        /* something did not fit */
};

struct sos_sink_ sos_sink_(char *buffer, size_t size);
void sos_sink_put_(struct sos_sink_ *sink, struct sos_slice_ text);
void sos_sink_byte_(struct sos_sink_ *sink, char byte);
void sos_sink_text_(struct sos_sink_ *sink, const char *text);

/* In base 10 or 16, without leading zeros. */
void sos_sink_number_(struct sos_sink_ *sink, uint64_t number, unsigned base);

/* How many bytes were written, or SOS_ELIMIT if something did not fit. */
int sos_sink_end_(const struct sos_sink_ *sink);

#endif
