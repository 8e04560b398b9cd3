/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client on the simulated network: closed, killed and without memory at every step, and on a
 * bad network by seeds.
 */
#include <stdlib.h>

#include "web_script.h"

enum { CUT = 400 }; /* where the bomb is cut off */

static char large[300000], bomb[1 << 14], portion[1000];

/* Under valgrind not every one. */
static int stride(void)
{
    return getenv("SOS_VALGRIND") != NULL ? 7 : 1;
}

/* ---- A scene with everything: redirect, name, upload, chunks, gzip */

static void prepare_busy_scene(void)
{
    web_script.answers[0].text = "HTTP/1.1 302 Found\r\nLocation: http://host/b\r\n"
                                 "Content-Length: 0\r\n\r\n";
    web_script.answers[1].text = WEB_CHUNKED "3\r\nabc\r\n0\r\n\r\n";
    web_script.answers[2] = (struct web_answer){ .text = bomb, .size = CUT, .closes = true };
    web_script.count = 3;
    const struct sos_sim_name name = { .delay_us = 10, .addresses = { "10.0.0.1" } };
    CHECK_INT(sos_sim_set_name(world.kernel, "host", &name), SOS_OK);
    CHECK_INT(sos_sim_set_route(
                  world.kernel, NULL, 0,
                  &(struct sos_sim_route){ .connect_min_us = 100,
                                           .stream = { .delay_min_us = 50, .transfer_max = 997 } }),
              SOS_OK);
}

static const struct web_client busy = {
    .request = { .method = "PUT",
                 .body = { .bytes = large, .size = 5000 },
                 .expect_continue = true },
    .times = 3,
};

/* ---- Closing meanwhile */

struct closer {
    sos_frame frame;
    int64_t us;
};

static async_fn(closer)
{
    async_begin(closer);
    await(sos_sleep(task, self->us));
    sos_http_close(web_shared);
    web_shared = NULL;
    async_end;
}

/* Makes the requests of `busy` with a client that another task closes, then reads in portions. */
static async_fn(closed_client)
{
    async_begin(web_client);
    while (web_shared != NULL && self->times-- > 0) {
        await(sos_http_send(task, web_shared, &self->request, &self->response));
        web_note(self, sos_of(task), sos_status(task));
        if (sos_status(task) == SOS_OK && self->request.stream) {
            do {
                await(sos_http_read(task, &self->response, large, sizeof large));
            } while (sos_status(task) > 0);
            web_result.status = sos_status(task);
        }
    }
    async_finally;
    sos_http_response_free(&self->response);
    async_end;
}

static void close_after(int64_t us, bool stream)
{
    web_open(NULL);
    prepare_busy_scene();
    struct web_client what = busy;
    what.request.stream = stream;
    what.times = 2;
    const struct sos_http_options options = { .url = "http://10.0.0.1/", .max_connections = 1 };
    CHECK_INT(sos_http_open(world.os, &options, &web_shared), SOS_OK);
    const struct sos_start start = {
        .function = closed_client,
        .frame = &what,
        .name = "client",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    web_serve();
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK(sos_fork(world.os, closer, sos_opt(.priority = 2), .us = us).pid >= 0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(web_result.status == SOS_OK || web_result.status == SOS_ECANCELED);
    sos_sim_trace_clear(world.kernel);
    web_close();
}

static void closing_the_client_ends_what_is_under_way(void)
{
    for (int64_t us = 0; us < 3000; us += us < 1500 ? 10 : 100) {
        close_after(us, false);
        close_after(us, true);
    }
}

/* At every microsecond, also where the request is about to run: the rest never comes. */
static void closing_the_client_ends_what_waits_for_ever(void)
{
    struct web_client what = { .times = 1, .request = { .method = "PUT" } };
    what.request.body.bytes = large;
    what.request.body.size = 2000;
    const struct sos_http_options options = { .url = "http://10.0.0.1/" };
    const struct sos_sim_route narrow = {
        .connect_min_us = 10,
        .connect_max_us = 10,
        .stream = { .capacity = 3000, .delay_min_us = 20, .delay_max_us = 20, .transfer_max = 500 }
    };
    const struct sos_start start = {
        .function = closed_client,
        .frame = &what,
        .name = "client",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    for (int64_t us = 1; us < 700; us += stride()) {
        web_open(NULL);
        web_script.answers[0] = (struct web_answer){ .before = WEB_OK
                                                     "Content-Length: 999999\r\n\r\n",
                                                     .text = portion,
                                                     .size = sizeof portion,
                                                     .repeat = 20,
                                                     .stalls = true };
        web_script.count = 1;
        CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, &narrow), SOS_OK);
        CHECK_INT(sos_http_open(world.os, &options, &web_shared), SOS_OK);
        web_serve();
        CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
        CHECK(sos_fork(world.os, closer, sos_opt(.priority = 1), .us = us).pid >= 0);
        CHECK_INT(sos_run(world.os), SOS_OK);
        CHECK_INT(web_result.status, SOS_ECANCELED);
        CHECK(sos_now(world.os) < SOS_SEC(1));
        sos_sim_trace_clear(world.kernel);
        web_close();
    }
}

/* The request that has just been allowed to go on is not sent, and to no other server does it bring
 * what is meant for the base. */
static async_fn(closing_client)
{
    async_begin(web_client);
    await(sos_http_send(task, web_shared, &self->request, &self->response));
    web_note(self, sos_of(task), sos_status(task));
    sos_http_close(web_shared);
    web_shared = NULL;
    async_finally;
    sos_http_response_free(&self->response);
    async_end;
}

static void a_closed_client_sends_nothing_more(void)
{
    web_open(NULL);
    web_script.answers[0].text = WEB_OK "Content-Length: 4\r\n\r\ngood";
    web_script.count = 1;
    const struct sos_http_options options = { .url = "http://10.0.0.9/",
                                              .bearer = "secret",
                                              .max_connections = 1 };
    const struct sos_sim_route far = { .connect_min_us = 10,
                                       .connect_max_us = 10,
                                       .stream = { .delay_min_us = 50, .delay_max_us = 50 } };
    CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0, &far), SOS_OK);
    CHECK_INT(sos_http_open(world.os, &options, &web_shared), SOS_OK);
    web_serve();
    struct web_client what = { .times = 1, .request = { .url = "http://10.0.0.1/" } };
    struct sos_start start = {
        .function = closing_client,
        .frame = &what,
        .name = "client",
        .size = sizeof what,
        .options = { .priority = 5 },
    };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    start.function = closed_client;
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(web_result.status, SOS_ECANCELED);
    CHECK_INT(web_script.requests, 1);
    CHECK(strstr(web_script.seen, "secret") == NULL);
    sos_sim_trace_clear(world.kernel);
    web_close();
}

