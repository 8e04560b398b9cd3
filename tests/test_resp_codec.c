/* SPDX-License-Identifier: MIT */
/*
 * RESP2 and RESP3 as text: every test is named by the rule it holds, every input is also read in
 * all two portions and byte by byte.
 *
 * A transcript: a scalar is its type and <text>, an aggregate type, count and (...), a string in
 * chunks the same around its text, a null _; a line ends with each whole reply.
 */
#include "check.h"
#include "portions.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/decimal.h"
#include "proto/resp.h"

/* ---- What the tests share */

static void transcribe_event(struct transcript *to, int kind, const struct sos_resp_event_ *event)
{
    if (kind == SOS_RESP_BEGIN_)
        transcribe(to, "%c%lld(", event->type, (long long)event->integer);
    else if (kind == SOS_RESP_END_)
        transcribe(to, ")");
    else if (kind == SOS_RESP_CHUNK_)
        transcribe_bytes(to, event->text, event->length);
    else {
        transcribe(to, "%c<", event->type);
        transcribe_bytes(to, event->text, event->length);
        transcribe(to, ">");
    }
    if (kind == SOS_RESP_VALUE_ && event->type == SOS_RESP_DOUBLE_)
        transcribe(to, "%.17g", event->number);
    if (kind == SOS_RESP_VALUE_ &&
        (event->type == SOS_RESP_INTEGER_ || event->type == SOS_RESP_BOOLEAN_))
        transcribe(to, "%lld", (long long)event->integer);
    if (event->type == SOS_RESP_VERBATIM_ && kind != SOS_RESP_END_ && kind != SOS_RESP_CHUNK_)
        transcribe(to, "[%.3s]", event->text - 4);
    transcribe(to, event->whole ? "\n" : "");
}

/* What it has not taken is given to the parser again, in memory that ends where it ends. */
static void parse(struct transcript *to, const char *bytes, size_t length, size_t cut, void *limits)
{
    struct sos_resp_level_ levels[SOS_RESP_NESTING_MOST_];
    struct sos_resp_parser_ parser;
    struct sos_resp_event_ event;
    size_t taken = 0;
    sos_resp_init_(&parser, limits, levels);
    for (size_t end = 0; end < length || length == 0;) {
        int kind;
        end = portion_end(end, length, cut);
        do {
            char *window = exact_copy(bytes + taken, end - taken);
            kind = sos_resp_next_(&parser, window, end - taken, &event);
            if (kind > 0)
                transcribe_event(to, kind, &event);
            free(window);
            CHECK(event.taken <= end - taken);
            taken += event.taken;
            CHECK(kind != SOS_PARTIAL_ || event.wanted > end - taken);
            CHECK_INT(parser.at, taken);
        } while (kind > 0);
        if (kind < 0) {
            transcribe(to, "%s at %d: %s", sos_error_name(kind), (int)parser.error.at,
                       parser.error.rule);
            CHECK_INT(sos_resp_next_(&parser, bytes, length, &event), kind);
            return;
        }
        if (length == 0)
            return;
    }
    transcribe(to, taken < length ? "..." : parser.at > parser.reply_at ? ".." : "");
}

static const char *read_with(struct sos_resp_limits_ limits, const char *bytes, size_t length)
{
    return check_portions(parse, bytes, length, &limits);
}

#define READ(literal) read_with((struct sos_resp_limits_){ 0 }, literal, sizeof(literal) - 1)
#define READ_WITH(literal, ...)                                                                    \
    read_with((struct sos_resp_limits_){ __VA_ARGS__ }, literal, sizeof(literal) - 1)

/* ---- RESP2 */

