/* SPDX-License-Identifier: PostgreSQL */
/* What `pgchime doctor` alone finds (docs/doctor.md; what alerts find, too, is in test_seen_faults): each is planted,
 * is found by its id with its subject and what mends it, nothing else is, and it is gone once it is mended. What would
 * take days is written into the ledger; all else is done. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
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
static char *before; /* what is found of a server that is well */
static json_t *findings;

/* `done`: a query that gives "t" once what was planted can be found. */
struct fault {
    const char *plant, *done, *finding, *words, *hint, *mend;
};

static void ask_doctor(void)
{
    json_decref(findings);
    commands_expect(8, site_config(site), (const char *const[]){"doctor", "-o", "json", NULL}, &output, &errors);
    json_t *all = json_loads(output, 0, NULL);
    findings = json_incref(json_object_get(all, "findings"));
    json_decref(all);
    ck_assert_msg(findings != NULL, "%s", output);
}

static const char *member(const json_t *finding, const char *name)
{
    const char *text = json_string_value(json_object_get(finding, name));
    return text != NULL ? text : "";
}

/* A line each: ID STATE SUBJECT. */
static char *names_found(void)
{
    struct buffer text = {0};
    size_t i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
    {
        buffer_printf(&text, "%s %s %s\n", member(finding, "id"), member(finding, "state"), member(finding, "subject"));
    }
    return buffer_take(&text);
}

static const json_t *find(const char *name)
{
    size_t i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
    {
        char *own = files_path("%s %s %s", member(finding, "id"), member(finding, "state"), member(finding, "subject"));
        bool same = strcmp(own, name) == 0;
        free(own);
        if (same) {
            return finding;
        }
    }
    return NULL;
}

/* What is found is what was found before, and this (NULL: nothing) beside it. */
static void expect_found(const struct fault *fault, const char *name)
{
    ask_doctor();
    char *names = names_found();
    if (name != NULL) {
        const json_t *finding = find(name);
        ck_assert_msg(finding != NULL, "no \"%s\" in\n%s", name, names);
        commands_has(member(finding, "finding"), fault->words);
        commands_has(member(finding, "hint"), fault->hint);
        ck_assert_str_ne(member(finding, "why"), "");
        char *line = files_path("%s\n", name);
        char *at = strstr(names, line);
        memmove(at, at + strlen(line), strlen(at + strlen(line)) + 1);
        free(line);
    }
    ck_assert_msg(strcmp(names, before) == 0, "%s: found\n%s\nand before\n%s", fault->finding, names, before);
    free(names);
}

static void plant_and_mend(const struct fault *fault)
{
    cluster_execute(cluster, fault->plant);
    if (fault->done != NULL) {
        WAIT_SQL(cluster, fault->done, "t", 60);
    }
    expect_found(fault, fault->finding);
    cluster_execute(cluster, fault->mend);
    if (fault->done != NULL) {
        char *gone = files_path("SELECT NOT (%s)", fault->done);
        WAIT_SQL(cluster, gone, "t", 60);
        free(gone);
    }
    expect_found(fault, NULL);
}

#define JOB(name) "(SELECT job_id FROM chime.job WHERE name = '" name "')"

#define LOG "(SELECT source_id FROM chime.source WHERE source_table = 'submissions')"
#define PARTS \
    "(SELECT count(*) >= 8 FROM chime.change_part c JOIN chime.source s USING (source_id) WHERE c.part < s.head)"

