/* SPDX-License-Identifier: PostgreSQL */
#include "report/crowd_list.h"

#include <stdlib.h>

#include "base/memory.h"

#define AHEAD USEC_PER_HOUR
#define SHOWN 20
#define SLOTS_MAX 200000 /* of all schedules; beyond, what is left is not looked at */

static const struct output_column columns[] = {
    {"AT", "at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"JOBS", "jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SESSIONS", "sessions", OUTPUT_INTEGER, OUTPUT_ALWAYS},
};
enum { COLUMN_AT, COLUMN_JOBS, COLUMN_SESSIONS };

static const char sessions_sql[] = "SELECT p.sessions_most FROM chime.pulse p";
const struct report_statement run_sessions_statement = {"run_sessions", sessions_sql, 0, NULL};

struct crowd {
    instant at;
    size_t jobs;
};

struct crowds {
    struct crowd *crowds;
    size_t count;
};

struct output_list *crowd_list_create(void)
{
    return output_create("instants", columns, COUNT_OF(columns));
}

void crowd_list_ask(struct question questions[static CROWD_QUESTIONS])
{
    calendars_ask(&questions[0]);
    questions[1] = (struct question){.id = REPORT_RUN_SESSIONS};
}

static void add(struct crowds *all, instant at, size_t jobs)
{
    if (all->count % 1024 == 0) {
        all->crowds = xrealloc(all->crowds, all->count + 1024, sizeof(struct crowd));
    }
    all->crowds[all->count++] = (struct crowd){.at = at, .jobs = jobs};
}

static void add_slots(struct crowds *all, const struct job_calendars *calendars, const struct config_database *database,
                      struct zones *zones)
{
    struct schedule schedule;
    instant now;
    if (!job_schedule(&calendars->next, database, zones, &schedule, NULL) ||
        !instant_parse(calendars->next.database_now, &now, NULL)) {
        return;
    }
    instant at = job_slots_after(&calendars->next, &schedule);
    while (at < INSTANT_NEVER && all->count < SLOTS_MAX && (at = schedule_next(&schedule, at)) < now + AHEAD) {
        add(all, at, calendars->jobs);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct crowd *a = left;
    const struct crowd *b = right;
    return (a->at > b->at) - (a->at < b->at);
}

static int by_jobs(const void *left, const void *right)
{
    const struct crowd *a = left;
    const struct crowd *b = right;
    return a->jobs != b->jobs ? (a->jobs < b->jobs) - (a->jobs > b->jobs) : by_time(left, right);
}

/* Those of one instant are one. */
static void merge(struct crowds *all)
{
    size_t kept = 0;
    qsort(all->crowds, all->count, sizeof(struct crowd), by_time);
    for (size_t i = 0; i < all->count; i++) {
        if (kept > 0 && all->crowds[kept - 1].at == all->crowds[i].at) {
            all->crowds[kept - 1].jobs += all->crowds[i].jobs;
        } else {
            all->crowds[kept++] = all->crowds[i];
        }
    }
    all->count = kept;
}

void crowd_list_take(struct output_list *list, const struct pg_rows answers[static CROWD_QUESTIONS],
                     const struct config_database *database)
{
    struct zones *zones = zones_create();
    struct crowds all = {NULL, 0};
    const char *sessions = answers[1].count > 0 ? pg_rows_value(&answers[1], 0, 0) : NULL;
    for (size_t row = 0; row < answers[0].count; row++) {
        struct job_calendars calendars = calendars_of_row(&answers[0], row);
        add_slots(&all, &calendars, database, zones);
    }
    zones_destroy(zones);
    if (all.count > 0) {
        merge(&all);
        qsort(all.crowds, all.count, sizeof(struct crowd), by_jobs);
        all.count = all.count < SHOWN ? all.count : SHOWN;
        qsort(all.crowds, all.count, sizeof(struct crowd), by_time);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (all.crowds[i].jobs > 1) {
            output_add_row(list);
            output_set_instant(list, COLUMN_AT, all.crowds[i].at);
            output_set_number(list, COLUMN_JOBS, (int64_t)all.crowds[i].jobs);
            output_set(list, COLUMN_SESSIONS, sessions);
        }
    }
    free(all.crowds);
}
