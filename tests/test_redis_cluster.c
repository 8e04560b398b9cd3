/* SPDX-License-Identifier: MIT */
/* A real Redis Cluster of three masters and a replica: slots, MOVED, ASK, and a fail-over. */
#include "smallos/redis_cluster.h"

#include "redis_scene.h"

enum { NODES = 4, MASTERS = 3, REPLICA = 3 };

static struct server nodes[NODES];

struct member {
    sos_redis *redis;
    char id[41];
    char port[8], bus[8];
};

struct play {
    sos_frame frame;
    struct member members[NODES];
    sos_redis_cluster *cluster;
    struct sos_redis_reply reply;
    struct sos_redis_pipeline pipeline;
    struct sos_redis_cluster_options options;
    struct sos_scope scope;
    int index, other, left;
    char text[32], slot[8];
};

static void start_node(struct server *node)
{
    redis_start(node, (const char *const[]){ "--cluster-enabled", "yes", "--cluster-node-timeout",
                                             "1000", "--cluster-require-full-coverage", "no",
                                             "--repl-diskless-sync-delay", "0", NULL });
}

static void run_play(sos_async_function function)
{
    struct play play = { .options.node = { .port = nodes[0].port,
                                           .reconnect = { .first_delay_us = SOS_MS(2),
                                                          .max_delay_us = SOS_MS(50) } } };
    const struct sos_start start = {
        .function = function,
        .frame = &play,
        .name = "play",
        .size = sizeof play,
        .options = { .priority = 4 },
    };
    unix_open(&here, NULL);
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    unix_run();
}

static void play_end(struct play *play)
{
    sos_redis_reply_free(&play->reply);
    sos_redis_pipeline_free(&play->pipeline);
    sos_redis_cluster_close(play->cluster);
    for (int index = 0; index < NODES; index++)
        sos_redis_close(play->members[index].redis);
}

/* ---- Straight to the nodes */

static sos_op connect_to(sos_task *task, struct play *self, int index)
{
    const struct sos_redis_options options = { .port = nodes[index].port };
    return sos_redis_connect(task, &options, &self->members[index].redis);
}

static void note_identity(struct play *self)
{
    struct member *member = &self->members[self->index];
    snprintf(member->id, sizeof member->id, "%s", self->reply.value->text);
    snprintf(member->port, sizeof member->port, "%u", nodes[self->index].port);
    snprintf(member->bus, sizeof member->bus, "%u", nodes[self->index].port + 10000u);
}

#define ON(index, ...)                                                                             \
    CHECKED(sos_redis_command(task, self->members[index].redis, &self->reply, __VA_ARGS__), SOS_OK)

struct straight {
    sos_frame frame;
    struct play *play;
};

static async_fn(straight)
{
    async_begin(straight);
    for (self->play->index = 0; self->play->index < NODES; self->play->index++) {
        try_await(connect_to(task, self->play, self->play->index));
        try_await(sos_redis_command(task, self->play->members[self->play->index].redis,
                                    &self->play->reply, "CLUSTER", "MYID"));
        note_identity(self->play);
    }
    async_end;
}

#define STRAIGHT() CHECKED(async_call(straight, .play = self), SOS_OK)

/* How many nodes are known, and whether all slots are there. */
static bool is_complete(const struct sos_redis_reply *reply)
{
    const char *text = reply->value->text;
    return strstr(text, "cluster_state:ok") != NULL &&
           strstr(text, "cluster_known_nodes:4") != NULL &&
           strstr(text, "cluster_slots_assigned:16384") != NULL &&
           strstr(text, "cluster_size:3") != NULL;
}

static const char *const ranges[MASTERS][2] = { { "0", "5460" },
                                                { "5461", "10922" },
                                                { "10923", "16383" } };

static async_fn(found)
{
    async_begin(play);
    STRAIGHT();
    for (self->index = 0; self->index < NODES; self->index++) {
        snprintf(self->text, sizeof self->text, "%d", self->index + 1);
        ON(self->index, "CLUSTER", "SET-CONFIG-EPOCH", self->text);
        if (self->index < MASTERS)
            ON(self->index, "CLUSTER", "ADDSLOTSRANGE", ranges[self->index][0],
               ranges[self->index][1]);
        ON(0, "CLUSTER", "MEET", "127.0.0.1", self->members[self->index].port);
    }
    for (self->index = 0; self->index < NODES;) {
        ON(self->index, "CLUSTER", "INFO");
        if (is_complete(&self->reply))
            self->index++;
        else
            await(sos_sleep(task, SOS_MS(20)));
    }
    ON(REPLICA, "CLUSTER", "REPLICATE", self->members[0].id);
    async_finally;
    play_end(self);
    async_end;
}

static void a_cluster_is_founded(void)
{
    for (int index = 0; index < NODES; index++) {
        do { /* its bus has a port of its own, 10,000 higher */
            server_prepare(&nodes[index]);
        } while (nodes[index].port > 55535);
        start_node(&nodes[index]);
    }
    run_play(found);
}

