/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "calendar/backoff.h"
#include "daemon/lead_state.h"
#include "daemon/listener_names.h"
#include "ledger/listening.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define PROOF_TIMEOUT (5 * USEC_PER_SEC)
#define PING_EVERY (5 * USEC_PER_SEC)  /* well inside the lease */
#define CLOSE_EVERY (5 * USEC_PER_SEC) /* looks at what leaves no mark */
#define POLL_EVERY (10 * USEC_PER_SEC) /* while degraded */
#define QUEUE_EVERY (10 * USEC_PER_SEC)
#define QUICKEST (50 * USEC_PER_MSEC)
#define LOOKS_PER_TARGET 5
#define BEHIND_NOTED USEC_PER_SEC /* shorter ones are what watching is for */
#define UPDATE_EVERY USEC_PER_SEC /* however many jobs are edited */

static const struct backoff reconnect = {
    .initial = 200 * USEC_PER_MSEC, .coefficient = 2, .max = 30 * USEC_PER_SEC, .jitter = 0.2};

enum phase { PHASE_OFF, PHASE_CONNECTING, PHASE_PROVING, PHASE_LISTENING, PHASE_WAITING };

struct listener {
    struct lead *lead;
    struct listener_names list;
    enum phase phase;
    bool degraded;
    char *problem; /* while degraded: as last told */
    int failures;  /* in a row: a session that lasted ends the row */
    struct pg_connection *connection;
    struct name_list heard; /* channels that it listens to, or is about to while `listening` */
    bool listening;         /* an answer to that is on its way */
    bool update_due;        /* the list is another since */
    instant updated_at;
    char proof[48];   /* what it notifies itself of */
    bool proven;      /* it heard that */
    char *statement;  /* of quick looks; NULL: no view has marks */
    bool asked;       /* a look or ping is on its way */
    bool answered;    /* one was, of this session */
    instant asked_at; /* by our clock, as the next one */
    instant closely_at;
    instant queue_at;
    instant listening_at;          /* since when it watches */
    struct loop_timer *beat_timer; /* LISTENING: the next look or ping; WAITING: the next try; else: patience */
    struct loop_timer *poll_timer; /* while degraded */
    struct loop_timer *update_timer;
};

static void connect_now(struct listener *listener);

/* --- telling the scheduler ---------------------------------------------------------------------------------------- */

/* All jobs of one event at one instant: the order of the graph holds for equal times. */
static void tell(struct listener *listener, const struct listener_name *entries, size_t count, enum run_kind kind,
                 const char *payload)
{
    struct lead *lead = listener->lead;
    instant now = lead_now(lead);
    for (size_t i = 0; i < count && !lead->draining && !lead->over; i++) {
        if (listener_name_wakes(&entries[i])) {
            scheduler_event(lead->scheduler, entries[i].scheduled, kind, payload, now);
        }
    }
    if (count > 0) {
        dispatch_soon(lead);
    }
}

static bool is_listed(const struct pg_reply *reply, const char *view)
{
    for (size_t i = 0; i < listening_count(reply); i++) {
        if (strcmp(listening_view(reply, i), view) == 0) {
            return true;
        }
    }
    return false;
}

static void tell_behind(struct listener *listener, const struct pg_reply *reply)
{
    struct listener_name *behind = xcalloc(listener->list.view_count + 1, sizeof(*behind));
    size_t count = 0;
    for (size_t i = 0; i < listener->list.view_count; i++) {
        if (is_listed(reply, listener->list.views[i].name)) {
            behind[count++] = listener->list.views[i];
        }
    }
    tell(listener, behind, count, RUN_CHANGE, NULL);
    free(behind);
}

/* A job that waits for a channel is woken once as soon as that is heard: what came before, nobody heard. */
static void tell_newcomers(struct listener *listener)
{
    struct listener_name *newcomers = xcalloc(listener->list.channel_count + 1, sizeof(*newcomers));
    size_t count = 0;
    bool hears = listener->phase == PHASE_LISTENING && !listener->listening;
    for (size_t i = 0; i < listener->list.channel_count && hears; i++) {
        struct listener_name *entry = &listener->list.channels[i];
        if (!entry->told && name_list_have(&listener->heard, entry->name)) {
            entry->told = true;
            newcomers[count++] = *entry;
        }
    }
    tell(listener, newcomers, count, RUN_EVENT, NULL);
    free(newcomers);
}

