/* SPDX-License-Identifier: PostgreSQL */
#include "support/process/output_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const struct output_column row_columns[] = {
    {"NAME", "name", OUTPUT_TEXT, OUTPUT_ALWAYS},      {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"COUNT", "count", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"ON", "on", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"AT", "at", OUTPUT_INSTANT, OUTPUT_ALWAYS},       {"TOOK", "took_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"SIZE", "bytes", OUTPUT_BYTES, OUTPUT_WIDER},     {"LIST", "list", OUTPUT_DATA, OUTPUT_VERTICAL},
    {"TEXT", "text", OUTPUT_LONG, OUTPUT_ALWAYS},      {NULL, "data_only", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TABLE ONLY", NULL, OUTPUT_TEXT, OUTPUT_ALWAYS},
};
const size_t row_column_count = COUNT_OF(row_columns);
struct output_list *list;

static void set_up(void)
{
    list = output_create("things", row_columns, row_column_count);
}

static void tear_down(void)
{
    output_destroy(list);
}

TCase *rows_case(const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    return tests;
}

void fill_row(void)
{
    output_add_row(list);
    output_set(list, NAME, "a");
    output_set(list, STATE, "failed");
    output_set(list, COUNT, "42");
    output_set(list, ON, "t");
    output_set(list, AT, "2026-03-27 01:30:00.25+00");
    output_set(list, TOOK, "1234567");
    output_set(list, SIZE, "98304");
    output_set(list, LIST, "[\"x\",\"y\"]");
    output_set(list, TEXT, "one");
    output_set(list, DATA_ONLY, "hidden");
    output_set(list, TABLE_ONLY, "shown");
}

char *print_lists(struct output_list *const *lists, size_t count, struct output_style style)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    output_print(lists, count, &style, stream);
    fclose(stream);
    char *copy = xstrdup(text); /* gcc 12 takes open_memstream's own for the local variable's address */
    free(text);
    return copy;
}

char *print_as(enum output_format format)
{
    return print_lists(&list, 1, (struct output_style){.format = format, .utc = true, .terminal = true});
}

void assert_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

void assert_lacks(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "there is \"%s\" in:\n%s", part, text);
}
