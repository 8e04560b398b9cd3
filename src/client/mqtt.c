/* SPDX-License-Identifier: MIT */
/* The MQTT client as a whole: making it from its options, its end, and how it stands. */
#include <stdio.h>
#include <string.h>

#include "mqtt_internal.h"
#include "smallos/kernel.h"
#include "smallos/policy.h"

enum {
    PORT = 1883,
    PORT_TLS = 8883,
    CONNECT_SECONDS = 20,
    SESSION_SECONDS = 3600,
    RECEIVE_MAXIMUM = 100,
    IN_FLIGHT = 20,
    OUTBOX_BYTES = 1 << 20,
    RANDOM_ID = 24 /* 23 characters, all of which every server takes (3.1.3.1) */
};

/* ---- Words */

static void add_words(struct sos_mqtt_answer *answer, const char *text, size_t size)
{
    size_t used = strlen(answer->text), left = sizeof answer->text - 1 - used;
    if (size > left)
        size = left;
    memcpy(answer->text + used, text, size);
    answer->text[used + size] = '\0';
}

void sos_mqtt_say_(struct sos_mqtt_answer *answer, uint8_t reason, const char *what,
                   struct sos_mqtt_slice_ more)
{
    if (answer == NULL)
        return;
    answer->reason = reason;
    answer->text[0] = '\0';
    add_words(answer, what, strlen(what));
    if (more.size == 0)
        return;
    add_words(answer, ": ", 2);
    add_words(answer, more.data, more.size);
}

void sos_mqtt_tell_(struct sos_mqtt_answer *answer, const struct sos_mqtt_rules_ *rules, int type,
                    uint8_t reason, const struct sos_mqtt_properties_ *properties)
{
    const struct sos_mqtt_reason_ *known = sos_mqtt_reason_(rules, type, reason);
    struct sos_mqtt_slice_ more = { NULL, 0 };
    if (properties != NULL && (properties->has & SOS_MQTT_HAS_REASON_STRING_) != 0)
        more = properties->reason_string;
    else if (properties != NULL && (properties->has & SOS_MQTT_HAS_SERVER_REFERENCE_) != 0)
        more = properties->server_reference;
    sos_mqtt_say_(answer, reason, known != NULL ? known->text : "unknown reason", more);
}

const char *sos_mqtt_reason_text(uint8_t reason)
{
    static const struct {
        uint8_t code;
        const char *text;
    } reasons[] = {
#define REASON_TEXT(code, name, text, client, server) { code, text },
        SOS_MQTT_REASONS_(REASON_TEXT)
#undef REASON_TEXT
    };
    for (size_t row = 0; row < sizeof reasons / sizeof reasons[0]; row++)
        if (reasons[row].code == reason)
            return reasons[row].text;
    return "unknown reason";
}

/* ---- The end */

static void free_memory(sos_mqtt *mqtt)
{
    sos *os = mqtt->os;
    sos_memory_give(os, mqtt->setup, mqtt->setup_size);
    sos_mqtt_outgoing_free_(os, mqtt->parked);
    sos_memory_give(os, mqtt->alias_memory,
                    (size_t)mqtt->topic_aliases * 2 *
                        (sizeof *mqtt->alias_memory + SOS_MQTT_ALIAS_BYTES_));
    sos_memory_give(os, mqtt, sizeof *mqtt);
}

void sos_mqtt_enter_(sos_mqtt *mqtt)
{
    mqtt->users++;
}

void sos_mqtt_leave_(sos_mqtt *mqtt)
{
    if (--mqtt->users == 0 && mqtt->closed)
        free_memory(mqtt);
}

static void end_inboxes(sos_mqtt *mqtt, int error)
{
    for (sos_mqtt_inbox *inbox = mqtt->inboxes; inbox != NULL; inbox = inbox->next) {
        inbox->end = error;
        sos_queue_close(&inbox->queue);
    }
}

