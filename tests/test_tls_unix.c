/* SPDX-License-Identifier: MIT */
/* TLS over real sockets, on every back end: both ends ours, and the openssl program at one of them,
 * directly and through every fault. */
#define _GNU_SOURCE
#include "smallos/tls.h"

#include <sys/wait.h>

#include "both_ways.h"
#include "certificates.h"
#include "fault_proxy.h"
#include "server.h"
#include "unix_world.h"

static struct server server, strict_server;
static struct fault_proxy proxy;
static struct sos_tls_info info;
static char words[SOS_TLS_TEXT];
static int ended;
static int64_t limit = SOS_SEC(20);

/* ---- What the tests run */

struct scene {
    sos_frame frame;
    sos_listener *listener; /* of one that accepts */
    struct sos_connect_options options;
    struct sos_tls_options tls;
    sos_stream *stream;
    int status;
};

static void start(sos_async_function function, const struct scene *scene)
{
    struct scene first = *scene;
    const struct sos_start begun = {
        .function = function,
        .frame = &first,
        .name = "scene",
        .size = sizeof first,
        .options = { .priority = 4 },
    };
    if (first.options.host == NULL)
        first.options.host = "127.0.0.1";
    CHECK_INT(sos_fork_list(here.os, &begun, 1, NULL), SOS_OK);
}

static sos_op connect_scene(sos_task *task, struct scene *self)
{
    words[0] = '\0';
    self->options.tls = &self->tls;
    self->tls.error_text = words;
    self->tls.error_text_size = sizeof words;
    return sos_connect(task, &self->options, &self->stream);
}

static struct sos_tls_options trusting(void)
{
    return (struct sos_tls_options){ .ca = { .file = certificate("ca.pem") } };
}

static struct sos_tls_pem pem(const char *name)
{
    return (struct sos_tls_pem){ .file = certificate(name) };
}

static sos_listener *listen_here(struct sos_tls_options tls, uint16_t *port)
{
    sos_listener *listener;
    struct sos_address address;
    tls.certificate = pem("good.pem");
    tls.key = pem("good.key");
    CHECK_INT(sos_listener_open(here.os, &(struct sos_listen){ .tls = &tls }, &listener), SOS_OK);
    CHECK_INT(sos_listener_address(listener, &address), SOS_OK);
    *port = address.port;
    return listener;
}

/* ---- Our client, s_server -rev: it answers each line with the same backwards */

struct line {
    sos_frame frame;
    struct scene *scene;
};

static async_fn(line)
{
    async_begin(line);
    try_await(connect_scene(task, self->scene));
    try_await(sos_stream_write(task, self->scene->stream, "smallOS\n", 8));
    try_await(sos_stream_until(task, self->scene->stream, "\n", 1, 100));
    CHECK(memcmp(sos_stream_data(self->scene->stream, &(size_t){ 0 }), "SOllams\n", 8) == 0);
    CHECK_INT(sos_tls_describe(self->scene->stream, &info), SOS_OK);
    async_end;
}

static async_fn(line_and_back)
{
    async_begin(scene);
    await(sos_within(task, limit, async_call(line, .scene = self)));
    ended = sos_status(task);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void ask(const struct server *of, struct sos_tls_options tls)
{
    ended = 1;
    unix_open(&here, NULL);
    start(line_and_back, &(struct scene){ .options = { .port = of->port }, .tls = tls });
    unix_run();
}

static void our_client_talks_to_s_server(void)
{
    struct sos_tls_options tls = trusting();
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        tls.max_version = version;
        tls.alpn = "nothing,http/1.1";
        ask(&server, tls);
        CHECK_TEXT(words, "");
        CHECK_INT(ended, SOS_OK);
        CHECK_INT(info.version, version);
        CHECK_TEXT(info.alpn, "http/1.1");
        CHECK_TEXT(info.subject, "CN=good");
    }
}

static void our_client_resumes_sessions_of_s_server(void)
{
    static char ticket[SOS_TLS_SESSION_ROOM];
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        struct sos_tls_session session = { .bytes = ticket, .room = sizeof ticket };
        struct sos_tls_options tls = trusting();
        tls.max_version = version;
        tls.session = &session;
        for (int round = 0; round < 3; round++) {
            ask(&server, tls); /* in a runtime of its own each time */
            CHECK_INT(ended, SOS_OK);
            CHECK_INT(info.resumed, round > 0);
        }
    }
}

static void s_server_asks_for_our_certificate(void)
{
    struct sos_tls_options tls = trusting();
    ask(&strict_server, tls);
    CHECK(ended == SOS_ETLS || ended == SOS_ECONNRESET || ended == SOS_EPIPE);
    tls.certificate = pem("client.pem");
    tls.key = pem("client.key");
    ask(&strict_server, tls);
    CHECK_INT(ended, SOS_OK);
}

