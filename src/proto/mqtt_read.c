/* SPDX-License-Identifier: MIT */
/* Reading MQTT packets (chapter 3). */
#include "proto/mqtt_wire.h"

#include <string.h>

enum { MALFORMED = SOS_MQTT_MALFORMED_PACKET_, PROTOCOL = SOS_MQTT_PROTOCOL_ERROR_ };

/* ---- The fixed header */

bool sos_mqtt_is_sent_(const struct sos_mqtt_rules_ *rules, int type)
{
    enum { C = SOS_MQTT_CLIENT_, S = SOS_MQTT_SERVER_ };
    static const uint8_t senders[] = { 0, C, S, C | S, C | S, C | S, C | S, C | S,
                                       C, S, C, S,     C,     S,     C | S, C | S };
    if (type <= 0 || type > SOS_MQTT_AUTH_)
        return false;
    unsigned by = senders[type];
    if (rules->version != SOS_MQTT_5_ && type >= SOS_MQTT_DISCONNECT_)
        by = type == SOS_MQTT_DISCONNECT_ ? C : 0;
    return (by & rules->sender) != 0;
}

/* [MQTT-2.1.3-1], 3.1.1: [MQTT-2.2.2-1] */
static const char *flags_rule(int type, unsigned flags)
{
    unsigned qos = flags >> 1 & 3;
    switch (type) {
    case SOS_MQTT_PUBLISH_:
        if (qos == 3)
            return "the QoS is 0, 1 or 2 [MQTT-3.3.1-4]";
        return qos == 0 && (flags & 8) != 0 ? "DUP is 0 at QoS 0 [MQTT-3.3.1-2]" : NULL;
    case SOS_MQTT_PUBREL_:
        return flags == 2 ? NULL : "the flags of PUBREL are 0010 [MQTT-3.6.1-1]";
    case SOS_MQTT_SUBSCRIBE_:
        return flags == 2 ? NULL : "the flags of SUBSCRIBE are 0010 [MQTT-3.8.1-1]";
    case SOS_MQTT_UNSUBSCRIBE_:
        return flags == 2 ? NULL : "the flags of UNSUBSCRIBE are 0010 [MQTT-3.10.1-1]";
    default:
        return flags == 0 ? NULL : "reserved flags are 0 [MQTT-2.1.3-1] (3.1.1: [MQTT-2.2.2-1])";
    }
}

static void check_type(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                       unsigned flags)
{
    const char *rule = flags_rule(type, flags);
    if (type == 0 || (type == SOS_MQTT_AUTH_ && rules->version == SOS_MQTT_3_))
        sos_mqtt_refuse_(in, 0, MALFORMED, "packets of this type are reserved (2.1.2)");
    else if (rules->version == 0 && type != SOS_MQTT_CONNECT_)
        sos_mqtt_refuse_(in, 0, PROTOCOL, "the first packet is CONNECT [MQTT-3.1.0-1]");
    else if (!sos_mqtt_is_sent_(rules, type))
        sos_mqtt_refuse_(in, 0, PROTOCOL,
                         "the other end does not send packets of this type (2.1.2)");
    else if (rule != NULL)
        sos_mqtt_refuse_(in, 0, MALFORMED, rule);
}

/* Section 2.2.3 of version 3.1.1 does not ask for the shortest form. */
static void check_minimal(struct sos_mqtt_in_ *in, const struct sos_mqtt_header_ *header)
{
    if (header->size != 1 + sos_mqtt_varint_size_(header->length))
        sos_mqtt_refuse_(in, header->size - 1u, MALFORMED, sos_mqtt_minimal_rule_);
}

