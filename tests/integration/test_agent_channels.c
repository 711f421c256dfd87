/* SPDX-License-Identifier: PostgreSQL */
/* What agent_performance, query_performance and approval_queue do beside their relations: notifications, refreshes that
 * somebody asks for at once, plain views, tiles and alerts. */
#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "pgchime/plugin.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/views/agents.h"

static struct agents agents;
static struct cluster *cluster;
static PGconn *listener;

static void set_up(void)
{
    agents = agents_create();
    cluster = agents.cluster;
}

static void set_up_channels(void)
{
    set_up();
    agents_run_file(&agents, "agent_performance");
    agents_run_file(&agents, "approval_queue");
    listener = cluster_connect(cluster, "postgres");
    session_execute(listener,
                    "LISTEN agent_queries_stream; LISTEN performance_alert_stream; LISTEN approval_queue_stream");
    cluster_execute(cluster,
                    "CREATE TABLE public.told (n integer GENERATED ALWAYS AS IDENTITY, channel text, payload text,"
                    " told json GENERATED ALWAYS AS (payload::json) STORED)");
}

static void tear_down(void)
{
    PQfinish(listener);
    agents_destroy(&agents);
}

/* What was notified until now goes to public.told: its payload must be JSON. */
static void hear(void)
{
    PGconn *writer = cluster_connect(cluster, "postgres");
    session_execute(listener, "SELECT 1"); /* what was committed before comes with the answer */
    for (PGnotify *told = PQnotifies(listener); told != NULL; told = PQnotifies(listener)) {
        const char *values[] = {told->relname, told->extra};
        PGresult *result = PQexecParams(writer, "INSERT INTO public.told (channel, payload) VALUES ($1, $2)", 2, NULL,
                                        values, NULL, NULL, 0);
        ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", told->extra, PQerrorMessage(writer));
        PQclear(result);
        PQfreemem(told);
    }
    PQfinish(writer);
}

/* Statements, and the notifications of one channel that they bring about: an expression over each. */
static void expect_told(const char *sql, const char *channel, const char *expression, const char *expected)
{
    cluster_execute(cluster, "TRUNCATE public.told");
    cluster_execute(cluster, sql);
    hear();
    char *query = files_path(
        "SELECT coalesce(string_agg(%s, ', ' ORDER BY n), '') FROM public.told WHERE channel = '%s'", expression,
        channel);
    EXPECT_SQL(cluster, query, expected);
    free(query);
}

#define KEYS "(SELECT string_agg(k, ' ' ORDER BY k) FROM json_object_keys(told) AS k)"

/* --- channels ----------------------------------------------------------------------------------------------------- */

START_TEST(nothing_is_notified_unless_asked_for)
{
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'trg\\_notify%'", "0");
}
END_TEST

START_TEST(payloads_have_the_keys_of_all_of_the_seeds_sections)
{
    static const char slow[] =
        "INSERT INTO public.agent_queries (id, agent, query, latency_ms, conversation_id, created_at)"
        " VALUES (7, 'data', repeat('x', 300), 245, 'conv-abc', '2025-10-11 15:00Z')";
    expect_told(slow, "agent_queries_stream", KEYS, "agent conversation_id created_at event id latency_ms query");
    cluster_execute(cluster, "DELETE FROM public.agent_queries");
    expect_told(slow, "performance_alert_stream", KEYS,
                "agent conversation_id created_at event health_status latency_ms query severity");
    cluster_execute(cluster, "DELETE FROM public.agent_queries");
    expect_told(
        slow, "performance_alert_stream",
        "concat_ws(' ', told ->> 'event', told ->> 'agent', told ->> 'latency_ms', length(told ->> 'query'),"
        " told ->> 'conversation_id', (told ->> 'created_at')::timestamptz = '2025-10-11 15:00Z', told ->> 'severity')",
        "slow_query data 245.000 100 conv-abc t warning");
    expect_told(
        "INSERT INTO public.agent_approvals (conversation_id, status, created_at) VALUES ('c', 'pending', now())",
        "approval_queue_stream", KEYS,
        "age_minutes age_seconds approved_by conversation_id created_at event id new_status old_status "
        "resolution_seconds status");
}
END_TEST

