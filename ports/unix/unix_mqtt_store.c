/* SPDX-License-Identifier: MIT */
/*
 * A store for MQTT clients in a file: a log of records, each
 *
 *     checksum | size | key | kind | bytes
 *     4          4      8     1      size          little-endian
 *
 * that is only ever appended to. What comes after the first record that is not whole or not right
 * was never synced, and is cut off when the file is opened. When most of the file is of no more use
 * its living records are written to a new one, which takes its place by a rename.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smallos/mqtt.h"
#include "smallos/unix.h"

enum {
    HEAD = 17,
    PUT = 1,
    REMOVE = 2,
    SIZE_MOST = 1 << 30,
    WORTH_COMPACTING = 65536, /* bytes of a file */
    PORTION = 65536,          /* of what is written at a time */
    SLOTS_FIRST = 64
};

/* Where the newest record of a key stands in the file. */
struct slot {
    uint64_t key, at;
    uint32_t size; /* of its bytes */
    bool used;
};

struct file {
    char *path, *fresh_path;
    int fd;
    int error;       /* the first failure: what the file holds is not certain any more */
    uint64_t end;    /* of the log, with what is in `out` */
    uint64_t living; /* bytes of the records that count */
    uint64_t compact_at;
    char *out; /* not written yet */
    size_t out_size, out_room;
    struct slot *slots; /* open addressing; a power of two */
    size_t slot_room, slot_count;
};

/* ---- Errors, numbers, checksums */

static int status_of(int number)
{
    switch (number) {
    case ENOMEM:
        return SOS_ENOMEM;
    case ENOENT:
    case ENOTDIR:
        return SOS_ENOENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return SOS_EACCES;
    case EMFILE:
    case ENFILE:
        return SOS_EMFILE;
    case EWOULDBLOCK:
        return SOS_EBUSY;
    default:
        return SOS_EIO;
    }
}

static void put_number(char *to, uint64_t value, int bytes)
{
    for (int index = 0; index < bytes; index++)
        to[index] = (char)(value >> 8 * index);
}

static uint64_t number_at(const char *from, int bytes)
{
    uint64_t value = 0;
    for (int index = bytes; index-- > 0;)
        value = value << 8 | (unsigned char)from[index];
    return value;
}

/* CRC-32C, four bits at a time. Of no bytes at all it is not 0. */
static uint32_t checksum(uint32_t sum, const char *bytes, size_t size)
{
    static const uint32_t table[16] = { 0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1,
                                        0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
                                        0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
                                        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75 };
    for (size_t at = 0; at < size; at++) {
        sum ^= (unsigned char)bytes[at];
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return sum;
}

static uint32_t checksum_of(const char *head, const void *bytes, size_t size)
{
    return ~checksum(checksum(UINT32_MAX, head + 4, HEAD - 4), bytes, size);
}

/* ---- Where records stand */

static size_t slot_of(const struct file *file, uint64_t key)
{
    size_t at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32);
    while (file->slots[at & (file->slot_room - 1)].used &&
           file->slots[at & (file->slot_room - 1)].key != key)
        at++;
    return at & (file->slot_room - 1);
}

static bool grow(struct file *file)
{
    size_t room = file->slot_room != 0 ? file->slot_room * 2 : SLOTS_FIRST, old = file->slot_room;
    struct slot *slots = file->slots, *larger = calloc(room, sizeof *larger);
    if (larger == NULL)
        return false;
    file->slots = larger;
    file->slot_room = room;
    for (size_t index = 0; index < old; index++)
        if (slots[index].used)
            larger[slot_of(file, slots[index].key)] = slots[index];
    free(slots);
    return true;
}

static void forget(struct file *file, uint64_t key)
{
    size_t at = slot_of(file, key), mask = file->slot_room - 1;
    if (!file->slots[at].used)
        return;
    file->living -= HEAD + file->slots[at].size;
    file->slots[at].used = false;
    file->slot_count--;
    for (at = (at + 1) & mask; file->slots[at].used; at = (at + 1) & mask) {
        struct slot moved = file->slots[at]; /* those behind it may have been in its way */
        file->slots[at].used = false;
        file->slots[slot_of(file, moved.key)] = moved;
    }
}

static bool note(struct file *file, uint64_t key, uint64_t at, uint32_t size)
{
    if (file->slot_count * 2 >= file->slot_room && !grow(file))
        return false;
    forget(file, key);
    file->slots[slot_of(file, key)] = (struct slot){ key, at, size, true };
    file->slot_count++;
    file->living += HEAD + size;
    return true;
}

/* ---- Reading and writing */

static int fail(struct file *file, int status)
{
    if (file->error == 0)
        file->error = status;
    return status;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size != 0) {
        ssize_t count = write(fd, bytes, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return status_of(errno);
        bytes += count;
        size -= (size_t)count;
    }
    return SOS_OK;
}

