/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL: what the leader hears of them, options and settings, asking for runs, and
 * what a hostile role tries. No daemon. */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "model/option_table.h"
#include "model/options.h"
#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

#define TOKEN "'" LEDGER_SQL_TOKEN "'"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    ledger_sql_lead(cluster);
    ledger_sql_helpers(cluster);
    cluster_execute(cluster, "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT pgchime_jobs TO app, other;"
                             "GRANT CREATE ON SCHEMA public TO app");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

static void as(const char *role, const char *sql)
{
    cluster_execute_format(cluster, "SET SESSION AUTHORIZATION %s; %s", role, sql);
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
}

/* --- what the leader hears ---------------------------------------------------------------------------------------- */

#define CHANGED(seen)                                                                                                 \
    "SELECT coalesce(string_agg(concat_ws(' ', name, version, CASE WHEN removed THEN 'removed' WHEN active THEN "     \
    "'active'"                                                                                                        \
    " ELSE 'asleep' END), ';' ORDER BY job_id) FILTER (WHERE job_id IS NOT NULL), '') FROM chime.changed_jobs(" TOKEN \
    ", " seen ") c"
#define SEEN "(SELECT seen FROM public.known)"

/* Remembers what was seen up to now. */
static void look(void)
{
    cluster_execute(cluster, "DROP TABLE IF EXISTS public.known; CREATE TABLE public.known AS"
                             " SELECT seen FROM chime.changed_jobs(" TOKEN ", NULL) LIMIT 1");
}

START_TEST(the_leader_is_told_what_changed_since_it_looked_and_no_more)
{
    look();
    expect(CHANGED("NULL"), "");
    as("app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1'), chime.schedule('b', '@hourly', 'SELECT 2')");
    expect(CHANGED(SEEN), "app/a 1 active;app/b 1 active");
    look();
    expect(CHANGED(SEEN), "");
    as("app", "SELECT chime.alter_job(1, active => false)");
    expect(CHANGED(SEEN), "app/a 2 asleep");
    as("app", "SELECT chime.unschedule('a')");
    expect(CHANGED(SEEN), "app/a 3 removed");
    expect(CHANGED("NULL"), "app/b 1 active");
    look();
    as("app", "SELECT chime.schedule('b', '@hourly', 'SELECT 2')"); /* as it is */
    expect(CHANGED(SEEN), "");
}
END_TEST

START_TEST(an_edit_that_commits_late_is_told_when_it_does)
{
    as("app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1'), chime.schedule('b', '* * * * *', 'SELECT 1')");
    PGconn *late = cluster_connect(cluster, "postgres");
    PQclear(PQexec(late, "BEGIN; SELECT chime.alter_job(1, command => 'SELECT 2')"));
    look(); /* sees nothing of it, though it has begun */
    as("app", "SELECT chime.alter_job(2, command => 'SELECT 2')");
    expect(CHANGED(SEEN), "app/b 2 active");
    look();
    expect("SELECT chime.note_job_error(" TOKEN ", 1, 1, 'held by an edit')", "f"); /* it does not wait for it either */
    PQclear(PQexec(late, "COMMIT"));
    expect(CHANGED(SEEN), "app/a 2 active");
    PQfinish(late);
}
END_TEST

START_TEST(what_is_told_costs_what_changed_and_not_what_there_is)
{
    cluster_execute(
        cluster,
        "INSERT INTO chime.job (owner, origin, job_name, schedule, command) SELECT 'app', 'sql', 'j' || n,"
        " '* * * * *', 'SELECT 1' FROM generate_series(1, 20000) n; ANALYZE chime.job; ANALYZE chime.job_state");
    look();
    as("app", "SELECT chime.alter_job(77, command => 'SELECT 2')");
    cluster_execute(cluster,
                    "CREATE TABLE read AS SELECT pg_stat_get_xact_tuples_returned('chime.job'::regclass) AS before");
    cluster_execute(cluster, "BEGIN");
    expect("SELECT count(*) FROM chime.jobs_changed_since(" SEEN ", '0', 0, 1000)", "1");
    expect("SELECT (pg_stat_get_xact_tuples_returned('chime.job'::regclass)"
           " + pg_stat_get_xact_tuples_fetched('chime.job'::regclass)) < 10",
           "t");
    cluster_execute(cluster, "COMMIT");
    expect("SELECT count(*) FROM chime.changed_jobs(" TOKEN ", NULL, 0, 100) c WHERE c.job_id <= 100", "100");
    expect("SELECT count(*) FROM chime.changed_jobs(" TOKEN ", NULL, 19990, 100) c", "10");
}
END_TEST

