#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sqltext.h"
#include "base/text.h"
#include "daemon/lead_state.h"

#define CLAIM_MAX 256        /* rows of one claim: 150 give nine tenths of the throughput */
#define FINISH_MAX 500       /* rows of one finish */
#define FINISH_PRESSURE 2000 /* ends waiting to be written, above which nothing more is claimed */
#define PASS_MAX 500
#define LANE_RUNS_MAX 64
#define LANE_LOAD_MAX (20 * USEC_PER_MSEC) /* how long a claimed run may expect to wait behind others */
#define ASSUMED_TIME (2 * USEC_PER_MSEC)   /* of a job that never ran: being wrong costs the lane's patience, no more */
#define SILENCE_MAX (PG_LEASE - 5 * USEC_PER_SEC)

static void dispatch(void *data);

void dispatch_soon(struct lead *lead)
{
    if (!lead->dispatch_deferred) {
        lead->dispatch_deferred = true;
        loop_defer(lead->loop, dispatch, lead);
    }
}

static bool may_start(void *data)
{
    const struct lead *lead = data;
    return clock_boot() - lead->heartbeat_good < SILENCE_MAX;
}

/* --- slots decided without running --------------------------------------------------------------------------------------- */

struct passes {
    struct lead *lead;
    size_t count;
    size_t statements;
    struct passed passed[PASS_MAX];
};

