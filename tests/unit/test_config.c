/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "config/config.h"
#include "support/plugin/findings.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define DATABASES "databases: { main: { conninfo = \"dbname=app\"; }; };\n"
#define CONF_DIR "conf_dir = \"conf.d\";\n"

static void put_bytes(const char *name, const char *bytes, size_t length)
{
    char *path = files_path("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

START_TEST(roles_are_read_and_what_is_wrong_with_them_is_told)
{
    put("pgchime.conf", DATABASES "roles = ( { name = \"web\"; conninfo = \"user=web\"; },\n"
                                  "          { name = \"a.b\"; conninfo = \"service=ab\"; } );\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_uint_eq(read->role_count, 2);
    ck_assert_str_eq(config_find_role(read, "a.b")->conninfo, "service=ab");
    ck_assert_ptr_null(config_find_role(read, "other"));
    put("pgchime.conf", DATABASES "roles = ( { name = \"web\"; conninfo = \"user=web\"; },\n"
                                  "          { name = \"web\"; conninfo = \"user=x\"; }, { name = \"y\"; }, 7 );\n");
    ck_assert_ptr_null(load());
}
END_TEST

/* What the shell of whoever runs the tests has set is none of theirs. */
static void clear_environment(void)
{
    static const char *const names[] = {"DATABASE_URL", "PGSERVICE",  "PGHOST", "PGHOSTADDR",
                                        "PGPORT",       "PGDATABASE", "PGUSER", "NOT_THERE"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        unsetenv(names[i]);
    }
}

START_TEST(texts_take_variables_of_the_environment)
{
    clear_environment();
    setenv("DB_HOST", "db.example.net", 1);
    setenv("EMPTY", "", 1);
    put("pgchime.conf",
        "databases: { main: { conninfo = \"host=${DB_HOST}${EMPTY} dbname=app options=$${x} $ $y\"; }; };\n"
        "instance = \"${DB_HOST}-1\"; jobs: { a: { schedule = \"@daily\"; command = \"SELECT '${DB_HOST}'\"; }; };\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_str_eq(read->databases[0].conninfo, "host=db.example.net dbname=app options=${x} $ $y");
    ck_assert_str_eq(read->instance, "db.example.net-1");
    ck_assert_str_eq(read->jobs[0].command, "SELECT '${DB_HOST}'"); /* SQL is not touched */
}
END_TEST

START_TEST(a_variable_that_is_not_set_is_told)
{
    clear_environment();
    put("pgchime.conf", "databases: { main: {\n conninfo = \"password=${NOT_THERE}\"; }; };\ninstance = \"${1}\";\n");
    ck_assert_ptr_null(load());
    expect_findings(config,
                    "%/pgchime.conf:2: \"conninfo\" takes ${NOT_THERE} from the environment, where it is not set\n"
                    "HINT:  set it for the daemon, and for each command that reads this file\n"
                    "%/pgchime.conf:3: \"instance\" has \"${\" and no name of a variable behind it\n"
                    "HINT:  ${NAME} is a variable of the environment; $${ is written for ${\n");
}
END_TEST

START_TEST(a_database_without_a_conninfo_is_that_of_the_environment)
{
    clear_environment();
    put("pgchime.conf", "databases: { main: { }; };\n");
    setenv("PGUSER", "pgchime", 1); /* alone it names no database */
    ck_assert_ptr_null(load());
    setenv("PGHOST", "db", 1);
    setenv("PGDATABASE", "it's", 1);
    ck_assert_str_eq(load()->databases[0].conninfo, "host='db' dbname='it\\'s' user='pgchime'");
    setenv("DATABASE_URL", "postgres://pgchime@db:5433/app", 1);
    ck_assert_str_eq(load()->databases[0].conninfo, "postgres://pgchime@db:5433/app");
    clear_environment();
}
END_TEST

START_TEST(roles_say_as_whom_the_daemon_logs_in)
{
    put("pgchime.conf",
        DATABASES "roles = ( { name = \"web\"; conninfo = \"user=web\"; }, { name = \"dba\"; allow = true; },\n"
                  "          { name = \"payroll\"; allow = false; } );\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_int_eq(config_login_as(read, "web"), LOGIN_PLAIN);
    ck_assert_int_eq(config_login_as(read, "dba"), LOGIN_ANY);
    ck_assert_int_eq(config_login_as(read, "payroll"), LOGIN_NEVER);
    ck_assert_int_eq(config_login_as(read, "other"), LOGIN_PLAIN);
    put("pgchime.conf",
        DATABASES "roles = ( { name = \"web\"; conninfo = \"user=web\"; }, { name = \"*\"; allow = false; } );\n");
    read = load();
    ck_assert_int_eq(config_login_as(read, "web"), LOGIN_PLAIN);
    ck_assert_int_eq(config_login_as(read, "other"), LOGIN_NEVER);
    put("pgchime.conf", DATABASES "roles = ( { name = \"*\"; allow = true; } );\n");
    ck_assert_ptr_null(load());
    put("pgchime.conf", DATABASES "roles = ( { name = \"*\"; conninfo = \"user=web\"; allow = false; } );\n");
    ck_assert_ptr_null(load());
    put("pgchime.conf", DATABASES "roles = ( { name = \"web\"; allow = \"yes\"; } );\n");
    ck_assert_ptr_null(load());
}
END_TEST

START_TEST(jobs_have_settings)
{
    put("pgchime.conf", DATABASES "conf_dir = \"conf.d\";\n");
    put("conf.d/x.conf", "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\";\n"
                         "  settings = { work_mem = \"256MB\"; app = { tenant = 7; }; jit = false; }; }; };\n");
    const struct config *read = load();
    expect_findings(config, "");
    const struct config_job *job = &read->jobs[0];
    ck_assert_uint_eq(job->setting_count, 3);
    ck_assert_str_eq(job->settings[0].name, "work_mem");
    ck_assert_str_eq(job->settings[0].value, "256MB");
    ck_assert_str_eq(job->settings[1].name, "app.tenant");
    ck_assert_str_eq(job->settings[1].value, "7");
    ck_assert_str_eq(job->settings[2].value, "false");
}
END_TEST

START_TEST(jobs_have_a_ping_file)
{
    put("pgchime.conf", DATABASES "conf_dir = \"conf.d\";\n");
    put("conf.d/x.conf", "jobs: { a: { ping_file = \"/etc/x.url\"; }; b: { ping_file = \"x.url\"; }; c: { }; };\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_str_eq(read->jobs[0].ping_file, "/etc/x.url");
    const char *relative = read->jobs[1].ping_file;
    ck_assert(relative[0] == '/' && strcmp(strrchr(relative, '/'), "/x.url") == 0);
    ck_assert_ptr_null(read->jobs[2].ping_file);
}
END_TEST

START_TEST(roles_have_quotas)
{
    put("pgchime.conf", DATABASES "roles = ( { name = \"web\"; max_jobs = 5; }, { name = \"dba\"; allow = true; },\n"
                                  " { name = \"*\"; max_starts = 7; }, { name = \"app\"; max_starts = 9; } );\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_int_eq(config_find_role(read, "web")->max_jobs, 5);
    ck_assert_int_eq(config_find_role(read, "app")->max_jobs, -1);
    ck_assert_int_eq(config_login_as(read, "web"), LOGIN_PLAIN);
    ck_assert_int_eq(config_max_starts(read, "web"), 7);
    ck_assert_int_eq(config_max_starts(read, "other"), 7);
    ck_assert_int_eq(config_max_starts(read, "app"), 9);
    ck_assert_int_eq(config_max_starts(read, "dba"), -1);
    put("pgchime.conf", DATABASES "roles = ( { name = \"web\"; max_jobs = 1000001; } );\n");
    ck_assert_ptr_null(load());
    put("pgchime.conf", DATABASES "roles = ( { name = \"web\"; max_starts = 0; } );\n");
    ck_assert_ptr_null(load());
    put("pgchime.conf", DATABASES);
    ck_assert_int_eq(config_max_starts(load(), "web"), 100);
}
END_TEST

START_TEST(whole_configuration_is_read)
{
    put("pgchime.conf", "# ours\n"
                        "databases: {\n"
                        "  main: { conninfo = \"host=/run/postgresql \" /* two in one */ \"dbname=app\"; };\n"
                        "  audit = { conninfo = \"dbname=audit\", view_schema = \"reports\", source_schema = \"raw\",\n"
                        "            pool_size = 3; role_sessions = 5 }\n"
                        "}\n"
                        "plugin_dir = \"/usr/lib/pgchime/plugins\"; // there\n"
                        "conf_dir   = \"conf.d\";\n"
                        "log_level = \"warning\";\n"
                        "instance = \"one\";\n"
                        "jobs: { tidy: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };\n");
    put("conf.d/lane.conf", "plugin: { name = \"lane_distribution\"; enabled = \"auto\"; database = \"main\";\n"
                            "  view_schema = \"views\";\n"
                            "  settings: { top = 10; share = 0.2; wide = true; label = \"x\"; };\n"
                            "  modes: { mv_lanes = \"matview\";\n mv_other = \"full\"; };\n"
                            "};\n"
                            "jobs: {\n"
                            "  refresh-lanes: { schedule = \"*/10 * * * *\"; enabled = FALSE; };\n"
                            "  nightly-vacuum: { schedule = \"0 3 * * *\"; command = \"VACUUM\"; database = \"main\";\n"
                            "                    after = \"tidy\"; };\n"
                            "};\n");
    put("conf.d/other.conf", "plugin: { name = \"alpha\"; enabled = false; };\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_uint_eq(read->database_count, 2);
    const struct config_database *audit = &read->databases[0];
    ck_assert_str_eq(audit->name, "audit");
    ck_assert_str_eq(audit->view_schema, "reports");
    ck_assert_str_eq(audit->source_schema, "raw");
    ck_assert_int_eq(audit->pool_size, 3);
    ck_assert_int_eq(audit->role_sessions, 5);
    const struct config_database *main_database = config_find_database(read, "main");
    ck_assert_str_eq(main_database->conninfo, "host=/run/postgresql dbname=app");
    ck_assert_str_eq(main_database->view_schema, "analytics");
    ck_assert_str_eq(main_database->source_schema, "public");
    ck_assert_int_eq(main_database->pool_size, 8);
    ck_assert_int_eq(main_database->role_sessions, 20);
    ck_assert_int_eq(main_database->line, 3);
    ck_assert_ptr_null(config_find_database(read, "none"));
    ck_assert_str_eq(read->plugin_dir, "/usr/lib/pgchime/plugins");
    ck_assert_int_eq(read->plugin_dir_line, 7);
    ck_assert_str_eq(read->instance, "one");
    ck_assert_int_eq(read->log_level, LOG_LEVEL_WARNING);

    ck_assert_uint_eq(read->plugin_count, 2);
    ck_assert_int_eq(config_find_plugin(read, "alpha")->enabled, CONFIG_DISABLED);
    const struct config_plugin *lane = config_find_plugin(read, "lane_distribution");
    ck_assert_int_eq(lane->enabled, CONFIG_AUTO);
    ck_assert_str_eq(lane->database, "main");
    ck_assert_str_eq(lane->view_schema, "views");
    ck_assert_uint_eq(lane->setting_count, 4);
    ck_assert_str_eq(lane->settings[0].value, "10");
    ck_assert_str_eq(lane->settings[1].value, "0.2");
    ck_assert_str_eq(lane->settings[2].value, "true");
    ck_assert_str_eq(lane->settings[3].value, "x");
    ck_assert_int_eq(lane->settings[3].line, 3);
    ck_assert_uint_eq(lane->mode_count, 2);
    ck_assert_str_eq(lane->modes[0].name, "mv_lanes");
    ck_assert_str_eq(lane->modes[0].value, "matview");
    ck_assert_str_eq(lane->modes[1].value, "full");
    ck_assert_int_eq(lane->modes[1].line, 5);

    ck_assert_uint_eq(read->job_count, 3);
    const struct config_job *vacuum = &read->jobs[0];
    ck_assert_str_eq(vacuum->name, "nightly-vacuum");
    ck_assert_str_eq(vacuum->command, "VACUUM");
    ck_assert_str_eq(vacuum->database, "main");
    ck_assert_int_eq(vacuum->line, 9);
    ck_assert(vacuum->enabled && vacuum->after_given);
    ck_assert_uint_eq(vacuum->after_count, 1);
    ck_assert_str_eq(vacuum->after[0], "tidy");
    const struct config_job *override = &read->jobs[1];
    ck_assert_str_eq(override->name, "refresh-lanes");
    ck_assert_ptr_null(override->command);
    ck_assert_ptr_null(override->database);
    ck_assert(!override->enabled && !override->after_given);
    ck_assert_str_eq(override->schedule, "*/10 * * * *");
    ck_assert_uint_eq(override->options.set, 0);
}
END_TEST

START_TEST(database_has_a_zone_and_pools)
{
    put("pgchime.conf", "databases: {\n"
                        " main: { conninfo = \"dbname=app\"; timezone = \"Europe/Berlin\";\n"
                        "         pools: { reports = 1;\n heavy = 500; default = 3; }; };\n"
                        " other: { conninfo = \"dbname=b\"; pools: { }; };\n"
                        " plain: { conninfo = \"dbname=c\"; }; };");
    const struct config *read = load();
    expect_findings(config, "");
    const struct config_database *database = config_find_database(read, "main");
    ck_assert_str_eq(database->timezone, "Europe/Berlin");
    ck_assert_uint_eq(database->pool_count, 3);
    ck_assert_str_eq(database->pools[0].name, "default");
    ck_assert_str_eq(database->pools[1].name, "heavy");
    ck_assert_int_eq(database->pools[1].limit, 500);
    ck_assert_int_eq(database->pools[1].line, 4);
    ck_assert_str_eq(database->pools[2].name, "reports");
    ck_assert_int_eq(database->pools[2].limit, 1);
    ck_assert_uint_eq(config_find_database(read, "other")->pool_count, 0);
    ck_assert_str_eq(config_find_database(read, "plain")->timezone, "UTC");
    ck_assert_uint_eq(config_find_database(read, "plain")->pool_count, 0);
}
END_TEST

START_TEST(database_says_when_its_views_are_verified)
{
    put("pgchime.conf", "databases: { main: { conninfo = \"a\"; verify = \"30 4 * * sun\"; };\n"
                        " never: { conninfo = \"b\"; verify = \"\"; }; usual: { conninfo = \"c\"; }; };");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_str_eq(config_find_database(read, "main")->verify, "30 4 * * sun");
    ck_assert_str_eq(config_find_database(read, "never")->verify, "");
    ck_assert_str_eq(config_find_database(read, "usual")->verify, "17 3 * * *");
}
END_TEST

START_TEST(control_socket_lies_beside_the_file_unless_it_is_given)
{
    char *beside = files_path("%s/pgchime.conf.sock", folder);
    char *given = files_path("%s/run/a.sock", folder);
    put("pgchime.conf", DATABASES);
    ck_assert_str_eq(load()->control_socket, beside);
    put("pgchime.conf", DATABASES "control_socket = \"run/a.sock\";");
    ck_assert_str_eq(load()->control_socket, given);
    put("pgchime.conf", DATABASES "control_socket = \"/run/other.sock\";");
    ck_assert_str_eq(load()->control_socket, "/run/other.sock");
    free(beside);
    free(given);
}
END_TEST

static void expect_socket(const char *text, const char *expected)
{
    char *file = files_path("%s/pgchime.conf", folder);
    put("pgchime.conf", text);
    char *found = config_find_socket(file, &report);
    ck_assert_str_eq(found, expected);
    free(found);
    free(file);
}

START_TEST(control_socket_is_found_in_a_file_with_errors)
{
    char *beside = files_path("%s/pgchime.conf.sock", folder);
    put("conf.d/broken.conf", "jobs: {");
    expect_socket(DATABASES CONF_DIR "control_socket = \"/run/a.sock\";", "/run/a.sock");
    ck_assert_uint_eq(report.count, 0);
    expect_socket("databases = 5; jobs: { a: { schedule = 7; }; }; control_socket = \"/run/a.sock\";", "/run/a.sock");
    ck_assert_uint_ge(report.count, 2);
    expect_socket("control_socket = 5;", beside);
    expect_socket("control_socket = \"/run/a.sock\"; databases: {", beside);
    free(beside);
}
END_TEST

START_TEST(control_socket_may_be_as_long_as_a_socket_path_may)
{
    char path[109] = "";
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    for (size_t length = 107; length <= 108; length++) {
        path[length] = '\0';
        char *text = files_path("control_socket = \"%s\";", path);
        put("pgchime.conf", text);
        ck_assert_int_eq(load() != NULL, length == 107);
        path[length] = 'a';
        free(text);
    }
}
END_TEST

/* The default would be too long: the way out is to name another. */
START_TEST(file_in_a_deep_folder_needs_a_control_socket)
{
    static const char deep[] =
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiii";
    char *below = files_path("%s/%s", folder, deep);
    char *name = files_path("%s/pgchime.conf", deep);
    char *file = files_path("%s/pgchime.conf", below);
    files_make_folder(below);
    put(name, DATABASES);
    ck_assert_ptr_null(config_load(file, &report));
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.findings[0].file, file);
    ck_assert_ptr_nonnull(strstr(report.findings[0].message, "the control socket is longer than 107 bytes"));
    put(name, DATABASES "control_socket = \"/run/x.sock\";");
    config = config_load(file, &report);
    ck_assert_ptr_nonnull(config);
    free(below);
    free(name);
    free(file);
}
END_TEST

START_TEST(options_may_be_texts_numbers_lists_and_groups)
{
    put("pgchime.conf", DATABASES "jobs: { a: { command = \"SELECT 1\"; schedule = \"@hourly\";\n"
                                  "  max_attempts = 5; catchup_window = \"2h\"; catchup = \"all\";\n"
                                  "  after = [\"b\", \"c\"]; retry_on = [\"40001\", \"08\"];\n"
                                  "  backoff = { initial = \"5s\"; coefficient = 1.5; jitter = 0; };\n"
                                  "}; b: { after = (\"c\"); retry_on = \"53,57P0\"; }; c: { after = []; }; };");
    const struct config *read = load();
    expect_findings(config, "");
    const struct job_options *options = &read->jobs[0].options;
    ck_assert_int_eq(options->max_attempts, 5);
    ck_assert_int_eq(options->catchup_window, 2 * USEC_PER_HOUR);
    ck_assert_int_eq(options->catchup, CATCHUP_ALL);
    ck_assert_str_eq(options->retry_on, "40001,08");
    ck_assert_int_eq(options->backoff.initial, 5 * USEC_PER_SEC);
    ck_assert_double_eq(options->backoff.coefficient, 1.5);
    ck_assert_int_eq(__builtin_popcountll(options->set), 7);
    ck_assert_uint_eq(read->jobs[0].after_count, 2);
    ck_assert_str_eq(read->jobs[0].after[1], "c");
    ck_assert_str_eq(read->jobs[1].after[0], "c");
    ck_assert_str_eq(read->jobs[1].options.retry_on, "53,57P0");
    ck_assert(read->jobs[2].after_given);
    ck_assert_uint_eq(read->jobs[2].after_count, 0);
}
END_TEST

START_TEST(a_plugin_is_asked_for_one_channel_or_a_list_of_them)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/a.conf", "plugin: { name = \"a\"; channels = [\"scored\", \"two words\"]; };");
    put("conf.d/b.conf", "plugin: { name = \"b\"; channels = \"scored\"; };");
    put("conf.d/c.conf", "plugin: { name = \"c\"; channels = []; };");
    put("conf.d/d.conf", "plugin: { name = \"d\"; };");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_uint_eq(read->plugins[0].channel_count, 2);
    ck_assert_str_eq(read->plugins[0].channels[0], "scored");
    ck_assert_str_eq(read->plugins[0].channels[1], "two words");
    ck_assert_uint_eq(read->plugins[1].channel_count, 1);
    ck_assert_str_eq(read->plugins[1].channels[0], "scored");
    ck_assert_uint_eq(read->plugins[2].channel_count + read->plugins[3].channel_count, 0);
}
END_TEST

START_TEST(channels_are_one_text_or_a_list_of_any_names)
{
    put("pgchime.conf",
        DATABASES "jobs: { a: { command = \"SELECT 1\"; on = [\"scored\", \"Two \\\"words\\\", \\x0a, \xc3\xbc\"];\n"
                  "  debounce = \"5s\"; debounce_max = \"30s\"; }; b: { on = \"x\"; target_lag = \"250ms\"; };\n"
                  "  c: { on = []; warn_after = \"1min\"; error_after = \"none\"; }; d: { }; };");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert(read->jobs[0].on_given);
    ck_assert_uint_eq(read->jobs[0].on_count, 2);
    ck_assert_str_eq(read->jobs[0].on[0], "scored");
    ck_assert_str_eq(read->jobs[0].on[1], "Two \"words\", \n, \xc3\xbc");
    ck_assert_int_eq(read->jobs[0].options.debounce, 5 * USEC_PER_SEC);
    ck_assert_int_eq(read->jobs[0].options.debounce_max, 30 * USEC_PER_SEC);
    ck_assert_uint_eq(read->jobs[1].on_count, 1);
    ck_assert_str_eq(read->jobs[1].on[0], "x");
    ck_assert_int_eq(read->jobs[1].options.target_lag, 250 * USEC_PER_MSEC);
    ck_assert(read->jobs[2].on_given);
    ck_assert_uint_eq(read->jobs[2].on_count, 0);
    ck_assert_int_eq(read->jobs[2].options.warn_after, USEC_PER_MINUTE);
    ck_assert(!read->jobs[3].on_given);
}
END_TEST

START_TEST(relative_folders_are_relative_to_the_file)
{
    put("pgchime.conf", "plugin_dir = \"plugins\"; conf_dir = \"conf.d\";");
    const struct config *read = load();
    expect_findings(config, "");
    char *plugins = files_path("%s/plugins", folder);
    ck_assert_str_eq(read->plugin_dir, plugins);
    free(plugins);

    ck_assert_int_eq(chdir(folder), 0);
    config_free(config);
    config = config_load("pgchime.conf", &report);
    expect_findings(config, "");
    ck_assert_int_eq(config->conf_dir[0], '/');
    ck_assert_str_eq(strrchr(config->conf_dir, '/'), "/conf.d");
    ck_assert_int_eq(access(config->conf_dir, R_OK), 0);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(nothing_needs_to_be_configured_to_idle)
{
    put("pgchime.conf", "");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_uint_eq(read->database_count + read->plugin_count + read->job_count, 0);
    ck_assert_ptr_null(read->conf_dir);
    ck_assert_ptr_null(read->plugin_dir);
    char pid[16];
    snprintf(pid, sizeof(pid), ":%d", (int)getpid());
    ck_assert_ptr_nonnull(strstr(read->instance, pid)); /* behind the host's name */
    ck_assert_ptr_ne(strstr(read->instance, pid), read->instance);
    ck_assert_ptr_null(config_find_database(read, "main"));
    ck_assert_ptr_null(config_find_plugin(read, "main"));
}
END_TEST

START_TEST(only_visible_conf_files_of_the_folder_are_read)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/b.conf", "jobs: { b: { command = \"SELECT 2\"; }; };");
    put("conf.d/a.conf", "jobs: { a: { command = \"SELECT 1\"; }; };");
    put("conf.d/c.conf.dpkg-new", "broken");
    put("conf.d/.#d.conf", "broken");
    put("conf.d/.conf", "broken");
    ck_assert_uint_eq(load()->job_count, 2);
    expect_findings(config, "");
}
END_TEST

START_TEST(missing_file_is_a_finding_with_a_hint)
{
    load();
    expect_findings(
        config, "%/pgchime.conf: cannot open the file: No such file or directory\n"
                "HINT:  write it (it says at least: databases: { main: { conninfo = \"...\"; }; };) or name another "
                "with --config\n");
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_waiting)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    char *directory = files_path("%s/conf.d/a.conf", folder);
    char *pipe_path = files_path("%s/conf.d/b.conf", folder);
    char *link_path = files_path("%s/conf.d/c.conf", folder);
    files_make_folder(directory);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    ck_assert_int_eq(symlink("nowhere", link_path), 0);
    load();
    expect_findings(config, "%/conf.d/a.conf: not a regular file but a folder\n"
                            "HINT:  put a regular file there, or give it a name that does not end in .conf\n"
                            "%/conf.d/b.conf: not a regular file but a pipe\n"
                            "HINT:  put a regular file there, or give it a name that does not end in .conf\n"
                            "%/conf.d/c.conf: cannot open the file: No such file or directory\n"
                            "HINT:  a link that leads nowhere: remove it\n");
    free(directory);
    free(pipe_path);
    free(link_path);
}
END_TEST

START_TEST(unreadable_file_is_a_finding_with_a_hint)
{
    put("pgchime.conf", DATABASES);
    char *path = files_path("%s/pgchime.conf", folder);
    ck_assert_int_eq(chmod(path, 0), 0);
    free(path);
    load();
    if (geteuid() == 0) { /* root reads everything: then it is read */
        expect_findings(config, "");
        return;
    }
    expect_findings(config, "%/pgchime.conf: cannot open the file: Permission denied\n"
                            "HINT:  let the user that pgchime runs as read it, and enter every folder above it\n");
}
END_TEST

START_TEST(file_over_the_limit_is_refused)
{
    put("pgchime.conf", DATABASES);
    char *path = files_path("%s/pgchime.conf", folder);
    ck_assert_int_eq(truncate(path, (off_t)CONFIG_FILE_LIMIT + 1), 0);
    free(path);
    load();
    expect_findings(config, "%/pgchime.conf: larger than 64 MiB\nHINT:  split it into several files of conf_dir\n");
}
END_TEST

START_TEST(nul_byte_is_refused_with_its_line)
{
    put_bytes("pgchime.conf", "# one\nlog_level = \"in\0fo\";\n", 28);
    load();
    expect_findings(config,
                    "%/pgchime.conf:2: a NUL byte, which no text holds\nHINT:  write it anew with a text editor\n");
}
END_TEST

START_TEST(byte_order_mark_and_crlf_are_passed_over)
{
    put("pgchime.conf", "\xEF\xBB\xBFlog_level = \"debug\";\r\ninstance = \"x\";\r\n");
    const struct config *read = load();
    expect_findings(config, "");
    ck_assert_int_eq(read->log_level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(file_name_that_forges_a_line_is_refused)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/a\nb.conf", "");
    load();
    expect_findings(config, "%/conf.d: a file name with control characters or broken UTF-8: \"a?b.conf\"\n"
                            "HINT:  rename it\n");
}
END_TEST

START_TEST(jobs_may_be_forgotten_while_the_rest_stays)
{
    put("pgchime.conf", DATABASES "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };");
    load();
    config_forget_jobs(config);
    ck_assert_uint_eq(config->job_count, 0);
    ck_assert_ptr_null(config->jobs);
    ck_assert_ptr_nonnull(config_find_database(config, "main"));
    config_forget_jobs(config);
}
END_TEST

static double seconds_of_processor(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static double time_of_jobs_in_one_file(size_t count)
{
    struct buffer text = {0};
    buffer_puts(&text, "jobs: {\n");
    for (size_t i = 0; i < count; i++) {
        buffer_printf(
            &text, "  some-job-%zu: { schedule = \"*/10 * * * *\"; command = \"SELECT %zu\"; priority = 3; };\n", i, i);
    }
    buffer_puts(&text, "};\n");
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/many.conf", buffer_text(&text));
    buffer_finish(&text);
    double before = seconds_of_processor();
    ck_assert_ptr_nonnull(load());
    double taken = seconds_of_processor() - before;
    ck_assert_uint_eq(config->job_count, count);
    ck_assert_int_eq(config->jobs[count - 1].line, 1001); /* some-job-999 sorts last */
    return taken;
}

/* Work that grew by the square of their number, would take 64 times as long. */
START_TEST(eight_times_as_many_jobs_in_one_file_take_some_eight_times_as_long)
{
    double few = time_of_jobs_in_one_file(1000);
    config_forget_jobs(config);
    double many = time_of_jobs_in_one_file(8000);
    printf("jobs in one file: 1,000 in %.4f s, 8,000 in %.4f s\n", few, many);
    ck_assert_msg(many < 32 * few, "%g s and %g s", few, many);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, findings_set_up, findings_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, roles_are_read_and_what_is_wrong_with_them_is_told);
    tcase_add_test(tests, roles_say_as_whom_the_daemon_logs_in);
    tcase_add_test(tests, texts_take_variables_of_the_environment);
    tcase_add_test(tests, a_variable_that_is_not_set_is_told);
    tcase_add_test(tests, a_database_without_a_conninfo_is_that_of_the_environment);
    tcase_add_test(tests, jobs_have_settings);
    tcase_add_test(tests, jobs_have_a_ping_file);
    tcase_add_test(tests, roles_have_quotas);
    tcase_add_test(tests, whole_configuration_is_read);
    tcase_add_test(tests, database_has_a_zone_and_pools);
    tcase_add_test(tests, database_says_when_its_views_are_verified);
    tcase_add_test(tests, control_socket_lies_beside_the_file_unless_it_is_given);
    tcase_add_test(tests, control_socket_is_found_in_a_file_with_errors);
    tcase_add_test(tests, control_socket_may_be_as_long_as_a_socket_path_may);
    tcase_add_test(tests, file_in_a_deep_folder_needs_a_control_socket);
    tcase_add_test(tests, options_may_be_texts_numbers_lists_and_groups);
    tcase_add_test(tests, a_plugin_is_asked_for_one_channel_or_a_list_of_them);
    tcase_add_test(tests, channels_are_one_text_or_a_list_of_any_names);
    tcase_add_test(tests, relative_folders_are_relative_to_the_file);
    tcase_add_test(tests, nothing_needs_to_be_configured_to_idle);
    tcase_add_test(tests, only_visible_conf_files_of_the_folder_are_read);
    tcase_add_test(tests, missing_file_is_a_finding_with_a_hint);
    tcase_add_test(tests, what_is_no_regular_file_is_refused_without_waiting);
    tcase_add_test(tests, unreadable_file_is_a_finding_with_a_hint);
    tcase_add_test(tests, file_over_the_limit_is_refused);
    tcase_add_test(tests, nul_byte_is_refused_with_its_line);
    tcase_add_test(tests, byte_order_mark_and_crlf_are_passed_over);
    tcase_add_test(tests, file_name_that_forges_a_line_is_refused);
    tcase_add_test(tests, jobs_may_be_forgotten_while_the_rest_stays);
    tcase_add_test(tests, eight_times_as_many_jobs_in_one_file_take_some_eight_times_as_long);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
