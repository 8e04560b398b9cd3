/* SPDX-License-Identifier: MIT */
#include "proto/sink.h"

#include <limits.h>

#include "smallos/error.h"

struct sos_sink_ sos_sink_(char *buffer, size_t size)
{
    return (struct sos_sink_){ .buffer = buffer, .size = size < INT_MAX ? size : INT_MAX };
}

void sos_sink_put_(struct sos_sink_ *sink, struct sos_slice_ text)
{
    if (sink->is_full || text.length > sink->size - sink->length) {
        sink->is_full = true;
        return;
    }
    if (text.length > 0)
        memcpy(sink->buffer + sink->length, text.at, text.length);
    sink->length += text.length;
}

void sos_sink_byte_(struct sos_sink_ *sink, char byte)
{
    sos_sink_put_(sink, sos_slice_(&byte, 1));
}

void sos_sink_text_(struct sos_sink_ *sink, const char *text)
{
    sos_sink_put_(sink, sos_slice_text_(text));
}

void sos_sink_number_(struct sos_sink_ *sink, uint64_t number, unsigned base)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    sos_sink_put_(sink, sos_slice_(digits + at, sizeof digits - at));
}

int sos_sink_end_(const struct sos_sink_ *sink)
{
    return sink->is_full ? SOS_ELIMIT : (int)sink->length;
}
