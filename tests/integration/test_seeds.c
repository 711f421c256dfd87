/* SPDX-License-Identifier: PostgreSQL */
/* All plugins over the sample tables: everything that the seeds name is there (tests/oracle/seeds.txt), and the role
 * analytics_reader may read all of that and nothing else. */
#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "pgchime/plugin.h"
#include "support/cluster/cluster.h"
#include "support/cluster/psql.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define INSTALL_SECONDS 120

static const char *const plugins[] = {"action_analytics",  "agent_performance", "approval_queue", "lane_distribution",
                                      "progress",          "query_performance", "retention",      "telemetry",
                                      "time_to_first_win", "training_quality",  "weakness"};
#define PLUGIN_COUNT (sizeof(plugins) / sizeof(plugins[0]))

/* Every channel that a plugin has is asked for. */
static const char *const channels[][2] = {
    {"lane_distribution", "\"submission_scored\""},
    {"agent_performance", "\"agent_queries_stream\", \"performance_alert_stream\""},
    {"approval_queue", "\"approval_queue_stream\""},
    {"training_quality", "\"training_feedback_stream\""},
};
#define CHANNEL_COUNT (sizeof(channels) / sizeof(channels[0]))

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *folder;

static void ask_for_channels(void)
{
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        char *text = files_path("plugin: { name = \"%s\"; channels = [%s]; };\n", channels[i][0], channels[i][1]);
        site_file(site, channels[i][0], text);
        free(text);
    }
}

static void configure(void)
{
    site = site_create(cluster, "postgres", 4);
    folder = files_make_directory();
    for (size_t i = 0; i < PLUGIN_COUNT; i++)
        plugin_put(folder, plugins[i]);
    site_use_plugins(site, folder);
    ask_for_channels();
}

static void forget_configuration(void)
{
    daemon_destroy(served);
    served = NULL;
    site_destroy(site);
    free(folder);
}

static void make(struct cluster *made)
{
    cluster = made;
    psql_load_sample(cluster);
    configure();
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FILTER (WHERE state = 'installed') FROM chime.plugin", "11", INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.plugin_channel", "5", INSTALL_SECONDS);
    site_end(served);
    forget_configuration();
}

static void set_up(void)
{
    static const struct cluster_template installed = {"all-plugins", make, NULL};

    cluster = cluster_create_from(&installed, NULL);
    configure();
}

static void tear_down(void)
{
    forget_configuration();
    cluster_destroy(cluster);
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

static void load_list(void)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/seeds.sql");
    EXPECT_SQL(cluster, "SELECT seeds.load('" PGCHIME_SOURCE_DIR "/tests/oracle/seeds.txt') > 100", "t");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM seeds.line",
               "alert channel function index job query relation setting source tile trigger");
}

