/* SPDX-License-Identifier: PostgreSQL */
#include "support/views/agents.h"

#include <stdlib.h>

#include "support/cluster/psql.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define POPULATION_SECONDS 60

static const char *const plugins[] = {"agent_performance", "query_performance", "approval_queue"};
#define PLUGIN_COUNT (sizeof(plugins) / sizeof(plugins[0]))

void agents_serve(struct agents *agents)
{
    struct daemon *served = site_lead(agents->site);

    WAIT_SQL(agents->cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0",
             POPULATION_SECONDS);
    WAIT_SQL(agents->cluster, "SELECT count(*) FROM chime.request WHERE verb = 'run'", "0", POPULATION_SECONDS);
    site_end(served);
    daemon_destroy(served);
}

static void configure(struct agents *agents)
{
    agents->folder = files_make_directory();
    agents->site = site_create(agents->cluster, "postgres", 2);
    for (size_t i = 0; i < PLUGIN_COUNT; i++)
        plugin_put(agents->folder, plugins[i]);
    site_use_plugins(agents->site, agents->folder);
}

static void install(struct cluster *cluster)
{
    struct agents agents = {.cluster = cluster};

    configure(&agents);
    cluster_execute(cluster, "CREATE ROLE analytics_reader");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/agents.sql");
    agents_serve(&agents);
    EXPECT_SQL(cluster, "SELECT public.agents_ready()", "");
    site_destroy(agents.site);
    free(agents.folder);
}

struct agents agents_create(void)
{
    static const struct cluster_template installed = {"agents", install, NULL};
    struct agents agents = {.cluster = cluster_create_from(&installed, NULL)};

    configure(&agents);
    return agents;
}

void agents_destroy(struct agents *agents)
{
    site_destroy(agents->site);
    cluster_destroy(agents->cluster);
    free(agents->folder);
}

void agents_fill(struct agents *agents)
{
    cluster_execute(agents->cluster, "CALL public.add_queries('" AGENTS_AS_OF "', 4000, 'first');"
                                     "CALL public.add_approvals('" AGENTS_AS_OF "', 1500, 'first');"
                                     "CALL public.add_edges('" AGENTS_AS_OF "')");
    EXPECT_SQL(agents->cluster,
               "SELECT count(*) || ' ' || min(public.look(relation, '" AGENTS_AS_OF "', true))"
               " FROM chime.view WHERE full_reason IS NULL",
               "6 full: asked for");
    EXPECT_SQL(agents->cluster,
               "SELECT count(*) || ' ' || min(public.look(relation, '" AGENTS_AS_OF "'))"
               " FROM chime.view WHERE full_reason IS NOT NULL",
               "5 full: it has no grain");
}

static char *rejected_figures(struct agents *agents)
{
    return cluster_value(agents->cluster, "SELECT string_agg(format('--rejected %s=%s', relation, rejected), ' ')"
                                          " FROM chime.view_refresh WHERE rejected IS NOT NULL");
}

static void run(struct agents *agents, char *command)
{
    char *log = files_path("%s/agents.log", cluster_directory(agents->cluster));
    const char *argv[] = {"/bin/bash", "-c", command, NULL};

    process_must_run(argv, log);
    free(command);
    free(log);
}

void agents_compare_tier_3(struct agents *agents, const char *as_of)
{
    char *conninfo = cluster_conninfo(agents->cluster, "postgres");

    run(agents, files_path("%s/tests/oracle/compare_agents '%s' analytics '%s' mv_agent_latency_percentiles"
                           " v_agent_moving_averages v_agent_forecast v_agent_utilization",
                           PGCHIME_SOURCE_DIR, conninfo, as_of));
    free(conninfo);
}

void agents_compare(struct agents *agents, const char *as_of, bool rejected)
{
    char *conninfo = cluster_conninfo(agents->cluster, "postgres");
    char *figures = rejected ? rejected_figures(agents) : NULL;

    run(agents, files_path("%s/tests/oracle/compare_agents %s '%s' analytics '%s'", PGCHIME_SOURCE_DIR,
                           figures != NULL ? figures : "", conninfo, as_of));
    free(figures);
    free(conninfo);
}

void agents_run_file(struct agents *agents, const char *plugin)
{
    char *conninfo = cluster_conninfo(agents->cluster, "postgres");

    run(agents, files_path("PGOPTIONS='-c search_path=analytics,public' %s -Xq -v ON_ERROR_STOP=1 -v channels=1 -d '%s'"
                           " -f %s/plugins/%s/%s.sql",
                           psql_program(), conninfo, PGCHIME_SOURCE_DIR, plugin, plugin));
    free(conninfo);
}
