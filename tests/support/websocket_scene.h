/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the WebSocket client against real servers share: a scene is one task with a
 * connection, a runtime of its own around it.
 */
#ifndef TESTS_SUPPORT_WEBSOCKET_SCENE_H
#define TESTS_SUPPORT_WEBSOCKET_SCENE_H

#include "fault_proxy.h"
#include "server.h"
#include "smallos/tls.h"
#include "smallos/websocket.h"
#include "unix_world.h"

struct scene {
    sos_frame frame;
    sos_websocket *socket;
    struct sos_websocket_message message;
    struct sos_websocket_options options;
    size_t size, index, blocks;
    char *bytes;
    char text[160];
    struct sos_scope scope;
    sos_handle other;
    struct sos_tls_options tls;
};

/* How often each was reported in this scene. */
static int reported[SOS_REPORT_CLEARTEXT + 1];

static inline void note_report(void *context, const struct sos_report *report)
{
    (void)context;
    reported[report->kind]++;
}

/* `proxy` NULL: directly; else its fault stands in it, and the server is at `port`. */
static inline void run_scene(sos_async_function function, uint16_t port, struct fault_proxy *proxy)
{
    const struct sos_config config = { .report = note_report };
    memset(reported, 0, sizeof reported);
    unix_open(&here, &config);
    if (proxy != NULL) {
        fault_proxy_start(here.os, proxy, port, 3);
        port = proxy->port;
    }
    struct scene first = { .options = { .port = port } };
    const struct sos_start start = {
        .function = function,
        .frame = &first,
        .name = "scene",
        .size = sizeof first,
        .options = { .priority = 4 },
    };
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    unix_run();
}

static inline void expect(const struct sos_websocket_message *message, enum sos_websocket_type type,
                          const char *text)
{
    char got[256];
    CHECK_INT(message->type, type);
    CHECK(message->size < sizeof got);
    memcpy(got, message->bytes, message->size);
    got[message->size] = '\0';
    CHECK_TEXT(got, text);
}

static inline void free_scene(struct scene *self)
{
    free(self->bytes);
    self->bytes = NULL;
    sos_websocket_message_free(&self->message);
    sos_websocket_close(self->socket);
    self->socket = NULL;
}

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define CONNECT() CHECKED(sos_websocket_connect(task, &self->options, &self->socket), SOS_OK)
#define SEND(string)                                                                               \
    CHECKED(sos_websocket_send_text(task, self->socket, (string), strlen(string)), SOS_OK)
#define RECEIVE() CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_OK)
#define DISCONNECT(code)                                                                           \
    CHECKED(sos_websocket_disconnect(task, self->socket, (code), "enough"), SOS_OK)

#define SEND_PART(string, last)                                                                    \
    CHECKED(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_TEXT, (string),              \
                                    strlen(string), (last)),                                       \
            SOS_OK)

/* Bytes for it to send. */
static inline void fill(struct scene *self, size_t size, bool random)
{
    unsigned seed = 1;
    self->size = size;
    self->bytes = malloc(size);
    CHECK(self->bytes != NULL);
    memset(self->bytes, 'a', size);
    for (size_t index = 0; random && index < size; index++) {
        seed = seed * 1103515245 + 12345;
        self->bytes[index] = (char)(seed >> 16);
    }
}

static inline void expect_bytes(const struct scene *self)
{
    CHECK_INT(self->message.size, self->size);
    CHECK(memcmp(self->message.bytes, self->bytes, self->size) == 0);
}

/* The server on the npm package ws, with a certificate and its key, or NULL. */
static inline void start_node(struct server *server, const char *certificate, const char *key)
{
    server_prepare(server);
    CHECK(server_start(
        server, (const char *const[]){ "node", SOS_SOURCE_DIR "/tests/data/websocket_server.js",
                                       "{port}", certificate, key, NULL }));
}

#endif
