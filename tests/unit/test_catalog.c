#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "support/files.h"

/* Configuration is read from files in a folder of its own ('%' in expected findings); the plugins are built by hand. */
static char *folder;
static struct report report;
static struct config *config;
static struct catalog *catalog;
static struct declaration *present[3];
static struct plugin_set set;

#define ONE_DATABASE "databases: { main: { conninfo = \"dbname=app\"; }; };\nconf_dir = \"conf.d\";\n"
#define TWO_DATABASES                                                                                     \
    "databases: { main: { conninfo = \"dbname=app\"; };\n"                                                \
    "  audit: { conninfo = \"dbname=audit\"; view_schema = \"reports\"; source_schema = \"raw\"; }; };\n" \
    "conf_dir = \"conf.d\";\n"
#define NO_DATABASE "conf_dir = \"conf.d\";\n"

/* --- the plugins: agent's job comes after lane's, and other declares a job of lane's when it is asked to --- */

static const char *const id[] = {"id"};
static const char *const mv_lanes[] = {"mv_lanes"};
static const char *const mv_agents[] = {"mv_agents"};
static const char *const refresh_lanes[] = {"refresh-lanes"};
static struct declared_view lane_view;
static struct declared_job lane_jobs[2];
static struct declared_setting lane_settings[2];
static struct declaration lane;
static struct declared_view agent_view;
static struct declared_job agent_job;
static struct declared_source agent_source;
static struct declaration agent;
static struct declared_job other_job;
static struct declared_view other_view;
static struct declaration other;

static void make_lane(void)
{
    lane_view = (struct declared_view){.relation = "mv_lanes",
                                       .definition = "SELECT 1 AS id",
                                       .key = {id, 1},
                                       .key_index = "mv_lanes_pk",
                                       .mode = "auto"};
    lane_jobs[0] = (struct declared_job){
        .name = "refresh-lanes", .schedule = "*/10 * * * *", .refresh = {mv_lanes, 1}, .command = ""};
    lane_jobs[1] = (struct declared_job){
        .name = "tidy-lanes", .schedule = "@daily", .command = "SELECT 1", .after = {refresh_lanes, 1}};
    ck_assert(options_set(&lane_jobs[1].options, "max_attempts", "7", NULL));
    ck_assert(options_set(&lane_jobs[1].options, "priority", "2", NULL));
    lane_settings[0] = (struct declared_setting){
        .name = "top_rows", .type = "int", .value = "10", .low = "1", .high = "100", .summary = "rows"};
    lane_settings[1] = (struct declared_setting){
        .name = "window", .type = "duration", .value = "30d", .summary = "how far back"};
    lane = (struct declaration){.file = "/plugins/lane.so",
                                .name = "lane",
                                .version = "1.0",
                                .views = &lane_view,
                                .view_count = 1,
                                .jobs = lane_jobs,
                                .job_count = 2,
                                .settings = lane_settings,
                                .setting_count = 2};
}

static void make_agent_and_other(void)
{
    agent_view = (struct declared_view){.relation = "mv_agents",
                                        .definition = "SELECT 1 AS id",
                                        .key = {id, 1},
                                        .key_index = "mv_agents_pk",
                                        .mode = "auto"};
    agent_source = (struct declared_source){.table = "agents", .columns = {id, 1}};
    agent_job = (struct declared_job){.name = "refresh-agents",
                                      .schedule = "*/30 * * * *",
                                      .refresh = {mv_agents, 1},
                                      .command = "",
                                      .after = {refresh_lanes, 1}};
    agent = (struct declaration){.file = "/plugins/agent.so",
                                 .name = "agent",
                                 .version = "1.0",
                                 .sources = &agent_source,
                                 .source_count = 1,
                                 .views = &agent_view,
                                 .view_count = 1,
                                 .jobs = &agent_job,
                                 .job_count = 1};
    other_job = (struct declared_job){.name = "other-job", .schedule = "@hourly", .command = "SELECT 2"};
    other_view = agent_view;
    other_view.relation = "mv_others";
    other = (struct declaration){.file = "/plugins/other.so",
                                 .name = "other",
                                 .version = "1.0",
                                 .views = &other_view,
                                 .view_count = 1,
                                 .jobs = &other_job,
                                 .job_count = 1};
}

