/* SPDX-License-Identifier: MIT */
/* What the server sends, packet by packet. */
#include <stdio.h>
#include <string.h>

#include "mqtt_internal.h"

static const struct sos_mqtt_slice_ nothing = { NULL, 0 };

/* What breaks the protocol ends the connection, and the server is told why. */
static int refuse(sos_mqtt *mqtt, int status, uint8_t reason, const char *rule)
{
    mqtt->farewell = reason;
    sos_mqtt_say_(&mqtt->answer, reason, rule, nothing);
    return status;
}

static int unexpected(sos_mqtt *mqtt, int type, const char *why)
{
    char text[100];
    snprintf(text, sizeof text, "%s %s", sos_mqtt_type_name_(type), why);
    return refuse(mqtt, SOS_EPROTO, SOS_MQTT_PROTOCOL_ERROR_, text);
}

static int malformed(sos_mqtt *mqtt, int status, const struct sos_mqtt_error_ *error)
{
    return refuse(mqtt, status, error->reason, error->syntax.rule);
}

/* ---- CONNACK (3.2) */

static void take_allowances(sos_mqtt *mqtt, const struct sos_mqtt_properties_ *properties)
{
    struct sos_mqtt_state *state = &mqtt->state;
    uint32_t has = mqtt->version == SOS_MQTT_5_ ? properties->has : 0;
    state->max_packet_size = has & SOS_MQTT_HAS_MAXIMUM_PACKET_SIZE_
                                 ? properties->maximum_packet_size
                                 : 0;
    state->keep_alive_s = has & SOS_MQTT_HAS_SERVER_KEEP_ALIVE_ ? properties->server_keep_alive
                                                                : mqtt->keep_alive;
    state->receive_maximum = has & SOS_MQTT_HAS_RECEIVE_MAXIMUM_ ? properties->receive_maximum
                                                                 : UINT16_MAX;
    state->topic_alias_maximum = has & SOS_MQTT_HAS_TOPIC_ALIAS_MAXIMUM_
                                     ? properties->topic_alias_maximum
                                     : 0;
    state->maximum_qos = has & SOS_MQTT_HAS_MAXIMUM_QOS_ ? properties->maximum_qos : 2;
    state->no_retain = (has & SOS_MQTT_HAS_RETAIN_AVAILABLE_) != 0 &&
                       properties->retain_available == 0;
    mqtt->out.max_packet_size = state->max_packet_size;
}

static int take_connack(sos_mqtt *mqtt, const struct sos_mqtt_packet_ *packet)
{
    const struct sos_mqtt_connack_ *connack = &packet->connack;
    if (packet->type != SOS_MQTT_CONNACK_)
        return unexpected(mqtt, packet->type, "is not the first packet of a server [MQTT-3.2.0-1]");
    if (connack->reason != 0) {
        sos_mqtt_tell_(&mqtt->answer, &mqtt->in, SOS_MQTT_CONNACK_, connack->reason,
                       mqtt->version == SOS_MQTT_5_ ? &connack->properties : NULL);
        return SOS_ESERVER;
    }
    if (connack->session_present && (mqtt->connect[mqtt->connect_flags] & 2) != 0)
        return unexpected(mqtt, SOS_MQTT_CONNACK_,
                          "tells of a session after a clean start [MQTT-3.2.2-2]");
    mqtt->state.session_present = connack->session_present;
    take_allowances(mqtt, &connack->properties);
    return SOS_OK;
}

int sos_mqtt_take_connack_(sos_mqtt *mqtt)
{
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    size_t size;
    const unsigned char *bytes = sos_stream_data(mqtt->stream, &size);
    int taken = sos_mqtt_read_(&mqtt->in, bytes, size, &packet, &error);
    if (taken == SOS_PARTIAL_)
        return 0;
    if (taken < 0) {
        malformed(mqtt, taken, &error);
        mqtt->farewell = 0; /* there is no connection yet */
        return taken;
    }
    int status = take_connack(mqtt, &packet);
    mqtt->farewell = 0;
    sos_stream_take(mqtt->stream, (size_t)taken);
    return status != SOS_OK ? status : taken;
}

/* ---- PUBLISH (3.3) */

/* What was received and not acknowledged, where the server agreed to a limit (3.3.4). */
static bool is_too_many(const sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish)
{
    return publish->qos != 0 && mqtt->version == SOS_MQTT_5_ &&
           mqtt->live_count >= mqtt->receive_maximum;
}

