/* SPDX-License-Identifier: MIT */
/*
 * The io_uring back end. The kernel tells of events by a word in memory, the doorbell, which the
 * core reads between two steps; a call is made only when it rings.
 *
 * A task that waits again after SOS_EAGAIN is served by one poll request that stays armed and
 * reports every change. A level-triggered wait has a poll request of its own, at whose arming the
 * kernel looks whether it is ready already; so has every wait to write. Requests left behind by
 * cancelled waits are replaced by the next wait and told apart by their turn.
 */
#define _GNU_SOURCE
#include "unix_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux_ring.h"

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

/* What a completion belongs to: the lowest bits of user_data; then a turn, then the descriptor. */
enum purpose { READ_ONCE, WRITE_ONCE, EVERY_READ, BELL, TIMER, OTHER };

/* entry->armed: bits 1 << purpose. */

enum {
    STEPS_MIN = 2, /* however long they are */
    STEPS_MAX = 4096,
    ROOM_US = 500,          /* between two looks that nothing asks for */
    NEAR_US = 20,           /* a timer closer than that is not worth a request of its own */
    NEAR_STEPS_MAX = 8,     /* until the next look then, */
    NEAR_ROOM_US = 2,       /* if they take no longer than this */
    LOOKS_BEFORE_TIMER = 4, /* without sleeping: then the program is busy */
    BATCH = 8,              /* after one this large, more is likely on the way */
    COLLECT_US = 10,
    COLLECT_STEPS = 8
};

/* Steps until the next look: twice as many as long as they keep to the time that is meant for them. */
struct allowance {
    uint64_t looked; /* when it was given */
    uint32_t steps;
};

struct uring {
    struct ring ring;
    uint64_t armed_due;            /* the timer request; SOS_NEVER: none */
    struct __kernel_timespec time; /* of it, while it is handed over */
    struct allowance near, far;    /* while a timer is near; while none is */
    uint32_t looks;                /* since the last sleep, up to LOOKS_BEFORE_TIMER */
    uint32_t skipped;              /* looks since the last call, although it rings */
    uint32_t batch;                /* completions of the last call */
    uint64_t collected;            /* when that was */
    int exported;                  /* an epoll set, -1: not asked for */
    int signalled;                 /* in it: the eventfd that the ring signals */
};

static struct uring *uring_of(struct unix_kernel *kernel)
{
    return kernel->state;
}

static uint64_t ticket(enum purpose purpose, uint16_t turn, int fd)
{
    return (uint64_t)(uint32_t)fd << 32 | (uint64_t)turn << 8 | purpose;
}

static void arm_bell(struct unix_kernel *kernel);

/* The runtime's thread is the one that comes here first. The ring's index would lead another one
 * to a ring of its own, or to none. */
static struct ring *running(struct unix_kernel *kernel)
{
    struct ring *ring = &uring_of(kernel)->ring;
    if (ring->thread == 0) {
        if (sos_ring_enable_(ring) != 0)
            kernel->face.panic(&kernel->face, "smallOS: io_uring cannot be enabled");
        arm_bell(kernel);
    } else if (!sos_ring_is_ours_(ring)) {
        kernel->face.panic(&kernel->face, "smallOS: this kernel belongs to another thread");
    }
    return ring;
}

/* ---- Arming */

static void arm_poll(struct ring *ring, uint32_t events, uint32_t flags, uint64_t number, int fd)
{
    struct io_uring_sqe *request = sos_ring_prepare_(ring);
    request->opcode = IORING_OP_POLL_ADD;
    request->fd = fd;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = events << 16 | events >> 16;
#endif
    request->poll32_events = events;
    request->len = flags;
    request->user_data = number;
}

static void disarm_poll(struct ring *ring, uint64_t number)
{
    struct io_uring_sqe *request = sos_ring_prepare_(ring);
    request->opcode = IORING_OP_POLL_REMOVE;
    request->fd = -1;
    request->addr = number;
    request->user_data = OTHER;
}

