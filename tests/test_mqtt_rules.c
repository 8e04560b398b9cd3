/* SPDX-License-Identifier: MIT */
/* What the standard forbids is refused: by which rule, at which byte, with which code. */
#include "mqtt_bytes.h"

enum {
    V0 = 0,
    V3 = SOS_MQTT_3_,
    V5 = SOS_MQTT_5_,
    C = SOS_MQTT_CLIENT_,
    SV = SOS_MQTT_SERVER_,
    BAD = SOS_MQTT_MALFORMED_PACKET_,
    ERR = SOS_MQTT_PROTOCOL_ERROR_
};

#define CON(version, flags) "00 04 'MQTT' " version " " flags " 00 00 "

/* rule: some words of it */
static const struct refusal {
    int version, sender;
    const char *bytes;
    int at, reason;
    const char *rule;
} table[] = {
    /* 2.1: the fixed header */
    { V5, C, "00 00", 0, BAD, "reserved (2.1.2)" },
    { V3, C, "F0 00", 0, BAD, "reserved (2.1.2)" },
    { V0, C, "C0 00", 0, ERR, "MQTT-3.1.0-1" },
    { V5, C, "20 02 00 00", 0, ERR, "other end" },
    { V5, SV, "82 00", 0, ERR, "other end" },
    { V3, SV, "E0 00", 0, ERR, "other end" },
    { V5, C, "C1 00", 0, BAD, "MQTT-2.1.3-1" },
    { V5, C, "60 02 00 01", 0, BAD, "MQTT-3.6.1-1" },
    { V5, C, "80 00", 0, BAD, "MQTT-3.8.1-1" },
    { V5, C, "A0 00", 0, BAD, "MQTT-3.10.1-1" },
    { V5, C, "36 00", 0, BAD, "MQTT-3.3.1-4" },
    { V5, C, "38 00", 0, BAD, "MQTT-3.3.1-2" },
    { V5, C, "C0 80 00", 2, BAD, "MQTT-1.5.5-1" },
    { V5, C, "30 FF FF FF FF", 4, BAD, "1.5.5" },
    { V5, C, "C0 01 00", 2, BAD, "last field" },
    /* 1.5.4: strings */
    { V3, C, "30 04 00 02 C0 80", 4, BAD, "MQTT-1.5.4-1" },
    { V3, C, "30 06 00 04 'a' ED A0 80", 5, BAD, "MQTT-1.5.4-1" },
    { V3, C, "30 05 00 03 F4 90 80", 4, BAD, "MQTT-1.5.4-1" },
    { V3, C, "30 05 00 03 'ab' 00", 6, BAD, "MQTT-1.5.4-2" },
    { V3, C, "30 0E 00 0C 'abcdefghijk' 00", 15, BAD, "MQTT-1.5.4-2" },
    { V3, C, "30 03 00 02 'a'", 4, BAD, "(1.5)" },
    /* 3.1: CONNECT */
    { V0, C, "10 0C 00 04 'MQTX' 04 02 00 00 00 00", 2, 0x84, "MQTT-3.1.2-1" },
    { V0, C, "10 0E 00 06 'MQIsdp' 03 02 00 00 00 00", 2, 0x84, "MQTT-3.1.2-1" },
    { V0, C, "10 0C 00 04 'MQTT' 06 02 00 00 00 00", 8, 0x84, "MQTT-3.1.2-2" },
    { V5, C, "10 0C " CON("04", "02") "00 00", 8, ERR, "of the connection" },
    { V0, C, "10 8D 00 " CON("05", "02") "00 00 00", 2, BAD, "MQTT-1.5.5-1" },
    { V0, C, "10 0C " CON("04", "03") "00 00", 9, BAD, "MQTT-3.1.2-3" },
    { V0, C, "10 0C " CON("04", "0A") "00 00", 9, BAD, "MQTT-3.1.2-11" },
    { V0, C, "10 0C " CON("04", "22") "00 00", 9, BAD, "MQTT-3.1.2-13" },
    { V0, C, "10 0C " CON("04", "1E") "00 00", 9, BAD, "MQTT-3.1.2-12" },
    { V0, C, "10 0F " CON("04", "42") "00 00 00 01 'p'", 9, BAD, "MQTT-3.1.2-22" },
    { V0, C, "10 0C " CON("04", "00") "00 00", 12, 0x85, "MQTT-3.1.3-8" },
    { V0, C, "10 11 " CON("04", "06") "00 00 00 01 '#' 00 00", 16, BAD, "MQTT-4.7.0-1" },
    { V0, C, "10 0D " CON("04", "02") "00 00 00", 14, BAD, "last field" },
    { V0, C, "10 0C " CON("04", "82") "00 00", 14, BAD, "(1.5)" },
    /* 3.2: CONNACK */
    { V3, SV, "20 02 02 00", 2, BAD, "MQTT-3.2.2-1" },
    { V3, SV, "20 02 00 06", 3, ERR, "MQTT-3.2.2-8" },
    { V3, SV, "20 02 01 05", 2, ERR, "MQTT-3.2.2-6" },
    { V5, SV, "20 03 01 80 00", 2, ERR, "MQTT-3.2.2-6" },
    { V5, SV, "20 03 00 8E 00", 3, ERR, "MQTT-3.2.2-8" },
    { V5, SV, "20 02 00 01", 3, 0x84, "does not speak version 5" },
    /* 3.3: PUBLISH */
    { V3, C, "30 02 00 00", 4, BAD, "MQTT-4.7.3-1" },
    { V3, C, "30 05 00 03 'a/+'", 6, BAD, "MQTT-4.7.0-1" },
    { V3, C, "32 05 00 01 'a' 00 00", 5, ERR, "MQTT-2.2.1-3" },
    { V3, C, "32 04 00 01 'a' 00", 5, BAD, "(1.5)" },
    { V5, C, "30 03 00 00 00", 2, ERR, "MQTT-4.7.3-1" },
    { V5, C, "30 05 00 01 'a' 02 00", 5, BAD, "2.2.2.1" },
    /* 3.4 to 3.7 */
    { V3, C, "40 02 00 00", 2, ERR, "packet identifier" },
    { V3, C, "40 03 00 01 00", 4, BAD, "last field" },
    { V5, C, "40 03 00 01 01", 4, ERR, "MQTT-3.4.2-1" },
    { V5, C, "40 03 00 01 10", 4, ERR, "MQTT-3.4.2-1" }, /* of a server only */
    { V5, C, "50 03 00 01 92", 4, ERR, "MQTT-3.5.2-1" },
    { V5, C, "62 03 00 01 91", 4, ERR, "MQTT-3.6.2-1" },
    { V5, C, "70 03 00 01 80", 4, ERR, "MQTT-3.7.2-1" },
    { V5, C, "40 04 00 01 00 01", 5, BAD, "2.2.2.1" },
    /* 3.8 to 3.11 */
    { V3, C, "82 02 00 01", 4, ERR, "MQTT-3.8.3-2" },
    { V5, C, "82 03 00 01 00", 5, ERR, "MQTT-3.8.3-2" },
    { V3, C, "82 06 00 01 00 01 'a' 03", 7, BAD, "MQTT-3-8.3-4" },
    { V3, C, "82 06 00 01 00 01 'a' 04", 7, BAD, "MQTT-3-8.3-4" },
    { V5, C, "82 07 00 01 00 00 01 'a' 03", 8, ERR, "3.8.3.1" },
    { V5, C, "82 07 00 01 00 00 01 'a' 30", 8, ERR, "3.8.3.1" },
    { V5, C, "82 07 00 01 00 00 01 'a' 40", 8, BAD, "MQTT-3.8.3-5" },
    { V5, C, "82 10 00 01 00 00 0A '$share/g/a' 04", 17, ERR, "MQTT-3.8.3-4" },
    { V3, C, "82 05 00 01 00 00 00", 6, BAD, "MQTT-4.7.3-1" },
    { V3, C, "82 08 00 01 00 03 '#/a' 00", 6, BAD, "MQTT-4.7.1-1" },
    { V3, C, "82 07 00 01 00 02 'a+' 00", 7, BAD, "MQTT-4.7.1-2" },
    { V5, C, "82 0F 00 01 00 00 09 '$share//a' 00", 14, BAD, "MQTT-4.8.2-1" },
    { V3, C, "A2 02 00 01", 4, ERR, "MQTT-3.10.3-2" },
    { V3, SV, "90 02 00 01", 4, BAD, "MQTT-3.8.4-6" },
    { V3, SV, "90 03 00 01 03", 4, ERR, "MQTT-3.9.3-2" },
    { V5, SV, "90 04 00 01 00 03", 5, ERR, "MQTT-3.9.3-2" },
    { V5, SV, "B0 04 00 01 00 01", 5, ERR, "MQTT-3.11.3-2" },
    { V5, SV, "B0 03 00 01 00", 5, BAD, "MQTT-3.11.3-1" },
    { V3, SV, "B0 03 00 01 00", 4, BAD, "last field" },
    /* 3.14, 3.15 */
    { V5, C, "E0 01 8B", 2, ERR, "MQTT-3.14.2-1" }, /* of a server only */
    { V5, SV, "E0 01 04", 2, ERR, "MQTT-3.14.2-1" },
    { V5, SV, "F0 01 19", 2, ERR, "MQTT-3.15.2-1" },
    { V5, C, "F0 02 18 00", 3, ERR, "3.15.2.2.2" },
    { V5, C, "F0 05 18 03 16 00 00", 3, ERR, "comes with" },
    /* 2.2.2: properties */
    { V5, C, "30 07 00 01 'a' 02 04 01 01", 6, BAD, "known one" },
    { V5, C, "30 06 00 01 'a' 01 7F 00", 6, BAD, "known one" },
    { V5, C, "30 08 00 01 'a' 04 01 00 01 00", 8, ERR, "comes once" },
    { V5, C, "30 07 00 01 'a' 02 01 02 'x'", 7, ERR, "0 or 1" },
    { V5, C, "30 07 00 01 'a' 03 23 00 00", 7, 0x94, "MQTT-3.3.2-8" },
    { V5, C, "30 06 00 01 'a' 02 0B 01", 6, ERR, "this sender" }, /* [MQTT-3.3.4-6] */
    { V5, SV, "30 06 00 01 'a' 02 0B 00", 7, ERR, "not 0" },
    { V5, SV, "30 07 00 01 'a' 03 0B 80 00", 8, BAD, "MQTT-1.5.5-1" },
    { V5, C, "30 08 00 01 'a' 04 08 00 01 '#'", 9, BAD, "MQTT-4.7.0-1" },
    { V5, C, "30 06 00 01 'a' 02 02 00", 7, BAD, "(1.5)" },
    { V5, C, "30 0A 00 01 'a' 06 26 00 01 FF 00 00", 9, BAD, "MQTT-1.5.4-1" },
    { V5, SV, "E0 07 00 05 11 00 00 00 00", 4, BAD, "this sender" }, /* [MQTT-3.14.2-2] */
    { V5, C, "82 0B 00 01 04 0B 01 0B 02 00 01 'a' 00", 7, ERR, "comes once" },
    { V0, C, "10 10 " CON("05", "02") "03 21 00 00 00 00", 14, ERR, "not 0" },
    { V0, C, "10 12 " CON("05", "02") "05 27 00 00 00 00 00 00", 14, ERR, "not 0" },
};

