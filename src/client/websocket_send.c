/* SPDX-License-Identifier: MIT */
/*
 * Sending over a WebSocket. A frame is written and masked where it leaves from, the output buffer of
 * the stream, and goes out in one call; one of more than CHUNK bytes in several. A task that is
 * canceled after that leaves what is in the buffer to a task of the connection's own.
 */
#include <string.h>

#include "smallos/async.h"
#include "smallos/kernel.h"
#include "websocket_internal.h"

enum { CHUNK = 65536, WORTH_DEFLATING = 64 };
enum { NO_ZLIB = 8 /* window bits for which zlib has no raw deflate */ };

static const char keepalive[] = "still there?";

/* ---- Frames */

static int why_not(const sos_websocket *socket)
{
    if (socket->closed)
        return SOS_ECANCELED;
    if (socket->error != 0)
        return socket->error;
    return socket->closing || socket->close_sent || socket->close_received ? SOS_EPIPE : SOS_OK;
}

/* No frame has the key of another, and nobody can foresee it (RFC 6455, 5.3). */
static int next_key(sos_websocket *socket, uint8_t key[SOS_WS_MASK_SIZE_])
{
    struct sos_kernel *kernel = sos_kernel_of(socket->os);
    if (socket->keys_left == 0) {
        if (kernel->entropy == NULL)
            return SOS_ENOTSUP;
        int status = kernel->entropy(kernel, socket->keys, sizeof socket->keys);
        if (status != SOS_OK)
            return status;
        socket->keys_left = SOS_WEBSOCKET_KEYS_;
    }
    socket->keys_left = (uint8_t)(socket->keys_left - SOS_WS_MASK_SIZE_);
    memcpy(key, socket->keys + socket->keys_left, SOS_WS_MASK_SIZE_);
    return SOS_OK;
}

/* Bytes of a frame on their way into the buffer of the stream. */
struct outgoing {
    const unsigned char *bytes;
    size_t size, done;
    uint8_t opcode;
    bool more, compressed, begun;
    uint8_t key[SOS_WS_MASK_SIZE_];
};

/* The next chunk of it, with the head in front of the first. Nothing was put if it fails. */
static int put_chunk(sos_websocket *socket, struct outgoing *out)
{
    size_t size = out->size - out->done, head = 0;
    if (size > CHUNK)
        size = CHUNK;
    int status = out->begun ? SOS_OK : next_key(socket, out->key);
    if (status != SOS_OK)
        return status;
    unsigned char *room = sos_stream_room(socket->stream, SOS_WS_HEAD_ROOM_ + size);
    if (room == NULL)
        return SOS_ENOMEM;
    if (!out->begun) {
        const struct sos_ws_frame_ frame = { .opcode = out->opcode,
                                             .more = out->more,
                                             .compressed = out->compressed,
                                             .length = out->size };
        head = sos_ws_head_(room, &frame, out->key);
    }
    if (size != 0)
        sos_ws_mask_(room + head, out->bytes + out->done, size, out->key, out->done);
    status = sos_stream_put(socket->stream, NULL, head + size);
    if (status != SOS_OK)
        return status;
    out->begun = true;
    out->done += size;
    return SOS_OK;
}

/* A frame that has begun must end, or nothing after it can be understood. */
static void finish(sos_websocket *socket, const struct outgoing *out)
{
    if (out->begun && out->done < out->size)
        sos_websocket_break_(socket, SOS_ECANCELED, "a frame was cut short while it was sent");
    else if (sos_stream_unsent(socket->stream) != 0)
        sos_websocket_control_(socket);
}

/* What the server said last comes to the reader, who tells of the error then. */
static int flushed(sos_websocket *socket, int status)
{
    if (status == SOS_ECANCELED && socket->error != 0)
        return socket->error;
    if ((status == SOS_EINTR || status == SOS_ENOMEM) && sos_stream_error(socket->stream) == 0)
        return status; /* all that is in the buffer can still go */
    if (status < 0 && status != SOS_EPIPE && status != SOS_ECONNRESET)
        sos_websocket_fail_(socket, status, sos_stream_error_text(socket->stream));
    return status;
}

/* After the last flush: a frame that is whole in the buffer goes out all the same. */
static int sent(sos_websocket *socket, const struct outgoing *out, int status)
{
    status = flushed(socket, status);
    bool goes_out = out->done == out->size && sos_stream_error(socket->stream) == 0;
    return status == SOS_ENOMEM && goes_out ? SOS_OK : status;
}