static void a_kill_at_any_step_leaves_nothing(void)
{
    for (int steps = 0, over = 0; over < 2; steps += stride()) {
        web_open(NULL);
        prepare_busy_scene();
        sos_handle target = web_begin(busy);
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        over += sos_kill(world.os, target) == SOS_ESTALE;
        CHECK_INT(sos_run(world.os), SOS_OK);
        sos_sim_trace_clear(world.kernel);
        web_close();
    }
}

static void fail_every_allocation(struct web_client what)
{
    for (uint64_t n = 1;; n += (uint64_t)stride()) {
        web_open(NULL);
        prepare_busy_scene();
        web_begin(what);
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        CHECK(web_result.status != SOS_ETIMEDOUT);
        sos_sim_trace_clear(world.kernel);
        web_close();
        if (!failed)
            break;
    }
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    fail_every_allocation(busy);
    fail_every_allocation((struct web_client){
        .request = { .method = "PUT", .body = { .bytes = large, .size = sizeof large } } });
}

/* By seed: whatever the network does, every request ends well or in an error, and nothing is left. */
static void a_bad_network_ends_every_request(void)
{
    const char *text = getenv("SOS_PROPERTY_SEEDS");
    unsigned good = 0, bad = 0, seeds = text != NULL ? (unsigned)atoi(text) : 1000;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        web_open(&(struct sos_sim_options){ .seed = seed });
        web_script.answers[0].text = WEB_CHUNKED "5\r\nhello\r\n0\r\n\r\n";
        web_script.answers[1].text = WEB_OK "Content-Length: 5\r\n\r\nhello";
        web_script.count = 2;
        CHECK_INT(sos_sim_set_route(
                      world.kernel, NULL, 0,
                      &(struct sos_sim_route){
                          .connect_min_us = 10,
                          .connect_max_us = 400000,
                          .give_up_us = 2000000,
                          .stream = { .capacity = 300, .delay_max_us = 5000, .transfer_max = 50 },
                          .refused_percent = 10,
                          .black_hole_percent = 10,
                          .reset_percent = 40,
                          .half_open_percent = 10,
                          .reset_us = 60000 }),
                  SOS_OK);
        web_run((struct web_client){
            .times = 4,
            .pause = 3000,
            .within = SOS_SEC(5),
            .request = { .body = { .bytes = large, .size = seed % 2 * 600 } } });
        if (web_result.status == SOS_OK)
            CHECK_TEXT(web_result.body, "hello");
        good += web_result.status == SOS_OK;
        bad += web_result.status != SOS_OK;
        web_close();
    }
    CHECK(good > seeds / 5 && bad > seeds / 20);
}

int main(void)
{
    web_bomb(bomb, sizeof bomb, 8);
    closing_the_client_ends_what_is_under_way();
    closing_the_client_ends_what_waits_for_ever();
    a_closed_client_sends_nothing_more();
    a_kill_at_any_step_leaves_nothing();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    a_bad_network_ends_every_request();
    return 0;
}
