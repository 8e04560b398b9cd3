/* SPDX-License-Identifier: MIT */
/* The rules of "Configuration" in the reference; every test is named by the rule it holds. */
#include "check.h"
#include "smallos/config.h"
#include "smallos/error.h"
#include "smallos/kernel.h"

#include <stdbool.h>
#include <stdint.h>

#define ROOT_FILE SOS_SOURCE_DIR "/smallos.config.json"

/* ---- What the tests share */

static struct sos_config parsed(const char *text)
{
    struct sos_config config;
    struct sos_config_error error;
    memset(&config, 0xA5, sizeof config);
    int status = sos_config_parse(&config, text, strlen(text), &error);
    CHECK_TEXT(error.text, "");
    CHECK_INT(status, SOS_OK);
    CHECK_INT(error.status, SOS_OK);
    return config;
}

static bool same_config(const struct sos_config *a, const struct sos_config *b)
{
    return memcmp(&a->client_defaults, &b->client_defaults, sizeof a->client_defaults) == 0 &&
           a->task_capacity == b->task_capacity && a->priority_levels == b->priority_levels &&
           a->io_buffer_length == b->io_buffer_length &&
           a->eternal_watchers == b->eternal_watchers && a->policy == b->policy &&
           a->post_capacity == b->post_capacity && a->memory == b->memory;
}

/* Everything that holds for every refusal, whatever the text. */
static struct sos_config_error refused_bytes(const char *text, size_t length)
{
    struct sos_config config, before;
    struct sos_config_error error;
    memset(&config, 0xA5, sizeof config);
    before = config;
    int status = sos_config_parse(&config, text, length, &error);
    if (status != SOS_ECONFIG)
        fprintf(stderr, "not refused (%d): %.*s\n", status, (int)(length < 200 ? length : 200),
                text);
    CHECK_INT(status, SOS_ECONFIG);
    CHECK_INT(error.status, SOS_ECONFIG);
    CHECK(memcmp(&config, &before, sizeof config) == 0);
    CHECK(error.rule[0] != '\0');
    CHECK(strstr(error.text, error.rule) != NULL);
    CHECK(strstr(error.text, error.path) != NULL);
    CHECK(strstr(error.text, error.value) != NULL);
    for (const char *c = error.text; *c != '\0'; c++)
        CHECK((unsigned char)*c >= ' ' && *c != 0x7F);
    CHECK_INT(sos_config_parse(&config, text, length, NULL), SOS_ECONFIG);
    return error;
}

static struct sos_config_error refused(const char *text)
{
    return refused_bytes(text, strlen(text));
}

static void check_refused(const char *text, const char *whole)
{
    struct sos_config_error error = refused(text);
    CHECK_TEXT(error.text, whole);
}

/* ---- Defaults */

static void missing_keys_keep_their_defaults(void)
{
    struct sos_config config = parsed("{}");
    CHECK_INT(config.task_capacity, 1024);
    CHECK_INT(config.priority_levels, 10);
    CHECK_INT(config.io_buffer_length, 1024);
    CHECK_INT(config.eternal_watchers, false);
    CHECK_INT(config.client_defaults.stream.max_buffer_size, 16777216);
    CHECK_INT(config.client_defaults.http.max_response_size, 16777216);
    CHECK_INT(config.client_defaults.redis.max_response_size, 16777216);
    CHECK_INT(config.client_defaults.redis.max_nesting_depth, 32);
    CHECK_INT(config.client_defaults.mqtt.keepalive, 60);
    CHECK_INT(config.client_defaults.mqtt.max_packet_size, 262144);
    CHECK_INT(config.client_defaults.mqtt.max_queued_messages, 1024);
    CHECK_INT(config.client_defaults.sse.max_event_size, 1048576);
    CHECK_INT(config.client_defaults.sse.max_line_size, 65536);
    CHECK_INT(config.client_defaults.websocket.max_frame_size, 1048576);
    CHECK_INT(config.client_defaults.websocket.max_message_size, 4194304);
    CHECK_INT(config.client_defaults.websocket.max_line_size, 16384);
}

