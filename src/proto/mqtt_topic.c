/* SPDX-License-Identifier: MIT */
/* Strings, topic names and topic filters (1.5.4, 4.7, 4.8.2). */
#include "proto/mqtt.h"

#include <string.h>

#include "proto/utf8.h"

/* ---- Strings */

/* Whether none of eight bytes is 0 or above 0x7F. */
static bool is_plain(const uint8_t *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

const char *sos_mqtt_string_rule_(struct sos_mqtt_slice_ string, uint32_t *at)
{
    const uint8_t *text = (const uint8_t *)string.data;
    uint32_t index = 0, size;
    *at = 0;
    if (string.size > UINT16_MAX)
        return "a string has at most 65,535 bytes (1.5.4) [MQTT-4.7.3-3]";
    for (; index < string.size; index += size) {
        if (string.size - index >= 8 && is_plain(text + index)) {
            size = 8;
            continue;
        }
        *at = index;
        size = (uint32_t)sos_utf8_size_(text + index, string.size - index);
        if (size == 0)
            return "a string is well-formed UTF-8 [MQTT-1.5.4-1] (3.1.1: [MQTT-1.5.3-1])";
        if (text[index] == 0)
            return "a string does not contain U+0000 [MQTT-1.5.4-2] (3.1.1: [MQTT-1.5.3-2])";
    }
    return NULL;
}

/* ---- Names and filters */

const char *sos_mqtt_topic_rule_(struct sos_mqtt_slice_ topic, uint32_t *at)
{
    const char *rule = sos_mqtt_string_rule_(topic, at);
    if (rule != NULL)
        return rule;
    if (topic.size == 0)
        return "a topic name is not empty [MQTT-4.7.3-1]";
    for (uint32_t index = 0; index < topic.size; index++) {
        if (topic.data[index] == '#' || topic.data[index] == '+') {
            *at = index;
            return "a topic name has no wildcards [MQTT-4.7.0-1] (3.1.1: [MQTT-4.7.1-1])";
        }
    }
    return NULL;
}

static const char *wildcard_rule(struct sos_mqtt_slice_ filter, uint32_t from, uint32_t *at)
{
    for (uint32_t index = from; index < filter.size; index++) {
        char byte = filter.data[index];
        bool begins = index == from || filter.data[index - 1] == '/';
        bool ends = index + 1 == filter.size || filter.data[index + 1] == '/';
        *at = index;
        if (byte == '#' && (!begins || index + 1 != filter.size))
            return "# is the whole last level of a filter [MQTT-4.7.1-1] (3.1.1: [MQTT-4.7.1-2])";
        if (byte == '+' && !(begins && ends))
            return "+ is a whole level of a filter [MQTT-4.7.1-2] (3.1.1: [MQTT-4.7.1-3])";
    }
    return NULL;
}

static const char share[] = "$share/";

bool sos_mqtt_is_shared_(struct sos_mqtt_slice_ filter)
{
    return filter.size >= sizeof share - 1 && memcmp(filter.data, share, sizeof share - 1) == 0;
}

/* Where the filter of a shared subscription begins; its size if nowhere. */
static uint32_t skip_share(struct sos_mqtt_slice_ filter)
{
    const char *name = filter.data + sizeof share - 1;
    const char *end = memchr(name, '/', filter.size - (sizeof share - 1));
    return end == NULL ? filter.size : (uint32_t)(end + 1 - filter.data);
}

static const char *share_rule(struct sos_mqtt_slice_ filter, uint32_t begin, uint32_t *at)
{
    *at = sizeof share - 1;
    if (begin == sizeof share)
        return "a share name is not empty [MQTT-4.8.2-1]";
    for (; *at < begin; ++*at)
        if (filter.data[*at] == '#' || filter.data[*at] == '+')
            return "a share name has no wildcards [MQTT-4.8.2-2]";
    if (begin == filter.size)
        return "a filter follows the share name [MQTT-4.8.2-2]";
    return NULL;
}

const char *sos_mqtt_filter_rule_(int version, struct sos_mqtt_slice_ filter, uint32_t *at)
{
    const char *rule = sos_mqtt_string_rule_(filter, at);
    uint32_t begin = 0;
    if (rule != NULL)
        return rule;
    if (filter.size == 0)
        return "a topic filter is not empty [MQTT-4.7.3-1]";
    if (version == SOS_MQTT_5_ && sos_mqtt_is_shared_(filter)) {
        begin = skip_share(filter);
        rule = share_rule(filter, begin, at);
    }
    return rule != NULL ? rule : wildcard_rule(filter, begin, at);
}

struct sos_mqtt_slice_ sos_mqtt_unshared_(struct sos_mqtt_slice_ filter)
{
    if (sos_mqtt_is_shared_(filter)) {
        uint32_t begin = skip_share(filter);
        filter.data += begin;
        filter.size -= begin;
    }
    return filter;
}

/* ---- Matching */

static bool is_wildcard(char byte)
{
    return byte == '#' || byte == '+';
}

bool sos_mqtt_matches_(struct sos_mqtt_slice_ filter, struct sos_mqtt_slice_ topic)
{
    filter = sos_mqtt_unshared_(filter);
    if (filter.size == 0 || topic.size == 0)
        return false;
    const char *f = filter.data, *f_end = f + filter.size;
    const char *t = topic.data, *t_end = t + topic.size;
    if (is_wildcard(*f) && *t == '$')
        return false; /* [MQTT-4.7.2-1] */
    for (; f < f_end; f++) {
        if (*f == '#')
            return true;
        if (*f == '+') {
            while (t < t_end && *t != '/')
                t++;
        } else if (t < t_end && *t == *f) {
            t++;
        } else {
            return t == t_end && f_end - f == 2 && f[0] == '/' && f[1] == '#'; /* 4.7.1.2 */
        }
    }
    return t == t_end;
}
