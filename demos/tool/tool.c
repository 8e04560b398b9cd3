/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#include "smallos/tls.h"
#include "smallos/unix.h"

static char tls_text[SOS_TLS_TEXT];
static struct sos_tls_options tls = { .error_text = tls_text, .error_text_size = sizeof tls_text };

static int64_t timeout = SOS_FOREVER;

/* ---- Options */

static bool take_timeout(const char *argument)
{
    char *end;
    double seconds = strtod(argument, &end);
    if (end == argument || *end != '\0' || !(seconds > 0 && seconds < 1e9))
        return false;
    timeout = (int64_t)(seconds * 1e6);
    return true;
}

bool tool_option(int option, const char *argument)
{
    switch (option) {
    case TOOL_TIMEOUT:
        return take_timeout(argument);
    case TOOL_CACERT:
        tls.ca.file = argument;
        return true;
    case TOOL_CERT:
        tls.certificate.file = argument;
        return true;
    case TOOL_KEY:
        tls.key.file = argument;
        return true;
    case TOOL_INSECURE:
        tls.insecure = true;
        return true;
    default:
        return false;
    }
}

int tool_usage(const char *usage)
{
    fputs(usage, stderr);
    return 2;
}

const struct sos_tls_options *tool_tls(void)
{
    return &tls;
}

const char *tool_tls_error(void)
{
    return tls_text;
}

int64_t tool_timeout(void)
{
    return timeout;
}

int tool_fail(const char *tool, int status, const char *why)
{
    bool more = why != NULL && *why != '\0';
    fflush(stdout);
    fprintf(stderr, "%s: %s%s%s\n", tool, sos_error_text(status), more ? ": " : "",
            more ? why : "");
    return 1;
}

/* ---- URLs */

static int digit(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c != '\0' && at != NULL && at - digits > 9 ? (int)(at - digits) : -1;
}

/* In place. False: a % without two digits, or a byte that no text may have. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        int high = *at == '%' ? digit(at[1]) : 0, low = *at == '%' && high >= 0 ? digit(at[2]) : 0;
        if (high < 0 || low < 0 || (*at == '%' && high == 0 && low == 0))
            return false;
        char byte = *at;
        if (byte == '%')
            byte = (char)((high << 4 | low) & 0xFF);
        *to++ = byte;
        at += *at == '%' ? 2 : 0;
    }
    *to = '\0';
    return true;
}

static bool read_user(char *text, struct tool_url *url)
{
    char *colon = strchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
    url->user = text;
    url->password = colon != NULL ? colon + 1 : NULL;
    return decode(text) && (colon == NULL || decode(colon + 1));
}

static bool read_port(const char *text, struct tool_url *url)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    url->port = (uint16_t)port;
    return *text >= '0' && *text <= '9' && *end == '\0' && port > 0 && port <= UINT16_MAX;
}

static bool read_host(char *text, struct tool_url *url)
{
    char *close = *text == '[' ? strchr(text, ']') : NULL;
    char *colon = strchr(close != NULL ? close : text, ':');
    if (colon != NULL && (close == NULL || colon == close + 1))
        *colon = '\0';
    url->host = close != NULL ? text + 1 : text;
    if (close != NULL)
        *close = '\0';
    return *url->host != '\0' && (colon == NULL || read_port(colon + 1, url));
}

bool tool_url(const char *text, struct tool_url *url)
{
    *url = (struct tool_url){ .path = "" };
    char *copy = malloc(strlen(text) + 1);
    if (copy == NULL)
        return false;
    strcpy(copy, text);
    char *host = strstr(copy, "://");
    if (host == NULL || host == copy)
        return false;
    *host = '\0';
    host += 3;
    url->scheme = copy;
    char *path = strpbrk(host, "/?#");
    if (path != NULL) {
        url->path = path + 1;
        *path = '\0';
    }
    char *at = strrchr(host, '@');
    if (at != NULL)
        *at = '\0';
    return (at == NULL || read_user(host, url)) && read_host(at != NULL ? at + 1 : host, url);
}

/* ---- Running */

int tool_run(const struct sos_start *start)
{
    struct sos_kernel *kernel = NULL;
    sos_handle task = { 0, 0 };
    sos *os = NULL;
    int status = sos_unix_kernel_create(&kernel, NULL), result = SOS_OK;
    if (status == SOS_OK)
        status = sos_create(&os, NULL, kernel);
    if (status == SOS_OK)
        status = sos_fork_list(os, start, 1, &task);
    if (status == SOS_OK)
        status = sos_run(os);
    if (status == SOS_OK)
        status = sos_result(os, task, &result);
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return status != SOS_OK ? status : result;
}
