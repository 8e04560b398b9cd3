/* SPDX-License-Identifier: MIT */
/* Writing: a command is an array of bulk strings. */
#include "resp.h"

#include <string.h>

#include "decimal.h"

static char *write_number(char *out, char type, uint64_t number)
{
    *out++ = type;
    if (number < 10)
        *out++ = (char)('0' + number);
    else
        out += sos_uint64_write_(out, number);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

char *sos_resp_command_head_(char *out, size_t argc)
{
    return write_number(out, SOS_RESP_ARRAY_, argc);
}

char *sos_resp_argument_(char *out, const char *bytes, size_t length)
{
    out = write_number(out, SOS_RESP_BULK_, length);
    if (length > 0)
        memcpy(out, bytes, length);
    out += length;
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

size_t sos_resp_command_size_(size_t argc, const char *const *argv, const size_t *lengths)
{
    size_t size = 3 + sos_uint64_digits_(argc);
    for (size_t i = 0; i < argc; i++) {
        size_t length = lengths != NULL ? lengths[i] : strlen(argv[i]);
        size += 5 + sos_uint64_digits_(length) + length;
    }
    return size;
}

char *sos_resp_command_(char *out, size_t argc, const char *const *argv, const size_t *lengths)
{
    out = sos_resp_command_head_(out, argc);
    for (size_t i = 0; i < argc; i++)
        out = sos_resp_argument_(out, argv[i], lengths != NULL ? lengths[i] : strlen(argv[i]));
    return out;
}
