/* SPDX-License-Identifier: PostgreSQL */
/* docs/doctor.md has every finding that doctor has, once, and no other; and every standard rule of alerts is one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/finding_kinds.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static char *rows_of_ids(char *page)
{
    char *rows = strstr(page, "| id | is found when |");
    ck_assert_ptr_nonnull(rows);
    return rows;
}

/* In the first cells of rows: `one`, `another`. */
static size_t times_listed(const char *rows, const char *id)
{
    char *quoted = xasprintf("`%s`", id);
    size_t times = 0;
    for (const char *row = rows; (row = strstr(row, "\n| `")) != NULL; row++) {
        const char *end = strstr(row + 3, " | ");
        const char *at = strstr(row, quoted);
        times += at != NULL && at < end;
    }
    free(quoted);
    return times;
}

START_TEST(each_finding_stands_in_the_page_once)
{
    char *page = files_read(PGCHIME_SOURCE_DIR "/docs/doctor.md");
    for (size_t i = 0; i < finding_kind_count(); i++) {
        const struct finding_kind *kind = finding_kind_at(i);
        ck_assert_msg(times_listed(rows_of_ids(page), kind->id) == 1, "%s", kind->id);
        ck_assert_ptr_eq(finding_kind_of(kind->id), kind); /* no id is there twice */
        ck_assert_msg(kind->why[strlen(kind->why) - 1] != '.', "%s", kind->why);
    }
    free(page);
}
END_TEST

START_TEST(the_page_has_no_other)
{
    char *page = files_read(PGCHIME_SOURCE_DIR "/docs/doctor.md");
    for (char *row = rows_of_ids(page); (row = strstr(row, "\n| `")) != NULL;) {
        char *end = strstr(row + 3, " | ");
        *end = '\0';
        for (char *id = strtok(row + 3, "`, "); id != NULL; id = strtok(NULL, "`, ")) {
            ck_assert_msg(strcmp(finding_kind_of(id)->id, id) == 0, "%s", id);
        }
        row = end + 1;
    }
    free(page);
}
END_TEST

/* Each begins a line of chime.standard_rules() as ('NAME', 'ABOUT', ... */
START_TEST(each_standard_rule_of_alerts_is_a_finding)
{
    char *sql = files_read(PGCHIME_SOURCE_DIR "/sql/functions/alert_rules.sql");
    size_t rules = 0;
    for (char *at = strstr(sql, "(VALUES"); (at = strstr(at, "\n    ('")) != NULL && rules < 100;) {
        at += strlen("\n    ('");
        char *end = strchr(at, '\'');
        *end = '\0';
        ck_assert_msg(strcmp(finding_kind_of(at)->id, at) == 0, "%s", at);
        at = end + 1;
        rules++;
    }
    ck_assert_uint_gt(rules, 30);
    free(sql);
}
END_TEST

START_TEST(what_is_not_listed_is_an_alert_of_somebody)
{
    ck_assert_str_eq(finding_kind_of("deep-queue")->about, "alert");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("finding_kinds");
    TCase *tests = tcase_create("finding_kinds");
    tcase_add_test(tests, each_finding_stands_in_the_page_once);
    tcase_add_test(tests, the_page_has_no_other);
    tcase_add_test(tests, each_standard_rule_of_alerts_is_a_finding);
    tcase_add_test(tests, what_is_not_listed_is_an_alert_of_somebody);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
