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
#include "support/files.h"

/* A folder with pgchime.conf and conf.d, and what reading them gave. In expected findings '%' stands for the folder. */
static char *folder;
static struct report report;
static struct config *config;

#define DATABASES "databases: { main: { conninfo = \"dbname=app\"; }; };\n"
#define CONF_DIR "conf_dir = \"conf.d\";\n"

static void set_up(void)
{
    folder = files_make_directory();
    char *parts = files_path("%s/conf.d", folder);
    files_make_folder(parts);
    free(parts);
    report_init(&report);
    config = NULL;
}

static void tear_down(void)
{
    config_free(config);
    report_finish(&report);
    files_remove_tree(folder);
    free(folder);
}

static void put(const char *name, const char *text)
{
    char *path = files_path("%s/%s", folder, name);
    files_write(path, text);
    free(path);
}

static void put_bytes(const char *name, const char *bytes, size_t length)
{
    char *path = files_path("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

static const struct config *load(void)
{
    char *file = files_path("%s/pgchime.conf", folder);
    config = config_load(file, &report);
    free(file);
    return config;
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
    ck_assert_msg((config == NULL) == (expected[0] != '\0'), "a snapshot exactly when there is no finding");
    free(found);
    free(wanted);
}

START_TEST(whole_configuration_is_read)
{
    put("pgchime.conf", "# ours\n"
                        "databases: {\n"
                        "  main: { conninfo = \"host=/run/postgresql \" /* two in one */ \"dbname=app\"; };\n"
                        "  audit = { conninfo = \"dbname=audit\", view_schema = \"reports\", source_schema = \"raw\",\n"
                        "            pool_size = 3 }\n"
                        "}\n"
                        "plugin_dir = \"/usr/lib/pgchime/plugins\"; // there\n"
                        "conf_dir   = \"conf.d\";\n"
                        "log_level = \"warning\";\n"
                        "instance = \"one\";\n"
                        "jobs: { tidy: { schedule = \"@daily\"; command = \"SELECT 1\"; }; };\n");
    put("conf.d/lane.conf", "plugin: { name = \"lane_distribution\"; enabled = \"auto\"; database = \"main\";\n"
                            "  view_schema = \"views\";\n"
                            "  settings: { top = 10; share = 0.2; wide = true; label = \"x\"; };\n"
                            "};\n"
                            "jobs: {\n"
                            "  refresh-lanes: { schedule = \"*/10 * * * *\"; enabled = FALSE; };\n"
                            "  nightly-vacuum: { schedule = \"0 3 * * *\"; command = \"VACUUM\"; database = \"main\";\n"
                            "                    after = \"tidy\"; };\n"
                            "};\n");
    put("conf.d/other.conf", "plugin: { name = \"alpha\"; enabled = false; };\n");
    const struct config *read = load();
    expect_findings("");
    ck_assert_uint_eq(read->database_count, 2);
    const struct config_database *audit = &read->databases[0];
    ck_assert_str_eq(audit->name, "audit");
    ck_assert_str_eq(audit->view_schema, "reports");
    ck_assert_str_eq(audit->source_schema, "raw");
    ck_assert_int_eq(audit->pool_size, 3);
    const struct config_database *main_database = config_find_database(read, "main");
    ck_assert_str_eq(main_database->conninfo, "host=/run/postgresql dbname=app");
    ck_assert_str_eq(main_database->view_schema, "analytics");
    ck_assert_str_eq(main_database->source_schema, "public");
    ck_assert_int_eq(main_database->pool_size, 8);
    ck_assert_int_eq(main_database->line, 3);
    ck_assert_ptr_null(config_find_database(read, "none"));
    ck_assert_str_eq(read->plugin_dir, "/usr/lib/pgchime/plugins");
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

    ck_assert_uint_eq(read->job_count, 3);
    const struct config_job *vacuum = &read->jobs[0];
    ck_assert_str_eq(vacuum->name, "nightly-vacuum");
    ck_assert_str_eq(vacuum->command, "VACUUM");
    ck_assert_str_eq(vacuum->database, "main");
    ck_assert_int_eq(vacuum->line, 7);
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

START_TEST(options_may_be_texts_numbers_lists_and_groups)
{
    put("pgchime.conf", DATABASES "jobs: { a: { command = \"SELECT 1\"; schedule = \"@hourly\";\n"
                                  "  max_attempts = 5; catchup_window = \"2h\"; catchup = \"all\";\n"
                                  "  after = [\"b\", \"c\"]; retry_on = [\"40001\", \"08\"];\n"
                                  "  backoff = { initial = \"5s\"; coefficient = 1.5; jitter = 0; };\n"
                                  "}; b: { after = (\"c\"); retry_on = \"53,57P0\"; }; c: { after = []; }; };");
    const struct config *read = load();
    expect_findings("");
    const struct job_options *options = &read->jobs[0].options;
    ck_assert_int_eq(options->max_attempts, 5);
    ck_assert_int_eq(options->catchup_window, 2 * USEC_PER_HOUR);
    ck_assert_int_eq(options->catchup, CATCHUP_ALL);
    ck_assert_uint_eq(options->retry_on_count, 2);
    ck_assert_str_eq(options->retry_on[1], "08");
    ck_assert_int_eq(options->backoff.initial, 5 * USEC_PER_SEC);
    ck_assert_double_eq(options->backoff.coefficient, 1.5);
    ck_assert_int_eq(__builtin_popcount(options->set), 7);
    ck_assert_uint_eq(read->jobs[0].after_count, 2);
    ck_assert_str_eq(read->jobs[0].after[1], "c");
    ck_assert_str_eq(read->jobs[1].after[0], "c");
    ck_assert_str_eq(read->jobs[1].options.retry_on[1], "57P0");
    ck_assert(read->jobs[2].after_given);
    ck_assert_uint_eq(read->jobs[2].after_count, 0);
}
END_TEST

START_TEST(relative_folders_are_relative_to_the_file)
{
    put("pgchime.conf", "plugin_dir = \"plugins\"; conf_dir = \"conf.d\";");
    const struct config *read = load();
    expect_findings("");
    char *plugins = files_path("%s/plugins", folder);
    ck_assert_str_eq(read->plugin_dir, plugins);
    free(plugins);
    config_free(config);

    ck_assert_int_eq(chdir(folder), 0);
    config = config_load("pgchime.conf", &report);
    expect_findings("");
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
    expect_findings("");
    ck_assert_uint_eq(read->database_count + read->plugin_count + read->job_count, 0);
    ck_assert_ptr_null(read->conf_dir);
    ck_assert_ptr_null(read->plugin_dir);
    ck_assert_int_gt((int)strlen(read->instance), 0);
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
    expect_findings("");
}
END_TEST

/* One bad text each, as conf.d/x.conf beside a good pgchime.conf, and all that is said about it. */
static const struct {
    const char *text;
    const char *expected;
} bad_parts[] = {
    {"plugn: { };", "%/conf.d/x.conf:1: unknown key \"plugn\" in a file of conf_dir\n"
                    "HINT:  did you mean \"plugin\"?\n"},
    {"databases: { };", "%/conf.d/x.conf:1: unknown key \"databases\" in a file of conf_dir\n"
                        "HINT:  known here: plugin, jobs\n"},
    {"\njobs = 5;", "%/conf.d/x.conf:2: \"jobs\" of a file of conf_dir: expected a group, found an integer\n"
                    "HINT:  write { name = value; ... }\n"},
    {"plugin: { };", "%/conf.d/x.conf:1: \"plugin\" has no \"name\"\n"
                     "HINT:  write name = \"lane_distribution\"; the plugin's file name without \".so\"\n"},
    {"plugin: { name = \"../x\"; };", "%/conf.d/x.conf:1: \"../x\" cannot name a plugin\n"
                                      "HINT:  it is the plugin's file name without \".so\"\n"},
    {"plugin: { name = \"x\"; enabled = \"yes\"; };",
     "%/conf.d/x.conf:1: \"enabled\" of \"plugin\": expected true, false or \"auto\", found \"yes\"\n"},
    {"plugin: { name = \"x\"; enabled = 1; };",
     "%/conf.d/x.conf:1: \"enabled\" of \"plugin\": expected true, false or \"auto\", found an integer\n"},
    {"plugin: { name = \"x\"; settings: {\n a = [1];\n b = { c = 1; }; }; };",
     "%/conf.d/x.conf:2: setting \"a\": expected one value, found a list\n"
     "%/conf.d/x.conf:3: setting \"b\": expected one value, found a group\n"},
    {"plugin: { name = \"x\"; database = \" \"; };", "%/conf.d/x.conf:1: \"database\" of \"plugin\" is empty\n"},
    {"jobs: { a: 5; };", "%/conf.d/x.conf:1: \"a\" of \"jobs\": expected a group, found an integer\n"
                         "HINT:  write { name = value; ... }\n"},
    {"jobs: { a: { schedul = \"@daily\"; }; };", "%/conf.d/x.conf:1: unknown key \"schedul\" in job \"a\"\n"
                                                 "HINT:  did you mean \"schedule\"?\n"},
    {"jobs: { a: { max_atempts = 1; }; };", "%/conf.d/x.conf:1: job \"a\": unknown option \"max_atempts\"\n"
                                            "HINT:  did you mean \"max_attempts\"?\n"},
    {"jobs: { a: { zzz = { b = 1; }; }; };", "%/conf.d/x.conf:1: job \"a\": unknown option \"zzz\"\n"},
    {"jobs: { a: { throttle = \"5s\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": option \"throttle\" is not available yet\n"
     "HINT:  its name is kept for a later version: remove it\n"},
    {"jobs: { a: { schedule = 5; }; };",
     "%/conf.d/x.conf:1: \"schedule\" of job \"a\": expected a string, found an integer\n"
     "HINT:  write it in double quotes\n"},
    {"jobs: { a: { enabled = \"true\"; }; };",
     "%/conf.d/x.conf:1: \"enabled\" of job \"a\": expected a boolean, found a string\n"
     "HINT:  write true or false without quotes\n"},
    {"jobs: { a: { after = true; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\": expected a string or a list of strings, found a boolean\n"
     "HINT:  write \"a\" or [\"a\", \"b\"]\n"},
    {"jobs: { a: { after = [1, 2]; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\": expected a list of strings, found an integer in it\n"
     "%/conf.d/x.conf:1: \"after\" of job \"a\": expected a list of strings, found an integer in it\n"},
    {"jobs: { a: { after = \"b, c\"; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\": \"b, c\" cannot be a job's name\n"
     "HINT:  write a list: after = [\"a\", \"b\"];\n"},
    {"jobs: { a: { after = [\"b\", \"c\", \"b\"]; }; };",
     "%/conf.d/x.conf:1: \"after\" of job \"a\" names \"b\" twice\nHINT:  name it once\n"},
    {"jobs: { a: { command = \" -- nothing\"; }; };", "%/conf.d/x.conf:1: the command of job \"a\" has no statement\n"
                                                      "HINT:  write the SQL to run, or remove the job\n"},
    {"jobs: { a: { command = \"\\xff\"; }; };", "%/conf.d/x.conf:1: the command of job \"a\" is not UTF-8\n"
                                                "HINT:  \\x escapes must give UTF-8\n"},
    {"jobs: { a: { catchup_window = 24; }; };",
     "%/conf.d/x.conf:1: job \"a\": catchup_window: \"24\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"},
    {"jobs: { a: { backoff = { initial = 5;\n first = \"1s\";\n max = [1]; }; }; };",
     "%/conf.d/x.conf:1: job \"a\": backoff.initial: \"5\" is not a duration\n"
     "HINT:  write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d\n"
     "%/conf.d/x.conf:2: job \"a\": unknown option \"backoff.first\"\n"
     "%/conf.d/x.conf:3: \"backoff.max\" of job \"a\": expected one value, found a list\n"},
    {"jobs: { a: { backoff = [1]; }; };",
     "%/conf.d/x.conf:1: \"backoff\" of job \"a\": expected a group, found a list\n"},
    {"jobs: { a: { priority = [1]; }; };",
     "%/conf.d/x.conf:1: \"priority\" of job \"a\": expected one value, found a list\n"},
    {"jobs: { a: { retry_on = [8, 53]; }; };",
     "%/conf.d/x.conf:1: \"retry_on\" of job \"a\": expected a list of strings\nHINT:  write [\"08\", \"40001\"]\n"},
    {"jobs: { a: { max_attempts = 0; }; };", "%/conf.d/x.conf:1: job \"a\": max_attempts \"0\" is outside 1 to 1000\n"},
    {"jobs: { a: { overlap_policy = \"allow_all\"; }; };",
     "%/conf.d/x.conf:1: job \"a\": overlap_policy \"allow_all\" is not available yet\n"
     "HINT:  choose one of: skip, buffer_one, buffer_all\n"},
    /* syntax */
    {"jobs: { a: { enabled = yes; }; b: { schedul = 1; }; };",
     "%/conf.d/x.conf:1: yes is not a value: neither a number nor true or false\n"
     "HINT:  write texts in double quotes: \"yes\"\n"
     "%/conf.d/x.conf:1: unknown key \"schedul\" in job \"b\"\n"
     "HINT:  did you mean \"schedule\"?\n"},
    {"jobs: { a: { x = 1.2.3; };\n b: {\n\n  y = -; }; };",
     "%/conf.d/x.conf:1: syntax error\n"
     "HINT:  texts are in double quotes, lists are [\"a\", \"b\"], groups are { name = value; }\n"
     "%/conf.d/x.conf:4: syntax error\n"
     "HINT:  texts are in double quotes, lists are [\"a\", \"b\"], groups are { name = value; }\n"},
    {"jobs: {\n a: {\n  after = [1,\n \"x\"]; }; };", "%/conf.d/x.conf:4: values of different types in one [ ] list\n"
                                                      "HINT:  write them all alike, or use ( ) for the list\n"},
    {"jobs: { a: { after = [\"x\" \"y\"; }; };",
     "%/conf.d/x.conf:1: expected \",\" or the end of the list, found \";\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs: {\n a: { command = \"SELECT 1;\n }; };\n", "%/conf.d/x.conf:2: the string that begins here never ends\n"
                                                       "HINT:  close it with \"; inside, write \\\" for a quote\n"},
    {"jobs: { };\n/* x", "%/conf.d/x.conf:2: the comment that begins here never ends\nHINT:  close it with */\n"},
    {"\njobs: {\n a: { };\n", "%/conf.d/x.conf:2: the \"{\" here is never closed\n"},
    {"jobs: { a: { after = [ };", "%/conf.d/x.conf:1: \"}\" does not close the \"[\" of line 1\n"},
    {"jobs: { a: { after = [1 \"x\"]; }; };",
     "%/conf.d/x.conf:1: expected \",\" or the end of the list, found a string\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs: { a: { after = [\"b\",]; }; };",
     "%/conf.d/x.conf:1: expected a value, found \"]\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs: { a: { after = [[\"b\"]]; }; };", "%/conf.d/x.conf:1: \"[\" in a [ ] list, which has single values\n"
                                              "HINT:  write ( ) for a list of groups or lists\n"},
    {"jobs: { a: { after = [\n", "%/conf.d/x.conf:1: the \"[\" here is never closed\n"},
    {"jobs: { a: { }; }; };",
     "%/conf.d/x.conf:1: expected a name, found \"}\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs { }",
     "%/conf.d/x.conf:1: expected \"=\" or \":\" after \"jobs\", found \"{\"\n"
     "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"jobs:", "%/conf.d/x.conf:1: expected a value, found the end of the file\n"
              "HINT:  entries are written: name = value; with texts in double quotes and groups as name: { ... };\n"},
    {"\n@include \"/etc/passwd\"\n", "%/conf.d/x.conf:2: \"@include\" is not supported\n"
                                     "HINT:  put the entries into a file of conf_dir: every *.conf there is read\n"},
    {"*jobs: { };", "%/conf.d/x.conf:1: \"*jobs\" is not a name\n"
                    "HINT:  a name begins with a letter and has letters, digits, \"_\" and \"-\"\n"},
    {"jobs: { a: { command = \"SELECT \\x00\"; }; };", "%/conf.d/x.conf:1: \\x00 in a string\nHINT:  leave it out\n"},
    {"a=((((((((((((((((1))))))))))))))));", "%/conf.d/x.conf:1: unknown key \"a\" in a file of conf_dir\n"
                                             "HINT:  known here: plugin, jobs\n"},
    {"a=\n(((((((((((((((((1)))))))))))))))));", "%/conf.d/x.conf:2: nested more than 16 deep\n"},
    {"a\x01\x02 = 1;", "%/conf.d/x.conf:1: \"a??\" is not a name\n"
                       "HINT:  a name begins with a letter and has letters, digits, \"_\" and \"-\"\n"},
    /* duplicates */
    {"jobs: {\n a: { };\n b: { };\n a: { };\n};",
     "%/conf.d/x.conf:4: \"a\" is already given at %/conf.d/x.conf:2\nHINT:  keep one of the two\n"},
    {"jobs: {\n a: { schedule = \"@daily\";\n schedule = \"@hourly\";\n schedule = \"@hourly\"; nope = 1; }; };",
     "%/conf.d/x.conf:3: \"schedule\" is already given at %/conf.d/x.conf:2\nHINT:  keep one of the two\n"
     "%/conf.d/x.conf:4: \"schedule\" is already given at %/conf.d/x.conf:2\nHINT:  keep one of the two\n"
     "%/conf.d/x.conf:4: job \"a\": unknown option \"nope\"\n"},
    {"jobs: { a: { }; };\njobs: { a: { }; };",
     "%/conf.d/x.conf:2: \"jobs\" is already given at %/conf.d/x.conf:1\nHINT:  keep one of the two\n"
     "%/conf.d/x.conf:2: job \"a\" is already given at %/conf.d/x.conf:1\nHINT:  rename or remove one of the two\n"},
};

START_TEST(bad_part_is_refused_with_its_place)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/x.conf", bad_parts[_i].text);
    load();
    expect_findings(bad_parts[_i].expected);
}
END_TEST

static const struct {
    const char *text;
    const char *expected;
} bad_mains[] = {
    {"databases: {\n main: { }; };", "%/pgchime.conf:2: database \"main\" has no \"conninfo\"\n"
                                     "HINT:  write conninfo = \"host=/run/postgresql dbname=app\";\n"},
    {"databases: { main: { conninfo = \"\"; }; };", "%/pgchime.conf:1: \"conninfo\" of database \"main\" is empty\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 0; }; };",
     "%/pgchime.conf:1: \"pool_size\" of database \"main\": expected 1 to 500, found 0\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 99999999999999999999999; }; };",
     "%/pgchime.conf:1: 99999999999999999999999 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 2147483647; }; };",
     "%/pgchime.conf:1: \"pool_size\" of database \"main\": expected 1 to 500, found 2147483647\n"},
    {"databases: { main: { conninfo = \"x\"; pool_size = 4294967297L; }; };",
     "%/pgchime.conf:1: \"pool_size\" of database \"main\": expected 1 to 500, found 4294967297\n"},
    {"a = 4294967297; b = -2147483649; c = 0x80000000; d = 0x7fffffff; e = 9223372036854775808L; f = 1e999;",
     "%/pgchime.conf:1: 4294967297 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: -2147483649 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: 0x80000000 is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: 9223372036854775808L is too large a number\n"
     "HINT:  whole numbers are from -2147483648 to 2147483647, larger ones end with L\n"
     "%/pgchime.conf:1: unknown key \"d\" in pgchime.conf\n"
     "HINT:  known here: databases, plugin_dir, conf_dir, log_level, instance, jobs\n"
     "%/pgchime.conf:1: unknown key \"f\" in pgchime.conf\n"
     "HINT:  known here: databases, plugin_dir, conf_dir, log_level, instance, jobs\n"},
    {"databases: { main: { conninfo = \"x\"; poolsize = 2; }; };",
     "%/pgchime.conf:1: unknown key \"poolsize\" in database \"main\"\nHINT:  did you mean \"pool_size\"?\n"},
    {"databases: { main: { conninfo = \"x\"; view_schema ="
     " \"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg\"; }; };",
     "%/pgchime.conf:1: \"view_schema\" of database \"main\" is longer than 63 bytes\n"},
    {"databases: { main = \"dbname=app\"; };",
     "%/pgchime.conf:1: \"main\" of \"databases\": expected a group, found a string\n"
     "HINT:  write { name = value; ... }\n"},
    {"databases = (1);", "%/pgchime.conf:1: \"databases\" of pgchime.conf: expected a group, found a list\n"
                         "HINT:  write { name = value; ... }\n"},
    {"log_level = \"loud\";", "%/pgchime.conf:1: unknown log level \"loud\"\n"
                              "HINT:  choose one of: debug, info, warning, error\n"},
    {"plugindir = \"x\";",
     "%/pgchime.conf:1: unknown key \"plugindir\" in pgchime.conf\nHINT:  did you mean \"plugin_dir\"?\n"},
    {"plugin_dir = 1.5;", "%/pgchime.conf:1: \"plugin_dir\" of pgchime.conf: expected a string, found a number\n"
                          "HINT:  write it in double quotes\n"},
    {"\nconf_dir = \"nowhere\";", "%/pgchime.conf:2: cannot read conf_dir \"%/nowhere\": No such file or directory\n"
                                  "HINT:  make the folder, or remove the line\n"},
    {"conf_dir = \"pgchime.conf\";", "%/pgchime.conf:1: cannot read conf_dir \"%/pgchime.conf\": Not a directory\n"},
    {"conf_dir = \"a\nb\"; plugin_dir = \"\";", "%/pgchime.conf:1: \"conf_dir\" has control characters: \"a?b\"\n"
                                                "%/pgchime.conf:2: \"plugin_dir\" of pgchime.conf is empty\n"},
    {"instance = \"a\xc3\";", "%/pgchime.conf:1: byte 0xc3 is not UTF-8\nHINT:  save the file as UTF-8\n"},
    {"log_level = \"\\x1b[31m\\n\\xff\";", "%/pgchime.conf:1: unknown log level \"?[31m??\"\n"
                                           "HINT:  choose one of: debug, info, warning, error\n"},
};

START_TEST(bad_main_file_is_refused_with_its_place)
{
    put("pgchime.conf", bad_mains[_i].text);
    load();
    expect_findings(bad_mains[_i].expected);
}
END_TEST

START_TEST(five_errors_of_one_file_are_reported_at_once)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/x.conf", "plugin: {\n"
                         "  name = 5;\n"
                         "  enable = true;\n"
                         "};\n"
                         "jobs: {\n"
                         "  a: { schedule = \"61 * * * *\"; command = \"SELECT 1\"; };\n"
                         "  b: { schedule = \"@daily\"; command = \"\"; };\n"
                         "  c: { catchup = \"sometimes\"; };\n"
                         "};\n");
    load();
    expect_findings(
        "%/conf.d/x.conf:2: \"name\" of \"plugin\": expected a string, found an integer\n"
        "HINT:  write it in double quotes\n"
        "%/conf.d/x.conf:3: unknown key \"enable\" in \"plugin\"\n"
        "HINT:  did you mean \"enabled\"?\n"
        "%/conf.d/x.conf:6: job \"a\": schedule \"61 * * * *\": minute \"61\": a value is out of range, expected "
        "0-59\n"
        "HINT:  a field is *, a value, a range a-b, either of * and a-b with a step (*/5, 10-50/10), or a "
        "list of these with commas\n"
        "%/conf.d/x.conf:7: the command of job \"b\" has no statement\n"
        "HINT:  write the SQL to run, or remove the job\n"
        "%/conf.d/x.conf:8: job \"c\": catchup has no value \"sometimes\"\n"
        "HINT:  choose one of: latest, none, all\n");
}
END_TEST

START_TEST(errors_of_all_files_are_reported_at_once)
{
    put("pgchime.conf", DATABASES CONF_DIR "log_level = 1;\n");
    put("conf.d/a.conf", "jobs: {");
    put("conf.d/b.conf", "nope = 1;");
    load();
    expect_findings("%/conf.d/a.conf:1: the \"{\" here is never closed\n"
                    "%/conf.d/b.conf:1: unknown key \"nope\" in a file of conf_dir\n"
                    "HINT:  known here: plugin, jobs\n"
                    "%/pgchime.conf:3: \"log_level\" of pgchime.conf: expected a string, found an integer\n"
                    "HINT:  write it in double quotes\n");
}
END_TEST

START_TEST(repetition_in_two_files_names_both_places)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/a.conf", "plugin: { name = \"p\"; };\njobs: { j: { }; };");
    put("conf.d/b.conf", "\n\njobs: { j: { }; };\nplugin: { name = \"p\"; };");
    load();
    expect_findings("%/conf.d/b.conf:3: job \"j\" is already given at %/conf.d/a.conf:2\n"
                    "HINT:  rename or remove one of the two\n"
                    "%/conf.d/b.conf:4: plugin \"p\" is already configured at %/conf.d/a.conf:1\n"
                    "HINT:  keep one of the two\n");
}
END_TEST

