/* SPDX-License-Identifier: MIT */
/*
 * Reading. Functions named next_ answer like sos_resp_next_; those named read_ look at a part of
 * the token and answer 1 for "it is there", SOS_PARTIAL_, or the refusal.
 */
#include "resp.h"

#include <string.h>

#include "decimal.h"

enum { NONE, SIZED, BETWEEN, PIECE };

enum {
    LENGTH_DIGITS = 19,   /* of a length or count: what surely fits 64 bits */
    INTEGER_DIGITS = 19,  /* of an integer */
    SMALLEST_ELEMENT = 3, /* "_\r\n" */
};

/* ---- Limits and refusals */

static size_t limit_or(size_t limit, size_t normal, size_t most)
{
    limit = limit == 0 ? normal : limit;
    return limit < most ? limit : most;
}

void sos_resp_init_(struct sos_resp_parser_ *parser, const struct sos_resp_limits_ *limits,
                    struct sos_resp_level_ *levels)
{
    const size_t half = SIZE_MAX / 2; /* of it no sum overflows */
    memset(parser, 0, sizeof *parser);
    parser->levels = levels;
    parser->limits = (struct sos_resp_limits_){
        .max_reply_size = limit_or(limits->max_reply_size, (size_t)16 << 20, half),
        .max_bulk_size = limit_or(limits->max_bulk_size, (size_t)512 << 20, half),
        .max_line_size = limit_or(limits->max_line_size, (size_t)64 << 10, half),
        .max_elements = limit_or(limits->max_elements, UINT32_MAX, UINT32_MAX),
        .max_nesting_depth = (unsigned)limit_or(limits->max_nesting_depth, 32,
                                                SOS_RESP_NESTING_MOST_),
        .whole_size = limit_or(limits->whole_size, SIZE_MAX, SIZE_MAX),
    };
}

/* `offset` counts from the first untaken byte. */
static int refuse(struct sos_resp_parser_ *parser, int status, const char *rule, size_t offset)
{
    parser->error = (struct sos_syntax_error_){ rule, parser->at + offset };
    return parser->status = status;
}

static int broken(struct sos_resp_parser_ *parser, const char *rule, size_t offset)
{
    return refuse(parser, SOS_EPROTO, rule, offset);
}

/* Whether the reply may have `more` bytes from the first untaken one on. */
static bool fits_reply(const struct sos_resp_parser_ *parser, uint64_t more)
{
    uint64_t had = parser->at - parser->reply_at;
    return had <= parser->limits.max_reply_size && more <= parser->limits.max_reply_size - had;
}

static int partial(struct sos_resp_event_ *event, size_t wanted)
{
    event->wanted = wanted;
    return SOS_PARTIAL_;
}

/* ---- What ends */

/* A value that belongs to nothing but its aggregate has ended. */
static void value_ended(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event)
{
    if (parser->depth > 0) {
        struct sos_resp_level_ *level = &parser->levels[parser->depth - 1];
        level->count = level->streamed ? level->count + 1 : level->count - 1;
        return;
    }
    event->whole = true;
    parser->reply_at = parser->at;
    if (event->type == SOS_RESP_PUSH_)
        parser->pushes++;
    else
        parser->replies++;
}

static void take(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event, size_t size)
{
    event->taken += size;
    parser->at += size;
    parser->scanned = 0;
}

static int value(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event, size_t size)
{
    event->depth = parser->depth;
    if (!fits_reply(parser, size))
        return refuse(parser, SOS_ELIMIT, "a reply is not larger than max_reply_size", 0);
    take(parser, event, size);
    value_ended(parser, event);
    return SOS_RESP_VALUE_;
}

static int end_level(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event, size_t size)
{
    event->type = parser->levels[--parser->depth].type;
    event->depth = parser->depth;
    take(parser, event, size);
    if (event->type == SOS_RESP_ATTRIBUTE_)
        parser->attributed = true;
    else
        value_ended(parser, event);
    return SOS_RESP_END_;
}

/* ---- Parts of a token */

