/* SPDX-License-Identifier: PostgreSQL */
#include "report/job_list.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "report/job_options.h"
#include "report/job_slots.h"
#include "report/wake_words.h"

#define PAGE_ROWS 1000 /* of one question */

static const struct output_column columns[] = {
    {"NAME", "name", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEDULE", NULL, OUTPUT_LONG, OUTPUT_ALWAYS},
    {NULL, "schedule", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"NEXT", "next_slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"LAST START", "last_started_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"DURATION", "last_duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"FAILURES", "consecutive_failures", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ACTIVE", "active", OUTPUT_BOOLEAN, OUTPUT_WIDER},
    {"ORIGIN", "origin", OUTPUT_TEXT, OUTPUT_WIDER},
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_WIDER},
    {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_WIDER},
    {"LAST OUTCOME", "last_state", OUTPUT_STATE, OUTPUT_WIDER},
    {"LAST SLOT", "last_slot", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"LAST SUCCESS", "last_succeeded_at", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"LAST END", "last_finished_at", OUTPUT_INSTANT, OUTPUT_VERTICAL},
    {"LIVE", "live", OUTPUT_BOOLEAN, OUTPUT_VERTICAL},
    {"AFTER", "after", OUTPUT_DATA, OUTPUT_WIDER},
    {"BEFORE", "downstream", OUTPUT_DATA, OUTPUT_VERTICAL},
    {"ON", "on", OUTPUT_DATA, OUTPUT_WIDER},
    {"VIEWS", "views", OUTPUT_DATA, OUTPUT_WIDER},
    {"COMMAND", "command", OUTPUT_TEXT, OUTPUT_VERTICAL},
    {NULL, "options", OUTPUT_DATA, OUTPUT_ALWAYS},
    {"OPTIONS", NULL, OUTPUT_TEXT, OUTPUT_VERTICAL},
    {"DEFAULTS", NULL, OUTPUT_TEXT, OUTPUT_VERTICAL},
    {"VERSION", "version", OUTPUT_INTEGER, OUTPUT_VERTICAL},
    {"CREATED", "created_at", OUTPUT_INSTANT, OUTPUT_VERTICAL},
    {"CHANGED", "updated_at", OUTPUT_INSTANT, OUTPUT_VERTICAL},
};
enum {
    COLUMN_NAME,
    COLUMN_SHOWN = 2,
    COLUMN_SCHEDULE,
    COLUMN_NEXT,
    COLUMN_VIEWS = 21,
    COLUMN_COMMAND,
    COLUMN_OPTIONS,
    COLUMN_CHOSEN,
    COLUMN_STANDARD
};

#define STATE_SQL                                                                                                  \
    "       CASE WHEN j.removed_at IS NOT NULL THEN 'removed' WHEN NOT j.active THEN 'disabled'"                   \
    "            WHEN s.suspended_at IS NOT NULL THEN 'suspended'"                                                 \
    "            ELSE coalesce((SELECT CASE WHEN r.pid IS NULL THEN 'waiting' ELSE 'running' END FROM chime.run r" \
    "                           WHERE r.job_id = j.job_id ORDER BY r.pid NULLS LAST LIMIT 1),"                     \
    "                          CASE WHEN s.consecutive_failures > 0 OR j.problem IS NOT NULL THEN 'failing'"       \
    "                               WHEN (SELECT k.skipped_in_a_row FROM chime.job_state k"                        \
    "                                     WHERE k.job_id = j.job_id) > 0 THEN 'skipped' ELSE 'ok' END) END"

/* $2: a name; $3: a plugin; $4: removed ones, too; $5: those behind that name; $6, $7: that fail, are suspended; $9: a
 * part of the name; $10, $11: owner and origin; $12: a state. */
