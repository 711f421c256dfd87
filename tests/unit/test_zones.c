/* SPDX-License-Identifier: PostgreSQL */
/* The folder of zones: names, what is refused and what is suggested, and files that become others. */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calendar/zone.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define SYSTEM "/usr/share/zoneinfo"

static char *folder; /* $TZDIR */
static struct zones *zones;

static void copy_zone(const char *from, const char *to)
{
    char *source = files_path("%s/%s", SYSTEM, from);
    char *target = files_path("%s/%s", folder, to);
    files_copy(source, target);
    free(source);
    free(target);
}

static void make_folder(const char *name)
{
    char *path = files_path("%s/%s", folder, name);
    files_make_folder(path);
    free(path);
}

static void set_up(void)
{
    folder = files_make_directory();
    make_folder("Europe");
    make_folder("America");
    make_folder("America/Argentina");
    make_folder("posix");
    copy_zone("Europe/Berlin", "Europe/Berlin");
    copy_zone("Europe/Lisbon", "Europe/Lisbon");
    copy_zone("America/New_York", "America/New_York");
    copy_zone("America/Argentina/Salta", "America/Argentina/Salta");
    copy_zone("Asia/Tokyo", "Japan");
    copy_zone("Asia/Tokyo", "posix/Nippon");
    setenv("TZDIR", folder, 1);
    zones = zones_create();
}

static void tear_down(void)
{
    zones_destroy(zones);
    free(folder);
}

static const struct zone *find(const char *name)
{
    struct error err = {.kind = ERROR_NONE};
    const struct zone *zone = NULL;
    ck_assert_msg(zones_find(zones, name, &zone, &err), "%s", err.message);
    return zone;
}

static struct error refuse(const char *name)
{
    struct error err = {.kind = ERROR_NONE};
    const struct zone *zone = NULL;
    ck_assert_msg(!zones_find(zones, name, &zone, &err), "%s", name);
    ck_assert_ptr_null(zone);
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_str_ne(err.hint, "");
    return err;
}

static void check_suggestion(const char *name, const char *hint)
{
    struct error err = refuse(name);
    ck_assert_msg(strstr(err.message, name) != NULL, "%s", err.message);
    ck_assert_str_eq(err.hint, hint);
}

START_TEST(a_zone_is_read_once_and_named_as_asked)
{
    const struct zone *berlin = find("Europe/Berlin");
    ck_assert_str_eq(zone_name(berlin), "Europe/Berlin");
    ck_assert_int_eq(zone_offset(berlin, 0), USEC_PER_HOUR);
    ck_assert_ptr_eq(find("Europe/Berlin"), berlin);
    ck_assert_ptr_ne(find("Europe/Lisbon"), berlin);
    ck_assert_int_eq(zone_offset(find("America/Argentina/Salta"), 0), -3 * USEC_PER_HOUR);
    ck_assert_ptr_eq(find("Europe/Berlin"), berlin);
    ck_assert_str_eq(zone_name(berlin), "Europe/Berlin");
}
END_TEST

START_TEST(utc_is_no_zone_and_needs_no_file)
{
    ck_assert_ptr_null(find("UTC"));
    ck_assert_ptr_null(find("Etc/UTC"));
    ck_assert(!zones_changed(zones));
}
END_TEST

START_TEST(any_zone_file_of_the_folder_may_be_named)
{
    copy_zone("Etc/GMT-14", "Etc_GMT-14");
    copy_zone("Etc/GMT+5", "Etc_GMT+5");
    copy_zone("Europe/Berlin", "posixrules");
    ck_assert_int_eq(zone_offset(find("Etc_GMT-14"), 0), 14 * USEC_PER_HOUR);
    ck_assert_int_eq(zone_offset(find("Etc_GMT+5"), 0), -5 * USEC_PER_HOUR);
    ck_assert_int_eq(zone_offset(find("posixrules"), 0), USEC_PER_HOUR);
    ck_assert_int_eq(zone_offset(find("posix/Nippon"), 0), 9 * USEC_PER_HOUR);
}
END_TEST