static int read_at(int fd, void *bytes, size_t size, uint64_t at)
{
    ssize_t count;
    do
        count = pread(fd, bytes, size, (off_t)at);
    while (count < 0 && errno == EINTR);
    return count < 0 ? status_of(errno) : (size_t)count == size ? SOS_OK : SOS_EEOF;
}

static int flush(struct file *file)
{
    if (file->error != 0)
        return file->error;
    int status = write_all(file->fd, file->out, file->out_size);
    file->out_size = 0;
    return status != SOS_OK ? fail(file, status) : SOS_OK;
}

static int append(struct file *file, int kind, uint64_t key, const void *bytes, size_t size)
{
    size_t needed = file->out_size + HEAD + size;
    if (size > SIZE_MOST)
        return SOS_ELIMIT;
    if (needed > file->out_room) {
        char *larger = realloc(file->out, needed * 2);
        if (larger == NULL)
            return SOS_ENOMEM;
        file->out = larger;
        file->out_room = needed * 2;
    }
    char *head = file->out + file->out_size;
    put_number(head + 4, size, 4);
    put_number(head + 8, key, 8);
    head[16] = (char)kind;
    if (size != 0)
        memcpy(head + HEAD, bytes, size);
    put_number(head, checksum_of(head, bytes, size), 4);
    file->out_size = needed;
    file->end += HEAD + size;
    return file->out_size < PORTION ? SOS_OK : flush(file);
}

/* ---- Opening: the log is read to the first record that is not right */

/* The record at `at`: 1, 0 if there is none that is right, or an error. Its bytes go to *bytes, which
 * grows. */
static int read_record(struct file *file, uint64_t at, uint64_t size_of_file, char head[HEAD],
                       char **bytes, size_t *room)
{
    if (size_of_file - at < HEAD)
        return 0;
    int status = read_at(file->fd, head, HEAD, at);
    if (status != SOS_OK)
        return status;
    size_t size = (size_t)number_at(head + 4, 4);
    if (size > SIZE_MOST || size > size_of_file - at - HEAD)
        return 0;
    if (size > *room) {
        char *larger = realloc(*bytes, size);
        if (larger == NULL)
            return SOS_ENOMEM;
        *bytes = larger;
        *room = size;
    }
    status = read_at(file->fd, *bytes, size, at + HEAD);
    if (status != SOS_OK)
        return status;
    return checksum_of(head, *bytes, size) == (uint32_t)number_at(head, 4);
}

static int read_log(struct file *file, uint64_t size_of_file)
{
    char head[HEAD], *bytes = NULL;
    size_t room = 0;
    int status;
    while ((status = read_record(file, file->end, size_of_file, head, &bytes, &room)) > 0) {
        uint64_t key = number_at(head + 8, 8);
        uint32_t size = (uint32_t)number_at(head + 4, 4);
        if (head[16] == REMOVE) {
            forget(file, key);
        } else if (!note(file, key, file->end, size)) {
            status = SOS_ENOMEM;
            break;
        }
        file->end += HEAD + size;
    }
    free(bytes);
    return status;
}

/* So that the name of a file outlives a loss of power, too. */
static int sync_folder(const struct file *file)
{
    char *folder = strdup(file->path), *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    if (folder == NULL)
        return SOS_ENOMEM;
    if (slash != NULL)
        slash[slash == folder] = '\0';
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 || fsync(fd) != 0 ? status_of(errno) : SOS_OK;
    if (fd >= 0)
        close(fd);
    free(folder);
    return status;
}

/* Opens it for this process alone. Between the two calls another may have put a new file in its
 * place. */
static int open_alone(struct file *file)
{
    struct stat named, ours;
    for (;;) {
        file->fd = open(file->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) != 0)
            return status_of(errno);
        if (fstat(file->fd, &ours) == 0 && stat(file->path, &named) == 0 &&
            named.st_ino == ours.st_ino && named.st_dev == ours.st_dev)
            return SOS_OK;
        close(file->fd);
    }
}

static int open_log(struct file *file)
{
    struct stat info;
    int status = open_alone(file);
    if (status == SOS_OK && fstat(file->fd, &info) != 0)
        status = status_of(errno);
    if (status == SOS_OK && !grow(file))
        status = SOS_ENOMEM;
    if (status == SOS_OK)
        status = read_log(file, (uint64_t)info.st_size);
    if (status == SOS_OK && file->end != (uint64_t)info.st_size &&
        ftruncate(file->fd, (off_t)file->end) != 0)
        status = status_of(errno);
    if (status == SOS_OK && fsync(file->fd) != 0)
        status = status_of(errno);
    return status == SOS_OK ? sync_folder(file) : status;
}

/* ---- Compacting: the file that is there stays as it is until the new one is safe */

static int copy_record(const struct file *file, struct file *fresh, const struct slot *slot)
{
    char *bytes = malloc(slot->size + 1u);
    int status = bytes != NULL ? read_at(file->fd, bytes, slot->size, slot->at + HEAD) : SOS_ENOMEM;
    if (status == SOS_OK && !note(fresh, slot->key, fresh->end, slot->size))
        status = SOS_ENOMEM;
    if (status == SOS_OK)
        status = append(fresh, PUT, slot->key, bytes, slot->size);
    free(bytes);
    return status;
}