/* CR LF from `at` on. */
static int read_end(struct sos_resp_parser_ *parser, const char *bytes, size_t length, size_t at)
{
    if (at < length && bytes[at] != '\r')
        return broken(parser, "CR LF ends here", at);
    if (at + 1 < length && bytes[at + 1] != '\n')
        return broken(parser, "LF follows CR", at + 1);
    return at + 1 < length ? 1 : SOS_PARTIAL_;
}

/* A length or count without sign and its CR LF; *size is that of all from the type on. */
static inline int read_length(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                              uint64_t *number, size_t *size)
{
    uint64_t sum = 0;
    size_t at = 1;
    for (; at < length; at++) {
        unsigned digit = (unsigned)bytes[at] - '0';
        if (digit > 9)
            break;
        if (at > LENGTH_DIGITS)
            return refuse(parser, SOS_ELIMIT, "a length has at most 19 digits", at);
        sum = sum * 10 + digit;
    }
    if (at == length)
        return SOS_PARTIAL_;
    if (at == 1)
        return broken(parser, "a length is digits", at);
    *number = sum;
    *size = at + 2;
    if (at + 1 < length && bytes[at] == '\r' && bytes[at + 1] == '\n')
        return 1;
    return read_end(parser, bytes, length, at);
}

/* `text` from the second byte on, and CR LF. */
static int read_exactly(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                        const char *text, const char *rule)
{
    size_t at = 1;
    for (; *text != '\0'; text++, at++) {
        if (at == length)
            return SOS_PARTIAL_;
        if (bytes[at] != *text)
            return broken(parser, rule, at);
    }
    return read_end(parser, bytes, length, at);
}

/* A line of anything but CR and LF; *end is where its CR stands. */
static int read_line(struct sos_resp_parser_ *parser, const char *bytes, size_t length, size_t *end)
{
    size_t most = parser->limits.max_line_size + 1;
    size_t at = parser->scanned > 0 ? parser->scanned : 1, stop = length < most ? length : most;
    while (at < stop && bytes[at] != '\r' && bytes[at] != '\n')
        at++;
    *end = parser->scanned = at;
    if (at == length)
        return SOS_PARTIAL_;
    if (bytes[at] == '\n')
        return broken(parser, "CR stands before LF", at);
    if (bytes[at] != '\r')
        return refuse(parser, SOS_ELIMIT, "a line is not longer than max_line_size", at);
    return read_end(parser, bytes, length, at);
}

/* ---- Scalars in a line */

static int next_line(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                     struct sos_resp_event_ *event)
{
    size_t end;
    int status = read_line(parser, bytes, length, &end);
    if (status <= 0)
        return status;
    event->text = bytes + 1;
    event->length = end - 1;
    return value(parser, event, end + 2);
}

static int next_integer(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                        struct sos_resp_event_ *event)
{
    static const char fits[] = "an integer fits 64 bits";
    bool negative = length > 1 && bytes[1] == '-';
    size_t first = negative || (length > 1 && bytes[1] == '+') ? 2 : 1, at = first;
    uint64_t sum = 0, most = (uint64_t)INT64_MAX + negative;
    for (; at < length; at++) {
        unsigned digit = (unsigned)bytes[at] - '0';
        if (digit > 9)
            break;
        if (at - first >= INTEGER_DIGITS || (sum = sum * 10 + digit) > most)
            return broken(parser, fits, at);
    }
    if (at < length && at == first)
        return broken(parser, "an integer is a sign and digits", at);
    int status = at == length ? SOS_PARTIAL_ : read_end(parser, bytes, length, at);
    if (status <= 0)
        return status;
    event->text = bytes + 1;
    event->length = at - 1;
    event->integer = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return value(parser, event, at + 2);
}

static int next_double(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                       struct sos_resp_event_ *event)
{
    size_t end;
    int status = read_line(parser, bytes, length, &end);
    if (status <= 0)
        return status;
    size_t good = sos_double_scan_(bytes + 1, end - 1, &event->number);
    if (good < end - 1 || end == 1)
        return broken(parser, "a double is a decimal number, inf, -inf or nan", 1 + good);
    event->text = bytes + 1;
    event->length = end - 1;
    return value(parser, event, end + 2);
}

