/* SPDX-License-Identifier: MIT */
/* permessage-deflate (RFC 7692) through zlib. */
#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "websocket_internal.h"

static const unsigned char tail[] = { 0, 0, 0xFF, 0xFF }; /* what is cut off a message (7.2.1) */

/* ---- Inflating what arrives */

enum { PORTION = 4096 };

static bool begin_message(sos_websocket *socket, const struct sos_ws_event_ *event)
{
    uint64_t most = socket->parser.options.max_message_size;
    int bits = socket->agreed.server_bits;
    if (most == UINT64_MAX)
        most = 0;
    if (!event->first)
        return true;
    socket->utf8 = (struct sos_utf8_){ 0 };
    if (socket->inflater == NULL)
        socket->inflater = sos_inflate_new_(socket->os, SOS_INFLATE_MESSAGE_, bits, most);
    else
        sos_inflate_again_(socket->inflater, most,
                           socket->agreed.server_no_context ||
                               sos_inflate_is_whole_(socket->inflater));
    return socket->inflater != NULL;
}

static int refuse(int status, const char *what, const char **rule, uint16_t *code)
{
    *rule = what;
    *code = status == SOS_ELIMIT ? SOS_WS_TOO_LARGE_ : SOS_WS_BAD_DATA_;
    return status;
}

/* All of `bytes`, into the piece at the end of the inbox. */
static int inflate_bytes(sos_websocket *socket, const struct sos_ws_event_ *event,
                         const unsigned char *bytes, size_t length, const char **rule,
                         uint16_t *code)
{
    bool begun = false;
    for (;;) {
        struct sos_ws_event_ as = *event;
        as.first = event->first && !begun && bytes == event->bytes;
        struct sos_websocket_piece_ *piece = sos_websocket_open_piece_(socket, &as, PORTION, 0);
        if (piece == NULL)
            return SOS_ENOMEM;
        begun = true;
        size_t taken, made, room = piece->room - piece->size;
        unsigned char *to = piece->bytes + piece->size;
        int status = sos_inflate_next_(socket->inflater, bytes, length, &taken, to, room, &made);
        if (status == SOS_ENOMEM)
            return status;
        if (status < 0)
            return refuse(status, sos_inflate_rule_(socket->inflater), rule, code);
        piece->size += made;
        bytes += taken;
        length -= taken;
        if (event->opcode == SOS_WS_TEXT_ && sos_utf8_check_(&socket->utf8, to, made) < made)
            return refuse(SOS_EPROTO, "text is UTF-8 (RFC 6455, 8.1)", rule, code);
        if (status == SOS_INFLATE_END_ || (made < room && length == 0))
            return SOS_OK; /* what follows the last block of all is only padding (7.2.3.4) */
    }
}

/* Its last block of all came before: what follows is only padding (7.2.3.4). */
static bool is_padding(const sos_websocket *socket, const struct sos_ws_event_ *event)
{
    unsigned char none;
    size_t taken, made;
    return !event->first && sos_inflate_is_whole_(socket->inflater) &&
           sos_inflate_next_(socket->inflater, NULL, 0, &taken, &none, 0, &made) ==
               SOS_INFLATE_END_;
}

int sos_websocket_inflate_(sos_websocket *socket, const struct sos_ws_event_ *event,
                           const char **rule, uint16_t *code)
{
    if (!begin_message(socket, event))
        return SOS_ENOMEM;
    size_t length = is_padding(socket, event) ? 0 : event->length;
    int status = inflate_bytes(socket, event, event->bytes, length, rule, code);
    if (status == SOS_OK && event->last && !sos_inflate_is_whole_(socket->inflater))
        status = inflate_bytes(socket, event, tail, sizeof tail, rule, code);
    if (status == SOS_OK && event->last && event->opcode == SOS_WS_TEXT_ &&
        !sos_utf8_whole_(&socket->utf8))
        status = refuse(SOS_EPROTO, "text is UTF-8 (RFC 6455, 8.1)", rule, code);
    if (status == SOS_OK)
        sos_websocket_piece_grew_(socket, event->last);
    return status;
}

/* ---- Deflating what is sent */

struct sos_websocket_deflater_ {
    z_stream zlib;
};

/* zlib gives memory back without its size, which therefore stands in front of it. */
union header {
    size_t size;
    max_align_t aligned;
};

static voidpf take(voidpf os, uInt items, uInt item_size)
{
    size_t size = (size_t)items * item_size + sizeof(union header);
    union header *block = sos_memory_take(os, size);
    if (block == NULL)
        return NULL;
    memset(block, 0, size); /* zlib looks at parts of it that it never wrote */
    block->size = size;
    return block + 1;
}

static void give(voidpf os, voidpf memory)
{
    union header *block = (union header *)memory - 1;
    sos_memory_give(os, block, block->size);
}

static struct sos_websocket_deflater_ *deflater_of(sos_websocket *socket)
{
    enum { MEMORY_LEVEL = 8 };
    int bits = socket->agreed.client_bits != 0 ? socket->agreed.client_bits : MAX_WBITS;
    if (socket->deflater != NULL)
        return socket->deflater;
    struct sos_websocket_deflater_ *deflater = sos_memory_take(socket->os, sizeof *deflater);
    if (deflater == NULL)
        return NULL;
    memset(deflater, 0, sizeof *deflater);
    deflater->zlib.zalloc = take;
    deflater->zlib.zfree = give;
    deflater->zlib.opaque = socket->os;
    if (deflateInit2(&deflater->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        sos_memory_give(socket->os, deflater, sizeof *deflater);
        return NULL;
    }
    return socket->deflater = deflater;
}

void sos_websocket_deflater_free_(sos_websocket *socket)
{
    struct sos_websocket_deflater_ *deflater = socket->deflater;
    if (deflater == NULL)
        return;
    deflateEnd(&deflater->zlib);
    sos_memory_give(socket->os, deflater, sizeof *deflater);
    socket->deflater = NULL;
}

int sos_websocket_deflate_(sos_websocket *socket, const void *from, size_t from_size, bool last,
                           unsigned char **bytes, size_t *size, size_t *room)
{
    struct sos_websocket_deflater_ *deflater = deflater_of(socket);
    *bytes = NULL;
    if (from_size > UINT_MAX / 2)
        return SOS_ELIMIT;
    if (deflater == NULL)
        return SOS_ENOMEM;
    *room = deflateBound(&deflater->zlib, (uLong)from_size) + sizeof tail + 16;
    *bytes = sos_memory_take(socket->os, *room);
    if (*bytes == NULL)
        return SOS_ENOMEM;
    deflater->zlib.next_in = (z_const Bytef *)(uintptr_t)from;
    deflater->zlib.avail_in = (uInt)from_size;
    deflater->zlib.next_out = *bytes;
    deflater->zlib.avail_out = (uInt)*room;
    deflate(&deflater->zlib, Z_SYNC_FLUSH);
    *size = *room - deflater->zlib.avail_out;
    if (deflater->zlib.avail_out == 0)
        return SOS_ELIMIT;
    if (last && *size > sizeof tail)
        *size -= sizeof tail;
    else if (last) /* nothing was left to be said: the head of an empty block (7.2.3.6) */
        *size = 1, **bytes = 0;
    if (last && socket->agreed.client_no_context)
        deflateReset(&deflater->zlib);
    return SOS_OK;
}
