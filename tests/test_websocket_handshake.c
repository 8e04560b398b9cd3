/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of WebSocket (RFC 6455, 4) and permessage-deflate (RFC 7692, 7) as text:
 * every test is named by the rule it holds.
 */
#include "check.h"

#include <stdbool.h>
#include <stdint.h>

#include "proto/websocket_handshake.h"

/* ---- What the tests share */

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ=="; /* RFC 6455, 1.3 */

#define UPGRADE "Upgrade: websocket\n"
#define CONNECTION "Connection: Upgrade\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"
#define ANSWER UPGRADE CONNECTION ACCEPT
#define HOST "Host: example.org\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
#define VERSION "Sec-WebSocket-Version: 13\n"
#define REQUEST HOST UPGRADE CONNECTION KEY VERSION

typedef int take_field(void *check, struct sos_slice_ name, struct sos_slice_ value);

/* Gives every "Name: value\n" of a text to a check, each in memory of its own. */
static void give(const char *fields, take_field *take, void *check)
{
    while (*fields != '\0') {
        const char *colon = strstr(fields, ": "), *end = strchr(fields, '\n');
        take(check, sos_slice_(fields, (size_t)(colon - fields)),
             sos_slice_(colon + 2, (size_t)(end - colon - 2)));
        fields = end + 1;
    }
}

static int take_answer_field(void *answer, struct sos_slice_ name, struct sos_slice_ value)
{
    return sos_ws_answer_field_(answer, name, value);
}

static int take_request_field(void *request, struct sos_slice_ name, struct sos_slice_ value)
{
    return sos_ws_request_field_(request, name, value);
}

static const struct sos_ws_deflate_ nothing, deflate = { .on = true };

/* The rule that is broken, or "" */
static const char *answer_with(struct sos_ws_answer_ *answer, const char *protocols,
                               const struct sos_ws_deflate_ *offer, unsigned status,
                               const char *fields)
{
    sos_ws_answer_init_(answer, key, sos_slice_text_(protocols), offer);
    give(fields, take_answer_field, answer);
    int result = sos_ws_answer_end_(answer, status);
    CHECK_INT(result, answer->rule == NULL ? SOS_OK : SOS_EPROTO);
    return answer->rule == NULL ? "" : answer->rule;
}

static const char *answered(const char *fields)
{
    struct sos_ws_answer_ answer;
    return answer_with(&answer, NULL, NULL, 101, fields);
}

/* The status to refuse with and the rule, or "" */
static const char *request_with(struct sos_ws_request_ *request, const char *method, unsigned minor,
                                const struct sos_ws_deflate_ *allows, const char *fields)
{
    static char text[200];
    sos_ws_request_init_(request, allows);
    give(fields, take_request_field, request);
    int result = sos_ws_request_end_(request, sos_slice_text_(method), minor);
    CHECK_INT(result, request->rule == NULL ? SOS_OK : SOS_EPROTO);
    text[0] = '\0';
    if (request->rule != NULL)
        snprintf(text, sizeof text, "%u %s", request->http_error, request->rule);
    return text;
}

static const char *requested(const char *fields)
{
    struct sos_ws_request_ request;
    return request_with(&request, "GET", 1, NULL, fields);
}

/* ---- Keys */