static int next_big_number(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                           struct sos_resp_event_ *event)
{
    size_t end;
    int status = read_line(parser, bytes, length, &end);
    if (status <= 0)
        return status;
    size_t first = bytes[1] == '-' || bytes[1] == '+' ? 2 : 1, at = first;
    while (bytes[at] >= '0' && bytes[at] <= '9')
        at++;
    if (at < end || at == first)
        return broken(parser, "a big number is a sign and digits", at);
    event->text = bytes + 1;
    event->length = end - 1;
    return value(parser, event, end + 2);
}

static int next_boolean(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                        struct sos_resp_event_ *event)
{
    bool is_true = length > 1 && bytes[1] == 't';
    int status = read_exactly(parser, bytes, length, is_true ? "t" : "f", "a boolean is t or f");
    if (status <= 0)
        return status;
    event->text = bytes + 1;
    event->length = 1;
    event->integer = is_true;
    return value(parser, event, 4);
}

/* `text` behind the type says that there is no value. */
static int next_null(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                     const char *text, struct sos_resp_event_ *event)
{
    int status = read_exactly(parser, bytes, length, text, "the only length below 0 is -1");
    if (status <= 0)
        return status;
    event->type = SOS_RESP_NULL_;
    event->text = bytes + 1;
    event->length = 0;
    return value(parser, event, 3 + strlen(text));
}

/* ---- Strings with a length */

/* From here on the string comes in chunks. `size` is what is taken: its head. */
static int begin_string(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event, char string,
                        uint64_t bytes, size_t size)
{
    event->depth = parser->depth;
    event->integer = string == SIZED ? (int64_t)bytes : -1;
    parser->string = string;
    parser->string_type = event->type;
    parser->string_left = bytes;
    parser->string_size = 0;
    take(parser, event, size);
    return SOS_RESP_BEGIN_;
}

static int next_streamed_string(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                                struct sos_resp_event_ *event)
{
    int status = read_exactly(parser, bytes, length, "?", "a length is digits");
    return status <= 0 ? status : begin_string(parser, event, BETWEEN, 0, 4);
}

/* The format of a verbatim string, "txt:": *head grows by it, as far as it is there. */
static int read_format(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                       uint64_t *size, size_t *head)
{
    if (*size < 4)
        return broken(parser, "a verbatim string begins with its format and a colon", 1);
    if (length > *head + 3 && bytes[*head + 3] != ':')
        return broken(parser, "a colon follows the three letters of the format", *head + 3);
    *size -= 4;
    *head += 4;
    return 1;
}

static int next_bulk(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                     struct sos_resp_event_ *event)
{
    uint64_t size;
    size_t head;
    int status = read_length(parser, bytes, length, &size, &head);
    if (status <= 0)
        return status;
    if (size > parser->limits.max_bulk_size)
        return refuse(parser, SOS_ELIMIT, "a string is not longer than max_bulk_size", 0);
    if (!fits_reply(parser, head + size + 2))
        return refuse(parser, SOS_ELIMIT, "a reply is not larger than max_reply_size", 0);
    if (event->type == SOS_RESP_VERBATIM_ &&
        (status = read_format(parser, bytes, length, &size, &head)) <= 0)
        return status;
    if (size > parser->limits.whole_size) {
        if (length < head)
            return partial(event, head);
        event->text = bytes + head;
        event->length = 0;
        return begin_string(parser, event, SIZED, size, head);
    }
    size_t end = head + (size_t)size;
    if (length < end)
        return partial(event, end + 2);
    if ((status = read_end(parser, bytes, length, end)) <= 0)
        return status < 0 ? status : partial(event, end + 2);
    event->text = bytes + head;
    event->length = (size_t)size;
    return value(parser, event, end + 2);
}

/* ---- Strings in chunks */

