/* crontab(5) taken apart, and what its lines have psql do. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/crontab.h"
#include "cli/machine_zone.h"
#include "cli/psql_command.h"
#include "support/files.h"
#include "support/suite.h"

static struct arena *arena;
static struct crontab crontab;
static struct psql_command command;
static struct error err;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

static const struct crontab_entry *entry_of(const char *text, bool system)
{
    crontab = crontab_read(text, system, arena);
    ck_assert_uint_eq(crontab.entry_count, 1);
    return &crontab.entries[0];
}

/* --- lines ------------------------------------------------------------------------------------------------------------------ */

START_TEST(fields_and_command_are_parted)
{
    const struct crontab_entry *entry = entry_of("# a comment\n\n  */5\t0-6  * jan mon \t psql -c 'SELECT 1'  \n",
                                                 false);
    ck_assert_int_eq(entry->line, 3);
    ck_assert_str_eq(entry->schedule, "*/5 0-6 * jan mon");
    ck_assert_str_eq(entry->command, "psql -c 'SELECT 1'  ");
    ck_assert_ptr_null(entry->user);
    ck_assert_ptr_null(entry->input);
    ck_assert_ptr_null(entry->problem);
    entry = entry_of("@daily psql\r\n", false);
    ck_assert_str_eq(entry->schedule, "@daily");
    ck_assert_str_eq(entry->command, "psql");
}
END_TEST

START_TEST(a_system_crontab_names_a_user)
{
    const struct crontab_entry *entry = entry_of("0 3 * * * postgres psql -c x", true);
    ck_assert_str_eq(entry->user, "postgres");
    ck_assert_str_eq(entry->command, "psql -c x");
    ck_assert_ptr_nonnull(entry_of("0 3 * * * psql", true)->problem);
}
END_TEST

START_TEST(a_line_that_is_cut_short_has_a_problem)
{
    ck_assert_ptr_nonnull(entry_of("0 3 * * *", false)->problem);
    ck_assert_ptr_nonnull(entry_of("0 3", false)->problem);
    ck_assert_ptr_nonnull(entry_of("@daily", false)->problem);
}
END_TEST

START_TEST(a_setting_counts_for_the_lines_below_it)
{
    crontab = crontab_read("@daily one\nPGHOST=a\n@daily two\n PGHOST = \"b c\" \n'MAILTO'=''\n@daily three\n", false,
                           arena);
    ck_assert_uint_eq(crontab.entry_count, 3);
    ck_assert_uint_eq(crontab.setting_count, 3);
    ck_assert_ptr_null(crontab_value(&crontab, &crontab.entries[0], "PGHOST"));
    ck_assert_str_eq(crontab_value(&crontab, &crontab.entries[1], "PGHOST"), "a");
    ck_assert_str_eq(crontab_value(&crontab, &crontab.entries[2], "PGHOST"), "b c");
    ck_assert_str_eq(crontab_value(&crontab, &crontab.entries[2], "MAILTO"), "");
}
END_TEST

START_TEST(a_percent_begins_the_input_and_ends_its_lines)
{
    const struct crontab_entry *entry = entry_of("@daily psql -d app%SELECT 1;%SELECT 2 \\% 2;\n", false);
    ck_assert_str_eq(entry->command, "psql -d app");
    ck_assert_str_eq(entry->input, "SELECT 1;\nSELECT 2 % 2;\n");
    entry = entry_of("@daily psql -c \"SELECT 5 \\% 2, '\\\\n'\" \\%\n", false);
    ck_assert_str_eq(entry->command, "psql -c \"SELECT 5 % 2, '\\\\n'\" %");
    ck_assert_ptr_null(entry->input);
    ck_assert_str_eq(entry_of("@daily x\\", false)->command, "x\\");
}
END_TEST

START_TEST(a_backslash_that_is_escaped_escapes_no_percent)
{
    const struct crontab_entry *entry = entry_of("@daily psql -c 'x\\\\%SELECT 1;\n", false);
    ck_assert_str_eq(entry->command, "psql -c 'x\\\\");
    ck_assert_str_eq(entry->input, "SELECT 1;\n");
    entry = entry_of("@daily x \\\\\\%", false);
    ck_assert_str_eq(entry->command, "x \\\\%");
    ck_assert_ptr_null(entry->input);
    ck_assert_str_eq(entry_of("@daily x%a\\\\%b", false)->input, "a\\%b\n");
}
END_TEST

/* --- the machine ------------------------------------------------------------------------------------------------------------ */

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
    ck_assert_str_eq(err.hint, "say by which cron goes: --timezone ZONE");
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
    ck_assert_str_eq(err.hint, "say by which cron goes: --timezone ZONE");
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

/* --- commands --------------------------------------------------------------------------------------------------------------- */

