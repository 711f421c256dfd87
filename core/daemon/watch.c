#include "daemon/watch.h"

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
#include "daemon/watch_list.h"
#include "ledger/watching.h"

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

enum phase { PHASE_OFF, PHASE_CONNECTING, PHASE_PROVING, PHASE_WATCHING, PHASE_WAITING };

struct watch {
    struct lead *lead;
    struct watch_list list;
    enum phase phase;
    bool degraded;
    char *problem; /* while degraded: as last told */
    int failures;  /* in a row: a session that lasted ends the row */
    struct pg_connection *connection;
    struct watching_names heard; /* channels that it listens to, or is about to while `listening` */
    bool listening;              /* an answer to that is on its way */
    bool update_due;             /* the list is another since */
    instant updated_at;
    char proof[48];   /* what it notifies itself of */
    bool proven;      /* it heard that */
    char *statement;  /* of quick looks; NULL: no view has marks */
    bool asked;       /* a look or ping is on its way */
    bool answered;    /* one was, of this session */
    instant asked_at; /* by our clock, as the next one */
    instant closely_at;
    instant queue_at;
    instant watching_at;           /* since when it watches */
    struct loop_timer *beat_timer; /* WATCHING: the next look or ping; WAITING: the next try; else: patience */
    struct loop_timer *poll_timer; /* while degraded */
    struct loop_timer *update_timer;
};

static void connect_now(struct watch *watch);

/* --- telling the scheduler ---------------------------------------------------------------------------------------------- */

/* All jobs of one event at one instant: the order of the graph holds for equal times. */
static void tell(struct watch *watch, const struct watch_entry *entries, size_t count, enum run_kind kind,
                 const char *payload)
{
    struct lead *lead = watch->lead;
    instant now = lead_now(lead);
    for (size_t i = 0; i < count && !lead->draining && !lead->over; i++) {
        if (watch_entry_wakes(&entries[i])) {
            scheduler_event(lead->scheduler, entries[i].scheduled, kind, payload, now);
        }
    }
    if (count > 0) {
        dispatch_soon(lead);
    }
}

static bool is_listed(const struct pg_reply *reply, const char *view)
{
    for (size_t i = 0; i < watching_count(reply); i++) {
        if (strcmp(watching_view(reply, i), view) == 0) {
            return true;
        }
    }
    return false;
}

static void tell_behind(struct watch *watch, const struct pg_reply *reply)
{
    struct watch_entry *behind = xcalloc(watch->list.view_count + 1, sizeof *behind);
    size_t count = 0;
    for (size_t i = 0; i < watch->list.view_count; i++) {
        if (is_listed(reply, watch->list.views[i].name)) {
            behind[count++] = watch->list.views[i];
        }
    }
    tell(watch, behind, count, RUN_CHANGE, NULL);
    free(behind);
}

/* A job that waits for a channel is woken once as soon as that is heard: what came before, nobody heard. */
static void tell_newcomers(struct watch *watch)
{
    struct watch_entry *newcomers = xcalloc(watch->list.channel_count + 1, sizeof *newcomers);
    size_t count = 0;
    bool hears = watch->phase == PHASE_WATCHING && !watch->listening;
    for (size_t i = 0; i < watch->list.channel_count && hears; i++) {
        struct watch_entry *entry = &watch->list.channels[i];
        if (!entry->told && watch_names_have(&watch->heard, entry->name)) {
            entry->told = true;
            newcomers[count++] = *entry;
        }
    }
    tell(watch, newcomers, count, RUN_EVENT, NULL);
    free(newcomers);
}

/* --- telling people ----------------------------------------------------------------------------------------------------- */

static void noted(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the state of the watch could not be written");
}

