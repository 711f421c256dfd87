/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "calendar/backoff.h"
#include "daemon/follower.h"
#include "daemon/lead.h"
#include "ledger/migrate.h"
#include "pg/session.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define CHECK_SOON (50 * USEC_PER_MSEC) /* while a leader lock is free, but left to others */
#define LASTING (5 * USEC_PER_SEC)      /* of a leadership: one that ends sooner failed */
#define QUIET_EVERY (50 * USEC_PER_MSEC)

static const struct backoff reconnect = {
    .initial = 200 * USEC_PER_MSEC, .coefficient = 2, .max = 2 * USEC_PER_SEC, .jitter = 0.2};

enum database_state {
    DB_WAITING, /* for the next try; a database begins so */
    DB_CONNECTING,
    DB_CHECKING,
    DB_MIGRATING,
    DB_FOLLOWING,
    DB_LEADING,
    DB_STOPPED,
    DB_STATE_COUNT
};

/* From the row to the column. Whatever it does, it may fail, and be stopped. */
static const bool transition_allowed[DB_STATE_COUNT][DB_STATE_COUNT] = {
    [DB_WAITING] = {[DB_CONNECTING] = true, [DB_WAITING] = true, [DB_STOPPED] = true},
    [DB_CONNECTING] = {[DB_CHECKING] = true, [DB_WAITING] = true, [DB_STOPPED] = true},
    [DB_CHECKING] = {[DB_MIGRATING] = true, [DB_WAITING] = true, [DB_STOPPED] = true},
    [DB_MIGRATING] = {[DB_FOLLOWING] = true, [DB_WAITING] = true, [DB_STOPPED] = true},
    [DB_FOLLOWING] = {[DB_LEADING] = true, [DB_MIGRATING] = true, [DB_WAITING] = true, [DB_STOPPED] = true},
    [DB_LEADING] = {[DB_WAITING] = true, [DB_STOPPED] = true},
};

struct database {
    struct loop *loop;
    struct resolver *resolver;
    struct led_databases *led;
    struct job_pings *pings;
    const struct config_database *settings;
    struct snapshot *snapshot;
    const struct database_handlers *handlers;
    void *data;
    enum database_state state;
    struct pg_connection *connection;
    struct pg_identity identity;
    size_t first_host; /* of the conninfo's, where the next connection begins */
    struct pg_server server;
    struct pg_lineage lineage;
    struct pg_lineage highest; /* timeline that this entry was ever connected to */
    struct migration *migration;
    struct lead *lead;
    struct loop_timer
        *timer; /* pause before the next try or the next look at the leader lock; while `asked`: patience */
    struct loop_timer *quiet_timer; /* while leading */
    int failures;
    instant led_since; /* by our clock; INSTANT_NONE: it does not lead */
    bool stopping;
    bool reloading; /* whoever asked for a reload has not heard of its end */
    bool asked;     /* something small, whose answer is due soon */
    bool entered;   /* in the led databases */
    struct follower follower;
    struct error problem;
};

static void connect_now(void *data);
static void migrate(struct database *database);

static void set_state(struct database *database, enum database_state state)
{
    if (!transition_allowed[database->state][state]) {
        fatal("database %s: from state %d to %d", database->settings->name, database->state, state);
    }
    database->state = state;
}

static void reload_over(struct database *database)
{
    if (database->reloading) {
        database->reloading = false;
        database->handlers->reloaded(database->data);
    }
}

/* --- ending and trying again -------------------------------------------------------------------------------------- */

static void leave_led_databases(struct database *database)
{
    if (database->entered) {
        database->entered = false;
        led_databases_leave(database->led);
    }
}

