/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "calendar/schedule.h"
#include "support/process/instants.h"
#include "support/process/suite.h"
#include "support/schedule/schedules.h"

/* The minutes (or hours, ...) that a field's bits name, as "1,2,3". */
static void check_bits(uint64_t bits, const char *text, const char *expected)
{
    char list[256] = "";
    size_t used = 0;
    for (int value = 0; value < 64; value++) {
        if ((bits >> value & 1) != 0) {
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%d", used > 0 ? "," : "", value);
        }
    }
    ck_assert_msg(strcmp(list, expected) == 0, "%s is %s, not %s", text, list, expected);
}

static void check_minutes(const char *field, const char *expected)
{
    char text[128];
    snprintf(text, sizeof(text), "%s * * * *", field);
    check_bits(parsed(text).minutes, text, expected);
}

static void check_hours(const char *field, const char *expected)
{
    char text[128];
    snprintf(text, sizeof(text), "0 %s * * *", field);
    check_bits(parsed(text).hours, text, expected);
}

static void check_days(const char *field, const char *expected)
{
    char text[128];
    snprintf(text, sizeof(text), "0 0 %s * *", field);
    check_bits(parsed(text).days, text, expected);
}

static void check_months(const char *field, const char *expected)
{
    char text[128];
    snprintf(text, sizeof(text), "0 0 1 %s *", field);
    check_bits(parsed(text).months, text, expected);
}

static void check_weekdays(const char *field, const char *expected)
{
    char text[128];
    snprintf(text, sizeof(text), "0 0 * * %s", field);
    check_bits(parsed(text).weekdays, text, expected);
}

START_TEST(values_ranges_steps_and_lists_name_what_they_say)
{
    check_minutes("7", "7");
    check_minutes("05", "5");
    check_minutes("10-13", "10,11,12,13");
    check_minutes("10-20/5", "10,15,20");
    check_minutes("10-19/5", "10,15");
    check_minutes("*/20", "0,20,40");
    check_minutes("*/59", "0,59");
    check_minutes("*/60", "0");
    check_minutes("1,5-6,*/30", "0,1,5,6,30");
    check_days("*/10", "1,11,21,31");
    check_days("1,31", "1,31");
    check_months("*/5", "1,6,11");
    check_months("1-12/12", "1");
}
END_TEST

START_TEST(names_have_three_letters_in_any_case_in_lists_and_ranges_too)
{
    check_months("jan", "1");
    check_months("Mar-MAY,deC", "3,4,5,12");
    check_months("feb-12/5", "2,7,12");
    check_weekdays("sun", "0");
    check_weekdays("Mon-fri/2", "1,3,5");
    check_weekdays("tue,SAT", "2,6");
}
END_TEST

START_TEST(zero_and_seven_are_sunday)
{
    check_weekdays("0", "0");
    check_weekdays("7", "0");
    check_weekdays("5-7", "0,5,6");
    check_weekdays("0-7", "0,1,2,3,4,5,6");
    check_weekdays("*/7", "0");
    check_weekdays("*/2", "0,2,4,6");
}
END_TEST

START_TEST(wrapping_ranges_count_their_step_from_the_start)
{
    check_weekdays("sat-sun", "0,6");
    check_weekdays("6-0", "0,6");
    check_weekdays("fri-tue/2", "0,2,5");
    check_weekdays("7-1", "0,1");
    check_weekdays("7-0", "0");
    check_weekdays("mon-sun", "0,1,2,3,4,5,6");
    check_hours("22-2", "0,1,2,22,23");
    check_hours("23-7/2", "1,3,5,7,23");
    check_hours("5-4", "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23");
    check_minutes("55-5/4", "3,55,59");
    check_months("nov-feb", "1,2,11,12");
    check_months("5-1/3", "5,8,11");
    check_days("30-2", "1,2,30,31");
    check_bits(parsed("58-1 * * * * *").seconds, "58-1 * * * * *", "0,1,58,59");
}
END_TEST

