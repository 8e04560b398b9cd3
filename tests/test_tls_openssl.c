/* SPDX-License-Identifier: MIT */
/* TLS against the servers and clients of the openssl program, on every back end. */
#include "smallos/tls.h"

#include "certificates.h"
#include "server.h"
#include "unix_world.h"

static struct server server;
static char words[SOS_TLS_TEXT];

struct scene {
    sos_frame frame;
    struct sos_connect_options options;
    struct sos_tls_options tls;
    struct sos_tls_info info;
    sos_stream *stream;
    int status;
};

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))

static void run_scene(sos_async_function function, const struct sos_tls_options *tls)
{
    unix_open(&here, NULL);
    struct scene first = { .options = { .host = "127.0.0.1", .port = server.port }, .tls = *tls };
    const struct sos_start start = {
        .function = function,
        .frame = &first,
        .name = "scene",
        .size = sizeof first,
        .options = { .priority = 4 },
    };
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    unix_run();
}

/* s_server -rev answers each line with the same backwards. */
static async_fn(line_and_back)
{
    async_begin(scene);
    self->options.tls = &self->tls;
    self->tls.error_text = words;
    self->tls.error_text_size = sizeof words;
    await(sos_within(task, SOS_SEC(20), sos_connect(task, &self->options, &self->stream)));
    CHECK_TEXT(words, "");
    CHECK_INT(sos_status(task), 0);
    CHECKED(sos_stream_write(task, self->stream, "smallOS\n", 8), 8);
    CHECKED(sos_stream_until(task, self->stream, "\n", 1, 100), 8);
    CHECK(memcmp(sos_stream_data(self->stream, &(size_t){ 0 }), "SOllams\n", 8) == 0);
    CHECK_INT(sos_tls_describe(self->stream, &self->info), SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void a_line_goes_there_and_back(void)
{
    run_scene(line_and_back, &(struct sos_tls_options){ .ca = { .file = certificate("ca.pem") } });
}

static void (*const tests[])(void) = {
    a_line_goes_there_and_back,
};

int main(void)
{
    if (!certificates_make())
        return 0;
    server_prepare(&server);
    const char *const argv[] = { "openssl", "s_server",
                                 "-accept", "{port}",
                                 "-cert",   certificate("good.pem"),
                                 "-key",    certificate("good.key"),
                                 "-rev",    "-quiet",
                                 NULL };
    if (!server_start(&server, argv))
        return 0;
    unix_tests(tests, sizeof tests / sizeof *tests, false);
    server_stop(&server);
    return 0;
}
