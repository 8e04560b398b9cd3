/* SPDX-License-Identifier: MIT */
/* Configurations: loaded, parsed, changed, checked and written, all from the table in fields.c. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Tree to struct */

struct reading {
    struct sos_config config;
    struct sos_config_error *error;
};

static int refuse_value(struct reading *reading, struct sos_config_path_ path, const json_t *value,
                        struct sos_config_sink_ *rule)
{
    struct sos_config_error *error = reading->error;
    int status = sos_config_value_write_(value, error);
    if (status != SOS_OK) {
        memset(error, 0, sizeof *error);
        *rule = sos_config_rule_(error);
        sos_config_sink_puts_(rule, "out of memory");
    } else {
        sos_config_path_write_(path, error);
        status = SOS_ECONFIG;
    }
    sos_config_sink_end_(rule);
    return sos_config_refuse_(error, status, NULL);
}

static int refuse_for(struct reading *reading, struct sos_config_path_ path, const json_t *value,
                      const char *words)
{
    struct sos_config_sink_ rule = sos_config_rule_(reading->error);
    sos_config_sink_puts_(&rule, words);
    return refuse_value(reading, path, value, &rule);
}

/* `store`: false when the canonical name stands there as well and wins. */
static int read_field(struct reading *reading, struct sos_config_path_ path,
                      const struct sos_config_field_ *field, const json_t *value, bool store)
{
    bool fits = field->is_boolean ? json_is_boolean(value)
                                  : json_is_integer(value) &&
                                        sos_config_field_allows_(field, json_integer_value(value));
    if (!fits) {
        struct sos_config_sink_ rule = sos_config_rule_(reading->error);
        sos_config_field_rule_(field, &rule);
        return refuse_value(reading, path, value, &rule);
    }
    if (store)
        sos_config_field_set_(field, &reading->config,
                              field->is_boolean ? json_is_true(value)
                                                : (uint32_t)json_integer_value(value));
    return SOS_OK;
}

static void reset_section(struct sos_config *config, const char *section)
{
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        const struct sos_config_field_ *field = &sos_config_fields_[i];
        if (field->section != NULL && (section == NULL || strcmp(field->section, section) == 0))
            sos_config_field_set_(field, config, field->standard);
    }
}

static int read_section(struct reading *reading, struct sos_config_path_ path, json_t *object,
                        bool store)
{
    const char *section = path.names[1], *key;
    json_t *value;
    int status = SOS_OK;
    if (!sos_config_field_section_exists_(section)) {
        struct sos_config_sink_ rule = sos_config_rule_(reading->error);
        sos_config_field_list_sections_(&rule);
        return refuse_value(reading, path, object, &rule);
    }
    if (json_is_null(object) && store)
        reset_section(&reading->config, section);
    if (!json_is_object(object) && !json_is_null(object))
        return refuse_for(reading, path, object, "must be an object or null");
    json_object_foreach(object, key, value)
    {
        const struct sos_config_field_ *field = sos_config_field_find_(section, key);
        path.names[2] = key;
        if (field == NULL) {
            struct sos_config_sink_ rule = sos_config_rule_(reading->error);
            sos_config_field_list_keys_(section, &rule);
            return refuse_value(reading, path, value, &rule);
        }
        status = read_field(reading, path, field, value, store);
        if (status != SOS_OK)
            break;
    }
    return status;
}

static int read_clients(struct reading *reading, struct sos_config_path_ path, json_t *object,
                        bool store)
{
    const char *key;
    json_t *value;
    int status = SOS_OK;
    if (json_is_null(object) && store)
        reset_section(&reading->config, NULL);
    if (!json_is_object(object) && !json_is_null(object))
        return refuse_for(reading, path, object, "must be an object or null");
    json_object_foreach(object, key, value)
    {
        path.names[1] = key;
        status = read_section(reading, path, value, store);
        if (status != SOS_OK)
            break;
    }
    return status;
}

