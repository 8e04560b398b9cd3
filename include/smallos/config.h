/* SPDX-License-Identifier: MIT */
/*
 * Configuration as JSON: read into a struct sos_config, checked, changed and written back. What
 * the keys are and what they mean stands at struct sos_config (smallos/runtime.h);
 * smallos.config.json at the root of the project holds them all with their defaults.
 *
 *     struct sos_config config;
 *     struct sos_config_error error;
 *     if (sos_config_load(&config, "smallos.config.json", &error) < 0)
 *         fprintf(stderr, "%s\n", error.text);
 *
 * The rules. Missing keys and sections have their defaults, and so has a section that is null.
 * An unknown key, a wrong type and a value out of range are refused, and so is a key that stands
 * there twice. `oslist_length`, `num_categories` and `clients` are read as `task_capacity`,
 * `priority_levels` and `client_defaults`, which win where both are given (what the loser says is
 * still checked). A limit of 0 is unlimited and a keep-alive of 0 off, which is SOS_NONE in the
 * struct.
 *
 * All functions may be called from any thread; none keeps a pointer that it was given.
 */
#ifndef SMALLOS_CONFIG_H
#define SMALLOS_CONFIG_H

#include <stddef.h>

#include "smallos/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SOS_CONFIG_TEXT_MAX = 1 << 20, /* bytes of JSON; more is refused */
    SOS_CONFIG_DEPTH_MAX = 32      /* objects and arrays inside each other; more is refused */
};

/*
 * What was refused and why. Every string is one line and ends in "..." where it was cut; those
 * that do not apply are empty. All zero after a success.
 */
struct sos_config_error {
    int status;       /* what the function returned */
    int line, column; /* where the text is no JSON, counted from 1; else 0 */
    char path[96];    /* "client_defaults.mqtt.keepalive", with the names as they were written */
    char value[64];   /* as JSON: "-1" */
    char rule[192];   /* "must be an integer from 0 (off) to 4294967294" */
    char text[640];   /* all of it for people, with the name of the file */
};

/*
 * Reads a configuration. On success the whole of *config is written, every default filled in;
 * what only a program can say (policy, memory, report ...) is zero: set it afterwards, or use
 * sos_config_copy_with. On an error *config is as before. `error` may be NULL. Allocates with
 * jansson's allocator and gives everything back; sos_config_load blocks on the file.
 * 0; SOS_ECONFIG: refused; SOS_ENOMEM; SOS_EINVAL: a NULL argument; and sos_config_load:
 * SOS_ENOENT: no such file, or a directory; SOS_EACCES; SOS_EMFILE; SOS_EIO.
 */
int sos_config_load(struct sos_config *config, const char *path, struct sos_config_error *error);
int sos_config_parse(struct sos_config *config, const char *text, size_t length,
                     struct sos_config_error *error);

/*
 * A copy of `base` (which may be `copy` itself) in which the keys that the JSON text `changes`
 * names are changed: `{"client_defaults": {"mqtt": {"keepalive": 5}}}`. A section that is null
 * goes back to its defaults. Everything else stays, also what only a program can say; zeros that
 * mean a default are filled in. Returns what sos_config_parse returns; SOS_ECONFIG also when
 * `base` itself has a field out of range that is not changed.
 */
int sos_config_copy_with(struct sos_config *copy, const struct sos_config *base,
                         const char *changes, size_t length, struct sos_config_error *error);

/*
 * Tells which field of a configuration made in C breaks its rule. 0, SOS_ECONFIG or SOS_EINVAL.
 */
int sos_config_check(const struct sos_config *config, struct sos_config_error *error);

/*
 * Writes a configuration as JSON: every key under its canonical name, defaults filled in, with a
 * newline at the end. Like snprintf: at most `size` bytes with the final zero, and returns the
 * length that all of it has (without the zero), so (NULL, 0) asks for the length. Reading the
 * text again gives the same configuration. Allocates nothing. SOS_ECONFIG: a field is out of
 * range, SOS_EINVAL: `config` is NULL; the text is empty then.
 * Give it what sos_create was given: in what sos_configuration returns, zero is really zero.
 */
int sos_config_write(const struct sos_config *config, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
