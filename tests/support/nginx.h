/* SPDX-License-Identifier: MIT */
/*
 * nginx for tests, in one process on a free loopback port. Beside files in its folder it has:
 *
 *     /hello            "hello"            /status/404, /status/204
 *     /big              1 MiB of a pattern, nginx_byte(at)
 *     /chunked          the same in chunks, /gzip the same as gzip if that is accepted
 *     /json             {"a":[1,true]}
 *     /files/...        PUT, GET, DELETE
 *     /secret           behind basic authentication: ann, "open sesame"
 *     /moved/301 ...    redirects to /seen with that status; /moved/far to another name of itself
 *     /loop             redirects to itself
 *     /seen             "METHOD URI|authorization|cookie|content type" of the request
 *     /line             "request line|host|proxy authorization"
 *     /once             closes the connection after its answer, without saying so beforehand
 */
#ifndef TESTS_SUPPORT_NGINX_H
#define TESTS_SUPPORT_NGINX_H

#include "server.h"

enum { NGINX_BIG = 1 << 20 };

static inline char nginx_byte(size_t at)
{
    return (char)('a' + (at / 64 + at) % 26);
}

/* False: nginx is not installed. `listen`: options of listening, "ssl". `extra` goes into the server
 * block, with {port} and {folder}. */
bool nginx_start(struct server *server, const char *listen, const char *extra);

#endif
