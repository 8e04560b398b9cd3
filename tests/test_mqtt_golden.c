/* SPDX-License-Identifier: MIT */
/*
 * Every packet of MQTT 3.1.1 and 5, its bytes written by hand from the standard: built and written
 * it gives the bytes, read it gives what was built. Each of them is then cut short at every byte
 * and changed in every byte.
 */
#include "mqtt_bytes.h"

#define S SOS_MQTT_SLICE_
#define HAS(name) SOS_MQTT_HAS_##name##_
#define PACKET(kind) ((struct sos_mqtt_packet_){ .type = SOS_MQTT_##kind##_ })
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct sos_mqtt_pair_ pairs[] = { { { "a", 1 }, { "1", 1 } },
                                               { { "a", 1 }, { "", 0 } } };
static const struct sos_mqtt_pairs_ two_pairs = { pairs, 2 };

/* ---- Version 3.1.1 */

static struct sos_mqtt_packet_ connect_3(void)
{
    struct sos_mqtt_packet_ packet = PACKET(CONNECT);
    packet.connect.version = SOS_MQTT_3_;
    packet.connect.clean_start = true;
    packet.connect.keep_alive = 60;
    packet.connect.client_id = S("c1");
    return packet;
}

static struct sos_mqtt_packet_ connect_3_full(void)
{
    struct sos_mqtt_packet_ packet = connect_3();
    packet.connect.clean_start = false;
    packet.connect.will.topic = S("w/t");
    packet.connect.will.payload = S("\0bye");
    packet.connect.will.qos = 2;
    packet.connect.will.retain = true;
    packet.connect.user = S("u\xC3\xA9");
    packet.connect.password = S("\xFF\x00p");
    return packet;
}

static struct sos_mqtt_packet_ connack_present(void)
{
    struct sos_mqtt_packet_ packet = PACKET(CONNACK);
    packet.connack.session_present = true;
    return packet;
}

static struct sos_mqtt_packet_ connack_3_refused(void)
{
    struct sos_mqtt_packet_ packet = PACKET(CONNACK);
    packet.connack.reason = 5;
    return packet;
}

static struct sos_mqtt_packet_ publish_qos_0(void)
{
    struct sos_mqtt_packet_ packet = PACKET(PUBLISH);
    packet.publish.topic = S("a/b");
    packet.publish.payload = S("hello");
    return packet;
}

static struct sos_mqtt_packet_ publish_qos_2(void)
{
    struct sos_mqtt_packet_ packet = publish_qos_0();
    packet.publish.dup = packet.publish.retain = true;
    packet.publish.qos = 2;
    packet.publish.id = 0x1234;
    packet.publish.payload.size = 0;
    return packet;
}

static struct sos_mqtt_packet_ ack(int type)
{
    struct sos_mqtt_packet_ packet = { .type = (uint8_t)type };
    packet.ack.id = 0x0102;
    return packet;
}

static struct sos_mqtt_packet_ puback(void)
{
    return ack(SOS_MQTT_PUBACK_);
}

static struct sos_mqtt_packet_ pubrec(void)
{
    return ack(SOS_MQTT_PUBREC_);
}

static struct sos_mqtt_packet_ pubrel(void)
{
    return ack(SOS_MQTT_PUBREL_);
}

static struct sos_mqtt_packet_ pubcomp(void)
{
    return ack(SOS_MQTT_PUBCOMP_);
}

static struct sos_mqtt_packet_ subscribe_3(void)
{
    static const struct sos_mqtt_filter_ filters[] = { { .filter = { "a/+", 3 }, .qos = 1 },
                                                       { .filter = { "#", 1 }, .qos = 2 } };
    struct sos_mqtt_packet_ packet = PACKET(SUBSCRIBE);
    packet.subscribe.id = 10;
    packet.subscribe.filters = filters;
    packet.subscribe.count = COUNT(filters);
    return packet;
}

static struct sos_mqtt_packet_ suback_3(void)
{
    struct sos_mqtt_packet_ packet = PACKET(SUBACK);
    packet.suback.id = 10;
    packet.suback.reasons = S("\x00\x01\x02\x80");
    return packet;
}

static struct sos_mqtt_packet_ unsubscribe(void)
{
    static const struct sos_mqtt_filter_ filters[] = { { .filter = { "a/+", 3 } },
                                                       { .filter = { "/", 1 } } };
    struct sos_mqtt_packet_ packet = PACKET(UNSUBSCRIBE);
    packet.subscribe.id = 11;
    packet.subscribe.filters = filters;
    packet.subscribe.count = COUNT(filters);
    return packet;
}

