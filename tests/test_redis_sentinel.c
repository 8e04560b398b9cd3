/* SPDX-License-Identifier: MIT */
/* A real Redis Sentinel, a master and a replica: who is master, and who when it has died. */
#include "redis_scene.h"

static struct server first, second, sentinel, nobody;

static void start_all(void)
{
    static const char none[] = "0";
    char port[8];
    server_prepare(&first);
    server_prepare(&second);
    server_prepare(&sentinel);
    server_prepare(&nobody); /* a sentinel that is down */
    redis_start(&first, (const char *const[]){ "--repl-diskless-sync-delay", none, NULL });
    snprintf(port, sizeof port, "%u", first.port);
    redis_start(&second, (const char *const[]){ "--replicaof", "127.0.0.1", port, NULL });
    char text[512];
    snprintf(text, sizeof text,
             "port {port}\nbind 127.0.0.1\ndir {folder}\nrequirepass watch\n"
             "sentinel monitor mine 127.0.0.1 %u 1\n"
             "sentinel down-after-milliseconds mine 300\nsentinel failover-timeout mine 2000\n",
             first.port);
    server_file(&sentinel, "sentinel.conf", text);
    CHECK(server_start(&sentinel, (const char *const[]){ "redis-server", "{folder}/sentinel.conf",
                                                         "--sentinel", NULL }));
}

static struct sos_redis_options options(const char *master)
{
    static struct sos_redis_endpoint sentinels[2];
    sentinels[0] = (struct sos_redis_endpoint){ .port = nobody.port };
    sentinels[1] = (struct sos_redis_endpoint){ .host = "127.0.0.1", .port = sentinel.port };
    return (struct sos_redis_options){ .master = master,
                                       .sentinels = sentinels,
                                       .sentinel_count = 2,
                                       .sentinel_password = "watch",
                                       .reconnect = { .first_delay_us = SOS_MS(5),
                                                      .max_delay_us = SOS_MS(50) } };
}

static void run(sos_async_function function, const char *master)
{
    const struct sos_redis_options how = options(master);
    unix_open(&here, NULL);
    run_scene_with(function, &how);
}

static async_fn(unknown)
{
    async_begin(scene);
    self->options.error_text = self->text;
    self->options.error_text_size = sizeof self->text;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_ENOENT);
    CHECK(strncmp(self->text, "no sentinel knows the master theirs", 35) == 0);
    self->options.sentinel_password = "wrong";
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_ESERVER);
    self->options.sentinel_count = 1;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_ECONNREFUSED);
    self->options.sentinel_count = 0;
    CHECKED(sos_redis_connect(task, &self->options, &self->redis), SOS_EINVAL);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_master_that_no_sentinel_knows_is_an_error(void)
{
    run(unknown, "theirs");
}

static bool has(const struct sos_redis_reply *reply, const char *text)
{
    return strstr(reply->value->text, text) != NULL;
}

static sos_op connect_to(sos_task *task, uint16_t port, sos_redis **redis)
{
    const struct sos_redis_options where = { .port = port };
    return sos_redis_connect(task, &where, redis);
}

/* Until the replica has all of it, and the sentinel knows the replica. */
static async_fn(prepared)
{
    async_begin(scene);
    CHECKED(connect_to(task, second.port, &self->second), SOS_OK);
    self->options.master = NULL;
    self->options.port = sentinel.port;
    self->options.password = self->options.sentinel_password;
    CONNECT();
    do {
        await(sos_sleep(task, SOS_MS(10)));
        CHECKED(sos_redis_command(task, self->second, &self->reply, "INFO", "replication"), SOS_OK);
    } while (!has(&self->reply, "master_link_status:up"));
    do {
        await(sos_sleep(task, SOS_MS(10)));
        CHECKED_COMMAND(SOS_OK, "INFO", "sentinel");
    } while (!has(&self->reply, "slaves=1"));
    async_finally;
    scene_end(self);
    async_end;
}

static async_fn(fail_over)
{
    async_begin(scene);
    CONNECT();
    CHECKED(sos_redis_subscribe(task, self->redis, "news"), SOS_OK);
    CHECKED_COMMAND(SOS_OK, "SET", "key", "kept");
    CHECKED_COMMAND(SOS_OK, "WAIT", "1", "2000");
    expect_integer(self->reply.value, 1);
    server_kill(&first);
    do {
        await(sos_within(task, SOS_SEC(20),
                         sos_redis_command(task, self->redis, &self->reply, "SET", "key2", "x")));
    } while (sos_status(task) == SOS_ELOST);
    CHECK_INT(sos_status(task), SOS_OK);
    CHECKED_COMMAND(SOS_OK, "GET", "key");
    expect_text(self->reply.value, SOS_REDIS_STRING, "kept");
    CHECKED_COMMAND(SOS_OK, "CONFIG", "GET", "port");
    CHECK_INT(atoi(sos_redis_item(self->reply.value, 1)->text), second.port);
    CHECKED(sos_redis_publish(task, self->redis, "news", "x", 1), 1);
    CHECKED(sos_redis_next_message(task, self->redis, &self->message), SOS_OK);
    async_finally;
    scene_end(self);
    async_end;
}

/* The old one stays up and is made a replica: it says so with the next write. */
static async_fn(demoted)
{
    async_begin(scene);
    CONNECT();
    CHECKED(connect_to(task, second.port, &self->second), SOS_OK);
    CHECKED(sos_redis_command(task, self->second, NULL, "REPLICAOF", "127.0.0.1", "1"), SOS_OK);
    CHECKED_COMMAND(SOS_ESERVER, "SET", "key", "refused");
    CHECK(has(&self->reply, "READONLY"));
    CHECK(!sos_redis_is_up(self->redis));
    CHECKED(sos_within(task, SOS_MS(100), sos_redis_ping(task, self->redis)), SOS_ETIMEDOUT);
    CHECKED(sos_redis_command(task, self->second, NULL, "REPLICAOF", "NO", "ONE"), SOS_OK);
    CHECKED_COMMAND(SOS_OK, "SET", "key", "again");
    async_finally;
    scene_end(self);
    async_end;
}

int main(void)
{
    here.backend = SOS_UNIX_POLL; /* fail-overs take their time, and none of it is the back end's */
    start_all();
    a_master_that_no_sentinel_knows_is_an_error();
    run(prepared, "mine");
    run(fail_over, "mine");
    run(demoted, "mine");
    server_stop(&first);
    server_stop(&second);
    server_stop(&sentinel);
    server_stop(&nobody);
    return 0;
}
