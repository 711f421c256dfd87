/* SPDX-License-Identifier: PostgreSQL */
/* Jobs that are edited, switched off or removed while nothing leads: what was due until then is on record. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "support/cluster/session.h"
#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define CURSOR "timestamptz '2026-01-01 00:00:30+00'"
#define REASON "the job was edited, switched off or removed before this leader heard of it"

static void set_up(void)
{
    served_set_up(4);
}

/* A job that counts, and whose slots are on record, until CURSOR. */
static void make_old(const char *name, const char *schedule, const char *options)
{
    sql_jobs_make(cluster, NULL, name, schedule, "SELECT 1", options);
    cluster_execute_format(cluster, "UPDATE chime.job SET since = " CURSOR " WHERE job_name = '%s'", name);
    cluster_execute(cluster, "UPDATE chime.job_state s SET last_slot = j.since FROM chime.job j"
                             " WHERE j.job_id = s.job_id AND j.origin = 'sql' AND j.since = " CURSOR);
}

/* As sql_jobs_edit would have at that time. */
static void edit_at(const char *name, const char *at, const char *assignments)
{
    sql_jobs_edit(cluster, name, assignments);
    cluster_execute_format(cluster,
                           "UPDATE chime.expired_schedule f SET until = '%s' FROM chime.job j"
                           " WHERE j.job_id = f.job_id AND j.job_name = '%s' AND f.until > now() - interval '1 minute'",
                           at, name);
    cluster_execute_format(
        cluster, "UPDATE chime.job SET since = '%s' WHERE job_name = '%s' AND since > now() - interval '1 minute'", at,
        name);
}

static void await_none_expired(void)
{
    WAIT_SQL(cluster, "SELECT NOT EXISTS (SELECT FROM chime.expired_schedule)", "t", 20);
}

static void lead(void)
{
    served = site_lead(site);
    await_none_expired();
}

#define EXPECT_MISSED(name, expected)                                                                             \
    EXPECT_SQL(                                                                                                   \
        cluster,                                                                                                  \
        "SELECT string_agg(to_char(first_slot AT TIME ZONE 'UTC', 'MM-DD HH24:MI') || ' to '"                     \
        " || to_char(last_slot AT TIME ZONE 'UTC', 'MM-DD HH24:MI') || ': ' || slots, '; ' ORDER BY first_slot)"  \
        " FROM chime.missed JOIN chime.job USING (job_id) WHERE job_name = '" name "' AND reason = '" REASON "'", \
        expected)

START_TEST(what_was_due_until_an_edit_is_on_record)
{
    make_old("edited", "0 * * * *", NULL);
    make_old("off", "0 * * * *", NULL);
    make_old("gone", "0 * * * *", NULL);
    make_old("same", YEARLY, NULL);
    edit_at("edited", "2026-01-01 05:30+00", "schedule = '" YEARLY "'");
    edit_at("off", "2026-01-01 05:30+00", "active = false");
    edit_at("gone", "2026-01-01 05:30+00", "active = false, removed_at = clock_timestamp()");
    edit_at("same", "2026-01-01 05:30+00", "command = 'SELECT 2'");
    lead();
    EXPECT_MISSED("edited", "01-01 01:00 to 01-01 05:00: 5");
    EXPECT_MISSED("off", "01-01 01:00 to 01-01 05:00: 5");
    EXPECT_MISSED("gone", "01-01 01:00 to 01-01 05:00: 5");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE reason = '" REASON "'", "3");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.origin = 'sql'", "0");
}
END_TEST

START_TEST(each_of_several_schedules_counts_for_its_time)
{
    make_old("twice", "0 * * * *", NULL);
    edit_at("twice", "2026-01-01 02:30+00", "schedule = '30 * * * *'");
    edit_at("twice", "2026-01-01 04:45+00", "schedule = '" YEARLY "'");
    make_old("off", "0 * * * *", NULL);
    edit_at("off", "2026-01-01 01:30+00", "active = false");
    edit_at("off", "2026-01-01 03:30+00", "active = true");
    edit_at("off", "2026-01-01 05:30+00", "active = false");
    lead();
    EXPECT_MISSED("twice", "01-01 01:00 to 01-01 02:00: 2; 01-01 03:30 to 01-01 04:30: 2");
    EXPECT_MISSED("off", "01-01 01:00 to 01-01 01:00: 1; 01-01 04:00 to 01-01 05:00: 2");
}
END_TEST

