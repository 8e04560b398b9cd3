/* SPDX-License-Identifier: MIT */
/*
 * The memory of an answer: one block, which holds the fields as an array, then the head as it came
 * with NULs put in where names and values end, then the body and a NUL.
 */
#include <jansson.h>
#include <string.h>

#include "client/http_internal.h"
#include "proto/utf8.h"

static const char nothing[] = "";

/* ---- Growing */

/* The text of a slice of the head, in its copy at `to`; what follows the slice there is free. */
static const char *copied(struct sos_slice_ slice, const char *bytes, char *to)
{
    if (slice.at == NULL || slice.length == 0)
        return nothing;
    char *at = to + (slice.at - bytes);
    at[slice.length] = '\0';
    return at;
}

static size_t array_size(size_t count)
{
    return count * sizeof(struct sos_http_field);
}

int sos_http_response_begin_(struct sos_http_response *response, sos *os,
                             const struct sos_http_head_ *head, const char *bytes,
                             uint64_t expected)
{
    size_t least = expected < SOS_HTTP_AT_ONCE_ ? (size_t)expected : SOS_HTTP_AT_ONCE_;
    size_t room = array_size(head->field_count) + head->length + least + 1;
    char *block = sos_memory_take(os, room);
    if (block == NULL)
        return SOS_ENOMEM;
    struct sos_http_field *fields = (struct sos_http_field *)(void *)block;
    char *text = block + array_size(head->field_count);
    memcpy(text, bytes, head->length);
    for (size_t i = 0; i < head->field_count; i++) {
        fields[i].name = copied(head->fields[i].name, bytes, text);
        fields[i].value = copied(head->fields[i].value, bytes, text);
    }
    response->os = os;
    response->block = block;
    response->room = room;
    response->status = head->status;
    response->ok = head->status >= 200 && head->status < 300;
    response->reason = copied(head->reason, bytes, text);
    response->headers = fields;
    response->header_count = head->field_count;
    text[head->length] = '\0';
    response->body = text + head->length;
    response->body_size = 0;
    return SOS_OK;
}

static const char *moved(const char *text, const char *from, const char *to)
{
    return text == nothing ? text : to + (text - from);
}

static bool move(struct sos_http_response *response, size_t room)
{
    const char *old = response->block;
    char *block = sos_memory_take(response->os, room);
    if (block == NULL)
        return false;
    size_t used = (size_t)(response->body - old) + response->body_size;
    memcpy(block, old, used);
    struct sos_http_field *fields = (struct sos_http_field *)(void *)block;
    for (size_t i = 0; i < response->header_count; i++) {
        fields[i].name = moved(fields[i].name, old, block);
        fields[i].value = moved(fields[i].value, old, block);
    }
    response->headers = fields;
    response->reason = moved(response->reason, old, block);
    response->body = moved(response->body, old, block);
    sos_memory_give(response->os, response->block, response->room);
    response->block = block;
    response->room = room;
    return true;
}

char *sos_http_response_room_(struct sos_http_response *response, uint64_t most, size_t *room)
{
    enum { LEAST = 2048, FACTOR = 8 };
    size_t used = (size_t)(response->body - (const char *)response->block) + response->body_size;
    size_t left = response->room - used - 1; /* one for the NUL */
    if (left == 0) {
        size_t more = used > LEAST ? used : LEAST;
        if (most != UINT64_MAX) /* as much has been promised: it is not moved so often */
            more = more < most / FACTOR ? more * FACTOR : (size_t)most;
        if (more == 0)
            more = 1;
        if (!move(response, used + more + 1))
            return NULL;
        left = more;
    }
    *room = left;
    return (char *)response->block + used;
}

void sos_http_response_add_(struct sos_http_response *response, size_t size)
{
    size_t at = (size_t)(response->body - (const char *)response->block);
    response->body_size += size;
    ((char *)response->block)[at + response->body_size] = '\0';
}

void sos_http_response_free(struct sos_http_response *response)
{
    sos_http_pool_drop_(response->connection);
    json_decref(response->json);
    if (response->block != NULL)
        sos_memory_give(response->os, response->block, response->room);
    *response = (struct sos_http_response){ .reason = nothing, .body = nothing };
}

/* ---- Views */

const char *sos_http_header(const struct sos_http_response *response, const char *name)
{
    struct sos_slice_ wanted = sos_slice_text_(name);
    for (size_t i = 0; i < response->header_count; i++) {
        if (sos_slice_is_caseless_(wanted, response->headers[i].name))
            return response->headers[i].value;
    }
    return NULL;
}

const char *sos_http_text(const struct sos_http_response *response)
{
    if (response->body == NULL || memchr(response->body, '\0', response->body_size) != NULL)
        return NULL;
    return sos_utf8_valid_(response->body, response->body_size) ? response->body : NULL;
}

struct json_t *sos_http_json(struct sos_http_response *response)
{
    if (response->json == NULL && response->body_size != 0)
        response->json = json_loadb(response->body, response->body_size,
                                    JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return response->json;
}
