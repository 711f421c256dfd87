/* SPDX-License-Identifier: PostgreSQL */
#include "cli/due_jobs.h"

#include <stdlib.h>

#include "base/memory.h"
#include "cli/job_slots.h"

static const char calendars_sql[] =
    "SELECT j.name, (SELECT l.since < clock_timestamp() - interval '1 minute' AND chime.led() FROM chime.leader l)," //
    JOB_CALENDAR_COLUMNS " FROM chime.job j JOIN chime.job_status s USING (job_id) WHERE j.active AND j.schedule <> ''";
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

static void take(struct due_jobs *due, const struct visit *visit, const struct pg_rows *rows, size_t row,
                 struct zones *zones)
{
    struct job_calendar calendar = job_calendar_of_row(rows, row, RESULT_CALENDAR);
    const char *led = pg_rows_value(rows, row, RESULT_LED);
    instant next = job_next_slot(&calendar, visit->database, zones);
    instant late = job_late_slot(&calendar, visit->database, zones);
    due->next = next < due->next ? next : due->next;
    if (late != INSTANT_NONE && led != NULL && led[0] == 't') {
        take_late(due, pg_rows_value(rows, row, RESULT_NAME), late);
    }
}

bool due_jobs_read(struct visit *visit, struct due_jobs *due, struct error *err)
{
    struct pg_rows rows;
    *due = (struct due_jobs){.next = INSTANT_NEVER};
    if (!pg_client_query(visit->client, calendars_sql, NULL, 0, &rows, err)) {
        return false;
    }
    struct zones *zones = zones_create();
    for (size_t row = 0; row < rows.count; row++) {
        take(due, visit, &rows, row, zones);
    }
    zones_destroy(zones);
    pg_rows_finish(&rows);
    return true;
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
    error_hint(problem, "pgchime why %s says what it waits for; pgchime jobs --late lists what is late", due->latest);
    return true;
}