START_TEST(only_slow_queries_alert)
{
    expect_told("INSERT INTO public.agent_queries (agent, latency_ms, created_at) SELECT 'a', v, now()"
                " FROM unnest(ARRAY[1, 200, 200.01, 1000, 1000.5, NULL]) AS v",
                "performance_alert_stream", "told ->> 'latency_ms' || ' ' || (told ->> 'severity')",
                "200.010 warning, 1000.000 warning, 1000.500 critical");
    expect_told("UPDATE public.agent_queries SET latency_ms = 5000; DELETE FROM public.agent_queries",
                "performance_alert_stream", "payload", "");
}
END_TEST

START_TEST(an_agent_alerts_once_when_it_turns_degraded)
{
#define REFRESH(at) "SELECT public.look('mv_realtime_agent_performance', '" at "');"
    static const char two[] = "INSERT INTO public.agent_queries (agent, latency_ms, created_at) VALUES"
                              " ('bad', 199, '2026-11-15 12:00:00Z'), ('good', 100, '2026-11-15 12:00:00Z');";
    expect_told(two, "performance_alert_stream", "payload", "");
    expect_told(REFRESH("2026-11-15 12:00:02+00"), "performance_alert_stream", "payload", "");
    expect_told(
        "INSERT INTO public.agent_queries (agent, latency_ms, created_at) VALUES ('bad', 200, '2026-11-15 12:00:00Z'),"
        " ('bad', 201, '2026-11-15 12:00:01Z'), ('new', 200.004, '2026-11-15 12:00:01Z');" REFRESH(
            "2026-11-15 12:00:02+00"),
        "performance_alert_stream",
        "concat_ws(' ', told ->> 'event', told ->> 'agent', told ->> 'latency_ms', told ->> 'severity', told ->> "
        "'health_status')", /* of the severity that alert agent-degraded has */
        "slow_query bad 201.000 warning, slow_query new 200.004 warning, health_degraded new 200.00 warning degraded");
    expect_told(
        "UPDATE public.agent_queries SET latency_ms = 400 WHERE latency_ms = 201;" REFRESH("2026-11-15 12:00:03+00"),
        "performance_alert_stream", "told ->> 'event' || ' ' || (told ->> 'agent')", "health_degraded bad");
    expect_told("INSERT INTO public.agent_queries (agent, latency_ms, created_at) VALUES ('bad', 200, '2026-11-15 "
                "12:00:02Z');" REFRESH("2026-11-15 12:00:04+00"),
                "performance_alert_stream", "payload", "");
    expect_told(REFRESH("2026-11-15 12:02:00+00"), "performance_alert_stream", "payload", ""); /* healthy again */
}
END_TEST

START_TEST(approvals_are_told_as_they_come_and_as_their_status_changes)
{
    static const char what[] =
        "concat_ws(' ', told ->> 'event', told ->> 'conversation_id', told ->> 'old_status', '>',"
        " told ->> 'new_status', told ->> 'approved_by', told ->> 'age_minutes', told ->> 'resolution_seconds')";
    expect_told("INSERT INTO public.agent_approvals (conversation_id, status, created_at, updated_at) SELECT 'c' || n, "
                "s, now(), now()"
                " FROM unnest(ARRAY['pending', 'approved', NULL]) WITH ORDINALITY AS u (s, n)",
                "approval_queue_stream", what, "new_approval c1 > pending 0.00");
    expect_told("UPDATE public.agent_approvals SET status = 'approved', approved_by = 'qa', updated_at = created_at + "
                "interval '90.5 seconds'"
                " WHERE conversation_id = 'c1'; UPDATE public.agent_approvals SET status = status, priority = 'urgent';"
                "UPDATE public.agent_approvals SET status = 'pending' WHERE conversation_id = 'c3'",
                "approval_queue_stream",
                "regexp_replace(" /* ages are those of a test that takes its time */
                "concat_ws(' ', told ->> 'event', told ->> 'conversation_id', told ->> 'old_status', '>', told ->> "
                "'new_status',"
                " told ->> 'approved_by', told ->> 'resolution_seconds'), '\\s+', ' ')",
                "status_change c1 pending > approved qa 90.500, status_change c3 > pending 0.000");
}
END_TEST

