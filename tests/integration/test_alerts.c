/* SPDX-License-Identifier: PostgreSQL */
/* Alerts: what the ledger makes of looks, by its function alone; and a daemon that looks, tells, and hands over. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shell.h"
#include "model/alert_names.h"
#include "report/problems.h"
#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *output;
static char *errors;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 2);
    site_job(site, "quiet", NEVER_DUE "command = \"SELECT 1\"; database = \"main\";");
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
    output = errors = NULL;
}

/* --- the ledger's part: no daemon runs ---------------------------------------------------------------------------- */

#define TOKEN "'11111111-1111-1111-1111-111111111111'"
#define LEAD_BY_HAND "UPDATE chime.leader SET token = " TOKEN ", epoch = 7"
#define NOTE_BY(token, found, looked)                                                                                \
    "SELECT coalesce(string_agg(concat_ws(' ', rule, nullif(subject, ''), severity, state, CASE WHEN silenced THEN " \
    "'silenced' END), ', '), '-') FROM chime.note_alerts(" token ", ARRAY['" found "']::jsonb[], '" looked "')"
#define NOTE(found) NOTE_BY(TOKEN, found, "{slow,deep}")
#define EXPECT_NOTED(found, expected) EXPECT_SQL(cluster, NOTE(found), expected)
#define SLOW_A "{\"rule\": \"slow\", \"subject\": \"a\", \"summary\": \"it is slow\"}"

static void lead_by_hand(const char *rules)
{
    cluster_execute(cluster, LEAD_BY_HAND);
    cluster_execute_format(cluster, "SELECT chime.set_alert_rules(" TOKEN ", '%s')", rules);
}

#define RULES                                                                                                        \
    "[{\"name\": \"slow\", \"condition\": \"x\", \"view_schema\": \"public\", \"severity\": \"warning\"},"           \
    " {\"name\": \"deep\", \"condition\": \"x\", \"view_schema\": \"public\", \"severity\": \"critical\", \"hold\":" \
    " \"1 h\"}]"

START_TEST(an_alert_fires_once_and_is_resolved_by_the_second_quiet_look)
{
    lead_by_hand(RULES);
    EXPECT_NOTED("[" SLOW_A "]", "slow a warning firing");
    EXPECT_NOTED("[" SLOW_A "]", "-");
    EXPECT_NOTED("[]", "-");
    EXPECT_NOTED("[" SLOW_A "]", "-"); /* it was there again: nothing happened */
    EXPECT_NOTED("[]", "-");
    EXPECT_SQL(cluster, "SELECT state FROM chime.alerts", "firing");
    EXPECT_NOTED("[]", "slow a warning resolved");
    EXPECT_NOTED("[]", "-");
    EXPECT_SQL(cluster, "SELECT string_agg(state, ' ' ORDER BY event_id) || max(epoch) FROM chime.alert_event",
               "firing resolved7");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert", "0");
    EXPECT_SQL(cluster, "SELECT labels - 'database' FROM chime.alert_event LIMIT 1",
               "{\"subject\": \"a\", \"severity\": \"warning\", \"alertname\": \"slow\"}");
}
END_TEST

START_TEST(an_alert_with_a_hold_is_pending_before_and_subjects_are_apart)
{
    lead_by_hand(RULES);
    EXPECT_NOTED("[{\"rule\": \"deep\"}, " SLOW_A "]", "deep critical pending, slow a warning firing");
    EXPECT_NOTED("[{\"rule\": \"deep\"}, {\"rule\": \"slow\", \"subject\": \"b\"}]", "slow b warning firing");
    cluster_execute(cluster, "UPDATE chime.alert SET since = since - interval '61 min' WHERE rule = 'deep'");
    EXPECT_NOTED("[{\"rule\": \"deep\"}]", "deep critical firing, slow a warning resolved");
    EXPECT_NOTED("[{\"rule\": \"deep\"}]", "slow b warning resolved");
    EXPECT_NOTED("[{\"rule\": \"deep\"}, {\"rule\": \"riddle\"}]", "-");
    cluster_execute(cluster, "DELETE FROM chime.alert");
    EXPECT_NOTED("[{\"rule\": \"deep\"}]", "deep critical pending");
    EXPECT_NOTED("[]", "deep critical inactive");
    EXPECT_SQL(cluster, NOTE_BY(TOKEN, "[{\"rule\": \"unled\"}]", "{unled}"), "unled critical firing");
    EXPECT_SQL(cluster, "SELECT labels ->> 'database' = current_database() FROM chime.alert WHERE rule = 'unled'", "t");
    EXPECT_SQL(cluster, NOTE_BY(TOKEN, "[]", "{unled}"), "-");
    EXPECT_SQL(cluster, NOTE_BY(TOKEN, "[]", "{unled}"), "unled critical resolved");
    /* Who was not asked says nothing; whose rule is gone ends at once. */
    EXPECT_NOTED("[" SLOW_A "]", "slow a warning firing");
    EXPECT_SQL(cluster, NOTE_BY(TOKEN, "[]", "{deep}"), "-");
    EXPECT_SQL(cluster, NOTE_BY(TOKEN, "[]", "{deep}"), "-");
    cluster_execute(cluster, "SELECT chime.set_alert_rules(" TOKEN ", '[{\"name\": \"slow\", \"condition\": \"x\","
                             " \"enabled\": false}]')");
    EXPECT_NOTED("[" SLOW_A "]", "slow a warning resolved");
}
END_TEST

