/* SPDX-License-Identifier: PostgreSQL */
/* Totals of runs: those that a daemon wrote are those that its history has; a leader that dies leaves none twice, and
 * what it leaves out marked; days are summed up from the history; the pulse is written while somebody looks. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/cluster/cluster.h"
#include "support/cluster/init_role.h"
#include "support/cluster/session.h"
#include "support/daemon/crew.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/ledger/totals.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define TOKEN "'" LEDGER_SQL_TOKEN "'"
#define KILLS 6

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static struct crew *crew;

static void tear_down(void)
{
    crew_destroy(crew);
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
    crew = NULL;
    served = NULL;
    site = NULL;
    cluster = NULL;
}

/* --- beside the history ------------------------------------------------------------------------------------------- */

static void set_up_site(void)
{
    cluster = cluster_create(NULL);
    init_role_make(cluster, "pgchime", "postgres");
    site = site_create(cluster, "postgres", 4);
    site_use_role(site, "pgchime");
}

#define EACH_SECOND "schedule = \"1 seconds\"; database = \"main\"; "

/* Every outcome that there is, and attempts. */
static void add_jobs(void)
{
    site_job(site, "good", EACH_SECOND "command = \"SELECT 1\";");
    site_job(site, "slow", EACH_SECOND "command = \"SELECT pg_sleep(1.2)\"; overlap_policy = \"skip\";");
    site_job(site, "bad", EACH_SECOND "command = \"SELECT 1/0\";");
    site_job(site, "after_bad", "after = [\"bad\"]; database = \"main\"; command = \"SELECT 1\";");
    site_job(site, "again",
             EACH_SECOND "command = \"SELECT 1/(random() * 2)::int\"; max_attempts = 2; "
                         "delivery = \"at_least_once\"; backoff = { initial = \"10ms\"; };");
    site_job(site, "late", EACH_SECOND "command = \"SELECT pg_sleep(60)\"; attempt_timeout = \"300ms\";");
    site_job(site, "asked", NEVER_DUE "command = \"SELECT 1\"; database = \"main\";");
}

static void start(void)
{
    served = site_lead(site);
    totals_install(cluster);
}

