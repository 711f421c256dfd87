/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "support/plugin/catalogs.h"
#include "support/plugin/findings.h"
#include "support/process/suite.h"

START_TEST(plugins_and_jobs_are_joined)
{
    use_plugin(&samples.agent);
    use_plugin(&samples.lane);
    const struct catalog *built = build(ONE_DATABASE,
                                        "plugin: { name = \"lane\"; settings: { top_rows = 20; };\n"
                                        " modes: { mv_lanes = \"matview\"; };"
                                        " frozen: { mv_lanes = \"day < chime.as_of() - interval '9 days'\";"
                                        " }; };\n"
                                        "jobs: { nightly: { schedule = \"0 3 * * *\"; command = "
                                        "\"VACUUM\"; after = \"tidy-lanes\"; }; };");
    expect_findings(catalog, "");
    ck_assert_uint_eq(built->plugin_count, 2);
    ck_assert_str_eq(built->plugins[0].declaration->name, "lane"); /* agent's job comes after lane's */
    ck_assert_str_eq(built->plugins[1].declaration->name, "agent");
    ck_assert_str_eq(built->plugins[0].database, "main");
    ck_assert_str_eq(built->plugins[0].view_schema, "analytics");
    ck_assert_str_eq(built->plugins[0].source_schema, "public");
    ck_assert_uint_eq(built->plugins[0].setting_count, 2);
    ck_assert_str_eq(built->plugins[0].settings[0].name, "top_rows");
    ck_assert_str_eq(built->plugins[0].settings[0].value, "20");
    ck_assert_str_eq(built->plugins[0].settings[1].value, "30d");
    ck_assert_str_eq(built->plugins[0].settings[1].type, "duration");
    ck_assert_str_eq(built->plugins[0].modes[0], "matview");
    ck_assert_str_eq(built->plugins[1].modes[0], "auto"); /* the plugin's own */
    ck_assert_str_eq(built->plugins[0].frozen[0], "day < chime.as_of() - interval '9 days'");
    ck_assert_ptr_null(built->plugins[1].frozen[0]);

    ck_assert_uint_eq(built->job_count, 4);
    const struct job *refresh = catalog_find_job(built, "main", "refresh-lanes");
    ck_assert_int_eq(refresh->origin, JOB_FROM_PLUGIN);
    ck_assert_str_eq(refresh->plugin, "lane");
    ck_assert_str_eq(refresh->file, "/plugins/lane.so");
    ck_assert_int_eq(refresh->work, JOB_REFRESH);
    ck_assert_uint_eq(refresh->view_count, 1);
    ck_assert_str_eq(refresh->views[0], "analytics.mv_lanes");
    ck_assert_str_eq(refresh->command, "");
    ck_assert_int_eq(refresh->schedule.form, SCHEDULE_CRON);
    ck_assert_int_eq(refresh->options->delivery, DELIVERY_TRANSACTIONAL);
    ck_assert_int_eq(refresh->options->lock_timeout, 30 * USEC_PER_SEC);
    ck_assert(refresh->active);
    const struct job *nightly = catalog_find_job(built, "main", "nightly");
    ck_assert_int_eq(nightly->origin, JOB_FROM_CONFIG);
    ck_assert_ptr_null(nightly->plugin);
    ck_assert_int_eq(nightly->line, 3);
    ck_assert_str_eq(nightly->after[0], "tidy-lanes");
    ck_assert_int_eq(nightly->options->delivery, DELIVERY_AT_MOST_ONCE);
    ck_assert_ptr_null(catalog_find_job(built, "main", "none"));
    ck_assert_ptr_null(catalog_find_job(built, "none", "nightly"));
}
END_TEST

