/* SPDX-License-Identifier: PostgreSQL */
#include "report/due_work.h"

#include <stdlib.h>

#include "base/memory.h"
#include "report/finding_list.h"
#include "report/job_slots.h"

#define SECONDS 86400
#define DAY (SECONDS * USEC_PER_SEC)
#define SLOTS_MOST \
    INT64_C(2000000) /* that are looked at: where there are more, the time that is looked ahead is shorter */
#define LATE (60 * USEC_PER_SEC)
#define NOTICED USEC_PER_SEC
#define LONGER_MOST 10

/* Jobs that roles made with SQL have sessions of their own. */
static const char work_sql[] =
    "SELECT f.f[6], nullif(f.f[2], ''), nullif(f.f[3], ''), nullif(f.f[4], ''), NULL, NULL, false, clock_timestamp(),"
    "       NULL, NULL, NULL, false, g.made, g.jobs, g.work, g.longest, g.name"
    "  FROM (SELECT j.calendar, j.origin = 'sql' AND j.owner <> current_user AS made, count(*) AS jobs,"
    "               coalesce(sum(s.typical_us), 0)::bigint AS work,"
    "               coalesce(max(s.typical_us) FILTER (WHERE s.successes >= 5), 0)::bigint AS longest,"
    "               (array_agg(j.name ORDER BY s.typical_us DESC NULLS LAST, j.name))[1] AS name"
    "          FROM chime.job j JOIN chime.job_state s USING (job_id)"
    "         WHERE j.active AND j.schedule <> '' AND j.problem IS NULL AND s.suspended_at IS NULL"
    "           AND j.calendar IS NOT NULL"
    "         GROUP BY 1, 2) AS g"
    "  CROSS JOIN LATERAL (SELECT string_to_array(g.calendar, E'\\x1f') AS f) AS f"
    " ORDER BY g.longest DESC, g.name";
const struct report_statement calendar_work_statement = {"calendar_work", work_sql, 0, NULL};
enum { RESULT_NOW = 7, RESULT_MADE = 12, RESULT_JOBS, RESULT_WORK, RESULT_LONGEST, RESULT_NAME };

struct calendar_work {
    struct schedule schedule;
    bool made;
    size_t jobs;
    duration work;
    duration longest;
    const char *name; /* of the one that takes longest */
    int64_t slots;    /* in a day */
};

struct second {
    size_t jobs;
    duration work;
};

struct due_work {
    struct calendar_work *calendars;
    size_t count;
    struct zones *zones;
    instant now;
    struct second *seconds;
};

void due_work_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_CALENDAR_WORK};
}

static long long number(const struct pg_rows *rows, size_t row, size_t column)
{
    return strtoll(pg_rows_value(rows, row, column), NULL, 10);
}

static void read_calendar(struct due_work *due, const struct pg_rows *rows, size_t row,
                          const struct config_database *database)
{
    struct job_calendar calendar = job_calendar_of_row(rows, row, 0);
    struct calendar_work *work = &due->calendars[due->count];
    if (!instant_parse(pg_rows_value(rows, row, RESULT_NOW), &due->now, NULL) ||
        !job_schedule(&calendar, database, due->zones, &work->schedule, NULL) ||
        (work->schedule.form != SCHEDULE_CRON && work->schedule.form != SCHEDULE_INTERVAL)) {
        return;
    }
    instant last;
    work->made = pg_rows_value(rows, row, RESULT_MADE)[0] == 't';
    work->jobs = (size_t)number(rows, row, RESULT_JOBS);
    work->work = number(rows, row, RESULT_WORK);
    work->longest = number(rows, row, RESULT_LONGEST);
    work->name = pg_rows_value(rows, row, RESULT_NAME);
    work->slots = schedule_count(&work->schedule, due->now, due->now + DAY, SECONDS, &last);
    due->count++;
}

/* Of a schedule with fewer than two slots a day no run is longer than what is between them, or it is told by others. */
static bool is_longer(const struct calendar_work *work)
{
    return work->slots >= 2 && work->longest > DAY / work->slots;
}

