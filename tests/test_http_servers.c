/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client and what servers may do, what they do wrong, and what hostile ones do, on the
 * simulated network.
 */
#include <stdlib.h>

#include "web_script.h"

static const struct web_client plain;

/* ---- What servers may do */

static void answers_of_every_kind(void)
{
    web_expect((struct web_answer){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
               plain, SOS_OK, "hello");
    web_expect((struct web_answer){ .text = "HTTP/1.1 200\r\n\r\nto the end", .closes = true },
               plain, SOS_OK, "to the end");
    web_expect((struct web_answer){ .text = "HTTP/1.0 200 OK\r\n\r\nold", .closes = true }, plain,
               SOS_OK, "old");
    web_expect((struct web_answer){ .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                            "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n" },
               plain, SOS_OK, "abcde");
    web_expect(
        (struct web_answer){
            .text = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 "
                    "Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" },
        plain, SOS_OK, "x");
    web_expect((struct web_answer){ .text = "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n"
                                            "Content-Length: 3\r\n\r\nraw" },
               plain, SOS_OK, "raw");
    web_expect(
        (struct web_answer){ .text = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" },
        plain, SOS_OK, "");
}

static void broken_answers_are_refused_with_the_rule(void)
{
    static const struct {
        const char *text, *why;
    } broken[] = {
        { "SSH-2.0-OpenSSH\r\n\r\n", "" },
        { WEB_OK "A: b\n\r\n", "CR LF" },
        { WEB_OK "A : b\r\n\r\n", "a token, a colon" },
        { WEB_OK " folded\r\n\r\n", "folded" },
        { WEB_OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "one value" },
        { WEB_OK "Content-Length: +5\r\n\r\n", "decimal" },
        { WEB_OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "not both" },
        { WEB_OK "Transfer-Encoding: gzip\r\n\r\n", "nobody asked for" },
        { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "another protocol" },
        { WEB_CHUNKED "x\r\n", "" },
        { WEB_CHUNKED "1\r\nab\r\n", "" },
        { WEB_OK "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "" },
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        web_expect((struct web_answer){ .text = broken[i].text }, plain, SOS_EPROTO, broken[i].why);
    web_expect((struct web_answer){ .text = WEB_OK "Content-Length: 5\r\n\r\nhel", .closes = true },
               plain, SOS_EEOF, "within the answer");
    web_expect((struct web_answer){ .text = WEB_CHUNKED "5\r\nhel", .closes = true }, plain,
               SOS_EEOF, "within the answer");
    web_expect((struct web_answer){ .text = WEB_OK, .closes = true }, plain, SOS_EEOF, "");
    web_expect((struct web_answer){ .text = WEB_OK "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
                                    .closes = true },
               plain, SOS_EPROTO, "cut off");
}

/* ---- What hostile servers do: refused, with bounded memory */

static char bomb[1 << 18];

static void hostile(struct web_answer answer, const char *why)
{
    enum { BOUND = 5 << 20 };
    struct web_client client = { .options = { .max_response_size = 1 << 20 } };
    web_expect(answer, client, SOS_ELIMIT, why);
    CHECK(web_result.memory < BOUND);
}

static void hostile_servers_are_refused_with_bounded_memory(void)
{
    hostile((struct web_answer){ .before = WEB_OK, .text = "A: b\r\n", .repeat = 100000 },
            "more fields");
    hostile(
        (struct web_answer){ .before = WEB_OK "A: ", .text = "bbbbbbbbbbbbbbbb", .repeat = 100000 },
        "longer than the limit");
    hostile((struct web_answer){ .text = "HTTP/1.1 102 Processing\r\n\r\n", .repeat = 100000 },
            "interim");
    hostile(
        (struct web_answer){ .before = WEB_CHUNKED "5", .text = ";extension", .repeat = 100000 },
        "");
    hostile((struct web_answer){ .before = WEB_CHUNKED,
                                 .text = "1;xxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n",
                                 .repeat = 100000 },
            "");
    hostile(
        (struct web_answer){ .before = WEB_CHUNKED "0\r\n", .text = "A: b\r\n", .repeat = 100000 },
        "trailer");
    hostile((struct web_answer){ .text = WEB_OK "Content-Length: 9223372036854775808\r\n\r\n" },
            "2^63");
    hostile((struct web_answer){ .text = WEB_OK "Content-Length: 9223372036854775807\r\n\r\n" },
            "larger than the limit");
    hostile((struct web_answer){ .text = WEB_CHUNKED "7fffffffffffffff\r\n" }, "");
    hostile(
        (struct web_answer){ .before = WEB_OK "\r\n", .text = "endless body ", .repeat = 1000000 },
        "larger than the limit");
    hostile((struct web_answer){ .text = bomb,
                                 .size = web_bomb(bomb, sizeof bomb,
                                                  getenv("SOS_VALGRIND") != NULL ? 8 : 128) },
            "decompressed");
}

static void a_redirect_loop_ends(void)
{
    web_open(NULL);
    web_script.answers[0].text =
        "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n";
    web_script.count = 1;
    web_run(plain);
    CHECK_INT(web_result.status, SOS_ELIMIT);
    CHECK_INT(web_script.requests, 11);
    CHECK_INT(web_script.connections, 1);
    web_close();
    web_expect((struct web_answer){ .text = "HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\n"
                                            "Content-Length: 0\r\n\r\n" },
               plain, SOS_EPROTO, "Location");
}

/* An answer with a head of `head` bytes and `size` bytes of body, and behind it one that nobody
 * asked for. */
static void expect_no_other(size_t head, size_t size)
{
    static char text[70000];
    const char *behind = WEB_OK "Content-Length: 4\r\n\r\nevil";
    int length = snprintf(text, sizeof text, WEB_OK "Content-Length: %zu\r\nX: ", size);
    for (; (size_t)length < head - 4; length++)
        text[length] = 'a';
    memcpy(text + length, "\r\n\r\n", 4);
    memset(text + length + 4, 'g', size);
    snprintf(text + (size_t)length + 4 + size, sizeof text - (size_t)length - 4 - size, "%s",
             behind);
    web_open(NULL);
    web_script.answers[0].text = text;
    web_script.answers[1].text = WEB_OK "Content-Length: 4\r\n\r\nfine";
    web_script.count = 2;
    web_run((struct web_client){ .times = 2 });
    CHECK_TEXT(web_result.body, "fine");
    CHECK_INT(web_script.connections, 2);
    web_close();
}

static void what_comes_behind_an_answer_is_never_the_next_one(void)
{
    expect_no_other(100, 4);
    expect_no_other(2044, 4); /* it fills what is read at a time */
    expect_no_other(4092, 4);
    expect_no_other(100, 60000); /* read to where it belongs, so that the rest stays outside */
}

/* An answer that comes while the connection is idle, however shortly. */
static void expect_idle_answer_dropped(int64_t pause)
{
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 4\r\n\r\ngood";
    web_script.answers[1] = (struct web_answer){ .text = WEB_OK "Content-Length: 4\r\n\r\nevil",
                                                 .early = true };
    web_script.answers[2].text = WEB_OK "Content-Length: 4\r\n\r\nfine";
    web_script.count = 3;
    web_run((struct web_client){ .times = 2, .pause = pause });
    CHECK_TEXT(web_result.body, "fine");
    CHECK_INT(web_script.connections, 2);
    web_close();
}

static void an_answer_out_of_nowhere_ends_the_connection(void)
{
    expect_idle_answer_dropped(SOS_MS(20));
    expect_idle_answer_dropped(SOS_MS(9));
    expect_idle_answer_dropped(1);
}

/* ---- Connections that end */

static void a_connection_that_the_server_closed_is_replaced(void)
{
    static const char *const methods[] = { "GET", "POST" };
    for (int64_t pause = 1; pause < SOS_MS(100); pause *= 400) {
        for (int i = 0; i < 2; i++) {
            web_open(NULL);
            web_script.answers[0] = (struct web_answer){ .text = WEB_OK
                                                         "Content-Length: 1\r\n\r\nx",
                                                         .closes = true };
            web_script.count = 1;
            web_run((struct web_client){
                .times = 5, .pause = pause, .request = { .method = methods[i] } });
            CHECK_INT(web_result.status, SOS_OK);
            CHECK_INT(web_script.requests, 5);
            web_close();
        }
    }
}

static void a_request_is_repeated_once_and_only_if_it_may_be(void)
{
    static const char *const methods[] = { "GET", "POST" };
    for (int i = 0; i < 2; i++) {
        web_open(NULL);
        web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
        web_script.answers[1] = (struct web_answer){ .text = "", .closes = true };
        web_script.count = 2;
        web_run((struct web_client){ .times = 2, .request = { .method = methods[i] } });
        CHECK_INT(web_result.status, SOS_EEOF);
        CHECK_INT(web_script.connections, i == 0 ? 2 : 1);
        web_close();
    }
}

static void idle_connections_are_closed_after_their_time(void)
{
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run((struct web_client){
        .times = 3, .pause = SOS_SEC(2), .options = { .idle_us = SOS_SEC(1) } });
    CHECK_INT(web_script.connections, 3);
    web_close();
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run((struct web_client){ .times = 3, .pause = SOS_SEC(2) });
    CHECK_INT(web_script.connections, 1);
    web_close();
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run((struct web_client){ .times = 3, .options = { .max_idle = SOS_NONE } });
    CHECK_INT(web_script.connections, 3);
    web_close();
}

static void no_more_connections_than_allowed(void)
{
    struct web_client what = { .times = 5,
                               .pause = 100,
                               .options = { .url = "http://10.0.0.1/", .max_idle = 2 } };
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run_many(what, 6);
    CHECK_INT(web_script.requests, 30);
    CHECK_INT(web_script.connections, 6 + 4 * 4); /* two of each round's six are kept */
    web_close();
    what.options.max_connections = 3;
    what.options.max_idle = 0;
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run_many(what, 6);
    CHECK_INT(web_script.requests, 30);
    CHECK_INT(web_script.connections, 3);
    web_close();
}

/* ---- Hosts of every form */

static void expect_host(const char *url, const char *line)
{
    web_open(NULL);
    const struct sos_sim_name name = { .addresses = { "10.0.0.1" } };
    CHECK_INT(sos_sim_set_name(world.kernel, "host", &name), SOS_OK);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run((struct web_client){ .options = { .host = NULL }, .request = { .url = url } });
    CHECK_INT(web_result.status, SOS_OK);
    if (strstr(web_script.seen, line) == NULL)
        CHECK_TEXT(web_script.seen, line);
    web_close();
}

static void hosts_of_every_form_are_asked(void)
{
    const struct sos_listen usual = web_door_at;
    expect_host("http://host", "GET / HTTP/1.1\r\nHost: host\r\n");
    expect_host("HTTP://Host:80?q", "GET /?q HTTP/1.1\r\nHost: host\r\n");
    expect_host("//host/a b#c", "GET /a%20b HTTP/1.1\r\nHost: host\r\n");
    web_door_at.port = 8080;
    expect_host("http://host:8080/x", "GET /x HTTP/1.1\r\nHost: host:8080\r\n");
    web_door_at.host = "2001:db8::1";
    expect_host("http://[2001:db8::1]:8080/", "Host: [2001:db8::1]:8080\r\n");
    web_door_at.host = "unix:/run/door";
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run_many((struct web_client){ .times = 2,
                                      .options = { .host = "unix:/run/door" },
                                      .request = { .url = "/a" } },
                 1);
    CHECK_INT(web_result.status, SOS_OK);
    CHECK_INT(web_script.connections, 1);
    CHECK(strstr(web_script.seen, "GET /a HTTP/1.1\r\nHost: localhost\r\n") != NULL);
    web_close();
    web_door_at = usual;
}

/* ---- Bodies of requests */

static char large[300000];

static void an_early_answer_is_heard_while_the_body_is_sent(void)
{
    memset(large, 'x', sizeof large);
    struct web_client client = { .request = { .body = { .bytes = large, .size = sizeof large } } };
    web_expect(
        (struct web_answer){
            .text = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno",
            .early = true,
            .stalls = true },
        client, SOS_OK, "no");
    CHECK_INT(web_result.code, 413);
}

static void the_body_waits_for_100_but_not_for_ever(void)
{
    struct web_client client = { .request = { .body = { .text = "body" },
                                              .expect_continue = true } };
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run(client);
    CHECK_INT(web_result.status, SOS_OK);
    CHECK_INT(sos_now(world.os), SOS_SEC(1)); /* nobody said anything */
    CHECK(strstr(web_script.seen, "Expect: 100-continue\r\n") != NULL);
    web_close();
    web_expect(
        (struct web_answer){
            .text = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno",
            .early = true,
            .stalls = true },
        client, SOS_OK, "no");
}
int main(void)
{
    answers_of_every_kind();
    broken_answers_are_refused_with_the_rule();
    hostile_servers_are_refused_with_bounded_memory();
    a_redirect_loop_ends();
    what_comes_behind_an_answer_is_never_the_next_one();
    an_answer_out_of_nowhere_ends_the_connection();
    a_connection_that_the_server_closed_is_replaced();
    a_request_is_repeated_once_and_only_if_it_may_be();
    idle_connections_are_closed_after_their_time();
    no_more_connections_than_allowed();
    hosts_of_every_form_are_asked();
    an_early_answer_is_heard_while_the_body_is_sent();
    the_body_waits_for_100_but_not_for_ever();
    return 0;
}
