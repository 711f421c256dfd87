#include "daemon/sql_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "catalog/sql_job.h"
#include "daemon/lead_state.h"
#include "daemon/sql_waiting.h"
#include "daemon/watch.h"
#include "ledger/changes.h"

#define POLL_EVERY (10 * USEC_PER_SEC) /* for a notification that never came */
#define ASK_EVERY (5 * USEC_PER_MSEC)  /* claims go on between two looks, however many edits there are */
#define HEARD_LATE (5 * USEC_PER_SEC)  /* what was due longer before the leader heard of the schedule does not run */

struct sql_jobs {
    struct zones **zones; /* the last are in force; the others may still be those of a run */
    size_t zones_count;
    char *seen;       /* what is known already; NULL: all jobs are to be asked for */
    char *first_seen; /* of the first part of all */
    int64_t from;     /* where the next part of all begins */
    bool wanted;
    bool asking;
    bool channels_changed;
    uint64_t answers;
    instant answered_at;
    sql_jobs_callback *loaded; /* until it was called */
    struct sql_waiting waiting;
    struct loop_timer *poll_timer;
    struct loop_timer *ask_timer;
    int64_t refused_job; /* the last claim that was refused, and what had been answered then */
    int refused_version;
    uint64_t refused_answers;
};

/* --- what is written back ---------------------------------------------------------------------------------------------- */

static void problem_noted(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "what is wrong with a job could not be written");
}

static void note_problem(struct lead *lead, const struct job *job, const struct job_memory *memory,
                         const struct error *err)
{
    char *text = err->hint[0] != '\0' ? xasprintf("%s\nHINT:  %s", err->message, err->hint) : xstrdup(err->message);
    log_warning("job %s is not scheduled: %s", job->name, err->message);
    changes_note_problem(&lead->ledger, memory->job_id, memory->version, text, problem_noted, lead);
    free(text);
}

static void clear_problem(struct lead *lead, const struct job_memory *memory)
{
    changes_note_problem(&lead->ledger, memory->job_id, memory->version, NULL, problem_noted, lead);
}

/* --- what was due by an old definition --------------------------------------------------------------------------------- */

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
    dispatch_write_passes(lead);
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

/* From where it says, and never from before what is on record. */
static void restart(struct lead *lead, const struct scheduled *known, const struct job *job, struct job_memory *memory)
{
    instant on_record = known != NULL ? later(memory->cursor, scheduled_cursor(known)) : memory->cursor;
    instant start = later(on_record, job->since);
    if (start > memory->cursor) {
        changes_restart(&lead->ledger, &memory->job_id, &start, 1, restarted, lead);
    }
    memory->cursor = start;
    memory->cursor_skipped = false;
}

/* --- into the schedule --------------------------------------------------------------------------------------------------- */

static struct scheduled *find(const struct lead *lead, int64_t job_id)
{
    return lead->started ? scheduler_find(lead->scheduler, job_id) : NULL;
}

static void note_channels(struct lead *lead, const struct job *job)
{
    lead->sql_jobs->channels_changed = lead->sql_jobs->channels_changed || job->on_count > 0;
}

/* Whatever its catchup: it is not to make up for what was due more than `grace` ago. */
static void miss(struct lead *lead, struct scheduled *known, const char *reason, duration grace)
{
    instant now = lead_now(lead);
    scheduler_miss(lead->scheduler, known, reason, now - grace, now);
}

/* Takes the job over. */
static void put(struct lead *lead, struct job *job, const struct job_memory *read)
{
    struct scheduled *known = find(lead, read->job_id);
    struct job_memory memory = *read;
    bool anew = lead->started && restarts(known, job);
    bool mended = known != NULL && scheduled_job(known)->refused && !job->refused && !anew;
    if (known != NULL) {
        note_channels(lead, scheduled_job(known));
        if (!scheduled_retired(known) && (anew || (scheduled_job(known)->active && !job->active))) {
            withdraw(lead, known, job);
        }
        dispatch_own_job(lead, known);
    }
    if (anew) {
        restart(lead, known, job, &memory);
    }
    note_channels(lead, job);
    known = scheduler_put(lead->scheduler, job, &memory, lead_now(lead));
    if (anew) { /* whoever wrote it may have been long about committing that */
        miss(lead, known, "the leader heard of its schedule only later", HEARD_LATE);
    } else if (mended) {
        miss(lead, known, "it could not be scheduled until now", 0);
    }
}

static void take_aside(struct lead *lead, struct job *job, const struct job_memory *memory, const char *missing)
{
    struct error err = {.kind = ERROR_NONE};
    error_set(&err, ERROR_CONFIG, "it comes after \"%.200s\", which is not there", missing);
    error_hint(&err, "it is scheduled as soon as that is");
    note_problem(lead, job, memory, &err);
    put(lead, sql_job_refused(job), memory);
    sql_waiting_add(&lead->sql_jobs->waiting, job, memory, missing);
}

