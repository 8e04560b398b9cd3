/* SPDX-License-Identifier: MIT */
/* Replies of Redis as values: collected while they arrive, then one block of memory each. */
#include <string.h>

#include "redis_internal.h"

/* ---- Collecting */

static void *grown(sos *os, void *old, size_t used, size_t *room, size_t needed)
{
    size_t bigger = *room != 0 ? *room : 256;
    while (bigger < needed)
        bigger *= 2;
    void *memory = sos_memory_take(os, bigger);
    if (memory == NULL)
        return NULL;
    if (used != 0)
        memcpy(memory, old, used);
    sos_memory_give(os, old, *room);
    *room = bigger;
    return memory;
}

static struct sos_redis_value *add_value(struct sos_redis_builder_ *builder)
{
    size_t used = builder->count * sizeof *builder->values;
    if (used + sizeof *builder->values > builder->value_room) {
        void *values = grown(builder->os, builder->values, used, &builder->value_room,
                             used + sizeof *builder->values);
        if (values == NULL) {
            builder->status = SOS_ENOMEM;
            return NULL;
        }
        builder->values = values;
    }
    struct sos_redis_value *value = &builder->values[builder->count++];
    *value = (struct sos_redis_value){ .span = 1 };
    return value;
}

static bool add_text(struct sos_redis_builder_ *builder, struct sos_redis_value *value,
                     const char *text, size_t length)
{
    size_t needed = builder->text_used + length + 1;
    if (needed > builder->text_room) {
        char *bytes = grown(builder->os, builder->text, builder->text_used, &builder->text_room,
                            needed);
        if (bytes == NULL) {
            builder->status = SOS_ENOMEM;
            return false;
        }
        builder->text = bytes;
    }
    if (length != 0)
        memcpy(builder->text + builder->text_used, text, length);
    builder->text[builder->text_used + length] = '\0';
    value->length = length;
    builder->text_used = needed;
    return true;
}

static enum sos_redis_type type_of(char type)
{
    switch ((enum sos_resp_type_)type) {
    case SOS_RESP_ERROR_:
    case SOS_RESP_BULK_ERROR_:
        return SOS_REDIS_ERROR;
    case SOS_RESP_INTEGER_:
        return SOS_REDIS_INTEGER;
    case SOS_RESP_NULL_:
        return SOS_REDIS_NULL;
    case SOS_RESP_BOOLEAN_:
        return SOS_REDIS_BOOLEAN;
    case SOS_RESP_DOUBLE_:
        return SOS_REDIS_DOUBLE;
    case SOS_RESP_MAP_:
        return SOS_REDIS_MAP;
    case SOS_RESP_SET_:
        return SOS_REDIS_SET;
    case SOS_RESP_ARRAY_:
    case SOS_RESP_PUSH_:
    case SOS_RESP_ATTRIBUTE_:
        return SOS_REDIS_ARRAY;
    case SOS_RESP_STRING_:
    case SOS_RESP_BULK_:
    case SOS_RESP_BIG_NUMBER_:
    case SOS_RESP_VERBATIM_:
        break;
    }
    return SOS_REDIS_STRING;
}

static void count_in_parent(struct sos_redis_builder_ *builder)
{
    if (builder->depth != 0)
        builder->values[builder->open[builder->depth - 1]].count++;
}

static void add_scalar(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event)
{
    struct sos_redis_value *value = add_value(builder);
    if (value == NULL)
        return;
    value->type = type_of(event->type);
    value->wire = event->type;
    if (value->type == SOS_REDIS_INTEGER || value->type == SOS_REDIS_BOOLEAN)
        value->integer = event->integer;
    if (value->type == SOS_REDIS_DOUBLE)
        value->number = event->number;
    if (value->type == SOS_REDIS_NULL ? add_text(builder, value, "", 0)
                                      : add_text(builder, value, event->text, event->length))
        count_in_parent(builder);
}

