/* SPDX-License-Identifier: MIT */
/* Base 64 (RFC 4648) and SHA-1 (RFC 3174): the vectors of their standards, and what is refused. */
#include "check.h"

#include <stdint.h>

#include "proto/base64.h"
#include "proto/sha1.h"

static const char *encoded(const void *bytes, size_t size)
{
    static char text[1000];
    size_t length = sos_base64_encode_(text, bytes, size);
    CHECK_INT(length, SOS_BASE64_LENGTH_(size));
    text[length] = '\0';
    return text;
}

static void the_vectors_of_the_standard_hold(void)
{
    static const char *rows[][2] = { { "", "" },
                                     { "f", "Zg==" },
                                     { "fo", "Zm8=" },
                                     { "foo", "Zm9v" },
                                     { "foob", "Zm9vYg==" },
                                     { "fooba", "Zm9vYmE=" },
                                     { "foobar", "Zm9vYmFy" },
                                     { "user:pa ss", "dXNlcjpwYSBzcw==" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char bytes[20];
        size_t size;
        CHECK_TEXT(encoded(rows[i][0], strlen(rows[i][0])), rows[i][1]);
        CHECK_INT(sos_base64_decode_(bytes, &size, rows[i][1], strlen(rows[i][1])), SOS_OK);
        bytes[size] = '\0';
        CHECK_TEXT(bytes, rows[i][0]);
    }
}

static void any_bytes_come_back(void)
{
    uint8_t bytes[256], back[258];
    size_t size;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        const char *text = encoded(bytes, length);
        CHECK_INT(sos_base64_decode_(back, &size, text, strlen(text)), SOS_OK);
        CHECK_INT(size, length);
        CHECK(memcmp(back, bytes, length) == 0);
    }
}

static void it_may_be_decoded_where_it_stands(void)
{
    char text[] = "Zm9vYmFy";
    size_t size;
    CHECK_INT(sos_base64_decode_(text, &size, text, 8), SOS_OK);
    CHECK_INT(size, 6);
    CHECK(memcmp(text, "foobar", 6) == 0);
}

static void only_the_one_way_to_write_it_is_read(void)
{
    static const char *wrong[] = {
        "Z",    "Zg",   "Zg=",      "Zg===",    "====",    "Z===",
        "Zh==", "Zm9=", "Zm8=Zg==", "Zg==Zm8=", "Zm9v\n",  "Zm 9v===",
        "Zm-_", "=g==", "Zg=v",     "Zm9vYg= ", "Zm\x80v", "Zm9v\xFF==="
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char bytes[20];
        size_t size;
        CHECK_INT(sos_base64_decode_(bytes, &size, wrong[i], strlen(wrong[i])), SOS_EPROTO);
    }
}

static const char *sha1(const void *bytes, size_t length)
{
    static char text[2 * SOS_SHA1_SIZE_ + 1];
    uint8_t digest[SOS_SHA1_SIZE_];
    sos_sha1_(bytes, length, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static void the_digests_of_sha1_are_known(void)
{
    CHECK_TEXT(sha1("", 0), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    CHECK_TEXT(sha1("abc", 3), "a9993e364706816aba3e25717850c26c9cd0d89d");
    static const char long_one[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK_TEXT(sha1(long_one, 56), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    char *million = malloc(1000000);
    CHECK(million != NULL);
    memset(million, 'a', 1000000);
    CHECK_TEXT(sha1(million, 1000000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    /* Where the padding just fits, and just does not. */
    CHECK_TEXT(sha1(million, 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    CHECK_TEXT(sha1(million, 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    CHECK_TEXT(sha1(million, 63), "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    CHECK_TEXT(sha1(million, 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    free(million);
}

int main(void)
{
    the_vectors_of_the_standard_hold();
    any_bytes_come_back();
    it_may_be_decoded_where_it_stands();
    only_the_one_way_to_write_it_is_read();
    the_digests_of_sha1_are_known();
    return 0;
}
