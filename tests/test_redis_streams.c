/* SPDX-License-Identifier: MIT */
/* Streams of Redis: what is added is read by a group of consumers, each entry once. */
#include "smallos/redis_streams.h"

#include "redis_scene.h"

static void run_both(sos_async_function function)
{
    for (uint8_t protocol = 2; protocol <= 3; protocol++) {
        unix_open(&here, NULL);
        run_scene_with(function, &(struct sos_redis_options){ .port = redis_server.port,
                                                              .protocol = protocol });
    }
}

static const char *const job[] = { "task", "sweep", "where", "here" };

#define ADD() CHECKED(sos_redis_xadd(task, self->redis, &self->reply, "jobs", 1000, 2, job), SOS_OK)

static const struct sos_redis_group_read
    anna = { .stream = "jobs", .group = "workers", .consumer = "anna", .count = 10 },
    anna_again = { .stream = "jobs", .group = "workers", .consumer = "anna", .id = "0" };

/* Entries of the reply. */
static uint32_t entries(const struct sos_redis_reply *reply)
{
    const struct sos_redis_value *list = sos_redis_entries(reply->value, "jobs");
    return list != NULL ? list->count : 0;
}

static const struct sos_redis_value *entry(const struct sos_redis_reply *reply, size_t index)
{
    return sos_redis_item(sos_redis_entries(reply->value, "jobs"), index);
}

static async_fn(group)
{
    async_begin(scene);
    CONNECT();
    CHECKED_COMMAND(SOS_OK, "DEL", "jobs");
    CHECKED(sos_redis_xgroup_create(task, self->redis, "jobs", "workers", NULL), SOS_OK);
    CHECKED(sos_redis_xgroup_create(task, self->redis, "jobs", "workers", "0"), SOS_OK);
    CHECKED(sos_redis_xread_group(task, self->redis, &anna, &self->reply), SOS_OK);
    CHECK_INT(self->reply.value->type, SOS_REDIS_NULL);
    ADD();
    snprintf(self->text, sizeof self->text, "%s", self->reply.value->text);
    ADD();
    CHECKED(sos_redis_xread_group(task, self->redis, &anna, &self->reply), SOS_OK);
    CHECK_INT(entries(&self->reply), 2);
    expect_text(sos_redis_item(entry(&self->reply, 0), 0), SOS_REDIS_STRING, self->text);
    expect_text(sos_redis_field(sos_redis_item(entry(&self->reply, 0), 1), "where"),
                SOS_REDIS_STRING, "here");
    CHECK(sos_redis_entries(self->reply.value, "other") == NULL);
    CHECKED(sos_redis_xack(task, self->redis, "jobs", "workers", 1,
                           (const char *const[]){ self->text }),
            1);
    CHECKED(sos_redis_xack(task, self->redis, "jobs", "workers", 1,
                           (const char *const[]){ self->text }),
            0);
    CHECKED(sos_redis_xread_group(task, self->redis, &anna_again, &self->reply), SOS_OK);
    CHECK_INT(entries(&self->reply), 1); /* the other one */
    CHECKED(sos_redis_xadd(task, self->redis, NULL, "jobs", 0, 0, job), SOS_EINVAL);
    CHECKED(sos_redis_xack(task, self->redis, "jobs", "workers", 0, NULL), SOS_EINVAL);
    CHECKED(sos_redis_xgroup_create(task, self->redis, "jobs", "x", "no id"), SOS_ESERVER);
    CHECK(strstr(sos_redis_error(self->redis), "Invalid stream ID") != NULL);
    async_finally;
    scene_end(self);
    async_end;
}

static void what_is_read_stays_until_it_is_acknowledged(void)
{
    run_both(group);
}

struct worker {
    sos_frame frame;
    sos_redis *redis;
    struct sos_redis_reply reply;
    int *heard;
};

static const struct sos_redis_group_read blocking = { .stream = "jobs",
                                                      .group = "workers",
                                                      .consumer = "bert",
                                                      .block_us = SOS_FOREVER,
                                                      .no_ack = true };

static async_fn(worker)
{
    async_begin(worker);
    CHECKED(sos_redis_xread_group(task, self->redis, &blocking, &self->reply), SOS_OK);
    *self->heard = (int)entries(&self->reply);
    async_finally;
    sos_redis_reply_free(&self->reply);
    async_end;
}

/* It waits on a connection of its own, and the shared one goes on. */
static async_fn(waits)
{
    async_begin(scene);
    CHECKED(scene_connect_both(task, self), SOS_OK);
    CHECKED_COMMAND(SOS_OK, "DEL", "jobs");
    CHECKED(sos_redis_xgroup_create(task, self->redis, "jobs", "workers", NULL), SOS_OK);
    sos_scope_open(task, &self->scope);
    async_spawn(worker, sos_opt(), .redis = self->second, .heard = &self->left);
    await(sos_sleep(task, SOS_MS(5)));
    CHECK_INT(self->left, 0);
    ADD();
    CHECKED(sos_scope_join(task, &self->scope), SOS_OK);
    CHECK_INT(self->left, 1);
    async_finally;
    scene_end(self);
    async_end;
}

static void a_reader_may_wait_for_entries(void)
{
    run_both(waits);
}

int main(void)
{
    void (*const tests[])(void) = {
        what_is_read_stays_until_it_is_acknowledged,
        a_reader_may_wait_for_entries,
    };
    redis_server_start(NULL);
    unix_tests(tests, sizeof tests / sizeof tests[0], false);
    server_stop(&redis_server);
    return 0;
}
