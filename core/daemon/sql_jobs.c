/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/sql_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "catalog/sql_job.h"
#include "daemon/lead_state.h"
#include "daemon/listener.h"
#include "ledger/changes.h"

#define POLL_EVERY (10 * USEC_PER_SEC) /* for a notification that never came */
#define ASK_EVERY (5 * USEC_PER_MSEC)  /* claims go on between two looks, however many edits there are */

struct told {
    int64_t job_id;
    bool removed;
};

struct sql_jobs {
    struct zones *zones;
    char *seen;       /* what is known already; NULL: all jobs are to be asked for */
    char *first_seen; /* after the first part of a look: what the next one is to look from */
    int64_t from;     /* where the next part of this look begins; 0: the next answer begins one */
    char *changed;    /* the transaction that changed that one */
    bool wanted;
    bool asking;
    bool again;      /* the answer under way is to be followed by a look at all jobs */
    int64_t *behind; /* their schedules may have expired: these are put on record before they are taken over */
    size_t behind_count;
    bool swept;           /* for what expired, since the last answer */
    bool nothing_expired; /* by the last look, while behind */
    uint64_t looks;       /* that have begun */
    uint64_t last_check;  /* that told all that had changed before it began */
    struct told *told;    /* by the look under way */
    size_t told_count;
    size_t told_capacity;
    instant answered_at;
    sql_jobs_callback *loaded; /* until it was called */
    struct sql_placing placing;
    struct loop_timer *poll_timer;
    struct loop_timer *ask_timer;
    int64_t refused_job; /* the last claim that was refused, and what had been answered then */
    int refused_version;
    uint64_t refused_check;
};

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* Whoever comes after one that went, or has another name, is not to find it. */
static void release_name(struct lead *lead, const struct changed_job *changed)
{
    const struct scheduled *known = sql_placing_find(lead, changed->memory.job_id);
    if (known != NULL && (changed->removed || strcmp(scheduled_job(known)->name, changed->row.name) != 0)) {
        scheduler_release_name(lead->scheduler, known);
    }
}

static void take(struct lead *lead, const struct changed_job *changed)
{
    struct error err = {.kind = ERROR_NONE};
    sql_placing_forget(lead, changed->memory.job_id);
    if (changed->removed) {
        return; /* once those that come after it have another, or none */
    }
    const struct job *job = sql_job_make(&changed->row, lead->database, lead->sql_jobs->zones, &err);
    const char *refusal = roles_problem(lead, job->owner);
    if (err.kind == ERROR_NONE && refusal != NULL) {
        error_set(&err, ERROR_REFUSED, "%s", refusal);
        error_hint(&err, "whoever keeps pgchime.conf may allow it: roles = ( { name = \"%s\"; allow = true; } )",
                   job->owner);
        const struct job *refused = sql_job_refused(job);
        job_drop(job);
        job = refused;
    }
    if (err.kind == ERROR_NONE) {
        sql_placing_take(lead, job, &changed->memory, changed->has_problem);
    } else {
        sql_placing_take_refused(lead, job, &changed->memory, &err);
    }
}

static void each(struct lead *lead, const struct pg_reply *reply,
                 void (*visit)(struct lead *lead, const struct changed_job *changed))
{
    for (size_t i = 0; i < changes_count(reply); i++) {
        struct changed_job changed = changes_read(reply, i);
        visit(lead, &changed);
    }
}

static void check_known(struct lead *lead, const struct changed_job *changed)
{
    lead_knows(lead, &changed->memory, changed->row.name);
}

static void remember(struct lead *lead, const struct changed_job *changed)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    if (jobs->told_count == jobs->told_capacity) {
        jobs->told_capacity = jobs->told_capacity == 0 ? 16 : jobs->told_capacity * 2;
        jobs->told = xrealloc(jobs->told, jobs->told_capacity, sizeof(*jobs->told));
    }
    jobs->told[jobs->told_count++] = (struct told){changed->memory.job_id, changed->removed};
}

/* At the load nobody was known before. */
static void take_part(struct lead *lead, const struct pg_reply *reply)
{
    lead->sql_jobs->placing.reading = true;
    each(lead, reply, release_name);
    each(lead, reply, take);
    lead->sql_jobs->placing.reading = false;
    if (lead->started) {
        each(lead, reply, remember);
    }
}

/* All parts were taken: whom the told ones come after is known, and who comes after them. */
static void take_whole(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    sql_placing_take_held(lead);
    for (size_t i = 0; i < jobs->told_count; i++) {
        sql_placing_follow_up(lead, jobs->told[i].job_id, jobs->told[i].removed);
    }
    jobs->told_count = 0;
    dispatch_write_skipped(lead);
    scheduler_forget(lead->scheduler);
}

static void ask(struct lead *lead);

static void load_is_over(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    sql_jobs_callback *loaded = jobs->loaded;
    jobs->loaded = NULL;
    sql_placing_take_held(lead);
    loaded(lead);
}

