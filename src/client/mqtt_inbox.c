/* SPDX-License-Identifier: MIT */
/*
 * Received messages. One that several inboxes want is there once and counted; when the last who
 * has it lets it go, it is acknowledged, after all that came before it [MQTT-4.6.0-2] [MQTT-4.6.0-3].
 *
 * A message of QoS 2 whose PUBREC has not been sent stays in the list when the connection is lost:
 * the server will send it again, and that is not another message.
 */
#include <string.h>

#include "mqtt_internal.h"

enum { INBOX_BYTES = 4 << 20 };

/* ---- Making a message of a PUBLISH */

struct room {
    char *at;
};

static size_t text_size(struct sos_mqtt_slice_ text)
{
    return text.data != NULL ? text.size + 1u : 0;
}

static struct sos_mqtt_slice_ if_has(const struct sos_mqtt_properties_ *properties, uint32_t bit,
                                     struct sos_mqtt_slice_ slice)
{
    return (properties->has & bit) != 0 ? slice : (struct sos_mqtt_slice_){ NULL, 0 };
}

static char *copy_text(struct room *room, struct sos_mqtt_slice_ text)
{
    char *copy = room->at;
    if (text.data == NULL)
        return NULL;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    room->at += text.size + 1u;
    return copy;
}

static size_t pairs_size(const struct sos_mqtt_properties_ *properties, size_t *count)
{
    struct sos_mqtt_pair_ pair;
    size_t size = 0;
    uint32_t at = 0;
    *count = 0;
    if ((properties->has & SOS_MQTT_HAS_USER_) == 0)
        return 0;
    while (sos_mqtt_next_user_(properties, &at, &pair)) {
        size += sizeof(struct sos_mqtt_pair) + text_size(pair.name) + text_size(pair.value);
        ++*count;
    }
    return size;
}

static void copy_pairs(struct room *room, const struct sos_mqtt_properties_ *properties,
                       struct sos_mqtt_message *message, size_t count)
{
    struct sos_mqtt_pair *pairs = (struct sos_mqtt_pair *)(void *)room->at;
    struct sos_mqtt_pair_ pair;
    uint32_t at = 0;
    if (count == 0)
        return;
    room->at += count * sizeof *pairs;
    message->pairs = pairs;
    for (; sos_mqtt_next_user_(properties, &at, &pair); message->pair_count++) {
        pairs[message->pair_count].name = copy_text(room, pair.name);
        pairs[message->pair_count].value = copy_text(room, pair.value);
    }
}

static void copy_properties(struct room *room, const struct sos_mqtt_properties_ *properties,
                            struct sos_mqtt_message *message)
{
    struct sos_mqtt_slice_ correlation = if_has(properties, SOS_MQTT_HAS_CORRELATION_DATA_,
                                                properties->correlation_data);
    message->is_text = (properties->has & SOS_MQTT_HAS_PAYLOAD_FORMAT_) != 0 &&
                       properties->payload_format == 1;
    if ((properties->has & SOS_MQTT_HAS_MESSAGE_EXPIRY_) != 0)
        message->expiry_s = properties->message_expiry;
    message->content_type = copy_text(
        room, if_has(properties, SOS_MQTT_HAS_CONTENT_TYPE_, properties->content_type));
    message->response_topic = copy_text(
        room, if_has(properties, SOS_MQTT_HAS_RESPONSE_TOPIC_, properties->response_topic));
    message->correlation = copy_text(room, correlation);
    message->correlation_size = correlation.size;
}

