/* SPDX-License-Identifier: MIT */
/* The HTTP client against nginx, directly and through every fault, on every back end. */
#include "smallos/http.h"

#include <jansson.h>

#include "fault_proxy.h"
#include "nginx.h"
#include "smallos/tls.h"
#include "unix_world.h"

static struct server server;
static struct fault_proxy proxy;

/* ---- What the tests run: one task with a client */

struct scene {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
    struct sos_http_options options;
    char url[64];
    int index;
    size_t size, fails_at;
    struct json_t *value;
    struct sos_http_response second;
    char portion[3000];
};

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define REQUESTED(status, ...)                                                                     \
    CHECKED(sos_http_send(task, self->http, &(struct sos_http_request){ __VA_ARGS__ },             \
                          &self->response),                                                        \
            status)
#define GOT(code, at)                                                                              \
    CHECKED(sos_http_get(task, self->http, at, &self->response), SOS_OK);                          \
    CHECK_INT(self->response.status, code)

static int cleartext; /* connections on which credentials went in the clear */

static void note_report(void *context, const struct sos_report *report)
{
    (void)context;
    CHECK_INT(report->kind, SOS_REPORT_CLEARTEXT);
    cleartext++;
}

static void run_scene(sos_async_function function, uint16_t port)
{
    const struct sos_config config = { .report = note_report };
    unix_open(&here, &config);
    cleartext = 0;
    if (port != 0) {
        fault_proxy_start(here.os, &proxy, server.port, 3);
        port = proxy.port;
    }
    struct scene first = { .options = { .host = "127.0.0.1",
                                        .port = port != 0 ? port : server.port } };
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
    CHECK_INT(sos_http_open(here.os, &self->options, &self->http), SOS_OK);
}

static void close_client(struct scene *self)
{
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
}

static char big[NGINX_BIG];

static void make_big(void)
{
    for (size_t at = 0; at < NGINX_BIG; at++)
        big[at] = nginx_byte(at);
}

static void check_big(const struct sos_http_response *response)
{
    CHECK_INT(response->body_size, NGINX_BIG);
    CHECK(memcmp(response->body, big, NGINX_BIG) == 0);
    CHECK_INT(response->body[NGINX_BIG], 0);
}

/* ---- Answers of every form */

static async_fn(answers)
{
    async_begin(scene);
    open_client(self);
    GOT(200, "/hello");
    CHECK(self->response.ok);
    CHECK_TEXT(self->response.reason, "OK");
    CHECK_TEXT(self->response.body, "hello");
    CHECK_INT(self->response.body_size, 5);
    CHECK_TEXT(sos_http_header(&self->response, "CONTENT-type"), "text/plain");
    CHECK(sos_http_header(&self->response, "X-None") == NULL);
    GOT(404, "/status/404");
    CHECK(!self->response.ok);
    CHECK_TEXT(self->response.body, "gone");
    GOT(204, "/status/204");
    CHECK_TEXT(self->response.body, "");
    GOT(200, "/big");
    check_big(&self->response);
    GOT(200, "/chunked");
    CHECK_TEXT(sos_http_header(&self->response, "Transfer-Encoding"), "chunked");
    check_big(&self->response);
    GOT(200, "/gzip");
    CHECK_TEXT(sos_http_header(&self->response, "Content-Encoding"), "gzip");
    check_big(&self->response);
    REQUESTED(SOS_OK, .method = "HEAD", .url = "/big");
    CHECK_INT(self->response.status, 200);
    CHECK_TEXT(sos_http_header(&self->response, "Content-Length"), "1048576");
    CHECK_INT(self->response.body_size, 0);
    async_finally;
    close_client(self);
    async_end;
}

static void answers_of_every_form_are_read(void)
{
    run_scene(answers, 0);
}

static async_fn(views)
{
    async_begin(scene);
    open_client(self);
    GOT(200, "/json");
    CHECK_TEXT(sos_http_text(&self->response), "{\"a\":[1,true]}");
    CHECK(json_is_true(json_array_get(json_object_get(sos_http_json(&self->response), "a"), 1)));
    CHECK(sos_http_json(&self->response) == sos_http_json(&self->response));
    GOT(200, "/hello");
    CHECK(sos_http_json(&self->response) == NULL);
    async_finally;
    close_client(self);
    async_end;
}

static void text_and_json_are_views_of_the_body(void)
{
    run_scene(views, 0);
}

/* ---- Requests of every form */

