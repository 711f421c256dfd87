/* SPDX-License-Identifier: PostgreSQL */
/* Lists of `pgchime web` by pages, and what it says of one run and of one job's past, by a ledger that is written
 * here. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/web/web.h"

#define LIST_MAX 1000

static struct web_server *web;
static char *folder;

static void start_web(const char *more)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *databases = files_path("main: { conninfo = \"%s\"; };", conninfo);
    web = web_server_start(folder, databases, more);
    free(databases);
    free(conninfo);
}

/* A ledger that nobody leads. */
static void set_up(void)
{
    served_set_up(4);
    folder = files_make_directory();
    site_job(site, "first", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\";");
    site_job(site, "then", "schedule = \"0 3 1 1 *\"; command = \"SELECT 'secret'\"; after = [\"first\"];");
    served = site_lead(site);
    served_end();
}

static void tear_down(void)
{
    web_server_destroy(web);
    served_tear_down();
    free(folder);
}

static json_t *get(const char *target)
{
    struct web_answer answer = web_expect(200, web, target, "");
    json_t *body = json_loads(answer.body, 0, NULL);
    ck_assert_msg(body != NULL, "%s: %s", target, answer.body);
    web_answer_finish(&answer);
    return body;
}

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

/* --- by pages ----------------------------------------------------------------------------------------------------- */

typedef char *key_function(const json_t *row);
typedef char *next_function(const json_t *row); /* the query for what comes behind it */

static char *key_of_run(const json_t *row)
{
    json_t *number = json_object_get(row, "run_id");
    return json_is_integer(number) ? files_path("%lld", (long long)json_integer_value(number))
                                   : files_path("%s %s", text_of(row, "job"), text_of(row, "slot"));
}

static char *behind_run(const json_t *row)
{
    json_t *number = json_object_get(row, "run_id");
    return json_is_integer(number)
               ? files_path("&before=%s,%lld", text_of(row, "slot"), (long long)json_integer_value(number))
               : files_path("&before=%s,!%s", text_of(row, "slot"), text_of(row, "job"));
}

static char *key_of_job(const json_t *row)
{
    return files_path("%s", text_of(row, "name"));
}

static char *behind_job(const json_t *row)
{
    return files_path("&after=%s", text_of(row, "name"));
}

static size_t read_pages(const char *target, const char *list, key_function *key, next_function *next,
                         char *keys[static LIST_MAX])
{
    size_t count = 0;
    char *cursor = files_path("%s", "");
    for (;;) {
        char *page = files_path("%s%s", target, cursor);
        json_t *body = get(page);
        json_t *rows = json_object_get(body, list);
        size_t size = json_array_size(rows);
        free(page);
        for (size_t i = 0; i < size; i++) {
            ck_assert_uint_lt(count, LIST_MAX);
            keys[count++] = key(json_array_get(rows, i));
        }
        free(cursor);
        if (size == 0) {
            json_decref(body);
            return count;
        }
        cursor = next(json_array_get(rows, size - 1));
        json_decref(body);
    }
}

/* By pages it is as at once: nothing is left out, and nothing comes twice. */
static void expect_same_by_pages(const char *whole, const char *by_pages, size_t expected, const char *list,
                                 key_function *key, next_function *next)
{
    char *keys[LIST_MAX];
    json_t *body = get(whole);
    json_t *rows = json_object_get(body, list);
    size_t count = read_pages(by_pages, list, key, next, keys);
    ck_assert_uint_eq(json_array_size(rows), expected);
    ck_assert_uint_eq(count, expected);
    for (size_t i = 0; i < count; i++) {
        char *wanted = key(json_array_get(rows, i));
        ck_assert_str_eq(keys[i], wanted);
        free(wanted);
        free(keys[i]);
    }
    json_decref(body);
}

#define JOB(name) "(SELECT job_id FROM chime.job WHERE name = '" name "')"
/* Ten runs of both jobs at one slot each of three, three missed stretches at one, and failures among them. */
static const char crowded_history[] =
    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)"
    " SELECT 100 * s.n + 10 * j.n + k.n, j.job_id, k.kind, s.slot,"
    "        CASE WHEN k.n = 1 THEN 'failed' ELSE 'succeeded' END::chime.run_state, 1, 1, s.slot, s.slot"
    "   FROM (SELECT n, timestamptz '2026-01-01Z' + n * interval '1 hour' AS slot FROM generate_series(1, 3) n) s,"
    "        (SELECT job_id, row_number() OVER (ORDER BY name DESC) AS n FROM chime.job) j,"
    "        unnest(enum_range(NULL::chime.run_kind)) WITH ORDINALITY AS k (kind, n) WHERE k.n <= 5;"
    "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)"
    " SELECT job_id, '2026-01-01 01:30Z', '2026-01-01 02:00Z', 5, 'away', 1 FROM chime.job";

