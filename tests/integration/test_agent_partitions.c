/* SPDX-License-Identifier: PostgreSQL */
/* The agents' event tables by month (sql/sample/partitions.sql): views are kept by groups as over plain tables, and
 * retention takes what is old by partition or by row. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/init_role.h"
#include "support/cluster/psql.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/views/agents.h"

#define ROLE "pgchime"
#define SECONDS 60

static struct agents agents;
static struct cluster *cluster;
static struct daemon *served;

/* The rows with the partition that each is in, and whether all of that is older than the line beyond which it goes. */
static const char remember[] =
    "CREATE TABLE public.before AS"
    " SELECT 'agent_queries' AS source, tableoid::regclass::text AS part, id::text, created_at AS at FROM agent_queries"
    " UNION ALL SELECT 'AgentQuery', tableoid::regclass::text, id, \"createdAt\" FROM \"AgentQuery\""
    " UNION ALL SELECT 'agent_approvals', tableoid::regclass::text, id::text, created_at FROM agent_approvals"
    " UNION ALL SELECT 'agent_feedback', tableoid::regclass::text, id::text, created_at FROM agent_feedback"
    " UNION ALL SELECT 'AgentFeedback', tableoid::regclass::text, id, \"createdAt\" FROM \"AgentFeedback\";"
    "ALTER TABLE public.before ADD goes boolean;"
    "UPDATE public.before SET goes = (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE "
    "'UTC'"
    " <= now() - interval '30 days'";

static void use_plugins(struct agents *these)
{
    static const char *const plugins[] = {"agent_performance", "query_performance", "approval_queue",
                                          "training_quality", "retention"};

    these->folder = files_make_directory();
    these->site = site_create(these->cluster, "postgres", 2);
    site_use_role(these->site, ROLE);
    for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++)
        plugin_put(these->folder, plugins[i]);
    site_use_plugins(these->site, these->folder);
}

/* Retention detaches what its role owns. */
static void give_to_role(struct cluster *made)
{
    cluster_execute(
        made, "DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT t.relid FROM unnest(ARRAY['agent_queries',"
              " '\"AgentQuery\"', '\"AgentFeedback\"', 'action_results']::regclass[]) AS r, pg_partition_tree(r) AS t"
              " LOOP EXECUTE format('ALTER TABLE %s OWNER TO " ROLE "', p); END LOOP; END $$;"
              "GRANT DELETE ON ALL TABLES IN SCHEMA public TO " ROLE);
}

static void make(struct cluster *made)
{
    struct agents these = {.cluster = made};

    psql_load_sample_by_month(made);
    cluster_execute(made, "CREATE ROLE analytics_reader");
    init_role_make(made, ROLE, "postgres");
    give_to_role(made);
    use_plugins(&these);
    agents_serve(&these);
    cluster_execute(made, remember);
    site_destroy(these.site);
    free(these.folder);
}

static void set_up(void)
{
    static const struct cluster_template by_month = {"by_month", make, NULL};

    agents = (struct agents){.cluster = cluster_create_from(&by_month, NULL)};
    cluster = agents.cluster;
    use_plugins(&agents);
}

static void tear_down(void)
{
    daemon_destroy(served);
    agents_destroy(&agents);
}

START_TEST(each_row_is_in_the_partition_of_its_month)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT source, ' ') FROM public.before WHERE part <> quote_ident(source ||"
               " to_char(at AT TIME ZONE 'UTC', '\"_\"YYYY_MM'))",
               NULL);
    EXPECT_SQL(cluster,
               "SELECT count(*) = 5 FROM (SELECT source FROM public.before GROUP BY source"
               " HAVING count(DISTINCT part) >= 4) b",
               "t");
    EXPECT_SQL(cluster,
               "INSERT INTO agent_approvals (conversation_id) VALUES ('next')"
               " RETURNING id = (SELECT max(id) + 1 FROM agent_approvals)",
               "t");
}
END_TEST

/* Inserts into several months, rows that move to another month, deletes, and what only time moves. */
static const char writes[] =
    "INSERT INTO agent_queries (agent, query, latency_ms, conversation_id, created_at)"
    " SELECT 'data', 'q', n, 'c', now() - n * interval '7 days' FROM generate_series(0, 12) AS n;"
    "UPDATE agent_queries SET created_at = now() - interval '10 s' WHERE id IN (SELECT min(id) FROM agent_queries);"
    "UPDATE agent_queries SET created_at = now() - interval '70 days' WHERE id IN (SELECT id FROM agent_queries WHERE"
    " created_at > now() - interval '50 s' ORDER BY id LIMIT 3);"
    "DELETE FROM \"AgentQuery\" WHERE \"createdAt\" > now() - interval '30 min' AND agent = 'data';"
    "UPDATE agent_approvals SET status = 'approved', reviewed_at = now() WHERE id IN (SELECT id FROM agent_approvals"
    " WHERE status = 'pending' ORDER BY id LIMIT 2);"
    "UPDATE agent_approvals SET created_at = created_at - interval '40 days' WHERE id IN (SELECT id FROM "
    "agent_approvals"
    " WHERE status = 'pending' ORDER BY id DESC LIMIT 1);"
    "UPDATE agent_feedback SET annotator = 'new', created_at = now() WHERE id IN (SELECT min(id) FROM agent_feedback)";

