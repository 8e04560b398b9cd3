/* SPDX-License-Identifier: MIT */
/* Simulated names: a table that the test fills. */
#include <stdlib.h>

#include "internal.h"
#include "smallos/async.h"

enum { ADDRESSES = (int)(sizeof((struct sos_sim_name *)0)->addresses / sizeof(char *)) };

struct sos_sim_name_entry_ {
    struct sos_sim_name_entry_ *next;
    char *name;
    uint64_t delay_us;
    int status;
    int count;
    struct sos_address list[ADDRESSES];
};

static struct sos_sim_name_entry_ *find(const struct sos_sim_ *sim, const char *name)
{
    struct sos_sim_name_entry_ *entry = sim->names;
    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->next;
    return entry;
}

int sos_sim_set_name(struct sos_kernel *kernel, const char *name, const struct sos_sim_name *answer)
{
    struct sos_sim_ *sim = sos_sim_of_(kernel);
    struct sos_sim_name_entry_ fresh = { .delay_us = answer->delay_us, .status = answer->status };
    while (fresh.count < ADDRESSES && answer->addresses[fresh.count] != NULL) {
        if (sos_address_parse(&fresh.list[fresh.count], answer->addresses[fresh.count], 0) !=
            SOS_OK)
            return SOS_EINVAL;
        fresh.count++;
    }
    struct sos_sim_name_entry_ *entry = find(sim, name);
    if (entry == NULL) {
        entry = sos_sim_grow_(NULL, sizeof *entry);
        entry->name = sos_sim_grow_(NULL, strlen(name) + 1);
        strcpy(entry->name, name);
        entry->next = sim->names;
        sim->names = entry;
    }
    fresh.name = entry->name;
    fresh.next = entry->next;
    *entry = fresh;
    return SOS_OK;
}

struct looking_up {
    sos_frame frame;
    const struct sos_sim_name_entry_ *entry;
    struct sos_address *list;
    size_t room;
};

static int answer(const struct looking_up *look_up)
{
    const struct sos_sim_name_entry_ *entry = look_up->entry;
    size_t count = (size_t)entry->count < look_up->room ? (size_t)entry->count : look_up->room;
    if (entry->status < 0)
        return entry->status;
    memcpy(look_up->list, entry->list, count * sizeof *entry->list);
    return count != 0 ? (int)count : SOS_ENONAME;
}

static async_fn(looking_up)
{
    async_begin(looking_up);
    if (self->entry->delay_us == SOS_NEVER)
        try_await(sos_sleep(task, SOS_FOREVER));
    else if (self->entry->delay_us != 0)
        try_await(sos_sleep(task, (int64_t)self->entry->delay_us));
    async_return(answer(self));
    async_end;
}

sos_op sos_sim_resolve_(sos_task *task, const char *name, struct sos_address *list, size_t room)
{
    struct sos_sim_ *sim = sos_sim_of_(sos_kernel_of(sos_of(task)));
    const struct sos_sim_name_entry_ *entry = find(sim, name);
    if (entry == NULL)
        return sos_complete(task, SOS_ENONAME);
    return async_call(looking_up, .entry = entry, .list = list, .room = room);
}

void sos_sim_names_end_(struct sos_sim_ *sim)
{
    while (sim->names != NULL) {
        struct sos_sim_name_entry_ *entry = sim->names;
        sim->names = entry->next;
        free(entry->name);
        free(entry);
    }
}
