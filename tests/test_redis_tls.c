/* SPDX-License-Identifier: MIT */
/* The Redis client over TLS, and as users that may not do everything (ACL). */
#include "smallos/tls.h"

#include "certificates.h"
#include "redis_scene.h"

static struct server strict; /* it wants a certificate of the client */
static struct sos_tls_options tls;
static char words[SOS_TLS_TEXT];
static int cleartext;

static void note_report(void *context, const struct sos_report *report)
{
    (void)context;
    cleartext += report->kind == SOS_REPORT_CLEARTEXT;
}

static void run(sos_async_function function, const struct sos_redis_options *options)
{
    cleartext = 0;
    words[0] = '\0';
    unix_open(&here, &(struct sos_config){ .report = note_report });
    run_scene_with(function, options);
}

static void trust(const char *ca)
{
    tls = (struct sos_tls_options){ .ca.file = certificate(ca),
                                    .error_text = words,
                                    .error_text_size = sizeof words };
}

static struct sos_redis_options options(void)
{
    return (struct sos_redis_options){ .port = redis_server.port,
                                       .tls = &tls,
                                       .user = "worker",
                                       .password = "secret",
                                       .reconnect.first_delay_us = SOS_MS(1) };
}

/* ---- TLS */

static async_fn(everything)
{
    async_begin(scene);
    CHECKED(scene_connect_both(task, self), SOS_OK);
    CHECKED(sos_redis_subscribe(task, self->redis, "jobs:new"), SOS_OK);
    CHECKED(sos_redis_set(task, self->second, "jobs:1", "value", 5), SOS_OK);
    CHECKED(sos_redis_get(task, self->second, "jobs:1", &self->reply), SOS_OK);
    expect_text(self->reply.value, SOS_REDIS_STRING, "value");
    self->pipeline.redis = self->second;
    for (; self->index < 1000; self->index++)
        sos_redis_add(&self->pipeline, "GET", "jobs:1");
    CHECKED(sos_redis_pipeline_run(task, &self->pipeline, &self->reply), SOS_OK);
    CHECK_INT(self->reply.value->count, 1000);
    CHECKED(sos_redis_publish(task, self->second, "jobs:new", "x", 1), 1);
    CHECKED(sos_redis_next_message(task, self->redis, &self->message), SOS_OK);
    CHECKED(sos_redis_command(task, self->second, NULL, "CLIENT", "KILL", "TYPE", "pubsub"),
            SOS_OK);
    while (sos_redis_connections(self->redis) < 2)
        await(sos_sleep(task, 500));
    CHECKED(sos_redis_publish(task, self->second, "jobs:new", "y", 1), 1);
    CHECKED(sos_redis_next_message(task, self->redis, &self->message), SOS_OK);
    expect_text(self->message.payload, SOS_REDIS_STRING, "y");
    async_finally;
    scene_end(self);
    async_end;
}

static void everything_goes_over_tls_too(void)
{
    struct sos_redis_options how = options();
    trust("ca.pem");
    for (how.protocol = 2; how.protocol <= 3; how.protocol++) {
        run(everything, &how);
        CHECK_INT(cleartext, 0);
    }
}

static int expected;
static const char *why;
static bool may_be_reset; /* the server closes while something is under way to it */

static async_fn(refused)
{
    async_begin(scene);
    self->options.error_text = self->text;
    self->options.error_text_size = sizeof self->text;
    await(sos_redis_connect(task, &self->options, &self->redis));
    if (!may_be_reset || sos_status(task) != SOS_ECONNRESET)
        CHECK_INT(sos_status(task), expected);
    else
        why = "";
    if (strstr(self->text, why) == NULL)
        CHECK_TEXT(self->text, why);
    async_finally;
    scene_end(self);
    async_end;
}

static void who_cannot_be_trusted_is_refused(void)
{
    struct sos_redis_options how = options();
    trust("other_ca.pem");
    expected = SOS_ETLS;
    why = "certificate";
    run(refused, &how);
    trust("ca.pem");
    tls.server_name = "elsewhere.test";
    run(refused, &how);
    how.tls = NULL; /* it speaks no TLS, so the server hangs up */
    expected = SOS_EEOF;
    why = "";
    may_be_reset = true;
    run(refused, &how);
    may_be_reset = false;
    CHECK_INT(cleartext, 1);
}

