/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "support/process/suite.h"

static void check_format(instant at, const char *expected)
{
    char text[INSTANT_TEXT_SIZE];
    ck_assert_str_eq(instant_format(at, text), expected);
}

static instant parsed(const char *text)
{
    instant at = INSTANT_NONE;
    struct error err;
    ck_assert_msg(instant_parse(text, &at, &err), "%s: %s", text, err.message);
    return at;
}

START_TEST(instants_are_written_in_utc_with_a_fraction_only_when_there_is_one)
{
    check_format(0, "1970-01-01T00:00:00Z");
    check_format(INT64_C(1774575000123456), "2026-03-27T01:30:00.123456Z");
    check_format(1, "1970-01-01T00:00:00.000001Z");
    check_format(-1, "1969-12-31T23:59:59.999999Z");
    check_format(INT64_C(-62135596800000000), "0001-01-01T00:00:00Z");
    check_format(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(special_and_far_instants_are_written_without_harm)
{
    check_format(INSTANT_NEVER, "never");
    check_format(INSTANT_NONE, "none");
    check_format(INSTANT_NONE + 1, "-290308-12-21T19:59:05.224193Z");
    check_format(INSTANT_NEVER - 1, "294247-01-10T04:00:54.775806Z");
}
END_TEST

START_TEST(civil_time_agrees_with_the_c_library_and_comes_back)
{
    srand(3);
    for (int round = 0; round < 100000; round++) {
        int64_t seconds = INT64_C(-62135596800) + (int64_t)(((double)rand() / RAND_MAX) * 315537897599.0);
        int usec = rand() % 1000000;
        time_t time = (time_t)seconds;
        struct tm tm;
        gmtime_r(&time, &tm);
        struct civil civil = instant_to_civil(seconds * USEC_PER_SEC + usec);
        bool date = civil.year == tm.tm_year + 1900 && civil.month == tm.tm_mon + 1 && civil.day == tm.tm_mday;
        bool hour = civil.hour == tm.tm_hour && civil.minute == tm.tm_min && civil.second == tm.tm_sec;
        bool rest = civil.usec == usec && civil.weekday == tm.tm_wday;
        if (!date || !hour || !rest || civil_to_instant(&civil) != seconds * USEC_PER_SEC + usec) {
            ck_abort_msg("%lld seconds differ", (long long)seconds);
        }
    }
}
END_TEST

START_TEST(months_have_their_days)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        ck_assert_int_eq(civil_month_days(2026, month), days[month - 1]);
    }
    ck_assert_int_eq(civil_month_days(2024, 2), 29);
    ck_assert_int_eq(civil_month_days(1900, 2), 28);
    ck_assert_int_eq(civil_month_days(2000, 2), 29);
}
END_TEST

START_TEST(every_accepted_form_is_read)
{
    instant base = INT64_C(1774575000000000);
    ck_assert_int_eq(parsed("2026-03-27T01:30:00Z"), base);
    ck_assert_int_eq(parsed("2026-03-27 01:30"), base);
    ck_assert_int_eq(parsed("2026-03-27 01:30Z"), base);
    ck_assert_int_eq(parsed("2026-03-27T01:30:00"), base);
    ck_assert_int_eq(parsed("2026-03-27T03:30:00+02"), base);
    ck_assert_int_eq(parsed("2026-03-27T03:00:00+01:30"), base);
    ck_assert_int_eq(parsed("2026-03-26 20:00:00-05:30"), base);
    ck_assert_int_eq(parsed("2026-03-27T01:30:00.5"), base + 500000);
    ck_assert_int_eq(parsed("2026-03-27T01:30:00.000001Z"), base + 1);
    ck_assert_int_eq(parsed("2026-03-27T01:30:00.123456+00:00"), base + 123456);
    ck_assert_int_eq(parsed("2026-03-27"), base - 90 * USEC_PER_MINUTE);
    ck_assert_int_eq(parsed("2024-02-29"), INT64_C(1709164800000000));
    ck_assert_int_eq(parsed("0001-01-01"), INT64_C(-62135596800000000));
}
END_TEST

START_TEST(what_is_not_a_date_is_refused_with_a_way_out)
{
    static const char *const bad[] = {"",
                                      "now",
                                      "2026",
                                      "2026-3-27",
                                      "2026-03-32",
                                      "2026-02-29",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "0000-01-01",
                                      "2026-03-27T",
                                      "2026-03-27T1:30",
                                      "2026-03-27T24:00",
                                      "2026-03-27T01:60",
                                      "2026-03-27T01:30:60",
                                      "2026-03-27T01:30:00.",
                                      "2026-03-27T01:30:00.1234567",
                                      "2026-03-27T01:30:00+",
                                      "2026-03-27T01:30:00+16",
                                      "2026-03-27T01:30:00+01:60",
                                      "2026-03-27T01:30:00Zx",
                                      "2026-03-27 ",
                                      " 2026-03-27",
                                      "2026-03-27Z",
                                      "2026-03-27x01:30",
                                      "-026-03-27",
                                      "0001-01-01T00:00+01",
                                      "9999-12-31T23:59-01",
                                      "2026-03-27T01:30:00+1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        instant at = 7;
        struct error err = {0};
        ck_assert_msg(!instant_parse(bad[i], &at, &err), "\"%s\" was read", bad[i]);
        ck_assert_int_eq(at, 7);
        ck_assert_ptr_nonnull(strstr(err.message, "is not a date or time"));
        ck_assert_str_ne(err.hint, "");
    }
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    srand(4);
    for (int round = 0; round < 20000; round++) {
        instant at = ((instant)rand() << 31 | rand()) % (INT64_C(253402300800) * USEC_PER_SEC);
        char text[INSTANT_TEXT_SIZE];
        ck_assert_int_eq(parsed(instant_format(at, text)), at);
    }
}
END_TEST