#define SEEN(text, ...)                                                                            \
    REQUESTED(SOS_OK, .url = "/seen", __VA_ARGS__);                                                \
    CHECK_TEXT(self->response.body, text)

/* What a request points to must live until it has ended: not in a block that suspends. */
static const struct sos_http_field own_type[] = { { "content-type", "a/b" } },
                                   own_cookie[] = { { "Cookie", "c=d" } },
                                   own_login[] = { { "authorization", "new" } },
                                   own_secrets[] = { { "Authorization", "mine" },
                                                     { "cookie", "c" },
                                                     { "Content-Type", "a/b" },
                                                     { "Host", "mine.test" } },
                                   smuggled[] = { { "a", "b\r\nc: d" } },
                                   bad_name[] = { { "a b", "c" } },
                                   own_length[] = { { "Content-Length", "9" } };

static const struct sos_http_field some_fields[] = { { "a", "1 + 1" },
                                                     { "a", "ü&=" },
                                                     { "b", "" } };

static async_fn(requests)
{
    async_begin(scene);
    open_client(self);
    SEEN("GET /seen|||", .method = NULL);
    SEEN("POST /seen|||text/plain; charset=utf-8", .body = { .text = "hi" });
    SEEN("PUT /seen|||application/x-www-form-urlencoded", .method = "PUT",
         .body = { .form = some_fields, .form_count = 3 });
    SEEN("PATCH /seen|||image/png", .method = "PATCH",
         .body = { .bytes = "x", .size = 1, .content_type = "image/png" });
    SEEN("POST /seen|||a/b", .body = { .text = "" }, .headers = own_type, .header_count = 1);
    SEEN("GET /seen?a=1%20%2B%201&a=%C3%BC%26%3D&b=|||", .query = some_fields, .query_count = 3);
    REQUESTED(SOS_OK, .url = "/seen?x#y", .query = some_fields, .query_count = 1);
    CHECK_TEXT(self->response.body, "GET /seen?x&a=1%20%2B%201|||");
    SEEN("GET /seen||c=d|", .headers = own_cookie, .header_count = 1);
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%u", server.port);
    REQUESTED(SOS_OK, .url = self->url, .query = some_fields, .query_count = 1);
    CHECK_INT(self->response.status, 403);
    async_finally;
    close_client(self);
    async_end;
}

static void requests_of_every_form_are_sent(void)
{
    run_scene(requests, 0);
}

static async_fn(bodies)
{
    async_begin(scene);
    open_client(self);
    CHECKED(sos_http_put(task, self->http, "/files/f",
                         &(struct sos_http_body){ .form = some_fields, .form_count = 3 },
                         &self->response),
            SOS_OK);
    CHECK_INT(self->response.status, 201);
    GOT(200, "/files/f");
    CHECK_TEXT(self->response.body, "a=1%20%2B%201&a=%C3%BC%26%3D&b=");
    CHECKED(sos_http_delete(task, self->http, "/files/f", &self->response), SOS_OK);
    CHECK_INT(self->response.status, 204);
    GOT(404, "/files/f");
    async_finally;
    close_client(self);
    async_end;
}

static async_fn(json_body)
{
    async_begin(scene);
    open_client(self);
    self->value = json_pack("{s:[i,b]}", "a", 1, 1);
    REQUESTED(SOS_OK, .method = "PUT", .url = "/files/j", .body = { .json = self->value });
    CHECK(self->response.ok);
    GOT(200, "/files/j");
    CHECK_TEXT(self->response.body, "{\"a\":[1,true]}");
    REQUESTED(SOS_EINVAL, .url = "/", .body = { .json = self->value, .text = "and this" });
    CHECK_TEXT(self->response.why, "a request has one body");
    async_finally;
    json_decref(self->value);
    close_client(self);
    async_end;
}

static void bodies_of_every_form_arrive(void)
{
    run_scene(bodies, 0);
    run_scene(json_body, 0);
}

/* ---- Bodies in portions */

enum { UPLOAD = 700000 };

/* Gives `UPLOAD` bytes, in portions of odd sizes, waiting now and then. */
struct source {
    sos_frame frame;
    struct scene *scene;
    char *bytes;
    size_t room;
};

static int next_portion(struct source *source)
{
    size_t left = UPLOAD - source->scene->size, count = source->scene->size % 7777 + 1;
    if (count > left)
        count = left;
    if (count > source->room)
        count = source->room;
    memcpy(source->bytes, big + source->scene->size, count);
    source->scene->size += count;
    return (int)count;
}

