/* SPDX-License-Identifier: PostgreSQL */
/* Texts that do to their session what they can: settings, locks, roles, prepared statements, endless errors. They cost
 * themselves, at most, and never the ledger or whoever comes next on the session. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;

/* One session for all that runs. */
static void set_up(void)
{
    cluster = oracle_create(NULL);
    cluster_execute(cluster, "CREATE ROLE nobody_special; CREATE TABLE public.found (what text)");
    site = site_create(cluster, "postgres", 1);
    oracle_write_load(site);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* --- what a text does to its session ------------------------------------------------------------------------------ */

/* What comes before and after the text's own effect, and how it ends: alone, and in one transaction with its
 * success. */
static const struct {
    const char *before;
    const char *after;
    const char *plain;
    const char *own;
} texts[] = {
    {"SET statement_timeout = 0; SET lock_timeout = 0; SET idle_session_timeout = 0;"
     " SET idle_in_transaction_session_timeout = 0; SET client_connection_check_interval = 0",
     "SELECT 1", "succeeded", "succeeded"},
    {"SELECT 1", "SELECT pg_advisory_unlock_all()", "succeeded", "succeeded"},
    {"SELECT 1", "RESET ALL", "succeeded", "succeeded"},
    {"SELECT 1", "DEALLOCATE ALL", "succeeded", "succeeded"},
    {"SELECT 1", "DO $x$ BEGIN DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP; END $x$", "succeeded", "succeeded"},
    {"SELECT 1", "DO $x$ BEGIN DISCARD ALL; END $x$", "failed 25001", "failed 25001"},
    {"SELECT 1", "SET ROLE nobody_special", "succeeded", "succeeded"},
    {"SELECT 1", "SET SESSION AUTHORIZATION nobody_special", "succeeded", "succeeded"},
    {"SELECT 1", "SET default_transaction_read_only = on; SET default_transaction_isolation = serializable",
     "succeeded", "succeeded"},
    {"SELECT 1", "SET TRANSACTION READ ONLY", "succeeded", "failed 25006"},
    {"SET session_replication_role = replica; SET row_security = on; SET search_path = pg_temp", "SELECT 1",
     "succeeded", "succeeded"},
    {"SET client_encoding = 'LATIN1'; SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'", "SELECT 1", "succeeded",
     "succeeded"},
    {"SET client_encoding = 'LATIN1'", "DO $x$ BEGIN RAISE EXCEPTION '%', chr(233) || chr(252); END $x$",
     "failed P0001", "failed P0001"},
    {"SELECT 1", "CREATE TEMP TABLE run (a int); CREATE TEMP TABLE leader (a int); SET search_path = pg_temp, chime",
     "succeeded", "succeeded"},
    {"SELECT 1", "SELECT pg_cancel_backend(pg_backend_pid()); SELECT pg_sleep(10)", "failed 57014", "failed 57014"},
    {"SELECT 1", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgchime leader'", "",
     ""},
};
#define TEXT_COUNT (int)(sizeof(texts) / sizeof(texts[0]))

static void write_text(int number, bool own)
{
    char *name = files_path("%s-%d", own ? "own" : "plain", number);
    char *members = files_path(NEVER_DUE "command = \"%s; SELECT public.effect('%s'); %s\"; max_attempts = 1;"
                                         " delivery = \"%s\";",
                               texts[number].before, name, texts[number].after, own ? "transactional" : "at_most_once");

    site_job(site, name, members);
    free(name);
    free(members);
}

/* Whoever comes next finds a session as good as new. */
#define LOOK                                                                                                           \
    "INSERT INTO public.found SELECT concat_ws(' ', current_user, session_user, current_setting('statement_timeout')," \
    " current_setting('idle_session_timeout'), current_setting('idle_in_transaction_session_timeout'),"                \
    " current_setting('client_connection_check_interval'), current_setting('default_transaction_read_only'),"          \
    " current_setting('session_replication_role'), current_setting('client_encoding'), "                               \
    "current_setting('search_path'),"                                                                                  \
    " to_regclass('pg_temp.run') IS NULL)"
#define AS_NEW "postgres postgres 0 15s 15s 1s off origin UTF8 \"$user\", public t"

static void write_all(void)
{
    for (int i = 0; i < TEXT_COUNT; i++) {
        write_text(i, false);
        write_text(i, true);
    }
    site_job(site, "look", NEVER_DUE "command = \"" LOOK "\";");
    site_job(site, "look-own", NEVER_DUE "command = \"" LOOK "\"; delivery = \"transactional\";");
}

static void expect_end(const char *kind, int number, const char *expected)
{
    char *name = files_path("%s-%d", kind, number);

    runs_await(cluster, name, 1);
    if (expected[0] != '\0')
        EXPECT_RUN(cluster, name, "concat_ws(' ', state, sqlstate)", expected);
    free(name);
}

/* All at once, so that they follow each other on the session without a pause. */
static void run_texts(int number)
{
    cluster_execute_format(
        cluster,
        "INSERT INTO chime.request (job_id) SELECT job_id FROM unnest(ARRAY['plain-%d', 'look', 'own-%d',"
        " 'look-own']) WITH ORDINALITY AS w (name, place) JOIN chime.job USING (name) ORDER BY place",
        number, number);
    expect_end("plain", number, texts[number].plain);
    expect_end("own", number, texts[number].own);
    runs_await(cluster, "look", number + 1);
    runs_await(cluster, "look-own", number + 1);
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT what, ', ') FROM public.found", AS_NEW);
}

