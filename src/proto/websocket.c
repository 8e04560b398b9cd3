/* SPDX-License-Identifier: MIT */
#include "proto/websocket.h"

#include <string.h>

enum { HEAD, PAYLOAD, ENDED };
enum { FIN = 0x80, RSV1 = 0x40, RSV2_RSV3 = 0x30, OPCODE = 0x0F, CONTROL = 0x08, MASKED = 0x80 };
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

bool sos_ws_code_valid_(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* ---- Masking */

void sos_ws_mask_(unsigned char *to, const unsigned char *from, size_t length,
                  const uint8_t mask[SOS_WS_MASK_SIZE_], uint64_t offset)
{
    uint8_t turned[8];
    uint64_t key, word[4];
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = mask[(offset + i) % SOS_WS_MASK_SIZE_];
    memcpy(&key, turned, sizeof key);
    for (; length >= sizeof word; length -= sizeof word, to += sizeof word, from += sizeof word) {
        memcpy(word, from, sizeof word);
        for (size_t i = 0; i < 4; i++)
            word[i] ^= key;
        memcpy(to, word, sizeof word);
    }
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] ^ turned[i % SOS_WS_MASK_SIZE_];
}

/* ---- Refusals */

void sos_ws_init_(struct sos_ws_parser_ *parser, const struct sos_ws_options_ *options)
{
    memset(parser, 0, sizeof *parser);
    parser->options = *options;
    if (options->max_frame_size == 0)
        parser->options.max_frame_size = UINT64_C(1) << 20;
    if (options->max_message_size == 0)
        parser->options.max_message_size = UINT64_C(4) << 20;
    parser->head_wanted = 2;
}

static int refuse(struct sos_ws_parser_ *parser, int status, enum sos_ws_code_ code,
                  const char *rule, uint64_t at)
{
    parser->error = (struct sos_syntax_error_){ rule, at };
    parser->close_code = (uint16_t)code;
    return parser->status = status;
}

/* Of the byte of the head that came last. */
static int broken(struct sos_ws_parser_ *parser, const char *rule)
{
    return refuse(parser, SOS_EPROTO, SOS_WS_PROTOCOL_ERROR_, rule, parser->at - 1);
}

static int not_utf8(struct sos_ws_parser_ *parser, uint64_t at)
{
    return refuse(parser, SOS_EPROTO, SOS_WS_BAD_DATA_, "text is UTF-8 (RFC 6455, 8.1)", at);
}

/* ---- The head of a frame */

static int check_control(struct sos_ws_parser_ *parser, uint8_t opcode)
{
    if (opcode > SOS_WS_PONG_)
        return broken(parser, "opcodes B to F are reserved (RFC 6455, 5.2)");
    if (!parser->final)
        return broken(parser, "a control frame is not fragmented (RFC 6455, 5.5)");
    parser->control = opcode;
    return SOS_OK;
}

static int check_data(struct sos_ws_parser_ *parser, uint8_t opcode)
{
    if (opcode > SOS_WS_BINARY_)
        return broken(parser, "opcodes 3 to 7 are reserved (RFC 6455, 5.2)");
    if (opcode == SOS_WS_CONTINUATION_ && parser->opcode == 0)
        return broken(parser, "a continuation has a message to continue (RFC 6455, 5.4)");
    if (opcode != SOS_WS_CONTINUATION_ && parser->opcode != 0)
        return broken(parser, "a message ends before the next begins (RFC 6455, 5.4)");
    parser->control = 0;
    return SOS_OK;
}

static int check_first_byte(struct sos_ws_parser_ *parser, uint8_t byte)
{
    uint8_t opcode = byte & OPCODE;
    bool starts = opcode == SOS_WS_TEXT_ || opcode == SOS_WS_BINARY_, rsv1 = byte & RSV1;
    if (byte & RSV2_RSV3)
        return broken(parser, "RSV2 and RSV3 are zero (RFC 6455, 5.2)");
    if (rsv1 && !parser->options.deflate)
        return broken(parser, "RSV1 is zero without an extension (RFC 6455, 5.2)");
    if (rsv1 && !starts)
        return broken(parser, "RSV1 is on the first frame of a message only (RFC 7692, 6)");
    parser->final = byte & FIN;
    int status = opcode & CONTROL ? check_control(parser, opcode) : check_data(parser, opcode);
    if (status == SOS_OK && starts) {
        parser->opcode = opcode;
        parser->compressed = rsv1;
        parser->begun = false;
        parser->message_size = 0;
        parser->utf8 = (struct sos_utf8_){ 0 };
    }
    return status;
}