static void simple_strings_and_errors_are_lines(void)
{
    CHECK_TEXT(READ("+OK\r\n"), "+<OK>\n");
    CHECK_TEXT(READ("+\r\n"), "+<>\n");
    CHECK_TEXT(READ("-ERR no such key\r\n"), "-<ERR no such key>\n");
    CHECK_TEXT(READ("+a\0b\r\n"), "+<a\\00b>\n");
    CHECK_TEXT(READ("+a\nb\r\n"), "SOS_EPROTO at 2: CR stands before LF");
    CHECK_TEXT(READ("+a\rb\r\n"), "SOS_EPROTO at 3: LF follows CR");
    CHECK_TEXT(READ("+OK"), "...");
    CHECK_TEXT(READ("+OK\r"), "...");
}

static void integers_fit_64_bits(void)
{
    CHECK_TEXT(READ(":0\r\n"), ":<0>0\n");
    CHECK_TEXT(READ(":+12\r\n:-12\r\n"), ":<+12>12\n:<-12>-12\n");
    CHECK_TEXT(READ(":9223372036854775807\r\n"), ":<9223372036854775807>9223372036854775807\n");
    CHECK_TEXT(READ(":-9223372036854775808\r\n"), ":<-9223372036854775808>-9223372036854775808\n");
    CHECK_TEXT(READ(":9223372036854775808\r\n"), "SOS_EPROTO at 19: an integer fits 64 bits");
    CHECK_TEXT(READ(":-9223372036854775809\r\n"), "SOS_EPROTO at 20: an integer fits 64 bits");
    CHECK_TEXT(READ(":99999999999999999999\r\n"), "SOS_EPROTO at 19: an integer fits 64 bits");
    CHECK_TEXT(READ(":\r\n"), "SOS_EPROTO at 1: an integer is a sign and digits");
    CHECK_TEXT(READ(":-\r\n"), "SOS_EPROTO at 2: an integer is a sign and digits");
    CHECK_TEXT(READ(":1a\r\n"), "SOS_EPROTO at 2: CR LF ends here");
    CHECK_TEXT(READ(": 1\r\n"), "SOS_EPROTO at 1: an integer is a sign and digits");
}

static void bulk_strings_hold_any_bytes(void)
{
    CHECK_TEXT(READ("$5\r\nhello\r\n"), "$<hello>\n");
    CHECK_TEXT(READ("$0\r\n\r\n"), "$<>\n");
    CHECK_TEXT(READ("$4\r\n\r\n\0\xFF\r\n"), "$<\\0d\\0a\\00\\ff>\n");
    CHECK_TEXT(READ("$-1\r\n"), "_<>\n");
    CHECK_TEXT(READ("$-2\r\n"), "SOS_EPROTO at 2: the only length below 0 is -1");
    CHECK_TEXT(READ("$-10\r\n"), "SOS_EPROTO at 3: CR LF ends here");
    CHECK_TEXT(READ("$3\r\nhello\r\n"), "SOS_EPROTO at 7: CR LF ends here");
    CHECK_TEXT(READ("$5\r\nhello\rx"), "SOS_EPROTO at 10: LF follows CR");
    CHECK_TEXT(READ("$+5\r\nhello\r\n"), "SOS_EPROTO at 1: a length is digits");
    CHECK_TEXT(READ("$\r\n"), "SOS_EPROTO at 1: a length is digits");
    CHECK_TEXT(READ("$5\nhello\r\n"), "SOS_EPROTO at 2: CR LF ends here");
    CHECK_TEXT(READ("$5\r\nhell"), "...");
}

static void aggregates_end_with_their_last_element(void)
{
    CHECK_TEXT(READ("*2\r\n$1\r\na\r\n:1\r\n+OK\r\n"), "*2($<a>:<1>1)\n+<OK>\n");
    CHECK_TEXT(READ("*0\r\n"), "*0()\n");
    CHECK_TEXT(READ("*-1\r\n"), "_<>\n");
    CHECK_TEXT(READ("*3\r\n*1\r\n*0\r\n*-1\r\n+x\r\n"), "*3(*1(*0())_<>+<x>)\n");
    CHECK_TEXT(READ("*-1\r\n*-5\r\n"), "_<>\nSOS_EPROTO at 7: the only length below 0 is -1");
    CHECK_TEXT(READ("*2\r\n+x\r\n"), "*2(+<x>..");
}

