/* SPDX-License-Identifier: MIT */
/*
 * What of a client is in its store:
 *
 *   MESSAGE | key   a message of the outbox: the version, and its PUBLISH with its identifier
 *   STAGE | key     of QoS 2: that it has been sent (1 byte), or released
 *   RECEIVED | id   of QoS 2: PUBREC was sent, PUBREL has not come
 *
 * A message of QoS 1 without more is sent again, which does no harm. That one of QoS 2 has been sent
 * must be known before it is: its identifier may not be given to another message, and whether it is
 * safe to send it to a server that has forgotten the session depends on it. Everything is synced
 * before the writer flushes.
 */
#include <stddef.h>
#include <string.h>

#include "mqtt_internal.h"

#define MESSAGE ((uint64_t)0 << 62)
#define STAGE ((uint64_t)1 << 62)
#define RECEIVED ((uint64_t)2 << 62)
#define KIND ((uint64_t)3 << 62)

/* The client ends; not here, where others are at work on its lists. */
static void failed(sos_mqtt *mqtt, int status)
{
    if (mqtt->store_error != 0)
        return;
    mqtt->store_error = status;
    sos_supervisor_hurry(&mqtt->supervisor);
    sos_mqtt_break_(mqtt, status, 0, "the store has failed");
}

/* The writer syncs. */
static void is_unsafe(sos_mqtt *mqtt)
{
    mqtt->unsafe = true;
    sos_event_set(&mqtt->dirty);
}

static void put(sos_mqtt *mqtt, uint64_t key, const void *bytes, size_t size)
{
    is_unsafe(mqtt);
    int status = mqtt->store->put(mqtt->store->context, key, bytes, size);
    if (status != SOS_OK)
        failed(mqtt, status);
}

static void remove_key(sos_mqtt *mqtt, uint64_t key)
{
    is_unsafe(mqtt);
    int status = mqtt->store->remove(mqtt->store->context, key);
    if (status != SOS_OK)
        failed(mqtt, status);
}

int sos_mqtt_sync_(sos_mqtt *mqtt)
{
    if (!mqtt->unsafe || mqtt->store_error != 0)
        return mqtt->store_error;
    mqtt->unsafe = false;
    int status = mqtt->store->sync(mqtt->store->context);
    if (status != SOS_OK)
        failed(mqtt, status);
    return status;
}

_Static_assert(offsetof(struct sos_mqtt_outgoing_, packet) ==
                   offsetof(struct sos_mqtt_outgoing_, version) + 1,
               "nothing stands between the version and the packet");

void sos_mqtt_record_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    if (mqtt->store == NULL)
        return;
    outgoing->version = mqtt->version;
    outgoing->recorded = true;
    put(mqtt, MESSAGE | outgoing->key,
        (const char *)outgoing + offsetof(struct sos_mqtt_outgoing_, version), outgoing->size + 1u);
}

void sos_mqtt_record_stage_(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing)
{
    if (outgoing->recorded)
        put(mqtt, STAGE | outgoing->key, &outgoing->stage, 1);
}

/* The message goes first: a stage that is left over says nothing, a message without its stage
 * something wrong. */
void sos_mqtt_record_gone_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    if (!outgoing->recorded)
        return;
    outgoing->recorded = false;
    remove_key(mqtt, MESSAGE | outgoing->key);
    if (outgoing->qos == 2)
        remove_key(mqtt, STAGE | outgoing->key);
}

void sos_mqtt_record_received_(sos_mqtt *mqtt, uint16_t id, bool is)
{
    if (mqtt->store != NULL && is)
        put(mqtt, RECEIVED | id, "", 0);
    else if (mqtt->store != NULL)
        remove_key(mqtt, RECEIVED | id);
}

/* ---- Recalling */

