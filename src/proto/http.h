/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 as bytes: heads, bodies and what is sent (RFC 9110 and RFC 9112).
 *
 * A message is read in two parts. sos_http_head_parse_ reads the head where it lies, in the
 * receive buffer of its user; sos_http_frame_ says how the body is delimited; struct
 * sos_http_body_ cuts it out of the bytes after the head. What one message does not take, belongs
 * to the next.
 *
 * Reading is strict, because two programs that read one message differently can be played off
 * against each other: every line ends in CR LF, nothing is folded, nothing stands before a colon,
 * and a length that is said twice is said the same way.
 */
#ifndef SMALLOS_PROTO_HTTP_H
#define SMALLOS_PROTO_HTTP_H

#include "proto/sink.h"
#include "proto/slice.h"
#include "proto/syntax.h"

/* ---- Heads (http_head.c, http_line.c) */

/* Name and value of a header field; the value without white space around it, perhaps empty. */
struct sos_http_field_ {
    struct sos_slice_ name, value;
};

enum sos_http_kind_ { SOS_HTTP_RESPONSE_, SOS_HTTP_REQUEST_ };

/* The forms of a request target (RFC 9112, 3.2): "/x?y", "http://host/x", "host:port", "*". */
enum sos_http_form_ {
    SOS_HTTP_ORIGIN_,
    SOS_HTTP_ABSOLUTE_,
    SOS_HTTP_AUTHORITY_,
    SOS_HTTP_ASTERISK_
};

enum { SOS_HTTP_LINE_DEFAULT_ = 16384, SOS_HTTP_HEAD_DEFAULT_ = 65536 };

/*
 * A head that is being read, then what it said. Set `kind`, `fields` and `field_capacity`, the
 * limits if the defaults do not fit, and everything else to zero. All slices lie in the bytes that
 * were given last, and hold only when the head is complete.
 *
 * Invariant while it is incomplete: the lines in front of `line` are complete and were read; there
 * is no line end between `line` and `looked`.
 */
struct sos_http_head_ {
    enum sos_http_kind_ kind;
    struct sos_http_field_ *fields;
    size_t field_capacity;     /* one field more gives SOS_ELIMIT */
    size_t max_line, max_head; /* bytes with the line end; 0: SOS_HTTP_..._DEFAULT_ */

    size_t length; /* of the head, with the empty line that ends it */
    int minor;     /* of the version: 1 for HTTP/1.1 (and for later 1.x), or 0 */
    int status;    /* of a response, 100 to 999 */
    struct sos_slice_ reason, method, target;
    enum sos_http_form_ form;
    size_t field_count;

    uint64_t content_length; /* if has_length */
    bool has_length;
    bool is_chunked;   /* the last transfer coding is chunked */
    bool other_coding; /* there is another transfer coding, too: nothing here undoes it */
    bool says_close, says_keep_alive, says_upgrade; /* in Connection */
    bool has_host;

    struct sos_syntax_error_ error; /* offset from the start of the head */
    int answer; /* what a server says to a head that failed: 400, 414, 431, ... */

    int failed; /* the error that is answered from now on; 0: none */
    size_t line, looked;
    uintptr_t base; /* where the bytes lay in the last call */
    bool has_start_line, is_complete;
};

/*
 * Reads the head at the start of `bytes`, of which `length` are there now. Positive: the length of
 * the head, which is complete. SOS_PARTIAL_: more is needed; call again with the same bytes and
 * what has come behind them. SOS_EPROTO, SOS_ELIMIT: see `error`. Bytes already read are not read
 * again while `bytes` stays where it is; in a buffer that has moved, reading starts over.
 *
 * One empty line in front of a request is skipped (RFC 9112, 2.2). A response may leave out the
 * space after its status when it has no reason.
 */
int sos_http_head_parse_(struct sos_http_head_ *head, const char *bytes, size_t length);

/* Forgets everything but what the user set: for the next message. */
void sos_http_head_reset_(struct sos_http_head_ *head);

/* The first field of that name, whatever its case; the one after `after`. NULL: none. */
const struct sos_http_field_ *sos_http_find_(const struct sos_http_head_ *head, const char *name);
const struct sos_http_field_ *sos_http_find_next_(const struct sos_http_head_ *head,
                                                  const char *name,
                                                  const struct sos_http_field_ *after);

/* The value of the first field of that name; { NULL, 0 }: there is none. */
struct sos_slice_ sos_http_value_(const struct sos_http_head_ *head, const char *name);

/*
 * Takes the next element off the front of a comma-separated list (RFC 9110, 5.6.1), without white
 * space around it; empty ones are passed over, a comma in a quoted string does not separate.
 * False: there is none left.
 */
bool sos_http_list_next_(struct sos_slice_ *list, struct sos_slice_ *element);

/* Whether `token` is an element of any field of that name, whatever its case. */
bool sos_http_has_token_(const struct sos_http_head_ *head, const char *name, const char *token);

/* 1*DIGIT and nothing else: 0, SOS_EPROTO, or SOS_ELIMIT from 2^63 on (RFC 9110, 8.6). */
int sos_http_parse_length_(struct sos_slice_ text, uint64_t *length);

/* ---- How the body is delimited (http_body.c) */

enum sos_http_framing_ {
    SOS_HTTP_NO_BODY_,
    SOS_HTTP_LENGTH_,
    SOS_HTTP_CHUNKED_,
    SOS_HTTP_UNTIL_CLOSE_
};

/*
 * RFC 9112, 6.3, for a head that is complete. `method`: of the request that a response answers; it
 * decides for HEAD and CONNECT. A response with status 101, and one with 2xx to CONNECT, has no body:
 * what follows is not HTTP any more.
 */
enum sos_http_framing_ sos_http_frame_(const struct sos_http_head_ *head, struct sos_slice_ method);