static bool add_longer(struct output_list *findings, const struct due_work *due, const char *database)
{
    size_t found = 0;
    for (size_t i = 0; i < due->count && found < LONGER_MOST; i++) {
        const struct calendar_work *work = &due->calendars[i];
        if (is_longer(work)) {
            char *words = xasprintf("job %s takes %.1f s as a rule, and is due %lld times a day: each %.1f s",
                                    work->name, (double)work->longest / USEC_PER_SEC, (long long)work->slots,
                                    (double)SECONDS / (double)work->slots);
            finding_list_add(findings, database, "job-longer", FINDING_WARN, work->name, words,
                             "give it a longer period, or make its text quicker");
            free(words);
            found++;
        }
    }
    return found > 0;
}

static instant end_of_time(const struct due_work *due)
{
    int64_t slots = 1;
    for (size_t i = 0; i < due->count; i++) {
        slots += due->calendars[i].slots;
    }
    return due->now + (slots > SLOTS_MOST ? SECONDS * SLOTS_MOST / slots : SECONDS) * USEC_PER_SEC;
}

static void count_slots(struct due_work *due, const struct calendar_work *work, instant end)
{
    for (instant slot = schedule_next(&work->schedule, due->now); slot < end;
         slot = schedule_next(&work->schedule, slot)) {
        struct second *second = &due->seconds[(slot - due->now) / USEC_PER_SEC];
        second->jobs += work->jobs;
        second->work += work->work;
    }
}

/* When the last of those that are due in a second starts, if each session takes the next one as it is free. */
static duration last_start(const struct second *second, size_t sessions)
{
    return second->jobs <= sessions
               ? 0
               : (duration)((double)second->work * (double)(second->jobs - 1) / (double)(second->jobs * sessions));
}

static bool add_crowded(struct output_list *findings, struct due_work *due, const char *database, bool made,
                        size_t sessions)
{
    size_t worst = 0;
    instant end = end_of_time(due);
    due->seconds = xcalloc(SECONDS + 1, sizeof(*due->seconds));
    for (size_t i = 0; i < due->count; i++) {
        if (due->calendars[i].made == made) {
            count_slots(due, &due->calendars[i], end);
        }
    }
    for (size_t i = 1; i <= SECONDS; i++) {
        worst = last_start(&due->seconds[i], sessions) > last_start(&due->seconds[worst], sessions) ? i : worst;
    }
    duration late = last_start(&due->seconds[worst], sessions);
    if (late >= NOTICED) {
        char at[INSTANT_TEXT_SIZE];
        instant when = due->now + (duration)worst * USEC_PER_SEC;
        instant_format(when - when % USEC_PER_SEC, at);
        char *words = xasprintf("%zu jobs are due at about %s, and %zu sessions run them: by how long they take the "
                                "last starts %lld s later",
                                due->seconds[worst].jobs, at, sessions, (long long)(late / USEC_PER_SEC));
        char *hint = xasprintf("spread their schedules (jitter), or raise %s", made ? "role_sessions" : "pool_size");
        finding_list_add(findings, database, "crowded", late >= LATE ? FINDING_WARN : FINDING_OK, NULL, words, hint);
        free(words);
        free(hint);
    }
    free(due->seconds);
    return late >= LATE;
}

bool due_work_take(struct output_list *findings, const struct pg_rows *rows, const struct config_database *database)
{
    struct due_work due = {.calendars = xcalloc(rows->count + 1, sizeof(*due.calendars)), .zones = zones_create()};
    for (size_t row = 0; row < rows->count; row++) {
        read_calendar(&due, rows, row, database);
    }
    bool warns = add_longer(findings, &due, database->name);
    warns = add_crowded(findings, &due, database->name, false, (size_t)database->pool_size) || warns;
    warns = add_crowded(findings, &due, database->name, true, (size_t)database->role_sessions) || warns;
    zones_destroy(due.zones);
    free(due.calendars);
    return warns;
}