START_TEST(runs_of_one_slot_come_once_on_one_of_the_pages)
{
    cluster_execute(cluster, crowded_history);
    start_web("anonymous = \"view\";");
    expect_same_by_pages("/api/v1/d/main/runs?limit=500", "/api/v1/d/main/runs?limit=3", 32, "runs", key_of_run,
                         behind_run);
    expect_same_by_pages("/api/v1/d/main/runs?limit=500&state=failed", "/api/v1/d/main/runs?limit=1&state=failed", 6,
                         "runs", key_of_run, behind_run);
    expect_same_by_pages("/api/v1/d/main/runs?limit=500&state=missed", "/api/v1/d/main/runs?limit=1&state=missed", 2,
                         "runs", key_of_run, behind_run);
    expect_same_by_pages("/api/v1/d/main/job/then/runs?limit=500", "/api/v1/d/main/job/then/runs?limit=4", 16, "runs",
                         key_of_run, behind_run);
    expect_same_by_pages("/api/v1/d/main/job/then/runs?limit=500&state=failed",
                         "/api/v1/d/main/job/then/runs?limit=2&state=failed", 3, "runs", key_of_run, behind_run);
}
END_TEST

START_TEST(jobs_come_once_on_one_of_the_pages)
{
    cluster_execute(cluster,
                    "INSERT INTO chime.job (name, origin, command, schedule, active)"
                    " SELECT format('%s-%s', CASE WHEN n % 2 = 0 THEN 'Even' ELSE 'odd' END, n), 'config', 'SELECT 1',"
                    "        '0 3 * * *', n % 5 <> 0 FROM generate_series(1, 40) n;"
                    "INSERT INTO chime.job_state (job_id, last_slot, consecutive_failures)"
                    " SELECT job_id, now(), CASE WHEN name LIKE '%7' THEN 1 ELSE 0 END FROM chime.job"
                    "     ON CONFLICT (job_id) DO NOTHING");
    start_web("anonymous = \"view\";");
    expect_same_by_pages("/api/v1/d/main/jobs", "/api/v1/d/main/jobs?limit=3", 34, "jobs", key_of_job, behind_job);
    expect_same_by_pages("/api/v1/d/main/jobs?all", "/api/v1/d/main/jobs?all&limit=7", 42, "jobs", key_of_job,
                         behind_job);
    expect_same_by_pages("/api/v1/d/main/jobs?q=EVEN", "/api/v1/d/main/jobs?limit=3&q=eVen", 16, "jobs", key_of_job,
                         behind_job);
    expect_same_by_pages("/api/v1/d/main/jobs?like=odd-%2A", "/api/v1/d/main/jobs?limit=3&like=odd-%2A", 16, "jobs",
                         key_of_job, behind_job);
    expect_same_by_pages("/api/v1/d/main/jobs?state=failing", "/api/v1/d/main/jobs?limit=1&state=failing", 4, "jobs",
                         key_of_job, behind_job);
    expect_same_by_pages("/api/v1/d/main/jobs?state=disabled", "/api/v1/d/main/jobs?limit=3&state=disabled", 8, "jobs",
                         key_of_job, behind_job);
}
END_TEST

/* --- what is asked for in vain ------------------------------------------------------------------------------------ */

START_TEST(what_is_no_place_in_a_list_is_refused)
{
    static const char *const targets[] = {
        "runs?before=",
        "runs?before=17",
        "runs?before=2026-01-01T00:00:00Z",
        "runs?before=2026-01-01T00:00:00Z,",
        "runs?before=2026-01-01T00:00:00Z,x",
        "runs?before=2026-01-01T00:00:00Z,-1",
        "runs?before=2026-01-01T00:00:00Z,99999999999999999999",
        "runs?before=2026-01-01T00:00:00Z,1);DROP%20TABLE%20chime.run",
        "runs?before=infinity,1",
        "runs?limit=501",
        "runs?limit=0",
        "jobs?limit=501",
        "jobs?state=wrong",
        "jobs?origin=constructor",
        "next?count=501",
        "next?from=yesterday",
        "job/first/next?count=-1",
        "job/first/days?count=401",
        "history?before=x",
    };
    start_web("anonymous = \"view\";");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *target = files_path("/api/v1/d/main/%s", targets[i]);
        struct web_answer answer = web_expect(400, web, target, "");
        commands_has(answer.all, "Content-Type: application/problem+json\r\n");
        web_answer_finish(&answer);
        free(target);
    }
}
END_TEST

