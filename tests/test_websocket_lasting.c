/* SPDX-License-Identifier: MIT */
/* How a WebSocket connection lasts and ends: against the npm package `ws`, shared by many tasks, with
 * servers that go silent, and through every fault, on every back end. */
#include "websocket_scene.h"

static struct server node;
static struct fault_proxy proxy;

/* ---- Servers that go away or silent */

static async_fn(lost)
{
    async_begin(scene);
    CONNECT();
    SEND("!terminate");
    await(sos_websocket_receive(task, self->socket, &self->message));
    CHECK(sos_status(task) == SOS_EEOF || sos_status(task) == SOS_ECONNRESET);
    CHECK(sos_websocket_error(self->socket)[0] != '\0');
    async_finally;
    free_scene(self);
    async_end;
}

/* With a server that has stopped reading, and so does not answer pings any more. */
static async_fn(silence)
{
    async_begin(scene);
    self->options.ping_us = SOS_MS(10);
    self->options.silence_us = SOS_MS(100);
    CONNECT();
    SEND("!deaf");
    do
        await(sos_websocket_receive(task, self->socket, &self->message));
    while (sos_status(task) == SOS_OK);
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    CHECK_TEXT(sos_websocket_error(self->socket), "the server went silent");
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_ETIMEDOUT);
    async_finally;
    free_scene(self);
    async_end;
}

static async_fn(deaf)
{
    async_begin(scene);
    self->options.close_us = SOS_MS(50);
    CONNECT();
    SEND("!deaf");
    RECEIVE();
    CHECKED(sos_websocket_disconnect(task, self->socket, 1000, NULL), SOS_ETIMEDOUT);
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_EPIPE);
    sos_websocket_close(self->socket);
    CONNECT();
    SEND("!deaf");
    RECEIVE();
    fill(self, 20000000, false);
    CHECKED(sos_within(task, SOS_MS(50),
                       sos_websocket_send_binary(task, self->socket, self->bytes, self->size)),
            SOS_ETIMEDOUT);
    CHECK_TEXT(sos_websocket_error(self->socket), "a frame was cut short while it was sent");
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_ECANCELED);
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_ECANCELED);
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- Several tasks on one connection */

enum { SENDERS = 20, ROUNDS = 20, BLOCK = 60000, BLOCKS = 60 };

struct sender {
    sos_frame frame;
    sos_websocket *socket;
    int number, round;
    char text[32];
};

static const char *numbered(struct sender *self)
{
    snprintf(self->text, sizeof self->text, "%d.%d", self->number, self->round);
    return self->text;
}

/* By turns whole and in parts. */
static async_fn(sender)
{
    async_begin(sender);
    for (; self->round < ROUNDS; self->round++) {
        numbered(self);
        if ((self->round + self->number) % 2 == 0) {
            try_await(sos_websocket_send_text(task, self->socket, self->text, strlen(self->text)));
            continue;
        }
        try_await(
            sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_TEXT, self->text, 2, false));
        await(sos_yield(task));
        try_await(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_TEXT, self->text + 2,
                                          strlen(self->text) - 2, true));
    }
    async_end;
}

static bool seen[SENDERS][ROUNDS];

static void note_echo(const struct sos_websocket_message *message)
{
    int number, round;
    char text[32];
    CHECK_INT(message->type, SOS_WEBSOCKET_TEXT);
    CHECK(message->size < sizeof text);
    memcpy(text, message->bytes, message->size);
    text[message->size] = '\0';
    CHECK_INT(sscanf(text, "%d.%d", &number, &round), 2);
    CHECK(!seen[number][round]);
    CHECK(round == 0 || seen[number][round - 1]);
    seen[number][round] = true;
}

static async_fn(shared)
{
    async_begin(scene);
    memset(seen, 0, sizeof seen);
    CONNECT();
    sos_scope_open(task, &self->scope);
    for (; self->index < SENDERS; self->index++)
        async_spawn(sender, sos_opt(), .socket = self->socket, .number = (int)self->index);
    for (self->index = 0; self->index < SENDERS * ROUNDS; self->index++) {
        RECEIVE();
        note_echo(&self->message);
    }
    DISCONNECT(1000);
    async_finally;
    free_scene(self);
    async_end;
}

/* All is sent before anything is received: what comes back is read meanwhile. */
static async_fn(nobody_receives)
{
    async_begin(scene);
    CONNECT();
    fill(self, BLOCK, true);
    self->blocks = (size_t)unix_times(BLOCKS, 10);
    for (; self->index < self->blocks; self->index++)
        CHECKED(sos_websocket_send_binary(task, self->socket, self->bytes, self->size), SOS_OK);
    for (self->index = 0; self->index < self->blocks; self->index++) {
        RECEIVE();
        expect_bytes(self);
    }
    DISCONNECT(1000);
    async_finally;
    free_scene(self);
    async_end;
}

