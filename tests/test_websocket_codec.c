/* SPDX-License-Identifier: MIT */
/*
 * Frames of WebSocket as bytes (RFC 6455, 5 to 8), as a client and as a server read them: every test
 * is named by the rule it holds, every input is also read in all two portions and byte by byte. Under
 * each name stand the cases of the Autobahn test suite that it covers.
 *
 * A transcript: T<...> and B<...> are messages (Z before them: compressed), the payload as it
 * comes; ping<...>, pong<...>, close CODE<...> stand where they came.
 */
#include "check.h"
#include "portions.h"

#include <stdbool.h>
#include <stdint.h>

#include "proto/websocket.h"

/* ---- What the tests share */

static const uint8_t mask[SOS_WS_MASK_SIZE_] = { 0x37, 0xFA, 0x21, 0x3D };

struct wire {
    size_t length;
    char bytes[300000];
};

static struct wire wire; /* what add() has added */

enum { FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10 };
enum {
    MORE = 0,
    TEXT = FIN | 1,
    BINARY = FIN | 2,
    CLOSE = FIN | 8,
    PING = FIN | 9,
    PONG = FIN | 10
};

static void add(unsigned first, const void *payload, size_t length)
{
    struct sos_ws_frame_ frame = { .opcode = first & 15, .length = length };
    unsigned char head[SOS_WS_HEAD_ROOM_];
    size_t size = sos_ws_head_(head, &frame, NULL);
    CHECK(wire.length + size + length <= sizeof wire.bytes);
    head[0] = (unsigned char)first;
    memcpy(wire.bytes + wire.length, head, size);
    if (length > 0)
        memcpy(wire.bytes + wire.length + size, payload, length);
    wire.length += size + length;
}

#define ADD(first, literal) add(first, literal, sizeof(literal) - 1)

static void transcribe_event(struct transcript *to, int kind, const struct sos_ws_event_ *event)
{
    static const char *const names[] = { "", "", "ping<", "pong<" };
    if (kind == SOS_WS_DATA_EVENT_) {
        CHECK(event->length > 0 || event->last);
        if (event->first)
            transcribe(to, "%s%c<", event->compressed ? "Z" : "",
                       event->opcode == SOS_WS_TEXT_ ? 'T' : 'B');
    } else if (kind == SOS_WS_CLOSE_EVENT_) {
        transcribe(to, "close %u<", event->code);
    } else {
        transcribe(to, "%s", names[kind]);
    }
    if (event->length > 300) /* of long messages their sizes will do */
        CHECK(kind == SOS_WS_DATA_EVENT_ && event->opcode == SOS_WS_BINARY_);
    transcribe_bytes(to, event->bytes, event->length);
    if (kind != SOS_WS_DATA_EVENT_ || event->last)
        transcribe(to, ">");
}

static void parse(struct transcript *to, const char *bytes, size_t length, size_t cut,
                  void *options_)
{
    const struct sos_ws_options_ *options = options_;
    struct sos_ws_parser_ parser;
    struct sos_ws_event_ event;
    int kind = SOS_PARTIAL_;
    sos_ws_init_(&parser, options);
    for (size_t start = 0, end; start < length && kind == SOS_PARTIAL_; start = end) {
        end = portion_end(start, length, cut);
        unsigned char *portion = exact_copy(bytes + start, end - start);
        size_t at = 0;
        while ((kind = sos_ws_next_(&parser, portion + at, end - start - at, &event)) > 0) {
            at += event.taken;
            transcribe_event(to, kind, &event);
        }
        at += event.taken;
        CHECK(kind != SOS_PARTIAL_ || at == end - start);
        CHECK_INT(parser.at, start + at);
        free(portion);
    }
    if (kind == SOS_PARTIAL_)
        return;
    CHECK(parser.error.rule != NULL && parser.error.at < length);
    CHECK_INT(kind, parser.close_code == SOS_WS_TOO_LARGE_ ? SOS_ELIMIT : SOS_EPROTO);
    transcribe(to, "%u", parser.close_code);
    if (!options->server)
        transcribe(to, " at %d", (int)parser.error.at);
    transcribe(to, ": %s", parser.error.rule);
    CHECK_INT(sos_ws_next_(&parser, (unsigned char[]){ 0 }, 1, &event), kind);
}

