/* SPDX-License-Identifier: MIT */
/* Properties of MQTT 5 (2.2.2): one table says how each is read, written and checked. */
#include "proto/mqtt_wire.h"

#include <string.h>

#define IN_(type) (1u << SOS_MQTT_##type##_)
#define MESSAGE_ (IN_(PUBLISH) | IN_(WILL))
#define ACKS_ (IN_(PUBACK) | IN_(PUBREC) | IN_(PUBREL) | IN_(PUBCOMP))

enum type { BOOL, U16, U16_NOT_0, U32, U32_NOT_0, STRING, TOPIC, BINARY, IDS, PAIRS };

struct property {
    const char *name;
    uint16_t client, server; /* bit n: in packets of type n from there */
    uint16_t offset;         /* of the field */
    uint8_t identifier, type;
};

#define ROW(name, field, identifier, type, text, client, server)                                   \
    { text, client, server, offsetof(struct sos_mqtt_properties_, field), identifier, type },

static const struct property table[] = { SOS_MQTT_PROPERTIES_(ROW) };

#define PLACE(name, field, identifier, type, text, client, server)                                 \
    [identifier] = SOS_MQTT_AT_##name##_ + 1,

static const uint8_t places[] = { SOS_MQTT_PROPERTIES_(PLACE) };

static const struct property *find(uint32_t identifier)
{
    if (identifier >= sizeof places || places[identifier] == 0)
        return NULL;
    return &table[places[identifier] - 1];
}

static bool is_allowed(const struct property *property, const struct sos_mqtt_rules_ *rules,
                       int type)
{
    unsigned in = rules->sender == SOS_MQTT_CLIENT_ ? property->client : property->server;
    return (in >> type & 1) != 0;
}

/* The rule that a number breaks: 2.2.2.2 and the description of each property. */
static const char *value_rule(const struct property *property, uint32_t value)
{
    if (property->type == BOOL && value > 1)
        return "the value is 0 or 1";
    if (value == 0 && property->identifier == 0x23)
        return "a topic alias is not 0 [MQTT-3.3.2-8]";
    if (value == 0 &&
        (property->type == U16_NOT_0 || property->type == U32_NOT_0 || property->type == IDS))
        return "the value is not 0";
    return NULL;
}

static const char authentication_rule[] =
    "Authentication Data comes with an Authentication Method (3.1.2.11.10, 3.15.2.2.3)";
static const char method_rule[] = "AUTH has an Authentication Method (3.15.2.2.2)";

/* What holds between the properties of one packet. */
static const char *together_rule(const struct sos_mqtt_properties_ *properties, int type)
{
    if ((properties->has & SOS_MQTT_HAS_AUTHENTICATION_METHOD_) != 0)
        return NULL;
    if ((properties->has & SOS_MQTT_HAS_AUTHENTICATION_DATA_) != 0)
        return authentication_rule;
    return type == SOS_MQTT_AUTH_ ? method_rule : NULL;
}

/* ---- Reading */

static uint32_t take_number(struct sos_mqtt_in_ *in, const struct property *property)
{
    uint32_t at = in->at, value;
    if (property->type == IDS)
        value = sos_mqtt_take_varint_(in);
    else
        value = sos_mqtt_take_(in, property->type == BOOL        ? 1
                                   : property->type <= U16_NOT_0 ? 2
                                                                 : 4);
    const char *rule = value_rule(property, value);
    if (rule != NULL)
        sos_mqtt_refuse_(in, at,
                         property->identifier == 0x23 ? SOS_MQTT_TOPIC_ALIAS_INVALID_
                                                      : SOS_MQTT_PROTOCOL_ERROR_,
                         rule);
    return value;
}

static struct sos_mqtt_slice_ take_bytes(struct sos_mqtt_in_ *in, const struct property *property)
{
    if (property->type == TOPIC)
        return sos_mqtt_take_topic_(in); /* [MQTT-3.3.2-14] */
    return property->type == STRING ? sos_mqtt_take_string_(in) : sos_mqtt_take_binary_(in);
}

static void take_value(struct sos_mqtt_in_ *in, const struct property *property, void *field)
{
    struct sos_mqtt_ids_ *ids = field;
    struct sos_mqtt_pairs_ *pairs = field;
    switch ((enum type)property->type) {
    case BOOL:
        *(uint8_t *)field = (uint8_t)take_number(in, property);
        break;
    case U16:
    case U16_NOT_0:
        *(uint16_t *)field = (uint16_t)take_number(in, property);
        break;
    case U32:
    case U32_NOT_0:
        *(uint32_t *)field = take_number(in, property);
        break;
    case STRING:
    case TOPIC:
    case BINARY:
        *(struct sos_mqtt_slice_ *)field = take_bytes(in, property);
        break;
    case IDS:
        if (ids->one == 0)
            ids->one = take_number(in, property);
        else if (take_number(in, property) != 0)
            ids->count++;
        break;
    case PAIRS: /* [MQTT-1.5.7-1] */
        sos_mqtt_take_string_(in);
        sos_mqtt_take_string_(in);
        pairs->count++;
        break;
    }
}