static async_fn(source)
{
    async_begin(source);
    if (self->scene->size % 5 == 0)
        await(sos_sleep(task, 100));
    if (self->scene->size >= self->scene->fails_at)
        async_return(SOS_EIO);
    async_return(next_portion(self));
    async_end;
}

static sos_op give_portion(sos_task *task, void *context, void *bytes, size_t room)
{
    return async_call(source, .scene = context, .bytes = bytes, .room = room);
}

static void check_upload(const struct scene *self)
{
    CHECK_INT(self->response.body_size, UPLOAD);
    CHECK(memcmp(self->response.body, big, UPLOAD) == 0);
}

static async_fn(upload)
{
    async_begin(scene);
    open_client(self);
    self->fails_at = SIZE_MAX;
    for (; self->index < 4; self->index++) {
        self->size = 0;
        REQUESTED(SOS_OK, .method = "PUT", .url = "/files/up",
                  .body = { .source = give_portion,
                            .context = self,
                            .size = self->index % 2 == 0 ? 0 : UPLOAD },
                  .expect_continue = self->index >= 2);
        CHECK(self->response.ok);
        GOT(200, "/files/up");
        check_upload(self);
    }
    self->size = 0;
    self->fails_at = 300000;
    REQUESTED(SOS_EIO, .method = "PUT", .url = "/files/up",
              .body = { .source = give_portion, .context = self });
    self->size = 0;
    self->fails_at = SIZE_MAX;
    REQUESTED(SOS_EINVAL, .method = "PUT", .url = "/files/up",
              .body = { .source = give_portion, .context = self, .size = UPLOAD + 1 });
    GOT(200, "/hello");
    async_finally;
    close_client(self);
    async_end;
}

static void a_body_may_come_from_a_source(void)
{
    run_scene(upload, 0);
}

static async_fn(large_upload)
{
    async_begin(scene);
    open_client(self);
    GOT(200, "/big");
    CHECKED(sos_http_send(task, self->http,
                          &(struct sos_http_request){ .method = "PUT",
                                                      .url = "/files/big",
                                                      .body = { .bytes = self->response.body,
                                                                .size = self->response.body_size },
                                                      .expect_continue = true },
                          &self->second),
            SOS_OK);
    CHECK(self->second.ok);
    GOT(200, "/files/big");
    check_big(&self->response);
    CHECK_INT(self->response.redirects, 0);
    async_finally;
    sos_http_response_free(&self->second);
    close_client(self);
    async_end;
}

static void a_large_body_is_sent_beside_the_reading(void)
{
    run_scene(large_upload, 0);
}

#define PORTION(expected)                                                                          \
    await(sos_http_read(task, &self->response, self->portion, sizeof self->portion));              \
    CHECK(sos_status(task) expected)

static void check_portion(struct scene *self, int count)
{
    CHECK(memcmp(self->portion, big + self->size, (size_t)count) == 0);
    self->size += (size_t)count;
}

static const char *const big_urls[] = { "/big", "/chunked", "/gzip" };

static async_fn(portions)
{
    async_begin(scene);
    open_client(self);
    for (; self->index < 3; self->index++) {
        REQUESTED(SOS_OK, .url = big_urls[self->index], .stream = true);
        CHECK_INT(self->response.body_size, 0);
        self->size = 0;
        do {
            PORTION(>= 0);
            check_portion(self, sos_status(task));
        } while (sos_status(task) != 0);
        CHECK_INT(self->size, NGINX_BIG);
        PORTION(== 0);
    }
    REQUESTED(SOS_OK, .url = "/big", .stream = true);
    PORTION(> 0);
    GOT(200, "/hello"); /* frees it half read */
    REQUESTED(SOS_OK, .url = "/gzip", .stream = true, .max_response_size = 5000);
    do {
        await(sos_http_read(task, &self->response, self->portion, sizeof self->portion));
    } while (sos_status(task) > 0);
    CHECK_INT(sos_status(task), SOS_ELIMIT);
    PORTION(== SOS_ELIMIT);
    async_finally;
    close_client(self);
    async_end;
}

static void a_body_may_be_read_in_portions(void)
{
    run_scene(portions, 0);
}