static void an_error_in_an_array_leaves_the_connection_in_step(void)
{
    CHECK_TEXT(READ("*3\r\n+a\r\n-ERR in the middle\r\n*2\r\n-ERR nested\r\n:1\r\n+next\r\n"),
               "*3(+<a>-<ERR in the middle>*2(-<ERR nested>:<1>1))\n+<next>\n");
}

/* ---- RESP3 */

static void resp3_has_null_boolean_and_big_number(void)
{
    CHECK_TEXT(READ("_\r\n#t\r\n#f\r\n"), "_<>\n#<t>1\n#<f>0\n");
    CHECK_TEXT(READ("_x\r\n"), "SOS_EPROTO at 1: CR LF ends here");
    CHECK_TEXT(READ("#x\r\n"), "SOS_EPROTO at 1: a boolean is t or f");
    CHECK_TEXT(READ("#true\r\n"), "SOS_EPROTO at 2: CR LF ends here");
    CHECK_TEXT(READ("(3492890328409238509324850943850943825024385\r\n(-1\r\n"),
               "(<3492890328409238509324850943850943825024385>\n(<-1>\n");
    CHECK_TEXT(READ("(\r\n"), "SOS_EPROTO at 1: a big number is a sign and digits");
    CHECK_TEXT(READ("(-\r\n"), "SOS_EPROTO at 2: a big number is a sign and digits");
    CHECK_TEXT(READ("(12x\r\n"), "SOS_EPROTO at 3: a big number is a sign and digits");
}

static void resp3_doubles_are_decimal_inf_or_nan(void)
{
    CHECK_TEXT(READ(",1.23\r\n,10\r\n,-1e-3\r\n"), ",<1.23>1.23\n,<10>10\n,<-1e-3>-0.001\n");
    CHECK_TEXT(READ(",inf\r\n,-inf\r\n,nan\r\n"), ",<inf>inf\n,<-inf>-inf\n,<nan>nan\n");
    static const char rule[] = "a double is a decimal number, inf, -inf or nan";
    struct {
        const char *text;
        int at;
    } wrong[] = { { ",\r\n", 1 },      { ",.5\r\n", 1 },       { ",1.\r\n", 2 },
                  { ",1.x\r\n", 3 },   { ",1e\r\n", 2 },       { ",1e+\r\n", 3 },
                  { ",0x1p3\r\n", 2 }, { ",infinity\r\n", 1 }, { ", 1\r\n", 1 },
                  { ",1 \r\n", 2 },    { ",--1\r\n", 2 },      { ",INF\r\n", 1 },
                  { ",1e5.0\r\n", 4 } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char expected[100];
        snprintf(expected, sizeof expected, "SOS_EPROTO at %d: %s", wrong[i].at, rule);
        CHECK_TEXT(read_with((struct sos_resp_limits_){ 0 }, wrong[i].text, strlen(wrong[i].text)),
                   expected);
    }
}

static void resp3_has_bulk_errors_and_verbatim_strings(void)
{
    CHECK_TEXT(READ("!21\r\nSYNTAX invalid syntax\r\n"), "!<SYNTAX invalid syntax>\n");
    CHECK_TEXT(READ("=15\r\ntxt:Some string\r\n"), "=<Some string>[txt]\n");
    CHECK_TEXT(READ("=4\r\nmkd:\r\n"), "=<>[mkd]\n");
    CHECK_TEXT(READ("=3\r\ntxt\r\n"),
               "SOS_EPROTO at 1: a verbatim string begins with its format and a colon");
    CHECK_TEXT(READ("=5\r\ntext:\r\n"),
               "SOS_EPROTO at 7: a colon follows the three letters of the format");
    CHECK_TEXT(READ("!-1\r\n"), "SOS_EPROTO at 1: a length is digits");
}

