/* SPDX-License-Identifier: MIT */
/* The common requests, in one call each. */
#include "smallos/http.h"

static sos_op simply(sos_task *task, sos_http *http, const char *method, const char *url,
                     const struct sos_http_body *body, struct sos_http_response *response)
{
    struct sos_http_request request = { .method = method, .url = url };
    if (body != NULL)
        request.body = *body;
    return sos_http_send(task, http, &request, response);
}

sos_op sos_http_get(sos_task *task, sos_http *http, const char *url,
                    struct sos_http_response *response)
{
    return simply(task, http, "GET", url, NULL, response);
}

sos_op sos_http_delete(sos_task *task, sos_http *http, const char *url,
                       struct sos_http_response *response)
{
    return simply(task, http, "DELETE", url, NULL, response);
}

sos_op sos_http_post(sos_task *task, sos_http *http, const char *url,
                     const struct sos_http_body *body, struct sos_http_response *response)
{
    return simply(task, http, "POST", url, body, response);
}

sos_op sos_http_put(sos_task *task, sos_http *http, const char *url,
                    const struct sos_http_body *body, struct sos_http_response *response)
{
    return simply(task, http, "PUT", url, body, response);
}

sos_op sos_http_patch(sos_task *task, sos_http *http, const char *url,
                      const struct sos_http_body *body, struct sos_http_response *response)
{
    return simply(task, http, "PATCH", url, body, response);
}
