/* SPDX-License-Identifier: PostgreSQL */
/* Faults are planted one by one while a daemon leads. Of each `status` ends with 8, `doctor` names it with what mends
 * it, and one alert fires; once it is mended as the hint says, the alert is resolved and `status` ends with 0. Rows of
 * seed 002's table of failures and of seed 003's troubleshooting are marked by their seed.
 *
 * Planted as state of the ledger, by an UPDATE or INSERT in schema chime, is what takes a minute to a day to come
 * about, or a second daemon, or a server that is full: of jobs their failures of an hour, age, duration, skipped and
 * missed slots, a suspension, a refusal, a quota, and a clock that was ahead; of views when they were refreshed, how
 * long that took and what a verification found; a plugin that failed, a listener that is degraded, a sink that does
 * not answer, who led, who follows, and runs outside the partitions of their day. All others are there for real. A late
 * job waits behind a run in its pool; only the minute that makes it late is an older time of its request. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static char *output;
static char *errors;
static char *plugins;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* `run`: a job that runs once it is planted, and again once it is mended. `finding` and `hint` stand in what `doctor`
 * says. */
struct fault {
    const char *name, *plant, *run, *alerts, *finding, *hint, *mend;
};

/* What job "work" does is what somebody put into public.fault: so it fails of what is really wrong. */
#define WORK(sql) "INSERT INTO public.fault VALUES ($$" sql "$$)"
#define NO_WORK "DELETE FROM public.fault"
#define FAILS "work", "job-failed work", "job work fails: its last run, at "
#define TRY_AGAIN "pgchime run work tries it now"