START_TEST(override_changes_what_it_gives_and_leaves_the_rest)
{
    use_plugin(&samples.lane);
    const struct catalog *built = build(
        ONE_DATABASE, "jobs: { tidy-lanes: { schedule = \"@hourly\"; max_attempts = 1; after = []; enabled = "
                      "false; }; };");
    expect_findings(catalog, "");
    const struct job *tidy = catalog_find_job(built, "main", "tidy-lanes");
    ck_assert_int_eq(tidy->origin, JOB_FROM_PLUGIN);
    ck_assert_str_eq(tidy->schedule_text, "@hourly");
    ck_assert_str_eq(tidy->command, "SELECT 1");
    ck_assert_uint_eq(tidy->after_count, 0);
    ck_assert(!tidy->active);
    ck_assert_int_eq(tidy->line, 1);
    ck_assert_str_eq(strrchr(tidy->file, '/'), "/x.conf");
    ck_assert_int_eq(tidy->options->max_attempts, 1);                 /* conf.d's */
    ck_assert_int_eq(tidy->options->priority, 2);                     /* the plugin's */
    ck_assert_int_eq(tidy->options->cancel_grace, 10 * USEC_PER_SEC); /* the product's */
    const struct job *refresh = catalog_find_job(built, "main", "refresh-lanes");
    ck_assert(refresh->active);
    ck_assert_str_eq(refresh->schedule_text, "*/10 * * * *");
}
END_TEST

