/* SPDX-License-Identifier: MIT */
/* The MQTT client against mosquitto, in both versions, directly and through every fault. */
#include "smallos/mqtt.h"

#include "certificates.h"
#include "fault_proxy.h"
#include "server.h"
#include "smallos/tls.h"
#include "unix_world.h"

static struct server server, strict_server, secure_server;
static struct fault_proxy proxy;
static uint8_t version; /* 3 or 5: tests run with each */
static const char large_payload[4000];

/* ---- What the tests run */

struct scene {
    sos_frame frame;
    struct sos_mqtt_options options;
    sos_mqtt *mqtt, *other;
    sos_mqtt_inbox *inbox, *second;
    struct sos_mqtt_message message, will;
    struct sos_mqtt_filter filters[3];
    struct sos_mqtt_answer answer;
    struct sos_mqtt_state state;
    struct sos_scope scope;
    int index, status;
    char text[32];
};

static void close_scene(struct scene *self)
{
    sos_mqtt_message_free(&self->message);
    sos_mqtt_inbox_close(self->inbox);
    sos_mqtt_inbox_close(self->second);
    sos_mqtt_close(self->mqtt);
    sos_mqtt_close(self->other);
}

static void run_scene(sos_async_function function, uint16_t port)
{
    unix_open(&here, NULL);
    if (port == 0) {
        fault_proxy_start(here.os, &proxy, server.port, 3);
        port = proxy.port;
    }
    struct scene first = { .options = { .port = port, .version = version } };
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

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define CONNECT() CHECKED(sos_mqtt_connect(task, &self->options, &self->mqtt, NULL), SOS_OK)
#define OPEN_INBOX() CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK)

static struct sos_mqtt_message message_of(const char *topic, const char *text, int qos)
{
    return (struct sos_mqtt_message){
        .topic = topic, .payload = text, .size = strlen(text), .qos = (uint8_t)qos
    };
}

static sos_op publish(sos_task *task, sos_mqtt *mqtt, const char *topic, const char *text, int qos)
{
    struct sos_mqtt_message message = message_of(topic, text, qos);
    return sos_mqtt_publish(task, mqtt, &message, NULL);
}

static sos_op subscribe(sos_task *task, struct scene *self, sos_mqtt_inbox *inbox,
                        const char *filter, int qos)
{
    self->filters[0] = (struct sos_mqtt_filter){ .filter = filter, .qos = (uint8_t)qos };
    return sos_mqtt_subscribe(task, inbox, self->filters, 1);
}

static void expect_message(const struct sos_mqtt_message *message, const char *topic,
                           const char *text, int qos)
{
    CHECK(message->topic != NULL);
    CHECK_TEXT(message->topic, topic);
    CHECK_TEXT(message->payload, text);
    CHECK_INT(message->size, strlen(text));
    CHECK_INT(message->qos, qos);
}

/* ---- Publishing and receiving */

static async_fn(every_qos)
{
    async_begin(scene);
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "every/+", 2), SOS_OK);
    CHECK_INT(self->filters[0].reason, 2);
    for (; self->index < 9; self->index++) {
        snprintf(self->text, sizeof self->text, "message %d", self->index);
        CHECKED(publish(task, self->mqtt, "every/one", self->text, self->index % 3), SOS_OK);
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
        expect_message(&self->message, "every/one", self->text, self->index % 3);
        CHECK(!self->message.retain && !self->message.duplicate);
    }
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_OK);
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.messages, 0);
    CHECK_INT(self->state.bytes, 0);
    CHECK_INT(self->state.in_flight, 0);
    CHECKED(sos_mqtt_disconnect(task, &self->mqtt), SOS_OK);
    CHECK(self->mqtt == NULL);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_ECANCELED);
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Filters and inboxes */

