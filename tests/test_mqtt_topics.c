/* SPDX-License-Identifier: MIT */
/* Topic names and filters, which match (4.7, 4.8.2), and topic aliases (3.3.2.3.4). */
#include "mqtt_bytes.h"

static struct sos_mqtt_slice_ slice(const char *text)
{
    return (struct sos_mqtt_slice_){ text, (uint32_t)strlen(text) };
}

static bool matches(const char *filter, const char *topic)
{
    return sos_mqtt_matches_(slice(filter), slice(topic));
}

static bool is_filter(int version, const char *text)
{
    uint32_t at;
    return sos_mqtt_filter_rule_(version, slice(text), &at) == NULL;
}

/* ---- Filters */

static void the_number_sign_is_the_last_level(void) /* [MQTT-4.7.1-1] */
{
    CHECK(is_filter(SOS_MQTT_3_, "#") && is_filter(SOS_MQTT_3_, "sport/tennis/#"));
    CHECK(is_filter(SOS_MQTT_3_, "/#") && is_filter(SOS_MQTT_3_, "//#"));
    CHECK(!is_filter(SOS_MQTT_3_, "sport/tennis#") && !is_filter(SOS_MQTT_3_, "sport/#/ranking"));
    CHECK(!is_filter(SOS_MQTT_3_, "##") && !is_filter(SOS_MQTT_3_, "#/"));
}

static void the_plus_sign_is_a_level(void) /* [MQTT-4.7.1-2] */
{
    CHECK(is_filter(SOS_MQTT_3_, "+") && is_filter(SOS_MQTT_3_, "+/tennis/#"));
    CHECK(is_filter(SOS_MQTT_3_, "sport/+/player1") && is_filter(SOS_MQTT_3_, "/+"));
    CHECK(!is_filter(SOS_MQTT_3_, "sport+") && !is_filter(SOS_MQTT_3_, "+a"));
    CHECK(!is_filter(SOS_MQTT_3_, "++") && !is_filter(SOS_MQTT_3_, "a/b+/c"));
}

static void a_shared_subscription_has_a_name_and_a_filter(void) /* [MQTT-4.8.2-1], [..-2] */
{
    CHECK(is_filter(SOS_MQTT_5_, "$share/g/a") && is_filter(SOS_MQTT_5_, "$share/g//"));
    CHECK(is_filter(SOS_MQTT_5_, "$share/g/#") && is_filter(SOS_MQTT_5_, "$shared"));
    CHECK(!is_filter(SOS_MQTT_5_, "$share/g") && !is_filter(SOS_MQTT_5_, "$share/g/"));
    CHECK(!is_filter(SOS_MQTT_5_, "$share//a") && !is_filter(SOS_MQTT_5_, "$share/"));
    CHECK(!is_filter(SOS_MQTT_5_, "$share/+/a") && !is_filter(SOS_MQTT_5_, "$share/g#/a"));
    CHECK(!is_filter(SOS_MQTT_5_, "$share/g/a#"));
    CHECK(is_filter(SOS_MQTT_3_, "$share/g")); /* an ordinary filter there */
    CHECK(sos_mqtt_is_shared_(slice("$share/g/a")) && !sos_mqtt_is_shared_(slice("$shar")));
    CHECK_INT(sos_mqtt_unshared_(slice("$share/g/a/b")).size, 3);
}

static void texts_of_65535_bytes_are_the_longest(void) /* [MQTT-4.7.3-3] */
{
    char *text = malloc(65536);
    uint32_t at;
    CHECK(text != NULL);
    memset(text, 'x', 65536);
    CHECK(sos_mqtt_topic_rule_((struct sos_mqtt_slice_){ text, 65535 }, &at) == NULL);
    CHECK(sos_mqtt_topic_rule_((struct sos_mqtt_slice_){ text, 65536 }, &at) != NULL);
    free(text);
}

/* ---- UTF-8: all code points, and what is none */

static uint32_t encode(uint32_t code, char *text)
{
    if (code < 0x80) {
        text[0] = (char)code;
        return 1;
    }
    uint32_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (uint32_t index = size - 1; index > 0; index--, code >>= 6)
        text[index] = (char)(0x80 | (code & 0x3F));
    text[0] = (char)((0xF00 >> size & 0xF0) | code);
    return size;
}

