/* SPDX-License-Identifier: MIT */
/* The WebSocket client against servers that nobody here wrote: the npm package `ws` and Python's
 * websockets: what is sent and received, on every
 * back end. */
#include "certificates.h"
#include "websocket_scene.h"

static struct server node, secure, python;

static async_fn(echoed)
{
    async_begin(scene);
    CONNECT();
    SEND("hello");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "hello");
    CHECKED(sos_websocket_send_binary(task, self->socket, "\0\xFF", 2), SOS_OK);
    RECEIVE();
    CHECK_INT(self->message.type, SOS_WEBSOCKET_BINARY);
    CHECK_INT(self->message.size, 2);
    CHECK(memcmp(self->message.bytes, "\0\xFF", 2) == 0);
    CHECK(self->message.first && self->message.last);
    SEND("");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "");
    DISCONNECT(1000);
    RECEIVE();
    CHECK_INT(self->message.type, SOS_WEBSOCKET_CLOSE);
    CHECK_INT(self->message.code, 1000);
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_EEOF);
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_EPIPE);
    CHECK_TEXT(sos_websocket_error(self->socket), "");
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- Messages in parts */

/* Whatever way the parts are cut, together they are `text`. */
static void add_part(struct scene *self)
{
    size_t length = strlen(self->text);
    CHECK(self->message.first == (length == 0));
    CHECK(length + self->message.size < sizeof self->text);
    memcpy(self->text + length, self->message.bytes, self->message.size);
    self->text[length + self->message.size] = '\0';
}

static async_fn(parts)
{
    async_begin(scene);
    CONNECT();
    SEND_PART("one, ", false);
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_EBUSY);
    CHECKED(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_BINARY, "x", 1, false),
            SOS_EINVAL);
    CHECKED(sos_websocket_ping(task, self->socket, "between", 7), SOS_OK);
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_PONG, "between");
    SEND_PART("tw\xC3", false); /* a character of two bytes over two parts */
    SEND_PART("\xB6, ", false);
    SEND_PART("", true);
    RECEIVE();
    if (self->message.type == SOS_WEBSOCKET_TEXT)
        expect(&self->message, SOS_WEBSOCKET_TEXT, "one, tw\xC3\xB6, ");
    SEND("!parts a bb  ccc");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "abbccc");
    SEND("!parts ab c def");
    do {
        CHECKED(sos_websocket_receive_part(task, self->socket, &self->message), SOS_OK);
        add_part(self);
    } while (!self->message.last);
    CHECK_TEXT(self->text, "abcdef");
    DISCONNECT(1000);
    async_finally;
    free_scene(self);
    async_end;
}

static async_fn(text_is_checked)
{
    async_begin(scene);
    CONNECT();
    CHECKED(sos_websocket_send_text(task, self->socket, "\xFF", 1), SOS_EINVAL);
    CHECKED(sos_websocket_send_text(task, self->socket, "\xC3", 1), SOS_EINVAL);
    SEND_PART("\xC3", false);
    CHECKED(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_TEXT, "x", 1, false),
            SOS_EINVAL);
    SEND_PART("\xB6", true); /* the part that was refused left the message as it was */
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "\xC3\xB6");
    CHECKED(sos_websocket_disconnect(task, self->socket, 1006, NULL), SOS_EINVAL);
    CHECKED(sos_websocket_disconnect(task, self->socket, 1000, "\xFF"), SOS_EINVAL);
    CHECKED(sos_websocket_ping(task, self->socket, self->text, 126), SOS_EINVAL);
    SEND("still there");
    RECEIVE();
    DISCONNECT(3000);
    RECEIVE();
    CHECK_INT(self->message.code, 3000);
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- The handshake */

static const struct sos_http_field headers[] = { { "X-Trace", "abc def" } };
static const struct sos_http_field own_header[] = { { "sec-webSocket-Key", "x" } };
static char error_text[160];

static bool says(const struct scene *self, const char *text)
{
    char got[2048];
    CHECK(self->message.size < sizeof got);
    memcpy(got, self->message.bytes, self->message.size);
    got[self->message.size] = '\0';
    return strstr(got, text) != NULL;
}