static const struct fault job_faults[] = {
    {"a table is gone", WORK("SELECT * FROM public.nothing"), FAILS, TRY_AGAIN, NO_WORK},
    {"002: permissions", "REVOKE SELECT ON public.stock FROM clerk", FAILS, TRY_AGAIN,
     "GRANT SELECT ON public.stock TO clerk"},
    {"002: divides by a slope that is NULL, made 0", WORK("SELECT 1 / 0"), FAILS, TRY_AGAIN, NO_WORK},
    {"002: a backfill that is not idempotent", WORK("INSERT INTO public.patterns VALUES (1)"), FAILS, TRY_AGAIN,
     NO_WORK},
    {"002: each of a value that has no lanes", WORK("SELECT jsonb_each($x$\"none\"$x$)"), FAILS, TRY_AGAIN, NO_WORK},
    {"a function is gone", WORK("SELECT public.nothing()"), FAILS, TRY_AGAIN, NO_WORK},
    {"a number is out of range", WORK("SELECT 300000::smallint"), FAILS, TRY_AGAIN, NO_WORK},
    {"a rule of the table is broken", WORK("INSERT INTO public.patterns VALUES (-1)"), FAILS, TRY_AGAIN, NO_WORK},
    {"another holds the table", WORK("SET LOCAL lock_timeout = 1; LOCK public.held"), FAILS, TRY_AGAIN, NO_WORK},
    {"its session is ended", WORK("SELECT pg_terminate_backend(pg_backend_pid())"), FAILS, TRY_AGAIN, NO_WORK},
    {"002: a query that takes too long", "INSERT INTO public.slow DEFAULT VALUES", "hasty", "job-failed hasty",
     "job hasty fails: its last run, at ", "pgchime run hasty tries it now", "DELETE FROM public.slow"},
    {"002: too few samples", "DELETE FROM public.samples", "counting", "job-rows counting",
     "alert job-rows counting fires since ", "pgchime run counting; a smaller expect_rows",
     "INSERT INTO public.samples VALUES (1)"},
    {"a run finds nothing to do", "INSERT INTO public.chores VALUES ('done')", "brisk", "job-quick brisk",
     "alert job-quick brisk fires since ", "pgchime run brisk; a shorter expect_min_duration",
     "DELETE FROM public.chores"},
    {"many runs fail",
     "INSERT INTO chime.alert_job SELECT job_id, 6, now() - interval '10 min', 10, 0 FROM chime.job WHERE name = "
     "'quiet';"
     "UPDATE chime.job_state SET failures = 6, runs = 35 WHERE job_id = (SELECT job_id FROM chime.job WHERE name = "
     "'quiet')",
     NULL, "job-failure-rate quiet", "alert job-failure-rate quiet fires since ",
     "pgchime runs quiet --state failed,timed_out,lost lists its failures",
     "DELETE FROM chime.alert_job WHERE job_id = (SELECT job_id FROM chime.job WHERE name = 'quiet');"
     "UPDATE chime.job_state SET failures = 0, runs = 0 WHERE job_id = (SELECT job_id FROM chime.job WHERE name = "
     "'quiet')"},
#define QUIET " WHERE job_id = (SELECT job_id FROM chime.job WHERE name = 'quiet')"
    {"no success for too long",
     "UPDATE chime.job_state SET last_success = now() - interval '3 h' WHERE job_id = (SELECT job_id FROM chime.job"
     " WHERE name = 'counting');"
     "UPDATE chime.job SET since = now() - interval '9 h' WHERE name = 'counting'",
     NULL, "job-overdue counting", "alert job-overdue counting fires since ", "pgchime run counting tries it now",
     "UPDATE chime.job_state SET last_success = now() WHERE job_id = (SELECT job_id FROM chime.job WHERE name = "
     "'counting')"},
    {"a run takes longer than it may",
     "UPDATE chime.job_state SET last_duration_us = 600000000 WHERE job_id = (SELECT job_id"
     " FROM chime.job WHERE name = 'counting')",
     NULL, "job-slow counting", "alert job-slow counting fires since ", "pgchime why counting says what it waits for",
     "UPDATE chime.job_state SET last_duration_us = 1000 WHERE job_id = (SELECT job_id FROM chime.job WHERE name = "
     "'counting')"},
    {"slots are skipped", "UPDATE chime.job_state SET skipped_in_a_row = 5" QUIET, NULL, "job-skipped quiet",
     "alert job-skipped quiet fires since ", "pgchime why quiet says what it waits for",
     "UPDATE chime.job_state SET skipped_in_a_row = 0" QUIET},
    {"slots passed while nothing led",
     "INSERT INTO chime.missed SELECT job_id, now(), now(), 3, 'nothing led when it was due', 1 FROM chime.job WHERE "
     "name ="
     " 'quiet'",
     NULL, "job-missed quiet", "alert job-missed quiet fires since ", "pgchime run quiet does now what was missed",
     "UPDATE chime.missed SET recorded_at = now() - interval '6 min'"},
    {"a job suspended itself",
     "UPDATE chime.job_state SET suspended_at = now(), suspend_reason = '10 runs failed in a row'" QUIET, NULL,
     "job-suspended quiet", "job quiet suspended itself at ", "pgchime resume quiet lets it run again",
     "UPDATE chime.job_state SET suspended_at = NULL, suspend_reason = NULL" QUIET},
    {"the leader cannot run a job", "UPDATE chime.job SET problem = 'no such role' WHERE name = 'quiet'", NULL,
     "job-refused quiet", "job quiet cannot be run: no such role", "chime.alter_job",
     "UPDATE chime.job SET problem = NULL WHERE name = 'quiet'"},
    {"the clock was ahead", "UPDATE chime.job_state SET last_slot = now() + interval '1 day'" QUIET, NULL,
     "clock-ahead quiet", "1 job are decided up to a time to come", "SELECT chime.begin_anew(job_id)",
     "SELECT chime.begin_anew(job_id) FROM chime.job_status WHERE last_slot > now()"},
};

#define PROGRESS " WHERE relation = 'mv_agent_progress'"
#define BEHIND(time)                                                                                          \
    "INSERT INTO public.submissions (agent_id, challenge_id) VALUES (u(78), u(1)); UPDATE chime.view_refresh" \
    " SET behind_since = now() - interval '" time "', refreshed_at = now() - interval '" time "'" PROGRESS
