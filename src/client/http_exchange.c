/* SPDX-License-Identifier: MIT */
#include "http_exchange.h"

#include <stdio.h>
#include <string.h>

#include "proto/base64.h"

/* ---- Where to */

/* Texts one behind the other, in memory that is large enough for all of them. */
struct writer {
    char *at, *end;
};

static struct sos_sink_ begin(const struct writer *writer)
{
    return sos_sink_(writer->at, (size_t)(writer->end - writer->at));
}

/* With a NUL behind it, which does not count. */
static struct sos_slice_ end(struct writer *writer, struct sos_sink_ *sink)
{
    struct sos_slice_ text = sos_slice_(writer->at, sink->length);
    writer->at += sink->length;
    *writer->at++ = '\0';
    return text;
}

static size_t length_of(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static bool is_local(const char *host)
{
    return host != NULL && strncmp(host, "unix:", 5) == 0;
}

/* Brackets around what has a colon, as an IPv6 address does. */
static struct sos_slice_ compose(struct writer *writer, const struct sos_http_where_ *where)
{
    const char *host = where->host != NULL ? where->host : "127.0.0.1";
    bool bare = !is_local(host) && strchr(host, ':') != NULL && host[0] != '[';
    struct sos_sink_ sink = begin(writer);
    sos_sink_text_(&sink, where->secure ? "wss" : "ws");
    sos_sink_text_(&sink, bare ? "://[" : "://");
    for (const char *c = is_local(host) ? "localhost" : host; *c != '\0'; c++)
        sos_sink_text_(&sink, bare && *c == '%' ? "%25" : (const char[]){ *c, '\0' });
    sos_sink_text_(&sink, bare ? "]" : "");
    if (where->port != 0) {
        sos_sink_byte_(&sink, ':');
        sos_sink_number_(&sink, where->port, 10);
    }
    if (where->path == NULL || where->path[0] != '/')
        sos_sink_byte_(&sink, '/');
    sos_sink_text_(&sink, where->path != NULL ? where->path : "");
    return end(writer, &sink);
}

static const char *write_host(struct writer *writer, const struct sos_url_ *url)
{
    struct sos_sink_ sink = begin(writer);
    sos_sink_put_(&sink, url->host);
    if (url->zone.length != 0) {
        sos_sink_byte_(&sink, '%');
        sos_sink_put_(&sink, url->zone);
    }
    return end(writer, &sink).at;
}

static struct sos_slice_ write_host_field(struct writer *writer, const struct sos_url_ *url)
{
    struct sos_sink_ sink = begin(writer);
    int length = sos_url_write_host_(url, sink.buffer, sink.size);
    sink.length = length > 0 ? (size_t)length : 0;
    return end(writer, &sink);
}

static struct sos_slice_ write_target(struct writer *writer, const struct sos_url_ *url)
{
    struct sos_sink_ sink = begin(writer);
    if (url->path.length == 0)
        sos_sink_byte_(&sink, '/');
    sos_sink_put_(&sink, url->target);
    return end(writer, &sink);
}

/* Basic authorization (RFC 7617), whose user has no colon. */
static const char *write_authorization(struct writer *writer, const struct sos_http_where_ *where,
                                       const struct sos_url_ *url, struct sos_slice_ *value)
{
    char *pair = writer->at;
    size_t size = (size_t)(writer->end - writer->at);
    int user = 0, password = 0;
    if (where->user != NULL || where->password != NULL) {
        user = snprintf(pair, size, "%s", where->user != NULL ? where->user : "");
        password = snprintf(pair + user + 1, size - (size_t)user - 1, "%s",
                            where->password != NULL ? where->password : "");
    } else if (url->has_user) {
        user = sos_url_decode_(url->user, false, pair, size);
        password = user < 0 ? user
                            : sos_url_decode_(url->password, false, pair + user + 1,
                                              size - (size_t)user - 1);
    } else {
        return NULL;
    }
    if (user < 0 || password < 0)
        return "user and password are percent-encoded";
    if (memchr(pair, ':', (size_t)user) != NULL)
        return "a user has no colon (RFC 7617, 2)";
    pair[user] = ':';
    writer->at += user + password + 1;
    struct sos_sink_ sink = begin(writer);
    sos_sink_text_(&sink, "Basic ");
    sink.length += sos_base64_encode_(sink.buffer + sink.length, pair,
                                      (size_t)user + (size_t)password + 1);
    *value = end(writer, &sink);
    return NULL;
}

static const char *write_all(struct sos_http_peer_ *peer, const struct sos_http_where_ *where)
{
    struct writer writer = { peer->memory, (char *)peer->memory + peer->size };
    struct sos_url_ url;
    struct sos_syntax_error_ error;
    struct sos_sink_ sink = begin(&writer);
    if (where->url != NULL)
        sos_sink_text_(&sink, where->url);
    peer->url = where->url != NULL ? end(&writer, &sink) : compose(&writer, where);
    if (sos_url_parse_(&url, peer->url, &error) != SOS_OK)
        return error.rule;
    if (url.scheme != SOS_URL_WS_ && url.scheme != SOS_URL_WSS_)
        return "the URL is of another scheme";
    peer->secure = url.is_secure;
    bool local = where->url == NULL && is_local(where->host);
    peer->host = local ? where->host : write_host(&writer, &url);
    peer->port = url.port;
    peer->host_field = write_host_field(&writer, &url);
    peer->target = write_target(&writer, &url);
    return write_authorization(&writer, where, &url, &peer->authorization);
}

int sos_http_peer_open_(struct sos_http_peer_ *peer, sos *os, const struct sos_http_where_ *where,
                        const char **rule)
{
    enum { FIXED = 1024 }; /* what is not from these texts: schemes, ports, signs between them */
    size_t place = length_of(where->url) + length_of(where->host) + length_of(where->path);
    size_t secret = length_of(where->user) + length_of(where->password);
    *peer = (struct sos_http_peer_){ .os = os, .size = 6 * place + 4 * secret + FIXED };
    peer->memory = sos_memory_take(os, peer->size);
    if (peer->memory == NULL)
        return SOS_ENOMEM;
    *rule = write_all(peer, where);
    if (*rule == NULL)
        return SOS_OK;
    sos_http_peer_close_(peer);
    return SOS_EINVAL;
}

void sos_http_peer_close_(struct sos_http_peer_ *peer)
{
    if (peer->memory != NULL)
        sos_memory_give(peer->os, peer->memory, peer->size);
    *peer = (struct sos_http_peer_){ .os = NULL };
}

bool sos_http_peer_is_open_book_(const struct sos_http_peer_ *peer)
{
    return peer->authorization.length != 0 && !peer->secure && !is_local(peer->host);
}

/* ---- The request */

static size_t size_of(const struct sos_http_peer_ *peer, const struct sos_http_field_ *fields,
                      size_t count)
{
    size_t size = 128 + peer->target.length + peer->host_field.length + peer->authorization.length;
    for (size_t index = 0; index < count; index++)
        size += fields[index].name.length + fields[index].value.length + 4;
    return size;
}

static void write_field(struct sos_http_writer_ *writer, struct sos_http_field_ field)
{
    if (field.value.at != NULL)
        sos_http_write_field_(writer, field.name, field.value);
}

int sos_http_put_get_(sos_stream *stream, const struct sos_http_peer_ *peer,
                      const struct sos_http_field_ *fields, size_t count, const char **rule)
{
    size_t size = size_of(peer, fields, count);
    char *room = sos_stream_room(stream, size);
    if (room == NULL)
        return SOS_ENOMEM;
    struct sos_http_writer_ writer = sos_http_writer_(room, size);
    sos_http_write_request_(&writer, sos_slice_text_("GET"), peer->target);
    sos_http_write_field_(&writer, sos_slice_text_("Host"), peer->host_field);
    if (peer->authorization.length != 0)
        sos_http_write_field_(&writer, sos_slice_text_("Authorization"), peer->authorization);
    for (size_t index = 0; index < count; index++)
        write_field(&writer, fields[index]);
    int length = sos_http_write_end_(&writer);
    *rule = writer.rule;
    return length < 0 ? length : sos_stream_put(stream, NULL, (size_t)length);
}

/* ---- The answer */

int sos_http_parse_answer_(sos_stream *stream, size_t size, size_t max_line,
                           struct sos_http_head_ *head, struct sos_http_field_ *fields)
{
    size_t all;
    const char *bytes = (const char *)sos_stream_data(stream, &all);
    *head = (struct sos_http_head_){ .kind = SOS_HTTP_RESPONSE_,
                                     .fields = fields,
                                     .field_capacity = SOS_HTTP_ANSWER_FIELDS_,
                                     .max_line = max_line,
                                     .max_head = SOS_HTTP_ANSWER_MAX_ };
    int status = sos_http_head_parse_(head, bytes, size);
    if (status < 0)
        return status;
    if (status == SOS_PARTIAL_ || (size_t)status != size)
        return SOS_EPROTO; /* an empty line where none ends a head */
    if (head->status >= 200 || head->status == 101)
        return SOS_OK;
    sos_stream_take(stream, size);
    return SOS_EAGAIN;
}
