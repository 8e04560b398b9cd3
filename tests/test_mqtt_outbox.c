/* SPDX-License-Identifier: MIT */
/* The outbox of the MQTT client while there is no connection: its budget, its policies, what can be
 * taken out of it, and what a cancelled publish leaves. On the simulation kernel. */
#include "mqtt_broker.h"
#include "smallos/mqtt.h"
#include "world.h"

#define HOST "10.0.0.1"

static struct broker broker;
static char log_text[1024];

static void published(void *context, const struct sos_mqtt_publish_ *publish)
{
    size_t used = strlen(log_text);
    (void)context;
    snprintf(log_text + used, sizeof log_text - used, "%.*s=%.*s%s ", (int)publish->topic.size,
             publish->topic.data, (int)publish->payload.size, publish->payload.data,
             publish->dup ? "!" : "");
}

static void net_open(void)
{
    world_open(NULL);
    log_text[0] = '\0';
    broker = (struct broker){ .address = HOST, .priority = 3, .published = published };
    CHECK_INT(sos_sim_set_route(world.kernel, HOST, 1883,
                                &(struct sos_sim_route){ .fate = SOS_SIM_REFUSES }),
              SOS_OK);
}

static void net_close(void)
{
    CHECK_INT(sos_sim_descriptors(world.kernel), 0);
    world_close();
    broker_end(&broker);
}

/* The server is there from now on. */
static void network_up(void)
{
    CHECK_INT(sos_sim_set_route(world.kernel, HOST, 1883, &(struct sos_sim_route){ 0 }), SOS_OK);
    broker_start(world.os, &broker);
}

struct scene {
    sos_frame frame;
    struct sos_scope scope;
    struct sos_mqtt_options options;
    sos_mqtt *mqtt;
    struct sos_mqtt_message message;
    struct sos_mqtt_state state;
    sos_handle publisher;
    int index;
};

static void close_scene(struct scene *self)
{
    sos_mqtt_message_free(&self->message);
    sos_mqtt_close(self->mqtt);
}

static void run_scene(sos_async_function function, struct sos_mqtt_options options)
{
    net_open();
    options.host = HOST;
    options.retry.max_delay_us = SOS_MS(250);
    struct scene scene = { .options = options };
    const struct sos_start start = { .function = function,
                                     .frame = &scene,
                                     .name = "scene",
                                     .size = sizeof scene,
                                     .options = { .priority = 4 } };
    CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
    CHECK_INT(sos_run(world.os), SOS_OK);
    sos_sim_trace_clear(world.kernel);
    net_close();
}

#define CHECKED(operation, status)                                                                 \
    await(operation);                                                                              \
    CHECK_INT(sos_status(task), (status))
#define START() CHECK_INT(sos_mqtt_start(task, &self->options, &self->mqtt), SOS_OK)

static struct sos_mqtt_message message_of(const char *topic, const char *text, int qos)
{
    return (struct sos_mqtt_message){
        .topic = topic, .payload = text, .size = strlen(text), .qos = (uint8_t)qos
    };
}

static int post(sos_mqtt *mqtt, const char *topic, const char *text, int qos)
{
    struct sos_mqtt_message message = message_of(topic, text, qos);
    return sos_mqtt_post(mqtt, &message);
}

static struct sos_mqtt_state state_of(const sos_mqtt *mqtt)
{
    struct sos_mqtt_state state;
    sos_mqtt_inspect(mqtt, &state);
    return state;
}

/* ---- Offline, and then online */

static async_fn(offline)
{
    async_begin(scene);
    START();
    CHECK_INT(post(self->mqtt, "a", "1", 1), SOS_OK);
    CHECK_INT(post(self->mqtt, "b", "2", 0), SOS_OK);
    CHECK_INT(post(self->mqtt, "c", "3", 2), SOS_OK);
    await(sos_sleep(task, SOS_SEC(5)));
    CHECK_INT(state_of(self->mqtt).messages, 3);
    CHECK(!state_of(self->mqtt).connected);
    CHECK(strstr(state_of(self->mqtt).error, "refused") != NULL);
    network_up();
    CHECKED(sos_mqtt_drain(task, self->mqtt), SOS_OK);
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_OK);
    CHECK_TEXT(log_text, "a=1 b=2 c=3 ");
    CHECK_INT(state_of(self->mqtt).bytes, 0);
    async_finally;
    close_scene(self);
    async_end;
}