/* ---- Slots */

static void slots_are_those_of_the_specification(void)
{
    CHECK_INT(sos_redis_slot("123456789", 9), 0x31C3);
    CHECK_INT(sos_redis_slot("foo", 3), 12182);
    CHECK_INT(sos_redis_slot("", 0), 0);
    CHECK_INT(sos_redis_slot("{user1000}.following", 20), sos_redis_slot("user1000", 8));
    CHECK_INT(sos_redis_slot("foo{}{bar}", 10), sos_redis_slot("foo{}{bar}", 10));
    CHECK(sos_redis_slot("foo{}{bar}", 10) != sos_redis_slot("bar", 3));
    CHECK_INT(sos_redis_slot("foo{{bar}}zap", 13), sos_redis_slot("{bar", 4));
    CHECK_INT(sos_redis_slot("foo{bar}{zap}", 13), sos_redis_slot("bar", 3));
}

#define CLUSTER() CHECKED(sos_redis_cluster_connect(task, &self->options, &self->cluster), SOS_OK)
#define COMMAND(status, ...)                                                                       \
    CHECKED(sos_redis_cluster_command(task, self->cluster, &self->reply, __VA_ARGS__), status)

static async_fn(spread)
{
    async_begin(play);
    CLUSTER();
    for (self->index = 0; self->index < 60; self->index++) {
        snprintf(self->text, sizeof self->text, "key%d", self->index);
        COMMAND(SOS_OK, "SET", self->text, self->text);
    }
    for (self->index = 0; self->index < 60; self->index++) {
        snprintf(self->text, sizeof self->text, "key%d", self->index);
        COMMAND(SOS_OK, "GET", self->text);
        expect_text(self->reply.value, SOS_REDIS_STRING, self->text);
    }
    COMMAND(SOS_OK, "EVAL", "return redis.call('get', KEYS[1])", "1", "key7");
    expect_text(self->reply.value, SOS_REDIS_STRING, "key7");
    COMMAND(SOS_OK, "DEL", "stream{7}");
    COMMAND(SOS_OK, "XADD", "stream{7}", "1-1", "field", "value");
    COMMAND(SOS_OK, "XREAD", "COUNT", "1", "STREAMS", "stream{7}", "0");
    COMMAND(SOS_OK, "PING");
    COMMAND(SOS_ESERVER, "MGET", "key1", "key2");
    CHECK(strncmp(self->reply.value->text, "CROSSSLOT", 9) == 0);
    COMMAND(SOS_ESERVER, "NOSUCHCOMMAND", "x");
    COMMAND(SOS_EINVAL, "SUBSCRIBE", "x");
    self->pipeline.redis = sos_redis_cluster_node(self->cluster, "{tag}");
    sos_redis_add(&self->pipeline, "SET", "{tag}1", "one");
    sos_redis_add(&self->pipeline, "MGET", "{tag}1", "{tag}2");
    CHECKED(sos_redis_transaction(task, &self->pipeline, &self->reply), SOS_OK);
    async_finally;
    play_end(self);
    async_end;
}

static void commands_go_where_their_keys_are(void)
{
    run_play(spread);
}

struct sharer {
    sos_frame frame;
    sos_redis_cluster *cluster;
    struct sos_redis_reply reply;
    int number, round;
    char key[16], text[16];
};

