/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/sql_placing.h"

#include <string.h>

#include "base/log.h"
#include "catalog/sql_job.h"
#include "daemon/lead_state.h"
#include "ledger/changes.h"

#define HEARD_LATE (5 * USEC_PER_SEC) /* what was due longer before the leader heard of the schedule does not run */
#define NOBODY ""                     /* who waits for that name is not woken */

/* --- what was due by an old definition ---------------------------------------------------------------------------- */

static const char *reason_to_withdraw(const struct job *now)
{
    return now == NULL    ? "the job was unscheduled before it could start"
           : now->refused ? "the job was refused before it could start"
           : !now->active ? "the job was switched off before it could start"
                          : "its schedule changed before it could start";
}

static void withdraw(struct lead *lead, struct scheduled *known, const struct job *now)
{
    scheduler_withdraw(lead->scheduler, known, reason_to_withdraw(now), lead_now(lead));
    dispatch_write_skipped(lead);
}

static bool restarts(const struct scheduled *known, const struct job *now)
{
    return known == NULL || scheduled_retired(known) || scheduled_job(known)->since != now->since;
}

static void restarted(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "the schedule of a job could not be begun");
}

static instant later(instant a, instant b)
{
    return a > b ? a : b;
}

/* From where it says, and never from before what is on record, unless that is in the future. */
static void restart(struct lead *lead, const struct scheduled *known, const struct job *job, struct job_memory *memory)
{
    instant now = lead_now(lead);
    instant on_record = known != NULL ? later(memory->cursor, scheduled_cursor(known)) : memory->cursor;
    if (on_record == INSTANT_NONE) {
        log_warning("job %s: its cursor was gone: it begins anew", job->name);
        on_record = now;
    }
    instant start = later(on_record > now + HEARD_LATE ? now : on_record, job->since);
    start = start > now + HEARD_LATE ? now : start; /* it was edited while the clock was ahead */
    if (start != memory->cursor) {
        changes_restart(&lead->ledger, &memory->job_id, &start, 1, restarted, lead);
    }
    memory->cursor = start;
    memory->cursor_skipped = false;
}

/* --- into the schedule -------------------------------------------------------------------------------------------- */

struct scheduled *sql_placing_find(const struct lead *lead, int64_t job_id)
{
    return lead->started ? scheduler_find(lead->scheduler, job_id) : NULL;
}

/* Its channels and views are to be listened to and looked at, or no more. */
static void note_channels(struct lead *lead, const struct job *job)
{
    lead->sql_placing->channels_changed = lead->sql_placing->channels_changed || job->on_count > 0 ||
                                          job->view_count > 0;
}

/* Whatever its catchup: it is not to make up for what was due more than `grace` ago. */
static void miss(struct lead *lead, struct scheduled *known, const char *reason, duration grace)
{
    instant now = lead_now(lead);
    scheduler_miss(lead->scheduler, known, reason, now - grace, now);
}

/* Whoever still has it is told later in this look that it has another. */
static void free_name(struct lead *lead, const char *name, int64_t job_id)
{
    const struct scheduled *holder = lead->started ? scheduler_find_named(lead->scheduler, name) : NULL;
    if (holder != NULL && scheduled_id(holder) != job_id) {
        scheduler_release_name(lead->scheduler, holder);
    }
}

/* Takes the job over; the scheduled one. */
static struct scheduled *put(struct lead *lead, const struct job *job, const struct job_memory *read)
{
    struct scheduled *known = sql_placing_find(lead, read->job_id);
    struct job_memory memory = *read;
    bool anew = lead->started && restarts(known, job);
    bool off = known != NULL && scheduled_job(known)->active && !job->active;
    bool mended = known != NULL && scheduled_job(known)->refused && !job->refused && !anew;
    if (known != NULL) {
        note_channels(lead, scheduled_job(known));
        if (!scheduled_retired(known) && (anew || off)) {
            withdraw(lead, known, job);
            lead->sql_placing->sweep = true;
        }
    }
    if (anew || memory.cursor < job->since) {
        restart(lead, known, job, &memory);
    }
    note_channels(lead, job);
    free_name(lead, job->name, read->job_id);
    known = scheduler_put(lead->scheduler, job, &memory);
    job_drop(job);
    if (lead->started) {
        scheduler_link(lead->scheduler, lead_now(lead));
    }
    if (anew) { /* whoever wrote it may have been long about committing that */
        miss(lead, known, "the leader heard of its schedule only later", HEARD_LATE);
    } else if (mended) {
        miss(lead, known, "it could not be scheduled until now", 0);
    }
    return known;
}

static void wake_waiting(struct lead *lead, const struct scheduled *there);

/* At the load those that are left come here, some of them in a cycle, and each is put once. */
static void take_aside(struct lead *lead, const struct job *job, const struct job_memory *memory, const char *missing)
{
    struct error err = {.kind = ERROR_NONE};
    error_set(&err, ERROR_CONFIG, "it comes after \"%.200s\", which is not there", missing);
    error_hint(&err, "it is scheduled as soon as that is");
    sql_job_status_problem(lead, job, memory, &err);
    const struct job *refused = sql_job_refused(job);
    sql_waiting_add(&lead->sql_placing->waiting, job, memory, missing);
    const struct scheduled *there = put(lead, refused, memory);
    if (lead->started) {
        wake_waiting(lead, there);
    }
}

/* NULL: all are there. */
static const char *missing_upstream(const struct lead *lead, const struct job *job)
{
    for (size_t i = 0; i < job->after_count; i++) {
        const struct scheduled *upstream = scheduler_find_named(lead->scheduler, job->after[i]);
        if (strcmp(job->after[i], job->name) != 0 && (upstream == NULL || scheduled_retired(upstream))) {
            return job->after[i];
        }
    }
    return NULL;
}

