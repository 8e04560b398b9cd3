/* SPDX-License-Identifier: MIT */
/* A URL into its parts. */
#include "proto/url.h"

#include "proto/chars.h"

static const struct scheme {
    const char *name;
    uint16_t port;
    bool is_secure;
} schemes[] = {
    [SOS_URL_HTTP_] = { "http", 80, false },     [SOS_URL_HTTPS_] = { "https", 443, true },
    [SOS_URL_WS_] = { "ws", 80, false },         [SOS_URL_WSS_] = { "wss", 443, true },
    [SOS_URL_REDIS_] = { "redis", 6379, false }, [SOS_URL_REDISS_] = { "rediss", 6379, true },
    [SOS_URL_MQTT_] = { "mqtt", 1883, false },   [SOS_URL_MQTTS_] = { "mqtts", 8883, true },
    [SOS_URL_UNIX_] = { "unix", 0, false },
};

enum { SCHEMES = sizeof schemes / sizeof *schemes };

const char *sos_url_scheme_name_(enum sos_url_scheme_ scheme)
{
    return schemes[scheme].name;
}

uint16_t sos_url_scheme_port_(enum sos_url_scheme_ scheme)
{
    return schemes[scheme].port;
}

/* What is left to read, and where the first error is to go. */
struct reading {
    const char *text;
    struct sos_slice_ rest;
    struct sos_syntax_error_ *error;
};

static int refuse(struct reading *reading, const char *at, const char *rule)
{
    if (reading->error != NULL)
        *reading->error = (struct sos_syntax_error_){ rule, (uint64_t)(at - reading->text) };
    return SOS_EPROTO;
}

/* The rest up to one of the bytes of `ends`, which stays. */
static struct sos_slice_ take_until(struct reading *reading, const char *ends)
{
    struct sos_slice_ part = sos_slice_(reading->rest.at, 0);
    while (part.length < reading->rest.length &&
           (part.at[part.length] == '\0' || strchr(ends, part.at[part.length]) == NULL))
        part.length++;
    reading->rest.at += part.length;
    reading->rest.length -= part.length;
    return part;
}

static bool take(struct reading *reading, const char *text)
{
    size_t length = strlen(text);
    if (reading->rest.length < length || memcmp(reading->rest.at, text, length) != 0)
        return false;
    reading->rest.at += length;
    reading->rest.length -= length;
    return true;
}

static int read_scheme(struct reading *reading, struct sos_url_ *url)
{
    struct sos_slice_ name = take_until(reading, ":/?#");
    for (int i = 0; i < SCHEMES; i++) {
        if (sos_slice_is_caseless_(name, schemes[i].name) && take(reading, ":")) {
            url->scheme = (enum sos_url_scheme_)i;
            url->port = schemes[i].port;
            url->is_secure = schemes[i].is_secure;
            return SOS_OK;
        }
    }
    return refuse(reading, name.at,
                  "a URL starts with http, https, ws, wss, redis, rediss, mqtt, "
                  "mqtts or unix, and a colon");
}

static int check_part(struct reading *reading, struct sos_slice_ part, unsigned more,
                      const char *others, const char *rule)
{
    size_t good = sos_chars_escaped_span_(part, SOS_CHAR_UNRESERVED_ | SOS_CHAR_SUBDELIM_ | more,
                                          others);
    return good == part.length ? SOS_OK : refuse(reading, part.at + good, rule);
}

static int read_user(struct reading *reading, struct sos_url_ *url, struct sos_slice_ text)
{
    const char *colon = memchr(text.at, ':', text.length);
    size_t length = colon != NULL ? (size_t)(colon - text.at) : text.length;
    url->has_user = true;
    url->user = sos_slice_(text.at, length);
    if (colon != NULL) {
        url->has_password = true;
        url->password = sos_slice_(colon + 1, text.length - length - 1);
    }
    return check_part(reading, text, 0, ":", "a user or password is not escaped (RFC 3986, 3.2.1)");
}

