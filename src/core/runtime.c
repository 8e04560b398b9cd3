/* SPDX-License-Identifier: MIT */
/* Making and ending a runtime. */
#include "internal.h"

static const volatile uint32_t never_rings;

static void set_default(uint32_t *field, uint32_t value)
{
    if (*field == 0)
        *field = value;
    else if (*field == SOS_NONE)
        *field = 0;
}

static void fill_defaults(struct sos_config *config)
{
    set_default(&config->task_capacity, 1024);
    set_default(&config->priority_levels, 10);
    set_default(&config->io_buffer_length, 1024);
    set_default(&config->aging_us, 100000);
    set_default(&config->post_capacity, 64);
    set_default(&config->frame_chunk, 256);
}

static bool in_range(const struct sos_config *config)
{
    return config->task_capacity >= 1 && config->task_capacity < NO_INDEX_ &&
           config->task_capacity <= INT32_MAX && config->priority_levels >= 2 &&
           config->priority_levels <= SOS_LEVELS_MAX_ && config->post_capacity >= 2 &&
           config->post_capacity <= 1u << 20 &&
           (config->post_capacity & (config->post_capacity - 1)) == 0 &&
           config->frame_chunk < NO_INDEX_ / 2 && config->aging_us != 0 &&
           ((uintptr_t)config->memory & 7) == 0;
}

/* The runtime and all its tables are one block. */
static size_t tables_at(const struct sos_config *config)
{
    size_t size = sizeof(sos) + config->priority_levels * sizeof(struct sos_link *);
    return (size + 7) & ~(size_t)7;
}

static size_t runtime_size(const struct sos_config *config, const struct sos_kernel *kernel)
{
    size_t bins = SOS_BIG_ && kernel->timer_bins != NULL ? kernel->timer_bins->size : 0;
    size_t size = tables_at(config) + bins + config->post_capacity * sizeof(struct sos_post_) +
                  config->task_capacity * sizeof(sos_task *);
    return (size + 15) & ~(size_t)15;
}

static void place_tables(sos *os)
{
    const struct sos_timer_bins_type *bins = os->kernel->timer_bins;
    char *at = (char *)os + tables_at(&os->config);
    if (SOS_BIG_ && bins != NULL) {
        os->bins = at;
        bins->init(at, os->kernel->now(os->kernel));
        at += bins->size;
    }
    os->posts = (struct sos_post_ *)(void *)at;
    os->tasks = (sos_task **)(void *)&os->posts[os->config.post_capacity];
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
    os->doorbell = kernel->doorbell != NULL ? kernel->doorbell : &never_rings;
    sos_pool_start_(os, size);
    place_tables(os);
    sos_mode_update_(os);
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
