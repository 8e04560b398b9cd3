/* SPDX-License-Identifier: MIT */
/*
 * Filters of inboxes, and the packets by which the server hears of them. A question (SUBSCRIBE or
 * UNSUBSCRIBE) is asked again after a lost connection until it is answered; what had been answered
 * is asked for anew when the server has forgotten the session.
 */
#include <string.h>

#include "mqtt_internal.h"

enum { FILTERS_AT_ONCE = 32 }; /* in a packet of our own */

/* ---- Routes */

static struct sos_mqtt_route_ **find_route(sos_mqtt_inbox *inbox, struct sos_mqtt_slice_ filter)
{
    struct sos_mqtt_route_ **at = &inbox->routes;
    while (*at != NULL && ((*at)->filter.filter.size != filter.size ||
                           memcmp((*at)->filter.filter.data, filter.data, filter.size) != 0))
        at = &(*at)->next;
    return at;
}

static void remove_route(sos_mqtt_inbox *inbox, struct sos_mqtt_route_ **at)
{
    struct sos_mqtt_route_ *route = *at;
    *at = route->next;
    sos_memory_give(inbox->os, route, route->memory);
}

static struct sos_mqtt_filter_ described(const struct sos_mqtt_filter *filter)
{
    return (struct sos_mqtt_filter_){ .filter = sos_mqtt_text_(filter->filter),
                                      .qos = filter->qos,
                                      .retain_handling = filter->retain_handling,
                                      .no_local = filter->no_local,
                                      .retain_as_published = filter->retain_as_published };
}

/* Adds it, or changes how it is subscribed to. */
static bool add_route(sos_mqtt_inbox *inbox, const struct sos_mqtt_filter_ *filter,
                      struct sos_mqtt_question_ *question)
{
    struct sos_mqtt_route_ **at = find_route(inbox, filter->filter), *route = *at;
    if (route == NULL) {
        size_t size = sizeof *route + filter->filter.size;
        route = sos_memory_take(inbox->os, size);
        if (route == NULL)
            return false;
        memset(route, 0, sizeof *route);
        route->memory = size;
        memcpy(route + 1, filter->filter.data, filter->filter.size);
        route->filter.filter.data = (const char *)(route + 1);
        *at = route;
    }
    struct sos_mqtt_slice_ text = { route->filter.filter.data, filter->filter.size };
    route->filter = *filter;
    route->filter.filter = text;
    route->question = question;
    return true;
}

static bool others_want(const sos_mqtt *mqtt, const sos_mqtt_inbox *but,
                        struct sos_mqtt_slice_ filter)
{
    for (sos_mqtt_inbox *inbox = mqtt->inboxes; inbox != NULL; inbox = inbox->next)
        if (inbox != but && *find_route(inbox, filter) != NULL)
            return true;
    return false;
}

/* ---- Questions */

static size_t memory_of(const struct sos_mqtt_question_ *question)
{
    return sizeof *question + question->size;
}

/* Makes one with its packet; not in the list yet. */
static int make_question(sos_mqtt *mqtt, bool subscribes, const struct sos_mqtt_filter_ *filters,
                         uint32_t count, struct sos_mqtt_question_ **made)
{
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    memset(&packet, 0, sizeof packet);
    packet.type = subscribes ? SOS_MQTT_SUBSCRIBE_ : SOS_MQTT_UNSUBSCRIBE_;
    packet.subscribe.filters = filters;
    packet.subscribe.count = count;
    packet.subscribe.id = sos_mqtt_next_id_(mqtt);
    if (packet.subscribe.id == 0)
        return SOS_ELIMIT;
    int size = sos_mqtt_write_(&mqtt->out, &packet, NULL, 0, &error);
    if (size < 0)
        return size;
    struct sos_mqtt_question_ *question = sos_memory_take(mqtt->os,
                                                          sizeof *question + (size_t)size);
    if (question == NULL)
        return SOS_ENOMEM;
    memset(question, 0, sizeof *question);
    sos_event_init(&question->done, "answer to a subscription");
    question->id = packet.subscribe.id;
    question->subscribes = subscribes;
    question->count = count;
    question->size = (uint32_t)size;
    (void)sos_mqtt_write_(&mqtt->out, &packet, question->packet, (size_t)size, &error);
    *made = question;
    return SOS_OK;
}

