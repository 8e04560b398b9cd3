/* SPDX-License-Identifier: MIT */
/* The path of a request into that of a file below a folder. */
#include "proto/url.h"
#include "proto/utf8.h"

/* No control characters, nothing that is a separator to somebody, and UTF-8. */
static bool is_good_name(struct sos_slice_ name)
{
    while (name.length > 0) {
        unsigned char byte = (unsigned char)name.at[0];
        size_t length = sos_utf8_size_((const unsigned char *)name.at, name.length);
        if (length == 0 || byte < ' ' || byte == 0x7F || byte == '/' || byte == '\\')
            return false;
        name = sos_slice_(name.at + length, name.length - length);
    }
    return true;
}

/* The length of `to` without its last segment; -1: there is none. */
static int without_last(const char *to, int length)
{
    while (length > 0 && to[length - 1] != '/')
        length--;
    return length - 1;
}

/* Puts "/name" behind to[0 .. length); the new length, or an error. Stays if the name is nothing. */
static int put_segment(struct sos_slice_ segment, char *to, size_t size, int length)
{
    size_t used = (size_t)length;
    if (segment.length == 0)
        return length;
    if (size - used < 1)
        return SOS_ELIMIT;
    int decoded = sos_url_decode_(segment, false, to + used + 1, size - used - 1);
    if (decoded < 0)
        return decoded;
    struct sos_slice_ name = sos_slice_(to + used + 1, (size_t)decoded);
    if (!is_good_name(name))
        return SOS_EPROTO;
    if (sos_slice_is_(name, "."))
        return length;
    if (sos_slice_is_(name, "..")) {
        int before = without_last(to, length);
        return before < 0 ? SOS_EACCES : before;
    }
    to[used] = '/';
    return length + 1 + decoded;
}

int sos_url_file_path_(struct sos_slice_ path, char *to, size_t size)
{
    int length = 0;
    bool is_folder = false;
    if (path.length == 0 || path.at[0] != '/')
        return SOS_EPROTO;
    while (path.length > 0) {
        struct sos_slice_ segment = sos_slice_(path.at + 1, path.length - 1);
        const char *slash = segment.length > 0 ? memchr(segment.at, '/', segment.length) : NULL;
        if (slash != NULL)
            segment.length = (size_t)(slash - segment.at);
        path = sos_slice_(segment.at + segment.length, path.length - 1 - segment.length);
        int before = length;
        length = put_segment(segment, to, size, before);
        if (length < 0)
            return length;
        is_folder = length <= before;
    }
    if (!is_folder)
        return length;
    if ((size_t)length == size)
        return SOS_ELIMIT;
    to[length] = '/';
    return length + 1;
}
