/* SPDX-License-Identifier: PostgreSQL */
/* Several daemons at the same databases: how they share them, see each other, and end one that says nothing. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct site *second_site;
static struct daemon *first;
static struct daemon *second;
static char *output;
static char *errors;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 2);
    site_job(site, "job", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\"; database = \"main\";");
}

static void tear_down(void)
{
    daemon_destroy(first);
    daemon_destroy(second);
    site_destroy(site);
    site_destroy(second_site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* A session of the test's own holds the leader lock, and whoever held it has gone. */
static PGconn *seize(const char *database)
{
    PGconn *session = cluster_connect(cluster, database);
    session_execute(session, "BEGIN");
    session_execute(session, "SELECT pg_terminate_backend(pid) FROM chime.leader WHERE token IS NOT NULL FOR UPDATE");
    session_execute(session,
                    "UPDATE chime.leader SET token = gen_random_uuid(), instance = 'nobody', pid = pg_backend_pid(),"
                    " backend_start = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())");
    session_execute(session, "COMMIT");
    return session;
}

static void await_followers(const char *expected)
{
    WAIT_SQL(cluster,
             "SELECT array_to_string(ARRAY(SELECT unnest(followers) ORDER BY 1), ' ') FROM chime.leader_status",
             expected, 30);
}

static void await_leader(const char *instance)
{
    char *sql = files_path("SELECT s.alive AND s.instance = '%s' FROM chime.leader_status s", instance);
    WAIT_SQL(cluster, sql, "t", 30);
    free(sql);
}

/* --- sharing ------------------------------------------------------------------------------------------------------ */

#define ROUNDS 5
#define ROUNDS_WON 4 /* a busy machine may keep the other from looking in time */

START_TEST(a_database_that_nobody_leads_goes_to_the_daemon_that_leads_fewer)
{
    cluster_create_database(cluster, "other");
    char *other = cluster_conninfo(cluster, "other");
    site_add_database(site, "other", other);
    first = site_serve(site, "first", NULL);
    await_leader("first");
    cluster_use(cluster, "other");
    await_leader("first"); /* alone, it leads both */
    second = site_serve(site, "second", NULL);
    await_followers("second");
    int won = 0;
    for (int round = 0; round < ROUNDS; round++) {
        PGconn *session = seize("other");
        await_followers("first second");
        PQfinish(session);
        WAIT_SQL(cluster, "SELECT alive AND instance <> 'nobody' FROM chime.leader_status", "t", 10);
        won += cluster_true(cluster, "SELECT instance = 'second' FROM chime.leader") ? 1 : 0;
    }
    ck_assert_msg(won >= ROUNDS_WON, "who led nothing came first in %d of %d rounds", won, ROUNDS);
    cluster_use(cluster, "postgres");
    await_leader("first");
    daemon_kill(second);
    cluster_use(cluster, "other");
    await_leader("first"); /* the one that is left leads both */
    free(other);
}
END_TEST

START_TEST(each_session_tells_by_its_name_whether_it_leads)
{
    first = site_serve(site, "first", NULL);
    site_await_leading(first);
    second = site_serve(site, "second", NULL);
    await_followers("second");
    ck_assert(cluster_true(cluster, "SELECT application_name = 'pgchime leader' FROM pg_stat_activity"
                                    " WHERE pid = (SELECT pid FROM chime.leader)"));
    ck_assert(cluster_true(cluster, "SELECT application_name = 'pgchime follower' FROM pg_stat_activity"
                                    " WHERE pid = (SELECT pid FROM chime.follower)"));
    daemon_kill(first);
    await_leader("second");
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.follower"), 0);
}
END_TEST

/* --- one database, twice ------------------------------------------------------------------------------------------ */

