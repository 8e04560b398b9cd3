/* SPDX-License-Identifier: MIT */
/*
 * The connection of an MQTT client and the tasks that keep it. The keeper connects, reads and, when
 * the connection is lost, connects again; the writer flushes what others have put into the output
 * buffer, after all who are runnable have had their turn.
 *
 * Keep-alive is the keeper's: it never waits for the output, so that no flood of messages keeps a
 * ping from being put, and what counts as life is only what was received.
 */
#include <string.h>

#include "core/internal.h"
#include "mqtt_internal.h"
#include "net/internal.h"
#include "smallos/supervisor.h"

enum { GOODBYE_SECONDS = 2, ACK_ROOM = 64, INPUT_ROOM = 65536 };

/* ---- Packets into the output buffer */

void sos_mqtt_break_(sos_mqtt *mqtt, int status, uint8_t reason, const char *text)
{
    if (mqtt->broken != 0)
        return;
    mqtt->broken = status;
    mqtt->farewell = reason;
    sos_mqtt_say_(&mqtt->answer, reason, text, (struct sos_mqtt_slice_){ NULL, 0 });
    sos_event_set(&mqtt->unstalled);
    sos_wake(mqtt->os, mqtt->keeper);
}

static char *room_for(sos_mqtt *mqtt, size_t size)
{
    char *room = sos_stream_room(mqtt->stream, size);
    if (room == NULL)
        sos_mqtt_break_(mqtt, SOS_ENOMEM, 0, "no memory for a packet to be sent");
    return room;
}

/* A stream that takes no more is no news here: the reader hears of it. */
static int put_in_place(sos_mqtt *mqtt, int size)
{
    int status = sos_stream_put(mqtt->stream, NULL, (size_t)size);
    sos_event_set(&mqtt->dirty);
    return status;
}

int sos_mqtt_send_(sos_mqtt *mqtt, const struct sos_mqtt_packet_ *packet)
{
    struct sos_mqtt_error_ error;
    size_t room = ACK_ROOM;
    for (;;) {
        char *to = room_for(mqtt, room);
        if (to == NULL)
            return SOS_ENOMEM;
        int size = sos_mqtt_write_(&mqtt->out, packet, to, room, &error);
        if (size < 0)
            return size;
        if ((size_t)size <= room)
            return put_in_place(mqtt, size);
        room = (size_t)size;
    }
}

int sos_mqtt_put_bytes_(sos_mqtt *mqtt, const void *bytes, uint32_t size)
{
    char *to = room_for(mqtt, size);
    if (to == NULL)
        return SOS_ENOMEM;
    memcpy(to, bytes, size);
    return put_in_place(mqtt, (int)size);
}

int sos_mqtt_put_ack_(sos_mqtt *mqtt, int type, uint16_t id, uint8_t reason)
{
    struct sos_mqtt_packet_ packet;
    packet.type = (uint8_t)type;
    packet.ack.id = id;
    packet.ack.reason = mqtt->version == SOS_MQTT_5_ ? reason : 0;
    packet.ack.properties.has = 0;
    return sos_mqtt_send_(mqtt, &packet);
}

int sos_mqtt_put_ping_(sos_mqtt *mqtt)
{
    const struct sos_mqtt_packet_ packet = { .type = SOS_MQTT_PINGREQ_ };
    mqtt->pings++;
    mqtt->sent = sos_now(mqtt->os);
    return sos_mqtt_send_(mqtt, &packet);
}

static int put_disconnect(sos_mqtt *mqtt, uint8_t reason, bool forget)
{
    struct sos_mqtt_packet_ packet;
    memset(&packet, 0, sizeof packet);
    packet.type = SOS_MQTT_DISCONNECT_;
    packet.notice.reason = reason;
    if (forget)
        packet.notice.properties.has = SOS_MQTT_HAS_SESSION_EXPIRY_;
    return sos_mqtt_send_(mqtt, &packet);
}

/* ---- Writing */