/* What was written by a clock that was a month ahead. */
START_TEST(a_clock_that_was_ahead_holds_up_no_alert)
{
    lead_by_hand(RULES);
    EXPECT_NOTED("[{\"rule\": \"deep\"}]", "deep critical pending");
    cluster_execute(cluster, "UPDATE chime.alert SET since = since + interval '30 days'");
    EXPECT_NOTED("[{\"rule\": \"deep\"}]", "-");
    EXPECT_SQL(cluster, "SELECT since <= now() FROM chime.alert", "t"); /* the hold begins anew */
    cluster_execute(cluster, "UPDATE chime.alert SET since = since - interval '61 min'");
    EXPECT_NOTED("[{\"rule\": \"deep\"}]", "deep critical firing");
    cluster_execute(cluster,
                    "INSERT INTO chime.job (name, origin, command) VALUES ('early', 'config', 'SELECT 1');"
                    "INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM chime.job;"
                    "INSERT INTO chime.missed SELECT job_id, now(), now(), 3, 'nothing led when it was due', 1,"
                    " now() + interval '30 days' FROM chime.job WHERE name = 'early'");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.jobs_found() WHERE rule = 'job-missed'", "0");
}
END_TEST

START_TEST(a_higher_severity_is_told_and_nobody_notes_who_does_not_lead)
{
    lead_by_hand(RULES);
    EXPECT_NOTED("[" SLOW_A "]", "slow a warning firing");
    EXPECT_NOTED("[{\"rule\": \"slow\", \"subject\": \"a\", \"severity\": \"critical\"}]", "slow a critical firing");
    EXPECT_NOTED("[{\"rule\": \"slow\", \"subject\": \"a\", \"severity\": \"critical\"}]", "-");
    EXPECT_NOTED("[" SLOW_A "]", "-"); /* on the border of the two it is told once */
    EXPECT_SQL(cluster, "SELECT severity || (labels ->> 'severity') FROM chime.alert", "criticalcritical");
    cluster_execute(cluster, "UPDATE chime.leader SET token = gen_random_uuid(), epoch = 8");
    ck_assert_str_eq(cluster_sqlstate(cluster, NOTE("[]")), "CH001");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert_event", "2");
}
END_TEST

START_TEST(a_silence_keeps_alerts_from_being_told_and_not_from_being_kept)
{
    PGconn *listener = cluster_connect(cluster, "postgres");
    lead_by_hand(RULES);
    session_execute(listener, "LISTEN chime_alerts");
    cluster_execute(cluster, "INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES"
                             " ('{\"subject\": \"a_*\"}', now() + interval '1 h', 'me', 'test'),"
                             " ('{\"job\": \"*\"}', now() + interval '1 h', 'me', 'for what is about a job')");
    EXPECT_NOTED("[{\"rule\": \"slow\", \"subject\": \"a_1\"}, {\"rule\": \"slow\", \"subject\": \"ab1\"}]",
                 "slow a_1 warning firing silenced, slow ab1 warning firing");
    EXPECT_SQL(cluster,
               "SELECT string_agg(subject || (silence_id IS NOT NULL), ' ' ORDER BY subject) FROM chime.alerts",
               "a_1true ab1false");
    cluster_execute(cluster, "UPDATE chime.silence SET since = now() - interval '2 s', until = now() - interval '1 s'");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alerts WHERE silence_id IS NOT NULL", "0");
    PQclear(PQexec(listener, "SELECT 1"));
    PGnotify *told = PQnotifies(listener);
    ck_assert_ptr_nonnull(told);
    char *event = files_path(
        "SELECT e.subject FROM chime.alert_event e WHERE to_jsonb(e) -> 'event_id' = '%s'::jsonb ->"
        " 'event'",
        told->extra);
    EXPECT_SQL(cluster, event, "ab1");
    ck_assert_msg(strstr(told->extra, "ab1") == NULL, "%s", told->extra); /* anybody hears it */
    free(event);
    PQfreemem(told);
    ck_assert_ptr_null(PQnotifies(listener));
    ck_assert_str_eq(cluster_sqlstate(cluster, "INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES"
                                               " ('{}', now() + interval '1 h', 'me', 'all of them')"),
                     "23514");
    ck_assert_str_eq(cluster_sqlstate(cluster, "INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES"
                                               " ('{\"a\": \"b\"}', now() + interval '1 year', 'me', 'for ever')"),
                     "23514");
    PQfinish(listener);
}
END_TEST

/* --- what standard rules find: each fault is planted alone, and nothing else is found ----------------------------- */

