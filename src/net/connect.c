/* SPDX-License-Identifier: MIT */
/*
 * Connecting to a host: an address, or a name whose addresses race (happy eyeballs, RFC 8305). Each
 * try is a child task of the race; the first stream ends it, and the scope ends the other tries.
 */
#include "net/internal.h"

#include <string.h>

enum { ADDRESSES_MAX = 64, NEXT_TRY_MS = 250 };

struct race {
    sos_frame frame;
    struct sos_scope scope;
    const char *host;
    sos_stream **stream;
    sos_stream *won;
    uint32_t limit;
    uint16_t port;
    int count, next;          /* addresses, and the next one to be tried */
    int running;              /* tries: the first ones of `tries` */
    int status;               /* of the attempt that came furthest */
    uint64_t due;             /* when the next attempt is to be made, even if no other has failed */
    sos_handle last;          /* the youngest attempt */
    struct sos_address *list; /* first ADDRESSES_MAX as they were found, then `count` in order */
    struct sos_join *tries;
};

/* ---- One attempt */

struct attempt {
    sos_frame frame;
    struct race *race;
    const struct sos_address *address;
    sos_stream *stream;
};

/* How far it came: to the host, towards it, or not even out of this machine. */
static int distance(int status)
{
    switch (status) {
    case SOS_ECONNRESET:
        return 5;
    case SOS_ECONNREFUSED:
        return 4;
    case SOS_ETIMEDOUT:
        return 3;
    case SOS_EUNREACH:
        return 2;
    case SOS_ECANCELED:
        return 0;
    default:
        return 1;
    }
}

static void note_failure(struct race *race, int status)
{
    if (distance(status) > distance(race->status))
        race->status = status;
}