static void release(struct database *database)
{
    loop_timer_clear(database->timer);
    loop_timer_clear(database->quiet_timer);
    leave_led_databases(database);
    led_databases_absent(database->led, database);
    database->asked = false;
    follower_forget(&database->follower);
    if (database->connection != NULL) {
        pg_cut(database->connection); /* a migration under way ends with its answer */
    }
    migrate_abandon(database->migration);
    database->migration = NULL;
    lead_destroy(database->lead);
    database->lead = NULL;
    pg_close(database->connection);
    database->connection = NULL;
    reload_over(database); /* whoever leads next goes by the new catalog */
}

static void stopped(struct database *database)
{
    release(database);
    loop_forget(database->loop, database); /* no try that was to follow */
    if (database->state != DB_STOPPED) {
        set_state(database, DB_STOPPED);
        database->handlers->stopped(database->data);
    }
}

static void try_again(void *data)
{
    struct database *database = data;
    release(database);
    if (database->stopping) {
        stopped(database);
        return;
    }
    set_state(database, DB_WAITING);
    if (database->led_since != INSTANT_NONE && clock_boot() - database->led_since > LASTING) {
        database->failures = 0;
    }
    database->led_since = INSTANT_NONE;
    database->failures++;
    loop_timer_set(database->timer, backoff_delay(&reconnect, database->failures, (uint64_t)clock_boot()));
}

/* The same words again and again would hide the first. */
static void give_up(struct database *database, const struct error *reason)
{
    struct error named = *reason;
    error_prefix(&named, "database %s", database->settings->name);
    if (strcmp(named.message, database->problem.message) != 0) {
        log_error(&named);
    }
    database->problem = named;
    loop_defer(database->loop, try_again, database);
}

/* This server will not do: another of the conninfo's hosts might. */
static void refuse_server(struct database *database, const struct error *reason)
{
    database->first_host = pg_host_in_use(database->connection) + 1;
    give_up(database, reason);
}

/* Before something small is asked: a server, or what is in between, may take it and never answer. */
static void await_answer(struct database *database)
{
    database->asked = true;
    loop_timer_set(database->timer, PG_LEASE);
}

static void answered(struct database *database)
{
    database->asked = false;
    loop_timer_clear(database->timer);
}

static void give_up_waiting(struct database *database)
{
    struct error err;
    error_set(&err, ERROR_UNREACHABLE, "the server has not answered for %d s", (int)(PG_LEASE / USEC_PER_SEC));
    give_up(database, &err);
}

static bool failed(struct database *database, const struct pg_reply *reply, const char *what)
{
    struct error err;
    answered(database);
    if (pg_reply_ok(reply)) {
        return false;
    }
    if (!pg_reply_lost(reply)) { /* else `closed` tells why */
        pg_reply_error(reply, &err);
        error_prefix(&err, "%s", what);
        give_up(database, &err);
    }
    return true;
}

/* --- leading ------------------------------------------------------------------------------------------------------ */

static void quiet_due(void *data)
{
    struct database *database = data;
    if (database->state == DB_LEADING && lead_quiet(database->lead)) {
        database->handlers->quiet(database->data);
    }
    loop_timer_set(database->quiet_timer, QUIET_EVERY);
}

static void lead_started(void *data)
{
    struct database *database = data;
    database->led_since = clock_boot();
    error_clear(&database->problem);
    if (database->handlers->quiet != NULL) {
        loop_timer_set(database->quiet_timer, QUIET_EVERY);
    }
}

static void lead_over(void *data, const struct error *reason)
{
    struct database *database = data;
    give_up(database, reason);
}

static void resigned(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    if (pg_reply_ok(reply)) {
        log_info("database %s: resigned", database->settings->name);
    }
    if (!pg_reply_lost(reply)) {
        loop_defer(database->loop, try_again, database);
    }
}

static void lead_drained(void *data)
{
    struct database *database = data;
    ledger_resign(lead_ledger(database->lead), resigned, database);
}

static void lead_reloaded(void *data)
{
    reload_over(data);
}

static const struct lead_handlers lead_handlers = {
    .started = lead_started, .ended = lead_over, .drained = lead_drained, .reloaded = lead_reloaded};