static void take_property(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules, int type,
                          struct sos_mqtt_properties_ *properties)
{
    uint32_t at = in->at;
    const struct property *property = find(sos_mqtt_take_varint_(in));
    if (property == NULL) {
        sos_mqtt_refuse_(in, at, SOS_MQTT_MALFORMED_PACKET_, "a property is a known one (2.2.2.2)");
        return;
    }
    uint32_t bit = 1u << (property - table);
    bool repeats = property->type == PAIRS || (property->type == IDS && type == SOS_MQTT_PUBLISH_);
    in->subject = property->name;
    if (!is_allowed(property, rules, type))
        sos_mqtt_refuse_(in, at,
                         property->type == IDS && type == SOS_MQTT_PUBLISH_
                             ? SOS_MQTT_PROTOCOL_ERROR_ /* [MQTT-3.3.4-6] */
                             : SOS_MQTT_MALFORMED_PACKET_,
                         "a property is one of this packet by this sender (2.2.2.2)");
    else if ((properties->has & bit) != 0 && !repeats)
        sos_mqtt_refuse_(in, at, SOS_MQTT_PROTOCOL_ERROR_, "a property comes once (2.2.2.2)");
    else
        take_value(in, property, (char *)properties + property->offset);
    properties->has |= bit;
    in->subject = NULL;
}

void sos_mqtt_take_properties_(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                               int type, struct sos_mqtt_properties_ *properties)
{
    memset(properties, 0, sizeof *properties);
    if (rules->version != SOS_MQTT_5_)
        return;
    uint32_t begin = in->at, end = in->end, size = sos_mqtt_take_varint_(in);
    if (size > in->end - in->at) {
        sos_mqtt_refuse_(in, begin, SOS_MQTT_MALFORMED_PACKET_,
                         "the properties end within their packet (2.2.2.1)");
        return;
    }
    in->end = in->at + size;
    properties->encoded = (struct sos_mqtt_slice_){ (const char *)in->data + in->at, size };
    while (in->at < in->end)
        take_property(in, rules, type, properties);
    in->end = end;
    const char *rule = together_rule(properties, type);
    if (rule != NULL)
        sos_mqtt_refuse_(in, begin, SOS_MQTT_PROTOCOL_ERROR_, rule);
}

/* ---- What is repeated */

/* Goes on to the next property of that type that was read; its value is to be taken from `in`. */
static bool seek(struct sos_mqtt_in_ *in, enum type type)
{
    struct sos_mqtt_properties_ skipped = { 0 };
    while (in->at < in->end) {
        const struct property *property = find(sos_mqtt_take_varint_(in));
        if (property == NULL || in->refused)
            return false;
        if (property->type == type)
            return true;
        take_value(in, property, (char *)&skipped + property->offset);
    }
    return false;
}

static struct sos_mqtt_in_ read_again(const struct sos_mqtt_properties_ *properties, uint32_t at,
                                      struct sos_mqtt_error_ *error)
{
    return (struct sos_mqtt_in_){ .data = (const uint8_t *)properties->encoded.data,
                                  .at = at,
                                  .end = properties->encoded.size,
                                  .error = error };
}

bool sos_mqtt_next_user_(const struct sos_mqtt_properties_ *properties, uint32_t *at,
                         struct sos_mqtt_pair_ *pair)
{
    struct sos_mqtt_error_ error;
    if ((properties->has & SOS_MQTT_HAS_USER_) == 0)
        return false;
    if (properties->encoded.data == NULL) {
        if (*at == properties->user.count)
            return false;
        *pair = properties->user.list[(*at)++];
        return true;
    }
    struct sos_mqtt_in_ in = read_again(properties, *at, &error);
    if (!seek(&in, PAIRS))
        return false;
    pair->name = sos_mqtt_take_binary_(&in); /* checked when they were read */
    pair->value = sos_mqtt_take_binary_(&in);
    *at = in.at;
    return !in.refused;
}

bool sos_mqtt_next_subscription_id_(const struct sos_mqtt_properties_ *properties, uint32_t *at,
                                    uint32_t *id)
{
    struct sos_mqtt_error_ error;
    if ((properties->has & SOS_MQTT_HAS_SUBSCRIPTION_ID_) == 0)
        return false;
    if (properties->encoded.data == NULL) {
        const struct sos_mqtt_ids_ *ids = &properties->subscription_id;
        if (*at > ids->count)
            return false;
        *id = *at == 0 ? ids->one : ids->list[*at - 1];
        ++*at;
        return true;
    }
    struct sos_mqtt_in_ in = read_again(properties, *at, &error);
    if (!seek(&in, IDS))
        return false;
    *id = sos_mqtt_take_varint_(&in);
    *at = in.at;
    return !in.refused;
}

