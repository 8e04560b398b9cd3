/* SPDX-License-Identifier: MIT */
/*
 * MQTT client, versions 5 and 3.1.1. Any number of tasks share one connection: each publishes and
 * awaits the acknowledgement of its own message, and each may have inboxes of its own.
 *
 *     try_await(sos_mqtt_connect(task, &(struct sos_mqtt_options){ .host = "192.0.2.1" },
 *                                &self->mqtt, NULL));
 *     try_await(sos_mqtt_publish(task, self->mqtt,
 *                                &(struct sos_mqtt_message){ .topic = "lamp", .payload = "on",
 *                                                            .size = 2, .qos = 1 }, NULL));
 *
 * A connection that is lost is made anew, by itself, and the session goes on: what was not
 * acknowledged is sent again in order, at QoS 2 nothing arrives twice, and what the server has
 * forgotten is subscribed to again. Operations that wait meanwhile go on waiting: limit them by
 * sos_within.
 *
 * All functions are for the runtime's thread; those that return sos_op for tasks. Section numbers
 * are those of the OASIS standard of version 5.
 */
#ifndef SMALLOS_MQTT_H
#define SMALLOS_MQTT_H

#include "smallos/runtime.h"
#include "smallos/supervisor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_mqtt sos_mqtt;
typedef struct sos_mqtt_inbox sos_mqtt_inbox;
struct sos_tls_options;

/* ---- Messages */

/* A user property (3.3.2.3.7). */
struct sos_mqtt_pair {
    const char *name, *value;
};

/*
 * A message, to be published or received; zero is right for whatever is not needed. The texts are
 * UTF-8 and end with NUL. Published: all is copied by the call. Received: it points into memory
 * that is given back by sos_mqtt_message_free.
 */
struct sos_mqtt_message {
    const char *topic;
    const void *payload; /* received: a NUL follows it that does not count */
    size_t size;
    uint8_t qos;    /* 0: at most once; 1: at least once; 2: exactly once */
    bool retain;    /* the server keeps it for later subscribers; received: it was kept */
    bool duplicate; /* received at QoS 1: it may have come before */

    /* Version 5 only (3.3.2.3); with 3.1.1 publishing them ends in SOS_ENOTSUP. */
    bool is_text;      /* the payload is UTF-8 */
    uint32_t expiry_s; /* the server drops it after so many seconds; 0: never */
    const char *content_type, *response_topic; /* NULL: none */
    const void *correlation;                   /* NULL: none */
    size_t correlation_size;
    const struct sos_mqtt_pair *pairs;
    size_t pair_count;

    struct sos_mqtt_incoming_ *held_; /* private */
};

/* What the server said to a request. */
struct sos_mqtt_answer {
    uint8_t reason; /* 2.4; below 0x80 is success. 3.1.1: the code of its CONNACK or SUBACK */
    char text[119]; /* its meaning, and what else the server said, in words; cut if need be */
};

/* The meaning of a reason code of version 5 in words; never NULL. */
const char *sos_mqtt_reason_text(uint8_t reason);

/* ---- Unsent messages that outlive the process */

/*
 * Where a client keeps what must survive a loss of power: messages of QoS 1 and 2 until they are
 * acknowledged, and which of QoS 2 have been received. `put` and `remove` may be lazy, but `sync`
 * returns only when all before it is safe; the client calls it before anything leaves that depends
 * on it, once for many. Records come back in any order. All return 0 or an error, which ends the
 * client; none may wait for another task. sos_unix_mqtt_store_open (smallos/unix.h) makes one of a
 * file.
 */
struct sos_mqtt_store {
    int (*put)(void *context, uint64_t key, const void *bytes, size_t size);
    int (*remove)(void *context, uint64_t key); /* one that is not there is fine */
    int (*sync)(void *context);
    /* Calls found() for every record; an error of that ends it. */
    int (*each)(void *context, int (*found)(void *to, uint64_t key, const void *bytes, size_t size),
                void *to);
    void *context;
};

/* ---- Connecting */

/* What happens to a message when the outbox has no room for it and there is no connection. */
enum sos_mqtt_policy {
    SOS_MQTT_REFUSE,          /* SOS_ELIMIT */
    SOS_MQTT_DROP_OLDEST,     /* the oldest unsent ones go */
    SOS_MQTT_NEWEST_PER_TOPIC /* an unsent one of the same topic goes, room or not; then refuses */
};

/* Zero means default in every field. All is copied but `store` and what `tls` points to, which must
 * live as long as the client. */
