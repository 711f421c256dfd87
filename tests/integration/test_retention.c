/* SPDX-License-Identifier: PostgreSQL */
/* Plugin retention under a real daemon: what goes, what never goes, and what is left when it is broken off. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define JOB "retention-events"
#define SECONDS 60
#define ENFORCED "enforce = true; batch_rows = 100;"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *folder;

static void configure(const char *settings)
{
    char *text = files_path("plugin: { name = \"retention\"; settings: { %s }; };\n", settings);
    site_file(site, "retention", text);
    free(text);
}

/* Of each event table, rows of every six hours for 150 days, the newest the first; and of now, so that one row is at
 * least five hours from any limit for as long as a test may take. */
static void fill(void)
{
    cluster_execute(
        cluster,
        "INSERT INTO agent_queries (id, agent, created_at)"
        " SELECT n, 'data', now() - n * interval '6 hours' - interval '1 hour' FROM generate_series(0, 599) AS n;"
        "INSERT INTO \"AgentQuery\" (id, agent, \"createdAt\") SELECT md5(id::text), agent, created_at FROM "
        "agent_queries;"
        "INSERT INTO agent_approvals (id, status, created_at, updated_at)"
        " SELECT id, 'approved', created_at, created_at FROM agent_queries;"
        "INSERT INTO agent_feedback (id, created_at, updated_at) SELECT id, created_at, created_at FROM agent_queries;"
        "INSERT INTO \"AgentFeedback\" (id, \"createdAt\") SELECT md5(id::text), created_at FROM agent_queries;"
        "INSERT INTO chat_telemetry (id, created_at) SELECT id, created_at FROM agent_queries;"
        "SELECT add_action_partitions(now(), 7, 1);"
        "INSERT INTO action_results (id, action_type, status, executed_at)"
        " SELECT id, 'email', 'success', created_at FROM agent_queries;"
        "CREATE TABLE action_results_before AS SELECT *, tableoid::regclass::text AS part FROM action_results");
}

static void make(struct cluster *made)
{
    cluster = made;
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    fill();
}

static void set_up(void)
{
    static const struct cluster_template filled = {"filled", make, NULL};

    cluster = cluster_create_from(&filled, NULL);
    site = site_create(cluster, "postgres", 4);
    folder = files_make_directory();
    char *from = files_path("%s", PGCHIME_BUILD_DIR "/plugins/retention.so");
    char *to = files_path("%s/retention.so", folder);
    files_copy(from, to);
    free(from);
    free(to);
    site_use_plugins(site, folder);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
    free(folder);
}

static void serve(void)
{
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'retention'", "installed", SECONDS);
    WAIT_SQL(cluster, "SELECT active FROM chime.job WHERE name = '" JOB "'", "t", SECONDS);
}

static void serve_with(const char *settings)
{
    configure(settings);
    serve();
}

static void run_well(void)
{
    runs_ask_and_await(cluster, JOB);
    EXPECT_RUN(cluster, JOB, "concat_ws(' ', state, message)", "succeeded DO");
}

/* The tables that are walked row by row: source, cold table, and the column of its age. */
static const struct {
    const char *source;
    const char *cold;
    const char *instant;
} walked[] = {{"agent_queries", "analytics.cold_agent_queries", "created_at"},
              {"\"AgentQuery\"", "analytics.\"cold_AgentQuery\"", "\"createdAt\""},
              {"agent_approvals", "analytics.cold_agent_approvals", "created_at"},
              {"agent_feedback", "analytics.cold_agent_feedback", "created_at"},
              {"\"AgentFeedback\"", "analytics.\"cold_AgentFeedback\"", "\"createdAt\""}};
#define WALKED (sizeof(walked) / sizeof(walked[0]))

/* How many rows a table has, and whether all of them are of an age from `least` to below `most` days. */
static void expect_ages(const char *table, const char *instant, const char *count, int least, int most)
{
    char *sql = files_path("SELECT count(*) || ' ' || coalesce(bool_and(%s <= now() - interval '%d days'"
                           " AND %s > now() - interval '%d days'), true) FROM %s",
                           instant, least, instant, most, table);
    char *expected = files_path("%s true", count);
    EXPECT_SQL(cluster, sql, expected);
    free(expected);
    free(sql);
}

/* --- reporting ---------------------------------------------------------------------------------------------------- */

