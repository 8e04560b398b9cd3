/* SPDX-License-Identifier: MIT */
/* What the files of the simulation kernel share. */
#ifndef SMALLOS_PORTS_SIM_INTERNAL_H
#define SMALLOS_PORTS_SIM_INTERNAL_H

#include "smallos/sim.h"

struct sos_sim_;
struct sos_sim_end_;
struct sos_sim_pair_;
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

    struct sos_sim_pair_ *pairs; /* all of them */
    struct sos_sim_end_ **ends;  /* by descriptor */
    size_t ends_room;
};

static inline struct sos_sim_ *sos_sim_of_(const struct sos_kernel *kernel)
{
    return (struct sos_sim_ *)(uintptr_t)kernel;
}

/* Memory of the simulation itself, beside that of the runtime. Never fails: it ends the program. */
void *sos_sim_grow_(void *old, size_t size);
void sos_sim_panic_(struct sos_sim_ *sim, const char *text);

void sos_sim_schedule_(struct sos_sim_ *sim, uint64_t due, sos_sim_event_ fire, void *context);

/* streams.c */
void sos_sim_streams_start_(struct sos_sim_ *sim);
void sos_sim_streams_end_(struct sos_sim_ *sim);

#endif