/* Options are those of then, and not every schedule has slots. */
START_TEST(schedules_of_every_form_are_counted)
{
    make_old("zone", "0 3 * * *", "{\"timezone\": \"Europe/Berlin\"}");
    make_old("once", "@at 2026-01-01 02:00", NULL);
    make_old("reboot", "@reboot", NULL);
    make_old("refused", "at noon", NULL);
    make_old("beat", "10 seconds", NULL);
    make_old("delay", "@after 1h", NULL);
    edit_at("zone", "2026-01-03 12:00+00", "schedule = '" YEARLY "', options = '{}'");
    edit_at("once", "2026-01-01 05:30+00", "active = false");
    sql_jobs_edit(cluster, "reboot", "active = false");
    edit_at("refused", "2026-01-01 05:30+00", "schedule = '" YEARLY "'");
    edit_at("beat", "2026-01-01 00:01:30+00", "active = false");
    edit_at("delay", "2026-01-01 05:30+00", "active = false");
    lead();
    EXPECT_MISSED("zone", "01-01 02:00 to 01-03 02:00: 3");
    EXPECT_MISSED("once", "01-01 02:00 to 01-01 02:00: 1");
    EXPECT_MISSED("refused", NULL);
    EXPECT_MISSED("beat", "01-01 00:00 to 01-01 00:01: 6");
    EXPECT_MISSED("delay", "01-01 01:00 to 01-01 01:00: 1");
    EXPECT_SQL(cluster,
               "SELECT slots || ' ' || (first_slot = pg_postmaster_start_time()) || ' ' || (last_slot = first_slot)"
               " FROM chime.missed JOIN chime.job USING (job_id) WHERE job_name = 'reboot'",
               "1 true true");
}
END_TEST

/* A schedule follows the database's zone where the job names none: then another zone is another schedule. */
START_TEST(what_was_due_by_the_zone_of_the_last_leader_is_on_record)
{
    lead();
    served_end();
    make_old("follows", "@at 2026-01-01 02:00", NULL);
    make_old("has its own", "@at 2026-01-01 02:00", "{\"timezone\": \"UTC\"}");
    make_old("off", "@at 2026-01-01 02:00", NULL);
    edit_at("off", "2026-01-01 00:45+00", "active = false");
    site_use_members(site, "timezone = \"Asia/Tokyo\";"); /* by which it was due before the cursors */
    lead();
    EXPECT_MISSED("follows", "01-01 02:00 to 01-01 02:00: 1");
    EXPECT_MISSED("has its own", NULL);
    EXPECT_MISSED("off", NULL);
}
END_TEST

START_TEST(a_zone_that_changed_under_a_leader_is_no_news_to_the_next)
{
    lead();
    sql_jobs_make(cluster, NULL, "hourly", "0 * * * *", "SELECT 1", NULL);
    sql_jobs_await_taken(cluster, "hourly");
    site_use_members(site, "timezone = \"Asia/Tokyo\";");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT timezone FROM chime.leader", "Asia/Tokyo", 30);
    served_end();
    lead();
    EXPECT_SQL(cluster, "SELECT version FROM chime.job WHERE job_name = 'hourly'", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "0");
}
END_TEST

/* What the leader heard of is not said twice by the next one, and nothing is left of it for ever. */
START_TEST(edits_under_a_leader_are_its_own)
{
    lead();
    sql_jobs_make(cluster, NULL, "edited", "1 second", "SELECT 1", NULL);
    sql_jobs_make(cluster, NULL, "off", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "edited", 2);
    sql_jobs_await(cluster, "off", 2);
    sql_jobs_edit(cluster, "edited", "schedule = '" YEARLY "'");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.expired_schedule", "0", 20);
    sql_jobs_edit(cluster, "off", "active = false");
    WAIT_SQL(cluster,
             "SELECT NOT EXISTS (SELECT FROM chime.next_slots n JOIN chime.job j USING (job_id)"
             " WHERE j.job_name = 'off')",
             "t", 20);
    served_end();
    lead();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE reason = '" REASON "'", "0");
    EXPECT_SQL(
        cluster,
        "SELECT bool_and(n = extract(epoch FROM last - first) + 1) FROM (SELECT count(*) AS n, min(slot) AS first,"
        " max(slot) AS last FROM chime.run_history GROUP BY job_id) AS r",
        "t");
}
END_TEST

