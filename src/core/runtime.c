/* SPDX-License-Identifier: MIT */
/* Making and ending a runtime. */
#include "internal.h"

/* Of the first fields of struct sos_config, in their order. */
static const uint32_t defaults[] = { 1024, 10, 1024, 100000, 64, 256 };
_Static_assert(offsetof(struct sos_config, task_capacity) == 0 &&
                   offsetof(struct sos_config, frame_chunk) == sizeof defaults - sizeof defaults[0],
               "defaults[] is for the fields that struct sos_config begins with");

static void fill_defaults(struct sos_config *config)
{
    char *at = (char *)config;
    for (size_t index = 0; index < sizeof defaults / sizeof defaults[0]; index++) {
        uint32_t *field = (uint32_t *)(void *)(at + index * sizeof *field);
        if (*field == 0)
            *field = defaults[index];
        else if (*field == SOS_NONE)
            *field = 0;
    }
}

static bool in_range(const struct sos_config *config)
{
    return config->task_capacity >= 1 && config->task_capacity < NO_INDEX_ &&
           config->task_capacity <= INT32_MAX && config->priority_levels >= 2 &&
           config->priority_levels <= SOS_LEVELS_MAX_ && config->post_capacity - 2 < 1u << 20 &&
           (config->post_capacity & (config->post_capacity - 1)) == 0 &&
           config->frame_chunk < NO_INDEX_ / 2 && config->aging_us != 0 &&
           ((uintptr_t)config->memory & 7) == 0;
}

/* The runtime and all its tables are one block, with the ready queues right behind the struct. */
static size_t runtime_size(const struct sos_config *config, const struct sos_kernel *kernel)
{
    size_t bins = SOS_BIG_ && kernel->timer_bins != NULL ? kernel->timer_bins->size : 0;
    size_t size = sizeof(sos) + config->priority_levels * sizeof(struct sos_link *) + bins +
                  config->post_capacity * sizeof(struct sos_post_) +
                  config->task_capacity * sizeof(sos_task *);
    return (size + 15) & ~(size_t)15;
}

/* From the end of the block down. */
static void place_tables(sos *os, size_t size)
{
    const struct sos_timer_bins_type *bins = os->kernel->timer_bins;
    os->tasks = (sos_task **)(void *)((char *)os + size) - os->config.task_capacity;
    os->posts = (struct sos_post_ *)(void *)os->tasks - os->config.post_capacity;
    if (SOS_BIG_ && bins != NULL) {
        os->bins = (char *)os->posts - bins->size;
        bins->init(os->bins, os->kernel->now(os->kernel));
    }
}

int sos_create(sos **created, const struct sos_config *given, struct sos_kernel *kernel)
{
    struct sos_config config = { 0 };
    if (created == NULL)
        return SOS_EINVAL;
    *created = NULL;
    if (given != NULL)
        config = *given;
    fill_defaults(&config);
    if (kernel == NULL || kernel->now == NULL || kernel->wait == NULL || kernel->wake == NULL ||
        !in_range(&config))
        return SOS_EINVAL;
    size_t size = runtime_size(&config, kernel);
    sos *os = NULL;
    if (config.memory == NULL && kernel->reallocate != NULL)
        os = kernel->reallocate(kernel, NULL, 0, size);
    else if (size <= config.memory_size)
        os = config.memory;
    if (os == NULL)
        return SOS_ENOMEM;
    memset(os, 0, size);
    os->config = config;
    os->kernel = kernel;
    os->policy = config.policy;
    os->doorbell = kernel->doorbell != NULL ? kernel->doorbell : &os->never_rings;
    sos_pool_start_(os, size);
    place_tables(os, size);
    os->attention.byte.mode = os->policy != NULL;
    *created = os;
    return SOS_OK;
}

void sos_destroy(sos *os)
{
    if (os == NULL || os->active || os->unwinding)
        return;
    sos_kill_all_(os);
    for (uint32_t pid = 0; pid < os->config.task_capacity; pid++)
        if (os->tasks[pid] != NULL)
            sos_record_free_(os->tasks[pid]);
    if (os->accounting_end != NULL)
        os->accounting_end(os);
    if (os->output_end != NULL)
        os->output_end(os);
    sos_pool_end_(os, runtime_size(&os->config, os->kernel));
}

struct sos_kernel *sos_kernel_of(const sos *os)
{
    return os->kernel;
}

void *sos_memory_take(sos *os, size_t size)
{
    return sos_take_(os, size);
}

void sos_memory_give(sos *os, void *memory, size_t size)
{
    sos_give_(os, memory, size);
}