START_TEST(an_edit_counts_from_when_its_schedule_does)
{
    as("app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1')");
    expect("SELECT j.since = s.last_slot FROM chime.job j JOIN chime.job_state s USING (job_id)", "t");
    cluster_execute(cluster, "CREATE TABLE was AS SELECT since FROM chime.job");
    as("app", "SELECT chime.alter_job(1, command => 'SELECT 2', options => '{\"priority\": 6}')");
    expect("SELECT j.since = w.since FROM chime.job j, was w", "t");
    as("app", "SELECT chime.alter_job(1, options => '{\"timezone\": \"Europe/Berlin\"}')");
    expect("SELECT j.since > w.since FROM chime.job j, was w", "t");
    cluster_execute(cluster, "UPDATE was SET since = (SELECT since FROM chime.job)");
    as("app", "SELECT chime.alter_job(1, active => false)");
    expect("SELECT j.since = w.since FROM chime.job j, was w", "t");
    as("app", "SELECT chime.alter_job(1, active => true)");
    expect("SELECT j.since > w.since FROM chime.job j, was w", "t");
    expect("SELECT last_slot < (SELECT since FROM chime.job) FROM chime.job_state", "t"); /* that is the leader's */
}
END_TEST

START_TEST(what_the_leader_says_of_a_version_is_shown_until_the_next)
{
    as("app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1')");
    look();
    expect("SELECT chime.note_job_error(" TOKEN ", 1, 1, 'no such zone')", "t");
    expect("SELECT chime.note_job_error(" TOKEN ", 1, 1, 'no such zone')", "f");
    expect("SELECT chime.note_job_error(" TOKEN ", 1, 2, 'no such zone')", "f");
    expect(CHANGED(SEEN), "");
    expect("SELECT problem FROM chime.jobs", "no such zone");
    as("app", "SELECT chime.alter_job(1, command => 'SELECT 2')");
    expect("SELECT problem FROM chime.jobs", NULL);
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.note_job_error('" LEDGER_SQL_STALE "', 1, 2, 'x')"),
                     "CH001");
}
END_TEST

START_TEST(each_transaction_that_changes_jobs_wakes_the_leader_once)
{
    PGconn *hears = cluster_connect(cluster, "postgres");
    PQclear(PQexec(hears, "LISTEN chime_jobs"));
    as("app", "BEGIN; SELECT chime.schedule('a', '* * * * *', 'SELECT 1'), chime.schedule('b', '* * * * *', 'SELECT "
              "1'); COMMIT");
    cluster_execute(cluster, "UPDATE chime.job SET problem = 'x'");
    PQclear(PQexec(hears, "SELECT 1"));
    PQconsumeInput(hears);
    int heard = 0;
    for (PGnotify *notify = PQnotifies(hears); notify != NULL; notify = PQnotifies(hears)) {
        ck_assert_str_eq(notify->extra, "");
        heard++;
        PQfreemem(notify);
    }
    ck_assert_int_eq(heard, 1);
    PQfinish(hears);
}
END_TEST

START_TEST(names_of_two_owners_and_of_configured_jobs_never_meet)
{
    expect("SELECT chime.sql_job_key('app', 'a', 1)", "app/a");
    expect("SELECT chime.sql_job_key('app', NULL, 1)", "app#1");
    expect("SELECT chime.sql_job_key('a/b', 'c', 1)", "\"a/b\"/c");
    expect("SELECT chime.sql_job_key('a', 'b/c', 1)", "a/b/c");
    expect("SELECT chime.sql_job_key('App', 'x#1', 1)", "\"App\"/x#1");
    expect("SELECT octet_length(chime.sql_job_key(repeat('\"', 63)::name, repeat('é', 4000), 1)) <= 255", "t");
    expect("SELECT chime.sql_job_key('a', E'x\\ny', 1)", "a/x?y~16151ff14c884e2d18c9903202288ba0");
}
END_TEST

