/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime import crontab`: what the plan says of each line, and the jobs that come of it. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/daemon/site.h"
#include "support/daemon/sql_jobs.h"
#include "support/import/import_stage.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static char *folder;
static char *file;

#define PLAN(status, ...)                                                                                           \
    ASSERT_RUN(status, "import", "crontab", file, "--user", "app", "--host", "localhost:5432", "--timezone", "UTC", \
               __VA_ARGS__)

/* The crontab of whoever runs the test. */
#define OWN(status, ...) \
    ASSERT_RUN(status, "import", "crontab", file, "--host", "localhost:5432", "--timezone", "UTC", __VA_ARGS__)

static void start(void)
{
    import_stage_start();
    cluster_execute(cluster, "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE nologin");
    cluster_create_database(cluster, "shop");
}

static void stop(void)
{
    cluster_destroy(cluster);
}

static void set_up(void)
{
    import_stage_copy("app", "model");
    import_stage_aim("app");
    folder = files_make_directory();
    file = files_path("%s/crontab", folder);
}

static void tear_down(void)
{
    import_stage_forget();
    free(folder);
    free(file);
}

/* A value of the plan that was printed as JSON, as text; "" for null. */
static const char *planned(int line, const char *key)
{
    static char text[1024];
    json_t *document = json_loads(output, 0, NULL);
    json_t *value = NULL;
    json_t *row;
    size_t index;
    ck_assert_msg(document != NULL, "%s", output);
    json_array_foreach(json_object_get(document, "imports"), index, row)
    {
        if (json_integer_value(json_object_get(row, "line")) == line) {
            value = json_object_get(row, key);
        }
    }
    ck_assert_msg(value != NULL, "line %d has no \"%s\" in:\n%s", line, key, output);
    snprintf(text, sizeof(text), "%s", json_is_string(value) ? json_string_value(value) : "");
    json_decref(document);
    return text;
}

static void plan_is(int line, const char *action, const char *name, const char *reason)
{
    ck_assert_str_eq(planned(line, "action"), action);
    ck_assert_str_eq(planned(line, "name"), name);
    if (reason[0] == '\0') {
        ck_assert_str_eq(planned(line, "reason"), "");
    } else {
        commands_has(planned(line, "reason"), reason);
    }
}

#define JOBS                                                                                                           \
    "SELECT string_agg(concat_ws('|', name, database, schedule, active, options, command), E'\n' ORDER BY name) FROM " \
    "chime.job"

START_TEST(a_plan_says_what_becomes_of_each_line_and_changes_nothing)
{
    files_write(file, "MAILTO=root\n"
                      "FLAVOUR=sweet\n"
                      "0 3 * * * psql -c 'VACUUM'\n"
                      "*/5 * * * * /usr/local/bin/backup\n"
                      "0 4 * * * psql -d nowhere -c 'SELECT 4'\n"
                      "0 5 * * * psql -U nologin -c 'SELECT 5' app\n"
                      "0 6 * * * psql -h elsewhere -c 'SELECT 6'\n"
                      "61 7 * * * psql -c 'SELECT 7'\n"
                      "@reboot psql -c 'SELECT 8'\n"
                      "@daily psql -c 'SELECT 9' | mail root\n"
                      "@daily psql\n"
                      "0 3 * * * psql -c 'VACUUM'\n"
                      "@yearly\n");
    PLAN(8, "--dry-run", "--as-role", "nologin", "-o", "json");
    plan_is(3, "copy", "vacuum", "");
    plan_is(4, "leave", "", "not a psql command");
    plan_is(5, "block", "", "database \"nowhere\" does not exist");
    plan_is(6, "block", "", "role \"nologin\" can not log in");
    plan_is(7, "block", "", "it goes to host elsewhere, port 5432, and the database here is at ");
    plan_is(8, "block", "", "minute");
    plan_is(9, "copy", "select-8", "it runs when the server starts, not the machine");
    plan_is(10, "block", "", "| a pipe");
    plan_is(11, "block", "", "nothing to run");
    plan_is(12, "leave", "", "it is line 3 once more");
    plan_is(13, "block", "", "no line of a crontab");
    commands_has(errors, "line 1, MAILTO: nobody is mailed");
    commands_has(errors, "line 2, FLAVOUR: it is not taken along");
    commands_has(errors, "cron goes on running lines 3, 9 and 12: take them out of the crontab");
    commands_has(errors, "not imported: lines 4 and 12");
    EXPECT_SQL(cluster, JOBS, NULL);
    EXPECT_SQL(cluster, "SELECT is_called FROM chime.job_job_id_seq", "f");
    PLAN(6, "-o", "json");
    commands_has(errors, "write --yes, or --dry-run");
    EXPECT_SQL(cluster, JOBS, NULL);
}
END_TEST

START_TEST(lines_become_jobs_once)
{
    char *sql = files_path("%s/totals.sql", folder);
    char *text = files_path("0 3 * * * PGUSER=app psql -qf %s shop > /dev/null 2>&1\n"
                            "CRON_TZ=Europe/Berlin\n"
                            "30 2 * * mon PGUSER=other psql -d app -c 'SELECT 1' -c 'SELECT 2'\n"
                            "@daily psql -U app%%SELECT 5 \\%% 2;%%\n",
                            sql);
    files_write(sql, "SELECT 'totals';\n");
    files_write(file, text);
    OWN(0, "--yes", "--as-role", "other,app");
    commands_has(errors, "line 1 is job 1");
    commands_has(errors, "cron goes on running lines 1, 3 and 4");
    EXPECT_SQL(cluster, JOBS,
               "app/select-5-2|@daily|t|{\"timezone\": \"Europe/Berlin\"}|SELECT 5 % 2;\n"
               "app/totals|shop|0 3 * * *|t|{}|SELECT 'totals';\n"
               "other/select-1|30 2 * * mon|t|{\"timezone\": \"Europe/Berlin\"}|SELECT 1\n;\nSELECT 2");
    OWN(0, "--yes", "--as-role", "other,app", "-o", "json");
    ck_assert_str_eq(planned(1, "action"), "done");
    ck_assert_str_eq(planned(3, "action"), "done");
    ck_assert_str_eq(planned(4, "action"), "done");
    commands_has(errors, "nothing to import");
    commands_has(errors, "cron goes on running lines 1, 3 and 4");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job", "3");
    free(sql);
    free(text);
}
END_TEST

START_TEST(what_the_user_of_a_crontab_may_not_do_is_shown)
{
    char *text = files_path("0 1 * * * psql -f %s/secret\n"
                            "0 2 * * * psql -U other -d app -c 'SELECT 2'\n"
                            "0 3 * * * psql -U app -c 'SELECT 3'\n",
                            folder);
    char *secret = files_path("%s/secret", folder);
    files_write(secret, "SELECT 'secret'");
    files_write(file, text);
    PLAN(8, "--dry-run", "-o", "json");
    plan_is(1, "block", "", "/secret: the crontab's user may not be able to read it");
    ck_assert_ptr_null(strstr(output, "SELECT 'secret'"));
    plan_is(2, "block", "", "it connects as role other: --as-role other makes it a job of that role");
    plan_is(3, "copy", "select-3", "");
    PLAN(8, "--dry-run", "--as-role", "other", "-o", "json");
    plan_is(2, "copy", "select-2", "as role other");
    PLAN(8, "--dry-run", "--as-role", "third,fourth", "-o", "json");
    plan_is(2, "block", "", "it connects as role other: --as-role other makes it a job of that role");
    free(text);
    free(secret);
}
END_TEST

START_TEST(a_line_in_another_zone_is_another_line)
{
    files_write(file, "0 3 * * * psql -c 'SELECT 1'\n"
                      "CRON_TZ=Europe/Berlin\n"
                      "0 3 * * * psql -c 'SELECT 1'\n"
                      "0 3 * * * psql -c 'SELECT 1'\n");
    PLAN(0, "--yes", "-o", "json");
    plan_is(3, "copy", "select-1-2", "");
    plan_is(4, "leave", "", "it is line 3 once more");
    EXPECT_SQL(cluster, JOBS,
               "app/select-1|0 3 * * *|t|{}|SELECT 1\n"
               "app/select-1-2|0 3 * * *|t|{\"timezone\": \"Europe/Berlin\"}|SELECT 1");
    files_write(file, "CRON_TZ=Asia/Tokyo\n0 3 * * * psql -c 'SELECT 1'\n"
                      "CRON_TZ=Europe/Berlin\n0 3 * * * psql -c 'SELECT 1'\n");
    PLAN(0, "--dry-run", "-o", "json");
    plan_is(2, "copy", "select-1-3", "");
    plan_is(4, "done", "select-1", "such a job is there");
}
END_TEST

START_TEST(a_further_name_of_the_server_has_a_port)
{
    files_write(file, "0 1 * * * psql -h db -c 'SELECT 1'\n"
                      "0 2 * * * psql -h db -p 6001 -c 'SELECT 2'\n"
                      "0 3 * * * psql -h ::2 -p 6002 -c 'SELECT 3'\n");
    PLAN(8, "--dry-run", "-o", "json");
    plan_is(1, "block", "", ": --host db:5432 where that is the same server");
    plan_is(3, "block", "", ": --host [::2]:6002 where that is the same server");
    ASSERT_RUN(8, "import", "crontab", file, "--user", "app", "--timezone", "UTC", "--dry-run", "-o", "json", "--host",
               "db:6001,[::2]:6002");
    plan_is(1, "block", "", "it goes to host db, port 5432");
    plan_is(2, "copy", "select-2", "");
    plan_is(3, "copy", "select-3", "");
    ASSERT_RUN(8, "import", "crontab", file, "--user", "app", "--timezone", "UTC", "--dry-run", "-o", "json", "--host",
               "x,db");
    plan_is(1, "copy", "select-1", "");
    plan_is(2, "block", "", "it goes to host db, port 6001");
}
END_TEST

START_TEST(a_line_whose_job_fails_stays_with_cron)
{
    cluster_execute(cluster, "ALTER TABLE chime.job ADD CONSTRAINT later CHECK (job_id = 0 OR command <> 'SELECT 1'),"
                             " ADD CONSTRAINT never CHECK (command <> 'SELECT 3')");
    files_write(file, "0 1 * * * psql -c 'SELECT 1'\n"
                      "0 2 * * * psql -c 'SELECT 2'\n"
                      "0 1 * * * psql -c 'SELECT 1'\n"
                      "0 3 * * * psql -c 'SELECT 3'\n"
                      "0 2 * * * psql -c 'SELECT 2'\n");
    PLAN(1, "--yes", "-o", "json");
    plan_is(4, "block", "", "never");
    commands_has(errors, "line 1: ");
    commands_has(errors, "line 2 is job ");
    commands_has(errors, "cron goes on running lines 2 and 5: take them out");
    EXPECT_SQL(cluster, JOBS, "app/select-2|0 2 * * *|t|{}|SELECT 2");
}
END_TEST

START_TEST(a_line_whose_job_is_not_active_is_run_by_cron_alone)
{
    files_write(file, "0 1 * * * psql -c 'SELECT 1'\n"
                      "0 2 * * * psql -c 'SELECT 2'\n"
                      "0 1 * * * psql -c 'SELECT 1'\n");
    PLAN(0, "--yes", "--inactive");
    commands_has(errors, "only cron runs lines 1, 2 and 3: their jobs are not active; switch them on as you take the "
                         "lines out of the crontab");
    ck_assert_ptr_null(strstr(errors, "or both run"));
    cluster_execute(cluster, "UPDATE chime.job SET active = true WHERE command = 'SELECT 2'");
    PLAN(0, "--yes", "-o", "json");
    plan_is(1, "done", "select-1", "such a job is there, not active");
    plan_is(2, "done", "select-2", "such a job is there");
    commands_has(errors, "cron goes on running line 2: take it out");
    commands_has(errors, "only cron runs lines 1 and 3: ");
    sql_jobs_make(cluster, "app", "again", "0 1 * * *", "SELECT 1", NULL);
    PLAN(0, "--yes");
    commands_has(errors, "cron goes on running lines 1, 2 and 3: take them out");
    ck_assert_ptr_null(strstr(errors, "only cron runs"));
}
END_TEST

START_TEST(names_that_are_taken_are_numbered)
{
    files_write(
        file, "0 1 * * * psql -c 'CALL work(1)'\n0 2 * * * psql -c 'CALL work(1)'\n0 3 * * * psql -c 'CALL work(1)'\n");
    sql_jobs_make(cluster, "app", "call-work-1-2", "0 0 * * *", "SELECT 1", NULL);
    PLAN(0, "--yes", "--inactive");
    EXPECT_SQL(cluster,
               "SELECT string_agg(job_name || ' ' || schedule || ' ' || active, ', ' ORDER BY schedule) FROM chime.job",
               "call-work-1-2 0 0 * * * true, call-work-1 0 1 * * * false, call-work-1-3 0 2 * * * false, "
               "call-work-1-4 0 3 * * * false");
}
END_TEST

START_TEST(a_system_crontab_says_whose_each_line_is)
{
    files_write(file, "PGDATABASE=app\n0 1 * * *\tother\tpsql -c 'SELECT 1'\n0 2 * * * nobody psql -c 'SELECT 2'\n");
    ASSERT_RUN(8, "import", "crontab", file, "--system", "--host", "localhost:5432", "--timezone", "UTC", "--yes");
    EXPECT_SQL(cluster, JOBS, "other/select-1|0 1 * * *|t|{}|SELECT 1");
    commands_has(output, "role \"nobody\" does not exist");
    ASSERT_RUN(2, "import", "crontab", file, "--system", "--user", "app");
    commands_has(errors, "leave one of --system and --user away");
}
END_TEST

START_TEST(the_standard_input_is_a_file_too)
{
    char *command = files_path(
        "printf '0 1 * * * psql -c \"SELECT 1\"\\n' | '%s' --config '%s' import crontab - --user app"
        " --host localhost:5432 --timezone UTC --yes",
        getenv("PGCHIME_TEST_BINARY") != NULL ? getenv("PGCHIME_TEST_BINARY") : PGCHIME_BINARY, configuration);
    char *log = files_path("%s/log", folder);
    process_must_run((const char *const[]){"/bin/sh", "-c", command, NULL}, log);
    EXPECT_SQL(cluster, JOBS, "app/select-1|0 1 * * *|t|{}|SELECT 1");
    ASSERT_RUN(2, "import", "crontab", "/nonexistent", "--yes");
    commands_has(errors, "/nonexistent: ");
    ASSERT_RUN(2, "import", "crontab", file, "--timezone", "Europe/Nowhere");
    commands_has(errors, "--timezone: ");
    free(command);
    free(log);
}
END_TEST

START_TEST(a_standard_input_that_cannot_be_read_is_not_an_empty_crontab)
{
    char *command = files_path(
        "'%s' --config '%s' import crontab - --user app --timezone UTC --yes < '%s'; test $? -eq 2",
        getenv("PGCHIME_TEST_BINARY") != NULL ? getenv("PGCHIME_TEST_BINARY") : PGCHIME_BINARY, configuration, folder);
    char *log = files_path("%s/log", folder);
    process_must_run((const char *const[]){"/bin/sh", "-c", command, NULL}, log);
    char *said = files_read(log);
    commands_has(said, "cannot read the standard input: Is a directory");
    free(said);
    free(command);
    free(log);
}
END_TEST

START_TEST(without_the_program_that_reads_crontabs_nothing_is_imported)
{
    const char *binary = getenv("PGCHIME_TEST_BINARY") != NULL ? getenv("PGCHIME_TEST_BINARY") : PGCHIME_BINARY;
    char *alone = files_path("%s/pgchime", folder);
    char *tools = files_path("%s/tools", folder);
    char *program = files_path("%s/read-crontab", tools);
    files_copy(binary, alone);
    files_write(file, "0 1 * * * psql -c 'SELECT 1'\n");
    ck_assert_int_eq(setenv("PGCHIME_TEST_BINARY", alone, 1), 0);
    PLAN(1, "--yes");
    commands_has(errors, "/libexec/pgchime/read-crontab cannot be started: No such file or directory");
    commands_has(errors, "HINT:  apt-get install python3 python3-psycopg2");
    files_make_folder(tools);
    files_write(program, "#!/bin/sh\necho '{\"entries\": [{}]}'\n");
    ck_assert_int_eq(chmod(program, 0700), 0);
    PLAN(1, "--yes");
    commands_has(errors, "read-crontab gave no answer that is understood");
    files_write(program, "#!/bin/sh\necho half; exit 3\n");
    PLAN(1, "--yes");
    commands_has(errors, "/tools/read-crontab: it ended with status 3");
    files_write(program, "#!/bin/sh\necho '{\"error\": \"a part is missing\", \"hint\": \"get it\"}'\n");
    PLAN(1, "--yes");
    commands_has(errors, "a part is missing");
    commands_has(errors, "HINT:  get it");
    EXPECT_SQL(cluster, JOBS, NULL);
    free(alone);
    free(tools);
    free(program);
}
END_TEST

START_TEST(a_job_of_a_crontab_runs)
{
    site = site_create(cluster, "app", 2);
    site_use_role(site, "pgchime");
    served = site_lead(site);
    cluster_execute(cluster, "CREATE TABLE effect (who text); GRANT ALL ON effect TO app");
    files_write(file, "* * * * * psql -c 'INSERT INTO effect SELECT session_user'\n");
    PLAN(0, "--yes");
    sql_jobs_await_taken(cluster, "insert-into-effect-select");
    sql_jobs_run(cluster, "insert-into-effect-select");
    EXPECT_SQL(cluster, "SELECT min(who) FROM effect", "app");
    daemon_destroy(served);
    site_destroy(site);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import_crontab");
    TCase *cases = tcase_create("import_crontab");
    tcase_add_unchecked_fixture(cases, start, stop);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_plan_says_what_becomes_of_each_line_and_changes_nothing);
    tcase_add_test(cases, lines_become_jobs_once);
    tcase_add_test(cases, what_the_user_of_a_crontab_may_not_do_is_shown);
    tcase_add_test(cases, a_line_in_another_zone_is_another_line);
    tcase_add_test(cases, a_further_name_of_the_server_has_a_port);
    tcase_add_test(cases, a_line_whose_job_fails_stays_with_cron);
    tcase_add_test(cases, a_line_whose_job_is_not_active_is_run_by_cron_alone);
    tcase_add_test(cases, names_that_are_taken_are_numbered);
    tcase_add_test(cases, a_system_crontab_says_whose_each_line_is);
    tcase_add_test(cases, the_standard_input_is_a_file_too);
    tcase_add_test(cases, a_standard_input_that_cannot_be_read_is_not_an_empty_crontab);
    tcase_add_test(cases, a_job_of_a_crontab_runs);
    tcase_add_test(cases, without_the_program_that_reads_crontabs_nothing_is_imported);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
