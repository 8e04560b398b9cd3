/* SPDX-License-Identifier: MIT */
/*
 * The MQTT client over the simulated network against a small server: keep-alive to the microsecond,
 * and by seed whatever a network does, with nothing acknowledged lost and nothing twice at QoS 2.
 */
#include "mqtt_broker.h"
#include "smallos/mqtt.h"
#include "world.h"

#define HOST "10.0.0.1"

static struct broker broker;

static void net_open(uint64_t seed)
{
    world_open_with(NULL, &(struct sos_sim_options){ .seed = seed });
    broker = (struct broker){ .address = HOST, .priority = 3 };
    broker_start(world.os, &broker);
}

static void net_close(void)
{
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    sos_sim_trace_clear(world.kernel);
    world_close();
    broker_end(&broker);
}

static void route_is(struct sos_sim_route route)
{
    CHECK_INT(sos_sim_set_route(world.kernel, HOST, 1883, &route), SOS_OK);
}

/* ---- Tasks */

struct client {
    sos_frame frame;
    struct sos_scope scope;
    struct sos_mqtt_options options;
    sos_mqtt *mqtt;
    sos_mqtt_inbox *inbox, *other;
    sos_handle receiver;
    struct sos_mqtt_message message;
    struct sos_mqtt_filter filter;
    struct sos_mqtt_state state;
    uint64_t start;
    int index;
    char text[32];
};

static void close_client(struct client *self)
{
    sos_mqtt_message_free(&self->message);
    sos_mqtt_inbox_close(self->inbox);
    sos_mqtt_close(self->mqtt);
}

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define CONNECT() CHECKED(sos_mqtt_connect(task, &self->options, &self->mqtt, NULL), SOS_OK)

static sos_op publish(sos_task *task, sos_mqtt *mqtt, const char *topic, const char *text, int qos)
{
    struct sos_mqtt_message message = {
        .topic = topic, .payload = text, .size = strlen(text), .qos = (uint8_t)qos
    };
    return sos_mqtt_publish(task, mqtt, &message, NULL);
}

static void start_client(sos_async_function function, struct sos_mqtt_options options)
{
    options.host = HOST;
    struct client client = { .options = options };
    const struct sos_start start = {
        .function = function,
        .frame = &client,
        .name = "client",
        .size = sizeof client,
        .options = { .priority = 4 },
    };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
}

/* ---- Keep-alive */

static async_fn(until_lost)
{
    async_begin(client);
    CONNECT();
    self->start = sos_now(sos_of(task));
    CHECKED(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox) == SOS_OK
                ? sos_mqtt_receive(task, self->inbox, &self->message)
                : sos_complete(task, SOS_OK),
            SOS_ETIMEDOUT);
    CHECK_INT(sos_now(sos_of(task)) - self->start, SOS_SEC(15));
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_TEXT(self->state.error, "the server has fallen silent");
    async_finally;
    close_client(self);
    async_end;
}

static void a_silent_server_is_noticed_after_one_and_a_half_keep_alives(void)
{
    net_open(0);
    broker.deaf = true;
    start_client(until_lost, (struct sos_mqtt_options){ .keep_alive_s = 10, .once = true });
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(broker.pings, 1);
    net_close();
}

struct flooder {
    sos_frame frame;
    sos_mqtt *mqtt;
};

static async_fn(flooder)
{
    async_begin(flooder);
    for (;;) {
        try_await(publish(task, self->mqtt, "flood", "drop", 0));
        await(sos_sleep(task, SOS_MS(5)));
    }
    async_end;
}

static async_fn(flooding)
{
    async_begin(client);
    CONNECT();
    self->start = sos_now(sos_of(task));
    async_spawn(flooder, sos_opt(.watcher = true, .detached = true), .mqtt = self->mqtt);
    CHECKED(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox) == SOS_OK
                ? sos_mqtt_receive(task, self->inbox, &self->message)
                : sos_complete(task, SOS_OK),
            SOS_ETIMEDOUT);
    CHECK_INT(sos_now(sos_of(task)) - self->start, SOS_SEC(15));
    async_finally;
    close_client(self);
    async_end;
}

static void a_flood_of_outgoing_messages_hides_no_dead_link(void)
{
    net_open(0);
    broker.deaf = true;
    start_client(flooding, (struct sos_mqtt_options){ .keep_alive_s = 10, .once = true });
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(broker.pings, 1);
    net_close();
}

