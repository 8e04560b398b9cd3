/* SPDX-License-Identifier: MIT */
/* The nodes of a Redis Cluster, and the map that says which of them has which keys. */
#include <string.h>

#include "client/redis_cluster_map.h"
#include "smallos/async.h"

/* ---- Nodes */

void sos_redis_give_route_(sos_redis_cluster *cluster, struct sos_redis_route_ *route)
{
    *route->from = route->next;
    if (route->next != NULL)
        route->next->from = route->from;
    sos_memory_give(cluster->os, route, sizeof *route + route->size);
}

void sos_redis_cluster_leave_(sos_redis_cluster *cluster)
{
    if (--cluster->users != 0 || !cluster->closed)
        return;
    while (cluster->routes != NULL)
        sos_redis_give_route_(cluster, cluster->routes);
    while (cluster->nodes != NULL) {
        struct sos_redis_node_ *next = cluster->nodes->next;
        sos_memory_give(cluster->os, cluster->nodes, sizeof *cluster->nodes);
        cluster->nodes = next;
    }
    sos_memory_give(cluster->os, cluster, sizeof *cluster);
}

struct sos_redis_node_ *sos_redis_node_at_(sos_redis_cluster *cluster, const char *host,
                                           uint16_t port)
{
    for (struct sos_redis_node_ *node = cluster->nodes; node != NULL; node = node->next)
        if (node->port == port && strcmp(node->host, host) == 0)
            return node;
    if (cluster->count >= cluster->max_nodes || strlen(host) >= sizeof cluster->nodes->host)
        return NULL;
    struct sos_redis_node_ *node = sos_memory_take(cluster->os, sizeof *node);
    if (node == NULL)
        return NULL;
    *node = (struct sos_redis_node_){ .port = port, .index = (uint16_t)cluster->count++ };
    memcpy(node->host, host, strlen(host) + 1);
    *cluster->last = node;
    cluster->last = &node->next;
    return node;
}

struct sos_redis_node_ *sos_redis_node_of_slot_(const sos_redis_cluster *cluster, int slot)
{
    uint16_t index = slot >= 0 ? cluster->owner[slot] : SOS_REDIS_NO_NODE_;
    struct sos_redis_node_ *node = cluster->nodes;
    while (node != NULL && index != SOS_REDIS_NO_NODE_ && node->index != index)
        node = node->next;
    if (index != SOS_REDIS_NO_NODE_ || node == NULL)
        return node;
    for (struct sos_redis_node_ *each = node; each != NULL; each = each->next)
        if (each->redis != NULL && sos_redis_is_up(each->redis))
            return each; /* any will do: better one that is there */
    return node;
}

/* Its client, which begins to connect if it is new. */
sos_redis *sos_redis_node_client_(sos_redis_cluster *cluster, struct sos_redis_node_ *node)
{
    if (node == NULL || node->redis != NULL || cluster->closed)
        return node != NULL ? node->redis : NULL;
    struct sos_redis_options options = cluster->options;
    options.host = node->host;
    options.port = node->port;
    if (sos_redis_open_(cluster->os, &options, &node->redis) == SOS_OK)
        node->redis->lazy = true;
    return node->redis;
}

/* ---- The map: CLUSTER SLOTS */

/* [first slot, last slot, [host, port, ...] of the master, ...] */
static void note_range(sos_redis_cluster *cluster, const struct sos_redis_value *range,
                       const char *asked)
{
    const struct sos_redis_value *from = sos_redis_item(range, 0), *to = sos_redis_item(range, 1),
                                 *master = sos_redis_item(range, 2),
                                 *host = sos_redis_item(master, 0),
                                 *port = sos_redis_item(master, 1);
    if (host == NULL || port == NULL || from->type != SOS_REDIS_INTEGER ||
        to->type != SOS_REDIS_INTEGER || port->type != SOS_REDIS_INTEGER || from->integer < 0 ||
        to->integer >= SOS_REDIS_SLOTS_ || port->integer < 1 || port->integer > UINT16_MAX)
        return;
    const char *name = host->type == SOS_REDIS_STRING && host->length != 0 ? host->text : asked;
    const struct sos_redis_node_ *node = sos_redis_node_at_(cluster, name, (uint16_t)port->integer);
    for (int64_t slot = from->integer; node != NULL && slot <= to->integer; slot++)
        cluster->owner[slot] = node->index;
}

/* 0; SOS_ESERVER: there are no slots in it. */
int sos_redis_note_map_(sos_redis_cluster *cluster, const struct sos_redis_value *map,
                        const char *asked)
{
    if (map == NULL || map->type != SOS_REDIS_ARRAY || map->count == 0)
        return SOS_ESERVER;
    memset(cluster->owner, 0xFF, sizeof cluster->owner);
    const struct sos_redis_value *range = sos_redis_item(map, 0);
    for (uint32_t index = 0; index < map->count; index++, range = sos_redis_next(range))
        note_range(cluster, range, asked);
    cluster->version++;
    return SOS_OK;
}

struct redis_map {
    sos_frame frame;
    sos_redis_cluster *cluster;
    uint32_t version; /* that is out of date */
    struct sos_redis_node_ *node;
    struct sos_redis_reply reply;
};

static struct sos_redis_node_ *next_that_is_up(struct sos_redis_node_ *node)
{
    while (node != NULL && (node->redis == NULL || !sos_redis_is_up(node->redis)))
        node = node->next;
    return node;
}

/* Asks those that are there, until one has answered; one task does so for all. */
static async_fn(redis_map)
{
    async_begin(redis_map);
    self->cluster->users++;
    try_await(sos_mutex_lock(task, &self->cluster->reading));
    self->node = self->cluster->nodes;
    while (self->cluster->version == self->version && !self->cluster->closed) {
        self->node = next_that_is_up(self->node);
        if (self->node == NULL)
            break;
        await(sos_within(
            task, SOS_MS(SOS_REDIS_PATIENCE_MS_),
            sos_redis_command(task, self->node->redis, &self->reply, "CLUSTER", "SLOTS")));
        if (sos_status(task) == SOS_OK)
            sos_redis_note_map_(self->cluster, self->reply.value, self->node->host);
        self->node = self->node->next;
    }
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_mutex_unlock(task, &self->cluster->reading);
    sos_redis_cluster_leave_(self->cluster);
    async_end;
}

sos_op sos_redis_read_map_(sos_task *task, sos_redis_cluster *cluster, uint32_t version)
{
    return async_call(redis_map, .cluster = cluster, .version = version);
}