/* ---- Writing */

static void put_number(struct sos_mqtt_out_ *out, const struct property *property, uint32_t value,
                       unsigned bytes)
{
    sos_mqtt_forbid_(out, value_rule(property, value));
    sos_mqtt_put_(out, property->identifier, 1);
    sos_mqtt_put_(out, value, bytes);
}

static void put_bytes(struct sos_mqtt_out_ *out, const struct property *property,
                      struct sos_mqtt_slice_ bytes)
{
    sos_mqtt_put_(out, property->identifier, 1);
    if (property->type == TOPIC)
        sos_mqtt_put_topic_(out, bytes);
    else if (property->type == STRING)
        sos_mqtt_put_string_(out, bytes);
    else
        sos_mqtt_put_binary_(out, bytes);
}

static void put_ids(struct sos_mqtt_out_ *out, const struct property *property,
                    const struct sos_mqtt_properties_ *properties, int type)
{
    uint32_t at = 0, id;
    if (type != SOS_MQTT_PUBLISH_ && properties->subscription_id.count != 0)
        sos_mqtt_forbid_(out, "a property comes once (2.2.2.2)");
    while (sos_mqtt_next_subscription_id_(properties, &at, &id)) {
        sos_mqtt_forbid_(out, value_rule(property, id));
        if (id > SOS_MQTT_LENGTH_MAX_)
            sos_mqtt_forbid_(out, "a subscription identifier is at most 268,435,455 (3.8.2.1.2)");
        sos_mqtt_put_(out, property->identifier, 1);
        sos_mqtt_put_varint_(out, id & SOS_MQTT_LENGTH_MAX_);
    }
}

static void put_pairs(struct sos_mqtt_out_ *out, const struct property *property,
                      const struct sos_mqtt_properties_ *properties)
{
    struct sos_mqtt_pair_ pair;
    uint32_t at = 0;
    while (sos_mqtt_next_user_(properties, &at, &pair)) {
        sos_mqtt_put_(out, property->identifier, 1);
        sos_mqtt_put_string_(out, pair.name);
        sos_mqtt_put_string_(out, pair.value);
    }
}

static void put_property(struct sos_mqtt_out_ *out, const struct property *property,
                         const struct sos_mqtt_properties_ *properties, int type)
{
    const void *field = (const char *)properties + property->offset;
    switch ((enum type)property->type) {
    case BOOL:
        put_number(out, property, *(const uint8_t *)field, 1);
        break;
    case U16:
    case U16_NOT_0:
        put_number(out, property, *(const uint16_t *)field, 2);
        break;
    case U32:
    case U32_NOT_0:
        put_number(out, property, *(const uint32_t *)field, 4);
        break;
    case STRING:
    case TOPIC:
    case BINARY:
        put_bytes(out, property, *(const struct sos_mqtt_slice_ *)field);
        break;
    case IDS:
        put_ids(out, property, properties, type);
        break;
    case PAIRS:
        put_pairs(out, property, properties);
        break;
    }
}

static void put_all(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules, int type,
                    const struct sos_mqtt_properties_ *properties)
{
    for (unsigned place = 0; place < SOS_MQTT_PROPERTY_COUNT_; place++) {
        const struct property *property = &table[place];
        if ((properties->has >> place & 1) == 0)
            continue;
        out->property = property->name;
        if (!is_allowed(property, rules, type))
            sos_mqtt_forbid_(out, "a property is one of this packet by this sender (2.2.2.2)");
        put_property(out, property, properties, type);
    }
    out->property = NULL;
}

void sos_mqtt_put_properties_(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules,
                              int type, const struct sos_mqtt_properties_ *properties)
{
    struct sos_mqtt_out_ counted = { 0 };
    const char *rule = together_rule(properties, type);
    if (rules->version != SOS_MQTT_5_) {
        if (properties->has != 0)
            sos_mqtt_forbid_(out, "version 3.1.1 has no properties");
        return;
    }
    if (properties->has != 0)
        put_all(&counted, rules, type, properties);
    if (counted.rule == NULL)
        counted.rule = rule;
    if (counted.rule != NULL && out->rule == NULL) {
        out->rule = counted.rule;
        out->subject = counted.subject;
    }
    sos_mqtt_put_varint_(out, counted.size > SOS_MQTT_LENGTH_MAX_ ? SOS_MQTT_LENGTH_MAX_
                                                                  : (uint32_t)counted.size);
    if (out->data != NULL && properties->has != 0)
        put_all(out, rules, type, properties);
    else
        out->size += counted.size;
}
