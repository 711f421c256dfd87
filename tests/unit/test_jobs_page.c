/* SPDX-License-Identifier: PostgreSQL */
/* docs/jobs.md is true: it has every option, key and schedule form and no other, its defaults are the product's, its
 * examples are accepted, and its table of clock changes is what the calendar computes. The files of conf.d likewise. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "support/plugin/catalogs.h"
#include "support/plugin/findings.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define CELLS_MAX 6
#define ROWS_MAX 64

struct row {
    char *cells[CELLS_MAX];
    size_t count;
};

static char *page;
static struct row rows[ROWS_MAX];
static size_t row_count;

static void set_up(void)
{
    catalogs_set_up();
    page = files_read(PGCHIME_SOURCE_DIR "/docs/jobs.md");
    row_count = 0;
}

static void tear_down(void)
{
    for (size_t i = 0; i < row_count; i++) {
        for (size_t j = 0; j < rows[i].count; j++) {
            free(rows[i].cells[j]);
        }
    }
    free(page);
    catalogs_tear_down();
}

/* --- reading the page --------------------------------------------------------------------------------------------- */

/* What lies between two marks in a text, without the blanks around it; the caller frees. */
static char *between(const char *start, const char *end)
{
    while (start < end && *start == ' ') {
        start++;
    }
    while (end > start && end[-1] == ' ') {
        end--;
    }
    return xstrndup(start, (size_t)(end - start));
}

static void read_row(const char *line, const char *end)
{
    struct row *row = &rows[row_count++];
    ck_assert_uint_lt(row_count, ROWS_MAX);
    row->count = 0;
    for (const char *at = line + 1; at < end; at++) {
        const char *next = memchr(at, '|', (size_t)(end - at));
        if (next == NULL || row->count == CELLS_MAX) {
            break;
        }
        row->cells[row->count++] = between(at, next);
        at = next;
    }
}

/* The rows of the first table below a heading, without its head. */
static void read_table(const char *heading)
{
    char *line = xasprintf("\n## %s\n", heading);
    const char *at = strstr(page, line);
    ck_assert_msg(at != NULL, "docs/jobs.md has no section \"%s\"", heading);
    free(line);
    at = strstr(at, "\n| --- |");
    ck_assert_ptr_nonnull(at);
    for (at = strchr(at + 1, '\n') + 1; *at == '|'; at = strchr(at, '\n') + 1) {
        read_row(at, strchr(at, '\n'));
    }
    ck_assert_uint_gt(row_count, 0);
}

/* The text within the first pair of backticks from *at on, which moves past it; NULL when there is none. */
static char *quoted(const char **at)
{
    const char *start = strchr(*at, '`');
    const char *end = start != NULL ? strchr(start + 1, '`') : NULL;
    if (end == NULL) {
        return NULL;
    }
    *at = end + 1;
    return xstrndup(start + 1, (size_t)(end - start - 1));
}

static char *quoted_cell(const struct row *row, size_t cell)
{
    ck_assert_uint_lt(cell, row->count);
    const char *at = row->cells[cell];
    char *text = quoted(&at);
    ck_assert_msg(text != NULL, "nothing in backticks in \"%s\"", row->cells[cell]);
    return text;
}

