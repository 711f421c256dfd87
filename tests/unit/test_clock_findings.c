/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <string.h>

#include "report/clock_findings.h"
#include "report/finding_list.h"
#include "support/process/suite.h"

#define AT INT64_C(1790000000000000)

static void expect_told(instant server, duration took, const char *words)
{
    struct output_list *list = finding_list_create();
    struct buffer text = {0};
    char at[INSTANT_TEXT_SIZE];
    const char *values[] = {instant_format(server, at)};
    struct pg_rows rows = {.count = 1, .columns = 1, .values = values};
    bool found = server_clock_take(list, &rows, "main", AT, AT + took);
    output_put_ndjson(&text, &list, 1);
    ck_assert_int_eq(found, words != NULL);
    ck_assert_msg(words == NULL || strstr(buffer_text(&text), words) != NULL, "%s", buffer_text(&text));
    buffer_finish(&text);
    output_destroy(list);
}

START_TEST(clocks_more_than_a_second_apart_are_told)
{
    expect_told(AT, 0, NULL);
    expect_told(AT + USEC_PER_SEC, 0, NULL);
    expect_told(AT - USEC_PER_SEC, 0, NULL);
    expect_told(AT + 5 * USEC_PER_SEC, 4 * USEC_PER_SEC, NULL); /* the answer took that long */
    expect_told(AT + 90 * USEC_PER_SEC, 0, "the server's clock is 90.0 s ahead of this machine's");
    expect_told(AT - 3 * USEC_PER_SEC / 2, USEC_PER_SEC, "the server's clock is 1.5 s behind this machine's");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock_findings");
    TCase *tests = tcase_create("clock_findings");
    tcase_add_test(tests, clocks_more_than_a_second_apart_are_told);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
