/* SPDX-License-Identifier: MIT */
/*
 * Messages on a connection, read to the end or to the first error: a number that stands for all that
 * was read, and must not depend on how the input was cut.
 */
#ifndef FUZZ_HTTP_TRACE_H
#define FUZZ_HTTP_TRACE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http.h"

static inline void must(int condition)
{
    if (!condition)
        abort();
}

enum { TRACE_FIELDS = 8, TRACE_LINE = 200, TRACE_HEAD = 600, TRACE_TRAILER = 100 };

struct trace {
    uint64_t hash;
    struct sos_http_head_ head;
    struct sos_http_body_ body;
    struct sos_http_field_ fields[TRACE_FIELDS], trailer_fields[TRACE_FIELDS];
    char trailer[TRACE_TRAILER];
    struct sos_slice_ method; /* of the request that a response answers */
    size_t at;
    int in_body, is_done;
};

static inline void trace_bytes(struct trace *trace, struct sos_slice_ bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        trace->hash = (trace->hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
}

static inline void trace_number(struct trace *trace, uint64_t number)
{
    trace_bytes(trace, sos_slice_((const char *)&number, sizeof number));
}

static inline void trace_fields(struct trace *trace, const struct sos_http_field_ *fields,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        must(fields[i].name.length > 0);
        for (size_t k = 0; k < fields[i].value.length; k++)
            must(strchr("\r\n", fields[i].value.at[k]) == NULL);
        trace_bytes(trace, fields[i].name);
        trace_number(trace, fields[i].name.length);
        trace_bytes(trace, fields[i].value);
        trace_number(trace, fields[i].value.length);
    }
}

static inline void trace_error(struct trace *trace, int status,
                               const struct sos_syntax_error_ *error)
{
    must((status == SOS_EPROTO || status == SOS_ELIMIT) && error->rule != NULL);
    trace_number(trace, (uint64_t)-status);
    trace_number(trace, error->at);
    trace_bytes(trace, sos_slice_text_(error->rule));
    trace->is_done = 1;
}

/* What was read can be written, and then says the same. */
static inline void trace_again(const struct sos_http_head_ *head)
{
    char text[2 * TRACE_HEAD];
    struct sos_http_field_ fields[TRACE_FIELDS];
    struct sos_http_head_ again = { .kind = head->kind,
                                    .fields = fields,
                                    .field_capacity = TRACE_FIELDS };
    struct sos_http_writer_ writer = sos_http_writer_(text, sizeof text);
    if (head->kind == SOS_HTTP_REQUEST_)
        sos_http_write_request_(&writer, head->method, head->target);
    else
        sos_http_write_status_(&writer, head->status, head->reason);
    for (size_t i = 0; i < head->field_count; i++)
        sos_http_write_field_(&writer, head->fields[i].name, head->fields[i].value);
    int length = sos_http_write_end_(&writer);
    must(length > 0);
    if (head->minor == 0) /* which is written as 1.1, and there other rules hold */
        return;
    must(sos_http_head_parse_(&again, text, (size_t)length) == length);
    must(again.field_count == head->field_count && again.status == head->status &&
         again.is_chunked == head->is_chunked && again.has_length == head->has_length &&
         again.content_length == head->content_length && again.says_close == head->says_close);
}

static inline int trace_head(struct trace *trace, const char *bytes, size_t end)
{
    struct sos_http_head_ *head = &trace->head;
    int status = sos_http_head_parse_(head, bytes + trace->at, end - trace->at);
    if (status == SOS_PARTIAL_)
        return 0;
    if (status < 0) {
        trace_error(trace, status, &head->error);
        return 1;
    }
    trace->at += (size_t)status;
    trace_again(head);
    trace_number(trace, (uint64_t)status + (uint64_t)head->status);
    trace_bytes(trace, head->method);
    trace_bytes(trace, head->target);
    trace_bytes(trace, head->reason);
    trace_fields(trace, head->fields, head->field_count);
    enum sos_http_framing_ framing = sos_http_frame_(head, trace->method);
    trace_number(trace, framing);
    status = sos_http_body_begin_(&trace->body, framing, head->content_length);
    trace->in_body = 1;
    if (status < 0)
        trace_error(trace, status, &trace->body.error);
    return 1;
}

static inline int trace_body(struct trace *trace, const char *bytes, size_t end)
{
    struct sos_slice_ data;
    size_t taken;
    int status = sos_http_body_next_(&trace->body, bytes + trace->at, end - trace->at, &taken,
                                     &data);
    must(taken <= end - trace->at);
    trace->at += taken;
    if (status == SOS_HTTP_DATA_) {
        must(data.length > 0);
        trace_bytes(trace, data);
    } else if (status == SOS_HTTP_END_) {
        trace_fields(trace, trace->body.fields, trace->body.field_count);
        trace->is_done = !sos_http_keeps_alive_(&trace->head, trace->body.framing);
        trace->in_body = 0;
        sos_http_head_reset_(&trace->head);
    } else if (status < 0) {
        trace_error(trace, status, &trace->body.error);
    }
    return status != SOS_PARTIAL_;
}

/* `step`: how many bytes a portion has; each lies in memory of its own if `moves`. */
static inline uint64_t trace_of(enum sos_http_kind_ kind, struct sos_slice_ method,
                                struct sos_slice_ input, size_t step, int moves)
{
    struct trace trace = { .hash = UINT64_C(0xcbf29ce484222325), .method = method };
    trace.head = (struct sos_http_head_){ .kind = kind,
                                          .fields = trace.fields,
                                          .field_capacity = TRACE_FIELDS,
                                          .max_line = TRACE_LINE,
                                          .max_head = TRACE_HEAD };
    trace.body = (struct sos_http_body_){ .max_size = 1000,
                                          .max_line = 100,
                                          .trailer = trace.trailer,
                                          .trailer_size = TRACE_TRAILER,
                                          .fields = trace.trailer_fields,
                                          .field_capacity = TRACE_FIELDS };
    for (size_t end = 0; end < input.length && !trace.is_done;) {
        end = input.length - end < step ? input.length : end + step;
        char *copy = moves ? malloc(end) : NULL;
        if (copy != NULL)
            memcpy(copy, input.at, end);
        const char *bytes = copy != NULL ? copy : input.at;
        int goes_on = 1;
        while (goes_on && !trace.is_done)
            goes_on = trace.in_body ? trace_body(&trace, bytes, end)
                                    : trace.at < end && trace_head(&trace, bytes, end);
        free(copy);
    }
    if (!trace.is_done && trace.in_body && sos_http_body_close_(&trace.body) < 0)
        trace_error(&trace, SOS_EPROTO, &trace.body.error);
    trace_number(&trace, trace.at);
    return trace.hash;
}

static inline void check_traces(enum sos_http_kind_ kind, struct sos_slice_ method,
                                struct sos_slice_ input)
{
    uint64_t whole = trace_of(kind, method, input, input.length, 1);
    must(trace_of(kind, method, input, 1, 0) == whole);
    must(trace_of(kind, method, input, 7, 1) == whole);
    must(trace_of(kind, method, input, 1 + input.length / 2, 0) == whole);
}

#endif
