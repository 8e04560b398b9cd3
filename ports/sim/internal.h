/* SPDX-License-Identifier: MIT */
/* What the files of the simulation kernel share. */
#ifndef SMALLOS_PORTS_SIM_INTERNAL_H
#define SMALLOS_PORTS_SIM_INTERNAL_H

#include <string.h>

#include "smallos/network.h"
#include "smallos/sim.h"
#include "smallos/tls_engine.h"

struct sos_sim_;
struct sos_sim_pair_;
struct sos_sim_listener_;
struct sos_sim_udp_;
struct sos_sim_route_entry_;
struct sos_sim_name_entry_;
union sos_sim_block_;

/* Something that will happen, between two steps. `os` is the runtime that looks or waits. */
typedef void (*sos_sim_event_)(struct sos_sim_ *sim, sos *os, void *context);

struct sos_sim_pending_ {
    uint64_t due;
    uint64_t order; /* within one moment */
    sos_sim_event_ fire;
    void (*call)(void *context); /* of sos_sim_call */
    void *context;
};

struct sos_sim_text_ {
    char *bytes; /* NUL-terminated once there are any */
    size_t size, room;
};

struct sos_sim_ {
    struct sos_kernel kernel; /* first */
    struct sos_sim_options options;

    uint64_t now;
    bool charged;   /* the step to come has been added to `now` */
    uint32_t looks; /* since the last wait: more than one mean that a task ran */
    bool idle;      /* the last wait found that nothing will ever happen */

    uint64_t chance, secrets;         /* states of the two generators */
    struct sos_sim_pending_ *pending; /* binary heap */
    size_t pending_count, pending_room;
    uint32_t event_count;

    struct sos_sim_memory_use memory;
    union sos_sim_block_ *blocks; /* held */
    uint64_t fail_at;             /* allocation number; 0: none */
    bool fail_all_after;

    struct sos_sim_text_ trace, output;

    struct sos_sim_fd_ **fds; /* by descriptor */
    size_t fds_room;
    struct sos_sim_pair_ *pairs; /* all of them */
    struct sos_sim_listener_ *listeners;
    struct sos_sim_udp_ *datagram_sockets;
    struct sos_sim_route_entry_ *routes;
    struct sos_sim_name_entry_ *names;
    uint16_t last_port; /* given to a socket that did not ask for one */
};

/* What stands behind a descriptor: the first member of every kind. */
struct sos_sim_fd_ {
    const struct sos_sim_kind_ *kind;
    struct sos_sim_ *sim;
    struct sos_source source;
    unsigned watched;
    uint32_t events; /* that will come yet and refer to it */
    bool closed;
};

struct sos_sim_kind_ {
    unsigned (*readiness)(const struct sos_sim_fd_ *fd);
    int (*read)(struct sos_sim_fd_ *fd, void *bytes, size_t size); /* NULL: SOS_EINVAL */
    int (*write)(struct sos_sim_fd_ *fd, const void *bytes, size_t size);
    void (*close)(struct sos_sim_fd_ *fd);
    void (*free)(struct sos_sim_fd_ *fd); /* closed, and no event refers to it any more */
};

/* One end of a stream. */
struct sos_sim_end_ {
    struct sos_sim_fd_ fd; /* first */
    struct sos_sim_pair_ *pair;
    struct sos_sim_wire_ *out, *in;
    struct sos_address address;
    int error;      /* of every call from now on; 0: none */
    bool pending;   /* begins to connect */
    bool shut;      /* for writing, by its owner */
    bool in_ended;  /* the other side will write no more */
    bool peer_gone; /* nor read */
};

static inline struct sos_sim_ *sos_sim_of_(const struct sos_kernel *kernel)
{
    return (struct sos_sim_ *)(uintptr_t)kernel;
}

/* Memory of the simulation itself, beside that of the runtime. Never fails: it ends the program. */
void *sos_sim_grow_(void *old, size_t size);
void sos_sim_panic_(struct sos_sim_ *sim, const char *text);