static void what_is_published_offline_is_sent_in_order(void)
{
    run_scene(offline, (struct sos_mqtt_options){ .version = 5 });
    run_scene(offline, (struct sos_mqtt_options){ .version = 3 });
}

/* ---- Policies: a budget of a few messages */

enum { BUDGET = 700 };

static int fill(sos_mqtt *mqtt)
{
    int count = 0;
    char text[16];
    while (count < 100) {
        snprintf(text, sizeof text, "%d", count);
        if (post(mqtt, count % 2 == 0 ? "even" : "odd", text, 1) != SOS_OK)
            break;
        count++;
    }
    return count;
}

static async_fn(refusing)
{
    async_begin(scene);
    START();
    self->index = fill(self->mqtt);
    CHECK(self->index > 2 && self->index < 10);
    CHECK_INT(post(self->mqtt, "more", "x", 1), SOS_ELIMIT);
    CHECK_INT(post(self->mqtt, "more", "x", 0), SOS_ELIMIT);
    CHECK(state_of(self->mqtt).bytes <= BUDGET);
    self->message = message_of("more", "x", 1);
    CHECKED(sos_mqtt_publish(task, self->mqtt, &self->message, NULL), SOS_ELIMIT);
    CHECK_INT(state_of(self->mqtt).messages, self->index);
    async_finally;
    close_scene(self);
    async_end;
}

static void a_full_outbox_refuses(void)
{
    run_scene(refusing, (struct sos_mqtt_options){ .outbox_bytes = BUDGET });
}

struct waiter {
    sos_frame frame;
    sos_mqtt *mqtt;
    const char *topic, *text;
    int status;
};

static async_fn(waiter)
{
    async_begin(waiter);
    self->status = 1;
    await(sos_mqtt_publish(task, self->mqtt,
                           &(struct sos_mqtt_message){
                               .topic = self->topic, .payload = self->text, .size = 1, .qos = 1 },
                           NULL));
    async_return(sos_status(task));
    async_end;
}

static async_fn(dropping)
{
    async_begin(scene);
    START();
    self->publisher = async_spawn(waiter, sos_opt(), .mqtt = self->mqtt, .topic = "first",
                                  .text = "f");
    await(sos_yield(task));
    CHECK_INT(fill(self->mqtt), 100);
    CHECK(state_of(self->mqtt).bytes <= BUDGET);
    CHECKED(sos_join(task, self->publisher), SOS_ELIMIT); /* it was the oldest */
    network_up();
    CHECKED(sos_mqtt_drain(task, self->mqtt), SOS_OK);
    CHECK(strstr(log_text, "even=98 odd=99 ") != NULL);
    CHECK(strstr(log_text, "even=0 ") == NULL);
    CHECK(state_of(self->mqtt).dropped > 90);
    async_finally;
    close_scene(self);
    async_end;
}

static void a_full_outbox_drops_the_oldest(void)
{
    run_scene(dropping, (struct sos_mqtt_options){ .outbox_bytes = BUDGET,
                                                   .outbox_policy = SOS_MQTT_DROP_OLDEST });
}

static async_fn(newest)
{
    async_begin(scene);
    START();
    CHECK_INT(fill(self->mqtt), 100);
    CHECK_INT(state_of(self->mqtt).messages, 2);
    network_up();
    CHECKED(sos_mqtt_drain(task, self->mqtt), SOS_OK);
    CHECK_TEXT(log_text, "even=98 odd=99 ");
    CHECK_INT(state_of(self->mqtt).dropped, 98);
    async_finally;
    close_scene(self);
    async_end;
}

static void the_newest_of_each_topic_stays(void)
{
    run_scene(newest, (struct sos_mqtt_options){ .outbox_policy = SOS_MQTT_NEWEST_PER_TOPIC });
}

/* ---- Taking out */

