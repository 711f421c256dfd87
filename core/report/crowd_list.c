/* SPDX-License-Identifier: PostgreSQL */
#include "report/crowd_list.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

#define AHEAD USEC_PER_HOUR
#define SHOWN 20
#define SLOTS_MAX 200000  /* of all schedules; beyond, what is left is not looked at */
#define STARTS_MAX 500000 /* that are foretold; of later ones it is not known how late they would be */
#define SESSIONS_MAX 10000

static const struct output_column columns[] = {
    {"AT", "at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"JOBS", "jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SESSIONS", "sessions", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"WORK", "work_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"LAST STARTS", "late_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
};
enum { COLUMN_AT, COLUMN_JOBS, COLUMN_SESSIONS, COLUMN_WORK, COLUMN_LATE };

static const char sessions_sql[] = "SELECT p.sessions_most FROM chime.pulse p";
const struct report_statement run_sessions_statement = {"run_sessions", sessions_sql, 0, NULL};

struct crowd {
    instant at;
    size_t jobs;
    duration work; /* of all sessions */
    duration late; /* of the last one to start; -1: not known */
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

static void add(struct crowds *all, instant at, const struct job_calendars *calendars)
{
    if (all->count % 1024 == 0) {
        all->crowds = xrealloc(all->crowds, all->count + 1024, sizeof(struct crowd));
    }
    all->crowds[all->count++] = (struct crowd){.at = at, .jobs = calendars->jobs, .work = calendars->work, .late = -1};
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
        add(all, at, calendars);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct crowd *a = left;
    const struct crowd *b = right;
    return (a->at > b->at) - (a->at < b->at);
}

/* Where somebody waits longest; among those that start at once, where most are due. */
static int by_lateness(const void *left, const void *right)
{
    const struct crowd *a = left;
    const struct crowd *b = right;
    if (a->late != b->late) {
        return (a->late < b->late) - (a->late > b->late);
    }
    return a->jobs != b->jobs ? (a->jobs < b->jobs) - (a->jobs > b->jobs) : by_time(left, right);
}

static duration longer(duration one, duration other)
{
    return one > other ? one : other;
}

/* Those of one instant, which come one after the other, are one. */
static void merge(struct crowds *all)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (kept > 0 && all->crowds[kept - 1].at == all->crowds[i].at) {
            all->crowds[kept - 1].jobs += all->crowds[i].jobs;
            all->crowds[kept - 1].work += all->crowds[i].work;
            all->crowds[kept - 1].late = longer(all->crowds[kept - 1].late, all->crowds[i].late);
        } else {
            all->crowds[kept++] = all->crowds[i];
        }
    }
    all->count = kept;
}

/* When each session is free next, the earliest first: a heap. */
struct sessions {
    instant *free_at;
    size_t count;
};

static void take_session(struct sessions *sessions, instant until)
{
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < sessions->count && sessions->free_at[child + 1] < sessions->free_at[child]) {
            child++;
        }
        if (child >= sessions->count || sessions->free_at[child] >= until) {
            break;
        }
        sessions->free_at[place] = sessions->free_at[child];
        place = child;
    }
    sessions->free_at[place] = until;
}

/* Of jobs of one schedule and instant, each of which takes as long as they do on an average. */
static void start_all(struct crowd *crowd, struct sessions *sessions)
{
    duration each = crowd->work / (duration)crowd->jobs;
    instant start = crowd->at;
    for (size_t i = 0; i < crowd->jobs; i++) {
        start = sessions->free_at[0] > crowd->at ? sessions->free_at[0] : crowd->at;
        take_session(sessions, start + each);
    }
    crowd->late = start - crowd->at;
}

/* In order of time. Each session takes the next job as it is free. */
static void foretell(struct crowds *all, size_t count)
{
    struct sessions sessions = {.count = count < SESSIONS_MAX ? count : SESSIONS_MAX};
    size_t starts = 0;
    sessions.free_at = xcalloc(sessions.count, sizeof(*sessions.free_at));
    for (size_t i = 0; i < sessions.count; i++) {
        sessions.free_at[i] = INSTANT_NONE;
    }
    for (size_t i = 0; i < all->count && (starts += all->crowds[i].jobs) <= STARTS_MAX; i++) {
        start_all(&all->crowds[i], &sessions);
    }
    free(sessions.free_at);
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
        int64_t number = 0;
        qsort(all.crowds, all.count, sizeof(struct crowd), by_time);
        if (sessions != NULL && parse_int64(sessions, 1, INT32_MAX, &number)) {
            foretell(&all, (size_t)number);
        }
        merge(&all);
        qsort(all.crowds, all.count, sizeof(struct crowd), by_lateness);
        all.count = all.count < SHOWN ? all.count : SHOWN;
        qsort(all.crowds, all.count, sizeof(struct crowd), by_time);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (all.crowds[i].jobs > 1 || all.crowds[i].late > 0) {
            output_add_row(list);
            output_set_instant(list, COLUMN_AT, all.crowds[i].at);
            output_set_number(list, COLUMN_JOBS, (int64_t)all.crowds[i].jobs);
            output_set(list, COLUMN_SESSIONS, sessions);
            output_set_number(list, COLUMN_WORK, all.crowds[i].work);
            if (all.crowds[i].late >= 0) {
                output_set_number(list, COLUMN_LATE, all.crowds[i].late);
            }
        }
    }
    free(all.crowds);
}