/* NULL: all are there. */
static const char *missing_upstream(const struct lead *lead, const struct job *job)
{
    for (size_t i = 0; i < job->after_count; i++) {
        if (strcmp(job->after[i], job->name) != 0 && scheduler_find_named(lead->scheduler, job->after[i]) == NULL) {
            return job->after[i];
        }
    }
    return NULL;
}

static bool would_cycle(struct lead *lead, const struct job *job, const struct job_memory *memory, struct error *err)
{
    const struct scheduled *known = find(lead, memory->job_id);
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

static void wake_waiting(struct lead *lead, const char *name);

/* Takes the job over, which has no fault of its own. At the load nobody is put before those it comes after. */
static void place(struct lead *lead, struct job *job, const struct job_memory *memory, bool has_problem)
{
    struct error err = {.kind = ERROR_NONE};
    const char *missing = missing_upstream(lead, job);
    if (missing != NULL) {
        if (lead->started) {
            take_aside(lead, job, memory, missing);
        } else {
            sql_waiting_add(&lead->sql_jobs->waiting, job, memory, missing);
        }
        return;
    }
    if (would_cycle(lead, job, memory, &err)) {
        note_problem(lead, job, memory, &err);
        put(lead, sql_job_refused(job), memory);
        job_free(job);
        return;
    }
    if (has_problem) {
        clear_problem(lead, memory);
    }
    char *name = xstrdup(job->name);
    put(lead, job, memory);
    wake_waiting(lead, name);
    free(name);
}

static void wake_waiting(struct lead *lead, const char *name)
{
    struct sql_waiting_job waiting;
    while (sql_waiting_take(&lead->sql_jobs->waiting, name, &waiting)) {
        place(lead, waiting.job, &waiting.memory, lead->started);
    }
}

/* --- going ----------------------------------------------------------------------------------------------------------------- */

static struct job_memory memory_of(const struct scheduled *scheduled)
{
    return (struct job_memory){.job_id = scheduled_id(scheduled),
                               .version = scheduled_version(scheduled),
                               .cursor = scheduled_cursor(scheduled),
                               .outcome_at = INSTANT_NONE,
                               .last_end = INSTANT_NONE};
}

/* Those that come after a job that goes. */
static void take_downstream_aside(struct lead *lead, const struct scheduled *upstream)
{
    while (scheduled_downstream_count(upstream) > 0) {
        struct scheduled *it = scheduled_downstream(upstream, 0);
        struct job_memory memory = memory_of(it);
        struct job *job = job_copy(scheduled_job(it));
        job->schedule.zone = scheduled_job(it)->schedule.zone;
        take_aside(lead, job, &memory, scheduled_job(upstream)->name);
    }
}

static void take_away(struct lead *lead, struct scheduled *known)
{
    if (scheduled_retired(known)) {
        return;
    }
    note_channels(lead, scheduled_job(known));
    take_downstream_aside(lead, known);
    withdraw(lead, known, NULL);
    dispatch_own_job(lead, known);
    scheduler_remove(lead->scheduler, known);
}

void sql_jobs_before_relink(struct lead *lead)
{
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        struct scheduled *it = scheduler_at(lead->scheduler, i);
        for (size_t n = scheduled_retired(it) ? scheduled_downstream_count(it) : 0; n-- > 0;) {
            struct scheduled *after = scheduled_downstream(it, n);
            if (scheduled_job(after)->origin == JOB_FROM_SQL) {
                struct job_memory memory = memory_of(after);
                struct job *job = job_copy(scheduled_job(after));
                job->schedule.zone = scheduled_job(after)->schedule.zone;
                take_aside(lead, job, &memory, scheduled_job(it)->name);
            }
        }
    }
}

/* --- asking ---------------------------------------------------------------------------------------------------------------- */

static struct zones *zones_of(const struct lead *lead)
{
    return lead->sql_jobs->zones[lead->sql_jobs->zones_count - 1];
}

static void add_zones(struct sql_jobs *jobs)
{
    jobs->zones = xrealloc(jobs->zones, jobs->zones_count + 1, sizeof *jobs->zones);
    jobs->zones[jobs->zones_count++] = zones_create();
}

static void take(struct lead *lead, const struct changed_job *changed)
{
    struct error err = {.kind = ERROR_NONE};
    struct scheduled *known = find(lead, changed->memory.job_id);
    sql_waiting_forget(&lead->sql_jobs->waiting, changed->memory.job_id);
    if (changed->removed) {
        if (known != NULL) {
            take_away(lead, known);
        }
        return;
    }
    struct job *job = sql_job_make(&changed->row, lead->database, zones_of(lead), &err);
    if (err.kind == ERROR_NONE) {
        place(lead, job, &changed->memory, changed->has_problem);
        return;
    }
    char *name = xstrdup(job->name);
    note_problem(lead, job, &changed->memory, &err);
    put(lead, job, &changed->memory);
    wake_waiting(lead, name); /* it is there, if only to be mended */
    free(name);
}

static void ask(struct lead *lead);