/* ---- Messages */

struct send {
    sos_frame frame;
    sos_websocket *socket;
    struct outgoing out;
    uint8_t type;
    bool in_parts, last;
    struct sos_utf8_ utf8;
    unsigned char *packed; /* compressed bytes, and the memory they are in */
    size_t packed_room;
    int status;
};

static bool goes_on(const struct send *self, const sos_task *task)
{
    return self->socket->parts != 0 && self->socket->message.owner == task;
}

/* Text is UTF-8, also over several parts. */
static bool is_text(const sos_websocket *socket, struct send *self, bool first)
{
    if (self->type != SOS_WEBSOCKET_TEXT)
        return true;
    if (!first)
        self->utf8 = socket->sending;
    return sos_utf8_check_(&self->utf8, self->out.bytes, self->out.size) == self->out.size &&
           (!self->last || sos_utf8_whole_(&self->utf8));
}

static int pack(sos_websocket *socket, struct send *self, bool first)
{
    if (first)
        socket->part_compressed = socket->agreed.on && socket->agreed.client_bits != NO_ZLIB &&
                                  (self->in_parts || self->out.size >= WORTH_DEFLATING);
    if (!socket->part_compressed)
        return SOS_OK;
    size_t size;
    int status = sos_websocket_deflate_(socket, self->out.bytes, self->out.size, self->last,
                                        &self->packed, &size, &self->packed_room);
    if (status != SOS_OK)
        return status;
    self->out.bytes = self->packed;
    self->out.size = size;
    self->out.compressed = first;
    return SOS_OK;
}

/* The task holds `message` and `line`. What fails leaves a message in parts as it was. */
static int prepare(sos_websocket *socket, struct send *self)
{
    bool first = socket->parts == 0;
    int status = why_not(socket);
    if (status != SOS_OK)
        return status;
    if (!is_text(socket, self, first))
        return SOS_EINVAL;
    status = pack(socket, self, first);
    if (status != SOS_OK)
        return status;
    self->out.opcode = first ? self->type : SOS_WS_CONTINUATION_;
    self->out.more = !self->last;
    status = put_chunk(socket, &self->out);
    if (status != SOS_OK)
        return status;
    socket->parts = self->last ? 0 : self->type;
    socket->sending = self->utf8;
    return SOS_OK;
}

/* Compressed bytes that were not sent would be missed by what comes after them. */
static void end_message(sos_task *task, struct send *self)
{
    sos_websocket *socket = self->socket;
    if (self->packed != NULL)
        sos_memory_give(socket->os, self->packed, self->packed_room);
    if (self->packed != NULL && !self->out.begun)
        sos_websocket_break_(socket, SOS_ECANCELED, "a compressed message was not sent");
    if (socket->message.owner != task)
        return;
    if (why_not(socket) != SOS_OK)
        socket->parts = 0;
    if (socket->parts == 0)
        sos_mutex_unlock(task, &socket->message);
}

static async_fn(send)
{
    async_begin(send);
    self->socket->users++;
    if (!goes_on(self, task)) {
        try_await(sos_mutex_lock(task, &self->socket->message));
        if (self->socket->parts != 0) { /* of a task that has ended */
            sos_websocket_break_(self->socket, SOS_ECANCELED,
                                 "a message in parts was left without its end");
            async_return(self->socket->error);
        }
    }
    try_await(sos_mutex_lock(task, &self->socket->line));
    if (sos_stream_unsent(self->socket->stream) != 0) {
        await(sos_stream_flush(task, self->socket->stream));
        if (sos_status(task) < 0)
            async_return(flushed(self->socket, sos_status(task)));
    }
    self->status = prepare(self->socket, self);
    while (self->status == SOS_OK) {
        await(sos_stream_flush(task, self->socket->stream));
        self->status = sent(self->socket, &self->out, sos_status(task));
        if (self->status != SOS_OK || self->out.done == self->out.size)
            break;
        self->status = put_chunk(self->socket, &self->out);
    }
    async_return(self->status);
    async_finally;
    finish(self->socket, &self->out);
    sos_mutex_unlock(task, &self->socket->line);
    end_message(task, self);
    sos_websocket_leave_(self->socket);
    async_end;
}