struct sos_mqtt_options {
    const char *host;                  /* an address, a name, or "unix:/path"; default 127.0.0.1 */
    uint16_t port;                     /* default 1883, with TLS 8883 */
    uint8_t version;                   /* 5, or 3 for 3.1.1; default 5 */
    const struct sos_tls_options *tls; /* NULL: no TLS */
    const char *client_id;             /* NULL: a random one, and a clean start */
    const char *user, *password;       /* NULL: none */

    /*
     * The first connection begins a new session; later ones of this client go on with it. In version
     * 3.1.1 a session that begins clean ends with its connection (3.1.1: 3.1.2.4): what is in flight
     * at QoS 2 when that is lost ends in SOS_ECONNRESET.
     */
    bool clean_start;
    uint32_t
        session_expiry_s; /* version 5: how long the server keeps the session of a client that is
                                  gone; default 3,600, SOS_NONE: not at all */

    const struct sos_mqtt_message *will; /* published by the server when the client is lost */
    uint32_t will_delay_s;               /* version 5 */

    uint32_t
        keep_alive_s;   /* default client_defaults.mqtt, SOS_NONE: off. A ping is sent when nothing
                              was received, or sent, for so long; after half as long again without
                              an answer the connection is lost. The server may ask for another one */
    int64_t connect_us; /* time limit of an attempt to connect; default 20 s */
    struct sos_supervisor_options retry;
    bool once;    /* a lost connection is not made anew, and ends the client */
    int priority; /* of the connection's own tasks; default: that of the calling task */

    uint32_t max_packet_size; /* of a packet received; default client_defaults.mqtt */
    uint16_t receive_maximum; /* version 5: messages of QoS 1 and 2 received and not acknowledged;
                                 default 100 */
    uint16_t max_in_flight;   /* messages of QoS 1 and 2 sent and not acknowledged; default 20; less
                                 if the server says so */
    uint16_t
        topic_aliases; /* version 5: topics that may be replaced by a number, each way (3.3.2.3.4);
                                 default none. 128 bytes are set aside for each */

    uint32_t
        outbox_bytes; /* messages unsent or unacknowledged; default 1 MiB, SOS_NONE: no limit */
    enum sos_mqtt_policy outbox_policy;
    const struct sos_mqtt_store *store; /* NULL: none. Needs a client_id */
};

/*
 * Connects. Ends in 0 and *mqtt is set; SOS_ESERVER: refused, *answer says why; SOS_ETIMEDOUT: not
 * within connect_us; SOS_EINVAL: options that make no sense, a text that is not UTF-8; SOS_EPROTO,
 * SOS_EEOF, SOS_ECONNRESET: the other end does not speak MQTT; SOS_EIO: the store; or as sos_connect.
 * `answer` may be NULL. Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_mqtt_connect(sos_task *task, const struct sos_mqtt_options *options,
                                     sos_mqtt **mqtt, struct sos_mqtt_answer *answer);

/*
 * The same without waiting: makes the client, which connects by itself and goes on trying. Messages
 * go to the outbox until then. Not an operation: 0 and *mqtt is set; SOS_EINVAL, SOS_ENOMEM,
 * SOS_ECAPACITY, SOS_EIO.
 */
int sos_mqtt_start(sos_task *task, const struct sos_mqtt_options *options, sos_mqtt **mqtt);

/* Waits until there is a connection. Ends in 0; the error that has ended the client; SOS_ECANCELED:
 * closed. */
SOS_MUST_USE sos_op sos_mqtt_ready(sos_task *task, sos_mqtt *mqtt);

/* Tries to connect now, if it waits to try again. */
void sos_mqtt_hurry(sos_mqtt *mqtt);

/* Sends a ping and waits for the answer. Ends in 0; SOS_ECONNRESET: there is no connection, or it was
 * lost. */
SOS_MUST_USE sos_op sos_mqtt_ping(sos_task *task, sos_mqtt *mqtt);

/* Waits until the outbox is empty: all is sent, and acknowledged. Ends in 0, or as sos_mqtt_ready. */
SOS_MUST_USE sos_op sos_mqtt_drain(sos_task *task, sos_mqtt *mqtt);

/*
 * Says good-bye (the server publishes no will then) and closes. What is in the outbox is not waited
 * for: see sos_mqtt_drain. Ends in 0 within two seconds, and *mqtt is NULL in any case, also when
 * canceled.
 */
SOS_MUST_USE sos_op sos_mqtt_disconnect(sos_task *task, sos_mqtt **mqtt);

/* Closes it at once, as if it were lost; tasks that wait in an operation on it get SOS_ECANCELED.
 * Inboxes are to be closed all the same, before or after. NULL is fine. Also from async_finally. */