struct left_open {
    sos_frame frame;
    sos_websocket *socket;
};

static async_fn(left_open)
{
    async_begin(left_open);
    try_await(sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_TEXT, "begun", 5, false));
    async_end;
}

static async_fn(unfinished)
{
    async_begin(scene);
    CONNECT();
    self->other = async_spawn(left_open, sos_opt(), .socket = self->socket);
    CHECKED(sos_join(task, self->other), SOS_OK);
    CHECKED(sos_websocket_send_text(task, self->socket, "x", 1), SOS_ECANCELED);
    CHECK_TEXT(sos_websocket_error(self->socket), "a message in parts was left without its end");
    CHECKED(sos_websocket_receive(task, self->socket, &self->message), SOS_ECANCELED);
    async_finally;
    free_scene(self);
    async_end;
}

/* ---- Faults: a clear error or an echo within its deadline */

static int fault_status;
static int64_t patience;

static async_fn(faulty)
{
    async_begin(scene);
    await(sos_within(task, patience, sos_websocket_connect(task, &self->options, &self->socket)));
    if (sos_status(task) == SOS_OK)
        await(sos_websocket_send_text(task, self->socket, "hello", 5));
    if (sos_status(task) == SOS_OK)
        await(
            sos_within(task, patience, sos_websocket_receive(task, self->socket, &self->message)));
    fault_status = sos_status(task);
    if (fault_status == SOS_OK)
        expect(&self->message, SOS_WEBSOCKET_TEXT, "hello");
    async_finally;
    free_scene(self);
    async_end;
}

static void expect_fault(struct fault fault, int status)
{
    proxy = (struct fault_proxy){ .fault = fault };
    fault_status = 1;
    patience = status == SOS_ETIMEDOUT ? SOS_MS(100) : SOS_SEC(20);
    run_scene(faulty, node.port, &proxy);
    if (status == SOS_ECONNRESET) /* or the end of the stream, as the close and what is sent race */
        CHECK(fault_status == SOS_ECONNRESET || fault_status == SOS_EEOF);
    else
        CHECK_INT(fault_status, status);
}

/* Once in the answer to the handshake, which has some 130 bytes, once in the frame after it. */
static void every_fault_ends_in_time(void)
{
    expect_fault((struct fault){ .kind = FAULT_NONE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(20) }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DRIBBLE }, SOS_OK);
    for (size_t after = 50; after <= 132; after += 82) {
        expect_fault((struct fault){ .kind = FAULT_CUT, .after = after }, SOS_EEOF);
        expect_fault((struct fault){ .kind = FAULT_RESET, .after = after }, SOS_ECONNRESET);
        expect_fault((struct fault){ .kind = FAULT_HALF_CLOSE, .after = after }, SOS_EEOF);
        expect_fault((struct fault){ .kind = FAULT_STALL, .after = after }, SOS_ETIMEDOUT);
    }
    expect_fault((struct fault){ .kind = FAULT_BLACK_HOLE }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_REFUSE }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .bytes = "what?\r\n", .size = 7 },
                 SOS_EPROTO);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .after = 129, .bytes = "\xFF", .size = 1 },
                 SOS_EPROTO);
}

static async_fn(hanging)
{
    async_begin(scene);
    CHECKED(
        sos_within(task, SOS_MS(100), sos_websocket_connect(task, &self->options, &self->socket)),
        SOS_ETIMEDOUT);
    CHECK(self->socket == NULL);
    async_end;
}

static void a_dropped_syn_is_left_by_the_deadline(void)
{
    int fds[3];
    run_scene(hanging, fault_full_listener(fds), NULL);
    fault_full_close(fds);
}

static void a_lost_connection_is_told(void)
{
    run_scene(lost, node.port, NULL);
}

static void a_silent_server_is_noticed(void)
{
    run_scene(silence, node.port, NULL);
    run_scene(deaf, node.port, NULL);
}

static void many_tasks_send(void)
{
    run_scene(shared, node.port, NULL);
    run_scene(unfinished, node.port, NULL);
    CHECK_INT(reported[SOS_REPORT_HELD_MUTEX], 1);
}

static void reading_does_not_wait_for_sending(void)
{
    run_scene(nobody_receives, node.port, NULL);
}

int main(void)
{
    void (*const tests[])(void) = {
        a_lost_connection_is_told,
        a_silent_server_is_noticed,
        many_tasks_send,
        reading_does_not_wait_for_sending,
        a_dropped_syn_is_left_by_the_deadline,
        every_fault_ends_in_time,
    };
    start_node(&node, NULL, NULL);
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&node);
    return 0;
}
