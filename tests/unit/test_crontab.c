/* SPDX-License-Identifier: PostgreSQL */
/* What `import crontab` knows by itself: the zone of this machine, and whether SQL of psql can be a job's. What psql
 * does is tools/read-crontab's (test_read_crontab.py). */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/crontab.h"
#include "cli/machine_zone.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct arena *arena;
static struct error err;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

START_TEST(the_zone_of_a_machine_is_named_or_asked_for)
{
    char *folder = files_make_directory();
    char *localtime_file = files_path("%s/localtime", folder);
    char *timezone_file = files_path("%s/timezone", folder);
    struct zones *zones = zones_create();
    ck_assert_str_eq(machine_zone(folder, zones, arena, &err), "UTC");
    files_write(localtime_file, "TZif2");
    ck_assert_ptr_null(machine_zone(folder, zones, arena, &err));
    ck_assert_str_eq(err.message, "this machine's time zone has no name");
    ck_assert_str_eq(err.hint, "name the zone that cron uses: --timezone ZONE");
    files_write(timezone_file, "\n");
    ck_assert_ptr_null(machine_zone(folder, zones, arena, &err));
    files_write(timezone_file, "Asia/Tokyo\n");
    ck_assert_str_eq(machine_zone(folder, zones, arena, &err), "Asia/Tokyo");
    files_write(timezone_file, "Europe/Berlim\n");
    ck_assert_ptr_null(machine_zone(folder, zones, arena, &err));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
    ck_assert_str_eq(
        err.message,
        arena_printf(arena, "this machine's time zone (%s): there is no time zone \"Europe/Berlim\"", timezone_file));
    ck_assert_str_eq(err.hint, "name the zone that cron uses: --timezone ZONE");
    ck_assert_int_eq(unlink(localtime_file), 0);
    ck_assert_int_eq(symlink("../usr/share/zoneinfo/Europe/Berlin", localtime_file), 0);
    ck_assert_str_eq(machine_zone(folder, zones, arena, &err), "Europe/Berlin");
    ck_assert_int_eq(unlink(localtime_file), 0);
    ck_assert_int_eq(symlink("/usr/share/zoneinfo/Nowhere", localtime_file), 0);
    ck_assert_ptr_null(machine_zone(folder, zones, arena, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "/localtime): there is no time zone \"Nowhere\""));
    zones_destroy(zones);
    free(folder);
    free(localtime_file);
    free(timezone_file);
}
END_TEST

static void is_refused(const char *sql, const char *part)
{
    ck_assert_msg(!crontab_sql_check(sql, &err), "%s", sql);
    ck_assert_msg(err.kind == ERROR_REFUSED && strstr(err.message, part) != NULL, "%s: %s", sql, err.message);
}

static void is_taken(const char *sql)
{
    ck_assert_msg(crontab_sql_check(sql, &err), "%s: %s", sql, err.message);
}

START_TEST(sql_that_a_job_cannot_run_is_refused)
{
    is_refused("", "nothing to run");
    is_refused("-- no", "nothing to run");
    is_refused("\\copy t to stdout", "commands of psql");
    is_refused("\\set x 1\nSELECT 1;", "commands of psql");
    is_refused("COPY t FROM STDIN", "copies from its input");
    is_refused("SELECT f() -- x;\n;\nCHECKPOINT; VACUUM t", "vacuum cannot be in one");
    is_refused("SELECT 1\n;\nVACUUM t", "vacuum cannot be in one");
    is_taken("VACUUM t");
    is_taken("SELECT '\\x', E'\\n'");
    is_taken("COPY t TO STDOUT");
}
END_TEST

static const char *difference_of(const char *sql, bool apart, bool stops)
{
    const struct crontab_entry entry = {.sql = sql, .apart = apart, .stops = stops};
    return crontab_sql_difference(&entry, arena);
}

START_TEST(statements_that_become_one_transaction_are_told)
{
    ck_assert_ptr_null(difference_of("SELECT 1; SELECT 2", false, false));
    ck_assert_ptr_null(difference_of("SELECT 1;", true, false));
    ck_assert_str_eq(difference_of("SELECT 1\n;\nSELECT 2", true, false),
                     "its 2 statements are one transaction here; psql ran each by itself, and went on after an error");
    ck_assert_str_eq(difference_of("SELECT 1;\nSELECT 2;", true, true),
                     "its 2 statements are one transaction here; psql ran each by itself");
    ck_assert_ptr_null(difference_of("BEGIN;\nSELECT 1;\nCOMMIT;", true, false));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crontab");
    TCase *cases = tcase_create("crontab");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, the_zone_of_a_machine_is_named_or_asked_for);
    tcase_add_test(cases, sql_that_a_job_cannot_run_is_refused);
    tcase_add_test(cases, statements_that_become_one_transaction_are_told);
    suite_add_tcase(suite, cases);
    return suite_run(suite) != 0;
}
