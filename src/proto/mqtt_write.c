/* SPDX-License-Identifier: MIT */
/*
 * Writing MQTT packets (chapter 3). Each packet is put twice: first into nothing, which checks it
 * and tells its length, then into the buffer.
 */
#include "proto/mqtt_wire.h"

#include <string.h>

/* ---- What several packets have */

static void put_id(struct sos_mqtt_out_ *out, uint16_t id)
{
    if (id == 0)
        sos_mqtt_forbid_(out, "a packet identifier is not 0 [MQTT-2.2.1-3] [MQTT-2.2.1-4] "
                              "(3.1.1: [MQTT-2.3.1-1])");
    sos_mqtt_put_(out, id, 2);
}

static void put_reason(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules, int type,
                       uint8_t reason)
{
    if (out->data == NULL && sos_mqtt_reason_(rules, type, reason) == NULL)
        sos_mqtt_forbid_(out, "the code is one of this packet by this sender (2.4)");
    sos_mqtt_put_(out, reason, 1);
}

/* Code and properties where both may be left out: 3.4.2.1, 3.14.2.1, 3.15.2.1. */
static void put_optional(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules, int type,
                         uint8_t reason, const struct sos_mqtt_properties_ *properties)
{
    if (rules->version != SOS_MQTT_5_ && (reason != 0 || properties->has != 0))
        sos_mqtt_forbid_(out, "version 3.1.1 has neither code nor properties here");
    if (rules->version != SOS_MQTT_5_ || (reason == 0 && properties->has == 0))
        return;
    put_reason(out, rules, type, reason);
    if (properties->has != 0 || type == SOS_MQTT_AUTH_)
        sos_mqtt_put_properties_(out, rules, type, properties);
}

/* ---- CONNECT, 3.1 */

static void check_connect(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules,
                          const struct sos_mqtt_connect_ *connect)
{
    bool is_3 = connect->version == SOS_MQTT_3_;
    if (!is_3 && connect->version != SOS_MQTT_5_)
        sos_mqtt_forbid_(out, "the version is 4 (3.1.1) or 5 [MQTT-3.1.2-2]");
    if (rules->version != 0 && rules->version != connect->version)
        sos_mqtt_forbid_(out, "the version of CONNECT is that of the connection");
    if (is_3 && connect->password.data != NULL && connect->user.data == NULL)
        sos_mqtt_forbid_(out, "a password comes with a user name (3.1.1: [MQTT-3.1.2-22])");
    if (is_3 && connect->client_id.size == 0 && !connect->clean_start)
        sos_mqtt_forbid_(out, "an empty client identifier asks for a clean session "
                              "(3.1.1: [MQTT-3.1.3-7])");
    if (connect->will.qos > 2)
        sos_mqtt_forbid_(out, "the QoS of a will is 0, 1 or 2 [MQTT-3.1.2-12] "
                              "(3.1.1: [MQTT-3.1.2-14])");
    if (connect->will.topic.data == NULL && (connect->will.qos != 0 || connect->will.retain))
        sos_mqtt_forbid_(out, "without a will there is neither its QoS nor its retain flag "
                              "[MQTT-3.1.2-11] [MQTT-3.1.2-13]");
}

static void put_connect(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *before,
                        const struct sos_mqtt_connect_ *connect)
{
    const struct sos_mqtt_will_ *will = &connect->will;
    struct sos_mqtt_rules_ rules = *before;
    bool has_will = will->topic.data != NULL;
    check_connect(out, before, connect);
    rules.version = connect->version;
    unsigned flags = connect->clean_start ? 0x02 : 0;
    flags |= has_will ? 0x04u | (unsigned)will->qos << 3 | (will->retain ? 0x20u : 0) : 0;
    flags |= connect->password.data != NULL ? 0x40 : 0;
    flags |= connect->user.data != NULL ? 0x80 : 0;
    sos_mqtt_put_binary_(out, SOS_MQTT_SLICE_("MQTT"));
    sos_mqtt_put_(out, connect->version, 1);
    sos_mqtt_put_(out, flags, 1);
    sos_mqtt_put_(out, connect->keep_alive, 2);
    sos_mqtt_put_properties_(out, &rules, SOS_MQTT_CONNECT_, &connect->properties);
    sos_mqtt_put_string_(out, connect->client_id);
    if (has_will) {
        sos_mqtt_put_properties_(out, &rules, SOS_MQTT_WILL_, &will->properties);
        sos_mqtt_put_topic_(out, will->topic);
        sos_mqtt_put_binary_(out, will->payload);
    }
    if (connect->user.data != NULL)
        sos_mqtt_put_string_(out, connect->user);
    if (connect->password.data != NULL)
        sos_mqtt_put_binary_(out, connect->password);
}

/* ---- CONNACK, 3.2 */