static async_fn(taking)
{
    async_begin(scene);
    START();
    self->publisher = async_spawn(waiter, sos_opt(), .mqtt = self->mqtt, .topic = "t", .text = "w");
    await(sos_yield(task));
    CHECK_INT(post(self->mqtt, "t", "second", 2), SOS_OK);
    CHECK_INT(sos_mqtt_take_unsent(self->mqtt, &self->message), SOS_OK);
    CHECK_TEXT(self->message.payload, "w");
    CHECKED(sos_join(task, self->publisher), SOS_ECANCELED);
    CHECK_INT(sos_mqtt_take_unsent(self->mqtt, &self->message), SOS_OK);
    CHECK_TEXT(self->message.topic, "t");
    CHECK_TEXT(self->message.payload, "second");
    CHECK_INT(self->message.qos, 2);
    CHECK_INT(sos_mqtt_take_unsent(self->mqtt, &self->message), SOS_EAGAIN);
    CHECK(self->message.topic == NULL);
    CHECK_INT(state_of(self->mqtt).messages, 0);
    async_finally;
    close_scene(self);
    async_end;
}

static void unsent_messages_can_be_taken_out(void)
{
    run_scene(taking, (struct sos_mqtt_options){ 0 });
}

/* ---- A cancelled publish: withdrawn if it was not sent, else it stays in flight */

static async_fn(cancelled)
{
    async_begin(scene);
    START();
    self->message = message_of("t", "withdrawn", 1);
    CHECKED(sos_within(task, SOS_MS(100), sos_mqtt_publish(task, self->mqtt, &self->message, NULL)),
            SOS_ETIMEDOUT);
    self->message = (struct sos_mqtt_message){ 0 };
    CHECK_INT(state_of(self->mqtt).messages, 0);
    network_up();
    CHECKED(sos_mqtt_ready(task, self->mqtt), SOS_OK);
    CHECK_INT(sos_sim_set_route(world.kernel, HOST, 1883,
                                &(struct sos_sim_route){ .stream = { .delay_min_us = 1 } }),
              SOS_OK);
    self->message = message_of("t", "sent", 1);
    CHECKED(sos_within(task, 0, sos_mqtt_publish(task, self->mqtt, &self->message, NULL)),
            SOS_ETIMEDOUT);
    self->message = (struct sos_mqtt_message){ 0 };
    CHECK_INT(state_of(self->mqtt).messages, 1);
    CHECKED(sos_mqtt_drain(task, self->mqtt), SOS_OK);
    CHECK_TEXT(log_text, "t=sent ");
    async_finally;
    close_scene(self);
    async_end;
}

static void a_cancelled_publish_is_withdrawn_unless_it_was_sent(void)
{
    run_scene(cancelled, (struct sos_mqtt_options){ 0 });
}

/* ---- Close: who waits hears of it, and a later call too */

static async_fn(closing)
{
    async_begin(scene);
    START();
    self->publisher = async_spawn(waiter, sos_opt(), .mqtt = self->mqtt, .topic = "t", .text = "w");
    await(sos_yield(task));
    sos_mqtt_close(self->mqtt);
    self->mqtt = NULL;
    CHECKED(sos_join(task, self->publisher), SOS_ECANCELED);
    async_finally;
    close_scene(self);
    async_end;
}

static void those_who_wait_hear_of_a_close(void)
{
    run_scene(closing, (struct sos_mqtt_options){ 0 });
}

/* ---- Attempts may be limited */

static async_fn(giving_up)
{
    async_begin(scene);
    START();
    CHECKED(sos_mqtt_ready(task, self->mqtt), SOS_ECONNREFUSED);
    self->message = message_of("t", "x", 1);
    CHECKED(sos_mqtt_publish(task, self->mqtt, &self->message, NULL), SOS_ECONNREFUSED);
    self->message = (struct sos_mqtt_message){ 0 };
    CHECK_INT(post(self->mqtt, "t", "x", 0), SOS_ECONNREFUSED);
    CHECKED(sos_mqtt_drain(task, self->mqtt), SOS_ECONNREFUSED);
    CHECKED(sos_mqtt_ping(task, self->mqtt), SOS_ECONNREFUSED);
    async_finally;
    close_scene(self);
    async_end;
}

static void after_its_last_attempt_a_client_is_ended(void)
{
    run_scene(giving_up, (struct sos_mqtt_options){ .retry = { .attempts_max = 3 } });
}

/* ---- Refused before anything is kept */