static struct sos_mqtt_packet_ unsuback_3(void)
{
    struct sos_mqtt_packet_ packet = PACKET(UNSUBACK);
    packet.suback.id = 11;
    return packet;
}

static struct sos_mqtt_packet_ pingreq(void)
{
    return PACKET(PINGREQ);
}

static struct sos_mqtt_packet_ pingresp(void)
{
    return PACKET(PINGRESP);
}

static struct sos_mqtt_packet_ disconnect(void)
{
    return PACKET(DISCONNECT);
}

/* ---- Version 5 */

static struct sos_mqtt_packet_ connect_5(void)
{
    struct sos_mqtt_packet_ packet = connect_3();
    packet.connect.version = SOS_MQTT_5_;
    packet.connect.client_id = S("");
    return packet;
}

static struct sos_mqtt_packet_ connect_5_full(void)
{
    struct sos_mqtt_packet_ packet = connect_5();
    struct sos_mqtt_connect_ *connect = &packet.connect;
    connect->clean_start = false;
    connect->password = S("pw"); /* without a user: 3.1.2.9 allows it */
    connect->properties = (struct sos_mqtt_properties_){
        .has = HAS(SESSION_EXPIRY) | HAS(AUTHENTICATION_METHOD) | HAS(AUTHENTICATION_DATA) |
               HAS(REQUEST_PROBLEM_INFO) | HAS(REQUEST_RESPONSE_INFO) | HAS(RECEIVE_MAXIMUM) |
               HAS(TOPIC_ALIAS_MAXIMUM) | HAS(USER) | HAS(MAXIMUM_PACKET_SIZE),
        .session_expiry = UINT32_MAX,
        .authentication_method = S("m"),
        .authentication_data = S("\x00\x01"),
        .request_response_info = 1,
        .receive_maximum = 20,
        .topic_alias_maximum = 10,
        .user = two_pairs,
        .maximum_packet_size = 65536
    };
    connect->will = (struct sos_mqtt_will_){
        .topic = S("w"),
        .payload = S("x"),
        .qos = 1,
        .properties = { .has = HAS(PAYLOAD_FORMAT) | HAS(MESSAGE_EXPIRY) | HAS(CONTENT_TYPE) |
                               HAS(RESPONSE_TOPIC) | HAS(CORRELATION_DATA) | HAS(WILL_DELAY) |
                               HAS(USER),
                        .payload_format = 1,
                        .message_expiry = 2,
                        .content_type = S("t"),
                        .response_topic = S("r"),
                        .correlation_data = S("\xFE"),
                        .will_delay = 5,
                        .user = two_pairs }
    };
    return packet;
}

static struct sos_mqtt_packet_ connack_5_full(void)
{
    struct sos_mqtt_packet_ packet = PACKET(CONNACK);
    packet.connack.properties = (struct sos_mqtt_properties_){
        .has = HAS(SESSION_EXPIRY) | HAS(ASSIGNED_CLIENT_ID) | HAS(SERVER_KEEP_ALIVE) |
               HAS(RESPONSE_INFO) | HAS(REASON_STRING) | HAS(RECEIVE_MAXIMUM) |
               HAS(TOPIC_ALIAS_MAXIMUM) | HAS(MAXIMUM_QOS) | HAS(RETAIN_AVAILABLE) |
               HAS(MAXIMUM_PACKET_SIZE) | HAS(WILDCARD_AVAILABLE) | HAS(SUBSCRIPTION_ID_AVAILABLE) |
               HAS(SHARED_AVAILABLE),
        .session_expiry = 16,
        .assigned_client_id = S("id"),
        .server_keep_alive = 0,
        .response_info = S("ri"),
        .reason_string = S("ok"),
        .receive_maximum = UINT16_MAX,
        .maximum_qos = 1,
        .maximum_packet_size = 1,
        .shared_available = 1
    };
    return packet;
}

static struct sos_mqtt_packet_ connack_5_moved(void)
{
    struct sos_mqtt_packet_ packet = PACKET(CONNACK);
    packet.connack.reason = SOS_MQTT_USE_ANOTHER_SERVER_;
    packet.connack.properties.has = HAS(SERVER_REFERENCE);
    packet.connack.properties.server_reference = S("h:1");
    return packet;
}