static int by_number(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static bool contains(const int64_t *sorted, size_t count, int64_t number)
{
    return bsearch(&number, sorted, count, sizeof *sorted, by_number) != NULL;
}

/* The ledger moved on without us: only another leader, or a change of the job, can do that. */
static void end_for_disagreement(struct lead *lead, const struct scheduled *scheduled)
{
    struct error err;
    error_set(&err, ERROR_REFUSED, "the ledger does not agree about job %s: it is read anew",
              scheduled_job(scheduled)->name);
    lead_end(lead, &err);
}

static void passes_written(void *data, const struct pg_reply *reply)
{
    struct passes *passes = data;
    struct lead *lead = passes->lead;
    if (!lead_refused(lead, reply, "skipped slots could not be recorded")) {
        int64_t *granted;
        size_t count = ledger_read_granted(reply, passes->statements, &granted);
        lead->passes_pending--;
        for (size_t i = 0; i < passes->count; i++) {
            if (!contains(granted, count, scheduled_id(passes->passed[i].scheduled))) {
                end_for_disagreement(lead, passes->passed[i].scheduled);
                break;
            }
        }
        free(granted);
    }
    free(passes);
}

static void write_passes(struct lead *lead)
{
    struct passed passed;
    struct passes *passes = NULL;
    bool full = false;
    while (!full && scheduler_take_passed(lead->scheduler, &passed)) {
        if (passes == NULL) {
            passes = xcalloc(1, sizeof *passes);
            passes->lead = lead;
        }
        passes->passed[passes->count++] = passed;
        /* A batch writes its misses first: none may follow a skip in it. */
        full = passes->count == PASS_MAX || !passed.missed;
        full = full && (passes->count == PASS_MAX || scheduler_next_passed_is_missed(lead->scheduler));
    }
    if (passes != NULL) {
        bool missed = false;
        bool skipped = false;
        for (size_t i = 0; i < passes->count; i++) {
            missed = missed || passes->passed[i].missed;
            skipped = skipped || !passes->passed[i].missed;
        }
        passes->statements = (missed ? 1u : 0u) + (skipped ? 1u : 0u);
        lead->passes_pending++;
        ledger_pass(&lead->ledger, passes->passed, passes->count, passes_written, passes);
        if (full) {
            write_passes(lead);
        }
    }
}

/* --- ends ---------------------------------------------------------------------------------------------------------------- */

static const struct backoff *backoff_of(const struct scheduled *scheduled)
{
    return &scheduled_job(scheduled)->options.backoff;
}

instant dispatch_retry_at(const struct lead *lead, const struct scheduled *scheduled, int attempt)
{
    const struct job *job = scheduled_job(scheduled);
    if (attempt >= job->options.max_attempts) {
        return INSTANT_NONE;
    }
    instant now = lead_now(lead);
    uint64_t seed = text_hash(job->name) ^ (uint64_t)now;
    instant at = now + backoff_delay(backoff_of(scheduled), attempt, seed);
    return at < schedule_next(&job->schedule, now) ? at : INSTANT_NONE;
}

static instant retry_at(const struct lead *lead, const struct scheduled *scheduled, const struct run *run,
                        const struct outcome *outcome)
{
    const struct job *job = scheduled_job(scheduled);
    bool mends = outcome->state == RUN_FAILED || outcome->state == RUN_TIMED_OUT;
    /* That it took our terminate and not only our cancel to end it makes it no likelier to succeed. */
    const char *sqlstate = outcome->state == RUN_TIMED_OUT ? "57014" : outcome->sqlstate;
    if (!mends || !options_retries(&job->options, sqlstate)) {
        return INSTANT_NONE;
    }
    if (job->options.delivery == DELIVERY_AT_MOST_ONCE && !sql_is_one_transaction(job->command)) {
        return INSTANT_NONE; /* a part of it may have been committed */
    }
    return dispatch_retry_at(lead, scheduled, run->attempt);
}

static void log_end(const struct scheduled *scheduled, const struct run *run, const struct outcome *outcome)
{
    char slot[INSTANT_TEXT_SIZE];
    const char *message = outcome->message != NULL ? outcome->message : "";
    if (outcome->state != RUN_SUCCEEDED) {
        log_warning("job %s, slot %s, attempt %d: %s: %.*s", scheduled_job(scheduled)->name,
                    instant_format(run->slot, slot), run->attempt, run_state_name(outcome->state),
                    (int)strcspn(message, "\n"), message);
    }
}

static void add_finish(struct lead *lead, struct scheduled *scheduled, const struct run *run,
                       const struct outcome *outcome)
{
    if (lead->finish_count == lead->finish_capacity) {
        lead->finish_capacity = lead->finish_capacity == 0 ? 64 : lead->finish_capacity * 2;
        lead->finishes = xrealloc(lead->finishes, lead->finish_capacity, sizeof *lead->finishes);
    }
    struct pending_finish *pending = &lead->finishes[lead->finish_count++];
    *pending = (struct pending_finish){.scheduled = scheduled,
                                       .attempt = run->attempt,
                                       .message = outcome->message != NULL ? xstrdup(outcome->message) : NULL,
                                       .reason = outcome->reason != NULL ? xstrdup(outcome->reason) : NULL,
                                       .finish = {.job_id = run->job_id,
                                                  .kind = run->kind,
                                                  .slot = run->slot,
                                                  .outcome = *outcome,
                                                  .retry_at = retry_at(lead, scheduled, run, outcome)}};
    pending->finish.outcome.message = pending->message;
    pending->finish.outcome.reason = pending->reason;
    log_end(scheduled, run, outcome);
}

static void finishes_written(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    lead->finish_pending = false;
    if (!lead_refused(lead, reply, "ended runs could not be recorded")) {
        dispatch_soon(lead);
    }
}

/* The leader's session keeps the order of what is sent: whatever follows from an end is claimed behind it. */
static void report_end(struct lead *lead, const struct pending_finish *pending)
{
    const struct outcome *outcome = &pending->finish.outcome;
    if (pending->finish.retry_at != INSTANT_NONE) {
        scheduler_retry(lead->scheduler, pending->scheduled, pending->attempt + 1, pending->finish.retry_at);
    } else {
        duration took = outcome->started != INSTANT_NONE ? outcome->finished - outcome->started : 0;
        scheduler_ended(lead->scheduler, pending->scheduled, outcome->state, took, outcome->finished);
    }
}

static void write_finishes(struct lead *lead)
{
    if (lead->finish_pending || lead->finish_count == 0) {
        return;
    }
    struct ledger_finish batch[FINISH_MAX] = {0};
    size_t count = lead->finish_count < FINISH_MAX ? lead->finish_count : FINISH_MAX;
    for (size_t i = 0; i < count; i++) {
        batch[i] = lead->finishes[i].finish;
    }
    lead->finish_pending = true;
    ledger_finish(&lead->ledger, batch, count, finishes_written, lead);
    for (size_t i = 0; i < count; i++) {
        report_end(lead, &lead->finishes[i]);
        free(lead->finishes[i].message);
        free(lead->finishes[i].reason);
    }
    lead->finish_count -= count;
    memmove(lead->finishes, lead->finishes + count, lead->finish_count * sizeof *lead->finishes);
}

/* --- lanes --------------------------------------------------------------------------------------------------------------- */

static void forget_lane(struct lead *lead, const struct lane *lane)
{
    for (size_t i = 0; i < lead->claim_count; i++) {
        if (lead->claims[i].lane == lane) {
            lead->claims[i].lane = NULL;
        }
    }
    for (size_t i = 0; i < lead->lane_count; i++) {
        if (lead->lanes[i] == lane) {
            lead->lanes[i] = lead->lanes[--lead->lane_count];
            return;
        }
    }
}

static void released(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "claimed runs could not be let go");
}

/* A claimed run whose text never went out: another session of ours, or while draining whoever leads next, may have it. */
static void put_back(struct lead *lead, struct scheduled *scheduled, enum run_kind kind, instant slot, int attempt)
{
    scheduler_retry(lead->scheduler, scheduled, attempt, lead_now(lead));
    if (lead->draining) {
        struct ledger_request run = {.job_id = scheduled_id(scheduled), .kind = kind, .slot = slot};
        ledger_release(&lead->ledger, &run, 1, released, lead);
    }
}

