/* SPDX-License-Identifier: MIT */
/*
 * Topic aliases (3.3.2.3.4). The topics stand one behind the other in the bytes; one that is
 * replaced is closed up. Searching is linear: tables are small.
 */
#include "proto/mqtt.h"

#include <string.h>

void sos_mqtt_aliases_init_(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_alias_ *entries,
                            uint16_t maximum, char *bytes, uint32_t capacity)
{
    *aliases = (struct sos_mqtt_aliases_){
        .entries = entries, .maximum = maximum, .bytes = bytes, .capacity = capacity
    };
    for (uint32_t index = 0; index < maximum; index++)
        entries[index] = (struct sos_mqtt_alias_){ 0 };
}

static void forget(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_alias_ *gone)
{
    uint32_t behind = gone->at + gone->size;
    memmove(aliases->bytes + gone->at, aliases->bytes + behind, aliases->filled - behind);
    aliases->filled -= gone->size;
    for (uint32_t index = 0; index < aliases->maximum; index++)
        if (aliases->entries[index].at > gone->at)
            aliases->entries[index].at -= gone->size;
    gone->at = 0;
    gone->size = 0;
}

static void remember(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_alias_ *entry,
                     struct sos_mqtt_slice_ topic)
{
    entry->at = aliases->filled;
    entry->size = (uint16_t)topic.size;
    memcpy(aliases->bytes + entry->at, topic.data, topic.size);
    aliases->filled += topic.size;
}

static struct sos_mqtt_slice_ topic_of(const struct sos_mqtt_aliases_ *aliases,
                                       const struct sos_mqtt_alias_ *entry)
{
    return (struct sos_mqtt_slice_){ aliases->bytes + entry->at, entry->size };
}

/* ---- Reading */

static int refuse(struct sos_mqtt_error_ *error, int status, int reason, const char *rule)
{
    *error = (struct sos_mqtt_error_){ { rule, 0 }, "Topic Alias", (uint8_t)reason };
    return status;
}

int sos_mqtt_alias_read_(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_publish_ *publish,
                         struct sos_mqtt_error_ *error)
{
    uint16_t alias = publish->properties.topic_alias;
    if ((publish->properties.has & SOS_MQTT_HAS_TOPIC_ALIAS_) == 0)
        return SOS_OK;
    if (alias == 0 || alias > aliases->maximum)
        return refuse(error, SOS_EPROTO, SOS_MQTT_TOPIC_ALIAS_INVALID_,
                      "a topic alias is not above the maximum [MQTT-3.3.2-9] [MQTT-3.3.2-11]");
    struct sos_mqtt_alias_ *entry = &aliases->entries[alias - 1];
    if (publish->topic.size == 0) {
        publish->topic = topic_of(aliases, entry);
        if (entry->size == 0)
            return refuse(error, SOS_EPROTO, SOS_MQTT_PROTOCOL_ERROR_,
                          "a topic alias without a topic has been set before (3.3.2.3.4)");
        return SOS_OK;
    }
    forget(aliases, entry);
    if (publish->topic.size > aliases->capacity - aliases->filled)
        return refuse(error, SOS_ELIMIT, SOS_MQTT_QUOTA_EXCEEDED_,
                      "the topics of all aliases fit in the memory for them");
    remember(aliases, entry, publish->topic);
    return SOS_OK;
}

/* ---- Writing */

static struct sos_mqtt_alias_ *find(const struct sos_mqtt_aliases_ *aliases,
                                    struct sos_mqtt_slice_ topic)
{
    for (uint32_t index = 0; index < aliases->maximum; index++) {
        struct sos_mqtt_alias_ *entry = &aliases->entries[index];
        if (entry->size == topic.size &&
            memcmp(aliases->bytes + entry->at, topic.data, topic.size) == 0)
            return entry;
    }
    return NULL;
}

/* The entry that is free, or else was not used for longest; `held`: among those with a topic. */
static struct sos_mqtt_alias_ *oldest(const struct sos_mqtt_aliases_ *aliases, bool held)
{
    struct sos_mqtt_alias_ *found = NULL;
    for (uint32_t index = 0; index < aliases->maximum; index++) {
        struct sos_mqtt_alias_ *entry = &aliases->entries[index];
        if (entry->size == 0 && held)
            continue;
        if (entry->size == 0)
            return entry;
        if (found == NULL || aliases->uses - entry->used > aliases->uses - found->used)
            found = entry;
    }
    return found;
}

void sos_mqtt_alias_write_(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_publish_ *publish)
{
    struct sos_mqtt_slice_ topic = publish->topic;
    if (aliases->maximum == 0 || topic.size == 0 || topic.size > aliases->capacity ||
        topic.size > UINT16_MAX)
        return;
    struct sos_mqtt_alias_ *entry = find(aliases, topic);
    if (entry != NULL) {
        publish->topic.size = 0;
    } else {
        entry = oldest(aliases, false);
        forget(aliases, entry);
        while (topic.size > aliases->capacity - aliases->filled)
            forget(aliases, oldest(aliases, true));
        remember(aliases, entry, topic);
    }
    entry->used = ++aliases->uses;
    publish->properties.has |= SOS_MQTT_HAS_TOPIC_ALIAS_;
    publish->properties.topic_alias = (uint16_t)(entry - aliases->entries + 1);
}
