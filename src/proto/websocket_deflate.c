/* SPDX-License-Identifier: MIT */
/* The agreement on permessage-deflate (RFC 7692, 7): one reader of extensions, for both roles. */
#include "proto/websocket_handshake.h"

#include "proto/chars.h"

/* ---- Writing */

static char *append(char *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out, text, length + 1);
    return out + length;
}

static char *append_bits(char *out, const char *name, unsigned bits)
{
    char digits[3] = { (char)('0' + bits / 10), (char)('0' + bits % 10), '\0' };
    out = append(append(out, name), "=");
    return append(out, bits < 10 ? digits + 1 : digits);
}

static char *append_common(char *out, const struct sos_ws_deflate_ *deflate)
{
    out = append(out, "permessage-deflate");
    if (deflate->server_no_context)
        out = append(out, "; server_no_context_takeover");
    if (deflate->client_no_context)
        out = append(out, "; client_no_context_takeover");
    if (deflate->server_bits != 0)
        out = append_bits(out, "; server_max_window_bits", deflate->server_bits);
    if (deflate->client_bits != 0)
        out = append_bits(out, "; client_max_window_bits", deflate->client_bits);
    return out;
}

size_t sos_ws_deflate_answer_(char text[SOS_WS_DEFLATE_ROOM_], const struct sos_ws_deflate_ *agreed)
{
    text[0] = '\0';
    return agreed->on ? (size_t)(append_common(text, agreed) - text) : 0;
}

size_t sos_ws_deflate_offer_(char text[SOS_WS_DEFLATE_ROOM_], const struct sos_ws_deflate_ *offer)
{
    text[0] = '\0';
    if (!offer->on)
        return 0;
    char *end = append_common(text, offer);
    if (offer->client_bits == 0)
        end = append(end, "; client_max_window_bits");
    return (size_t)(end - text);
}

/* ---- Reading: extension *( "," extension ), extension = token *( ";" parameter ) */

/* A name, and a value if there is one; the value of a quoted string is what it says. */
struct word {
    struct sos_slice_ name;
    bool valued;
    char value[4]; /* longer ones than 3 are none that we know: they are cut */
    size_t length;
};

static struct sos_slice_ read_token(struct sos_slice_ *rest)
{
    struct sos_slice_ token = { rest->at, 0 };
    while (token.length < rest->length && sos_char_is_(rest->at[token.length], SOS_CHAR_TOKEN_))
        token.length++;
    rest->at += token.length;
    rest->length -= token.length;
    return token;
}

static bool read_character(struct sos_slice_ *rest, char *c)
{
    if (rest->length == 0)
        return false;
    *c = *rest->at++;
    rest->length--;
    return true;
}

static void add_to_value(struct word *word, char c)
{
    if (word->length < sizeof word->value)
        word->value[word->length] = c;
    word->length++;
}

/* A token, also within quotes (RFC 6455, 9.1). */
static bool read_value(struct sos_slice_ *rest, struct word *word)
{
    char c;
    word->valued = true;
    if (rest->length == 0 || *rest->at != '"') {
        struct sos_slice_ token = read_token(rest);
        for (size_t i = 0; i < token.length; i++)
            add_to_value(word, token.at[i]);
        return token.length > 0;
    }
    read_character(rest, &c);
    for (;;) {
        if (!read_character(rest, &c))
            return false;
        if (c == '"')
            return word->length > 0;
        if (c == '\\' && !read_character(rest, &c))
            return false;
        if (!sos_char_is_(c, SOS_CHAR_TOKEN_))
            return false;
        add_to_value(word, c);
    }
}

static bool read_word(struct sos_slice_ *rest, struct word *word)
{
    *word = (struct word){ .name = read_token(rest) };
    sos_ws_skip_(rest, false);
    if (word->name.length == 0)
        return false;
    if (rest->length > 0 && *rest->at == '=') {
        rest->at++;
        rest->length--;
        sos_ws_skip_(rest, false);
        if (!read_value(rest, word))
            return false;
        sos_ws_skip_(rest, false);
    }
    return rest->length == 0 || *rest->at == ';' || *rest->at == ',';
}

/* An extension as it was written. */
struct extension {
    bool deflate;     /* it is permessage-deflate */
    const char *rule; /* that its parameters break; NULL: none */
    struct sos_ws_deflate_ asks;
    bool client_bits; /* client_max_window_bits is there, with a value or without */
};

/* 8 to 15, without a leading zero (RFC 7692, 7.1.2); 0: it is none of these. */
static uint8_t window_bits(const struct word *word)
{
    const char *digits = word->value;
    if (word->length == 1 && (digits[0] == '8' || digits[0] == '9'))
        return (uint8_t)(digits[0] - '0');
    if (word->length == 2 && digits[0] == '1' && digits[1] >= '0' && digits[1] <= '5')
        return (uint8_t)(10 + digits[1] - '0');
    return 0;
}

static const char *take_flag(bool *flag, const struct word *word)
{
    if (*flag)
        return "a parameter comes once (RFC 7692, 7)";
    *flag = true;
    return word->valued ? "..._no_context_takeover has no value (RFC 7692, 7.1.1)" : NULL;
}