static void set_up(void)
{
    folder = files_make_directory();
    char *parts = files_path("%s/conf.d", folder);
    files_make_folder(parts);
    free(parts);
    report_init(&report);
    config = NULL;
    catalog = NULL;
    make_lane();
    make_agent_and_other();
    set = (struct plugin_set){.plugins = present};
}

static void tear_down(void)
{
    catalog_destroy(catalog);
    config_free(config);
    report_finish(&report);
    files_remove_tree(folder);
    free(folder);
}

/* In the order of their names, as a set has them. */
static void use_plugin(struct declaration *declaration)
{
    present[set.count++] = declaration;
}

static void put(const char *name, const char *text)
{
    char *path = files_path("%s/%s", folder, name);
    files_write(path, text);
    free(path);
}

static char *findings(void)
{
    struct buffer text = {0};
    report_sort(&report);
    for (size_t i = 0; i < report.count; i++) {
        char *line = finding_text(&report.findings[i]);
        buffer_puts(&text, line);
        free(line);
    }
    return buffer_take(&text);
}

static char *with_folder(const char *expected)
{
    struct buffer text = {0};
    for (const char *at = expected; *at != '\0'; at++) {
        if (*at == '%') {
            buffer_puts(&text, folder);
        } else {
            buffer_putc(&text, *at);
        }
    }
    return buffer_take(&text);
}

static void expect_findings(const char *expected)
{
    char *found = findings();
    char *wanted = with_folder(expected);
    ck_assert_str_eq(found != NULL ? found : "", wanted != NULL ? wanted : "");
    ck_assert_msg((catalog == NULL) == (expected[0] != '\0'), "a catalog exactly when there is no finding");
    free(found);
    free(wanted);
}

static const struct catalog *build(const char *main_text, const char *part_text)
{
    put("pgchime.conf", main_text);
    put("conf.d/x.conf", part_text);
    char *file = files_path("%s/pgchime.conf", folder);
    config_free(config);
    config = config_load(file, &report);
    free(file);
    if (config == NULL) {
        char *found = findings();
        ck_abort_msg("%s", found);
    }
    catalog_destroy(catalog);
    catalog = catalog_build(config, &set, &report);
    return catalog;
}

START_TEST(plugins_and_jobs_are_joined)
{
    use_plugin(&agent);
    use_plugin(&lane);
    const struct catalog *built = build(ONE_DATABASE, "plugin: { name = \"lane\"; settings: { top_rows = 20; }; };\n"
                                                      "jobs: { nightly: { schedule = \"0 3 * * *\"; command = "
                                                      "\"VACUUM\"; after = \"tidy-lanes\"; }; };");
    expect_findings("");
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
    ck_assert_int_eq(refresh->options.delivery, DELIVERY_TRANSACTIONAL);
    ck_assert_int_eq(refresh->options.lock_timeout, 30 * USEC_PER_SEC);
    ck_assert(refresh->active);
    const struct job *nightly = catalog_find_job(built, "main", "nightly");
    ck_assert_int_eq(nightly->origin, JOB_FROM_CONFIG);
    ck_assert_ptr_null(nightly->plugin);
    ck_assert_int_eq(nightly->line, 2);
    ck_assert_str_eq(nightly->after[0], "tidy-lanes");
    ck_assert_int_eq(nightly->options.delivery, DELIVERY_AT_MOST_ONCE);
    ck_assert_ptr_null(catalog_find_job(built, "main", "none"));
    ck_assert_ptr_null(catalog_find_job(built, "none", "nightly"));
}
END_TEST