/* --- telling people ----------------------------------------------------------------------------------------------- */

static void noted(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the state of the watch could not be written");
}

static void note(struct listener *listener, enum listening_state state, const char *reason)
{
    struct lead *lead = listener->lead;
    struct name_list channels = listener_names_channels(&listener->list);
    struct name_list views = listener_names_views(&listener->list, NULL);
    int pid = state == LISTENING_ON ? pg_backend_pid(listener->connection) : 0;
    listening_note(&lead->ledger, state, reason, pid, &channels, &views, noted, lead);
    free((void *)channels.items);
    free((void *)views.items);
}

static void behind_noted(void *data, const struct pg_reply *reply)
{
    const struct lead *lead = data;
    if (!lead->over && !pg_reply_lost(reply) && !pg_reply_ok(reply)) {
        log_warning("database %s: views that are behind could not be noted: %s", lead->database->name,
                    pg_reply_message(reply));
    }
}

/* A refresh forgets what was noted, and may leave a view behind whose sources never rest: so it is noted again, as seen
 * now. */
static bool is_to_note(const struct listener_name *entry, instant now)
{
    instant last = entry->noted_at != INSTANT_NONE ? entry->noted_at : entry->behind_since;
    return entry->behind_since != INSTANT_NONE && now - last > BEHIND_NOTED;
}

/* Views that stay behind although they are watched: what keeps them, their jobs' runs tell. */
static void note_behind(struct listener *listener)
{
    struct lead *lead = listener->lead;
    instant now = lead_now(lead);
    const char **views = xcalloc(listener->list.view_count + 1, sizeof(*views));
    instant *since = xcalloc(listener->list.view_count + 1, sizeof(*since));
    size_t count = 0;
    for (size_t i = 0; i < listener->list.view_count && !lead_waits(lead); i++) {
        struct listener_name *entry = &listener->list.views[i];
        if (is_to_note(entry, now)) {
            views[count] = entry->name;
            since[count++] = entry->noted_at == INSTANT_NONE ? entry->behind_since : now;
            entry->noted_at = now;
        }
    }
    if (count > 0) {
        listening_note_behind(&lead->ledger, views, since, count, behind_noted, lead);
    }
    free(views);
    free(since);
}

static void follow_behind(struct listener *listener, const struct pg_reply *reply)
{
    for (size_t i = 0; i < listener->list.view_count; i++) {
        struct listener_name *entry = &listener->list.views[i];
        if (!is_listed(reply, entry->name)) {
            entry->behind_since = entry->noted_at = INSTANT_NONE;
        } else if (entry->behind_since == INSTANT_NONE) {
            entry->behind_since = lead_now(listener->lead);
        }
    }
    note_behind(listener);
}

/* --- the session ends --------------------------------------------------------------------------------------------- */

static void disconnect(struct listener *listener)
{
    pg_close(listener->connection);
    listener->connection = NULL;
    listener->asked = listener->answered = listener->listening = false;
    free((void *)listener->heard.items);
    listener->heard = (struct name_list){0};
    free(listener->statement);
    listener->statement = NULL;
}

static void degrade(struct listener *listener, const char *reason)
{
    if (!listener->degraded) {
        listener->degraded = true;
        loop_timer_set(listener->poll_timer, POLL_EVERY);
    } else if (strcmp(listener->problem, reason) == 0) {
        return;
    }
    free(listener->problem);
    listener->problem = xstrdup(reason);
    log_warning("database %s: events are not heard: %s", listener->lead->database->name, reason);
    note(listener, LISTENING_DEGRADED, reason);
}

static void recover(struct listener *listener)
{
    listener->degraded = false;
    free(listener->problem);
    listener->problem = NULL;
    loop_timer_clear(listener->poll_timer);
}