static int end_string(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event, size_t size)
{
    event->depth = parser->depth;
    parser->string = NONE;
    take(parser, event, size);
    value_ended(parser, event);
    return SOS_RESP_END_;
}

/* The head of the next piece, ";N". *size is what it takes; with N = 0 the string has ended. */
static int read_piece(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                      size_t *size)
{
    if (length > 0 && bytes[0] != ';')
        return broken(parser, "a streamed string goes on with ;", 0);
    uint64_t piece = 0;
    int status = length == 0 ? SOS_PARTIAL_ : read_length(parser, bytes, length, &piece, size);
    if (status <= 0)
        return status;
    parser->string_left = piece;
    if (piece > parser->limits.max_bulk_size - parser->string_size)
        return refuse(parser, SOS_ELIMIT, "a string is not longer than max_bulk_size", 0);
    if (!fits_reply(parser, *size + piece + (piece > 0 ? 2 : 0)))
        return refuse(parser, SOS_ELIMIT, "a reply is not larger than max_reply_size", 0);
    parser->string_size += piece;
    return 1;
}

static int next_of_string(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                          struct sos_resp_event_ *event)
{
    event->type = parser->string_type;
    for (;;) {
        const char *now = bytes + event->taken;
        size_t left = length - event->taken, size = 2;
        if (parser->string != BETWEEN && parser->string_left > 0) {
            if (left == 0)
                return partial(event, 1);
            size = left < parser->string_left ? left : (size_t)parser->string_left;
            event->text = now;
            event->length = size;
            event->depth = parser->depth;
            parser->string_left -= size;
            take(parser, event, size);
            return SOS_RESP_CHUNK_;
        }
        int status = parser->string == BETWEEN ? read_piece(parser, now, left, &size)
                                               : read_end(parser, now, left, 0);
        if (status <= 0)
            return status < 0 ? status : partial(event, left + 1);
        if (parser->string == SIZED || (parser->string == BETWEEN && parser->string_left == 0))
            return end_string(parser, event, size);
        parser->string = parser->string == BETWEEN ? PIECE : BETWEEN;
        take(parser, event, size);
    }
}

/* ---- Aggregates */

static int begin_level(struct sos_resp_parser_ *parser, struct sos_resp_event_ *event,
                       bool streamed, uint32_t count, size_t size)
{
    if (parser->depth == parser->limits.max_nesting_depth)
        return refuse(parser, SOS_ELIMIT, "aggregates are not nested deeper than max_nesting_depth",
                      0);
    event->depth = parser->depth;
    parser->levels[parser->depth++] = (struct sos_resp_level_){ count, event->type, streamed };
    take(parser, event, size);
    return SOS_RESP_BEGIN_;
}

static int next_streamed(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                         struct sos_resp_event_ *event)
{
    int status = read_exactly(parser, bytes, length, "?", "a count is digits");
    if (status <= 0)
        return status;
    if (!fits_reply(parser, 4 + SMALLEST_ELEMENT))
        return refuse(parser, SOS_ELIMIT, "a reply is not larger than max_reply_size", 0);
    event->integer = -1;
    return begin_level(parser, event, true, 0, 4);
}

static int next_aggregate(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                          struct sos_resp_event_ *event)
{
    uint64_t count;
    size_t size;
    if (event->type == SOS_RESP_PUSH_ && parser->depth > 0)
        return broken(parser, "a push does not stand within a reply", 0);
    int status = read_length(parser, bytes, length, &count, &size);
    if (status <= 0)
        return status;
    if (event->type == SOS_RESP_PUSH_ && count == 0)
        return broken(parser, "a push has its kind as first element", 1);
    event->integer = (int64_t)(count > INT64_MAX ? INT64_MAX : count);
    if (count > parser->limits.max_elements)
        return refuse(parser, SOS_ELIMIT, "an aggregate has at most max_elements", 0);
    if (event->type == SOS_RESP_MAP_ || event->type == SOS_RESP_ATTRIBUTE_)
        count *= 2;
    if (count > parser->limits.max_elements)
        return refuse(parser, SOS_ELIMIT, "an aggregate has at most max_elements", 0);
    if (!fits_reply(parser, size + SMALLEST_ELEMENT * count))
        return refuse(parser, SOS_ELIMIT, "a reply is not larger than max_reply_size", 0);
    return begin_level(parser, event, false, (uint32_t)count, size);
}