START_TEST(override_changes_what_it_gives_and_leaves_the_rest)
{
    use_plugin(&lane);
    const struct catalog *built = build(
        ONE_DATABASE, "jobs: { tidy-lanes: { schedule = \"@hourly\"; max_attempts = 1; after = []; enabled = "
                      "false; }; };");
    expect_findings("");
    const struct job *tidy = catalog_find_job(built, "main", "tidy-lanes");
    ck_assert_int_eq(tidy->origin, JOB_FROM_PLUGIN);
    ck_assert_str_eq(tidy->schedule_text, "@hourly");
    ck_assert_str_eq(tidy->command, "SELECT 1");
    ck_assert_uint_eq(tidy->after_count, 0);
    ck_assert(!tidy->active);
    ck_assert_int_eq(tidy->line, 1);
    ck_assert_str_eq(strrchr(tidy->file, '/'), "/x.conf");
    ck_assert_int_eq(tidy->options.max_attempts, 1);                 /* conf.d's */
    ck_assert_int_eq(tidy->options.priority, 2);                     /* the plugin's */
    ck_assert_int_eq(tidy->options.cancel_grace, 10 * USEC_PER_SEC); /* the product's */
    const struct job *refresh = catalog_find_job(built, "main", "refresh-lanes");
    ck_assert(refresh->active);
    ck_assert_str_eq(refresh->schedule_text, "*/10 * * * *");
}
END_TEST