static void fail(struct listener *listener, const struct error *reason)
{
    bool lasted = listener->phase == PHASE_LISTENING && clock_boot() - listener->listening_at > reconnect.max;
    disconnect(listener);
    listener->phase = PHASE_WAITING;
    listener->failures = lasted ? 1 : listener->failures + 1;
    degrade(listener, reason->message);
    loop_timer_set(listener->beat_timer, backoff_delay(&reconnect, listener->failures, (uint64_t)clock_boot()));
}

/* True when there is nothing to read: the session has gone, or goes now. */
static bool refused(struct listener *listener, const struct pg_reply *reply, const char *what)
{
    struct error err;
    if (pg_reply_lost(reply)) {
        return true; /* `closed` tells why */
    }
    if (pg_reply_ok(reply)) {
        return false;
    }
    pg_reply_error(reply, &err);
    error_prefix(&err, "%s", what);
    fail(listener, &err);
    return true;
}

/* --- looks -------------------------------------------------------------------------------------------------------- */

static duration rhythm(const struct listener *listener)
{
    duration each = listener->list.tightest / LOOKS_PER_TARGET;
    if (listener->list.tightest == 0 || each > PING_EVERY) {
        return PING_EVERY;
    }
    return each > QUICKEST ? each : QUICKEST;
}

static void beat_later(struct listener *listener)
{
    loop_timer_set(listener->beat_timer, rhythm(listener));
}

static void looked(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    listener->asked = false;
    if (!refused(listener, reply, "changes could not be looked for")) {
        listener->answered = true;
        tell_behind(listener, reply);
        follow_behind(listener, reply);
    }
}

static void pinged(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    listener->asked = false;
    listener->answered = !refused(listener, reply, "the session could not be kept");
}

static void keep_statement(struct listener *listener, const char *statement)
{
    if (!text_same(listener->statement, statement)) {
        if (listener->statement != NULL) {
            listening_forget_check(listener->connection);
        }
        free(listener->statement);
        listener->statement = statement != NULL ? xstrdup(statement) : NULL;
    }
}

/* Before anybody is woken: a job whose views nobody needs any more is not. */
static void inherit_lags(struct listener *listener, const struct pg_reply *reply)
{
    if (listener_names_inherit(listener->lead->scheduler, reply)) {
        listener_follow(listener);
    }
}

static void looked_closely(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    listener->asked = false;
    if (!refused(listener, reply, "changes could not be looked for")) {
        listener->answered = true;
        keep_statement(listener, listening_read_statement(reply));
        inherit_lags(listener, reply);
        tell_behind(listener, reply);
    }
}

/* A session that listens anew holds up no queue; what it may have missed is looked for. */
static void queue_seen(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    listener->asked = false;
    if (!refused(listener, reply, "the queue of notifications could not be looked at") && listening_read_queue(reply)) {
        disconnect(listener);
        connect_now(listener);
    }
}

static void check_closely(struct listener *listener, pg_callback *callback)
{
    duration *targets;
    struct name_list views = listener_names_views(&listener->list, &targets);
    listener->closely_at = clock_boot();
    listening_check_closely(listener->connection, &views, targets, listener->list.inherits, callback, listener);
    free((void *)views.items);
    free(targets);
}

static void ask_next(struct listener *listener)
{
    listener->asked = true;
    listener->asked_at = clock_boot();
    if (clock_boot() - listener->queue_at >= QUEUE_EVERY) {
        listener->queue_at = clock_boot();
        listening_queue(listener->connection, queue_seen, listener);
    } else if ((listener->list.view_count > 0 || listener->list.inherits) &&
               clock_boot() - listener->closely_at >= CLOSE_EVERY) {
        check_closely(listener, looked_closely);
    } else if (listener->statement != NULL) {
        listening_check(listener->connection, listener->statement, looked, listener);
    } else {
        listening_ping(listener->connection, pinged, listener);
    }
}

/* --- the session begins ------------------------------------------------------------------------------------------- */

