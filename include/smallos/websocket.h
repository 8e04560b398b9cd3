/* SPDX-License-Identifier: MIT */
/*
 * WebSocket client (RFC 6455; permessage-deflate of RFC 7692).
 *
 *     struct sos_websocket_options options = { .url = "ws://127.0.0.1:8080/chat" };
 *     try_await(sos_websocket_connect(task, &options, &self->socket));
 *     try_await(sos_websocket_send_text(task, self->socket, "hello", 5));
 *     try_await(sos_websocket_receive(task, self->socket, &self->message));
 *     ... self->message.type, .bytes, .size
 *     sos_websocket_message_free(&self->message);
 *     await(sos_websocket_disconnect(task, self->socket, 1000, NULL));
 *     ... in async_finally: sos_websocket_close(self->socket);
 *
 * A task of the connection's own reads whatever comes, also while sending waits: it answers pings,
 * keeps messages until they are received, and notices when nothing comes any more. Any number of
 * tasks may send, and several may receive, each message going to one of them. All functions are for
 * the runtime's thread; those that return sos_op for tasks. None has a time limit of its own, save
 * sos_websocket_disconnect: use sos_within.
 */
#ifndef SMALLOS_WEBSOCKET_H
#define SMALLOS_WEBSOCKET_H

#include "smallos/http.h"
#include "smallos/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_websocket sos_websocket;

/* Zero means default in every field. What is pointed to must live until connecting has ended. */
struct sos_websocket_options {
    const char *url;  /* "ws://host:port/path?query", wss with TLS; NULL: host, port, path; user and
                      * password of a URL are used as those below */
    const char *host; /* an address or a name, "unix:/path" a local socket; default 127.0.0.1 */
    uint16_t port;    /* default 80, with TLS 443 */
    const char *path; /* and query, percent-encoded; default "/" */
    const struct sos_tls_options *tls; /* host and port: NULL for no TLS; wss: NULL for defaults */
    const char *user, *password;       /* basic authorization; NULL: none */
    const char *protocols;             /* subprotocols, the most wanted first: "chat, superchat" */
    const char *origin;
    const struct sos_http_field *headers; /* more of them, of none of those names */
    size_t header_count;
    char *error_text; /* why connecting failed, in words; NULL: not wanted */
    size_t error_text_size;

    bool deflate;            /* offer permessage-deflate */
    bool deflate_no_context; /* and forget after each message: less memory, less compression */

    int64_t ping_us;    /* after so long without anything received a ping is sent; default 20 s */
    int64_t silence_us; /* after so long the connection is dead; default twice ping_us;
                         * SOS_FOREVER: never, both */
    int64_t close_us;   /* how long the end may take at most; default 5 s */

    uint32_t max_frame_size;   /* bytes; default of these three: client_defaults.websocket */
    uint32_t max_message_size; /* as it arrives, and inflated; SOS_NONE: unlimited, for all three */
    uint32_t max_line_size;    /* of the answer's header */
    uint32_t max_ahead_size;   /* bytes read ahead of who receives; default max_message_size, and
                                * no more than 4 MiB. Then no more is read: the server has to wait */
    int priority; /* of the connection's own task; default: that of the connecting task */
};

/*
 * Connects and shakes hands. Ends in 0 and *socket is set; SOS_EINVAL: the URL or an option is
 * wrong; SOS_ESERVER: the server answered with another status than 101; SOS_EPROTO: it answered
 * wrongly, with a bad accept key for example; SOS_ELIMIT: with too much; or as sos_connect.
 * Redirects are not followed. Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_websocket_connect(sos_task *task,
                                          const struct sos_websocket_options *options,
                                          sos_websocket **socket);

/* Ends it at once, without a close frame; tasks that wait get SOS_ECANCELED. NULL is fine. */
void sos_websocket_close(sos_websocket *socket);

/* Why the connection is of no more use, in words; "" while it is. Valid until it is closed. */
const char *sos_websocket_error(const sos_websocket *socket);

/* The subprotocol the server chose; "": none. Valid until it is closed. */
const char *sos_websocket_protocol(const sos_websocket *socket);

/* Whether permessage-deflate was agreed. */
bool sos_websocket_deflates(const sos_websocket *socket);

/* ---- Receiving */

