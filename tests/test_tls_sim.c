/* SPDX-License-Identifier: MIT */
/* TLS streams over the simulated network: agreeing, resuming, closing, and what goes wrong. */
#include "smallos/stream.h"
#include "tls_world.h"

/* ---- Agreeing */

static void expect_met(const struct tls_meeting *meeting)
{
    CHECK_TEXT(meeting->at_client.text, "");
    CHECK_INT(meeting->at_client.status, SOS_OK);
    CHECK_INT(meeting->at_client.last, SOS_OK);
    CHECK_INT(meeting->at_server.last, SOS_OK);
}

static struct tls_meeting agree_on(const char *server, const char *client)
{
    struct tls_meeting meeting = { .server = tls_server("good"), .client = tls_client() };
    meeting.server.alpn = server;
    meeting.client.alpn = client;
    tls_meet(&meeting);
    return meeting;
}

static void the_servers_order_of_protocols_counts(void)
{
    struct tls_meeting meeting = agree_on("h2,http/1.1", "http/1.0,http/1.1,h2");
    expect_met(&meeting);
    CHECK_TEXT(meeting.at_client.info.alpn, "h2");
    CHECK_TEXT(meeting.at_server.info.alpn, "h2");
}

static void one_side_alone_asks_for_no_protocol(void)
{
    struct tls_meeting meeting = agree_on(NULL, "h2");
    expect_met(&meeting);
    CHECK_TEXT(meeting.at_client.info.alpn, "");
    meeting = agree_on("h2", NULL);
    expect_met(&meeting);
    CHECK_TEXT(meeting.at_client.info.alpn, "");
}

static void without_a_protocol_in_common_there_is_no_connection(void)
{
    const char *text = "the two ends have no application protocol (ALPN) in common";
    struct tls_meeting meeting = agree_on("h2", "http/1.1");
    CHECK_INT(meeting.at_client.status, SOS_ETLS);
    CHECK_INT(meeting.at_server.status, SOS_ETLS);
    CHECK_TEXT(meeting.at_server.text, text);
    CHECK(strstr(meeting.at_client.text, text) != NULL);
}

static struct tls_meeting meet_between(uint8_t client_most, uint8_t server_least)
{
    struct tls_meeting meeting = { .server = tls_server("good"), .client = tls_client() };
    meeting.client.max_version = client_most;
    meeting.server.min_version = server_least;
    tls_meet(&meeting);
    return meeting;
}

static void versions_can_be_bounded(void)
{
    struct tls_meeting meeting = meet_between(SOS_TLS_1_2, SOS_TLS_ANY);
    expect_met(&meeting);
    CHECK_INT(meeting.at_client.info.version, SOS_TLS_1_2);
    meeting = meet_between(SOS_TLS_ANY, SOS_TLS_1_3);
    expect_met(&meeting);
    CHECK_INT(meeting.at_server.info.version, SOS_TLS_1_3);
    meeting = meet_between(SOS_TLS_1_2, SOS_TLS_1_3);
    CHECK_INT(meeting.at_client.status, SOS_ETLS);
    CHECK_TEXT(meeting.at_server.text, "the two ends have no TLS version in common");
    CHECK(strstr(meeting.at_client.text, "no TLS version in common") != NULL);
}

/* ---- Resuming */

static char ticket[SOS_TLS_SESSION_ROOM];

static sos_tls_context *context_of(struct sos_tls_options options, enum sos_tls_side side)
{
    sos_tls_context *context;
    CHECK_INT(sos_tls_context_open(world.os, &options, side, &context), SOS_OK);
    return context;
}

/* A server's tickets are good as long as its context. */
static void expect_resumed(struct tls_meeting *meeting, sos_tls_context *server,
                           struct sos_tls_session *session, bool resumed)
{
    meeting->server.context = server;
    meeting->client.session = session;
    tls_meet_here(meeting);
    expect_met(meeting);
    CHECK_INT(meeting->at_client.info.resumed, resumed);
    CHECK_INT(meeting->at_server.info.resumed, resumed);
    CHECK_TEXT(meeting->at_client.info.subject, "CN=good");
}

