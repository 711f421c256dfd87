/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <string.h>

#include "model/job.h"
#include "support/process/suite.h"

START_TEST(origins_and_kinds_of_work_have_names)
{
    ck_assert_str_eq(job_origin_name(JOB_FROM_PLUGIN), "plugin");
    ck_assert_str_eq(job_origin_name(JOB_FROM_CONFIG), "config");
    ck_assert_str_eq(job_work_name(JOB_COMMAND), "command");
    ck_assert_str_eq(job_work_name(JOB_REFRESH), "refresh");
}
END_TEST

START_TEST(a_copy_has_texts_of_its_own)
{
    char after[] = "first";
    char on[] = "scored";
    const char *const upstreams[] = {after};
    const char *const channels[] = {on, "Ünïcode \"channel\""};
    struct job job = {.name = "a",
                      .database = "main",
                      .schedule_text = "",
                      .command = "SELECT 1",
                      .after = upstreams,
                      .after_count = 1,
                      .on = channels,
                      .on_count = 2,
                      .options.debounce = 5};
    struct job *copy = job_copy(&job);
    memset(after, '-', strlen(after));
    memset(on, '-', strlen(on));
    ck_assert_str_eq(copy->after[0], "first");
    ck_assert_uint_eq(copy->on_count, 2);
    ck_assert_str_eq(copy->on[0], "scored");
    ck_assert_str_eq(copy->on[1], "Ünïcode \"channel\"");
    ck_assert_int_eq(copy->options.debounce, 5);
    job_free(copy);
}
END_TEST

START_TEST(only_what_comes_after_others_and_has_no_schedule_is_a_join)
{
    static const char *const names[] = {"a"};
    struct job job = {.schedule_text = "", .schedule.form = SCHEDULE_NONE};
    ck_assert(!job_is_join(&job) && !job_is_driven(&job));
    job.on = names;
    job.on_count = 1;
    ck_assert(!job_is_join(&job) && job_is_driven(&job));
    job.on_count = 0;
    job.options.target_lag = 1;
    ck_assert(!job_is_join(&job) && job_is_driven(&job));
    job.options.target_lag = 0;
    job.after = names;
    job.after_count = 1;
    ck_assert(job_is_join(&job) && job_is_driven(&job));
    job.on = names;
    job.on_count = 1;
    ck_assert(job_is_join(&job));
    job.after_count = 0;
    job.on_count = 0;
    job.schedule.form = SCHEDULE_CRON;
    job.schedule_text = "@daily";
    ck_assert(!job_is_join(&job) && job_is_driven(&job));
}
END_TEST

START_TEST(channels_are_named_as_in_notify)
{
    char longest[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"; /* 64 */
    ck_assert(channel_name_valid("a") && channel_name_valid("Two words, \"quoted\"") && channel_name_valid("ü"));
    ck_assert(!channel_name_valid("") && !channel_name_valid(longest) && !channel_name_valid("a\xc3"));
    longest[63] = '\0';
    ck_assert(channel_name_valid(longest));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job");
    TCase *tests = tcase_create("job");
    tcase_add_test(tests, origins_and_kinds_of_work_have_names);
    tcase_add_test(tests, a_copy_has_texts_of_its_own);
    tcase_add_test(tests, only_what_comes_after_others_and_has_no_schedule_is_a_join);
    tcase_add_test(tests, channels_are_named_as_in_notify);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