/* Each would switch the jobs of the other off. */
START_TEST(two_entries_for_one_database_are_not_both_served)
{
    char *again = cluster_conninfo(cluster, "postgres");
    site_add_database(site, "twin", again);
    site_job(site, "others", "schedule = \"0 3 1 1 *\"; command = \"SELECT 2\"; database = \"twin\";");
    first = site_serve(site, "first", NULL);
    await_leader("first");
    WAIT_FOR(daemon_said(first, "entries \"main\" and \"twin\" are one database") ||
                 daemon_said(first, "entries \"twin\" and \"main\" are one database"),
             20);
    bool main_served = daemon_said(first, "database twin: entries");
    ASSERT_RUN(6, "status");
    commands_has(errors, "entries \"main\" and \"twin\" are one database: only one of them is served");
    ASSERT_RUN(6, "doctor", "-o", "json");
    commands_has(output, "entries \\\"main\\\" and \\\"twin\\\" are one database: only one of them is served");
    ASSERT_RUN(3, "check");
    commands_has(errors, "entries \"main\" and \"twin\" are one database: only one of them is served");
    /* Whoever is served stays so, though all sessions go and the other may come back first. */
    for (int round = 0; round < 3; round++) {
        cluster_restart(cluster);
        await_leader("first");
    }
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ') FROM chime.job", main_served ? "job" : "others");
    free(again);
}
END_TEST

/* --- seeing each other -------------------------------------------------------------------------------------------- */

START_TEST(status_and_doctor_tell_who_leads_and_who_follows)
{
    first = site_serve(site, "first", NULL);
    site_await_leading(first);
    ASSERT_RUN(0, "status", "-o", "json");
    commands_has(output, "\"followers\": null");
    ASSERT_RUN(8, "doctor", "-o", "json"); /* the tests' role is a superuser */
    commands_has(output, "none: nobody takes over when the leader goes");
    second = site_serve(site, "second", NULL);
    await_followers("second");
    ASSERT_RUN(0, "status", "-o", "json");
    commands_has(output, "\"leader\": \"first\"");
    commands_has(output, "\"epoch\": 1,");
    commands_has(output, "\"heartbeat_age_ms\": ");
    commands_has(output, "\"followers\": \"second\"");
    commands_has(output, "\"timeline\": 1,");
    commands_has(output, "\"problem\": null");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "postgres is a superuser");
    commands_has(output, "first leads since ");
    commands_has(output, " as epoch 1, last heard of ");
    commands_has(output, "the leader goes by this one");
    commands_has(output, "\"finding\": \"second\"");
    daemon_kill(second);
    WAIT_SQL(cluster, "SELECT followers = '{}' FROM chime.leader_status", "t", 20);
}
END_TEST

START_TEST(configurations_that_differ_are_told)
{
    first = site_serve(site, "first", NULL);
    site_await_leading(first);
    second_site = site_create(cluster, "postgres", 2);
    site_job(second_site, "another", "schedule = \"0 3 1 1 *\"; command = \"SELECT 2\";");
    second = site_serve(second_site, "second", NULL);
    WAIT_FOR(daemon_said(second, "the configuration of first, who leads, is not this one"), 20);
    await_followers("second");
    ASSERT_RUN(8, "status");
    commands_has(errors, "database \"main\": second follows with another configuration than first, who leads\n");
    commands_has(errors, "HINT:  a takeover would change what runs");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "second follows with another configuration than first, who leads");
    commands_has(output, "the leader goes by this one");
    commands_expect(8, site_config(second_site), (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
    commands_has(output, "the leader goes by another one than this");
    site_remove(second_site, "another");
    site_job(second_site, "job", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\"; database = \"main\";");
    daemon_signal(second, SIGHUP);
    WAIT_SQL(cluster, "SELECT differing = '{}' AND followers = '{second}' FROM chime.leader_status", "t", 20);
    ASSERT_RUN(0, "status");
}
END_TEST

START_TEST(a_leader_that_is_not_heard_of_is_a_problem)
{
    first = site_lead(site);
    daemon_signal(first, SIGSTOP);
    WAIT_SQL(cluster, "SELECT heartbeat_age > interval '6 s' FROM chime.leader_status", "t", 20);
    ASSERT_RUN(8, "status");
    commands_has(errors, "database \"main\": test leads, but has not been heard of for 00:00:0");
    daemon_signal(first, SIGCONT);
}
END_TEST

/* --- what an earlier leader left ---------------------------------------------------------------------------------- */

/* Its answer fits nowhere, so the server waits to write it: neither idle nor cancelled by any timeout of the server. */
START_TEST(a_leader_that_takes_no_answer_is_ended_after_its_lease)
{
    first = site_lead(site);
    PGconn *session = seize("postgres");
    ck_assert_int_eq(PQsendQuery(session, "SELECT repeat('x', 100000000)"), 1);
    WAIT_SQL(cluster, "SELECT wait_event FROM pg_stat_activity WHERE pid = (SELECT pid FROM chime.leader)",
             "ClientWrite", 10);
    WAIT_FOR(daemon_said(first, "nobody has been silent for 16 s and is ended"), 40);
    await_leader("test");
    PQfinish(session);
}
END_TEST

#define LEFT_LIVE 2500

/* More than a page of them has, and than is judged at a time. */
START_TEST(however_many_runs_an_earlier_leader_left_each_is_judged_once)
{
    first = site_lead(site);
    site_end(first);
    daemon_destroy(first);
    cluster_execute_format(cluster,
                           "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)"
                           " SELECT '', 'job' || i, current_user, 'sql', '@yearly', 'SELECT 1', '{}'"
                           " FROM generate_series(1, %d) AS i;"
                           "INSERT INTO chime.run (job_id, kind, slot, token, epoch, pid, backend_start)"
                           " SELECT j.job_id, 'manual', now(), gen_random_uuid(), 1, 4000000 + j.job_id %% 100, now()"
                           " FROM chime.job j WHERE j.origin = 'sql'",
                           LEFT_LIVE);
    first = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "0", 60);
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || count(DISTINCT job_id) FROM chime.run_history WHERE state = 'lost'",
               "2500 2500");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "2");
    WAIT_FOR(daemon_said(first, "2500 runs were left by an ended session"), 20);
}
END_TEST