static void resp3_has_maps_sets_and_pushes(void)
{
    CHECK_TEXT(READ("%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n:1\r\n:2\r\n"),
               "%2(+<a>:<1>1+<b>~2(:<1>1:<2>2))\n");
    CHECK_TEXT(READ("%0\r\n~0\r\n"), "%0()\n~0()\n");
    CHECK_TEXT(READ(">2\r\n+message\r\n+x\r\n+OK\r\n"), ">2(+<message>+<x>)\n+<OK>\n");
    CHECK_TEXT(READ(">0\r\n"), "SOS_EPROTO at 1: a push has its kind as first element");
    CHECK_TEXT(READ("*1\r\n>1\r\n+x\r\n"),
               "*1(SOS_EPROTO at 4: a push does not stand within a reply");
    CHECK_TEXT(READ(">?\r\n"), "SOS_EPROTO at 1: a length is digits");
    CHECK_TEXT(READ("%-1\r\n"), "SOS_EPROTO at 1: a length is digits");
}

static void an_attribute_counts_for_no_element(void)
{
    CHECK_TEXT(READ("|1\r\n+ttl\r\n:3600\r\n+OK\r\n"), "|1(+<ttl>:<3600>3600)+<OK>\n");
    CHECK_TEXT(READ("*2\r\n|1\r\n+a\r\n:1\r\n:5\r\n:6\r\n"), "*2(|1(+<a>:<1>1):<5>5:<6>6)\n");
    CHECK_TEXT(READ("|0\r\n|0\r\n*1\r\n+x\r\n"), "|0()|0()*1(+<x>)\n");
    CHECK_TEXT(READ("|1\r\n+a\r\n|1\r\n+b\r\n:1\r\n:2\r\n_\r\n"),
               "|1(+<a>|1(+<b>:<1>1):<2>2)_<>\n");
    CHECK_TEXT(READ("|1\r\n+a\r\n:1\r\n"), "|1(+<a>:<1>1)..");
    CHECK_TEXT(READ("*?\r\n|1\r\n+a\r\n:1\r\n.\r\n"),
               "*-1(|1(+<a>:<1>1)SOS_EPROTO at 16: an attribute belongs to a value");
    CHECK_TEXT(READ("|1\r\n+a\r\n:1\r\n>1\r\n+x\r\n"), "|1(+<a>:<1>1)>1(+<x>)\n");
}

static void streamed_strings_come_in_chunks(void)
{
    CHECK_TEXT(READ("$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;2\r\nld\r\n;0\r\n+x\r\n"),
               "$-1(Hello world)\n+<x>\n");
    CHECK_TEXT(READ("$?\r\n;0\r\n"), "$-1()\n");
    CHECK_TEXT(READ("*2\r\n$?\r\n;1\r\na\r\n;0\r\n:1\r\n"), "*2($-1(a):<1>1)\n");
    CHECK_TEXT(READ("$?\r\n+x\r\n"), "$-1(SOS_EPROTO at 4: a streamed string goes on with ;");
    CHECK_TEXT(READ("$?\r\n;1\r\nab\r\n"), "$-1(aSOS_EPROTO at 9: CR LF ends here");
    CHECK_TEXT(READ("$?\r\n;-1\r\n"), "$-1(SOS_EPROTO at 5: a length is digits");
    CHECK_TEXT(READ(";1\r\na\r\n"), "SOS_EPROTO at 0: a value begins with its type");
    CHECK_TEXT(READ("=?\r\n"), "SOS_EPROTO at 1: a length is digits");
}

