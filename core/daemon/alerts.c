/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/alerts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "daemon/alert_rules.h"
#include "daemon/lead_state.h"
#include "daemon/notifications.h"
#include "ledger/alerting.h"
#include "ledger/answers.h"

#define CHECK_FIRST USEC_PER_SEC
#define CHECK_EVERY (10 * USEC_PER_SEC)
#define CHECK_AGAIN USEC_PER_SEC /* after what an install was in the way of */
#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define LATE USEC_PER_MINUTE
#define LATE_MOST 100      /* jobs of one owner that a look finds late */
#define SUMMARY_LOGGED 500 /* bytes of a summary that a line of the log has */
#define BROKEN "condition-broken"
#define FAILING "alerts-failing"

enum { FOUND, LOOKED };

struct alerts {
    struct lead *lead;
    struct loop_timer *timer;
    struct pg_connection *connection; /* NULL: none */
    bool rules_sent;
    bool failing;         /* what is on its way into the ledger is that the last look came to no end */
    bool looking;         /* a look is under way, and the timer is not set */
    bool open;            /* the ledger has alerts that may end */
    bool found;           /* by the look under way */
    struct columns looks; /* what it found, and by which rules */
    bool gathering;       /* `looks` is in use */
    bool noting;          /* what a look found is on its way into the ledger: the next look waits for the answer */
    char **conditions;    /* names of rules */
    size_t condition_count;
    size_t condition; /* the next one */
    bool cut;         /* the session ended while the last one was looked at: the look goes on in another */
    bool tried;       /* so it did for the next one, which may not be at fault */
    char *problem;    /* why looks come to no end, as last told; NULL: they do */
    char *mark;       /* of the rules as this leader wrote them; NULL: they are on their way */
};

static void forget_check(struct alerts *alerts)
{
    if (alerts->gathering) {
        columns_finish(&alerts->looks);
    }
    for (size_t i = 0; i < alerts->condition_count; i++) {
        free(alerts->conditions[i]);
    }
    free(alerts->conditions);
    alerts->conditions = NULL;
    alerts->condition_count = 0;
    alerts->gathering = alerts->tried = false;
}

static void check_after(struct alerts *alerts, duration pause)
{
    forget_check(alerts);
    if (!alerts->noting) {
        alerts->looking = false;
        loop_timer_set(alerts->timer, pause);
    }
}

static void check_later(struct alerts *alerts)
{
    check_after(alerts, CHECK_EVERY);
}

/* NULL: there is none any more. */
static void tell_problem(struct alerts *alerts, const char *problem)
{
    if (problem != NULL && (alerts->problem == NULL || strcmp(problem, alerts->problem) != 0)) {
        log_warning("database %s: alerts cannot be looked for: %s", alerts->lead->database->name, problem);
    } else if (problem == NULL && alerts->problem != NULL) {
        log_info("database %s: alerts are looked for again", alerts->lead->database->name);
    }
    char *told = problem != NULL ? xstrdup(problem) : NULL;
    free(alerts->problem);
    alerts->problem = told;
}

/* --- what became of it -------------------------------------------------------------------------------------------- */

static void tell_event(const struct lead *lead, const struct alerting_event *event)
{
    const char *space = event->subject[0] != '\0' ? " " : "";
    if (strcmp(event->state, "firing") == 0) {
        log_warning("database %s: alert %s%s%s (%s): %.*s", lead->database->name, event->rule, space, event->subject,
                    event->severity, (int)utf8_cut(event->summary, strlen(event->summary), SUMMARY_LOGGED),
                    event->summary);
    } else {
        log_info("database %s: alert %s%s%s is resolved", lead->database->name, event->rule, space, event->subject);
    }
}

static void tell_events(const struct lead *lead, const struct pg_reply *reply)
{
    size_t more = alerting_events_left_out(reply);
    for (size_t i = 0; i < alerting_event_count(reply); i++) {
        struct alerting_event event = alerting_event(reply, i);
        tell_event(lead, &event);
    }
    if (more > 0) {
        log_warning("database %s: %zu more alerts fired or were resolved: pgchime alerts lists them",
                    lead->database->name, more);
    }
}

/* What was not written is found again by the next look. */
static void noted(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    enum ledger_answer answer = answer_of(reply);
    if (lead->over || answer == ANSWER_LOST) {
        return;
    }
    lead->alerts->noting = false;
    if (answer == ANSWER_NOT_LEADER) {
        lead_refused(lead, reply, "alerts could not be written");
        return;
    }
    if (answer == ANSWER_TAKEN) {
        if (!lead->alerts->failing) {
            tell_problem(lead->alerts, NULL);
        }
        tell_events(lead, reply);
        notifications_soon(lead->notifications);
    } else {
        tell_problem(lead->alerts, pg_reply_message(reply));
    }
    check_later(lead->alerts);
}

static void send_looks(struct alerts *alerts)
{
    columns_close(&alerts->looks);
    alerts->noting = true;
    alerting_note(&alerts->lead->ledger, &alerts->looks, noted, alerts->lead);
}

