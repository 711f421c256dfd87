/* SPDX-License-Identifier: PostgreSQL */
#include "report/run_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static const struct output_column columns[] = {
    {"RUN", "run_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SLOT", "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"ATTEMPT", "attempt", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"TRIGGER", "trigger", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STARTED", "started_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"FINISHED", "finished_at", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"DURATION", "duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"ROWS", "rows", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SQLSTATE", "sqlstate", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"MESSAGE", "message", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"EPOCH", "epoch", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"INSTANCE", "instance", OUTPUT_TEXT, OUTPUT_WIDER},
    {"SLOTS", "slots", OUTPUT_INTEGER, OUTPUT_WIDER},
};
#define WANTED                                                                                                       \
    "WITH wanted (since, until) AS ("                                                                                \
    "   SELECT coalesce($4::timestamptz, clock_timestamp() - make_interval(secs => $5::float8), '-infinity'),"       \
    "          least(coalesce($9::timestamptz, clock_timestamp() - make_interval(secs => $10::float8), 'infinity')," \
    "                $11::timestamptz))"
#define RUN_COLUMNS                                                                                         \
    "r.run_id, r.job, $1::text, r.slot, r.attempt, r.state, r.kind::text, r.started_at, r.finished_at,"     \
    " (extract(epoch FROM r.finished_at - r.started_at) * 1000000)::bigint, r.rows, r.sqlstate, r.message," \
    " r.reason, r.epoch, r.instance, 1"
/* Of those at the cursor's slot ($11): missed ones come first, by the names of their jobs ($13), then runs ($12). */
#define IS_BEHIND(run) "($12::bigint IS NULL OR " run ".slot < $11 OR " run ".run_id < $12)"
#define KEPT_IS_WANTED                                                                          \
    "($3::text[] IS NULL OR h.state::text = ANY ($3)) AND h.slot >= (SELECT since FROM wanted)" \
    " AND h.slot <= (SELECT until FROM wanted)"                                                 \
    " AND ($6::text IS NULL OR h.kind::text = $6) AND ($7::timestamptz IS NULL OR h.slot = $7)" \
    " AND " IS_BEHIND("h")

/* Misses are ranges of slots, each shown as one line at its last slot. The conditions on slots are plain comparisons,
 * so that history partitions are left out. A month of history may have millions of rows: the oldest slot that can be
 * among the last runs is found first, from the indexes by slot, or by job and kind and slot. */
static const char runs_sql[] = WANTED
    ", newest (slot) AS"
    " ((SELECT h.slot FROM chime.run_history h WHERE $2::text IS NULL AND " KEPT_IS_WANTED
    "    ORDER BY h.slot DESC LIMIT $8::bigint)"
    "  UNION ALL"
    "  (SELECT l.slot FROM chime.job j CROSS JOIN unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"
    "     CROSS JOIN LATERAL (SELECT h.slot FROM chime.run_history h WHERE " JOB_HISTORY_BY_KEY " AND " KEPT_IS_WANTED
    "                         ORDER BY " JOB_HISTORY_LATEST " LIMIT $8::bigint) l"
    "    WHERE j.name = $2 ORDER BY l.slot DESC LIMIT $8::bigint)),"
    " oldest (slot) AS (SELECT CASE WHEN count(*) >= $8::bigint THEN min(n.slot) ELSE '-infinity' END FROM newest n)"
    " SELECT " RUN_COLUMNS "   FROM chime.runs r"
    "  WHERE ($2::text IS NULL OR r.job = $2) AND ($3::text[] IS NULL OR r.state = ANY ($3))"
    "    AND r.slot >= (SELECT since FROM wanted) AND r.slot <= (SELECT until FROM wanted) AND ($6::text IS NULL OR "
    "r.kind::text = $6)"
    "    AND ($7::timestamptz IS NULL OR r.slot = $7) AND r.slot >= (SELECT slot FROM oldest)"
    "    AND " IS_BEHIND(
        "r") " UNION ALL"
             " SELECT NULL, j.name, $1, m.last_slot, 0, 'missed', 'schedule', NULL, m.recorded_at, NULL, NULL, NULL, "
             "NULL, "
             "m.reason,"
             "        m.epoch, l.instance, m.slots"
             "   FROM (SELECT * FROM chime.missed x"
             "          WHERE ($2 IS NULL OR x.job_id IN (SELECT o.job_id FROM chime.job o WHERE o.name = $2))"
             "            AND ($3 IS NULL OR 'missed' = ANY ($3)) AND ($6 IS NULL OR $6 = 'schedule')"
             "            AND x.last_slot >= (SELECT since FROM wanted) AND x.first_slot <= (SELECT until FROM wanted)"
             "            AND ($7 IS NULL OR x.last_slot = $7) AND x.last_slot >= (SELECT slot FROM oldest)"
             "            AND ($11::timestamptz IS NULL OR x.last_slot < $11"
             "                 OR x.last_slot = $11 AND (SELECT o.name > $13 FROM chime.job o WHERE o.job_id = "
             "x.job_id))"
             "          ORDER BY x.last_slot DESC, (SELECT o.name FROM chime.job o WHERE o.job_id = x.job_id)"
             "          LIMIT $8::bigint) m"
             "   JOIN chime.job j USING (job_id) LEFT JOIN chime.leadership l USING (epoch)"
             " ORDER BY 4 DESC, 1 DESC, 2 LIMIT $8::bigint";

