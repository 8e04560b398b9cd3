/* SPDX-License-Identifier: MIT */
/*
 * Redis Cluster (https://redis.io/docs/reference/cluster-spec): a client for each node that is needed,
 * and a map that says which node has which keys. The map is read from the cluster, and anew when a
 * node says that keys have MOVED or does not answer; ASK is followed for the one command.
 *
 *     await(sos_redis_cluster_command(task, cluster, &self->reply, "GET", "key"));
 *
 * Any number of tasks share it. All functions are for the runtime's thread.
 */
#ifndef SMALLOS_REDIS_CLUSTER_H
#define SMALLOS_REDIS_CLUSTER_H

#include "smallos/redis.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sos_redis_cluster sos_redis_cluster;

/* Zero means default in every field. */
struct sos_redis_cluster_options {
    struct sos_redis_options node; /* of each connection; host and port: one of the nodes; database,
                                      master and reconnect.attempts_max are not looked at */
    const struct sos_redis_endpoint *seeds; /* more nodes to ask at first; needed until it stands */
    uint32_t seed_count;
    uint32_t max_redirections; /* of one command; default 16 */
    uint32_t max_nodes;        /* that it may name in all; default 256 */
};

/*
 * Asks the nodes in turn for the map, until one has answered. Ends in 0; SOS_ESERVER: it is no
 * cluster; else as sos_redis_connect to the last one. Canceled: nothing is left. `options` are
 * copied; the seeds and texts that they point to must live until it has ended.
 */
SOS_MUST_USE sos_op sos_redis_cluster_connect(sos_task *task,
                                              const struct sos_redis_cluster_options *options,
                                              sos_redis_cluster **cluster);

/* Closes all connections at once; tasks that wait get SOS_ECANCELED. NULL is fine. */
void sos_redis_cluster_close(sos_redis_cluster *cluster);

/*
 * Sends a command to the node that has its key, and follows where it is sent. Ends as sos_redis_send;
 * SOS_ESERVER also after too many redirections, with the last one as its reply. A node that is down
 * is waited for until it is back or another one has taken its keys over: use sos_within. With a
 * command that has no key any node is asked. The keys of one command must be in one slot.
 */
SOS_MUST_USE sos_op sos_redis_cluster_send(sos_task *task, sos_redis_cluster *cluster,
                                           struct sos_redis_reply *reply, size_t argc,
                                           const char *const *argv, const size_t *lengths);

#define sos_redis_cluster_command(task, cluster, reply, ...)                                       \
    sos_redis_cluster_send((task), (cluster), (reply),                                             \
                           sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *),    \
                           (const char *const[]){ __VA_ARGS__ }, NULL)

/*
 * The client of the node that has this key, for pipelines, transactions and subscriptions; it belongs
 * to the cluster and lives as long. Redirections are not followed there: they are errors. NULL: no
 * memory, or no task to be had for it.
 */
sos_redis *sos_redis_cluster_node(sos_redis_cluster *cluster, const char *key);

/* The slot of a key, 0 to 16383: of what stands between its first braces, if something does. */
uint16_t sos_redis_slot(const void *key, size_t length);

#ifdef __cplusplus
}
#endif
#endif
