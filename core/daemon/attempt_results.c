/* SPDX-License-Identifier: PostgreSQL */
/* Ends of attempts: another one, or the record. */
#include <stdlib.h>
#include <string.h>

#include "base/log_fold.h"
#include "base/memory.h"
#include "base/sqltext.h"
#include "base/text.h"
#include "daemon/lead_state.h"

#define FINISH_MAX 500 /* rows of one finish */

static const struct backoff *backoff_of(const struct scheduled *scheduled)
{
    return &scheduled_job(scheduled)->options->backoff;
}

instant dispatch_retry_at(const struct lead *lead, const struct scheduled *scheduled, int attempt)
{
    const struct job *job = scheduled_job(scheduled);
    if (attempt >= job->options->max_attempts) {
        return INSTANT_NONE;
    }
    instant now = lead_now(lead);
    uint64_t seed = text_hash(job->name) ^ (uint64_t)now;
    instant at = now + backoff_delay(backoff_of(scheduled), attempt, seed);
    /* @after has no next slot before this run has ended. */
    bool bounded = job->schedule.form != SCHEDULE_DELAY;
    return !bounded || at < schedule_next(&job->schedule, now) ? at : INSTANT_NONE;
}

/* Whether another attempt may mend it. */
static bool may_mend(const struct scheduled *scheduled, const struct outcome *outcome)
{
    bool mends = outcome->state == RUN_FAILED || outcome->state == RUN_TIMED_OUT;
    /* That it took our terminate and not only our cancel to end it makes it no likelier to succeed. */
    const char *sqlstate = outcome->state == RUN_TIMED_OUT ? "57014" : outcome->sqlstate;
    return mends && !scheduled_retired(scheduled) && options_retries(scheduled_job(scheduled)->options, sqlstate);
}

/* A part of it may have been committed. */
static bool may_be_half_done(const struct job *job)
{
    return job->options->delivery == DELIVERY_AT_MOST_ONCE && !sql_is_one_transaction(job->command);
}

static instant retry_at(const struct lead *lead, const struct scheduled *scheduled, const struct run *run,
                        const struct outcome *outcome)
{
    bool again = may_mend(scheduled, outcome) && !may_be_half_done(scheduled_job(scheduled));
    return again ? dispatch_retry_at(lead, scheduled, run->attempt) : INSTANT_NONE;
}

/* Why it is not tried again, with the way out. DO and CALL may be part of a transaction, the others may not. */
static char *half_done_reason(const char *command)
{
    const char *cursor = command;
    struct sql_statement statement;
    while (sql_next_statement(&cursor, &statement)) {
        if (strcmp(statement.words[0], "do") == 0 || strcmp(statement.words[0], "call") == 0) {
            return xasprintf("not tried again: %s may commit by itself; set delivery = \"transactional\" or "
                             "\"at_least_once\"",
                             statement.words[0][0] == 'd' ? "DO" : "CALL");
        }
    }
    return xstrdup("not tried again: its text may have committed a part; set delivery = \"at_least_once\"");
}

/* What was given, and why an error that `retry_on` names was not tried again. NULL: nothing to say. */
static char *reason_of(const struct scheduled *scheduled, const struct run *run, const struct outcome *outcome)
{
    const struct job *job = scheduled_job(scheduled);
    if (run->attempt >= job->options->max_attempts || !may_mend(scheduled, outcome) || !may_be_half_done(job)) {
        return outcome->reason != NULL ? xstrdup(outcome->reason) : NULL;
    }
    char *why = half_done_reason(job->command);
    char *text = outcome->reason != NULL ? xasprintf("%s; %s", outcome->reason, why) : xstrdup(why);
    free(why);
    return text;
}

/* Whoever asks for a run is to see what became of it. Changes wake a job many times a second: those runs are counted,
 * and listed when they went wrong. */
static enum log_runs log_of(const struct run *run)
{
    enum log_runs kept = run->job->options->log_runs;
    if (run->kind == RUN_MANUAL || run->kind == RUN_BACKFILL) {
        return LOG_RUNS_ALL;
    }
    return run->kind == RUN_CHANGE && kept == LOG_RUNS_ALL ? LOG_RUNS_ERRORS : kept;
}

static void log_end(const struct lead *lead, const struct scheduled *scheduled, const struct run *run,
                    const struct outcome *outcome)
{
    char slot[INSTANT_TEXT_SIZE];
    const char *message = outcome->message != NULL ? outcome->message : "";
    if (outcome->state != RUN_SUCCEEDED) {
        log_fold_warning(lead->failures, run->job_id, "job %s, slot %s, attempt %d: %s: %.*s",
                         scheduled_job(scheduled)->name, instant_format(run->slot, slot), run->attempt,
                         run_state_name(outcome->state), (int)strcspn(message, "\n"), message);
    }
}