struct sos_mqtt_incoming_ *sos_mqtt_incoming_new_(sos *os, const struct sos_mqtt_publish_ *publish)
{
    const struct sos_mqtt_properties_ *properties = &publish->properties;
    size_t count, pairs = pairs_size(properties, &count);
    size_t size = sizeof(struct sos_mqtt_incoming_) + pairs + publish->topic.size +
                  publish->payload.size + 2;
    size +=
        text_size(if_has(properties, SOS_MQTT_HAS_CONTENT_TYPE_, properties->content_type)) +
        text_size(if_has(properties, SOS_MQTT_HAS_RESPONSE_TOPIC_, properties->response_topic)) +
        text_size(if_has(properties, SOS_MQTT_HAS_CORRELATION_DATA_, properties->correlation_data));
    struct sos_mqtt_incoming_ *incoming = sos_memory_take(os, size);
    if (incoming == NULL)
        return NULL;
    memset(incoming, 0, sizeof *incoming);
    incoming->os = os;
    incoming->memory = size;
    incoming->id = publish->id;
    struct sos_mqtt_message *message = &incoming->message;
    struct room room = { (char *)(incoming + 1) };
    copy_pairs(&room, properties, message, count);
    copy_properties(&room, properties, message);
    message->qos = publish->qos;
    message->retain = publish->retain;
    message->duplicate = publish->dup && publish->qos == 1;
    message->size = publish->payload.size;
    message->held_ = incoming;
    message->topic = copy_text(&room, publish->topic);
    char *payload = room.at;
    if (publish->payload.size != 0)
        memcpy(payload, publish->payload.data, publish->payload.size);
    payload[publish->payload.size] = '\0';
    message->payload = payload;
    return incoming;
}

static void free_incoming(struct sos_mqtt_incoming_ *incoming)
{
    sos_memory_give(incoming->os, incoming, incoming->memory);
}

/* ---- QoS 2: what was received and not released */

static void set_live(sos_mqtt *mqtt, bool *live, bool to)
{
    mqtt->live_count += (uint32_t)to - (uint32_t)*live;
    *live = to;
}