static async_fn(filters)
{
    async_begin(scene);
    CONNECT();
    OPEN_INBOX();
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->second), SOS_OK);
    self->filters[0] = (struct sos_mqtt_filter){ .filter = "house/+/light", .qos = 2 };
    self->filters[1] = (struct sos_mqtt_filter){ .filter = "garden/#", .qos = 1 };
    self->filters[2] = (struct sos_mqtt_filter){ .filter = "door", .qos = 0 };
    CHECKED(sos_mqtt_subscribe(task, self->inbox, self->filters, 3), SOS_OK);
    CHECK_INT(self->filters[0].reason, 2);
    CHECK_INT(self->filters[1].reason, 1);
    CHECK_INT(self->filters[2].reason, 0);
    CHECKED(subscribe(task, self, self->second, "house/#", 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "house/hall/light", "on", 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "house/hall/heat", "20", 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "garden/pump", "off", 2), SOS_OK);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    CHECK_TEXT(self->message.topic, "house/hall/light");
    CHECKED(sos_mqtt_receive(task, self->second, &self->message), SOS_OK);
    CHECK_TEXT(self->message.topic, "house/hall/light");
    do {
        CHECKED(sos_mqtt_receive(task, self->second, &self->message), SOS_OK);
    } while (strcmp(self->message.topic, "house/hall/light") == 0); /* once more for each filter */
    CHECK_TEXT(self->message.topic, "house/hall/heat");
    do {
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    } while (strcmp(self->message.topic, "house/hall/light") == 0);
    expect_message(&self->message, "garden/pump", "off", 1);
    async_finally;
    close_scene(self);
    async_end;
}

static async_fn(unsubscribing)
{
    async_begin(scene);
    CONNECT();
    OPEN_INBOX();
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->second), SOS_OK);
    CHECKED(subscribe(task, self, self->inbox, "left", 1), SOS_OK);
    CHECKED(subscribe(task, self, self->inbox, "kept", 1), SOS_OK);
    CHECKED(subscribe(task, self, self->second, "left", 1), SOS_OK);
    CHECKED(sos_mqtt_unsubscribe(task, self->inbox, (const char *const[]){ "left" }, 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "left", "1", 1), SOS_OK);
    CHECKED(sos_mqtt_receive(task, self->second, &self->message), SOS_OK);
    CHECKED(sos_mqtt_unsubscribe(task, self->second, (const char *const[]){ "left" }, 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "left", "2", 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "kept", "3", 1), SOS_OK);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    expect_message(&self->message, "kept", "3", 1);
    CHECK_INT(sos_mqtt_try_receive(self->second, &self->message), SOS_EAGAIN);
    CHECKED(sos_mqtt_unsubscribe(task, self->inbox, (const char *const[]){ "never" }, 1), SOS_OK);
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.undelivered, 0);
    async_finally;
    close_scene(self);
    async_end;
}

static async_fn(dropping)
{
    async_begin(scene);
    CONNECT();
    CHECK_INT(sos_mqtt_inbox_open(
                  self->mqtt, &(struct sos_mqtt_inbox_options){ .max_messages = 3, .drop = true },
                  &self->inbox),
              SOS_OK);
    CHECKED(subscribe(task, self, self->inbox, "many", 1), SOS_OK);
    for (; self->index < 10; self->index++) {
        snprintf(self->text, sizeof self->text, "%d", self->index);
        CHECKED(publish(task, self->mqtt, "many", self->text, 1), SOS_OK);
    }
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_OK);
    while (sos_mqtt_inbox_dropped(self->inbox) < 7) {
        CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_OK);
    }
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    CHECK_TEXT(self->message.payload, "0");
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    CHECK_TEXT(self->message.payload, "2");
    CHECK_INT(sos_mqtt_try_receive(self->inbox, &self->message), SOS_EAGAIN);
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Kept messages, and the will */

static async_fn(retained)
{
    async_begin(scene);
    CONNECT();
    OPEN_INBOX();
    self->message = message_of("kept/this", "for later", 1);
    self->message.retain = true;
    CHECKED(sos_mqtt_publish(task, self->mqtt, &self->message, NULL), SOS_OK);
    self->message = (struct sos_mqtt_message){ 0 };
    CHECKED(subscribe(task, self, self->inbox, "kept/+", 1), SOS_OK);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    expect_message(&self->message, "kept/this", "for later", 1);
    CHECK(self->message.retain);
    sos_mqtt_message_free(&self->message);
    self->message = message_of("kept/this", "", 1);
    self->message.retain = true; /* takes it away */
    CHECKED(sos_mqtt_publish(task, self->mqtt, &self->message, NULL), SOS_OK);
    self->message = (struct sos_mqtt_message){ 0 };
    async_finally;
    close_scene(self);
    async_end;
}