/* However short a job's life was. */
START_TEST(nothing_expired_stays_under_a_leader)
{
    lead();
    sql_jobs_make(cluster, NULL, "off", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "off", 1);
    sql_jobs_edit(cluster, "off", "active = false");
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)"
                             " SELECT '', 'job' || i, 'postgres', 'sql', '0 * * * *', 'SELECT 1', '{}'"
                             " FROM generate_series(1, 2500) AS i");
    sql_jobs_await_taken(cluster, "job2500");
    cluster_execute(cluster,
                    "UPDATE chime.job SET active = false, removed_at = clock_timestamp() WHERE job_name LIKE 'job%'");
    cluster_execute(cluster,
                    "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)"
                    " VALUES ('', 'brief', 'postgres', 'sql', '0 * * * *', 'SELECT 1', '{}');"
                    "UPDATE chime.job SET active = false, removed_at = clock_timestamp() WHERE job_name = 'brief'");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE removed_at IS NOT NULL", "2501", 20);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.expired_schedule", "0", 30);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

/* Somebody edits after the leader looked at schedules that ended, and before it reads the jobs. */
START_TEST(an_edit_while_a_leadership_begins_is_not_passed_over)
{
    make_old("late", "0 * * * *", NULL);
    cluster_execute(
        cluster,
        "CREATE TABLE edited (at int);"
        "ALTER FUNCTION chime.changed_jobs RENAME TO jobs_that_changed;"
        "DO $do$ BEGIN EXECUTE format('CREATE FUNCTION chime.changed_jobs(p_token uuid, p_seen pg_snapshot, p_from "
        "bigint,"
        " p_limit integer, p_changed xid8) RETURNS %s LANGUAGE plpgsql AS $$ BEGIN %s END $$',"
        " pg_get_function_result('chime.jobs_that_changed'::regproc), $body$"
        " IF NOT EXISTS (SELECT FROM public.edited) THEN INSERT INTO public.edited VALUES (1);"
        " UPDATE chime.job SET schedule = '" YEARLY "' WHERE job_name = 'late';"
        " UPDATE chime.expired_schedule SET until = '2026-01-01 05:30+00';"
        " UPDATE chime.job j SET since = '2026-01-01 05:30+00' WHERE job_name = 'late'; END IF;"
        " RETURN QUERY SELECT * FROM chime.jobs_that_changed(p_token, p_seen, p_from, p_limit, p_changed); $body$); "
        "END $do$");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM edited", "1", 20);
    await_none_expired();
    EXPECT_MISSED("late", "01-01 01:00 to 01-01 05:00: 5");
}
END_TEST

/* More than one answer holds. */
START_TEST(however_many_they_are)
{
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options, since)"
                             " SELECT '', 'job' || i, 'postgres', 'sql', '0 * * * *', 'SELECT 1', '{}', " CURSOR
                             " FROM generate_series(1, 2500) AS i");
    cluster_execute(cluster, "UPDATE chime.job SET schedule = '" YEARLY "' WHERE origin = 'sql'");
    cluster_execute(cluster, "UPDATE chime.expired_schedule SET until = '2026-01-01 05:30+00'");
    cluster_execute(cluster, "UPDATE chime.job SET since = '2026-01-01 05:30+00' WHERE origin = 'sql'");
    lead();
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || sum(slots) FROM chime.missed WHERE reason = '" REASON "'",
               "2500 12500");
}
END_TEST

