/* SPDX-License-Identifier: MIT */
/* Much data over a stream in both directions at once, ended by a half-close each way. */
#ifndef TESTS_SUPPORT_BOTH_WAYS_H
#define TESTS_SUPPORT_BOTH_WAYS_H

#include "smallos/smallos.h"
#include "smallos/stream.h"

/*
 * Sends `size` bytes in pieces of many sizes, put and written, and shuts down; reads
 * until the other end's end and checks that it has sent the same. Each is a task; ends in 0 or an
 * error when both have. The stream stays open.
 */
SOS_MUST_USE sos_op both_ways(sos_task *task, sos_stream *stream, size_t size);

#endif