/* --- the leader lock, held by another ----------------------------------------------------------------------------- */

static void check_leader(void *data);

static void announced(void *data, const struct pg_reply *reply)
{
    const struct database *database = data;
    if (!pg_reply_ok(reply) && !pg_reply_lost(reply)) {
        log_warning("database %s: that this daemon follows could not be written: %s", database->settings->name,
                    pg_reply_message(reply));
    }
}

static void fingerprint(const struct database *database, char configuration[static 17])
{
    catalog_fingerprint(database->snapshot->catalog, database->settings->name, configuration);
}

static void announce(struct database *database)
{
    char configuration[17];
    if (!database->follower.announced) {
        database->follower.announced = true;
        fingerprint(database, configuration);
        ledger_follow(database->connection, database->snapshot->config->instance, configuration, announced, database);
    }
}

static void silent_ended(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    answered(database);
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_reply_ok(reply)) {
        log_warning("database %s: the session of a silent leader could not be ended: %s", database->settings->name,
                    pg_reply_message(reply));
    }
    database->follower.sign_since = clock_boot();
    loop_timer_set(database->timer, CHECK_SOON);
}

static void follow(struct database *database, const struct leader_lock *lock)
{
    char configuration[17];
    database->failures = 0;
    error_clear(&database->problem);
    announce(database);
    fingerprint(database, configuration);
    follower_tell_leader(&database->follower, lock, configuration);
    if (follower_is_silent(&database->follower, lock)) {
        log_warning("database %s: %s has been silent for %d s and is ended", database->settings->name, lock->instance,
                    (int)(FOLLOWER_SILENCE_MAX / USEC_PER_SEC));
        await_answer(database);
        ledger_end_silent(database->connection, lock, silent_ended, database);
    } else {
        loop_timer_set(database->timer, led_databases_check_every(database->led));
    }
}

/* --- the leader lock, free ---------------------------------------------------------------------------------------- */

static void lock_taken(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    struct ledger ledger = {.connection = database->connection, .server = database->server};
    if (failed(database, reply, "the leader lock could not be taken")) {
        return;
    }
    if (!ledger_read_leading(reply, &ledger)) {
        leave_led_databases(database);
        loop_timer_set(database->timer, CHECK_SOON); /* another was quicker */
        return;
    }
    set_state(database, DB_LEADING);
    database->follower.leader[0] = database->follower.differs[0] = '\0';
    database->lead = lead_create(database->loop, database->resolver, database->pings, database->settings,
                                 database->snapshot, &ledger, &database->follower.seen, &lead_handlers, database);
    if (database->handlers->quiet != NULL) {
        lead_hurry(database->lead);
    }
    if (database->stopping) {
        lead_drain(database->lead, 0);
    }
}

static void tell_promotion(const struct database *database, const struct pg_lineage *led)
{
    const struct pg_lineage *here = &database->lineage;
    if (led->timeline > 0 && here->timeline > led->timeline && strcmp(led->system, here->system) == 0) {
        log_info("database %s: timeline %d, led before on timeline %d: a standby was promoted",
                 database->settings->name, here->timeline, led->timeline);
    }
}

static void take_leader_lock(struct database *database, const struct leader_lock *lock)
{
    char configuration[17];
    database->entered = true;
    led_databases_enter(database->led);
    fingerprint(database, configuration);
    tell_promotion(database, &lock->led);
    await_answer(database);
    ledger_take_over(database->connection, lock, database->snapshot->config->instance, configuration,
                     &database->lineage, lock_taken, database);
}

/* Daemons that lead fewer databases go first. */
static void await_turn(struct database *database, const struct leader_lock *lock)
{
    if (follower_free_for(&database->follower) >= led_databases_pause(database->led)) {
        take_leader_lock(database, lock);
    } else {
        loop_timer_set(database->timer, CHECK_SOON);
    }
}

/* --- looking at it ------------------------------------------------------------------------------------------------ */

