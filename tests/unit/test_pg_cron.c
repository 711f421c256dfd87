/* SPDX-License-Identifier: PostgreSQL */
/* How pg_cron reads schedules: by tables from its documentation and source. The extension itself is asked in
 * integration/test_import_extension. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "calendar/pg_cron.h"
#include "calendar/schedule.h"
#include "support/process/suite.h"

struct expected {
    const char *text;
    const char *equivalent; /* NULL: never, or refused */
};

static void all_are(const struct expected *rows, size_t count, enum pg_cron_reading reading)
{
    for (size_t i = 0; i < count; i++) {
        char *equivalent;
        struct schedule schedule;
        ck_assert_msg(pg_cron_read(rows[i].text, &equivalent) == reading, "\"%s\"", rows[i].text);
        ck_assert_msg((equivalent == NULL) == (rows[i].equivalent == NULL), "\"%s\"", rows[i].text);
        if (equivalent != NULL) {
            ck_assert_str_eq(equivalent, rows[i].equivalent);
            ck_assert_msg(schedule_parse(equivalent, &schedule, NULL), "\"%s\"", equivalent);
        }
        free(equivalent);
    }
}
#define ALL_ARE(reading, ...)                       \
    all_are((const struct expected[]){__VA_ARGS__}, \
            sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected), reading)

START_TEST(what_both_read_alike_stays_as_it_is)
{
    ALL_ARE(PG_CRON_RUNS, {"* * * * *", "* * * * *"}, {"5 4 * * *", "5 4 * * *"},
            {"*/5 0-23/2 1,15 jan-mar mon", "*/5 0-23/2 1,15 1-3 1"}, {"0 0 $ * *", "0 0 $ * *"},
            {"  0\t0  * * SUN ", "0 0 * * 0"}, {"0 0 * * 5-7", "0 0 * * 5-7"}, {"@hourly", "@hourly"},
            {"@reboot", "@reboot"}, {"30 seconds", "30 seconds"}, {"1 SECOND", "1 SECOND"},
            {"0 0 */2 * mon", "0 0 */2 * 1"});
}
END_TEST

START_TEST(what_it_does_not_look_at_is_left_out)
{
    ALL_ARE(PG_CRON_RUNS, {"*/30 * * * * *", "*/30 * * * *"}, {"0 0 * * * x y", "0 0 * * *"},
            {"5;3 * * * *", "5 * * * *"}, {"1-5-7 * * * *", "1-5 * * * *"}, {"*foo * * * *", "* * * * *"},
            {"@daily at noon", "@daily"}, {"# no\n\n0 0 * * *", "0 0 * * *"}, {"4294967301 * * * *", "5 * * * *"});
}
END_TEST

START_TEST(ranges_that_end_before_they_begin_hold_nothing)
{
    ALL_ARE(PG_CRON_RUNS, {"0 22-2,5 * * *", "0 5 * * *"}, {"0 0 * * 6-0,3", "0 0 * * 3"}, {"0 0 5 * 6-0", "0 0 5 * *"},
            {"0 0 31-1 * 3", "0 0 * * 3"});
    ALL_ARE(PG_CRON_NEVER, {"5-1 * * * *", NULL}, {"0 23-7/2 * * *", NULL}, {"0 0 * nov-feb *", NULL},
            {"0 0 * * sat-sun", NULL}, {"0 0 31-1 * *", NULL}, {"0 0 31-1 * 6-0", NULL});
}
END_TEST

START_TEST(steps_beyond_the_field_leave_its_first_value)
{
    ALL_ARE(PG_CRON_RUNS, {"*/100 * * * *", "0 * * * *"}, {"5-10/100 * * * *", "5 * * * *"},
            {"0 */24 * * *", "0 0 * * *"}, {"0 0 */40 * *", "0 0 */31 * *"}, {"0 0 * */13 *", "0 0 * 1 *"},
            {"0 0 * * */9", "0 0 * * */7"});
}
END_TEST

START_TEST(what_never_comes_is_never)
{
    ALL_ARE(PG_CRON_NEVER, {"@yearly", NULL}, {"@annually", NULL}, {"0 0 30 2 *", NULL}, {"0 0 31 4,6,9,11 *", NULL});
}
END_TEST

START_TEST(what_it_refuses_is_refused)
{
    ALL_ARE(PG_CRON_REFUSES, {"", NULL}, {"* * * *", NULL}, {"1/20 * * * *", NULL}, {"60 * * * *", NULL},
            {"0 0 0 * *", NULL}, {"0 0 * 13 *", NULL}, {"0 0 * * 8", NULL}, {"-1 * * * *", NULL}, {"*/0 * * * *", NULL},
            {"0 0 $,15 * *", NULL}, {"0 0 L * *", NULL}, {"0 0 ? * *", NULL}, {"0 0 * * 1,", NULL},
            {",1 * * * *", NULL}, {"0 0 * * monday", NULL}, {"@HOURLY", NULL}, {"@every 5m", NULL}, {"0 seconds", NULL},
            {"60 seconds", NULL}, {"5 minutes", NULL}, {"*/5x * * * *", NULL}, {"2147483648 * * * *", NULL});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_cron");
    TCase *cases = tcase_create("pg_cron");
    tcase_add_test(cases, what_both_read_alike_stays_as_it_is);
    tcase_add_test(cases, what_it_does_not_look_at_is_left_out);
    tcase_add_test(cases, ranges_that_end_before_they_begin_hold_nothing);
    tcase_add_test(cases, steps_beyond_the_field_leave_its_first_value);
    tcase_add_test(cases, what_never_comes_is_never);
    tcase_add_test(cases, what_it_refuses_is_refused);
    suite_add_tcase(suite, cases);
    return suite_run(suite) != 0;
}
