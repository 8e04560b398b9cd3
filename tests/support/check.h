/* SPDX-License-Identifier: MIT */
/*
 * Checks for tests, never compiled out: each ends the program with what was expected, what came,
 * and where. Compare numbers with CHECK_INT and texts (traces) with CHECK_TEXT, which print both
 * sides; CHECK is for what is simply true.
 */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, __func__, #condition);                                \
    } while (0)

#define CHECK_INT(actual, expected)                                                                \
    check_int(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))

#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, (actual), (expected))

static inline void check_failed(const char *file, int line, const char *function, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: not true: %s\n", file, line, function, what);
    abort();
}

static inline void check_int(const char *file, int line, const char *what, long long actual,
                             long long expected)
{
    if (actual == expected)
        return;
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, what, actual, expected);
    abort();
}

/* Both texts are printed whole, and the first line in which they differ. */
static inline void check_text(const char *file, int line, const char *what, const char *actual,
                              const char *expected)
{
    if (strcmp(actual, expected) == 0)
        return;
    int at = 1;
    for (const char *a = actual, *b = expected; *a == *b; a++, b++)
        at += *a == '\n';
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s differs in its line %d\n--- expected\n%s\n--- actual\n%s\n---\n",
            file, line, what, at, expected, actual);
    abort();
}

#endif
