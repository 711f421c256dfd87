/* SPDX-License-Identifier: PostgreSQL */
/* `why`: asks the ledger for what is known of one job and its upstreams. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/job_list.h"
#include "report/run_list.h"
#include "report/why.h"

/* What the scheduler says of slots that passed without a leader. */
#define NOTHING_LED "'%nothing led%'"

static const char why_sql[] =
    "SELECT j.active, j.plugin, p.state, p.reason, " INACTIVE_WORDS
    ", j.options ->> 'pool', s.suspended_by, s.suspended_at,"
    "       s.suspended_until, s.suspend_reason, chime.led(),"
    "       r.run_id, r.kind, r.slot, r.attempt, r.pid, r.retry_at, coalesce(r.started_at, r.claimed_at),"
    "       CASE WHEN r.pid IS NOT NULL THEN nullif(array_to_string(pg_blocking_pids(r.pid), ', '), '') END,"
    "       h.slot, h.state, h.reason, h.message, m.first_slot, m.last_slot, m.slots, m.reason, q.slot, "
    "q.requested_by, q.run_id,"
    "       (SELECT count(*) FROM chime.run o JOIN chime.job oj USING (job_id)"
    "         WHERE o.pid IS NOT NULL AND oj.options ->> 'pool' = j.options ->> 'pool'),"
    "       (SELECT count(*) FROM chime.run o WHERE o.pid IS NOT NULL),"
    "       w.since, w.reason, CASE WHEN j.views <> '{}' THEN chime.failure_words(j.job_id) END, j.problem,"
    "       CASE WHEN j.schedule <> '' AND s.last_slot > clock_timestamp() + interval '1 minute' THEN j.job_id END,"
    "       chime.copy_of(), CASE WHEN NOT chime.led() THEN chime.unled_words(clock_timestamp()) END,"
    "       CASE WHEN h.reason LIKE " NOTHING_LED " THEN chime.unled_words(h.slot) END,"
    "       CASE WHEN m.reason LIKE " NOTHING_LED " THEN chime.unled_words(m.first_slot) END,"
    "       coalesce(chime.commits_wait(), (SELECT 'the ledger cannot be written: ' || string_agg(o.words, ', ')"
    "                                         FROM chime.leader l CROSS JOIN LATERAL chime.lock_holders(l.pid) o"
    "                                        WHERE o.surely AND chime.led())),"
    "       (SELECT split_part(a.message, E'\n', 1) FROM chime.attempt a WHERE r.pid IS NULL AND"
    "         (a.job_id, a.kind, a.slot, a.attempt) = (r.job_id, r.kind, r.slot, r.attempt - 1)),"
    "       CASE WHEN j.options ->> 'cursor' <> 'none' THEN chime.pipeline_words(j.job_id) END,"
    "       (SELECT string_agg(h.name, ', ') FROM (SELECT oj.name FROM chime.run o JOIN chime.job oj USING (job_id)"
    "          WHERE o.pid IS NOT NULL AND oj.options ->> 'pool' = j.options ->> 'pool' ORDER BY o.claimed_at LIMIT 5) "
    "h), h.attempt, h.sqlstate, j.options, j.views <> '{}'," WAKERS_COLUMNS "," JOB_CALENDAR_COLUMNS
    "  FROM chime.job j JOIN chime.job_status s USING (job_id)"
    "  LEFT JOIN chime.listener w ON w.state = 'degraded' AND chime.led()"
    "  LEFT JOIN chime.plugin p ON p.name = j.plugin"
    "  LEFT JOIN LATERAL (SELECT r.job_id, r.run_id, r.kind, r.slot, r.attempt, r.pid, r.retry_at,"
    "                            r.started_at, r.claimed_at FROM chime.run r WHERE r.job_id = j.job_id ORDER BY r.pid "
    "NULLS LAST LIMIT 1) r ON "
    "true"
    "  LEFT JOIN LATERAL (SELECT l.* FROM unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"
    "                     CROSS JOIN LATERAL (SELECT * FROM chime.run_history h WHERE " JOB_HISTORY_BY_KEY
    "                                         ORDER BY " JOB_HISTORY_LATEST " LIMIT 1) l"
    "                     ORDER BY l.finished_at DESC, l.slot DESC LIMIT 1) h ON true"
    "  LEFT JOIN LATERAL (SELECT * FROM chime.missed m WHERE m.job_id = j.job_id ORDER BY m.last_slot DESC LIMIT 1) m"
    "         ON true"
    "  LEFT JOIN LATERAL (SELECT * FROM chime.request q WHERE q.job_id = j.job_id AND q.verb = 'run'"
    "                     ORDER BY q.request_id LIMIT 1) q ON true"
    " WHERE j.job_id = $1::bigint";

