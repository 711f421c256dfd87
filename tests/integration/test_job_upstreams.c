/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL that come after others: which may be named, by what, and that none comes after itself. No daemon. */
#include <check.h>
#include <stddef.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    cluster_execute(cluster, "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT pgchime_jobs TO app, other");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

START_TEST(jobs_come_after_jobs_of_ones_own_and_never_after_themselves)
{
    static const struct outcome_step steps[] = {
        {"other", "SELECT chime.schedule('o', '* * * * *', 'SELECT 1')", "1", NULL},
        {"app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1')", "2", NULL},
        {NULL, "SELECT chime.schedule('b', NULL, 'SELECT 1', after => '{a}')", "3", NULL},
        {NULL, "SELECT chime.schedule('c', '@hourly', 'SELECT 1', after => '{3}')", "4", NULL},
        {NULL, "SELECT job_name, after FROM chime.jobs ORDER BY job_id", "a|{}\nb|{app/a}\nc|{app/b}", NULL},
        {NULL, "SELECT chime.alter_job(2, after => '{c}')",
         "ERROR 22023: a job would come after itself: app/a after app/c after app/b after app/a\n"
         "HINT: take one of these out of \"after\"",
         NULL},
        {NULL, "SELECT chime.alter_job(2, after => '{a}')",
         "ERROR 22023: a job would come after itself: app/a after app/a\nHINT: take one of these out of \"after\"",
         NULL},
        {NULL, "SELECT chime.alter_job(2, after => '{other/o}')",
         "ERROR 42704: there is no job \"other/o\" to come after\nHINT: write the names or numbers of jobs of your "
         "own: SELECT"
         " job_id, job_name FROM chime.jobs",
         NULL},
        {NULL, "SELECT chime.schedule('d', NULL, 'SELECT 1')",
         "ERROR 22023: nothing would ever start this job\nHINT: give it a schedule, jobs to come after, or channels to "
         "listen on",
         NULL},
        {NULL, "SELECT chime.schedule('d', NULL, 'SELECT 1', channels => '{orders}') > 0", "t", NULL},
        {NULL, "SELECT chime.unschedule('a')",
         "NOTICE: jobs that come after it: app/b\nHINT: give them another \"after\", or unschedule them, too\nt", NULL},
        {"postgres", "SELECT chime.schedule('p', NULL, 'SELECT 1', after => '{other/o}') > 0", "t", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

/* A plan that is made before the name is known asks the index for job_id = 'a'::bigint, whatever else it asks. */
START_TEST(a_name_is_not_read_as_a_number_whatever_the_plan)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1')", "1", NULL},
        {NULL, "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off", "SET", NULL},
        {NULL, "SELECT chime.schedule('b', NULL, 'SELECT 1', after => '{a}')", "2", NULL},
        {NULL, "SELECT chime.schedule('c', NULL, 'SELECT 1', after => '{2, app/a}')", "3", NULL},
        {NULL, "SELECT after FROM chime.jobs WHERE job_id = 3", "{app/b,app/a}", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(a_job_is_found_among_many_by_its_index)
{
    cluster_execute(cluster, "INSERT INTO chime.job (owner, origin, job_name, schedule, command)"
                             " SELECT 'app', 'sql', 'j' || n, '@hourly', 'SELECT 1' FROM generate_series(1, 5000) n;"
                             "ANALYZE chime.job");
    cluster_execute(cluster, "BEGIN");
    EXPECT_SQL(cluster, "SELECT chime.find_upstreams('app', 'app', '[\"j7\", \"8\"]')", "{app/j7,app/j8}");
    EXPECT_SQL(cluster,
               "SELECT pg_stat_get_xact_tuples_returned('chime.job'::regclass)"
               " + pg_stat_get_xact_tuples_fetched('chime.job'::regclass) < 20",
               "t");
    cluster_execute(cluster, "COMMIT");
}
END_TEST

/* 6^20 ways lead from the last layer to the first. */
START_TEST(jobs_are_looked_at_once_however_many_ways_lead_to_them)
{
    cluster_execute(cluster,
                    "INSERT INTO chime.job (owner, origin, job_name, schedule, command, after)"
                    " SELECT 'app', 'sql', 'j' || layer || '_' || n, '@hourly', 'SELECT 1',"
                    " ARRAY(SELECT 'app/j' || layer - 1 || '_' || m FROM generate_series(1, 6) m WHERE layer > 1)"
                    " FROM generate_series(1, 20) layer, generate_series(1, 6) n ORDER BY layer, n");
    static const struct outcome_step steps[] = {
        {"app", "SET statement_timeout = '20s'", "SET", NULL},
        {NULL, "SELECT chime.schedule('last', NULL, 'SELECT 1', after => '{j20_1, j20_2, j20_3}')", "121", NULL},
        {NULL, "SELECT chime.alter_job(121, command => 'SELECT 2')", "", NULL},
        {NULL, "SELECT chime.alter_job(7, after => '{last}')",
         "ERROR 22023: a job would come after itself: app/j2_1 after app/last after app/j20_1 after app/j19_1 after"
         " app/j18_1 after app/j17_1 after app/j16_1 after app/j15_1 after app/j14_1 after app/j13_1 after app/j12_1"
         " after app/j11_1 after app/j10_1 after app/j9_1 after app/j8_1 after app/j7_1 after app/j6_1 after app/j5_1"
         " after app/j4_1 after app/j3_1 after app/j2_1\nHINT: take one of these out of \"after\"",
         NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(who_gets_a_job_has_it_come_after_jobs_of_its_own)
{
    static const struct outcome_step steps[] = {
        {"other", "SELECT chime.schedule('up', '@hourly', 'SELECT 1')", "1", NULL},
        {"app", "SELECT chime.schedule('up', '@hourly', 'SELECT 1')", "2", NULL},
        {NULL, "SELECT chime.schedule('down', NULL, 'SELECT 1', after => '{up}')", "3", NULL},
        {"postgres", "SELECT chime.alter_job(3, username => 'other', after => '{up}')", "", NULL},
        {NULL, "SELECT username, after FROM chime.jobs WHERE job_id = 3", "other|{other/up}", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs made by SQL that come after others");
    TCase *people = tcase_create("people");
    tcase_add_checked_fixture(people, set_up, tear_down);
    tcase_set_timeout(people, 120);
    tcase_add_test(people, jobs_come_after_jobs_of_ones_own_and_never_after_themselves);
    tcase_add_test(people, a_name_is_not_read_as_a_number_whatever_the_plan);
    tcase_add_test(people, a_job_is_found_among_many_by_its_index);
    tcase_add_test(people, jobs_are_looked_at_once_however_many_ways_lead_to_them);
    tcase_add_test(people, who_gets_a_job_has_it_come_after_jobs_of_its_own);
    suite_add_tcase(suite, people);
    return suite_run(suite);
}