#define CHOSEN                                                                                                        \
    "CASE WHEN $2::text IS NOT NULL THEN j.name = $2 ELSE j.removed_at IS NULL OR $4::boolean END"                    \
    " AND ($3::text IS NULL OR j.plugin = $3) AND ($5::text IS NULL OR j.name > $5)"                                  \
    " AND ($9::text IS NULL OR position(lower($9) IN lower(j.name)) > 0)"                                             \
    " AND ($10::text IS NULL OR j.owner = $10) AND ($11::text IS NULL OR j.origin = $11)"                             \
    " AND (NOT $6::boolean AND NOT $7::boolean"                                                                       \
    "      OR $6::boolean AND j.job_id IN (SELECT f.job_id FROM chime.job_state f WHERE f.consecutive_failures > 0"   \
    "                                      UNION SELECT f.job_id FROM chime.job f WHERE f.problem IS NOT NULL)"       \
    "      OR $7::boolean AND j.job_id IN (SELECT f.job_id FROM chime.job_state f WHERE f.suspended_at IS NOT NULL))" \
    " AND ($12::text IS NULL"                                                                                         \
    "      OR ($12 NOT IN ('disabled', 'removed') OR NOT j.active)"                                                   \
    "         AND ($12 NOT IN ('running', 'waiting') OR j.job_id IN (SELECT f.job_id FROM chime.run f))"              \
    "         AND (SELECT " STATE_SQL " FROM chime.job_status s WHERE s.job_id = j.job_id) = $12)"

/* The columns above, then the wakers and the calendar. A job that nothing was decided for has a cursor, which is no
 * slot. */
static const char jobs_sql[] =
    "SELECT j.name, $1::text, NULL, j.schedule, NULL," STATE_SQL ","
    "       s.last_start, s.last_duration_us, s.consecutive_failures, j.active, j.origin, j.plugin, j.owner,"
    "       s.last_outcome, CASE WHEN s.live OR s.runs + s.skips > 0 OR (SELECT true FROM chime.missed m"
    "                                    WHERE m.job_id = j.job_id LIMIT 1) THEN s.last_slot END, s.last_success, "
    "s.last_end, "
    "s.live, to_json(j.after), coalesce((SELECT json_agg(d.name ORDER BY d.name) FROM " FIRST_DOWNSTREAMS
    "), '[]'), to_json(j.channels), "
    "to_json(j.views),"
    "       nullif(j.command, ''), j.options, NULL, NULL, j.version, j.created_at, j.updated_at,"
    "       s.consecutive_failures > 0 OR j.problem IS NOT NULL," WAKERS_COLUMNS "," JOB_CALENDAR_COLUMNS
    "  FROM (SELECT * FROM chime.job j WHERE " CHOSEN
    "         ORDER BY j.name FETCH FIRST ($8::bigint) ROWS WITH TIES) j JOIN chime.job_status s USING (job_id)"
    " ORDER BY j.name, j.owner";
static const char *const examples[][QUESTION_PARAMETERS_MAX] = {
    {"main", NULL, NULL, "f", NULL, "f", "f", "1000"},
    {"main", "example", NULL, "f", NULL, "f", "f", "1000"},
    {"main", NULL, "example", "t", "example", "f", "f", "20"},
    {"main", NULL, NULL, "f", NULL, "t", "t", "20"},
    {"main", NULL, NULL, "f", NULL, "f", "f", "100", "EXA", "app", "config", "ok"},
    {"main", NULL, NULL, "f", NULL, "t", "f", "100", NULL, NULL, NULL, "failing"},
    {NULL}};
const struct report_statement jobs_statement = {"jobs", jobs_sql, 12, examples};

static const char count_sql[] = "SELECT count(*) FROM chime.job j WHERE j.active AND " CHOSEN
                                " AND $1::text IS NOT NULL AND coalesce($8::bigint, 0) IS NOT NULL";
static const char *const count_examples[][QUESTION_PARAMETERS_MAX] = {
    {"main", NULL, NULL, "f", "example", "f", "f"}, {"main", NULL, NULL, "f", "example", "t", "f"}, {NULL}};
const struct report_statement job_count_statement = {"job_count", count_sql, 12, count_examples};

static const char numbers_sql[] =
    "SELECT j.job_id FROM chime.job j JOIN chime.job_status s USING (job_id)"
    " WHERE j.active AND j.removed_at IS NULL AND position(lower($1::text) IN lower(j.name)) > 0"
    "   AND ($2::text IS NULL OR j.plugin = $2) AND ($3::text IS NULL OR j.owner = $3)"
    "   AND ($4::text IS NULL OR j.origin = $4) AND ($5::text IS NULL OR " STATE_SQL " = $5) ORDER BY j.job_id";