static void every_rule_is_held(void)
{
    for (size_t index = 0; index < sizeof table / sizeof table[0]; index++) {
        const struct refusal *refusal = &table[index];
        struct sos_mqtt_rules_ rules = { (uint8_t)refusal->version, (uint8_t)refusal->sender, 0 };
        struct mqtt_bytes bytes = mqtt_bytes(refusal->bytes);
        struct sos_mqtt_packet_ packet;
        struct sos_mqtt_error_ error;
        printf("%s: %s\n", refusal->rule, refusal->bytes);
        CHECK_INT(sos_mqtt_read_(&rules, bytes.data, bytes.size, &packet, &error), SOS_EPROTO);
        if (strstr(error.syntax.rule, refusal->rule) == NULL)
            CHECK_TEXT(error.syntax.rule, refusal->rule);
        CHECK_INT(error.reason, refusal->reason);
        CHECK_INT(error.syntax.at, refusal->at);
        CHECK_INT(mqtt_check_any(&rules, bytes.data, bytes.size), SOS_EPROTO);
    }
}

static void a_refusal_names_the_property(void)
{
    struct sos_mqtt_rules_ rules = { V5, C, 0 };
    struct mqtt_bytes bytes = mqtt_bytes("30 08 00 01 'a' 04 01 00 01 00");
    struct sos_mqtt_packet_ packet = { .type = SOS_MQTT_PINGREQ_ };
    struct sos_mqtt_error_ error;
    CHECK_INT(sos_mqtt_read_(&rules, bytes.data, bytes.size, &packet, &error), SOS_EPROTO);
    CHECK_TEXT(error.subject, "Payload Format Indicator");
    packet = (struct sos_mqtt_packet_){ .type = SOS_MQTT_PUBLISH_ };
    packet.publish.topic = SOS_MQTT_SLICE_("a");
    packet.publish.properties.has = SOS_MQTT_HAS_SERVER_KEEP_ALIVE_;
    CHECK_INT(sos_mqtt_write_(&rules, &packet, NULL, 0, &error), SOS_EINVAL);
    CHECK_TEXT(error.subject, "Server Keep Alive");
}