static void end(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

START_TEST(totals_and_strips_are_those_of_the_history)
{
    add_jobs();
    start();
    runs_ask_and_await(cluster, "asked");
    WAIT_SQL(cluster, "SELECT count(DISTINCT state) >= 4 AND count(*) > 60 FROM chime.run_history", "t", 60);
    end();
    ck_assert(cluster_true(cluster, "SELECT count(*) >= 6 AND sum(runs) > 60 FROM chime.tally"));
    totals_assert_whole(cluster);
    totals_assert_strips(cluster);
    EXPECT_SQL(cluster, "SELECT gaps FROM chime.totals", "0");
    /* Slots of the time without a leader are missed, whose stretch is counted by its slots. */
    site_job(site, "good", EACH_SECOND "command = \"SELECT 1\"; catchup = \"none\";");
    WAIT_SQL(cluster, "SELECT now() > max(finished_at) + interval '3 s' FROM chime.run_history", "t", 30);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT sum(slots) > 2 FROM chime.missed", "t", 60);
    end();
    totals_assert_whole(cluster);
    ck_assert(cluster_true(cluster, "SELECT runs > 2 FROM chime.tally WHERE state = 'missed'"));
}
END_TEST

START_TEST(a_run_that_is_alone_is_counted_within_a_moment)
{
    site_job(site, "asked", NEVER_DUE "command = \"SELECT 1\"; database = \"main\";");
    start();
    runs_ask_and_await(cluster, "asked");
    WAIT_SQL(cluster, "SELECT runs FROM chime.tally WHERE kind = 'manual' AND state = 'succeeded'", "1", 30);
    totals_assert_whole(cluster);
    /* Once more: it is added to. */
    runs_ask_and_await(cluster, "asked");
    WAIT_SQL(cluster, "SELECT runs FROM chime.tally WHERE kind = 'manual' AND state = 'succeeded'", "2", 30);
    totals_assert_whole(cluster);
}
END_TEST

START_TEST(leaders_that_die_leave_nothing_twice_and_mark_what_they_leave_out)
{
    add_jobs();
    crew = crew_create(cluster, site, 2);
    crew_start_all(crew);
    for (int kill = 0; kill < KILLS; kill++) {
        WAIT_SQL(cluster, "SELECT count(*) > 12 FROM chime.run_history h JOIN chime.leader l USING (epoch)", "t", 60);
        int leader = crew_await_leader(crew, 60);
        daemon_kill(crew_daemon(crew, leader));
        char *next = xasprintf("SELECT epoch > %d FROM chime.leader", kill + 1);
        WAIT_SQL(cluster, next, "t", 60);
        free(next);
        crew_start(crew, leader);
    }
    WAIT_SQL(cluster, "SELECT count(*) > 12 FROM chime.run_history h JOIN chime.leader l USING (epoch)", "t", 60);
    totals_install(cluster);
    crew_end(crew);
    totals_assert_marked(cluster);
    ck_assert_int_eq(cluster_integer(cluster, "SELECT gaps FROM chime.totals"), KILLS);
}
END_TEST

/* --- the statements alone ----------------------------------------------------------------------------------------- */

static void set_up_ledger(void)
{
    cluster = ledger_sql_create(3);
}

#define ADD(token, runs)                                                                                           \
    "SELECT chime.add_totals(" token ", '{2026-01-01 00:01Z}', '{schedule}', '{succeeded}', '{" runs "}', '{7}', " \
    "'{3}', '{2}', '{\"{1,0,0,0,0,0,0,0,0,0,0,0}\"}', '{\"{0,1,0,0,0,0,0,0,0,0,0,0}\"}')"
#define TALLY \
    "SELECT concat_ws(' ', runs, busy_us, late_us, durations[1], delays[2]) FROM chime.tally WHERE kind = 'schedule'"

START_TEST(a_batch_that_is_rolled_back_and_sent_again_counts_once)
{
    cluster_execute(cluster, "BEGIN");
    cluster_execute(cluster, ADD(TOKEN, "5"));
    cluster_execute(cluster, "ROLLBACK");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.tally", "0");
    EXPECT_SQL(cluster, ADD(TOKEN, "5"), "t");
    EXPECT_SQL(cluster, ADD(TOKEN, "1"), "t");
    EXPECT_SQL(cluster, TALLY, "6 14 6 2 2");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', runs, busy_us, late_us, late_max_us) FROM chime.minute", "6 14 6 2");
}
END_TEST

START_TEST(nobody_adds_who_does_not_lead)
{
    ck_assert_str_eq(cluster_sqlstate(cluster, ADD("gen_random_uuid()", "5")), "CH001");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.note_pulse(gen_random_uuid(), '{\"jobs\": 1}')"), "CH001");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.sum_days(gen_random_uuid(), 10, 0)"), "CH001");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.tally", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.pulse WHERE at IS NOT NULL", "0");
}
END_TEST

/* Whoever locks the totals holds up no end of a run: it is recorded, and counted later. */
START_TEST(an_end_is_recorded_though_the_totals_are_locked)
{
    PGconn *other = cluster_connect(cluster, "postgres");
    cluster_execute(cluster, "SELECT claim(1, 'schedule', 0, 1)");
    session_execute(other, "BEGIN");
    session_execute(other, "LOCK TABLE chime.tally");
    cluster_execute(cluster, "BEGIN");
    EXPECT_SQL(cluster, "SELECT finish(1, 'schedule', 1, 'succeeded', 'all')", "t");
    EXPECT_SQL(cluster, ADD(TOKEN, "1"), "f");
    cluster_execute(cluster, "COMMIT");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.minute", "0"); /* all or nothing */
    session_execute(other, "ROLLBACK");
    EXPECT_SQL(cluster, ADD(TOKEN, "1"), "t");
    EXPECT_SQL(cluster, TALLY, "1 7 3 1 1");
    PQfinish(other);
}
END_TEST

