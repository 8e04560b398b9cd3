/* SPDX-License-Identifier: MIT */
/* What another end of TLS 1.3 may send besides data: updates of keys and session tickets, as it
 * should and without end. It is OpenSSL by hand here, over the plain stream of a task. */
#include "smallos/stream.h"
#include "tls_world.h"

#include <openssl/ssl.h>

enum { STEP_MOST = 40000, PLENTY = 1 << 20, LINE = 5000, ROUNDS = 20 };

static bool all_read; /* by our end */

/* ---- The other end */

enum flood { KEY_UPDATES, TICKETS };

struct peer {
    sos_frame frame;
    sos_stream *stream;
    bool server;
    enum flood flood;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    int round, got, answers; /* answers: updates of keys that have come */
    char line[LINE];
};

static void see_message(int sent, int version, int type, const void *bytes, size_t size, SSL *ssl,
                        void *argument)
{
    struct peer *self = argument;
    (void)version;
    (void)ssl;
    if (sent == 0 && type == SSL3_RT_HANDSHAKE && size > 0)
        self->answers += *(const unsigned char *)bytes == SSL3_MT_KEY_UPDATE;
}

static void peer_begin(struct peer *self)
{
    self->ctx = SSL_CTX_new(self->server ? TLS_server_method() : TLS_client_method());
    CHECK(self->ctx != NULL);
    if (self->server) {
        CHECK_INT(SSL_CTX_use_certificate_chain_file(self->ctx, certificate("good.pem")), 1);
        CHECK_INT(SSL_CTX_use_PrivateKey_file(self->ctx, certificate("good.key"), SSL_FILETYPE_PEM),
                  1);
    }
    self->ssl = SSL_new(self->ctx);
    self->in = BIO_new(BIO_s_mem());
    self->out = BIO_new(BIO_s_mem());
    CHECK(self->ssl != NULL && self->in != NULL && self->out != NULL);
    SSL_set_bio(self->ssl, self->in, self->out);
    SSL_set_msg_callback(self->ssl, see_message);
    SSL_set_msg_callback_arg(self->ssl, self);
    if (self->server)
        SSL_set_accept_state(self->ssl);
    else
        SSL_set_connect_state(self->ssl);
}

static sos_op peer_sends(sos_task *task, struct peer *self)
{
    char *bytes;
    long size = BIO_get_mem_data(self->out, &bytes);
    CHECK_INT(sos_stream_put(self->stream, bytes, (size_t)size), SOS_OK);
    CHECK_INT(BIO_reset(self->out), 1);
    return sos_stream_flush(task, self->stream);
}

static void peer_takes(struct peer *self)
{
    size_t size;
    const unsigned char *bytes = sos_stream_data(self->stream, &size);
    CHECK_INT(BIO_write(self->in, bytes, (int)size), size);
    sos_stream_take(self->stream, size);
}

struct shakes {
    sos_frame frame;
    struct peer *peer;
};

static async_fn(shakes)
{
    async_begin(shakes);
    while (SSL_do_handshake(self->peer->ssl) != 1) {
        try_await(peer_sends(task, self->peer));
        try_await(sos_stream_more(task, self->peer->stream));
        peer_takes(self->peer);
    }
    try_await(peer_sends(task, self->peer));
    async_end;
}

static void peer_end(struct peer *self)
{
    SSL_free(self->ssl);
    SSL_CTX_free(self->ctx);
    sos_stream_close(self->stream);
}

static void update_keys(struct peer *self, int kind)
{
    CHECK_INT(SSL_key_update(self->ssl, kind), 1);
    CHECK_INT(SSL_do_handshake(self->ssl), 1);
}

/* ---- Without end */

static int times(int many)
{
    return getenv("SOS_VALGRIND") != NULL ? many / 8 : many / 4;
}

static void pour(struct peer *self)
{
    int count = times(self->flood == TICKETS ? 2400 : 20000);
    for (int index = 0; index < count; index++) {
        if (self->flood == KEY_UPDATES) {
            update_keys(self, SSL_KEY_UPDATE_NOT_REQUESTED);
        } else {
            CHECK_INT(SSL_new_session_ticket(self->ssl), 1);
            CHECK_INT(SSL_do_handshake(self->ssl), 1);
        }
    }
    CHECK_INT(SSL_write(self->ssl, "done\n", 5), 5);
}

static async_fn(floods)
{
    async_begin(peer);
    peer_begin(self);
    try_await(async_call(shakes, .peer = self));
    pour(self);
    CHECK(BIO_pending(self->out) > times(500000));
    try_await(peer_sends(task, self));
    await(sos_stream_more(task, self->stream));
    async_finally;
    peer_end(self);
    async_end;
}

struct ours {
    sos_frame frame;
    sos_stream *stream, *lower;
    bool server;
    struct sos_tls_options tls;
    size_t size;
};

static sos_op shake_hands(sos_task *task, struct ours *self)
{
    if (self->server)
        return sos_tls_server(task, self->lower, &self->tls, &self->stream);
    return sos_tls_client(task, self->lower, &self->tls, "server.test", &self->stream);
}

/* A step takes 10 us of the simulated time here. */
static async_fn(is_flooded)
{
    async_begin(ours);
    await(shake_hands(task, self));
    CHECK_INT(sos_status(task), SOS_OK);
    await(sos_within(task, 20, sos_stream_until(task, self->stream, "\n", 1, 0)));
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    await(sos_stream_until(task, self->stream, "\n", 1, 0));
    CHECK_INT(sos_status(task), 5);
    async_finally;
    all_read = true;
    sos_stream_close(self->stream);
    async_end;
}

