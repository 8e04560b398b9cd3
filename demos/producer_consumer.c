/* SPDX-License-Identifier: MIT */
/*
 * A producer and a consumer with time-outs: between them a queue of four orders. In the rush hour
 * the queue is full and the producer turns customers away; in the evening it is empty and the
 * consumer gives up. Neither ever waits longer than it wants to.
 */
#include <stdio.h>

#include "smallos/smallos.h"
#include "smallos/unix.h"

enum { QUEUED_MAX = 4, ORDERS = 20 };

struct order {
    int number;
};

struct shop {
    struct sos_queue queue;
    struct order room[QUEUED_MAX];
    int turned_away, cooked;
};

struct producer {
    sos_frame frame;
    struct shop *shop;
    struct order order;
};

async_fn(producer)
{
    async_begin(producer);
    while (++self->order.number <= ORDERS) {
        await(sos_sleep(task, SOS_MS(5))); /* the next customer comes */
        await(sos_within(task, SOS_MS(10), sos_queue_put(task, &self->shop->queue, &self->order)));
        if (sos_status(task) == SOS_ETIMEDOUT)
            self->shop->turned_away++;
        else if (sos_status(task) < 0)
            async_return(sos_status(task));
    }
    async_end;
}

struct consumer {
    sos_frame frame;
    struct shop *shop;
    struct order order;
};

async_fn(consumer)
{
    async_begin(consumer);
    for (;;) {
        await(sos_within(task, SOS_MS(100), sos_queue_get(task, &self->shop->queue, &self->order)));
        if (sos_status(task) == SOS_ETIMEDOUT)
            break;
        printf("cooks order %d, %u more wait\n", self->order.number,
               (unsigned)sos_queue_count(&self->shop->queue));
        try_await(sos_sleep(task, SOS_MS(25)));
        self->shop->cooked++;
    }
    printf("no order for 100 ms: closes\n");
    async_end;
}

static int run(sos *os)
{
    struct shop shop = { .cooked = 0 };
    sos_queue_init(&shop.queue, "orders", shop.room, sizeof shop.room[0], QUEUED_MAX);
    sos_fork(os, producer, sos_opt(.priority = 2), .shop = &shop);
    sos_fork(os, consumer, sos_opt(.priority = 2), .shop = &shop);
    int status = sos_run(os);
    printf("%d cooked, %d turned away\n", shop.cooked, shop.turned_away);
    return status == SOS_OK && shop.cooked + shop.turned_away == ORDERS ? 0 : 1;
}

int main(void)
{
    struct sos_kernel *kernel;
    sos *os = NULL;
    int status = 1;
    int error = sos_unix_kernel_create(&kernel, NULL);
    if (error == SOS_OK)
        error = sos_create(&os, NULL, kernel);
    if (error == SOS_OK)
        status = run(os);
    else
        fprintf(stderr, "producer_consumer: %s\n", sos_error_text(error));
    sos_destroy(os);
    sos_unix_kernel_destroy(kernel);
    return status;
}
