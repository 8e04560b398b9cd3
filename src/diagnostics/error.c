/* SPDX-License-Identifier: MIT */
/* Names and texts of the error table. */
#include "core/internal.h"

static const struct {
    const char *name, *text;
} errors[] = { { "SOS_OK", "ok" },
#define ENTRY(name, code, text) [-(code)] = { "SOS_" #name, text },
               SOS_ERRORS(ENTRY)
#undef ENTRY
};

enum { COUNT = (int)(sizeof errors / sizeof errors[0]) };

const char *sos_error_name(int status)
{
    if (status >= 0)
        return errors[0].name;
    return status > -COUNT ? errors[-status].name : "SOS_E?";
}

const char *sos_error_text(int status)
{
    if (status >= 0)
        return errors[0].text;
    return status > -COUNT ? errors[-status].text : "unknown error";
}
