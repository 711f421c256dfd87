/* SPDX-License-Identifier: PostgreSQL */
/* What a zone's file may hold, and what is refused. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calendar/zone.h"
#include "support/process/instants.h"
#include "support/process/suite.h"
#include "support/schedule/tzif.h"

#define HOUR 3600

/* --- files -------------------------------------------------------------------------------------------------------- */

START_TEST(a_file_of_version_1_ends_with_its_last_transition)
{
    struct tzif file = tzif_berlin;
    file.version = '\0';
    file.transitions[0].at = -2000000000; /* 32 bits reach to 1901 */
    struct zone *zone = tzif_read(&file);
    ck_assert_str_eq(zone_abbreviation(zone, at("1900-01-01")), "LMT");
    ck_assert_str_eq(zone_abbreviation(zone, at("1980-07-01")), "CEST");
    ck_assert_str_eq(zone_abbreviation(zone, at("1980-12-01")), "CET");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-12-01")), "CEST");
    ck_assert_int_eq(zone_next_change(zone, at("1981-07-01")), INSTANT_NEVER);
    ck_assert_instant(zone_last_change(zone, at("2026-01-01")), "1981-03-29T01:00:00Z");
    zone_drop(zone);
}
END_TEST

START_TEST(versions_1_to_4_are_known)
{
    for (int version = 0; version < 256; version++) {
        struct tzif file = tzif_berlin;
        file.version = (char)version;
        file.transitions[0].at = -2000000000;
        if (version == 0 || (version >= '2' && version <= '4')) {
            zone_drop(tzif_read(&file));
        } else {
            tzif_check_refused(&file, "version");
        }
    }
}
END_TEST

START_TEST(the_block_of_64_bits_counts_whatever_the_first_one_holds)
{
    struct tzif first = tzif_berlin;
    first.version = '\0';
    first.types[0].offset = 77 * HOUR;
    first.transitions[0].at = 5;
    first.leap_count = 3;
    uint8_t bytes[2 * TZIF_SIZE_MAX];
    uint8_t second[TZIF_SIZE_MAX];
    size_t size = tzif_write(&first, bytes);
    size_t second_size = tzif_write(&tzif_berlin, second) - TZIF_HEADER_SIZE;
    bytes[4] = '2';
    memcpy(bytes + size, second + TZIF_HEADER_SIZE, second_size);
    struct zone *zone = tzif_read_bytes(bytes, size + second_size);
    ck_assert_int_eq(zone_offset(zone, at("1800-01-01")), 3208 * USEC_PER_SEC);
    zone_drop(zone);
    tzif_check_refused_bytes(bytes, size, "not a TZif file");
    tzif_check_refused_bytes(bytes, size - 1, "shorter than its counts");
}
END_TEST

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void check_every_prefix(const uint8_t *bytes, size_t size)
{
    for (size_t length = 0; length < size; length++) {
        tzif_check_refused_bytes(bytes, length, "");
    }
    zone_drop(tzif_read_bytes(bytes, size));
}

START_TEST(a_file_cut_anywhere_is_refused)
{
    uint8_t bytes[TZIF_SIZE_MAX];
    check_every_prefix(bytes, tzif_write(&tzif_berlin, bytes));
    struct tzif file = tzif_berlin;
    file.version = '\0';
    file.transitions[0].at = -2000000000;
    check_every_prefix(bytes, tzif_write(&file, bytes));
}
END_TEST

START_TEST(bytes_after_the_end_are_refused)
{
    uint8_t bytes[TZIF_SIZE_MAX + 1] = {0};
    size_t size = tzif_write(&tzif_berlin, bytes);
    tzif_check_refused_bytes(bytes, size + 1, "footer");
    struct tzif file = tzif_berlin;
    file.version = '\0';
    file.transitions[0].at = -2000000000;
    size = tzif_write(&file, bytes);
    tzif_check_refused_bytes(bytes, size + 1, "after the file's end");
}
END_TEST

START_TEST(a_wrong_count_is_refused)
{
    static const enum tzif_count counts[] = {TZIF_UT_FLAGS,    TZIF_STANDARD_FLAGS, TZIF_LEAPS,
                                             TZIF_TRANSITIONS, TZIF_TYPES,          TZIF_ABBREVIATIONS};
    static const uint32_t right[] = {3, 3, 0, 4, 3, 13};
    uint8_t bytes[TZIF_SIZE_MAX];
    size_t size = tzif_write(&tzif_berlin, bytes);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        const uint32_t wrong[] = {0, right[i] - 1, right[i] + 1, 255, 256, 257, 0x7FFFFFFF, 0x80000000, UINT32_MAX};
        for (size_t j = 0; j < COUNT_OF(wrong); j++) {
            if (wrong[j] != right[i]) {
                tzif_set_count(bytes + TZIF_HEADER_SIZE, counts[i], wrong[j]);
                tzif_check_refused_bytes(bytes, size, "");
            }
        }
        tzif_set_count(bytes + TZIF_HEADER_SIZE, counts[i], right[i]);
        tzif_set_count(bytes, counts[i], UINT32_MAX);
        tzif_check_refused_bytes(bytes, size, "shorter than its counts");
        tzif_set_count(bytes, counts[i], 0);
    }
    zone_drop(tzif_read_bytes(bytes, size));
}
END_TEST