void sos_mqtt_close(sos_mqtt *mqtt);

/* How a client stands. Texts are valid until the client is closed. */
struct sos_mqtt_state {
    bool connected;
    bool session_present; /* the server had kept the session when it last connected */
    uint64_t connections; /* so far */
    uint32_t messages;    /* in the outbox: unsent or unacknowledged */
    uint64_t bytes;       /* of them */
    uint32_t in_flight;   /* of them: sent and not acknowledged */
    uint64_t
        dropped; /* out of the outbox, by its policy or because the server does not take them */
    uint64_t uncertain;   /* QoS 2: sent before the server forgot the session, and not sent again */
    uint64_t undelivered; /* received, and no inbox wanted them or had room */
    uint64_t refused;     /* subscriptions that the server refused when they were made anew */
    const char *client_id; /* as asked for, or the random one */
    const char *error;     /* why the connection was last lost or refused; "" if it never was */

    /* What the server allows; before the first connection: everything. */
    uint32_t max_packet_size; /* 0: no limit */
    uint32_t keep_alive_s;    /* in force; 0: off */
    uint16_t receive_maximum, topic_alias_maximum;
    uint8_t maximum_qos;
    bool no_retain;
};
void sos_mqtt_inspect(const sos_mqtt *mqtt, struct sos_mqtt_state *state);

/* ---- Publishing */

/*
 * Publishes a message. QoS 0: ends when it is in the output buffer, which is written with what other
 * tasks publish in the same turn. QoS 1 and 2: ends when the server has acknowledged it, however
 * often it has to be sent for that. Waits for room while there is a connection; without one the
 * message goes to the outbox, where QoS 0 does not wait either.
 * Ends in 0; SOS_ESERVER: the server refused it, *answer says why (version 5); SOS_EINVAL: no topic
 * name, or what else the protocol forbids; SOS_ELIMIT: larger than the server or the outbox allows,
 * or the outbox has refused or dropped it; SOS_ENOTSUP: the server does not have this QoS or keeps no
 * messages, or 3.1.1 has no such property; SOS_ECONNRESET: QoS 2, and nobody can know whether it has
 * arrived; SOS_ECANCELED: it was taken out of the outbox, or the client closed; SOS_ENOMEM; the error
 * that has ended the client. `answer` may be NULL.
 * Canceled: a message that was not sent yet is withdrawn; one that was stays in flight.
 */
SOS_MUST_USE sos_op sos_mqtt_publish(sos_task *task, sos_mqtt *mqtt,
                                     const struct sos_mqtt_message *message,
                                     struct sos_mqtt_answer *answer);

/*
 * Puts a message into the outbox and does not wait for anything: it will be sent, again if need be,
 * until it is acknowledged. 0, or an error of sos_mqtt_publish. The policy also holds while there is
 * a connection. With a store the message is safe after sos_mqtt_save, or before it is sent.
 */
int sos_mqtt_post(sos_mqtt *mqtt, const struct sos_mqtt_message *message);

/* Makes all that is in the outbox safe now, which may take as long as a disk takes. 0 also without a
 * store, or its error. */
int sos_mqtt_save(sos_mqtt *mqtt);

/* Takes the oldest message that was never sent out of the outbox, to be freed as a received one is. A
 * task that waits for it gets SOS_ECANCELED. 0; SOS_EAGAIN: there is none; SOS_ENOMEM. */
int sos_mqtt_take_unsent(sos_mqtt *mqtt, struct sos_mqtt_message *message);

/* ---- Receiving */

/* Zero means default in every field. */
struct sos_mqtt_inbox_options {
    uint32_t max_messages; /* that wait in it; default client_defaults.mqtt.max_queued_messages */
    uint32_t max_bytes;    /* of them; default 4 MiB. One message always has room */
    bool drop; /* when it is full, messages for it are dropped and counted. Otherwise the connection
                  waits, and with it all inboxes: nothing is lost. A task that empties such an inbox
                  must not wait for the server without a deadline: the answer may stand behind the
                  message that has no room */
};

/* An inbox: a queue of messages whose topics match its filters. It may be shared by tasks: each
 * message goes to one of them. 0, SOS_ENOMEM, or the error that has ended the client. */
int sos_mqtt_inbox_open(sos_mqtt *mqtt, const struct sos_mqtt_inbox_options *options,
                        sos_mqtt_inbox **inbox);

/*
 * Gives up its messages and filters; topics that no other inbox wants are unsubscribed from. Tasks
 * that wait for it get SOS_ECANCELED. NULL is fine. Also from async_finally.
 */