static sos_op send_message(sos_task *task, sos_websocket *socket, enum sos_websocket_type type,
                           const void *bytes, size_t size, bool in_parts, bool last)
{
    int status = why_not(socket);
    bool open = socket->parts != 0 && socket->message.owner == task;
    if (status == SOS_OK && bytes == NULL && size != 0)
        status = SOS_EINVAL;
    if (status == SOS_OK && type != SOS_WEBSOCKET_TEXT && type != SOS_WEBSOCKET_BINARY)
        status = SOS_EINVAL;
    if (status == SOS_OK && open && !in_parts)
        status = SOS_EBUSY;
    if (status == SOS_OK && open && socket->parts != type)
        status = SOS_EINVAL;
    if (status != SOS_OK) {
        if (open && why_not(socket) != SOS_OK) {
            socket->parts = 0;
            sos_mutex_unlock(task, &socket->message);
        }
        return sos_complete(task, status);
    }
    return async_call(send, .socket = socket, .type = (uint8_t)type, .in_parts = in_parts,
                      .last = last, .out = { .bytes = bytes, .size = size });
}

sos_op sos_websocket_send_text(sos_task *task, sos_websocket *socket, const char *text, size_t size)
{
    return send_message(task, socket, SOS_WEBSOCKET_TEXT, text, size, false, true);
}

sos_op sos_websocket_send_binary(sos_task *task, sos_websocket *socket, const void *bytes,
                                 size_t size)
{
    return send_message(task, socket, SOS_WEBSOCKET_BINARY, bytes, size, false, true);
}

sos_op sos_websocket_send_part(sos_task *task, sos_websocket *socket, enum sos_websocket_type type,
                               const void *bytes, size_t size, bool last)
{
    return send_message(task, socket, type, bytes, size, true, last);
}

/* ---- Control frames */

struct send_control {
    sos_frame frame;
    sos_websocket *socket;
    struct outgoing out;
    int status;
};

static int put_control(sos_websocket *socket, struct outgoing *out)
{
    bool close = out->opcode == SOS_WS_CLOSE_;
    if (socket->error != 0 && !close)
        return socket->error;
    if (socket->close_sent)
        return close ? SOS_OK : SOS_EPIPE;
    int status = put_chunk(socket, out);
    if (status == SOS_OK && close)
        socket->close_sent = true;
    return status;
}

static async_fn(send_control)
{
    async_begin(send_control);
    self->socket->users++;
    try_await(sos_mutex_lock(task, &self->socket->line));
    self->status = put_control(self->socket, &self->out);
    if (self->status != SOS_OK)
        async_return(self->status);
    await(sos_stream_flush(task, self->socket->stream));
    async_return(sent(self->socket, &self->out, sos_status(task)));
    async_finally;
    finish(self->socket, &self->out);
    sos_mutex_unlock(task, &self->socket->line);
    sos_websocket_leave_(self->socket);
    async_end;
}

sos_op sos_websocket_ping(sos_task *task, sos_websocket *socket, const void *bytes, size_t size)
{
    int status = why_not(socket);
    if (status == SOS_OK && (size > SOS_WS_CONTROL_MOST_ || (bytes == NULL && size != 0)))
        status = SOS_EINVAL;
    if (status != SOS_OK)
        return sos_complete(task, status);
    return async_call(send_control, .socket = socket,
                      .out = { .opcode = SOS_WS_PING_, .bytes = bytes, .size = size });
}

bool sos_websocket_is_ours_(const struct sos_ws_event_ *event)
{
    return event->length == sizeof keepalive - 1 &&
           memcmp(event->bytes, keepalive, sizeof keepalive - 1) == 0;
}

/* ---- What the connection itself has to say */

static bool has_to_say(const sos_websocket *socket)
{
    bool due = socket->pong != NULL || socket->ping_due;
    return (due && !socket->close_sent && socket->error == 0) ||
           (sos_stream_unsent(socket->stream) != 0 && sos_stream_error(socket->stream) == 0);
}

static int put_due(sos_websocket *socket)
{
    int status = SOS_OK;
    struct sos_websocket_pong_ *pong = socket->pong;
    if (socket->close_sent || socket->error != 0)
        return SOS_OK;
    if (pong != NULL) {
        struct outgoing out = { .opcode = SOS_WS_PONG_, .bytes = pong->bytes, .size = pong->size };
        socket->pong = NULL;
        status = put_chunk(socket, &out);
        sos_memory_give(socket->os, pong, sizeof *pong);
    }
    if (socket->ping_due && status == SOS_OK) {
        struct outgoing out = { .opcode = SOS_WS_PING_,
                                .bytes = (const unsigned char *)keepalive,
                                .size = sizeof keepalive - 1 };
        socket->ping_due = false;
        status = put_chunk(socket, &out);
    }
    return status;
}

