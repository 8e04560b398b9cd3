/* SPDX-License-Identifier: MIT */
/*
 * Server-Sent Events as bytes. Every stream is read whole, byte by byte and in all pairs of
 * portions, with memory that is lent only when asked for.
 */
#include "check.h"
#include "proto/sse.h"

#define SLICE(text) sos_slice_("" text, sizeof text - 1)

enum { TRACE = 2048 };

struct trace {
    char text[TRACE];
    size_t used;
};

static void put(struct trace *trace, struct sos_slice_ text)
{
    CHECK(text.length < TRACE - trace->used);
    memcpy(trace->text + trace->used, text.at, text.length);
    trace->used += text.length;
    trace->text[trace->used] = '\0';
}

/* "type|data|id" and a line end. */
static void put_event(struct trace *trace, const struct sos_sse_event_ *event)
{
    put(trace, event->type);
    put(trace, SLICE("|"));
    put(trace, event->data);
    put(trace, SLICE("|"));
    put(trace, event->id);
    put(trace, SLICE("\n"));
}

static void put_rest(struct trace *trace, const struct sos_sse_parser_ *parser)
{
    char text[128];
    int length = 0;
    if (parser->has_retry)
        length = snprintf(text, sizeof text, "retry %llu\n", (unsigned long long)parser->retry_ms);
    put(trace, sos_slice_(text, (size_t)length));
    if (parser->error.rule == NULL)
        return;
    length = snprintf(text, sizeof text, "limit at %llu: %s\n",
                      (unsigned long long)parser->error.at, parser->error.rule);
    put(trace, sos_slice_(text, (size_t)length));
}

static void grow(struct sos_sse_parser_ *parser)
{
    struct sos_sse_memory_ *memory = parser->too_small;
    CHECK(parser->wanted > memory->size);
    memory->at = realloc(memory->at, parser->wanted);
    CHECK(memory->at != NULL);
    memory->size = parser->wanted;
}

static void feed(struct sos_sse_parser_ *parser, struct trace *trace, const char *bytes,
                 size_t length)
{
    char *copy = malloc(length + 1); /* so that the portion ends with its block */
    CHECK(copy != NULL);
    memcpy(copy + 1, bytes, length);
    int status = SOS_SSE_EVENT_;
    for (size_t at = 0, taken; status > 0; at += taken) {
        status = sos_sse_next_(parser, copy + 1 + at, length - at, &taken);
        if (status == SOS_SSE_MEMORY_)
            grow(parser);
        else if (status == SOS_SSE_EVENT_)
            put_event(trace, &parser->event);
        else if (status == SOS_PARTIAL_)
            CHECK_INT(at + taken, length);
    }
    free(copy);
}

static void read_all(struct trace *trace, const struct sos_sse_parser_ *limits,
                     struct sos_slice_ input, size_t cut, size_t step)
{
    struct sos_sse_parser_ parser = *limits;
    trace->used = 0;
    trace->text[0] = '\0';
    feed(&parser, trace, input.at, cut);
    for (size_t at = cut; at < input.length; at += step)
        feed(&parser, trace, input.at + at, step < input.length - at ? step : input.length - at);
    put_rest(trace, &parser);
    free(parser.data.at);
    free(parser.type.at);
    free(parser.id.at);
}

static void check(const struct sos_sse_parser_ *limits, struct sos_slice_ input,
                  const char *expected)
{
    struct trace trace;
    read_all(&trace, limits, input, 0, 1);
    CHECK_TEXT(trace.text, expected);
    for (size_t cut = 0; cut <= input.length; cut++) {
        read_all(&trace, limits, input, cut, input.length);
        CHECK_TEXT(trace.text, expected);
    }
}

#define STREAM(bytes, expected)                                                                    \
    check(&(struct sos_sse_parser_){ .max_line_size = 0 }, SLICE(bytes), expected)

static void the_examples_of_the_standard(void)
{
    STREAM("data: YHOO\ndata: +2\ndata: 10\n\n", "message|YHOO\n+2\n10|\n");
    STREAM(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
           "data:  third event\n\n",
           "message|first event|1\nmessage|second event|\nmessage| third event|\n");
    STREAM("data\n\ndata\ndata\n\ndata:", "message||\nmessage|\n|\n");
    STREAM("data:test\n\ndata: test\n\n", "message|test|\nmessage|test|\n");
}

static void a_line_ends_in_lf_cr_or_both(void)
{
    STREAM("data:a\r\ndata:b\rdata:c\n\r\ndata:d\r\rdata:e\n\n",
           "message|a\nb\nc|\nmessage|d|\nmessage|e|\n");
    STREAM("data:a\r\r\n\ndata:b\r\n\r", "message|a|\nmessage|b|\n");
}

static void one_byte_order_mark_is_dropped(void)
{
    STREAM("\xEF\xBB\xBF"
           "data:a\n\n",
           "message|a|\n");
    STREAM("\xEF\xBB\xBF\xEF\xBB\xBF"
           "data:a\n\n",
           "");
    STREAM("\n\xEF\xBB\xBF"
           "data:a\n\n",
           "");
    STREAM("\xEF\xBB\n\ndata:a\n\n", "message|a|\n");
}