START_TEST(blanks_may_stand_around_and_between_fields)
{
    struct schedule plain = parsed("5 4 * * *");
    struct schedule spaced = parsed("\r\n \t5\t 4  *\t* * \t \n");
    ck_assert_uint_eq(plain.minutes, spaced.minutes);
    ck_assert_uint_eq(plain.hours, spaced.hours);
    ck_assert(!plain.has_seconds && plain.form == SCHEDULE_CRON && plain.seconds == 1);
    ck_assert(parsed("5 4 * * * *").has_seconds);
}
END_TEST

START_TEST(either_day_field_suffices_unless_one_starts_with_a_star)
{
    ck_assert(parsed("0 0 13 * 5").days_or_weekdays);
    ck_assert(!parsed("0 0 */2 * 5").days_or_weekdays);
    ck_assert(!parsed("0 0 13 * */2").days_or_weekdays);
    ck_assert(!parsed("0 0 *,13 * 5").days_or_weekdays);
    ck_assert(parsed("0 0 13,* * 5").days_or_weekdays);
    check_next("0 0 13 * fri", "2026-03-08", "2026-03-13T00:00:00Z");
    check_next("0 0 12 * fri", "2026-03-08", "2026-03-12T00:00:00Z");
    check_next("0 0 13 * */5", "2026-03-08", "2026-03-13T00:00:00Z");
    check_next("0 0 13 * */5", "2026-03-13", "2026-09-13T00:00:00Z");
}
END_TEST

START_TEST(intervals_lie_at_multiples_since_1970)
{
    static const char *const texts[] = {"7 seconds", "7 SECONDS", "7 second", " 07\tSeconds ", "7seconds"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct schedule schedule = parsed(texts[i]);
        ck_assert_int_eq(schedule.form, SCHEDULE_INTERVAL);
        ck_assert_int_eq(schedule.interval, 7 * USEC_PER_SEC);
        ck_assert_int_eq(schedule_next(&schedule, 0), 7 * USEC_PER_SEC);
        ck_assert_int_eq(schedule_next(&schedule, 7 * USEC_PER_SEC - 1), 7 * USEC_PER_SEC);
        ck_assert_int_eq(schedule_next(&schedule, -1), 0);
        ck_assert_int_eq(schedule_next(&schedule, -8 * USEC_PER_SEC), -7 * USEC_PER_SEC);
        ck_assert_int_eq(schedule_latest(&schedule, -USEC_PER_DAY, -1), -7 * USEC_PER_SEC);
        ck_assert_int_eq(schedule_latest(&schedule, -7 * USEC_PER_SEC, -1), INSTANT_NONE);
    }
    ck_assert_int_eq(parsed("1 second").interval, USEC_PER_SEC);
    ck_assert_int_eq(parsed("59 seconds").interval, 59 * USEC_PER_SEC);
}
END_TEST

START_TEST(shorthands_mean_their_fields)
{
    check_next("@hourly", "2026-03-27 01:30", "2026-03-27T02:00:00Z");
    check_next("@daily", "2026-03-27 01:30", "2026-03-28T00:00:00Z");
    check_next("@midnight", "2026-03-27 01:30", "2026-03-28T00:00:00Z");
    check_next("@weekly", "2026-03-27 01:30", "2026-03-29T00:00:00Z");
    check_next("@monthly", "2026-03-27 01:30", "2026-04-01T00:00:00Z");
    check_next("@yearly", "2026-03-27 01:30", "2027-01-01T00:00:00Z");
    check_next(" @annually ", "2026-03-27 01:30", "2027-01-01T00:00:00Z");
}
END_TEST

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