static const char *const numbers_examples[][QUESTION_PARAMETERS_MAX] = {
    {"", NULL, NULL, NULL, NULL}, {"exam", NULL, NULL, "conf", "failing"}, {NULL}};
const struct report_statement job_numbers_statement = {"job_numbers", numbers_sql, 5, numbers_examples};

enum { RESULT_ACTIVE = 9, RESULT_FAILS = COUNT_OF(columns), RESULT_WAKERS, RESULT_CALENDAR = RESULT_WAKERS + 3 };

struct output_list *job_list_create(void)
{
    return output_create("jobs", columns, COUNT_OF(columns));
}

static void set_options(struct output_list *list, const struct pg_rows *rows, size_t row,
                        const struct config_database *database)
{
    struct buffer chosen = {0};
    struct buffer standard = {0};
    bool refresh = strcmp(pg_rows_value(rows, row, COLUMN_VIEWS), "[]") != 0;
    job_options_put(pg_rows_value(rows, row, COLUMN_OPTIONS), refresh, database->timezone, &chosen, &standard);
    output_set(list, COLUMN_CHOSEN, buffer_text(&chosen));
    output_set(list, COLUMN_STANDARD, buffer_text(&standard));
    buffer_finish(&chosen);
    buffer_finish(&standard);
}

/* For people: what makes it run, where that is no schedule. */
static void set_schedule(struct output_list *list, const struct pg_rows *rows, size_t row)
{
    const char *schedule = pg_rows_value(rows, row, COLUMN_SCHEDULE);
    struct wakers wakers = wakers_of_row(rows, row, RESULT_WAKERS);
    struct buffer words = {0};
    if (schedule[0] == '\0') {
        put_wakers(&words, &wakers);
    }
    output_set(list, COLUMN_SHOWN, words.length > 0 ? buffer_text(&words) : schedule);
    buffer_finish(&words);
}

static void add_job(struct output_list *list, const struct pg_rows *rows, size_t row,
                    const struct config_database *database, struct zones *zones)
{
    output_take_row(list, rows, row);
    set_schedule(list, rows, row);
    set_options(list, rows, row, database);
    if (pg_rows_value(rows, row, RESULT_ACTIVE)[0] == 't') {
        struct job_calendar calendar = job_calendar_of_row(rows, row, RESULT_CALENDAR);
        output_set_instant(list, COLUMN_NEXT, job_next_slot(&calendar, database, zones));
    }
}

void job_numbers_ask(struct question *question, const struct job_choice *choice)
{
    *question = (struct question){
        .id = REPORT_JOB_NUMBERS,
        .parameters = {choice->part, choice->plugin, choice->owner, choice->origin, choice->state}};
}

static bool state_is(const struct job_filter *filter, const char *state)
{
    return filter->state != NULL && strcmp(filter->state, state) == 0;
}

static const char *const states[] = {"ok",      "failing", "skipped",  "suspended",
                                     "running", "waiting", "disabled", "removed"};
static const char *const origins[] = {"config", "plugin", "sql"};

static bool check_word(const char *word, const char *what, const char *const *words, size_t count, const char *all,
                       struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (word == NULL || strcmp(words[i], word) == 0) {
            return true;
        }
    }
    const char *nearest = nearest_word(word, words, count);
    error_set(err, ERROR_USAGE, "no job has the %s \"%s\"", what, word);
    return nearest != NULL ? error_hint(err, "did you mean \"%s\"?", nearest) : error_hint(err, "write %s", all);
}

bool job_filter_check(struct job_filter *filter, struct error *err)
{
    filter->all = filter->all || state_is(filter, "disabled") || state_is(filter, "removed");
    return check_word(filter->state, "state", states, COUNT_OF(states),
                      "ok, failing, skipped, suspended, running, waiting, disabled or removed", err) &&
           check_word(filter->origin, "origin", origins, COUNT_OF(origins), "config, plugin or sql", err);
}