/* Version 3.1.1, 2.2.3, does not forbid it. */
static void a_length_may_be_longer_than_need_be_in_3_1_1(void)
{
    struct sos_mqtt_rules_ rules = { V3, C, 0 };
    struct mqtt_bytes bytes = mqtt_bytes("C0 80 80 00");
    CHECK_INT(mqtt_check_any(&rules, bytes.data, bytes.size), 4);
}

static void lengths_at_the_borders_of_their_sizes(void)
{
    static const struct {
        uint32_t length;
        int size;
        const char *bytes;
    } lengths[] = { { 127, 2, "30 7F" },
                    { 128, 3, "30 80 01" },
                    { 16383, 3, "30 FF 7F" },
                    { 16384, 4, "30 80 80 01" },
                    { 2097151, 4, "30 FF FF 7F" },
                    { 2097152, 5, "30 80 80 80 01" },
                    { 268435455, 5, "30 FF FF FF 7F" } };
    for (size_t index = 0; index < sizeof lengths / sizeof lengths[0]; index++) {
        struct sos_mqtt_rules_ rules = { V3, C, 0 };
        struct mqtt_bytes bytes = mqtt_bytes(lengths[index].bytes);
        struct sos_mqtt_header_ header;
        struct sos_mqtt_error_ error;
        unsigned char head[16];
        for (size_t part = 0; part < bytes.size; part++)
            CHECK_INT(sos_mqtt_read_header_(&rules, bytes.data, part, &header, &error), 0);
        CHECK_INT(sos_mqtt_read_header_(&rules, bytes.data, bytes.size, &header, &error),
                  lengths[index].size);
        CHECK_INT(header.length, lengths[index].length);
        struct sos_mqtt_publish_ publish = { .topic = SOS_MQTT_SLICE_("a") };
        publish.payload.size = lengths[index].length - 3;
        int size = sos_mqtt_write_publish_head_(&rules, &publish, head, sizeof head, &error);
        CHECK_INT(size, lengths[index].size + 3);
        CHECK(memcmp(head, bytes.data, bytes.size) == 0);
        publish.payload.size = SOS_MQTT_LENGTH_MAX_ - 2;
        CHECK_INT(sos_mqtt_write_publish_head_(&rules, &publish, NULL, 0, &error), SOS_EINVAL);
    }
}

