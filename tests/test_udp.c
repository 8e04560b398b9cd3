/* SPDX-License-Identifier: MIT */
/* Datagrams: over the simulated network, and over real sockets on every back end. */
#include "smallos/udp.h"

#include "smallos/sim.h"
#include "unix_world.h"

/* ---- The same tasks on both kernels. What they notice goes here: apart, since how far a real
 * network is behind the senders is its own affair. */

enum { TRACE = 1024 };
static char sent[TRACE], received[TRACE];

static void note(char *trace, const char *name, int status)
{
    size_t at = strlen(trace);
    if (status > 0)
        snprintf(trace + at, TRACE - at, "%s %d\n", name, status);
    else
        snprintf(trace + at, TRACE - at, "%s %s\n", name, sos_error_name(status) + 4);
}

static void expect(const char *of_senders, const char *of_receivers)
{
    CHECK_TEXT(sent, of_senders);
    CHECK_TEXT(received, of_receivers);
    sent[0] = received[0] = '\0';
}

struct receives {
    sos_frame frame;
    sos_udp *udp;
    const char *name;
    size_t size;
    int64_t within;
    int count;
    uint16_t from_port; /* 0: not checked */
    struct sos_address from;
    char bytes[64];
};

static async_fn(receives)
{
    async_begin(receives);
    if (self->within == 0)
        self->within = SOS_FOREVER;
    do {
        await(sos_within(task, self->within,
                         sos_udp_receive(task, self->udp, &self->from, self->bytes, self->size)));
        note(received, self->name, sos_status(task));
        if (sos_status(task) >= 0 && self->from_port != 0)
            CHECK_INT(self->from.port, self->from_port);
    } while (sos_status(task) >= 0 && --self->count > 0);
    async_end;
}

struct sends {
    sos_frame frame;
    sos_udp *udp;
    const char *name;
    struct sos_address to; /* family SOS_FAMILY_NONE: the peer */
    int64_t after;
    size_t size;
    const char *bytes;
};

static const struct sos_address *receiver(const struct sends *self)
{
    return self->to.family != SOS_FAMILY_NONE ? &self->to : NULL;
}

static async_fn(sends)
{
    async_begin(sends);
    await(sos_sleep(task, self->after));
    await(sos_udp_send(task, self->udp, receiver(self), self->bytes, self->size));
    note(sent, self->name, sos_status(task));
    async_end;
}

struct closes {
    sos_frame frame;
    sos_udp *udp;
    int64_t after;
};

static async_fn(closes)
{
    async_begin(closes);
    await(sos_sleep(task, self->after));
    sos_udp_close(self->udp);
    async_end;
}

static sos_udp *open_at(sos *os, const char *host, const struct sos_address *peer,
                        struct sos_address *at)
{
    sos_udp *udp;
    CHECK_INT(sos_udp_open(os, &(struct sos_udp_options){ .host = host, .peer = peer }, &udp),
              SOS_OK);
    CHECK_INT(sos_udp_address(udp, at), SOS_OK);
    CHECK(at->port != 0);
    return udp;
}

static char large[65536];

/* What holds on any kernel. Ends with all sockets closed. */
static void exchange(sos *os)
{
    struct sos_address a_at, b_at, c_at;
    sos_udp *a = open_at(os, "127.0.0.1", NULL, &a_at);
    sos_udp *b = open_at(os, "127.0.0.1", &a_at, &b_at);
    sos_udp *c = open_at(os, "127.0.0.1", NULL, &c_at), *none;
    const struct sos_udp_options taken = { .host = "127.0.0.1", .port = a_at.port };
    CHECK_INT(sos_udp_open(os, &taken, &none), SOS_EADDRINUSE);
    CHECK_INT(sos_udp_open(os, &(struct sos_udp_options){ .host = "a name" }, &none), SOS_EINVAL);
    CHECK_INT(sos_udp_open(os, &(struct sos_udp_options){ .host = "unix:/a" }, &none), SOS_EINVAL);
    CHECK_INT(sos_udp_open(os, &(struct sos_udp_options){ .host = "::1", .peer = &a_at }, &none),
              SOS_EINVAL);
    CHECK(none == NULL);

    /* whole or cut, empty, to the peer */
    sos_fork(os, receives, sos_opt(.priority = 5), .udp = a, .name = "a", .size = 10, .count = 3,
             .from_port = b_at.port);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = b, .name = "1", .size = 5, .bytes = large);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = b, .name = "2", .size = 30, .bytes = large,
             .after = 3000);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = b, .name = "3", .bytes = large,
             .after = 6000);
    CHECK_INT(sos_run(os), SOS_OK);
    expect("1 5\n2 30\n3 OK\n", "a 5\na 10\na OK\n");

    /* only the peer is heard */
    sos_fork(os, receives, sos_opt(.priority = 5), .udp = b, .name = "b", .size = 64, .count = 1,
             .from_port = a_at.port);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = c, .name = "c", .size = 7, .to = b_at,
             .bytes = large);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = a, .name = "a", .size = 9, .to = b_at,
             .bytes = large, .after = 3000);
    CHECK_INT(sos_run(os), SOS_OK);
    expect("c 7\na 9\n", "b 9\n");

    /* what is refused */
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = a, .name = "nobody", .size = 9,
             .bytes = large);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = a, .name = "large", .size = 65536,
             .to = b_at, .bytes = large);
    sos_fork(os, sends, sos_opt(.priority = 5), .udp = a, .name = "too large", .size = 65520,
             .to = b_at, .bytes = large);
    CHECK_INT(sos_run(os), SOS_OK);
    expect("nobody EINVAL\nlarge ELIMIT\ntoo large ELIMIT\n", "");

    /* deadline, close */
    sos_fork(os, receives, sos_opt(.priority = 5), .udp = a, .name = "late", .size = 9,
             .within = 2000);
    CHECK_INT(sos_run(os), SOS_OK);
    expect("", "late ETIMEDOUT\n");
    sos_fork(os, receives, sos_opt(.priority = 5), .udp = a, .name = "closed", .size = 9);
    sos_fork(os, closes, sos_opt(.priority = 5), .udp = a, .after = 5000);
    CHECK_INT(sos_run(os), SOS_OK);
    expect("", "closed ECANCELED\n");
    sos_udp_close(b);
    sos_udp_close(c);
    sos_udp_close(NULL);
}

