/* SPDX-License-Identifier: MIT */
/*
 * Publishing. A message of QoS 0 is encoded into the stream's output buffer, if there is room, and
 * needs no memory of its own; every other becomes a packet in the outbox.
 */
#include <string.h>

#include "mqtt_internal.h"

enum { PACKET_EXTRA = 16 }; /* header, lengths and identifier of a PUBLISH without properties */

/* ---- Messages in words of the codec */

static bool has_properties(const struct sos_mqtt_message *message)
{
    return message->is_text || message->expiry_s != 0 || message->content_type != NULL ||
           message->response_topic != NULL || message->correlation != NULL ||
           message->pair_count != 0;
}

static void describe_properties(const struct sos_mqtt_message *message,
                                struct sos_mqtt_properties_ *properties)
{
    if (message->is_text) {
        properties->has |= SOS_MQTT_HAS_PAYLOAD_FORMAT_;
        properties->payload_format = 1;
    }
    if (message->expiry_s != 0) {
        properties->has |= SOS_MQTT_HAS_MESSAGE_EXPIRY_;
        properties->message_expiry = message->expiry_s;
    }
    if (message->content_type != NULL) {
        properties->has |= SOS_MQTT_HAS_CONTENT_TYPE_;
        properties->content_type = sos_mqtt_text_(message->content_type);
    }
    if (message->response_topic != NULL) {
        properties->has |= SOS_MQTT_HAS_RESPONSE_TOPIC_;
        properties->response_topic = sos_mqtt_text_(message->response_topic);
    }
    if (message->correlation != NULL) {
        properties->has |= SOS_MQTT_HAS_CORRELATION_DATA_;
        properties->correlation_data = (struct sos_mqtt_slice_){
            message->correlation, (uint32_t)message->correlation_size
        };
    }
}

static int describe_pairs(sos *os, const struct sos_mqtt_message *message,
                          struct sos_mqtt_properties_ *properties, struct sos_mqtt_pair_ **pairs)
{
    if (message->pair_count > UINT16_MAX)
        return SOS_ELIMIT;
    *pairs = sos_memory_take(os, message->pair_count * sizeof **pairs);
    if (*pairs == NULL)
        return SOS_ENOMEM;
    for (size_t index = 0; index < message->pair_count; index++) {
        (*pairs)[index].name = sos_mqtt_text_(message->pairs[index].name);
        (*pairs)[index].value = sos_mqtt_text_(message->pairs[index].value);
    }
    properties->has |= SOS_MQTT_HAS_USER_;
    properties->encoded = (struct sos_mqtt_slice_){ NULL, 0 };
    properties->user = (struct sos_mqtt_pairs_){ *pairs, (uint32_t)message->pair_count };
    return SOS_OK;
}

/* Fields of properties that are absent are not written to: there are many. */
int sos_mqtt_describe_(sos *os, int version, const struct sos_mqtt_message *message,
                       struct sos_mqtt_publish_ *publish, struct sos_mqtt_pair_ **pairs)
{
    *pairs = NULL;
    publish->dup = false;
    publish->retain = message->retain;
    publish->qos = message->qos;
    publish->id = message->qos != 0; /* a place for it */
    publish->topic = sos_mqtt_text_(message->topic);
    publish->payload = (struct sos_mqtt_slice_){ message->payload, (uint32_t)message->size };
    publish->properties.has = 0;
    if (message->topic == NULL || (message->payload == NULL && message->size != 0))
        return SOS_EINVAL;
    if (message->size > SOS_MQTT_LENGTH_MAX_ || message->correlation_size > UINT16_MAX)
        return SOS_ELIMIT;
    if (!has_properties(message))
        return SOS_OK;
    if (version != SOS_MQTT_5_)
        return SOS_ENOTSUP;
    describe_properties(message, &publish->properties);
    return message->pair_count == 0 ? SOS_OK
                                    : describe_pairs(os, message, &publish->properties, pairs);
}

void sos_mqtt_undescribe_(sos *os, const struct sos_mqtt_message *message,
                          struct sos_mqtt_pair_ *pairs)
{
    if (pairs != NULL)
        sos_memory_give(os, pairs, message->pair_count * sizeof *pairs);
}

/* ---- Packets of the outbox */

static size_t memory_of(uint32_t size)
{
    return sizeof(struct sos_mqtt_outgoing_) + size;
}

struct sos_mqtt_outgoing_ *sos_mqtt_outgoing_new_(sos *os, uint32_t size)
{
    struct sos_mqtt_outgoing_ *outgoing = sos_memory_take(os, memory_of(size));
    if (outgoing == NULL)
        return NULL;
    memset(outgoing, 0, sizeof *outgoing);
    sos_event_init(&outgoing->done, "acknowledgement");
    outgoing->size = size;
    return outgoing;
}

