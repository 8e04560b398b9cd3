/* SPDX-License-Identifier: MIT */
/* Slots of a Redis Cluster: which one a key is in, and which key a command has. */
#include <string.h>

#include "client/redis_internal.h"
#include "proto/decimal.h"
#include "proto/slice.h"
#include "smallos/redis_cluster.h"

/* CRC-16/XMODEM, four bits at a time. */
static uint16_t crc16(const unsigned char *bytes, size_t length)
{
    static const uint16_t table[16] = { 0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5,
                                        0x60C6, 0x70E7, 0x8108, 0x9129, 0xA14A, 0xB16B,
                                        0xC18C, 0xD1AD, 0xE1CE, 0xF1EF };
    unsigned crc = 0;
    for (size_t index = 0; index < length; index++) {
        crc = (crc << 4) ^ table[((crc >> 12) ^ (bytes[index] >> 4)) & 15];
        crc = (crc << 4) ^ table[((crc >> 12) ^ bytes[index]) & 15];
    }
    return (uint16_t)crc;
}

uint16_t sos_redis_slot(const void *key, size_t length)
{
    const char *open = length != 0 ? memchr(key, '{', length) : NULL;
    if (open != NULL) {
        const char *tag = open + 1, *end = (const char *)key + length;
        const char *close = memchr(tag, '}', (size_t)(end - tag));
        if (close != NULL && close != tag) {
            key = tag;
            length = (size_t)(close - tag);
        }
    }
    return crc16(key, length) % SOS_REDIS_SLOTS_;
}

/* ---- The key of a command: its first argument, but for these. A wrong guess costs a redirection. */

enum { NO_KEY = 0, AFTER_STREAMS = -1 };

static int place_of_key(struct sos_slice_ command)
{
    static const struct {
        const char *command;
        int place;
    } others[] = {
        { "eval", 3 },
        { "evalsha", 3 },
        { "fcall", 3 },
        { "eval_ro", 3 },
        { "evalsha_ro", 3 },
        { "fcall_ro", 3 },
        { "object", 2 },
        { "xgroup", 2 },
        { "xinfo", 2 },
        { "memory", 2 },
        { "bitop", 2 },
        { "blmpop", 3 },
        { "bzmpop", 3 },
        { "lmpop", 2 },
        { "zmpop", 2 },
        { "sintercard", 2 },
        { "zinter", 2 },
        { "zunion", 2 },
        { "zdiff", 2 },
        { "zintercard", 2 },
        { "xread", AFTER_STREAMS },
        { "xreadgroup", AFTER_STREAMS },
        { "ping", NO_KEY },
        { "publish", NO_KEY },
        { "info", NO_KEY },
        { "cluster", NO_KEY },
        { "client", NO_KEY },
        { "config", NO_KEY },
        { "script", NO_KEY },
        { "function", NO_KEY },
        { "echo", NO_KEY },
        { "pubsub", NO_KEY },
        { "scan", NO_KEY },
        { "keys", NO_KEY },
        { "command", NO_KEY },
        { "acl", NO_KEY },
    };
    for (size_t index = 0; index < sizeof others / sizeof others[0]; index++)
        if (sos_slice_is_caseless_(command, others[index].command))
            return others[index].place;
    return 1;
}

static struct sos_slice_ argument(const char *const *argv, const size_t *lengths, size_t index)
{
    return lengths != NULL ? sos_slice_(argv[index], lengths[index]) : sos_slice_text_(argv[index]);
}

bool sos_redis_key_(size_t argc, const char *const *argv, const size_t *lengths, const char **key,
                    size_t *length)
{
    int place = place_of_key(argument(argv, lengths, 0));
    size_t index = place > 0 ? (size_t)place : 0;
    if (place == AFTER_STREAMS) {
        for (index = 1; index < argc; index++)
            if (sos_slice_is_caseless_(argument(argv, lengths, index), "streams"))
                break;
        index++;
    }
    if (place == NO_KEY || index >= argc)
        return false;
    *key = argv[index];
    *length = argument(argv, lengths, index).length;
    return true;
}

bool sos_redis_redirection_(const char *text, uint16_t *slot, char *host, size_t size,
                            uint16_t *port)
{
    const char *number = strchr(text, ' ');
    const char *space = number != NULL ? strchr(number + 1, ' ') : NULL;
    const char *colon = space != NULL ? strrchr(space, ':') : NULL;
    int64_t slot_number, port_number;
    if (colon == NULL ||
        !sos_int64_parse_(number + 1, (size_t)(space - number - 1), &slot_number) ||
        slot_number < 0 || slot_number >= SOS_REDIS_SLOTS_ ||
        !sos_int64_parse_(colon + 1, strlen(colon + 1), &port_number) || port_number < 1 ||
        port_number > UINT16_MAX || (size_t)(colon - space - 1) >= size)
        return false;
    memcpy(host, space + 1, (size_t)(colon - space - 1));
    host[colon - space - 1] = '\0';
    *slot = (uint16_t)slot_number;
    *port = (uint16_t)port_number;
    return true;
}
