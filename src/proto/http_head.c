/* SPDX-License-Identifier: MIT */
/* Heads: lines, fields, and what the fields say about the framing. */
#include "proto/chars.h"
#include "proto/http.h"
#include "proto/url.h"

#include <limits.h>

void sos_http_head_reset_(struct sos_http_head_ *head)
{
    *head = (struct sos_http_head_){
        .kind = head->kind,
        .fields = head->fields,
        .field_capacity = head->field_capacity,
        .max_line = head->max_line,
        .max_head = head->max_head,
    };
}

int sos_http_head_refuse_(struct sos_http_head_ *head, int error, int answer, size_t at,
                          const char *rule)
{
    head->error = (struct sos_syntax_error_){ rule, at };
    head->answer = answer;
    head->failed = error;
    return error;
}

static int refuse(struct sos_http_head_ *head, size_t at, const char *rule)
{
    return sos_http_head_refuse_(head, SOS_EPROTO, 400, at, rule);
}

static size_t limit(size_t configured, size_t standard)
{
    size_t most = configured != 0 ? configured : standard;
    return most < INT_MAX ? most : INT_MAX;
}

/* How long the line at head->line may be, with its end. */
static size_t line_limit(const struct sos_http_head_ *head)
{
    size_t line = limit(head->max_line, SOS_HTTP_LINE_DEFAULT_);
    size_t left = limit(head->max_head, SOS_HTTP_HEAD_DEFAULT_) - head->line;
    return line < left ? line : left;
}

static int refuse_long_line(struct sos_http_head_ *head, size_t most)
{
    bool is_target = head->kind == SOS_HTTP_REQUEST_ && !head->has_start_line;
    return sos_http_head_refuse_(head, SOS_ELIMIT, is_target ? 414 : 431, head->line + most,
                                 "a line or the head is longer than the limit");
}

/* 1 and the next line without its end, SOS_PARTIAL_, or an error. */
static int next_line(struct sos_http_head_ *head, const char *bytes, size_t length,
                     struct sos_slice_ *line)
{
    size_t most = line_limit(head);
    const char *start = bytes + head->line;
    const char *end = NULL;
    if (length > head->looked)
        end = memchr(bytes + head->looked, '\n', length - head->looked);
    size_t seen = end != NULL ? (size_t)(end - start) + 1 : length - head->line;
    if (seen > most || (end == NULL && seen == most))
        return refuse_long_line(head, most);
    if (end == NULL) {
        head->looked = length;
        return SOS_PARTIAL_;
    }
    if (seen < 2 || end[-1] != '\r')
        return refuse(head, (size_t)(end - bytes), "a line ends in CR LF (RFC 9112, 2.2)");
    *line = sos_slice_(start, seen - 2);
    head->looked = head->line + seen;
    return 1;
}

/* ---- Fields that say how the message is framed */

static int note_length(struct sos_http_head_ *head, struct sos_slice_ value, size_t at)
{
    uint64_t length;
    int status = sos_http_parse_length_(value, &length);
    if (status == SOS_ELIMIT)
        return sos_http_head_refuse_(head, SOS_ELIMIT, 413, at, "Content-Length is below 2^63");
    if (status != SOS_OK)
        return refuse(head, at, "Content-Length is a decimal number (RFC 9110, 8.6)");
    if (head->has_length && length != head->content_length)
        return refuse(head, at, "Content-Length has one value (RFC 9112, 6.3)");
    head->content_length = length;
    head->has_length = true;
    return SOS_OK;
}

/* Empty elements and parameters are refused here: two readers might not agree on them. */
static int note_coding(struct sos_http_head_ *head, struct sos_slice_ value, size_t at)
{
    const char *end = value.at + value.length;
    for (const char *start = value.at; start <= end;) {
        const char *comma = memchr(start, ',', (size_t)(end - start));
        const char *stop = comma != NULL ? comma : end;
        struct sos_slice_ coding = sos_slice_trim_(sos_slice_(start, (size_t)(stop - start)));
        if (coding.length == 0 || sos_chars_span_(coding, SOS_CHAR_TOKEN_) != coding.length)
            return refuse(head, at, "a transfer coding is a token (RFC 9112, 7)");
        if (head->is_chunked)
            return refuse(head, at, "chunked is the last transfer coding (RFC 9112, 6.1)");
        if (sos_slice_is_caseless_(coding, "chunked"))
            head->is_chunked = true;
        else
            head->other_coding = true;
        start = stop + 1;
    }
    return SOS_OK;
}

