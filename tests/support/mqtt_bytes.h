/* SPDX-License-Identifier: MIT */
/* Bytes written as text, and packets of MQTT compared field by field. */
#ifndef TESTS_SUPPORT_MQTT_BYTES_H
#define TESTS_SUPPORT_MQTT_BYTES_H

#include "check.h"
#include "proto/mqtt.h"

enum { MQTT_BYTES_MAX = 512 };

struct mqtt_bytes {
    unsigned char data[MQTT_BYTES_MAX];
    size_t size;
};

/* "10 0C 'MQTT' 04": bytes in hexadecimal, text between quotes. */
struct mqtt_bytes mqtt_bytes(const char *text);

/* An allocation of exactly these bytes, so that a sanitizer sees what is read beyond. */
unsigned char *mqtt_copy(const unsigned char *data, size_t size);

/* Both packets hold the same; what is absent does not count. The text says what differs. */
const char *mqtt_difference(const struct sos_mqtt_rules_ *rules, const struct sos_mqtt_packet_ *a,
                            const struct sos_mqtt_packet_ *b);

/*
 * What holds for any bytes: they are refused with a rule and a place among them, or are the head of
 * a packet, or give a packet that is written and read again as the same. The answer of
 * sos_mqtt_read_.
 */
int mqtt_check_any(const struct sos_mqtt_rules_ *rules, const unsigned char *data, size_t size);

#endif