START_TEST(what_a_text_does_to_its_session_costs_nobody_else)
{
    write_all();
    served = site_lead(site);
    for (int i = 0; i < TEXT_COUNT; i++)
        run_texts(i);
    oracle_await_load(cluster);
    oracle_expect_sound(cluster);
    ck_assert(daemon_is_running(served));
    /* Nothing but the leader's end, which the last text brings about, ended a leadership. */
    EXPECT_SQL(cluster, "SELECT epoch IN (2, 3) FROM chime.leader", "t");
}
END_TEST

/* --- what a text answers ------------------------------------------------------------------------------------------ */

#define HUGE_ERROR "DO $x$ BEGIN RAISE EXCEPTION '%', repeat('0123456789', 1500000); END $x$"

START_TEST(an_error_of_15_mb_is_kept_as_its_first_8_kib)
{
    site_job(site, "plain", NEVER_DUE "command = \"" HUGE_ERROR "\"; max_attempts = 1;");
    site_job(site, "own", NEVER_DUE "command = \"" HUGE_ERROR "\"; max_attempts = 1; delivery = \"transactional\";");
    served = site_lead(site);
    oracle_await_load(cluster);
    runs_ask_and_await(cluster, "plain");
    runs_ask_and_await(cluster, "own");
    EXPECT_RUN(cluster, "plain", "concat_ws(' ', state, sqlstate, octet_length(message), left(message, 11))",
               "failed P0001 8192 01234567890");
    EXPECT_RUN(cluster, "own", "concat_ws(' ', state, sqlstate, octet_length(message), left(message, 11))",
               "failed P0001 8192 01234567890");
    oracle_await_load(cluster);
    oracle_expect_sound(cluster);
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) { /* a sanitizer's own memory counts as well */
        ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 512 * 1024);
        ck_assert_int_lt(process_private_kb(daemon_pid(served)), 100 * 1024);
    }
    char *said = daemon_errors(served);
    ck_assert_uint_lt(strlen(said), 100000);
    free(said);
}
END_TEST

/* --- databases of other encodings --------------------------------------------------------------------------------- */

/* Another database than the one made by set_up. */
static void use_database(const char *encoding)
{
    cluster_execute_format(cluster, "CREATE DATABASE other ENCODING '%s' LOCALE 'C' TEMPLATE template0", encoding);
    cluster_use(cluster, "other");
    oracle_install(cluster, NULL);
    cluster_execute(cluster, "CREATE TABLE public.word (a text)");
    site_destroy(site);
    site = site_create(cluster, "other", 1);
    oracle_write_load(site);
}

static void run_foreign_words(void)
{
    site_job(site, "word", NEVER_DUE "command = \"INSERT INTO public.word VALUES ('n\xc3\xa9')\";");
    site_job(site, "own",
             NEVER_DUE "command = \"INSERT INTO public.word VALUES ('n\xc3\xa9')\";"
                       " delivery = \"transactional\";");
    site_job(site, "error", NEVER_DUE "command = \"SELECT n\xc3\xa9 FROM public.word\"; max_attempts = 1;");
    served = site_lead(site);
    runs_ask_and_await(cluster, "word");
    runs_ask_and_await(cluster, "own");
    runs_ask_and_await(cluster, "error");
    EXPECT_RUN(cluster, "word", "state", "succeeded");
    EXPECT_RUN(cluster, "own", "state", "succeeded");
    EXPECT_RUN(cluster, "error", "concat_ws(' ', state, sqlstate)", "failed 42703");
    daemon_await(served, "failed: column \"n\xc3\xa9\" does not exist", PATIENCE);
}

