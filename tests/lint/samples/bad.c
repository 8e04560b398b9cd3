/* SPDX-License-Identifier: MIT */
/* Read by async_locals.py only: every marked line must be found, and no other. */
#include <smallos/async.h>

sos_op step(sos_task *task);
int weigh(int value);

struct pair {
    int a, b;
};

struct bad_array {
    sos_frame frame;
    int left;
};

async_fn(bad_array);

async_fn(bad_array)
{
    async_begin(bad_array);
    await(step(task));
    int array[4]; /* finding */
    array[0] = 1;
    self->left = array[0];
    async_end;
}

struct bad_struct {
    sos_frame frame;
    int left;
};

async_fn(bad_struct);

async_fn(bad_struct)
{
    async_begin(bad_struct);
    while (self->left > 0) {
        struct pair pair; /* finding */
        pair.a = 1;
        self->left -= pair.a;
        await(step(task));
    }
    async_end;
}

struct bad_plain {
    sos_frame frame;
    int left;
};

async_fn(bad_plain);

async_fn(bad_plain)
{
    async_begin(bad_plain);
    if (self->left) {
        int plain; /* finding */
        int other, third; /* finding */
        if (self->left > 3)
            await(step(task));
        plain = other = third = 3;
        self->left = plain + other + third;
    }
    async_end;
}

struct bad_nested {
    sos_frame frame;
    int left;
};

async_fn(bad_nested);

async_fn(bad_nested)
{
    async_begin(bad_nested);
    {
        int value = weigh(self->left); /* finding */
        if (value) {
            int fine = value;
            self->left = fine;
        }
        do {
            if (self->left)
                await(step(task));
        } while (self->left);
    }
    async_finally;
    int late = 3; /* finding */
    self->left = late;
    async_end;
}

struct bad_loop {
    sos_frame frame;
    int left;
};

async_fn(bad_loop);

async_fn(bad_loop)
{
    async_begin(bad_loop);
    for (int i = 0; i < 3; i++) { /* finding */
        const int limit = 3;      /* finding */
        await(step(task));
        self->left += limit;
    }
    async_end;
}

struct bad_switch {
    sos_frame frame;
    int left;
};

async_fn(bad_switch);

async_fn(bad_switch)
{
    async_begin(bad_switch);
    switch (self->left) {
    case 1: await(step(task)); break; /* finding */
    default: break;
    }
    async_end;
}
