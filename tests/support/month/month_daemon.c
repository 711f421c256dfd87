/* SPDX-License-Identifier: PostgreSQL */
/* The daemon of a simulated month: ticks when the scheduler wants it, runs that take their time, and deaths. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/month/month.h"

#define PASSES_MAX 500
#define SUSPENSIONS_MAX 64
#define RESUMED "resumed by ann: mended"

/* --- runs --------------------------------------------------------------------------------------------------------- */

static void sit(struct month *month, struct month_job *it)
{
    month->sessions[month->session_count++] = (size_t)(it - month->jobs);
    it->ends_at = month->now + month_chance(month, 1, it->lasts_most);
}

static void rise(struct month *month, const struct month_job *it)
{
    for (size_t i = 0; i < month->session_count; i++) {
        if (month->sessions[i] == (size_t)(it - month->jobs)) {
            month->sessions[i] = month->sessions[--month->session_count];
            return;
        }
    }
}

/* By the list alone: a retry never passes the next slot. */
static instant slot_after_now(const struct month *month, const struct month_job *it)
{
    for (size_t i = it->next; it->form == MONTH_LISTED && i < it->slot_count; i++) {
        if (it->slots[i].at > month->now) {
            return it->slots[i].at;
        }
    }
    return INSTANT_NEVER;
}

static instant retry_time(struct month *month, const struct month_job *it)
{
    instant at = month->now + month_chance(month, 1, 90 * USEC_PER_SEC);
    bool may = it->attempt < it->job.options->max_attempts && at < slot_after_now(month, it);
    return may ? at : INSTANT_NONE;
}

static void tell_mirror(struct month *month, const struct month_job *it, enum run_state state, instant retry_at)
{
    struct ledger_finish finish = {
        .job_id = it->memory.job_id,
        .kind = it->kind,
        .slot = it->slot,
        .outcome = {.state = state, .started = month->now - 1, .finished = month->now, .rows = 1},
        .retry_at = retry_at,
        .log_runs = it->job.options->log_runs,
        .outcome_at = month_outcome_time(month, it, scheduled_joined(it->scheduled))};
    if (month->mirror != NULL) {
        month->mirror->finish(month->mirror_data, month, &finish);
    }
}

static void end_run(struct month *month, struct month_job *it, enum run_state state)
{
    tell_mirror(month, it, state, INSTANT_NONE);
    month_finish(month, it, state, false);
    scheduler_ended(month->scheduler, it->scheduled, state, 1, month->now);
}

static void end_attempt(struct month *month, struct month_job *it)
{
    static const enum run_state failures[] = {RUN_FAILED, RUN_FAILED, RUN_TIMED_OUT, RUN_CANCELLED};
    bool fails = month_one_in(month, it->fails_one_in);
    enum run_state state = fails ? failures[month_chance(month, 0, 3)] : RUN_SUCCEEDED;
    bool mends = fails && state != RUN_CANCELLED && month_one_in(month, 2);
    instant retry_at = mends ? retry_time(month, it) : INSTANT_NONE;
    rise(month, it);
    if (retry_at == INSTANT_NONE) {
        end_run(month, it, state);
        return;
    }
    tell_mirror(month, it, state, retry_at);
    month_retry(month, it, true, retry_at);
    scheduler_retry(month->scheduler, it->scheduled, it->attempt, retry_at);
}

/* --- dispatch: what was decided ----------------------------------------------------------------------------------- */

struct suspended {
    struct suspension items[SUSPENSIONS_MAX];
    size_t count;
    size_t applied;
};

static void apply_suspension(struct month *month, struct suspended *suspended)
{
    const struct suspension *suspension = &suspended->items[suspended->applied++];
    month_suspend(month, month_job_of(month, suspension->scheduled), suspension->reason);
}

/* Suspensions and passes come in two lines; what does not fit without one comes behind it. */
static void apply_passes(struct month *month, const struct skipped *passed, size_t count, struct suspended *suspended)
{
    for (size_t i = 0; i < count; i++) {
        struct month_job *it = month_job_of(month, passed[i].scheduled);
        while (suspended->applied < suspended->count && !month_foresaw(month, it, &passed[i])) {
            apply_suspension(month, suspended);
        }
        month_pass(month, &passed[i]);
    }
}

/* As dispatch_write_skipped cuts them: what was missed is written before what was skipped. */
static size_t take_passes(struct month *month, struct skipped *batch)
{
    size_t count = 0;
    while (count < PASSES_MAX && scheduler_take_skipped(month->scheduler, &batch[count])) {
        count++;
        if (!batch[count - 1].missed && scheduler_next_skipped_is_missed(month->scheduler)) {
            break;
        }
    }
    return count;
}

