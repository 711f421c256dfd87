/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime next` and `pgchime jobs`, of jobs that the test itself wrote: no daemon moves them on meanwhile. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static char *configuration;
static char *output;
static char *errors;
static json_t *document;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

static void complains(const char *part)
{
    commands_has(errors, part);
}

static json_t *jobs(void)
{
    json_decref(document);
    document = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json_is_array(json_object_get(document, "jobs")), "%s", output);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "schema_version")), 1);
    return json_object_get(document, "jobs");
}

static const char *text_of(size_t row, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(document, "jobs"), row), key));
}

static json_t *slots_of(size_t row)
{
    return json_object_get(json_array_get(json_object_get(document, "jobs"), row), "slots");
}

static const char *slot(size_t row, size_t index)
{
    return json_string_value(json_array_get(slots_of(row), index));
}

/* `more` are further columns of chime.job with their values, as in UPDATE. */
static void add_job(const char *name, const char *schedule, const char *more)
{
    cluster_execute_format(cluster,
                           "WITH made AS (INSERT INTO chime.job (name, origin, schedule, command) VALUES ('%s', "
                           "'config', '%s', 'SELECT 1')"
                           "              RETURNING job_id)"
                           "INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, clock_timestamp() FROM made",
                           name, schedule);
    if (more != NULL) {
        cluster_execute_format(cluster, "UPDATE chime.job SET %s WHERE name = '%s'", more, name);
    }
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    cluster_create_database(cluster, "app");
    cluster_use(cluster, "app");
    char *folder = files_make_directory();
    configuration = commands_configure(cluster, "postgres", "app", folder, "");
    free(folder);
    ASSERT_RUN(0, "migrate");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
    free(configuration);
    free(output);
    free(errors);
    json_decref(document);
}

START_TEST(the_next_slot_of_every_job_soonest_first)
{
    add_job("yearly", "@yearly", NULL);
    add_job("often", "* * * * * *", NULL);
    add_job("monthly", "0 12 $ * *", NULL);
    add_job("asleep", "* * * * *", "active = false");
    add_job("joined", "", "after = '{often,yearly}'");
    ASSERT_RUN(0, "next", "--at", "2026-03-27", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 3);
    ck_assert_str_eq(text_of(0, "job"), "often");
    ck_assert_str_eq(slot(0, 0), "2026-03-27T00:00:00Z");
    ck_assert_uint_eq(json_array_size(slots_of(0)), 1);
    ck_assert_str_eq(text_of(1, "job"), "monthly");
    ck_assert_str_eq(slot(1, 0), "2026-03-31T12:00:00Z");
    ck_assert_str_eq(text_of(2, "job"), "yearly");
    ck_assert_str_eq(text_of(2, "database"), "main");
    ck_assert_str_eq(text_of(2, "timezone"), "UTC");
    complains("1 active job without a slot that is known beforehand");
    ASSERT_RUN(0, "next", "--count", "1", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 1);
    complains("1 of 3 jobs; --count N shows more");
}
END_TEST

/* Far from now, so that none becomes due between two looks. */
static void add_jobs_of_one_schedule(void)
{
    static const char *const names[] = {"plain", "twin", "ahead", "later", "for-good", "follows", "refused"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        add_job(names[i], "0 3 1 1 *", NULL);
    }
    add_job("berlin", "0 3 1 1 *", "options = '{\"timezone\": \"Europe/Berlin\"}'");
    add_job("rested", "@after 2h", NULL);
    add_job("runs", "@after 2h", NULL);
    cluster_execute(
        cluster,
        "UPDATE chime.job SET after = '{plain}' WHERE name = 'follows';"
        "UPDATE chime.job SET problem = 'x' WHERE name = 'refused';"
        "UPDATE chime.job_state s SET last_slot = '2098-06-01Z' FROM chime.job j WHERE j.job_id = s.job_id"
        " AND j.name = 'ahead';"
        "UPDATE chime.job_state s SET suspended_at = now(), suspended_until = CASE WHEN j.name = 'later' THEN"
        " timestamptz '2099-06-01Z' END FROM chime.job j WHERE j.job_id = s.job_id AND j.name IN ('later', 'for-good');"
        "UPDATE chime.job_state s SET last_end = '2097-01-01Z' FROM chime.job j WHERE j.job_id = s.job_id"
        " AND j.name IN ('rested', 'runs');"
        "INSERT INTO chime.run (job_id, kind, slot, token, epoch) SELECT job_id, 'schedule', now(),"
        " gen_random_uuid(), 1 FROM chime.job WHERE name = 'runs'");
}

START_TEST(jobs_of_one_schedule_are_due_as_each_of_them_is)
{
    add_jobs_of_one_schedule();
    ASSERT_RUN(0, "next", "-o", "json");
    json_t *all = json_incref(jobs());
    ck_assert_msg(json_array_size(all) == 7, "%s", output);
    complains("3 active jobs without a slot that is known beforehand");
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *job = json_array_get(all, i);
        const char *name = json_string_value(json_object_get(job, "job"));
        ASSERT_RUN(0, "next", name, "--count", "1", "-o", "json");
        jobs();
        ck_assert_msg(json_equal(json_object_get(job, "slots"), slots_of(0)), "%s", name);
    }
    json_decref(all);
    ASSERT_RUN(0, "next", "--count", "2", "-o", "json"); /* of three that are due at once the first by name */
    ck_assert_uint_eq(json_array_size(jobs()), 2);
    complains("2 of 7 jobs; --count N shows more");
    ck_assert_str_eq(text_of(0, "job"), "berlin");
    ck_assert_str_eq(text_of(1, "job"), "follows");
}
END_TEST

START_TEST(the_slots_of_one_job_in_its_zone_with_what_the_clocks_do)
{
    add_job("nightly", "30 2 * * *", "options = '{\"timezone\": \"Europe/Berlin\"}'");
    ASSERT_RUN(0, "next", "nightly", "--at", "2026-03-28", "--count", "3", "--explain-dst", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 1);
    ck_assert_str_eq(text_of(0, "timezone"), "Europe/Berlin");
    ck_assert_str_eq(slot(0, 0), "2026-03-28T01:30:00Z");
    ck_assert_str_eq(slot(0, 1), "2026-03-29T01:00:00Z");
    ck_assert_str_eq(slot(0, 2), "2026-03-30T00:30:00Z");
    json_t *notes = json_object_get(json_array_get(json_object_get(document, "jobs"), 0), "notes");
    ck_assert_uint_eq(json_array_size(notes), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(notes, 0), "slot")), "2026-03-29T01:00:00Z");
    ASSERT_RUN(0, "next", "nightly", "--at", "2026-03-28", "--count", "2", "-o", "csv");
    ck_assert_str_eq(output, "job,database,slot,local\n"
                             "nightly,main,2026-03-28T01:30:00Z,2026-03-28T02:30:00+01:00\n"
                             "nightly,main,2026-03-29T01:00:00Z,2026-03-29T03:00:00+02:00\n");
    cluster_execute(cluster, "UPDATE chime.job SET options = options || '{\"dst_gap\": \"skip\"}'");
    ASSERT_RUN(0, "next", "nightly", "--at", "2026-03-29", "--count", "1", "-o", "json");
    jobs();
    ck_assert_str_eq(slot(0, 0), "2026-03-30T00:30:00Z");
    ASSERT_RUN(0, "next", "nightly");
    ck_assert_msg(strstr(output, " CE") != NULL && strstr(output, "in ") != NULL, "%s", output);
}
END_TEST

START_TEST(a_delay_is_known_once_its_run_has_ended)
{
    add_job("sweep", "@after 2h", NULL);
    cluster_execute(cluster, "UPDATE chime.job_state SET last_end = '2099-03-28 11:00+00'");
    ASSERT_RUN(0, "next", "sweep", "-o", "json");
    jobs();
    ck_assert_uint_eq(json_array_size(slots_of(0)), 1);
    ck_assert_str_eq(slot(0, 0), "2099-03-28T13:00:00Z");
    cluster_execute(cluster, "INSERT INTO chime.run (job_id, kind, slot, token, epoch)"
                             " SELECT job_id, 'schedule', now(), gen_random_uuid(), 1 FROM chime.job");
    ASSERT_RUN(0, "next", "sweep", "-o", "json");
    jobs();
    ck_assert_uint_eq(json_array_size(slots_of(0)), 0);
    complains("job \"sweep\" runs now: it is due 2h after its end");
}
END_TEST

START_TEST(why_a_job_has_no_slots_is_said)
{
    add_job("first", "@daily", NULL);
    add_job("asleep", "@daily", "active = false");
    add_job("joined", "", "after = '{first,asleep}'");
    add_job("at-boot", "@reboot", NULL);
    add_job("once", "@at 2020-01-01 00:00", NULL);
    ASSERT_RUN(0, "next", "asleep", "-o", "json");
    jobs();
    ck_assert_uint_eq(json_array_size(slots_of(0)), 0);
    complains("job \"asleep\" is inactive");
    ASSERT_RUN(0, "next", "joined");
    complains("job \"joined\" has no schedule: it runs after first, asleep");
    ASSERT_RUN(0, "next", "at-boot");
    complains("with the next start of the server");
    ASSERT_RUN(0, "next", "once");
    complains("job \"once\" has no slots from then on");
    ASSERT_RUN(5, "next", "frist");
    complains("did you mean \"first\"?");
}
END_TEST

static json_t *of_job(const char *name, const char *key)
{
    for (size_t i = 0; i < json_array_size(json_object_get(document, "jobs")); i++) {
        if (strcmp(text_of(i, key[0] == 'o' ? "name" : "job"), name) == 0) {
            return json_object_get(json_array_get(json_object_get(document, "jobs"), i), key);
        }
    }
    ck_abort_msg("no job %s in:\n%s", name, output);
}

static void add_woken_jobs(void)
{
    add_job("first", "@yearly", NULL);
    add_job("listener", "", "channels = '{scored,\"Two, words\"}'");
    add_job("follower", "", "after = '{first}', channels = '{scored}'");
    add_job("refresh", "", "command = '', views = '{a.b}', options = '{\"target_lag\": \"2s\"}'");
    add_job("mixed", "@yearly",
            "command = '', views = '{a.b}', channels = '{scored}', options = '{\"target_lag\": \"2s\"}'");
    add_job("forced", "", "options = '{\"target_lag\": \"none\"}'");
}

START_TEST(what_wakes_a_job_without_a_schedule_is_said)
{
    add_woken_jobs();
    ASSERT_RUN(0, "next", "listener");
    complains("job \"listener\" has no schedule: it runs on scored, Two, words\n");
    ASSERT_RUN(0, "next", "follower");
    complains("job \"follower\" has no schedule: it runs after first; on scored\n");
    ASSERT_RUN(0, "next", "refresh");
    complains("job \"refresh\" has no schedule: it runs when its sources change\n");
    ASSERT_RUN(0, "next", "forced");
    complains("job \"forced\" has no schedule: it runs when it is asked for\n");
    ASSERT_RUN(0, "next");
    complains("4 active jobs without a slot that is known beforehand");
}
END_TEST

static bool line_has(const char *name, const char *words)
{
    const char *line = strstr(output, name);
    ck_assert_msg(line != NULL, "no %s in:\n%s", name, output);
    const char *found = strstr(line, words);
    return found != NULL && found < line + strcspn(line, "\n");
}

START_TEST(jobs_and_show_tell_what_wakes_a_job)
{
    add_woken_jobs();
    ASSERT_RUN(0, "jobs");
    ck_assert_msg(line_has("listener ", " on scored, Two, words "), "%s", output);
    ck_assert_msg(line_has("follower ", " after first; on scored "), "%s", output);
    ck_assert_msg(line_has("refresh ", " when its sources change "), "%s", output);
    ck_assert_msg(line_has("mixed ", " @yearly "), "%s", output);
    ck_assert_msg(strstr(output, " ON") == NULL, "%s", output);
    ASSERT_RUN(0, "jobs", "-o", "wide");
    ck_assert_msg(strstr(output, " ON ") != NULL && line_has("mixed ", " scored "), "%s", output);
    ASSERT_RUN(0, "jobs", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 6);
    ck_assert_uint_eq(json_array_size(of_job("listener", "on")), 2);
    ck_assert_str_eq(json_string_value(json_array_get(of_job("listener", "on"), 1)), "Two, words");
    ck_assert_uint_eq(json_array_size(of_job("refresh", "on")), 0);
    ck_assert_msg(strstr(output, "\"schedule\": \"\"") != NULL && strstr(output, "after first") == NULL, "%s", output);
    ASSERT_RUN(0, "show", "listener");
    ck_assert_msg(line_has("ON ", " scored, Two, words"), "%s", output);
    ASSERT_RUN(0, "show", "refresh");
    ck_assert_msg(strstr(output, "target_lag = 2s") != NULL, "%s", output);
    ck_assert_msg(line_has("SCHEDULE ", " when its sources change"), "%s", output);
}
END_TEST

START_TEST(jobs_are_listed_by_the_page_and_what_follows_is_counted)
{
    add_job("a", "@yearly", NULL);
    add_job("b", "@yearly", NULL);
    add_job("c", "@yearly", "active = false");
    add_job("d", "@yearly", NULL);
    add_job("e e", "@yearly", NULL);
    ASSERT_RUN(0, "jobs", "--limit", "2", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 2);
    ck_assert_str_eq(text_of(1, "name"), "b");
    complains("2 more: --after c --database main"); /* which is disabled */
    ASSERT_RUN(0, "jobs", "--after", "b", "--limit", "1", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 1);
    ck_assert_str_eq(text_of(0, "name"), "d");
    complains("1 more: --after d");
    ASSERT_RUN(0, "jobs", "--after", "d", "--limit", "1", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 1);
    ck_assert_ptr_null(strstr(errors, "more"));
    cluster_execute(cluster, "UPDATE chime.job_state s SET consecutive_failures = 1 FROM chime.job j"
                             " WHERE j.job_id = s.job_id AND j.name IN ('a', 'c', 'e e')");
    ASSERT_RUN(0, "jobs", "--failing", "--limit", "1", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 1);
    complains("1 more: --after c");
    ASSERT_RUN(0, "jobs", "--like", "?", "--limit", "1", "-o", "json");
    complains("more: --after a");
    ASSERT_RUN(2, "jobs", "--limit", "0");
}
END_TEST

START_TEST(without_a_limit_all_jobs_are_listed_however_many)
{
    cluster_execute(
        cluster,
        "WITH made AS (INSERT INTO chime.job (name, origin, schedule, command)"
        " SELECT format('j%s', to_char(n, 'FM0000')), 'config', '@yearly', 'SELECT 1' FROM generate_series(1, 2001) n"
        " RETURNING job_id) INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, clock_timestamp() FROM "
        "made");
    ASSERT_RUN(0, "jobs", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 2001);
    ck_assert_str_eq(text_of(1000, "name"), "j1001");
    ck_assert_str_eq(text_of(2000, "name"), "j2001");
    ASSERT_RUN(0, "jobs", "--like", "j2*", "-o", "json");
    ck_assert_uint_eq(json_array_size(jobs()), 2);
}
END_TEST

START_TEST(a_schedule_that_cannot_be_read_is_an_error_with_its_job)
{
    add_job("later", "every full moon", NULL);
    ASSERT_RUN(3, "next");
    complains("database \"main\": job \"later\": ");
    ASSERT_RUN(2, "next", "later", "--timezone", "UTC");
    complains("a job has its own");
}
END_TEST

START_TEST(jobs_and_status_know_the_zone_too)
{
    add_job("at-noon", "@at 2099-07-01 12:00", "options = '{\"timezone\": \"Asia/Tokyo\"}'");
    ASSERT_RUN(0, "jobs", "-o", "json");
    jobs();
    ck_assert_str_eq(text_of(0, "next_slot"), "2099-07-01T03:00:00Z");
    ASSERT_RUN(8, "status", "-o", "json");
    ck_assert_msg(strstr(output, "\"next_slot\": \"2099-07-01T03:00:00Z\"") != NULL, "%s", output);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_next");
    TCase *tests = tcase_create("cli_next");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_next_slot_of_every_job_soonest_first);
    tcase_add_test(tests, jobs_of_one_schedule_are_due_as_each_of_them_is);
    tcase_add_test(tests, the_slots_of_one_job_in_its_zone_with_what_the_clocks_do);
    tcase_add_test(tests, a_delay_is_known_once_its_run_has_ended);
    tcase_add_test(tests, why_a_job_has_no_slots_is_said);
    tcase_add_test(tests, what_wakes_a_job_without_a_schedule_is_said);
    tcase_add_test(tests, jobs_and_show_tell_what_wakes_a_job);
    tcase_add_test(tests, jobs_are_listed_by_the_page_and_what_follows_is_counted);
    tcase_add_test(tests, without_a_limit_all_jobs_are_listed_however_many);
    tcase_add_test(tests, a_schedule_that_cannot_be_read_is_an_error_with_its_job);
    tcase_add_test(tests, jobs_and_status_know_the_zone_too);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
