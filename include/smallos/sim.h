/* SPDX-License-Identifier: MIT */
/*
 * The simulation kernel, for tests and for looking at a program in slow motion. Time is virtual:
 * it stands still while tasks run and jumps to the next timer or simulated event when none does,
 * so that an hour takes as long as what happens in it. Everything random comes from one seed: the
 * same program with the same seed does the same again, to the last byte.
 *
 * All functions belong to the thread that runs the runtime.
 */
#ifndef SMALLOS_SIM_H
#define SMALLOS_SIM_H

#include "smallos/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero means default, in every field. */
struct sos_sim_options {
    /* 0 leaves nothing to chance: events of one moment come in the order in which they were made,
     * delays are the smallest, transfers the largest possible. */
    uint64_t seed;
    uint64_t start_us;        /* what the clock shows at first */
    uint32_t step_us;         /* virtual time that every step takes; default none */
    uint64_t fail_allocation; /* the n-th allocation fails, 1 being the first; default none */
    bool fail_all_after;      /* and so do all after it */
    uint32_t max_descriptors; /* at a time: more end in SOS_EMFILE; default 1,048,576 */

    /* Console output goes to write() if there is one, else into a buffer if `record` is set, else
     * to the program's standard output (reports to its standard error). */
    int (*write)(void *context, enum sos_channel channel, const char *text, size_t size);
    bool record;

    /* Mistakes of the program; must not return. Default: prints the text and aborts. */
    void (*panic)(void *context, const char *text);
    void *context; /* for write and panic */
};

/*
 * Makes a kernel; its callbacks may be changed before a runtime is made with it. `options` may be
 * NULL. 0 or SOS_ENOMEM (of the machine itself: injected failures start with the runtime).
 */
int sos_sim_create(struct sos_kernel **kernel, const struct sos_sim_options *options);

/*
 * Ends it, after the runtime. Returns how many allocations had not been given back, and frees them:
 * after a panic that was left by longjmp, the runtime cannot. NULL is fine.
 */
size_t sos_sim_destroy(struct sos_kernel *kernel);

/* ---- Time and chance */

/* Lets virtual time pass inside a step: simulated work. */
void sos_sim_spend(struct sos_kernel *kernel, uint64_t us);

/*
 * Calls `function` in `delay_us` of virtual time, between two steps, like an interrupt: it may
 * post signals, stop the runtime, and use the functions of this header.
 */
void sos_sim_call(struct sos_kernel *kernel, uint64_t delay_us, void (*function)(void *context),
                  void *context);

/* A number from the seed: 0 to limit - 1. limit 0 counts as 1. */
uint32_t sos_sim_random(struct sos_kernel *kernel, uint32_t limit);

/* ---- Memory */

struct sos_sim_memory_use {
    uint64_t allocations; /* asked for so far, failed ones included */
    size_t blocks, bytes; /* held now */
};
struct sos_sim_memory_use sos_sim_memory(const struct sos_kernel *kernel);

/* The n-th allocation from now on fails, 1 being the next, 0 none; `all_after`: and the rest. */
void sos_sim_fail_allocation(struct sos_kernel *kernel, uint64_t n, bool all_after);

/* ---- Trace: lines of virtual time and text, for tests that compare the whole of it. */

/* Appends "<now> <text>\n", formatted as by printf. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sos_sim_note(struct sos_kernel *kernel, const char *format, ...);

/* The trace so far, NUL-terminated; valid until the next note. */
const char *sos_sim_trace(const struct sos_kernel *kernel);
void sos_sim_trace_clear(struct sos_kernel *kernel);

/* Console output recorded so far, NUL-terminated; valid until the next write. */
const char *sos_sim_output(const struct sos_kernel *kernel);
void sos_sim_output_clear(struct sos_kernel *kernel);

/* ---- Streams: two descriptors joined by a simulated wire in each direction. */

struct sos_sim_stream {
    uint32_t capacity;                   /* bytes under way and unread, each way; default 65536 */
    uint32_t delay_min_us, delay_max_us; /* from a write to its arrival */
    uint32_t transfer_max;               /* bytes a read or write moves at most; default no limit */
};

/* Two descriptors of a stream; `options` may be NULL. 0, SOS_EINVAL (delays), SOS_EMFILE. */
int sos_sim_pair(struct sos_kernel *kernel, int fds[2], const struct sos_sim_stream *options);

/*
 * Half-close: no more writes; the other end reads its end of stream after what is under way.
 * 0, SOS_EBADF, SOS_EPIPE: closed for writing already.
 */
int sos_sim_shutdown(struct sos_kernel *kernel, int fd);

/*
 * Breaks the stream: what is under way or unread is lost and both ends get SOS_ECONNRESET, the
 * other one after the wire's delay. 0 or SOS_EBADF.
 */
int sos_sim_reset(struct sos_kernel *kernel, int fd);

/*
 * Cuts the wires without a word: what is under way arrives, nothing after it does, and neither end
 * is ever told, not even when the other closes. 0 or SOS_EBADF.
 */
int sos_sim_cut(struct sos_kernel *kernel, int fd);

/* How many descriptors are open. */
uint32_t sos_sim_descriptors(const struct sos_kernel *kernel);

/*
 * ---- The network: struct sos_network of the simulation. Tasks of the runtime listen on any address
 * they like and connect to it; a route says what the way there is like.
 */

enum sos_sim_fate {
    SOS_SIM_ANSWERS,     /* whoever listens there accepts; when nobody does, it is refused */
    SOS_SIM_REFUSES,     /* SOS_ECONNREFUSED, also when somebody listens */
    SOS_SIM_UNREACHABLE, /* SOS_EUNREACH */
    SOS_SIM_BLACK_HOLE,  /* no answer at all: SOS_ETIMEDOUT after `give_up_us` */
    SOS_SIM_HALF_OPEN    /* connects, but nothing that is sent arrives anywhere */
};

/* Zero means default in every field. Percentages are chances by the seed; without one none comes. */
struct sos_sim_route {
    enum sos_sim_fate fate;
    uint32_t connect_min_us, connect_max_us; /* until a connection stands or is refused */
    uint64_t give_up_us;                     /* of a black hole; default 127 s, as Linux */
    struct sos_sim_stream stream;            /* the wires of connections; delays of datagrams */
    uint8_t refused_percent, black_hole_percent;
    uint8_t reset_percent;     /* of the connections are reset, within `reset_us` of their start */
    uint8_t half_open_percent; /* of the connections are cut, within `reset_us` of their start */
    uint64_t reset_us;         /* default 1 s */
    uint8_t loss_percent;      /* of the datagrams */
};

/*
 * The way to `address` ("192.0.2.1", "2001:db8::1", "unix:/path"; NULL: to all that have none of
 * their own) and `port` (0: all that have none of their own), for what is begun from now on.
 * SOS_EINVAL: no address, or the delays or a percentage are out of range.
 */
int sos_sim_set_route(struct sos_kernel *kernel, const char *address, uint16_t port,
                      const struct sos_sim_route *route);

/* What a name resolves to: after `delay_us`, in `status` if that is an error, else in the addresses.
 * Names that were never told end in SOS_ENONAME at once. */
struct sos_sim_name {
    uint64_t delay_us;        /* SOS_NEVER: no answer ever comes */
    int status;               /* an error, or 0 */
    const char *addresses[8]; /* up to the first NULL */
};

/* Tells a name, or tells it anew; everything is copied. SOS_EINVAL: what is no address. */
int sos_sim_set_name(struct sos_kernel *kernel, const char *name,
                     const struct sos_sim_name *answer);

#ifdef __cplusplus
}
#endif
#endif