static async_fn(shaken)
{
    async_begin(scene);
    self->options.protocols = "other, chat";
    self->options.origin = "http://example.org";
    self->options.headers = headers;
    self->options.header_count = 1;
    self->options.path = "/a%20b?c=d";
    CONNECT();
    CHECK_TEXT(sos_websocket_protocol(self->socket), "chat");
    CHECK(!sos_websocket_deflates(self->socket));
    SEND("!target");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "/a%20b?c=d");
    SEND("!headers");
    RECEIVE();
    CHECK(says(self, "\"origin\":\"http://example.org\""));
    CHECK(says(self, "\"x-trace\":\"abc def\""));
    CHECK(!says(self, "authorization"));
    sos_websocket_close(self->socket);
    self->options = (struct sos_websocket_options){ .url = self->text };
    snprintf(self->text, sizeof self->text, "ws://us%%65r:p%%3Aw@127.0.0.1:%u?x", node.port);
    CONNECT();
    CHECK_TEXT(sos_websocket_protocol(self->socket), "");
    SEND("!headers");
    RECEIVE();
    CHECK(says(self, "\"authorization\":\"Basic dXNlcjpwOnc=\""));
    SEND("!target");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "/?x");
    async_finally;
    free_scene(self);
    async_end;
}

#define REFUSED(status, why)                                                                       \
    CHECKED(sos_websocket_connect(task, &self->options, &self->socket), (status));                 \
    CHECK(self->socket == NULL);                                                                   \
    CHECK(strstr(error_text, (why)) != NULL)

static async_fn(refusals)
{
    async_begin(scene);
    self->options.error_text = error_text;
    self->options.error_text_size = sizeof error_text;
    self->options.path = "/forbidden";
    REFUSED(SOS_ESERVER, "the server answered 403 Forbidden");
    self->options.path = "/a b";
    REFUSED(SOS_EINVAL, "");
    self->options.path = NULL;
    self->options.protocols = "a, a";
    REFUSED(SOS_EINVAL, "none twice");
    self->options.protocols = NULL;
    self->options.origin = "a\r\nb";
    REFUSED(SOS_EINVAL, "control characters");
    self->options.origin = NULL;
    self->options.url = "http://127.0.0.1/";
    REFUSED(SOS_EINVAL, "another scheme");
    self->options.url = "ws://127.0.0.1:x/";
    REFUSED(SOS_EINVAL, "port");
    self->options.url = NULL;
    self->options.headers = own_header;
    self->options.header_count = 1;
    REFUSED(SOS_EINVAL, "sends itself");
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- TLS */

static async_fn(encrypted)
{
    async_begin(scene);
    self->tls.ca.file = certificate("ca.pem");
    self->options = (struct sos_websocket_options){ .url = self->text, .tls = &self->tls };
    snprintf(self->text, sizeof self->text, "wss://me:pw@localhost:%u/", secure.port);
    CONNECT();
    CHECK_INT(reported[SOS_REPORT_CLEARTEXT], 0);
    SEND("secret");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_TEXT, "secret");
    fill(self, 200000, true);
    CHECKED(sos_websocket_send_binary(task, self->socket, self->bytes, self->size), SOS_OK);
    RECEIVE();
    expect_bytes(self);
    DISCONNECT(1000);
    sos_websocket_close(self->socket);
    self->options.tls = NULL; /* the system trusts nobody here */
    CHECKED(sos_websocket_connect(task, &self->options, &self->socket), SOS_ETLS);
    self->options = (struct sos_websocket_options){ .host = "localhost",
                                                    .port = secure.port,
                                                    .tls = &self->tls };
    CONNECT();
    SEND("again");
    RECEIVE();
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- Large ones */

enum { LARGE = 1500000, LESS = 300000 /* under valgrind */ };

static async_fn(large)
{
    async_begin(scene);
    self->options.max_frame_size = LARGE;
    CONNECT();
    fill(self, (size_t)unix_times(LARGE, LESS), true);
    CHECKED(sos_websocket_send_binary(task, self->socket, self->bytes, self->size), SOS_OK);
    RECEIVE();
    expect_bytes(self);
    CHECKED(sos_websocket_send_binary(task, self->socket, self->bytes, self->size), SOS_OK);
    self->index = 0;
    do {
        CHECKED(sos_websocket_receive_part(task, self->socket, &self->message), SOS_OK);
        CHECK(memcmp(self->message.bytes, self->bytes + self->index, self->message.size) == 0);
        self->index += self->message.size;
    } while (!self->message.last);
    CHECK_INT(self->index, self->size);
    DISCONNECT(1001);
    async_finally;
    free_scene(self);
    async_end;
}

static async_fn(too_large)
{
    async_begin(scene);
    CONNECT();
    SEND("!zeros 1048577");
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_ELIMIT);
    CHECK(strstr(sos_websocket_error(self->socket), "max_frame_size") != NULL);
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_ELIMIT);
    sos_websocket_close(self->socket);
    self->options.max_message_size = 1000;
    CONNECT();
    SEND("!zeros 1001");
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_ELIMIT);
    CHECK(strstr(sos_websocket_error(self->socket), "max_message_size") != NULL);
    CHECKED(sos_websocket_disconnect(task, self->socket, 1000, NULL), SOS_ELIMIT);
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- permessage-deflate */

static bool no_context;

