/* SPDX-License-Identifier: MIT */
/*
 * Streams of Redis (https://redis.io/docs/data-types/streams): add an entry, read as one of a group of
 * consumers, acknowledge. They end as sos_redis_send; all functions are for the runtime's thread.
 *
 *     await(sos_redis_xread_group(task, mine, &(struct sos_redis_group_read){
 *         .stream = "jobs", .group = "workers", .consumer = "7", .block_us = SOS_SEC(5) }, &reply));
 *     const struct sos_redis_value *entries = sos_redis_entries(reply.value, "jobs");
 */
#ifndef SMALLOS_REDIS_STREAMS_H
#define SMALLOS_REDIS_STREAMS_H

#include "smallos/redis.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Adds an entry of `count` fields: `fields` are name, value, name, value ..., ended by NUL. Its id,
 * a text, is the reply. `max_length` 0: no limit, else the stream is cut to about so many entries.
 */
SOS_MUST_USE sos_op sos_redis_xadd(sos_task *task, sos_redis *redis, struct sos_redis_reply *reply,
                                   const char *stream, uint64_t max_length, size_t count,
                                   const char *const *fields);

/* Makes a group that reads from `from` on ("$": what comes, "0": all there is; NULL: "$"), and the
 * stream if there is none. Ends in 0 also if the group is there already. */
SOS_MUST_USE sos_op sos_redis_xgroup_create(sos_task *task, sos_redis *redis, const char *stream,
                                            const char *group, const char *from);

/* Zero means default in every field but the first three. */
struct sos_redis_group_read {
    const char *stream, *group, *consumer;
    const char *id; /* default ">": what nobody has read; "0": what this consumer has read and not
                         acknowledged, after a crash for example */
    uint32_t count; /* entries at most; default: all */
    int64_t
        block_us; /* how long to wait for one; SOS_FOREVER: without an end; default: not at all */
    bool no_ack;  /* they count as acknowledged */
};

/*
 * Reads entries of a stream. A reply of type NULL: there was none. While it blocks it holds up the
 * whole connection: use one of its own (sos_redis_another). A deadline leaves the command where it
 * is, and the entries that come for it are thrown away, but stand with those not acknowledged: prefer
 * block_us.
 */
SOS_MUST_USE sos_op sos_redis_xread_group(sos_task *task, sos_redis *redis,
                                          const struct sos_redis_group_read *read,
                                          struct sos_redis_reply *reply);

/* Of what was read (RESP2 or RESP3) the entries of `stream`: an array of [id, [name, value, ...]].
 * NULL: there are none. */
const struct sos_redis_value *sos_redis_entries(const struct sos_redis_value *value,
                                                const char *stream);

/* Acknowledges. Ends in how many entries that were. */
SOS_MUST_USE sos_op sos_redis_xack(sos_task *task, sos_redis *redis, const char *stream,
                                   const char *group, size_t count, const char *const *ids);

#ifdef __cplusplus
}
#endif
#endif