static void write_watch(PGconn *session, const char *shift)
{
    char *sql = files_path("UPDATE chime.listener SET state = 'listening', pid = pg_backend_pid(), backend_start ="
                           " (SELECT backend_start + interval '%s' FROM pg_stat_activity WHERE pid = pg_backend_pid())",
                           shift);
    session_execute(session, sql);
    free(sql);
}

START_TEST(the_session_by_which_an_earlier_leader_heard_is_ended_and_no_strangers)
{
    first = site_lead(site);
    site_end(first);
    daemon_destroy(first);
    PGconn *session = cluster_connect(cluster, "postgres");
    session_execute(session, "LISTEN news");
    write_watch(session, "1 us"); /* another session had that pid */
    first = site_lead(site);
    session_execute(session, "SELECT 1");
    site_end(first);
    daemon_destroy(first);
    write_watch(session, "0");
    first = site_lead(site);
    WAIT_FOR(!PQconsumeInput(session) || PQstatus(session) == CONNECTION_BAD, 10);
    PQfinish(session);
}
END_TEST

START_TEST(the_session_that_hears_is_written_down)
{
    site_job(site, "woken", "on = [\"news\"]; command = \"SELECT 1\";");
    first = site_lead(site);
    WAIT_SQL(cluster,
             "SELECT a.application_name FROM chime.listener w JOIN pg_stat_activity a ON a.pid = w.pid"
             " AND a.backend_start = w.backend_start WHERE w.state = 'listening'",
             "pgchime listener", 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("several");
    TCase *tests = tcase_create("several");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 180);
    tcase_add_test(tests, a_database_that_nobody_leads_goes_to_the_daemon_that_leads_fewer);
    tcase_add_test(tests, two_entries_for_one_database_are_not_both_served);
    tcase_add_test(tests, each_session_tells_by_its_name_whether_it_leads);
    tcase_add_test(tests, status_and_doctor_tell_who_leads_and_who_follows);
    tcase_add_test(tests, configurations_that_differ_are_told);
    tcase_add_test(tests, a_leader_that_is_not_heard_of_is_a_problem);
    tcase_add_test(tests, a_leader_that_takes_no_answer_is_ended_after_its_lease);
    tcase_add_test(tests, however_many_runs_an_earlier_leader_left_each_is_judged_once);
    tcase_add_test(tests, the_session_by_which_an_earlier_leader_heard_is_ended_and_no_strangers);
    tcase_add_test(tests, the_session_that_hears_is_written_down);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