static void streamed_aggregates_end_with_a_point(void)
{
    CHECK_TEXT(READ("*?\r\n:1\r\n:2\r\n.\r\n+x\r\n"), "*-1(:<1>1:<2>2)\n+<x>\n");
    CHECK_TEXT(READ("~?\r\n.\r\n%?\r\n+a\r\n:1\r\n.\r\n"), "~-1()\n%-1(+<a>:<1>1)\n");
    CHECK_TEXT(READ("*1\r\n*?\r\n*0\r\n.\r\n"), "*1(*-1(*0()))\n");
    CHECK_TEXT(READ("%?\r\n+a\r\n.\r\n"),
               "%-1(+<a>SOS_EPROTO at 8: every key of a map has a value");
    CHECK_TEXT(READ(".\r\n"), "SOS_EPROTO at 0: only a streamed aggregate ends with a point");
    CHECK_TEXT(READ("*1\r\n.\r\n"),
               "*1(SOS_EPROTO at 4: only a streamed aggregate ends with a point");
    CHECK_TEXT(READ("*?\r\n.x"), "*-1(SOS_EPROTO at 5: CR LF ends here");
}

static void a_value_begins_with_its_type(void)
{
    CHECK_TEXT(READ("HTTP/1.1 400\r\n"), "SOS_EPROTO at 0: a value begins with its type");
    CHECK_TEXT(READ("+OK\r\n\r\n"), "+<OK>\nSOS_EPROTO at 5: a value begins with its type");
    CHECK_TEXT(READ("*1\r\n\0"), "*1(SOS_EPROTO at 4: a value begins with its type");
    CHECK_TEXT(READ(""), "");
}

/* ---- Limits */

static void strings_larger_than_whole_size_come_in_chunks(void)
{
    CHECK_TEXT(READ_WITH("$4\r\n1234\r\n$5\r\n12345\r\n", .whole_size = 4), "$<1234>\n$5(12345)\n");
    CHECK_TEXT(READ_WITH("*2\r\n=9\r\ntxt:12345\r\n!5\r\nERR x\r\n", .whole_size = 4),
               "*2(=5([txt]12345)!5(ERR x))\n");
    CHECK_TEXT(READ_WITH("$5\r\n12345x", .whole_size = 4),
               "$5(12345SOS_EPROTO at 9: CR LF ends here");
}

static void limits_hold_before_memory_is_taken(void)
{
    CHECK_TEXT(READ_WITH("$11\r\n", .max_bulk_size = 10),
               "SOS_ELIMIT at 0: a string is not longer than max_bulk_size");
    CHECK_TEXT(READ_WITH("$10\r\n", .max_bulk_size = 10), "...");
    CHECK_TEXT(READ("$9223372036854775808\r\n"),
               "SOS_ELIMIT at 0: a string is not longer than max_bulk_size");
    CHECK_TEXT(READ("$99999999999999999999\r\n"),
               "SOS_ELIMIT at 20: a length has at most 19 digits");
    CHECK_TEXT(READ("*9223372036854775808\r\n"),
               "SOS_ELIMIT at 0: an aggregate has at most max_elements");
    CHECK_TEXT(READ("%4611686018427387905\r\n"),
               "SOS_ELIMIT at 0: an aggregate has at most max_elements");
    CHECK_TEXT(READ("*4294967295\r\n"),
               "SOS_ELIMIT at 0: a reply is not larger than max_reply_size");
    CHECK_TEXT(READ_WITH("*3\r\n", .max_elements = 2),
               "SOS_ELIMIT at 0: an aggregate has at most max_elements");
    CHECK_TEXT(READ_WITH("%2\r\n", .max_elements = 3),
               "SOS_ELIMIT at 0: an aggregate has at most max_elements");
    CHECK_TEXT(READ_WITH("*?\r\n:1\r\n:2\r\n:3\r\n", .max_elements = 2),
               "*-1(:<1>1:<2>2SOS_ELIMIT at 12: an aggregate has at most max_elements");
    CHECK_TEXT(READ_WITH("*?\r\n:1\r\n:2\r\n.\r\n", .max_elements = 2), "*-1(:<1>1:<2>2)\n");
    CHECK_TEXT(READ_WITH("$?\r\n;6\r\n123456\r\n;5\r\n", .max_bulk_size = 10),
               "$-1(123456SOS_ELIMIT at 16: a string is not longer than max_bulk_size");
}