START_TEST(names_that_could_leave_the_folder_are_refused)
{
    static const char *const wrong[] = {
        "",
        "/",
        ".",
        "..",
        "../x",
        "Europe/../Japan",
        "/etc/passwd",
        "Europe/",
        "/Japan",
        "Europe//Berlin",
        "Europe/.",
        "Jap an",
        "Japan\n",
        "Jap.an",
        "~root",
        "$TZ",
        "Jap\xC3\xA4n",
        ":Japan",
        "Europe\\Berlin",
        "Europe/Berlin/",
        "A123456789012345678901234567890123456789012345678901234567890123",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct error err = refuse(wrong[i]);
        ck_assert_msg(strstr(err.message, "is not the name of a time zone") != NULL, "%s", err.message);
    }
    struct error err = refuse("A12345678901234567890123456789012345678901234567890123456789012");
    ck_assert_msg(strstr(err.message, "there is no time zone") != NULL, "%s", err.message);
}
END_TEST

START_TEST(what_was_meant_is_suggested)
{
    check_suggestion("europe/berlin", "did you mean \"Europe/Berlin\"?");
    check_suggestion("EUROPE/BERLIN", "did you mean \"Europe/Berlin\"?");
    check_suggestion("Europe/Berln", "did you mean \"Europe/Berlin\"?");
    check_suggestion("Berlin", "did you mean \"Europe/Berlin\"?");
    check_suggestion("salta", "did you mean \"America/Argentina/Salta\"?");
    check_suggestion("America/New York", "did you mean \"America/New_York\"?");
    check_suggestion("japan", "did you mean \"Japan\"?");
}
END_TEST

START_TEST(folders_that_hold_themselves_are_walked_to_an_end)
{
    char *path = files_path("%s/again", folder);
    ck_assert_int_eq(symlink(".", path), 0);
    check_suggestion("Europe/Lisbom", "did you mean \"Europe/Lisbon\"?");
    free(path);
}
END_TEST

START_TEST(without_anything_near_the_hint_says_where_names_are)
{
    char *hint = files_path("name it as its file below %s, such as Europe/Berlin", folder);
    check_suggestion("Middle_Earth/Bree", hint);
    check_suggestion("Nippon", hint); /* in a copy of the folder only */
    check_suggestion("CEST", hint);
    free(hint);
}
END_TEST

START_TEST(an_error_message_names_the_zone)
{
    ck_assert_str_eq(refuse("Europe/Paris").message, "there is no time zone \"Europe/Paris\"");
    ck_assert_str_eq(refuse("Japan/Tokyo").message, "there is no time zone \"Japan/Tokyo\"");
    ck_assert_str_eq(refuse("../x").message, "\"../x\" is not the name of a time zone");
    ck_assert_str_eq(refuse("Europe").message, "time zone \"Europe\" is not a file");
}
END_TEST

