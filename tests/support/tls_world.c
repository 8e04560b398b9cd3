/* SPDX-License-Identifier: MIT */
#include "tls_world.h"

#include <time.h>

enum { PORT = 443 };

static uint64_t time_of_day(struct sos_kernel *kernel)
{
    (void)kernel;
    return (uint64_t)time(NULL) * 1000000;
}

void tls_world_open(const struct sos_sim_options *options)
{
    static const char *const names[] = { "server.test", "localhost", "a.server.test",
                                         "a.b.server.test" };
    const struct sos_sim_name answer = { .addresses = { "127.0.0.1" } };
    world_open_with(NULL, options);
    world.kernel->wall_clock = time_of_day;
    for (size_t index = 0; index < sizeof names / sizeof names[0]; index++)
        CHECK_INT(sos_sim_set_name(world.kernel, names[index], &answer), SOS_OK);
}

void tls_world_close(void)
{
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    sos_sim_trace_clear(world.kernel);
    world_close();
}

struct sos_tls_options tls_server(const char *name)
{
    static char files[2][64];
    snprintf(files[0], sizeof files[0], "%s.pem", name);
    snprintf(files[1], sizeof files[1], "%s.key", strcmp(name, "chain") == 0 ? "leaf" : name);
    return (struct sos_tls_options){ .certificate = { .file = certificate(files[0]) },
                                     .key = { .file = certificate(files[1]) } };
}

struct sos_tls_options tls_client(void)
{
    return (struct sos_tls_options){ .ca = { .file = certificate("ca.pem") } };
}

/* ---- The two ends */

static void note_end(struct tls_end *end, sos_stream *stream, int status)
{
    end->last = status;
    if (stream == NULL)
        return;
    sos_tls_describe(stream, &end->info);
    snprintf(end->last_text, sizeof end->last_text, "%s",
             status < 0 ? sos_stream_error_text(stream) : "");
}

struct server_end {
    sos_frame frame;
    struct tls_meeting *meeting;
    sos_listener *listener;
    sos_stream *stream;
};

static async_fn(server_end)
{
    async_begin(server_end);
    try_await(sos_accept(task, self->listener, &self->stream));
    await(sos_tls_handshake(task, self->stream));
    self->meeting->at_server.status = sos_status(task);
    if (sos_status(task) < 0)
        async_return(sos_status(task));
    try_await(sos_stream_until(task, self->stream, "ping\n", 5, 0));
    try_await(sos_stream_write(task, self->stream, "pong\n", 5));
    sos_stream_take(self->stream, 5);
    await(sos_stream_more(task, self->stream));
    async_return(sos_status(task) == SOS_EEOF ? SOS_OK : sos_status(task));
    async_finally;
    note_end(&self->meeting->at_server, self->stream, sos_status(task));
    sos_stream_close(self->stream);
    async_end;
}

struct client_end {
    sos_frame frame;
    struct tls_meeting *meeting;
    sos_stream *stream;
    struct sos_connect_options options;
};

static async_fn(client_end)
{
    async_begin(client_end);
    self->options = (struct sos_connect_options){ .host = self->meeting->host,
                                                  .port = PORT,
                                                  .tls = &self->meeting->client };
    await(sos_connect(task, &self->options, &self->stream));
    self->meeting->at_client.status = sos_status(task);
    if (sos_status(task) < 0)
        async_return(sos_status(task));
    try_await(sos_stream_write(task, self->stream, "ping\n", 5));
    try_await(sos_stream_until(task, self->stream, "pong\n", 5, 0));
    async_finally;
    note_end(&self->meeting->at_client, self->stream, sos_status(task));
    sos_stream_close(self->stream);
    async_end;
}

void tls_meet_here(struct tls_meeting *meeting)
{
    sos_listener *listener;
    if (meeting->host == NULL)
        meeting->host = "server.test";
    meeting->client.error_text = meeting->at_client.text;
    meeting->client.error_text_size = sizeof meeting->at_client.text;
    CHECK_INT(sos_listener_open(world.os,
                                &(struct sos_listen){
                                    .host = strcmp(meeting->host, "::1") == 0 ? "::1" : "127.0.0.1",
                                    .port = PORT,
                                    .tls = &meeting->server },
                                &listener),
              SOS_OK);
    sos_handle server = sos_fork(world.os, server_end, sos_opt(.priority = 3, .detached = true),
                                 .meeting = meeting, .listener = listener);
    sos_fork(world.os, client_end, sos_opt(.priority = 3, .detached = true), .meeting = meeting);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(sos_kill(world.os, server), SOS_ESTALE);
    snprintf(meeting->at_server.text, sizeof meeting->at_server.text, "%s",
             meeting->at_server.status < 0 ? meeting->at_server.last_text : "");
    sos_listener_close(listener);
}

void tls_meet(struct tls_meeting *meeting)
{
    tls_world_open(NULL);
    tls_meet_here(meeting);
    tls_world_close();
}