START_TEST(nothing_goes_unless_it_is_enforced)
{
    serve_with("");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.retention_log", "0");
    char *would = cluster_rows(cluster, "SELECT source, action, object, rows FROM analytics.retention_dry_run()");
    run_well();
    for (size_t i = 0; i < WALKED; i++)
        expect_ages(walked[i].source, walked[i].instant, "600", 0, 151);
    EXPECT_SQL(cluster, "SELECT count(*) FROM action_results", "600");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname LIKE 'cold%'", "0");
    /* What it would have done is written down, and is what the dry run says. */
    char *logged = cluster_rows(cluster,
                                "SELECT source, action, object, rows FROM analytics.retention_log ORDER BY at");
    ck_assert_str_eq(logged, would);
    EXPECT_SQL(cluster, "SELECT bool_or(enforced) FROM analytics.retention_log", "f");
    EXPECT_SQL(cluster, "SELECT rows FROM analytics.retention_log WHERE source = 'agent_queries'", "480");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.retention_log WHERE source = 'chat_telemetry'", "0");
    free(would);
    free(logged);
}
END_TEST

START_TEST(tiers_are_counted_where_they_are)
{
    static const char tiers[] = "SELECT string_agg(concat_ws(' ', tier, kept_in, rows), ', ' ORDER BY newest DESC)"
                                " FROM analytics.retention_tiers() WHERE source = 'agent_approvals'";
    serve_with(ENFORCED);
    EXPECT_SQL(cluster, tiers,
               "hot public.agent_approvals 28, warm public.agent_approvals 92, due public.agent_approvals 480");
    run_well();
    EXPECT_SQL(
        cluster, tiers,
        "hot public.agent_approvals 28, warm public.agent_approvals 92, cold analytics.cold_agent_approvals 240");
}
END_TEST

/* --- what goes ---------------------------------------------------------------------------------------------------- */

START_TEST(rows_leave_at_thirty_days_are_kept_cold_and_go_at_ninety)
{
    serve_with(ENFORCED);
    run_well();
    for (size_t i = 0; i < WALKED; i++) {
        expect_ages(walked[i].source, walked[i].instant, "120", 0, 30);
        expect_ages(walked[i].cold, walked[i].instant, "240", 30, 90);
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM chat_telemetry", "600");
    /* What is cold has every column as it was. */
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM analytics.cold_agent_queries c JOIN \"AgentQuery\" q ON q.id = md5(c.id::text)",
               "0");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT agent, ' ') FROM analytics.cold_agent_queries", "data");
    EXPECT_SQL(cluster, "SELECT min(id) || ' ' || max(id) FROM analytics.cold_agent_queries", "120 359");
    /* A second run finds nothing; cold rows that have come of age go. */
    run_well();
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.cold_agent_queries", "240");
    cluster_execute(cluster, "UPDATE analytics.cold_agent_queries SET created_at = created_at - interval '30 days'");
    run_well();
    expect_ages("analytics.cold_agent_queries", "created_at", "120", 60, 90);
    EXPECT_SQL(cluster,
               "SELECT rows FROM analytics.retention_log WHERE action = 'expire' AND source = 'agent_queries'"
               " ORDER BY at DESC LIMIT 1",
               "120");
}
END_TEST

/* Which partition a row was in says which month it is of: that is asked of the calendar here, not of the bounds. */
START_TEST(a_partition_goes_as_a_whole_once_its_month_is_past_the_limit)
{
    static const char gone[] =
        "SELECT count(*) FROM action_results_before b WHERE (date_trunc('month', b.executed_at AT TIME"
        " ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' <= now() - interval '30 days'";
    serve_with(ENFORCED);
    char *old = cluster_value(cluster, gone);
    ck_assert_int_gt(atoi(old), 300);
    run_well();
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM action_results_before) - (SELECT count(*) FROM action_results)",
               old);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM action_results_before b WHERE executed_at > now() - interval '30 days'"
               " AND NOT EXISTS (SELECT FROM action_results r WHERE r.id = b.id)",
               "0");
    /* Detached, they are still there by their names; those past ninety days are dropped by the next run. */
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM analytics.retention_detached d JOIN pg_class c ON c.oid = to_regclass(d.name)"
               " WHERE c.relispartition",
               "0");
    run_well();
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM (SELECT part, max(executed_at) AS newest FROM action_results_before GROUP BY part) p"
        " WHERE (to_regclass(p.part) IS NULL) <> ((date_trunc('month', p.newest AT TIME ZONE 'UTC')"
        " + interval '1 month') AT TIME ZONE 'UTC' <= now() - interval '90 days')",
        "0");
    EXPECT_SQL(cluster, "SELECT count(*) >= 1 FROM analytics.retention_log WHERE action = 'drop' AND rows > 0", "t");
    free(old);
}
END_TEST

