/* SPDX-License-Identifier: PostgreSQL */
/* From the row of a job made by SQL to what the scheduler takes. */
#include <check.h>
#include <string.h>

#include "base/intern.h"
#include "catalog/sql_job.h"
#include "support/process/suite.h"

static struct zones *zones;
static const struct job *job;
static struct error err;
static const struct config_pool pools[] = {{.name = "heavy", .limit = 1}};
static const struct config_database database = {
    .name = "main", .timezone = "Europe/Berlin", .pools = pools, .pool_count = 1};

static struct sql_job_row row_of(const char *schedule, const char *options)
{
    return (struct sql_job_row){.name = "alice/job",
                                .owner = "alice",
                                .target = "other",
                                .active = true,
                                .schedule = schedule,
                                .command = "SELECT 1",
                                .after = "[]",
                                .channels = "[]",
                                .options = options,
                                .since = 42};
}

static void make_row(const struct sql_job_row *row)
{
    job_drop(job);
    job = sql_job_make(row, &database, zones, &err);
}

static void make(const char *schedule, const char *options)
{
    struct sql_job_row row = row_of(schedule, options);
    make_row(&row);
}

static void expect_good(void)
{
    ck_assert_msg(err.kind == ERROR_NONE, "%s", err.message);
    ck_assert(job->active && !job->refused);
}

static void expect_refused(const char *words)
{
    ck_assert_int_ne(err.kind, ERROR_NONE);
    ck_assert_msg(strstr(err.message, words) != NULL, "%s", err.message);
    ck_assert(!job->active && job->refused);
    ck_assert_str_eq(job->name, "alice/job");
    ck_assert_int_eq(job->schedule.form, SCHEDULE_NONE);
    ck_assert_uint_eq(job->after_count, 0);
}

static void set_up(void)
{
    zones = zones_create();
}

static void tear_down(void)
{
    job_drop(job);
    job = NULL;
    zones_destroy(zones);
}

/* The role that edits a job can invent as many as it likes. */
START_TEST(the_process_keeps_no_text_that_a_role_invents)
{
    size_t before = intern_count();
    make("* * * * *", "{\"retry_on\": \"40001\", \"timezone\": \"Europe/Paris\"}");
    expect_good();
    ck_assert_str_eq(job->options->retry_on, "40001");
    ck_assert_str_eq(job->options->timezone, "Europe/Paris");
    const struct job *first = job_hold(job);
    make("*/2 * * * *", "{\"retry_on\": \"40001\", \"timezone\": \"Europe/Paris\"}");
    ck_assert_ptr_eq(job->options, first->options);
    make("* * * * *", "{\"retry_on\": \"40P01\", \"pool\": \"invented\"}");
    expect_refused("no pool \"invented\"");
    ck_assert_str_eq(job->options->timezone, "Europe/Berlin");
    ck_assert_str_eq(first->options->retry_on, "40001");
    struct schedule schedule;
    ck_assert(sql_job_schedule("0 3 * * *", "{\"timezone\": \"Asia/Tokyo\"}", &database, zones, &schedule, &err));
    ck_assert_uint_eq(intern_count(), before);
    job_drop(first);
}
END_TEST

START_TEST(a_good_row_is_a_job_of_its_own)
{
    make("5 4 * * *", "{}");
    expect_good();
    ck_assert_str_eq(job->owner, "alice");
    ck_assert_str_eq(job->target, "other");
    ck_assert_str_eq(job->command, "SELECT 1");
    ck_assert_int_eq(job->origin, JOB_FROM_SQL);
    ck_assert_int_eq(job->since, 42);
    ck_assert_str_eq(job->options->timezone, "Europe/Berlin");
    ck_assert_ptr_nonnull(job->schedule.zone);
}
END_TEST

