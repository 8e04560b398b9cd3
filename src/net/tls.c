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
    READ_AT_LEAST = 1024,
    PORTION_LEAST = 2048, /* encrypted bytes read at a time, more while there are more */
    PORTION_MOST = 32768,
    RECORD = 16384, /* bytes in clear of one, at most */
    RECORD_MORE = 512,
    OUT_ENOUGH = 65536, /* encrypted and not sent: nothing more is encrypted then */
    OUT_MOST = 262144   /* ... and what the engine itself has to say must wait */
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

static void tell(const struct sos_tls_options *options, const char *text)
{
    if (options->error_text == NULL || options->error_text_size == 0)
        return;
    size_t length = strlen(text);
    if (length >= options->error_text_size)
        length = options->error_text_size - 1;
    memcpy(options->error_text, text, length);
    options->error_text[length] = '\0';
}

int sos_tls_context_open(sos *os, const struct sos_tls_options *options, enum sos_tls_side side,
                         sos_tls_context **context)
{
    const struct sos_tls_engine *engine = sos_kernel_of(os)->tls;
    char why[SOS_TLS_TEXT] = "";
    if (context == NULL || options == NULL)
        return SOS_EINVAL;
    *context = NULL;
    if (engine == NULL)
        return SOS_ENOTSUP;
    sos_tls_context *made = sos_memory_take(os, sizeof *made);
    if (made == NULL)
        return SOS_ENOMEM;
    *made = (sos_tls_context){ os, engine, NULL, 1, options->insecure, side };
    int status = engine->context_open(sos_kernel_of(os), options, side, &made->inner, why,
                                      sizeof why);
    tell(options, status == SOS_OK ? "" : why[0] != '\0' ? why : sos_error_text(status));
    if (status == SOS_OK)
        *context = made;
    else
        sos_memory_give(os, made, sizeof *made);
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
    uint32_t portion;
    bool shaken;   /* the engine's handshake is over */
    bool greeted;  /* ... and all of ours has gone */
    bool choked;   /* the engine has more to say than may wait */
    bool notified; /* close_notify has been said */
};

static struct tls *tls_of(sos_stream *stream)
{
    return (struct tls *)(void *)stream;
}

/* ---- What the engine calls */

/* As much at a time as comes at a time. */
static void fit_portion(struct tls *tls, uint32_t got, uint32_t room)
{
    if (got == room && tls->portion < PORTION_MOST)
        tls->portion *= 2;
    else if (got < tls->portion / 2 && tls->portion > PORTION_LEAST)
        tls->portion /= 2;
}

static int receive(void *context, void *bytes, size_t size)
{
    struct tls *tls = context;
    sos_stream *lower = tls->lower;
    if (buffer_count(&lower->in) == 0) {
        /* Reading makes do with less room, or says that there is none. */
        (void)sos_buffer_reserve_(lower->os, &lower->in, tls->portion, lower->limit);
        int got = sos_stream_more_now_(lower);
        if (got < 0)
            return got == SOS_EEOF ? 0 : got;
        fit_portion(tls, buffer_count(&lower->in), lower->in.room);
    }
    if (size > buffer_count(&lower->in))
        size = buffer_count(&lower->in);
    memcpy(bytes, lower->in.bytes + lower->in.first, size);
    sos_buffer_take_(lower->os, &lower->in, size);
    return (int)size;
}

static int send(void *context, const void *bytes, size_t size)
{
    struct tls *tls = context;
    struct sos_buffer_ *out = &tls->lower->out;
    if (buffer_count(out) > OUT_MOST) {
        tls->choked = true;
        return SOS_EAGAIN;
    }
    int status = sos_buffer_reserve_(tls->stream.os, out, size, UINT32_MAX / 2);
    if (status != SOS_OK)
        return status;
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
    tls->stream.wants = tls->lower->wants;
    return status;
}

/* The engine may not go on for want of room for what it has to say: then there may be some now. */
static bool unchoked(struct tls *tls)
{
    bool choked = tls->choked;
    tls->choked = false;
    return choked && flush(tls) == SOS_OK;
}

/* A write that fails tells less than what the other end may have said before. */
static int shake_and_flush(struct tls *tls)
{
    int status;
    do {
        status = tls->shaken ? SOS_OK : tls->engine->handshake(tls->connection);
    } while (status == SOS_EAGAIN && unchoked(tls));
    tls->shaken = status == SOS_OK;
    int flushed = flush(tls);
    if (status == SOS_EAGAIN && flushed == SOS_OK)
        tls->stream.wants = SOS_READABLE;
    if (status == SOS_EAGAIN && flushed != SOS_OK && flushed != SOS_EAGAIN) {
        status = tls->engine->handshake(tls->connection);
        return status == SOS_EAGAIN ? flushed : status;
    }
    return status == SOS_OK ? flushed : status;
}

static int shake(struct tls *tls)
{
    if (tls->greeted)
        return SOS_OK;
    int status = shake_and_flush(tls);
    tls->greeted = status == SOS_OK;
    return status;
}

/* Decrypts into the input buffer: once, and then what the engine has left of the same record. */
static int decrypt(struct tls *tls)
{
    sos_stream *stream = &tls->stream;
    struct sos_buffer_ *in = &stream->in;
    size_t wanted = READ_AT_LEAST;
    int total = 0;
    do {
        int status = sos_buffer_reserve_(stream->os, in, wanted, stream->limit);
        uint32_t room = in->room - in->end;
        if (status == SOS_ENOMEM || room == 0)
            return total != 0 ? total : status == SOS_OK ? SOS_ELIMIT : status;
        int got = tls->engine->read(tls->connection, in->bytes + in->end, room);
        if (got < 0)
            return total != 0 ? total : got;
        in->end += (uint32_t)got;
        total += got;
        wanted = tls->engine->pending(tls->connection);
    } while (wanted != 0);
    return total;
}

