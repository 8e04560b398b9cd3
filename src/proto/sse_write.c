/* SPDX-License-Identifier: MIT */
#include "proto/sse.h"

static bool has(struct sos_slice_ text, char byte)
{
    return text.length > 0 && memchr(text.at, byte, text.length) != NULL;
}

static bool is_one_line(struct sos_slice_ text)
{
    return !has(text, '\r') && !has(text, '\n');
}

static void put_line(struct sos_sink_ *sink, const char *name, struct sos_slice_ value)
{
    sos_sink_text_(sink, name);
    sos_sink_byte_(sink, ':');
    if (value.length > 0)
        sos_sink_byte_(sink, ' ');
    sos_sink_put_(sink, value);
    sos_sink_byte_(sink, '\n');
}

/* Without the line at the start of `text`, which comes back; its end is dropped. */
static struct sos_slice_ take_line(struct sos_slice_ *text, bool *is_last)
{
    struct sos_slice_ line = sos_slice_(text->at, 0);
    while (line.length < text->length && text->at[line.length] != '\r' &&
           text->at[line.length] != '\n')
        line.length++;
    *is_last = line.length == text->length;
    size_t step = line.length + (*is_last ? 0 : 1);
    if (step < text->length && text->at[step - 1] == '\r' && text->at[step] == '\n')
        step++;
    *text = sos_slice_(text->at + step, text->length - step);
    return line;
}

static void put_lines(struct sos_sink_ *sink, const char *name, struct sos_slice_ text)
{
    bool is_last = text.at == NULL;
    while (!is_last) {
        struct sos_slice_ line = take_line(&text, &is_last);
        put_line(sink, name, line);
    }
}

int sos_sse_write_(const struct sos_sse_message_ *message, char *to, size_t size)
{
    struct sos_sink_ sink = sos_sink_(to, size);
    if (!is_one_line(message->type) || !is_one_line(message->id) || has(message->id, '\0'))
        return SOS_EINVAL;
    put_lines(&sink, "", message->comment);
    if (message->type.at != NULL)
        put_line(&sink, "event", message->type);
    if (message->id.at != NULL)
        put_line(&sink, "id", message->id);
    if (message->has_retry) {
        sos_sink_text_(&sink, "retry: ");
        sos_sink_number_(&sink, message->retry_ms, 10);
        sos_sink_byte_(&sink, '\n');
    }
    put_lines(&sink, "data", message->data);
    sos_sink_byte_(&sink, '\n');
    return sos_sink_end_(&sink);
}