static void a_server_may_want_a_certificate(void)
{
    struct sos_redis_options how = options();
    how.port = strict.port;
    trust("ca.pem");
    expected = SOS_ETLS;
    why = "certificate";
    may_be_reset = true;
    run(refused, &how);
    may_be_reset = false;
    tls.certificate.file = certificate("client.pem");
    tls.key.file = certificate("client.key");
    expected = SOS_OK;
    why = "";
    run(refused, &how);
}

/* ---- Users */

static async_fn(limited)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "GET", "jobs:1");
    CHECKED_COMMAND(SOS_ESERVER, "GET", "other");
    CHECK(strncmp(self->reply.value->text, "NOPERM", 6) == 0);
    CHECKED_COMMAND(SOS_ESERVER, "FLUSHALL");
    CHECKED(sos_redis_subscribe(task, self->redis, "other"), SOS_ESERVER);
    CHECK(strncmp(sos_redis_error(self->redis), "NOPERM", 6) == 0);
    CHECKED(sos_redis_subscribe(task, self->redis, "jobs:new"), SOS_OK);
    CHECKED(sos_redis_ping(task, self->redis), SOS_OK);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_user_may_do_what_the_list_says(void)
{
    struct sos_redis_options how = options();
    trust("ca.pem");
    run(limited, &how);
    how.password = "wrong";
    expected = SOS_ESERVER;
    why = "WRONGPASS";
    run(refused, &how);
    how.protocol = 2;
    run(refused, &how);
    how.user = how.password = NULL; /* the default user is off */
    why = "NOAUTH";
    how.protocol = 3;
    run(refused, &how);
}

/* ---- Passwords that everybody can read */

static async_fn(twice)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no");
    while (sos_redis_connections(self->redis) < 2)
        await(sos_sleep(task, 500));
    CHECKED(sos_redis_ping(task, self->redis), SOS_OK);
    CHECK_INT(sos_redis_connections(self->redis), 2);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_password_without_tls_is_told_once_a_connection(void)
{
    struct server plain;
    char path[128];
    server_prepare(&plain);
    redis_start(&plain, (const char *const[]){ "--requirepass", "secret", "--unixsocket",
                                               "{folder}/socket", NULL });
    struct sos_redis_options how = { .port = plain.port,
                                     .password = "secret",
                                     .reconnect.first_delay_us = SOS_MS(1) };
    run(twice, &how);
    CHECK_INT(cleartext, 2);
    snprintf(path, sizeof path, "unix:%s/socket", plain.folder);
    how.host = path;
    run(twice, &how);
    CHECK_INT(cleartext, 0);
    server_stop(&plain);
}

static void start_with_tls(struct server *server, const char *clients)
{
    server_prepare(server);
    CHECK(server_start(server, (const char *const[]){ "redis-server",
                                                      "--port",
                                                      "0",
                                                      "--tls-port",
                                                      "{port}",
                                                      "--bind",
                                                      "127.0.0.1",
                                                      "--save",
                                                      "",
                                                      "--dir",
                                                      "{folder}",
                                                      "--tls-cert-file",
                                                      certificate("good.pem"),
                                                      "--tls-key-file",
                                                      certificate("good.key"),
                                                      "--tls-ca-cert-file",
                                                      certificate("ca.pem"),
                                                      "--tls-auth-clients",
                                                      clients,
                                                      "--user",
                                                      "default",
                                                      "off",
                                                      "--user",
                                                      "worker",
                                                      "on",
                                                      ">secret",
                                                      "~jobs:*",
                                                      "&jobs:*",
                                                      "+@all",
                                                      "-@dangerous",
                                                      "+client|kill",
                                                      NULL }));
}

int main(void)
{
    void (*const tests[])(void) = {
        everything_goes_over_tls_too,
        who_cannot_be_trusted_is_refused,
        a_server_may_want_a_certificate,
        a_user_may_do_what_the_list_says,
        a_password_without_tls_is_told_once_a_connection,
    };
    if (!certificates_make())
        return 0; /* there is no openssl program */
    start_with_tls(&redis_server, "no");
    start_with_tls(&strict, "yes");
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&redis_server);
    server_stop(&strict);
    return 0;
}
