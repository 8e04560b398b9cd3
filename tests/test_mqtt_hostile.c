/* SPDX-License-Identifier: MIT */
/*
 * Servers that break the rules: each is refused by name, told why if the version has words for it,
 * and costs no memory. On the simulation kernel, against a server that says what it is told to.
 */
#include "proto/mqtt.h"
#include "smallos/mqtt.h"
#include "smallos/stream.h"
#include "world.h"

#define HOST "10.0.0.1"

/* What a server says: first when it has read CONNECT, then when it has read more. */
struct script {
    const char *name;
    const char *first, *second;
    size_t first_size, second_size;
    int version, status; /* in which the client ends; 0: it does not mind */
    int reason;          /* of the DISCONNECT that the server gets; 0: none */
    const char *text;    /* what the client says about it holds this */
};

#define SAYS(first, second) first, second, sizeof first - 1, sizeof second - 1
#define CONNACK_5 "\x20\x03\x00\x00\x00"
#define CONNACK_3 "\x20\x02\x00\x00"

static const struct script *script;
static uint8_t heard[1024];
static size_t heard_size, most_memory;

/* ---- The server */

struct server {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
};

static int listen_there(sos *os, sos_listener **listener)
{
    return sos_listener_open(os, &(struct sos_listen){ .host = HOST, .port = 1883 }, listener);
}

static void hear(sos_stream *stream)
{
    size_t size;
    const unsigned char *bytes = sos_stream_data(stream, &size);
    CHECK(heard_size + size <= sizeof heard);
    if (size != 0)
        memcpy(heard + heard_size, bytes, size);
    heard_size += size;
    sos_stream_take(stream, size);
}

