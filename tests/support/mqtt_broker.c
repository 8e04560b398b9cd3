/* SPDX-License-Identifier: MIT */
#include "mqtt_broker.h"

#include "check.h"
#include "smallos/async.h"

enum {
    WINDOW = 8, /* the most messages to a client that it has not acknowledged */
    ALIASES = 2 /* version 5: from clients and, as far as they allow, to them */
};

struct broker_connection {
    struct broker *broker;
    struct broker_session *session;
    sos_stream *stream;
    struct sos_mqtt_rules_ in, out;
    struct sos_event dirty;
    struct sos_mqtt_aliases_ aliases_in, aliases_out;
    struct sos_mqtt_alias_ alias_entries[2][ALIASES];
    char alias_bytes[2][ALIASES * BROKER_TEXT];
    int in_flight; /* PUBLISH of QoS 2 without PUBREL */
    int window;    /* messages to the client that it has not acknowledged */
    bool over;
};

/* ---- Sending */

static void put(struct broker_connection *connection, const struct sos_mqtt_packet_ *packet)
{
    struct sos_mqtt_error_ error;
    char bytes[512];
    int size = sos_mqtt_write_(&connection->out, packet, bytes, sizeof bytes, &error);
    if (size < 0)
        fprintf(stderr, "broker: %s\n", error.syntax.rule);
    CHECK(size > 0);
    sos_stream_put(connection->stream, bytes, (size_t)size);
    sos_event_set(&connection->dirty);
}

static void put_ack(struct broker_connection *connection, int type, uint16_t id)
{
    struct sos_mqtt_packet_ packet;
    memset(&packet, 0, sizeof packet);
    packet.type = (uint8_t)type;
    packet.ack.id = id;
    put(connection, &packet);
}

static struct sos_mqtt_slice_ slice(const char *text)
{
    return (struct sos_mqtt_slice_){ text, (uint32_t)strlen(text) };
}

static void put_message(struct broker_connection *connection, struct broker_message *message)
{
    struct sos_mqtt_packet_ packet;
    if (message->stage == BROKER_RELEASED) {
        put_ack(connection, SOS_MQTT_PUBREL_, message->id);
        return;
    }
    memset(&packet, 0, sizeof packet);
    packet.type = SOS_MQTT_PUBLISH_;
    packet.publish.qos = message->qos;
    packet.publish.id = message->id;
    packet.publish.dup = message->retried && message->qos != 0;
    packet.publish.topic = slice(message->topic);
    packet.publish.payload = slice(message->payload);
    sos_mqtt_alias_write_(&connection->aliases_out, &packet.publish);
    put(connection, &packet);
    message->stage = BROKER_SENT;
}

static void remove_message(struct broker_message **at)
{
    struct broker_message *gone = *at;
    *at = gone->next;
    free(gone);
}

/* What is queued, as far as the window allows. */
static void pump(struct broker_session *session)
{
    struct broker_message **at = &session->first;
    int in_flight = 0;
    while (session->connection != NULL && *at != NULL && in_flight < session->connection->window) {
        if ((*at)->stage == BROKER_QUEUED) {
            if ((*at)->qos != 0 && (*at)->id == 0)
                (*at)->id = ++session->last_id;
            put_message(session->connection, *at);
        }
        if ((*at)->qos == 0) {
            remove_message(at);
            continue;
        }
        in_flight += !(*at)->free;
        at = &(*at)->next;
    }
}

static void queue(struct broker_session *session, const struct sos_mqtt_publish_ *publish,
                  uint8_t qos)
{
    struct broker_message **at = &session->first, *message = calloc(1, sizeof *message);
    CHECK(message != NULL && publish->topic.size < BROKER_TEXT &&
          publish->payload.size < BROKER_TEXT);
    while (*at != NULL)
        at = &(*at)->next;
    memcpy(message->topic, publish->topic.data, publish->topic.size);
    memcpy(message->payload, publish->payload.data, publish->payload.size);
    message->qos = qos;
    *at = message;
    pump(session);
}

static void forward_to(struct broker_session *session, const struct sos_mqtt_publish_ *publish)
{
    int best = -1;
    for (int index = 0; index < BROKER_FILTERS; index++) {
        const char *filter = session->filters[index].filter;
        if (filter[0] != '\0' && sos_mqtt_matches_(slice(filter), publish->topic) &&
            session->filters[index].qos > best)
            best = session->filters[index].qos;
    }
    if (best >= 0)
        queue(session, publish, publish->qos < best ? publish->qos : (uint8_t)best);
}

