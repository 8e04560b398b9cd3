/* SPDX-License-Identifier: MIT */
/*
 * Commands to a Redis Cluster. One goes to the node that the map names; what that one answers (MOVED,
 * ASK, TRYAGAIN, CLUSTERDOWN), or that it does not, says where it goes next.
 */
#include "smallos/redis_cluster.h"

#include <stdio.h>
#include <string.h>

#include "client/redis_cluster_map.h"
#include "smallos/async.h"

enum { REDIRECTIONS = 16, AT_ONCE = 4, NODES = 256, RETRY_MS = 50 };

static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
enum { ASKING = sizeof asking - 1 };

/* ---- Commands */

struct redis_routed {
    sos_frame frame;
    sos_redis_cluster *cluster;
    struct sos_redis_reply *wanted;
    struct sos_redis_reply reply;
    struct sos_redis_route_ *route;
    int slot; /* -1: any */
    uint32_t redirections, version;
    struct sos_redis_node_ *node, *ask; /* where it goes; where it goes just this once */
    int status;
};

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* What the answer says about where to go. False: it is the answer. */
static bool is_sent_on(struct redis_routed *self)
{
    const struct sos_redis_value *value = self->reply.value;
    char host[SOS_REDIS_HOST_];
    uint16_t slot, port;
    self->ask = NULL;
    if (self->status != SOS_ESERVER || value == NULL ||
        self->redirections >= self->cluster->max_redirections)
        return false;
    bool moved = begins(value->text, "MOVED "), ask = begins(value->text, "ASK ");
    if (!moved && !ask)
        return begins(value->text, "TRYAGAIN") || begins(value->text, "CLUSTERDOWN");
    if (!sos_redis_redirection_(value->text, &slot, host, sizeof host, &port))
        return false;
    struct sos_redis_node_ *node = sos_redis_node_at_(
        self->cluster, host[0] != '\0' ? host : self->node->host, port);
    if (node == NULL)
        return false;
    if (ask)
        self->ask = node;
    else
        self->cluster->owner[slot] = node->index;
    return true;
}

static bool is_to_wait(const struct redis_routed *self)
{
    if (self->redirections >= AT_ONCE)
        return true; /* the nodes do not agree yet */
    return !begins(self->reply.value->text, "MOVED ") && self->ask == NULL;
}

static void choose(struct redis_routed *self)
{
    self->version = self->cluster->version;
    self->node = self->ask != NULL ? self->ask : sos_redis_node_of_slot_(self->cluster, self->slot);
    sos_redis_node_client_(self->cluster, self->node);
}

static sos_op send_there(sos_task *task, struct redis_routed *self)
{
    size_t skipped = self->ask != NULL ? 0 : (size_t)ASKING;
    const struct sos_redis_batch_ batch = { .bytes = self->route->bytes + skipped,
                                            .size = self->route->size - skipped,
                                            .count = self->ask != NULL ? 2 : 1,
                                            .kind = SOS_REDIS_LAST_ };
    return sos_redis_submit_(task, self->node->redis, &batch, &self->reply);
}

static void hand_over(struct redis_routed *self)
{
    if (self->wanted == NULL)
        return;
    *self->wanted = self->reply;
    self->reply = (struct sos_redis_reply){ NULL, NULL, 0 };
}

static async_fn(redis_routed)
{
    async_begin(redis_routed);
    self->cluster->users++;
    for (;; self->redirections++) {
        for (choose(self);; choose(self)) {
            if (self->cluster->closed)
                async_return(SOS_ECANCELED);
            if (self->node == NULL || self->node->redis == NULL)
                async_return(SOS_ENOMEM);
            if (sos_redis_is_up(self->node->redis))
                break;
            await(sos_within(task, SOS_MS(SOS_REDIS_PATIENCE_MS_),
                             sos_event_wait(task, &self->node->redis->settled)));
            if (sos_status(task) == SOS_OK)
                continue;
            if (sos_status(task) != SOS_ETIMEDOUT)
                async_return(sos_status(task));
            self->ask = NULL; /* somebody else may have its keys by now */
            await(sos_redis_read_map_(task, self->cluster, self->version));
        }
        await(send_there(task, self));
        self->status = sos_status(task);
        if (!is_sent_on(self))
            break;
        if (is_to_wait(self))
            await(sos_sleep(task, SOS_MS(RETRY_MS)));
        if (self->ask == NULL && self->version == self->cluster->version)
            await(sos_redis_read_map_(task, self->cluster, self->version));
    }
    hand_over(self);
    async_return(self->status);
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_give_route_(self->cluster, self->route);
    sos_redis_cluster_leave_(self->cluster);
    async_end;
}

static struct sos_redis_route_ *new_route(sos_redis_cluster *cluster, size_t argc,
                                          const char *const *argv, const size_t *lengths)
{
    size_t size = ASKING + sos_resp_command_size_(argc, argv, lengths);
    struct sos_redis_route_ *route = sos_memory_take(cluster->os, sizeof *route + size);
    if (route == NULL)
        return NULL;
    *route = (struct sos_redis_route_){ .next = cluster->routes,
                                        .from = &cluster->routes,
                                        .size = size };
    memcpy(route->bytes, asking, ASKING);
    sos_resp_command_(route->bytes + ASKING, argc, argv, lengths);
    if (route->next != NULL)
        route->next->from = &route->next;
    cluster->routes = route;
    return route;
}