void job_list_hide_commands(struct output_list *list)
{
    output_clear(list, COLUMN_COMMAND);
}

/* What SQL did not choose already. */
static bool is_wanted(const struct job_filter *filter, const struct pg_rows *rows, size_t row,
                      const struct config_database *database, struct zones *zones)
{
    bool active = pg_rows_value(rows, row, RESULT_ACTIVE)[0] == 't';
    struct job_calendar calendar = job_calendar_of_row(rows, row, RESULT_CALENDAR);
    if (filter->like != NULL && fnmatch(filter->like, pg_rows_value(rows, row, COLUMN_NAME), 0) != 0) {
        return false;
    }
    if (!filter->failing && !filter->suspended && !filter->late) {
        return true;
    }
    return active && ((filter->failing && strcmp(pg_rows_value(rows, row, RESULT_FAILS), "t") == 0) ||
                      (filter->suspended && calendar.suspended_at != NULL) ||
                      (filter->late && job_late_slot(&calendar, database, zones) != INSTANT_NONE));
}

/* Who is late is for the program to say. What is asked for by its state alone is found by the same indexes. */
static const char *chosen_by_sql(const struct job_filter *filter, bool chosen, const char *state)
{
    if (!filter->failing && !filter->suspended && !filter->late) {
        return state_is(filter, state) ? "t" : "f";
    }
    return chosen && !filter->late ? "t" : "f";
}

static void ask(struct question *question, enum report_id id, const struct config_database *database,
                const struct job_filter *filter, const struct job_page *page)
{
    *question = (struct question){.id = id,
                                  .parameters = {database->name, filter->name, filter->plugin, filter->all ? "t" : "f",
                                                 page->after, chosen_by_sql(filter, filter->failing, "failing"),
                                                 chosen_by_sql(filter, filter->suspended, "suspended"), page->rows,
                                                 filter->part, filter->owner, filter->origin, filter->state}};
}

void job_list_ask(struct question *question, const struct config_database *database, const struct job_filter *filter,
                  struct job_page *page)
{
    size_t rows = filter->limit > 0 && filter->limit < PAGE_ROWS ? filter->limit + 1 : PAGE_ROWS;
    snprintf(page->rows, sizeof(page->rows), "%zu", rows);
    if (page->after == NULL && filter->after != NULL) {
        page->after = xstrdup(filter->after);
    }
    ask(question, REPORT_JOBS, database, filter, page);
}

/* False: the page is full, and this job would be the next. */
static bool take_job(struct output_list *list, const struct pg_rows *rows, size_t row,
                     const struct config_database *database, const struct job_filter *filter, struct job_page *page,
                     struct zones *zones)
{
    bool active = pg_rows_value(rows, row, RESULT_ACTIVE)[0] == 't';
    if (!is_wanted(filter, rows, row, database, zones)) {
        return true;
    }
    if (!filter->all && filter->name == NULL && !active) {
        page->hidden++;
        return true;
    }
    if (filter->limit > 0 && page->taken >= filter->limit &&
        strcmp(pg_rows_value(rows, row, COLUMN_NAME), page->after) != 0) { /* removed jobs may share a name */
        return false;
    }
    add_job(list, rows, row, database, zones);
    page->taken++;
    return true;
}

void job_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database,
                   const struct job_filter *filter, struct job_page *page)
{
    struct zones *zones = zones_create();
    page->ended = rows->count < strtoull(page->rows, NULL, 10);
    for (size_t row = 0; row < rows->count && !page->cut; row++) {
        if (take_job(list, rows, row, database, filter, page, zones)) {
            free(page->after);
            page->after = xstrdup(pg_rows_value(rows, row, COLUMN_NAME));
        } else {
            page->cut = page->ended = true;
        }
    }
    zones_destroy(zones);
}

bool job_count_ask(struct question *question, const struct config_database *database, const struct job_filter *filter,
                   const struct job_page *page)
{
    ask(question, REPORT_JOB_COUNT, database, filter, page);
    return filter->like == NULL && !filter->late && !filter->all;
}

void job_page_finish(struct job_page *page)
{
    free(page->after);
    page->after = NULL;
}