START_TEST(texts_of_other_forms_are_refused_with_field_text_and_what_was_expected)
{
    static const struct refusal refusals[] = {
        {"", "has 0 fields, expected five"},
        {"   ", "has 0 fields"},
        {"* * * *", "schedule \"* * * *\" has 4 fields, expected five (m h dom mon dow), or six"},
        {"* * * * * * *", "has 7 fields"},
        {"1 2 3 4 5 6 7 8 9", "has 9 fields"},
        {"1/20 * * * *", "minute \"1/20\": a step needs a range or * before it, expected 0-59"},
        {"60 * * * *", "schedule \"60 * * * *\": minute \"60\": a value is out of range, expected 0-59"},
        {"60 * * * * *", "second \"60\": a value is out of range, expected 0-59"},
        {"0 24 * * *", "hour \"24\": a value is out of range, expected 0-23"},
        {"0 0 0 * *", "day of month \"0\": a value is out of range, expected 1-31"},
        {"0 0 32 * *", "day of month \"32\""},
        {"0 0 1 0 *", "month \"0\": a value is out of range, expected 1-12 or jan-dec"},
        {"0 0 1 13 *", "month \"13\""},
        {"0 0 * * 8", "day of week \"8\": a value is out of range, expected 0-7 or sun-sat"},
        {"-1 * * * *", "minute \"-1\": a value cannot start with \"-\""},
        {"1--2 * * * *", "a value cannot start with \"-\""},
        {"1- * * * *", "a value is missing"},
        {"*/0 * * * *", "minute \"*/0\": expected a step from 1 to 60"},
        {"*/61 * * * *", "expected a step from 1 to 60"},
        {"0 */25 * * *", "expected a step from 1 to 24"},
        {"0 0 */32 * *", "expected a step from 1 to 31"},
        {"*/ * * * *", "expected a step from 1 to 60"},
        {"*/-5 * * * *", "expected a step from 1 to 60"},
        {"1-5/x * * * *", "expected a step from 1 to 60"},
        {"1-5/0 * * * *", "expected a step from 1 to 60"},
        {"0 0 * * */8", "expected a step from 1 to 7"},
        {"0 0 25-5/2 * *", "a step cannot cross the end of the month"},
        {"0 0 L * *", "day of month \"L\": unknown name \"L\", expected 1-31"},
        {"0 0 ? * *", "day of month \"?\": a value cannot start with \"?\""},
        {",1 * * * *", "minute \",1\": a value is missing"},
        {"1, * * * *", "minute \"1,\": a value is missing"},
        {"1,,2 * * * *", "a value is missing"},
        {"0 0 * * monday", "day of week \"monday\": names have three letters"},
        {"0 0 * * mo", "unknown name \"mo\""},
        {"0 0 * * jan", "unknown name \"jan\", expected 0-7 or sun-sat"},
        {"mon * * * *", "minute \"mon\": unknown name \"mon\""},
        {"0 0 * mon *", "month \"mon\": unknown name \"mon\""},
        {"0 0 * * mon-xyz", "unknown name \"xyz\""},
        {"0 0 * * mon1", "\"1\" does not belong there"},
        {"5;3 * * * *", "minute \"5;3\": \";\" does not belong there"},
        {"1-5-7 * * * *", "\"-\" does not belong there"},
        {"*foo * * * *", "\"f\" does not belong there"},
        {"**/2 * * * *", "\"*\" does not belong there"},
        {"*/2/2 * * * *", "\"/\" does not belong there"},
        {"5* * * * *", "\"*\" does not belong there"},
        {"1.5 * * * *", "\".\" does not belong there"},
        {"4294967301 * * * *", "a value is out of range"},
        {"18446744073709551617 * * * *", "a value is out of range"},
        {"*/4294967301 * * * *", "expected a step from 1 to 60"},
        {"\xC3\xA9 * * * *", "a value cannot start with \"\xC3\xA9\""},
        {"\xFF * * * *", "minute \"?\": a value cannot start with \"?\""},
        {"0 seconds", "interval \"0\": a value is out of range, expected 1-59 seconds"},
        {"60 seconds", "interval \"60\": a value is out of range"},
        {"4294967301 seconds", "a value is out of range"},
        {"5 minutes", "interval \"5 minutes\": expected the unit \"seconds\""},
        {"5 secondss", "expected the unit"},
        {"5 sec", "expected the unit"},
        {"seconds", "has 1 fields"},
        {"5", "has 1 fields"},
        {"-5 seconds", "has 2 fields"},
        {"5 seconds 5", "has 3 fields"},
        {"@HOURLY", "schedule \"@HOURLY\": expected one of @hourly"},
        {"@hourly 5", "expected one of @hourly"},
        {"@fortnightly", "expected one of"},
        {"@", "expected one of"},
        {"* * * *\n*", "a control character (byte 10) at position 8"},
        {"* * * * *\x7F", "a control character (byte 127)"},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        check_refused(refusals[i].text, refusals[i].reason);
    }
}
END_TEST

