/* SPDX-License-Identifier: MIT */
/* The words of an error: one line each, whatever the input holds, cut where there is no room. */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FILE_SHOWN = 200 }; /* bytes of a file's name, from its end */

void sos_config_sink_put_(struct sos_config_sink_ *sink, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++, sink->length++)
        if (sink->length + 1 < sink->size)
            sink->text[sink->length] = text[i];
}

void sos_config_sink_puts_(struct sos_config_sink_ *sink, const char *text)
{
    sos_config_sink_put_(sink, text, strlen(text));
}

void sos_config_sink_number_(struct sos_config_sink_ *sink, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    sos_config_sink_puts_(sink, digits);
}

static bool continues_a_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Keeps a terminal from being told what to do: no control characters, U+0080 to U+009F included. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];
        if (first < ' ' || first == 0x7F)
            *text = '?';
        else if (first == 0xC2 && second >= 0x80 && second < 0xA0)
            text[0] = text[1] = '?';
    }
}

void sos_config_sink_end_(struct sos_config_sink_ *sink)
{
    if (sink->length < sink->size) {
        sink->text[sink->length] = '\0';
    } else {
        size_t end = sink->size - sizeof "...";
        while (end > 0 && continues_a_character(sink->text[end]))
            end--;
        memcpy(sink->text + end, "...", sizeof "...");
    }
    make_printable(sink->text);
}

void sos_config_string_write_(char *to, size_t size, const char *text, size_t length)
{
    struct sos_config_sink_ sink = { to, size, 0 };
    sos_config_sink_put_(&sink, text, length);
    sos_config_sink_end_(&sink);
}

void sos_config_path_write_(struct sos_config_path_ path, struct sos_config_error *error)
{
    struct sos_config_sink_ sink = { error->path, sizeof error->path, 0 };
    for (size_t i = 0; i < SOS_CONFIG_PATH_KEYS_ && path.names[i] != NULL; i++) {
        if (i > 0)
            sos_config_sink_puts_(&sink, ".");
        sos_config_sink_puts_(&sink, path.names[i]);
    }
    sos_config_sink_end_(&sink);
}

/* Ends the dump of a value when there is no more room for it. */
static int put_dumped(const char *text, size_t length, void *sink_)
{
    struct sos_config_sink_ *sink = sink_;
    sos_config_sink_put_(sink, text, length);
    return sink->length < sink->size ? 0 : -1;
}

int sos_config_value_write_(const json_t *value, struct sos_config_error *error)
{
    struct sos_config_sink_ sink = { error->value, sizeof error->value, 0 };
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15);
    int dumped = json_dump_callback(value, put_dumped, &sink, flags);
    if (dumped != 0 && sink.length < sink.size)
        return SOS_ENOMEM;
    sos_config_sink_end_(&sink);
    return SOS_OK;
}

struct sos_config_sink_ sos_config_rule_(struct sos_config_error *error)
{
    return (struct sos_config_sink_){ error->rule, sizeof error->rule, 0 };
}

static void say_where(const struct sos_config_error *error, const char *file,
                      struct sos_config_sink_ *sink)
{
    if (file != NULL) {
        size_t length = strlen(file);
        if (length > FILE_SHOWN)
            sos_config_sink_puts_(sink, "...");
        sos_config_sink_puts_(sink, length > FILE_SHOWN ? file + length - FILE_SHOWN : file);
        sos_config_sink_puts_(sink, error->line > 0 ? ":" : ": ");
    } else if (error->line > 0) {
        sos_config_sink_puts_(sink, "line ");
    }
    if (error->line > 0) {
        sos_config_sink_number_(sink, (uint64_t)error->line);
        sos_config_sink_puts_(sink, file != NULL ? ":" : ", column ");
        sos_config_sink_number_(sink, (uint64_t)error->column);
        sos_config_sink_puts_(sink, ": ");
    }
}

int sos_config_refuse_(struct sos_config_error *error, int status, const char *file)
{
    struct sos_config_sink_ sink = { error->text, sizeof error->text, 0 };
    say_where(error, file, &sink);
    sos_config_sink_puts_(&sink, error->path);
    if (error->value[0] != '\0') {
        sos_config_sink_puts_(&sink, error->path[0] != '\0' ? " = " : "");
        sos_config_sink_puts_(&sink, error->value);
    }
    if (error->path[0] != '\0' || error->value[0] != '\0')
        sos_config_sink_puts_(&sink, ": ");
    sos_config_sink_puts_(&sink, error->rule);
    sos_config_sink_end_(&sink);
    error->status = status;
    return status;
}