void sos_mqtt_fail_(sos_mqtt *mqtt, int error)
{
    if (mqtt->error != 0)
        return;
    mqtt->error = error;
    sos_mqtt_outbox_end_(mqtt, error);
    sos_mqtt_questions_end_(mqtt, error);
    sos_mqtt_calls_end_(mqtt, error);
    end_inboxes(mqtt, error);
    sos_event_set(&mqtt->ready);
    sos_event_set(&mqtt->room);
    sos_event_set(&mqtt->empty);
    sos_event_set(&mqtt->pong);
    sos_event_set(&mqtt->unstalled);
}

/* They outlive the client, until their user closes them. */
static void detach_inboxes(sos_mqtt *mqtt)
{
    sos_mqtt_inbox *own = mqtt->responses;
    mqtt->responses = NULL;
    sos_mqtt_inbox_close(own);
    while (mqtt->inboxes != NULL) {
        sos_mqtt_inbox *inbox = mqtt->inboxes;
        mqtt->inboxes = inbox->next;
        inbox->mqtt = NULL;
        sos_mqtt_routes_free_(inbox);
    }
}

void sos_mqtt_close(sos_mqtt *mqtt)
{
    if (mqtt == NULL || mqtt->closed)
        return;
    mqtt->users++;
    mqtt->closed = true;
    mqtt->up = false;
    sos_mqtt_fail_(mqtt, SOS_ECANCELED);
    sos_kill(mqtt->os, mqtt->keeper);
    detach_inboxes(mqtt);
    sos_mqtt_arrived_end_(mqtt);
    (void)sos_mqtt_sync_(mqtt);
    sos_mqtt_leave_(mqtt);
}

/* ---- Making it */

static uint64_t by_chance(sos *os)
{
    struct sos_kernel *kernel = sos_kernel_of(os);
    uint64_t chance = 0;
    if (kernel->entropy == NULL || kernel->entropy(kernel, &chance, sizeof chance) != SOS_OK)
        chance = sos_now(os) * 0x9E3779B97F4A7C15u;
    return chance;
}

static void random_id(sos *os, char *text)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t chance = by_chance(os);
    memcpy(text, "smallos", 7);
    for (int index = 0; index < 16; index++, chance >>= 4)
        text[7 + index] = digits[chance & 15];
    text[RANDOM_ID - 1] = '\0';
}

static uint32_t chosen(uint32_t asked, uint32_t standard)
{
    return asked == SOS_NONE ? 0 : asked != 0 ? asked : standard;
}

static uint32_t session_expiry(const struct sos_mqtt_options *options)
{
    return chosen(options->session_expiry_s, SESSION_SECONDS);
}

/* What CONNECT says, except the will. */
static void describe_connect(sos_mqtt *mqtt, const struct sos_mqtt_options *options,
                             const char *client_id, struct sos_mqtt_connect_ *connect)
{
    struct sos_mqtt_properties_ *properties = &connect->properties;
    connect->version = mqtt->version;
    connect->clean_start = options->clean_start || options->client_id == NULL;
    connect->keep_alive = (uint16_t)mqtt->keep_alive;
    connect->client_id = sos_mqtt_text_(client_id);
    connect->user = sos_mqtt_text_(options->user);
    connect->password = sos_mqtt_text_(options->password);
    if (mqtt->version != SOS_MQTT_5_)
        return;
    properties->session_expiry = session_expiry(options);
    properties->receive_maximum = mqtt->receive_maximum;
    properties->maximum_packet_size = mqtt->max_packet_size;
    properties->topic_alias_maximum = mqtt->topic_aliases;
    properties->has = SOS_MQTT_HAS_RECEIVE_MAXIMUM_;
    if (properties->session_expiry != 0)
        properties->has |= SOS_MQTT_HAS_SESSION_EXPIRY_;
    if (mqtt->max_packet_size != 0)
        properties->has |= SOS_MQTT_HAS_MAXIMUM_PACKET_SIZE_;
    if (mqtt->topic_aliases != 0)
        properties->has |= SOS_MQTT_HAS_TOPIC_ALIAS_MAXIMUM_;
}