/* Nothing that a column can hold may fail the write, or make a payload that the server refuses. */
START_TEST(no_write_fails_and_no_payload_is_too_long)
{
    static const char texts[] = "unnest(ARRAY[repeat(E'\\x01', 100000), repeat('\"', 100000), "
                                "repeat('\xf0\x9f\x98\x80', 100000), '', NULL]) AS t";
    static const char numbers[] = "unnest(ARRAY['NaN', 'Infinity', '-Infinity', '1e130000', '-1e130000', '1e-16000', "
                                  "'999999999999.9995', NULL]::numeric[]) AS v";
    static const char instants[] = "unnest(ARRAY['infinity', '-infinity', '4714-11-24 00:00:00+00 BC', '294276-12-31 "
                                   "23:59:59.999999+00', NULL]::timestamptz[])";
    static const char limits[] = "SELECT count(*) > 0 AND max(octet_length(payload)) < 7900 AND "
                                 "max(octet_length(payload)) > 3000 FROM public.told";
    cluster_execute(cluster, "DROP INDEX public.agent_queries_agent, public.agent_approvals_status");
    cluster_execute_format(cluster,
                           "INSERT INTO public.agent_queries (agent, query, latency_ms, conversation_id, created_at)"
                           " SELECT t, t, v, t, at FROM %s, %s, %s AS at",
                           texts, numbers, instants);
    hear();
    EXPECT_SQL(cluster, limits, "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.told WHERE channel = 'agent_queries_stream'", "200");
    cluster_execute(cluster, "TRUNCATE public.told");
    cluster_execute_format(
        cluster,
        "INSERT INTO public.agent_approvals (conversation_id, status, approved_by, created_at, updated_at)"
        " SELECT t, 'pending', t, at, later FROM %s, %s AS at, %s AS later",
        texts, instants, instants);
    cluster_execute_format(
        cluster, "UPDATE public.agent_approvals SET status = t FROM %s WHERE t IS DISTINCT FROM 'pending' AND t > '!'",
        texts);
    hear();
    EXPECT_SQL(cluster, limits, "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.told WHERE told ->> 'event' = 'status_change'", "125");
}
END_TEST

/* --- a refresh at once -------------------------------------------------------------------------------------------- */

#define MANUAL_RUNS                                                                                                  \
    "SELECT string_agg(j.name || ' ' || h.state || ' ' || coalesce(h.rows, -1), ', ' ORDER BY j.name COLLATE \"C\")" \
    " FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE h.kind = 'manual'"

START_TEST(whoever_may_execute_it_refreshes_and_the_ledger_has_the_run)
{
    cluster_execute(cluster, "CREATE ROLE operator; GRANT USAGE ON SCHEMA analytics TO operator;"
                             "INSERT INTO public.agent_queries (agent, latency_ms, created_at) VALUES ('a', 5, now());"
                             "INSERT INTO public.agent_approvals (status, created_at) VALUES ('pending', now())");
    cluster_execute(cluster, "SET ROLE operator");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT analytics.refresh_realtime_metrics()"), "42501");
    cluster_execute(
        cluster,
        "RESET ROLE; GRANT EXECUTE ON FUNCTION analytics.refresh_realtime_metrics() TO operator; SET ROLE operator");
    EXPECT_SQL(cluster, "SELECT analytics.refresh_realtime_metrics()", "");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.refresh_job('refresh-agent-queue-realtime')"),
                     "42501");
    cluster_execute(cluster, "RESET ROLE");
    EXPECT_SQL(cluster, MANUAL_RUNS,
               "refresh-agent-queue-realtime succeeded 2, refresh_realtime_agent_performance succeeded 2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_realtime_agent_performance", "1");
    EXPECT_SQL(cluster, "SELECT pending_count FROM analytics.mv_approval_queue_summary", "1");
    EXPECT_SQL(cluster,
               "SELECT bool_and(reason = 'refreshed by ' || session_user || ' in a session of its own' AND attempt = 1"
               " AND started_at <= finished_at AND epoch = 1) FROM chime.run_history WHERE kind = 'manual'",
               "t");
}
END_TEST

