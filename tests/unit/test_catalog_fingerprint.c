/* SPDX-License-Identifier: PostgreSQL */
/* When two catalogs run the same, and when their plugins are the same. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/plugin/catalogs.h"
#include "support/plugin/findings.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static void fingerprint_of(const char *part, char hex[static 17])
{
    build(ONE_DATABASE, part);
    expect_findings(catalog, "");
    catalog_fingerprint(catalog, "main", hex);
    ck_assert_uint_eq(strlen(hex), 16);
}

START_TEST(fingerprint_stays_when_only_places_change)
{
    char first[17];
    char second[17];
    use_plugin(&samples.lane);
    fingerprint_of("jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; }; };", first);
    fingerprint_of("\n# moved\n\njobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; max_attempts = 3; }; };",
                   second);
    ck_assert_str_eq(first, second);
}
END_TEST

static const char *const variants[] = {
    "",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; }; };",
    "jobs: { b: { command = \"SELECT 1\"; schedule = \"@daily\"; }; };",
    "jobs: { a: { command = \"SELECT 2\"; schedule = \"@daily\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@hourly\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; enabled = false; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; after = \"tidy-lanes\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; retry_on = \"40001\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; backoff = { jitter = 0.3; }; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; delivery = \"transactional\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"Europe/Berlin\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"Europe/Vienna\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; dst_gap = \"skip\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; overlap_policy = \"buffer_all\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; on = \"x\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; on = [\"x\", \"y\"]; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; on = \"x\"; debounce = \"5s\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; on = \"x\"; debounce_max = \"5s\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; on = \"tidy-lanes\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; after = \"tidy-lanes\"; }; };",
    "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; ping_file = \"x\"; }; };",
    "jobs: { refresh-lanes: { ping_file = \"x\"; }; };",
    "jobs: { refresh-lanes: { target_lag = \"5s\"; }; };",
    "jobs: { refresh-lanes: { warn_after = \"5s\"; }; };",
    "jobs: { refresh-lanes: { error_after = \"5s\"; }; };",
    "plugin: { name = \"lane\"; settings: { top_rows = 11; }; };",
    "plugin: { name = \"lane\"; modes: { mv_lanes = \"full\"; }; };",
    "plugin: { name = \"lane\"; modes: { mv_lanes = \"matview\"; }; };",
    "plugin: { name = \"lane\"; frozen: { mv_lanes = \"day < chime.as_of() - interval '9 days'\"; }; };",
    "plugin: { name = \"lane\"; view_schema = \"v\"; };",
    "alerts: { job-failed: { severity = \"critical\"; }; };",
    "alerts: { job-failed: { severity = \"critical\"; hold = \"1min\"; }; };",
    "alerts: { job-failed: { enabled = false; }; };",
    "alerts: { own: { condition = \"SELECT true\"; }; };",
    "alerts: { own: { condition = \"SELECT false\"; }; };",
    "sinks: { own: { type = \"webhook\"; url_file = \"x\"; }; };",
    "sinks: { own: { type = \"slack\"; url_file = \"x\"; }; };",
    "sinks: { own: { type = \"webhook\"; url_file = \"x\"; match: { job = \"a\"; }; }; };",
    "plugin: { name = \"lane\"; enabled = false; };",
    "plugin: { name = \"lane\"; channels = [\"lane_scored\"]; };",
    "plugin: { name = \"lane\"; channels = [\"lane_closed\"]; };",
    "plugin: { name = \"lane\"; channels = [\"lane_closed\", \"lane_scored\"]; };",
};

static const char *const stamps[] = {"id"};
static struct declared_plain_view plain_view = {.relation = "v_lanes", .definition = "SELECT 1"};

START_TEST(fingerprint_tells_every_variant_apart)
{
    char hex[COUNT_OF(variants) + 6][17];
    use_plugin(&samples.lane);
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        fingerprint_of(variants[i], hex[i]);
    }
    samples.lane_view.definition = "SELECT 2 AS id";
    fingerprint_of("", hex[COUNT_OF(variants)]);
    samples.lane.version = "1.1";
    fingerprint_of("", hex[COUNT_OF(variants) + 1]);
    samples.lane_view.stamps = (struct names){stamps, 1};
    fingerprint_of("", hex[COUNT_OF(variants) + 2]);
    samples.lane.plain_views = &plain_view;
    samples.lane.plain_view_count = 1;
    fingerprint_of("", hex[COUNT_OF(variants) + 3]);
    plain_view.definition = "SELECT 2";
    fingerprint_of("", hex[COUNT_OF(variants) + 4]);
    samples.lane_view.timezone = "Asia/Tokyo";
    fingerprint_of("", hex[COUNT_OF(variants) + 5]);
    for (size_t i = 0; i < COUNT_OF(hex); i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_msg(strcmp(hex[i], hex[j]) != 0, "variants %zu and %zu", i, j);
        }
    }
}
END_TEST

/* Of a database with these further members. */
static void fingerprint_of_database(const char *members, const char *part, char hex[static 17])
{
    char *text = files_path("databases: { main: { conninfo = \"a\"; %s }; }; conf_dir = \"conf.d\";", members);
    build(text, part);
    expect_findings(catalog, "");
    catalog_fingerprint(catalog, "main", hex);
    free(text);
}