START_TEST(what_is_not_given_is_as_in_pg_cron)
{
    make("* * * * *", "{}");
    ck_assert_int_eq(job->options->overlap_policy, OVERLAP_BUFFER_ALL);
    ck_assert_int_eq(job->options->catchup, CATCHUP_NONE);
    ck_assert_int_eq(job->options->delivery, DELIVERY_AT_MOST_ONCE);
    ck_assert_int_eq(job->options->attempt_timeout, 0);
    ck_assert_int_eq(job->options->max_attempts, 1);
    ck_assert_int_eq(job->options->suspend_after_failures, 0);
    make("10 seconds", "{}");
    ck_assert_int_eq(job->options->overlap_policy, OVERLAP_BUFFER_ONE);
    make("10 seconds",
         "{\"overlap_policy\": \"skip\", \"max_attempts\": 3, \"pool\": \"heavy\", \"timezone\": \"UTC\"}");
    expect_good();
    ck_assert_int_eq(job->options->overlap_policy, OVERLAP_SKIP);
    ck_assert_int_eq(job->options->max_attempts, 3);
    ck_assert_str_eq(job->options->pool, "heavy");
    ck_assert_ptr_null(job->schedule.zone);
}
END_TEST

START_TEST(every_fault_is_told_and_leaves_a_job_that_does_nothing)
{
    make("60 * * * *", "{}");
    expect_refused("minute");
    make("* * * * *", "{\"retries\": \"3\"}");
    expect_refused("unknown option \"retries\"");
    make("* * * * *", "{\"max_attempts\": {\"a\": 1}}");
    expect_refused("expected one value");
    make("* * * * *", "{\"timezone\": \"Mars/Base\"}");
    expect_refused("Mars/Base");
    make("* * * * *", "{\"pool\": \"light\"}");
    expect_refused("there is no pool \"light\"");
    make("* * * * *", "{\"delivery\": \"transactional\"}");
    expect_refused("transactional");
    ck_assert_int_eq(job->options->delivery, DELIVERY_AT_MOST_ONCE);
    make("* * * * *", "{\"target_lag\": \"1min\"}");
    expect_refused("it has target_lag, but refreshes no views");
    make("* * * * *", "{\"error_after\": \"1min\"}");
    expect_refused("it has error_after, but refreshes no views");
    make("* * * * *", "{\"jitter\": \"5min\", \"starting_deadline\": \"5min\"}");
    expect_refused("it may start up to 5min late by its jitter, but its starting_deadline is 5min");
    make("* * * * *", "{\"settings\": {\"work_mem\": [1]}}");
    expect_refused("work_mem");
    make("* * * * *", "[]");
    expect_refused("options");
}
END_TEST

START_TEST(lists_and_settings_are_read)
{
    struct sql_job_row row = row_of("", "{\"settings\": {\"work_mem\": \"64MB\", \"app.n\": 7}}");
    row.after = "[\"a\", \"b\"]";
    row.channels = "[\"c\"]";
    make_row(&row);
    expect_good();
    ck_assert_uint_eq(job->after_count, 2);
    ck_assert_str_eq(job->after[1], "b");
    ck_assert_uint_eq(job->on_count, 1);
    ck_assert_uint_eq(job->setting_count, 2);
    ck_assert_str_eq(job->settings[0].name, "work_mem");
    ck_assert_str_eq(job->settings[1].value, "7");
    const struct job *copy = sql_job_refused(job);
    ck_assert(copy->refused && copy->after_count == 0 && copy->since == 42);
    job_drop(copy);
    row.after = "[null]";
    make_row(&row);
    expect_refused("after");
    row = row_of("", "{}");
    row.channels = "[\"\"]";
    make_row(&row);
    expect_refused("channel");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sql_job");
    TCase *cases = tcase_create("sql_job");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_good_row_is_a_job_of_its_own);
    tcase_add_test(cases, what_is_not_given_is_as_in_pg_cron);
    tcase_add_test(cases, every_fault_is_told_and_leaves_a_job_that_does_nothing);
    tcase_add_test(cases, the_process_keeps_no_text_that_a_role_invents);
    tcase_add_test(cases, lists_and_settings_are_read);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
