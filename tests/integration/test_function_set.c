/* SPDX-License-Identifier: PostgreSQL */
/* The functions of schema chime as they are made anew by another version: all of them or none, ours and no others'
 * (docs/adr/0029). What chime.function_set says plays an older or newer pgchime, since there is only one here. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/migrate.h"
#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60
#define OLDER "UPDATE chime.function_set SET checksum = 'older', version = '0.0.1';"
#define OURS "length(checksum) = 64 AND version = '" PGCHIME_VERSION "'"
/* Of a function that has another text, another result, or is gone. */
#define OTHER_TEXT "CREATE OR REPLACE FUNCTION chime.part_limit() RETURNS bigint LANGUAGE sql RETURN 7;"
#define LEAVE(signature) "UPDATE chime.function_set SET functions = functions || '" signature "'::text;"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static struct daemon *second;
static char *before; /* all functions, as they were */
static char *configuration;
static char *output;
static char *errors;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* Of every routine, view and trigger of the schema: its text and who may use it. */
static char *everything(void)
{
    return cluster_rows(cluster,
                        "SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text,"
                        " obj_description(p.oid, 'pg_proc') FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace"
                        " UNION ALL SELECT c.oid::regclass::text, pg_get_viewdef(c.oid), c.relacl::text,"
                        " c.reloptions::text FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace AND"
                        " c.relkind = 'v' UNION ALL SELECT t.tgname, pg_get_triggerdef(t.oid), NULL, NULL FROM"
                        " pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND"
                        " c.relnamespace = 'chime'::regnamespace ORDER BY 1, 2");
}

static void assert_as_before(void)
{
    char *now = everything();
    ck_assert_str_eq(now, before);
    free(now);
    EXPECT_SQL(cluster, "SELECT " OURS " FROM chime.function_set", "t");
}

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 2);
    char *folder = files_make_directory();
    configuration = commands_configure(cluster, "postgres", "postgres", folder, "");
    free(folder);
    before = everything();
}

static void tear_down(void)
{
    daemon_destroy(second);
    daemon_destroy(served);
    second = served = NULL;
    site_destroy(site);
    cluster_destroy(cluster);
    free(before);
    free(configuration);
    free(output);
    free(errors);
    output = errors = NULL;
}

START_TEST(a_function_of_an_older_version_is_made_anew)
{
    cluster_execute(cluster, OLDER OTHER_TEXT);
    cluster_execute(cluster,
                    "BEGIN; LOCK TABLE chime.job, chime.run, chime.job_state, chime.function_set IN ACCESS SHARE"
                    " MODE"); /* as pg_dump does */
    if (_i == 0) {
        ASSERT_RUN(0, "migrate");
    } else {
        served = site_lead(site);
    }
    cluster_execute(cluster, "COMMIT");
    assert_as_before();
}
END_TEST

