/* SPDX-License-Identifier: MIT */
/*
 * The runtime demo, what `make run` starts: some thirty tasks at once on one thread. Workers of
 * different priority, tasks that join, signal, time out and kill each other, an HTTP request beside
 * other work, and an echo server with its clients over TCP. It ends by itself, with a table of what every task has used.
 *
 * With --seed the same program runs on the simulation kernel: virtual time, a simulated
 * network instead of sockets, and the same story every time.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smallos/config.h"
#include "smallos/sim.h"
#include "smallos/unix.h"

struct demo demo;

/* ---- What the parts use */

double ms(uint64_t us)
{
    return (double)us / 1000;
}

void say(sos_task *task, const char *format, ...)
{
    char line[200];
    va_list arguments;
    int at = snprintf(line, sizeof line, "%8.1f ms  %-16s ", ms(sos_now(demo.os) - demo.start),
                      sos_name(task));
    va_start(arguments, format);
    at += vsnprintf(line + at, sizeof line - (size_t)at, format, arguments);
    va_end(arguments);
    if (at > (int)sizeof line - 2)
        at = (int)sizeof line - 2;
    line[at] = '\n';
    sos_print_bytes(demo.os, line, (size_t)at + 1);
}

void expect(sos_task *task, bool condition, const char *what)
{
    if (condition)
        return;
    demo.mistakes++;
    say(task, "MISTAKE, this should be so: %s", what);
}

void work(uint32_t us)
{
    uint64_t end = sos_now(demo.os) + us;
    if (demo.simulated)
        sos_sim_spend(demo.kernel, us);
    while (sos_now(demo.os) < end)
        continue;
}

uint32_t chance(uint32_t limit)
{
    uint32_t number = 0;
    demo.kernel->entropy(demo.kernel, &number, sizeof number);
    return number % limit;
}

uint8_t priority(int wanted)
{
    int last = (int)sos_configuration(demo.os)->priority_levels - 1;
    return (uint8_t)(wanted < last ? wanted : last);
}

/* ---- SIGINT and SIGTERM end the run early, with everybody's cleanup. */

enum { INTERRUPTED = 1, TERMINATED = 2 };

struct warden {
    sos_frame frame;
};

static async_fn(warden)
{
    async_begin(warden);
    try_await(sos_wait_signals(task, 1u << INTERRUPTED | 1u << TERMINATED));
    demo.stopped_by = sos_status(task) == INTERRUPTED ? SIGINT : SIGTERM;
    say(task, "%s: everybody cleans up and ends", strsignal(demo.stopped_by));
    sos_stop(sos_of(task));
    async_end;
}

static int start_warden(void)
{
    if (demo.simulated)
        return SOS_OK;
    sos_handle added = sos_fork(demo.os, warden,
                                sos_opt(.priority = 1, .watcher = true, .external = true));
    if (added.pid < 0)
        return added.pid;
    int error = sos_unix_signal(demo.kernel, demo.os, SIGINT, added, INTERRUPTED);
    return error != 0 ? error : sos_unix_signal(demo.kernel, demo.os, SIGTERM, added, TERMINATED);
}

/* ---- Options */

struct wishes {
    bool simulated;
    unsigned long long seed;
    enum sos_unix_backend backend;
    const char *config;
};

static int usage(FILE *to, int status)
{
    fputs("usage: runtime [--seed N] [--kernel uring|epoll|poll] [--config FILE] [--help]\n"
          "\n"
          "  --seed N        on the simulation kernel: virtual time, no sockets, and for the same\n"
          "                  number the same run\n"
          "  --kernel NAME   how readiness is learnt; default: the best this system allows\n"
          "  --config FILE   default: smallos.config.json if there is one\n",
          to);
    return status;
}

