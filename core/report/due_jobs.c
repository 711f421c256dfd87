/* SPDX-License-Identifier: PostgreSQL */
#include "report/due_jobs.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/shell.h"
#include "report/job_slots.h"

static const char calendars_sql[] =
    "SELECT j.name, (SELECT l.since < clock_timestamp() - interval '1 minute' AND chime.led() FROM chime.leader l)," //
    JOB_CALENDAR_COLUMNS " FROM chime.job j JOIN chime.job_status s USING (job_id) WHERE j.active AND j.schedule <> ''";
const struct report_statement due_jobs_statement = {"due_jobs", calendars_sql, 0, NULL};
enum { RESULT_NAME, RESULT_LED, RESULT_CALENDAR };

static void take_late(struct due_jobs *due, const char *name, instant slot)
{
    due->late++;
    if (due->latest == NULL || slot < due->latest_slot) {
        free(due->latest);
        due->latest = xstrdup(name);
        due->latest_slot = slot;
    }
}

static void take(struct due_jobs *due, const struct config_database *database, const struct pg_rows *rows, size_t row,
                 struct zones *zones)
{
    struct job_calendar calendar = job_calendar_of_row(rows, row, RESULT_CALENDAR);
    const char *led = pg_rows_value(rows, row, RESULT_LED);
    instant next = job_next_slot(&calendar, database, zones);
    instant late = job_late_slot(&calendar, database, zones);
    due->next = next < due->next ? next : due->next;
    if (late != INSTANT_NONE && led != NULL && led[0] == 't') {
        take_late(due, pg_rows_value(rows, row, RESULT_NAME), late);
    }
}

void due_jobs_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_DUE_JOBS};
}

void due_jobs_take(struct due_jobs *due, const struct pg_rows *rows, const struct config_database *database)
{
    struct zones *zones = zones_create();
    *due = (struct due_jobs){.next = INSTANT_NEVER};
    for (size_t row = 0; row < rows->count; row++) {
        take(due, database, rows, row, zones);
    }
    zones_destroy(zones);
}

void due_jobs_finish(struct due_jobs *due)
{
    free(due->latest);
    due->latest = NULL;
}

bool due_jobs_are_late(const struct due_jobs *due, struct error *problem)
{
    char slot[INSTANT_TEXT_SIZE];
    if (due->late == 0) {
        return false;
    }
    instant_format(due->latest_slot - due->latest_slot % USEC_PER_SEC, slot);
    if (due->late == 1) {
        error_set(problem, ERROR_FAILED, "job %s is late: its slot of %s has not started", due->latest, slot);
    } else {
        error_set(problem, ERROR_FAILED, "%zu jobs are late, %s most: its slot of %s has not started", due->late,
                  due->latest, slot);
    }
    char *job = shell_word(due->latest);
    error_hint(problem, "pgchime why %s says what it waits for; pgchime jobs --late lists what is late", job);
    free(job);
    return true;
}