static const struct {
    const char *fault, *rule, *summary;
} faults[] = {
    {"UPDATE chime.job_state SET consecutive_failures = 1, failures = 1, runs = 1 WHERE job_id = 1", "job-failed one",
     "%"},
    {"UPDATE chime.job_state SET failures = 3, runs = 9 WHERE job_id = 1", "job-failed one",
     "it failed 3 times since the look before; its last run succeeded"},
    {"INSERT INTO chime.alert_job VALUES (1, 6, now() - interval '10 min', 10, 0);"
     "UPDATE chime.job_state SET failures = 6, runs = 35 WHERE job_id = 1",
     "job-failure-rate one", "6 of 25 runs failed since %"},
    {"UPDATE chime.job_state SET consecutive_failures = 4 WHERE job_id = 2; INSERT INTO chime.alert_job SELECT 2, 4, "
     "now(), 0, 0; DELETE FROM chime.alert_rule WHERE name = 'job-failed'",
     "job-failed two, view-refresh-failing two", "%"},
    {"UPDATE chime.job SET since = now() - interval '3 h', options = '{\"expect_success_within\": \"2h\"}' WHERE "
     "job_id "
     "= 1",
     "job-overdue one", "no success since %"},
    {"UPDATE chime.job SET options = '{\"expect_duration\": \"5s\"}' WHERE job_id = 1; UPDATE chime.job_state SET "
     "last_outcome = 'succeeded', last_duration_us = 7000000 WHERE job_id = 1",
     "job-slow one", "its last run has taken 7 s; 5.0 s are expected"},
    {"UPDATE chime.job_state SET successes = 20, typical_us = 1000000, spread_us = 500000 WHERE job_id = 1; INSERT "
     "INTO "
     "chime.run (job_id, kind, slot, token, epoch, pid, claimed_at) VALUES (1, 'schedule', now(), gen_random_uuid(), "
     "7, "
     "1, now() - interval '60 s')",
     "job-slow one", "its run has taken 60 s; 34.0 s are usual at most"},
    {"UPDATE chime.job SET options = '{\"expect_min_duration\": \"10s\"}' WHERE job_id = 1; UPDATE chime.job_state SET "
     "last_outcome = 'succeeded', last_duration_us = 40000 WHERE job_id = 1",
     "job-quick one", "its last run took 0.0 s; 10.0 s or more are expected"},
    {"UPDATE chime.job SET options = '{\"expect_rows\": \"1\"}' WHERE job_id = 1; UPDATE chime.job_state SET "
     "last_outcome = 'succeeded', last_rows = 0 WHERE job_id = 1",
     "job-rows one", "its last run had 0 rows; 1 or more are expected"},
    {"UPDATE chime.job_state SET skipped_in_a_row = 5 WHERE job_id = 1", "job-skipped one",
     "5 slots in a row were skipped"},
    {"INSERT INTO chime.missed VALUES (1, now(), now(), 3, 'nothing led when it was due', 7)", "job-missed one",
     "3 slots, the last at %: nothing led when it was due"},
    {"UPDATE chime.job_state SET suspended_at = now(), suspend_reason = '10 runs failed in a row' WHERE job_id = 1",
     "job-suspended one", "suspended since %: 10 runs failed in a row"},
    {"UPDATE chime.job SET problem = E'no such role\\nHINT: none' WHERE job_id = 1", "job-refused one", "no such role"},
    {"UPDATE chime.job_state SET last_slot = now() + interval '1 day' WHERE job_id = 1", "clock-ahead one",
     "decided up to %"},
    {"UPDATE chime.listener SET state = 'degraded', reason = 'too many connections'", "events-unheard",
     "too many connections"},
    {"INSERT INTO chime.leadership VALUES (6, 'a', 1, now() - interval '1 h', now() - interval '10 min', true);"
     "UPDATE chime.leader SET since = now()",
     "unled", "nobody led from % to %"},
    {"INSERT INTO chime.plugin (name, version, summary, view_schema, source_schema, state, reason, settings) VALUES"
     " ('p', '1', '', 'v', 's', 'failed', 'no table', '{}')",
     "plugin-failed p", "no table"},
    {"DO $$ BEGIN EXECUTE format('ALTER ROLE %I CONNECTION LIMIT 1', current_user); END $$", "sessions role postgres",
     "% of 1 sessions are in use"},
};

/* `check` knows the names without a database. */
START_TEST(the_names_of_standard_rules_are_those_of_the_ledger)
{
    char *names = cluster_value(cluster, "SELECT string_agg(name, ' ' ORDER BY name COLLATE \"C\") || ' ' FROM "
                                         "chime.standard_rules()");
    const char *at = names;
    for (size_t i = 0; alert_standard_names[i] != NULL; i++) {
        size_t length = strlen(alert_standard_names[i]);
        ck_assert_msg(strncmp(at, alert_standard_names[i], length) == 0 && at[length] == ' ', "%s, not %s",
                      alert_standard_names[i], at);
        at += length + 1;
    }
    ck_assert_str_eq(at, "");
    free(names);
}
END_TEST