static int next_end(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                    struct sos_resp_event_ *event)
{
    const struct sos_resp_level_ *level = parser->levels + parser->depth;
    if (parser->depth == 0 || !(--level)->streamed)
        return broken(parser, "only a streamed aggregate ends with a point", 0);
    if (level->type == SOS_RESP_MAP_ && level->count % 2 != 0)
        return broken(parser, "every key of a map has a value", 0);
    int status = read_end(parser, bytes, length, 1);
    if (status <= 0)
        return status;
    if (!fits_reply(parser, 3))
        return refuse(parser, SOS_ELIMIT, "a reply is not larger than max_reply_size", 0);
    return end_level(parser, event, 3);
}

/* ---- The next event */

/* A token that is not the end of an aggregate: the type alone says what it is. */
static int next_by_type(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                        struct sos_resp_event_ *event)
{
    char second = length > 1 ? bytes[1] : '\0';
    switch (bytes[0]) {
    case SOS_RESP_BULK_:
        if (second == '-')
            return next_null(parser, bytes, length, "-1", event);
        return second == '?' ? next_streamed_string(parser, bytes, length, event)
                             : next_bulk(parser, bytes, length, event);
    case SOS_RESP_STRING_:
    case SOS_RESP_ERROR_:
        return next_line(parser, bytes, length, event);
    case SOS_RESP_INTEGER_:
        return next_integer(parser, bytes, length, event);
    case SOS_RESP_ARRAY_:
    case SOS_RESP_MAP_:
    case SOS_RESP_SET_:
        if (second == '-' && bytes[0] == SOS_RESP_ARRAY_)
            return next_null(parser, bytes, length, "-1", event);
        return second == '?' ? next_streamed(parser, bytes, length, event)
                             : next_aggregate(parser, bytes, length, event);
    case SOS_RESP_PUSH_:
    case SOS_RESP_ATTRIBUTE_:
        return next_aggregate(parser, bytes, length, event);
    case SOS_RESP_NULL_:
        return next_null(parser, bytes, length, "", event);
    case SOS_RESP_BOOLEAN_:
        return next_boolean(parser, bytes, length, event);
    case SOS_RESP_DOUBLE_:
        return next_double(parser, bytes, length, event);
    case SOS_RESP_BIG_NUMBER_:
        return next_big_number(parser, bytes, length, event);
    case SOS_RESP_VERBATIM_:
    case SOS_RESP_BULK_ERROR_:
        return next_bulk(parser, bytes, length, event);
    default:
        return broken(parser, "a value begins with its type", 0);
    }
}

int sos_resp_next_(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                   struct sos_resp_event_ *event)
{
    event->whole = false;
    event->taken = 0;
    if (parser->status < 0)
        return parser->status;
    event->wanted = length + 1;
    if (parser->string != NONE)
        return next_of_string(parser, bytes, length, event);
    if (parser->depth > 0) {
        const struct sos_resp_level_ *level = &parser->levels[parser->depth - 1];
        if (!level->streamed && level->count == 0)
            return end_level(parser, event, 0);
        if (level->streamed && level->count >= parser->limits.max_elements && length > 0 &&
            bytes[0] != '.')
            return refuse(parser, SOS_ELIMIT, "an aggregate has at most max_elements", 0);
    }
    if (length == 0)
        return SOS_PARTIAL_;
    event->type = bytes[0];
    if (bytes[0] == '.') {
        if (parser->attributed)
            return broken(parser, "an attribute belongs to a value", 0);
        return next_end(parser, bytes, length, event);
    }
    int kind = next_by_type(parser, bytes, length, event);
    if (kind > 0)
        parser->attributed = false;
    return kind;
}