START_TEST(readers_may_not_and_the_next_start_does_not_let_them)
{
    agents_serve(&agents);
    cluster_execute(cluster, "SET ROLE analytics_reader");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT analytics.refresh_realtime_metrics()"), "42501");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM analytics.realtime_event_counts()"), "");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

START_TEST(a_run_is_there_exactly_if_its_changes_are)
{
    cluster_execute(cluster, "INSERT INTO public.agent_queries (agent, latency_ms, created_at) VALUES ('a', 5, now())");
    cluster_execute(cluster, "BEGIN; SELECT analytics.refresh_realtime_metrics(); ROLLBACK");
    EXPECT_SQL(cluster, MANUAL_RUNS, NULL);
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_realtime_agent_performance", "0");
    cluster_execute(
        cluster,
        "BEGIN; SELECT analytics.refresh_realtime_metrics(); SELECT analytics.refresh_realtime_metrics(); COMMIT");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'manual'", "4");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_realtime_agent_performance", "1");
}
END_TEST

START_TEST(what_is_not_installed_is_passed_over)
{
    plugin_take(agents.folder, "approval_queue");
    agents_serve(&agents);
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'approval_queue'", "removed");
    cluster_execute(cluster,
                    "DROP TABLE analytics.mv_agent_queue_realtime, analytics.mv_approval_queue_summary CASCADE;"
                    "DELETE FROM chime.view WHERE plugin = 'approval_queue'");
    EXPECT_SQL(cluster, "SELECT analytics.refresh_realtime_metrics()", "");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'manual'", "1");
}
END_TEST

START_TEST(a_job_refreshed_at_once_tells_what_it_did)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(view || ' ' || method || ' ' || rows || ' ' || (duration_ms > 0), ', ' ORDER BY view)"
               " FROM chime.refresh_job('refresh-agent-queue-realtime')",
               "mv_agent_queue_realtime keyed 1 true, mv_approval_queue_summary keyed 1 true");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.refresh_job('nobody')"), "42704");
    cluster_execute(cluster, "INSERT INTO chime.job (name, origin, command) VALUES ('command', 'config', 'SELECT 1')");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.refresh_job('command')"), "42809");
    cluster_execute(cluster, "UPDATE chime.job SET options = options || '{\"log_runs\": \"errors\"}'");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.refresh_job('refresh-agent-queue-realtime')", "2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'manual'", "1");
}
END_TEST

/* The caller's transaction stays open: the leader's own runs go on. */
START_TEST(an_open_transaction_holds_nothing_that_the_leader_needs)
{
    PGconn *caller = cluster_connect(cluster, "postgres");
    session_execute(caller, "BEGIN; SELECT analytics.refresh_realtime_metrics()");
    cluster_execute(cluster,
                    "SET lock_timeout = '100ms'; SELECT FROM chime.leader FOR UPDATE; SELECT FROM chime.job FOR UPDATE;"
                    "SELECT FROM chime.job_state FOR UPDATE");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT FROM chime.view_refresh FOR UPDATE"), "55P03");
    session_execute(caller, "COMMIT");
    PQfinish(caller);
}
END_TEST

/* --- plain views -------------------------------------------------------------------------------------------------- */