/* Nothing is found while all is well, nor of what people did themselves. */
START_TEST(each_fault_is_found_and_nothing_else)
{
    lead_by_hand("[]");
    cluster_execute(
        cluster,
        "INSERT INTO chime.job (name, origin, command, schedule) VALUES ('one', 'config', 'SELECT 1', '@daily');"
        "INSERT INTO chime.job (name, origin, views) VALUES ('two', 'config', '{a.b}');"
        "INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM chime.job;"
        "UPDATE chime.job_state SET suspended_at = now(), suspended_by = 'ann', consecutive_failures = 9"
        " WHERE job_id = 2");
    EXPECT_SQL(cluster, "SELECT found FROM chime.evaluate_alerts()", NULL);
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_at = NULL, suspended_by = NULL,"
                             " consecutive_failures = 0");
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        cluster_execute(cluster, "BEGIN");
        cluster_execute(cluster, faults[i].fault);
        char *rules = cluster_value(cluster, "SELECT string_agg(trim((f ->> 'rule') || ' ' || (f ->> 'subject')), ', '"
                                             " ORDER BY f ->> 'rule') FROM chime.evaluate_alerts() l,"
                                             " jsonb_array_elements(l.found) f");
        ck_assert_msg(rules != NULL && strcmp(rules, faults[i].rule) == 0, "%s\nfinds %s", faults[i].fault, rules);
        char *fits = files_path("SELECT bool_and(f ->> 'summary' LIKE '%s') FROM chime.evaluate_alerts() l,"
                                " jsonb_array_elements(l.found) f",
                                faults[i].summary);
        EXPECT_SQL(cluster, fits, "t");
        cluster_execute(cluster, "ROLLBACK");
        free(rules);
        free(fits);
    }
}
END_TEST

START_TEST(many_failures_of_one_role_hide_none_of_another)
{
    lead_by_hand("[]");
    cluster_execute(
        cluster, "INSERT INTO chime.job (name, owner, origin, command) SELECT 'a' || n, 'many', 'sql', 'SELECT 1'"
                 " FROM generate_series(1, 300) n; INSERT INTO chime.job (name, origin, command) VALUES ('z', 'config',"
                 " 'SELECT 1'); INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM chime.job"
                 " ON CONFLICT DO NOTHING; UPDATE chime.job_state SET failures = 1, consecutive_failures = 1");
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || bool_or(subject = 'z') FROM chime.jobs_found()", "101 true");
}
END_TEST

/* In `status` and `doctor`, as what mends it; one that somebody silenced is not. */
START_TEST(what_fires_is_a_problem_and_many_of_a_rule_hide_no_other)
{
    lead_by_hand("[]");
    cluster_execute(
        cluster,
        "INSERT INTO chime.alert (rule, subject, severity, state, since, fired_at, changed_at, summary, labels) SELECT"
        " 'job-skipped', '%s $(x)' || n, 'warning', 'firing', now(), now(), now(), 's', '{}'::jsonb FROM "
        "generate_series(1, "
        "12)"
        " n UNION ALL SELECT 'job-rows', 'z', 'warning', 'firing', now(), now() + interval '1 s', now(), 's', '{}'"
        " UNION ALL SELECT 'job-slow', 'known', 'warning', 'firing', now(), now(), now(), 's', '{\"job\": \"known\"}'"
        " UNION ALL SELECT 'job-overdue', 'soon', 'warning', 'pending', now(), NULL, now(), 's', '{}';"
        "INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES ('{\"job\": \"known\"}', now() + interval"
        " '1 h', 'ann', 'known')");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT rule, ' ') FROM chime.alert_problems()", "job-rows job-skipped");
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || max(message) FILTER (WHERE subject IS NULL) FROM chime.alert_problems()",
               "12 2 more alerts job-skipped fire");
    EXPECT_SQL(cluster, "SELECT way_out FROM chime.alert_problems() WHERE subject = 'z'",
               "see what its text reads; then pgchime run z; a smaller expect_rows, if there may be so few");
    EXPECT_SQL(cluster,
               "SELECT way_out LIKE 'pgchime why ''%s $(x)1'' says%' FROM chime.alert_problems() WHERE "
               "subject = '%s $(x)1'",
               "t");
}
END_TEST

static char *said_by_shell(const char *command)
{
    static char said[256];
    FILE *stream = popen(command, "r");
    ck_assert_ptr_nonnull(stream);
    said[fread(said, 1, sizeof(said) - 1, stream)] = '\0';
    ck_assert_int_eq(pclose(stream), 0);
    return files_path("%s", said);
}

/* Who makes a job names it as they like, and hints are for a shell: as it takes the word, so it was. */
START_TEST(hints_name_jobs_as_a_shell_takes_them)
{
    static const char *const words[] = {
        "nightly", "ann/totals-2.5",   "",     "-x", "=ls", "x; touch /tmp/y", "it's", "'",
        "a'b'c",   "`id` $(id) \\ \"", "a\nb", "~",  "*",   "\u00e4"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        char *word = shell_word(words[i]);
        char *sql = files_path("SELECT chime.shell_word($w$%s$w$)", words[i]);
        EXPECT_SQL(cluster, sql, word);
        char *command = files_path("printf %%s %s", word);
        char *taken = said_by_shell(command);
        ck_assert_str_eq(taken, words[i]);
        free(word);
        free(sql);
        free(command);
        free(taken);
    }
    lead_by_hand("[]");
    cluster_execute(cluster,
                    "INSERT INTO chime.job (name, job_name, owner, origin, command) VALUES ('', 'x; touch y', 'ann',"
                    " 'sql', 'SELECT 1'); INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now()"
                    " FROM chime.job ON CONFLICT DO NOTHING; UPDATE chime.job_state SET suspended_at = now()");
    EXPECT_SQL(cluster, "SELECT way_out FROM (" JOB_PROBLEMS_SQL ") AS p (message, way_out)",
               "mend what fails; then pgchime resume 'ann/x; touch y' lets it run again");
}
END_TEST