/* By somebody, or since a dump was restored in part: what the last application noted is not what is there. */
START_TEST(a_function_that_is_gone_is_made_again)
{
    cluster_execute(cluster, "DROP FUNCTION chime.next_notification(text[])");
    ASSERT_RUN(0, "migrate", "--dry-run");
    ck_assert_str_ne(output, "");
    ASSERT_RUN(0, "migrate");
    assert_as_before();
    ASSERT_RUN(0, "migrate", "--dry-run");
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(what_is_there_already_is_not_made_again_and_a_dry_run_prints_the_rest)
{
    cluster_execute(cluster, OTHER_TEXT);
    ASSERT_RUN(0, "migrate");
    EXPECT_SQL(cluster, "SELECT chime.part_limit()", "7");
    ASSERT_RUN(0, "migrate", "--dry-run");
    ck_assert_str_eq(output, "");
    cluster_execute(cluster, OLDER);
    ASSERT_RUN(0, "migrate", "--dry-run");
    EXPECT_SQL(cluster, "SELECT chime.part_limit()", "7");
    cluster_execute(cluster, output);
    assert_as_before();
}
END_TEST

START_TEST(what_no_file_has_any_more_goes_unless_it_is_used_or_of_others)
{
    cluster_execute(cluster,
                    OLDER "CREATE FUNCTION chime.gone(integer, text[]) RETURNS integer LANGUAGE sql RETURN 1;"
                          "CREATE FUNCTION chime.gone_too() RETURNS integer LANGUAGE sql RETURN chime.gone(1, '{}');"
                          "CREATE FUNCTION chime.gone(text) RETURNS integer LANGUAGE sql RETURN 2;"
                          "CREATE FUNCTION chime.keyed_1() RETURNS integer LANGUAGE sql RETURN 3;" //
                    LEAVE("gone(integer, text[])") LEAVE("gone_too()"));
    ASSERT_RUN(0, "migrate");
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.oid::regprocedure::text, ' ' ORDER BY p.proname) FROM pg_proc p WHERE"
               " p.pronamespace = 'chime'::regnamespace AND p.proname IN ('gone', 'gone_too', 'keyed_1')",
               "chime.gone(text) chime.keyed_1()");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.function_set s, unnest(s.functions) AS f WHERE f LIKE 'gone%'",
               "0");
    cluster_execute(cluster, OLDER "CREATE FUNCTION chime.gone() RETURNS integer LANGUAGE sql RETURN 1;"
                                   "CREATE FUNCTION chime.gone_too() RETURNS integer LANGUAGE sql RETURN chime.gone();"
                                   "CREATE FUNCTION chime.unused() RETURNS integer LANGUAGE sql RETURN chime.gone();"
                                   "CREATE VIEW public.mine AS SELECT chime.gone_too();" //
                    LEAVE("gone()") LEAVE("gone_too()") LEAVE("unused()"));
    ASSERT_RUN(0, "migrate");
    EXPECT_SQL(cluster, "SELECT gone_too FROM public.mine", "1");
    EXPECT_SQL(cluster, "SELECT to_regprocedure('chime.unused()')", NULL);
    cluster_execute(cluster,
                    OLDER "DROP VIEW public.mine; DROP FUNCTION chime.gone(text); DROP FUNCTION chime.keyed_1()");
    ASSERT_RUN(0, "migrate");
    assert_as_before();
}
END_TEST

START_TEST(what_was_granted_stays_and_a_new_function_is_for_nobody)
{
    cluster_execute(cluster,
                    "CREATE ROLE reader; GRANT EXECUTE ON FUNCTION chime.part_limit() TO reader;"
                    "GRANT EXECUTE ON FUNCTION chime.part_size() TO PUBLIC;"
                    "UPDATE chime.function_set SET functions = array_remove(functions, 'wait_within(interval)');"
                    "DROP FUNCTION chime.wait_within(interval); DROP FUNCTION chime.give_up_waiting(integer);" OLDER);
    ASSERT_RUN(0, "migrate");
    EXPECT_SQL(cluster, "SELECT has_function_privilege('reader', 'chime.part_limit()', 'EXECUTE')", "t");
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.proname, ' ') FROM pg_proc p LEFT JOIN LATERAL aclexplode(p.proacl) AS a ON"
               " a.grantee = 0 WHERE p.pronamespace = 'chime'::regnamespace AND (p.proacl IS NULL OR a.grantee = 0)",
               "part_size");
    EXPECT_SQL(cluster, "SELECT chime.fill_template('{{x}}, {{y}} {z} %s', '{\"x\": \"{{y}}\", \"y\": null}')",
               "{{y}},  {z} %s");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.fill_template('{{x}}', '{}')"), "P0001");
}
END_TEST

START_TEST(a_failure_in_the_middle_leaves_all_as_it_was)
{
    cluster_execute(cluster, OLDER OTHER_TEXT
                    "DROP FUNCTION chime.next_notification(text[]);"
                    "CREATE FUNCTION chime.next_notification(p_busy text[]) RETURNS text LANGUAGE sql RETURN 'other'");
    free(before);
    before = everything();
    ASSERT_RUN(1, "migrate");
    commands_has(errors, "functions of sinks: cannot change return type of existing function");
    char *now = everything();
    ck_assert_str_eq(now, before);
    free(now);
    EXPECT_SQL(cluster, "SELECT checksum FROM chime.function_set", "older");
}
END_TEST

