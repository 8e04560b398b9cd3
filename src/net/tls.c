/* SPDX-License-Identifier: MIT */
/*
 * TLS streams. The engine takes encrypted bytes out of the lower stream's input buffer and puts them
 * into its output buffer; here they are moved on from there, and what is read and written in clear
 * stands in the buffers of the stream itself.
 */
#include "core/internal.h"
#include "net/internal.h"
#include "smallos/tls_engine.h"

#include <string.h>

enum {
    RECORD = 16384, /* bytes in clear of one, at most */
    RECORD_MORE = 512,
    IN_MOST = RECORD + RECORD_MORE, /* the engine gets no more within one call */
    IN_AFTER = 2048,                /* nor than this, when that was not enough for the last one */
    OUT_ENOUGH = 3 * RECORD,        /* encrypted and not sent: nothing more is encrypted then */
    OUT_MOST = 262144 /* with what the engine has to say itself, to one who does not read */
};

/* ---- Contexts */

struct sos_tls_context {
    sos *os;
    const struct sos_tls_engine *engine;
    void *inner;
    uint32_t users;
    bool insecure;
    enum sos_tls_side side;
};

void sos_tls_tell_(const struct sos_tls_options *options, const char *text)
{
    if (options->error_text == NULL || options->error_text_size == 0)
        return;
    size_t length = strlen(text);
    if (length >= options->error_text_size)
        length = options->error_text_size - 1;
    memcpy(options->error_text, text, length);
    options->error_text[length] = '\0';
}

static int open_context(sos *os, const struct sos_tls_options *options, sos_tls_context *made,
                        char *why, size_t why_size)
{
    if (made->engine == NULL)
        return SOS_ENOTSUP;
    return made->engine->context_open(sos_kernel_of(os), options, made->side, &made->inner, why,
                                      why_size);
}

int sos_tls_context_open(sos *os, const struct sos_tls_options *options, enum sos_tls_side side,
                         sos_tls_context **context)
{
    sos_tls_context made = { os, sos_kernel_of(os)->tls, NULL, 1, false, side };
    char why[SOS_TLS_TEXT] = "";
    if (context == NULL || options == NULL)
        return SOS_EINVAL;
    made.insecure = options->insecure;
    *context = sos_memory_take(os, sizeof **context);
    int status = *context != NULL ? open_context(os, options, &made, why, sizeof why) : SOS_ENOMEM;
    if (status == SOS_OK) {
        **context = made;
    } else if (*context != NULL) {
        sos_memory_give(os, *context, sizeof **context);
        *context = NULL;
    }
    sos_tls_tell_(options, status == SOS_OK ? "" : why[0] != '\0' ? why : sos_error_text(status));
    return status;
}

int sos_tls_context_share_(sos_tls_context *context, enum sos_tls_side side)
{
    if (context->side != side)
        return SOS_EINVAL;
    context->users++;
    return SOS_OK;
}

void sos_tls_context_close(sos_tls_context *context)
{
    if (context == NULL || --context->users != 0)
        return;
    context->engine->context_close(context->inner);
    sos_memory_give(context->os, context, sizeof *context);
}

/* ---- The stream */

struct tls {
    sos_stream stream;
    sos_stream *lower; /* NULL: has left */
    sos_tls_context *context;
    const struct sos_tls_engine *engine;
    void *connection;
    uint32_t in_left; /* what the engine may still get within its call */
    uint8_t in_wants; /* what the lower stream waits for; 0: nothing, it was only enough for now */
    bool shaken;      /* the engine's handshake is over */
    bool greeted;     /* ... and all of ours has gone */
    bool notified;    /* close_notify has been said */
};

static struct tls *tls_of(sos_stream *stream)
{
    return (struct tls *)(void *)stream;
}

/* ---- What the engine calls */

/* Before each call of the engine that may receive. A flood is taken in short steps. */
static void begin_to_receive(struct tls *tls)
{
    tls->in_left = tls->in_wants == 0 ? IN_AFTER : IN_MOST;
    tls->in_wants = SOS_READABLE;
}

/* What the lower stream had read before it was one of TLS comes first. */
static int receive_some(sos_stream *lower, void *bytes, size_t size)
{
    size_t waiting = buffer_count(&lower->in);
    if (waiting == 0)
        return sos_stream_read_now_(lower, bytes, size);
    if (size > waiting)
        size = waiting;
    memcpy(bytes, lower->in.bytes + lower->in.first, size);
    sos_stream_take(lower, size);
    return (int)size;
}

/*
 * Engines go on as long as they get something, and updates of keys and session tickets give nothing
 * to read: without a bound, one who sends them without end would hold the runtime in one step.
 */
