/* SPDX-License-Identifier: PostgreSQL */
/* Another catalog for a leadership that goes on.
 *
 *   stage        does                                                              then
 *   INSTALLING   plugins, on a session of its own, while runs go on                AGREEING
 *   AGREEING     waits until no claim is on its way; nothing new is claimed        WRITING
 *   WRITING      what changes is withdrawn and passed, the jobs go to the ledger   over: the scheduler has the new jobs
 * A dormant plugin that wakes goes the same way, with the catalog in force. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/alerts.h"
#include "daemon/heartbeat_ping.h"
#include "daemon/lead_state.h"
#include "daemon/listener.h"

#define WAKE_EVERY (10 * USEC_PER_SEC)
#define TRY_AGAIN (2 * USEC_PER_SEC)
#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)

enum stage { STAGE_NONE, STAGE_INSTALLING, STAGE_AGREEING, STAGE_WRITING };

struct reload {
    enum stage stage;
    bool waking;
    struct snapshot *next; /* held */
    const struct config_database *database;
    struct snapshot *later; /* asked for meanwhile; held */
    struct plugin_states plugins;
    struct job_list jobs;
    struct pg_connection *connection;
    struct install *install;
    struct loop_timer *again;
};

static void begin(struct lead *lead, struct snapshot *next, const struct config_database *database, bool waking);

/* --- the end of a reload ------------------------------------------------------------------------------------------ */

static void disconnect(struct reload *reload)
{
    install_abandon(reload->install);
    reload->install = NULL;
    pg_close(reload->connection);
    reload->connection = NULL;
}

static void reload_free(struct reload *reload)
{
    disconnect(reload);
    loop_timer_destroy(reload->again);
    job_list_finish(&reload->jobs);
    plugin_states_finish(&reload->plugins);
    snapshot_drop(reload->next);
    snapshot_drop(reload->later);
    free(reload);
}

static void check_again_later(struct lead *lead)
{
    if (lead->plugins.any_dormant) {
        loop_timer_set(lead->wake_timer, WAKE_EVERY);
    }
}

static void over(struct lead *lead)
{
    struct reload *reload = lead->reload;
    struct snapshot *later = reload->later;
    bool waking = reload->waking;
    reload->later = NULL;
    lead->reload = NULL;
    lead->reload_writes = false;
    reload_free(reload);
    if (later != NULL) {
        begin(lead, later, config_find_database(later->config, lead->database->name), false);
        snapshot_drop(later);
        return;
    }
    check_again_later(lead);
    dispatch_soon(lead);
    if (!waking) {
        lead->handlers->reloaded(lead->data);
    }
}

/* --- the jobs ----------------------------------------------------------------------------------------------------- */

static bool same_zone(const struct job_options *left, const struct job_options *right)
{
    return strcmp(left->timezone, right->timezone) == 0 && left->dst_gap == right->dst_gap &&
           left->dst_overlap == right->dst_overlap;
}

/* As chime.sync_jobs sees it: what has no schedule has no zone either. */
static bool same_slots(const struct job *old, const struct job *new)
{
    return strcmp(old->schedule_text, new->schedule_text) == 0 &&
           (new->schedule_text[0] == '\0' || same_zone(old->options, new->options));
}

static bool keeps_its_slots(const struct job *old, const struct job *new)
{
    return new != NULL && (new->active || !old->active) && same_slots(old, new);
}

/* Jobs made by SQL are none of the catalog's, and stay. */
static bool is_of_catalog(const struct scheduled *scheduled)
{
    return !scheduled_retired(scheduled) && scheduled_job(scheduled)->origin != JOB_FROM_SQL;
}

static void withdraw_changed(struct lead *lead, instant now)
{
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        struct scheduled *scheduled = scheduler_at(lead->scheduler, i);
        const struct job *old = scheduled_job(scheduled);
        const struct job *new = job_list_find(&lead->reload->jobs, old->name);
        if (is_of_catalog(scheduled) && !keeps_its_slots(old, new)) {
            scheduler_withdraw(lead->scheduler, scheduled,
                               new == NULL    ? "reload: the job was removed before it could start"
                               : !new->active ? "reload: the job was switched off before it could start"
                                              : "reload: its schedule changed before it could start",
                               now);
        }
    }
}

