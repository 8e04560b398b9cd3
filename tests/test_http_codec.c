/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 as bytes. Every input is read whole, byte by byte, and in all pairs of portions, each
 * portion in memory that ends where it ends; what was read must be the same text every time.
 */
#include "check.h"
#include "proto/http.h"

#define SLICE(text) sos_slice_("" text, sizeof text - 1)

enum { FIELDS = 4, TRAILER = 64, TRACE = 8192 };

/* ---- What was read, as text */

struct reader {
    enum sos_http_kind_ kind;
    const char *method; /* of the requests that responses answer */
    size_t max_line, max_head, max_size;
    struct sos_slice_ input;
    char trace[TRACE];
    size_t used;
};

static void put(struct reader *reader, const char *text)
{
    size_t length = strlen(text);
    CHECK(length < sizeof reader->trace - reader->used);
    memcpy(reader->trace + reader->used, text, length + 1);
    reader->used += length;
}

static void put_slice(struct reader *reader, struct sos_slice_ text)
{
    char copy[TRACE];
    CHECK(text.length < sizeof copy);
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    put(reader, copy);
}

static void put_number(struct reader *reader, const char *text, unsigned long long number)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s%llu", text, number);
    put(reader, copy);
}

static void put_fields(struct reader *reader, const char *mark,
                       const struct sos_http_field_ *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(reader, mark);
        put_slice(reader, fields[i].name);
        put(reader, "=");
        put_slice(reader, fields[i].value);
        put(reader, "\n");
    }
}

static void put_error(struct reader *reader, int status, const struct sos_syntax_error_ *error)
{
    CHECK(error->rule != NULL);
    put(reader, status == SOS_ELIMIT ? "limit at " : "error at ");
    put_number(reader, "", error->at);
    put(reader, ": ");
    put(reader, error->rule);
    put(reader, "\n");
}

static void put_head(struct reader *reader, const struct sos_http_head_ *head,
                     enum sos_http_framing_ framing)
{
    static const char *const forms[] = { "origin", "absolute", "authority", "asterisk" };
    static const char *const framings[] = { "none", "length", "chunked", "until close" };
    if (head->kind == SOS_HTTP_REQUEST_) {
        put_slice(reader, head->method);
        put(reader, " ");
        put_slice(reader, head->target);
        put(reader, " ");
        put(reader, forms[head->form]);
    } else {
        put_number(reader, "", (unsigned)head->status);
        put(reader, " ");
        put_slice(reader, head->reason);
    }
    put_number(reader, " 1.", (unsigned)head->minor);
    put(reader, "\n");
    put_fields(reader, "", head->fields, head->field_count);
    put(reader, framings[framing]);
    if (framing == SOS_HTTP_LENGTH_)
        put_number(reader, " ", head->content_length);
    put(reader, sos_http_keeps_alive_(head, framing) ? ", stays\n" : ", closes\n");
}

/* ---- Reading in portions */

/* A parser of messages one after the other, as a connection would use it. */
struct connection {
    struct reader *reader;
    struct sos_http_head_ head;
    struct sos_http_body_ body;
    struct sos_http_field_ fields[FIELDS], trailer_fields[FIELDS];
    char trailer[TRAILER];
    size_t at; /* all bytes in front of it were used */
    bool in_body, has_data, is_over, is_upgraded;
};

static void start_message(struct connection *connection)
{
    const struct reader *reader = connection->reader;
    connection->head = (struct sos_http_head_){ .kind = reader->kind,
                                                .fields = connection->fields,
                                                .field_capacity = FIELDS,
                                                .max_line = reader->max_line,
                                                .max_head = reader->max_head };
    connection->body = (struct sos_http_body_){ .max_size = reader->max_size,
                                                .max_line = reader->max_line,
                                                .trailer = connection->trailer,
                                                .trailer_size = TRAILER,
                                                .fields = connection->trailer_fields,
                                                .field_capacity = FIELDS };
    connection->in_body = false;
    connection->has_data = false;
}

