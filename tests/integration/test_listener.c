/* SPDX-License-Identifier: PostgreSQL */
/* Events end to end: notifications, changed sources, and what happens while nobody hears. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/keyed/keyed.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static void set_up(void)
{
    served_set_up(4);
}

#define EVENT_RUNS(job) \
    "SELECT count(*) FROM chime.runs WHERE job = '" job "' AND kind = 'event' AND state = 'succeeded'"
#define LISTENER_IS(expected) WAIT_SQL(cluster, "SELECT state FROM chime.listener", expected, 20)
/* Sources at rest: nothing waits, nothing runs. */
#define AWAIT_REST() \
    WAIT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.run) + (SELECT count(*) FROM chime.request)", "0", 60)

static void lead_and_watch(void)
{
    served = site_lead(site);
    LISTENER_IS("listening");
}

/* Of the run that follows a connection, so that what is counted later comes from notifications. */
static void lead_and_await_first(void)
{
    lead_and_watch();
    WAIT_SQL(cluster, EVENT_RUNS("job"), "1", 20);
}

/* --- notifications ------------------------------------------------------------------------------------------------ */

#define TAKE_NOTE "on = [\"news\"]; command = \"INSERT INTO note (payload) VALUES ($1)\";"

START_TEST(a_notification_wakes_the_jobs_of_its_channel_with_its_payload)
{
    cluster_execute(cluster, "CREATE TABLE note (id serial, payload text)");
    site_job(site, "job", TAKE_NOTE);
    site_job(site, "other", "on = [\"News\"]; command = \"SELECT 1\";");
    lead_and_await_first();
    WAIT_SQL(cluster, EVENT_RUNS("other"), "1", 20);
    EXPECT_SQL(cluster, "SELECT payload IS NULL FROM note", "t"); /* nobody knows what was missed */
    cluster_execute(cluster, "SELECT pg_notify('news', $$it's \"{broken json\n \\ é$$)");
    WAIT_SQL(cluster, EVENT_RUNS("job"), "2", 20);
    EXPECT_SQL(cluster, "SELECT payload = $$it's \"{broken json\n \\ é$$ FROM note WHERE id = 2", "t");
    cluster_execute(cluster, "SELECT pg_notify('news', repeat('x', 7999))");
    WAIT_SQL(cluster, "SELECT count(*) FROM note WHERE length(payload) = 7999", "1", 20);
    cluster_execute(cluster, "NOTIFY news");
    WAIT_SQL(cluster, "SELECT count(*) FROM note WHERE payload = ''", "1", 20);
    EXPECT_SQL(cluster, EVENT_RUNS("other"), "1");
    EXPECT_SQL(cluster, "SELECT array_to_string(channels, ' ') FROM chime.listener", "News news");
}
END_TEST

START_TEST(hostile_channel_names_are_names)
{
    site_job(site, "job", "on = [\"x\\\"; DROP TABLE chime.run; --\"]; command = \"SELECT 1\";");
    lead_and_await_first();
    cluster_execute(cluster, "SELECT pg_notify('x\"; DROP TABLE chime.run; --', '')");
    WAIT_SQL(cluster, EVENT_RUNS("job"), "2", 20);
}
END_TEST

