/* SPDX-License-Identifier: MIT */
/*
 * A port that compiles and does nothing. smallos/kernel.h is the contract; here each callback says
 * in a line what a board puts into it. now, wait and wake are needed; whatever else the board does
 * not have is left out of the struct at the end.
 */
#include "template.h"

/* The board's counter in microseconds, its wraps counted, so that it never runs backwards. */
static uint64_t now(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

/* A finer counter in nanoseconds, for accounting: the cycle counter, if there is one. */
static uint64_t fine_clock(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

/* Masks interrupts; unless something waits to be seen, arms the timer for `until` and sleeps. */
static void wait(struct sos_kernel *kernel, sos *os, uint64_t until)
{
    (void)kernel;
    (void)until;
    if (sos_attention(os))
        return;
}

/* Looks which descriptors have become ready, calls sos_source_ready; 1: again after every step. */
static uint32_t look(struct sos_kernel *kernel, sos *os, uint64_t time, uint64_t due)
{
    (void)kernel;
    (void)os;
    (void)time;
    (void)due;
    return 1;
}

/* Ends the sleep in wait(), or keeps the next one from beginning: an event, a pending interrupt. */
static void wake(struct sos_kernel *kernel)
{
    (void)kernel;
}

/* Masks interrupts and returns how they were masked before. */
static uintptr_t critical_enter(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

/* Masks them as they were. */
static void critical_leave(struct sos_kernel *kernel, uintptr_t state)
{
    (void)kernel;
    (void)state;
}

/* Where there are threads: something that differs from thread to thread. */
static uintptr_t thread(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

/* Where another event loop may be around smallOS: what that loop polls. */
static int poll_descriptor(struct sos_kernel *kernel)
{
    (void)kernel;
    return SOS_ENOTSUP;
}

/* The heap, if the board has one; otherwise sos_config.memory brings all memory. */
static void *reallocate(struct sos_kernel *kernel, void *old, size_t old_size, size_t size)
{
    (void)kernel;
    (void)old;
    (void)old_size;
    (void)size;
    return NULL;
}

/* The UART, the USB console: all of the text, or none and SOS_EAGAIN. */
static int write_console(struct sos_kernel *kernel, enum sos_channel channel, const char *text,
                         size_t size)
{
    (void)kernel;
    (void)channel;
    (void)text;
    return (int)size;
}

/* What has been typed since the last call. */
static int read_console(struct sos_kernel *kernel, char *text, size_t size)
{
    (void)kernel;
    (void)text;
    (void)size;
    return SOS_EAGAIN;
}

/* The calendar, once it is known: a battery-backed clock, or the network's time. */
static uint64_t wall_clock(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

/* The random number generator of the chip; an error rather than weak numbers. */
static int entropy(struct sos_kernel *kernel, void *bytes, size_t size)
{
    (void)kernel;
    (void)bytes;
    (void)size;
    return SOS_ENOTSUP;
}

/* Tells the text to whoever is there, then resets or stops. */
static void panic(struct sos_kernel *kernel, const char *text)
{
    (void)kernel;
    (void)text;
    for (;;)
        ;
}

/* Writes the key into the watchdog. */
static void feed_watchdog(struct sos_kernel *kernel)
{
    (void)kernel;
}

/* The readiness record of a descriptor: a field of the connection it stands for. */
static struct sos_source *source(struct sos_kernel *kernel, int fd)
{
    (void)kernel;
    (void)fd;
    return NULL;
}

/* Is it ready already? If not, remembers that somebody waits, for look() and wait(). */
static int watch(struct sos_kernel *kernel, int fd, unsigned events)
{
    (void)kernel;
    (void)fd;
    (void)events;
    return SOS_EBADF;
}

/* Takes what has arrived, without waiting. */
static int fd_read(struct sos_kernel *kernel, int fd, void *bytes, size_t size)
{
    (void)kernel;
    (void)fd;
    (void)bytes;
    (void)size;
    return SOS_EBADF;
}

/* Hands over what there is room for, without waiting. */
static int fd_write(struct sos_kernel *kernel, int fd, const void *bytes, size_t size)
{
    (void)kernel;
    (void)fd;
    (void)bytes;
    (void)size;
    return SOS_EBADF;
}

/* Closes the connection and forgets the record. */
static int fd_close(struct sos_kernel *kernel, int fd)
{
    (void)kernel;
    (void)fd;
    return SOS_EBADF;
}

struct sos_kernel sos_template_kernel = { .now = now,
                                          .fine_clock = fine_clock,
                                          .wait = wait,
                                          .look = look,
                                          .wake = wake,
                                          .critical_enter = critical_enter,
                                          .critical_leave = critical_leave,
                                          .thread = thread,
                                          .poll_descriptor = poll_descriptor,
                                          .reallocate = reallocate,
                                          .write = write_console,
                                          .read = read_console,
                                          .wall_clock = wall_clock,
                                          .entropy = entropy,
                                          .panic = panic,
                                          .feed_watchdog = feed_watchdog,
                                          .source = source,
                                          .watch = watch,
                                          .fd_read = fd_read,
                                          .fd_write = fd_write,
                                          .fd_close = fd_close };
