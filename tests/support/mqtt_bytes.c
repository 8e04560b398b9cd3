/* SPDX-License-Identifier: MIT */
#include "mqtt_bytes.h"

#include <ctype.h>

struct mqtt_bytes mqtt_bytes(const char *text)
{
    struct mqtt_bytes bytes = { { 0 }, 0 };
    while (*text != '\0') {
        unsigned value = 0;
        if (isspace((unsigned char)*text)) {
            text++;
        } else if (*text == '\'') {
            for (text++; *text != '\''; text++)
                bytes.data[bytes.size++] = (unsigned char)*text;
            text++;
        } else {
            CHECK_INT(sscanf(text, "%2x", &value), 1);
            bytes.data[bytes.size++] = (unsigned char)value;
            text += 2;
        }
        CHECK(bytes.size < MQTT_BYTES_MAX);
    }
    return bytes;
}

unsigned char *mqtt_copy(const unsigned char *data, size_t size)
{
    unsigned char *copy = malloc(size == 0 ? 1 : size);
    CHECK(copy != NULL);
    if (size != 0)
        memcpy(copy, data, size);
    return copy;
}

/* ---- Comparing */

static bool same_slice(struct sos_mqtt_slice_ a, struct sos_mqtt_slice_ b)
{
    return (a.data == NULL) == (b.data == NULL) && a.size == b.size &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_bytes(struct sos_mqtt_slice_ a, struct sos_mqtt_slice_ b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_users(const struct sos_mqtt_properties_ *a, const struct sos_mqtt_properties_ *b)
{
    struct sos_mqtt_pair_ one, other;
    uint32_t at = 0, other_at = 0;
    while (sos_mqtt_next_user_(a, &at, &one))
        if (!sos_mqtt_next_user_(b, &other_at, &other) || !same_slice(one.name, other.name) ||
            !same_slice(one.value, other.value))
            return false;
    return !sos_mqtt_next_user_(b, &other_at, &other);
}

static bool same_ids(const struct sos_mqtt_properties_ *a, const struct sos_mqtt_properties_ *b)
{
    uint32_t at = 0, other_at = 0, one, other;
    while (sos_mqtt_next_subscription_id_(a, &at, &one))
        if (!sos_mqtt_next_subscription_id_(b, &other_at, &other) || one != other)
            return false;
    return !sos_mqtt_next_subscription_id_(b, &other_at, &other);
}

/* How each type of property is compared. */
#define SAME_BOOL(field) (a->field == b->field)
#define SAME_U16 SAME_BOOL
#define SAME_U16_NOT_0 SAME_BOOL
#define SAME_U32 SAME_BOOL
#define SAME_U32_NOT_0 SAME_BOOL
#define SAME_STRING(field) same_slice(a->field, b->field)
#define SAME_TOPIC SAME_STRING
#define SAME_BINARY SAME_STRING
#define SAME_IDS(field) same_ids(a, b)
#define SAME_PAIRS(field) same_users(a, b)

static const char *properties_difference(const struct sos_mqtt_properties_ *a,
                                         const struct sos_mqtt_properties_ *b)
{
    if (a->has != b->has)
        return "which properties";
#define COMPARE(name, field, id, type, text, client, server)                                       \
    if ((a->has & SOS_MQTT_HAS_##name##_) != 0 && !SAME_##type(field))                             \
        return text;
    SOS_MQTT_PROPERTIES_(COMPARE)
    return NULL;
}

#define DIFFERS(what, condition)                                                                   \
    if (!(condition))                                                                              \
        return what;

static const char *connect_difference(const struct sos_mqtt_connect_ *a,
                                      const struct sos_mqtt_connect_ *b)
{
    DIFFERS("version", a->version == b->version)
    DIFFERS("clean start", a->clean_start == b->clean_start)
    DIFFERS("keep alive", a->keep_alive == b->keep_alive)
    DIFFERS("client identifier", same_bytes(a->client_id, b->client_id))
    DIFFERS("user", same_slice(a->user, b->user))
    DIFFERS("password", same_slice(a->password, b->password))
    DIFFERS("will topic", same_slice(a->will.topic, b->will.topic))
    const char *difference = properties_difference(&a->properties, &b->properties);
    if (a->will.topic.data == NULL || difference != NULL)
        return difference;
    DIFFERS("will payload", same_bytes(a->will.payload, b->will.payload))
    DIFFERS("will flags", a->will.qos == b->will.qos && a->will.retain == b->will.retain)
    return properties_difference(&a->will.properties, &b->will.properties);
}

static const char *publish_difference(const struct sos_mqtt_publish_ *a,
                                      const struct sos_mqtt_publish_ *b)
{
    DIFFERS("flags", a->dup == b->dup && a->qos == b->qos && a->retain == b->retain)
    DIFFERS("identifier", a->id == b->id)
    DIFFERS("topic", same_bytes(a->topic, b->topic))
    DIFFERS("payload", same_bytes(a->payload, b->payload))
    return properties_difference(&a->properties, &b->properties);
}

static const char *subscribe_difference(const struct sos_mqtt_rules_ *rules, int type,
                                        const struct sos_mqtt_subscribe_ *a,
                                        const struct sos_mqtt_subscribe_ *b)
{
    struct sos_mqtt_filter_ one, other;
    uint32_t at = 0, other_at = 0;
    DIFFERS("identifier", a->id == b->id)
    DIFFERS("count", a->count == b->count)
    while (sos_mqtt_next_filter_(rules, type, a, &at, &one)) {
        DIFFERS("missing filter", sos_mqtt_next_filter_(rules, type, b, &other_at, &other))
        DIFFERS("filter", same_slice(one.filter, other.filter))
        DIFFERS("options", one.qos == other.qos && one.no_local == other.no_local &&
                               one.retain_as_published == other.retain_as_published &&
                               one.retain_handling == other.retain_handling)
    }
    return properties_difference(&a->properties, &b->properties);
}

const char *mqtt_difference(const struct sos_mqtt_rules_ *rules, const struct sos_mqtt_packet_ *a,
                            const struct sos_mqtt_packet_ *b)
{
    DIFFERS("type", a->type == b->type)
    switch (a->type) {
    case SOS_MQTT_CONNECT_:
        return connect_difference(&a->connect, &b->connect);
    case SOS_MQTT_CONNACK_:
        DIFFERS("session", a->connack.session_present == b->connack.session_present)
        DIFFERS("reason", a->connack.reason == b->connack.reason)
        return properties_difference(&a->connack.properties, &b->connack.properties);
    case SOS_MQTT_PUBLISH_:
        return publish_difference(&a->publish, &b->publish);
    case SOS_MQTT_SUBSCRIBE_:
    case SOS_MQTT_UNSUBSCRIBE_:
        return subscribe_difference(rules, a->type, &a->subscribe, &b->subscribe);
    case SOS_MQTT_SUBACK_:
    case SOS_MQTT_UNSUBACK_:
        DIFFERS("identifier", a->suback.id == b->suback.id)
        DIFFERS("reasons", same_bytes(a->suback.reasons, b->suback.reasons))
        return properties_difference(&a->suback.properties, &b->suback.properties);
    case SOS_MQTT_DISCONNECT_:
    case SOS_MQTT_AUTH_:
        DIFFERS("reason", a->notice.reason == b->notice.reason)
        return properties_difference(&a->notice.properties, &b->notice.properties);
    case SOS_MQTT_PINGREQ_:
    case SOS_MQTT_PINGRESP_:
        return NULL;
    default:
        DIFFERS("identifier", a->ack.id == b->ack.id)
        DIFFERS("reason", a->ack.reason == b->ack.reason)
        return properties_difference(&a->ack.properties, &b->ack.properties);
    }
}

/* ---- Any bytes */

static void check_error(int status, const struct sos_mqtt_error_ *error, size_t size)
{
    CHECK(status == SOS_EPROTO || status == SOS_ELIMIT);
    CHECK(error->syntax.rule != NULL);
    CHECK(error->syntax.at <= size);
    CHECK(error->reason >= 0x80);
}

/* A PUBLISH in parts: the same as whole, or the same error. */
static void check_head(const struct sos_mqtt_rules_ *rules, const unsigned char *data, size_t size,
                       int whole, const struct sos_mqtt_packet_ *packet,
                       const struct sos_mqtt_error_ *error)
{
    struct sos_mqtt_error_ head_error;
    struct sos_mqtt_packet_ head = { .type = SOS_MQTT_PUBLISH_ };
    int status = sos_mqtt_read_publish_head_(rules, data, size, &head.publish, &head_error);
    CHECK(status != SOS_PARTIAL_);
    if (whole < 0) {
        CHECK_INT(status, whole);
        CHECK_TEXT(head_error.syntax.rule, error->syntax.rule);
        CHECK_INT(head_error.syntax.at, error->syntax.at);
        return;
    }
    CHECK_INT(status + (int)head.publish.payload.size, whole);
    head.publish.payload.data = (const char *)data + status;
    CHECK(mqtt_difference(rules, &head, packet) == NULL);
}

int mqtt_check_any(const struct sos_mqtt_rules_ *rules, const unsigned char *data, size_t size)
{
    struct sos_mqtt_packet_ packet, again;
    struct sos_mqtt_error_ error;
    struct sos_mqtt_header_ header;
    int status = sos_mqtt_read_(rules, data, size, &packet, &error);
    if (sos_mqtt_read_header_(rules, data, size, &header, &(struct sos_mqtt_error_){ 0 }) > 0 &&
        header.type == SOS_MQTT_PUBLISH_ && status != SOS_PARTIAL_)
        check_head(rules, data, size, status, &packet, &error);
    if (status < 0)
        check_error(status, &error, size);
    if (status <= 0)
        return status;
    struct sos_mqtt_rules_ same = *rules;
    same.max_packet_size = 0;
    int written = sos_mqtt_write_(&same, &packet, NULL, 0, &error);
    CHECK(written > 0 && written <= status); /* shorter: codes that need not be there */
    unsigned char *bytes = malloc((size_t)written);
    CHECK(bytes != NULL);
    CHECK_INT(sos_mqtt_write_(&same, &packet, bytes, (size_t)written, &error), written);
    CHECK_INT(sos_mqtt_read_(&same, bytes, (size_t)written, &again, &error), written);
    const char *difference = mqtt_difference(&same, &packet, &again);
    CHECK_TEXT(difference == NULL ? "" : difference, "");
    free(bytes);
    return status;
}
