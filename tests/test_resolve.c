/* SPDX-License-Identifier: MIT */
/* Names through c-ares, asked of a name server of our own on loopback, on every back end. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdarg.h>
#include <unistd.h>

#include "dns_server.h"
#include "smallos/network.h"
#include "smallos/stream.h"
#include "unix_world.h"

enum { ROOM = 32 };

/* ---- The world */

enum { LONG_MS = 10000, SHORT_MS = 250 };

static struct dns_server server;
static uint32_t timeout_ms = LONG_MS; /* short only where an answer is not to come */
static char trace[4096];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t at = strlen(trace);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(trace + at, sizeof trace - at, format, arguments);
    va_end(arguments);
    CHECK(strlen(trace) + 2 < sizeof trace);
    strcat(trace, "\n");
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void open_with(const char *servers, const struct sos_config *config)
{
    char text[64];
    server = (struct dns_server){ .port = dns_server_port() };
    snprintf(text, sizeof text, "127.0.0.1:%u", server.port);
    const struct sos_unix_options options = { .backend = here.backend,
                                              .dns_servers = servers != NULL ? servers : text,
                                              .dns_timeout_ms = timeout_ms,
                                              .dns_tries = 2 };
    CHECK_INT(sos_unix_kernel_create(&here.kernel, &options), SOS_OK);
    CHECK_INT(sos_create(&here.os, config, here.kernel), SOS_OK);
    trace[0] = '\0';
}

static void begin(void)
{
    open_with(NULL, NULL);
    dns_server_start(here.os, &server);
}

/* ---- Tasks */

struct asks {
    sos_frame frame;
    const char *name;
    int64_t within;
    struct sos_address list[ROOM];
    char text[256];
};

static sos_op resolve(sos_task *task, struct asks *self)
{
    return sos_kernel_of(sos_of(task))->network->resolve(task, self->name, self->list, ROOM);
}

static void note_list(struct asks *self, int count)
{
    char text[SOS_ADDRESS_TEXT];
    for (int index = 0; index < count; index++) {
        sos_address_format(&self->list[index], text);
        text[strlen(text) - 2] = '\0'; /* the port is 0 */
        snprintf(self->text + strlen(self->text), sizeof self->text - strlen(self->text), " %s",
                 text);
    }
    note("%s:%s", self->name, self->text);
}

static async_fn(asks)
{
    async_begin(asks);
    if (self->within == 0)
        self->within = SOS_FOREVER;
    memset(self->list, 0xAA, sizeof self->list);
    await(sos_within(task, self->within, resolve(task, self)));
    if (sos_status(task) < 0)
        note("%s: %s", self->name, sos_error_name(sos_status(task)) + 4);
    else
        note_list(self, sos_status(task));
    async_end;
}

static sos_handle ask(const char *name, int64_t within)
{
    sos_handle handle = sos_fork(here.os, asks, sos_opt(.priority = 5), .name = name,
                                 .within = within);
    CHECK(handle.pid >= 0);
    return handle;
}

/* Alone in a world of its own. */
static void expect(const char *name, const char *expected)
{
    begin();
    int before = descriptors();
    ask(name, 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, expected);
    CHECK_INT(descriptors(), before);
    unix_close(&here);
}

/* ---- Answers */