static void put_connack(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules,
                        const struct sos_mqtt_connack_ *connack)
{
    if (connack->reason != 0 && connack->session_present)
        sos_mqtt_forbid_(out, "no session is present where the connection is refused "
                              "[MQTT-3.2.2-6] (3.1.1: [MQTT-3.2.2-4])");
    sos_mqtt_put_(out, connack->session_present, 1);
    put_reason(out, rules, SOS_MQTT_CONNACK_, connack->reason);
    sos_mqtt_put_properties_(out, rules, SOS_MQTT_CONNACK_, &connack->properties);
}

/* ---- PUBLISH, 3.3 */

static unsigned publish_flags(const struct sos_mqtt_publish_ *publish)
{
    return (publish->dup ? 8u : 0) | (publish->qos & 3u) << 1 | (publish->retain ? 1u : 0);
}

static void put_publish_head(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules,
                             const struct sos_mqtt_publish_ *publish)
{
    bool has_alias = (publish->properties.has & SOS_MQTT_HAS_TOPIC_ALIAS_) != 0;
    if (publish->qos > 2)
        sos_mqtt_forbid_(out, "the QoS is 0, 1 or 2 [MQTT-3.3.1-4]");
    if (publish->qos == 0 && publish->dup)
        sos_mqtt_forbid_(out, "DUP is 0 at QoS 0 [MQTT-3.3.1-2]");
    if (publish->qos == 0 && publish->id != 0)
        sos_mqtt_forbid_(out, "there is no packet identifier at QoS 0 [MQTT-2.2.1-2] "
                              "(3.1.1: [MQTT-2.3.1-5])");
    if (publish->topic.size == 0 && has_alias && rules->version == SOS_MQTT_5_)
        sos_mqtt_put_binary_(out, publish->topic);
    else
        sos_mqtt_put_topic_(out, publish->topic);
    if (publish->qos != 0)
        put_id(out, publish->id);
    sos_mqtt_put_properties_(out, rules, SOS_MQTT_PUBLISH_, &publish->properties);
}

/* ---- SUBSCRIBE, UNSUBSCRIBE, and their acknowledgements: 3.8 to 3.11 */

static void put_filter(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules, int type,
                       const struct sos_mqtt_filter_ *filter)
{
    uint32_t at;
    if (out->data == NULL)
        sos_mqtt_forbid_(out, sos_mqtt_filter_rule_(rules->version, filter->filter, &at));
    sos_mqtt_put_binary_(out, filter->filter);
    if (type != SOS_MQTT_SUBSCRIBE_)
        return;
    sos_mqtt_forbid_(out, sos_mqtt_filter_option_rule_(rules->version, filter));
    sos_mqtt_put_(out,
                  filter->qos | (filter->no_local ? 4u : 0) |
                      (filter->retain_as_published ? 8u : 0) |
                      (unsigned)filter->retain_handling << 4,
                  1);
}

static void put_subscribe(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules, int type,
                          const struct sos_mqtt_subscribe_ *subscribe)
{
    struct sos_mqtt_filter_ filter;
    uint32_t at = 0;
    put_id(out, subscribe->id);
    sos_mqtt_put_properties_(out, rules, type, &subscribe->properties);
    uint64_t begin = out->size;
    while (sos_mqtt_next_filter_(rules, type, subscribe, &at, &filter))
        put_filter(out, rules, type, &filter);
    if (out->size == begin)
        sos_mqtt_forbid_(out, "there is a topic filter [MQTT-3.8.3-2] [MQTT-3.10.3-2] "
                              "(3.1.1: [MQTT-3.8.3-3] [MQTT-3.10.3-2])");
}

static void put_suback(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules, int type,
                       const struct sos_mqtt_suback_ *suback)
{
    put_id(out, suback->id);
    sos_mqtt_put_properties_(out, rules, type, &suback->properties);
    if (type == SOS_MQTT_UNSUBACK_ && rules->version == SOS_MQTT_3_) {
        if (suback->reasons.size != 0)
            sos_mqtt_forbid_(out, "UNSUBACK of version 3.1.1 has no codes (3.1.1: 3.11.3)");
        return;
    }
    if (suback->reasons.size == 0)
        sos_mqtt_forbid_(out, "there is a code for each topic filter [MQTT-3.8.4-6] "
                              "[MQTT-3.11.3-1]");
    for (uint32_t index = 0; index < suback->reasons.size; index++)
        put_reason(out, rules, type, (uint8_t)suback->reasons.data[index]);
}

/* ---- Any packet */