START_TEST(fingerprint_of_a_database_covers_nothing_of_another)
{
    static const char other[] =
        "databases: { main: { conninfo = \"a\"; }; other: { conninfo = \"b\"; pools: { heavy = 1; }; }; };"
        "conf_dir = \"conf.d\";";
    char alone[17];
    char beside[17];
    char changed[17];
    build("databases: { main: { conninfo = \"a\"; }; }; conf_dir = \"conf.d\";",
          "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"main\"; }; };");
    catalog_fingerprint(catalog, "main", alone);
    build(other, "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"main\"; };"
                 " b: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"other\"; }; };");
    expect_findings(catalog, "");
    catalog_fingerprint(catalog, "main", beside);
    ck_assert_str_eq(alone, beside);
    catalog_fingerprint(catalog, "other", beside);
    ck_assert_str_ne(alone, beside);
    build(other, "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"main\"; };"
                 " b: { command = \"SELECT 2\"; schedule = \"@daily\"; database = \"other\"; }; };");
    catalog_fingerprint(catalog, "other", changed);
    ck_assert_str_ne(beside, changed);
}
END_TEST

START_TEST(fingerprint_covers_pools_and_the_databases_zone)
{
    static const char *const members[] = {
        "",
        "pools: { heavy = 1; };",
        "pools: { heavy = 2; };",
        "pools: { light = 2; };",
        "timezone = \"Europe/Berlin\";",
        "heartbeat: { url_file = \"x\"; };",
        "heartbeat: { url_file = \"x\"; every = \"5min\"; };",
        "heartbeat: { url = \"https://a\"; };",
    };
    static const char part[] = "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; }; };";
    char hex[COUNT_OF(members)][17];
    char again[17];
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        fingerprint_of_database(members[i], part, hex[i]);
        for (size_t j = 0; j < i; j++) {
            ck_assert_msg(strcmp(hex[i], hex[j]) != 0, "members %zu and %zu", i, j);
        }
    }
    fingerprint_of_database("timezone = \"UTC\"; pool_size = 3;", part, again);
    ck_assert_str_eq(again, hex[0]);
    fingerprint_of_database("timezone = \"Asia/Tokyo\";",
                            "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"UTC\"; }; };",
                            again);
    ck_assert_str_eq(again, hex[0]);
}
END_TEST

/* --- the same plugins? --- */

/* The catalog before the one that is built next, with the configuration that it borrows. */
static struct catalog *kept;
static struct config *kept_config;

static void keep(void)
{
    kept = catalog;
    kept_config = config;
    catalog = NULL;
    config = NULL;
}

static void let_go(void)
{
    catalog_destroy(kept);
    config_free(kept_config);
}