/* How much our end reads between two steps of a task that always wants to run. */
static int read_fd, read_steps;
static size_t read_now, read_most, read_all;
static int (*simulated_read)(struct sos_kernel *kernel, int fd, void *bytes, size_t size);

static int counted_read(struct sos_kernel *kernel, int fd, void *bytes, size_t size)
{
    int got = simulated_read(kernel, fd, bytes, size);
    if (fd == read_fd && got > 0)
        read_now += (size_t)got;
    return got;
}

struct neighbour {
    sos_frame frame;
};

static async_fn(neighbour)
{
    async_begin(neighbour);
    while (!all_read) {
        read_most = read_now > read_most ? read_now : read_most;
        read_all += read_now;
        read_steps += read_now != 0;
        read_now = 0;
        await(sos_yield(task));
    }
    async_end;
}

static void begin(sos_async_function function, const void *frame, uint32_t size)
{
    const struct sos_start start = { .function = function,
                                     .frame = frame,
                                     .name = "end",
                                     .size = size,
                                     .options = { .priority = 3 } };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
}

static void play(sos_async_function function, struct ours ours, sos_async_function other,
                 struct peer peer)
{
    int fds[2];
    peer.server = !ours.server;
    all_read = false;
    ours.tls = ours.server ? tls_server("good") : ours.tls;
    CHECK_INT(sos_sim_pair(world.kernel, fds, &(struct sos_sim_stream){ .capacity = PLENTY }),
              SOS_OK);
    read_fd = fds[0];
    CHECK_INT(sos_stream_adopt(world.os, fds[0], 0, &ours.lower), SOS_OK);
    CHECK_INT(sos_stream_adopt(world.os, fds[1], 0, &peer.stream), SOS_OK);
    begin(function, &ours, sizeof ours);
    begin(other, &peer, sizeof peer);
}

static void expect_room_for_others(bool server, enum flood flood)
{
    static char ticket[SOS_TLS_SESSION_ROOM];
    struct sos_tls_session session = { .bytes = ticket, .room = sizeof ticket };
    struct ours ours = { .server = server, .tls = tls_client() };
    ours.tls.session = &session;
    tls_world_open(&(struct sos_sim_options){ .step_us = 10 });
    simulated_read = world.kernel->fd_read;
    world.kernel->fd_read = counted_read;
    read_now = read_most = read_all = 0;
    read_steps = 0;
    play(is_flooded, ours, floods, (struct peer){ .flood = flood });
    sos_fork(world.os, neighbour, sos_opt(.priority = 3));
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(read_all > (size_t)times(500000) && read_most <= STEP_MOST);
    CHECK(read_steps > times(100));
    tls_world_close();
}

static void no_flood_holds_the_runtime(void)
{
    expect_room_for_others(false, KEY_UPDATES);
    if (getenv("SOS_VALGRIND") != NULL)
        return;
    expect_room_for_others(true, KEY_UPDATES);
    expect_room_for_others(false, TICKETS);
}

/* ---- As it should */

static bool line_is_whole(struct peer *self)
{
    int got = SSL_read(self->ssl, self->line + self->got, LINE - self->got);
    if (got > 0)
        self->got += got;
    return self->got == LINE;
}

/* Each second time it wants our end to change its key, too. */
static void next_line(struct peer *self)
{
    update_keys(self,
                self->round % 2 != 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
    memset(self->line, 'a' + self->round, LINE - 1);
    self->line[LINE - 1] = '\n';
    CHECK_INT(SSL_write(self->ssl, self->line, LINE), LINE);
    self->got = 0;
}

static void check_line(struct peer *self)
{
    for (int index = 0; index < LINE - 1; index++)
        CHECK_INT(self->line[index], 'a' + self->round);
    CHECK_INT(self->line[LINE - 1], '\n');
    CHECK_INT(self->answers, (self->round + 1) / 2);
}

static async_fn(updates)
{
    async_begin(peer);
    peer_begin(self);
    try_await(async_call(shakes, .peer = self));
    for (; self->round < ROUNDS; self->round++) {
        next_line(self);
        try_await(peer_sends(task, self));
        while (!line_is_whole(self)) {
            try_await(sos_stream_more(task, self->stream));
            peer_takes(self);
        }
        check_line(self);
    }
    note("%d updates", self->answers);
    SSL_shutdown(self->ssl);
    try_await(peer_sends(task, self));
    async_finally;
    peer_end(self);
    async_end;
}

static void echo(struct ours *self)
{
    const unsigned char *bytes = sos_stream_data(self->stream, &self->size);
    CHECK_INT(sos_stream_put(self->stream, bytes, self->size), SOS_OK);
    sos_stream_take(self->stream, self->size);
}

static async_fn(echoes)
{
    async_begin(ours);
    await(shake_hands(task, self));
    CHECK_INT(sos_status(task), SOS_OK);
    for (;;) {
        await(sos_stream_until(task, self->stream, "\n", 1, 0));
        if (sos_status(task) < 0)
            break;
        echo(self);
        try_await(sos_stream_flush(task, self->stream));
    }
    note("%s", status_text(sos_status(task)));
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

static void keys_are_updated_in_both_directions(void)
{
    for (int server = 0; server < 2; server++) {
        tls_world_open(NULL);
        play(echoes, (struct ours){ .server = server != 0, .tls = tls_client() }, updates,
             (struct peer){ .flood = KEY_UPDATES });
        world_run(SOS_OK, "0 10 updates\n0 EEOF\n");
        tls_world_close();
    }
}

int main(void)
{
    if (!certificates_make())
        return 0;
    keys_are_updated_in_both_directions();
    no_flood_holds_the_runtime();
    return 0;
}
