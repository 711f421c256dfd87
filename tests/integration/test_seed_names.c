/* SPDX-License-Identifier: PostgreSQL */
/* The seeds name no schema: their statements find what the plugins keep in either set-up of docs/views.md, as an
 * application's role and, for the refreshes of cron's bodies, as the role that owns the ledger. */
#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/cluster/cluster.h"
#include "support/cluster/psql.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define INSTALL_SECONDS 120

static const char *const plugins[] = {"action_analytics",  "agent_performance", "approval_queue",
                                      "lane_distribution", "progress",          "query_performance",
                                      "telemetry",         "time_to_first_win", "weakness"};

/* As an application asks, seed by seed. What supabase.from("x") sends is SELECT * FROM "x" over its search_path. */
static const char *const reads[] = {
    "SELECT pending_count, urgent_count, avg_confidence FROM mv_agent_queue_realtime",
    "SELECT window_start, approval_rate_pct FROM mv_agent_accuracy_rolling WHERE window_start > now() - interval '24 "
    "h'",
    "SELECT agent, query_count_1h, avg_latency_ms FROM mv_query_performance_live ORDER BY avg_latency_ms",
    "SELECT * FROM v_agent_performance_snapshot",
    "SELECT max(last_updated_at) FROM mv_realtime_agent_performance",
    "SELECT (SELECT count(*) FROM agent_queries WHERE created_at > now() - interval '5 min'),"
    " (SELECT sum(queries_last_5min) FROM mv_realtime_agent_performance)",
    "SELECT * FROM mv_lane_score_distribution",
    "SELECT * FROM mv_weakness_patterns",
    "SELECT * FROM mv_agent_progress",
    "SELECT * FROM mv_time_to_first_win",
    "SELECT view_name, row_count, age_minutes FROM get_analytics_refresh_status() ORDER BY age_minutes DESC",
    "SELECT action_type, sum(execution_count) FROM action_metrics_hourly GROUP BY action_type",
    "SELECT * FROM trigger_performance_summary ORDER BY total_executions DESC LIMIT 20 OFFSET 0",
    "SELECT domain, total_requests_all_time, total_cost_usd_all_time FROM chat_telemetry_domain_summary",
    "SELECT model, total_uses, avg_cost_per_request, cost_per_1k_tokens FROM chat_telemetry_model_summary",
    "SELECT domain, materialized_at FROM chat_telemetry_domain_summary LIMIT 1",
};
static const char *const refreshes[] = {
    "SELECT * FROM refresh_action_analytics()",
    "SELECT * FROM refresh_telemetry_summary_views()",
};

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *folder;

static void lead(const char *members)
{
    cluster = cluster_create(NULL);
    psql_load_sample(cluster);
    cluster_execute(cluster, "CREATE ROLE analytics_reader; CREATE ROLE app LOGIN IN ROLE analytics_reader;"
                             " GRANT SELECT ON ALL TABLES IN SCHEMA public TO app");
    site = site_create(cluster, "postgres", 4);
    folder = files_make_directory();
    for (size_t i = 0; i < COUNT_OF(plugins); i++) {
        plugin_put(folder, plugins[i]);
    }
    site_use_plugins(site, folder);
    if (members != NULL) {
        site_use_members(site, members);
    }
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FILTER (WHERE state = 'installed') FROM chime.plugin", "9", INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", INSTALL_SECONDS);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    free(folder);
    cluster_destroy(cluster);
    served = NULL;
}

static void expect_all(const char *role, const char *const *statements, size_t count, const char *sqlstate)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    PGconn *session = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(session) == CONNECTION_OK, "%s", PQerrorMessage(session));
    for (size_t i = 0; i < count; i++) {
        PGresult *result = PQexec(session, statements[i]);
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        ck_assert_msg(strcmp(state != NULL ? state : "", sqlstate) == 0, "%s: %s", statements[i],
                      PQresultErrorMessage(result));
        PQclear(result);
    }
    PQfinish(session);
    free(conninfo);
}

START_TEST(a_role_or_database_with_analytics_in_its_path_finds_all)
{
    lead(NULL);
    expect_all("app", reads, 1, "42P01");
    cluster_execute(cluster, "ALTER DATABASE postgres SET search_path = \"$user\", public, analytics");
    expect_all("app", reads, COUNT_OF(reads), "");
    expect_all("postgres", refreshes, COUNT_OF(refreshes), "");
}
END_TEST

START_TEST(what_is_kept_in_public_needs_no_path)
{
    lead("view_schema = \"public\";");
    expect_all("app", reads, COUNT_OF(reads), "");
    expect_all("postgres", refreshes, COUNT_OF(refreshes), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seed_names");
    TCase *cases = tcase_create("seed_names");
    tcase_add_checked_fixture(cases, NULL, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_role_or_database_with_analytics_in_its_path_finds_all);
    tcase_add_test(cases, what_is_kept_in_public_needs_no_path);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