static void forward(struct broker *broker, const struct sos_mqtt_publish_ *publish)
{
    for (int index = 0; index < BROKER_SESSIONS; index++)
        if (broker->sessions[index].used)
            forward_to(&broker->sessions[index], publish);
}

void broker_publish(struct broker *broker, const char *topic, const char *payload, uint8_t qos)
{
    struct sos_mqtt_publish_ publish;
    memset(&publish, 0, sizeof publish);
    publish.topic = slice(topic);
    publish.payload = slice(payload);
    publish.qos = qos;
    forward(broker, &publish);
}

/* ---- Sessions */

static void forget(struct broker_session *session)
{
    while (session->first != NULL)
        remove_message(&session->first);
    memset(session, 0, sizeof *session);
}

void broker_end(struct broker *broker)
{
    for (int index = 0; index < BROKER_SESSIONS; index++)
        forget(&broker->sessions[index]);
}

static struct broker_session *session_of(struct broker *broker, struct sos_mqtt_slice_ client_id)
{
    struct broker_session *unused = NULL;
    CHECK(client_id.size > 0 && client_id.size < BROKER_TEXT);
    for (int index = 0; index < BROKER_SESSIONS; index++) {
        struct broker_session *session = &broker->sessions[index];
        if (session->used && strlen(session->client_id) == client_id.size &&
            memcmp(session->client_id, client_id.data, client_id.size) == 0)
            return session;
        if (!session->used && unused == NULL)
            unused = session;
    }
    CHECK(unused != NULL);
    return unused;
}

static void resume(struct broker_session *session)
{
    for (struct broker_message *each = session->first; each != NULL; each = each->next) {
        each->retried = each->stage != BROKER_QUEUED;
        each->free = each->stage == BROKER_RELEASED;
        if (each->stage == BROKER_RELEASED)
            put_message(session->connection, each);
        else
            each->stage = BROKER_QUEUED;
    }
    pump(session);
}

static void agree_on_aliases(struct broker_connection *connection,
                             const struct sos_mqtt_connect_ *connect,
                             struct sos_mqtt_connack_ *connack)
{
    uint16_t theirs = connect->properties.has & SOS_MQTT_HAS_TOPIC_ALIAS_MAXIMUM_
                          ? connect->properties.topic_alias_maximum
                          : 0;
    sos_mqtt_aliases_init_(&connection->aliases_in, connection->alias_entries[0], ALIASES,
                           connection->alias_bytes[0], sizeof connection->alias_bytes[0]);
    sos_mqtt_aliases_init_(&connection->aliases_out, connection->alias_entries[1],
                           theirs < ALIASES ? theirs : ALIASES, connection->alias_bytes[1],
                           sizeof connection->alias_bytes[1]);
    connack->properties.has |= SOS_MQTT_HAS_TOPIC_ALIAS_MAXIMUM_;
    connack->properties.topic_alias_maximum = ALIASES;
}

/* An older connection of the same client is closed (3.1.4). */
static void take_connect(struct broker_connection *connection,
                         const struct sos_mqtt_connect_ *connect)
{
    struct sos_mqtt_packet_ packet;
    struct broker *broker = connection->broker;
    struct broker_session *session = session_of(broker, connect->client_id);
    if (session->connection != NULL) {
        session->connection->session = NULL;
        sos_stream_abort(session->connection->stream);
    }
    memset(&packet, 0, sizeof packet);
    packet.type = SOS_MQTT_CONNACK_;
    packet.connack.session_present = session->used && !connect->clean_start;
    if (!packet.connack.session_present)
        forget(session);
    session->used = true;
    session->version = connect->version;
    memcpy(session->client_id, connect->client_id.data, connect->client_id.size);
    session->client_id[connect->client_id.size] = '\0';
    session->connection = connection;
    connection->session = session;
    connection->window = WINDOW;
    if (connect->version == SOS_MQTT_5_ && connect->properties.receive_maximum < WINDOW)
        connection->window = connect->properties.receive_maximum;
    connection->in.version = connection->out.version = connect->version;
    if (connect->version == SOS_MQTT_5_ && broker->receive_maximum != 0) {
        packet.connack.properties.has |= SOS_MQTT_HAS_RECEIVE_MAXIMUM_;
        packet.connack.properties.receive_maximum = broker->receive_maximum;
    }
    if (connect->version == SOS_MQTT_5_)
        agree_on_aliases(connection, connect, &packet.connack);
    broker->connections++;
    put(connection, &packet);
    resume(session);
}