void sos_mqtt_outgoing_free_(sos *os, struct sos_mqtt_outgoing_ *outgoing)
{
    if (outgoing != NULL)
        sos_memory_give(os, outgoing, memory_of(outgoing->size));
}

void sos_mqtt_outgoing_parse_(struct sos_mqtt_outgoing_ *outgoing)
{
    const unsigned char *packet = outgoing->packet;
    uint32_t at = 1;
    while ((packet[at++] & 0x80) != 0)
        continue;
    outgoing->qos = packet[0] >> 1 & 3;
    outgoing->topic_at = at + 2;
    outgoing->topic_size = (uint16_t)(packet[at] << 8 | packet[at + 1]);
    outgoing->id_at = outgoing->topic_at + outgoing->topic_size;
    if (outgoing->qos != 0)
        outgoing->id = (uint16_t)(packet[outgoing->id_at] << 8 | packet[outgoing->id_at + 1]);
}

/* What is larger than the output buffer could never be sent. */
static bool fits_buffer(const sos_mqtt *mqtt, size_t size)
{
    return size + SOS_MQTT_OUTPUT_HIGH_ <= sos_mqtt_buffer_limit_(mqtt);
}

/* Without properties its size is known beforehand; else it is written twice. */
static int packet_size(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish,
                       struct sos_mqtt_error_ *error)
{
    if (publish->properties.has != 0)
        return sos_mqtt_write_publish_head_(&mqtt->out, publish, NULL, 0, error);
    uint32_t length = 2 + publish->topic.size + (publish->qos != 0 ? 2 : 0) +
                      (mqtt->version == SOS_MQTT_5_ ? 1 : 0) + publish->payload.size;
    int size = 2 + (length > 127) + (length > 16383) + (length > 2097151);
    return size + (int)(length - publish->payload.size);
}

static int pack(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish,
                struct sos_mqtt_outgoing_ **made)
{
    struct sos_mqtt_error_ error;
    int head = packet_size(mqtt, publish, &error);
    if (head < 0)
        return head;
    uint32_t size = (uint32_t)head + publish->payload.size;
    struct sos_mqtt_outgoing_ *outgoing = fits_buffer(mqtt, size)
                                              ? sos_mqtt_outgoing_new_(mqtt->os, size)
                                              : NULL;
    if (outgoing == NULL)
        return fits_buffer(mqtt, size) ? SOS_ENOMEM : SOS_ELIMIT;
    int written = sos_mqtt_write_publish_head_(&mqtt->out, publish, outgoing->packet, size, &error);
    if (written != head) {
        sos_mqtt_outgoing_free_(mqtt->os, outgoing);
        return written < 0 ? written : SOS_EINVAL;
    }
    if (publish->payload.size != 0)
        memcpy(outgoing->packet + head, publish->payload.data, publish->payload.size);
    sos_mqtt_outgoing_parse_(outgoing);
    *made = outgoing;
    return SOS_OK;
}

int sos_mqtt_pack_(sos_mqtt *mqtt, const struct sos_mqtt_message *message,
                   struct sos_mqtt_outgoing_ **outgoing)
{
    struct sos_mqtt_publish_ publish;
    struct sos_mqtt_pair_ *pairs;
    *outgoing = NULL;
    int status = sos_mqtt_describe_(mqtt->os, mqtt->version, message, &publish, &pairs);
    if (status == SOS_OK)
        status = pack(mqtt, &publish, outgoing);
    sos_mqtt_undescribe_(mqtt->os, message, pairs);
    return status;
}

/* ---- QoS 0, straight into the output buffer */

static bool is_straight(const sos_mqtt *mqtt, const struct sos_mqtt_message *message)
{
    return message->qos == 0 && mqtt->up && mqtt->unsent_0 == 0 && !has_properties(message) &&
           mqtt->aliases_out.maximum == 0 && message->topic != NULL &&
           sos_stream_unsent(mqtt->stream) < SOS_MQTT_OUTPUT_HIGH_;
}

static int publish_straight(sos_mqtt *mqtt, const struct sos_mqtt_message *message)
{
    struct sos_mqtt_publish_ publish;
    struct sos_mqtt_pair_ *pairs;
    struct sos_mqtt_error_ error;
    int status = sos_mqtt_describe_(mqtt->os, mqtt->version, message, &publish, &pairs);
    if (status == SOS_OK)
        status = sos_mqtt_why_not_(mqtt, 0, message->retain, 0);
    if (status != SOS_OK)
        return status;
    size_t room = PACKET_EXTRA + publish.topic.size + publish.payload.size;
    char *to = sos_stream_room(mqtt->stream, room);
    if (to == NULL)
        return fits_buffer(mqtt, room) ? SOS_ENOMEM : SOS_ELIMIT;
    int head = sos_mqtt_write_publish_head_(&mqtt->out, &publish, to, room, &error);
    if (head < 0)
        return head;
    if (publish.payload.size != 0)
        memcpy(to + head, publish.payload.data, publish.payload.size);
    status = sos_stream_put(mqtt->stream, NULL, (size_t)head + publish.payload.size);
    sos_event_set(&mqtt->dirty);
    return status;
}