static async_fn(listening)
{
    async_begin(client);
    CONNECT();
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK);
    self->filter = (struct sos_mqtt_filter){ .filter = "#" };
    CHECKED(sos_mqtt_subscribe(task, self->inbox, &self->filter, 1), SOS_OK);
    for (; self->index < 100; self->index++) {
        await(sos_sleep(task, SOS_SEC(1)));
        broker_publish(&broker, "tick", "tock", 0);
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    }
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.connections, 1);
    async_finally;
    close_client(self);
    async_end;
}

/* It only receives; the server must hear of it all the same (3.1.2.10). */
static void a_client_that_only_receives_pings(void)
{
    net_open(0);
    start_client(listening, (struct sos_mqtt_options){ .keep_alive_s = 10 });
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK_INT(broker.pings, 9);
    net_close();
}

/* The consumer is away for a while: the connection waits for it, and is not lost. */
static async_fn(slow_consumer)
{
    async_begin(client);
    CONNECT();
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, &(struct sos_mqtt_inbox_options){ .max_messages = 2 },
                                  &self->inbox),
              SOS_OK);
    self->filter = (struct sos_mqtt_filter){ .filter = "#" };
    CHECKED(sos_mqtt_subscribe(task, self->inbox, &self->filter, 1), SOS_OK);
    for (self->index = 0; self->index < 10; self->index++) {
        snprintf(self->text, sizeof self->text, "%d", self->index);
        broker_publish(&broker, "number", self->text, 0);
    }
    await(sos_sleep(task, SOS_SEC(100)));
    for (self->index = 0; self->index < 10; self->index++) {
        snprintf(self->text, sizeof self->text, "%d", self->index);
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
        CHECK_TEXT(self->message.payload, self->text);
    }
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.connections, 1);
    CHECK_INT(self->state.undelivered, 0);
    async_finally;
    close_client(self);
    async_end;
}

static void a_full_inbox_holds_the_connection_up_and_loses_nothing(void)
{
    net_open(0);
    start_client(slow_consumer, (struct sos_mqtt_options){ .keep_alive_s = 10 });
    CHECK_INT(sos_run(world.os), SOS_OK);
    CHECK(broker.pings >= 9);
    net_close();
}

struct receiver {
    sos_frame frame;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_message message;
};

static async_fn(receiver)
{
    async_begin(receiver);
    await(sos_mqtt_receive(task, self->inbox, &self->message));
    CHECK(false);
    async_finally;
    sos_mqtt_message_free(&self->message);
    async_end;
}

/* Both inboxes get the message in one step, and this task runs before the receiver. */
static async_fn(killing)
{
    async_begin(client);
    CONNECT();
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK);
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->other), SOS_OK);
    self->filter = (struct sos_mqtt_filter){ .filter = "#", .qos = 1 };
    CHECKED(sos_mqtt_subscribe(task, self->inbox, &self->filter, 1), SOS_OK);
    CHECKED(sos_mqtt_subscribe(task, self->other, &self->filter, 1), SOS_OK);
    self->receiver = async_spawn(receiver, sos_opt(.priority = 5, .detached = true),
                                 .inbox = self->other);
    await(sos_sleep(task, SOS_SEC(1)));
    broker_publish(&broker, "tick", "tock", 1);
    CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
    sos_mqtt_inbox_close(self->other);
    sos_kill(sos_of(task), self->receiver);
    sos_mqtt_message_free(&self->message);
    await(sos_sleep(task, SOS_SEC(1)));
    CHECK(broker.sessions[0].first == NULL); /* it is acknowledged */
    async_finally;
    close_client(self);
    async_end;
}

static void a_message_in_the_hands_of_a_killed_receiver_is_given_back(void)
{
    net_open(0);
    start_client(killing, (struct sos_mqtt_options){ .keep_alive_s = 10 });
    CHECK_INT(sos_run(world.os), SOS_OK);
    net_close();
}

static async_fn(ping_twice)
{
    async_begin(client);
    CONNECT();
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_OK);
    broker.deaf = true;
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_ECONNRESET);
    broker.deaf = false;
    CHECKED(sos_mqtt_ready(task, self->mqtt), SOS_OK);
    self->start = sos_now(sos_of(task));
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_OK);
    CHECK(sos_now(sos_of(task)) > self->start);
    sos_mqtt_inspect(self->mqtt, &self->state);
    CHECK_INT(self->state.connections, 2);
    async_finally;
    close_client(self);
    async_end;
}

/* A ping that did not really wait would keep the simulated time from going on. */
static void a_ping_waits_for_its_answer_on_a_second_connection_too(void)
{
    net_open(0);
    route_is((struct sos_sim_route){ .stream = { .delay_min_us = 10 } });
    start_client(ping_twice, (struct sos_mqtt_options){ .keep_alive_s = 10 });
    CHECK_INT(sos_run(world.os), SOS_OK);
    net_close();
}