struct mqtt_writer {
    sos_frame frame;
    sos_mqtt *mqtt;
};

/* Nothing leaves that depends on what is not safe yet: packets are added while the stream takes no
 * more, so that each write is preceded by a sync. */
static int write_safe(sos_mqtt *mqtt, sos_stream *stream)
{
    struct sos_slice none = { NULL, 0 };
    int status = sos_mqtt_sync_(mqtt);
    return status != SOS_OK ? status : sos_stream_write_now_(stream, &none);
}

struct mqtt_flush {
    sos_frame frame;
    sos_mqtt *mqtt;
    sos_stream *stream;
    int status;
};

static async_fn(mqtt_flush)
{
    async_begin(mqtt_flush);
    stream_enter(self->stream);
    do {
        try_await(sos_stream_wait_(task, self->stream));
        self->status = write_safe(self->mqtt, self->stream);
    } while (self->status == SOS_EAGAIN);
    async_return(self->status);
    async_finally;
    sos_stream_leave_(self->stream);
    async_end;
}

static sos_op flush(sos_task *task, sos_mqtt *mqtt)
{
    int status = write_safe(mqtt, mqtt->stream);
    if (status != SOS_EAGAIN)
        return sos_complete(task, status);
    return async_call(mqtt_flush, .mqtt = mqtt, .stream = mqtt->stream);
}

static void flushed(sos_mqtt *mqtt)
{
    mqtt->sent = sos_now(mqtt->os);
    sos_mqtt_pump_(mqtt);
    sos_event_set(&mqtt->room);
}

/* When the other end takes no more, what it said last comes to the reader. */
static void not_flushed(sos_mqtt *mqtt, int status)
{
    if (status != SOS_EPIPE && status != SOS_ECONNRESET)
        sos_mqtt_break_(mqtt, status, 0, sos_error_text(status));
}

/* Ends only by being killed. The yield lets all who are runnable add to what is flushed then. */
static async_fn(mqtt_writer)
{
    async_begin(mqtt_writer);
    for (;;) {
        await(sos_event_wait(task, &self->mqtt->dirty));
        await(sos_yield(task));
        sos_event_clear(&self->mqtt->dirty);
        await(flush(task, self->mqtt));
        if (sos_status(task) >= 0) {
            flushed(self->mqtt);
            continue;
        }
        not_flushed(self->mqtt, sos_status(task));
        await(sos_sleep(task, SOS_FOREVER));
    }
    async_end;
}

/* ---- Keep-alive */

static int64_t seconds_of(uint32_t seconds)
{
    return SOS_SEC((int64_t)seconds);
}

static void heard(sos_mqtt *mqtt)
{
    sos_supervisor_heard(&mqtt->supervisor, mqtt->os);
}

/* Until the server must hear of us (3.1.2.10), or we of it. A ping under way is not repeated for the
 * sake of what was received. */
static int64_t until_ping(const sos_mqtt *mqtt)
{
    if (mqtt->state.keep_alive_s == 0 || !mqtt->up)
        return SOS_FOREVER;
    uint64_t now = sos_now(mqtt->os), since = mqtt->sent;
    if (mqtt->pings == mqtt->pongs && mqtt->supervisor.heard < since)
        since = mqtt->supervisor.heard;
    int64_t left = seconds_of(mqtt->state.keep_alive_s) - (int64_t)(now - since);
    return left > 0 ? left : 0;
}

static int64_t until_dead_or_ping(const sos_mqtt *mqtt)
{
    int64_t dead = sos_supervisor_patience(&mqtt->supervisor, mqtt->os), ping = until_ping(mqtt);
    return dead < ping ? dead : ping;
}

/* ---- Reading */

struct mqtt_reader {
    sos_frame frame;
    sos_mqtt *mqtt;
    int status;
};