/* Whether to go on at once. */
static bool read_head(struct connection *connection, const char *bytes, size_t length)
{
    struct sos_http_head_ *head = &connection->head;
    int status = sos_http_head_parse_(head, bytes + connection->at, length - connection->at);
    if (status == SOS_PARTIAL_)
        return false;
    if (status < 0) {
        CHECK_INT(sos_http_head_parse_(head, bytes, length), status);
        put_number(connection->reader, "", (unsigned)head->answer);
        put(connection->reader, " ");
        put_error(connection->reader, status, &head->error);
        connection->is_over = true;
        return false;
    }
    CHECK_INT(status, head->length);
    enum sos_http_framing_ framing = sos_http_frame_(head,
                                                     sos_slice_text_(connection->reader->method));
    put_head(connection->reader, head, framing);
    connection->at += (size_t)status;
    connection->in_body = true;
    if (head->kind == SOS_HTTP_RESPONSE_ && head->status == 101) {
        connection->is_upgraded = true;
        connection->is_over = true;
        return false;
    }
    status = sos_http_body_begin_(&connection->body, framing, head->content_length);
    if (status < 0) {
        put_error(connection->reader, status, &connection->body.error);
        connection->is_over = true;
    }
    return status == SOS_OK;
}

static void end_message(struct connection *connection)
{
    if (connection->has_data)
        put(connection->reader, "\n");
    put_fields(connection->reader, "+", connection->trailer_fields, connection->body.field_count);
    put(connection->reader, "end\n");
    start_message(connection);
}

static void fail_body(struct connection *connection, int status)
{
    if (connection->has_data)
        put(connection->reader, "\n");
    put_error(connection->reader, status, &connection->body.error);
    connection->is_over = true;
}

static bool read_body(struct connection *connection, const char *bytes, size_t length)
{
    size_t taken;
    struct sos_slice_ data;
    int status = sos_http_body_next_(&connection->body, bytes + connection->at,
                                     length - connection->at, &taken, &data);
    connection->at += taken;
    CHECK(connection->at <= length);
    if (status == SOS_HTTP_DATA_) {
        CHECK(data.length > 0);
        connection->has_data = true;
        put_slice(connection->reader, data);
    } else if (status == SOS_HTTP_END_) {
        end_message(connection);
    } else if (status < 0) {
        fail_body(connection, status);
    } else {
        CHECK_INT(connection->at, length);
    }
    return status > 0;
}

/* The first `length` bytes are there now, at `bytes`. */
static void feed(struct connection *connection, const char *bytes, size_t length)
{
    bool goes_on = true;
    while (goes_on && !connection->is_over) {
        if (connection->in_body)
            goes_on = read_body(connection, bytes, length);
        else
            goes_on = connection->at < length && read_head(connection, bytes, length);
    }
}

static void end_of_stream(struct connection *connection)
{
    if (connection->is_upgraded) {
        put_number(connection->reader, "left ", connection->reader->input.length - connection->at);
        put(connection->reader, "\n");
    } else if (connection->in_body && !connection->is_over) {
        int status = sos_http_body_close_(&connection->body);
        if (status < 0)
            fail_body(connection, status);
        else
            end_message(connection);
    } else if (connection->at < connection->reader->input.length && !connection->is_over) {
        put(connection->reader, "partial\n");
    }
}

/* In portions that end at `cut`, at cut + step, ...; if it `moves`, each in memory of its own. */
static void read_all(struct reader *reader, size_t cut, size_t step, bool moves)
{
    struct connection connection = { .reader = reader };
    const size_t length = reader->input.length;
    char *last = NULL;
    reader->used = 0;
    reader->trace[0] = '\0';
    start_message(&connection);
    for (size_t end = cut;; end += step) {
        if (end > length)
            end = length;
        if (moves || last == NULL) {
            char *fresh = malloc(moves ? end + 1 : length + 1);
            CHECK(fresh != NULL);
            free(last);
            last = fresh;
        }
        char *start = moves ? last + 1 : last; /* so that the portion ends with its block */
        memcpy(start, reader->input.at, end);
        feed(&connection, start, end);
        if (end == length)
            break;
    }
    end_of_stream(&connection);
    free(last);
}

static void check(struct reader *reader, const char *expected)
{
    const size_t length = reader->input.length;
    read_all(reader, length, 1, true);
    CHECK_TEXT(reader->trace, expected);
    read_all(reader, 1, 1, false);
    CHECK_TEXT(reader->trace, expected);
    read_all(reader, 1, 1, true);
    CHECK_TEXT(reader->trace, expected);
    for (size_t cut = 0; cut < length; cut++) {
        read_all(reader, cut, length - cut, cut % 2 == 0);
        CHECK_TEXT(reader->trace, expected);
    }
}

#define RESPONSE(bytes, expected)                                                                  \
    check(&(struct reader){ .kind = SOS_HTTP_RESPONSE_, .method = "GET", .input = SLICE(bytes) },  \
          expected)
#define ANSWER_TO(request, bytes, expected)                                                        \
    check(                                                                                         \
        &(struct reader){ .kind = SOS_HTTP_RESPONSE_, .method = request, .input = SLICE(bytes) },  \
        expected)
