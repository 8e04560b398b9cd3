/* SPDX-License-Identifier: MIT */
/* The client, made from its options: all its texts lie in one block. */
#include <string.h>

#include "client/http_internal.h"

enum {
    URL_MOST = 8192,
    LOGIN_ROOM = 1536,
    REDIRECTS = 10,
    IDLE = 100,
    IDLE_S = 30,
    OWN_FIELDS = 3 /* User-Agent, Accept-Encoding, Authorization */
};

/* ---- References, and who is to hear that the client is closed */

/* The base lasts as long as anything else refers to the client: it says whom the client trusts. */
void sos_http_leave_(sos_http *http)
{
    struct sos_http_origin_ *base = http->base;
    if (--http->count == 1 && base != NULL) {
        http->base = NULL;
        sos_http_origin_leave_(base); /* which was the last one to refer to it */
        return;
    }
    if (http->count != 0)
        return;
    if (!http->shares_tls)
        sos_tls_context_close(http->tls.context);
    sos_tls_context_close(http->foreign);
    sos_memory_give(http->os, http->defaults, http->block_size);
    sos_memory_give(http->os, http, sizeof *http);
}

void sos_http_enter_(sos_http *http, struct sos_http_user_ *user, sos_task *task)
{
    user->task = sos_self(task);
    user->next = &http->users;
    user->prev = http->users.prev;
    user->prev->next = http->users.prev = user;
    http->count++;
}

void sos_http_exit_(sos_http *http, struct sos_http_user_ *user)
{
    user->prev->next = user->next;
    user->next->prev = user->prev;
    sos_http_leave_(http);
}

void sos_http_close(sos_http *http)
{
    if (http == NULL || http->closed)
        return;
    http->closed = true;
    if (http->sweeps)
        sos_kill(http->os, http->sweeper);
    sos_http_pool_close_idle_(http);
    for (struct sos_http_user_ *user = http->users.next; user != &http->users; user = user->next)
        sos_wake(http->os, user->task);
    sos_http_leave_(http);
}

/* ---- Fields of every request */

static size_t texts_room(const struct sos_http_options *options)
{
    size_t size = 2 * LOGIN_ROOM + 128 + URL_MOST;
    for (size_t i = 0; i < options->header_count; i++)
        size += strlen(options->headers[i].name) + strlen(options->headers[i].value) + 4;
    return size + (options->bearer != NULL ? strlen(options->bearer) : 0);
}

bool sos_http_is_secret_(struct sos_slice_ name)
{
    return sos_slice_is_caseless_(name, "Authorization") ||
           sos_slice_is_caseless_(name, "Proxy-Authorization") ||
           sos_slice_is_caseless_(name, "Cookie");
}

static bool given(const struct sos_http_options *options, const char *name)
{
    for (size_t i = 0; i < options->header_count; i++) {
        if (sos_slice_is_caseless_(sos_slice_text_(options->headers[i].name), name))
            return true;
    }
    return false;
}

static void note_default(sos_http *http, struct sos_slice_ name, struct sos_slice_ value,
                         bool secret)
{
    http->defaults[http->default_count++] = (struct sos_http_default_){ .name = name,
                                                                        .value = value,
                                                                        .secret = secret };
}

/* Writes "name: value" and notes where both stand. */
static void add(sos_http *http, struct sos_http_writer_ *writer, const char *name,
                const char *value, bool secret)
{
    struct sos_slice_ name_text = sos_slice_text_(name), value_text = sos_slice_text_(value);
    char *at = writer->out.buffer + writer->out.length;
    sos_http_write_field_(writer, name_text, value_text);
    if (sos_http_write_length_(writer) >= 0)
        note_default(http, sos_slice_(at, name_text.length),
                     sos_slice_(at + name_text.length + 2, value_text.length), secret);
}