static void each_missing(struct lead *lead, void (*visit)(struct lead *lead, struct scheduled *scheduled))
{
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        struct scheduled *scheduled = scheduler_at(lead->scheduler, i);
        if (is_of_catalog(scheduled) && job_list_find(&lead->reload->jobs, scheduled_job(scheduled)->name) == NULL) {
            visit(lead, scheduled);
        }
    }
}

/* Jobs made by SQL may come after it: they are not to find it. */
static void release_name(struct lead *lead, struct scheduled *scheduled)
{
    scheduler_release_name(lead->scheduler, scheduled);
}

/* All of them are put: nothing of the old catalog is held any more, but by runs. */
static void take_jobs_over(struct lead *lead, const struct ledger_synced *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scheduler_put(lead->scheduler, jobs[i].job, &jobs[i].memory);
    }
    each_missing(lead, release_name);
    scheduler_link(lead->scheduler, lead_now(lead));
    each_missing(lead, sql_placing_remove);
    scheduler_link(lead->scheduler, lead_now(lead));
    dispatch_write_skipped(lead); /* else a job that went could not be forgotten */
    scheduler_forget(lead->scheduler);
    sql_jobs_reloaded(lead);
}

static void take_snapshot_over(struct lead *lead)
{
    struct reload *reload = lead->reload;
    struct snapshot *old = lead->snapshot;
    struct plugin_states old_plugins = lead->plugins;
    lead->snapshot = snapshot_hold(reload->next);
    lead->database = reload->database;
    lead->plugins = reload->plugins;
    reload->plugins = (struct plugin_states){0};
    plugin_states_finish(&old_plugins);
    snapshot_drop(old);
    roles_follow(lead);
    alerts_follow(lead->alerts);
    heartbeat_ping_follow(lead->heartbeat_ping);
    job_pings_follow(lead->pings, lead->database->name, &reload->jobs);
}

static void population_requested(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the first refresh of new views could not be asked for");
}

static void configured(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the new configuration's fingerprint could not be written");
}

static void synced(void *data, const struct pg_reply *reply, const struct ledger_synced *jobs, size_t count)
{
    struct lead *lead = data;
    char configuration[17];
    lead->sync = NULL;
    if (lead_refused(lead, reply, "jobs could not be written to the ledger")) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!lead_knows(lead, &jobs[i].memory, jobs[i].job->name)) {
            return;
        }
    }
    dispatch_write_skipped(lead); /* by the zones of the old catalog: what was decided since its jobs were withdrawn */
    lead_set_pools(lead, lead->reload->database);
    take_jobs_over(lead, jobs, count);
    listener_follow(lead->listener);
    take_snapshot_over(lead);
    log_info("database %s: goes by the new catalog with %zu jobs", lead->database->name, count);
    ledger_request_population(&lead->ledger, lead_now(lead), false, population_requested, lead);
    catalog_fingerprint(lead->snapshot->catalog, lead->database->name, configuration);
    ledger_configure(&lead->ledger, configuration, lead->database->timezone, configured, lead);
    over(lead);
}

bool apply_reload_step(struct lead *lead)
{
    struct reload *reload = lead->reload;
    if (reload == NULL || reload->stage < STAGE_AGREEING) {
        return false;
    }
    if (reload->stage == STAGE_AGREEING && lead->claim_count == 0 && !sql_jobs_asking(lead)) {
        instant now = lead_now(lead); /* where a schedule ends and another begins */
        reload->stage = STAGE_WRITING;
        lead->reload_writes = true;
        withdraw_changed(lead, now);
        dispatch_write_skipped(lead);
        lead->sync = ledger_sync_start(&lead->ledger, reload->jobs.items, reload->jobs.count, now, true, synced, lead);
    }
    return true;
}

static void agree(struct lead *lead)
{
    struct reload *reload = lead->reload;
    reload->stage = STAGE_AGREEING;
    job_list_fill(&reload->jobs, reload->next->catalog, reload->database->name, &reload->plugins);
    dispatch_soon(lead);
}

/* --- the plugins -------------------------------------------------------------------------------------------------- */

static bool nobody_woke(const struct lead *lead)
{
    const struct plugin_states *before = &lead->plugins;
    const struct plugin_states *after = &lead->reload->plugins;
    return before->count == after->count &&
           memcmp(before->dormant, after->dormant, before->count * sizeof(*before->dormant)) == 0;
}