/* As in RFC 6455, 5.2. */
enum sos_websocket_type {
    SOS_WEBSOCKET_TEXT = 1,
    SOS_WEBSOCKET_BINARY = 2,
    SOS_WEBSOCKET_CLOSE = 8,
    SOS_WEBSOCKET_PONG = 10
};

/* Zero before its first use. The memory belongs to the runtime until it is freed. */
struct sos_websocket_message {
    enum sos_websocket_type type;
    const char *bytes; /* of a text, which is UTF-8; of a pong; the reason of a close. No NUL */
    size_t size;
    bool first, last; /* of a part: the message begins, ends with it */
    uint16_t code;    /* of a close: 1005 if it came without one (RFC 6455, 7.4) */
    sos *os;          /* private */
    void *memory;     /* private */
    size_t room;      /* private */
};

/* Gives the memory back and makes it empty; an empty one is fine. */
void sos_websocket_message_free(struct sos_websocket_message *message);

/*
 * Waits for the next message, whole: text, binary, the answer to a ping of sos_websocket_ping, or,
 * once, the server's close. Ends in 0 and *message is set, which is freed first if it is not empty.
 * After the close SOS_EEOF; the error of the connection: SOS_EPROTO and SOS_ELIMIT (the server has
 * been told with the right code: 1002, 1007, 1009), SOS_ETIMEDOUT (it went silent), SOS_EEOF (lost
 * without a close), SOS_ECONNRESET, SOS_ENOMEM, SOS_ECANCELED (closed here). What had arrived whole
 * before comes first. Canceled: the message stays for the next one.
 */
SOS_MUST_USE sos_op sos_websocket_receive(sos_task *task, sos_websocket *socket,
                                          struct sos_websocket_message *message);

/*
 * The same for whatever part of a message has come, which may be cut anywhere, within a character
 * of UTF-8 too; first and last tell where the message begins and ends. For one task at a time.
 */
SOS_MUST_USE sos_op sos_websocket_receive_part(sos_task *task, sos_websocket *socket,
                                               struct sos_websocket_message *message);

/* ---- Sending */

/*
 * Sends a message in one frame. Ends in 0; SOS_EINVAL: a text that is not UTF-8; SOS_EPIPE: the
 * connection is being closed; SOS_ENOMEM: nothing was sent; the error of the connection. `bytes`
 * must stay until then. Canceled, or woken (SOS_EINTR): a message of up to 64 KiB may be sent or not;
 * a longer one of which a part has gone out ends the connection.
 */
SOS_MUST_USE sos_op sos_websocket_send_text(sos_task *task, sos_websocket *socket, const char *text,
                                            size_t size);
SOS_MUST_USE sos_op sos_websocket_send_binary(sos_task *task, sos_websocket *socket,
                                              const void *bytes, size_t size);

/*
 * Sends the next part of a message, each in a frame of its own: `type` TEXT or BINARY is the same
 * for all of them. From the first part to the last the task holds the line: messages of other tasks
 * wait. Ends as above; SOS_EBUSY: a whole message between two parts, from the same task. A task that
 * ends before the last part ends the connection.
 */
SOS_MUST_USE sos_op sos_websocket_send_part(sos_task *task, sos_websocket *socket,
                                            enum sos_websocket_type type, const void *bytes,
                                            size_t size, bool last);

/* Sends a ping with up to 125 bytes, between the parts of a message too; the answer is received as
 * SOS_WEBSOCKET_PONG. Ends as sos_websocket_send_text; SOS_EINVAL: too long. */
SOS_MUST_USE sos_op sos_websocket_ping(sos_task *task, sos_websocket *socket, const void *bytes,
                                       size_t size);

/*
 * The closing handshake (RFC 6455, 7): sends a close frame and waits until the server has answered
 * and ended the connection, for close_us at most. `reason` (UTF-8, cut to 123 bytes; may be NULL)
 * ends with NUL; code 1005: neither. What arrives meanwhile can still be received. Ends in 0;
 * SOS_EINVAL: a code that may not be sent; SOS_ETIMEDOUT: the server did not end it; the error of
 * the connection. Whatever it ends in, nothing more can be sent, and sos_websocket_close is due.
 */
SOS_MUST_USE sos_op sos_websocket_disconnect(sos_task *task, sos_websocket *socket, unsigned code,
                                             const char *reason);

#ifdef __cplusplus
}
#endif
#endif