static void given_keys_leave_the_others_at_their_defaults(void)
{
    struct sos_config config = parsed("{\"client_defaults\": {\"mqtt\": {\"keepalive\": 5}}}");
    struct sos_config standard = parsed("{}");
    CHECK_INT(config.client_defaults.mqtt.keepalive, 5);
    standard.client_defaults.mqtt.keepalive = 5;
    CHECK(same_config(&config, &standard));
}

static void what_only_a_program_can_say_is_zero_after_reading(void)
{
    struct sos_config config = parsed("{\"task_capacity\": 7}");
    CHECK(config.policy == NULL && config.memory == NULL && config.report == NULL);
    CHECK(config.report_context == NULL && config.memory_size == 0);
    CHECK_INT(config.post_capacity, 0);
    CHECK_INT(config.frame_chunk, 0);
}

static void null_sections_are_the_default(void)
{
    struct sos_config standard = parsed("{}");
    static const char *const texts[] = {
        "{\"client_defaults\": null}",
        "{\"clients\": null}",
        "{\"client_defaults\": {}}",
        "{\"client_defaults\": {\"stream\": null, \"http\": null, \"redis\": null}}",
        "{\"client_defaults\": {\"mqtt\": null, \"sse\": {}, \"websocket\": null}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sos_config config = parsed(texts[i]);
        CHECK(same_config(&config, &standard));
    }
}

static void the_file_at_the_root_holds_the_defaults_as_written(void)
{
    struct sos_config config, standard = parsed("{}");
    struct sos_config_error error;
    char text[4096], file_text[4096];
    CHECK_INT(sos_config_load(&config, ROOT_FILE, &error), SOS_OK);
    CHECK(same_config(&config, &standard));
    CHECK(sos_config_write(&standard, text, sizeof text) > 0);
    FILE *file = fopen(ROOT_FILE, "rb");
    CHECK(file != NULL);
    file_text[fread(file_text, 1, sizeof file_text - 1, file)] = '\0';
    fclose(file);
    CHECK_TEXT(file_text, text);
}

