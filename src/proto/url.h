/* SPDX-License-Identifier: MIT */
/*
 * URLs (RFC 3986) of the schemes that smallOS speaks, as bytes: taking them apart, percent-encoding,
 * queries, redirects, and paths of files. Strict: what is not a URL is refused, not mended.
 */
#ifndef SMALLOS_PROTO_URL_H
#define SMALLOS_PROTO_URL_H

#include "proto/sink.h"
#include "proto/slice.h"
#include "proto/syntax.h"

/* ---- Taking apart (url.c, url_host.c) */

enum sos_url_scheme_ {
    SOS_URL_HTTP_,
    SOS_URL_HTTPS_,
    SOS_URL_WS_,
    SOS_URL_WSS_,
    SOS_URL_REDIS_,
    SOS_URL_REDISS_,
    SOS_URL_MQTT_,
    SOS_URL_MQTTS_,
    SOS_URL_UNIX_ /* unix:/run/x.sock or unix:///run/x.sock: a path, and no host */
};

/*
 * The parts of a URL, as they stand in it: still percent-encoded. A part that is not there is empty;
 * where empty and absent differ, a has_... tells.
 */
struct sos_url_ {
    enum sos_url_scheme_ scheme;
    bool is_secure; /* https, wss, rediss, mqtts */
    bool is_ipv6;   /* host is what stood within the brackets, without the zone */
    bool has_user, has_password, has_port, has_query, has_fragment;
    uint16_t port; /* 1 to 65535; the scheme's own if none was given; 0 for unix */
    struct sos_slice_ user, password;
    struct sos_slice_ host; /* an IPv4 or IPv6 address or a name in ASCII; its case as it came */
    struct sos_slice_ zone; /* of an IPv6 address: what follows %25 (RFC 6874) */
    struct sos_slice_ path; /* empty or from its first / on */
    struct sos_slice_ query, fragment; /* without ? and # */

    struct sos_slice_ authority; /* user, host and port as they stood; empty for unix */
    struct sos_slice_ target;    /* path, and query with its ? */
};

/*
 * 0, or SOS_EPROTO with `error` (may be NULL) filled in: rule, and offset in the text. Refused are
 * unknown schemes, a missing or overlong host, names with an empty label, with an escape or with
 * anything but letters, digits, - . and _, numbers that look like an IPv4 address and are not in
 * its one form, port 0, and bytes outside a URL's. Names in other scripts come as xn-- ones.
 */
int sos_url_parse_(struct sos_url_ *url, struct sos_slice_ text, struct sos_syntax_error_ *error);

/* "http", and its port; 0 for unix. */
const char *sos_url_scheme_name_(enum sos_url_scheme_ scheme);
uint16_t sos_url_scheme_port_(enum sos_url_scheme_ scheme);

/* host or host:port, as in the Host field; with `needs_port` only the latter. No user. */
bool sos_url_is_host_port_(struct sos_slice_ text, bool needs_port);

/* A dotted quad without leading zeros; an IPv6 address without brackets and zone. */
bool sos_url_is_ipv4_(struct sos_slice_ text);
bool sos_url_is_ipv6_(struct sos_slice_ text);

/* A host name or an IPv4 address, as in a URL. */
bool sos_url_is_name_(struct sos_slice_ text);

/* What follows the host: "" or ":" and a port, which is 0 if there are no digits. */
bool sos_url_parse_port_(struct sos_slice_ text, uint16_t *port);

/*
 * All that follows writes into `to` and answers how many bytes, without a zero byte at the end, or
 * SOS_ELIMIT if `size` is too small.
 */

/* host[:port] for the Host field: brackets as needed, no zone, no port that the scheme implies. */
int sos_url_write_host_(const struct sos_url_ *url, char *to, size_t size);

/* ---- Percent-encoding (url_text.c; RFC 3986, 2) */

enum sos_url_part_ {
    SOS_URL_SEGMENT_, /* of a path: its / are encoded, too */
    SOS_URL_QUERY_    /* a key or a value of a query: all but unreserved bytes are encoded */
};

int sos_url_encode_(struct sos_slice_ text, enum sos_url_part_ part, char *to, size_t size);

/*
 * The bytes that were encoded; `to` may be text.at itself. `plus_is_space` for form data.
 * SOS_EPROTO: a % without two hexadecimal digits.
 */
int sos_url_decode_(struct sos_slice_ text, bool plus_is_space, char *to, size_t size);

/* ---- Queries (url_text.c) */

/* Adds "key=value", after "&" if it is not the first; sos_sink_end_ ends it. Keys may repeat. */
void sos_url_query_add_(struct sos_sink_ *query, struct sos_slice_ key, struct sos_slice_ value);
void sos_url_query_add_number_(struct sos_sink_ *query, struct sos_slice_ key, int64_t value);
void sos_url_query_add_bool_(struct sos_sink_ *query, struct sos_slice_ key, bool value);

/* Cuts a request target of the form /path?query; without ? `query` is { NULL, 0 }. */
void sos_url_split_target_(struct sos_slice_ target, struct sos_slice_ *path,
                           struct sos_slice_ *query);

/*
 * Takes the next pair off the front of a query, still encoded; a pair without = has an empty value,
 * empty pairs are passed over. False: there is none left.
 */
bool sos_url_query_next_(struct sos_slice_ *query, struct sos_slice_ *key,
                         struct sos_slice_ *value);

/* ---- Redirects (url_resolve.c; RFC 3986, 5) */

/*
 * The URL that `reference` (a Location) means, seen from `base`: a full URL, which sos_url_parse_
 * takes. SOS_EPROTO: it is none, or not of a scheme known here, or has control characters.
 * SOS_EINVAL: a unix URL is no base. What browsers let pass in a Location (space, quotes,
 * other scripts) is percent-encoded. User and password of the base stay only if the reference has
 * no authority of its own.
 */
int sos_url_resolve_(const struct sos_url_ *base, struct sos_slice_ reference, char *to,
                     size_t size);

/* ---- Paths of files (url_path.c) */

/*
 * The path of a request, decoded and with . and .. resolved: "/a/b", to be put behind the name of a
 * folder. It has no empty, . or .. segment, save that a / at the end stays. Refused with
 * SOS_EACCES: a .. that leads above the root, in whatever encoding. SOS_EPROTO: a bad escape,
 * no / at the start, an encoded / or \ or control character (two readers would not agree on them),
 * a \, and what is not UTF-8, which includes overlong forms. Escapes are decoded once: %252e is the
 * name "%2e". `size` of path.length is always enough.
 */
int sos_url_file_path_(struct sos_slice_ path, char *to, size_t size);

#endif