static const struct chime_plugin *describe(const char *name)
{
    char *path = files_path("%s/%s.so", folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    chime_describe_function *function = NULL;

    ck_assert_msg(library != NULL, "%s", dlerror());
    void *symbol = dlsym(library, CHIME_ENTRY_NAME);
    memcpy(&function, &symbol, sizeof(function));
    free(path);
    return function();
}

/* What plugins declare, and rules that every database has. */
static void load_declared(void)
{
    cluster_execute(cluster, "INSERT INTO seeds.alert SELECT name, btrim(severity || ' ' || CASE WHEN hold > '0' THEN"
                             " regexp_replace(to_char(hold, 'FMMI\"min\"SS\"s\"'), '^0min|00s$', '', 'g') ELSE '' END)"
                             " FROM chime.standard_rules()");
    for (size_t i = 0; i < PLUGIN_COUNT; i++) {
        const struct chime_plugin *plugin = describe(plugins[i]);
        const struct chime_tile *tiles = plugin->tiles.items;
        const struct chime_alert *alerts = plugin->alerts.items;
        for (uint32_t j = 0; j < plugin->tiles.count; j++)
            cluster_execute_format(cluster, "INSERT INTO seeds.tile VALUES ($t$%s$t$, $t$%s$t$)", tiles[j].title,
                                   tiles[j].query);
        for (uint32_t j = 0; j < plugin->alerts.count; j++)
            cluster_execute_format(cluster, "INSERT INTO seeds.alert VALUES ('%s', btrim('%s %s'))", alerts[j].name,
                                   alerts[j].severity, alerts[j].hold != NULL ? alerts[j].hold : "");
    }
}

/* What is keyed follows from the definitions, but for what declares trust: series of hours, which begin and end with
 * the rows of the table (action_metrics_hourly, rollups); minutes, which go by the latest that is kept
 * (mv_query_latency_counts and its reader); and failures alone, where the proof would look every execution up. */
static void expect_derived(void)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || ': ' || full_reason, ', ' ORDER BY relation) FROM chime.view"
               " WHERE full_reason IS NOT NULL",
               "action_type_distribution: its mode is full, mv_agent_accuracy_rolling: it has no grain, "
               "mv_agent_approval_quality: it has no grain, mv_agent_daily_trends: it has no grain, "
               "mv_agent_feedback_quality: it has no grain, mv_agent_latency_percentiles: it has no grain, "
               "mv_agent_query_quality: it has no grain");
    EXPECT_SQL(cluster,
               "SELECT string_agg(v.relation || ' ' || (s ->> 'table'), ', ' ORDER BY v.relation)"
               " FROM chime.view v, jsonb_array_elements(v.sources) s"
               " WHERE (s ->> 'trust')::boolean OR s -> 'capture' <> '[]' OR s ->> 'map' IS NOT NULL",
               "action_metrics_hourly action_results, chat_telemetry_domain_rollups chat_telemetry, "
               "chat_telemetry_model_rollups chat_telemetry, chat_telemetry_rollups chat_telemetry, "
               "mv_query_latency_counts AgentQuery, mv_query_performance_live mv_query_latency_counts, "
               "recent_failures action_results");
}

START_TEST(everything_that_the_seeds_name_is_there)
{
    expect_derived();
    load_list();
    load_declared();
    cluster_execute(cluster, "SET search_path = analytics");
    EXPECT_SQL(cluster, "SELECT string_agg(fault, E'\n' ORDER BY n) FROM seeds.faults()", NULL);
}
END_TEST

/* A list that nothing contradicts proves nothing: one wrong line of each kind, and one wrong detail. */
START_TEST(a_wrong_line_is_found)
{
    load_list();
    load_declared();
    cluster_execute(
        cluster,
        "SET search_path = analytics; TRUNCATE seeds.line; INSERT INTO seeds.line SELECT n, kind, name, detail, name,"
        " '000:1' FROM (VALUES (1, 'source', 'nothing', ''), (2, 'relation', 'nothing', ''), (3, 'index', 'nothing', "
        "'x'),"
        " (4, 'function', 'nothing()', ''), (5, 'query', 'nothing()', ''), (6, 'trigger', 'nothing', 'submissions'),"
        " (7, 'job', 'nothing', ''), (8, 'channel', 'nothing', ''), (9, 'tile', 'nothing', ''), (10, 'riddle', 'x', "
        "''),"
        " (11, 'relation', 'mv_agent_progress', 'week text'), (12, 'relation', 'mv_agent_progress', 'month time'),"
        " (13, 'index', 'idx_mv_progress_pk', 'unique mv_agent_progress (week)'),"
        " (14, 'index', 'idx_mv_weakness_category', 'unique mv_weakness_patterns'),"
        " (15, 'index', 'idx_mv_progress_pk', 'mv_weakness_patterns'),"
        " (16, 'function', 'lane_distributions(uuid, integer)', 'lane_key number'),"
        " (17, 'trigger', 'trg_notify_slow_query', 'agent_approvals'), (18, 'job', 'refresh-analytics', '* * * * *'),"
        " (19, 'tile', 'Current Queue Status', 'colour'), (23, 'alert', 'nothing', ''), (24, 'setting', 'nothing', ''),"
        " (25, 'alert', 'agent-degraded', 'critical'), (26, 'setting', 'retention:hot', '8d'),"
        " (27, 'setting', 'agent_progress:weeks', '13'), (28, 'setting', 'refresh-weakness-patterns:debounce', '0s'))"
        " AS v (n, kind, name, detail);"
        "INSERT INTO seeds.line VALUES (20, 'job', 'refresh-analytics', '', '-', '003:1', 'a test'),"
        " (21, 'job', 'no reason', '', '-', '003:1', ''), (22, 'job', 'refresh-analytics', '*/5 * * * *',"
        " 'refresh-analytics', 'somewhere', '')");
    EXPECT_SQL(cluster,
               "SELECT string_agg(n::text, ' ' ORDER BY n) FROM generate_series(1, 28) AS n"
               " WHERE n NOT IN (SELECT f.n FROM seeds.faults() f)",
               NULL);
}
END_TEST

