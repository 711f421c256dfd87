/* SPDX-License-Identifier: PostgreSQL */
/* What is asked of a database's ledger, for the command line and for pages.
 *
 * Does: keep every statement in one table, each with examples of its parameters, so that a test can ask the server how
 *   it carries out each of them (integration/test_report_plans): none may read the history from one end to the other.
 *   A question names its statement by its place in the table; there is no other way to ask.
 * Does not: ask. That is done by pg/client.h, or without waiting by pg/connection.h.
 * A report is three functions: NAME_create makes the list, NAME_ask the question, and NAME_take makes rows of the
 * answer; where its columns are simply those of the list, output_take_rows does. */
#ifndef CHIME_REPORT_STATEMENTS_H
#define CHIME_REPORT_STATEMENTS_H

#include <stddef.h>

#define QUESTION_PARAMETERS_MAX 14

/* The identifier of each, and the statement. */
#define REPORT_STATEMENTS(EACH)                                           \
    EACH(REPORT_JOBS, jobs_statement)                                     \
    EACH(REPORT_JOB_NAMES, job_names_statement)                           \
    EACH(REPORT_JOB_ID, job_id_statement)                                 \
    EACH(REPORT_JOB_COUNT, job_count_statement)                           \
    EACH(REPORT_JOB_NUMBERS, job_numbers_statement)                       \
    EACH(REPORT_ACTIONS, actions_statement)                               \
    EACH(REPORT_LEADERSHIPS, leaderships_statement)                       \
    EACH(REPORT_RUN_SESSIONS, run_sessions_statement)                     \
    EACH(REPORT_NOTIFICATIONS, notifications_statement)                   \
    EACH(REPORT_VIEWS, views_statement)                                   \
    EACH(REPORT_TILES, tiles_statement)                                   \
    EACH(REPORT_TILE_PLUGINS, tile_plugins_statement)                     \
    EACH(REPORT_TILE_ROWS, tile_rows_statement)                           \
    EACH(REPORT_TILE_MOVES, tile_moves_statement)                         \
    EACH(REPORT_ALERTS, alerts_statement)                                 \
    EACH(REPORT_ALL_ALERTS, all_alerts_statement)                         \
    EACH(REPORT_SILENCES, silences_statement)                             \
    EACH(REPORT_ALERT_RULES, alert_rules_statement)                       \
    EACH(REPORT_RUNS, runs_statement)                                     \
    EACH(REPORT_FAILURES, failures_statement)                             \
    EACH(REPORT_RUN_ATTEMPTS, run_attempts_statement)                     \
    EACH(REPORT_RUN_WAITS, run_waits_statement)                           \
    EACH(REPORT_RUN_UPSTREAMS, run_upstreams_statement)                   \
    EACH(REPORT_RUN_DOWNSTREAMS, run_downstreams_statement)               \
    EACH(REPORT_RUN_DEFINITIONS, run_definitions_statement)               \
    EACH(REPORT_RUN_PLACE, run_place_statement)                           \
    EACH(REPORT_JOB_DAYS, job_days_statement)                             \
    EACH(REPORT_JOB_VERSIONS, job_versions_statement)                     \
    EACH(REPORT_NEXT_OF_JOB, next_of_job_statement)                       \
    EACH(REPORT_DATABASE, database_statement)                             \
    EACH(REPORT_STANDBY, standby_statement)                               \
    EACH(REPORT_DATABASE_PROBLEMS, database_problems_statement)           \
    EACH(REPORT_JOB_PROBLEMS, job_problems_statement)                     \
    EACH(REPORT_PLUGIN_PROBLEMS, plugin_problems_statement)               \
    EACH(REPORT_SERVER_FINDINGS, server_findings_statement)               \
    EACH(REPORT_LEADER_FINDINGS, leader_findings_statement)               \
    EACH(REPORT_OWNER_FINDINGS, owner_findings_statement)                 \
    EACH(REPORT_CONFIGURATION_FINDINGS, configuration_findings_statement) \
    EACH(REPORT_WORK_FINDINGS, work_findings_statement)                   \
    EACH(REPORT_KEPT_FINDINGS, kept_findings_statement)                   \
    EACH(REPORT_OTHERS_FINDINGS, others_findings_statement)               \
    EACH(REPORT_CRON_FINDINGS, cron_findings_statement)                   \
    EACH(REPORT_WRITERS_FINDINGS, writers_findings_statement)             \
    EACH(REPORT_ZONE_FINDINGS, zone_findings_statement)                   \
    EACH(REPORT_CALENDAR_WORK, calendar_work_statement)                   \
    EACH(REPORT_SERVER_CLOCK, server_clock_statement)                     \
    EACH(REPORT_GRAPH_JOBS, graph_jobs_statement)                         \
    EACH(REPORT_WHY, why_statement)                                       \
    EACH(REPORT_WHY_UPSTREAMS, why_upstreams_statement)                   \
    EACH(REPORT_WHY_SLOT, why_slot_statement)                             \
    EACH(REPORT_WHY_FAILING, why_failing_statement)                       \
    EACH(REPORT_ACTIVE_JOBS, active_jobs_statement)                       \
    EACH(REPORT_CALENDARS, calendars_statement)                           \
    EACH(REPORT_CALENDAR_JOBS, calendar_jobs_statement)                   \
    EACH(REPORT_METRICS, metrics_statement)                               \
    EACH(REPORT_METRIC_PULSE, metric_pulse_statement)                     \
    EACH(REPORT_METRIC_VIEWS, metric_views_statement)                     \
    EACH(REPORT_METRIC_JOBS, metric_jobs_statement)

#define REPORT_ID(id, statement) id,
enum report_id { REPORT_STATEMENTS(REPORT_ID) REPORT_STATEMENT_COUNT };
#undef REPORT_ID

/* Parameters are text, NULL is SQL NULL. Examples are of a job that is named example, and end with one that begins with
 * NULL; a statement without parameters has NULL. */
struct report_statement {
    const char *name;
    const char *sql;
    size_t parameter_count;
    const char *const (*examples)[QUESTION_PARAMETERS_MAX];
};

#define REPORT_DECLARE(id, statement) extern const struct report_statement statement;
REPORT_STATEMENTS(REPORT_DECLARE)
#undef REPORT_DECLARE

const struct report_statement *report_statement(enum report_id id);

/* Stays where it was filled in: parameters may point into it. */
struct question {
    enum report_id id;
    const char *parameters[QUESTION_PARAMETERS_MAX]; /* borrowed */
    char number[24];
};

#endif