static void load_is_over(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    sql_jobs_callback *loaded = jobs->loaded;
    struct sql_waiting_job waiting;
    jobs->loaded = NULL;
    struct sql_waiting rest = jobs->waiting;
    jobs->waiting = (struct sql_waiting){0};
    while (sql_waiting_take(&rest, NULL, &waiting)) {
        take_aside(lead, waiting.job, &waiting.memory, waiting.missing);
    }
    sql_waiting_finish(&rest);
    loaded(lead);
}

static void keep_seen(char **place, const char *seen)
{
    free(*place);
    *place = seen != NULL ? xstrdup(seen) : NULL;
}

/* Of all jobs: the next part, or from now on only changes. True at the end. */
static bool follow_parts(struct sql_jobs *jobs, const struct pg_reply *reply)
{
    size_t count = changes_count(reply);
    if (jobs->first_seen == NULL) {
        keep_seen(&jobs->first_seen, changes_seen(reply));
    }
    if (count == CHANGES_PART) {
        jobs->from = changes_read(reply, count - 1).memory.job_id;
        jobs->wanted = true;
        return false;
    }
    jobs->seen = jobs->first_seen;
    jobs->first_seen = NULL;
    jobs->from = 0;
    jobs->wanted = true; /* what changed between the parts */
    return true;
}

static void answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    struct sql_jobs *jobs = lead->sql_jobs;
    bool all = jobs->seen == NULL;
    jobs->asking = false;
    if (lead_refused(lead, reply, "jobs made by SQL could not be read")) {
        return;
    }
    for (size_t i = 0; i < changes_count(reply); i++) {
        struct changed_job changed = changes_read(reply, i);
        take(lead, &changed);
    }
    jobs->answers++;
    jobs->answered_at = clock_boot();
    bool over = true;
    if (all) {
        over = follow_parts(jobs, reply);
    } else {
        keep_seen(&jobs->seen, changes_seen(reply));
    }
    if (lead->started) {
        scheduler_forget(lead->scheduler);
        if (jobs->channels_changed) {
            watch_follow(lead->watch);
            jobs->channels_changed = false;
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
    changes_ask(&lead->ledger, jobs->seen, jobs->from, answered, lead);
}

bool sql_jobs_step(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    if (jobs->asking) {
        return true;
    }
    if (!jobs->wanted || swap_writes(lead)) {
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

bool sql_jobs_settled(const struct lead *lead)
{
    const struct sql_jobs *jobs = lead->sql_jobs;
    return !jobs->asking && !jobs->wanted && sql_notes_settled(lead);
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
    if (scheduled_job(scheduled)->origin != JOB_FROM_SQL || (again && jobs->answers > jobs->refused_answers)) {
        return false;
    }
    if (!again) {
        jobs->refused_job = scheduled_id(scheduled);
        jobs->refused_version = scheduled_version(scheduled);
        jobs->refused_answers = jobs->answers;
    }
    jobs->wanted = true;
    return true;
}

void sql_jobs_reloaded(struct lead *lead)
{
    struct sql_jobs *jobs = lead->sql_jobs;
    if (zones_changed(zones_of(lead))) {
        add_zones(jobs);
    }
    free(jobs->seen);
    free(jobs->first_seen);
    jobs->seen = jobs->first_seen = NULL;
    jobs->from = 0;
    jobs->wanted = true;
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

/* Those that somebody had under his hands, or that an earlier leader did not come to. */
static void look_for_done(struct lead *lead)
{
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        sql_notes_decided(lead, scheduler_at(lead->scheduler, i));
    }
}

static void listened(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "changes of jobs cannot be listened for");
}

static void poll_due(void *data)
{
    struct lead *lead = data;
    changes_listen(&lead->ledger, listened, lead);
    sql_jobs_notified(lead);
    look_for_done(lead);
    roles_look(lead);
    loop_timer_set(lead->sql_jobs->poll_timer, POLL_EVERY);
}

static void ask_due(void *data)
{
    dispatch_soon(data);
}

void sql_jobs_load(struct lead *lead, sql_jobs_callback *loaded)
{
    struct sql_jobs *jobs = xcalloc(1, sizeof *jobs);
    lead->sql_jobs = jobs;
    jobs->loaded = loaded;
    jobs->poll_timer = loop_timer_create(lead->loop, poll_due, lead);
    jobs->ask_timer = loop_timer_create(lead->loop, ask_due, lead);
    lead->sql_notes = sql_notes_create(lead);
    add_zones(jobs);
    changes_restart(&lead->ledger, NULL, NULL, 0, restarted, lead);
    changes_listen(&lead->ledger, listened, lead);
    ask(lead);
}

void sql_jobs_start(struct lead *lead)
{
    look_for_done(lead);
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
    sql_notes_destroy(lead->sql_notes);
    lead->sql_notes = NULL;
    sql_waiting_finish(&jobs->waiting);
    for (size_t i = 0; i < jobs->zones_count; i++) {
        zones_destroy(jobs->zones[i]);
    }
    free(jobs->zones);
    free(jobs->seen);
    free(jobs->first_seen);
    free(jobs);
    lead->sql_jobs = NULL;
}
