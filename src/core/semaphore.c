/* SPDX-License-Identifier: MIT */
/* Counting semaphore. */
#include "internal.h"

static void give_permit_back(struct sos_waitable *waitable, sos_task *task)
{
    (void)task;
    sos_semaphore_give(CONTAINER_(waitable, struct sos_semaphore, waitable));
}

static const struct sos_waitable_type semaphore_type = { NULL, give_permit_back };

void sos_semaphore_init(struct sos_semaphore *semaphore, const char *name, uint32_t permits)
{
    *semaphore = (struct sos_semaphore){ { &semaphore_type, NULL, name }, permits };
}

sos_op sos_semaphore_take(sos_task *task, struct sos_semaphore *semaphore)
{
    sos_check_running_(task);
    if (semaphore->permits != 0) {
        semaphore->permits--;
        return sos_complete_got_(task, SOS_OK, SOS_WAIT_SEMAPHORE, &semaphore->waitable.waiters);
    }
    return sos_waitable_wait_(task, &semaphore->waitable, SOS_WAIT_SEMAPHORE);
}

void sos_semaphore_give(struct sos_semaphore *semaphore)
{
    sos_task *first = sos_waitable_take_first_(&semaphore->waitable);
    if (first == NULL)
        semaphore->permits++;
    else
        sos_resume_granted_(first, SOS_OK);
}
