/* SPDX-License-Identifier: MIT */
#include "nginx.h"

#include <sys/stat.h>

#include "check.h"

#define SEEN "\"$request_method $request_uri|$http_authorization|$http_cookie|$content_type\""

static const char before[] =
    "daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;\n"
    "events { worker_connections 1024; }\n"
    "http {\n"
    "  access_log off; default_type text/plain; client_max_body_size 64m;\n"
    "  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
    "  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;\n"
    "  scgi_temp_path {folder}/scgi; keepalive_requests 1000000; absolute_redirect off;\n"
    "  server {\n"
    "    listen 127.0.0.1:{port} %s; root {folder};\n"
    "    location = /hello { return 200 hello; }\n"
    "    location = /seen { return 200 " SEEN "; }\n"
    "    location = /status/404 { return 404 gone; }\n"
    "    location = /status/204 { return 204; }\n"
    "    location = /chunked { ssi on; ssi_types *; alias {folder}/big; }\n"
    "    location = /gzip { gzip on; gzip_types *; alias {folder}/big; }\n"
    "    location /files/ { dav_methods PUT DELETE; }\n"
    "    location = /secret { auth_basic x; auth_basic_user_file {folder}/users;\n"
    "                         alias {folder}/greeting; }\n"
    "    location = /moved/301 { return 301 /seen; }\n"
    "    location = /moved/302 { return 302 /seen; }\n"
    "    location = /moved/303 { return 303 /seen; }\n"
    "    location = /moved/307 { return 307 /seen; }\n"
    "    location = /moved/308 { return 308 /seen; }\n"
    "    location = /moved/far { return 302 http://localhost:{port}/seen; }\n"
    "    location = /json { default_type application/json; return 200 '{\"a\":[1,true]}'; }\n"
    "    location = /line { return 200 \"$request|$host|$http_proxy_authorization\"; }\n"
    "    location = /moved/line { return 302 http://localhost:{port}/line; }\n"
    "    location = /loop { return 302 /loop; }\n"
    "    location = /once { keepalive_timeout 0; return 200 once; }\n";

static void write_big(const struct server *server)
{
    char path[128];
    snprintf(path, sizeof path, "%s/big", server->folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    for (size_t at = 0; at < NGINX_BIG; at++)
        putc(nginx_byte(at), file);
    fclose(file);
}

bool nginx_start(struct server *server, const char *listen, const char *extra)
{
    static char configuration[32768];
    int length = snprintf(configuration, sizeof configuration, before, listen);
    snprintf(configuration + length, sizeof configuration - (size_t)length, "%s}}\n", extra);
    server_prepare(server);
    server_file(server, "configuration", configuration);
    server_file(server, "users", "ann:{PLAIN}open sesame\n");
    server_file(server, "greeting", "welcome");
    write_big(server);
    char folder[128];
    snprintf(folder, sizeof folder, "%s/files", server->folder);
    CHECK(mkdir(folder, 0777) == 0 && chmod(folder, 0777) == 0);
    return server_start(server,
                        (const char *const[]){ "/usr/sbin/nginx", "-c", "{folder}/configuration",
                                               "-e", "{folder}/errors", NULL });
}