/* --- options ------------------------------------------------------------------------------------------------------ */

/* Options that only a refresh, or only a transactional job, has a use for: SQL refuses them. */
static bool is_of_refreshes(const char *name)
{
    return strcmp(name, "target_lag") == 0 || strcmp(name, "warn_after") == 0 || strcmp(name, "error_after") == 0 ||
           strncmp(name, "cursor", strlen("cursor")) == 0;
}

START_TEST(options_and_their_values_are_taken_as_the_daemon_takes_them)
{
    static const char *const values[] = {
        "skip",       "buffer_one",
        "buffer_all", "cancel_previous",
        "latest",     "none",
        "all",        "errors",
        "off",        "0",
        "1",          "9",
        "10",         "1000",
        "1001",       "-1",
        "1000000",    "1000001",
        "0s",         "1us",
        "1ms",        "24h",
        "1d",         "25h",
        "24d",        "25d",
        "365d",       "366d",
        "36500d",     "36501d",
        "1.5",        "0.2",
        "100",        "100.000001",
        "1.",         ".5",
        "1.1234567",  "08",
        "08,40001",   "40 001",
        "08 , 53",    "",
        " ",          "8",
        "run",        "first",
        "both",       "last",
        "all_done",   "none_failed",
        "one_failed", "one_success",
        "default",    "a b",
        "-x",         "UTC",
        "5 s",        "5S",
        "007",        "all_success",
        "57P0",       "at_most_once",
    };
    for (size_t n = 0; options_name(n) != NULL; n++) {
        const char *name = options_name(n);
        for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++) {
            struct job_options options;
            options_defaults(&options, false);
            char sql[200];
            snprintf(sql, sizeof(sql), "SELECT chime.option_valid('%s', '%s')", name, values[v]);
            bool zone = strcmp(name, "timezone") == 0 && strcmp(values[v], "UTC") != 0; /* SQL knows which there are */
            bool taken = options_set(&options, name, values[v], NULL) && !zone &&
                         (strcmp(name, "delivery") != 0 || strcmp(values[v], "at_most_once") == 0);
            ck_assert_msg(is_of_refreshes(name) || cluster_true(cluster, sql) == taken, "%s = \"%s\": %s in C", name,
                          values[v], taken ? "taken" : "refused");
        }
        char known[200];
        snprintf(known, sizeof(known), "SELECT chime.option_takes('%s') IS NOT NULL", name);
        ck_assert_msg(cluster_true(cluster, known) != is_of_refreshes(name), "%s", name);
    }
}
END_TEST

/* As chime.option_rule has it, by the daemon's table. Of a limit 0 is "none". */
static void put_rule(struct buffer *rule, const struct option *option)
{
    static const char *const kinds[] = {
        [OPTION_WORD] = "word",           [OPTION_DURATION] = "duration", [OPTION_LIMIT] = "limit",
        [OPTION_COUNT] = "count",         [OPTION_FACTOR] = "factor",     [OPTION_NAME] = "name",
        [OPTION_SQLSTATES] = "sqlstates", [OPTION_ZONE] = "zone"};
    bool bounded = option->kind == OPTION_DURATION || option->kind == OPTION_LIMIT || option->kind == OPTION_COUNT ||
                   option->kind == OPTION_FACTOR;
    buffer_puts(rule, kinds[option->kind]);
    if (bounded) {
        bool none = option->kind == OPTION_LIMIT && option->low == 0;
        buffer_printf(rule, " %lld %lld", none ? 1 : (long long)option->low, (long long)option->high);
    }
    bool delivery = strcmp(option->name, "delivery") == 0;
    for (size_t i = 0; i < MOST_WORDS && option->words[i] != NULL; i++) {
        if (!delivery || strcmp(option->words[i], "at_most_once") == 0) {
            buffer_printf(rule, " %s", option->words[i]);
        }
    }
}

