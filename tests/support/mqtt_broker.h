/* SPDX-License-Identifier: MIT */
/*
 * A small MQTT server for tests on the simulation kernel: sessions that outlive connections, all
 * QoS both ways, every message to all who have subscribed. It obeys the standard and says by a
 * failing test when a client does not.
 */
#ifndef TESTS_SUPPORT_MQTT_BROKER_H
#define TESTS_SUPPORT_MQTT_BROKER_H

#include "proto/mqtt.h"
#include "smallos/smallos.h"
#include "smallos/stream.h"
#include "smallos/sync.h"

enum { BROKER_SESSIONS = 4, BROKER_FILTERS = 8, BROKER_TEXT = 64 };

struct broker_message {
    struct broker_message *next;
    uint16_t id;
    uint8_t qos;
    enum { BROKER_QUEUED, BROKER_SENT, BROKER_RELEASED } stage;
    bool retried; /* it was sent on an earlier connection */
    bool free;    /* it was released on one: it takes no room in the window (4.9) */
    char topic[BROKER_TEXT], payload[BROKER_TEXT];
};

struct broker_session {
    char client_id[BROKER_TEXT];
    uint8_t version;
    struct broker_connection *connection; /* NULL: the client is away */
    struct {
        char filter[BROKER_TEXT];
        uint8_t qos;
    } filters[BROKER_FILTERS];
    uint8_t received[65536 / 8]; /* QoS 2: PUBREC was sent, PUBREL has not come */
    struct broker_message *first;
    uint16_t last_id;
    bool used;
};

struct broker {
    const char *address; /* where it listens, at port 1883 */
    int priority;
    uint16_t receive_maximum; /* told to clients; 0: none */
    bool deaf;                /* reads, and never answers a ping */
    /* Called for every message a client publishes, once for one of QoS 2. */
    void (*published)(void *context, const struct sos_mqtt_publish_ *publish);
    void *context;

    sos_listener *listener;
    struct broker_session sessions[BROKER_SESSIONS];
    int connections, pings, disconnects;
    int aliased;         /* messages that came with an alias instead of their topic */
    uint8_t last_reason; /* of the last DISCONNECT of a client */
};

/* Starts it as a watcher. `broker` must outlive the runtime, and be zero but for what is set. */
void broker_start(sos *os, struct broker *broker);

/* Gives back what is queued; after the runtime. */
void broker_end(struct broker *broker);

/* A message of its own to all who have subscribed. */
void broker_publish(struct broker *broker, const char *topic, const char *payload, uint8_t qos);

#endif