static void expect_same_plugins(const char *first, const char *second, bool same)
{
    build(ONE_DATABASE, first);
    expect_findings(catalog, "");
    keep();
    build(ONE_DATABASE, second);
    expect_findings(catalog, "");
    ck_assert_msg(catalog_same_plugins(kept, catalog, "main") == same, "%s\n%s", first, second);
    ck_assert_msg(catalog_same_plugins(catalog, kept, "main") == same, "%s\n%s", second, first);
    let_go();
}

START_TEST(plugins_stay_the_same_when_only_jobs_change)
{
    use_plugin(&samples.agent);
    use_plugin(&samples.lane);
    expect_same_plugins("", "", true);
    expect_same_plugins("", "jobs: { refresh-lanes: { schedule = \"@daily\"; pool = \"default\"; }; };", true);
    expect_same_plugins("", "jobs: { refresh-agents: { after = []; }; };", true); /* and so another order */
    expect_same_plugins("plugin: { name = \"lane\"; };", "plugin: { name = \"lane\"; channels = []; };", true);
    expect_same_plugins("plugin: { name = \"lane\"; channels = [\"lane_closed\", \"lane_scored\"]; };",
                        "plugin: { name = \"lane\"; channels = [\"lane_scored\", \"lane_closed\"]; };", true);
    expect_same_plugins("plugin: { name = \"lane\"; };", "plugin: { name = \"lane\"; settings: { top_rows = 10; }; };",
                        true);
}
END_TEST

START_TEST(plugins_differ_by_what_they_are_installed_with)
{
    use_plugin(&samples.agent);
    use_plugin(&samples.lane);
    expect_same_plugins("", "plugin: { name = \"lane\"; settings: { top_rows = 11; }; };", false);
    expect_same_plugins("", "plugin: { name = \"lane\"; view_schema = \"v\"; };", false);
    expect_same_plugins("", "plugin: { name = \"lane\"; modes: { mv_lanes = \"full\"; }; };", false);
    expect_same_plugins("", "plugin: { name = \"lane\"; modes: { mv_lanes = \"auto\"; }; };", true);
    expect_same_plugins("", "plugin: { name = \"lane\"; frozen: { mv_lanes = \"x\"; }; };", false);
    expect_same_plugins("", "plugin: { name = \"lane\"; frozen: { mv_lanes = \"\"; }; };", true);
    expect_same_plugins("", "plugin: { name = \"agent\"; enabled = false; };", false);
    expect_same_plugins("", "plugin: { name = \"lane\"; channels = [\"lane_scored\"]; };", false);
    expect_same_plugins("plugin: { name = \"lane\"; channels = [\"lane_closed\"]; };",
                        "plugin: { name = \"lane\"; channels = [\"lane_scored\"]; };", false);
}
END_TEST

START_TEST(plugins_differ_by_what_their_channels_are_made_of)
{
    static const char part[] = "plugin: { name = \"lane\"; channels = [\"lane_scored\"]; };";
    char hex[4][17];
    struct chime_channel others[2] = {samples.lane_channels[0], samples.lane_channels[1]};
    struct declaration newer = samples.lane;
    newer.channels = others;
    use_plugin(&samples.lane);
    fingerprint_of(part, hex[0]);
    use_no_plugin();
    use_plugin(&newer);
    others[1].definition = "CREATE TRIGGER another"; /* which nobody asks for */
    fingerprint_of(part, hex[1]);
    ck_assert_str_eq(hex[0], hex[1]);
    others[0].definition = "CREATE TRIGGER another";
    fingerprint_of(part, hex[2]);
    others[0].table = "rows";
    fingerprint_of(part, hex[3]);
    ck_assert(strcmp(hex[1], hex[2]) != 0 && strcmp(hex[2], hex[3]) != 0);
}
END_TEST

START_TEST(plugins_differ_by_their_declaration)
{
    struct declaration newer = samples.lane;
    newer.version = "1.1";
    use_plugin(&samples.lane);
    build(ONE_DATABASE, "");
    keep();
    use_no_plugin();
    use_plugin(&newer);
    build(ONE_DATABASE, "");
    ck_assert(!catalog_same_plugins(kept, catalog, "main"));
    let_go();
}
END_TEST