static void lane_ended(void *data, struct lane *lane, struct run *run, enum run_end end, const struct outcome *outcome)
{
    struct lead *lead = data;
    struct scheduled *scheduled = run->owner;
    (void)lane;
    switch (end) {
    case RUN_END_KNOWN:
        add_finish(lead, scheduled, run, outcome);
        break;
    case RUN_END_UNSTARTED:
        put_back(lead, scheduled, run->kind, run->slot, run->attempt);
        break;
    case RUN_END_DOUBTFUL:
    case RUN_END_DISOWNED:
        log_warning("job %s: %s", run->job->name, outcome->reason);
        orphans_doubt(lead, scheduled, run->kind, run->slot, run->attempt);
        break;
    }
    free(run);
    dispatch_soon(lead);
}

static void lane_drained(void *data, struct lane *lane)
{
    (void)lane;
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
    ledger_cancel(&lead->ledger, session, terminate, interrupt_sent, lead);
}

static instant now_of(void *data)
{
    return lead_now(data);
}

static const struct lane_handlers lane_handlers = {
    .now = now_of, .may_start = may_start, .ended = lane_ended, .interrupt = interrupt, .drained = lane_drained};

static struct lane *open_lane(struct lead *lead)
{
    struct pool_session *session = pool_borrow(lead->pool);
    if (session == NULL) {
        return NULL;
    }
    struct lane *lane = lane_create(lead->loop, lead->pool, session, lead->ledger.token, &lane_handlers, lead);
    if (lead->lane_count == lead->lane_capacity) {
        lead->lane_capacity = lead->lane_capacity == 0 ? 16 : lead->lane_capacity * 2;
        lead->lanes = xrealloc(lead->lanes, lead->lane_capacity, sizeof *lead->lanes);
    }
    lead->lanes[lead->lane_count++] = lane;
    return lane;
}

static duration expected_time(const struct scheduled *scheduled)
{
    duration known = scheduled_expected(scheduled);
    return known > 0 ? known : ASSUMED_TIME;
}

/* An empty lane, else a new one, else the least loaded that lets a short run start soon. */
static struct lane *pick_lane(struct lead *lead, const struct scheduled *scheduled)
{
    duration expected = expected_time(scheduled);
    struct lane *best = NULL;
    duration least = LANE_LOAD_MAX;
    int runs;
    for (size_t i = 0; i < lead->lane_count; i++) {
        duration load = lane_load(lead->lanes[i], &runs);
        if (!lane_usable(lead->lanes[i])) {
            continue;
        }
        if (runs == 0) {
            return lead->lanes[i];
        }
        if (runs < LANE_RUNS_MAX && load + expected < least) {
            least = load + expected;
            best = lead->lanes[i];
        }
    }
    struct lane *fresh = open_lane(lead);
    return fresh != NULL ? fresh : best;
}

static void release_empty_lanes(struct lead *lead)
{
    for (size_t i = lead->lane_count; i-- > 0;) {
        int runs;
        lane_load(lead->lanes[i], &runs);
        if (runs == 0) {
            struct lane *lane = lead->lanes[i];
            lead->lanes[i] = lead->lanes[--lead->lane_count];
            lane_release(lane);
        }
    }
}

/* --- claims -------------------------------------------------------------------------------------------------------------- */

static void start_run(struct lead *lead, const struct pending_claim *claim)
{
    struct scheduled *scheduled = claim->due.scheduled;
    scheduler_claimed(lead->scheduler, scheduled);
    if (claim->lane == NULL || lead->draining) {
        put_back(lead, scheduled, claim->due.kind, claim->due.slot, claim->due.attempt);
        return;
    }
    struct run *run = xcalloc(1, sizeof *run);
    run->owner = scheduled;
    run->job = scheduled_job(scheduled);
    run->job_id = scheduled_id(scheduled);
    run->kind = claim->due.kind;
    run->slot = claim->due.slot;
    run->attempt = claim->due.attempt;
    run->expected = claim->expected;
    run->state = RUN_CLAIMED;
    lane_push(claim->lane, run);
}

/* A request that was withdrawn, or served already, is let go; anything else is a disagreement. */
static bool refuse_run(struct lead *lead, const struct pending_claim *claim)
{
    if (claim->due.kind != RUN_SCHEDULE && !claim->due.again) {
        scheduler_dropped(lead->scheduler, claim->due.scheduled);
        return true;
    }
    end_for_disagreement(lead, claim->due.scheduled);
    return false;
}

