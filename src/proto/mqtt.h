/* SPDX-License-Identifier: MIT */
/*
 * MQTT packets, versions 3.1.1 and 5, read and written, by both ends of a connection.
 *
 * Section numbers and rules ([MQTT-1.5.4-1]) are those of the OASIS standard of version 5 (7 March
 * 2019); "3.1.1:" marks those of version 3.1.1 (29 October 2014) where they are others.
 *
 * Nothing here keeps a state: each function is given the bytes of one packet from its first on and
 * what a connection has agreed upon (struct sos_mqtt_rules_). What was read points into the bytes
 * it was read from. Offsets of errors count from the first byte of the packet.
 */
#ifndef SMALLOS_PROTO_MQTT_H
#define SMALLOS_PROTO_MQTT_H

#include "proto/syntax.h"

/* 2.1.2. The will has properties of its own, as if it were a packet. */
enum sos_mqtt_type_ {
    SOS_MQTT_WILL_ = 0,
    SOS_MQTT_CONNECT_ = 1,
    SOS_MQTT_CONNACK_,
    SOS_MQTT_PUBLISH_,
    SOS_MQTT_PUBACK_,
    SOS_MQTT_PUBREC_,
    SOS_MQTT_PUBREL_,
    SOS_MQTT_PUBCOMP_,
    SOS_MQTT_SUBSCRIBE_,
    SOS_MQTT_SUBACK_,
    SOS_MQTT_UNSUBSCRIBE_,
    SOS_MQTT_UNSUBACK_,
    SOS_MQTT_PINGREQ_,
    SOS_MQTT_PINGRESP_,
    SOS_MQTT_DISCONNECT_,
    SOS_MQTT_AUTH_
};

enum sos_mqtt_version_ { SOS_MQTT_3_ = 4, SOS_MQTT_5_ = 5 }; /* as CONNECT names them */
enum sos_mqtt_sender_ { SOS_MQTT_CLIENT_ = 1, SOS_MQTT_SERVER_ = 2 };

/* The largest remaining length (2.1.4), and the longest fixed header. */
enum { SOS_MQTT_LENGTH_MAX_ = 268435455, SOS_MQTT_HEADER_MAX_ = 5 };

/* What holds for packets in one direction of a connection. */
struct sos_mqtt_rules_ {
    uint8_t version;          /* 0: not known yet, CONNECT will tell: nothing else is read */
    uint8_t sender;           /* who writes the packets: a client or a server */
    uint32_t max_packet_size; /* of a whole packet (3.1.2.11.4), agreed upon by the receiver;
                                 0: as large as the protocol allows */
};

/* Bytes, or text in UTF-8 without a zero at its end. data NULL: absent; absent is not empty. */
struct sos_mqtt_slice_ {
    const char *data;
    uint32_t size;
};

/* "text" as a slice */
#define SOS_MQTT_SLICE_(text) ((struct sos_mqtt_slice_){ "" text, sizeof(text) - 1 })

/* Why a packet was refused. */
struct sos_mqtt_error_ {
    struct sos_syntax_error_ syntax; /* the rule; where in the packet (read) */
    const char *subject;             /* the property it is about; NULL: the packet itself */
    uint8_t reason;                  /* to tell the other end: SOS_MQTT_MALFORMED_PACKET_, ... */
};

/* ---- Reason codes: 2.4, 3.2.2.2, 3.4.2.1, 3.9.3, 3.11.3, 3.14.2.1, 3.15.2.1 */

/*
 * code, name, text, in which packets a client may send it, and a server. Some codes are called
 * otherwise in other packets.
 */
