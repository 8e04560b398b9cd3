/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Raw */

/* Items are parted by line ends; a key and its value by a space. */
static void print_raw(const struct sos_redis_value *value)
{
    if (value->type < SOS_REDIS_ARRAY) {
        fwrite(value->text, 1, value->length, stdout);
        return;
    }
    bool map = value->type == SOS_REDIS_MAP;
    const struct sos_redis_value *item = value + 1;
    for (uint32_t index = 0; index < value->count; index++, item = sos_redis_next(item)) {
        if (index != 0)
            putchar(map && index % 2 == 1 ? ' ' : '\n');
        print_raw(item);
    }
}

/* ---- For people */

static void print_quoted(const char *text, size_t length)
{
    static const char named[] = "\"\\\n\r\t\a\b", letters[] = "\"\\nrtab";
    putchar('"');
    for (size_t index = 0; index < length; index++) {
        unsigned char c = (unsigned char)text[index];
        size_t at = 0;
        while (named[at] != '\0' && named[at] != (char)c)
            at++;
        if (named[at] != '\0')
            printf("\\%c", letters[at]);
        else if (c < ' ' || c > '~')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_scalar(const struct sos_redis_value *value)
{
    switch (value->type) {
    case SOS_REDIS_NULL:
        printf("(nil)");
        break;
    case SOS_REDIS_ERROR:
        printf("(error) %s", value->text);
        break;
    case SOS_REDIS_INTEGER:
        printf("(integer) %" PRId64, value->integer);
        break;
    case SOS_REDIS_DOUBLE:
        printf("(double) %s", value->text);
        break;
    case SOS_REDIS_BOOLEAN:
        printf("(%s)", value->integer != 0 ? "true" : "false");
        break;
    case SOS_REDIS_ARRAY:
    case SOS_REDIS_SET:
    case SOS_REDIS_MAP:
        break;
    case SOS_REDIS_STRING:
        if (value->wire == '+' || value->wire == '(')
            printf("%s", value->text);
        else
            print_quoted(value->text, value->length);
        break;
    }
}

static int digits(uint32_t number)
{
    int count = 1;
    for (; number >= 10; number /= 10)
        count++;
    return count;
}

static void print_formatted(const struct sos_redis_value *value, int indent);

static void print_items(const struct sos_redis_value *value, int indent)
{
    bool map = value->type == SOS_REDIS_MAP;
    uint32_t count = map ? value->count / 2 : value->count;
    char mark = map ? '#' : value->type == SOS_REDIS_SET ? '~' : ')';
    int width = digits(count);
    const struct sos_redis_value *item = value + 1;
    for (uint32_t index = 0; index < count; index++, item = sos_redis_next(item)) {
        printf("%*s%*u%c ", index != 0 ? indent : 0, "", width, index + 1, mark);
        if (map) {
            print_scalar(item); /* what has no text prints as nothing */
            printf(" => ");
            item = sos_redis_next(item);
        }
        print_formatted(item, indent + width + 2);
    }
}

/* Its first line begins where the output stands, the others at `indent`. */
static void print_formatted(const struct sos_redis_value *value, int indent)
{
    static const char *const empty[] = { "(empty array)", "(empty set)", "(empty hash)" };
    if (value->type < SOS_REDIS_ARRAY) {
        print_scalar(value);
        putchar('\n');
    } else if (value->count == 0) {
        puts(empty[value->type - SOS_REDIS_ARRAY]);
    } else {
        print_items(value, indent);
    }
}

void print_reply(const struct sos_redis_value *value, bool raw)
{
    if (!raw) {
        print_formatted(value, 0);
        return;
    }
    print_raw(value);
    putchar('\n');
}