void sos_mqtt_inbox_close(sos_mqtt_inbox *inbox);

/* How many messages of this inbox have been dropped because it was full. */
uint64_t sos_mqtt_inbox_dropped(const sos_mqtt_inbox *inbox);

/* A topic filter ("home/+/light", "#", version 5: "$share/group/topic") and how to subscribe to it. */
struct sos_mqtt_filter {
    const char *filter;
    uint8_t qos;              /* at most */
    uint8_t retain_handling;  /* 5: kept messages are sent 0: always, 1: for a new filter, 2: not */
    bool no_local;            /* 5: not what this client publishes itself */
    bool retain_as_published; /* 5: `retain` comes as it was published */
    uint8_t reason;           /* the answer: QoS granted, or the code of the refusal from 0x80 */
};

/*
 * Adds filters to an inbox and subscribes to them, all in one packet. Their messages may come before
 * the answer. Ends in 0: all granted, perhaps at a lower QoS; SOS_ESERVER: one or more were refused,
 * filters[].reason says which and why: the others stay; SOS_EINVAL: no filter, or no topic filter;
 * SOS_ELIMIT: the packet is larger than the server allows; SOS_ENOMEM; SOS_ECANCELED; the error that
 * has ended the client. Texts are copied; `filters` must stay until then.
 * Canceled: the filters stay, and will be subscribed to.
 * If several filters match a message, a server may send it more than once, to each inbox each time.
 */
SOS_MUST_USE sos_op sos_mqtt_subscribe(sos_task *task, sos_mqtt_inbox *inbox,
                                       struct sos_mqtt_filter *filters, size_t count);

/* The same without waiting for the answer, also before there is a connection: an inbox misses nothing
 * of a session that goes on if it has its filters in the turn in which the client was started. 0, or an
 * error of sos_mqtt_subscribe. */
int sos_mqtt_want(sos_mqtt_inbox *inbox, const struct sos_mqtt_filter *filters, size_t count);

/*
 * Takes filters away from an inbox, and unsubscribes from those that no other inbox has, in one
 * packet. What is in the inbox stays. Ends in 0; SOS_ESERVER; SOS_EINVAL, SOS_ENOMEM, SOS_ELIMIT;
 * SOS_ECANCELED. Canceled: it goes on without the task.
 */
SOS_MUST_USE sos_op sos_mqtt_unsubscribe(sos_task *task, sos_mqtt_inbox *inbox,
                                         const char *const *filters, size_t count);

/*
 * Waits for the next message of an inbox. Ends in 0 and *message is set, to be freed;
 * SOS_ECANCELED: the inbox was closed; when it is empty, the error that has ended the client, or
 * SOS_ECANCELED if that was closed. `message` is freed first if it holds one. Canceled: the message is
 * the next one's.
 */
SOS_MUST_USE sos_op sos_mqtt_receive(sos_task *task, sos_mqtt_inbox *inbox,
                                     struct sos_mqtt_message *message);

/* The same without waiting: SOS_EAGAIN when there is none. */
int sos_mqtt_try_receive(sos_mqtt_inbox *inbox, struct sos_mqtt_message *message);

/*
 * Gives a message back and makes it empty; an empty one is fine. Of QoS 1 and 2 this acknowledges
 * it, once all who got it have done so and in the order in which messages came: what was not freed
 * when the connection or the process is lost comes again (at QoS 2 only after the loss of the
 * process). The acknowledgement also needs earlier messages to be freed: hold none for long.
 */
void sos_mqtt_message_free(struct sos_mqtt_message *message);

/* ---- Requests and responses: version 5, 4.10 */

/*
 * Publishes a request and waits for the response to it, at QoS `request->qos`. `response_topic` and
 * `correlation` are filled in: the responses of this client have a topic of their own, which is
 * subscribed to with the first request. Ends in 0 and *response is set, to be freed; or as
 * sos_mqtt_publish and sos_mqtt_subscribe. Has no time limit of its own. Canceled: a late response is
 * thrown away.
 */
SOS_MUST_USE sos_op sos_mqtt_request(sos_task *task, sos_mqtt *mqtt,
                                     const struct sos_mqtt_message *request,
                                     struct sos_mqtt_message *response);

/* Answers a request that was received: publishes to its response topic, with its correlation.
 * SOS_EINVAL: it wants no response; else as sos_mqtt_publish. */
SOS_MUST_USE sos_op sos_mqtt_respond(sos_task *task, sos_mqtt *mqtt,
                                     const struct sos_mqtt_message *request, const void *payload,
                                     size_t size);

#ifdef __cplusplus
}
#endif
#endif
