/* SPDX-License-Identifier: MIT */
/* Addresses as text: RFC 4291 (2.2) and RFC 5952 for IPv6. */
#include <stdio.h>
#include <string.h>

#include "smallos/network.h"

/* ---- Reading. Each reads from *text on and leaves it at the first character it did not take. */

static bool read_decimal(const char **text, uint32_t most, uint32_t *number)
{
    const char *start = *text;
    *number = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        *number = *number * 10 + (uint32_t)(**text - '0');
        if (*number > most || (*start == '0' && *text != start))
            return false;
    }
    return *text != start;
}

static bool read_ipv4(const char **text, uint8_t ip[4])
{
    for (int index = 0; index < 4; index++) {
        uint32_t number;
        if ((index != 0 && *(*text)++ != '.') || !read_decimal(text, 255, &number))
            return false;
        ip[index] = (uint8_t)number;
    }
    return true;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_group(const char **text, uint8_t ip[2])
{
    unsigned number = 0;
    int digits = 0;
    for (; hex_digit(**text) >= 0; ++*text, digits++)
        number = number << 4 | (unsigned)hex_digit(**text);
    ip[0] = (uint8_t)(number >> 8);
    ip[1] = (uint8_t)number;
    return digits >= 1 && digits <= 4;
}

/* Groups up to the end of the address or to "::"; how many bytes, -1: malformed. */
static int read_groups(const char **text, uint8_t *ip, int room)
{
    int size = 0;
    while (size < room) {
        const char *start = *text;
        if (!read_group(text, ip + size))
            return -1;
        if (**text == '.') { /* the last 32 bits as IPv4 */
            *text = start;
            bool good = size + 4 <= room && read_ipv4(text, ip + size) && **text != ':';
            return good ? size + 4 : -1;
        }
        size += 2;
        if (size == room || **text != ':' || (*text)[1] == ':')
            break;
        ++*text;
    }
    return size;
}

static bool read_ipv6(const char **text, struct sos_address *address)
{
    uint8_t tail[16];
    int head_size = 0, tail_size = 0;
    bool gap = false;
    memset(address->ip, 0, 16);
    if (strncmp(*text, "::", 2) != 0)
        head_size = read_groups(text, address->ip, 16);
    if (head_size >= 0 && strncmp(*text, "::", 2) == 0) {
        gap = true;
        *text += 2;
        if (**text != '\0' && **text != '%')
            tail_size = read_groups(text, tail, 14 - head_size);
    }
    if (head_size < 0 || tail_size < 0 || (gap ? head_size > 14 : head_size != 16))
        return false;
    memcpy(address->ip + 16 - tail_size, tail, (size_t)tail_size);
    if (**text != '%')
        return true;
    ++*text;
    return read_decimal(text, UINT32_MAX / 10 - 1, &address->scope);
}

int sos_address_parse(struct sos_address *address, const char *text, uint16_t port)
{
    static const char local[] = "unix:";
    memset(address, 0, sizeof *address);
    if (text == NULL)
        return SOS_EINVAL;
    if (strncmp(text, local, sizeof local - 1) == 0) {
        size_t size = strlen(text += sizeof local - 1);
        address->family = SOS_FAMILY_LOCAL;
        if (size == 0 || size > SOS_LOCAL_PATH_MAX)
            return SOS_EINVAL;
        memcpy(address->path, text, size);
        return SOS_OK;
    }
    bool colon = strchr(text, ':') != NULL;
    address->family = colon ? SOS_FAMILY_IPV6 : SOS_FAMILY_IPV4;
    address->port = port;
    bool good = colon ? read_ipv6(&text, address) : read_ipv4(&text, address->ip);
    return good && *text == '\0' ? SOS_OK : SOS_EINVAL;
}

/* ---- Writing */

/* The longest run of at least two zero groups, the first of equals; its length, 0: there is none. */
static int longest_gap(const uint8_t ip[16], int *start)
{
    int longest = 1;
    *start = -1;
    for (int from = 0; from < 8; from++) {
        int length = 0;
        while (from + length < 8 && ip[2 * (from + length)] == 0 &&
               ip[2 * (from + length) + 1] == 0)
            length++;
        if (length > longest) {
            longest = length;
            *start = from;
        }
    }
    return *start < 0 ? 0 : longest;
}

/* An IPv4 address in the clothes of an IPv6 one is written so that it can be recognised. */
static bool is_mapped(const uint8_t ip[16])
{
    static const uint8_t prefix[12] = { [10] = 0xFF, [11] = 0xFF };
    return memcmp(ip, prefix, sizeof prefix) == 0;
}

static char *format_groups(const uint8_t ip[16], char *text)
{
    int start, gap = longest_gap(ip, &start);
    for (int group = 0; group < 8; group++) {
        if (group == start) {
            text += sprintf(text, "::");
            group += gap - 1;
            continue;
        }
        bool colon = group != 0 && (start < 0 || group != start + gap);
        unsigned number = (unsigned)ip[2 * group] << 8 | ip[2 * group + 1];
        text += sprintf(text, "%s%x", colon ? ":" : "", number);
    }
    return text;
}

static void format_ipv6(const struct sos_address *address, char *text)
{
    const uint8_t *ip = address->ip;
    if (is_mapped(ip))
        text += sprintf(text, "::ffff:%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
    else
        text = format_groups(ip, text);
    if (address->scope != 0)
        sprintf(text, "%%%lu", (unsigned long)address->scope);
}

void sos_address_format(const struct sos_address *address, char *text)
{
    const uint8_t *ip = address->ip;
    char inner[64];
    switch ((enum sos_family)address->family) {
    case SOS_FAMILY_IPV4:
        sprintf(text, "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], address->port);
        break;
    case SOS_FAMILY_IPV6:
        format_ipv6(address, inner);
        sprintf(text, "[%s]:%u", inner, address->port);
        break;
    case SOS_FAMILY_LOCAL:
        sprintf(text, "unix:%s", address->path);
        break;
    case SOS_FAMILY_NONE:
        strcpy(text, "nowhere");
        break;
    }
}