static void ask(sos_mqtt *mqtt, struct sos_mqtt_question_ *question)
{
    *mqtt->questions_end = question;
    mqtt->questions_end = &question->next;
    if (mqtt->up)
        (void)sos_mqtt_put_bytes_(mqtt, question->packet, question->size);
}

static void unlist(sos_mqtt *mqtt, struct sos_mqtt_question_ **at)
{
    struct sos_mqtt_question_ *question = *at;
    *at = question->next;
    if (mqtt->questions_end == &question->next)
        mqtt->questions_end = at;
}

static void finish(sos_mqtt *mqtt, struct sos_mqtt_question_ **at, int status)
{
    struct sos_mqtt_question_ *question = *at;
    unlist(mqtt, at);
    question->status = status;
    if (question->awaited)
        sos_event_set(&question->done);
    else
        sos_memory_give(mqtt->os, question, memory_of(question));
}

void sos_mqtt_questions_end_(sos_mqtt *mqtt, int status)
{
    for (sos_mqtt_inbox *inbox = mqtt->inboxes; inbox != NULL; inbox = inbox->next)
        for (struct sos_mqtt_route_ *route = inbox->routes; route != NULL; route = route->next)
            route->question = NULL;
    while (mqtt->questions != NULL)
        finish(mqtt, &mqtt->questions, status);
}

/* ---- Answers */

/* One filter was answered: false if it was refused. */
static bool settle(sos_mqtt *mqtt, struct sos_mqtt_question_ *question, uint32_t index,
                   struct sos_mqtt_slice_ filter, uint8_t reason)
{
    if (question->answers != NULL)
        question->answers[index].reason = reason;
    if (!question->subscribes || question->inbox == NULL)
        return reason < 0x80;
    struct sos_mqtt_route_ **at = find_route(question->inbox, filter);
    if (*at == NULL || (*at)->question != question) /* asked for again since */
        return reason < 0x80;
    (*at)->question = NULL;
    if (reason < 0x80)
        return true;
    remove_route(question->inbox, at);
    mqtt->state.refused += !question->awaited;
    return false;
}

static int settle_all(sos_mqtt *mqtt, struct sos_mqtt_question_ *question,
                      struct sos_mqtt_slice_ reasons)
{
    struct sos_mqtt_rules_ rules = { mqtt->version, SOS_MQTT_CLIENT_, 0 };
    struct sos_mqtt_packet_ packet;
    struct sos_mqtt_error_ error;
    struct sos_mqtt_filter_ filter;
    uint32_t at = 0;
    int status = SOS_OK;
    (void)sos_mqtt_read_(&rules, question->packet, question->size, &packet, &error);
    for (uint32_t index = 0; index < question->count; index++) {
        uint8_t reason = reasons.size != 0 ? (uint8_t)reasons.data[index] : 0;
        if (sos_mqtt_next_filter_(&rules, packet.type, &packet.subscribe, &at, &filter) &&
            !settle(mqtt, question, index, filter.filter, reason))
            status = SOS_ESERVER;
    }
    return status;
}

bool sos_mqtt_answered_(sos_mqtt *mqtt, int type, const struct sos_mqtt_suback_ *suback)
{
    struct sos_mqtt_question_ **at = &mqtt->questions;
    bool has_reasons = type == SOS_MQTT_SUBACK_ || mqtt->version == SOS_MQTT_5_;
    while (*at != NULL && (*at)->id != suback->id)
        at = &(*at)->next;
    if (*at == NULL || (*at)->subscribes != (type == SOS_MQTT_SUBACK_) ||
        (has_reasons && suback->reasons.size != (*at)->count))
        return false;
    finish(mqtt, at, settle_all(mqtt, *at, suback->reasons));
    return true;
}

