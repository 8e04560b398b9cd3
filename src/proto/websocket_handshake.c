/* SPDX-License-Identifier: MIT */
#include "proto/websocket_handshake.h"

#include "proto/base64.h"
#include "proto/chars.h"
#include "proto/sha1.h"

void sos_ws_key_(char key[SOS_WS_KEY_LENGTH_ + 1], const uint8_t nonce[SOS_WS_NONCE_SIZE_])
{
    key[sos_base64_encode_(key, nonce, SOS_WS_NONCE_SIZE_)] = '\0';
}

void sos_ws_accept_(char accept[SOS_WS_ACCEPT_LENGTH_ + 1], const char key[SOS_WS_KEY_LENGTH_])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    char text[SOS_WS_KEY_LENGTH_ + sizeof guid - 1];
    uint8_t digest[SOS_SHA1_SIZE_];
    memcpy(text, key, SOS_WS_KEY_LENGTH_);
    memcpy(text + SOS_WS_KEY_LENGTH_, guid, sizeof guid - 1);
    sos_sha1_(text, sizeof text, digest);
    accept[sos_base64_encode_(accept, digest, sizeof digest)] = '\0';
}

/* ---- Lists of tokens */

void sos_ws_skip_(struct sos_slice_ *rest, bool commas)
{
    while (rest->length > 0 &&
           (*rest->at == ' ' || *rest->at == '\t' || (commas && *rest->at == ','))) {
        rest->at++;
        rest->length--;
    }
}

/*
 * Takes the next element off a list: 1 and the element, 0 at the end, SOS_EPROTO. An element of
 * Upgrade may be `name/version`; with `slash` it is one token.
 */
static int next_element(struct sos_slice_ *list, struct sos_slice_ *element, bool slash)
{
    sos_ws_skip_(list, true);
    if (list->length == 0)
        return 0;
    size_t size = 0;
    while (size < list->length &&
           (sos_char_is_(list->at[size], SOS_CHAR_TOKEN_) || (slash && list->at[size] == '/')))
        size++;
    *element = (struct sos_slice_){ list->at, size };
    list->at += size;
    list->length -= size;
    sos_ws_skip_(list, false);
    return size > 0 && (list->length == 0 || list->at[0] == ',') ? 1 : SOS_EPROTO;
}

bool sos_ws_list_has_(struct sos_slice_ list, struct sos_slice_ token)
{
    struct sos_slice_ element;
    while (next_element(&list, &element, false) > 0)
        if (sos_slice_equal_(element, token))
            return true;
    return false;
}

bool sos_ws_list_valid_(struct sos_slice_ list)
{
    struct sos_slice_ element;
    int status, count = 0;
    for (; (status = next_element(&list, &element, false)) > 0; count++)
        if (sos_ws_list_has_(list, element))
            return false;
    return status == 0 && count > 0;
}

/* The same for words of HTTP. */
static bool list_has_word(struct sos_slice_ list, const char *word)
{
    struct sos_slice_ element;
    while (next_element(&list, &element, true) > 0)
        if (sos_slice_is_caseless_(element, word))
            return true;
    return false;
}

/* ---- The answer */

void sos_ws_answer_init_(struct sos_ws_answer_ *answer, const char key[SOS_WS_KEY_LENGTH_],
                         struct sos_slice_ protocols, const struct sos_ws_deflate_ *deflate)
{
    memset(answer, 0, sizeof *answer);
    answer->offered_protocols = protocols;
    if (deflate != NULL)
        answer->offered_deflate = *deflate;
    sos_ws_accept_(answer->accept, key);
}

static int refuse_answer(struct sos_ws_answer_ *answer, const char *rule)
{
    if (answer->rule == NULL)
        answer->rule = rule;
    return SOS_EPROTO;
}

/* The protocol must be one that was offered, and is reported as it stands there. */
static bool choose_protocol(struct sos_ws_answer_ *answer, struct sos_slice_ value)
{
    struct sos_slice_ list = answer->offered_protocols;
    while (next_element(&list, &answer->protocol, false) > 0)
        if (sos_slice_equal_(answer->protocol, value))
            return true;
    answer->protocol = (struct sos_slice_){ NULL, 0 };
    return false;
}

int sos_ws_answer_field_(struct sos_ws_answer_ *answer, struct sos_slice_ name,
                         struct sos_slice_ value)
{
    if (answer->rule != NULL)
        return SOS_EPROTO;
    if (sos_slice_is_caseless_(name, "upgrade")) {
        answer->upgrade = sos_slice_is_caseless_(value, "websocket");
        if (!answer->upgrade)
            return refuse_answer(answer, "Upgrade is websocket (RFC 6455, 4.1)");
    } else if (sos_slice_is_caseless_(name, "connection")) {
        answer->connection |= list_has_word(value, "upgrade");
    } else if (sos_slice_is_caseless_(name, "sec-websocket-accept")) {
        struct sos_slice_ expected = { answer->accept, SOS_WS_ACCEPT_LENGTH_ };
        if (answer->accepted)
            return refuse_answer(answer, "Sec-WebSocket-Accept comes once (RFC 6455, 11.3.3)");
        if (!sos_slice_equal_(value, expected))
            return refuse_answer(answer, "Sec-WebSocket-Accept answers the key (RFC 6455, 4.1)");
        answer->accepted = true;
    } else if (sos_slice_is_caseless_(name, "sec-websocket-protocol")) {
        if (answer->protocol.at != NULL)
            return refuse_answer(answer, "Sec-WebSocket-Protocol comes once (RFC 6455, 11.3.4)");
        if (!choose_protocol(answer, value))
            return refuse_answer(answer, "Sec-WebSocket-Protocol was offered (RFC 6455, 4.1)");
    } else if (sos_slice_is_caseless_(name, "sec-websocket-extensions")) {
        const char *rule = sos_ws_deflate_agree_(&answer->deflate, &answer->offered_deflate, value);
        if (rule != NULL)
            return refuse_answer(answer, rule);
    }
    return SOS_OK;
}

