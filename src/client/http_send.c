/* SPDX-License-Identifier: MIT */
/* What is sent: the head, and the body. */
#include <jansson.h>
#include <string.h>

#include "client/http_internal.h"
#include "core/internal.h"

/* ---- The head */

/* What is meant for the server that was asked, or goes with its body, does not go to others. */
static bool is_sent(const struct sos_http_outgoing_ *outgoing, struct sos_slice_ name)
{
    enum { CONTENT = 8 };
    bool of_body = name.length > CONTENT &&
                   sos_slice_is_caseless_(sos_slice_(name.at, CONTENT), "Content-");
    if (outgoing->body_dropped && of_body)
        return false;
    return outgoing->request_trusts ||
           !(sos_http_is_secret_(name) || sos_slice_is_caseless_(name, "Host"));
}

/* Whether the request has the field itself. */
static bool has_field(const struct sos_http_outgoing_ *outgoing, struct sos_slice_ name)
{
    const struct sos_http_request *request = outgoing->request;
    for (size_t i = 0; i < request->header_count; i++) {
        if (sos_slice_equal_caseless_(sos_slice_text_(request->headers[i].name), name))
            return is_sent(outgoing, name);
    }
    return false;
}

static void write_request(struct sos_http_writer_ *writer,
                          const struct sos_http_outgoing_ *outgoing)
{
    const struct sos_http_origin_ *origin = outgoing->hop->origin;
    struct sos_sink_ *out = &writer->out;
    sos_http_write_request_(writer, outgoing->method, outgoing->hop->target);
    if (!sos_http_proxied_(origin) || origin->secure || out->is_full)
        return;
    char *target = out->buffer + outgoing->method.length + 1; /* a proxy is told all of the URL */
    size_t behind = out->length - outgoing->method.length - 1;
    sos_sink_put_(out, origin->prefix);
    if (out->is_full)
        return;
    memmove(target + origin->prefix.length, target, behind);
    memcpy(target, origin->prefix.at, origin->prefix.length);
    sos_sink_put_(out, origin->http->proxy_fields);
}

/* The fields of the client; as they stand, if the request has none of its own. */
static void write_defaults(struct sos_http_writer_ *writer,
                           const struct sos_http_outgoing_ *outgoing)
{
    const struct sos_http_hop_ *hop = outgoing->hop;
    bool has_login = hop->login.length != 0;
    bool has_own = outgoing->request->header_count != 0 || has_login;
    bool special = outgoing->client_trusts && hop->http->host_field.length != 0;
    if (!has_own || !has_field(outgoing, sos_slice_text_("Host")))
        sos_sink_put_(&writer->out, special ? hop->http->host_field : hop->origin->host_field);
    if (!has_own) {
        sos_sink_put_(&writer->out, hop->http->open_fields);
        if (outgoing->client_trusts)
            sos_sink_put_(&writer->out, hop->http->secret_fields);
    }
    for (size_t i = 0; has_own && i < hop->http->default_count; i++) {
        const struct sos_http_default_ *field = &hop->http->defaults[i];
        bool replaced = has_login && sos_slice_is_caseless_(field->name, "Authorization");
        bool kept_back = field->secret && !outgoing->client_trusts;
        if (!replaced && !kept_back && !has_field(outgoing, field->name))
            sos_http_write_field_(writer, field->name, field->value);
    }
    if (has_login && !has_field(outgoing, sos_slice_text_("Authorization")))
        sos_sink_put_(&writer->out, hop->login);
}

bool sos_http_is_ours_(struct sos_slice_ name)
{
    return sos_slice_is_caseless_(name, "Content-Length") ||
           sos_slice_is_caseless_(name, "Transfer-Encoding") ||
           sos_slice_is_caseless_(name, "Upgrade");
}

static void write_own(struct sos_http_writer_ *writer, const struct sos_http_outgoing_ *outgoing)
{
    const struct sos_http_request *request = outgoing->request;
    for (size_t i = 0; i < request->header_count; i++) {
        struct sos_slice_ name = sos_slice_text_(request->headers[i].name);
        if (sos_http_is_ours_(name) && writer->rule == NULL)
            writer->rule = "Content-Length, Transfer-Encoding and Upgrade are the client's to send";
        if (is_sent(outgoing, name))
            sos_http_write_field_(writer, name, sos_slice_text_(request->headers[i].value));
    }
}

