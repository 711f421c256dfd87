/* SPDX-License-Identifier: PostgreSQL */
#include "report/due_jobs.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/shell.h"
#include "report/job_slots.h"

static void take_late(struct due_jobs *due, const struct job_calendars *calendars, instant slot)
{
    due->late += calendars->jobs;
    if (due->latest == NULL || slot < due->latest_slot) {
        free(due->latest);
        due->latest = xstrdup(calendars->name);
        due->latest_slot = slot;
    }
}

void due_jobs_take(struct due_jobs *due, const struct pg_rows *rows, const struct config_database *database)
{
    struct zones *zones = zones_create();
    *due = (struct due_jobs){.next = INSTANT_NEVER};
    for (size_t row = 0; row < rows->count; row++) {
        struct job_calendars calendars = calendars_of_row(rows, row);
        instant next = job_next_slot(&calendars.next, database, zones);
        instant late = job_late_slot(&calendars.decided, database, zones);
        due->next = next < due->next ? next : due->next;
        if (late != INSTANT_NONE && calendars.led) {
            take_late(due, &calendars, late);
        }
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
