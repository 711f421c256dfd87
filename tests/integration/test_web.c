/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime web`: its API beside what the commands print, and databases that are away. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/web/web.h"

#define ANYBODY "anonymous = \"view\";"

static struct web_server *web;
static char *folder;
static char *output;
static char *errors;

static void start_web(const char *more)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; }; %s", conninfo, more);
    web = web_server_start(folder, databases, ANYBODY);
    free(databases);
    free(conninfo);
}

static void set_up(void)
{
    served_set_up(4);
    folder = files_make_directory();
    site_job(site, "quick", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\";");
    site_job(site, "app-load", "schedule = \"0 4 1 1 *\"; command = \"SELECT 2\"; after = [\"quick\"];");
    site_job(site, "bad", "schedule = \"0 5 1 1 *\"; command = \"SELECT 1/0\"; max_attempts = 1;");
}

static void tear_down(void)
{
    web_server_destroy(web);
    served_tear_down();
    free(folder);
    free(output);
    free(errors);
}

#define RUN(...) commands_run(site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* What the command prints is what the page has, byte for byte. The heartbeat and the clock go on: they are looked at
 * again until both saw the same. */
struct pair {
    const char *target;
    const char *words[10];
};

/* All but the line of a key that the clock moves. */
static char *without_line(const char *text, const char *key)
{
    const char *begin = strstr(text, key);
    return begin == NULL ? files_path("%s", text)
                         : files_path("%.*s%s", (int)(begin - text), text, begin + strcspn(begin, "\n"));
}

static bool is_same(void *data)
{
    const struct pair *pair = data;
    commands_run(site_config(site), pair->words, &output, &errors);
    struct web_answer answer = web_expect(200, web, pair->target, "");
    char *of_page = without_line(answer.body, "\"age_ms\"");
    char *of_command = without_line(output, "\"age_ms\"");
    bool same = strcmp(of_page, of_command) == 0;
    free(of_page);
    free(of_command);
    if (!same) {
        fprintf(stderr, "%s\n%s\n%s\n", pair->target, output, answer.body);
    }
    web_answer_finish(&answer);
    return same;
}

static void run_jobs(void)
{
    served = site_lead(site);
    ck_assert_int_eq(RUN("run", "quick", "--wait"), 0);
    ck_assert_int_eq(RUN("run", "bad", "--wait"), 1);
}

START_TEST(pages_are_what_the_commands_print)
{
    struct pair pairs[] = {
        {"/api/v1/d/main/jobs", {"jobs", "-o", "json"}},
        {"/api/v1/d/main/jobs?failing", {"jobs", "--failing", "-o", "json"}},
        {"/api/v1/d/main/jobs?like=app-%2A", {"jobs", "--like", "app-*", "-o", "json"}},
        {"/api/v1/d/main/job/quick", {"show", "quick", "-o", "json"}},
        {"/api/v1/d/main/job/bad", {"show", "bad", "-o", "json"}},
        {"/api/v1/d/main/runs", {"runs", "-o", "json"}},
        {"/api/v1/d/main/runs?state=failed,lost", {"runs", "--state", "failed,lost", "-o", "json"}},
        {"/api/v1/d/main/job/quick/runs?limit=1", {"runs", "quick", "--limit", "1", "-o", "json"}},
        {"/api/v1/d/main/runs?since=2020-01-01T00:00:00Z", {"runs", "--since", "2020-01-01", "-o", "json"}},
        {"/api/v1/d/main/runs?until=2020-01-01T00:00:00Z", {"runs", "--until", "2020-01-01", "-o", "json"}},
        {"/api/v1/d/main/alerts", {"alerts", "-o", "json"}},
        {"/api/v1/d/main/alerts?all=true", {"alerts", "--all", "-o", "json"}},
        {"/api/v1/d/main/views", {"views", "-o", "json"}},
        {"/api/v1/d/main/graph", {"graph", "-o", "json"}},
        {"/api/v1/d/main/job/app-load/why", {"why", "app-load", "-o", "json"}},
        {"/api/v1/d/main/job/bad/why", {"why", "bad", "-o", "json"}},
        {"/api/v1/d/main/jobs?q=APP-L", {"jobs", "--search", "APP-L", "-o", "json"}},
        {"/api/v1/d/main/jobs?state=failing", {"jobs", "--state", "failing", "-o", "json"}},
        {"/api/v1/d/main/jobs?state=ok&origin=config", {"jobs", "--state", "ok", "--origin", "config", "-o", "json"}},
        {"/api/v1/d/main/jobs?owner=nobody", {"jobs", "--owner", "nobody", "-o", "json"}},
        {"/api/v1/d/main/jobs?limit=1&after=app-load", {"jobs", "--limit", "1", "--after", "app-load", "-o", "json"}},
        {"/api/v1/d/main/job/quick/next?count=3&from=2027-05-05T00:00:00Z",
         {"next", "quick", "--count", "3", "--at", "2027-05-05T00:00:00Z", "-o", "json"}},
        {"/api/v1/d/main/job/quick/next?count=2&explain=yes",
         {"next", "quick", "--count", "2", "--explain-dst", "-o", "json"}},
        {"/api/v1/d/main/next?count=2", {"next", "--count", "2", "-o", "json"}},
        {"/api/v1/d/main/job/quick/days", {"show", "quick", "--days", "90", "-o", "json"}},
        {"/api/v1/d/main/job/quick/versions", {"show", "quick", "--versions", "-o", "json"}},
        {"/api/v1/d/main/history", {"history", "-o", "json"}},
        {"/api/v1/d/main/graph?job=quick&depth=1", {"graph", "--job", "quick", "--depth", "1", "-o", "json"}},
        {"/api/v1/d/main/graph?plugin=nobody", {"graph", "--plugin", "nobody", "-o", "json"}},
        {"/api/v1/d/main/history?before=2020-01-01T00:00:00Z", {"history", "--before", "2020-01-01", "-o", "json"}},
    };
    run_jobs();
    served_end(); /* the ledger is still from here on */
    start_web("");
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        ck_assert_msg(wait_until(is_same, &pairs[i], 30), "%s\n%s", pairs[i].target, output);
    }
    struct web_answer answer = web_expect(200, web, "/api/v1/d/main/runs", "");
    commands_has(answer.body, "division by zero");
    web_answer_finish(&answer);
}
END_TEST

/* In the database's words: a run's slot as the API has it, or what else. */
static char *value_of_run(const char *job, const char *what)
{
    char *sql = files_path("SELECT %s FROM chime.runs WHERE job = '%s'", what, job);
    char *value = cluster_value(cluster, sql);
    free(sql);
    return value;
}

#define ISO_SLOT "to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

static void assert_same(char *target, const char *option, char *value, const char *job)
{
    struct pair pair = {target, {"runs", option, value, "-o", "json"}};
    if (job != NULL) {
        pair = (struct pair){target, {"show", job, option, value, "-o", "json"}};
    }
    ck_assert_msg(wait_until(is_same, &pair, 30), "%s", target);
    free(target);
}

START_TEST(run_is_what_show_prints_by_number_and_by_slot)
{
    run_jobs();
    served_end();
    start_web("");
    char *slot = value_of_run("bad", ISO_SLOT);
    char *number = value_of_run("bad", "run_id");
    assert_same(files_path("/api/v1/d/main/job/bad/run/manual/%s", slot), "--run", number, "bad");
    assert_same(files_path("/api/v1/d/main/job/bad/run/manual/%s", slot), "--run", slot, "bad");
    char *before = files_path("%s,%s", slot, number);
    assert_same(files_path("/api/v1/d/main/runs?before=%s", before), "--before", before, NULL);
    ck_assert_int_eq(RUN("show", "bad", "--run", "99999999"), 5);
    commands_has(errors, "job \"bad\" has no run 99999999 on record");
    free(before);
    free(slot);
    free(number);
}
END_TEST

START_TEST(views_of_plugins_are_what_the_commands_print)
{
    struct pair pairs[] = {
        {"/api/v1/d/main/jobs", {"jobs", "-o", "json"}},
        {"/api/v1/d/main/graph", {"graph", "-o", "json"}},
        {"/api/v1/d/main/views", {"views", "-o", "json"}},
        {"/api/v1/d/main/job/refresh-lane-distributions/why", {"why", "refresh-lane-distributions", "-o", "json"}},
    };
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    char *plugins = files_make_directory();
    plugin_put(plugins, "lane_distribution");
    site_use_plugins(site, plugins);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM chime.view_refresh WHERE refreshed_at IS NOT NULL", "t", 120);
    served_end();
    start_web("");
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        ck_assert_msg(wait_until(is_same, &pairs[i], 30), "%s\n%s", pairs[i].target, output);
    }
    free(plugins);
}
END_TEST

START_TEST(doctor_finds_what_the_command_finds)
{
    run_jobs();
    served_end();
    start_web("");
    struct web_answer answer = web_expect(200, web, "/api/v1/d/main/doctor", "");
    commands_has(answer.body, "\"findings\": [");
    commands_has(answer.body, "nobody leads this database");
    commands_has(answer.body, "job bad fails: ");
    web_answer_finish(&answer);
}
END_TEST

START_TEST(databases_are_as_status_has_them)
{
    run_jobs();
    served_end();
    start_web("");
    RUN("status", "-o", "json");
    struct web_answer answer = web_expect(200, web, "/api/v1/databases", "");
    char *of_page = without_line(answer.body, "\"database_now\"");
    char *of_command = without_line(output, "\"database_now\"");
    ck_assert_str_eq(of_page, of_command);
    commands_has(of_page, "nobody leads this database: no job runs; job bad fails: ");
    free(of_page);
    free(of_command);
    web_answer_finish(&answer);
}
END_TEST

START_TEST(one_run_is_found_by_its_kind_and_slot)
{
    run_jobs();
    start_web("");
    char *slot = cluster_value(cluster, "SELECT to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
                                        " FROM chime.runs WHERE job = 'bad'");
    char *target = files_path("/api/v1/d/main/job/bad/run/manual/%s", slot);
    struct web_answer answer = web_expect(200, web, target, "");
    commands_has(answer.body, "division by zero");
    web_answer_finish(&answer);
    free(target);
    target = files_path("/api/v1/d/main/job/quick/run/manual/%s", slot);
    answer = web_expect(200, web, target, "");
    commands_has(answer.body, "\"runs\": [],\n  \"attempts\": []");
    web_answer_finish(&answer);
    free(target);
    free(slot);
}
END_TEST

static void assert_problem(int status, const char *target, const char *detail)
{
    struct web_answer answer = web_expect(status, web, target, "");
    commands_has(answer.all, "Content-Type: application/problem+json\r\n");
    commands_has(answer.body, detail);
    commands_has(answer.body, "\"hint\":\"");
    web_answer_finish(&answer);
}

START_TEST(what_is_not_there_is_a_problem_with_its_way_out)
{
    served = site_lead(site);
    start_web("");
    assert_problem(404, "/api/v1/d/main/job/quik", "there is no job \\\"quik\\\"");
    assert_problem(404, "/api/v1/d/main/job/quik/runs", "there is no job \\\"quik\\\"");
    assert_problem(404, "/api/v1/d/main/job/quik/why", "there is no job \\\"quik\\\"");
    assert_problem(404, "/api/v1/d/other/jobs", "there is no database \\\"other\\\"");
    assert_problem(404, "/api/v1/d/main", "there is no such page");
    assert_problem(404, "/api/v1/d/main/jobs/more", "there is no such page");
    assert_problem(404, "/elsewhere", "there is no such page");
    assert_problem(400, "/api/v1/d/main/runs?state=fine", "there is no state \\\"fine\\\"");
    assert_problem(400, "/api/v1/d/main/runs?limit=501", "is no number from 1 to 500");
    assert_problem(400, "/api/v1/d/main/runs?limit=0", "is no number from 1 to 500");
    assert_problem(400, "/api/v1/d/main/jobs?colour=red", "there is no \\\"colour\\\" to ask for here");
    assert_problem(400, "/api/v1/d/main/../x", "the target has no meaning");
    assert_problem(400, "/api/v1/d/%2e%2e/jobs", "the target has no meaning");
}
END_TEST

START_TEST(page_that_is_known_is_not_sent_again)
{
    served = site_lead(site);
    start_web("");
    struct web_answer first = web_expect(200, web, "/api/v1/d/main/jobs", "");
    const char *tag = strstr(first.all, "ETag: ");
    ck_assert_ptr_nonnull(tag);
    char *lines = files_path("If-None-Match: %.*s\r\n", (int)strcspn(tag + 6, "\r"), tag + 6);
    struct web_answer again = web_expect(304, web, "/api/v1/d/main/jobs", lines);
    ck_assert_uint_eq(again.length, 0);
    web_answer_finish(&again);
    site_job(site, "another", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\";");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE name = 'another'", "1", 60);
    WAIT_FOR((again = web_get(web, "/api/v1/d/main/jobs", lines), web_answer_finish(&again), again.status == 200), 60);
    web_answer_finish(&first);
    free(lines);
}
END_TEST

START_TEST(page_is_gzipped_for_who_asks)
{
    served = site_lead(site);
    start_web("");
    struct web_answer plain = web_expect(200, web, "/api/v1/d/main/jobs", "");
    struct web_answer zipped = web_expect(200, web, "/api/v1/d/main/jobs", "Accept-Encoding: br, gzip\r\n");
    commands_has(zipped.all, "Content-Encoding: gzip\r\n");
    ck_assert_ptr_null(strstr(plain.all, "Content-Encoding"));
    ck_assert_uint_lt(zipped.length, plain.length);
    ck_assert_uint_eq((unsigned char)zipped.body[0], 0x1f);
    ck_assert_uint_eq((unsigned char)zipped.body[1], 0x8b);
    web_answer_finish(&plain);
    web_answer_finish(&zipped);
}
END_TEST

START_TEST(head_has_the_fields_and_no_body)
{
    static const char request[] = "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    start_web("");
    struct web_answer answer = web_say(web, request, strlen(request));
    ck_assert_int_eq(answer.status, 200);
    commands_has(answer.all, "Content-Length: 3\r\n");
    ck_assert_uint_eq(answer.length, 0);
    web_answer_finish(&answer);
}
END_TEST

/* --- databases that are away -------------------------------------------------------------------------------------- */

START_TEST(database_that_is_away_holds_up_no_other)
{
    served = site_lead(site);
    start_web("away: { conninfo = \"host=127.0.0.1 port=1 dbname=none\"; };");
    struct web_answer answer = web_expect(200, web, "/api/v1/databases", "");
    commands_has(answer.body, "\"database\": \"away\",\n      \"reachable\": false");
    commands_has(answer.body, "\"database\": \"main\",\n      \"reachable\": true");
    web_answer_finish(&answer);
    assert_problem(503, "/api/v1/d/away/jobs", "database \\\"away\\\": ");
    answer = web_expect(200, web, "/api/v1/d/main/jobs", "");
    web_answer_finish(&answer);
}
END_TEST

static bool becomes(void *data)
{
    int status = *(const int *)data;
    struct web_answer answer = web_get(web, "/readyz", "");
    web_answer_finish(&answer);
    return answer.status == status;
}

START_TEST(readiness_follows_the_server_and_the_leader)
{
    int well = 200;
    int ill = 503;
    start_web("");
    struct web_answer answer = web_expect(503, web, "/readyz", "");
    commands_has(answer.body, "not every database is reachable and led");
    web_answer_finish(&answer);
    served = site_lead(site);
    ck_assert(wait_until(becomes, &well, 60));
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
    ck_assert(wait_until(becomes, &ill, 60));
    answer = web_expect(200, web, "/healthz", "");
    web_answer_finish(&answer);
    cluster_start(cluster);
    ck_assert(wait_until(becomes, &well, 120));
}
END_TEST

START_TEST(schema_that_is_missing_is_said)
{
    cluster_create_database(cluster, "empty");
    char *conninfo = cluster_conninfo(cluster, "empty");
    char *more = files_path("empty: { conninfo = \"%s\"; };", conninfo);
    start_web(more);
    assert_problem(503, "/api/v1/d/empty/jobs", "database \\\"empty\\\": schema chime is missing");
    free(more);
    free(conninfo);
}
END_TEST

/* Of two schedules with one instant in common, and one that is nobody else's. */
START_TEST(instants_at_which_many_are_due_are_foretold)
{
    site_job(site, "half", "schedule = \"*/30 * * * *\"; command = \"SELECT 1\";");
    site_job(site, "other-half", "schedule = \"0,30 * * * *\"; command = \"SELECT 1\";");
    site_job(site, "alone", "schedule = \"17 * * * *\"; command = \"SELECT 1\";");
    served = site_lead(site);
    served_end();
    start_web("");
    struct web_answer answer = web_expect(200, web, "/api/v1/d/main/crowded", "");
    const char *first = strstr(answer.body, "\"jobs\": 2");
    ck_assert_msg(first != NULL && strstr(first + 1, "\"jobs\": 2") != NULL, "%s", answer.body);
    ck_assert_ptr_null(strstr(strstr(first + 1, "\"jobs\": 2") + 1, "\"jobs\""));
    web_answer_finish(&answer);
}
END_TEST

START_TEST(it_ends_when_it_is_told_to)
{
    start_web("");
    daemon_signal(web_server_daemon(web), SIGTERM);
    ck_assert_int_eq(daemon_wait(web_server_daemon(web), 60), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web");
    TCase *tests = tcase_create("web");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, pages_are_what_the_commands_print);
    tcase_add_test(tests, run_is_what_show_prints_by_number_and_by_slot);
    tcase_add_test(tests, views_of_plugins_are_what_the_commands_print);
    tcase_add_test(tests, doctor_finds_what_the_command_finds);
    tcase_add_test(tests, databases_are_as_status_has_them);
    tcase_add_test(tests, one_run_is_found_by_its_kind_and_slot);
    tcase_add_test(tests, what_is_not_there_is_a_problem_with_its_way_out);
    tcase_add_test(tests, page_that_is_known_is_not_sent_again);
    tcase_add_test(tests, page_is_gzipped_for_who_asks);
    tcase_add_test(tests, head_has_the_fields_and_no_body);
    tcase_add_test(tests, database_that_is_away_holds_up_no_other);
    tcase_add_test(tests, readiness_follows_the_server_and_the_leader);
    tcase_add_test(tests, schema_that_is_missing_is_said);
    tcase_add_test(tests, instants_at_which_many_are_due_are_foretold);
    tcase_add_test(tests, it_ends_when_it_is_told_to);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
