/* SPDX-License-Identifier: PostgreSQL */
#include "report/database_list.h"

#include "base/memory.h"
#include "report/calendars.h"
#include "report/problems.h"

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"REACHABLE", "reachable", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"SCHEMA", "schema", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LEADER", "leader", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SINCE", "leader_since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"EPOCH", "epoch", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SESSION", "leader_session", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"HEARTBEAT", "heartbeat_age_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"FOLLOWERS", "followers", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TIMELINE", "timeline", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"JOBS", "jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ACTIVE", "active_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LIVE", "live_runs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"FAILING", "failing_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SUSPENDED", "suspended_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LATE", "late_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ASKED", "requests", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"VIEWS", "views", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"CLOCK", "database_now", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"STANDBY", "standby_behind_ms", OUTPUT_DURATION, OUTPUT_WIDER},
    {"NEXT", "next_slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"PROBLEM", "problem", OUTPUT_FINDING, OUTPUT_ALWAYS},
};
enum { COLUMN_DATABASE, COLUMN_REACHABLE, COLUMN_LATE = 15, COLUMN_NEXT = 20, COLUMN_PROBLEM };

/* Since what a standby has last was committed, in microseconds; NULL: it is none. */
#define STANDBY_BEHIND_SQL                                                                          \
    "CASE WHEN pg_is_in_recovery() THEN (extract(epoch FROM greatest(clock_timestamp() - coalesce(" \
    "pg_last_xact_replay_timestamp(), pg_postmaster_start_time()), interval '0')) * 1000000)::bigint END"

/* A leader whose session is gone leads no more; who it was is still said. */
static const char status_sql[] =
    "SELECT $1::text, true, (SELECT max(number) FROM chime.migration), CASE WHEN o.here THEN l.instance END,"
    "       CASE WHEN o.here THEN l.since END, l.epoch, s.alive,"
    "       (extract(epoch FROM s.heartbeat_age) * 1000000)::bigint,"
    "       nullif(array_to_string(s.followers, ', '), ''), l.timeline,"
    "       j.jobs, j.jobs - " IDLE_JOBS_SQL ","
    "       (SELECT count(*) FROM chime.run),"
    "       (SELECT count(*) FROM chime.job_state s JOIN chime.job f USING (job_id) WHERE f.active AND "
    "s.consecutive_failures > 0),"
    "       (SELECT count(*) FROM chime.job_state s JOIN chime.job f USING (job_id) WHERE f.active AND s.suspended_at "
    "IS NOT NULL), NULL,"
    "       (SELECT count(*) FROM chime.request), (SELECT count(*) FROM chime.view), clock_timestamp(),"
    "       " STANDBY_BEHIND_SQL "  FROM chime.leader l, chime.leader_status s, (SELECT " ALL_JOBS_SQL " AS jobs) j,"
    "       LATERAL (SELECT l.pid IS NOT NULL AND chime.copy_of() IS NULL AS here) o"; /* not the one of the original */

/* What keeps jobs from running as they should though the database answers; each with the way out. */
static const char database_problems_sql[] = LEADER_PROBLEMS_SQL
    " UNION ALL " WATCH_PROBLEMS_SQL " UNION ALL " PLUGIN_PROBLEMS_SQL " UNION ALL " WRONG_PROBLEMS_SQL
    " UNION ALL " VIEW_PROBLEMS_SQL;
static const char plugin_problems_sql[] = "SELECT p.message, p.way_out FROM " PLUGIN_PROBLEMS_SQL " p";
static const char job_problems_sql[] = JOB_PROBLEMS_SQL
    " UNION ALL " CURSOR_PROBLEMS_SQL " UNION ALL " KEPT_PROBLEMS_SQL " UNION ALL " LEDGER_PROBLEMS_SQL
    " UNION ALL " ALERT_PROBLEMS_SQL;

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"main"}, {NULL}};
const struct report_statement database_statement = {"database", status_sql, 1, examples};
const struct report_statement standby_statement = {"standby", "SELECT " STANDBY_BEHIND_SQL, 0, NULL};
const struct report_statement database_problems_statement = {"database_problems", database_problems_sql, 1, examples};
const struct report_statement job_problems_statement = {"job_problems", job_problems_sql, 0, NULL};
const struct report_statement plugin_problems_statement = {"plugin_problems", plugin_problems_sql, 0, NULL};

struct output_list *database_list_create(void)
{
    return output_create("databases", columns, COUNT_OF(columns));
}

void database_list_ask(struct question *question, const struct config_database *database)
{
    *question = (struct question){.id = REPORT_DATABASE, .parameters = {database->name}};
}

void standby_behind_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_STANDBY};
}

void database_problems_ask(struct question *question, const struct config_database *database)
{
    *question = (struct question){.id = REPORT_DATABASE_PROBLEMS, .parameters = {database->name}};
}

void job_problems_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_JOB_PROBLEMS};
}

void plugin_problems_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_PLUGIN_PROBLEMS};
}

void database_list_take(struct output_list *list, const struct pg_rows *rows)
{
    output_take_rows(list, rows);
}

void database_list_take_unknown(struct output_list *list, const struct config_database *database)
{
    output_add_row(list);
    output_set(list, COLUMN_DATABASE, database->name);
}

void database_list_set_due(struct output_list *list, const struct due_jobs *due)
{
    output_set_instant(list, COLUMN_NEXT, due->next);
    output_set_number(list, COLUMN_LATE, (int64_t)due->late);
}

void database_list_set_reachable(struct output_list *list, bool reachable)
{
    output_set_number(list, COLUMN_REACHABLE, reachable);
}

void database_list_set_problem(struct output_list *list, const char *words)
{
    output_set(list, COLUMN_PROBLEM, words);
}