START_TEST(rows_of_the_default_partition_are_moved)
{
    cluster_execute(cluster, "INSERT INTO action_results (id, action_type, status, executed_at)"
                             " VALUES (9001, 'email', 'success', now() - interval '400 days'),"
                             "        (9002, 'email', 'success', now() + interval '400 days')");
    cluster_execute(cluster, "SELECT add_action_partitions(now() - interval '50 years', 1, 1)");
    serve_with(ENFORCED);
    run_well();
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ') FROM action_results WHERE id > 9000", "9002");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.cold_action_results", "0");
}
END_TEST

START_TEST(limits_are_those_of_the_settings)
{
    serve_with(
        "enforce = true; hot = \"1d\"; warm = \"48h\"; cold = \"48h\"; tables = \"chat_telemetry, AgentQuery\";");
    run_well();
    expect_ages("chat_telemetry", "created_at", "8", 0, 2);
    expect_ages("\"AgentQuery\"", "\"createdAt\"", "8", 0, 2);
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.cold_chat_telemetry", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries", "600");
}
END_TEST

/* --- what never goes ---------------------------------------------------------------------------------------------- */

START_TEST(what_is_pending_or_was_touched_lately_or_has_no_instant_stays)
{
    cluster_execute(cluster, "ALTER TABLE agent_queries ALTER created_at DROP NOT NULL;"
                             "UPDATE agent_queries SET created_at = NULL WHERE id = 500;"
                             "UPDATE agent_queries SET created_at = '-infinity' WHERE id = 501;"
                             "UPDATE agent_approvals SET status = 'pending' WHERE id = 502;"
                             "UPDATE agent_approvals SET updated_at = now() WHERE id = 503;"
                             "UPDATE agent_approvals SET reviewed_at = now() WHERE id = 504;"
                             "UPDATE agent_feedback SET updated_at = now() WHERE id = 505");
    serve_with(ENFORCED);
    run_well();
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM agent_queries WHERE id >= 120", "500 501");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM agent_approvals WHERE id >= 120",
               "502 503 504");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM agent_feedback WHERE id >= 120", "505");
}
END_TEST

START_TEST(the_clock_that_definitions_go_by_makes_nothing_older)
{
    cluster_execute(cluster, "ALTER DATABASE postgres SET chime.as_of = '2100-01-01 00:00Z'");
    serve_with(ENFORCED);
    EXPECT_SQL(cluster, "SELECT rows FROM analytics.retention_dry_run() WHERE object = 'public.agent_queries'", "480");
    run_well();
    expect_ages("agent_queries", "created_at", "120", 0, 30);
}
END_TEST

static void put_plugin(const char *name)
{
    char *from = files_path("%s/plugins/%s", PGCHIME_BUILD_DIR, name);
    char *to = files_path("%s/%s", folder, name);
    files_copy(from, to);
    free(from);
    free(to);
}

static void put_view(const char *name, const char *text)
{
    char *path = files_path("%s/%s.sql", folder, name);
    files_write(path, text);
    free(path);
}

/* Views that freeze rows after sixty days keep them in their tables for so long, where it is thirty else; and keep
 * their own rows for ever. */