static void a_line_is_no_longer_than_its_limit(void)
{
    CHECK_TEXT(READ_WITH("+1234\r\n", .max_line_size = 4), "+<1234>\n");
    CHECK_TEXT(READ_WITH("+12345\r\n", .max_line_size = 4),
               "SOS_ELIMIT at 5: a line is not longer than max_line_size");
    CHECK_TEXT(READ_WITH("(12345", .max_line_size = 4),
               "SOS_ELIMIT at 5: a line is not longer than max_line_size");
}

static void a_reply_is_no_larger_than_its_limit(void)
{
    CHECK_TEXT(READ_WITH("*2\r\n:1\r\n:2\r\n*2\r\n:1\r\n:2\r\n", .max_reply_size = 12),
               "*2(:<1>1:<2>2)\n*2(:<1>1:<2>2)\n");
    CHECK_TEXT(READ_WITH("*2\r\n:1\r\n:23\r\n", .max_reply_size = 12),
               "*2(:<1>1SOS_ELIMIT at 8: a reply is not larger than max_reply_size");
    CHECK_TEXT(READ_WITH("*2\r\n:1\r\n$3\r\n", .max_reply_size = 12),
               "*2(:<1>1SOS_ELIMIT at 8: a reply is not larger than max_reply_size");
    CHECK_TEXT(READ_WITH("*3\r\n", .max_reply_size = 12),
               "SOS_ELIMIT at 0: a reply is not larger than max_reply_size");
    CHECK_TEXT(READ_WITH("*?\r\n:1\r\n_\r\n.\r\n", .max_reply_size = 12),
               "*-1(:<1>1_<>SOS_ELIMIT at 11: a reply is not larger than max_reply_size");
    CHECK_TEXT(READ_WITH("$?\r\n;1\r\n1\r\n;0\r\n", .max_reply_size = 14),
               "$-1(1SOS_ELIMIT at 11: a reply is not larger than max_reply_size");
}

