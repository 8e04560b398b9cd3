/* SPDX-License-Identifier: MIT */
/*
 * The configuration in force. Of the limits of the protocol clients the core knows nothing: they
 * are filled in when somebody asks for them first.
 */
#include "core/internal.h"

static void fill_default(uint32_t *field, uint32_t standard)
{
    if (*field == 0)
        *field = standard;
    else if (*field == SOS_NONE)
        *field = 0;
}

static void fill_client_defaults(struct sos_client_defaults *clients)
{
    fill_default(&clients->stream.max_buffer_size, 16777216);
    fill_default(&clients->http.max_response_size, 16777216);
    fill_default(&clients->redis.max_response_size, 16777216);
    fill_default(&clients->redis.max_nesting_depth, 32);
    fill_default(&clients->mqtt.keepalive, 60);
    fill_default(&clients->mqtt.max_packet_size, 262144);
    fill_default(&clients->mqtt.max_queued_messages, 1024);
    fill_default(&clients->sse.max_event_size, 1048576);
    fill_default(&clients->sse.max_line_size, 65536);
    fill_default(&clients->websocket.max_frame_size, 1048576);
    fill_default(&clients->websocket.max_message_size, 4194304);
    fill_default(&clients->websocket.max_line_size, 16384);
}

const struct sos_config *sos_configuration(sos *os)
{
    if (!os->clients_filled)
        fill_client_defaults(&os->config.client_defaults);
    os->clients_filled = true;
    return &os->config;
}