static bool reads_as(const char *text, const struct psql_author *author)
{
    const struct crontab_entry *entry = entry_of(text, false);
    return psql_command_read(&crontab, entry, author, arena, &command, &err);
}

static bool reads(const char *text)
{
    return reads_as(text, &(struct psql_author){.known = true, .uid = geteuid()});
}

static bool is_kept_from(const char *text, bool known, uid_t uid)
{
    return !reads_as(text, &(struct psql_author){.known = known, .uid = uid}) &&
           strstr(err.message, ": the crontab's user may not be able to read it") != NULL;
}

static void has_sql(const char *text, const char *sql)
{
    ck_assert_msg(reads(text), "%s: %s", text, err.message);
    ck_assert_str_eq(command.sql, sql);
}

static void is_at(const char *text, const char *host, const char *port, const char *database, const char *user)
{
    ck_assert_msg(reads(text), "%s: %s", text, err.message);
    ck_assert_pstr_eq(command.host, host);
    ck_assert_pstr_eq(command.port, port);
    ck_assert_pstr_eq(command.database, database);
    ck_assert_pstr_eq(command.user, user);
}

static void refuses(const char *text, enum error_kind kind, const char *part)
{
    ck_assert_msg(!reads(text), "%s", text);
    ck_assert_msg(err.kind == kind && strstr(err.message, part) != NULL, "%s: %d %s", text, (int)err.kind, err.message);
}

START_TEST(sql_comes_from_options_and_input)
{
    has_sql("@daily psql -c 'SELECT 1;'", "SELECT 1;");
    has_sql("@daily /usr/bin/psql --command=VACUUM -qAt >/dev/null 2>&1", "VACUUM");
    has_sql("@daily psql -Xqc 'SELECT 1' --command 'SELECT 2'", "SELECT 1\n;\nSELECT 2");
    has_sql("@daily psql -c 'SELECT 1;' -c 'SELECT 2 -- two'", "SELECT 1;\n;\nSELECT 2 -- two");
    has_sql("@daily psql -c 'SELECT f() -- x;' -c 'SELECT 2'", "SELECT f() -- x;\n;\nSELECT 2");
    has_sql("@daily psql -d app%SELECT 1;%SELECT 2;", "SELECT 1;\nSELECT 2;");
    has_sql("@daily psql -f - app%SELECT 1;", "SELECT 1;");
    has_sql("@daily psql -c 'SELECT 1'%SELECT 2;", "SELECT 1");
}
END_TEST

START_TEST(sql_comes_from_files)
{
    char *folder = files_make_directory();
    char *path = files_path("%s/nightly report.sql", folder);
    char *text = files_path("@daily psql -f '%s' -c 'SELECT 2'", path);
    files_write(path, "-- of the night\nSELECT 1;\n");
    has_sql(text, "-- of the night\nSELECT 1;\n;\nSELECT 2");
    ck_assert_str_eq(command.name, "nightly report");
    const struct psql_author author = {.home = folder, .known = true, .uid = geteuid()};
    ck_assert_msg(reads_as("@daily psql -f 'nightly report.sql'", &author), "%s", err.message);
    ck_assert_str_eq(command.sql, "-- of the night\nSELECT 1;");
    refuses("@daily psql -f report.sql", ERROR_REFUSED, "home folder");
    refuses("@daily psql -f /nonexistent/x.sql", ERROR_REFUSED, "/nonexistent/x.sql: ");
    free(folder);
    free(path);
    free(text);
}
END_TEST

START_TEST(a_file_that_its_user_cannot_read_is_not_read_for_him)
{
    char *folder = files_make_directory();
    char *path = files_path("%s/secret", folder);
    char *link = files_path("%s/link", folder);
    char *text = files_path("@daily psql -f %s", path);
    char *linked = files_path("@daily psql -f %s", link);
    uid_t other = geteuid() + 1;
    files_write(path, "SELECT 1");
    ck_assert_int_eq(symlink(path, link), 0);
    ck_assert(reads(text));
    ck_assert(is_kept_from(text, true, other));
    ck_assert(is_kept_from(linked, true, other));
    ck_assert(is_kept_from(text, false, geteuid()));
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_msg(is_kept_from(text, true, other), "its folder is closed to others");
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(chmod(path, 0604), 0);
    ck_assert_msg(is_kept_from(text, true, other), "its group may be one of the user's");
    ck_assert(!is_kept_from("@daily psql -f /etc/passwd", true, other));
    ck_assert(!is_kept_from("@daily psql -f /etc/passwd", true, 0));
    ck_assert(is_kept_from("@daily psql -f /etc/passwd", false, 0));
    free(folder);
    free(path);
    free(link);
    free(text);
    free(linked);
}
END_TEST