/* ---- Simulated */

static void sim_open(struct sos_kernel **kernel, sos **os, uint64_t seed)
{
    CHECK_INT(sos_sim_create(kernel, &(struct sos_sim_options){ .seed = seed }), SOS_OK);
    CHECK_INT(sos_create(os, NULL, *kernel), SOS_OK);
}

static void sim_close(struct sos_kernel *kernel, sos *os)
{
    CHECK_INT(sos_sim_descriptors(kernel), 0);
    sos_destroy(os);
    CHECK_INT(sos_sim_destroy(kernel), 0);
}

static void on_the_simulated_network(void)
{
    struct sos_kernel *kernel;
    sos *os;
    sim_open(&kernel, &os, 0);
    exchange(os);
    sim_close(kernel, os);
}

/* Late, out of order, lost: by seed, and the same again with the same seed. */
static void by_seed_they_are_late_and_lost(void)
{
    unsigned arrived = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char first[TRACE] = "";
        for (int round = 0; round < 2; round++) {
            struct sos_kernel *kernel;
            struct sos_address a_at, b_at;
            sos *os;
            sim_open(&kernel, &os, seed);
            CHECK_INT(
                sos_sim_set_route(kernel, NULL, 0,
                                  &(struct sos_sim_route){
                                      .loss_percent = 30,
                                      .stream = { .delay_min_us = 10, .delay_max_us = 5000 } }),
                SOS_OK);
            sos_udp *a = open_at(os, NULL, NULL, &a_at);
            sos_udp *b = open_at(os, "10.0.0.1", NULL, &b_at);
            sos_fork(os, receives, sos_opt(.priority = 5), .udp = b, .name = "r", .size = 64,
                     .count = 20, .within = 10000);
            for (size_t size = 1; size <= 20; size++)
                sos_fork(os, sends, sos_opt(.priority = 6), .udp = a, .name = "s", .size = size,
                         .to = b_at, .bytes = large);
            CHECK_INT(sos_run(os), SOS_OK);
            sos_udp_close(a);
            sos_udp_close(b);
            sim_close(kernel, os);
            if (round == 1)
                CHECK_TEXT(received, first);
            memcpy(first, received, sizeof first);
            for (const char *at = received; (at = strstr(at, "r ")) != NULL; at++)
                arrived += round == 0 && at[2] != 'E';
            sent[0] = received[0] = '\0';
        }
    }
    CHECK(arrived > 20 * 20 / 2 && arrived < 20 * 20 * 9 / 10);
}

static void every_failing_allocation_is_an_error(void)
{
    for (uint64_t n = 1;; n++) {
        struct sos_kernel *kernel;
        sos_udp *udp;
        sos *os;
        sim_open(&kernel, &os, 0);
        sos_sim_fail_allocation(kernel, n, false);
        uint64_t before = sos_sim_memory(kernel).allocations;
        int status = sos_udp_open(os, NULL, &udp);
        bool failed = sos_sim_memory(kernel).allocations >= before + n;
        CHECK_INT(status, failed ? SOS_ENOMEM : SOS_OK);
        sos_udp_close(udp);
        sim_close(kernel, os);
        if (!failed)
            break;
    }
}

/* ---- Real */

static void over_real_sockets(void)
{
    unix_open(&here, NULL);
    exchange(here.os);
    unix_close(&here);
}

int main(void)
{
    static void (*const tests[])(void) = { over_real_sockets };
    on_the_simulated_network();
    by_seed_they_are_late_and_lost();
    every_failing_allocation_is_an_error();
    unix_tests(tests, 1, false);
    return 0;
}