static void disconnect_later(void *data)
{
    struct lead *lead = data;
    disconnect(lead->reload);
    if (lead->reload->waking && nobody_woke(lead)) {
        over(lead);
    } else {
        agree(lead);
    }
}

static void installed(void *data, struct plugin_states *states)
{
    struct lead *lead = data;
    lead->reload->install = NULL;
    lead->reload->plugins = *states;
    loop_defer(lead->loop, disconnect_later, lead);
}

static void connected(void *data)
{
    struct lead *lead = data;
    struct reload *reload = lead->reload;
    reload->install = install_start(reload->connection, reload->next->catalog, reload->database,
                                    reload->waking ? &lead->plugins : NULL, installed, lead);
}

static void try_again(void *data)
{
    struct lead *lead = data;
    disconnect(lead->reload);
    loop_timer_set(lead->reload->again, TRY_AGAIN);
}

static void closed(void *data, const struct error *reason)
{
    struct lead *lead = data;
    log_warning("database %s: no session to install plugins on: %s", lead->database->name, reason->message);
    loop_defer(lead->loop, try_again, lead);
}

static void told(void *data, const char *words)
{
    struct lead *lead = data;
    log_info("database %s: %s", lead->database->name, words);
}

static void connect_now(void *data)
{
    static const struct pg_handlers handlers = {.ready = connected, .closed = closed, .told = told};
    struct lead *lead = data;
    struct pg_target target = {.conninfo = lead->database->conninfo,
                               .application_name = "pgchime install",
                               .settings = pg_leader_settings,
                               .setting_count = pg_leader_setting_count,
                               .input_limit = PG_LEADER_INPUT_LIMIT,
                               .connect_timeout = CONNECT_TIMEOUT,
                               .server = &lead->ledger.server};
    alerts_yield(lead->alerts);
    lead->reload->connection = pg_open(lead->loop, lead->resolver, &target, &handlers, lead);
}

static bool needs_no_install(const struct lead *lead, const struct snapshot *next)
{
    return !lead->plugins.any_failed && !lead->plugins.any_dormant &&
           catalog_same_plugins(lead->snapshot->catalog, next->catalog, lead->database->name);
}

static void begin(struct lead *lead, struct snapshot *next, const struct config_database *database, bool waking)
{
    struct reload *reload = xcalloc(1, sizeof(*reload));
    *reload = (struct reload){
        .stage = STAGE_INSTALLING, .waking = waking, .next = snapshot_hold(next), .database = database};
    reload->again = loop_timer_create(lead->loop, connect_now, lead);
    lead->reload = reload;
    if (!waking && needs_no_install(lead, next)) {
        reload->plugins.count = next->catalog->plugin_count;
        reload->plugins.dormant = xcalloc(reload->plugins.count + 1, sizeof(*reload->plugins.dormant));
        reload->plugins.available = xcalloc(reload->plugins.count + 1, sizeof(*reload->plugins.available));
        agree(lead);
    } else {
        connect_now(lead);
    }
}

static void wake_due(void *data)
{
    struct lead *lead = data;
    bool asleep = lead->plugins.any_dormant; /* a reload may have taken the last one away since */
    if (asleep && lead->reload == NULL && !lead->draining && !lead->over) {
        begin(lead, lead->snapshot, lead->database, true);
    }
}

/* --- from outside ------------------------------------------------------------------------------------------------- */

void lead_reload(struct lead *lead, struct snapshot *snapshot, const struct config_database *database)
{
    if (lead->draining || lead->over) {
        lead->handlers->reloaded(lead->data); /* whoever leads next goes by it */
    } else if (lead->started && lead->reload == NULL) {
        begin(lead, snapshot, database, false);
    } else {
        if (lead->reload == NULL) { /* the start is under way: it is the first to be done after it */
            lead->reload = xcalloc(1, sizeof(*lead->reload));
            lead->reload->waking = true;
        }
        snapshot_drop(lead->reload->later);
        lead->reload->later = snapshot_hold(snapshot);
    }
}

void apply_reload_start(struct lead *lead)
{
    lead->wake_timer = loop_timer_create(lead->loop, wake_due, lead);
    if (lead->reload != NULL) {
        over(lead);
    } else {
        check_again_later(lead);
    }
}

void apply_reload_destroy(struct lead *lead)
{
    loop_timer_destroy(lead->wake_timer);
    if (lead->reload != NULL) {
        reload_free(lead->reload);
        lead->reload = NULL;
    }
}