/* The same frames as a client would send them. */
static void masked(struct wire *to)
{
    to->length = 0;
    for (size_t at = 0; at < wire.length;) {
        const unsigned char *from = (const unsigned char *)wire.bytes + at;
        size_t length = from[1], size = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0);
        for (size_t i = 2; i < size; i++)
            length = (i == 2 ? 0 : length << 8) | from[i];
        length = length < wire.length - at - size ? length : wire.length - at - size;
        memcpy(to->bytes + to->length, from, size);
        to->bytes[to->length + 1] = (char)(to->bytes[to->length + 1] | 0x80);
        memcpy(to->bytes + to->length + size, mask, sizeof mask);
        to->length += size + sizeof mask;
        sos_ws_mask_((unsigned char *)to->bytes + to->length, from + size, length, mask, 0);
        to->length += length;
        at += size + length;
    }
}

/* What a client answers to the frames that were added, and a server to the same frames masked, but
 * for the place of what is wrong. */
static const char *read_with(struct sos_ws_options_ options)
{
    static struct wire other;
    static char client[1 << 16], without_place[1 << 16];
    options.server = false;
    strcpy(client, check_portions(parse, wire.bytes, wire.length, &options));
    strcpy(without_place, client);
    char *place = strstr(without_place, " at ");
    if (place != NULL)
        memmove(place, strchr(place, ':'), strlen(strchr(place, ':')) + 1);
    masked(&other);
    options.server = true;
    CHECK_TEXT(check_portions(parse, other.bytes, other.length, &options), without_place);
    wire.length = 0;
    return client;
}

static const char *read_it(void)
{
    return read_with((struct sos_ws_options_){ 0 });
}

/* The frame alone, as a client reads it. */
static const char *read_frame(unsigned first, const void *payload, size_t length)
{
    add(first, payload, length);
    return read_it();
}

#define READ_FRAME(first, literal) read_frame(first, literal, sizeof(literal) - 1)

static const char *read_bytes(struct sos_ws_options_ options, const char *bytes, size_t length)
{
    return check_portions(parse, bytes, length, &options);
}

#define READ(literal, ...)                                                                         \
    read_bytes((struct sos_ws_options_){ __VA_ARGS__ }, literal, sizeof(literal) - 1)

/* ---- Frames (RFC 6455, 5.2) */

static void the_examples_of_the_standard_are_read(void)
{
    CHECK_TEXT(READ("\x81\x05Hello", 0), "T<Hello>");
    CHECK_TEXT(READ("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", .server = true), "T<Hello>");
    CHECK_TEXT(READ("\x01\x03Hel\x80\x02lo", 0), "T<Hello>");
    CHECK_TEXT(READ("\x89\x05Hello", 0), "ping<Hello>");
    CHECK_TEXT(READ("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", .server = true), "pong<Hello>");
}

/* 1.1.1 to 1.1.8, 1.2.1 to 1.2.8: sizes at which the head changes; large ones in few portions. */
static void a_message_may_have_any_size(void)
{
    static const size_t sizes[] = { 0, 1, 124, 125, 126, 127, 128, 65535, 65536, 100000 };
    static unsigned char bytes[100000], copy[100000 + SOS_WS_HEAD_ROOM_];
    static const size_t portions[] = { 1, 3, 997, 4096, SIZE_MAX };
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)('a' + i % 25);
    for (size_t i = 0; i < 2 * 2 * 5 * sizeof sizes / sizeof *sizes; i++) {
        bool server = i & 1, text = i & 2;
        size_t portion = portions[i / 4 % 5], size = sizes[i / 20], total = 0, seen = 0;
        struct sos_ws_frame_ frame = { .opcode = text ? SOS_WS_TEXT_ : SOS_WS_BINARY_,
                                       .length = size };
        size_t head = sos_ws_head_(copy, &frame, server ? mask : NULL), at = 0;
        struct sos_ws_parser_ parser;
        struct sos_ws_event_ event = { .last = false };
        memcpy(copy + head, bytes, size);
        if (server)
            sos_ws_mask_(copy + head, copy + head, size, mask, 0);
        total = head + size;
        sos_ws_init_(&parser, &(struct sos_ws_options_){ .server = server });
        while (at < total) {
            size_t end = portion < total - at ? at + portion : total;
            int kind;
            while ((kind = sos_ws_next_(&parser, copy + at, end - at, &event)) > 0) {
                CHECK(memcmp(event.bytes, bytes + seen, event.length) == 0);
                CHECK_INT(event.frame_left, size - seen - event.length);
                CHECK_INT(event.first, seen == 0);
                seen += event.length;
                CHECK_INT(event.last, seen == size);
                at += event.taken;
            }
            CHECK_INT(kind, SOS_PARTIAL_);
            at += event.taken;
        }
        CHECK_INT(seen, size);
    }
}

