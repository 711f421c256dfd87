/* SPDX-License-Identifier: PostgreSQL */
/* A list of rows with one column of each kind, and how it is printed. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_OUTPUT_ROWS_H
#define CHIME_TESTS_SUPPORT_OUTPUT_ROWS_H

#include <check.h>
#include <stddef.h>

#include "cli/output_print.h"

enum { NAME, STATE, COUNT, ON, AT, TOOK, SIZE, LIST, TEXT, DATA_ONLY, TABLE_ONLY };

extern const struct output_column row_columns[];
extern const size_t row_column_count;
extern struct output_list *list; /* of the test under way */

/* A case of tests that each have an empty list. */
TCase *rows_case(const char *name);
/* One more row, with a value in every column. */
void fill_row(void);
/* What is printed is the caller's (free). */
char *print_lists(struct output_list *const *lists, size_t count, struct output_style style);
char *print_as(enum output_format format); /* with UTC */
void assert_has(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif
