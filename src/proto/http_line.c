/* SPDX-License-Identifier: MIT */
/* The first line of a message, and the target of a request. */
#include "proto/chars.h"
#include "proto/http.h"
#include "proto/url.h"

static int refuse(struct sos_http_head_ *head, size_t at, const char *rule)
{
    return sos_http_head_refuse_(head, SOS_EPROTO, 400, at, rule);
}

/* "HTTP/1.x" at the start; others are refused. `at` is its offset in the head. */
static int version(struct sos_http_head_ *head, struct sos_slice_ text, size_t at)
{
    static const char name[] = "HTTP/";
    const size_t length = sizeof name - 1;
    if (text.length < length + 3 || memcmp(text.at, name, length) != 0 ||
        !sos_char_is_(text.at[length], SOS_CHAR_DIGIT_) || text.at[length + 1] != '.' ||
        !sos_char_is_(text.at[length + 2], SOS_CHAR_DIGIT_))
        return refuse(head, at, "a version is HTTP/digit.digit (RFC 9112, 2.3)");
    if (text.at[length] != '1')
        return sos_http_head_refuse_(head, SOS_EPROTO, 505, at + length, "the version is HTTP/1");
    head->minor = text.at[length + 2] > '0';
    return SOS_OK;
}

enum { VERSION_LENGTH = 8 };

static int status_line(struct sos_http_head_ *head, struct sos_slice_ line, size_t at)
{
    const size_t digits = VERSION_LENGTH + 1, reason = digits + 4;
    int failed = version(head, line, at);
    if (failed < 0)
        return failed;
    if (line.length < digits + 3 || line.at[VERSION_LENGTH] != ' ')
        return refuse(head, at + VERSION_LENGTH, "a space, then the status (RFC 9112, 4)");
    struct sos_slice_ status = sos_slice_(line.at + digits, 3);
    size_t good = sos_chars_span_(status, SOS_CHAR_DIGIT_);
    if (good < 3 || status.at[0] == '0')
        return refuse(head, at + digits + good % 3, "a status has three digits (RFC 9110, 15)");
    head->status = (status.at[0] - '0') * 100 + (status.at[1] - '0') * 10 + (status.at[2] - '0');
    head->reason = sos_slice_(line.at + line.length, 0);
    if (line.length < reason)
        return SOS_OK;
    if (line.at[reason - 1] != ' ')
        return refuse(head, at + reason - 1, "a space, then the reason (RFC 9112, 4)");
    head->reason = sos_slice_(line.at + reason, line.length - reason);
    good = sos_chars_text_span_(head->reason);
    if (good < head->reason.length)
        return refuse(head, at + reason + good, "a reason has no control characters (RFC 9112, 4)");
    return SOS_OK;
}

static int request_line(struct sos_http_head_ *head, struct sos_slice_ line, size_t at)
{
    size_t method = sos_chars_span_(line, SOS_CHAR_TOKEN_);
    if (method == 0 || method == line.length || line.at[method] != ' ')
        return refuse(head, at + method, "a method is a token, then a space (RFC 9112, 3.1)");
    size_t target = method + 1;
    const char *space = memchr(line.at + target, ' ', line.length - target);
    if (space == NULL)
        return refuse(head, at + line.length, "the version follows the target (RFC 9112, 3)");
    size_t after = (size_t)(space - line.at) + 1;
    struct sos_slice_ rest = sos_slice_(space + 1, line.length - after);
    int failed = version(head, rest, at + after);
    if (failed < 0)
        return failed;
    if (rest.length != VERSION_LENGTH)
        return refuse(head, at + after + VERSION_LENGTH, "nothing after the version (RFC 9112, 3)");
    head->method = sos_slice_(line.at, method);
    head->target = sos_slice_(line.at + target, after - 1 - target);
    size_t bad;
    int form = sos_http_target_form_(head->method, head->target, &bad);
    if (form < 0)
        return refuse(head, at + target + bad, "the target has a form of RFC 9112, 3.2");
    head->form = (enum sos_http_form_)form;
    return SOS_OK;
}

int sos_http_start_line_(struct sos_http_head_ *head, struct sos_slice_ line, size_t at)
{
    return head->kind == SOS_HTTP_REQUEST_ ? request_line(head, line, at)
                                           : status_line(head, line, at);
}

/* "http://host:port/path?query" or https: no user, no fragment. */
static bool is_absolute(struct sos_slice_ target, size_t *bad)
{
    struct sos_url_ url;
    struct sos_syntax_error_ error;
    *bad = 0;
    if (sos_url_parse_(&url, target, &error) < 0) {
        *bad = (size_t)error.at;
        return false;
    }
    return (url.scheme == SOS_URL_HTTP_ || url.scheme == SOS_URL_HTTPS_) && !url.has_user &&
           !url.has_fragment;
}

int sos_http_target_form_(struct sos_slice_ method, struct sos_slice_ target, size_t *bad)
{
    *bad = 0;
    if (target.length == 0)
        return -1;
    if (sos_slice_is_(method, "CONNECT"))
        return sos_url_is_host_port_(target, true) ? SOS_HTTP_AUTHORITY_ : -1;
    if (target.at[0] == '/') {
        *bad = sos_chars_escaped_span_(
            target, SOS_CHAR_UNRESERVED_ | SOS_CHAR_SUBDELIM_ | SOS_CHAR_LOOSE_, ":@/?");
        return *bad == target.length ? SOS_HTTP_ORIGIN_ : -1;
    }
    if (sos_slice_is_(target, "*"))
        return sos_slice_is_(method, "OPTIONS") ? SOS_HTTP_ASTERISK_ : -1;
    return is_absolute(target, bad) ? SOS_HTTP_ABSOLUTE_ : -1;
}
