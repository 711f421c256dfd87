/* SPDX-License-Identifier: PostgreSQL */
#include "report/run_detail.h"

#include "base/memory.h"
#include "report/run_list.h"

enum { LIST_RUNS, LIST_ATTEMPTS, LIST_WAITS, LIST_UPSTREAMS, LIST_DOWNSTREAMS, LIST_DEFINITIONS };

static const struct output_column attempt_columns[] = {
    {"ATTEMPT", "attempt", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"STARTED", "started_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"FINISHED", "finished_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"DURATION", "duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"SQLSTATE", "sqlstate", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"MESSAGE", "message", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"BACKEND", "pid", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"EPOCH", "epoch", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"INSTANCE", "instance", OUTPUT_TEXT, OUTPUT_WIDER},
};

static const struct output_column wait_columns[] = {
    {"WAIT", "wait", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"FOR", "for", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"SINCE", "since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"UNTIL", "until", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"LENGTH", "length_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
};

static const struct output_column neighbour_columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"RUN", "run_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"TRIGGER", "trigger", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SLOT", "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"STARTED", "started_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"FINISHED", "finished_at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
};

static const struct output_column definition_columns[] = {
    {"VERSION", "version", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"SINCE", "since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"UNTIL", "until", OUTPUT_INSTANT, OUTPUT_ALWAYS},     {"RAN", "ran", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_WIDER},         {"COMMAND", "command", OUTPUT_LONG, OUTPUT_ALWAYS},
};
enum { DEFINITION_COMMAND = 5 };

/* $1: a job; $2: a kind; $3: a slot. A kind that there is none of finds nothing. */
#define THE_RUN                                                                                    \
    "WITH run AS MATERIALIZED ("                                                                   \
    "  SELECT r.run_id, r.job_id, r.kind, r.slot, r.state, r.attempt, r.claimed_at, r.started_at," \
    "         r.finished_at, r.sqlstate, r.message, r.pid, r.epoch, r.instance"                    \
    "    FROM chime.runs r WHERE r.job = $1 AND r.slot = $3::timestamptz"                          \
    "     AND r.kind = (SELECT k.kind FROM unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"   \
    "                    WHERE k.kind::text = $2))"

#define LENGTH(from, until) "(extract(epoch FROM " until " - " from ") * 1000000)::bigint"

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {
    {"example", "schedule", "2026-01-01 00:00+00"}, {"example", "nothing", "2026-01-01 00:00+00"}, {NULL}};

/* The last attempt is the run itself; one that is yet to come has not started. */
static const char attempts_sql[] = THE_RUN " SELECT a.attempt, a.state::text, a.started_at, a.finished_at, " LENGTH(
    "a.started_at",
    "a.finished_at") ","
                     "       a.sqlstate, a.message, a.pid, a.epoch, l.instance"
                     "  FROM run JOIN chime.attempt a ON (a.job_id, a.kind, a.slot) = (run.job_id, run.kind, run.slot)"
                     "  LEFT JOIN chime.leadership l ON l.epoch = a.epoch"
                     " UNION ALL"
                     " SELECT run.attempt, run.state, CASE WHEN run.state <> 'retrying' THEN run.started_at END, "
                     "run.finished_at,"
                     "       CASE WHEN run.state <> 'retrying' THEN " LENGTH(
                         "run.started_at", "run.finished_at") " END,"
                                                              "       run.sqlstate, run.message, run.pid, run.epoch, "
                                                              "run.instance FROM run"
                                                              "  WHERE run.state <> 'skipped'"
                                                              " ORDER BY 1";
const struct report_statement run_attempts_statement = {"run_attempts", attempts_sql, 3, examples};

/* Of each kind the latest that had ended when the run was claimed; then the latest of these. */
#define UPSTREAMS                                                                                                \
    ", upstream AS ("                                                                                            \
    "  SELECT a.place, u.name, h.*"                                                                              \
    "    FROM run JOIN chime.job j USING (job_id) CROSS JOIN unnest(j.after) WITH ORDINALITY AS a (name, place)" \
    "    JOIN chime.job u ON u.name = a.name AND u.removed_at IS NULL"                                           \
    "    LEFT JOIN LATERAL ("                                                                                    \
    "      SELECT l.* FROM unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"                                 \
    "       CROSS JOIN LATERAL ("                                                                                \
    "         SELECT h.run_id, h.kind, h.slot, h.state, h.started_at, h.finished_at, h.reason"                   \
    "           FROM chime.run_history h"                                                                        \
    "          WHERE h.job_id = u.job_id AND h.kind >= k.kind AND h.kind <= k.kind AND h.slot <= run.slot"       \
    "            AND h.finished_at <= coalesce(run.claimed_at, run.finished_at, clock_timestamp())"              \
    "          ORDER BY " JOB_HISTORY_LATEST " LIMIT 1) l"                                                       \
    "       ORDER BY l.finished_at DESC LIMIT 1) h ON true)"

static const char upstreams_sql[] = THE_RUN UPSTREAMS
    " SELECT u.name, u.run_id, u.kind::text, u.slot, u.state::text, u.started_at, u.finished_at, u.reason"
    "  FROM upstream u ORDER BY u.place";
const struct report_statement run_upstreams_statement = {"run_upstreams", upstreams_sql, 3, examples};

/* What each job that comes after it did next: by its own slot, or since this one ended. */
static const char downstreams_sql[] = THE_RUN
    " SELECT d.name, n.run_id, n.kind::text, n.slot, n.state, n.started_at, n.finished_at, n.reason"
    "  FROM run JOIN chime.job j USING (job_id)"
    "  CROSS JOIN LATERAL (SELECT d.job_id, d.name FROM chime.job d"
    "                       WHERE d.after @> ARRAY[j.name] AND d.after <> '{}' AND d.removed_at IS NULL"
    "                       ORDER BY d.name LIMIT 20) d"
    "  LEFT JOIN LATERAL ("
    "    SELECT x.* FROM ("
    "      SELECT w.run_id, w.kind, w.slot, CASE WHEN w.pid IS NULL THEN 'retrying' ELSE 'running' END AS state,"
    "             coalesce(w.started_at, w.claimed_at) AS started_at, w.done_at AS finished_at, NULL AS reason"
    "        FROM chime.run w WHERE w.job_id = d.job_id AND w.slot >= run.slot"
    "      UNION ALL"
    "      SELECT l.* FROM unnest('{schedule,dependency}'::chime.run_kind[]) AS k (kind)"
    "       CROSS JOIN LATERAL ("
    "         SELECT h.run_id, h.kind, h.slot, h.state::text, h.started_at, h.finished_at, h.reason"
    "           FROM chime.run_history h"
    "          WHERE h.job_id = d.job_id AND h.kind >= k.kind AND h.kind <= k.kind AND h.slot >= run.slot"
    "            AND h.finished_at >= run.finished_at ORDER BY h.kind, h.slot LIMIT 1) l) x"
    "     ORDER BY x.slot LIMIT 1) n ON true"
    " ORDER BY d.name";
const struct report_statement run_downstreams_statement = {"run_downstreams", downstreams_sql, 3, examples};

/* In order of time, each that took 10 ms or more. Who waits for a lock waits still. Runs of a schedule alone wait for
 * upstreams. */
#define WAITED_FOR_LOCK                                                                                       \
    "SELECT 'lock', 'a lock of ' || string_agg(format('pid %s (role %s, %s, %s)', a.pid, a.usename,"          \
    "         coalesce(nullif(a.application_name, ''), 'no application name'), coalesce(a.state, 'hidden'))," \
    "         ', ' ORDER BY a.pid),"                                                                          \
    "       (SELECT min(l.waitstart) FROM pg_locks l WHERE l.pid = run.pid AND NOT l.granted), NULL"          \
    "  FROM run JOIN pg_stat_activity a ON a.pid = ANY (pg_blocking_pids(run.pid))"                           \
    " WHERE run.state = 'running' GROUP BY run.pid"
#define MAY_HAVE_WAITED_FOR                                                                    \
    "coalesce(chime.unled_words(run.slot), concat_ws(', ',"                                    \
    "         CASE WHEN run.kind = 'manual' THEN 'the leader to hear of it' END, 'a session'," \
    "         'a place in pool ' || nullif(j.options ->> 'pool', ''),"                         \
    "         'its jitter of up to ' || nullif(nullif(j.options ->> 'jitter', ''), '0s')))"
static const char waits_sql[] = THE_RUN UPSTREAMS
    ", before AS ("
    "  SELECT u.name, u.finished_at FROM run CROSS JOIN upstream u"
    "   WHERE run.kind = 'schedule' AND u.finished_at > run.slot),"
    " earlier AS ("
    "  SELECT a.attempt, a.started_at, a.finished_at FROM run"
    "    JOIN chime.attempt a ON (a.job_id, a.kind, a.slot) = (run.job_id, run.kind, run.slot)),"
    " begun AS (" /* the last attempt's, where there is none before it */
    "  SELECT coalesce((SELECT min(e.started_at) FROM earlier e),"
    "                  CASE WHEN run.state NOT IN ('skipped', 'retrying') THEN run.started_at END) AS at FROM run),"
    " turn AS (" /* when it was claimed first: that of an attempt before is not kept */
    "  SELECT CASE WHEN EXISTS (SELECT FROM earlier) THEN b.at ELSE least(run.claimed_at, b.at) END AS at"
    "    FROM run CROSS JOIN begun b),"
    " waits (wait, words, since, until) AS ("
    "  SELECT 'upstream', b.name, run.slot, b.finished_at FROM run CROSS JOIN before b"
    "  UNION ALL"
    "  SELECT 'start', " MAY_HAVE_WAITED_FOR ", greatest(run.slot, (SELECT max(b.finished_at) FROM before b)), t.at"
    "    FROM run JOIN chime.job j USING (job_id) CROSS JOIN turn t"
    "  UNION ALL"
    "  SELECT 'session', 'the run before it on its session', t.at, b.at FROM turn t CROSS JOIN begun b"
    "  UNION ALL"
    "  SELECT 'retry', 'its attempt ' || e.attempt + 1, e.finished_at, lead(e.started_at, 1,"
    "         CASE WHEN run.state <> 'retrying' THEN run.started_at END) OVER (ORDER BY e.attempt)"
    "    FROM run CROSS JOIN earlier e"
    "  UNION ALL " WAITED_FOR_LOCK ")"
    " SELECT w.wait, w.words, w.since, w.until,"
    "        (extract(epoch FROM coalesce(w.until, clock_timestamp()) - w.since) * 1000000)::bigint"
    "  FROM waits w WHERE w.until >= w.since + interval '10 ms'"
    "     OR w.until IS NULL AND w.since IS NOT NULL AND w.wait IN ('lock', 'retry')"
    " ORDER BY w.since, w.until";
const struct report_statement run_waits_statement = {"run_waits", waits_sql, 3, examples};

/* Of jobs made by SQL earlier texts are kept; of others the present one alone, which an earlier run may not have
 * run. */
static const char definitions_sql[] = THE_RUN
    ", past AS ("
    "  SELECT p.version, p.since, p.until, true AS ran, p.owner, p.command FROM run JOIN chime.job_past p USING "
    "(job_id)"
    "   WHERE run.claimed_at >= p.since AND run.claimed_at < p.until LIMIT 1)"
    " SELECT p.version, p.since, p.until, p.ran, p.owner, nullif(p.command, '') FROM past p"
    " UNION ALL"
    " SELECT j.version, j.updated_at, NULL, run.claimed_at >= j.updated_at, j.owner, nullif(j.command, '')"
    "  FROM run JOIN chime.job j USING (job_id) WHERE NOT EXISTS (SELECT FROM past)";
const struct report_statement run_definitions_statement = {"run_definitions", definitions_sql, 3, examples};

static const char place_sql[] =
    "SELECT p.kind::text, p.slot FROM chime.job j CROSS JOIN LATERAL ("
    "  SELECT r.kind, r.slot FROM chime.run r WHERE r.job_id = j.job_id AND (r.run_id = $2::bigint OR r.slot = "
    "$3::timestamptz)"
    "  UNION ALL"
    "  SELECT l.kind, l.slot FROM unnest(enum_range(NULL::chime.run_kind)) AS k (kind)"
    "   CROSS JOIN LATERAL (SELECT h.run_id, h.kind, h.slot FROM chime.run_history h WHERE " JOB_HISTORY_BY_KEY
    "                         AND ($3::timestamptz IS NULL OR h.slot = $3::timestamptz)"
    "                       ORDER BY " JOB_HISTORY_LATEST " LIMIT 10000) l"
    "   WHERE l.run_id = $2::bigint OR l.slot = $3::timestamptz"
    "  UNION ALL"
    "  SELECT l.kind, l.slot FROM (SELECT h.run_id, h.kind, h.slot FROM chime.run_history h"
    "                               WHERE h.job_id = j.job_id AND h.state IN " FAILED_STATES
    "                               ORDER BY h.slot DESC LIMIT 10000) l WHERE l.run_id = $2::bigint) p"
    " WHERE j.name = $1 ORDER BY p.slot DESC LIMIT 1";
static const char *const place_examples[][QUESTION_PARAMETERS_MAX] = {
    {"example", "17", NULL}, {"example", NULL, "2026-01-01 00:00+00"}, {NULL}};
const struct report_statement run_place_statement = {"run_place", place_sql, 3, place_examples};

void run_place_ask(struct question *question, const char *job, const char *number, const char *slot)
{
    *question = (struct question){.id = REPORT_RUN_PLACE, .parameters = {job, number, slot}};
}

void run_detail_lists(struct output_list *lists[static RUN_DETAIL_LISTS])
{
    lists[LIST_RUNS] = run_list_create();
    lists[LIST_ATTEMPTS] = output_create("attempts", attempt_columns, COUNT_OF(attempt_columns));
    lists[LIST_WAITS] = output_create("waits", wait_columns, COUNT_OF(wait_columns));
    lists[LIST_UPSTREAMS] = output_create("upstreams", neighbour_columns, COUNT_OF(neighbour_columns));
    lists[LIST_DOWNSTREAMS] = output_create("downstreams", neighbour_columns, COUNT_OF(neighbour_columns));
    lists[LIST_DEFINITIONS] = output_create("definitions", definition_columns, COUNT_OF(definition_columns));
}

void run_detail_ask(struct question questions[static RUN_DETAIL_LISTS], const struct config_database *database,
                    const char *job, const char *kind, const char *slot)
{
    static const enum report_id ids[RUN_DETAIL_LISTS] = {
        [LIST_ATTEMPTS] = REPORT_RUN_ATTEMPTS,       [LIST_WAITS] = REPORT_RUN_WAITS,
        [LIST_UPSTREAMS] = REPORT_RUN_UPSTREAMS,     [LIST_DOWNSTREAMS] = REPORT_RUN_DOWNSTREAMS,
        [LIST_DEFINITIONS] = REPORT_RUN_DEFINITIONS,
    };
    run_list_ask(&questions[LIST_RUNS], database,
                 &(struct run_filter){.job = job, .kind = kind, .slot = slot, .limit = 1});
    for (size_t i = LIST_ATTEMPTS; i < RUN_DETAIL_LISTS; i++) {
        questions[i] = (struct question){.id = ids[i], .parameters = {job, kind, slot}};
    }
}

void run_detail_take(struct output_list *const *lists, const struct pg_rows answers[static RUN_DETAIL_LISTS])
{
    for (size_t i = 0; i < RUN_DETAIL_LISTS; i++) {
        output_take_rows(lists[i], &answers[i]);
    }
}

void run_detail_hide_commands(struct output_list *const *lists)
{
    output_clear(lists[LIST_DEFINITIONS], DEFINITION_COMMAND);
}
