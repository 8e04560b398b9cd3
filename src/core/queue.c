/* SPDX-License-Identifier: MIT */
/*
 * Bounded queue. An item that is handed to a waiting reader keeps its place in the queue until
 * the reader really runs, so that it can always be given back; a waiting writer's item is copied
 * in by whoever makes room.
 */
#include "internal.h"

static unsigned char *place(const struct sos_queue *queue, uint32_t index)
{
    index += queue->first;
    if (index >= queue->capacity)
        index -= queue->capacity;
    return queue->items + (size_t)index * queue->item_size;
}

static void take_first(struct sos_queue *queue, void *item)
{
    memcpy(item, place(queue, 0), queue->item_size);
    if (++queue->first == queue->capacity)
        queue->first = 0;
    queue->count--;
}

/* False: nobody waits. */
static bool hand_to_reader(struct sos_queue *queue, const void *item)
{
    sos_task *reader = sos_waitable_take_first_(&queue->readers);
    if (reader == NULL)
        return false;
    void *out = reader->link.out;
    memcpy(out, item, queue->item_size);
    queue->claimed++;
    sos_resume_granted_(reader, SOS_OK);
    reader->link.out = out; /* for as long as the item can be given back */
    return true;
}

/* False: there is no room. */
static bool put_in(struct sos_queue *queue, const void *item)
{
    if (queue->count + queue->claimed >= queue->capacity)
        return false;
    if (!hand_to_reader(queue, item)) {
        memcpy(place(queue, queue->count), item, queue->item_size);
        queue->count++;
    }
    return true;
}

/* There may be room: the first writer's item goes in. Readers can wait at the same time, while
 * items on their way to others take up the room. */
static void admit_writer(struct sos_queue *queue)
{
    sos_task *writer = sos_waitable_first_(&queue->writers);
    if (writer == NULL || !put_in(queue, writer->link.out))
        return;
    sos_waitable_take_first_(&queue->writers);
    sos_resume_(writer, SOS_OK, SOS_PLACE_FRONT);
}

static void claim_item(struct sos_waitable *readers, sos_task *task)
{
    struct sos_queue *queue = CONTAINER_(readers, struct sos_queue, readers);
    task->link.status = SOS_OK;
    queue->claimed--;
    admit_writer(queue);
}

static void give_item_back(struct sos_waitable *readers, sos_task *task)
{
    struct sos_queue *queue = CONTAINER_(readers, struct sos_queue, readers);
    queue->claimed--;
    if (hand_to_reader(queue, task->link.out)) /* somebody waits: it is the oldest item */
        return;
    if (queue->first == 0)
        queue->first = queue->capacity;
    queue->first--;
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
    return put_in(queue, item) ? SOS_OK : SOS_EAGAIN;
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
    task->link.out = (void *)(uintptr_t)item; /* only read from */
    return sos_waitable_wait_(task, &queue->writers, SOS_WAIT_QUEUE_PUT);
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
            task->link.out = item;
            queue->claimed++;
        }
        return op;
    }
    if (queue->closed)
        return sos_complete_(task, SOS_EPIPE);
    task->link.out = item;
    return sos_waitable_wait_(task, &queue->readers, SOS_WAIT_QUEUE_GET);
}

void sos_queue_close(struct sos_queue *queue)
{
    queue->closed = true;
    sos_waitable_end_waits_(&queue->writers, SOS_EPIPE);
    if (queue->count == 0)
        sos_waitable_end_waits_(&queue->readers, SOS_EPIPE);
}

uint32_t sos_queue_count(const struct sos_queue *queue)
{
    return queue->count;
}