START_TEST(missing_file_is_a_finding_with_a_hint)
{
    load();
    expect_findings(
        "%/pgchime.conf: cannot open the file: No such file or directory\n"
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
    expect_findings("%/conf.d/a.conf: not a regular file but a folder\n"
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
        expect_findings("");
        return;
    }
    expect_findings("%/pgchime.conf: cannot open the file: Permission denied\n"
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
    expect_findings("%/pgchime.conf: larger than 64 MiB\nHINT:  split it into several files of conf_dir\n");
}
END_TEST

START_TEST(nul_byte_is_refused_with_its_line)
{
    put_bytes("pgchime.conf", "# one\nlog_level = \"in\0fo\";\n", 28);
    load();
    expect_findings("%/pgchime.conf:2: a NUL byte, which no text holds\nHINT:  write it anew with a text editor\n");
}
END_TEST

START_TEST(byte_order_mark_and_crlf_are_passed_over)
{
    put("pgchime.conf", "\xEF\xBB\xBFlog_level = \"debug\";\r\ninstance = \"x\";\r\n");
    const struct config *read = load();
    expect_findings("");
    ck_assert_int_eq(read->log_level, LOG_LEVEL_DEBUG);
}
END_TEST

START_TEST(file_name_that_forges_a_line_is_refused)
{
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/a\nb.conf", "");
    load();
    expect_findings("%/conf.d: a file name with control characters or broken UTF-8: \"a?b.conf\"\n"
                    "HINT:  rename it\n");
}
END_TEST

static double seconds_of_processor(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

START_TEST(ten_thousand_jobs_in_one_file_take_little_time)
{
    struct buffer text = {0};
    buffer_puts(&text, "jobs: {\n");
    for (int i = 0; i < 10000; i++) {
        buffer_printf(
            &text, "  some-job-%d: { schedule = \"*/10 * * * *\"; command = \"SELECT %d\"; priority = 3; };\n", i, i);
    }
    buffer_puts(&text, "};\n");
    put("pgchime.conf", DATABASES CONF_DIR);
    put("conf.d/many.conf", buffer_text(&text));
    buffer_finish(&text);
    double before = seconds_of_processor();
    ck_assert_ptr_nonnull(load());
    double taken = seconds_of_processor() - before;
    ck_assert_uint_eq(config->job_count, 10000);
    ck_assert_int_eq(config->jobs[9999].line, 10001); /* some-job-9999 sorts last */
    /* libconfig alone takes 3.4 s of these; a hundredth of that is usual, sanitizers and valgrind cost more */
    ck_assert_msg(taken < 10.0, "%g s", taken);
    printf("10,000 jobs: %.3f s\n", taken);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, whole_configuration_is_read);
    tcase_add_test(tests, options_may_be_texts_numbers_lists_and_groups);
    tcase_add_test(tests, relative_folders_are_relative_to_the_file);
    tcase_add_test(tests, nothing_needs_to_be_configured_to_idle);
    tcase_add_test(tests, only_visible_conf_files_of_the_folder_are_read);
    tcase_add_loop_test(tests, bad_part_is_refused_with_its_place, 0, COUNT_OF(bad_parts));
    tcase_add_loop_test(tests, bad_main_file_is_refused_with_its_place, 0, COUNT_OF(bad_mains));
    tcase_add_test(tests, five_errors_of_one_file_are_reported_at_once);
    tcase_add_test(tests, errors_of_all_files_are_reported_at_once);
    tcase_add_test(tests, repetition_in_two_files_names_both_places);
    tcase_add_test(tests, missing_file_is_a_finding_with_a_hint);
    tcase_add_test(tests, what_is_no_regular_file_is_refused_without_waiting);
    tcase_add_test(tests, unreadable_file_is_a_finding_with_a_hint);
    tcase_add_test(tests, file_over_the_limit_is_refused);
    tcase_add_test(tests, nul_byte_is_refused_with_its_line);
    tcase_add_test(tests, byte_order_mark_and_crlf_are_passed_over);
    tcase_add_test(tests, file_name_that_forges_a_line_is_refused);
    tcase_add_test(tests, ten_thousand_jobs_in_one_file_take_little_time);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