#define DIFFERS(view, missing, surplus)                                                                        \
    "INSERT INTO chime.verification (view_schema, relation, missing, surplus) VALUES ('analytics', '" view     \
    "', " #missing ", " #surplus ")",                                                                          \
        NULL, "view-differs analytics." view, "alert view-differs analytics." view " fires since ",            \
        "pgchime verify --repair analytics." view " puts it right",                                            \
        "INSERT INTO chime.verification (view_schema, relation, missing, surplus) VALUES ('analytics', '" view \
        "', 0, 0)"

static const struct fault view_faults[] = {
    {"002, 003: its unique index is dropped",
     "INSERT INTO public.submissions (agent_id, challenge_id, composite_score) VALUES (u(77), u(1), 5);"
     "DO $$ DECLARE v text; BEGIN FOR v IN SELECT c.conname FROM pg_constraint c WHERE c.conrelid ="
     " 'analytics.mv_agent_progress'::regclass AND c.contype IN ('p', 'u') LOOP"
     " EXECUTE format('ALTER TABLE analytics.mv_agent_progress DROP CONSTRAINT %I', v); END LOOP;"
     " INSERT INTO public.kept SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indisunique AND i.indrelid "
     "="
     " 'analytics.mv_agent_progress'::regclass;"
     " FOR v IN SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indisunique AND i.indrelid ="
     " 'analytics.mv_agent_progress'::regclass LOOP EXECUTE format('DROP INDEX %s', v); END LOOP; END $$",
     "refresh-agent-progress", "job-failed refresh-agent-progress",
     "job refresh-agent-progress fails: its last run, at ", "pgchime run refresh-agent-progress tries it now",
     "DO $$ DECLARE v text; BEGIN FOR v IN SELECT definition FROM public.kept LOOP EXECUTE replace(v, 'UNIQUE INDEX', "
     "'UNIQUE INDEX IF NOT EXISTS'); END LOOP; END $$"},
    {"a view is late", BEHIND("2 h"), NULL, "view-late analytics.mv_agent_progress",
     "view analytics.mv_agent_progress is warn: ", "pgchime refresh analytics.mv_agent_progress does it now",
     "SELECT chime.refresh('mv_agent_progress')"},
    {"003: a view is stale", BEHIND("2 days"), NULL, "view-stale analytics.mv_agent_progress",
     "view analytics.mv_agent_progress is stale: ", "pgchime refresh analytics.mv_agent_progress does it now",
     "SELECT chime.refresh('mv_agent_progress')"},
    {"003: a refresh is slow", "UPDATE chime.view_refresh SET duration_us = 12000000" PROGRESS, NULL,
     "view-refresh-slow analytics.mv_agent_progress",
     "alert view-refresh-slow analytics.mv_agent_progress fires since ",
     "pgchime refresh analytics.mv_agent_progress tries it now", "SELECT chime.refresh('mv_agent_progress')"},
    {"a live view's refresh is slow",
     "UPDATE chime.view_refresh SET duration_us = 3000000 WHERE relation = 'mv_lane_score_distribution'", NULL,
     "live-view-refresh-slow analytics.mv_lane_score_distribution",
     "alert live-view-refresh-slow analytics.mv_lane_score_distribution fires since ",
     "pgchime refresh analytics.mv_lane_score_distribution tries it now",
     "SELECT chime.refresh('mv_lane_score_distribution')"},
    {"002: challenges are mixed", DIFFERS("mv_lane_score_distribution", 1, 1)},
    {"002: weeks of another zone", DIFFERS("mv_agent_progress", 2, 2)},
    {"002: single attempts", DIFFERS("mv_weakness_patterns", 0, 3)},
    {"a group that nothing marked",
     "UPDATE chime.view SET found_wrong = 'the group agent_id = 7 was not as it says'" PROGRESS, NULL,
     "view-differs analytics.mv_agent_progress", "view analytics.mv_agent_progress is refreshed as a whole: the group",
     "pgchime refresh --full analytics.mv_agent_progress", "UPDATE chime.view SET found_wrong = NULL" PROGRESS},
    {"a verification fails",
     "INSERT INTO chime.verification (view_schema, relation, error) VALUES ('analytics', 'mv_agent_progress', 'x is "
     "gone')",
     NULL, "view-unverified analytics.mv_agent_progress", "view analytics.mv_agent_progress could not be verified at ",
     "pgchime run verify-views verifies all views now",
     "INSERT INTO chime.verification (view_schema, relation, missing, surplus) VALUES ('analytics', "
     "'mv_agent_progress', 0, 0)"},
    {"nothing fills a view",
     "UPDATE chime.job_state SET suspended_at = now(), suspended_by = 'ann' WHERE job_id = (SELECT job_id FROM "
     "chime.job"
     " WHERE name = 'refresh-agent-progress'); UPDATE chime.view_refresh SET refreshed_at = NULL" PROGRESS,
     NULL, "view-unfilled analytics.mv_agent_progress",
     "view analytics.mv_agent_progress has never been filled: job refresh-agent-progress is suspended",
     "pgchime refresh analytics.mv_agent_progress fills it now",
     "SELECT chime.refresh('mv_agent_progress'); UPDATE chime.job_state SET suspended_at = NULL, suspended_by = NULL "
     "WHERE"
     " job_id = (SELECT job_id FROM chime.job WHERE name = 'refresh-agent-progress')"},
    {"a plugin cannot be installed",
     "INSERT INTO chime.plugin (name, version, summary, view_schema, source_schema, state, reason, settings) VALUES"
     " ('p', '1', '', 'v', 's', 'failed', 'no table', '{}')",
     NULL, "plugin-failed p", "plugin p failed: no table", "pgchime reload",
     "DELETE FROM chime.plugin WHERE name = 'p'"},
};

