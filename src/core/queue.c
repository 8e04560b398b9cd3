/* SPDX-License-Identifier: MIT */
/*
 * Bounded queue. An item that is handed to a waiting reader keeps its place in the queue until
 * the reader really runs, so that it can always be given back; a waiting writer's item is copied
 * in by whoever makes room.
 */
#include "internal.h"

static unsigned char *place(const struct sos_queue *queue, uint32_t index)
{
    return queue->items + (size_t)((queue->first + index) % queue->capacity) * queue->item_size;
}

static bool has_room(const struct sos_queue *queue)
{
    return queue->count + queue->claimed < queue->capacity;
}

static void add_item(struct sos_queue *queue, const void *item)
{
    memcpy(place(queue, queue->count), item, queue->item_size);
    queue->count++;
}

static void take_first(struct sos_queue *queue, void *item)
{
    memcpy(item, place(queue, 0), queue->item_size);
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
}

static void hand_to_reader(struct sos_queue *queue, const void *item)
{
    sos_task *reader = sos_waitable_first_(&queue->readers);
    memcpy(reader->link.out, item, queue->item_size);
    queue->claimed++;
    sos_list_remove_(&queue->readers.waiters, &reader->link);
    sos_resume_granted_(reader, SOS_OK);
}

/* There may be room: the first writer's item goes in. Readers can wait at the same time, while
 * items on their way to others take up the room. */
static void admit_writer(struct sos_queue *queue)
{
    sos_task *writer = sos_waitable_first_(&queue->writers);
    if (writer == NULL || !has_room(queue))
        return;
    if (sos_waitable_first_(&queue->readers) != NULL)
        hand_to_reader(queue, writer->link.out);
    else
        add_item(queue, writer->link.out);
    sos_list_remove_(&queue->writers.waiters, &writer->link);
    sos_resume_(writer, SOS_OK, SOS_PLACE_FRONT);
}

static void claim_item(struct sos_waitable *readers, sos_task *task)
{
    struct sos_queue *queue = CONTAINER_(readers, struct sos_queue, readers);
    (void)task;
    queue->claimed--;
    admit_writer(queue);
}

static void give_item_back(struct sos_waitable *readers, sos_task *task)
{
    struct sos_queue *queue = CONTAINER_(readers, struct sos_queue, readers);
    queue->claimed--;
    if (sos_waitable_first_(readers) != NULL) { /* somebody waits: it is the oldest item */
        hand_to_reader(queue, task->link.out);
        return;
    }
    queue->first = (queue->first + queue->capacity - 1) % queue->capacity;
    queue->count++;
    memcpy(place(queue, 0), task->link.out, queue->item_size);
}

static const struct sos_waitable_type readers_type = { claim_item, give_item_back };

int sos_queue_init(struct sos_queue *queue, const char *name, void *items, uint32_t item_size,
                   uint32_t capacity)
{
    if (queue == NULL || items == NULL || item_size == 0 || capacity == 0)
        return SOS_EINVAL;
    *queue = (struct sos_queue){ .readers = { &readers_type, NULL, name },
                                 .writers = { NULL, NULL, name },
                                 .items = items,
                                 .item_size = item_size,
                                 .capacity = capacity };
    return SOS_OK;
}

int sos_queue_try_put(struct sos_queue *queue, const void *item)
{
    if (queue->closed)
        return SOS_EPIPE;
    if (!has_room(queue))
        return SOS_EAGAIN;
    if (sos_waitable_first_(&queue->readers) != NULL)
        hand_to_reader(queue, item);
    else
        add_item(queue, item);
    return SOS_OK;
}

int sos_queue_try_get(struct sos_queue *queue, void *item)
{
    if (queue->count == 0)
        return queue->closed ? SOS_EPIPE : SOS_EAGAIN;
    take_first(queue, item);
    admit_writer(queue);
    return SOS_OK;
}

sos_op sos_queue_put(sos_task *task, struct sos_queue *queue, const void *item)
{
    sos_check_running_(task);
    int status = sos_queue_try_put(queue, item);
    if (status != SOS_EAGAIN)
        return sos_complete_(task, status);
    sos_waitable_wait_(task, &queue->writers, SOS_WAIT_QUEUE_PUT);
    task->link.out = (void *)(uintptr_t)item; /* only read from */
    return (sos_op){ SOS_SUSPENDED_ };
}

sos_op sos_queue_get(sos_task *task, struct sos_queue *queue, void *item)
{
    sos_check_running_(task);
    if (queue->count != 0) {
        take_first(queue, item);
        sos_op op = sos_complete_got_(task, SOS_OK, SOS_WAIT_QUEUE_GET, &queue->readers.waiters);
        if (op.outcome_ == SOS_DONE_) {
            admit_writer(queue);
        } else {
            queue->claimed++;
            task->link.out = item;
        }
        return op;
    }
    if (queue->closed)
        return sos_complete_(task, SOS_EPIPE);
    sos_waitable_wait_(task, &queue->readers, SOS_WAIT_QUEUE_GET);
    task->link.out = item;
    return (sos_op){ SOS_SUSPENDED_ };
}

static void end_waits(struct sos_waitable *waitable)
{
    if (waitable->waiters != NULL)
        sos_resume_all_(sos_waitable_first_(waitable)->os, &waitable->waiters, SOS_EPIPE);
}

void sos_queue_close(struct sos_queue *queue)
{
    queue->closed = true;
    end_waits(&queue->writers);
    if (queue->count == 0)
        end_waits(&queue->readers);
}

uint32_t sos_queue_count(const struct sos_queue *queue)
{
    return queue->count;
}