static struct sos_mqtt_packet_ publish_5(void)
{
    struct sos_mqtt_packet_ packet = publish_qos_0();
    packet.publish.qos = 1;
    packet.publish.id = 1;
    packet.publish.properties.has = HAS(MESSAGE_EXPIRY) | HAS(TOPIC_ALIAS) | HAS(USER);
    packet.publish.properties.message_expiry = 0;
    packet.publish.properties.topic_alias = 7;
    packet.publish.properties.user = two_pairs;
    return packet;
}

static struct sos_mqtt_packet_ publish_5_alias(void)
{
    struct sos_mqtt_packet_ packet = PACKET(PUBLISH);
    packet.publish.topic = S("");
    packet.publish.properties.has = HAS(TOPIC_ALIAS);
    packet.publish.properties.topic_alias = 7;
    return packet;
}

static struct sos_mqtt_packet_ publish_5_ids(void)
{
    static const uint32_t others[] = { 128, 268435455 };
    struct sos_mqtt_packet_ packet = publish_qos_0();
    packet.publish.properties.has = HAS(SUBSCRIPTION_ID);
    packet.publish.properties.subscription_id = (struct sos_mqtt_ids_){ 1, 2, others };
    return packet;
}

static struct sos_mqtt_packet_ puback_5_reason(void)
{
    struct sos_mqtt_packet_ packet = puback();
    packet.ack.reason = SOS_MQTT_NO_MATCHING_SUBSCRIBERS_;
    return packet;
}

static struct sos_mqtt_packet_ with_reason_string(struct sos_mqtt_packet_ packet, int reason)
{
    packet.ack.reason = (uint8_t)reason;
    packet.ack.properties.has = HAS(REASON_STRING);
    packet.ack.properties.reason_string = S("no");
    return packet;
}

static struct sos_mqtt_packet_ pubrec_5_full(void)
{
    return with_reason_string(pubrec(), SOS_MQTT_QUOTA_EXCEEDED_);
}

static struct sos_mqtt_packet_ pubrel_5_full(void)
{
    return with_reason_string(pubrel(), SOS_MQTT_PACKET_ID_NOT_FOUND_);
}

static struct sos_mqtt_packet_ pubcomp_5_full(void)
{
    return with_reason_string(pubcomp(), SOS_MQTT_SUCCESS_);
}

static struct sos_mqtt_packet_ subscribe_5(void)
{
    static const struct sos_mqtt_filter_ filters[] = {
        { .filter = { "$share/g/a", 10 }, .qos = 2, .retain_handling = 2 },
        { .filter = { "b", 1 },
          .no_local = true,
          .retain_as_published = true,
          .retain_handling = 1 }
    };
    struct sos_mqtt_packet_ packet = PACKET(SUBSCRIBE);
    packet.subscribe.id = 10;
    packet.subscribe.filters = filters;
    packet.subscribe.count = COUNT(filters);
    packet.subscribe.properties.has = HAS(SUBSCRIPTION_ID) | HAS(USER);
    packet.subscribe.properties.subscription_id.one = 200;
    packet.subscribe.properties.user = two_pairs;
    return packet;
}

static struct sos_mqtt_packet_ suback_5(void)
{
    struct sos_mqtt_packet_ packet = PACKET(SUBACK);
    packet.suback.id = 10;
    packet.suback.reasons = S("\x02\x9E");
    packet.suback.properties.has = HAS(REASON_STRING);
    packet.suback.properties.reason_string = S("no");
    return packet;
}

static struct sos_mqtt_packet_ unsuback_5(void)
{
    struct sos_mqtt_packet_ packet = PACKET(UNSUBACK);
    packet.suback.id = 11;
    packet.suback.reasons = S("\x00\x11");
    return packet;
}

static struct sos_mqtt_packet_ disconnect_5_will(void)
{
    struct sos_mqtt_packet_ packet = disconnect();
    packet.notice.reason = SOS_MQTT_DISCONNECT_WITH_WILL_;
    return packet;
}

static struct sos_mqtt_packet_ disconnect_5_expiry(void)
{
    struct sos_mqtt_packet_ packet = disconnect();
    packet.notice.properties.has = HAS(SESSION_EXPIRY);
    packet.notice.properties.session_expiry = 0;
    return packet;
}