static void note(struct watch *watch, enum watching_state state, const char *reason)
{
    struct lead *lead = watch->lead;
    struct watching_names channels = watch_list_channels(&watch->list);
    struct watching_names views = watch_list_views(&watch->list, NULL);
    int pid = state == WATCHING_ON ? pg_backend_pid(watch->connection) : 0;
    watching_note(&lead->ledger, state, reason, pid, &channels, &views, noted, lead);
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

/* A refresh forgets what was noted, and may leave a view behind whose sources never rest: so it is noted again, as seen now. */
static bool is_to_note(const struct watch_entry *entry, instant now)
{
    instant last = entry->noted_at != INSTANT_NONE ? entry->noted_at : entry->behind_since;
    return entry->behind_since != INSTANT_NONE && now - last > BEHIND_NOTED;
}

/* Views that stay behind although they are watched: what keeps them, their jobs' runs tell. */
static void note_behind(struct watch *watch)
{
    struct lead *lead = watch->lead;
    instant now = lead_now(lead);
    const char **views = xcalloc(watch->list.view_count + 1, sizeof *views);
    instant *since = xcalloc(watch->list.view_count + 1, sizeof *since);
    size_t count = 0;
    for (size_t i = 0; i < watch->list.view_count && !lead_waits(lead); i++) {
        struct watch_entry *entry = &watch->list.views[i];
        if (is_to_note(entry, now)) {
            views[count] = entry->name;
            since[count++] = entry->noted_at == INSTANT_NONE ? entry->behind_since : now;
            entry->noted_at = now;
        }
    }
    if (count > 0) {
        watching_note_behind(&lead->ledger, views, since, count, behind_noted, lead);
    }
    free(views);
    free(since);
}

static void follow_behind(struct watch *watch, const struct pg_reply *reply)
{
    for (size_t i = 0; i < watch->list.view_count; i++) {
        struct watch_entry *entry = &watch->list.views[i];
        if (!is_listed(reply, entry->name)) {
            entry->behind_since = entry->noted_at = INSTANT_NONE;
        } else if (entry->behind_since == INSTANT_NONE) {
            entry->behind_since = lead_now(watch->lead);
        }
    }
    note_behind(watch);
}

/* --- the session ends --------------------------------------------------------------------------------------------------- */

static void disconnect(struct watch *watch)
{
    pg_close(watch->connection);
    watch->connection = NULL;
    watch->asked = watch->answered = watch->listening = false;
    free((void *)watch->heard.items);
    watch->heard = (struct watching_names){0};
    free(watch->statement);
    watch->statement = NULL;
}

static void degrade(struct watch *watch, const char *reason)
{
    if (!watch->degraded) {
        watch->degraded = true;
        loop_timer_set(watch->poll_timer, POLL_EVERY);
    } else if (strcmp(watch->problem, reason) == 0) {
        return;
    }
    free(watch->problem);
    watch->problem = xstrdup(reason);
    log_warning("database %s: events are not heard: %s", watch->lead->database->name, reason);
    note(watch, WATCHING_DEGRADED, reason);
}

static void recover(struct watch *watch)
{
    watch->degraded = false;
    free(watch->problem);
    watch->problem = NULL;
    loop_timer_clear(watch->poll_timer);
}

static void fail(struct watch *watch, const struct error *reason)
{
    bool lasted = watch->phase == PHASE_WATCHING && clock_boot() - watch->watching_at > reconnect.max;
    disconnect(watch);
    watch->phase = PHASE_WAITING;
    watch->failures = lasted ? 1 : watch->failures + 1;
    degrade(watch, reason->message);
    loop_timer_set(watch->beat_timer, backoff_delay(&reconnect, watch->failures, (uint64_t)clock_boot()));
}

/* True when there is nothing to read: the session has gone, or goes now. */
static bool refused(struct watch *watch, const struct pg_reply *reply, const char *what)
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
    fail(watch, &err);
    return true;
}

/* --- looks -------------------------------------------------------------------------------------------------------------- */

static duration rhythm(const struct watch *watch)
{
    duration each = watch->list.tightest / LOOKS_PER_TARGET;
    if (watch->list.tightest == 0 || each > PING_EVERY) {
        return PING_EVERY;
    }
    return each > QUICKEST ? each : QUICKEST;
}

static void beat_later(struct watch *watch)
{
    loop_timer_set(watch->beat_timer, rhythm(watch));
}

static void looked(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    watch->asked = false;
    if (!refused(watch, reply, "changes could not be looked for")) {
        watch->answered = true;
        tell_behind(watch, reply);
        follow_behind(watch, reply);
    }
}

static void pinged(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    watch->asked = false;
    watch->answered = !refused(watch, reply, "the session could not be kept");
}

static void keep_statement(struct watch *watch, const char *statement)
{
    if (!text_same(watch->statement, statement)) {
        if (watch->statement != NULL) {
            watching_forget_look(watch->connection);
        }
        free(watch->statement);
        watch->statement = statement != NULL ? xstrdup(statement) : NULL;
    }
}

static void looked_closely(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    watch->asked = false;
    if (!refused(watch, reply, "changes could not be looked for")) {
        watch->answered = true;
        keep_statement(watch, watching_read_statement(reply));
        tell_behind(watch, reply);
    }
}

/* A session that listens anew holds up no queue; what it may have missed is looked for. */
static void queue_seen(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    watch->asked = false;
    if (!refused(watch, reply, "the queue of notifications could not be looked at") && watching_read_queue(reply)) {
        disconnect(watch);
        connect_now(watch);
    }
}

