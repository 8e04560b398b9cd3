/* SPDX-License-Identifier: MIT */
/*
 * Text to tree, by jansson, with what jansson leaves to be done.
 *
 * When an allocation fails inside its lexer, jansson 2.14 drops a byte of the token (and runs past
 * the end of its buffer if that was the closing quote), or calls a good string an invalid token.
 * So it is given `["xxx...", TEXT]`: the first string makes the lexer's buffer large enough for
 * every token of the text, and shows by its length whether a byte was lost. What then is still
 * refused for want of memory is not refused in the same way twice.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

struct feed {
    const char *text;
    size_t length, warm_up; /* of the text; how many x */
    size_t at;
};

static const char feed_opens[] = "[\"", feed_goes_on[] = "\",\n";

static size_t feed_start(const struct feed *feed)
{
    return sizeof feed_opens - 1 + feed->warm_up + sizeof feed_goes_on - 1;
}

static int feed_byte(const struct feed *feed)
{
    size_t at = feed->at;
    if (at < sizeof feed_opens - 1)
        return feed_opens[at];
    at -= sizeof feed_opens - 1;
    if (at < feed->warm_up)
        return 'x';
    at -= feed->warm_up;
    if (at < sizeof feed_goes_on - 1)
        return feed_goes_on[at];
    at -= sizeof feed_goes_on - 1;
    if (at < feed->length)
        return (unsigned char)feed->text[at];
    return at == feed->length ? ']' : EOF;
}

static size_t feed_jansson(void *buffer, size_t size, void *feed_)
{
    struct feed *feed = feed_;
    size_t filled = 0;
    for (int byte; filled < size && (byte = feed_byte(feed)) != EOF; feed->at++)
        ((char *)buffer)[filled++] = (char)byte;
    return filled;
}

/* The lexer's buffer doubles when it is full; its closing quote must not be what is too much. 3 *
 * 2^n is as far from a power of two as can be. */
static size_t warm_up_for(size_t length)
{
    size_t count = 24;
    while (count < length)
        count *= 2;
    return count;
}

static bool memory_is_there(size_t size)
{
    json_malloc_t take;
    json_free_t give;
    json_get_alloc_funcs(&take, &give);
    void *memory = take(size);
    if (memory == NULL)
        return false;
    give(memory);
    return true;
}

/* The array around the text; NULL with an empty `refusal->text`: out of memory. */
static json_t *read_once(struct feed *feed, json_error_t *refusal)
{
    refusal->text[0] = '\0';
    feed->at = 0;
    if (!memory_is_there(4 * feed->warm_up))
        return NULL;
    json_t *around = json_load_callback(feed_jansson, feed, JSON_REJECT_DUPLICATES, refusal);
    if (around != NULL && json_string_length(json_array_get(around, 0)) != feed->warm_up) {
        json_decref(around);
        refusal->text[0] = '\0';
        return NULL;
    }
    return around;
}

static bool same_refusal(const json_error_t *a, const json_error_t *b)
{
    return a->text[0] != '\0' && strcmp(a->text, b->text) == 0 && a->position == b->position;
}

static int refuse_at(struct sos_config_error *error, const char *text, size_t offset,
                     const char *rule)
{
    sos_config_place_line_(text, offset, &error->line, &error->column);
    sos_config_string_write_(error->rule, sizeof error->rule, rule, strlen(rule));
    return sos_config_refuse_(error, SOS_ECONFIG, NULL);
}

static void write_place(const struct sos_config_place_ *place, struct sos_config_error *error)
{
    struct sos_config_sink_ sink = { error->path, sizeof error->path, 0 };
    for (size_t i = 0; i < SOS_CONFIG_PATH_KEYS_ && i < place->depth; i++) {
        if (place->keys[i].length == 0)
            break;
        sos_config_sink_puts_(&sink, i > 0 ? "." : "");
        sos_config_sink_put_(&sink, place->keys[i].text, place->keys[i].length);
    }
    sos_config_sink_end_(&sink);
}

static bool slice_is(struct sos_config_slice_ slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.text, text, slice.length) == 0;
}

/* The field that a place belongs to; NULL: none. */
static const struct sos_config_field_ *field_at(const struct sos_config_place_ *place)
{
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        const struct sos_config_field_ *field = &sos_config_fields_[i];
        size_t depth = field->section == NULL ? 1 : 3;
        if (place->depth != depth)
            continue;
        if (depth == 3 && ((!slice_is(place->keys[0], sos_config_clients_name_) &&
                            !slice_is(place->keys[0], sos_config_clients_alias_)) ||
                           !slice_is(place->keys[1], field->section)))
            continue;
        if (slice_is(place->keys[depth - 1], field->name) ||
            (field->alias != NULL && slice_is(place->keys[depth - 1], field->alias)))
            return field;
    }
    return NULL;
}

