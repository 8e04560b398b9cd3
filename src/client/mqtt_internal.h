/* SPDX-License-Identifier: MIT */
/*
 * What the files of the MQTT client share.
 *
 *   mqtt.c             making, closing, how it stands
 *   mqtt_connection.c  the two tasks of a connection: connecting, reading, writing, keep-alive
 *   mqtt_packets.c     what comes from the server
 *   mqtt_publish.c     messages become packets; publishing
 *   mqtt_outbox.c      packets until they are sent and acknowledged; packet identifiers
 *   mqtt_record.c      the same in a store
 *   mqtt_inbox.c       received messages until tasks have taken and freed them
 *   mqtt_subscribe.c   filters, and the packets that ask for them
 *   mqtt_request.c     responses find their requests
 *
 * The outbox is one list in the order in which messages are sent; `cursor` is the first that has
 * not been sent on this connection:
 *
 *   first ... in flight, counted ... | cursor ... SENT or RELEASED before, then WAITING ... last
 *
 * Only what is in front of the cursor is waited for; a new connection puts the cursor back to the
 * first. A message of QoS 0 leaves the list when it is sent.
 *
 *   WAITING -> SENT -> (QoS 1: PUBACK) gone
 *                  \-> (QoS 2: PUBREC) RELEASED -> (PUBCOMP) gone
 */
#ifndef SMALLOS_CLIENT_MQTT_INTERNAL_H
#define SMALLOS_CLIENT_MQTT_INTERNAL_H

#include "proto/mqtt.h"
#include "smallos/async.h"
#include "smallos/mqtt.h"
#include "smallos/stream.h"
#include "smallos/sync.h"
#include "smallos/tls.h"

enum {
    SOS_MQTT_OUTPUT_HIGH_ = 65536, /* unsent bytes of the stream above which messages wait */
    SOS_MQTT_ALIAS_BYTES_ = 128
};

/* ---- Messages on their way out */

enum sos_mqtt_stage_ { SOS_MQTT_WAITING_, SOS_MQTT_SENT_, SOS_MQTT_RELEASED_ };

struct sos_mqtt_outgoing_ {
    struct sos_mqtt_outgoing_ *next, *prev;
    uint64_t key; /* rises along the list; names it in the store */
    struct sos_event done;
    struct sos_mqtt_answer *answer; /* the waiting task's; may be NULL */
    int status;
    uint32_t size;     /* of the packet */
    uint32_t topic_at; /* where the topic stands in it */
    uint32_t id_at;    /* and the packet identifier; QoS 0: none */
    uint16_t topic_size, id;
    uint8_t qos, stage;
    bool awaited;    /* a task waits for it and gives it back */
    bool listed;     /* it is in the outbox */
    bool counted;    /* it is in front of the cursor */
    bool recorded;   /* it is in the store */
    uint8_t version; /* in the store it stands before the packet; nothing is between them */
    unsigned char packet[];
};

/* ---- Messages on their way in */

struct sos_mqtt_incoming_ {
    struct sos_mqtt_incoming_ *next; /* in order of receipt, while `mqtt` is set */
    sos *os;
    sos_mqtt *mqtt; /* that is to acknowledge it; NULL: nobody */
    size_t memory;
    uint32_t holders; /* inboxes and tasks that have it */
    uint16_t id;
    bool live; /* it came, or came again, over this connection */
    struct sos_mqtt_message message;
    /* pairs and texts follow */
};

/* QoS 2: PUBREC was sent, PUBREL has not come. */
struct sos_mqtt_received_ {
    struct sos_mqtt_received_ *next;
    uint16_t id;
    bool live;
};

struct sos_mqtt_route_ {
    struct sos_mqtt_route_ *next;
    size_t memory;
    struct sos_mqtt_question_ *question; /* that subscribes to it; NULL: answered */
    struct sos_mqtt_filter_ filter;      /* its text stands behind it */
};