static void sessions_are_resumed(void)
{
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        struct sos_tls_session session = { .bytes = ticket, .room = sizeof ticket };
        struct tls_meeting meeting = { .client = tls_client() };
        tls_world_open(NULL);
        sos_tls_context *server = context_of(tls_server("good"), SOS_TLS_SERVER);
        meeting.client.max_version = version;
        expect_resumed(&meeting, server, &session, false);
        CHECK(session.size != 0 && session.size == session.needed);
        expect_resumed(&meeting, server, &session, true);
        expect_resumed(&meeting, server, &session, true);
        CHECK_INT(meeting.at_client.info.version, version);
        meeting.client.context = context_of(meeting.client, SOS_TLS_CLIENT);
        expect_resumed(&meeting, server, &session, true);
        sos_tls_context_close(meeting.client.context);
        sos_tls_context_close(server);
        tls_world_close();
    }
}

/* Also in another runtime: here the tickets of one server context, kept over the client's restart. */
static void sessions_may_be_stored_as_bytes(void)
{
    static char stored[SOS_TLS_SESSION_ROOM], used[SOS_TLS_SESSION_ROOM];
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        struct sos_tls_session session = { .bytes = ticket, .room = sizeof ticket };
        struct tls_meeting meeting = { .client = tls_client() };
        meeting.client.max_version = version;
        tls_world_open(NULL);
        sos_tls_context *server = context_of(tls_server("good"), SOS_TLS_SERVER);
        expect_resumed(&meeting, server, &session, false);
        size_t size = session.size;
        memcpy(stored, ticket, size);
        memset(ticket, 0, sizeof ticket);
        memcpy(used, stored, size);
        struct sos_tls_session read = { .bytes = used, .room = sizeof used, .size = size };
        expect_resumed(&meeting, server, &read, true);
        sos_tls_context_close(server);
        tls_world_close();
    }
}

/* Not with another server, and not where more is asked for than it was checked for. */
static void a_session_that_does_not_fit_is_not_used(void)
{
    struct sos_tls_session session = { .bytes = ticket, .room = sizeof ticket };
    struct tls_meeting meeting = { .client = { .insecure = true } };
    tls_world_open(NULL);
    sos_tls_context *server = context_of(tls_server("good"), SOS_TLS_SERVER),
                    *other = context_of(tls_server("good"), SOS_TLS_SERVER);
    expect_resumed(&meeting, server, &session, false);
    expect_resumed(&meeting, server, &session, true);
    meeting.client = tls_client();
    expect_resumed(&meeting, server, &session, false);
    expect_resumed(&meeting, server, &session, true);
    meeting.host = "localhost";
    expect_resumed(&meeting, server, &session, false);
    expect_resumed(&meeting, other, &session, false);
    sos_tls_context_close(server);
    sos_tls_context_close(other);
    tls_world_close();
}

static void broken_sessions_are_as_none(void)
{
    static char good[SOS_TLS_SESSION_ROOM];
    struct sos_tls_session session = { .bytes = ticket, .room = sizeof ticket };
    struct tls_meeting meeting = { .client = tls_client() };
    tls_world_open(NULL);
    sos_tls_context *server = context_of(tls_server("good"), SOS_TLS_SERVER);
    expect_resumed(&meeting, server, &session, false);
    size_t size = session.size, stride = getenv("SOS_VALGRIND") != NULL ? 17 : 1;
    memcpy(good, ticket, size);
    for (size_t left = 0; left < size; left += left < 40 ? stride : 97) {
        memcpy(ticket, good, size);
        session.size = left;
        expect_resumed(&meeting, server, &session, false);
    }
    for (size_t at = 0; at < size; at += at < 40 ? stride : 97) {
        memcpy(ticket, good, size);
        ticket[at] = (char)(ticket[at] ^ 0x41);
        session.size = size;
        meeting.client.session = &session;
        tls_meet_here(&meeting); /* it may be resumed, or not, or refused; not more than that */
        CHECK(meeting.at_client.status == SOS_OK || meeting.at_client.status == SOS_ETLS);
    }
    sos_tls_context_close(server);
    tls_world_close();
}

static void a_ticket_without_room_is_left_out(void)
{
    struct sos_tls_session session = { .bytes = ticket, .room = 100 };
    struct tls_meeting meeting = { .client = tls_client() };
    tls_world_open(NULL);
    sos_tls_context *server = context_of(tls_server("good"), SOS_TLS_SERVER);
    expect_resumed(&meeting, server, &session, false);
    CHECK_INT(session.size, 0);
    CHECK(session.needed > 100);
    sos_tls_context_close(server);
    tls_world_close();
}

