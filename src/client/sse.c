/* SPDX-License-Identifier: MIT */
/*
 * Server-Sent Events: a response of the HTTP client that is read in portions, over and over. The task
 * that reads goes round this circle, and may leave it at any place:
 *
 *     parse what is there -> an event: done
 *     connected: read more -> lost: note why
 *     not connected: wait as the supervisor says -> attempt -> connected, failed, or over for good
 */
#include "smallos/sse.h"

#include <stdio.h>
#include <string.h>

#include "proto/sse.h"
#include "smallos/async.h"

enum { PORTION = 2048, TEXT_MOST = 160, ATTEMPT_S = 30, OWN_FIELDS = 2 };

struct sos_sse {
    sos *os;
    sos_http *http;
    struct sos_http_response response; /* its body is the stream, while `connected` */
    struct sos_sse_parser_ parser;
    struct sos_supervisor supervisor;
    int64_t attempt_us, stable_us;
    uint32_t users; /* frames that refer to it: its memory goes with the last of them */
    bool closed, busy, connected, once;
    bool eventful;  /* this connection has brought an event */
    int over;       /* why there will be no more events; 0: there may be */
    size_t at, end; /* what of `bytes` has not been parsed */
    char text[TEXT_MOST];
    char bytes[PORTION];
    size_t path_room;
    char path[]; /* what is requested */
};

/* ---- Memory */

static void leave(sos_sse *sse)
{
    if (--sse->users != 0 || !sse->closed)
        return;
    struct sos_sse_memory_ *texts[] = { &sse->parser.data, &sse->parser.type, &sse->parser.id };
    for (size_t index = 0; index < 3; index++) {
        if (texts[index]->at != NULL)
            sos_memory_give(sse->os, texts[index]->at, texts[index]->size + 1);
    }
    sos_http_response_free(&sse->response);
    sos_memory_give(sse->os, sse, sizeof *sse + sse->path_room);
}

/* There is always room for a NUL behind what the parser knows of. */
static int grow(sos_sse *sse, struct sos_sse_memory_ *memory, size_t wanted)
{
    enum { FIRST = 64 };
    size_t size = memory->size < FIRST ? FIRST : 2 * memory->size + 1;
    if (size < wanted)
        size = wanted;
    char *at = sos_memory_take(sse->os, size + 1);
    if (at == NULL)
        return SOS_ENOMEM;
    if (memory->at != NULL) {
        memcpy(at, memory->at, memory->size);
        sos_memory_give(sse->os, memory->at, memory->size + 1);
    }
    *memory = (struct sos_sse_memory_){ at, size };
    return SOS_OK;
}

/* ---- How it stands */

static int say(sos_sse *sse, int status, const char *text)
{
    snprintf(sse->text, sizeof sse->text, "%s", text != NULL ? text : sos_error_text(status));
    return status;
}

/* There is no use in trying again. */
static int give_up(sos_sse *sse, int status, const char *text)
{
    say(sse, status, text);
    sse->over = status;
    return status;
}

static void disconnect(sos_sse *sse)
{
    sos_http_response_free(&sse->response);
    sse->connected = false;
    sse->at = sse->end = 0;
}

/* A connection, or an attempt at one, has ended. One that brought an event was a success; an attempt
 * that was cut short by a deadline of the reader does not count. */
static void note_end(sos_sse *sse)
{
    sse->supervisor.options.stable_us = sse->eventful ? 0 : sse->stable_us;
    sos_supervisor_ended(&sse->supervisor, sse->os);
    sse->eventful = false;
    disconnect(sse);
}

/* Lost: 0, it is to be made again; or an error. */
static int lost(sos_sse *sse, int status)
{
    const char *why = sse->response.why;
    if (status == SOS_OK)
        status = SOS_EEOF;
    if (why == NULL && status == SOS_ETIMEDOUT)
        why = "nothing was received for too long";
    if (sse->closed)
        return SOS_ECANCELED;
    say(sse, status, why);
    note_end(sse);
    if (sse->once)
        sse->over = status;
    return sse->over;
}

/* ---- Parsing */

static const char *ended(struct sos_slice_ text)
{
    char *at = (char *)(uintptr_t)text.at;
    if (text.length == 0)
        return "";
    at[text.length] = '\0';
    return at;
}

