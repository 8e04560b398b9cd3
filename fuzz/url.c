/* SPDX-License-Identifier: MIT */
/*
 * Any bytes, up to the first LF as a URL and the rest as a reference from it; all of them as the path
 * of a file, too. What is accepted has the parts that make it up again, a resolved URL is a URL, and
 * no path leaves its folder.
 */
#include "proto/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int condition)
{
    if (!condition)
        abort();
}

enum { ROOM = 8192 };

static void check_path(struct sos_slice_ path)
{
    char *room = malloc(path.length + 1);
    must(room != NULL);
    int length = sos_url_file_path_(path, room, path.length);
    must(length != SOS_ELIMIT && length != 0);
    if (length > 0) {
        room[length] = '\0';
        must(room[0] == '/' && strlen(room) == (size_t)length);
        must(strstr(room, "//") == NULL && strstr(room, "/../") == NULL &&
             strstr(room, "/./") == NULL && strchr(room, '\\') == NULL);
        must(length < 3 || strcmp(room + length - 3, "/..") != 0);
    }
    free(room);
}

static void check_parts(const struct sos_url_ *url, struct sos_slice_ text)
{
    size_t length = strlen(sos_url_scheme_name_(url->scheme)) + 1 + url->authority.length +
                    url->target.length + (url->has_fragment ? 1 + url->fragment.length : 0);
    must(text.length == length + 2 || (url->scheme == SOS_URL_UNIX_ && text.length == length));
    must(url->scheme == SOS_URL_UNIX_ ? url->host.length == 0 : url->host.length > 0);
    must((url->port != 0) == (url->scheme != SOS_URL_UNIX_));
    char host[300 + 64];
    int written = sos_url_write_host_(url, host, sizeof host);
    must(url->scheme == SOS_URL_UNIX_ || written > 0);
    must(url->scheme == SOS_URL_UNIX_ ||
         sos_url_is_host_port_(sos_slice_(host, (size_t)written), false));
}

static void check_resolved(const struct sos_url_ *base, struct sos_slice_ reference)
{
    static char once[ROOM], twice[ROOM];
    struct sos_url_ url;
    int length = sos_url_resolve_(base, reference, once, sizeof once);
    if (length < 0)
        return;
    struct sos_slice_ result = sos_slice_(once, (size_t)length);
    must(sos_url_parse_(&url, result, NULL) == SOS_OK);
    check_parts(&url, result);
    int again = sos_url_resolve_(base, result, twice, sizeof twice);
    must(again > 0 && again <= length); /* shorter by the . and .. of a base that stood in it */
}

static void check_text(struct sos_slice_ text)
{
    static char encoded[3 * ROOM], decoded[3 * ROOM];
    if (text.length > ROOM)
        return;
    int length = sos_url_encode_(text, SOS_URL_QUERY_, encoded, sizeof encoded);
    must(length >= 0);
    must(sos_url_decode_(sos_slice_(encoded, (size_t)length), true, decoded, sizeof decoded) ==
         (int)text.length);
    must(memcmp(decoded, text.at, text.length) == 0);
    struct sos_slice_ rest = text, key, value;
    while (sos_url_query_next_(&rest, &key, &value))
        sos_url_decode_(value, true, decoded, sizeof decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sos_slice_ text = sos_slice_((const char *)data, size), reference = text;
    struct sos_url_ url;
    struct sos_syntax_error_ error;
    if (size == 0)
        return 0;
    check_path(text);
    check_text(text);
    const char *end = memchr(text.at, '\n', text.length);
    if (end != NULL) {
        text.length = (size_t)(end - text.at);
        reference = sos_slice_(end + 1, size - text.length - 1);
    }
    int status = sos_url_parse_(&url, text, &error);
    must((status == SOS_OK) == (error.rule == NULL) && error.at <= text.length);
    if (status != SOS_OK)
        return 0;
    check_parts(&url, text);
    check_resolved(&url, reference);
    return 0;
}