static void take_suspensions(struct month *month, struct suspended *suspended)
{
    *suspended = (struct suspended){.count = 0};
    while (suspended->count < SUSPENSIONS_MAX &&
           scheduler_take_suspension(month->scheduler, &suspended->items[suspended->count])) {
        suspended->count++;
    }
}

static void write_passes(struct month *month, struct suspended *suspended)
{
    static struct skipped batch[PASSES_MAX];
    for (size_t count = take_passes(month, batch); count > 0; count = take_passes(month, batch)) {
        apply_passes(month, batch, count, suspended);
        if (month->mirror != NULL) {
            month->mirror->pass(month->mirror_data, month, batch, count);
        }
    }
    while (suspended->applied < suspended->count) {
        apply_suspension(month, suspended);
    }
    for (size_t i = 0; i < suspended->count && month->mirror != NULL; i++) {
        month->mirror->suspend(month->mirror_data, month, &suspended->items[i]);
    }
}

static void die(struct month *month);

/* False when the daemon died before it could say what it decided. */
static bool write_decisions(struct month *month)
{
    struct suspended suspended;
    take_suspensions(month, &suspended);
    if (suspended.count > 0 && month->now < month->end && month_one_in(month, 12)) {
        month->counts.deaths_unsuspended++;
        die(month);
        return false;
    }
    write_passes(month, &suspended);
    return true;
}

/* --- dispatch: claims --------------------------------------------------------------------------------------------- */

static void require_order(const struct month *month, const struct month_job *it, const struct due *before,
                          const struct due *due)
{
    if (before != NULL) {
        int64_t priority = scheduled_job(before->scheduled)->options->priority;
        MONTH_REQUIRE(month, it,
                      priority < it->job.options->priority ||
                          (priority == it->job.options->priority && before->slot <= due->slot));
    }
}

static size_t take_dues(struct month *month, struct due *dues)
{
    size_t count = 0;
    while (scheduler_take_due(month->scheduler, &dues[count])) {
        const struct month_job *it = month_job_of(month, dues[count].scheduled);
        require_order(month, it, count > 0 ? &dues[count - 1] : NULL, &dues[count]);
        if (month->session_count + count == MONTH_SESSIONS) {
            month->counts.full_sessions++;
            scheduler_unclaimed(month->scheduler, dues[count].scheduled);
            break;
        }
        count++;
    }
    return count;
}

static bool claim(struct month *month)
{
    struct due dues[MONTH_SESSIONS + 1];
    size_t count = take_dues(month, dues);
    if (count > 0 && month->mirror != NULL) {
        month->mirror->claim(month->mirror_data, month, dues, count);
    }
    for (size_t i = 0; i < count; i++) {
        struct month_job *it = month_job_of(month, dues[i].scheduled);
        month_claim(month, it, &dues[i]);
        sit(month, it);
    }
    for (size_t i = 0; i < count; i++) {
        scheduler_claimed(month->scheduler, dues[i].scheduled);
    }
    month_take_turns(month);
    return count > 0;
}

static void count_full_pools(struct month *month)
{
    for (size_t i = 0; i < MONTH_POOLS; i++) {
        month->counts.full_pools += month->pool_held[i] == month->pool_limits[i];
    }
}

static void dispatch(struct month *month)
{
    do {
        if (!write_decisions(month)) {
            return;
        }
    } while (claim(month));
    count_full_pools(month);
    if (month->session_count < MONTH_SESSIONS && month_one_in(month, 16)) {
        month_require_idleness(month);
    }
}

/* --- life and death ----------------------------------------------------------------------------------------------- */

/* The hash is the scheduler's own business: a lonely job that is due every other day shows what it does. */
static duration jitter_of(const struct month_job *it)
{
    struct job job = it->job;
    struct job_memory memory = it->memory;
    job.after_count = 0;
    job.active = true;
    job.schedule = (struct schedule){.form = SCHEDULE_INTERVAL, .interval = 2 * USEC_PER_DAY};
    memory.cursor = 0;
    struct scheduler *scheduler = scheduler_create();
    scheduler_put(scheduler, &job, &memory);
    scheduler_link(scheduler, INSTANT_NONE);
    scheduler_start(scheduler, 0, INSTANT_NONE);
    duration jitter = scheduler_next(scheduler) - 2 * USEC_PER_DAY;
    scheduler_destroy(scheduler);
    ck_assert(jitter >= 0 && jitter <= it->job.options->jitter);
    return it->form == MONTH_JOIN ? 0 : jitter;
}