int sos_ws_answer_end_(struct sos_ws_answer_ *answer, unsigned status)
{
    if (answer->rule != NULL)
        return SOS_EPROTO;
    if (status != 101)
        return refuse_answer(answer, "the status is 101 (RFC 6455, 4.1)");
    if (!answer->upgrade)
        return refuse_answer(answer, "there is an Upgrade field (RFC 6455, 4.1)");
    if (!answer->connection)
        return refuse_answer(answer, "Connection says upgrade (RFC 6455, 4.1)");
    if (!answer->accepted)
        return refuse_answer(answer, "there is a Sec-WebSocket-Accept field (RFC 6455, 4.1)");
    return SOS_OK;
}

/* ---- The request */

void sos_ws_request_init_(struct sos_ws_request_ *request, const struct sos_ws_deflate_ *deflate)
{
    memset(request, 0, sizeof *request);
    if (deflate != NULL)
        request->allowed_deflate = *deflate;
}

static int refuse_request(struct sos_ws_request_ *request, unsigned http_error, const char *rule)
{
    if (request->rule == NULL) {
        request->rule = rule;
        request->http_error = http_error;
    }
    return SOS_EPROTO;
}

/* 16 bytes in base 64. */
static bool is_key(struct sos_slice_ value)
{
    uint8_t nonce[SOS_BASE64_ROOM_(SOS_WS_KEY_LENGTH_)];
    size_t size;
    return value.length == SOS_WS_KEY_LENGTH_ &&
           sos_base64_decode_(nonce, &size, value.at, value.length) == SOS_OK &&
           size == SOS_WS_NONCE_SIZE_;
}

int sos_ws_request_field_(struct sos_ws_request_ *request, struct sos_slice_ name,
                          struct sos_slice_ value)
{
    if (request->rule != NULL)
        return SOS_EPROTO;
    if (sos_slice_is_caseless_(name, "host")) {
        if (request->host)
            return refuse_request(request, 400, "Host comes once (RFC 9112, 3.2)");
        request->host = true;
    } else if (sos_slice_is_caseless_(name, "upgrade")) {
        request->upgrade |= list_has_word(value, "websocket");
    } else if (sos_slice_is_caseless_(name, "connection")) {
        request->connection |= list_has_word(value, "upgrade");
    } else if (sos_slice_is_caseless_(name, "sec-websocket-key")) {
        if (request->keyed)
            return refuse_request(request, 400, "Sec-WebSocket-Key comes once (RFC 6455, 11.3.1)");
        if (!is_key(value))
            return refuse_request(request, 400,
                                  "Sec-WebSocket-Key is 16 bytes in base 64 (RFC 6455, 4.2.1)");
        memcpy(request->key, value.at, SOS_WS_KEY_LENGTH_);
        request->keyed = true;
    } else if (sos_slice_is_caseless_(name, "sec-websocket-version")) {
        request->wrong_version |= request->version || !sos_slice_is_caseless_(value, "13");
        request->version = true;
    } else if (sos_slice_is_caseless_(name, "sec-websocket-protocol")) {
        if (!sos_ws_list_valid_(value))
            return refuse_request(request, 400,
                                  "Sec-WebSocket-Protocol is a list of tokens (RFC 6455, 4.1)");
    } else if (sos_slice_is_caseless_(name, "sec-websocket-extensions")) {
        const char *rule = sos_ws_deflate_choose_(&request->deflate, &request->allowed_deflate,
                                                  value);
        if (rule != NULL)
            return refuse_request(request, 400, rule);
    }
    return SOS_OK;
}

int sos_ws_request_end_(struct sos_ws_request_ *request, struct sos_slice_ method, unsigned minor)
{
    static const struct sos_slice_ get = { "GET", 3 };
    if (request->rule != NULL)
        return SOS_EPROTO;
    if (!sos_slice_equal_(method, get))
        return refuse_request(request, 405, "the method is GET (RFC 6455, 4.2.1)");
    if (minor < 1)
        return refuse_request(request, 400, "HTTP is 1.1 or later (RFC 6455, 4.2.1)");
    if (!request->host)
        return refuse_request(request, 400, "there is a Host field (RFC 6455, 4.2.1)");
    if (!request->upgrade)
        return refuse_request(request, 426, "Upgrade says websocket (RFC 6455, 4.2.1)");
    if (!request->connection)
        return refuse_request(request, 400, "Connection says upgrade (RFC 6455, 4.2.1)");
    if (!request->version || request->wrong_version)
        return refuse_request(request, 426, "Sec-WebSocket-Version is 13 (RFC 6455, 4.2.1)");
    if (!request->keyed)
        return refuse_request(request, 400, "there is a Sec-WebSocket-Key (RFC 6455, 4.2.1)");
    return SOS_OK;
}