#define SOS_MQTT_REASONS_(X)                                                                       \
    X(0x00, SUCCESS, "success", ACKS_, ACKS_ | IN_(CONNACK) | IN_(UNSUBACK) | IN_(AUTH))           \
    X(0x00, NORMAL_DISCONNECTION, "normal disconnection", IN_(DISCONNECT), IN_(DISCONNECT))        \
    X(0x00, GRANTED_QOS_0, "granted QoS 0", 0, IN_(SUBACK))                                        \
    X(0x01, GRANTED_QOS_1, "granted QoS 1", 0, IN_(SUBACK))                                        \
    X(0x02, GRANTED_QOS_2, "granted QoS 2", 0, IN_(SUBACK))                                        \
    X(0x04, DISCONNECT_WITH_WILL, "disconnect with will message", IN_(DISCONNECT), 0)              \
    X(0x10, NO_MATCHING_SUBSCRIBERS, "no matching subscribers", 0, IN_(PUBACK) | IN_(PUBREC))      \
    X(0x11, NO_SUBSCRIPTION_EXISTED, "no subscription existed", 0, IN_(UNSUBACK))                  \
    X(0x18, CONTINUE_AUTHENTICATION, "continue authentication", IN_(AUTH), IN_(AUTH))              \
    X(0x19, RE_AUTHENTICATE, "re-authenticate", IN_(AUTH), 0)                                      \
    X(0x80, UNSPECIFIED_ERROR, "unspecified error", RECEIVED_ | IN_(DISCONNECT),                   \
      RECEIVED_ | SUBS_ | ENDS_)                                                                   \
    X(0x81, MALFORMED_PACKET, "malformed packet", IN_(DISCONNECT), ENDS_)                          \
    X(0x82, PROTOCOL_ERROR, "protocol error", IN_(DISCONNECT), ENDS_)                              \
    X(0x83, IMPLEMENTATION_ERROR, "implementation specific error", RECEIVED_ | IN_(DISCONNECT),    \
      RECEIVED_ | SUBS_ | ENDS_)                                                                   \
    X(0x84, UNSUPPORTED_VERSION, "unsupported protocol version", 0, IN_(CONNACK))                  \
    X(0x85, BAD_CLIENT_ID, "client identifier not valid", 0, IN_(CONNACK))                         \
    X(0x86, BAD_USER_OR_PASSWORD, "bad user name or password", 0, IN_(CONNACK))                    \
    X(0x87, NOT_AUTHORIZED, "not authorized", RECEIVED_, RECEIVED_ | SUBS_ | ENDS_)                \
    X(0x88, SERVER_UNAVAILABLE, "server unavailable", 0, IN_(CONNACK))                             \
    X(0x89, SERVER_BUSY, "server busy", 0, ENDS_)                                                  \
    X(0x8A, BANNED, "banned", 0, IN_(CONNACK))                                                     \
    X(0x8B, SERVER_SHUTTING_DOWN, "server shutting down", 0, IN_(DISCONNECT))                      \
    X(0x8C, BAD_AUTHENTICATION_METHOD, "bad authentication method", 0, ENDS_)                      \
    X(0x8D, KEEP_ALIVE_TIMEOUT, "keep alive timeout", 0, IN_(DISCONNECT))                          \
    X(0x8E, SESSION_TAKEN_OVER, "session taken over", 0, IN_(DISCONNECT))                          \
    X(0x8F, TOPIC_FILTER_INVALID, "topic filter invalid", 0, SUBS_ | IN_(DISCONNECT))              \
    X(0x90, TOPIC_NAME_INVALID, "topic name invalid", RECEIVED_ | IN_(DISCONNECT),                 \
      RECEIVED_ | ENDS_)                                                                           \
    X(0x91, PACKET_ID_IN_USE, "packet identifier in use", RECEIVED_, RECEIVED_ | SUBS_)            \
    X(0x92, PACKET_ID_NOT_FOUND, "packet identifier not found", IN_(PUBREL) | IN_(PUBCOMP),        \
      IN_(PUBREL) | IN_(PUBCOMP))                                                                  \
    X(0x93, RECEIVE_MAXIMUM_EXCEEDED, "receive maximum exceeded", IN_(DISCONNECT),                 \
      IN_(DISCONNECT))                                                                             \
    X(0x94, TOPIC_ALIAS_INVALID, "topic alias invalid", IN_(DISCONNECT), IN_(DISCONNECT))          \
    X(0x95, PACKET_TOO_LARGE, "packet too large", IN_(DISCONNECT), ENDS_)                          \
    X(0x96, MESSAGE_RATE_TOO_HIGH, "message rate too high", IN_(DISCONNECT), IN_(DISCONNECT))      \
    X(0x97, QUOTA_EXCEEDED, "quota exceeded", RECEIVED_ | IN_(DISCONNECT),                         \
      RECEIVED_ | IN_(SUBACK) | ENDS_)                                                             \
    X(0x98, ADMINISTRATIVE_ACTION, "administrative action", IN_(DISCONNECT), IN_(DISCONNECT))      \
    X(0x99, PAYLOAD_FORMAT_INVALID, "payload format invalid", RECEIVED_ | IN_(DISCONNECT),         \
      RECEIVED_ | ENDS_)                                                                           \
    X(0x9A, RETAIN_NOT_SUPPORTED, "retain not supported", 0, ENDS_)                                \
    X(0x9B, QOS_NOT_SUPPORTED, "QoS not supported", 0, ENDS_)                                      \
    X(0x9C, USE_ANOTHER_SERVER, "use another server", 0, ENDS_)                                    \
    X(0x9D, SERVER_MOVED, "server moved", 0, ENDS_)                                                \
    X(0x9E, SHARED_NOT_SUPPORTED, "shared subscriptions not supported", 0,                         \
      IN_(SUBACK) | IN_(DISCONNECT))                                                               \
    X(0x9F, CONNECTION_RATE_EXCEEDED, "connection rate exceeded", 0, ENDS_)                        \
    X(0xA0, MAXIMUM_CONNECT_TIME, "maximum connect time", 0, IN_(DISCONNECT))                      \
    X(0xA1, SUBSCRIPTION_IDS_NOT_SUPPORTED, "subscription identifiers not supported", 0,           \
      IN_(SUBACK) | IN_(DISCONNECT))                                                               \
    X(0xA2, WILDCARDS_NOT_SUPPORTED, "wildcard subscriptions not supported", 0,                    \
      IN_(SUBACK) | IN_(DISCONNECT))

