/* SPDX-License-Identifier: MIT */
/* test-arguments: --help */
/*
 * Sends a command to Redis and prints the reply as redis-cli does; with (p)subscribe, what comes.
 *
 *     redis set greeting hello
 *     redis -u rediss://user:password@example.org/3 --cacert ca.pem hgetall settings
 *     redis subscribe news weather
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "redis/print.h"
#include "smallos/redis_cluster.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: redis [options] COMMAND [ARGUMENT...]\n"
    "       redis [options] subscribe CHANNEL...    prints what is published\n"
    "       redis [options] psubscribe PATTERN...   the same for all channels that match\n"
    "  -u URL             redis://[user:password@]host[:port][/database], rediss: with TLS\n"
    "  -h HOST            instead of a URL; default 127.0.0.1\n"
    "  -p PORT            default 6379\n"
    "  -s PATH            a local socket\n"
    "  -n NUMBER          database\n"
    "  --user NAME\n"
    "  --password TEXT    or in the environment: REDIS_PASSWORD\n"
    "  --tls              with TLS\n"
    "  -c                 it is a cluster: go where the keys are\n"
    "  -2                 speak RESP2\n"
    "  -m COUNT           end after so many messages\n"
    "  --raw, --no-raw    print for other programs, or for people; default: as the output "
    "is\n" TOOL_USAGE "  --help             print this\n"
    "The exit status is 0 when the command was carried out, 1 if not, 2 when this was called\n"
    "wrongly.\n";

enum {
    OPTION_USER = TOOL_OWN,
    OPTION_PASSWORD,
    OPTION_TLS,
    OPTION_RAW,
    OPTION_NO_RAW,
    OPTION_HELP
};

static char error_text[256];
static struct {
    struct sos_redis_cluster_options options; /* those of a node are all there is without -c */
    char socket[128];
    bool cluster, raw;
    unsigned long messages; /* 0: without an end */
    const char *const *words;
    size_t count;
} wanted;

/* ---- The task */

struct session {
    sos_frame frame;
    sos_redis *redis;
    sos_redis_cluster *cluster;
    struct sos_redis_reply reply;
};

static int failed(const struct session *session, int status)
{
    const char *why = error_text;
    if (session->redis != NULL)
        why = sos_redis_error(session->redis);
    if (status == SOS_ETLS && tool_tls_error()[0] != '\0')
        why = tool_tls_error();
    if (strcmp(why, sos_error_text(status)) == 0)
        why = NULL;
    return tool_fail("redis", status, why);
}

static sos_op join_in(sos_task *task, struct session *self)
{
    if (wanted.cluster)
        return sos_redis_cluster_connect(task, &wanted.options, &self->cluster);
    return sos_redis_connect(task, &wanted.options.node, &self->redis);
}

static sos_op carry_out(sos_task *task, struct session *self)
{
    if (wanted.cluster)
        return sos_redis_cluster_send(task, self->cluster, &self->reply, wanted.count, wanted.words,
                                      NULL);
    return sos_redis_send(task, self->redis, &self->reply, wanted.count, wanted.words, NULL);
}

static bool subscribes(void)
{
    return strcasecmp(wanted.words[0], "subscribe") == 0 ||
           strcasecmp(wanted.words[0], "psubscribe") == 0;
}

struct hear {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_message message;
    unsigned long heard;
    size_t index;
};

static sos_op subscribe(sos_task *task, const struct hear *self)
{
    bool pattern = strcasecmp(wanted.words[0], "psubscribe") == 0;
    const char *name = wanted.words[self->index];
    return pattern ? sos_redis_psubscribe(task, self->redis, name)
                   : sos_redis_subscribe(task, self->redis, name);
}

static void print_message(const struct sos_redis_message *message)
{
    if (message->gap)
        fputs("redis: the connection was lost, messages may be missing\n", stderr);
    if (message->lost != 0)
        fprintf(stderr, "redis: %llu messages were lost\n", (unsigned long long)message->lost);
    print_reply(message->reply.value, wanted.raw);
    fflush(stdout);
}

static async_fn(hear)
{
    async_begin(hear);
    for (self->index = 1; self->index < wanted.count; self->index++)
        try_await(subscribe(task, self));
    while (wanted.messages == 0 || self->heard++ < wanted.messages) {
        try_await(sos_redis_next_message(task, self->redis, &self->message));
        print_message(&self->message);
    }
    async_finally;
    sos_redis_message_free(&self->message);
    async_end;
}