/* What only the leader's own look finds. */
static const struct fault leader_faults[] = {
    {"the condition of an alert names what is renamed", "ALTER TABLE public.queue RENAME TO queue_of_old", NULL,
     "condition-broken deep-queue", "alert condition-broken deep-queue fires since ",
     "mend alert deep-queue, or what its condition names", "ALTER TABLE public.queue_of_old RENAME TO queue"},
    {"another run has the only slot of its pool",
     "INSERT INTO chime.request (job_id, slot) SELECT job_id, now() - interval '61 s' FROM chime.job WHERE name = "
     "'waits'",
     NULL, "job-late waits", "alert job-late waits fires since ", "pgchime why waits says what it waits for",
     "DELETE FROM public.gate"},
};

/* A role's jobs, made by itself. */
#define TOO_MANY                                                                                                      \
    "INSERT INTO chime.login (role, allow, max_jobs) VALUES ('clerk', false, 1); INSERT INTO chime.maker (role) "     \
    "VALUES "                                                                                                         \
    "('clerk'); INSERT INTO chime.job (name, owner, origin, command, active) VALUES ('own', 'clerk', 'sql', 'SELECT " \
    "1', true)"
#define TOMORROW "to_char((now() AT TIME ZONE 'UTC')::date + 1, 'YYYYMMDD')"