/* A deadline on a portion loses nothing of the body. */
static async_fn(hurried)
{
    async_begin(scene);
    open_client(self);
    for (; self->index < 3; self->index++) {
        REQUESTED(SOS_OK, .url = big_urls[self->index], .stream = true);
        self->size = 0;
        do {
            await(sos_within(
                task, 300,
                sos_http_read(task, &self->response, self->portion, sizeof self->portion)));
            if (sos_status(task) > 0)
                check_portion(self, sos_status(task));
        } while (sos_status(task) > 0 || sos_status(task) == SOS_ETIMEDOUT);
        CHECK_INT(sos_status(task), 0);
        CHECK_INT(self->size, NGINX_BIG);
    }
    async_finally;
    close_client(self);
    async_end;
}

static void a_deadline_on_a_portion_loses_nothing(void)
{
    proxy = (struct fault_proxy){ .fault = { .kind = FAULT_DELAY, .us = SOS_MS(1) } };
    run_scene(hurried, 1);
}

/* ---- Redirects, and who gets credentials */

#define SENT_ON(text, to, ...)                                                                     \
    REQUESTED(SOS_OK, .url = to, __VA_ARGS__);                                                     \
    CHECK_TEXT(self->response.body, text)

static async_fn(redirects)
{
    async_begin(scene);
    self->options.bearer = "token";
    open_client(self);
    SENT_ON("GET /seen|Bearer token||", "/moved/301", .method = "GET");
    CHECK_INT(self->response.redirects, 1);
    SENT_ON("GET /seen|Bearer token||", "/moved/301", .body = { .text = "x" });
    SENT_ON("GET /seen|Bearer token||", "/moved/302", .body = { .text = "x" });
    SENT_ON("PUT /seen|Bearer token||text/plain; charset=utf-8", "/moved/302", .method = "PUT",
            .body = { .text = "x" });
    SENT_ON("GET /seen|Bearer token||", "/moved/303", .method = "PUT", .body = { .text = "x" });
    SENT_ON("POST /seen|Bearer token||text/plain; charset=utf-8", "/moved/307",
            .body = { .text = "x" });
    SENT_ON("DELETE /seen|Bearer token||", "/moved/308", .method = "DELETE");
    SENT_ON("GET /seen|||", "/moved/far", .method = "GET");
    SENT_ON("GET /seen|||a/b", "/moved/far", .headers = own_secrets, .header_count = 4);
    SENT_ON("GET /line HTTP/1.1|localhost|", "/moved/line", .headers = own_secrets,
            .header_count = 4);
    REQUESTED(SOS_OK, .method = "HEAD", .url = "/moved/303");
    CHECK_INT(self->response.redirects, 1);
    REQUESTED(SOS_ELIMIT, .url = "/loop");
    CHECK_TEXT(self->response.why, "more redirects than the limit");
    self->size = 0;
    self->fails_at = SIZE_MAX;
    REQUESTED(SOS_OK, .method = "PUT", .url = "/moved/307",
              .body = { .source = give_portion, .context = self });
    CHECK_INT(self->response.status, 307); /* the body cannot be sent again */
    REQUESTED(SOS_OK, .url = "/moved/301", .stream = true);
    PORTION(> 0);
    CHECK_INT(self->response.redirects, 1);
    async_finally;
    close_client(self);
    async_end;
}

static async_fn(no_redirects)
{
    async_begin(scene);
    self->options.max_redirects = SOS_NONE;
    open_client(self);
    GOT(302, "/loop");
    CHECK_TEXT(sos_http_header(&self->response, "location"), "/loop");
    async_finally;
    close_client(self);
    async_end;
}

static void redirects_are_followed_without_leaking_credentials(void)
{
    run_scene(redirects, 0);
    run_scene(no_redirects, 0);
}

static async_fn(credentials)
{
    async_begin(scene);
    open_client(self);
    GOT(401, "/secret");
    snprintf(self->url, sizeof self->url, "http://ann:open%%20sesame@127.0.0.1:%u/secret",
             server.port);
    GOT(200, self->url);
    CHECK_TEXT(self->response.body, "welcome");
    GOT(401, "/secret");
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    self->options.user = "ann";
    self->options.password = "open sesame";
    open_client(self);
    GOT(200, "/secret");
    sos_http_close(self->http);
    self->options = (struct sos_http_options){ .url = self->url };
    open_client(self);
    GOT(200, "secret");
    async_finally;
    close_client(self);
    async_end;
}

static void credentials_come_from_options_or_the_url(void)
{
    run_scene(credentials, 0);
    CHECK_INT(cleartext, 3); /* once for each client and its connection */
}

