/* SPDX-License-Identifier: MIT */
/*
 * Server-Sent Events as bytes, by the parsing rules of the WHATWG HTML standard, section 9.2
 * ("Server-sent events"). Two things differ: a byte sequence that is not UTF-8 is handed on as it
 * came, not as U+FFFD, and, as in browsers, the last event id outlives a reconnection even if the new
 * stream names none.
 */
#ifndef SMALLOS_PROTO_SSE_H
#define SMALLOS_PROTO_SSE_H

#include "proto/sink.h"
#include "proto/slice.h"
#include "proto/syntax.h"

/* ---- Reading (sse.c) */

/* Memory that the user lends to the parser for one of its texts. */
struct sos_sse_memory_ {
    char *at;
    size_t size;
};

/* What became of an event. The slices hold until the next call. */
struct sos_sse_event_ {
    struct sos_slice_ type; /* "message" if the event named none */
    struct sos_slice_ data; /* its lines joined by LF */
    struct sos_slice_ id;   /* the last event id, which may come from an earlier event */
};

/*
 * A stream that is being read. Set it to zero, then the limits and what memory there is; none is
 * needed at first, if SOS_SSE_MEMORY_ is answered with some.
 *
 * Texts: `data` holds the data of the event so far, with a LF behind every line. `type` holds its
 * type. `id` holds three texts behind each other: the last event id, the one that becomes it with
 * the next empty line (if id_is_new), and a value whose line has not ended.
 */
struct sos_sse_parser_ {
    uint64_t max_line_size;  /* of a line without its end; 0: unlimited */
    uint64_t max_event_size; /* data, type and ids of one event together; 0: unlimited */
    struct sos_sse_memory_ data, type, id;

    struct sos_sse_event_ event;       /* after SOS_SSE_EVENT_ */
    struct sos_sse_memory_ *too_small; /* after SOS_SSE_MEMORY_: one of data, type, id */
    size_t wanted;                     /* the size it must have at least */
    bool has_retry;                    /* the server has set a reconnection time */
    uint64_t retry_ms;                 /* its latest one; what is beyond 2^63 counts as that */
    struct sos_syntax_error_ error;

    int failed;
    unsigned state, field;
    char name[5];
    size_t name_length;
    uint64_t taken, line;
    size_t data_length, type_length, id_length, new_id_length, value_length;
    bool id_is_new, is_over, after_cr, is_bad;
    uint64_t number;
};

enum sos_sse_answer_ {
    SOS_SSE_EVENT_ = 1, /* `event` is one */
    SOS_SSE_MEMORY_     /* move what *too_small holds to `wanted` bytes or more; then go on */
};

/*
 * Reads on in `bytes`: SOS_SSE_EVENT_, SOS_SSE_MEMORY_, SOS_PARTIAL_, or SOS_ELIMIT when a limit is
 * exceeded, which is before memory is asked for. `*taken` is how many of the bytes were used up by
 * this call; with SOS_PARTIAL_ it is all of them. A stream that ends within an event ends without
 * that event: there is nothing to call. An empty line at once gives the event, even if it ended in
 * the CR of a CR LF.
 */
int sos_sse_next_(struct sos_sse_parser_ *parser, const char *bytes, size_t length, size_t *taken);

/* The last event id: what a new connection sends as Last-Event-ID, if it is not empty. */
struct sos_slice_ sos_sse_last_id_(const struct sos_sse_parser_ *parser);

/* For the next connection: forgets everything but the limits, the memory, the retry time and the
 * last event id. */
void sos_sse_reset_(struct sos_sse_parser_ *parser);

/* ---- Writing (sse_write.c) */

/* What is left out with `at` NULL, or with has_retry false. */
struct sos_sse_message_ {
    struct sos_slice_ comment;  /* perhaps of several lines; alone it keeps a connection alive */
    struct sos_slice_ type, id; /* without CR and LF; `id` without NUL, too */
    struct sos_slice_ data;     /* any; CR LF, CR and LF all reach the other side as LF */
    bool has_retry;
    uint64_t retry_ms;
};

/*
 * The message with the empty line that ends it: bytes written, SOS_ELIMIT if `size` is too small, or
 * SOS_EINVAL if type or id would not arrive as they are.
 */
int sos_sse_write_(const struct sos_sse_message_ *message, char *to, size_t size);

#endif
