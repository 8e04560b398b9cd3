/* SPDX-License-Identifier: MIT */
/*
 * The one table of errors. Every operation of smallOS ends in one `int`: zero or positive is
 * success (a count, a signal number, an index), negative is one of these.
 */
#ifndef SMALLOS_ERROR_H
#define SMALLOS_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define SOS_ERRORS(X)                                                                              \
    X(EINVAL, -1, "invalid argument")                                                              \
    X(ENOMEM, -2, "out of memory")                                                                 \
    X(ECAPACITY, -3, "no free pid: task_capacity is reached")                                      \
    X(ESTALE, -4, "the task is gone: its handle is stale")                                         \
    X(EDEADLK, -5, "the join would wait for itself")                                               \
    X(ECANCELED, -6, "canceled")                                                                   \
    X(ETIMEDOUT, -7, "the deadline has passed")                                                    \
    X(EINTR, -8, "woken from outside")                                                             \
    X(EAGAIN, -9, "not possible now, try again")                                                   \
    X(EPERM, -10, "not the owner")                                                                 \
    X(EBUSY, -11, "still in use")                                                                  \
    X(EBADF, -12, "bad descriptor")                                                                \
    X(ENOTSUP, -13, "not supported by this kernel")                                                \
    X(ESTUCK, -14, "tasks are left that nothing can ever wake")                                    \
    X(ETHREAD, -15, "called from a thread that does not run this runtime")                         \
    X(EIO, -16, "input or output failed")                                                          \
    X(EPIPE, -17, "the other end is closed")                                                       \
    X(ECONNRESET, -18, "connection reset")                                                         \
    X(ECONNREFUSED, -19, "connection refused")                                                     \
    X(ECONFIG, -20, "invalid configuration")                                                       \
    X(ENOENT, -21, "no such file")                                                                 \
    X(EADDRINUSE, -22, "address in use")                                                           \
    X(EMFILE, -23, "too many open descriptors")                                                    \
    X(EACCES, -24, "permission denied")                                                            \
    X(EUNREACH, -25, "host or network unreachable")                                                \
    X(EPROTO, -26, "the other end broke a rule of the protocol")                                   \
    X(ELIMIT, -27, "larger than a configured limit allows")                                        \
    X(EEOF, -28, "the stream has ended")                                                           \
    X(ENONAME, -29, "no such host name")                                                           \
    X(ETLS, -30, "TLS failed")                                                                     \
    X(ESERVER, -31, "the server answered with an error")                                           \
    X(ELOST, -32, "the connection was lost: what was under way may have been done")

enum sos_error {
    SOS_OK = 0,
#define SOS_ERROR_CODE_(name, code, text) SOS_##name = (code),
    SOS_ERRORS(SOS_ERROR_CODE_)
#undef SOS_ERROR_CODE_
};

/*
 * The name of a status ("SOS_ETIMEDOUT"; "SOS_OK" for zero and positive ones) and its text for
 * people. Never NULL; a number that is in no table gives "SOS_E?" and "unknown error".
 * May be called from anywhere.
 */
const char *sos_error_name(int status);
const char *sos_error_text(int status);

#ifdef __cplusplus
}
#endif
#endif
