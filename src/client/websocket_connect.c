/* SPDX-License-Identifier: MIT */
/* The opening handshake of WebSocket (RFC 6455, 4.1). */
#include <stdio.h>
#include <string.h>

#include "core/internal.h"
#include "http_exchange.h"
#include "smallos/tls.h"
#include "websocket_internal.h"

enum { OWN_FIELDS = 7, STREAM_BUFFER = 262144 };

struct connect {
    sos_frame frame;
    struct sos_websocket_options options;
    sos_websocket **socket;
    struct sos_http_peer_ peer;
    sos_stream *stream;
    int status;
    char key[SOS_WS_KEY_LENGTH_ + 1];
};

static int say(const struct connect *self, int status, const char *text)
{
    if (text != NULL && self->options.error_text != NULL && self->options.error_text_size != 0)
        snprintf(self->options.error_text, self->options.error_text_size, "%s", text);
    return status;
}

/* ---- The options */

static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "host",   "authorization",  "upgrade",          "connection",
        "origin", "content-length", "transfer-encoding"
    };
    struct sos_slice_ text = sos_slice_text_(name);
    for (size_t index = 0; index < sizeof ours / sizeof ours[0]; index++) {
        if (sos_slice_is_caseless_(text, ours[index]))
            return true;
    }
    return text.length >= 14 &&
           sos_slice_equal_caseless_(sos_slice_(name, 14), sos_slice_text_("sec-websocket-"));
}

static const char *broken_rule(const struct sos_websocket_options *options)
{
    if (options->ping_us < 0 || options->silence_us < 0 || options->close_us < 0)
        return "a time is not negative";
    if (options->protocols != NULL && !sos_ws_list_valid_(sos_slice_text_(options->protocols)))
        return "protocols are a list of tokens, none twice (RFC 6455, 4.1)";
    for (size_t index = 0; index < options->header_count; index++) {
        const struct sos_http_field *header = &options->headers[index];
        if (header->name == NULL || header->value == NULL)
            return "a header has a name and a value";
        if (is_ours(header->name))
            return "a header is none of those that the client sends itself";
    }
    return NULL;
}

static int check(struct connect *self, sos *os)
{
    const char *rule = broken_rule(&self->options);
    if (rule != NULL)
        return say(self, SOS_EINVAL, rule);
    const struct sos_http_where_ where = { .url = self->options.url,
                                           .host = self->options.host,
                                           .port = self->options.port,
                                           .path = self->options.path,
                                           .user = self->options.user,
                                           .password = self->options.password,
                                           .secure = self->options.tls != NULL };
    int status = sos_http_peer_open_(&self->peer, os, &where, &rule);
    return status == SOS_EINVAL ? say(self, status, rule) : status;
}

static struct sos_ws_deflate_ offer_of(const struct sos_websocket_options *options)
{
    return (struct sos_ws_deflate_){ .on = options->deflate,
                                     .server_no_context = options->deflate_no_context,
                                     .client_no_context = options->deflate_no_context };
}

/* ---- The request */

static struct sos_http_field_ field(const char *name, const char *value)
{
    return (struct sos_http_field_){ sos_slice_text_(name), sos_slice_text_(value) };
}

static int new_key(struct connect *self, sos *os)
{
    struct sos_kernel *kernel = sos_kernel_of(os);
    uint8_t nonce[SOS_WS_NONCE_SIZE_];
    int status = SOS_ENOTSUP;
    if (kernel->entropy != NULL)
        status = kernel->entropy(kernel, nonce, sizeof nonce);
    if (status == SOS_OK)
        sos_ws_key_(self->key, nonce);
    return status;
}

static int put_fields(struct connect *self, struct sos_http_field_ *fields)
{
    char extensions[SOS_WS_DEFLATE_ROOM_];
    const char *rule = NULL;
    const struct sos_ws_deflate_ offer = offer_of(&self->options);
    bool offers = sos_ws_deflate_offer_(extensions, &offer) != 0;
    size_t count = 0;
    fields[count++] = field("Upgrade", "websocket");
    fields[count++] = field("Connection", "Upgrade");
    fields[count++] = field("Sec-WebSocket-Key", self->key);
    fields[count++] = field("Sec-WebSocket-Version", "13");
    fields[count++] = field("Sec-WebSocket-Protocol", self->options.protocols);
    fields[count++] = field("Sec-WebSocket-Extensions", offers ? extensions : NULL);
    fields[count++] = field("Origin", self->options.origin);
    for (size_t index = 0; index < self->options.header_count; index++)
        fields[count++] = field(self->options.headers[index].name,
                                self->options.headers[index].value);
    int status = sos_http_put_get_(self->stream, &self->peer, fields, count, &rule);
    return status == SOS_EINVAL ? say(self, status, rule) : status;
}