static int write_fresh(const struct file *file, struct file *fresh)
{
    fresh->fd = open(file->fresh_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fresh->fd < 0 || flock(fresh->fd, LOCK_EX | LOCK_NB) != 0)
        return status_of(errno);
    int status = grow(fresh) ? SOS_OK : SOS_ENOMEM;
    for (size_t index = 0; index < file->slot_room && status == SOS_OK; index++)
        if (file->slots[index].used)
            status = copy_record(file, fresh, &file->slots[index]);
    if (status == SOS_OK)
        status = flush(fresh);
    if (status == SOS_OK && (fsync(fresh->fd) != 0 || rename(file->fresh_path, file->path) != 0))
        status = status_of(errno);
    return status;
}

static void drop(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->out);
    free(file->slots);
}

/* After a failure nobody knows which pages have been written: it is not tried again. */
static int sync_records(struct file *file)
{
    return fdatasync(file->fd) == 0 ? SOS_OK : fail(file, status_of(errno));
}

/* One that fails before the rename is no failure of the store: the old file is synced, and it is tried
 * again when that is twice as large. */
static int compact(struct file *file)
{
    struct file fresh = { .path = file->path, .fresh_path = file->fresh_path, .fd = -1 };
    file->compact_at = file->end * 2;
    if (write_fresh(file, &fresh) != SOS_OK) {
        drop(&fresh);
        unlink(file->fresh_path);
        return sync_records(file);
    }
    drop(file);
    *file = fresh;
    file->compact_at = file->living * 4 > WORTH_COMPACTING ? file->living * 4 : WORTH_COMPACTING;
    int status = sync_folder(file);
    return status != SOS_OK ? fail(file, status) : SOS_OK;
}

/* ---- What a client calls */

static int put(void *context, uint64_t key, const void *bytes, size_t size)
{
    struct file *file = context;
    uint64_t at = file->end;
    if (file->error != 0)
        return file->error;
    int status = append(file, PUT, key, bytes, size);
    if (status == SOS_OK && !note(file, key, at, (uint32_t)size))
        status = SOS_ENOMEM;
    return status != SOS_OK ? fail(file, status) : SOS_OK;
}

static int remove_key(void *context, uint64_t key)
{
    struct file *file = context;
    if (file->error != 0 || !file->slots[slot_of(file, key)].used)
        return file->error;
    forget(file, key);
    int status = append(file, REMOVE, key, NULL, 0);
    return status != SOS_OK ? fail(file, status) : SOS_OK;
}

static int sync_file(void *context)
{
    struct file *file = context;
    int status = flush(file);
    if (status != SOS_OK)
        return status;
    if (file->end >= file->compact_at && file->living <= file->end / 4)
        return compact(file);
    return sync_records(file);
}

static int each(void *context, int (*found)(void *to, uint64_t key, const void *bytes, size_t size),
                void *to)
{
    struct file *file = context;
    int status = flush(file);
    for (size_t index = 0; index < file->slot_room && status == SOS_OK; index++) {
        const struct slot *slot = &file->slots[index];
        if (!slot->used)
            continue;
        char *bytes = malloc(slot->size + 1u);
        status = bytes != NULL ? read_at(file->fd, bytes, slot->size, slot->at + HEAD) : SOS_ENOMEM;
        if (status == SOS_OK)
            status = found(to, slot->key, bytes, slot->size);
        free(bytes);
    }
    return status;
}

static void free_file(struct file *file)
{
    drop(file);
    free(file->path);
    free(file->fresh_path);
    free(file);
}

int sos_unix_mqtt_store_open(struct sos_mqtt_store *store, const char *path)
{
    struct file *file = calloc(1, sizeof *file);
    size_t size = strlen(path) + 5;
    *store = (struct sos_mqtt_store){ 0 };
    if (file == NULL)
        return SOS_ENOMEM;
    file->fd = -1;
    file->compact_at = WORTH_COMPACTING;
    file->path = strdup(path);
    file->fresh_path = malloc(size);
    int status = file->path != NULL && file->fresh_path != NULL ? SOS_OK : SOS_ENOMEM;
    if (status == SOS_OK) {
        snprintf(file->fresh_path, size, "%s.new", path);
        status = open_log(file);
    }
    if (status != SOS_OK) {
        free_file(file);
        return status;
    }
    *store = (struct sos_mqtt_store){ put, remove_key, sync_file, each, file };
    return SOS_OK;
}

int sos_unix_mqtt_store_close(struct sos_mqtt_store *store)
{
    struct file *file = store->context;
    if (file == NULL)
        return SOS_OK;
    int status = sync_file(file);
    free_file(file);
    *store = (struct sos_mqtt_store){ 0 };
    return status;
}