static void begin_listening(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    if (refused(listener, reply, "changes could not be looked for")) {
        return;
    }
    keep_statement(listener, listening_read_statement(reply));
    listener->phase = PHASE_LISTENING;
    listener->listening_at = listener->queue_at = clock_boot();
    if (listener->degraded) {
        log_info("database %s: events are heard again", listener->lead->database->name);
    }
    recover(listener);
    note(listener, LISTENING_ON, NULL);
    for (size_t i = 0; i < listener->list.channel_count; i++) {
        listener->list.channels[i].told = false;
    }
    tell_newcomers(listener);
    inherit_lags(listener, reply);
    tell_behind(listener, reply);
    loop_timer_set(listener->beat_timer, 0);
    loop_timer_set(listener->update_timer, 0);
}

static void notified(void *data, const char *channel, const char *payload)
{
    struct listener *listener = data;
    size_t first;
    bool proof = listener->phase == PHASE_PROVING && !listener->proven && strcmp(channel, LISTENING_PROBE) == 0;
    if (proof && strcmp(payload, listener->proof) == 0) {
        listener->proven = true;
        loop_timer_set(listener->beat_timer, PG_LEASE);
        check_closely(listener, begin_listening);
        return;
    }
    size_t count = listener_names_find(listener->list.channels, listener->list.channel_count, channel, &first);
    tell(listener, listener->list.channels + first, count, RUN_EVENT, payload);
}

static void probed(void *data, const struct pg_reply *reply)
{
    refused(data, reply, "the session could not notify itself");
}

/* Says what is to be heard from now on; nothing where that is so already, and the session has listened. */
static void listen(struct listener *listener, pg_callback *callback)
{
    struct name_list wanted = listener_names_channels(&listener->list);
    struct name_list added = name_list_without(&wanted, &listener->heard);
    struct name_list gone = name_list_without(&listener->heard, &wanted);
    listener->listening = listener->phase == PHASE_CONNECTING || added.count + gone.count > 0;
    if (listener->listening) {
        listening_listen(listener->connection, &added, &gone, callback, listener);
    }
    free((void *)listener->heard.items);
    listener->heard = name_list_copy(&wanted);
    free((void *)wanted.items);
    free((void *)added.items);
    free((void *)gone.items);
}

static void listened(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    if (refused(listener, reply, "channels could not be listened to")) {
        return;
    }
    listener->listening = false;
    listener->phase = PHASE_PROVING;
    listener->proven = false;
    snprintf(listener->proof, sizeof(listener->proof), "%ld.%lld", (long)getpid(), (long long)clock_boot());
    loop_timer_set(listener->beat_timer, PROOF_TIMEOUT);
    listening_probe(listener->connection, listener->proof, probed, listener);
}

static void checked(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    struct pg_identity identity;
    struct error err;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_read_check(listener->connection, reply, PG_LEADER, &identity, &err)) {
        fail(listener, &err);
        return;
    }
    listening_note_listener(&listener->lead->ledger, &identity, noted, listener->lead);
    listen(listener, listened);
}

static void ready(void *data)
{
    struct listener *listener = data;
    loop_timer_set(listener->beat_timer, PG_LEASE);
    pg_check(listener->connection, checked, listener);
}

static void closed(void *data, const struct error *reason)
{
    fail(data, reason);
}

