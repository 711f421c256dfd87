/* SPDX-License-Identifier: PostgreSQL */
/* `ping_file` of a job: what the address in it hears of the job's runs, and that no run waits for it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/daemon/commands.h"
#include "support/daemon/receiver.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct receiver *receiver;
static struct receiver *never;
static char *folder;
static char *output;
static char *errors;

static void set_up(void)
{
    served_set_up(3);
    receiver = receiver_create(200);
    never = receiver_create(RECEIVER_NEVER);
    folder = files_make_directory();
}

static void tear_down(void)
{
    served_tear_down();
    receiver_destroy(receiver);
    receiver_destroy(never);
    free(folder);
    free(output);
    free(errors);
    receiver = never = NULL;
    folder = output = errors = NULL;
}

/* FOLDER/NAME with an address of `by` that ends with /NAME. */
static void write_address(const char *name, const struct receiver *by)
{
    char *file = files_path("%s/%s", folder, name);
    char *url = files_path("http://127.0.0.1:%d/S3CRET/%s\n", receiver_port(by), name);
    files_write(file, url);
    chmod(file, 0600);
    free(url);
    free(file);
}

/* A job that is pinged by FOLDER/NAME. */
static void put_job(const char *name, const char *members)
{
    char *all = files_path("ping_file = \"%s/%s\"; %s", folder, name, members);
    site_job(site, name, all);
    free(all);
}