static uint64_t no_time(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

static void no_wait(struct sos_kernel *kernel, sos *os, uint64_t until)
{
    (void)kernel, (void)os, (void)until;
}

static void no_wake(struct sos_kernel *kernel)
{
    (void)kernel;
}

static void the_runtime_has_the_same_defaults(void)
{
    static _Alignas(8) char memory[1 << 16];
    struct sos_kernel kernel = { .now = no_time, .wait = no_wait, .wake = no_wake };
    struct sos_config given = { .memory = memory, .memory_size = sizeof memory };
    struct sos_config standard = parsed("{}");
    sos *os;
    CHECK_INT(sos_create(&os, &given, &kernel), SOS_OK);
    const struct sos_config *used = sos_configuration(os);
    CHECK_INT(used->task_capacity, standard.task_capacity);
    CHECK_INT(used->priority_levels, standard.priority_levels);
    CHECK_INT(used->io_buffer_length, standard.io_buffer_length);
    CHECK(memcmp(&used->client_defaults, &standard.client_defaults,
                 sizeof standard.client_defaults) == 0);
    sos_destroy(os);
}

/* ---- Names */

static void aliases_are_read(void)
{
    struct sos_config config = parsed("{\"oslist_length\": 7, \"num_categories\": 3,"
                                      " \"clients\": {\"redis\": {\"max_nesting_depth\": 9}}}");
    CHECK_INT(config.task_capacity, 7);
    CHECK_INT(config.priority_levels, 3);
    CHECK_INT(config.client_defaults.redis.max_nesting_depth, 9);
}

static void the_canonical_name_wins_in_any_order(void)
{
    struct sos_config config = parsed("{\"oslist_length\": 7, \"task_capacity\": 8,"
                                      " \"priority_levels\": 4, \"num_categories\": 3}");
    CHECK_INT(config.task_capacity, 8);
    CHECK_INT(config.priority_levels, 4);
    static const char *const texts[] = {
        "{\"client_defaults\": {\"mqtt\": {\"keepalive\": 1}},"
        " \"clients\": {\"mqtt\": {\"keepalive\": 2, \"max_packet_size\": 3}}}",
        "{\"clients\": {\"mqtt\": {\"keepalive\": 2, \"max_packet_size\": 3}},"
        " \"client_defaults\": {\"mqtt\": {\"keepalive\": 1}}}",
    };
    for (size_t i = 0; i < 2; i++) {
        config = parsed(texts[i]);
        CHECK_INT(config.client_defaults.mqtt.keepalive, 1);
        CHECK_INT(config.client_defaults.mqtt.max_packet_size, 262144);
    }
    config = parsed("{\"client_defaults\": null, \"clients\": {\"mqtt\": {\"keepalive\": 2}}}");
    CHECK_INT(config.client_defaults.mqtt.keepalive, 60);
}

static void what_an_alias_says_is_checked_even_when_it_loses(void)
{
    check_refused("{\"task_capacity\": 8, \"oslist_length\": 0}",
                  "oslist_length = 0: must be an integer from 1 to 2147483647");
    check_refused("{\"client_defaults\": {}, \"clients\": {\"x\": 1}}",
                  "clients.x = 1: unknown section; there are stream, http, redis, mqtt, sse, "
                  "websocket");
}

static void unknown_keys_are_refused_at_every_level(void)
{
    check_refused("{\"task_capacty\": 5}",
                  "task_capacty = 5: unknown key; there are task_capacity, priority_levels, "
                  "io_buffer_length, eternal_watchers, client_defaults");
    check_refused(
        "{\"client_defaults\": {\"amqp\": {\"x\": [1, 2.5]}}}",
        "client_defaults.amqp = {\"x\":[1,2.5]}: unknown section; there are stream, http, "
        "redis, mqtt, sse, websocket");
    check_refused("{\"client_defaults\": {\"mqtt\": {\"keep_alive\": 5}}}",
                  "client_defaults.mqtt.keep_alive = 5: unknown key; there are keepalive, "
                  "max_packet_size, max_queued_messages");
    check_refused("{\"keepalive\": null}",
                  "keepalive = null: unknown key; there are task_capacity, priority_levels, "
                  "io_buffer_length, eternal_watchers, client_defaults");
    refused("{\"\": 1}");
    refused("{\"Task_Capacity\": 1}");
    refused("{\"policy\": \"edf\"}");
    refused("{\"client_defaults\": {\"mqtt.keepalive\": 1}}");
    refused("{\"client_defaults\": {\"client_defaults\": {}}}");
    refused("{\"client_defaults\": {\"task_capacity\": 1}}");
    refused("{\"mqtt\": {\"keepalive\": 1}}");
}

/* ---- Types and ranges */

static void a_wrong_type_is_refused(void)
{
    static const char *const wrong[] = { "5.0",   "1e2",      "0.0",       "-0.0", "true", "false",
                                         "null",  "\"5\"",    "[]",        "[5]",  "{}",   "\"\"",
                                         "1.5e3", "\"null\"", "{\"a\":1}", "1E0",  "0.5" };
    static const char *const keys[] = { "task_capacity", "priority_levels", "io_buffer_length",
                                        "oslist_length", "num_categories" };
    char text[200];
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            snprintf(text, sizeof text, "{\"%s\": %s}", keys[k], wrong[i]);
            struct sos_config_error error = refused(text);
            CHECK_TEXT(error.path, keys[k]);
            CHECK(strstr(error.rule, "must be an integer from ") != NULL);
            CHECK_INT(error.line, 0);
        }
    check_refused("{\"task_capacity\": 5.0}",
                  "task_capacity = 5.0: must be an integer from 1 to 2147483647");
    check_refused("{\"eternal_watchers\": 1}", "eternal_watchers = 1: must be true or false");
    check_refused("{\"eternal_watchers\": null}", "eternal_watchers = null: must be true or false");
    check_refused("{\"eternal_watchers\": \"true\"}",
                  "eternal_watchers = \"true\": must be true or false");
    check_refused("{\"client_defaults\": []}", "client_defaults = []: must be an object or null");
    check_refused("{\"clients\": 5}", "clients = 5: must be an object or null");
    check_refused("{\"client_defaults\": {\"mqtt\": 60}}",
                  "client_defaults.mqtt = 60: must be an object or null");
    check_refused("{\"client_defaults\": {\"sse\": {\"max_line_size\": null}}}",
                  "client_defaults.sse.max_line_size = null: must be an integer from 0 (unlimited) "
                  "to 4294967294");
}

