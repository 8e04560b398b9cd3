/* SPDX-License-Identifier: MIT */
/* The outbox: messages until they are sent and, at QoS 1 and 2, acknowledged. */
#include <string.h>

#include "mqtt_internal.h"

enum { ID_WINDOW = 1024, ALIAS_EXTRA = 16 };

/* ---- The list */

static uint32_t cost_of(const struct sos_mqtt_outgoing_ *outgoing)
{
    return (uint32_t)sizeof *outgoing + outgoing->size;
}

/* Behind all that have a lower key. */
void sos_mqtt_append_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    struct sos_mqtt_outgoing_ *before = mqtt->last;
    while (before != NULL && before->key > outgoing->key)
        before = before->prev;
    outgoing->prev = before;
    outgoing->next = before != NULL ? before->next : mqtt->first;
    *(outgoing->next != NULL ? &outgoing->next->prev : &mqtt->last) = outgoing;
    *(before != NULL ? &before->next : &mqtt->first) = outgoing;
    if (mqtt->cursor == NULL || mqtt->cursor == outgoing->next)
        mqtt->cursor = outgoing;
    outgoing->listed = true;
    mqtt->state.messages++;
    mqtt->state.bytes += cost_of(outgoing);
    mqtt->unsent_0 += outgoing->qos == 0;
    sos_event_clear(&mqtt->empty);
}

void sos_mqtt_unlist_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, bool kept)
{
    *(outgoing->next != NULL ? &outgoing->next->prev : &mqtt->last) = outgoing->prev;
    *(outgoing->prev != NULL ? &outgoing->prev->next : &mqtt->first) = outgoing->next;
    if (mqtt->cursor == outgoing)
        mqtt->cursor = outgoing->next;
    if (outgoing->counted)
        mqtt->state.in_flight--;
    outgoing->listed = outgoing->counted = false;
    mqtt->state.messages--;
    mqtt->state.bytes -= cost_of(outgoing);
    mqtt->unsent_0 -= outgoing->qos == 0;
    if (!kept)
        sos_mqtt_record_gone_(mqtt, outgoing);
    sos_event_set(&mqtt->room);
    if (mqtt->first == NULL)
        sos_event_set(&mqtt->empty);
}

static void end(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, int status, bool kept)
{
    sos_mqtt_unlist_(mqtt, outgoing, kept);
    outgoing->status = status;
    if (outgoing->awaited)
        sos_event_set(&outgoing->done);
    else
        sos_mqtt_outgoing_free_(mqtt->os, outgoing);
}

void sos_mqtt_finish_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, int status)
{
    end(mqtt, outgoing, status, false);
}

/* What is in the store stays there for the next client. */
void sos_mqtt_outbox_end_(sos_mqtt *mqtt, int status)
{
    while (mqtt->first != NULL)
        end(mqtt, mqtt->first, status, true);
}

/* ---- Packet identifiers: the next that is free. How many follow it freely is remembered. */

struct ids {
    uint32_t bits[ID_WINDOW / 32];
    uint16_t start;
};

static void mark(struct ids *ids, uint16_t id)
{
    uint16_t at = (uint16_t)(id - ids->start);
    if (at < ID_WINDOW)
        ids->bits[at / 32] |= 1u << at % 32;
}

static void mark_all(const sos_mqtt *mqtt, struct ids *ids)
{
    mark(ids, 0); /* is none [MQTT-2.2.1-3] */
    for (const struct sos_mqtt_outgoing_ *each = mqtt->first; each != NULL; each = each->next)
        if (each->qos != 0)
            mark(ids, each->id);
    for (const struct sos_mqtt_question_ *each = mqtt->questions; each != NULL; each = each->next)
        mark(ids, each->id);
}

static bool is_marked(const struct ids *ids, unsigned at)
{
    return (ids->bits[at / 32] >> at % 32 & 1) != 0;
}

static bool find_free(sos_mqtt *mqtt, uint16_t start)
{
    struct ids ids = { .start = start };
    unsigned at = 0;
    mark_all(mqtt, &ids);
    while (at < ID_WINDOW && is_marked(&ids, at))
        at++;
    if (at == ID_WINDOW)
        return false;
    mqtt->last_id = (uint16_t)(start + at - 1);
    for (mqtt->ids_free = 0; at < ID_WINDOW && !is_marked(&ids, at); at++)
        mqtt->ids_free++;
    return true;
}