static void names_are_compared_byte_by_byte(void)
{
    STREAM("Data:x\ndata :x\n data:x\ndatas:x\neventid:x\n\n", "");
    STREAM("data\0:x\n\n", "");
}

static void the_last_type_counts_for_one_event(void)
{
    STREAM(
        "event:a\nevent: bc\ndata:1\n\ndata:2\n\nevent:d\n\ndata:3\n\nevent:e\nevent\ndata:4\n\n",
        "bc|1|\nmessage|2|\nmessage|3|\nmessage|4|\n");
}

static void an_id_counts_from_the_empty_line_on(void)
{
    STREAM("id:1\ndata:a\n\ndata:b\n\nid:2\n\ndata:c\n\nid:3\nid:4\ndata:d\n\nid\ndata:e\n\n",
           "message|a|1\nmessage|b|1\nmessage|c|2\nmessage|d|4\nmessage|e|\n");
    STREAM("id:1\nid:2\0\ndata:a\n\n", "message|a|1\n");
}

static void a_retry_is_digits_only(void)
{
    STREAM("retry:1000\n", "retry 1000\n");
    STREAM("retry:10\nretry:5x\nretry:-1\nretry\nretry:\nretry:  7\n", "retry 10\n");
    STREAM("retry:99999999999999999999\n", "retry 9223372036854775807\n");
}

static void an_event_without_its_empty_line_is_dropped(void)
{
    STREAM("data:a\n\ndata:b\n", "message|a|\n");
}

static void limits_hold_before_memory_is_asked_for(void)
{
    struct sos_sse_parser_ limits = { .max_line_size = 8, .max_event_size = 6 };
    check(&limits, SLICE("data:abc\n\n:bcdefgh\nid:xy\ndata:abc\n\n"),
          "message|abc|\nmessage|abc|xy\n");
    check(&limits, SLICE("data:abcd\n"), "limit at 8: a line is longer than the limit\n");
    check(&limits, SLICE(":bcdefghi"), "limit at 8: a line is longer than the limit\n");
    check(&limits, SLICE("abcdefghi"), "limit at 8: a line is longer than the limit\n");
    check(&limits, SLICE("data:ab\ndata:cde\n"),
          "limit at 16: an event is larger than the limit\n");
    check(&limits, SLICE("id:abcde\ndata:ab\n"),
          "limit at 15: an event is larger than the limit\n");
}

static void a_reset_keeps_the_last_id_and_the_retry_time(void)
{
    char data[8], type[8], id[8];
    size_t taken;
    struct sos_sse_parser_ parser = { .data = { data, 8 }, .type = { type, 8 }, .id = { id, 8 } };
    CHECK_INT(sos_sse_next_(&parser, "id:7\nretry:5\n\ndata:x", 20, &taken), SOS_PARTIAL_);
    sos_sse_reset_(&parser);
    CHECK(sos_slice_is_(sos_sse_last_id_(&parser), "7") && parser.retry_ms == 5);
    CHECK_INT(sos_sse_next_(&parser, "data:y\n\n", 8, &taken), SOS_SSE_EVENT_);
    CHECK(sos_slice_is_(parser.event.data, "y") && sos_slice_is_(parser.event.id, "7"));
}

static void what_is_written_is_read_again(void)
{
    char bytes[128];
    struct sos_sse_message_ message = { .comment = SLICE("c\nd"),
                                        .type = SLICE("t"),
                                        .id = SLICE("9"),
                                        .data = SLICE("a\r\n b\rc\n"),
                                        .has_retry = true,
                                        .retry_ms = 30 };
    int length = sos_sse_write_(&message, bytes, sizeof bytes);
    CHECK(length > 0);
    check(&(struct sos_sse_parser_){ .max_line_size = 0 }, sos_slice_(bytes, (size_t)length),
          "t|a\n b\nc\n|9\nretry 30\n");
    CHECK_INT(sos_sse_write_(&message, bytes, (size_t)length - 1), SOS_ELIMIT);
    message.type = SLICE("t\ndata: x");
    CHECK_INT(sos_sse_write_(&message, bytes, sizeof bytes), SOS_EINVAL);
    message.type = SLICE("t");
    message.id = SLICE("1\0");
    CHECK_INT(sos_sse_write_(&message, bytes, sizeof bytes), SOS_EINVAL);
}

int main(void)
{
    the_examples_of_the_standard();
    a_line_ends_in_lf_cr_or_both();
    one_byte_order_mark_is_dropped();
    names_are_compared_byte_by_byte();
    the_last_type_counts_for_one_event();
    an_id_counts_from_the_empty_line_on();
    a_retry_is_digits_only();
    an_event_without_its_empty_line_is_dropped();
    limits_hold_before_memory_is_asked_for();
    a_reset_keeps_the_last_id_and_the_retry_time();
    what_is_written_is_read_again();
    return 0;
}