static const char *take_bits(uint8_t *bits, const struct word *word)
{
    if (*bits != 0)
        return "a parameter comes once (RFC 7692, 7)";
    *bits = window_bits(word);
    return *bits == 0 ? "..._max_window_bits is 8 to 15 (RFC 7692, 7.1.2)" : NULL;
}

static const char *take_parameter(struct extension *extension, const struct word *word)
{
    struct sos_ws_deflate_ *asks = &extension->asks;
    if (sos_slice_is_(word->name, "server_no_context_takeover"))
        return take_flag(&asks->server_no_context, word);
    if (sos_slice_is_(word->name, "client_no_context_takeover"))
        return take_flag(&asks->client_no_context, word);
    if (sos_slice_is_(word->name, "server_max_window_bits"))
        return take_bits(&asks->server_bits, word);
    if (!sos_slice_is_(word->name, "client_max_window_bits"))
        return "a parameter is one of RFC 7692, 7.1";
    if (extension->client_bits)
        return "a parameter comes once (RFC 7692, 7)";
    extension->client_bits = true;
    return word->valued ? take_bits(&asks->client_bits, word) : NULL;
}

/* Takes the next extension off the list: 1, 0 at the end, SOS_EPROTO. */
static int next_extension(struct sos_slice_ *list, struct extension *extension)
{
    struct word word;
    *extension = (struct extension){ 0 };
    sos_ws_skip_(list, true);
    if (list->length == 0)
        return 0;
    if (!read_word(list, &word) || word.valued)
        return SOS_EPROTO;
    extension->deflate = sos_slice_is_(word.name, "permessage-deflate");
    while (list->length > 0 && *list->at == ';') {
        list->at++;
        list->length--;
        sos_ws_skip_(list, false);
        if (!read_word(list, &word))
            return SOS_EPROTO;
        if (extension->deflate && extension->rule == NULL)
            extension->rule = take_parameter(extension, &word);
    }
    return 1;
}

static const char malformed[] = "Sec-WebSocket-Extensions is a list (RFC 6455, 9.1)";

/* ---- The client */

static const char *check_answer(const struct extension *extension,
                                const struct sos_ws_deflate_ *offer)
{
    const struct sos_ws_deflate_ *asks = &extension->asks;
    if (!extension->deflate || !offer->on)
        return "an extension was offered (RFC 6455, 4.1)";
    if (extension->rule != NULL)
        return extension->rule;
    if (offer->server_no_context && !asks->server_no_context)
        return "server_no_context_takeover is taken with the offer (RFC 7692, 7.1.1.1)";
    if (offer->server_bits != 0 &&
        (asks->server_bits == 0 || asks->server_bits > offer->server_bits))
        return "server_max_window_bits is at most what was offered (RFC 7692, 7.1.2.1)";
    if (extension->client_bits && asks->client_bits == 0)
        return "client_max_window_bits has a value in an answer (RFC 7692, 7.1.2.2)";
    if (offer->client_bits != 0 && asks->client_bits > offer->client_bits)
        return "client_max_window_bits is at most what was offered (RFC 7692, 7.1.2.2)";
    return NULL;
}

const char *sos_ws_deflate_agree_(struct sos_ws_deflate_ *agreed,
                                  const struct sos_ws_deflate_ *offer, struct sos_slice_ value)
{
    struct extension extension;
    int status;
    while ((status = next_extension(&value, &extension)) > 0) {
        const char *rule = check_answer(&extension, offer);
        if (rule == NULL && agreed->on)
            rule = "permessage-deflate is agreed on once (RFC 7692, 5)";
        if (rule != NULL)
            return rule;
        *agreed = extension.asks;
        agreed->on = true;
        agreed->client_no_context |= offer->client_no_context;
        if (agreed->client_bits == 0)
            agreed->client_bits = offer->client_bits;
    }
    return status < 0 ? malformed : NULL;
}

/* ---- The server */

static uint8_t smaller_bits(uint8_t a, uint8_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* What is answered to an offer; off if it cannot be served. */
static struct sos_ws_deflate_ serve(const struct extension *extension,
                                    const struct sos_ws_deflate_ *allows)
{
    struct sos_ws_deflate_ answer = extension->asks;
    answer.on = allows->on && extension->deflate && extension->rule == NULL;
    answer.server_no_context |= allows->server_no_context;
    answer.client_no_context |= allows->client_no_context;
    answer.server_bits = smaller_bits(answer.server_bits, allows->server_bits);
    if (extension->client_bits)
        answer.client_bits = smaller_bits(answer.client_bits, allows->client_bits);
    else if (allows->client_bits != 0)
        answer.on = false; /* its window cannot be made smaller, and ours is not as large */
    return answer;
}

const char *sos_ws_deflate_choose_(struct sos_ws_deflate_ *agreed,
                                   const struct sos_ws_deflate_ *allows, struct sos_slice_ value)
{
    struct extension extension;
    int status;
    while ((status = next_extension(&value, &extension)) > 0)
        if (!agreed->on)
            *agreed = serve(&extension, allows);
    if (!agreed->on)
        *agreed = (struct sos_ws_deflate_){ 0 };
    return status < 0 ? malformed : NULL;
}