#define SUSPEND_ALL(count, owner, words)                                                                          \
    "INSERT INTO chime.job (name, owner, origin, command) SELECT 'a' || n, " owner ", 'sql', 'SELECT 1'"          \
    " FROM generate_series(1, " count ") n; INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now()" \
    " FROM chime.job ON CONFLICT DO NOTHING; UPDATE chime.job_state SET suspended_at = now(), suspend_reason = "  \
    "coalesce(suspend_reason, " words ")"

START_TEST(what_many_failing_jobs_say_is_cut)
{
    lead_by_hand("[]");
    cluster_execute(cluster, SUSPEND_ALL("100", "'one'", "repeat(E'\\x01', 8000)"));
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', count(*), max(length(summary)), bool_or(summary ~ '[[:cntrl:]]')) FROM"
               " chime.jobs_found()",
               "100 1000 f");
    EXPECT_SQL(cluster, "SELECT octet_length(found::text) < 200000 FROM chime.evaluate_alerts()", "t");
    /* And ninety owners more of a hundred each. */
    cluster_execute(cluster, SUSPEND_ALL("9000", "'r' || n % 90", "repeat(chr(65536), 2000)"));
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', count(*), max(length(summary))) FROM chime.jobs_found()", "9100 100");
}
END_TEST

/* --- what a condition reads is whose the table is ----------------------------------------------------------------- */

#define TOLD_RULES                                                                                            \
    "[{\"name\": \"slow\", \"condition\": \"SELECT bad, who AS subject, value, words AS summary FROM told\"," \
    " \"view_schema\": \"public\"}, {\"name\": \"deep\", \"condition\": \"SELECT words::integer > 0 FROM"     \
    " told\", \"view_schema\": \"public\"}]"

static void look_and_note(const char *expected)
{
    char *found = cluster_value(cluster, "SELECT chime.evaluate_condition('slow')");
    char *note = files_path(NOTE("%s"), found);
    EXPECT_SQL(cluster, note, expected);
    free(found);
    free(note);
}

static void told_is(const char *rows)
{
    cluster_execute(cluster, "TRUNCATE told");
    cluster_execute_format(cluster, "INSERT INTO told %s", rows);
}

START_TEST(who_writes_what_a_condition_reads_ends_no_alert)
{
    lead_by_hand(TOLD_RULES);
    cluster_execute(cluster, "CREATE TABLE told (bad boolean, who text, value numeric, words text)");
    told_is("VALUES (true, 'a', 1e400, 'x'), (true, 'b', 1e-400, 'x'), (true, 'c', 0, 'x'), (true, 'd', -7.5, 'x')");
    look_and_note("slow a warning firing, slow b warning firing, slow c warning firing, slow d warning firing");
    EXPECT_SQL(cluster, "SELECT string_agg(coalesce(value::text, '-'), ' ' ORDER BY subject) FROM chime.alert",
               "- - 0 -7.5");
    told_is("VALUES (true, repeat('s', 17000000), NULL, repeat('w', 17000000))");
    EXPECT_SQL(cluster,
               "SELECT length(r ->> 'subject') || ' ' || length(r ->> 'summary') FROM"
               " jsonb_array_elements(chime.evaluate_condition('slow')) r",
               "255 1000");
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || count(DISTINCT r ->> 'subject') FROM"
               " jsonb_array_elements(chime.evaluate_condition('slow')) r",
               "1 1");
    cluster_execute(cluster, "CREATE FUNCTION error_of(rule text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
                             " PERFORM chime.evaluate_condition(rule); RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN"
                             " SQLSTATE || ' ' || length(SQLERRM) || ' ' || left(SQLERRM, 36); END $$");
    EXPECT_SQL(cluster, "SELECT error_of('deep')", "22P02 1000 invalid input syntax for type intege");
    told_is("SELECT false, 'f' || n FROM generate_series(1, 20000) n; INSERT INTO told VALUES (true, 'there')");
    EXPECT_SQL(cluster, "SELECT chime.evaluate_condition('slow') #>> '{0,subject}'", "there");
    told_is("SELECT true, 't' || n FROM generate_series(1, 20000) n");
    EXPECT_SQL(cluster, "SELECT jsonb_array_length(chime.evaluate_condition('slow'))", "100");
}
END_TEST

/* --- a daemon looks ----------------------------------------------------------------------------------------------- */

#define EVENTS(rule, subject)                                                                             \
    "SELECT string_agg(state, ' ' ORDER BY event_id) FROM chime.alert_event WHERE rule = '" rule "' AND " \
    "subject = '" subject "'"