/* --- notifications ------------------------------------------------------------------------------------------------ */

static const char events[] =
    "INSERT INTO agent_queries (agent, query, latency_ms, conversation_id) VALUES ('data', 'q', 300, 'c');"
    "INSERT INTO agent_approvals (conversation_id) VALUES ('seeds');"
    "UPDATE agent_approvals SET status = 'approved', approved_by = 'me' WHERE conversation_id = 'seeds';"
    "INSERT INTO agent_feedback (conversation_id, safe_to_send, labels) VALUES ('seeds', false, '{risky}');"
    "UPDATE agent_feedback SET annotator = 'qa' WHERE conversation_id = 'seeds';"
    "INSERT INTO submissions (id, agent_id, challenge_id, status) SELECT gen_random_uuid(), agent_id, challenge_id,"
    " 'scored' FROM submissions LIMIT 1";

/* What was notified until now goes to seeds.told. */
static void hear(PGconn *listener)
{
    PQclear(PQexec(listener, "SELECT 1")); /* what was committed before comes with the answer */
    for (PGnotify *told = PQnotifies(listener); told != NULL; told = PQnotifies(listener)) {
        cluster_execute_format(cluster, "INSERT INTO seeds.told VALUES ($t$%s$t$, $t$%s$t$)", told->relname,
                               told->extra);
        PQfreemem(told);
    }
}

START_TEST(every_payload_has_the_seeds_keys)
{
    PGconn *listener = cluster_connect(cluster, "postgres");

    load_list();
    char *listen = cluster_value(cluster, "SELECT string_agg('LISTEN ' || ours, ';') FROM seeds.line"
                                          " WHERE kind = 'channel' AND ours <> '-'");
    PGresult *result = PQexec(listener, listen);
    ck_assert_int_eq(PQresultStatus(result), PGRES_COMMAND_OK);
    cluster_execute(cluster, events);
    hear(listener);
    EXPECT_SQL(cluster, "SELECT string_agg(fault, E'\n') FROM seeds.unheard() AS fault", NULL);
    cluster_execute(cluster, "UPDATE seeds.line SET detail = detail || ' riddle'");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT split_part(fault, ' ', 2)) FROM seeds.unheard() AS fault", "5");
    PQclear(result);
    PQfinish(listener);
    free(listen);
}
END_TEST

/* docs/seeds/keep_view.sql beside the plugins: what is said of each view, and the plugin's rows. */
START_TEST(each_view_of_the_seeds_is_one_statement)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/seeds_kept.sql");
    cluster_execute(cluster, "SELECT seeds_kept.keep(pg_read_file('" PGCHIME_SOURCE_DIR "/docs/seeds/keep_view.sql'))");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(name || ': ' || regexp_replace(words, '^\\d+ rows; ', ''), E'\n' ORDER BY n)"
        " FROM seeds_kept.told",
        "mv_lane_score_distribution: keyed by challenge_id\n"
        "mv_weakness_patterns: keyed by agent_id\n"
        "mv_agent_progress: keyed by agent_id, challenge_id\n"
        "mv_time_to_first_win: keyed by challenge_id\n"
        "chat_telemetry_domain_summary: refreshed as a whole: it changes as time passes, and declares no revisit");
    EXPECT_SQL(cluster,
               "SELECT string_agg(coalesce(seeds_kept.differing(name)::text, 'no rows'), ' ') FROM seeds_kept.told",
               "0 0 0 0 0");
}
END_TEST