static void a_context_is_for_one_side(void)
{
    struct tls_meeting meeting = { .server = tls_server("good") };
    tls_world_open(NULL);
    meeting.client.context = context_of(tls_server("good"), SOS_TLS_SERVER);
    tls_meet_here(&meeting);
    CHECK_INT(meeting.at_client.status, SOS_EINVAL);
    CHECK_TEXT(meeting.at_client.text, "the TLS context was made for the other side");
    CHECK_INT(meeting.at_server.status, SOS_ETLS);
    CHECK_TEXT(meeting.at_server.text, "the other end closed during the handshake");
    sos_tls_context_close(meeting.client.context);
    tls_world_close();
}

/* ---- One end of TLS, the other by hand */

struct scene {
    sos_frame frame;
    const char *host; /* of the client */
    sos_listener *listener;
    sos_stream *stream, *lower;
    struct sos_tls_options tls;
    struct sos_connect_options options;
    char text[SOS_TLS_TEXT];
    int64_t within;
};

static sos_listener *listen_here(const struct sos_tls_options *tls)
{
    sos_listener *listener;
    CHECK_INT(sos_listener_open(
                  world.os, &(struct sos_listen){ .host = "127.0.0.1", .port = 443, .tls = tls },
                  &listener),
              SOS_OK);
    return listener;
}

static void play(sos_async_function function, const char *name, const struct scene *scene)
{
    struct scene first = *scene;
    const struct sos_start start = { .function = function,
                                     .frame = &first,
                                     .name = name,
                                     .size = sizeof first,
                                     .options = { .priority = 3 } };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
}

/* A server and a client, and what they note. */
static void expect_play(sos_async_function server, bool secure, sos_async_function client,
                        const char *trace)
{
    struct sos_tls_options tls = tls_server("good");
    tls_world_open(NULL);
    play(server, "server", &(struct scene){ .listener = listen_here(secure ? &tls : NULL) });
    play(client, "client", &(struct scene){ .tls = tls_client() });
    world_run(SOS_OK, trace);
    tls_world_close();
}

static sos_op connect_scene(sos_task *task, struct scene *self)
{
    self->tls.error_text = self->text;
    self->tls.error_text_size = sizeof self->text;
    self->options = (struct sos_connect_options){ .host = "server.test",
                                                  .port = 443,
                                                  .tls = &self->tls };
    return sos_connect(task, &self->options, &self->stream);
}