static const struct fault server_faults[] = {
    {"the role's sessions are used up",
     "DO $$ BEGIN EXECUTE format('ALTER ROLE %I CONNECTION LIMIT 1', current_user); END $$", NULL,
     "sessions role postgres", "alert sessions role postgres fires since ", "raise max_connections or the role's limit",
     "DO $$ BEGIN EXECUTE format('ALTER ROLE %I CONNECTION LIMIT -1', current_user); END $$"},
    {"002: the listener does not come back",
     "UPDATE chime.listener SET state = 'degraded', reason = 'too many connections', since = now()", NULL,
     "events-unheard", "events are not heard since ", "jobs that wait for events run every 10 s",
     "UPDATE chime.listener SET state = 'listening', reason = NULL"},
    {"a table is mostly dead rows",
     "BEGIN; INSERT INTO chime.run (job_id, kind, slot, token, epoch, claimed_at) SELECT j.job_id, 'manual', now() + n "
     "* interval"
     " '1 s', gen_random_uuid(), 1, now() FROM generate_series(1, 11000) AS n, chime.job j WHERE j.name = 'quiet'; "
     "ROLLBACK;"
     " SELECT pg_stat_force_next_flush()",
     NULL, "ledger-bloat chime.run", "alert ledger-bloat chime.run fires since ", "VACUUM chime.run; where it stays",
     "VACUUM chime.run"},
    {"nobody led",
     "INSERT INTO chime.leadership VALUES (0, 'a', 1, now() - interval '1 h', now() - interval '10 min', true);"
     "UPDATE chime.leader SET since = now()",
     NULL, "unled", "alert unled fires since ", "a second daemon, on another machine",
     "UPDATE chime.leader SET since = now() - interval '6 min'"},
    {"a sink does not answer",
     "INSERT INTO chime.notification (sink, rule, events, created_at, due_at, attempts, error) VALUES ('pager', 'x', "
     "'{}', now()"
     " - interval '6 min', now() + interval '1 day', 3, 'its answer is HTTP 500')",
     NULL, "sink-failing pager", "alert sink-failing pager fires since ",
     "pgchime alerts test pager says what it answers",
     "UPDATE chime.notification SET state = 'delivered', ended_at = now()"},
    {"a condition of one's own", "INSERT INTO public.queue VALUES ('north', 200)", NULL, "deep-queue north",
     "alert deep-queue north fires since ", "mend what its condition looks at: pgchime alerts rules",
     "DELETE FROM public.queue"},
    {"the history has no partition for tomorrow",
     "UPDATE chime.leader SET since = now() - interval '1 h'; DO $$ BEGIN EXECUTE format('ALTER TABLE "
     "chime.run_history_%s"
     " RENAME TO elsewhere', " TOMORROW "); END $$",
     NULL, "history-partition", "the history has no partition for ", "its log says why, and it tries again every hour",
     "DO $$ BEGIN EXECUTE format('ALTER TABLE chime.elsewhere RENAME TO run_history_%s', " TOMORROW "); END $$"},
    {"the history's partition of a day is gone, and runs of it are with the others",
     "DO $$ BEGIN EXECUTE format('ALTER TABLE chime.run_history DETACH PARTITION chime.run_history_%1$s; ALTER TABLE"
     " chime.run_history_%1$s RENAME TO elsewhere', " TOMORROW "); END $$; INSERT INTO chime.run_history_other (run_id,"
     " job_id, kind, slot, state, attempt, epoch, finished_at) SELECT 0, job_id, 'schedule', date_trunc('day', now()"
     " AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 day', 'succeeded', 1, 1, now() FROM chime.job WHERE name ="
     " 'quiet'",
     NULL, "history-partition", "the history has no partition for ", "no run is lost: they are read there",
     "DELETE FROM chime.run_history_other WHERE run_id = 0; DO $$ BEGIN EXECUTE format('ALTER TABLE chime.elsewhere"
     " RENAME TO run_history_%s', " TOMORROW "); END $$"},
    {"a crash would empty a table", "ALTER TABLE chime.job_state SET UNLOGGED", NULL, "ledger-unlogged chime.job_state",
     "a crash of the server or a failover empties what is unlogged: chime.job_state",
     "ALTER TABLE chime.job_state SET LOGGED", "ALTER TABLE chime.job_state SET LOGGED"},
    {"a follower has another configuration",
     "INSERT INTO chime.follower (pid, backend_start, instance, configuration) SELECT pid, backend_start, 'second', "
     "'other' FROM"
     " pg_stat_activity WHERE pid = pg_backend_pid()",
     NULL, "follower-differs second", "second follows with another configuration than ", "pgchime reload on each",
     "DELETE FROM chime.follower"},
    {"a role has as many jobs as it may have", TOO_MANY, NULL, "quota-full clerk",
     "role clerk has 1 active jobs of 1 that it may have", "max_jobs of its entry in roles is raised",
     "DELETE FROM chime.job WHERE name = 'own'; DELETE FROM chime.maker; DELETE FROM chime.login WHERE role = 'clerk'"},
};

/* Of what takes an hour, or gigabytes, on a server: the shipped function, with a bound that is met in seconds. */
#define BOUND(shipped, ours)                                                                                        \
    "DO $$ DECLARE f text := pg_get_functiondef('chime.server_found'::regproc); BEGIN ASSERT strpos(f, $x$" shipped \
    "$x$) > 0, f; EXECUTE replace(f, $x$" shipped "$x$, $x$" ours "$x$); END $$;"