static void write_framing(struct sos_http_writer_ *writer,
                          const struct sos_http_outgoing_ *outgoing)
{
    const struct sos_http_request *request = outgoing->request;
    struct sos_slice_ method = outgoing->method;
    uint64_t size = outgoing->is_streamed ? request->body.size : outgoing->body.length;
    bool wants_length = sos_slice_is_(method, "POST") || sos_slice_is_(method, "PUT") ||
                        sos_slice_is_(method, "PATCH");
    const char *type = outgoing->content_type;
    bool is_default = !outgoing->body_dropped && type == outgoing->hop->http->content_type.at;
    if (type != NULL && (outgoing->has_body || is_default) &&
        !has_field(outgoing, sos_slice_text_("Content-Type")))
        sos_http_write_field_(writer, sos_slice_text_("Content-Type"), sos_slice_text_(type));
    if (!outgoing->has_body) { /* RFC 9110, 8.6 */
        if (wants_length)
            sos_http_write_number_(writer, sos_slice_text_("Content-Length"), 0);
        return;
    }
    if (outgoing->is_streamed && size == 0)
        sos_http_write_field_(writer, sos_slice_text_("Transfer-Encoding"),
                              sos_slice_text_("chunked"));
    else
        sos_http_write_number_(writer, sos_slice_text_("Content-Length"), size);
    if (request->expect_continue)
        sos_http_write_field_(writer, sos_slice_text_("Expect"), sos_slice_text_("100-continue"));
}

static size_t head_room(const struct sos_http_outgoing_ *outgoing)
{
    enum { LINES = 256 };
    const struct sos_http_request *request = outgoing->request;
    const struct sos_http_hop_ *hop = outgoing->hop;
    size_t size = LINES + outgoing->method.length + hop->target.length + hop->login.length +
                  hop->origin->host_field.length + hop->http->host_field.length +
                  hop->http->open_fields.length + hop->http->secret_fields.length;
    if (outgoing->content_type != NULL)
        size += strlen(outgoing->content_type);
    if (sos_http_proxied_(hop->origin))
        size += hop->origin->prefix.length + hop->http->proxy_fields.length;
    for (size_t i = 0; i < request->header_count; i++)
        size += strlen(request->headers[i].name) + strlen(request->headers[i].value) + 4;
    return size;
}

static bool has_credentials(const struct sos_http_outgoing_ *outgoing)
{
    const struct sos_http_request *request = outgoing->request;
    const struct sos_http_hop_ *hop = outgoing->hop;
    if (hop->login.length != 0 ||
        (outgoing->client_trusts && hop->http->secret_fields.length != 0) ||
        (sos_http_proxied_(hop->origin) && hop->http->proxy_fields.length != 0))
        return true;
    for (size_t i = 0; outgoing->request_trusts && i < request->header_count; i++) {
        if (sos_http_is_secret_(sos_slice_text_(request->headers[i].name)))
            return true;
    }
    return false;
}

void sos_http_report_clear_(sos_task *task, struct sos_http_connection_ *connection)
{
    if (!connection->reported)
        sos_report_(task, SOS_REPORT_CLEARTEXT);
    connection->reported = true;
}

int sos_http_put_head_(sos_task *task, struct sos_http_connection_ *connection,
                       const struct sos_http_outgoing_ *outgoing, const char **why)
{
    const struct sos_http_origin_ *origin = connection->origin;
    size_t room = head_room(outgoing);
    char *at = sos_stream_room(connection->stream, room);
    if (at == NULL)
        return room > SOS_HTTP_BUFFER_MOST_ ? SOS_ELIMIT : SOS_ENOMEM;
    struct sos_http_writer_ writer = sos_http_writer_(at, room);
    write_request(&writer, outgoing);
    write_defaults(&writer, outgoing);
    write_own(&writer, outgoing);
    write_framing(&writer, outgoing);
    int length = sos_http_write_end_(&writer);
    if (length < 0) {
        *why = writer.rule;
        return length;
    }
    if (!origin->secure && !origin->local && has_credentials(outgoing))
        sos_http_report_clear_(task, connection);
    return sos_stream_put(connection->stream, NULL, (size_t)length);
}

/* ---- Bodies that are encoded first */

static int take_room(sos *os, size_t size, char **encoded, size_t *encoded_size)
{
    *encoded = sos_memory_take(os, size);
    *encoded_size = *encoded != NULL ? size : 0;
    return *encoded != NULL ? SOS_OK : SOS_ENOMEM;
}

static int encode_form(sos *os, const struct sos_http_body *body, struct sos_slice_ *to,
                       char **encoded, size_t *encoded_size)
{
    size_t size = 1;
    for (size_t i = 0; i < body->form_count; i++)
        size += 3 * (strlen(body->form[i].name) + strlen(body->form[i].value)) + 2;
    int status = take_room(os, size, encoded, encoded_size);
    if (status != SOS_OK)
        return status;
    struct sos_sink_ sink = sos_sink_(*encoded, size);
    for (size_t i = 0; i < body->form_count; i++)
        sos_url_query_add_(&sink, sos_slice_text_(body->form[i].name),
                           sos_slice_text_(body->form[i].value));
    *to = sos_slice_(*encoded, sink.length);
    return SOS_OK;
}

static int encode_json(sos *os, const struct json_t *value, struct sos_slice_ *to, char **encoded,
                       size_t *encoded_size, const char **why)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t size = json_dumpb(value, NULL, 0, flags);
    if (size == 0) {
        *why = "the JSON value cannot be written";
        return SOS_EINVAL;
    }
    int status = take_room(os, size, encoded, encoded_size);
    if (status != SOS_OK)
        return status;
    *to = sos_slice_(*encoded, json_dumpb(value, *encoded, size, flags));
    return to->length == size ? SOS_OK : SOS_ENOMEM;
}