int sos_mqtt_read_header_(const struct sos_mqtt_rules_ *rules, const void *data, size_t size,
                          struct sos_mqtt_header_ *header, struct sos_mqtt_error_ *error)
{
    struct sos_mqtt_in_ in = { .data = data, .error = error };
    *error = (struct sos_mqtt_error_){ 0 };
    if (size == 0)
        return SOS_PARTIAL_;
    header->type = in.data[0] >> 4;
    header->flags = in.data[0] & 15;
    check_type(&in, rules, header->type, header->flags);
    if (in.refused)
        return SOS_EPROTO;
    int length_size = sos_mqtt_read_varint_(in.data + 1, size - 1, &header->length);
    if (length_size == SOS_PARTIAL_)
        return SOS_PARTIAL_;
    header->size = (uint8_t)(1 + length_size);
    if (length_size < 0)
        sos_mqtt_refuse_(&in, 4, MALFORMED, sos_mqtt_varint_rule_);
    else if (rules->version == SOS_MQTT_5_)
        check_minimal(&in, header);
    if (in.refused)
        return SOS_EPROTO;
    if (rules->max_packet_size != 0 && header->size + header->length > rules->max_packet_size) {
        sos_mqtt_refuse_(&in, 1, SOS_MQTT_PACKET_TOO_LARGE_,
                         "a packet is no larger than its receiver allows [MQTT-3.1.2-24] "
                         "[MQTT-3.2.2-15]");
        return SOS_ELIMIT;
    }
    return header->size;
}

/* ---- What several packets have */

static uint16_t take_id(struct sos_mqtt_in_ *in)
{
    uint32_t at = in->at, id = sos_mqtt_take_(in, 2);
    if (id == 0)
        sos_mqtt_refuse_(in, at, PROTOCOL,
                         "a packet identifier is not 0 [MQTT-2.2.1-3] [MQTT-2.2.1-4] "
                         "(3.1.1: [MQTT-2.3.1-1])");
    return (uint16_t)id;
}

static void check_reason(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                         uint32_t at, int reason)
{
    static const char *const rules_by_type[] = {
        [SOS_MQTT_CONNACK_] = "the code is one of CONNACK [MQTT-3.2.2-8] (3.1.1: 3.2.2.3)",
        [SOS_MQTT_PUBACK_] = "the code is one of PUBACK by this sender [MQTT-3.4.2-1]",
        [SOS_MQTT_PUBREC_] = "the code is one of PUBREC by this sender [MQTT-3.5.2-1]",
        [SOS_MQTT_PUBREL_] = "the code is one of PUBREL [MQTT-3.6.2-1]",
        [SOS_MQTT_PUBCOMP_] = "the code is one of PUBCOMP [MQTT-3.7.2-1]",
        [SOS_MQTT_SUBACK_] = "the code is one of SUBACK [MQTT-3.9.3-2]",
        [SOS_MQTT_UNSUBACK_] = "the code is one of UNSUBACK [MQTT-3.11.3-2]",
        [SOS_MQTT_DISCONNECT_] = "the code is one of DISCONNECT by this sender [MQTT-3.14.2-1]",
        [SOS_MQTT_AUTH_] = "the code is one of AUTH by this sender [MQTT-3.15.2-1]",
    };
    if (sos_mqtt_reason_(rules, type, reason) == NULL)
        sos_mqtt_refuse_(in, at, PROTOCOL, rules_by_type[type]);
}

static uint8_t take_reason(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type)
{
    uint32_t at = in->at, reason = sos_mqtt_take_(in, 1);
    check_reason(in, rules, type, at, (int)reason);
    return (uint8_t)reason;
}

/* ---- CONNECT, 3.1 */

enum { CLEAN = 0x02, WILL = 0x04, WILL_RETAIN = 0x20, PASSWORD = 0x40, USER = 0x80 };

static const char *connect_flags_rule(int version, unsigned flags)
{
    unsigned qos = flags >> 3 & 3;
    if ((flags & 1) != 0)
        return "the reserved flag of CONNECT is 0 [MQTT-3.1.2-3]";
    if (qos == 3)
        return "the QoS of a will is 0, 1 or 2 [MQTT-3.1.2-12] (3.1.1: [MQTT-3.1.2-14])";
    if ((flags & WILL) == 0 && qos != 0)
        return "without a will its QoS is 0 [MQTT-3.1.2-11] (3.1.1: [MQTT-3.1.2-13])";
    if ((flags & WILL) == 0 && (flags & WILL_RETAIN) != 0)
        return "without a will its retain flag is 0 [MQTT-3.1.2-13] (3.1.1: [MQTT-3.1.2-15])";
    if (version == SOS_MQTT_3_ && (flags & PASSWORD) != 0 && (flags & USER) == 0)
        return "a password comes with a user name (3.1.1: [MQTT-3.1.2-22])";
    return NULL;
}