static struct sos_mqtt_packet_ disconnect_5_server(void)
{
    struct sos_mqtt_packet_ packet = disconnect();
    packet.notice.reason = SOS_MQTT_SERVER_MOVED_;
    packet.notice.properties.has = HAS(SERVER_REFERENCE) | HAS(REASON_STRING);
    packet.notice.properties.server_reference = S("h");
    packet.notice.properties.reason_string = S("");
    return packet;
}

static struct sos_mqtt_packet_ auth(void)
{
    struct sos_mqtt_packet_ packet = PACKET(AUTH);
    packet.notice.reason = SOS_MQTT_CONTINUE_AUTHENTICATION_;
    packet.notice.properties.has = HAS(AUTHENTICATION_METHOD) | HAS(AUTHENTICATION_DATA);
    packet.notice.properties.authentication_method = S("m");
    packet.notice.properties.authentication_data = S("");
    return packet;
}

static struct sos_mqtt_packet_ auth_success(void)
{
    return PACKET(AUTH);
}

/* ---- The table */

enum { V3 = SOS_MQTT_3_, V5 = SOS_MQTT_5_, C = SOS_MQTT_CLIENT_, SV = SOS_MQTT_SERVER_ };

#define PAIRS "26 00 01 'a' 00 01 '1' 26 00 01 'a' 00 00"

static const struct golden {
    const char *name;
    struct sos_mqtt_packet_ (*build)(void);
    int version, sender;
    const char *bytes;
} table[] = {
    { "CONNECT", connect_3, V3, C, "10 0E 00 04 'MQTT' 04 02 00 3C 00 02 'c1'" },
    { "CONNECT, all", connect_3_full, V3, C,
      "10 23 00 04 'MQTT' 04 F4 00 3C 00 02 'c1' 00 03 'w/t' 00 04 00 'bye' 00 03 'u' C3 A9 "
      "00 03 FF 00 'p'" },
    { "CONNACK", connack_present, V3, SV, "20 02 01 00" },
    { "CONNACK, refused", connack_3_refused, V3, SV, "20 02 00 05" },
    { "PUBLISH", publish_qos_0, V3, C, "30 0A 00 03 'a/bhello'" },
    { "PUBLISH, QoS 2", publish_qos_2, V3, SV, "3D 07 00 03 'a/b' 12 34" },
    { "PUBACK", puback, V3, C, "40 02 01 02" },
    { "PUBREC", pubrec, V3, SV, "50 02 01 02" },
    { "PUBREL", pubrel, V3, C, "62 02 01 02" },
    { "PUBCOMP", pubcomp, V3, SV, "70 02 01 02" },
    { "SUBSCRIBE", subscribe_3, V3, C, "82 0C 00 0A 00 03 'a/+' 01 00 01 '#' 02" },
    { "SUBACK", suback_3, V3, SV, "90 06 00 0A 00 01 02 80" },
    { "UNSUBSCRIBE", unsubscribe, V3, C, "A2 0A 00 0B 00 03 'a/+' 00 01 '/'" },
    { "UNSUBACK", unsuback_3, V3, SV, "B0 02 00 0B" },
    { "PINGREQ", pingreq, V3, C, "C0 00" },
    { "PINGRESP", pingresp, V3, SV, "D0 00" },
    { "DISCONNECT", disconnect, V3, C, "E0 00" },
    { "5 CONNECT", connect_5, V5, C, "10 0D 00 04 'MQTT' 05 02 00 3C 00 00 00" },
    { "5 CONNECT, all", connect_5_full, V5, C,
      "10 67 00 04 'MQTT' 05 4C 00 3C "
      "2A 11 FF FF FF FF 15 00 01 'm' 16 00 02 00 01 17 00 19 01 21 00 14 22 00 0A " PAIRS
      " 27 00 01 00 00 00 00 "
      "25 01 01 02 00 00 00 02 03 00 01 't' 08 00 01 'r' 09 00 01 FE 18 00 00 00 05 " PAIRS
      " 00 01 'w' 00 01 'x' 00 02 'pw'" },
    { "5 CONNACK", connack_present, V5, SV, "20 03 01 00 00" },
    { "5 CONNACK, all", connack_5_full, V5, SV,
      "20 2F 00 00 2C 11 00 00 00 10 12 00 02 'id' 13 00 00 1A 00 02 'ri' 1F 00 02 'ok' "
      "21 FF FF 22 00 00 24 01 25 00 27 00 00 00 01 28 00 29 00 2A 01" },
    { "5 CONNACK, moved", connack_5_moved, V5, SV, "20 09 00 9C 06 1C 00 03 'h:1'" },
    { "5 PUBLISH", publish_qos_0, V5, SV, "30 0B 00 03 'a/b' 00 'hello'" },
    { "5 PUBLISH, QoS 1", publish_5, V5, C,
      "32 22 00 03 'a/b' 00 01 15 02 00 00 00 00 23 00 07 " PAIRS " 'hello'" },
    { "5 PUBLISH, alias", publish_5_alias, V5, C, "30 06 00 00 03 23 00 07" },
    { "5 PUBLISH, subscriptions", publish_5_ids, V5, SV,
      "30 15 00 03 'a/b' 0A 0B 01 0B 80 01 0B FF FF FF 7F 'hello'" },
    { "5 PUBACK", puback, V5, C, "40 02 01 02" },
    { "5 PUBACK, code", puback_5_reason, V5, SV, "40 03 01 02 10" },
    { "5 PUBREC, all", pubrec_5_full, V5, C, "50 09 01 02 97 05 1F 00 02 'no'" },
    { "5 PUBREL, all", pubrel_5_full, V5, C, "62 09 01 02 92 05 1F 00 02 'no'" },
    { "5 PUBCOMP, all", pubcomp_5_full, V5, SV, "70 09 01 02 00 05 1F 00 02 'no'" },
    { "5 SUBSCRIBE", subscribe_5, V5, C,
      "82 24 00 0A 10 0B C8 01 " PAIRS " 00 0A '$share/g/a' 22 00 01 'b' 1C" },
    { "5 SUBACK", suback_5, V5, SV, "90 0A 00 0A 05 1F 00 02 'no' 02 9E" },
    { "5 UNSUBSCRIBE", unsubscribe, V5, C, "A2 0B 00 0B 00 00 03 'a/+' 00 01 '/'" },
    { "5 UNSUBACK", unsuback_5, V5, SV, "B0 05 00 0B 00 00 11" },
    { "5 PINGREQ", pingreq, V5, C, "C0 00" },
    { "5 PINGRESP", pingresp, V5, SV, "D0 00" },
    { "5 DISCONNECT", disconnect, V5, C, "E0 00" },
    { "5 DISCONNECT, will", disconnect_5_will, V5, C, "E0 01 04" },
    { "5 DISCONNECT, expiry", disconnect_5_expiry, V5, C, "E0 07 00 05 11 00 00 00 00" },
    { "5 DISCONNECT, server", disconnect_5_server, V5, SV, "E0 09 9D 07 1C 00 01 'h' 1F 00 00" },
    { "5 AUTH", auth, V5, C, "F0 09 18 07 15 00 01 'm' 16 00 00" },
    { "5 AUTH, success", auth_success, V5, SV, "F0 00" },
};

