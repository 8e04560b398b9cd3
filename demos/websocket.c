/* SPDX-License-Identifier: MIT */
/* test-arguments: --help */
/*
 * Sends the lines of the standard input as text messages and prints what comes, a line each. At the
 * end of the input the connection is closed, and what still comes until then printed.
 *
 *     websocket ws://localhost:8080/chat
 *     echo hello | websocket --protocol chat -H 'X-Token: abc' wss://example.org/
 */
#include <stdlib.h>
#include <string.h>

#include "smallos/io.h"
#include "smallos/websocket.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: websocket [options] URL\n"
    "  -H 'Name: value'   send this header field; may be repeated\n"
    "  --protocol LIST    offer these subprotocols: 'chat, superchat'\n"
    "  --origin ORIGIN    say where this comes from\n"
    "  --deflate          offer compression\n" TOOL_USAGE "                     (for connecting)\n"
    "  --help             print this\n"
    "Lines of the standard input are sent, what comes is printed. The exit status is 0 when the\n"
    "connection was closed as it should be, 1 if not, 2 when this was called wrongly.\n";

enum { HEADERS_MOST = 64, PORTION = 4096, NORMAL = 1000, GOING_AWAY = 1001, NO_CODE = 1005 };
enum { OPTION_PROTOCOL = TOOL_OWN, OPTION_ORIGIN, OPTION_DEFLATE, OPTION_HELP };

static struct sos_http_field headers[HEADERS_MOST];
static char error_text[160];
static bool not_all_sent;
static struct sos_websocket_options wanted = {
    .headers = headers,
    .error_text = error_text,
    .error_text_size = sizeof error_text,
};

/* ---- From the input to the server */

struct speak {
    sos_frame frame;
    sos_websocket *socket;
    int size;   /* bytes that were read */
    size_t at;  /* of them have been sent */
    bool begun; /* a line that has not ended */
    bool ended; /* there is no more input */
    char bytes[PORTION];
};

static int read_some(sos_task *task, struct speak *self)
{
    self->at = 0;
    self->size = sos_try_read(sos_of(task), 0, self->bytes, PORTION);
    self->ended = self->size == 0;
    if (self->size != SOS_EAGAIN)
        return self->size;
    self->size = 0;
    return SOS_OK;
}

/* The rest of a line, or as much of it as there is: a long one goes out in parts. */
static sos_op send_part(sos_task *task, struct speak *self)
{
    const char *from = self->bytes + self->at;
    size_t left = (size_t)self->size - self->at;
    const char *end = left != 0 ? memchr(from, '\n', left) : NULL;
    size_t length = end != NULL ? (size_t)(end - from) : left;
    self->at += length + (end != NULL);
    self->begun = end == NULL && left != 0;
    return sos_websocket_send_part(task, self->socket, SOS_WEBSOCKET_TEXT, from, length,
                                   !self->begun);
}

static async_fn(speak)
{
    async_begin(speak);
    while (!self->ended) {
        try_await(sos_wait_readable(task, 0));
        if (read_some(task, self) < 0)
            async_return(SOS_EIO);
        while (self->at < (size_t)self->size)
            try_await(send_part(task, self));
    }
    if (self->begun)
        try_await(send_part(task, self));
    async_end;
}

/* Whatever it ends in, the other one is told by the end of the connection. */
struct speaker {
    sos_frame frame;
    sos_websocket *socket;
};

static async_fn(speaker)
{
    async_begin(speaker);
    await(async_call(speak, .socket = self->socket));
    if (sos_status(task) < 0 && sos_status(task) != SOS_EPIPE)
        not_all_sent = tool_fail("websocket", sos_status(task), "sending");
    await(sos_websocket_disconnect(task, self->socket, NORMAL, NULL));
    async_return(SOS_OK);
    async_end;
}

/* ---- From the server to the output */

struct chat {
    sos_frame frame;
    sos_websocket *socket;
    struct sos_websocket_message message;
    struct sos_scope scope;
    uint16_t code;
};

static void print(struct chat *self)
{
    const struct sos_websocket_message *message = &self->message;
    if (message->type == SOS_WEBSOCKET_CLOSE) {
        self->code = message->code;
        if (message->code != NORMAL && message->code != NO_CODE)
            fprintf(stderr, "websocket: the server closes: %u %.*s\n", message->code,
                    (int)message->size, message->bytes);
        return;
    }
    if (message->size != 0)
        fwrite(message->bytes, 1, message->size, stdout);
    if (message->last && message->type == SOS_WEBSOCKET_TEXT)
        putchar('\n');
    fflush(stdout);
}

static int failed(int status)
{
    const char *tls = tool_tls_error();
    return tool_fail("websocket", status, tls[0] != '\0' ? tls : error_text);
}

static int how_it_ended(const struct chat *self, int status)
{
    if (status != SOS_EEOF || self->code == 0)
        return tool_fail("websocket", status, sos_websocket_error(self->socket));
    bool well = self->code == NORMAL || self->code == GOING_AWAY || self->code == NO_CODE;
    return well && !not_all_sent ? 0 : 1;
}

static async_fn(chat)
{
    async_begin(chat);
    await(sos_within(task, tool_timeout(), sos_websocket_connect(task, &wanted, &self->socket)));
    if (sos_status(task) < 0)
        async_return(failed(sos_status(task)));
    sos_scope_open(task, &self->scope);
    async_spawn(speaker, sos_opt(), .socket = self->socket);
    for (;;) {
        await(sos_websocket_receive_part(task, self->socket, &self->message));
        if (sos_status(task) < 0)
            break;
        print(self);
    }
    async_return(how_it_ended(self, sos_status(task)));
    async_finally;
    sos_websocket_message_free(&self->message);
    sos_websocket_close(self->socket);
    async_end;
}

/* ---- Options */

/* "Name: value", cut in place. */
static bool take_header(char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || wanted.header_count == HEADERS_MOST)
        return false;
    *colon++ = '\0';
    colon += strspn(colon, " \t");
    headers[wanted.header_count++] = (struct sos_http_field){ text, colon };
    return true;
}

static bool take_option(int option, char *argument)
{
    switch (option) {
    case 'H':
        return take_header(argument);
    case OPTION_PROTOCOL:
        wanted.protocols = argument;
        return true;
    case OPTION_ORIGIN:
        wanted.origin = argument;
        return true;
    case OPTION_DEFLATE:
        wanted.deflate = true;
        return true;
    default:
        return tool_option(option, argument);
    }
}

int main(int count, char **words)
{
    static const struct option options[] = { { "protocol", required_argument, NULL,
                                               OPTION_PROTOCOL },
                                             { "origin", required_argument, NULL, OPTION_ORIGIN },
                                             { "deflate", no_argument, NULL, OPTION_DEFLATE },
                                             { "help", no_argument, NULL, OPTION_HELP },
                                             TOOL_OPTIONS,
                                             { NULL, 0, NULL, 0 } };
    int option;
    while ((option = getopt_long(count, words, "H:", options, NULL)) != -1) {
        if (option == OPTION_HELP)
            return fputs(usage, stdout) < 0;
        if (!take_option(option, optarg))
            return tool_usage(usage);
    }
    if (optind != count - 1)
        return tool_usage(usage);
    wanted.url = words[optind];
    wanted.tls = tool_tls();
    const struct sos_start start = sos_start(chat, sos_opt(.priority = 1));
    int status = tool_run(&start);
    return status < 0 ? tool_fail("websocket", status, "running") : status;
}
