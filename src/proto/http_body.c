/* SPDX-License-Identifier: MIT */
/* How a body is delimited, and the body itself. */
#include "proto/chars.h"
#include "proto/http.h"

/* ---- Framing */

enum sos_http_framing_ sos_http_frame_(const struct sos_http_head_ *head, struct sos_slice_ method)
{
    if (head->kind == SOS_HTTP_RESPONSE_) {
        if (sos_slice_is_(method, "HEAD") || head->status < 200 || head->status == 204 ||
            head->status == 304)
            return SOS_HTTP_NO_BODY_;
        if (sos_slice_is_(method, "CONNECT") && head->status < 300)
            return SOS_HTTP_NO_BODY_;
    }
    if (head->is_chunked)
        return SOS_HTTP_CHUNKED_;
    if (head->other_coding)
        return SOS_HTTP_UNTIL_CLOSE_;
    if (head->has_length)
        return head->content_length > 0 ? SOS_HTTP_LENGTH_ : SOS_HTTP_NO_BODY_;
    return head->kind == SOS_HTTP_RESPONSE_ ? SOS_HTTP_UNTIL_CLOSE_ : SOS_HTTP_NO_BODY_;
}

bool sos_http_keeps_alive_(const struct sos_http_head_ *head, enum sos_http_framing_ framing)
{
    if (head->says_close || framing == SOS_HTTP_UNTIL_CLOSE_)
        return false;
    if (head->kind == SOS_HTTP_RESPONSE_ && head->status == 101)
        return false;
    return head->minor > 0 || head->says_keep_alive;
}

/* ---- The states of a body */

enum {
    DATA,      /* of a body with a length */
    ENDLESS,   /* until the stream ends */
    SIZE,      /* the digits of a chunk's size */
    SPACE,     /* white space in front of an extension */
    EXTENSION, /* dropped up to its CR */
    SIZE_LF,   /* the LF after the size */
    CHUNK,     /* the bytes of a chunk */
    CHUNK_CR,  /* after them */
    CHUNK_LF,
    LINE, /* the start of a trailer field, or of the last line */
    NAME,
    VALUE,
    VALUE_LF,
    LAST_LF,
    DONE
};

/* What chunk lines may cost beyond their data, in bytes: see charge(). */
enum { OVERHEAD_MAX = 16384, CHUNK_ALLOWANCE = 16, SIZE_DIGITS_MAX = 16 };

static int refuse(struct sos_http_body_ *body, int error, const char *rule)
{
    body->error = (struct sos_syntax_error_){ rule, body->taken };
    body->failed = error;
    return error;
}

static int refuse_size(struct sos_http_body_ *body)
{
    return refuse(body, SOS_ELIMIT, "the body is larger than the limit");
}

static bool is_too_much(const struct sos_http_body_ *body, uint64_t more)
{
    return body->max_size != 0 && more > body->max_size - body->size;
}

int sos_http_body_begin_(struct sos_http_body_ *body, enum sos_http_framing_ framing,
                         uint64_t length)
{
    static const unsigned states[] = { DONE, DATA, SIZE, ENDLESS };
    *body = (struct sos_http_body_){
        .max_size = body->max_size,
        .max_line = body->max_line != 0 ? body->max_line : SOS_HTTP_CHUNK_LINE_DEFAULT_,
        .max_trailer = body->max_trailer != 0 ? body->max_trailer : SOS_HTTP_TRAILER_DEFAULT_,
        .trailer = body->trailer,
        .trailer_size = body->trailer_size,
        .fields = body->fields,
        .field_capacity = body->field_capacity,
        .framing = framing,
        .state = states[framing],
        .left = framing == SOS_HTTP_LENGTH_ ? length : 0,
    };
    if (framing != SOS_HTTP_LENGTH_)
        return SOS_OK;
    if (length == 0)
        body->state = DONE;
    return is_too_much(body, length) ? refuse_size(body) : SOS_OK;
}

