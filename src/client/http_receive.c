/* SPDX-License-Identifier: MIT */
/* What is received: heads, and bodies as they come over the connection. */
#include <string.h>

#include "client/http_internal.h"
#include "net/internal.h"

enum { INTERIM_MOST = 64, SLACK = 65536, EXPECTED = 2048, DIRECT_LEAST = 4096 };

static int refuse(struct sos_http_response *response, int error, const char *rule, uint64_t at)
{
    response->why = rule;
    response->why_at = at;
    return error;
}

/* ---- Heads */

static void init_parser(struct sos_http_parser_ *parser)
{
    parser->head = (struct sos_http_head_){ .kind = SOS_HTTP_RESPONSE_,
                                            .fields = parser->fields,
                                            .field_capacity = SOS_HTTP_FIELDS_MOST_ };
}

static bool is_gzip(struct sos_slice_ coding)
{
    return sos_slice_is_caseless_(coding, "gzip") || sos_slice_is_caseless_(coding, "x-gzip");
}

/* What is not asked for, or not known here, stays as it is. */
static int begin_inflating(struct sos_http_connection_ *connection,
                           const struct sos_http_head_ *head, uint64_t limit)
{
    sos_http *http = connection->origin->http;
    const struct sos_http_field_ *field = connection->compressible
                                              ? sos_http_find_(head, "Content-Encoding")
                                              : NULL;
    if (field == NULL || sos_http_find_next_(head, "Content-Encoding", field) != NULL)
        return SOS_OK;
    bool gzip = is_gzip(field->value);
    if (!gzip && !sos_slice_is_caseless_(field->value, "deflate"))
        return SOS_OK;
    connection->inflate = sos_inflate_new_(http->os, gzip ? SOS_INFLATE_GZIP_ : SOS_INFLATE_ZLIB_,
                                           0, limit);
    return connection->inflate != NULL ? SOS_OK : SOS_ENOMEM;
}

static int begin_body(struct sos_http_connection_ *connection, const struct sos_http_head_ *head,
                      enum sos_http_framing_ framing, uint64_t limit,
                      struct sos_http_response *response)
{
    if (head->other_coding)
        return refuse(response, SOS_EPROTO, "a transfer coding that nobody asked for", 0);
    if (framing != SOS_HTTP_NO_BODY_ && begin_inflating(connection, head, limit) != SOS_OK)
        return SOS_ENOMEM;
    uint64_t most = limit;
    if (connection->inflate != NULL && limit != 0)
        most += SLACK; /* what does not get smaller gets a little larger */
    connection->body = (struct sos_http_body_){ .max_size = most };
    int status = sos_http_body_begin_(&connection->body, framing, head->content_length);
    if (status != SOS_OK)
        return refuse(response, status, connection->body.error.rule, 0);
    return SOS_OK;
}

static int final_head(struct sos_http_connection_ *connection, const struct sos_http_head_ *head,
                      const char *bytes, struct sos_slice_ method, uint64_t limit,
                      struct sos_http_response *response)
{
    enum sos_http_framing_ framing = sos_http_frame_(head, method);
    if (head->status == 101)
        return refuse(response, SOS_EPROTO, "nobody asked for another protocol (RFC 9110, 7.8)", 0);
    connection->answered = true;
    connection->keeps = sos_http_keeps_alive_(head, framing);
    int status = begin_body(connection, head, framing, limit, response);
    if (status != SOS_OK)
        return status;
    uint64_t expected = EXPECTED;
    if (framing == SOS_HTTP_NO_BODY_ || connection->streams)
        expected = 0;
    else if (framing == SOS_HTTP_LENGTH_ && connection->inflate == NULL)
        expected = head->content_length;
    return sos_http_response_begin_(response, connection->origin->http->os, head, bytes, expected);
}