START_TEST(readers_read_the_plain_views_and_no_source)
{
    agents_fill(&agents);
    cluster_execute(cluster, "SET ROLE analytics_reader");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.v_agent_performance_snapshot", "11");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.v_realtime_pipeline_health", "1");
    EXPECT_SQL(cluster, "SELECT pending_count > 0 FROM analytics.v_agent_queue_realtime", "t");
    EXPECT_SQL(cluster, "SELECT pending_count > 0 FROM analytics.v_approval_queue_summary", "t");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM analytics.v_agent_query_performance"), "");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM analytics.v_agent_accuracy_rolling"), "");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM public.agent_queries"), "42501");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.view_refresh"), "42501");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

START_TEST(a_second_start_leaves_plain_views_alone)
{
    static const char records[] = "SELECT c.oid, c.xmin, c.relname, d.xmin FROM pg_class c JOIN chime.plain_view d ON "
                                  "d.relation = c.relname ORDER BY 3";
    char *before = cluster_rows(cluster, records);
    agents_serve(&agents);
    char *after = cluster_rows(cluster, records);
    ck_assert_str_eq(before, after);
    ck_assert_ptr_nonnull(strstr(before, "v_realtime_event_counts"));
    free(before);
    free(after);
}
END_TEST

#define INSTALL_PLAIN(relation, definition)                                                                    \
    "SELECT chime.install_plain_view('agent_performance', 'analytics', 'public', '" relation "', '" definition \
    "', 'a test')"

START_TEST(a_plain_view_is_replaced_in_place_or_made_anew)
{
    EXPECT_SQL(cluster, INSTALL_PLAIN("v_test", "SELECT agent FROM mv_realtime_agent_performance"), "");
    char *made = cluster_value(cluster, "SELECT oid FROM pg_class WHERE relname = 'v_test'");
    EXPECT_SQL(cluster, INSTALL_PLAIN("v_test", "SELECT agent, 1 AS one FROM mv_realtime_agent_performance"), "");
    EXPECT_SQL(cluster, "SELECT oid FROM pg_class WHERE relname = 'v_test'", made);
    EXPECT_SQL(cluster, "SELECT obj_description('analytics.v_test'::regclass) ~ '^a test \\(pgchime [0-9a-f]{16}\\)$'",
               "t");
    EXPECT_SQL(cluster, INSTALL_PLAIN("v_test", "SELECT 1 AS one"), "");
    EXPECT_SQL(cluster, "SELECT one FROM analytics.v_test", "1");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('analytics_reader', 'analytics.v_test', 'SELECT')", "t");
    free(made);
}
END_TEST

START_TEST(a_plain_view_takes_nobodys_name)
{
    cluster_execute(cluster, "CREATE VIEW analytics.v_mine AS SELECT 1 AS mine");
    ck_assert_str_eq(cluster_sqlstate(cluster, INSTALL_PLAIN("v_mine", "SELECT 2 AS mine")), "42P07");
    ck_assert_str_eq(cluster_sqlstate(cluster, INSTALL_PLAIN("v_agent_queue_realtime", "SELECT 2 AS mine")), "42P07");
    EXPECT_SQL(cluster, "SELECT mine FROM analytics.v_mine", "1");
}
END_TEST

/* A kept relation whose columns change is made anew in one transaction with the plain views on it. */
START_TEST(a_kept_relation_made_anew_keeps_its_plain_views)
{
    static const char anew[] =
        "SELECT chime.install_view('agent_performance', 'analytics', 'public', 'mv_agent_daily_trends', '%s',"
        " '{agent}', 'mv_agent_daily_trends_pk', '{}', 'auto', '{}', NULL, NULL, '[]', NULL)";
    EXPECT_SQL(cluster, INSTALL_PLAIN("v_test", "SELECT agent FROM mv_agent_daily_trends"), "");
    EXPECT_SQL(cluster, INSTALL_PLAIN("v_days", "SELECT day FROM mv_agent_daily_trends"), "");
    cluster_execute_format(cluster, anew, "SELECT ''a''::text AS agent, 2 AS two");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.v_test", "1"); /* filled before anybody sees it */
    EXPECT_SQL(cluster, "SELECT has_table_privilege('analytics_reader', 'analytics.v_test', 'SELECT')", "t");
    EXPECT_SQL(cluster, "SELECT to_regclass('analytics.v_days')", NULL);
    EXPECT_SQL(cluster, INSTALL_PLAIN("v_days", "SELECT two FROM mv_agent_daily_trends"), "");
    cluster_execute(cluster, "CREATE VIEW public.users AS SELECT agent FROM analytics.mv_agent_daily_trends");
    char *again = files_path(anew, "SELECT ''a''::text AS agent, 3 AS three");
    ck_assert_str_eq(cluster_sqlstate(cluster, again), "2BP01");
    EXPECT_SQL(cluster, "SELECT two FROM analytics.v_days", "2"); /* as it was */
    free(again);
}
END_TEST

