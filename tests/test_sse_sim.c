/* SPDX-License-Identifier: MIT */
/* The client for Server-Sent Events on the simulated network, in virtual time: against a small server
 * by seed, no event lost and none twice; killed at every step; without memory; against hostile
 * servers; and when it connects again. */
#include "smallos/sse.h"
#include "smallos/stream.h"
#include "world.h"

enum { PORT = 80, EVENTS = 30, REQUEST_MOST = 1024 };

/* ---- A server: events from the one after Last-Event-ID on; 204 when there are no more. Or a script. */

static struct {
    const char *answers[8]; /* of the requests in turn, each followed by the end of the stream; the
                             * last one stays. None: the server of numbered events */
    const char *repeated;   /* goes on for ever behind the first answer */
    bool stays;             /* the stream does not end */
    int requests;
} script;

struct server {
    sos_frame frame;
    sos_stream *stream;
    int next, until;
    char text[256];
};

static int last_id(const char *request)
{
    const char *at = strstr(request, "Last-Event-ID: ");
    return at != NULL ? atoi(at + 15) : 0;
}

static void read_request(struct server *self, size_t size)
{
    char request[REQUEST_MOST];
    size_t all;
    const char *bytes = (const char *)sos_stream_data(self->stream, &all);
    CHECK(size < sizeof request);
    memcpy(request, bytes, size);
    request[size] = '\0';
    sos_stream_take(self->stream, size);
    CHECK(strstr(request, "\r\nAccept: text/event-stream\r\n") != NULL);
    self->next = last_id(request) + 1;
    self->until = self->next + (int)sos_sim_random(world.kernel, 9); /* then it ends the stream */
    if (script.answers[0] != NULL)
        note("request %d", last_id(request));
}

static int put_chunk(sos_stream *stream, const char *text)
{
    char chunk[32];
    snprintf(chunk, sizeof chunk, "%zx\r\n", strlen(text));
    int status = sos_stream_put(stream, chunk, strlen(chunk));
    if (status == SOS_OK)
        status = sos_stream_put(stream, text, strlen(text));
    return status == SOS_OK ? sos_stream_put(stream, "\r\n", 2) : status;
}