static void take_protocol(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                          const struct sos_mqtt_header_ *header, struct sos_mqtt_connect_ *connect)
{
    uint32_t at = in->at;
    struct sos_mqtt_slice_ name = sos_mqtt_take_binary_(in);
    if (name.size != 4 || memcmp(name.data, "MQTT", 4) != 0)
        sos_mqtt_refuse_(in, at, SOS_MQTT_UNSUPPORTED_VERSION_,
                         "the protocol is named MQTT [MQTT-3.1.2-1]");
    at = in->at;
    connect->version = (uint8_t)sos_mqtt_take_(in, 1);
    if (connect->version != SOS_MQTT_3_ && connect->version != SOS_MQTT_5_)
        sos_mqtt_refuse_(in, at, SOS_MQTT_UNSUPPORTED_VERSION_,
                         "the version is 4 (3.1.1) or 5 [MQTT-3.1.2-2]");
    if (rules->version != 0 && rules->version != connect->version)
        sos_mqtt_refuse_(in, at, PROTOCOL, "the version of CONNECT is that of the connection");
    if (connect->version == SOS_MQTT_5_)
        check_minimal(in, header);
}

static void read_connect(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *before,
                         const struct sos_mqtt_header_ *header, struct sos_mqtt_connect_ *connect)
{
    struct sos_mqtt_rules_ rules = *before;
    take_protocol(in, before, header, connect);
    rules.version = connect->version;
    uint32_t at = in->at, flags = sos_mqtt_take_(in, 1);
    const char *rule = connect_flags_rule(connect->version, flags);
    if (rule != NULL)
        sos_mqtt_refuse_(in, at, MALFORMED, rule);
    connect->clean_start = (flags & CLEAN) != 0;
    connect->keep_alive = (uint16_t)sos_mqtt_take_(in, 2);
    sos_mqtt_take_properties_(in, &rules, SOS_MQTT_CONNECT_, &connect->properties);
    at = in->at;
    connect->client_id = sos_mqtt_take_string_(in);
    if (rules.version == SOS_MQTT_3_ && connect->client_id.size == 0 && !connect->clean_start)
        sos_mqtt_refuse_(in, at, SOS_MQTT_BAD_CLIENT_ID_,
                         "an empty client identifier asks for a clean session "
                         "(3.1.1: [MQTT-3.1.3-8])");
    if ((flags & WILL) != 0) {
        connect->will.qos = flags >> 3 & 3;
        connect->will.retain = (flags & WILL_RETAIN) != 0;
        sos_mqtt_take_properties_(in, &rules, SOS_MQTT_WILL_, &connect->will.properties);
        connect->will.topic = sos_mqtt_take_topic_(in);
        connect->will.payload = sos_mqtt_take_binary_(in);
    }
    if ((flags & USER) != 0)
        connect->user = sos_mqtt_take_string_(in);
    if ((flags & PASSWORD) != 0)
        connect->password = sos_mqtt_take_binary_(in);
}

/* ---- CONNACK, 3.2 */

static void read_connack(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                         struct sos_mqtt_connack_ *connack)
{
    uint32_t at = in->at, flags = sos_mqtt_take_(in, 1);
    if (flags > 1)
        sos_mqtt_refuse_(in, at, MALFORMED, "the reserved flags of CONNACK are 0 [MQTT-3.2.2-1]");
    connack->session_present = flags == 1;
    if (rules->version == SOS_MQTT_5_ && in->end - in->at == 1 && in->data[in->at] == 1)
        sos_mqtt_refuse_(in, in->at, SOS_MQTT_UNSUPPORTED_VERSION_,
                         "the server does not speak version 5 (3.1.1: 3.2.2.3)");
    connack->reason = take_reason(in, rules, SOS_MQTT_CONNACK_);
    if (connack->reason != 0 && connack->session_present)
        sos_mqtt_refuse_(in, at, PROTOCOL,
                         "no session is present where the connection is refused [MQTT-3.2.2-6] "
                         "(3.1.1: [MQTT-3.2.2-4])");
    sos_mqtt_take_properties_(in, rules, SOS_MQTT_CONNACK_, &connack->properties);
}

