/* SPDX-License-Identifier: MIT */
#include "web_script.h"

#include <stdlib.h>
#include <zlib.h>

/* ---- A server that follows a script: one answer for each request */

struct web_script web_script;

struct conversation {
    sos_frame frame;
    sos_stream **given; /* by the door, until the first step */
    sos_stream *stream;
    size_t left, size;
    bool open;
};

static const struct web_answer *current(void)
{
    return &web_script.answers[web_script.next < web_script.count ? web_script.next
                                                                  : web_script.count - 1];
}

static sos_op say(sos_task *task, struct conversation *self)
{
    const struct web_answer *answer = current();
    return sos_stream_write(task, self->stream, answer->text,
                            answer->size != 0 ? answer->size : strlen(answer->text));
}

/* The head, whose size is `size`, is noted and taken; what is left is the body. */
static void note_request(struct conversation *self, int size)
{
    size_t all;
    const char *bytes = (const char *)sos_stream_data(self->stream, &all);
    CHECK((size_t)size < sizeof web_script.seen);
    memcpy(web_script.seen, bytes, (size_t)size);
    web_script.seen[size] = '\0';
    sos_stream_take(self->stream, (size_t)size);
    const char *length = strstr(web_script.seen, "Content-Length: ");
    self->size = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    web_script.requests++;
}

static void take_body(struct conversation *self)
{
    size_t all;
    sos_stream_data(self->stream, &all);
    if (all > self->size)
        all = self->size;
    self->size -= all;
    sos_stream_take(self->stream, all);
}