static const char upstreams_sql[] =
    "SELECT j.name, CASE WHEN x.missed OR (me.schedule <> '' AND st.missed_after) THEN 'missed' ELSE "
    "s.last_outcome::text END,"
    "       CASE WHEN NOT j.active THEN 'inactive'"
    "            WHEN s.suspended_at IS NOT NULL THEN chime.told('suspended', s.suspended_by, s.suspend_reason) END,"
    "       coalesce(st.outcome_at > mine.last_slot OR (mine.cursor_skipped AND st.last_outcome = 'succeeded'), "
    "false) AND NOT x.missed," JOB_CALENDAR_COLUMNS
    "  FROM chime.job me JOIN chime.job_state mine USING (job_id), unnest(me.after) WITH ORDINALITY AS a (name, place)"
    "  JOIN chime.job j ON j.name = a.name JOIN chime.job_status s ON s.job_id = j.job_id"
    "  JOIN chime.job_state st ON st.job_id = j.job_id"
    "  CROSS JOIN coalesce(st.missed_at > coalesce(st.outcome_at, '-infinity'), false) AS x (missed)"
    " WHERE me.job_id = $1::bigint AND j.removed_at IS NULL AND (j.owner = me.owner OR me.origin = 'sql') ORDER BY "
    "a.place";

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"1"}, {NULL}};
const struct report_statement why_statement = {"why", why_sql, 1, examples};
const struct report_statement why_upstreams_statement = {"why_upstreams", upstreams_sql, 1, examples};
enum { UPSTREAM_NAME, UPSTREAM_OUTCOME, UPSTREAM_ABSENCE, UPSTREAM_DELIVERED, UPSTREAM_CALENDAR };

const char *why_value(const struct why_facts *facts, enum why_column column)
{
    return pg_rows_value(&facts->rows, 0, (size_t)column);
}

bool why_is(const struct why_facts *facts, enum why_column column)
{
    const char *value = why_value(facts, column);
    return value != NULL && value[0] == 't';
}

static instant read_instant(const char *text)
{
    instant at;
    return text != NULL && instant_parse(text, &at, NULL) ? at : INSTANT_NONE;
}

instant why_instant(const struct why_facts *facts, enum why_column column)
{
    return read_instant(why_value(facts, column));
}

/* The slot that comes after what is decided, if its time has come. */
static void find_slots(struct why_facts *facts, const struct job_calendar *calendar)
{
    facts->now = read_instant(calendar->database_now);
    facts->cursor = read_instant(calendar->last_slot);
    facts->next = schedule_next(&facts->schedule, job_slots_after(calendar, &facts->schedule));
    facts->due = INSTANT_NONE;
    if (facts->schedule.form != SCHEDULE_DELAY) {
        instant slot = schedule_next(&facts->schedule, facts->cursor);
        facts->due = slot <= facts->now ? slot : INSTANT_NONE;
    } else if (facts->next <= facts->now) {
        facts->due = facts->next;
    }
}

static bool is_open(const struct job_calendar *calendar, bool live, const struct config_database *database,
                    struct zones *zones, instant slot)
{
    struct schedule schedule;
    if (live || !job_schedule(calendar, database, zones, &schedule, NULL)) {
        return live;
    }
    return schedule_next(&schedule, read_instant(calendar->last_slot)) <= slot;
}

void why_ask(struct question *question, const struct why_facts *facts)
{
    *question = (struct question){.id = REPORT_WHY, .parameters = {facts->job_id}};
}

bool why_take(struct why_facts *facts, const struct pg_rows *rows, struct error *err)
{
    facts->rows = *rows;
    if (rows->count == 0) {
        return error_set(err, ERROR_NOT_FOUND, "job \"%s\" is gone", facts->job);
    }
    facts->zones = zones_create();
    struct job_calendar calendar = job_calendar_of_row(rows, 0, WHY_SCHEDULE);
    if (!job_schedule(&calendar, facts->database, facts->zones, &facts->schedule, err)) {
        return false;
    }
    find_slots(facts, &calendar);
    return true;
}

void why_ask_upstreams(struct question *question, const struct why_facts *facts)
{
    *question = (struct question){.id = REPORT_WHY_UPSTREAMS, .parameters = {facts->job_id}};
}

void why_take_upstreams(struct why_facts *facts, const struct pg_rows *rows)
{
    facts->upstreams = xcalloc(rows->count + 1, sizeof(*facts->upstreams));
    facts->upstream_count = rows->count;
    for (size_t i = 0; i < rows->count; i++) {
        struct why_upstream *upstream = &facts->upstreams[i];
        struct job_calendar calendar = job_calendar_of_row(rows, i, UPSTREAM_CALENDAR);
        const char *outcome = pg_rows_value(rows, i, UPSTREAM_OUTCOME);
        const char *absence = pg_rows_value(rows, i, UPSTREAM_ABSENCE);
        upstream->name = xstrdup(pg_rows_value(rows, i, UPSTREAM_NAME));
        upstream->outcome = outcome != NULL ? xstrdup(outcome) : NULL;
        upstream->absence = absence != NULL ? xstrdup(absence) : NULL;
        upstream->delivered = pg_rows_value(rows, i, UPSTREAM_DELIVERED)[0] == 't';
        upstream->live = calendar.live[0] == 't';
        upstream->open = upstream->absence == NULL && facts->due != INSTANT_NONE &&
                         is_open(&calendar, upstream->live, facts->database, facts->zones, facts->due);
    }
}

void why_finish(struct why_facts *facts)
{
    for (size_t i = 0; i < facts->upstream_count; i++) {
        free(facts->upstreams[i].name);
        free(facts->upstreams[i].outcome);
        free(facts->upstreams[i].absence);
    }
    free(facts->upstreams);
    zones_destroy(facts->zones);
    pg_rows_finish(&facts->rows);
    pg_rows_finish(&facts->failing);
}

const char *why_zone(const struct why_facts *facts)
{
    const struct schedule *schedule = &facts->schedule;
    if (schedule->form != SCHEDULE_CRON && schedule->form != SCHEDULE_ONCE) {
        return NULL;
    }
    return schedule->zone != NULL ? zone_name(schedule->zone) : "UTC";
}
