/* SPDX-License-Identifier: PostgreSQL */
/* Recovery: runs whose outcome is unknown are judged once their sessions are gone: done, again, or lost. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"

#define SWEEP_EVERY (10 * USEC_PER_SEC)
#define SWEEP_SOON (250 * USEC_PER_MSEC) /* while an outcome is unknown */
#define VERDICTS_PART 1000               /* in one request: heartbeats go between two */

/* What a sweep decided, kept until the ledger has it. */
struct verdicts {
    struct lead *lead;
    instant at; /* when it was decided */
    size_t count;
    struct unfinished_run *unfinished;
    struct ledger_verdict *verdicts;
};

static void sweep_again(struct lead *lead)
{
    bool open = lead->unknown_count > 0;
    for (size_t i = 0; i < lead->unfinished_count; i++) {
        open = open || !lead->unfinished[i].gone;
    }
    loop_timer_set(lead->recovery_timer, open ? SWEEP_SOON : SWEEP_EVERY);
}

static struct unknown_outcome *find_unknown(struct lead *lead, const struct unfinished_run *unfinished)
{
    for (size_t i = 0; i < lead->unknown_count; i++) {
        struct unknown_outcome *unknown = &lead->unknown[i];
        if (scheduled_id(unknown->scheduled) == unfinished->job_id && unknown->kind == unfinished->kind &&
            unknown->slot == unfinished->slot) {
            return unknown;
        }
    }
    return NULL;
}

void recovery_add_unknown(struct lead *lead, struct scheduled *scheduled, const struct run *run, bool too_large)
{
    lead->unknown = xrealloc(lead->unknown, lead->unknown_count + 1, sizeof(*lead->unknown));
    lead->unknown[lead->unknown_count++] = (struct unknown_outcome){
        .scheduled = scheduled, .kind = run->kind, .slot = run->slot, .attempt = run->attempt, .too_large = too_large};
    scheduler_retry(lead->scheduler, scheduled, run->attempt, INSTANT_NEVER);
    loop_timer_set(lead->recovery_timer, SWEEP_SOON);
}

/* --- verdicts ----------------------------------------------------------------------------------------------------- */

static const char *reason_of_too_large(enum delivery delivery)
{
    return delivery == DELIVERY_TRANSACTIONAL
               ? "it sent a message above 16 MB: its session was ended, and its transaction with it"
               : "it sent a message above 16 MB: its session was ended, and its outcome is unknown";
}

/* A transactional run that is not done did nothing once its session is gone; of any other text nobody can say. */
static struct ledger_verdict judge(const struct lead *lead, const struct unfinished_run *unfinished, bool too_large)
{
    const struct scheduled *scheduled = scheduler_find(lead->scheduler, unfinished->job_id);
    struct ledger_verdict verdict = {
        .job_id = unfinished->job_id, .run_id = unfinished->run_id, .retry_at = INSTANT_NONE};
    if (scheduled == NULL || unfinished->done) {
        verdict.reason = "its session is gone, and its job is no longer configured";
        return verdict;
    }
    if (unfinished->waits) {
        instant now = lead_now(lead);
        verdict.again = true;
        verdict.retry_at = unfinished->retry_at > now ? unfinished->retry_at : now;
        verdict.reason = "waited for its next attempt";
        return verdict;
    }
    enum delivery delivery = scheduled_job(scheduled)->options->delivery;
    if (too_large) {
        verdict.reason = reason_of_too_large(delivery);
    } else if (delivery != DELIVERY_AT_MOST_ONCE && !scheduled_retired(scheduled)) {
        verdict.retry_at = dispatch_retry_at(lead, scheduled, unfinished->attempt);
        verdict.again = verdict.retry_at != INSTANT_NONE;
        verdict.reason = delivery == DELIVERY_TRANSACTIONAL
                             ? "its session is gone and its transaction with it"
                             : "its session is gone and its outcome is unknown: at least once means again";
    } else {
        verdict.reason = "its session is gone and its outcome is unknown";
    }
    return verdict;
}