/* A view, an index or a source that was there at the installation is not: the next reload makes anew what is ours. */
static void recheck_relations(struct lead *lead, const struct job *job, const struct outcome *outcome)
{
    if (job->work == JOB_REFRESH && outcome->state == RUN_FAILED && strncmp(outcome->sqlstate, "42", 2) == 0) {
        lead->plugins.any_failed = true;
    }
}

void dispatch_add_finish(struct lead *lead, struct scheduled *scheduled, const struct run *run,
                         const struct outcome *outcome)
{
    if (lead->finish_count == lead->finish_capacity) {
        lead->finish_capacity = lead->finish_capacity == 0 ? 64 : lead->finish_capacity * 2;
        lead->finishes = xrealloc(lead->finishes, lead->finish_capacity, sizeof(*lead->finishes));
    }
    struct pending_finish *pending = &lead->finishes[lead->finish_count++];
    *pending = (struct pending_finish){.scheduled = scheduled,
                                       .attempt = run->attempt,
                                       .message = outcome->message != NULL ? xstrdup(outcome->message) : NULL,
                                       .reason = reason_of(scheduled, run, outcome),
                                       .finish = {.job_id = run->job_id,
                                                  .kind = run->kind,
                                                  .slot = run->slot,
                                                  .outcome = *outcome,
                                                  .retry_at = retry_at(lead, scheduled, run, outcome),
                                                  .log_runs = log_of(run),
                                                  .first_attempt = run->attempt == 1}};
    pending->finish.outcome.message = pending->message;
    pending->finish.outcome.reason = pending->reason;
    log_end(lead, scheduled, run, outcome);
    recheck_relations(lead, scheduled_job(scheduled), outcome);
}

static void finishes_written(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    lead->finish_pending = false;
    if (!lead_refused(lead, reply, "ended runs could not be recorded")) {
        totals_take_finished(lead->totals, reply);
        dispatch_soon(lead);
    }
}

/* What follows from an end is decided here, and sent behind it: the leader's session keeps the order of what is
 * sent. */
static void report_end(struct lead *lead, struct pending_finish *pending)
{
    const struct outcome *outcome = &pending->finish.outcome;
    if (pending->finish.retry_at != INSTANT_NONE) {
        scheduler_retry(lead->scheduler, pending->scheduled, pending->attempt + 1, pending->finish.retry_at);
    } else {
        duration took = outcome->started != INSTANT_NONE ? outcome->finished - outcome->started : 0;
        pending->finish.outcome_at = scheduler_ended(lead->scheduler, pending->scheduled, outcome->state, took,
                                                     outcome->finished);
    }
}

static void ping_end(const struct lead *lead, const struct pending_finish *pending)
{
    const struct ledger_finish *finish = &pending->finish;
    const struct pinged_run pinged = {lead->database->name, scheduled_job(pending->scheduled), finish->job_id,
                                      finish->kind, finish->slot};
    job_pings_end(lead->pings, &pinged, finish->outcome.state, finish->outcome.message, finish->outcome.reason);
}

/* The clock was stepped back since: nothing has ended in the future. */
static void end_by(struct outcome *outcome, instant now)
{
    duration ahead = outcome->finished - now;
    if (ahead > 0) {
        outcome->finished = now;
        outcome->started -= outcome->started != INSTANT_NONE ? ahead : 0;
    }
}

void dispatch_write_finishes(struct lead *lead)
{
    if (lead->finish_pending || lead->finish_count == 0) {
        return;
    }
    struct ledger_finish batch[FINISH_MAX];
    size_t count = lead->finish_count < FINISH_MAX ? lead->finish_count : FINISH_MAX;
    size_t taken = 0;
    do { /* there is one: the compiler that looks for what nobody wrote sees it, too */
        end_by(&lead->finishes[taken].finish.outcome, lead_now(lead));
        report_end(lead, &lead->finishes[taken]);
        batch[taken] = lead->finishes[taken].finish;
    } while (++taken < count);
    lead->finish_pending = true;
    const struct run_totals *totals = totals_of_batch(lead->totals, batch, count);
    ledger_finish(&lead->ledger, batch, count, totals, finishes_written, lead);
    for (size_t i = 0; i < count; i++) {
        if (lead->finishes[i].finish.retry_at == INSTANT_NONE) {
            sql_job_status_decided(lead, lead->finishes[i].scheduled);
            ping_end(lead, &lead->finishes[i]);
        }
        free(lead->finishes[i].message);
        free(lead->finishes[i].reason);
    }
    lead->finish_count -= count;
    memmove(lead->finishes, lead->finishes + count, lead->finish_count * sizeof(*lead->finishes));
}