enum sos_mqtt_reason_code_ {
#define SOS_MQTT_REASON_CODE_(code, name, text, client, server) SOS_MQTT_##name##_ = (code),
    SOS_MQTT_REASONS_(SOS_MQTT_REASON_CODE_)
#undef SOS_MQTT_REASON_CODE_
};

struct sos_mqtt_reason_ {
    uint8_t code;
    uint16_t client, server; /* bit n: allowed in packets of type n from there */
    const char *name;        /* "NOT_AUTHORIZED" */
    const char *text;        /* "not authorized" */
};

/*
 * What a code in a packet means; NULL: it is not allowed in packets of that type by that sender.
 * In version 3.1.1 CONNACK and SUBACK have codes of their own (3.1.1: 3.2.2.3, 3.9.3).
 */
const struct sos_mqtt_reason_ *sos_mqtt_reason_(const struct sos_mqtt_rules_ *rules, int type,
                                                int code);

/* "PUBLISH" */
const char *sos_mqtt_type_name_(int type);

/* ---- Properties: 2.2.2.2, and the section "Properties" of each packet */

/*
 * NAME, field, identifier, type, name in the standard, in which packets a client may send it, and a
 * server. IDS alone may be repeated in PUBLISH, PAIRS everywhere.
 */
#define SOS_MQTT_PROPERTIES_(X)                                                                    \
    X(PAYLOAD_FORMAT, payload_format, 0x01, BOOL, "Payload Format Indicator", MESSAGE_,            \
      IN_(PUBLISH))                                                                                \
    X(MESSAGE_EXPIRY, message_expiry, 0x02, U32, "Message Expiry Interval", MESSAGE_,              \
      IN_(PUBLISH))                                                                                \
    X(CONTENT_TYPE, content_type, 0x03, STRING, "Content Type", MESSAGE_, IN_(PUBLISH))            \
    X(RESPONSE_TOPIC, response_topic, 0x08, TOPIC, "Response Topic", MESSAGE_, IN_(PUBLISH))       \
    X(CORRELATION_DATA, correlation_data, 0x09, BINARY, "Correlation Data", MESSAGE_,              \
      IN_(PUBLISH))                                                                                \
    X(SUBSCRIPTION_ID, subscription_id, 0x0B, IDS, "Subscription Identifier", IN_(SUBSCRIBE),      \
      IN_(PUBLISH))                                                                                \
    X(SESSION_EXPIRY, session_expiry, 0x11, U32, "Session Expiry Interval",                        \
      IN_(CONNECT) | IN_(DISCONNECT), IN_(CONNACK))                                                \
    X(ASSIGNED_CLIENT_ID, assigned_client_id, 0x12, STRING, "Assigned Client Identifier", 0,       \
      IN_(CONNACK))                                                                                \
    X(SERVER_KEEP_ALIVE, server_keep_alive, 0x13, U16, "Server Keep Alive", 0, IN_(CONNACK))       \
    X(AUTHENTICATION_METHOD, authentication_method, 0x15, STRING, "Authentication Method",         \
      IN_(CONNECT) | IN_(AUTH), IN_(CONNACK) | IN_(AUTH))                                          \
    X(AUTHENTICATION_DATA, authentication_data, 0x16, BINARY, "Authentication Data",               \
      IN_(CONNECT) | IN_(AUTH), IN_(CONNACK) | IN_(AUTH))                                          \
    X(REQUEST_PROBLEM_INFO, request_problem_info, 0x17, BOOL, "Request Problem Information",       \
      IN_(CONNECT), 0)                                                                             \
    X(WILL_DELAY, will_delay, 0x18, U32, "Will Delay Interval", IN_(WILL), 0)                      \
    X(REQUEST_RESPONSE_INFO, request_response_info, 0x19, BOOL, "Request Response Information",    \
      IN_(CONNECT), 0)                                                                             \
    X(RESPONSE_INFO, response_info, 0x1A, STRING, "Response Information", 0, IN_(CONNACK))         \
    X(SERVER_REFERENCE, server_reference, 0x1C, STRING, "Server Reference", 0,                     \
      IN_(CONNACK) | IN_(DISCONNECT))                                                              \
    X(REASON_STRING, reason_string, 0x1F, STRING, "Reason String",                                 \
      ACKS_ | IN_(DISCONNECT) | IN_(AUTH),                                                         \
      ACKS_ | IN_(CONNACK) | IN_(SUBACK) | IN_(UNSUBACK) | IN_(DISCONNECT) | IN_(AUTH))            \
    X(RECEIVE_MAXIMUM, receive_maximum, 0x21, U16_NOT_0, "Receive Maximum", IN_(CONNECT),          \
      IN_(CONNACK))                                                                                \
    X(TOPIC_ALIAS_MAXIMUM, topic_alias_maximum, 0x22, U16, "Topic Alias Maximum", IN_(CONNECT),    \
      IN_(CONNACK))                                                                                \
    X(TOPIC_ALIAS, topic_alias, 0x23, U16_NOT_0, "Topic Alias", IN_(PUBLISH), IN_(PUBLISH))        \
    X(MAXIMUM_QOS, maximum_qos, 0x24, BOOL, "Maximum QoS", 0, IN_(CONNACK))                        \
    X(RETAIN_AVAILABLE, retain_available, 0x25, BOOL, "Retain Available", 0, IN_(CONNACK))         \
    X(USER, user, 0x26, PAIRS, "User Property", 0xFFFF, 0xFFFF)                                    \
    X(MAXIMUM_PACKET_SIZE, maximum_packet_size, 0x27, U32_NOT_0, "Maximum Packet Size",            \
      IN_(CONNECT), IN_(CONNACK))                                                                  \
    X(WILDCARD_AVAILABLE, wildcard_available, 0x28, BOOL, "Wildcard Subscription Available", 0,    \
      IN_(CONNACK))                                                                                \
    X(SUBSCRIPTION_ID_AVAILABLE, subscription_id_available, 0x29, BOOL,                            \
      "Subscription Identifier Available", 0, IN_(CONNACK))                                        \
    X(SHARED_AVAILABLE, shared_available, 0x2A, BOOL, "Shared Subscription Available", 0,          \
      IN_(CONNACK))