struct sos_mqtt_inbox {
    struct sos_mqtt_inbox *next;
    sos *os;
    sos_mqtt *mqtt; /* NULL: the client is gone */
    struct sos_mqtt_route_ *routes;
    struct sos_queue queue; /* of struct sos_mqtt_incoming_ * */
    void *items;
    uint64_t dropped;
    uint32_t held, max_messages; /* in the queue, or on their way out of it */
    uint32_t bytes, max_bytes;
    uint32_t users;
    int end; /* why no more will come */
    bool drop, closed;
    bool chosen; /* during dispatch: this message is for it */
};

/* SUBSCRIBE or UNSUBSCRIBE without its answer. */
struct sos_mqtt_question_ {
    struct sos_mqtt_question_ *next;
    sos_mqtt_inbox *inbox;           /* NULL: closed, or to unsubscribe */
    struct sos_mqtt_filter *answers; /* the waiting task's */
    struct sos_event done;
    int status;
    uint32_t count, size;
    uint16_t id;
    bool awaited, subscribes;
    unsigned char packet[];
};

/* A request without its response; in the frame of the task that waits. */
struct sos_mqtt_call_ {
    struct sos_mqtt_call_ *next;
    uint64_t number;
    struct sos_event done;
    int status;
    struct sos_mqtt_incoming_ *response;
};

/* ---- The client */

struct sos_mqtt {
    sos *os;
    sos_handle keeper, writer;
    uint32_t users; /* frames that refer to it */
    bool closed;    /* its memory goes with the last user */
    bool trial;     /* the first attempt must succeed */
    bool up;        /* connected: packets may be sent */
    bool closing;   /* good-bye is said: the loss of the connection is the end */
    bool stalled;   /* reading waits for room in an inbox */
    int error;      /* has ended it */
    int broken;     /* why the connection is of no more use; the reader will hear of it */
    int store_error;
    uint8_t farewell; /* reason of the DISCONNECT to be sent; 0: none */

    /* As asked for; texts and CONNECT are one block. */
    char *setup;
    size_t setup_size;
    const char *host, *client_id;
    unsigned char *connect;
    uint32_t connect_size, connect_flags;
    struct sos_tls_options tls;
    const struct sos_mqtt_store *store;
    int64_t connect_us;
    uint32_t keep_alive, outbox_limit, max_packet_size;
    uint16_t port, max_in_flight, receive_maximum, topic_aliases;
    uint8_t version;
    enum sos_mqtt_policy policy;
    bool secure, once;
    bool clear;   /* the password goes without TLS */
    bool expires; /* the session ends with good-bye */
    struct sos_supervisor supervisor;
    int priority;

    /* The connection. */
    sos_stream *stream;
    struct sos_mqtt_rules_ in, out;
    struct sos_mqtt_state state;
    struct sos_mqtt_answer answer; /* why it is lost or refused */
    struct sos_mqtt_answer told;   /* the same of the connection, or attempt, before it */
    struct sos_mqtt_aliases_ aliases_in, aliases_out;
    struct sos_mqtt_alias_ *alias_memory;
    uint64_t sent; /* when something was last written */
    uint32_t pings, pongs;
    struct sos_event ready, dirty, room, pong, unstalled, empty, gone;

    /* The outbox. */
    struct sos_mqtt_outgoing_ *first, *last, *cursor;
    struct sos_mqtt_outgoing_ *parked; /* of a call that has not begun */
    uint64_t last_key;
    uint32_t unsent_0; /* of QoS 0 in it */
    uint16_t last_id, ids_free;
    bool unsafe; /* something is to be synced */

    /* What came in. */
    struct sos_mqtt_incoming_ *arrived, **arrived_end;
    struct sos_mqtt_received_ *received;
    uint32_t live_count; /* of both: under way in the eyes of the server */
    struct sos_mqtt_inbox *inboxes;
    struct sos_mqtt_question_ *questions, **questions_end;