/* More than one answer holds, and somebody has one of them under his hands. */
START_TEST(those_of_jobs_that_went_hold_up_no_leadership)
{
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options, since)"
                             " SELECT '', 'job' || i, 'postgres', 'sql', '0 * * * *', 'SELECT 1', '{}', " CURSOR
                             " FROM generate_series(1, 2500) AS i");
    cluster_execute(cluster,
                    "UPDATE chime.job SET active = false, removed_at = clock_timestamp() WHERE origin = 'sql'");
    cluster_execute(cluster, "UPDATE chime.expired_schedule SET until = '2026-01-01 05:30+00'");
    make_old("edited", "0 * * * *", NULL);
    edit_at("edited", "2026-01-01 05:30+00", "schedule = '" YEARLY "'");
    PGconn *holder = cluster_connect(cluster, "postgres");
    session_execute(holder, "BEGIN; SELECT FROM chime.expired_schedule JOIN chime.job USING (job_id)"
                            " WHERE job_name = 'job7' FOR UPDATE");
    served = site_lead(site);
    EXPECT_MISSED("edited", "01-01 01:00 to 01-01 05:00: 5");
    session_execute(holder, "COMMIT");
    PQfinish(holder);
    await_none_expired();
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || sum(slots) FROM chime.missed WHERE reason = '" REASON "'",
               "2501 12505");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
}
END_TEST

/* --- jobs of conf.d ----------------------------------------------------------------------------------------------- */

#define HOURLY "schedule = \"0 * * * *\"; command = \"SELECT 1\"; "

/* What is there counts, and has its slots on record, until five hours ago. */
static void age(void)
{
    cluster_execute(cluster, "CREATE TABLE begun AS SELECT date_trunc('hour', now()) - interval '5 hours' AS at;"
                             "UPDATE chime.job SET since = at FROM begun;"
                             "UPDATE chime.job_state SET last_slot = at FROM begun");
}

/* All since, up to when this leader began. */
#define EXPECT_HOURS_MISSED(name)                                                                                      \
    EXPECT_SQL(cluster,                                                                                                \
               "SELECT string_agg(concat_ws(' ', first_slot = at + interval '1 hour',"                                 \
               " last_slot = date_trunc('hour', recorded_at), last_slot = at + slots * interval '1 hour'), ';')"       \
               " FROM begun, chime.missed JOIN chime.job USING (job_id) WHERE name = '" name "' AND reason = '" REASON \
               "'",                                                                                                    \
               "t t t")

START_TEST(what_was_due_by_an_old_configuration_is_on_record)
{
    site_job(site, "edited", HOURLY);
    site_job(site, "zone", HOURLY);
    site_job(site, "clocks", HOURLY);
    site_job(site, "off", HOURLY);
    site_job(site, "gone", HOURLY);
    site_job(site, "same", HOURLY "catchup = \"latest\";");
    lead();
    served_end();
    age();
    site_job(site, "edited", "schedule = \"" YEARLY "\"; command = \"SELECT 1\";");
    site_job(site, "zone", HOURLY "timezone = \"Asia/Kolkata\";");
    site_job(site, "clocks", HOURLY "dst_gap = \"skip\";");
    site_job(site, "off", HOURLY "enabled = false;");
    site_remove(site, "gone");
    site_job(site, "same", HOURLY "catchup = \"latest\"; max_attempts = 2;");
    lead();
    EXPECT_HOURS_MISSED("edited");
    EXPECT_HOURS_MISSED("zone");
    EXPECT_HOURS_MISSED("clocks");
    EXPECT_HOURS_MISSED("off");
    EXPECT_HOURS_MISSED("gone");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE reason = '" REASON "'", "5");
    served_end();
    lead();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE reason = '" REASON "'", "5");
}
END_TEST

/* Both are due each second after jobs whose last outcome was a success, before they missed some. */
START_TEST(what_was_missed_by_an_old_schedule_is_no_success_to_go_by)
{
    site_job(site, "configured", HOURLY);
    site_job(site, "after-configured", "schedule = \"1 second\"; command = \"SELECT 1\"; after = [\"configured\"];");
    lead();
    served_end();
    age();
    make_old("made", "0 * * * *", NULL);
    cluster_execute(cluster,
                    "UPDATE chime.job_state SET last_outcome = 'succeeded', outcome_at = last_slot;"
                    "DELETE FROM chime.run;" /* claimed as the leader went: it would run, whatever was missed since */
                    "DELETE FROM chime.run_history");
    edit_at("made", "2026-01-01 05:30+00", "schedule = '" YEARLY "'");
    sql_jobs_make(cluster, NULL, "after made", "1 second", "SELECT 1", NULL);
    cluster_execute(cluster, "UPDATE chime.job SET after = '{postgres/made}' WHERE job_name = 'after made'");
    site_job(site, "configured", "schedule = \"" YEARLY "\"; command = \"SELECT 1\";");
    lead();
    WAIT_SQL(
        cluster,
        "SELECT count(DISTINCT job_id) FROM chime.run_history JOIN chime.job USING (job_id) WHERE name LIKE '%after%'",
        "2", 20);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT h.state::text, ' ') FROM chime.run_history h JOIN chime.job USING (job_id)"
               " WHERE name LIKE '%after%'",
               "skipped");
}
END_TEST

