/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime init`: its SQL makes a role that serves, and its configuration is one that is served. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/init_role.h"
#include "support/daemon/daemon.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define DATABASE "it's \"my\" shop"
#define ROLE "ops: \"night\" shift"

static struct cluster *cluster;
static char *folder;
static char *configuration;
static char *output;
static char *errors;

#define ASSERT_RUN(status, ...)                                                                                       \
    do {                                                                                                              \
        const char *const words[] = {__VA_ARGS__, NULL};                                                              \
        free(output);                                                                                                 \
        free(errors);                                                                                                 \
        int found = daemon_run(words, &output, &errors);                                                              \
        ck_assert_msg(found == (status), "status %d instead of %d\n%.2000s\n%.4000s", found, status, output, errors); \
    } while (0)

static void replace(char **text, const char *old, const char *new)
{
    char *place = strstr(*text, old);
    ck_assert_msg(place != NULL, "no \"%s\" in:\n%s", old, *text);
    char *changed = files_path("%.*s%s%s", (int)(place - *text), *text, new, place + strlen(old));
    free(*text);
    *text = changed;
}

/* What init prints, with the places that are this test's. */
static void write_configuration(void)
{
    char *plugins = files_path("%s/plugins", folder);
    char *from = files_path("%s", PGCHIME_BUILD_DIR "/plugins/progress.so");
    char *to = files_path("%s/progress.so", plugins);
    char *text;
    files_make_folder(plugins);
    files_copy(from, to);
    ASSERT_RUN(0, "init", "--config", "--role", ROLE, "--database", DATABASE);
    text = files_path("%s", output);
    replace(&text, "/run/postgresql", cluster_directory(cluster));
    replace(&text, PGCHIME_PLUGIN_DIRECTORY, plugins);
    replace(&text, "# jobs:", "jobs: { answer: { schedule = \"@yearly\"; command = \"SELECT 42\"; }; };\n# jobs:");
    files_write(configuration, text);
    free(plugins);
    free(from);
    free(to);
    free(text);
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    folder = files_make_directory();
    char *parts = files_path("%s/conf.d", folder);
    files_make_folder(parts);
    free(parts);
    configuration = files_path("%s/pgchime.conf", folder);
    cluster_create_database(cluster, "plain");
    cluster_execute(cluster, "CREATE ROLE app_owner; ALTER DATABASE plain RENAME TO \"it's \"\"my\"\" shop\"");
    cluster_use(cluster, DATABASE);
    cluster_execute(cluster, "REVOKE TEMPORARY ON DATABASE \"it's \"\"my\"\" shop\" FROM PUBLIC;"
                             "REVOKE CONNECT ON DATABASE \"it's \"\"my\"\" shop\" FROM PUBLIC");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster, "ALTER TABLE submissions OWNER TO app_owner");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
    free(folder);
    free(configuration);
    free(output);
    free(errors);
}

START_TEST(a_role_that_is_no_superuser_and_owns_no_table_serves)
{
    init_role_make(cluster, ROLE, DATABASE);
    init_role_make(cluster, ROLE, DATABASE); /* may be run again */
    write_configuration();
    ASSERT_RUN(0, "check", "--config", configuration);
    ck_assert_str_eq(output, "ok: 1 database, 1 plugin, 3 jobs\n");
    ASSERT_RUN(0, "serve", "--once", "--config", configuration);
    EXPECT_SQL(cluster, "SELECT name || ' ' || state FROM chime.plugin", "progress installed");
    EXPECT_SQL(cluster, "SELECT has_database_privilege('ops: \"night\" shift', current_database(), 'TEMPORARY')", "f");
    /* But for those that read distributed tables (sql/functions/citus.sql). */
    EXPECT_SQL(cluster,
               "SELECT string_agg(proname, ', ' ORDER BY proname) FROM pg_proc WHERE pronamespace = "
               "'chime'::regnamespace AND prosrc ~* 'create +temp'",
               "fetch_and_compute, fetch_rows, staged, staged_value");
    EXPECT_SQL(cluster, "SELECT state FROM chime.runs WHERE kind = 'install'", "succeeded");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class c"
               " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('chime', 'analytics')",
               ROLE);
}
END_TEST

START_TEST(the_role_may_do_no_more_than_it_needs)
{
    cluster_execute(cluster, "CREATE ROLE \"Al's\"; GRANT CREATE ON SCHEMA public TO \"Al's\"; SET ROLE \"Al's\";"
                             "CREATE TABLE public.days (day date) PARTITION BY RANGE (day); RESET ROLE");
    init_role_make(cluster, ROLE, DATABASE);
    cluster_execute(cluster,
                    "SET ROLE \"Al's\"; CREATE TABLE public.days_1 PARTITION OF public.days DEFAULT; RESET ROLE");
    EXPECT_SQL(cluster,
               "SELECT has_table_privilege('ops: \"night\" shift', 'public.days_1', 'TRIGGER')"
               " AND has_table_privilege('ops: \"night\" shift', 'public.days_1', 'SELECT')",
               "t");
    cluster_execute(cluster, "SET ROLE \"ops: \"\"night\"\" shift\"");
    EXPECT_SQL(cluster,
               "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication FROM pg_roles"
               " WHERE rolname = current_user",
               "f");
    EXPECT_SQL(cluster, "SELECT has_database_privilege(current_database(), 'CREATE')", "f");
    EXPECT_SQL(cluster, "SELECT has_schema_privilege('public', 'CREATE')", "f");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('submissions', 'SELECT')", "t");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('submissions', 'INSERT, UPDATE, DELETE, TRUNCATE')", "f");
    ck_assert_str_eq(cluster_sqlstate(cluster, "CREATE TABLE public.mine ()"), "42501");
}
END_TEST

START_TEST(a_job_runs_and_readers_see_the_view_and_no_source)
{
    init_role_make(cluster, ROLE, DATABASE);
    write_configuration();
    ASSERT_RUN(0, "serve", "--once", "--config", configuration);
    cluster_execute(cluster, "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE name = 'answer'");
    ASSERT_RUN(0, "serve", "--once", "--config", configuration);
    EXPECT_RUN(cluster, "answer", "concat_ws(' ', state, rows)", "succeeded 1");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('analytics_reader', 'analytics.mv_agent_progress', 'SELECT')", "t");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('analytics_reader', 'public.submissions', 'SELECT')", "f");
}
END_TEST

START_TEST(the_role_migrates_and_its_refresh_takes_up_what_changed)
{
    init_role_make(cluster, ROLE, DATABASE);
    write_configuration();
    ASSERT_RUN(0, "migrate", "--config", configuration);
    EXPECT_SQL(cluster, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'chime.job'::regclass", ROLE);
    ASSERT_RUN(0, "serve", "--once", "--config", configuration);
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_agent_progress", "0");
    cluster_execute(cluster, "INSERT INTO submissions (id, agent_id, challenge_id, status, composite_score)"
                             " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'scored', n"
                             " FROM generate_series(1, 7) n");
    cluster_execute(cluster,
                    "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE plugin = 'progress'");
    ASSERT_RUN(0, "serve", "--once", "--config", configuration);
    EXPECT_RUN(cluster, "refresh-agent-progress", "concat_ws(' ', state, rows)", "succeeded 7");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_agent_progress", "7");
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM (TABLE analytics.mv_agent_progress EXCEPT TABLE analytics.mv_agent_progress__live) d",
        "0");
}
END_TEST

/* As admin, the administrator of a managed host: no superuser, may create roles, and owns the database. */
static char *make_as_administrator(void)
{
    cluster_execute(cluster, "GRANT CREATE ON SCHEMA public TO app_owner;"
                             "ALTER DATABASE \"it's \"\"my\"\" shop\" OWNER TO admin;"
                             "SET ROLE admin; CREATE TABLE public.hers (id int); RESET ROLE");
    free(init_role_make_as(cluster, "admin", ROLE, DATABASE));
    return init_role_make_as(cluster, "admin", ROLE, DATABASE); /* may be run again */
}

START_TEST(an_administrator_who_is_no_superuser_may_run_the_sql)
{
    cluster_execute(cluster, "CREATE ROLE admin LOGIN CREATEROLE");
    char *said = make_as_administrator();
    ck_assert_msg(strstr(said, "WARNING:  admin cannot grant what belongs to app_owner: public.") != NULL, "%s", said);
    const char *hint = strstr(said, "HINT:  let app_owner run: ");
    ck_assert_msg(hint != NULL, "%s", said);
    char *statements = files_path("%.*s", (int)strcspn(hint + 26, "\n"), hint + 26);
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ops: \"night\" shift', 'submissions', 'SELECT')", "f");
    cluster_execute(cluster, "SET ROLE app_owner");
    cluster_execute(cluster, statements);
    cluster_execute(cluster, "CREATE TABLE public.later (id int); RESET ROLE; SET ROLE admin;"
                             "CREATE TABLE public.hers_later (id int); RESET ROLE");
    EXPECT_SQL(cluster,
               "SELECT string_agg(t, ' ') FROM unnest('{submissions,later,hers,hers_later}'::text[]) t"
               " WHERE has_table_privilege('ops: \"night\" shift', t, 'SELECT') AND"
               " has_table_privilege('ops: \"night\" shift', t, 'TRIGGER')",
               "submissions later hers hers_later");
    /* It lent itself the role only to make its schemas. */
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_auth_members WHERE member = 'admin'::regrole AND NOT admin_option",
               "0");
    free(statements);
    free(said);
}
END_TEST

START_TEST(what_an_administrator_made_serves_and_doctor_finds_nothing)
{
    cluster_execute(cluster, "CREATE ROLE admin LOGIN CREATEROLE IN ROLE app_owner");
    free(make_as_administrator());
    write_configuration();
    ASSERT_RUN(0, "migrate", "--with-cron", "--config", configuration);
    ASSERT_RUN(0, "serve", "--once", "--config", configuration);
    EXPECT_SQL(cluster, "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'cron'", ROLE);
    EXPECT_SQL(cluster, "SELECT state FROM chime.runs WHERE kind = 'install'", "succeeded");
    cluster_execute(cluster, "ALTER ROLE app_owner LOGIN; GRANT USAGE ON SCHEMA cron TO app_owner;"
                             "GRANT CONNECT ON DATABASE \"it's \"\"my\"\" shop\" TO app_owner; SET ROLE app_owner;"
                             "SELECT cron.schedule('its', '0 3 * * *', 'SELECT 1'); RESET ROLE");
    ASSERT_RUN(8, "doctor", "--config", configuration);
    /* Nothing but that no daemon runs now. */
    char *warning = strstr(output, " warn ");
    ck_assert_msg(warning != NULL && strstr(warning, " warn  nobody leads ") == warning, "%s", output);
    ck_assert_msg(strstr(warning + 1, " warn ") == NULL && strstr(output, " failed ") == NULL, "%s", output);
}
END_TEST

START_TEST(without_the_sql_what_is_missing_is_said)
{
    cluster_execute(cluster, "CREATE ROLE \"ops: \"\"night\"\" shift\" LOGIN;"
                             "GRANT CONNECT ON DATABASE \"it's \"\"my\"\" shop\" TO \"ops: \"\"night\"\" shift\"");
    write_configuration();
    ASSERT_RUN(1, "migrate", "--config", configuration);
    ck_assert_msg(strstr(errors, "CREATE SCHEMA chime AUTHORIZATION") != NULL, "%s", errors);
    ck_assert_msg(strstr(errors, "pgchime init --sql") != NULL, "%s", errors);
}
END_TEST

START_TEST(a_file_after_config_is_no_database)
{
    ASSERT_RUN(2, "init", "--sql", "--config", "/etc/pgchime/pgchime.conf");
    ck_assert_msg(
        strstr(errors, "\"/etc/pgchime/pgchime.conf\" looks like a file, but --config after init takes none") != NULL,
        "%s", errors);
    ck_assert_msg(strstr(errors, "HINT:  a configuration to look at is named before the command: pgchime --config") !=
                      NULL,
                  "%s", errors);
    ck_assert_str_eq(output, "");
    ASSERT_RUN(0, "--config", "/nowhere/pgchime.conf", "init", "--sql", "app");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_init");
    TCase *tests = tcase_create("cli_init");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_role_that_is_no_superuser_and_owns_no_table_serves);
    tcase_add_test(tests, the_role_may_do_no_more_than_it_needs);
    tcase_add_test(tests, a_job_runs_and_readers_see_the_view_and_no_source);
    tcase_add_test(tests, the_role_migrates_and_its_refresh_takes_up_what_changed);
    tcase_add_test(tests, an_administrator_who_is_no_superuser_may_run_the_sql);
    tcase_add_test(tests, what_an_administrator_made_serves_and_doctor_finds_nothing);
    tcase_add_test(tests, without_the_sql_what_is_missing_is_said);
    tcase_add_test(tests, a_file_after_config_is_no_database);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
