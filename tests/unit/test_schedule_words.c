/* SPDX-License-Identifier: PostgreSQL */
/* The forms with '@' that are not fields in other words. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "calendar/schedule.h"
#include "support/process/instants.h"
#include "support/process/suite.h"
#include "support/schedule/schedules.h"

struct refusal {
    const char *text;
    const char *reason;
};

static void check_refused(const char *text, const char *reason)
{
    struct schedule schedule = {.form = SCHEDULE_NONE};
    struct error err = {0};
    ck_assert_msg(!schedule_parse(text, &schedule, &err), "\"%s\" was read", text);
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\": \"%s\" lacks \"%s\"", text, err.message, reason);
    ck_assert_msg(strstr(err.message, "expected") != NULL, "%s", err.message);
    ck_assert_str_ne(err.hint, "");
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_int_eq(schedule.form, SCHEDULE_NONE);
    ck_assert(!schedule_parse(text, &schedule, NULL));
}

START_TEST(every_lies_at_multiples_since_1970_however_long)
{
    ck_assert_int_eq(parsed("@every 1s").interval, USEC_PER_SEC);
    ck_assert_int_eq(parsed(" @every \t 15min ").interval, 15 * USEC_PER_MINUTE);
    ck_assert_int_eq(parsed("@every 1500ms").interval, 1500 * USEC_PER_MSEC);
    ck_assert_int_eq(parsed("@every 36500d").interval, 36500 * USEC_PER_DAY);
    ck_assert_int_eq(parsed("@every 5m").form, SCHEDULE_INTERVAL);
    check_next("@every 15m", "2026-03-27 01:20", "2026-03-27T01:30:00Z");
    check_next("@every 15m", "2026-03-27 01:30", "2026-03-27T01:45:00Z");
    check_next("@every 7d", "1970-01-02", "1970-01-08T00:00:00Z");
    check_next("@every 1500ms", "1970-01-01T00:00:01.500001", "1970-01-01T00:00:03Z");
    struct schedule century = parsed("@every 36500d");
    ck_assert_int_eq(schedule_latest(&century, INSTANT_NONE, -1), -36500 * USEC_PER_DAY);
    ck_assert_int_eq(schedule_next(&century, at("9990-01-01")), INSTANT_NEVER);
}
END_TEST

START_TEST(after_counts_from_the_last_end)
{
    struct schedule schedule = parsed("@after 15m");
    ck_assert_int_eq(schedule.form, SCHEDULE_DELAY);
    instant end = at("2026-03-27 01:20:30.5");
    ck_assert_int_eq(schedule_next(&schedule, end), end + 15 * USEC_PER_MINUTE);
    ck_assert_int_eq(schedule_latest(&schedule, end, end + 44 * USEC_PER_MINUTE), end + 30 * USEC_PER_MINUTE);
    ck_assert_int_eq(schedule_latest(&schedule, end, end + 15 * USEC_PER_MINUTE - 1), INSTANT_NONE);
    ck_assert_int_eq(schedule_next(&schedule, at("9999-12-31 23:50")), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&schedule, INSTANT_NEVER), INSTANT_NEVER);
    ck_assert_int_gt(schedule_next(&schedule, INSTANT_NONE), at("0001-01-01"));
    ck_assert_int_eq(schedule_latest(&schedule, end, end), INSTANT_NONE);
}
END_TEST

START_TEST(reboot_has_no_slots_of_its_own)
{
    static const char *const texts[] = {"@reboot", "@restart", " @reboot "};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct schedule schedule = parsed(texts[i]);
        instant last = 0;
        ck_assert_int_eq(schedule.form, SCHEDULE_REBOOT);
        ck_assert_int_eq(schedule_next(&schedule, 0), INSTANT_NEVER);
        ck_assert_int_eq(schedule_latest(&schedule, 0, INSTANT_NEVER), INSTANT_NONE);
        ck_assert_int_eq(schedule_count(&schedule, 0, INSTANT_NEVER, 5, &last), 0);
        ck_assert_int_eq(last, INSTANT_NONE);
    }
}
END_TEST

static void check_once(const char *text, bool is_wall, const char *expected)
{
    struct schedule schedule = parsed(text);
    instant last = 0;
    ck_assert_msg(schedule.form == SCHEDULE_ONCE && schedule.fixed && schedule.at_is_wall == is_wall, "%s", text);
    ck_assert_int_eq(schedule.at, at(expected));
    check_next(text, "1970-01-01", expected);
    ck_assert_int_eq(schedule_next(&schedule, schedule.at), INSTANT_NEVER);
    ck_assert_int_eq(schedule_latest(&schedule, INSTANT_NONE, INSTANT_NEVER), schedule.at);
    ck_assert_int_eq(schedule_latest(&schedule, INSTANT_NONE, schedule.at - 1), INSTANT_NONE);
    ck_assert_int_eq(schedule_latest(&schedule, schedule.at, INSTANT_NEVER), INSTANT_NONE);
    ck_assert_int_eq(schedule_count(&schedule, INSTANT_NONE, INSTANT_NEVER, 5, &last), 1);
    ck_assert_int_eq(last, schedule.at);
}

START_TEST(at_is_once)
{
    check_once("@at 2026-12-24 18:00", true, "2026-12-24T18:00:00Z");
    check_once("@at 2026-12-24T18:00:30", true, "2026-12-24T18:00:30Z");
    check_once(" @at  2026-12-24 \t 18:00 ", true, "2026-12-24T18:00:00Z");
    check_once("@at 2028-02-29 00:00", true, "2028-02-29T00:00:00Z");
    check_once("@at 2026-12-24 18:00Z", false, "2026-12-24T18:00:00Z");
    check_once("@at 2026-12-24 18:00:30Z", false, "2026-12-24T18:00:30Z");
    check_once("@at 2026-12-24 18:00+01", false, "2026-12-24T17:00:00Z");
    check_once("@at 2026-12-24 18:00:30-05:45", false, "2026-12-24T23:45:30Z");
    check_once("@at 2026-12-31 18:00-15:59", false, "2027-01-01T09:59:00Z");
    check_once("@at 9999-12-31 23:59:59", true, "9999-12-31T23:59:59Z");
}
END_TEST

START_TEST(other_words_are_refused_with_what_was_expected)
{
    static const struct refusal refusals[] = {
        {"@every", "schedule \"@every\": duration \"\": expected one from 1s to 36500d"},
        {"@every 5", "duration \"5\": expected one from 1s to 36500d"},
        {"@every 15 m", "duration \"15 m\""},
        {"@every 999ms", "duration \"999ms\": expected one from 1s"},
        {"@every 0s", "duration \"0s\""},
        {"@every -5m", "duration \"-5m\""},
        {"@every 36501d", "duration \"36501d\""},
        {"@every 99999999999999999999d", "duration \"99999999999999999999d\""},
        {"@every 0000000000000000000000000000000000000000000000000001s", "expected one from 1s"},
        {"@after", "schedule \"@after\": duration \"\""},
        {"@after 1.5h", "schedule \"@after 1.5h\": duration \"1.5h\""},
        {"@reboot 5", "schedule \"@reboot 5\": \"5\" after @reboot, expected nothing"},
        {"@restart now", "\"now\" after @restart, expected nothing"},
        {"@everyday", "expected one of @hourly"},
        {"@at", "schedule \"@at\": year \"\": expected 0001-9999"},
        {"@at tomorrow", "year \"t\": expected 0001-9999"},
        {"@at 18:00", "year \"18\": expected 0001-9999"},
        {"@at 26-12-24 18:00", "year \"26\""},
        {"@at 12026-12-24 18:00", "year \"12026\""},
        {"@at 0000-12-24 18:00", "year \"0000\""},
        {"@at 2026", "nothing after the year, expected \"-\""},
        {"@at 2026/12/24 18:00", "\"/12/24 18:00\" after the year, expected \"-\""},
        {"@at 2026-13-24 18:00", "month \"13\": expected 01-12"},
        {"@at 2026-1-24 18:00", "month \"1\": expected 01-12"},
        {"@at 2026-12.24 18:00", "after the month, expected \"-\""},
        {"@at 2026-12-00 18:00", "day \"00\": expected 01-31"},
        {"@at 2026-12-32 18:00", "day \"32\": expected 01-31"},
        {"@at 2026-02-29 18:00", "day \"29\": expected 01-28, the days of 2026-02"},
        {"@at 2100-02-29 18:00", "day \"29\": expected 01-28, the days of 2100-02"},
        {"@at 2026-06-31 18:00", "day \"31\": expected 01-30, the days of 2026-06"},
        {"@at 2026-12-24", "nothing after the day, expected a blank or T, then the time of day"},
        {"@at 2026-12-24t18:00", "\"t18:00\" after the day"},
        {"@at 2026-12-24T 18:00", "hour \" \": expected 00-23"},
        {"@at 2026-12-24 24:00", "hour \"24\": expected 00-23"},
        {"@at 2026-12-24 6pm", "hour \"6\""},
        {"@at 2026-12-24 18", "nothing after the hour, expected \":\""},
        {"@at 2026-12-24 18:60", "minute \"60\": expected 00-59"},
        {"@at 2026-12-24 18:00:60", "second \"60\": expected 00-59"},
        {"@at 2026-12-24 18:00:", "second \"\": expected 00-59"},
        {"@at 2026-12-24 18:00:30.5", "\".5\" after the time, expected Z, an offset or the end"},
        {"@at 2026-12-24 18:00 Europe/Berlin", "\" Europe/Berlin\" after the time"},
        {"@at 2026-12-24 18:00z", "\"z\" after the time"},
        {"@at 2026-12-24 18:00Z+01", "\"+01\" after the time"},
        {"@at 2026-12-24 18:00+16", "hour of the offset \"16\": expected 00-15"},
        {"@at 2026-12-24 18:00+0100", "hour of the offset \"0100\""},
        {"@at 2026-12-24 18:00+01:75", "minute of the offset \"75\": expected 00-59"},
        {"@at 2026-12-24 18:00-", "hour of the offset \"\""},
        {"@at 0001-01-01 00:00+01", "expected one within the years 1 to 9999 of UTC"},
        {"@at 9999-12-31 23:59-01", "expected one within the years 1 to 9999 of UTC"},
        {"@at 2026-12-24 18:00\xC3\xA9", "\"\xC3\xA9\" after the time"},
        {"@at \xC3\xA9", "year \"\xC3\xA9\""},
        {"@at \xFF", "year \"?\""},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        check_refused(refusals[i].text, refusals[i].reason);
    }
}
END_TEST

START_TEST(any_byte_anywhere_in_a_word_is_survived_and_messages_stay_valid_text)
{
    static const char *const texts[] = {"@at 2026-12-24 18:00:30+01:00", "@every 15min", "@after 36500d", "@reboot"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        for (size_t place = 0; place < strlen(texts[i]); place++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[64];
                strcpy(text, texts[i]);
                text[place] = (char)byte;
                struct schedule schedule;
                struct error err = {0};
                if (!schedule_parse(text, &schedule, &err) && !utf8_valid(err.message, strlen(err.message))) {
                    ck_abort_msg("\"%s\" gives \"%s\"", text, err.message);
                }
            }
        }
    }
}
END_TEST

START_TEST(intervals_and_delays_are_counted_without_walking)
{
    struct schedule every = parsed("@every 1s");
    struct schedule delay = parsed("@after 1500ms");
    instant from = at("0001-01-01");
    instant last = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t seconds = INT64_C(9000) * 366 * 86400 + i;
        instant until = from + seconds * USEC_PER_SEC;
        ck_assert_int_eq(schedule_count(&every, from, until, INT64_MAX, &last), seconds);
        ck_assert_int_eq(last, until);
        ck_assert_int_eq(schedule_count(&every, from, until, seconds - 5, &last), seconds - 5);
        ck_assert_int_eq(last, until - 5 * USEC_PER_SEC);
        ck_assert_int_eq(schedule_count(&delay, from, until, INT64_MAX, &last), seconds * 2 / 3);
        ck_assert_int_eq(last, schedule_latest(&delay, from, until));
    }
    ck_assert_int_eq(schedule_count(&delay, from, from + 10 * USEC_PER_SEC, 2, &last), 2);
    ck_assert_int_eq(last, from + 3 * USEC_PER_SEC);
    ck_assert_int_eq(schedule_count(&delay, from, from + USEC_PER_SEC, 2, &last), 0);
    ck_assert_int_eq(last, INSTANT_NONE);
    ck_assert_int_eq(schedule_count(&every, from, INSTANT_NEVER, 0, &last), 0);
    ck_assert_int_eq(last, INSTANT_NONE);
    ck_assert_int_gt(schedule_count(&every, INSTANT_NONE, INSTANT_NEVER, INT64_MAX, &last), 0);
    ck_assert_int_eq(last, at("9999-12-31T23:59:59Z"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_words");
    TCase *tests = tcase_create("schedule_words");
    tcase_add_test(tests, every_lies_at_multiples_since_1970_however_long);
    tcase_add_test(tests, after_counts_from_the_last_end);
    tcase_add_test(tests, reboot_has_no_slots_of_its_own);
    tcase_add_test(tests, at_is_once);
    tcase_add_test(tests, other_words_are_refused_with_what_was_expected);
    tcase_add_test(tests, any_byte_anywhere_in_a_word_is_survived_and_messages_stay_valid_text);
    tcase_add_test(tests, intervals_and_delays_are_counted_without_walking);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