static int check_second_byte(struct sos_ws_parser_ *parser, uint8_t byte)
{
    uint8_t length = byte & (uint8_t)~MASKED;
    bool masked = byte & MASKED;
    if (masked && !parser->options.server)
        return broken(parser, "a server does not mask (RFC 6455, 5.1)");
    if (!masked && parser->options.server)
        return broken(parser, "a client masks (RFC 6455, 5.1)");
    if (parser->control != 0 && length > SOS_WS_CONTROL_MOST_)
        return broken(parser, "a control frame has at most 125 bytes (RFC 6455, 5.5)");
    parser->head_wanted = (uint8_t)(2 +
                                    (length == LENGTH_16   ? 2
                                     : length == LENGTH_64 ? 8
                                                           : 0) +
                                    (masked ? SOS_WS_MASK_SIZE_ : 0));
    parser->left = length < LENGTH_16 ? length : 0;
    return SOS_OK;
}

/* The bytes of the head that came last, one of a longer length among them. */
static int check_length(struct sos_ws_parser_ *parser)
{
    uint8_t length = parser->head[1] & (uint8_t)~MASKED, at = parser->head_size;
    uint8_t size = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    if (at <= 2 || at > 2 + size)
        return SOS_OK;
    parser->left = parser->left << 8 | parser->head[at - 1];
    if (size == 8 && at == 3 && parser->head[2] & 0x80)
        return broken(parser, "the highest bit of a length is zero (RFC 6455, 5.2)");
    if (at == 2 + size && parser->left < (size == 2 ? LENGTH_16 : UINT64_C(0x10000)))
        return broken(parser, "a length has as few bytes as can be (RFC 6455, 5.2)");
    return SOS_OK;
}

static int check_limits(struct sos_ws_parser_ *parser)
{
    if (parser->control != 0)
        return SOS_OK;
    if (parser->left > parser->options.max_frame_size)
        return refuse(parser, SOS_ELIMIT, SOS_WS_TOO_LARGE_,
                      "a frame is not larger than max_frame_size", parser->at - 1);
    if (parser->left > parser->options.max_message_size - parser->message_size)
        return refuse(parser, SOS_ELIMIT, SOS_WS_TOO_LARGE_,
                      "a message is not larger than max_message_size", parser->at - 1);
    parser->message_size += parser->left;
    return SOS_OK;
}

static void start_payload(struct sos_ws_parser_ *parser)
{
    if (parser->options.server)
        memcpy(parser->mask, parser->head + parser->head_size - SOS_WS_MASK_SIZE_,
               SOS_WS_MASK_SIZE_);
    parser->mask_at = 0;
    parser->control_size = 0;
    parser->head_size = 0;
    parser->head_wanted = 2;
    parser->state = PAYLOAD;
}

/* One byte at a time: each is refused as soon as it is there. */
static int next_of_head(struct sos_ws_parser_ *parser, uint8_t byte)
{
    int status = SOS_OK;
    parser->at++;
    parser->head[parser->head_size++] = byte;
    if (parser->head_size == 1)
        return check_first_byte(parser, byte);
    status = parser->head_size == 2 ? check_second_byte(parser, byte) : check_length(parser);
    if (status == SOS_OK && parser->head_size == parser->head_wanted) {
        status = check_limits(parser);
        start_payload(parser);
    }
    return status;
}

/* ---- The payload */

/* The next bytes of the frame, as many as are there, unmasked. */
static size_t next_bytes(struct sos_ws_parser_ *parser, unsigned char *bytes, size_t length)
{
    size_t size = length < parser->left ? length : (size_t)parser->left;
    if (parser->options.server && size > 0) {
        sos_ws_mask_(bytes, bytes, size, parser->mask, parser->mask_at);
        parser->mask_at = (uint8_t)((parser->mask_at + size) % SOS_WS_MASK_SIZE_);
    }
    parser->left -= size;
    return size;
}

static int next_of_data(struct sos_ws_parser_ *parser, unsigned char *bytes, size_t length,
                        struct sos_ws_event_ *event)
{
    size_t size = next_bytes(parser, bytes, length), good = size;
    bool frame_ended = parser->left == 0, last = frame_ended && parser->final;
    if (parser->opcode == SOS_WS_TEXT_ && !parser->compressed) {
        good = sos_utf8_check_(&parser->utf8, bytes, size);
        if (good < size || (last && !sos_utf8_whole_(&parser->utf8))) {
            not_utf8(parser, parser->at + good - (good == size));
            last = false;
        }
    }
    event->taken += good;
    parser->at += good;
    if (frame_ended)
        parser->state = HEAD;
    if (good == 0 && (parser->status < 0 || !last))
        return parser->status; /* or SOS_PARTIAL_ */
    event->bytes = bytes;
    event->length = good;
    event->opcode = parser->opcode;
    event->compressed = parser->compressed;
    event->first = !parser->begun;
    event->last = last;
    event->frame_left = parser->left;
    parser->begun = true;
    if (last)
        parser->opcode = 0;
    return SOS_WS_DATA_EVENT_;
}