/* ---- Chunk lines (RFC 9112, 7.1) */

/* Many small chunks with long extensions make a receiver read far more than it gets. */
static bool charge(struct sos_http_body_ *body)
{
    uint64_t fair = body->left > OVERHEAD_MAX ? OVERHEAD_MAX : body->left;
    fair = CHUNK_ALLOWANCE + 2 * fair;
    body->overhead += body->line;
    body->overhead = body->overhead > fair ? body->overhead - fair : 0;
    return body->overhead <= OVERHEAD_MAX;
}

static int end_of_size(struct sos_http_body_ *body)
{
    if (!charge(body))
        return refuse(body, SOS_ELIMIT, "chunk extensions are far longer than the data");
    if (is_too_much(body, body->left))
        return refuse_size(body);
    body->state = body->left > 0 ? CHUNK : LINE;
    body->line = 0;
    return SOS_OK;
}

static int size_digit(struct sos_http_body_ *body, char byte)
{
    int digit = sos_char_hex_value_(byte);
    if (digit >= 0) {
        if (++body->digits > SIZE_DIGITS_MAX)
            return refuse(body, SOS_ELIMIT, "a chunk size has at most 16 digits");
        body->left = body->left << 4 | (unsigned)digit;
        return SOS_OK;
    }
    if (body->digits == 0)
        return refuse(body, SOS_EPROTO, "a chunk size is hexadecimal (RFC 9112, 7.1)");
    if (body->left > INT64_MAX)
        return refuse(body, SOS_ELIMIT, "a chunk size is below 2^63");
    body->digits = 0;
    body->state = byte == '\r' ? SIZE_LF : byte == ';' ? EXTENSION : SPACE;
    if (body->state == SPACE && byte != ' ' && byte != '\t')
        return refuse(body, SOS_EPROTO, "a chunk size is hexadecimal (RFC 9112, 7.1)");
    return SOS_OK;
}

static int extension_byte(struct sos_http_body_ *body, char byte)
{
    if (body->state == SPACE && byte != ' ' && byte != '\t' && byte != ';')
        return refuse(body, SOS_EPROTO, "an extension starts with ; (RFC 9112, 7.1.1)");
    if (byte == ';')
        body->state = EXTENSION;
    else if (byte == '\r')
        body->state = SIZE_LF;
    else if (!sos_char_is_(byte, SOS_CHAR_TEXT_))
        return refuse(body, SOS_EPROTO, "an extension has no control characters (RFC 9112, 7.1.1)");
    return SOS_OK;
}

/* One byte of what surrounds the bytes of a chunk. */
static int chunk_byte(struct sos_http_body_ *body, char byte)
{
    if (body->state <= SIZE_LF && ++body->line > body->max_line)
        return refuse(body, SOS_ELIMIT, "a chunk line is longer than the limit");
    if (body->state == SIZE)
        return size_digit(body, byte);
    if (body->state == SPACE || body->state == EXTENSION)
        return extension_byte(body, byte);
    if (byte != (body->state == CHUNK_CR ? '\r' : '\n'))
        return refuse(body, SOS_EPROTO, "chunk and chunk line end in CR LF (RFC 9112, 7.1)");
    if (body->state == SIZE_LF)
        return end_of_size(body);
    body->state = body->state == CHUNK_CR ? CHUNK_LF : SIZE;
    return SOS_OK;
}

/* ---- Trailer fields (RFC 9112, 7.1.2), by the rules of header fields */

static int keep(struct sos_http_body_ *body, char byte)
{
    if (body->trailer == NULL)
        return SOS_OK;
    if (body->used == body->trailer_size)
        return refuse(body, SOS_ELIMIT, "the trailer is longer than the limit");
    body->trailer[body->used++] = byte;
    return SOS_OK;
}

