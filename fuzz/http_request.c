/* SPDX-License-Identifier: MIT */
/* Any bytes as the requests of a client: read or refused, the same however they are cut. */
#include "http_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_traces(SOS_HTTP_REQUEST_, sos_slice_text_(""), sos_slice_((const char *)data, size));
    return 0;
}