/* Failures are few: two indexes have nothing else (run_history_failed, run_history_failed_job), and what succeeded is
 * not read. */
#define IS_FAILURE "h.state IN " FAILED_STATES
static const char failures_sql[] = WANTED
    ", newest AS MATERIALIZED"
    " ((SELECT h.* FROM chime.run_history h"
    "    WHERE $2::text IS NULL AND " IS_FAILURE " AND " KEPT_IS_WANTED
    "    ORDER BY h.slot DESC, h.run_id DESC LIMIT $8::bigint)"
    "  UNION ALL"
    "  (SELECT l.* FROM chime.job j"
    "     CROSS JOIN LATERAL (SELECT h.* FROM chime.run_history h"
    "                          WHERE h.job_id = j.job_id AND " IS_FAILURE " AND " KEPT_IS_WANTED
    "                          ORDER BY h.slot DESC, h.run_id DESC LIMIT $8::bigint) l"
    "    WHERE j.name = $2 ORDER BY l.slot DESC, l.run_id DESC LIMIT $8::bigint))"
    " SELECT " RUN_COLUMNS
    "   FROM (SELECT n.*, j.name AS job, l.instance FROM newest n JOIN chime.job j USING (job_id)"
    "           LEFT JOIN chime.leadership l ON l.epoch = n.epoch) r"
    " ORDER BY 4 DESC, 1 DESC LIMIT $8::bigint";

#define RUN_PARAMETERS 13
#define FAILURE_PARAMETERS 12
static const char *const examples[][QUESTION_PARAMETERS_MAX] = {
    {"main", [7] = "20"},
    {"main", [2] = "{failed,skipped}", [7] = "20"},
    {"main", [4] = "86400", [7] = "1000"},
    {"main", "example", [7] = "20"},
    {"main", "example", "{failed,skipped}", [7] = "20"},
    {"main", "example", [4] = "3600", [7] = "20"},
    {"main", "example", [5] = "schedule", [6] = "2026-01-01 00:00+00", [7] = "1"},
    {"main", [7] = "20", [10] = "2100-01-01 00:00+00", [11] = "17"},
    {"main", "example", [7] = "20", [10] = "2100-01-01 00:00+00", [12] = "example"},
    {NULL}};
const struct report_statement runs_statement = {"runs", runs_sql, RUN_PARAMETERS, examples};

static const char *const failure_examples[][QUESTION_PARAMETERS_MAX] = {
    {"main", [2] = "{failed,timed_out,lost}", [7] = "20"},
    {"main", [2] = "{lost}", [4] = "86400", [7] = "1000"},
    {"main", "example", "{failed,timed_out,lost}", [7] = "20"},
    {"main", [2] = "{failed}", [7] = "20", [10] = "2100-01-01 00:00+00", [11] = "17"},
    {NULL}};
const struct report_statement failures_statement = {"failures", failures_sql, FAILURE_PARAMETERS, failure_examples};

