/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime import pg_cron`: what the plan says of each job, what each schedule becomes, and that both sides change at
 * once. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/terminal.h"
#include "support/import/cron.h"
#include "support/import/import_stage.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

/* One server for all tests; each has a database of its own, copied from one that is migrated. */
static void start(void)
{
    import_stage_start();
    cron_make_tables(cluster);
    cluster_use(cluster, "postgres"); /* nobody may be in a model that is copied */
}

static void set_up(void)
{
    import_stage_copy("app", "model");
    import_stage_aim("app");
}

/* A value of the plan that was printed as JSON, as text; "" for null. */
static const char *planned(int jobid, const char *key)
{
    static char text[1024];
    json_t *document = json_loads(output, 0, NULL);
    size_t index;
    json_t *row;
    ck_assert_msg(document != NULL, "%s", output);
    json_t *value = NULL;
    json_array_foreach(json_object_get(document, "imports"), index, row)
    {
        if (json_integer_value(json_object_get(row, "jobid")) == jobid) {
            value = json_object_get(row, key);
        }
    }
    ck_assert_msg(value != NULL, "job %d has no \"%s\" in:\n%s", jobid, key, output);
    text[0] = '\0';
    if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
    } else if (json_is_string(value)) {
        snprintf(text, sizeof(text), "%s", json_string_value(value));
    }
    json_decref(document);
    return text;
}

static void plan_is(int jobid, const char *action, const char *becomes, const char *reason)
{
    ck_assert_str_eq(planned(jobid, "action"), action);
    ck_assert_str_eq(planned(jobid, "becomes"), becomes);
    if (reason[0] == '\0') {
        ck_assert_str_eq(planned(jobid, "reason"), "");
    } else {
        commands_has(planned(jobid, "reason"), reason);
    }
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

#define OURS(id) "SELECT concat_ws('|', name, owner, schedule, active, options) FROM chime.job WHERE job_id = " #id

/* --- the plan ----------------------------------------------------------------------------------------------------- */

START_TEST(a_plan_says_what_becomes_of_each_job_and_changes_nothing)
{
    cluster_execute(cluster,
                    "INSERT INTO cron.job (jobid, schedule, command, jobname, active) VALUES"
                    " (3, '0 3 * * *', 'VACUUM', 'nightly', true), (4, '5 4 * * mon', 'SELECT 1', NULL, false)");
    cron_add(cluster, 8, "*/30 * * * * *");
    IMPORT(8, "--dry-run", "-o", "json");
    plan_is(3, "take", "0 3 * * *", "");
    plan_is(4, "copy", "5 4 * * mon", "");
    plan_is(8, "ask", "", "its first field is seconds here; pg_cron reads \"*/30 * * * *\"");
    ck_assert_str_eq(planned(3, "job_id"), "3");
    ck_assert_str_eq(planned(3, "name"), "nightly");
    ck_assert_str_eq(planned(3, "owner"), "postgres");
    ck_assert_str_eq(planned(3, "database"), "app");
    commands_has(errors, "1 left out");
    expect("SELECT count(*) FROM chime.imported", "0");
    expect("SELECT count(*) FROM chime.job", "0");
    expect("SELECT count(*) FROM cron.job WHERE active", "2");
}
END_TEST

struct difference {
    const char *schedule;
    const char *ours; /* NULL: refused */
    const char *theirs;
    const char *reason;
};

/* As docs/pg_cron.md says. */
static const struct difference differences[] = {
    {"*/30 * * * * *", "*/30 * * * * *", "*/30 * * * *", "seconds here"},
    {"0 0 1 1 * 7", "0 0 1 1 * 7", "0 0 1 1 *", "seconds here"},
    {"0 12 * * sat-sun,3", "0 12 * * sat-sun,3", "0 12 * * 3", "goes round"},
    {"0 22-2,5 * * *", "0 22-2,5 * * *", "0 5 * * *", "goes round"},
    {"5;3 * * * *", NULL, "5 * * * *", "here it is refused"},
    {"1-5-7 * * * *", NULL, "1-5 * * * *", "here it is refused"},
    {"*foo 2 * * *", NULL, "* 2 * * *", "here it is refused"},
    {"4294967301 * * * *", NULL, "5 * * * *", "here it is refused"},
};

static void add_differences(void)
{
    for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++) {
        cron_add(cluster, (int)i + 1, differences[i].schedule);
    }
}

START_TEST(every_schedule_that_pg_cron_reads_otherwise_waits_for_an_answer)
{
    add_differences();
    IMPORT(8, "--yes", "-o", "json");
    for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++) {
        plan_is((int)i + 1, "ask", "", differences[i].reason);
    }
    expect("SELECT count(*) FROM chime.job", "0");
    expect("SELECT count(*) FROM cron.job WHERE active", "8");
}
END_TEST

START_TEST(an_answer_of_theirs_is_what_pg_cron_really_did)
{
    add_differences();
    IMPORT(0, "--yes", "--meaning", "all=theirs", "-o", "json");
    for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++) {
        plan_is((int)i + 1, "take", differences[i].theirs, differences[i].reason);
    }
    expect("SELECT string_agg(schedule, ' / ' ORDER BY job_id) FROM chime.job",
           "*/30 * * * * / 0 0 1 1 * / 0 12 * * 3 / 0 5 * * * / 5 * * * * / 1-5 * * * * / * 2 * * * / 5 * * * *");
}
END_TEST

START_TEST(an_answer_of_ours_takes_the_text_as_it_is_where_it_is_one)
{
    add_differences();
    IMPORT(8, "--yes", "--meaning", "all=OURS,8=THEIRS", "-o", "json");
    for (size_t i = 0; i < 7; i++) {
        bool known = differences[i].ours != NULL;
        plan_is((int)i + 1, known ? "take" : "block", known ? differences[i].ours : "",
                known ? differences[i].reason : "only \"theirs\"");
    }
    plan_is(8, "take", "5 * * * *", "here it is refused");
    expect("SELECT string_agg(jobid::text, ' ' ORDER BY jobid) FROM cron.job WHERE active", "5 6 7");
}
END_TEST

START_TEST(what_never_ran_stays_still_or_begins_as_is_answered)
{
    cron_add(cluster, 1, "@yearly");
    cron_add(cluster, 2, "@annually");
    cron_add(cluster, 3, "0 6-0 * * *");
    cron_add(cluster, 4, "0 0 30 2 *");
    IMPORT(8, "--dry-run", "-o", "json");
    plan_is(1, "ask", "", "pg_cron never runs it; here it runs");
    plan_is(3, "ask", "", "pg_cron never runs it; here it runs");
    plan_is(4, "ask", "", "can never fire");
    IMPORT(0, "--yes", "--meaning", "all=theirs,2=ours");
    expect(OURS(1), "postgres#1|postgres|@yearly|f|{}");
    expect(OURS(2), "postgres#2|postgres|@annually|t|{}");
    expect(OURS(3), "postgres#3|postgres|0 6-0 * * *|f|{}");
    expect("SELECT string_agg(jobid::text, ' ') FROM cron.job WHERE active", "4");
}
END_TEST

START_TEST(the_zone_of_the_source_and_its_clocks_come_along)
{
    cluster_execute(cluster, "ALTER DATABASE app SET cron.timezone = 'Europe/Berlin'");
    cron_add(cluster, 1, "30 2 * * *");
    cron_add(cluster, 2, "30 12 * * *");
    cron_add(cluster, 3, "*/10 * * * *");
    cron_add(cluster, 4, "30 23 $ * *");
    cron_add(cluster, 5, "30 2 * * *");
    cron_add(cluster, 6, "@reboot");
    IMPORT(8, "--yes", "--meaning", "5=ours,1=theirs", "-o", "json");
    commands_has(planned(1, "reason"), "as the clocks of Europe/Berlin change");
    plan_is(4, "ask", "", "another day for the last one");
    expect(OURS(1), "postgres#1|postgres|30 2 * * *|t|{\"dst_gap\": \"skip\", \"timezone\": \"Europe/Berlin\", "
                    "\"dst_overlap\": \"both\"}");
    expect(OURS(2), "postgres#2|postgres|30 12 * * *|t|{\"timezone\": \"Europe/Berlin\"}");
    expect(OURS(3), "postgres#3|postgres|*/10 * * * *|t|{\"timezone\": \"Europe/Berlin\"}");
    expect(OURS(5), "postgres#5|postgres|30 2 * * *|t|{\"timezone\": \"Europe/Berlin\"}");
    expect(OURS(6), "postgres#6|postgres|@reboot|t|{}");
}
END_TEST

/* --- what stands in the way --------------------------------------------------------------------------------------- */

START_TEST(what_the_server_would_refuse_is_left_where_it_is)
{
    cluster_execute(
        cluster,
        "CREATE ROLE idle; INSERT INTO cron.job (jobid, schedule, command, username, database, nodename) VALUES"
        " (1, '@daily', '', 'gone', 'app', 'localhost'), (2, '@daily', '', 'idle', 'app', 'localhost'),"
        " (3, '@daily', '', 'postgres', 'gone', 'localhost'), (4, '@daily', '', 'postgres', 'app', 'far.example'),"
        " (5, '@daily', '', 'postgres', 'postgres', '')");
    IMPORT(8, "--yes", "-o", "json");
    plan_is(1, "block", "", "role \"gone\" does not exist");
    plan_is(2, "block", "", "role \"idle\" can not log in");
    plan_is(3, "block", "", "database \"gone\" does not exist");
    plan_is(4, "block", "", "node \"far.example\"");
    plan_is(5, "take", "@daily", "");
    expect("SELECT string_agg(jobid::text, ' ' ORDER BY jobid) FROM cron.job WHERE active", "1 2 3 4");
    expect("SELECT database FROM chime.job WHERE job_id = 5", "postgres");
}
END_TEST

START_TEST(a_role_that_does_not_see_all_jobs_is_refused_with_the_way_out)
{
    cron_add(cluster, 1, "@daily");
    ASSERT_RUN(6, "import", "pg_cron", "--yes");
    commands_has(errors, "role \"pgchime\" does not see all jobs of pg_cron");
    commands_has(errors, "--from");
    cluster_execute(cluster, "CREATE ROLE auditor LOGIN BYPASSRLS; GRANT USAGE ON SCHEMA cron TO auditor");
    char *auditor = cluster_conninfo_as(cluster, "auditor", "app");
    ASSERT_RUN(0, "import", "pg_cron", "--from", auditor, "--dry-run");
    ASSERT_RUN(6, "import", "pg_cron", "--from", auditor, "--yes");
    commands_has(errors, "role \"auditor\" may not change the jobs of pg_cron");
    free(auditor);
    expect("SELECT count(*) FROM cron.job WHERE active", "1");
}
END_TEST

START_TEST(a_pg_cron_that_cannot_switch_off_a_job_is_read_and_not_changed)
{
    cron_add(cluster, 1, "@daily");
    cluster_execute(cluster, "ALTER TABLE cron.job DROP COLUMN active");
    IMPORT(0, "--dry-run", "-o", "json");
    plan_is(1, "take", "@daily", "");
    IMPORT(6, "--yes");
    commands_has(errors, "cron.job has no column \"active\"");
    commands_has(errors, "ALTER EXTENSION pg_cron UPDATE");
    expect("SELECT count(*) FROM chime.imported", "0");
}
END_TEST

START_TEST(wrong_words_name_the_way_out)
{
    cron_add(cluster, 1, "@daily");
    ASSERT_RUN(2, "import", "crond");
    commands_has(errors, "pgchime import pg_cron");
    IMPORT(2, "--dump", "x.sql");
    IMPORT(2, "--meaning", "1=maybe");
    commands_has(errors, "--meaning 3=theirs,7=ours");
    IMPORT(5, "--meaning", "2=ours");
    commands_has(errors, "pg_cron has no job 2");
    IMPORT(6, "-q");
    commands_has(errors, "--yes");
    cluster_execute(cluster, "DROP SCHEMA cron CASCADE");
    IMPORT(5, "--yes");
    commands_has(errors, "there is no table cron.job");
    cluster_execute(cluster, "CREATE SCHEMA cron; CREATE VIEW cron.job AS SELECT 1 AS jobid");
    IMPORT(6, "--yes");
    commands_has(errors, "schema cron is pgchime's own");
}
END_TEST

START_TEST(a_name_that_is_taken_here_is_left_there)
{
    cluster_execute(cluster,
                    "SELECT chime.schedule('nightly', '@daily', 'SELECT 1');"
                    "INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES (1, '@daily', '', 'nightly')");
    IMPORT(8, "--yes", "-o", "json");
    plan_is(1, "block", "", "duplicate key");
    expect("SELECT active FROM cron.job", "t");
}
END_TEST

/* --- changing hands ----------------------------------------------------------------------------------------------- */

START_TEST(both_sides_change_at_one_instant_far_from_any_slot)
{
    cluster_execute(
        cluster,
        "INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES (7, '* * * * *', 'SELECT 7', 'tick')");
    IMPORT(0, "--yes");
    commands_has(errors, "job 7 of pg_cron is job 7");
    expect(OURS(7), "postgres/tick|postgres|* * * * *|t|{}");
    expect("SELECT active FROM cron.job", "f");
    expect("SELECT i.state = 'taken' AND i.at = j.since AND s.last_slot = j.since AND i.source = chime.this_source()"
           " AND extract(second FROM i.at) BETWEEN 3 AND 55 AND i.job ->> 'command' = 'SELECT 7'"
           " FROM chime.imported i JOIN chime.job j USING (job_id) JOIN chime.job_state s USING (job_id)",
           "t");
    /* One transaction wrote all three. */
    expect("SELECT c.xmin = j.xmin AND c.xmin = i.xmin FROM cron.job c, chime.job j, chime.imported i", "t");
    IMPORT(0, "--yes", "-o", "json");
    plan_is(7, "done", "* * * * *", "imported before");
    commands_has(errors, "nothing to import");
    expect("SELECT count(*) FROM chime.job", "1");
}
END_TEST

START_TEST(a_number_is_kept_where_it_is_free_and_not_given_out_again)
{
    cluster_execute(cluster, "SELECT chime.schedule('mine', '@daily', 'SELECT 1')"); /* has number 1 */
    cron_add(cluster, 1, "@daily");
    cron_add(cluster, 40, "@daily");
    IMPORT(0, "--yes");
    commands_has(errors, "job 40 of pg_cron is job 40");
    expect("SELECT job_id > 1 FROM chime.imported WHERE jobid = 1", "t");
    expect("SELECT chime.schedule('next', '@daily', 'SELECT 1') > 40", "t");
}
END_TEST

/* The sessions that run them are this test's. */
START_TEST(a_job_that_runs_stays_until_its_run_has_ended)
{
    cron_add(cluster, 1, "* * * * *");
    cluster_execute(cluster, "INSERT INTO cron.job_run_details (jobid, job_pid, status, start_time)"
                             " VALUES (1, pg_backend_pid(), 'running', clock_timestamp())");
    IMPORT(8, "--yes", "--wait", "1s");
    commands_has(errors, "job 1: it stays where it is: a run of it goes on");
    expect("SELECT active FROM cron.job", "t");
    expect("SELECT count(*) FROM chime.imported", "0");
    cluster_execute(cluster, "UPDATE cron.job_run_details SET status = 'succeeded'");
    IMPORT(0, "--yes");
    expect("SELECT active FROM cron.job", "f");
}
END_TEST

START_TEST(a_run_that_pg_cron_keeps_no_record_of_is_waited_for_as_well)
{
    PGconn *worker = cluster_connect(cluster, "app");
    PQclear(PQexec(worker, "SET application_name = 'pg_cron'"));
    cluster_execute(cluster, "DROP TABLE cron.job_run_details");
    cluster_execute(cluster,
                    "INSERT INTO cron.job (jobid, schedule, command) VALUES (1, '* * * * *', 'SELECT pg_sleep(600)')");
    ck_assert_int_eq(PQsendQuery(worker, "SELECT pg_sleep(600)"), 1);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_cron' AND state = 'active'",
             "1", 30);
    IMPORT(8, "--yes", "--wait", "0s");
    commands_has(errors, "a run of it goes on");
    PQfinish(worker);
    cluster_execute(cluster,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_cron'");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_cron'", "0", 30);
    IMPORT(0, "--yes");
    expect("SELECT active FROM cron.job", "f");
}
END_TEST

START_TEST(a_run_that_pg_cron_forgot_to_end_holds_up_nothing)
{
    cron_add(cluster, 1, "* * * * *");
    cluster_execute(cluster, "INSERT INTO cron.job_run_details (jobid, job_pid, status, start_time) VALUES"
                             " (1, 999999, 'running', now() - interval '1 day'), (1, NULL, 'connecting', NULL),"
                             " (2, 999999, 'succeeded', now() - interval '5 minutes')");
    IMPORT(0, "--yes", "--wait", "0s");
    expect("SELECT active FROM cron.job", "f");
}
END_TEST

START_TEST(a_job_that_is_active_on_both_sides_is_named)
{
    cron_add(cluster, 1, "* * * * *");
    IMPORT(0, "--yes");
    cluster_execute(cluster, "UPDATE cron.job SET active = true");
    IMPORT(8, "--yes", "-o", "json");
    plan_is(1, "twice", "* * * * *", "it may run twice");
}
END_TEST

START_TEST(an_edit_in_pg_cron_since_the_import_is_named_until_it_is_here_as_well)
{
    cluster_execute(
        cluster,
        "INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES (1, '5 * * * *', 'SELECT 1', 'tick')");
    IMPORT(0, "--yes");
    cluster_execute(cluster, "UPDATE cron.job SET schedule = '6 * * * *', command = 'SELECT 2'");
    IMPORT(8, "--dry-run", "-o", "json");
    plan_is(1, "changed", "5 * * * *", "not here: command, schedule");
    cluster_execute(cluster, "UPDATE chime.job SET schedule = '6 * * * *', command = 'SELECT 2'");
    IMPORT(0, "--dry-run", "-o", "json");
    plan_is(1, "done", "5 * * * *", "it was imported before");
    IMPORT(0, "--rollback", "--yes");
    expect("SELECT concat_ws('|', schedule, command, active) FROM cron.job", "6 * * * *|SELECT 2|t");
}
END_TEST

START_TEST(a_job_that_a_deployment_schedules_anew_in_pg_cron_is_named_and_goes_back)
{
    cluster_execute(cluster, "INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES"
                             " (1, '5 * * * *', 'SELECT 1', 'tick'), (2, '5 * * * *', 'SELECT 1', 'tock')");
    IMPORT(0, "--yes");
    cluster_execute(cluster,
                    "DELETE FROM cron.job; INSERT INTO cron.job (jobid, schedule, command, jobname, active) VALUES"
                    " (8, '6 * * * *', 'SELECT 2', 'tick', true), (9, '7 * * * *', 'SELECT 3', 'tock', false)");
    IMPORT(8, "--yes", "-o", "json");
    plan_is(8, "twice", "", "imported as job 1, and active: it may run twice");
    ck_assert_str_eq(planned(8, "job_id"), "1");
    plan_is(9, "changed", "", "imported as job 2: what was edited there is not here");
    expect("SELECT count(*) FROM chime.job WHERE active", "2");
    IMPORT(0, "--rollback", "--yes", "-o", "json");
    commands_has(planned(1, "reason"), "as job 8");
    expect("SELECT string_agg(concat_ws('|', jobid, schedule, active), ' ' ORDER BY jobid) FROM cron.job",
           "8|6 * * * *|t 9|7 * * * *|t");
    expect("SELECT count(*) FROM chime.job WHERE active", "0");
    IMPORT(0, "--yes");
    expect("SELECT string_agg(concat_ws('|', name, schedule), ' ' ORDER BY name) FROM chime.job WHERE active",
           "postgres/tick|6 * * * * postgres/tock|7 * * * *");
}
END_TEST

START_TEST(at_a_terminal_each_difference_is_asked_about)
{
    static char *shown;
    cron_add(cluster, 1, "*/30 * * * * *");
    cron_add(cluster, 2, "@yearly");
    cron_add(cluster, 3, "0 0 * * 6-0");
    const char *const words[] = {"import", "pg_cron", "--from", from, NULL};
    ck_assert_int_eq(terminal_run(configuration, words, "t\no\n\ny\n", &shown), 8);
    commands_has(shown, "pg_cron reads \"*/30 * * * *\"");
    commands_has(shown, "Take over 2 jobs?");
    free(shown);
    expect(OURS(1), "postgres#1|postgres|*/30 * * * *|t|{}");
    expect(OURS(2), "postgres#2|postgres|@yearly|t|{}");
    expect("SELECT string_agg(jobid::text, ' ') FROM cron.job WHERE active", "3");
}
END_TEST

/* --- back --------------------------------------------------------------------------------------------------------- */

START_TEST(what_was_imported_goes_back_as_it_was_and_may_come_again)
{
    cluster_execute(cluster, "INSERT INTO cron.job (jobid, schedule, command, jobname, active) VALUES"
                             " (1, '* * * * *', 'SELECT 1', 'tick', true), (2, '@daily', 'SELECT 2', NULL, false)");
    IMPORT(0, "--yes");
    IMPORT(0, "--rollback", "--yes");
    commands_has(errors, "job 1 is pg_cron's again");
    expect("SELECT string_agg(active::text, ' ' ORDER BY jobid) FROM cron.job", "true false");
    expect("SELECT count(*) FROM chime.job WHERE active OR removed_at IS NULL", "0");
    IMPORT(0, "--rollback", "--yes");
    commands_has(errors, "nothing to give back");
    IMPORT(0, "--yes");
    expect(OURS(1), "postgres/tick|postgres|* * * * *|t|{}");
    expect("SELECT bool_and(j.since = i.at AND s.last_slot = i.at AND j.removed_at IS NULL) FROM chime.imported i"
           " JOIN chime.job j USING (job_id) JOIN chime.job_state s USING (job_id)",
           "t");
    expect("SELECT string_agg(active::text, ' ' ORDER BY jobid) FROM cron.job", "false false");
}
END_TEST

START_TEST(a_job_that_runs_here_stays_until_its_run_has_ended)
{
    cron_add(cluster, 1, "* * * * *");
    IMPORT(0, "--yes");
    cluster_execute(cluster, "INSERT INTO chime.run (job_id, kind, slot, token, epoch)"
                             " VALUES (1, 'schedule', now(), gen_random_uuid(), 1)");
    IMPORT(8, "--rollback", "--yes", "--wait", "1s");
    expect("SELECT active FROM chime.job", "t");
    expect("SELECT active FROM cron.job", "f");
    cluster_execute(cluster, "DELETE FROM chime.run");
    IMPORT(0, "--rollback", "--yes");
    expect("SELECT active FROM cron.job", "t");
}
END_TEST

START_TEST(a_job_that_pg_cron_has_no_more_is_kept)
{
    cron_add(cluster, 1, "* * * * *");
    IMPORT(0, "--yes");
    cluster_execute(cluster, "DELETE FROM cron.job");
    IMPORT(8, "--rollback", "--yes", "-o", "json");
    commands_has(planned(1, "reason"), "schedule it there first");
    expect("SELECT active FROM chime.job", "t");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import");
    TCase *cases = tcase_create("import");
    tcase_set_timeout(cases, 120);
    tcase_add_unchecked_fixture(cases, start, stage_clear);
    tcase_add_checked_fixture(cases, set_up, import_stage_forget);
    tcase_add_test(cases, a_plan_says_what_becomes_of_each_job_and_changes_nothing);
    tcase_add_test(cases, every_schedule_that_pg_cron_reads_otherwise_waits_for_an_answer);
    tcase_add_test(cases, an_answer_of_theirs_is_what_pg_cron_really_did);
    tcase_add_test(cases, an_answer_of_ours_takes_the_text_as_it_is_where_it_is_one);
    tcase_add_test(cases, what_never_ran_stays_still_or_begins_as_is_answered);
    tcase_add_test(cases, the_zone_of_the_source_and_its_clocks_come_along);
    tcase_add_test(cases, what_the_server_would_refuse_is_left_where_it_is);
    tcase_add_test(cases, a_role_that_does_not_see_all_jobs_is_refused_with_the_way_out);
    tcase_add_test(cases, a_pg_cron_that_cannot_switch_off_a_job_is_read_and_not_changed);
    tcase_add_test(cases, wrong_words_name_the_way_out);
    tcase_add_test(cases, a_name_that_is_taken_here_is_left_there);
    tcase_add_test(cases, both_sides_change_at_one_instant_far_from_any_slot);
    tcase_add_test(cases, a_number_is_kept_where_it_is_free_and_not_given_out_again);
    tcase_add_test(cases, a_job_that_runs_stays_until_its_run_has_ended);
    tcase_add_test(cases, a_run_that_pg_cron_keeps_no_record_of_is_waited_for_as_well);
    tcase_add_test(cases, a_run_that_pg_cron_forgot_to_end_holds_up_nothing);
    tcase_add_test(cases, a_job_that_is_active_on_both_sides_is_named);
    tcase_add_test(cases, an_edit_in_pg_cron_since_the_import_is_named_until_it_is_here_as_well);
    tcase_add_test(cases, a_job_that_a_deployment_schedules_anew_in_pg_cron_is_named_and_goes_back);
    tcase_add_test(cases, at_a_terminal_each_difference_is_asked_about);
    tcase_add_test(cases, what_was_imported_goes_back_as_it_was_and_may_come_again);
    tcase_add_test(cases, a_job_that_runs_here_stays_until_its_run_has_ended);
    tcase_add_test(cases, a_job_that_pg_cron_has_no_more_is_kept);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