START_TEST(a_latin1_database_has_the_characters_that_were_written)
{
    use_database("LATIN1");
    run_foreign_words();
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.word WHERE a = 'n' || chr(233)", "2");
    EXPECT_RUN(cluster, "error", "starts_with(message, 'column \"n' || chr(233) || '\" does not exist')", "t");
    oracle_expect_sound(cluster);
}
END_TEST

/* There, a text is bytes: UTF-8 as the configuration has it, and whatever others wrote. */
START_TEST(an_sql_ascii_database_may_hold_any_bytes)
{
    use_database("SQL_ASCII");
    cluster_execute(cluster, "INSERT INTO public.word VALUES (E'\\xff\\xfe broken')");
    site_job(site, "broken",
             NEVER_DUE "command = \"DO $x$ BEGIN RAISE EXCEPTION '%', (SELECT a FROM public.word WHERE a ~ 'broken');"
                       " END $x$\"; max_attempts = 1;");
    run_foreign_words();
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.word WHERE a = 'n' || E'\\xc3\\xa9'", "2");
    runs_ask_and_await(cluster, "broken");
    EXPECT_RUN(
        cluster, "broken", "concat_ws(' ', state, sqlstate, split_part(message, E'\\n', 1))",
        "failed 22021 invalid byte sequence for encoding \"UTF8\": 0xff"); /* the server's own refusal to send it */
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
}
END_TEST

#define TOLD(rule)                                                                                                   \
    "SELECT string_agg(DISTINCT e.subject, ' ') FROM chime.alert_event e JOIN chime.notification n ON e.event_id = " \
    "ANY (n.events) AND n.state = 'delivered' WHERE e.rule = '" rule "'"

/* Such a text may end in the middle of a character where it is cut, and the server then sends nothing of the answer. */
START_TEST(no_bytes_of_one_keep_alerts_of_others_from_being_told)
{
    use_database("SQL_ASCII");
    cluster_execute(cluster, "INSERT INTO public.word VALUES (E'\\xff\\xfe broken')");
    site_file(site, "sinks", "sinks: { all: { type = \"program\"; command = [\"/bin/true\"]; }; };");
    site_file(site, "alerts", "alerts: { word: { condition = \"SELECT true, a AS subject FROM public.word\"; }; };");
    site_job(site, "even",
             NEVER_DUE "command = \"DO $$ BEGIN RAISE '%', repeat('\xc3\xa9', 3000); END $$\";"
                       " max_attempts = 1;");
    site_job(site, "odd",
             NEVER_DUE "command = \"DO $$ BEGIN RAISE '%', 'x' || repeat('\xc3\xa9', 3000); END $$\";"
                       " max_attempts = 1;");
    served = site_lead(site);
    runs_ask_and_await(cluster, "even");
    runs_ask_and_await(cluster, "odd");
    WAIT_SQL(cluster, TOLD("job-failed"), "even odd", PATIENCE);
    WAIT_SQL(cluster, TOLD("word"), "?? broken", PATIENCE);
    EXPECT_SQL(cluster, "SELECT bool_and(summary ~ 'Z: x?(\xc3\xa9)+$') FROM chime.alert WHERE rule = 'job-failed'",
               "t");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("texts");
    TCase *cases = tcase_create("texts");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, what_a_text_does_to_its_session_costs_nobody_else);
    tcase_add_test(cases, a_latin1_database_has_the_characters_that_were_written);
    tcase_add_test(cases, an_sql_ascii_database_may_hold_any_bytes);
    tcase_add_test(cases, no_bytes_of_one_keep_alerts_of_others_from_being_told);
    suite_add_tcase(all, cases);
    TCase *in_full = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(in_full, set_up, tear_down);
    tcase_set_timeout(in_full, 300);
    tcase_add_test(in_full, an_error_of_15_mb_is_kept_as_its_first_8_kib);
    suite_add_tcase(all, in_full);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