#define AN_HOUR "'01:00:00'::interval"
#define SECONDS "'00:00:05'::interval"
#define HALF "(0.5)::double precision"
#define NOTHING "(0.0)::double precision"
#define END_SESSION(query) "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '" query "'"

/* --- looks -------------------------------------------------------------------------------------------------------- */

static const char site_alerts[] =
    "alerts: { deep-queue: { condition = \"SELECT depth > 100, shop AS subject FROM public.queue\"; };"
    " view-late: { hold = \"0s\"; }; view-stale: { hold = \"0s\"; }; live-view-refresh-slow: { hold = \"0s\"; };"
    " view-unfilled: { hold = \"0s\"; }; events-unheard: { hold = \"0s\"; }; ledger-bloat: { hold = \"0s\"; };"
    " follower-differs: { hold = \"0s\"; }; condition-broken: { hold = \"0s\"; }; job-late: { hold = \"0s\"; };"
    " alerts-failing: { enabled = false; }; };"; /* the test looks, not the leader */

/* The daemon looks every 10 s, and two looks in a row have to be quiet: from here on the test looks in its place. */
static const char looks_are_ours[] =
    "CREATE FUNCTION public.is_ours() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
    " IF current_setting('application_name') = 'pgchime alerts' THEN RAISE 'the test looks'; END IF; RETURN true; END "
    "$$;"
    "CREATE OR REPLACE FUNCTION chime.alert_conditions() RETURNS SETOF text LANGUAGE sql AS"
    " $$ SELECT r.name FROM chime.alert_rule r WHERE r.condition IS NOT NULL AND public.is_ours() $$";

static char *look(void)
{
    char *condition = cluster_value(cluster, "SELECT chime.evaluate_condition('deep-queue')");
    char *sql = files_path("SELECT string_agg(trim(concat_ws(' ', n.rule, n.subject)) || ' ' || n.state, ', ') FROM "
                           "chime.evaluate_alerts() l,"
                           " chime.note_alerts((SELECT token FROM chime.leader), ARRAY[l.found, $c$%s$c$::jsonb],"
                           " (SELECT array_agg(r.name) FROM chime.alert_rule r WHERE r.name <> 'condition-broken')) n",
                           condition != NULL ? condition : "[]");
    char *events = cluster_value(cluster, sql);
    free(condition);
    free(sql);
    return events;
}

static void expect_check(const struct fault *fault, const char *state)
{
    char *events = look();
    char *expected = state != NULL ? files_path("%s %s", fault->alerts, state) : NULL;
    ck_assert_msg(events != NULL && expected != NULL ? strcmp(events, expected) == 0 : events == expected,
                  "%s: %s, not %s", fault->name, events != NULL ? events : "nothing",
                  expected != NULL ? expected : "nothing");
    free(events);
    free(expected);
}