sos_op sos_redis_cluster_send(sos_task *task, sos_redis_cluster *cluster,
                              struct sos_redis_reply *reply, size_t argc, const char *const *argv,
                              const size_t *lengths)
{
    const char *key;
    size_t length;
    if (reply != NULL)
        sos_redis_reply_free(reply);
    if (argc == 0 || argv == NULL || sos_redis_is_subscribe_(argc, argv, lengths))
        return sos_complete(task, SOS_EINVAL);
    int slot = sos_redis_key_(argc, argv, lengths, &key, &length) ? sos_redis_slot(key, length)
                                                                  : -1;
    struct sos_redis_route_ *route = new_route(cluster, argc, argv, lengths);
    if (route == NULL)
        return sos_complete(task, SOS_ENOMEM);
    return async_call(redis_routed, .cluster = cluster, .wanted = reply, .route = route,
                      .slot = slot);
}

sos_redis *sos_redis_cluster_node(sos_redis_cluster *cluster, const char *key)
{
    return sos_redis_node_client_(
        cluster, sos_redis_node_of_slot_(cluster, sos_redis_slot(key, strlen(key))));
}

/* ---- Connecting */

struct redis_cluster {
    sos_frame frame;
    struct sos_redis_cluster_options options;
    sos_redis_cluster **cluster;
    sos_redis_cluster *made;
    struct sos_redis_reply reply;
    uint32_t next; /* 0: that of the options; then the seeds */
    int status;
};

static int make(sos_task *task, struct redis_cluster *self)
{
    sos_redis_cluster *cluster = sos_memory_take(sos_of(task), sizeof *cluster);
    if (cluster == NULL)
        return SOS_ENOMEM;
    uint32_t nodes = self->options.max_nodes, redirections = self->options.max_redirections;
    *cluster = (sos_redis_cluster){
        .os = sos_of(task),
        .max_nodes = nodes != 0 && nodes < SOS_REDIS_NO_NODE_ ? nodes : NODES,
        .max_redirections = redirections != 0 ? redirections : REDIRECTIONS,
    };
    cluster->last = &cluster->nodes;
    memset(cluster->owner, 0xFF, sizeof cluster->owner);
    sos_mutex_init(&cluster->reading, "cluster map");
    self->made = cluster;
    return SOS_OK;
}

static sos_op connect_next(sos_task *task, struct redis_cluster *self)
{
    struct sos_redis_options options = self->options.node;
    if (self->next != 0) {
        options.host = self->options.seeds[self->next - 1].host;
        options.port = self->options.seeds[self->next - 1].port;
    }
    options.database = 0;
    options.master = NULL;
    options.reconnect.attempts_max = 0;
    sos_redis_close(self->made->first);
    self->made->first = NULL;
    return sos_redis_connect(task, &options, &self->made->first);
}

/* What it was connected with serves for all of them. */
static int begin(struct redis_cluster *self)
{
    sos_redis_cluster *cluster = self->made;
    cluster->options = cluster->first->options;
    int status = sos_redis_note_map_(cluster, self->reply.value, cluster->first->host);
    if (status != SOS_OK)
        return status;
    struct sos_redis_node_ *node = sos_redis_node_at_(cluster, cluster->first->host,
                                                      cluster->first->port);
    if (node == NULL)
        return SOS_ENOMEM;
    node->redis = cluster->first;
    return SOS_OK;
}

/* What the node says that is none of a cluster. */
static void tell_why(const struct redis_cluster *self)
{
    const struct sos_redis_options *node = &self->options.node;
    const struct sos_redis_value *value = self->reply.value;
    if (self->status == SOS_ESERVER && value != NULL && node->error_text != NULL &&
        node->error_text_size != 0)
        snprintf(node->error_text, node->error_text_size, "%s",
                 value->type == SOS_REDIS_ERROR ? value->text : "the cluster has no slots");
}

static async_fn(redis_cluster)
{
    async_begin(redis_cluster);
    self->status = make(task, self);
    if (self->status != SOS_OK)
        async_return(self->status);
    for (; self->next <= self->options.seed_count; self->next++) {
        await(connect_next(task, self));
        self->status = sos_status(task);
        if (self->status != SOS_OK)
            continue;
        await(sos_redis_command(task, self->made->first, &self->reply, "CLUSTER", "SLOTS"));
        self->status = sos_status(task) == SOS_OK ? begin(self) : sos_status(task);
        if (self->status == SOS_OK)
            break;
        tell_why(self);
    }
    if (self->status != SOS_OK)
        async_return(self->status);
    *self->cluster = self->made;
    self->made = NULL;
    async_finally;
    sos_redis_reply_free(&self->reply);
    sos_redis_cluster_close(self->made);
    async_end;
}

sos_op sos_redis_cluster_connect(sos_task *task, const struct sos_redis_cluster_options *options,
                                 sos_redis_cluster **cluster)
{
    if (options == NULL || cluster == NULL || (options->seed_count != 0 && options->seeds == NULL))
        return sos_complete(task, SOS_EINVAL);
    *cluster = NULL;
    return async_call(redis_cluster, .options = *options, .cluster = cluster);
}

void sos_redis_cluster_close(sos_redis_cluster *cluster)
{
    if (cluster == NULL || cluster->closed)
        return;
    cluster->users++;
    cluster->closed = true;
    for (struct sos_redis_node_ *node = cluster->nodes; node != NULL; node = node->next)
        if (node->redis != cluster->first)
            sos_redis_close(node->redis);
    sos_redis_close(cluster->first);
    sos_redis_cluster_leave_(cluster);
}