static int why_broken(sos_mqtt *mqtt, int status)
{
    if (mqtt->broken != 0)
        return mqtt->broken;
    const char *text = status == SOS_EEOF ? "the server has closed the connection"
                                          : sos_stream_error_text(mqtt->stream);
    sos_mqtt_say_(&mqtt->answer, 0, text, (struct sos_mqtt_slice_){ NULL, 0 });
    return status;
}

static int dead(sos_mqtt *mqtt)
{
    sos_mqtt_say_(&mqtt->answer, 0, "the server has fallen silent",
                  (struct sos_mqtt_slice_){ NULL, 0 });
    return SOS_ETIMEDOUT;
}

static int take_packets(sos_mqtt *mqtt)
{
    if (mqtt->broken != 0)
        return mqtt->broken;
    if (mqtt->up)
        return sos_mqtt_take_packets_(mqtt);
    sos_stream_take(mqtt->stream, SIZE_MAX); /* good-bye has been said */
    return SOS_OK;
}

static sos_op room_in_inbox(sos_task *task, sos_mqtt *mqtt)
{
    mqtt->stalled = true;
    sos_event_clear(&mqtt->unstalled);
    return sos_event_wait(task, &mqtt->unstalled);
}

static async_fn(mqtt_reader)
{
    async_begin(mqtt_reader);
    for (;;) {
        self->status = take_packets(self->mqtt);
        if (self->status < 0 && self->status != SOS_EAGAIN)
            async_return(self->status);
        if (until_ping(self->mqtt) == 0)
            (void)sos_mqtt_put_ping_(self->mqtt);
        if (self->status == SOS_EAGAIN) {
            await(sos_within(task, until_ping(self->mqtt), room_in_inbox(task, self->mqtt)));
            self->mqtt->stalled = false;
            heard(self->mqtt); /* nobody has listened since */
            continue;
        }
        if (sos_supervisor_patience(&self->mqtt->supervisor, sos_of(task)) == 0)
            async_return(dead(self->mqtt));
        await(sos_within(task, until_dead_or_ping(self->mqtt),
                         sos_stream_more(task, self->mqtt->stream)));
        if (sos_status(task) >= 0)
            heard(self->mqtt);
        else if (sos_status(task) != SOS_ETIMEDOUT && sos_status(task) != SOS_EINTR)
            async_return(why_broken(self->mqtt, sos_status(task)));
    }
    async_end;
}

/* ---- Connecting */

struct mqtt_attempt {
    sos_frame frame;
    sos_mqtt *mqtt;
    int status;
};

/* A packet of the largest size must fit, and what is read beside it. */
uint32_t sos_mqtt_buffer_limit_(const sos_mqtt *mqtt)
{
    uint32_t limit = sos_configuration(mqtt->os)->client_defaults.stream.max_buffer_size;
    uint32_t packet = mqtt->max_packet_size != 0 ? mqtt->max_packet_size : SOS_MQTT_LENGTH_MAX_;
    if (limit == 0)
        return INT32_MAX;
    return limit > packet + INPUT_ROOM ? limit : packet + INPUT_ROOM;
}

static int put_connect(sos_task *task, sos_mqtt *mqtt)
{
    if (mqtt->clear)
        sos_report_(task, SOS_REPORT_CLEARTEXT);
    return sos_mqtt_put_bytes_(mqtt, mqtt->connect, mqtt->connect_size);
}

static async_fn(mqtt_attempt)
{
    async_begin(mqtt_attempt);
    self->mqtt->broken = 0;
    self->mqtt->farewell = 0;
    self->mqtt->answer = (struct sos_mqtt_answer){ 0 };
    try_await(sos_connect(
        task,
        &(struct sos_connect_options){ .host = self->mqtt->host,
                                       .port = self->mqtt->port,
                                       .max_buffer_size = sos_mqtt_buffer_limit_(self->mqtt),
                                       .tls = self->mqtt->secure ? &self->mqtt->tls : NULL },
        &self->mqtt->stream));
    self->status = put_connect(task, self->mqtt);
    if (self->status != SOS_OK)
        async_return(self->status);
    await(sos_stream_flush(task, self->mqtt->stream));
    while ((self->status = sos_mqtt_take_connack_(self->mqtt)) == 0) {
        await(sos_stream_more(task, self->mqtt->stream));
        if (sos_status(task) < 0)
            async_return(why_broken(self->mqtt, sos_status(task)));
    }
    async_return(self->status);
    async_end;
}