static bool stands_apart(struct sos_slice_ name)
{
    return sos_slice_is_caseless_(name, "Host") || sos_slice_is_caseless_(name, "Content-Type");
}

static void add_given(sos_http *http, struct sos_http_writer_ *writer,
                      const struct sos_http_options *options, bool secret)
{
    for (size_t i = 0; i < options->header_count; i++) {
        const struct sos_http_field *field = &options->headers[i];
        struct sos_slice_ name = sos_slice_text_(field->name);
        if (!stands_apart(name) && sos_http_is_secret_(name) == secret)
            add(http, writer, field->name, field->value, secret);
    }
}

static struct sos_slice_ since(const struct sos_http_writer_ *writer, size_t start)
{
    return sos_slice_(writer->out.buffer + start, writer->out.length - start);
}

/* Host is for the base alone, Content-Type gives way to that of a body; the framing is not the
 * caller's. */
static int add_apart(sos_http *http, struct sos_http_writer_ *writer,
                     const struct sos_http_options *options)
{
    for (size_t i = 0; i < options->header_count; i++) {
        struct sos_slice_ name = sos_slice_text_(options->headers[i].name);
        size_t start = writer->out.length;
        if (sos_http_is_ours_(name))
            return SOS_EINVAL;
        if (!stands_apart(name))
            continue;
        sos_http_write_field_(writer, name, sos_slice_text_(options->headers[i].value));
        if (sos_http_write_length_(writer) < 0)
            return SOS_EINVAL;
        struct sos_slice_ *to = sos_slice_is_caseless_(name, "Host") ? &http->host_field
                                                                     : &http->content_type;
        if (to->length != 0)
            return SOS_EINVAL;
        *to = since(writer, start);
        if (to == &http->content_type) { /* its value, as a text */
            writer->out.buffer[writer->out.length - 2] = '\0';
            *to = since(writer, start + name.length + 2);
        }
    }
    return SOS_OK;
}

/* Visible ASCII, and something of it: a token that could be two things is none. */
static bool is_visible(const char *token)
{
    const char *at = token;
    while (*at > ' ' && *at <= '~')
        at++;
    return *at == '\0' && at != token;
}

static int add_login(sos_http *http, struct sos_http_writer_ *writer,
                     const struct sos_http_options *options, const struct sos_url_ *url)
{
    enum { NAME = 13 };
    char *at = writer->out.buffer + writer->out.length;
    size_t room = writer->out.size - writer->out.length;
    int length = 0;
    bool has_login = options->bearer != NULL || options->user != NULL || url->has_user;
    if (has_login && given(options, "Authorization"))
        return SOS_EINVAL;
    if (options->bearer != NULL && !is_visible(options->bearer))
        return SOS_EINVAL;
    if (options->bearer != NULL) {
        struct sos_sink_ sink = sos_sink_(at, room);
        sos_sink_text_(&sink, "Authorization: Bearer ");
        sos_sink_text_(&sink, options->bearer);
        sos_sink_text_(&sink, "\r\n");
        length = sos_sink_end_(&sink);
    } else if (options->user != NULL) {
        if (strchr(options->user, ':') != NULL)
            return SOS_EINVAL;
        length = sos_http_write_login_(at, room, "Authorization", sos_slice_text_(options->user),
                                       sos_slice_text_(options->password));
    } else if (url->has_user) {
        length = sos_http_write_url_login_(at, room, "Authorization", url);
    }
    if (length <= 0)
        return length;
    struct sos_slice_ value = sos_slice_(at + NAME + 2, (size_t)length - NAME - 4);
    writer->out.length += (size_t)length;
    note_default(http, sos_slice_(at, NAME), value, true);
    return SOS_OK;
}