static const struct row *row_of(const char *name)
{
    char *wanted = xasprintf("`%s`", name);
    const struct row *found = NULL;
    for (size_t i = 0; i < row_count; i++) {
        found = strcmp(rows[i].cells[0], wanted) == 0 ? &rows[i] : found;
    }
    free(wanted);
    return found;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

START_TEST(page_has_every_option_and_no_other)
{
    size_t count = 0;
    read_table("Options");
    for (; options_name(count) != NULL; count++) {
        ck_assert_msg(row_of(options_name(count)) != NULL, "docs/jobs.md lacks the option %s", options_name(count));
    }
    for (size_t i = 0; i < row_count; i++) {
        char *name = quoted_cell(&rows[i], 0);
        ck_assert_msg(options_has(name), "docs/jobs.md names \"%s\", which is no option", name);
        free(name);
    }
    ck_assert_uint_eq(row_count, count);
}
END_TEST

static void expect_default(const char *name, bool refresh, const char *cell)
{
    struct job_options options;
    options_defaults(&options, refresh);
    char *value = options_value_text(&options, name);
    char *shown = xasprintf("`%s`", value);
    ck_assert_msg(strstr(cell, shown) != NULL, "the default of %s is %s, docs/jobs.md says: %s", name, shown, cell);
    free(value);
    free(shown);
}

START_TEST(defaults_of_the_page_are_the_products)
{
    read_table("Options");
    for (size_t i = 0; i < row_count; i++) {
        char *name = quoted_cell(&rows[i], 0);
        expect_default(name, false, rows[i].cells[2]);
        expect_default(name, true, rows[i].cells[2]);
        free(name);
    }
}
END_TEST

static uint64_t bit_of_option(const char *name)
{
    size_t index = 0;
    while (options_name(index) != NULL && strcmp(options_name(index), name) != 0) {
        index++;
    }
    return UINT64_C(1) << index;
}

#define MAIN_WITH_POOLS \
    "databases: { main: { conninfo = \"dbname=app\"; pools: { heavy = 2; }; }; };\nconf_dir = \"conf.d\";\n"

START_TEST(example_of_each_option_sets_that_option_and_no_other)
{
    use_plugin(&samples.lane);
    read_table("Options");
    for (size_t i = 0; i < row_count; i++) {
        char *name = quoted_cell(&rows[i], 0);
        char *example = quoted_cell(&rows[i], 4);
        bool of_refreshes = strstr(rows[i].cells[3], "only for refreshes") != NULL;
        bool of_cursors = strncmp(name, "cursor", strlen("cursor")) == 0; /* which needs other options, too */
        if (of_cursors) {
            free(name);
            free(example);
            continue;
        }
        const char *job = of_refreshes ? "refresh-lanes: {" : "a: { schedule = \"@daily\"; command = \"SELECT 1\";";
        char *text = xasprintf("jobs: { %s %s }; };", job, example);
        build(MAIN_WITH_POOLS, text);
        expect_findings(catalog, "");
        ck_assert_msg(config->jobs[0].options.set == bit_of_option(name), "%s: %s", name, example);
        free(name);
        free(example);
        free(text);
    }
}
END_TEST

/* --- keys --------------------------------------------------------------------------------------------------------- */

/* What the configuration itself says is known where `text` has an unknown key: the hint of its finding. */
static char *known_keys(const char *text)
{
    put("pgchime.conf", text);
    load();
    ck_assert_uint_eq(report.count, 1);
    const char *lead = "known here: ";
    ck_assert_int_eq(strncmp(report.findings[0].hint, lead, strlen(lead)), 0);
    char *keys = xstrdup(report.findings[0].hint + strlen(lead));
    report_finish(&report);
    return keys;
}

/* `keys` is a list with ", "; a further part that is not a key is left out. */
static void expect_keys(char *keys)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *key = strtok_r(keys, ", ", &rest); key != NULL && strcmp(key, "and") != 0;
         key = strtok_r(NULL, ", ", &rest)) {
        ck_assert_msg(row_of(key) != NULL, "docs/jobs.md lacks the key %s", key);
        count++;
    }
    ck_assert_uint_eq(row_count, count);
}

/* Each row's example in the place of %s of `frame` is understood. */
static void expect_examples(const char *before, const char *after, size_t cell)
{
    for (size_t i = 0; i < row_count; i++) {
        char *example = quoted_cell(&rows[i], cell);
        char *text = xasprintf("%s%s%s", before, example, after);
        put("pgchime.conf", text);
        load();
        expect_findings(config, "");
        free(example);
        free(text);
    }
}

