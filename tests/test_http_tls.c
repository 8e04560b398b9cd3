/* SPDX-License-Identifier: MIT */
/* HTTP over TLS: nginx with a certificate of a CA of our own, directly and through a proxy. */
#include "certificates.h"
#include "nginx.h"
#include "smallos/http.h"
#include "smallos/stream.h"
#include "smallos/tls.h"
#include "unix_world.h"

static struct server server, plain;

static const char *base(const struct server *of, const char *scheme, const char *rest)
{
    static char text[8][128];
    static int turn;
    char *to = text[turn++ % 8];
    snprintf(to, sizeof text[0], "%s://localhost:%u%s", scheme, of->port, rest);
    return to;
}

/* ---- What the tests run */

struct scene {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
    struct sos_http_options options;
    struct sos_tls_options tls;
    char text[SOS_TLS_TEXT];
    int index;
};

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define GOT(expected, at)                                                                          \
    CHECKED(sos_http_get(task, self->http, at, &self->response), SOS_OK);                          \
    CHECK_TEXT(self->response.body, expected)

static int reported[SOS_REPORT_CLEARTEXT + 1];

static void note_report(void *context, const struct sos_report *report)
{
    (void)context;
    reported[report->kind]++;
}

static void run_scene(sos_async_function function)
{
    const struct sos_config config = { .report = note_report };
    memset(reported, 0, sizeof reported);
    unix_open(&here, &config);
    struct scene first = { .options = { .url = base(&server, "https", "/") },
                           .tls = { .ca = { .file = certificate("ca.pem") } } };
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

static void open_client(struct scene *self)
{
    self->options.tls = &self->tls;
    CHECK_INT(sos_http_open(here.os, &self->options, &self->http), SOS_OK);
}

static void close_client(struct scene *self)
{
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
}

static async_fn(secure)
{
    async_begin(scene);
    self->options.bearer = "token";
    open_client(self);
    GOT("TLSv1.3 . NONE", "/tls");
    GOT("TLSv1.3 . NONE", "/tls"); /* the same connection */
    GOT("once", "/once");
    GOT("TLSv1.3 r NONE", "/tls"); /* another, with the session of the first */
    GOT("GET /seen|Bearer token||", "/seen");
    GOT("GET /seen|||", "/to-plain"); /* https to http: another server */
    CHECKED(sos_http_get(task, self->http, "/big", &self->response), SOS_OK);
    CHECK_INT(self->response.body_size, NGINX_BIG);
    CHECK_INT(reported[SOS_REPORT_CLEARTEXT], 0);
    async_finally;
    close_client(self);
    async_end;
}

static void https_keeps_connections_and_resumes_sessions(void)
{
    run_scene(secure);
}

static async_fn(distrust)
{
    async_begin(scene);
    self->tls.ca.file = certificate("other_ca.pem");
    open_client(self);
    CHECKED(sos_http_get(task, self->http, "/hello", &self->response), SOS_ETLS);
    CHECK(self->response.why != NULL && *self->response.why != '\0');
    CHECK_INT(self->response.status, 0);
    sos_http_close(self->http);
    self->tls = (struct sos_tls_options){ .insecure = true };
    open_client(self);
    GOT("hello", "/hello");
    CHECK_INT(reported[SOS_REPORT_INSECURE], 1);
    sos_http_close(self->http);
    self->tls = (struct sos_tls_options){ .ca = { .file = "/none" },
                                          .error_text = self->text,
                                          .error_text_size = sizeof self->text };
    open_client(self);
    await(sos_http_get(task, self->http, "/hello", &self->response));
    CHECK(sos_status(task) < 0);
    CHECK(*self->text != '\0');
    async_finally;
    close_client(self);
    async_end;
}

static void who_cannot_be_trusted_is_refused(void)
{
    run_scene(distrust);
}

static async_fn(identified)
{
    async_begin(scene);
    self->tls.certificate.file = certificate("client.pem");
    self->tls.key.file = certificate("client.key");
    open_client(self);
    GOT("TLSv1.3 . SUCCESS", "/tls");
    snprintf(self->text, sizeof self->text, "https://127.0.0.1%s",
             strrchr(base(&server, "https", "/tls"), ':'));
    GOT("TLSv1.3 . NONE", self->text); /* another server than the base is not told who it is */
    async_finally;
    close_client(self);
    async_end;
}

static void the_client_may_have_a_certificate(void)
{
    run_scene(identified);
}

/* ---- Through a proxy of our own */

struct tunnel {
    sos_frame frame;
    sos_stream *from, *to;
    size_t size;
};

static sos_op pass_on(sos_task *task, struct tunnel *self)
{
    const unsigned char *bytes = sos_stream_data(self->from, &self->size);
    return sos_stream_write(task, self->to, bytes, self->size);
}

static async_fn(tunnel)
{
    async_begin(tunnel);
    for (;;) {
        try_await(sos_stream_more(task, self->from));
        try_await(pass_on(task, self));
        sos_stream_take(self->from, self->size);
    }
    async_end;
}

static struct {
    sos_listener *listener;
    uint16_t port;
    char head[512];
    const char *answer;
} proxy;

struct proxying {
    sos_frame frame;
    sos_stream *client, *server;
    struct sos_connect_options to;
    struct sos_scope scope;
    struct sos_join both[2];
};

static void take_head(struct proxying *self, int size)
{
    size_t all;
    snprintf(proxy.head, sizeof proxy.head, "%.*s", size,
             (const char *)sos_stream_data(self->client, &all));
    sos_stream_take(self->client, (size_t)size);
}

static void begin_tunnels(sos_task *task, struct proxying *self)
{
    self->both[0].task = async_spawn(tunnel, sos_opt(), .from = self->client, .to = self->server);
    self->both[1].task = async_spawn(tunnel, sos_opt(), .from = self->server, .to = self->client);
}

/* One connection: CONNECT, an answer, and bytes both ways. */
static async_fn(proxying)
{
    async_begin(proxying);
    try_await(sos_accept(task, proxy.listener, &self->client));
    try_await(sos_stream_until(task, self->client, "\r\n\r\n", 4, 0));
    take_head(self, sos_status(task));
    self->to = (struct sos_connect_options){ .host = "127.0.0.1", .port = server.port };
    try_await(sos_connect(task, &self->to, &self->server));
    try_await(sos_stream_write(task, self->client, proxy.answer, strlen(proxy.answer)));
    sos_scope_open(task, &self->scope);
    begin_tunnels(task, self);
    await(sos_join_any(task, self->both, 2));
    async_finally;
    sos_stream_close(self->client);
    sos_stream_close(self->server);
    async_end;
}

static async_fn(through)
{
    async_begin(scene);
    self->options.proxy = self->text;
    snprintf(self->text, sizeof self->text, "http://me:pw@127.0.0.1:%u", proxy.port);
    open_client(self);
    if (strstr(proxy.answer, " 200 ") == NULL) {
        CHECKED(sos_http_get(task, self->http, "/tls", &self->response), SOS_ESERVER);
        CHECK_INT(self->response.status, 407);
        async_return(0);
    }
    if (strstr(proxy.answer, "\r\n\r\nsurplus") != NULL) {
        CHECKED(sos_http_get(task, self->http, "/tls", &self->response), SOS_EPROTO);
        async_return(0);
    }
    GOT("TLSv1.3 . NONE", "/tls");
    GOT("hello", "/hello");
    async_finally;
    close_client(self);
    async_end;
}

static void run_through(const char *answer)
{
    struct sos_address address;
    const struct sos_config config = { .report = note_report };
    proxy.answer = answer;
    unix_open(&here, &config);
    CHECK_INT(sos_listener_open(here.os, &(struct sos_listen){ 0 }, &proxy.listener), SOS_OK);
    CHECK_INT(sos_listener_address(proxy.listener, &address), SOS_OK);
    proxy.port = address.port;
    struct scene first = { .options = { .url = base(&server, "https", "/") },
                           .tls = { .ca = { .file = certificate("ca.pem") } } };
    const struct sos_start start = {
        .function = through,
        .frame = &first,
        .name = "scene",
        .size = sizeof first,
        .options = { .priority = 4 },
    };
    CHECK(sos_fork(here.os, proxying, sos_opt(.priority = 3, .watcher = true, .detached = true))
              .pid >= 0);
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(here.os), SOS_OK);
    sos_listener_close(proxy.listener);
    unix_close(&here);
}

