/* SPDX-License-Identifier: MIT */
/*
 * smallOS's side of the HTTP figures: GET of a small file with keep-alive.
 *
 *   get URL TASKS REQUESTS [CACERT]   so many requests in all, by tasks with a connection each
 *   new URL TASKS REQUESTS [CACERT]   each request on a connection of its own
 *   cpu URL TASKS REQUESTS            the same: CPU time a request
 *   idle URL TASKS 0                  memory of a connection that is idle
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smallos/http.h"
#include "smallos/smallos.h"
#include "smallos/tls.h"
#include "smallos/unix.h"

static struct {
    const char *url;
    int tasks;
    long left, done;
    struct sos_event all; /* have a connection */
    const char *mode;
    const char *ca;
} bench;

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

struct getter {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
};

static async_fn(getter)
{
    async_begin(getter);
    while (bench.left-- > 0) {
        await(sos_http_get(task, self->http, bench.url, &self->response));
        check(sos_status(task) == SOS_OK && self->response.status == 200, "GET");
        bench.done++;
    }
    async_finally;
    sos_http_response_free(&self->response);
    async_end;
}

struct opener {
    sos_frame frame;
    sos_http *http;
    struct sos_http_response response;
};

static char unread[65536]; /* bodies that nobody looks at */

static async_fn(opener)
{
    async_begin(opener);
    await(sos_http_send(task, self->http,
                        &(struct sos_http_request){ .url = bench.url, .stream = true },
                        &self->response));
    check(sos_status(task) == SOS_OK && self->response.status == 200, "the first GET");
    if (++bench.done == bench.tasks)
        sos_event_set(&bench.all);
    await(sos_event_wait(task, &bench.all));
    do {
        await(sos_http_read(task, &self->response, unread, sizeof unread));
        check(sos_status(task) >= 0, "reading");
    } while (sos_status(task) != 0);
    async_finally;
    sos_http_response_free(&self->response);
    async_end;
}

/* ---- The driver: opens the connections, then measures */

struct driver {
    sos_frame frame;
    sos_http *http;
    struct sos_scope scope;
    int index;
    size_t memory;
    int64_t start, start_cpu;
};

static void open_client(struct driver *driver, sos *os)
{
    bool anew = strcmp(bench.mode, "new") == 0;
    const struct sos_tls_options tls = { .ca = { .file = bench.ca } };
    const struct sos_http_options options = { .max_idle = anew ? SOS_NONE : (uint32_t)bench.tasks,
                                              .no_compression = true,
                                              .tls = bench.ca != NULL ? &tls : NULL,
                                              .idle_us = SOS_SEC(600) };
    check(sos_http_open(os, &options, &driver->http) == SOS_OK, "sos_http_open");
    driver->memory = sos_memory(os).used;
}

static void report(const struct driver *driver, sos *os)
{
    double us = (double)(now_ns(CLOCK_MONOTONIC) - driver->start) / 1e3;
    double cpu = (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - driver->start_cpu) / 1e3;
    if (strcmp(bench.mode, "get") == 0 || strcmp(bench.mode, "new") == 0)
        printf("http %.1f /s\n", (double)bench.done * 1e6 / us);
    else if (strcmp(bench.mode, "cpu") == 0)
        printf("http %.3f us\n", cpu / (double)bench.done);
    else
        printf("http %.1f bytes\n", (double)(sos_memory(os).used - driver->memory) / bench.tasks);
}

static async_fn(driver)
{
    async_begin(driver);
    open_client(self, sos_of(task));
    sos_scope_open(task, &self->scope);
    for (self->index = 0; self->index < bench.tasks; self->index++) {
        async_spawn(opener, sos_opt(), .http = self->http);
        if (self->index % 100 == 99) /* no more at a time than a server's queue takes */
            await(sos_sleep(task, SOS_MS(5)));
    }
    await(sos_scope_join(task, &self->scope));
    check(sos_status(task) == SOS_OK, "the first requests");
    sos_scope_clear(task, &self->scope);
    bench.done = 0;
    self->start = now_ns(CLOCK_MONOTONIC);
    self->start_cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (self->index = 0; bench.left > 0 && self->index < bench.tasks; self->index++)
        async_spawn(getter, sos_opt(), .http = self->http);
    await(sos_scope_join(task, &self->scope));
    check(sos_status(task) == SOS_OK, "the tasks");
    report(self, sos_of(task));
    async_finally;
    sos_http_close(self->http);
    async_end;
}

int main(int argc, char **argv)
{
    struct sos_kernel *kernel;
    sos *os;
    if (argc < 5) {
        fprintf(stderr, "usage: %s get|new|cpu|idle URL CONNECTIONS REQUESTS [CACERT]\n", argv[0]);
        return 2;
    }
    bench.mode = argv[1];
    bench.url = argv[2];
    bench.tasks = atoi(argv[3]);
    bench.left = atol(argv[4]);
    bench.ca = argc > 5 ? argv[5] : NULL;
    sos_event_init(&bench.all, "all connected");
    const struct sos_config config = { .task_capacity = 2 * (uint32_t)bench.tasks + 16 };
    check(sos_unix_kernel_create(&kernel, NULL) == SOS_OK, "sos_unix_kernel_create");
    check(sos_create(&os, &config, kernel) == SOS_OK, "sos_create");
    sos_fork(os, driver, sos_opt(.priority = 5));
    check(sos_run(os) == SOS_OK, "sos_run");
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return 0;
}