static int take_publish(sos_mqtt *mqtt, struct sos_mqtt_publish_ *publish)
{
    struct sos_mqtt_error_ error;
    if (mqtt->version == SOS_MQTT_5_) {
        int status = sos_mqtt_alias_read_(&mqtt->aliases_in, publish, &error);
        if (status != SOS_OK)
            return malformed(mqtt, status, &error);
    }
    if (publish->qos == 2 && sos_mqtt_is_received_(mqtt, publish->id)) {
        (void)sos_mqtt_put_ack_(mqtt, SOS_MQTT_PUBREC_, publish->id, 0);
        return SOS_OK;
    }
    if (sos_mqtt_is_known_(mqtt, publish))
        return SOS_OK;
    if (is_too_many(mqtt, publish))
        return refuse(mqtt, SOS_EPROTO, SOS_MQTT_RECEIVE_MAXIMUM_EXCEEDED_,
                      "more messages are under way than the receive maximum (3.3.4)");
    int status = sos_mqtt_dispatch_(mqtt, publish);
    if (status == SOS_ENOMEM)
        return refuse(mqtt, status, SOS_MQTT_QUOTA_EXCEEDED_, "no memory for a message");
    return status;
}

/* ---- The others */

static int take_release(sos_mqtt *mqtt, uint16_t id)
{
    bool known = sos_mqtt_release_(mqtt, id);
    (void)sos_mqtt_put_ack_(mqtt, SOS_MQTT_PUBCOMP_, id, known ? 0 : SOS_MQTT_PACKET_ID_NOT_FOUND_);
    return SOS_OK;
}

static int take_pong(sos_mqtt *mqtt)
{
    if (mqtt->pongs == mqtt->pings)
        return unexpected(mqtt, SOS_MQTT_PINGRESP_, "answers no ping");
    mqtt->pongs++;
    sos_event_set(&mqtt->pong);
    sos_event_clear(&mqtt->pong);
    return SOS_OK;
}

static int take_disconnect(sos_mqtt *mqtt, const struct sos_mqtt_notice_ *notice)
{
    sos_mqtt_tell_(&mqtt->answer, &mqtt->in, SOS_MQTT_DISCONNECT_, notice->reason,
                   &notice->properties);
    return SOS_ESERVER;
}

static int take_packet(sos_mqtt *mqtt, struct sos_mqtt_packet_ *packet)
{
    bool known;
    switch (packet->type) {
    case SOS_MQTT_PUBLISH_:
        return take_publish(mqtt, &packet->publish);
    case SOS_MQTT_PUBREL_:
        return take_release(mqtt, packet->ack.id);
    case SOS_MQTT_PUBACK_:
    case SOS_MQTT_PUBREC_:
    case SOS_MQTT_PUBCOMP_:
        known = sos_mqtt_acked_(mqtt, packet->type, &packet->ack);
        return known ? SOS_OK : unexpected(mqtt, packet->type, "acknowledges nothing");
    case SOS_MQTT_SUBACK_:
    case SOS_MQTT_UNSUBACK_:
        known = sos_mqtt_answered_(mqtt, packet->type, &packet->suback);
        return known ? SOS_OK
                     : unexpected(mqtt, packet->type,
                                  "answers nothing, or not each filter [MQTT-3.9.3-1]");
    case SOS_MQTT_PINGRESP_:
        return take_pong(mqtt);
    case SOS_MQTT_DISCONNECT_:
        return take_disconnect(mqtt, &packet->notice);
    default: /* CONNACK again, and AUTH, for which nobody has asked */
        return unexpected(mqtt, packet->type, "was not asked for");
    }
}

/* A packet that cannot be taken yet stays, and those behind it. */
int sos_mqtt_take_packets_(sos_mqtt *mqtt)
{
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    size_t size, taken = 0;
    int status = SOS_OK;
    const unsigned char *bytes = sos_stream_data(mqtt->stream, &size);
    while (status == SOS_OK && taken < size && mqtt->broken == 0) {
        int whole = sos_mqtt_read_(&mqtt->in, bytes + taken, size - taken, &packet, &error);
        if (whole == SOS_PARTIAL_)
            break;
        status = whole < 0 ? malformed(mqtt, whole, &error) : take_packet(mqtt, &packet);
        if (status == SOS_OK)
            taken += (size_t)whole;
    }
    sos_stream_take(mqtt->stream, taken);
    return mqtt->broken != 0 ? mqtt->broken : status;
}
