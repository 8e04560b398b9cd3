/* SPDX-License-Identifier: MIT */
/* test-arguments: --help */
/*
 * Fetches a URL and writes the body to the standard output, portion by portion as it comes.
 *
 *     http https://example.org/
 *     http -X PUT -d 'some text' -H 'Content-Type: text/plain' http://localhost:8080/notes/1
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "smallos/http.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: http [options] URL\n"
    "  -X METHOD          default GET, with -d POST\n"
    "  -d DATA            send this as the body\n"
    "  -H 'Name: value'   send this header field; may be repeated\n"
    "  -i                 print the head of the answer too\n"
    "  -o FILE            write to FILE instead of the standard output\n"
    "  --proxy URL        http://[user:password@]host:port\n" TOOL_USAGE
    "  --help             print this\n"
    "The exit status is 0 when an answer came and its status is below 400, 1 if not, 2 when this\n"
    "was called wrongly.\n";

enum { HEADERS_MOST = 64, PORTION = 65536, OPTION_PROXY = TOOL_OWN, OPTION_HELP };

static struct {
    struct sos_http_field headers[HEADERS_MOST];
    struct sos_http_request request;
    const char *proxy;
    bool shows_head;
    FILE *out;
} wanted;

/* ---- The task */

struct fetch {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
    char *portion;
};

static int begin(sos *os, struct fetch *fetch)
{
    const struct sos_http_options options = { .tls = tool_tls(), .proxy = wanted.proxy };
    fetch->portion = malloc(PORTION);
    return fetch->portion != NULL ? sos_http_open(os, &options, &fetch->http) : SOS_ENOMEM;
}

static void print_head(const struct sos_http_response *response)
{
    fprintf(wanted.out, "HTTP/1.1 %d %s\n", response->status, response->reason);
    for (size_t i = 0; i < response->header_count; i++)
        fprintf(wanted.out, "%s: %s\n", response->headers[i].name, response->headers[i].value);
    fputs("\n", wanted.out);
}

static int failed(const struct fetch *fetch, int status)
{
    if (status == SOS_ETLS)
        return tool_fail("http", status, tool_tls_error());
    return tool_fail("http", status, fetch->response.why);
}

static bool write_out(const struct fetch *fetch, int size)
{
    return fwrite(fetch->portion, 1, (size_t)size, wanted.out) == (size_t)size;
}

static async_fn(fetch)
{
    async_begin(fetch);
    if (begin(sos_of(task), self) != SOS_OK)
        async_return(tool_fail("http", SOS_EINVAL, "the proxy is no URL"));
    await(sos_within(task, tool_timeout(),
                     sos_http_send(task, self->http, &wanted.request, &self->response)));
    if (sos_status(task) < 0)
        async_return(failed(self, sos_status(task)));
    if (wanted.shows_head)
        print_head(&self->response);
    for (;;) {
        await(sos_within(task, tool_timeout(),
                         sos_http_read(task, &self->response, self->portion, PORTION)));
        if (sos_status(task) < 0)
            async_return(failed(self, sos_status(task)));
        if (sos_status(task) == 0)
            break;
        if (!write_out(self, sos_status(task)))
            async_return(tool_fail("http", SOS_EIO, "writing the output"));
    }
    async_return(self->response.status < 400 ? 0 : 1);
    async_finally;
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    free(self->portion);
    async_end;
}

/* ---- Options */

/* "Name: value", cut in place. */
static bool take_header(char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || wanted.request.header_count == HEADERS_MOST)
        return false;
    *colon++ = '\0';
    colon += strspn(colon, " \t");
    wanted.headers[wanted.request.header_count++] = (struct sos_http_field){ text, colon };
    return true;
}

static bool open_output(const char *path)
{
    wanted.out = fopen(path, "wb");
    if (wanted.out == NULL)
        fprintf(stderr, "http: %s: %s\n", path, strerror(errno));
    return wanted.out != NULL;
}

static bool take_option(int option, char *argument)
{
    switch (option) {
    case 'X':
        wanted.request.method = argument;
        return true;
    case 'd':
        wanted.request.body.bytes = argument;
        wanted.request.body.size = strlen(argument);
        return true;
    case 'H':
        return take_header(argument);
    case 'i':
        wanted.shows_head = true;
        return true;
    case 'o':
        return open_output(argument);
    case OPTION_PROXY:
        wanted.proxy = argument;
        return true;
    default:
        return tool_option(option, argument);
    }
}

int main(int count, char **words)
{
    static const struct option options[] = { { "proxy", required_argument, NULL, OPTION_PROXY },
                                             { "help", no_argument, NULL, OPTION_HELP },
                                             TOOL_OPTIONS,
                                             { NULL, 0, NULL, 0 } };
    int option;
    wanted.out = stdout;
    while ((option = getopt_long(count, words, "X:d:H:io:", options, NULL)) != -1) {
        if (option == OPTION_HELP)
            return fputs(usage, stdout) < 0;
        if (!take_option(option, optarg))
            return tool_usage(usage);
    }
    if (optind != count - 1)
        return tool_usage(usage);
    wanted.request.url = words[optind];
    wanted.request.headers = wanted.headers;
    wanted.request.stream = true;
    const struct sos_start start = sos_start(fetch, sos_opt(.priority = 1));
    int status = tool_run(&start);
    if (fclose(wanted.out) != 0)
        status = tool_fail("http", SOS_EIO, "writing the output");
    return status < 0 ? 1 : status;
}
