/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of WebSocket (RFC 6455, 4) and the agreement on permessage-deflate
 * (RFC 7692, 7), as far as they are text: nothing here knows how HTTP is read or written. Whoever
 * does gives every header field to the check of his role, in any order, and asks it at the end.
 */
#ifndef SMALLOS_PROTO_WEBSOCKET_HANDSHAKE_H
#define SMALLOS_PROTO_WEBSOCKET_HANDSHAKE_H

#include "proto/slice.h"
#include "proto/syntax.h"

enum { SOS_WS_KEY_LENGTH_ = 24, SOS_WS_ACCEPT_LENGTH_ = 28, SOS_WS_NONCE_SIZE_ = 16 };

/* The value of Sec-WebSocket-Key from 16 random bytes (4.1), with a NUL. */
void sos_ws_key_(char key[SOS_WS_KEY_LENGTH_ + 1], const uint8_t nonce[SOS_WS_NONCE_SIZE_]);

/* The value of Sec-WebSocket-Accept that answers a key (4.2.2, step 5.4), with a NUL. */
void sos_ws_accept_(char accept[SOS_WS_ACCEPT_LENGTH_ + 1], const char key[SOS_WS_KEY_LENGTH_]);

/* Whether a comma-separated list of tokens has this one (in the same case). */
bool sos_ws_list_has_(struct sos_slice_ list, struct sos_slice_ token);

/* Whether the text is such a list (RFC 9110, 5.6.1), with one token at least and none twice. */
bool sos_ws_list_valid_(struct sos_slice_ list);

/* Takes white space off the front of the rest of a list, and commas too if asked to: what may stand
 * between two elements, empty ones included. */
void sos_ws_skip_(struct sos_slice_ *rest, bool commas);

/* ---- permessage-deflate */

/*
 * What a side wants, or what is agreed. Window bits are 8 to 15; as zlib has no raw deflate with a
 * window of 8, whoever compresses should ask for 9 and more.
 */
struct sos_ws_deflate_ {
    bool on;
    bool server_no_context, client_no_context; /* ..._no_context_takeover */
    uint8_t server_bits, client_bits;          /* ..._max_window_bits; 0: 15, not mentioned */
};

enum { SOS_WS_DEFLATE_ROOM_ = 160 };

/*
 * The client's offer as a value of Sec-WebSocket-Extensions, with a NUL; empty if it is not `on`.
 * client_max_window_bits is always offered, without a value if client_bits is 0. Answers the length.
 */
size_t sos_ws_deflate_offer_(char text[SOS_WS_DEFLATE_ROOM_], const struct sos_ws_deflate_ *offer);

/* What the server answers to an offer that it took, written in the same way. */
size_t sos_ws_deflate_answer_(char text[SOS_WS_DEFLATE_ROOM_],
                              const struct sos_ws_deflate_ *agreed);

/*
 * The client reads a value of Sec-WebSocket-Extensions. Answers NULL and *agreed, or the rule that
 * it breaks: another extension, a parameter that may not be there or is missing (RFC 7692, 7.1).
 * *agreed is off before the first value.
 */
const char *sos_ws_deflate_agree_(struct sos_ws_deflate_ *agreed,
                                  const struct sos_ws_deflate_ *offer, struct sos_slice_ value);

/*
 * The server reads a value of Sec-WebSocket-Extensions and takes the first offer that it can serve
 * within what it `allows`; others, and what it does not know, are declined without a word. The same
 * return; *agreed is off before the first value, and stays off if no offer is taken.
 */
const char *sos_ws_deflate_choose_(struct sos_ws_deflate_ *agreed,
                                   const struct sos_ws_deflate_ *allows, struct sos_slice_ value);

/* ---- The client checks the answer (4.1, from "once the client's opening handshake is sent") */

struct sos_ws_answer_ {
    const char *rule;               /* that was broken; NULL: none */
    struct sos_slice_ protocol;     /* the chosen one, as it stands in the offer */
    struct sos_ws_deflate_ deflate; /* as agreed */
    struct sos_slice_ offered_protocols;
    struct sos_ws_deflate_ offered_deflate;
    char accept[SOS_WS_ACCEPT_LENGTH_ + 1];
    bool upgrade, connection, accepted;
};

/*
 * `protocols` is the value of Sec-WebSocket-Protocol that was sent (none: NULL) and is kept;
 * `deflate` what was offered, NULL if nothing.
 */
void sos_ws_answer_init_(struct sos_ws_answer_ *answer, const char key[SOS_WS_KEY_LENGTH_],
                         struct sos_slice_ protocols, const struct sos_ws_deflate_ *deflate);

/* One header field, white space around its value removed. SOS_OK, or SOS_EPROTO and ->rule. */
int sos_ws_answer_field_(struct sos_ws_answer_ *answer, struct sos_slice_ name,
                         struct sos_slice_ value);

/* All fields are there. Any status but 101 is an answer of HTTP and no broken rule of WebSocket:
 * look at the status before. */
int sos_ws_answer_end_(struct sos_ws_answer_ *answer, unsigned status);

/* ---- The server checks the request (4.2.1) */

struct sos_ws_request_ {
    const char *rule;    /* that was broken; NULL: none */
    unsigned http_error; /* status to refuse it with: 400, 405, or 426, which takes the header
                          * fields `Upgrade: websocket` and `Sec-WebSocket-Version: 13` */
    struct sos_ws_deflate_ deflate; /* what is agreed, if an offer was taken */
    struct sos_ws_deflate_ allowed_deflate;
    char key[SOS_WS_KEY_LENGTH_];
    bool host, upgrade, connection, keyed, version, wrong_version;
};

/* `deflate` is what the server can do, NULL if nothing. */
void sos_ws_request_init_(struct sos_ws_request_ *request, const struct sos_ws_deflate_ *deflate);

/* One header field, as above. What Origin and Sec-WebSocket-Protocol say is the server's affair;
 * sos_ws_list_has_ helps it to choose. */
int sos_ws_request_field_(struct sos_ws_request_ *request, struct sos_slice_ name,
                          struct sos_slice_ value);

/* All fields are there. `minor` is that of HTTP/1.minor. */
int sos_ws_request_end_(struct sos_ws_request_ *request, struct sos_slice_ method, unsigned minor);

#endif
