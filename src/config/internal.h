/* SPDX-License-Identifier: MIT */
/*
 * What the files of the loader share. fields.c knows the keys, reader.c turns text into a tree,
 * place.c knows where in a text one is, refusal.c words the errors, config.c puts it together.
 */
#ifndef SMALLOS_CONFIG_INTERNAL_H
#define SMALLOS_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "smallos/config.h"

/* ---- Text that is cut where the buffer ends (refusal.c) */

/* Invariant: text[0 .. min(length, size - 1)) is written; length counts what was cut, too. */
struct sos_config_sink_ {
    char *text;
    size_t size, length;
};

void sos_config_sink_put_(struct sos_config_sink_ *sink, const char *text, size_t length);
void sos_config_sink_puts_(struct sos_config_sink_ *sink, const char *text);
void sos_config_sink_number_(struct sos_config_sink_ *sink, uint64_t number);

/* Ends the string, marks with "..." that it was cut, and makes one printable line of it. */
void sos_config_sink_end_(struct sos_config_sink_ *sink);

/* ---- Fields (fields.c) */

/* One key: everything that reading, checking and writing need to know of it. */
struct sos_config_field_ {
    const char *section; /* of the clients; NULL: a key of the top level */
    const char *name;
    const char *alias; /* NULL: none */
    const char *zero;  /* what 0 means in JSON, where it is SOS_NONE in the struct; NULL: none */
    bool is_boolean;
    uint32_t min, max, standard;
    size_t offset; /* into struct sos_config */
};

enum { SOS_CONFIG_FIELDS_ = 16 };
extern const struct sos_config_field_ sos_config_fields_[SOS_CONFIG_FIELDS_];

extern const char sos_config_clients_name_[], sos_config_clients_alias_[];

/* `section` NULL: the top level. NULL: there is no such key. */
const struct sos_config_field_ *sos_config_field_find_(const char *section, const char *name);
bool sos_config_field_section_exists_(const char *section);
bool sos_config_field_is_clients_(const char *name);

/* The number that JSON has for it (0 and 1 for a boolean), and back. */
uint32_t sos_config_field_get_(const struct sos_config_field_ *field,
                               const struct sos_config *config);
void sos_config_field_set_(const struct sos_config_field_ *field, struct sos_config *config,
                           uint32_t value);
bool sos_config_field_allows_(const struct sos_config_field_ *field, int64_t value);

/* Its rule in words; and for a key that there is not, which there are. */
void sos_config_field_rule_(const struct sos_config_field_ *field, struct sos_config_sink_ *rule);
void sos_config_field_list_keys_(const char *section, struct sos_config_sink_ *rule);
void sos_config_field_list_sections_(struct sos_config_sink_ *rule);

/* ---- Where in a text (place.c) */

enum { SOS_CONFIG_PATH_KEYS_ = 3 };

struct sos_config_place_ {
    size_t depth;    /* open objects and arrays */
    size_t too_deep; /* offset of the one beyond SOS_CONFIG_DEPTH_MAX; 0: none */
    size_t end;      /* offset after the outermost one; 0: it is still open */
    struct sos_config_slice_ {
        const char *text;
        size_t length;
    } keys[SOS_CONFIG_PATH_KEYS_], /* the key that is being read at depth 1, 2, 3 */
        string;                    /* the last string of all */
};

/* The place after the first `length` bytes of a text. */
struct sos_config_place_ sos_config_place_at_(const char *text, size_t length);

/* Line and column, from 1, of the byte at `offset`. */
void sos_config_place_line_(const char *text, size_t offset, int *line, int *column);

/* ---- Text to tree (reader.c) */

/* 0 and a tree whose root is an object, to be given to json_decref; SOS_ECONFIG, SOS_ENOMEM. */
int sos_config_read_(const char *text, size_t length, json_t **tree,
                     struct sos_config_error *error);

/* ---- Errors (refusal.c). All return the status. */

/* The names from the root to a key; the last may be NULL. */
struct sos_config_path_ {
    const char *names[SOS_CONFIG_PATH_KEYS_];
};

void sos_config_path_write_(struct sos_config_path_ path, struct sos_config_error *error);
int sos_config_value_write_(const json_t *value, struct sos_config_error *error);
void sos_config_string_write_(char *to, size_t size, const char *text, size_t length);
struct sos_config_sink_ sos_config_rule_(struct sos_config_error *error);

/* Words error->text from the rest; `file` may be NULL. */
int sos_config_refuse_(struct sos_config_error *error, int status, const char *file);

#endif