/* At every byte of it: not yet, or the same. */
static void a_publish_is_read_head_first(void)
{
    struct sos_mqtt_rules_ rules = { V5, SV, 0 };
    struct mqtt_bytes bytes = mqtt_bytes(
        "32 16 00 03 'a/b' 00 01 07 26 00 01 'k' 00 01 'v' 'payload'");
    for (size_t size = 0; size <= bytes.size; size++) {
        struct sos_mqtt_publish_ publish;
        struct sos_mqtt_error_ error;
        unsigned char *part = mqtt_copy(bytes.data, size);
        int status = sos_mqtt_read_publish_head_(&rules, part, size, &publish, &error);
        CHECK_INT(status, size < 17 ? SOS_PARTIAL_ : 17);
        if (status > 0) {
            CHECK_INT(publish.payload.size, 7);
            CHECK(publish.payload.data == NULL);
            CHECK_INT(publish.id, 1);
            CHECK_INT(publish.properties.user.count, 1);
        }
        free(part);
    }
}

/* ---- Writing: SOS_EINVAL, and the rule */

static void forbids(int version, int sender, const struct sos_mqtt_packet_ *packet,
                    const char *rule)
{
    struct sos_mqtt_rules_ rules = { (uint8_t)version, (uint8_t)sender, 0 };
    struct sos_mqtt_error_ error;
    unsigned char data[64];
    CHECK_INT(sos_mqtt_write_(&rules, packet, data, sizeof data, &error), SOS_EINVAL);
    if (strstr(error.syntax.rule, rule) == NULL)
        CHECK_TEXT(error.syntax.rule, rule);
}