static struct sos_mqtt_rules_ rules_of(const struct golden *golden)
{
    return (struct sos_mqtt_rules_){ (uint8_t)golden->version, (uint8_t)golden->sender, 0 };
}

static void hex(char *text, const unsigned char *data, size_t size)
{
    for (size_t index = 0; index < size; index++)
        text += sprintf(text, "%02X ", data[index]);
    *text = '\0';
}

/* ---- What holds for each */

static void it_is_written_as_the_standard_says(const struct golden *golden)
{
    struct sos_mqtt_packet_ packet = golden->build();
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    struct sos_mqtt_error_ error;
    unsigned char data[MQTT_BYTES_MAX];
    char text[4 * MQTT_BYTES_MAX], expected[4 * MQTT_BYTES_MAX];
    int size = sos_mqtt_write_(&rules, &packet, NULL, 0, &error);
    CHECK_TEXT(error.syntax.rule == NULL ? "" : error.syntax.rule, "");
    CHECK(size > 0 && size <= MQTT_BYTES_MAX);
    memset(data, 0xEE, sizeof data);
    CHECK_INT(sos_mqtt_write_(&rules, &packet, data, (size_t)size - 1, &error), size);
    CHECK_INT(data[0], 0xEE); /* too small: nothing is written */
    CHECK_INT(sos_mqtt_write_(&rules, &packet, data, (size_t)size, &error), size);
    CHECK_INT(data[size], 0xEE);
    hex(text, data, (size_t)size);
    hex(expected, bytes.data, bytes.size);
    CHECK_TEXT(text, expected);
}

