#!/bin/sh
# SPDX-License-Identifier: MIT
# http_server.sh PORT: nginx in one process for the figures of HTTP, with a file of 1 KB, on PORT and,
# with TLS, on PORT + 1. Its folder, /tmp/smallos-http-PORT, is removed when it ends; cert.pem there
# is its certificate.
set -eu
folder=/tmp/smallos-http-$1
mkdir -p "$folder"
head -c 1024 /dev/zero | tr '\0' x >"$folder/1k"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
cat >"$folder/configuration" <<CONFIGURATION
daemon off; master_process off; pid $folder/pid; error_log $folder/errors;
worker_rlimit_nofile 19000;
events { worker_connections 15000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; open_file_cache max=10;
  client_body_temp_path $folder/body; proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi; uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
  ssl_certificate $folder/cert.pem; ssl_certificate_key $folder/key.pem; ssl_protocols TLSv1.3;
  server { listen 127.0.0.1:$(($1 + 1)) ssl backlog=4096; root $folder; }
  server { listen 127.0.0.1:$1 backlog=4096; root $folder; }
}
CONFIGURATION
/usr/sbin/nginx -c "$folder/configuration" -e "$folder/errors" &
trap 'kill $!; wait $!; rm -rf "$folder"' TERM INT
wait $!
