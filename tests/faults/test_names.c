/* SPDX-License-Identifier: PostgreSQL */
/* Names that mean something to SQL, a shell or a terminal: of roles, databases, schemas, jobs and channels. They are
 * names, 63 bytes of them, and reach nobody as anything else. Relations are named by plugins:
 * tests/unit/test_declaration_relations.c and test_plugins.c show that names of theirs that are not plain are
 * refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/keyed/keyed.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define REFRESH "refresh-lane-distributions"

/* 63 bytes each. */
#define ROLE "ro\"le'; DROP SCHEMA chime CASCADE; -- $$\n\\ <b>\x1b[31m {x} \xc3\xa9 %s++"
#define DATABASE "da\"ta'; <script>alert(1)</script> \\ $(touch x) `id` \n %s \xc3\xa9 +++"
#define VIEWS "vi\"ews'; DROP TABLE public.effect; -- {a,b} $1 %s %I \\ <&> \xc3\xa9 +"
#define SOURCES "so\"urces', \\ $$ <&> . {\"a\"} $body$ %L \n /* -- \xc3\xa9 ++++++++++++++"
#define CHANNEL "ch\"annel'; NOTIFY x; -- $$ \\ \n <b> %s %I {a} \xc3\xa9 +++++++++++++++"

static void begin(void)
{
    cluster = cluster_create(NULL);
    cluster_execute_named(cluster, "CREATE ROLE %s LOGIN SUPERUSER", ROLE);
    cluster_execute_named(cluster, "CREATE DATABASE %s", DATABASE);
    cluster_use(cluster, DATABASE);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    cluster_execute_named(cluster, "ALTER SCHEMA public RENAME TO %s", SOURCES);
    cluster_execute(cluster, "CREATE SCHEMA public");
    oracle_install(cluster, ROLE);
    site = site_create(cluster, DATABASE, 2);
    char *conninfo = cluster_conninfo_as(cluster, ROLE, DATABASE);
    site_use_conninfo(site, conninfo);
    free(conninfo);
    oracle_write_load(site);
}

static void command(int status, const char *const *words)
{
    commands_expect(status, site_config(site), words, &output, &errors);
    /* Nothing of a name reaches a terminal as what it would obey. */
    ck_assert_msg(strchr(output, '\x1b') == NULL && strchr(errors, '\x1b') == NULL, "%s\n%s", output, errors);
}
#define COMMAND(status, ...) command(status, (const char *const[]){__VA_ARGS__, NULL})

static void use_schemas(void)
{
    char *views = site_quoted(VIEWS);
    char *sources = site_quoted(SOURCES);
    char *members = files_path("view_schema = \"%s\"; source_schema = \"%s\";", views, sources);
    char *folder = files_make_directory();

    plugin_put(folder, "lane_distribution");
    site_use_plugins(site, folder);
    site_use_members(site, members);
    free(views);
    free(sources);
    free(members);
    free(folder);
}

START_TEST(hostile_roles_databases_and_schemas_are_names)
{
    ck_assert_uint_eq(strlen(ROLE), 63);
    ck_assert_uint_eq(strlen(DATABASE), 63);
    ck_assert_uint_eq(strlen(VIEWS), 63);
    ck_assert_uint_eq(strlen(SOURCES), 63);
    begin();
    use_schemas();
    served = site_lead(site);
    runs_await(cluster, REFRESH, 1);
    cluster_execute_named(cluster, "SET search_path = %s", SOURCES);
    cluster_execute(cluster, "INSERT INTO submissions (agent_id, challenge_id, final_lane_scores, composite_score)"
                             " VALUES (u(6), u(1), '{\"speed\": 50}', 50)");
    runs_ask_and_await(cluster, REFRESH);
    EXPECT_RUN(cluster, REFRESH, "state", "succeeded");
    WAIT_SQL(cluster, "SELECT full_reason FROM chime.view_status", NULL, PATIENCE); /* the triggers follow */
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('mv_lane_score_distribution')", "0");
    COMMAND(0, "status");
    COMMAND(0, "views");
    commands_has(output, "mv_lane_score_distribution");
    COMMAND(0, "refresh", "mv_lane_score_distribution");
    COMMAND(0, "verify", "mv_lane_score_distribution");
    COMMAND(0, "why", REFRESH);
    COMMAND(0, "show", REFRESH);
    COMMAND(0, "views", "-o", "json");
    oracle_expect_sound(cluster);
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
}
END_TEST