static void end_for_absence(struct lead *lead, const struct scheduled *scheduled)
{
    struct error err;
    error_set(&err, ERROR_REFUSED, "a live run of job %s is gone from the ledger: it is read anew",
              scheduled_job(scheduled)->name);
    lead_end(lead, &err);
}

/* The ledger has the last word: a run may have been committed between the look at it and the verdict. */
static void apply(const struct verdicts *batch, size_t index, const struct pg_reply *reply)
{
    struct lead *lead = batch->lead;
    const struct unfinished_run *unfinished = &batch->unfinished[index];
    struct scheduled *scheduled = scheduler_find(lead->scheduler, unfinished->job_id);
    enum run_state state = RUN_LOST;
    bool again;
    if (scheduled == NULL || !scheduled_is_at(scheduled, unfinished->kind, unfinished->slot)) {
        return;
    }
    if (!ledger_read_adopted(reply, unfinished->run_id, &again, &state)) {
        end_for_absence(lead, scheduled);
        return;
    }
    if (again) {
        scheduler_retry(lead->scheduler, scheduled, unfinished->attempt + (unfinished->waits ? 0 : 1),
                        batch->verdicts[index].retry_at);
    } else {
        const struct pinged_run pinged = {lead->database->name, scheduled_job(scheduled), unfinished->job_id,
                                          unfinished->kind, unfinished->slot};
        job_pings_end(lead->pings, &pinged, state, NULL, state == RUN_LOST ? batch->verdicts[index].reason : NULL);
        scheduler_ended(lead->scheduler, scheduled, state, 0, batch->at);
    }
}

static void adopted(void *data, const struct pg_reply *reply)
{
    struct verdicts *batch = data;
    struct lead *lead = batch->lead;
    if (!lead_refused(lead, reply, "unfinished runs could not be taken over")) {
        lead->verdicts_pending--;
        totals_take_adopted(lead->totals, reply);
        for (size_t i = 0; i < batch->count; i++) {
            apply(batch, i, reply);
        }
        dispatch_soon(lead);
    }
    free(batch->unfinished);
    free(batch->verdicts);
    free(batch);
}

static bool to_be_judged(struct lead *lead, const struct unfinished_run *unfinished, bool *too_large)
{
    struct unknown_outcome *unknown = find_unknown(lead, unfinished);
    const struct scheduled *scheduled = scheduler_find(lead->scheduler, unfinished->job_id);
    *too_large = unknown != NULL && unknown->too_large;
    if (unknown != NULL) {
        unknown->asked = false; /* it is accounted for */
    }
    if (scheduled != NULL && !scheduled_is_at(scheduled, unfinished->kind, unfinished->slot)) {
        return false; /* its job works on another run: a later sweep comes back to it */
    }
    if (!unfinished->gone || (unfinished->own && unknown == NULL)) {
        return false; /* an own run that is not unknown has just been given another session */
    }
    if (unknown != NULL) {
        *unknown = lead->unknown[--lead->unknown_count];
    }
    return true;
}

static struct verdicts *verdicts_create(struct lead *lead)
{
    struct verdicts *batch = xcalloc(1, sizeof(*batch));
    batch->lead = lead;
    batch->at = lead_now(lead);
    batch->unfinished = xcalloc(VERDICTS_PART, sizeof(*batch->unfinished));
    batch->verdicts = xcalloc(VERDICTS_PART, sizeof(*batch->verdicts));
    return batch;
}

static void verdicts_add(struct verdicts *batch, const struct unfinished_run *unfinished, bool too_large)
{
    struct scheduled *scheduled = scheduler_find(batch->lead->scheduler, unfinished->job_id);
    struct ledger_verdict *verdict = &batch->verdicts[batch->count];
    batch->unfinished[batch->count++] = *unfinished;
    *verdict = judge(batch->lead, unfinished, too_large);
    verdict->outcome_at = scheduled != NULL ? scheduler_judge(scheduled, batch->at) : batch->at;
}