static bool would_cycle(struct lead *lead, const struct job *job, const struct job_memory *memory, struct error *err)
{
    const struct scheduled *known = sql_placing_find(lead, memory->job_id);
    for (size_t i = 0; i < job->after_count; i++) {
        struct scheduled *upstream = scheduler_find_named(lead->scheduler, job->after[i]);
        bool itself = strcmp(job->after[i], job->name) == 0;
        if (itself || (known != NULL && scheduler_would_cycle(lead->scheduler, known, upstream))) {
            error_set(err, ERROR_CONFIG, "it would come after itself, by way of \"%.200s\"", job->after[i]);
            error_hint(err, "take that out of its after");
            return true;
        }
    }
    return false;
}

/* Takes the job over, which has no fault of its own. While an answer is read nobody is put before those it comes after;
 * a cycle may be one with what is told later. */
void sql_placing_take(struct lead *lead, const struct job *job, const struct job_memory *memory, bool has_problem)
{
    struct error err = {.kind = ERROR_NONE};
    const char *missing = missing_upstream(lead, job);
    bool cycle = missing == NULL && would_cycle(lead, job, memory, &err);
    if (lead->sql_placing->reading && (missing != NULL || (cycle && lead->started))) {
        sql_waiting_add(&lead->sql_placing->held, job, memory, cycle ? NOBODY : missing);
        return;
    }
    if (missing != NULL) {
        take_aside(lead, job, memory, missing);
        return;
    }
    if (cycle) {
        sql_job_status_problem(lead, job, memory, &err);
        const struct job *refused = sql_job_refused(job);
        job_drop(job);
        job = refused;
    } else if (has_problem) {
        sql_job_status_no_problem(lead, memory);
    }
    wake_waiting(lead, put(lead, job, memory));
}

/* It is there, if only to be mended. */
static void wake_waiting(struct lead *lead, const struct scheduled *there)
{
    struct sql_placing *placing = lead->sql_placing;
    struct sql_waiting_job waiting;
    while (sql_waiting_take(&placing->held, scheduled_job(there)->name, &waiting) ||
           sql_waiting_take(&placing->waiting, scheduled_job(there)->name, &waiting)) {
        sql_placing_take(lead, waiting.job, &waiting.memory, lead->started);
    }
}

/* All that there is to read has been read. */
void sql_placing_take_held(struct lead *lead)
{
    struct sql_placing *placing = lead->sql_placing;
    struct sql_waiting_job held;
    while (sql_waiting_take(&placing->held, NULL, &held)) {
        if (lead->started) {
            sql_placing_take(lead, held.job, &held.memory, true);
        } else {
            take_aside(lead, held.job, &held.memory, held.missing);
        }
    }
}

void sql_placing_take_refused(struct lead *lead, const struct job *job, const struct job_memory *memory,
                              const struct error *problem)
{
    sql_job_status_problem(lead, job, memory, problem);
    wake_waiting(lead, put(lead, job, memory));
}

void sql_placing_forget(struct lead *lead, int64_t job_id)
{
    sql_waiting_forget(&lead->sql_placing->held, job_id); /* one that waited has just been woken */
    sql_waiting_forget(&lead->sql_placing->waiting, job_id);
}

void sql_placing_finish(struct sql_placing *placing)
{
    sql_waiting_finish(&placing->held);
    sql_waiting_finish(&placing->waiting);
}

/* --- going -------------------------------------------------------------------------------------------------------- */

static struct job_memory memory_of(const struct scheduled *scheduled)
{
    return (struct job_memory){.job_id = scheduled_id(scheduled),
                               .version = scheduled_version(scheduled),
                               .cursor = scheduled_cursor(scheduled),
                               .outcome_at = INSTANT_NONE,
                               .missed_at = INSTANT_NONE,
                               .last_end = INSTANT_NONE};
}

/* As it is, since whom it comes after is another. */
static void place_again(struct lead *lead, const struct scheduled *known)
{
    struct job_memory memory = memory_of(known);
    sql_placing_take(lead, job_hold(scheduled_job(known)), &memory, false);
}

static bool names(const struct lead *lead, const struct job *job, const struct scheduled *upstream)
{
    bool found = false;
    for (size_t i = 0; i < job->after_count; i++) {
        found = found || scheduler_find_named(lead->scheduler, job->after[i]) == upstream;
    }
    return found;
}

/* Those that come after it by a name that it has no more. */
static void place_astray(struct lead *lead, const struct scheduled *upstream)
{
    size_t good = 0;
    while (good < scheduled_downstream_count(upstream)) {
        const struct scheduled *it = scheduled_downstream(upstream, good);
        if (names(lead, scheduled_job(it), upstream)) {
            good++;
        } else {
            place_again(lead, it);
            good = 0;
        }
    }
}

void sql_placing_remove(struct lead *lead, struct scheduled *scheduled)
{
    place_astray(lead, scheduled);
    scheduler_remove(lead->scheduler, scheduled);
}

void sql_placing_follow_up(struct lead *lead, int64_t job_id, bool removed)
{
    struct scheduled *known = sql_placing_find(lead, job_id);
    lead->sql_placing->sweep = lead->sql_placing->sweep || removed;
    if (known == NULL || scheduled_retired(known)) {
        return;
    }
    if (!removed) {
        place_astray(lead, known);
        return;
    }
    note_channels(lead, scheduled_job(known));
    scheduler_withdraw(lead->scheduler, known, reason_to_withdraw(NULL), lead_now(lead));
    sql_placing_remove(lead, known);
    scheduler_link(lead->scheduler, lead_now(lead));
}