/* nginx takes the whole URLs that a proxy is told. */
static async_fn(proxied)
{
    async_begin(scene);
    snprintf(self->url, sizeof self->url, "http://me:pw@127.0.0.1:%u", server.port);
    self->options = (struct sos_http_options){ .proxy = self->url };
    open_client(self);
    GOT(200, "http://nowhere.test:81/line");
    CHECK_TEXT(self->response.body,
               "GET http://nowhere.test:81/line HTTP/1.1|nowhere.test|Basic bWU6cHc=");
    GOT(200, "http://other.test/moved/301");
    CHECK_TEXT(self->response.body, "GET /seen|||");
    async_finally;
    close_client(self);
    async_end;
}

static void a_proxy_is_told_the_whole_url(void)
{
    run_scene(proxied, 0);
    CHECK_INT(cleartext, 2);
}

/* ---- Fields */

static const struct sos_http_field standard_fields[] = { { "Cookie", "a=b" },
                                                         { "Content-Type", "x/y" },
                                                         { "Authorization", "old" } };

static async_fn(fields)
{
    async_begin(scene);
    self->options.headers = standard_fields;
    self->options.header_count = 3;
    open_client(self);
    SEEN("GET /seen|old|a=b|x/y", .method = "GET");
    SEEN("GET /seen|new|a=b|x/y", .headers = own_login, .header_count = 1);
    REQUESTED(SOS_EINVAL, .headers = smuggled, .header_count = 1);
    CHECK(strstr(self->response.why, "control") != NULL);
    REQUESTED(SOS_EINVAL, .headers = bad_name, .header_count = 1);
    REQUESTED(SOS_EINVAL, .headers = own_length, .header_count = 1);
    REQUESTED(SOS_EINVAL, .method = "GET /");
    REQUESTED(SOS_EINVAL, .method = "CONNECT");
    REQUESTED(SOS_EINVAL, .url = "/ HTTP/1.1\r\nA: b");
    REQUESTED(SOS_EINVAL, .url = "ftp://127.0.0.1/");
    REQUESTED(SOS_EINVAL, .url = "ws://127.0.0.1/");
    GOT(200, "/hello");
    async_finally;
    close_client(self);
    async_end;
}

static void fields_smuggle_nothing(void)
{
    static const struct sos_tls_options no_tls_options;
    run_scene(fields, 0);
    unix_open(&here, NULL);
    sos_http *http = NULL;
    const struct sos_http_field bad = { "a", "b\nc" };
    const struct sos_http_options wrong[] = {
        { .url = "ftp://h/" },
        { .url = "http://h/", .host = "h" },
        { .url = "http://" },
        { .host = "h", .headers = &bad, .header_count = 1 },
        { .host = "h", .user = "a:b" },
        { .host = "h", .bearer = "a\r\nb" },
        { .host = "h", .proxy = "https://p" },
        { .host = "a b" },
        { .host = "unix:/a", .tls = &no_tls_options },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(sos_http_open(here.os, &wrong[i], &http), SOS_EINVAL);
        CHECK(http == NULL);
    }
    CHECK_INT(sos_http_open(here.os, &(struct sos_http_options){ .host = "fe80::1%2" }, &http),
              SOS_OK);
    sos_http_close(http);
    unix_close(&here);
}

/* ---- Limits */

static async_fn(limits)
{
    async_begin(scene);
    self->options.max_response_size = NGINX_BIG - 1;
    open_client(self);
    REQUESTED(SOS_ELIMIT, .url = "/big");
    REQUESTED(SOS_ELIMIT, .url = "/chunked");
    REQUESTED(SOS_ELIMIT, .url = "/gzip");
    REQUESTED(SOS_OK, .url = "/gzip", .max_response_size = NGINX_BIG);
    GOT(200, "/hello");
    async_finally;
    close_client(self);
    async_end;
}

static void a_body_beyond_the_limit_is_refused(void)
{
    run_scene(limits, 0);
}

/* ---- Connections */

static async_fn(kept)
{
    async_begin(scene);
    open_client(self);
    for (; self->index < 30; self->index++) {
        GOT(200, self->index % 3 == 0 ? "/hello" : self->index % 3 == 1 ? "/gzip" : "/chunked");
    }
    REQUESTED(SOS_OK, .url = "/hello", .stream = true);
    PORTION(== 5);
    PORTION(== 0);
    CHECK_INT(proxy.connections, 1);
    GOT(200, "/once");
    GOT(200, "/hello");
    CHECK_INT(proxy.connections, 2);
    async_finally;
    close_client(self);
    async_end;
}

static void one_connection_serves_many_requests(void)
{
    proxy = (struct fault_proxy){ .fault = { .kind = FAULT_NONE } };
    run_scene(kept, 1);
}

