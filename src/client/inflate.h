/* SPDX-License-Identifier: MIT */
/*
 * Decompressing what a client receives, through zlib: gzip (RFC 1952), zlib (RFC 1950) and raw deflate
 * (RFC 1951). The output goes into memory of the caller, who takes it in portions as small as he
 * likes; so nothing grows but what he lets grow, and a limit on the sum ends a bomb early.
 */
#ifndef SMALLOS_CLIENT_INFLATE_H
#define SMALLOS_CLIENT_INFLATE_H

#include "proto/syntax.h"
#include "smallos/runtime.h"

enum sos_inflate_format_ {
    SOS_INFLATE_GZIP_,   /* several members after one another are one text */
    SOS_INFLATE_ZLIB_,   /* or raw, as the first byte says: "deflate" of HTTP is either */
    SOS_INFLATE_MESSAGE_ /* raw and without an end: permessage-deflate */
};

struct sos_inflate_;

/*
 * `window_bits` 8 to 15; 0: 15. Takes about 10 KiB and a window of 2^window_bits bytes, as needed.
 * `max_size`: bytes of output in all, 0: unlimited. NULL: no memory, or window_bits.
 */
struct sos_inflate_ *sos_inflate_new_(sos *os, enum sos_inflate_format_ format, int window_bits,
                                      uint64_t max_size);
void sos_inflate_free_(struct sos_inflate_ *reader); /* NULL is fine */

/* Counts the output anew, against `max_size`; with `forget` the window is empty again and errors are
 * over: the start of another text, or of a message without context takeover. */
void sos_inflate_again_(struct sos_inflate_ *reader, uint64_t max_size, bool forget);

/*
 * Reads on in `bytes` and writes up to `room` bytes to `to`. `*taken` and `*made`: how many of each.
 * SOS_PARTIAL_: more bytes are wanted, or more room: while `to` comes back full call again, without
 * bytes if there are none left. SOS_INFLATE_END_: the text is over; gzip may go on with another
 * member. SOS_EPROTO: see sos_inflate_rule_; SOS_ELIMIT: there is more output than max_size, of which
 * max_size bytes have been made; SOS_ENOMEM. Errors stay.
 */
enum { SOS_INFLATE_END_ = 1 };
int sos_inflate_next_(struct sos_inflate_ *reader, const void *bytes, size_t length, size_t *taken,
                      void *to, size_t room, size_t *made);

/* Whether the text may end here: it has ended, or nothing of it has come. */
bool sos_inflate_is_whole_(const struct sos_inflate_ *reader);

/* Why it was refused, in words; static. */
const char *sos_inflate_rule_(const struct sos_inflate_ *reader);

#endif