static int add_fields(sos_http *http, struct sos_http_writer_ *writer,
                      const struct sos_http_options *options, const struct sos_url_ *url)
{
    int status = add_apart(http, writer, options);
    if (status != SOS_OK)
        return status;
    size_t start = writer->out.length;
    if (!given(options, "User-Agent"))
        add(http, writer, "User-Agent", "smallOS", false);
    http->asks_compressed = !options->no_compression && !given(options, "Accept-Encoding");
    if (http->asks_compressed)
        add(http, writer, "Accept-Encoding", "gzip, deflate", false);
    add_given(http, writer, options, false);
    http->open_fields = since(writer, start);
    start = writer->out.length;
    add_given(http, writer, options, true);
    status = add_login(http, writer, options, url);
    http->secret_fields = since(writer, start);
    return status == SOS_OK && sos_http_write_length_(writer) < 0 ? SOS_EINVAL : status;
}

/* ---- URLs */

/* A name, or an address, with a zone perhaps: nothing that says more in a URL. */
static bool is_host(const char *host)
{
    size_t length = strcspn(host, "%");
    struct sos_slice_ text = sos_slice_(host, length);
    bool is_ipv6 = sos_url_is_ipv6_(text);
    return host[length] != '\0' ? is_ipv6 : is_ipv6 || sos_url_is_name_(text);
}

/* The base URL in full; its length, 0: none, or SOS_EINVAL. */
static int write_base(const struct sos_http_options *options, char *to, size_t size)
{
    struct sos_sink_ sink = sos_sink_(to, size);
    if (options->host != NULL && (options->url != NULL || !is_host(options->host)))
        return SOS_EINVAL;
    if (options->url != NULL) {
        sos_sink_text_(&sink, options->url);
    } else if (options->host != NULL) {
        bool brackets = strchr(options->host, ':') != NULL;
        sos_sink_text_(&sink, options->tls != NULL ? "https://" : "http://");
        sos_sink_text_(&sink, brackets ? "[" : "");
        for (const char *at = options->host; *at != '\0'; at++) /* the % of a zone is escaped */
            sos_sink_text_(&sink, *at == '%' ? "%25" : (const char[]){ *at, '\0' });
        sos_sink_text_(&sink, brackets ? "]" : "");
        if (options->port != 0) {
            sos_sink_byte_(&sink, ':');
            sos_sink_number_(&sink, options->port, 10);
        }
    }
    return sink.is_full ? SOS_EINVAL : (int)sink.length;
}

static int set_base(sos_http *http, struct sos_http_writer_ *writer, const struct sos_url_ *url)
{
    if (url->scheme != SOS_URL_HTTP_ && url->scheme != SOS_URL_HTTPS_)
        return SOS_EINVAL;
    http->base = sos_http_origin_of_(http, url);
    if (http->base == NULL)
        return SOS_ENOMEM;
    sos_http_pool_name_(http->base);
    size_t start = writer->out.length;
    sos_sink_put_(&writer->out, http->base->prefix);
    if (url->path.length == 0)
        sos_sink_byte_(&writer->out, '/');
    sos_sink_put_(&writer->out, url->target);
    http->base_url = since(writer, start);
    return SOS_OK;
}

static int set_local(sos_http *http, struct sos_http_writer_ *writer, const char *path)
{
    size_t start = writer->out.length;
    http->base = sos_http_origin_local_(http, sos_slice_text_(path));
    sos_sink_text_(&writer->out, "http://localhost/");
    http->base_url = since(writer, start);
    return http->base != NULL ? SOS_OK : SOS_ENOMEM;
}

static int set_proxy(sos_http *http, struct sos_http_writer_ *writer, const char *text)
{
    struct sos_url_ url;
    if (sos_url_parse_(&url, sos_slice_text_(text), NULL) != SOS_OK || url.scheme != SOS_URL_HTTP_)
        return SOS_EINVAL;
    size_t start = writer->out.length;
    sos_sink_put_(&writer->out, url.host);
    sos_sink_byte_(&writer->out, '\0');
    http->proxy_host = sos_slice_(writer->out.buffer + start, url.host.length);
    http->proxy_port = url.port;
    if (!url.has_user)
        return SOS_OK;
    char *at = writer->out.buffer + writer->out.length;
    int length = sos_http_write_url_login_(at, writer->out.size - writer->out.length,
                                           "Proxy-Authorization", &url);
    if (length < 0)
        return SOS_EINVAL;
    writer->out.length += (size_t)length;
    http->proxy_fields = sos_slice_(at, (size_t)length);
    return SOS_OK;
}

