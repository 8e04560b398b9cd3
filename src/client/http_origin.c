/* SPDX-License-Identifier: MIT */
/* URLs of requests and redirects: which server is meant, and which target there. */
#include <string.h>

#include "client/http_internal.h"
#include "proto/base64.h"

enum { HOST_ROOM = 320, LOGIN_MOST = 1024 };

/* ---- Servers */

struct names {
    char host[HOST_ROOM], prefix[HOST_ROOM], authority[HOST_ROOM], field[HOST_ROOM];
    struct sos_sink_ sinks[4];
};

static const char *scheme_of(bool secure)
{
    return secure ? "https" : "http";
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

/* The texts by which it is known; false: too long, which a host name cannot be. */
static bool name_it(struct names *names, const struct sos_url_ *url)
{
    char shown[HOST_ROOM];
    int length = sos_url_write_host_(url, shown, sizeof shown);
    if (length < 0)
        return false;
    for (int i = 0; i < length; i++) /* RFC 3986, 6.2.2.1 */
        shown[i] = lower(shown[i]);
    struct sos_slice_ host = sos_slice_(shown, (size_t)length);
    struct sos_sink_ *sinks = names->sinks;
    sinks[0] = sos_sink_(names->host, sizeof names->host);
    for (size_t i = 0; i < url->host.length; i++)
        sos_sink_byte_(&sinks[0], lower(url->host.at[i]));
    if (url->zone.length != 0) {
        sos_sink_byte_(&sinks[0], '%');
        sos_sink_put_(&sinks[0], url->zone);
    }
    sinks[1] = sos_sink_(names->prefix, sizeof names->prefix);
    sos_sink_text_(&sinks[1], scheme_of(url->is_secure));
    sos_sink_text_(&sinks[1], "://");
    if (url->zone.length !=
        0) { /* behind the address, which is what a redirect is resolved against */
        size_t front = url->host.length + 1;
        sos_sink_put_(&sinks[1], sos_slice_(shown, front));
        sos_sink_text_(&sinks[1], "%25");
        sos_sink_put_(&sinks[1], url->zone);
        sos_sink_put_(&sinks[1], sos_slice_(shown + front, host.length - front));
    } else {
        sos_sink_put_(&sinks[1], host);
    }
    sinks[2] = sos_sink_(names->authority, sizeof names->authority);
    sos_sink_put_(&sinks[2], host);
    if (url->port == sos_url_scheme_port_(url->scheme)) {
        sos_sink_byte_(&sinks[2], ':');
        sos_sink_number_(&sinks[2], url->port, 10);
    }
    sinks[3] = sos_sink_(names->field, sizeof names->field);
    sos_sink_text_(&sinks[3], "Host: ");
    sos_sink_put_(&sinks[3], host);
    sos_sink_text_(&sinks[3], "\r\n");
    return !sinks[0].is_full && !sinks[1].is_full && !sinks[2].is_full && !sinks[3].is_full;
}

static struct sos_slice_ written(const struct sos_sink_ *sink)
{
    return sos_slice_(sink->buffer, sink->length);
}

static struct sos_slice_ put_behind(char **at, struct sos_slice_ text)
{
    char *start = *at;
    memcpy(start, text.at, text.length);
    start[text.length] = '\0';
    *at += text.length + 1;
    return sos_slice_(start, text.length);
}

static struct sos_http_origin_ *make(sos_http *http, struct sos_slice_ host,
                                     struct sos_slice_ prefix, struct sos_slice_ authority,
                                     struct sos_slice_ field)
{
    size_t size = sizeof(struct sos_http_origin_) + host.length + prefix.length + authority.length +
                  field.length + 4;
    struct sos_http_origin_ *origin = sos_memory_take(http->os, size);
    if (origin == NULL)
        return NULL;
    char *at = (char *)(origin + 1);
    *origin = (struct sos_http_origin_){
        .next = http->origins, .http = http, .count = 1, .size = size
    };
    origin->host = put_behind(&at, host);
    origin->prefix = put_behind(&at, prefix);
    origin->authority = put_behind(&at, authority);
    origin->host_field = put_behind(&at, field);
    http->origins = origin;
    http->count++;
    return origin;
}

struct sos_http_origin_ *sos_http_origin_of_(sos_http *http, const struct sos_url_ *url)
{
    struct names names;
    if (!name_it(&names, url))
        return NULL;
    struct sos_slice_ host = written(&names.sinks[0]), prefix = written(&names.sinks[1]);
    for (struct sos_http_origin_ *origin = http->origins; origin != NULL; origin = origin->next) {
        if (sos_slice_equal_(origin->prefix, prefix) &&
            (origin->local || sos_slice_equal_(origin->host, host))) {
            origin->count++;
            return origin;
        }
    }
    struct sos_http_origin_ *origin = make(http, host, prefix, written(&names.sinks[2]),
                                           written(&names.sinks[3]));
    if (origin != NULL) {
        origin->secure = url->is_secure;
        origin->port = url->port;
    }
    return origin;
}

struct sos_http_origin_ *sos_http_origin_local_(sos_http *http, struct sos_slice_ path)
{
    struct sos_http_origin_ *origin = make(http, path, sos_slice_text_("http://localhost"),
                                           sos_slice_text_("localhost:80"),
                                           sos_slice_text_("Host: localhost\r\n"));
    if (origin != NULL)
        origin->local = true;
    return origin;
}

void sos_http_origin_leave_(struct sos_http_origin_ *origin)
{
    if (origin == NULL || --origin->count != 0)
        return;
    sos_http *http = origin->http;
    struct sos_http_origin_ **at = &http->origins;
    while (*at != origin)
        at = &(*at)->next;
    *at = origin->next;
    sos_memory_give(http->os, origin->session.bytes, origin->session.room);
    sos_memory_give(http->os, origin, origin->size);
    sos_http_leave_(http);
}

/* ---- Credentials */

int sos_http_write_login_(char *to, size_t size, const char *name, struct sos_slice_ user,
                          struct sos_slice_ password)
{
    char pair[LOGIN_MOST], code[SOS_BASE64_LENGTH_(LOGIN_MOST)];
    size_t length = user.length + 1 + password.length;
    if (length > sizeof pair)
        return SOS_ELIMIT;
    memcpy(pair, user.at, user.length);
    pair[user.length] = ':';
    memcpy(pair + user.length + 1, password.at, password.length);
    struct sos_sink_ sink = sos_sink_(to, size);
    sos_sink_text_(&sink, name);
    sos_sink_text_(&sink, ": Basic ");
    sos_sink_put_(&sink, sos_slice_(code, sos_base64_encode_(code, pair, length)));
    sos_sink_text_(&sink, "\r\n");
    return sos_sink_end_(&sink);
}

/* User and password of a URL, decoded, as a field. */
int sos_http_write_url_login_(char *to, size_t size, const char *name, const struct sos_url_ *url)
{
    char user[LOGIN_MOST], password[LOGIN_MOST];
    int user_length = sos_url_decode_(url->user, false, user, sizeof user);
    int password_length = sos_url_decode_(url->password, false, password, sizeof password);
    if (user_length < 0 || password_length < 0 || memchr(user, ':', (size_t)user_length) != NULL)
        return SOS_EINVAL;
    return sos_http_write_login_(to, size, name, sos_slice_(user, (size_t)user_length),
                                 sos_slice_(password, (size_t)password_length));
}

static size_t login_room(const struct sos_url_ *url)
{
    enum { AROUND = 64 };
    if (!url->has_user)
        return 0;
    return SOS_BASE64_LENGTH_(url->user.length + url->password.length + 1) + AROUND;
}

/* ---- Hops */

void sos_http_hop_end_(struct sos_http_hop_ *hop)
{
    sos_http_origin_leave_(hop->origin);
    if (hop->http != NULL)
        sos_memory_give(hop->http->os, hop->memory, hop->memory_size);
    *hop = (struct sos_http_hop_){ .http = hop->http };
}

/* Takes a whole URL, which lies in `hop->memory` with something in front of it. */
static int go_to(struct sos_http_hop_ *hop, struct sos_slice_ text, char *login_at, size_t room,
                 const char **why)
{
    struct sos_url_ url;
    struct sos_syntax_error_ error;
    if (sos_url_parse_(&url, text, &error) != SOS_OK) {
        *why = error.rule;
        return SOS_EINVAL;
    }
    if (url.scheme != SOS_URL_HTTP_ && url.scheme != SOS_URL_HTTPS_) {
        *why = "the scheme of a URL is http or https";
        return SOS_EINVAL;
    }
    if (url.has_user) {
        int length = login_room(&url) > room
                         ? SOS_ELIMIT
                         : sos_http_write_url_login_(login_at, room, "Authorization", &url);
        if (length < 0) {
            *why = "user or password of the URL cannot be sent (RFC 7617, 2)";
            return SOS_EINVAL;
        }
        hop->login = sos_slice_(login_at, (size_t)length);
    }
    hop->origin = sos_http_origin_of_(hop->http, &url);
    if (hop->origin == NULL)
        return SOS_ENOMEM;
    hop->target = url.target;
    if (url.path.length == 0) { /* what stands in front is of no more use */
        hop->target = sos_slice_(hop->target.at - 1, hop->target.length + 1);
        *(char *)(uintptr_t)hop->target.at = '/';
    }
    return SOS_OK;
}

static size_t reference_room(const struct sos_http_request *request, struct sos_slice_ url)
{
    size_t size = url.length + 2;
    for (size_t i = 0; i < request->query_count; i++)
        size += 3 * (strlen(request->query[i].name) + strlen(request->query[i].value)) + 2;
    return size;
}

/* The URL of the request with its query, without a fragment. */
static size_t write_reference(const struct sos_http_request *request, struct sos_slice_ url,
                              char *to, size_t size)
{
    const char *fragment = memchr(url.at, '#', url.length);
    if (fragment != NULL)
        url.length = (size_t)(fragment - url.at);
    bool has_query = memchr(url.at, '?', url.length) != NULL;
    memcpy(to, url.at, url.length);
    if (request->query_count == 0)
        return url.length;
    to[url.length++] = has_query ? '&' : '?';
    struct sos_sink_ pairs = sos_sink_(to + url.length, size - url.length);
    for (size_t i = 0; i < request->query_count; i++)
        sos_url_query_add_(&pairs, sos_slice_text_(request->query[i].name),
                           sos_slice_text_(request->query[i].value));
    return url.length + pairs.length;
}

static bool is_path(struct sos_slice_ url)
{
    return url.length != 0 && url.at[0] == '/' && (url.length == 1 || url.at[1] != '/');
}

/* Behind each other: the reference, what it resolves to, the login. */
static int compose(struct sos_http_hop_ *hop, const struct sos_http_request *request,
                   struct sos_slice_ url, const char **why)
{
    enum { AROUND = 16 };
    sos_http *http = hop->http;
    size_t first = reference_room(request, url);
    size_t second = http->base_url.length + 3 * first + AROUND;
    size_t third = 2 * url.length + 64;
    hop->memory_size = first + second + third;
    hop->memory = sos_memory_take(http->os, hop->memory_size);
    if (hop->memory == NULL)
        return SOS_ENOMEM;
    size_t length = write_reference(request, url, hop->memory, first);
    struct sos_slice_ reference = sos_slice_(hop->memory, length);
    if (http->base != NULL && is_path(reference)) {
        hop->origin = http->base;
        hop->origin->count++;
        hop->target = reference;
        return SOS_OK;
    }
    if (http->base != NULL) {
        struct sos_url_ base;
        int status = sos_url_parse_(&base, http->base_url, NULL);
        int made = status == SOS_OK
                       ? sos_url_resolve_(&base, reference, hop->memory + first, second)
                       : status;
        if (made < 0) {
            *why = "the URL of the request is none";
            return SOS_EINVAL;
        }
        reference = sos_slice_(hop->memory + first, (size_t)made);
    }
    return go_to(hop, reference, hop->memory + first + second, third, why);
}

int sos_http_hop_first_(sos_http *http, const struct sos_http_request *request,
                        struct sos_http_hop_ *hop, const char **why)
{
    struct sos_slice_ url = sos_slice_text_(request->url != NULL ? request->url : "/");
    *hop = (struct sos_http_hop_){ .http = http };
    if (http->base == NULL || !is_path(url) || request->query_count != 0 ||
        memchr(url.at, '#', url.length) != NULL)
        return compose(hop, request, url, why);
    hop->origin = http->base;
    hop->origin->count++;
    hop->target = url;
    return SOS_OK;
}

/* The URL that the hop went to; its length. */
static size_t write_url(const struct sos_http_hop_ *hop, char *to)
{
    memcpy(to, hop->origin->prefix.at, hop->origin->prefix.length);
    memcpy(to + hop->origin->prefix.length, hop->target.at, hop->target.length);
    return hop->origin->prefix.length + hop->target.length;
}

int sos_http_hop_next_(struct sos_http_hop_ *hop, const char *location, const char **why)
{
    enum { AROUND = 16 };
    struct sos_url_ base;
    struct sos_slice_ reference = sos_slice_text_(location);
    struct sos_http_hop_ next = { .http = hop->http };
    size_t first = hop->origin->prefix.length + hop->target.length;
    size_t second = first + 3 * reference.length + AROUND;
    size_t third = 2 * reference.length + 64;
    if (third < hop->login.length)
        third = hop->login.length;
    next.memory_size = first + second + third;
    next.memory = sos_memory_take(hop->http->os, next.memory_size);
    if (next.memory == NULL)
        return SOS_ENOMEM;
    int status = sos_url_parse_(&base, sos_slice_(next.memory, write_url(hop, next.memory)), NULL);
    if (status == SOS_OK)
        status = sos_url_resolve_(&base, reference, next.memory + first, second);
    *why = "Location is a URL of http or https (RFC 9110, 10.2.2)";
    if (status > 0)
        status = go_to(&next, sos_slice_(next.memory + first, (size_t)status),
                       next.memory + first + second, third, why);
    if (status != SOS_OK) {
        sos_http_hop_end_(&next);
        return status == SOS_ENOMEM ? status : SOS_EPROTO;
    }
    if (next.login.length == 0 && next.origin == hop->origin && hop->login.length != 0) {
        char *to = next.memory + first + second;
        memcpy(to, hop->login.at, hop->login.length);
        next.login = sos_slice_(to, hop->login.length);
    }
    sos_http_hop_end_(hop);
    *hop = next;
    *why = NULL;
    return SOS_OK;
}