static void look_closely(struct watch *watch, pg_callback *callback)
{
    duration *targets;
    struct watching_names views = watch_list_views(&watch->list, &targets);
    watch->closely_at = clock_boot();
    watching_look_closely(watch->connection, &views, targets, callback, watch);
    free((void *)views.items);
    free(targets);
}

static void look(struct watch *watch)
{
    watch->asked = true;
    watch->asked_at = clock_boot();
    if (clock_boot() - watch->queue_at >= QUEUE_EVERY) {
        watch->queue_at = clock_boot();
        watching_queue(watch->connection, queue_seen, watch);
    } else if (watch->list.view_count > 0 && clock_boot() - watch->closely_at >= CLOSE_EVERY) {
        look_closely(watch, looked_closely);
    } else if (watch->statement != NULL) {
        watching_look(watch->connection, watch->statement, looked, watch);
    } else {
        watching_ping(watch->connection, pinged, watch);
    }
}

/* --- the session begins ------------------------------------------------------------------------------------------------- */

static void begin_watching(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    if (refused(watch, reply, "changes could not be looked for")) {
        return;
    }
    keep_statement(watch, watching_read_statement(reply));
    watch->phase = PHASE_WATCHING;
    watch->watching_at = watch->queue_at = clock_boot();
    if (watch->degraded) {
        log_info("database %s: events are heard again", watch->lead->database->name);
    }
    recover(watch);
    note(watch, WATCHING_ON, NULL);
    for (size_t i = 0; i < watch->list.channel_count; i++) {
        watch->list.channels[i].told = false;
    }
    tell_newcomers(watch);
    tell_behind(watch, reply);
    loop_timer_set(watch->beat_timer, 0);
    loop_timer_set(watch->update_timer, 0);
}

static void notified(void *data, const char *channel, const char *payload)
{
    struct watch *watch = data;
    size_t first;
    bool proof = watch->phase == PHASE_PROVING && !watch->proven && strcmp(channel, WATCHING_PROBE) == 0;
    if (proof && strcmp(payload, watch->proof) == 0) {
        watch->proven = true;
        loop_timer_set(watch->beat_timer, PG_LEASE);
        look_closely(watch, begin_watching);
        return;
    }
    size_t count = watch_list_find(watch->list.channels, watch->list.channel_count, channel, &first);
    tell(watch, watch->list.channels + first, count, RUN_EVENT, payload);
}

static void probed(void *data, const struct pg_reply *reply)
{
    refused(data, reply, "the session could not notify itself");
}

/* Says what is to be heard from now on; nothing where that is so already, and the session has listened. */
static void listen(struct watch *watch, pg_callback *callback)
{
    struct watching_names wanted = watch_list_channels(&watch->list);
    struct watching_names added = watch_names_without(&wanted, &watch->heard);
    struct watching_names gone = watch_names_without(&watch->heard, &wanted);
    watch->listening = watch->phase == PHASE_CONNECTING || added.count + gone.count > 0;
    if (watch->listening) {
        watching_listen(watch->connection, &added, &gone, callback, watch);
    }
    free((void *)watch->heard.items);
    watch->heard = watch_names_copy(&wanted);
    free((void *)wanted.items);
    free((void *)added.items);
    free((void *)gone.items);
}

static void listened(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    if (refused(watch, reply, "channels could not be listened to")) {
        return;
    }
    watch->listening = false;
    watch->phase = PHASE_PROVING;
    watch->proven = false;
    snprintf(watch->proof, sizeof watch->proof, "%ld.%lld", (long)getpid(), (long long)clock_boot());
    loop_timer_set(watch->beat_timer, PROOF_TIMEOUT);
    watching_probe(watch->connection, watch->proof, probed, watch);
}

static void checked(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    struct pg_identity identity;
    struct error err;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_read_check(watch->connection, reply, PG_LEADER, &identity, &err)) {
        fail(watch, &err);
        return;
    }
    watching_note_listener(&watch->lead->ledger, &identity, noted, watch->lead);
    listen(watch, listened);
}

static void ready(void *data)
{
    struct watch *watch = data;
    loop_timer_set(watch->beat_timer, PG_LEASE);
    pg_check(watch->connection, checked, watch);
}

static void closed(void *data, const struct error *reason)
{
    fail(data, reason);
}

static void connect_now(struct watch *watch)
{
    static const struct pg_handlers handlers = {.ready = ready, .closed = closed, .notified = notified};
    struct lead *lead = watch->lead;
    struct pg_target target = {.conninfo = lead->database->conninfo,
                               .application_name = "pgchime watch",
                               .settings = pg_watch_settings,
                               .setting_count = pg_watch_setting_count,
                               .connect_timeout = CONNECT_TIMEOUT,
                               .server = &lead->ledger.server};
    watch->phase = PHASE_CONNECTING;
    loop_timer_clear(watch->beat_timer);
    watch->connection = pg_open(lead->loop, lead->resolver, &target, &handlers, watch);
}

