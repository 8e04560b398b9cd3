/* SPDX-License-Identifier: MIT */
/* Decompression: every format, in portions of every size, bombs, and memory that runs out. */
#include <zlib.h>

#include "client/inflate.h"
#include "world.h"

enum { TEXT = 3000, ROOM = 65536 };

static unsigned char text[TEXT], packed[ROOM], unpacked[ROOM];
static size_t packed_size;

static void make_text(void)
{
    uint32_t number = 1;
    for (size_t at = 0; at < TEXT; at++) {
        number = number * 1664525 + 1013904223;
        text[at] = (unsigned char)(number >> 29 < 2 ? number >> 8 : 'a' + at % 7);
    }
}

/* `bits` as for deflateInit2: 31 gzip, 15 zlib, -15 raw. Appends to what is packed already. */
static void pack(int bits, int flush)
{
    z_stream zlib = { 0 };
    CHECK_INT(deflateInit2(&zlib, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = text;
    zlib.avail_in = TEXT;
    zlib.next_out = packed + packed_size;
    zlib.avail_out = (uInt)(ROOM - packed_size);
    CHECK(deflate(&zlib, flush) >= 0);
    packed_size = ROOM - zlib.avail_out;
    deflateEnd(&zlib);
}

/* All of what is packed, `step` bytes at a time into a room of `room`; the last status. */
static int unpack(struct sos_inflate_ *reader, size_t step, size_t room, size_t *size)
{
    int status = SOS_PARTIAL_;
    size_t at = 0, taken, made;
    *size = 0;
    while (status >= 0) {
        size_t given = packed_size - at < step ? packed_size - at : step;
        status = sos_inflate_next_(reader, packed + at, given, &taken, unpacked + *size, room,
                                   &made);
        CHECK(taken <= given && made <= room);
        at += taken;
        *size += made;
        if (at == packed_size && made < room)
            break;
    }
    return status;
}

static void expect_text(struct sos_inflate_ *reader, size_t step, size_t room, int status,
                        size_t times)
{
    size_t size;
    CHECK(reader != NULL);
    CHECK_INT(unpack(reader, step, room, &size), status);
    CHECK_INT(size, times * TEXT);
    for (size_t time = 0; time < times; time++)
        CHECK(memcmp(unpacked + time * TEXT, text, TEXT) == 0);
}

static struct sos_inflate_ *reader_of(enum sos_inflate_format_ format, uint64_t max)
{
    return sos_inflate_new_(world.os, format, 0, max);
}

static void try_format(enum sos_inflate_format_ format, int bits, size_t times)
{
    static const size_t steps[] = { 1, 7, 1000, ROOM };
    packed_size = 0;
    for (size_t time = 0; time < times; time++)
        pack(bits, Z_FINISH);
    for (size_t in = 0; in < 4; in++) {
        for (size_t out = 0; out < 3; out++) {
            struct sos_inflate_ *reader = reader_of(format, 0);
            expect_text(reader, steps[in], steps[out], SOS_INFLATE_END_, times);
            CHECK(sos_inflate_is_whole_(reader));
            sos_inflate_again_(reader, 0, true);
            expect_text(reader, steps[in], steps[out], SOS_INFLATE_END_, times);
            sos_inflate_free_(reader);
        }
    }
}

static void every_format_in_portions_of_every_size(void)
{
    world_open(NULL);
    try_format(SOS_INFLATE_GZIP_, 31, 1);
    try_format(SOS_INFLATE_GZIP_, 31, 3);
    try_format(SOS_INFLATE_ZLIB_, 15, 1);
    try_format(SOS_INFLATE_ZLIB_, 9, 1);
    try_format(SOS_INFLATE_ZLIB_, -15, 1);
    world_close();
}

static void messages_share_a_window_unless_told_otherwise(void)
{
    world_open(NULL);
    packed_size = 0;
    pack(-9, Z_SYNC_FLUSH);
    struct sos_inflate_ *reader = sos_inflate_new_(world.os, SOS_INFLATE_MESSAGE_, 9, TEXT);
    expect_text(reader, 11, 13, SOS_PARTIAL_, 1);
    sos_inflate_again_(reader, TEXT, false);
    expect_text(reader, ROOM, ROOM, SOS_PARTIAL_, 1);
    sos_inflate_again_(reader, TEXT, true);
    expect_text(reader, ROOM, ROOM, SOS_PARTIAL_, 1);
    sos_inflate_free_(reader);
    CHECK(sos_inflate_new_(world.os, SOS_INFLATE_MESSAGE_, 7, 0) == NULL);
    CHECK(sos_inflate_new_(world.os, SOS_INFLATE_MESSAGE_, 16, 0) == NULL);
    world_close();
}

static void the_limit_is_exact_and_stays(void)
{
    size_t size, taken, made;
    world_open(NULL);
    packed_size = 0;
    pack(31, Z_FINISH);
    struct sos_inflate_ *reader = reader_of(SOS_INFLATE_GZIP_, TEXT);
    expect_text(reader, 5, 64, SOS_INFLATE_END_, 1);
    sos_inflate_again_(reader, TEXT - 1, true);
    CHECK_INT(unpack(reader, 5, 64, &size), SOS_ELIMIT);
    CHECK_INT(size, TEXT - 1);
    CHECK_INT(sos_inflate_next_(reader, packed, 1, &taken, unpacked, 1, &made), SOS_ELIMIT);
    CHECK_TEXT(sos_inflate_rule_(reader), "decompressed it is larger than the limit");
    sos_inflate_free_(reader);
    world_close();
}

static void what_is_broken_is_refused(void)
{
    size_t size;
    world_open(NULL);
    for (size_t at = 0; at < 10; at++) {
        packed_size = 0;
        pack(31, Z_FINISH);
        packed[at == 9 ? packed_size - 6 : at] ^= 0xE0; /* head; the checksum */
        struct sos_inflate_ *reader = reader_of(SOS_INFLATE_GZIP_, 0);
        int status = unpack(reader, 9, 64, &size);
        if (at < 4 || at == 9)
            CHECK_INT(status, SOS_EPROTO);
        sos_inflate_free_(reader);
    }
    packed_size = 0;
    pack(15, Z_FINISH);
    struct sos_inflate_ *reader = reader_of(SOS_INFLATE_ZLIB_, 0);
    packed[packed_size++] = 0;
    CHECK_INT(unpack(reader, ROOM, 100, &size), SOS_EPROTO);
    sos_inflate_free_(reader);
    packed_size -= 2; /* cut */
    reader = reader_of(SOS_INFLATE_ZLIB_, 0);
    CHECK(sos_inflate_is_whole_(reader));
    CHECK_INT(unpack(reader, ROOM, 100, &size), SOS_PARTIAL_);
    CHECK(!sos_inflate_is_whole_(reader));
    sos_inflate_free_(reader);
    world_close();
}

static void memory_that_runs_out_is_an_error(void)
{
    size_t size;
    world_open(NULL);
    packed_size = 0;
    pack(31, Z_FINISH);
    for (uint64_t n = 1;; n++) {
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        struct sos_inflate_ *reader = reader_of(SOS_INFLATE_GZIP_, 0);
        int status = reader != NULL ? unpack(reader, 100, 100, &size) : SOS_ENOMEM;
        sos_inflate_free_(reader);
        sos_sim_fail_allocation(world.kernel, 0, false);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        CHECK_INT(status, failed ? SOS_ENOMEM : SOS_INFLATE_END_);
        if (!failed)
            break;
    }
    world_close();
}

int main(void)
{
    make_text();
    every_format_in_portions_of_every_size();
    messages_share_a_window_unless_told_otherwise();
    the_limit_is_exact_and_stays();
    what_is_broken_is_refused();
    memory_that_runs_out_is_an_error();
    return 0;
}