static void a_value_out_of_range_is_refused(void)
{
    check_refused("{\"client_defaults\": {\"mqtt\": {\"keepalive\": -1}}}",
                  "client_defaults.mqtt.keepalive = -1: must be an integer from 0 (off) to "
                  "4294967294");
    check_refused("{\"io_buffer_length\": 4294967295}",
                  "io_buffer_length = 4294967295: must be an integer from 0 (none) to 4294967294");
    check_refused("{\"priority_levels\": 1}",
                  "priority_levels = 1: must be an integer from 2 to 256");
    refused("{\"priority_levels\": 257}");
    refused("{\"priority_levels\": 0}");
    refused("{\"priority_levels\": -2}");
    refused("{\"task_capacity\": 0}");
    refused("{\"task_capacity\": -1}");
    refused("{\"task_capacity\": 2147483648}");
    refused("{\"task_capacity\": 4294967296}");
    refused("{\"task_capacity\": 4294967297}");
    refused("{\"io_buffer_length\": 9223372036854775807}");
    refused("{\"io_buffer_length\": -9223372036854775808}");
    CHECK_INT(parsed("{\"priority_levels\": 2}").priority_levels, 2);
    CHECK_INT(parsed("{\"priority_levels\": 256}").priority_levels, 256);
    CHECK_INT(parsed("{\"task_capacity\": 1}").task_capacity, 1);
    CHECK_INT(parsed("{\"task_capacity\": 2147483647}").task_capacity, 2147483647);
    CHECK_INT(parsed("{\"io_buffer_length\": 4294967294}").io_buffer_length, 4294967294);
}

static void numbers_beyond_every_type_are_refused_by_the_same_rule(void)
{
    check_refused(
        "{\"client_defaults\":\n {\"mqtt\": {\"keepalive\": 123456789012345678901}}}",
        "line 2, column 25: client_defaults.mqtt.keepalive = 123456789012345678901: must be "
        "an integer from 0 (off) to 4294967294");
    check_refused(
        "{\"oslist_length\": -99999999999999999999}",
        "line 1, column 19: oslist_length = -99999999999999999999: must be an integer from "
        "1 to 2147483647");
    check_refused("{\"eternal_watchers\": 1e999}",
                  "line 1, column 22: eternal_watchers = 1e999: must be true or false");
    check_refused("{\"x\": [1e999]}",
                  "line 1, column 8: x = 1e999: is larger than any number may be");
    char text[5000] = "{\"task_capacity\": 9";
    memset(text + strlen(text), '9', 4000);
    strcat(text, "}");
    struct sos_config_error error = refused(text);
    CHECK_TEXT(error.path, "task_capacity");
    CHECK_TEXT(error.rule, "must be an integer from 1 to 2147483647");
}

static void zero_is_none_where_a_zero_means_something(void)
{
    struct sos_config config = parsed(
        "{\"io_buffer_length\": 0, \"client_defaults\": {\"stream\": {\"max_buffer_size\": 0},"
        " \"mqtt\": {\"keepalive\": -0, \"max_packet_size\": 0}, \"redis\": "
        "{\"max_nesting_depth\": 0}}}");
    CHECK_INT(config.io_buffer_length, SOS_NONE);
    CHECK_INT(config.client_defaults.stream.max_buffer_size, SOS_NONE);
    CHECK_INT(config.client_defaults.mqtt.keepalive, SOS_NONE);
    CHECK_INT(config.client_defaults.mqtt.max_packet_size, SOS_NONE);
    CHECK_INT(config.client_defaults.redis.max_nesting_depth, SOS_NONE);
    CHECK_INT(config.client_defaults.redis.max_response_size, 16777216);
}