/* ---- A new connection */

/* All that is in force and not being asked for, in packets of a few. */
static int subscribe_again(sos_mqtt *mqtt, sos_mqtt_inbox *inbox)
{
    struct sos_mqtt_filter_ filters[FILTERS_AT_ONCE];
    struct sos_mqtt_route_ *route = inbox->routes, *next = route;
    while (route != NULL) {
        struct sos_mqtt_question_ *question;
        uint32_t count = 0;
        for (next = route; next != NULL && count < FILTERS_AT_ONCE; next = next->next)
            if (next->question == NULL)
                filters[count++] = next->filter;
        if (count == 0)
            break;
        int status = make_question(mqtt, true, filters, count, &question);
        if (status != SOS_OK)
            return status;
        question->inbox = inbox;
        for (; route != next; route = route->next)
            if (route->question == NULL)
                route->question = question;
        *mqtt->questions_end = question;
        mqtt->questions_end = &question->next;
    }
    return SOS_OK;
}

void sos_mqtt_questions_resume_(sos_mqtt *mqtt, bool session_present)
{
    for (sos_mqtt_inbox *inbox = mqtt->inboxes; inbox != NULL && !session_present;
         inbox = inbox->next) {
        int status = subscribe_again(mqtt, inbox);
        if (status != SOS_OK)
            sos_mqtt_break_(mqtt, status, 0, "subscriptions cannot be made anew");
    }
    struct sos_mqtt_question_ *each = mqtt->questions;
    for (; each != NULL && mqtt->broken == 0; each = each->next)
        (void)sos_mqtt_put_bytes_(mqtt, each->packet, each->size);
}

/* ---- Subscribing */

/* All in one packet; refuses what the protocol does before anything is changed. */
static int subscribe(sos_mqtt_inbox *inbox, const struct sos_mqtt_filter *filters, size_t count,
                     struct sos_mqtt_question_ **question)
{
    sos_mqtt *mqtt = inbox->mqtt;
    if (mqtt == NULL || mqtt->error != 0)
        return mqtt == NULL ? SOS_ECANCELED : mqtt->error;
    if (filters == NULL || count == 0)
        return SOS_EINVAL;
    if (count > SOS_MQTT_LENGTH_MAX_ / 4)
        return SOS_ELIMIT;
    struct sos_mqtt_filter_ *list = sos_memory_take(mqtt->os, count * sizeof *list);
    if (list == NULL)
        return SOS_ENOMEM;
    int status = SOS_OK;
    for (size_t index = 0; index < count; index++) {
        list[index] = described(&filters[index]);
        if (list[index].filter.data == NULL)
            status = SOS_EINVAL;
    }
    if (status == SOS_OK)
        status = make_question(mqtt, true, list, (uint32_t)count, question);
    if (status == SOS_OK) {
        (*question)->inbox = inbox;
        ask(mqtt, *question);
        for (size_t index = 0; index < count && status == SOS_OK; index++)
            if (!add_route(inbox, &list[index], *question))
                status = SOS_ENOMEM; /* what was added stays */
    }
    sos_memory_give(mqtt->os, list, count * sizeof *list);
    return status;
}

struct mqtt_answer {
    sos_frame frame;
    sos_mqtt *mqtt;
    struct sos_mqtt_question_ *question;
    struct sos_mqtt_filter *answers;
};

static async_fn(mqtt_answer)
{
    async_begin(mqtt_answer);
    sos_mqtt_enter_(self->mqtt);
    self->question->awaited = true;
    self->question->answers = self->answers;
    try_await(sos_event_wait(task, &self->question->done));
    async_return(self->question->status);
    async_finally;
    self->question->awaited = false;
    self->question->answers = NULL;
    if (self->question->done.set)
        sos_memory_give(self->mqtt->os, self->question, memory_of(self->question));
    sos_mqtt_leave_(self->mqtt);
    async_end;
}

