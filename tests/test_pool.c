/* SPDX-License-Identifier: MIT */
/* Memory from one buffer: what tasks give back is there again for others. */
#include "world.h"

/* Started one by one in a buffer, each with another room for frames; they end in another order. */
enum { TASKS = 12 };

static _Alignas(16) char memory[32768];

static sos *make(struct sos_kernel **kernel)
{
    struct sos_config config = {
        .task_capacity = 32, .post_capacity = 2, .memory = memory, .memory_size = sizeof memory
    };
    sos *os;
    CHECK_INT(sos_sim_create(kernel, NULL), SOS_OK);
    CHECK_INT(sos_create(&os, &config, *kernel), SOS_OK);
    return os;
}

static void kill_and_release(sos *os, sos_handle task)
{
    CHECK_INT(sos_kill(os, task), SOS_OK);
    CHECK_INT(sos_release(os, task), SOS_OK);
}

static void what_is_given_back_can_be_taken_again(void)
{
    struct sos_kernel *kernel;
    sos *os = make(&kernel);
    sos_handle tasks[TASKS];
    size_t before = sos_memory(os).used;
    for (int round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < TASKS; i++) {
            tasks[i] = sos_fork(os, ender, sos_opt(.priority = 1, .frame_room = i * 24));
            CHECK(tasks[i].pid >= 0);
        }
        for (int i = 0; i < TASKS; i++) /* 0, 5, 10, 3, ... */
            kill_and_release(os, tasks[i * 5 % TASKS]);
        CHECK_INT(sos_memory(os).used, before);
        CHECK_INT(sos_memory(os).reserved, sizeof memory);
    }
    sos_destroy(os);
    CHECK_INT(sos_sim_destroy(kernel), 0);
}

/* In the pool of small machines and of the sanitizers neighbours grow together again. */
static void all_of_it_can_be_taken_as_one(void)
{
    struct sos_kernel *kernel;
    sos *os = make(&kernel);
    sos_handle tasks[TASKS];
    uint32_t room = (uint32_t)(sizeof memory - sos_memory(os).used - 400);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = sos_fork(os, ender, sos_opt(.priority = 1, .frame_room = 500));
    CHECK_INT(sos_fork(os, ender, sos_opt(.priority = 1, .frame_room = room)).pid, SOS_ENOMEM);
    for (int i = 0; i < TASKS; i++)
        kill_and_release(os, tasks[i * 7 % TASKS]);
#ifdef SOS_MEMORY_DIRECT
    CHECK(sos_fork(os, ender, sos_opt(.priority = 1, .frame_room = room)).pid >= 0);
#endif
    sos_destroy(os);
    CHECK_INT(sos_sim_destroy(kernel), 0);
}

int main(void)
{
    what_is_given_back_can_be_taken_again();
    all_of_it_can_be_taken_as_one();
    return 0;
}