/* A packet of another version is written anew, without what this one does not have. */
static int adapt(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ **outgoing, int version)
{
    struct sos_mqtt_rules_ was = { (uint8_t)version, SOS_MQTT_CLIENT_, 0 };
    struct sos_mqtt_rules_ is = { mqtt->version, SOS_MQTT_CLIENT_, 0 };
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    int whole = sos_mqtt_read_(&was, (*outgoing)->packet, (*outgoing)->size, &packet, &error);
    if (whole != (int)(*outgoing)->size || packet.type != SOS_MQTT_PUBLISH_ ||
        packet.publish.qos == 0)
        return SOS_EIO;
    if (version == mqtt->version)
        return SOS_OK;
    if (mqtt->version == SOS_MQTT_3_)
        packet.publish.properties.has = 0;
    int size = sos_mqtt_write_(&is, &packet, NULL, 0, &error);
    if (size < 0)
        return SOS_EIO;
    struct sos_mqtt_outgoing_ *adapted = sos_mqtt_outgoing_new_(mqtt->os, (uint32_t)size);
    if (adapted == NULL)
        return SOS_ENOMEM;
    (void)sos_mqtt_write_(&is, &packet, adapted->packet, (size_t)size, &error);
    sos_mqtt_outgoing_free_(mqtt->os, *outgoing);
    *outgoing = adapted;
    return SOS_OK;
}

static int recall_message(sos_mqtt *mqtt, uint64_t key, const unsigned char *bytes, size_t size)
{
    if (size < 2 || size > SOS_MQTT_LENGTH_MAX_)
        return SOS_EIO;
    struct sos_mqtt_outgoing_ *outgoing = sos_mqtt_outgoing_new_(mqtt->os, (uint32_t)size - 1);
    if (outgoing == NULL)
        return SOS_ENOMEM;
    memcpy(outgoing->packet, bytes + 1, size - 1);
    int status = adapt(mqtt, &outgoing, bytes[0]);
    if (status != SOS_OK) {
        sos_mqtt_outgoing_free_(mqtt->os, outgoing);
        return status;
    }
    sos_mqtt_outgoing_parse_(outgoing);
    outgoing->key = key;
    outgoing->recorded = true;
    outgoing->stage = outgoing->qos == 1 ? SOS_MQTT_SENT_ : SOS_MQTT_WAITING_;
    sos_mqtt_append_(mqtt, outgoing);
    return SOS_OK;
}

static void note_key(sos_mqtt *mqtt, uint64_t key)
{
    if (key > mqtt->last_key)
        mqtt->last_key = key;
}

static int recall_first(void *to, uint64_t key, const void *bytes, size_t size)
{
    sos_mqtt *mqtt = to;
    if ((key & KIND) == RECEIVED)
        return sos_mqtt_add_received_(mqtt, (uint16_t)key, false) ? SOS_OK : SOS_ENOMEM;
    note_key(mqtt, key & ~KIND);
    return (key & KIND) == MESSAGE ? recall_message(mqtt, key, bytes, size) : SOS_OK;
}

/* Stages, when all messages are there. */
static int recall_stage(void *to, uint64_t key, const void *bytes, size_t size)
{
    sos_mqtt *mqtt = to;
    struct sos_mqtt_outgoing_ *each = mqtt->first;
    if ((key & KIND) != STAGE)
        return SOS_OK;
    while (each != NULL && each->key != (key & ~KIND))
        each = each->next;
    if (each != NULL && size == 1)
        each->stage = *(const uint8_t *)bytes;
    return each == NULL || each->stage <= SOS_MQTT_RELEASED_ ? SOS_OK : SOS_EIO;
}

int sos_mqtt_recall_(sos_mqtt *mqtt)
{
    const struct sos_mqtt_store *store = mqtt->store;
    if (store == NULL)
        return SOS_OK;
    int status = store->each(store->context, recall_first, mqtt);
    if (status == SOS_OK)
        status = store->each(store->context, recall_stage, mqtt);
    return status;
}