static void every_code_point_but_0_and_the_surrogates_is_text(void)
{
    char text[4];
    uint32_t at;
    for (uint32_t code = 0; code < 0x110100; code++) {
        struct sos_mqtt_slice_ string = { text, encode(code, text) };
        bool expected = code != 0 && (code < 0xD800 || code > 0xDFFF) && code < 0x110000;
        CHECK_INT(sos_mqtt_string_rule_(string, &at) == NULL, expected);
        string.size--;
        CHECK_INT(sos_mqtt_string_rule_(string, &at) == NULL, string.size == 0);
    }
}

static void overlong_forms_are_no_text(void)
{
    static const char *const forms[] = { "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\x80",
                                         "\xFE",     "\xC3\x28",     "\xE2\x82\x28" };
    uint32_t at;
    for (size_t index = 0; index < sizeof forms / sizeof forms[0]; index++)
        CHECK(sos_mqtt_string_rule_(slice(forms[index]), &at) != NULL);
}

/* ---- Matching */

static void examples_of_the_standard(void) /* 4.7.1.2, 4.7.1.3, 4.7.2 */
{
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    CHECK(matches("sport/#", "sport") && !matches("sport/#", "sports"));
    CHECK(matches("sport/tennis/+", "sport/tennis/player1"));
    CHECK(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    CHECK(!matches("sport/+", "sport") && matches("sport/+", "sport/"));
    CHECK(matches("+/+", "/finance") && matches("/+", "/finance") && !matches("+", "/finance"));
    CHECK(!matches("#", "$SYS/a") && !matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    CHECK(matches("$SYS/#", "$SYS/a") && matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    CHECK(!matches("ACCOUNTS", "Accounts")); /* [MQTT-4.7.3-4] */
    CHECK(matches("$share/g/a/+", "a/b") && !matches("$share/g/#", "$SYS/a"));
    CHECK(matches("+/#", "a") && matches("a/+/#", "a/b") && !matches("a/+/#", "a"));
}

/* Level by level, as the standard tells it. */
static bool matches_slowly(const char *filter, const char *topic)
{
    size_t level = strcspn(filter, "/"), other = strcspn(topic, "/");
    if (filter[0] == '#')
        return true;
    if (!(level == 1 && filter[0] == '+') && (level != other || strncmp(filter, topic, level) != 0))
        return false;
    if (topic[other] == '\0')
        return filter[level] == '\0' || strcmp(filter + level, "/#") == 0;
    return filter[level] == '/' && matches_slowly(filter + level + 1, topic + other + 1);
}

static void spell(char *text, unsigned number, const char *letters, unsigned count)
{
    for (; number != 0; number = (number - 1) / count)
        *text++ = letters[(number - 1) % count];
    *text = '\0';
}

static void all_short_filters_against_all_short_topics(void)
{
    char filter[12], topic[12];
    int found = 0;
    for (unsigned one = 1; one < 4000; one++) { /* of up to five letters */
        spell(filter, one, "a/+#$", 5);
        if (!is_filter(SOS_MQTT_3_, filter))
            continue;
        for (unsigned other = 1; other < 364; other++) {
            spell(topic, other, "a/$", 3);
            bool hidden = (filter[0] == '+' || filter[0] == '#') && topic[0] == '$';
            bool expected = !hidden && matches_slowly(filter, topic);
            if (matches(filter, topic) != expected)
                printf("%s %s\n", filter, topic);
            CHECK_INT(matches(filter, topic), expected);
            found += expected;
        }
    }
    CHECK(found > 1000);
}

/* ---- Aliases */

enum { MAXIMUM = 3, BYTES = 24 };

struct side {
    struct sos_mqtt_alias_ entries[MAXIMUM];
    char bytes[BYTES];
    struct sos_mqtt_aliases_ aliases;
};

static struct sos_mqtt_aliases_ *open_side(struct side *side)
{
    sos_mqtt_aliases_init_(&side->aliases, side->entries, MAXIMUM, side->bytes, BYTES);
    return &side->aliases;
}

static struct sos_mqtt_publish_ with_alias(const char *topic, int alias)
{
    struct sos_mqtt_publish_ publish = { .topic = slice(topic) };
    publish.properties.has = SOS_MQTT_HAS_TOPIC_ALIAS_;
    publish.properties.topic_alias = (uint16_t)alias;
    return publish;
}

static void reads(struct sos_mqtt_aliases_ *aliases, const char *topic, int alias,
                  const char *expected)
{
    struct sos_mqtt_publish_ publish = with_alias(topic, alias);
    struct sos_mqtt_error_ error;
    CHECK_INT(sos_mqtt_alias_read_(aliases, &publish, &error), SOS_OK);
    CHECK_INT(publish.topic.size, strlen(expected));
    CHECK(memcmp(publish.topic.data, expected, publish.topic.size) == 0);
}

static void refuses(struct sos_mqtt_aliases_ *aliases, const char *topic, int alias, int status,
                    int reason)
{
    struct sos_mqtt_publish_ publish = with_alias(topic, alias);
    struct sos_mqtt_error_ error;
    CHECK_INT(sos_mqtt_alias_read_(aliases, &publish, &error), status);
    CHECK_INT(error.reason, reason);
}

static void an_alias_that_was_read_stands_for_its_topic(void)
{
    struct side side;
    struct sos_mqtt_aliases_ *aliases = open_side(&side);
    reads(aliases, "first", 1, "first");
    reads(aliases, "second", 2, "second");
    reads(aliases, "", 1, "first");
    reads(aliases, "another", 1, "another"); /* changed */
    reads(aliases, "", 2, "second");
    reads(aliases, "", 1, "another");
    refuses(aliases, "", 3, SOS_EPROTO, SOS_MQTT_PROTOCOL_ERROR_);
    refuses(aliases, "x", 4, SOS_EPROTO, SOS_MQTT_TOPIC_ALIAS_INVALID_); /* [MQTT-3.3.2-9] */
    refuses(aliases, "x", 0, SOS_EPROTO, SOS_MQTT_TOPIC_ALIAS_INVALID_); /* [MQTT-3.3.2-8] */
    refuses(aliases, "more than all the bytes", 3, SOS_ELIMIT, SOS_MQTT_QUOTA_EXCEEDED_);
    reads(aliases, "", 2, "second");
}

static int alias_of(struct sos_mqtt_aliases_ *aliases, const char *topic, bool known)
{
    struct sos_mqtt_publish_ publish = { .topic = slice(topic) };
    sos_mqtt_alias_write_(aliases, &publish);
    CHECK_INT(publish.topic.size, known ? 0 : strlen(topic));
    return publish.properties.has != 0 ? publish.properties.topic_alias : 0;
}

static void the_topic_used_least_recently_loses_its_alias(void)
{
    struct side side;
    struct sos_mqtt_aliases_ *aliases = open_side(&side);
    CHECK_INT(alias_of(aliases, "a", false), 1);
    CHECK_INT(alias_of(aliases, "b", false), 2);
    CHECK_INT(alias_of(aliases, "c", false), 3);
    CHECK_INT(alias_of(aliases, "a", true), 1);
    CHECK_INT(alias_of(aliases, "d", false), 2);
    CHECK_INT(alias_of(aliases, "b", false), 3);
    CHECK_INT(alias_of(aliases, "a", true), 1);
    CHECK_INT(alias_of(aliases, "a topic too long for the bytes", false), 0);
    CHECK_INT(alias_of(aliases, "twenty-four bytes of it!", false), 2); /* all others go */
    CHECK_INT(alias_of(aliases, "a", false), 1);
    sos_mqtt_aliases_init_(aliases, side.entries, 0, side.bytes, BYTES);
    CHECK_INT(alias_of(aliases, "a", false), 0);
}

/* Whatever is written with aliases is read as it was without. */
static void both_ends_agree(void)
{
    struct side writer, reader;
    struct sos_mqtt_error_ error;
    char topic[12], bytes[MAXIMUM * sizeof topic];
    uint32_t random = 1;
    open_side(&writer);
    sos_mqtt_aliases_init_(&reader.aliases, reader.entries, MAXIMUM, bytes, sizeof bytes);
    for (int round = 0; round < 20000; round++) {
        random = random * 1664525 + 1013904223;
        snprintf(topic, sizeof topic, "%.*s", (int)(1 + (random >> 16) % 11), "abcdefghijk");
        struct sos_mqtt_publish_ publish = { .topic = slice(topic) };
        sos_mqtt_alias_write_(&writer.aliases, &publish);
        CHECK_INT(sos_mqtt_alias_read_(&reader.aliases, &publish, &error), SOS_OK);
        CHECK_INT(publish.topic.size, strlen(topic));
        CHECK(memcmp(publish.topic.data, topic, publish.topic.size) == 0);
    }
}

int main(void)
{
    the_number_sign_is_the_last_level();
    the_plus_sign_is_a_level();
    a_shared_subscription_has_a_name_and_a_filter();
    texts_of_65535_bytes_are_the_longest();
    every_code_point_but_0_and_the_surrogates_is_text();
    overlong_forms_are_no_text();
    examples_of_the_standard();
    all_short_filters_against_all_short_topics();
    an_alias_that_was_read_stands_for_its_topic();
    the_topic_used_least_recently_loses_its_alias();
    both_ends_agree();
    return 0;
}