static const struct fault faults[] = {
    {"UPDATE chime.job_state SET last_success = now() - interval '8 days', last_end = now() WHERE job_id = " JOB(
         "quiet") "; UPDATE chime.job SET since = now() - interval '9 days' WHERE name = 'quiet'",
     NULL, "job-never-succeeded warn quiet", "job quiet has not succeeded since ",
     "pgchime runs quiet says how they ended",
     "UPDATE chime.job_state SET last_success = now() WHERE job_id = " JOB("quiet")},
    {"UPDATE chime.job_state SET last_success = NULL, last_end = NULL WHERE job_id = " JOB(
         "quiet") "; UPDATE chime.job SET since = now() - interval '100 days' WHERE name = 'quiet'",
     NULL, "job-idle ok quiet", "job quiet has not run yet", "pgchime why quiet says when it will",
     "UPDATE chime.job SET since = now() WHERE name = 'quiet'"},
    {"SET ROLE alice; SELECT chime.schedule('one', '0 0 1 1 *', 'SELECT 7'), chime.schedule('two', '0 0 1 1 *', "
     "'SELECT 7'); RESET ROLE",
     NULL, "job-twice ok alice/one", "2 jobs run the same text: alice/one, alice/two", "take all but one out",
     "SET ROLE alice; SELECT chime.unschedule('one'), chime.unschedule('two'); RESET ROLE"},
    {"UPDATE chime.job_state SET typical_us = 90000000, successes = 5 WHERE job_id = " JOB("minutely"), NULL,
     "job-longer warn minutely", "job minutely takes 90.0 s as a rule, and is due 1440 times a day: each 60.0 s",
     "a longer period", "UPDATE chime.job_state SET typical_us = 1000 WHERE job_id = " JOB("minutely")},
    {"SET ROLE alice; SELECT count(chime.schedule('crowd ' || n, '0 3 * * *', 'SELECT ' || n)) FROM generate_series(1, "
     "60) n;"
     "RESET ROLE; UPDATE chime.job_state SET typical_us = 60000000 FROM chime.job j WHERE j.job_id = job_state.job_id "
     "AND"
     " j.name LIKE 'alice/crowd%'",
     NULL, "crowded warn ", "60 jobs are due at about ", "raise role_sessions",
     "SET ROLE alice; SELECT count(chime.unschedule('crowd ' || n)) FROM generate_series(1, 60) n; RESET ROLE"},
    {"INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at) SELECT 1, job_id,"
     " 'schedule', now() + interval '40 days', 'succeeded', 1, 1, now() FROM chime.job WHERE name = 'quiet'",
     NULL, NULL, "1 runs of ", "gives it one, with these runs in it; nothing is lost",
     "DO $$ BEGIN ASSERT chime.make_partition(((now() + interval '40 days') AT TIME ZONE 'UTC')::date) = 1; ASSERT ("
     "SELECT count(*) = 1 AND bool_and(tableoid <> 'chime.run_history_other'::regclass) FROM chime.run_history WHERE"
     " slot > now() + interval '1 day'); END $$"},
    {"INSERT INTO chime.follower (pid, backend_start, instance, configuration) SELECT a.pid, a.backend_start, "
     "l.instance,"
     " l.configuration FROM pg_stat_activity a, chime.leader l WHERE a.pid = pg_backend_pid()",
     NULL, NULL, "2 daemons are called ", "names of their own", "DELETE FROM chime.follower"},
    {"DELETE FROM chime.notification", NULL, "sink-untried ok light", "sink light was sent nothing in 90 days",
     "pgchime alerts test light tells whether it arrives",
     "INSERT INTO chime.notification (sink, rule, events, created_at, due_at, ended_at, state) VALUES ('light', 'x', "
     "'{}',"
     " now(), now(), now(), 'delivered')"},
    {"UPDATE chime.job SET command = 'SELECT 1' WHERE name = 'verify-views'", NULL, "no-verification ok verify-views",
     "views here with their definitions", "CALL chime.verify_views()",
     "UPDATE chime.job SET command = 'CALL chime.verify_views(true)' WHERE name = 'verify-views'"},
    /* test_keyed_reasons and test_keyed_proof have how such a reason comes about. */
    {"UPDATE chime.view SET full_reason = 'no index finds one group in public.submissions: CREATE INDEX ON submissions"
     " (challenge_id) makes it keyed'",
     NULL, "view-index warn analytics.mv_lane_score_distribution",
     "view analytics.mv_lane_score_distribution is refreshed as a whole: no index finds one group in "
     "public.submissions",
     "CREATE INDEX ON submissions (challenge_id)", "UPDATE chime.view SET full_reason = NULL"},
    {"SET ROLE alice; SELECT chime.schedule('first', '0 0 1 1 *', 'SELECT 8', active => false),"
     " chime.schedule('then', NULL, 'SELECT 9', after => '{first}'); RESET ROLE",
     NULL, "job-never-due warn alice/then",
     "job alice/then never runs by itself: it comes after alice/first, and that is ",
     "let an upstream run again, or give alice/then a schedule",
     "SET ROLE alice; SELECT chime.unschedule('then'), chime.unschedule('first'); RESET ROLE"},
};