START_TEST(a_shorthand_in_capitals_is_hinted_in_lower_case)
{
    struct schedule schedule;
    struct error err = {0};
    ck_assert(!schedule_parse("@HOURLY", &schedule, &err));
    ck_assert_str_eq(err.hint, "write it in lower case: @hourly");
    ck_assert(!schedule_parse("@Every 5m", &schedule, &err));
    ck_assert_str_eq(err.hint, "write it in lower case: @every");
}
END_TEST

START_TEST(the_last_day_of_the_month_stands_alone)
{
    struct schedule schedule = parsed("30 23 $ * *");
    ck_assert(schedule.last_day && schedule.days == 0 && !schedule.days_or_weekdays);
    ck_assert(!parsed("30 23 31 * *").last_day);
    check_next("30 23 $ * *", "2026-01-31T23:30", "2026-02-28T23:30:00Z");
    check_next("30 23 $ 2 *", "2026-03-01", "2027-02-28T23:30:00Z");
    check_next("30 23 $ feb *", "2027-03-01", "2028-02-29T23:30:00Z");
    check_next("0 0 0 $ 4,6 *", "2026-04-30", "2026-06-30T00:00:00Z");
    check_next("0 0 $ * fri", "2026-03-28", "2026-03-31T00:00:00Z");
    check_next("0 0 $ * fri", "2026-03-31", "2026-04-03T00:00:00Z");
    check_next("0 0 $ * */7", "2026-03-28", "2026-05-31T00:00:00Z");
    struct schedule last = parsed("0 0 $ 2 *");
    ck_assert_int_eq(schedule_latest(&last, 0, at("2101-02-01")), at("2100-02-28"));
    check_refused("0 0 $,15 * *", "day of month \"$,15\": $ stands alone, expected 1-31, or $ for the last");
    check_refused("0 0 15,$ * *", "day of month \"15,$\": $ stands alone");
    check_refused("0 0 0 $/2 * *", "day of month \"$/2\": $ stands alone");
    check_refused("0 0 $$ * *", "$ stands alone");
    check_refused("$ 0 1 * *", "minute \"$\": a value cannot start with \"$\"");
    check_refused("0 0 1 * $", "day of week \"$\": a value cannot start with \"$\"");
}
END_TEST

START_TEST(a_schedule_is_fixed_when_neither_minute_nor_hour_starts_with_a_star)
{
    static const char *const fixed[] = {"30 2 * * *", "0,30 2-4 * * *", "*/5 30 2 * * *", "0-59 0-23 * * *", "@daily",
                                        "@weekly",    "@monthly",       "@yearly",        "5,* 5,* * * *"};
    static const char *const moving[] = {"* * * * *", "*/30 2 * * *", "30 * * * *", "0 30 */2 * * *",
                                         "@hourly",   "*,5 2 * * *",  "5 seconds",  "@every 1d"};
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        ck_assert_msg(parsed(fixed[i]).fixed, "%s", fixed[i]);
    }
    for (size_t i = 0; i < COUNT_OF(moving); i++) {
        ck_assert_msg(!parsed(moving[i]).fixed, "%s", moving[i]);
    }
}
END_TEST

START_TEST(dates_that_never_come_are_refused_with_that_reason)
{
    static const char *const texts[] = {"0 0 30 2 *",     "0 0 30,31 feb *", "0 0 31 4,6,9,11 *",
                                        "0 0 0 31 jun *", "* * 31 2-2 *",    "0 0 30 2 */2"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        check_refused(texts[i], "this schedule can never fire: day of month \"3");
    }
    parsed("0 0 30 2 mon");
    parsed("0 0 29 2 *");
    parsed("0 0 31 4-5 *");
    parsed("0 0 29,30 2 *");
    parsed("0 0 $ 2 *");
}
END_TEST