static void expect_rule(const struct option *option)
{
    struct buffer rule = {0};
    char sql[200];
    put_rule(&rule, option);
    snprintf(sql, sizeof(sql),
             "SELECT concat_ws(' ', kind, low, high, array_to_string(words, ' ')) FROM chime.option_rule('%s')",
             option->name);
    char *found = cluster_value(cluster, sql);
    ck_assert_msg(strcmp(found, buffer_text(&rule)) == 0, "%s: \"%s\" in SQL, \"%s\" in C", option->name, found,
                  buffer_text(&rule));
    free(found);
    buffer_finish(&rule);
}

START_TEST(sql_has_the_options_of_the_daemons_table_with_their_bounds_and_words)
{
    int count = 0;
    for (size_t i = 0; option_at(i) != NULL; i++) {
        if (!is_of_refreshes(option_at(i)->name)) {
            expect_rule(option_at(i));
            count++;
        }
    }
    char *rows = cluster_value(
        cluster, "SELECT count(*) FROM regexp_matches(pg_get_function_sqlbody('chime.option_rule(text)'::regprocedure),"
                 " $$\\('[a-z_.]+'(::text)?, *'[a-z]+'$$, 'g')");
    ck_assert_int_eq(atoi(rows), count);
    free(rows);
}
END_TEST

