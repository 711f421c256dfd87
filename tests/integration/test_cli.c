/* SPDX-License-Identifier: PostgreSQL */
/* The commands as people and programs use them: what they print, and their exit status. */
#include <check.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/migrate.h"
#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *leader;
static char *output;
static char *errors;
static char configuration[256];

#define RUN(...) commands_run(configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* --- reading the last output as JSON ------------------------------------------------------------------------------ */

static json_t *document;

static size_t parse(const char *plural)
{
    json_error_t problem;
    json_decref(document);
    document = json_loads(output, JSON_REJECT_DUPLICATES, &problem);
    ck_assert_msg(document != NULL, "%s in:\n%s", problem.text, output);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "schema_version")), 1);
    ck_assert_msg(json_is_array(json_object_get(document, plural)), "no list \"%s\" in:\n%s", plural, output);
    return json_array_size(json_object_get(document, plural));
}

static json_t *member(const char *plural, size_t row, const char *key)
{
    json_t *value = json_object_get(json_array_get(json_object_get(document, plural), row), key);
    ck_assert_msg(value != NULL, "no \"%s\" in row %zu of:\n%s", key, row, output);
    return value;
}

static const char *text_of(const char *plural, size_t row, const char *key)
{
    const char *text = json_string_value(member(plural, row, key));
    return text != NULL ? text : "(no text)";
}

static json_int_t number_of(const char *plural, size_t row, const char *key)
{
    ck_assert(json_is_integer(member(plural, row, key)));
    return json_integer_value(member(plural, row, key));
}

static size_t row_named(const char *plural, const char *key, const char *name)
{
    for (size_t i = 0; i < json_array_size(json_object_get(document, plural)); i++) {
        if (strcmp(text_of(plural, i, key), name) == 0) {
            return i;
        }
    }
    ck_abort_msg("no \"%s\" in:\n%s", name, output);
}

static bool is_utc(const char *text)
{
    return strlen(text) >= 20 && text[10] == 'T' && text[strlen(text) - 1] == 'Z';
}

static void write_configuration(const char *text)
{
    char *folder = files_make_directory();
    snprintf(configuration, sizeof(configuration), "%s/pgchime.conf", folder);
    files_write(configuration, text);
    free(folder);
}

static void make_site(void)
{
    cluster = cluster_create(NULL);
    cluster_create_database(cluster, "app");
    cluster_use(cluster, "app");
    site = site_create(cluster, "app", 4);
    char *conninfo = cluster_conninfo(cluster, "app");
    char *text = files_path("databases: { main: { conninfo = \"%s\"; }; };\n", conninfo);
    write_configuration(text);
    free(conninfo);
    free(text);
}

/* From here on the commands use the configuration of the site, which is there once it was served. */
static void lead_site(void)
{
    leader = site_lead(site);
    snprintf(configuration, sizeof(configuration), "%s", site_config(site));
}

static void add_jobs(void)
{
    site_job(site, "quick", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\";");
    site_job(site, "broken", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1/0\"; max_attempts = 1;");
    site_job(site, "endless", "schedule = \"0 3 1 1 *\"; command = \"SELECT pg_sleep(600)\";");
    site_job(site, "asleep", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\"; enabled = false;");
    site_job(site, "later",
             "after = [\"quick\"]; command = \"SELECT 2\"; catchup = \"none\"; pool = \"quiet\";"
             " max_attempts = 1;");
    site_use_pools(site, "quiet = 1;");
}

static void make_led_site(void)
{
    make_site();
    add_jobs();
    lead_site();
}

static void tear_down(void)
{
    daemon_destroy(leader);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
    json_decref(document);
}

/* --- without a server --------------------------------------------------------------------------------------------- */