static void expect_status(int status, const struct fault *fault)
{
    int ended = commands_run(site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
    ck_assert_msg(ended == status, "%s: status ends with %d\n%s", fault->name, ended, errors);
}

static void expect_told(const struct fault *fault)
{
    expect_status(8, fault);
    ck_assert_msg(strstr(errors, fault->finding) != NULL, "%s: \"%s\" is not in\n%s", fault->name, fault->finding,
                  errors);
    ASSERT_RUN(8, "doctor", "-o", "csv");
    ck_assert_msg(strstr(output, fault->finding) != NULL, "%s: \"%s\" is not in\n%s", fault->name, fault->finding,
                  output);
    char *hint = strstr(output, fault->finding);
    ck_assert_msg(strstr(hint, fault->hint) != NULL, "%s: \"%s\" is not in\n%s", fault->name, fault->hint, hint);
}

static void plant_and_mend(const struct fault *fault)
{
    cluster_execute(cluster, fault->plant);
    if (fault->run != NULL) {
        runs_ask_and_await(cluster, fault->run);
    }
    expect_check(fault, "firing");
    expect_told(fault);
    cluster_execute(cluster, fault->mend);
    if (fault->run != NULL) {
        runs_ask_and_await(cluster, fault->run);
    }
    WAIT_SQL(cluster, "SELECT found FROM chime.evaluate_alerts()", NULL,
             60); /* the leader does what it was asked for */
    expect_check(fault, NULL);
    expect_check(fault, "resolved");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert", "0");
    cluster_execute(
        cluster,
        "UPDATE chime.alert_job SET rate_since = '-infinity'"); /* that many of its runs failed is a fault of its own */
}

/* --- what runs ---------------------------------------------------------------------------------------------------- */

static void make_sources(void)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    cluster_execute(
        cluster,
        "CREATE TABLE public.fault (sql text); CREATE TABLE public.kept (definition text); CREATE TABLE public.slow ();"
        "CREATE TABLE public.patterns (id integer PRIMARY KEY CHECK (id > 0)); INSERT INTO public.patterns VALUES (1);"
        "CREATE TABLE public.chores (state text); CREATE TABLE public.samples (n integer); INSERT INTO public.samples "
        "VALUES (1); CREATE TABLE public.held ();"
        "CREATE TABLE public.gate (); CREATE TABLE public.queue (shop text, depth integer);"
        "CREATE TABLE public.stock (n integer); CREATE ROLE "
        "clerk;"
        "GRANT SELECT ON public.stock TO clerk; CREATE FUNCTION public.count_stock() RETURNS bigint LANGUAGE sql "
        "SECURITY DEFINER"
        " AS 'SELECT count(*) FROM public.stock'; ALTER FUNCTION public.count_stock() OWNER TO clerk;"
        "CREATE PROCEDURE public.work() LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN PERFORM public.count_stock();"
        " FOR s IN SELECT sql FROM public.fault LOOP EXECUTE s; END LOOP; END $$");
}

static void set_up(void)
{
    served_set_up(2);
    make_sources();
    plugins = files_make_directory();
    plugin_put(plugins, "lane_distribution");
    plugin_put(plugins, "weakness");
    plugin_put(plugins, "progress");
    site_use_plugins(site, plugins);
    site_file(site, "alerts", site_alerts);
    site_file(site, "refreshes",
              "jobs: { refresh-agent-progress: { " NEVER_DUE "warn_after = \"1h\"; error_after = \"1d\"; }; };");
    site_job(site, "work", NEVER_DUE "command = \"CALL public.work()\"; max_attempts = 1;");
    site_job(site, "hasty",
             NEVER_DUE "command = \"SELECT pg_sleep(600) FROM public.slow\"; attempt_timeout = \"1s\";"
                       " max_attempts = 1; cancel_grace = \"1s\";");
    site_job(site, "counting",
             NEVER_DUE "command = \"SELECT n FROM public.samples\"; expect_rows = 1;"
                       " expect_success_within = \"2h\"; expect_duration = \"5min\";");
    site_job(site, "brisk",
             NEVER_DUE "command = \"SELECT pg_sleep(0.5) WHERE NOT EXISTS (TABLE public.chores)\";"
                       " expect_min_duration = \"400ms\";");
    site_job(site, "quiet", NEVER_DUE "command = \"SELECT 1\";");
    site_use_pools(site, "tight = 1;");
    site_job(site, "holds",
             NEVER_DUE "pool = \"tight\"; command = \"DO $$ BEGIN WHILE EXISTS (TABLE public.gate) LOOP PERFORM "
                       "pg_sleep(0.05); END LOOP; END $$\";");
    site_job(site, "waits", NEVER_DUE "pool = \"tight\"; command = \"SELECT 1\";");
    site_job(site, "woken", "on = [\"news\"]; command = \"SELECT 1\";");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FILTER (WHERE refreshed_at IS NOT NULL) FROM chime.view_refresh", "3", 120);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "0", 60);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM chime.alert_rule", "t", 60);
    runs_ask_and_await(cluster, "counting");
}

static void tear_down(void)
{
    served_tear_down();
    free(output);
    free(errors);
    free(plugins);
    output = errors = plugins = NULL;
}

static void plant_each(const struct fault *faults, size_t count)
{
    char *events = look();
    ck_assert_msg(events == NULL, "%s", events);
    expect_status(0, &(struct fault){.name = "all is well"});
    for (size_t i = 0; i < count; i++) {
        plant_and_mend(&faults[i]);
    }
    expect_status(0, &(struct fault){.name = "all is mended"});
}