START_TEST(keys_of_a_job_are_those_that_are_known)
{
    char *keys = known_keys("jobs: { a: { zzzzz = 1; }; };");
    read_table("Keys of a job");
    expect_keys(keys);
    expect_examples("jobs: { a: { ", " }; };", 2);
    free(keys);
}
END_TEST

START_TEST(keys_of_a_database_are_those_that_are_known)
{
    char *keys = known_keys("databases: { main: { conninfo = \"a\"; zzzzz = 1; }; };");
    read_table("Keys of a database");
    expect_keys(keys);
    for (size_t i = 0; i < row_count; i++) {
        char *example = quoted_cell(&rows[i], 2);
        bool needed = strncmp(example, "conninfo", 8) == 0;
        char *text = xasprintf("databases: { main: { %s %s }; };", example, needed ? "" : "conninfo = \"a\";");
        put("pgchime.conf", text);
        load();
        expect_findings(config, "");
        free(example);
        free(text);
    }
    free(keys);
}
END_TEST

START_TEST(keys_of_the_main_file_are_those_that_are_known)
{
    char *keys = known_keys("zzzzz = 1;");
    read_table("Keys of pgchime.conf");
    expect_keys(keys);
    expect_examples("", "", 2);
    free(keys);
}
END_TEST

/* --- schedules ---------------------------------------------------------------------------------------------------- */

START_TEST(example_of_each_schedule_is_understood)
{
    read_table("Schedules");
    bool seen[SCHEDULE_ONCE + 1] = {false};
    for (size_t i = 0; i < row_count; i++) {
        struct schedule schedule;
        struct error err = {.kind = ERROR_NONE};
        char *example = quoted_cell(&rows[i], 2);
        ck_assert_msg(schedule_parse(example, &schedule, &err), "%s: %s", example, err.message);
        seen[schedule.form] = true;
        free(example);
    }
    for (size_t form = SCHEDULE_CRON; form < COUNT_OF(seen); form++) {
        ck_assert_msg(seen[form], "docs/jobs.md shows no schedule of form %zu", form);
    }
}
END_TEST

START_TEST(words_for_schedules_are_understood)
{
    read_table("Schedules");
    for (size_t i = 0; i < row_count; i++) {
        const char *at = rows[i].cells[0];
        for (char *form = quoted(&at); form != NULL; form = quoted(&at)) {
            struct schedule schedule;
            struct error err = {.kind = ERROR_NONE};
            bool complete = form[0] == '@' && strchr(form, ' ') == NULL;
            ck_assert_msg(!complete || schedule_parse(form, &schedule, &err), "%s: %s", form, err.message);
            free(form);
        }
    }
}
END_TEST

/* --- clock changes ------------------------------------------------------------------------------------------------ */

static struct civil date_of(const char *text)
{
    struct civil civil = {.year = 0};
    ck_assert_int_eq(sscanf(text, "%d-%d-%d", &civil.year, &civil.month, &civil.day), 3);
    return civil;
}

static instant start_of_day(const struct zone *zone, struct civil day)
{
    instant first = INSTANT_NONE;
    instant last = INSTANT_NONE;
    ck_assert_int_eq(zone_from_civil(zone, &day, &first, &last), ZONE_WALL_ONCE);
    return first;
}

/* As the page writes it: "02:30 CEST (00:30Z), ...", or "none". */
static char *runs_of_day(const struct schedule *schedule, const struct zone *zone, struct civil day)
{
    struct buffer text = {0};
    struct civil next_day = day;
    next_day.day++;
    instant end = start_of_day(zone, next_day);
    for (instant slot = schedule_next(schedule, start_of_day(zone, day) - 1); slot < end;
         slot = schedule_next(schedule, slot)) {
        struct civil wall = zone_to_civil(zone, slot);
        struct civil utc = instant_to_civil(slot);
        buffer_printf(&text, "%s%02d:%02d %s (%02d:%02dZ)", text.length > 0 ? ", " : "", wall.hour, wall.minute,
                      zone_abbreviation(zone, slot), utc.hour, utc.minute);
    }
    buffer_puts(&text, text.length == 0 ? "none" : "");
    return buffer_take(&text);
}