static size_t jobs_of_graph(const char *query)
{
    char *target = files_path("/api/v1/d/main/graph?%s", query);
    json_t *body = get(target);
    size_t count = json_array_size(json_object_get(body, "jobs"));
    json_decref(body);
    free(target);
    return count;
}

/* A chain of five behind "then". */
START_TEST(graph_around_a_job_goes_so_many_steps)
{
    cluster_execute(cluster, "INSERT INTO chime.job (name, origin, command, after)"
                             " SELECT format('c%s', n), 'config', 'SELECT 1',"
                             "        ARRAY[CASE WHEN n = 1 THEN 'then' ELSE format('c%s', n - 1) END]"
                             "   FROM generate_series(1, 5) n");
    start_web("anonymous = \"view\";");
    ck_assert_uint_eq(jobs_of_graph("depth=2"), 7);
    ck_assert_uint_eq(jobs_of_graph("job=then&depth=1"), 3);
    ck_assert_uint_eq(jobs_of_graph("job=c3"), 5);
    ck_assert_uint_eq(jobs_of_graph("job=c5&depth=100"), 7);
    struct web_answer answer = web_expect(404, web, "/api/v1/d/main/graph?job=constructor", "");
    web_answer_finish(&answer);
    answer = web_expect(400, web, "/api/v1/d/main/graph?job=then&plugin=x", "");
    web_answer_finish(&answer);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    static const char *const targets[] = {"next", "days", "versions",
                                          "why",  "runs", "run/schedule/2026-01-01T00:00:00Z"};
    start_web("anonymous = \"view\";");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *target = files_path("/api/v1/d/main/job/constructor/%s", targets[i]);
        struct web_answer answer = web_expect(404, web, target, "");
        web_answer_finish(&answer);
        free(target);
    }
    json_t *none = get("/api/v1/d/main/job/first/run/__proto__/2026-01-01T00:00:00Z");
    ck_assert_uint_eq(json_array_size(json_object_get(none, "runs")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(none, "definitions")), 0);
    json_decref(none);
}
END_TEST

/* --- one run ------------------------------------------------------------------------------------------------------ */

/* It waited 5 s for the job before it, then 2 s for its turn; was tried twice, 10 s apart. */
static const char run_of_then[] =
    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, claimed_at, started_at,"
    "                               finished_at, sqlstate, message) VALUES"
    " (1, " JOB(
        "first") ", 'schedule', '2026-01-01 03:00Z', 'succeeded', 1, 1, '2026-01-01 03:00Z',"
                 "  '2026-01-01 03:00Z', '2026-01-01 03:00:05Z', NULL, NULL),"
                 " (2, " JOB(
                     "then") ", 'schedule', '2026-01-01 03:00Z', 'failed', 2, 1, '2026-01-01 03:00:20Z',"
                             "  '2026-01-01 03:00:20Z', '2026-01-01 03:00:21Z', '22012', 'division by zero');"
                             "INSERT INTO chime.attempt (run_id, job_id, kind, slot, attempt, state, epoch, "
                             "started_at, finished_at, sqlstate,"
                             "                           message) VALUES"
                             " (2, " JOB(
                                 "then") ", 'schedule', '2026-01-01 03:00Z', 1, 'failed', 1, '2026-01-01 03:00:07Z',"
                                         "  '2026-01-01 03:00:10Z', '40001', 'could not serialize')";

static void expect_wait(const json_t *waits, size_t place, const char *wait, int milliseconds)
{
    const json_t *row = json_array_get(waits, place);
    ck_assert_msg(row != NULL, "there is no wait %zu", place);
    ck_assert_str_eq(text_of(row, "wait"), wait);
    ck_assert_int_eq((int)json_number_value(json_object_get(row, "length_ms")), milliseconds);
}

