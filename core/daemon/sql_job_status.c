/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/sql_job_status.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "daemon/lead_state.h"
#include "ledger/changes.h"

#define WRITE_EVERY USEC_PER_SEC /* those of many jobs in one statement */
#define WRITE_MAX 5000
#define SLOTS_SHOWN 5                   /* so many are known at any time */
#define SLOTS_AHEAD (30 * USEC_PER_SEC) /* of a job that is due often, more: it is written again once few are left */
#define ONCE_MAX 500

struct sql_job_status {
    struct loop_timer *write_timer;
    bool write_due;
    bool write_pending;
    int64_t once[ONCE_MAX];
    int once_versions[ONCE_MAX];
    size_t once_count;
};

static void problem_noted(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "what is wrong with a job could not be written");
}

void sql_job_status_problem(struct lead *lead, const struct job *job, const struct job_memory *memory,
                            const struct error *err)
{
    char *text = err->hint[0] != '\0' ? xasprintf("%s\nHINT:  %s", err->message, err->hint) : xstrdup(err->message);
    log_warning("job %s is not scheduled: %s", job->name, err->message);
    changes_note_problem(&lead->ledger, memory->job_id, memory->version, text, problem_noted, lead);
    free(text);
}

void sql_job_status_no_problem(struct lead *lead, const struct job_memory *memory)
{
    changes_note_problem(&lead->ledger, memory->job_id, memory->version, NULL, problem_noted, lead);
}

void sql_job_status_decided(struct lead *lead, const struct scheduled *scheduled)
{
    struct sql_job_status *notes = lead->sql_job_status;
    const struct job *job = scheduled_job(scheduled);
    bool once = job->origin == JOB_FROM_SQL && job->schedule.form == SCHEDULE_ONCE && job->active;
    if (once && !scheduled_retired(scheduled) && notes->once_count < ONCE_MAX &&
        schedule_next(&job->schedule, scheduled_cursor(scheduled)) == INSTANT_NEVER) {
        notes->once[notes->once_count] = scheduled_id(scheduled);
        notes->once_versions[notes->once_count++] = scheduled_version(scheduled);
        dispatch_soon(lead);
    }
}

static void once_ended(void *data, const struct pg_reply *reply)
{
    lead_refused(data, reply, "jobs that had their only slot could not be taken away");
}

static void next_noted(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    lead->sql_job_status->write_pending = false;
    lead_refused(lead, reply, "the next slots of jobs could not be written");
}

static struct next_slots next_slots_of(const struct scheduled *scheduled, instant now)
{
    struct next_slots next = {.job_id = scheduled_id(scheduled)};
    instant slot = scheduled_next_slot(scheduled);
    enum schedule_form form = scheduled_job(scheduled)->schedule.form;
    instant ahead = now + SLOTS_AHEAD;
    while (slot != INSTANT_NEVER && next.count < CHANGES_SLOTS && (next.count < SLOTS_SHOWN || slot < ahead)) {
        next.slots[next.count++] = slot;
        slot = form == SCHEDULE_DELAY ? INSTANT_NEVER : schedule_next(&scheduled_job(scheduled)->schedule, slot);
    }
    return next;
}

/* False: what is written of them will do. */
static bool take_next_slots(struct lead *lead, struct scheduled *scheduled, struct next_slots *next)
{
    instant slot = scheduled_next_slot(scheduled);
    if (scheduled_job(scheduled)->origin != JOB_FROM_SQL ||
        (slot != INSTANT_NEVER && slot <= scheduled_noted(scheduled))) {
        return false;
    }
    *next = next_slots_of(scheduled, lead_now(lead));
    scheduled_note_slots(scheduled, next->count > SLOTS_SHOWN ? next->slots[next->count - SLOTS_SHOWN] : INSTANT_NONE);
    return true;
}

static void write_next_slots(struct lead *lead)
{
    struct sql_job_status *notes = lead->sql_job_status;
    struct next_slots *jobs_next = NULL; /* most times there is none to write */
    size_t count = 0;
    size_t capacity = 0;
    struct scheduled *scheduled;
    while (count < WRITE_MAX && (scheduled = scheduler_take_armed(lead->scheduler)) != NULL) {
        if (count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            jobs_next = xrealloc(jobs_next, capacity, sizeof(*jobs_next));
        }
        count += take_next_slots(lead, scheduled, &jobs_next[count]);
    }
    if (count > 0) {
        notes->write_due = false;
        notes->write_pending = true;
        changes_note_next(&lead->ledger, jobs_next, count, next_noted, lead);
        loop_timer_set(notes->write_timer, WRITE_EVERY);
    }
    free(jobs_next);
}

void sql_job_status_write(struct lead *lead)
{
    struct sql_job_status *notes = lead->sql_job_status;
    if (notes->once_count > 0 && !lead->finish_pending && lead->finish_count == 0) {
        changes_note_done(&lead->ledger, notes->once, notes->once_versions, notes->once_count, once_ended, lead);
        notes->once_count = 0;
    }
    if (notes->write_due && !notes->write_pending) {
        write_next_slots(lead);
    }
}

static void write_due(void *data)
{
    struct lead *lead = data;
    lead->sql_job_status->write_due = true;
    dispatch_soon(lead);
}

bool sql_job_status_idle(const struct lead *lead)
{
    return lead->sql_job_status->once_count == 0;
}

struct sql_job_status *sql_job_status_create(struct lead *lead)
{
    struct sql_job_status *notes = xcalloc(1, sizeof(*notes));
    notes->write_due = true;
    notes->write_timer = loop_timer_create(lead->loop, write_due, lead);
    return notes;
}

void sql_job_status_destroy(struct sql_job_status *notes)
{
    if (notes != NULL) {
        loop_timer_destroy(notes->write_timer);
        free(notes);
    }
}