static void expect_day(const struct row *row)
{
    ck_assert_uint_eq(row->count, 5);
    char *schedule = quoted_cell(row, 1);
    const char *at = row->cells[2];
    char *option = quoted(&at);
    char *text = xasprintf("jobs: { a: { schedule = \"%s\"; command = \"SELECT 1\"; timezone = \"%s\"; %s; }; };",
                           schedule, row->cells[0], option != NULL ? option : "enabled = true");
    build(ONE_DATABASE, text);
    expect_findings(catalog, "");
    const struct schedule *parsed = &catalog->jobs[0]->schedule;
    char *runs = runs_of_day(parsed, parsed->zone, date_of(row->cells[3]));
    ck_assert_msg(strcmp(runs, row->cells[4]) == 0, "%s %s on %s: computed %s, docs/jobs.md says %s", row->cells[0],
                  schedule, row->cells[3], runs, row->cells[4]);
    free(schedule);
    free(option);
    free(text);
    free(runs);
}

START_TEST(table_of_clock_changes_is_what_the_calendar_computes)
{
    read_table("Clock changes");
    ck_assert_uint_ge(row_count, 12);
    for (size_t i = 0; i < row_count; i++) {
        expect_day(&rows[i]);
    }
}
END_TEST

/* --- conf.d ------------------------------------------------------------------------------------------------------- */

/* With every entry that a "#" hides shown: those after eight spaces, and before a name and "=" or ":". */
static char *shown(const char *text)
{
    char *copy = xstrdup(text);
    for (char *at = strstr(copy, "\n        # "); at != NULL; at = strstr(at + 1, "\n        # ")) {
        at[9] = ' ';
    }
    return copy;
}

/* What plugin and product say where conf.d says nothing. */
struct sample {
    const char *name;
    const char *debounce;
    const char *channel; /* NULL: none */
};

static const struct sample samples_of_conf_d[] = {
    {"action_analytics", "0s", NULL},  {"agent_performance", "0s", NULL},
    {"approval_queue", "0s", NULL},    {"lane_distribution", "5s", "submission_scored"},
    {"progress", "0s", NULL},          {"telemetry", "0s", NULL},
    {"query_performance", "0s", NULL}, {"time_to_first_win", "0s", NULL},
    {"training_quality", "0s", NULL},  {"weakness", "5s", "submission_scored"},
};

static const struct {
    const char *job;
    const char *target, *warn, *error;
} freshness[] = {
    {"refresh-analytics", "none", "6min", "10min"},
    {"refresh_realtime_agent_performance", "250ms", "1min", "5min"},
    {"refresh-agent-query-quality", "none", "20min", "30min"},
    {"refresh-agent-daily-trends", "none", "25h", "48h"},
    {"refresh-agent-queue-realtime", "250ms", "10s", "1min"},
    {"refresh-agent-accuracy-rolling", "none", "20min", "30min"},
    {"refresh-agent-approval-quality", "none", "20min", "30min"},
    {"refresh-agent-feedback-quality", "none", "20min", "30min"},
    {"refresh-agent-latency-percentiles", "none", "2min", "5min"},
    {"refresh-lane-distributions", "5s", "1min", "20min"},
    {"refresh-agent-progress", "none", "70min", "2h"},
    {"refresh-telemetry-summary-hourly", "none", "70min", "2h"},
    {"refresh-telemetry-rollups-hourly", "none", "70min", "2h"},
    {"refresh-telemetry-minutes", "5s", "2min", "5min"},
    {"refresh-query-performance-live", "1s", "1min", "5min"},
    {"refresh-time-to-first-win", "none", "5h", "8h"},
    {"refresh_training_quality", "1s", "1h", "2h"},
    {"refresh-weakness-patterns", "5s", "1min", "1h"},
};

