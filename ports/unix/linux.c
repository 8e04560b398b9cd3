/* SPDX-License-Identifier: MIT */
/* What Linux has of its own, for the unix kernel. */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

const struct unix_backend *const sos_unix_backends_[] = { &sos_unix_uring_, &sos_unix_epoll_,
                                                          &sos_unix_poll_, NULL };

int sos_unix_bell_open_(int bell[2])
{
    bell[0] = bell[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell[0] >= 0 ? SOS_OK : sos_unix_error_(errno);
}

/* May run in a signal handler: errno stays what it was. */
void sos_unix_bell_ring_(const int bell[2])
{
    int number = errno;
    eventfd_write(bell[1], 1);
    errno = number;
}

void sos_unix_bell_clear_(const int bell[2])
{
    eventfd_t count;
    eventfd_read(bell[0], &count);
}

void sos_unix_bell_close_(const int bell[2])
{
    close(bell[0]);
}

int sos_unix_poll_until_(struct pollfd *list, size_t count, uint64_t until)
{
    struct timespec left;
    uint64_t now = until == SOS_NEVER ? 0 : sos_unix_now_();
    if (until == SOS_NEVER)
        return ppoll(list, count, NULL, NULL);
    unix_timespec(&left, until > now ? until - now : 0);
    return ppoll(list, count, &left, NULL);
}