static void long_names_and_values_are_cut(void)
{
    char text[3000] = "{\"";
    for (int i = 0; i < 300; i++)
        strcat(text, "\303\251\302\205");
    strcat(text, "\": \"");
    for (int i = 0; i < 300; i++)
        strcat(text, "\303\251");
    strcat(text, "\"}");
    struct sos_config_error error = refused(text);
    CHECK(strlen(error.path) < sizeof error.path);
    CHECK(strncmp(error.path, "\303\251??\303\251??", 8) == 0);
    CHECK_TEXT(error.path + strlen(error.path) - 5, "??...");
    CHECK_TEXT(error.value + strlen(error.value) - 5, "\303\251...");
    error = refused("{\"a\\nb\\u001b[31m\": \"c\\nd\"}");
    CHECK_TEXT(error.path, "a?b?[31m");
    CHECK_TEXT(error.value, "\"c\\nd\"");
}

/* ---- Malformed text */

static const struct {
    const char *what, *text;
    size_t length;
} malformed[] = {
#define WHOLE(what, text) { what, text, sizeof(text) - 1 },
#define VALUE(what, text) WHOLE(what, "{\"task_capacity\": " text "}")
#include "data/config_malformed.h"
#undef WHOLE
#undef VALUE
};

enum { MALFORMED = sizeof malformed / sizeof malformed[0] };

static void malformed_text_is_refused_and_the_place_is_told(void)
{
    CHECK(MALFORMED >= 120);
    for (size_t i = 0; i < MALFORMED; i++) {
        struct sos_config_error error = refused_bytes(malformed[i].text, malformed[i].length);
        if (error.line < 1 || error.column < 1)
            fprintf(stderr, "%s: %s\n", malformed[i].what, error.text);
        CHECK(error.line >= 1 && error.column >= 1);
    }
}

static void the_words_of_a_syntax_error_help(void)
{
    check_refused("", "line 1, column 1: the text is empty; a JSON object must be there");
    check_refused("[]", "line 1, column 1: must be a JSON object, which begins with a brace");
    check_refused("{}\n{}", "line 2, column 1: nothing may follow the closing brace");
    check_refused("{}], [{}", "line 1, column 3: nothing may follow the closing brace");
    check_refused("{\"a\": \"\377\"}", "line 1, column 8: a: unable to decode byte 0xff near '\"'");
    check_refused("{\"task_capacity\": 1,}", "line 1, column 21: string or '}' expected near '}'");
    check_refused("{},", "line 1, column 3: nothing may follow the closing brace");
    check_refused("{\"clients\":\n{\"mqtt\": {\"keepalive\": 1, \"keepalive\": 2",
                  "line 2, column 37: clients.mqtt.keepalive: stands there twice");
    check_refused("{\"clients\": {\"mqtt\": {\"keepalive\": 1",
                  "line 1, column 37: clients.mqtt.keepalive: the text ends too early");
    check_refused("{\"task_capacity\": 1,\n \"clients\": {\"mqtt\": {\"keepalive\": 0x1}}}",
                  "line 2, column 37: clients.mqtt.keepalive: '}' expected near 'x'");
}

static void a_text_cut_anywhere_is_refused(void)
{
    char text[4096];
    struct sos_config standard = parsed("{}");
    int length = sos_config_write(&standard, text, sizeof text);
    CHECK(length > 2 && text[length - 1] == '\n');
    for (size_t cut = 0; cut < (size_t)length - 1; cut++) {
        char *copy = malloc(cut + 1); /* its own block, so that reading on is seen */
        memcpy(copy, text, cut);
        struct sos_config_error error = refused_bytes(copy, cut);
        CHECK(error.line >= 1);
        free(copy);
    }
    for (size_t at = 0; at < (size_t)length; at++) {
        char kept = text[at];
        text[at] = '\0';
        refused_bytes(text, (size_t)length);
        text[at] = '\377';
        refused_bytes(text, (size_t)length);
        text[at] = kept;
    }
}