#define REQUEST(bytes, expected)                                                                   \
    check(&(struct reader){ .kind = SOS_HTTP_REQUEST_, .method = "", .input = SLICE(bytes) },      \
          expected)

/* ---- Responses */

static void a_response_has_a_version_a_status_and_perhaps_a_reason(void)
{
    RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
             "200 OK 1.1\nContent-Length=2\nlength 2, stays\nhi\nend\n");
    RESPONSE("HTTP/1.1 204 \r\n\r\n", "204  1.1\nnone, stays\nend\n");
    RESPONSE("HTTP/1.1 204\r\n\r\n", "204  1.1\nnone, stays\nend\n");
    RESPONSE("HTTP/1.9 204 \xC3\xBC\r\n\r\n", "204 \xC3\xBC 1.1\nnone, stays\nend\n");
    RESPONSE("HTTP/2.0 200 OK\r\n\r\n", "505 error at 5: the version is HTTP/1\n");
    RESPONSE("http/1.1 200 OK\r\n\r\n",
             "400 error at 0: a version is HTTP/digit.digit (RFC 9112, 2.3)\n");
    RESPONSE("HTTP/1.1  200 OK\r\n\r\n",
             "400 error at 9: a status has three digits (RFC 9110, 15)\n");
    RESPONSE("HTTP/1.1 2000 OK\r\n\r\n",
             "400 error at 12: a space, then the reason (RFC 9112, 4)\n");
    RESPONSE("HTTP/1.1 099 OK\r\n\r\n",
             "400 error at 9: a status has three digits (RFC 9110, 15)\n");
    RESPONSE("\r\nHTTP/1.1 200 OK\r\n\r\n",
             "400 error at 0: a version is HTTP/digit.digit (RFC 9112, 2.3)\n");
}

static void interim_responses_come_before_the_final_one(void)
{
    RESPONSE(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "100 Continue 1.1\nnone, stays\nend\n103 Early Hints 1.1\nLink=</a>\nnone, stays\nend\n"
        "200 OK 1.1\nContent-Length=1\nlength 1, stays\nx\nend\n");
}

static void after_101_the_bytes_are_no_longer_http(void)
{
    RESPONSE("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n\x81\x02hi",
             "101 Switching Protocols 1.1\nConnection=Upgrade\nnone, closes\nleft 4\n");
}

static void the_request_decides_for_head_and_connect(void)
{
    ANSWER_TO("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
              "200 OK 1.1\nContent-Length=9\nnone, stays\nend\n");
    ANSWER_TO("CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
              "200 OK 1.1\nContent-Length=9\nnone, stays\nend\n");
    ANSWER_TO("CONNECT", "HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx",
              "407 No 1.1\nContent-Length=1\nlength 1, stays\nx\nend\n");
}

static void a_response_without_a_length_lasts_until_the_stream_ends(void)
{
    RESPONSE("HTTP/1.1 200 OK\r\n\r\nto the end",
             "200 OK 1.1\nuntil close, closes\nto the end\nend\n");
    RESPONSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzz",
             "200 OK 1.1\nTransfer-Encoding=gzip\nuntil close, closes\nzz\nend\n");
    RESPONSE("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
             "304 Not Modified 1.1\nContent-Length=5\nnone, stays\nend\n");
}

static void a_stream_that_ends_early_is_an_error(void)
{
    RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
             "200 OK 1.1\nContent-Length=3\nlength 3, stays\nab\n"
             "error at 2: the stream ended within the body (RFC 9112, 8)\n");
    RESPONSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
             "200 OK 1.1\nTransfer-Encoding=chunked\nchunked, stays\nab\n"
             "error at 7: the stream ended within the body (RFC 9112, 8)\n");
    RESPONSE("HTTP/1.1 200 OK\r\nConte", "partial\n");
}

static void connection_and_version_say_whether_it_stays_open(void)
{
    RESPONSE("HTTP/1.0 204 N\r\n\r\n", "204 N 1.0\nnone, closes\nend\n");
    RESPONSE("HTTP/1.0 204 N\r\nConnection: a, Keep-Alive\r\n\r\n",
             "204 N 1.0\nConnection=a, Keep-Alive\nnone, stays\nend\n");
    RESPONSE("HTTP/1.1 204 N\r\nconnection:keep-alive ,, CLOSE\r\n\r\n",
             "204 N 1.1\nconnection=keep-alive ,, CLOSE\nnone, closes\nend\n");
}

/* ---- Fields */

