/* SPDX-License-Identifier: MIT */
/*
 * After how many steps to look again. A look costs time, so short steps are let go by in numbers
 * and long ones are not.
 */
#include "unix_internal.h"

enum {
    STEPS_MIN = 2, /* however long they are */
    STEPS_MAX = 4096,
    STEP_US_MAX = 1000000
};

/* Fewer steps may have gone by than were granted, and the guess be too low: therefore what is
 * granted doubles at most from one look to the next. */
static void learn(struct unix_pace *pace, uint64_t now)
{
    uint64_t passed_us = now - pace->last;
    if (passed_us > STEP_US_MAX)
        passed_us = STEP_US_MAX;
    uint32_t step_ns = (uint32_t)(passed_us * 1000u / pace->granted);
    if (step_ns >= pace->step_ns)
        pace->step_ns = step_ns;
    else
        pace->step_ns -= (pace->step_ns - step_ns + 7) / 8;
}

/* Steps for `room_us` microseconds. Towards a timer the looks come closer: half of what is left. */
uint32_t sos_unix_pace_grant_(struct unix_pace *pace, uint64_t now, uint64_t due, uint32_t room_us)
{
    if (pace->last == 0)
        pace->granted = STEPS_MIN / 2;
    else
        learn(pace, now);
    uint64_t room_ns = (uint64_t)room_us * 1000;
    uint64_t most = pace->granted < STEPS_MAX / 2 ? pace->granted * 2u : STEPS_MAX;
    if (due - now < (uint64_t)room_us * 2)
        room_ns = (due - now) * 500;
    uint64_t steps = room_ns / (pace->step_ns + 1u);
    steps = steps < most ? steps : most;
    pace->granted = steps > STEPS_MIN ? (uint32_t)steps : STEPS_MIN;
    pace->last = now;
    return pace->granted;
}

void sos_unix_pace_slept_(struct unix_pace *pace)
{
    pace->last = 0;
}
