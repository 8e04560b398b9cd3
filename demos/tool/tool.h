/* SPDX-License-Identifier: MIT */
/*
 * What the tools among the demos (http, sse, websocket, redis, mqtt) share: options for TLS and time,
 * URLs, and a runtime with one task.
 *
 *     static const struct option options[] = { { "data", required_argument, NULL, 'd' },
 *                                              TOOL_OPTIONS, { NULL, 0, NULL, 0 } };
 *     while ((option = getopt_long(count, words, "d:", options, NULL)) != -1)
 *         if (option == 'd')
 *             ...
 *         else if (!tool_option(option, optarg))
 *             return tool_usage(usage);
 */
#ifndef DEMOS_TOOL_H
#define DEMOS_TOOL_H

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>

#include "smallos/smallos.h"

struct sos_tls_options;

enum {
    TOOL_CACERT = 256, /* above all characters */
    TOOL_CERT,
    TOOL_KEY,
    TOOL_INSECURE,
    TOOL_TIMEOUT,
    TOOL_OWN /* options of a tool that have no letter start here */
};

#define TOOL_OPTIONS                                                                               \
    { "cacert", required_argument, NULL, TOOL_CACERT },                                            \
        { "cert", required_argument, NULL, TOOL_CERT },                                            \
        { "key", required_argument, NULL, TOOL_KEY },                                              \
        { "insecure", no_argument, NULL, TOOL_INSECURE },                                          \
    {                                                                                              \
        "timeout", required_argument, NULL, TOOL_TIMEOUT                                           \
    }

#define TOOL_USAGE                                                                                 \
    "  --cacert FILE      trust the certificates in FILE instead of the system's\n"                \
    "  --cert FILE        show this certificate to the server\n"                                   \
    "  --key FILE         its key\n"                                                               \
    "  --insecure         do not check the server's certificate\n"                                 \
    "  --timeout SECONDS  give up after that time\n"

/* Takes one of TOOL_OPTIONS. False: it is none of them, or its argument is wrong. */
bool tool_option(int option, const char *argument);

/* Prints the usage to the standard error; 2, for main to return. */
int tool_usage(const char *usage);

/* What the options said: TLS, never NULL; time, SOS_FOREVER by default. */
const struct sos_tls_options *tool_tls(void);
int64_t tool_timeout(void);

/* Why TLS failed, in words; "" if it did not. */
const char *tool_tls_error(void);

/* "error text: why" to the standard error, `why` may be NULL or empty. 1, for main to return. */
int tool_fail(const char *tool, int status, const char *why);

/* ---- URLs: redis://user:password@host:port/path */

struct tool_url {
    const char *scheme, *host, *path; /* path: what follows the first /, perhaps "" */
    const char *user, *password;      /* decoded; NULL: not there */
    uint16_t port;                    /* 0: none was given */
};

/* Takes it apart; the texts stay until the program ends. False: it is none. */
bool tool_url(const char *text, struct tool_url *url);

/* ---- Running */

/* Runs the task until it ends, on a runtime of its own. What it returned: 0 or 1 for main to return,
 * as errors it tells itself; or why it could not run. */
int tool_run(const struct sos_start *start);

#endif
