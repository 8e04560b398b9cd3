/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "linux_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unix_internal.h"

/* Younger than the headers this may be built with. */
enum {
    NO_SQARRAY = 1 << 16,        /* Linux 6.6 */
    ENTER_ABSOLUTE_TIME = 1 << 5 /* Linux 6.12 */
};

enum { SUBMISSIONS = 256, COMPLETIONS = 4096 };

static long ring_register(const struct ring *ring, unsigned what, void *argument, unsigned count)
{
    return syscall(__NR_io_uring_register, ring->fd, what, argument, count);
}

/* ---- Set-up */

static uint32_t *word_at(const struct ring *ring, uint32_t offset)
{
    return (uint32_t *)(void *)((char *)ring->memory + offset);
}

static void *map(const struct ring *ring, size_t size, off_t offset)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, offset);
}

static int map_queues(struct ring *ring, const struct io_uring_params *made)
{
    size_t submit_end = made->sq_off.array + made->sq_entries * sizeof(uint32_t);
    size_t complete_end = made->cq_off.cqes + made->cq_entries * sizeof(struct io_uring_cqe);
    ring->memory_size = submit_end > complete_end ? submit_end : complete_end;
    ring->submissions_size = made->sq_entries * sizeof(struct io_uring_sqe);
    ring->memory = map(ring, ring->memory_size, (off_t)IORING_OFF_SQ_RING);
    if (ring->memory == MAP_FAILED)
        return errno;
    ring->submissions = map(ring, ring->submissions_size, (off_t)IORING_OFF_SQES);
    if (ring->submissions == MAP_FAILED) {
        int number = errno;
        munmap(ring->memory, ring->memory_size);
        return number;
    }
    ring->bell = word_at(ring, made->sq_off.flags);
    ring->submit_tail = word_at(ring, made->sq_off.tail);
    ring->submit_mask = *word_at(ring, made->sq_off.ring_mask);
    ring->submit_entries = made->sq_entries;
    ring->complete_head = word_at(ring, made->cq_off.head);
    ring->complete_tail = word_at(ring, made->cq_off.tail);
    ring->complete_mask = *word_at(ring, made->cq_off.ring_mask);
    ring->completions = (struct io_uring_cqe *)(void *)word_at(ring, made->cq_off.cqes);
    if ((made->flags & NO_SQARRAY) == 0)
        for (uint32_t index = 0; index < made->sq_entries; index++)
            word_at(ring, made->sq_off.array)[index] = index;
    return 0;
}

/* Tried from the youngest kind of ring to the oldest that has a bell. */
static int set_up(struct ring *ring, struct io_uring_params *made)
{
    static const unsigned extras[] = { NO_SQARRAY, 0 };
    for (unsigned index = 0; index < sizeof extras / sizeof extras[0]; index++) {
        *made = (struct io_uring_params){ .cq_entries = COMPLETIONS };
        made->flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                      IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
                      IORING_SETUP_CLAMP | extras[index];
        ring->fd = (int)syscall(__NR_io_uring_setup, SUBMISSIONS, made);
        if (ring->fd >= 0)
            return 0;
        if (errno != EINVAL)
            break;
    }
    return errno;
}

int sos_ring_open_(struct ring *ring)
{
    const unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
    struct io_uring_params made;
    memset(ring, 0, sizeof *ring);
    int number = set_up(ring, &made);
    if (number != 0)
        return number;
    number = (made.features & needed) == needed ? map_queues(ring, &made) : ENOSYS;
    if (number != 0)
        close(ring->fd);
    ring->entered = ring->fd;
    return number;
}

/* The thread that enables a ring becomes the one that may enter it. */
int sos_ring_enable_(struct ring *ring)
{
    if (ring_register(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
        return errno;
    ring->thread = sos_unix_thread_();
    struct io_uring_rsrc_update index = { .offset = UINT32_MAX, .data = (uint32_t)ring->fd };
    if (ring_register(ring, IORING_REGISTER_RING_FDS, &index, 1) == 1) {
        ring->entered = (int)index.offset;
        ring->enter_flags = IORING_ENTER_REGISTERED_RING;
    }
    return 0;
}

bool sos_ring_is_ours_(const struct ring *ring)
{
    return ring->thread == 0 || ring->thread == sos_unix_thread_();
}

void sos_ring_close_(struct ring *ring)
{
    if (ring->enter_flags != 0 && sos_ring_is_ours_(ring)) {
        struct io_uring_rsrc_update index = { .offset = (uint32_t)ring->entered };
        ring_register(ring, IORING_UNREGISTER_RING_FDS, &index, 1);
    }
    munmap(ring->submissions, ring->submissions_size);
    munmap(ring->memory, ring->memory_size);
    close(ring->fd);
}

/* ---- Entering */

static int enter(struct ring *ring, unsigned least, unsigned flags, const void *argument,
                 size_t size)
{
    __atomic_store_n(ring->submit_tail, ring->tail, __ATOMIC_RELEASE);
    long taken = syscall(__NR_io_uring_enter, ring->entered, ring->pending, least,
                         flags | ring->enter_flags, argument, size);
    if (taken < 0)
        return errno;
    ring->pending -= (unsigned)taken;
    return 0;
}

struct io_uring_sqe *sos_ring_prepare_(struct ring *ring)
{
    while (ring->pending == ring->submit_entries)
        sos_ring_collect_(ring);
    ring->pending++;
    struct io_uring_sqe *submission = &ring->submissions[ring->tail++ & ring->submit_mask];
    memset(submission, 0, sizeof *submission);
    return submission;
}

int sos_ring_submit_(struct ring *ring)
{
    int number = 0;
    while (ring->pending != 0 && (number == 0 || number == EINTR))
        number = enter(ring, 0, 0, NULL, 0);
    return number;
}

int sos_ring_collect_(struct ring *ring)
{
    return enter(ring, 0, IORING_ENTER_GETEVENTS, NULL, 0);
}

static int wait_until(struct ring *ring, uint64_t until)
{
    struct timespec moment;
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    if (ring->relative) {
        uint64_t now = sos_unix_now_();
        unix_timespec(&moment, until > now ? until - now : 0);
    } else {
        flags |= ENTER_ABSOLUTE_TIME;
        unix_timespec(&moment, until);
    }
    struct __kernel_timespec time = { .tv_sec = moment.tv_sec, .tv_nsec = moment.tv_nsec };
    struct io_uring_getevents_arg argument = { .ts = (uintptr_t)&time };
    return enter(ring, 1, flags, &argument, sizeof argument);
}

int sos_ring_wait_(struct ring *ring, uint64_t until)
{
    if (until == SOS_NEVER)
        return enter(ring, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    int number = wait_until(ring, until);
    if (number == EINVAL && !ring->relative) {
        ring->relative = true;
        number = wait_until(ring, until);
    }
    return number;
}