/* Opening alone does something to many a device. */
START_TEST(what_is_not_to_be_read_is_not_opened)
{
    char *folder = files_make_directory();
    char *pipe_path = files_path("%s/pipe", folder);
    char *secret = files_path("%s/secret", folder);
    char event[sizeof(struct inotify_event) + 256];
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    files_write(secret, "SELECT 1");
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    ck_assert_int_ge(inotify_add_watch(watch, folder, IN_OPEN), 0);
    refuses(arena_printf(arena, "@daily psql -f %s", pipe_path), ERROR_REFUSED, "not a regular file but a pipe");
    ck_assert(is_kept_from(arena_printf(arena, "@daily psql -f %s", secret), true, geteuid() + 1));
    ck_assert_msg(read(watch, event, sizeof event) < 0, "something was opened");
    ck_assert(reads(arena_printf(arena, "@daily psql -f %s", secret)));
    ck_assert_msg(read(watch, event, sizeof event) > 0, "what is read is opened");
    close(watch);
    free(folder);
    free(pipe_path);
    free(secret);
}
END_TEST

START_TEST(where_it_goes_is_what_psql_would_take)
{
    is_at("@daily psql -c x", NULL, NULL, NULL, NULL);
    is_at("@daily psql -h db1 -p 5433 -U app -d shop -c x", "db1", "5433", "shop", "app");
    is_at("@daily psql --host=db1 --username app -c x shop", "db1", NULL, "shop", "app");
    is_at("@daily psql -c x shop app", NULL, NULL, "shop", "app");
    is_at("@daily psql -h db1 -U app 'host=db2 dbname=shop' -c x", "db2", NULL, "shop", "app");
    is_at("@daily psql postgresql://app@db3:5434/shop -c x", "db3", "5434", "shop", "app");
    is_at("PGDATABASE=shop\nPGUSER=app\n@daily PGHOST=db4 psql -U other -c x", "db4", NULL, "shop", "other");
    refuses("@daily PGSERVICE=x psql -c x", ERROR_REFUSED, "PGSERVICE is set for it");
    refuses("PGTZ=CET\n@daily psql -c x", ERROR_REFUSED, "PGTZ is set for it");
    refuses("@daily psql service=x -c x", ERROR_REFUSED, "service");
    refuses("@daily psql \"dbname=x options='-c role=a'\" -c x", ERROR_REFUSED, "its conninfo has options");
    is_at("@daily psql \"dbname=x options=''\" -c x", NULL, NULL, "x", NULL);
    refuses("@daily psql 'dbname=x nonsense' -c x", ERROR_REFUSED, "missing \"=\"");
}
END_TEST

START_TEST(what_is_no_psql_is_told_from_what_is_refused)
{
    refuses("@daily /usr/bin/backup --all", ERROR_NOT_FOUND, "not a psql command");
    refuses("@daily cd / && make", ERROR_NOT_FOUND, "not a psql command");
    refuses("@daily echo psql", ERROR_NOT_FOUND, "not a psql command");
    refuses("@daily pgpsql -c x", ERROR_NOT_FOUND, "not a psql command");
    refuses("@daily cd /srv && psql -c x", ERROR_REFUSED, "& a second command");
    refuses("@daily psql -c x | mail", ERROR_REFUSED, "| a pipe");
    refuses("@daily sudo -u postgres psql -c x", ERROR_REFUSED, "psql is started by sudo there");
    refuses("@daily PGUSER=a /usr/bin/timeout 60 /usr/bin/psql -c x", ERROR_REFUSED,
            "psql is started by timeout there");
    refuses("@daily nice psql -c x", ERROR_REFUSED, "psql is started by nice there");
    refuses("@daily env PGUSER=a psql -c x", ERROR_REFUSED, "psql is started by env there");
    refuses("@daily su postgres -c 'psql -c x'", ERROR_REFUSED, "psql is started by su there");
    refuses("@daily sudo backup-psql /etc/psql.conf", ERROR_NOT_FOUND, "not a psql command");
}
END_TEST

START_TEST(options_without_an_equal_are_refused)
{
    refuses("@daily psql -l", ERROR_REFUSED, "--list is nothing for a job");
    refuses("@daily psql -W -c x", ERROR_REFUSED, "--password is nothing for a job");
    refuses("@daily psql -v day=1 -c x", ERROR_REFUSED, "variables of psql");
    refuses("@daily psql -o /tmp/x -c x", ERROR_REFUSED, "its output goes to a file");
    refuses("@daily psql --nonsense -c x", ERROR_REFUSED, "would not take its options");
    refuses("@daily psql -c", ERROR_REFUSED, "would not take its options");
    refuses("@daily psql -c x a b c", ERROR_REFUSED, "last words");
    has_sql("@daily psql -o /dev/null --csv -P pager=off -F , -c x", "x");
}
END_TEST