#define BREAK_LOOKS(how)                                                                                          \
    "CREATE OR REPLACE FUNCTION chime.alert_conditions() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN PERFORM" \
    " " how "; RETURN; END $$"
#define MEND_LOOKS \
    "CREATE OR REPLACE FUNCTION chime.alert_conditions() RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL WHERE false'"

/* Else `status` would say that all is well while no alert can fire. */
START_TEST(looks_that_fail_are_an_alert)
{
    site_file(site, "alerts", "alerts: { alerts-failing: { hold = \"0s\"; }; };");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) > 30 FROM chime.alert_rule", "t", 60);
    cluster_execute(cluster, BREAK_LOOKS("1 / 0"));
    WAIT_SQL(cluster, EVENTS("alerts-failing", ""), "firing", 60);
    ASSERT_RUN(8, "status");
    commands_has(errors, "alert alerts-failing fires since ");
    commands_has(errors, ": division by zero");
    ASSERT_RUN(8, "doctor", "-o", "csv");
    commands_has(output, "alerts-failing,alert,warn,");
    commands_has(output, "mend what it says");
    cluster_execute(cluster, BREAK_LOOKS("pg_terminate_backend(pg_backend_pid())"));
    WAIT_FOR(daemon_said(served, "alerts cannot be looked for: server closed the connection"), 60);
    cluster_execute(cluster, MEND_LOOKS);
    WAIT_SQL(cluster, EVENTS("alerts-failing", ""), "firing resolved", 90);
    WAIT_FOR(daemon_said(served, "alerts are looked for again"), 20);
    ASSERT_RUN(0, "status");
}
END_TEST

/* As by a restore of a part of the ledger. While looks fail the leader does not notice, and no alert can tell of it. */
START_TEST(rules_that_somebody_changed_are_written_again)
{
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) > 30 FROM chime.alert_rule", "t", 60);
    cluster_execute(cluster, "TRUNCATE chime.alert_rule");
    WAIT_SQL(cluster, "SELECT count(*) > 30 FROM chime.alert_rule", "t", 60);
    cluster_execute(cluster, "UPDATE chime.alert_rule SET enabled = false WHERE name = 'job-failed'");
    WAIT_SQL(cluster, "SELECT enabled FROM chime.alert_rule WHERE name = 'job-failed'", "t", 60);
    ck_assert(daemon_said(served, "somebody changed the rules of alerts: they are written again"));
    ASSERT_RUN(0, "status");
    cluster_execute(cluster, BREAK_LOOKS("1 / 0"));
    daemon_await(served, "alerts cannot be looked for: division by zero", 60);
    cluster_execute(cluster, "TRUNCATE chime.alert_rule; UPDATE chime.leader SET since = now() - interval '1 h'");
    ASSERT_RUN(8, "status");
    commands_has(errors, " rules of alerts that every database has are not written: no alert of these fires");
    commands_has(errors, "pgchime reload writes them again");
    ASSERT_RUN(8, "doctor", "-o", "csv");
    commands_has(output, "alerts-failing,alert,warn,");
    ASSERT_RUN(0, "reload");
    WAIT_SQL(cluster, "SELECT count(*) > 30 FROM chime.alert_rule", "t", 60);
    cluster_execute(cluster, "UPDATE chime.alert_rule SET enabled = false WHERE name = 'job-failed'");
    ASSERT_RUN(8, "status");
    commands_has(errors, "a rule of alerts is not as the leader wrote it: job-failed (off)");
    ASSERT_RUN(8, "doctor", "-o", "csv");
    commands_has(output, "alerts-failing,alert,warn,");
    commands_has(output, "while looks fail, pgchime reload does");
    ASSERT_RUN(0, "reload");
    WAIT_SQL(cluster, "SELECT enabled FROM chime.alert_rule WHERE name = 'job-failed'", "t", 60);
    cluster_execute(cluster, MEND_LOOKS);
    WAIT_FOR(commands_run(site_config(site), (const char *const[]){"status", NULL}, &output, &errors) == 0, 60);
}
END_TEST

static const char conditions[] =
    "alerts: { deep-queue: { condition = \"SELECT depth > 10, shop AS subject, depth AS value, depth || ' wait' AS "
    "summary"
    " FROM public.queue\"; severity = \"critical\"; };\n"
    " ends: { condition = \"SELECT pg_terminate_backend(pg_backend_pid())\"; };\n"
    " lost: { condition = \"SELECT true FROM public.nothing\"; };\n"
    " writes: { condition = \"WITH w AS (SELECT nextval('public.counter')) SELECT true FROM w\"; };\n"
    " words: { condition = \"SELECT 'yes'::text\"; };\n"
    " condition-broken: { hold = \"0s\"; }; job-failed: { enabled = false; }; };";