/* `at`: offset of the first byte of the payload. */
static int end_close(struct sos_ws_parser_ *parser, struct sos_ws_event_ *event)
{
    uint64_t at = parser->at - parser->control_size;
    const unsigned char *payload = parser->payload;
    parser->state = ENDED;
    event->code = SOS_WS_NO_CODE_;
    if (parser->control_size == 0)
        return SOS_WS_CLOSE_EVENT_;
    if (parser->control_size == 1)
        return broken(parser, "a code has two bytes (RFC 6455, 5.5.1)");
    event->code = (uint16_t)(payload[0] << 8 | payload[1]);
    if (!sos_ws_code_valid_(event->code))
        return refuse(parser, SOS_EPROTO, SOS_WS_PROTOCOL_ERROR_,
                      "a code is one that may be sent (RFC 6455, 7.4)", at);
    event->bytes += 2;
    event->length -= 2;
    struct sos_utf8_ utf8 = { 0 };
    size_t good = sos_utf8_check_(&utf8, event->bytes, event->length);
    if (good < event->length || !sos_utf8_whole_(&utf8))
        return not_utf8(parser, at + 2 + good - (good == event->length));
    return SOS_WS_CLOSE_EVENT_;
}

static int next_of_control(struct sos_ws_parser_ *parser, unsigned char *bytes, size_t length,
                           struct sos_ws_event_ *event)
{
    size_t size = next_bytes(parser, bytes, length);
    if (size > 0)
        memcpy(parser->payload + parser->control_size, bytes, size);
    parser->control_size = (uint8_t)(parser->control_size + size);
    event->taken += size;
    parser->at += size;
    if (parser->left > 0)
        return SOS_PARTIAL_;
    parser->state = HEAD;
    event->bytes = parser->payload;
    event->length = parser->control_size;
    if (parser->control == SOS_WS_CLOSE_)
        return end_close(parser, event);
    return parser->control == SOS_WS_PING_ ? SOS_WS_PING_EVENT_ : SOS_WS_PONG_EVENT_;
}

int sos_ws_next_(struct sos_ws_parser_ *parser, unsigned char *bytes, size_t length,
                 struct sos_ws_event_ *event)
{
    event->taken = 0;
    if (parser->status < 0)
        return parser->status;
    for (;;) {
        while (parser->state == HEAD && event->taken < length) {
            int status = next_of_head(parser, bytes[event->taken++]);
            if (status < 0)
                return status;
        }
        if (parser->state == ENDED) {
            parser->at += length - event->taken;
            event->taken = length;
        }
        if (parser->state != PAYLOAD)
            return SOS_PARTIAL_;
        if (parser->left > 0 && event->taken == length)
            return SOS_PARTIAL_;
        int kind = (parser->control != 0 ? next_of_control : next_of_data)(
            parser, bytes + event->taken, length - event->taken, event);
        if (kind != SOS_PARTIAL_)
            return kind;
    }
}

/* ---- Writing */

size_t sos_ws_head_(unsigned char head[SOS_WS_HEAD_ROOM_], const struct sos_ws_frame_ *frame,
                    const uint8_t mask[SOS_WS_MASK_SIZE_])
{
    size_t more = frame->length < LENGTH_16 ? 0 : frame->length <= 0xFFFF ? 2 : 8, size = 2;
    uint64_t length = more == 0 ? frame->length : more == 2 ? LENGTH_16 : LENGTH_64;
    head[0] = (uint8_t)((frame->more ? 0 : FIN) | (frame->compressed ? RSV1 : 0) |
                        (frame->opcode & OPCODE));
    head[1] = (uint8_t)((mask != NULL ? MASKED : 0) | length);
    while (more-- > 0)
        head[size++] = (uint8_t)(frame->length >> 8 * more);
    if (mask != NULL) {
        memcpy(head + size, mask, SOS_WS_MASK_SIZE_);
        size += SOS_WS_MASK_SIZE_;
    }
    return size;
}

int sos_ws_close_payload_(unsigned char payload[SOS_WS_CONTROL_MOST_], unsigned code,
                          const char *reason, size_t length)
{
    if (code == SOS_WS_NO_CODE_ && length == 0)
        return 0;
    if (!sos_ws_code_valid_(code) || !sos_utf8_valid_(reason, length))
        return SOS_EINVAL;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    length = sos_utf8_cut_(reason, length, SOS_WS_CONTROL_MOST_ - 2);
    if (length > 0)
        memcpy(payload + 2, reason, length);
    return (int)(2 + length);
}
