/* SPDX-License-Identifier: MIT */
/*
 * The MQTT client with a store, through losses of power at any moment, on a bad network: what was
 * saved arrives, at QoS 2 once. The store here loses what was not synced, but for a part that had
 * reached the disk by chance.
 */
#include "mqtt_broker.h"
#include "smallos/mqtt.h"
#include "world.h"

#define HOST "10.0.0.1"

static struct broker broker;

/* ---- A store that can lose its power */

enum { RECORDS = 256, RECORD_SIZE = 64 };

struct record {
    uint64_t key;
    size_t size;
    bool used, removes;
    char bytes[RECORD_SIZE];
};

static struct {
    struct record safe[RECORDS], lazy[RECORDS];
    size_t lazy_count;
    bool off; /* there is no power: nothing is written */
} disk;

static void write_record(const struct record *record)
{
    struct record *at = disk.safe;
    while (at->used && at->key != record->key) {
        at++;
        CHECK(at < disk.safe + RECORDS - 1);
    }
    if (!record->removes) {
        *at = *record;
        return;
    }
    for (; at->used; at++)
        at[0] = at[1];
}

static int do_lazily(const struct record *record)
{
    if (disk.off)
        return SOS_OK;
    CHECK(disk.lazy_count < RECORDS);
    disk.lazy[disk.lazy_count++] = *record;
    return SOS_OK;
}

static int put(void *context, uint64_t key, const void *bytes, size_t size)
{
    struct record record = { .key = key, .size = size, .used = true };
    (void)context;
    CHECK(size <= RECORD_SIZE);
    memcpy(record.bytes, bytes, size);
    return do_lazily(&record);
}

static int remove_key(void *context, uint64_t key)
{
    struct record record = { .key = key, .used = true, .removes = true };
    (void)context;
    return do_lazily(&record);
}

static void write_lazy(size_t count)
{
    for (size_t index = 0; index < count; index++)
        write_record(&disk.lazy[index]);
    disk.lazy_count = 0;
}

static int sync_disk(void *context)
{
    (void)context;
    if (!disk.off)
        write_lazy(disk.lazy_count);
    return SOS_OK;
}

static int each(void *context, int (*found)(void *to, uint64_t key, const void *bytes, size_t size),
                void *to)
{
    (void)context;
    int status = SOS_OK;
    for (int index = 0; disk.safe[index].used && status == SOS_OK; index++)
        status = found(to, disk.safe[index].key, disk.safe[index].bytes, disk.safe[index].size);
    return status;
}

static const struct sos_mqtt_store store = { put, remove_key, sync_disk, each, NULL };

static void power_off(void)
{
    write_lazy(sos_sim_random(world.kernel, (uint32_t)disk.lazy_count + 1));
    disk.off = true;
}

/* ---- What is published, and what of it the server sees */

enum { NUMBERS = 200, LIVES = 4 };

static uint8_t saved[NUMBERS], came[NUMBERS];
static int posted;

/* A message has left: its record, which ends with its payload, must not be lost any more. */
static void expect_safe(const char *text)
{
    size_t size = strlen(text);
    const struct record *at = disk.safe;
    while (at->used && (at->key >> 62 != 0 || memcmp(at->bytes + at->size - size, text, size) != 0))
        at++;
    CHECK(at->used);
}

static void published(void *context, const struct sos_mqtt_publish_ *publish)
{
    char text[16] = "";
    (void)context;
    CHECK(publish->payload.size < sizeof text);
    memcpy(text, publish->payload.data, publish->payload.size);
    came[atoi(text)]++;
    if (publish->qos == 2)
        expect_safe(text);
}

static uint8_t qos_of(int number)
{
    return number % 3 != 0 ? 2 : 1;
}

static void post_one(sos_mqtt *mqtt)
{
    char text[16];
    CHECK(posted < NUMBERS);
    snprintf(text, sizeof text, "%03d", posted);
    CHECK_INT(sos_mqtt_post(mqtt, &(struct sos_mqtt_message){ .topic = "n",
                                                              .payload = text,
                                                              .size = strlen(text),
                                                              .qos = qos_of(posted) }),
              SOS_OK);
    posted++;
}

static void save_some(sos_mqtt *mqtt)
{
    if (sos_sim_random(world.kernel, 3) != 0)
        return;
    CHECK_INT(sos_mqtt_save(mqtt), SOS_OK);
    for (int number = posted; number-- > 0 && saved[number] == 0;)
        saved[number] = number >= 0;
}