static void arm_bell(struct unix_kernel *kernel)
{
    arm_poll(running(kernel), POLLIN, IORING_POLL_ADD_MULTI, BELL, kernel->bell[0]);
}

/* An armed request that nobody waits for is of a wait that was cancelled, perhaps on a file that
 * has been closed since. */
static void arm_once(struct ring *ring, struct unix_fd *entry, int fd, enum purpose purpose)
{
    const struct sos_link *waiters = purpose == READ_ONCE ? entry->source.readers
                                                          : entry->source.writers;
    uint32_t events = purpose == READ_ONCE ? POLLIN | POLLRDHUP : POLLOUT;
    if ((entry->armed & 1u << purpose) != 0) {
        if (waiters != NULL)
            return;
        disarm_poll(ring, ticket(purpose, entry->turn[purpose], fd));
    }
    entry->turn[purpose]++;
    entry->armed |= (uint8_t)(1u << purpose);
    arm_poll(ring, events, 0, ticket(purpose, entry->turn[purpose], fd), fd);
}

/* ---- Completions */

static void poll_ended(struct unix_fd *entry, enum purpose purpose)
{
    entry->armed &= (uint8_t) ~(1u << purpose);
    if (purpose == EVERY_READ)
        entry->edge = entry->drained = false;
}

static uint16_t turn_of(const struct unix_fd *entry, enum purpose purpose)
{
    return purpose == EVERY_READ ? (uint16_t)entry->generation : entry->turn[purpose];
}

/*
 * Notes what a poll request told. Returns what is ready now, or an error. Of an event that the
 * request that stays armed reports, tasks that wait level-triggered hear from their own.
 */