/* The leader goes by the configuration that it read; who follows has read another. */
START_TEST(a_follower_with_another_configuration_passes_no_slot_over)
{
    site_job(site, "tick", "schedule = \"1 second\"; command = \"SELECT 1\";");
    lead();
    site_job(site, "tick", "schedule = \"" YEARLY "\"; command = \"SELECT 1\";");
    struct daemon *other = site_serve(site, "other", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state = 'succeeded'", "2", 20);
    daemon_signal(other, SIGSTOP);
    daemon_kill(served);
    WAIT_SQL(cluster, "SELECT max(slot) < now() - interval '3 seconds' FROM chime.run_history", "t", 20);
    daemon_signal(other, SIGCONT);
    site_await_leading(other);
    EXPECT_SQL(
        cluster,
        "SELECT (SELECT count(*) FROM chime.run_history) + (SELECT sum(slots) FROM chime.missed) - 1"
        " = extract(epoch FROM (SELECT max(last_slot) FROM chime.missed) - (SELECT min(slot) FROM chime.run_history))",
        "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE reason <> '" REASON "'", "0");
    daemon_destroy(other);
}
END_TEST

START_TEST(a_job_that_left_goes_with_its_history_and_one_that_comes_back_is_the_same)
{
    site_job(site, "back", HOURLY);
    site_job(site, "gone", HOURLY);
    lead();
    cluster_execute(cluster, "CREATE TABLE known AS SELECT job_id, name FROM chime.job");
    site_remove(site, "back");
    site_remove(site, "gone");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE removed_at IS NOT NULL AND NOT active", "2", 20);
    cluster_execute(cluster, "UPDATE chime.job SET removed_at = now() - interval '32 days'");
    site_job(site, "back", HOURLY);
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE removed_at IS NULL AND active", "1", 20);
    cluster_execute(cluster, "SELECT chime.forget_jobs(token, 10) FROM chime.leader");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ') FROM chime.job JOIN known USING (job_id, name)", "back");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expired");
    TCase *cases = tcase_create("expired");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 60);
    TCase *zone = tcase_create("zone");
    tcase_add_checked_fixture(zone, set_up, served_tear_down);
    tcase_set_timeout(zone, 60);
    tcase_add_test(cases, what_was_due_until_an_edit_is_on_record);
    tcase_add_test(cases, each_of_several_schedules_counts_for_its_time);
    tcase_add_test(cases, schedules_of_every_form_are_counted);
    tcase_add_test(zone, what_was_due_by_the_zone_of_the_last_leader_is_on_record);
    tcase_add_test(zone, a_zone_that_changed_under_a_leader_is_no_news_to_the_next);
    tcase_add_test(cases, edits_under_a_leader_are_its_own);
    tcase_add_test(cases, nothing_expired_stays_under_a_leader);
    tcase_add_test(cases, an_edit_while_a_leadership_begins_is_not_passed_over);
    tcase_add_test(cases, however_many_they_are);
    tcase_add_test(cases, those_of_jobs_that_went_hold_up_no_leadership);
    tcase_add_test(cases, what_was_due_by_an_old_configuration_is_on_record);
    tcase_add_test(cases, what_was_missed_by_an_old_schedule_is_no_success_to_go_by);
    tcase_add_test(cases, a_follower_with_another_configuration_passes_no_slot_over);
    tcase_add_test(cases, a_job_that_left_goes_with_its_history_and_one_that_comes_back_is_the_same);
    suite_add_tcase(suite, cases);
    suite_add_tcase(suite, zone);
    return suite_run(suite);
}