static int read_tree(struct reading *reading, json_t *tree)
{
    const char *key;
    json_t *value;
    int status = SOS_OK;
    json_object_foreach(tree, key, value)
    {
        const struct sos_config_field_ *field = sos_config_field_find_(NULL, key);
        bool is_clients = sos_config_field_is_clients_(key);
        struct sos_config_path_ path = { { key, NULL, NULL } };
        if (field == NULL && !is_clients) {
            struct sos_config_sink_ rule = sos_config_rule_(reading->error);
            sos_config_field_list_keys_(NULL, &rule);
            return refuse_value(reading, path, value, &rule);
        }
        const char *canonical = is_clients ? sos_config_clients_name_ : field->name;
        bool store = strcmp(key, canonical) == 0 || json_object_get(tree, canonical) == NULL;
        status = is_clients ? read_clients(reading, path, value, store)
                            : read_field(reading, path, field, value, store);
        if (status != SOS_OK)
            break;
    }
    return status;
}

/* ---- The struct alone */

static int check(const struct sos_config *config, struct sos_config_error *error)
{
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        const struct sos_config_field_ *field = &sos_config_fields_[i];
        uint32_t number = sos_config_field_get_(field, config);
        if (sos_config_field_allows_(field, number))
            continue;
        struct sos_config_path_ path = { { field->name, NULL, NULL } };
        if (field->section != NULL)
            path = (struct sos_config_path_){ { sos_config_clients_name_, field->section,
                                                field->name } };
        struct sos_config_sink_ value = { error->value, sizeof error->value, 0 };
        struct sos_config_sink_ rule = sos_config_rule_(error);
        sos_config_sink_number_(&value, number);
        sos_config_sink_end_(&value);
        sos_config_field_rule_(field, &rule);
        sos_config_sink_end_(&rule);
        sos_config_path_write_(path, error);
        return sos_config_refuse_(error, SOS_ECONFIG, NULL);
    }
    return SOS_OK;
}

static void fill_defaults(struct sos_config *config)
{
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++)
        sos_config_field_set_(&sos_config_fields_[i], config,
                              sos_config_field_get_(&sos_config_fields_[i], config));
}

static int refuse_call(struct sos_config_error *error, int status, const char *file,
                       const char *words)
{
    struct sos_config_sink_ rule = sos_config_rule_(error);
    sos_config_sink_puts_(&rule, words);
    sos_config_sink_end_(&rule);
    return sos_config_refuse_(error, status, file);
}

/* So that everything below can write to *error. */
static struct sos_config_error *cleared(struct sos_config_error *error,
                                        struct sos_config_error *unwanted)
{
    if (error == NULL)
        error = unwanted;
    memset(error, 0, sizeof *error);
    return error;
}

/* ---- Public */

int sos_config_check(const struct sos_config *config, struct sos_config_error *error)
{
    struct sos_config_error unwanted;
    error = cleared(error, &unwanted);
    if (config == NULL)
        return refuse_call(error, SOS_EINVAL, NULL, "no configuration was given");
    return check(config, error);
}

int sos_config_copy_with(struct sos_config *copy, const struct sos_config *base,
                         const char *changes, size_t length, struct sos_config_error *error)
{
    struct sos_config_error unwanted;
    json_t *tree = NULL;
    error = cleared(error, &unwanted);
    if (copy == NULL || base == NULL || changes == NULL)
        return refuse_call(error, SOS_EINVAL, NULL, "no configuration or no text was given");
    struct reading reading = { *base, error };
    int status = sos_config_read_(changes, length, &tree, error);
    if (status != SOS_OK)
        return status;
    status = read_tree(&reading, tree);
    json_decref(tree);
    if (status == SOS_OK)
        status = check(&reading.config, error);
    if (status != SOS_OK)
        return status;
    fill_defaults(&reading.config);
    *copy = reading.config;
    return SOS_OK;
}