static async_fn(conversation)
{
    async_begin(conversation);
    self->stream = *self->given;
    *self->given = NULL;
    self->open = true;
    while (self->open) {
        if (!current()->early) {
            try_await(sos_stream_until(task, self->stream, "\r\n\r\n", 4, 0));
            note_request(self, sos_status(task));
            take_body(self);
            while (self->size != 0) {
                try_await(sos_stream_more(task, self->stream));
                take_body(self);
            }
        }
        if (current()->before != NULL)
            try_await(
                sos_stream_write(task, self->stream, current()->before, strlen(current()->before)));
        for (self->left = current()->repeat != 0 ? current()->repeat : 1; self->left > 0;
             self->left--)
            try_await(say(task, self));
        if (current()->stalls)
            try_await(sos_sleep(task, SOS_FOREVER));
        self->open = !current()->closes;
        web_script.next++;
    }
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct web_door {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream;
};

struct sos_listen web_door_at = { .host = "10.0.0.1", .port = 80 };

static int open_door(sos *os, sos_listener **listener)
{
    return sos_listener_open(os, &web_door_at, listener);
}

/* The stream is the door's until the conversation has begun. */
static void hand_over(sos_task *task, sos_stream **stream)
{
    if (async_spawn(conversation, sos_opt(.detached = true, .watcher = true), .given = stream)
            .pid >= 0)
        return;
    sos_stream_close(*stream);
    *stream = NULL;
}

static async_fn(web_door)
{
    async_begin(web_door);
    if (open_door(sos_of(task), &self->listener) != SOS_OK)
        async_return(SOS_ENOMEM);
    for (;;) {
        try_await(sos_accept(task, self->listener, &self->stream));
        web_script.connections++;
        hand_over(task, &self->stream);
        while (self->stream != NULL)
            try_await(sos_yield(task));
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

/* ---- A client that makes requests one after the other */

struct web_result web_result;

void web_note(const struct web_client *client, sos *os, int status)
{
    const struct sos_http_response *response = &client->response;
    web_result.status = status;
    web_result.code = response->status;
    web_result.size = response->body_size;
    snprintf(web_result.body, sizeof web_result.body, "%s", response->body);
    snprintf(web_result.why, sizeof web_result.why, "%s",
             response->why != NULL ? response->why : "");
    if (sos_memory(os).used > web_result.memory)
        web_result.memory = sos_memory(os).used;
}

static async_fn(web_client)
{
    async_begin(web_client);
    if (sos_http_open(sos_of(task), &self->options, &self->http) != SOS_OK)
        async_return(SOS_ENOMEM);
    for (; self->times > 0; self->times--) {
        await(sos_within(task, self->within,
                         sos_http_send(task, self->http, &self->request, &self->response)));
        web_note(self, sos_of(task), sos_status(task));
        if (self->times > 1)
            await(sos_sleep(task, self->pause));
    }
    async_finally;
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    async_end;
}

/* With a client that others use too. */
sos_http *web_shared;

static async_fn(web_sharing_client)
{
    async_begin(web_client);
    for (; self->times > 0; self->times--) {
        await(sos_http_send(task, web_shared, &self->request, &self->response));
        web_note(self, sos_of(task), sos_status(task));
        await(sos_sleep(task, self->pause));
    }
    async_finally;
    sos_http_response_free(&self->response);
    async_end;
}

void web_open(const struct sos_sim_options *options)
{
    world_open_with(NULL, options);
    memset(&web_script, 0, sizeof web_script);
    memset(&web_result, 0, sizeof web_result);
}

void web_close(void)
{
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

void web_serve(void)
{
    CHECK(sos_fork(world.os, web_door, sos_opt(.priority = 3, .watcher = true)).pid >= 0);
}

sos_handle web_begin(struct web_client what)
{
    const struct sos_start start = {
        .function = web_client,
        .frame = &what,
        .name = "client",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    sos_handle handle;
    if (what.options.url == NULL)
        what.options.url = "http://10.0.0.1/";
    if (what.within == 0)
        what.within = SOS_SEC(100);
    if (what.times == 0)
        what.times = 1;
    web_serve();
    CHECK_INT(sos_fork_list(world.os, &start, 1, &handle), SOS_OK);
    return handle;
}

void web_run(struct web_client what)
{
    web_begin(what);
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_sim_trace_clear(world.kernel);
}

/* One request of `client`, answered by `answer`, which comes in portions of `most` bytes. */
static void expect_portions(struct web_answer answer, struct web_client client, int status,
                            const char *text, uint32_t most)
{
    web_open(NULL);
    const struct sos_sim_route route = { .stream = { .transfer_max = most } };
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, &route), SOS_OK);
    web_script.answers[0] = answer;
    web_script.count = 1;
    web_run(client);
    if (web_result.status != status)
        fprintf(stderr, "the answer begins with %.60s\n",
                answer.before != NULL ? answer.before : answer.text);
    CHECK_INT(web_result.status, status);
    if (strstr(status == SOS_OK ? web_result.body : web_result.why, text) == NULL)
        CHECK_TEXT(status == SOS_OK ? web_result.body : web_result.why, text);
    web_close();
}

void web_expect(struct web_answer answer, struct web_client client, int status, const char *text)
{
    expect_portions(answer, client, status, text, 0);
    if (answer.repeat != 0 || answer.size != 0)
        return;
    expect_portions(answer, client, status, text, 1);
    expect_portions(answer, client, status, text, 7);
}

void web_run_many(struct web_client what, int count)
{
    const struct sos_start start = {
        .function = web_sharing_client,
        .frame = &what,
        .name = "client",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    CHECK_INT(sos_http_open(world.os, &what.options, &web_shared), SOS_OK);
    web_serve();
    const struct sos_sim_route route = { .connect_min_us = 10,
                                         .connect_max_us = 10,
                                         .stream = { .delay_min_us = 20, .delay_max_us = 20 } };
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, &route), SOS_OK);
    while (count-- > 0)
        CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_http_close(web_shared);
    web_shared = NULL;
    sos_sim_trace_clear(world.kernel);
}

size_t web_bomb(char *to, size_t room, int mib)
{
    static unsigned char zeros[1 << 20];
    static const char head[] = WEB_OK "Content-Encoding: gzip\r\n\r\n";
    z_stream zlib = { 0 };
    memcpy(to, head, sizeof head - 1);
    CHECK_INT(deflateInit2(&zlib, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_out = (unsigned char *)to + sizeof head - 1;
    zlib.avail_out = (unsigned)(room - sizeof head + 1);
    while (mib-- > 0) {
        zlib.next_in = zeros;
        zlib.avail_in = sizeof zeros;
        CHECK_INT(deflate(&zlib, Z_NO_FLUSH), Z_OK);
    }
    CHECK_INT(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    room -= zlib.avail_out;
    deflateEnd(&zlib);
    return room;
}