uint16_t sos_mqtt_next_id_(sos_mqtt *mqtt)
{
    uint32_t start = mqtt->last_id + 1u;
    if (mqtt->ids_free == 0)
        for (uint32_t looked = 0; !find_free(mqtt, (uint16_t)(start + looked));)
            if ((looked += ID_WINDOW) > UINT16_MAX)
                return 0;
    mqtt->ids_free--;
    return ++mqtt->last_id;
}

/* ---- Adding */

static bool is_unsent(const struct sos_mqtt_outgoing_ *outgoing)
{
    return outgoing->stage == SOS_MQTT_WAITING_;
}

static bool has_room(const sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    return mqtt->outbox_limit == 0 || mqtt->state.bytes + cost_of(outgoing) <= mqtt->outbox_limit;
}

static bool same_topic(const struct sos_mqtt_outgoing_ *a, const struct sos_mqtt_outgoing_ *b)
{
    return a->topic_size == b->topic_size &&
           memcmp(a->packet + a->topic_at, b->packet + b->topic_at, a->topic_size) == 0;
}

static void drop(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    mqtt->state.dropped++;
    sos_mqtt_finish_(mqtt, outgoing, SOS_ELIMIT);
}

static void drop_same_topic(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    struct sos_mqtt_outgoing_ *each = mqtt->cursor;
    while (each != NULL) {
        struct sos_mqtt_outgoing_ *next = each->next;
        if (is_unsent(each) && same_topic(each, outgoing))
            drop(mqtt, each);
        each = next;
    }
}

static void drop_oldest(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    struct sos_mqtt_outgoing_ *each = mqtt->cursor;
    while (each != NULL && !has_room(mqtt, outgoing)) {
        struct sos_mqtt_outgoing_ *next = each->next;
        if (is_unsent(each))
            drop(mqtt, each);
        each = next;
    }
}

static void apply_policy(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    if (mqtt->policy == SOS_MQTT_NEWEST_PER_TOPIC)
        drop_same_topic(mqtt, outgoing);
    else if (mqtt->policy == SOS_MQTT_DROP_OLDEST)
        drop_oldest(mqtt, outgoing);
}

/* While there is a connection room will come. */
static bool must_wait(const sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    if (outgoing->qos == 0 &&
        (mqtt->unsent_0 != 0 || sos_stream_unsent(mqtt->stream) >= SOS_MQTT_OUTPUT_HIGH_))
        return true;
    return !has_room(mqtt, outgoing);
}

static int refusal(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing, bool may_wait)
{
    if (mqtt->error != 0)
        return mqtt->error;
    if (mqtt->outbox_limit != 0 && cost_of(outgoing) > mqtt->outbox_limit)
        return SOS_ELIMIT;
    if (may_wait && mqtt->up) {
        if (!must_wait(mqtt, outgoing))
            return SOS_OK;
        sos_event_clear(&mqtt->room);
        return SOS_EAGAIN;
    }
    apply_policy(mqtt, outgoing);
    return has_room(mqtt, outgoing) ? SOS_OK : SOS_ELIMIT;
}

static void set_id(struct sos_mqtt_outgoing_ *outgoing, uint16_t id)
{
    outgoing->id = id;
    outgoing->packet[outgoing->id_at] = (unsigned char)(id >> 8);
    outgoing->packet[outgoing->id_at + 1] = (unsigned char)id;
}

int sos_mqtt_submit_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, bool may_wait)
{
    int status = refusal(mqtt, outgoing, may_wait);
    if (status != SOS_OK)
        return status;
    if (outgoing->qos != 0) {
        uint16_t id = sos_mqtt_next_id_(mqtt);
        if (id == 0)
            return SOS_ELIMIT;
        set_id(outgoing, id);
    }
    outgoing->key = ++mqtt->last_key;
    sos_mqtt_append_(mqtt, outgoing);
    if (outgoing->qos != 0)
        sos_mqtt_record_(mqtt, outgoing);
    sos_mqtt_pump_(mqtt);
    return SOS_OK;
}

/* ---- Sending */

int sos_mqtt_why_not_(const sos_mqtt *mqtt, int qos, bool retain, uint32_t size)
{
    const struct sos_mqtt_state *state = &mqtt->state;
    if (qos > state->maximum_qos || (retain && state->no_retain))
        return SOS_ENOTSUP;
    return state->max_packet_size != 0 && size > state->max_packet_size ? SOS_ELIMIT : SOS_OK;
}