static async_fn(will)
{
    async_begin(scene);
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "will/#", 2), SOS_OK);
    self->will = message_of("will/one", "he is gone", 2);
    self->options.will = &self->will;
    CHECKED(sos_mqtt_connect(task, &self->options, &self->other, NULL), SOS_OK);
    CHECKED(sos_mqtt_disconnect(task, &self->other), SOS_OK); /* none is published */
    self->will.topic = "will/two";
    CHECKED(sos_mqtt_connect(task, &self->options, &self->other, NULL), SOS_OK);
    sos_mqtt_close(self->other);
    self->other = NULL;
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    expect_message(&self->message, "will/two", "he is gone", 2);
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Many tasks share the connection and the window */

enum { MANY = 40, ROUNDS = 20 };

struct sharer {
    sos_frame frame;
    sos_mqtt *mqtt;
    int number, round, qos;
    char text[16];
};

static async_fn(sharer)
{
    async_begin(sharer);
    for (; self->round < ROUNDS; self->round++) {
        snprintf(self->text, sizeof self->text, "%d.%d", self->number, self->round);
        try_await(publish(task, self->mqtt, "shared", self->text, self->qos));
    }
    async_end;
}

struct crowd {
    sos_frame frame;
    struct scene *scene;
    struct sos_scope scope;
    int index, left, next[MANY];
};

static void expect_next(struct crowd *self)
{
    int number, round;
    CHECK_INT(sscanf(self->scene->message.payload, "%d.%d", &number, &round), 2);
    CHECK_INT(round, self->next[number]); /* of one task: in its order */
    self->next[number]++;
}

static async_fn(crowd)
{
    async_begin(crowd);
    sos_scope_open(task, &self->scope);
    for (; self->index < MANY; self->index++)
        async_spawn(sharer, sos_opt(), .mqtt = self->scene->mqtt, .number = self->index,
                    .qos = self->scene->index);
    for (self->left = MANY * ROUNDS; self->left > 0; self->left--) {
        CHECKED(sos_mqtt_receive(task, self->scene->inbox, &self->scene->message), SOS_OK);
        expect_next(self);
        sos_mqtt_inspect(self->scene->mqtt, &self->scene->state);
        CHECK(self->scene->state.in_flight <= 7);
    }
    await(sos_scope_join(task, &self->scope));
    CHECK_INT(sos_status(task), SOS_OK);
    async_end;
}

static async_fn(shared)
{
    async_begin(scene);
    self->options.max_in_flight = 7;
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "shared", 2), SOS_OK);
    for (self->index = 0; self->index < 3; self->index++) {
        CHECKED(async_call(crowd, .scene = self), SOS_OK);
    }
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Refusals */

static async_fn(refused)
{
    async_begin(scene);
    self->options.user = "ann";
    self->options.password = "wrong";
    CHECKED(sos_mqtt_connect(task, &self->options, &self->mqtt, &self->answer), SOS_ESERVER);
    CHECK(self->mqtt == NULL);
    CHECK_INT(self->answer.reason, version == 5 ? 0x87 : 5);
    CHECK_TEXT(self->answer.text, "not authorized");
    self->options.password = "secret";
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "open", 1), SOS_OK);
    CHECKED(publish(task, self->mqtt, "open", "yes", 1), SOS_OK);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    expect_message(&self->message, "open", "yes", 1);
    sos_mqtt_message_free(&self->message);
    self->message = message_of("closed", "no", 2);
    await(sos_mqtt_publish(task, self->mqtt, &self->message, &self->answer));
    self->message = (struct sos_mqtt_message){ 0 };
    CHECK_INT(sos_status(task), version == 5 ? SOS_ESERVER : SOS_OK);
    if (version == 5)
        CHECK_TEXT(self->answer.text, "not authorized");
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- TLS, with certificates of both sides */

static struct sos_tls_options tls;
static char tls_text[SOS_TLS_TEXT];

static void trust(const char *ca, const char *certified)
{
    tls = (struct sos_tls_options){ .ca.file = certificate(ca),
                                    .error_text = tls_text,
                                    .error_text_size = sizeof tls_text };
    if (certified == NULL)
        return;
    tls.certificate.file = certificate("client.pem");
    tls.key.file = certificate("client.key");
}

static async_fn(secure)
{
    async_begin(scene);
    trust("ca.pem", "client");
    self->options.tls = &tls;
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "secret", 2), SOS_OK);
    for (; self->index < 30; self->index++) {
        snprintf(self->text, sizeof self->text, "%d", self->index);
        CHECKED(publish(task, self->mqtt, "secret", self->text, self->index % 3), SOS_OK);
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
        expect_message(&self->message, "secret", self->text, self->index % 3);
    }
    CHECKED(sos_mqtt_disconnect(task, &self->mqtt), SOS_OK);
    async_finally;
    close_scene(self);
    async_end;
}