static async_fn(attempt)
{
    async_begin(attempt);
    await(sos_connect_address(task, self->address, self->race->limit, &self->stream));
    if (sos_status(task) < 0) {
        note_failure(self->race, sos_status(task));
    } else if (self->race->won == NULL) {
        self->race->won = self->stream;
        self->stream = NULL;
    }
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

/* ---- The race */

/* IPv6 and the rest by turns, each in the order in which they were found. */
static void interleave(struct sos_address *to, const struct sos_address *from, int count,
                       uint16_t port)
{
    int next[2] = { 0, 0 }; /* by turn: where to look for the next one of its kind */
    for (int done = 0, turn = 0; done < count; turn = 1 - turn) {
        int *at = &next[turn];
        while (*at < count && (from[*at].family == SOS_FAMILY_IPV6) != (turn == 0))
            ++*at;
        if (*at == count)
            continue;
        to[done] = from[(*at)++];
        to[done++].port = port;
    }
}

static size_t size_of(int count)
{
    return (size_t)count * (sizeof(struct sos_address) + sizeof(struct sos_join));
}

/* The addresses in order, and room for as many tries. */
static int prepare(sos *os, struct race *race)
{
    size_t size = size_of(race->count);
    struct sos_join *tries = sos_memory_take(os, size);
    if (tries == NULL)
        return SOS_ENOMEM;
    memset(tries, 0, size);
    struct sos_address *list = (struct sos_address *)(void *)(tries + race->count);
    interleave(list, race->list, race->count, race->port);
    sos_memory_give(os, race->list, ADDRESSES_MAX * sizeof *race->list);
    race->list = list;
    race->tries = tries;
    return SOS_OK;
}

static void give_memory(sos *os, struct race *race)
{
    if (race->tries != NULL)
        sos_memory_give(os, race->tries, size_of(race->count));
    else
        sos_memory_give(os, race->list, ADDRESSES_MAX * sizeof *race->list);
}

/* Where there is no task to be had for it, it waits until another has ended. */
static bool begin_try(sos_task *task, struct race *race)
{
    sos_handle handle = async_spawn(attempt, sos_opt(.name = "connect"), .race = race,
                                    .address = &race->list[race->next]);
    if (handle.pid < 0) {
        race->due = SOS_NEVER;
        return false;
    }
    race->next++;
    race->last = handle;
    race->tries[race->running++].task = handle;
    race->due = sos_now(sos_of(task)) + (uint64_t)SOS_MS(NEXT_TRY_MS);
    return true;
}

/* The next one is due at once if the youngest has failed. */
static void forget_ended(sos *os, struct race *race)
{
    for (int index = 0; index < race->running;) {
        const struct sos_join *ended = &race->tries[index];
        if (ended->status == SOS_EAGAIN) {
            index++;
            continue;
        }
        bool youngest = ended->task.pid == race->last.pid && ended->task.lap == race->last.lap;
        if (youngest || race->due == SOS_NEVER)
            race->due = sos_now(os);
        race->tries[index] = race->tries[--race->running];
    }
}

static int64_t until_due(sos *os, const struct race *race)
{
    uint64_t now = sos_now(os);
    if (race->next == race->count || race->due == SOS_NEVER)
        return SOS_FOREVER;
    return race->due > now ? (int64_t)(race->due - now) : 0;
}

static sos_op resolve(sos_task *task, const struct race *race)
{
    struct sos_kernel *kernel = sos_kernel_of(sos_of(task));
    return kernel->network->resolve(task, race->host, race->list, ADDRESSES_MAX);
}

static sos_op first_to_end(sos_task *task, struct race *race)
{
    return sos_join_any(task, race->tries, (size_t)race->running);
}

/* By itself, if no task can be had. */
static sos_op try_alone(sos_task *task, struct race *race)
{
    return sos_connect_address(task, &race->list[race->next++], race->limit, &race->won);
}

static async_fn(race)
{
    async_begin(race);
    self->status = SOS_ECANCELED;
    self->list = sos_memory_take(sos_of(task), ADDRESSES_MAX * sizeof *self->list);
    if (self->list == NULL)
        async_return(SOS_ENOMEM);
    try_await(resolve(task, self));
    self->count = sos_status(task);
    if (self->count == 0)
        async_return(SOS_ENONAME);
    if (prepare(sos_of(task), self) != SOS_OK)
        async_return(SOS_ENOMEM);
    sos_scope_open(task, &self->scope);
    while (self->won == NULL && (self->running != 0 || self->next < self->count)) {
        if (self->count > 1 && until_due(sos_of(task), self) == 0 && begin_try(task, self))
            continue;
        if (self->running == 0) {
            await(try_alone(task, self));
            note_failure(self, sos_status(task));
            self->due = 0;
            continue;
        }
        await(sos_within(task, until_due(sos_of(task), self), first_to_end(task, self)));
        if (sos_status(task) < 0 && sos_status(task) != SOS_ETIMEDOUT)
            async_return(sos_status(task));
        forget_ended(sos_of(task), self);
    }
    if (self->won == NULL)
        async_return(self->status);
    *self->stream = self->won;
    self->won = NULL;
    async_return(SOS_OK);
    async_finally;
    sos_stream_close(self->won);
    give_memory(sos_of(task), self);
    async_end;
}

static sos_op connect_plainly(sos_task *task, const struct sos_connect_options *options,
                              sos_stream **stream)
{
    struct sos_kernel *kernel = sos_kernel_of(sos_of(task));
    struct sos_address address;
    if (sos_address_parse(&address, options->host, options->port) == SOS_OK)
        return sos_connect_address(task, &address, options->max_buffer_size, stream);
    if (kernel->network == NULL || kernel->network->resolve == NULL)
        return sos_complete(task, SOS_ENOTSUP);
    return async_call(race, .host = options->host, .stream = stream,
                      .limit = options->max_buffer_size, .port = options->port);
}

struct securely {
    sos_frame frame;
    struct sos_connect_options options;
    sos_stream **stream;
    sos_stream *plain, *secure; /* which owns the plain one */
};

static async_fn(securely)
{
    async_begin(securely);
    try_await(connect_plainly(task, &self->options, &self->plain));
    try_await(
        sos_tls_client(task, self->plain, self->options.tls, self->options.host, &self->secure));
    *self->stream = self->secure;
    self->secure = self->plain = NULL;
    async_finally;
    if (self->plain == NULL && *self->stream == NULL)
        sos_tls_tell_(self->options.tls, sos_error_text(sos_status(task)));
    sos_stream_close(self->secure != NULL ? self->secure : self->plain);
    async_end;
}

sos_op sos_connect(sos_task *task, const struct sos_connect_options *options, sos_stream **stream)
{
    if (options == NULL || options->host == NULL || stream == NULL)
        return sos_complete(task, SOS_EINVAL);
    *stream = NULL;
    if (options->tls == NULL)
        return connect_plainly(task, options, stream);
    return async_call(securely, .options = *options, .stream = stream);
}
