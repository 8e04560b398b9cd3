/* SPDX-License-Identifier: MIT */
/* The task that reads a WebSocket connection: what comes, whether anything comes, and its end. */
#include <stdio.h>
#include <string.h>

#include "smallos/async.h"
#include "websocket_internal.h"

/* ---- What comes */

/* True: reading goes on. */
static bool refuse(sos_websocket *socket, int status, uint16_t code, const char *rule)
{
    char text[SOS_WEBSOCKET_TEXT_];
    snprintf(text, sizeof text, "byte %llu of what the server sent: %s",
             (unsigned long long)socket->parser.error.at, rule);
    socket->farewell = code;
    sos_websocket_fail_(socket, status, text);
    return false;
}

static bool no_memory(sos_websocket *socket)
{
    socket->farewell = SOS_WS_INTERNAL_;
    sos_websocket_fail_(socket, SOS_ENOMEM, "out of memory for what the server sent");
    return false;
}

/* After disconnect nobody need receive: what is more than may wait is thrown away. */
static bool data_came(sos_websocket *socket, const struct sos_ws_event_ *event)
{
    uint16_t code = 0;
    const char *rule = NULL;
    if (socket->closing && socket->ahead >= socket->ahead_max)
        socket->deaf = true;
    if (socket->deaf)
        return true;
    int status = event->compressed ? sos_websocket_inflate_(socket, event, &rule, &code)
                                   : sos_websocket_add_(socket, event);
    if (status == SOS_ENOMEM)
        return no_memory(socket);
    if (status == SOS_OK)
        return true;
    socket->parser.error.at = socket->parser.at;
    return refuse(socket, status, code, rule);
}

/* Without memory for it the ping stays unanswered. */
static bool ping_came(sos_websocket *socket, const struct sos_ws_event_ *event)
{
    if (socket->close_sent)
        return true;
    if (socket->pong == NULL)
        socket->pong = sos_memory_take(socket->os, sizeof *socket->pong);
    if (socket->pong == NULL)
        return true;
    socket->pong->size = (uint8_t)event->length;
    memcpy(socket->pong->bytes, event->bytes, event->length);
    sos_websocket_control_(socket);
    return true;
}

static bool pong_came(sos_websocket *socket, const struct sos_ws_event_ *event)
{
    if (socket->deaf || sos_websocket_is_ours_(event))
        return true;
    return sos_websocket_add_control_(socket, SOS_WEBSOCKET_PONG, event) == SOS_OK ||
           no_memory(socket);
}

/* Nothing comes after it. */
static bool close_came(sos_websocket *socket, const struct sos_ws_event_ *event)
{
    socket->close_received = true;
    socket->farewell = event->code;
    sos_websocket_drop_open_(socket);
    if (sos_websocket_add_control_(socket, SOS_WEBSOCKET_CLOSE, event) != SOS_OK)
        no_memory(socket);
    return false;
}

static bool event_came(sos_websocket *socket, int kind, const struct sos_ws_event_ *event)
{
    switch (kind) {
    case SOS_WS_DATA_EVENT_:
        return data_came(socket, event);
    case SOS_WS_PING_EVENT_:
        return ping_came(socket, event);
    case SOS_WS_PONG_EVENT_:
        return pong_came(socket, event);
    case SOS_WS_CLOSE_EVENT_:
        return close_came(socket, event);
    default:
        return refuse(socket, kind, socket->parser.close_code, socket->parser.error.rule);
    }
}

/* Everything that is in the buffer and may be read. True: reading goes on. */
static bool take_all(sos_websocket *socket)
{
    static unsigned char nothing[1];
    struct sos_ws_event_ event = { 0 };
    size_t size, taken = 0;
    unsigned char *bytes = (unsigned char *)(uintptr_t)sos_stream_data(socket->stream, &size);
    bool goes_on = true;
    while (goes_on && !sos_websocket_is_full_(socket)) {
        int kind = sos_ws_next_(&socket->parser, bytes != NULL ? bytes + taken : nothing,
                                size - taken, &event);
        taken += event.taken;
        if (kind == SOS_PARTIAL_)
            break;
        goes_on = event_came(socket, kind, &event);
    }
    sos_stream_take(socket->stream, taken);
    return goes_on;
}