static async_fn(distrusted)
{
    async_begin(scene);
    trust("other_ca.pem", "client");
    self->options.tls = &tls;
    CHECKED(sos_mqtt_connect(task, &self->options, &self->mqtt, &self->answer), SOS_ETLS);
    CHECK(strstr(self->answer.text, "certificate") != NULL);
    trust("ca.pem", NULL);
    await(sos_mqtt_connect(task, &self->options, &self->mqtt, &self->answer));
    CHECK(sos_status(task) == SOS_ETLS || sos_status(task) == SOS_ECONNRESET);
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- A server that goes and comes back with nothing remembered */

static void restart_server(void)
{
    server_kill(&server);
    CHECK(server_start(&server, (const char *const[]){ "mosquitto", "-c", "{folder}/conf", NULL }));
}

static async_fn(restarted)
{
    async_begin(scene);
    self->options.retry.first_delay_us = SOS_MS(5);
    self->options.client_id = "restarted";
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "again", 2), SOS_OK);
    restart_server();
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_ECONNRESET);
    for (self->index = 0; self->index < 3; self->index++) {
        CHECKED(publish(task, self->mqtt, "again", "still here", self->index == 2 ? 1 : 2), SOS_OK);
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
        CHECK_TEXT(self->message.payload, "still here");
    }
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.connections, 2);
    CHECK(!self->state.session_present);
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Version 5 */

static async_fn(properties)
{
    async_begin(scene);
    self->options.topic_aliases = 8;
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "with/+", 2), SOS_OK);
    for (; self->index < 4; self->index++) { /* from the second on with an alias */
        CHECKED(sos_mqtt_publish(
                    task, self->mqtt,
                    &(struct sos_mqtt_message){
                        .topic = "with/properties",
                        .payload = "text",
                        .size = 4,
                        .qos = (uint8_t)(self->index % 3),
                        .is_text = true,
                        .expiry_s = 1000,
                        .content_type = "text/plain",
                        .response_topic = "somewhere/else",
                        .correlation = "\0\1\2",
                        .correlation_size = 3,
                        .pairs = (const struct sos_mqtt_pair[]){ { "a", "1" }, { "b", "" } },
                        .pair_count = 2 },
                    NULL),
                SOS_OK);
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
        expect_message(&self->message, "with/properties", "text", self->index % 3);
        CHECK(self->message.is_text && self->message.expiry_s > 900);
        CHECK_TEXT(self->message.content_type, "text/plain");
        CHECK_TEXT(self->message.response_topic, "somewhere/else");
        CHECK_INT(self->message.correlation_size, 3);
        CHECK(memcmp(self->message.correlation, "\0\1\2", 3) == 0);
        CHECK_INT(self->message.pair_count, 2);
        CHECK_TEXT(self->message.pairs[1].name, "b");
        CHECK_TEXT(self->message.pairs[1].value, "");
    }
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.topic_alias_maximum, 10);
    CHECK_INT(self->state.max_packet_size, 2000);
    async_finally;
    close_scene(self);
    async_end;
}

static async_fn(too_large)
{
    async_begin(scene);
    CONNECT();
    self->message = (struct sos_mqtt_message){ .topic = "large",
                                               .payload = large_payload,
                                               .size = sizeof large_payload };
    for (; self->index < 3; self->index++) {
        self->message.qos = (uint8_t)self->index;
        CHECKED(sos_mqtt_publish(task, self->mqtt, &self->message, NULL), SOS_ELIMIT);
    }
    self->message = (struct sos_mqtt_message){ 0 };
    CHECKED(publish(task, self->mqtt, "large", "not", 1), SOS_OK);
    async_finally;
    close_scene(self);
    async_end;
}

struct responder {
    sos_frame frame;
    sos_mqtt *mqtt;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_message message;
};

static async_fn(responder)
{
    async_begin(responder);
    for (;;) {
        try_await(sos_mqtt_receive(task, self->inbox, &self->message));
        try_await(sos_mqtt_respond(task, self->mqtt, &self->message, self->message.payload,
                                   self->message.size));
    }
    async_finally;
    sos_mqtt_message_free(&self->message);
    async_end;
}

struct asker {
    sos_frame frame;
    sos_mqtt *mqtt;
    struct sos_mqtt_message request, response;
    int number, round;
    char text[16];
};