static int put_head(struct server *self)
{
    static const char none[] = "HTTP/1.1 204 No Content\r\n\r\n";
    static const char some[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    if (self->next > EVENTS)
        return sos_stream_put(self->stream, none, sizeof none - 1);
    int status = sos_stream_put(self->stream, some, sizeof some - 1);
    return status == SOS_OK ? put_chunk(self->stream, "retry: 100\n\n: hello\n") : status;
}

static int put_event(struct server *self)
{
    snprintf(self->text, sizeof self->text, "id: %d\nevent: number\ndata: %d\ndata: again %d\n\n",
             self->next, self->next, self->next);
    return put_chunk(self->stream, self->text);
}

static const char *answer(void)
{
    int count = 0;
    while (count < 7 && script.answers[count + 1] != NULL)
        count++;
    int index = script.requests++;
    return script.answers[index < count ? index : count];
}

static int begin_answer(struct server *self)
{
    if (script.answers[0] == NULL)
        return put_head(self);
    const char *text = answer();
    return sos_stream_put(self->stream, text, strlen(text));
}

static async_fn(server)
{
    async_begin(server);
    try_await(sos_stream_until(task, self->stream, "\r\n\r\n", 4, 0));
    read_request(self, (size_t)sos_status(task));
    if (begin_answer(self) != SOS_OK)
        async_return(SOS_OK);
    await(sos_stream_flush(task, self->stream));
    while (script.repeated != NULL && sos_status(task) >= 0)
        await(sos_stream_write(task, self->stream, script.repeated, strlen(script.repeated)));
    while (script.answers[0] == NULL && self->next <= EVENTS && self->next <= self->until) {
        if (put_event(self) != SOS_OK)
            break;
        try_await(sos_stream_flush(task, self->stream));
        await(sos_sleep(task, SOS_MS(5)));
        self->next++;
    }
    if (script.stays)
        await(sos_stream_more(task, self->stream));
    async_end;
}

struct served {
    sos_frame frame;
    sos_stream *stream;
};

static async_fn(served)
{
    async_begin(served);
    await(sos_within(task, SOS_SEC(600), async_call(server, .stream = self->stream)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct listening {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
};

static async_fn(listening)
{
    async_begin(listening);
    if (sos_listener_open(sos_of(task), &(struct sos_listen){ .host = "10.0.0.1", .port = PORT },
                          &self->listener) != SOS_OK)
        async_return(SOS_OK);
    for (;;) {
        await(sos_accept(task, self->listener, &self->stream));
        if (sos_status(task) < 0)
            await(sos_sleep(task, SOS_MS(1)));
        else if (async_spawn(served, sos_opt(.detached = true), .stream = self->stream).pid < 0)
            sos_stream_close(self->stream);
    }
    async_finally;
    sos_listener_close(self->listener);
    async_end;
}

/* ---- The client: reads until there is nothing more */

static int ended, count; /* how it did, 1: not at all; how many events it has read */

struct client {
    sos_frame frame;
    struct sos_sse_options options;
    sos_sse *sse;
    struct sos_sse_event event;
    int64_t within;
    bool notes;    /* each event, and how it ends */
    bool persists; /* connecting is tried until it works */
    char text[160];
};

static void check_numbered(const struct sos_sse_event *event)
{
    char text[64];
    count++;
    snprintf(text, sizeof text, "%d\nagain %d", count, count);
    CHECK_TEXT(event->data, text);
    CHECK_TEXT(event->type, "number");
    CHECK_INT(atoi(event->id), count);
    CHECK_INT(event->retry_us, SOS_MS(100));
}

static void note_event(const struct client *self)
{
    const struct sos_sse_event *event = &self->event;
    if (self->notes)
        note("%s %s '%s'", event->type, event->id, event->data);
    else
        check_numbered(event);
}

static async_fn(client)
{
    async_begin(client);
    self->options.host = "10.0.0.1";
    self->options.error_text = self->text;
    self->options.error_text_size = sizeof self->text;
    do {
        await(sos_within(task, self->within, sos_sse_connect(task, &self->options, &self->sse)));
    } while (self->persists && sos_status(task) < 0 && sos_status(task) != SOS_ENOMEM);
    while (sos_status(task) == SOS_OK) {
        await(sos_within(task, self->within, sos_sse_read(task, self->sse, &self->event)));
        if (sos_status(task) == SOS_OK)
            note_event(self);
    }
    ended = sos_status(task);
    if (self->notes)
        note("%s: %s", status_text(ended),
             self->sse != NULL ? sos_sse_error(self->sse) : self->text);
    async_finally;
    sos_sse_close(self->sse);
    async_end;
}

static sos_handle start(struct client player)
{
    if (player.within == 0)
        player.within = SOS_SEC(1000);
    const struct sos_start starts[] = {
        { .function = client,
          .frame = &player,
          .name = "client",
          .size = sizeof player,
          .options = { .priority = 5 } },
    };
    sos_handle handle;
    ended = 1;
    count = 0;
    CHECK(sos_fork(world.os, listening, sos_opt(.priority = 3, .watcher = true)).pid >= 0);
    CHECK_INT(sos_fork_list(world.os, starts, 1, &handle), SOS_OK);
    return handle;
}

static void on_route(const struct sos_sim_route *route)
{
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, route), SOS_OK);
}

static void leave(void)
{
    sos_sim_trace_clear(world.kernel);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

static uint64_t seeds(void)
{
    const char *text = getenv("SOS_PROPERTY_SEEDS");
    return text != NULL ? strtoull(text, NULL, 10) / 4 : 1000;
}

/* Every step, every allocation is tried; under valgrind only some. */
static int stride(void)
{
    return getenv("SOS_VALGRIND") != NULL ? 7 : 1;
}

/* ---- By seed */

static void whatever_the_network_does_no_event_is_lost_or_comes_twice(void)
{
    memset(&script, 0, sizeof script);
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
        on_route(
            &(struct sos_sim_route){ .connect_max_us = 10000,
                                     .give_up_us = 2000000,
                                     .refused_percent = 10,
                                     .black_hole_percent = 10,
                                     .reset_percent = 30,
                                     .half_open_percent = 20,
                                     .reset_us = 30000,
                                     .stream = { .capacity = 500 + (uint32_t)seed % 1000,
                                                 .delay_max_us = (uint32_t)seed % 5000,
                                                 .transfer_max = (uint32_t)(seed % 3) * 20 } });
        start((struct client){
            .persists = true,
            .options = { .reconnect = { .silence_us = SOS_SEC(2) }, .attempt_us = SOS_SEC(3) } });
        CHECK_INT(sos_run(world.os), SOS_OK);
        CHECK_INT(ended, SOS_EEOF); /* 204 */
        CHECK_INT(count, EVENTS);
        leave();
    }
}

/* ---- Cut short at every moment */

static void a_kill_at_any_step_leaves_nothing(void)
{
    memset(&script, 0, sizeof script);
    for (int steps = 0;; steps += stride() + steps / 40) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = 7 });
        on_route(&(struct sos_sim_route){
            .connect_min_us = 100,
            .connect_max_us = 200,
            .stream = { .capacity = 300, .delay_min_us = 10, .delay_max_us = 10 } });
        sos_handle target = start((struct client){ .notes = false });
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        bool over = sos_kill(world.os, target) == SOS_ESTALE;
        CHECK_INT(sos_run(world.os), SOS_OK);
        leave();
        if (over && steps > 10)
            break;
    }
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    memset(&script, 0, sizeof script);
    for (uint64_t n = 1;; n += (uint64_t)stride()) {
        world_open_with(NULL, &(struct sos_sim_options){ .seed = 3 });
        start((struct client){ .options = { .reconnect = { .silence_us = SOS_SEC(2) } } });
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        leave();
        if (!failed)
            break;
    }
}