static bool left_behind(struct database *database, const struct pg_lineage *led)
{
    struct error err;
    if (!pg_left_behind(&database->highest, &database->lineage, led, &database->server, &err)) {
        return false;
    }
    refuse_server(database, &err);
    return true;
}

static void copy_adopted(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    if (!failed(database, reply, "the copy could not be adopted")) {
        check_leader(database);
    }
}

/* Its jobs are another database's until somebody says otherwise. */
static void hold_or_adopt(struct database *database, const struct leader_lock *lock)
{
    struct error err;
    if (database->settings->copies == CONFIG_COPIES_ADOPT) {
        log_warning("database %s: %s; adopted, as copies = \"adopt\" says", database->settings->name, lock->copy_of);
        await_answer(database);
        ledger_adopt_copy(database->connection, copy_adopted, database);
        return;
    }
    error_set(&err, ERROR_REFUSED, "%s: its jobs are held", lock->copy_of);
    error_hint(&err, LEDGER_COPY_HINT, database->settings->name);
    give_up(database, &err);
}

static void lock_known(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    struct leader_lock lock;
    struct error err;
    if (failed(database, reply, "the leader lock could not be looked at")) {
        return;
    }
    if (!ledger_read_leader_lock(reply, &lock)) {
        error_set(&err, ERROR_FAILED, "chime.leader has no row");
        error_hint(&err, "INSERT INTO chime.leader DEFAULT VALUES");
        give_up(database, &err);
        return;
    }
    if (left_behind(database, &lock.led)) {
        return;
    }
    if (!migrate_knows(lock.migration, lock.functions, &err)) {
        give_up(database, &err);
        return;
    }
    if (migrate_is_behind(lock.migration, lock.functions)) {
        migrate(database); /* restored in place, say: what it has is no longer what we migrated */
        return;
    }
    if (lock.copy_of[0] != '\0') {
        hold_or_adopt(database, &lock);
        return;
    }
    database->first_host = pg_host_in_use(database->connection);
    follower_note_waits(&database->follower, &lock);
    if (lock.held) {
        follow(database, &lock);
    } else if (lock.waits[0] != '\0') {
        /* To take the leader lock would wait likewise, and be given up. */
        loop_timer_set(database->timer, led_databases_check_every(database->led));
    } else {
        await_turn(database, &lock);
    }
    database->follower.seen = lock;
}

static void check_leader(void *data)
{
    struct database *database = data;
    await_answer(database);
    ledger_check_leader(database->connection, lock_known, database);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void migrated(void *data, const struct error *err, const struct migrate_state *found)
{
    struct database *database = data;
    (void)found;
    database->migration = NULL;
    if (err != NULL) {
        if (err->kind != ERROR_UNREACHABLE) {
            give_up(database, err);
        }
        return;
    }
    set_state(database, DB_FOLLOWING);
    check_leader(database);
}

static void migrate(struct database *database)
{
    set_state(database, DB_MIGRATING);
    database->migration = migrate_start(database->connection, true, migrated, database);
}

/* A server that does not tell its timeline is served without. */
static void lineage_known(void *data, const struct pg_reply *reply)
{
    static const struct pg_lineage none;
    struct database *database = data;
    answered(database);
    if (pg_reply_lost(reply)) {
        return;
    }
    pg_read_lineage(reply, &database->lineage);
    if (!left_behind(database, &none)) {
        migrate(database);
    }
}

static void checked(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    struct error err;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_read_check(database->connection, reply, PG_LEADER, &database->identity, &err)) {
        refuse_server(database, &err);
        return;
    }
    pg_read_server(database->connection, reply, &database->server);
    if (!led_databases_admit(database->led, database, database->settings->name, &database->server, &err)) {
        give_up(database, &err);
        return;
    }
    pg_ask_lineage(database->connection, lineage_known, database);
}

static void connected(void *data)
{
    struct database *database = data;
    set_state(database, DB_CHECKING);
    await_answer(database); /* and of the one that follows */
    pg_check(database->connection, checked, database);
}

