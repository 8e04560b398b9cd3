/* SPDX-License-Identifier: MIT */
/* test-arguments: --help */
/*
 * Publishes a message, or prints those that come.
 *
 *     mqtt pub -q 1 localhost lamp on
 *     mqtt sub -v mqtts://user:password@broker.example 'house/#'
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "smallos/mqtt.h"
#include "smallos/tls.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: mqtt pub [options] SERVER TOPIC MESSAGE\n"
    "       mqtt sub [options] SERVER TOPIC...\n"
    "SERVER is a host, or mqtt[s]://[user:password@]host[:port]\n"
    "  -q, --qos 0|1|2      quality of service; default 0\n"
    "  -r, --retain         pub: the server keeps the message\n"
    "  -c, --count COUNT    sub: end after so many messages\n"
    "  -v, --verbose        sub: print the topic before each message\n"
    "  -i, --id ID          client identifier; default a random one\n"
    "  -u, --user USER      instead of that in the URL\n"
    "  -P, --password WORD\n"
    "  -V, --protocol 3|5   3.1.1 or 5; default 5\n" TOOL_USAGE
    "  --help               print this\n"
    "The exit status is 0 when all went well, 1 if not, 2 when this was called wrongly.\n";

enum { FILTERS_MOST = 64, OPTION_HELP = TOOL_OWN };

static struct {
    struct sos_mqtt_options options;
    struct sos_mqtt_message message;
    struct sos_mqtt_filter filters[FILTERS_MOST];
    int filter_count;
    unsigned long qos, count, version;
    bool verbose;
} wanted;

static int failed(int status, const char *why)
{
    if (status == SOS_ETLS)
        why = tool_tls_error();
    return tool_fail("mqtt", status, why);
}

/* ---- Publishing */

struct pub {
    sos_frame frame;
    sos_mqtt *mqtt;
    struct sos_mqtt_answer answer;
};

static async_fn(pub)
{
    async_begin(pub);
    await(sos_within(task, tool_timeout(),
                     sos_mqtt_connect(task, &wanted.options, &self->mqtt, &self->answer)));
    if (sos_status(task) == SOS_OK)
        await(sos_within(task, tool_timeout(),
                         sos_mqtt_publish(task, self->mqtt, &wanted.message, &self->answer)));
    if (sos_status(task) < 0)
        async_return(failed(sos_status(task), self->answer.text));
    await(sos_mqtt_disconnect(task, &self->mqtt));
    async_return(0);
    async_finally;
    sos_mqtt_close(self->mqtt);
    async_end;
}

/* ---- Subscribing */

struct sub {
    sos_frame frame;
    sos_mqtt *mqtt;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_message message;
    struct sos_mqtt_answer answer;
    unsigned long count;
};

static int subscription_failed(int status)
{
    for (int index = 0; status == SOS_ESERVER && index < wanted.filter_count; index++)
        if (wanted.filters[index].reason >= 0x80)
            return failed(status, sos_mqtt_reason_text(wanted.filters[index].reason));
    return failed(status, NULL);
}

static bool print(const struct sos_mqtt_message *message)
{
    if (wanted.verbose)
        printf("%s ", message->topic);
    fwrite(message->payload, 1, message->size, stdout);
    putchar('\n');
    return fflush(stdout) == 0;
}

static async_fn(sub)
{
    async_begin(sub);
    await(sos_within(task, tool_timeout(),
                     sos_mqtt_connect(task, &wanted.options, &self->mqtt, &self->answer)));
    if (sos_status(task) < 0)
        async_return(failed(sos_status(task), self->answer.text));
    if (sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox) != SOS_OK)
        async_return(failed(SOS_ENOMEM, NULL));
    await(sos_within(
        task, tool_timeout(),
        sos_mqtt_subscribe(task, self->inbox, wanted.filters, (size_t)wanted.filter_count)));
    if (sos_status(task) < 0)
        async_return(subscription_failed(sos_status(task)));
    while (wanted.count == 0 || self->count++ < wanted.count) {
        await(
            sos_within(task, tool_timeout(), sos_mqtt_receive(task, self->inbox, &self->message)));
        if (sos_status(task) < 0)
            async_return(failed(sos_status(task), NULL));
        if (!print(&self->message))
            async_return(failed(SOS_EIO, "writing the output"));
    }
    sos_mqtt_message_free(&self->message); /* acknowledges it */
    await(sos_mqtt_disconnect(task, &self->mqtt));
    async_return(0);
    async_finally;
    sos_mqtt_message_free(&self->message);
    sos_mqtt_inbox_close(self->inbox);
    sos_mqtt_close(self->mqtt);
    async_end;
}