static void white_space_around_a_value_is_not_part_of_it(void)
{
    RESPONSE("HTTP/1.1 204 N\r\nA: \t x y\t \r\nB:\r\nC:  \r\n\r\n",
             "204 N 1.1\nA=x y\nB=\nC=\nnone, stays\nend\n");
}

#define BAD_FIELD(line, expected) REQUEST("GET / HTTP/1.1\r\n" line "\r\nHost: a\r\n\r\n", expected)

static void a_field_line_is_a_token_a_colon_and_text(void)
{
    BAD_FIELD("A : x", "400 error at 17: a field is a token, a colon, a value (RFC 9112, 5)\n");
    BAD_FIELD(": x", "400 error at 16: a field is a token, a colon, a value (RFC 9112, 5)\n");
    BAD_FIELD("A", "400 error at 17: a field is a token, a colon, a value (RFC 9112, 5)\n");
    BAD_FIELD("A: x\r\n y", "400 error at 22: a field is not folded (RFC 9112, 5.2)\n");
    BAD_FIELD("\tA: x", "400 error at 16: a field is not folded (RFC 9112, 5.2)\n");
    BAD_FIELD("A: x\0y",
              "400 error at 20: a field value has no control characters (RFC 9110, 5.5)\n");
    BAD_FIELD("A: x\ry",
              "400 error at 20: a field value has no control characters (RFC 9110, 5.5)\n");
    BAD_FIELD("A: 0123456789\x7F",
              "400 error at 29: a field value has no control characters (RFC 9110, 5.5)\n");
    BAD_FIELD("A\0: x", "400 error at 17: a field is a token, a colon, a value (RFC 9112, 5)\n");
}

static void every_line_ends_in_cr_lf(void)
{
    REQUEST("GET / HTTP/1.1\nHost: a\r\n\r\n",
            "400 error at 14: a line ends in CR LF (RFC 9112, 2.2)\n");
    REQUEST("GET / HTTP/1.1\r\nHost: a\n\r\n",
            "400 error at 23: a line ends in CR LF (RFC 9112, 2.2)\n");
    REQUEST("GET / HTTP/1.1\r\nHost: a\r\n\n",
            "400 error at 25: a line ends in CR LF (RFC 9112, 2.2)\n");
    REQUEST("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
            "400 error at 23: a field value has no control characters (RFC 9110, 5.5)\n");
}

static void limits_hold_before_the_line_has_ended(void)
{
    struct reader reader = {
        .kind = SOS_HTTP_REQUEST_, .method = "", .max_line = 20, .max_head = 40
    };
    reader.input = SLICE("GET /aaaaaaaaaaaaaaaaaaaaaaa");
    check(&reader, "414 limit at 20: a line or the head is longer than the limit\n");
    reader.input = SLICE("GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbb");
    check(&reader, "431 limit at 36: a line or the head is longer than the limit\n");
    reader.input = SLICE("GET / HTTP/1.1\r\nA: bbbbbbbb\r\nB: bbbbbbbb\r\n\r\n");
    check(&reader, "431 limit at 40: a line or the head is longer than the limit\n");
    reader.input = SLICE("GET / HTTP/1.1\r\nHost: bbbbbbbbbbb\r\n\r\n");
    check(&reader, "GET / origin 1.1\nHost=bbbbbbbbbbb\nnone, stays\nend\n");
    REQUEST("GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n",
            "431 limit at 37: more fields than the limit\n");
}

/* ---- Requests */

static void a_request_line_is_method_target_version(void)
{
    REQUEST("\r\nGET /a?b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a?b origin 1.1\nHost=a\nnone, stays\nend\n");
    REQUEST("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 error at 2: a method is a token, then a space (RFC 9112, 3.1)\n");
    REQUEST("GET  / HTTP/1.1\r\n\r\n",
            "400 error at 5: a version is HTTP/digit.digit (RFC 9112, 2.3)\n");
    REQUEST("GET / HTTP/1.1 \r\n\r\n",
            "400 error at 14: nothing after the version (RFC 9112, 3)\n");
    REQUEST("GET /\r\n\r\n", "400 error at 5: the version follows the target (RFC 9112, 3)\n");
    REQUEST("G\xC3\x89T / HTTP/1.1\r\n\r\n",
            "400 error at 1: a method is a token, then a space (RFC 9112, 3.1)\n");
    REQUEST("GET /\0 HTTP/1.1\r\n\r\n", "400 error at 5: the target has a form of RFC 9112, 3.2\n");
    REQUEST("GET /#a HTTP/1.1\r\n\r\n", "400 error at 5: the target has a form of RFC 9112, 3.2\n");
}

