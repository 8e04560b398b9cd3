/* SPDX-License-Identifier: MIT */
/* What has arrived and has not been received yet: pieces of messages, each a block of memory that is
 * handed to the receiver as it is. */
#include <string.h>

#include "smallos/async.h"
#include "websocket_internal.h"

enum { PIECE_FIRST = 64, TRUSTED = 65536 /* so much is taken because a frame announces it */ };

static size_t block_size(const struct sos_websocket_piece_ *piece)
{
    return sizeof *piece + piece->room;
}

static void give(sos_websocket *socket, struct sos_websocket_piece_ *piece)
{
    sos_memory_give(socket->os, piece, block_size(piece));
}

static struct sos_websocket_piece_ *take(sos_websocket *socket, size_t room)
{
    struct sos_websocket_piece_ *piece = sos_memory_take(socket->os, sizeof *piece + room);
    if (piece != NULL)
        *piece = (struct sos_websocket_piece_){ .room = room };
    return piece;
}

/* Whether it can be received. */
static bool is_ready(const struct sos_websocket_piece_ *piece, bool part)
{
    return piece != NULL && (piece->last || (part && piece->size != 0));
}

/* ---- Adding */

static void append(sos_websocket *socket, struct sos_websocket_piece_ *piece)
{
    if (socket->tail != NULL)
        socket->tail->next = piece;
    else
        socket->first = piece;
    socket->tail = piece;
    socket->ahead += block_size(piece);
}

/* The last piece moves into a larger block. */
static struct sos_websocket_piece_ *grow(sos_websocket *socket, size_t room)
{
    struct sos_websocket_piece_ *old = socket->tail, **at = &socket->first;
    struct sos_websocket_piece_ *piece = take(socket, room);
    if (piece == NULL)
        return NULL;
    memcpy(piece->bytes, old->bytes, old->size);
    piece->size = old->size;
    piece->type = old->type;
    piece->first = old->first;
    while (*at != old)
        at = &(*at)->next;
    *at = socket->tail = piece;
    socket->ahead += block_size(piece) - block_size(old);
    give(socket, old);
    return piece;
}

/* Memory is taken for what is there, and for what a frame announces as it comes. */
static size_t room_for(size_t used, size_t more, uint64_t soon)
{
    size_t least = used + more, room = 2 * used;
    if (room < PIECE_FIRST)
        room = PIECE_FIRST;
    if (soon <= TRUSTED && room < least + (size_t)soon)
        return least + (size_t)soon;
    return room < least ? least : room;
}

struct sos_websocket_piece_ *sos_websocket_open_piece_(sos_websocket *socket,
                                                       const struct sos_ws_event_ *event,
                                                       size_t more, uint64_t soon)
{
    struct sos_websocket_piece_ *piece = socket->tail;
    bool open = piece != NULL && !piece->last && !event->first;
    if (open && piece->room - piece->size >= more)
        return piece;
    if (open)
        return grow(socket, room_for(piece->size, more, soon));
    size_t room = more + (soon <= TRUSTED ? (size_t)soon : 0);
    piece = take(socket, room);
    if (piece == NULL)
        return NULL;
    piece->type = event->opcode;
    piece->first = event->first;
    append(socket, piece);
    return piece;
}

void sos_websocket_piece_grew_(sos_websocket *socket, bool last)
{
    socket->tail->last = last;
    if (last || socket->wait_for_part != 0)
        sos_event_set(&socket->arrived);
}

int sos_websocket_add_(sos_websocket *socket, const struct sos_ws_event_ *event)
{
    struct sos_websocket_piece_ *piece = sos_websocket_open_piece_(socket, event, event->length,
                                                                   event->frame_left);
    if (piece == NULL)
        return SOS_ENOMEM;
    if (event->length != 0)
        memcpy(piece->bytes + piece->size, event->bytes, event->length);
    piece->size += event->length;
    sos_websocket_piece_grew_(socket, event->last);
    return SOS_OK;
}

/* It may come between the parts of a message, and then stands before the message. */
int sos_websocket_add_control_(sos_websocket *socket, enum sos_websocket_type type,
                               const struct sos_ws_event_ *event)
{
    struct sos_websocket_piece_ *piece = take(socket, event->length), *tail = socket->tail;
    if (piece == NULL)
        return SOS_ENOMEM;
    if (event->length != 0)
        memcpy(piece->bytes, event->bytes, event->length);
    piece->size = event->length;
    piece->type = (uint8_t)type;
    piece->first = piece->last = true;
    piece->code = event->code;
    if (tail == NULL || tail->last) {
        append(socket, piece);
    } else {
        struct sos_websocket_piece_ **at = &socket->first;
        while (*at != tail)
            at = &(*at)->next;
        piece->next = tail;
        *at = piece;
        socket->ahead += block_size(piece);
    }
    sos_event_set(&socket->arrived);
    return SOS_OK;
}