static void verdicts_send(struct verdicts *batch)
{
    batch->lead->verdicts_pending++;
    ledger_adopt(&batch->lead->ledger, batch->verdicts, batch->count, batch->at, adopted, batch);
}

static void send_verdicts(struct lead *lead)
{
    struct verdicts *batch = NULL;
    size_t count = 0;
    for (size_t i = 0; i < lead->unfinished_count; i++) {
        bool too_large;
        if (!to_be_judged(lead, &lead->unfinished[i], &too_large)) {
            continue;
        }
        batch = batch != NULL ? batch : verdicts_create(lead);
        verdicts_add(batch, &lead->unfinished[i], too_large);
        count++;
        if (batch->count == VERDICTS_PART) {
            verdicts_send(batch);
            batch = NULL;
        }
    }
    if (batch != NULL) {
        verdicts_send(batch);
    }
    if (count > 0) {
        log_info("database %s: %zu runs were left by an ended session and are taken over", lead->database->name, count);
    }
}

/* --- sweeps ------------------------------------------------------------------------------------------------------- */

static void adopt_idle(struct lead *lead)
{
    for (size_t i = 0; i < lead->unfinished_count; i++) {
        const struct unfinished_run *unfinished = &lead->unfinished[i];
        struct scheduled *scheduled = scheduler_find(lead->scheduler, unfinished->job_id);
        if (!unfinished->own && scheduled != NULL && scheduled_idle(scheduled)) {
            scheduler_adopt(lead->scheduler, scheduled, unfinished->kind, unfinished->slot, unfinished->attempt,
                            INSTANT_NEVER, unfinished->missed_after);
        }
    }
}

/* A run of unknown outcome that the ledger does not know any more is nothing that can be decided from memory. */
static void end_if_absent(struct lead *lead)
{
    for (size_t i = 0; i < lead->unknown_count; i++) {
        if (lead->unknown[i].asked) {
            end_for_absence(lead, lead->unknown[i].scheduled);
            return;
        }
    }
}

void recovery_judge(struct lead *lead)
{
    adopt_idle(lead);
    send_verdicts(lead);
    end_if_absent(lead);
    sweep_again(lead);
}

static void ask(struct lead *lead, int64_t from);

static void answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "runs that an ended session left could not be read")) {
        return;
    }
    int64_t from;
    struct error err;
    if (!ledger_read_unfinished(reply, &lead->unfinished, &lead->unfinished_count, &from, &err)) {
        lead_end(lead, &err);
        return;
    }
    if (from > 0) {
        ask(lead, from);
        return;
    }
    recovery_callback *read = lead->recovery_read;
    lead->recovery_read = NULL;
    read(lead);
}

/* A session that was opened since the last page is known to this one, which comes before any claim for it. */
static void ask(struct lead *lead, int64_t from)
{
    int *known;
    size_t count = roles_pids(lead, &known);
    ledger_unfinished(&lead->ledger, known, count, from, answered, lead);
    free(known);
}

void recovery_read(struct lead *lead, recovery_callback *read)
{
    lead->recovery_read = read;
    lead->unfinished_count = 0;
    ask(lead, 0);
}

void recovery_sweep(void *data)
{
    struct lead *lead = data;
    if (lead->recovery_read != NULL) {
        return;
    }
    for (size_t i = 0; i < lead->unknown_count; i++) {
        lead->unknown[i].asked = true;
    }
    recovery_read(lead, recovery_judge);
}

bool recovery_awaited(const struct lead *lead)
{
    return !lead->impatient && (lead->unknown_count > 0 || lead->verdicts_pending > 0);
}

void recovery_destroy(struct lead *lead)
{
    free(lead->unfinished);
    free(lead->unknown);
}
