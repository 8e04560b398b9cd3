/* SPDX-License-Identifier: MIT */
/* What a reference means, seen from a URL (RFC 3986, 5.2). */
#include "proto/chars.h"
#include "proto/url.h"

/* A reference by RFC 3986, appendix B. `at` NULL: the part is absent. */
struct reference {
    struct sos_slice_ scheme, authority, path, query, fragment;
};

static struct sos_slice_ take_until(struct sos_slice_ *text, const char *ends)
{
    size_t length = 0;
    while (length < text->length && strchr(ends, text->at[length]) == NULL)
        length++;
    struct sos_slice_ part = sos_slice_(text->at, length);
    *text = sos_slice_(text->at + length, text->length - length);
    return part;
}

static void skip(struct sos_slice_ *text, size_t count)
{
    *text = sos_slice_(text->at + count, text->length - count);
}

static bool is_scheme(struct sos_slice_ text)
{
    for (size_t i = 0; i < text.length; i++) {
        bool is_later = sos_char_is_(text.at[i], SOS_CHAR_DIGIT_) || text.at[i] == '+' ||
                        text.at[i] == '-' || text.at[i] == '.';
        if (!sos_char_is_(text.at[i], SOS_CHAR_ALPHA_) && (i == 0 || !is_later))
            return false;
    }
    return text.length > 0;
}

static struct reference split(struct sos_slice_ text)
{
    struct reference parts = { .scheme = { NULL, 0 } };
    struct sos_slice_ rest = text;
    struct sos_slice_ scheme = take_until(&rest, ":/?#");
    if (rest.length > 0 && rest.at[0] == ':' && is_scheme(scheme)) {
        parts.scheme = scheme;
        skip(&rest, 1);
    } else {
        rest = text;
    }
    if (rest.length >= 2 && rest.at[0] == '/' && rest.at[1] == '/') {
        skip(&rest, 2);
        parts.authority = take_until(&rest, "/?#");
    }
    parts.path = take_until(&rest, "?#");
    if (rest.length > 0 && rest.at[0] == '?') {
        skip(&rest, 1);
        parts.query = take_until(&rest, "#");
    }
    if (rest.length > 0) {
        skip(&rest, 1);
        parts.fragment = rest;
    }
    return parts;
}

/* Bytes as they are if sos_url_parse_ takes them in that part, else encoded. `more` as there. */
static void put_mended(struct sos_sink_ *sink, struct sos_slice_ text, unsigned more)
{
    const unsigned kinds = SOS_CHAR_UNRESERVED_ | SOS_CHAR_SUBDELIM_ | more;
    while (text.length > 0) {
        size_t good = sos_chars_escaped_span_(text, kinds, ":@/?");
        sos_sink_put_(sink, sos_slice_(text.at, good));
        skip(&text, good);
        if (text.length == 0)
            break;
        char escape[3];
        int length = sos_url_encode_(sos_slice_(text.at, 1), SOS_URL_QUERY_, escape, sizeof escape);
        sos_sink_put_(sink, sos_slice_(escape, (size_t)length));
        skip(&text, 1);
    }
}

/* Takes the last segment away again; `start` is where the path starts. */
static void pop_segment(struct sos_sink_ *sink, size_t start)
{
    if (sink->is_full || sink->length <= start + 1)
        return;
    sink->length--;
    while (sink->buffer[sink->length - 1] != '/')
        sink->length--;
}

/* The segments of `path`, whose first / is written already, without . and .. (RFC 3986, 5.2.4). */
static void put_segments(struct sos_sink_ *sink, size_t start, struct sos_slice_ path)
{
    while (path.length > 0) {
        struct sos_slice_ segment = take_until(&path, "/");
        bool is_last = path.length == 0;
        if (!is_last)
            skip(&path, 1);
        if (sos_slice_is_(segment, ".."))
            pop_segment(sink, start);
        if (sos_slice_is_(segment, ".") || sos_slice_is_(segment, ".."))
            continue;
        put_mended(sink, segment, 0);
        if (!is_last)
            sos_sink_byte_(sink, '/');
    }
}

static void put_path(struct sos_sink_ *sink, const struct sos_url_ *base, struct sos_slice_ path)
{
    size_t start = sink->length;
    if (path.length == 0)
        return;
    sos_sink_byte_(sink, '/');
    if (path.at[0] == '/') {
        skip(&path, 1);
    } else if (base != NULL && base->path.length > 0) {
        struct sos_slice_ folder = base->path;
        while (folder.at[folder.length - 1] != '/')
            folder.length--;
        skip(&folder, 1);
        put_segments(sink, start, folder);
    }
    put_segments(sink, start, path);
}

static void put_part(struct sos_sink_ *sink, char mark, struct sos_slice_ part)
{
    if (part.at == NULL)
        return;
    sos_sink_byte_(sink, mark);
    put_mended(sink, part, SOS_CHAR_LOOSE_);
}

static void put_all(struct sos_sink_ *sink, const struct sos_url_ *base,
                    const struct reference *parts)
{
    bool is_absolute = parts->scheme.at != NULL,
         is_remote = is_absolute || parts->authority.at != NULL;
    if (is_absolute)
        sos_sink_put_(sink, parts->scheme);
    else
        sos_sink_text_(sink, sos_url_scheme_name_(base->scheme));
    sos_sink_text_(sink, "://");
    sos_sink_put_(sink, is_remote ? parts->authority : base->authority);
    bool is_same = !is_remote && parts->path.length == 0;
    if (is_same)
        sos_sink_put_(sink, parts->query.at != NULL ? base->path : base->target);
    else
        put_path(sink, is_remote ? NULL : base, parts->path);
    put_part(sink, '?', parts->query);
    put_part(sink, '#', parts->fragment);
}

int sos_url_resolve_(const struct sos_url_ *base, struct sos_slice_ reference, char *to,
                     size_t size)
{
    if (base->scheme == SOS_URL_UNIX_)
        return SOS_EINVAL;
    for (size_t i = 0; i < reference.length; i++) {
        unsigned char byte = (unsigned char)reference.at[i];
        if (byte < ' ' || byte == 0x7F)
            return SOS_EPROTO;
    }
    struct reference parts = split(reference);
    if (parts.scheme.at != NULL && parts.authority.at == NULL)
        return SOS_EPROTO; /* mailto:, and http:x, which once was a relative one */
    struct sos_sink_ sink = sos_sink_(to, size);
    put_all(&sink, base, &parts);
    int length = sos_sink_end_(&sink);
    struct sos_url_ url;
    if (length > 0 && (sos_url_parse_(&url, sos_slice_(to, (size_t)length), NULL) != SOS_OK ||
                       url.scheme == SOS_URL_UNIX_))
        return SOS_EPROTO;
    return length;
}