START_TEST(counts_that_do_not_fit_each_other_are_named)
{
    struct tzif file = tzif_berlin;
    file.standard_flag_count = 2;
    tzif_check_refused(&file, "flags");
    file = tzif_berlin;
    file.ut_flag_count = 1;
    tzif_check_refused(&file, "flags");
    file = (struct tzif){.version = '2', .abbreviations = "LMT"};
    tzif_check_refused(&file, "0 local time types");
}
END_TEST

START_TEST(leap_seconds_are_refused_with_the_way_out)
{
    struct tzif file = tzif_berlin;
    file.leap_count = 27;
    uint8_t bytes[TZIF_SIZE_MAX];
    struct error err = {.kind = ERROR_NONE};
    ck_assert_ptr_null(zone_read("right/Europe/Berlin", bytes, tzif_write(&file, bytes), &err));
    ck_assert_str_eq(err.message, "time zone \"right/Europe/Berlin\": the file counts leap seconds");
    ck_assert_str_eq(err.hint, "choose the zone of the same name without \"right/\"");
}
END_TEST

START_TEST(transitions_out_of_order_are_refused)
{
    struct tzif file = tzif_berlin;
    file.transitions[2].at = file.transitions[1].at;
    tzif_check_refused(&file, "ascending");
    file.transitions[2].at--;
    tzif_check_refused(&file, "ascending");
    file = tzif_berlin;
    file.transitions[3].at = INT64_MIN;
    tzif_check_refused(&file, "ascending");
}
END_TEST

START_TEST(a_type_that_is_not_there_is_refused)
{
    struct tzif file = tzif_berlin;
    file.transitions[0].type = 3;
    tzif_check_refused(&file, "a local time type that is not there");
    file.transitions[0].type = 255;
    tzif_check_refused(&file, "a local time type that is not there");
}
END_TEST

START_TEST(local_times_too_far_from_utc_are_refused)
{
    static const int32_t wrong[] = {-25 * HOUR, 26 * HOUR, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct tzif file = tzif_berlin;
        file.types[1].offset = wrong[i];
        tzif_check_refused(&file, "from UTC");
    }
    struct tzif file = tzif_berlin;
    file.types[0].offset = -25 * HOUR + 1;
    file.types[1].offset = 26 * HOUR - 1;
    zone_drop(tzif_read(&file));
}
END_TEST

START_TEST(damaged_types_are_refused)
{
    struct tzif file = tzif_berlin;
    file.types[2].is_daylight = 2;
    tzif_check_refused(&file, "daylight saving");
    file = tzif_berlin;
    file.types[2].abbreviation = 13;
    tzif_check_refused(&file, "abbreviation");
    file.version = '\0';
    file.transitions[0].at = -2000000000;
    file.standard_flag_count = 0;
    file.ut_flag_count = 0;
    tzif_check_refused(&file, "abbreviation"); /* whose bytes would be those after the file */
    file = tzif_berlin;
    file.types[2].abbreviation = 12; /* the NUL of the last */
    tzif_check_refused(&file, "abbreviation");
    file = tzif_berlin;
    file.abbreviations = "LMT|C T|CEST";
    tzif_check_refused(&file, "abbreviation");
    file.abbreviations = "LMT|CET|CES\n";
    tzif_check_refused(&file, "abbreviation");
    uint8_t bytes[TZIF_SIZE_MAX];
    size_t size = tzif_write(&tzif_berlin, bytes);
    uint8_t *end = memmem(bytes, size, "CEST", 5);
    ck_assert_ptr_nonnull(end);
    end[4] = 'X';
    tzif_check_refused_bytes(bytes, size, "abbreviation has no end");
}
END_TEST

START_TEST(files_too_large_are_refused)
{
    uint8_t *bytes = xcalloc(1, ZONE_FILE_LIMIT + 1);
    tzif_write(&tzif_berlin, bytes);
    tzif_check_refused_bytes(bytes, ZONE_FILE_LIMIT + 1, "more than 262144 bytes");
    tzif_check_refused_bytes(bytes, ZONE_FILE_LIMIT, "footer");
    free(bytes);
}
END_TEST

START_TEST(an_error_may_be_of_no_interest)
{
    ck_assert_ptr_null(zone_read("Test/Zone", "", 0, NULL));
    zone_drop(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone_file");
    TCase *tests = tcase_create("zone_file");
    tcase_add_test(tests, a_file_of_version_1_ends_with_its_last_transition);
    tcase_add_test(tests, versions_1_to_4_are_known);
    tcase_add_test(tests, the_block_of_64_bits_counts_whatever_the_first_one_holds);
    tcase_add_test(tests, a_file_cut_anywhere_is_refused);
    tcase_add_test(tests, bytes_after_the_end_are_refused);
    tcase_add_test(tests, a_wrong_count_is_refused);
    tcase_add_test(tests, counts_that_do_not_fit_each_other_are_named);
    tcase_add_test(tests, leap_seconds_are_refused_with_the_way_out);
    tcase_add_test(tests, transitions_out_of_order_are_refused);
    tcase_add_test(tests, a_type_that_is_not_there_is_refused);
    tcase_add_test(tests, local_times_too_far_from_utc_are_refused);
    tcase_add_test(tests, damaged_types_are_refused);
    tcase_add_test(tests, files_too_large_are_refused);
    tcase_add_test(tests, an_error_may_be_of_no_interest);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