START_TEST(conditions_of_the_configuration_are_looked_at)
{
    cluster_execute(cluster, "CREATE TABLE queue (shop text, depth integer); INSERT INTO queue VALUES ('north', 11),"
                             " ('south', 3), ('west', NULL); CREATE SEQUENCE counter");
    site_file(site, "alerts", conditions);
    served = site_lead(site);
    WAIT_SQL(cluster, EVENTS("deep-queue", "north"), "firing", 60);
    EXPECT_SQL(cluster, "SELECT severity || ' ' || value || ' ' || summary FROM chime.alerts WHERE rule = 'deep-queue'",
               "critical 11 11 wait");
    EXPECT_SQL(cluster,
               "SELECT string_agg(subject || ': ' || summary, '; ' ORDER BY subject) FROM chime.alerts"
               " WHERE rule = 'condition-broken'",
               "ends: terminating connection due to administrator command; lost: relation \"public.nothing\" does not"
               " exist; words: its first column is a string, not a boolean;"
               " writes: cannot execute nextval() in a read-only transaction");
    EXPECT_SQL(cluster, "SELECT enabled FROM chime.alert_rule WHERE name = 'job-failed'", "f");
    WAIT_FOR(daemon_said(served, "alert deep-queue north (critical): 11 wait"), 20);
    cluster_execute(cluster, "UPDATE queue SET depth = 1");
    WAIT_SQL(cluster, EVENTS("deep-queue", "north"), "firing resolved", 90);
    ASSERT_RUN(8, "alerts");
    commands_has(output, "condition-broken");
    ASSERT_RUN(8, "status");
    commands_has(errors, "database \"main\": alert condition-broken lost fires since ");
    ASSERT_RUN(8, "doctor", "-o", "csv");
    commands_has(output, "alert condition-broken lost fires since ");
    commands_has(output, "mend alert lost, or what its condition names; then pgchime reload");
    ASSERT_RUN(0, "alerts", "silence", "alertname=condition-broken", "--for", "1h", "--reason", "known");
    WAIT_FOR(commands_run(site_config(site), (const char *const[]){"status", NULL}, &output, &errors) == 0, 60);
    site_remove(site, "alerts");
    ASSERT_RUN(0, "reload");
    commands_has(output, "- alert deep-queue\n");
    commands_has(output, "- alert condition-broken\n");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.alerts", "0", 90);
    ASSERT_RUN(0, "alerts");
    ASSERT_RUN(0, "alerts", "--all");
    commands_has(output, "resolved");
}
END_TEST

/* Whoever ends the session of alerts says nothing of the condition that is being looked at. */
START_TEST(a_session_that_somebody_ends_breaks_no_condition)
{
    site_file(site, "alerts",
              "alerts: { a-slow: { condition = \"SELECT pg_sleep(3)::text = 'x'\"; };"
              " behind: { condition = \"SELECT true\"; }; condition-broken: { hold = \"0s\"; }; };");
    served = site_lead(site);
    WAIT_SQL(cluster,
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pgchime alerts'"
             " AND wait_event = 'PgSleep'",
             "1", 60);
    WAIT_SQL(cluster, EVENTS("behind", ""), "firing", 60);
    EXPECT_SQL(cluster, "SELECT string_agg(rule || ': ' || summary, ', ') FROM chime.alert",
               "behind: its condition holds");
}
END_TEST

#define SESSIONS                                                                     \
    "SELECT count(*) FILTER (WHERE application_name = 'pgchime install') || ' ' || " \
    "count(*) FILTER (WHERE application_name = 'pgchime alerts') FROM pg_stat_activity"

/* What `doctor` says a leader may need has one place for the two. */
START_TEST(the_session_of_alerts_gives_way_to_an_install_and_looks_again)
{
    char *folder = files_make_directory();
    site_use_plugins(site, folder);
    site_file(site, "alerts",
              "alerts: { a-slow: { condition = \"SELECT pg_sleep(4)::text = 'x'\"; };"
              " behind: { condition = \"SELECT true\"; }; condition-broken: { hold = \"0s\"; }; };");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    served = site_lead(site);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime alerts' AND wait_event = "
             "'PgSleep'",
             "1", 60);
    cluster_execute(cluster, "CREATE TABLE gate (); INSERT INTO gate DEFAULT VALUES;"
                             "CREATE FUNCTION hold_up() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                             " WHILE EXISTS (SELECT FROM public.gate) LOOP PERFORM pg_sleep(0.05); END LOOP; END $$;"
                             "CREATE EVENT TRIGGER hold_up ON ddl_command_start EXECUTE FUNCTION hold_up()");
    plugin_put(folder, "progress");
    ASSERT_RUN(0, "reload");
    WAIT_SQL(cluster, SESSIONS, "1 0", 60);
    cluster_execute(cluster, "DELETE FROM gate");
    WAIT_SQL(cluster, SESSIONS, "0 1", 60);
    WAIT_SQL(cluster, EVENTS("behind", ""), "firing", 60);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert WHERE rule = 'condition-broken'", "0");
    free(folder);
}
END_TEST

static bool soaks(void)
{
    return getenv("PGCHIME_TEST_SOAK") != NULL;
}