START_TEST(check_says_what_there_is)
{
    write_configuration("databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                        "plugin_dir = \"" PGCHIME_BUILD_DIR "/plugins\";\n"
                        "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };\n");
    ASSERT_RUN(0, "check");
    glob_t sources;
    ck_assert_int_eq(glob(PGCHIME_SOURCE_DIR "/plugins/*/*.c", 0, NULL, &sources), 0);
    char *expected = files_path("ok: 1 database, %zu plugins, ", sources.gl_pathc);
    commands_has(output, expected);
    free(expected);
    globfree(&sources);
    ck_assert_str_eq(errors, "");
    ASSERT_RUN(0, "check", "-o", "json");
    ck_assert_uint_eq(parse("findings"), 0);
}
END_TEST

START_TEST(check_names_every_error_with_its_place_at_once)
{
    write_configuration("databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                        "jobs: { a: { schedule = \"every day\"; command = \"SELECT 1\"; };\n"
                        "  b: { shedule = \"@daily\"; command = \"SELECT 1\"; }; };\n");
    ASSERT_RUN(3, "check");
    commands_has(errors, "pgchime.conf:2: ");
    commands_has(errors, "pgchime.conf:3: ");
    commands_has(errors, "HINT:  ");
    ck_assert_str_eq(output, "");
    ASSERT_RUN(3, "check", "-o", "json");
    ck_assert_uint_ge(parse("findings"), 2);
    ck_assert_int_eq(number_of("findings", 0, "line"), 2);
    ASSERT_RUN(3, "serve", "--once");
    commands_has(errors, "pgchime.conf:3: ");
}
END_TEST

START_TEST(check_refuses_where_a_plugin_is_refused)
{
    char *folder = files_make_directory();
    char *plugin = files_path("%s/bad_schedule.so", folder);
    char *text = files_path("databases: { main: { conninfo = \"dbname=x\"; }; };\nplugin_dir = \"%s\";\n", folder);
    files_copy(PGCHIME_BUILD_DIR "/tests/fixtures/plugins/bad_schedule.so", plugin);
    write_configuration(text);
    ASSERT_RUN(3, "check");
    commands_has(errors, "bad_schedule.so: ");
    free(folder);
    free(plugin);
    free(text);
}
END_TEST

START_TEST(no_server_is_status_4_with_a_hint)
{
    write_configuration("databases: { main: { conninfo = \"host=/nowhere dbname=x\"; }; };\n");
    static const char *const commands[] = {"jobs", "runs", "views", "plugins", "migrate", "status"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        ASSERT_RUN(4, commands[i]);
        commands_has(errors, "database \"main\": ");
        commands_has(errors, "HINT:  ");
    }
    ASSERT_RUN(4, "show", "a");
    ASSERT_RUN(4, "run", "a");
    ASSERT_RUN(4, "alerts");
    ck_assert_ptr_null(strstr(errors, "no alert"));
    ASSERT_RUN(4, "check", "--database", "main");
    ck_assert_ptr_null(strstr(output, "ok: "));
    ASSERT_RUN(4, "status", "-o", "json");
    ck_assert_uint_eq(parse("databases"), 1);
    ck_assert(json_is_false(member("databases", 0, "reachable")));
    commands_has(text_of("databases", 0, "problem"), "/nowhere");
}
END_TEST

START_TEST(an_unknown_database_gets_a_did_you_mean)
{
    write_configuration("databases: { main: { conninfo = \"host=/nowhere\"; }; };\n");
    ASSERT_RUN(5, "jobs", "--database", "mian");
    commands_has(errors, "did you mean \"main\"?");
}
END_TEST

START_TEST(without_the_schema_commands_are_refused_and_name_migrate)
{
    ASSERT_RUN(6, "jobs");
    commands_has(errors, "schema chime is missing\nHINT:  run: pgchime migrate");
    ASSERT_RUN(6, "run", "quick");
    ASSERT_RUN(6, "status", "-o", "json");
    parse("databases");
    ck_assert(json_is_true(member("databases", 0, "reachable")));
}
END_TEST

START_TEST(migrate_brings_the_schema_forward_once)
{
    ASSERT_RUN(0, "migrate", "-o", "json");
    ck_assert_uint_eq(parse("migrations"), 1);
    ck_assert_int_eq(number_of("migrations", 0, "from"), 0);
    ck_assert_int_eq(number_of("migrations", 0, "to"), migrate_newest());
    ASSERT_RUN(0, "migrate", "-o", "json");
    parse("migrations");
    ck_assert_int_eq(number_of("migrations", 0, "from"), migrate_newest());
    ASSERT_RUN(0, "jobs", "-o", "json");
    ck_assert_uint_eq(parse("jobs"), 0);
}
END_TEST

START_TEST(the_sql_of_a_dry_run_does_what_migrate_does)
{
    ASSERT_RUN(0, "migrate", "--dry-run");
    ck_assert(cluster_true(cluster, "SELECT to_regnamespace('chime') IS NULL"));
    cluster_execute(cluster, output);
    ASSERT_RUN(0, "jobs");
    ASSERT_RUN(0, "migrate", "--dry-run");
    ck_assert_str_eq(output, "");
    commands_has(errors, "the newest");
}
END_TEST

START_TEST(migrate_with_cron_makes_what_pg_cron_has)
{
    ASSERT_RUN(0, "migrate", "--with-cron", "--dry-run");
    ck_assert(cluster_true(cluster, "SELECT to_regnamespace('chime') IS NULL"));
    commands_has(output, "-- database \"main\": schema cron");
    ASSERT_RUN(0, "migrate", "--with-cron");
    ck_assert(cluster_true(cluster, "SELECT cron.schedule('nightly', '0 3 * * *', 'VACUUM') = 1"));
    ASSERT_RUN(0, "migrate", "--with-cron");
    ck_assert(cluster_true(cluster, "SELECT count(*) = 1 FROM cron.job"));
    cluster_execute(cluster, "DROP SCHEMA cron CASCADE; CREATE SCHEMA cron; CREATE TABLE cron.mine ()");
    ASSERT_RUN(1, "migrate", "--with-cron");
    commands_has(errors, "there is a schema cron that pgchime did not make\nHINT:  rename it");
}
END_TEST

START_TEST(a_schema_of_another_version_is_refused)
{
    ASSERT_RUN(0, "migrate");
    cluster_execute(cluster, "INSERT INTO chime.migration (number, name, version) VALUES (9000, 'future', '99')");
    ASSERT_RUN(6, "jobs");
    commands_has(errors, "newer than");
    ASSERT_RUN(6, "migrate");
    cluster_execute(cluster, "DELETE FROM chime.migration WHERE number > 1");
    ASSERT_RUN(6, "jobs");
    commands_has(errors, "older than");
}
END_TEST

/* --- with a leader ------------------------------------------------------------------------------------------------ */

START_TEST(jobs_lists_all_with_their_next_slot)
{
    ASSERT_RUN(0, "jobs", "--all", "-o", "json");
    ck_assert_uint_eq(parse("jobs"), 5);
    ck_assert_str_eq(text_of("jobs", 0, "name"), "asleep");
    ck_assert(json_is_false(member("jobs", 0, "active")));
    ck_assert(json_is_null(member("jobs", 0, "next_slot")));
    size_t quick = row_named("jobs", "name", "quick");
    ck_assert_str_eq(text_of("jobs", quick, "schedule"), "0 3 1 1 *");
    ck_assert_str_eq(text_of("jobs", quick, "origin"), "config");
    commands_has(text_of("jobs", quick, "next_slot"), "-01-01T03:00:00Z");
    ck_assert_str_eq(text_of("jobs", quick, "state"), "ok");
    ck_assert_str_eq(json_string_value(json_array_get(member("jobs", row_named("jobs", "name", "later"), "after"), 0)),
                     "quick");
    ASSERT_RUN(0, "jobs", "--utc");
    commands_has(output, "NAME    DATABASE SCHEDULE");
    commands_has(output, "-01-01 03:00:00Z");
}
END_TEST

START_TEST(run_and_wait_gives_the_run_and_its_outcome)
{
    static const char *const keys[] = {"run_id",  "job",        "database",    "slot",        "attempt", "state",
                                       "trigger", "started_at", "finished_at", "duration_ms", "rows",    "sqlstate",
                                       "message", "reason",     "epoch",       "instance"};
    ASSERT_RUN(0, "run", "quick", "--wait", "--timeout", "50s", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 1);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        member("runs", 0, keys[i]);
    }
    ck_assert_str_eq(text_of("runs", 0, "state"), "succeeded");
    ck_assert_str_eq(text_of("runs", 0, "trigger"), "manual");
    ck_assert_str_eq(text_of("runs", 0, "database"), "main");
    ck_assert_int_eq(number_of("runs", 0, "rows"), 1);
    ck_assert(is_utc(text_of("runs", 0, "started_at")));
    ck_assert(json_is_real(member("runs", 0, "duration_ms")));
    ASSERT_RUN(1, "run", "broken", "--wait", "--timeout", "50s", "-o", "json");
    parse("runs");
    ck_assert_str_eq(text_of("runs", 0, "state"), "failed");
    ck_assert_str_eq(text_of("runs", 0, "sqlstate"), "22012");
    ASSERT_RUN(0, "jobs", "-o", "json");
    parse("jobs");
    ck_assert_int_eq(number_of("jobs", row_named("jobs", "name", "broken"), "consecutive_failures"), 1);
    ck_assert_str_eq(text_of("jobs", row_named("jobs", "name", "broken"), "state"), "failing");
}
END_TEST

START_TEST(run_without_wait_says_what_was_asked)
{
    ASSERT_RUN(0, "run", "quick", "-o", "json");
    ck_assert_uint_eq(parse("requests"), 1);
    ck_assert_str_eq(text_of("requests", 0, "job"), "quick");
    ck_assert(is_utc(text_of("requests", 0, "slot")));
    WAIT_SQL(cluster, "SELECT state FROM chime.runs WHERE job = 'quick' AND kind = 'manual'", "succeeded", 30);
}
END_TEST

START_TEST(run_gives_up_waiting_at_its_timeout)
{
    ASSERT_RUN(0, "run", "endless");
    WAIT_SQL(cluster, "SELECT state FROM chime.runs WHERE job = 'endless'", "running", 30);
    ASSERT_RUN(124, "run", "endless", "--wait", "--timeout", "50ms");
    commands_has(errors, "has not ended in time");
    ASSERT_RUN(0, "jobs", "-o", "json");
    parse("jobs");
    ck_assert_str_eq(text_of("jobs", row_named("jobs", "name", "endless"), "state"), "running");
    ASSERT_RUN(0, "runs", "endless", "--state", "running", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 1);
    ck_assert(json_is_null(member("runs", 0, "finished_at")));
}
END_TEST

START_TEST(an_interrupted_wait_ends_as_shells_expect)
{
    struct daemon *waiting = daemon_start(
        (const char *const[]){"--config", configuration, "run", "endless", "--wait", NULL});
    WAIT_SQL(cluster, "SELECT state FROM chime.runs WHERE job = 'endless'", "running", 30);
    daemon_signal(waiting, SIGINT);
    ck_assert_int_eq(daemon_wait(waiting, 30), 130);
    daemon_destroy(waiting);
}
END_TEST

START_TEST(run_refuses_what_cannot_run)
{
    ASSERT_RUN(5, "run", "quik");
    commands_has(errors, "there is no job \"quik\"\nHINT:  did you mean \"quick\"?");
    ASSERT_RUN(6, "run", "asleep");
    commands_has(errors, "is inactive\nHINT:  it has enabled = false in the configuration: ");
    site_end(leader);
    ASSERT_RUN(6, "run", "quick");
    commands_has(errors, "nobody leads");
    commands_has(errors, "HINT:  start the daemon: pgchime serve --config ");
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.request"), 0);
}
END_TEST

START_TEST(show_has_everything_of_one_job)
{
    ASSERT_RUN(0, "run", "later", "--wait");
    ASSERT_RUN(0, "show", "later", "-o", "json");
    ck_assert_uint_eq(parse("jobs"), 1);
    ck_assert_str_eq(text_of("jobs", 0, "command"), "SELECT 2");
    ck_assert_str_eq(json_string_value(json_array_get(member("jobs", 0, "after"), 0)), "quick");
    ck_assert_str_eq(json_string_value(json_object_get(member("jobs", 0, "options"), "catchup")), "none");
    ck_assert_uint_eq(parse("runs"), 1);
    ASSERT_RUN(0, "show", "later");
    commands_has(output, "COMMAND      SELECT 2\n");
    /* What differs from the defaults comes first; both in the order of docs/jobs.md. */
    commands_has(output,
                 "OPTIONS      catchup = none\n             max_attempts = 1\n             pool = quiet\nDEFAULTS ");
    commands_has(
        output,
        "DEFAULTS     overlap_policy = skip, catchup_window = 1d, catchup_limit = 100, starting_deadline = none, ");
    commands_has(output, ", dst_gap = run, dst_overlap = first\n");
    commands_has(output, "LAST SLOT ");
    ASSERT_RUN(0, "show", "quick");
    ck_assert_msg(strstr(output, "LAST SLOT") == NULL, "a job that never ran has:\n%s", output);
    ASSERT_RUN(5, "show", "latr");
    commands_has(errors, "did you mean \"later\"?");
}
END_TEST

/* History made by hand: ten successes and a failure, an hour apart, the newest now; and an outage. */
static void write_history(void)
{
    cluster_execute(
        cluster,
        "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at, message)"
        " SELECT 1000 + n, job_id, 'schedule', now() - n * interval '1 hour',"
        "        (CASE WHEN n = 5 THEN 'failed' ELSE 'succeeded' END)::chime.run_state, 1, 1, now(),"
        "        E'text\\x1b[31m of ' || n"
        " FROM chime.job, generate_series(0, 10) n WHERE name = 'quick';"
        "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)"
        " SELECT job_id, now() - interval '30 hours', now() - interval '20 hours', 11, 'nothing led', 1"
        " FROM chime.job WHERE name = 'quick'");
}

START_TEST(runs_are_newest_first_and_filtered)
{
    write_history();
    ASSERT_RUN(0, "runs", "quick", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 12);
    ck_assert_int_eq(number_of("runs", 0, "run_id"), 1000);
    ck_assert_int_eq(number_of("runs", 10, "run_id"), 1010);
    ck_assert_str_eq(text_of("runs", 11, "state"), "missed");
    ck_assert_int_eq(number_of("runs", 11, "slots"), 11);
    ASSERT_RUN(0, "runs", "--limit", "2", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 2);
    ASSERT_RUN(0, "runs", "--state", "failed,missed", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 2);
    ck_assert_int_eq(number_of("runs", 0, "run_id"), 1005);
    ASSERT_RUN(0, "runs", "--since", "150min", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 3);
    ASSERT_RUN(0, "runs", "--until", "150min", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 9);
    ASSERT_RUN(0, "runs", "quick", "--since", "210min", "--until", "90min", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 2);
    ASSERT_RUN(0, "runs", "--until", "2001-01-01", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 0);
    ASSERT_RUN(2, "runs", "--until", "then");
    ASSERT_RUN(0, "runs", "--since", "2001-01-01", "--limit", "100", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 12);
    ASSERT_RUN(0, "runs", "broken", "-o", "json");
    ck_assert_uint_eq(parse("runs"), 0);
    ASSERT_RUN(5, "runs", "quik");
}
END_TEST

START_TEST(no_control_character_of_a_message_reaches_the_terminal)
{
    write_history();
    ASSERT_RUN(0, "runs");
    ck_assert_ptr_null(strchr(output, '\x1b'));
    commands_has(output, "text\\u001b[31m of 0");
    ASSERT_RUN(0, "runs", "-o", "json");
    parse("runs");
    ck_assert_str_eq(text_of("runs", 0, "message"), "text\x1b[31m of 0");
}
END_TEST

START_TEST(a_role_without_rights_is_refused)
{
    cluster_execute(cluster, "CREATE ROLE stranger LOGIN");
    char *conninfo = cluster_conninfo(cluster, "app");
    char *text = files_path("databases: { main: { conninfo = \"%s user=stranger\"; }; };\n", conninfo);
    write_configuration(text);
    ASSERT_RUN(6, "jobs");
    commands_has(errors, "permission denied");
    commands_has(errors, "HINT:  grant what is missing, or connect as a role that has it");
    free(conninfo);
    free(text);
}
END_TEST

START_TEST(two_databases_are_listed_together_and_one_can_be_chosen)
{
    char *conninfo = cluster_conninfo(cluster, "app");
    char *text = files_path("databases: { main: { conninfo = \"%s\"; }; gone: { conninfo = \"host=/nowhere\"; };\n"
                            "  twin: { conninfo = \"%s\"; }; };\n",
                            conninfo, conninfo);
    write_configuration(text);
    ASSERT_RUN(4, "jobs", "--all", "-o", "json");
    commands_has(errors, "database \"gone\": ");
    ck_assert_uint_eq(parse("jobs"), 10);
    ASSERT_RUN(0, "jobs", "--all", "--database", "twin", "-o", "json");
    ck_assert_uint_eq(parse("jobs"), 5);
    ck_assert_str_eq(text_of("jobs", 0, "database"), "twin");
    ASSERT_RUN(2, "run", "quick");
    commands_has(errors, "--database NAME");
    ASSERT_RUN(0, "run", "quick", "--wait", "--database", "main");
    free(conninfo);
    free(text);
}
END_TEST

START_TEST(views_and_plugins_say_what_became_of_each)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster, "DROP TABLE IF EXISTS public.chat_telemetry CASCADE");
    site_use_plugins(site, PGCHIME_BUILD_DIR "/plugins");
    lead_site();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 30);
    ASSERT_RUN(0, "views", "-o", "json");
    ck_assert_uint_ge(parse("views"), 3);
    size_t lanes = row_named("views", "relation", "mv_lane_score_distribution");
    ck_assert_str_eq(text_of("views", lanes, "plugin"), "lane_distribution");
    ck_assert_int_ge(number_of("views", lanes, "refreshes"), 1);
    ck_assert(is_utc(text_of("views", lanes, "refreshed_at")));
    ck_assert(json_is_real(member("views", lanes, "age_ms")));
    ASSERT_RUN(0, "plugins");
    ck_assert_msg(strstr(output, "telemetry") == NULL, "%s", output);
    commands_has(errors, "1 whose tables are not here is not shown: pgchime plugins --all");
    ASSERT_RUN(0, "plugins", "--all", "-o", "json");
    ck_assert_uint_ge(parse("plugins"), 5);
    size_t telemetry = row_named("plugins", "name", "telemetry");
    ck_assert_str_eq(text_of("plugins", telemetry, "state"), "available");
    commands_has(text_of("plugins", telemetry, "reason"), "chat_telemetry");
    ck_assert_str_eq(text_of("plugins", row_named("plugins", "name", "lane_distribution"), "state"), "installed");
    ck_assert_str_eq(json_string_value(json_array_get(member("plugins", telemetry, "jobs"), 0)),
                     "refresh-telemetry-summary-hourly");
    ASSERT_RUN(5, "run", "refresh-telemetry-summary-hourly");
    ASSERT_RUN(8, "doctor");
    ck_assert_msg(strstr(output, "telemetry") == NULL, "%s", output);
    /* Who asks for it is told. */
    site_file(site, "telemetry", "plugin: { name = \"telemetry\"; enabled = true; };");
    daemon_signal(leader, SIGHUP);
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'telemetry'", "dormant", 30);
    ASSERT_RUN(8, "doctor");
    commands_has(output, "plugin telemetry is dormant: missing: table public.chat_telemetry");
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM chime.job WHERE plugin = 'telemetry'", "t", 30);
    ASSERT_RUN(6, "run", "refresh-telemetry-summary-hourly");
    commands_has(errors, "its plugin is dormant");
}
END_TEST