/* How they were refreshed; then each is compared with its definition and with the oracle. */
static char *refresh_and_compare(void)
{
    char *as_of = cluster_value(cluster, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')");

    cluster_execute_format(cluster, "SET chime.as_of = '%s+00'", as_of);
    char *ways = cluster_value(
        cluster,
        "SELECT string_agg(DISTINCT coalesce(v.full_reason, v.relation || ': ' || r.reason, r.method), ', ')"
        " FROM (SELECT relation, full_reason FROM chime.view ORDER BY view_id) v, chime.refresh(v.relation) r");
    EXPECT_SQL(cluster,
               "SELECT string_agg(v.relation, ' ') FROM chime.view v, chime.difference(v.relation) d"
               " WHERE d.missing + d.surplus > 0",
               NULL);
    agents_compare(&agents, as_of, false);
    free(as_of);
    return ways;
}

static void are_right_by_groups(void)
{
    char *ways = refresh_and_compare();

    ck_assert_str_eq(ways, "it has no grain, keyed");
    free(ways);
}

START_TEST(views_follow_writes_to_every_month_by_groups)
{
    EXPECT_SQL(cluster, "SELECT string_agg(relation, ' ' ORDER BY relation) FROM chime.view WHERE full_reason IS NULL",
               "mv_agent_query_buckets mv_agent_queue_realtime mv_annotator_activity mv_approval_queue_summary "
               "mv_query_latency_counts mv_query_performance_live mv_realtime_agent_performance "
               "mv_training_quality_snapshot");
    cluster_execute(cluster, "CREATE FUNCTION public.groups_are_cheap() RETURNS trigger LANGUAGE plpgsql AS"
                             " 'BEGIN NEW.full_us := 3600000000; RETURN NEW; END';"
                             "CREATE TRIGGER groups_are_cheap BEFORE UPDATE ON chime.view_refresh"
                             " FOR EACH ROW EXECUTE FUNCTION public.groups_are_cheap();"
                             "UPDATE chime.view_refresh SET full_us = 1");
    are_right_by_groups();
    cluster_execute(cluster, writes);
    are_right_by_groups();
}
END_TEST

static void retain(void)
{
    site_file(agents.site, "retention",
              "plugin: { name = \"retention\"; enabled = true;"
              " settings: { enforce = true; batch_rows = 100; }; };\n");
    served = site_lead(agents.site);
    WAIT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'retention-events'", "t", SECONDS);
    runs_ask_and_await(cluster, "retention-events");
    EXPECT_RUN(cluster, "retention-events", "concat_ws(' ', state, message)", "succeeded DO");
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

#define GONE(source, table, id)                                                                                    \
    "SELECT count(*) FILTER (WHERE b.goes <> NOT EXISTS (SELECT FROM " table " t WHERE t." id "::text = b.id)) ||" \
    " ' ' || (count(*) FILTER (WHERE b.goes) > 20) FROM public.before b WHERE b.source = '" source "'"

START_TEST(what_is_old_goes_by_month_or_by_row_and_views_are_right)
{
    retain();
    /* By month, where an age is one instant. */
    EXPECT_SQL(cluster, GONE("agent_queries", "agent_queries", "id"), "0 true");
    EXPECT_SQL(cluster, GONE("AgentQuery", "\"AgentQuery\"", "id"), "0 true");
    EXPECT_SQL(cluster, GONE("AgentFeedback", "\"AgentFeedback\"", "id"), "0 true");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT source, ' ') FROM analytics.retention_log WHERE action = 'detach'"
               " AND source ~* 'agent'",
               "AgentFeedback AgentQuery agent_queries");
    /* By row, where a decision or an annotation makes it young, out of every month. */
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(DISTINCT source, ' ') FROM analytics.retention_log WHERE action = 'move' AND rows > 0",
        "agent_approvals agent_feedback");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM agent_approvals WHERE status <> 'pending' AND created_at < now() - interval"
               " '31 days' AND updated_at < now() - interval '31 days'",
               "0");
    EXPECT_SQL(cluster,
               "SELECT count(*) > 0 FROM agent_approvals WHERE status = 'pending' AND created_at < now() -"
               " interval '31 days'",
               "t");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM agent_feedback WHERE created_at < now() - interval '31 days' AND"
               " updated_at < now() - interval '31 days'",
               "0");
    free(refresh_and_compare());
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("agent_partitions");
    TCase *cases = tcase_create("agent_partitions");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, each_row_is_in_the_partition_of_its_month);
    tcase_add_test(cases, views_follow_writes_to_every_month_by_groups);
    tcase_add_test(cases, what_is_old_goes_by_month_or_by_row_and_views_are_right);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