static void keep_seen(char **place, const char *seen)
{
    free(*place);
    *place = seen != NULL ? xstrdup(seen) : NULL;
}

/* What changes between two parts, the next look tells. True at the end. */
static bool follow_parts(struct sql_jobs *jobs, const struct pg_reply *reply)
{
    size_t count = changes_count(reply);
    bool whole = jobs->seen != NULL && jobs->from == 0;
    if (jobs->first_seen == NULL) {
        keep_seen(&jobs->first_seen, changes_seen(reply));
    }
    if (changes_more(reply)) {
        struct changed_job last = changes_read(reply, count - 1);
        jobs->from = last.memory.job_id;
        keep_seen(&jobs->changed, last.changed);
        jobs->wanted = true;
        return false;
    }
    jobs->last_check = jobs->seen != NULL ? jobs->looks : jobs->last_check;
    free(jobs->seen);
    jobs->seen = jobs->first_seen;
    jobs->first_seen = NULL;
    jobs->from = 0;
    jobs->wanted = jobs->wanted || !whole;
    return true;
}

/* Jobs that the leader does not know yet, and that were edited: their schedules count from later than what is on
 * record; or switched off. What became of one that is gone can wait. */
static void find_behind(struct lead *lead, const struct pg_reply *reply)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    jobs->behind = xrealloc(jobs->behind, changes_count(reply) + 1, sizeof(*jobs->behind));
    jobs->behind_count = 0;
    for (size_t i = 0; i < changes_count(reply); i++) {
        struct changed_job changed = changes_read(reply, i);
        bool edited = changed.memory.cursor < changed.row.since || !changed.row.active;
        if (!changed.removed && edited && sql_placing_find(lead, changed.memory.job_id) == NULL) {
            jobs->behind[jobs->behind_count++] = changed.memory.job_id;
        }
    }
}

static void recorded(struct lead *lead, bool more, size_t ended)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    jobs->nothing_expired = jobs->nothing_expired && ended == 0;
    if (jobs->behind_count == 0) {
        jobs->placing.sweep = jobs->placing.sweep || more;
        dispatch_soon(lead);
    } else if (more) {
        expired_record(lead, jobs->behind, jobs->behind_count, recorded);
    } else {
        ask(lead);
    }
}

static void read_all_again(struct sql_jobs *jobs)
{
    if (jobs->seen != NULL) { /* what went since is not among all: only a look from there tells */
        free(jobs->first_seen);
        jobs->first_seen = jobs->seen;
    }
    jobs->seen = NULL;
    jobs->from = 0;
    jobs->again = false;
    jobs->wanted = true;
}

static void answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    struct sql_jobs *jobs = lead->sql_jobs;
    jobs->asking = false;
    if (lead_refused(lead, reply, "jobs made by SQL could not be read")) {
        return;
    }
    each(lead, reply, check_known);
    if (lead->over) {
        return;
    }
    find_behind(lead, reply);
    jobs->behind_count = jobs->nothing_expired ? 0 : jobs->behind_count;
    jobs->nothing_expired = jobs->asking = jobs->behind_count > 0;
    if (jobs->behind_count > 0) {
        expired_record(lead, jobs->behind, jobs->behind_count, recorded); /* then this is asked for again */
        return;
    }
    jobs->swept = false;
    take_part(lead, reply);
    jobs->answered_at = clock_boot();
    bool over = follow_parts(jobs, reply);
    if (jobs->again && lead->started) {
        read_all_again(jobs);
    }
    if (lead->started) {
        if (over) {
            take_whole(lead);
        }
        if (jobs->placing.channels_changed) {
            listener_follow(lead->listener);
            jobs->placing.channels_changed = false;
        }
        dispatch_soon(lead);
    } else if (over) {
        load_is_over(lead);
    } else {
        ask(lead);
    }
}

static void ask(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    jobs->wanted = false;
    jobs->asking = true;
    jobs->looks += jobs->from == 0;
    changes_ask(&lead->ledger, jobs->seen, jobs->from > 0 ? jobs->changed : NULL, jobs->from, answered, lead);
}

bool sql_jobs_step(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    if (jobs->asking) {
        return true;
    }
    if (lead->reload_writes || expired_busy(lead)) {
        return false;
    }
    bool due = jobs->placing.sweep && jobs->from == 0 && lead->skipped_pending == 0; /* not amid a look */
    if (due && !(jobs->wanted && jobs->swept)) {                                     /* by turns */
        jobs->placing.sweep = false;
        jobs->swept = true;
        expired_record(lead, NULL, 0, recorded);
        return false;
    }
    if (!jobs->wanted) {
        return false;
    }
    duration early = jobs->answered_at + ASK_EVERY - clock_boot();
    if (early > 0) {
        loop_timer_set(jobs->ask_timer, early);
        return false;
    }
    ask(lead);
    return true;
}

