/* SPDX-License-Identifier: PostgreSQL */
#include "report/calendars.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

struct calendar_choice {
    json_t *calendars;
    char *text;
    char limit[24];
};

/* Of tables j (chime.job), s (chime.job_state) and a (now): when its slots begin. What differs in it is due at another
 * slot. */
#define IS_DELAY "strpos(j.calendar, E'\\x1f@after') > 0"
#define UNTIL "CASE WHEN s.suspended_at IS NOT NULL THEN s.suspended_until END"
#define MOMENT                                                                 \
    "CASE WHEN " IS_DELAY " THEN greatest(s.last_end, s.last_slot, " UNTIL ")" \
    "     WHEN greatest(s.last_slot, " UNTIL ") > a.now"                       \
    "     THEN greatest(s.last_slot, " UNTIL ") END"
#define IS_COUNTED                                        \
    "j.active AND j.schedule <> '' AND j.problem IS NULL" \
    " AND (s.suspended_at IS NULL OR s.suspended_until IS NOT NULL)"

static const char calendars_sql[] =
    "WITH a AS MATERIALIZED ("
    "     SELECT clock_timestamp() AS now, (SELECT l.since < clock_timestamp() - interval '1 minute' AND chime.led()"
    "                                         FROM chime.leader l) AS led),"
    " live AS MATERIALIZED (SELECT DISTINCT r.job_id FROM chime.run r),"
    " g AS MATERIALIZED ("
    "     SELECT j.calendar, " MOMENT " AS moment, a.now, a.led,"
    "            CASE WHEN s.suspended_at IS NULL AND l.job_id IS NULL THEN s.last_slot END AS cursor,"
    "            count(*) AS jobs, min(j.name COLLATE \"C\") AS name, sum(s.typical_us)::bigint AS work"
    "       FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id"
    "       LEFT JOIN live l ON l.job_id = j.job_id CROSS JOIN a"
    "      WHERE " IS_COUNTED " AND j.calendar IS NOT NULL AND NOT (" IS_DELAY " AND l.job_id IS NOT NULL)"
    "      GROUP BY 1, 2, 3, 4, 5)"
    " SELECT g.calendar, g.moment, g.name, g.jobs, g.led, f.f[6], nullif(f.f[2], ''), nullif(f.f[3], ''),"
    "        nullif(f.f[4], ''), CASE WHEN NOT f.delay THEN g.moment END, CASE WHEN f.delay THEN g.moment END, false,"
    "        g.now, NULL, NULL, nullif(f.f[5], ''), f.f[1] <> '', g.cursor, g.work"
    "   FROM g CROSS JOIN LATERAL (SELECT string_to_array(g.calendar, E'\\x1f') AS f,"
    "                                     strpos(g.calendar, E'\\x1f@after') > 0 AS delay) AS f"
    "  ORDER BY g.calendar, g.moment";
const struct report_statement calendars_statement = {"calendars", calendars_sql, 0, NULL};
enum {
    RESULT_KEY,
    RESULT_MOMENT,
    RESULT_NAME,
    RESULT_JOBS,
    RESULT_LED,
    RESULT_CALENDAR,
    RESULT_CURSOR = 17,
    RESULT_WORK
};

/* Each by itself, by the index. */
static const char jobs_sql[] =
    "SELECT c.n - 1, f.name FROM json_array_elements($1::json) WITH ORDINALITY AS c (chosen, n)"
    " CROSS JOIN LATERAL (SELECT (c.chosen ->> 2)::timestamptz AS now) AS a"
    " CROSS JOIN LATERAL (SELECT j.name FROM chime.job j"
    "    JOIN LATERAL (SELECT * FROM chime.job_state s WHERE s.job_id = j.job_id OFFSET 0) AS s ON true"
    "   WHERE " IS_COUNTED " AND j.calendar = c.chosen ->> 0"
    "     AND " MOMENT " IS NOT DISTINCT FROM (c.chosen ->> 1)::timestamptz"
    "     AND NOT (" IS_DELAY " AND EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id))"
    "   ORDER BY j.name LIMIT $2::bigint) AS f ORDER BY c.n, f.name";
static const char *const jobs_examples[][QUESTION_PARAMETERS_MAX] = {
    {"[[\"\\u001fUTC\\u001frun\\u001ffirst\\u001f0s\\u001f0 3 * * *\", null, \"2026-01-01Z\"]]", "10"}, {NULL}};
const struct report_statement calendar_jobs_statement = {"calendar_jobs", jobs_sql, 2, jobs_examples};

static const char active_sql[] = "SELECT " ALL_JOBS_SQL " - " IDLE_JOBS_SQL;
const struct report_statement active_jobs_statement = {"active_jobs", active_sql, 0, NULL};

void calendars_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_CALENDARS};
}

struct job_calendars calendars_of_row(const struct pg_rows *rows, size_t row)
{
    const char *led = pg_rows_value(rows, row, RESULT_LED);
    const char *work = pg_rows_value(rows, row, RESULT_WORK);
    struct job_calendars calendars = {
        .key = pg_rows_value(rows, row, RESULT_KEY),
        .moment = pg_rows_value(rows, row, RESULT_MOMENT),
        .name = pg_rows_value(rows, row, RESULT_NAME),
        .jobs = (size_t)strtoull(pg_rows_value(rows, row, RESULT_JOBS), NULL, 10),
        .led = led != NULL && led[0] == 't',
        .work = work != NULL ? strtoll(work, NULL, 10) : 0,
        .next = job_calendar_of_row(rows, row, RESULT_CALENDAR),
        .decided = job_calendar_of_row(rows, row, RESULT_CALENDAR),
    };
    calendars.decided.last_slot = pg_rows_value(rows, row, RESULT_CURSOR);
    return calendars;
}

struct calendar_choice *calendar_choice_create(void)
{
    struct calendar_choice *choice = xcalloc(1, sizeof(*choice));
    choice->calendars = json_array();
    return choice;
}

void calendar_choice_add(struct calendar_choice *choice, const struct job_calendars *calendars)
{
    json_array_append_new(choice->calendars,
                          json_pack("[s, s?, s]", calendars->key, calendars->moment, calendars->next.database_now));
}

void calendar_choice_destroy(struct calendar_choice *choice)
{
    if (choice != NULL) {
        json_decref(choice->calendars);
        free(choice->text);
        free(choice);
    }
}

static const char *text_of(struct calendar_choice *choice)
{
    free(choice->text);
    choice->text = json_dumps(choice->calendars, JSON_COMPACT);
    return choice->text;
}

void calendar_jobs_ask(struct question *question, struct calendar_choice *choice, size_t limit)
{
    snprintf(choice->limit, sizeof(choice->limit), "%zu", limit);
    *question = (struct question){.id = REPORT_CALENDAR_JOBS, .parameters = {text_of(choice), choice->limit}};
}
