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
    if (value->type == SOS_REDIS_INTEGER || value->type == SOS_REDIS_BOOLEAN)
        value->integer = event->integer;
    if (value->type == SOS_REDIS_DOUBLE)
        value->number = event->number;
    if (value->type == SOS_REDIS_NULL ? add_text(builder, value, "", 0)
                                      : add_text(builder, value, event->text, event->length))
        count_in_parent(builder);
}

static void begin_aggregate(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event)
{
    count_in_parent(builder);
    struct sos_redis_value *value = add_value(builder);
    if (value == NULL)
        return;
    value->type = type_of(event->type);
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
    if (in_attribute(builder, event, kind) || builder->discard || builder->status != SOS_OK)
        return;
    if (kind == SOS_RESP_VALUE_)
        add_scalar(builder, event);
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

static int move_into(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply)
{
    size_t values_size = builder->count * sizeof *builder->values;
    struct sos_redis_value *values = sos_memory_take(builder->os, values_size + builder->text_used);
    if (values == NULL)
        return SOS_ENOMEM;
    char *text = (char *)values + values_size;
    memcpy(values, builder->values, values_size);
    if (builder->text_used != 0)
        memcpy(text, builder->text, builder->text_used);
    for (uint32_t index = 0; index < builder->count; index++) {
        if (!has_text(&values[index]))
            continue;
        values[index].text = text;
        text += values[index].length + 1;
    }
    *reply = (struct sos_redis_reply){ values, builder->os, values_size + builder->text_used };
    return values->type == SOS_REDIS_ERROR ? SOS_ESERVER : SOS_OK;
}

int sos_redis_built_(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply)
{
    enum { KEPT = 65536 };
    int status = builder->status;
    bool refused = builder->count != 0 && builder->values[0].type == SOS_REDIS_ERROR;
    if (status == SOS_OK && reply != NULL)
        status = move_into(builder, reply);
    else if (status == SOS_OK && refused)
        status = SOS_ESERVER;
    builder->count = 0;
    builder->depth = 0;
    builder->text_used = 0;
    builder->status = SOS_OK;
    if (builder->value_room + builder->text_room > KEPT)
        sos_redis_builder_free_(builder);
    return status;
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

void sos_redis_reply_free(struct sos_redis_reply *reply)
{
    if (reply->value != NULL)
        sos_memory_give(reply->os, (void *)(uintptr_t)reply->value, reply->size);
    *reply = (struct sos_redis_reply){ NULL, NULL, 0 };
}