START_TEST(texts_too_long_are_refused_whatever_they_hold)
{
    char text[5000];
    memset(text, ' ', sizeof(text));
    memcpy(text, "* * * * *", 9);
    text[1000] = '\0';
    parsed(text);
    text[1000] = ' ';
    text[1001] = '\0';
    check_refused(text, "is longer than 1000 bytes");
    memset(text, '1', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    check_refused(text, "...\" is longer than 1000 bytes");
    text[999] = '\0';
    check_refused(text, "has 1 fields");
}
END_TEST

START_TEST(any_bytes_are_survived_and_messages_stay_valid_text)
{
    static const char likely[] = "0123456789*/-,$@: \tTZmonjansecdLx?\x80\xC3\xA9\xFF\x01";
    srand(6);
    int read = 0;
    for (int round = 0; round < 100000; round++) {
        char text[64];
        size_t length = (size_t)rand() % (sizeof(text) - 1);
        for (size_t i = 0; i < length; i++) {
            text[i] = likely[(size_t)rand() % (sizeof(likely) - 1)];
        }
        text[length] = '\0';
        struct schedule schedule;
        struct error err = {0};
        if (schedule_parse(text, &schedule, &err)) {
            read++;
            continue;
        }
        if (!utf8_valid(err.message, strlen(err.message)) || strpbrk(err.message, "\x01\n\x7F") != NULL) {
            ck_abort_msg("\"%s\" gives \"%s\"", text, err.message);
        }
    }
    ck_assert_int_lt(read, 100000);
}
END_TEST

START_TEST(a_rare_date_is_found_without_walking)
{
    static const char *const sundays[] = {"2004-02-29T00:00:00Z", "2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z",
                                          "2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"};
    check_next("0 0 29 2 *", "2097-01-01", "2104-02-29T00:00:00Z");
    check_next("0 0 29 2 *", "2096-02-29", "2104-02-29T00:00:00Z");
    char after[INSTANT_TEXT_SIZE] = "2000-03-01";
    for (size_t i = 0; i < COUNT_OF(sundays); i++) {
        check_next("0 0 29 2 */7", after, sundays[i]);
        memcpy(after, sundays[i], strlen(sundays[i]) + 1);
    }
    struct schedule schedule = parsed("0 0 29 2 */7");
    instant slot = at("2026-01-01");
    for (int i = 0; i < 100000; i++) {
        slot = schedule_next(&schedule, slot);
        if (slot == INSTANT_NEVER) {
            slot = at("0001-01-01");
        }
    }
}
END_TEST

START_TEST(the_calendar_ends_with_the_year_9999)
{
    struct schedule every = parsed("* * * * * *");
    struct schedule leap = parsed("0 0 29 2 *");
    struct schedule interval = parsed("59 seconds");
    struct schedule none = {.form = SCHEDULE_NONE};
    instant last = at("9999-12-31T23:59:59Z");
    ck_assert_int_eq(schedule_next(&every, last - 1), last);
    ck_assert_int_eq(schedule_next(&every, last), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&interval, last), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&every, INSTANT_NEVER), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&interval, INSTANT_NEVER), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&leap, at("9996-03-01")), INSTANT_NEVER);
    struct schedule noon = parsed("0 12 * * *");
    ck_assert_int_eq(schedule_next(&noon, at("9999-12-31T12:00:00")), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&none, 0), INSTANT_NEVER);
    ck_assert_int_eq(schedule_latest(&none, 0, last), INSTANT_NONE);
    ck_assert_int_eq(schedule_latest(&every, 0, INSTANT_NEVER), last);
    ck_assert_int_eq(schedule_latest(&leap, 0, INSTANT_NEVER), at("9996-02-29"));
}
END_TEST

START_TEST(the_calendar_starts_with_the_year_1)
{
    struct schedule every = parsed("* * * * * *");
    struct schedule leap = parsed("0 0 29 2 *");
    struct schedule interval = parsed("59 seconds");
    instant first = at("0001-01-01");
    ck_assert_int_eq(schedule_next(&every, INSTANT_NONE), first);
    ck_assert_int_eq(schedule_next(&every, first - 1), first);
    ck_assert_int_eq(schedule_next(&leap, INSTANT_NONE), at("0004-02-29"));
    ck_assert_int_ge(schedule_next(&interval, INSTANT_NONE), first);
    ck_assert_int_eq(schedule_latest(&every, INSTANT_NONE, first), first);
    ck_assert_int_eq(schedule_latest(&every, INSTANT_NONE, first - 1), INSTANT_NONE);
    ck_assert_int_eq(schedule_latest(&leap, INSTANT_NONE, at("0004-02-28")), INSTANT_NONE);
    struct schedule noon = parsed("0 12 * * *");
    ck_assert_int_eq(schedule_latest(&noon, INSTANT_NONE, first), INSTANT_NONE);
    ck_assert_int_eq(schedule_latest(&interval, INSTANT_NONE, first), INSTANT_NONE);
}
END_TEST