static void nesting_is_bounded(void)
{
    enum { DEEP = 100000 };
    static char text[DEEP * 6 + 100];
    static const char *const opens[] = { "[", "{\"a\":", "[{\"\":" };
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(opens[i]), length = 5;
        memcpy(text, "{\"x\":", 5);
        for (int n = 0; n < DEEP; n++, length += size)
            memcpy(text + length, opens[i], size);
        struct sos_config_error error = refused_bytes(text, length);
        CHECK_TEXT(error.rule, "more than 32 objects and arrays inside each other");
        refused_bytes(text + 5, length - 5);
    }
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    refused_bytes(text, 2 * DEEP);
    /* At the bound it is an unknown key, one beyond it is too deep. */
    struct sos_config_error error = refused("{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                                            "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}");
    CHECK_TEXT(error.path, "x");
    CHECK_INT(error.line, 0);
    error = refused("{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}");
    CHECK(error.line == 1 && error.path[0] == '\0');
}

static void text_is_bounded(void)
{
    char *text = malloc(SOS_CONFIG_TEXT_MAX + 1);
    memset(text, ' ', SOS_CONFIG_TEXT_MAX + 1);
    memcpy(text, "{}", 2);
    struct sos_config config;
    CHECK_INT(sos_config_parse(&config, text, SOS_CONFIG_TEXT_MAX, NULL), SOS_OK);
    struct sos_config_error error = refused_bytes(text, SOS_CONFIG_TEXT_MAX + 1);
    CHECK_TEXT(error.rule, "the text is longer than 1048576 bytes");
    memset(text, 'x', SOS_CONFIG_TEXT_MAX);
    memcpy(text, "{\"", 2);
    memcpy(text + SOS_CONFIG_TEXT_MAX - 4, "\":1}", 4);
    refused_bytes(text, SOS_CONFIG_TEXT_MAX);
    free(text);
}

/* ---- Well-formed text */

static void well_formed_configurations_are_accepted(void)
{
    static const char *const texts[] = {
#define CONFIGURATION(text) text,
#define VALUE(text)
#include "data/config_well_formed.h"
#undef CONFIGURATION
#undef VALUE
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        parsed(texts[i]);
    CHECK_INT(parsed("{\"task\\u005Fcapacity\": 5}").task_capacity, 5);
}

/* Of well-formed JSON that is no configuration, only the meaning is refused, not the text. */
static void well_formed_values_are_refused_only_for_their_type(void)
{
    static const char *const values[] = {
#define CONFIGURATION(text)
#define VALUE(text) text,
#include "data/config_well_formed.h"
#undef CONFIGURATION
#undef VALUE
    };
    char text[300];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(text, sizeof text, "{\"task_capacity\": %s}", values[i]);
        struct sos_config_error error = refused(text);
        CHECK_INT(error.line, 0);
        CHECK_TEXT(error.path, "task_capacity");
    }
}

/* ---- Files */

static void a_file_that_can_not_be_read_is_told(void)
{
    struct sos_config config;
    struct sos_config_error error;
    CHECK_INT(sos_config_load(&config, "no/such/file.json", &error), SOS_ENOENT);
    CHECK_TEXT(error.text, "no/such/file.json: there is no such file");
    CHECK_INT(error.status, SOS_ENOENT);
    CHECK_INT(sos_config_load(&config, "", &error), SOS_ENOENT);
    CHECK_INT(sos_config_load(&config, ROOT_FILE "/x", &error), SOS_ENOENT);
    CHECK_INT(sos_config_load(&config, SOS_SOURCE_DIR, &error), SOS_ENOENT);
    CHECK(strstr(error.text, ": is a directory, not a file") != NULL);
    CHECK_INT(sos_config_load(&config, SOS_SOURCE_DIR, NULL), SOS_ENOENT);
}

static void the_file_and_the_line_of_an_error_are_told(void)
{
    struct sos_config config;
    struct sos_config_error error;
    const char *path = SOS_SOURCE_DIR "/tests/data/config_broken.json";
    CHECK_INT(sos_config_load(&config, path, &error), SOS_ECONFIG);
    CHECK_INT(error.line, 4);
    CHECK(strstr(error.text, "config_broken.json:4:35: client_defaults.mqtt: ") != NULL);
}