static duration length_of(const char *text)
{
    duration length = -1;
    struct error err;
    ck_assert_msg(duration_parse(text, &length, &err), "%s: %s", text, err.message);
    return length;
}

START_TEST(durations_have_a_number_and_a_unit)
{
    ck_assert_int_eq(length_of("250ms"), 250 * USEC_PER_MSEC);
    ck_assert_int_eq(length_of("7us"), 7);
    ck_assert_int_eq(length_of("0s"), 0);
    ck_assert_int_eq(length_of("5s"), 5 * USEC_PER_SEC);
    ck_assert_int_eq(length_of("5sec"), 5 * USEC_PER_SEC);
    ck_assert_int_eq(length_of("1second"), USEC_PER_SEC);
    ck_assert_int_eq(length_of("5seconds"), 5 * USEC_PER_SEC);
    ck_assert_int_eq(length_of("10min"), 10 * USEC_PER_MINUTE);
    ck_assert_int_eq(length_of("15m"), 15 * USEC_PER_MINUTE);
    ck_assert_int_eq(length_of("1minute"), USEC_PER_MINUTE);
    ck_assert_int_eq(length_of("2minutes"), 2 * USEC_PER_MINUTE);
    ck_assert_int_eq(length_of("2h"), 2 * USEC_PER_HOUR);
    ck_assert_int_eq(length_of("1hour"), USEC_PER_HOUR);
    ck_assert_int_eq(length_of("2hours"), 2 * USEC_PER_HOUR);
    ck_assert_int_eq(length_of("1d"), USEC_PER_DAY);
    ck_assert_int_eq(length_of("1day"), USEC_PER_DAY);
    ck_assert_int_eq(length_of("36500days"), 36500 * USEC_PER_DAY);
}
END_TEST

static void check_refused(const char *text, const char *reason)
{
    duration length = 7;
    struct error err = {0};
    ck_assert_msg(!duration_parse(text, &length, &err), "\"%s\" was read", text);
    ck_assert_int_eq(length, 7);
    ck_assert_ptr_nonnull(strstr(err.message, reason));
    ck_assert_str_ne(err.hint, "");
}

START_TEST(other_durations_are_refused_with_a_way_out)
{
    static const char *const bad[] = {"", "5", "s", "-5s", "+5s", "1.5h", "5 s", " 5s", "5s ", "5S", "1h30m", "5w"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        check_refused(bad[i], "is not a duration");
    }
    check_refused("36501d", "is too long");
    check_refused("3153600000000001ms", "is too long");
    check_refused("99999999999999999999s", "is too long");
    check_refused("999999999999999999999999999999999999s", "is too long");
}
END_TEST

static void check_duration(duration length, const char *expected)
{
    char text[DURATION_TEXT_SIZE];
    ck_assert_str_eq(duration_format(length, text), expected);
    if (length >= 0) {
        ck_assert_int_eq(length_of(text), length);
    }
}

START_TEST(durations_are_written_in_the_largest_unit_that_fits_and_read_back)
{
    check_duration(0, "0s");
    check_duration(10 * USEC_PER_MINUTE, "10min");
    check_duration(90 * USEC_PER_SEC, "90s");
    check_duration(250 * USEC_PER_MSEC, "250ms");
    check_duration(1500, "1500us");
    check_duration(24 * USEC_PER_HOUR, "1d");
    check_duration(25 * USEC_PER_HOUR, "25h");
    check_duration(-90 * USEC_PER_SEC, "-90s");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("instant");
    TCase *tests = tcase_create("instant");
    tcase_add_test(tests, instants_are_written_in_utc_with_a_fraction_only_when_there_is_one);
    tcase_add_test(tests, special_and_far_instants_are_written_without_harm);
    tcase_add_test(tests, civil_time_agrees_with_the_c_library_and_comes_back);
    tcase_add_test(tests, months_have_their_days);
    tcase_add_test(tests, every_accepted_form_is_read);
    tcase_add_test(tests, what_is_not_a_date_is_refused_with_a_way_out);
    tcase_add_test(tests, what_is_written_is_read_back);
    tcase_add_test(tests, durations_have_a_number_and_a_unit);
    tcase_add_test(tests, other_durations_are_refused_with_a_way_out);
    tcase_add_test(tests, durations_are_written_in_the_largest_unit_that_fits_and_read_back);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
