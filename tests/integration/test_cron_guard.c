/* SPDX-License-Identifier: PostgreSQL */
/* What stands in the way where schema cron takes the extension's place: scripts that ask for the extension before they
 * make jobs, and its settings. */
#include <check.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/import/import_stage.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

#define GUARD "to_regprocedure('cron.schedule(text,text,text)') IS NOT NULL"
#define ASKS                                                                                                    \
    "IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN PERFORM cron.schedule('a', '@daily', " \
    "'SELECT 1'); END IF;"

static void set_up(void)
{
    import_stage_copy("app", "model");
    import_stage_aim("app");
    cluster_execute(cluster, "GRANT CREATE ON DATABASE app TO pgchime");
    ASSERT_RUN(0, "migrate", "--with-cron");
}

static void start(void)
{
    import_stage_start();
    cluster_use(cluster, "postgres"); /* nobody may be in a model that is copied */
}

static void assert_finds(const char *part)
{
    commands_run(configuration, (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
    commands_has(output, part);
}

static void assert_finds_nothing(void)
{
    commands_run(configuration, (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
    ck_assert_msg(strstr(output, "pg_cron") == NULL, "%s", output);
}

START_TEST(migrate_prints_the_question_that_is_true_of_both)
{
    commands_has(errors, GUARD);
    EXPECT_SQL(cluster, "SELECT " GUARD, "t");
    ASSERT_RUN(0, "migrate", "--help");
    commands_has(output, GUARD);
}
END_TEST

START_TEST(a_function_that_asks_for_the_extension_is_named)
{
    assert_finds_nothing();
    cluster_execute(cluster,
                    "CREATE FUNCTION public.deploy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN " ASKS " END $$");
    assert_finds("function public.deploy() asks whether the extension pg_cron is installed");
    commands_has(output, GUARD);
    cluster_execute(cluster, "CREATE OR REPLACE FUNCTION public.deploy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
                             " IF " GUARD " THEN PERFORM cron.schedule('a', '@daily', 'SELECT 1'); END IF; END $$");
    assert_finds_nothing();
}
END_TEST

START_TEST(a_function_that_asks_whether_the_extension_could_be_had_is_named)
{
    cluster_execute(cluster,
                    "CREATE FUNCTION public.deploy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM"
                    " pg_available_extensions WHERE name = 'pg_cron') THEN PERFORM cron.schedule('a', '@daily',"
                    " 'SELECT 1'); END IF; END $$");
    assert_finds("function public.deploy() asks whether the extension pg_cron is installed");
}
END_TEST

START_TEST(a_migration_that_is_kept_in_a_table_is_named)
{
    cluster_execute(
        cluster, "CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations (version text,"
                 " statements text[], name text); INSERT INTO supabase_migrations.schema_migrations VALUES"
                 " ('1', ARRAY['SELECT 1', $sql$DO $$ BEGIN " ASKS " END $$$sql$], 'jobs')");
    assert_finds_nothing(); /* nobody let the daemon's role read it */
    cluster_execute(cluster, "GRANT USAGE ON SCHEMA supabase_migrations TO pgchime;"
                             "GRANT SELECT ON supabase_migrations.schema_migrations TO pgchime");
    assert_finds("table supabase_migrations.schema_migrations, column statements, asks");
}
END_TEST

/* A policy is code of the table's owner: it does not run as whoever asks. */
START_TEST(a_table_with_policies_is_not_read)
{
    cluster_execute(
        cluster,
        "CREATE TABLE public.my_migrations (sql text); INSERT INTO public.my_migrations VALUES ($$" ASKS "$$);"
        "CREATE TABLE public.seen (who text); GRANT INSERT ON public.seen TO PUBLIC;"
        "CREATE FUNCTION public.note() RETURNS boolean LANGUAGE sql AS"
        " $$ INSERT INTO public.seen VALUES (current_user); SELECT true $$;"
        "CREATE POLICY p ON public.my_migrations USING (public.note());"
        "ALTER TABLE public.my_migrations ENABLE ROW LEVEL SECURITY; GRANT SELECT ON public.my_migrations TO PUBLIC");
    assert_finds_nothing();
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.seen", "0");
}
END_TEST

START_TEST(a_zone_of_pg_cron_that_jobs_do_not_run_in_is_named)
{
    cluster_execute(cluster, "ALTER DATABASE app SET cron.timezone = 'Europe/Berlin'");
    assert_finds("cron.timezone is Europe/Berlin, which was pg_cron's setting; jobs run in UTC");
    cluster_execute(cluster, "ALTER DATABASE app SET cron.timezone = 'UTC'");
    assert_finds_nothing();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cron_guard");
    TCase *cases = tcase_create("cron_guard");
    tcase_set_timeout(cases, 120);
    tcase_add_unchecked_fixture(cases, start, stage_clear);
    tcase_add_checked_fixture(cases, set_up, import_stage_forget);
    tcase_add_test(cases, migrate_prints_the_question_that_is_true_of_both);
    tcase_add_test(cases, a_function_that_asks_for_the_extension_is_named);
    tcase_add_test(cases, a_function_that_asks_whether_the_extension_could_be_had_is_named);
    tcase_add_test(cases, a_migration_that_is_kept_in_a_table_is_named);
    tcase_add_test(cases, a_table_with_policies_is_not_read);
    tcase_add_test(cases, a_zone_of_pg_cron_that_jobs_do_not_run_in_is_named);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