/* SOS_MQTT_HAS_SESSION_EXPIRY_, ...: bits of sos_mqtt_properties_.has */
enum sos_mqtt_property_ {
#define SOS_MQTT_PROPERTY_(name, field, id, type, text, client, server) SOS_MQTT_AT_##name##_,
    SOS_MQTT_PROPERTIES_(SOS_MQTT_PROPERTY_)
#undef SOS_MQTT_PROPERTY_
        SOS_MQTT_PROPERTY_COUNT_,
#define SOS_MQTT_PROPERTY_(name, field, id, type, text, client, server)                            \
    SOS_MQTT_HAS_##name##_ = 1 << SOS_MQTT_AT_##name##_,
    SOS_MQTT_PROPERTIES_(SOS_MQTT_PROPERTY_)
#undef SOS_MQTT_PROPERTY_
};

struct sos_mqtt_pair_ {
    struct sos_mqtt_slice_ name, value;
};

/* To write: the list. Read: only the count; sos_mqtt_next_user_ gives them. */
struct sos_mqtt_pairs_ {
    const struct sos_mqtt_pair_ *list;
    uint32_t count;
};

/* One and `count` further ones, which sos_mqtt_next_subscription_id_ gives. */
struct sos_mqtt_ids_ {
    uint32_t one;
    uint32_t count;
    const uint32_t *list;
};