/* The address in brackets at the start of `text`; its length, or 0. */
static size_t read_ipv6(struct sos_url_ *url, struct sos_slice_ text)
{
    const char *close = memchr(text.at, ']', text.length);
    if (close == NULL)
        return 0;
    struct sos_slice_ inside = sos_slice_(text.at + 1, (size_t)(close - text.at) - 1);
    const char *percent = memchr(inside.at, '%', inside.length);
    url->is_ipv6 = true;
    url->host = inside;
    if (percent != NULL) {
        size_t left = inside.length - (size_t)(percent - inside.at);
        if (left < 4 || memcmp(percent, "%25", 3) != 0)
            return 0;
        url->host.length = (size_t)(percent - inside.at);
        url->zone = sos_slice_(percent + 3, left - 3);
        if (sos_chars_escaped_span_(url->zone, SOS_CHAR_UNRESERVED_, "") != url->zone.length)
            return 0;
    }
    return sos_url_is_ipv6_(url->host) ? inside.length + 2 : 0;
}

static int read_host(struct reading *reading, struct sos_url_ *url, struct sos_slice_ text)
{
    size_t length;
    if (text.length > 0 && text.at[0] == '[') {
        length = read_ipv6(url, text);
        if (length == 0)
            return refuse(reading, text.at, "brackets hold an IPv6 address (RFC 3986, 3.2.2)");
    } else {
        const char *colon = memchr(text.at, ':', text.length);
        length = colon != NULL ? (size_t)(colon - text.at) : text.length;
        url->host = sos_slice_(text.at, length);
        if (!sos_url_is_name_(url->host))
            return refuse(reading, text.at, "a host is a name or an address (RFC 3986, 3.2.2)");
    }
    uint16_t port;
    if (!sos_url_parse_port_(sos_slice_(text.at + length, text.length - length), &port))
        return refuse(reading, text.at + length, "a port is a number from 1 to 65535");
    url->has_port = port != 0;
    if (port != 0)
        url->port = port;
    return SOS_OK;
}

static int read_authority(struct reading *reading, struct sos_url_ *url)
{
    if (!take(reading, "//"))
        return refuse(reading, reading->rest.at, "// and a host follow the scheme");
    url->authority = take_until(reading, "/?#");
    struct sos_slice_ host = url->authority;
    for (size_t i = host.length; i-- > 0;) {
        if (host.at[i] != '@')
            continue;
        int failed = read_user(reading, url, sos_slice_(host.at, i));
        if (failed != SOS_OK)
            return failed;
        host = sos_slice_(host.at + i + 1, host.length - i - 1);
        break;
    }
    return read_host(reading, url, host);
}

static int read_unix(struct reading *reading)
{
    struct reading full = *reading;
    if (take(&full, "//"))
        *reading = full;
    if (reading->rest.length < 2 || reading->rest.at[0] != '/')
        return refuse(reading, reading->rest.at, "unix: is followed by a path from / on");
    return SOS_OK;
}

static int read_rest(struct reading *reading, struct sos_url_ *url)
{
    url->path = take_until(reading, "?#");
    url->target = url->path;
    url->has_query = take(reading, "?");
    url->query = take_until(reading, "#");
    if (url->has_query)
        url->target.length += 1 + url->query.length;
    url->has_fragment = take(reading, "#");
    url->fragment = reading->rest;
    int failed = check_part(reading, url->path, 0, ":@/", "a path has no such byte unescaped");
    if (failed == SOS_OK)
        failed = check_part(reading, url->query, SOS_CHAR_LOOSE_, ":@/?",
                            "a query has no such byte unescaped");
    if (failed == SOS_OK)
        failed = check_part(reading, url->fragment, SOS_CHAR_LOOSE_, ":@/?",
                            "a fragment has no such byte unescaped");
    return failed;
}

int sos_url_parse_(struct sos_url_ *url, struct sos_slice_ text, struct sos_syntax_error_ *error)
{
    struct reading reading = { text.at, text, error };
    const struct sos_slice_ none = sos_slice_(text.at, 0);
    *url = (struct sos_url_){
        .user = none, .password = none, .host = none, .zone = none, .authority = none
    };
    if (error != NULL)
        *error = (struct sos_syntax_error_){ NULL, 0 };
    int failed = read_scheme(&reading, url);
    if (failed == SOS_OK)
        failed = url->scheme == SOS_URL_UNIX_ ? read_unix(&reading) : read_authority(&reading, url);
    return failed == SOS_OK ? read_rest(&reading, url) : failed;
}