static void it_is_read_as_it_was_built(const struct golden *golden)
{
    struct sos_mqtt_packet_ built = golden->build(), packet;
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    struct sos_mqtt_error_ error;
    memset(&packet, 0xEE, sizeof packet);
    int status = sos_mqtt_read_(&rules, bytes.data, bytes.size, &packet, &error);
    CHECK_TEXT(error.syntax.rule == NULL ? "" : error.syntax.rule, "");
    CHECK_INT(status, bytes.size);
    const char *difference = mqtt_difference(&rules, &built, &packet);
    CHECK_TEXT(difference == NULL ? "" : difference, "");
    difference = mqtt_difference(&rules, &packet, &built);
    CHECK_TEXT(difference == NULL ? "" : difference, "");
    CHECK_INT(mqtt_check_any(&rules, bytes.data, bytes.size), bytes.size);
}

static void it_is_not_read_before_its_last_byte(const struct golden *golden)
{
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        unsigned char *part = mqtt_copy(bytes.data, size);
        CHECK_INT(mqtt_check_any(&rules, part, size), SOS_PARTIAL_);
        free(part);
    }
}

/* The remaining length says what is there. */
static void cut_short_it_is_refused_or_another_packet(const struct golden *golden)
{
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    for (size_t size = 2; size < bytes.size; size++) {
        unsigned char *part = mqtt_copy(bytes.data, size);
        part[1] = (unsigned char)(size - 2);
        CHECK(mqtt_check_any(&rules, part, size) != SOS_PARTIAL_);
        free(part);
    }
}

static void changed_in_one_byte_it_is_refused_or_another_packet(const struct golden *golden)
{
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    unsigned char *copy = mqtt_copy(bytes.data, bytes.size);
    for (size_t at = 0; at < bytes.size; at++) {
        for (int value = 0; value < 256; value++) {
            copy[at] = (unsigned char)value;
            mqtt_check_any(&rules, copy, bytes.size);
        }
        copy[at] = bytes.data[at];
    }
    free(copy);
}

static void behind_it_there_may_be_others(const struct golden *golden)
{
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    size_t size = bytes.size;
    bytes.data[bytes.size++] = 0xC0;
    CHECK_INT(sos_mqtt_read_(&rules, bytes.data, bytes.size, &packet, &error), size);
}

static void the_receiver_sets_the_size(const struct golden *golden)
{
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    struct sos_mqtt_packet_ packet = golden->build();
    struct sos_mqtt_error_ error;
    rules.max_packet_size = (uint32_t)bytes.size;
    CHECK_INT(sos_mqtt_write_(&rules, &packet, NULL, 0, &error), bytes.size);
    CHECK_INT(sos_mqtt_read_(&rules, bytes.data, bytes.size, &packet, &error), bytes.size);
    packet = golden->build();
    rules.max_packet_size--;
    CHECK_INT(sos_mqtt_write_(&rules, &packet, NULL, 0, &error), SOS_ELIMIT);
    CHECK_INT(sos_mqtt_read_(&rules, bytes.data, 2, &packet, &error), SOS_ELIMIT);
    CHECK_INT(error.reason, SOS_MQTT_PACKET_TOO_LARGE_);
}

/* Nobody but its sender sends it, unless both do. */
static void from_the_other_end_it_is_the_same_or_refused(const struct golden *golden)
{
    struct sos_mqtt_rules_ rules = rules_of(golden);
    struct mqtt_bytes bytes = mqtt_bytes(golden->bytes);
    rules.sender = golden->sender == C ? SV : C;
    mqtt_check_any(&rules, bytes.data, bytes.size);
    rules.version = golden->version == V3 ? V5 : V3;
    mqtt_check_any(&rules, bytes.data, bytes.size);
    rules.sender = (uint8_t)golden->sender;
    mqtt_check_any(&rules, bytes.data, bytes.size);
}

int main(void)
{
    for (size_t index = 0; index < COUNT(table); index++) {
        const struct golden *golden = &table[index];
        printf("%s\n", golden->name);
        it_is_written_as_the_standard_says(golden);
        it_is_read_as_it_was_built(golden);
        it_is_not_read_before_its_last_byte(golden);
        cut_short_it_is_refused_or_another_packet(golden);
        changed_in_one_byte_it_is_refused_or_another_packet(golden);
        behind_it_there_may_be_others(golden);
        the_receiver_sets_the_size(golden);
        from_the_other_end_it_is_the_same_or_refused(golden);
    }
    return 0;
}