/* 3.1 to 3.7 */
static void reserved_bits_are_zero(void)
{
    static const char *rsv1 = "1002 at 0: RSV1 is zero without an extension (RFC 6455, 5.2)";
    static const char *others = "1002 at 0: RSV2 and RSV3 are zero (RFC 6455, 5.2)";
    static const unsigned opcodes[] = { TEXT, BINARY, CLOSE, PING, PONG };
    for (size_t i = 0; i < 5; i++)
        for (unsigned bits = 1; bits < 8; bits++)
            CHECK_TEXT(READ_FRAME(opcodes[i] | bits << 4, "x"), bits == 4 ? rsv1 : others);
    ADD(TEXT, "good");
    ADD(TEXT | RSV2, "x");
    CHECK_TEXT(read_it(), "T<good>1002 at 6: RSV2 and RSV3 are zero (RFC 6455, 5.2)");
}

/* 4.1.1 to 4.2.5 */
static void reserved_opcodes_are_refused(void)
{
    for (unsigned opcode = 3; opcode < 16; opcode++)
        if (opcode < 8)
            CHECK_TEXT(READ_FRAME(FIN | opcode, "x"),
                       "1002 at 0: opcodes 3 to 7 are reserved (RFC 6455, 5.2)");
        else if (opcode > 10)
            CHECK_TEXT(READ_FRAME(FIN | opcode, "x"),
                       "1002 at 0: opcodes B to F are reserved (RFC 6455, 5.2)");
}