static void nesting_is_no_deeper_than_its_limit(void)
{
    char deep[4 * 100 + 1] = "";
    for (int i = 0; i < 100; i++)
        strcat(deep, "*1\r\n");
    static const char rule[] = "aggregates are not nested deeper than max_nesting_depth";
    struct {
        unsigned limit, at;
    } rows[] = { { 0, 32 }, { 1, 1 }, { 2, 2 }, { 64, 64 }, { 65, 64 }, { 1000, 64 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[100];
        snprintf(expected, sizeof expected, "SOS_ELIMIT at %u: %s", 4 * rows[i].at, rule);
        const char *got = read_with((struct sos_resp_limits_){ .max_nesting_depth = rows[i].limit },
                                    deep, strlen(deep));
        CHECK_TEXT(strstr(got, "SOS_"), expected);
    }
    CHECK_TEXT(READ_WITH("*1\r\n+x\r\n", .max_nesting_depth = 1), "*1(+<x>)\n");
}

static void whole_replies_are_counted(void)
{
    static const char bytes[] =
        "+OK\r\n>1\r\n+x\r\n*2\r\n+a\r\n-b\r\n|1\r\n+a\r\n+b\r\n$-1\r\n*1\r\n";
    struct sos_resp_level_ levels[32];
    struct sos_resp_parser_ parser;
    struct sos_resp_event_ event;
    size_t at = 0;
    sos_resp_init_(&parser, &(struct sos_resp_limits_){ 0 }, levels);
    while (sos_resp_next_(&parser, bytes + at, sizeof bytes - 1 - at, &event) > 0)
        at += event.taken;
    CHECK_INT(parser.status, 0);
    CHECK_INT(parser.replies, 3);
    CHECK_INT(parser.pushes, 1);
    CHECK_INT(parser.depth, 1);
}

/* A line of 4 MiB a byte at a time: in quadratic time this would take hours. */
static void a_long_line_is_read_in_linear_time(void)
{
    size_t length = (size_t)4 << 20;
    char *line = malloc(length);
    struct sos_resp_level_ levels[32];
    struct sos_resp_parser_ parser;
    struct sos_resp_event_ event;
    CHECK(line != NULL);
    memset(line, 'x', length);
    memcpy(line, "+", 1);
    memcpy(line + length - 2, "\r\n", 2);
    sos_resp_init_(&parser, &(struct sos_resp_limits_){ .max_line_size = length }, levels);
    for (size_t end = 0; end < length; end++)
        CHECK_INT(sos_resp_next_(&parser, line, end, &event), SOS_PARTIAL_);
    CHECK_INT(sos_resp_next_(&parser, line, length, &event), SOS_RESP_VALUE_);
    CHECK_INT(event.length, length - 3);
    free(line);
}

/* ---- Commands */

static void a_command_is_an_array_of_bulk_strings(void)
{
    const char *words[] = { "SET", "key", "", "a long value of more than nine" };
    const size_t lengths[] = { 3, 3, 0, 30 };
    static const char expected[] = "*4\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n"
                                   "$30\r\na long value of more than nine\r\n";
    for (int i = 0; i < 2; i++) {
        const size_t *given = i == 0 ? NULL : lengths;
        size_t size = sos_resp_command_size_(4, words, given);
        CHECK_INT(size, sizeof expected - 1);
        char *out = malloc(size + 1);
        CHECK(out != NULL);
        CHECK_INT(sos_resp_command_(out, 4, words, given) - out, size);
        out[size] = '\0';
        CHECK_TEXT(out, expected);
        CHECK_TEXT(read_with((struct sos_resp_limits_){ 0 }, out, size),
                   "*4($<SET>$<key>$<>$<a long value of more than nine>)\n");
        free(out);
    }
}

static void an_argument_may_hold_any_bytes(void)
{
    const char *words[] = { "a\0\r\n" };
    char out[16];
    CHECK_INT(sos_resp_command_size_(1, words, (size_t[]){ 4 }), 14);
    CHECK_INT(sos_resp_command_(out, 1, words, (size_t[]){ 4 }) - out, 14);
    CHECK(memcmp(out, "*1\r\n$4\r\na\0\r\n\r\n", 14) == 0);
}

/* ---- Numbers */

static void integers_are_written_and_read_back(void)
{
    int64_t numbers[100], read;
    size_t count = 0;
    for (uint64_t power = 1; power <= UINT64_C(1000000000000000000); power *= 10) {
        numbers[count++] = (int64_t)power - 1;
        numbers[count++] = (int64_t)power;
        numbers[count++] = -(int64_t)power;
    }
    numbers[count++] = INT64_MAX;
    numbers[count++] = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        char text[SOS_DECIMAL_ROOM_ + 1], expected[30];
        text[sos_int64_write_(text, numbers[i])] = '\0';
        snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        CHECK_TEXT(text, expected);
        CHECK(sos_int64_parse_(text, strlen(text), &read) && read == numbers[i]);
    }
    char text[SOS_DECIMAL_ROOM_ + 1];
    text[sos_uint64_write_(text, UINT64_MAX)] = '\0';
    CHECK_TEXT(text, "18446744073709551615");
    const char *wrong[] = { "",
                            "-",
                            "+",
                            "1x",
                            " 1",
                            "9223372036854775808",
                            "-9223372036854775809",
                            "99999999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!sos_int64_parse_(wrong[i], strlen(wrong[i]), &read));
}

static void check_double(const char *text)
{
    double read = 0, expected = strtod(text, NULL);
    CHECK(sos_double_parse_(text, strlen(text), &read));
    if (memcmp(&read, &expected, sizeof read) != 0)
        fprintf(stderr, "%.40s: %a, expected %a\n", text, read, expected);
    CHECK(memcmp(&read, &expected, sizeof read) == 0);
}

static void doubles_are_the_nearest(void)
{
    const char *texts[] = { "0",
                            "-0",
                            "0.0",
                            "1",
                            "-1.5",
                            "3.14159265358979",
                            "1e22",
                            "1e23",
                            "1e-22",
                            "123456789012345678",
                            "9007199254740993",
                            "9007199254740992.999",
                            "9007199254740993.000000000000000000000000000000000000001",
                            "1e308",
                            "1.7976931348623157e308",
                            "1.7976931348623158e308",
                            "1.7976931348623159e308",
                            "1e309",
                            "-1e400",
                            "1e99999999999999999999",
                            "2.2250738585072014e-308",
                            "2.2250738585072011e-308",
                            "2.2250738585072012e-308",
                            "4.9e-324",
                            "2.4703282292062327e-324",
                            "2.4703282292062328e-324",
                            "1e-323",
                            "1e-400",
                            "1e-99999999999999",
                            "0.000000000000000000000000000000000000000000000000000000000001",
                            "100000000000000000000000000000000000000000000000000000000000000",
                            "00000000000000000000000000000000000000000000000000000000001.50",
                            "6.631236846766476e-316",
                            "0e999999",
                            "0.5e-323",
                            "8.41e21",
                            "5e-324",
                            "1e-340",
                            "9.9999e339",
                            "4.4501477170144023e-308" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_double(texts[i]);
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        double number;
        char text[64];
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = seed ^ seed >> 29;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        snprintf(text, sizeof text, "%.*e", (int)(seed >> 60) + 4, number);
        check_double(text);
        snprintf(text, sizeof text, "%.17g", number);
        check_double(text);
    }
}

/* Halfway between two doubles, and a digit far behind that decides. */
static void no_digit_is_too_far_behind_to_round_by(void)
{
    char text[1300];
    for (int sticky = 0; sticky < 2; sticky++) {
        strcpy(text, "9007199254740993.");
        memset(text + 17, '0', 1200);
        text[17 + 1200] = (char)('0' + sticky);
        text[17 + 1201] = '\0';
        check_double(text);
    }
    /* The number with the most digits: halfway between zero and the smallest subnormal. */
    snprintf(text, sizeof text, "%.1074f", DBL_TRUE_MIN);
    check_double(text);
    strcat(text, "1");
    check_double(text);
    snprintf(text, sizeof text, "%.1100f", DBL_MIN * (1 - DBL_EPSILON / 2));
    check_double(text);
}

int main(void)
{
    simple_strings_and_errors_are_lines();
    integers_fit_64_bits();
    bulk_strings_hold_any_bytes();
    aggregates_end_with_their_last_element();
    an_error_in_an_array_leaves_the_connection_in_step();
    resp3_has_null_boolean_and_big_number();
    resp3_doubles_are_decimal_inf_or_nan();
    resp3_has_bulk_errors_and_verbatim_strings();
    resp3_has_maps_sets_and_pushes();
    an_attribute_counts_for_no_element();
    streamed_strings_come_in_chunks();
    streamed_aggregates_end_with_a_point();
    a_value_begins_with_its_type();
    strings_larger_than_whole_size_come_in_chunks();
    limits_hold_before_memory_is_taken();
    a_line_is_no_longer_than_its_limit();
    a_reply_is_no_larger_than_its_limit();
    nesting_is_no_deeper_than_its_limit();
    whole_replies_are_counted();
    a_long_line_is_read_in_linear_time();
    a_command_is_an_array_of_bulk_strings();
    an_argument_may_hold_any_bytes();
    integers_are_written_and_read_back();
    doubles_are_the_nearest();
    no_digit_is_too_far_behind_to_round_by();
    return 0;
}