START_TEST(rows_that_a_view_needs_until_they_are_frozen_stay)
{
    put_plugin("telemetry.so");
    site_file(site, "telemetry",
              "plugin: { name = \"telemetry\"; frozen: {"
              " chat_telemetry_rollups = \"bucket_start < chime.as_of() - interval '30 days'\";"
              " chat_telemetry_domain_rollups = \"bucket_start < chime.as_of() - interval '30 days'\";"
              " chat_telemetry_model_rollups = \"bucket_start < chime.as_of() - interval '30 days'\"; }; };");
    put_view("agent_days",
             "-- frozen: day < chime.as_of() - interval '60 days'\n-- schedule: @yearly\n"
             "SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS n FROM agent_queries GROUP BY 1;");
    put_view("action_days",
             "-- frozen: day < chime.as_of() - interval '60 days'\n-- schedule: @yearly\n"
             "SELECT (executed_at AT TIME ZONE 'UTC')::date AS day, count(*) AS n FROM action_results GROUP BY 1;");
    put_view("feedback_ranks",
             "-- frozen: at < chime.as_of() - interval '60 days'\n-- schedule: @yearly\n-- key: at\n"
             "SELECT created_at AS at, rank() OVER (ORDER BY count(*)) AS place FROM agent_feedback GROUP BY 1;");
    serve_with("enforce = true; batch_rows = 100;"
               " tables = \"agent_queries, agent_feedback, AgentFeedback, action_results, chat_telemetry\";");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", SECONDS);
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || count(frozen_at) FROM chime.view v JOIN chime.view_refresh USING "
               "(view_schema, relation) WHERE frozen IS NOT NULL",
               "6 6");
    cluster_execute(cluster, "CREATE TABLE days_before AS TABLE analytics.agent_days; CREATE TABLE rollups_before AS "
                             "TABLE analytics.chat_telemetry_rollups;"
                             "CREATE TABLE action_days_before AS TABLE analytics.action_days");
    runs_ask_and_await(cluster, JOB);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT note, '; ') FROM analytics.retention_log WHERE source = 'agent_feedback'",
               "view analytics.feedback_ranks freezes rows, and which rows of public.agent_feedback the others need is "
               "not known");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_feedback", "600");
    expect_ages("\"AgentFeedback\"", "\"createdAt\"", "120", 0, 30);
    /* by the day: those whose day began less than sixty days before the view's refresh */
    EXPECT_SQL(cluster,
               "SELECT (SELECT count(*) FROM agent_queries) - count(*) FROM action_results_before, chime.view_refresh "
               "WHERE relation = "
               "'agent_days' AND date_trunc('day', executed_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' >= frozen_at - "
               "interval '60 days'",
               "0");
    EXPECT_SQL(cluster,
               "SELECT split_part(min(note), '; ', 1) FROM analytics.retention_log WHERE source = 'agent_queries' AND "
               "action = 'move'",
               "view analytics.agent_days needs rows until its column day has been 60 days ago at a refresh");
    expect_ages("chat_telemetry", "created_at", "120", 0, 30);
    EXPECT_SQL(cluster,
               "SELECT count(*) >= 1 FROM analytics.retention_log WHERE action = 'detach' AND note LIKE 'view "
               "analytics.action_days needs rows of it until 20%'",
               "t");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM action_results_before b JOIN chime.view_refresh r ON r.relation = 'action_days'"
               " WHERE b.executed_at >= r.frozen_at - interval '60 days' AND NOT EXISTS (SELECT FROM action_results a "
               "WHERE a.id = b.id)",
               "0");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM action_results) < (SELECT count(*) FROM action_results_before)",
               "t");
    cluster_execute(cluster, "SELECT chime.refresh(view_schema || '.' || relation, true) FROM chime.view");
    EXPECT_SQL(cluster, "SELECT count(*) FROM (TABLE days_before EXCEPT TABLE analytics.agent_days) AS lost", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM (TABLE action_days_before EXCEPT TABLE analytics.action_days) AS lost",
               "0");
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM rollups_before b WHERE NOT EXISTS (SELECT FROM analytics.chat_telemetry_rollups r WHERE"
        " (r.bucket_start, r.granularity, r.total_requests) = (b.bucket_start, b.granularity, b.total_requests))",
        "0");
    EXPECT_SQL(cluster, "SELECT sum(late) FROM chime.view_refresh", "0");
}
END_TEST

START_TEST(a_detached_partition_that_has_younger_rows_now_is_not_dropped)
{
    static const char oldest[] = "SELECT name FROM analytics.retention_detached WHERE source = 'action_results'"
                                 " AND name LIKE 'public.action%' AND ends <= now() - interval '90 days'"
                                 " ORDER BY ends DESC LIMIT 1";
    serve_with(ENFORCED);
    run_well();
    char *name = cluster_value(cluster, oldest);
    ck_assert_ptr_nonnull(name);
    cluster_execute_format(cluster, "INSERT INTO %s (id, action_type, status) VALUES (9003, 'email', 'success')", name);
    runs_ask_and_await(cluster, JOB);
    char *message = files_path("drop %s: %s was detached and holds younger rows now", name, name);
    EXPECT_RUN(cluster, JOB, "split_part(message, E'\\n', 1)", message);
    char *there = files_path("SELECT count(*) FROM %s WHERE id = 9003", name);
    EXPECT_SQL(cluster, there, "1");
    free(there);
    free(message);
    free(name);
}
END_TEST