/* The job fails, or is mended, and its leader dies: at once, or when the next look has noted that. */
static void turn_and_take_over(int turn)
{
    bool fails = turn % 2 == 0;
    cluster_execute(cluster, fails ? "DELETE FROM mended" : "INSERT INTO mended VALUES (now())");
    runs_ask_and_await(cluster, "broken");
    if (turn % 3 == 2) {
        WAIT_SQL(cluster,
                 fails ? "SELECT state FROM chime.alert" : "SELECT coalesce(bool_and(quiet), true) FROM chime.alert",
                 fails ? "firing" : "t", 90);
    }
    daemon_kill(served);
    daemon_destroy(served);
    served = site_lead(site);
    char *events = files_path("SELECT count(*) FROM chime.alert_event WHERE rule = 'job-failed' HAVING count(*) >= %d",
                              turn + 1);
    char *count = files_path("%d", turn + 1);
    WAIT_SQL(cluster, events, count, 120);
    free(events);
    free(count);
}

/* Each turn of the job is on record once, and none twice, whoever led. */
START_TEST(transitions_survive_leaders)
{
    int turns = soaks() ? 20 : 2;
    site_job(site, "broken", NEVER_DUE "command = \"SELECT 1 / count(*) FROM mended\"; max_attempts = 1;");
    cluster_execute(cluster, "CREATE TABLE mended (at timestamptz)");
    site_file(site, "alerts", "alerts: { job-failure-rate: { enabled = false; }; };"); /* every other run fails */
    served = site_lead(site);
    turn_and_take_over(0);
    EXPECT_SQL(cluster, "SELECT summary LIKE 'its last run, at %: division by zero' FROM chime.alerts", "t");
    ASSERT_RUN(8, "alerts");
    char *number = cluster_value(cluster, "SELECT alert_id FROM chime.alert");
    ASSERT_RUN(0, "alerts", "ack", number, "--reason", "I look");
    ASSERT_RUN(0, "alerts", "silence", "job=brok*", "--for", "1h", "--reason", "known");
    ASSERT_RUN(0, "alerts");
    commands_has(output, "known");
    EXPECT_SQL(cluster, "SELECT acknowledgement FROM chime.alerts", "I look");
    ASSERT_RUN(0, "alerts", "unsilence", "1");
    ASSERT_RUN(5, "alerts", "unsilence", "1");
    ASSERT_RUN(0, "alerts", "silence", "database=main", "--for", "1h", "--reason", "as pgchime.conf names it");
    EXPECT_SQL(cluster, "SELECT matchers ->> 'database' = current_database() FROM chime.silence WHERE until > now()",
               "t");
    ASSERT_RUN(0, "alerts", "unsilence", "2");
    ASSERT_RUN(2, "alerts", "silence", "job=broken", "--reason", "for ever");
    ASSERT_RUN(2, "alerts", "silence", "job=broken", "job=other", "--for", "1h", "--reason", "both");
    ASSERT_RUN(8, "alerts", "-o", "json");
    commands_has(output, "\"acknowledged_by\"");
    for (int turn = 1; turn < turns; turn++) {
        turn_and_take_over(turn);
    }
    char *states = cluster_value(
        cluster, "SELECT regexp_replace(string_agg(state, ' ' ORDER BY event_id), '(firing resolved ?)+', '')"
                 " FROM chime.alert_event WHERE rule = 'job-failed'");
    ck_assert_str_eq(states, "");
    char *count = files_path("%d", turns);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert_event WHERE rule = 'job-failed'", count);
    char *epochs = files_path("SELECT max(epoch) >= %d FROM chime.alert_event", turns);
    EXPECT_SQL(cluster, epochs, "t");
    free(number);
    free(states);
    free(count);
    free(epochs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alerts");
    TCase *tests = tcase_create("alerts");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, soaks() ? 1800 : 120);
    tcase_add_test(tests, an_alert_fires_once_and_is_resolved_by_the_second_quiet_look);
    tcase_add_test(tests, an_alert_with_a_hold_is_pending_before_and_subjects_are_apart);
    tcase_add_test(tests, a_higher_severity_is_told_and_nobody_notes_who_does_not_lead);
    tcase_add_test(tests, a_clock_that_was_ahead_holds_up_no_alert);
    tcase_add_test(tests, a_silence_keeps_alerts_from_being_told_and_not_from_being_kept);
    tcase_add_test(tests, the_names_of_standard_rules_are_those_of_the_ledger);
    tcase_add_test(tests, each_fault_is_found_and_nothing_else);
    tcase_add_test(tests, many_failures_of_one_role_hide_none_of_another);
    tcase_add_test(tests, what_fires_is_a_problem_and_many_of_a_rule_hide_no_other);
    tcase_add_test(tests, hints_name_jobs_as_a_shell_takes_them);
    tcase_add_test(tests, what_many_failing_jobs_say_is_cut);
    tcase_add_test(tests, who_writes_what_a_condition_reads_ends_no_alert);
    tcase_add_test(tests, conditions_of_the_configuration_are_looked_at);
    tcase_add_test(tests, looks_that_fail_are_an_alert);
    tcase_add_test(tests, rules_that_somebody_changed_are_written_again);
    tcase_add_test(tests, a_session_that_somebody_ends_breaks_no_condition);
    tcase_add_test(tests, the_session_of_alerts_gives_way_to_an_install_and_looks_again);
    tcase_add_test(tests, transitions_survive_leaders);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
