/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/heartbeat_ping.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "notify/delivery.h"

#define LOCK_SILENT (5 * USEC_PER_SEC) /* the leader lock was not heard of for so long: it may be another's */
#define WAITED_MOST (5 * USEC_PER_MINUTE)
#define AGAIN (10 * USEC_PER_SEC) /* after one that was not sent, or did not arrive, at most */

struct heartbeat_ping {
    struct lead *lead;
    struct loop_timer *timer;
    struct notify_delivery *delivery; /* under way; NULL: none */
    bool failing;                     /* the last one, as logged */
    bool withheld;                    /* likewise */
};

/* What a role itself, or others, keep from starting is no trouble of ours: else who makes jobs could have people told
 * that nobody is there. */
static bool counts(struct lead *lead, const struct scheduled *scheduled)
{
    const struct job *job = scheduled_job(scheduled);
    return job->owner == NULL || !(scheduled_lacks_slot(scheduled) || roles_hold_back(roles_of(lead, job)));
}

static instant oldest_due(struct lead *lead)
{
    instant oldest = INSTANT_NONE;
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        const struct scheduled *scheduled = scheduler_at(lead->scheduler, i);
        instant due = scheduled_due_since(scheduled);
        if (due != INSTANT_NONE && (oldest == INSTANT_NONE || due < oldest) && counts(lead, scheduled)) {
            oldest = due;
        }
    }
    return oldest;
}

/* NULL: all is well. */
static const char *why_not(const struct lead *lead, instant oldest)
{
    if (clock_boot() - lead->heartbeat_good > LOCK_SILENT) {
        return "the leader lock does not answer";
    }
    if (lead_waits(lead)) {
        return "the ledger cannot be written";
    }
    return oldest != INSTANT_NONE && lead_now(lead) - oldest > WAITED_MOST
               ? "a run has been due for more than 5 minutes, and has not started"
               : NULL;
}

static void tell_withheld(struct heartbeat_ping *ping, const char *reason)
{
    const char *database = ping->lead->database->name;
    if (reason != NULL && !ping->withheld) {
        log_warning("database %s: its heartbeat is not sent: %s", database, reason);
    } else if (reason == NULL && ping->withheld) {
        log_info("database %s: its heartbeat is sent again", database);
    }
    ping->withheld = reason != NULL;
}

static void tell_problem(struct heartbeat_ping *ping, const char *problem)
{
    const char *database = ping->lead->database->name;
    if (problem != NULL && !ping->failing) {
        log_warning("database %s: its heartbeat does not arrive: %s", database, problem);
    } else if (problem == NULL && ping->failing) {
        log_info("database %s: its heartbeat arrives again", database);
    }
    ping->failing = problem != NULL;
}

static void check_after(struct heartbeat_ping *ping, duration most)
{
    const struct config_heartbeat *heartbeat = ping->lead->database->heartbeat;
    if (heartbeat != NULL) {
        loop_timer_set(ping->timer, heartbeat->every < most ? heartbeat->every : most);
    }
}

static void sent(void *data, const char *problem)
{
    struct heartbeat_ping *ping = data;
    tell_problem(ping, problem);
    if (problem != NULL) {
        check_after(ping, AGAIN);
    }
    delivery_destroy(ping->delivery);
    ping->delivery = NULL;
}

static void send_one(struct heartbeat_ping *ping, instant oldest)
{
    const struct lead *lead = ping->lead;
    struct error err;
    duration waits = oldest != INSTANT_NONE ? lead_now(lead) - oldest : 0;
    char *text = xasprintf("database %s is led as epoch %lld, with %zu jobs; what is due waits for %lld s at most\n",
                           lead->database->name, (long long)lead->ledger.epoch, scheduler_count(lead->scheduler),
                           (long long)(waits > 0 ? waits / USEC_PER_SEC : 0));
    struct delivery_ping order = {.url = lead->database->heartbeat->url,
                                  .url_file = lead->database->heartbeat->url_file,
                                  .suffix = "",
                                  .text = text};
    ping->delivery = delivery_ping(lead->loop, &order, sent, ping, &err);
    if (ping->delivery == NULL) {
        tell_problem(ping, err.message);
    }
    free(text);
}

static void due(void *data)
{
    struct heartbeat_ping *ping = data;
    struct lead *lead = ping->lead;
    if (lead->over || lead->draining || lead->database->heartbeat == NULL) {
        return;
    }
    if (lead->heartbeats == 0) { /* the leader lock has not been asked for an answer yet */
        check_after(ping, USEC_PER_SEC);
        return;
    }
    instant oldest = oldest_due(lead);
    const char *reason = why_not(lead, oldest);
    check_after(ping, reason == NULL ? lead->database->heartbeat->every : AGAIN);
    tell_withheld(ping, reason);
    if (reason == NULL && ping->delivery == NULL) {
        send_one(ping, oldest);
    }
}

void heartbeat_ping_follow(struct heartbeat_ping *ping)
{
    loop_timer_set(ping->timer, 0);
}

struct heartbeat_ping *heartbeat_ping_create(struct lead *lead)
{
    struct heartbeat_ping *ping = xcalloc(1, sizeof(*ping));
    ping->lead = lead;
    ping->timer = loop_timer_create(lead->loop, due, ping);
    heartbeat_ping_follow(ping);
    return ping;
}

void heartbeat_ping_destroy(struct heartbeat_ping *ping)
{
    if (ping != NULL) {
        delivery_destroy(ping->delivery);
        loop_timer_destroy(ping->timer);
        free(ping);
    }
}