static int poll_result(struct unix_fd *entry, enum purpose purpose,
                       const struct io_uring_cqe *completion)
{
    if ((completion->flags & IORING_CQE_F_MORE) == 0)
        poll_ended(entry, purpose);
    if (completion->res < 0 && completion->res != -ECANCELED)
        return sos_unix_error_(-completion->res);
    if (purpose == WRITE_ONCE)
        return SOS_WRITABLE;
    entry->drained = false;
    if (completion->res < 0 || (completion->res & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        entry->ended = true;
    bool own = purpose == EVERY_READ && (entry->armed & 1u << READ_ONCE) != 0;
    return own ? 0 : SOS_READABLE;
}

static void report_poll(struct unix_kernel *kernel, const struct io_uring_cqe *completion)
{
    enum purpose purpose = (enum purpose)(completion->user_data & 0xFF);
    uint16_t turn = (uint16_t)(completion->user_data >> 8);
    struct unix_fd *entry = unix_fd_find(kernel, (int)(completion->user_data >> 32));
    if (entry == NULL || turn != turn_of(entry, purpose) || (entry->armed & 1u << purpose) == 0)
        return;
    unsigned events = purpose == WRITE_ONCE ? SOS_WRITABLE : SOS_READABLE;
    int result = poll_result(entry, purpose, completion);
    if (result != 0)
        sos_source_ready(kernel->os, &entry->source, events, result < 0 ? result : SOS_OK);
}

static void report(struct unix_kernel *kernel, const struct io_uring_cqe *completion)
{
    switch ((enum purpose)(completion->user_data & 0xFF)) {
    case READ_ONCE:
    case WRITE_ONCE:
    case EVERY_READ:
        report_poll(kernel, completion);
        break;
    case BELL:
        if ((completion->flags & IORING_CQE_F_MORE) == 0)
            arm_bell(kernel);
        break;
    case TIMER:
        uring_of(kernel)->armed_due = SOS_NEVER;
        break;
    case OTHER:
        break;
    }
}

static void report_all(struct unix_kernel *kernel)
{
    struct uring *uring = uring_of(kernel);
    struct io_uring_cqe completion;
    uint32_t batch = 0;
    for (; ring_take(&uring->ring, &completion); batch++)
        report(kernel, &completion);
    uring->batch = batch;
}

static void collect_once(struct unix_kernel *kernel)
{
    sos_ring_collect_(running(kernel));
    report_all(kernel);
}

/* ---- A descriptor for other loops */

/*
 * The ring cannot be polled for what has not been collected, but it signals an eventfd. Linux
 * forgets to do so when the event comes from a write to another eventfd (seen with 6.18). So the
 * descriptor is an epoll set that holds this eventfd, the bell, and whatever may be an eventfd.
 */
static void export_file(struct unix_kernel *kernel, const struct unix_fd *entry)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
    if (entry->kind == UNIX_OTHER)
        epoll_ctl(uring_of(kernel)->exported, EPOLL_CTL_ADD, entry->number, &event);
}

static void export_armed(struct unix_kernel *kernel)
{
    for (size_t chunk = 0; chunk < kernel->fds.count; chunk++)
        for (size_t index = 0; kernel->fds.chunks[chunk] != NULL && index < UNIX_CHUNK; index++)
            if (kernel->fds.chunks[chunk][index].armed != 0)
                export_file(kernel, &kernel->fds.chunks[chunk][index]);
}

static int export_to(struct unix_kernel *kernel, int set, int signalled)
{
    struct uring *uring = uring_of(kernel);
    struct epoll_event level = { .events = EPOLLIN }, edge = { .events = EPOLLIN | EPOLLET };
    if (set < 0 || signalled < 0 || epoll_ctl(set, EPOLL_CTL_ADD, signalled, &level) != 0 ||
        epoll_ctl(set, EPOLL_CTL_ADD, kernel->bell[0], &edge) != 0 ||
        syscall(__NR_io_uring_register, uring->ring.fd, IORING_REGISTER_EVENTFD, &signalled, 1) < 0)
        return sos_unix_error_(errno);
    uring->exported = set;
    uring->signalled = signalled;
    export_armed(kernel);
    return set;
}

static int poll_descriptor(struct sos_kernel *face)
{
    struct unix_kernel *kernel = unix_of(face);
    if (uring_of(kernel)->exported >= 0)
        return uring_of(kernel)->exported;
    int set = epoll_create1(EPOLL_CLOEXEC);
    int signalled = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* something may have come before */
    int status = export_to(kernel, set, signalled);
    if (status < 0 && set >= 0)
        close(set);
    if (status < 0 && signalled >= 0)
        close(signalled);
    return status;
}

/* Before the events are collected: what comes later shows again. */
static void calm_exported(const struct uring *uring)
{
    struct epoll_event events[16];
    eventfd_t count;
    eventfd_read(uring->signalled, &count);
    while (epoll_wait(uring->exported, events, 16, 0) == 16)
        ;
}

/* ---- Watching */

/* A request that is ready when it is armed completes at once; other completions do not come with
 * a submission, unless some were left over. */
static int submit_watch(struct unix_kernel *kernel, struct unix_fd *entry, int fd)
{
    struct ring *ring = running(kernel);
    struct io_uring_cqe completion;
    int result = 0;
    int number = sos_ring_submit_(ring);
    if (number != 0)
        sos_unix_bell_ring_(kernel->bell); /* handed over by the next look */
    while (ring_take(ring, &completion)) {
        enum purpose purpose = (enum purpose)(completion.user_data & 0xFF);
        uint16_t turn = (uint16_t)(completion.user_data >> 8);
        if (purpose > EVERY_READ || (int)(completion.user_data >> 32) != fd ||
            turn != turn_of(entry, purpose)) {
            report(kernel, &completion);
            continue;
        }
        int told = poll_result(entry, purpose, &completion);
        if (result >= 0 && told != 0)
            result = told < 0 ? told : 1;
    }
    return result;
}

static int watch(struct sos_kernel *face, int fd, unsigned events)
{
    struct unix_kernel *kernel = unix_of(face);
    struct unix_fd *entry = unix_fd_get(kernel, fd);
    if (entry == NULL)
        return SOS_EBADF;
    if (entry->kind == UNIX_FILE)
        return 1;
    struct ring *ring = running(kernel);
    if (uring_of(kernel)->exported >= 0)
        export_file(kernel, entry);
    if ((events & SOS_WRITABLE) != 0)
        arm_once(ring, entry, fd, WRITE_ONCE);
    if ((events & SOS_READABLE) != 0 && (events & SOS_AFTER_EAGAIN) == 0) {
        arm_once(ring, entry, fd, READ_ONCE);
    } else if ((events & SOS_READABLE) != 0 && !entry->edge) {
        entry->edge = true;
        entry->armed |= 1u << EVERY_READ;
        arm_poll(ring, POLLIN | POLLRDHUP, IORING_POLL_ADD_MULTI,
                 ticket(EVERY_READ, (uint16_t)entry->generation, fd), fd);
    }
    return ring->pending != 0 ? submit_watch(kernel, entry, fd) : 0;
}

/* An armed request keeps the file open: its end must have come before the descriptor is closed,
 * or the peer would see no end of stream. One whose event is just on the way cannot be removed,
 * and a call brings 20 of those at most. */
static void forget(struct unix_kernel *kernel, struct unix_fd *entry, int fd)
{
    enum { TRIES = 1000 };
    if (entry->armed == 0 || !sos_ring_is_ours_(&uring_of(kernel)->ring))
        return; /* what a thread has armed ends with the thread */
    if (uring_of(kernel)->exported >= 0)
        epoll_ctl(uring_of(kernel)->exported, EPOLL_CTL_DEL, fd, NULL);
    struct ring *ring = running(kernel);
    for (int tries = 0; entry->armed != 0 && tries < TRIES; tries++) {
        for (enum purpose purpose = READ_ONCE; purpose <= EVERY_READ; purpose++)
            if ((entry->armed & 1u << purpose) != 0)
                disarm_poll(ring, ticket(purpose, turn_of(entry, purpose), fd));
        collect_once(kernel);
    }
}

/* ---- Looking */

static void collect(struct unix_kernel *kernel)
{
    struct uring *uring = uring_of(kernel);
    if (uring->exported >= 0)
        calm_exported(uring);
    do {
        collect_once(kernel);
    } while (uring->exported >= 0 && uring->batch != 0 && ring_rings(&uring->ring));
    if (uring->batch == 0 && ring_rings(&uring->ring)) {
        /* An event was collected before its bell was set, which Linux only clears with the next
         * event: here it is. */
        sos_unix_bell_ring_(kernel->bell);
        collect_once(kernel);
    }
}

static void arm_timer(struct uring *uring, uint64_t due)
{
    struct timespec moment;
    unix_timespec(&moment, due);
    uring->time.tv_sec = moment.tv_sec;
    uring->time.tv_nsec = moment.tv_nsec;
    struct io_uring_sqe *request = sos_ring_prepare_(&uring->ring);
    if (uring->armed_due == SOS_NEVER) {
        request->opcode = IORING_OP_TIMEOUT;
        request->addr = (uintptr_t)&uring->time;
        request->len = 1;
        request->timeout_flags = IORING_TIMEOUT_ABS;
        request->user_data = TIMER;
    } else {
        request->opcode = IORING_OP_TIMEOUT_REMOVE;
        request->addr = TIMER;
        request->addr2 = (uintptr_t)&uring->time;
        request->timeout_flags = IORING_TIMEOUT_UPDATE | IORING_TIMEOUT_ABS;
        request->flags = IOSQE_CQE_SKIP_SUCCESS; /* too late: its completion is on the way */
        request->user_data = OTHER;
    }
    request->fd = -1;
    uring->armed_due = due;
    sos_ring_submit_(&uring->ring);
}

static uint32_t allow(struct allowance *allowance, uint64_t now, uint32_t room_us, uint32_t most)
{
    uint32_t steps = allowance->steps;
    if (now - allowance->looked <= room_us)
        steps = steps < most ? steps * 2 : most;
    else
        steps /= 2;
    allowance->steps = steps > STEPS_MIN ? steps : STEPS_MIN;
    allowance->looked = now;
    return allowance->steps;
}

/*
 * A timer near by is met by looking, one further off rings the doorbell. Only an earlier one moves
 * it: an early ring costs one look. A program that soon sleeps needs neither.
 */
static uint32_t steps_until(struct unix_kernel *kernel, uint64_t now, uint64_t due)
{
    struct uring *uring = uring_of(kernel);
    if (uring->looks < LOOKS_BEFORE_TIMER) {
        uring->looks++;
        if (due < uring->armed_due)
            return STEPS_MIN;
    }
    if (due < uring->armed_due) {
        if (due - now < NEAR_US)
            return allow(&uring->near, now, NEAR_ROOM_US, NEAR_STEPS_MAX);
        arm_timer(uring, due);
    }
    return allow(&uring->far, now, ROOM_US, STEPS_MAX);
}

/* While many descriptors are busy, a call for each event would cost more than it brings. */
static bool may_skip(struct uring *uring, uint64_t now)
{
    return uring->batch >= BATCH && ++uring->skipped < COLLECT_STEPS &&
           now - uring->collected < COLLECT_US;
}

static uint32_t look(struct sos_kernel *face, sos *os, uint64_t now, uint64_t due)
{
    struct unix_kernel *kernel = unix_of(face);
    struct uring *uring = uring_of(kernel);
    unix_begin_look(kernel, os, now);
    if (ring_rings(&uring->ring) || uring->ring.pending != 0 || uring->exported >= 0) {
        if (may_skip(uring, now))
            return 1;
        uring->skipped = 0;
        uring->collected = now;
        collect(kernel);
    }
    return steps_until(kernel, now, due);
}

static void wait(struct sos_kernel *face, sos *os, uint64_t until)
{
    struct unix_kernel *kernel = unix_of(face);
    struct uring *uring = uring_of(kernel);
    if (!unix_begin_wait(kernel, os, &until))
        return;
    sos_ring_wait_(running(kernel), until);
    report_all(kernel);
    uring->looks = 0;
    uring->far.looked = 0;
}

/* ---- The back end */

/* Requests that are armed would be ended by the kernel, but later, and their files be closed
 * later. */
static void end_requests(struct ring *ring)
{
    struct io_uring_cqe completion;
    unsigned taken;
    struct io_uring_sqe *request = sos_ring_prepare_(ring);
    request->opcode = IORING_OP_ASYNC_CANCEL;
    request->fd = -1;
    request->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    request->user_data = OTHER;
    do {
        taken = 0;
        if (sos_ring_collect_(ring) != 0)
            return;
        while (ring_take(ring, &completion))
            taken++;
    } while (taken != 0);
}

static void close_uring(struct unix_kernel *kernel)
{
    struct uring *uring = uring_of(kernel);
    if (uring->ring.thread != 0 && sos_ring_is_ours_(&uring->ring))
        end_requests(&uring->ring);
    sos_ring_close_(&uring->ring);
    if (uring->exported >= 0) {
        close(uring->exported);
        close(uring->signalled);
    }
    free(uring);
}

static int open_uring(struct unix_kernel *kernel)
{
    struct uring *uring = calloc(1, sizeof *uring);
    if (uring == NULL)
        return SOS_ENOMEM;
    int number = sos_ring_open_(&uring->ring);
    if (number != 0) {
        free(uring);
        return number == EMFILE || number == ENFILE ? SOS_EMFILE : SOS_ENOTSUP;
    }
    kernel->state = uring;
    uring->armed_due = SOS_NEVER;
    uring->exported = -1;
    kernel->face.doorbell = uring->ring.bell;
    if (kernel->slack_us == 0) /* the ring's waits, unlike others, have none of their own */
        kernel->slack_us = (uint32_t)prctl(PR_GET_TIMERSLACK) / 1000;
    kernel->face.wait = wait;
    kernel->face.look = look;
    kernel->face.watch = watch;
    kernel->face.poll_descriptor = poll_descriptor;
    return SOS_OK;
}

const struct unix_backend sos_unix_uring_ = {
    .name = "uring",
    .number = SOS_UNIX_URING,
    .open = open_uring,
    .close = close_uring,
    .forget = forget,
};