/* ---- PUBLISH, 3.3 */

static void take_topic_name(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                            struct sos_mqtt_publish_ *publish)
{
    bool may_be_empty = rules->version == SOS_MQTT_5_ && in->end - in->at >= 2 &&
                        in->data[in->at] == 0 && in->data[in->at + 1] == 0;
    publish->topic = may_be_empty ? sos_mqtt_take_binary_(in) : sos_mqtt_take_topic_(in);
}

static void read_publish(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                         const struct sos_mqtt_header_ *header, struct sos_mqtt_publish_ *publish)
{
    uint32_t at = in->at;
    publish->dup = (header->flags & 8) != 0;
    publish->qos = header->flags >> 1 & 3;
    publish->retain = (header->flags & 1) != 0;
    publish->id = 0;
    take_topic_name(in, rules, publish);
    if (publish->qos != 0)
        publish->id = take_id(in);
    sos_mqtt_take_properties_(in, rules, SOS_MQTT_PUBLISH_, &publish->properties);
    if (publish->topic.size == 0 && (publish->properties.has & SOS_MQTT_HAS_TOPIC_ALIAS_) == 0)
        sos_mqtt_refuse_(in, at, PROTOCOL,
                         "a topic name is empty only where a topic alias stands for it (3.3.2.1) "
                         "[MQTT-4.7.3-1]");
}

/* ---- SUBSCRIBE, UNSUBSCRIBE, and their acknowledgements: 3.8 to 3.11 */

const char *sos_mqtt_filter_option_rule_(int version, const struct sos_mqtt_filter_ *filter)
{
    if (filter->qos > 2)
        return "the QoS is 0, 1 or 2 (3.8.3.1) (3.1.1: [MQTT-3-8.3-4])";
    if (version == SOS_MQTT_3_ &&
        (filter->no_local || filter->retain_as_published || filter->retain_handling != 0))
        return "the reserved bits of the options are 0 (3.1.1: [MQTT-3-8.3-4])";
    if (filter->retain_handling > 2)
        return "the retain handling is 0, 1 or 2 (3.8.3.1)";
    if (version == SOS_MQTT_5_ && filter->no_local && sos_mqtt_is_shared_(filter->filter))
        return "a shared subscription is not No Local [MQTT-3.8.3-4]";
    return NULL;
}

static void take_options(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                         struct sos_mqtt_filter_ *filter)
{
    uint32_t at = in->at, options = sos_mqtt_take_(in, 1);
    filter->qos = options & 3;
    filter->no_local = (options & 4) != 0;
    filter->retain_as_published = (options & 8) != 0;
    filter->retain_handling = options >> 4 & 3;
    if (options > 0x3F)
        sos_mqtt_refuse_(in, at, MALFORMED,
                         "the reserved bits of the options are 0 [MQTT-3.8.3-5] "
                         "(3.1.1: [MQTT-3-8.3-4])");
    const char *rule = sos_mqtt_filter_option_rule_(rules->version, filter);
    if (rule != NULL)
        sos_mqtt_refuse_(in, at, rules->version == SOS_MQTT_3_ ? MALFORMED : PROTOCOL, rule);
}

static struct sos_mqtt_filter_ take_filter(struct sos_mqtt_in_ *in,
                                           const struct sos_mqtt_rules_ *rules, int type)
{
    struct sos_mqtt_filter_ filter = { .filter = sos_mqtt_take_binary_(in) };
    if (type == SOS_MQTT_SUBSCRIBE_)
        take_options(in, rules, &filter);
    return filter;
}