static void init_aliases(sos_mqtt *mqtt)
{
    uint16_t count = mqtt->topic_aliases, theirs = mqtt->state.topic_alias_maximum;
    struct sos_mqtt_alias_ *entries = mqtt->alias_memory;
    char *bytes = (char *)(entries + 2 * (size_t)count);
    uint32_t size = (uint32_t)count * SOS_MQTT_ALIAS_BYTES_;
    if (count == 0)
        return;
    sos_mqtt_aliases_init_(&mqtt->aliases_in, entries, count, bytes, size);
    sos_mqtt_aliases_init_(&mqtt->aliases_out, entries + count, theirs < count ? theirs : count,
                           bytes + size, size);
}

/* CONNACK was good: the session goes on. 0, or there is no task to write. */
static int established(sos_mqtt *mqtt)
{
    const struct sos_options how = sos_opt(.priority = mqtt->priority, .watcher = true,
                                           .detached = true);
    int64_t silence = seconds_of(mqtt->state.keep_alive_s) * 3 / 2;
    mqtt->writer = sos_fork(mqtt->os, mqtt_writer, how, .mqtt = mqtt);
    if (mqtt->writer.pid < 0)
        return mqtt->writer.pid;
    mqtt->supervisor.options.silence_us = silence != 0 ? silence : SOS_FOREVER;
    sos_supervisor_began(&mqtt->supervisor, mqtt->os);
    mqtt->sent = sos_now(mqtt->os);
    mqtt->pings = mqtt->pongs = 0;
    mqtt->state.connections++;
    mqtt->up = true;
    mqtt->trial = false;
    init_aliases(mqtt);
    if (mqtt->version == SOS_MQTT_5_) /* 3.1.1: 3.1.2.4: the session would end with it otherwise */
        mqtt->connect[mqtt->connect_flags] &= 0xFD;
    sos_mqtt_arrived_resume_(mqtt, mqtt->state.session_present);
    sos_mqtt_questions_resume_(mqtt, mqtt->state.session_present);
    sos_mqtt_outbox_resume_(mqtt, mqtt->state.session_present);
    sos_event_set(&mqtt->ready);
    sos_event_set(&mqtt->room);
    return SOS_OK;
}

/* ---- Losing the connection */

struct mqtt_keeper {
    sos_frame frame;
    sos_mqtt *mqtt;
    int status;
};

static void drop_stream(sos_mqtt *mqtt)
{
    sos_kill(mqtt->os, mqtt->writer);
    sos_stream_close(mqtt->stream);
    mqtt->stream = NULL;
}

/* Tells the server why (3.14.2.1), as far as it can be told at once. */
static sos_op say_why(sos_task *task, sos_mqtt *mqtt)
{
    mqtt->up = false;
    sos_kill(mqtt->os, mqtt->writer);
    if (put_disconnect(mqtt, mqtt->farewell, false) != SOS_OK)
        return sos_complete(task, SOS_ENOMEM);
    return flush(task, mqtt);
}

static void say_status(sos_mqtt *mqtt, int status)
{
    bool told = status == SOS_ETLS && mqtt->secure && mqtt->tls.error_text != NULL &&
                mqtt->tls.error_text_size != 0;
    sos_mqtt_say_(&mqtt->answer, 0, told ? mqtt->tls.error_text : sos_error_text(status),
                  (struct sos_mqtt_slice_){ NULL, 0 });
}

