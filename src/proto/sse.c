/* SPDX-License-Identifier: MIT */
/*
 * The stream is read by bytes only up to a field's colon; the value of `data` then goes into memory
 * in runs. Nothing of a line counts before its end, which is why a value of `data` or `type` may lie
 * where it will stay, and one of `id` may not.
 */
#include "proto/sse.h"

enum { START, NAME, SPACE, VALUE };

enum { OTHER, DATA, TYPE, ID, RETRY };

static const char mark[] = "\xEF\xBB\xBF"; /* U+FEFF, in front of everything */
enum { MARK_LENGTH = sizeof mark - 1 };

static const char long_line[] = "a line is longer than the limit";
static const char large_event[] = "an event is larger than the limit";

static int refuse(struct sos_sse_parser_ *parser, const char *rule)
{
    parser->error = (struct sos_syntax_error_){ rule, parser->taken };
    parser->failed = SOS_ELIMIT;
    return SOS_ELIMIT;
}

/* ---- Memory */

/* If max_event_size is a limit. */
static uint64_t room_for_event(const struct sos_sse_parser_ *parser)
{
    return parser->max_event_size - parser->data_length - parser->type_length -
           parser->new_id_length - parser->value_length;
}

/* 0 if `more` bytes behind the `used` ones fit into the limit and the memory; else the answer. */
static int make_room(struct sos_sse_parser_ *parser, struct sos_sse_memory_ *memory, size_t used,
                     size_t more)
{
    if (parser->max_event_size != 0 && more > room_for_event(parser))
        return refuse(parser, large_event);
    if (memory->size - used >= more)
        return SOS_OK;
    parser->too_small = memory;
    parser->wanted = used + more;
    return SOS_SSE_MEMORY_;
}

/* Where the value of this line goes, and how much is there: NULL for what is not kept. */
static struct sos_sse_memory_ *place(struct sos_sse_parser_ *parser, size_t *used)
{
    switch (parser->field) {
    case DATA:
        *used = parser->data_length + parser->value_length;
        return &parser->data;
    case TYPE:
        *used = parser->value_length;
        return &parser->type;
    case ID:
        *used = parser->id_length + parser->new_id_length + parser->value_length;
        return &parser->id;
    default:
        return NULL;
    }
}

static int keep(struct sos_sse_parser_ *parser, const char *bytes, size_t length)
{
    size_t used = 0;
    struct sos_sse_memory_ *memory = place(parser, &used);
    int status = make_room(parser, memory, used, length);
    if (status != SOS_OK)
        return status;
    if (length > 0)
        memcpy(memory->at + used, bytes, length);
    parser->value_length += length;
    return SOS_OK;
}

/* ---- Fields */

static unsigned field_of(const struct sos_sse_parser_ *parser)
{
    static const char *const names[] = {
        [DATA] = "data", [TYPE] = "event", [ID] = "id", [RETRY] = "retry"
    };
    struct sos_slice_ name = sos_slice_(parser->name, parser->name_length);
    for (unsigned field = DATA; field <= RETRY; field++) {
        if (parser->name_length <= sizeof parser->name && sos_slice_is_(name, names[field]))
            return field;
    }
    return OTHER;
}

/* The name has ended, with a colon or with its line. */
static void begin_value(struct sos_sse_parser_ *parser)
{
    parser->field = field_of(parser);
    if (parser->field == TYPE)
        parser->type_length = 0; /* whatever this line says replaces it */
    parser->value_length = 0;
    parser->number = 0;
    parser->is_bad = false;
}

static void end_of_id(struct sos_sse_parser_ *parser)
{
    if (parser->is_bad)
        return;
    char *fresh = parser->id.at != NULL ? parser->id.at + parser->id_length : NULL;
    if (parser->value_length > 0)
        memmove(fresh, fresh + parser->new_id_length, parser->value_length);
    parser->new_id_length = parser->value_length;
    parser->id_is_new = true;
}

static void end_of_retry(struct sos_sse_parser_ *parser)
{
    if (parser->is_bad || parser->value_length == 0)
        return;
    parser->has_retry = true;
    parser->retry_ms = parser->number;
}

static int end_of_field(struct sos_sse_parser_ *parser)
{
    int status = SOS_OK;
    if (parser->field == DATA) {
        status = keep(parser, "\n", 1);
        if (status != SOS_OK)
            return status;
        parser->data_length += parser->value_length;
    } else if (parser->field == TYPE) {
        parser->type_length = parser->value_length;
    } else if (parser->field == ID) {
        end_of_id(parser);
    } else if (parser->field == RETRY) {
        end_of_retry(parser);
    }
    parser->value_length = 0;
    return status;
}

static void note_digits(struct sos_sse_parser_ *parser, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(unsigned char)bytes[i] - '0';
        if (digit > 9)
            parser->is_bad = true;
        else if (parser->number > ((uint64_t)INT64_MAX - digit) / 10)
            parser->number = INT64_MAX;
        else
            parser->number = parser->number * 10 + digit;
    }
    parser->value_length += length > 0; /* no more than whether there is a digit */
}

/* ---- Events */

/* The empty line: SOS_SSE_EVENT_, or 0 if there is no data to dispatch. */
static int dispatch(struct sos_sse_parser_ *parser)
{
    if (parser->id_is_new) {
        if (parser->new_id_length > 0)
            memmove(parser->id.at, parser->id.at + parser->id_length, parser->new_id_length);
        parser->id_length = parser->new_id_length;
        parser->new_id_length = 0;
        parser->id_is_new = false;
    }
    parser->is_over = true;
    if (parser->data_length == 0)
        return SOS_OK;
    parser->event.type = parser->type_length > 0 ? sos_slice_(parser->type.at, parser->type_length)
                                                 : sos_slice_text_("message");
    parser->event.data = sos_slice_(parser->data.at, parser->data_length - 1);
    parser->event.id = sos_sse_last_id_(parser);
    return SOS_SSE_EVENT_;
}

