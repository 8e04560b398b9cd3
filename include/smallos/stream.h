/* SPDX-License-Identifier: MIT */
/*
 * Streams of bytes: TCP, local sockets, any descriptor, and TLS around one of them (smallos/tls.h);
 * and listeners, which accept them. One task reads a stream and one writes it at a time, which may
 * be two.
 *
 *     await(sos_connect(task, &(struct sos_connect_options){ .host = "192.0.2.1", .port = 80 },
 *                       &self->stream));
 *
 * What has been read and not been taken yet stands in the stream's buffer, which grows up to
 * `max_buffer_size` and is given back when it is empty: an idle stream has none. A deadline or a
 * kill in the middle of an operation loses nothing of it. The stream keeps its first error: every
 * operation after it ends in the same. Only when writing finds the other end gone (SOS_EPIPE,
 * SOS_ECONNRESET) may reading go on, since that may have said why. SOS_ENOMEM has lost nothing and may
 * be tried again, as often as one likes; unless a part of what was to be written had gone already: then
 * every later write ends in SOS_ENOMEM too, and sos_stream_error says so.
 *
 * Functions that return sos_op are for tasks; the others may be called on the runtime's thread.
 */
#ifndef SMALLOS_STREAM_H
#define SMALLOS_STREAM_H

#include "smallos/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_stream sos_stream;
struct sos_tls_options;

/* Where to and how. Zero means default in every field. What is pointed to must live until the
 * operation has ended. */
struct sos_connect_options {
    const char *host; /* an address, or a name; "unix:/path" a local socket */
    uint16_t port;
    uint32_t max_buffer_size; /* bytes read and not taken; default client_defaults.stream */
    const struct sos_tls_options *tls; /* NULL: no TLS; &(struct sos_tls_options){ 0 }: with */
};

/*
 * Connects. A name is looked up, and its addresses are tried in turn, IPv6 and IPv4 alternating, the
 * next one 250 ms after the one before or as soon as that has failed (RFC 8305); the first that
 * connects is taken. Ends in 0 and *stream is set; or in the error of the try that came furthest:
 * SOS_ECONNREFUSED, SOS_ETIMEDOUT, SOS_EUNREACH, SOS_EMFILE, SOS_ENOMEM, SOS_EINVAL; SOS_ENONAME,
 * and what else a look-up ends in; SOS_ENOTSUP: the kernel has no network, or no names. With several
 * addresses each try is a task. With TLS it also shakes hands, and may end as sos_tls_client does.
 * Has no time limit of its own: use sos_within. Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_connect(sos_task *task, const struct sos_connect_options *options,
                                sos_stream **stream);

/* The same for an address: no look-up, one try. */
SOS_MUST_USE sos_op sos_connect_address(sos_task *task, const struct sos_address *address,
                                        uint32_t max_buffer_size, sos_stream **stream);

/*
 * Makes a stream of a descriptor that is connected and non-blocking, and owns it from then on.
 * `max_buffer_size` 0: client_defaults.stream. 0; SOS_ENOMEM, SOS_EBADF: it is not owned then.
 */
int sos_stream_adopt(sos *os, int fd, uint32_t max_buffer_size, sos_stream **stream);

/*
 * Closes it at once: what has not been flushed is lost. Tasks that wait in an operation on it get
 * SOS_ECANCELED. NULL is fine. Also from async_finally. With TLS, close_notify is sent if all that was
 * written has gone, no write was given up in its middle, and it can go at once. Nobody may use it
 * from then on, and neither may a task whose operation has ended already while the task has not run
 * since: where several share a stream, abort it first, and close it when they are done.
 */
void sos_stream_close(sos_stream *stream);

/* Closes it for all who use it, and leaves it to be closed: every operation, also one that is
 * waiting, ends in SOS_ECANCELED. Also from async_finally. */
void sos_stream_abort(sos_stream *stream);

/* ---- Reading. End of stream is SOS_EEOF; a buffer that is full at its limit SOS_ELIMIT. */

/* What has been read and not been taken: its first byte, and how many; valid until the next
 * operation on the stream. Nothing: NULL and 0. */
const unsigned char *sos_stream_data(const sos_stream *stream, size_t *size);

/* Takes the first `size` bytes of it away; no more than there are. */
void sos_stream_take(sos_stream *stream, size_t size);

/*
 * Waits for more data than there is. Ends in how many bytes there are now.
 * Canceled: whatever arrived is in the buffer.
 */
SOS_MUST_USE sos_op sos_stream_more(sos_task *task, sos_stream *stream);