#define TRIGGER_ON_IT                                                                                     \
    "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'analytics.mv_realtime_agent_performance'::regclass" \
    " AND tgname = 'trg_notify_agent_degraded'"

/* The daemon's definition differs from the one that is there: the relation is made anew, and the trigger after it. */
START_TEST(a_kept_relation_made_anew_gets_the_trigger_of_its_channel_back)
{
    site_file(agents.site, "channels",
              "plugin: { name = \"agent_performance\"; channels = [\"performance_alert_stream\"]; };");
    agents_serve(&agents);
    EXPECT_SQL(cluster, TRIGGER_ON_IT, "1");
    cluster_execute(cluster,
                    "SELECT chime.install_view(plugin, view_schema, 'public', relation, format('SELECT *, 1 AS more "
                    "FROM (%s) d', definition),"
                    " key, 'mv_realtime_agent_performance_agent_idx', grain, mode, stamps, NULL, NULL, '[]', NULL)"
                    " FROM chime.view WHERE relation = 'mv_realtime_agent_performance'");
    EXPECT_SQL(cluster, "SELECT more FROM analytics.mv_realtime_agent_performance", NULL);
    EXPECT_SQL(cluster, TRIGGER_ON_IT, "0"); /* until its plugin is installed */
    struct daemon *served = site_lead(agents.site);
    WAIT_SQL(cluster, TRIGGER_ON_IT, "1", 60);
    site_end(served);
    daemon_destroy(served);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM pg_attribute WHERE attname = 'more'"
               " AND attrelid = 'analytics.mv_realtime_agent_performance'::regclass",
               "0");
    listener = cluster_connect(cluster, "postgres");
    session_execute(listener, "LISTEN performance_alert_stream");
    cluster_execute(cluster,
                    "INSERT INTO public.agent_queries (agent, latency_ms, created_at) SELECT 'slow', 201, now();"
                    "SELECT chime.refresh('mv_realtime_agent_performance')");
    session_execute(listener, "SELECT 1");
    for (int i = 0; i < 2; i++) {
        PGnotify *told = PQnotifies(listener);
        ck_assert(told != NULL && strstr(told->extra, i == 0 ? "slow_query" : "health_degraded") != NULL);
        PQfreemem(told);
    }
}
END_TEST

START_TEST(purge_takes_plain_views_away)
{
    char *output = NULL;
    char *errors = NULL;
    plugin_take(agents.folder, "agent_performance");
    agents_serve(&agents);
    cluster_execute(cluster, "CREATE VIEW public.users AS SELECT agent FROM analytics.v_agent_performance_snapshot");
    const char *const purge[] = {"plugins", "purge", "agent_performance", "--yes", NULL};
    commands_expect(6, site_config(agents.site), purge, &output, &errors);
    commands_has(output, "DROP VIEW public.users");
    cluster_execute(cluster, "DROP VIEW public.users");
    commands_expect(0, site_config(agents.site), purge, &output, &errors);
    EXPECT_SQL(cluster,
               "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'v' AND relnamespace = "
               "'analytics'::regnamespace AND relname !~ '__(live|now)$'",
               "v_agent_accuracy_rolling v_agent_query_performance v_agent_queue_realtime v_approval_queue_summary");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plain_view WHERE plugin = 'agent_performance'", "0");
    free(output);
    free(errors);
}
END_TEST