/* ---- What clients send */

static bool test_and_set(struct broker_session *session, uint16_t id, bool to)
{
    uint8_t bit = (uint8_t)(1 << id % 8), *byte = &session->received[id / 8];
    bool was = (*byte & bit) != 0;
    *byte = (uint8_t)(to ? *byte | bit : *byte & ~bit);
    return was;
}

static void take_publish(struct broker_connection *connection, struct sos_mqtt_publish_ *publish)
{
    struct broker *broker = connection->broker;
    struct sos_mqtt_error_ error;
    if (connection->in.version == SOS_MQTT_5_) {
        broker->aliased += publish->topic.size == 0;
        CHECK_INT(sos_mqtt_alias_read_(&connection->aliases_in, publish, &error), SOS_OK);
        publish->properties.has = 0;
    }
    bool again = publish->qos == 2 && test_and_set(connection->session, publish->id, true);
    if (again)
        CHECK(publish->dup); /* [MQTT-3.3.1-1]: an identifier in use is no other message's */
    connection->in_flight += publish->qos == 2;
    if (broker->receive_maximum != 0)
        CHECK(connection->in_flight <= broker->receive_maximum);
    if (publish->qos == 1)
        put_ack(connection, SOS_MQTT_PUBACK_, publish->id);
    else if (publish->qos == 2)
        put_ack(connection, SOS_MQTT_PUBREC_, publish->id);
    if (again)
        return;
    if (broker->published != NULL)
        broker->published(broker->context, publish);
    forward(broker, publish);
}

static struct broker_message **find(struct broker_session *session, uint16_t id)
{
    struct broker_message **at = &session->first;
    while (*at != NULL && ((*at)->id != id || (*at)->stage == BROKER_QUEUED))
        at = &(*at)->next;
    return at;
}

/* What no client may send without a reason fails the test. */
static void take_ack(struct broker_connection *connection, int type, uint16_t id)
{
    struct broker_session *session = connection->session;
    struct broker_message **at = find(session, id);
    if (type == SOS_MQTT_PUBREL_) {
        test_and_set(session, id, false);
        connection->in_flight -= connection->in_flight > 0;
        put_ack(connection, SOS_MQTT_PUBCOMP_, id);
        return;
    }
    CHECK(*at != NULL);
    CHECK_INT((*at)->qos, type == SOS_MQTT_PUBACK_ ? 1 : 2);
    if (type == SOS_MQTT_PUBREC_) {
        (*at)->stage = BROKER_RELEASED;
        put_message(connection, *at);
        return;
    }
    remove_message(at);
    pump(session);
}

static void subscribe(struct broker_session *session, const struct sos_mqtt_filter_ *filter,
                      bool on)
{
    int unused = -1;
    for (int index = 0; index < BROKER_FILTERS; index++) {
        char *text = session->filters[index].filter;
        if (text[0] == '\0')
            unused = index;
        if (strlen(text) != filter->filter.size ||
            memcmp(text, filter->filter.data, filter->filter.size) != 0)
            continue;
        text[0] = '\0';
        unused = index;
        break;
    }
    if (!on)
        return;
    CHECK(unused >= 0 && filter->filter.size < BROKER_TEXT);
    memcpy(session->filters[unused].filter, filter->filter.data, filter->filter.size);
    session->filters[unused].filter[filter->filter.size] = '\0';
    session->filters[unused].qos = filter->qos;
}

static void take_subscribe(struct broker_connection *connection, int type,
                           const struct sos_mqtt_subscribe_ *asked)
{
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_filter_ filter;
    char reasons[BROKER_FILTERS];
    uint32_t at = 0, count = 0;
    bool on = type == SOS_MQTT_SUBSCRIBE_;
    memset(&packet, 0, sizeof packet);
    while (sos_mqtt_next_filter_(&connection->in, type, asked, &at, &filter)) {
        CHECK(count < BROKER_FILTERS);
        subscribe(connection->session, &filter, on);
        reasons[count++] = on ? (char)filter.qos : 0;
    }
    packet.type = on ? SOS_MQTT_SUBACK_ : SOS_MQTT_UNSUBACK_;
    packet.suback.id = asked->id;
    packet.suback.reasons = (struct sos_mqtt_slice_){
        reasons, on || connection->in.version == SOS_MQTT_5_ ? count : 0
    };
    put(connection, &packet);
}