static async_fn(sharer)
{
    async_begin(sharer);
    for (; self->round < 20; self->round++) {
        snprintf(self->key, sizeof self->key, "n%d.%d", self->number, self->round);
        CHECKED(sos_redis_cluster_command(task, self->cluster, NULL, "SET", self->key, self->key),
                SOS_OK);
        CHECKED(sos_redis_cluster_command(task, self->cluster, &self->reply, "GET", self->key),
                SOS_OK);
        expect_text(self->reply.value, SOS_REDIS_STRING, self->key);
    }
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

static async_fn(shared)
{
    async_begin(play);
    CLUSTER();
    sos_scope_open(task, &self->scope);
    for (; self->index < 30; self->index++)
        async_spawn(sharer, sos_opt(), .cluster = self->cluster, .number = self->index);
    CHECKED(sos_scope_join(task, &self->scope), SOS_OK);
    async_finally;
    play_end(self);
    async_end;
}

static void many_tasks_share_a_cluster(void)
{
    run_play(shared);
}

/* ---- Slots on the move */

/* The slot of "{moving}" goes from the one that has it to the next, and back in the next test. */
static int owner_of(const struct play *self, const struct sos_redis_value *map)
{
    const struct sos_redis_value *range = sos_redis_item(map, 0);
    int slot = sos_redis_slot("{moving}", 8);
    for (uint32_t index = 0; index < map->count; index++, range = sos_redis_next(range)) {
        int64_t port = sos_redis_item(sos_redis_item(range, 2), 1)->integer;
        if (sos_redis_item(range, 0)->integer > slot || sos_redis_item(range, 1)->integer < slot)
            continue;
        for (int node = 0; node < MASTERS; node++)
            if (atoi(self->members[node].port) == port)
                return node;
    }
    CHECK(false);
    return 0;
}

static async_fn(moving)
{
    async_begin(play);
    STRAIGHT();
    CLUSTER();
    ON(1, "CLUSTER", "SLOTS");
    self->index = owner_of(self, self->reply.value);
    self->other = (self->index + 1) % MASTERS;
    snprintf(self->slot, sizeof self->slot, "%u", sos_redis_slot("{moving}", 8));
    COMMAND(SOS_OK, "DEL", "{moving}old", "{moving}new");
    COMMAND(SOS_OK, "SET", "{moving}old", "1");
    ON(self->other, "CLUSTER", "SETSLOT", self->slot, "IMPORTING", self->members[self->index].id);
    ON(self->index, "CLUSTER", "SETSLOT", self->slot, "MIGRATING", self->members[self->other].id);
    COMMAND(SOS_OK, "GET", "{moving}old"); /* still there */
    expect_text(self->reply.value, SOS_REDIS_STRING, "1");
    COMMAND(SOS_OK, "SET", "{moving}new", "2"); /* ASK */
    COMMAND(SOS_OK, "GET", "{moving}new");
    expect_text(self->reply.value, SOS_REDIS_STRING, "2");
    ON(self->index, "MIGRATE", "127.0.0.1", self->members[self->other].port, "{moving}old", "0",
       "1000");
    ON(self->other, "CLUSTER", "SETSLOT", self->slot, "NODE", self->members[self->other].id);
    ON(self->index, "CLUSTER", "SETSLOT", self->slot, "NODE", self->members[self->other].id);
    COMMAND(SOS_OK, "MGET", "{moving}old", "{moving}new"); /* MOVED */
    expect_text(sos_redis_item(self->reply.value, 0), SOS_REDIS_STRING, "1");
    expect_text(sos_redis_item(self->reply.value, 1), SOS_REDIS_STRING, "2");
    async_finally;
    play_end(self);
    async_end;
}

static void a_slot_that_moves_is_followed(void)
{
    run_play(moving);
}

/* ---- Fail-over */

static async_fn(fail_over)
{
    async_begin(play);
    STRAIGHT();
    self->options.node.port = nodes[1].port;
    CLUSTER();
    while (self->text[0] == '\0') { /* until it has all of the master */
        ON(REPLICA, "INFO", "replication");
        if (strstr(self->reply.value->text, "master_link_status:up") != NULL)
            self->text[0] = 'x';
        await(sos_sleep(task, SOS_MS(10)));
    }
    COMMAND(SOS_OK, "SET", "bar", "kept"); /* slot 5061, of the first */
    ON(0, "WAIT", "1", "1000");
    server_kill(&nodes[0]);
    COMMAND(SOS_OK, "GET", "foo"); /* the others go on */
    ON(REPLICA, "CLUSTER", "FAILOVER", "TAKEOVER");
    do {
        await(
            sos_within(task, SOS_SEC(20),
                       sos_redis_cluster_command(task, self->cluster, &self->reply, "GET", "bar")));
    } while (sos_status(task) == SOS_ELOST);
    CHECK_INT(sos_status(task), SOS_OK);
    expect_text(self->reply.value, SOS_REDIS_STRING, "kept");
    async_finally;
    play_end(self);
    async_end;
}

static void a_fail_over_is_followed(void)
{
    run_play(fail_over);
}

static async_fn(no_cluster)
{
    async_begin(play);
    self->options.node.port = redis_server.port;
    self->options.node.error_text = self->text;
    self->options.node.error_text_size = sizeof self->text;
    CHECKED(sos_redis_cluster_connect(task, &self->options, &self->cluster), SOS_ESERVER);
    CHECK(strncmp(self->text, "ERR This instance has cluster", 29) == 0);
    self->options.node.port = 1;
    CHECKED(sos_redis_cluster_connect(task, &self->options, &self->cluster), SOS_ECONNREFUSED);
    async_finally;
    play_end(self);
    async_end;
}

static void what_is_no_cluster_is_refused(void)
{
    run_play(no_cluster);
}

int main(void)
{
    void (*const tests[])(void) = {
        slots_are_those_of_the_specification, commands_go_where_their_keys_are,
        many_tasks_share_a_cluster,           a_slot_that_moves_is_followed,
        what_is_no_cluster_is_refused,
    };
    redis_server_start(NULL);
    here.backend = SOS_UNIX_POLL;
    a_cluster_is_founded();
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    a_fail_over_is_followed();
    for (int index = 0; index < NODES; index++)
        server_stop(&nodes[index]);
    server_stop(&redis_server);
    return 0;
}