static int receive(void *context, void *bytes, size_t size)
{
    struct tls *tls = context;
    if (tls->in_left == 0) {
        tls->in_wants = 0;
        return SOS_EAGAIN;
    }
    int got = receive_some(tls->lower, bytes, size < tls->in_left ? size : tls->in_left);
    if (got == SOS_EAGAIN)
        tls->in_wants = tls->lower->wants;
    if (got > 0)
        tls->in_left -= (uint32_t)got;
    return got == SOS_EEOF ? 0 : got;
}

static int send(void *context, const void *bytes, size_t size)
{
    struct tls *tls = context;
    struct sos_buffer_ *out = &tls->lower->out;
    int status = sos_buffer_reserve_(tls->stream.os, out, size, OUT_MOST);
    if (status != SOS_OK)
        return status == SOS_ELIMIT ? SOS_EPROTO : status;
    memcpy(out->bytes + out->end, bytes, size);
    out->end += (uint32_t)size;
    return (int)size;
}

/* ---- Without waiting */

static int flush(struct tls *tls)
{
    struct sos_slice nothing = { NULL, 0 };
    if (buffer_count(&tls->lower->out) == 0)
        return SOS_OK;
    int status = sos_stream_write_now_(tls->lower, &nothing);
    if (status == SOS_EAGAIN)
        tls->stream.wants = tls->lower->wants;
    return status;
}

/* Who waits to read may have to write now, and the other way round. */
static void wake_others(struct tls *tls)
{
    struct sos_kernel *kernel = sos_kernel_of(tls->stream.os);
    struct sos_source *source = kernel->source(kernel, tls->stream.fd);
    if (source != NULL)
        sos_source_ready(tls->stream.os, source, SOS_READABLE | SOS_WRITABLE, SOS_OK);
}

/* A write that fails tells less than what the other end may have said before. */
static int shake(struct tls *tls)
{
    if (tls->greeted)
        return SOS_OK;
    begin_to_receive(tls);
    int status = tls->shaken ? SOS_OK : tls->engine->handshake(tls->connection);
    int flushed = flush(tls);
    bool cut = flushed != SOS_OK && flushed != SOS_EAGAIN && flushed != SOS_ENOMEM;
    tls->shaken = status == SOS_OK;
    if (status == SOS_OK && (flushed == SOS_OK || cut)) {
        tls->greeted = true;
        wake_others(tls);
        return SOS_OK;
    }
    if (status == SOS_EAGAIN && flushed == SOS_OK)
        tls->stream.wants = tls->in_wants;
    if (status == SOS_EAGAIN && cut) {
        begin_to_receive(tls);
        status = tls->engine->handshake(tls->connection);
    }
    return status == SOS_OK || (status == SOS_EAGAIN && flushed != SOS_OK) ? flushed : status;
}

static int read_now(sos_stream *stream, void *bytes, size_t size)
{
    struct tls *tls = tls_of(stream);
    int status = shake(tls);
    if (status != SOS_OK)
        return status;
    begin_to_receive(tls);
    status = tls->engine->read(tls->connection, bytes, size);
    flush(tls); /* answers to updates of keys, alerts; if not now, then with what comes next */
    if (status == SOS_EAGAIN)
        stream->wants = tls->in_wants;
    return status;
}

/* Small pieces go as one record. */
static void gather(sos_stream *stream, struct sos_slice *more)
{
    uint32_t waiting = buffer_count(&stream->out);
    if (waiting == 0 || more->size == 0 || more->size > RECORD || waiting + more->size > RECORD ||
        sos_buffer_reserve_(stream->os, &stream->out, more->size, RECORD) != SOS_OK)
        return;
    memcpy(stream->out.bytes + stream->out.end, more->bytes, more->size);
    stream->out.end += (uint32_t)more->size;
    *more = (struct sos_slice){ NULL, 0 };
}

/* Room at once for what is there, rather than twice as much each time; for one record at least. */
static int reserve(struct tls *tls, size_t size)
{
    if (size > OUT_ENOUGH)
        size = OUT_ENOUGH;
    return sos_buffer_reserve_(tls->stream.os, &tls->lower->out,
                               size + (size / RECORD + 1) * RECORD_MORE, OUT_MOST);
}