/* ---- Whatever a network does */

enum { NUMBERS = 12 };

static int at_broker[3][NUMBERS], at_client[3][NUMBERS];

static void count(int seen[3][NUMBERS], const char *payload)
{
    int qos, number;
    CHECK_INT(sscanf(payload, "%d.%d", &qos, &number), 2);
    CHECK(qos >= 0 && qos < 3 && number >= 0 && number < NUMBERS);
    seen[qos][number]++;
}

static void published(void *context, const struct sos_mqtt_publish_ *publish)
{
    char text[32];
    (void)context;
    CHECK(publish->payload.size < sizeof text);
    memcpy(text, publish->payload.data, publish->payload.size);
    text[publish->payload.size] = '\0';
    count(at_broker, text);
}

static bool all_seen(int seen[3][NUMBERS])
{
    for (int qos = 1; qos < 3; qos++)
        for (int number = 0; number < NUMBERS; number++)
            if (seen[qos][number] == 0)
                return false;
    return true;
}

static void expect_nothing_lost_and_nothing_twice(int seen[3][NUMBERS])
{
    for (int number = 0; number < NUMBERS; number++) {
        CHECK(seen[0][number] <= 1);
        CHECK(seen[1][number] >= 1);
        CHECK_INT(seen[2][number], 1);
    }
}

struct numberer {
    sos_frame frame;
    sos_mqtt *mqtt;
    int qos, number;
    char text[16];
};

static async_fn(numberer)
{
    async_begin(numberer);
    for (; self->number < NUMBERS; self->number++) {
        snprintf(self->text, sizeof self->text, "%d.%d", self->qos, self->number);
        CHECKED(publish(task, self->mqtt, "numbers", self->text, self->qos), SOS_OK);
        await(sos_sleep(task, SOS_MS(20)));
    }
    async_end;
}

struct crowd {
    sos_frame frame;
    struct sos_scope scope;
    sos_mqtt *mqtt;
    int qos;
};

static async_fn(crowd)
{
    async_begin(crowd);
    sos_scope_open(task, &self->scope);
    for (; self->qos < 3; self->qos++)
        async_spawn(numberer, sos_opt(), .mqtt = self->mqtt, .qos = self->qos);
    await(sos_scope_join(task, &self->scope));
    async_end;
}

static async_fn(echoed)
{
    async_begin(client);
    CHECK_INT(sos_mqtt_start(task, &self->options, &self->mqtt), SOS_OK);
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK);
    self->filter = (struct sos_mqtt_filter){ .filter = "numbers", .qos = 2 };
    CHECKED(sos_mqtt_subscribe(task, self->inbox, &self->filter, 1), SOS_OK);
    async_spawn(crowd, sos_opt(.detached = true), .mqtt = self->mqtt);
    while (!all_seen(at_client)) {
        CHECKED(sos_mqtt_receive(task, self->inbox, &self->message), SOS_OK);
        count(at_client, self->message.payload);
        await(sos_sleep(task, self->index++ % 7 == 0 ? SOS_MS(150) : SOS_MS(3)));
    }
    CHECKED(sos_mqtt_drain(task, self->mqtt), SOS_OK);
    CHECKED(sos_mqtt_disconnect(task, &self->mqtt), SOS_OK);
    async_finally;
    close_client(self);
    async_end;
}

static void the_network_gets_better(void *context)
{
    (void)context;
    route_is((struct sos_sim_route){ .connect_min_us = 100 });
}

static void a_bad_network(uint64_t seed)
{
    static int lost, aliased;
    net_open(seed);
    memset(at_broker, 0, sizeof at_broker);
    memset(at_client, 0, sizeof at_client);
    broker.published = published;
    broker.receive_maximum = seed % 3 == 0 ? 2 : 0;
    route_is((struct sos_sim_route){ .connect_min_us = 1000,
                                     .connect_max_us = 50000,
                                     .give_up_us = 2000000,
                                     .stream = { .delay_max_us = seed % 2 == 0 ? 20000 : 500,
                                                 .transfer_max = seed % 5 == 0 ? 3 : 0 },
                                     .refused_percent = 10,
                                     .black_hole_percent = 5,
                                     .reset_percent = 70,
                                     .half_open_percent = 10,
                                     .reset_us = 300000 });
    sos_sim_call(world.kernel, 20000000, the_network_gets_better, NULL);
    start_client(echoed, (struct sos_mqtt_options){
                             .client_id = "numbers",
                             .version = seed % 4 < 2 ? 5 : 3,
                             .keep_alive_s = 1,
                             .max_in_flight = 3,
                             .receive_maximum = seed % 3 == 0 ? 1 : 0,
                             .topic_aliases = seed % 8 == 0 ? 2 : 0,
                             .retry = { .first_delay_us = 20000, .max_delay_us = 200000 } });
    CHECK_INT(sos_run(world.os), SOS_OK);
    expect_nothing_lost_and_nothing_twice(at_broker);
    expect_nothing_lost_and_nothing_twice(at_client);
    lost += broker.connections - 1;
    aliased += broker.aliased;
    if (seed % 100 == 0)
        CHECK(lost > 100 && aliased > 10);
    net_close();
}

