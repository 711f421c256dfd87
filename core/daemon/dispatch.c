/* SPDX-License-Identifier: PostgreSQL */
/* Dispatch: claims the runs that are due, gives each to a session's queue, and asks again when something has
 * changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_fold.h"
#include "base/memory.h"
#include "daemon/lead_state.h"

#define CLAIM_MAX 256        /* rows of one claim: 150 give nine tenths of the throughput */
#define FINISH_PRESSURE 2000 /* ends waiting to be written, above which nothing more is claimed */
#define QUEUE_RUNS_MAX 64
#define QUEUE_LOAD_MAX (20 * USEC_PER_MSEC) /* how long a claimed run may expect to wait behind others */
#define ASSUMED_TIME (2 * USEC_PER_MSEC) /* of a job that never ran: being wrong costs the queue's patience, no more */
#define SILENCE_MAX (PG_LEASE - 5 * USEC_PER_SEC)

static bool may_start(void *data)
{
    const struct lead *lead = data;
    return clock_boot() - lead->heartbeat_good < SILENCE_MAX;
}

/* --- queues ------------------------------------------------------------------------------------------------------- */

/* A claimed run whose text never went out: another session of ours may have it. The ledger is told before anything else
 * happens to it: whoever leads next could not know that it never started. */
static void put_back(struct lead *lead, struct scheduled *scheduled, enum run_kind kind, instant slot, int attempt)
{
    scheduler_retry(lead->scheduler, scheduled, attempt, lead_now(lead));
    if (lead->release_count == lead->release_capacity) {
        lead->release_capacity = lead->release_capacity == 0 ? 16 : lead->release_capacity * 2;
        lead->releases = xrealloc(lead->releases, lead->release_capacity, sizeof(*lead->releases));
    }
    lead->releases[lead->release_count++] = (struct ledger_request){
        .job_id = scheduled_id(scheduled), .kind = kind, .slot = slot};
}

/* Others that are due go first. Its session may go to one of them. */
static void go_on(struct lead *lead, struct scheduled *scheduled, const struct run *run)
{
    put_back(lead, scheduled, run->kind, run->slot, run->attempt);
    scheduler_yield(lead->scheduler, scheduled, lead_now(lead));
}

static void released(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "claimed runs could not be let go");
}

static void write_releases(struct lead *lead)
{
    if (lead->release_count > 0) {
        ledger_release(&lead->ledger, lead->releases, lead->release_count, lead_now(lead), released, lead);
        lead->release_count = 0;
    }
}

static void run_queue_ended(void *data, struct run_queue *queue, struct run *run, enum run_end end,
                            const struct outcome *outcome)
{
    struct lead *lead = data;
    struct scheduled *scheduled = run->owner;
    (void)queue;
    switch (end) {
    case RUN_END_KNOWN:
        dispatch_add_finish(lead, scheduled, run, outcome);
        break;
    case RUN_END_MORE:
        go_on(lead, scheduled, run);
        break;
    case RUN_END_UNSTARTED:
        put_back(lead, scheduled, run->kind, run->slot, run->attempt);
        break;
    case RUN_END_UNKNOWN:
    case RUN_END_TOO_LARGE:
    case RUN_END_DISOWNED:
        log_fold_warning(lead->failures, run->job_id, "job %s: %s", run->job->name, outcome->reason);
        recovery_add_unknown(lead, scheduled, run, end == RUN_END_TOO_LARGE);
        break;
    }
    run_free(run);
    dispatch_soon(lead);
}

static void run_queue_drained(void *data, struct run_queue *queue)
{
    (void)queue;
    dispatch_soon(data);
}

static void interrupt_sent(void *data, const struct pg_reply *reply)
{
    (void)data;
    if (!pg_reply_ok(reply) && !pg_reply_lost(reply)) {
        log_warning("a run could not be interrupted: %s", pg_reply_message(reply));
    }
}

