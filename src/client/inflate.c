/* SPDX-License-Identifier: MIT */
#include "client/inflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

/* FRESH until the first byte; then zlib is at work; ENDED after a text, until more comes. */
enum state { FRESH, WORKING, ENDED };

struct sos_inflate_ {
    sos *os;
    enum sos_inflate_format_ format;
    enum state state;
    int window_bits;
    bool opened;       /* zlib has memory */
    int failed;        /* answered from now on; 0: nothing */
    uint64_t max_size; /* 0: unlimited */
    uint64_t size;     /* made so far */
    const char *rule;
    z_stream zlib;
};

/* ---- zlib's memory: it gives back without the size, so that stands in front of each block */

union header {
    size_t size;
    max_align_t aligned;
};

static voidpf take(voidpf os, uInt items, uInt item_size)
{
    if (item_size != 0 && items > UINT32_MAX / 2 / item_size)
        return NULL;
    size_t size = (size_t)items * item_size + sizeof(union header);
    union header *block = sos_memory_take(os, size);
    if (block == NULL)
        return NULL;
    memset(block, 0, size); /* zlib copies parts of it that it never wrote */
    block->size = size;
    return block + 1;
}

static void give(voidpf os, voidpf memory)
{
    if (memory == NULL)
        return;
    union header *block = (union header *)memory - 1;
    sos_memory_give(os, block, block->size);
}

/* ---- Making */

struct sos_inflate_ *sos_inflate_new_(sos *os, enum sos_inflate_format_ format, int window_bits,
                                      uint64_t max_size)
{
    if (window_bits == 0)
        window_bits = MAX_WBITS;
    if (window_bits < 8 || window_bits > MAX_WBITS)
        return NULL;
    struct sos_inflate_ *reader = sos_memory_take(os, sizeof *reader);
    if (reader == NULL)
        return NULL;
    memset(reader, 0, sizeof *reader);
    reader->os = os;
    reader->format = format;
    reader->window_bits = window_bits;
    reader->max_size = max_size;
    reader->zlib.zalloc = take;
    reader->zlib.zfree = give;
    reader->zlib.opaque = os;
    return reader;
}

void sos_inflate_free_(struct sos_inflate_ *reader)
{
    if (reader == NULL)
        return;
    if (reader->opened)
        inflateEnd(&reader->zlib);
    sos_memory_give(reader->os, reader, sizeof *reader);
}

void sos_inflate_again_(struct sos_inflate_ *reader, uint64_t max_size, bool forget)
{
    reader->max_size = max_size;
    reader->size = 0;
    if (!forget)
        return;
    reader->state = FRESH;
    reader->failed = 0;
    reader->rule = NULL;
}

/* ---- Running */

static int refuse(struct sos_inflate_ *reader, int error, const char *rule)
{
    reader->failed = error;
    reader->rule = rule;
    return error;
}

/* As zlib wants the format named. A raw text that begins like one of zlib would begin with a stored
 * block whose padding is not zero, which no program writes. */
static int bits_for(const struct sos_inflate_ *reader, unsigned char first)
{
    if (reader->format == SOS_INFLATE_GZIP_)
        return reader->window_bits + 16;
    if (reader->format == SOS_INFLATE_ZLIB_ && (first & 0x0F) == Z_DEFLATED && first >> 4 <= 7)
        return reader->window_bits;
    return -reader->window_bits;
}

static int begin(struct sos_inflate_ *reader, unsigned char first)
{
    int bits = bits_for(reader, first);
    int status = reader->opened ? inflateReset2(&reader->zlib, bits)
                                : inflateInit2(&reader->zlib, bits);
    if (status != Z_OK)
        return refuse(reader, SOS_ENOMEM, "out of memory");
    reader->opened = true;
    reader->state = WORKING;
    return SOS_OK;
}

/* How much may be written: one byte more than the limit shows that there is more. */
static size_t room_within(const struct sos_inflate_ *reader, size_t room)
{
    uint64_t left = reader->max_size != 0 ? reader->max_size - reader->size : UINT64_MAX;
    if (room > UINT_MAX)
        room = UINT_MAX;
    return room < left ? room : (size_t)left;
}

static int answer(struct sos_inflate_ *reader, int status)
{
    switch (status) {
    case Z_OK:
    case Z_BUF_ERROR: /* no bytes, or no room */
        return SOS_PARTIAL_;
    case Z_STREAM_END:
        reader->state = ENDED;
        return SOS_INFLATE_END_;
    case Z_MEM_ERROR:
        return refuse(reader, SOS_ENOMEM, "out of memory");
    default:
        return refuse(reader, SOS_EPROTO,
                      reader->zlib.msg != NULL ? reader->zlib.msg : "invalid compressed data");
    }
}

static int run(struct sos_inflate_ *reader, const void *bytes, size_t length, size_t *taken,
               void *to, size_t room, size_t *made)
{
    z_stream *zlib = &reader->zlib;
    uInt given = length < UINT_MAX ? (uInt)length : UINT_MAX;
    zlib->next_in = (z_const Bytef *)(uintptr_t)bytes;
    zlib->avail_in = given;
    zlib->next_out = to;
    zlib->avail_out = (uInt)room;
    int status = inflate(zlib, Z_SYNC_FLUSH);
    *taken = given - zlib->avail_in;
    *made = room - zlib->avail_out;
    return answer(reader, status);
}

/* At the limit: whether more would come. */
static int probe(struct sos_inflate_ *reader, const void *bytes, size_t length, size_t *taken)
{
    unsigned char beyond;
    size_t made;
    int status = run(reader, bytes, length, taken, &beyond, 1, &made);
    if (status >= 0 && made != 0)
        return refuse(reader, SOS_ELIMIT, "decompressed it is larger than the limit");
    return status;
}

int sos_inflate_next_(struct sos_inflate_ *reader, const void *bytes, size_t length, size_t *taken,
                      void *to, size_t room, size_t *made)
{
    *taken = 0;
    *made = 0;
    if (reader->failed != 0)
        return reader->failed;
    if (reader->state != WORKING && length == 0)
        return reader->state == ENDED ? SOS_INFLATE_END_ : SOS_PARTIAL_;
    if (reader->state == ENDED && reader->format != SOS_INFLATE_GZIP_)
        return refuse(reader, SOS_EPROTO, "bytes follow the end of the compressed data");
    if (reader->state != WORKING && begin(reader, *(const unsigned char *)bytes) != SOS_OK)
        return reader->failed;
    size_t within = room_within(reader, room);
    if (within == 0 && room != 0)
        return probe(reader, bytes, length, taken);
    int status = run(reader, bytes, length, taken, to, within, made);
    reader->size += *made;
    return status;
}

bool sos_inflate_is_whole_(const struct sos_inflate_ *reader)
{
    return reader->state != WORKING && reader->failed == 0;
}

const char *sos_inflate_rule_(const struct sos_inflate_ *reader)
{
    return reader->rule != NULL ? reader->rule : "";
}
