#include "daemon/sql_former.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "daemon/sql_jobs.h"
#include "ledger/changes.h"

/* @reboot has the start of the server; a delay is due once, after the end of the last run, and stays so until it runs. */
static void count_slots(struct former_schedule *former, const struct schedule *schedule, instant server_start)
{
    bool reboot = schedule->form == SCHEDULE_REBOOT;
    bool delay = schedule->form == SCHEDULE_DELAY;
    instant after = delay && former->last_end > former->cursor ? former->last_end : former->cursor;
    former->first = reboot && server_start > after ? server_start : schedule_next(schedule, after);
    former->last = former->first;
    former->count = former->first <= former->until;
    if (former->count > 0 && !reboot && !delay) {
        former->count = schedule_count(schedule, after, former->until, INT64_MAX, &former->last);
    }
}

/* One that could not be scheduled had no slots. */
static void look_at(const struct lead *lead, struct zones *zones, struct former_schedule *former)
{
    struct error err = {.kind = ERROR_NONE};
    former->row.since = former->cursor;
    former->row.active = true;
    struct job *job = sql_job_make(&former->row, lead->database, zones, &err);
    if (err.kind == ERROR_NONE) {
        count_slots(former, &job->schedule, lead->server_start);
    }
    if (former->count > 0) {
        log_info("job %s: %lld slots of a schedule that ended while nothing led are recorded as missed", job->name,
                 (long long)former->count);
    } else {
        former->first = former->last = INSTANT_NONE;
    }
    job_free(job);
}

static void ended(void *data, const struct pg_reply *reply)
{
    if (!lead_refused(data, reply, "schedules that ended could not be put on record")) {
        sql_former_record(data);
    }
}

static void begun(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "the schedules of jobs could not be begun")) {
        return;
    }
    if (changes_former_left(reply)) { /* an edit since then */
        sql_former_record(lead);
    } else {
        sql_jobs_recorded(lead);
    }
}

static void answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead_refused(lead, reply, "schedules that ended could not be read")) {
        return;
    }
    size_t count = pg_reply_rows(reply, 0);
    if (count == 0) {
        changes_restart(&lead->ledger, NULL, NULL, 0, begun, lead);
        return;
    }
    struct former_schedule *all = xcalloc(count, sizeof *all);
    struct zones *zones = zones_create();
    for (size_t i = 0; i < count; i++) {
        all[i] = changes_read_former(reply, i);
        if (i > 0 && all[i].job_id == all[i - 1].job_id && all[i].cursor < all[i - 1].until) {
            all[i].cursor = all[i - 1].until;
        }
        look_at(lead, zones, &all[i]);
    }
    changes_end_former(&lead->ledger, all, count, ended, lead);
    zones_destroy(zones);
    free(all);
}

void sql_former_record(struct lead *lead)
{
    changes_ask_former(&lead->ledger, answered, lead);
}

bool sql_former_is_behind(const struct pg_reply *reply)
{
    bool behind = false;
    for (size_t i = 0; i < changes_count(reply) && !behind; i++) {
        struct changed_job changed = changes_read(reply, i);
        behind = changed.memory.cursor < changed.row.since;
    }
    return behind;
}