static void note(struct alerts *alerts)
{
    struct lead *lead = alerts->lead;
    if (lead->over || lead->draining) {
        return;
    }
    alerts->failing = false;
    if (!alerts->found && !alerts->open) {
        tell_problem(alerts, NULL);
        check_later(alerts);
        return;
    }
    columns_text(&alerts->looks, LOOKED, BROKEN);
    send_looks(alerts);
}

/* --- what is found ------------------------------------------------------------------------------------------------ */

static void add_found(struct alerts *alerts, const char *found)
{
    if (found != NULL) {
        columns_text(&alerts->looks, FOUND, found);
        alerts->found = true;
    }
}

static void add_json(struct alerts *alerts, json_t *list)
{
    char *text = json_array_size(list) > 0 ? json_dumps(list, JSON_COMPACT) : NULL;
    add_found(alerts, text);
    free(text);
    json_decref(list);
}

static json_t *late_job(const struct scheduled *scheduled, duration late)
{
    char *summary = xasprintf("due %lld s ago, and not started", (long long)(late / USEC_PER_SEC));
    json_t *row = json_pack("{s:s, s:s, s:f, s:s}", "rule", "job-late", "subject", scheduled_job(scheduled)->name,
                            "value", (double)late / USEC_PER_SEC, "summary", summary);
    free(summary);
    return row;
}

static int by_owner(const void *left, const void *right)
{
    const struct scheduled *a = *(const struct scheduled *const *)left;
    const struct scheduled *b = *(const struct scheduled *const *)right;
    const char *owner_a = scheduled_job(a)->owner;
    const char *owner_b = scheduled_job(b)->owner;
    int order = strcmp(owner_a != NULL ? owner_a : "", owner_b != NULL ? owner_b : "");
    return order != 0 ? order : (scheduled_id(a) > scheduled_id(b)) - (scheduled_id(a) < scheduled_id(b));
}

/* Caller frees. */
static const struct scheduled **late_jobs(const struct lead *lead, instant before, size_t *count)
{
    size_t all = scheduler_count(lead->scheduler);
    const struct scheduled **late = xcalloc(all + 1, sizeof(*late));
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        const struct scheduled *scheduled = scheduler_at(lead->scheduler, i);
        instant due = scheduled_due_since(scheduled);
        if (due != INSTANT_NONE && due < before) {
            late[(*count)++] = scheduled;
        }
    }
    qsort(late, *count, sizeof(*late), by_owner);
    return late;
}

/* Which jobs wait for a session or a place only their leader knows. One owner's many hide no other's. */
static void find_late_jobs(struct alerts *alerts)
{
    const struct lead *lead = alerts->lead;
    instant now = lead_now(lead);
    size_t count;
    size_t of_owner = 0;
    const struct scheduled **late = late_jobs(lead, now - LATE, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && text_same(scheduled_job(late[i])->owner, scheduled_job(late[i - 1])->owner);
        of_owner = same ? of_owner + 1 : 1;
        if (of_owner <= LATE_MOST) {
            json_array_append_new(list, late_job(late[i], now - scheduled_due_since(late[i])));
        }
    }
    free(late);
    add_json(alerts, list);
}

static void find_problem(struct alerts *alerts, const char *rule, const char *subject, const char *message)
{
    json_t *list = json_array();
    json_array_append_new(list, json_pack("{s:s, s:s, s:s%}", "rule", rule, "subject", subject, "summary", message,
                                          strcspn(message, "\n")));
    add_json(alerts, list);
}

/* The look came to no end: what it found is given up, and by no other rule was looked. */
static void note_failing(struct alerts *alerts, const char *problem)
{
    const struct lead *lead = alerts->lead;
    tell_problem(alerts, problem);
    forget_check(alerts);
    if (lead->over || lead->draining || alerts->noting) {
        check_later(alerts);
        return;
    }
    columns_init(&alerts->looks);
    alerts->gathering = alerts->failing = true;
    find_problem(alerts, FAILING, "", problem);
    columns_text(&alerts->looks, LOOKED, FAILING);
    send_looks(alerts);
}

static void ask_next(struct alerts *alerts);

static void asked(void *data, const struct pg_reply *reply)
{
    struct alerts *alerts = data;
    const char *rule = alerts->conditions[alerts->condition];
    alerts->cut = pg_reply_lost(reply) || pg_reply_broken(reply);
    alerts->tried = alerts->cut && !alerts->tried;
    if (alerts->tried) { /* `closed` follows, and then this one again */
        return;
    }
    alerts->condition++;
    if (pg_reply_ok(reply)) {
        add_found(alerts, alerting_read_holds(reply));
        columns_text(&alerts->looks, LOOKED, rule);
    } else {
        find_problem(alerts, BROKEN, rule, pg_reply_message(reply));
    }
    if (!alerts->cut) { /* else `closed` follows */
        ask_next(alerts);
    }
}

static void ask_next(struct alerts *alerts)
{
    if (alerts->condition < alerts->condition_count) {
        alerting_evaluate_condition(alerts->connection, alerts->conditions[alerts->condition], asked, alerts);
    } else {
        note(alerts);
    }
}