START_TEST(databases_keep_their_jobs_apart)
{
    use_plugin(&samples.lane);
    const struct catalog *built = build(
        TWO_DATABASES, "plugin: { name = \"lane\"; database = \"audit\"; };\n"
                       "jobs: { refresh-lanes: { database = \"audit\"; schedule = \"@hourly\"; };\n"
                       "  tidy-lanes: { database = \"main\"; schedule = \"@hourly\"; command = \"SELECT 3\"; };\n"
                       "  zeta: { database = \"main\"; command = \"SELECT 3\"; after = [\"tidy-lanes\"]; }; };");
    expect_findings(catalog, "");
    ck_assert_str_eq(built->plugins[0].database, "audit");
    ck_assert_str_eq(built->plugins[0].view_schema, "reports");
    ck_assert_str_eq(built->plugins[0].source_schema, "raw");
    size_t count = 0;
    const struct job *const *jobs = catalog_jobs_of(built, "audit", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(jobs[0]->name, "refresh-lanes");
    ck_assert_str_eq(jobs[0]->schedule_text, "@hourly");
    ck_assert_str_eq(jobs[1]->command, "SELECT 1");
    jobs = catalog_jobs_of(built, "main", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(jobs[0]->command, "SELECT 3");
    catalog_jobs_of(built, "none", &count);
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* 2026-03-29 is the day on which Berlin's clocks go from 02:00 to 03:00. */
static instant utc(int month, int day, int hour, int minute)
{
    struct civil civil = {.year = 2026, .month = month, .day = day, .hour = hour, .minute = minute};
    return civil_to_instant(&civil);
}

static const struct job *job_named(const char *database, const char *name)
{
    const struct job *job = catalog_find_job(catalog, database, name);
    ck_assert_ptr_nonnull(job);
    return job;
}

static void expect_slot(const char *database, const char *name, const char *timezone, instant slot)
{
    const struct job *job = job_named(database, name);
    ck_assert_str_eq(job->options->timezone, timezone);
    ck_assert_int_eq(schedule_next(&job->schedule, utc(3, 28, 23, 0)), slot);
}

START_TEST(schedule_goes_by_the_zone_of_the_job_or_else_of_its_database)
{
    ck_assert(options_set(&samples.other_job.options, "timezone", "Asia/Tokyo", NULL));
    samples.other_job.schedule = "30 2 * * *";
    use_plugin(&samples.other);
    build("databases: { berlin: { conninfo = \"a\"; timezone = \"Europe/Berlin\"; }; plain: { conninfo = \"b\"; }; };\n"
          "conf_dir = \"conf.d\";",
          "plugin: { name = \"other\"; database = \"berlin\"; };\n"
          "jobs: {\n"
          " a: { database = \"berlin\"; schedule = \"30 2 * * *\"; command = \"SELECT 1\"; };\n"
          " b: { database = \"berlin\"; schedule = \"30 2 * * *\"; command = \"SELECT 1\"; timezone = \"UTC\"; };\n"
          " c: { database = \"plain\"; schedule = \"30 2 * * *\"; command = \"SELECT 1\"; };\n"
          " d: { database = \"plain\"; schedule = \"30 2 * * *\"; command = \"SELECT 1\"; timezone = "
          "\"Europe/Berlin\"; };\n"
          " e: { database = \"berlin\"; schedule = \"30 2 * * *\"; command = \"SELECT 1\"; dst_gap = \"skip\"; };\n"
          "};");
    expect_findings(catalog, "");
    expect_slot("berlin", "a", "Europe/Berlin", utc(3, 29, 1, 0)); /* 03:00, after the gap */
    expect_slot("berlin", "b", "UTC", utc(3, 29, 2, 30));
    expect_slot("plain", "c", "UTC", utc(3, 29, 2, 30));
    expect_slot("plain", "d", "Europe/Berlin", utc(3, 29, 1, 0));
    expect_slot("berlin", "e", "Europe/Berlin", utc(3, 30, 0, 30));
    expect_slot("berlin", "other-job", "Asia/Tokyo", utc(3, 29, 17, 30));
}
END_TEST

START_TEST(override_gives_a_plugins_job_a_zone_and_a_rule_for_repeated_times)
{
    use_plugin(&samples.lane);
    build(
        "databases: { main: { conninfo = \"a\"; timezone = \"America/New_York\"; }; };\nconf_dir = \"conf.d\";",
        "jobs: { tidy-lanes: { schedule = \"30 2 * * *\"; timezone = \"Europe/Berlin\"; dst_overlap = \"both\"; }; };");
    expect_findings(catalog, "");
    const struct schedule *tidy = &job_named("main", "tidy-lanes")->schedule;
    ck_assert_int_eq(schedule_next(tidy, utc(10, 24, 12, 0)), utc(10, 25, 0, 30));
    ck_assert_int_eq(schedule_next(tidy, utc(10, 25, 0, 30)), utc(10, 25, 1, 30));
    ck_assert_str_eq(job_named("main", "refresh-lanes")->options->timezone, "America/New_York");
}
END_TEST

START_TEST(job_uses_a_pool_of_its_database_or_the_default)
{
    build("databases: { main: { conninfo = \"a\"; pools: { heavy = 2; }; }; };\nconf_dir = \"conf.d\";",
          "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; pool = \"heavy\"; };\n"
          " b: { schedule = \"@daily\"; command = \"SELECT 1\"; pool = \"default\"; };\n"
          " c: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };");
    expect_findings(catalog, "");
    ck_assert_str_eq(job_named("main", "a")->options->pool, "heavy");
    ck_assert_str_eq(job_named("main", "b")->options->pool, "default");
    ck_assert_str_eq(job_named("main", "c")->options->pool, "default");
}
END_TEST

START_TEST(delays_and_server_starts_may_wait_for_other_jobs)
{
    use_plugin(&samples.lane);
    build(ONE_DATABASE,
          "jobs: { a: { schedule = \"@after 15m\"; command = \"SELECT 1\"; after = \"tidy-lanes\"; };\n"
          " b: { schedule = \"@reboot\"; command = \"SELECT 1\"; after = [\"a\", \"tidy-lanes\"]; };\n"
          " join: { command = \"SELECT 1\"; after = \"a\"; catchup = \"none\"; starting_deadline = \"1h\"; }; };");
    expect_findings(catalog, "");
    ck_assert_int_eq(job_named("main", "a")->schedule.form, SCHEDULE_DELAY);
    ck_assert_int_eq(job_named("main", "b")->schedule.form, SCHEDULE_REBOOT);
    ck_assert(job_is_join(job_named("main", "join")));
    ck_assert(!job_is_join(job_named("main", "a")));
}
END_TEST

START_TEST(disabled_plugin_is_left_out_with_its_jobs)
{
    use_plugin(&samples.lane);
    const struct catalog *built = build(ONE_DATABASE, "plugin: { name = \"lane\"; enabled = false; };\n"
                                                      "jobs: { refresh-lanes: { schedule = \"@hourly\"; };\n"
                                                      "  tidy-lanes: { command = \"SELECT 9\"; schedule = \"@daily\"; "
                                                      "}; };");
    expect_findings(catalog, "");
    ck_assert_uint_eq(built->plugin_count, 0);
    ck_assert_uint_eq(built->job_count, 1);
    ck_assert_int_eq(built->jobs[0]->origin, JOB_FROM_CONFIG);
}
END_TEST

START_TEST(absent_plugin_that_is_disabled_takes_its_overrides_along)
{
    build(ONE_DATABASE, "plugin: { name = \"gone\"; enabled = false; };\n"
                        "jobs: { refresh-gone: { schedule = \"@hourly\"; }; };");
    expect_findings(catalog, "");
    ck_assert_uint_eq(catalog->job_count, 0);
}
END_TEST

START_TEST(plugin_whose_file_was_taken_away_takes_its_overrides_along)
{
    build(ONE_DATABASE, "plugin: { name = \"gone\"; };\n"
                        "jobs: { refresh-gone: { schedule = \"@hourly\"; }; };");
    expect_findings(catalog, "");
    ck_assert_uint_eq(catalog->job_count, 0);
}
END_TEST

START_TEST(refused_plugin_is_not_reported_again)
{
    report_add(&report, "/plugins/broken.so", 0, NULL, "wrong magic");
    build(ONE_DATABASE, "plugin: { name = \"broken\"; };\njobs: { refresh-broken: { schedule = \"@hourly\"; }; };");
    ck_assert_ptr_nonnull(catalog);
    ck_assert_uint_eq(report.count, 1);
}
END_TEST

START_TEST(without_a_database_plugins_idle)
{
    use_plugin(&samples.lane);
    const struct catalog *built = build(NO_DATABASE, "plugin: { name = \"lane\"; enabled = \"auto\"; };\n"
                                                     "jobs: { refresh-lanes: { schedule = \"@hourly\"; }; };");
    expect_findings(catalog, "");
    ck_assert_uint_eq(built->plugin_count + built->job_count, 0);
}
END_TEST

START_TEST(plugin_that_reads_another_ones_view_comes_after_it)
{
    samples.agent_job.after.count = 0;
    samples.agent_source.table = "mv_lanes";
    use_plugin(&samples.agent);
    use_plugin(&samples.lane);
    const struct catalog *built = build(ONE_DATABASE, "");
    expect_findings(catalog, "");
    ck_assert_str_eq(built->plugins[0].declaration->name, "lane");
    ck_assert_str_eq(built->plugins[1].declaration->name, "agent");
}
END_TEST

START_TEST(plugins_whose_jobs_come_after_each_other_are_ordered_by_what_they_read)
{
    samples.agent_source.table = "mv_lanes";
    static const char *const agents[] = {"refresh-agents"};
    samples.lane_jobs[1].after = (struct names){agents, 1};
    use_plugin(&samples.agent);
    use_plugin(&samples.lane);
    const struct catalog *built = build(ONE_DATABASE, "");
    expect_findings(catalog, "");
    ck_assert_str_eq(built->plugins[0].declaration->name, "lane");
}
END_TEST

START_TEST(job_woken_by_a_channel_needs_no_schedule)
{
    static const char *const channels[] = {"submissions"};
    samples.other_job.schedule = "";
    samples.other_job.on = (struct names){channels, 1};
    use_plugin(&samples.other);
    const struct catalog *built = build(ONE_DATABASE, "jobs: { other-job: { max_attempts = 1; }; };");
    expect_findings(catalog, "");
    const struct job *job = catalog_find_job(built, "main", "other-job");
    ck_assert_int_eq(job->schedule.form, SCHEDULE_NONE);
    ck_assert_uint_eq(job->on_count, 1);
    ck_assert_str_eq(job->on[0], "submissions");
    ck_assert_int_eq(job->options->debounce, 0);
    ck_assert(!job_is_join(job));
}
END_TEST

static void use_other_with_channels(void)
{
    static const char *const channels[] = {"submissions", "scores"};
    samples.other_job.on = (struct names){channels, 2};
    samples.other_job.debounce = "5s";
    use_plugin(&samples.other);
}

static const struct job *build_other(const char *part)
{
    build(ONE_DATABASE, part);
    expect_findings(catalog, "");
    return job_named("main", "other-job");
}

START_TEST(channels_that_are_asked_for_are_made_each_once)
{
    use_plugin(&samples.lane);
    build(ONE_DATABASE, "");
    expect_findings(catalog, "");
    ck_assert_uint_eq(catalog->plugins[0].channel_count, 0);
    build(ONE_DATABASE, "plugin: { name = \"lane\";"
                        " channels = [\"lane_scored\", \"lane_closed\", \"lane_scored\"]; };");
    expect_findings(catalog, "");
    const struct catalog_plugin *plugin = &catalog->plugins[0];
    ck_assert_uint_eq(plugin->channel_count, 2);
    ck_assert_str_eq(plugin->channels[0].definition, "CREATE TRIGGER closed");
    ck_assert_str_eq(plugin->channels[1].definition, "CREATE TRIGGER scored");
}
END_TEST

START_TEST(channels_and_debounce_of_a_plugin_are_defaults)
{
    use_other_with_channels();
    const struct job *job = build_other("");
    ck_assert_uint_eq(job->on_count, 2);
    ck_assert_int_eq(job->options->debounce, 5 * USEC_PER_SEC);
    job = build_other("jobs: { other-job: { debounce = \"0s\"; }; };");
    ck_assert_uint_eq(job->on_count, 2);
    ck_assert_int_eq(job->options->debounce, 0);
    job = build_other("jobs: { other-job: { on = \"mine\"; }; };");
    ck_assert_uint_eq(job->on_count, 1);
    ck_assert_str_eq(job->on[0], "mine");
    ck_assert_int_eq(job->options->debounce, 5 * USEC_PER_SEC);
}
END_TEST

START_TEST(job_that_listens_to_none_any_more_needs_no_debounce_of_its_plugin)
{
    use_other_with_channels();
    const struct job *job = build_other("jobs: { other-job: { on = []; }; };");
    ck_assert_uint_eq(job->on_count, 0);
    ck_assert_int_eq(job->options->debounce, 0);
}
END_TEST

START_TEST(events_take_the_place_of_a_schedule)
{
    use_plugin(&samples.lane);
    build(
        ONE_DATABASE,
        "jobs: { a: { command = \"SELECT $1\"; on = [\"x\", \"y\"]; debounce = \"5s\"; debounce_max = \"5s\"; };\n"
        " both: { command = \"SELECT 1\"; on = \"x\"; after = \"a\"; };\n"
        " refresh-lanes: { schedule = \"\"; target_lag = \"250ms\"; warn_after = \"1s\"; error_after = \"1s\"; }; };");
    expect_findings(catalog, "");
    ck_assert_str_eq(job_named("main", "a")->on[1], "y");
    ck_assert_int_eq(job_named("main", "a")->options->debounce_max, 5 * USEC_PER_SEC);
    ck_assert(!job_is_join(job_named("main", "a")));
    ck_assert(job_is_join(job_named("main", "both")));
    ck_assert_int_eq(job_named("main", "refresh-lanes")->options->target_lag, 250 * USEC_PER_MSEC);
    ck_assert(!job_is_join(job_named("main", "refresh-lanes")));
}
END_TEST

/* Seconds of processor time. */
static double time_of_chained_jobs(size_t count)
{
    struct buffer text = {0};
    char hex[17];
    buffer_puts(&text, "jobs: {\n some-job-0: { schedule = \"@daily\"; command = \"SELECT 0\"; };\n");
    for (size_t i = 1; i < count; i++) {
        buffer_printf(&text, "  some-job-%zu: { command = \"SELECT %zu\"; after = \"some-job-%zu\"; };\n", i, i, i - 1);
    }
    buffer_puts(&text, "};\n");
    double before = (double)clock() / CLOCKS_PER_SEC;
    build(ONE_DATABASE, buffer_text(&text));
    expect_findings(catalog, "");
    catalog_fingerprint(catalog, "main", hex);
    double taken = (double)clock() / CLOCKS_PER_SEC - before;
    buffer_finish(&text);
    ck_assert_uint_eq(catalog->job_count, count);
    return taken;
}

/* Work that grew by the square of their number would take 64 times as long. */
START_TEST(a_job_that_somebody_holds_outlives_its_catalog_with_all_it_needs)
{
    build(ONE_DATABASE, "jobs: { a: { schedule = \"30 2 * * *\"; command = \"SELECT 1\"; timezone = \"Europe/Berlin\";"
                        " pool = \"default\"; settings: { work_mem = \"1MB\"; }; }; };");
    expect_findings(catalog, "");
    const struct job *job = job_hold(job_named("main", "a"));
    ck_assert_ptr_eq(job, job_named("main", "a"));
    catalogs_tear_down();
    catalogs_set_up();
    ck_assert_str_eq(job->name, "a");
    ck_assert_str_eq(job->database, "main");
    ck_assert_str_eq(job->command, "SELECT 1");
    ck_assert_str_eq(job->settings[0].value, "1MB");
    ck_assert_str_eq(job->options->timezone, "Europe/Berlin");
    ck_assert_ptr_nonnull(strstr(job->file, "x.conf"));
    ck_assert_int_eq(schedule_next(&job->schedule, utc(3, 28, 23, 0)), utc(3, 29, 1, 0));
    job_drop(job);
}
END_TEST

START_TEST(eight_times_as_many_chained_jobs_take_some_eight_times_as_long)
{
    double few = time_of_chained_jobs(500);
    catalogs_tear_down();
    catalogs_set_up();
    double many = time_of_chained_jobs(4000);
    printf("chained jobs: 500 in %.4f s, 4,000 in %.4f s\n", few, many);
    ck_assert_msg(many < 32 * few, "%g s and %g s", few, many);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tests = tcase_create("catalog");
    tcase_add_checked_fixture(tests, catalogs_set_up, catalogs_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, plugins_and_jobs_are_joined);
    tcase_add_test(tests, override_changes_what_it_gives_and_leaves_the_rest);
    tcase_add_test(tests, databases_keep_their_jobs_apart);
    tcase_add_test(tests, schedule_goes_by_the_zone_of_the_job_or_else_of_its_database);
    tcase_add_test(tests, override_gives_a_plugins_job_a_zone_and_a_rule_for_repeated_times);
    tcase_add_test(tests, job_uses_a_pool_of_its_database_or_the_default);
    tcase_add_test(tests, delays_and_server_starts_may_wait_for_other_jobs);
    tcase_add_test(tests, disabled_plugin_is_left_out_with_its_jobs);
    tcase_add_test(tests, absent_plugin_that_is_disabled_takes_its_overrides_along);
    tcase_add_test(tests, plugin_whose_file_was_taken_away_takes_its_overrides_along);
    tcase_add_test(tests, refused_plugin_is_not_reported_again);
    tcase_add_test(tests, without_a_database_plugins_idle);
    tcase_add_test(tests, plugin_that_reads_another_ones_view_comes_after_it);
    tcase_add_test(tests, plugins_whose_jobs_come_after_each_other_are_ordered_by_what_they_read);
    tcase_add_test(tests, job_woken_by_a_channel_needs_no_schedule);
    tcase_add_test(tests, channels_that_are_asked_for_are_made_each_once);
    tcase_add_test(tests, channels_and_debounce_of_a_plugin_are_defaults);
    tcase_add_test(tests, job_that_listens_to_none_any_more_needs_no_debounce_of_its_plugin);
    tcase_add_test(tests, events_take_the_place_of_a_schedule);
    tcase_add_test(tests, a_job_that_somebody_holds_outlives_its_catalog_with_all_it_needs);
    tcase_add_test(tests, eight_times_as_many_chained_jobs_take_some_eight_times_as_long);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