    /* Requests. */
    struct sos_mqtt_inbox *responses;
    struct sos_mqtt_call_ *calls;
    uint64_t call_number;
};

static inline struct sos_mqtt_slice_ sos_mqtt_text_(const char *text)
{
    struct sos_mqtt_slice_ slice = { text, 0 };
    for (; text != NULL && text[slice.size] != '\0' && slice.size <= SOS_MQTT_LENGTH_MAX_;)
        slice.size++;
    return slice;
}

/* ---- mqtt.c */
void sos_mqtt_enter_(sos_mqtt *mqtt); /* for frames that refer to it over an await */
void sos_mqtt_leave_(sos_mqtt *mqtt);
void sos_mqtt_fail_(sos_mqtt *mqtt, int error); /* ends the client; all who wait hear of it */

/* Tells what happened, in words: into an answer, which may be NULL. `more` may be absent. */
void sos_mqtt_say_(struct sos_mqtt_answer *answer, uint8_t reason, const char *what,
                   struct sos_mqtt_slice_ more);
void sos_mqtt_tell_(struct sos_mqtt_answer *answer, const struct sos_mqtt_rules_ *rules, int type,
                    uint8_t reason, const struct sos_mqtt_properties_ *properties);

/* ---- mqtt_connection.c */
uint32_t sos_mqtt_buffer_limit_(const sos_mqtt *mqtt); /* of the stream */
int sos_mqtt_begin_(sos_mqtt *mqtt); /* its task; 0 or SOS_ECAPACITY, SOS_ENOMEM */

/* The connection is of no more use. `reason` tells the server why, if not 0; `text` is static. */
void sos_mqtt_break_(sos_mqtt *mqtt, int status, uint8_t reason, const char *text);

/* A packet into the output buffer. SOS_ELIMIT: larger than the server allows; SOS_EINVAL. If there is
 * no room, the connection breaks. */
int sos_mqtt_send_(sos_mqtt *mqtt, const struct sos_mqtt_packet_ *packet);
int sos_mqtt_put_ack_(sos_mqtt *mqtt, int type, uint16_t id, uint8_t reason);
int sos_mqtt_put_bytes_(sos_mqtt *mqtt, const void *bytes, uint32_t size);
int sos_mqtt_put_ping_(sos_mqtt *mqtt);

/* ---- mqtt_packets.c */
/* All whole packets in the input buffer. 0; SOS_EAGAIN: an inbox is full; an error, told. */
int sos_mqtt_take_packets_(sos_mqtt *mqtt);
/* CONNACK, if it is there: its size; 0: not yet; an error, told. */
int sos_mqtt_take_connack_(sos_mqtt *mqtt);

/* ---- mqtt_publish.c */
/* A message in words of the codec; *pairs is to be given back by sos_mqtt_undescribe_. */
int sos_mqtt_describe_(sos *os, int version, const struct sos_mqtt_message *message,
                       struct sos_mqtt_publish_ *publish, struct sos_mqtt_pair_ **pairs);
void sos_mqtt_undescribe_(sos *os, const struct sos_mqtt_message *message,
                          struct sos_mqtt_pair_ *pairs);
int sos_mqtt_pack_(sos_mqtt *mqtt, const struct sos_mqtt_message *message,
                   struct sos_mqtt_outgoing_ **outgoing);
struct sos_mqtt_outgoing_ *sos_mqtt_outgoing_new_(sos *os, uint32_t size);
void sos_mqtt_outgoing_free_(sos *os, struct sos_mqtt_outgoing_ *outgoing);
void sos_mqtt_outgoing_parse_(
    struct sos_mqtt_outgoing_ *outgoing); /* its fields, from its packet */

/* Publishes it, and takes it over. */
SOS_MUST_USE sos_op sos_mqtt_deliver_(sos_task *task, sos_mqtt *mqtt,
                                      struct sos_mqtt_outgoing_ *outgoing,
                                      struct sos_mqtt_answer *answer);