static bool number_of(const char *text, unsigned long long *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool backend_of(const char *text, enum sos_unix_backend *backend)
{
    static const char *const names[] = { NULL, "uring", "epoll", "poll" };
    for (unsigned index = SOS_UNIX_URING; index <= SOS_UNIX_POLL; index++)
        if (strcmp(text, names[index]) == 0) {
            *backend = (enum sos_unix_backend)index;
            return true;
        }
    return false;
}

static int refuse(const char *option, const char *value)
{
    fprintf(stderr, "runtime: bad value for %s: %s\n", option, value);
    return usage(stderr, 2);
}

/* -1: go on; else the exit status. */
static int read_options(int count, char **words, struct wishes *wishes)
{
    static const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                             { "kernel", required_argument, NULL, 'k' },
                                             { "config", required_argument, NULL, 'c' },
                                             { "help", no_argument, NULL, 'h' },
                                             { NULL, 0, NULL, 0 } };
    int option;
    while ((option = getopt_long(count, words, "h", options, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout, 0);
        if (option == 's' && !number_of(optarg, &wishes->seed))
            return refuse("--seed", optarg);
        if (option == 'k' && !backend_of(optarg, &wishes->backend))
            return refuse("--kernel", optarg);
        if (option == '?')
            return usage(stderr, 2);
        wishes->simulated |= option == 's';
        if (option == 'c')
            wishes->config = optarg;
    }
    if (optind < count)
        return refuse("an option", words[optind]);
    if (wishes->simulated && wishes->backend != SOS_UNIX_AUTO)
        return refuse("--kernel", "--seed chooses the simulation kernel");
    return -1;
}

/* ---- The run */

static const char default_config[] = "smallos.config.json";

static bool read_config(const char *path, struct sos_config *config)
{
    struct sos_config_error error;
    if (path == NULL && access(default_config, F_OK) != 0)
        return true;
    if (sos_config_load(config, path != NULL ? path : default_config, &error) == SOS_OK)
        return true;
    fprintf(stderr, "runtime: %s\n", error.text);
    return false;
}

static int make_kernel(const struct wishes *wishes)
{
    struct sos_unix_options real = { .backend = wishes->backend };
    struct sos_sim_options simulated = { .seed = wishes->seed, .step_us = 1 };
    struct sos_sim_route route = { .stream = { .delay_min_us = 200, .delay_max_us = 3000 } };
    if (!wishes->simulated)
        return sos_unix_kernel_create(&demo.kernel, &real);
    int error = sos_sim_create(&demo.kernel, &simulated);
    return error != 0 ? error : sos_sim_set_route(demo.kernel, NULL, 0, &route);
}

static void destroy_kernel(void)
{
    if (demo.simulated)
        sos_sim_destroy(demo.kernel);
    else
        sos_unix_kernel_destroy(demo.kernel);
}

static void greet(const struct wishes *wishes)
{
    const struct sos_config *config = sos_configuration(demo.os);
    if (demo.simulated)
        printf("smallOS " SOS_VERSION " in a simulation, seed %llu", wishes->seed);
    else
        printf("smallOS " SOS_VERSION " on unix (%s)", sos_unix_backend(demo.kernel));
    printf(", %u priority levels, room for %u tasks\n", (unsigned)config->priority_levels,
           (unsigned)config->task_capacity);
}

static int start_all(void)
{
    int error = sos_accounting(demo.os, true);
    if (error == 0)
        error = start_warden();
    if (error == 0)
        error = start_workers();
    if (error == 0)
        error = start_families();
    if (error == 0)
        error = start_web();
    return error != 0 ? error : start_echo();
}

/* Returns the exit status. */
static int run(void)
{
    int error = start_all();
    if (error != 0) {
        fprintf(stderr, "runtime: cannot start: %s\n", sos_error_text(error));
        return 1;
    }
    puts("");
    fflush(stdout);
    int status = sos_run(demo.os);
    summary_print();
    if (status == SOS_ECANCELED && demo.stopped_by != 0)
        return 0;
    if (status != SOS_OK)
        fprintf(stderr, "runtime: %s\n", sos_error_text(status));
    if (demo.mistakes != 0)
        fprintf(stderr, "runtime: %d mistakes, see above\n", demo.mistakes);
    return status == SOS_OK && demo.mistakes == 0 ? 0 : 1;
}

int main(int count, char **words)
{
    struct wishes wishes = { 0 };
    struct sos_config config = { 0 };
    int status = read_options(count, words, &wishes);
    if (status >= 0)
        return status;
    if (!read_config(wishes.config, &config))
        return 1;
    demo.simulated = wishes.simulated;
    int error = make_kernel(&wishes);
    if (error == 0)
        error = sos_create(&demo.os, &config, demo.kernel);
    if (error != 0) {
        fprintf(stderr, "runtime: cannot start: %s\n", sos_error_text(error));
        status = 1;
    } else {
        demo.start = sos_now(demo.os);
        greet(&wishes);
        status = run();
    }
    sos_destroy(demo.os);
    destroy_kernel();
    return status;
}