static void check_filter(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                         uint32_t begin, struct sos_mqtt_slice_ filter)
{
    uint32_t at = 0;
    const char *rule = sos_mqtt_filter_rule_(rules->version, filter, &at);
    if (rule != NULL)
        sos_mqtt_refuse_(in, begin + 2 + at, MALFORMED, rule);
}

static void read_subscribe(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                           struct sos_mqtt_subscribe_ *subscribe)
{
    subscribe->id = take_id(in);
    sos_mqtt_take_properties_(in, rules, type, &subscribe->properties);
    subscribe->encoded = (struct sos_mqtt_slice_){ (const char *)in->data + in->at,
                                                   in->end - in->at };
    subscribe->filters = NULL;
    subscribe->count = 0;
    if (in->at == in->end)
        sos_mqtt_refuse_(in, in->at, PROTOCOL,
                         "there is a topic filter [MQTT-3.8.3-2] [MQTT-3.10.3-2] "
                         "(3.1.1: [MQTT-3.8.3-3] [MQTT-3.10.3-2])");
    for (; in->at < in->end; subscribe->count++) {
        uint32_t begin = in->at;
        struct sos_mqtt_filter_ filter = take_filter(in, rules, type);
        check_filter(in, rules, begin, filter.filter);
    }
}

bool sos_mqtt_next_filter_(const struct sos_mqtt_rules_ *rules, int type,
                           const struct sos_mqtt_subscribe_ *subscribe, uint32_t *at,
                           struct sos_mqtt_filter_ *filter)
{
    struct sos_mqtt_error_ error;
    struct sos_mqtt_in_ in = { .data = (const uint8_t *)subscribe->encoded.data,
                               .at = *at,
                               .end = subscribe->encoded.size,
                               .error = &error };
    if (subscribe->filters != NULL) {
        if (*at == subscribe->count)
            return false;
        *filter = subscribe->filters[(*at)++];
        return true;
    }
    if (in.at == in.end)
        return false;
    *filter = take_filter(&in, rules, type);
    *at = in.at;
    return !in.refused;
}

static void read_suback(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                        struct sos_mqtt_suback_ *suback)
{
    bool has_reasons = type == SOS_MQTT_SUBACK_ || rules->version == SOS_MQTT_5_;
    suback->id = take_id(in);
    sos_mqtt_take_properties_(in, rules, type, &suback->properties);
    suback->reasons = (struct sos_mqtt_slice_){ (const char *)in->data + in->at, 0 };
    if (has_reasons && in->at == in->end)
        sos_mqtt_refuse_(in, in->at, MALFORMED,
                         "there is a code for each topic filter [MQTT-3.8.4-6] [MQTT-3.11.3-1]");
    for (; has_reasons && in->at < in->end; suback->reasons.size++)
        take_reason(in, rules, type);
}

/* ---- PUBACK to PUBCOMP, 3.4 to 3.7; DISCONNECT, 3.14; AUTH, 3.15 */

static void read_ack(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                     struct sos_mqtt_ack_ *ack)
{
    ack->id = take_id(in);
    ack->reason = 0;
    ack->properties.has = 0;
    ack->properties.encoded.data = NULL;
    if (rules->version != SOS_MQTT_5_ || in->at == in->end)
        return;
    ack->reason = take_reason(in, rules, type);
    if (in->at < in->end)
        sos_mqtt_take_properties_(in, rules, type, &ack->properties);
}

static void read_notice(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                        struct sos_mqtt_notice_ *notice)
{
    notice->reason = 0;
    notice->properties.has = 0;
    notice->properties.encoded.data = NULL;
    if (rules->version != SOS_MQTT_5_ || in->at == in->end)
        return;
    notice->reason = take_reason(in, rules, type);
    if (in->at < in->end || type == SOS_MQTT_AUTH_)
        sos_mqtt_take_properties_(in, rules, type, &notice->properties);
}

/* ---- Any packet */

