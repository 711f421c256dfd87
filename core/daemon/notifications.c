/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/notifications.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "ledger/answers.h"
#include "ledger/notifying.h"
#include "notify/delivery.h"

#define AT_ONCE 4
#define AGAIN_IN (10 * USEC_PER_SEC) /* where the ledger could not be asked */

/* A message that is being sent. */
struct sending {
    struct notifications *owner;
    struct notify_delivery *delivery; /* NULL: the place is free */
    char *number;
    char *sink;
    int attempt;
};

struct notifications {
    struct lead *lead;
    struct loop_timer *timer;
    struct sending sending[AT_ONCE];
    bool asking;
    bool asked_again; /* while it was asking */
};

static const struct config_sink *find_sink(const struct lead *lead, const char *name)
{
    const struct config_sink *sink = config_find_sink(lead->snapshot->config, name);
    bool here = sink != NULL && (sink->database == NULL || strcmp(sink->database, lead->database->name) == 0);
    return here ? sink : NULL;
}

static bool any_sink(const struct lead *lead)
{
    const struct config *config = lead->snapshot->config;
    for (size_t i = 0; i < config->sink_count; i++) {
        if (find_sink(lead, config->sinks[i].name) != NULL) {
            return true;
        }
    }
    return false;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void free_place(struct sending *sending)
{
    delivery_destroy(sending->delivery);
    free(sending->number);
    free(sending->sink);
    *sending = (struct sending){.owner = sending->owner};
}

static void noted(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    enum ledger_answer answer = answer_of(reply);
    if (lead->over || answer == ANSWER_LOST) {
        return;
    }
    if (answer == ANSWER_NOT_LEADER) {
        lead_refused(lead, reply, "what came of a message could not be written");
    } else if (answer == ANSWER_TAKEN) {
        if (notifying_expired(reply)) {
            log_warning("database %s: a message to a sink could not be delivered and is given up: "
                        "chime.notification has it",
                        lead->database->name);
        }
        notifications_soon(lead->notifications);
    } else {
        loop_timer_set(lead->notifications->timer, AGAIN_IN);
    }
}

static void note(struct lead *lead, const char *sink, const char *number, int attempt, const char *problem,
                 bool refused)
{
    if (problem != NULL && attempt <= 1) {
        log_warning("database %s: sink %s: message %s is not delivered yet: %s", lead->database->name, sink, number,
                    problem);
    }
    notifying_note(&lead->ledger, number, problem, refused, noted, lead);
}

static void delivered(void *data, const char *problem)
{
    struct sending *sending = data;
    struct lead *lead = sending->owner->lead;
    if (!lead->over) {
        note(lead, sending->sink, sending->number, sending->attempt, problem, delivery_refused(sending->delivery));
    }
    free_place(sending);
}

static struct sending *find_place(struct notifications *notifications)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (notifications->sending[i].delivery == NULL) {
            return &notifications->sending[i];
        }
    }
    return NULL;
}

static void send_one(struct notifications *notifications, const struct notification *message)
{
    struct lead *lead = notifications->lead;
    struct sending *place = find_place(notifications);
    const struct config_sink *sink = find_sink(lead, message->sink);
    struct error err = {.message = "it is no longer configured"};
    char *key = xasprintf("%s-%s", lead->database->name, message->number);
    if (message->again) {
        log_info("database %s: sink %s: message %s was being sent when its leader ended, and is sent again",
                 lead->database->name, message->sink, message->number);
    }
    if (place != NULL && sink != NULL) {
        place->delivery = delivery_start(lead->loop, sink, message->body, key, delivered, place, &err);
    }
    if (place != NULL && place->delivery != NULL) {
        place->number = xstrdup(message->number);
        place->sink = xstrdup(message->sink);
        place->attempt = message->attempt;
    } else {
        note(lead, message->sink, message->number, message->attempt, err.message, false);
    }
    free(key);
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static void taken(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    struct notifications *notifications = lead->notifications;
    enum ledger_answer answer = answer_of(reply);
    if (lead->over || answer == ANSWER_LOST) {
        return;
    }
    notifications->asking = false;
    if (answer == ANSWER_NOT_LEADER) {
        lead_refused(lead, reply, "messages to sinks could not be taken");
        return;
    }
    duration next = answer == ANSWER_TAKEN ? notifying_next(reply) : AGAIN_IN;
    for (size_t i = 0; answer == ANSWER_TAKEN && i < notifying_count(reply); i++) {
        struct notification message = notifying_read(reply, i);
        send_one(notifications, &message);
    }
    if (next >= 0) {
        loop_timer_set(notifications->timer, next > 0 ? next : USEC_PER_SEC);
    }
    if (notifications->asked_again) {
        notifications->asked_again = false;
        notifications_soon(notifications);
    }
}

static void due(void *data)
{
    struct notifications *notifications = data;
    struct lead *lead = notifications->lead;
    struct columns busy;
    size_t free_slots = 0;
    if (lead->over || lead->draining || !any_sink(lead)) {
        return;
    }
    if (notifications->asking) {
        notifications->asked_again = true;
        return;
    }
    columns_init(&busy);
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (notifications->sending[i].delivery != NULL) {
            columns_text(&busy, 0, notifications->sending[i].sink);
        } else {
            free_slots++;
        }
    }
    columns_close(&busy);
    if (free_slots > 0) { /* else the end of one of them asks */
        notifications->asking = true;
        notifying_take(&lead->ledger, &busy, (int)free_slots, taken, lead);
    }
    columns_finish(&busy);
}

void notifications_soon(struct notifications *notifications)
{
    loop_timer_set(notifications->timer, 0);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void sinks_set(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (!lead_refused(lead, reply, "the sinks of alerts could not be written")) {
        notifications_soon(lead->notifications);
    }
}

static json_t *sink_json(const struct config_sink *sink)
{
    json_t *match = json_object();
    for (size_t i = 0; i < sink->match_count; i++) {
        json_object_set_new(match, sink->match[i].name, json_string(sink->match[i].value));
    }
    return json_pack("{s:s, s:s, s:o}", "name", sink->name, "type", sink_type_names[sink->type], "matchers", match);
}

void notifications_follow(struct notifications *notifications)
{
    struct lead *lead = notifications->lead;
    const struct config *config = lead->snapshot->config;
    json_t *sinks = json_array();
    for (size_t i = 0; i < config->sink_count; i++) {
        if (find_sink(lead, config->sinks[i].name) != NULL) {
            json_array_append_new(sinks, sink_json(&config->sinks[i]));
        }
    }
    char *text = json_dumps(sinks, JSON_COMPACT);
    notifying_set_sinks(&lead->ledger, text, sinks_set, lead);
    json_decref(sinks);
    free(text);
}

struct notifications *notifications_create(struct lead *lead)
{
    struct notifications *notifications = xcalloc(1, sizeof(*notifications));
    notifications->lead = lead;
    notifications->timer = loop_timer_create(lead->loop, due, notifications);
    for (size_t i = 0; i < AT_ONCE; i++) {
        notifications->sending[i].owner = notifications;
    }
    return notifications;
}

void notifications_destroy(struct notifications *notifications)
{
    if (notifications == NULL) {
        return;
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        free_place(&notifications->sending[i]);
    }
    loop_timer_destroy(notifications->timer);
    free(notifications);
}