static void foresee(struct month *month)
{
    month_rebuild_marks(month);
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        int64_t limit = it->job.options->suspend_after_failures;
        it->memory.suspended = it->memory.suspended || (limit > 0 && it->memory.failures >= limit);
    }
    month_plan_catch_up(month);
    month_take_turns(month);
}

static void adopt(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        it->unfinished = it->live && it->has_session;
        if (it->live) {
            scheduler_adopt(month->scheduler, it->scheduled, it->kind, it->slot, it->attempt, INSTANT_NEVER,
                            it->missed_from != INSTANT_NONE);
        }
    }
}

/* As core/daemon/recovery.c judges runs whose session is gone. */
static void judge(struct month *month, struct month_job *it)
{
    bool lost = it->has_session && it->job.options->delivery == DELIVERY_AT_MOST_ONCE;
    if (it->committed || lost) {
        it->retry_at = INSTANT_NONE;
    } else if (it->has_session) {
        it->retry_at = retry_time(month, it);
    } else {
        it->retry_at = it->retry_at > month->now ? it->retry_at : month->now;
    }
}

static void settle(struct month *month, struct month_job *it)
{
    if (it->retry_at != INSTANT_NONE) {
        month_retry(month, it, it->has_session, it->retry_at);
        scheduler_retry(month->scheduler, it->scheduled, it->attempt, it->retry_at);
        return;
    }
    enum run_state state = it->committed ? RUN_SUCCEEDED : RUN_LOST;
    month_finish(month, it, state, true);
    scheduler_ended(month->scheduler, it->scheduled, state, 0, month->now);
}

static void judge_unfinished(struct month *month)
{
    bool unfinished[MONTH_JOBS] = {false};
    for (size_t i = 0; i < month->job_count; i++) {
        unfinished[i] = month->jobs[i].live;
        if (unfinished[i]) {
            judge(month, &month->jobs[i]);
            scheduler_judge(month->jobs[i].scheduled, month->now);
        }
    }
    if (month->mirror != NULL) {
        month->mirror->adopt(month->mirror_data, month);
    }
    for (size_t i = 0; i < month->job_count; i++) {
        if (unfinished[i]) {
            struct suspended suspended;
            settle(month, &month->jobs[i]);
            take_suspensions(month, &suspended);
            write_passes(month, &suspended);
        }
    }
}

static void come_alive(struct month *month)
{
    size_t first = (size_t)month_chance(month, 0, (int64_t)month->job_count - 1);
    if (month->mirror != NULL) {
        month->mirror->start(month->mirror_data, month);
    }
    month->scheduler = scheduler_create();
    for (size_t i = 0; i < MONTH_POOLS; i++) {
        month->pool_held[i] = 0;
        scheduler_pool(month->scheduler, month_pools[i], month->pool_limits[i]);
    }
    for (size_t n = 0; n < month->job_count; n++) {
        struct month_job *it = &month->jobs[(first + n) % month->job_count];
        it->scheduled = scheduler_put(month->scheduler, &it->job, &it->memory);
    }
    scheduler_link(month->scheduler, INSTANT_NONE);
    adopt(month);
    foresee(month);
    scheduler_start(month->scheduler, month->now, month->server_start);
    month->dies_at = month->now + month_chance(month, 1, (month->end - month->start) / 6);
    if (write_decisions(month)) {
        judge_unfinished(month);
    }
}

/* Suspensions that were foreseen and never written. */
static void forget(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        it->memory.suspended = it->memory.suspended && it->resumes_at != INSTANT_NONE;
    }
}

static void leave_runs(struct month *month)
{
    for (size_t i = 0; i < month->session_count; i++) {
        struct month_job *it = &month->jobs[month->sessions[i]];
        it->committed = it->job.options->delivery == DELIVERY_TRANSACTIONAL && month_one_in(month, 2);
        if (it->committed && month->mirror != NULL) {
            month->mirror->commit(month->mirror_data, month, it);
        }
    }
    month->session_count = 0;
}

