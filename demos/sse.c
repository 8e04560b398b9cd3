/* SPDX-License-Identifier: MIT */
/* test-arguments: --help */
/*
 * Prints Server-Sent Events as they come, and connects again whenever the connection is lost.
 *
 *     sse https://example.org/news
 *     sse --count 3 --last-id 1234 http://localhost:8080/events
 */
#include <stdlib.h>
#include <string.h>

#include "smallos/sse.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: sse [options] URL\n"
    "  -H 'Name: value'   send this header field; may be repeated\n"
    "  --last-id ID       go on after the event with this id\n"
    "  --count N          stop after N events\n"
    "  --once             do not connect again when the connection is lost\n"
    "  --idle SECONDS     a connection that is silent for so long is dead\n" TOOL_USAGE
    "                     (for connecting at first)\n"
    "  --help             print this\n"
    "The exit status is 0 after N events or when the server has no more of them, 1 if something "
    "went\n"
    "wrong, 2 when this was called wrongly.\n";

enum { HEADERS_MOST = 64 };
enum { OPTION_LAST_ID = TOOL_OWN, OPTION_COUNT, OPTION_ONCE, OPTION_IDLE, OPTION_HELP };

static struct sos_http_field headers[HEADERS_MOST];
static char error_text[160];
static struct sos_sse_options wanted = {
    .headers = headers,
    .error_text = error_text,
    .error_text_size = sizeof error_text,
};
static unsigned long count_wanted; /* 0: all */

/* ---- The task */

struct listen {
    sos_frame frame;
    sos_sse *sse;
    struct sos_sse_event event;
    unsigned long count;
};

/* As a server would send it, so that it can be read on. */
static void print(const struct sos_sse_event *event)
{
    if (event->id_size != 0)
        printf("id: %s\n", event->id);
    if (strcmp(event->type, "message") != 0)
        printf("event: %s\n", event->type);
    fputs("data: ", stdout);
    for (const char *c = event->data; *c != '\0'; c++) {
        putchar(*c);
        if (*c == '\n')
            fputs("data: ", stdout);
    }
    fputs("\n\n", stdout);
    fflush(stdout);
}

static int failed(int status, const char *why)
{
    const char *tls = tool_tls_error();
    return tool_fail("sse", status, tls[0] != '\0' ? tls : why);
}

static async_fn(listen)
{
    async_begin(listen);
    await(sos_within(task, tool_timeout(), sos_sse_connect(task, &wanted, &self->sse)));
    if (sos_status(task) < 0)
        async_return(failed(sos_status(task), error_text));
    while (count_wanted == 0 || self->count < count_wanted) {
        await(sos_sse_read(task, self->sse, &self->event));
        if (sos_status(task) == SOS_EEOF)
            break;
        if (sos_status(task) < 0)
            async_return(failed(sos_status(task), sos_sse_error(self->sse)));
        print(&self->event);
        self->count++;
    }
    async_return(self->count >= count_wanted ? 0 : 1);
    async_finally;
    sos_sse_close(self->sse);
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

static bool take_count(const char *argument)
{
    char *end;
    count_wanted = strtoul(argument, &end, 10);
    return *argument >= '0' && *argument <= '9' && *end == '\0' && count_wanted != 0;
}

static bool take_idle(const char *argument)
{
    char *end;
    double seconds = strtod(argument, &end);
    if (end == argument || *end != '\0' || !(seconds > 0 && seconds < 1e9))
        return false;
    wanted.reconnect.silence_us = (int64_t)(seconds * 1e6);
    return true;
}

static bool take_option(int option, char *argument)
{
    switch (option) {
    case 'H':
        return take_header(argument);
    case OPTION_LAST_ID:
        wanted.last_id = argument;
        return true;
    case OPTION_COUNT:
        return take_count(argument);
    case OPTION_ONCE:
        wanted.once = true;
        return true;
    case OPTION_IDLE:
        return take_idle(argument);
    default:
        return tool_option(option, argument);
    }
}

int main(int count, char **words)
{
    static const struct option options[] = { { "last-id", required_argument, NULL, OPTION_LAST_ID },
                                             { "count", required_argument, NULL, OPTION_COUNT },
                                             { "once", no_argument, NULL, OPTION_ONCE },
                                             { "idle", required_argument, NULL, OPTION_IDLE },
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
    const struct sos_start start = sos_start(listen, sos_opt(.priority = 1));
    int status = tool_run(&start);
    return status < 0 ? tool_fail("sse", status, "running") : status;
}