static void nothing_is_lost_and_nothing_comes_twice(void)
{
    const char *few = getenv("SOS_PROPERTY_SEEDS");
    uint64_t seeds = few != NULL ? strtoull(few, NULL, 10) / 10 : 1000;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        a_bad_network(seed);
}

/* ---- Killed at every step, and timed out at every moment; nothing may be left */

struct everything {
    sos_frame frame;
    struct sos_mqtt_options options;
    sos_mqtt *mqtt;
    sos_mqtt_inbox *inbox;
    struct sos_mqtt_message message;
    struct sos_mqtt_filter filter;
    int index;
};

static async_fn(everything)
{
    async_begin(everything);
    try_await(sos_mqtt_connect(task, &self->options, &self->mqtt, NULL));
    CHECK_INT(sos_mqtt_inbox_open(self->mqtt, NULL, &self->inbox), SOS_OK);
    self->filter = (struct sos_mqtt_filter){ .filter = "#", .qos = 2 };
    try_await(sos_mqtt_subscribe(task, self->inbox, &self->filter, 1));
    for (; self->index < 3; self->index++) {
        try_await(publish(task, self->mqtt, "t", "text", self->index));
        try_await(sos_mqtt_receive(task, self->inbox, &self->message));
    }
    try_await(sos_mqtt_request(task, self->mqtt,
                               &(struct sos_mqtt_message){ .topic = "nobody", .qos = 1 },
                               &self->message));
    async_finally;
    sos_mqtt_message_free(&self->message);
    sos_mqtt_inbox_close(self->inbox);
    sos_mqtt_close(self->mqtt);
    async_end;
}

struct patient {
    sos_frame frame;
    struct sos_mqtt_options options;
    int64_t us;
};

static async_fn(patient)
{
    async_begin(patient);
    self->options.host = HOST;
    await(sos_within(task, self->us, async_call(everything, .options = self->options)));
    CHECK_INT(sos_status(task), SOS_ETIMEDOUT);
    async_end;
}

static void a_kill_at_any_step_leaves_nothing(void)
{
    int stride = getenv("SOS_VALGRIND") != NULL ? 7 : 1;
    for (int steps = 0, over = 0; over < 10; steps += stride) {
        net_open(0);
        route_is((struct sos_sim_route){ .connect_min_us = 10, .stream = { .delay_min_us = 10 } });
        sos_handle target = sos_fork(world.os, patient, sos_opt(.priority = 4), .us = SOS_SEC(900));
        int status = 1;
        for (int step = 0; step < steps && status >= 0; step++)
            status = sos_run_once(world.os, SOS_SEC(1));
        over += status == 0; /* it waits for a response that never comes */
        CHECK_INT(sos_kill(world.os, target), SOS_OK);
        CHECK_INT(sos_run(world.os), SOS_OK);
        sos_sim_trace_clear(world.kernel);
        net_close();
    }
}

static void a_deadline_at_any_time_leaves_nothing(void)
{
    int64_t stride = getenv("SOS_VALGRIND") != NULL ? 23 : 1;
    for (int64_t us = 0; us < 400; us += stride) {
        net_open(0);
        route_is((struct sos_sim_route){ .connect_min_us = 10, .stream = { .delay_min_us = 10 } });
        CHECK(sos_fork(world.os, patient, sos_opt(.priority = 4), .us = us).pid >= 0);
        CHECK_INT(sos_run(world.os), SOS_OK);
        net_close();
    }
}

int main(void)
{
    a_silent_server_is_noticed_after_one_and_a_half_keep_alives();
    a_flood_of_outgoing_messages_hides_no_dead_link();
    a_client_that_only_receives_pings();
    a_full_inbox_holds_the_connection_up_and_loses_nothing();
    a_message_in_the_hands_of_a_killed_receiver_is_given_back();
    a_ping_waits_for_its_answer_on_a_second_connection_too();
    a_kill_at_any_step_leaves_nothing();
    a_deadline_at_any_time_leaves_nothing();
    nothing_is_lost_and_nothing_comes_twice();
    return 0;
}
