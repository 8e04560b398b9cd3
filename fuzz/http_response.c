/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the answers of a server: read or refused, the same however they are cut. The first
 * byte chooses the method that they answer.
 */
#include "http_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = { "GET", "HEAD", "CONNECT" };
    if (size == 0)
        return 0;
    struct sos_slice_ method = sos_slice_text_(data[0] == 'h'   ? methods[1]
                                               : data[0] == 'c' ? methods[2]
                                                                : methods[0]);
    check_traces(SOS_HTTP_RESPONSE_, method, sos_slice_((const char *)data + 1, size - 1));
    return 0;
}
