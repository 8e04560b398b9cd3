/* SPDX-License-Identifier: MIT */
/* Connecting to names over the simulated network, in virtual time: who is tried when, and who wins. */
#include "smallos/stream.h"
#include "world.h"

/* ---- Wrapped around the simulated network, so that every attempt stands in the trace */

static struct sos_network traced;
static const struct sos_network *simulated;

static int traced_connect(struct sos_kernel *kernel, const struct sos_address *to)
{
    char text[SOS_ADDRESS_TEXT];
    int fd = simulated->connect(kernel, to);
    sos_address_format(to, text);
    note("try %s%s%s", text, fd < 0 ? " " : "", fd < 0 ? status_text(fd) : "");
    return fd;
}

static void net_open(const struct sos_config *config, const struct sos_sim_options *options)
{
    world_open_with(config, options);
    simulated = world.kernel->network;
    traced = *simulated;
    traced.connect = traced_connect;
    world.kernel->network = &traced;
}

static void net_close(void)
{
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

static void name_is(const char *name, const struct sos_sim_name answer)
{
    CHECK_INT(sos_sim_set_name(world.kernel, name, &answer), SOS_OK);
}

static void route_is(const char *address, enum sos_sim_fate fate, uint32_t connect_us)
{
    CHECK_INT(
        sos_sim_set_route(world.kernel, address, 0,
                          &(struct sos_sim_route){ .fate = fate, .connect_min_us = connect_us }),
        SOS_OK);
}

/* ---- Tasks */

/* Accepts `count` times, each time closing at once, and notes whom. */
struct server {
    sos_frame frame;
    const char *address;
    sos_listener *listener;
    sos_stream *stream;
    int count;
};

static void note_accepted(const sos_stream *stream)
{
    struct sos_address address;
    char text[SOS_ADDRESS_TEXT];
    CHECK_INT(sos_stream_address(stream, false, &address), SOS_OK);
    sos_address_format(&address, text);
    note("accepted at %s", text);
}

static int listen_at(sos *os, const char *address, sos_listener **listener)
{
    return sos_listener_open(os, &(struct sos_listen){ .host = address, .port = 80 }, listener);
}

static async_fn(server)
{
    async_begin(server);
    if (listen_at(sos_of(task), self->address, &self->listener) != SOS_OK)
        async_return(SOS_ENOMEM);
    while (self->count-- != 0) {
        try_await(sos_accept(task, self->listener, &self->stream));
        note_accepted(self->stream);
        sos_stream_close(self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->listener);
    async_end;
}

static void serve(const char *address, int count)
{
    CHECK(sos_fork(world.os, server, sos_opt(.priority = 3, .watcher = true), .address = address,
                   .count = count)
              .pid >= 0);
}

struct client {
    sos_frame frame;
    const char *host;
    int64_t within;
    sos_stream *stream;
    struct sos_connect_options options;
};

static async_fn(client)
{
    async_begin(client);
    self->options = (struct sos_connect_options){ .host = self->host, .port = 80 };
    if (self->within == 0)
        self->within = SOS_FOREVER;
    await(sos_within(task, self->within, sos_connect(task, &self->options, &self->stream)));
    note("%s: %s", self->host, status_text(sos_status(task)));
    CHECK((sos_status(task) == SOS_OK) == (self->stream != NULL));
    CHECK_INT(sos_sim_descriptors(world.kernel) >= (self->stream != NULL), 1);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void connect_to(const char *host, int64_t within)
{
    CHECK(sos_fork(world.os, client, sos_opt(.priority = 5), .host = host, .within = within).pid >=
          0);
}

/* ---- Who is tried when */

static void an_address_needs_no_name_and_no_other_task(void)
{
    net_open(&(struct sos_config){ .task_capacity = 2 }, NULL);
    serve("10.0.0.1", 1);
    route_is(NULL, SOS_SIM_ANSWERS, 1000);
    connect_to("10.0.0.1", 0);
    world_run(SOS_OK, "0 try 10.0.0.1:80\n1000 accepted at 10.0.0.1:80\n1000 10.0.0.1: OK\n");
    net_close();
}

static void a_name_with_one_address_needs_no_other_task(void)
{
    net_open(&(struct sos_config){ .task_capacity = 2 }, NULL);
    serve("10.0.0.1", 1);
    name_is("one", (struct sos_sim_name){ .delay_us = 500, .addresses = { "10.0.0.1" } });
    connect_to("one", 0);
    world_run(SOS_OK, "500 try 10.0.0.1:80\n500 accepted at 10.0.0.1:80\n500 one: OK\n");
    net_close();
}

static void families_alternate_and_the_next_comes_after_250_ms(void)
{
    net_open(NULL, NULL);
    route_is(NULL, SOS_SIM_BLACK_HOLE, 0);
    name_is("far", (struct sos_sim_name){ .addresses = { "10.0.0.1", "10.0.0.2", "10.0.0.3",
                                                         "2001:db8::1", "2001:db8::2" } });
    connect_to("far", SOS_SEC(2));
    world_run(SOS_OK, "0 try [2001:db8::1]:80\n250000 try 10.0.0.1:80\n"
                      "500000 try [2001:db8::2]:80\n750000 try 10.0.0.2:80\n"
                      "1000000 try 10.0.0.3:80\n2000000 far: ETIMEDOUT\n");
    net_close();
}

static void the_next_comes_at_once_when_one_is_refused(void)
{
    net_open(NULL, NULL);
    serve("10.0.0.2", 1);
    route_is(NULL, SOS_SIM_ANSWERS, 1000);
    route_is("10.0.0.2", SOS_SIM_ANSWERS, 40000);
    name_is("mixed", (struct sos_sim_name){
                         .addresses = { "2001:db8::1", "10.0.0.1", "2001:db8::2", "10.0.0.2" } });
    connect_to("mixed", 0);
    world_run(SOS_OK, "0 try [2001:db8::1]:80\n1000 try 10.0.0.1:80\n2000 try [2001:db8::2]:80\n"
                      "3000 try 10.0.0.2:80\n43000 accepted at 10.0.0.2:80\n43000 mixed: OK\n");
    net_close();
}

/* An older try that fails does not bring the next one forward. */
static void only_the_youngest_try_hurries_the_next(void)
{
    net_open(NULL, NULL);
    route_is(NULL, SOS_SIM_BLACK_HOLE, 0);
    route_is("2001:db8::1", SOS_SIM_REFUSES, 300000);
    name_is("slow",
            (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.1", "2001:db8::2" } });
    connect_to("slow", SOS_MS(600));
    world_run(SOS_OK, "0 try [2001:db8::1]:80\n250000 try 10.0.0.1:80\n"
                      "500000 try [2001:db8::2]:80\n600000 slow: ETIMEDOUT\n");
    net_close();
}

static void the_first_that_connects_wins_and_the_others_are_closed(void)
{
    net_open(NULL, NULL);
    serve("2001:db8::1", 1);
    serve("10.0.0.1", 1);
    route_is("2001:db8::1", SOS_SIM_ANSWERS, 400000);
    route_is("10.0.0.1", SOS_SIM_ANSWERS, 100000);
    name_is("race", (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.1" } });
    connect_to("race", 0);
    world_run(SOS_OK, "0 try [2001:db8::1]:80\n250000 try 10.0.0.1:80\n"
                      "350000 accepted at 10.0.0.1:80\n350000 race: OK\n");
    net_close();
}

/* Both connect in one moment: one stream is handed out, the other closed. */
static void of_two_winners_one_is_closed(void)
{
    net_open(NULL, NULL);
    serve("2001:db8::1", 1);
    serve("10.0.0.1", 1);
    route_is("2001:db8::1", SOS_SIM_ANSWERS, 300000);
    route_is("10.0.0.1", SOS_SIM_ANSWERS, 50000);
    name_is("tie", (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.1" } });
    connect_to("tie", 0);
    world_run(SOS_OK, "0 try [2001:db8::1]:80\n250000 try 10.0.0.1:80\n"
                      "300000 accepted at [2001:db8::1]:80\n300000 accepted at 10.0.0.1:80\n"
                      "300000 tie: OK\n");
    net_close();
}

/* ---- Errors */

static void the_error_is_that_of_the_try_that_came_furthest(void)
{
    net_open(NULL, NULL);
    route_is("2001:db8::1", SOS_SIM_UNREACHABLE, 10);
    route_is("2001:db8::2", SOS_SIM_REFUSES, 10);
    route_is("10.0.0.1", SOS_SIM_UNREACHABLE, 10);
    CHECK_INT(sos_sim_set_route(
                  world.kernel, "10.0.0.2", 0,
                  &(struct sos_sim_route){ .fate = SOS_SIM_BLACK_HOLE, .give_up_us = 5000 }),
              SOS_OK);
    name_is("a", (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.1" } });
    name_is("b", (struct sos_sim_name){ .addresses = { "2001:db8::2", "10.0.0.1" } });
    name_is("c", (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.2" } });
    name_is("d", (struct sos_sim_name){ .addresses = { "2001:db8::2", "10.0.0.2" } });
    connect_to("a", 0);
    connect_to("b", 0);
    connect_to("c", 0);
    connect_to("d", 0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    const char *trace = sos_sim_trace(world.kernel);
    CHECK(strstr(trace, "20 a: EUNREACH\n") != NULL);
    CHECK(strstr(trace, "20 b: ECONNREFUSED\n") != NULL);
    CHECK(strstr(trace, "5010 c: ETIMEDOUT\n") != NULL);
    CHECK(strstr(trace, "5010 d: ECONNREFUSED\n") != NULL);
    sos_sim_trace_clear(world.kernel);
    net_close();
}

static void names_that_do_not_resolve(void)
{
    net_open(NULL, NULL);
    name_is("late", (struct sos_sim_name){ .delay_us = 700, .status = SOS_ENONAME });
    name_is("broken", (struct sos_sim_name){ .delay_us = 800, .status = SOS_EIO });
    name_is("empty", (struct sos_sim_name){ .delay_us = 900 });
    name_is("silent", (struct sos_sim_name){ .delay_us = SOS_NEVER });
    connect_to("unknown", 0);
    connect_to("late", 0);
    connect_to("broken", 0);
    connect_to("empty", 0);
    connect_to("silent", SOS_MS(1));
    connect_to("unix:", 0);
    world_run(SOS_OK, "0 unknown: ENONAME\n0 unix:: ENONAME\n700 late: ENONAME\n"
                      "800 broken: EIO\n900 empty: ENONAME\n1000 silent: ETIMEDOUT\n");
    world.kernel->network = NULL;
    connect_to("nowhere", 0);
    connect_to("10.0.0.1", 0);
    world_run(SOS_OK, "1000 nowhere: ENOTSUP\n1000 10.0.0.1: ENOTSUP\n");
    net_close();
}

/* With no task to be had the addresses are tried one after the other by the caller itself. */
static void without_free_tasks_it_is_slower_but_works(void)
{
    net_open(&(struct sos_config){ .task_capacity = 2 }, NULL);
    serve("10.0.0.2", 1);
    name_is("poor", (struct sos_sim_name){ .addresses = { "10.0.0.1", "10.0.0.2" } });
    connect_to("poor", 0);
    world_run(SOS_OK, "0 try 10.0.0.1:80\n0 try 10.0.0.2:80\n0 accepted at 10.0.0.2:80\n"
                      "0 poor: OK\n");
    net_close();
}

static void descriptors_may_run_out(void)
{
    net_open(NULL, &(struct sos_sim_options){ .max_descriptors = 1 });
    route_is(NULL, SOS_SIM_BLACK_HOLE, 0);
    name_is("many", (struct sos_sim_name){ .addresses = { "10.0.0.1", "10.0.0.2" } });
    connect_to("many", SOS_MS(500));
    world_run(SOS_OK, "0 try 10.0.0.1:80\n250000 try 10.0.0.2:80 EMFILE\n"
                      "500000 many: ETIMEDOUT\n");
    net_close();
}

/* ---- Killed at every moment; nothing may be left */

static void a_kill_at_any_step_leaves_nothing(void)
{
    for (int steps = 0;; steps++) {
        net_open(NULL, NULL);
        serve("10.0.0.2", 1);
        route_is("2001:db8::1", SOS_SIM_BLACK_HOLE, 0);
        route_is("10.0.0.1", SOS_SIM_REFUSES, 100);
        route_is("10.0.0.2", SOS_SIM_ANSWERS, 3000);
        name_is("host",
                (struct sos_sim_name){ .delay_us = 10,
                                       .addresses = { "2001:db8::1", "10.0.0.1", "10.0.0.2" } });
        sos_handle target = sos_fork(world.os, client, sos_opt(.priority = 5), .host = "host");
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        bool over = sos_kill(world.os, target) == SOS_ESTALE;
        CHECK(over || sos_sim_descriptors(world.kernel) <= 1); /* the listener */
        CHECK_INT(sos_run(world.os), SOS_OK);
        sos_sim_trace_clear(world.kernel);
        net_close();
        if (over && steps > 10)
            break;
    }
}

/* The same for a deadline that passes at any moment. */
static void a_deadline_at_any_time_leaves_nothing(void)
{
    for (int64_t us = 1; us < 600000; us += us < 2000 ? 7 : 997) {
        net_open(NULL, &(struct sos_sim_options){ .seed = (uint64_t)us });
        serve("10.0.0.2", 1);
        route_is("2001:db8::1", SOS_SIM_BLACK_HOLE, 0);
        route_is("10.0.0.1", SOS_SIM_REFUSES, 100);
        route_is("10.0.0.2", SOS_SIM_ANSWERS, 3000);
        name_is("host",
                (struct sos_sim_name){ .delay_us = 10,
                                       .addresses = { "2001:db8::1", "10.0.0.1", "10.0.0.2" } });
        connect_to("host", us);
        CHECK_INT(sos_run(world.os), SOS_OK);
        const char *end = us > 253110 ? "host: OK\n" : "host: ETIMEDOUT\n";
        CHECK(us == 253110 || strstr(sos_sim_trace(world.kernel), end) != NULL);
        sos_sim_trace_clear(world.kernel);
        net_close();
    }
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    for (uint64_t n = 1;; n++) {
        net_open(NULL, NULL);
        serve("10.0.0.2", 1);
        name_is("host", (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.2" } });
        connect_to("host", 0);
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        sos_sim_trace_clear(world.kernel);
        net_close();
        if (!failed)
            break;
    }
}

/* By seed: whatever the network does, every connection ends, and nothing is left. */
static void a_bad_network_leaves_nothing(void)
{
    unsigned good = 0, bad = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        net_open(NULL, &(struct sos_sim_options){ .seed = seed });
        serve("10.0.0.1", -1);
        serve("2001:db8::1", -1);
        CHECK_INT(sos_sim_set_route(world.kernel, NULL, 0,
                                    &(struct sos_sim_route){ .connect_min_us = 10,
                                                             .connect_max_us = 400000,
                                                             .give_up_us = 2000000,
                                                             .refused_percent = 40,
                                                             .black_hole_percent = 40,
                                                             .reset_percent = 50,
                                                             .half_open_percent = 20,
                                                             .reset_us = 1000 }),
                  SOS_OK);
        name_is("host", (struct sos_sim_name){ .addresses = { "2001:db8::1", "10.0.0.1" } });
        for (int clients = 0; clients < 5; clients++)
            connect_to("host", 0);
        CHECK_INT(sos_run(world.os), SOS_OK);
        good += strstr(sos_sim_trace(world.kernel), "host: OK") != NULL;
        bad += strstr(sos_sim_trace(world.kernel), "host: E") != NULL;
        sos_sim_trace_clear(world.kernel);
        net_close();
    }
    CHECK(good > 100 && bad > 100);
}

int main(void)
{
    an_address_needs_no_name_and_no_other_task();
    a_name_with_one_address_needs_no_other_task();
    families_alternate_and_the_next_comes_after_250_ms();
    the_next_comes_at_once_when_one_is_refused();
    only_the_youngest_try_hurries_the_next();
    the_first_that_connects_wins_and_the_others_are_closed();
    of_two_winners_one_is_closed();
    the_error_is_that_of_the_try_that_came_furthest();
    names_that_do_not_resolve();
    without_free_tasks_it_is_slower_but_works();
    descriptors_may_run_out();
    a_kill_at_any_step_leaves_nothing();
    a_deadline_at_any_time_leaves_nothing();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    a_bad_network_leaves_nothing();
    return 0;
}