static async_fn(session)
{
    async_begin(session);
    await(sos_within(task, tool_timeout(), join_in(task, self)));
    if (sos_status(task) < 0)
        async_return(failed(self, sos_status(task)));
    if (subscribes() && !wanted.cluster)
        await(sos_within(task, tool_timeout(), async_call(hear, .redis = self->redis)));
    else
        await(sos_within(task, tool_timeout(), carry_out(task, self)));
    if (self->reply.value != NULL)
        print_reply(self->reply.value, wanted.raw);
    if (sos_status(task) < 0 && self->reply.value == NULL)
        async_return(failed(self, sos_status(task)));
    async_return(sos_status(task) < 0 ? 1 : 0);
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_close(self->redis);
    sos_redis_cluster_close(self->cluster);
    async_end;
}

/* ---- Options */

static bool take_number(const char *text, unsigned long least, unsigned long most,
                        unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *number >= least &&
           *number <= most;
}

static bool take_port(const char *text)
{
    unsigned long port = 0;
    bool good = take_number(text, 1, UINT16_MAX, &port);
    wanted.options.node.port = (uint16_t)port;
    return good;
}

static bool take_database(const char *text)
{
    unsigned long number = 0;
    bool good = take_number(text, 0, INT32_MAX, &number);
    wanted.options.node.database = (uint32_t)number;
    return good;
}

static bool take_socket(const char *path)
{
    int length = snprintf(wanted.socket, sizeof wanted.socket, "unix:%s", path);
    wanted.options.node.host = wanted.socket;
    return length < (int)sizeof wanted.socket;
}

static bool take_url(const char *text)
{
    struct sos_redis_options *node = &wanted.options.node;
    struct tool_url url;
    if (!tool_url(text, &url))
        return false;
    bool tls = strcmp(url.scheme, "rediss") == 0;
    node->host = url.host;
    node->port = url.port;
    node->user = url.user != NULL && url.user[0] != '\0' ? url.user : NULL;
    node->password = url.password;
    if (tls)
        node->tls = tool_tls();
    return (tls || strcmp(url.scheme, "redis") == 0) &&
           (url.path[0] == '\0' || take_database(url.path));
}

static bool take_option(int option, const char *argument)
{
    struct sos_redis_options *node = &wanted.options.node;
    switch (option) {
    case 'u':
        return take_url(argument);
    case 'h':
        node->host = argument;
        return true;
    case 'p':
        return take_port(argument);
    case 's':
        return take_socket(argument);
    case 'n':
        return take_database(argument);
    case 'c':
        wanted.cluster = true;
        return true;
    case '2':
        node->protocol = 2;
        return true;
    case 'm':
        return take_number(argument, 1, 1000000000, &wanted.messages);
    case OPTION_USER:
        node->user = argument;
        return true;
    case OPTION_PASSWORD:
        node->password = argument;
        return true;
    case OPTION_TLS:
        node->tls = tool_tls();
        return true;
    case OPTION_RAW:
    case OPTION_NO_RAW:
        wanted.raw = option == OPTION_RAW;
        return true;
    default:
        return tool_option(option, argument);
    }
}

int main(int count, char **words)
{
    static const struct option options[] = { { "user", required_argument, NULL, OPTION_USER },
                                             { "password", required_argument, NULL,
                                               OPTION_PASSWORD },
                                             { "tls", no_argument, NULL, OPTION_TLS },
                                             { "raw", no_argument, NULL, OPTION_RAW },
                                             { "no-raw", no_argument, NULL, OPTION_NO_RAW },
                                             { "help", no_argument, NULL, OPTION_HELP },
                                             TOOL_OPTIONS,
                                             { NULL, 0, NULL, 0 } };
    struct sos_redis_options *node = &wanted.options.node;
    int option;
    wanted.raw = !isatty(1);
    node->password = getenv("REDIS_PASSWORD");
    node->error_text = error_text;
    node->error_text_size = sizeof error_text;
    while ((option = getopt_long(count, words, "+u:h:p:s:n:c2m:", options, NULL)) != -1) {
        if (option == OPTION_HELP)
            return fputs(usage, stdout) < 0;
        if (!take_option(option, optarg))
            return tool_usage(usage);
    }
    wanted.words = (const char *const *)(words + optind);
    wanted.count = (size_t)(count - optind);
    if (optind == count || (subscribes() && (wanted.count < 2 || wanted.cluster)))
        return tool_usage(usage);
    const struct session first = { .redis = NULL };
    int status = tool_run(&(struct sos_start){ .function = session,
                                               .frame = &first,
                                               .size = sizeof first,
                                               .name = "redis",
                                               .options = { .priority = 4 } });
    return status >= 0 ? status : tool_fail("redis", status, NULL);
}