/* One record, of the output buffer or of `more`. */
static int encrypt(struct tls *tls, struct sos_slice *more)
{
    struct sos_buffer_ *out = &tls->stream.out;
    uint32_t waiting = buffer_count(out);
    int status = reserve(tls, waiting + more->size);
    if (status != SOS_OK)
        return status;
    size_t size = waiting != 0 ? waiting : more->size;
    const void *bytes = waiting != 0 ? out->bytes + out->first : more->bytes;
    begin_to_receive(tls);
    int put = tls->engine->write(tls->connection, bytes, size < RECORD ? size : RECORD);
    if (put == SOS_EAGAIN)
        tls->stream.wants = tls->in_wants;
    if (put < 0)
        return put;
    if (waiting != 0) {
        sos_buffer_take_(tls->stream.os, out, (size_t)put);
    } else {
        more->bytes = (const unsigned char *)more->bytes + put;
        more->size -= (size_t)put;
    }
    return SOS_OK;
}

static int write_now(sos_stream *stream, struct sos_slice *more)
{
    struct tls *tls = tls_of(stream);
    int status = shake(tls);
    if (status == SOS_OK)
        gather(stream, more);
    while (status == SOS_OK && (buffer_count(&stream->out) != 0 || more->size != 0)) {
        if (buffer_count(&tls->lower->out) >= OUT_ENOUGH)
            status = flush(tls);
        if (status == SOS_OK)
            status = encrypt(tls, more);
    }
    return status == SOS_OK ? flush(tls) : status;
}

static int notify(struct tls *tls)
{
    int status = tls->notified ? SOS_OK : tls->engine->close_notify(tls->connection);
    if (status != SOS_OK)
        return status;
    tls->notified = true;
    return flush(tls);
}

static int shutdown_now(sos_stream *stream)
{
    return notify(tls_of(stream));
}

/* Said only when nothing that was written is lost: else the end is one that was not meant. */
static void leave(sos_stream *stream)
{
    struct tls *tls = tls_of(stream);
    sos_stream *lower = tls->lower;
    if (lower == NULL)
        return;
    if (tls->greeted && sos_stream_error(stream) == 0 && !stream->torn &&
        buffer_count(&stream->out) == 0 && buffer_count(&lower->out) == 0)
        (void)notify(tls);
    tls->lower = NULL;
    lower->fd = -1; /* closed as that of the stream */
    sos_stream_close(lower);
}

static void end(sos_stream *stream)
{
    struct tls *tls = tls_of(stream);
    tls->engine->close(tls->connection);
    sos_tls_context_close(tls->context);
    sos_memory_give(stream->os, tls, sizeof *tls);
}

static const char *error_text(const sos_stream *stream)
{
    const struct tls *tls = (const struct tls *)(const void *)stream;
    return stream->error == SOS_ETLS ? tls->engine->error_text(tls->connection) : NULL;
}

static const struct sos_stream_type_ type = {
    read_now, write_now, shutdown_now, end, error_text, leave,
};

/* ---- Making one */

static int new_stream(sos_tls_context *context, sos_stream *lower, struct sos_tls_start *start,
                      struct tls **made)
{
    sos_stream *stream = sos_stream_new_(lower->os, sizeof **made, &type, lower->fd, lower->limit);
    *made = NULL;
    if (stream == NULL)
        return SOS_ENOMEM;
    struct tls *tls = tls_of(stream);
    start->side = context->side;
    start->transport = (struct sos_tls_transport){ tls, receive, send };
    int status = context->engine->open(context->inner, start, &tls->connection);
    if (status != SOS_OK) {
        sos_memory_give(lower->os, tls, sizeof *tls);
        return status;
    }
    tls->lower = lower;
    tls->context = context;
    tls->engine = context->engine;
    tls->in_wants = SOS_READABLE;
    context->users++;
    *made = tls;
    return SOS_OK;
}

int sos_tls_accepted_(sos_tls_context *context, sos_stream *lower, sos_stream **stream)
{
    struct sos_tls_start start = { .server_name = NULL };
    struct tls *tls;
    int status = new_stream(context, lower, &start, &tls);
    if (status == SOS_OK)
        *stream = &tls->stream;
    return status;
}

/* The lower stream goes back to whom it belongs to. */
static void give_up(struct tls *tls)
{
    tls->lower = NULL;
    tls->stream.fd = -1;
    sos_stream_close(&tls->stream);
}

/* ---- Shaking hands */

struct shaking {
    sos_frame frame;
    sos_stream *lower;
    struct sos_tls_options options;
    const char *host;
    sos_stream **stream;
    struct tls *tls;
    enum sos_tls_side side;
    int status;
};

/* A local socket has no name that a certificate could be for. */
static const char *name_of(const struct shaking *self)
{
    if (self->options.server_name != NULL)
        return self->options.server_name;
    return self->host == NULL || strncmp(self->host, "unix:", 5) == 0 ? NULL : self->host;
}