/* The stream is of no more use. After the closing handshake that is as it should be. */
static void lost(sos_websocket *socket, int status)
{
    if (socket->close_received)
        return;
    if (status == SOS_EEOF)
        sos_websocket_break_(socket, status, "the connection ended without a close frame");
    else
        sos_websocket_break_(socket, status, sos_stream_error_text(socket->stream));
}

struct reading {
    sos_frame frame;
    sos_websocket *socket;
};

static async_fn(reading)
{
    async_begin(reading);
    while (take_all(self->socket)) {
        if (sos_websocket_is_full_(self->socket)) {
            self->socket->paused = true;
            sos_event_clear(&self->socket->room);
            await(sos_event_wait(task, &self->socket->room));
            self->socket->paused = false;
            continue;
        }
        await(sos_stream_more(task, self->socket->stream));
        if (sos_status(task) < 0) {
            lost(self->socket, sos_status(task));
            break;
        }
        self->socket->pinged = false;
        sos_supervisor_heard(&self->socket->heard, sos_of(task));
    }
    async_end;
}

/* ---- Whether anything comes */

static int64_t silent_for(const sos_websocket *socket)
{
    return socket->heard.options.silence_us - sos_supervisor_patience(&socket->heard, socket->os);
}

/* How long the reader reads before it looks how long it has been silent. */
static int64_t until_look(const sos_websocket *socket)
{
    int64_t patience = sos_supervisor_patience(&socket->heard, socket->os);
    if (patience == SOS_FOREVER || socket->pinged)
        return patience;
    int64_t until_ping = socket->ping_us - silent_for(socket);
    if (until_ping < 0)
        return 0;
    return until_ping < patience ? until_ping : patience;
}

/* While nothing is read because nobody receives, the server is not to blame. */
static bool is_alive(sos_websocket *socket)
{
    if (socket->paused) {
        socket->paused = false;
        sos_supervisor_heard(&socket->heard, socket->os);
        return true;
    }
    if (sos_supervisor_patience(&socket->heard, socket->os) == 0) {
        sos_websocket_break_(socket, SOS_ETIMEDOUT, "the server went silent");
        return false;
    }
    if (!socket->pinged && silent_for(socket) >= socket->ping_us) {
        socket->pinged = true;
        socket->ping_due = true;
        sos_websocket_control_(socket);
    }
    return true;
}

/* ---- The end */

struct draining {
    sos_frame frame;
    sos_websocket *socket;
};

/* Until the server ends the connection: it does so first, and sees what was sent to it until then. */
static async_fn(draining)
{
    async_begin(draining);
    for (;;) {
        sos_stream_take(self->socket->stream, SIZE_MAX);
        try_await(sos_stream_more(task, self->socket->stream));
    }
    async_end;
}

static void tell_receivers(sos_websocket *socket)
{
    socket->ended = true;
    sos_event_set(&socket->arrived);
}

static const char *reason_of(const sos_websocket *socket)
{
    return socket->close_received ? NULL : socket->text;
}

async_fn(sos_websocket_reader_)
{
    async_begin(sos_websocket_reader_);
    self->socket->users++;
    do {
        await(sos_within(task, until_look(self->socket),
                         async_call(reading, .socket = self->socket)));
    } while (sos_status(task) == SOS_ETIMEDOUT && is_alive(self->socket));
    if (sos_status(task) < 0 && self->socket->error == 0)
        lost(self->socket, sos_status(task)); /* reading could not even begin */
    await(sos_within(task, self->socket->close_us,
                     sos_websocket_send_farewell_(task, self->socket, reason_of(self->socket))));
    tell_receivers(self->socket);
    await(sos_within(task, self->socket->close_us, async_call(draining, .socket = self->socket)));
    async_return(SOS_OK);
    async_finally;
    sos_stream_abort(self->socket->stream);
    tell_receivers(self->socket);
    sos_event_set(&self->socket->over);
    sos_websocket_leave_(self->socket);
    async_end;
}
