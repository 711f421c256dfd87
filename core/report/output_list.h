/* SPDX-License-Identifier: PostgreSQL */
/* Rows as report/output*.c hold them, and as cli/output_table.c draws them. */
#ifndef CHIME_REPORT_OUTPUT_LIST_H
#define CHIME_REPORT_OUTPUT_LIST_H

#include "report/output.h"

struct output_value {
    bool given;     /* false: null */
    int64_t number; /* instants and durations too */
    char *text;     /* of texts and data; owned */
};

struct output_list {
    const char *plural;
    const struct output_column *columns;
    size_t column_count;
    struct output_value *values; /* row by row */
    size_t row_count;
    size_t row_capacity;
    bool vertical;
    bool plain; /* JSON has the values of plain_column alone */
    size_t plain_column;
    size_t *parents; /* of each row, from the first output_set_parent on; else NULL */
};

#endif
