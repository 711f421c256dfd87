/* SPDX-License-Identifier: PostgreSQL */
/* Slots are compared with an oracle that knows nothing of schedule_parse's bit masks: it re-reads the text for every
 * value and asks the C library for the calendar. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "calendar/schedule.h"
#include "support/process/suite.h"

struct oracle_field {
    int low;
    int high;
    const char *words; /* names of three letters in a row, the first of them `first_word` */
    int first_word;
};

static const struct oracle_field oracle_fields[6] = {
    {0, 59, "", 0},
    {0, 59, "", 0},
    {0, 23, "", 0},
    {1, 31, "", 0},
    {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
    {0, 7, "sunmontuewedthufrisat", 0},
};

static int oracle_value(const struct oracle_field *field, const char **text)
{
    for (size_t i = 0; field->words[i] != '\0'; i += 3) {
        if (strncasecmp(field->words + i, *text, 3) == 0) {
            *text += 3;
            return field->first_word + (int)i / 3;
        }
    }
    char *end = NULL;
    int value = (int)strtol(*text, &end, 10);
    *text = end;
    return value;
}

/* Walks the item's values one by one as a person would say them and looks for the wanted one. */
static bool oracle_item(const struct oracle_field *field, const char *text, int wanted)
{
    bool weekday = field->high == 7;
    int first = field->low;
    int last = field->high;
    if (*text == '*') {
        text++;
    } else {
        first = oracle_value(field, &text);
        last = first;
        if (*text == '-') {
            text++;
            last = oracle_value(field, &text);
        }
    }
    int step = *text == '/' ? atoi(text + 1) : 1;
    int past_high = weekday && first > last ? 7 : field->high + 1;
    if (weekday && first > last) {
        first %= 7;
        last %= 7;
    }
    for (int value = first, passed = 0;; passed++) {
        if (passed % step == 0 && (weekday ? value % 7 : value) == wanted) {
            return true;
        }
        if (value == last) {
            return false;
        }
        value = value + 1 == past_high ? field->low : value + 1;
    }
}

static bool oracle_matches(int field, const char *text, int wanted)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = NULL;
    for (char *item = strtok_r(copy, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        if (oracle_item(&oracle_fields[field], item, wanted)) {
            return true;
        }
    }
    return false;
}

struct expression {
    char fields[6][64]; /* seconds first; "0" when there are five */
    char text[400];
};

static bool oracle_day(const struct expression *expression, time_t day)
{
    struct tm tm;
    gmtime_r(&day, &tm);
    bool date = oracle_matches(3, expression->fields[3], tm.tm_mday);
    bool weekday = oracle_matches(5, expression->fields[5], tm.tm_wday);
    bool both = expression->fields[3][0] == '*' || expression->fields[5][0] == '*';
    return oracle_matches(4, expression->fields[4], tm.tm_mon + 1) && (both ? date && weekday : date || weekday);
}

struct slots {
    int64_t *seconds;
    size_t count;
};

/* Every second of `days` days from the one that starts at `start`. */
static struct slots oracle_slots(const struct expression *expression, int64_t start, int days)
{
    bool matches[3][60] = {{false}};
    for (int field = 0; field < 3; field++) {
        for (int value = 0; value <= oracle_fields[field].high; value++) {
            matches[field][value] = oracle_matches(field, expression->fields[field], value);
        }
    }
    struct slots slots = {.seconds = NULL};
    size_t capacity = 0;
    for (int64_t day = start; day < start + days * INT64_C(86400); day += 86400) {
        bool due = oracle_day(expression, (time_t)day);
        for (int second = 0; due && second < 86400; second++) {
            if (second % 60 != 0 && strcmp(expression->fields[0], "0") == 0) {
                second += 59 - second % 60; /* five fields: minute by minute */
                continue;
            }
            if (!matches[2][second / 3600] || !matches[1][second / 60 % 60] || !matches[0][second % 60]) {
                continue;
            }
            if (slots.count == capacity) {
                capacity = capacity > 0 ? capacity * 2 : 1024;
                slots.seconds = xrealloc(slots.seconds, capacity, sizeof(*slots.seconds));
            }
            slots.seconds[slots.count++] = day + second;
        }
    }
    return slots;
}

static int random_within(int low, int high)
{
    return low + rand() % (high - low + 1);
}

static void random_value(int field, char *text, size_t size)
{
    const struct oracle_field *kind = &oracle_fields[field];
    size_t names = strlen(kind->words) / 3;
    if (names > 0 && rand() % 2 == 0) {
        snprintf(text, size, "%.3s", kind->words + 3 * ((size_t)rand() % names));
        text[0] = (char)(rand() % 2 == 0 ? text[0] : text[0] - 'a' + 'A');
    } else {
        snprintf(text, size, "%d", random_within(kind->low, kind->high));
    }
}

static void random_item(int field, char *text, size_t size)
{
    char first[8];
    char last[8];
    random_value(field, first, sizeof(first));
    random_value(field, last, sizeof(last));
    int step = random_within(1, oracle_fields[field].high);
    switch (rand() % 4) {
    case 0:
        snprintf(text, size, "*/%d", step);
        break;
    case 1:
        snprintf(text, size, "%s-%s", first, last);
        break;
    case 2:
        if (field == 3 && atoi(first) > atoi(last)) { /* a step may not cross the end of the month */
            snprintf(text, size, "%s-%s/%d", last, first, step);
        } else {
            snprintf(text, size, "%s-%s/%d", first, last, step);
        }
        break;
    default:
        snprintf(text, size, "%s", first);
    }
}

static void random_field(int field, char *text, size_t size)
{
    if (rand() % 4 == 0) {
        snprintf(text, size, "*");
        return;
    }
    size_t used = 0;
    for (int items = random_within(1, 3); items > 0; items--) {
        char item[32];
        random_item(field, item, sizeof(item));
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "," : "", item);
    }
}