struct sos_slice_ sos_sse_last_id_(const struct sos_sse_parser_ *parser)
{
    return parser->id_length > 0 ? sos_slice_(parser->id.at, parser->id_length)
                                 : sos_slice_text_("");
}

void sos_sse_reset_(struct sos_sse_parser_ *parser)
{
    *parser = (struct sos_sse_parser_){
        .max_line_size = parser->max_line_size,
        .max_event_size = parser->max_event_size,
        .data = parser->data,
        .type = parser->type,
        .id = parser->id,
        .has_retry = parser->has_retry,
        .retry_ms = parser->retry_ms,
        .id_length = parser->id_length,
    };
}

/* ---- Lines */

/* How many bytes there are in front of the next CR or LF. */
static size_t run_length(const char *bytes, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    size_t i = 0;
    while (length - i >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        uint64_t cr = word ^ (ones * '\r'), lf = word ^ (ones * '\n');
        if (((((cr - ones) & ~cr) | ((lf - ones) & ~lf)) & highs) != 0)
            break;
        i += sizeof word;
    }
    while (i < length && bytes[i] != '\r' && bytes[i] != '\n')
        i++;
    return i;
}

/* As much of a value as these bytes have; `*used` says how much. */
static int value(struct sos_sse_parser_ *parser, const char *bytes, size_t length, size_t *used)
{
    size_t run = run_length(bytes, length);
    const char *rule = NULL;
    bool is_kept = parser->field == DATA || parser->field == TYPE || parser->field == ID;
    if (parser->max_line_size != 0 && run > parser->max_line_size - parser->line) {
        run = (size_t)(parser->max_line_size - parser->line);
        rule = long_line;
    }
    if (is_kept && parser->max_event_size != 0 && run > room_for_event(parser)) {
        run = (size_t)room_for_event(parser);
        rule = large_event;
    }
    int status = SOS_OK;
    if (is_kept)
        status = keep(parser, bytes, run);
    else if (parser->field == RETRY)
        note_digits(parser, bytes, run);
    if (status != SOS_OK)
        return status;
    if (parser->field == ID && run > 0 && memchr(bytes, '\0', run) != NULL)
        parser->is_bad = true;
    *used = run;
    parser->line += run;
    parser->taken += run;
    return rule != NULL ? refuse(parser, rule) : SOS_OK;
}

static void forget_line(struct sos_sse_parser_ *parser)
{
    parser->state = START;
    parser->name_length = 0;
    parser->line = 0;
}

/* One byte of a line, CR and LF excepted, up to the space behind the colon. */
static int line_byte(struct sos_sse_parser_ *parser, char byte)
{
    if (parser->max_line_size != 0 && parser->line == parser->max_line_size)
        return refuse(parser, long_line);
    parser->line++;
    parser->taken++;
    if (parser->state == SPACE) {
        parser->state = VALUE;
        return SOS_OK;
    }
    if (byte == ':') {
        begin_value(parser);
        if (parser->name_length == 0)
            parser->field = OTHER; /* a comment */
        parser->state = SPACE;
        return SOS_OK;
    }
    if (parser->name_length < sizeof parser->name)
        parser->name[parser->name_length] = byte;
    if (parser->name_length <= sizeof parser->name)
        parser->name_length++;
    parser->state = NAME;
    if (parser->taken == MARK_LENGTH && parser->name_length == MARK_LENGTH &&
        memcmp(parser->name, mark, MARK_LENGTH) == 0)
        forget_line(parser);
    return SOS_OK;
}

/* The line has ended: 0, SOS_SSE_EVENT_, or what end_of_field answers. */
static int end_of_line(struct sos_sse_parser_ *parser)
{
    int status;
    if (parser->state == START) {
        status = dispatch(parser);
    } else {
        if (parser->state == NAME) {
            begin_value(parser);
            parser->state = VALUE;
        }
        status = end_of_field(parser);
        if (status != SOS_OK)
            return status;
    }
    forget_line(parser);
    return status;
}

static int step(struct sos_sse_parser_ *parser, const char *bytes, size_t length, size_t *used)
{
    char byte = bytes[0];
    *used = 0;
    if (byte == '\n' && parser->after_cr) {
        parser->after_cr = false;
        parser->taken++;
        *used = 1;
        return SOS_OK;
    }
    if (byte == '\r' || byte == '\n') {
        int status = end_of_line(parser);
        if (status < 0 || status == SOS_SSE_MEMORY_)
            return status;
        parser->after_cr = byte == '\r';
        parser->taken++;
        *used = 1;
        return status;
    }
    parser->after_cr = false;
    if (parser->state == SPACE && byte != ' ')
        parser->state = VALUE;
    if (parser->state == VALUE)
        return value(parser, bytes, length, used);
    int status = line_byte(parser, byte);
    *used = status == SOS_OK;
    return status;
}

int sos_sse_next_(struct sos_sse_parser_ *parser, const char *bytes, size_t length, size_t *taken)
{
    *taken = 0;
    if (parser->failed != 0)
        return parser->failed;
    while (*taken < length) {
        if (parser->is_over) {
            parser->is_over = false;
            parser->data_length = 0;
            parser->type_length = 0;
        }
        size_t used;
        int status = step(parser, bytes + *taken, length - *taken, &used);
        *taken += used;
        if (status != SOS_OK)
            return status;
    }
    return SOS_PARTIAL_;
}
