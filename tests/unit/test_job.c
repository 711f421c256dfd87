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

START_TEST(a_job_made_of_a_draft_has_texts_of_its_own)
{
    char after[] = "first";
    char on[] = "scored";
    const char *const upstreams[] = {after};
    const char *const channels[] = {on, "Ünïcode \"channel\""};
    struct job_options options = {.debounce = 5};
    struct job job = {.name = "a",
                      .database = "main",
                      .schedule_text = "",
                      .command = "SELECT 1",
                      .after = upstreams,
                      .after_count = 1,
                      .on = channels,
                      .on_count = 2,
                      .options = &options};
    const struct job *copy = job_hold(&job);
    memset(after, '-', strlen(after));
    memset(on, '-', strlen(on));
    ck_assert_str_eq(copy->after[0], "first");
    ck_assert_uint_eq(copy->on_count, 2);
    ck_assert_str_eq(copy->on[0], "scored");
    ck_assert_str_eq(copy->on[1], "Ünïcode \"channel\"");
    ck_assert_int_eq(copy->options->debounce, 5);
    job_drop(copy);
}
END_TEST

START_TEST(a_job_is_there_until_the_last_who_holds_it_lets_go)
{
    struct job_options options = {.debounce = 5};
    const struct job draft = {.name = "a", .options = &options};
    const struct job *job = job_hold(&draft);
    ck_assert_ptr_ne(job, &draft);
    ck_assert_ptr_eq(job_hold(job), job);
    job_drop(job);
    ck_assert_str_eq(job->name, "a");
    ck_assert_int_eq(job->options->debounce, 5);
    job_drop(job);
    job_drop(NULL);
}
END_TEST

/* Many enough for their table to grow. */
START_TEST(equal_options_are_kept_once_and_others_stay_apart)
{
    enum { KINDS = 100 };
    const struct job *jobs[2 * KINDS];
    struct job_options options = {.set = 0};
    const struct job draft = {.name = "a", .options = &options};
    for (int i = 0; i < 2 * KINDS; i++) {
        options.debounce = i % KINDS;
        jobs[i] = job_hold(&draft);
    }
    for (int i = 0; i < KINDS; i++) {
        ck_assert_ptr_eq(jobs[i]->options, jobs[i + KINDS]->options);
        ck_assert_ptr_ne(jobs[i]->options, jobs[(i + 1) % KINDS]->options);
    }
    for (int i = 0; i < KINDS; i++) {
        job_drop(jobs[i]);
    }
    options.debounce = KINDS - 1;
    const struct job *again = job_hold(&draft);
    ck_assert_ptr_eq(again->options, jobs[2 * KINDS - 1]->options);
    for (int i = 0; i < KINDS; i++) {
        ck_assert_int_eq(jobs[i + KINDS]->options->debounce, i);
        job_drop(jobs[i + KINDS]);
    }
    job_drop(again);
}
END_TEST

START_TEST(only_what_comes_after_others_and_has_no_schedule_is_a_join)
{
    static const char *const names[] = {"a"};
    struct job_options options = {.set = 0};
    struct job job = {.schedule_text = "", .schedule.form = SCHEDULE_NONE, .options = &options};
    ck_assert(!job_is_join(&job) && !job_is_driven(&job));
    job.on = names;
    job.on_count = 1;
    ck_assert(!job_is_join(&job) && job_is_driven(&job));
    job.on_count = 0;
    job.options->target_lag = 1;
    ck_assert(!job_is_join(&job) && job_is_driven(&job));
    job.options->target_lag = 0;
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
    tcase_add_test(tests, a_job_made_of_a_draft_has_texts_of_its_own);
    tcase_add_test(tests, a_job_is_there_until_the_last_who_holds_it_lets_go);
    tcase_add_test(tests, equal_options_are_kept_once_and_others_stay_apart);
    tcase_add_test(tests, only_what_comes_after_others_and_has_no_schedule_is_a_join);
    tcase_add_test(tests, channels_are_named_as_in_notify);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