static void hand_out(sos_sse *sse, struct sos_sse_event *event)
{
    const struct sos_sse_event_ *parsed = &sse->parser.event;
    bool named = parsed->type.at == sse->parser.type.at;
    *event = (struct sos_sse_event){
        .type = named ? ended(parsed->type) : parsed->type.at,
        .data = ended(parsed->data),
        .id = ended(parsed->id),
        .type_size = parsed->type.length,
        .data_size = parsed->data.length,
        .id_size = parsed->id.length,
        .retry_us = -1,
    };
    if (sse->parser.has_retry && sse->parser.retry_ms <= INT64_MAX / 1000)
        event->retry_us = SOS_MS(sse->parser.retry_ms);
    else if (sse->parser.has_retry)
        event->retry_us = INT64_MAX;
}

/* The supervisor waits at least half of what it is told; and what is not 0 it can double. */
static void note_retry(sos_sse *sse)
{
    const uint64_t most = INT64_MAX / 4000;
    if (!sse->parser.has_retry)
        return;
    uint64_t ms = sse->parser.retry_ms < most ? sse->parser.retry_ms : most;
    sos_supervisor_delay(&sse->supervisor, SOS_MS(2 * ms) + (ms == 0));
}

/* 1: *event is set; 0: all has been parsed; or an error. */
static int parse(sos_sse *sse, struct sos_sse_event *event)
{
    for (;;) {
        size_t taken;
        int kind = sos_sse_next_(&sse->parser, sse->bytes + sse->at, sse->end - sse->at, &taken);
        sse->at += taken;
        if (kind == SOS_SSE_MEMORY_) {
            if (grow(sse, sse->parser.too_small, sse->parser.wanted) != SOS_OK)
                return SOS_ENOMEM;
            continue;
        }
        if (kind < 0) {
            note_end(sse);
            return give_up(sse, kind, sse->parser.error.rule);
        }
        note_retry(sse);
        if (kind == SOS_PARTIAL_)
            return 0;
        sse->eventful = true;
        hand_out(sse, event);
        return 1;
    }
}

/* ---- Connecting */

static bool is_event_stream(const struct sos_http_response *response)
{
    const char *type = sos_http_header(response, "Content-Type");
    if (type == NULL)
        return false;
    struct sos_slice_ name = sos_slice_trim_(sos_slice_(type, strcspn(type, ";")));
    return sos_slice_is_caseless_(name, "text/event-stream");
}