/* ---- What is refused, and when it is tried again */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static void play(struct sos_sse_options options, const char *trace)
{
    world_open(NULL);
    start((struct client){ .notes = true, .options = options, .within = SOS_SEC(100) });
    script.requests = 0;
    world_run(SOS_OK, trace);
    leave();
}

#define SCRIPT(...)                                                                                \
    memset(&script, 0, sizeof script);                                                             \
    script.answers[0] = NULL;                                                                      \
    memcpy(script.answers, (const char *const[]){ __VA_ARGS__ },                                   \
           sizeof((const char *const[]){ __VA_ARGS__ }))

static void the_standard_is_kept(void)
{
    SCRIPT(HEAD "\xEF\xBB\xBF"
                "data: YHOO\ndata: +2\r\ndata: 10\r\r: a comment\nid: 1\ndata:first\n\n"
                "data: second\nid\n\ndata:  third\n\nevent: add\ndata\n\ndata\ndata\n\n"
                "event: no data\n\nretry: x\nid: a\ndata: x\n\ndata: cut off",
           "HTTP/1.1 204 x\r\n\r\n");
    play((struct sos_sse_options){ .once = true },
         "0 request 0\n0 message  'YHOO\n+2\n10'\n0 message 1 'first'\n0 message  'second'\n"
         "0 message  ' third'\n0 add  ''\n0 message  '\n'\n0 message a 'x'\n"
         "0 EEOF: the stream has ended\n");
}

#define GONE "HTTP/1.1 204 No Content\r\n\r\n"
#define ANSWER(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

/* The least of what the server asks for, the most is twice that. */
static void the_server_says_how_long_to_wait(void)
{
    SCRIPT(HEAD "retry: 5000\nid: 1\ndata: a\n\n", HEAD "id: 2\ndata: b\n\n",
           HEAD "retry: 0\nid: 3\ndata: c\n\n", GONE);
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 message 1 'a'\n"
                                        "7866822 request 1\n"
                                        "7866822 message 2 'b'\n"
                                        "16598436 request 2\n"
                                        "16598436 message 3 'c'\n"
                                        "16598437 request 3\n"
                                        "16598437 EEOF: the server answered 204 No Content\n");
}

static void statuses_that_pass_are_tried_again_and_others_end_it(void)
{
    SCRIPT(HEAD "id: 1\ndata: a\n\n", ANSWER("503 x"), ANSWER("429 y"), HEAD "data: b\n\n",
           ANSWER("404 Not Found"));
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 message 1 'a'\n"
                                        "196671 request 1\n"
                                        "633252 request 1\n"
                                        "1230886 request 1\n"
                                        "1230886 message 1 'b'\n"
                                        "1396801 request 1\n"
                                        "1396801 ESERVER: the server answered 404 Not Found\n");
    SCRIPT(HEAD "id: 1\ndata: a\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    play((struct sos_sse_options){ 0 },
         "0 request 0\n"
         "0 message 1 'a'\n"
         "196671 request 1\n"
         "196671 EPROTO: the type of what the server sends is text/event-stream\n");
    SCRIPT(ANSWER("500 x"));
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 ESERVER: the server answered 500 x\n");
    SCRIPT("HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\n\r\n");
    play((struct sos_sse_options){ 0 },
         "0 request 0\n"
         "0 EPROTO: the type of what the server sends is text/event-stream\n");
    SCRIPT("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream ;x=y\r\n\r\ndata: a\n\n", GONE);
    play((struct sos_sse_options){ .last_id = "7" },
         "0 request 7\n"
         "0 message 7 'a'\n"
         "196671 request 7\n"
         "196671 EEOF: the server answered 204 No Content\n");
}