static void interrupt(void *data, const struct pg_identity *session, bool terminate)
{
    struct lead *lead = data;
    if (!roles_interrupt(lead, session, terminate)) {
        ledger_cancel(&lead->ledger, session, terminate, interrupt_sent, lead);
    }
}

static instant now_of(void *data)
{
    return lead_now(data);
}

static const struct run_queue_handlers run_queue_handlers = {.now = now_of,
                                                             .may_start = may_start,
                                                             .ended = run_queue_ended,
                                                             .interrupt = interrupt,
                                                             .drained = run_queue_drained};

static struct run_queue *open_queue(struct role_sessions *sessions)
{
    struct lead *lead = sessions->lead;
    struct pool_session *session = pool_borrow(sessions->pool);
    if (session == NULL) {
        return NULL;
    }
    struct run_queue *queue = run_queue_create(lead->loop, sessions->pool, session, lead->ledger.token,
                                               &run_queue_handlers, lead);
    if (sessions->run_queue_count == sessions->run_queue_capacity) {
        sessions->run_queue_capacity = sessions->run_queue_capacity == 0 ? 16 : sessions->run_queue_capacity * 2;
        sessions->queues = xrealloc(sessions->queues, sessions->run_queue_capacity, sizeof(*sessions->queues));
    }
    sessions->queues[sessions->run_queue_count++] = queue;
    return queue;
}

static duration expected_time(const struct scheduled *scheduled)
{
    duration known = scheduled_expected(scheduled);
    return known > 0 ? known : ASSUMED_TIME;
}

/* An empty queue, else a new one, else the least loaded that lets a short run start soon. */
static struct run_queue *pick_queue(struct role_sessions *sessions, const struct scheduled *scheduled)
{
    duration expected = expected_time(scheduled);
    struct run_queue *best = NULL;
    duration least = QUEUE_LOAD_MAX;
    int runs;
    for (size_t i = 0; i < sessions->run_queue_count; i++) {
        duration load = run_queue_load(sessions->queues[i], &runs);
        if (!run_queue_usable(sessions->queues[i])) {
            continue;
        }
        if (runs == 0) {
            return sessions->queues[i];
        }
        if (runs < QUEUE_RUNS_MAX && load + expected < least) {
            least = load + expected;
            best = sessions->queues[i];
        }
    }
    struct run_queue *fresh = open_queue(sessions);
    return fresh != NULL ? fresh : best;
}

static void release_queues(struct role_sessions *sessions)
{
    for (size_t i = sessions->run_queue_count; i-- > 0;) {
        struct run_queue *queue = sessions->queues[i];
        if (run_queue_is_drained(queue)) {
            run_queues_remove(sessions, i);
            run_queue_release(queue);
        }
    }
}

static void release_empty_queues(struct lead *lead)
{
    for (size_t i = 0; i < lead->roles.count; i++) {
        release_queues(lead->roles.items[i]);
    }
    roles_tidy(lead);
}