static int put_request(struct connect *self, sos_task *task)
{
    sos *os = sos_of(task);
    size_t size = (OWN_FIELDS + self->options.header_count) * sizeof(struct sos_http_field_);
    int status = new_key(self, os);
    if (status != SOS_OK)
        return status;
    struct sos_http_field_ *fields = sos_memory_take(os, size);
    if (fields == NULL)
        return SOS_ENOMEM;
    if (sos_http_peer_is_open_book_(&self->peer))
        sos_report_(task, SOS_REPORT_CLEARTEXT);
    status = put_fields(self, fields);
    sos_memory_give(os, fields, size);
    return status;
}

/* ---- The answer */

static int refused(const struct connect *self, const struct sos_http_head_ *head)
{
    char text[SOS_HTTP_ERROR_TEXT_];
    snprintf(text, sizeof text, "the server answered %d %.*s", head->status,
             (int)(head->reason.length < 100 ? head->reason.length : 100),
             head->reason.length != 0 ? head->reason.at : "");
    return say(self, SOS_ESERVER, text);
}

static int read_fields(const struct connect *self, const struct sos_http_head_ *head,
                       struct sos_ws_answer_ *answer)
{
    const struct sos_ws_deflate_ offer = offer_of(&self->options);
    sos_ws_answer_init_(answer, self->key, sos_slice_text_(self->options.protocols), &offer);
    for (size_t index = 0; index < head->field_count; index++)
        sos_ws_answer_field_(answer, head->fields[index].name, head->fields[index].value);
    return sos_ws_answer_end_(answer, (unsigned)head->status);
}

/* Of a head that is `size` bytes long. What follows it is frames already. */
static int read_answer(struct connect *self, sos_task *task, size_t size)
{
    const struct sos_client_defaults *defaults = &sos_configuration(sos_of(task))->client_defaults;
    uint32_t max_line = self->options.max_line_size;
    struct sos_http_field_ fields[SOS_HTTP_ANSWER_FIELDS_];
    struct sos_http_head_ head;
    struct sos_ws_answer_ answer;
    if (max_line == 0)
        max_line = defaults->websocket.max_line_size;
    if (max_line == 0 || max_line > SOS_HTTP_ANSWER_MAX_)
        max_line = SOS_HTTP_ANSWER_MAX_;
    int status = sos_http_parse_answer_(self->stream, size, max_line, &head, fields);
    if (status == SOS_EAGAIN)
        return status;
    if (status < 0)
        return say(self, status, head.error.rule);
    if (head.status != 101)
        return refused(self, &head);
    if (read_fields(self, &head, &answer) != SOS_OK)
        return say(self, SOS_EPROTO, answer.rule);
    sos_stream_take(self->stream, size);
    *self->socket = sos_websocket_make_(task, &self->options, self->stream, &answer);
    self->stream = NULL;
    return *self->socket != NULL ? SOS_OK : SOS_ENOMEM;
}

static const struct sos_tls_options *tls_of(const struct connect *self)
{
    static const struct sos_tls_options standard;
    if (!self->peer.secure)
        return NULL;
    return self->options.tls != NULL ? self->options.tls : &standard;
}

static async_fn(connect)
{
    async_begin(connect);
    self->status = check(self, sos_of(task));
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(sos_connect(task,
                          &(struct sos_connect_options){ .host = self->peer.host,
                                                         .port = self->peer.port,
                                                         .max_buffer_size = STREAM_BUFFER,
                                                         .tls = tls_of(self) },
                          &self->stream));
    self->status = put_request(self, task);
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(sos_stream_flush(task, self->stream));
    do {
        try_await(sos_stream_until(task, self->stream, "\r\n\r\n", 4, SOS_HTTP_ANSWER_MAX_));
        self->status = read_answer(self, task, (size_t)sos_status(task));
    } while (self->status == SOS_EAGAIN);
    async_return(self->status);
    async_finally;
    if (sos_status(task) < 0 && self->options.error_text_size != 0 &&
        self->options.error_text != NULL && self->options.error_text[0] == '\0')
        say(self, 0, sos_error_text(sos_status(task)));
    sos_stream_close(self->stream);
    sos_http_peer_close_(&self->peer);
    async_end;
}

sos_op sos_websocket_connect(sos_task *task, const struct sos_websocket_options *options,
                             sos_websocket **socket)
{
    static const struct sos_websocket_options standard;
    if (socket == NULL)
        return sos_complete(task, SOS_EINVAL);
    *socket = NULL;
    if (options == NULL)
        options = &standard;
    if (options->error_text != NULL && options->error_text_size != 0)
        options->error_text[0] = '\0';
    return async_call(connect, .options = *options, .socket = socket);
}
