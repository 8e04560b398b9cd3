/* SPDX-License-Identifier: MIT */
/* The WebSocket client against servers that break the rules, say nothing or say too much, on the
 * simulated network: which error, which close code goes back, and when, in virtual time. */
#define _GNU_SOURCE
#include "proto/websocket.h"
#include "proto/websocket_handshake.h"
#include "smallos/stream.h"
#include "smallos/websocket.h"
#include "world.h"

enum { PORT = 80 };

/* What the server does after the handshake. */
struct script {
    const char *answer; /* to the handshake; %s: the accept key; NULL: a good one */
    const char *bytes;
    size_t size;
    int times;         /* the bytes are sent; 0: once */
    bool answers;      /* pings are answered, too */
    bool stays;        /* it never ends the connection */
    bool stops;        /* it reads nothing */
    int64_t silent_at; /* then it stops answering */
};

static struct script script;

static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n";
static const char compressing[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/* ---- The server */

struct server {
    sos_frame frame;
    sos_stream *stream;
    struct sos_ws_parser_ parser;
    int times;
    bool over;
};

static void answer_handshake(sos_stream *stream, size_t size)
{
    static const char name[] = "\r\nSec-WebSocket-Key: ";
    char accept[SOS_WS_ACCEPT_LENGTH_ + 1], answer[512];
    size_t all;
    const char *bytes = (const char *)sos_stream_data(stream, &all);
    const char *key = memmem(bytes, all, name, sizeof name - 1),
               *format = script.answer != NULL ? script.answer : good;
    CHECK(key != NULL);
    sos_ws_accept_(accept, key + sizeof name - 1);
    const char *at = strstr(format, "%s");
    int before = (int)(at != NULL ? (size_t)(at - format) : strlen(format));
    snprintf(answer, sizeof answer, "%.*s%s%s", before, format, at != NULL ? accept : "",
             at != NULL ? at + 2 : "");
    sos_stream_take(stream, size);
    sos_stream_put(stream, answer, strlen(answer));
}

static void answer_ping(struct server *self, const struct sos_ws_event_ *event)
{
    unsigned char head[SOS_WS_HEAD_ROOM_];
    struct sos_ws_frame_ frame = { .opcode = SOS_WS_PONG_, .length = event->length };
    if (!script.answers ||
        (script.silent_at != 0 && sos_now(world.os) >= (uint64_t)script.silent_at))
        return;
    sos_stream_put(self->stream, head, sos_ws_head_(head, &frame, NULL));
    sos_stream_put(self->stream, event->bytes, event->length);
}

static void note_frames(struct server *self)
{
    struct sos_ws_event_ event;
    size_t size, taken = 0;
    unsigned char *bytes = (unsigned char *)(uintptr_t)sos_stream_data(self->stream, &size);
    while (bytes != NULL) {
        int kind = sos_ws_next_(&self->parser, bytes + taken, size - taken, &event);
        CHECK(kind >= 0);
        taken += event.taken;
        if (kind == SOS_PARTIAL_)
            break;
        if (kind == SOS_WS_CLOSE_EVENT_)
            note("server: close %d", event.code);
        if (kind == SOS_WS_PING_EVENT_)
            answer_ping(self, &event);
    }
    sos_stream_take(self->stream, taken);
}

static async_fn(server)
{
    async_begin(server);
    try_await(sos_stream_until(task, self->stream, "\r\n\r\n", 4, 0));
    answer_handshake(self->stream, (size_t)sos_status(task));
    for (self->times = script.times; self->times >= 0; self->times--) {
        sos_stream_put(self->stream, script.bytes, script.size);
        await(sos_stream_flush(task, self->stream));
        if (sos_status(task) < 0)
            break;
    }
    sos_ws_init_(&self->parser, &(struct sos_ws_options_){ .server = true });
    while (!script.stops) {
        await(sos_stream_more(task, self->stream));
        if (sos_status(task) < 0)
            break;
        note_frames(self);
        try_await(sos_stream_flush(task, self->stream));
    }
    if (script.stays || script.stops)
        await(sos_sleep(task, SOS_FOREVER));
    async_end;
}

struct listening {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
};

static async_fn(listening)
{
    async_begin(listening);
    CHECK_INT(sos_listener_open(sos_of(task),
                                &(struct sos_listen){ .host = "10.0.0.1", .port = PORT },
                                &self->listener),
              SOS_OK);
    try_await(sos_accept(task, self->listener, &self->stream));
    await(async_call(server, .stream = self->stream));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

/* ---- The client: receives until there is nothing more, and says what it got */

struct client {
    sos_frame frame;
    struct sos_websocket_options options;
    sos_websocket *socket;
    struct sos_websocket_message message;
    int64_t sends_every; /* beside that; 0: it sends nothing */
    int64_t waits;       /* before it receives */
    sos_handle sender;
    char text[160];
};

struct sender {
    sos_frame frame;
    sos_websocket *socket;
    int64_t every;
};

static async_fn(sender)
{
    async_begin(sender);
    for (;;) {
        await(sos_websocket_send_text(task, self->socket, "news", 4));
        if (sos_status(task) < 0)
            break;
        await(sos_sleep(task, self->every));
    }
    async_end;
}

static void note_message(const struct client *self)
{
    const struct sos_websocket_message *message = &self->message;
    if (message->type == SOS_WEBSOCKET_CLOSE)
        note("close %d '%.*s'", message->code, (int)message->size, message->bytes);
    else
        note("%s '%.*s'", message->type == SOS_WEBSOCKET_TEXT ? "text" : "data",
             message->size < 20 ? (int)message->size : 20, message->bytes);
}

static async_fn(client)
{
    async_begin(client);
    self->options.host = "10.0.0.1";
    self->options.port = PORT;
    self->options.error_text = self->text;
    self->options.error_text_size = sizeof self->text;
    await(sos_websocket_connect(task, &self->options, &self->socket));
    if (sos_status(task) < 0) {
        note("%s: %s", status_text(sos_status(task)), self->text);
        async_return(SOS_OK);
    }
    if (self->sends_every != 0)
        self->sender = async_spawn(sender, sos_opt(), .socket = self->socket,
                                   .every = self->sends_every);
    await(sos_sleep(task, self->waits));
    for (;;) {
        await(sos_websocket_receive(task, self->socket, &self->message));
        if (sos_status(task) < 0)
            break;
        note_message(self);
    }
    note("%s: %s", status_text(sos_status(task)), sos_websocket_error(self->socket));
    CHECK(sos_memory(sos_of(task)).used < 200000);
    async_finally;
    if (self->sends_every != 0)
        sos_kill(sos_of(task), self->sender);
    sos_websocket_message_free(&self->message);
    sos_websocket_close(self->socket);
    async_end;
}

/* With `trace` NULL the trace stays in kept_trace. */
static char kept_trace[1 << 20];

static size_t count_lines(const char *text)
{
    size_t count = 0;
    while ((text = strchr(text, '\n')) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void play_for(struct script played, struct client player, const char *trace)
{
    script = played;
    world_open(NULL);
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0,
                                &(struct sos_sim_route){ .stream = { .capacity = 3000 } }),
              SOS_OK);
    CHECK(sos_fork(world.os, listening, sos_opt(.priority = 3, .watcher = true)).pid >= 0);
    const struct sos_start start = { .function = client,
                                     .frame = &player,
                                     .name = "client",
                                     .size = sizeof player,
                                     .options = { .priority = 5 } };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    if (trace != NULL) {
        world_run(SOS_OK, trace);
    } else {
        CHECK_INT(sos_run(world.os), SOS_OK);
        snprintf(kept_trace, sizeof kept_trace, "%s", sos_sim_trace(world.kernel));
        sos_sim_trace_clear(world.kernel);
    }
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

static void play(struct script played, const char *trace)
{
    play_for(played, (struct client){ .waits = 0 }, trace);
}

#define BYTES(text) .bytes = (text), .size = sizeof(text) - 1

/* ---- Handshakes */

static void a_wrong_handshake_is_refused(void)
{
    play((struct script){ .answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\n"
                                    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" },
         "0 EPROTO: Sec-WebSocket-Accept answers the key (RFC 6455, 4.1)\n");
    play((struct script){ .answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\n\r\n" },
         "0 EPROTO: there is a Sec-WebSocket-Accept field (RFC 6455, 4.1)\n");
    play((struct script){ .answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                    "Sec-WebSocket-Accept: %s\r\n\r\n" },
         "0 EPROTO: there is an Upgrade field (RFC 6455, 4.1)\n");
    play((struct script){ .answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                                    "Sec-WebSocket-Protocol: chat\r\n\r\n" },
         "0 EPROTO: Sec-WebSocket-Protocol was offered (RFC 6455, 4.1)\n");
    play((struct script){ .answer = compressing },
         "0 EPROTO: an extension was offered (RFC 6455, 4.1)\n");
    play((struct script){ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" },
         "0 ESERVER: the server answered 200 OK\n");
    play((struct script){ .answer = "HTTP/1.1 302 Found\r\nLocation: ws://10.0.0.2/\r\n\r\n" },
         "0 ESERVER: the server answered 302 Found\n");
    play((struct script){ .answer = "SSH-2.0-x\r\n\r\n" },
         "0 EPROTO: a version is HTTP/digit.digit (RFC 9112, 2.3)\n");
}

static void an_interim_answer_is_none(void)
{
    static char answer[512];
    snprintf(answer, sizeof answer, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n%s", good);
    play((struct script){ .answer = answer, BYTES("\x81\x02hi\x88\x00") },
         "0 server: close 1005\n0 text 'hi'\n0 close 1005 ''\n0 EEOF: \n");
}

static void an_endless_header_is_refused(void)
{
    play((struct script){ .answer = "HTTP/1.1 101 x\r\n",
                          BYTES("Endless: header\r\n"),
                          .times = 10000 },
         "0 ELIMIT: larger than a configured limit allows\n");
    play((struct script){ .answer = "HTTP/1.1 101 x\r\nEndless: ", BYTES("line"), .times = 40000 },
         "0 ELIMIT: larger than a configured limit allows\n");
}

/* ---- Frames */

static void broken(const char *bytes, size_t size, const char *trace)
{
    play((struct script){ .bytes = bytes, .size = size }, trace);
}

#define BROKEN(bytes, ...) broken((bytes), sizeof(bytes) - 1, __VA_ARGS__)
#define TOLD(code, error, byte, rule)                                                              \
    "0 server: close " code "\n0 " error ": byte " byte " of what the server sent: " rule "\n"

static void broken_frames_are_refused_with_1002(void)
{
    BROKEN("\xC1\x01x",
           TOLD("1002", "EPROTO", "0", "RSV1 is zero without an extension (RFC 6455, 5.2)"));
    BROKEN("\xA1\x01x", TOLD("1002", "EPROTO", "0", "RSV2 and RSV3 are zero (RFC 6455, 5.2)"));
    BROKEN("\x83\x01x", TOLD("1002", "EPROTO", "0", "opcodes 3 to 7 are reserved (RFC 6455, 5.2)"));
    BROKEN("\x81\x81mask?", TOLD("1002", "EPROTO", "1", "a server does not mask (RFC 6455, 5.1)"));
    BROKEN("\x09\x00",
           TOLD("1002", "EPROTO", "0", "a control frame is not fragmented (RFC 6455, 5.5)"));
    BROKEN("\x89\x7E\x00\x7E",
           TOLD("1002", "EPROTO", "1", "a control frame has at most 125 bytes (RFC 6455, 5.5)"));
    BROKEN("\x80\x01x",
           TOLD("1002", "EPROTO", "0", "a continuation has a message to continue (RFC 6455, 5.4)"));
    BROKEN("\x01\x01x\x81\x01y",
           TOLD("1002", "EPROTO", "3", "a message ends before the next begins (RFC 6455, 5.4)"));
    BROKEN("\x82\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
           TOLD("1002", "EPROTO", "2", "the highest bit of a length is zero (RFC 6455, 5.2)"));
    BROKEN("HTTP/1.1 400 Bad Request\r\n\r\n",
           TOLD("1002", "EPROTO", "0", "RSV1 is zero without an extension (RFC 6455, 5.2)"));
}

static void what_is_too_large_is_refused_with_1009(void)
{
    BROKEN("\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
           TOLD("1009", "ELIMIT", "9", "a frame is not larger than max_frame_size"));
    BROKEN("\x82\x7F\x00\x00\x00\x00\x00\x10\x00\x01",
           TOLD("1009", "ELIMIT", "9", "a frame is not larger than max_frame_size"));
}

static void bad_utf8_is_refused_with_1007(void)
{
    BROKEN("\x81\x01\xFF", TOLD("1007", "EPROTO", "2", "text is UTF-8 (RFC 6455, 8.1)"));
    BROKEN("\x81\x01\xC3", TOLD("1007", "EPROTO", "2", "text is UTF-8 (RFC 6455, 8.1)"));
    BROKEN("\x01\x01\xC3\x80\x01(", TOLD("1007", "EPROTO", "5", "text is UTF-8 (RFC 6455, 8.1)"));
    BROKEN("\x01\x01\xED\x80\x02\xA0\x80", /* a surrogate */
           TOLD("1007", "EPROTO", "5", "text is UTF-8 (RFC 6455, 8.1)"));
}

static void bad_close_frames_are_refused(void)
{
    BROKEN("\x88\x01\x03", TOLD("1002", "EPROTO", "2", "a code has two bytes (RFC 6455, 5.5.1)"));
    BROKEN("\x88\x02\x03\xED",
           TOLD("1002", "EPROTO", "2", "a code is one that may be sent (RFC 6455, 7.4)"));
    BROKEN("\x88\x02\x03\xE7",
           TOLD("1002", "EPROTO", "2", "a code is one that may be sent (RFC 6455, 7.4)"));
    BROKEN("\x88\x03\x03\xE8\xFF", TOLD("1007", "EPROTO", "4", "text is UTF-8 (RFC 6455, 8.1)"));
}

static void whole_messages_before_the_error_come_first(void)
{
    BROKEN("\x81\x03one\x82\x03two\x01\x05three\xFF",
           "0 server: close 1002\n0 text 'one'\n0 data 'two'\n"
           "0 EPROTO: byte 17 of what the server sent: RSV2 and RSV3 are zero (RFC 6455, 5.2)\n");
}

static void what_follows_a_close_is_nothing(void)
{
    BROKEN("\x81\x01x\x88\x05\x0F\xA0"
           "bye\x81\x01y\xFF",
           "0 server: close 4000\n0 text 'x'\n0 close 4000 'bye'\n0 EEOF: \n");
}

static void a_message_that_a_close_cuts_short_is_none(void)
{
    BROKEN("\x81\x01x\x01\x04half\x88\x00",
           "0 server: close 1005\n0 text 'x'\n0 close 1005 ''\n0 EEOF: \n");
}

static void bad_compressed_data_is_refused(void)
{
    play_for((struct script){ .answer = compressing, BYTES("\xC1\x02\xFF\xFF") },
             (struct client){ .options.deflate = true },
             TOLD("1007", "EPROTO", "4", "invalid block type"));
    play_for((struct script){ .answer = compressing, BYTES("\xC1\x04\x4A\xFF\x00\x00") },
             (struct client){ .options.deflate = true },
             TOLD("1007", "EPROTO", "6", "text is UTF-8 (RFC 6455, 8.1)"));
}

/* No server writes a last block, but one may, and in frames of any kind. */
static void what_follows_the_last_block_is_padding(void)
{
    play_for((struct script){ .answer = compressing,
                              BYTES("\x41\x05\xCB\xCF\x4B\x05\x00\x00\x02\x00\x00\x80\x01\xFF"
                                    "\x41\x00\x80\x05\xCB\xCF\x4B\x05\x00\x88\x00") },
             (struct client){ .options.deflate = true },
             "0 server: close 1005\n0 text 'one'\n0 text 'one'\n0 close 1005 ''\n0 EEOF: \n");
}

/* ---- Too much, too little, too late */

/* The latest ping is the one that is answered when the server reads nothing. */
static void a_flood_of_pings_takes_no_memory(void)
{
    play_for((struct script){ BYTES("\x89\x04ping"), .times = 100000, .stops = true },
             (struct client){ .options = { .ping_us = SOS_SEC(1), .silence_us = SOS_SEC(3) } },
             "3000000 ETIMEDOUT: the server went silent\n");
}

/* Reading pauses, and nobody is thought dead meanwhile. */
static void a_flood_of_messages_waits_for_the_receiver(void)
{
    static const char end[] = "2000000000 text 'flood'\n2000000000 close 1005 ''\n"
                              "2000000000 EEOF: \n";
    static char bytes[7 * 20000 + 2];
    for (size_t at = 0; at < sizeof bytes - 2; at += 7)
        memcpy(bytes + at,
               "\x81\x05"
               "flood",
               7);
    memcpy(bytes + sizeof bytes - 2, "\x88\x00", 2);
    play_for((struct script){ .bytes = bytes, .size = sizeof bytes },
             (struct client){ .options = { .max_ahead_size = 10000 }, .waits = SOS_SEC(2000) },
             NULL);
    const char *trace = kept_trace;
    CHECK_INT(count_lines(trace), 20000 + 3);
    CHECK_TEXT(trace + strlen(trace) - (sizeof end - 1), end);
}

static void an_idle_connection_lives_as_long_as_pings_are_answered(void)
{
    play_for((struct script){ .answers = true, .silent_at = SOS_SEC(3600) }, (struct client){ 0 },
             "3620000000 ETIMEDOUT: the server went silent\n");
}

/* What is sent proves nothing. */
static void sending_does_not_keep_a_silent_connection_alive(void)
{
    play_for((struct script){ .answers = false }, (struct client){ .sends_every = SOS_MS(100) },
             "40000000 ETIMEDOUT: the server went silent\n");
    play_for((struct script){ .stops = true }, (struct client){ .sends_every = SOS_US(1) },
             "40000000 ETIMEDOUT: the server went silent\n");
}

static void nothing_need_be_sent(void)
{
    play_for((struct script){ .bytes = "" },
             (struct client){ .options = { .ping_us = SOS_SEC(1), .silence_us = SOS_SEC(1) } },
             "1000000 ETIMEDOUT: the server went silent\n");
}

/* The receiver hears of the close when it has been answered, and is not kept by what comes after. */
static void a_server_that_does_not_end_the_connection_holds_nobody(void)
{
    play((struct script){ BYTES("\x88\x02\x03\xE8"), .stays = true },
         "0 server: close 1000\n0 close 1000 ''\n0 EEOF: \n");
    play((struct script){ BYTES("\xFF"), .stays = true },
         TOLD("1002", "EPROTO", "0", "RSV2 and RSV3 are zero (RFC 6455, 5.2)"));
}

int main(void)
{
    a_wrong_handshake_is_refused();
    an_interim_answer_is_none();
    an_endless_header_is_refused();
    broken_frames_are_refused_with_1002();
    what_is_too_large_is_refused_with_1009();
    bad_utf8_is_refused_with_1007();
    bad_close_frames_are_refused();
    whole_messages_before_the_error_come_first();
    what_follows_a_close_is_nothing();
    a_message_that_a_close_cuts_short_is_none();
    bad_compressed_data_is_refused();
    what_follows_the_last_block_is_padding();
    a_flood_of_pings_takes_no_memory();
    a_flood_of_messages_waits_for_the_receiver();
    an_idle_connection_lives_as_long_as_pings_are_answered();
    sending_does_not_keep_a_silent_connection_alive();
    nothing_need_be_sent();
    a_server_that_does_not_end_the_connection_holds_nobody();
    return 0;
}