START_TEST(serve_goes_on_without_a_refused_plugin)
{
    char *folder = files_make_directory();
    char *plugin = files_path("%s/bad_schedule.so", folder);
    files_copy(PGCHIME_BUILD_DIR "/tests/fixtures/plugins/bad_schedule.so", plugin);
    site_use_plugins(site, folder);
    add_jobs();
    lead_site();
    WAIT_FOR(daemon_said(leader, "bad_schedule.so"), 20);
    ASSERT_RUN(0, "run", "quick", "--wait");
    ASSERT_RUN(3, "plugins", "-o", "json");
    commands_has(errors, "bad_schedule.so: ");
    ck_assert_uint_eq(parse("plugins"), 0);
    free(folder);
    free(plugin);
}
END_TEST

static void add_offline_tests(Suite *suite)
{
    TCase *tests = tcase_create("offline");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, check_says_what_there_is);
    tcase_add_test(tests, check_names_every_error_with_its_place_at_once);
    tcase_add_test(tests, check_refuses_where_a_plugin_is_refused);
    tcase_add_test(tests, no_server_is_status_4_with_a_hint);
    tcase_add_test(tests, an_unknown_database_gets_a_did_you_mean);
    suite_add_tcase(suite, tests);
}

static void add_server_tests(Suite *suite)
{
    TCase *tests = tcase_create("with a server");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_site, tear_down);
    tcase_add_test(tests, without_the_schema_commands_are_refused_and_name_migrate);
    tcase_add_test(tests, migrate_brings_the_schema_forward_once);
    tcase_add_test(tests, the_sql_of_a_dry_run_does_what_migrate_does);
    tcase_add_test(tests, migrate_with_cron_makes_what_pg_cron_has);
    tcase_add_test(tests, a_schema_of_another_version_is_refused);
    tcase_add_test(tests, views_and_plugins_say_what_became_of_each);
    tcase_add_test(tests, serve_goes_on_without_a_refused_plugin);
    suite_add_tcase(suite, tests);
}

static void add_leader_tests(Suite *suite)
{
    TCase *tests = tcase_create("with a leader");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, make_led_site, tear_down);
    tcase_add_test(tests, jobs_lists_all_with_their_next_slot);
    tcase_add_test(tests, run_and_wait_gives_the_run_and_its_outcome);
    tcase_add_test(tests, run_without_wait_says_what_was_asked);
    tcase_add_test(tests, run_gives_up_waiting_at_its_timeout);
    tcase_add_test(tests, an_interrupted_wait_ends_as_shells_expect);
    tcase_add_test(tests, run_refuses_what_cannot_run);
    tcase_add_test(tests, show_has_everything_of_one_job);
    tcase_add_test(tests, runs_are_newest_first_and_filtered);
    tcase_add_test(tests, no_control_character_of_a_message_reaches_the_terminal);
    tcase_add_test(tests, a_role_without_rights_is_refused);
    tcase_add_test(tests, two_databases_are_listed_together_and_one_can_be_chosen);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("cli");
    add_offline_tests(suite);
    add_server_tests(suite);
    add_leader_tests(suite);
    return suite_run(suite);
}
