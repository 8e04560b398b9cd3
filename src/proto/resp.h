/* SPDX-License-Identifier: MIT */
/*
 * The protocol of Redis, RESP2 and RESP3 (the specification that redis.io calls "Redis
 * serialization protocol specification", with the streamed forms of the RESP3 draft of 2018).
 *
 * The reader works on the caller's receive buffer and copies nothing: what it reports lies there.
 * So it differs in one point from other parsers of src/proto: it takes whole tokens only, and with
 * SOS_PARTIAL_ the bytes that it has not taken are given to it again, with more behind them. What
 * it has looked at of a long line it does not look at again.
 *
 *     for (;;) {
 *         int kind = sos_resp_next_(&parser, buffer + start, end - start, &event);
 *         if (kind < 0)
 *             the connection is of no more use; parser.error says why
 *         start += event.taken;
 *         if (kind == SOS_PARTIAL_)
 *             make room for event.wanted bytes from start on, receive, and go on
 *         use the event; with event.whole a reply (or a push) has ended
 *     }
 *
 * The events of a value:
 *   a scalar                       VALUE
 *   an aggregate                   BEGIN, those of its elements (of a map: key, value, key, ...), END
 *   an attribute                   the same; it belongs to the value that follows, and counts for none
 *   a streamed string, or one of more than `whole_size` bytes: BEGIN, CHUNK ..., END
 * An error within an aggregate is a value like any other: a reply always ends where it ends.
 */
#ifndef SMALLOS_PROTO_RESP_H
#define SMALLOS_PROTO_RESP_H

#include "syntax.h"

enum { SOS_RESP_NESTING_MOST_ = 64 };

enum sos_resp_kind_ {
    SOS_RESP_VALUE_ = 1,
    SOS_RESP_BEGIN_, /* of an aggregate, or of a string that comes in chunks */
    SOS_RESP_CHUNK_, /* the next bytes of such a string, at least one */
    SOS_RESP_END_,   /* of what was begun last and has not ended */
};

/* As on the wire; the nulls of RESP2 (`$-1`, `*-1`) are reported as SOS_RESP_NULL_. */
enum sos_resp_type_ {
    SOS_RESP_STRING_ = '+',
    SOS_RESP_ERROR_ = '-',
    SOS_RESP_INTEGER_ = ':',
    SOS_RESP_BULK_ = '$',
    SOS_RESP_NULL_ = '_',
    SOS_RESP_BOOLEAN_ = '#',
    SOS_RESP_DOUBLE_ = ',',
    SOS_RESP_BIG_NUMBER_ = '(',
    SOS_RESP_BULK_ERROR_ = '!',
    SOS_RESP_VERBATIM_ = '=',
    SOS_RESP_ARRAY_ = '*',
    SOS_RESP_MAP_ = '%',
    SOS_RESP_SET_ = '~',
    SOS_RESP_ATTRIBUTE_ = '|',
    SOS_RESP_PUSH_ = '>',
};

struct sos_resp_event_ {
    char type;  /* an sos_resp_type_; of CHUNK and END that of their BEGIN */
    bool whole; /* with this VALUE or END a reply or a push ends */
    /* VALUE and CHUNK: the bytes; of an integer, boolean, double or big number its text. The three
     * letters of a verbatim string's format, and the colon, stand before it (at VALUE and BEGIN). */
    const char *text;
    size_t length;
    /* Integer: its value; boolean: 0, 1. BEGIN of an aggregate: elements, of a map or attribute
     * pairs; of a string: bytes; -1 if streamed. */
    int64_t integer;
    double number;  /* double: its value */
    unsigned depth; /* aggregates around this event (around what BEGIN begins and END ends) */
    size_t taken;   /* of the bytes that were given; with SOS_PARTIAL_ too */
    size_t wanted;  /* SOS_PARTIAL_: how many from the first untaken on the next token surely has */
};

/* Zero means default; what is larger than can be is as much as can be. */
struct sos_resp_limits_ {
    size_t max_reply_size;      /* bytes of a reply, everything counted; 16 MiB */
    size_t max_bulk_size;       /* bytes of a string; 512 MiB, the server's own default */
    size_t max_line_size;       /* bytes of a line without its type and end; 64 KiB */
    size_t max_elements;        /* of one aggregate, a pair counting for two; 2^32 - 1, the most */
    unsigned max_nesting_depth; /* aggregates in aggregates; 32, at most SOS_RESP_NESTING_MOST_ */
    size_t whole_size;          /* strings up to this size come as one VALUE; SIZE_MAX */
};

struct sos_resp_level_ {
    uint32_t count; /* elements to come; if streamed, those that came */
    char type;
    bool streamed;
};

/*
 * `levels[0 .. depth)` are the aggregates that are open; one whose elements have all come is closed
 * by the next call. A string that comes in chunks is in none of them, it has `string` below:
 *
 *     NONE -> SIZED -> NONE            its length is known
 *     NONE -> BETWEEN <-> PIECE, BETWEEN -> NONE     streamed
 */
struct sos_resp_parser_ {
    struct sos_resp_limits_ limits;
    struct sos_resp_level_ *levels;
    struct sos_syntax_error_ error;
    uint64_t at;                       /* offset of the first byte not taken */
    uint64_t reply_at;                 /* where the reply begins that is being read, or will */
    uint64_t replies;                  /* how many have ended, */
    uint64_t pushes;                   /* and how many pushes */
    uint64_t string_left, string_size; /* bytes to come of a string or piece; those that came */
    size_t scanned; /* bytes of the next token that are known to hold no end of line */
    int status;     /* of the refusal */
    unsigned depth;
    char string, string_type; /* which state, see above */
    bool attributed;          /* an attribute waits for its value */
};

/*
 * `levels` has max_nesting_depth entries (for 0: 32) and is the parser's until the end. Called
 * again it makes the parser fit for a new connection.
 */
void sos_resp_init_(struct sos_resp_parser_ *parser, const struct sos_resp_limits_ *limits,
                    struct sos_resp_level_ *levels);

/*
 * The next event: an sos_resp_kind_, SOS_PARTIAL_, SOS_EPROTO or SOS_ELIMIT (syntax.h).
 * `bytes` is what follows on all that was taken. Nothing is known about fields of the event that
 * the kind and type do not name.
 */
int sos_resp_next_(struct sos_resp_parser_ *parser, const char *bytes, size_t length,
                   struct sos_resp_event_ *event);

/* ---- Commands */

/*
 * A command as an array of bulk strings. sos_resp_command_ writes exactly sos_resp_command_size_
 * bytes and answers behind the last. `lengths` may be NULL: the arguments end with NUL then.
 * `out` must not overlap the arguments.
 */
size_t sos_resp_command_size_(size_t argc, const char *const *argv, const size_t *lengths);
char *sos_resp_command_(char *out, size_t argc, const char *const *argv, const size_t *lengths);

/* The same in pieces, for arguments that come from elsewhere: the head for `argc` arguments, then
 * every argument. Room for a head: SOS_RESP_HEAD_ROOM_; for an argument as much and its length. */
enum { SOS_RESP_HEAD_ROOM_ = 25 };
char *sos_resp_command_head_(char *out, size_t argc);
char *sos_resp_argument_(char *out, const char *bytes, size_t length);

#endif