/* --- what runs ---------------------------------------------------------------------------------------------------- */

static void set_up(void)
{
    served_set_up(2);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    cluster_execute(cluster,
                    "CREATE ROLE alice LOGIN; GRANT pgchime_jobs TO alice; CREATE TABLE public.stock (n integer); "
                    "CREATE TABLE public.sums (n integer); GRANT INSERT ON public.sums TO alice");
    char *plugins = files_make_directory();
    plugin_put(plugins, "lane_distribution");
    site_use_plugins(site, plugins);
    site_use_entries(site, "sinks: { light: { type = \"program\"; command = [\"/bin/true\"]; }; };");
    site_job(site, "quiet", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "berlin", NEVER_DUE "command = \"SELECT 2\"; timezone = \"Europe/Berlin\";");
    site_job(site, "minutely", "schedule = \"* * * * *\"; command = \"SELECT 3\";");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) = 1 AND bool_and(refreshed_at IS NOT NULL) FROM chime.view_refresh", "t", 120);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.sink", "1", 60);
    cluster_execute(cluster, "SET ROLE alice; SELECT chime.schedule('own', '0 0 2 1 *', 'SELECT 8'); RESET ROLE");
    free(plugins);
}

static void tear_down(void)
{
    served_tear_down();
    json_decref(findings);
    free(output);
    free(errors);
    free(before);
    output = errors = before = NULL;
    findings = NULL;
}

/* Who leads, and which day, the finding names. */
static char *name_of(size_t place)
{
    const char *const queries[] = {
        [5] = "SELECT 'history-other warn ' || ((now() + interval '40 days') AT TIME ZONE 'UTC')::date",
        [6] = "SELECT 'daemon-twice warn ' || instance FROM chime.leader"};
    return faults[place].finding != NULL ? files_path("%s", faults[place].finding)
                                         : cluster_value(cluster, queries[place]);
}

START_TEST(faults_are_found_by_their_ids_alone)
{
    ask_doctor();
    commands_has(output, "\"id\": \"heartbeat\"");
    cluster_execute(cluster, faults[7].mend); /* a sink that is new was sent nothing yet */
    ask_doctor();
    before = names_found();
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        struct fault fault = faults[i];
        char *name = name_of(i);
        fault.finding = name;
        plant_and_mend(&fault);
        free(name);
    }
}
END_TEST

/* The server's words name no schema; the statement does, and it works. */
START_TEST(a_job_that_lacks_a_privilege_is_given_the_grant)
{
    cluster_execute(cluster, "SET ROLE alice; SELECT chime.schedule('reads', '0 0 1 1 *',"
                             " 'INSERT INTO public.sums SELECT n FROM public.stock'); RESET ROLE");
    runs_ask_and_await(cluster, "alice/reads");
    ask_doctor();
    const json_t *finding = find("job-failed warn alice/reads");
    ck_assert_msg(finding != NULL, "%s", output);
    commands_has(member(finding, "hint"), "where alice may have that: GRANT SELECT ON public.stock TO alice; ");
    cluster_execute(cluster, "GRANT SELECT ON stock TO alice");
    runs_ask_and_await(cluster, "alice/reads");
    ask_doctor();
    ck_assert_ptr_null(find("job-failed warn alice/reads"));
    cluster_execute(
        cluster,
        "SET ROLE alice; SELECT chime.schedule('reads', '0 0 1 1 *', 'SELECT x FROM public.stock'); RESET ROLE");
    runs_ask_and_await(cluster, "alice/reads");
    ask_doctor();
    commands_has(member(find("job-failed warn alice/reads"), "hint"),
                 "it has not succeeded since its text is this one, of ");
}
END_TEST