static void a_target_has_one_of_four_forms(void)
{
    REQUEST("GET http://b:8/x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://b:8/x absolute 1.1\nHost=a\nnone, stays\nend\n");
    REQUEST("CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT [::1]:443 authority 1.1\nHost=a\nnone, stays\nend\n");
    REQUEST("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * asterisk 1.1\nHost=a\nnone, stays\nend\n");
    REQUEST("GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 error at 4: the target has a form of RFC 9112, 3.2\n");
    REQUEST("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 error at 8: the target has a form of RFC 9112, 3.2\n");
    REQUEST("GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 error at 4: the target has a form of RFC 9112, 3.2\n");
}

static void a_request_of_1_1_has_one_good_host(void)
{
    REQUEST("GET / HTTP/1.1\r\n\r\n",
            "400 error at 16: a request has a Host field (RFC 9112, 3.2)\n");
    REQUEST("GET / HTTP/1.0\r\n\r\n", "GET / origin 1.0\nnone, closes\nend\n");
    REQUEST("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
            "400 error at 30: there is one Host field (RFC 9112, 3.2)\n");
    REQUEST("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "400 error at 21: Host is a host and perhaps a port (RFC 9110, 7.2)\n");
    REQUEST("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / origin 1.1\nHost=\nnone, stays\nend\n");
}

static void pipelined_requests_are_taken_one_by_one(void)
{
    REQUEST(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: b\r\n"
        "\r\nPOST /3 HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\nx\r\n0\r\n\r\nGET /4 HT",
        "POST /1 origin 1.1\nHost=a\nContent-Length=3\nlength 3, stays\nabc\nend\n"
        "GET /2 origin 1.1\nHost=b\nnone, stays\nend\n"
        "POST /3 origin 1.1\nHost=c\nTransfer-Encoding=chunked\nchunked, stays\nx\nend\npartial\n");
}

/* ---- Lengths that two readers might read differently */

#define FRAMED(lines, expected) REQUEST("POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n\r\n", expected)

static void a_length_is_said_in_one_way(void)
{
    FRAMED("Content-Length: 0\r\nContent-Length: 0",
           "POST / origin 1.1\nHost=a\nContent-Length=0\nContent-Length=0\nnone, stays\nend\n");
    FRAMED("Content-Length: 1\r\nContent-Length: 2",
           "400 error at 60: Content-Length has one value (RFC 9112, 6.3)\n");
    FRAMED("Content-Length: 1\r\nTransfer-Encoding: chunked",
           "400 error at 73: not both Content-Length and Transfer-Encoding (RFC 9112, 6.2)\n");
    FRAMED("Transfer-Encoding: chunked\r\nContent-Length: 1",
           "400 error at 73: not both Content-Length and Transfer-Encoding (RFC 9112, 6.2)\n");
}

static void a_content_length_is_digits(void)
{
    const char *expected = "400 error at 41: Content-Length is a decimal number (RFC 9110, 8.6)\n";
    FRAMED("Content-Length: +1", expected);
    FRAMED("Content-Length: -1", expected);
    FRAMED("Content-Length: 1a", expected);
    FRAMED("Content-Length: 1, 1", expected);
    FRAMED("Content-Length: 0x10", expected);
    FRAMED("Content-Length:", expected);
    FRAMED("Content-Length: 9223372036854775808",
           "413 limit at 41: Content-Length is below 2^63\n");
    uint64_t length;
    CHECK_INT(sos_http_parse_length_(SLICE("9223372036854775807"), &length), SOS_OK);
    CHECK_INT(length, INT64_MAX);
    CHECK_INT(sos_http_parse_length_(SLICE("99999999999999999999999"), &length), SOS_ELIMIT);
}

static void chunked_is_the_last_coding_and_said_once(void)
{
    FRAMED("Transfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n0",
           "POST / origin 1.1\nHost=a\nTransfer-Encoding=gzip\nTransfer-Encoding=Chunked\n"
           "chunked, stays\nend\n");
    FRAMED("Transfer-Encoding: gzip",
           "400 error at 51: the last coding of a request is chunked (RFC 9112, 6.3)\n");
    FRAMED("Transfer-Encoding: chunked, gzip",
           "400 error at 44: chunked is the last transfer coding (RFC 9112, 6.1)\n");
    FRAMED("Transfer-Encoding: chunked, chunked",
           "400 error at 44: chunked is the last transfer coding (RFC 9112, 6.1)\n");
    FRAMED("Transfer-Encoding: chunked,",
           "400 error at 44: a transfer coding is a token (RFC 9112, 7)\n");
    FRAMED("Transfer-Encoding: \"chunked\"",
           "400 error at 44: a transfer coding is a token (RFC 9112, 7)\n");
    FRAMED("Transfer-Encoding:\x0B"
           "chunked",
           "400 error at 44: a field value has no control characters (RFC 9110, 5.5)\n");
    REQUEST("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 error at 45: HTTP/1.0 has no Transfer-Encoding (RFC 9112, 6.1)\n");
}

/* ---- Chunked bodies */

#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_TEXT "200 OK 1.1\nTransfer-Encoding=chunked\nchunked, stays\n"
#define CHUNKS(bytes, expected) RESPONSE(CHUNKED_HEAD bytes, CHUNKED_TEXT expected)

static void chunks_are_joined_and_extensions_dropped(void)
{
    CHUNKS("3\r\nabc\r\n00A;x=\"y;\" ; z\r\n0123456789\r\n0\r\n\r\n", "abc0123456789\nend\n");
    CHUNKS("1 ;x\r\na\r\n0;last\r\n\r\n", "a\nend\n");
    CHUNKS("a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n\nend\n");
}

static void trailer_fields_obey_the_rules_of_header_fields(void)
{
    CHUNKS("1\r\na\r\n0\r\nA: x \r\nB:\r\n\r\n", "a\n+A=x\n+B=\nend\n");
    CHUNKS("0\r\nA : x\r\n\r\n",
           "error at 4: a field is a token, a colon, a value (RFC 9112, 5)\n");
    CHUNKS("0\r\n A: x\r\n\r\n",
           "error at 3: a field is a token, a colon, a value (RFC 9112, 5)\n");
    CHUNKS("0\r\nA: x\n\r\n",
           "error at 7: a field value has no control characters (RFC 9110, 5.5)\n");
    CHUNKS("0\r\nA: x\r\r\n", "error at 8: a line ends in CR LF (RFC 9112, 2.2)\n");
    CHUNKS("0\r\n\rx", "error at 4: a line ends in CR LF (RFC 9112, 2.2)\n");
    CHUNKS("0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n",
           "limit at 21: more trailer fields than the limit\n");
    CHUNKS("0\r\nA:0123456789012345678901234567890123456789012345678901234567890123456789\r\n\r\n",
           "limit at 68: the trailer is longer than the limit\n");
}

static void a_chunk_size_is_hexadecimal_and_below_2_to_the_63(void)
{
    const char *expected = CHUNKED_TEXT "error at 0: a chunk size is hexadecimal (RFC 9112, 7.1)\n";
    RESPONSE(CHUNKED_HEAD "\r\n", expected);
    RESPONSE(CHUNKED_HEAD "-1\r\n", expected);
    RESPONSE(CHUNKED_HEAD " 1\r\n", expected);
    RESPONSE(CHUNKED_HEAD "x1\r\n", expected);
    CHUNKS("0x1\r\n", "error at 1: a chunk size is hexadecimal (RFC 9112, 7.1)\n");
    CHUNKS("1\n", "error at 1: a chunk size is hexadecimal (RFC 9112, 7.1)\n");
    CHUNKS("1 \r\n", "error at 2: an extension starts with ; (RFC 9112, 7.1.1)\n");
    CHUNKS("1;a\n", "error at 3: an extension has no control characters (RFC 9112, 7.1.1)\n");
    CHUNKS("8000000000000000\r\n", "limit at 16: a chunk size is below 2^63\n");
    CHUNKS("00000000000000001\r\n", "limit at 16: a chunk size has at most 16 digits\n");
}

static void a_chunk_ends_where_its_size_says(void)
{
    CHUNKS("1\r\nab\r\n", "a\nerror at 4: chunk and chunk line end in CR LF (RFC 9112, 7.1)\n");
    CHUNKS("1\r\na\n", "a\nerror at 4: chunk and chunk line end in CR LF (RFC 9112, 7.1)\n");
    CHUNKS("1\rx", "error at 2: chunk and chunk line end in CR LF (RFC 9112, 7.1)\n");
}

static void a_body_has_a_limit_however_it_is_framed(void)
{
    struct reader reader = { .kind = SOS_HTTP_RESPONSE_, .method = "GET", .max_size = 3 };
    reader.input = SLICE("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
    check(&reader, "200 OK 1.1\nContent-Length=4\nlength 4, stays\n"
                   "limit at 0: the body is larger than the limit\n");
    reader.input = SLICE("HTTP/1.1 200 OK\r\n\r\nabcd");
    check(&reader, "200 OK 1.1\nuntil close, closes\nabc\n"
                   "limit at 3: the body is larger than the limit\n");
    reader.input = SLICE(CHUNKED_HEAD "2\r\nab\r\n2\r\ncd\r\n");
    check(&reader, CHUNKED_TEXT "ab\nlimit at 9: the body is larger than the limit\n");
}

static void endless_extensions_are_refused(void)
{
    struct sos_http_body_ body = { .max_size = 0 };
    size_t taken, total = 0;
    struct sos_slice_ data;
    sos_http_body_begin_(&body, SOS_HTTP_CHUNKED_, 0);
    int status = SOS_PARTIAL_;
    while (status == SOS_PARTIAL_ && total++ < 100000)
        status = sos_http_body_next_(&body, total == 1 ? "1" : ";", 1, &taken, &data);
    CHECK_INT(status, SOS_ELIMIT);
    CHECK_INT(total, SOS_HTTP_CHUNK_LINE_DEFAULT_ + 1);

    char line[1024] = "1;";
    memset(line + 2, 'x', 1000);
    memcpy(line + 1002, "\r\na\r\n", 5);
    body = (struct sos_http_body_){ .max_size = 0 };
    sos_http_body_begin_(&body, SOS_HTTP_CHUNKED_, 0);
    for (total = 0, status = SOS_PARTIAL_; status >= 0 && total < 1000; total++) {
        for (size_t at = 0; at < 1007 && status >= 0; at += taken)
            status = sos_http_body_next_(&body, line + at, 1007 - at, &taken, &data);
    }
    CHECK_INT(status, SOS_ELIMIT);
    CHECK(total < 20);
    CHECK_INT(sos_http_body_next_(&body, "x", 1, &taken, &data), SOS_ELIMIT);
}

/* ---- Looking up */

static void names_and_tokens_are_found_in_any_case(void)
{
    static const char bytes[] =
        "HTTP/1.1 200 OK\r\nvary: a, \"x,B\"\r\nVARY: ,c ,\r\nEmpty:\r\n\r\n";
    struct sos_http_field_ fields[FIELDS];
    struct sos_http_head_ head = { .fields = fields, .field_capacity = FIELDS };
    CHECK_INT(sos_http_head_parse_(&head, bytes, sizeof bytes - 1), sizeof bytes - 1);
    CHECK(sos_http_has_token_(&head, "Vary", "A"));
    CHECK(sos_http_has_token_(&head, "Vary", "C"));
    CHECK(!sos_http_has_token_(&head, "Vary", "b"));
    CHECK(!sos_http_has_token_(&head, "Vary", ""));
    CHECK(sos_slice_is_(sos_http_value_(&head, "VARY"), "a, \"x,B\""));
    CHECK(sos_http_value_(&head, "var").at == NULL);
    CHECK(sos_http_value_(&head, "empty").at != NULL);
    const struct sos_http_field_ *first = sos_http_find_(&head, "Vary");
    CHECK(sos_http_find_next_(&head, "Vary", first) == &fields[1]);
    CHECK(sos_http_find_next_(&head, "Vary", &fields[1]) == NULL);
}

static void a_header_in_the_same_memory_is_read_after_a_reset(void)
{
    char bytes[] = "HTTP/1.1 204 N\r\n\r\n";
    struct sos_http_head_ head = { .kind = SOS_HTTP_RESPONSE_ };
    CHECK_INT(sos_http_head_parse_(&head, bytes, sizeof bytes - 1), sizeof bytes - 1);
    memcpy(bytes, "HTTP/1.0 304", 12);
    CHECK_INT(head.status, 204);
    sos_http_head_reset_(&head);
    CHECK_INT(sos_http_head_parse_(&head, bytes, sizeof bytes - 1), sizeof bytes - 1);
    CHECK_INT(head.status, 304);
}

/* ---- Writing */

static void what_is_written_is_read_again(void)
{
    char bytes[256];
    struct sos_http_writer_ writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_request_(&writer, SLICE("PUT"), SLICE("/x?y"));
    sos_http_write_field_(&writer, SLICE("Host"), SLICE("a:81"));
    sos_http_write_field_(&writer, SLICE("Transfer-Encoding"), SLICE("chunked"));
    CHECK(sos_http_write_end_(&writer) > 0);
    sos_http_write_chunk_(&writer, 18);
    sos_sink_text_(&writer.out, "eighteen bytes ...\r\n");
    sos_http_write_last_chunk_(&writer);
    sos_http_write_number_(&writer, SLICE("T"), 7);
    int length = sos_http_write_end_(&writer);
    CHECK(length > 0);
    struct reader reader = { .kind = SOS_HTTP_REQUEST_,
                             .method = "",
                             .input = sos_slice_(bytes, (size_t)length) };
    check(&reader, "PUT /x?y origin 1.1\nHost=a:81\nTransfer-Encoding=chunked\nchunked, stays\n"
                   "eighteen bytes ...\n+T=7\nend\n");

    writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_status_(&writer, 200, sos_slice_text_(NULL));
    sos_http_write_number_(&writer, SLICE("Content-Length"), 0);
    length = sos_http_write_end_(&writer);
    CHECK(length > 0);
    bytes[length] = '\0';
    CHECK_TEXT(bytes, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* What the writer answers to a field. */
static int written(struct sos_slice_ name, struct sos_slice_ value)
{
    char bytes[64];
    struct sos_http_writer_ writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_field_(&writer, name, value);
    return sos_http_write_end_(&writer);
}

static void nothing_is_written_that_could_be_two_things(void)
{
    char bytes[64];
    CHECK_INT(written(SLICE("A"), SLICE("b")), 8);
    CHECK_INT(written(SLICE("A"), SLICE("b\r\nC: d")), SOS_EINVAL);
    CHECK_INT(written(SLICE("A"), SLICE("b\nC: d")), SOS_EINVAL);
    CHECK_INT(written(SLICE("A"), SLICE("b\0")), SOS_EINVAL);
    CHECK_INT(written(SLICE("A"), SLICE(" b")), SOS_EINVAL);
    CHECK_INT(written(SLICE("A:"), SLICE("b")), SOS_EINVAL);
    CHECK_INT(written(SLICE(""), SLICE("b")), SOS_EINVAL);
    struct sos_http_writer_ writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_request_(&writer, SLICE("GET"), SLICE("/ HTTP/1.1\r\nX: "));
    CHECK_INT(sos_http_write_end_(&writer), SOS_EINVAL);
    CHECK(writer.rule != NULL);
    writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_status_(&writer, 200, SLICE("OK\r\nX: y"));
    CHECK_INT(sos_http_write_end_(&writer), SOS_EINVAL);
    writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_status_(&writer, 99, SLICE("OK"));
    CHECK_INT(sos_http_write_end_(&writer), SOS_EINVAL);
    writer = sos_http_writer_(bytes, sizeof bytes);
    sos_http_write_chunk_(&writer, 0);
    CHECK_INT(sos_http_write_length_(&writer), SOS_EINVAL);
}

static void a_buffer_that_is_too_small_is_said(void)
{
    char bytes[39];
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct sos_http_writer_ writer = sos_http_writer_(bytes, size);
        sos_http_write_status_(&writer, 200, sos_slice_text_(NULL));
        sos_http_write_number_(&writer, SLICE("Content-Length"), 10);
        CHECK_INT(sos_http_write_end_(&writer), size < 39 ? SOS_ELIMIT : 39);
    }
    CHECK(memcmp(bytes, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 39) == 0);
}

int main(void)
{
    a_response_has_a_version_a_status_and_perhaps_a_reason();
    interim_responses_come_before_the_final_one();
    after_101_the_bytes_are_no_longer_http();
    the_request_decides_for_head_and_connect();
    a_response_without_a_length_lasts_until_the_stream_ends();
    a_stream_that_ends_early_is_an_error();
    connection_and_version_say_whether_it_stays_open();
    white_space_around_a_value_is_not_part_of_it();
    a_field_line_is_a_token_a_colon_and_text();
    every_line_ends_in_cr_lf();
    limits_hold_before_the_line_has_ended();
    a_request_line_is_method_target_version();
    a_target_has_one_of_four_forms();
    a_request_of_1_1_has_one_good_host();
    pipelined_requests_are_taken_one_by_one();
    a_length_is_said_in_one_way();
    a_content_length_is_digits();
    chunked_is_the_last_coding_and_said_once();
    chunks_are_joined_and_extensions_dropped();
    trailer_fields_obey_the_rules_of_header_fields();
    a_chunk_size_is_hexadecimal_and_below_2_to_the_63();
    a_chunk_ends_where_its_size_says();
    a_body_has_a_limit_however_it_is_framed();
    endless_extensions_are_refused();
    names_and_tokens_are_found_in_any_case();
    a_header_in_the_same_memory_is_read_after_a_reset();
    what_is_written_is_read_again();
    nothing_is_written_that_could_be_two_things();
    a_buffer_that_is_too_small_is_said();
    return 0;
}