/* Which thresholds the job's plugin gives: each has some. */
static void set_freshness(struct job_options *options, const char *job)
{
    for (size_t i = 0; i < COUNT_OF(freshness); i++) {
        if (strcmp(freshness[i].job, job) == 0) {
            ck_assert(options_set(options, "target_lag", freshness[i].target, NULL));
            ck_assert(options_set(options, "warn_after", freshness[i].warn, NULL));
            ck_assert(options_set(options, "error_after", freshness[i].error, NULL));
            return;
        }
    }
    ck_abort_msg("no thresholds of %s are known", job);
}

static void expect_all_options(const struct config_job *job, const struct sample *sample)
{
    struct job_options defaults;
    options_defaults(&defaults, true);
    ck_assert(options_set(&defaults, "debounce", sample->debounce, NULL));
    set_freshness(&defaults, job->name);
    for (size_t i = 0; options_name(i) != NULL; i++) {
        if (strncmp(options_name(i), "cursor", strlen("cursor")) == 0) { /* a refresh has none */
            continue;
        }
        char *value = options_value_text(&job->options, options_name(i));
        char *usual = options_value_text(&defaults, options_name(i));
        ck_assert_msg((job->options.set >> i & 1) != 0, "%s lacks %s", job->name, options_name(i));
        ck_assert_msg(strcmp(value, usual) == 0, "%s says %s is %s, the default is %s", job->name, options_name(i),
                      value, usual);
        free(value);
        free(usual);
    }
}

static void expect_channels(const struct config_job *job, const struct sample *sample)
{
    ck_assert_msg(job->on_given, "%s lacks on", sample->name);
    ck_assert_uint_eq(job->on_count, sample->channel != NULL ? 1 : 0);
    if (sample->channel != NULL) {
        ck_assert_str_eq(job->on[0], sample->channel);
    }
}

START_TEST(sample_file_names_every_option_with_its_default)
{
    const struct sample *sample = &samples_of_conf_d[_i];
    char *path = xasprintf("%s/conf.d/%s.conf", PGCHIME_SOURCE_DIR, sample->name);
    char *text = files_read(path);
    char *all = shown(text);
    put("pgchime.conf", ONE_DATABASE);
    put("conf.d/x.conf", text);
    ck_assert_ptr_nonnull(load());
    expect_findings(config, "");
    ck_assert_uint_eq(config->jobs[0].options.set, 0);
    put("conf.d/x.conf", all);
    load();
    expect_findings(config, "");
    ck_assert_str_eq(config->plugins[0].name, sample->name);
    for (size_t i = 0; i < config->job_count; i++) {
        expect_all_options(&config->jobs[i], sample);
        expect_channels(&config->jobs[i], sample);
    }
    free(path);
    free(text);
    free(all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs_page");
    TCase *tests = tcase_create("jobs_page");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, page_has_every_option_and_no_other);
    tcase_add_test(tests, defaults_of_the_page_are_the_products);
    tcase_add_test(tests, example_of_each_option_sets_that_option_and_no_other);
    tcase_add_test(tests, keys_of_a_job_are_those_that_are_known);
    tcase_add_test(tests, keys_of_a_database_are_those_that_are_known);
    tcase_add_test(tests, keys_of_the_main_file_are_those_that_are_known);
    tcase_add_test(tests, example_of_each_schedule_is_understood);
    tcase_add_test(tests, words_for_schedules_are_understood);
    tcase_add_test(tests, table_of_clock_changes_is_what_the_calendar_computes);
    tcase_add_loop_test(tests, sample_file_names_every_option_with_its_default, 0, COUNT_OF(samples_of_conf_d));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
