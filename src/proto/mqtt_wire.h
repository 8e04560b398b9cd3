/* SPDX-License-Identifier: MIT */
/* What the files of the MQTT codec share: the data types of section 1.5, read and written. */
#ifndef SMALLOS_PROTO_MQTT_WIRE_H
#define SMALLOS_PROTO_MQTT_WIRE_H

#include "proto/mqtt.h"

/*
 * A packet being read. The first refusal stays; from then on everything that is taken is zero or
 * empty, so that a packet is read in one go and the refusal is looked at once, at the end.
 */
struct sos_mqtt_in_ {
    const uint8_t *data;
    uint32_t at, end; /* offsets in the packet */
    struct sos_mqtt_error_ *error;
    const char *subject; /* the property that is being read */
    bool refused;
};

void sos_mqtt_refuse_(struct sos_mqtt_in_ *in, uint32_t at, int reason, const char *rule);
uint32_t sos_mqtt_take_(struct sos_mqtt_in_ *in, unsigned bytes); /* 1, 2 or 4, big-endian */
uint32_t sos_mqtt_take_varint_(struct sos_mqtt_in_ *in);
struct sos_mqtt_slice_ sos_mqtt_take_raw_(struct sos_mqtt_in_ *in, uint32_t size);
struct sos_mqtt_slice_ sos_mqtt_take_binary_(struct sos_mqtt_in_ *in); /* 1.5.6 */
struct sos_mqtt_slice_ sos_mqtt_take_string_(struct sos_mqtt_in_ *in); /* 1.5.4 */
struct sos_mqtt_slice_ sos_mqtt_take_topic_(struct sos_mqtt_in_ *in);

/*
 * A variable byte integer (1.5.5) of which `size` bytes are there: how many it has, SOS_PARTIAL_,
 * or SOS_EPROTO if it has no end within four. It may be longer than need be.
 */
int sos_mqtt_read_varint_(const uint8_t *data, size_t size, uint32_t *value);
unsigned sos_mqtt_varint_size_(uint32_t value);
extern const char sos_mqtt_varint_rule_[], sos_mqtt_minimal_rule_[];

/*
 * A packet being written, or only counted and checked (data NULL). As with reading, the first
 * refusal stays.
 */
struct sos_mqtt_out_ {
    uint8_t *data;
    uint64_t size;
    const char *property;       /* that is being written */
    const char *rule, *subject; /* of the first refusal */
};

void sos_mqtt_forbid_(struct sos_mqtt_out_ *out, const char *rule);
void sos_mqtt_put_(struct sos_mqtt_out_ *out, uint32_t value, unsigned bytes);
void sos_mqtt_put_varint_(struct sos_mqtt_out_ *out, uint32_t value);
void sos_mqtt_put_raw_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ bytes);
void sos_mqtt_put_binary_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ bytes);
void sos_mqtt_put_string_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ string);
void sos_mqtt_put_topic_(struct sos_mqtt_out_ *out, struct sos_mqtt_slice_ topic);

/* The properties of a packet of that type with their length before them (2.2.2). */
void sos_mqtt_take_properties_(struct sos_mqtt_in_ *in, const struct sos_mqtt_rules_ *rules,
                               int type, struct sos_mqtt_properties_ *properties);
void sos_mqtt_put_properties_(struct sos_mqtt_out_ *out, const struct sos_mqtt_rules_ *rules,
                              int type, const struct sos_mqtt_properties_ *properties);

/* Whether the sender may send packets of that type: 2.1.2; 3.1.1: 2.2.1. */
bool sos_mqtt_is_sent_(const struct sos_mqtt_rules_ *rules, int type);

/* The options of a subscription (3.8.3.1; 3.1.1: 3.8.3), both ways: the rule they break. */
const char *sos_mqtt_filter_option_rule_(int version, const struct sos_mqtt_filter_ *filter);

#endif
