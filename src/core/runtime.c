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

static void fill_client_defaults(struct sos_client_defaults *clients)
{
    set_default(&clients->stream.max_buffer_size, 16777216);
    set_default(&clients->http.max_response_size, 16777216);
    set_default(&clients->redis.max_response_size, 16777216);
    set_default(&clients->redis.max_nesting_depth, 32);
    set_default(&clients->mqtt.keepalive, 60);
    set_default(&clients->mqtt.max_packet_size, 262144);
    set_default(&clients->mqtt.max_queued_messages, 1024);
    set_default(&clients->sse.max_event_size, 1048576);
    set_default(&clients->sse.max_line_size, 65536);
    set_default(&clients->websocket.max_frame_size, 1048576);
    set_default(&clients->websocket.max_message_size, 4194304);
    set_default(&clients->websocket.max_line_size, 16384);
}

static void fill_defaults(struct sos_config *config)
{
    set_default(&config->task_capacity, 1024);
    set_default(&config->priority_levels, 10);
    set_default(&config->io_buffer_length, 1024);
    set_default(&config->aging_us, 100000);
    set_default(&config->post_capacity, 64);
    set_default(&config->frame_chunk, 256);
    fill_client_defaults(&config->client_defaults);
}

static bool in_range(const struct sos_config *config)
{
    return config->task_capacity >= 1 && config->task_capacity < NO_INDEX_ &&
           config->task_capacity <= INT32_MAX && config->priority_levels >= 2 &&
           config->priority_levels <= SOS_LEVELS_MAX_ && config->post_capacity >= 1 &&
           config->post_capacity <= 1u << 20 &&
           (config->post_capacity & (config->post_capacity - 1)) == 0 &&
           config->frame_chunk < NO_INDEX_ / 2 && config->aging_us != 0 &&
           ((uintptr_t)config->memory & 7) == 0;
}

static size_t runtime_size(const struct sos_config *config)
{
    return sizeof(sos) + config->priority_levels * sizeof(struct sos_link *);
}

static bool take_tables(sos *os)
{
    const struct sos_config *config = &os->config;
    size_t tasks_size = config->task_capacity * sizeof os->tasks[0];
    size_t posts_size = config->post_capacity * sizeof os->posts[0];
    const struct sos_timer_bins_type *bins = os->kernel->timer_bins;
    os->tasks = sos_take_(os, tasks_size);
    os->posts = sos_take_(os, posts_size);
    os->bins = bins != NULL ? sos_take_(os, bins->size) : NULL;
    if (os->tasks == NULL || os->posts == NULL || (bins != NULL && os->bins == NULL))
        return false;
    memset(os->tasks, 0, tasks_size);
    for (uint32_t turn = 0; turn < config->post_capacity; turn++)
        os->posts[turn].sequence = turn;
    os->post_mask = config->post_capacity - 1;
    if (bins != NULL)
        bins->init(os->bins, os->kernel->now(os->kernel));
    return true;
}

static void give_tables(sos *os)
{
    if (os->bins != NULL)
        sos_give_(os, os->bins, os->kernel->timer_bins->size);
    sos_give_(os, os->posts, os->config.post_capacity * sizeof os->posts[0]);
    sos_give_(os, os->tasks, os->config.task_capacity * sizeof os->tasks[0]);
}

int sos_create(sos **created, const struct sos_config *given, struct sos_kernel *kernel)
{
    struct sos_config config = { 0 };
    struct sos_pool_ pool;
    if (created == NULL)
        return SOS_EINVAL;
    *created = NULL;
    if (given != NULL)
        config = *given;
    fill_defaults(&config);
    if (kernel == NULL || kernel->now == NULL || kernel->wait == NULL || kernel->wake == NULL ||
        !in_range(&config))
        return SOS_EINVAL;
    sos *os = sos_pool_start_(&pool, kernel, config.memory, config.memory_size, runtime_size(&config));
    if (os == NULL)
        return SOS_ENOMEM;
    memset(os, 0, runtime_size(&config));
    os->pool = pool;
    os->config = config;
    os->kernel = kernel;
    os->policy = config.policy;
    os->doorbell = kernel->doorbell != NULL ? kernel->doorbell : &never_rings;
    if (!take_tables(os)) {
        give_tables(os);
        sos_pool_end_(&os->pool, kernel, os, runtime_size(&config), config.memory != NULL);
        return SOS_ENOMEM;
    }
    sos_mode_update_(os);
    *created = os;
    return SOS_OK;
}

static void free_records(sos *os)
{
    for (uint32_t pid = 0; pid < os->config.task_capacity; pid++) {
        sos_task *task = os->tasks[pid];
        if (task == NULL)
            continue;
        if (task->link.kind != SOS_ENDED)
            sos_kill_task_(task, true);
        if (os->tasks[pid] != NULL)
            sos_record_free_(os->tasks[pid]);
    }
}

void sos_destroy(sos *os)
{
    if (os == NULL || os->active)
        return;
    while (os->task_count != 0)
        free_records(os);
    if (os->accounting_end != NULL)
        os->accounting_end(os);
    if (os->output_end != NULL)
        os->output_end(os);
    struct sos_pool_ pool = os->pool;
    struct sos_config config = os->config;
    struct sos_kernel *kernel = os->kernel;
    give_tables(os);
    pool = os->pool;
    sos_pool_end_(&pool, kernel, os, runtime_size(&config), config.memory != NULL);
}

const struct sos_config *sos_configuration(const sos *os)
{
    return &os->config;
}
