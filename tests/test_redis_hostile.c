/* SPDX-License-Identifier: MIT */
/* Servers that are no good to the Redis client, in the simulation: each is refused with its rule, and
 * takes no more memory than the limits allow. */
#include "smallos/redis.h"
#include "smallos/stream.h"
#include "world.h"

/* ---- A server that says the same to everybody */

static struct {
    const char *head, *repeated; /* once, and then so many times */
    int times;
    bool ends; /* and closes */
    sos_listener *listener;
} script;

struct speaker {
    sos_frame frame;
    sos_stream *stream;
    int left;
};

static async_fn(speaker)
{
    async_begin(speaker);
    await(sos_stream_more(task, self->stream)); /* a command */
    await(sos_stream_write(task, self->stream, script.head, strlen(script.head)));
    for (self->left = script.times; self->left > 0; self->left--) {
        await(sos_stream_write(task, self->stream, script.repeated, strlen(script.repeated)));
        if (sos_status(task) < 0)
            async_return(SOS_OK);
    }
    while (!script.ends) {
        await(sos_stream_more(task, self->stream));
        if (sos_status(task) < 0)
            break;
        sos_stream_take(self->stream, SIZE_MAX);
    }
    async_return(SOS_OK);
    async_finally;
    sos_stream_close(self->stream);
    async_end;
}

struct door {
    sos_frame frame;
    sos_stream *stream;
};

static async_fn(door)
{
    async_begin(door);
    for (;;) {
        try_await(sos_accept(task, script.listener, &self->stream));
        async_spawn(speaker, sos_opt(.detached = true, .watcher = true), .stream = self->stream);
        self->stream = NULL;
    }
    async_finally;
    sos_stream_close(self->stream);
    sos_listener_close(script.listener);
    async_end;
}

static void open_world(void)
{
    world_open(NULL);
    CHECK_INT(sos_listener_open(world.os, &(struct sos_listen){ .host = "10.0.0.1", .port = 6379 },
                                &script.listener),
              SOS_OK);
    CHECK(sos_fork(world.os, door, sos_opt(.priority = 3, .watcher = true)).pid >= 0);
}

/* ---- A client that asks once */

struct asker {
    sos_frame frame;
    struct sos_redis_options options;
    sos_redis *redis;
    struct sos_redis_reply reply;
    bool subscribes;
    int connects, expected;
    const char *why, *text; /* text: of the reply, or of its last item */
};

static sos_op ask(sos_task *task, struct asker *self)
{
    if (self->subscribes)
        return sos_redis_subscribe(task, self->redis, "news");
    return sos_redis_command(task, self->redis, &self->reply, "GET", "key");
}

enum { MEMORY_MOST = 1 << 20 };

static void check_last(const struct sos_redis_value *value, const char *text)
{
    while (value != NULL && value->count != 0)
        value = sos_redis_item(value, value->count - 1);
    CHECK(value != NULL && value->type == SOS_REDIS_STRING && value->wire == '$');
    CHECK_INT(value->length, strlen(text));
    CHECK(strcmp(value->text, text) == 0);
}

static async_fn(asker)
{
    async_begin(asker);
    await(sos_redis_connect(task, &self->options, &self->redis));
    CHECK_INT(sos_status(task), self->connects);
    if (sos_status(task) != SOS_OK)
        async_return(SOS_OK);
    await(sos_within(task, SOS_SEC(1), ask(task, self)));
    CHECK_INT(sos_status(task), self->expected);
    CHECK(self->why == NULL || strstr(sos_redis_error(self->redis), self->why) != NULL);
    if (self->text != NULL)
        check_last(self->reply.value, self->text);
    CHECK(sos_memory(sos_of(task)).used < MEMORY_MOST);
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_close(self->redis);
    async_end;
}

static void play(const struct asker *how)
{
    open_world();
    struct asker asker = *how;
    asker.options.host = "10.0.0.1";
    const struct sos_start start = { .function = how->frame.function,
                                     .frame = &asker,
                                     .name = "asker",
                                     .size = sizeof asker,
                                     .options = { .priority = 5 } };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
}

/* Speaks RESP2, so that what comes is the answer to the command. */
static void expect(int status, const char *why)
{
    play(&(struct asker){ .frame.function = asker,
                          .options = { .protocol = 2, .max_response_size = 65536 },
                          .expected = status,
                          .why = why });
}

/* More than any limit allows, and fewer where each takes its time. */
static int many(void)
{
    return getenv("SOS_VALGRIND") != NULL ? 10000 : 100000;
}

/* ---- Replies */

static void deep_nesting_is_refused(void)
{
    script.head = "";
    script.repeated = "*1\r\n";
    script.times = many();
    expect(SOS_ELIMIT, "byte 128");
}

static void lengths_beyond_everything_are_refused(void)
{
    static const struct {
        const char *text;
        int status;
    } replies[] = {
        { "$9223372036854775807\r\n", SOS_ELIMIT },
        { "$9223372036854775808\r\n", SOS_ELIMIT },
        { "$99999999999999999999999\r\n", SOS_ELIMIT },
        { "$-2\r\n", SOS_EPROTO },
        { "*9223372036854775807\r\n", SOS_ELIMIT },
        { "%2147483648\r\n", SOS_ELIMIT },
        { ":9223372036854775808\r\n", SOS_EPROTO },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", SOS_EPROTO },
        { "*4294967295\r\n", SOS_ELIMIT },
        { "*20000\r\n", SOS_ETIMEDOUT }, /* no memory is taken for what has not come */
    };
    script.times = 0;
    for (size_t index = 0; index < sizeof replies / sizeof replies[0]; index++) {
        script.head = replies[index].text;
        expect(replies[index].status, replies[index].status == SOS_ETIMEDOUT ? NULL : "byte ");
    }
}