/*
 * The properties of one packet. Those whose bit is not set in `has` are absent, whatever their
 * fields hold. Properties that were read can be written again as they are, as long as the bytes
 * they were read from stay.
 */
struct sos_mqtt_properties_ {
    uint32_t has;
    struct sos_mqtt_slice_ encoded; /* as read, for what is repeated; absent: the lists count */
#define SOS_MQTT_BOOL_ uint8_t
#define SOS_MQTT_U16_ uint16_t
#define SOS_MQTT_U16_NOT_0_ uint16_t
#define SOS_MQTT_U32_ uint32_t
#define SOS_MQTT_U32_NOT_0_ uint32_t
#define SOS_MQTT_STRING_ struct sos_mqtt_slice_
#define SOS_MQTT_TOPIC_ struct sos_mqtt_slice_
#define SOS_MQTT_BINARY_ struct sos_mqtt_slice_
#define SOS_MQTT_IDS_ struct sos_mqtt_ids_
#define SOS_MQTT_PAIRS_ struct sos_mqtt_pairs_
#define SOS_MQTT_FIELD_(name, field, id, type, text, client, server) SOS_MQTT_##type##_ field;
    SOS_MQTT_PROPERTIES_(SOS_MQTT_FIELD_)
#undef SOS_MQTT_FIELD_
#undef SOS_MQTT_BOOL_
#undef SOS_MQTT_U16_
#undef SOS_MQTT_U16_NOT_0_
#undef SOS_MQTT_U32_
#undef SOS_MQTT_U32_NOT_0_
#undef SOS_MQTT_STRING_
#undef SOS_MQTT_TOPIC_
#undef SOS_MQTT_BINARY_
#undef SOS_MQTT_IDS_
#undef SOS_MQTT_PAIRS_
};

/* The next one; *at begins with 0. false: there are no more. In the order of the packet. */
bool sos_mqtt_next_user_(const struct sos_mqtt_properties_ *properties, uint32_t *at,
                         struct sos_mqtt_pair_ *pair);
bool sos_mqtt_next_subscription_id_(const struct sos_mqtt_properties_ *properties, uint32_t *at,
                                    uint32_t *id);

/* ---- Packets */

struct sos_mqtt_will_ {
    struct sos_mqtt_slice_ topic; /* absent: no will */
    struct sos_mqtt_slice_ payload;
    uint8_t qos;
    bool retain;
    struct sos_mqtt_properties_ properties;
};

struct sos_mqtt_connect_ {
    uint8_t version;
    bool clean_start; /* 3.1.1: clean session */
    uint16_t keep_alive;
    struct sos_mqtt_slice_ client_id;
    struct sos_mqtt_slice_ user, password; /* absent or not; the password is any bytes */
    struct sos_mqtt_properties_ properties;
    struct sos_mqtt_will_ will;
};

