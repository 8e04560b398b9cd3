/* SPDX-License-Identifier: MIT */
/*
 * Memory of a runtime, on small machines and for the sanitizers: in place of pool.c. The one buffer
 * of the configuration is cut up by a list of its free blocks, which stand by address and grow
 * together again when what is between them comes back; the first that is large enough is taken. A
 * runtime without a buffer takes every block from the kernel.
 */
#include "internal.h"

static size_t round_up(size_t size)
{
    return (size + SOS_POOL_UNIT_ - 1) & ~(size_t)(SOS_POOL_UNIT_ - 1);
}

static void *first_fit(struct sos_pool_ *pool, size_t size)
{
    struct sos_free_block_ *before = &pool->free, *block;
    while ((block = before->next) != NULL && block->size < size)
        before = block;
    if (block == NULL)
        return NULL;
    struct sos_free_block_ *rest = (struct sos_free_block_ *)(void *)((char *)block + size);
    if (block->size == size) {
        rest = block->next;
    } else {
        rest->next = block->next;
        rest->size = block->size - size;
    }
    before->next = rest;
    return block;
}

void *sos_take_(sos *os, size_t size)
{
    struct sos_pool_ *pool = &os->pool;
    size = round_up(size);
    void *memory = os->fixed ? first_fit(pool, size)
                             : os->kernel->reallocate(os->kernel, NULL, 0, size);
    if (memory == NULL)
        return NULL;
    pool->used += size;
    return memory;
}

/* Two blocks that touch become one. */
static void join(struct sos_free_block_ *block, struct sos_free_block_ *next)
{
    block->next = next;
    if ((char *)block + block->size != (char *)next)
        return;
    block->size += next->size;
    block->next = next->next;
}

void sos_give_(sos *os, void *memory, size_t size)
{
    struct sos_free_block_ *before = &os->pool.free, *block = memory;
    size = round_up(size);
    if (size == 0)
        return;
    os->pool.used -= size;
    if (!os->fixed) {
        os->kernel->reallocate(os->kernel, memory, size, 0);
        return;
    }
    while (before->next != NULL && before->next < block)
        before = before->next;
    block->size = size;
    join(block, before->next);
    join(before, block);
}

/* The runtime is the first block, so it lies before all others. */
void sos_pool_start_(sos *os, size_t first)
{
    size_t all = os->config.memory_size & ~(size_t)(SOS_POOL_UNIT_ - 1);
    os->fixed = os->config.memory != NULL;
    os->pool.used = os->fixed ? all : first;
    if (os->fixed)
        sos_give_(os, (char *)os + first, all - first);
}

void sos_pool_end_(sos *os, size_t first)
{
    if (!os->fixed)
        os->kernel->reallocate(os->kernel, os, first, 0);
}

struct sos_memory_use sos_memory(const sos *os)
{
    size_t used = os->pool.used;
    return (struct sos_memory_use){ used, os->fixed ? os->config.memory_size : used };
}