START_TEST(databases_keep_their_jobs_apart)
{
    use_plugin(&lane);
    const struct catalog *built = build(
        TWO_DATABASES, "plugin: { name = \"lane\"; database = \"audit\"; };\n"
                       "jobs: { refresh-lanes: { database = \"audit\"; schedule = \"@hourly\"; };\n"
                       "  tidy-lanes: { database = \"main\"; schedule = \"@hourly\"; command = \"SELECT 3\"; };\n"
                       "  zeta: { database = \"main\"; command = \"SELECT 3\"; after = [\"tidy-lanes\"]; }; };");
    expect_findings("");
    ck_assert_str_eq(built->plugins[0].database, "audit");
    ck_assert_str_eq(built->plugins[0].view_schema, "reports");
    ck_assert_str_eq(built->plugins[0].source_schema, "raw");
    size_t count = 0;
    const struct job *jobs = catalog_jobs_of(built, "audit", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(jobs[0].name, "refresh-lanes");
    ck_assert_str_eq(jobs[0].schedule_text, "@hourly");
    ck_assert_str_eq(jobs[1].command, "SELECT 1");
    jobs = catalog_jobs_of(built, "main", &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(jobs[0].command, "SELECT 3");
    catalog_jobs_of(built, "none", &count);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(disabled_plugin_is_left_out_with_its_jobs)
{
    use_plugin(&lane);
    const struct catalog *built = build(ONE_DATABASE, "plugin: { name = \"lane\"; enabled = false; };\n"
                                                      "jobs: { refresh-lanes: { schedule = \"@hourly\"; };\n"
                                                      "  tidy-lanes: { command = \"SELECT 9\"; schedule = \"@daily\"; "
                                                      "}; };");
    expect_findings("");
    ck_assert_uint_eq(built->plugin_count, 0);
    ck_assert_uint_eq(built->job_count, 1);
    ck_assert_int_eq(built->jobs[0].origin, JOB_FROM_CONFIG);
}
END_TEST

START_TEST(absent_plugin_that_is_disabled_takes_its_overrides_along)
{
    build(ONE_DATABASE, "plugin: { name = \"gone\"; enabled = false; };\n"
                        "jobs: { refresh-gone: { schedule = \"@hourly\"; }; };");
    expect_findings("");
    ck_assert_uint_eq(catalog->job_count, 0);
}
END_TEST

START_TEST(plugin_whose_file_was_taken_away_takes_its_overrides_along)
{
    build(ONE_DATABASE, "plugin: { name = \"gone\"; };\n"
                        "jobs: { refresh-gone: { schedule = \"@hourly\"; }; };");
    expect_findings("");
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
    use_plugin(&lane);
    const struct catalog *built = build(NO_DATABASE, "plugin: { name = \"lane\"; enabled = \"auto\"; };\n"
                                                     "jobs: { refresh-lanes: { schedule = \"@hourly\"; }; };");
    expect_findings("");
    ck_assert_uint_eq(built->plugin_count + built->job_count, 0);
}
END_TEST

START_TEST(plugin_that_reads_another_ones_view_comes_after_it)
{
    agent_job.after.count = 0;
    agent_source.table = "mv_lanes";
    use_plugin(&agent);
    use_plugin(&lane);
    const struct catalog *built = build(ONE_DATABASE, "");
    expect_findings("");
    ck_assert_str_eq(built->plugins[0].declaration->name, "lane");
    ck_assert_str_eq(built->plugins[1].declaration->name, "agent");
}
END_TEST

START_TEST(plugins_whose_jobs_come_after_each_other_are_ordered_by_what_they_read)
{
    agent_source.table = "mv_lanes";
    agent_job.after = (struct names){refresh_lanes, 1};
    static const char *const agents[] = {"refresh-agents"};
    lane_jobs[1].after = (struct names){agents, 1};
    use_plugin(&agent);
    use_plugin(&lane);
    const struct catalog *built = build(ONE_DATABASE, "");
    expect_findings("");
    ck_assert_str_eq(built->plugins[0].declaration->name, "lane");
}
END_TEST

/* --- findings: lane and other are there --- */

static const struct {
    const char *main_text;
    const char *part;
    const char *expected;
} bad[] = {
    /* databases */
    {ONE_DATABASE, "\nplugin: { name = \"lane\"; database = \"mian\"; };",
     "%/conf.d/x.conf:2: plugin \"lane\": no database \"mian\" is configured\nHINT:  did you mean \"main\"?\n"},
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"elsewhere\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": no database \"elsewhere\" is configured\nHINT:  configured: \"main\"\n"},
    {NO_DATABASE, "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": there is no database to run in\n"
     "HINT:  write databases: { main: { conninfo = \"...\"; }; }; in %/pgchime.conf\n"},
    {NO_DATABASE, "plugin: { name = \"lane\"; enabled = true; };",
     "%/conf.d/x.conf:1: plugin \"lane\": there is no database to run in\n"
     "HINT:  write databases: { main: { conninfo = \"...\"; }; }; in %/pgchime.conf\n"},
    /* plugins */
    {ONE_DATABASE, "plugin: { name = \"lnae\"; };",
     "%/conf.d/x.conf:1: there is no plugin \"lnae\"\nHINT:  did you mean \"lane\"?\n"},
    {ONE_DATABASE, "plugin: { name = \"weakness\"; enabled = true; };\njobs: { refresh-weakness: { schedule = \"@hourly\"; }; };",
     "%/conf.d/x.conf:1: there is no plugin \"weakness\"\n"
     "HINT:  put weakness.so into plugin_dir, or write enabled = false\n"},
    {ONE_DATABASE, "plugin: { name = \"lane\"; settings: {\n top_rows = 0;\n window = 5;\n toprows = 1; zzz = 1; }; };",
     "%/conf.d/x.conf:2: setting \"top_rows\" of plugin \"lane\": 0 is out of range\n"
     "HINT:  setting \"top_rows\" is from 1 to 100\n"
     "%/conf.d/x.conf:3: setting \"window\" of plugin \"lane\": \"5\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"
     "%/conf.d/x.conf:4: plugin \"lane\" has no setting \"toprows\"\nHINT:  did you mean \"top_rows\"?\n"
     "%/conf.d/x.conf:4: plugin \"lane\" has no setting \"zzz\"\n"},
    /* overrides */
    {ONE_DATABASE, "jobs: {\n refresh-lane: { schedule = \"@hourly\"; };\n qqq: { schedule = \"@hourly\"; }; };",
     "%/conf.d/x.conf:2: job \"refresh-lane\" has no command, and no plugin declares it\n"
     "HINT:  did you mean \"refresh-lanes\"?\n"
     "%/conf.d/x.conf:3: job \"qqq\" has no command, and no plugin declares it\n"
     "HINT:  write command = \"...\"; for a job of your own\n"},
    {ONE_DATABASE, "jobs: { refresh-lanes: { schedule = \"@hourly\"; command = \"SELECT 1\"; }; };",
     "%/conf.d/x.conf:1: job \"refresh-lanes\" of database \"main\" is already declared by plugin \"lane\" at "
     "/plugins/lane.so\n"
     "HINT:  leave the command out to change the plugin's job, or rename yours\n"},
    {ONE_DATABASE, "jobs: { tidy-lanes: { schedule = \"\"; after = []; }; };",
     "%/conf.d/x.conf:1: job \"tidy-lanes\" has neither a schedule nor a job to come after: it would never run\n"
     "HINT:  write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or enabled = false;\n"},
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" has neither a schedule nor a job to come after: it would never run\n"
     "HINT:  write schedule = \"*/10 * * * *\"; or after = [\"...\"]; or enabled = false;\n"},
    /* delivery */
    {ONE_DATABASE,
     "jobs: { a: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"SELECT 1; VACUUM t\"; };\n"
     " b: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"SELECT 1; COMMIT\"; };\n"
     " c: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"CREATE INDEX CONCURRENTLY ON t (a)\"; };\n"
     " d: { schedule = \"@daily\"; delivery = \"transactional\"; command = \"DO $$BEGIN COMMIT; END$$; CALL p()\"; };\n"
     " e: { schedule = \"@daily\"; delivery = \"at_most_once\"; command = \"VACUUM t\"; };\n"
     " tidy-lanes: { delivery = \"transactional\"; };\n"
     " refresh-lanes: { delivery = \"at_most_once\"; }; };",
     "%/conf.d/x.conf:1: job \"a\" is transactional, but \"vacuum t\" cannot be part of a transaction\n"
     "HINT:  write delivery = \"at_most_once\", or take the statement out\n"
     "%/conf.d/x.conf:2: job \"b\" is transactional, but \"commit\" cannot be part of a transaction\n"
     "HINT:  write delivery = \"at_most_once\", or take the statement out\n"
     "%/conf.d/x.conf:3: job \"c\" is transactional, but \"create index concurrently\" cannot be part of a "
     "transaction\n"
     "HINT:  write delivery = \"at_most_once\", or take the statement out\n"
     "%/conf.d/x.conf:7: job \"refresh-lanes\" refreshes views, which is always transactional\n"
     "HINT:  take delivery out\n"},
    /* dependencies */
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; after = [\"tidylanes\", \"refresh-lanes\", \"qqq\"]; }; };",
     "%/conf.d/x.conf:1: job \"a\" comes after \"tidylanes\", which is not a job of database \"main\"\n"
     "HINT:  did you mean \"tidy-lanes\"?\n"
     "%/conf.d/x.conf:1: job \"a\" comes after \"qqq\", which is not a job of database \"main\"\n"},
    {ONE_DATABASE, "jobs: { a: { command = \"SELECT 1\"; after = \"a\"; }; };",
     "%/conf.d/x.conf:1: jobs of database \"main\" come after each other in a circle: a -> a (a at %/conf.d/x.conf:1)\n"
     "HINT:  remove one of these names from the `after` of the next job\n"},
    {ONE_DATABASE,
     "jobs: {\n a: { command = \"SELECT 1\"; after = \"c\"; };\n b: { command = \"SELECT 1\"; after = \"a\"; };\n"
     " c: { command = \"SELECT 1\"; after = \"b\"; };\n refresh-lanes: { after = \"tidy-lanes\"; }; };",
     "%/conf.d/x.conf:2: jobs of database \"main\" come after each other in a circle: a -> b -> c -> a "
     "(a at %/conf.d/x.conf:2, b at %/conf.d/x.conf:3, c at %/conf.d/x.conf:4)\n"
     "HINT:  remove one of these names from the `after` of the next job\n"
     "%/conf.d/x.conf:5: jobs of database \"main\" come after each other in a circle: refresh-lanes -> tidy-lanes -> "
     "refresh-lanes (refresh-lanes at %/conf.d/x.conf:5, tidy-lanes at /plugins/lane.so)\n"
     "HINT:  remove one of these names from the `after` of the next job\n"},
    {ONE_DATABASE,
     "plugin: { name = \"lane\"; enabled = false; };\njobs: { a: { command = \"SELECT 1\"; after = \"tidy-lanes\"; }; "
     "};",
     "%/conf.d/x.conf:2: job \"a\" comes after \"tidy-lanes\", but plugin \"lane\", which declares that, is disabled "
     "at "
     "%/conf.d/x.conf:1\n"
     "HINT:  enable the plugin, or give the job another `after` in conf.d, or disable it too\n"},
};

START_TEST(bad_catalog_is_refused_with_its_places)
{
    use_plugin(&lane);
    use_plugin(&other);
    build(bad[_i].main_text, bad[_i].part);
    expect_findings(bad[_i].expected);
}
END_TEST

START_TEST(several_databases_ask_for_a_choice)
{
    use_plugin(&lane);
    build(TWO_DATABASES, "plugin: { name = \"lane\"; };\n"
                         "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; after = \"tidy-lanes\"; }; };");
    expect_findings("%/conf.d/x.conf:1: plugin \"lane\": it does not say in which database it runs\n"
                    "HINT:  write database = \"audit\"; (configured: \"audit\", \"main\")\n"
                    "%/conf.d/x.conf:2: job \"a\": it does not say in which database it runs\n"
                    "HINT:  write database = \"audit\"; (configured: \"audit\", \"main\")\n");
}
END_TEST

START_TEST(plugin_without_an_entry_needs_one_when_there_are_several_databases)
{
    use_plugin(&other);
    build(TWO_DATABASES, "");
    expect_findings("/plugins/other.so: plugin \"other\", which conf.d does not mention: it does not say in which "
                    "database it runs\n"
                    "HINT:  write plugin: { name = \"other\"; database = \"audit\"; }; in a file of conf_dir "
                    "(configured: \"audit\", \"main\")\n");
}
END_TEST

START_TEST(override_in_another_database_than_its_plugin_is_refused)
{
    use_plugin(&other);
    build(TWO_DATABASES "jobs: { other-job: { database = \"main\"; schedule = \"@daily\"; }; };\n",
          "plugin: { name = \"other\"; database = \"audit\"; };\n");
    expect_findings(
        "%/pgchime.conf:4: job \"other-job\" belongs to plugin \"other\", which is in database \"audit\", not "
        "in \"main\"\n"
        "HINT:  a plugin's database is given in its plugin entry; leave it out here\n");
}
END_TEST

START_TEST(upstream_in_another_database_is_refused_with_its_database)
{
    use_plugin(&other);
    build(TWO_DATABASES, "plugin: { name = \"other\"; database = \"audit\"; };\n"
                         "jobs: { a: { database = \"main\"; command = \"SELECT 1\"; after = \"other-job\"; }; };");
    expect_findings("%/conf.d/x.conf:2: job \"a\" of database \"main\" comes after \"other-job\", which is a job of "
                    "database \"audit\"\n"
                    "HINT:  `after` names jobs of the same database\n");
}
END_TEST

START_TEST(jobs_and_views_of_two_plugins_must_differ)
{
    other_job.name = "tidy-lanes";
    other_view.relation = "mv_lanes";
    use_plugin(&lane);
    use_plugin(&other);
    build(ONE_DATABASE, "");
    expect_findings(
        "/plugins/other.so: job \"tidy-lanes\" of database \"main\" is already declared by plugin \"lane\" at "
        "/plugins/lane.so\n"
        "HINT:  disable one of the plugins in conf.d, or give it another database\n"
        "/plugins/other.so: view \"analytics.mv_lanes\" is already declared by /plugins/lane.so\n"
        "HINT:  give one of the plugins another view_schema in conf.d, or disable it\n");
}
END_TEST

START_TEST(schedule_of_a_plugin_is_checked_too)
{
    other_job.schedule = "61 * * * *";
    use_plugin(&other);
    build(ONE_DATABASE, "");
    ck_assert_ptr_null(catalog);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.findings[0].file, "/plugins/other.so");
    ck_assert_ptr_nonnull(strstr(report.findings[0].message, "job \"other-job\": schedule \"61 * * * *\""));
}
END_TEST