START_TEST(sql_that_a_job_cannot_run_is_refused)
{
    refuses("@daily psql", ERROR_REFUSED, "nothing to run");
    refuses("@daily psql -c '-- no'", ERROR_REFUSED, "nothing to run");
    refuses("@daily psql -c '\\copy t to stdout'", ERROR_REFUSED, "commands of psql");
    refuses("@daily psql%\\set x 1%SELECT 1;", ERROR_REFUSED, "commands of psql");
    refuses("@daily psql -c 'COPY t FROM STDIN'%1", ERROR_REFUSED, "copies from its input");
    refuses("@daily psql -c 'SELECT f() -- x;' -c 'CHECKPOINT; VACUUM t'", ERROR_REFUSED, "vacuum cannot be in one");
    refuses("@daily psql -c 'SELECT 1' -c 'VACUUM t'", ERROR_REFUSED, "vacuum cannot be in one");
    has_sql("@daily psql -c \"SELECT '\\x', E'\\\\n'\"", "SELECT '\\x', E'\\n'");
    has_sql("@daily psql -c 'COPY t TO STDOUT'", "COPY t TO STDOUT");
}
END_TEST

START_TEST(statements_that_become_one_transaction_are_told)
{
    ck_assert(reads("@daily psql -c 'SELECT 1; SELECT 2'"));
    ck_assert_ptr_null(command.differs);
    ck_assert(reads("@daily psql -c 'SELECT 1' -c 'SELECT 2'"));
    ck_assert_str_eq(command.differs,
                     "its 2 statements are one transaction here; psql ran each by itself, and went on after an error");
    ck_assert(reads("@daily psql -v ON_ERROR_STOP=1%SELECT 1;%SELECT 2;"));
    ck_assert_str_eq(command.differs, "its 2 statements are one transaction here; psql ran each by itself");
    static const char *const offs[] = {"0", "off", "OFF", "no", "n", "false", "F"};
    for (size_t i = 0; i < COUNT_OF(offs); i++) {
        ck_assert(reads(arena_printf(arena, "@daily psql -v ON_ERROR_STOP=%s%%SELECT 1;%%SELECT 2;", offs[i])));
        ck_assert_msg(strstr(command.differs, "went on after an error") != NULL, "%s", offs[i]);
    }
    static const char *const ons[] = {"1", "on", "ON", "yes", "true", ""};
    for (size_t i = 0; i < COUNT_OF(ons); i++) {
        ck_assert(reads(arena_printf(arena, "@daily psql -v ON_ERROR_STOP=%s%%SELECT 1;%%SELECT 2;", ons[i])));
        ck_assert_msg(strstr(command.differs, "went on after an error") == NULL, "%s", ons[i]);
    }
    ck_assert(reads("@daily psql -1 -c 'SELECT 1' -c 'SELECT 2'"));
    ck_assert_ptr_null(command.differs);
    ck_assert(reads("@daily psql%BEGIN;%SELECT 1;%COMMIT;"));
    ck_assert_ptr_null(command.differs);
}
END_TEST

START_TEST(a_name_is_of_the_first_words)
{
    ck_assert(reads("@daily psql -c 'DELETE FROM  shop.\"Event\" WHERE old'"));
    ck_assert_str_eq(command.name, "delete-from-shop-event");
    ck_assert(reads("@daily psql -c 'VACUUM'"));
    ck_assert_str_eq(command.name, "vacuum");
    ck_assert(reads("@daily psql -c '/* x */ CALL totals();'"));
    ck_assert_str_eq(command.name, "call-totals");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crontab");
    TCase *cases = tcase_create("crontab");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, fields_and_command_are_parted);
    tcase_add_test(cases, a_system_crontab_names_a_user);
    tcase_add_test(cases, a_line_that_is_cut_short_has_a_problem);
    tcase_add_test(cases, a_setting_counts_for_the_lines_below_it);
    tcase_add_test(cases, a_percent_begins_the_input_and_ends_its_lines);
    tcase_add_test(cases, a_backslash_that_is_escaped_escapes_no_percent);
    tcase_add_test(cases, the_zone_of_a_machine_is_named_or_asked_for);
    tcase_add_test(cases, sql_comes_from_options_and_input);
    tcase_add_test(cases, sql_comes_from_files);
    tcase_add_test(cases, a_file_that_its_user_cannot_read_is_not_read_for_him);
    tcase_add_test(cases, what_is_not_to_be_read_is_not_opened);
    tcase_add_test(cases, where_it_goes_is_what_psql_would_take);
    tcase_add_test(cases, what_is_no_psql_is_told_from_what_is_refused);
    tcase_add_test(cases, options_without_an_equal_are_refused);
    tcase_add_test(cases, sql_that_a_job_cannot_run_is_refused);
    tcase_add_test(cases, statements_that_become_one_transaction_are_told);
    tcase_add_test(cases, a_name_is_of_the_first_words);
    suite_add_tcase(suite, cases);
    return suite_run(suite) != 0;
}
