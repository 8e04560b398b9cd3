/* SPDX-License-Identifier: MIT */
/*
 * Any bytes are refused with a rule, or are the head of a packet, or a packet that is written and
 * read again as the same; a PUBLISH read in parts is the same too. The first byte chooses version
 * and sender: bit 0: 5 or 3.1.1, bit 1: server or client, bit 2: version unknown yet; bit 3: a
 * limit of 64 bytes.
 */
#include "proto/mqtt.h"

#include <stdlib.h>
#include <string.h>

static void must(int condition)
{
    if (!condition)
        abort();
}

static void check_error(int status, const struct sos_mqtt_error_ *error, size_t size)
{
    must(status == SOS_EPROTO || status == SOS_ELIMIT);
    must(error->syntax.rule != NULL && error->syntax.at <= size && error->reason >= 0x80);
}

/* However much is there of a PUBLISH, its head is either not whole or always the same. */
static void check_heads(const struct sos_mqtt_rules_ *rules, const uint8_t *data, size_t size,
                        int whole, const struct sos_mqtt_error_ *error)
{
    for (size_t part = size; part > 0; part -= part > 64 ? 64 : 1) {
        struct sos_mqtt_publish_ publish;
        struct sos_mqtt_error_ head_error;
        uint8_t *copy = malloc(part);
        must(copy != NULL);
        memcpy(copy, data, part);
        int status = sos_mqtt_read_publish_head_(rules, copy, part, &publish, &head_error);
        if (whole < 0 && status != SOS_PARTIAL_)
            must(status == whole && head_error.syntax.rule == error->syntax.rule &&
                 head_error.syntax.at == error->syntax.at);
        if (whole > 0)
            must(status >= 0 && (status == 0 || status + (int)publish.payload.size == whole));
        free(copy);
    }
}

static void check_topics(const uint8_t *data, size_t size)
{
    size_t half = size / 2;
    struct sos_mqtt_slice_ filter = { (const char *)data, (uint32_t)half };
    struct sos_mqtt_slice_ topic = { (const char *)data + half, (uint32_t)(size - half) };
    uint32_t at;
    bool matches = sos_mqtt_matches_(filter, topic);
    if (sos_mqtt_topic_rule_(topic, &at) == NULL) {
        must(sos_mqtt_filter_rule_(SOS_MQTT_3_, topic, &at) == NULL);
        must(sos_mqtt_is_shared_(topic) || sos_mqtt_matches_(topic, topic));
    }
    if (sos_mqtt_filter_rule_(SOS_MQTT_5_, filter, &at) == NULL)
        must(matches == sos_mqtt_matches_(sos_mqtt_unshared_(filter), topic) ||
             sos_mqtt_is_shared_(sos_mqtt_unshared_(filter)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sos_mqtt_packet_ packet, again;
    struct sos_mqtt_error_ error;
    if (size < 1)
        return 0;
    struct sos_mqtt_rules_ rules = { .version = (data[0] & 4) != 0   ? 0
                                                : (data[0] & 1) != 0 ? SOS_MQTT_5_
                                                                     : SOS_MQTT_3_,
                                     .sender = (data[0] & 2) != 0 ? SOS_MQTT_SERVER_
                                                                  : SOS_MQTT_CLIENT_,
                                     .max_packet_size = (data[0] & 8) != 0 ? 64 : 0 };
    data++;
    size--;
    check_topics(data, size);
    int status = sos_mqtt_read_(&rules, data, size, &packet, &error);
    if (status < 0)
        check_error(status, &error, size);
    if (status != SOS_PARTIAL_ && data[0] >> 4 == SOS_MQTT_PUBLISH_)
        check_heads(&rules, data, size, status, &error);
    if (status <= 0)
        return 0;
    int written = sos_mqtt_write_(&rules, &packet, NULL, 0, &error);
    must(written > 0 && written <= status);
    uint8_t *bytes = malloc((size_t)written * 2), *other = bytes + written;
    must(bytes != NULL);
    must(sos_mqtt_write_(&rules, &packet, bytes, (size_t)written, &error) == written);
    must(sos_mqtt_read_(&rules, bytes, (size_t)written, &again, &error) == written);
    must(sos_mqtt_write_(&rules, &again, other, (size_t)written, &error) == written);
    must(memcmp(bytes, other, (size_t)written) == 0);
    free(bytes);
    return 0;
}