START_TEST(the_latest_slot_of_millennia_is_found_at_once)
{
    struct schedule every = parsed("* * * * * *");
    struct schedule leap = parsed("0 0 29 2 */7");
    instant first = at("0001-01-01");
    instant last = at("9999-12-31T23:59:59Z");
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(schedule_latest(&every, first, last - i * USEC_PER_SEC), last - i * USEC_PER_SEC);
        ck_assert_int_eq(schedule_latest(&leap, first, at("2127-12-31")), at("2088-02-29"));
    }
}
END_TEST

START_TEST(counting_stops_at_the_end_or_at_the_limit)
{
    struct schedule schedule = parsed("*/10 * * * *");
    instant from = at("2026-03-27 00:00");
    instant last = 0;
    ck_assert_int_eq(schedule_count(&schedule, from, from + USEC_PER_HOUR, 100, &last), 6);
    ck_assert_int_eq(last, from + USEC_PER_HOUR);
    ck_assert_int_eq(schedule_count(&schedule, from, from + USEC_PER_HOUR - 1, 100, &last), 5);
    ck_assert_int_eq(last, from + 50 * USEC_PER_MINUTE);
    ck_assert_int_eq(schedule_count(&schedule, from, from + USEC_PER_HOUR, 2, &last), 2);
    ck_assert_int_eq(last, from + 20 * USEC_PER_MINUTE);
    ck_assert_int_eq(schedule_count(&schedule, from, from + USEC_PER_MINUTE, 100, &last), 0);
    ck_assert_int_eq(last, INSTANT_NONE);
    ck_assert_int_eq(schedule_count(&schedule, from, from + USEC_PER_HOUR, 0, &last), 0);
    ck_assert_int_eq(schedule_count(&schedule, INSTANT_NEVER, INSTANT_NEVER, 5, &last), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, values_ranges_steps_and_lists_name_what_they_say);
    tcase_add_test(tests, names_have_three_letters_in_any_case_in_lists_and_ranges_too);
    tcase_add_test(tests, zero_and_seven_are_sunday);
    tcase_add_test(tests, wrapping_ranges_count_their_step_from_the_start);
    tcase_add_test(tests, blanks_may_stand_around_and_between_fields);
    tcase_add_test(tests, either_day_field_suffices_unless_one_starts_with_a_star);
    tcase_add_test(tests, intervals_lie_at_multiples_since_1970);
    tcase_add_test(tests, shorthands_mean_their_fields);
    tcase_add_test(tests, texts_of_other_forms_are_refused_with_field_text_and_what_was_expected);
    tcase_add_test(tests, a_shorthand_in_capitals_is_hinted_in_lower_case);
    tcase_add_test(tests, the_last_day_of_the_month_stands_alone);
    tcase_add_test(tests, a_schedule_is_fixed_when_neither_minute_nor_hour_starts_with_a_star);
    tcase_add_test(tests, dates_that_never_come_are_refused_with_that_reason);
    tcase_add_test(tests, texts_too_long_are_refused_whatever_they_hold);
    tcase_add_test(tests, any_bytes_are_survived_and_messages_stay_valid_text);
    tcase_add_test(tests, a_rare_date_is_found_without_walking);
    tcase_add_test(tests, the_calendar_ends_with_the_year_9999);
    tcase_add_test(tests, the_calendar_starts_with_the_year_1);
    tcase_add_test(tests, the_latest_slot_of_millennia_is_found_at_once);
    tcase_add_test(tests, counting_stops_at_the_end_or_at_the_limit);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