static void take_packet(struct broker_connection *connection, struct sos_mqtt_packet_ *packet)
{
    const struct sos_mqtt_packet_ pong = { .type = SOS_MQTT_PINGRESP_ };
    switch (packet->type) {
    case SOS_MQTT_CONNECT_:
        take_connect(connection, &packet->connect);
        break;
    case SOS_MQTT_PUBLISH_:
        take_publish(connection, &packet->publish);
        break;
    case SOS_MQTT_SUBSCRIBE_:
    case SOS_MQTT_UNSUBSCRIBE_:
        take_subscribe(connection, packet->type, &packet->subscribe);
        break;
    case SOS_MQTT_PINGREQ_:
        connection->broker->pings++;
        if (!connection->broker->deaf)
            put(connection, &pong);
        break;
    case SOS_MQTT_DISCONNECT_:
        connection->broker->disconnects++;
        connection->broker->last_reason = packet->notice.reason;
        connection->over = true;
        break;
    default:
        take_ack(connection, packet->type, packet->ack.id);
    }
}

static int take_packets(struct broker_connection *connection)
{
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    size_t size, taken = 0;
    const unsigned char *bytes = sos_stream_data(connection->stream, &size);
    while (!connection->over && sos_stream_error(connection->stream) != SOS_ECANCELED) {
        int whole = sos_mqtt_read_(&connection->in, bytes + taken, size - taken, &packet, &error);
        if (whole < 0)
            fprintf(stderr, "broker: %s\n", error.syntax.rule);
        CHECK(whole >= 0);
        if (whole == 0)
            break;
        take_packet(connection, &packet);
        taken += (size_t)whole;
    }
    sos_stream_take(connection->stream, taken);
    return connection->over ? SOS_EEOF : SOS_OK;
}

/* ---- Tasks */

struct broker_writer {
    sos_frame frame;
    struct broker_connection *connection;
};

static async_fn(broker_writer)
{
    async_begin(broker_writer);
    for (;;) {
        await(sos_event_wait(task, &self->connection->dirty));
        sos_event_clear(&self->connection->dirty);
        await(sos_stream_flush(task, self->connection->stream));
        if (sos_status(task) < 0)
            break;
    }
    async_end;
}

struct broker_reader {
    sos_frame frame;
    struct sos_scope scope;
    struct broker *broker;
    sos_stream **given, *stream;
    struct broker_connection connection;
};

static async_fn(broker_reader)
{
    async_begin(broker_reader);
    self->stream = *self->given;
    *self->given = NULL;
    self->connection.broker = self->broker;
    self->connection.stream = self->stream;
    self->connection.in.sender = SOS_MQTT_CLIENT_;
    self->connection.out.sender = SOS_MQTT_SERVER_;
    sos_event_init(&self->connection.dirty, "packets");
    sos_scope_open(task, &self->scope);
    async_spawn(broker_writer, sos_opt(.watcher = true), .connection = &self->connection);
    do {
        await(sos_stream_more(task, self->stream));
    } while (sos_status(task) > 0 && take_packets(&self->connection) == SOS_OK);
    async_finally;
    if (self->connection.session != NULL)
        self->connection.session->connection = NULL;
    sos_stream_close(self->stream);
    async_end;
}

struct broker_door {
    sos_frame frame;
    struct broker *broker;
    sos_stream *stream;
};

static int open_door(sos *os, struct broker *broker)
{
    return sos_listener_open(os, &(struct sos_listen){ .host = broker->address, .port = 1883 },
                             &broker->listener);
}

static async_fn(broker_door)
{
    async_begin(broker_door);
    if (open_door(sos_of(task), self->broker) != SOS_OK)
        async_return(SOS_ENOMEM);
    for (;;) {
        try_await(sos_accept(task, self->broker->listener, &self->stream));
        async_spawn(broker_reader, sos_opt(.watcher = true, .detached = true),
                    .broker = self->broker, .given = &self->stream);
        await(sos_yield(task)); /* it takes the stream over */
        sos_stream_close(self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_listener_close(self->broker->listener);
    sos_stream_close(self->stream);
    async_end;
}

void broker_start(sos *os, struct broker *broker)
{
    CHECK(sos_fork(os, broker_door, sos_opt(.priority = broker->priority, .watcher = true),
                   .broker = broker)
              .pid >= 0);
}