static void the_example_of_the_standard_holds(void)
{
    char text[SOS_WS_ACCEPT_LENGTH_ + 1];
    sos_ws_key_(text, (const uint8_t *)"the sample nonce");
    CHECK_TEXT(text, key);
    sos_ws_accept_(text, key);
    CHECK_TEXT(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* ---- The client (RFC 6455, 4.1) */

static void an_answer_has_upgrade_connection_and_accept(void)
{
    CHECK_TEXT(answered(ANSWER), "");
    CHECK_TEXT(answered("Server: x\n" ACCEPT CONNECTION UPGRADE), "");
    CHECK_TEXT(answered("upgrade: WebSocket\nCONNECTION: keep-alive, UPGRADE\n" ACCEPT), "");
    CHECK_TEXT(answered("Connection: keep-alive\n" ANSWER), "");
    CHECK_TEXT(answered(CONNECTION ACCEPT), "there is an Upgrade field (RFC 6455, 4.1)");
    CHECK_TEXT(answered(UPGRADE ACCEPT), "Connection says upgrade (RFC 6455, 4.1)");
    CHECK_TEXT(answered(UPGRADE CONNECTION),
               "there is a Sec-WebSocket-Accept field (RFC 6455, 4.1)");
    CHECK_TEXT(answered("Upgrade: h2c\n" CONNECTION ACCEPT),
               "Upgrade is websocket (RFC 6455, 4.1)");
    CHECK_TEXT(answered("Connection: upgrades\n" UPGRADE ACCEPT),
               "Connection says upgrade (RFC 6455, 4.1)");
}

static void the_status_is_101(void)
{
    struct sos_ws_answer_ answer;
    CHECK_TEXT(answer_with(&answer, NULL, NULL, 200, ANSWER), "the status is 101 (RFC 6455, 4.1)");
}

static void accept_answers_the_key_once(void)
{
    static const char rule[] = "Sec-WebSocket-Accept answers the key (RFC 6455, 4.1)";
    CHECK_TEXT(answered(UPGRADE "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\n" CONNECTION),
               rule);
    CHECK_TEXT(answered("Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\n"), rule);
    CHECK_TEXT(answered("Sec-WebSocket-Accept: \n"), rule);
    CHECK_TEXT(answered(ANSWER ACCEPT), "Sec-WebSocket-Accept comes once (RFC 6455, 11.3.3)");
}

static void the_protocol_was_offered(void)
{
    struct sos_ws_answer_ answer;
    static const char rule[] = "Sec-WebSocket-Protocol was offered (RFC 6455, 4.1)";
    static const char chat[] = ANSWER "Sec-WebSocket-Protocol: chat\n";
    static const char offered[] = "superchat, chat,v2";
    CHECK_TEXT(answer_with(&answer, offered, NULL, 101, chat), "");
    CHECK(answer.protocol.at == offered + 11 && answer.protocol.length == 4);
    CHECK_TEXT(answer_with(&answer, "chat", NULL, 101, ANSWER), "");
    CHECK(answer.protocol.at == NULL);
    CHECK_TEXT(answer_with(&answer, NULL, NULL, 101, chat), rule);
    CHECK_TEXT(answer_with(&answer, "superchat, Chat", NULL, 101, chat), rule);
    CHECK_TEXT(
        answer_with(&answer, offered, NULL, 101, ANSWER "Sec-WebSocket-Protocol: chat, v2\n"),
        rule);
    CHECK_TEXT(answer_with(&answer, offered, NULL, 101,
                           ANSWER "Sec-WebSocket-Protocol: chat\nSec-WebSocket-Protocol: chat\n"),
               "Sec-WebSocket-Protocol comes once (RFC 6455, 11.3.4)");
}

/* ---- The server (RFC 6455, 4.2.1) */

static void a_request_has_all_that_the_standard_asks_for(void)
{
    struct sos_ws_request_ request;
    CHECK_TEXT(request_with(&request, "GET", 1, NULL, REQUEST), "");
    CHECK(memcmp(request.key, key, SOS_WS_KEY_LENGTH_) == 0);
    CHECK_TEXT(requested(HOST VERSION KEY
                         "Upgrade: h2c, WebSocket/13, websocket\n"
                         "Connection: keep-alive, upgrade\nOrigin: https://example.org\n"),
               "");
    CHECK_TEXT(requested(UPGRADE CONNECTION KEY VERSION),
               "400 there is a Host field (RFC 6455, 4.2.1)");
    CHECK_TEXT(requested(HOST CONNECTION KEY VERSION),
               "426 Upgrade says websocket (RFC 6455, 4.2.1)");
    CHECK_TEXT(requested(HOST UPGRADE KEY VERSION),
               "400 Connection says upgrade (RFC 6455, 4.2.1)");
    CHECK_TEXT(requested(HOST UPGRADE CONNECTION VERSION),
               "400 there is a Sec-WebSocket-Key (RFC 6455, 4.2.1)");
    CHECK_TEXT(requested(REQUEST HOST), "400 Host comes once (RFC 9112, 3.2)");
    CHECK_TEXT(requested(REQUEST KEY), "400 Sec-WebSocket-Key comes once (RFC 6455, 11.3.1)");
    CHECK_TEXT(request_with(&request, "POST", 1, NULL, REQUEST),
               "405 the method is GET (RFC 6455, 4.2.1)");
    CHECK_TEXT(request_with(&request, "get", 1, NULL, REQUEST),
               "405 the method is GET (RFC 6455, 4.2.1)");
    CHECK_TEXT(request_with(&request, "GET", 0, NULL, REQUEST),
               "400 HTTP is 1.1 or later (RFC 6455, 4.2.1)");
}

static void another_version_is_told_which_one_there_is(void)
{
    static const char rule[] = "426 Sec-WebSocket-Version is 13 (RFC 6455, 4.2.1)";
    CHECK_TEXT(requested(HOST UPGRADE CONNECTION KEY), rule);
    CHECK_TEXT(requested(HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\n"), rule);
    CHECK_TEXT(requested(HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 013\n"), rule);
    CHECK_TEXT(requested(REQUEST VERSION), rule);
}

static void a_key_is_16_bytes_in_base_64(void)
{
    static const char *wrong[] = { "",
                                   "dGhlIHNhbXBsZSBub25jZQ",
                                   "dGhlIHNhbXBsZSBub25jZQ=",
                                   "dGhlIHNhbXBsZSBub25jZR==",
                                   "dGhlIHNhbXBsZSBub25jZTEy",
                                   "dGhlIHNhbXBsZSBub25jZTE=",
                                   "dGhlIHNhbXBs*SBub25jZQ==" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char field[100];
        snprintf(field, sizeof field, "Sec-WebSocket-Key: %s\n", wrong[i]);
        CHECK_TEXT(requested(field),
                   "400 Sec-WebSocket-Key is 16 bytes in base 64 (RFC 6455, 4.2.1)");
    }
}

static void protocols_are_a_list_of_tokens(void)
{
    static const char rule[] = "400 Sec-WebSocket-Protocol is a list of tokens (RFC 6455, 4.1)";
    CHECK_TEXT(requested(REQUEST "Sec-WebSocket-Protocol: chat, v2.example\n"), "");
    CHECK_TEXT(requested(REQUEST "Sec-WebSocket-Protocol: ,chat ,, v2 ,\n"), "");
    CHECK_TEXT(requested(REQUEST "Sec-WebSocket-Protocol: \n"), rule);
    CHECK_TEXT(requested(REQUEST "Sec-WebSocket-Protocol: a b\n"), rule);
    CHECK_TEXT(requested(REQUEST "Sec-WebSocket-Protocol: a/b\n"), rule);
    CHECK_TEXT(requested(REQUEST "Sec-WebSocket-Protocol: a, b, a\n"), rule);
    CHECK(sos_ws_list_has_(sos_slice_text_("a, b,c"), sos_slice_text_("c")));
    CHECK(!sos_ws_list_has_(sos_slice_text_("a, b,cc"), sos_slice_text_("c")));
    CHECK(!sos_ws_list_has_(sos_slice_text_("C"), sos_slice_text_("c")));
    CHECK(!sos_ws_list_has_(sos_slice_text_(NULL), sos_slice_text_("c")));
}

/* ---- permessage-deflate (RFC 7692, 7) */

static const char *written(const struct sos_ws_deflate_ *settings)
{
    static char text[SOS_WS_DEFLATE_ROOM_];
    size_t length = sos_ws_deflate_answer_(text, settings);
    CHECK_INT(length, strlen(text));
    return text;
}

/* What is agreed, written as an answer, or the rule that is broken. */
static const char *agree(const struct sos_ws_deflate_ *offer, const char *value)
{
    struct sos_ws_deflate_ agreed = nothing;
    const char *rule = sos_ws_deflate_agree_(&agreed, offer, sos_slice_text_(value));
    return rule != NULL ? rule : written(&agreed);
}

static const char *choose(const struct sos_ws_deflate_ *allows, const char *value)
{
    struct sos_ws_deflate_ agreed = nothing;
    const char *rule = sos_ws_deflate_choose_(&agreed, allows, sos_slice_text_(value));
    return rule != NULL ? rule : written(&agreed);
}

static void an_offer_names_what_is_wanted(void)
{
    char text[SOS_WS_DEFLATE_ROOM_];
    const struct sos_ws_deflate_ most = { true, true, true, 10, 15 };
    CHECK_INT(sos_ws_deflate_offer_(text, &nothing), 0);
    CHECK_TEXT(text, "");
    CHECK_INT(sos_ws_deflate_offer_(text, &deflate), 42);
    CHECK_TEXT(text, "permessage-deflate; client_max_window_bits");
    sos_ws_deflate_offer_(text, &most);
    CHECK_TEXT(text, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                     "server_max_window_bits=10; client_max_window_bits=15");
    CHECK_TEXT(choose(&deflate, text), text);
}

static void an_answer_stays_within_the_offer(void)
{
    const struct sos_ws_deflate_ small = { true, true, false, 10, 12 };
    CHECK_TEXT(agree(&deflate, ""), "");
    CHECK_TEXT(agree(&deflate, "permessage-deflate"), "permessage-deflate");
    CHECK_TEXT(agree(&deflate, "permessage-deflate; client_max_window_bits=9;"
                               "server_max_window_bits=\"8\" ; client_no_context_takeover"),
               "permessage-deflate; client_no_context_takeover; server_max_window_bits=8; "
               "client_max_window_bits=9");
    CHECK_TEXT(agree(&small, "permessage-deflate; server_no_context_takeover; "
                             "server_max_window_bits=10"),
               "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; "
               "client_max_window_bits=12");
    CHECK_TEXT(agree(&small, "permessage-deflate; server_max_window_bits=10"),
               "server_no_context_takeover is taken with the offer (RFC 7692, 7.1.1.1)");
    CHECK_TEXT(agree(&small, "permessage-deflate; server_no_context_takeover"),
               "server_max_window_bits is at most what was offered (RFC 7692, 7.1.2.1)");
    CHECK_TEXT(agree(&small, "permessage-deflate; server_no_context_takeover; "
                             "server_max_window_bits=11"),
               "server_max_window_bits is at most what was offered (RFC 7692, 7.1.2.1)");
    CHECK_TEXT(agree(&small, "permessage-deflate; server_no_context_takeover; "
                             "server_max_window_bits=9; client_max_window_bits=13"),
               "client_max_window_bits is at most what was offered (RFC 7692, 7.1.2.2)");
    CHECK_TEXT(agree(&deflate, "permessage-deflate; client_max_window_bits"),
               "client_max_window_bits has a value in an answer (RFC 7692, 7.1.2.2)");
}

static void an_extension_was_offered(void)
{
    static const char rule[] = "an extension was offered (RFC 6455, 4.1)";
    struct sos_ws_answer_ answer;
    CHECK_TEXT(agree(&nothing, "permessage-deflate"), rule);
    CHECK_TEXT(agree(&deflate, "x-other"), rule);
    CHECK_TEXT(agree(&deflate, "permessage-deflate, x-other"), rule);
    CHECK_TEXT(agree(&deflate, "permessage-deflate, permessage-deflate"),
               "permessage-deflate is agreed on once (RFC 7692, 5)");
    CHECK_TEXT(answered(ANSWER "Sec-WebSocket-Extensions: permessage-deflate\n"), rule);
    CHECK_TEXT(answer_with(&answer, NULL, &deflate, 101,
                           ANSWER "Sec-WebSocket-Extensions: permessage-deflate\n"),
               "");
    CHECK(answer.deflate.on);
}

static const char *const bad_parameters[][2] = {
    { "permessage-deflate; x=1", "a parameter is one of RFC 7692, 7.1" },
    { "permessage-deflate; server_max_window_bits",
      "..._max_window_bits is 8 to 15 (RFC 7692, 7.1.2)" },
    { "permessage-deflate; server_max_window_bits=7",
      "..._max_window_bits is 8 to 15 (RFC 7692, 7.1.2)" },
    { "permessage-deflate; server_max_window_bits=16",
      "..._max_window_bits is 8 to 15 (RFC 7692, 7.1.2)" },
    { "permessage-deflate; server_max_window_bits=08",
      "..._max_window_bits is 8 to 15 (RFC 7692, 7.1.2)" },
    { "permessage-deflate; client_max_window_bits=100000",
      "..._max_window_bits is 8 to 15 (RFC 7692, 7.1.2)" },
    { "permessage-deflate; server_no_context_takeover=1",
      "..._no_context_takeover has no value (RFC 7692, 7.1.1)" },
    { "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
      "a parameter comes once (RFC 7692, 7)" },
    { "permessage-deflate; client_max_window_bits=9; client_max_window_bits",
      "a parameter comes once (RFC 7692, 7)" },
    { "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
      "a parameter comes once (RFC 7692, 7)" },
};

/* The client refuses the connection, the server only the offer. */
static void a_parameter_is_one_of_the_standard(void)
{
    for (size_t i = 0; i < sizeof bad_parameters / sizeof *bad_parameters; i++) {
        char text[200];
        CHECK_TEXT(agree(&deflate, bad_parameters[i][0]), bad_parameters[i][1]);
        CHECK_TEXT(choose(&deflate, bad_parameters[i][0]), "");
        snprintf(text, sizeof text, "x-a; b=\"c\", %s, permessage-deflate", bad_parameters[i][0]);
        CHECK_TEXT(choose(&deflate, text), "permessage-deflate");
    }
}

static void extensions_are_a_list(void)
{
    static const char *wrong[] = { "permessage-deflate;",
                                   ";",
                                   "permessage-deflate x",
                                   "permessage-deflate; a=",
                                   "permessage-deflate; a=\"b",
                                   "permessage-deflate; a=\"b\"c",
                                   "permessage-deflate; a=\"\"",
                                   "permessage-deflate; a=\"b c\"",
                                   "permessage-deflate; a=\"b\\",
                                   "permessage-deflate=1",
                                   "\x80",
                                   "permessage-deflate; =1" };
    struct sos_ws_request_ request;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *rule = "Sec-WebSocket-Extensions is a list (RFC 6455, 9.1)";
        CHECK_TEXT(choose(&deflate, wrong[i]), rule);
        CHECK_TEXT(agree(&deflate, wrong[i]), rule);
    }
    CHECK_TEXT(request_with(&request, "GET", 1, &deflate, REQUEST "Sec-WebSocket-Extensions: ;\n"),
               "400 Sec-WebSocket-Extensions is a list (RFC 6455, 9.1)");
    CHECK_TEXT(choose(&deflate, " , permessage-deflate ;server_max_window_bits = \"1\\2\",,"),
               "permessage-deflate; server_max_window_bits=12");
}

static void a_server_takes_the_first_offer_it_can_serve(void)
{
    const struct sos_ws_deflate_ small = { true, true, false, 11, 12 };
    CHECK_TEXT(choose(&nothing, "permessage-deflate"), "");
    CHECK_TEXT(choose(&deflate, "x-other"), "");
    CHECK_TEXT(choose(&deflate, "permessage-deflate; server_max_window_bits=9, permessage-deflate"),
               "permessage-deflate; server_max_window_bits=9");
    CHECK_TEXT(choose(&deflate, "permessage-deflate; client_max_window_bits"),
               "permessage-deflate");
    CHECK_TEXT(choose(&small, "permessage-deflate, permessage-deflate; client_max_window_bits"),
               "permessage-deflate; server_no_context_takeover; server_max_window_bits=11; "
               "client_max_window_bits=12");
    CHECK_TEXT(
        choose(&small, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=8"),
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=8; "
        "client_max_window_bits=9");
    struct sos_ws_request_ request;
    CHECK_TEXT(request_with(&request, "GET", 1, &deflate,
                            REQUEST "Sec-WebSocket-Extensions: x-other\n"
                                    "Sec-WebSocket-Extensions: permessage-deflate\n"),
               "");
    CHECK(request.deflate.on);
}

int main(void)
{
    the_example_of_the_standard_holds();
    an_answer_has_upgrade_connection_and_accept();
    the_status_is_101();
    accept_answers_the_key_once();
    the_protocol_was_offered();
    a_request_has_all_that_the_standard_asks_for();
    another_version_is_told_which_one_there_is();
    a_key_is_16_bytes_in_base_64();
    protocols_are_a_list_of_tokens();
    an_offer_names_what_is_wanted();
    an_answer_stays_within_the_offer();
    an_extension_was_offered();
    a_parameter_is_one_of_the_standard();
    extensions_are_a_list();
    a_server_takes_the_first_offer_it_can_serve();
    return 0;
}