static void https_goes_through_a_proxy(void)
{
    char expected[256];
    run_through("HTTP/1.1 200 Connection established\r\n\r\n");
    snprintf(expected, sizeof expected,
             "CONNECT localhost:%u HTTP/1.1\r\nHost: localhost:%u\r\n"
             "Proxy-Authorization: Basic bWU6cHc=\r\n\r\n",
             server.port, server.port);
    CHECK_TEXT(proxy.head, expected);
    run_through("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno");
    run_through("HTTP/1.1 200 Connection established\r\n\r\nsurplus");
}

int main(void)
{
    void (*const tests[])(void) = {
        https_keeps_connections_and_resumes_sessions,
        who_cannot_be_trusted_is_refused,
        the_client_may_have_a_certificate,
        https_goes_through_a_proxy,
    };
    static char extra[2048];
    CHECK(certificates_make());
    CHECK(nginx_start(&plain, "", ""));
    snprintf(
        extra, sizeof extra,
        "ssl_certificate %s; ssl_certificate_key %s; ssl_client_certificate %s;\n"
        "ssl_protocols TLSv1.3; ssl_verify_client optional; ssl_session_cache builtin:1000;\n"
        "location = /tls { return 200 \"$ssl_protocol $ssl_session_reused $ssl_client_verify\"; }\n"
        "location = /to-plain { return 302 %s; }\n",
        certificate("good.pem"), certificate("good.key"), certificate("ca.pem"),
        base(&plain, "http", "/seen"));
    CHECK(nginx_start(&server, "ssl", extra));
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&server);
    server_stop(&plain);
    return 0;
}