enum { MANY = 20 };

struct sharer {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
    int round;
};

static async_fn(sharer)
{
    async_begin(sharer);
    for (; self->round < 3; self->round++) {
        try_await(sos_http_get(task, self->http, "/gzip", &self->response));
        check_big(&self->response);
    }
    async_finally;
    sos_http_response_free(&self->response);
    async_end;
}

struct crowd {
    sos_frame frame;
    sos_http *http;
    struct sos_scope scope;
    int index;
};

static async_fn(crowd)
{
    async_begin(crowd);
    sos_scope_open(task, &self->scope);
    for (; self->index < unix_times(MANY, 4); self->index++)
        async_spawn(sharer, sos_opt(), .http = self->http);
    await(sos_scope_join(task, &self->scope));
    CHECK_INT(sos_status(task), SOS_OK);
    async_end;
}

static async_fn(shared)
{
    async_begin(scene);
    self->options.max_connections = 3;
    open_client(self);
    CHECKED(async_call(crowd, .http = self->http), SOS_OK);
    CHECK(proxy.connections <= 3);
    async_finally;
    close_client(self);
    async_end;
}

static void many_tasks_share_a_client(void)
{
    proxy = (struct fault_proxy){ .fault = { .kind = FAULT_NONE } };
    run_scene(shared, 1);
}

/* ---- Faults: a clear error or a good answer within its deadline */

static int fault_status;

static async_fn(faulty)
{
    async_begin(scene);
    open_client(self);
    await(sos_within(task, SOS_MS(500), sos_http_get(task, self->http, "/hello", &self->response)));
    fault_status = sos_status(task);
    if (fault_status == SOS_OK)
        CHECK_TEXT(self->response.body, "hello");
    async_finally;
    close_client(self);
    async_end;
}

static void expect_fault(struct fault fault, int status)
{
    proxy = (struct fault_proxy){ .fault = fault };
    fault_status = 1;
    run_scene(faulty, 1);
    if (status == SOS_ECONNRESET) /* or the end of the stream, as the close and what is sent race */
        CHECK(fault_status == SOS_ECONNRESET || fault_status == SOS_EEOF);
    else
        CHECK_INT(fault_status, status);
}

/* Each takes its whole deadline. */
static void silence_ends_in_time(void)
{
    int fds[3];
    expect_fault((struct fault){ .kind = FAULT_STALL, .after = 5 }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_BLACK_HOLE }, SOS_ETIMEDOUT);
    struct server real = server;
    server.port = fault_full_listener(fds);
    fault_status = 1;
    run_scene(faulty, 0);
    CHECK_INT(fault_status, SOS_ETIMEDOUT);
    fault_full_close(fds);
    server = real;
}

static void every_fault_ends_in_time(void)
{
    static bool silence_done;
    expect_fault((struct fault){ .kind = FAULT_NONE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(20) }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DRIBBLE }, SOS_OK);
    for (size_t after = 0; after <= 140; after += 35) { /* within the head, and the body */
        expect_fault((struct fault){ .kind = FAULT_CUT, .after = after }, SOS_EEOF);
        expect_fault((struct fault){ .kind = FAULT_RESET, .after = after }, SOS_ECONNRESET);
        expect_fault((struct fault){ .kind = FAULT_HALF_CLOSE, .after = after }, SOS_EEOF);
    }
    expect_fault((struct fault){ .kind = FAULT_REFUSE }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .bytes = "what?\r\n", .size = 7 },
                 SOS_EPROTO);
    if (!silence_done)
        silence_ends_in_time();
    silence_done = true;
}

int main(void)
{
    void (*const tests[])(void) = {
        answers_of_every_form_are_read,
        text_and_json_are_views_of_the_body,
        requests_of_every_form_are_sent,
        bodies_of_every_form_arrive,
        a_body_may_come_from_a_source,
        a_large_body_is_sent_beside_the_reading,
        a_body_may_be_read_in_portions,
        a_deadline_on_a_portion_loses_nothing,
        redirects_are_followed_without_leaking_credentials,
        credentials_come_from_options_or_the_url,
        a_proxy_is_told_the_whole_url,
        fields_smuggle_nothing,
        a_body_beyond_the_limit_is_refused,
        one_connection_serves_many_requests,
        many_tasks_share_a_client,
        every_fault_ends_in_time,
    };
    make_big();
    CHECK(nginx_start(&server, "", ""));
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&server);
    return 0;
}
