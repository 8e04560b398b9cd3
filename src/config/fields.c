/* SPDX-License-Identifier: MIT */
/* The table of all keys, from which loading, checks, error texts and writing come. */
#include "internal.h"

#include <string.h>

/* The largest number that is not SOS_NONE; pids are int32_t; the runtime has 256 levels. */
enum { PID_MAX = INT32_MAX, LEVELS_MAX = 256 };
#define NUMBER_MAX (SOS_NONE - 1)

const char sos_config_clients_name_[] = "client_defaults";
const char sos_config_clients_alias_[] = "clients";

#define AT(field) offsetof(struct sos_config, field)
#define LIMIT(section, name, standard)                                                             \
    {                                                                                              \
#section, #name, NULL, "unlimited", false, 0, NUMBER_MAX, standard,                        \
            AT(client_defaults.section.name)                                                       \
    }

/* The keys of a section stand together. */
const struct sos_config_field_ sos_config_fields_[SOS_CONFIG_FIELDS_] = {
    { NULL, "task_capacity", "oslist_length", NULL, false, 1, PID_MAX, 1024, AT(task_capacity) },
    { NULL, "priority_levels", "num_categories", NULL, false, 2, LEVELS_MAX, 10,
      AT(priority_levels) },
    { NULL, "io_buffer_length", NULL, "none", false, 0, NUMBER_MAX, 1024, AT(io_buffer_length) },
    { NULL, "eternal_watchers", NULL, NULL, true, 0, 1, 0, AT(eternal_watchers) },
    LIMIT(stream, max_buffer_size, 16777216),
    LIMIT(http, max_response_size, 16777216),
    LIMIT(redis, max_response_size, 16777216),
    LIMIT(redis, max_nesting_depth, 32),
    { "mqtt", "keepalive", NULL, "off", false, 0, NUMBER_MAX, 60,
      AT(client_defaults.mqtt.keepalive) },
    LIMIT(mqtt, max_packet_size, 262144),
    LIMIT(mqtt, max_queued_messages, 1024),
    LIMIT(sse, max_event_size, 1048576),
    LIMIT(sse, max_line_size, 65536),
    LIMIT(websocket, max_frame_size, 1048576),
    LIMIT(websocket, max_message_size, 4194304),
    LIMIT(websocket, max_line_size, 16384),
};

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const struct sos_config_field_ *sos_config_field_find_(const char *section, const char *name)
{
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        const struct sos_config_field_ *field = &sos_config_fields_[i];
        if (same(field->section, section) &&
            (same(field->name, name) || (field->alias != NULL && same(field->alias, name))))
            return field;
    }
    return NULL;
}

bool sos_config_field_section_exists_(const char *section)
{
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++)
        if (sos_config_fields_[i].section != NULL && same(sos_config_fields_[i].section, section))
            return true;
    return false;
}

bool sos_config_field_is_clients_(const char *name)
{
    return same(name, sos_config_clients_name_) || same(name, sos_config_clients_alias_);
}

static uint32_t *number_of(const struct sos_config_field_ *field, struct sos_config *config)
{
    return (uint32_t *)(void *)((char *)config + field->offset);
}

static bool *boolean_of(const struct sos_config_field_ *field, struct sos_config *config)
{
    return (bool *)(void *)((char *)config + field->offset);
}

uint32_t sos_config_field_get_(const struct sos_config_field_ *field,
                               const struct sos_config *config)
{
    if (field->is_boolean)
        return *boolean_of(field, (struct sos_config *)config);
    uint32_t number = *number_of(field, (struct sos_config *)config);
    if (number == 0)
        return field->standard;
    return number == SOS_NONE && field->zero != NULL ? 0 : number;
}

void sos_config_field_set_(const struct sos_config_field_ *field, struct sos_config *config,
                           uint32_t value)
{
    if (field->is_boolean)
        *boolean_of(field, config) = value != 0;
    else
        *number_of(field, config) = value == 0 ? SOS_NONE : value;
}

bool sos_config_field_allows_(const struct sos_config_field_ *field, int64_t value)
{
    return value >= (int64_t)field->min && value <= (int64_t)field->max;
}

void sos_config_field_rule_(const struct sos_config_field_ *field, struct sos_config_sink_ *rule)
{
    if (field->is_boolean) {
        sos_config_sink_puts_(rule, "must be true or false");
        return;
    }
    sos_config_sink_puts_(rule, "must be an integer from ");
    sos_config_sink_number_(rule, field->min);
    if (field->zero != NULL) {
        sos_config_sink_puts_(rule, " (");
        sos_config_sink_puts_(rule, field->zero);
        sos_config_sink_puts_(rule, ")");
    }
    sos_config_sink_puts_(rule, " to ");
    sos_config_sink_number_(rule, field->max);
}

void sos_config_field_list_keys_(const char *section, struct sos_config_sink_ *rule)
{
    const char *between = "unknown key; there are ";
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        if (!same(sos_config_fields_[i].section, section))
            continue;
        sos_config_sink_puts_(rule, between);
        sos_config_sink_puts_(rule, sos_config_fields_[i].name);
        between = ", ";
    }
    if (section == NULL) {
        sos_config_sink_puts_(rule, between);
        sos_config_sink_puts_(rule, sos_config_clients_name_);
    }
}

void sos_config_field_list_sections_(struct sos_config_sink_ *rule)
{
    const char *between = "unknown section; there are ", *last = NULL;
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        const char *section = sos_config_fields_[i].section;
        if (section == NULL || same(section, last))
            continue;
        sos_config_sink_puts_(rule, between);
        sos_config_sink_puts_(rule, section);
        between = ", ";
        last = section;
    }
}
