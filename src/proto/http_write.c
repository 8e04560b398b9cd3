/* SPDX-License-Identifier: MIT */
/* Heads and chunk lines into a buffer. Nothing is written that could be read as two things. */
#include "proto/chars.h"
#include "proto/http.h"

struct sos_http_writer_ sos_http_writer_(char *buffer, size_t size)
{
    return (struct sos_http_writer_){ .out = sos_sink_(buffer, size) };
}

static bool refuse(struct sos_http_writer_ *writer, const char *rule)
{
    if (writer->rule == NULL)
        writer->rule = rule;
    return false;
}

static bool is_token(struct sos_slice_ text)
{
    return text.length > 0 && sos_chars_span_(text, SOS_CHAR_TOKEN_) == text.length;
}

static bool is_text(struct sos_slice_ text)
{
    return sos_chars_text_span_(text) == text.length;
}

static bool is_target(struct sos_slice_ target)
{
    for (size_t i = 0; i < target.length; i++) {
        if (target.at[i] <= ' ' || target.at[i] >= 0x7F || target.at[i] == '#')
            return false;
    }
    return target.length > 0;
}

void sos_http_write_request_(struct sos_http_writer_ *writer, struct sos_slice_ method,
                             struct sos_slice_ target)
{
    if (!is_token(method))
        refuse(writer, "a method is a token (RFC 9110, 9.1)");
    if (!is_target(target))
        refuse(writer, "a target is visible ASCII and has no fragment (RFC 9112, 3.2)");
    sos_sink_put_(&writer->out, method);
    sos_sink_text_(&writer->out, " ");
    sos_sink_put_(&writer->out, target);
    sos_sink_text_(&writer->out, " HTTP/1.1\r\n");
}

void sos_http_write_status_(struct sos_http_writer_ *writer, int status, struct sos_slice_ reason)
{
    if (status < 100 || status > 999) {
        refuse(writer, "a status has three digits (RFC 9110, 15)");
        return;
    }
    if (reason.at == NULL)
        reason = sos_slice_text_(sos_http_reason_(status));
    if (!is_text(reason))
        refuse(writer, "a reason has no control characters (RFC 9112, 4)");
    sos_sink_text_(&writer->out, "HTTP/1.1 ");
    sos_sink_number_(&writer->out, (uint64_t)status, 10);
    sos_sink_text_(&writer->out, " ");
    sos_sink_put_(&writer->out, reason);
    sos_sink_text_(&writer->out, "\r\n");
}

static bool check_name(struct sos_http_writer_ *writer, struct sos_slice_ name)
{
    return is_token(name) || refuse(writer, "a field name is a token (RFC 9110, 5.1)");
}

void sos_http_write_field_(struct sos_http_writer_ *writer, struct sos_slice_ name,
                           struct sos_slice_ value)
{
    check_name(writer, name);
    if (!is_text(value))
        refuse(writer, "a field value has no control characters (RFC 9110, 5.5)");
    if (sos_slice_trim_(value).length != value.length)
        refuse(writer, "a field value has no white space around it (RFC 9110, 5.5)");
    sos_sink_put_(&writer->out, name);
    sos_sink_text_(&writer->out, ": ");
    sos_sink_put_(&writer->out, value);
    sos_sink_text_(&writer->out, "\r\n");
}

void sos_http_write_number_(struct sos_http_writer_ *writer, struct sos_slice_ name, uint64_t value)
{
    check_name(writer, name);
    sos_sink_put_(&writer->out, name);
    sos_sink_text_(&writer->out, ": ");
    sos_sink_number_(&writer->out, value, 10);
    sos_sink_text_(&writer->out, "\r\n");
}

int sos_http_write_end_(struct sos_http_writer_ *writer)
{
    sos_sink_text_(&writer->out, "\r\n");
    return sos_http_write_length_(writer);
}

int sos_http_write_length_(const struct sos_http_writer_ *writer)
{
    return writer->rule != NULL ? SOS_EINVAL : sos_sink_end_(&writer->out);
}

void sos_http_write_chunk_(struct sos_http_writer_ *writer, uint64_t length)
{
    if (length == 0)
        refuse(writer, "a chunk is not empty, the last one ends the body (RFC 9112, 7.1)");
    sos_sink_number_(&writer->out, length, 16);
    sos_sink_text_(&writer->out, "\r\n");
}

void sos_http_write_last_chunk_(struct sos_http_writer_ *writer)
{
    sos_sink_text_(&writer->out, "0\r\n");
}

static const struct reason {
    int status;
    const char *text;
} reasons[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 203, "Non-Authoritative Information" },
    { 204, "No Content" },
    { 205, "Reset Content" },
    { 206, "Partial Content" },
    { 300, "Multiple Choices" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 426, "Upgrade Required" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *sos_http_reason_(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "";
}