/* Whether each of these states is one of a failure; "{failed,lost}". */
static bool are_failures(const char *states)
{
    static const char *const failures[] = {"failed", "timed_out", "lost"};
    while (*states != '\0') {
        size_t length = strcspn(states += strspn(states, "{,}"), "{,}");
        bool is_one = length == 0;
        for (size_t i = 0; i < COUNT_OF(failures); i++) {
            is_one = is_one || (strlen(failures[i]) == length && memcmp(failures[i], states, length) == 0);
        }
        if (!is_one) {
            return false;
        }
        states += length;
    }
    return true;
}

struct output_list *run_list_create(void)
{
    return output_create("runs", columns, COUNT_OF(columns));
}

void run_list_ask(struct question *question, const struct config_database *database, const struct run_filter *filter)
{
    bool failures = filter->states != NULL && are_failures(filter->states);
    const struct run_cursor *before = filter->before;
    *question = (struct question){.id = failures ? REPORT_FAILURES : REPORT_RUNS,
                                  .parameters = {database->name, filter->job, filter->states, filter->since,
                                                 filter->since_ago, filter->kind, filter->slot, question->number,
                                                 filter->until, filter->until_ago}};
    if (before != NULL) {
        question->parameters[10] = before->slot;
        question->parameters[11] = before->number[0] != '\0' ? before->number : NULL;
        question->parameters[12] = before->job;
    }
    snprintf(question->number, sizeof(question->number), "%lld", (long long)filter->limit);
}

void run_list_take(struct output_list *list, const struct pg_rows *rows)
{
    output_take_rows(list, rows);
}

void run_list_sort(struct output_list *list, int64_t limit)
{
    output_sort_latest(list, RUN_LIST_SLOT, (size_t)limit);
}

/* --- cursors ------------------------------------------------------------------------------------------------------ */

static bool read_cursor(const char *text, struct run_cursor *cursor)
{
    const char *comma = strchr(text, ',');
    instant at;
    int64_t number;
    if (comma == NULL) {
        return false;
    }
    char *slot = xstrndup(text, (size_t)(comma - text));
    bool is_slot = instant_parse(slot, &at, NULL);
    free(slot);
    if (!is_slot) {
        return false;
    }
    instant_format(at, cursor->slot);
    if (comma[1] == '!') {
        cursor->job = xstrdup(comma + 2);
        return true;
    }
    if (!parse_int64(comma + 1, 0, INT64_MAX, &number)) {
        return false;
    }
    snprintf(cursor->number, sizeof(cursor->number), "%lld", (long long)number);
    return true;
}

bool run_cursor_read(const char *text, struct run_cursor *cursor, struct error *err)
{
    *cursor = (struct run_cursor){.job = NULL};
    if (!read_cursor(text, cursor)) {
        error_set(err, ERROR_USAGE, "\"%s\" is no place in a list of runs", text);
        return error_hint(err, "write the slot and the number of its last run: 2026-03-27T01:30:00Z,4711; of a missed "
                               "slot its job: 2026-03-27T01:30:00Z,!nightly");
    }
    return true;
}

void run_cursor_finish(struct run_cursor *cursor)
{
    free(cursor->job);
    cursor->job = NULL;
}

/* --- states ------------------------------------------------------------------------------------------------------- */

static const char *const states[] = {"succeeded", "failed", "timed_out", "cancelled", "skipped",
                                     "missed",    "lost",   "running",   "retrying"};

static bool check_state(const char *state, size_t length, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (strlen(states[i]) == length && strncmp(states[i], state, length) == 0) {
            return true;
        }
    }
    char *word = xstrndup(state, length);
    const char *nearest = nearest_word(word, states, COUNT_OF(states));
    error_set(err, ERROR_USAGE, "there is no state \"%s\"", word);
    free(word);
    return nearest != NULL ? error_hint(err, "did you mean \"%s\"?", nearest)
                           : error_hint(err, "write succeeded, failed, timed_out, cancelled, skipped, missed, lost, "
                                             "running or retrying");
}

bool run_list_read_states(const char *text, struct buffer *array, struct error *err)
{
    for (const char *word = text; word != NULL;) {
        size_t length = strcspn(word, ",");
        if (!check_state(word, length, err)) {
            return false;
        }
        word = word[length] == ',' ? word + length + 1 : NULL;
    }
    buffer_printf(array, "{%s}", text);
    return true;
}