/*
 * Waits until the data holds `delimiter` within its first `max` bytes (0: as many as the buffer may
 * have). Ends in the number of bytes up to and with it; they stay until they are taken.
 * SOS_ELIMIT: `max` bytes without it; SOS_EEOF: the stream ended without it.
 */
SOS_MUST_USE sos_op sos_stream_until(sos_task *task, sos_stream *stream, const void *delimiter,
                                     size_t delimiter_size, size_t max);

/* Reads 1 to `size` bytes. Ends in how many, or in SOS_EEOF. Canceled: none have been taken. */
SOS_MUST_USE sos_op sos_stream_read(sos_task *task, sos_stream *stream, void *bytes, size_t size);

/* Reads exactly `size` bytes. Ends in `size`, or in SOS_EEOF with those that are there left in the
 * buffer, whose limit `size` may not exceed. Canceled: none have been taken. */
SOS_MUST_USE sos_op sos_stream_read_exactly(sos_task *task, sos_stream *stream, void *bytes,
                                            size_t size);

/* ---- Writing */

/*
 * Puts bytes into the output buffer, to go with the next flush or write. `size` 0 is fine.
 * 0; SOS_ENOMEM; SOS_ELIMIT: `max_buffer_size` would be exceeded, nothing was put; or the stream's
 * error. From anywhere on the runtime's thread.
 */
int sos_stream_put(sos_stream *stream, const void *bytes, size_t size);

/* Room for `size` bytes in the output buffer, to be filled in place and then put by
 * sos_stream_put(stream, NULL, size). NULL: there is no memory, or the limit. */
void *sos_stream_room(sos_stream *stream, size_t size);

/* Writes what is in the output buffer. Ends in 0. Canceled: the rest stays for the next flush. */
SOS_MUST_USE sos_op sos_stream_flush(sos_task *task, sos_stream *stream);

/*
 * Writes what is in the output buffer and `size` more bytes, in one call where the kernel can. Ends
 * in `size`. `bytes` must stay until then. Canceled: some of them may have been written.
 */
SOS_MUST_USE sos_op sos_stream_write(sos_task *task, sos_stream *stream, const void *bytes,
                                     size_t size);

/* Flushes and half-closes: the other end reads its end of stream. With TLS, sends close_notify. */
SOS_MUST_USE sos_op sos_stream_shutdown(sos_task *task, sos_stream *stream);

/* ---- About it */

/* Its first error, 0: none. */
int sos_stream_error(const sos_stream *stream);

/* What the error was, in words; never NULL. Valid as long as the stream. */
const char *sos_stream_error_text(const sos_stream *stream);

/* Bytes in the output buffer. */
size_t sos_stream_unsent(const sos_stream *stream);

/* Its address and the other end's. 0 or SOS_ENOTSUP. */
int sos_stream_address(const sos_stream *stream, bool other, struct sos_address *address);

/* ---- Listeners */

typedef struct sos_listener sos_listener;

struct sos_listen {
    const char *host;         /* an address, "unix:/path" or NULL: loopback */
    uint16_t port;            /* 0: any that is free; sos_listener_address tells it */
    int backlog;              /* default 128 */
    uint32_t max_buffer_size; /* of the streams */
    const struct sos_tls_options *tls; /* NULL: no TLS */
};

/* 0; SOS_EADDRINUSE, SOS_EACCES, SOS_EINVAL, SOS_ENOMEM, SOS_EMFILE, SOS_ENOTSUP; with TLS also what
 * sos_tls_context_open answers. */
int sos_listener_open(sos *os, const struct sos_listen *options, sos_listener **listener);

/*
 * Waits for the next one who connects. Ends in 0 and *stream is set; SOS_EMFILE: no descriptor is
 * free, and it is still waiting to be accepted; SOS_ECANCELED: closed. *stream is NULL until then.
 * With TLS the handshake is still to come, so that nobody waits for one who is slow at it: it is part
 * of the first operation on the stream (or sos_tls_handshake).
 * Canceled: nobody has been accepted, or *stream is set: async_finally closes it in either case.
 */
SOS_MUST_USE sos_op sos_accept(sos_task *task, sos_listener *listener, sos_stream **stream);

int sos_listener_address(const sos_listener *listener, struct sos_address *address);

/* Tasks that wait in sos_accept get SOS_ECANCELED. NULL is fine. */
void sos_listener_close(sos_listener *listener);

#ifdef __cplusplus
}
#endif
#endif