static void closed(void *data, const struct error *reason)
{
    struct database *database = data;
    give_up(database, reason);
}

static void notified(void *data, const char *channel, const char *payload)
{
    const struct database *database = data;
    (void)payload;
    if (database->lead != NULL) {
        lead_notified(database->lead, channel);
    }
}

static void told(void *data, const char *words)
{
    struct database *database = data;
    log_info("database %s: %s", database->settings->name, words);
}

static const struct pg_handlers connection_handlers = {
    .ready = connected, .closed = closed, .notified = notified, .told = told};

static void connect_now(void *data)
{
    struct database *database = data;
    struct pg_target target = {.conninfo = database->settings->conninfo,
                               .application_name = "pgchime follower", /* until it leads */
                               .settings = pg_leader_settings,
                               .setting_count = pg_leader_setting_count,
                               .input_limit = PG_LEADER_INPUT_LIMIT,
                               .connect_timeout = CONNECT_TIMEOUT,
                               .first_host = database->first_host};
    set_state(database, DB_CONNECTING);
    database->connection = pg_open(database->loop, database->resolver, &target, &connection_handlers, database);
}

static void timer_due(void *data)
{
    struct database *database = data;
    if (database->asked) {
        give_up_waiting(database);
    } else if (database->state == DB_WAITING) {
        connect_now(database);
    } else if (database->state == DB_FOLLOWING) {
        check_leader(database);
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct database *database_create(struct loop *loop, struct resolver *resolver, struct led_databases *led,
                                 struct job_pings *pings, const struct config_database *settings,
                                 struct snapshot *snapshot, const struct database_handlers *handlers, void *data)
{
    struct database *database = xcalloc(1, sizeof(*database));
    database->loop = loop;
    database->resolver = resolver;
    database->led = led;
    database->pings = pings;
    database->led_since = INSTANT_NONE;
    follower_begin(&database->follower, settings->name);
    database->settings = settings;
    database->snapshot = snapshot_hold(snapshot);
    database->handlers = handlers;
    database->data = data;
    database->timer = loop_timer_create(loop, timer_due, database);
    database->quiet_timer = loop_timer_create(loop, quiet_due, database);
    loop_defer(loop, connect_now, database);
    return database;
}

void database_destroy(struct database *database)
{
    if (database != NULL) {
        release(database);
        led_databases_forget(database->led, database);
        loop_forget(database->loop, database);
        loop_timer_destroy(database->timer);
        loop_timer_destroy(database->quiet_timer);
        snapshot_drop(database->snapshot);
        free(database);
    }
}

void database_stop(struct database *database, bool at_once)
{
    bool again = database->stopping;
    database->stopping = true;
    if (database->state == DB_LEADING) {
        if (!again || at_once) {
            lead_drain(database->lead, at_once ? 0 : LEAD_PATIENCE);
        }
    } else if (database->state != DB_STOPPED) {
        stopped(database);
    }
}

void database_reload(struct database *database, struct snapshot *snapshot, const struct config_database *settings)
{
    struct snapshot *old = database->snapshot;
    database->snapshot = snapshot_hold(snapshot);
    database->settings = settings;
    database->follower.database = settings->name;
    database->follower.announced = false;
    database->reloading = true;
    if (database->state == DB_LEADING) {
        lead_reload(database->lead, snapshot, settings);
    } else {
        reload_over(database);
    }
    snapshot_drop(old);
}

struct served_database database_served(const struct database *database)
{
    if (database->state == DB_LEADING) {
        return (struct served_database){SERVED_LEADS, ""};
    }
    if (database->state == DB_FOLLOWING) {
        const char *waits = database->follower.waits;
        return (struct served_database){waits[0] != '\0' ? SERVED_TRIES : SERVED_FOLLOWS, waits};
    }
    return (struct served_database){SERVED_TRIES, database->problem.message};
}