void sos_mqtt_park_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing);
struct sos_mqtt_outgoing_ *sos_mqtt_unpark_(sos_mqtt *mqtt);

/* ---- mqtt_outbox.c */
/* Adds it, or says why not. SOS_EAGAIN, only if `may_wait`: try again after the event `room`. */
int sos_mqtt_submit_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, bool may_wait);
void sos_mqtt_append_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing);
/* It is over for a message: told to its task, and given back if none waits. */
void sos_mqtt_finish_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, int status);
/* Takes it out of the list, and of the store if it is not `kept` there. */
void sos_mqtt_unlist_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing, bool kept);
void sos_mqtt_pump_(sos_mqtt *mqtt); /* sends what can be sent */
void sos_mqtt_outbox_lost_(sos_mqtt *mqtt);
void sos_mqtt_outbox_resume_(sos_mqtt *mqtt, bool session_present);
void sos_mqtt_outbox_end_(sos_mqtt *mqtt, int status);
bool sos_mqtt_acked_(sos_mqtt *mqtt, int type, const struct sos_mqtt_ack_ *ack);
uint16_t sos_mqtt_next_id_(sos_mqtt *mqtt); /* 0: all are in use */
/* Why the server does not take this. */
int sos_mqtt_why_not_(const sos_mqtt *mqtt, int qos, bool retain, uint32_t size);

/* ---- mqtt_record.c */
void sos_mqtt_record_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing);
void sos_mqtt_record_stage_(sos_mqtt *mqtt, const struct sos_mqtt_outgoing_ *outgoing);
void sos_mqtt_record_gone_(sos_mqtt *mqtt, struct sos_mqtt_outgoing_ *outgoing);
void sos_mqtt_record_received_(sos_mqtt *mqtt, uint16_t id, bool is);
int sos_mqtt_sync_(sos_mqtt *mqtt);
int sos_mqtt_recall_(sos_mqtt *mqtt); /* everything that is in the store */

/* ---- mqtt_inbox.c */
/* 0; SOS_EAGAIN: a full inbox holds it up, nothing was done; SOS_ENOMEM. */
int sos_mqtt_dispatch_(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish);
void sos_mqtt_acknowledge_(sos_mqtt *mqtt); /* what is freed, in order */
void sos_mqtt_arrived_lost_(sos_mqtt *mqtt);
void sos_mqtt_arrived_resume_(sos_mqtt *mqtt, bool session_present);
void sos_mqtt_arrived_end_(sos_mqtt *mqtt);
/* Whether a message of QoS 2 came before and is not acknowledged, or acknowledged but not released; it
 * is live again then. */
bool sos_mqtt_is_known_(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish);
bool sos_mqtt_is_received_(sos_mqtt *mqtt, uint16_t id);
bool sos_mqtt_release_(sos_mqtt *mqtt, uint16_t id); /* false: there is none */
bool sos_mqtt_add_received_(sos_mqtt *mqtt, uint16_t id, bool live);
void sos_mqtt_let_go_(struct sos_mqtt_incoming_ *incoming);
struct sos_mqtt_incoming_ *sos_mqtt_incoming_new_(sos *os, const struct sos_mqtt_publish_ *publish);

/* ---- mqtt_subscribe.c */
bool sos_mqtt_answered_(sos_mqtt *mqtt, int type, const struct sos_mqtt_suback_ *suback);
void sos_mqtt_questions_resume_(sos_mqtt *mqtt, bool session_present);
void sos_mqtt_questions_end_(sos_mqtt *mqtt, int status);
void sos_mqtt_routes_free_(sos_mqtt_inbox *inbox); /* and unsubscribes, if there is a client */

/* ---- mqtt_request.c */
/* A response for one who waits for it; else NULL. */
struct sos_mqtt_call_ *sos_mqtt_call_of_(sos_mqtt *mqtt, const struct sos_mqtt_publish_ *publish);
void sos_mqtt_calls_end_(sos_mqtt *mqtt, int status);

#endif
