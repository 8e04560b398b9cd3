/* SPDX-License-Identifier: MIT */
/*
 * Requests and their responses (4.10). All responses of a client come to one topic of its own; the
 * correlation data is a number that says to which request a response belongs.
 */
#include <stdio.h>
#include <string.h>

#include "mqtt_internal.h"

enum { TOPIC_ROOM = 160 };

static void response_topic(const sos_mqtt *mqtt, char topic[TOPIC_ROOM])
{
    snprintf(topic, TOPIC_ROOM, "smallos/response/%.120s", mqtt->client_id);
    for (char *at = topic; *at != '\0'; at++)
        if (*at == '+' || *at == '#') /* a client identifier may have them, a topic may not */
            *at = '_';
}

struct sos_mqtt_call_ *sos_mqtt_call_of_(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish)
{
    struct sos_mqtt_call_ *call = mqtt->calls;
    struct sos_mqtt_slice_ correlation = publish->properties.correlation_data;
    uint64_t number;
    if (call == NULL || mqtt->responses == NULL || mqtt->responses->routes == NULL ||
        (publish->properties.has & SOS_MQTT_HAS_CORRELATION_DATA_) == 0 ||
        correlation.size != sizeof number ||
        !sos_mqtt_matches_(mqtt->responses->routes->filter.filter, publish->topic))
        return NULL;
    memcpy(&number, correlation.data, sizeof number);
    while (call != NULL && (call->number != number || call->response != NULL))
        call = call->next;
    return call;
}

void sos_mqtt_calls_end_(sos_mqtt *mqtt, int status)
{
    for (struct sos_mqtt_call_ *call = mqtt->calls; call != NULL; call = call->next) {
        call->status = status;
        sos_event_set(&call->done);
    }
}

struct mqtt_request {
    sos_frame frame;
    sos_mqtt *mqtt;
    struct sos_mqtt_message *response;
    struct sos_mqtt_outgoing_ *outgoing;
    struct sos_mqtt_filter filter;
    struct sos_mqtt_call_ call;
    int status;
    char topic[TOPIC_ROOM];
};

static int begin(struct mqtt_request *self)
{
    sos_mqtt *mqtt = self->mqtt;
    self->outgoing = sos_mqtt_unpark_(mqtt);
    response_topic(mqtt, self->topic);
    self->filter = (struct sos_mqtt_filter){ .filter = self->topic, .qos = self->outgoing->qos };
    sos_event_init(&self->call.done, "response");
    self->call.number = mqtt->call_number;
    self->call.next = mqtt->calls;
    mqtt->calls = &self->call;
    if (mqtt->responses != NULL)
        return SOS_OK;
    return sos_mqtt_inbox_open(mqtt,
                               &(struct sos_mqtt_inbox_options){ .max_messages = 1, .drop = true },
                               &mqtt->responses);
}

static bool is_subscribed(const sos_mqtt *mqtt, uint8_t qos)
{
    const struct sos_mqtt_route_ *route = mqtt->responses->routes;
    return route != NULL && route->question == NULL && route->filter.qos >= qos;
}

static void unlist(sos_mqtt *mqtt, struct sos_mqtt_call_ *call)
{
    struct sos_mqtt_call_ **at = &mqtt->calls;
    while (*at != NULL && *at != call)
        at = &(*at)->next;
    if (*at != NULL)
        *at = call->next;
    if (call->response != NULL)
        sos_mqtt_let_go_(call->response);
}

static sos_op deliver(sos_task *task, struct mqtt_request *self)
{
    struct sos_mqtt_outgoing_ *outgoing = self->outgoing;
    self->outgoing = NULL;
    return sos_mqtt_deliver_(task, self->mqtt, outgoing, NULL);
}

static async_fn(mqtt_request)
{
    async_begin(mqtt_request);
    sos_mqtt_enter_(self->mqtt);
    self->status = begin(self);
    if (self->status != SOS_OK)
        async_return(self->status);
    if (!is_subscribed(self->mqtt, self->filter.qos))
        try_await(sos_mqtt_subscribe(task, self->mqtt->responses, &self->filter, 1));
    try_await(deliver(task, self));
    try_await(sos_event_wait(task, &self->call.done));
    if (self->call.response == NULL)
        async_return(self->call.status);
    *self->response = self->call.response->message;
    self->call.response = NULL;
    async_return(SOS_OK);
    async_finally;
    unlist(self->mqtt, &self->call);
    sos_mqtt_outgoing_free_(self->mqtt->os, self->outgoing);
    sos_mqtt_leave_(self->mqtt);
    async_end;
}

static int pack(sos_mqtt *mqtt, const struct sos_mqtt_message *request,
                struct sos_mqtt_outgoing_ **outgoing)
{
    struct sos_mqtt_message message = *request;
    char topic[TOPIC_ROOM];
    if (mqtt->error != 0)
        return mqtt->error;
    if (mqtt->version != SOS_MQTT_5_)
        return SOS_ENOTSUP;
    response_topic(mqtt, topic);
    mqtt->call_number++;
    message.response_topic = topic;
    message.correlation = &mqtt->call_number;
    message.correlation_size = sizeof mqtt->call_number;
    return sos_mqtt_pack_(mqtt, &message, outgoing);
}

sos_op sos_mqtt_request(sos_task *task, sos_mqtt *mqtt, const struct sos_mqtt_message *request,
                        struct sos_mqtt_message *response)
{
    struct sos_mqtt_outgoing_ *outgoing = NULL;
    sos_mqtt_message_free(response);
    int status = pack(mqtt, request, &outgoing);
    if (status != SOS_OK)
        return sos_complete(task, status);
    sos_mqtt_park_(mqtt, outgoing);
    return async_call(mqtt_request, .mqtt = mqtt, .response = response);
}

sos_op sos_mqtt_respond(sos_task *task, sos_mqtt *mqtt, const struct sos_mqtt_message *request,
                        const void *payload, size_t size)
{
    if (request->response_topic == NULL)
        return sos_complete(task, SOS_EINVAL);
    return sos_mqtt_publish(
        task, mqtt,
        &(struct sos_mqtt_message){ .topic = request->response_topic,
                                    .payload = payload,
                                    .size = size,
                                    .qos = request->qos,
                                    .correlation = request->correlation,
                                    .correlation_size = request->correlation_size },
        NULL);
}