static async_fn(deflated)
{
    async_begin(scene);
    self->options.deflate = true;
    self->options.deflate_no_context = no_context;
    CONNECT();
    CHECK(sos_websocket_deflates(self->socket));
    fill(self, 200000, false);
    for (self->index = 0; self->index < 3; self->index++) {
        CHECKED(sos_websocket_send_text(task, self->socket, self->bytes, self->size), SOS_OK);
        RECEIVE();
        CHECK_INT(self->message.type, SOS_WEBSOCKET_TEXT);
        expect_bytes(self);
        SEND("short");
        RECEIVE();
        expect(&self->message, SOS_WEBSOCKET_TEXT, "short");
        SEND_PART("in ", false);
        SEND_PART("parts", false);
        SEND_PART("", self->index % 2 == 0);
        if (self->index % 2 != 0)
            SEND_PART("!", true);
        RECEIVE();
        expect(&self->message, SOS_WEBSOCKET_TEXT, self->index % 2 != 0 ? "in parts!" : "in parts");
        SEND("!parts a bb ccc");
        RECEIVE();
        expect(&self->message, SOS_WEBSOCKET_TEXT, "abbccc");
    }
    DISCONNECT(1000);
    async_finally;
    free_scene(self);
    async_end;
}

static async_fn(bomb)
{
    async_begin(scene);
    self->options.deflate = true;
    CONNECT();
    SEND("!zeros 10000000");
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_ELIMIT);
    CHECK(strstr(sos_websocket_error(self->socket), "larger than the limit") != NULL);
    CHECK(sos_memory(sos_of(task)).reserved < 20000000);
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- Control frames */

static async_fn(pings)
{
    async_begin(scene);
    CONNECT();
    CHECKED(sos_websocket_ping(task, self->socket, "are you there", 13), SOS_OK);
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_PONG, "are you there");
    SEND("!ping hello");
    RECEIVE(); /* the server tells what came back */
    expect(&self->message, SOS_WEBSOCKET_TEXT, "pong hello");
    SEND("!close 4001 so_be_it");
    RECEIVE();
    expect(&self->message, SOS_WEBSOCKET_CLOSE, "so_be_it");
    CHECK_INT(self->message.code, 4001);
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_EEOF);
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_EPIPE);
    CHECKED(sos_websocket_disconnect(task, self->socket, 1000, NULL), SOS_OK);
    CHECK_TEXT(sos_websocket_error(self->socket), "");
    async_finally;
    free_scene(self);
    async_end;
}

static void messages_come_back_from_both_servers(void)
{
    run_scene(echoed, node.port, NULL);
    run_scene(echoed, python.port, NULL);
}

static void messages_go_and_come_in_parts(void)
{
    run_scene(parts, node.port, NULL);
}

static void what_is_no_utf8_is_not_sent(void)
{
    run_scene(text_is_checked, node.port, NULL);
}

static void the_handshake_says_what_it_is_told(void)
{
    run_scene(shaken, node.port, NULL);
    CHECK_INT(reported[SOS_REPORT_CLEARTEXT], 1); /* of two connections one had a password */
}

static void refused_connections_say_why(void)
{
    run_scene(refusals, node.port, NULL);
}

static void messages_are_encrypted(void)
{
    run_scene(encrypted, 0, NULL);
}

static void large_messages_come_whole_and_in_parts(void)
{
    run_scene(large, node.port, NULL);
    run_scene(large, python.port, NULL);
}

static void what_is_too_large_ends_the_connection(void)
{
    run_scene(too_large, node.port, NULL);
    run_scene(bomb, node.port, NULL);
}

static void messages_are_compressed_both_ways(void)
{
    no_context = false;
    run_scene(deflated, node.port, NULL);
    no_context = true;
    run_scene(deflated, node.port, NULL);
}

static void pings_and_closes_are_answered(void)
{
    run_scene(pings, node.port, NULL);
}

int main(void)
{
    void (*const tests[])(void) = {
        messages_come_back_from_both_servers,
        messages_go_and_come_in_parts,
        what_is_no_utf8_is_not_sent,
        the_handshake_says_what_it_is_told,
        refused_connections_say_why,
        messages_are_encrypted,
        large_messages_come_whole_and_in_parts,
        what_is_too_large_ends_the_connection,
        messages_are_compressed_both_ways,
        pings_and_closes_are_answered,
    };
    CHECK(certificates_make());
    start_node(&node, NULL, NULL);
    start_node(&secure, certificate("good.pem"), certificate("good.key"));
    server_prepare(&python);
    CHECK(server_start(&python,
                       (const char *const[]){ "/usr/bin/python3",
                                              SOS_SOURCE_DIR "/tests/data/websocket_server.py",
                                              "{port}", NULL }));
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&node);
    server_stop(&secure);
    server_stop(&python);
    return 0;
}
