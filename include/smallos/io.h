/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: readiness and try-operations. What a descriptor is says the kernel: a file
 * descriptor on `unix`, a simulated stream on `sim`, a connection on a board.
 */
#ifndef SMALLOS_IO_H
#define SMALLOS_IO_H

#include "smallos/task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SOS_READABLE = 1, SOS_WRITABLE = 2 };

/*
 * Waits until reading (writing) would not block, which end of stream and errors count as. Several
 * tasks may wait on one descriptor; all of them are woken. Level-triggered: it does not matter
 * whether everything was read before. Plain files are always ready. Ends in 0; SOS_EBADF: no such
 * descriptor; SOS_ECANCELED: it was closed by sos_fd_close meanwhile; SOS_ENOTSUP: the kernel has
 * no descriptors. Canceled: nothing is left.
 */
SOS_MUST_USE sos_op sos_wait_readable(sos_task *task, int fd);
SOS_MUST_USE sos_op sos_wait_writable(sos_task *task, int fd);

/* The same right after sos_try_read or sos_try_write has answered SOS_EAGAIN, which is cheaper: to
 * wait for the next change is enough then. `events`: SOS_READABLE or SOS_WRITABLE. */
SOS_MUST_USE sos_op sos_wait_again(sos_task *task, int fd, unsigned events);

/*
 * Reads 1 to `size` bytes, waiting until there are some; 0: end of stream. Writes all of `size`
 * bytes, waiting as often as needed. The descriptor must be non-blocking. `bytes` must outlive the
 * wait: keep it in the frame. End in the number of bytes or an error.
 * Canceled: a read took nothing; a write may have written a part.
 */
SOS_MUST_USE sos_op sos_read(sos_task *task, int fd, void *bytes, size_t size);
SOS_MUST_USE sos_op sos_write(sos_task *task, int fd, const void *bytes, size_t size);

/* Without waiting, from anywhere on the runtime's thread: bytes, 0 at the end, SOS_EAGAIN, error. */
int sos_try_read(sos *os, int fd, void *bytes, size_t size);
int sos_try_write(sos *os, int fd, const void *bytes, size_t size);

/* Closes a descriptor; tasks that wait on it get SOS_ECANCELED. 0, SOS_EBADF, SOS_ENOTSUP. */
int sos_fd_close(sos *os, int fd);

#ifdef __cplusplus
}
#endif
#endif