START_TEST(job_woken_by_a_channel_needs_no_schedule)
{
    static const char *const channels[] = {"submissions"};
    other_job.schedule = "";
    other_job.on = (struct names){channels, 1};
    use_plugin(&other);
    const struct catalog *built = build(ONE_DATABASE, "jobs: { other-job: { max_attempts = 1; }; };");
    expect_findings("");
    ck_assert_int_eq(catalog_find_job(built, "main", "other-job")->schedule.form, SCHEDULE_NONE);
}
END_TEST

/* --- the fingerprint --- */

static void fingerprint_of(const char *part, char hex[static 17])
{
    build(ONE_DATABASE, part);
    expect_findings("");
    catalog_fingerprint(catalog, hex);
    ck_assert_uint_eq(strlen(hex), 16);
}

START_TEST(fingerprint_stays_when_only_places_change)
{
    char first[17];
    char second[17];
    use_plugin(&lane);
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
    "plugin: { name = \"lane\"; settings: { top_rows = 11; }; };",
    "plugin: { name = \"lane\"; view_schema = \"v\"; };",
    "plugin: { name = \"lane\"; enabled = false; };",
};

START_TEST(fingerprint_tells_every_variant_apart)
{
    char hex[COUNT_OF(variants) + 3][17];
    use_plugin(&lane);
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        fingerprint_of(variants[i], hex[i]);
    }
    lane_view.definition = "SELECT 2 AS id";
    fingerprint_of("", hex[COUNT_OF(variants)]);
    lane.version = "1.1";
    fingerprint_of("", hex[COUNT_OF(variants) + 1]);
    lane_view.stamps = (struct names){id, 1};
    fingerprint_of("", hex[COUNT_OF(variants) + 2]);
    for (size_t i = 0; i < COUNT_OF(hex); i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_msg(strcmp(hex[i], hex[j]) != 0, "variants %zu and %zu", i, j);
        }
    }
}
END_TEST