static void note_connection(struct sos_http_head_ *head, struct sos_slice_ list)
{
    struct sos_slice_ option;
    while (sos_http_list_next_(&list, &option)) {
        if (sos_slice_is_caseless_(option, "close"))
            head->says_close = true;
        else if (sos_slice_is_caseless_(option, "keep-alive"))
            head->says_keep_alive = true;
        else if (sos_slice_is_caseless_(option, "upgrade"))
            head->says_upgrade = true;
    }
}

static int note_host(struct sos_http_head_ *head, struct sos_slice_ value, size_t at)
{
    if (head->kind != SOS_HTTP_REQUEST_)
        return SOS_OK;
    if (head->has_host)
        return refuse(head, at, "there is one Host field (RFC 9112, 3.2)");
    if (value.length > 0 && !sos_url_is_host_port_(value, false))
        return refuse(head, at, "Host is a host and perhaps a port (RFC 9110, 7.2)");
    head->has_host = true;
    return SOS_OK;
}

static int note_field(struct sos_http_head_ *head, const struct sos_http_field_ *field, size_t at)
{
    switch (field->name.length) {
    case 4:
        if (sos_slice_is_caseless_(field->name, "host"))
            return note_host(head, field->value, at);
        break;
    case 10:
        if (sos_slice_is_caseless_(field->name, "connection"))
            note_connection(head, field->value);
        break;
    case 14:
        if (sos_slice_is_caseless_(field->name, "content-length"))
            return note_length(head, field->value, at);
        break;
    case 17:
        if (sos_slice_is_caseless_(field->name, "transfer-encoding"))
            return note_coding(head, field->value, at);
        break;
    default:
        break;
    }
    return SOS_OK;
}

/* ---- The parser */

static int field_line(struct sos_http_head_ *head, struct sos_slice_ line, size_t at)
{
    size_t name = sos_chars_span_(line, SOS_CHAR_TOKEN_);
    if (name == 0 && (line.at[0] == ' ' || line.at[0] == '\t'))
        return refuse(head, at, "a field is not folded (RFC 9112, 5.2)");
    if (name == 0 || name == line.length || line.at[name] != ':')
        return refuse(head, at + name, "a field is a token, a colon, a value (RFC 9112, 5)");
    struct sos_slice_ text = sos_slice_(line.at + name + 1, line.length - name - 1);
    size_t good = sos_chars_text_span_(text);
    if (good < text.length)
        return refuse(head, at + name + 1 + good,
                      "a field value has no control characters (RFC 9110, 5.5)");
    if (head->field_count == head->field_capacity)
        return sos_http_head_refuse_(head, SOS_ELIMIT, 431, at, "more fields than the limit");
    struct sos_http_field_ *field = &head->fields[head->field_count++];
    field->name = sos_slice_(line.at, name);
    field->value = sos_slice_trim_(text);
    return note_field(head, field, at + name + 1);
}

static int end_of_head(struct sos_http_head_ *head)
{
    size_t at = head->line;
    bool is_coded = head->is_chunked || head->other_coding;
    if (is_coded && head->has_length)
        return refuse(head, at, "not both Content-Length and Transfer-Encoding (RFC 9112, 6.2)");
    if (is_coded && head->minor == 0)
        return refuse(head, at, "HTTP/1.0 has no Transfer-Encoding (RFC 9112, 6.1)");
    if (head->kind == SOS_HTTP_REQUEST_ && head->other_coding && !head->is_chunked)
        return refuse(head, at, "the last coding of a request is chunked (RFC 9112, 6.3)");
    if (head->kind == SOS_HTTP_REQUEST_ && head->minor > 0 && !head->has_host)
        return refuse(head, at, "a request has a Host field (RFC 9112, 3.2)");
    head->length = head->looked;
    head->is_complete = true;
    return (int)head->length;
}

