/* SPDX-License-Identifier: MIT */
/* The reason codes of MQTT, and the names of its packets. */
#include "proto/mqtt.h"

#define IN_(type) (1u << SOS_MQTT_##type##_)
#define RECEIVED_ (IN_(PUBACK) | IN_(PUBREC))
#define ACKS_ (RECEIVED_ | IN_(PUBREL) | IN_(PUBCOMP))
#define SUBS_ (IN_(SUBACK) | IN_(UNSUBACK))
#define ENDS_ (IN_(CONNACK) | IN_(DISCONNECT))

#define ROW(code, name, text, client, server) { code, client, server, #name, text },

static const struct sos_mqtt_reason_ reasons[] = { SOS_MQTT_REASONS_(ROW) };

/* 3.1.1: 3.2.2.3 and 3.9.3 */
static const struct sos_mqtt_reason_ reasons_3[] = {
    { 0, 0, IN_(CONNACK), "ACCEPTED", "connection accepted" },
    { 1, 0, IN_(CONNACK), "UNACCEPTABLE_VERSION", "unacceptable protocol version" },
    { 2, 0, IN_(CONNACK), "IDENTIFIER_REJECTED", "client identifier rejected" },
    { 3, 0, IN_(CONNACK), "SERVER_UNAVAILABLE", "server unavailable" },
    { 4, 0, IN_(CONNACK), "BAD_USER_OR_PASSWORD", "bad user name or password" },
    { 5, 0, IN_(CONNACK), "NOT_AUTHORIZED", "not authorized" },
    { 0, 0, IN_(SUBACK), "GRANTED_QOS_0", "granted QoS 0" },
    { 1, 0, IN_(SUBACK), "GRANTED_QOS_1", "granted QoS 1" },
    { 2, 0, IN_(SUBACK), "GRANTED_QOS_2", "granted QoS 2" },
    { 0x80, 0, IN_(SUBACK), "FAILURE", "failure" },
    { 0, ACKS_ | IN_(DISCONNECT), ACKS_ | IN_(UNSUBACK), "SUCCESS", "success" },
};

static const struct sos_mqtt_reason_ *find(const struct sos_mqtt_reason_ *rows, size_t count,
                                           int sender, int type, int code)
{
    for (size_t row = 0; row < count; row++) {
        unsigned in = sender == SOS_MQTT_CLIENT_ ? rows[row].client : rows[row].server;
        if (rows[row].code == code && (in >> type & 1) != 0)
            return &rows[row];
    }
    return NULL;
}

const struct sos_mqtt_reason_ *sos_mqtt_reason_(const struct sos_mqtt_rules_ *rules, int type,
                                                int code)
{
    if (rules->version == SOS_MQTT_3_)
        return find(reasons_3, sizeof reasons_3 / sizeof reasons_3[0], rules->sender, type, code);
    return find(reasons, sizeof reasons / sizeof reasons[0], rules->sender, type, code);
}

const char *sos_mqtt_type_name_(int type)
{
    static const char *const names[] = { "will",      "CONNECT",  "CONNACK",     "PUBLISH",
                                         "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
                                         "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                         "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH" };
    return type >= 0 && type <= SOS_MQTT_AUTH_ ? names[type] : "reserved";
}