static void null_arguments_are_refused(void)
{
    struct sos_config config = { 0 };
    struct sos_config_error error;
    CHECK_INT(sos_config_load(NULL, ROOT_FILE, &error), SOS_EINVAL);
    CHECK_INT(sos_config_load(&config, NULL, &error), SOS_EINVAL);
    CHECK_INT(sos_config_parse(NULL, "{}", 2, &error), SOS_EINVAL);
    CHECK_INT(sos_config_parse(&config, NULL, 0, &error), SOS_EINVAL);
    CHECK_INT(sos_config_copy_with(&config, NULL, "{}", 2, NULL), SOS_EINVAL);
    CHECK_INT(sos_config_check(NULL, &error), SOS_EINVAL);
    CHECK_INT(sos_config_write(NULL, NULL, 0), SOS_EINVAL);
    CHECK(error.text[0] != '\0');
}

/* ---- Copies and writing */

static void a_copy_has_the_changes_and_everything_else(void)
{
    static char memory[8];
    struct sos_config base = { .task_capacity = 5, .memory = memory, .post_capacity = 77 };
    struct sos_config copy;
    base.client_defaults.mqtt.keepalive = SOS_NONE;
    base.client_defaults.sse.max_line_size = 4;
    base.client_defaults.sse.max_event_size = 5;
    const char *changes = "{\"num_categories\": 3, \"clients\": {\"sse\": {\"max_line_size\": 9}}}";
    CHECK_INT(sos_config_copy_with(&copy, &base, changes, strlen(changes), NULL), SOS_OK);
    CHECK_INT(copy.task_capacity, 5);
    CHECK_INT(copy.priority_levels, 3);
    CHECK_INT(copy.client_defaults.mqtt.keepalive, SOS_NONE);
    CHECK_INT(copy.client_defaults.sse.max_line_size, 9);
    CHECK_INT(copy.client_defaults.sse.max_event_size, 5);
    CHECK_INT(copy.post_capacity, 77);
    CHECK(copy.memory == memory);
    changes = "{\"client_defaults\": {\"sse\": null}}";
    CHECK_INT(sos_config_copy_with(&copy, &copy, changes, strlen(changes), NULL), SOS_OK);
    CHECK_INT(copy.client_defaults.sse.max_line_size, 65536);
    CHECK_INT(copy.client_defaults.mqtt.keepalive, SOS_NONE);
    changes = "{\"client_defaults\": null}";
    CHECK_INT(sos_config_copy_with(&copy, &copy, changes, strlen(changes), NULL), SOS_OK);
    CHECK_INT(copy.client_defaults.mqtt.keepalive, 60);
    CHECK_INT(copy.priority_levels, 3);
}

static void a_refused_change_changes_nothing(void)
{
    struct sos_config config = parsed("{\"task_capacity\": 5}"), before = config;
    const char *changes = "{\"priority_levels\": 5, \"client_defaults\": {\"mqtt\": {\"x\": 1}}}";
    CHECK_INT(sos_config_copy_with(&config, &config, changes, strlen(changes), NULL), SOS_ECONFIG);
    CHECK(same_config(&config, &before));
}

static void a_struct_made_in_c_is_checked_by_the_same_rules(void)
{
    struct sos_config config = { .priority_levels = 300 };
    struct sos_config_error error;
    CHECK_INT(sos_config_check(&config, &error), SOS_ECONFIG);
    CHECK_TEXT(error.text, "priority_levels = 300: must be an integer from 2 to 256");
    CHECK_INT(sos_config_copy_with(&config, &config, "{}", 2, NULL), SOS_ECONFIG);
    CHECK_INT(sos_config_write(&config, NULL, 0), SOS_ECONFIG);
    const char *mended = "{\"priority_levels\": 30}";
    CHECK_INT(sos_config_copy_with(&config, &config, mended, strlen(mended), NULL), SOS_OK);
    config = (struct sos_config){ .task_capacity = SOS_NONE };
    CHECK_INT(sos_config_check(&config, &error), SOS_ECONFIG);
    CHECK_TEXT(error.path, "task_capacity");
    config = (struct sos_config){ .io_buffer_length = SOS_NONE };
    CHECK_INT(sos_config_check(&config, &error), SOS_OK);
}

