/* SPDX-License-Identifier: MIT */
/* Replies of Redis as redis-cli prints them. */
#ifndef DEMOS_REDIS_PRINT_H
#define DEMOS_REDIS_PRINT_H

#include <stdbool.h>

#include "smallos/redis.h"

/* For people: numbered, quoted and with their types; or raw, for other programs. */
void print_reply(const struct sos_redis_value *value, bool raw);

#endif