/* --- analytics_reader --------------------------------------------------------------------------------------------- */

#define KEPT "SELECT to_regclass(format('%I.%I', view_schema, relation)) FROM chime.view"
#define NOW "SELECT to_regclass(format('%I.%I', view_schema, relation || '__now')) FROM chime.view"
#define PLAIN "SELECT to_regclass(format('%I.%I', view_schema, relation)) FROM chime.plain_view"

/* Not for readers but for the operator: they look at the event tables and at chime's settings with the caller's rights,
 * and give out the statements of retention's job. telemetry_hours() is what telemetry_trend() reads by. */
#define OPERATORS                                                                                             \
    "retention_batches retention_clock retention_cold_obstacle retention_columns retention_detachments "      \
    "retention_dry_run retention_expiry_obstacle retention_obstacle retention_part_obstacle retention_parts " \
    "retention_policy "                                                                                       \
    "retention_restorable retention_return_obstacle retention_setup retention_side_effects retention_steps "  \
    "retention_tiers "                                                                                        \
    "retention_untrusted telemetry_hours"
#define IS_OPERATORS "p.proname = ANY (string_to_array('" OPERATORS "', ' '))"

/* A statement for each row of the query; as the reader each must end with that SQLSTATE. Returns how many. */
static int expect_as_reader(const char *statements, const char *sqlstate)
{
    char *all = cluster_rows(cluster, statements);
    char *place = NULL;
    int count = 0;

    cluster_execute(cluster, "SET ROLE analytics_reader");
    for (char *one = strtok_r(all, "\n", &place); one != NULL; one = strtok_r(NULL, "\n", &place), count++)
        ck_assert_msg(strcmp(cluster_sqlstate(cluster, one), sqlstate) == 0, "%s: not \"%s\"", one, sqlstate);
    cluster_execute(cluster, "RESET ROLE");
    free(all);
    return count;
}

/* Arguments by their types: any of each will do. */
static char *calls(const char *condition)
{
    return files_path("SELECT format('SELECT count(*) FROM %%s(%%s)', p.oid::regproc, (SELECT string_agg('NULL::' ||"
                      " format_type(t, NULL), ', ' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)))"
                      " FROM chime.plugin_function f JOIN pg_proc p ON p.oid = chime.routine(f.signature) WHERE %s",
                      condition);
}

START_TEST(readers_read_every_relation_and_every_function)
{
    char *functions = calls("p.provolatile <> 'v' AND p.proname <> 'agent_trends' AND NOT " IS_OPERATORS);
    char *refreshes = calls("p.provolatile = 'v'");

    /* It takes words, and NULL is none. */
    ck_assert_int_eq(expect_as_reader("VALUES ('SELECT * FROM analytics.agent_trends(NULL, ''day'', 7)')", ""), 1);

    EXPECT_SQL(cluster,
               "SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM chime.plugin_function f JOIN pg_proc p"
               " ON p.oid = chime.routine(f.signature) WHERE " IS_OPERATORS,
               OPERATORS);
    /* They need what a reader has not. */
    ck_assert_int_eq(expect_as_reader("VALUES ('SELECT * FROM analytics.retention_policy()'),"
                                      " ('SELECT * FROM analytics.retention_dry_run()'),"
                                      " ('SELECT * FROM analytics.retention_tiers()')",
                                      "42501"),
                     3);
    ck_assert_int_eq(
        expect_as_reader("SELECT format('SELECT * FROM %s LIMIT 1', r) FROM (" KEPT " UNION " PLAIN ") AS t (r)", ""),
        38);
    ck_assert_int_eq(
        expect_as_reader("SELECT format('SELECT * FROM %s', n) FROM (" NOW ") AS t (n) WHERE n IS NOT NULL", ""), 21);
    ck_assert_int_eq(expect_as_reader(functions, ""), 32);
    ck_assert_int_eq(expect_as_reader(refreshes, "42501"), 7);
    free(functions);
    free(refreshes);
}
END_TEST

