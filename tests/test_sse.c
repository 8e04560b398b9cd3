/* SPDX-License-Identifier: MIT */
/* The client for Server-Sent Events against nginx with nchan, a server of event streams that nobody
 * here wrote; directly and through every fault, on every back end. */
#include "smallos/sse.h"

#include "fault_proxy.h"
#include "server.h"
#include "unix_world.h"

static const char configuration[] =
    "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n"
    "daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;\n"
    "events { worker_connections 1024; }\n"
    "http {\n"
    "  access_log off; default_type text/plain; absolute_redirect off;\n"
    "  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
    "  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;\n"
    "  scgi_temp_path {folder}/scgi; nchan_shared_memory_size 16M;\n"
    "  server {\n"
    "    listen 127.0.0.1:{port};\n"
    "    location ~ ^/publish/(.*)$ { nchan_publisher; nchan_channel_id $1;\n"
    "                                 nchan_message_buffer_length 1000; }\n"
    "    location ~ ^/events/(.*)$ { nchan_subscriber eventsource; nchan_channel_id $1; }\n"
    "    location /elsewhere/ { rewrite ^/elsewhere/(.*)$ /events/$1 redirect; }\n"
    "    location = /hello { return 200 hello; }\n"
    "    location = /status/404 { return 404; }\n"
    "    location = /status/204 { return 204; }\n"
    "    location = /busy/ { return 503; }\n"
    "  }\n"
    "}\n";

static struct server nginx;
static struct fault_proxy proxy;
static unsigned channel; /* each scene has one of its own, for nothing is left of another then */

static bool start_nginx(void)
{
    return server_start(&nginx,
                        (const char *const[]){ "/usr/sbin/nginx", "-c", "{folder}/configuration",
                                               "-e", "{folder}/errors", NULL });
}

/* ---- What the tests run: one task that publishes and reads */

struct scene {
    sos_frame frame;
    sos_http *http;
    sos_sse *sse;
    struct sos_sse_event event;
    struct sos_sse_options options;
    struct sos_http_response response;
    struct sos_http_body body;
    char url[64], path[64], text[64], id[64], why[160];
    int index;
};

