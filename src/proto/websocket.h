/* SPDX-License-Identifier: MIT */
/*
 * The frames of WebSocket (RFC 6455, 5 to 8), for both roles. The opening handshake is in
 * websocket_handshake.h.
 *
 * The parser takes portions of any size and reports the payload of messages as it arrives, where it
 * lies. A server's parser unmasks it there, which is why the bytes are not const.
 *
 *     for (;;) {
 *         int kind = sos_ws_next_(&parser, bytes, length, &event);
 *         if (kind < 0)
 *             send a close frame with parser.close_code, and close
 *         bytes += event.taken, length -= event.taken;
 *         if (kind == SOS_PARTIAL_)
 *             break, everything is taken
 *         use the event
 *     }
 */
#ifndef SMALLOS_PROTO_WEBSOCKET_H
#define SMALLOS_PROTO_WEBSOCKET_H

#include "proto/syntax.h"
#include "proto/utf8.h"

/* RFC 6455, 5.2 and 11.8 */
enum sos_ws_opcode_ {
    SOS_WS_CONTINUATION_ = 0x0,
    SOS_WS_TEXT_ = 0x1,
    SOS_WS_BINARY_ = 0x2,
    SOS_WS_CLOSE_ = 0x8,
    SOS_WS_PING_ = 0x9,
    SOS_WS_PONG_ = 0xA,
};

/* RFC 6455, 7.4.1; 1005 and 1006 are never sent, they say what came or did not come. */
enum sos_ws_code_ {
    SOS_WS_NORMAL_ = 1000,
    SOS_WS_GOING_AWAY_ = 1001,
    SOS_WS_PROTOCOL_ERROR_ = 1002,
    SOS_WS_UNSUPPORTED_ = 1003,
    SOS_WS_NO_CODE_ = 1005,
    SOS_WS_ABNORMAL_ = 1006,
    SOS_WS_BAD_DATA_ = 1007,
    SOS_WS_POLICY_ = 1008,
    SOS_WS_TOO_LARGE_ = 1009,
    SOS_WS_EXTENSION_MISSING_ = 1010,
    SOS_WS_INTERNAL_ = 1011,
};

enum { SOS_WS_CONTROL_MOST_ = 125, SOS_WS_HEAD_ROOM_ = 14, SOS_WS_MASK_SIZE_ = 4 };

/* Whether a close frame may carry the code (7.4; 1012 to 1014 are registered with IANA). */
bool sos_ws_code_valid_(unsigned code);

/* ---- Reading */

enum sos_ws_kind_ {
    SOS_WS_DATA_EVENT_ = 1, /* a piece of a message */
    SOS_WS_PING_EVENT_,     /* control frames come whole */
    SOS_WS_PONG_EVENT_,
    SOS_WS_CLOSE_EVENT_, /* what comes after it is taken and dropped (5.5.1) */
};

struct sos_ws_event_ {
    /* The bytes of a piece, of a ping or pong, or of the reason of a close. A piece lies in what was
     * given to the parser, the rest in the parser, until its next call. */
    unsigned char *bytes;
    size_t length;
    size_t taken; /* of what was given; with SOS_PARTIAL_ all */
    /* Of a piece: */
    uint8_t opcode;   /* SOS_WS_TEXT_ or SOS_WS_BINARY_ */
    bool first, last; /* the message begins, ends with it; it may be empty then */
    bool compressed;  /* the message is (RFC 7692): who inflates it also checks its UTF-8, and its
                          * size against max_message_size */
    uint64_t frame_left; /* bytes of the frame that come after it: so much memory may be wanted */
    /* Of a close: what it says, SOS_WS_NO_CODE_ if nothing */
    uint16_t code;
};

struct sos_ws_options_ {
    bool server;  /* we are the server: frames come masked; else they come unmasked (5.1) */
    bool deflate; /* permessage-deflate is agreed: RSV1 is allowed (RFC 7692, 6) */
    uint64_t max_frame_size;   /* payload of a frame; 0: 1 MiB */
    uint64_t max_message_size; /* of a message, as it is on the wire; 0: 4 MiB */
};

/*
 *     HEAD -> PAYLOAD -> HEAD       a frame with payload, of a message or control
 *     HEAD -> ENDED                 after a close
 *
 * A message is open from its first frame to its last (`opcode` is not 0). `refusal` waits while the
 * good bytes before the bad one are reported.
 */
struct sos_ws_parser_ {
    struct sos_ws_options_ options;
    struct sos_syntax_error_ error;
    uint64_t at;           /* offset of the first byte not taken */
    uint64_t left;         /* payload of this frame that has not come */
    uint64_t message_size; /* payload of this message, this frame's included */
    struct sos_utf8_ utf8; /* of this message */
    int status;            /* of the refusal */
    uint16_t close_code;   /* that the refusal asks for: 1002, 1007 or 1009 */
    uint8_t state;
    uint8_t opcode;                 /* of this message */
    uint8_t control;                /* opcode of this frame if it is a control frame */
    bool final, begun, compressed;  /* FIN of this frame; a piece was reported; RSV1 */
    uint8_t head_size, head_wanted; /* bytes of the head that came, and that it has */
    uint8_t head[SOS_WS_HEAD_ROOM_];
    uint8_t mask[SOS_WS_MASK_SIZE_], mask_at;    /* mask[mask_at] is that of the next byte */
    uint8_t control_size;                        /* payload of a control frame that came */
    unsigned char payload[SOS_WS_CONTROL_MOST_]; /* it is gathered here */
};

void sos_ws_init_(struct sos_ws_parser_ *parser, const struct sos_ws_options_ *options);

/*
 * The next event: an sos_ws_kind_, SOS_PARTIAL_, SOS_EPROTO or SOS_ELIMIT (syntax.h). After SOS_E...
 * parser->close_code is the code to send. `bytes` is not NULL. Limits are enforced when the head of a frame is there.
 */
int sos_ws_next_(struct sos_ws_parser_ *parser, unsigned char *bytes, size_t length,
                 struct sos_ws_event_ *event);

/* ---- Writing */

struct sos_ws_frame_ {
    uint8_t opcode;
    bool more;       /* the message goes on in another frame: FIN is not set */
    bool compressed; /* RSV1: on the first frame of a message only */
    uint64_t length; /* of the payload */
};

/*
 * Writes the head of a frame and answers its size. A client gives a fresh unpredictable key for
 * every frame (5.3, 10.3) and then masks the payload with it; a server gives NULL.
 */
size_t sos_ws_head_(unsigned char head[SOS_WS_HEAD_ROOM_], const struct sos_ws_frame_ *frame,
                    const uint8_t mask[SOS_WS_MASK_SIZE_]);

/* Masks or unmasks bytes that stand at `offset` in their frame. `to` may be `from`. */
void sos_ws_mask_(unsigned char *to, const unsigned char *from, size_t length,
                  const uint8_t mask[SOS_WS_MASK_SIZE_], uint64_t offset);

/*
 * The payload of a close frame (5.5.1). A reason that is too long is cut between two characters.
 * SOS_WS_NO_CODE_ gives an empty one. Answers the size, or SOS_EINVAL: the code may not be sent, or
 * the reason is no UTF-8.
 */
int sos_ws_close_payload_(unsigned char payload[SOS_WS_CONTROL_MOST_], unsigned code,
                          const char *reason, size_t length);

#endif