/* Those who wait for what is not there yet must not wait for ever. */
bool sos_websocket_is_full_(const sos_websocket *socket)
{
    const struct sos_websocket_piece_ *first = socket->first;
    if (socket->ahead < socket->ahead_max || socket->closing)
        return false;
    return (socket->wait_for_whole == 0 || is_ready(first, false)) &&
           (socket->wait_for_part == 0 || is_ready(first, true));
}

/* The rest of a message that will not come. */
void sos_websocket_drop_open_(sos_websocket *socket)
{
    struct sos_websocket_piece_ *tail = socket->tail, **at = &socket->first, *before = NULL;
    if (tail == NULL || tail->last)
        return;
    for (; *at != tail; at = &(*at)->next)
        before = *at;
    *at = NULL;
    socket->tail = before;
    socket->ahead -= block_size(tail);
    give(socket, tail);
}

void sos_websocket_forget_all_(sos_websocket *socket)
{
    while (socket->first != NULL) {
        struct sos_websocket_piece_ *next = socket->first->next;
        give(socket, socket->first);
        socket->first = next;
    }
    socket->tail = NULL;
    socket->ahead = 0;
}

/* ---- Receiving */

void sos_websocket_message_free(struct sos_websocket_message *message)
{
    if (message->memory != NULL)
        sos_memory_give(message->os, message->memory, message->room);
    *message = (struct sos_websocket_message){ .os = NULL };
}

static void hand_out(sos_websocket *socket, struct sos_websocket_message *message)
{
    struct sos_websocket_piece_ *piece = socket->first;
    socket->first = piece->next;
    if (socket->first == NULL)
        socket->tail = NULL;
    socket->ahead -= block_size(piece);
    *message = (struct sos_websocket_message){ .type = (enum sos_websocket_type)piece->type,
                                               .bytes = (const char *)piece->bytes,
                                               .size = piece->size,
                                               .first = piece->first,
                                               .last = piece->last,
                                               .code = piece->code,
                                               .os = socket->os,
                                               .memory = piece,
                                               .room = block_size(piece) };
    if (socket->paused && !sos_websocket_is_full_(socket))
        sos_event_set(&socket->room);
}

/* 0: *message is set; SOS_EAGAIN; or why nothing more comes. */
static int receive_now(sos_websocket *socket, struct sos_websocket_message *message, bool part)
{
    const struct sos_websocket_piece_ *first = socket->first;
    if (socket->closed)
        return SOS_ECANCELED;
    bool close = first != NULL && first->type == SOS_WEBSOCKET_CLOSE;
    if (is_ready(first, part) && (!close || socket->ended)) {
        hand_out(socket, message);
        return SOS_OK;
    }
    if (!socket->ended)
        return SOS_EAGAIN;
    return socket->error != 0 ? socket->error : SOS_EEOF;
}

struct receive {
    sos_frame frame;
    sos_websocket *socket;
    struct sos_websocket_message *message;
    bool part;
    int status;
};

static async_fn(receive)
{
    async_begin(receive);
    self->socket->users++;
    self->socket->wait_for_whole += !self->part;
    self->socket->wait_for_part += self->part;
    do {
        sos_event_clear(&self->socket->arrived);
        if (self->socket->paused)
            sos_event_set(&self->socket->room); /* it looks again whether it is full */
        try_await(sos_event_wait(task, &self->socket->arrived));
        self->status = receive_now(self->socket, self->message, self->part);
    } while (self->status == SOS_EAGAIN);
    async_return(self->status);
    async_finally;
    self->socket->wait_for_whole -= !self->part;
    self->socket->wait_for_part -= self->part;
    sos_websocket_leave_(self->socket);
    async_end;
}

static sos_op receive_any(sos_task *task, sos_websocket *socket,
                          struct sos_websocket_message *message, bool part)
{
    sos_websocket_message_free(message);
    int status = receive_now(socket, message, part);
    if (status != SOS_EAGAIN)
        return sos_complete(task, status);
    return async_call(receive, .socket = socket, .message = message, .part = part);
}

sos_op sos_websocket_receive(sos_task *task, sos_websocket *socket,
                             struct sos_websocket_message *message)
{
    return receive_any(task, socket, message, false);
}

sos_op sos_websocket_receive_part(sos_task *task, sos_websocket *socket,
                                  struct sos_websocket_message *message)
{
    return receive_any(task, socket, message, true);
}