static void expect_readers_see_it(void)
{
    ck_assert_int_eq(expect_as_reader("VALUES ('SELECT * FROM analytics.view_freshness()')", ""), 1);
    ck_assert_int_eq(expect_as_reader("VALUES ('SELECT * FROM chime.view_freshness()')", "42501"), 1);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM analytics.view_freshness() f FULL JOIN chime.view_status s USING (relation)"
               " WHERE (f.target_lag, f.warn_after, f.error_after) IS DISTINCT FROM (s.target_lag, s.warn_after, "
               "s.error_after)",
               "0");
    /* Whoever made one of that name keeps it. */
    cluster_execute(cluster,
                    "CREATE SCHEMA own; CREATE FUNCTION own.view_freshness() RETURNS text LANGUAGE sql RETURN 'mine';"
                    " SELECT chime.install_schema('own')");
    EXPECT_SQL(cluster, "SELECT own.view_freshness()", "mine");
}

/* What the row says of freshness once the view was refreshed that long ago, and nothing changed since. */
#define AFTER(relation, ago)                                                                                  \
    "BEGIN; UPDATE chime.view_refresh SET refreshed_at = now() - interval '" ago "', revisited_at = now() - " \
    "interval '" ago "' WHERE relation = '" relation "'"

START_TEST(each_view_has_the_freshness_that_its_seed_asks_for_and_readers_see_it)
{
    served = site_lead(site);
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(relation, ' ') FROM chime.view_status WHERE warn_after IS NULL OR error_after IS NULL",
        NULL);
    WAIT_SQL(cluster, "SELECT string_agg(relation, ' ') FROM chime.view_status WHERE freshness <> 'fresh'", NULL,
             INSTALL_SECONDS);
    cluster_execute(cluster, AFTER("mv_training_quality_snapshot", "3h"));
    EXPECT_SQL(cluster, "SELECT freshness FROM chime.view_status WHERE relation = 'mv_training_quality_snapshot'",
               "stale");
    cluster_execute(cluster, "ROLLBACK;" AFTER("chat_telemetry_domain_summary", "90min"));
    EXPECT_SQL(cluster, "SELECT freshness FROM chime.view_status WHERE relation = 'chat_telemetry_domain_summary'",
               "warn");
    cluster_execute(cluster, "ROLLBACK");
    expect_readers_see_it();
}
END_TEST

#define OTHERS                                                                                                \
    "FROM pg_class c WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information_schema$)' AND c.oid NOT " \
    "IN (" KEPT " UNION " PLAIN ") AND c.oid NOT IN (SELECT n FROM (" NOW ") AS t (n) WHERE n IS NOT NULL)"   \
    " AND c.oid <> 'analytics.retention_log'::regclass"

START_TEST(readers_read_no_source_and_no_table_of_chime)
{
    EXPECT_SQL(cluster,
               "SELECT count(*) >= 11 AND bool_or(c.relname = 'AgentQuery') " OTHERS
               " AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace",
               "t");
    ck_assert_int_gt(expect_as_reader("SELECT format('SELECT FROM %s LIMIT 1', c.oid::regclass) " OTHERS
                                      " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
                                      "42501"),
                     50);
    EXPECT_SQL(cluster,
               "SELECT string_agg(c.oid::regclass::text, ' ') " OTHERS " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
               " AND has_any_column_privilege('analytics_reader', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')",
               NULL);
}
END_TEST