static void s_server_of_another_name_is_refused(void)
{
    struct sos_tls_options tls = trusting();
    tls.server_name = "another.test";
    ask(&server, tls);
    CHECK_INT(ended, SOS_ETLS);
    CHECK(strstr(words, "name does not match: \"another.test\" was asked for") != NULL);
}

/* ---- s_client, our server: it answers one line and ends */

static async_fn(answers_one)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    await(sos_within(task, SOS_SEC(20), sos_stream_until(task, self->stream, "\n", 1, 100)));
    ended = sos_status(task);
    if (ended < 0)
        async_return(SOS_OK);
    CHECK_INT(sos_tls_describe(self->stream, &info), SOS_OK);
    try_await(sos_stream_write(task, self->stream, "answer\n", 7));
    try_await(sos_stream_shutdown(task, self->stream));
    sos_stream_take(self->stream, 100);
    await(sos_within(task, SOS_SEC(20), sos_stream_more(task, self->stream)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void expect_s_client(sos_listener *listener, uint16_t port, const char *options)
{
    char command[1024], output[256];
    snprintf(command, sizeof command,
             "echo question | openssl s_client -quiet -connect 127.0.0.1:%u -CAfile %s "
             "-verify_return_error -servername server.test -verify_hostname server.test %s "
             "2>/dev/null",
             port, certificate("ca.pem"), options);
    FILE *client = popen(command, "r");
    CHECK(client != NULL);
    start(answers_one, &(struct scene){ .listener = listener });
    CHECK_INT(sos_run(here.os), SOS_OK);
    size_t size = fread(output, 1, sizeof output - 1, client);
    output[size] = '\0';
    pclose(client);
    CHECK_TEXT(output, "answer\n");
    CHECK_INT(ended, 9);
}

static void our_server_answers_s_client(void)
{
    char options[512];
    uint16_t port;
    unix_open(&here, NULL);
    sos_listener *listener = listen_here(
        (struct sos_tls_options){ .alpn = "b,a", .ca = pem("ca.pem"), .ask = true }, &port);
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        snprintf(options, sizeof options, "-tls1_%u -alpn a,b -cert %s -key %s -sess_out %s",
                 version == SOS_TLS_1_2 ? 2u : 3u, certificate("client.pem"),
                 certificate("client.key"), certificate("session"));
        expect_s_client(listener, port, options);
        CHECK_INT(info.version, version);
        CHECK(!info.resumed);
        CHECK_TEXT(info.alpn, "b");
        CHECK_TEXT(info.subject, "CN=client");
        snprintf(options, sizeof options, "-tls1_%u -sess_in %s -alpn a",
                 version == SOS_TLS_1_2 ? 2u : 3u, certificate("session"));
        expect_s_client(listener, port, options);
        CHECK(info.resumed);
        CHECK_TEXT(info.alpn, "a");
        CHECK_TEXT(info.subject, "CN=client");
    }
    sos_listener_close(listener);
    unix_run();
}

/* ---- Faults between our client and s_server */

enum { ALL = 100000 };

static void ask_through(struct fault fault)
{
    proxy = (struct fault_proxy){ .fault = fault };
    ended = 1;
    unix_open(&here, NULL);
    fault_proxy_start(here.os, &proxy, server.port, 3);
    start(line_and_back, &(struct scene){ .options = { .port = proxy.port }, .tls = trusting() });
    unix_run();
}

/* Within the handshake and after it; what is over before the fault comes ends well. */
static void expect_fault(struct fault fault, int status)
{
    static const size_t after[] = { 0, 3, 100, 1000, 1300, 1500, ALL };
    int well = 0;
    for (size_t index = 0; index < sizeof after / sizeof after[0] && well == 0; index++) {
        fault.after = after[index];
        ask_through(fault);
        well += ended == SOS_OK;
        if (ended != SOS_OK && ended != status) /* a close and what is sent meanwhile race */
            CHECK(status != SOS_ETIMEDOUT && (ended == SOS_ECONNRESET || ended == SOS_EPIPE));
    }
    CHECK_INT(well, 1);
}

static void every_fault_ends_in_time(void)
{
    if (here.backend != SOS_UNIX_EPOLL && unix_times(0, 1) != 0)
        return; /* under valgrind */
    ask_through((struct fault){ .kind = FAULT_NONE });
    CHECK_INT(ended, SOS_OK);
    ask_through((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(10) });
    CHECK_INT(ended, SOS_OK);
    ask_through((struct fault){ .kind = FAULT_DRIBBLE });
    CHECK_INT(ended, SOS_OK);
    ask_through((struct fault){ .kind = FAULT_REFUSE });
    CHECK(ended == SOS_ETLS || ended == SOS_ECONNRESET || ended == SOS_EPIPE);
    expect_fault((struct fault){ .kind = FAULT_CUT }, SOS_ETLS);
    expect_fault((struct fault){ .kind = FAULT_RESET }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_HALF_CLOSE }, SOS_ETLS);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .bytes = "what?\r\n", .size = 7 },
                 SOS_ETLS);
}