START_TEST(run_has_its_attempts_its_waits_and_its_neighbours)
{
    cluster_execute(cluster, run_of_then);
    start_web("anonymous = \"view\";");
    json_t *body = get("/api/v1/d/main/job/then/run/schedule/2026-01-01T03:00:00Z");
    const json_t *attempts = json_object_get(body, "attempts");
    const json_t *waits = json_object_get(body, "waits");
    const json_t *upstream = json_array_get(json_object_get(body, "upstreams"), 0);
    ck_assert_uint_eq(json_array_size(attempts), 2);
    ck_assert_str_eq(text_of(json_array_get(attempts, 0), "message"), "could not serialize");
    ck_assert_str_eq(text_of(json_array_get(attempts, 1), "sqlstate"), "22012");
    ck_assert_uint_eq(json_array_size(waits), 3);
    expect_wait(waits, 0, "upstream", 5000);
    expect_wait(waits, 1, "start", 2000);
    expect_wait(waits, 2, "retry", 10000);
    ck_assert_str_eq(text_of(upstream, "job"), "first");
    ck_assert_str_eq(text_of(upstream, "state"), "succeeded");
    json_decref(body);

    body = get("/api/v1/d/main/job/first/run/schedule/2026-01-01T03:00:00Z");
    const json_t *downstream = json_array_get(json_object_get(body, "downstreams"), 0);
    ck_assert_str_eq(text_of(downstream, "job"), "then");
    ck_assert_str_eq(text_of(downstream, "state"), "failed");
    ck_assert_uint_eq(json_array_size(json_object_get(body, "waits")), 0);
    json_decref(body);
}
END_TEST

/* Of a job of the configuration the text of before is not kept: the page does not claim to know it. */
START_TEST(text_that_a_run_may_not_have_run_is_not_claimed)
{
    cluster_execute(cluster, run_of_then);
    start_web("anonymous = \"view\";");
    json_t *body = get("/api/v1/d/main/job/then/run/schedule/2026-01-01T03:00:00Z");
    const json_t *definition = json_array_get(json_object_get(body, "definitions"), 0);
    ck_assert(json_is_false(json_object_get(definition, "ran")));
    ck_assert_str_eq(text_of(definition, "command"), "SELECT 'secret'");
    json_decref(body);
    cluster_execute(cluster, "INSERT INTO chime.job_past (job_id, version, since, until, owner, command)"
                             " SELECT job_id, 7, '2025-01-01Z', '2026-01-02Z', owner, 'SELECT 7' FROM chime.job"
                             "  WHERE name = 'then'; UPDATE chime.job SET version = 8 WHERE name = 'then'");
    body = get("/api/v1/d/main/job/then/run/schedule/2026-01-01T03:00:00.000Z");
    definition = json_array_get(json_object_get(body, "definitions"), 0);
    ck_assert(json_is_true(json_object_get(definition, "ran")));
    ck_assert_str_eq(text_of(definition, "command"), "SELECT 7");
    json_decref(body);
    body = get("/api/v1/d/main/job/then/versions");
    const json_t *versions = json_object_get(body, "versions");
    ck_assert_uint_eq(json_array_size(versions), 2);
    ck_assert_str_eq(text_of(json_array_get(versions, 0), "since"), "2026-01-02T00:00:00Z");
    json_decref(body);
}
END_TEST

START_TEST(texts_are_hidden_from_who_may_not_see_them)
{
    static const char *const targets[] = {"jobs", "job/then", "job/then/versions",
                                          "job/then/run/schedule/2026-01-01T03:00:00Z"};
    cluster_execute(cluster, run_of_then);
    start_web("anonymous = \"view\"; show_commands = \"operate\";");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *target = files_path("/api/v1/d/main/%s", targets[i]);
        struct web_answer answer = web_expect(200, web, target, "");
        ck_assert_msg(strstr(answer.body, "secret") == NULL, "%s: %s", target, answer.body);
        commands_has(answer.body, "\"command\": null");
        web_answer_finish(&answer);
        free(target);
    }
}
END_TEST

/* --- one job ------------------------------------------------------------------------------------------------------ */

START_TEST(job_that_fails_says_since_when_why_and_what_comes_after_it)
{
    cluster_execute(
        cluster, "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at,"
                 "                               finished_at, sqlstate, message)"
                 " SELECT n, " JOB(
                     "first") ", 'schedule', s, CASE WHEN n = 1 THEN 'succeeded' ELSE 'failed'"
                              "        END::chime.run_state, 1, 1, s, s, '22012', format(E'division %s\\nby zero', n)"
                              "   FROM (SELECT n, timestamptz '2026-01-01Z' + n * interval '1 hour' AS s"
                              "           FROM generate_series(1, 4) n) x;"
                              "UPDATE chime.job_state SET consecutive_failures = 3, last_success = '2026-01-01 01:00Z'"
                              " WHERE job_id = " JOB("first"));
    start_web("anonymous = \"view\";");
    struct web_answer answer = web_expect(200, web, "/api/v1/d/main/job/first/why", "");
    commands_has(answer.body, "\"failing\": \"it failed 3 times in a row, first at slot 2026-01-01T02:00:00Z: 22012 "
                              "division 4; after it comes then\"");
    web_answer_finish(&answer);
    answer = web_expect(200, web, "/api/v1/d/main/jobs?failing", "");
    commands_has(answer.body, "\"downstream\": [\n        \"then\"\n      ]");
    web_answer_finish(&answer);
}
END_TEST