static async_fn(asker)
{
    async_begin(asker);
    for (; self->round < 3; self->round++) {
        snprintf(self->text, sizeof self->text, "%d.%d", self->number, self->round);
        self->request = message_of("ask", self->text, self->round);
        CHECKED(sos_mqtt_request(task, self->mqtt, &self->request, &self->response), SOS_OK);
        CHECK_TEXT(self->response.payload, self->text);
    }
    async_finally;
    sos_mqtt_message_free(&self->response);
    async_end;
}

static async_fn(requests)
{
    async_begin(scene);
    CONNECT();
    OPEN_INBOX();
    CHECKED(subscribe(task, self, self->inbox, "ask", 2), SOS_OK);
    CHECKED(sos_mqtt_connect(task, &self->options, &self->other, NULL), SOS_OK);
    async_spawn(responder, sos_opt(.watcher = true, .detached = true), .mqtt = self->mqtt,
                .inbox = self->inbox);
    sos_scope_open(task, &self->scope);
    for (; self->index < 5; self->index++)
        async_spawn(asker, sos_opt(), .mqtt = self->other, .number = self->index);
    await(sos_scope_join(task, &self->scope));
    CHECK_INT(sos_status(task), SOS_OK);
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Faults: a clear error or a recovery within its deadline */

static int fault_status;
static int64_t patience;

static async_fn(faulty)
{
    async_begin(scene);
    self->options.once = true;
    await(sos_within(task, patience,
                     sos_mqtt_connect(task, &self->options, &self->mqtt, &self->answer)));
    if (sos_status(task) == SOS_OK)
        await(sos_within(task, patience, publish(task, self->mqtt, "fault", "hello", 2)));
    fault_status = sos_status(task);
    async_finally;
    close_scene(self);
    async_end;
}

static void expect_fault(struct fault fault, int status)
{
    proxy = (struct fault_proxy){ .fault = fault };
    fault_status = 1;
    patience = status == SOS_ETIMEDOUT ? SOS_MS(50) : SOS_SEC(5);
    run_scene(faulty, 0);
    if (status == SOS_ECONNRESET) /* or the end of the stream, as the close and what is sent race */
        CHECK(fault_status == SOS_ECONNRESET || fault_status == SOS_EEOF);
    else
        CHECK_INT(fault_status, status);
}

/* The same faults, once: the next connection is good, and the message arrives. */
static async_fn(recovering)
{
    async_begin(scene);
    self->options.retry.first_delay_us = SOS_MS(1);
    self->options.client_id = "recovering";
    self->options.clean_start = true;
    self->options.connect_us = SOS_MS(unix_times(300, 3000));
    self->options.keep_alive_s = 1;
    CHECK_INT(sos_mqtt_start(task, &self->options, &self->mqtt), SOS_OK);
    while (proxy.connections == 0)
        await(sos_sleep(task, SOS_MS(1)));
    proxy.fault = (struct fault){ .kind = FAULT_NONE };
    CHECKED(publish(task, self->mqtt, "recovered", "hello", 1), SOS_OK);
    async_finally;
    close_scene(self);
    async_end;
}

static void expect_recovery(struct fault fault)
{
    proxy = (struct fault_proxy){ .fault = fault };
    run_scene(recovering, 0);
}

static void every_fault_ends_in_time(void)
{
    const struct fault senseless = {
        .kind = FAULT_INTRUDE, .after = 4, .bytes = "what?", .size = 5
    };
    expect_fault((struct fault){ .kind = FAULT_NONE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(5) }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DRIBBLE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_CUT, .after = 2 }, SOS_EEOF);
    expect_fault((struct fault){ .kind = FAULT_RESET, .after = 2 }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_HALF_CLOSE, .after = 2 }, SOS_EEOF);
    expect_fault((struct fault){ .kind = FAULT_STALL, .after = 2 }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_BLACK_HOLE }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_REFUSE }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .bytes = "what?", .size = 5 }, SOS_EPROTO);
    expect_recovery((struct fault){ .kind = FAULT_CUT, .after = 2 });
    expect_recovery((struct fault){ .kind = FAULT_RESET, .after = 5 });
    expect_recovery((struct fault){ .kind = FAULT_STALL, .after = 2 });
    expect_recovery((struct fault){ .kind = FAULT_HALF_CLOSE, .after = 5 });
    expect_recovery((struct fault){ .kind = FAULT_REFUSE });
    expect_recovery(senseless);
}