/* ---- Making */

static int fill(sos_http *http, const struct sos_http_options *options, char *texts, size_t size)
{
    char base[URL_MOST / 2];
    struct sos_url_ url = { .scheme = SOS_URL_HTTP_ };
    struct sos_http_writer_ writer = sos_http_writer_(texts, size);
    bool local = options->host != NULL && strncmp(options->host, "unix:", 5) == 0;
    int length = local ? 0 : write_base(options, base, sizeof base), status = SOS_OK;
    if (length < 0 || (local && options->tls != NULL))
        return SOS_EINVAL;
    if (length > 0 && sos_url_parse_(&url, sos_slice_(base, (size_t)length), NULL) != SOS_OK)
        return SOS_EINVAL;
    if (local)
        status = set_local(http, &writer, options->host);
    else if (length > 0)
        status = set_base(http, &writer, &url);
    if (status == SOS_OK)
        status = add_fields(http, &writer, options, &url);
    if (status == SOS_OK && options->proxy != NULL)
        status = set_proxy(http, &writer, options->proxy);
    return status == SOS_OK && writer.out.is_full ? SOS_EINVAL : status;
}

static void set_limits(sos_http *http, const struct sos_http_options *options)
{
    uint32_t most = options->max_response_size;
    if (most == 0)
        most = sos_configuration(http->os)->client_defaults.http.max_response_size;
    http->max_response_size = most == 0 ? SOS_NONE : most;
    http->max_redirects = options->max_redirects != 0 ? options->max_redirects : REDIRECTS;
    http->max_idle = options->max_idle != 0 ? options->max_idle : IDLE;
    if (http->max_idle == SOS_NONE)
        http->max_idle = 0;
    http->max_connections = options->max_connections;
    http->idle_us = options->idle_us > 0 ? options->idle_us : (int64_t)SOS_SEC(IDLE_S);
    sos_semaphore_init(&http->permits, "http connections", http->max_connections);
}

static void set_tls(sos_http *http, const struct sos_tls_options *tls)
{
    if (tls != NULL)
        http->tls = *tls;
    http->shares_tls = http->tls.context != NULL;
    if (http->tls.error_text != NULL)
        return;
    http->tls.error_text = http->tls_text;
    http->tls.error_text_size = sizeof http->tls_text;
}

int sos_http_open(sos *os, const struct sos_http_options *options, sos_http **made)
{
    static const struct sos_http_options standard;
    if (made == NULL)
        return SOS_EINVAL;
    *made = NULL;
    if (options == NULL)
        options = &standard;
    size_t array = (options->header_count + OWN_FIELDS) * sizeof(struct sos_http_default_);
    size_t texts = texts_room(options);
    sos_http *http = sos_memory_take(os, sizeof *http);
    char *block = http != NULL ? sos_memory_take(os, array + texts) : NULL;
    if (block == NULL) {
        sos_memory_give(os, http, http != NULL ? sizeof *http : 0);
        return SOS_ENOMEM;
    }
    *http = (struct sos_http){ .os = os, .count = 1, .block_size = array + texts };
    http->defaults = (struct sos_http_default_ *)(void *)block;
    http->users.next = http->users.prev = &http->users;
    set_limits(http, options);
    set_tls(http, options->tls);
    int status = fill(http, options, block + array, texts);
    if (status != SOS_OK) {
        sos_http_close(http);
        return status;
    }
    *made = http;
    return SOS_OK;
}