struct controller {
    sos_frame frame;
    sos_websocket *socket;
};

static async_fn(controller)
{
    async_begin(controller);
    self->socket->users++;
    await(sos_mutex_lock(task, &self->socket->line));
    while (sos_status(task) == SOS_OK && has_to_say(self->socket) &&
           put_due(self->socket) == SOS_OK)
        await(sos_stream_flush(task, self->socket->stream));
    async_return(SOS_OK);
    async_finally;
    self->socket->controlling = false;
    sos_mutex_unlock(task, &self->socket->line);
    sos_websocket_leave_(self->socket);
    async_end;
}

/* With no task to be had it is said with the next occasion. */
void sos_websocket_control_(sos_websocket *socket)
{
    if (socket->controlling || socket->closed || !has_to_say(socket))
        return;
    socket->controller = sos_fork(socket->os, controller,
                                  sos_opt(.priority = socket->priority, .watcher = true,
                                          .detached = true, .name = "websocket control"),
                                  .socket = socket);
    socket->controlling = socket->controller.pid >= 0;
}

/* ---- The closing handshake */

struct say_farewell {
    sos_frame frame;
    sos_websocket *socket;
    unsigned code;
    const char *reason;
    int size;
    unsigned char payload[SOS_WS_CONTROL_MOST_];
};

static int payload_of(unsigned char payload[SOS_WS_CONTROL_MOST_], unsigned code,
                      const char *reason)
{
    return sos_ws_close_payload_(payload, code, reason != NULL ? reason : "",
                                 reason != NULL ? strlen(reason) : 0);
}

/* A server that is out of step may not answer: it is told that nothing more will come. */
static async_fn(say_farewell)
{
    async_begin(say_farewell);
    self->size = payload_of(self->payload, self->code, self->reason);
    if (self->size < 0)
        async_return(self->size);
    try_await(async_call(
        send_control, .socket = self->socket,
        .out = { .opcode = SOS_WS_CLOSE_, .bytes = self->payload, .size = (size_t)self->size }));
    if (self->socket->error != 0)
        try_await(sos_stream_shutdown(task, self->socket->stream));
    async_end;
}

sos_op sos_websocket_send_farewell_(sos_task *task, sos_websocket *socket, const char *reason)
{
    if (socket->farewell == 0 || socket->close_sent)
        return sos_complete(task, SOS_OK);
    return async_call(say_farewell, .socket = socket, .code = socket->farewell, .reason = reason);
}

struct disconnecting {
    sos_frame frame;
    sos_websocket *socket;
    unsigned code;
    const char *reason;
};

static async_fn(disconnecting)
{
    async_begin(disconnecting);
    if (self->socket->error == 0 && !self->socket->close_received)
        await(async_call(say_farewell, .socket = self->socket, .code = self->code,
                         .reason = self->reason));
    try_await(sos_event_wait(task, &self->socket->over));
    async_return(self->socket->error);
    async_end;
}

struct disconnect {
    sos_frame frame;
    sos_websocket *socket;
    unsigned code;
    const char *reason;
};

static async_fn(disconnect)
{
    async_begin(disconnect);
    self->socket->users++;
    await(sos_within(task, self->socket->close_us,
                     async_call(disconnecting, .socket = self->socket, .code = self->code,
                                .reason = self->reason)));
    async_return(sos_status(task));
    async_finally;
    sos_websocket_leave_(self->socket);
    async_end;
}

/* A reader that waits for receivers must see the answer. */
sos_op sos_websocket_disconnect(sos_task *task, sos_websocket *socket, unsigned code,
                                const char *reason)
{
    unsigned char payload[SOS_WS_CONTROL_MOST_];
    int status = socket->closed ? SOS_ECANCELED : payload_of(payload, code, reason);
    if (status < 0)
        return sos_complete(task, status);
    socket->closing = true;
    sos_event_set(&socket->room);
    return async_call(disconnect, .socket = socket, .code = code, .reason = reason);
}