/* With a topic alias: the packet is written anew. */
static int put_aliased(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    struct sos_mqtt_rules_ rules = { mqtt->version, SOS_MQTT_CLIENT_, 0 };
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    size_t room = outgoing->size + ALIAS_EXTRA;
    char *to = sos_stream_room(mqtt->stream, room);
    if (to == NULL) {
        sos_mqtt_break_(mqtt, SOS_ENOMEM, 0, "no memory for a message");
        return SOS_ENOMEM;
    }
    (void)sos_mqtt_read_(&rules, outgoing->packet, outgoing->size, &packet, &error);
    packet.publish.dup = outgoing->stage == SOS_MQTT_SENT_;
    sos_mqtt_alias_write_(&mqtt->aliases_out, &packet.publish);
    int size = sos_mqtt_write_(&rules, &packet, to, room, &error);
    if (size < 0)
        return size;
    int status = sos_stream_put(mqtt->stream, NULL, (size_t)size);
    sos_event_set(&mqtt->dirty);
    return status;
}

/* One that first says its alias grows, which the server must allow too. */
static bool may_alias(const sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    uint32_t most = mqtt->state.max_packet_size;
    return mqtt->aliases_out.maximum != 0 &&
           (most == 0 || (uint64_t)outgoing->size + ALIAS_EXTRA <= most);
}

static int put_publish(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    if (may_alias(mqtt, outgoing))
        return put_aliased(mqtt, outgoing);
    outgoing->packet[0] &= 0xF7;
    if (outgoing->stage == SOS_MQTT_SENT_)
        outgoing->packet[0] |= 8; /* DUP */
    return sos_mqtt_put_bytes_(mqtt, outgoing->packet, outgoing->size);
}

static void sent(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    if (outgoing->qos == 0) {
        sos_mqtt_finish_(mqtt, outgoing, SOS_OK);
        return;
    }
    bool first = outgoing->stage == SOS_MQTT_WAITING_;
    outgoing->counted = true;
    mqtt->state.in_flight++;
    mqtt->cursor = outgoing->next;
    if (!first)
        return;
    outgoing->stage = SOS_MQTT_SENT_;
    if (outgoing->qos == 2)
        sos_mqtt_record_stage_(mqtt, outgoing);
}

/* The one at the cursor. False: the stream takes no more now. */
static bool send_next(sos_mqtt *mqtt)
{
    struct sos_mqtt_outgoing_ *outgoing = mqtt->cursor;
    bool is_released = outgoing->stage == SOS_MQTT_RELEASED_;
    int status = is_released ? SOS_OK
                             : sos_mqtt_why_not_(mqtt, outgoing->qos,
                                                 (outgoing->packet[0] & 1) != 0, outgoing->size);
    if (status != SOS_OK) {
        mqtt->state.dropped++;
        sos_mqtt_finish_(mqtt, outgoing, status);
        return true;
    }
    status = is_released ? sos_mqtt_put_ack_(mqtt, SOS_MQTT_PUBREL_, outgoing->id, 0)
                         : put_publish(mqtt, outgoing);
    if (status != SOS_OK)
        return false;
    sent(mqtt, outgoing);
    return true;
}

static uint32_t window(const sos_mqtt *mqtt)
{
    uint16_t theirs = mqtt->state.receive_maximum;
    return theirs < mqtt->max_in_flight ? theirs : mqtt->max_in_flight;
}

void sos_mqtt_pump_(sos_mqtt *mqtt)
{
    while (mqtt->up && mqtt->broken == 0 && mqtt->cursor != NULL &&
           sos_stream_unsent(mqtt->stream) < SOS_MQTT_OUTPUT_HIGH_) {
        if (mqtt->cursor->qos != 0 && mqtt->state.in_flight >= window(mqtt))
            return;
        if (!send_next(mqtt))
            return;
    }
}

/* ---- Acknowledgements */

static struct sos_mqtt_outgoing_ *find_in_flight(const sos_mqtt *mqtt, uint16_t id)
{
    struct sos_mqtt_outgoing_ *each = mqtt->first;
    while (each != mqtt->cursor && each->id != id)
        each = each->next;
    return each != mqtt->cursor ? each : NULL;
}

