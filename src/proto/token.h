/* SPDX-License-Identifier: MIT */
/* The smallest words of HTTP's header fields (RFC 9110, 5.6), which WebSocket's are made of. */
#ifndef SMALLOS_PROTO_TOKEN_H
#define SMALLOS_PROTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A character of a token (5.6.2). */
static inline bool sos_is_token_(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* Optional white space (5.6.3) goes off the front of the text. */
static inline void sos_skip_space_(const char **text, size_t *length)
{
    for (; *length > 0 && (**text == ' ' || **text == '\t'); (*text)++)
        (*length)--;
}

/* What stands between two elements of a list, empty elements included (5.6.1). */
static inline void sos_skip_commas_(const char **text, size_t *length)
{
    for (; *length > 0 && (**text == ' ' || **text == '\t' || **text == ','); (*text)++)
        (*length)--;
}

#endif