#define FORBIDS(version, sender, rule, kind, ...)                                                  \
    forbids(version, sender,                                                                       \
            &(struct sos_mqtt_packet_){ .type = SOS_MQTT_##kind##_, __VA_ARGS__ }, rule)

#define A SOS_MQTT_SLICE_("a")

static void what_the_standard_forbids_is_not_written(void)
{
    FORBIDS(V5, C, "2.1.2", CONNACK, .connack.reason = 0);
    FORBIDS(V3, SV, "2.1.2", DISCONNECT, .notice.reason = 0);
    FORBIDS(V5, C, "MQTT-3.1.2-2]", CONNECT, .connect.version = 3);
    FORBIDS(V3, C, "3.1.2-22", CONNECT,
            .connect = { .version = 4, .clean_start = true, .password = A });
    FORBIDS(V3, C, "3.1.3-7", CONNECT, .connect = { .version = 4 });
    FORBIDS(V5, C, "3.1.2-11", CONNECT, .connect = { .version = 5, .will = { .qos = 1 } });
    FORBIDS(V5, C, "3.1.2-12", CONNECT,
            .connect = { .version = 5, .will = { .topic = A, .qos = 3 } });
    FORBIDS(V5, SV, "3.2.2-6", CONNACK, .connack = { .session_present = true, .reason = 0x80 });
    FORBIDS(V5, C, "3.3.1-4", PUBLISH, .publish = { .topic = A, .qos = 3, .id = 1 });
    FORBIDS(V5, C, "3.3.1-2", PUBLISH, .publish = { .topic = A, .dup = true });
    FORBIDS(V5, C, "2.2.1-2", PUBLISH, .publish = { .topic = A, .id = 1 });
    FORBIDS(V5, C, "2.2.1-3", PUBLISH, .publish = { .topic = A, .qos = 1 });
    FORBIDS(V5, C, "4.7.3-1", PUBLISH, .publish = { .qos = 0 });
    FORBIDS(V5, C, "4.7.0-1", PUBLISH, .publish = { .topic = SOS_MQTT_SLICE_("a/#") });
    FORBIDS(V5, C, "1.5.4-2", PUBLISH, .publish = { .topic = SOS_MQTT_SLICE_("a\0b") });
    FORBIDS(V3, C, "no properties", PUBLISH,
            .publish = { .topic = A, .properties = { .has = SOS_MQTT_HAS_USER_ } });
    FORBIDS(V5, C, "3.3.2-8", PUBLISH,
            .publish = { .topic = A, .properties = { .has = SOS_MQTT_HAS_TOPIC_ALIAS_ } });
    FORBIDS(V5, C, "2.4", PUBACK, .ack = { .id = 1, .reason = 0x10 });
    FORBIDS(V3, C, "neither code", PUBACK, .ack = { .id = 1, .reason = 0x80 });
    FORBIDS(V5, C, "2.2.1-3", PUBREL, .ack = { .id = 0 });
    FORBIDS(V5, C, "3.8.3-2", SUBSCRIBE, .subscribe = { .id = 1 });
    FORBIDS(V5, SV, "3.8.4-6", SUBACK, .suback = { .id = 1 });
    FORBIDS(V3, SV, "no codes", UNSUBACK, .suback = { .id = 1, .reasons = A });
    FORBIDS(V5, C, "3.15.2.2.2", AUTH, .notice = { .reason = 0x18 });
    struct sos_mqtt_filter_ filter = { .filter = SOS_MQTT_SLICE_("$share/g/a"), .no_local = true };
    FORBIDS(V5, C, "3.8.3-4", SUBSCRIBE, .subscribe = { .id = 1, .filters = &filter, .count = 1 });
    filter = (struct sos_mqtt_filter_){ .filter = SOS_MQTT_SLICE_("a#") };
    FORBIDS(V3, C, "4.7.1-1", UNSUBSCRIBE,
            .subscribe = { .id = 1, .filters = &filter, .count = 1 });
}

/* ---- The tables */

/* 2.2.2.2, table 2-4: identifier, and the packets by their numbers; W: the will. */
static const char *const allowed[] = {
    "01 3W",
    "02 3W",
    "03 3W",
    "08 3W",
    "09 3W",
    "0B 38",
    "11 12E",
    "12 2",
    "13 2",
    "15 12F",
    "16 12F",
    "17 1",
    "18 W",
    "19 1",
    "1A 2",
    "1C 2E",
    "1F 245679BEF",
    "21 12",
    "22 12",
    "23 3",
    "24 2",
    "25 2",
    "26 123456789ABEFW",
    "27 12",
    "28 2",
    "29 2",
    "2A 2",
};

static bool table_allows(unsigned identifier, int type)
{
    char letter = "W123456789ABCDEF"[type];
    for (size_t row = 0; row < sizeof allowed / sizeof allowed[0]; row++)
        if (strtoul(allowed[row], NULL, 16) == identifier)
            return strchr(allowed[row] + 3, letter) != NULL;
    return false;
}

/* A packet of that type that ends after the identifier of a property: is it the value it lacks? */
static bool is_taken(unsigned identifier, int type, int sender)
{
    static const char *const before[] = {
        [SOS_MQTT_WILL_] = "00 04 'MQTT' 05 06 00 00 00 00 00",
        [SOS_MQTT_CONNECT_] = "00 04 'MQTT' 05 02 00 00",
        [SOS_MQTT_CONNACK_] = "00 00",
        [SOS_MQTT_PUBLISH_] = "00 01 'a'",
        [SOS_MQTT_PUBACK_] = "00 01 00",
        [SOS_MQTT_PUBREC_] = "00 01 00",
        [SOS_MQTT_PUBREL_] = "00 01 00",
        [SOS_MQTT_PUBCOMP_] = "00 01 00",
        [SOS_MQTT_SUBSCRIBE_] = "00 01",
        [SOS_MQTT_SUBACK_] = "00 01",
        [SOS_MQTT_UNSUBSCRIBE_] = "00 01",
        [SOS_MQTT_UNSUBACK_] = "00 01",
        [SOS_MQTT_DISCONNECT_] = "00",
        [SOS_MQTT_AUTH_] = "18",
    };
    char text[200];
    const char *start = before[type];
    size_t length = mqtt_bytes(start).size + 2;
    int flags = type == 6 || type == 8 || type == 10 ? 2 : 0;
    snprintf(text, sizeof text, "%02X %02X %s 01 %02X",
             (unsigned)((type == 0 ? 1 : type) << 4 | flags), (unsigned)length, start, identifier);
    struct mqtt_bytes bytes = mqtt_bytes(text);
    struct sos_mqtt_rules_ rules = { V5, (uint8_t)sender, 0 };
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    CHECK_INT(sos_mqtt_read_(&rules, bytes.data, bytes.size, &packet, &error), SOS_EPROTO);
    return strstr(error.syntax.rule, "(1.5)") != NULL;
}

static void properties_stand_where_table_2_4_allows_them(void)
{
    for (int type = 0; type <= SOS_MQTT_AUTH_; type++) {
        if (type == SOS_MQTT_PINGREQ_ || type == SOS_MQTT_PINGRESP_)
            continue;
        for (unsigned identifier = 0; identifier < 0x40; identifier++) {
            bool taken = is_taken(identifier, type, C) || is_taken(identifier, type, SV);
            if (taken != table_allows(identifier, type))
                printf("property %02X, packet %d\n", identifier, type);
            CHECK_INT(taken, table_allows(identifier, type));
        }
    }
}

static void reasons_have_names(void)
{
    struct sos_mqtt_rules_ rules = { V5, SV, 0 }, rules_3 = { V3, SV, 0 };
    CHECK_TEXT(sos_mqtt_reason_(&rules, SOS_MQTT_CONNACK_, 0x87)->text, "not authorized");
    CHECK_TEXT(sos_mqtt_reason_(&rules, SOS_MQTT_SUBACK_, 0)->name, "GRANTED_QOS_0");
    CHECK_TEXT(sos_mqtt_reason_(&rules, SOS_MQTT_DISCONNECT_, 0)->name, "NORMAL_DISCONNECTION");
    CHECK_TEXT(sos_mqtt_reason_(&rules_3, SOS_MQTT_CONNACK_, 1)->name, "UNACCEPTABLE_VERSION");
    CHECK(sos_mqtt_reason_(&rules, SOS_MQTT_CONNACK_, 1) == NULL);
    CHECK(sos_mqtt_reason_(&rules_3, SOS_MQTT_CONNACK_, 0x87) == NULL);
    CHECK_TEXT(sos_mqtt_type_name_(SOS_MQTT_UNSUBACK_), "UNSUBACK");
}

int main(void)
{
    every_rule_is_held();
    a_refusal_names_the_property();
    a_length_may_be_longer_than_need_be_in_3_1_1();
    lengths_at_the_borders_of_their_sizes();
    a_publish_is_read_head_first();
    what_the_standard_forbids_is_not_written();
    properties_stand_where_table_2_4_allows_them();
    reasons_have_names();
    return 0;
}