static void share_sessions(struct lead *lead)
{
    if (roles_share(lead)) {
        release_empty_queues(lead);
    }
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

/* What its owner is told, in the server's words. */
static void fail_unstarted(struct lead *lead, const struct pending_claim *claim)
{
    struct scheduled *scheduled = claim->due.scheduled;
    const struct job *job = scheduled_job(scheduled);
    struct run run = {.job = job,
                      .job_id = scheduled_id(scheduled),
                      .kind = claim->due.kind,
                      .slot = claim->due.slot,
                      .attempt = claim->due.attempt};
    struct outcome outcome = {.state = RUN_FAILED,
                              .started = INSTANT_NONE,
                              .finished = lead_now(lead),
                              .rows = -1,
                              .sqlstate = "08001",
                              .message = claim->failure};
    char *reason = job->owner != NULL ? xasprintf("no session as role %s", job->owner)
                                      : xasprintf("no session in database %s", job->target);
    outcome.reason = reason;
    dispatch_add_finish(lead, scheduled, &run, &outcome);
    free(reason);
}

static void start_run(struct lead *lead, const struct pending_claim *claim, int64_t run_id)
{
    struct scheduled *scheduled = claim->due.scheduled;
    scheduler_claimed(lead->scheduler, scheduled);
    if (claim->failure != NULL) {
        fail_unstarted(lead, claim);
        return;
    }
    if (claim->queue == NULL || lead->draining) {
        put_back(lead, scheduled, claim->due.kind, claim->due.slot, claim->due.attempt);
        return;
    }
    struct run *run = xcalloc(1, sizeof(*run));
    run->owner = scheduled;
    run->job = job_hold(scheduled_job(scheduled));
    run->job_id = scheduled_id(scheduled);
    run->run_id = run_id;
    run->kind = claim->due.kind;
    run->slot = claim->due.slot;
    run->attempt = claim->due.attempt;
    run->payload = claim->due.payload != NULL ? xstrdup(claim->due.payload) : NULL;
    run->expected = claim->expected;
    run->state = RUN_CLAIMED;
    bool goes_on = claim->due.again && run->job->options->cursor == CURSOR_CHUNK;
    if (run->attempt == 1 && !goes_on) {
        const struct pinged_run pinged = {lead->database->name, run->job, run->job_id, run->kind, run->slot};
        job_pings_start(lead->pings, &pinged);
    }
    run_queue_push(claim->queue, run);
}

/* A request that was withdrawn, or served already, is let go; anything else is a disagreement. */
static bool refuse_run(struct lead *lead, const struct pending_claim *claim, const char *suspended, bool ahead)
{
    if (suspended != NULL) { /* the heartbeat has not told yet */
        scheduler_unclaimed(lead->scheduler, claim->due.scheduled);
        scheduler_suspend(lead->scheduler, claim->due.scheduled, suspended, lead_now(lead));
        return true;
    }
    if (ahead) {
        scheduler_ran_ahead(lead->scheduler, claim->due.scheduled);
        return true;
    }
    if (sql_jobs_refetch(lead, claim->due.scheduled)) {
        scheduler_unclaimed(lead->scheduler, claim->due.scheduled);
        return true;
    }
    if (run_kind_asked(claim->due.kind) && !claim->due.again) {
        scheduler_dropped(lead->scheduler, claim->due.scheduled);
        return true;
    }
    lead_end_for_disagreement(lead, claim->due.scheduled);
    return false;
}

static void claims_answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "due runs could not be claimed")) {
        return;
    }
    struct ledger_grant *granted;
    size_t granted_count = ledger_read_grants(reply, &granted);
    size_t count = lead->claim_count;
    lead->claim_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct pending_claim *claim = &lead->claims[i];
        if (claim->queue != NULL) {
            run_queue_reserve(claim->queue, -1, claim->expected);
        }
        int64_t job_id = scheduled_id(claim->due.scheduled);
        const struct ledger_grant *grant = ledger_find_grant(granted, granted_count, job_id);
        if (grant != NULL) {
            start_run(lead, claim, grant->run_id);
        } else if (!refuse_run(lead, claim, ledger_read_suspended(reply, job_id), ledger_read_ahead(reply, job_id))) {
            break;
        }
    }
    for (size_t i = 0; i < count; i++) {
        free(lead->claims[i].failure);
    }
    free(granted);
    dispatch_soon(lead);
}

static bool is_between_claims(const struct lead *lead)
{
    return !lead->draining && lead->claim_count == 0 && !lead_waits(lead);
}

/* Between claims jobs may come, change and go. True while that goes on: nothing is claimed meanwhile. */
static bool change_jobs(struct lead *lead)
{
    return apply_reload_step(lead) || sql_jobs_step(lead);
}

/* A run that waits for its next attempt has no session: nothing has to be interrupted. */
static void end_waiting(struct lead *lead, struct scheduled *scheduled, const char *reason)
{
    struct run run = {.job = scheduled_job(scheduled), .job_id = scheduled_id(scheduled)};
    struct outcome outcome = {
        .state = RUN_CANCELLED, .started = INSTANT_NONE, .finished = lead_now(lead), .rows = -1, .reason = reason};
    scheduled_run(scheduled, &run.kind, &run.slot, &run.attempt);
    scheduler_retry(lead->scheduler, scheduled, run.attempt, INSTANT_NEVER);
    dispatch_add_finish(lead, scheduled, &run, &outcome);
    dispatch_soon(lead);
}