/* Writes it, reads that, and expects what was written; returns nothing but survivors. */
static void check_identity(const struct sos_config *config)
{
    char text[4096], again[4096];
    int length = sos_config_write(config, text, sizeof text);
    CHECK(length > 0 && (size_t)length < sizeof text);
    CHECK_INT(strlen(text), length);
    struct sos_config copy = parsed(text);
    CHECK(same_config(&copy, config));
    CHECK_INT(sos_config_write(&copy, again, sizeof again), length);
    CHECK_TEXT(again, text);
}

static void what_is_written_reads_back_the_same(void)
{
    uint32_t state = 1;
    static const uint32_t extremes[] = { SOS_NONE, SOS_NONE - 1, 1, 2, 1u << 31 };
    for (int round = 0; round < 2000; round++) {
        struct sos_config config = parsed("{}");
        uint32_t limits[sizeof config.client_defaults / sizeof(uint32_t)];
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            state = state * 1664525u + 1013904223u;
            limits[i] = state >> 30 != 0 ? extremes[(state >> 8) % 5] : (state | 1u) - 1u + 2u;
            if (limits[i] == 0)
                limits[i] = 1;
        }
        memcpy(&config.client_defaults, limits, sizeof limits);
        config.task_capacity = (state >> 4) + 1;
        config.priority_levels = 2 + (state >> 9) % 255;
        config.io_buffer_length = extremes[(state >> 3) % 5];
        config.eternal_watchers = (state >> 12 & 1) != 0;
        check_identity(&config);
    }
}

static void written_text_has_canonical_names_and_the_defaults_of_zeros(void)
{
    struct sos_config zero = { 0 }, standard = parsed("{}");
    char text[4096], other[4096];
    CHECK(sos_config_write(&zero, text, sizeof text) > 0);
    CHECK(sos_config_write(&standard, other, sizeof other) > 0);
    CHECK_TEXT(text, other);
    CHECK(strstr(text, "\"clients\"") == NULL && strstr(text, "oslist_length") == NULL);
    CHECK(strstr(text, "\"client_defaults\"") != NULL);
}

static void writing_cuts_like_snprintf(void)
{
    struct sos_config standard = parsed("{}");
    char whole[4096], text[4096];
    int length = sos_config_write(&standard, whole, sizeof whole);
    CHECK_INT(sos_config_write(&standard, NULL, 0), length);
    for (size_t size = 1; size <= (size_t)length + 2; size++) {
        size_t kept = size <= (size_t)length ? size - 1 : (size_t)length;
        memset(text, 'z', sizeof text);
        CHECK_INT(sos_config_write(&standard, text, size), length);
        CHECK(memcmp(text, whole, kept) == 0 && text[kept] == '\0' && text[size] == 'z');
    }
}

int main(void)
{
    missing_keys_keep_their_defaults();
    given_keys_leave_the_others_at_their_defaults();
    what_only_a_program_can_say_is_zero_after_reading();
    null_sections_are_the_default();
    the_file_at_the_root_holds_the_defaults_as_written();
    the_runtime_has_the_same_defaults();
    aliases_are_read();
    the_canonical_name_wins_in_any_order();
    what_an_alias_says_is_checked_even_when_it_loses();
    unknown_keys_are_refused_at_every_level();
    a_wrong_type_is_refused();
    a_value_out_of_range_is_refused();
    numbers_beyond_every_type_are_refused_by_the_same_rule();
    zero_is_none_where_a_zero_means_something();
    long_names_and_values_are_cut();
    malformed_text_is_refused_and_the_place_is_told();
    the_words_of_a_syntax_error_help();
    a_text_cut_anywhere_is_refused();
    nesting_is_bounded();
    text_is_bounded();
    well_formed_configurations_are_accepted();
    well_formed_values_are_refused_only_for_their_type();
    a_file_that_can_not_be_read_is_told();
    the_file_and_the_line_of_an_error_are_told();
    null_arguments_are_refused();
    a_copy_has_the_changes_and_everything_else();
    a_refused_change_changes_nothing();
    a_struct_made_in_c_is_checked_by_the_same_rules();
    what_is_written_reads_back_the_same();
    written_text_has_canonical_names_and_the_defaults_of_zeros();
    writing_cuts_like_snprintf();
    return 0;
}