void sos_sim_schedule_(struct sos_sim_ *sim, uint64_t due, sos_sim_event_ fire, void *context);

/* A choice of the seed below `limit`; without a seed 0. */
static inline uint32_t sim_choose(struct sos_sim_ *sim, uint32_t limit)
{
    return sim->options.seed == 0 ? 0 : sos_sim_random(&sim->kernel, limit);
}

/* descriptors.c */
void sos_sim_descriptors_start_(struct sos_sim_ *sim);
struct sos_sim_fd_ *sos_sim_fd_(const struct sos_kernel *kernel, int fd); /* NULL: there is none */
int sos_sim_fd_new_(struct sos_sim_ *sim, struct sos_sim_fd_ *fd);        /* SOS_EMFILE */
void sos_sim_fd_close_(struct sos_sim_fd_ *fd);
void sos_sim_fd_schedule_(struct sos_sim_fd_ *fd, uint64_t due, sos_sim_event_ fire, void *context);
void sos_sim_fd_event_over_(struct sos_sim_fd_ *fd);    /* at the end of what was scheduled so */
void sos_sim_fd_tell_(struct sos_sim_fd_ *fd, sos *os); /* its waiters, in an event */
void sos_sim_fd_changed_(struct sos_sim_fd_ *fd);       /* in the middle of a step */

/* streams.c */
extern const struct sos_sim_kind_ sos_sim_end_kind_;
struct sos_sim_end_ *sos_sim_end_(const struct sos_kernel *kernel, int fd); /* NULL: it is none */
int sos_sim_pair_new_(struct sos_sim_ *sim, const struct sos_sim_stream *options,
                      struct sos_sim_end_ *ends[2]); /* without descriptors */
int sos_sim_end_reset_(struct sos_sim_end_ *end);
int sos_sim_end_shutdown_(struct sos_sim_end_ *end);
void sos_sim_pair_cut_(struct sos_sim_end_ *end);
struct sos_sim_end_ *sos_sim_other_end_(const struct sos_sim_end_ *end);
void sos_sim_streams_end_(struct sos_sim_ *sim);

/* network.c */
extern const struct sos_network sos_sim_network_;
const struct sos_sim_route *sos_sim_route_to_(struct sos_sim_ *sim, const struct sos_address *to);
uint16_t sos_sim_port_(struct sos_sim_ *sim);
void sos_sim_network_end_(struct sos_sim_ *sim);

/* datagrams.c */
int sos_sim_bind_udp_(struct sos_kernel *kernel, const struct sos_address *at);
int sos_sim_send_to_(struct sos_kernel *kernel, int fd, const struct sos_address *to,
                     const void *bytes, size_t size);
int sos_sim_receive_from_(struct sos_kernel *kernel, int fd, struct sos_address *from, void *bytes,
                          size_t size);
int sos_sim_udp_name_(const struct sos_sim_fd_ *fd, struct sos_address *address);
void sos_sim_datagrams_end_(struct sos_sim_ *sim);

/* names.c */
sos_op sos_sim_resolve_(sos_task *task, const char *name, struct sos_address *list, size_t room);
void sos_sim_names_end_(struct sos_sim_ *sim);

/* The same address, whatever the rest of the memory holds; ports count. */
static inline bool sim_same_host(const struct sos_address *a, const struct sos_address *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == SOS_FAMILY_LOCAL)
        return strcmp(a->path, b->path) == 0;
    return memcmp(a->ip, b->ip, a->family == SOS_FAMILY_IPV4 ? 4 : 16) == 0;
}

/* Listens on every address of its family. */
static inline bool sim_is_any(const struct sos_address *address)
{
    static const uint8_t zero[16];
    return address->family != SOS_FAMILY_LOCAL &&
           memcmp(address->ip, zero, address->family == SOS_FAMILY_IPV4 ? 4 : 16) == 0;
}

#endif
