/* SPDX-License-Identifier: MIT */
/*
 * The file store of the MQTT client: torn at every byte, damaged at every byte, compacted; and a
 * client process that is killed again and again (SOS_MQTT_KILLS times, 20 by default).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"
#include "smallos/io.h"
#include "smallos/mqtt.h"
#include "unix_world.h"

static char folder[64], path[96];

/* ---- Files */

static size_t size_of(const char *name)
{
    struct stat info;
    return stat(name, &info) == 0 ? (size_t)info.st_size : 0;
}

static char *read_file(const char *name, size_t *size)
{
    *size = size_of(name);
    char *bytes = malloc(*size + 1);
    int fd = open(name, O_RDONLY);
    CHECK(bytes != NULL && fd >= 0 && read(fd, bytes, *size) == (ssize_t)*size);
    close(fd);
    return bytes;
}

static void write_file(const char *name, const char *bytes, size_t size)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

/* ---- What a store holds: a bit for each key below 64, whose bytes are as `put` makes them */

static struct sos_mqtt_store opened(void)
{
    struct sos_mqtt_store store;
    CHECK_INT(sos_unix_mqtt_store_open(&store, path), SOS_OK);
    return store;
}

static void put(struct sos_mqtt_store *store, uint64_t key, size_t size)
{
    char bytes[4096];
    CHECK(size <= sizeof bytes);
    memset(bytes, (int)key, size);
    CHECK_INT(store->put(store->context, key, bytes, size), SOS_OK);
}

static int note_key(void *to, uint64_t key, const void *bytes, size_t size)
{
    CHECK(key < 64);
    for (size_t at = 0; at < size; at++)
        CHECK_INT(((const unsigned char *)bytes)[at], key & 255);
    CHECK((*(uint64_t *)to & 1ull << key) == 0);
    *(uint64_t *)to |= 1ull << key;
    return SOS_OK;
}

static uint64_t keys_of(struct sos_mqtt_store *store)
{
    uint64_t keys = 0;
    CHECK_INT(store->each(store->context, note_key, &keys), SOS_OK);
    return keys;
}

static uint64_t keys_in_file(void)
{
    struct sos_mqtt_store store = opened();
    uint64_t keys = keys_of(&store);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    return keys;
}

static void records_come_back(void)
{
    struct sos_mqtt_store store = opened();
    CHECK_INT(keys_of(&store), 0);
    put(&store, 1, 10);
    put(&store, 2, 0);
    put(&store, 3, 3000);
    CHECK_INT(keys_of(&store), 0xE);
    CHECK_INT(store.remove(store.context, 2), SOS_OK);
    CHECK_INT(store.remove(store.context, 63), SOS_OK); /* is not there */
    put(&store, 1, 20);                                 /* instead of the other */
    CHECK_INT(keys_of(&store), 0xA);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    CHECK_INT(keys_in_file(), 0xA);
    unlink(path);
}

static void a_store_is_for_one(void)
{
    struct sos_mqtt_store store = opened(), second;
    CHECK_INT(sos_unix_mqtt_store_open(&second, path), SOS_EBUSY);
    CHECK(second.context == NULL);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    CHECK_INT(sos_unix_mqtt_store_open(&second, "/no such folder/store"), SOS_ENOENT);
    CHECK_INT(sos_unix_mqtt_store_open(&second, folder), SOS_EIO); /* a folder is no file */
    unlink(path);
}

/* ---- Damage */

enum { STATES = 12 };

/* The store after each of some changes: how long its file was, and its keys. */
static struct {
    size_t size;
    uint64_t keys;
} states[STATES];

static char *make_states(size_t *size)
{
    static const struct {
        int key, size; /* size -1: removed */
    } changes[STATES - 1] = { { 1, 5 }, { 2, 0 },  { 3, 40 }, { 2, -1 }, { 4, 7 }, { 1, 9 },
                              { 5, 1 }, { 3, -1 }, { 6, 17 }, { 4, -1 }, { 7, 3 } };
    struct sos_mqtt_store store = opened();
    for (int index = 1; index < STATES; index++) {
        if (changes[index - 1].size >= 0)
            put(&store, (uint64_t)changes[index - 1].key, (size_t)changes[index - 1].size);
        else
            store.remove(store.context, (uint64_t)changes[index - 1].key);
        CHECK_INT(store.sync(store.context), SOS_OK);
        states[index].size = size_of(path);
        states[index].keys = keys_of(&store);
    }
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    return read_file(path, size);
}

