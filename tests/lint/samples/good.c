/* SPDX-License-Identifier: MIT */
/* Read by async_locals.py only: nothing here may be found. */
#include <smallos/async.h>

sos_op step(sos_task *task);
int weigh(int value);

struct good {
    sos_frame frame;
    int left;
    int sum;
};

async_fn(good);

async_fn(good)
{
    async_begin(good);
    for (; self->left > 0; self->left--) {
        static const int table[] = {1, 2, 3};
        await(step(task));
        for (int i = 0; i < 3; i++)
            self->sum += table[i];
        {
            int local = weigh(self->sum);
            switch (local) {
            case 1: self->sum++; break;
            default: self->sum--; break;
            }
        }
        if (self->sum > 7) {
            int buffer[4] = {0};
            self->sum += buffer[self->left & 3];
        }
    }
    async_finally;
    if (self->sum) {
        int last = self->sum;
        self->sum = weigh(last);
    }
    async_end;
}

/* No async function: two switches and locals as ordinary code has them. */
int weigh(int value)
{
    switch (value) {
        int unused;
    case 0: return 1;
    default:
        unused = value;
        return unused;
    }
}