/* Nobody answers: only the deadline ends it. */
static void a_dropped_syn_ends_in_time(void)
{
    int fds[3];
    uint16_t port = fault_full_listener(fds);
    fault_status = 1;
    patience = SOS_MS(50);
    run_scene(faulty, port);
    CHECK_INT(fault_status, SOS_ETIMEDOUT);
    fault_full_close(fds);
}

/* ---- The tests */

static void messages_of_every_qos_arrive(void)
{
    run_scene(every_qos, server.port);
}

static void messages_go_to_the_inboxes_whose_filters_match(void)
{
    run_scene(filters, server.port);
}

static void what_nobody_wants_any_more_is_unsubscribed_from(void)
{
    run_scene(unsubscribing, server.port);
}

static void a_full_inbox_may_drop_and_count(void)
{
    run_scene(dropping, server.port);
}

static void a_kept_message_comes_with_the_subscription(void)
{
    run_scene(retained, server.port);
}

static void a_will_is_published_when_the_client_is_lost(void)
{
    run_scene(will, server.port);
}

static void many_tasks_share_the_connection_and_the_window(void)
{
    run_scene(shared, server.port);
}

static void refusals_of_the_server_are_told(void)
{
    run_scene(refused, strict_server.port);
}

static void certificates_of_both_sides_are_checked(void)
{
    if (secure_server.port == 0)
        return;
    run_scene(secure, secure_server.port);
    run_scene(distrusted, secure_server.port);
}

static void a_server_without_memory_is_subscribed_to_again(void)
{
    run_scene(restarted, server.port);
}

static void properties_and_aliases_of_version_5(void)
{
    if (version != 5)
        return;
    run_scene(properties, server.port);
    run_scene(too_large, server.port);
}

static void responses_find_their_requests(void)
{
    if (version == 5)
        run_scene(requests, server.port);
}

static void start_secure_server(void)
{
    char conf[1024];
    if (!certificates_make())
        return;
    server_prepare(&secure_server);
    snprintf(conf, sizeof conf,
             "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n"
             "cafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\n",
             certificate("ca.pem"), certificate("good.pem"), certificate("good.key"));
    server_file(&secure_server, "conf", conf);
    CHECK(server_start(&secure_server,
                       (const char *const[]){ "mosquitto", "-c", "{folder}/conf", NULL }));
}

static void start_servers(void)
{
    char command[256];
    server_prepare(&server);
    server_prepare(&strict_server);
    server_file(&server, "conf",
                "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
                "set_tcp_nodelay true\nmax_packet_size 2000\n");
    server_file(&strict_server, "conf",
                "listener {port} 127.0.0.1\npassword_file {folder}/passwords\nuser root\n"
                "acl_file {folder}/rights\nset_tcp_nodelay true\n");
    server_file(&strict_server, "rights", "user ann\ntopic readwrite open\n");
    server_file(&strict_server, "passwords", "");
    snprintf(command, sizeof command, "mosquitto_passwd -b %s/passwords ann secret",
             strict_server.folder);
    CHECK(system(command) == 0);
    const char *const argv[] = { "mosquitto", "-c", "{folder}/conf", NULL };
    CHECK(server_start(&server, argv));
    CHECK(server_start(&strict_server, argv));
    start_secure_server();
}

int main(void)
{
    void (*const tests[])(void) = {
        messages_of_every_qos_arrive,
        messages_go_to_the_inboxes_whose_filters_match,
        what_nobody_wants_any_more_is_unsubscribed_from,
        a_full_inbox_may_drop_and_count,
        a_kept_message_comes_with_the_subscription,
        a_will_is_published_when_the_client_is_lost,
        many_tasks_share_the_connection_and_the_window,
        refusals_of_the_server_are_told,
        certificates_of_both_sides_are_checked,
        a_server_without_memory_is_subscribed_to_again,
        properties_and_aliases_of_version_5,
        responses_find_their_requests,
    };
    void (*const faults[])(void) = { every_fault_ends_in_time, a_dropped_syn_ends_in_time };
    start_servers();
    for (version = 3; version <= 5; version += 2)
        unix_tests(tests, sizeof tests / sizeof tests[0], false);
    here.backend = SOS_UNIX_EPOLL;
    for (version = 3; version <= 5; version += 2)
        for (size_t index = 0; index < sizeof faults / sizeof faults[0]; index++)
            faults[index]();
    server_stop(&server);
    server_stop(&strict_server);
    if (secure_server.port != 0)
        server_stop(&secure_server);
    return 0;
}
