/* SPDX-License-Identifier: MIT */
/* The options of a Redis client: what they point to is copied, since each attempt needs it again. */
#include <stdio.h>
#include <string.h>

#include "client/redis_internal.h"

/* The texts of options, one by one. */
static const char **text_of(struct sos_redis_options *options, unsigned index)
{
    const char **const texts[] = { &options->user, &options->password, &options->master,
                                   &options->sentinel_user, &options->sentinel_password };
    return index < sizeof texts / sizeof texts[0] ? texts[index] : NULL;
}

static bool copy_text(sos *os, const char **text)
{
    if (*text == NULL)
        return true;
    size_t size = strlen(*text) + 1;
    char *copy = sos_memory_take(os, size);
    if (copy != NULL)
        memcpy(copy, *text, size);
    *text = copy;
    return copy != NULL;
}

static void free_text(sos *os, const char **text)
{
    if (*text != NULL)
        sos_memory_give(os, (void *)(uintptr_t)*text, strlen(*text) + 1);
    *text = NULL;
}

static int copy_sentinels(sos_redis *redis, const struct sos_redis_options *options)
{
    size_t size = options->sentinel_count * sizeof *options->sentinels;
    struct sos_redis_endpoint *sentinels = sos_memory_take(redis->os, size);
    if (sentinels == NULL)
        return SOS_ENOMEM;
    memset(sentinels, 0, size);
    redis->options.sentinels = sentinels;
    redis->options.sentinel_count = options->sentinel_count;
    for (uint32_t index = 0; index < options->sentinel_count; index++) {
        sentinels[index] = options->sentinels[index];
        if (!copy_text(redis->os, &sentinels[index].host))
            return SOS_ENOMEM;
    }
    return SOS_OK;
}

int sos_redis_keep_options_(sos_redis *redis, const struct sos_redis_options *options)
{
    const char *host = options->host != NULL ? options->host : "127.0.0.1";
    if (strlen(host) >= sizeof redis->host ||
        (options->master != NULL && (options->sentinel_count == 0 || options->sentinels == NULL)))
        return SOS_EINVAL;
    snprintf(redis->host, sizeof redis->host, "%s", host);
    redis->options = *options;
    redis->options.host = redis->host;
    redis->options.sentinels = NULL;
    redis->options.sentinel_count = 0;
    redis->options.error_text = NULL;
    const char **text;
    bool complete = true;
    for (unsigned index = 0; (text = text_of(&redis->options, index)) != NULL; index++)
        complete = copy_text(redis->os, text) && complete;
    if (!complete)
        return SOS_ENOMEM;
    return options->master != NULL ? copy_sentinels(redis, options) : SOS_OK;
}

void sos_redis_free_options_(sos_redis *redis)
{
    const char **text;
    for (unsigned index = 0; (text = text_of(&redis->options, index)) != NULL; index++)
        free_text(redis->os, text);
    struct sos_redis_endpoint *sentinels = (struct sos_redis_endpoint *)(uintptr_t)
                                               redis->options.sentinels;
    if (sentinels == NULL)
        return;
    for (uint32_t index = 0; index < redis->options.sentinel_count; index++)
        free_text(redis->os, &sentinels[index].host);
    sos_memory_give(redis->os, sentinels, redis->options.sentinel_count * sizeof *sentinels);
}