static void it_gives_up_after_so_many_attempts(void)
{
    SCRIPT(HEAD "id: 1\ndata: a\n\n", ANSWER("503 x"));
    play((struct sos_sse_options){ .reconnect = { .attempts_max = 3 } },
         "0 request 0\n"
         "0 message 1 'a'\n"
         "196671 request 1\n"
         "633252 request 1\n"
         "633252 ETIMEDOUT: the server answered 503 x\n");
}

/* Connections that bring nothing are made ever more seldom. */
static void a_server_that_hangs_up_at_once_is_not_harried(void)
{
    SCRIPT(HEAD, HEAD, HEAD);
    world_open(NULL);
    start((struct client){ .notes = true, .within = SOS_SEC(1000) });
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(ended, SOS_ETIMEDOUT);
    CHECK(script.requests > 30 && script.requests < 90);
    leave();
}

/* White space around a value is no part of it, and control characters are in none. */
static void an_id_that_no_header_can_carry_is_not_sent(void)
{
    SCRIPT(HEAD "id:  12\ndata: a\n\n", HEAD "id: 3\x01\ndata: b\n\n", GONE);
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 message  12 'a'\n"
                                        "196671 request 0\n"
                                        "196671 message 3\x01 'b'\n"
                                        "414962 request 0\n"
                                        "414962 EEOF: the server answered 204 No Content\n");
}

static void too_much_is_refused(void)
{
    SCRIPT(HEAD "data: ");
    script.repeated = "endless line";
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 ELIMIT: a line is longer than the limit\n");
    SCRIPT(HEAD);
    script.repeated = "data: endless event\n";
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 ELIMIT: an event is larger than the limit\n");
    play((struct sos_sse_options){ .max_event_size = 100 },
         "0 request 0\n"
         "0 ELIMIT: an event is larger than the limit\n");
    SCRIPT("HTTP/1.1 200 OK\r\n");
    script.repeated = "Endless: header\r\n";
    play((struct sos_sse_options){ 0 }, "0 request 0\n"
                                        "0 ELIMIT: more fields than the limit\n");
}

static void silence_ends_a_connection(void)
{
    SCRIPT(HEAD ": hello\n", HEAD "data: a\n\n", GONE);
    script.stays = true;
    play((struct sos_sse_options){ .reconnect = { .silence_us = SOS_SEC(30) } },
         "0 request 0\n"
         "30196671 request 0\n"
         "30196671 message  'a'\n"
         "60414962 request 0\n"
         "60414962 EEOF: the server answered 204 No Content\n");
}

/* ---- A reader that is woken */

struct waker {
    sos_frame frame;
    sos_handle target;
};

static async_fn(waker)
{
    async_begin(waker);
    await(sos_sleep(task, SOS_MS(10)));
    CHECK_INT(sos_wake(sos_of(task), self->target), SOS_OK);
    async_end;
}

static async_fn(woken)
{
    async_begin(client);
    self->options.host = "10.0.0.1";
    await(sos_sse_connect(task, &self->options, &self->sse));
    CHECK_INT(sos_status(task), SOS_OK);
    await(sos_sse_read(task, self->sse, &self->event));
    CHECK_INT(sos_status(task), SOS_EINTR);
    await(sos_within(task, SOS_SEC(5), sos_sse_read(task, self->sse, &self->event)));
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    async_finally;
    sos_sse_close(self->sse);
    async_end;
}

static void waking_a_reader_loses_no_connection(void)
{
    world_open(NULL);
    memset(&script, 0, sizeof script);
    script.answers[0] = HEAD;
    script.stays = true;
    CHECK(sos_fork(world.os, listening, sos_opt(.priority = 3, .watcher = true)).pid >= 0);
    struct client player = { .notes = false };
    const struct sos_start start = { .function = woken,
                                     .frame = &player,
                                     .name = "woken",
                                     .size = sizeof player,
                                     .options = { .priority = 5 } };
    sos_handle target;
    CHECK_INT(sos_fork_list(world.os, &start, 1, &target), SOS_OK);
    CHECK(sos_fork(world.os, waker, sos_opt(.priority = 5), .target = target).pid >= 0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(script.requests, 1);
    leave();
}

int main(void)
{
    whatever_the_network_does_no_event_is_lost_or_comes_twice();
    a_kill_at_any_step_leaves_nothing();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    the_standard_is_kept();
    the_server_says_how_long_to_wait();
    statuses_that_pass_are_tried_again_and_others_end_it();
    it_gives_up_after_so_many_attempts();
    a_server_that_hangs_up_at_once_is_not_harried();
    an_id_that_no_header_can_carry_is_not_sent();
    too_much_is_refused();
    silence_ends_a_connection();
    waking_a_reader_loses_no_connection();
    return 0;
}
