/* SPDX-License-Identifier: MIT */
/* For the unix kernel on systems that are not Linux: nothing beyond POSIX. */
#include "unix_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

const struct unix_backend *const sos_unix_backends_[] = { &sos_unix_poll_, NULL };

int sos_unix_bell_open_(int bell[2])
{
    if (pipe(bell) != 0)
        return sos_unix_error_(errno);
    for (int end = 0; end < 2; end++) {
        fcntl(bell[end], F_SETFD, FD_CLOEXEC);
        fcntl(bell[end], F_SETFL, O_NONBLOCK);
    }
    return SOS_OK;
}

/* May run in a signal handler: errno stays what it was. A full pipe wakes as well. */
void sos_unix_bell_ring_(const int bell[2])
{
    int number = errno;
    ssize_t put = write(bell[1], "", 1);
    (void)put;
    errno = number;
}

void sos_unix_bell_clear_(const int bell[2])
{
    char bytes[64];
    while (read(bell[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        ;
}

void sos_unix_bell_close_(const int bell[2])
{
    close(bell[0]);
    close(bell[1]);
}

void *sos_unix_reallocate_(struct sos_kernel *kernel, void *old, size_t old_size, size_t size)
{
    (void)kernel;
    (void)old_size;
    if (size != 0)
        return realloc(old, size);
    free(old);
    return NULL;
}

/* Rounds up: better a moment late than to turn in circles until it has come. */
int sos_unix_poll_until_(struct pollfd *list, size_t count, uint64_t until)
{
    uint64_t now = until == SOS_NEVER ? 0 : sos_unix_now_();
    if (until == SOS_NEVER)
        return poll(list, (nfds_t)count, -1);
    uint64_t left = until > now ? (until - now + 999) / 1000 : 0;
    return poll(list, (nfds_t)count, left < INT_MAX ? (int)left : INT_MAX);
}