static struct sos_mqtt_received_ **find_received(sos_mqtt *mqtt, uint16_t id)
{
    struct sos_mqtt_received_ **at = &mqtt->received;
    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static void remove_received(sos_mqtt *mqtt, struct sos_mqtt_received_ **at)
{
    struct sos_mqtt_received_ *gone = *at;
    *at = gone->next;
    set_live(mqtt, &gone->live, false);
    sos_memory_give(mqtt->os, gone, sizeof *gone);
}

bool sos_mqtt_is_received_(sos_mqtt *mqtt, uint16_t id)
{
    struct sos_mqtt_received_ *found = *find_received(mqtt, id);
    if (found != NULL)
        set_live(mqtt, &found->live, true);
    return found != NULL;
}

bool sos_mqtt_release_(sos_mqtt *mqtt, uint16_t id)
{
    struct sos_mqtt_received_ **at = find_received(mqtt, id);
    if (*at == NULL)
        return false;
    remove_received(mqtt, at);
    sos_mqtt_record_received_(mqtt, id, false);
    return true;
}

bool sos_mqtt_add_received_(sos_mqtt *mqtt, uint16_t id, bool live)
{
    struct sos_mqtt_received_ *added = sos_memory_take(mqtt->os, sizeof *added);
    if (added == NULL)
        return false;
    *added = (struct sos_mqtt_received_){ mqtt->received, id, false };
    mqtt->received = added;
    set_live(mqtt, &added->live, live);
    return true;
}

static void forget_received(sos_mqtt *mqtt, bool for_good)
{
    while (mqtt->received != NULL) {
        if (for_good)
            sos_mqtt_record_received_(mqtt, mqtt->received->id, false);
        remove_received(mqtt, &mqtt->received);
    }
}

/* ---- The list of what is to be acknowledged */

static void list(sos_mqtt *mqtt, struct sos_mqtt_incoming_ *incoming)
{
    incoming->mqtt = mqtt;
    *mqtt->arrived_end = incoming;
    mqtt->arrived_end = &incoming->next;
    set_live(mqtt, &incoming->live, true);
}

/* Nobody acknowledges it any more; whoever has it keeps it. */
static void unlist(sos_mqtt *mqtt, struct sos_mqtt_incoming_ **at)
{
    struct sos_mqtt_incoming_ *incoming = *at;
    *at = incoming->next;
    if (mqtt->arrived_end == &incoming->next)
        mqtt->arrived_end = at;
    incoming->next = NULL;
    incoming->mqtt = NULL;
    set_live(mqtt, &incoming->live, false);
    if (incoming->holders == 0)
        free_incoming(incoming);
}

/* False: no memory to remember it by; it is tried again with the next one. */
static bool acknowledge(sos_mqtt *mqtt, const struct sos_mqtt_incoming_ *incoming)
{
    int type = incoming->message.qos == 1 ? SOS_MQTT_PUBACK_ : SOS_MQTT_PUBREC_;
    if (type == SOS_MQTT_PUBREC_) {
        if (!sos_mqtt_add_received_(mqtt, incoming->id, incoming->live))
            return false;
        sos_mqtt_record_received_(mqtt, incoming->id, true);
    }
    if (mqtt->up && incoming->live)
        (void)sos_mqtt_put_ack_(mqtt, type, incoming->id, 0);
    return true;
}

void sos_mqtt_acknowledge_(sos_mqtt *mqtt)
{
    while (mqtt->arrived != NULL && mqtt->arrived->holders == 0 && acknowledge(mqtt, mqtt->arrived))
        unlist(mqtt, &mqtt->arrived);
}

bool sos_mqtt_is_known_(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish)
{
    struct sos_mqtt_incoming_ *each = mqtt->arrived;
    if (publish->qos != 2)
        return false;
    while (each != NULL && (each->message.qos != 2 || each->id != publish->id))
        each = each->next;
    if (each != NULL)
        set_live(mqtt, &each->live, true);
    return each != NULL;
}

/* Of QoS 1 the server sends it again, as another. */
void sos_mqtt_arrived_lost_(sos_mqtt *mqtt)
{
    struct sos_mqtt_incoming_ **at = &mqtt->arrived;
    while (*at != NULL) {
        set_live(mqtt, &(*at)->live, false);
        if ((*at)->message.qos == 1)
            unlist(mqtt, at);
        else
            at = &(*at)->next;
    }
    for (struct sos_mqtt_received_ *each = mqtt->received; each != NULL; each = each->next)
        set_live(mqtt, &each->live, false);
}

void sos_mqtt_arrived_resume_(sos_mqtt *mqtt, bool session_present)
{
    if (session_present)
        return;
    while (mqtt->arrived != NULL)
        unlist(mqtt, &mqtt->arrived);
    forget_received(mqtt, true);
}

void sos_mqtt_arrived_end_(sos_mqtt *mqtt)
{
    while (mqtt->arrived != NULL)
        unlist(mqtt, &mqtt->arrived);
    forget_received(mqtt, false);
}

void sos_mqtt_let_go_(struct sos_mqtt_incoming_ *incoming)
{
    if (--incoming->holders != 0)
        return;
    if (incoming->mqtt == NULL)
        free_incoming(incoming);
    else
        sos_mqtt_acknowledge_(incoming->mqtt);
}

void sos_mqtt_message_free(struct sos_mqtt_message *message)
{
    struct sos_mqtt_incoming_ *held = message->held_;
    *message = (struct sos_mqtt_message){ 0 };
    if (held != NULL)
        sos_mqtt_let_go_(held);
}

/* ---- Dispatch */

static bool wants(const sos_mqtt_inbox *inbox, struct sos_mqtt_slice_ topic)
{
    const struct sos_mqtt_route_ *route = inbox->routes;
    while (route != NULL && !sos_mqtt_matches_(route->filter.filter, topic))
        route = route->next;
    return route != NULL;
}

static bool is_full(const sos_mqtt_inbox *inbox, uint32_t size)
{
    return inbox->held >= inbox->max_messages ||
           (inbox->held != 0 &&
            (inbox->bytes > inbox->max_bytes || size > inbox->max_bytes - inbox->bytes));
}

/* Chooses the inboxes: how many; SOS_EAGAIN: one is full and does not drop. */
static int choose(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish)
{
    int count = 0;
    for (sos_mqtt_inbox *inbox = mqtt->inboxes; inbox != NULL; inbox = inbox->next) {
        inbox->chosen = inbox != mqtt->responses && wants(inbox, publish->topic);
        if (!inbox->chosen)
            continue;
        if (is_full(inbox, publish->payload.size) && !inbox->drop)
            return SOS_EAGAIN;
        count++;
    }
    return count;
}

static void put_in(sos_mqtt_inbox *inbox, struct sos_mqtt_incoming_ *incoming)
{
    uint32_t size = (uint32_t)incoming->message.size;
    if (is_full(inbox, size)) {
        inbox->dropped++;
        inbox->mqtt->state.undelivered++;
        return;
    }
    incoming->holders++;
    inbox->held++;
    inbox->bytes += size;
    (void)sos_queue_try_put(&inbox->queue, &incoming);
}

static void hand_out(sos_mqtt *mqtt, struct sos_mqtt_incoming_ *incoming,
                     struct sos_mqtt_call_ *call)
{
    incoming->holders = 1; /* ours, until all have it */
    for (sos_mqtt_inbox *inbox = mqtt->inboxes; inbox != NULL; inbox = inbox->next)
        if (inbox->chosen)
            put_in(inbox, incoming);
    if (call != NULL) {
        incoming->holders++;
        call->response = incoming;
        sos_event_set(&call->done);
    }
    sos_mqtt_let_go_(incoming);
}

int sos_mqtt_dispatch_(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish)
{
    struct sos_mqtt_call_ *call = sos_mqtt_call_of_(mqtt, publish);
    int count = choose(mqtt, publish);
    if (count < 0)
        return count;
    if (count == 0 && call == NULL) {
        mqtt->state.undelivered++;
        if (publish->qos == 0)
            return SOS_OK;
    }
    struct sos_mqtt_incoming_ *incoming = sos_mqtt_incoming_new_(mqtt->os, publish);
    if (incoming == NULL)
        return SOS_ENOMEM;
    if (publish->qos != 0)
        list(mqtt, incoming);
    hand_out(mqtt, incoming, call);
    return SOS_OK;
}

/* ---- Inboxes */

static int end_of(const sos_mqtt_inbox *inbox)
{
    return inbox->end != 0 ? inbox->end : SOS_ECANCELED;
}

int sos_mqtt_inbox_open(sos_mqtt *mqtt, const struct sos_mqtt_inbox_options *options,
                        sos_mqtt_inbox **made)
{
    static const struct sos_mqtt_inbox_options standard;
    uint32_t most = sos_configuration(mqtt->os)->client_defaults.mqtt.max_queued_messages;
    if (options == NULL)
        options = &standard;
    if (options->max_messages != 0)
        most = options->max_messages;
    if (most == 0 || most > UINT16_MAX)
        most = UINT16_MAX;
    *made = NULL;
    if (mqtt->error != 0)
        return mqtt->error;
    sos_mqtt_inbox *inbox = sos_memory_take(mqtt->os, sizeof *inbox);
    void *items = sos_memory_take(mqtt->os, most * sizeof(void *));
    if (inbox == NULL || items == NULL) {
        sos_memory_give(mqtt->os, inbox, inbox != NULL ? sizeof *inbox : 0);
        sos_memory_give(mqtt->os, items, items != NULL ? most * sizeof(void *) : 0);
        return SOS_ENOMEM;
    }
    *inbox = (sos_mqtt_inbox){ .next = mqtt->inboxes,
                               .os = mqtt->os,
                               .mqtt = mqtt,
                               .items = items,
                               .max_messages = most,
                               .max_bytes = options->max_bytes != 0 ? options->max_bytes
                                                                    : INBOX_BYTES,
                               .drop = options->drop };
    sos_queue_init(&inbox->queue, "inbox", items, sizeof(void *), most);
    mqtt->inboxes = inbox;
    *made = inbox;
    return SOS_OK;
}

static void free_inbox(sos_mqtt_inbox *inbox)
{
    sos *os = inbox->os;
    sos_memory_give(os, inbox->items, inbox->max_messages * sizeof(void *));
    sos_memory_give(os, inbox, sizeof *inbox);
}

static void remove_from_client(sos_mqtt_inbox *inbox)
{
    sos_mqtt_inbox **at = &inbox->mqtt->inboxes;
    while (*at != inbox)
        at = &(*at)->next;
    *at = inbox->next;
}

/* A message has left the queue. */
static void taken(sos_mqtt_inbox *inbox, const struct sos_mqtt_incoming_ *incoming)
{
    inbox->held--;
    inbox->bytes -= (uint32_t)incoming->message.size;
    if (inbox->mqtt != NULL && inbox->mqtt->stalled)
        sos_event_set(&inbox->mqtt->unstalled);
}

static void throw_away(sos_mqtt_inbox *inbox)
{
    struct sos_mqtt_incoming_ *incoming;
    while (sos_queue_try_get(&inbox->queue, &incoming) == SOS_OK) {
        taken(inbox, incoming);
        sos_mqtt_let_go_(incoming);
    }
}

/* A task that was killed with a message in its hands has put it back. */
static void leave_inbox(sos_mqtt_inbox *inbox)
{
    if (--inbox->users != 0 || !inbox->closed)
        return;
    throw_away(inbox);
    free_inbox(inbox);
}

void sos_mqtt_inbox_close(sos_mqtt_inbox *inbox)
{
    if (inbox == NULL || inbox->closed)
        return;
    inbox->users++;
    inbox->closed = true;
    inbox->end = SOS_ECANCELED;
    if (inbox->mqtt != NULL)
        remove_from_client(inbox);
    sos_mqtt_routes_free_(inbox);
    throw_away(inbox);
    sos_queue_close(&inbox->queue);
    if (inbox->mqtt != NULL && inbox->mqtt->stalled)
        sos_event_set(&inbox->mqtt->unstalled);
    inbox->mqtt = NULL;
    leave_inbox(inbox);
}

uint64_t sos_mqtt_inbox_dropped(const sos_mqtt_inbox *inbox)
{
    return inbox->dropped;
}

/* ---- Receiving */

static void give(sos_mqtt_inbox *inbox, struct sos_mqtt_incoming_ *incoming,
                 struct sos_mqtt_message *message)
{
    taken(inbox, incoming);
    *message = incoming->message;
}

int sos_mqtt_try_receive(sos_mqtt_inbox *inbox, struct sos_mqtt_message *message)
{
    struct sos_mqtt_incoming_ *incoming;
    sos_mqtt_message_free(message);
    int status = sos_queue_try_get(&inbox->queue, &incoming);
    if (status == SOS_OK)
        give(inbox, incoming, message);
    return status == SOS_EPIPE ? end_of(inbox) : status;
}

struct mqtt_receive {
    sos_frame frame;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_message *message;
    struct sos_mqtt_incoming_ *incoming;
};

static async_fn(mqtt_receive)
{
    async_begin(mqtt_receive);
    self->inbox->users++;
    await(sos_queue_get(task, &self->inbox->queue, &self->incoming));
    if (sos_status(task) != SOS_OK)
        async_return(sos_status(task) == SOS_EPIPE ? end_of(self->inbox) : sos_status(task));
    give(self->inbox, self->incoming, self->message);
    async_return(SOS_OK);
    async_finally;
    leave_inbox(self->inbox);
    async_end;
}

sos_op sos_mqtt_receive(sos_task *task, sos_mqtt_inbox *inbox, struct sos_mqtt_message *message)
{
    int status = sos_mqtt_try_receive(inbox, message);
    if (status != SOS_EAGAIN)
        return sos_complete(task, status);
    return async_call(mqtt_receive, .inbox = inbox, .message = message);
}