struct life {
    sos_frame frame;
    struct sos_mqtt_options options;
    sos_mqtt *mqtt;
    int left;
};

static async_fn(life)
{
    async_begin(life);
    CHECK_INT(sos_mqtt_start(task, &self->options, &self->mqtt), SOS_OK);
    for (; self->left > 0; self->left--) {
        post_one(self->mqtt);
        save_some(self->mqtt);
        await(sos_sleep(task, sos_sim_random(world.kernel, SOS_MS(30))));
    }
    try_await(sos_mqtt_drain(task, self->mqtt));
    try_await(sos_mqtt_disconnect(task, &self->mqtt));
    async_finally;
    sos_mqtt_close(self->mqtt);
    async_end;
}

struct lives {
    sos_frame frame;
    struct sos_mqtt_options options;
    sos_handle life;
    bool changes;
    int left;
};

static void lose_what_was_not_saved(void)
{
    for (int number = 0; number < posted; number++)
        if (saved[number] == 0)
            saved[number] = 2; /* nobody knows */
}

static async_fn(lives)
{
    async_begin(lives);
    for (; self->left > 0; self->left--) {
        self->life = async_spawn(life, sos_opt(), .options = self->options, .left = 40);
        await(sos_sleep(task, sos_sim_random(world.kernel, SOS_MS(700))));
        power_off();
        sos_kill(sos_of(task), self->life);
        sos_release(sos_of(task), self->life);
        disk.off = false;
        lose_what_was_not_saved();
        if (self->changes) /* what one version has stored the other one sends */
            self->options.version = (uint8_t)(8 - self->options.version);
    }
    self->life = async_spawn(life, sos_opt(), .options = self->options, .left = 5);
    await(sos_join(task, self->life));
    CHECK_INT(sos_status(task), SOS_OK);
    async_end;
}

static void expect_all_that_was_saved(void)
{
    for (int number = 0; number < posted; number++) {
        if (saved[number] != 2)
            CHECK(came[number] >= 1);
        if (qos_of(number) == 2)
            CHECK(came[number] <= 1);
    }
}

static void the_network_gets_better(void *context)
{
    (void)context;
    sos_sim_set_route(world.kernel, HOST, 1883, &(struct sos_sim_route){ .connect_min_us = 100 });
}

static void a_bad_day(uint64_t seed)
{
    const struct sos_mqtt_options options = {
        .host = HOST,
        .client_id = "powerless",
        .version = seed % 2 == 0 ? 5 : 3,
        .keep_alive_s = 1,
        .max_in_flight = seed % 3 == 0 ? 2 : 0,
        .store = &store,
        .retry = { .first_delay_us = 20000, .max_delay_us = 200000 },
    };
    memset(&disk, 0, sizeof disk);
    memset(saved, 0, sizeof saved);
    memset(came, 0, sizeof came);
    posted = 0;
    world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
    broker = (struct broker){ .address = HOST, .priority = 3, .published = published };
    broker_start(world.os, &broker);
    CHECK_INT(
        sos_sim_set_route(world.kernel, HOST, 1883,
                          &(struct sos_sim_route){ .connect_min_us = 1000,
                                                   .connect_max_us = 30000,
                                                   .stream = { .capacity = seed % 4 == 1 ? 48 : 0,
                                                               .delay_max_us = 15000 },
                                                   .refused_percent = 10,
                                                   .reset_percent = 60,
                                                   .half_open_percent = 5,
                                                   .reset_us = 200000 }),
        SOS_OK);
    sos_sim_call(world.kernel, SOS_SEC(10), the_network_gets_better, NULL);
    CHECK(
        sos_fork(world.os, lives, sos_opt(.priority = 4), .options = options, .left = LIVES).pid >=
        0);
    CHECK_INT(sos_run(world.os), SOS_OK);
    expect_all_that_was_saved();
    CHECK_INT(disk.lazy_count, 0);
    for (int index = 0; index < RECORDS; index++) /* but for received ones nothing is left */
        CHECK(!disk.safe[index].used);
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    sos_sim_trace_clear(world.kernel);
    world_close();
    broker_end(&broker);
}

int main(void)
{
    const char *few = getenv("SOS_PROPERTY_SEEDS");
    uint64_t seeds = few != NULL ? strtoull(few, NULL, 10) / 16 : 500;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        a_bad_day(seed);
    return 0;
}