static void keep_conditions(struct alerts *alerts, const struct pg_reply *reply)
{
    alerts->condition = 0;
    alerts->condition_count = alerting_condition_count(reply);
    alerts->conditions = xcalloc(alerts->condition_count + 1, sizeof(*alerts->conditions));
    for (size_t i = 0; i < alerts->condition_count; i++) {
        alerts->conditions[i] = xstrdup(alerting_condition(reply, i));
    }
}

static void looked(void *data, const struct pg_reply *reply)
{
    struct alerts *alerts = data;
    if (pg_reply_lost(reply) || pg_reply_broken(reply)) {
        return;
    }
    if (!pg_reply_ok(reply)) {
        note_failing(alerts, pg_reply_message(reply));
        return;
    }
    if (alerts->mark != NULL && !text_same(alerts->mark, alerting_read_mark(reply))) {
        log_warning("database %s: somebody changed the rules of alerts: they are written again",
                    alerts->lead->database->name);
        alerts_follow(alerts);
    }
    columns_init(&alerts->looks);
    alerts->gathering = true;
    alerts->found = false;
    alerts->open = alerting_read_open(reply);
    add_found(alerts, alerting_read_found(reply));
    find_late_jobs(alerts);
    add_json(alerts, job_pings_found(alerts->lead->pings, alerts->lead->database->name));
    for (size_t i = 0; i < alerting_standard_count(reply); i++) {
        columns_text(&alerts->looks, LOOKED, alerting_standard(reply, i));
    }
    keep_conditions(alerts, reply);
    ask_next(alerts);
}

/* --- the session -------------------------------------------------------------------------------------------------- */

static void ready(void *data)
{
    struct alerts *alerts = data;
    if (alerts->gathering) {
        ask_next(alerts);
    } else {
        alerting_evaluate(alerts->connection, looked, alerts);
    }
}

static void open_session(struct alerts *alerts);

/* A condition that ends its session, by too large an answer say, ends no look: it is tried again, for somebody else may
 * have ended it. Where it does so twice it is broken, and the others are looked at. */
static void closed(void *data, const struct error *reason)
{
    struct alerts *alerts = data;
    const struct lead *lead = alerts->lead;
    bool goes_on = alerts->cut && !lead->over && !lead->draining && lead->reload == NULL;
    pg_close(alerts->connection);
    alerts->connection = NULL;
    alerts->cut = false;
    if (goes_on) {
        open_session(alerts);
        return;
    }
    note_failing(alerts, reason->message);
}

static void open_session(struct alerts *alerts)
{
    static const struct pg_handlers handlers = {.ready = ready, .closed = closed};
    struct lead *lead = alerts->lead;
    struct pg_target target = {.conninfo = lead->database->conninfo,
                               .application_name = "pgchime alerts",
                               .settings = pg_alert_settings,
                               .setting_count = pg_alert_setting_count,
                               .connect_timeout = CONNECT_TIMEOUT,
                               .server = &lead->ledger.server};
    alerts->connection = pg_open(lead->loop, lead->resolver, &target, &handlers, alerts);
}

static void due(void *data)
{
    struct alerts *alerts = data;
    struct lead *lead = alerts->lead;
    if (lead->over || lead->draining) {
        return;
    }
    if (!alerts->rules_sent) {
        alerts_follow(alerts); /* behind what others wait for as a leadership begins */
    }
    if (lead->reload != NULL) {
        check_after(alerts, CHECK_AGAIN);
        return;
    }
    alerts->looking = true;
    if (alerts->connection != NULL) {
        ready(alerts);
    } else {
        open_session(alerts);
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void rules_set(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "the rules of alerts could not be written") || lead->over) {
        return;
    }
    const char *mark = pg_reply_ok(reply) ? alerting_read_mark_set(reply) : NULL;
    free(lead->alerts->mark);
    lead->alerts->mark = mark != NULL ? xstrdup(mark) : NULL;
}

void alerts_follow(struct alerts *alerts)
{
    struct lead *lead = alerts->lead;
    alerts->rules_sent = true;
    free(alerts->mark);
    alerts->mark = NULL;
    char *rules = alert_rules_json(lead->snapshot, lead->database);
    alerting_set_rules(&lead->ledger, rules, rules_set, lead);
    notifications_follow(lead->notifications);
    free(rules);
}

/* A look that is not under way comes when it is due: plugins that wait for a table are looked at again and again. */
void alerts_yield(struct alerts *alerts)
{
    pg_close(alerts->connection);
    alerts->connection = NULL;
    if (alerts->looking) {
        check_after(alerts, CHECK_AGAIN);
    }
}

struct alerts *alerts_create(struct lead *lead)
{
    struct alerts *alerts = xcalloc(1, sizeof(*alerts));
    alerts->lead = lead;
    alerts->timer = loop_timer_create(lead->loop, due, alerts);
    loop_timer_set(alerts->timer, CHECK_FIRST);
    return alerts;
}

void alerts_destroy(struct alerts *alerts)
{
    if (alerts == NULL) {
        return;
    }
    pg_close(alerts->connection);
    loop_timer_destroy(alerts->timer);
    forget_check(alerts);
    free(alerts->problem);
    free(alerts->mark);
    free(alerts);
}
