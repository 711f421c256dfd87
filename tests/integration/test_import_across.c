/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime import pg_cron` from another database than ours, and from a dump: what is left when it is killed between two
 * steps, and that the same command ends it. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/import/cron.h"
#include "support/import/import_stage.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static PGconn *theirs; /* where pg_cron is */

static void start(void)
{
    import_stage_start();
    cluster_create_database(cluster, "cron_model");
    cluster_use(cluster, "cron_model");
    cron_make_tables(cluster);
    cluster_use(cluster, "postgres"); /* nobody may be in a model that is copied */
}

static void set_up(void)
{
    import_stage_copy("app", "model");
    import_stage_copy("other", "cron_model");
    import_stage_aim("other");
    theirs = cluster_connect(cluster, "other");
}

static void tear_down(void)
{
    PQfinish(theirs);
    import_stage_forget();
}

static void there(PGconn *session, const char *sql)
{
    PGresult *result = PQexec(session, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s",
                  sql, PQresultErrorMessage(result));
    PQclear(result);
}

static void expect_there(const char *sql, const char *value)
{
    PGresult *result = PQexec(theirs, sql);
    ck_assert_msg(PQntuples(result) == 1, "%s: %s", sql, PQresultErrorMessage(result));
    ck_assert_str_eq(PQgetvalue(result, 0, 0), value);
    PQclear(result);
}

static bool is_inactive_there(void)
{
    PGresult *result = PQexec(theirs, "SELECT active FROM cron.job WHERE jobid = 1");
    bool inactive = PQgetvalue(result, 0, 0)[0] == 'f';
    PQclear(result);
    return inactive;
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

static void add_job(void)
{
    there(theirs,
          "INSERT INTO cron.job (jobid, schedule, command, jobname) VALUES (1, '* * * * *', 'SELECT 1', 'tick')");
}

/* The command as a process that stops where it needs the row that `holder` has. */
static struct daemon *start_and_stop_at(PGconn *holder, const char *option)
{
    there(holder, "BEGIN");
    there(holder, "SELECT 1 FROM cron.job WHERE jobid = 1 FOR UPDATE");
    struct daemon *command = daemon_start(
        (const char *const[]){"--config", configuration, "import", "pg_cron", "--from", from, "--yes", option, NULL});
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime command'"
             " AND wait_event_type = 'Lock'",
             "1", 60);
    return command;
}

/* Its sessions wait for a lock, and would go on with their statement once they have it: a server that looks after its
 * clients (client_connection_check_interval) ends them by itself. */
static void kill_command(struct daemon *command)
{
    daemon_kill(command);
    daemon_destroy(command);
    there(theirs, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgchime command'");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime command'", "0", 60);
}

/* --- another database --------------------------------------------------------------------------------------------- */

START_TEST(a_job_of_another_database_runs_there_from_here)
{
    add_job();
    IMPORT(0, "--yes");
    expect("SELECT concat_ws('|', job_id, name, database, schedule, active) FROM chime.job",
           "1|postgres/tick|other|* * * * *|t");
    expect("SELECT i.state = 'taken' AND i.at = j.since AND s.last_slot = j.since FROM chime.imported i"
           " JOIN chime.job j USING (job_id) JOIN chime.job_state s USING (job_id)",
           "t");
    expect_there("SELECT active FROM cron.job", "f");
    IMPORT(0, "--yes");
    commands_has(errors, "nothing to import");
    IMPORT(0, "--rollback", "--yes");
    expect_there("SELECT active FROM cron.job", "t");
    expect("SELECT count(*) FROM chime.job WHERE active", "0");
    IMPORT(0, "--yes");
    expect("SELECT count(*) FROM chime.job WHERE job_id = 1 AND active", "1");
}
END_TEST

START_TEST(killed_before_pg_cron_let_go_it_is_pg_crons_and_can_be_taken)
{
    PGconn *holder = cluster_connect(cluster, "other");
    add_job();
    struct daemon *command = start_and_stop_at(holder, "-q");
    expect("SELECT state FROM chime.imported", "taking");
    kill_command(command);
    there(holder, "COMMIT");
    PQfinish(holder);
    expect_there("SELECT active FROM cron.job", "t");
    expect("SELECT count(*) FROM chime.job", "0");
    IMPORT(0, "--yes");
    expect_there("SELECT active FROM cron.job", "f");
    expect("SELECT state || ' ' || job_id FROM chime.imported", "taken 1");
    expect("SELECT count(*) FROM chime.job WHERE active", "1");
}
END_TEST

/* chime.finish_import is what needs job_state. */
START_TEST(killed_after_pg_cron_let_go_ours_counts_from_then)
{
    PGconn *holder = cluster_connect(cluster, "other");
    PGconn *blocker = cluster_connect(cluster, "app");
    add_job();
    struct daemon *command = start_and_stop_at(holder, "-q");
    there(blocker, "BEGIN; LOCK TABLE chime.job_state IN EXCLUSIVE MODE");
    there(holder, "COMMIT");
    WAIT_FOR(is_inactive_there(), 60);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime command' AND datname = 'app'"
             " AND wait_event_type = 'Lock'",
             "1", 60);
    kill_command(command);
    there(blocker, "ROLLBACK");
    expect("SELECT state FROM chime.imported", "taking");
    expect("SELECT count(*) FROM chime.job", "0");
    char *at = cluster_value(cluster, "SELECT at FROM chime.imported");
    IMPORT(0, "--yes", "-o", "json");
    commands_has(output, "\"finish\"");
    expect("SELECT since FROM chime.job WHERE active", at);
    expect("SELECT last_slot FROM chime.job_state", at);
    expect_there("SELECT active FROM cron.job", "f");
    free(at);
    PQfinish(holder);
    PQfinish(blocker);
}
END_TEST

START_TEST(killed_on_the_way_back_it_is_nobodys_until_rollback_ends)
{
    PGconn *holder = cluster_connect(cluster, "other");
    add_job();
    IMPORT(0, "--yes");
    struct daemon *command = start_and_stop_at(holder, "--rollback");
    expect("SELECT state FROM chime.imported", "returning");
    expect("SELECT count(*) FROM chime.job WHERE active", "0");
    kill_command(command);
    there(holder, "COMMIT");
    PQfinish(holder);
    expect_there("SELECT active FROM cron.job", "f");
    IMPORT(8, "--yes", "-o", "json");
    commands_has(output, "--rollback ends that");
    IMPORT(0, "--rollback", "--yes");
    commands_has(errors, "ran nowhere");
    expect_there("SELECT active FROM cron.job", "t");
    expect("SELECT state FROM chime.imported", "returned");
}
END_TEST

START_TEST(an_import_that_was_begun_goes_back_as_well)
{
    PGconn *holder = cluster_connect(cluster, "other");
    add_job();
    kill_command(start_and_stop_at(holder, "-q"));
    there(holder, "COMMIT");
    PQfinish(holder);
    there(theirs, "UPDATE cron.job SET active = false"); /* as if it had been taken */
    IMPORT(0, "--rollback", "--yes");
    expect_there("SELECT active FROM cron.job", "t");
    expect("SELECT count(*) FROM chime.imported", "0");
    expect("SELECT count(*) FROM chime.job", "0");
}
END_TEST

/* Its lock is waited for, and meanwhile the minute ends: pg_cron may have looked at the next one. */
START_TEST(held_up_past_the_minute_it_takes_the_job_in_another)
{
    PGconn *holder = cluster_connect(cluster, "other");
    add_job();
    WAIT_SQL(cluster, "SELECT extract(second FROM clock_timestamp()) BETWEEN 51 AND 52", "t", 80);
    struct daemon *command = start_and_stop_at(holder, "-q");
    char *at = cluster_value(cluster, "SELECT at FROM chime.imported");
    char *over = files_path("SELECT date_trunc('minute', clock_timestamp()) > '%s'", at);
    WAIT_SQL(cluster, over, "t", 9); /* it waits for a lock for ten seconds */
    there(holder, "COMMIT");
    ck_assert_int_eq(daemon_wait(command, 60), 0);
    daemon_destroy(command);
    PQfinish(holder);
    expect("SELECT date_trunc('minute', at) = date_trunc('minute', clock_timestamp())"
           " AND extract(second FROM at) >= 3 FROM chime.imported",
           "t");
    expect("SELECT j.since = i.at FROM chime.job j JOIN chime.imported i USING (job_id)", "t");
    free(at);
    free(over);
}
END_TEST

/* --- dumps -------------------------------------------------------------------------------------------------------- */

/* npm's PostgreSQL has none, and Debian's refuses a newer server. */
static char *find_pg_dump(void)
{
    const char *programs = getenv("PGCHIME_TEST_PGBIN");
    char *program = files_path("%s/pg_dump", programs != NULL ? programs : "/usr/lib/postgresql/15/bin");
    if (access(program, X_OK) == 0)
        return program;
    free(program);
    return NULL;
}

static char *dump(const char *format)
{
    char *folder = files_make_directory();
    char *path = files_path("%s/cron.sql", folder);
    char *log = files_path("%s/log", folder);
    char *program = find_pg_dump();
    process_must_run((const char *const[]){program, format, "--table", "cron.job", "-f", path, from, NULL}, log);
    free(program);
    free(log);
    free(folder);
    return path;
}

/* One that was written by hand: FOLDER/cron.sql. */
static char *make_dump(const char *columns, const char *rows)
{
    char *folder = files_make_directory();
    char *path = files_path("%s/cron.sql", folder);
    char *text = files_path("--\nCOPY cron.job (%s) FROM stdin;\n%s\\.\n", columns, rows);
    files_write(path, text);
    free(text);
    free(folder);
    return path;
}

#define DUMP(status, path, ...) ASSERT_RUN(status, "import", "pg_cron", "--dump", path, "--yes", __VA_ARGS__)

START_TEST(a_dump_that_is_not_utf_8_is_refused_by_line_and_column)
{
    char *path = make_dump("jobid, schedule, command, username, database",
                           "1\t@daily\tSELECT 1\tpostgres\tapp\n2\t@daily\tSELECT 2\tM\xfcller\tapp\n");
    DUMP(2, path, "-q");
    commands_has(errors, "cron.sql:4: column \"username\" is not UTF-8");
    commands_has(errors, "pg_dump --encoding=UTF8");
    files_write(path, "COPY cron.job (jobid, schedule, command, username, database) FROM stdin;\n"
                      "1\t@daily\tSELECT '\\374'\tpostgres\tapp\n\\.\n");
    DUMP(2, path, "-q");
    commands_has(errors, "cron.sql:2: column \"command\" is not UTF-8");
    expect("SELECT count(*) FROM chime.job", "0");
    free(path);
}
END_TEST

START_TEST(what_an_old_dump_had_goes_back_as_well)
{
    char *path = make_dump("jobid, schedule, command, username, database", "1\t@daily\tSELECT 1\tpostgres\tapp\n");
    DUMP(0, path, "-q");
    expect("SELECT count(*) FROM chime.job WHERE active", "1");
    DUMP(0, path, "--rollback");
    expect("SELECT count(*) FROM chime.job WHERE active OR removed_at IS NULL", "0");
    free(path);
}
END_TEST

START_TEST(a_dump_of_another_server_is_told_by_its_jobs_not_by_its_name)
{
    static const char columns[] = "jobid, schedule, command, username, database, active";
    char *ours = make_dump(columns, "5\t@daily\tSELECT 5\tpostgres\tapp\tt\n7\t@daily\tSELECT 7\tpostgres\tapp\tt\n");
    char *other = make_dump(columns, "5\t@daily\tSELECT 'other'\tpostgres\tapp\tt\n"
                                     "6\t@daily\tSELECT 6\tpostgres\tapp\tt\n"
                                     "7\t@daily\tSELECT 7\tpostgres\tapp\tf\n");
    char *renamed = files_path("%s.other", other);
    files_copy(other, renamed);
    DUMP(0, ours, "-q");
    DUMP(8, other, "-o", "json");
    commands_has(output, "had another job of this number: where this one is of another server, rename the file");
    commands_has(errors, "1 left out");
    expect("SELECT string_agg(command, ', ' ORDER BY job_id) FROM chime.job", "SELECT 5, SELECT 6, SELECT 7");
    DUMP(0, renamed, "-q");
    expect("SELECT string_agg(command, ', ' ORDER BY command) FROM chime.job",
           "SELECT 'other', SELECT 5, SELECT 6, SELECT 7");
    DUMP(0, other, "-q"); /* all of it is known by now */
    expect("SELECT count(*) FROM chime.job", "4");
    free(ours);
    free(other);
    free(renamed);
}
END_TEST

START_TEST(a_dump_has_the_jobs_byte_for_byte)
{
    there(theirs, "INSERT INTO cron.job (jobid, schedule, command, jobname, active) VALUES"
                  " (5, '0 3 * * *', E'SELECT ''a\\tb\\\\c'',\\n  ''\\u00e9\\r\\b''', 'odd', true), (6, '@daily', '', "
                  "NULL, false)");
    char *path = dump("--format=plain");
    ASSERT_RUN(0, "import", "pg_cron", "--dump", path, "--yes");
    commands_has(errors, "a dump stops nothing");
    expect(
        "SELECT command = E'SELECT ''a\\tb\\\\c'',\\n  ''\\u00e9\\r\\b''' FROM chime.job WHERE job_id = 5 AND active",
        "t");
    expect("SELECT count(*) FROM chime.job WHERE job_id = 6 AND NOT active", "1");
    expect_there("SELECT active FROM cron.job WHERE jobid = 5", "t");
    ASSERT_RUN(0, "import", "pg_cron", "--dump", path, "--yes");
    commands_has(errors, "nothing to import");
    char *again = files_path("%s.again", path);
    files_copy(path, again);
    ASSERT_RUN(0, "import", "pg_cron", "--dump", again, "--yes");
    commands_has(errors, "nothing to import");
    ASSERT_RUN(0, "import", "pg_cron", "--dump", path, "--rollback", "--yes");
    expect("SELECT count(*) FROM chime.job WHERE active OR removed_at IS NULL", "0");
    free(again);
    free(path);
}
END_TEST

START_TEST(the_zone_of_a_dump_is_told)
{
    there(theirs, "INSERT INTO cron.job (jobid, schedule, command) VALUES (5, '0 12 * * *', '')");
    char *path = dump("--format=plain");
    ASSERT_RUN(2, "import", "pg_cron", "--dump", path, "--timezone", "Europe/Berlim");
    commands_has(errors, "--timezone");
    ASSERT_RUN(0, "import", "pg_cron", "--dump", path, "--timezone", "Europe/Berlin", "--yes");
    expect("SELECT options FROM chime.job", "{\"timezone\": \"Europe/Berlin\"}");
    free(path);
}
END_TEST

START_TEST(a_file_that_is_no_such_dump_is_refused_by_its_line)
{
    ASSERT_RUN(2, "import", "pg_cron", "--dump", "/nowhere/x.sql", "--yes");
    commands_has(errors, "cannot read /nowhere/x.sql");
    char *custom = dump("--format=custom");
    ASSERT_RUN(2, "import", "pg_cron", "--dump", custom, "--yes");
    commands_has(errors, "pg_restore");
    files_write(custom, "SELECT 1;\n");
    ASSERT_RUN(2, "import", "pg_cron", "--dump", custom, "--yes");
    commands_has(errors, "there is no \"COPY cron.job");
    files_write(custom,
                "--\nCOPY cron.job (jobid, schedule, username, database) FROM stdin;\n1\t@daily\ta\tb\n2\t@daily\n");
    ASSERT_RUN(2, "import", "pg_cron", "--dump", custom, "--yes");
    commands_has(errors, "cron.sql:4: this is no row of cron.job");
    files_write(custom, "COPY cron.job (jobid, schedule, username, database) FROM stdin;\n1\t@daily\ta\tb\n");
    ASSERT_RUN(2, "import", "pg_cron", "--dump", custom, "--yes");
    commands_has(errors, "the file ends among the jobs");
    free(custom);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import_across");
    TCase *cases = tcase_create("import_across");
    tcase_set_timeout(cases, 240);
    tcase_add_unchecked_fixture(cases, start, stage_clear);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_job_of_another_database_runs_there_from_here);
    tcase_add_test(cases, killed_before_pg_cron_let_go_it_is_pg_crons_and_can_be_taken);
    tcase_add_test(cases, killed_after_pg_cron_let_go_ours_counts_from_then);
    tcase_add_test(cases, killed_on_the_way_back_it_is_nobodys_until_rollback_ends);
    tcase_add_test(cases, held_up_past_the_minute_it_takes_the_job_in_another);
    tcase_add_test(cases, an_import_that_was_begun_goes_back_as_well);
    tcase_add_test(cases, a_dump_that_is_not_utf_8_is_refused_by_line_and_column);
    tcase_add_test(cases, what_an_old_dump_had_goes_back_as_well);
    tcase_add_test(cases, a_dump_of_another_server_is_told_by_its_jobs_not_by_its_name);
    char *pg_dump = find_pg_dump();
    if (pg_dump == NULL)
        puts("there is no pg_dump beside this server: dumps are not tried with it");
    else {
        tcase_add_test(cases, a_dump_has_the_jobs_byte_for_byte);
        tcase_add_test(cases, the_zone_of_a_dump_is_told);
        tcase_add_test(cases, a_file_that_is_no_such_dump_is_refused_by_its_line);
    }
    free(pg_dump);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