static struct expression random_expression(bool seconds)
{
    struct expression expression = {.fields = {"0"}};
    size_t used = 0;
    for (int field = seconds ? 0 : 1; field < 6; field++) {
        random_field(field, expression.fields[field], sizeof(expression.fields[field]));
        used += (size_t)snprintf(expression.text + used, sizeof(expression.text) - used, "%s%s", used > 0 ? " " : "",
                                 expression.fields[field]);
    }
    return expression;
}

static void check_forwards(const struct expression *expression, const struct schedule *schedule,
                           const struct slots *slots, int64_t start, int64_t end)
{
    instant slot = start * USEC_PER_SEC - 1;
    for (size_t i = 0; i < slots->count; i++) {
        slot = schedule_next(schedule, slot);
        if (slot != slots->seconds[i] * USEC_PER_SEC) { /* every ck_assert writes to a pipe: too slow for each slot */
            ck_abort_msg("%s: slot %zu is %lld, not %lld", expression->text, i, (long long)(slot / USEC_PER_SEC),
                         (long long)slots->seconds[i]);
        }
    }
    ck_assert_msg(schedule_next(schedule, slot) >= end * USEC_PER_SEC, "%s: a slot too many", expression->text);
}

/* From random instants: the neighbours on both sides. */
static void check_around(const struct expression *expression, const struct schedule *schedule,
                         const struct slots *slots, int64_t start, int64_t end)
{
    for (int round = 0; round < 300; round++) {
        int64_t second = start + (((int64_t)rand() << 31) | rand()) % (end - start);
        instant until = second * USEC_PER_SEC + (rand() % 2 == 0 ? 0 : rand() % 1000000);
        size_t low = 0;
        for (size_t high = slots->count; low < high;) {
            size_t middle = (low + high) / 2;
            if (slots->seconds[middle] * USEC_PER_SEC <= until) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        instant expected = low > 0 ? slots->seconds[low - 1] * USEC_PER_SEC : INSTANT_NONE;
        instant found = schedule_latest(schedule, start * USEC_PER_SEC - 1, until);
        if (found != expected) {
            ck_abort_msg("%s: latest until %lld is %lld", expression->text, (long long)until, (long long)found);
        }
        if (low < slots->count && schedule_next(schedule, until) != slots->seconds[low] * USEC_PER_SEC) {
            ck_abort_msg("%s: next after %lld is wrong", expression->text, (long long)until);
        }
    }
}

/* True when the expression was compared; a refusal must be one that the oracle shares for 28 years. */
static bool check_against_oracle(const struct expression *expression, int64_t start, int days)
{
    struct schedule schedule;
    struct error err = {0};
    if (!schedule_parse(expression->text, &schedule, &err)) {
        ck_assert_msg(strstr(err.message, "can never fire") != NULL, "%s", err.message);
        for (int day = 0; day < 28 * 366; day++) {
            if (oracle_day(expression, (time_t)(start + day * INT64_C(86400)))) {
                ck_abort_msg("%s", err.message);
            }
        }
        return false;
    }
    int64_t end = start + days * INT64_C(86400);
    struct slots slots = oracle_slots(expression, start, days);
    check_forwards(expression, &schedule, &slots, start, end);
    check_around(expression, &schedule, &slots, start, end);
    instant last = INSTANT_NONE;
    size_t limit = slots.count < 1000 ? slots.count : 1000;
    ck_assert_uint_eq(
        (size_t)schedule_count(&schedule, start * USEC_PER_SEC - 1, end * USEC_PER_SEC - 1, (int64_t)limit, &last),
        limit);
    ck_assert_int_eq(last, limit > 0 ? slots.seconds[limit - 1] * USEC_PER_SEC : INSTANT_NONE);
    free(slots.seconds);
    return true;
}

START_TEST(five_fields_agree_with_the_oracle_minute_by_minute_over_years)
{
    srand(20260327);
    int compared = 0;
    for (int round = 0; round < 300; round++) {
        struct expression expression = random_expression(false);
        int64_t start = (int64_t)random_within(0, 47000) * 86400; /* 1970 to 2098 */
        compared += check_against_oracle(&expression, start, 2 * 366) ? 1 : 0;
    }
    ck_assert_int_gt(compared, 250);
}
END_TEST

START_TEST(six_fields_agree_with_the_oracle_second_by_second_over_days)
{
    srand(20261025);
    int compared = 0;
    for (int round = 0; round < 300; round++) {
        struct expression expression = random_expression(true);
        int64_t start = (int64_t)random_within(0, 47000) * 86400;
        compared += check_against_oracle(&expression, start, 5) ? 1 : 0;
    }
    ck_assert_int_gt(compared, 250);
}
END_TEST

START_TEST(the_oracle_itself_sees_what_people_mean)
{
    ck_assert(oracle_matches(5, "sat-sun", 6) && oracle_matches(5, "sat-sun", 0) && !oracle_matches(5, "sat-sun", 1));
    ck_assert(oracle_matches(2, "23-7/2", 1) && !oracle_matches(2, "23-7/2", 0) && oracle_matches(2, "23-7/2", 23));
    ck_assert(oracle_matches(5, "7", 0) && oracle_matches(4, "Feb", 2) && oracle_matches(1, "3,*/30", 30));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_oracle");
    TCase *tests = tcase_create("schedule_oracle");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, five_fields_agree_with_the_oracle_minute_by_minute_over_years);
    tcase_add_test(tests, six_fields_agree_with_the_oracle_second_by_second_over_days);
    tcase_add_test(tests, the_oracle_itself_sees_what_people_mean);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