static void suspended_ownerless(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "jobs without an owner could not be suspended");
}

/* Nothing of it can run, and nobody is left to be told; whoever makes the role again may resume it. */
static void suspend_ownerless(struct lead *lead, struct scheduled *scheduled)
{
    struct suspension suspension = {.scheduled = scheduled};
    instant now = lead_now(lead);
    snprintf(suspension.reason, sizeof(suspension.reason), "its owner \"%s\" was dropped",
             scheduled_job(scheduled)->owner);
    log_warning("job %s is suspended: %s", scheduled_job(scheduled)->name, suspension.reason);
    scheduler_unclaimed(lead->scheduler, scheduled);
    scheduler_suspend(lead->scheduler, scheduled, suspension.reason, now);
    ledger_suspend(&lead->ledger, &suspension, 1, now, suspended_ownerless, lead);
}

static bool may_wait_for_session(struct lead *lead, struct role_sessions *sessions, const struct scheduled *scheduled)
{
    int waiting = (int)scheduled_waiting_beside(scheduled) + 1;
    int size = lead->database->pool_size;
    bool own = sessions == roles_own(lead);
    if (sessions->conninfo == NULL) {
        return false;
    }
    pool_want(sessions->pool, own || waiting > size ? size : waiting);
    bool hope = own || roles_failure(sessions) == NULL;
    if (hope) {
        roles_await(sessions);
    }
    return hope;
}

/* The turn of its owner is over, too. */
static void leave_to_later(struct lead *lead, struct scheduled *scheduled)
{
    scheduler_unclaimed(lead->scheduler, scheduled);
    scheduler_leave_out(lead->scheduler, scheduled);
}

/* False where its owner's turn is over: there is no session for it now, or it had its share of starts. */
static bool add_to_claim(struct lead *lead, struct ledger_claim *batch, const struct due *due)
{
    struct role_sessions *sessions = roles_of(lead, scheduled_job(due->scheduled));
    duration wait = roles_start_wait(sessions);
    if (wait > 0) {
        lead->start_again = clock_boot() + wait < lead->start_again ? clock_boot() + wait : lead->start_again;
        leave_to_later(lead, due->scheduled);
        return false;
    }
    struct run_queue *queue = sessions->giving ? NULL : pick_queue(sessions, due->scheduled);
    struct pending_claim *claim = &lead->claims[lead->claim_count];
    if (queue == NULL && may_wait_for_session(lead, sessions, due->scheduled)) {
        leave_to_later(lead, due->scheduled);
        return false;
    }
    roles_count_start(sessions);
    *claim = (struct pending_claim){.due = *due, .queue = queue, .expected = expected_time(due->scheduled)};
    *batch = (struct ledger_claim){.due = *due};
    if (queue != NULL) {
        run_queue_reserve(queue, 1, claim->expected);
        batch->session = *run_queue_identity(queue);
    } else {
        claim->failure = xstrdup(roles_failure(sessions));
    }
    lead->claim_count++;
    return true;
}

static void write_claims(struct lead *lead)
{
    struct ledger_claim batch[CLAIM_MAX];
    struct due due;
    size_t count = 0;
    lead->start_again = INSTANT_NEVER;
    scheduler_begin_round(lead->scheduler);
    while (count < CLAIM_MAX && scheduler_take_due(lead->scheduler, &due)) {
        if (scheduled_retired(due.scheduled) && due.attempt > 1) { /* a first one only goes to another session */
            end_waiting(lead, due.scheduled, "the job was removed before this attempt could start");
        } else if (!due.again && roles_of(lead, scheduled_job(due.scheduled))->dropped) {
            suspend_ownerless(lead, due.scheduled);
        } else if (add_to_claim(lead, &batch[count], &due)) {
            count++;
        }
    }
    if (count > 0) {
        ledger_claim(&lead->ledger, batch, count, claims_answered, lead);
    }
}