static void acknowledged(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, int type,
                         const struct sos_mqtt_ack_ *ack)
{
    bool refused = ack->reason >= 0x80 && type != SOS_MQTT_PUBCOMP_;
    if (outgoing->answer != NULL && type != SOS_MQTT_PUBCOMP_)
        sos_mqtt_tell_(outgoing->answer, &mqtt->in, type, ack->reason, &ack->properties);
    sos_mqtt_finish_(mqtt, outgoing, refused ? SOS_ESERVER : SOS_OK);
    sos_mqtt_pump_(mqtt);
}

static void release(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing,
                    const struct sos_mqtt_ack_ *ack)
{
    if (outgoing->answer != NULL)
        sos_mqtt_tell_(outgoing->answer, &mqtt->in, SOS_MQTT_PUBREC_, ack->reason,
                       &ack->properties);
    if (outgoing->stage == SOS_MQTT_SENT_) {
        outgoing->stage = SOS_MQTT_RELEASED_;
        sos_mqtt_record_stage_(mqtt, outgoing);
    }
    (void)sos_mqtt_put_ack_(mqtt, SOS_MQTT_PUBREL_, outgoing->id, 0);
}

bool sos_mqtt_acked_(sos_mqtt *mqtt, int type, const struct sos_mqtt_ack_ *ack)
{
    struct sos_mqtt_outgoing_ *outgoing = find_in_flight(mqtt, ack->id);
    if (outgoing == NULL || (type == SOS_MQTT_PUBACK_) != (outgoing->qos == 1) ||
        (type == SOS_MQTT_PUBCOMP_ && outgoing->stage != SOS_MQTT_RELEASED_))
        return false;
    if (type == SOS_MQTT_PUBREC_ && ack->reason < 0x80)
        release(mqtt, outgoing, ack);
    else
        acknowledged(mqtt, outgoing, type, ack);
    return true;
}

/* ---- From one connection to the next */

void sos_mqtt_outbox_lost_(sos_mqtt *mqtt)
{
    for (struct sos_mqtt_outgoing_ *each = mqtt->first; each != NULL; each = each->next)
        each->counted = false;
    mqtt->cursor = mqtt->first;
    mqtt->state.in_flight = 0;
}

/*
 * The server has forgotten the session: what it had at QoS 2 has arrived when it was released;
 * before, nobody can know. QoS 1 is sent as if it were new.
 */
static void start_over(sos_mqtt *mqtt)
{
    struct sos_mqtt_outgoing_ *each = mqtt->first;
    while (each != NULL) {
        struct sos_mqtt_outgoing_ *next = each->next;
        if (each->qos == 1) {
            each->stage = SOS_MQTT_WAITING_;
        } else if (each->stage == SOS_MQTT_RELEASED_) {
            sos_mqtt_finish_(mqtt, each, SOS_OK);
        } else if (each->stage == SOS_MQTT_SENT_) {
            mqtt->state.uncertain++;
            sos_mqtt_finish_(mqtt, each, SOS_ECONNRESET);
        }
        each = next;
    }
}

void sos_mqtt_outbox_resume_(sos_mqtt *mqtt, bool session_present)
{
    if (!session_present)
        start_over(mqtt);
    sos_mqtt_pump_(mqtt);
}

/* ---- Taking out */

static int unpack(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing,
                  struct sos_mqtt_message *message)
{
    struct sos_mqtt_rules_ rules = { mqtt->version, SOS_MQTT_CLIENT_, 0 };
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    (void)sos_mqtt_read_(&rules, outgoing->packet, outgoing->size, &packet, &error);
    struct sos_mqtt_incoming_ *copy = sos_mqtt_incoming_new_(mqtt->os, &packet.publish);
    if (copy == NULL)
        return SOS_ENOMEM;
    copy->holders = 1;
    *message = copy->message;
    return SOS_OK;
}

int sos_mqtt_take_unsent(sos_mqtt *mqtt, struct sos_mqtt_message *message)
{
    struct sos_mqtt_outgoing_ *each = mqtt->cursor;
    sos_mqtt_message_free(message);
    while (each != NULL && !is_unsent(each))
        each = each->next;
    if (each == NULL)
        return SOS_EAGAIN;
    int status = unpack(mqtt, each, message);
    if (status == SOS_OK)
        sos_mqtt_finish_(mqtt, each, SOS_ECANCELED);
    return status;
}