static size_t count_of(const struct receiver *by, const char *text)
{
    char *all = receiver_got(by);
    size_t count = 0;
    for (const char *at = all; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    free(all);
    return count;
}

/* The number of the run that the request with these words tells of; caller frees. */
static char *number_of(const char *words)
{
    char *all = receiver_got(receiver);
    const char *at = strstr(all, words);
    ck_assert_msg(at != NULL, "%s is not in\n%s", words, all);
    const char *number = strstr(at, "?rid=");
    ck_assert_ptr_nonnull(number);
    char *copy = strndup(number + strlen("?rid="), 36);
    free(all);
    return copy;
}

static void expect_same_run(const char *start, const char *end)
{
    char *first = number_of(start);
    char *second = number_of(end);
    ck_assert_str_eq(first, second);
    ck_assert_uint_eq(strspn(first, "0123456789abcdef-"), 36);
    ck_assert(first[8] == '-' && first[13] == '-' && first[14] == '8' && first[23] == '-');
    free(first);
    free(second);
}

static void expect_order(const char *first, const char *second)
{
    char *all = receiver_got(receiver);
    const char *one = strstr(all, first);
    const char *other = strstr(all, second);
    ck_assert_msg(one != NULL && other != NULL && one < other, "%s, %s:\n%s", first, second, all);
    free(all);
}

#define LONG_ERROR \
    "command = \"DO $$ BEGIN RAISE '%', 'first ' || repeat('x', 20000) || ' last' USING ERRCODE = '40001'; END $$\"; "

START_TEST(an_address_hears_of_each_run_from_start_to_end)
{
    write_address("good", receiver);
    write_address("bad", receiver);
    put_job("good", NEVER_DUE "command = \"SELECT 1 UNION SELECT 2\";");
    put_job("bad", NEVER_DUE LONG_ERROR "delivery = \"transactional\"; max_attempts = 2; backoff = { initial = "
                                        "\"10ms\"; };");
    site_job(site, "plain", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    runs_ask_and_await(cluster, "plain");
    runs_ask_and_await(cluster, "good");
    WAIT_FOR(count_of(receiver, "POST") == 2, 60);
    expect_order("POST /S3CRET/good/start?rid=", "POST /S3CRET/good?rid=");
    expect_same_run("/good/start?", "/good?");
    ck_assert_uint_eq(count_of(receiver, ": started\n"), 1);
    ck_assert_uint_eq(count_of(receiver, ": succeeded\n"), 1);
    runs_ask_and_await(cluster, "bad"); /* in two attempts */
    WAIT_FOR(count_of(receiver, "POST") == 4, 60);
    expect_order("POST /S3CRET/bad/start?rid=", "POST /S3CRET/bad/fail?rid=");
    expect_same_run("/bad/start?", "/bad/fail?");
    ck_assert_uint_eq(count_of(receiver, ": failed\nfirst xxx"), 1);
    ck_assert_uint_eq(count_of(receiver, " last"), 0); /* what the ledger has of it, which is a part */
    /* Read for each: another address needs no reload. */
    char *file = files_path("%s/good", folder);
    char *url = files_path("http://127.0.0.1:%d/other/?create=1#part\n", receiver_port(receiver));
    files_write(file, url);
    runs_ask_and_await(cluster, "good");
    WAIT_FOR(count_of(receiver, "POST /other/start?create=1&rid=") == 1, 60);
    WAIT_FOR(count_of(receiver, "POST /other/?create=1&rid=") == 1, 60);
    ck_assert(!daemon_said(served, "S3CRET"));
    free(file);
    free(url);
}
END_TEST

START_TEST(an_end_is_told_by_who_leads_next_and_by_who_stops)
{
    write_address("long", receiver);
    write_address("short", receiver);
    put_job("long", NEVER_DUE "command = \"SELECT pg_sleep(900)\";");
    put_job("short", NEVER_DUE "command = \"SELECT pg_sleep(1)\";");
    served = site_lead(site);
    runs_ask(cluster, "long");
    runs_await_running(cluster, "long");
    WAIT_FOR(count_of(receiver, "/long/start?") == 1, 60);
    daemon_kill(served);
    daemon_destroy(served);
    served = site_lead(site);
    WAIT_FOR(count_of(receiver, "/long/fail?") == 1, 60);
    expect_same_run("/long/start?", "/long/fail?");
    ck_assert_uint_eq(count_of(receiver, ": lost: its session is gone and its outcome is unknown"), 1);
    ck_assert_uint_eq(count_of(receiver, "/long/start?"), 1);
    runs_ask(cluster, "short");
    runs_await_running(cluster, "short");
    site_end(served);
    ck_assert_uint_eq(count_of(receiver, "POST /S3CRET/short?rid="), 1);
}
END_TEST

#define FIRES(job, summary)                                                                                           \
    "SELECT count(*) FROM chime.alerts WHERE rule = 'ping-failing' AND subject = '" job "' AND state = 'firing' AND " \
    "summary ~ '" summary "'"

START_TEST(no_run_waits_for_an_address_and_what_does_not_arrive_is_told)
{
    write_address("hung", never);
    write_address("good", receiver);
    write_address("open", receiver);
    char *open = files_path("%s/open", folder);
    chmod(open, 0644);
    put_job("hung", "schedule = \"* * * * * *\"; command = \"SELECT 1\";");
    put_job("good", NEVER_DUE "command = \"SELECT 1\";");
    put_job("open", NEVER_DUE "command = \"SELECT 1\";");
    put_job("none", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    WAIT_FOR(count_of(never, "/hung/start?") == 1, 60);
    runs_ask_and_await(cluster, "good");
    runs_ask_and_await(cluster, "open");
    runs_ask_and_await(cluster, "none");
    EXPECT_RUN(cluster, "open", "state", "succeeded");
    WAIT_FOR(count_of(receiver, "POST /S3CRET/good?rid=") == 1, 60);
    daemon_await(served, "database main: a ping of job hung does not arrive: more pings than can be sent", 60);
    runs_await(cluster, "hung", 5);
    WAIT_SQL(cluster, FIRES("hung", "^0 pings did not arrive and [1-9][0-9]* were dropped since "), "1", 60);
    WAIT_SQL(cluster, FIRES("open", "everybody may read"), "1", 60);
    WAIT_SQL(cluster, FIRES("none", "No such file"), "1", 60);
    commands_expect(8, site_config(site), (const char *const[]){"doctor", "-o", "csv", NULL}, &output, &errors);
    commands_has(output, "alert ping-failing open fires since ");
    commands_has(output, "pgchime run open pings again");
    /* As it says. */
    chmod(open, 0600);
    runs_ask_and_await(cluster, "open");
    daemon_await(served, "database main: pings of job open arrive again; ", 60);
    ck_assert_uint_eq(count_of(receiver, "/S3CRET/open/start?"), 1);
    ck_assert(!daemon_said(served, "S3CRET"));
    free(open);
}
END_TEST

/* Who leads next, or is started again, knows no more than the ledger. */
START_TEST(what_did_not_arrive_is_not_over_when_another_leads)
{
    put_job("none", NEVER_DUE "command = \"SELECT 1\";");
    put_job("gone", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    runs_ask_and_await(cluster, "none");
    runs_ask_and_await(cluster, "gone");
    WAIT_SQL(cluster, FIRES("none", "No such file"), "1", 60);
    WAIT_SQL(cluster, FIRES("gone", "No such file"), "1", 60);
    daemon_kill(served);
    daemon_destroy(served);
    site_job(site, "gone", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    /* Two looks do not find it: so it is over. */
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.alert_event WHERE subject = 'gone' AND state = 'resolved'", "1", 60);
    EXPECT_SQL(cluster, FIRES("none", "No such file"), "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.alert_event WHERE subject = 'none'", "1");
    write_address("none", receiver);
    runs_ask_and_await(cluster, "none");
    daemon_await(served, "database main: pings of job none arrive again", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.alert_event WHERE subject = 'none' AND state = 'resolved'", "1", 60);
}
END_TEST

#define MANY 12

/* Whatever the machine: twenty-four pings have twenty-three pauses of a fifth of a second. */
START_TEST(five_pings_a_second_are_sent_at_most)
{
    for (int i = 0; i < MANY; i++) {
        char *name = files_path("many%d", i);
        write_address(name, receiver);
        put_job(name, NEVER_DUE "command = \"SELECT 1\";");
        free(name);
    }
    served = site_lead(site);
    double began = wait_deadline_after(0).since;
    for (int i = 0; i < MANY; i++) {
        char *name = files_path("many%d", i);
        runs_ask(cluster, name);
        free(name);
    }
    WAIT_FOR(count_of(receiver, "POST") >= (size_t)2 * MANY, 120);
    ck_assert(wait_deadline_after(0).since - began >= (2 * MANY - 1) * 0.2);
    ck_assert_uint_eq(count_of(receiver, "/start?"), MANY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_pings");
    TCase *tests = tcase_create("job_pings");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, an_address_hears_of_each_run_from_start_to_end);
    tcase_add_test(tests, an_end_is_told_by_who_leads_next_and_by_who_stops);
    tcase_add_test(tests, no_run_waits_for_an_address_and_what_does_not_arrive_is_told);
    tcase_add_test(tests, what_did_not_arrive_is_not_over_when_another_leads);
    tcase_add_test(tests, five_pings_a_second_are_sent_at_most);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
