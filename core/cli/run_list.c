/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/ledger_lists.h"

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
enum { COLUMN_SLOT = 3, COLUMN_STATE = 5 };

#define FOLLOW_LIMIT 1000 /* runs that a look goes back */

#define KEPT_IS_WANTED                                                                          \
    "($3::text[] IS NULL OR h.state::text = ANY ($3)) AND h.slot >= (SELECT since FROM wanted)" \
    " AND h.slot <= (SELECT until FROM wanted)"                                                 \
    " AND ($6::text IS NULL OR h.kind::text = $6) AND ($7::timestamptz IS NULL OR h.slot = $7)"

/* Misses are ranges of slots, each shown as one line at its last slot. The conditions on slots are plain comparisons,
 * so that history partitions are left out. A month of history may have millions of rows: the oldest slot that can be
 * among the last runs is found first, from the indexes by slot, or by job and kind and slot. */
static const char runs_sql[] =
    "WITH wanted (since, until) AS ("
    "   SELECT coalesce($4::timestamptz, clock_timestamp() - make_interval(secs => $5::float8), '-infinity'),"
    "          coalesce($9::timestamptz, clock_timestamp() - make_interval(secs => $10::float8), 'infinity')),"
    " newest (slot) AS"
    " ((SELECT h.slot FROM chime.run_history h WHERE $2::text IS NULL AND " KEPT_IS_WANTED
    "    ORDER BY h.slot DESC LIMIT $8::bigint)"
    "  UNION ALL"
    "  (SELECT l.slot FROM chime.job j CROSS JOIN unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"
    "     CROSS JOIN LATERAL (SELECT h.slot FROM chime.run_history h WHERE " JOB_HISTORY_BY_KEY " AND " KEPT_IS_WANTED
    "                         ORDER BY " JOB_HISTORY_LATEST " LIMIT $8::bigint) l"
    "    WHERE j.name = $2 ORDER BY l.slot DESC LIMIT $8::bigint)),"
    " oldest (slot) AS (SELECT CASE WHEN count(*) >= $8::bigint THEN min(n.slot) ELSE '-infinity' END FROM newest n)"
    " SELECT r.run_id, r.job, $1::text, r.slot, r.attempt, r.state, r.kind::text, r.started_at, r.finished_at,"
    "        (extract(epoch FROM r.finished_at - r.started_at) * 1000000)::bigint, r.rows, r.sqlstate, r.message, "
    "r.reason,"
    "        r.epoch, r.instance, 1"
    "   FROM chime.runs r"
    "  WHERE ($2::text IS NULL OR r.job = $2) AND ($3::text[] IS NULL OR r.state = ANY ($3))"
    "    AND r.slot >= (SELECT since FROM wanted) AND r.slot <= (SELECT until FROM wanted) AND ($6::text IS NULL OR "
    "r.kind::text = $6)"
    "    AND ($7::timestamptz IS NULL OR r.slot = $7) AND r.slot >= (SELECT slot FROM oldest)"
    " UNION ALL"
    " SELECT NULL, j.name, $1, m.last_slot, 0, 'missed', 'schedule', NULL, m.recorded_at, NULL, NULL, NULL, NULL, "
    "m.reason,"
    "        m.epoch, l.instance, m.slots"
    "   FROM chime.missed m JOIN chime.job j USING (job_id) LEFT JOIN chime.leadership l USING (epoch)"
    "  WHERE ($2 IS NULL OR j.name = $2) AND ($3 IS NULL OR 'missed' = ANY ($3))"
    "    AND m.last_slot >= (SELECT since FROM wanted) AND m.first_slot <= (SELECT until FROM wanted) AND ($6 IS NULL "
    "OR $6 = 'schedule')"
    "    AND ($7 IS NULL OR m.last_slot = $7) AND m.last_slot >= (SELECT slot FROM oldest)"
    " ORDER BY 4 DESC, 1 DESC LIMIT $8::bigint";

struct output_list *run_list_create(void)
{
    return output_create("runs", columns, COUNT_OF(columns));
}

bool run_list_add(struct visit *visit, struct output_list *list, const struct run_filter *filter, struct error *err)
{
    char limit[24];
    snprintf(limit, sizeof(limit), "%lld", (long long)filter->limit);
    const char *parameters[] = {filter->job,  filter->states, filter->since, filter->since_ago, filter->kind,
                                filter->slot, limit,          filter->until, filter->until_ago};
    return visit_list(visit, list, runs_sql, parameters, COUNT_OF(parameters), err);
}

/* --- what is new since the look before ---------------------------------------------------------------------------- */

static int by_key(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* What the columns say up to the state: a run that has ended is another one than when it was running. */
static uint64_t key_of(const struct pg_rows *rows, size_t row)
{
    struct buffer text = {0};
    for (size_t column = 0; column <= COLUMN_STATE; column++) {
        const char *value = pg_rows_value(rows, row, column);
        buffer_printf(&text, "%s\n", value != NULL ? value : "");
    }
    uint64_t key = text_hash(buffer_text(&text));
    buffer_finish(&text);
    return key;
}

static bool is_new(struct run_seen *seen, uint64_t key)
{
    if (seen->now_count == seen->now_capacity) {
        seen->now_capacity = seen->now_capacity == 0 ? FOLLOW_LIMIT : 2 * seen->now_capacity;
        seen->now = xrealloc(seen->now, seen->now_capacity, sizeof(*seen->now));
    }
    seen->now[seen->now_count++] = key;
    return seen->before_count == 0 || bsearch(&key, seen->before, seen->before_count, sizeof(key), by_key) == NULL;
}

bool run_list_add_new(struct visit *visit, struct output_list *list, const struct run_filter *filter,
                      struct run_seen *seen, struct error *err)
{
    char limit[24];
    snprintf(limit, sizeof(limit), "%d", FOLLOW_LIMIT);
    const char *parameters[] = {
        visit->database->name, filter->job,      filter->states, filter->since, filter->since_ago, NULL, NULL, limit,
        filter->until,         filter->until_ago};
    struct pg_rows rows;
    if (!pg_client_query(visit->client, runs_sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    for (size_t row = rows.count; row-- > 0;) {
        bool shown = is_new(seen, key_of(&rows, row)) && (seen->looked || row < (size_t)filter->limit);
        if (shown) {
            output_add_row(list);
        }
        for (size_t column = 0; shown && column < rows.columns; column++) {
            output_set(list, column, pg_rows_value(&rows, row, column));
        }
    }
    pg_rows_finish(&rows);
    return true;
}

void run_seen_turn(struct run_seen *seen)
{
    free(seen->before);
    seen->before = seen->now;
    seen->before_count = seen->now_count;
    seen->now = NULL;
    seen->now_count = seen->now_capacity = 0;
    seen->looked = true;
    if (seen->before_count > 0) {
        qsort(seen->before, seen->before_count, sizeof(*seen->before), by_key);
    }
}

void run_seen_finish(struct run_seen *seen)
{
    free(seen->before);
    free(seen->now);
}

void run_list_sort(struct output_list *list, int64_t limit)
{
    output_sort_latest(list, COLUMN_SLOT, (size_t)limit);
}
