/* SPDX-License-Identifier: MIT */
/*
 * A web server on the simulated network that follows a script, at 10.0.0.1, port 80, and clients that
 * make requests to it, one after the other. For tests of what servers may do and what they do wrong.
 */
#ifndef TESTS_SUPPORT_WEB_SCRIPT_H
#define TESTS_SUPPORT_WEB_SCRIPT_H

#include "smallos/http.h"
#include "smallos/stream.h"
#include "world.h"

enum { WEB_SCRIPT_MOST = 8 };

#define WEB_OK "HTTP/1.1 200 OK\r\n"
#define WEB_CHUNKED WEB_OK "Transfer-Encoding: chunked\r\n\r\n"

/* One answer for each request. */
struct web_answer {
    const char *before; /* comes first; NULL: nothing */
    const char *text;
    size_t size;   /* 0: up to its NUL */
    size_t repeat; /* `text` so many times; 0: once */
    bool closes;   /* the connection after it */
    bool early;    /* without waiting for a request */
    bool stalls;   /* reads nothing more after it */
};

struct web_script {
    struct web_answer answers[WEB_SCRIPT_MOST];
    int count, next; /* over all connections; the last one is repeated */
    int connections, requests;
    char seen[2048]; /* the last request's head */
};

/* How the last request of any client went. */
struct web_result {
    int status, code;
    size_t size;
    char body[256], why[128];
    size_t memory; /* most that the runtime had at the end of a request */
};

extern struct web_script web_script;
extern struct web_result web_result;
extern struct sos_listen web_door_at; /* where the server listens */
extern sos_http *web_shared;          /* of clients that share one */

/* A client; zero means default. */
struct web_client {
    sos_frame frame;
    sos_http *http;
    struct sos_http_options options; /* default: the base URL is the server's */
    struct sos_http_request request;
    struct sos_http_response response;
    int64_t within, pause; /* of a request: default 100 s; between two */
    int times;             /* default 1 */
};

/* A world with an empty script; the end of it, when nothing may be left. */
void web_open(const struct sos_sim_options *options);
void web_close(void);

/* Adds the server's task. */
void web_serve(void);

/* The server, and a client with a sos_http of its own; runs it, if wanted. */
sos_handle web_begin(struct web_client what);
void web_run(struct web_client what);

/* Clients that share one sos_http at once; 30 us away from the server. */
void web_run_many(struct web_client what, int count);

/* For the frames of clients of a test's own: notes how a request went. */
void web_note(const struct web_client *client, sos *os, int status);

/*
 * One request of `client`, answered by `answer`, in a world of its own: it ends in `status`, and
 * `text` is in the body, or in what is told of the error. A single answer also comes byte by byte,
 * and in sevens.
 */
void web_expect(struct web_answer answer, struct web_client client, int status, const char *text);

/* Writes an answer that is so many MiB of zeros, as gzip: its size. */
size_t web_bomb(char *to, size_t room, int mib);

#endif