START_TEST(days_are_those_that_are_summed_up_the_latest_first)
{
    cluster_execute(cluster,
                    "UPDATE chime.totals SET next_day = '2026-02-01';"
                    "INSERT INTO chime.job_day (job_id, day, runs, succeeded, failed, skipped, missed, busy_us)"
                    " SELECT " JOB("first") ", date '2026-01-31' - n, 10, 9, 1, 0, 2, 5000000"
                                            "   FROM generate_series(0, 99) n");
    start_web("anonymous = \"view\";");
    json_t *body = get("/api/v1/d/main/job/first/days");
    const json_t *days = json_object_get(body, "days");
    ck_assert_uint_eq(json_array_size(days), 90);
    ck_assert_str_eq(text_of(json_array_get(days, 0), "day"), "2026-01-31");
    ck_assert_int_eq((int)json_number_value(json_object_get(json_array_get(days, 0), "busy_ms")), 5000);
    json_decref(body);
}
END_TEST

/* Eight jobs of a minute each, and two sessions: the last two start three minutes late; a lone one in the midst of that
 * waits, too. */
START_TEST(crowded_instants_say_how_late_the_last_would_start)
{
    cluster_execute(cluster,
                    "INSERT INTO chime.job (name, origin, command, schedule)"
                    " SELECT format('crowd-%s', n), 'config', 'SELECT 1', '30 * * * *' FROM generate_series(1, 8) n"
                    " UNION ALL SELECT 'lone', 'config', 'SELECT 1', '31 * * * *';"
                    "INSERT INTO chime.job_state (job_id, last_slot, typical_us)"
                    " SELECT job_id, now(), 60000000 FROM chime.job WHERE name = 'lone' OR name LIKE 'crowd-%';"
                    "UPDATE chime.pulse SET sessions_most = 2");
    start_web("anonymous = \"view\";");
    json_t *body = get("/api/v1/d/main/crowded");
    const json_t *instants = json_object_get(body, "instants");
    int seen = 0;
    for (size_t i = 0; i < json_array_size(instants); i++) {
        const json_t *row = json_array_get(instants, i);
        int late = (int)json_number_value(json_object_get(row, "late_ms"));
        const char *minute = text_of(row, "at") + strlen("2026-01-01T00:");
        if (strncmp(minute, "30:", 3) == 0) {
            ck_assert_int_eq((int)json_integer_value(json_object_get(row, "jobs")), 8);
            ck_assert_int_eq((int)json_number_value(json_object_get(row, "work_ms")), 480000);
            ck_assert_int_eq(late, 180000);
            seen++;
        } else if (strncmp(minute, "31:", 3) == 0 && i > 0) { /* its hour may end between them */
            ck_assert_int_eq(late, 180000);
            seen++;
        }
    }
    ck_assert_int_ge(seen, 1);
    json_decref(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_lists");
    TCase *tests = tcase_create("web_lists");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, runs_of_one_slot_come_once_on_one_of_the_pages);
    tcase_add_test(tests, jobs_come_once_on_one_of_the_pages);
    tcase_add_test(tests, what_is_no_place_in_a_list_is_refused);
    tcase_add_test(tests, what_is_not_there_is_not_found);
    tcase_add_test(tests, graph_around_a_job_goes_so_many_steps);
    tcase_add_test(tests, run_has_its_attempts_its_waits_and_its_neighbours);
    tcase_add_test(tests, text_that_a_run_may_not_have_run_is_not_claimed);
    tcase_add_test(tests, texts_are_hidden_from_who_may_not_see_them);
    tcase_add_test(tests, job_that_fails_says_since_when_why_and_what_comes_after_it);
    tcase_add_test(tests, days_are_those_that_are_summed_up_the_latest_first);
    tcase_add_test(tests, crowded_instants_say_how_late_the_last_would_start);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