/* Where the parser is: on the stack, if the head comes at once. */
static int parse(struct sos_http_connection_ *connection, struct sos_http_parser_ **parser,
                 const char *bytes, size_t size)
{
    sos *os = connection->origin->http->os;
    if (connection->parser != NULL) {
        *parser = connection->parser;
        return sos_http_head_parse_(&(*parser)->head, bytes, size);
    }
    init_parser(*parser);
    int length = sos_http_head_parse_(&(*parser)->head, bytes, size);
    if (length != SOS_PARTIAL_)
        return length;
    connection->parser = sos_memory_take(os, sizeof *connection->parser);
    if (connection->parser == NULL)
        return SOS_ENOMEM;
    init_parser(connection->parser);
    return sos_http_head_parse_(&connection->parser->head, bytes, size);
}

static void forget_parser(struct sos_http_connection_ *connection)
{
    if (connection->parser != NULL)
        sos_memory_give(connection->origin->http->os, connection->parser,
                        sizeof *connection->parser);
    connection->parser = NULL;
}

int sos_http_take_head_(struct sos_http_connection_ *connection, struct sos_slice_ method,
                        uint64_t limit, struct sos_http_response *response)
{
    struct sos_http_parser_ on_stack;
    for (;;) {
        struct sos_http_parser_ *parser = &on_stack;
        size_t size;
        const char *bytes = (const char *)sos_stream_data(connection->stream, &size);
        if (size == 0)
            return SOS_PARTIAL_;
        connection->begun = true;
        int length = parse(connection, &parser, bytes, size);
        if (length == SOS_PARTIAL_ || length == SOS_ENOMEM)
            return length;
        if (length < 0)
            return refuse(response, length, parser->head.error.rule, parser->head.error.at);
        int code = parser->head.status, status = SOS_OK;
        if (code >= 200 || code == 101)
            status = final_head(connection, &parser->head, bytes, method, limit, response);
        else if (++connection->interim > INTERIM_MOST)
            status = refuse(response, SOS_ELIMIT, "more interim answers than anybody needs", 0);
        forget_parser(connection);
        sos_stream_take(connection->stream, (size_t)length);
        if (status != SOS_OK)
            return status;
        if (code >= 200 || code == 100)
            return code == 100 ? 2 : 1;
    }
}

/* ---- Bodies */

/* The next piece of the body into `pending`; SOS_HTTP_DATA_, or as sos_http_take_body_. */
static int cut(struct sos_http_connection_ *connection, size_t most,
               struct sos_http_response *response)
{
    size_t size, taken;
    const char *bytes = (const char *)sos_stream_data(connection->stream, &size);
    if (connection->inflate == NULL && size > most)
        size = most;
    int kind = sos_http_body_next_(&connection->body, bytes != NULL ? bytes : "", size, &taken,
                                   &connection->pending);
    if (kind == SOS_HTTP_DATA_) {
        connection->held = taken;
        return kind;
    }
    connection->pending.length = 0;
    sos_stream_take(connection->stream, taken);
    if (kind < 0)
        return refuse(response, kind, connection->body.error.rule, connection->body.error.at);
    if (kind == SOS_HTTP_END_ && connection->inflate != NULL &&
        !sos_inflate_is_whole_(connection->inflate))
        return refuse(response, SOS_EPROTO, "the compressed data is cut off", 0);
    return kind;
}

/* From `pending` to where it is wanted. */
static int hand_out(struct sos_http_connection_ *connection, char *to, size_t room, size_t *made,
                    struct sos_http_response *response)
{
    struct sos_slice_ *pending = &connection->pending;
    size_t taken;
    int status = SOS_OK;
    if (connection->inflate != NULL) {
        status = sos_inflate_next_(connection->inflate, pending->at, pending->length, &taken, to,
                                   room, made);
        connection->inflating = *made == room;
    } else {
        taken = *made = pending->length < room ? pending->length : room;
        memcpy(to, pending->at, taken);
    }
    *pending = sos_slice_(pending->at + taken, pending->length - taken);
    if (pending->length == 0) {
        sos_stream_take(connection->stream, connection->held);
        connection->held = 0;
    }
    return status < 0 ? refuse(response, status, sos_inflate_rule_(connection->inflate), 0)
                      : SOS_OK;
}