START_TEST(a_leader_that_went_without_a_word_is_marked_and_one_that_resigned_is_not)
{
    cluster_execute(cluster, "UPDATE chime.leader SET token = NULL, epoch = 0");
    cluster_execute(cluster, "SELECT chime.take_over(NULL, 'a', '', NULL, NULL)");
    cluster_execute(cluster, "SELECT chime.resign(token) FROM chime.leader");
    cluster_execute(cluster, "SELECT chime.take_over(NULL, 'b', '', NULL, NULL)");
    EXPECT_SQL(cluster, "SELECT gaps FROM chime.totals", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.minute", "0");
    cluster_execute(cluster, "UPDATE chime.leader SET pid = 1");
    cluster_execute(cluster, "SELECT chime.take_over(token, 'c', '', NULL, NULL) FROM chime.leader");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', t.gaps, m.runs, m.minute = date_trunc('minute', l.until, 'UTC'),"
               " t.gap_at = l.until) FROM chime.totals t, chime.minute m, chime.leadership l"
               " WHERE m.partial AND l.epoch = 2",
               "1 0 t t");
}
END_TEST

START_TEST(a_strip_has_the_last_32_slots)
{
    cluster_execute(cluster,
                    "SELECT run(1, n, CASE n % 3 WHEN 0 THEN 'failed' WHEN 1 THEN 'succeeded' ELSE 'timed_out' END::"
                    "chime.run_state, 'all') FROM generate_series(1, 20) n");
    EXPECT_SQL(cluster, "SELECT to_hex(recent_older) || ' ' || to_hex(recent) FROM chime.job_state WHERE job_id = 1",
               "1321 3213213213213213");
    cluster_execute(cluster, "SELECT skip(1, 'schedule', 20, 21, false, 'all')");
    cluster_execute(cluster, "SELECT miss(1, 21, 22, 24)");
    EXPECT_SQL(cluster, "SELECT to_hex(recent_older) || ' ' || to_hex(recent) FROM chime.job_state WHERE job_id = 1",
               "13213213 2132132132135666");
    cluster_execute(cluster, "SELECT miss(1, 24, 25, 1000)");
    EXPECT_SQL(cluster, "SELECT to_hex(recent_older) || ' ' || to_hex(recent) FROM chime.job_state WHERE job_id = 1",
               "6666666666666666 6666666666666666");
}
END_TEST

/* --- days --------------------------------------------------------------------------------------------------------- */

/* Three jobs, four days that are over, runs of different lengths, and one that has not ended yet. */
static const char past[] =
    "SET session_replication_role = replica; SET TimeZone = 'UTC';"
    "UPDATE chime.totals SET next_day = (now() - interval '1 hour')::date - 4;"
    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)"
    " SELECT n, 1 + n % 2, 'schedule', s, (enum_range(NULL::chime.run_state))[1 + n % 5], 1, 7,"
    " CASE WHEN n % 5 < 4 THEN s + n * interval '1 ms' END, s + n * interval '3 ms'"
    " FROM (SELECT n, (now() - interval '1 hour')::date - n * interval '13 min' AS s FROM generate_series(1, 500) n) x;"
    "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)"
    " SELECT 3, d - interval '3 days', d - interval '2 days', 11, 'away', 7"
    " FROM (SELECT (now() - interval '1 hour')::date + interval '5 hours' AS d) x;"
    "RESET session_replication_role";

