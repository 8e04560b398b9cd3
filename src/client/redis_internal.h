/* SPDX-License-Identifier: MIT */
/* What the files of the Redis client share: the making of replies from what the codec reports. */
#ifndef SMALLOS_CLIENT_REDIS_INTERNAL_H
#define SMALLOS_CLIENT_REDIS_INTERNAL_H

#include "proto/resp.h"
#include "smallos/redis.h"

/* Grows while a reply arrives; texts are offsets into `text` until it is complete. */
struct sos_redis_builder_ {
    sos *os;
    struct sos_redis_value *values;
    char *text;
    size_t value_room, text_used, text_room;
    uint32_t count;
    uint32_t open[SOS_RESP_NESTING_MOST_]; /* the aggregates that are not complete */
    unsigned depth;
    unsigned skipped; /* depth of an attribute, whose content is left out; 0: in none */
    bool discard;     /* nobody wants this reply */
    int status;       /* SOS_ENOMEM: the reply is read to its end all the same */
};

/* One event of the codec. */
void sos_redis_build_(struct sos_redis_builder_ *builder, const struct sos_resp_event_ *event,
                      enum sos_resp_kind_ kind);

/* The reply is whole: moved into `reply` (NULL: thrown away), and the builder ready for the next.
 * 0, SOS_ENOMEM, or SOS_ESERVER when it is an error. */
int sos_redis_built_(struct sos_redis_builder_ *builder, struct sos_redis_reply *reply);

void sos_redis_builder_free_(struct sos_redis_builder_ *builder);

#endif