static uint64_t keys_up_to(size_t size)
{
    int index = 0;
    while (index + 1 < STATES && states[index + 1].size <= size)
        index++;
    return states[index].keys;
}

/* valgrind looks at some of them */
static size_t stride(void)
{
    return (size_t)unix_times(1, 13);
}

static void a_torn_end_is_cut_off_at_every_byte(void)
{
    size_t size;
    char *bytes = make_states(&size);
    for (size_t torn = 0; torn <= size; torn += stride()) {
        write_file(path, bytes, torn);
        CHECK_INT(keys_in_file(), keys_up_to(torn));
        CHECK_INT(keys_in_file(), keys_up_to(torn)); /* and it is whole again */
    }
    free(bytes);
    unlink(path);
}

/* Pages that never reached the disk are zero, or whatever stood there. */
static void damage_at_every_byte_ends_the_log_there(void)
{
    size_t size;
    char *bytes = make_states(&size);
    for (size_t at = 0; at < size; at += stride()) {
        char was = bytes[at];
        bytes[at] = was == 0 ? 1 : 0;
        write_file(path, bytes, size);
        CHECK_INT(keys_in_file(), keys_up_to(at));
        bytes[at] = was;
    }
    free(bytes);
    unlink(path);
}

static void what_is_written_after_a_torn_end_stays(void)
{
    size_t size;
    char *bytes = make_states(&size);
    for (size_t torn = 0; torn <= size; torn += 3) {
        write_file(path, bytes, torn);
        struct sos_mqtt_store store = opened();
        put(&store, 40, 100);
        CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
        CHECK_INT(keys_in_file(), keys_up_to(torn) | 1ull << 40);
    }
    free(bytes);
    unlink(path);
}

/* ---- Compacting */

static void a_file_does_not_grow_with_what_is_gone(void)
{
    struct sos_mqtt_store store = opened();
    char fresh[112];
    size_t most = 0;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    write_file(fresh, "left over", 9);
    put(&store, 50, 100);
    for (int round = 0; round < unix_times(2000, 300); round++) {
        put(&store, (uint64_t)round % 40, 400);
        store.remove(store.context, (uint64_t)(round + 35) % 40);
        CHECK_INT(store.sync(store.context), SOS_OK);
        most = size_of(path) > most ? size_of(path) : most;
    }
    CHECK(most < 200000);
    CHECK_INT(size_of(fresh), 0);
    uint64_t keys = keys_of(&store);
    CHECK((keys & 1ull << 50) != 0);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    CHECK_INT(keys_in_file(), keys);
    unlink(path);
}

static int syncs;

/* In the place of that of the system, to count. */
int fdatasync(int fd)
{
    syncs++;
    return fsync(fd);
}

static void what_cannot_be_compacted_is_synced_all_the_same(void)
{
    struct sos_mqtt_store store = opened();
    char fresh[112];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    CHECK(mkdir(fresh, 0700) == 0); /* no file can be made there */
    for (int round = 0; round < 1000; round++)
        put(&store, 1, 400);
    int before = syncs;
    CHECK_INT(store.sync(store.context), SOS_OK);
    CHECK(size_of(path) > 400000);
    CHECK_INT(syncs, before + 1);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_OK);
    CHECK(rmdir(fresh) == 0);
    CHECK_INT(keys_in_file(), 2);
    unlink(path);
}

/* No room on the disk: nothing is safe any more, and that is said again and again. */
static void a_failed_write_is_told_for_ever(void)
{
    struct rlimit old, small = { 1000, 1000 };
    struct sos_mqtt_store store = opened();
    put(&store, 1, 100);
    CHECK_INT(store.sync(store.context), SOS_OK);
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    put(&store, 2, 3000);
    CHECK_INT(store.sync(store.context), SOS_EIO);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK_INT(store.sync(store.context), SOS_EIO);
    CHECK_INT(store.put(store.context, 3, "", 0), SOS_EIO);
    CHECK_INT(store.remove(store.context, 1), SOS_EIO);
    CHECK_INT(sos_unix_mqtt_store_close(&store), SOS_EIO);
    CHECK_INT(keys_in_file(), 2);
    unlink(path);
}

/* ---- A client process that is killed: its part. It says on its output what it does. */

enum { PAYLOAD = 700, PROGRESS = 9 };

struct child {
    sos_frame frame;
    struct sos_mqtt_options options;
    struct sos_mqtt_store store;
    sos_mqtt *mqtt;
    uint32_t number, left;
};

static void say(char what, uint32_t number)
{
    char text[PROGRESS + 1];
    snprintf(text, sizeof text, "%c%07u\n", what, number);
    CHECK(write(1, text, PROGRESS) == PROGRESS);
}

