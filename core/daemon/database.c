#include "daemon/database.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "calendar/backoff.h"
#include "daemon/lead.h"
#include "ledger/migrate.h"
#include "pg/session.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define LOOK_EVERY USEC_PER_SEC
#define QUIET_EVERY (50 * USEC_PER_MSEC)
#define DRAIN_PATIENCE (30 * USEC_PER_SEC)

static const struct backoff reconnect = {
    .initial = 200 * USEC_PER_MSEC, .coefficient = 2, .max = 2 * USEC_PER_SEC, .jitter = 0.2};

enum database_state { DB_CONNECTING, DB_CHECKING, DB_MIGRATING, DB_FOLLOWING, DB_LEADING, DB_WAITING, DB_STOPPED };

struct database {
    struct loop *loop;
    struct resolver *resolver;
    const struct config_database *settings;
    struct generation *generation;
    const struct database_handlers *handlers;
    void *data;
    enum database_state state;
    struct pg_connection *connection;
    struct pg_identity identity;
    struct migration *migration;
    struct lead *lead;
    struct loop_timer *timer;       /* pause before the next try, or before the next look at the seat */
    struct loop_timer *quiet_timer; /* while leading */
    int failures;
    bool stopping;
    bool reloading; /* whoever asked for a reload has not heard of its end */
    bool followed;  /* that another leads was logged */
    struct error problem;
    struct ledger_seat seat_seen; /* at the last look */
};

static void connect_now(void *data);

static void reload_over(struct database *database)
{
    if (database->reloading) {
        database->reloading = false;
        database->handlers->reloaded(database->data);
    }
}

/* --- ending and trying again ------------------------------------------------------------------------------------------- */

static void release(struct database *database)
{
    loop_timer_clear(database->timer);
    loop_timer_clear(database->quiet_timer);
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
    if (database->state != DB_STOPPED) {
        database->state = DB_STOPPED;
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
    database->state = DB_WAITING;
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

static bool failed(struct database *database, const struct pg_reply *reply, const char *what)
{
    struct error err;
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

/* --- leading ----------------------------------------------------------------------------------------------------------- */

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
    database->failures = 0;
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

/* --- the seat ---------------------------------------------------------------------------------------------------------- */

static void look(void *data);

static void seat_taken(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    struct ledger ledger = {.connection = database->connection};
    if (failed(database, reply, "the seat could not be taken")) {
        return;
    }
    if (!ledger_read_seated(reply, &ledger)) {
        loop_timer_set(database->timer, LOOK_EVERY); /* another was quicker */
        return;
    }
    database->state = DB_LEADING;
    database->followed = false;
    database->lead = lead_create(database->loop, database->resolver, database->settings, database->generation, &ledger,
                                 &database->seat_seen, &lead_handlers, database);
    if (database->stopping) {
        lead_drain(database->lead, 0);
    }
}

static void seat_known(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    struct ledger_seat seat;
    if (failed(database, reply, "the seat could not be looked at")) {
        return;
    }
    if (!ledger_read_seat(reply, &seat)) {
        struct error err;
        error_set(&err, ERROR_FAILED, "chime.leader has no row");
        error_hint(&err, "INSERT INTO chime.leader DEFAULT VALUES");
        give_up(database, &err);
        return;
    }
    database->seat_seen = seat;
    if (!seat.held) {
        char configuration[17];
        catalog_fingerprint(database->generation->catalog, configuration);
        ledger_take_over(database->connection, seat.token[0] != '\0' ? seat.token : NULL,
                         database->generation->config->instance, configuration, seat_taken, database);
        return;
    }
    if (!database->followed) {
        log_info("database %s: %s leads; following", database->settings->name, seat.instance);
        database->followed = true;
    }
    database->failures = 0;
    error_clear(&database->problem);
    loop_timer_set(database->timer, LOOK_EVERY);
}

static void look(void *data)
{
    struct database *database = data;
    ledger_look(database->connection, seat_known, database);
}

/* --- connecting -------------------------------------------------------------------------------------------------------- */

static void migrated(void *data, const struct error *err, int from, int to)
{
    struct database *database = data;
    (void)from;
    (void)to;
    database->migration = NULL;
    if (err != NULL) {
        if (err->kind != ERROR_UNREACHABLE) {
            give_up(database, err);
        }
        return;
    }
    database->state = DB_FOLLOWING;
    look(database);
}

static void checked(void *data, const struct pg_reply *reply)
{
    struct database *database = data;
    struct error err;
    if (pg_reply_lost(reply)) {
        return;
    }
    if (!pg_read_check(database->connection, reply, PG_LEADER, &database->identity, &err)) {
        give_up(database, &err);
        return;
    }
    database->state = DB_MIGRATING;
    database->migration = migrate_start(database->connection, true, migrated, database);
}

static void connected(void *data)
{
    struct database *database = data;
    database->state = DB_CHECKING;
    pg_check(database->connection, checked, database);
}

static void closed(void *data, const struct error *reason)
{
    struct database *database = data;
    give_up(database, reason);
}

static const struct pg_handlers connection_handlers = {.ready = connected, .closed = closed};

static void connect_now(void *data)
{
    struct database *database = data;
    struct pg_target target = {.conninfo = database->settings->conninfo,
                               .application_name = "pgchime leader",
                               .settings = pg_leader_settings,
                               .setting_count = pg_leader_setting_count,
                               .connect_timeout = CONNECT_TIMEOUT};
    database->state = DB_CONNECTING;
    database->connection = pg_open(database->loop, database->resolver, &target, &connection_handlers, database);
}

static void timer_due(void *data)
{
    struct database *database = data;
    if (database->state == DB_WAITING) {
        connect_now(database);
    } else if (database->state == DB_FOLLOWING) {
        look(database);
    }
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

struct database *database_create(struct loop *loop, struct resolver *resolver, const struct config_database *settings,
                                 struct generation *generation, const struct database_handlers *handlers, void *data)
{
    struct database *database = xcalloc(1, sizeof *database);
    database->loop = loop;
    database->resolver = resolver;
    database->settings = settings;
    database->generation = generation_hold(generation);
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
        loop_forget(database->loop, database);
        loop_timer_destroy(database->timer);
        loop_timer_destroy(database->quiet_timer);
        generation_drop(database->generation);
        free(database);
    }
}

void database_stop(struct database *database, bool at_once)
{
    bool again = database->stopping;
    database->stopping = true;
    if (database->state == DB_LEADING) {
        if (!again || at_once) {
            lead_drain(database->lead, at_once ? 0 : DRAIN_PATIENCE);
        }
    } else if (database->state != DB_STOPPED) {
        stopped(database);
    }
}

void database_reload(struct database *database, struct generation *generation, const struct config_database *settings)
{
    struct generation *old = database->generation;
    database->generation = generation_hold(generation);
    database->settings = settings;
    database->reloading = true;
    if (database->state == DB_LEADING) {
        lead_reload(database->lead, generation, settings);
    } else {
        reload_over(database);
    }
    generation_drop(old);
}