static int describe_will(sos_mqtt *mqtt, const struct sos_mqtt_options *options,
                         struct sos_mqtt_will_ *will, struct sos_mqtt_pair_ **pairs)
{
    struct sos_mqtt_publish_ publish;
    if (options->will == NULL)
        return SOS_OK;
    int status = sos_mqtt_describe_(mqtt->os, mqtt->version, options->will, &publish, pairs);
    if (status != SOS_OK)
        return status;
    *will = (struct sos_mqtt_will_){ .topic = publish.topic,
                                     .payload = publish.payload,
                                     .qos = publish.qos,
                                     .retain = publish.retain,
                                     .properties = publish.properties };
    if (options->will_delay_s != 0 && mqtt->version == SOS_MQTT_5_) {
        will->properties.will_delay = options->will_delay_s;
        will->properties.has |= SOS_MQTT_HAS_WILL_DELAY_;
    }
    return SOS_OK;
}

/* Host, client identifier and CONNECT, in one block. */
static int keep_texts(sos_mqtt *mqtt, const char *host, const char *client_id,
                      const struct sos_mqtt_packet_ *packet)
{
    struct sos_mqtt_rules_ rules = { .version = mqtt->version, .sender = SOS_MQTT_CLIENT_ };
    struct sos_mqtt_error_ error;
    struct sos_mqtt_header_ header;
    size_t host_size = strlen(host) + 1, id_size = strlen(client_id) + 1;
    int size = sos_mqtt_write_(&rules, packet, NULL, 0, &error);
    if (size < 0)
        return size;
    mqtt->setup_size = host_size + id_size + (size_t)size;
    mqtt->setup = sos_memory_take(mqtt->os, mqtt->setup_size);
    if (mqtt->setup == NULL)
        return SOS_ENOMEM;
    mqtt->host = memcpy(mqtt->setup, host, host_size);
    mqtt->client_id = memcpy(mqtt->setup + host_size, client_id, id_size);
    mqtt->connect = (unsigned char *)mqtt->setup + host_size + id_size;
    mqtt->connect_size = (uint32_t)sos_mqtt_write_(&rules, packet, mqtt->connect, (size_t)size,
                                                   &error);
    (void)sos_mqtt_read_header_(&rules, mqtt->connect, (size_t)size, &header, &error);
    mqtt->connect_flags = header.size + 7u; /* behind "MQTT" and the version (3.1.2.3) */
    return SOS_OK;
}

static int prepare_connect(sos_mqtt *mqtt, const struct sos_mqtt_options *options)
{
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_pair_ *pairs = NULL;
    char id[RANDOM_ID];
    const char *host = options->host != NULL ? options->host : "127.0.0.1";
    const char *client_id = options->client_id;
    memset(&packet, 0, sizeof packet);
    packet.type = SOS_MQTT_CONNECT_;
    if (client_id == NULL) {
        random_id(mqtt->os, id);
        client_id = id;
    }
    describe_connect(mqtt, options, client_id, &packet.connect);
    int status = describe_will(mqtt, options, &packet.connect.will, &pairs);
    if (status == SOS_OK)
        status = keep_texts(mqtt, host, client_id, &packet);
    if (options->will != NULL)
        sos_mqtt_undescribe_(mqtt->os, options->will, pairs);
    mqtt->clear = options->password != NULL && options->tls == NULL &&
                  strncmp(host, "unix:", 5) != 0;
    mqtt->expires = mqtt->version == SOS_MQTT_5_ && options->client_id == NULL;
    return status;
}

static int check_options(const struct sos_mqtt_options *options)
{
    if (options->version != 0 && options->version != 3 && options->version != 5)
        return SOS_EINVAL;
    if (options->store != NULL && options->client_id == NULL)
        return SOS_EINVAL;
    if (options->connect_us < 0 ||
        (options->keep_alive_s > UINT16_MAX && options->keep_alive_s != SOS_NONE))
        return SOS_EINVAL;
    return SOS_OK;
}

