/* SPDX-License-Identifier: PostgreSQL */
/* The product's own job: verify-views of each database that keeps views. */
#include <check.h>
#include <string.h>

#include "support/plugin/catalogs.h"
#include "support/plugin/findings.h"
#include "support/process/suite.h"

#define TWO                                                                     \
    "databases: { main: { conninfo = \"a\"; timezone = \"Europe/Berlin\"; };\n" \
    " other: { conninfo = \"b\"; }; off: { conninfo = \"c\"; verify = \"\"; }; };\nconf_dir = \"conf.d\";"
#define LANE_IN_MAIN "plugin: { name = \"lane\"; database = \"main\"; };\n"
#define MAIN "databases: { main: { conninfo = \"a\"; }; };\nconf_dir = \"conf.d\";"

static const struct job *verification_of(const char *database)
{
    return catalog_find_job(catalog, database, "verify-views");
}

START_TEST(a_database_with_views_has_the_job_in_its_zone)
{
    use_plugin(&samples.lane);
    build(TWO, LANE_IN_MAIN);
    expect_findings(catalog, "");
    const struct job *job = verification_of("main");
    ck_assert_ptr_nonnull(job);
    ck_assert_str_eq(job->schedule_text, "17 3 * * *");
    ck_assert_str_eq(job->options->timezone, "Europe/Berlin");
    ck_assert_ptr_nonnull(job->schedule.zone);
    ck_assert_str_eq(job->command, "CALL chime.verify_views(true)");
    ck_assert_int_eq(job->work, JOB_COMMAND);
    ck_assert_int_eq(job->origin, JOB_FROM_CONFIG);
    ck_assert(job->active);
    ck_assert_int_eq(job->line, 1);
    ck_assert_int_eq(job->options->delivery, DELIVERY_AT_MOST_ONCE);
    ck_assert_int_eq(job->options->attempt_timeout, 6 * USEC_PER_HOUR);
    ck_assert_int_eq(job->options->lock_timeout, 10 * USEC_PER_MINUTE);
    ck_assert_int_eq(job->options->max_attempts, 1);
    ck_assert_int_eq(job->options->suspend_after_failures, 0);
    ck_assert_int_eq(job->options->log_runs, LOG_RUNS_ALL);
    ck_assert_str_eq(job->options->pool, POOL_DEFAULT);
    ck_assert_ptr_null(verification_of("other"));
}
END_TEST

START_TEST(without_views_or_when_switched_off_there_is_none)
{
    use_plugin(&samples.other);
    samples.other.view_count = 0;
    build(MAIN, "");
    expect_findings(catalog, "");
    ck_assert_uint_eq(catalog->job_count, 1);
    samples.other.view_count = 1;
    build(MAIN, "plugin: { name = \"other\"; enabled = false; };");
    expect_findings(catalog, "");
    ck_assert_uint_eq(catalog->job_count, 0);
    build(TWO, "plugin: { name = \"other\"; database = \"off\"; };");
    expect_findings(catalog, "");
    ck_assert_ptr_null(verification_of("off"));
    build(MAIN, "");
    ck_assert_ptr_nonnull(verification_of("main"));
}
END_TEST

START_TEST(its_schedule_is_the_databases_and_decides_the_fingerprint)
{
    char before[17];
    char after[17];
    use_plugin(&samples.lane);
    catalog_fingerprint(build(MAIN, ""), "main", before);
    build("databases: { main: { conninfo = \"a\"; verify = \"@weekly\"; }; };\nconf_dir = \"conf.d\";", "");
    expect_findings(catalog, "");
    ck_assert_str_eq(verification_of("main")->schedule_text, "@weekly");
    catalog_fingerprint(catalog, "main", after);
    ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(conf_d_may_change_it_as_it_may_a_plugins_job)
{
    use_plugin(&samples.lane);
    build(MAIN, "jobs: { verify-views: { attempt_timeout = \"12h\"; enabled = false; }; };");
    expect_findings(catalog, "");
    const struct job *job = verification_of("main");
    ck_assert_int_eq(job->options->attempt_timeout, 12 * USEC_PER_HOUR);
    ck_assert_int_eq(job->options->suspend_after_failures, 0);
    ck_assert_str_eq(job->schedule_text, "17 3 * * *");
    ck_assert(!job->active);
    ck_assert_str_eq(strrchr(job->file, '/'), "/x.conf");
    build(TWO, LANE_IN_MAIN "jobs: { verify-views: { database = \"other\"; priority = 1; }; };");
    expect_findings(catalog, "%/conf.d/x.conf:2: job \"verify-views\" has no command, and no plugin declares it\n"
                             "HINT:  write command = \"...\"; for a job of your own\n");
}
END_TEST

START_TEST(a_job_of_its_name_is_refused_where_views_are_verified)
{
    static const char theirs[] = "jobs: { verify-views: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };";
    use_plugin(&samples.lane);
    build(MAIN, theirs);
    expect_findings(catalog,
                    "%/conf.d/x.conf:1: job \"verify-views\" of database \"main\" is pgchime's own: it verifies "
                    "the views\n"
                    "HINT:  give yours another name, or write verify = \"\"; in database \"main\" of "
                    "%/pgchime.conf\n");
    report_finish(&report);
    build(ONE_DATABASE, theirs);
    expect_findings(catalog, "");
    ck_assert_str_eq(verification_of("main")->command, "SELECT 1");
}
END_TEST

START_TEST(a_plugins_job_of_its_name_is_refused)
{
    samples.lane_jobs[1].name = "verify-views";
    use_plugin(&samples.lane);
    build(MAIN, "");
    expect_findings(catalog,
                    "/plugins/lane.so: job \"verify-views\" of database \"main\" is pgchime's own: it verifies "
                    "the views\n"
                    "HINT:  give yours another name, or write verify = \"\"; in database \"main\" of "
                    "%/pgchime.conf\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_verify");
    TCase *tests = tcase_create("catalog_verify");
    tcase_add_checked_fixture(tests, catalogs_set_up, catalogs_tear_down);
    tcase_add_test(tests, a_database_with_views_has_the_job_in_its_zone);
    tcase_add_test(tests, without_views_or_when_switched_off_there_is_none);
    tcase_add_test(tests, its_schedule_is_the_databases_and_decides_the_fingerprint);
    tcase_add_test(tests, conf_d_may_change_it_as_it_may_a_plugins_job);
    tcase_add_test(tests, a_job_of_its_name_is_refused_where_views_are_verified);
    tcase_add_test(tests, a_plugins_job_of_its_name_is_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