START_TEST(options_and_settings_are_kept_as_texts_and_replaced_as_a_whole)
{
    static const struct outcome_step steps[] = {
        {"app",
         "SELECT chime.schedule('a', '* * * * *', 'SELECT 1', options => '{\"max_attempts\": 3, \"backoff\": "
         "{\"initial\":"
         " \"5s\"}, \"retry_on\": [\"08\", \"40001\"]}', settings => '{\"work_mem\": \"1MB\", \"app.tenant\": 7}')",
         "1", NULL},
        {NULL, "SELECT options, settings FROM chime.jobs",
         "{\"retry_on\": \"08,40001\", \"max_attempts\": \"3\", \"backoff.initial\": \"5s\"}|"
         "{\"work_mem\": \"1MB\", \"app.tenant\": \"7\"}",
         NULL},
        {NULL, "SELECT chime.schedule('a', '* * * * *', 'SELECT 1', options => '{\"log_runs\": \"errors\"}')", "1",
         NULL},
        {NULL, "SELECT options, settings FROM chime.jobs",
         "{\"log_runs\": \"errors\"}|{\"work_mem\": \"1MB\", \"app.tenant\": \"7\"}", NULL},
        {NULL, "SELECT chime.alter_job(1, settings => '{}')", "", NULL},
        {NULL, "SELECT options, settings FROM chime.jobs", "{\"log_runs\": \"errors\"}|{}", NULL},
        {NULL, "SELECT chime.alter_job(1, options => '{\"retries\": 3}')",
         "ERROR 22023: unknown option \"retries\"\nHINT: docs/jobs.md has a table of all; jobs that refresh views have "
         "some that"
         " a command has not",
         NULL},
        {NULL, "SELECT chime.alter_job(1, options => '{\"priority\": 0}')",
         "ERROR 22023: option \"priority\" cannot be \"0\"\nHINT: it is a whole number from 1 to 9", NULL},
        {NULL, "SELECT chime.alter_job(1, options => '{\"delivery\": \"transactional\"}')",
         "ERROR 22023: option \"delivery\" cannot be \"transactional\"\nHINT: it is one of at_most_once", NULL},
        {NULL, "SELECT chime.alter_job(1, options => '{\"priority\": 4}')",
         "ERROR 42501: must be superuser to choose a pool, or a priority before 5\nHINT: a superuser may give it to "
         "the job:"
         " SELECT chime.alter_job(JOB_ID, options => ...)",
         NULL},
        {NULL, "SELECT chime.alter_job(1, options => '{\"pool\": \"heavy\"}')",
         "ERROR 42501: must be superuser to choose a pool, or a priority before 5\nHINT: a superuser may give it to "
         "the job:"
         " SELECT chime.alter_job(JOB_ID, options => ...)",
         NULL},
        {"postgres", "SELECT chime.alter_job(1, options => '{\"pool\": \"heavy\", \"priority\": 1}')", "", NULL},
        {"app", "SELECT chime.alter_job(1, command => 'SELECT 2')", "", NULL},
        {NULL, "SELECT options FROM chime.jobs", "{\"pool\": \"heavy\", \"priority\": \"1\"}", NULL},
        {NULL, "SELECT chime.alter_job(1, options => '[1]')",
         "ERROR 22023: options are an object, not array\nHINT: write {\"attempt_timeout\": \"5min\", \"max_attempts\": "
         "3}",
         NULL},
        {NULL, "SELECT chime.alter_job(1, settings => '{\"work_men\": \"1MB\"}')",
         "ERROR 42704: there is no setting \"work_men\" that a session can set\nHINT: see: SELECT name FROM "
         "pg_settings WHERE"
         " context IN ('user', 'superuser'); a name of your own has a dot",
         NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

/* --- runs, one-shots ---------------------------------------------------------------------------------------------- */

START_TEST(a_run_is_asked_for_and_cancelled_by_its_owner)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '0 0 29 2 *', 'SELECT 1')", "1", NULL},
        {NULL, "SELECT chime.run_now('a') = chime.run_now(1)", "t", NULL},
        {"other", "SELECT chime.run_now(1)", "ERROR XX000: could not find valid entry for job 1", NULL},
        {NULL, "SELECT chime.cancel(1)", "f", NULL}, /* it has not begun, and is another's */
        {"app", "SELECT chime.cancel(1)", "t", NULL},
        {NULL, "SELECT chime.cancel(1)", "f", NULL},
        {NULL, "SELECT chime.run_now(1) IS NOT NULL", "t", NULL},
        {"postgres", "SELECT kind, requested_by FROM chime.request", "manual|app", NULL},
        {NULL,
         "INSERT INTO chime.run (run_id, job_id, kind, slot, token, epoch, pid) SELECT run_id, 1, 'manual', "
         "slot, " TOKEN ", 7, 4711 FROM"
         " chime.request RETURNING run_id",
         "2", NULL},
        {NULL, "DELETE FROM chime.request", "DELETE 1", NULL},
        {"other", "SELECT chime.cancel(2)", "f", NULL},
        {"app", "SELECT state FROM chime.job_runs", "running", NULL},
        {NULL, "SELECT chime.cancel(2, 'enough')", "t", NULL},
        {"postgres", "SELECT verb, requested_by, reason FROM chime.request", "cancel|app|enough", NULL},
        {"app", "SELECT chime.unschedule(1, stop => true)",
         "NOTICE: run 2 of this job is under way, and is asked to stop\nt", NULL},
        {"app", "SELECT chime.schedule('a', '@hourly', 'SELECT 1', active => false) > 1", "t", NULL},
        {NULL, "SELECT chime.run_now('a')",
         "ERROR 55000: job app/a is not active\nHINT: SELECT chime.alter_job(2, active => true) makes it active", NULL},
        {"other", "SELECT count(*) FROM chime.job_runs", "0", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(a_job_that_runs_once_has_one_slot_at_a_whole_second)
{
    expect("SELECT chime.schedule_once('2030-02-28 23:59:59.25Z', 'SELECT 1', job_name => 'once')", "1");
    expect("SELECT schedule FROM chime.jobs", "@at 2030-03-01T00:00:00Z");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.schedule_once('2020-01-01', 'SELECT 1')"), "22023");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.schedule_once(NULL, 'SELECT 1')"), "22023");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.schedule_once('infinity', 'SELECT 1')"), "22023");
}
END_TEST

START_TEST(the_next_slots_are_those_that_the_leader_wrote)
{
    as("app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1')");
    cluster_execute(
        cluster, "INSERT INTO chime.next_slots VALUES (1, ARRAY[now() - interval '1 hour', now() + interval '1 hour',"
                 " now() + interval '2 hours'])");
    expect("SELECT count(*) FROM chime.upcoming WHERE slot > now()", "2");
    expect("SELECT next_slot = (SELECT slots[2] FROM chime.next_slots) FROM chime.jobs", "t");
    as("app", "SELECT chime.alter_job(1, active => false)");
    expect("SELECT next_slot FROM chime.jobs", NULL);
    expect("SELECT count(*) FROM chime.upcoming", "0");
}
END_TEST

START_TEST(runs_go_when_their_job_keeps_them_no_longer_and_jobs_a_month_after_they_were_taken_away)
{
    as("app", "SELECT chime.schedule('short', '@hourly', 'SELECT 1', keep => '1 day'), chime.schedule('long', "
              "'@hourly', 'x')");
    cluster_execute(cluster,
                    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at)"
                    " SELECT n, j, 'schedule', now() - n * interval '10 hours', 'succeeded', 1, 7, now() FROM"
                    " generate_series(1, 4) n, generate_series(1, 2) j");
    expect("SELECT chime.forget_runs(" TOKEN ", 10, 0)", NULL);
    expect("SELECT string_agg(job_name || ' ' || count, ';' ORDER BY job_name)"
           " FROM (SELECT job_name, count(*) FROM chime.job_runs GROUP BY 1) c",
           "long 4;short 2");
    expect("SELECT keep FROM chime.jobs WHERE job_id = 1", "1 day");
    as("app", "SELECT chime.unschedule(1), chime.unschedule(2)");
    cluster_execute(cluster, "UPDATE chime.job SET removed_at = now() - interval '32 days' WHERE job_id = 1");
    expect("SELECT chime.forget_jobs(" TOKEN ", 10)", NULL);
    expect("SELECT string_agg(name, ';') FROM chime.job", "app/long");
}
END_TEST

