/* SPDX-License-Identifier: MIT */
#include "redis_sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/resp.h"

enum { WORDS = 8, WORD = 64, CHANNELS = 4, OUT = 512 };

struct redis_sim_link {
    struct redis_sim_link *next;
    struct redis_sim *sim;
    sos_stream *stream;
    bool resp3, broken;
    char channels[CHANNELS][WORD]; /* "": free */
    struct sos_resp_parser_ parser;
    struct sos_resp_level_ levels[4];
    int count; /* words of the command that is arriving */
    char words[WORDS][WORD];
};

/* ---- Answers */

static void answer(struct redis_sim_link *link, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void answer(struct redis_sim_link *link, const char *format, ...)
{
    char text[OUT];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CHECK(length > 0 && length < OUT);
    link->broken = link->broken || sos_stream_put(link->stream, text, (size_t)length) != SOS_OK;
}

static int subscriptions(const struct redis_sim_link *link)
{
    int count = 0;
    for (int index = 0; index < CHANNELS; index++)
        count += link->channels[index][0] != '\0';
    return count;
}

static int find(const struct redis_sim_link *link, const char *channel)
{
    for (int index = 0; index < CHANNELS; index++)
        if (strcmp(link->channels[index], channel) == 0)
            return index;
    return -1;
}

static char aggregate(const struct redis_sim_link *link)
{
    return link->resp3 ? '>' : '*';
}

static void subscribe(struct redis_sim_link *link, const char *channel, bool wanted)
{
    int at = find(link, channel), place = find(link, "");
    if (wanted && at < 0) {
        CHECK(place >= 0);
        strcpy(link->channels[place], channel);
    } else if (!wanted && at >= 0) {
        link->channels[at][0] = '\0';
    }
    const char *word = wanted ? "subscribe" : "unsubscribe";
    answer(link, "%c3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n:%d\r\n", aggregate(link), strlen(word), word,
           strlen(channel), channel, subscriptions(link));
}

static int publish(struct redis_sim *sim, const char *channel, const char *text)
{
    int heard = 0;
    for (struct redis_sim_link *link = sim->links; link != NULL; link = link->next) {
        if (find(link, channel) < 0)
            continue;
        answer(link, "%c3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", aggregate(link),
               strlen(channel), channel, strlen(text), text);
        heard++;
    }
    return heard;
}

int redis_sim_subscribers(const struct redis_sim *sim)
{
    int count = 0;
    for (const struct redis_sim_link *link = sim->links; link != NULL; link = link->next)
        count += subscriptions(link) != 0;
    return count;
}

/* ---- Commands */

static void hello(struct redis_sim_link *link)
{
    if (link->sim->old) {
        answer(link, "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n");
        return;
    }
    link->resp3 = true;
    answer(link, "%%2\r\n+server\r\n+redis\r\n+modules\r\n*0\r\n");
}

static void carry_out(struct redis_sim_link *link)
{
    const char *command = link->words[0];
    if (strcmp(command, "HELLO") == 0)
        hello(link);
    else if (strcmp(command, "AUTH") == 0 || strcmp(command, "SELECT") == 0)
        answer(link, "+OK\r\n");
    else if (strcmp(command, "ECHO") == 0)
        answer(link, "$%zu\r\n%s\r\n", strlen(link->words[1]), link->words[1]);
    else if (strcmp(command, "PING") == 0)
        answer(link, "+PONG\r\n");
    else if (strcmp(command, "INCR") == 0)
        answer(link, ":%d\r\n", ++link->sim->counter);
    else if (strcmp(command, "SUBSCRIBE") == 0 || strcmp(command, "UNSUBSCRIBE") == 0)
        subscribe(link, link->words[1], *command == 'S');
    else if (strcmp(command, "PUBLISH") == 0)
        answer(link, ":%d\r\n", publish(link->sim, link->words[1], link->words[2]));
    else
        answer(link, "-ERR unknown command '%s'\r\n", command);
}

/* A command is an array of strings. */
static void take_event(struct redis_sim_link *link, int kind, const struct sos_resp_event_ *event)
{
    if (kind == SOS_RESP_VALUE_) {
        CHECK(link->count < WORDS && event->length < WORD);
        memcpy(link->words[link->count], event->text, event->length);
        link->words[link->count++][event->length] = '\0';
    }
    if (!event->whole)
        return;
    carry_out(link);
    link->count = 0;
}

static void take_commands(struct redis_sim_link *link)
{
    struct sos_resp_event_ event;
    size_t size, taken = 0;
    const char *bytes = (const char *)sos_stream_data(link->stream, &size);
    for (;;) {
        int kind = sos_resp_next_(&link->parser, bytes + taken, size - taken, &event);
        CHECK(kind >= 0); /* the client keeps to the protocol */
        taken += event.taken;
        if (kind == SOS_PARTIAL_)
            break;
        take_event(link, kind, &event);
    }
    sos_stream_take(link->stream, taken);
}

/* ---- Tasks */

struct redis_sim_serve {
    sos_frame frame;
    struct redis_sim_link link;
};

static int64_t lag(const struct redis_sim *sim)
{
    return sos_sim_random(world.kernel, (uint32_t)sim->lag_us + 1);
}

static void enter(struct redis_sim_link *link)
{
    const struct sos_resp_limits_ limits = { .max_nesting_depth = 4 };
    sos_resp_init_(&link->parser, &limits, link->levels);
    link->next = link->sim->links;
    link->sim->links = link;
}

static void leave(struct redis_sim_link *link)
{
    struct redis_sim_link **at = &link->sim->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    sos_stream_close(link->stream);
}

/* What others publish goes out with the next answer, or after a while. */
static async_fn(redis_sim_serve)
{
    async_begin(redis_sim_serve);
    enter(&self->link);
    for (;;) {
        await(sos_within(task, SOS_MS(5), sos_stream_more(task, self->link.stream)));
        if (sos_status(task) < 0 && sos_status(task) != SOS_ETIMEDOUT)
            break;
        if (sos_status(task) == SOS_ETIMEDOUT && sos_stream_error(self->link.stream) != 0)
            break;
        if (self->link.sim->lag_us != 0 && sos_status(task) > 0)
            await(sos_sleep(task, lag(self->link.sim)));
        take_commands(&self->link);
        await(sos_stream_flush(task, self->link.stream));
        if (sos_status(task) < 0 || self->link.broken)
            break;
    }
    async_return(SOS_OK);
    async_finally;
    leave(&self->link);
    async_end;
}

struct redis_sim_accept {
    sos_frame frame;
    struct redis_sim *sim;
    sos_stream *stream;
};

static void serve(sos_task *task, struct redis_sim_accept *self)
{
    sos_handle handle = async_spawn(redis_sim_serve, sos_opt(.detached = true, .watcher = true),
                                    .link = { .sim = self->sim, .stream = self->stream });
    if (handle.pid < 0)
        sos_stream_close(self->stream);
    self->stream = NULL;
}

static int listen_for(const struct redis_sim_accept *self)
{
    const struct sos_listen at = { .host = "10.0.0.1", .port = 6379 };
    return sos_listener_open(world.os, &at, &self->sim->listener);
}

static async_fn(redis_sim_accept)
{
    async_begin(redis_sim_accept);
    if (listen_for(self) != SOS_OK)
        async_return(SOS_ENOMEM);
    for (;;) {
        try_await(sos_accept(task, self->sim->listener, &self->stream));
        self->sim->connections++;
        serve(task, self);
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(self->sim->listener);
    async_end;
}

void redis_sim_start(struct redis_sim *sim, int priority)
{
    CHECK(sos_fork(world.os, redis_sim_accept, sos_opt(.priority = priority, .watcher = true),
                   .sim = sim)
              .pid >= 0);
}