static void run_scene(sos_async_function function, uint16_t port)
{
    unix_open(&here, NULL);
    if (port == 0) {
        fault_proxy_start(here.os, &proxy, nginx.port, 3);
        port = proxy.port;
    }
    struct scene first = { .options = { .port = port } };
    snprintf(first.url, sizeof first.url, "http://127.0.0.1:%u/publish/%u", nginx.port, ++channel);
    snprintf(first.path, sizeof first.path, "/events/%u", channel);
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

static void open_scene(struct scene *self)
{
    CHECK_INT(sos_http_open(here.os, NULL, &self->http), SOS_OK);
    self->options.path = self->path;
    self->options.error_text = self->why;
    self->options.error_text_size = sizeof self->why;
    self->options.reconnect.first_delay_us = SOS_MS(2);
    self->options.reconnect.max_delay_us = SOS_MS(20);
}

static void close_scene(struct scene *self)
{
    sos_http_response_free(&self->response);
    sos_http_close(self->http);
    sos_sse_close(self->sse);
    self->sse = NULL;
}

static void expect(const struct sos_sse_event *event, const char *type, const char *data)
{
    CHECK_TEXT(event->type, type);
    CHECK_TEXT(event->data, data);
    CHECK_INT(event->data_size, strlen(data));
}

static sos_op publish(sos_task *task, struct scene *self, const char *type, const char *data)
{
    static struct sos_http_field name = { .name = "X-EventSource-Event" };
    name.value = type;
    self->body = (struct sos_http_body){ .text = data };
    return sos_http_send(
        task, self->http,
        &(struct sos_http_request){
            .url = self->url, .body = self->body, .headers = &name, .header_count = type != NULL },
        &self->response);
}

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define PUBLISH(type, data)                                                                        \
    CHECKED(publish(task, self, (type), (data)), SOS_OK);                                          \
    CHECK(self->response.ok)
#define CONNECT() CHECKED(sos_sse_connect(task, &self->options, &self->sse), SOS_OK)
#define READ(type, data)                                                                           \
    CHECKED(sos_sse_read(task, self->sse, &self->event), SOS_OK);                                  \
    expect(&self->event, (type), (data))

static async_fn(events)
{
    async_begin(scene);
    open_scene(self);
    PUBLISH(NULL, "one");
    PUBLISH("news", "two\nlines");
    CONNECT();
    READ("message", "one");
    CHECK(self->event.id_size != 0);
    CHECK_INT(self->event.retry_us, -1);
    READ("news", "two\nlines");
    PUBLISH(NULL, "three");
    READ("message", "three");
    snprintf(self->id, sizeof self->id, "%s", self->event.id);
    CHECKED(sos_within(task, SOS_MS(20), sos_sse_read(task, self->sse, &self->event)),
            SOS_ETIMEDOUT);
    PUBLISH(NULL, "four");
    READ("message", "four");
    CHECK_TEXT(sos_sse_error(self->sse), "");
    sos_sse_close(self->sse);
    self->options.last_id = self->id;
    CONNECT();
    READ("message", "four");
    async_finally;
    close_scene(self);
    async_end;
}

static async_fn(redirected)
{
    async_begin(scene);
    open_scene(self);
    PUBLISH(NULL, "found");
    snprintf(self->path, sizeof self->path, "/elsewhere/%u", channel);
    CONNECT();
    READ("message", "found");
    sos_sse_close(self->sse);
    snprintf(self->text, sizeof self->text, "http://127.0.0.1:%u/events/%u", nginx.port, channel);
    self->options.url = self->text;
    CONNECT();
    READ("message", "found");
    async_finally;
    close_scene(self);
    async_end;
}

#define REFUSED(where, status, reason)                                                             \
    self->options.path = (where);                                                                  \
    CHECKED(sos_sse_connect(task, &self->options, &self->sse), (status));                          \
    CHECK(self->sse == NULL);                                                                      \
    CHECK_TEXT(self->why, (reason))

static async_fn(refusals)
{
    async_begin(scene);
    open_scene(self);
    REFUSED("/status/404", SOS_ESERVER, "the server answered 404 Not Found");
    REFUSED("/status/204", SOS_EEOF, "the server answered 204 No Content");
    REFUSED("/busy/", SOS_ESERVER, "the server answered 503 Service Temporarily Unavailable");
    REFUSED("/hello", SOS_EPROTO, "the type of what the server sends is text/event-stream");
    self->options.reconnect.silence_us = -1;
    REFUSED("/events/1", SOS_EINVAL, "invalid argument");
    async_finally;
    close_scene(self);
    async_end;
}

/* Without a word from the server the connection is made again, or with `once` is over. */
static async_fn(silence)
{
    async_begin(scene);
    open_scene(self);
    self->options.reconnect.silence_us = SOS_MS(20);
    self->options.once = true;
    CONNECT();
    CHECKED(sos_sse_read(task, self->sse, &self->event), SOS_ETIMEDOUT);
    CHECK_TEXT(sos_sse_error(self->sse), "nothing was received for too long");
    CHECKED(sos_sse_read(task, self->sse, &self->event), SOS_ETIMEDOUT);
    sos_sse_close(self->sse);
    self->options.once = false;
    CONNECT();
    CHECKED(sos_within(task, SOS_MS(100), sos_sse_read(task, self->sse, &self->event)),
            SOS_ETIMEDOUT);
    PUBLISH(NULL, "at last");
    READ("message", "at last");
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Lost connections: no event is lost and none comes twice */

enum { MANY = 40 };

static async_fn(continued)
{
    async_begin(scene);
    open_scene(self);
    for (self->index = 0; self->index < MANY; self->index++) {
        snprintf(self->text, sizeof self->text, "event number %d", self->index);
        PUBLISH(NULL, self->text);
    }
    CONNECT();
    for (self->index = 0; self->index < MANY; self->index++) {
        snprintf(self->text, sizeof self->text, "event number %d", self->index);
        READ("message", self->text);
    }
    CHECK(proxy.connections > 1);
    CHECK(sos_sse_error(self->sse)[0] != '\0');
    async_finally;
    close_scene(self);
    async_end;
}

static void no_event_is_lost_with_a_connection(void)
{
    static const enum fault_kind kinds[] = { FAULT_CUT, FAULT_RESET, FAULT_HALF_CLOSE };
    for (size_t index = 0; index < sizeof kinds / sizeof kinds[0]; index++) {
        proxy = (struct fault_proxy){ .fault = { .kind = kinds[index], .after = 900 } };
        run_scene(continued, 0);
    }
}

static async_fn(restarted)
{
    async_begin(scene);
    open_scene(self);
    PUBLISH(NULL, "before");
    CONNECT();
    READ("message", "before");
    server_kill(&nginx);
    CHECKED(sos_within(task, SOS_MS(50), sos_sse_read(task, self->sse, &self->event)),
            SOS_ETIMEDOUT);
    CHECK(start_nginx());
    sos_sse_hurry(self->sse);
    PUBLISH(NULL, "between"); /* in the same second it has the id that "before" had */
    PUBLISH(NULL, "after");
    do {
        CHECKED(sos_within(task, SOS_SEC(20), sos_sse_read(task, self->sse, &self->event)), SOS_OK);
    } while (strcmp(self->event.data, "between") == 0);
    expect(&self->event, "message", "after");
    async_finally;
    close_scene(self);
    async_end;
}

/* ---- Faults: a clear error or an event within its deadline */

static int fault_status;
static int64_t patience;
static char long_text[3001]; /* far longer than the head of the answer */

static async_fn(faulty)
{
    async_begin(scene);
    open_scene(self);
    memset(long_text, 'x', sizeof long_text - 1);
    PUBLISH(NULL, long_text);
    self->options.once = true;
    self->options.attempt_us = self->options.reconnect.silence_us = patience;
    await(sos_sse_connect(task, &self->options, &self->sse));
    if (sos_status(task) == SOS_OK)
        await(sos_sse_read(task, self->sse, &self->event));
    fault_status = sos_status(task);
    if (fault_status == SOS_OK)
        expect(&self->event, "message", long_text);
    async_finally;
    close_scene(self);
    async_end;
}

static void expect_fault(struct fault fault, int status)
{
    proxy = (struct fault_proxy){ .fault = fault };
    fault_status = 1;
    patience = status == SOS_ETIMEDOUT ? SOS_MS(100) : SOS_SEC(20);
    run_scene(faulty, 0);
    if (status == SOS_ECONNRESET) /* or the end of the stream, as the close and what is sent race */
        CHECK(fault_status == SOS_ECONNRESET || fault_status == SOS_EEOF);
    else
        CHECK_INT(fault_status, status);
}

/* Once in the head of the answer, once in the event. */
static void every_fault_ends_in_time(void)
{
    expect_fault((struct fault){ .kind = FAULT_NONE }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DELAY, .us = SOS_MS(2) }, SOS_OK);
    expect_fault((struct fault){ .kind = FAULT_DRIBBLE }, SOS_OK);
    for (size_t after = 50; after <= 2050; after += 2000) {
        expect_fault((struct fault){ .kind = FAULT_CUT, .after = after }, SOS_EEOF);
        expect_fault((struct fault){ .kind = FAULT_RESET, .after = after }, SOS_ECONNRESET);
        expect_fault((struct fault){ .kind = FAULT_HALF_CLOSE, .after = after }, SOS_EEOF);
        expect_fault((struct fault){ .kind = FAULT_STALL, .after = after }, SOS_ETIMEDOUT);
    }
    expect_fault((struct fault){ .kind = FAULT_BLACK_HOLE }, SOS_ETIMEDOUT);
    expect_fault((struct fault){ .kind = FAULT_REFUSE }, SOS_ECONNRESET);
    expect_fault((struct fault){ .kind = FAULT_INTRUDE, .bytes = "what?\r\n", .size = 7 },
                 SOS_EPROTO);
}

static async_fn(hanging)
{
    async_begin(scene);
    open_scene(self);
    self->options.attempt_us = SOS_MS(50);
    CHECKED(sos_sse_connect(task, &self->options, &self->sse), SOS_ETIMEDOUT);
    CHECK_TEXT(self->why, "the server did not answer in time");
    async_finally;
    close_scene(self);
    async_end;
}

static void a_dropped_syn_is_left_by_the_deadline(void)
{
    int fds[3];
    run_scene(hanging, fault_full_listener(fds));
    fault_full_close(fds);
}

static void events_come_and_go_on_after_the_last_one(void)
{
    run_scene(events, nginx.port);
}

static void redirects_are_followed(void)
{
    run_scene(redirected, nginx.port);
}

static void what_is_no_event_stream_is_refused(void)
{
    run_scene(refusals, nginx.port);
}

static void a_silent_server_is_noticed(void)
{
    run_scene(silence, nginx.port);
}

static void a_server_may_be_restarted(void)
{
    run_scene(restarted, nginx.port);
}

int main(void)
{
    void (*const tests[])(void) = {
        events_come_and_go_on_after_the_last_one, redirects_are_followed,
        what_is_no_event_stream_is_refused,       a_silent_server_is_noticed,
        no_event_is_lost_with_a_connection,       a_server_may_be_restarted,
        a_dropped_syn_is_left_by_the_deadline,    every_fault_ends_in_time,
    };
    server_prepare(&nginx);
    server_file(&nginx, "configuration", configuration);
    CHECK(start_nginx());
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&nginx);
    return 0;
}
