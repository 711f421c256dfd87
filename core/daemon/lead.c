/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/lead.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/alerts.h"
#include "daemon/heartbeat_ping.h"
#include "daemon/lead_state.h"
#include "daemon/listener.h"
#include "daemon/notifications.h"
#include "daemon/pulse.h"
#include "daemon/upkeep.h"
#include "ledger/alerting.h"
#include "ledger/answers.h"
#include "ledger/changes.h"
#include "ledger/listening.h"
#include "ledger/migrate.h"
#include "ledger/upkeep.h"

#define HEARTBEAT_EVERY USEC_PER_SEC
#define CAPTURE_EVERY (10 * USEC_PER_SEC)
#define CAPTURE_PAUSE_FACTOR 9        /* where there is more to do: a tenth of the time, as upkeep's */
#define CLOCK_STEP (2 * USEC_PER_SEC) /* a larger change of the database's clock is a step, not drift */

/* --- the heartbeat ------------------------------------------------------------------------------------------------ */

/* The database read its clock somewhere between our sending and receiving, so the offset is known to lie within two
 * bounds, wide apart when the answer was slow: it only moves as far as they demand. */
static void measure_clock(struct lead *lead, instant database_now)
{
    duration low = database_now - clock_boot();
    duration high = database_now - lead->heartbeat_sent;
    duration offset = lead->offset < low ? low : lead->offset > high ? high : lead->offset;
    duration step = offset - lead->offset;
    lead->offset = offset;
    if (step > CLOCK_STEP || step < -CLOCK_STEP) {
        log_warning("database %s: its clock was stepped by %lld ms", lead->database->name,
                    (long long)(step / USEC_PER_MSEC));
        if (step > 0) {
            scheduler_catch_up(lead->scheduler, lead_now(lead));
        } else {
            scheduler_step_back(lead->scheduler, lead_now(lead));
        }
    }
}

/* To whoever knows the schema. Runs under way may end. */
static void give_way(struct lead *lead, const struct ledger_heartbeat *heartbeat)
{
    struct error err;
    if (lead->draining || migrate_knows(heartbeat->migration, heartbeat->functions, &err)) {
        return;
    }
    error_prefix(&err, "database %s: the leader lock is given up", lead->database->name);
    log_error(&err);
    lead_drain(lead, LEAD_PATIENCE);
}

static void heartbeat_answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    struct ledger_heartbeat heartbeat;
    lead->heartbeat_pending = false;
    lead->heartbeat_refused = answer_of(reply) == ANSWER_AGAIN;
    if (lead->heartbeat_refused && !lead->over) {
        blocked_writes_note(lead, reply);
        return;
    }
    if (lead_refused(lead, reply, "heartbeat")) {
        return;
    }
    blocked_writes_end(lead);
    ledger_read_heartbeat(reply, &heartbeat);
    if (!heartbeat.leads) {
        struct error err;
        error_set(&err, ERROR_REFUSED, "another daemon leads now");
        lead_end(lead, &err);
        return;
    }
    lead->heartbeat_good = lead->heartbeat_sent;
    lead->heartbeats++;
    measure_clock(lead, heartbeat.now);
    requests_grant(lead, reply);
    if (lead->over) {
        return;
    }
    give_way(lead, &heartbeat);
    if (heartbeat.watched) {
        pulse_write(lead->pulse);
    }
    run_queues_wake(lead);
}

static void heartbeat_due(void *data)
{
    struct lead *lead = data;
    log_fold_tell(lead->failures);
    if (lead->heartbeat_pending && clock_boot() - lead->heartbeat_sent > PG_LEASE) {
        struct error err;
        error_set(&err, ERROR_UNREACHABLE, "the server has not answered for %d s", (int)(PG_LEASE / USEC_PER_SEC));
        lead_end(lead, &err);
        return;
    }
    if (!lead->heartbeat_pending) {
        lead->heartbeat_pending = true;
        lead->heartbeat_sent = clock_boot();
        ledger_heartbeat(&lead->ledger, heartbeat_answered, lead);
    }
    pulse_note_lag(lead->pulse, HEARTBEAT_EVERY);
    loop_timer_set(lead->heartbeat_timer, HEARTBEAT_EVERY);
}

static void tick_due(void *data)
{
    struct lead *lead = data;
    if (lead->started && !lead->over && !lead->draining) {
        scheduler_tick(lead->scheduler, lead_now(lead));
    }
    dispatch_soon(lead);
}

static void population_asked_again(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the first refresh of views could not be asked for again");
}