/* One that has ended meanwhile, or whose outcome is unknown, is left alone: the scheduler tells of its next attempt. */
static void cancel_superseded(struct lead *lead)
{
    struct cancellation cancellation;
    while (scheduler_take_cancellation(lead->scheduler, &cancellation)) {
        struct scheduled *scheduled = scheduler_find(lead->scheduler, cancellation.job_id);
        if (scheduled != NULL && scheduled_is_at(scheduled, cancellation.kind, cancellation.slot)) {
            dispatch_cancel(lead, scheduled, cancellation.reason);
        }
    }
}

static void write_all(struct lead *lead)
{
    dispatch_write_skipped(lead);
    dispatch_write_finishes(lead);
    dispatch_write_skipped(lead);
    dispatch_write_suspensions(lead);
    write_releases(lead);
    sql_job_status_write(lead);
}

/* Where runs that wait for their role's share may start already and did not, an answer that is awaited starts them. */
static duration next_tick(const struct lead *lead)
{
    duration slot = scheduler_next(lead->scheduler) - lead_now(lead);
    duration again = lead->start_again - clock_boot();
    return again > 0 && again < slot ? again : slot;
}

static void dispatch(void *data)
{
    struct lead *lead = data;
    lead->dispatch_deferred = false;
    if (!lead->started || lead->over) {
        return;
    }
    if (!lead_waits(lead)) { /* else the queue would grow for as long as that lasts */
        if (!lead->draining) {
            cancel_superseded(lead);
        }
        write_all(lead);
    }
    if (is_between_claims(lead) && !change_jobs(lead) && lead->finish_count < FINISH_PRESSURE && may_start(lead)) {
        roles_begin_round(lead);
        write_claims(lead);
        share_sessions(lead);
    }
    if (lead->claim_count == 0 || !scheduler_has_due(lead->scheduler) || lead_waits(lead)) {
        release_empty_queues(lead);
    }
    if (!lead->draining) {
        loop_timer_set(lead->tick_timer, next_tick(lead));
        warm_up_plan(lead);
    }
    if (lead->draining && !lead->drained && !dispatch_busy(lead) && !recovery_awaited(lead) &&
        !totals_are_left(lead->totals)) {
        lead->drained = true;
        lead->handlers->drained(lead->data);
    }
}

bool dispatch_busy(const struct lead *lead)
{
    return run_queues_count(lead) > 0 || lead->claim_count > 0 || lead->finish_count > 0 || lead->finish_pending ||
           lead->skipped_pending > 0 || lead->release_count > 0;
}

void dispatch_create(struct lead *lead)
{
    lead->claims = xcalloc(CLAIM_MAX, sizeof(*lead->claims));
    lead->start_again = INSTANT_NEVER;
    lead->dispatch = dispatch;
    roles_create(lead);
}

void dispatch_destroy(struct lead *lead)
{
    roles_destroy(lead);
    for (size_t i = 0; i < lead->finish_count; i++) {
        free(lead->finishes[i].message);
        free(lead->finishes[i].reason);
    }
    for (size_t i = 0; i < lead->claim_count; i++) {
        free(lead->claims[i].failure);
    }
    free(lead->claims);
    free(lead->finishes);
    free(lead->releases);
}

bool dispatch_cancel(struct lead *lead, struct scheduled *scheduled, const char *reason)
{
    struct run_queue_cursor cursor = {0};
    struct run_queue *queue;
    while ((queue = run_queues_next(lead, &cursor)) != NULL) {
        if (run_queue_cancel(queue, scheduled, reason)) {
            return true;
        }
    }
    if (scheduled_waits_for_attempt(scheduled)) {
        end_waiting(lead, scheduled, reason);
        return true;
    }
    return false;
}