START_TEST(runs_that_somebody_holds_are_forgotten_the_next_time)
{
    as("app", "SELECT chime.schedule('a', '@hourly', 'SELECT 1', keep => '1 day')");
    cluster_execute(cluster,
                    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at)"
                    " SELECT n, 1, 'schedule', now() - n * interval '2 days', 'succeeded', 1, 7, now() FROM"
                    " generate_series(1, 3) n");
    PGconn *holds = cluster_connect(cluster, "postgres");
    PQclear(PQexec(holds, "BEGIN; DELETE FROM chime.run_history WHERE run_id = 2"));
    cluster_execute(cluster, "SET lock_timeout = '1ms'");
    expect("SELECT chime.forget_runs(" TOKEN ", 10, 0)", NULL);
    expect("SELECT string_agg(run_id::text, ';') FROM chime.run_history", "2");
    PQclear(PQexec(holds, "ROLLBACK"));
    PQfinish(holds);
    expect("SELECT chime.forget_runs(" TOKEN ", 10, 0)", NULL);
    expect("SELECT count(*) FROM chime.run_history", "0");
}
END_TEST

/* --- hostile roles ------------------------------------------------------------------------------------------------ */

START_TEST(nobody_speaks_for_another)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '* * * * *', 'SELECT 1')", "1", NULL},
        {"other",
         "INSERT INTO chime.job_call (caller, verb, arguments) VALUES ('app', 'unschedule', '{\"job_id\": 1}')",
         "ERROR 42501: permission denied for view job_call", NULL},
        {NULL, "INSERT INTO chime.job_call (verb, arguments) VALUES ('unschedule', '{\"job_id\": 1}')",
         "ERROR XX000: could not find valid entry for job 1", NULL},
        {NULL,
         "INSERT INTO chime.job_call (verb, arguments) VALUES ('schedule', '{\"job_id\": 1, \"username\": \"app\","
         " \"schedule\": \"* * * * *\", \"command\": \"x\"}')",
         "ERROR XX000: must be superuser to create a job for another role", NULL},
        {NULL,
         "INSERT INTO chime.job_call (verb, arguments) VALUES ('schedule', '{\"database\": \"template1\","
         " \"schedule\": \"* * * * *\", \"command\": \"x\"}')",
         "ERROR 42501: must be superuser to run a job in another database\nHINT: make the job in database "
         "\"template1\"; or let an"
         " administrator grant EXECUTE on cron.schedule_in_database",
         NULL},
        {NULL, "SELECT chime.schedule_job('app', '{}')", "ERROR 42501: permission denied for function schedule_job",
         NULL},
        {NULL, "SELECT chime.unschedule_job('app', '{}')", "ERROR 42501: permission denied for function unschedule_job",
         NULL},
        {NULL, "SELECT count(*) FROM chime.job", "ERROR 42501: permission denied for table job", NULL},
        {NULL, "SELECT chime.changed_jobs(NULL, NULL)", "ERROR 42501: permission denied for function changed_jobs",
         NULL},
        {"app", "CREATE TABLE public.mine (caller name, verb text, arguments jsonb, answer jsonb)", "CREATE TABLE",
         NULL},
        {NULL, "CREATE TRIGGER mine BEFORE INSERT ON public.mine FOR EACH ROW EXECUTE FUNCTION chime.answer_call()",
         "ERROR 42501: permission denied for function chime.answer_call", NULL},
        {NULL,
         "CREATE TRIGGER mine BEFORE INSERT ON chime.job_call FOR EACH STATEMENT EXECUTE FUNCTION chime.name_caller()",
         "ERROR 42501: permission denied for view job_call", NULL},
        {NULL, "SELECT count(*) FROM chime.jobs", "1", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

/* What a role makes in its pg_temp must not be taken for a relation, type or operator of pg_catalog by what runs as the
 * daemon's role. */
START_TEST(temporary_objects_of_a_caller_are_not_taken_for_the_servers)
{
    static const struct outcome_step steps[] = {
        {"app",
         "CREATE TEMP TABLE pg_roles (rolname name, oid oid, rolsuper boolean, rolcanlogin boolean, rolbypassrls "
         "boolean);"
         " INSERT INTO pg_roles SELECT 'app', oid, true, true, true FROM pg_catalog.pg_roles WHERE rolname = 'app';"
         " INSERT INTO pg_roles VALUES ('other', 1, true, true, true)",
         "INSERT 0 1", NULL},
        {NULL,
         "CREATE FUNCTION public.steal(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'as %', "
         "current_user;"
         " RETURN true; END$$",
         "CREATE FUNCTION", NULL},
        {NULL, "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (public.steal(VALUE))", "CREATE DOMAIN", NULL},
        {NULL, "CREATE DOMAIN pg_temp.name AS pg_catalog.name CHECK (public.steal(VALUE::pg_catalog.text))",
         "CREATE DOMAIN", NULL},
        {NULL, "CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (public.steal(VALUE::pg_catalog.text))",
         "CREATE DOMAIN", NULL},
        {NULL,
         "CREATE TEMP TABLE pg_database (datname name); CREATE TEMP TABLE pg_settings (name name, context "
         "pg_catalog.text);"
         " CREATE TEMP TABLE pg_proc (oid oid, proname name, pronamespace oid); CREATE TEMP TABLE pg_class (oid oid, "
         "relowner oid)",
         "CREATE TABLE", NULL},
        {NULL, "SELECT chime.schedule('a', '1-5 * * * *', 'SELECT 1', username => 'other')",
         "ERROR XX000: must be superuser to create a job for another role", NULL},
        {NULL,
         "SELECT chime.schedule('a', '1-5 * * * *', 'SELECT 1', options => '{\"priority\": 7, \"timezone\": "
         "\"Europe/Berlin\"}',"
         " settings => '{\"work_mem\": \"1MB\"}')",
         "1", NULL},
        {NULL, "SELECT chime.schedule('b', '@every 5m', 'SELECT 1', after => '{a}')", "2", NULL},
        {NULL, "SELECT chime.alter_job(2, schedule => '@at 2030-01-01 00:00', command => 'SELECT 2')", "", NULL},
        {NULL, "SELECT chime.run_now(1) IS NOT NULL, chime.cancel(1), chime.unschedule('b')", "t|t|t", NULL},
        {NULL, "SELECT chime.schedule_valid('* * * * *'), chime.schedule_problem('5 minutes') IS NULL", "t|f", NULL},
        {NULL, "SELECT count(*) FROM chime.jobs", "1", NULL},
        {"other", "SELECT count(*) FROM chime.jobs", "0", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(a_condition_of_a_reader_sees_no_row_of_another)
{
    as("other", "SELECT chime.schedule('secret', '* * * * *', 'SELECT ''the secret''')");
    static const struct outcome_step steps[] = {
        {"app",
         "CREATE FUNCTION public.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$BEGIN RAISE NOTICE 'saw "
         "%', $1;"
         " RETURN true; END$$",
         "CREATE FUNCTION", NULL},
        {NULL, "SELECT count(*) FROM chime.jobs WHERE public.peek(command)", "0", NULL},
        {NULL, "SELECT count(*) FROM chime.job_runs WHERE public.peek(job_name)", "0", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(an_edit_that_stays_open_holds_up_no_claim)
{
    as("other", "SELECT chime.schedule('theirs', '* * * * *', 'SELECT 1')");
    as("app", "SELECT chime.schedule('ours', '* * * * *', 'SELECT 1')");
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(0)");
    PGconn *hostile = cluster_connect(cluster, "postgres");
    PQclear(PQexec(hostile, "SET SESSION AUTHORIZATION app"));
    PQclear(PQexec(hostile, "BEGIN; SELECT chime.alter_job(2, schedule => '@hourly'); SELECT chime.run_now(2)"));
    cluster_execute(cluster, "SET lock_timeout = '1ms'");
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    expect("SELECT claim(2, 'schedule', 0, 1)", "granted"); /* the edit is not committed */
    expect("SELECT finish(2, 'schedule', 1, 'succeeded', 'all')", "t");
    PQclear(PQexec(hostile, "COMMIT"));
    expect("SELECT claim(2, 'schedule', 1, 2)", "granted"); /* the helper names the newest version */
    PQfinish(hostile);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs made by SQL");
    TCase *leader = tcase_create("the leader");
    TCase *people = tcase_create("people");
    tcase_add_checked_fixture(leader, set_up, tear_down);
    tcase_set_timeout(leader, 120);
    tcase_add_test(leader, the_leader_is_told_what_changed_since_it_looked_and_no_more);
    tcase_add_test(leader, an_edit_that_commits_late_is_told_when_it_does);
    tcase_add_test(leader, what_is_told_costs_what_changed_and_not_what_there_is);
    tcase_add_test(leader, an_edit_counts_from_when_its_schedule_does);
    tcase_add_test(leader, what_the_leader_says_of_a_version_is_shown_until_the_next);
    tcase_add_test(leader, each_transaction_that_changes_jobs_wakes_the_leader_once);
    tcase_add_test(leader, names_of_two_owners_and_of_configured_jobs_never_meet);
    suite_add_tcase(suite, leader);
    tcase_add_checked_fixture(people, set_up, tear_down);
    tcase_set_timeout(people, 120);
    tcase_add_test(people, options_and_their_values_are_taken_as_the_daemon_takes_them);
    tcase_add_test(people, sql_has_the_options_of_the_daemons_table_with_their_bounds_and_words);
    tcase_add_test(people, options_and_settings_are_kept_as_texts_and_replaced_as_a_whole);
    tcase_add_test(people, a_run_is_asked_for_and_cancelled_by_its_owner);
    tcase_add_test(people, a_job_that_runs_once_has_one_slot_at_a_whole_second);
    tcase_add_test(people, the_next_slots_are_those_that_the_leader_wrote);
    tcase_add_test(people, runs_go_when_their_job_keeps_them_no_longer_and_jobs_a_month_after_they_were_taken_away);
    tcase_add_test(people, runs_that_somebody_holds_are_forgotten_the_next_time);
    tcase_add_test(people, nobody_speaks_for_another);
    tcase_add_test(people, temporary_objects_of_a_caller_are_not_taken_for_the_servers);
    tcase_add_test(people, a_condition_of_a_reader_sees_no_row_of_another);
    tcase_add_test(people, an_edit_that_stays_open_holds_up_no_claim);
    suite_add_tcase(suite, people);
    return suite_run(suite);
}
