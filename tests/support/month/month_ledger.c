/* SPDX-License-Identifier: PostgreSQL */
/* The ledger in memory of a simulated month: whatever it is asked to write must have been foreseen. */
#include <stdio.h>
#include <string.h>

#include "support/month/month.h"

void month_fail(const struct month *month, const struct month_job *it, const char *condition, int line,
                const char *file)
{
    char now[INSTANT_TEXT_SIZE];
    char slot[INSTANT_TEXT_SIZE];
    instant_format(month->now, now);
    instant_format(it->next < it->slot_count ? it->slots[it->next].at : 0, slot);
    ck_abort_msg("PGCHIME_TEST_SEED=%llu, %s (%s, %s), at %s, next slot %s of plan %d, %s:%d: %s",
                 (unsigned long long)month->seed, it->name, it->text, it->job.options->timezone, now, slot,
                 it->next < it->slot_count ? (int)it->slots[it->next].plan : -1, strrchr(file, '/') + 1, line,
                 condition);
}

struct month_job *month_job_of(struct month *month, const struct scheduled *scheduled)
{
    struct month_job *it = &month->jobs[scheduled_id(scheduled) - MONTH_FIRST_ID];
    MONTH_REQUIRE(month, it, it->scheduled == scheduled);
    return it;
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

static void take_session(struct month *month, struct month_job *it)
{
    it->has_session = true;
    if (it->pool >= 0) {
        month->pool_held[it->pool]++;
        MONTH_REQUIRE(month, it, month->pool_held[it->pool] <= month->pool_limits[it->pool]);
    }
}

static void leave_session(struct month *month, struct month_job *it)
{
    if (it->has_session && !it->unfinished && it->pool >= 0) {
        month->pool_held[it->pool]--;
    }
    it->has_session = it->unfinished = false;
}

static void claim_slot(struct month *month, struct month_job *it, const struct due *due)
{
    MONTH_REQUIRE(month, it, month_active(it) && !it->live && due->attempt == 1);
    MONTH_REQUIRE(month, it, due->kind == (it->form == MONTH_JOIN ? RUN_DEPENDENCY : RUN_SCHEDULE));
    MONTH_REQUIRE(month, it, due->cursor == it->memory.cursor && due->slot > due->cursor);
    if (it->form == MONTH_JOIN) {
        month_join_settle(month, it, due->slot, PLAN_RUN);
    }
    MONTH_REQUIRE(month, it, it->next < it->noted);
    struct month_slot *slot = &it->slots[it->next];
    MONTH_REQUIRE(month, it, slot->at == due->slot && slot->fate == MONTH_UNDECIDED);
    MONTH_REQUIRE(month, it, slot->plan == (it->job.after_count > 0 ? PLAN_RUN : PLAN_KEEP) || slot->unsure);
    MONTH_REQUIRE(month, it, it->form == MONTH_JOIN || month_due(it, it->next) <= month->now);
    MONTH_REQUIRE(month, it, !month_is_late(month, it, slot->at));
    slot->fate = MONTH_CLAIMED;
    it->next++;
    it->memory.cursor = due->slot;
    it->live = true;
    it->kind = due->kind;
    it->slot = due->slot;
    it->attempt = 1;
    month->counts.joins += it->form == MONTH_JOIN;
    month->counts.delays += it->form == MONTH_DELAY;
    month->counts.reboots += it->form == MONTH_REBOOT;
    if (it->form == MONTH_JOIN) {
        month_join_decided(it, true, false);
    }
}

void month_claim(struct month *month, struct month_job *it, const struct due *due)
{
    if (due->again) {
        MONTH_REQUIRE(month, it, it->live && !it->has_session && it->kind == due->kind && it->slot == due->slot);
        MONTH_REQUIRE(month, it, it->attempt == due->attempt && it->retry_at <= month->now);
    } else {
        claim_slot(month, it, due);
    }
    take_session(month, it);
}

/* --- slots that pass ---------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static enum month_plan plan_of(const struct skipped *passed)
{
    if (begins(passed->reason, "overlap: ")) {
        return PLAN_OVERLAP;
    }
    if (begins(passed->reason, "upstream ") || begins(passed->reason, "no upstream succeeded")) {
        return PLAN_REFUSED;
    }
    if (begins(passed->reason, "catchup is ") || begins(passed->reason, "older than catchup_window") ||
        begins(passed->reason, "more slots than catchup_limit")) {
        return PLAN_CATCHUP;
    }
    return begins(passed->reason, "resumed") ? PLAN_SLEPT : PLAN_GIVEN_UP;
}

bool month_foresaw(const struct month *month, const struct month_job *it, const struct skipped *passed)
{
    const struct month_slot *slot = &it->slots[it->next];
    if (it->unsure_at != INSTANT_NONE) {
        return plan_of(passed) != PLAN_GIVEN_UP || it->memory.suspended || begins(passed->reason, "deadline: ");
    }
    if (it->next == it->noted) {
        return false;
    }
    if (begins(passed->reason, "deadline: ")) {
        return (slot->plan == PLAN_KEEP || slot->plan == PLAN_RUN || slot->unsure) &&
               month_is_late(month, it, slot->at);
    }
    return slot->plan == plan_of(passed) || (slot->unsure && plan_of(passed) == PLAN_REFUSED);
}

static void decide(struct month *month, struct month_job *it, const struct skipped *passed)
{
    struct month_slot *slot = &it->slots[it->next];
    MONTH_REQUIRE(month, it, slot->fate == MONTH_UNDECIDED);
    MONTH_REQUIRE(month, it, month_foresaw(month, it, passed));
    slot->fate = passed->missed ? MONTH_MISSED : MONTH_SKIPPED;
    slot->state = passed->missed ? RUN_MISSED : RUN_SKIPPED;
    slot->ended = true;
    it->next++;
}

static void count_passed(struct month *month, const struct month_job *it, const struct skipped *passed, int64_t count)
{
    struct month_counts *counts = &month->counts;
    bool deadline = begins(passed->reason, "deadline: ");
    enum month_plan plan = deadline ? PLAN_NONE : plan_of(passed);
    bool join = it->form == MONTH_JOIN;
    counts->late += deadline ? count : 0;
    counts->overlaps += plan == PLAN_OVERLAP ? count : 0;
    counts->refusals += plan == PLAN_REFUSED && !join ? count : 0;
    counts->join_refusals += plan == PLAN_REFUSED && join ? count : 0;
    counts->join_suspensions += plan == PLAN_GIVEN_UP && join ? count : 0;
    counts->catch_ups += plan == PLAN_CATCHUP ? count : 0;
    counts->given_up += plan == PLAN_GIVEN_UP ? count : 0;
    counts->slept += plan == PLAN_SLEPT ? count : 0;
}

/* What those after it see of it. */
instant month_outcome_time(const struct month *month, const struct month_job *it, instant joined)
{
    instant before = joined > it->memory.missed_at ? joined : it->memory.missed_at;
    return month->now > before ? month->now : before + 1;
}

static void note_outcome(struct month *month, struct month_job *it, enum run_state state, instant at)
{
    it->memory.has_outcome = true;
    it->memory.last_outcome = state;
    it->memory.outcome_at = at;
    it->memory.missed_after = false;
    month_mark_downstream(month, it, state, at);
}

/* What was decided later is later: an outcome comes after what was missed, and after the joins that had decided on the
 * one before. Of these some may have decided since. */
static void require_time(const struct month *month, const struct month_job *it, const struct skipped *passed)
{
    instant outcome_at = it->memory.outcome_at;
    if (passed->missed) {
        MONTH_REQUIRE(month, it, passed->at == (outcome_at < month->now ? month->now : outcome_at + 1));
    } else if (passed->outcome) {
        MONTH_REQUIRE(month, it, passed->at >= month_outcome_time(month, it, INSTANT_NONE));
        MONTH_REQUIRE(month, it, passed->at <= month_outcome_time(month, it, scheduled_joined(it->scheduled)));
    } else {
        MONTH_REQUIRE(month, it, passed->at <= month->now); /* decided with the run that stood in the way */
    }
}

static void require_flags(const struct month *month, const struct month_job *it, const struct skipped *passed)
{
    bool deadline = begins(passed->reason, "deadline: ");
    enum month_plan plan = deadline ? PLAN_NONE : plan_of(passed);
    MONTH_REQUIRE(month, it, passed->missed == (plan == PLAN_CATCHUP || plan == PLAN_SLEPT));
    MONTH_REQUIRE(month, it, passed->outcome == (deadline || plan == PLAN_REFUSED));
    MONTH_REQUIRE(month, it, passed->kind == (it->form == MONTH_JOIN ? RUN_DEPENDENCY : RUN_SCHEDULE));
    MONTH_REQUIRE(month, it, passed->cursor == it->memory.cursor);
    require_time(month, it, passed);
    MONTH_REQUIRE(month, it, it->next < it->noted && passed->first == it->slots[it->next].at);
}

static void count_row(struct month *month, struct month_job *it, bool kept, int64_t count)
{
    it->rows += kept ? count : 0;
    month->counts.not_logged += kept ? 0 : count;
}

void month_pass(struct month *month, const struct skipped *passed)
{
    struct month_job *it = month_job_of(month, passed->scheduled);
    int64_t count = 0;
    if (it->form == MONTH_JOIN) {
        month_join_settle(month, it, passed->last, begins(passed->reason, "deadline: ") ? PLAN_KEEP : plan_of(passed));
    }
    require_flags(month, it, passed);
    while (it->next < it->noted && it->slots[it->next].at <= passed->last) {
        decide(month, it, passed);
        count++;
    }
    MONTH_REQUIRE(month, it, it->slots[it->next - 1].at == passed->last);
    MONTH_REQUIRE(month, it, passed->count == (passed->missed ? count : 0));
    MONTH_REQUIRE(month, it, count == 1 || !passed->outcome);
    it->memory.cursor = passed->last;
    it->counted_from = month->now;
    it->skips += passed->missed ? 0 : count;
    it->missed += passed->missed ? count : 0;
    count_passed(month, it, passed, count);
    if (!passed->missed) {
        count_row(month, it, it->job.options->log_runs != LOG_RUNS_OFF, count);
    }
    if (it->form == MONTH_JOIN) {
        month_join_decided(it, false, plan_of(passed) == PLAN_REFUSED);
    }
    if (passed->missed) {
        it->memory.missed_at = passed->at;
        if (it->live && it->kind == RUN_SCHEDULE && it->missed_from == INSTANT_NONE) {
            it->missed_from = passed->first;
        }
        month_unmark_downstream(month, it);
    }
    if (passed->outcome) {
        note_outcome(month, it, RUN_SKIPPED, passed->at);
    }
    month_take_turns(month);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void count_end(struct month *month, struct month_job *it, enum run_state state)
{
    bool failed = state == RUN_FAILED || state == RUN_TIMED_OUT || state == RUN_LOST;
    enum log_runs log = it->job.options->log_runs;
    it->runs++;
    it->successes += state == RUN_SUCCEEDED;
    it->failures += failed;
    it->memory.failures = state == RUN_SUCCEEDED ? 0 : it->memory.failures + (failed ? 1 : 0);
    count_row(month, it, log == LOG_RUNS_ALL || (log == LOG_RUNS_ERRORS && state != RUN_SUCCEEDED), 1);
    month->counts.runs++;
    month->counts.failures += state == RUN_FAILED;
    month->counts.timeouts += state == RUN_TIMED_OUT;
    month->counts.cancelled += state == RUN_CANCELLED;
    month->counts.lost += state == RUN_LOST;
}

static struct month_slot *slot_of_run(struct month_job *it)
{
    size_t low = 0;
    for (size_t high = it->next; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (it->slots[middle].at < it->slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &it->slots[low];
}

void month_finish(struct month *month, struct month_job *it, enum run_state state, bool adopted)
{
    MONTH_REQUIRE(month, it, it->live && (it->has_session || adopted || month->now >= month->end));
    struct month_slot *slot = slot_of_run(it);
    MONTH_REQUIRE(month, it, slot->at == it->slot && slot->fate == MONTH_CLAIMED && !slot->ended);
    slot->ended = true;
    slot->state = state;
    leave_session(month, it);
    it->live = it->committed = false;
    it->memory.last_end = month->now;
    count_end(month, it, state);
    note_outcome(month, it, state, month_outcome_time(month, it, scheduled_joined(it->scheduled)));
    it->memory.missed_after = it->missed_from != INSTANT_NONE && it->missed_from <= month->now;
    it->missed_from = INSTANT_NONE;
    month_take_turns(month);
}

void month_retry(struct month *month, struct month_job *it, bool another, instant retry_at)
{
    MONTH_REQUIRE(month, it, it->live);
    leave_session(month, it);
    it->attempt += another ? 1 : 0;
    it->attempts += another && it->job.options->log_runs != LOG_RUNS_OFF;
    it->retry_at = retry_at;
    month->counts.retries += another;
    MONTH_REQUIRE(month, it, it->attempt <= it->job.options->max_attempts);
}

/* --- suspension --------------------------------------------------------------------------------------------------- */

void month_suspend(struct month *month, struct month_job *it, const char *reason)
{
    int64_t limit = it->job.options->suspend_after_failures;
    MONTH_REQUIRE(month, it, limit > 0 && it->memory.failures >= limit && it->resumes_at == INSTANT_NONE);
    MONTH_REQUIRE(month, it, strstr(reason, "failed") != NULL);
    if (!it->memory.suspended) { /* else a new leader suspends it for what an old one could not say any more */
        it->memory.suspended = true;
        month_plan_surrender(month, it, PLAN_GIVEN_UP);
    }
    it->resumes_at = month->now + month_chance(month, USEC_PER_MINUTE, (month->end - month->start) / 40);
    month->counts.suspensions++;
    month_take_turns(month);
}

void month_resume(struct month *month, struct month_job *it)
{
    it->memory.suspended = false;
    it->memory.failures = 0;
    it->resumes_at = INSTANT_NONE;
    month->counts.resumes++;
    month_plan_surrender(month, it, PLAN_SLEPT);
    month_take_turns(month);
}