static int end_of_field(struct sos_http_body_ *body)
{
    body->state = VALUE_LF;
    if (body->trailer == NULL)
        return SOS_OK;
    if (body->field_count == body->field_capacity)
        return refuse(body, SOS_ELIMIT, "more trailer fields than the limit");
    struct sos_http_field_ *field = &body->fields[body->field_count++];
    const char *value = body->trailer + body->value_at;
    field->name = sos_slice_(value - body->name_length, body->name_length);
    field->value = sos_slice_trim_(sos_slice_(value, body->used - body->value_at));
    return SOS_OK;
}

static int name_byte(struct sos_http_body_ *body, char byte)
{
    if (byte == ':' && body->state == NAME) {
        body->state = VALUE;
        body->value_at = body->used;
        return SOS_OK;
    }
    if (!sos_char_is_(byte, SOS_CHAR_TOKEN_))
        return refuse(body, SOS_EPROTO, "a field is a token, a colon, a value (RFC 9112, 5)");
    body->name_length = body->state == LINE ? 1 : body->name_length + 1;
    body->state = NAME;
    return keep(body, byte);
}

static int trailer_byte(struct sos_http_body_ *body, char byte)
{
    if (++body->line > body->max_trailer)
        return refuse(body, SOS_ELIMIT, "the trailer is longer than the limit");
    if (body->state == LINE && byte == '\r') {
        body->state = LAST_LF;
        return SOS_OK;
    }
    if (body->state == LINE || body->state == NAME)
        return name_byte(body, byte);
    if (body->state == VALUE && byte == '\r')
        return end_of_field(body);
    if (body->state == VALUE) {
        if (!sos_char_is_(byte, SOS_CHAR_TEXT_))
            return refuse(body, SOS_EPROTO,
                          "a field value has no control characters (RFC 9110, 5.5)");
        return keep(body, byte);
    }
    if (byte != '\n')
        return refuse(body, SOS_EPROTO, "a line ends in CR LF (RFC 9112, 2.2)");
    body->state = body->state == VALUE_LF ? LINE : DONE;
    return SOS_OK;
}

/* ---- All of it */

/* As much of the body as these bytes have, which are at least one. */
static int data_of(struct sos_http_body_ *body, const char *bytes, size_t length, size_t *taken,
                   struct sos_slice_ *data)
{
    uint64_t most = body->left;
    if (body->state == ENDLESS) {
        most = body->max_size != 0 ? body->max_size - body->size : UINT64_MAX;
        if (most == 0)
            return refuse_size(body);
    }
    size_t count = length < most ? length : (size_t)most;
    *data = sos_slice_(bytes, count);
    *taken += count;
    body->taken += count;
    body->size += count;
    if (body->state == ENDLESS)
        return SOS_HTTP_DATA_;
    body->left -= count;
    if (body->left == 0)
        body->state = body->state == CHUNK ? CHUNK_CR : DONE;
    return SOS_HTTP_DATA_;
}

int sos_http_body_next_(struct sos_http_body_ *body, const char *bytes, size_t length,
                        size_t *taken, struct sos_slice_ *data)
{
    *taken = 0;
    *data = sos_slice_(bytes, 0);
    if (body->failed != 0)
        return body->failed;
    while (body->state != DONE) {
        if (*taken == length)
            return SOS_PARTIAL_;
        const char *at = bytes + *taken;
        if (body->state == CHUNK || body->state == DATA || body->state == ENDLESS)
            return data_of(body, at, length - *taken, taken, data);
        int status = body->state < LINE ? chunk_byte(body, *at) : trailer_byte(body, *at);
        if (status < 0)
            return status;
        body->taken++;
        ++*taken;
    }
    return SOS_HTTP_END_;
}

int sos_http_body_close_(struct sos_http_body_ *body)
{
    if (body->failed != 0)
        return body->failed;
    if (body->state != DONE && body->state != ENDLESS)
        return refuse(body, SOS_EPROTO, "the stream ended within the body (RFC 9112, 8)");
    body->state = DONE;
    return SOS_HTTP_END_;
}