START_TEST(readers_write_nothing_and_execute_nothing_else)
{
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND c.relnamespace::regnamespace::text !~ "
        "'^(pg_|information_schema$)'"
        " AND (has_table_privilege('analytics_reader', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES,"
        " TRIGGER') OR has_any_column_privilege('analytics_reader', c.oid, 'INSERT, UPDATE, REFERENCES'))",
        NULL);
    EXPECT_SQL(cluster,
               "SELECT string_agg(nspname, ' ') FROM pg_namespace"
               " WHERE has_schema_privilege('analytics_reader', oid, 'CREATE')",
               NULL);
    /* as_of() tells the time; the other is the sample's own, of nobody's but PUBLIC's right, and fails on the table. */
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(p.oid::regprocedure::text, ' ' ORDER BY p.proname) FROM pg_proc p"
        " WHERE p.pronamespace::regnamespace::text !~ '^(pg_|information_schema$)'"
        " AND has_function_privilege('analytics_reader', p.oid, 'EXECUTE') AND p.oid NOT IN (SELECT "
        "chime.routine(signature)"
        " FROM chime.plugin_function) AND p.proname !~ '^(now|kept)_[0-9]+$'", /* what RELATION__now calls */
        "add_action_partitions(timestamp with time zone,integer,integer) chime.as_of() chime.one_of(text,text,text[])"
        " analytics.view_freshness() chime.wait_fresh(text,interval)");
    /* With more than their own rights: each says in its .sql what it gives out. */
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.prosecdef"
               " AND has_function_privilege('analytics_reader', p.oid, 'EXECUTE') AND p.proname !~ '^now_[0-9]+$'",
               "get_analytics_refresh_status telemetry_trend view_freshness wait_fresh");
}
END_TEST

/* PostgreSQL stores the body of such a function parsed, so with each column by name. A dump of it cannot be restored
 * on, and pg_upgrade cannot go to, a version in which one of them is gone (pg_attribute.attcacheoff in 18). */
START_TEST(no_stored_body_has_all_columns_of_a_catalog)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p"
               " WHERE p.prosqlbody IS NOT NULL AND p.pronamespace::regnamespace::text !~ '^(pg_|information_schema)'"
               " AND pg_get_functiondef(p.oid) ~ '\\m(attcacheoff|relrewrite|relminmxid|typsubscript|probin|conppeqop|"
               "indcheckxmin|datminmxid|rolvaliduntil|collversion|stxowner)\\M'",
               NULL);
    EXPECT_SQL(cluster, "SELECT count(*) > 300 FROM pg_proc WHERE prosqlbody IS NOT NULL", "t");
}
END_TEST

/* Neither a name nor an operator of the caller's means anything to a function of ours: its search_path is its own, with
 * pg_temp last, or its body is bound. These alone qualify all that they name:
 *   perform and its like         run an owner's text, which sees its role's search_path
 *   tend_capture, verify_views   commit, which a procedure with SET may not
 *   capture_N                    run for each written row, where SET costs as much as the rest; only_X are inlined
 *                                there
 *   kept_N                       inlined where RELATION__now is read, so that conditions find rows by an index */
START_TEST(every_routine_has_a_path_of_its_own)
{
    char *found = cluster_rows(cluster,
                               "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
                               " WHERE n.nspname IN ('chime', 'analytics') AND p.prosqlbody IS NULL"
                               " AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)"
                               " AND p.proname !~ "
                               "'^(perform(_slot|_pipeline|_between|_chunk)?|tend_capture|verify_views|capture_[0-9]+(_"
                               "row|_insert|_move)?|only_["
                               "0-9a-f]{32}|kept_[0-9]+)$'");

    ck_assert_str_eq(found, "");
    ck_assert_int_gt(cluster_integer(cluster,
                                     "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
                                     " WHERE n.nspname IN ('chime', 'analytics')"),
                     300);
    free(found);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("seeds");
    TCase *cases = tcase_create("seeds");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, everything_that_the_seeds_name_is_there);
    tcase_add_test(cases, a_wrong_line_is_found);
    tcase_add_test(cases, every_payload_has_the_seeds_keys);
    tcase_add_test(cases, each_view_of_the_seeds_is_one_statement);
    tcase_add_test(cases, readers_read_every_relation_and_every_function);
    tcase_add_test(cases, each_view_has_the_freshness_that_its_seed_asks_for_and_readers_see_it);
    tcase_add_test(cases, readers_read_no_source_and_no_table_of_chime);
    tcase_add_test(cases, readers_write_nothing_and_execute_nothing_else);
    tcase_add_test(cases, every_routine_has_a_path_of_its_own);
    tcase_add_test(cases, no_stored_body_has_all_columns_of_a_catalog);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