static bool passes(int status)
{
    return status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* The answer is there, or there was none. 0: connected; an error; `over` says whether for good. */
static int judge(sos_sse *sse, int status)
{
    char text[TEXT_MOST];
    const struct sos_http_response *response = &sse->response;
    if (sse->closed)
        return SOS_ECANCELED;
    if (status == SOS_EINVAL)
        return give_up(sse, status, response->why);
    if (status == SOS_ETIMEDOUT && response->why == NULL)
        return say(sse, status, "the server did not answer in time");
    if (status < 0)
        return say(sse, status, response->why);
    snprintf(text, sizeof text, "the server answered %d %.100s", response->status,
             response->reason);
    if (passes(response->status))
        return say(sse, SOS_ESERVER, text);
    if (response->status == 204)
        return give_up(sse, SOS_EEOF, text);
    if (response->status != 200)
        return give_up(sse, SOS_ESERVER, text);
    if (!is_event_stream(response))
        return give_up(sse, SOS_EPROTO, "the type of what the server sends is text/event-stream");
    sse->connected = true;
    sos_sse_reset_(&sse->parser);
    sos_supervisor_began(&sse->supervisor, sse->os);
    return SOS_OK;
}

/* What of the last event id a header can carry; "": nothing. It moves no byte of it. */
static const char *sendable_id(sos_sse *sse)
{
    struct sos_slice_ id = sos_sse_last_id_(&sse->parser);
    for (size_t index = 0; index < id.length; index++) {
        unsigned char byte = (unsigned char)id.at[index];
        if ((byte < ' ' && byte != '\t') || byte == 0x7F)
            return "";
    }
    return sos_slice_trim_(id).length == id.length ? ended(id) : "";
}

struct sse_attempt {
    sos_frame frame;
    sos_sse *sse;
    struct sos_http_field id;
    int status;
};

static sos_op request(sos_task *task, struct sse_attempt *self)
{
    self->id = (struct sos_http_field){ "Last-Event-ID", sendable_id(self->sse) };
    return sos_http_send(task, self->sse->http,
                         &(struct sos_http_request){ .url = self->sse->path,
                                                     .headers = &self->id,
                                                     .header_count = self->id.value[0] != '\0',
                                                     .stream = true },
                         &self->sse->response);
}

static async_fn(sse_attempt)
{
    async_begin(sse_attempt);
    self->sse->users++;
    await(sos_within(task, self->sse->attempt_us, request(task, self)));
    self->status = judge(self->sse, sos_status(task));
    if (self->status != SOS_OK && !self->sse->closed)
        note_end(self->sse);
    async_return(self->status);
    async_finally;
    leave(self->sse);
    async_end;
}

/* ---- Reading */

struct sse_read {
    sos_frame frame;
    sos_sse *sse;
    struct sos_sse_event *event;
    int status;
};

static sos_op wait_to_connect(sos_task *task, sos_sse *sse)
{
    return sos_supervisor_wait(task, &sse->supervisor);
}

/* Why the reader is not to connect, after waiting for it; 0: it is. */
static int after_waiting(sos_sse *sse, int status)
{
    if (sse->closed)
        return SOS_ECANCELED;
    if (status == SOS_ETIMEDOUT) /* the text is that of the last attempt */
        sse->over = status;
    return status;
}

static int after_attempt(const sos_sse *sse, int status)
{
    if (sse->closed)
        return SOS_ECANCELED;
    return status == SOS_ENOMEM ? status : sse->over;
}

static sos_op read_more(sos_task *task, sos_sse *sse)
{
    return sos_http_read(task, &sse->response, sse->bytes, sizeof sse->bytes);
}

static int after_reading(sos_sse *sse, int status)
{
    bool lost_nothing = status == SOS_EINTR || status == SOS_ENOMEM;
    if (lost_nothing && !sse->closed && sse->response.connection != NULL)
        return status;
    if (status <= 0)
        return lost(sse, status);
    sos_supervisor_heard(&sse->supervisor, sse->os);
    sse->at = 0;
    sse->end = (size_t)status;
    return SOS_OK;
}

static async_fn(sse_read)
{
    async_begin(sse_read);
    self->sse->users++;
    self->sse->busy = true;
    while ((self->status = parse(self->sse, self->event)) == 0) {
        if (self->sse->connected) {
            await(sos_within(task, sos_supervisor_patience(&self->sse->supervisor, sos_of(task)),
                             read_more(task, self->sse)));
            self->status = after_reading(self->sse, sos_status(task));
        } else {
            await(wait_to_connect(task, self->sse));
            self->status = after_waiting(self->sse, sos_status(task));
            if (self->status != SOS_OK)
                break;
            await(async_call(sse_attempt, .sse = self->sse));
            self->status = after_attempt(self->sse, sos_status(task));
        }
        if (self->status != SOS_OK)
            break;
    }
    async_return(self->status < 0 ? self->status : SOS_OK);
    async_finally;
    self->sse->busy = false;
    leave(self->sse);
    async_end;
}

sos_op sos_sse_read(sos_task *task, sos_sse *sse, struct sos_sse_event *event)
{
    if (event == NULL)
        return sos_complete(task, SOS_EINVAL);
    int status = sse->closed ? SOS_ECANCELED : sse->busy ? SOS_EBUSY : sse->over;
    if (status == SOS_OK && sse->at < sse->end)
        status = parse(sse, event);
    else if (status == SOS_OK)
        status = 0;
    if (status != 0)
        return sos_complete(task, status < 0 ? status : SOS_OK);
    return async_call(sse_read, .sse = sse, .event = event);
}

/* ---- Making and closing */

static uint64_t limit(uint32_t option, uint32_t standard)
{
    if (option == 0)
        option = standard;
    return option == SOS_NONE ? 0 : option;
}

static int open_http(sos_sse *sse, const struct sos_sse_options *options)
{
    size_t count = OWN_FIELDS + options->header_count, size = count * sizeof(struct sos_http_field);
    struct sos_http_field *fields = sos_memory_take(sse->os, size);
    if (fields == NULL)
        return SOS_ENOMEM;
    fields[0] = (struct sos_http_field){ "Accept", "text/event-stream" };
    fields[1] = (struct sos_http_field){ "Cache-Control", "no-store" };
    if (options->header_count != 0)
        memcpy(fields + OWN_FIELDS, options->headers, options->header_count * sizeof *fields);
    bool local = options->url == NULL;
    const char *host = options->host != NULL ? options->host : "127.0.0.1";
    int status = sos_http_open(sse->os,
                               &(struct sos_http_options){ .host = local ? host : NULL,
                                                           .port = local ? options->port : 0,
                                                           .tls = options->tls,
                                                           .proxy = options->proxy,
                                                           .user = options->user,
                                                           .password = options->password,
                                                           .bearer = options->bearer,
                                                           .headers = fields,
                                                           .header_count = count,
                                                           .max_idle = SOS_NONE,
                                                           .no_compression = true },
                               &sse->http);
    sos_memory_give(sse->os, fields, size);
    return status;
}

static int keep_last_id(sos_sse *sse, const char *id)
{
    size_t length = id != NULL ? strlen(id) : 0;
    if (length == 0)
        return SOS_OK;
    int status = grow(sse, &sse->parser.id, length);
    if (status != SOS_OK)
        return status;
    memcpy(sse->parser.id.at, id, length);
    sse->parser.id_length = length;
    return SOS_OK;
}

static int set_up(sos_sse *sse, const struct sos_sse_options *options)
{
    const struct sos_client_defaults *defaults = &sos_configuration(sse->os)->client_defaults;
    int status = sos_supervisor_init(&sse->supervisor, "reconnection", &options->reconnect);
    if (status != SOS_OK || options->attempt_us < 0)
        return SOS_EINVAL;
    sse->stable_us = sse->supervisor.options.stable_us;
    sse->attempt_us = options->attempt_us != 0 ? options->attempt_us : SOS_SEC(ATTEMPT_S);
    sse->once = options->once;
    sse->parser.max_event_size = limit(options->max_event_size, defaults->sse.max_event_size);
    sse->parser.max_line_size = limit(options->max_line_size, defaults->sse.max_line_size);
    status = open_http(sse, options);
    return status == SOS_OK ? keep_last_id(sse, options->last_id) : status;
}

/* *sse is closed by the caller, whatever comes of it. */
static int make(sos *os, const struct sos_sse_options *options, sos_sse **sse)
{
    const char *path = options->url != NULL ? options->url : options->path;
    if (path == NULL)
        path = "/";
    size_t size = strlen(path) + 1;
    sos_sse *made = sos_memory_take(os, sizeof *made + size);
    if (made == NULL)
        return SOS_ENOMEM;
    memset(made, 0, sizeof *made);
    made->os = os;
    made->path_room = size;
    memcpy(made->path, path, size);
    *sse = made;
    return set_up(made, options);
}

void sos_sse_close(sos_sse *sse)
{
    if (sse == NULL || sse->closed)
        return;
    sse->users++;
    sse->closed = true;
    sos_http_close(sse->http);
    sos_supervisor_hurry(&sse->supervisor);
    leave(sse);
}

const char *sos_sse_error(const sos_sse *sse)
{
    return sse->text;
}

void sos_sse_hurry(sos_sse *sse)
{
    sos_supervisor_hurry(&sse->supervisor);
}

struct sse_connect {
    sos_frame frame;
    struct sos_sse_options options;
    sos_sse **sse;
    sos_sse *made;
    int status;
};

static void tell(const struct sse_connect *self, int status)
{
    const char *text = self->made != NULL && self->made->text[0] != '\0' ? self->made->text
                                                                         : sos_error_text(status);
    if (status < 0 && self->options.error_text != NULL && self->options.error_text_size != 0)
        snprintf(self->options.error_text, self->options.error_text_size, "%s", text);
}

static async_fn(sse_connect)
{
    async_begin(sse_connect);
    self->status = make(sos_of(task), &self->options, &self->made);
    if (self->status != SOS_OK)
        async_return(self->status);
    try_await(async_call(sse_attempt, .sse = self->made));
    *self->sse = self->made;
    self->made = NULL;
    async_return(SOS_OK);
    async_finally;
    tell(self, sos_status(task));
    sos_sse_close(self->made);
    async_end;
}

sos_op sos_sse_connect(sos_task *task, const struct sos_sse_options *options, sos_sse **sse)
{
    static const struct sos_sse_options standard;
    if (sse == NULL)
        return sos_complete(task, SOS_EINVAL);
    *sse = NULL;
    return async_call(sse_connect, .options = options != NULL ? *options : standard, .sse = sse);
}
