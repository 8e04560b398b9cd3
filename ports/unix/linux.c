/* SPDX-License-Identifier: MIT */
/* What Linux has of its own, for the unix kernel. */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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

/*
 * What the core takes in this size are tables and chunks of its pools: all of it is used, and soon.
 * The system hands the pages over in one go, which costs a fifth of a fault for each of them.
 */
enum { FILLED_SIZE = 64 * 1024 };

static bool is_mapped(size_t size)
{
    return size >= FILLED_SIZE;
}

static void *take(size_t size)
{
    if (!is_mapped(size))
        return malloc(size);
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static void give(void *memory, size_t size)
{
    if (is_mapped(size))
        munmap(memory, size);
    else
        free(memory);
}

void *sos_unix_reallocate_(struct sos_kernel *kernel, void *old, size_t old_size, size_t size)
{
    (void)kernel;
    if (!is_mapped(old_size) && !is_mapped(size) && size != 0)
        return realloc(old, size);
    void *memory = size != 0 ? take(size) : NULL;
    if (old == NULL || (memory == NULL && size != 0))
        return memory;
    if (memory != NULL)
        memcpy(memory, old, old_size < size ? old_size : size);
    give(old, old_size);
    return memory;
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