/* With a length one knows so without looking further. */
static bool is_over(const struct sos_http_connection_ *connection)
{
    const struct sos_http_body_ *body = &connection->body;
    return body->framing == SOS_HTTP_LENGTH_ && body->left == 0 && connection->inflate == NULL &&
           connection->pending.length == 0;
}

int sos_http_take_body_(struct sos_http_connection_ *connection, char *to, size_t room,
                        size_t *made, struct sos_http_response *response)
{
    *made = 0;
    for (;;) {
        size_t more;
        if (connection->pending.length == 0 && !connection->inflating) {
            int kind = cut(connection, room - *made, response);
            if (kind != SOS_HTTP_DATA_)
                return kind;
        }
        int status = hand_out(connection, to + *made, room - *made, &more, response);
        *made += more;
        if (status != SOS_OK)
            return status;
        if (*made == room)
            return is_over(connection) ? SOS_HTTP_END_ : SOS_HTTP_DATA_;
    }
}

/* How much more of a body may come into memory. */
static uint64_t wanted(const struct sos_http_connection_ *connection)
{
    const struct sos_http_body_ *body = &connection->body;
    return body->framing == SOS_HTTP_LENGTH_ && connection->inflate == NULL ? body->left
                                                                            : UINT64_MAX;
}

/* A plain body of which nothing lies in the stream's buffer can be read to where it belongs. */
static bool is_direct(const struct sos_http_connection_ *connection)
{
    size_t waiting;
    sos_stream_data(connection->stream, &waiting);
    return waiting == 0 && connection->body.framing == SOS_HTTP_LENGTH_ &&
           connection->inflate == NULL && connection->body.left >= DIRECT_LEAST;
}

/* SOS_HTTP_DATA_: some has come; SOS_PARTIAL_, SOS_HTTP_END_ or an error. */
static int read_direct(struct sos_http_connection_ *connection, char *to, size_t room, size_t *made,
                       struct sos_http_response *response)
{
    struct sos_http_body_ *body = &connection->body;
    struct sos_slice_ data;
    *made = 0;
    int got = sos_stream_read_now_(connection->stream, to,
                                   room < body->left ? room : (size_t)body->left);
    connection->waits_direct = got == SOS_EAGAIN;
    if (got == SOS_EAGAIN)
        return SOS_PARTIAL_;
    if (got < 0)
        return sos_http_body_ended_(connection, got, response);
    sos_http_body_next_(body, to, (size_t)got, made, &data);
    return body->left == 0 ? SOS_HTTP_END_ : SOS_HTTP_DATA_;
}

int sos_http_gather_(struct sos_http_connection_ *connection, struct sos_http_response *response)
{
    connection->waits_direct = false;
    if (connection->body.framing == SOS_HTTP_NO_BODY_)
        return SOS_HTTP_END_;
    for (;;) {
        size_t room = 0, made;
        char *to = sos_http_response_room_(response, wanted(connection), &room);
        if (to == NULL)
            return SOS_ENOMEM;
        bool direct = is_direct(connection);
        int kind = direct ? read_direct(connection, to, room, &made, response)
                          : sos_http_take_body_(connection, to, room, &made, response);
        sos_http_response_add_(response, made);
        bool goes_on = kind == SOS_PARTIAL_ && !direct && is_direct(connection);
        if (kind != SOS_HTTP_DATA_ && !goes_on)
            return kind;
    }
}

int sos_http_body_ended_(struct sos_http_connection_ *connection, int status,
                         struct sos_http_response *response)
{
    if (status != SOS_EEOF)
        return status;
    if (sos_http_body_close_(&connection->body) < 0)
        return refuse(response, SOS_EEOF, "the connection ended within the answer", 0);
    if (connection->inflate != NULL && !sos_inflate_is_whole_(connection->inflate))
        return refuse(response, SOS_EPROTO, "the compressed data is cut off", 0);
    return SOS_HTTP_END_;
}