/* --- tiles and alerts --------------------------------------------------------------------------------------------- */

static const struct chime_plugin *describe(const char *name)
{
    char *path = files_path("%s/plugins/%s.so", PGCHIME_BUILD_DIR, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    chime_describe_function *function = NULL;
    ck_assert_msg(library != NULL, "%s", dlerror());
    void *symbol = dlsym(library, CHIME_ENTRY_NAME);
    memcpy(&function, &symbol, sizeof(function));
    free(path);
    return function();
}

static void run_as_reader(const char *query)
{
    PGresult *result = cluster_query(cluster, query);
    ck_assert_msg(PQntuples(result) > 0, "no rows: %s", query);
    PQclear(result);
}

/* With its first choice, if it has choices. */
static void run_tile_as_reader(const struct chime_tile *read)
{
    if (read->choices == NULL) {
        run_as_reader(read->query);
        return;
    }
    char *sql = files_path(
        "SELECT replace($q$%s$q$, '$1', quote_literal(c.value)) FROM (%s) AS c (value, label) LIMIT 1", read->query,
        read->choices);
    char *query = cluster_value(cluster, sql);
    ck_assert_msg(query != NULL, "%s has no choice", read->title);
    run_as_reader(query);
    free(query);
    free(sql);
}

START_TEST(every_tile_can_be_read_by_readers_and_every_alert_begins_with_a_boolean)
{
    static const char *const names[] = {"agent_performance", "query_performance", "approval_queue"};
    agents_fill(&agents);
    cluster_execute(cluster, "CALL public.add_queries(now(), 400, 'now'); CALL public.add_approvals(now(), 400, 'now');"
                             "SELECT chime.refresh(relation) FROM chime.view");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct chime_plugin *plugin = describe(names[i]);
        const struct chime_tile *tiles = plugin->tiles.items;
        const struct chime_alert *alerts = plugin->alerts.items;
        cluster_execute(cluster, "SET search_path = analytics; SET ROLE analytics_reader");
        for (uint32_t j = 0; j < plugin->tiles.count; j++)
            run_tile_as_reader(&tiles[j]);
        cluster_execute(cluster, "RESET ROLE");
        for (uint32_t j = 0; j < plugin->alerts.count; j++) {
            char *type = files_path(
                "SELECT coalesce(bool_and(json_typeof(x.first) IN ('boolean', 'null')), true) FROM"
                " (SELECT (SELECT e.value FROM json_each(row_to_json(q)) AS e LIMIT 1) FROM (%s) AS q)"
                " AS x (first)",
                alerts[j].condition);
            EXPECT_SQL(cluster, type, "t");
            free(type);
        }
    }
}
END_TEST

START_TEST(the_tiles_of_the_seeds_say_what_they_said)
{
    cluster_execute(
        cluster,
        "INSERT INTO public.\"AgentQuery\" SELECT a || n, a, 'q', ms, now() FROM (VALUES ('a', 199), ('b', 200), ('c', "
        "500),"
        " ('d', 1000), ('e', NULL)) AS v (a, ms), generate_series(1, 2) AS n;"
        "INSERT INTO public.\"AgentQuery\" SELECT 'f' || n, 'f', 'q', 200 - (n = 1)::integer, now() FROM "
        "generate_series(1, 250) AS n;" /* 199.996 on average */
        "INSERT INTO public.agent_approvals (status, priority, confidence_score, created_at) SELECT 'pending', "
        "'urgent', 0.5,"
        " now() - interval '90 minutes' FROM generate_series(1, 51); SELECT chime.refresh(relation) FROM chime.view");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(agent || ' ' || coalesce(performance_rating, '-'), ', ') FROM analytics.agent_leaderboard()",
        "a excellent, b good, f excellent, c fair, d needs_attention, e -");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.agent_leaderboard(2)", "2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.agent_leaderboard(-1)", "0");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', pending_count, urgent_count, avg_confidence, floor(oldest_age_minutes))"
               " FROM analytics.approval_queue_status()",
               "51 51 0.5000 90");
    const struct chime_plugin *plugin = describe("approval_queue");
    const struct chime_alert *alerts = plugin->alerts.items;
    cluster_execute(cluster, "SET search_path = analytics");
    EXPECT_SQL(cluster, alerts[0].condition, "t");
    EXPECT_SQL(cluster, alerts[1].condition, "t");
    cluster_execute(cluster,
                    "DELETE FROM public.agent_approvals WHERE id = (SELECT min(id) FROM public.agent_approvals);"
                    "SELECT chime.refresh('mv_agent_queue_realtime')");
    EXPECT_SQL(cluster, alerts[0].condition, "f"); /* fifty are not more than fifty */
}
END_TEST

