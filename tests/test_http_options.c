/* SPDX-License-Identifier: MIT */
/* The options of the HTTP client, on the simulated network: what is refused, and what is sent once. */
#include "smallos/tls.h"
#include "web_script.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int open_with(struct sos_http_options options)
{
    web_open(NULL);
    sos_http *http = NULL;
    int status = sos_http_open(world.os, &options, &http);
    CHECK((status == SOS_OK) == (http != NULL));
    sos_http_close(http);
    web_close();
    return status;
}

static void options_that_could_be_two_things_are_refused(void)
{
    static const struct sos_http_field bad[] = {
        { "Content-Length", "3" },
        { "transfer-encoding", "chunked" },
        { "Upgrade", "h2c" },
        { "Host", "a\r\nB: c" },
        { "A", "b\n" },
        { "A b", "c" },
    };
    static const struct sos_http_field twice[] = { { "Host", "a" }, { "host", "b" } };
    static const struct sos_http_field login[] = { { "Authorization", "x" } };
    static const struct sos_tls_options tls;
    static const char *const hosts[] = { "",    "good@evil", "h/p",  "h#",
                                         "h?q", "h:80",      "h%41", "[::1]" };
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK_INT(open_with((struct sos_http_options){ .headers = &bad[i], .header_count = 1 }),
                  SOS_EINVAL);
    CHECK_INT(open_with((struct sos_http_options){ .headers = twice, .header_count = 2 }),
              SOS_EINVAL);
    struct sos_http_options two = { .headers = login, .header_count = 1 };
    CHECK_INT(open_with(two), SOS_OK);
    two.bearer = "token";
    CHECK_INT(open_with(two), SOS_EINVAL);
    two.bearer = NULL;
    two.user = two.password = "me";
    CHECK_INT(open_with(two), SOS_EINVAL);
    CHECK_INT(open_with((struct sos_http_options){ .bearer = "a b" }), SOS_EINVAL);
    CHECK_INT(open_with((struct sos_http_options){ .bearer = "a\x7f" }), SOS_EINVAL);
    for (size_t i = 0; i < COUNT(hosts); i++)
        CHECK_INT(open_with((struct sos_http_options){ .host = hosts[i] }), SOS_EINVAL);
    CHECK_INT(open_with((struct sos_http_options){ .host = "fe80::1%eth0" }), SOS_OK);
    CHECK_INT(open_with((struct sos_http_options){ .host = "unix:/x", .tls = &tls }), SOS_EINVAL);
}

static void expect_sent(struct web_client client, const char *line, const char *never)
{
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 1\r\n\r\nx";
    web_script.count = 1;
    web_run(client);
    CHECK_INT(web_result.status, SOS_OK);
    if (strstr(web_script.seen, line) == NULL)
        CHECK_TEXT(web_script.seen, line);
    if (strstr(web_script.seen, never) != NULL)
        CHECK_TEXT(web_script.seen, never);
    web_close();
}

static void default_fields_are_sent_once(void)
{
    static const struct sos_http_field fields[] = { { "Host", "virtual" },
                                                    { "Content-Type", "x/y" },
                                                    { "Cookie", "a=b" } };
    struct web_client client = { .options = { .headers = fields, .header_count = 3 } };
    client.request.body.text = "body";
    expect_sent(client, "Host: virtual\r\n", "10.0.0.1");
    expect_sent(client, "Content-Type: x/y\r\n", "text/plain");
    client.request.body.content_type = "z/z";
    expect_sent(client, "Content-Type: z/z\r\n", "x/y");
    client.request.url = "http://me:pw@10.0.0.1/"; /* a login takes the place of no cookie */
    expect_sent(client, "Cookie: a=b\r\n", "10.0.0.1");
    expect_sent(client, "Authorization: Basic bWU6cHc=\r\n", "10.0.0.1");
    client.options.url = "http://10.0.0.9/"; /* another server than the base */
    expect_sent(client, "Host: 10.0.0.1\r\n", "virtual");
    expect_sent(client, "Authorization: Basic bWU6cHc=\r\n", "a=b");
}

/* ---- A body that is read in portions */

static char large[300000], portion[100];

static async_fn(reader)
{
    async_begin(web_client);
    CHECK_INT(sos_http_open(sos_of(task), &self->options, &self->http), SOS_OK);
    await(sos_within(task, SOS_SEC(100),
                     sos_http_send(task, self->http, &self->request, &self->response)));
    CHECK_INT(sos_status(task), SOS_OK);
    await(sos_within(task, SOS_SEC(100),
                     sos_http_read(task, &self->response, portion, sizeof portion)));
    CHECK_INT(sos_status(task), 2);
    await(sos_http_read(task, &self->response, portion, sizeof portion));
    web_note(self, sos_of(task), sos_status(task));
    async_finally;
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    async_end;
}

static void an_early_head_does_not_cut_the_body_off(void)
{
    struct web_client what = { .options = { .url = "http://10.0.0.1/" },
                               .request = { .stream = true,
                                            .method = "PUT",
                                            .body = { .bytes = large, .size = sizeof large } } };
    const struct sos_start start = {
        .function = reader,
        .frame = &what,
        .name = "reader",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    web_open(NULL);
    web_script.answers[0] = (struct web_answer){ .text = WEB_CHUNKED, .early = true };
    web_script.answers[1].text = "2\r\nok\r\n0\r\n\r\n"; /* when the whole body has come */
    web_script.count = 2;
    web_serve();
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(web_result.status, 0);
    CHECK_INT(web_script.requests, 1);
    sos_sim_trace_clear(world.kernel);
    web_close();
}

struct waker {
    sos_frame frame;
    sos_handle target;
};

static async_fn(waker)
{
    async_begin(waker);
    await(sos_sleep(task, SOS_SEC(1)));
    CHECK_INT(sos_wake(sos_of(task), self->target), SOS_OK);
    async_end;
}

/* The server says nothing after the head: the wake ends the reading, and the next one waits on. */
static async_fn(woken)
{
    async_begin(web_client);
    CHECK_INT(sos_http_open(sos_of(task), &self->options, &self->http), SOS_OK);
    await(sos_http_send(task, self->http, &self->request, &self->response));
    CHECK_INT(sos_status(task), SOS_OK);
    CHECK(sos_fork(sos_of(task), waker, sos_opt(.priority = 5), .target = sos_self(task)).pid >= 0);
    await(sos_http_read(task, &self->response, portion, sizeof portion));
    CHECK_INT(sos_status(task), SOS_EINTR);
    await(sos_within(task, SOS_SEC(1),
                     sos_http_read(task, &self->response, portion, sizeof portion)));
    web_note(self, sos_of(task), sos_status(task));
    async_finally;
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    async_end;
}

static void a_wake_is_not_the_end_of_a_body(void)
{
    struct web_client what = { .options = { .url = "http://10.0.0.1/" },
                               .request = { .stream = true } };
    const struct sos_start start = {
        .function = woken,
        .frame = &what,
        .name = "woken",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    web_open(NULL);
    web_script.answers[0] = (struct web_answer){ .text = WEB_OK "\r\n", .stalls = true };
    web_script.count = 1;
    web_serve();
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(web_result.status, SOS_ETIMEDOUT);
    sos_sim_trace_clear(world.kernel);
    web_close();
}

int main(void)
{
    options_that_could_be_two_things_are_refused();
    default_fields_are_sent_once();
    an_early_head_does_not_cut_the_body_off();
    a_wake_is_not_the_end_of_a_body();
    return 0;
}