START_TEST(each_database_has_its_own_plugins)
{
    use_plugin(&samples.lane);
    use_plugin(&samples.other);
    build(TWO_DATABASES, "plugin: { name = \"lane\"; database = \"main\"; };");
    ck_assert_ptr_null(catalog); /* other does not say where */
    report_finish(&report);
    put("conf.d/other.conf", "plugin: { name = \"other\"; database = \"audit\"; };");
    build(TWO_DATABASES, "plugin: { name = \"lane\"; database = \"main\"; };");
    keep();
    build(TWO_DATABASES, "plugin: { name = \"lane\"; database = \"main\"; settings: { top_rows = 3; }; };");
    expect_findings(catalog, "");
    ck_assert(!catalog_same_plugins(kept, catalog, "main"));
    ck_assert(catalog_same_plugins(kept, catalog, "audit"));
    ck_assert(catalog_same_plugins(kept, catalog, "none"));
    let_go();
}
END_TEST

/* --- what a reload tells ------------------------------------------------------------------------------------------ */

#define BEATS(heartbeat) "databases: { main: { conninfo = \"a\"; " heartbeat " }; }; conf_dir = \"conf.d\";"
#define JOB(more) "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; " more " }; };"

static void expect_change(const char *const before[2], const char *const after[2], const char *line)
{
    struct catalog_changes changes;
    build(before[0], before[1]);
    expect_findings(catalog, "");
    keep();
    build(after[0], after[1]);
    expect_findings(catalog, "");
    catalog_changes_list(kept, catalog, &changes);
    ck_assert_uint_eq(changes.line_count, line != NULL ? 1 : 0);
    ck_assert_str_eq(line != NULL ? changes.lines[0] : "", line != NULL ? line : "");
    catalog_changes_finish(&changes);
    let_go();
}

START_TEST(changes_name_heartbeats_and_pings)
{
    static const char *const none[] = {BEATS(""), JOB("")};
    static const char *const beats[] = {BEATS("heartbeat: { url_file = \"x\"; };"), JOB("")};
    static const char *const elsewhere[] = {BEATS("heartbeat: { url_file = \"y\"; };"), JOB("")};
    static const char *const slowly[] = {BEATS("heartbeat: { url_file = \"x\"; every = \"5min\"; };"), JOB("")};
    static const char *const pinged[] = {BEATS(""), JOB("ping_file = \"x\";")};
    static const char *const pinged_elsewhere[] = {BEATS(""), JOB("ping_file = \"y\";")};
    expect_change(none, beats, "+ heartbeat main");
    expect_change(beats, elsewhere, "~ heartbeat main");
    expect_change(beats, slowly, "~ heartbeat main");
    expect_change(slowly, none, "- heartbeat main");
    expect_change(beats, beats, NULL);
    expect_change(none, pinged, "~ job a");
    expect_change(pinged, pinged_elsewhere, "~ job a");
    expect_change(pinged, none, "~ job a");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_fingerprint");
    TCase *tests = tcase_create("catalog_fingerprint");
    tcase_add_checked_fixture(tests, catalogs_set_up, catalogs_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, fingerprint_stays_when_only_places_change);
    tcase_add_test(tests, fingerprint_tells_every_variant_apart);
    tcase_add_test(tests, fingerprint_of_a_database_covers_nothing_of_another);
    tcase_add_test(tests, fingerprint_covers_pools_and_the_databases_zone);
    tcase_add_test(tests, plugins_stay_the_same_when_only_jobs_change);
    tcase_add_test(tests, plugins_differ_by_what_they_are_installed_with);
    tcase_add_test(tests, plugins_differ_by_what_their_channels_are_made_of);
    tcase_add_test(tests, plugins_differ_by_their_declaration);
    tcase_add_test(tests, each_database_has_its_own_plugins);
    tcase_add_test(tests, changes_name_heartbeats_and_pings);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