/* A number that no double or 64-bit integer holds: jansson says no more than that. */
static int refuse_number(struct sos_config_error *error, const char *text, size_t end)
{
    size_t start = end;
    while (start > 0 && strchr("+-.0123456789Ee", text[start - 1]) != NULL)
        start--;
    struct sos_config_place_ place = sos_config_place_at_(text, start);
    const struct sos_config_field_ *field = field_at(&place);
    struct sos_config_sink_ rule = sos_config_rule_(error);
    write_place(&place, error);
    sos_config_string_write_(error->value, sizeof error->value, text + start, end - start);
    if (field != NULL)
        sos_config_field_rule_(field, &rule);
    else
        sos_config_sink_puts_(&rule, "is larger than any number may be");
    sos_config_sink_end_(&rule);
    sos_config_place_line_(text, start, &error->line, &error->column);
    return sos_config_refuse_(error, SOS_ECONFIG, NULL);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int refuse_rest(struct sos_config_error *error, const char *text, size_t length, size_t at)
{
    while (at < length && is_space(text[at]))
        at++;
    return refuse_at(error, text, at, "nothing may follow the closing brace");
}

static int refuse_syntax(struct sos_config_error *error, const struct feed *feed,
                         const json_error_t *refusal)
{
    const char *text = feed->text;
    size_t start = feed_start(feed), position = (size_t)refusal->position;
    size_t offset = position > start ? position - start : 0;
    bool at_end = offset > feed->length;
    size_t at = at_end ? feed->length : offset;
    enum json_error_code code = json_error_code(refusal);
    if (code == json_error_numeric_overflow)
        return refuse_number(error, text, at);
    /* jansson stands behind the token that it refuses, but before a byte that is no UTF-8. */
    if (!at_end && at > 0 && code != json_error_invalid_utf8)
        at--;
    struct sos_config_place_ place = sos_config_place_at_(text, at);
    if (place.end != 0)
        return refuse_rest(error, text, feed->length, place.end);
    if (code == json_error_duplicate_key && place.depth >= 1 &&
        place.depth <= SOS_CONFIG_PATH_KEYS_)
        place.keys[place.depth - 1] = place.string;
    write_place(&place, error);
    if (at_end)
        return refuse_at(error, text, at, "the text ends too early");
    if (code == json_error_duplicate_key)
        return refuse_at(error, text, at, "stands there twice");
    return refuse_at(error, text, at, refusal->text);
}

/* What jansson would let through, or word badly, or needs much stack for. */
static int check_text(const char *text, size_t length, struct sos_config_error *error)
{
    if (length > SOS_CONFIG_TEXT_MAX)
        return refuse_at(error, text, 0, "the text is longer than 1048576 bytes");
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        return refuse_at(error, text, 0, "begins with a byte order mark; UTF-8 has none here");
    const char *zero = length > 0 ? memchr(text, '\0', length) : NULL;
    if (zero != NULL)
        return refuse_at(error, text, (size_t)(zero - text), "a NUL byte is no part of JSON");
    size_t start = 0;
    while (start < length && is_space(text[start]))
        start++;
    if (start == length)
        return refuse_at(error, text, start, "the text is empty; a JSON object must be there");
    if (text[start] != '{')
        return refuse_at(error, text, start, "must be a JSON object, which begins with a brace");
    struct sos_config_place_ place = sos_config_place_at_(text, length);
    if (place.too_deep != 0)
        return refuse_at(error, text, place.too_deep,
                         "more than 32 objects and arrays inside each other");
    return SOS_OK;
}

static int out_of_memory(struct sos_config_error *error)
{
    memset(error, 0, sizeof *error);
    struct sos_config_sink_ rule = sos_config_rule_(error);
    sos_config_sink_puts_(&rule, "out of memory");
    sos_config_sink_end_(&rule);
    return sos_config_refuse_(error, SOS_ENOMEM, NULL);
}

int sos_config_read_(const char *text, size_t length, json_t **tree, struct sos_config_error *error)
{
    struct feed feed = { text, length, warm_up_for(length), 0 };
    json_error_t refusal, again;
    int status = check_text(text, length, error);
    if (status != SOS_OK)
        return status;
    json_t *around = read_once(&feed, &refusal);
    if (around == NULL && refusal.text[0] != '\0') {
        json_decref(read_once(&feed, &again));
        return same_refusal(&refusal, &again) ? refuse_syntax(error, &feed, &refusal)
                                              : out_of_memory(error);
    }
    if (around == NULL)
        return out_of_memory(error);
    if (json_array_size(around) == 2)
        *tree = json_incref(json_array_get(around, 1));
    else
        status = refuse_rest(error, text, length, sos_config_place_at_(text, length).end);
    json_decref(around);
    return status;
}