#define OF_ALL(expression, order) "SELECT string_agg(" expression ", ', ' ORDER BY " order ") FROM chime.alert_event"

/* All at once: a look comes every 10 s. */
static void plant_for_the_leader(void)
{
    const char *told = OF_ALL("concat_ws(' ', rule, subject)", "rule");
    expect_status(0, &(struct fault){.name = "all is well for the leader"});
    cluster_execute(cluster, "INSERT INTO public.gate DEFAULT VALUES");
    runs_ask(cluster, "holds");
    runs_await_running(cluster, "holds");
    for (size_t i = 0; i < sizeof(leader_faults) / sizeof(*leader_faults); i++) {
        cluster_execute(cluster, leader_faults[i].plant);
    }
    WAIT_SQL(cluster, told, "condition-broken deep-queue, job-late waits", 60);
    for (size_t i = 0; i < sizeof(leader_faults) / sizeof(*leader_faults); i++) {
        expect_told(&leader_faults[i]);
        cluster_execute(cluster, leader_faults[i].mend);
    }
    WAIT_SQL(cluster, OF_ALL("rule || ' ' || state", "rule, event_id"),
             "condition-broken firing, condition-broken resolved, job-late firing, job-late resolved", 90);
    expect_status(0, &(struct fault){.name = "all is mended for the leader"});
    cluster_execute(cluster, looks_are_ours);
    daemon_await(served, "the test looks", 60); /* no look of its own is under way any more */
}

#define HOLDS "LOCK TABLE public.held"
#define LAGS "SELECT 1 AS reads_no_notification"

/* By sessions that somebody left open. */
static void plant_sessions(const PGconn *holder)
{
    char *alert = files_path("horizon session %d of postgres", PQbackendPID(holder));
    char *finding = files_path("alert %s fires since ", alert);
    struct fault held = {"a transaction keeps what could be removed",
                         BOUND(AN_HOUR, SECONDS),
                         NULL,
                         alert,
                         finding,
                         "SELECT pg_terminate_backend(...) ends a session that nobody answers for",
                         END_SESSION(HOLDS)};
    WAIT_SQL(cluster, "SELECT now() - xact_start > interval '6 s' FROM pg_stat_activity WHERE query = '" HOLDS "'", "t",
             60);
    plant_and_mend(&held);
    free(alert);
    free(finding);
    PGconn *listener = cluster_connect(cluster, "postgres");
    PQclear(PQexec(listener, "LISTEN words"));
    PQclear(PQexec(listener, "BEGIN"));
    PQclear(PQexec(listener, LAGS));
    cluster_execute(cluster, BOUND(SECONDS, AN_HOUR));
    struct fault full = {
        "the queue of notifications is not read",
        BOUND(HALF, NOTHING) "SELECT pg_notify('words', repeat('x', 7900) || n) FROM generate_series(1, 5) n",
        NULL,
        "queue-full",
        "alert queue-full fires since ",
        "says which transactions hold it up: end the oldest",
        END_SESSION(LAGS)};
    plant_and_mend(&full);
    PQfinish(listener);
}

START_TEST(faults_are_seen_and_told_until_they_are_mended)
{
    PGconn *holder = cluster_connect(cluster, "postgres");
    PQclear(PQexec(holder, "BEGIN"));
    PQclear(PQexec(holder, HOLDS));
    plant_for_the_leader();
    plant_each(job_faults, sizeof(job_faults) / sizeof(*job_faults));
    plant_each(view_faults, sizeof(view_faults) / sizeof(*view_faults));
    plant_each(server_faults, sizeof(server_faults) / sizeof(*server_faults));
    plant_sessions(holder);
    EXPECT_SQL(cluster,
               "SELECT count(*) FILTER (WHERE state = 'firing') || ' ' || count(*) FILTER (WHERE state = 'resolved')"
               " FROM chime.alert_event",
               "48 48");
    PQfinish(holder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seen_faults");
    TCase *tests = tcase_create("seen_faults");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, faults_are_seen_and_told_until_they_are_mended);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