/* By whole sorts instead of aggregates over slices. */
#define DAY "(x.slot AT TIME ZONE 'UTC')::date"
static const char days_differ[] =
    "SELECT count(*) FROM (SELECT x.job_id, " DAY " AS day, count(*) FILTER (WHERE state <> 'skipped') AS runs,"
    " count(*) FILTER (WHERE state = 'skipped') AS skipped, count(*) FILTER (WHERE state IN ('failed', 'timed_out',"
    " 'lost')) AS failed, coalesce(sum(took), 0) AS busy, max(took) AS most,"
    " (array_agg(took ORDER BY took) FILTER (WHERE took IS NOT NULL))[ceil(0.95 * count(took))] AS p95,"
    " (array_agg(late ORDER BY late) FILTER (WHERE late IS NOT NULL))[ceil(0.95 * count(late))] AS late_p95"
    " FROM (SELECT h.*, extract(epoch FROM finished_at - started_at) * 1000000 AS took,"
    " extract(epoch FROM started_at - slot) * 1000000 AS late FROM chime.run_history h) x"
    " WHERE " DAY " >= (now() - interval '1 hour')::date - 5 AND " DAY
    " < (now() - interval '1 hour')::date GROUP BY 1, 2) c"
    " FULL JOIN (SELECT * FROM chime.job_day WHERE missed = 0) d USING (job_id, day)"
    " WHERE (c.runs, c.skipped, c.failed, c.busy, c.most, c.p95, c.late_p95) IS DISTINCT FROM"
    " (d.runs, d.skipped, d.failed, d.busy_us, d.max_us, d.p95_us, d.late_p95_us)";

static void sum_days(int limit)
{
    int64_t from = 0;
    int calls = 0;
    char *more = cluster_value(cluster, "SELECT 0");
    while (more != NULL) {
        char sql[128];
        snprintf(sql, sizeof(sql), "SELECT chime.sum_days(" TOKEN ", %d, %lld)", limit, (long long)from);
        free(more);
        more = cluster_value(cluster, sql);
        from = more != NULL ? atoll(more) : 0;
        ck_assert_int_lt(calls++, 200);
    }
}

START_TEST(days_are_summed_up_from_the_history_once_they_are_over)
{
    cluster_execute(cluster, "SET TimeZone = 'UTC'");
    cluster_execute(cluster, past);
    sum_days(2);
    ck_assert_int_ge(cluster_integer(cluster, "SELECT count(*) FROM chime.job_day"), 9);
    EXPECT_SQL(cluster, days_differ, "0");
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', job_id, missed, runs, (now() - interval '1 hour')::date - day), ',') "
               "FROM chime.job_day"
               " WHERE missed > 0",
               "3 11 0 2");
    EXPECT_SQL(cluster, "SELECT next_day = (now() - interval '1 hour')::date FROM chime.totals", "t");
    /* A run that ended after its first night is there after the second; what a job forgot meanwhile stays. */
    cluster_execute(
        cluster, "UPDATE chime.totals SET next_day = next_day - 1;"
                 "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at)"
                 " SELECT 9999, 3, 'manual', next_day - interval '1 hour', 'cancelled', 1, 7, now() FROM chime.totals;"
                 "DELETE FROM chime.run_history WHERE job_id = 1");
    sum_days(100);
    EXPECT_SQL(cluster,
               "SELECT runs FROM chime.job_day d, chime.totals t WHERE d.job_id = 3 AND d.day = t.next_day - 2", "1");
    ck_assert_int_ge(cluster_integer(cluster, "SELECT count(*) FROM chime.job_day WHERE job_id = 1 AND runs > 0"), 4);
}
END_TEST

START_TEST(a_clock_that_was_ahead_or_an_outage_of_a_year_is_no_end_of_work)
{
    cluster_execute(cluster, "SET TimeZone = 'UTC'");
    cluster_execute(cluster, "UPDATE chime.totals SET next_day = '2099-01-01'");
    sum_days(100);
    EXPECT_SQL(cluster, "SELECT next_day = (now() - interval '1 hour')::date FROM chime.totals", "t");
    cluster_execute(cluster, "UPDATE chime.totals SET next_day = '2019-01-01'");
    sum_days(100);
    EXPECT_SQL(cluster, "SELECT next_day = (now() - interval '1 hour')::date FROM chime.totals", "t");
    /* 400 days are kept. */
    cluster_execute(cluster,
                    "INSERT INTO chime.job_day SELECT 1, (now() - interval '1 hour')::date - n, 1, 1, 0, 0, 0, 0"
                    " FROM (VALUES (399), (401)) v (n); UPDATE chime.totals SET next_day = next_day - 1");
    sum_days(100);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_day", "1");
}
END_TEST

/* --- the pulse ---------------------------------------------------------------------------------------------------- */

