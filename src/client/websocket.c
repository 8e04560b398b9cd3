/* SPDX-License-Identifier: MIT */
/* A WebSocket connection: how it starts, fails and ends. */
#include "smallos/websocket.h"

#include <stdio.h>
#include <string.h>

#include "smallos/async.h"
#include "smallos/policy.h"
#include "websocket_internal.h"

enum { PING_S = 20, CLOSE_S = 5, AHEAD_MOST = 4194304 };

/* ---- The end */

/* The stream is closed with the last user: until then some may have to hear of its end. */
void sos_websocket_leave_(sos_websocket *socket)
{
    sos *os = socket->os;
    if (--socket->users != 0 || !socket->closed)
        return;
    sos_stream_close(socket->stream);
    sos_websocket_forget_all_(socket);
    sos_inflate_free_(socket->inflater);
    sos_websocket_deflater_free_(socket);
    if (socket->pong != NULL)
        sos_memory_give(os, socket->pong, sizeof *socket->pong);
    if (socket->text != NULL)
        sos_memory_give(os, socket->text, SOS_WEBSOCKET_TEXT_);
    sos_memory_give(os, socket, sizeof *socket + socket->protocol_room);
}

void sos_websocket_fail_(sos_websocket *socket, int error, const char *text)
{
    if (socket->error != 0)
        return;
    socket->error = error;
    if (text != NULL)
        socket->text = sos_memory_take(socket->os, SOS_WEBSOCKET_TEXT_);
    if (socket->text != NULL)
        snprintf(socket->text, SOS_WEBSOCKET_TEXT_, "%s", text);
}

void sos_websocket_break_(sos_websocket *socket, int error, const char *text)
{
    sos_websocket_fail_(socket, error, text);
    sos_stream_abort(socket->stream);
}

void sos_websocket_close(sos_websocket *socket)
{
    if (socket == NULL || socket->closed)
        return;
    socket->users++;
    socket->closed = true;
    sos_websocket_break_(socket, SOS_ECANCELED, "closed");
    sos_kill(socket->os, socket->reader);
    if (socket->controlling)
        sos_kill(socket->os, socket->controller);
    if (socket->message.owner != NULL) /* a task between two parts */
        sos_mutex_unlock(socket->message.owner, &socket->message);
    socket->ended = true;
    sos_event_set(&socket->arrived);
    sos_event_set(&socket->over);
    sos_websocket_leave_(socket);
}

/* ---- About it */

const char *sos_websocket_error(const sos_websocket *socket)
{
    if (socket->error == 0)
        return "";
    return socket->text != NULL ? socket->text : sos_error_text(socket->error);
}

const char *sos_websocket_protocol(const sos_websocket *socket)
{
    return socket->protocol;
}

bool sos_websocket_deflates(const sos_websocket *socket)
{
    return socket->agreed.on;
}

/* ---- The start */

/* 0 in the configuration in force and SOS_NONE in an option are: unlimited. */
static uint64_t limit(uint32_t option, uint32_t standard)
{
    if (option == 0)
        option = standard;
    return option == 0 || option == SOS_NONE ? UINT64_MAX : option;
}

static void set_limits(sos_websocket *socket, const struct sos_websocket_options *options)
{
    const struct sos_client_defaults *defaults = &sos_configuration(socket->os)->client_defaults;
    const struct sos_ws_options_ limits = {
        .deflate = socket->agreed.on,
        .max_frame_size = limit(options->max_frame_size, defaults->websocket.max_frame_size),
        .max_message_size = limit(options->max_message_size, defaults->websocket.max_message_size),
    };
    sos_ws_init_(&socket->parser, &limits);
    socket->ahead_max = options->max_ahead_size;
    if (socket->ahead_max == 0)
        socket->ahead_max = limits.max_message_size < AHEAD_MOST ? (size_t)limits.max_message_size
                                                                 : AHEAD_MOST;
}

static int set_times(sos_websocket *socket, const struct sos_websocket_options *options)
{
    int64_t ping = options->ping_us != 0 ? options->ping_us : SOS_SEC(PING_S);
    int64_t silence = options->silence_us;
    if (silence == 0)
        silence = ping < SOS_FOREVER / 2 ? 2 * ping : SOS_FOREVER;
    socket->ping_us = silence == SOS_FOREVER && options->ping_us == 0 ? SOS_FOREVER : ping;
    socket->close_us = options->close_us != 0 ? options->close_us : SOS_SEC(CLOSE_S);
    sos_supervisor_init(&socket->heard, "connection",
                        &(struct sos_supervisor_options){ .silence_us = silence });
    sos_supervisor_began(&socket->heard, socket->os);
    return SOS_OK;
}

static sos_websocket *new_socket(sos *os, const struct sos_ws_answer_ *answer)
{
    size_t length = answer->protocol.length;
    sos_websocket *socket = length < UINT16_MAX ? sos_memory_take(os, sizeof *socket + length + 1)
                                                : NULL;
    if (socket == NULL)
        return NULL;
    memset(socket, 0, sizeof *socket);
    socket->os = os;
    socket->agreed = answer->deflate;
    socket->protocol_room = (uint16_t)(length + 1);
    if (length != 0)
        memcpy(socket->protocol, answer->protocol.at, length);
    socket->protocol[length] = '\0';
    return socket;
}

sos_websocket *sos_websocket_make_(sos_task *task, const struct sos_websocket_options *options,
                                   sos_stream *stream, const struct sos_ws_answer_ *answer)
{
    sos *os = sos_of(task);
    sos_websocket *socket = new_socket(os, answer);
    if (socket == NULL) {
        sos_stream_close(stream);
        return NULL;
    }
    socket->stream = stream;
    socket->priority = options->priority != 0 ? options->priority : sos_effective_priority(task);
    sos_event_init(&socket->arrived, "message");
    sos_event_init(&socket->room, "receiver");
    sos_event_init(&socket->over, "end of connection");
    sos_mutex_init(&socket->message, "end of message");
    sos_mutex_init(&socket->line, "end of frame");
    set_limits(socket, options);
    set_times(socket, options);
    socket->reader = sos_fork(os, sos_websocket_reader_,
                              sos_opt(.priority = socket->priority, .watcher = true,
                                      .detached = true, .name = "websocket"),
                              .socket = socket);
    if (socket->reader.pid >= 0)
        return socket;
    sos_websocket_close(socket);
    return NULL;
}