int sos_http_encode_body_(sos_http *http, const struct sos_http_body *body,
                          struct sos_http_outgoing_ *outgoing, char **encoded, size_t *encoded_size,
                          const char **why)
{
    sos *os = http->os;
    int kinds = (body->bytes != NULL) + (body->text != NULL) + (body->form != NULL) +
                (body->json != NULL) + (body->source != NULL),
        status = SOS_OK;
    if (kinds > 1) {
        *why = "a request has one body";
        return SOS_EINVAL;
    }
    outgoing->has_body = kinds == 1;
    outgoing->is_streamed = body->source != NULL;
    outgoing->content_type = body->content_type;
    if (outgoing->content_type == NULL && http->content_type.length != 0)
        outgoing->content_type = http->content_type.at;
    const char *standard = NULL;
    if (body->bytes != NULL) {
        outgoing->body = sos_slice_(body->bytes, body->size);
    } else if (body->text != NULL) {
        outgoing->body = sos_slice_text_(body->text);
        standard = "text/plain; charset=utf-8";
    } else if (body->form != NULL) {
        status = encode_form(os, body, &outgoing->body, encoded, encoded_size);
        standard = "application/x-www-form-urlencoded";
    } else if (body->json != NULL) {
        status = encode_json(os, body->json, &outgoing->body, encoded, encoded_size, why);
        standard = "application/json";
    }
    if (outgoing->content_type == NULL)
        outgoing->content_type = standard;
    return status;
}

/* ---- Bodies that do not go with the head */

enum { PORTION = 16384, CHUNK_LINE = 24, CONTINUE_MS = 1000 };

/* Puts what the source has given into the output buffer, as a chunk if need be. */
static int put_portion(struct sos_http_send_body_ *self)
{
    sos_stream *stream = self->sending->stream;
    char line[CHUNK_LINE];
    bool chunked = self->sending->source->size == 0;
    size_t size = (size_t)self->got;
    if (size > PORTION || (!chunked && size > self->left))
        return SOS_EINVAL;
    if (!chunked) {
        self->left -= size;
        return size == 0 && self->left != 0 ? SOS_EINVAL
                                            : sos_stream_put(stream, self->bytes, size);
    }
    if (size == 0)
        return sos_stream_put(stream, "0\r\n\r\n", 5);
    struct sos_http_writer_ writer = sos_http_writer_(line, sizeof line);
    sos_http_write_chunk_(&writer, size);
    int status = sos_stream_put(stream, line, writer.out.length);
    if (status == SOS_OK)
        status = sos_stream_put(stream, self->bytes, size);
    return status == SOS_OK ? sos_stream_put(stream, "\r\n", 2) : status;
}

static sos_op ask_source(sos_task *task, struct sos_http_send_body_ *self)
{
    const struct sos_http_body *source = self->sending->source;
    return source->source(task, source->context, self->bytes, PORTION);
}

/* What is wrong with the source, or no memory, ends the request; that the server hears nothing more
 * shows when the answer is read. */
static void sending_failed(sos_task *task, struct sos_http_sending_ *sending, int status)
{
    sending->status = status;
    sos_wake(sos_of(task), sending->waiter);
}

static int begin_source(sos *os, struct sos_http_send_body_ *self)
{
    self->left = self->sending->source->size;
    self->got = 1;
    self->bytes = sos_memory_take(os, PORTION);
    return self->bytes != NULL ? SOS_OK : SOS_ENOMEM;
}

async_fn(sos_http_send_body_)
{
    async_begin(sos_http_send_body_);
    if (self->sending->waits)
        await(sos_within(task, SOS_MS(CONTINUE_MS), sos_event_wait(task, &self->sending->go)));
    if (self->sending->source == NULL) {
        await(sos_stream_write(task, self->sending->stream, self->sending->body.at,
                               self->sending->body.length));
        self->status = sos_status(task) < 0 ? sos_status(task) : SOS_OK;
    } else {
        self->status = begin_source(sos_of(task), self);
    }
    while (self->status == SOS_OK && self->got > 0) {
        await(ask_source(task, self));
        self->got = sos_status(task);
        self->status = self->got < 0 ? self->got : put_portion(self);
        if (self->status == SOS_OK) {
            await(sos_stream_flush(task, self->sending->stream));
            self->status = sos_status(task) < 0 ? sos_status(task) : SOS_OK;
        }
    }
    self->sending->done = self->status == SOS_OK;
    if (self->status != SOS_OK && self->status != SOS_EPIPE && self->status != SOS_ECONNRESET)
        sending_failed(task, self->sending, self->status);
    async_return(SOS_OK);
    async_finally;
    if (self->bytes != NULL)
        sos_memory_give(sos_of(task), self->bytes, PORTION);
    async_end;
}