static void claims_answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "due runs could not be claimed")) {
        return;
    }
    int64_t *granted;
    size_t granted_count = ledger_read_granted(reply, 2, &granted);
    size_t count = lead->claim_count;
    lead->claim_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct pending_claim *claim = &lead->claims[i];
        if (claim->lane != NULL) {
            lane_reserve(claim->lane, -1, claim->expected);
        }
        if (contains(granted, granted_count, scheduled_id(claim->due.scheduled))) {
            start_run(lead, claim);
        } else if (!refuse_run(lead, claim)) {
            break;
        }
    }
    free(granted);
    dispatch_soon(lead);
}

static bool may_claim(struct lead *lead)
{
    return !lead->draining && lead->claim_count == 0 && lead->finish_count < FINISH_PRESSURE && may_start(lead);
}

static void write_claims(struct lead *lead)
{
    struct ledger_claim batch[CLAIM_MAX] = {0};
    struct due due;
    size_t count = 0;
    while (count < CLAIM_MAX && scheduler_take_due(lead->scheduler, &due)) {
        struct lane *lane = pick_lane(lead, due.scheduled);
        if (lane == NULL) {
            scheduler_unclaimed(lead->scheduler, due.scheduled);
            pool_want(lead->pool, lead->database->pool_size);
            break;
        }
        lead->claims[count] = (struct pending_claim){due, lane, expected_time(due.scheduled)};
        lane_reserve(lane, 1, lead->claims[count].expected);
        batch[count++] = (struct ledger_claim){due, *lane_identity(lane)};
    }
    if (count > 0) {
        lead->claim_count = count;
        ledger_claim(&lead->ledger, batch, count, claims_answered, lead);
    }
}

static void dispatch(void *data)
{
    struct lead *lead = data;
    lead->dispatch_deferred = false;
    if (!lead->started || lead->over) {
        return;
    }
    write_passes(lead);
    write_finishes(lead);
    write_passes(lead);
    if (may_claim(lead)) {
        write_claims(lead);
    }
    if (lead->claim_count == 0 || !scheduler_has_due(lead->scheduler)) {
        release_empty_lanes(lead);
    }
    if (!lead->draining) {
        loop_timer_set(lead->tick_timer, scheduler_next(lead->scheduler) - lead_now(lead));
    }
    if (lead->draining && !lead->drained && !dispatch_busy(lead)) {
        lead->drained = true;
        lead->handlers->drained(lead->data);
    }
}

bool dispatch_busy(const struct lead *lead)
{
    return lead->lane_count > 0 || lead->claim_count > 0 || lead->finish_count > 0 || lead->finish_pending ||
           lead->passes_pending > 0;
}

/* --- the pool's news ------------------------------------------------------------------------------------------------------ */

static void session_available(void *data)
{
    dispatch_soon(data);
}

static void session_lost(void *data, struct pool_session *session, const struct error *reason)
{
    struct lead *lead = data;
    struct lane *lane = pool_tag(session);
    log_warning("database %s: a run session ended: %s", lead->database->name, reason->message);
    forget_lane(lead, lane);
    lane_broken(lane);
    dispatch_soon(lead);
}

static void session_failed(void *data, const struct error *reason)
{
    const struct lead *lead = data;
    struct error copy = *reason;
    error_prefix(&copy, "database %s: no run session", lead->database->name);
    log_error(&copy);
}

static const struct pool_handlers pool_handlers = {
    .available = session_available, .lost = session_lost, .failed = session_failed};

void dispatch_create(struct lead *lead)
{
    struct pool_settings settings = {
        .conninfo = lead->database->conninfo, .application_name = "pgchime run", .limit = lead->database->pool_size};
    lead->claims = xcalloc(CLAIM_MAX, sizeof *lead->claims);
    lead->pool = pool_create(lead->loop, lead->resolver, &settings, &pool_handlers, lead);
    pool_want(lead->pool, 1);
}

void dispatch_destroy(struct lead *lead)
{
    for (size_t i = 0; i < lead->lane_count; i++) {
        lane_abandon(lead->lanes[i]);
    }
    pool_destroy(lead->pool);
    for (size_t i = 0; i < lead->finish_count; i++) {
        free(lead->finishes[i].message);
        free(lead->finishes[i].reason);
    }
    free(lead->lanes);
    free(lead->claims);
    free(lead->finishes);
}

void dispatch_cancel_all(struct lead *lead)
{
    for (size_t i = 0; i < lead->lane_count; i++) {
        lane_cancel_current(lead->lanes[i]);
    }
}

void dispatch_hand_back(struct lead *lead)
{
    for (size_t i = 0; i < lead->lane_count; i++) {
        lane_hand_back(lead->lanes[i]);
    }
    dispatch_soon(lead);
}

void dispatch_wake(struct lead *lead)
{
    for (size_t i = 0; i < lead->lane_count; i++) {
        lane_wake(lead->lanes[i]);
    }
    dispatch_soon(lead);
}