/* ---- Operations */

struct mqtt_publish {
    sos_frame frame;
    sos_mqtt *mqtt;
    struct sos_mqtt_answer *answer;
    struct sos_mqtt_outgoing_ *outgoing;
    int status;
};

/*
 * What a call has packed belongs to the client until the frame of the call has begun, which comes
 * before anything else, or never.
 */
void sos_mqtt_park_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    sos_mqtt_outgoing_free_(mqtt->os, mqtt->parked);
    mqtt->parked = outgoing;
}

struct sos_mqtt_outgoing_ *sos_mqtt_unpark_(sos_mqtt *mqtt)
{
    struct sos_mqtt_outgoing_ *outgoing = mqtt->parked;
    mqtt->parked = NULL;
    return outgoing;
}

/* The task gives up: what was not sent yet is withdrawn. */
static void give_up(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing)
{
    if (outgoing == NULL)
        return;
    if (outgoing->listed && outgoing->stage != SOS_MQTT_WAITING_) {
        outgoing->awaited = false;
        outgoing->answer = NULL;
        return;
    }
    if (outgoing->listed)
        sos_mqtt_unlist_(mqtt, outgoing, false);
    sos_mqtt_outgoing_free_(mqtt->os, outgoing);
}

static async_fn(mqtt_publish)
{
    async_begin(mqtt_publish);
    sos_mqtt_enter_(self->mqtt);
    self->outgoing = sos_mqtt_unpark_(self->mqtt);
    self->outgoing->answer = self->answer;
    self->outgoing->awaited = true;
    while ((self->status = sos_mqtt_submit_(self->mqtt, self->outgoing, true)) == SOS_EAGAIN)
        try_await(sos_event_wait(task, &self->mqtt->room));
    if (self->status != SOS_OK)
        async_return(self->status);
    if (self->outgoing->qos == 0 && self->outgoing->listed) { /* it need not be waited for */
        self->outgoing->awaited = false;
        self->outgoing = NULL;
        async_return(SOS_OK);
    }
    try_await(sos_event_wait(task, &self->outgoing->done));
    async_return(self->outgoing->status);
    async_finally;
    give_up(self->mqtt, self->outgoing);
    sos_mqtt_leave_(self->mqtt);
    async_end;
}

sos_op sos_mqtt_deliver_(sos_task *task, sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing,
                         struct sos_mqtt_answer *answer)
{
    sos_mqtt_park_(mqtt, outgoing);
    return async_call(mqtt_publish, .mqtt = mqtt, .answer = answer);
}

sos_op sos_mqtt_publish(sos_task *task, sos_mqtt *mqtt, const struct sos_mqtt_message *message,
                        struct sos_mqtt_answer *answer)
{
    struct sos_mqtt_outgoing_ *outgoing = NULL;
    int status = mqtt->error;
    if (answer != NULL)
        *answer = (struct sos_mqtt_answer){ 0 };
    if (is_straight(mqtt, message)) {
        status = publish_straight(mqtt, message);
        if (status != SOS_EPIPE && status != SOS_ECONNRESET)
            return sos_complete(task, status);
        status = SOS_OK; /* the reader has not heard of it yet */
    }
    if (status == SOS_OK)
        status = sos_mqtt_pack_(mqtt, message, &outgoing);
    if (status != SOS_OK)
        return sos_complete(task, status);
    return sos_mqtt_deliver_(task, mqtt, outgoing, answer);
}

int sos_mqtt_post(sos_mqtt *mqtt, const struct sos_mqtt_message *message)
{
    struct sos_mqtt_outgoing_ *outgoing = NULL;
    if (mqtt->error != 0)
        return mqtt->error;
    int status = sos_mqtt_pack_(mqtt, message, &outgoing);
    if (status == SOS_OK)
        status = sos_mqtt_submit_(mqtt, outgoing, false);
    if (status != SOS_OK)
        sos_mqtt_outgoing_free_(mqtt->os, outgoing);
    return status;
}

int sos_mqtt_save(sos_mqtt *mqtt)
{
    int status = sos_mqtt_sync_(mqtt);
    return status != SOS_OK ? status : mqtt->store_error;
}