static void read_body(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                      const struct sos_mqtt_header_ *header, struct sos_mqtt_packet_ *packet)
{
    int type = header->type;
    switch (type) {
    case SOS_MQTT_CONNECT_:
        memset(&packet->connect, 0, sizeof packet->connect);
        read_connect(in, rules, header, &packet->connect);
        break;
    case SOS_MQTT_CONNACK_:
        read_connack(in, rules, &packet->connack);
        break;
    case SOS_MQTT_PUBLISH_:
        read_publish(in, rules, header, &packet->publish);
        packet->publish.payload = sos_mqtt_take_raw_(in, in->end - in->at);
        break;
    case SOS_MQTT_SUBSCRIBE_:
    case SOS_MQTT_UNSUBSCRIBE_:
        read_subscribe(in, rules, type, &packet->subscribe);
        break;
    case SOS_MQTT_SUBACK_:
    case SOS_MQTT_UNSUBACK_:
        read_suback(in, rules, type, &packet->suback);
        break;
    case SOS_MQTT_DISCONNECT_:
    case SOS_MQTT_AUTH_:
        read_notice(in, rules, type, &packet->notice);
        break;
    case SOS_MQTT_PINGREQ_:
    case SOS_MQTT_PINGRESP_:
        break;
    default:
        read_ack(in, rules, type, &packet->ack);
    }
}

int sos_mqtt_read_(const struct sos_mqtt_rules_ *rules, const void *data, size_t size,
                   struct sos_mqtt_packet_ *packet, struct sos_mqtt_error_ *error)
{
    struct sos_mqtt_header_ header;
    int status = sos_mqtt_read_header_(rules, data, size, &header, error);
    if (status <= 0)
        return status;
    uint32_t whole = header.size + header.length;
    if (size < whole)
        return SOS_PARTIAL_;
    struct sos_mqtt_in_ in = { .data = data, .at = header.size, .end = whole, .error = error };
    packet->type = header.type;
    read_body(&in, rules, &header, packet);
    if (in.at != in.end)
        sos_mqtt_refuse_(&in, in.at, MALFORMED, "a packet ends after its last field (2.1.4)");
    return in.refused ? SOS_EPROTO : (int)whole;
}

/*
 * Whether all is there of the head of a PUBLISH, or as much of it as it takes to see that it does
 * not end within its packet.
 */
static bool has_head(const struct sos_mqtt_rules_ *rules, const uint8_t *data, size_t size,
                     const struct sos_mqtt_header_ *header)
{
    uint64_t whole = header->size + header->length, end = header->size + 2u;
    uint32_t properties;
    if (size >= whole)
        return true;
    if (size < end)
        return false;
    end += (unsigned)data[end - 2] << 8 | data[end - 1];
    if (end > whole)
        return true;
    end += (header->flags & 6) != 0 ? 2 : 0;
    if (size < end || rules->version != SOS_MQTT_5_)
        return size >= end;
    int bytes = sos_mqtt_read_varint_(data + end, size - (size_t)end, &properties);
    if (bytes <= 0)
        return bytes != SOS_PARTIAL_;
    end += (unsigned)bytes + properties;
    return end > whole || size >= end;
}

int sos_mqtt_read_publish_head_(const struct sos_mqtt_rules_ *rules, const void *data, size_t size,
                                struct sos_mqtt_publish_ *publish, struct sos_mqtt_error_ *error)
{
    struct sos_mqtt_header_ header;
    int status = sos_mqtt_read_header_(rules, data, size, &header, error);
    if (status <= 0)
        return status;
    if (header.type != SOS_MQTT_PUBLISH_)
        return SOS_EINVAL;
    if (!has_head(rules, data, size, &header))
        return SOS_PARTIAL_;
    struct sos_mqtt_in_ in = {
        .data = data, .at = header.size, .end = header.size + header.length, .error = error
    };
    read_publish(&in, rules, &header, publish);
    publish->payload = (struct sos_mqtt_slice_){ NULL, in.end - in.at };
    return in.refused ? SOS_EPROTO : (int)in.at;
}