bool sql_jobs_asking(const struct lead *lead)
{
    return lead->sql_jobs->asking;
}

bool sql_jobs_idle(const struct lead *lead)
{
    const struct sql_jobs *jobs = lead->sql_jobs;
    return !jobs->asking && !jobs->wanted && !jobs->placing.sweep && !expired_busy(lead) && sql_job_status_idle(lead);
}

void sql_jobs_notified(struct lead *lead)
{
    if (lead->sql_jobs != NULL) {
        lead->sql_jobs->wanted = true;
        dispatch_soon(lead);
    }
}

bool sql_jobs_refetch(struct lead *lead, const struct scheduled *scheduled)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    bool again = jobs->refused_job == scheduled_id(scheduled) && jobs->refused_version == scheduled_version(scheduled);
    if (scheduled_job(scheduled)->origin != JOB_FROM_SQL || (again && jobs->last_check > jobs->refused_check)) {
        return false;
    }
    if (!again) {
        jobs->refused_job = scheduled_id(scheduled);
        jobs->refused_version = scheduled_version(scheduled);
        jobs->refused_check = jobs->looks; /* one under way may have passed it by */
    }
    jobs->wanted = true;
    return true;
}

void sql_jobs_reloaded(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    if (zones_changed(jobs->zones)) {
        zones_destroy(jobs->zones);
        jobs->zones = zones_create();
    }
    read_all_again(jobs);
}

/* Owners may run their jobs that could not, or the other way round. */
static void check_again(struct lead *lead)
{
    if (lead->sql_jobs->asking) {
        lead->sql_jobs->again = true;
    } else {
        read_all_again(lead->sql_jobs);
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Those that somebody had under his hands, or that an earlier leader did not come to. */
static void check_for_done(struct lead *lead)
{
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        sql_job_status_decided(lead, scheduler_at(lead->scheduler, i));
    }
}

static void listened(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "changes of jobs cannot be listened for");
}

static void poll_due(void *data)
{
    struct lead *lead = data;
    if (!lead_waits(lead)) {
        changes_listen(&lead->ledger, listened, lead);
    }
    lead->sql_jobs->placing.sweep = true;
    sql_jobs_notified(lead);
    check_for_done(lead);
    roles_check(lead);
    loop_timer_set(lead->sql_jobs->poll_timer, POLL_EVERY);
}

static void ask_due(void *data)
{
    dispatch_soon(data);
}

/* Those that were read from the configuration. */
static void find_configured(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    jobs->behind_count = scheduler_count(lead->scheduler);
    jobs->behind = xcalloc(jobs->behind_count + 1, sizeof(*jobs->behind));
    for (size_t i = 0; i < jobs->behind_count; i++) {
        jobs->behind[i] = scheduled_id(scheduler_at(lead->scheduler, i));
    }
}

static void zone_followed(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    struct sql_jobs *jobs = lead->sql_jobs;
    if (lead_refused(lead, reply, "the zone that jobs made by SQL follow could not be written")) {
        return;
    }
    find_configured(lead);
    if (jobs->behind_count > 0) {
        expired_record(lead, jobs->behind, jobs->behind_count, recorded);
    } else {
        ask(lead);
    }
}

void sql_jobs_load(struct lead *lead, sql_jobs_callback *loaded)
{
    struct sql_jobs *jobs = xcalloc(1, sizeof(*jobs));
    lead->sql_jobs = jobs;
    lead->sql_placing = &jobs->placing;
    jobs->loaded = loaded;
    lead->roles.changed = check_again;
    jobs->poll_timer = loop_timer_create(lead->loop, poll_due, lead);
    jobs->ask_timer = loop_timer_create(lead->loop, ask_due, lead);
    lead->sql_job_status = sql_job_status_create(lead);
    lead->expired = expired_create();
    jobs->zones = zones_create();
    changes_listen(&lead->ledger, listened, lead);
    changes_follow_zone(&lead->ledger, lead->database->timezone, lead_now(lead), zone_followed, lead);
}

void sql_jobs_start(struct lead *lead)
{
    lead->sql_jobs->placing.sweep = true; /* what is gone */
    check_for_done(lead);
    roles_tell(lead);
    loop_timer_set(lead->sql_jobs->poll_timer, POLL_EVERY);
}

void sql_jobs_destroy(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    if (jobs == NULL) {
        return;
    }
    loop_timer_destroy(jobs->poll_timer);
    loop_timer_destroy(jobs->ask_timer);
    sql_job_status_destroy(lead->sql_job_status);
    lead->sql_job_status = NULL;
    expired_destroy(lead->expired);
    lead->expired = NULL;
    sql_placing_finish(&jobs->placing);
    lead->sql_placing = NULL;
    zones_destroy(jobs->zones);
    free(jobs->seen);
    free(jobs->first_seen);
    free(jobs->changed);
    free(jobs->told);
    free(jobs->behind);
    free(jobs);
    lead->sql_jobs = NULL;
}