struct sos_mqtt_connack_ {
    bool session_present;
    uint8_t reason;
    struct sos_mqtt_properties_ properties;
};

struct sos_mqtt_publish_ {
    bool dup, retain;
    uint8_t qos;
    uint16_t id;                  /* 0 at QoS 0, and never else */
    struct sos_mqtt_slice_ topic; /* empty: a topic alias stands for it */
    struct sos_mqtt_slice_ payload;
    struct sos_mqtt_properties_ properties;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP */
struct sos_mqtt_ack_ {
    uint16_t id;
    uint8_t reason;
    struct sos_mqtt_properties_ properties;
};

/* One filter of SUBSCRIBE with its options (3.8.3.1), or of UNSUBSCRIBE, without any. */
struct sos_mqtt_filter_ {
    struct sos_mqtt_slice_ filter;
    uint8_t qos;
    uint8_t retain_handling; /* retained messages are sent: 0 always, 1 if it is new, 2 not */
    bool no_local, retain_as_published;
};

/* SUBSCRIBE, UNSUBSCRIBE */
struct sos_mqtt_subscribe_ {
    uint16_t id;
    struct sos_mqtt_properties_ properties;
    const struct sos_mqtt_filter_ *filters; /* to write; read: NULL, see sos_mqtt_next_filter_ */
    uint32_t count;
    struct sos_mqtt_slice_ encoded; /* the filters as they were read */
};

/* The next filter of a packet that was read or will be written; *at begins with 0. */
bool sos_mqtt_next_filter_(const struct sos_mqtt_rules_ *rules, int type,
                           const struct sos_mqtt_subscribe_ *subscribe, uint32_t *at,
                           struct sos_mqtt_filter_ *filter);

/* SUBACK, UNSUBACK */
struct sos_mqtt_suback_ {
    uint16_t id;
    struct sos_mqtt_slice_ reasons; /* a byte for each filter; 3.1.1: UNSUBACK has none */
    struct sos_mqtt_properties_ properties;
};

/* DISCONNECT, AUTH */
struct sos_mqtt_notice_ {
    uint8_t reason;
    struct sos_mqtt_properties_ properties;
};

struct sos_mqtt_packet_ {
    uint8_t type;
    union {
        struct sos_mqtt_connect_ connect;
        struct sos_mqtt_connack_ connack;
        struct sos_mqtt_publish_ publish;
        struct sos_mqtt_ack_ ack;
        struct sos_mqtt_subscribe_ subscribe;
        struct sos_mqtt_suback_ suback;
        struct sos_mqtt_notice_ notice;
    };
};

/* ---- Reading */

struct sos_mqtt_header_ {
    uint8_t type, flags;
    uint8_t size;    /* of the fixed header: 2 to 5 */
    uint32_t length; /* of what follows it */
};

/*
 * The fixed header (2.1) of the packet that begins at `data`, of which `size` bytes are there.
 * Answers its size, SOS_PARTIAL_, SOS_EPROTO, or SOS_ELIMIT if the packet will be larger than
 * rules->max_packet_size. Refuses at the first byte that is wrong, so that no memory need be
 * found for a packet before its header has been read.
 */
int sos_mqtt_read_header_(const struct sos_mqtt_rules_ *rules, const void *data, size_t size,
                          struct sos_mqtt_header_ *header, struct sos_mqtt_error_ *error);

/*
 * The packet that begins at `data`. Answers its size, SOS_PARTIAL_ if there are not as many bytes,
 * or what sos_mqtt_read_header_ does. The packet points into `data`.
 */
int sos_mqtt_read_(const struct sos_mqtt_rules_ *rules, const void *data, size_t size,
                   struct sos_mqtt_packet_ *packet, struct sos_mqtt_error_ *error);

/*
 * The head of a PUBLISH whose payload is to be read piece by piece: all that stands before the
 * payload. Answers the size of the head; payload.size tells how many bytes follow it and
 * payload.data is NULL. What sos_mqtt_read_ would refuse is refused with the same error. Another
 * packet than PUBLISH is SOS_EINVAL.
 */
int sos_mqtt_read_publish_head_(const struct sos_mqtt_rules_ *rules, const void *data, size_t size,
                                struct sos_mqtt_publish_ *publish, struct sos_mqtt_error_ *error);

/* ---- Writing */

/*
 * Writes the packet into a buffer and answers its size. With a NULL buffer, or one that is smaller
 * than that, nothing is written. SOS_EINVAL for what the standard forbids (the rule is in error),
 * SOS_ELIMIT for a packet larger than rules->max_packet_size. The rules are those of the
 * direction: sender is the caller's role and the size is what the receiver takes.
 */
int sos_mqtt_write_(const struct sos_mqtt_rules_ *rules, const struct sos_mqtt_packet_ *packet,
                    void *buffer, size_t capacity, struct sos_mqtt_error_ *error);

/* The same without the payload, of which only the size counts: its bytes are sent after it. */
int sos_mqtt_write_publish_head_(const struct sos_mqtt_rules_ *rules,
                                 const struct sos_mqtt_publish_ *publish, void *buffer,
                                 size_t capacity, struct sos_mqtt_error_ *error);

/* ---- Topics: 4.7, 4.8.2 */

/*
 * The rule that a string (1.5.4), a topic name or a topic filter breaks, NULL if none; *at is then
 * the first wrong byte. A filter may be one of a shared subscription ("$share/group/filter"), in
 * version 5 only.
 */
const char *sos_mqtt_string_rule_(struct sos_mqtt_slice_ string, uint32_t *at);
const char *sos_mqtt_topic_rule_(struct sos_mqtt_slice_ topic, uint32_t *at);
const char *sos_mqtt_filter_rule_(int version, struct sos_mqtt_slice_ filter, uint32_t *at);

/* Whether a valid filter is one of a shared subscription; the filter without "$share/group/". */
bool sos_mqtt_is_shared_(struct sos_mqtt_slice_ filter);
struct sos_mqtt_slice_ sos_mqtt_unshared_(struct sos_mqtt_slice_ filter);

/* Whether a valid topic name matches a valid filter, of a shared subscription or not. */
bool sos_mqtt_matches_(struct sos_mqtt_slice_ filter, struct sos_mqtt_slice_ topic);

/* ---- Topic aliases: 3.3.2.3.4 */

struct sos_mqtt_alias_ {
    uint32_t at;   /* where its topic stands in the bytes */
    uint16_t size; /* 0: none */
    uint32_t used; /* when it was last used, counted in uses */
};

/*
 * The aliases of one direction, in memory of the caller: entries for aliases 1 to `maximum`, and
 * bytes for all their topics together. A new connection begins with a table that is empty again
 * [MQTT-3.3.2-7]. The reader cannot know which aliases the writer will not use again: it needs
 * bytes for the longest topics of all of them at once, where the writer makes do with fewer.
 */
struct sos_mqtt_aliases_ {
    struct sos_mqtt_alias_ *entries;
    char *bytes;
    uint32_t capacity, filled; /* of bytes */
    uint32_t uses;
    uint16_t maximum;
};

void sos_mqtt_aliases_init_(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_alias_ *entries,
                            uint16_t maximum, char *bytes, uint32_t capacity);

/*
 * For a PUBLISH that was read: remembers its topic, or puts the one in that its alias stands for,
 * which stays until the next call. SOS_OK, SOS_EPROTO for an alias that is above the maximum or
 * unknown, SOS_ELIMIT when the topics take more bytes than there are.
 */
int sos_mqtt_alias_read_(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_publish_ *publish,
                         struct sos_mqtt_error_ *error);

/*
 * For a PUBLISH to be written, with its topic: gives it an alias, and an empty topic if the
 * receiver knows that alias already. The topic that was not used for longest loses its alias to a
 * new one. A topic larger than all the bytes gets none. A PUBLISH that was changed must be sent,
 * and those of one connection in the order in which they were.
 */
void sos_mqtt_alias_write_(struct sos_mqtt_aliases_ *aliases, struct sos_mqtt_publish_ *publish);

#endif
