/* SPDX-License-Identifier: MIT */
/* Hosts: names, IPv4 and IPv6 addresses, ports. */
#include "proto/chars.h"
#include "proto/url.h"

enum { NAME_MAX_LENGTH = 253, LABEL_MAX_LENGTH = 63 };

bool sos_url_is_ipv4_(struct sos_slice_ text)
{
    unsigned parts = 0;
    size_t at = 0;
    while (parts < 4) {
        size_t digits = sos_chars_span_(sos_slice_(text.at + at, text.length - at),
                                        SOS_CHAR_DIGIT_);
        unsigned value = 0;
        for (size_t i = at; i < at + digits && digits <= 3; i++)
            value = value * 10 + (unsigned)(text.at[i] - '0');
        if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && text.at[at] == '0'))
            return false;
        at += digits;
        if (++parts < 4 && (at == text.length || text.at[at++] != '.'))
            return false;
    }
    return at == text.length;
}

/* Up to the next colon. */
static struct sos_slice_ group_at(struct sos_slice_ text, size_t at)
{
    const char *colon = memchr(text.at + at, ':', text.length - at);
    size_t end = colon != NULL ? (size_t)(colon - text.at) : text.length;
    return sos_slice_(text.at + at, end - at);
}

bool sos_url_is_ipv6_(struct sos_slice_ text)
{
    unsigned groups = 0;
    bool is_short = false;
    size_t at = 0;
    if (text.length < 2 || (text.at[0] == ':' && text.at[1] != ':'))
        return false;
    while (at < text.length) {
        struct sos_slice_ group = group_at(text, at);
        if (group.length == 0) { /* the second colon of :: */
            if (is_short)
                return false;
            is_short = true;
            at += at == 0 ? 2 : 1;
            continue;
        }
        at += group.length;
        if (at == text.length && sos_url_is_ipv4_(group)) {
            groups += 2;
            break;
        }
        if (group.length > 4 || sos_chars_span_(group, SOS_CHAR_HEX_) != group.length)
            return false;
        groups++;
        if (at < text.length && ++at == text.length)
            return false; /* a single colon at the end */
    }
    return is_short ? groups < 8 : groups == 8;
}

/* What programs of old take for a number: 127.1, 0x7f000001, 2130706433. */
static bool is_numeric(struct sos_slice_ label)
{
    if (label.length >= 2 && label.at[0] == '0' && (label.at[1] | 0x20) == 'x')
        return sos_chars_span_(sos_slice_(label.at + 2, label.length - 2), SOS_CHAR_HEX_) ==
               label.length - 2;
    return sos_chars_span_(label, SOS_CHAR_DIGIT_) == label.length;
}

bool sos_url_is_name_(struct sos_slice_ text)
{
    struct sos_slice_ left = text, label = text;
    if (left.length > 1 && left.at[left.length - 1] == '.')
        left.length--;
    if (left.length == 0 || left.length > NAME_MAX_LENGTH)
        return false;
    while (true) {
        const char *dot = memchr(left.at, '.', left.length);
        label = sos_slice_(left.at, dot != NULL ? (size_t)(dot - left.at) : left.length);
        if (label.length == 0 || label.length > LABEL_MAX_LENGTH)
            return false;
        for (size_t i = 0; i < label.length; i++) {
            if (!sos_char_is_(label.at[i], SOS_CHAR_UNRESERVED_) || label.at[i] == '~')
                return false;
        }
        if (dot == NULL)
            break;
        left = sos_slice_(dot + 1, left.length - label.length - 1);
    }
    return !is_numeric(label) || sos_url_is_ipv4_(text);
}

bool sos_url_parse_port_(struct sos_slice_ text, uint16_t *port)
{
    unsigned value = 0;
    *port = 0;
    if (text.length == 0)
        return true;
    if (text.at[0] != ':' || text.length > 6)
        return false;
    for (size_t i = 1; i < text.length; i++) {
        if (!sos_char_is_(text.at[i], SOS_CHAR_DIGIT_))
            return false;
        value = value * 10 + (unsigned)(text.at[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX && (value > 0 || text.length == 1);
}

bool sos_url_is_host_port_(struct sos_slice_ text, bool needs_port)
{
    size_t length = 0;
    uint16_t port;
    if (text.length > 0 && text.at[0] == '[') {
        const char *close = memchr(text.at, ']', text.length);
        if (close == NULL)
            return false;
        length = (size_t)(close - text.at) + 1;
        if (!sos_url_is_ipv6_(sos_slice_(text.at + 1, length - 2)))
            return false;
    } else {
        length = group_at(text, 0).length;
        if (!sos_url_is_name_(sos_slice_(text.at, length)))
            return false;
    }
    return sos_url_parse_port_(sos_slice_(text.at + length, text.length - length), &port) &&
           (port != 0 || !needs_port);
}

int sos_url_write_host_(const struct sos_url_ *url, char *to, size_t size)
{
    struct sos_sink_ sink = sos_sink_(to, size);
    if (url->is_ipv6)
        sos_sink_byte_(&sink, '[');
    sos_sink_put_(&sink, url->host);
    if (url->is_ipv6)
        sos_sink_byte_(&sink, ']');
    if (url->port != sos_url_scheme_port_(url->scheme)) {
        sos_sink_byte_(&sink, ':');
        sos_sink_number_(&sink, url->port, 10);
    }
    return sos_sink_end_(&sink);
}