START_TEST(a_table_whose_rows_take_others_with_them_is_refused)
{
    cluster_execute(cluster, "CREATE TABLE notes (query_id bigint REFERENCES agent_queries ON DELETE CASCADE);"
                             "INSERT INTO notes SELECT id FROM agent_queries");
    serve_with(ENFORCED);
    runs_ask_and_await(cluster, JOB);
    EXPECT_RUN(cluster, JOB, "split_part(message, E'\\n', 1)",
               "move public.agent_queries: deleting from it would also change public.notes, by notes_query_id_fkey");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM notes) || ' ' || (SELECT count(*) FROM agent_queries)",
               "600 600");
    /* The others are done all the same. */
    expect_ages("agent_feedback", "created_at", "120", 0, 30);
}
END_TEST

START_TEST(a_table_of_somebody_else_in_the_place_of_a_cold_one_is_left_alone)
{
    cluster_execute(cluster, "CREATE SCHEMA analytics; CREATE TABLE analytics.cold_agent_queries (mine text)");
    serve_with(ENFORCED);
    runs_ask_and_await(cluster, JOB);
    EXPECT_RUN(cluster, JOB,
               "message LIKE 'move public.agent_queries: analytics.cold_agent_queries is not retention''s own%'", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries", "600");
}
END_TEST

/* --- in small transactions ---------------------------------------------------------------------------------------- */

/* Somebody deletes a row slowly: the job stands still in the third batch of a hundred. */
static void hold_up_the_third_batch(void)
{
    cluster_execute(cluster,
                    "CREATE TABLE held_up (); CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    " IF to_regclass('public.held_up') IS NOT NULL THEN PERFORM pg_sleep(600); END IF;"
                    " RETURN OLD; END $$;"
                    "CREATE TRIGGER hold_up BEFORE DELETE ON agent_queries FOR EACH ROW WHEN (OLD.id = 450)"
                    " EXECUTE FUNCTION hold_up()");
}

START_TEST(what_was_killed_half_way_is_taken_up_and_nothing_is_lost_or_twice)
{
    hold_up_the_third_batch();
    serve_with(ENFORCED " triggers = \"agent_queries.hold_up\";");
    runs_ask(cluster, JOB);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1", SECONDS);
    /* The batches before are done, each by itself; its own is not, in part or whole. */
    EXPECT_SQL(cluster, "SELECT min(id) || ' ' || count(*) FROM agent_queries WHERE id >= 120", "400 200");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.cold_agent_queries", "240");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT xmin::text) FROM analytics.cold_agent_queries", "3");
    cluster_execute(cluster, "DROP TABLE held_up;"
                             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    runs_await(cluster, JOB, 1);
    EXPECT_RUN(cluster, JOB, "concat_ws(' ', state, attempt)", "succeeded 2");
    expect_ages("agent_queries", "created_at", "120", 0, 30);
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || count(DISTINCT id) FROM analytics.cold_agent_queries", "240 240");
    expect_ages("agent_feedback", "created_at", "120", 0, 30);
}
END_TEST

START_TEST(rows_in_use_are_left_for_the_next_run)
{
    serve_with(ENFORCED);
    PGconn *user = cluster_connect(cluster, "postgres");
    PQclear(PQexec(user, "BEGIN; UPDATE agent_queries SET agent = 'engineer' WHERE id = 450"));
    run_well();
    EXPECT_SQL(cluster, "SELECT min(id) || ' ' || max(id) FROM agent_queries WHERE id >= 120", "400 499");
    EXPECT_SQL(cluster, "SELECT rows || ' ' || note FROM analytics.retention_log WHERE object = 'public.agent_queries'",
               "380 1 batches met locks and wait for the next run");
    PQclear(PQexec(user, "ROLLBACK"));
    PQfinish(user);
    run_well();
    expect_ages("agent_queries", "created_at", "120", 0, 30);
}
END_TEST

START_TEST(a_partition_in_use_is_tried_again)
{
    serve_with(ENFORCED);
    PGconn *user = cluster_connect(cluster, "postgres");
    PQclear(PQexec(user, "BEGIN; SELECT count(*) FROM action_results"));
    runs_ask(cluster, JOB);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM chime.attempt WHERE sqlstate = '55P03'", "t", SECONDS);
    PQclear(PQexec(user, "COMMIT"));
    PQfinish(user);
    runs_await(cluster, JOB, 1);
    EXPECT_RUN(cluster, JOB, "state || ' ' || (attempt > 1)", "succeeded true");
    EXPECT_SQL(cluster, "SELECT count(*) > 2 FROM analytics.retention_detached", "t");
}
END_TEST

START_TEST(a_column_that_a_source_has_gained_is_kept_too)
{
    serve_with(ENFORCED);
    run_well();
    cluster_execute(cluster, "ALTER TABLE agent_queries ADD COLUMN \"tokens %L\" numeric(8,2) DEFAULT 7.25;"
                             "INSERT INTO agent_queries (id, created_at) VALUES (9004, now() - interval '40 days')");
    run_well();
    EXPECT_SQL(cluster, "SELECT \"tokens %L\" FROM analytics.cold_agent_queries WHERE id = 9004", "7.25");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.cold_agent_queries WHERE \"tokens %L\" IS NULL", "240");
}
END_TEST