START_TEST(a_job_that_sql_switched_off_says_so)
{
    cluster_execute(cluster, "SET ROLE alice; SELECT chime.alter_job(chime.schedule('off', '0 0 1 1 *', 'SELECT 1'),"
                             " active => false); RESET ROLE");
    commands_expect(6, site_config(site), (const char *const[]){"run", "alice/off", NULL}, &output, &errors);
    commands_has(errors, "HINT:  it is switched off: SELECT chime.alter_job(");
    commands_expect(0, site_config(site), (const char *const[]){"why", "alice/off", NULL}, &output, &errors);
    commands_has(output, "inactive: it is switched off: SELECT chime.alter_job(");
}
END_TEST

/* A log that one view holds back, since its job is suspended. */
START_TEST(a_log_that_does_not_shrink_names_the_view)
{
    cluster_execute(cluster,
                    "CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 1");
    commands_expect(0, site_config(site), (const char *const[]){"suspend", "refresh-lane-distributions", NULL}, &output,
                    &errors);
    WAIT_SQL(cluster,
             "SELECT suspended_at IS NOT NULL FROM chime.job_state WHERE job_id = " JOB("refresh-lane-distributions"),
             "t", 60);
    for (int i = 0; i < 9; i++) {
        cluster_execute(cluster, "INSERT INTO public.submissions (agent_id, challenge_id) VALUES (u(1), u(1))");
        cluster_execute(cluster, "SELECT chime.rotate_log(" LOG ")");
    }
    WAIT_SQL(cluster, "SELECT " PARTS, "t", 60);
    ask_doctor();
    const json_t *finding = find("change-log warn analytics.mv_lane_score_distribution");
    ck_assert_msg(finding != NULL, "%s", output);
    commands_has(member(finding, "finding"), "the log of changes of public.submissions has ");
    commands_has(member(finding, "hint"), "pgchime refresh analytics.mv_lane_score_distribution takes it");
    commands_expect(0, site_config(site),
                    (const char *const[]){"refresh", "analytics.mv_lane_score_distribution", NULL}, &output, &errors);
    cluster_execute(
        cluster, "CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 8388608");
    WAIT_SQL(cluster, "SELECT " PARTS, "f", 60); /* the leader drops what all views have passed */
    ask_doctor();
    ck_assert_ptr_null(find("change-log warn analytics.mv_lane_score_distribution"));
}
END_TEST

/* As where the daemon's machine has time zone data of another year. */
START_TEST(zone_data_that_differ_are_found_by_the_zone)
{
    char *folder = files_make_directory();
    char *europe = files_path("%s/Europe", folder);
    char *berlin = files_path("%s/Berlin", europe);
    char *utc = files_path("%s/UTC", folder);
    files_make_folder(europe);
    files_copy("/usr/share/zoneinfo/America/New_York", berlin);
    files_copy("/usr/share/zoneinfo/UTC", utc);
    setenv("TZDIR", folder, 1);
    ask_doctor();
    unsetenv("TZDIR");
    const json_t *finding = find("zone-differs warn Europe/Berlin");
    ck_assert_msg(finding != NULL, "%s", output);
    commands_has(member(finding, "hint"), "update tzdata on both machines");
    ck_assert_ptr_null(find("zone-differs warn UTC"));
    ask_doctor();
    ck_assert_ptr_null(find("zone-differs warn Europe/Berlin"));
    files_remove_tree(folder);
    free(europe);
    free(berlin);
    free(utc);
    free(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor");
    TCase *tests = tcase_create("doctor");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, faults_are_found_by_their_ids_alone);
    tcase_add_test(tests, a_job_that_lacks_a_privilege_is_given_the_grant);
    tcase_add_test(tests, a_job_that_sql_switched_off_says_so);
    tcase_add_test(tests, a_log_that_does_not_shrink_names_the_view);
    tcase_add_test(tests, zone_data_that_differ_are_found_by_the_zone);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
