/* SPDX-License-Identifier: MIT */
/*
 * What the files of the network layer share: a stream, and what the two kinds of it do differently.
 *
 * A stream is read and written by calls that do not wait. One that cannot go on answers SOS_EAGAIN
 * and says in `wants` for which readiness of `fd` it is to be tried again, or that it could go on but
 * has done enough for one step; sos_stream_wait_ waits for that.
 * So a kind of stream needs no async function of its own.
 */
#ifndef SMALLOS_NET_INTERNAL_H
#define SMALLOS_NET_INTERNAL_H

#include "smallos/async.h"
#include "smallos/runtime.h"
#include "smallos/stream.h"
#include "smallos/tls.h"

/* Bytes `first` to `end` of `room`; without any, there is no memory either. */
struct sos_buffer_ {
    unsigned char *bytes;
    uint32_t first, end, room;
};

struct sos_stream_type_ {
    /* Reads 1 to `size` bytes: how many; SOS_EEOF; SOS_EAGAIN; an error. */
    int (*read_now)(sos_stream *stream, void *bytes, size_t size);

    /* Writes stream->out, then `more`, whose written part it takes off: 0 when all is written;
     * SOS_EAGAIN; an error. */
    int (*write_now)(sos_stream *stream, struct sos_slice *more);

    /* All is written: tells the other end that no more will come. 0; SOS_EAGAIN; an error. */
    int (*shutdown_now)(sos_stream *stream);

    /* Gives back what this kind has beside the stream; the descriptor is closed after it. */
    void (*end)(sos_stream *stream);

    const char *(*error_text)(const sos_stream *stream); /* NULL: that of the table */

    /* Optional: it is about to be closed or aborted. */
    void (*leave)(sos_stream *stream);
};

struct sos_stream {
    const struct sos_stream_type_ *type;
    sos *os;
    int fd;
    int error;        /* the first one that ends all operations */
    int write_error;  /* the other end is gone: reading may go on */
    uint32_t limit;   /* of each buffer */
    uint8_t wants;    /* after SOS_EAGAIN: SOS_READABLE or SOS_WRITABLE; 0: others may run first */
    bool ended : 1;   /* the other end will send no more */
    bool shut : 1;    /* no more will be written */
    bool closed : 1;  /* its memory goes with the last operation on it */
    bool torn : 1;    /* a write was given up in its middle */
    uint16_t users;   /* frames of operations that refer to it */
    uint16_t portion; /* room for what is read at a time: as much as came the last times */
    struct sos_buffer_ in, out;
};

/* For async functions that refer to a stream over an await: in their first step, and finally. */
static inline void stream_enter(sos_stream *stream)
{
    stream->users++;
}
void sos_stream_leave_(sos_stream *stream);

/* After SOS_EAGAIN: until it is to be tried again. */
SOS_MUST_USE sos_op sos_stream_wait_(sos_task *task, const sos_stream *stream);

/* What the operations try first: all without waiting. Reads past stream->in, which must be empty: as
 * read_now of its type. Writes stream->out and `more`: as write_now. */
int sos_stream_read_now_(sos_stream *stream, void *bytes, size_t size);
int sos_stream_more_now_(sos_stream *stream); /* as sos_stream_more, or SOS_EAGAIN */
int sos_stream_write_now_(sos_stream *stream, struct sos_slice *more);

/* A stream of `size` bytes, the first of which are a struct sos_stream; the rest is zero. */
sos_stream *sos_stream_new_(sos *os, size_t size, const struct sos_stream_type_ *type, int fd,
                            uint32_t limit);

/* Room for at least `size` more bytes behind `end`, up to `limit` in all: 0, SOS_ENOMEM, SOS_ELIMIT
 * (then there may be less room than asked for, but some, unless the buffer is full). */
int sos_buffer_reserve_(sos *os, struct sos_buffer_ *buffer, size_t size, uint32_t limit);
void sos_buffer_take_(sos *os, struct sos_buffer_ *buffer, size_t size);
void sos_buffer_free_(sos *os, struct sos_buffer_ *buffer);

static inline uint32_t buffer_count(const struct sos_buffer_ *buffer)
{
    return buffer->end - buffer->first;
}

/* Into error_text, if there is one. */
void sos_tls_tell_(const struct sos_tls_options *options, const char *text);

/* A server's TLS around `lower`, the handshake still to come: 0, and *stream owns `lower`; or an
 * error. */
int sos_tls_context_share_(sos_tls_context *context, enum sos_tls_side side);
int sos_tls_accepted_(sos_tls_context *context, sos_stream *lower, sos_stream **stream);

#endif