START_TEST(files_that_are_no_zones_are_refused)
{
    char *path = files_path("%s/text", folder);
    files_write(path, "CET-1CEST");
    ck_assert_str_eq(refuse("text").message, "time zone \"text\": it is not a TZif file");
    files_write(path, "");
    ck_assert_str_eq(refuse("text").message, "time zone \"text\": it is not a TZif file");
    ck_assert_int_eq(truncate(path, INT64_C(1) << 40), 0); /* a hole */
    ck_assert_str_eq(refuse("text").message, "time zone \"text\": the file has more than 262144 bytes");
    free(path);
    path = files_path("%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* that nobody writes to */
    ck_assert_str_eq(refuse("pipe").message, "time zone \"pipe\" is not a file");
    free(path);
    path = files_path("%s/circle", folder);
    ck_assert_int_eq(symlink("circle", path), 0);
    ck_assert_ptr_nonnull(strstr(refuse("circle").message, "time zone \"circle\" cannot be read: "));
    free(path);
    ck_assert(!zones_changed(zones));
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_named)
{
    setenv("TZDIR", "/nonexistent/zoneinfo", 1);
    struct zones *none = zones_create();
    const struct zone *zone = NULL;
    struct error err = {.kind = ERROR_NONE};
    ck_assert(!zones_find(none, "Europe/Berlin", &zone, &err));
    ck_assert_str_eq(err.message, "time zone \"Europe/Berlin\" cannot be read: /nonexistent/zoneinfo: No such file or "
                                  "directory");
    ck_assert_str_eq(err.hint, "install the package tzdata, or set TZDIR to the folder of its files");
    ck_assert(zones_find(none, "UTC", &zone, &err));
    ck_assert(!zones_find(none, "Europe/Berlin", &zone, NULL));
    ck_assert(!zones_find(none, "../x", &zone, &err));
    ck_assert_str_eq(err.hint, "name it as its file below /nonexistent/zoneinfo, such as Europe/Berlin");
    zones_destroy(none);
}
END_TEST

START_TEST(an_empty_tzdir_means_the_systems_folder)
{
    setenv("TZDIR", "", 1);
    struct zones *others = zones_create();
    const struct zone *zone = NULL;
    ck_assert(zones_find(others, "Asia/Tokyo", &zone, NULL));
    ck_assert_int_eq(zone_offset(zone, 0), 9 * USEC_PER_HOUR);
    zones_destroy(others);
    zones_destroy(NULL);
}
END_TEST

START_TEST(a_file_replaced_is_noticed)
{
    const struct zone *berlin = find("Europe/Berlin");
    find("Japan");
    ck_assert(!zones_changed(zones));
    copy_zone("Europe/Lisbon", "Europe/fresh");
    char *fresh = files_path("%s/Europe/fresh", folder);
    char *path = files_path("%s/Europe/Berlin", folder);
    ck_assert_int_eq(rename(fresh, path), 0);
    ck_assert(zones_changed(zones));
    ck_assert_int_eq(zone_offset(berlin, 0), USEC_PER_HOUR);
    ck_assert_ptr_eq(find("Europe/Berlin"), berlin);
    free(fresh);
    free(path);
}
END_TEST

START_TEST(a_file_written_to_touched_or_gone_is_noticed)
{
    char *path = files_path("%s/Japan", folder);
    find("Japan");
    files_append(path, "\n");
    ck_assert(zones_changed(zones));
    zones_destroy(zones);
    copy_zone("Asia/Tokyo", "Japan");
    zones = zones_create();
    find("Japan");
    ck_assert(!zones_changed(zones));
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1, .tv_nsec = 1}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    ck_assert(zones_changed(zones));
    zones_destroy(zones);
    zones = zones_create();
    find("Japan");
    ck_assert(!zones_changed(zones));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(zones_changed(zones));
    free(path);
}
END_TEST

START_TEST(a_link_is_followed_and_noticed_when_it_leads_elsewhere)
{
    char *path = files_path("%s/local", folder);
    ck_assert_int_eq(symlink("Japan", path), 0);
    ck_assert_int_eq(zone_offset(find("local"), 0), 9 * USEC_PER_HOUR);
    ck_assert(!zones_changed(zones));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("Europe/Berlin", path), 0);
    ck_assert(zones_changed(zones));
    free(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zones");
    TCase *tests = tcase_create("zones");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_zone_is_read_once_and_named_as_asked);
    tcase_add_test(tests, utc_is_no_zone_and_needs_no_file);
    tcase_add_test(tests, any_zone_file_of_the_folder_may_be_named);
    tcase_add_test(tests, names_that_could_leave_the_folder_are_refused);
    tcase_add_test(tests, what_was_meant_is_suggested);
    tcase_add_test(tests, folders_that_hold_themselves_are_walked_to_an_end);
    tcase_add_test(tests, without_anything_near_the_hint_says_where_names_are);
    tcase_add_test(tests, an_error_message_names_the_zone);
    tcase_add_test(tests, files_that_are_no_zones_are_refused);
    tcase_add_test(tests, a_folder_that_is_not_there_is_named);
    tcase_add_test(tests, an_empty_tzdir_means_the_systems_folder);
    tcase_add_test(tests, a_file_replaced_is_noticed);
    tcase_add_test(tests, a_file_written_to_touched_or_gone_is_noticed);
    tcase_add_test(tests, a_link_is_followed_and_noticed_when_it_leads_elsewhere);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
