/* SPDX-License-Identifier: MIT */
/*
 * An io_uring: set-up, submission and completion, and nothing about what it is used for. Events
 * are noted by the kernel in `bell`, a word in shared memory, and turned into completions when the
 * thread that runs the ring enters it.
 */
#ifndef SMALLOS_LINUX_RING_H
#define SMALLOS_LINUX_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/io_uring.h>

struct ring {
    int fd;
    int entered; /* what io_uring_enter() takes: fd, or its index once registered */
    unsigned enter_flags;
    uintptr_t thread;       /* that enabled it: no other may enter it; 0: none yet */
    bool relative;          /* this kernel takes no absolute time to wait until */
    unsigned tail, pending; /* submissions prepared, and how many of them not handed over */

    uint32_t *bell;
    uint32_t *submit_tail, *complete_head, *complete_tail;
    uint32_t submit_mask, complete_mask, submit_entries;
    struct io_uring_sqe *submissions;
    struct io_uring_cqe *completions;
    void *memory;
    size_t memory_size, submissions_size;
};

enum { RING_BELL = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW };

/* Makes a ring that does not run yet. 0 or an errno. */
int sos_ring_open_(struct ring *ring);
void sos_ring_close_(struct ring *ring);

/* The calling thread will run it. 0 or an errno. */
int sos_ring_enable_(struct ring *ring);

/* Room for a submission, zeroed; full means that all before are handed over first. */
struct io_uring_sqe *sos_ring_prepare_(struct ring *ring);

/* Hands over what is prepared. 0 or an errno: then some is still prepared. */
int sos_ring_submit_(struct ring *ring);

/* The same, and turns what the bell told into completions; at most 20 with each call. */
int sos_ring_collect_(struct ring *ring);

/* The same, and sleeps until there is a completion or the moment `until` (microseconds). */
int sos_ring_wait_(struct ring *ring, uint64_t until);

/* Takes the next completion. */
static inline bool ring_take(struct ring *ring, struct io_uring_cqe *completion)
{
    uint32_t head = *ring->complete_head;
    if (head == __atomic_load_n(ring->complete_tail, __ATOMIC_ACQUIRE))
        return false;
    *completion = ring->completions[head & ring->complete_mask];
    __atomic_store_n(ring->complete_head, head + 1, __ATOMIC_RELEASE);
    return true;
}

/* True on the thread that runs it, or may be the first to do so. */
bool sos_ring_is_ours_(const struct ring *ring);

static inline bool ring_rings(const struct ring *ring)
{
    return (__atomic_load_n(ring->bell, __ATOMIC_RELAXED) & RING_BELL) != 0;
}

#endif
