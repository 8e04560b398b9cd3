/* SPDX-License-Identifier: MIT */
/* Addresses as text: what is read, what is refused, how it is written (RFC 5952). */
#include "check.h"
#include "smallos/network.h"

/* What is read, written again. */
static void written(const char *text, const char *expected)
{
    struct sos_address address;
    char out[SOS_ADDRESS_TEXT];
    if (sos_address_parse(&address, text, 80) != SOS_OK) {
        fprintf(stderr, "refused: %s\n", text);
        abort();
    }
    sos_address_format(&address, out);
    CHECK_TEXT(out, expected);
}

static void refused(const char *text)
{
    struct sos_address address;
    if (sos_address_parse(&address, text, 80) != SOS_EINVAL) {
        fprintf(stderr, "not refused: %s\n", text);
        abort();
    }
}

static void ipv4_is_four_decimal_numbers(void)
{
    static const char *const bad[] = { "",          "1",          "1.2.3",      "1.2.3.4.5",
                                       "1.2.3.",    ".1.2.3",     "1..2.3",     "256.1.1.1",
                                       "1.2.3.256", "01.2.3.4",   "1.2.3.00",   "1.2.3.4 ",
                                       " 1.2.3.4",  "1.2.3.4:80", "0x1.2.3.4",  "1.2.3.a",
                                       "-1.2.3.4",  "+1.2.3.4",   "1.2.3.4\n",  "99999999999.1.1.1",
                                       "1.2.3.4%1", "1.2.3,4",    "example.org" };
    struct sos_address address;
    written("192.0.2.1", "192.0.2.1:80");
    written("0.0.0.0", "0.0.0.0:80");
    written("255.255.255.255", "255.255.255.255:80");
    for (size_t index = 0; index < sizeof bad / sizeof bad[0]; index++)
        refused(bad[index]);
    CHECK_INT(sos_address_parse(&address, "10.1.2.3", 65535), SOS_OK);
    CHECK_INT(address.family, SOS_FAMILY_IPV4);
    CHECK_INT(address.port, 65535);
    CHECK(memcmp(address.ip, "\x0A\x01\x02\x03", 4) == 0);
}

/* The examples of RFC 5952 among them. */
static void ipv6_is_written_in_one_way_only(void)
{
    static const char *const pairs[][2] = {
        { "2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80" },
        { "2001:0db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80" },
        { "2001:db8::1:0:0:1", "[2001:db8::1:0:0:1]:80" },
        { "2001:db8::0:1:0:0:1", "[2001:db8::1:0:0:1]:80" },
        { "2001:0db8::1:0:0:1", "[2001:db8::1:0:0:1]:80" },
        { "2001:DB8:0:0:1::1", "[2001:db8::1:0:0:1]:80" },
        { "2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80" },
        { "2001:db8::1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80" },
        { "2001:0:0:1:0:0:0:1", "[2001:0:0:1::1]:80" },
        { "2001:db8:0:0:0:0:2:1", "[2001:db8::2:1]:80" },
        { "2001:DB8:AAAA:bbbb:CCCC:dddd:EEEE:FFFF", "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:80" },
        { "::", "[::]:80" },
        { "::1", "[::1]:80" },
        { "1::", "[1::]:80" },
        { "0:0:0:0:0:0:0:0", "[::]:80" },
        { "1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80" },
        { "1:2:3:4:5:6:7::", "[1:2:3:4:5:6:7:0]:80" },
        { "::2:3:4:5:6:7:8", "[0:2:3:4:5:6:7:8]:80" },
        { "0:0:3:4:5:6:0:0", "[::3:4:5:6:0:0]:80" },
        { "1:0:0:4:5:0:0:0", "[1:0:0:4:5::]:80" },
        { "::ffff:192.0.2.33", "[::ffff:192.0.2.33]:80" },
        { "::FFFF:c000:221", "[::ffff:192.0.2.33]:80" },
        { "64:ff9b::192.0.2.33", "[64:ff9b::c000:221]:80" },
        { "1:2:3:4:5:6:7.8.9.10", "[1:2:3:4:5:6:708:90a]:80" },
        { "::1.2.3.4", "[::102:304]:80" },
        { "fe80::1%2", "[fe80::1%2]:80" },
        { "fe80::%12", "[fe80::%12]:80" },
        { "fe80::a:1%4000000", "[fe80::a:1%4000000]:80" },
    };
    for (size_t index = 0; index < sizeof pairs / sizeof pairs[0]; index++)
        written(pairs[index][0], pairs[index][1]);
}

static void malformed_ipv6_is_refused(void)
{
    static const char *const bad[] = {
        ":",
        ":::",
        "::::",
        "1:",
        ":1",
        "1:2",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4:5:6:7::8",
        "::1:2:3:4:5:6:7:8",
        "::1:2:3:4:5:6:7:",
        "::2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8",
        "1::2::3",
        "1:::2",
        "::1:",
        "12345::",
        "::12345",
        "g::",
        "::g",
        "1:2:3:4:5:6:7:g",
        "1.2.3.4::",
        "1.2.3.4:5:6:7:8:9:10",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:1.2.3.4",
        "::1.2.3",
        "::256.2.3.4",
        "::1e.2.3.4",
        "::1.2.3.4.5",
        "[::1]",
        "[::1]:80",
        "::1 ",
        "::1%",
        "::1%eth0",
        "::1%-1",
        "::1%99999999999",
        "::1%1%2",
        "::1/64",
        "1:2:3:4:5:6:7:8%",
        "\x11::",
    };
    for (size_t index = 0; index < sizeof bad / sizeof bad[0]; index++)
        refused(bad[index]);
    refused(NULL);
}

static void local_sockets_have_a_path(void)
{
    char text[SOS_LOCAL_PATH_MAX + 10] = "unix:/", longest[SOS_ADDRESS_TEXT];
    written("unix:/tmp/socket", "unix:/tmp/socket");
    written("unix:relative", "unix:relative");
    refused("unix:");
    memset(text + 6, 'a', SOS_LOCAL_PATH_MAX - 1);
    memcpy(longest, text, strlen(text) + 1);
    written(text, longest);
    strcat(text, "a");
    refused(text);
}

/* Whatever is read and written is read again as the same. */
static void every_address_survives_its_text(void)
{
    uint32_t chance = 12345;
    for (int round = 0; round < 20000; round++) {
        struct sos_address address = { .family = SOS_FAMILY_IPV6, .port = 1 }, again;
        char text[SOS_ADDRESS_TEXT], *end;
        for (int index = 0; index < 16; index++) {
            chance = chance * 1664525 + 1013904223;
            address.ip[index] = (chance >> 30) != 0 ? 0 : (uint8_t)(chance >> 20);
        }
        sos_address_format(&address, text);
        end = strchr(text, ']');
        CHECK(end != NULL && text[0] == '[');
        *end = '\0';
        CHECK_INT(sos_address_parse(&again, text + 1, 1), SOS_OK);
        CHECK(memcmp(&address, &again, sizeof address) == 0);
    }
}

int main(void)
{
    struct sos_address nowhere = { 0 };
    char text[SOS_ADDRESS_TEXT];
    sos_address_format(&nowhere, text);
    CHECK_TEXT(text, "nowhere");
    ipv4_is_four_decimal_numbers();
    ipv6_is_written_in_one_way_only();
    malformed_ipv6_is_refused();
    local_sockets_have_a_path();
    every_address_survives_its_text();
    return 0;
}