static int read_now(sos_stream *stream)
{
    struct tls *tls = tls_of(stream);
    int status = shake(tls);
    if (status != SOS_OK)
        return status;
    do {
        status = decrypt(tls);
    } while (status == SOS_EAGAIN && unchoked(tls));
    if (buffer_count(&stream->in) == 0)
        sos_buffer_free_(stream->os, &stream->in);
    flush(tls); /* answers to updates of keys, alerts; if not now, then with what comes next */
    if (status == SOS_EAGAIN)
        stream->wants = tls->choked ? SOS_WRITABLE : SOS_READABLE;
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

/* One record: how many bytes of them, or an error. There is room for it before it is begun. */
static int encrypt(struct tls *tls, const void *bytes, size_t size)
{
    int put;
    if (size > RECORD)
        size = RECORD;
    int status = sos_buffer_reserve_(tls->stream.os, &tls->lower->out, size + RECORD_MORE,
                                     UINT32_MAX / 2);
    if (status != SOS_OK)
        return status;
    do {
        put = tls->engine->write(tls->connection, bytes, size);
    } while (put == SOS_EAGAIN && unchoked(tls));
    if (put == SOS_EAGAIN)
        tls->stream.wants = SOS_WRITABLE;
    return put;
}

static int encrypt_next(struct tls *tls, struct sos_slice *more)
{
    struct sos_buffer_ *out = &tls->stream.out;
    uint32_t waiting = buffer_count(out);
    int put = waiting != 0 ? encrypt(tls, out->bytes + out->first, waiting)
                           : encrypt(tls, more->bytes, more->size);
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

/* Room at once for what is there, rather than twice as much each time. */
static void prepare_out(struct tls *tls, size_t size)
{
    if (size > OUT_ENOUGH)
        size = OUT_ENOUGH;
    (void)sos_buffer_reserve_(tls->stream.os, &tls->lower->out,
                              size + (size / RECORD + 1) * RECORD_MORE, UINT32_MAX / 2);
}

static int write_now(sos_stream *stream, struct sos_slice *more)
{
    struct tls *tls = tls_of(stream);
    int status = shake(tls);
    if (status == SOS_OK)
        gather(stream, more);
    if (status == SOS_OK && buffer_count(&stream->out) + more->size > RECORD)
        prepare_out(tls, buffer_count(&stream->out) + more->size);
    while (status == SOS_OK && (buffer_count(&stream->out) != 0 || more->size != 0)) {
        if (buffer_count(&tls->lower->out) >= OUT_ENOUGH)
            status = flush(tls);
        if (status == SOS_OK)
            status = encrypt_next(tls, more);
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
    if (tls->greeted && sos_stream_error(stream) == 0 && buffer_count(&stream->out) == 0 &&
        buffer_count(&lower->out) == 0)
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

static const struct sos_stream_type_ type = { read_now, write_now,  shutdown_now,
                                              end,      error_text, leave };

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
    tls->portion = PORTION_LEAST;
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
    const struct sos_tls_options *options;
    const char *host;
    sos_stream **stream;
    struct tls *tls;
    enum sos_tls_side side;
    int status;
};

/* A local socket has no name that a certificate could be for. */
static const char *name_of(const struct shaking *self)
{
    if (self->options->server_name != NULL)
        return self->options->server_name;
    return self->host == NULL || strncmp(self->host, "unix:", 5) == 0 ? NULL : self->host;
}

static int name_to_check(const struct shaking *self, const sos_tls_context *context,
                         const char **name)
{
    *name = self->side == SOS_TLS_CLIENT ? name_of(self) : NULL;
    if (self->side == SOS_TLS_SERVER || context->insecure || *name != NULL)
        return SOS_OK;
    tell(self->options, "no server_name is given to check the certificate against");
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
    struct sos_tls_start start = { .session = self->options->session };
    if (context->side != self->side) {
        tell(self->options, "the TLS context was made for the other side");
        return SOS_EINVAL;
    }
    int status = name_to_check(self, context, &start.server_name);
    if (status != SOS_OK)
        return status;
    report_insecure(task, context);
    status = new_stream(context, self->lower, &start, &self->tls);
    if (status != SOS_OK)
        tell(self->options, status == SOS_EINVAL ? "the server name is none"
                                                 : sos_error_text(status));
    return status;
}

static int begin(sos_task *task, struct shaking *self)
{
    sos_tls_context *context = self->options->context;
    if (context != NULL)
        return begin_with(task, self, context);
    int status = sos_tls_context_open(sos_of(task), self->options, self->side, &context);
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
    tell(self->options, text != NULL ? text : sos_error_text(status));
}

static async_fn(shaking)
{
    async_begin(shaking);
    self->status = begin(task, self);
    if (self->status != SOS_OK)
        async_return(self->status);
    while ((self->status = shake(self->tls)) == SOS_EAGAIN)
        try_await(sos_wait_again(task, self->lower->fd, self->tls->stream.wants));
    if (self->status == SOS_OK) {
        *self->stream = &self->tls->stream;
        self->tls = NULL;
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
    if (options == NULL)
        options = &defaults;
    return async_call(shaking, .lower = lower, .options = options, .host = host, .stream = stream,
                      .side = side);
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