sos_op sos_mqtt_subscribe(sos_task *task, sos_mqtt_inbox *inbox, struct sos_mqtt_filter *filters,
                          size_t count)
{
    struct sos_mqtt_question_ *question = NULL;
    int status = subscribe(inbox, filters, count, &question);
    if (status != SOS_OK)
        return sos_complete(task, status);
    return async_call(mqtt_answer, .mqtt = inbox->mqtt, .question = question, .answers = filters);
}

int sos_mqtt_want(sos_mqtt_inbox *inbox, const struct sos_mqtt_filter *filters, size_t count)
{
    struct sos_mqtt_question_ *question = NULL;
    return subscribe(inbox, filters, count, &question);
}

/* ---- Unsubscribing */

/* Of the routes of an inbox, or of those that are named, the ones that nobody else wants. *question is
 * NULL if there are none. */
static int unsubscribe(sos_mqtt_inbox *inbox, struct sos_mqtt_filter_ *filters, size_t count,
                       struct sos_mqtt_question_ **question)
{
    uint32_t lonely = 0;
    *question = NULL;
    for (size_t index = 0; index < count; index++)
        if (!others_want(inbox->mqtt, inbox, filters[index].filter))
            filters[lonely++] = filters[index];
    if (lonely == 0)
        return SOS_OK;
    int status = make_question(inbox->mqtt, false, filters, lonely, question);
    if (status == SOS_OK)
        ask(inbox->mqtt, *question);
    return status;
}

void sos_mqtt_routes_free_(sos_mqtt_inbox *inbox)
{
    struct sos_mqtt_filter_ filters[FILTERS_AT_ONCE];
    struct sos_mqtt_question_ *question = NULL;
    bool tells = inbox->mqtt != NULL && inbox->mqtt->error == 0;
    for (question = tells ? inbox->mqtt->questions : NULL; question != NULL;
         question = question->next)
        if (question->inbox == inbox)
            question->inbox = NULL;
    while (inbox->routes != NULL) {
        struct sos_mqtt_route_ *route = inbox->routes;
        uint32_t count = 0;
        for (; route != NULL && count < FILTERS_AT_ONCE; route = route->next)
            filters[count++] = route->filter;
        if (tells) /* without memory the server goes on sending; nobody minds */
            (void)unsubscribe(inbox, filters, count, &question);
        while (count-- != 0)
            remove_route(inbox, &inbox->routes);
    }
}

static int unsubscribe_named(sos_mqtt_inbox *inbox, const char *const *names, size_t count,
                             struct sos_mqtt_question_ **question)
{
    sos *os = inbox->os;
    struct sos_mqtt_filter_ *list = sos_memory_take(os, count * sizeof *list);
    if (list == NULL)
        return SOS_ENOMEM;
    memset(list, 0, count * sizeof *list);
    for (size_t index = 0; index < count; index++)
        list[index].filter = sos_mqtt_text_(names[index]);
    int status = unsubscribe(inbox, list, count, question);
    for (size_t index = 0; index < count && status == SOS_OK; index++) {
        struct sos_mqtt_route_ **at = find_route(inbox, sos_mqtt_text_(names[index]));
        if (*at != NULL)
            remove_route(inbox, at);
    }
    sos_memory_give(os, list, count * sizeof *list);
    return status;
}

sos_op sos_mqtt_unsubscribe(sos_task *task, sos_mqtt_inbox *inbox, const char *const *filters,
                            size_t count)
{
    struct sos_mqtt_question_ *question = NULL;
    if (inbox->mqtt == NULL || inbox->mqtt->error != 0)
        return sos_complete(task, inbox->mqtt == NULL ? SOS_ECANCELED : inbox->mqtt->error);
    if (filters == NULL || count == 0 || count > SOS_MQTT_LENGTH_MAX_ / 4)
        return sos_complete(task, SOS_EINVAL);
    int status = unsubscribe_named(inbox, filters, count, &question);
    if (status != SOS_OK || question == NULL)
        return sos_complete(task, status);
    return async_call(mqtt_answer, .mqtt = inbox->mqtt, .question = question);
}