/* The line is good: the next one starts after it. */
static void go_on(struct sos_http_head_ *head)
{
    head->line = head->looked;
}

int sos_http_head_parse_(struct sos_http_head_ *head, const char *bytes, size_t length)
{
    if (head->failed != 0)
        return head->failed;
    if (length == 0)
        return SOS_PARTIAL_;
    if ((uintptr_t)bytes != head->base) {
        sos_http_head_reset_(head);
        head->base = (uintptr_t)bytes;
    }
    while (!head->is_complete) {
        struct sos_slice_ line;
        int status = next_line(head, bytes, length, &line);
        if (status <= 0)
            return status;
        if (head->has_start_line && line.length == 0)
            return end_of_head(head);
        if (head->has_start_line)
            status = field_line(head, line, head->line);
        else if (line.length > 0 || head->line > 0 || head->kind == SOS_HTTP_RESPONSE_)
            status = sos_http_start_line_(head, line, head->line);
        if (status < 0)
            return status;
        head->has_start_line = head->has_start_line || line.length > 0;
        go_on(head);
    }
    return (int)head->length;
}

/* ---- Looking things up */

const struct sos_http_field_ *sos_http_find_(const struct sos_http_head_ *head, const char *name)
{
    return sos_http_find_next_(head, name, NULL);
}

const struct sos_http_field_ *sos_http_find_next_(const struct sos_http_head_ *head,
                                                  const char *name,
                                                  const struct sos_http_field_ *after)
{
    struct sos_slice_ wanted = sos_slice_text_(name);
    for (size_t i = after != NULL ? (size_t)(after - head->fields) + 1 : 0; i < head->field_count;
         i++) {
        if (sos_slice_equal_caseless_(head->fields[i].name, wanted))
            return &head->fields[i];
    }
    return NULL;
}

struct sos_slice_ sos_http_value_(const struct sos_http_head_ *head, const char *name)
{
    const struct sos_http_field_ *field = sos_http_find_(head, name);
    return field != NULL ? field->value : sos_slice_(NULL, 0);
}

/* How many bytes are in front of the next comma that separates. */
static size_t element_length(struct sos_slice_ list)
{
    bool is_quoted = false;
    for (size_t i = 0; i < list.length; i++) {
        if (list.at[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && list.at[i] == '\\' && i + 1 < list.length)
            i++;
        else if (!is_quoted && list.at[i] == ',')
            return i;
    }
    return list.length;
}

bool sos_http_list_next_(struct sos_slice_ *list, struct sos_slice_ *element)
{
    while (list->length > 0) {
        size_t length = element_length(*list);
        size_t step = length < list->length ? length + 1 : length;
        *element = sos_slice_trim_(sos_slice_(list->at, length));
        *list = sos_slice_(list->at + step, list->length - step);
        if (element->length > 0)
            return true;
    }
    return false;
}

bool sos_http_has_token_(const struct sos_http_head_ *head, const char *name, const char *token)
{
    const struct sos_http_field_ *field = NULL;
    while ((field = sos_http_find_next_(head, name, field)) != NULL) {
        struct sos_slice_ list = field->value, element;
        while (sos_http_list_next_(&list, &element)) {
            if (sos_slice_is_caseless_(element, token))
                return true;
        }
    }
    return false;
}

int sos_http_parse_length_(struct sos_slice_ text, uint64_t *length)
{
    uint64_t number = 0;
    if (text.length == 0 || sos_chars_span_(text, SOS_CHAR_DIGIT_) != text.length)
        return SOS_EPROTO;
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');
        if (number > ((uint64_t)INT64_MAX - digit) / 10)
            return SOS_ELIMIT;
        number = number * 10 + digit;
    }
    *length = number;
    return SOS_OK;
}