/* Everything behind the fixed header, except the payload of PUBLISH. */
static void put_body(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules,
                     const struct sos_mqtt_packet_ *packet)
{
    int type = packet->type;
    switch (type) {
    case SOS_MQTT_CONNECT_:
        put_connect(out, rules, &packet->connect);
        break;
    case SOS_MQTT_CONNACK_:
        put_connack(out, rules, &packet->connack);
        break;
    case SOS_MQTT_PUBACK_:
    case SOS_MQTT_PUBREC_:
    case SOS_MQTT_PUBREL_:
    case SOS_MQTT_PUBCOMP_:
        put_id(out, packet->ack.id);
        put_optional(out, rules, type, packet->ack.reason, &packet->ack.properties);
        break;
    case SOS_MQTT_SUBSCRIBE_:
    case SOS_MQTT_UNSUBSCRIBE_:
        put_subscribe(out, rules, type, &packet->subscribe);
        break;
    case SOS_MQTT_SUBACK_:
    case SOS_MQTT_UNSUBACK_:
        put_suback(out, rules, type, &packet->suback);
        break;
    case SOS_MQTT_DISCONNECT_:
    case SOS_MQTT_AUTH_:
        put_optional(out, rules, type, packet->notice.reason, &packet->notice.properties);
        break;
    default:
        break;
    }
}

static void put_header(struct sos_mqtt_out_ *out, int type, unsigned flags, uint64_t length)
{
    sos_mqtt_put_(out, (unsigned)type << 4 | flags, 1);
    sos_mqtt_put_varint_(out, (uint32_t)length);
}

/* The size of the whole packet, or why it must not be. */
static int check_size(const struct sos_mqtt_rules_ *rules, const struct sos_mqtt_out_ *counted,
                      uint64_t length, struct sos_mqtt_error_ *error)
{
    uint64_t limit = rules->max_packet_size != 0 ? rules->max_packet_size : UINT32_MAX;
    *error = (struct sos_mqtt_error_){ { counted->rule, 0 }, counted->subject, 0 };
    if (counted->rule != NULL)
        return SOS_EINVAL;
    if (length > SOS_MQTT_LENGTH_MAX_) {
        error->syntax.rule = "what follows the fixed header has at most 268,435,455 bytes (2.1.4)";
        return SOS_EINVAL;
    }
    uint64_t size = 1 + sos_mqtt_varint_size_((uint32_t)length) + length;
    if (size > limit) {
        error->syntax.rule = "a packet is no larger than its receiver allows [MQTT-3.1.2-24] "
                             "[MQTT-3.2.2-15]";
        return SOS_ELIMIT;
    }
    return (int)size;
}

static int write_publish(const struct sos_mqtt_rules_ *rules,
                         const struct sos_mqtt_publish_ *publish, bool payload, void *buffer,
                         size_t capacity, struct sos_mqtt_error_ *error)
{
    struct sos_mqtt_out_ out = { 0 };
    put_publish_head(&out, rules, publish);
    uint64_t length = out.size + publish->payload.size;
    int size = check_size(rules, &out, length, error);
    if (size < 0)
        return size;
    if (!payload)
        size -= (int)publish->payload.size;
    if (buffer == NULL || (size_t)size > capacity)
        return size;
    out = (struct sos_mqtt_out_){ .data = buffer };
    put_header(&out, SOS_MQTT_PUBLISH_, publish_flags(publish), length);
    put_publish_head(&out, rules, publish);
    if (payload)
        sos_mqtt_put_raw_(&out, publish->payload);
    return size;
}

int sos_mqtt_write_publish_head_(const struct sos_mqtt_rules_ *rules,
                                 const struct sos_mqtt_publish_ *publish, void *buffer,
                                 size_t capacity, struct sos_mqtt_error_ *error)
{
    return write_publish(rules, publish, false, buffer, capacity, error);
}

int sos_mqtt_write_(const struct sos_mqtt_rules_ *rules, const struct sos_mqtt_packet_ *packet,
                    void *buffer, size_t capacity, struct sos_mqtt_error_ *error)
{
    struct sos_mqtt_out_ out = { 0 };
    int type = packet->type;
    if (type == SOS_MQTT_PUBLISH_)
        return write_publish(rules, &packet->publish, true, buffer, capacity, error);
    if (!sos_mqtt_is_sent_(rules, type))
        sos_mqtt_forbid_(&out, "packets of this type are not sent by this end (2.1.2)");
    put_body(&out, rules, packet);
    uint64_t length = out.size;
    int size = check_size(rules, &out, length, error);
    if (size < 0 || buffer == NULL || (size_t)size > capacity)
        return size;
    bool reserved_2 = type == SOS_MQTT_PUBREL_ || type == SOS_MQTT_SUBSCRIBE_ ||
                      type == SOS_MQTT_UNSUBSCRIBE_;
    out = (struct sos_mqtt_out_){ .data = buffer };
    put_header(&out, type, reserved_2 ? 2 : 0, length);
    put_body(&out, rules, packet);
    return size;
}
