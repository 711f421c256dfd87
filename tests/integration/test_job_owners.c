/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL: whose rights count, where a job is another's than the caller's, or becomes another's. No daemon. */
#include <check.h>
#include <stddef.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define NO_SUPERUSERS                                                                                          \
    "ERROR 42501: cannot schedule jobs as superuser\nDETAIL: Scheduling jobs as superuser is disallowed when " \
    "cron.enable_superuser_jobs is set to off."

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    cluster_create_database(cluster, "open");
    cluster_create_database(cluster, "closed");
    cluster_execute(cluster,
                    "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT pgchime_jobs TO app, other;"
                    "REVOKE CONNECT ON DATABASE closed FROM PUBLIC; GRANT CONNECT ON DATABASE closed TO other");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

START_TEST(no_job_becomes_a_superusers_where_the_setting_says_so)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '@hourly', 'SELECT 1')", "1", NULL},
        {"postgres", "SET cron.enable_superuser_jobs = off", "SET", NULL},
        {NULL, "SELECT chime.alter_job(1, username => 'postgres')", NO_SUPERUSERS, NULL},
        {NULL, "SELECT chime.alter_job(1, username => 'other')", "", NULL},
        {NULL, "SELECT chime.alter_job(1, database => 'open')", "", NULL}, /* it is not the superuser's who says it */
        {NULL, "SELECT username, database FROM chime.jobs", "other|open", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(the_owner_has_to_reach_the_database_and_not_who_edits_the_job)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '@hourly', 'SELECT 1')", "1", NULL},
        {"postgres", "SELECT chime.alter_job(1, database => 'closed')",
         "ERROR XX000: User app does not have CONNECT privilege on closed", NULL},
        {NULL, "SELECT chime.alter_job(1, database => 'closed', username => 'other')", "", NULL},
        {NULL, "SELECT chime.alter_job(1, username => 'app')",
         "ERROR XX000: User app does not have CONNECT privilege on closed", NULL},
        {NULL, "SELECT chime.alter_job(1, username => 'app', database => 'postgres')", "", NULL},
        {NULL, "SELECT username, database FROM chime.jobs", "app|postgres", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

/* Where the administrator made no schema cron, its name is free. */
START_TEST(nobody_grants_another_database_but_the_administrator)
{
    static const struct outcome_step steps[] = {
        {"postgres", "GRANT CREATE ON DATABASE postgres TO app", "GRANT", NULL},
        {"app", "CREATE SCHEMA cron; CREATE FUNCTION cron.alter_job() RETURNS void LANGUAGE sql AS 'SELECT'",
         "CREATE FUNCTION", NULL},
        {NULL, "SELECT chime.schedule('a', '@hourly', 'SELECT 1', database => 'open')",
         "ERROR 42501: must be superuser to run a job in another database\nHINT: make the job in database \"open\"; or"
         " let an administrator grant EXECUTE on cron.schedule_in_database",
         NULL},
        {"postgres", "ALTER FUNCTION cron.alter_job() OWNER TO postgres", "ALTER FUNCTION", NULL},
        {"app", "SELECT chime.schedule('a', '@hourly', 'SELECT 1', database => 'open')", "1", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(a_job_that_was_given_to_another_meanwhile_is_not_taken_away)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '@hourly', 'SELECT 1')", "1", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
    cluster_execute(cluster, "BEGIN; SELECT chime.alter_job(1, username => 'other')");
    PGconn *late = cluster_connect(cluster, "postgres");
    PQclear(PQexec(late, "SET SESSION AUTHORIZATION app"));
    ck_assert_int_eq(PQsendQuery(late, "SELECT chime.unschedule(1)"), 1);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1", 20);
    cluster_execute(cluster, "COMMIT");
    PGresult *result = PQgetResult(late);
    ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), "could not find valid entry for job 1");
    PQclear(result);
    PQfinish(late);
    EXPECT_SQL(cluster, "SELECT username FROM chime.jobs", "other");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("whose rights count of jobs made by SQL");
    TCase *people = tcase_create("people");
    tcase_add_checked_fixture(people, set_up, tear_down);
    tcase_set_timeout(people, 120);
    tcase_add_test(people, no_job_becomes_a_superusers_where_the_setting_says_so);
    tcase_add_test(people, the_owner_has_to_reach_the_database_and_not_who_edits_the_job);
    tcase_add_test(people, nobody_grants_another_database_but_the_administrator);
    tcase_add_test(people, a_job_that_was_given_to_another_meanwhile_is_not_taken_away);
    suite_add_tcase(suite, people);
    return suite_run(suite);
}