static async_fn(wrong)
{
    async_begin(scene);
    START();
    CHECK_INT(post(self->mqtt, "a/+", "x", 1), SOS_EINVAL);
    CHECK_INT(post(self->mqtt, "", "x", 1), SOS_EINVAL);
    CHECK_INT(post(self->mqtt, NULL, "x", 1), SOS_EINVAL);
    CHECK_INT(post(self->mqtt, "a", "x", 3), SOS_EINVAL);
    CHECK_INT(post(self->mqtt, "\xff", "x", 0), SOS_EINVAL);
    CHECK_INT(
        sos_mqtt_post(self->mqtt, &(struct sos_mqtt_message){ .topic = "a", .content_type = "b" }),
        self->options.version == 5 ? SOS_OK : SOS_ENOTSUP);
    CHECK_INT(state_of(self->mqtt).messages, self->options.version == 5);
    async_finally;
    close_scene(self);
    async_end;
}

static void what_the_protocol_forbids_is_refused_at_once(void)
{
    run_scene(wrong, (struct sos_mqtt_options){ .version = 3 });
    run_scene(wrong, (struct sos_mqtt_options){ .version = 5 });
}

/* ---- Packet identifiers: none is given twice, however many messages wait */

static async_fn(many_ids)
{
    async_begin(scene);
    START();
    for (self->index = 0; post(self->mqtt, "t", "", 1) == SOS_OK; self->index++)
        continue;
    CHECK_INT(self->index, 65535);
    CHECK_INT(sos_mqtt_take_unsent(self->mqtt, &self->message), SOS_OK);
    CHECK_INT(post(self->mqtt, "t", "", 1), SOS_OK);
    CHECK_INT(post(self->mqtt, "t", "", 1), SOS_ELIMIT);
    CHECK_INT(post(self->mqtt, "t", "", 0), SOS_OK);
    async_finally;
    close_scene(self);
    async_end;
}

static void all_identifiers_are_used_and_none_twice(void)
{
    if (getenv("SOS_VALGRIND") != NULL)
        return; /* takes its time there */
    run_scene(many_ids, (struct sos_mqtt_options){ .outbox_bytes = SOS_NONE });
}

/* ---- Memory: every allocation may fail */

static async_fn(frugal)
{
    async_begin(scene);
    await(sos_mqtt_connect(task, &self->options, &self->mqtt, NULL));
    if (self->mqtt != NULL) {
        await(sos_within(task, SOS_SEC(100),
                         sos_mqtt_publish(task, self->mqtt,
                                          &(struct sos_mqtt_message){ .topic = "t", .qos = 2 },
                                          NULL)));
        await(sos_within(task, SOS_SEC(100), sos_mqtt_disconnect(task, &self->mqtt)));
    }
    async_finally;
    close_scene(self);
    async_end;
}

static void every_failing_allocation_is_an_error_and_leaks_nothing(void)
{
    for (uint64_t n = 1;; n++) {
        net_open();
        network_up();
        struct scene scene = { .options = { .host = HOST, .topic_aliases = 4 } };
        const struct sos_start start = { .function = frugal,
                                         .frame = &scene,
                                         .name = "frugal",
                                         .size = sizeof scene,
                                         .options = { .priority = 4 } };
        CHECK_INT(sos_fork_list(world.os, &start, 1, NULL), SOS_OK);
        uint64_t before = sos_sim_memory(world.kernel).allocations;
        sos_sim_fail_allocation(world.kernel, n, false);
        CHECK_INT(sos_run(world.os), SOS_OK);
        bool failed = sos_sim_memory(world.kernel).allocations >= before + n;
        sos_sim_trace_clear(world.kernel);
        net_close();
        if (!failed)
            break;
    }
}

int main(void)
{
    what_is_published_offline_is_sent_in_order();
    a_full_outbox_refuses();
    a_full_outbox_drops_the_oldest();
    the_newest_of_each_topic_stays();
    unsent_messages_can_be_taken_out();
    a_cancelled_publish_is_withdrawn_unless_it_was_sent();
    those_who_wait_hear_of_a_close();
    after_its_last_attempt_a_client_is_ended();
    what_the_protocol_forbids_is_refused_at_once();
    all_identifiers_are_used_and_none_twice();
    every_failing_allocation_is_an_error_and_leaks_nothing();
    return 0;
}