/* A problem is logged when it is new. */
static void capture_tended(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead->over || pg_reply_lost(reply)) {
        return;
    }
    const char *problem = pg_reply_ok(reply) ? pg_reply_value(reply, 0, 0, 0) : pg_reply_message(reply);
    if (problem != NULL && (lead->capture_problem == NULL || strcmp(problem, lead->capture_problem) != 0)) {
        log_warning("database %s: changes are not captured: %s", lead->database->name, problem);
    }
    free(lead->capture_problem);
    lead->capture_problem = problem != NULL ? xstrdup(problem) : NULL;
    ledger_request_population(&lead->ledger, lead_now(lead), true, population_asked_again, lead);
    duration took = clock_boot() - lead->capture_sent;
    loop_timer_set(lead->capture_timer, ledger_tend_more(reply) ? took * CAPTURE_PAUSE_FACTOR : CAPTURE_EVERY);
}

static void capture_due(void *data)
{
    struct lead *lead = data;
    lead->capture_sent = clock_boot();
    ledger_tend_capture(lead->ledger.connection, capture_tended, lead);
}

static void patience_over(void *data)
{
    struct lead *lead = data;
    lead->impatient = true;
    log_warning("database %s: runs that did not end in time are cancelled", lead->database->name);
    run_queues_cancel(lead);
}

static void drained_unstarted(void *data)
{
    struct lead *lead = data;
    lead->drained = true;
    lead->handlers->drained(lead->data);
}

/* --- the start, step by step -------------------------------------------------------------------------------------- */

static void start_schedule(struct lead *lead)
{
    recovery_judge(lead);
    lead->started = true;
    scheduler_start(lead->scheduler, lead_now(lead), lead->server_start);
    log_info("database %s: leading as epoch %lld with %zu jobs", lead->database->name, (long long)lead->ledger.epoch,
             scheduler_count(lead->scheduler));
    ledger_wait_briefly(&lead->ledger);
    heartbeat_due(lead);
    sql_jobs_start(lead);
    loop_timer_set(lead->capture_timer, CAPTURE_EVERY);
    lead->listener = listener_create(lead);
    lead->upkeep = upkeep_create(lead);
    lead->alerts = alerts_create(lead);
    lead->notifications = notifications_create(lead);
    lead->heartbeat_ping = heartbeat_ping_create(lead);
    apply_reload_start(lead);
    dispatch_soon(lead);
    lead->handlers->started(lead->data);
}

static void population_requested(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (!lead_refused(lead, reply, "the first refresh of new views could not be asked for")) {
        recovery_read(lead, start_schedule);
    }
}

static void all_loaded(struct lead *lead)
{
    scheduler_link(lead->scheduler, lead_now(lead));
    ledger_request_population(&lead->ledger, lead_now(lead), false, population_requested, lead);
}

static void jobs_synced(void *data, const struct pg_reply *reply, const struct ledger_synced *jobs, size_t count)
{
    struct lead *lead = data;
    lead->sync = NULL;
    if (lead_refused(lead, reply, "jobs could not be written to the ledger")) {
        return;
    }
    lead->scheduler = scheduler_create();
    if (lead->hurried) {
        scheduler_hurry(lead->scheduler);
    }
    lead_set_pools(lead, lead->database);
    for (size_t i = 0; i < count; i++) {
        if (!lead_knows(lead, &jobs[i].memory, jobs[i].job->name)) {
            return;
        }
        scheduler_put(lead->scheduler, jobs[i].job, &jobs[i].memory);
    }
    job_list_finish(&lead->jobs);
    sql_jobs_load(lead, all_loaded);
}

static void plugins_installed(void *data, struct plugin_states *states)
{
    struct lead *lead = data;
    lead->install = NULL;
    lead->plugins = *states;
    job_list_fill(&lead->jobs, lead->snapshot->catalog, lead->database->name, &lead->plugins);
    job_pings_follow(lead->pings, lead->database->name, &lead->jobs);
    lead->sync = ledger_sync_start(&lead->ledger, lead->jobs.items, lead->jobs.count, lead_now(lead), false,
                                   jobs_synced, lead);
}

/* Those to come are made first. A reader may be in the way: there is a week of them ahead, and upkeep tries again. */
static void history_kept(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    int64_t from;
    if (lead->over || pg_reply_lost(reply)) {
        return;
    }
    if (upkeep_read_problem(reply) == NULL && upkeep_read_more(reply, &from)) {
        upkeep_send(&lead->ledger, UPKEEP_HISTORY, 0, from, history_kept, lead);
        return;
    }
    lead->install = install_start(lead->ledger.connection, lead->snapshot->catalog, lead->database, NULL,
                                  plugins_installed, lead);
}

/* Sessions of an earlier leader were told to end: what they hold would make the steps that follow wait. Their runs are
 * judged once the jobs are known. */
static void recovery_told(struct lead *lead)
{
    upkeep_send(&lead->ledger, UPKEEP_HISTORY, 0, 0, history_kept, lead);
}