static void silence_times_out(void)
{
    limit = SOS_MS(100);
    ask_through((struct fault){ .kind = FAULT_BLACK_HOLE });
    CHECK_INT(ended, SOS_ETIMEDOUT);
    CHECK_TEXT(words, "the TLS handshake was not over in time");
    ask_through((struct fault){ .kind = FAULT_STALL, .after = 3 });
    CHECK_INT(ended, SOS_ETIMEDOUT);
    ask_through((struct fault){ .kind = FAULT_STALL, .after = 1000 });
    CHECK_INT(ended, SOS_ETIMEDOUT);
    int fds[3];
    struct server full = { .port = fault_full_listener(fds) };
    ask(&full, trusting());
    CHECK_INT(ended, SOS_ETIMEDOUT);
    CHECK_TEXT(words, sos_error_text(SOS_ETIMEDOUT));
    fault_full_close(fds);
    limit = SOS_SEC(20);
}

/* ---- Both ends ours */

static async_fn(talker)
{
    async_begin(scene);
    await(self->listener != NULL ? sos_accept(task, self->listener, &self->stream)
                                 : connect_scene(task, self));
    CHECK_INT(sos_status(task), SOS_OK);
    await(both_ways(task, self->stream, (size_t)unix_times(3000000, 200000)));
    CHECK_INT(sos_status(task), SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void much_goes_both_ways_at_once(void)
{
    uint16_t port;
    unix_open(&here, NULL);
    start(talker, &(struct scene){ .listener = listen_here((struct sos_tls_options){ 0 }, &port) });
    start(talker, &(struct scene){ .options = { .port = port }, .tls = trusting() });
    unix_run();
}

/*
 * One task waits to write in the handshake, another reads just as the last message of it has come: the
 * one that ends the handshake must not leave the other waiting for what has been read. Here the
 * client's task reads for the server, in the step in which it has sent that message.
 */
static sos_stream *accepted;

static async_fn(greeter)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    accepted = self->stream;
    await(sos_stream_write(task, self->stream, "hello\n", 6));
    CHECK_INT(sos_status(task), 6);
    await(sos_stream_more(task, self->stream));
    CHECK_INT(sos_status(task), SOS_EEOF);
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static async_fn(greeted)
{
    async_begin(scene);
    await(connect_scene(task, self));
    CHECK_INT(sos_status(task), SOS_OK);
    await(sos_within(task, SOS_MS(1), sos_stream_more(task, accepted)));
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    await(sos_within(task, SOS_SEC(10), sos_stream_until(task, self->stream, "\n", 1, 0)));
    CHECK_INT(sos_status(task), 6);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void who_writes_first_is_not_forgotten(void)
{
    uint16_t port;
    unix_open(&here, NULL);
    start(greeter,
          &(struct scene){ .listener = listen_here((struct sos_tls_options){ 0 }, &port) });
    start(greeted, &(struct scene){ .options = { .port = port }, .tls = trusting() });
    unix_run();
}

/* ---- */

static void (*const tests[])(void) = {
    our_client_talks_to_s_server,
    our_client_resumes_sessions_of_s_server,
    s_server_asks_for_our_certificate,
    s_server_of_another_name_is_refused,
    our_server_answers_s_client,
    every_fault_ends_in_time,
    silence_times_out,
    much_goes_both_ways_at_once,
    who_writes_first_is_not_forgotten,
};

static void start_s_server(struct server *started, const char *verify)
{
    const char *const argv[] = { "openssl",
                                 "s_server",
                                 "-accept",
                                 "{port}",
                                 "-cert",
                                 certificate("good.pem"),
                                 "-key",
                                 certificate("good.key"),
                                 "-CAfile",
                                 certificate("ca.pem"),
                                 "-rev",
                                 "-quiet",
                                 "-alpn",
                                 "http/1.1",
                                 verify,
                                 "2",
                                 "-verify_return_error",
                                 NULL };
    server_prepare(started);
    CHECK(server_start(started, argv));
}

int main(void)
{
    if (!certificates_make())
        return 0;
    start_s_server(&server, "-verify");
    start_s_server(&strict_server, "-Verify");
    unix_tests(tests, sizeof tests / sizeof *tests, false);
    server_stop(&strict_server);
    server_stop(&server);
    return 0;
}
