/* SPDX-License-Identifier: MIT */
/*
 * Memory of a runtime: small blocks of sixteen-odd sizes from free lists that are never searched,
 * everything else straight from the kernel, or all of it from one buffer given at the start.
 * Blocks taken for a small size stay with that size until the runtime ends: a runtime that spawns
 * and ends the same kinds of tasks settles and takes no more. (Small machines: pool_list.c.)
 */
#include "internal.h"

enum {
    UNIT = SOS_POOL_UNIT_,
    SMALL = UNIT * SOS_POOL_CLASSES_,
    FIRST_CHUNK = 4096,
    LAST_CHUNK = 1 << 20,
    CACHE_LINE = 64 /* a task of 128 bytes is to take two */
};

struct sos_chunk_ {
    struct sos_chunk_ *next;
    size_t size;
};

enum { CHUNK_START = (int)((sizeof(struct sos_chunk_) + UNIT - 1) & ~(size_t)(UNIT - 1)) };

static size_t round_up(size_t size)
{
    return (size + UNIT - 1) & ~(size_t)(UNIT - 1);
}

/* A fixed buffer is used up: a block that was given back and is large enough, if any. */
static void *reuse(sos *os, size_t size)
{
    for (size_t index = (size - 1) / UNIT; size <= SMALL && index < SOS_POOL_CLASSES_; index++) {
        struct sos_free_block_ *block = os->pool.blocks[index];
        if (block != NULL) {
            os->pool.blocks[index] = block->next;
            return block;
        }
    }
    for (struct sos_free_block_ **at = &os->pool.large; *at != NULL; at = &(*at)->next) {
        struct sos_free_block_ *block = *at;
        if (block->size < size)
            continue;
        size_t rest = block->size - size;
        if (rest < sizeof *block) {
            *at = block->next;
            return block;
        }
        block->size = rest; /* cut from the end, so that the list need not change */
        return (char *)block + rest;
    }
    return NULL;
}

static bool grow(struct sos_pool_ *pool, struct sos_kernel *kernel)
{
    size_t size = pool->next_chunk;
    struct sos_chunk_ *chunk = kernel->reallocate(kernel, NULL, 0, size);
    if (chunk == NULL)
        return false;
    chunk->next = pool->chunks;
    chunk->size = size;
    pool->chunks = chunk;
    size_t start = CHUNK_START + (-((uintptr_t)chunk + CHUNK_START) & (CACHE_LINE - 1));
    pool->bump = (char *)chunk + start;
    pool->bump_left = size - start;
    pool->use.reserved += size;
    if (size < LAST_CHUNK)
        pool->next_chunk = size * 2;
    return true;
}

/* No block of that size has been given back yet. */
void *sos_take_new_(sos *os, size_t size)
{
    struct sos_pool_ *pool = &os->pool;
    struct sos_kernel *kernel = os->kernel;
    void *memory;
    size = round_up(size);
    if (!os->fixed && size > SMALL) {
        memory = kernel->reallocate(kernel, NULL, 0, size);
        if (memory != NULL)
            pool->use.reserved += size;
    } else if (pool->bump_left >= size || (!os->fixed && grow(pool, kernel))) {
        memory = pool->bump;
        pool->bump += size;
        pool->bump_left -= size;
    } else {
        memory = os->fixed ? reuse(os, size) : NULL;
    }
    if (memory != NULL)
        pool->use.used += size;
    return memory;
}

void sos_give_large_(sos *os, void *memory, size_t size)
{
    struct sos_pool_ *pool = &os->pool;
    struct sos_free_block_ *block = memory;
    if (memory == NULL)
        return;
    size = round_up(size);
    pool->use.used -= size;
    if (!os->fixed) {
        pool->use.reserved -= size;
        os->kernel->reallocate(os->kernel, memory, size, 0);
        return;
    }
    struct sos_free_block_ **list = size <= SMALL ? &os->pool.blocks[(size - 1) / UNIT]
                                                  : &pool->large;
    block->size = size;
    block->next = *list;
    *list = block;
}

void sos_pool_start_(sos *os, size_t first)
{
    struct sos_pool_ *pool = &os->pool;
    size_t taken = round_up(first);
    pool->next_chunk = FIRST_CHUNK;
    pool->use.used = pool->use.reserved = first;
    os->fixed = os->config.memory != NULL;
    if (!os->fixed)
        return;
    pool->use.reserved = os->config.memory_size;
    pool->bump = (char *)os + taken;
    if (os->config.memory_size > taken)
        pool->bump_left = os->config.memory_size - taken;
}

void sos_pool_end_(sos *os, size_t first)
{
    struct sos_kernel *kernel = os->kernel;
    struct sos_chunk_ *chunk = os->pool.chunks;
    while (chunk != NULL) {
        struct sos_chunk_ *next = chunk->next;
        kernel->reallocate(kernel, chunk, chunk->size, 0);
        chunk = next;
    }
    if (!os->fixed)
        kernel->reallocate(kernel, os, first, 0);
}

struct sos_memory_use sos_memory(const sos *os)
{
    return os->pool.use;
}