/* Before anything is pinged: what was sent since would not be known there. */
static void pings_recalled(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "what is known of pings could not be read")) {
        return;
    }
    for (size_t i = 0; i < alerting_recalled_count(reply); i++) {
        job_pings_recall(lead->pings, lead->database->name, alerting_recalled_job(reply, i),
                         alerting_recalled_words(reply, i));
    }
}

static void listener_told(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the session by which an earlier leader heard could not be ended");
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-size): it is made of so many things */
struct lead *lead_create(struct loop *loop, struct resolver *resolver, struct job_pings *pings,
                         const struct config_database *database, struct snapshot *snapshot, const struct ledger *ledger,
                         const struct leader_lock *lock, const struct lead_handlers *handlers, void *data)
{
    struct lead *lead = xcalloc(1, sizeof(*lead));
    lead->loop = loop;
    lead->resolver = resolver;
    lead->pings = pings;
    lead->database = database;
    lead->snapshot = snapshot_hold(snapshot);
    lead->ledger = *ledger;
    lead->ledger.writes = write_queue_create(loop, ledger->connection, &blocked_writes_handlers, lead);
    lead->ledger.ends = write_queue_create(loop, ledger->connection, &blocked_writes_handlers, lead);
    lead->handlers = handlers;
    lead->data = data;
    lead->offset = lock->now - clock_boot();
    lead->server_start = lock->server_start;
    lead->heartbeat_good = clock_boot();
    lead->tick_timer = loop_timer_create(loop, tick_due, lead);
    lead->heartbeat_timer = loop_timer_create(loop, heartbeat_due, lead);
    lead->capture_timer = loop_timer_create(loop, capture_due, lead);
    lead->recovery_timer = loop_timer_create(loop, recovery_sweep, lead);
    lead->drain_timer = loop_timer_create(loop, patience_over, lead);
    lead->failures = log_fold_create();
    job_pings_follow(pings, database->name, &lead->jobs);
    lead->totals = totals_create(lead);
    lead->pulse = pulse_create(lead);
    dispatch_create(lead);
    warm_up_create(lead);
    alerting_recall_pings(&lead->ledger, pings_recalled, lead);
    listening_end_listener(&lead->ledger, listener_told, lead);
    recovery_read(lead, recovery_told);
    return lead;
}

void lead_hurry(struct lead *lead)
{
    lead->hurried = true;
}

void lead_destroy(struct lead *lead)
{
    if (lead == NULL) {
        return;
    }
    write_queue_destroy(lead->ledger.ends);
    write_queue_destroy(lead->ledger.writes);
    install_abandon(lead->install);
    ledger_sync_abandon(lead->sync);
    apply_reload_destroy(lead);
    listener_destroy(lead->listener);
    alerts_destroy(lead->alerts);
    notifications_destroy(lead->notifications);
    heartbeat_ping_destroy(lead->heartbeat_ping);
    totals_destroy(lead->totals);
    pulse_destroy(lead->pulse);
    sql_jobs_destroy(lead);
    dispatch_destroy(lead);
    recovery_destroy(lead);
    loop_timer_destroy(lead->tick_timer);
    warm_up_destroy(lead);
    loop_timer_destroy(lead->heartbeat_timer);
    upkeep_destroy(lead->upkeep);
    loop_timer_destroy(lead->capture_timer);
    free(lead->capture_problem);
    log_fold_destroy(lead->failures);
    blocked_writes_forget(lead);
    loop_timer_destroy(lead->recovery_timer);
    loop_timer_destroy(lead->drain_timer);
    loop_forget(lead->loop, lead);
    scheduler_destroy(lead->scheduler);
    job_list_finish(&lead->jobs);
    plugin_states_finish(&lead->plugins);
    snapshot_drop(lead->snapshot);
    free(lead);
}

void lead_drain(struct lead *lead, duration patience)
{
    lead->draining = true;
    loop_timer_set(lead->drain_timer, patience);
    if (lead->started) {
        run_queues_hand_back(lead);
    } else {
        loop_defer(lead->loop, drained_unstarted, lead);
    }
}

bool lead_quiet(const struct lead *lead)
{
    return lead->started && lead->heartbeats > 0 && scheduler_quiet(lead->scheduler) && !dispatch_busy(lead) &&
           lead->unknown_count == 0 && lead->verdicts_pending == 0 && lead->reload == NULL &&
           listener_ready(lead->listener) && sql_jobs_idle(lead);
}

void lead_notified(struct lead *lead, const char *channel)
{
    if (strcmp(channel, CHANGES_CHANNEL) == 0 && !lead->over) {
        sql_jobs_notified(lead);
    }
}

const struct ledger *lead_ledger(const struct lead *lead)
{
    return &lead->ledger;
}
