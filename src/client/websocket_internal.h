/* SPDX-License-Identifier: MIT */
/*
 * What the files of the WebSocket client share.
 *
 *     OPEN -> closing, we or the server sent a close frame -> ended, receivers hear of it -> over
 *     OPEN -> error is set -> ended -> over
 *
 * One task of the connection's own reads (websocket_read.c), from the start until it is over. Whoever
 * sends does so itself (websocket_send.c): `line` is held while a frame goes out, `message` from the
 * first frame of a message to its last. What the reader has to say (pong, ping) is said by a task
 * that lives only as long as that takes, so that reading never waits for writing.
 */
#ifndef SMALLOS_CLIENT_WEBSOCKET_INTERNAL_H
#define SMALLOS_CLIENT_WEBSOCKET_INTERNAL_H

#include "client/inflate.h"
#include "proto/websocket.h"
#include "proto/websocket_handshake.h"
#include "smallos/async.h"
#include "smallos/stream.h"
#include "smallos/supervisor.h"
#include "smallos/websocket.h"

enum { SOS_WEBSOCKET_KEYS_ = 64 };

/* A message, or the part of one that follows on what has been received, and its bytes. */
struct sos_websocket_piece_ {
    struct sos_websocket_piece_ *next;
    size_t size, room; /* bytes that are there, and that fit in */
    uint8_t type;      /* enum sos_websocket_type */
    bool first, last;
    uint16_t code;
    unsigned char bytes[];
};

struct sos_websocket_deflater_;

/* A pong that is to be sent; the latest ping is the one that counts (RFC 6455, 5.5.3). */
struct sos_websocket_pong_ {
    uint8_t size;
    unsigned char bytes[SOS_WS_CONTROL_MOST_];
};

struct sos_websocket {
    sos *os;
    sos_stream *stream;
    sos_handle reader, controller; /* controller: only while `controlling` */
    int priority;
    uint32_t users; /* frames that refer to it: its memory goes with the last of them */
    bool closed;    /* sos_websocket_close was called */

    /* How it stands */
    int error;    /* the first one */
    char *text;   /* of the error; SOS_WEBSOCKET_TEXT_ bytes; NULL: that of the table */
    bool closing; /* sos_websocket_disconnect was called: nothing more is sent but close */
    bool close_sent, close_received;
    uint16_t farewell; /* code of the close frame that the reader is to send; 0: none */
    bool ended;        /* receivers may hear of the end */
    struct sos_event over;
    int64_t close_us;

    /* Reading */
    struct sos_ws_parser_ parser;
    struct sos_inflate_ *inflater; /* NULL: no message was compressed yet */
    struct sos_websocket_piece_ *first, *tail;
    struct sos_event arrived, room;         /* for receivers; for the reader, when it is full */
    size_t ahead, ahead_max;                /* bytes of all pieces; and when reading pauses */
    uint16_t wait_for_whole, wait_for_part; /* tasks */
    bool paused, deaf;                      /* the reader is; data is thrown away */
    struct sos_ws_deflate_ agreed;
    struct sos_utf8_ utf8; /* of the compressed message that is arriving */

    /* Liveness */
    struct sos_supervisor heard;
    int64_t ping_us;
    bool pinged; /* since something was received */

    /* Writing */
    struct sos_mutex message, line;
    struct sos_utf8_ sending; /* of the message in parts */
    uint8_t parts;            /* its opcode; 0: there is none */
    bool part_compressed;
    bool controlling, ping_due;
    struct sos_websocket_pong_ *pong;
    struct sos_websocket_deflater_ *deflater;
    uint8_t keys_left;
    uint8_t keys[SOS_WEBSOCKET_KEYS_];

    uint16_t protocol_room; /* bytes of `protocol`, which lies behind */
    char protocol[];
};

enum { SOS_WEBSOCKET_TEXT_ = 160 };

/* ---- websocket.c */

void sos_websocket_leave_(sos_websocket *socket);

/* The first error, and what it says. Nothing more can be sent. */
void sos_websocket_fail_(sos_websocket *socket, int error, const char *text);

/* The same when what the server may read is no WebSocket any more: everything stops. */
void sos_websocket_break_(sos_websocket *socket, int error, const char *text);

/* How a new one starts. Takes the stream over. NULL: no memory, and the stream is closed. */
sos_websocket *sos_websocket_make_(sos_task *task, const struct sos_websocket_options *options,
                                   sos_stream *stream, const struct sos_ws_answer_ *answer);

/* ---- websocket_read.c */

async_fn(sos_websocket_reader_);
struct sos_websocket_reader_ {
    sos_frame frame;
    sos_websocket *socket;
};

/* ---- websocket_inbox.c: what has arrived and has not been received */

/* Bytes of the message that is arriving. SOS_OK, SOS_ENOMEM. */
int sos_websocket_add_(sos_websocket *socket, const struct sos_ws_event_ *event);

/* A pong or a close. */
int sos_websocket_add_control_(sos_websocket *socket, enum sos_websocket_type type,
                               const struct sos_ws_event_ *event);

/* Whether nothing more is to be read for now. */
bool sos_websocket_is_full_(const sos_websocket *socket);

void sos_websocket_drop_open_(sos_websocket *socket);
void sos_websocket_forget_all_(sos_websocket *socket);

/* The piece at the end, which goes on, with room for `more` bytes, and for what is to come `soon` if
 * that is not much. NULL: no memory. */
struct sos_websocket_piece_ *sos_websocket_open_piece_(sos_websocket *socket,
                                                       const struct sos_ws_event_ *event,
                                                       size_t more, uint64_t soon);

/* Bytes have been added to it, the `last` ones of the message perhaps. */
void sos_websocket_piece_grew_(sos_websocket *socket, bool last);

/* ---- websocket_send.c */

/* Lets a task send what is due: pong, ping, or what a canceled sender left in the buffer. */
void sos_websocket_control_(sos_websocket *socket);

/* Whether it is the answer to a ping of our own. */
bool sos_websocket_is_ours_(const struct sos_ws_event_ *event);

/* The reader says farewell: a close frame with socket->farewell, if none was sent. */
SOS_MUST_USE sos_op sos_websocket_send_farewell_(sos_task *task, sos_websocket *socket,
                                                 const char *reason);

/* ---- websocket_deflate.c */

/* A compressed piece that arrived: SOS_OK, or an error, with the rule and the code to close with. */
int sos_websocket_inflate_(sos_websocket *socket, const struct sos_ws_event_ *event,
                           const char **rule, uint16_t *code);

/* Compresses one part of a message into memory of its own; what ends a message is cut off after the
 * last one. 0, *bytes (NULL: none), *size and *room; SOS_ENOMEM. */
int sos_websocket_deflate_(sos_websocket *socket, const void *from, size_t from_size, bool last,
                           unsigned char **bytes, size_t *size, size_t *room);
void sos_websocket_deflater_free_(sos_websocket *socket);

#endif