static async_fn(client_reads)
{
    async_begin(scene);
    await(sos_within(task, SOS_SEC(10), connect_scene(task, self)));
    note("connects: %s %s", status_text(sos_status(task)), self->text);
    if (sos_status(task) != SOS_OK)
        async_return(SOS_OK);
    do {
        await(sos_stream_more(task, self->stream));
    } while (sos_status(task) > 0);
    note("reads: %s %s", status_text(sos_status(task)), sos_stream_error_text(self->stream));
    await(sos_stream_more(task, self->stream));
    note("again: %s", status_text(sos_status(task)));
    async_return(SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static async_fn(says_no_tls)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    try_await(sos_stream_more(task, self->stream));
    try_await(sos_stream_write(task, self->stream, "HTTP/1.0 400 Bad Request\r\n\r\n", 28));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void who_speaks_no_tls_is_told(void)
{
    expect_play(says_no_tls, false, client_reads,
                "0 connects: ETLS the other end does not speak TLS\n");
}

static async_fn(says_nothing)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    try_await(sos_sleep(task, SOS_SEC(20)));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void a_handshake_has_its_deadline(void)
{
    expect_play(says_nothing, false, client_reads,
                "10000000 connects: ETIMEDOUT the TLS handshake was not over in time\n");
}

static async_fn(closes_early)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    try_await(sos_stream_more(task, self->stream));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void an_end_during_the_handshake_is_told(void)
{
    expect_play(closes_early, false, client_reads,
                "0 connects: ETLS the other end closed during the handshake\n");
}

/* What was put and not flushed is lost: then close_notify would be a lie. */
static async_fn(is_cut_off)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    try_await(sos_stream_write(task, self->stream, "some", 4));
    CHECK_INT(sos_stream_put(self->stream, "more", 4), SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void an_end_without_notice_is_no_end_of_stream(void)
{
    expect_play(is_cut_off, true, client_reads,
                "0 connects: OK \n"
                "0 reads: ETLS the other end closed without close_notify: what it sent may be cut "
                "off\n0 again: ETLS\n");
}

/* A deadline in the middle of a write tears what is said, even if all that was encrypted goes. */
static char much[1000000];

static async_fn(gives_up)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    await(sos_within(task, SOS_MS(1), sos_stream_write(task, self->stream, much, sizeof much)));
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    await(sos_within(task, SOS_SEC(5), sos_stream_flush(task, self->stream)));
    CHECK_INT(sos_status(task), SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static async_fn(reads_late)
{
    async_begin(scene);
    try_await(connect_scene(task, self));
    try_await(sos_sleep(task, SOS_SEC(1)));
    do {
        sos_stream_take(self->stream, SIZE_MAX);
        await(sos_stream_more(task, self->stream));
    } while (sos_status(task) > 0);
    note("reads: %s", status_text(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void a_write_that_was_given_up_is_no_end_of_stream(void)
{
    expect_play(gives_up, true, reads_late, "1000000 reads: ETLS\n");
}

static async_fn(closes_well)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    try_await(sos_stream_write(task, self->stream, "some", 4));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void an_end_with_notice_is_one(void)
{
    expect_play(closes_well, true, client_reads,
                "0 connects: OK \n0 reads: EEOF ok\n0 again: EEOF\n");
}

/* ---- Half-close */

static async_fn(answers_after_the_end)
{
    async_begin(scene);
    try_await(sos_accept(task, self->listener, &self->stream));
    do {
        await(sos_stream_more(task, self->stream));
    } while (sos_status(task) > 0);
    note("server reads: %s", status_text(sos_status(task)));
    try_await(sos_stream_write(task, self->stream, "late\n", 5));
    try_await(sos_stream_shutdown(task, self->stream));
    try_await(sos_stream_shutdown(task, self->stream));
    await(sos_stream_write(task, self->stream, "later\n", 6));
    note("server writes: %s", status_text(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static async_fn(ends_first)
{
    async_begin(scene);
    try_await(connect_scene(task, self));
    CHECK_INT(sos_stream_put(self->stream, "early", 5), SOS_OK);
    try_await(sos_stream_shutdown(task, self->stream));
    await(sos_stream_write(task, self->stream, "late", 4));
    note("client writes: %s", status_text(sos_status(task)));
    await(sos_stream_until(task, self->stream, "\n", 1, 0));
    note("client reads: %s", status_text(sos_status(task)));
    sos_stream_take(self->stream, 5);
    await(sos_stream_more(task, self->stream));
    note("client reads: %s", status_text(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void one_direction_may_end_first(void)
{
    expect_play(answers_after_the_end, true, ends_first,
                "0 client writes: EPIPE\n0 server reads: EEOF\n0 server writes: EPIPE\n"
                "0 client reads: 5\n0 client reads: EEOF\n");
}

static void a_kernel_without_tls_says_so(void)
{
    struct sos_tls_options tls = tls_server("good");
    sos_listener *listener;
    tls_world_open(NULL);
    world.kernel->tls = NULL;
    CHECK_INT(sos_listener_open(
                  world.os, &(struct sos_listen){ .host = "127.0.0.1", .port = 443, .tls = &tls },
                  &listener),
              SOS_ENOTSUP);
    play(closes_early, "server", &(struct scene){ .listener = listen_here(NULL) });
    play(client_reads, "client", &(struct scene){ .tls = tls_client() });
    world_run(SOS_OK,
              "0 connects: ENOTSUP not supported by this kernel\n0 ! failed: server EEOF\n");
    tls_world_close();
}

int main(void)
{
    if (!certificates_make())
        return 0;
    the_servers_order_of_protocols_counts();
    one_side_alone_asks_for_no_protocol();
    without_a_protocol_in_common_there_is_no_connection();
    versions_can_be_bounded();
    sessions_are_resumed();
    sessions_may_be_stored_as_bytes();
    a_session_that_does_not_fit_is_not_used();
    broken_sessions_are_as_none();
    a_ticket_without_room_is_left_out();
    a_context_is_for_one_side();
    who_speaks_no_tls_is_told();
    a_handshake_has_its_deadline();
    an_end_during_the_handshake_is_told();
    an_end_without_notice_is_no_end_of_stream();
    a_write_that_was_given_up_is_no_end_of_stream();
    an_end_with_notice_is_one();
    a_kernel_without_tls_says_so();
    one_direction_may_end_first();
    return 0;
}