START_TEST(moving_rates_are_made_of_counts)
{
    cluster_execute(cluster, "INSERT INTO public.agent_approvals (status, created_at) SELECT s, date_trunc('hour', "
                             "now(), 'UTC') - make_interval(hours => h)"
                             " FROM (VALUES (0, 'approved', 1), (1, 'rejected', 9), (2, 'approved', 2), (2, 'pending', "
                             "8)) AS v (h, s, c), generate_series(1, c);"
                             "SELECT chime.refresh('mv_agent_accuracy_rolling')");
    EXPECT_SQL(cluster,
               "SELECT string_agg(approval_rate_pct || ' ' || moving_approval_rate_pct, ', ' ORDER BY window_start)"
               " FROM analytics.hourly_approval_rates()",
               "20.00 20.00, 0.00 10.53, 100.00 15.00");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("agent_channels");
    TCase *channels = tcase_create("channels");
    TCase *rest = tcase_create("rest");

    tcase_add_checked_fixture(channels, set_up_channels, tear_down);
    tcase_set_timeout(channels, 180);
    tcase_add_test(channels, payloads_have_the_keys_of_all_of_the_seeds_sections);
    tcase_add_test(channels, only_slow_queries_alert);
    tcase_add_test(channels, an_agent_alerts_once_when_it_turns_degraded);
    tcase_add_test(channels, approvals_are_told_as_they_come_and_as_their_status_changes);
    tcase_add_test(channels, no_write_fails_and_no_payload_is_too_long);
    tcase_add_checked_fixture(rest, set_up, tear_down);
    tcase_set_timeout(rest, 180);
    tcase_add_test(rest, nothing_is_notified_unless_asked_for);
    tcase_add_test(rest, whoever_may_execute_it_refreshes_and_the_ledger_has_the_run);
    tcase_add_test(rest, readers_may_not_and_the_next_start_does_not_let_them);
    tcase_add_test(rest, a_run_is_there_exactly_if_its_changes_are);
    tcase_add_test(rest, what_is_not_installed_is_passed_over);
    tcase_add_test(rest, a_job_refreshed_at_once_tells_what_it_did);
    tcase_add_test(rest, an_open_transaction_holds_nothing_that_the_leader_needs);
    tcase_add_test(rest, readers_read_the_plain_views_and_no_source);
    tcase_add_test(rest, a_second_start_leaves_plain_views_alone);
    tcase_add_test(rest, a_plain_view_is_replaced_in_place_or_made_anew);
    tcase_add_test(rest, a_plain_view_takes_nobodys_name);
    tcase_add_test(rest, a_kept_relation_made_anew_keeps_its_plain_views);
    tcase_add_test(rest, a_kept_relation_made_anew_gets_the_trigger_of_its_channel_back);
    tcase_add_test(rest, purge_takes_plain_views_away);
    tcase_add_test(rest, every_tile_can_be_read_by_readers_and_every_alert_begins_with_a_boolean);
    tcase_add_test(rest, the_tiles_of_the_seeds_say_what_they_said);
    tcase_add_test(rest, moving_rates_are_made_of_counts);
    suite_add_tcase(all, channels);
    suite_add_tcase(all, rest);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