/* It comes in chunks: the text of the last value grows with them. */
static void begin_string(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event)
{
    struct sos_resp_event_ empty = *event;
    empty.text = "";
    empty.length = 0;
    add_scalar(builder, &empty);
}

static void add_chunk(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event)
{
    struct sos_redis_value *value = &builder->values[builder->count - 1];
    size_t before = value->length;
    builder->text_used--; /* the NUL */
    if (add_text(builder, value, event->text, event->length))
        value->length += before;
}

static void begin_aggregate(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event)
{
    count_in_parent(builder);
    struct sos_redis_value *value = add_value(builder);
    if (value == NULL)
        return;
    value->type = type_of(event->type);
    value->wire = event->type;
    builder->open[builder->depth++] = builder->count - 1;
}

static void end_aggregate(struct sos_redis_builder_ *builder)
{
    uint32_t index = builder->open[--builder->depth];
    builder->values[index].span = builder->count - index;
}

/* Attributes are about a value and no part of it: they are left out. */
static bool in_attribute(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event,
                         enum sos_resp_kind_ kind)
{
    if (builder->skipped != 0) {
        if (kind == SOS_RESP_END_ && event->depth + 1 == builder->skipped)
            builder->skipped = 0;
        return true;
    }
    if (kind != SOS_RESP_BEGIN_ || event->type != SOS_RESP_ATTRIBUTE_)
        return false;
    builder->skipped = event->depth + 1;
    return true;
}

void sos_redis_build_(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event,
                      enum sos_resp_kind_ kind)
{
    if (in_attribute(builder, event, kind) || builder->status != SOS_OK)
        return;
    bool in_chunks = kind != SOS_RESP_VALUE_ && type_of(event->type) < SOS_REDIS_ARRAY;
    if (kind == SOS_RESP_VALUE_)
        add_scalar(builder, event);
    else if (in_chunks && kind == SOS_RESP_BEGIN_)
        begin_string(builder, event);
    else if (kind == SOS_RESP_CHUNK_)
        add_chunk(builder, event);
    else if (in_chunks)
        return; /* its end */
    else if (kind == SOS_RESP_BEGIN_)
        begin_aggregate(builder, event);
    else if (kind == SOS_RESP_END_)
        end_aggregate(builder);
}

/* ---- A whole reply */

static bool has_text(const struct sos_redis_value *value)
{
    return value->type < SOS_REDIS_ARRAY;
}

/* Where texts are is only known once they do not move any more. */
static void point_to_texts(struct sos_redis_value *values, size_t count, const char *text)
{
    for (size_t index = 0; index < count; index++) {
        if (!has_text(&values[index]))
            continue;
        values[index].text = text;
        text += values[index].length + 1;
    }
}

/* The values from `first` on, in one block, with room for `before` values at its front. */
static struct sos_redis_value *copied(const struct sos_redis_builder_ *builder, uint32_t first,
                                      size_t first_text, uint32_t before,
                                      struct sos_redis_reply *reply)
{
    size_t count = builder->count - first, text_size = builder->text_used - first_text;
    size_t values_size = (count + before) * sizeof *builder->values;
    struct sos_redis_value *values = sos_memory_take(builder->os, values_size + text_size);
    if (values == NULL)
        return NULL;
    char *text = (char *)values + values_size;
    memcpy(values + before, builder->values + first, count * sizeof *values);
    if (text_size != 0)
        memcpy(text, builder->text + first_text, text_size);
    point_to_texts(values + before, count, text);
    *reply = (struct sos_redis_reply){ values, builder->os, values_size + text_size };
    return values;
}

const char *sos_redis_built_text_(const struct sos_redis_builder_ *builder)
{
    return builder->text + builder->text_base;
}

static void next_unit(struct sos_redis_builder_ *builder)
{
    builder->depth = 0;
    builder->status = SOS_OK;
}

void sos_redis_built_keep_(struct sos_redis_builder_ *builder)
{
    const struct sos_redis_value *value = sos_redis_built_value_(builder, 0);
    if (value == NULL)
        builder->kept_status = builder->status;
    else if (value->type == SOS_REDIS_ERROR)
        builder->errors++;
    builder->kept++;
    builder->base = builder->count;
    builder->text_base = builder->text_used;
    next_unit(builder);
}