/* --- time --------------------------------------------------------------------------------------------------------------- */

static void fail_silent(struct watch *watch)
{
    struct error err;
    if (watch->phase == PHASE_PROVING && !watch->proven) {
        error_set(&err, ERROR_REFUSED, "the session does not hear its own notifications: is a pooler in between?");
    } else {
        error_set(&err, ERROR_UNREACHABLE, "the server has not answered for %d s", (int)(PG_LEASE / USEC_PER_SEC));
    }
    fail(watch, &err);
}

static void beat_due(void *data)
{
    struct watch *watch = data;
    bool silent = watch->asked && clock_boot() - watch->asked_at > PG_LEASE;
    if (watch->phase == PHASE_WAITING) {
        connect_now(watch);
    } else if (watch->phase != PHASE_WATCHING || silent) {
        fail_silent(watch);
    } else {
        if (!watch->asked) {
            look(watch);
        }
        beat_later(watch);
    }
}

static void poll_due(void *data)
{
    struct watch *watch = data;
    tell(watch, watch->list.channels, watch->list.channel_count, RUN_EVENT, NULL);
    tell(watch, watch->list.views, watch->list.view_count, RUN_CHANGE, NULL);
    loop_timer_set(watch->poll_timer, POLL_EVERY);
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

static void begin(struct watch *watch)
{
    if (watch->list.channel_count + watch->list.view_count > 0) {
        connect_now(watch);
        return;
    }
    disconnect(watch);
    recover(watch);
    watch->failures = 0;
    loop_timer_clear(watch->beat_timer);
    watch->phase = PHASE_OFF;
    note(watch, WATCHING_OFF, NULL);
}

static void update_soon(struct watch *watch)
{
    duration early = watch->updated_at + UPDATE_EVERY - clock_boot();
    watch->update_due = true;
    loop_timer_set(watch->update_timer, early > 0 ? early : 0);
}

static void listened_anew(void *data, const struct pg_reply *reply)
{
    struct watch *watch = data;
    if (refused(watch, reply, "channels could not be listened to")) {
        return;
    }
    watch->listening = false;
    tell_newcomers(watch);
    if (watch->update_due) {
        update_soon(watch);
    }
}

/* The session stays, and with it what is heard meanwhile. One that is about to watch comes back to this. */
static void update(void *data)
{
    struct watch *watch = data;
    bool begins = watch->phase == PHASE_OFF || watch->list.channel_count + watch->list.view_count == 0;
    if (!watch->update_due || (!begins && (watch->phase != PHASE_WATCHING || watch->listening))) {
        return;
    }
    watch->update_due = false;
    watch->updated_at = clock_boot();
    if (begins) {
        begin(watch);
        return;
    }
    listen(watch, listened_anew);
    watch->closely_at = watch->updated_at - CLOSE_EVERY;
    loop_timer_set(watch->beat_timer, 0);
    note(watch, WATCHING_ON, NULL);
}

struct watch *watch_create(struct lead *lead)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    watch->lead = lead;
    watch->beat_timer = loop_timer_create(lead->loop, beat_due, watch);
    watch->poll_timer = loop_timer_create(lead->loop, poll_due, watch);
    watch->update_timer = loop_timer_create(lead->loop, update, watch);
    watch->updated_at = clock_boot() - UPDATE_EVERY;
    watch_list_fill(&watch->list, lead->scheduler);
    begin(watch);
    return watch;
}

bool watch_settled(const struct watch *watch)
{
    return watch->degraded ||
           (!watch->update_due && !watch->listening && (watch->phase == PHASE_OFF || watch->answered));
}

void watch_follow(struct watch *watch)
{
    struct watch_list next;
    watch_list_fill(&next, watch->lead->scheduler);
    bool same = watch_list_same(&watch->list, &next);
    watch_list_carry_over(&next, &watch->list);
    watch_list_finish(&watch->list);
    watch->list = next;
    tell_newcomers(watch);
    if (!same) {
        update_soon(watch);
    }
}

void watch_destroy(struct watch *watch)
{
    if (watch != NULL) {
        disconnect(watch);
        free(watch->problem);
        loop_timer_destroy(watch->beat_timer);
        loop_timer_destroy(watch->poll_timer);
        loop_timer_destroy(watch->update_timer);
        watch_list_finish(&watch->list);
        free(watch);
    }
}