START_TEST(ten_thousand_chained_jobs_take_little_time)
{
    struct buffer text = {0};
    char hex[17];
    buffer_puts(&text, "jobs: {\n some-job-0: { schedule = \"@daily\"; command = \"SELECT 0\"; };\n");
    for (int i = 1; i < 10000; i++) {
        buffer_printf(&text, "  some-job-%d: { command = \"SELECT %d\"; after = \"some-job-%d\"; };\n", i, i, i - 1);
    }
    buffer_puts(&text, "};\n");
    double before = (double)clock() / CLOCKS_PER_SEC;
    build(ONE_DATABASE, buffer_text(&text));
    expect_findings("");
    catalog_fingerprint(catalog, hex);
    double taken = (double)clock() / CLOCKS_PER_SEC - before;
    buffer_finish(&text);
    ck_assert_uint_eq(catalog->job_count, 10000);
    ck_assert_msg(taken < 10.0, "%g s", taken); /* a hundredth of it is usual; sanitizers and valgrind cost more */
    printf("10,000 chained jobs: %.3f s\n", taken);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tests = tcase_create("catalog");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, plugins_and_jobs_are_joined);
    tcase_add_test(tests, override_changes_what_it_gives_and_leaves_the_rest);
    tcase_add_test(tests, databases_keep_their_jobs_apart);
    tcase_add_test(tests, disabled_plugin_is_left_out_with_its_jobs);
    tcase_add_test(tests, absent_plugin_that_is_disabled_takes_its_overrides_along);
    tcase_add_test(tests, plugin_whose_file_was_taken_away_takes_its_overrides_along);
    tcase_add_test(tests, refused_plugin_is_not_reported_again);
    tcase_add_test(tests, without_a_database_plugins_idle);
    tcase_add_test(tests, plugin_that_reads_another_ones_view_comes_after_it);
    tcase_add_test(tests, plugins_whose_jobs_come_after_each_other_are_ordered_by_what_they_read);
    tcase_add_loop_test(tests, bad_catalog_is_refused_with_its_places, 0, COUNT_OF(bad));
    tcase_add_test(tests, several_databases_ask_for_a_choice);
    tcase_add_test(tests, plugin_without_an_entry_needs_one_when_there_are_several_databases);
    tcase_add_test(tests, override_in_another_database_than_its_plugin_is_refused);
    tcase_add_test(tests, upstream_in_another_database_is_refused_with_its_database);
    tcase_add_test(tests, jobs_and_views_of_two_plugins_must_differ);
    tcase_add_test(tests, schedule_of_a_plugin_is_checked_too);
    tcase_add_test(tests, job_woken_by_a_channel_needs_no_schedule);
    tcase_add_test(tests, fingerprint_stays_when_only_places_change);
    tcase_add_test(tests, fingerprint_tells_every_variant_apart);
    tcase_add_test(tests, ten_thousand_chained_jobs_take_little_time);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