void sos_redis_built_forget_(struct sos_redis_builder_ *builder)
{
    enum { KEPT = 65536 };
    builder->count = builder->base;
    builder->text_used = builder->text_base;
    next_unit(builder);
    if (builder->count == 0 && builder->value_room + builder->text_room > KEPT)
        sos_redis_builder_free_(builder);
}

uint32_t sos_redis_built_errors_(const struct sos_redis_builder_ *builder)
{
    uint32_t errors = 0, last = builder->base + builder->values[builder->base].span;
    for (uint32_t index = builder->base + 1; index < last; index += builder->values[index].span)
        errors += builder->values[index].type == SOS_REDIS_ERROR;
    return errors;
}

/* For those which are taken apart: it stands at the beginning. */
void sos_redis_built_only_first_(struct sos_redis_builder_ *builder)
{
    sos_redis_built_forget_(builder);
    builder->base = 0;
    builder->text_base = 0;
    builder->kept = builder->errors = 0;
}

int sos_redis_built_take_(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply)
{
    int status = builder->status;
    if (status == SOS_OK && reply != NULL &&
        copied(builder, builder->base, builder->text_base, 0, reply) == NULL)
        status = SOS_ENOMEM;
    sos_redis_built_forget_(builder);
    return status;
}

/* Those that were kept are forgotten. */
static void begin_again(struct sos_redis_builder_ *builder)
{
    builder->base = 0;
    builder->text_base = 0;
    builder->kept = builder->errors = 0;
    builder->kept_status = SOS_OK;
    sos_redis_built_forget_(builder);
}

int sos_redis_built_take_all_(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply)
{
    int status = builder->kept_status != SOS_OK ? builder->kept_status : (int)builder->errors;
    if (status >= 0 && reply != NULL) {
        struct sos_redis_value *array = copied(builder, 0, 0, 1, reply);
        if (array == NULL)
            status = SOS_ENOMEM;
        else
            *array = (struct sos_redis_value){ .type = SOS_REDIS_ARRAY,
                                               .wire = '*',
                                               .count = builder->kept,
                                               .span = builder->count + 1 };
    }
    begin_again(builder);
    return status;
}

void sos_redis_builder_reset_(struct sos_redis_builder_ *builder)
{
    builder->skipped = 0;
    begin_again(builder);
}

void sos_redis_builder_free_(struct sos_redis_builder_ *builder)
{
    sos_memory_give(builder->os, builder->values, builder->value_room);
    sos_memory_give(builder->os, builder->text, builder->text_room);
    builder->values = NULL;
    builder->text = NULL;
    builder->value_room = builder->text_room = 0;
}

/* ---- For users */

const struct sos_redis_value *sos_redis_item(const struct sos_redis_value *value, size_t index)
{
    if (value == NULL || index >= value->count)
        return NULL;
    const struct sos_redis_value *item = value + 1;
    while (index-- > 0)
        item += item->span;
    return item;
}

const struct sos_redis_value *sos_redis_field(const struct sos_redis_value *value, const char *key)
{
    if (value == NULL || (value->type != SOS_REDIS_MAP && value->type != SOS_REDIS_ARRAY))
        return NULL;
    const struct sos_redis_value *item = value + 1;
    for (uint32_t index = 0; index + 1 < value->count; index += 2) {
        const struct sos_redis_value *found = sos_redis_next(item);
        if (item->type == SOS_REDIS_STRING && strcmp(item->text, key) == 0)
            return found;
        item = sos_redis_next(found);
    }
    return NULL;
}

void sos_redis_reply_free(struct sos_redis_reply *reply)
{
    if (reply->value != NULL)
        sos_memory_give(reply->os, (void *)(uintptr_t)reply->value, reply->size);
    *reply = (struct sos_redis_reply){ NULL, NULL, 0 };
}
