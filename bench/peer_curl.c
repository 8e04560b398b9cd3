/* SPDX-License-Identifier: MIT */
/*
 * The libcurl peer: its multi interface, with its own loop.
 *
 *   get URL TRANSFERS REQUESTS [CACERT]   so many requests in all, so many at a time
 *   new URL TRANSFERS REQUESTS [CACERT]   each on a connection of its own
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long left, wanted, done;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static void add(CURLM *multi, CURL *easy)
{
    check(curl_multi_add_handle(multi, easy) == CURLM_OK, "adding a transfer");
}

static void finish(CURLM *multi, const CURLMsg *message)
{
    CURL *easy = message->easy_handle;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    check(message->data.result == CURLE_OK && status == 200, "GET");
    done++;
    curl_multi_remove_handle(multi, easy);
    if (left > 0) {
        left--;
        add(multi, easy);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s get|new URL TRANSFERS REQUESTS [CACERT]\n", argv[0]);
        return 2;
    }
    int tasks = atoi(argv[3]);
    left = wanted = atol(argv[4]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    CURL **handles = calloc((size_t)tasks, sizeof *handles);
    check(multi != NULL && handles != NULL, "curl_multi_init");
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)tasks);
    int64_t start = now_ns();
    for (int i = 0; i < tasks && left > 0; i++, left--) {
        handles[i] = curl_easy_init();
        curl_easy_setopt(handles[i], CURLOPT_URL, argv[2]);
        curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(handles[i], CURLOPT_FORBID_REUSE, strcmp(argv[1], "new") == 0 ? 1L : 0L);
        if (argc > 5)
            curl_easy_setopt(handles[i], CURLOPT_CAINFO, argv[5]);
        add(multi, handles[i]);
    }
    while (done < wanted) {
        int running, queued;
        CURLMsg *message;
        check(curl_multi_perform(multi, &running) == CURLM_OK, "curl_multi_perform");
        bool went_on = false;
        while ((message = curl_multi_info_read(multi, &queued)) != NULL) {
            finish(multi, message);
            went_on = true;
        }
        if (!went_on)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("http %.1f /s\n", (double)done * 1e9 / (double)(now_ns() - start));
    for (int i = 0; i < tasks; i++)
        curl_easy_cleanup(handles[i]);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    free(handles);
    return 0;
}
