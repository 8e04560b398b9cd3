/* SPDX-License-Identifier: MIT */
/* Integers, binary data and strings of MQTT (section 1.5). */
#include "proto/mqtt_wire.h"

#include <string.h>

const char sos_mqtt_varint_rule_[] = "a variable byte integer ends within four bytes (1.5.5)";
const char sos_mqtt_minimal_rule_[] = "a variable byte integer has no more bytes than need be "
                                      "[MQTT-1.5.5-1]";

/* ---- Reading */

void sos_mqtt_refuse_(struct sos_mqtt_in_ *in, uint32_t at, int reason, const char *rule)
{
    in->at = in->end;
    if (in->refused)
        return;
    in->refused = true;
    in->error->syntax.rule = rule;
    in->error->syntax.at = at;
    in->error->subject = in->subject;
    in->error->reason = (uint8_t)reason;
}

static bool has(struct sos_mqtt_in_ *in, uint32_t size)
{
    if (!in->refused && in->end - in->at >= size)
        return true;
    sos_mqtt_refuse_(in, in->at, SOS_MQTT_MALFORMED_PACKET_,
                     "a field ends within its packet, or within the properties (1.5)");
    return false;
}

uint32_t sos_mqtt_take_(struct sos_mqtt_in_ *in, unsigned bytes)
{
    uint32_t value = 0;
    if (!has(in, bytes))
        return 0;
    for (; bytes > 0; bytes--)
        value = value << 8 | in->data[in->at++];
    return value;
}

int sos_mqtt_read_varint_(const uint8_t *data, size_t size, uint32_t *value)
{
    *value = 0;
    for (unsigned index = 0; index < 4; index++) {
        if (index == size)
            return SOS_PARTIAL_;
        *value |= (uint32_t)(data[index] & 0x7F) << (7 * index);
        if (data[index] < 0x80)
            return (int)index + 1;
    }
    return SOS_EPROTO;
}

uint32_t sos_mqtt_take_varint_(struct sos_mqtt_in_ *in)
{
    uint32_t value, at = in->at;
    int size = sos_mqtt_read_varint_(in->data + at, in->end - at, &value);
    if (size == SOS_EPROTO)
        sos_mqtt_refuse_(in, at + 3, SOS_MQTT_MALFORMED_PACKET_, sos_mqtt_varint_rule_);
    if (size <= 0 && !has(in, in->end - at + 1))
        return 0;
    if ((unsigned)size != sos_mqtt_varint_size_(value)) {
        sos_mqtt_refuse_(in, at + (unsigned)size - 1, SOS_MQTT_MALFORMED_PACKET_,
                         sos_mqtt_minimal_rule_);
        return 0;
    }
    in->at = at + (unsigned)size;
    return value;
}

struct sos_mqtt_slice_ sos_mqtt_take_raw_(struct sos_mqtt_in_ *in, uint32_t size)
{
    struct sos_mqtt_slice_ slice = { (const char *)in->data + in->at, 0 };
    if (has(in, size)) {
        slice.size = size;
        in->at += size;
    }
    return slice;
}

struct sos_mqtt_slice_ sos_mqtt_take_binary_(struct sos_mqtt_in_ *in)
{
    return sos_mqtt_take_raw_(in, sos_mqtt_take_(in, 2));
}

struct sos_mqtt_slice_ sos_mqtt_take_string_(struct sos_mqtt_in_ *in)
{
    struct sos_mqtt_slice_ string = sos_mqtt_take_binary_(in);
    uint32_t at = 0;
    const char *rule = sos_mqtt_string_rule_(string, &at);
    if (rule != NULL)
        sos_mqtt_refuse_(in, in->at - string.size + at, SOS_MQTT_MALFORMED_PACKET_, rule);
    return string;
}

struct sos_mqtt_slice_ sos_mqtt_take_topic_(struct sos_mqtt_in_ *in)
{
    struct sos_mqtt_slice_ topic = sos_mqtt_take_binary_(in);
    uint32_t at = 0;
    const char *rule = sos_mqtt_topic_rule_(topic, &at);
    if (rule != NULL)
        sos_mqtt_refuse_(in, in->at - topic.size + at, SOS_MQTT_MALFORMED_PACKET_, rule);
    return topic;
}

/* ---- Writing */

void sos_mqtt_forbid_(struct sos_mqtt_out_ *out, const char *rule)
{
    if (out->rule != NULL)
        return;
    out->rule = rule;
    out->subject = out->property;
}

void sos_mqtt_put_(struct sos_mqtt_out_ *out, uint32_t value, unsigned bytes)
{
    if (out->data != NULL)
        for (unsigned index = 0; index < bytes; index++)
            out->data[out->size + index] = (uint8_t)(value >> (8 * (bytes - 1 - index)));
    out->size += bytes;
}

unsigned sos_mqtt_varint_size_(uint32_t value)
{
    return 1u + (value > 0x7F) + (value > 0x3FFF) + (value > 0x1FFFFF);
}

void sos_mqtt_put_varint_(struct sos_mqtt_out_ *out, uint32_t value)
{
    for (; value > 0x7F; value >>= 7)
        sos_mqtt_put_(out, (value & 0x7F) | 0x80, 1);
    sos_mqtt_put_(out, value, 1);
}

void sos_mqtt_put_raw_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ bytes)
{
    if (out->data != NULL && bytes.size != 0)
        memcpy(out->data + out->size, bytes.data, bytes.size);
    out->size += bytes.size;
}

void sos_mqtt_put_binary_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ bytes)
{
    if (bytes.size > UINT16_MAX)
        sos_mqtt_forbid_(out, "binary data has at most 65,535 bytes (1.5.6)");
    sos_mqtt_put_(out, bytes.size & UINT16_MAX, 2);
    sos_mqtt_put_raw_(out, bytes);
}

static void put_text(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ text,
                     const char *rule(struct sos_mqtt_slice_, uint32_t *))
{
    uint32_t at;
    if (out->data == NULL) /* once is enough */
        sos_mqtt_forbid_(out, rule(text, &at));
    sos_mqtt_put_binary_(out, text);
}

void sos_mqtt_put_string_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ string)
{
    put_text(out, string, sos_mqtt_string_rule_);
}

void sos_mqtt_put_topic_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ topic)
{
    put_text(out, topic, sos_mqtt_topic_rule_);
}