static void take_options(sos_mqtt *mqtt, const struct sos_mqtt_options *options)
{
    const struct sos_client_defaults *defaults = &sos_configuration(mqtt->os)->client_defaults;
    uint16_t port = options->tls != NULL ? PORT_TLS : PORT;
    uint32_t keep_alive = options->keep_alive_s, packet = options->max_packet_size;
    mqtt->port = options->port != 0 ? options->port : port;
    mqtt->version = options->version == 3 ? SOS_MQTT_3_ : SOS_MQTT_5_;
    mqtt->secure = options->tls != NULL;
    if (mqtt->secure)
        mqtt->tls = *options->tls;
    mqtt->store = options->store;
    mqtt->connect_us = options->connect_us != 0 ? options->connect_us : SOS_SEC(CONNECT_SECONDS);
    mqtt->keep_alive = chosen(keep_alive, defaults->mqtt.keepalive);
    if (mqtt->keep_alive > UINT16_MAX)
        mqtt->keep_alive = UINT16_MAX;
    mqtt->max_packet_size = chosen(packet, defaults->mqtt.max_packet_size);
    mqtt->outbox_limit = chosen(options->outbox_bytes, OUTBOX_BYTES);
    mqtt->policy = options->outbox_policy;
    mqtt->receive_maximum = options->receive_maximum != 0 ? options->receive_maximum
                                                          : RECEIVE_MAXIMUM;
    mqtt->max_in_flight = options->max_in_flight != 0 ? options->max_in_flight : IN_FLIGHT;
    mqtt->topic_aliases = mqtt->version == SOS_MQTT_5_ ? options->topic_aliases : 0;
    mqtt->once = options->once;
    mqtt->state.receive_maximum = UINT16_MAX;
    mqtt->state.maximum_qos = 2;
    mqtt->in = (struct sos_mqtt_rules_){ mqtt->version, SOS_MQTT_SERVER_, mqtt->max_packet_size };
    mqtt->out = (struct sos_mqtt_rules_){ mqtt->version, SOS_MQTT_CLIENT_, 0 };
}

static int take_alias_memory(sos_mqtt *mqtt)
{
    size_t size = (size_t)mqtt->topic_aliases * 2 *
                  (sizeof *mqtt->alias_memory + SOS_MQTT_ALIAS_BYTES_);
    if (size != 0)
        mqtt->alias_memory = sos_memory_take(mqtt->os, size);
    return size == 0 || mqtt->alias_memory != NULL ? SOS_OK : SOS_ENOMEM;
}

static void init(sos_mqtt *mqtt)
{
    mqtt->keeper.pid = mqtt->writer.pid = SOS_ESTALE;
    mqtt->arrived_end = &mqtt->arrived;
    mqtt->questions_end = &mqtt->questions;
    mqtt->call_number = by_chance(mqtt->os); /* no late response to an earlier client fits */
    sos_event_init(&mqtt->ready, "connection");
    sos_event_init(&mqtt->dirty, "packets");
    sos_event_init(&mqtt->room, "room to publish");
    sos_event_init(&mqtt->pong, "ping");
    sos_event_init(&mqtt->unstalled, "room in an inbox");
    sos_event_init(&mqtt->empty, "empty outbox");
    sos_event_init(&mqtt->gone, "end of the connection");
    sos_event_set(&mqtt->empty);
}

static int prepare(sos_mqtt *mqtt, const struct sos_mqtt_options *options)
{
    struct sos_supervisor_options retry = options->retry;
    take_options(mqtt, options);
    int status = sos_supervisor_init(&mqtt->supervisor, "time to connect", &retry);
    if (status == SOS_OK)
        status = take_alias_memory(mqtt);
    if (status == SOS_OK)
        status = prepare_connect(mqtt, options);
    if (status == SOS_OK)
        status = sos_mqtt_recall_(mqtt);
    return status == SOS_OK ? sos_mqtt_begin_(mqtt) : status;
}

int sos_mqtt_start(sos_task *task, const struct sos_mqtt_options *options, sos_mqtt **made)
{
    static const struct sos_mqtt_options standard;
    if (made == NULL)
        return SOS_EINVAL;
    *made = NULL;
    if (options == NULL)
        options = &standard;
    int status = check_options(options);
    if (status != SOS_OK)
        return status;
    sos_mqtt *mqtt = sos_memory_take(sos_of(task), sizeof *mqtt);
    if (mqtt == NULL)
        return SOS_ENOMEM;
    memset(mqtt, 0, sizeof *mqtt);
    mqtt->os = sos_of(task);
    mqtt->priority = options->priority != 0 ? options->priority : sos_effective_priority(task);
    init(mqtt);
    status = prepare(mqtt, options);
    if (status != SOS_OK) {
        sos_mqtt_close(mqtt);
        return status;
    }
    *made = mqtt;
    return SOS_OK;
}

