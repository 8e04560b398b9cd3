/* SPDX-License-Identifier: MIT */
/*
 * Frames: the stack of a task. The first frame stands right behind the task's record; the next
 * follow it while there is room, then go on in chunks that never move, so that pointers into a
 * frame stay valid as long as the frame.
 */
#include "internal.h"

struct frame_chunk {
    sos_frame *below; /* the innermost frame of the chunk before */
    uint32_t size;    /* of the chunk, with this header */
    sos_index_ room_below;
};

enum { CHUNK_HEADER = (int)((sizeof(struct frame_chunk) + 7) & ~(size_t)7) };

static sos_frame *push_in_new_chunk(sos_task *task, uint32_t size)
{
    sos *os = task->os;
    uint32_t bytes = size + CHUNK_HEADER;
    if (bytes < os->config.frame_chunk)
        bytes = os->config.frame_chunk;
    if (bytes >= NO_INDEX_)
        return NULL;
    struct frame_chunk *chunk = sos_take_(os, bytes);
    if (chunk == NULL)
        return NULL;
    chunk->below = task->frame;
    chunk->size = bytes;
    chunk->room_below = task->room;
    task->room = (sos_index_)(bytes - CHUNK_HEADER - size);
    return (sos_frame *)(void *)((char *)chunk + CHUNK_HEADER);
}

sos_frame *sos_frame_push_(sos_task *task, uint32_t size)
{
    uint32_t wide = size & 1u; /* asks for 8-byte alignment where pointers have 4 bytes */
    size &= ~1u;
    if (UNLIKELY_(size / 4 > UINT16_MAX))
        return NULL;
    char *top = sos_frame_end_(task->frame);
    uint32_t pad = wide != 0 ? (uint32_t)((uintptr_t)top & 4u) : 0;
    sos_frame *frame;
    uint32_t back = 0;
    if (LIKELY_(task->room >= size + pad)) {
        frame = (sos_frame *)(void *)(top + pad);
        back = (uint32_t)((char *)frame - (char *)task->frame) / 4;
        task->room = (sos_index_)(task->room - (size + pad));
    } else {
        frame = push_in_new_chunk(task, size);
        if (frame == NULL)
            return NULL;
    }
    frame->back = (uint16_t)back;
    frame->flags = back == 0 ? SOS_CHUNK_ : 0;
    task->frame = frame;
    return frame;
}

/* The caller's frame; not of a first frame. */
const sos_frame *sos_frame_below_(const sos_frame *frame)
{
    const char *at = (const char *)frame;
    if ((frame->flags & SOS_CHUNK_) == 0)
        return (const sos_frame *)(const void *)(at - (size_t)frame->back * 4);
    return ((const struct frame_chunk *)(const void *)(at - CHUNK_HEADER))->below;
}

void sos_frame_pop_chunk_(sos_task *task)
{
    struct frame_chunk *chunk = (struct frame_chunk *)(void *)((char *)task->frame - CHUNK_HEADER);
    task->frame = chunk->below;
    task->room = chunk->room_below;
    sos_give_(task->os, chunk, chunk->size);
}

sos_op sos_call_(sos_task *task, sos_async_function function, const void *arguments, uint32_t size)
{
    sos_check_running_(task);
    sos_frame *frame = sos_frame_push_(task, size);
    if (UNLIKELY_(frame == NULL))
        return sos_complete_(task, size / 4 > UINT16_MAX ? SOS_EINVAL : SOS_ENOMEM);
    sos_frame_fill_(frame, function, arguments, size & ~1u);
    return (sos_op){ SOS_CALLED_ };
}

static inline void leave(sos_task *task, int status)
{
    task->link.status = status;
    task->os->running = NULL; /* what follows is the async_finally part: it may not await */
}

APART_ void return_with_care(sos_task *task, int status)
{
    sos_frame *frame = task->frame;
    if (frame->resume == SOS_RESUME_UNWIND_)
        sos_refuse_in_(task, frame); /* async_return in async_finally */
    if (frame->scope != 0)
        task->os->scope_end(task, sos_frame_scope_(frame));
    frame->scope = 0;
    leave(task, status);
}

void sos_return_(sos_task *task, int status)
{
    const sos_frame *frame = task->frame;
    if (SOS_FAST_ && LIKELY_(frame->resume != SOS_RESUME_UNWIND_ && frame->scope == 0))
        leave(task, status);
    else
        return_with_care(task, status);
}