static int name_to_check(const struct shaking *self, const sos_tls_context *context,
                         const char **name)
{
    *name = self->side == SOS_TLS_CLIENT ? name_of(self) : NULL;
    if (self->side == SOS_TLS_SERVER || context->insecure || *name != NULL)
        return SOS_OK;
    sos_tls_tell_(&self->options, "no server_name is given to check the certificate against");
    return SOS_EINVAL;
}

static void report_insecure(sos_task *task, const sos_tls_context *context)
{
    struct sos_kernel *kernel = sos_kernel_of(context->os);
    if (context->side == SOS_TLS_SERVER || !context->insecure || kernel->tls_told)
        return;
    kernel->tls_told = true;
    sos_report_(task, SOS_REPORT_INSECURE);
}

static int begin_with(sos_task *task, struct shaking *self, sos_tls_context *context)
{
    struct sos_tls_start start = { .session = self->options.session };
    if (context->side != self->side) {
        sos_tls_tell_(&self->options, "the TLS context was made for the other side");
        return SOS_EINVAL;
    }
    int status = name_to_check(self, context, &start.server_name);
    if (status != SOS_OK)
        return status;
    report_insecure(task, context);
    status = new_stream(context, self->lower, &start, &self->tls);
    if (status != SOS_OK)
        sos_tls_tell_(&self->options,
                      status == SOS_EINVAL ? "the server name is none" : sos_error_text(status));
    return status;
}

static int begin(sos_task *task, struct shaking *self)
{
    sos_tls_context *context = self->options.context;
    if (context != NULL)
        return begin_with(task, self, context);
    int status = sos_tls_context_open(sos_of(task), &self->options, self->side, &context);
    if (status != SOS_OK)
        return status;
    status = begin_with(task, self, context);
    sos_tls_context_close(context); /* the stream keeps it */
    return status;
}

static void tell_why(const struct shaking *self, int status)
{
    const char *text = NULL;
    if (status == SOS_ETLS)
        text = self->tls->engine->error_text(self->tls->connection);
    else if (status == SOS_ETIMEDOUT)
        text = "the TLS handshake was not over in time";
    sos_tls_tell_(&self->options, text != NULL ? text : sos_error_text(status));
}

static async_fn(shaking)
{
    async_begin(shaking);
    self->status = begin(task, self);
    if (self->status != SOS_OK)
        async_return(self->status);
    while ((self->status = shake(self->tls)) == SOS_EAGAIN)
        try_await(sos_stream_wait_(task, &self->tls->stream));
    if (self->status == SOS_OK) {
        *self->stream = &self->tls->stream;
        self->tls = NULL;
        sos_tls_tell_(&self->options, "");
    }
    async_return(self->status);
    async_finally;
    if (self->tls != NULL) {
        tell_why(self, sos_status(task));
        give_up(self->tls);
    }
    async_end;
}

static sos_op shake_hands(sos_task *task, sos_stream *lower, const struct sos_tls_options *options,
                          const char *host, sos_stream **stream, enum sos_tls_side side)
{
    static const struct sos_tls_options defaults;
    if (stream == NULL || lower == NULL)
        return sos_complete(task, SOS_EINVAL);
    *stream = NULL;
    return async_call(shaking, .lower = lower, .options = options != NULL ? *options : defaults,
                      .host = host, .stream = stream, .side = side);
}

sos_op sos_tls_client(sos_task *task, sos_stream *lower, const struct sos_tls_options *options,
                      const char *host, sos_stream **stream)
{
    return shake_hands(task, lower, options, host, stream, SOS_TLS_CLIENT);
}

sos_op sos_tls_server(sos_task *task, sos_stream *lower, const struct sos_tls_options *options,
                      sos_stream **stream)
{
    return shake_hands(task, lower, options, NULL, stream, SOS_TLS_SERVER);
}

/* Of an accepted stream: writing nothing begins with the handshake. */
sos_op sos_tls_handshake(sos_task *task, sos_stream *stream)
{
    if (stream == NULL || stream->type != &type)
        return sos_complete(task, SOS_EINVAL);
    return sos_stream_flush(task, stream);
}

int sos_tls_describe(const sos_stream *stream, struct sos_tls_info *info)
{
    if (stream == NULL || info == NULL || stream->type != &type)
        return SOS_EINVAL;
    const struct tls *tls = (const struct tls *)(const void *)stream;
    *info = (struct sos_tls_info){ .version = SOS_TLS_ANY };
    if (!tls->shaken)
        return SOS_EAGAIN;
    tls->engine->describe(tls->connection, info);
    return SOS_OK;
}
