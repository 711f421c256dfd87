/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>

#include "base/memory.h"
#include "daemon/status_line.h"
#include "support/process/suite.h"

static void expect(const struct served_database *duties, size_t count, const char *remark, const char *expected)
{
    char *text = status_line_text(duties, count, "/etc/x.conf", remark);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(without_a_database_it_says_where_one_is_written)
{
    expect(
        NULL, 0, NULL,
        "idle: no database is configured; write databases: { main: { conninfo = \"...\"; }; }; in /etc/x.conf, then: "
        "systemctl reload pgchime");
}
END_TEST

START_TEST(databases_are_counted_by_what_is_done_with_them)
{
    const struct served_database duties[] = {{SERVED_LEADS, ""}, {SERVED_FOLLOWS, ""}, {SERVED_LEADS, ""}};
    expect(duties, 1, NULL, "leads 1 database");
    expect(duties, 3, NULL, "leads 2 databases, follows 1 database");
    expect(duties + 1, 1, NULL, "follows 1 database");
}
END_TEST

START_TEST(the_first_problem_that_is_known_is_said)
{
    const struct served_database duties[] = {{SERVED_TRIES, ""},
                                             {SERVED_LEADS, ""},
                                             {SERVED_TRIES, "database a: refused"},
                                             {SERVED_TRIES, "database b: gone"}};
    expect(duties, COUNT_OF(duties), NULL, "leads 1 database, cannot serve 3 databases; database a: refused");
    expect(duties, 1, NULL, "cannot serve 1 database");
}
END_TEST

START_TEST(a_remark_comes_last)
{
    const struct served_database duties[] = {{SERVED_TRIES, "database a: refused"}};
    expect(duties, 1, "stopping", "cannot serve 1 database; database a: refused; stopping");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("duties");
    TCase *tests = tcase_create("duties");
    tcase_add_test(tests, without_a_database_it_says_where_one_is_written);
    tcase_add_test(tests, databases_are_counted_by_what_is_done_with_them);
    tcase_add_test(tests, the_first_problem_that_is_known_is_said);
    tcase_add_test(tests, a_remark_comes_last);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