int sos_config_parse(struct sos_config *config, const char *text, size_t length,
                     struct sos_config_error *error)
{
    const struct sos_config nothing = { 0 };
    return sos_config_copy_with(config, &nothing, text, length, error);
}

static int refuse_file(struct sos_config_error *error, const char *path, int system_error)
{
    switch (system_error) {
    case ENOENT:
    case ENOTDIR:
        return refuse_call(error, SOS_ENOENT, path, "there is no such file");
    case EISDIR:
        return refuse_call(error, SOS_ENOENT, path, "is a directory, not a file");
    case EACCES:
        return refuse_call(error, SOS_EACCES, path, "may not be read: permission denied");
    case EMFILE:
    case ENFILE:
        return refuse_call(error, SOS_EMFILE, path, "too many files are open");
    case ENOMEM:
        return refuse_call(error, SOS_ENOMEM, path, "out of memory");
    default:
        return refuse_call(error, SOS_EIO, path, "can not be read");
    }
}

int sos_config_load(struct sos_config *config, const char *path, struct sos_config_error *error)
{
    enum { ROOM = SOS_CONFIG_TEXT_MAX + 1 }; /* one more, to see that there is more */
    struct sos_config_error unwanted;
    json_malloc_t take;
    json_free_t give;
    error = cleared(error, &unwanted);
    if (config == NULL || path == NULL)
        return refuse_call(error, SOS_EINVAL, NULL, "no configuration or no path was given");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return refuse_file(error, path, errno);
    json_get_alloc_funcs(&take, &give);
    char *text = take(ROOM);
    errno = text == NULL ? ENOMEM : 0;
    size_t length = text != NULL ? fread(text, 1, ROOM, file) : 0;
    int status = text == NULL || ferror(file) ? refuse_file(error, path, errno)
                                              : sos_config_parse(config, text, length, error);
    if (status != SOS_OK)
        sos_config_refuse_(error, status, path);
    if (text != NULL)
        give(text);
    fclose(file);
    return status;
}

static void write_field(const struct sos_config_field_ *field, const struct sos_config *config,
                        struct sos_config_sink_ *sink)
{
    uint32_t number = sos_config_field_get_(field, config);
    sos_config_sink_puts_(sink, "\"");
    sos_config_sink_puts_(sink, field->name);
    sos_config_sink_puts_(sink, "\": ");
    if (field->is_boolean)
        sos_config_sink_puts_(sink, number != 0 ? "true" : "false");
    else
        sos_config_sink_number_(sink, number);
}

/* What stands before a field: its section's start, after the end of the one before. */
static void write_before(const char *last, const char *section, struct sos_config_sink_ *sink)
{
    if (section == NULL) {
        sos_config_sink_puts_(sink, "    ");
    } else if (last != NULL && strcmp(section, last) == 0) {
        sos_config_sink_puts_(sink, ", ");
    } else {
        sos_config_sink_puts_(sink, last != NULL ? " },\n        \""
                                                 : "    \"client_defaults\": {\n        \"");
        sos_config_sink_puts_(sink, section);
        sos_config_sink_puts_(sink, "\": { ");
    }
}

int sos_config_write(const struct sos_config *config, char *text, size_t size)
{
    struct sos_config_sink_ sink = { text, size, 0 };
    const char *last = NULL;
    if (size > 0)
        text[0] = '\0';
    int status = sos_config_check(config, NULL);
    if (status != SOS_OK)
        return status;
    sos_config_sink_puts_(&sink, "{\n");
    for (size_t i = 0; i < SOS_CONFIG_FIELDS_; i++) {
        const struct sos_config_field_ *field = &sos_config_fields_[i];
        write_before(last, field->section, &sink);
        write_field(field, config, &sink);
        sos_config_sink_puts_(&sink, field->section == NULL ? ",\n" : "");
        last = field->section;
    }
    sos_config_sink_puts_(&sink, " }\n    }\n}\n");
    if (size > 0)
        text[sink.length < size ? sink.length : size - 1] = '\0';
    return (int)sink.length;
}