static void a_client_masks_and_a_server_does_not(void)
{
    CHECK_TEXT(READ("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 0),
               "1002 at 1: a server does not mask (RFC 6455, 5.1)");
    CHECK_TEXT(READ("\x81\x05Hello", .server = true), "1002: a client masks (RFC 6455, 5.1)");
    CHECK_TEXT(READ("\x89\x80....", 0), "1002 at 1: a server does not mask (RFC 6455, 5.1)");
    CHECK_TEXT(READ("\x88\x00", .server = true), "1002: a client masks (RFC 6455, 5.1)");
}

static void a_length_is_written_as_short_as_can_be(void)
{
    static const char rule[] = ": a length has as few bytes as can be (RFC 6455, 5.2)";
    char expected[100];
    snprintf(expected, sizeof expected, "1002 at 3%s", rule);
    CHECK_TEXT(READ("\x82\x7E\x00\x7D", 0), expected);
    CHECK_TEXT(READ("\x82\x7E\x00\x00", 0), expected);
    snprintf(expected, sizeof expected, "1002 at 9%s", rule);
    CHECK_TEXT(READ("\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", 0), expected);
    CHECK_TEXT(READ("\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00", 0),
               "1002 at 2: the highest bit of a length is zero (RFC 6455, 5.2)");
    CHECK_TEXT(READ("\x82\x7E\x00\x7E", 0), "");
    CHECK_TEXT(READ("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 0), "");
}

/* ---- Control frames (RFC 6455, 5.5) */

/* 2.1 to 2.11 */
static void control_frames_have_at_most_125_bytes(void)
{
    static const char rule[] = "1002 at 1: a control frame has at most 125 bytes (RFC 6455, 5.5)";
    char payload[126], expected[140];
    memset(payload, '*', sizeof payload);
    CHECK_TEXT(READ_FRAME(PING, ""), "ping<>");
    CHECK_TEXT(READ_FRAME(PING, "\0\xFF\xFE"), "ping<\\00\\ff\\fe>");
    CHECK_TEXT(READ_FRAME(PONG, ""), "pong<>");
    snprintf(expected, sizeof expected, "ping<%.125s>", payload);
    CHECK_TEXT(read_frame(PING, payload, 125), expected);
    CHECK_TEXT(read_frame(PING, payload, 126), rule);
    CHECK_TEXT(read_frame(PONG, payload, 126), rule);
    CHECK_TEXT(read_frame(CLOSE, payload, 126), rule);
    ADD(PONG, "unsolicited");
    for (int i = 0; i < 10; i++)
        ADD(PING, "p");
    CHECK_TEXT(read_it(),
               "pong<unsolicited>ping<p>ping<p>ping<p>ping<p>ping<p>ping<p>ping<p>ping<p>"
               "ping<p>ping<p>");
}

/* 5.1, 5.2 */
static void control_frames_are_not_fragmented(void)
{
    static const char rule[] = "1002 at 0: a control frame is not fragmented (RFC 6455, 5.5)";
    CHECK_TEXT(READ_FRAME(SOS_WS_PING_, "x"), rule);
    CHECK_TEXT(READ_FRAME(SOS_WS_PONG_, "x"), rule);
    CHECK_TEXT(READ_FRAME(SOS_WS_CLOSE_, ""), rule);
}

/* ---- Fragments (RFC 6455, 5.4) */

/* 5.3 to 5.8, 5.19, 5.20 */
static void control_frames_come_between_fragments(void)
{
    ADD(SOS_WS_TEXT_, "fragment1");
    ADD(FIN, "fragment2");
    CHECK_TEXT(read_it(), "T<fragment1fragment2>");
    ADD(SOS_WS_TEXT_, "fragment1");
    ADD(PING, "p");
    ADD(FIN, "fragment2");
    CHECK_TEXT(read_it(), "T<fragment1ping<p>fragment2>");
    ADD(SOS_WS_BINARY_, "1");
    ADD(MORE, "2");
    ADD(PING, "p");
    ADD(MORE, "3");
    ADD(MORE, "");
    ADD(PONG, "q");
    ADD(FIN, "5");
    ADD(TEXT, "next");
    CHECK_TEXT(read_it(), "B<12ping<p>3pong<q>5>T<next>");
    ADD(SOS_WS_TEXT_, "a");
    ADD(CLOSE, "\x03\xE8");
    CHECK_TEXT(read_it(), "T<aclose 1000<>");
}

/* 5.9 to 5.18 */
static void a_continuation_has_a_message_to_continue(void)
{
    static const char rule[] = "a continuation has a message to continue (RFC 6455, 5.4)";
    char expected[120];
    snprintf(expected, sizeof expected, "1002 at 0: %s", rule);
    CHECK_TEXT(READ_FRAME(FIN, "x"), expected);
    CHECK_TEXT(READ_FRAME(MORE, "x"), expected);
    CHECK_TEXT(READ_FRAME(FIN, ""), expected);
    ADD(SOS_WS_TEXT_, "a");
    ADD(FIN, "b");
    ADD(MORE, "c");
    snprintf(expected, sizeof expected, "T<ab>1002 at 6: %s", rule);
    CHECK_TEXT(read_it(), expected);
    ADD(TEXT, "a");
    ADD(FIN, "b");
    snprintf(expected, sizeof expected, "T<a>1002 at 3: %s", rule);
    CHECK_TEXT(read_it(), expected);
    for (unsigned fin = 0; fin <= FIN; fin += FIN) {
        ADD(SOS_WS_TEXT_, "a");
        ADD(fin | SOS_WS_TEXT_, "b");
        CHECK_TEXT(read_it(),
                   "T<a1002 at 3: a message ends before the next begins (RFC 6455, 5.4)");
    }
}

/* 6.1.1 to 6.1.3 */
static void a_message_and_its_fragments_may_be_empty(void)
{
    CHECK_TEXT(READ_FRAME(TEXT, ""), "T<>");
    CHECK_TEXT(READ_FRAME(BINARY, ""), "B<>");
    ADD(SOS_WS_TEXT_, "");
    ADD(MORE, "");
    ADD(FIN, "");
    CHECK_TEXT(read_it(), "T<>");
    ADD(SOS_WS_TEXT_, "");
    ADD(MORE, "middle");
    ADD(FIN, "");
    CHECK_TEXT(read_it(), "T<middle>");
}

/* ---- Text (RFC 6455, 8.1) */

/* 6.2.1 to 6.2.4, 6.5 to 6.11: also when fragments cut a character. */
static void text_may_be_cut_within_a_character(void)
{
    static const char text[] =
        "Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xE2\x82\xAC\xF0\x9F\x98\x80-UTF-8!!";
    struct transcript expected = { 0 };
    transcribe(&expected, "T<");
    transcribe_bytes(&expected, text, sizeof text - 1);
    transcribe(&expected, ">");
    for (size_t cut = 0; cut < sizeof text; cut++) {
        add(SOS_WS_TEXT_, text, cut);
        add(FIN, text + cut, sizeof text - 1 - cut);
        CHECK_TEXT(read_it(), expected.text);
    }
    for (size_t i = 0; i < sizeof text - 1; i++)
        add((i == 0 ? 1u : 0u) | (i == sizeof text - 2 ? FIN : 0u), text + i, 1);
    CHECK_TEXT(read_it(), expected.text);
}

/* 6.3.1 to 6.4.4, 6.12 to 6.23 */
static void text_is_refused_at_its_first_wrong_byte(void)
{
    static const char rule[] = ": text is UTF-8 (RFC 6455, 8.1)";
    char expected[100];
    snprintf(expected, sizeof expected, "T<\\ce\\ba\\ed1007 at 5%s", rule);
    CHECK_TEXT(READ_FRAME(TEXT, "\xCE\xBA\xED\xA0\x80"
                                "edited"),
               expected);
    snprintf(expected, sizeof expected, "T<\\ce\\ba\\f41007 at 7%s", rule);
    ADD(SOS_WS_TEXT_, "\xCE\xBA\xF4");
    ADD(MORE, "\x90\x80\x80"); /* the message has not ended, and is refused already */
    CHECK_TEXT(read_it(), expected);
    snprintf(expected, sizeof expected, "1007 at 2%s", rule);
    CHECK_TEXT(READ_FRAME(TEXT, "\xFF"), expected);
    CHECK_TEXT(READ_FRAME(TEXT, "\xC0\xAF"), expected);
    CHECK_TEXT(READ_FRAME(SOS_WS_TEXT_, "\xF8\x88\x80\x80\x80"), expected);
    CHECK_TEXT(READ_FRAME(BINARY, "\xFF"), "B<\\ff>");
}

static void text_ends_with_a_whole_character(void)
{
    static const char rule[] = ": text is UTF-8 (RFC 6455, 8.1)";
    char expected[100];
    snprintf(expected, sizeof expected, "T<ab\\e2\\821007 at 5%s", rule);
    CHECK_TEXT(READ_FRAME(TEXT, "ab\xE2\x82"), expected);
    ADD(SOS_WS_TEXT_, "\xE2\x82");
    ADD(FIN, "");
    snprintf(expected, sizeof expected, "T<\\e2\\821007 at 5%s", rule);
    CHECK_TEXT(read_it(), expected);
    /* The next message starts afresh, and binary ones are not looked at. */
    ADD(BINARY, "\xE2");
    ADD(TEXT, "a");
    CHECK_TEXT(read_it(), "B<\\e2>T<a>");
}

/* ---- Close (RFC 6455, 5.5.1 and 7.4) */

/* 7.1.1 to 7.1.6 */
static void what_comes_after_a_close_is_dropped(void)
{
    ADD(CLOSE, "\x03\xE8");
    ADD(TEXT, "late");
    ADD(PING, "late");
    ADD(0x77, "nonsense");
    CHECK_TEXT(read_it(), "close 1000<>");
}

/* 7.3.1 to 7.3.6, 7.5.1 */
static void a_close_has_a_code_and_a_reason_or_nothing(void)
{
    char payload[126] = "\x03\xE8", expected[160];
    memset(payload + 2, '*', sizeof payload - 2);
    CHECK_TEXT(READ_FRAME(CLOSE, ""), "close 1005<>");
    CHECK_TEXT(READ_FRAME(CLOSE, "a"), "1002 at 2: a code has two bytes (RFC 6455, 5.5.1)");
    CHECK_TEXT(READ_FRAME(CLOSE, "\x03\xE8"), "close 1000<>");
    CHECK_TEXT(READ_FRAME(CLOSE, "\x03\xE8Hello"), "close 1000<Hello>");
    snprintf(expected, sizeof expected, "close 1000<%.123s>", payload + 2);
    CHECK_TEXT(read_frame(CLOSE, payload, 125), expected);
    CHECK_TEXT(READ_FRAME(CLOSE, "\x03\xE8\xCE\xBA\xED\xA0"),
               "1007 at 7: text is UTF-8 (RFC 6455, 8.1)");
    CHECK_TEXT(READ_FRAME(CLOSE, "\x03\xE8\xCE"), "1007 at 4: text is UTF-8 (RFC 6455, 8.1)");
}

/* 7.7.1 to 7.7.13, 7.9.1 to 7.9.9, 7.13.1, 7.13.2 */
static void a_code_is_one_that_may_be_sent(void)
{
    for (unsigned code = 0; code <= 0xFFFF; code++) {
        bool good = (code >= 3000 && code < 5000) ||
                    (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006);
        unsigned char payload[] = { 0x88, 2, (unsigned char)(code >> 8), (unsigned char)code };
        struct sos_ws_parser_ parser;
        struct sos_ws_event_ event;
        CHECK_INT(sos_ws_code_valid_(code), good);
        sos_ws_init_(&parser, &(struct sos_ws_options_){ .server = false });
        int kind = sos_ws_next_(&parser, payload, sizeof payload, &event);
        CHECK_INT(kind, good ? SOS_WS_CLOSE_EVENT_ : SOS_EPROTO);
        CHECK_INT(good ? event.code : parser.close_code, good ? code : SOS_WS_PROTOCOL_ERROR_);
    }
    CHECK_TEXT(READ_FRAME(CLOSE, "\x03\xEC"),
               "1002 at 2: a code is one that may be sent (RFC 6455, 7.4)");
}

/* ---- Limits */

static void limits_hold_before_the_payload_comes(void)
{
    static const char frame[] = "1009 at %d: a frame is not larger than max_frame_size";
    static const char message[] = "1009 at %d: a message is not larger than max_message_size";
    char expected[100], too_much[100];
    CHECK_TEXT(READ("\x82\x0B", .max_frame_size = 10),
               (snprintf(expected, 100, frame, 1), expected));
    CHECK_TEXT(READ("\x82\x0A", .max_frame_size = 10), "");
    CHECK_TEXT(READ("\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 0),
               (snprintf(expected, 100, frame, 9), expected));
    CHECK_TEXT(READ("\x82\x0B", .max_message_size = 10),
               (snprintf(expected, 100, message, 1), expected));
    snprintf(too_much, sizeof too_much, "B<12345612341009 at 15: %s", strstr(message, "a message"));
    CHECK_TEXT(READ("\x02\x06"
                    "123456\x00\x04"
                    "1234\x80\x01",
                    .max_message_size = 10),
               too_much);
    CHECK_TEXT(READ("\x02\x06"
                    "123456\x80\x04"
                    "1234\x82\x01"
                    "1",
                    .max_message_size = 10),
               "B<1234561234>B<1>");
    CHECK_TEXT(READ("\x89\x0B"
                    "12345678901",
                    .max_frame_size = 10, .max_message_size = 10),
               "ping<12345678901>");
    CHECK_TEXT(READ("\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", .max_frame_size = UINT64_MAX,
                    .max_message_size = UINT64_MAX),
               "");
}

/* ---- permessage-deflate (RFC 7692, 6) */

static void rsv1_marks_the_first_frame_of_a_compressed_message(void)
{
    struct sos_ws_options_ options = { .deflate = true };
    static const char rule[] = "RSV1 is on the first frame of a message only (RFC 7692, 6)";
    char expected[100];
    ADD(TEXT | RSV1, "\xFF\xFE"); /* not text before it is inflated */
    ADD(TEXT, "plain");
    CHECK_TEXT(read_with(options), "ZT<\\ff\\fe>T<plain>");
    ADD(RSV1 | SOS_WS_BINARY_, "a");
    ADD(PING, "p");
    ADD(FIN, "b");
    CHECK_TEXT(read_with(options), "ZB<aping<p>b>");
    ADD(RSV1 | SOS_WS_TEXT_, "a");
    ADD(FIN | RSV1, "b");
    snprintf(expected, sizeof expected, "ZT<a1002 at 3: %s", rule);
    CHECK_TEXT(read_with(options), expected);
    ADD(PING | RSV1, "p");
    snprintf(expected, sizeof expected, "1002 at 0: %s", rule);
    CHECK_TEXT(read_with(options), expected);
    ADD(TEXT | RSV1 | RSV3, "p");
    CHECK_TEXT(read_with(options), "1002 at 0: RSV2 and RSV3 are zero (RFC 6455, 5.2)");
}

/* ---- Writing */

static void heads_are_as_short_as_can_be(void)
{
    static const struct {
        uint64_t length;
        const char *head;
        size_t size;
    } rows[] = { { 0, "\x82\x00", 2 },
                 { 125, "\x82\x7D", 2 },
                 { 126, "\x82\x7E\x00\x7E", 4 },
                 { 0xFFFF, "\x82\x7E\xFF\xFF", 4 },
                 { 0x10000, "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10 },
                 { INT64_MAX, "\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10 } };
    unsigned char head[SOS_WS_HEAD_ROOM_];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sos_ws_frame_ frame = { .opcode = SOS_WS_BINARY_, .length = rows[i].length };
        CHECK_INT(sos_ws_head_(head, &frame, NULL), rows[i].size);
        CHECK(memcmp(head, rows[i].head, rows[i].size) == 0);
        CHECK_INT(sos_ws_head_(head, &frame, mask), rows[i].size + 4);
        CHECK_INT(head[1], (unsigned char)rows[i].head[1] | 0x80);
        CHECK(memcmp(head + rows[i].size, mask, 4) == 0);
    }
    sos_ws_head_(head, &(struct sos_ws_frame_){ SOS_WS_TEXT_, true, true, 5 }, NULL);
    CHECK(memcmp(head, "\x41\x05", 2) == 0);
}

static void masking_twice_changes_nothing_wherever_it_begins(void)
{
    unsigned char plain[100], once[100], twice[100];
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (unsigned char)(i * 7);
    for (size_t offset = 0; offset < 9; offset++)
        for (size_t length = 0; length <= sizeof plain - offset; length++) {
            sos_ws_mask_(once, plain + offset, length, mask, offset);
            for (size_t i = 0; i < length; i++)
                CHECK_INT(once[i], plain[offset + i] ^ mask[(offset + i) % 4]);
            memcpy(twice, once, length);
            sos_ws_mask_(twice, twice, length, mask, offset + UINT64_C(4) * 1000000000);
            CHECK(memcmp(twice, plain + offset, length) == 0);
        }
}

static void a_reason_is_cut_between_characters(void)
{
    unsigned char payload[SOS_WS_CONTROL_MOST_];
    char reason[200];
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_NO_CODE_, NULL, 0), 0);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_NORMAL_, NULL, 0), 2);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_GOING_AWAY_, "bye", 3), 5);
    CHECK(memcmp(payload,
                 "\x03\xE9"
                 "bye",
                 5) == 0);
    memset(reason, 'a', sizeof reason);
    memcpy(reason + 122, "\xC3\xA9", 2);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_NORMAL_, reason, sizeof reason), 124);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_NORMAL_, reason + 1, 123), 125);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_ABNORMAL_, NULL, 0), SOS_EINVAL);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_NO_CODE_, "x", 1), SOS_EINVAL);
    CHECK_INT(sos_ws_close_payload_(payload, SOS_WS_NORMAL_, "\xFF", 1), SOS_EINVAL);
}

int main(void)
{
    the_examples_of_the_standard_are_read();
    a_message_may_have_any_size();
    reserved_bits_are_zero();
    reserved_opcodes_are_refused();
    a_client_masks_and_a_server_does_not();
    a_length_is_written_as_short_as_can_be();
    control_frames_have_at_most_125_bytes();
    control_frames_are_not_fragmented();
    control_frames_come_between_fragments();
    a_continuation_has_a_message_to_continue();
    a_message_and_its_fragments_may_be_empty();
    text_may_be_cut_within_a_character();
    text_is_refused_at_its_first_wrong_byte();
    text_ends_with_a_whole_character();
    what_comes_after_a_close_is_dropped();
    a_close_has_a_code_and_a_reason_or_nothing();
    a_code_is_one_that_may_be_sent();
    limits_hold_before_the_payload_comes();
    rsv1_marks_the_first_frame_of_a_compressed_message();
    heads_are_as_short_as_can_be();
    masking_twice_changes_nothing_wherever_it_begins();
    a_reason_is_cut_between_characters();
    return 0;
}