/* Even numbers at QoS 2, odd ones at QoS 1. */
static int post_number(sos_mqtt *mqtt, uint32_t number)
{
    char payload[PAYLOAD];
    memset(payload, '.', sizeof payload);
    snprintf(payload, sizeof payload, "%u", number);
    return sos_mqtt_post(mqtt, &(struct sos_mqtt_message){ .topic = "numbers",
                                                           .payload = payload,
                                                           .size = sizeof payload,
                                                           .qos = number % 2 == 0 ? 2 : 1 });
}

static async_fn(child)
{
    async_begin(child);
    self->options.store = &self->store;
    CHECK_INT(sos_mqtt_start(task, &self->options, &self->mqtt), SOS_OK);
    for (; self->left > 0; self->left--) {
        say('a', ++self->number);
        CHECK_INT(post_number(self->mqtt, self->number), SOS_OK);
        if (self->number % 3 == 0) {
            CHECK_INT(sos_mqtt_save(self->mqtt), SOS_OK);
            say('s', self->number);
        }
        if (self->number % 16 == 0)
            try_await(sos_mqtt_drain(task, self->mqtt));
        await(sos_sleep(task, 0));
    }
    try_await(sos_mqtt_drain(task, self->mqtt));
    CHECK_INT(sos_mqtt_save(self->mqtt), SOS_OK);
    async_finally;
    sos_mqtt_close(self->mqtt);
    async_end;
}

static int be_child(char **words)
{
    struct child first = { .options = { .port = (uint16_t)atoi(words[2]),
                                        .version = (uint8_t)atoi(words[5]),
                                        .client_id = "killed" },
                           .number = (uint32_t)atoi(words[3]),
                           .left = (uint32_t)atoi(words[4]) };
    snprintf(path, sizeof path, "%s", words[1]);
    first.store = opened();
    here.backend = SOS_UNIX_EPOLL;
    unix_open(&here, NULL);
    const struct sos_start start = { .function = child,
                                     .frame = &first,
                                     .name = "child",
                                     .size = sizeof first,
                                     .options = { .priority = 4 } };
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    unix_run();
    return sos_unix_mqtt_store_close(&first.store);
}

/* ---- The other part: it kills, and receives what has been published */

enum { NUMBERS = 1 << 20 };

static uint8_t came[NUMBERS], saved[NUMBERS];
static struct server server;

struct killer {
    sos_frame frame;
    struct sos_mqtt_options options;
    sos_mqtt *mqtt;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_filter filter;
    struct sos_mqtt_message message;
    pid_t pid;
    int pipe, left;
    uint32_t last, last_saved;
    char text[PROGRESS + 1];
};

/* A process that begins behind `number`. */
static void start_child(struct killer *self, int count)
{
    char words[4][16], program[512] = "";
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(readlink("/proc/self/exe", program, sizeof program - 1) > 0); /* not that of valgrind */
    snprintf(words[0], sizeof words[0], "%u", self->options.port);
    snprintf(words[1], sizeof words[1], "%u", self->last);
    snprintf(words[2], sizeof words[2], "%d", count);
    snprintf(words[3], sizeof words[3], "%u", self->options.version);
    char *const argv[] = { "child", path, words[0], words[1], words[2], words[3], NULL };
    fflush(stdout);
    self->pid = fork();
    CHECK(self->pid >= 0);
    if (self->pid == 0) {
        dup2(ends[1], 1);
        execv(program, argv);
        _exit(99);
    }
    close(ends[1]);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    self->pipe = ends[0];
}

static int end_child(sos *os, struct killer *self)
{
    int status = 0;
    CHECK(waitpid(self->pid, &status, 0) == self->pid);
    sos_fd_close(os, self->pipe);
    self->pid = 0;
    self->pipe = -1;
    return status;
}

static void take_progress(struct killer *self)
{
    uint32_t number = (uint32_t)atoi(self->text + 1);
    CHECK(number < NUMBERS && self->text[PROGRESS - 1] == '\n');
    if (self->text[0] == 'a')
        self->last = number;
    for (; self->text[0] == 's' && self->last_saved < number; self->last_saved++)
        saved[self->last_saved + 1] = 1;
}

/* All that a child has said before it is killed at a moment of its own. */
struct watch {
    sos_frame frame;
    struct killer *killer;
    int until, count;
};