static void connect_now(struct listener *listener)
{
    static const struct pg_handlers handlers = {.ready = ready, .closed = closed, .notified = notified};
    struct lead *lead = listener->lead;
    struct pg_target target = {.conninfo = lead->database->conninfo,
                               .application_name = "pgchime listener",
                               .settings = pg_watch_settings,
                               .setting_count = pg_watch_setting_count,
                               .connect_timeout = CONNECT_TIMEOUT,
                               .server = &lead->ledger.server};
    listener->phase = PHASE_CONNECTING;
    loop_timer_clear(listener->beat_timer);
    listener->connection = pg_open(lead->loop, lead->resolver, &target, &handlers, listener);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void fail_silent(struct listener *listener)
{
    struct error err;
    if (listener->phase == PHASE_PROVING && !listener->proven) {
        error_set(&err, ERROR_REFUSED, "the session does not hear its own notifications: is a pooler in between?");
    } else {
        error_set(&err, ERROR_UNREACHABLE, "the server has not answered for %d s", (int)(PG_LEASE / USEC_PER_SEC));
    }
    fail(listener, &err);
}

static void beat_due(void *data)
{
    struct listener *listener = data;
    bool silent = listener->asked && clock_boot() - listener->asked_at > PG_LEASE;
    if (listener->phase == PHASE_WAITING) {
        connect_now(listener);
    } else if (listener->phase != PHASE_LISTENING || silent) {
        fail_silent(listener);
    } else {
        if (!listener->asked) {
            ask_next(listener);
        }
        beat_later(listener);
    }
}

static void poll_due(void *data)
{
    struct listener *listener = data;
    tell(listener, listener->list.channels, listener->list.channel_count, RUN_EVENT, NULL);
    tell(listener, listener->list.views, listener->list.view_count, RUN_CHANGE, NULL);
    loop_timer_set(listener->poll_timer, POLL_EVERY);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void begin(struct listener *listener)
{
    if (!listener_names_empty(&listener->list)) {
        connect_now(listener);
        return;
    }
    disconnect(listener);
    recover(listener);
    listener->failures = 0;
    loop_timer_clear(listener->beat_timer);
    listener->phase = PHASE_OFF;
    note(listener, LISTENING_OFF, NULL);
}

static void update_soon(struct listener *listener)
{
    duration early = listener->updated_at + UPDATE_EVERY - clock_boot();
    listener->update_due = true;
    loop_timer_set(listener->update_timer, early > 0 ? early : 0);
}

static void listened_anew(void *data, const struct pg_reply *reply)
{
    struct listener *listener = data;
    if (refused(listener, reply, "channels could not be listened to")) {
        return;
    }
    listener->listening = false;
    tell_newcomers(listener);
    if (listener->update_due) {
        update_soon(listener);
    }
}

/* The session stays, and with it what is heard meanwhile. One that is about to watch comes back to this. */
static void update(void *data)
{
    struct listener *listener = data;
    bool begins = listener->phase == PHASE_OFF || listener_names_empty(&listener->list);
    if (!listener->update_due || (!begins && (listener->phase != PHASE_LISTENING || listener->listening))) {
        return;
    }
    listener->update_due = false;
    listener->updated_at = clock_boot();
    if (begins) {
        begin(listener);
        return;
    }
    listen(listener, listened_anew);
    listener->closely_at = listener->updated_at - CLOSE_EVERY;
    loop_timer_set(listener->beat_timer, 0);
    note(listener, LISTENING_ON, NULL);
}

struct listener *listener_create(struct lead *lead)
{
    struct listener *listener = xcalloc(1, sizeof(*listener));
    listener->lead = lead;
    listener->beat_timer = loop_timer_create(lead->loop, beat_due, listener);
    listener->poll_timer = loop_timer_create(lead->loop, poll_due, listener);
    listener->update_timer = loop_timer_create(lead->loop, update, listener);
    listener->updated_at = clock_boot() - UPDATE_EVERY;
    listener_names_fill(&listener->list, lead->scheduler);
    begin(listener);
    return listener;
}

bool listener_ready(const struct listener *listener)
{
    return listener->degraded ||
           (!listener->update_due && !listener->listening && (listener->phase == PHASE_OFF || listener->answered));
}

void listener_follow(struct listener *listener)
{
    struct listener_names next;
    listener_names_fill(&next, listener->lead->scheduler);
    bool same = listener_names_same(&listener->list, &next);
    listener_names_carry_over(&next, &listener->list);
    listener_names_finish(&listener->list);
    listener->list = next;
    tell_newcomers(listener);
    if (!same) {
        update_soon(listener);
    }
}

void listener_destroy(struct listener *listener)
{
    if (listener != NULL) {
        disconnect(listener);
        free(listener->problem);
        loop_timer_destroy(listener->beat_timer);
        loop_timer_destroy(listener->poll_timer);
        loop_timer_destroy(listener->update_timer);
        listener_names_finish(&listener->list);
        free(listener);
    }
}
