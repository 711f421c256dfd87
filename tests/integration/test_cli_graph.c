/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime graph`: the jobs of a configuration and what comes after what; with --offline no server is needed. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static char *configuration;
static char *output;
static char *errors;

static void set_up(void)
{
    char *folder = files_make_directory();
    configuration = files_path("%s/pgchime.conf", folder);
    files_write(
        configuration,
        "databases: { main: { conninfo = \"dbname=m\"; }; other: { conninfo = \"dbname=o\"; }; };\n"
        "jobs: {\n"
        "  load:   { database = \"main\"; schedule = \"@hourly\"; command = \"SELECT 1\"; };\n"
        "  clean:  { database = \"main\"; schedule = \"@hourly\"; command = \"SELECT 1\"; after = [\"load\"]; };\n"
        "  report: { database = \"main\"; command = \"SELECT 1\"; after = [\"load\", \"clean\"]; };\n"
        "  mail:   { database = \"main\"; command = \"SELECT 1\"; after = [\"report\"]; enabled = false; };\n"
        "  alone:  { database = \"other\"; schedule = \"* * * * *\"; command = \"SELECT 1\"; };\n"
        "};\n");
    free(folder);
}

static void tear_down(void)
{
    free(configuration);
    free(output);
    free(errors);
}

#define RUN(...) commands_run(configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define GRAPH(...) RUN("graph", "--offline", __VA_ARGS__)

/* The output is this JSON, whatever its layout. */
static void assert_answer(const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_REJECT_DUPLICATES, NULL);
    json_t *found = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(wanted);
    ck_assert_msg(json_equal(found, wanted), "not %s:\n%s", expected, output);
    json_decref(found);
    json_decref(wanted);
}

START_TEST(json_has_jobs_upstreams_first_and_edges)
{
    ck_assert_int_eq(GRAPH("-o", "json", "--database", "main"), 0);
    assert_answer(
        "{\"schema_version\":1,\"jobs\":["
        "{\"job\":\"load\",\"database\":\"main\",\"schedule\":\"@hourly\",\"after\":[],\"join\":false,\"active\":true,"
        "\"plugin\":null,\"views\":[]},"
        "{\"job\":\"clean\",\"database\":\"main\",\"schedule\":\"@hourly\",\"after\":[\"load\"],\"join\":false,"
        "\"active\":true,\"plugin\":null,\"views\":[]},"
        "{\"job\":\"report\",\"database\":\"main\",\"schedule\":\"\",\"after\":[\"load\",\"clean\"],\"join\":true,"
        "\"active\":true,\"plugin\":null,\"views\":[]},"
        "{\"job\":\"mail\",\"database\":\"main\",\"schedule\":\"\",\"after\":[\"report\"],\"join\":true,"
        "\"active\":false,\"plugin\":null,\"views\":[]}],"
        "\"edges\":[{\"database\":\"main\",\"from\":\"load\",\"to\":\"clean\"},"
        "{\"database\":\"main\",\"from\":\"report\",\"to\":\"mail\"},"
        "{\"database\":\"main\",\"from\":\"load\",\"to\":\"report\"},"
        "{\"database\":\"main\",\"from\":\"clean\",\"to\":\"report\"}]}");
}
END_TEST

START_TEST(the_tree_shows_a_job_below_each_upstream_and_what_follows_once)
{
    ck_assert_int_eq(GRAPH("-o", "tree", "--no-header", "--database", "main"), 0);
    const char *const begins[] = {"load ", "├─clean ", "│ └─report ", "│   └─mail ", "└─report "};
    const char *line = output;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        ck_assert_msg(strncmp(line, begins[i], strlen(begins[i])) == 0, "line %zu of:\n%s", i + 1, output);
        line = strchr(line, '\n') + 1;
    }
    ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(dot_quotes_and_groups_by_database)
{
    ck_assert_int_eq(GRAPH("-o", "dot"), 0);
    commands_has(output, "digraph pgchime {\n");
    commands_has(output, "  subgraph \"cluster main\" {\n    label=\"main\";\n");
    commands_has(output, "    \"other/alone\" [label=\"alone\\n* * * * *\"];\n");
    commands_has(output, "    \"main/report\" [label=\"report\\njoin\" shape=ellipse];\n");
    commands_has(output, "    \"main/mail\" [label=\"mail\\njoin\" shape=ellipse style=dashed fontcolor=gray];\n");
    commands_has(output, "  \"main/clean\" -> \"main/report\";\n");
}
END_TEST

START_TEST(only_graph_draws)
{
    ck_assert_int_eq(RUN("jobs", "-o", "dot"), 2);
    commands_has(errors, "jobs knows no -o dot\nHINT:  write -o table");
    ck_assert_int_eq(RUN("-o", "tree", "version"), 2);
    ck_assert_int_eq(GRAPH("-o", "trea"), 2);
    commands_has(errors, "did you mean \"tree\"?");
}
END_TEST

START_TEST(jobs_of_plugins_and_what_they_keep_are_in_it)
{
    files_write(configuration, "databases: { main: { conninfo = \"dbname=m\"; }; };\n"
                               "plugin_dir = \"" PGCHIME_BUILD_DIR "/plugins\";\n"
                               "jobs: { mail: { command = \"SELECT 1\"; after = [\"refresh-agent-progress\"]; }; };\n");
    ck_assert_msg(GRAPH("-o", "json") == 0, "%s", errors);
    json_t *document = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    const char *job;
    const char *plugin = NULL;
    const char *view = NULL;
    json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(document, "jobs"), i, entry)
    {
        ck_assert_int_eq(json_unpack(entry, "{s:s}", "job", &job), 0);
        if (strcmp(job, "refresh-agent-progress") == 0) {
            ck_assert_int_eq(json_unpack(entry, "{s:s, s:[s]}", "plugin", &plugin, "views", &view), 0);
        }
    }
    ck_assert_pstr_eq(plugin, "progress");
    ck_assert_pstr_eq(view, "analytics.mv_agent_progress");
    json_decref(document);
}
END_TEST

START_TEST(a_configuration_with_errors_has_no_graph)
{
    files_write(configuration, "databases: { main: { conninfo = \"dbname=m\"; }; };\n"
                               "jobs: { a: { command = \"SELECT 1\"; after = [\"b\"]; };\n"
                               "b: { command = \"SELECT 1\"; after = [\"a\"]; }; };\n");
    ck_assert_int_eq(GRAPH("-o", "json"), 3);
    ck_assert_str_eq(output, "");
    ck_assert_int_eq(GRAPH("--database", "nowhere"), 5);
}
END_TEST

START_TEST(dot_says_that_only_events_wake_a_job)
{
    files_write(configuration, "databases: { main: { conninfo = \"dbname=m\"; }; };\n"
                               "jobs: { listener: { command = \"SELECT 1\"; on = \"scored\"; };\n"
                               "  idle: { command = \"SELECT 1\"; enabled = false; };\n"
                               "  both: { command = \"SELECT 1\"; on = \"scored\"; after = \"listener\"; }; };\n");
    ck_assert_int_eq(GRAPH("-o", "dot"), 0);
    commands_has(output, " [label=\"listener\\nby event\"];\n");
    commands_has(output, " [label=\"idle\\non request\" style=dashed fontcolor=gray];\n");
    commands_has(output, " [label=\"both\\njoin\" shape=ellipse];\n");
}
END_TEST

START_TEST(jobs_made_by_sql_are_in_it)
{
    struct cluster *cluster = cluster_create(NULL);
    struct site *site = site_create(cluster, "postgres", 2);
    struct daemon *served;
    const char *config = site_config(site);
    site_job(site, "load", "schedule = \"@hourly\"; command = \"SELECT 1\";");
    served = site_lead(site);
    cluster_execute(cluster, "SELECT chime.schedule('first', '@daily', 'SELECT 1', after => '{load}');"
                             "SELECT chime.schedule('then', NULL, 'SELECT 1', after => '{first}', active => false);"
                             "SELECT chime.schedule('gone', '@daily', 'SELECT 1'); SELECT chime.unschedule('gone')");
    commands_expect(0, config, (const char *const[]){"graph", "-o", "dot", NULL}, &output, &errors);
    commands_has(output, "    \"main/postgres/first\" [label=\"postgres/first\\n@daily\"];\n");
    commands_has(output, " [label=\"postgres/then\\njoin\" shape=ellipse style=dashed fontcolor=gray];\n");
    commands_has(output, "  \"main/load\" -> \"main/postgres/first\";\n");
    commands_has(output, "  \"main/postgres/first\" -> \"main/postgres/then\";\n");
    ck_assert_ptr_null(strstr(output, "gone"));
    commands_expect(0, config, (const char *const[]){"graph", "-o", "dot", "--offline", NULL}, &output, &errors);
    ck_assert_ptr_null(strstr(output, "first"));
    ck_assert_str_eq(errors, "");
    site_end(served);
    cluster_stop(cluster, CLUSTER_FAST);
    commands_expect(0, config, (const char *const[]){"graph", "-o", "dot", NULL}, &output, &errors);
    commands_has(output, "main/load");
    commands_has(errors, "database \"main\": jobs made by SQL are not shown: ");
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_graph");
    TCase *tests = tcase_create("graph");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, json_has_jobs_upstreams_first_and_edges);
    tcase_add_test(tests, the_tree_shows_a_job_below_each_upstream_and_what_follows_once);
    tcase_add_test(tests, dot_quotes_and_groups_by_database);
    tcase_add_test(tests, only_graph_draws);
    tcase_add_test(tests, jobs_of_plugins_and_what_they_keep_are_in_it);
    tcase_add_test(tests, dot_says_that_only_events_wake_a_job);
    tcase_add_test(tests, a_configuration_with_errors_has_no_graph);
    tcase_add_test(tests, jobs_made_by_sql_are_in_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