static async_fn(watch)
{
    async_begin(watch);
    for (;; self->count++) {
        await(sos_read(task, self->killer->pipe, self->killer->text, PROGRESS));
        if (sos_status(task) <= 0)
            break;
        CHECK_INT(sos_status(task), PROGRESS);
        take_progress(self->killer);
        if (self->count == self->until)
            CHECK(kill(self->killer->pid, SIGKILL) == 0);
    }
    async_end;
}

/* What came of it before a kill is not asked for again: the next child begins behind all that was
 * attempted, and numbers of one that was not saved may be missing. */
static void skip_unsaved(struct killer *self)
{
    self->last_saved = self->last;
}

static void count_all(struct killer *self)
{
    while (sos_mqtt_try_receive(self->inbox, &self->message) == SOS_OK) {
        uint32_t number = (uint32_t)atoi(self->message.payload);
        CHECK(number < NUMBERS);
        came[number]++;
    }
}

static bool all_came(const struct killer *self)
{
    for (uint32_t number = 1; number <= self->last; number++)
        if (saved[number] != 0 && came[number] == 0)
            return false;
    return true;
}

static void expect_nothing_twice(const struct killer *self)
{
    for (uint32_t number = 2; number <= self->last; number += 2)
        CHECK(came[number] <= 1);
}

static async_fn(killer)
{
    async_begin(killer);
    try_await(sos_mqtt_connect(task, &self->options, &self->mqtt, NULL));
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK);
    self->filter = (struct sos_mqtt_filter){ .filter = "numbers", .qos = 2 };
    try_await(sos_mqtt_subscribe(task, self->inbox, &self->filter, 1));
    for (; self->left > 0; self->left--) {
        start_child(self, 1000);
        await(async_call(watch, .killer = self, .until = rand() % 60));
        CHECK(WIFSIGNALED(end_child(sos_of(task), self)));
        skip_unsaved(self);
        count_all(self);
    }
    start_child(self, 5);
    await(async_call(watch, .killer = self, .until = -1));
    CHECK_INT(end_child(sos_of(task), self), 0);
    while (!all_came(self)) {
        await(sos_mqtt_ping(task, self->mqtt));
        count_all(self);
    }
    expect_nothing_twice(self);
    async_finally;
    if (self->pid > 0)
        kill(self->pid, SIGKILL);
    sos_mqtt_message_free(&self->message);
    sos_mqtt_inbox_close(self->inbox);
    sos_mqtt_close(self->mqtt);
    async_end;
}

static void killed(uint8_t version, int times)
{
    struct killer first = { .options = { .port = server.port, .version = version },
                            .left = times,
                            .pipe = -1 };
    memset(came, 0, sizeof came);
    memset(saved, 0, sizeof saved);
    unix_open(&here, NULL);
    const struct sos_start start = { .function = killer,
                                     .frame = &first,
                                     .name = "killer",
                                     .size = sizeof first,
                                     .options = { .priority = 4 } };
    CHECK_INT(sos_fork_list(here.os, &start, 1, NULL), SOS_OK);
    unix_run();
    unlink(path);
}

static void a_killed_process_loses_nothing_and_says_nothing_twice(void)
{
    const char *kills = getenv("SOS_MQTT_KILLS");
    int times = kills != NULL ? atoi(kills) : unix_times(20, 4);
    server_prepare(&server);
    server_file(&server, "conf",
                "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
                "set_tcp_nodelay true\n"
                "max_queued_messages 0\n"); /* it throws none away when we read slowly */
    CHECK(server_start(&server, (const char *const[]){ "mosquitto", "-c", "{folder}/conf", NULL }));
    here.backend = SOS_UNIX_EPOLL;
    killed(5, times / 2);
    killed(3, times - times / 2);
    server_stop(&server);
}

int main(int argc, char **argv)
{
    if (argc == 6)
        return be_child(argv);
    strcpy(folder, "/dev/shm/smallos-store-XXXXXX"); /* a memory disk syncs at once */
    if (mkdtemp(folder) == NULL) {
        strcpy(folder, "/tmp/smallos-store-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
    }
    snprintf(path, sizeof path, "%s/store", folder);
    records_come_back();
    a_store_is_for_one();
    a_torn_end_is_cut_off_at_every_byte();
    damage_at_every_byte_ends_the_log_there();
    what_is_written_after_a_torn_end_stays();
    a_file_does_not_grow_with_what_is_gone();
    what_cannot_be_compacted_is_synced_all_the_same();
    a_failed_write_is_told_for_ever();
    a_killed_process_loses_nothing_and_says_nothing_twice();
    CHECK(rmdir(folder) == 0);
    return 0;
}