/* ---- Operations on the whole */

struct mqtt_connect {
    sos_frame frame;
    sos_mqtt **mqtt;
    struct sos_mqtt_answer *answer;
    sos_mqtt *made;
};

static async_fn(mqtt_connect)
{
    async_begin(mqtt_connect);
    self->made = *self->mqtt;
    sos_mqtt_enter_(self->made);
    self->made->trial = true;
    try_await(sos_event_wait(task, &self->made->ready));
    if (self->made->error != 0 && self->answer != NULL)
        *self->answer = self->made->answer;
    if (self->made->error != 0)
        async_return(self->made->error);
    async_return(SOS_OK);
    async_finally;
    if (sos_status(task) != SOS_OK) {
        *self->mqtt = NULL;
        sos_mqtt_close(self->made);
    }
    sos_mqtt_leave_(self->made);
    async_end;
}

/* Until the call has begun the client is its caller's. */
sos_op sos_mqtt_connect(sos_task *task, const struct sos_mqtt_options *options, sos_mqtt **mqtt,
                        struct sos_mqtt_answer *answer)
{
    if (answer != NULL)
        *answer = (struct sos_mqtt_answer){ 0 };
    int status = sos_mqtt_start(task, options, mqtt);
    if (status != SOS_OK)
        return sos_complete(task, status);
    return async_call(mqtt_connect, .mqtt = mqtt, .answer = answer);
}

struct mqtt_wait {
    sos_frame frame;
    sos_mqtt *mqtt;
    struct sos_event *event;
};

static async_fn(mqtt_wait)
{
    async_begin(mqtt_wait);
    sos_mqtt_enter_(self->mqtt);
    try_await(sos_event_wait(task, self->event));
    async_return(self->mqtt->error);
    async_finally;
    sos_mqtt_leave_(self->mqtt);
    async_end;
}

sos_op sos_mqtt_ready(sos_task *task, sos_mqtt *mqtt)
{
    return async_call(mqtt_wait, .mqtt = mqtt, .event = &mqtt->ready);
}

sos_op sos_mqtt_drain(sos_task *task, sos_mqtt *mqtt)
{
    return async_call(mqtt_wait, .mqtt = mqtt, .event = &mqtt->empty);
}

void sos_mqtt_hurry(sos_mqtt *mqtt)
{
    sos_supervisor_hurry(&mqtt->supervisor);
}

struct mqtt_ping {
    sos_frame frame;
    sos_mqtt *mqtt;
    uint64_t connection;
    uint32_t number;
};

static async_fn(mqtt_ping)
{
    async_begin(mqtt_ping);
    sos_mqtt_enter_(self->mqtt);
    if (self->mqtt->error != 0)
        async_return(self->mqtt->error);
    if (!self->mqtt->up || sos_mqtt_put_ping_(self->mqtt) != SOS_OK)
        async_return(SOS_ECONNRESET);
    self->connection = self->mqtt->state.connections;
    self->number = self->mqtt->pings;
    while (self->mqtt->up && self->connection == self->mqtt->state.connections &&
           self->mqtt->pongs < self->number)
        try_await(sos_event_wait(task, &self->mqtt->pong));
    if (self->mqtt->error != 0)
        async_return(self->mqtt->error);
    async_return(self->mqtt->up && self->connection == self->mqtt->state.connections
                     ? SOS_OK
                     : SOS_ECONNRESET);
    async_finally;
    sos_mqtt_leave_(self->mqtt);
    async_end;
}

sos_op sos_mqtt_ping(sos_task *task, sos_mqtt *mqtt)
{
    return async_call(mqtt_ping, .mqtt = mqtt);
}

/* ---- How it stands */

void sos_mqtt_inspect(const sos_mqtt *mqtt, struct sos_mqtt_state *state)
{
    *state = mqtt->state;
    state->connected = mqtt->up;
    state->client_id = mqtt->client_id;
    state->error = mqtt->told.text;
}