static void addresses_of_both_families(void)
{
    expect("four.test", "four.test: 127.0.0.1\n");
    expect("six.test", "six.test: [::1]\n");
    begin();
    ask("both.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    if (strcmp(trace, "both.test: 127.0.0.1 [::1]\n") != 0) /* sorted last without IPv6 */
        CHECK_TEXT(trace, "both.test: [::1] 127.0.0.1\n");
    unix_close(&here);
    begin();
    ask("many.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK(strstr(trace, " 127.0.0.1 ") != NULL && strstr(trace, " 127.0.0.20") != NULL);
    unix_close(&here);
}

static void a_cut_answer_is_asked_for_again_over_tcp(void)
{
    expect("cut.test", "cut.test: 127.0.0.9\n");
    CHECK(server.tcp_questions >= 1);
}

static void names_without_addresses(void)
{
    expect("missing.test", "missing.test: ENONAME\n");
    expect("empty.test", "empty.test: ENONAME\n");
    expect("a..b", "a..b: ENONAME\n");
    expect("", ": ENONAME\n");
}

static void servers_that_do_not_do_their_work(void)
{
    timeout_ms = SHORT_MS;
    expect("silent.test", "silent.test: ETIMEDOUT\n");
    CHECK(server.questions >= 4); /* two families, two tries */
    expect("loop.test", "loop.test: EIO\n");
    expect("garbage.test", "garbage.test: EIO\n");
    begin();
    ask("fail.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    if (strcmp(trace, "fail.test: EUNREACH\n") != 0)
        CHECK_TEXT(trace, "fail.test: EIO\n");
    unix_close(&here);
    open_with("127.0.0.1:1", NULL); /* nobody is there */
    ask("four.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "four.test: EUNREACH\n");
    unix_close(&here);
    open_with("what is this", NULL);
    ask("four.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "four.test: EINVAL\n");
    unix_close(&here);
    timeout_ms = LONG_MS;
}

/* ---- The hosts file, which is asked first */

static void the_hosts_file_is_honoured(void)
{
    char line[512], address[128], name[128];
    begin();
    ask("localhost", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK(strstr(trace, " 127.0.0.1") != NULL || strstr(trace, "[::1]") != NULL);
    CHECK_INT(server.questions, 0);
    unix_close(&here);
    FILE *hosts = fopen("/etc/hosts", "r");
    while (hosts != NULL && fgets(line, sizeof line, hosts) != NULL) {
        if (sscanf(line, " %127[0-9.] %127[a-zA-Z0-9.-]", address, name) != 2 ||
            strncmp(address, "127.", 4) == 0)
            continue;
        begin();
        ask(name, 0);
        CHECK_INT(sos_run(here.os), SOS_OK);
        CHECK(strstr(trace, address) != NULL);
        CHECK_INT(server.questions, 0);
        unix_close(&here);
        break;
    }
    if (hosts != NULL)
        fclose(hosts);
}

/* ---- Many at once, given up, late */

static void many_are_looked_up_at_once(void)
{
    static const char *const names[] = { "four.test", "six.test",  "missing.test",
                                         "late.test", "many.test", "cut.test" };
    begin();
    int before = descriptors(), lines = 0;
    for (int index = 0; index < 60; index++)
        ask(names[index % 6], 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    for (const char *at = trace; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    CHECK_INT(lines, 60);
    CHECK(strstr(trace, "late.test: 127.0.0.1\n") != NULL && strstr(trace, "TIMEDOUT") == NULL);
    CHECK_INT(descriptors(), before);
    unix_close(&here);
}

struct gives_up {
    sos_frame frame;
    struct asks asks; /* as arguments: it calls the same look-up */
    size_t changed;
};

static size_t changed_bytes(const struct asks *asks)
{
    const unsigned char *bytes = (const unsigned char *)asks->list;
    size_t changed = 0;
    for (size_t index = 0; index < sizeof asks->list; index++)
        changed += bytes[index] != 0xAA;
    return changed;
}

/* The answer comes when nobody waits for it any more, but other look-ups go on. */
static async_fn(gives_up)
{
    async_begin(gives_up);
    memset(self->asks.list, 0xAA, sizeof self->asks.list);
    self->asks.name = "late.test";
    await(sos_within(task, SOS_MS(1), resolve(task, &self->asks)));
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    CHECK_INT(changed_bytes(&self->asks), 0);
    await(sos_sleep(task, SOS_MS(150)));
    CHECK_INT(changed_bytes(&self->asks), 0);
    await(resolve(task, &self->asks));
    CHECK_INT(sos_status(task), 1);
    note("late but there");
    async_end;
}

static void what_is_given_up_is_left_alone(void)
{
    begin();
    int before = descriptors();
    sos_fork(here.os, gives_up, sos_opt(.priority = 5), .changed = 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "late but there\n");
    CHECK_INT(descriptors(), before);
    unix_close(&here);
    timeout_ms = 2 * SHORT_MS;
    begin();
    sos_fork(here.os, gives_up, sos_opt(.priority = 5), .changed = 0);
    ask("silent.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK(strstr(trace, "late but there\n") != NULL);
    CHECK(strstr(trace, "silent.test: ETIMEDOUT\n") != NULL);
    timeout_ms = LONG_MS;
    CHECK_INT(descriptors(), before);
    unix_close(&here);
}

static void a_kill_at_any_step_leaves_nothing(void)
{
    static const char *const names[] = { "cut.test", "late.test", "missing.test" };
    for (size_t index = 0; index < 3; index++)
        for (int steps = 0;; steps++) {
            begin();
            int before = descriptors();
            sos_handle target = ask(names[index], 0);
            for (int step = 0; step < steps; step++)
                sos_run_once(here.os, SOS_MS(2));
            bool over = sos_kill(here.os, target) == SOS_ESTALE;
            CHECK_INT(sos_run(here.os), SOS_OK);
            CHECK_INT(descriptors(), before);
            unix_close(&here);
            if (over || steps > 20)
                break;
        }
}

static void a_runtime_may_end_in_the_middle(void)
{
    int before = descriptors();
    begin();
    ask("silent.test", 0);
    for (int step = 0; step < 10; step++)
        sos_run_once(here.os, 0);
    unix_close(&here);
    CHECK_INT(descriptors(), before);
}

static void without_a_free_task_it_says_so(void)
{
    open_with(NULL, &(struct sos_config){ .task_capacity = 1 });
    ask("four.test", 0);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "four.test: ECAPACITY\n");
    unix_close(&here);
}

/* ---- All the way: sos_connect by name */

struct connects {
    sos_frame frame;
    sos_listener *listener;
    sos_stream *stream, *accepted;
    struct sos_address at;
    struct sos_connect_options options;
};

static async_fn(connects)
{
    async_begin(connects);
    CHECK_INT(sos_listener_open(sos_of(task), &(struct sos_listen){ 0 }, &self->listener), SOS_OK);
    CHECK_INT(sos_listener_address(self->listener, &self->at), SOS_OK);
    self->options = (struct sos_connect_options){ .host = "both.test", .port = self->at.port };
    await(sos_connect(task, &self->options, &self->stream));
    CHECK_INT(sos_status(task), SOS_OK);
    await(sos_accept(task, self->listener, &self->accepted));
    CHECK_INT(sos_status(task), SOS_OK);
    note("connected");
    async_finally;
    sos_stream_close(self->stream);
    sos_stream_close(self->accepted);
    sos_listener_close(self->listener);
    async_end;
}

/* Nobody listens at ::1, which is tried first. */
static void a_name_is_connected_to(void)
{
    begin();
    int before = descriptors();
    sos_fork(here.os, connects, sos_opt(.priority = 5), .listener = NULL);
    CHECK_INT(sos_run(here.os), SOS_OK);
    CHECK_TEXT(trace, "connected\n");
    CHECK_INT(descriptors(), before);
    unix_close(&here);
}

int main(void)
{
    static void (*const tests[])(void) = {
        addresses_of_both_families,      a_cut_answer_is_asked_for_again_over_tcp,
        names_without_addresses,         servers_that_do_not_do_their_work,
        the_hosts_file_is_honoured,      many_are_looked_up_at_once,
        what_is_given_up_is_left_alone,  a_kill_at_any_step_leaves_nothing,
        a_runtime_may_end_in_the_middle, without_a_free_task_it_says_so,
        a_name_is_connected_to,
    };
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    return 0;
}