static async_fn(server)
{
    async_begin(server);
    CHECK_INT(listen_there(sos_of(task), &self->listener), SOS_OK);
    try_await(sos_accept(task, self->listener, &self->stream));
    try_await(sos_stream_more(task, self->stream));
    hear(self->stream);
    heard_size = 0;
    try_await(sos_stream_write(task, self->stream, script->first, script->first_size));
    await(sos_stream_more(task, self->stream));
    if (sos_status(task) > 0 && script->second_size != 0) {
        hear(self->stream);
        heard_size = 0;
        try_await(sos_stream_write(task, self->stream, script->second, script->second_size));
    }
    for (;;) {
        hear(self->stream);
        await(sos_stream_more(task, self->stream));
        if (sos_status(task) < 0)
            break;
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

/* ---- The client: subscribes to two filters (identifier 1), publishes at QoS 1 and 2 (2 and 3) */

struct client {
    sos_frame frame;
    sos_mqtt *mqtt;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_options options;
    struct sos_mqtt_answer answer;
    struct sos_mqtt_state state;
    struct sos_mqtt_message message, first;
    int status;
};

static void begin_all(struct client *self)
{
    const struct sos_mqtt_filter filters[2] = { { .filter = "a" }, { .filter = "b", .qos = 1 } };
    if (self->status != SOS_OK)
        return;
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK);
    CHECK_INT(sos_mqtt_want(self->inbox, filters, 2), SOS_OK);
    CHECK_INT(sos_mqtt_post(self->mqtt, &(struct sos_mqtt_message){ .topic = "c", .qos = 1 }),
              SOS_OK);
    CHECK_INT(sos_mqtt_post(self->mqtt, &(struct sos_mqtt_message){ .topic = "d", .qos = 2 }),
              SOS_OK);
}

static void expect_text(struct client *self)
{
    const char *text = self->answer.text;
    if (self->mqtt != NULL) {
        sos_mqtt_inspect(self->mqtt, &self->state);
        text = self->state.error;
    }
    if (strstr(text, script->text) == NULL)
        fprintf(stderr, "%s: \"%s\"\n", script->name, text);
    CHECK(strstr(text, script->text) != NULL);
}

/* All messages are kept, so that none is acknowledged. */
static async_fn(client)
{
    async_begin(client);
    await(sos_mqtt_connect(task, &self->options, &self->mqtt, &self->answer));
    self->status = sos_status(task);
    begin_all(self);
    while (self->status == SOS_OK) {
        await(sos_within(task, SOS_SEC(3), sos_mqtt_receive(task, self->inbox, &self->message)));
        self->status = sos_status(task);
        if (self->first.topic == NULL) {
            self->first = self->message;
            self->message = (struct sos_mqtt_message){ 0 };
        }
        if (sos_memory(sos_of(task)).used > most_memory)
            most_memory = sos_memory(sos_of(task)).used;
    }
    if (self->status != (script->status != 0 ? script->status : SOS_ETIMEDOUT))
        fprintf(stderr, "%s: %s\n", script->name, sos_error_name(self->status));
    CHECK_INT(self->status, script->status != 0 ? script->status : SOS_ETIMEDOUT);
    expect_text(self);
    async_finally;
    sos_mqtt_message_free(&self->message);
    sos_mqtt_message_free(&self->first);
    sos_mqtt_inbox_close(self->inbox);
    sos_mqtt_close(self->mqtt);
    async_end;
}

/* The reason of the DISCONNECT that is the last packet the server has read; 0: there is none. */
static int reason_heard(void)
{
    struct sos_mqtt_rules_ rules = { (uint8_t)script->version, SOS_MQTT_CLIENT_, 0 };
    struct sos_mqtt_packet_ packet = { .type = 0 };
    struct sos_mqtt_error_ error;
    size_t at = 0;
    int size = 0;
    while ((size = sos_mqtt_read_(&rules, heard + at, heard_size - at, &packet, &error)) > 0)
        at += (size_t)size;
    return packet.type == SOS_MQTT_DISCONNECT_ ? packet.notice.reason : 0;
}

static void play(const struct script *played)
{
    const struct sos_mqtt_options options = {
        .host = HOST,
        .version = played->version == 4 ? 3 : 5,
        .once = true,
        .max_packet_size = 100,
        .receive_maximum = 2,
        .topic_aliases = 2,
        .keep_alive_s = 10,
    };
    script = played;
    heard_size = 0;
    world_open(NULL);
    CHECK(sos_fork(world.os, server, sos_opt(.priority = 3, .watcher = true)).pid >= 0);
    CHECK(sos_fork(world.os, client, sos_opt(.priority = 4), .options = options).pid >= 0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    if (reason_heard() != played->reason)
        fprintf(stderr, "%s: DISCONNECT %d\n", played->name, reason_heard());
    CHECK_INT(reason_heard(), played->reason);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    sos_sim_trace_clear(world.kernel);
    world_close();
}

static const struct script scripts[] = {
    { "silence is none of its business", SAYS(CONNACK_5, ""), 5, 0, 0, "" },
    { "PUBACK for nothing", SAYS(CONNACK_5, "\x40\x02\x12\x34"), 5, SOS_EPROTO, 0x82,
      "PUBACK acknowledges nothing" },
    { "PUBACK for nothing, 3.1.1", SAYS(CONNACK_3, "\x40\x02\x12\x34"), 4, SOS_EPROTO, 0,
      "PUBACK acknowledges nothing" },
    { "PUBREC for nothing", SAYS(CONNACK_5, "\x50\x02\x12\x34"), 5, SOS_EPROTO, 0x82, "PUBREC" },
    { "PUBCOMP for nothing", SAYS(CONNACK_5, "\x70\x02\x12\x34"), 5, SOS_EPROTO, 0x82, "PUBCOMP" },
    { "PUBREC at QoS 1", SAYS(CONNACK_5, "\x50\x02\x00\x02"), 5, SOS_EPROTO, 0x82, "PUBREC" },
    { "PUBACK at QoS 2", SAYS(CONNACK_5, "\x40\x02\x00\x03"), 5, SOS_EPROTO, 0x82, "PUBACK" },
    { "PUBCOMP before PUBREC", SAYS(CONNACK_5, "\x70\x02\x00\x03"), 5, SOS_EPROTO, 0x82,
      "PUBCOMP" },
    { "the same PUBACK twice", SAYS(CONNACK_5, "\x40\x02\x00\x02\x40\x02\x00\x02"), 5, SOS_EPROTO,
      0x82, "PUBACK acknowledges nothing" },
    { "SUBACK with too few codes", SAYS(CONNACK_5, "\x90\x04\x00\x01\x00\x01"), 5, SOS_EPROTO, 0x82,
      "not each filter" },
    { "SUBACK with too many codes", SAYS(CONNACK_3, "\x90\x05\x00\x01\x00\x01\x00"), 4, SOS_EPROTO,
      0, "not each filter" },
    { "SUBACK for nothing", SAYS(CONNACK_5, "\x90\x04\x00\x09\x00\x01"), 5, SOS_EPROTO, 0x82,
      "answers nothing" },
    { "UNSUBACK for SUBSCRIBE", SAYS(CONNACK_5, "\xB0\x05\x00\x01\x00\x00\x00"), 5, SOS_EPROTO,
      0x82, "UNSUBACK answers nothing" },
    { "SUBACK that refuses one", SAYS(CONNACK_5, "\x90\x05\x00\x01\x00\x87\x01"), 5, 0, 0, "" },
    { "an endless length", SAYS(CONNACK_5, "\x30\xFF\xFF\xFF\xFF"), 5, SOS_EPROTO, 0x81, "" },
    { "a packet larger than agreed", SAYS(CONNACK_5, "\x30\xC8\x01"), 5, SOS_ELIMIT, 0x95, "" },
    { "a packet larger than agreed, 3.1.1", SAYS(CONNACK_3, "\x30\xFF\xFF\xFF\x7F"), 4, SOS_ELIMIT,
      0, "" },
    { "an answer to no ping", SAYS(CONNACK_5, "\xD0\x00"), 5, SOS_EPROTO, 0x82, "PINGRESP" },
    { "CONNACK again", SAYS(CONNACK_5, CONNACK_5), 5, SOS_EPROTO, 0x82,
      "CONNACK was not asked for" },
    { "AUTH that nobody has asked for", SAYS(CONNACK_5, "\xF0\x02\x18\x00"), 5, SOS_EPROTO, 0x82,
      "" },
    { "a packet of clients", SAYS(CONNACK_5, "\xC0\x00"), 5, SOS_EPROTO, 0x82, "" },
    { "a topic that is no UTF-8", SAYS(CONNACK_5, "\x30\x04\x00\x01\xFF\x00"), 5, SOS_EPROTO, 0x81,
      "" },
    { "a topic with a wildcard", SAYS(CONNACK_5, "\x30\x04\x00\x01#\x00"), 5, SOS_EPROTO, 0x81,
      "" },
    { "an alias above the maximum", SAYS(CONNACK_5, "\x30\x07\x00\x01t\x03\x23\x00\x03"), 5,
      SOS_EPROTO, 0x94, "" },
    { "an alias without a topic", SAYS(CONNACK_5, "\x30\x06\x00\x00\x03\x23\x00\x01"), 5,
      SOS_EPROTO, 0x82, "" },
    { "more than the receive maximum",
      SAYS(CONNACK_5, "\x32\x06\x00\x01"
                      "b\x00\x01\x00"
                      "\x32\x06\x00\x01"
                      "b\x00\x02\x00"
                      "\x32\x06\x00\x01"
                      "b\x00\x03\x00"),
      5, SOS_EPROTO, 0x93, "receive maximum" },
    { "PUBREL for nothing is answered", SAYS(CONNACK_5, "\x62\x02\x00\x07"), 5, 0, 0, "" },
    { "the server ends it", SAYS(CONNACK_5, "\xE0\x01\x8B"), 5, SOS_ESERVER, 0,
      "server shutting down" },
    { "the server says why", SAYS(CONNACK_5, "\xE0\x07\x98\x05\x1F\x00\x02no"), 5, SOS_ESERVER, 0,
      "administrative action: no" },
    { "the server refuses", SAYS("\x20\x03\x00\x8A\x00", ""), 5, SOS_ESERVER, 0, "banned" },
    { "the server refuses and says why", SAYS("\x20\x08\x00\x87\x05\x1F\x00\x02no", ""), 5,
      SOS_ESERVER, 0, "not authorized: no" },
    { "the server refuses, 3.1.1", SAYS("\x20\x02\x00\x04", ""), 4, SOS_ESERVER, 0,
      "bad user name or password" },
    { "a session after a clean start", SAYS("\x20\x03\x01\x00\x00", ""), 5, SOS_EPROTO, 0,
      "clean start" },
    { "another packet first", SAYS("\xD0\x00", ""), 5, SOS_EPROTO, 0, "not the first" },
    { "a server of version 3 to a client of 5", SAYS(CONNACK_3, ""), 5, SOS_EPROTO, 0, "" },
    { "another protocol", SAYS("HTTP/1.1 400 Bad Request\r\n\r\n", ""), 5, SOS_EPROTO, 0, "" },
};

static void servers_that_break_the_rules_are_refused_by_name(void)
{
    for (size_t index = 0; index < sizeof scripts / sizeof scripts[0]; index++)
        play(&scripts[index]);
    CHECK(most_memory < 100000);
}

int main(void)
{
    servers_that_break_the_rules_are_refused_by_name();
    return 0;
}