START_TEST(a_hostile_name_in_an_error_forges_no_line_of_the_log)
{
    char *text = site_quoted("SELECT * FROM \"none\n2026-01-01T00:00:00.000Z error forged \x1b[31m\"");
    char *members = files_path(NEVER_DUE "command = \"%s\"; max_attempts = 1;", text);

    begin();
    site_job(site, "missing", members);
    served = site_lead(site);
    runs_ask_and_await(cluster, "missing");
    EXPECT_RUN(cluster, "missing", "concat_ws(' ', state, sqlstate)", "failed 42P01");
    daemon_await(served, "failed: relation \"none", PATIENCE);
    char *said = daemon_errors(served);
    ck_assert_ptr_null(strstr(said, "\n2026-01-01"));
    ck_assert_ptr_null(strchr(said, '\x1b'));
    free(said);
    COMMAND(0, "why", "missing");
    COMMAND(0, "runs");
    oracle_expect_sound(cluster);
    free(text);
    free(members);
}
END_TEST

START_TEST(a_hostile_channel_wakes_its_job)
{
    char *channel = site_quoted(CHANNEL);
    char *members = files_path("on = [\"%s\"]; command = \"INSERT INTO public.note VALUES ($1)\";", channel);
    PGconn *other;
    const char *values[] = {CHANNEL, "it's \"\\ \n\xc3\xa9"};

    ck_assert_uint_eq(strlen(CHANNEL), 63);
    begin();
    cluster_execute(cluster, "CREATE TABLE public.note (payload text)");
    site_job(site, "listener", members);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM public.note WHERE payload IS NULL", "1", PATIENCE);
    other = cluster_connect(cluster, DATABASE);
    PGresult *result = PQexecParams(other, "SELECT pg_notify($1, $2)", 2, NULL, values, NULL, NULL, 0);
    ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    WAIT_SQL(cluster, "SELECT count(*) FROM public.note WHERE payload = E'it''s \"\\\\ \\n' || chr(233)", "1",
             PATIENCE);
    COMMAND(0, "show", "listener");
    COMMAND(0, "why", "listener");
    oracle_expect_sound(cluster);
    PQfinish(other);
    free(channel);
    free(members);
}
END_TEST

/* Names that go unquoted into files, command lines and pages are plain from the start. */
START_TEST(jobs_with_other_than_plain_names_are_refused_with_their_place)
{
    static const char *const refused[] = {
        "a'b", "a\\nb",    "a.b", "<b>",
        "a b", "\xc3\xa9", "",    "a234567890123456789012345678901234567890123456789012345678901234"};

    begin();
    served = site_lead(site); /* writes pgchime.conf */
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *text = files_path("jobs: ( { name = \"%s\"; schedule = \"@daily\"; command = \"SELECT 1\"; } );\n"
                                "jobs: { %s: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };\n",
                                refused[i], refused[i]);

        site_file(site, "hostile", text);
        COMMAND(3, "check");
        commands_has(errors, "/conf.d/hostile.conf:");
        COMMAND(3, "reload");
        free(text);
    }
    site_remove(site, "hostile");
    site_job(site, "a23456789012345678901234567890123456789012345678901234567890123",
             NEVER_DUE "command = \"SELECT 1\";");
    COMMAND(0, "reload");
    runs_ask_and_await(cluster, "a23456789012345678901234567890123456789012345678901234567890123");
    oracle_expect_sound(cluster);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("names");
    TCase *cases = tcase_create("names");

    tcase_add_checked_fixture(cases, NULL, stage_clear);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, hostile_roles_databases_and_schemas_are_names);
    tcase_add_test(cases, a_hostile_name_in_an_error_forges_no_line_of_the_log);
    tcase_add_test(cases, a_hostile_channel_wakes_its_job);
    tcase_add_test(cases, jobs_with_other_than_plain_names_are_refused_with_their_place);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