/* Whether another message may follow on the connection when this one is over (RFC 9112, 9.3). */
bool sos_http_keeps_alive_(const struct sos_http_head_ *head, enum sos_http_framing_ framing);

/* ---- Bodies (http_body.c) */

enum { SOS_HTTP_CHUNK_LINE_DEFAULT_ = 4096, SOS_HTTP_TRAILER_DEFAULT_ = 16384 };

/*
 * A body that is being read. Set it to zero, then what differs from the defaults, and call
 * sos_http_body_begin_. Trailer fields are kept only if there is room for them: in `fields`, whose
 * slices lie in `trailer`; with `trailer` NULL they are checked and dropped.
 */
struct sos_http_body_ {
    uint64_t max_size;  /* of the data; 0: unlimited */
    size_t max_line;    /* a chunk's size and extensions; 0: SOS_HTTP_CHUNK_LINE_DEFAULT_ */
    size_t max_trailer; /* all trailer fields; 0: SOS_HTTP_TRAILER_DEFAULT_ */
    char *trailer;      /* room for what max_trailer allows, or for trailer_size */
    size_t trailer_size;
    struct sos_http_field_ *fields;
    size_t field_capacity;

    size_t field_count;
    uint64_t size; /* of the data, so far */
    struct sos_syntax_error_ error;

    int failed;
    enum sos_http_framing_ framing;
    unsigned state;
    uint64_t left;     /* bytes of this chunk, or of the body */
    uint64_t taken;    /* in all calls */
    uint64_t overhead; /* chunk lines that were far longer than their data deserved */
    size_t line;       /* bytes of this line; of the trailer */
    size_t digits, used, name_length, value_at;
};

enum sos_http_body_event_ {
    SOS_HTTP_DATA_ = 1, /* `data` holds the next bytes of the body, never none */
    SOS_HTTP_END_       /* the body is over; what was not taken belongs to the next message */
};

/* SOS_ELIMIT if `length` (for SOS_HTTP_LENGTH_) is beyond max_size already. */
int sos_http_body_begin_(struct sos_http_body_ *body, enum sos_http_framing_ framing,
                         uint64_t length);

/*
 * Reads on in `bytes`: SOS_HTTP_DATA_, SOS_HTTP_END_ (from then on always), SOS_PARTIAL_, or an
 * error. `*taken` is how many of the bytes were used up by this call; with SOS_PARTIAL_ it is all
 * of them. `data` lies in `bytes`: nothing is copied.
 *
 * Chunk extensions are dropped. SOS_ELIMIT if chunk lines together are much longer than the data,
 * which only an attacker sends.
 */
int sos_http_body_next_(struct sos_http_body_ *body, const char *bytes, size_t length,
                        size_t *taken, struct sos_slice_ *data);

/* The stream has ended: SOS_HTTP_END_ if the body was complete or lasts until then, else SOS_EPROTO. */
int sos_http_body_close_(struct sos_http_body_ *body);

/* ---- Writing (http_write.c) */

/*
 * Text into a buffer. Errors show in what sos_http_write_end_ answers, which for a chunk line is
 * sos_http_write_length_. SOS_EINVAL: what was to be written would not be read as one thing again;
 * `rule` is the first rule broken. SOS_ELIMIT: the buffer is too small. What is in the buffer after
 * an error must not be sent.
 */
struct sos_http_writer_ {
    struct sos_sink_ out;
    const char *rule; /* static; NULL: none was broken */
};

struct sos_http_writer_ sos_http_writer_(char *buffer, size_t size);

/* "METHOD target HTTP/1.1"; the target in any of its forms, already percent-encoded. */
void sos_http_write_request_(struct sos_http_writer_ *writer, struct sos_slice_ method,
                             struct sos_slice_ target);

/* "HTTP/1.1 status reason"; status from 100 to 999. The reason of the registry if `reason.at` is NULL. */
void sos_http_write_status_(struct sos_http_writer_ *writer, int status, struct sos_slice_ reason);

/* "name: value". White space at both ends of the value is refused, for nobody would read it. */
void sos_http_write_field_(struct sos_http_writer_ *writer, struct sos_slice_ name,
                           struct sos_slice_ value);
void sos_http_write_number_(struct sos_http_writer_ *writer, struct sos_slice_ name,
                            uint64_t value);

/* The empty line after the fields: bytes in the buffer, or the error. */
int sos_http_write_end_(struct sos_http_writer_ *writer);

/* Bytes in the buffer so far, or the error. */
int sos_http_write_length_(const struct sos_http_writer_ *writer);

/* The line in front of a chunk of `length` bytes, which must be more than 0 (SOS_EINVAL), since
 * 0 would end the body. The bytes of the chunk and CR LF follow. */
void sos_http_write_chunk_(struct sos_http_writer_ *writer, uint64_t length);

/* The last chunk; trailer fields and sos_http_write_end_ follow. */
void sos_http_write_last_chunk_(struct sos_http_writer_ *writer);

/* The reason phrase of RFC 9110 for a status, "" for one that has none. Static. */
const char *sos_http_reason_(int status);

/* ---- Shared by the .c files of HTTP */

/* Notes the first error of a head: `rule`, the offset, what a server answers. Returns `error`. */
int sos_http_head_refuse_(struct sos_http_head_ *head, int error, int answer, size_t at,
                          const char *rule);

/* The first line, without its end; `at` is its offset. 0, or the error noted. */
int sos_http_start_line_(struct sos_http_head_ *head, struct sos_slice_ line, size_t at);

/* Which form the target has for the method; -1 if none. `*bad`: the offset of the first bad byte. */
int sos_http_target_form_(struct sos_slice_ method, struct sos_slice_ target, size_t *bad);

#endif
