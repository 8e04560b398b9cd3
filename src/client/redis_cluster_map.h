/* SPDX-License-Identifier: MIT */
/*
 * The nodes of a Redis Cluster, and the map. Each node has a client, which is made when it is first
 * needed and keeps its connection by itself; it lives as long as the cluster, so nobody holds one that
 * is gone.
 */
#ifndef SMALLOS_CLIENT_REDIS_CLUSTER_MAP_H
#define SMALLOS_CLIENT_REDIS_CLUSTER_MAP_H

#include "client/redis_internal.h"
#include "smallos/redis_cluster.h"

enum { SOS_REDIS_NO_NODE_ = 0xFFFF, SOS_REDIS_PATIENCE_MS_ = 200 };

struct sos_redis_node_ {
    struct sos_redis_node_ *next;
    sos_redis *redis;
    uint16_t port, index;
    char host[SOS_REDIS_HOST_];
};

/* A command under way: ASKING, and its own bytes behind it. */
struct sos_redis_route_ {
    struct sos_redis_route_ *next, **from;
    size_t size;
    char bytes[];
};

struct sos_redis_cluster {
    sos *os;
    struct sos_redis_options options; /* of the nodes; those of `first` */
    struct sos_redis_node_ *nodes, **last;
    sos_redis *first; /* it gave the first map, and keeps the options */
    struct sos_redis_route_ *routes;
    uint32_t count, max_nodes, max_redirections, users;
    uint32_t version; /* of the map: how often it was read */
    bool closed;
    struct sos_mutex reading;         /* who reads the map */
    uint16_t owner[SOS_REDIS_SLOTS_]; /* index of a node, or SOS_REDIS_NO_NODE_ */
};

/* A frame that had counted as a user is done; the last one gives the memory back. */
void sos_redis_cluster_leave_(sos_redis_cluster *cluster);
void sos_redis_give_route_(sos_redis_cluster *cluster, struct sos_redis_route_ *route);

/* The node at an address, which is added if it is new. NULL: no memory, or too many. */
struct sos_redis_node_ *sos_redis_node_at_(sos_redis_cluster *cluster, const char *host,
                                           uint16_t port);

/* The one that has a slot; -1, or a slot that nobody has: any one, better one that is up. */
struct sos_redis_node_ *sos_redis_node_of_slot_(const sos_redis_cluster *cluster, int slot);

/* Its client, which begins to connect if it is new. NULL: no memory, or no task to be had. */
sos_redis *sos_redis_node_client_(sos_redis_cluster *cluster, struct sos_redis_node_ *node);

/* Takes over what CLUSTER SLOTS has answered; `asked` is the host of who answered. 0; SOS_ESERVER:
 * there are no slots in it. */
int sos_redis_note_map_(sos_redis_cluster *cluster, const struct sos_redis_value *map,
                        const char *asked);

/* Reads the map if it is still the one of `version`: asks the nodes that are up until one answers. */
SOS_MUST_USE sos_op sos_redis_read_map_(sos_task *task, sos_redis_cluster *cluster,
                                        uint32_t version);

#endif