START_TEST(a_function_with_another_result_is_made_anew_with_what_of_ours_uses_it)
{
    /* Views of ours, functions of ours with bodies of SQL, triggers of ours. */
    const char *const used[] = {"chime.view_freshness()", "chime.note_job()", "chime.views_read()"};
    for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++) {
        cluster_execute_format(cluster, "SELECT chime.make_way('%s');" OLDER, used[i]);
        ASSERT_RUN(0, "migrate");
        assert_as_before();
    }
    cluster_execute(cluster, OLDER "CREATE FUNCTION chime.views_read(n integer DEFAULT 1) RETURNS integer LANGUAGE sql"
                                   " RETURN 1;" LEAVE("views_read(integer)"));
    ASSERT_RUN(1, "migrate");
    commands_has(errors, "is not unique");
    cluster_execute(cluster, "SELECT chime.make_way('chime.views_read(integer)')");
    ASSERT_RUN(0, "migrate");
    assert_as_before();
    cluster_execute(cluster, "CREATE VIEW public.mine AS SELECT * FROM chime.view_status");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.make_way('chime.view_freshness()')"), "2BP01");
    assert_as_before();
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.note_functions('x', '99')"), "25001");
    assert_as_before();
}
END_TEST

START_TEST(who_waited_for_another_that_migrated_finds_the_work_done)
{
    const char *const words[] = {"migrate", "--config", configuration, NULL};
    char *work = migrate_text(migrate_newest());
    cluster_execute(cluster, OLDER OTHER_TEXT);
    cluster_execute(cluster, "BEGIN; LOCK TABLE chime.migration IN SHARE ROW EXCLUSIVE MODE");
    cluster_execute(cluster, work);
    served = daemon_start(words);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'chime.migration'::regclass", "1",
             PATIENCE);
    cluster_execute(cluster, "COMMIT");
    ck_assert_int_eq(daemon_wait(served, PATIENCE), 0);
    ck_assert(!daemon_said(served, "with the functions of"));
    assert_as_before();
    free(work);
}
END_TEST

START_TEST(functions_of_a_newer_version_are_left_alone_and_a_leader_gives_way)
{
    served = site_lead(site);
    cluster_execute(cluster, "UPDATE chime.function_set SET checksum = 'newer', version = '99.0.1'");
    daemon_await(served, "the leader lock is given up", PATIENCE);
    WAIT_SQL(cluster, "SELECT token IS NULL FROM chime.leader", "t", PATIENCE);
    cluster_execute(cluster, OTHER_TEXT);
    ASSERT_RUN(6, "migrate");
    commands_has(errors, "schema chime has the functions of pgchime 99.0.1, newer than");
    EXPECT_SQL(cluster, "SELECT chime.part_limit()", "7");
}
END_TEST

/* Two builds of one version would make each other's functions anew for ever. */
START_TEST(a_leader_goes_on_with_its_own_version_and_who_follows_makes_older_ones_anew_before_it_leads)
{
    served = site_lead(site);
    cluster_execute(cluster, "UPDATE chime.function_set SET checksum = 'another build'");
    second = site_serve(site, "second", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.follower", "1", PATIENCE);
    assert_as_before();
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    daemon_signal(second, SIGSTOP);
    daemon_kill(served);
    cluster_execute(cluster, OLDER OTHER_TEXT);
    daemon_signal(second, SIGCONT);
    WAIT_SQL(cluster, "SELECT instance FROM chime.leader", "second", PATIENCE);
    assert_as_before();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("function_set");
    TCase *cases = tcase_create("function_set");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, a_function_of_an_older_version_is_made_anew, 0, 2);
    tcase_add_test(cases, a_function_that_is_gone_is_made_again);
    tcase_add_test(cases, what_is_there_already_is_not_made_again_and_a_dry_run_prints_the_rest);
    tcase_add_test(cases, what_no_file_has_any_more_goes_unless_it_is_used_or_of_others);
    tcase_add_test(cases, what_was_granted_stays_and_a_new_function_is_for_nobody);
    tcase_add_test(cases, a_failure_in_the_middle_leaves_all_as_it_was);
    tcase_add_test(cases, a_function_with_another_result_is_made_anew_with_what_of_ours_uses_it);
    tcase_add_test(cases, who_waited_for_another_that_migrated_finds_the_work_done);
    tcase_add_test(cases, functions_of_a_newer_version_are_left_alone_and_a_leader_gives_way);
    tcase_add_test(cases, a_leader_goes_on_with_its_own_version_and_who_follows_makes_older_ones_anew_before_it_leads);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
