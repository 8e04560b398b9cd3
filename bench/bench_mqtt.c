/* SPDX-License-Identifier: MIT */
/*
 * smallOS's side of the MQTT figures: publishing 64 bytes. The server listens on PORT.
 *
 *   qos0 PORT    one task, until the server has it all
 *   qos1 PORT    20 tasks, one message in flight each
 *   one PORT     one task at QoS 1, one message in flight
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smallos/mqtt.h"
#include "smallos/smallos.h"
#include "smallos/unix.h"

enum { MANY = 20, TIMES_0 = 1000000, TIMES_MANY = 10000, TIMES_ONE = 40000, SIZE = 64 };

static struct {
    uint16_t port;
    uint8_t qos;
    int tasks, times;
    int64_t start;
} bench;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

struct publisher {
    sos_frame frame;
    sos_mqtt *mqtt;
    int left;
};

static const struct sos_mqtt_message *message(void)
{
    static const char payload[SIZE] = "sixty-four bytes";
    static struct sos_mqtt_message made = { .topic = "bench", .payload = payload, .size = SIZE };
    made.qos = bench.qos;
    return &made;
}

static async_fn(publisher)
{
    async_begin(publisher);
    for (; self->left > 0; self->left--) {
        await(sos_mqtt_publish(task, self->mqtt, message(), NULL));
        check(sos_status(task) == SOS_OK, "publishing");
    }
    async_end;
}

struct driver {
    sos_frame frame;
    sos_mqtt *mqtt;
    int index;
    struct sos_scope scope;
};

static async_fn(driver)
{
    async_begin(driver);
    await(sos_mqtt_connect(task, &(struct sos_mqtt_options){ .port = bench.port, .version = 3 },
                           &self->mqtt, NULL));
    check(sos_status(task) == SOS_OK, "connecting");
    sos_scope_open(task, &self->scope);
    bench.start = now_ns();
    for (; self->index < bench.tasks; self->index++)
        async_spawn(publisher, sos_opt(), .mqtt = self->mqtt, .left = bench.times);
    await(sos_scope_join(task, &self->scope));
    check(sos_status(task) == SOS_OK, "the tasks");
    if (bench.qos == 0) /* the answer comes when the server has read all before it */
        await(sos_mqtt_ping(task, self->mqtt));
    check(sos_status(task) == SOS_OK, "ping");
    printf("mqtt %.1f /s\n",
           (double)bench.tasks * bench.times * 1e9 / (double)(now_ns() - bench.start));
    async_finally;
    sos_mqtt_close(self->mqtt);
    async_end;
}

static bool choose(const char *what)
{
    bench.qos = 1;
    bench.tasks = 1;
    bench.times = TIMES_ONE;
    if (strcmp(what, "qos0") == 0) {
        bench.qos = 0;
        bench.times = TIMES_0;
    } else if (strcmp(what, "qos1") == 0) {
        bench.tasks = MANY;
        bench.times = TIMES_MANY;
    }
    return bench.qos == 0 || bench.tasks == MANY || strcmp(what, "one") == 0;
}

int main(int argc, char **argv)
{
    struct sos_kernel *kernel;
    sos *os;
    if (argc != 3 || !choose(argv[1])) {
        fprintf(stderr, "usage: %s qos0|qos1|one PORT\n", argv[0]);
        return 2;
    }
    bench.port = (uint16_t)atoi(argv[2]);
    check(sos_unix_kernel_create(&kernel, NULL) == SOS_OK, "sos_unix_kernel_create");
    check(sos_create(&os, NULL, kernel) == SOS_OK, "sos_create");
    sos_fork(os, driver, sos_opt(.priority = 5));
    check(sos_run(os) == SOS_OK, "sos_run");
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return 0;
}