/* ---- Options */

static bool take_number(const char *text, unsigned long most, unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text != '-' && *number <= most;
}

static bool take_option(int option, const char *argument)
{
    switch (option) {
    case 'q':
        return take_number(argument, 2, &wanted.qos);
    case 'r':
        wanted.message.retain = true;
        return true;
    case 'c':
        return take_number(argument, 1000000000, &wanted.count) && wanted.count != 0;
    case 'v':
        wanted.verbose = true;
        return true;
    case 'i':
        wanted.options.client_id = argument;
        return true;
    case 'u':
        wanted.options.user = argument;
        return true;
    case 'P':
        wanted.options.password = argument;
        return true;
    case 'V':
        return take_number(argument, 5, &wanted.version) &&
               (wanted.version == 3 || wanted.version == 5);
    default:
        return tool_option(option, argument);
    }
}

/* A host alone is taken for a URL without its scheme. */
static bool take_server(const char *text)
{
    static char with_scheme[512];
    static struct tool_url url; /* what it points to is never given back */
    if (strstr(text, "://") == NULL) {
        snprintf(with_scheme, sizeof with_scheme, "mqtt://%s", text);
        text = with_scheme;
    }
    if (!tool_url(text, &url) || url.path[0] != '\0')
        return false;
    bool secure = strcmp(url.scheme, "mqtts") == 0;
    if (!secure && strcmp(url.scheme, "mqtt") != 0)
        return false;
    wanted.options.host = url.host;
    wanted.options.port = url.port;
    wanted.options.tls = secure ? tool_tls() : NULL;
    if (wanted.options.user == NULL)
        wanted.options.user = url.user;
    if (wanted.options.password == NULL)
        wanted.options.password = url.password;
    return true;
}

static bool take_words(bool publishes, int count, char **words)
{
    if ((publishes ? count != 3 : count < 2 || count - 1 > FILTERS_MOST) || !take_server(words[0]))
        return false;
    wanted.options.version = (uint8_t)wanted.version;
    wanted.options.clean_start = true;
    if (publishes) {
        wanted.message.topic = words[1];
        wanted.message.payload = words[2];
        wanted.message.size = strlen(words[2]);
        wanted.message.qos = (uint8_t)wanted.qos;
        return true;
    }
    for (; wanted.filter_count < count - 1; wanted.filter_count++)
        wanted.filters[wanted.filter_count] = (struct sos_mqtt_filter){
            .filter = words[wanted.filter_count + 1], .qos = (uint8_t)wanted.qos
        };
    return true;
}

int main(int count, char **words)
{
    static const struct option options[] = { { "qos", required_argument, NULL, 'q' },
                                             { "retain", no_argument, NULL, 'r' },
                                             { "count", required_argument, NULL, 'c' },
                                             { "verbose", no_argument, NULL, 'v' },
                                             { "id", required_argument, NULL, 'i' },
                                             { "user", required_argument, NULL, 'u' },
                                             { "password", required_argument, NULL, 'P' },
                                             { "protocol", required_argument, NULL, 'V' },
                                             { "help", no_argument, NULL, OPTION_HELP },
                                             TOOL_OPTIONS,
                                             { NULL, 0, NULL, 0 } };
    int option;
    while ((option = getopt_long(count, words, "q:rc:vi:u:P:V:", options, NULL)) != -1) {
        if (option == OPTION_HELP)
            return fputs(usage, stdout) < 0;
        if (!take_option(option, optarg))
            return tool_usage(usage);
    }
    const char *command = optind < count ? words[optind] : "";
    bool publishes = strcmp(command, "pub") == 0;
    if ((!publishes && strcmp(command, "sub") != 0) ||
        !take_words(publishes, count - optind - 1, words + optind + 1))
        return tool_usage(usage);
    const struct sos_start start = publishes ? sos_start(pub, sos_opt(.priority = 1))
                                             : sos_start(sub, sos_opt(.priority = 1));
    int status = tool_run(&start);
    return status < 0 ? 1 : status;
}