START_TEST(the_pulse_is_written_while_somebody_looks)
{
    site_use_pools(site, "narrow = 1;");
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_sleep(60)\"; database = \"main\"; pool = \"narrow\";");
    site_job(site, "behind", NEVER_DUE "command = \"SELECT 1\"; database = \"main\"; pool = \"narrow\";");
    site_job(site, "soon", "schedule = \"*/10 * * * *\"; command = \"SELECT 1\"; database = \"main\";");
    start();
    runs_ask(cluster, "long");
    runs_await_running(cluster, "long");
    runs_ask(cluster, "behind");
    EXPECT_SQL(cluster, "SELECT at FROM chime.pulse", NULL);
    cluster_execute(cluster, "CREATE ROLE looks LOGIN");
    PGconn *web = cluster_connect(cluster, "postgres");
    session_execute(web, "SET SESSION AUTHORIZATION looks");
    session_execute(web, "SET application_name = 'pgchime web'");
    WAIT_SQL(cluster, "SELECT waiting FROM chime.pulse", "1", 30);
    EXPECT_SQL(
        cluster,
        "SELECT concat_ws(' ', jobs, waits -> 0 ->> 'reason', pools::text, sessions_most, epoch) FROM chime.pulse",
        "3 waits for a slot of pool narrow [{\"pool\": \"narrow\", \"used\": 1, \"limit\": 1}] 4 1");
    EXPECT_SQL(cluster,
               "SELECT j.name FROM chime.pulse p JOIN chime.job j"
               " ON j.job_id = (p.next_slots -> 0 ->> 'job_id')::bigint",
               "soon");
    ck_assert(cluster_true(cluster,
                           "SELECT cpu_us > 0 AND resident_bytes > 1000000 AND loop_lag_us >= 0 AND sessions >= 1"
                           " AND started_at BETWEEN now() - interval '1 h' AND now() FROM chime.pulse"));
    /* It goes on, and ends with the last who looks. */
    char *at = cluster_value(cluster, "SELECT at FROM chime.pulse");
    cluster_execute_format(cluster, "CREATE TABLE counted.pulse AS SELECT '%s'::timestamptz AS at", at);
    WAIT_SQL(cluster, "SELECT p.at > c.at FROM chime.pulse p, counted.pulse c", "t", 30);
    PQfinish(web);
    WAIT_SQL(cluster, "SELECT clock_timestamp() > at + interval '3 s' FROM chime.pulse", "t", 30);
    free(at);
    cluster_execute(cluster, "SELECT pg_cancel_backend(pid) FROM chime.run WHERE pid IS NOT NULL");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("totals");
    TCase *served_tests = tcase_create("served");
    TCase *statements = tcase_create("statements");
    tcase_add_checked_fixture(served_tests, set_up_site, tear_down);
    tcase_add_checked_fixture(statements, set_up_ledger, tear_down);
    tcase_set_timeout(served_tests, 240);
    tcase_set_timeout(statements, 120);
    tcase_add_test(served_tests, totals_and_strips_are_those_of_the_history);
    tcase_add_test(served_tests, a_run_that_is_alone_is_counted_within_a_moment);
    tcase_add_test(served_tests, leaders_that_die_leave_nothing_twice_and_mark_what_they_leave_out);
    tcase_add_test(served_tests, the_pulse_is_written_while_somebody_looks);
    tcase_add_test(statements, a_batch_that_is_rolled_back_and_sent_again_counts_once);
    tcase_add_test(statements, nobody_adds_who_does_not_lead);
    tcase_add_test(statements, an_end_is_recorded_though_the_totals_are_locked);
    tcase_add_test(statements, a_leader_that_went_without_a_word_is_marked_and_one_that_resigned_is_not);
    tcase_add_test(statements, a_strip_has_the_last_32_slots);
    tcase_add_test(statements, days_are_summed_up_from_the_history_once_they_are_over);
    tcase_add_test(statements, a_clock_that_was_ahead_or_an_outage_of_a_year_is_no_end_of_work);
    suite_add_tcase(suite, served_tests);
    suite_add_tcase(suite, statements);
    return suite_run(suite);
}