static void die(struct month *month)
{
    duration most = month_one_in(month, 3) ? (month->end - month->start) / 20 : 90 * USEC_PER_SEC;
    duration down = month_chance(month, 1, most);
    leave_runs(month);
    forget(month);
    scheduler_destroy(month->scheduler);
    month->counts.deaths++;
    down = month->now + down < month->end ? down : month->end - month->now;
    if (month_one_in(month, 3)) {
        month->server_start = month->now + down / 2;
    }
    month->now += down;
    come_alive(month);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static struct month_job *first_to_end(struct month *month)
{
    struct month_job *first = NULL;
    for (size_t i = 0; i < month->session_count; i++) {
        struct month_job *it = &month->jobs[month->sessions[i]];
        first = first == NULL || it->ends_at < first->ends_at ? it : first;
    }
    return first;
}

static struct month_job *first_to_resume(struct month *month)
{
    struct month_job *first = NULL;
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        if (it->resumes_at != INSTANT_NONE && (first == NULL || it->resumes_at < first->resumes_at)) {
            first = it;
        }
    }
    return first;
}

static void resume(struct month *month, struct month_job *it)
{
    if (month->mirror != NULL) {
        month->mirror->resume(month->mirror_data, month, it);
    }
    month_resume(month, it);
    scheduler_resume(month->scheduler, it->scheduled, RESUMED, month->now);
}

static void tick(struct month *month)
{
    month_note(month);
    month_take_turns(month);
    scheduler_tick(month->scheduler, month->now);
}

/* The next thing that happens, a tick first; no two at once. */
static void step(struct month *month)
{
    struct month_job *ending = first_to_end(month);
    struct month_job *resuming = first_to_resume(month);
    instant tick_at = scheduler_next(month->scheduler);
    instant end_at = ending != NULL ? ending->ends_at : INSTANT_NEVER;
    instant resume_at = resuming != NULL ? resuming->resumes_at : INSTANT_NEVER;
    instant least = month->dies_at < month->end ? month->dies_at : month->end;
    least = tick_at < least ? tick_at : least;
    least = end_at < least ? end_at : least;
    least = resume_at < least ? resume_at : least;
    month->now = least > month->now ? least : month->now + 1;
    if (least == tick_at) {
        tick(month);
    } else if (least == end_at) {
        end_attempt(month, ending);
    } else if (least == resume_at) {
        resume(month, resuming);
    } else if (least == month->dies_at) {
        die(month);
    }
    dispatch(month);
}

static struct month_job *first_live(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        if (month->jobs[i].live) {
            return &month->jobs[i];
        }
    }
    return NULL;
}

/* Nothing more falls due: what is live ends, who is suspended is not any more, until nothing goes on. */
static void drain(struct month *month)
{
    month->now = month->end;
    tick(month);
    dispatch(month);
    while (first_live(month) != NULL || first_to_resume(month) != NULL) {
        struct month_job *resuming = first_to_resume(month);
        struct month_job *ending = first_live(month);
        month->now++;
        if (resuming != NULL) {
            resume(month, resuming);
        } else {
            rise(month, ending);
            end_run(month, ending, RUN_SUCCEEDED);
        }
        dispatch(month);
    }
    month_require_idleness(month);
}

void month_live(struct month *month)
{
    month->now = month->start;
    month->server_start = month->start + 1;
    for (size_t i = 0; i < month->job_count; i++) {
        month->jobs[i].jitter = jitter_of(&month->jobs[i]);
    }
    month->now = month->start + 2;
    come_alive(month);
    dispatch(month);
    while (month->now < month->end) {
        step(month);
    }
    drain(month);
    scheduler_destroy(month->scheduler);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* What is due is decided, or waits for an upstream whose jitter goes beyond the end. */
static void require_slots(const struct month *month, const struct month_job *it)
{
    MONTH_REQUIRE(month, it, it->next == it->noted || month_waits(month, it));
    for (size_t i = 0; i < it->slot_count; i++) {
        const struct month_slot *slot = &it->slots[i];
        bool due = it->job.active && (it->form == MONTH_JOIN || month_due(it, i) <= month->end);
        MONTH_REQUIRE(month, it, i == 0 || slot->at > it->slots[i - 1].at);
        MONTH_REQUIRE(month, it, due == (i < it->noted));
        MONTH_REQUIRE(month, it, (i < it->next) == (slot->fate != MONTH_UNDECIDED) && (i < it->next) == slot->ended);
    }
}

void month_require_end(const struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        const struct month_job *it = &month->jobs[i];
        MONTH_REQUIRE(month, it, !it->live && !it->memory.suspended);
        MONTH_REQUIRE(month, it, it->runs + it->skips + it->missed == (int64_t)it->next);
        require_slots(month, it);
    }
}