static void lost(sos_mqtt *mqtt, int status)
{
    bool last = mqtt->trial || mqtt->once || mqtt->closing;
    if (mqtt->answer.text[0] == '\0')
        say_status(mqtt, status);
    mqtt->told = mqtt->answer;
    mqtt->up = false;
    mqtt->farewell = 0;
    drop_stream(mqtt);
    sos_supervisor_ended(&mqtt->supervisor, mqtt->os);
    sos_event_clear(&mqtt->ready);
    sos_mqtt_outbox_lost_(mqtt);
    sos_mqtt_arrived_lost_(mqtt);
    sos_event_set(&mqtt->pong);
    sos_event_clear(&mqtt->pong);
    sos_event_set(&mqtt->room);
    if (mqtt->store_error != 0)
        sos_mqtt_fail_(mqtt, mqtt->store_error);
    else if (last)
        sos_mqtt_fail_(mqtt, mqtt->closing ? SOS_ECANCELED : status);
}

static async_fn(mqtt_keeper)
{
    async_begin(mqtt_keeper);
    sos_mqtt_enter_(self->mqtt);
    while (self->mqtt->error == 0) {
        await(sos_supervisor_wait(task, &self->mqtt->supervisor));
        if (self->mqtt->store_error != 0)
            self->status = self->mqtt->store_error;
        if (self->mqtt->store_error != 0 || sos_status(task) == SOS_ETIMEDOUT) {
            sos_mqtt_fail_(self->mqtt, self->status);
            break;
        }
        await(
            sos_within(task, self->mqtt->connect_us, async_call(mqtt_attempt, .mqtt = self->mqtt)));
        self->status = sos_status(task);
        if (self->status >= 0)
            self->status = established(self->mqtt);
        if (self->status >= 0) {
            await(async_call(mqtt_reader, .mqtt = self->mqtt));
            self->status = sos_status(task);
        }
        if (self->mqtt->farewell != 0 && self->mqtt->version == SOS_MQTT_5_)
            await(sos_within(task, SOS_SEC(1), say_why(task, self->mqtt)));
        lost(self->mqtt, self->status);
    }
    async_finally;
    self->mqtt->up = false;
    drop_stream(self->mqtt);
    sos_event_set(&self->mqtt->gone);
    sos_mqtt_leave_(self->mqtt);
    async_end;
}

int sos_mqtt_begin_(sos_mqtt *mqtt)
{
    mqtt->keeper = sos_fork(mqtt->os, mqtt_keeper,
                            sos_opt(.priority = mqtt->priority, .watcher = true, .detached = true),
                            .mqtt = mqtt);
    return mqtt->keeper.pid < 0 ? mqtt->keeper.pid : SOS_OK;
}

/* ---- Leaving: DISCONNECT is the last packet, and the server closes (3.14.4) */

struct mqtt_disconnect {
    sos_frame frame;
    sos_mqtt **mqtt;
    sos_mqtt *leaving;
};

static int say_goodbye(sos_mqtt *mqtt)
{
    mqtt->closing = true;
    if (!mqtt->up)
        return SOS_EAGAIN;
    int status = put_disconnect(mqtt, SOS_MQTT_NORMAL_DISCONNECTION_, mqtt->expires);
    mqtt->up = false;
    sos_event_set(&mqtt->unstalled);
    return status;
}

static async_fn(mqtt_disconnect)
{
    async_begin(mqtt_disconnect);
    self->leaving = *self->mqtt;
    sos_mqtt_enter_(self->leaving);
    if (say_goodbye(self->leaving) == SOS_OK)
        await(
            sos_within(task, SOS_SEC(GOODBYE_SECONDS), sos_event_wait(task, &self->leaving->gone)));
    async_return(SOS_OK);
    async_finally;
    *self->mqtt = NULL;
    sos_mqtt_close(self->leaving);
    sos_mqtt_leave_(self->leaving);
    async_end;
}

sos_op sos_mqtt_disconnect(sos_task *task, sos_mqtt **mqtt)
{
    if (mqtt == NULL || *mqtt == NULL)
        return sos_complete(task, SOS_OK);
    return async_call(mqtt_disconnect, .mqtt = mqtt);
}