START_TEST(a_reload_listens_to_other_channels)
{
    site_job(site, "job", "on = [\"one\"]; command = \"SELECT 1\";");
    lead_and_await_first();
    site_job(site, "job", "on = [\"two\"]; command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, "SELECT array_to_string(channels, ' ') || ' ' || state FROM chime.listener", "two listening", 20);
    WAIT_SQL(cluster, EVENT_RUNS("job"), "2", 20); /* what was sent in between nobody heard */
    cluster_execute(cluster, "NOTIFY one; NOTIFY two");
    WAIT_SQL(cluster, EVENT_RUNS("job"), "3", 20);
    site_job(site, "job", "schedule = \"0 0 1 1 *\"; command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    LISTENER_IS("off");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime listener'", "0", 20);
}
END_TEST

START_TEST(a_job_that_a_reload_adds_to_a_channel_is_woken_once_and_the_others_are_not)
{
    site_job(site, "job", "on = [\"one\"]; command = \"SELECT 1\";");
    lead_and_await_first();
    site_job(site, "other", "on = [\"one\"]; command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, EVENT_RUNS("other"), "1", 20);
    cluster_execute(cluster, "NOTIFY one");
    WAIT_SQL(cluster, EVENT_RUNS("other"), "2", 20);
    WAIT_SQL(cluster, EVENT_RUNS("job"), "2", 20);
}
END_TEST

/* --- edits while the session hears -------------------------------------------------------------------------------- */

#define SESSION                                                                                                    \
    "SELECT string_agg(pid || ' ' || backend_start, ',') FROM pg_stat_activity WHERE application_name = 'pgchime " \
    "watch'"
#define HEARERS 10
#define EDITS 60
#define NULL_PAYLOADS "SELECT count(*) FROM heard WHERE payload IS NULL"
#define HEARER(name, channel)                                                                            \
    "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, channels)"                 \
    " SELECT '', " name ", 'postgres', 'sql', '', format('INSERT INTO heard VALUES (%%L, $1)', " channel \
    "), ARRAY[" channel "] FROM generate_series(%d, %d) n"

/* Jobs that hear ch1 and so on, and note what they were given; and one whose channel changes. */
static void make_hearers(void)
{
    cluster_execute(cluster, "CREATE TABLE heard (channel text, payload text)");
    cluster_execute_format(cluster, HEARER("'hearer ' || n", "'ch' || n"), 1, HEARERS);
    sql_jobs_make(cluster, NULL, "roamer", "", "SELECT 1", NULL);
    sql_jobs_edit(cluster, "roamer", "channels = '{roam}'");
}

/* What is sent while what follows from an edit is under way is heard, and nothing twice. */
static void edit_and_notify(int edit)
{
    char *sql = files_path("SELECT count(*) FROM heard WHERE payload = '%d' AND channel = 'ch%d'", edit,
                           edit % HEARERS + 1);
    cluster_execute_format(cluster, "UPDATE chime.job SET channels = '{roam%d}' WHERE job_name = 'roamer'", edit);
    cluster_execute_format(cluster, "SELECT pg_notify('ch%d', '%d')", edit % HEARERS + 1, edit);
    WAIT_SQL(cluster, sql, "1", 20);
    free(sql);
}

static void add_by_reload(int number)
{
    char *name = files_path("reloaded%d", number);
    char *members = files_path("on = [\"%s\"]; command = \"SELECT 1\";", name);
    site_job(site, name, members);
    daemon_signal(served, SIGHUP);
    free(members);
    free(name);
}

/* How often channels were changed since then, and for how long that is. */
#define CALLS \
    "(SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE schemaname = 'chime' AND funcname = 'listen')"

START_TEST(edits_of_jobs_keep_the_session_and_what_it_hears_and_wake_newcomers_only)
{
    cluster_execute(cluster, "ALTER DATABASE postgres SET track_functions = 'all'");
    served = site_lead(site);
    make_hearers();
    LISTENER_IS("listening");
    WAIT_SQL(cluster, NULL_PAYLOADS, "10", 20);
    char *session = cluster_value(cluster, SESSION);
    cluster_execute(cluster, "CREATE TABLE began AS SELECT clock_timestamp() AS at, " CALLS " AS calls");
    for (int edit = 0; edit < EDITS; edit++) {
        edit_and_notify(edit);
        if (edit % 20 == 10) {
            add_by_reload(edit);
        }
    }
    WAIT_SQL(cluster,
             "SELECT channels @> '{roam59,reloaded50}' AND NOT channels && '{roam,roam58}' FROM chime.listener", "t",
             20);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE job ~ '^reloaded'", "3", 20);
    EXPECT_SQL(cluster, SESSION, session);
    EXPECT_SQL(cluster, NULL_PAYLOADS, "10");
    EXPECT_SQL(cluster, "SELECT count(*) FROM heard", "70");
    /* At most once a second: a few may be counted late. */
    WAIT_SQL(cluster, "SELECT " CALLS " > calls FROM began", "t", 20);
    EXPECT_SQL(cluster, "SELECT " CALLS " - calls <= extract(epoch FROM clock_timestamp() - at) + 3 FROM began", "t");
    free(session);
}
END_TEST

START_TEST(a_channel_that_is_new_is_heard_before_its_job_is_woken)
{
    cluster_execute(cluster, "CREATE TABLE heard (channel text, payload text)");
    served = site_lead(site);
    cluster_execute_format(cluster, HEARER("'hearer ' || n", "'ch' || n"), 1, 1);
    for (int i = 1; i <= 5; i++) {
        char woken[20];
        snprintf(woken, sizeof(woken), "%d", i);
        WAIT_SQL(cluster, NULL_PAYLOADS, woken, 20);
        cluster_execute_format(cluster, "NOTIFY ch%d, 'x'", i);
        WAIT_SQL(cluster, "SELECT count(*) FROM heard WHERE payload = 'x'", woken, 20);
        cluster_execute_format(cluster, HEARER("'hearer ' || n", "'ch' || n"), i + 1, i + 1);
    }
}
END_TEST

/* --- while nobody hears ------------------------------------------------------------------------------------------- */

#define CUT "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pgchime listener'"

START_TEST(a_cut_session_comes_back_and_looks_at_everything)
{
    cluster_execute(cluster, "CREATE TABLE note (id serial, payload text)");
    site_job(site, "job", TAKE_NOTE);
    lead_and_await_first();
    EXPECT_SQL(cluster, CUT, "1");
    WAIT_SQL(cluster, EVENT_RUNS("job"), "2", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM note WHERE payload IS NULL", "2");
    LISTENER_IS("listening");
    cluster_execute(cluster, "NOTIFY news, 'heard'");
    WAIT_SQL(cluster, "SELECT count(*) FROM note WHERE payload = 'heard'", "1", 20);
    WAIT_FOR(daemon_said(served, "events are not heard") && daemon_said(served, "events are heard again"), 20);
}
END_TEST

START_TEST(without_a_session_jobs_run_from_time_to_time_and_people_are_told)
{
    site_job(site, "job", "on = [\"news\"]; command = \"SELECT 1\";");
    lead_and_await_first();
    cluster_create_database(cluster, "elsewhere");
    PGconn *elsewhere = cluster_connect(cluster, "elsewhere");
    EXPECT_SQL(cluster, "SELECT 1", "1"); /* over the connection that will have to do */
    session_execute(elsewhere, "ALTER DATABASE postgres ALLOW_CONNECTIONS false");
    EXPECT_SQL(cluster, CUT, "1");
    LISTENER_IS("degraded");
    WAIT_SQL(cluster, "SELECT reason ~ 'not currently accepting connections' FROM chime.listener", "t", 20);
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.runs WHERE kind = 'event'", "t", 30);
    session_execute(elsewhere, "ALTER DATABASE postgres ALLOW_CONNECTIONS true");
    PQfinish(elsewhere);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", 60);
}
END_TEST

/* --- changed sources ---------------------------------------------------------------------------------------------- */

static void use_plugins(const char *jobs)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    char *folder = files_make_directory();
    plugin_put(folder, "lane_distribution");
    plugin_put(folder, "weakness");
    site_use_plugins(site, folder);
    site_file(site, "views", jobs);
    free(folder);
}

#define SCORED(challenge, score)                                                                               \
    "INSERT INTO submissions (id, agent_id, challenge_id, status, final_lane_scores, composite_score)"         \
    " VALUES (gen_random_uuid(), md5('a')::uuid, md5('" challenge "')::uuid, 'scored', '{\"accuracy\": " score \
    "}', " score ")"
#define SAMPLES "SELECT coalesce(sum(sample_count), 0) FROM analytics.mv_lane_score_distribution"
#define LANE_VIEW " WHERE relation = 'mv_lane_score_distribution'"
#define LANE_STATE "SELECT freshness FROM chime.view_status" LANE_VIEW
#define LANE_RUNS "SELECT runs FROM chime.job_status WHERE name = 'refresh-lane-distributions'"

START_TEST(the_views_of_submissions_follow_these_as_they_are_shipped)
{
    use_plugins("jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; on = []; };"
                " refresh-weakness-patterns: { schedule = \"0 0 1 1 *\"; on = []; after = []; }; };");
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    AWAIT_REST();
    cluster_execute(cluster, SCORED("c", "50") ";" SCORED("c", "60"));
    WAIT_SQL(cluster, SAMPLES, "2", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM analytics.mv_weakness_patterns", "1", 60);
}
END_TEST

START_TEST(changed_sources_wake_the_jobs_of_views_with_a_target)
{
    use_plugins("jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; on = []; target_lag = \"250ms\"; };"
                " refresh-weakness-patterns: { schedule = \"0 0 1 1 *\"; target_lag = \"1s\"; }; };");
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    AWAIT_REST();
    for (int i = 1; i <= 5; i++) {
        char expected[16];
        cluster_execute(cluster, SCORED("c", "50"));
        snprintf(expected, sizeof(expected), "%d", i);
        WAIT_SQL(cluster, SAMPLES, expected, 20);
    }
    WAIT_SQL(cluster, "SELECT sum(missing + surplus) FROM chime.view v, chime.difference(v.relation) d", "0", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'change'", "0"); /* counted, not listed */
    EXPECT_SQL(cluster,
               "SELECT runs >= 6 AND failures = 0 FROM chime.job_status WHERE name = 'refresh-lane-distributions'",
               "t");
    AWAIT_REST();
    char *before = cluster_value(cluster, LANE_RUNS);
    cluster_execute(cluster, "UPDATE submissions SET final_lane_scores = final_lane_scores"); /* changes nothing */
    EXPECT_SQL(cluster, CUT, "1");
    WAIT_SQL(cluster, "SELECT state FROM chime.listener WHERE since > clock_timestamp() - interval '10 s'", "listening",
             20);
    EXPECT_SQL(cluster, LANE_RUNS, before);
    free(before);
}
END_TEST

/* Half of what the view above asks for, whoever declares the two. */
START_TEST(a_view_of_a_plugin_is_as_fresh_as_the_one_above_needs)
{
    use_plugins(
        "jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; on = []; target_lag = \"downstream\"; };"
        " refresh-weakness-patterns: { schedule = \"0 0 1 1 *\"; on = []; after = []; target_lag = \"1s\"; }; };");
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    EXPECT_SQL(cluster, "SELECT target_lag || ' ' || target_lag_from FROM chime.view_status" LANE_VIEW,
               "00:00:00.5 analytics.mv_weakness_patterns");
    cluster_execute(cluster, SCORED("c", "50") ";" SCORED("c", "60"));
    WAIT_SQL(cluster, SAMPLES, "2", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM analytics.mv_weakness_patterns", "1", 60);
}
END_TEST

START_TEST(a_change_that_waits_for_the_clock_is_noted_and_wakes_nobody)
{
    use_plugins("jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; on = []; target_lag = \"none\";"
                " warn_after = \"2s\"; error_after = \"1h\"; };"
                " refresh-weakness-patterns: { schedule = \"0 0 1 1 *\"; target_lag = \"none\"; warn_after = \"none\";"
                " error_after = \"none\"; }; };");
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    AWAIT_REST();
    char *before = cluster_value(cluster, LANE_RUNS);
    EXPECT_SQL(cluster, "SELECT views FROM chime.listener", "{analytics.mv_lane_score_distribution}");
    cluster_execute(cluster, "UPDATE chime.view_refresh SET refreshed_at = refreshed_at - interval '1 day'");
    EXPECT_SQL(cluster, LANE_STATE, "fresh");
    cluster_execute(cluster, SCORED("c", "50"));
    EXPECT_SQL(cluster, LANE_STATE, "fresh"); /* who looks would have noted it */
    WAIT_SQL(cluster, LANE_STATE, "warn", 30);
    EXPECT_SQL(cluster, "SELECT behind < interval '1h' FROM chime.view_status" LANE_VIEW, "t");
    EXPECT_SQL(cluster, LANE_RUNS, before);
    runs_ask(cluster, "refresh-lane-distributions");
    WAIT_SQL(cluster, LANE_STATE, "fresh", 30);
    EXPECT_SQL(cluster, "SELECT behind = interval '0' FROM chime.view_status" LANE_VIEW, "t");
    free(before);
}
END_TEST

START_TEST(what_leaves_no_mark_is_found_by_a_close_look)
{
    use_plugins(
        "jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; on = []; target_lag = \"250ms\"; }; };");
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    cluster_execute(cluster, SCORED("c", "50"));
    WAIT_SQL(cluster, SAMPLES, "1", 20);
    AWAIT_REST();
    cluster_execute(cluster, "BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE submissions; COMMIT");
    WAIT_SQL(cluster, SAMPLES, "0", 30);
}
END_TEST

/* A refresh that cannot be: every look finds its view behind from now on. */
#define BREAK_REFRESHES                                                                               \
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not now''; END';"    \
    "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON analytics.mv_lane_score_distribution" \
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse();" SCORED("c", "50")
#define BEHIND_SINCE \
    "SELECT behind_since IS NOT NULL FROM chime.view_refresh WHERE relation = 'mv_lane_score_distribution'"
#define EPOCH "SELECT epoch FROM chime.leader"

static void serve_a_view_that_stays_behind(void)
{
    use_plugins("jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; on = []; target_lag = \"250ms\";"
                " max_attempts = 1; }; };");
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    AWAIT_REST();
}

/* Sources that never rest are behind at every look, also right after a refresh, which forgets what was noted. */
START_TEST(a_view_is_noted_again_when_a_refresh_has_left_it_behind)
{
    serve_a_view_that_stays_behind();
    cluster_execute(cluster, BREAK_REFRESHES);
    WAIT_SQL(cluster, BEHIND_SINCE, "t", 30);
    cluster_execute(cluster, "UPDATE chime.view_refresh SET behind_since = NULL, refreshed_at = clock_timestamp()"
                             " WHERE relation = 'mv_lane_score_distribution'");
    WAIT_SQL(cluster, BEHIND_SINCE, "t", 30);
}
END_TEST

static bool noted_after_an_edit(void)
{
    sql_jobs_edit(cluster, "busy", "command = 'SELECT ' || random()");
    char *noted = cluster_value(cluster, BEHIND_SINCE);
    bool is_noted = strcmp(noted, "t") == 0;
    free(noted);
    return is_noted;
}

START_TEST(a_view_is_noted_however_often_jobs_of_channels_change)
{
    serve_a_view_that_stays_behind();
    sql_jobs_make(cluster, NULL, "busy", YEARLY, "SELECT 1", NULL);
    sql_jobs_edit(cluster, "busy", "channels = '{news}'");
    sql_jobs_await(cluster, "busy", 1);
    cluster_execute(cluster, BREAK_REFRESHES);
    WAIT_FOR(noted_after_an_edit(), 15);
}
END_TEST

START_TEST(that_nothing_can_be_noted_ends_no_leadership)
{
    serve_a_view_that_stays_behind();
    site_job(site, "job", "on = [\"news\"]; command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, EVENT_RUNS("job"), "1", 20);
    char *epoch = cluster_value(cluster, EPOCH);
    cluster_execute(cluster, "CREATE OR REPLACE FUNCTION chime.note_behind(p_views text[], p_since timestamptz[])"
                             " RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''no notes today''; END'");
    cluster_execute(cluster, BREAK_REFRESHES);
    WAIT_FOR(daemon_said(served, "could not be noted: no notes today"), 30);
    cluster_execute(cluster, "NOTIFY news");
    WAIT_SQL(cluster, EVENT_RUNS("job"), "2", 30);
    EXPECT_SQL(cluster, EPOCH, epoch);
    free(epoch);
}
END_TEST

/* Each session that follows wakes all jobs of channels: not every 200 ms. */
START_TEST(a_look_that_always_fails_wakes_jobs_less_and_less_often)
{
    serve_a_view_that_stays_behind();
    site_job(site, "job", "on = [\"news\"]; command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, EVENT_RUNS("job"), "1", 20);
    cluster_execute(cluster, "ALTER TABLE chime.change_1 RENAME TO gone");
    WAIT_SQL(cluster, "SELECT count(*) >= 6 FROM chime.runs WHERE job = 'job' AND kind = 'event'", "t", 60);
    EXPECT_SQL(cluster,
               "SELECT max(slot) - min(slot) > interval '2 s' FROM (SELECT slot FROM chime.runs WHERE job = 'job'"
               " AND kind = 'event' ORDER BY slot OFFSET 1 LIMIT 5) AS r",
               "t");
}
END_TEST

START_TEST(serving_once_runs_what_an_event_may_have_been_missed_of)
{
    site_job(site, "job", "on = [\"news\"]; command = \"SELECT 1\";");
    for (int i = 1; i <= 3; i++) {
        char expected[16];
        served = site_serve(site, "test", (const char *const[]){"--once", NULL});
        ck_assert_int_eq(daemon_wait(served, 60), 0);
        daemon_destroy(served);
        served = NULL;
        snprintf(expected, sizeof(expected), "%d", i);
        EXPECT_SQL(cluster, EVENT_RUNS("job"), expected);
    }
}
END_TEST

/* --- a burst ------------------------------------------------------------------------------------------------------ */

/* 10,000 notifications in two seconds or less; the connection is cut in the middle of it. */
static void burst(bool cut)
{
    for (int i = 0; i < 100; i++) {
        cluster_execute(cluster, SCORED("c", "50") ";"
                                                   "SELECT pg_notify('submission_scored', n || ' ' || "
                                                   "clock_timestamp()) FROM generate_series(1, 100) n");
        if (cut && i == 50)
            EXPECT_SQL(cluster, CUT, "1");
    }
}

#define BURST_JOBS                                                                          \
    "jobs: { refresh-lane-distributions: { schedule = \"0 0 1 1 *\"; debounce = \"1s\"; };" \
    " refresh-weakness-patterns: { schedule = \"0 0 1 1 *\"; on = [\"submission_scored\"]; debounce = \"1s\"; }; };"

static void serve_burst_jobs(void)
{
    use_plugins(BURST_JOBS);
    lead_and_watch();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    WAIT_SQL(cluster, EVENT_RUNS("refresh-weakness-patterns"), "1", 30);
    AWAIT_REST();
}

START_TEST(a_burst_makes_one_refresh_in_the_order_of_the_graph)
{
    serve_burst_jobs();
    burst(false);
    WAIT_SQL(cluster, EVENT_RUNS("refresh-weakness-patterns"), "2", 30);
    AWAIT_REST();
    EXPECT_SQL(cluster, EVENT_RUNS("refresh-lane-distributions"), "2");
    EXPECT_SQL(cluster, EVENT_RUNS("refresh-weakness-patterns"), "2");
    EXPECT_SQL(cluster,
               "SELECT w.started_at >= l.finished_at FROM chime.runs l, chime.runs w"
               " WHERE l.job = 'refresh-lane-distributions' AND w.job = 'refresh-weakness-patterns' ORDER BY l.slot "
               "DESC, w.slot DESC LIMIT 1",
               "t");
    EXPECT_SQL(cluster, SAMPLES, "100");
}
END_TEST

START_TEST(with_the_connection_cut_during_a_burst_the_views_equal_the_sources)
{
    serve_burst_jobs();
    burst(true);
    WAIT_SQL(cluster, SAMPLES, "100", 30);
    WAIT_SQL(cluster, "SELECT sum(missing + surplus) FROM chime.view v, chime.difference(v.relation) d", "0", 30);
}
END_TEST

/* --- channels of plugins ------------------------------------------------------------------------------------------ */

#define CHANNEL_TRIGGERS "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%notify%'"

START_TEST(a_plugin_notifies_only_where_it_is_asked_to)
{
    use_plugins(BURST_JOBS);
    lead_and_watch();
    EXPECT_SQL(cluster, CHANNEL_TRIGGERS, "0");
    site_file(site, "channels", "plugin: { name = \"lane_distribution\"; channels = [\"submission_scored\"]; };");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, CHANNEL_TRIGGERS, "1", 30);
    PGconn *listener = cluster_connect(cluster, "postgres");
    session_execute(listener, "LISTEN submission_scored");
    cluster_execute(cluster, SCORED("c", "50"));
    WAIT_SQL(cluster, SAMPLES, "1", 30); /* the refresh that its own channel wakes */
    session_execute(listener, "SELECT 1");
    PGnotify *notification = PQnotifies(listener);
    ck_assert(notification != NULL && strstr(notification->extra, "challenge_id") != NULL);
    PQfreemem(notification);
    PQfinish(listener);
    site_remove(site, "channels");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, CHANNEL_TRIGGERS, "0", 30);
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_proc WHERE proname = 'notify_submission_scored'", "0");
}
END_TEST

static Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *events = tcase_create("events");
    tcase_add_checked_fixture(events, set_up, served_tear_down);
    tcase_set_timeout(events, 180);
    tcase_add_test(events, a_notification_wakes_the_jobs_of_its_channel_with_its_payload);
    tcase_add_test(events, hostile_channel_names_are_names);
    tcase_add_test(events, a_reload_listens_to_other_channels);
    tcase_add_test(events, a_job_that_a_reload_adds_to_a_channel_is_woken_once_and_the_others_are_not);
    tcase_add_test(events, a_cut_session_comes_back_and_looks_at_everything);
    tcase_add_test(events, without_a_session_jobs_run_from_time_to_time_and_people_are_told);
    tcase_add_test(events, the_views_of_submissions_follow_these_as_they_are_shipped);
    tcase_add_test(events, changed_sources_wake_the_jobs_of_views_with_a_target);
    tcase_add_test(events, a_view_of_a_plugin_is_as_fresh_as_the_one_above_needs);
    tcase_add_test(events, a_change_that_waits_for_the_clock_is_noted_and_wakes_nobody);
    tcase_add_test(events, what_leaves_no_mark_is_found_by_a_close_look);
    tcase_add_test(events, a_view_is_noted_again_when_a_refresh_has_left_it_behind);
    tcase_add_test(events, a_view_is_noted_however_often_jobs_of_channels_change);
    tcase_add_test(events, that_nothing_can_be_noted_ends_no_leadership);
    tcase_add_test(events, a_look_that_always_fails_wakes_jobs_less_and_less_often);
    tcase_add_test(events, serving_once_runs_what_an_event_may_have_been_missed_of);
    tcase_add_test(events, a_burst_makes_one_refresh_in_the_order_of_the_graph);
    tcase_add_test(events, with_the_connection_cut_during_a_burst_the_views_equal_the_sources);
    tcase_add_test(events, a_plugin_notifies_only_where_it_is_asked_to);
    suite_add_tcase(suite, events);
    TCase *edits = tcase_create("edits");
    tcase_set_timeout(edits, 300);
    tcase_add_checked_fixture(edits, set_up, served_tear_down);
    tcase_add_test(edits, edits_of_jobs_keep_the_session_and_what_it_hears_and_wake_newcomers_only);
    tcase_add_test(edits, a_channel_that_is_new_is_heard_before_its_job_is_woken);
    suite_add_tcase(suite, edits);
    return suite;
}

int main(void)
{
    return suite_run(watch_suite());
}