/* --- settings and rights ------------------------------------------------------------------------------------------ */

START_TEST(settings_that_make_no_sense_take_nothing_away)
{
    serve_with("enforce = true; warm = \"5d\";");
    runs_ask_and_await(cluster, JOB);
    EXPECT_RUN(cluster, JOB, "concat_ws(' ', state, split_part(message, E'\\n', 1))",
               "failed hot is 7d, warm is 5d, cold is 90d: each must be as long as the one before, or longer");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries", "600");
    site_end(served);
    daemon_destroy(served);
    serve_with("enforce = true; tables = \"agent_queries, submissions\";");
    runs_ask_and_await(cluster, JOB);
    EXPECT_RUN(cluster, JOB, "split_part(message, E'\\n', 1)", "retention does not know a table \"submissions\"");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries", "600");
}
END_TEST

START_TEST(a_role_without_rights_is_told_what_to_ask_for)
{
    cluster_execute(cluster, "CREATE ROLE keeper; GRANT SELECT ON ALL TABLES IN SCHEMA public TO keeper");
    serve_with("");
    cluster_execute(cluster, "GRANT USAGE ON SCHEMA chime, analytics TO keeper;"
                             "GRANT SELECT ON ALL TABLES IN SCHEMA chime, analytics TO keeper;"
                             "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA chime, analytics TO keeper; SET ROLE keeper");
    EXPECT_SQL(cluster, "SELECT obstacle FROM analytics.retention_dry_run() WHERE source = 'AgentQuery'",
               "let its owner run: GRANT SELECT, DELETE ON public.\"AgentQuery\" TO keeper");
    EXPECT_SQL(
        cluster,
        "SELECT count(*) > 2 AND bool_and(obstacle = format('keeper does not own it; let its owner run: ALTER TABLE "
        "public.action_results DETACH PARTITION %s', object)) FROM analytics.retention_dry_run()"
        " WHERE action = 'detach'",
        "t");
    /* Who reads views may not look into sources by it. */
    cluster_execute(cluster, "SET ROLE analytics_reader");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM analytics.retention_dry_run()"), "42501");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

START_TEST(init_grants_deletion_where_it_is_enforced_and_nowhere_else)
{
    char *configuration = files_path("%s/pgchime.conf", folder);
    char *parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/retention.conf", parts);
    char *output = NULL;
    files_make_folder(parts);
    files_write(configuration, "databases: { main: { conninfo = \"dbname=app\"; }; };\nconf_dir = \"conf.d\";\n");
    files_write(part, "plugin: { name = \"retention\"; settings: { enforce = false; }; };\n");
    setenv("PGCHIME_CONFIG", configuration, 1);
    const char *const words[] = {"init", "--sql", "app", NULL};
    ck_assert_int_eq(daemon_run(words, &output, NULL), 0);
    ck_assert_ptr_null(strstr(output, "DELETE"));
    free(output);
    files_write(part, "plugin: { name = \"retention\"; settings: { enforce = true; }; };\n");
    ck_assert_int_eq(daemon_run(words, &output, NULL), 0);
    /* The last block, as it stands. */
    char *block = strstr(output, "\nDO $roles$\nDECLARE");
    ck_assert_ptr_nonnull(block);
    cluster_execute(cluster, "CREATE ROLE pgchime");
    cluster_execute(cluster, block);
    EXPECT_SQL(cluster,
               "SELECT string_agg(relname, ' ' ORDER BY relname COLLATE \"C\") FROM pg_class WHERE relnamespace = "
               "'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND "
               "has_table_privilege('pgchime', oid,"
               " 'DELETE')",
               "AgentFeedback AgentQuery action_results agent_approvals agent_feedback agent_queries");
    EXPECT_SQL(cluster,
               "SELECT bool_and(has_table_privilege('pgchime', relid, 'DELETE')) FROM"
               " pg_partition_tree('action_results')",
               "t");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('pgchime', 'agent_queries', 'UPDATE, INSERT, TRUNCATE')", "f");
    free(output);
    free(configuration);
    free(parts);
    free(part);
}
END_TEST

/* conf.d/retention.conf with every "#" taken away, and enabled, changes nothing: its defaults are the plugin's. */
START_TEST(the_sample_file_has_the_plugins_defaults)
{
    static const char recorded[] =
        "SELECT p.settings::text || j.schedule || j.options::text FROM chime.plugin p, chime.job j"
        " WHERE p.name = 'retention' AND j.name = '" JOB "'";
    char *text = files_read(PGCHIME_SOURCE_DIR "/conf.d/retention.conf");
    serve();
    char *defaults = cluster_value(cluster, recorded);
    site_end(served);
    daemon_destroy(served);
    int shown = 0;
    for (char *at = strstr(text, "\n        # "); at != NULL; at = strstr(at + 1, "\n        # "), shown++)
        at[9] = ' ';
    ck_assert_int_gt(shown, 20);
    char *database = strstr(text, "database = \"main\";           # default: the plugin's");
    ck_assert_ptr_nonnull(database);
    char *enabled = strstr(text, "enabled = false");
    ck_assert_ptr_nonnull(enabled);
    memcpy(enabled, "enabled = true ", strlen("enabled = true "));
    site_file(site, "retention", text);
    serve();
    EXPECT_SQL(cluster, recorded, defaults);
    free(defaults);
    free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("retention");
    TCase *cases = tcase_create("retention");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, nothing_goes_unless_it_is_enforced);
    tcase_add_test(cases, tiers_are_counted_where_they_are);
    tcase_add_test(cases, rows_leave_at_thirty_days_are_kept_cold_and_go_at_ninety);
    tcase_add_test(cases, a_partition_goes_as_a_whole_once_its_month_is_past_the_limit);
    tcase_add_test(cases, rows_of_the_default_partition_are_moved);
    tcase_add_test(cases, limits_are_those_of_the_settings);
    tcase_add_test(cases, what_is_pending_or_was_touched_lately_or_has_no_instant_stays);
    tcase_add_test(cases, the_clock_that_definitions_go_by_makes_nothing_older);
    tcase_add_test(cases, rows_that_a_view_needs_until_they_are_frozen_stay);
    tcase_add_test(cases, a_detached_partition_that_has_younger_rows_now_is_not_dropped);
    tcase_add_test(cases, a_table_whose_rows_take_others_with_them_is_refused);
    tcase_add_test(cases, a_table_of_somebody_else_in_the_place_of_a_cold_one_is_left_alone);
    tcase_add_test(cases, what_was_killed_half_way_is_taken_up_and_nothing_is_lost_or_twice);
    tcase_add_test(cases, rows_in_use_are_left_for_the_next_run);
    tcase_add_test(cases, a_partition_in_use_is_tried_again);
    tcase_add_test(cases, a_column_that_a_source_has_gained_is_kept_too);
    tcase_add_test(cases, settings_that_make_no_sense_take_nothing_away);
    tcase_add_test(cases, a_role_without_rights_is_told_what_to_ask_for);
    tcase_add_test(cases, init_grants_deletion_where_it_is_enforced_and_nowhere_else);
    tcase_add_test(cases, the_sample_file_has_the_plugins_defaults);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
