/* SPDX-License-Identifier: MIT */
/* Event: once set, nobody waits for it until it is cleared. */
#include "internal.h"

void sos_event_init(struct sos_event *event, const char *name)
{
    *event = (struct sos_event){ { NULL, NULL, name }, false };
}

sos_op sos_event_wait(sos_task *task, struct sos_event *event)
{
    sos_check_running_(task);
    if (event->set)
        return sos_complete_(task, SOS_OK);
    return sos_waitable_wait_(task, &event->waitable, SOS_WAIT_EVENT);
}

void sos_event_set(struct sos_event *event)
{
    event->set = true;
    sos_waitable_end_waits_(&event->waitable, SOS_OK);
}

void sos_event_clear(struct sos_event *event)
{
    event->set = false;
}