static void a_line_without_an_end_is_refused(void)
{
    script.head = "+";
    script.repeated = "and so on and so on and so on and so on and so on and so on and so on ";
    script.times = many();
    expect(SOS_ELIMIT, "byte ");
}

static void an_array_without_an_end_is_refused(void)
{
    script.head = "*?\r\n";
    script.repeated =
        ":1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n";
    script.times = many();
    expect(SOS_ELIMIT, "byte ");
}

static void a_second_reply_ends_the_connection(void)
{
    script.head = "+OK\r\n+and this\r\n";
    script.times = 0;
    expect(SOS_OK, "a reply came that nobody had asked for");
}

static void what_is_no_confirmation_is_refused(void)
{
    script.head = "+OK\r\n";
    script.times = 0;
    play(&(struct asker){ .frame.function = asker,
                          .options.protocol = 2,
                          .subscribes = true,
                          .expected = SOS_EPROTO,
                          .why = "a subscription was answered and not confirmed" });
}

static void an_end_in_the_middle_of_a_reply_is_a_loss(void)
{
    script.head = "*2\r\n$3\r\none\r\n$3\r\nt";
    script.times = 0;
    script.ends = true;
    expect(SOS_ELOST, "the stream has ended");
    script.ends = false;
}

/* No server writes them, but the protocol has them. */
static void a_streamed_string_is_one_text(void)
{
    static const struct {
        const char *reply, *text;
    } cases[] = {
        { "$?\r\n;3\r\nabc\r\n;0\r\n", "abc" },
        { "$?\r\n;3\r\nabc\r\n;2\r\nde\r\n;0\r\n", "abcde" },
        { "$?\r\n;0\r\n", "" },
        { "*2\r\n$?\r\n;1\r\na\r\n;0\r\n$?\r\n;2\r\nbc\r\n;0\r\n", "bc" },
        { "|1\r\n+a\r\n$?\r\n;1\r\na\r\n;0\r\n*1\r\n*1\r\n$?\r\n;1\r\nb\r\n;0\r\n", "b" },
    };
    script.times = 0;
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        script.head = cases[index].reply;
        play(&(struct asker){
            .frame.function = asker, .options.protocol = 2, .text = cases[index].text });
    }
}

static void a_streamed_string_may_stand_at_the_deepest(void)
{
    enum { DEEPEST = 64 };
    static char reply[DEEPEST * 4 + 32];
    for (int depth = 0; depth < DEEPEST; depth++)
        memcpy(reply + depth * 4, "*1\r\n", 4);
    memcpy(reply + DEEPEST * 4, "$?\r\n;3\r\nabc\r\n;0\r\n", sizeof "$?\r\n;3\r\nabc\r\n;0\r\n");
    script.head = reply;
    script.times = 0;
    play(&(struct asker){ .frame.function = asker,
                          .options = { .protocol = 2, .max_nesting_depth = DEEPEST },
                          .text = "abc" });
}

/* ---- What comes by itself */

static void pushes_that_nobody_reads_take_bounded_memory(void)
{
    script.head = "";
    script.repeated = ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$50\r\n"
                      "01234567890123456789012345678901234567890123456789\r\n";
    script.times = many();
    play(&(struct asker){ .frame.function = asker,
                          .options = { .protocol = 2, .max_messages = 1000 },
                          .expected = SOS_ETIMEDOUT });
    script.repeated = ">2\r\n+invalidate\r\n*0\r\n";
    play(&(struct asker){ .frame.function = asker,
                          .options = { .protocol = 2, .max_message_bytes = 20000 },
                          .expected = SOS_ETIMEDOUT });
}

/* ---- Greetings */

static void what_is_no_redis_is_told_when_connecting(void)
{
    script.head = "SSH-2.0-OpenSSH_9.2\r\n";
    script.times = 0;
    play(&(struct asker){ .frame.function = asker, .connects = SOS_EPROTO });
    script.ends = true;
    play(&(struct asker){ .frame.function = asker, .connects = SOS_EPROTO });
    script.head = "";
    play(&(struct asker){ .frame.function = asker, .connects = SOS_EEOF });
    script.ends = false;
    play(&(struct asker){ .frame.function = asker, .connects = SOS_ETIMEDOUT });
    script.head = "-NOPROTO unsupported protocol version\r\n";
    play(
        &(struct asker){ .frame.function = asker, .options.protocol = 3, .connects = SOS_ESERVER });
    script.head = "";
    script.repeated = "*1\r\n";
    script.times = 1000;
    play(&(struct asker){ .frame.function = asker, .connects = SOS_ELIMIT });
}

int main(void)
{
    deep_nesting_is_refused();
    lengths_beyond_everything_are_refused();
    a_line_without_an_end_is_refused();
    an_array_without_an_end_is_refused();
    a_second_reply_ends_the_connection();
    what_is_no_confirmation_is_refused();
    an_end_in_the_middle_of_a_reply_is_a_loss();
    a_streamed_string_is_one_text();
    a_streamed_string_may_stand_at_the_deepest();
    pushes_that_nobody_reads_take_bounded_memory();
    what_is_no_redis_is_told_when_connecting();
    return 0;
}
